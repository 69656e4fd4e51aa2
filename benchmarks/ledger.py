"""What a ledger costs: charges a second, and a grid search with one against one without.

Run: python -m benchmarks.ledger
"""

import tempfile
import time
from fractions import Fraction
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skdp import LaplaceNoise, PrivacyGuarantee, PrivacyLedger, make_pipeline, set_ledger

CHARGES, ROWS, REPEATS = 20_000, 20_000, 7


def seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def charge(ledger: PrivacyLedger, times: int) -> None:
    guarantee = PrivacyGuarantee(Fraction(1, 10), columns=("Age", "Income"))
    for _ in range(times):
        ledger.charge(guarantee, estimator="LaplaceNoise", rows=1000, purpose="transform")


def search(ledger: PrivacyLedger | None, table: pd.DataFrame, target: np.ndarray) -> None:
    model = make_pipeline(LaplaceNoise(bounds=(0, 100)), LogisticRegression())
    grid = {"laplacenoise__epsilon": [1, 2, 5, 10], "logisticregression__C": [0.1, 1]}
    GridSearchCV(set_ledger(model, ledger), grid, cv=5).fit(table, target)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, ledger in (("in memory", PrivacyLedger()), ("a file", PrivacyLedger(Path(folder) / "ledger.sqlite"))):
            print(f"{name}: {CHARGES / seconds(lambda ledger=ledger: charge(ledger, CHARGES)):,.0f} charges a second")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.uniform(0, 100, (ROWS, 4)), columns=list("abcd"))
    target = rng.integers(0, 2, ROWS)
    search(None, table, target)
    pairs = [
        (seconds(lambda: search(None, table, target)), seconds(lambda: search(PrivacyLedger(), table, target)))
        for _ in range(REPEATS)
    ]
    without, with_one = (median(times) for times in zip(*pairs, strict=True))
    print(f"grid search of 40 fits on {ROWS:,} rows: {without:.3f} s without, {with_one:.3f} s with a ledger,")
    print(f"{median(b / a for a, b in pairs) - 1:+.1%} (median of {REPEATS} pairs)")


if __name__ == "__main__":
    main()
