"""The error and the time of what is learned at a price: ``python -m benchmarks.learning``.

10 quantiles of log-normal incomes (median 45,000, σ = 0.7) at ε = 1 over the bounds (0, 1,000,000), neighbours being
tables that differ in one record. Errors are means over tables and quantiles, in ranks and in values. Peers:

- the exponential mechanism for each quantile with ε / 10, written here as in diffprivlib 0.6.6 (`tools.quantile`),
  which does not import beside scikit-learn 1.9 itself. Where another Python has it, beside scikit-learn 1.5, name that
  one: ``--diffprivlib venv/bin/python`` runs the original, too;
- OpenDP's scores of 20,000 candidates and noisy maximum, where `opendp` is installed, its scale found for two records
  of the symmetric distance, which is how it counts a replaced one;
- the approximate quantiles of Kaplan, Schnapp and Stemmer (ICML 2022), written here: the exponential mechanism,
  recursively, with ε over the levels of the recursion.
"""

import argparse
import functools
import importlib.util
import math
import subprocess
import sys
import tempfile
import time
from fractions import Fraction

import numpy as np
import pandas as pd

from benchmarks.synthesis import verdict
from skdp._noisy_counts import noisy_counts
from skdp.binning import QuantileBinner

LOWER, UPPER = 0.0, 1e6
SHARES = np.arange(1, 11) / 11
ORIGINAL = """
import sys
import numpy
from diffprivlib.tools import quantile
numpy.save(sys.argv[2], quantile(numpy.load(sys.argv[1]), {shares}, epsilon={epsilon}, bounds={bounds}))
"""


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


def original(python: str, ordered, epsilon, rng) -> np.ndarray:
    """Return the quantiles of diffprivlib itself, in another Python."""
    code = ORIGINAL.format(shares=SHARES.tolist(), epsilon=epsilon, bounds=(LOWER, UPPER))
    with tempfile.TemporaryDirectory() as folder:
        given, found = f"{folder}/given.npy", f"{folder}/found.npy"
        np.save(given, ordered)
        subprocess.run([python, "-c", code, given, found], check=True)
        return np.load(found)


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


def ours(ordered, epsilon, rng, *, round_edges=None) -> np.ndarray:
    """Return the edges of QuantileBinner, rounded as by default."""
    step = QuantileBinner(len(SHARES) + 1, epsilon=epsilon, bounds=(LOWER, UPPER), round_edges=round_edges)
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


def report_quantiles(rows: int, tables: int, epsilon: float, python: str | None = None) -> list[bool]:
    """Print the errors of quantiles, and whether ours are at most half of diffprivlib's and OpenDP's."""
    finders = {"skdp": ours, "skdp, unrounded": functools.partial(ours, round_edges=False)}
    finders |= {"Kaplan et al.": recursively, "diffprivlib's way": each_for_itself}
    if python:
        finders["diffprivlib itself"] = functools.partial(original, python)
    if importlib.util.find_spec("opendp"):
        finders["OpenDP"] = opendp
    print(f"10 quantiles of {rows:,} incomes, ε = {epsilon:g}, {tables} tables")
    found = {}
    for name, find in finders.items():
        found[name] = errors(find, rows, tables, epsilon)
        print(f"  {name:20} {found[name][0]:8.2f} ranks {found[name][1]:9.2f} in value")
    passed = []
    for peer in [name for name in found if name.startswith(("diffprivlib", "OpenDP"))]:
        ratio = max(ours / theirs for ours, theirs in zip(found["skdp"], found[peer], strict=True))
        passed.append(verdict(f"error {ratio:.3f} of that of {peer}, the worse of both (bar 0.5)", ratio <= 0.5))
    return passed


def report_histogram(epsilon: float, cells: int = 400_000) -> list[bool]:
    """Print the mean absolute error of noisy counts, and whether it is the theory's."""
    a = math.exp(-epsilon / 2)
    found, theory = np.abs(noisy_counts(np.zeros(cells, dtype=np.int64), Fraction(epsilon))).mean(), 2 * a / (1 - a * a)
    text = f"a histogram of {cells:,} cells: error {found:.4f}, by theory {theory:.4f} (bar 3 %)"
    return [verdict(text, abs(found / theory - 1) <= 0.03)]


def report_fit() -> None:
    """Print the time of fits with and without ε."""
    table = pd.DataFrame({"x": np.random.default_rng(0).lognormal(math.log(45_000), 0.7, 1_000_000)})
    for step in (QuantileBinner(11), QuantileBinner(11, epsilon=1, bounds=(LOWER, UPPER))):
        step.fit(table)
        start = time.perf_counter()
        step.fit(table)
        print(f"  fit to 1,000,000 rows: {time.perf_counter() - start:.3f} s, ε = {step.epsilon}")


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--tables", type=int, default=40)
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--diffprivlib", metavar="PYTHON", help="a Python that has diffprivlib")
    options = parser.parse_args(arguments)
    passed = report_quantiles(options.rows, options.tables, options.epsilon, options.diffprivlib)
    passed += report_histogram(options.epsilon)
    report_fit()
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
