"""The error and the time of what is learned at a price: ``python -m benchmarks.learning``.

10 quantiles of log-normal incomes (median 45,000, σ = 0.7) at ε = 1 over the bounds (0, 1,000,000), neighbours being
tables that differ in one record. Errors are means over tables and quantiles, in ranks and in values. Peers:

- the exponential mechanism for each quantile with ε / 10, written here as in diffprivlib 0.6 (`tools.quantile`), which
  does not import beside scikit-learn 1.9 itself;
- OpenDP's scores of 20,000 candidates and noisy maximum, where `opendp` is installed, its scale found for two records
  of the symmetric distance, which is how it counts a replaced one;
- the approximate quantiles of Kaplan, Schnapp and Stemmer (ICML 2022), written here: the exponential mechanism,
  recursively, with ε over the levels of the recursion.
"""

import argparse
import importlib.util
import math
import time
from fractions import Fraction

import numpy as np
import pandas as pd

from skdp._noisy_counts import noisy_counts
from skdp._noisy_quantiles import noisy_quantiles
from skdp.binning import QuantileBinner

LOWER, UPPER = 0.0, 1e6
SHARES = np.arange(1, 11) / 11


def incomes(rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return incomes in ascending order."""
    return np.sort(np.clip(rng.lognormal(math.log(45_000), 0.7, rows), LOWER, UPPER))


def exponential(ordered, share, epsilon, rng, lower=LOWER, upper=UPPER) -> float:
    """Return one quantile by the exponential mechanism over the gaps between values (Smith, STOC 2011)."""
    ends = np.r_[lower, ordered, upper]
    weights = np.log(np.maximum(np.diff(ends), 1e-300))
    weights -= epsilon / 2 * np.abs(np.arange(len(ordered) + 1) - share * len(ordered))
    weights = np.exp(weights - weights.max())
    place = rng.choice(len(weights), p=weights / weights.sum())
    return rng.uniform(ends[place], ends[place + 1])


def each_for_itself(ordered, epsilon, rng) -> np.ndarray:
    """Return the quantiles as diffprivlib finds them."""
    return np.array([exponential(ordered, share, epsilon / len(SHARES), rng) for share in SHARES])


def recursively(ordered, epsilon, rng) -> np.ndarray:
    """Return the quantiles of Kaplan et al.: the middle one first, then those to either side among their own values."""
    found, each = np.empty(len(SHARES)), epsilon / math.ceil(math.log2(len(SHARES) + 1))

    def find(values, first, last, lower, upper):
        if first < last:
            middle = (first + last) // 2
            share = (middle - first + 1) / (last - first + 1)
            found[middle] = exponential(values, share, each, rng, lower, upper)
            place = np.searchsorted(values, found[middle])
            find(values[:place], first, middle, lower, found[middle])
            find(values[place:], middle + 1, last, found[middle], upper)

    find(ordered, 0, len(SHARES), LOWER, UPPER)
    return found


def opendp(ordered, epsilon, rng) -> np.ndarray:
    """Return the quantiles as OpenDP finds them, one after the other."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    candidates = np.linspace(LOWER, UPPER, 20_001)[1:-1].tolist()
    space = dp.vector_domain(dp.atom_domain(T=float, nan=False), size=len(ordered)), dp.symmetric_distance()
    listed, found = ordered.tolist(), []
    for share in SHARES.tolist():
        scores = space >> dp.t.then_quantile_score_candidates(candidates, share)
        scale = dp.binary_search_param(
            lambda scale, scores=scores: scores >> dp.m.then_report_noisy_max_gumbel(scale=scale, optimize="min"),
            d_in=2, d_out=epsilon / len(SHARES), bounds=(1e-3, 1e18),
        )  # fmt: skip
        found.append(candidates[(scores >> dp.m.then_report_noisy_max_gumbel(scale=scale, optimize="min"))(listed)])
    return np.array(found)


def ours(ordered, epsilon, rng) -> np.ndarray:
    """Return the quantiles of skdp, before they are rounded."""
    return noisy_quantiles(ordered, SHARES, Fraction(epsilon), LOWER, UPPER).quantiles


def rounded(ordered, epsilon, rng) -> np.ndarray:
    """Return the edges of QuantileBinner, rounded as by default."""
    step = QuantileBinner(len(SHARES) + 1, epsilon=epsilon, bounds=(LOWER, UPPER))
    return step.fit(pd.DataFrame({"x": ordered})).edges_["x"]


def errors(find, rows: int, tables: int, epsilon: float) -> tuple[float, float]:
    """Return the mean absolute errors of quantiles, in ranks and in values."""
    rng, ranks, values = np.random.default_rng(0), [], []
    for _ in range(tables):
        ordered = incomes(rows, rng)
        found = find(ordered, epsilon, rng)
        ranks.append(np.abs(np.searchsorted(ordered, found) - SHARES * rows).mean())
        values.append(np.abs(found - np.quantile(ordered, SHARES)).mean())
    return float(np.mean(ranks)), float(np.mean(values))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--tables", type=int, default=40)
    parser.add_argument("--epsilon", type=float, default=1.0)
    options = parser.parse_args()
    finders = {"skdp": ours, "skdp, rounded": rounded, "Kaplan et al.": recursively, "diffprivlib": each_for_itself}
    if importlib.util.find_spec("opendp"):
        finders["OpenDP"] = opendp
    print(f"10 quantiles of {options.rows:,} incomes, ε = {options.epsilon:g}, {options.tables} tables")
    for name, find in finders.items():
        ranks, values = errors(find, options.rows, options.tables, options.epsilon)
        print(f"  {name:15} {ranks:8.2f} ranks {values:9.2f} in value")
    a = math.exp(-options.epsilon / 2)
    found = np.abs(noisy_counts(np.zeros(400_000, dtype=np.int64), Fraction(options.epsilon))).mean()
    print(f"a histogram of 400,000 cells: error {found:.4f}, by theory {2 * a / (1 - a * a):.4f}")
    table = pd.DataFrame({"x": np.random.default_rng(0).lognormal(math.log(45_000), 0.7, 1_000_000)})
    for step in (QuantileBinner(11), QuantileBinner(11, epsilon=1, bounds=(LOWER, UPPER))):
        step.fit(table)
        start = time.perf_counter()
        step.fit(table)
        print(f"fit to 1,000,000 rows: {time.perf_counter() - start:.3f} s, ε = {step.epsilon}")


if __name__ == "__main__":
    main()
