"""What a command says on the terminal, and how it is stopped from there."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

interruptions: list[int] = []


def interrupted(number: int, frame: Any) -> None:
    """Stop the command: what a signal is to call."""
    interruptions.append(number)
    raise KeyboardInterrupt


def stop_if_interrupted() -> None:
    """Raise again what a library may have swallowed: a bare ``except``, or a finaliser, catches interruptions too."""
    if interruptions:
        raise KeyboardInterrupt


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
