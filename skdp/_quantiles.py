"""Bins of equal population: order statistics without a sort, and edges that are round numbers."""

import bisect
import decimal
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

MOST_DIGITS = 17  # that tell any float64 from the next
MEAN_DIGITS = 2  # at least, by default: with one, a mean could be off by a half
FEW_DIGITS = 4  # at most, of an edge that is a value of the table
_FEW = 1 << 14  # values that are added in ascending order
_SHARED = 5  # records with one value, of few digits, tell nothing of one of them
_MOVED = 0.025  # of a bin's equal share that the default lets an edge pass over


@dataclass(frozen=True)
class QuantileBins:
    """The bins of one column.

    Parameters
    ----------
    edges : ndarray of float64 of shape (n_bins - 1,)
        Increasing and finite; a bin holds its upper edge.
    means : ndarray of float64 of shape (n_bins,)
        The mean of each bin, rounded like the edges; NaN where there are no values.
    digits : int or None
        The significant digits of the edges, by default of the one with most; None if exact.
    n_values : int
        How many finite values there are.
    n_tied : int
        How many bins were merged for ties or rounding; 0 where all values are one.
    """

    edges: np.ndarray
    means: np.ndarray
    digits: int | None
    n_values: int
    n_tied: int


def quantile_bins(
    values: np.ndarray, n_bins: int, digits: int | Literal[False] | None = None, min_size: int = 1
) -> QuantileBins:
    """Return bins of equal population.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_rows,)
        Numbers; missing and infinite ones take no part.
    n_bins : int
        How many bins; fewer are made where values are tied or edges round alike.
    digits : int, False or None, default=None
        Significant digits of edges and means: so many; exact; for each the fewest that hardly move populations, or keep
        a mean in its bin (then at least 2), and are no value of a record, unless of a grid that the values fill.
    min_size : int, default=1
        Bins are merged until each holds so many values, or only one is left.

    Examples
    --------
    >>> quantile_bins(np.array([1.0, 2.0, 3.0, 4.0, 55.5, 66.6]), 3)
    QuantileBins(edges=array([ 2.7, 20. ]), means=array([ 1.5,  3.5, 61. ]), digits=2, n_values=6, n_tied=0)
    """
    return bins_of(PartialOrder(values), n_bins, digits, min_size)


def bins_of(
    order: "PartialOrder | WeightedOrder",
    n_bins: int,
    digits: int | Literal[False] | None = None,
    min_size: int = 1,
) -> QuantileBins:
    """Return bins of equal population, as `quantile_bins` does, of numbers that are in order already.

    Parameters
    ----------
    order : PartialOrder or WeightedOrder
        The numbers.
    n_bins, digits, min_size
        See `quantile_bins`.
    """
    edges = order.quantiles(n_bins)
    by_default = digits is None
    if by_default:
        tolerance = int(_MOVED * order.size / n_bins)
        found = [_hardly_moved(order, edge, tolerance) for edge in edges]
        edges, digits = [edge for edge, _ in found], max((own for _, own in found), default=1)
        fewest = max(MEAN_DIGITS, min((own for _, own in found), default=1))
    elif digits is not False:
        edges = [rounded(edge, digits) for edge in edges]
    edges = sorted({edge + 0.0 for edge in edges if math.isfinite(edge)})  # -0.0 is 0.0
    counts = [order.count_up_to(edge) for edge in edges]
    filled = _merged(counts, order.size, 1)
    kept = _merged([counts[i] for i in filled], order.size, min_size)
    ends = [counts[filled[i]] for i in kept]
    edges = [edges[filled[i]] for i in kept]
    means = order.means(ends)
    if by_default:
        bounds = zip(means, [-math.inf, *edges], [*edges, math.inf], strict=True)
        means = [_inside(order, mean, low, high, fewest) for mean, low, high in bounds]
    elif digits:
        means = [rounded(mean, digits) for mean in means]
    return QuantileBins(
        edges=np.array(edges, dtype=np.float64),
        means=np.array(means),
        digits=digits or None,
        n_values=order.size,
        n_tied=n_bins - 1 - len(filled) if len(filled) < n_bins - 1 and order.varies else 0,
    )


