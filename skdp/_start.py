"""As the command ``skdp`` starts: an interruption while modules are imported ends it in one line, too.

The package imports this first of all, before what takes time. Where Python runs anything else, nothing is done.
"""

import os
import signal
import sys

UNCHANGED = "the output is as it was"


def interrupted(number: int, frame: object) -> None:
    """End the process, which has done nothing yet: imports may swallow what is raised, or make something else of it."""
    try:
        os.write(sys.stderr.fileno(), f"skdp: interrupted; {UNCHANGED}\n".encode())
    except (AttributeError, OSError, ValueError):
        pass  # nobody reads it
    os._exit(130)


def _is_command() -> bool:
    """Whether Python was started by ``skdp`` or ``python -m skdp``: that is the word in front of the arguments."""
    behind = getattr(sys, "argv", ())
    words = sys.orig_argv[-len(behind) :] if behind else [""]
    return os.path.basename(words[0]).removesuffix(".exe") == "skdp"


if _is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, interrupted)
