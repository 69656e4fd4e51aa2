r"""Noisy counts over public cells: histograms and trees of them, and their projection onto what counts can be.

**Claim.** `noisy_counts` is ε-differentially private for tables that differ in one record. **Proof.** Each record is
counted in at most one cell, whatever the others hold. So a replaced record lowers at most one count by 1 and raises at
most one by 1: the L1 sensitivity is 2, also where it becomes, or was, a record that no cell counts. Each count gets
noise with P(Z = z) proportional to e^(-ε |z| / 2), exactly (`skdp.mechanisms`), and so a vector of noisy counts is at
most e^(ε/2 · 2) = e^ε times more probable for one table than for the other. Every cell gets noise, be it empty or not.

A tree counts each record at most once on each of its levels, and every level spends an equal part of ε.
"""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from skdp._inversion import Source
from skdp.mechanisms import two_sided_geometric

SENSITIVITY = 2  # of the counts of one partition, in the L1 norm, when one record is replaced
Noise = Callable[[np.ndarray, Fraction], np.ndarray]  # counts and the loss ε of their release to noisy counts


def noisy_counts(counts: np.ndarray, epsilon: Fraction, *, source: Source | None = None) -> np.ndarray:
    """Return the counts of a public partition with two-sided geometric noise.

    Parameters
    ----------
    counts : ndarray of int of shape (n_cells,)
        How many records each cell holds; each record is in one cell at most.
    epsilon : Fraction
        Privacy loss of the whole vector; at least 2^-40.
    source : Source, default=None
        Random bits; by default `skdp.mechanisms.secure_source`.

    Returns
    -------
    noisy : ndarray of int64 of shape (n_cells,)
        Unbiased, and negative where the noise is; mean absolute error 2a / (1 - a²) with a = e^(-ε/2).

    Examples
    --------
    >>> noisy_counts(np.array([900, 0, 100]), Fraction(1)).shape
    (3,)
    """
    return counts.astype(np.int64) + two_sided_geometric(len(counts), epsilon / SENSITIVITY, source=source)


def noise_from(source: Source | None) -> Noise:
    """Return the noise of `noisy_counts` that takes its bits from one source, call after call."""
    return lambda counts, epsilon: noisy_counts(counts, epsilon, source=source)


def noisy_tree(
    counts: np.ndarray, n_rows: int, epsilon: Fraction, branching: int, noise: Noise
) -> tuple[np.ndarray, float]:
    """Return estimates of the counts of many cells in a row, whose sums over long runs are good ones.

    A tree over the cells, noisy on each level, made consistent by least squares: Hay, Rastogi, Miklau and Suciu,
    *Boosting the accuracy of differentially private histograms through consistency* (VLDB 2010).

    Parameters
    ----------
    counts : ndarray of int of shape (branching ** n_levels,)
        How many records each cell holds.
    n_rows : int
        How many records there are, which is public. Those in no cell are counted, with noise, beside the top level.
    epsilon : Fraction
        Privacy loss of all levels together.
    branching : int
        How many children a node has; at least 2.
    noise : callable
        Makes counts noisy; see `noise_from`.

    Returns
    -------
    cells : ndarray of float64 of shape (branching ** n_levels,)
        Estimates, negative ones among them.
    uncounted : float
        The estimate of the number of records in no cell; it and `cells` add up to `n_rows`.

    Examples
    --------
    >>> cells, uncounted = noisy_tree(np.array([5, 0, 3, 1]), 10, Fraction(1), 2, lambda counts, epsilon: counts)
    >>> cells.round(9).tolist(), round(uncounted, 9)
    ([5.0, 0.0, 3.0, 1.0], 1.0)
    """
    levels = [counts]
    while len(levels[0]) > branching:
        levels.insert(0, levels[0].reshape(-1, branching).sum(axis=1))
    each = epsilon / len(levels)
    top = noise(np.append(levels[0], n_rows - counts.sum()), each)
    noisy = [top[:-1], *(noise(level, each) for level in levels[1:])]
    pooled = _pooled(noisy, branching)
    short = (n_rows - pooled[0].sum() - top[-1]) / (len(pooled[0]) * _pooled_variance(len(levels), branching) + 1)
    uncounted = top[-1] + short
    return _consistent(pooled, n_rows - uncounted, branching), float(uncounted)


def projected(counts: np.ndarray, total: float) -> np.ndarray:
    """Return the nearest non-negative numbers with a given sum, in the Euclidean norm.

    Parameters
    ----------
    counts : ndarray of float64 of shape (n_cells,)
        Noisy counts.
    total : float
        What they should add up to; more than 0.

    Returns
    -------
    projected : ndarray of float64 of shape (n_cells,)
        Non-negative; each count less one and the same number, or 0 (Duchi, Shalev-Shwartz, Singer and Chandra,
        *Efficient projections onto the l1-ball for learning in high dimensions*, ICML 2008).

    Examples
    --------
    >>> projected(np.array([4.0, -1.0, 2.0]), 4.0).tolist()
    [3.0, 0.0, 1.0]
    """
    descending = np.sort(counts)[::-1]
    surplus = (np.cumsum(descending) - total) / np.arange(1, len(counts) + 1)
    kept = np.flatnonzero(descending > surplus)[-1]
    return np.maximum(counts - surplus[kept], 0.0)


def _pooled_variance(n_levels: int, branching: int) -> float:
    """Return the variance of a node at the top of so many levels, pooled with those below it, in units of its own."""
    variance = 1.0
    for _ in range(n_levels - 1):
        variance = 1 / (1 + 1 / (branching * variance))
    return variance


def _pooled(noisy: list[np.ndarray], branching: int) -> list[np.ndarray]:
    """Return each node's best estimate from itself and all below it, the top level first."""
    pooled = [noisy[-1].astype(np.float64)]
    for depth, level in enumerate(reversed(noisy[:-1]), start=1):
        below = pooled[0].reshape(-1, branching).sum(axis=1)
        weight = _pooled_variance(depth + 1, branching)  # of the node itself, by its share of the precision
        pooled.insert(0, weight * level + (1 - weight) * below)
    return pooled


def _consistent(pooled: list[np.ndarray], total: float, branching: int) -> np.ndarray:
    """Return the cells after what each node has too much or too little was shared among its children."""
    cells = pooled[0] + (total - pooled[0].sum()) / len(pooled[0])
    for level in pooled[1:]:
        missing = cells - level.reshape(-1, branching).sum(axis=1)
        cells = level + np.repeat(missing / branching, branching)
    return cells