class PartialOrder:
    """Numbers put in order only as far as asked: the cost of a few selections, linear in their number.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_rows,)
        Copied; only the finite ones count.

    Notes
    -----
    `numpy.partition` with several ranks at once takes 8 times as long as with one, for which it has vector
    instructions: so each rank is selected by itself, in the part where it has to be (Hoare, *Algorithm 65: Find*,
    Communications of the ACM 1961).

    Examples
    --------
    >>> order = PartialOrder(np.array([5.0, 3.0, np.nan, 4.0, 1.0, 2.0]))
    >>> order.quantiles(2), order.count_up_to(3.5), order.means([3])
    ([3.0], 3, [2.0, 4.5])
    """

    def __init__(self, values: np.ndarray):
        finite = np.isfinite(values)
        self.values = np.array(values, dtype=np.float64) if finite.all() else values[finite]
        self.size = len(self.values)
        self._settled: list[int] = []  # ranks where the value is that a sort would put there

    @property
    def varies(self) -> bool:
        """Whether there are two different values."""
        return self.size > 0 and bool((self.values != self.values[0]).any())

    def quantiles(self, n_parts: int) -> list[float]:
        """Return the quantiles between `n_parts` equal parts, interpolated linearly; none of no values."""
        if not self.size:
            return []
        places = [divmod((self.size - 1) * part, n_parts) for part in range(1, n_parts)]
        self._settle(sorted({rank for rank, _ in places}))
        return [self._between(rank, rest / n_parts) for rank, rest in places]

    def count_up_to(self, bound: float) -> int:
        """Return how many values are at most `bound`."""
        after = bisect.bisect_right(self._settled, bound, key=self.values.__getitem__)
        start, stop = self._span(after)
        return start + int(np.count_nonzero(self.values[start:stop] <= bound))

    def count_of(self, number: float) -> int:
        """Return how many values are `number`."""
        return int(np.count_nonzero(self._around(number) == number))

    def neighbours(self, number: float) -> tuple[float, float]:
        """Return the largest value below and the smallest above a number, infinite where there is none."""
        near = self._around(number)
        below, above = np.where(near < number, near, -np.inf), np.where(near > number, near, np.inf)
        return float(below.max(initial=-np.inf)), float(above.min(initial=np.inf))

    def means(self, ends: Sequence[int]) -> list[float]:
        """Return the mean of the values of each run of ranks: up to the first of `ends`, from there to the next, …."""
        self._settle(ends)
        runs = zip([0, *ends], [*ends, self.size], strict=True)
        return [_mean(self.values[low:high]) if high > low else math.nan for low, high in runs]

    def _settle(self, ranks: Sequence[int]) -> None:
        """Put the values of increasing `ranks` in place, the middle first: that halves the work on the others."""
        if not ranks:
            return
        middle = len(ranks) // 2
        place = bisect.bisect_left(self._settled, ranks[middle])
        if place == len(self._settled) or self._settled[place] != ranks[middle]:
            start, stop = self._span(place)
            self.values[start:stop].partition(ranks[middle] - start)
            self._settled.insert(place, ranks[middle])
        self._settle(ranks[:middle])
        self._settle(ranks[middle + 1 :])

    def _span(self, place: int) -> tuple[int, int]:
        """Return the run of ranks between the settled ones before and at `place`."""
        start = self._settled[place - 1] + 1 if place else 0
        return start, self._settled[place] if place < len(self._settled) else self.size

    def _around(self, number: float) -> np.ndarray:
        """Return a run of the values that holds all that are `number`, and those next to them."""
        before = bisect.bisect_left(self._settled, number, key=self.values.__getitem__)
        after = bisect.bisect_right(self._settled, number, key=self.values.__getitem__)
        start = self._settled[before - 1] if before else 0
        return self.values[start : self._settled[after] + 1 if after < len(self._settled) else self.size]

    def _between(self, rank: int, share: float) -> float:
        """Return the number `share` of the way from the value of a settled rank to the next."""
        low = float(self.values[rank])
        if not share:
            return low
        stop = self._span(bisect.bisect_right(self._settled, rank))[1]
        high = float(self.values[rank + 1 : stop + 1].min())
        return low + 2 * (share * (high / 2 - low / 2))  # halved, lest the difference overflow


