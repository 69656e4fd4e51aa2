"""What tuning of privacy costs, and what it brings: ``python -m benchmarks.tuning``.

Prints charges to a ledger a second, a grid search with a ledger beside one without, the errors of what is learned at a
price beside diffprivlib's and OpenDP's (`benchmarks.learning`), and how well a classifier does that was trained on a
private release, for ε from 0.1 to 10 (`benchmarks.private_models`).
"""

import argparse
import sys
import tempfile
import time
import warnings
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from benchmarks import learning, private_models
from benchmarks.synthesis import verdict
from skdp import LaplaceNoise, PrivacyGuarantee, PrivacyLedger, make_pipeline, set_ledger

ROWS = 20_000


def seconds(work) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def charge(ledger: PrivacyLedger, times: int) -> None:
    """Charge a ledger as often as that, one charge after the other."""
    guarantee = PrivacyGuarantee(Fraction(1, 10), columns=("Age", "Income"))
    for _ in range(times):
        ledger.charge(guarantee, estimator="LaplaceNoise", rows=1000, purpose="transform")


def report_charges(times: int) -> list[bool]:
    """Print how many charges a second one process writes."""
    passed = []
    with tempfile.TemporaryDirectory() as folder:
        ledgers = {"in memory": PrivacyLedger(), "a file": PrivacyLedger(Path(folder) / "ledger.sqlite")}
        for name, ledger in ledgers.items():
            speed = times / seconds(lambda ledger=ledger: charge(ledger, times))
            passed.append(verdict(f"ledger, {name}: {speed:,.0f} charges a second (bar 5,000)", speed >= 5000))
    return passed


def search(ledger: PrivacyLedger | None, table: pd.DataFrame, target: np.ndarray) -> None:
    """Search over ε and C, 40 fits and the last one."""
    model = make_pipeline(LaplaceNoise(bounds=(0, 100)), LogisticRegression())
    grid = {"laplacenoise__epsilon": [1, 2, 5, 10], "logisticregression__C": [0.1, 1]}
    GridSearchCV(set_ledger(model, ledger), grid, cv=5).fit(table, target)


def report_search(repeats: int) -> list[bool]:
    """Print what a ledger adds to a grid search; the two take turns."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.uniform(0, 100, (ROWS, 4)), columns=list("abcd"))
    target = rng.integers(0, 2, ROWS)
    search(None, table, target)
    pairs = [
        (seconds(lambda: search(None, table, target)), seconds(lambda: search(PrivacyLedger(), table, target)))
        for _ in range(repeats)
    ]
    without, with_one = (median(times) for times in zip(*pairs, strict=True))
    print(f"grid search of 41 fits on {ROWS:,} rows: {without:.3f} s without a ledger, {with_one:.3f} s with one")
    more = median(b / a for a, b in pairs) - 1
    return [verdict(f"a ledger adds {more:+.1%} to it (median of {repeats} pairs; bar 10 %)", more <= 0.1)]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, and three ε instead of five")
    parser.add_argument("--diffprivlib", metavar="PYTHON", help="a Python that has diffprivlib")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", UserWarning)
    passed = report_charges(2_000 if options.quick else 20_000) + report_search(3 if options.quick else 7)
    passed += learning.report_quantiles(100_000, 5 if options.quick else 12, 1.0, options.diffprivlib)
    passed += learning.report_histogram(1.0)
    passed += private_models.report(2, [0.1, 1, 10]) if options.quick else private_models.report(4)
    print(f"\n{sum(passed)} of {len(passed)} bars passed")
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
