"""The laws and the fuzz of test_properties.py, with new tables and cases, for as long as one likes.

    python -m tests.soak --minutes 10

Ends with status 1 at the first failure, whose seed and case it prints: ``--seed`` repeats the run.
"""

import argparse
import itertools
import random
import secrets
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import seed, settings

sys.path.insert(0, str(Path(__file__).parent))  # where pytest finds the tests, too

from test_properties import FUZZES, PAIRS, QUICK, fuzz, obeys  # noqa: E402

TABLES = 10  # of a law and a step in one round
FILES = 50  # of a fuzz in one round


def main(arguments: Sequence[str] | None = None) -> int:
    """Run rounds of all laws and fuzzes until the time is up; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long (10)")
    parser.add_argument("--seed", type=int, default=None, help="repeat the run of this seed")
    options = parser.parse_args(arguments)
    start = secrets.randbelow(2**32) if options.seed is None else options.seed
    print(f"seed {start}", flush=True)
    end, done = time.monotonic() + 60 * options.minutes, Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in itertools.count(start):
            for name, work, cases in _round(number, Path(folder)):
                try:
                    work()
                except Exception:
                    traceback.print_exc()
                    print(f"{name} failed: python -m tests.soak --seed {number}")
                    return 1
                done[name] += cases
                if time.monotonic() > end:
                    _report(done)
                    return 0


def _round(number: int, folder: Path) -> list[tuple[str, Callable[[], None], int]]:
    """Return the laws and fuzzes of one round, by name, with how many cases each has."""
    own = settings(QUICK, max_examples=TABLES, derandomize=False)
    laws = [
        (law.__name__, own(seed(number)(obeys(law, step))), TABLES) for law, step in (pair.values for pair in PAIRS)
    ]
    first = 10_000 + number * FILES  # behind those of the tests
    files = [
        (kind.__name__, lambda kind=kind: fuzz(kind, range(first, first + FILES), folder), FILES) for kind in FUZZES
    ]
    work = [*laws, *files]
    random.Random(number).shuffle(work)  # so that a short run is not of the first laws alone
    return work


def _report(done: Counter) -> None:
    for name, cases in done.items():
        print(f"{cases:>8,} {name}")
    print(f"{sum(done.values()):>8,} in all, none failed")


if __name__ == "__main__":
    sys.exit(main())