class WeightedOrder:
    """Numbers in order, as different values and how many numbers are at most each: exactly, or within a known error.

    It tells what `PartialOrder` tells.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_values,)
        Ascending.
    up_to : ndarray of int of shape (n_values,)
        How many numbers are at most each, ascending; the last one tells how many there are.
    known : ndarray of int of shape (n_values,)
        How many are taken to be each value: as far as is known, or nearly so.

    Examples
    --------
    >>> order = WeightedOrder(np.array([1.0, 2.0, 4.0]), np.array([2, 4, 6]), np.array([2, 2, 2]))
    >>> order.quantiles(2), order.count_up_to(3.0), order.means([4])
    ([2.0], 4, [1.5, 4.0])
    """

    def __init__(self, values: np.ndarray, up_to: np.ndarray, known: np.ndarray):
        self.values, self.up_to, self.known = values, up_to, known
        self.size = int(up_to[-1]) if len(up_to) else 0

    @property
    def varies(self) -> bool:
        """Whether there are two different values."""
        return self.size > 0 and bool(self.values[0] < self.values[-1])

    def at_ranks(self, ranks: np.ndarray) -> np.ndarray:
        """Return the values at ranks, counted from 0."""
        return self.values[np.searchsorted(self.up_to, ranks, side="right")]

    def quantiles(self, n_parts: int) -> list[float]:
        """Return the quantiles between `n_parts` equal parts, interpolated linearly; none of no values."""
        if not self.size:
            return []
        ranks, rests = np.divmod((self.size - 1) * np.arange(1, n_parts), n_parts)
        low, high = self.at_ranks(ranks), self.at_ranks(np.minimum(ranks + 1, self.size - 1))
        between = low + 2 * (rests / n_parts * (high / 2 - low / 2))  # halved, lest the difference overflow
        return np.where(rests > 0, between, low).tolist()

    def quantile(self, share: float) -> float:
        """Return one quantile, to the bit as `numpy.quantile` interpolates it."""
        position = (self.size - 1) * share
        before = math.floor(position)
        weight = position - before
        low, high = self.at_ranks(np.array([before, min(before + 1, self.size - 1)]))
        return float(low + (high - low) * weight if weight < 0.5 else high - (high - low) * (1 - weight))

    def count_up_to(self, bound: float) -> int:
        """Return how many values are at most `bound`."""
        before = int(np.searchsorted(self.values, bound, side="right"))
        return int(self.up_to[before - 1]) if before else 0

    def count_of(self, number: float) -> int:
        """Return how many values are known to be `number`."""
        return int(self.known[slice(*self._places(number))].sum())

    def neighbours(self, number: float) -> tuple[float, float]:
        """Return the largest known value below and the smallest above a number, infinite where there is none."""
        first, last = self._places(number)
        below = float(self.values[first - 1]) if first else -math.inf
        return below, float(self.values[last]) if last < len(self.values) else math.inf

    def means(self, ends: Sequence[int]) -> list[float]:
        """Return the mean of the values of each run of ranks: up to the first of `ends`, from there to the next, …."""
        runs = zip([0, *ends], [*ends, self.size], strict=True)
        return [self._mean(low, high) if high > low else math.nan for low, high in runs]

    def distances(self, number: float) -> "WeightedOrder":
        """Return the distances of the values from a number, in order."""
        distances = np.abs(self.values - number)
        order = np.argsort(distances, kind="stable")
        counts = np.diff(self.up_to, prepend=0)[order]
        return WeightedOrder(distances[order], np.cumsum(counts), counts)

    def _places(self, number: float) -> tuple[int, int]:
        """Return where in `values` a number begins and ends."""
        return int(np.searchsorted(self.values, number)), int(np.searchsorted(self.values, number, side="right"))

    def _mean(self, low: int, high: int) -> float:
        first, last = np.searchsorted(self.up_to, [low, high - 1], side="right")
        values, up_to = self.values[first : last + 1], self.up_to[first : last + 1]
        counts = np.diff(np.clip(up_to, low, high), prepend=low)
        if high - low <= _FEW:
            return _mean(np.repeat(values, counts))
        return float((values / (high - low) * counts).sum())


def _mean(values: np.ndarray) -> float:
    """Return the mean; of few values to the same bit in whatever order they come, so that it is rounded alike."""
    values = np.sort(values) if len(values) <= _FEW else values
    return float((values / len(values)).sum())  # divided before they are added, so that the sum of huge ones is finite


