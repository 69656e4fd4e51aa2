r"""Quantiles at a price: all of them jointly, from noisy counts over a public grid.

Three releases share ε (`SHARES`), each of them private by `skdp._noisy_counts`:

1. a tree over the equal cells of public bounds gives the whole distribution roughly, and first quantiles;
2. the records between neighbours of these are counted: as few counts carry little noise, they tell how far off each
   quantile is, and it moves by as many records, at the density that the tree tells around and on that side of it;
3. the same again, with half of ε, from where the quantiles are now.

What a release asks depends only on what those before it gave out, so the losses add up to ε (basic composition, Dwork
and Roth, *The algorithmic foundations of differential privacy*, 2014, section 3.5). All else is post-processing.
Missing values are counted by themselves; infinite ones are clamped to the bounds like all others.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import numpy as np

from skdp._noisy_counts import SENSITIVITY, Noise, noise_from, noisy_tree
from skdp._quantiles import rounded

BRANCHING = 8
DEPTHS = (4, 6)  # 4,096 to 262,144 cells
SHARES = (Fraction(3, 10), Fraction(1, 5), Fraction(1, 2))  # of ε: for the tree, and for each refinement
_NEAR = 0.3  # of the records up to the next quantile: over so many to each side the density is taken
_BLUR = 2.0  # standard deviations of a node's noise
_FEW = 0.02  # of a range's width that rounding may move a number in it by
_MEANINGLESS = 0.25  # standard deviations of the noise that rounding may move a quantile by


@dataclass(frozen=True)
class NoisyQuantiles:
    """Quantiles that are ε-differentially private; nothing in here is known more exactly than that.

    Parameters
    ----------
    quantiles : ndarray of float64 of shape (n_quantiles,)
        Not decreasing, within the bounds, finite.
    deviations : ndarray of float64 of shape (n_quantiles,)
        The standard deviation of each that the noise of the last count alone makes.
    rough : Distribution
        What the tree tells of all values, less exactly.
    """

    quantiles: np.ndarray
    deviations: np.ndarray
    rough: "Distribution"

    def edges(self, digits: int | Literal[False] | None = None) -> np.ndarray:
        """Return the quantiles as increasing edges: one where the grid tells several no more apart.

        Parameters
        ----------
        digits : int, False or None, default=None
            Significant digits; None leaves out those that are noise, False keeps all.

        Returns
        -------
        edges : ndarray of float64 of shape (n_edges,)
            At least one, within the bounds. Several in one cell become one just above it, since up to it values are
            tied; in the last cell, one just below it.
        """
        grid = self.rough.grid
        width = float(grid[1] - grid[0])
        last = len(grid) - 1
        ends = np.clip(np.searchsorted(grid, self.quantiles, side="right"), 1, last)
        edges = []
        for end in np.unique(ends).tolist():
            inside = np.flatnonzero(ends == end)
            if len(inside) > 1 or end == last:
                edge, most = float(grid[end]) + width * (0.5 if end < last else -1.5), width / 2
            else:
                edge, most = float(self.quantiles[inside[0]]), _MEANINGLESS * float(self.deviations[inside[0]])
            edges.append(_to_unit(edge, most) if digits is None else rounded(edge, digits) if digits else edge)
        return np.unique(np.clip(edges, grid[0], grid[-1]))

    def middles(self, edges: np.ndarray) -> np.ndarray:
        """Return about the median of the values in each of the ranges that edges make."""
        grid, ranks = self.rough.grid, np.r_[0.0, self.rough.rank(edges), self.rough.total]
        middles = self.rough.quantiles((ranks[:-1] + ranks[1:]) / 2)
        return np.clip(middles, np.r_[grid[0], edges], np.r_[edges, grid[-1]])

    def rounded(self) -> np.ndarray:
        """Return the quantiles without the digits that are noise: one for each, not decreasing, within the bounds."""
        pairs = zip(self.quantiles.tolist(), (_MEANINGLESS * self.deviations).tolist(), strict=True)
        numbers = np.maximum.accumulate([_to_unit(number, most) for number, most in pairs])
        return np.clip(numbers, self.rough.grid[0], self.rough.grid[-1])


def noisy_quantiles(
    values: np.ndarray,
    shares: np.ndarray,
    epsilon: Fraction,
    lower: float,
    upper: float,
    *,
    noise: Noise | None = None,
    branching: int = BRANCHING,
    depth: int | None = None,
    spending: tuple[Fraction, ...] = SHARES,
    times: np.ndarray | None = None,
) -> NoisyQuantiles:
    """Return quantiles of numbers, private for whoever replaces one record.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_rows,)
        Any floats; NaN is a missing value.
    shares : ndarray of float64 of shape (n_quantiles,)
        Increasing, between 0 and 1: below which share of the values that are not missing each quantile lies.
    epsilon : Fraction
        Privacy loss of all quantiles together.
    lower, upper : float
        Public bounds, finite, lower < upper; values beyond them are clamped.
    noise : callable, default=None
        Makes counts noisy; by default secure two-sided geometric noise.
    branching : int, default=8
        How many children a node of the tree has.
    depth : int, default=None
        How many levels the tree has; the grid has ``branching ** depth`` cells. By default, of 4 to 6, the fewest with
        a cell for every fourth row: the number of rows is public.
    spending : tuple of Fraction, default=(3/10, 1/5, 1/2)
        Shares of ε of the tree and of each refinement; they add up to 1.
    times : ndarray of int64 of shape (n_rows,), default=None
        How many records each of `values` is; None for one.

    Returns
    -------
    found : NoisyQuantiles
        The quantiles and what is known beside them.

    Examples
    --------
    >>> incomes = np.random.default_rng(0).lognormal(10.7, 0.7, 100_000)
    >>> found = noisy_quantiles(incomes, np.array([0.25, 0.5, 0.75]), Fraction(1), 0.0, 1e6)
    >>> off = np.searchsorted(np.sort(incomes), found.quantiles) / len(incomes) - [0.25, 0.5, 0.75]
    >>> bool(np.abs(off).max() < 0.01)
    True
    """
    noise = noise or noise_from(None)
    tree_share, *refinements = spending
    n_rows, clamped = len(values) if times is None else int(times.sum()), np.clip(values, lower, upper)
    depth = depth or next((one for one in range(*DEPTHS) if branching**one >= n_rows / 4), DEPTHS[1])
    n_cells = branching**depth
    cells = cells_of(clamped, lower, upper, n_cells)
    counts = np.bincount(cells, weights=times, minlength=n_cells + 1)[:n_cells].astype(np.int64)
    cells, uncounted = noisy_tree(counts, n_rows, epsilon * tree_share, branching, noise)
    grid = np.linspace(0.5 * lower, 0.5 * upper, n_cells + 1) * 2  # halves, lest the difference overflow
    blur = _BLUR * math.sqrt(2) * SENSITIVITY * float(depth / (epsilon * tree_share))
    rough = Distribution(grid, monotone(np.r_[0.0, np.cumsum(cells)], n_rows - uncounted), blur)
    found, deviations = rough.quantiles(rough.total * shares), np.zeros(len(shares))
    for share in refinements:
        found, deviations = _refined(clamped, times, found, shares, rough, epsilon * share, noise)
    return NoisyQuantiles(found, deviations, rough)


def cells_of(clamped: np.ndarray, lower: float, upper: float, n_cells: int) -> np.ndarray:
    """Return the equal cell of each value between bounds; `n_cells` for a missing one. Each depends on itself alone."""
    position = (clamped * 0.5 - lower * 0.5) * (n_cells / (upper * 0.5 - lower * 0.5))
    position[np.isnan(clamped)] = n_cells
    whole = position.astype(np.int32)
    return np.minimum(whole, np.where(np.isnan(clamped), n_cells, n_cells - 1), out=whole)


def rounded_inside(numbers: np.ndarray, ends: np.ndarray, digits: int | None = None) -> np.ndarray:
    """Return one number of each range between `ends`, with few digits, yet in its range.

    Examples
    --------
    >>> rounded_inside(np.array([21.37, 44.9]), np.array([0.0, 40.0, 45.0])).tolist()
    [21.0, 44.9]
    """
    found = []
    for number, low, high in zip(numbers.tolist(), ends.tolist(), ends[1:].tolist(), strict=False):
        few = _to_unit(number, _FEW * (high / 2 - low / 2)) if digits is None else rounded(number, digits)
        found.append(few if low < few <= high else number)
    return np.array(found)


def count_digits(number: float) -> int:
    """Return how many significant digits it takes to write a number.

    Examples
    --------
    >>> count_digits(45120.0), count_digits(0.05), count_digits(0.0)
    (4, 1, 1)
    """
    return len(Decimal(repr(number)).normalize().as_tuple().digits)


@dataclass(frozen=True)
class Distribution:
    """A noisy distribution function: how many values lie below each point of a grid, linear in between.

    Parameters
    ----------
    grid : ndarray of float64 of shape (n_points,)
        Increasing.
    ranks : ndarray of float64 of shape (n_points,)
        Not decreasing.
    blur : float, default=1
        Over how many values at least the density must be taken, to be more than noise.
    """

    grid: np.ndarray
    ranks: np.ndarray
    blur: float = 1.0

    @property
    def total(self) -> float:
        """How many values there are in all."""
        return float(self.ranks[-1])

    def rank(self, points: np.ndarray) -> np.ndarray:
        """Return how many values lie below each point."""
        return np.interp(points, self.grid, self.ranks)

    def quantiles(self, ranks: np.ndarray) -> np.ndarray:
        """Return the points below which so many values lie: the middle of them, where the function is flat."""
        first, last = (np.searchsorted(self.ranks, ranks, side=side) for side in ("left", "right"))
        before, after = np.clip(first - 1, 0, None), np.clip(last, None, len(self.grid) - 1)
        low, high = self._between(before, first, ranks), self._between(last - 1, after, ranks)
        return low / 2 + high / 2

    def _between(self, before: np.ndarray, after: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        before, after = (np.clip(place, 0, len(self.grid) - 1) for place in (before, after))
        rise = self.ranks[after] - self.ranks[before]
        part = np.where(rise > 0, (ranks - self.ranks[before]) / np.where(rise > 0, rise, 1), 1.0)
        part = np.clip(part, 0.0, 1.0)
        return self.grid[before] * (1 - part) + self.grid[after] * part


def monotone(ranks: np.ndarray, total: float) -> np.ndarray:
    """Return noisy ranks made non-decreasing, and no less than 0 or more than a total (which may be noisy, too)."""
    rising = np.maximum.accumulate(ranks)
    falling = np.minimum.accumulate(ranks[::-1])[::-1]
    return np.clip((rising + falling) / 2, 0.0, max(total, 0.0))


def _refined(
    clamped: np.ndarray,
    times: np.ndarray | None,
    found: np.ndarray,
    shares: np.ndarray,
    rough: Distribution,
    epsilon: Fraction,
    noise: Noise,
) -> tuple[np.ndarray, np.ndarray]:
    """Return quantiles moved by as many records as noisy counts between them say that they are off."""
    counts = _counts_between(clamped, times, found)
    noisy = noise(counts, epsilon).astype(np.float64)
    noisy += (counts.sum() - noisy.sum()) / len(noisy)  # the number of rows is public
    total = max(float(noisy[:-1].sum()), 0.0)
    ranks = monotone(np.cumsum(noisy[:-2]), total)
    shifts = total * shares - ranks
    pace = _pace(rough, found, shares, shifts)
    places = np.arange(1, len(noisy) - 1)
    deviations = float(math.sqrt(2) * SENSITIVITY / epsilon) * np.sqrt(places * (1 - places / len(noisy)))
    with np.errstate(over="ignore"):  # beyond all floats is beyond the bounds
        moved = np.clip(found + shifts * pace, rough.grid[0], rough.grid[-1])
        return np.sort(moved), deviations * pace


def _counts_between(clamped: np.ndarray, times: np.ndarray | None, found: np.ndarray) -> np.ndarray:
    """Return how many values lie up to each of `found`, beyond the last, and are missing."""

    def count(where: np.ndarray) -> int:
        return int(np.count_nonzero(where) if times is None else times[where].sum())

    missing = np.isnan(clamped)
    return np.r_[np.diff([0, *(count(clamped <= one) for one in found.tolist()), count(~missing)]), count(missing)]


def _pace(rough: Distribution, found: np.ndarray, shares: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return by how much each quantile moves for each record, over as many as tell it in spite of the noise.

    It is the pace of both sides together, or that of the side it moves to where this is less: a gap or a long tail on
    the other side must not throw it beyond all values.
    """
    apart = np.diff(np.r_[0.0, shares, 1.0])
    near = _NEAR * rough.total * np.minimum(apart[:-1], apart[1:])
    near = np.maximum(near, np.maximum(np.abs(shifts), rough.blur))
    ranks = rough.rank(found)
    low, high = np.maximum(ranks - near, 0.0), np.minimum(ranks + near, rough.total)
    below, here, above = rough.quantiles(low) / 2, found / 2, rough.quantiles(high) / 2  # lest differences overflow
    both = (above - below) / np.maximum(high / 2 - low / 2, 0.5)
    down = np.maximum(here - below, 0.0) / np.maximum(ranks / 2 - low / 2, 0.5)
    up = np.maximum(above - here, 0.0) / np.maximum(high / 2 - ranks / 2, 0.5)
    return np.minimum(both, np.where(shifts < 0, down, up))


def _to_unit(number: float, most: float) -> float:
    """Return the number of fewest digits at most so far away.

    Examples
    --------
    >>> _to_unit(45123.4, 6.0), _to_unit(0.01234, 0.001), _to_unit(45123.4, 0.0)
    (45120.0, 0.012, 45123.4)
    """
    if not (0 < most < math.inf) or not number:
        return number
    digits = (rounded(number, digits) for digits in range(1, 16))
    return next((one for one in digits if abs(one - number) <= most), number)
