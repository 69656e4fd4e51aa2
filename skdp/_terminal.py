"""What a command says on the terminal, and how it is stopped from there."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from skdp import _start

_interruptions: list[int] = []


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Let signals stop what the block does; afterwards they do again what they did before, to children, too.

    Of what `skdp._start` has set up nothing is left: a command that ends does not say that its output is as it was.
    """
    _interruptions.clear()
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, _interrupted) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is _start.interrupted:
                handler = signal.SIG_IGN
            signal.signal(number, handler or signal.SIG_DFL)  # None is what C set


def _interrupted(number: int, frame: Any) -> None:
    _interruptions.append(number)
    raise KeyboardInterrupt


def stop_if_interrupted() -> None:
    """Raise again what a library may have swallowed: a bare ``except``, or a finaliser, catches interruptions too."""
    if _interruptions:
        raise KeyboardInterrupt


def open_closed_streams() -> None:
    """Give a process that was started without standard output or error, as by ``>&-``, one that nobody reads."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))


def silence() -> None:
    """Let standard output go nowhere from now on: what is still to be written would fail again as Python ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError):  # where it has no number
        os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def say(*lines: str) -> None:
    """Print lines as the terminal can show them: names of columns may hold anything."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        shown = "".join(letter if letter.isprintable() else "?" for letter in line)
        print(shown.encode(encoding, "replace").decode(encoding))


@contextmanager
def notes_in_lines() -> Iterator[None]:
    """Print warnings of the steps as lines of their own."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for message in dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)):
        print(f"skdp: note: {' '.join(message.split())}", file=sys.stderr)