def rounded(number: float, digits: int, rounding: str = decimal.ROUND_HALF_EVEN) -> float:
    """Return a number of so many significant digits.

    Examples
    --------
    >>> rounded(1234.5, 2), rounded(-0.0567, 1), rounded(0.0, 3), rounded(1201.0, 2, decimal.ROUND_CEILING)
    (1200.0, -0.06, 0.0, 1300.0)
    """
    if not math.isfinite(number):
        return number
    # adding 0 makes -0.0 the 0.0 that is fit for a label
    return float(decimal.Context(prec=digits, rounding=rounding).create_decimal_from_float(number)) + 0.0


def _hardly_moved(order: PartialOrder | WeightedOrder, edge: float, tolerance: int) -> tuple[float, int]:
    """Return the number of fewest digits that parts the values as `edge` does, but for `tolerance` of them.

    It is no record's value, unless that tells nothing of the record. With it come its digits; NaN and 1 where no double
    fits between the values.
    """
    count = order.count_up_to(edge)
    centre = None
    for digits in range(1, MOST_DIGITS + 1):
        for candidate in _roundings(edge, digits):
            if abs(order.count_up_to(candidate) - count) <= tolerance and not _tells(order, candidate):
                return candidate, digits
        if centre is None:
            centre = _gap_centre(order, edge)
        for candidate in _roundings(centre, digits):
            if order.count_up_to(candidate) == count and not _tells(order, candidate):
                return candidate, digits
    return math.nan, 1


def _gap_centre(order: PartialOrder | WeightedOrder, edge: float) -> float:
    """Return the number halfway between the values that `edge` parts, or `edge` above all values."""
    low, high = order.neighbours(edge)
    low = edge if order.count_of(edge) else low
    return low / 2 + high / 2 if math.isfinite(high) else edge


def _roundings(number: float, digits: int) -> list[float]:
    """Return a number rounded to nearest, down and up."""
    ways = (decimal.ROUND_HALF_EVEN, decimal.ROUND_FLOOR, decimal.ROUND_CEILING)
    return list(dict.fromkeys(rounded(number, digits, way) for way in ways))


def _tells(order: PartialOrder | WeightedOrder, number: float) -> bool:
    """Whether a number is the value of a record, and neither shared by several nor one of a grid that records fill.

    A value of few digits is of a grid if the two values below and the two above it are evenly spaced.

    Examples
    --------
    >>> ages, weights = PartialOrder(np.arange(18.0, 80.0)), PartialOrder(np.array([60.5, 71.0, 71.3, 80.2, 95.0]))
    >>> _tells(ages, 40.0), _tells(weights, 71.3), _tells(weights, 71.2)
    (False, True, False)
    """
    times = order.count_of(number)
    if not times:
        return False
    if rounded(number, FEW_DIGITS) != number:
        return True
    if times >= _SHARED:
        return False
    low, high = order.neighbours(number)
    run = np.array([order.neighbours(low)[0], low, number, high, order.neighbours(high)[1]])
    return not (np.isfinite(run).all() and np.allclose(np.diff(run), high - number, rtol=1e-6, atol=0))


def _inside(order: PartialOrder | WeightedOrder, mean: float, low: float, high: float, fewest: int) -> float:
    """Return the mean of the bin above `low` up to `high`, rounded to at least `fewest` digits that leave it there.

    With more than 2 digits it is no record's value, unless that tells nothing of the record.
    """
    nearest = ((digits, rounded(mean, digits)) for digits in range(fewest, MOST_DIGITS + 1))
    points = [mean] + [mean / 2 + bound / 2 for bound in (low, high) if math.isfinite(bound)]
    others = (
        (digits, number)
        for digits in range(MEAN_DIGITS, MOST_DIGITS + 1)
        for point in points
        for number in _roundings(point, digits)
    )
    for digits, candidate in itertools.chain(nearest, others):
        if low < candidate <= high and (digits == MEAN_DIGITS or not _tells(order, candidate)):
            return candidate
    return rounded(mean, MEAN_DIGITS)


def _merged(ends: Sequence[int], size: int, smallest: int) -> list[int]:
    """Return which of the inner `ends` of bins remain when bins are merged, lowest first, until none is too small.

    No other way of merging leaves more bins.

    Examples
    --------
    >>> _merged([1, 4, 5, 9], 12, 3)
    [1, 3]
    """
    kept, start = [], 0
    for place, end in enumerate(ends):
        if end - start >= smallest:
            kept.append(place)
            start = end
    return kept[:-1] if kept and size - start < smallest else kept
