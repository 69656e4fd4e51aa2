"""What steps remember of a table that comes in chunks: exact while it fits, sketches beyond, and all of it mergeable.

A summary holds values of the table: it is the private state of a step that is not finished, and goes when it is.
Merging makes a new summary and leaves both as they are.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdp import _frames, _levels
from skdp._noisy_quantiles import cells_of
from skdp._quantiles import PartialOrder

MOST_VALUES = 1 << 20  # kept as they are, of a column or of distinct rows
RANK_ERROR = 0.001  # of the rows, at most, beyond that
_SKETCH_SIZE = 8192  # KLL's k: 0.04 % of the rows with 99 % confidence, so that 0.1 % is 7 standard deviations
_GRID_CELLS = 1 << 20
_EVENLY = 1 << 16  # order statistics that stand for a sketch, 0.0008 % of the rows from the nearest


class NumberSummary:
    """The numbers of one column: all of them up to `MOST_VALUES`, a sketch beyond; moments and counts always.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_rows,)
        Numbers; missing and infinite ones are only counted.

    Notes
    -----
    The sketch is that of Karnin, Lang and Liberty, *Optimal quantile approximation in streams* (FOCS 2016), from the
    ``datasketches`` package. Moments are merged as in Chan, Golub and LeVeque, *Updating formulae and a pairwise
    algorithm for computing sample variances* (1979).

    Examples
    --------
    >>> both = NumberSummary(np.array([3.0, 1.0])).merged(NumberSummary(np.array([np.nan, 2.0])))
    >>> both.rows, both.count, both.mean, both.order().quantiles(2)
    (4, 3, 2.0, [2.0])
    """

    def __init__(self, values: np.ndarray):
        finite = values[np.isfinite(values)]
        self.rows, self.count = len(values), len(finite)
        # divided before they are added, so that the sum of huge values stays finite
        self.mean = float((finite / len(finite)).sum()) if len(finite) else 0.0
        with np.errstate(over="ignore"):
            self.squares = float(np.square(finite - self.mean).sum())
        self._held, self._sketch = finite, None
        self._settle()

    def __getstate__(self):
        sketch = None if self._sketch is None else self._sketch.serialize()
        return vars(self) | {"_sketch": sketch}

    def __setstate__(self, state):
        vars(self).update(state)
        if self._sketch is not None:
            self._sketch = _sketches().deserialize(self._sketch)

    @property
    def is_exact(self) -> bool:
        """Whether every number is still there."""
        return self._sketch is None

    def merged(self, other: "NumberSummary") -> "NumberSummary":
        """Return the summary of the rows of both."""
        new = object.__new__(NumberSummary)
        new.rows, new.count = self.rows + other.rows, self.count + other.count
        share, apart = other.count / max(new.count, 1), other.mean - self.mean
        new.mean = self.mean + apart * share
        new.squares = self.squares + other.squares + apart * apart * share * self.count
        new._held, new._sketch = np.concatenate([self._held, other._held]), None
        sketches = [one._sketch for one in (self, other) if one._sketch is not None]
        if sketches:
            new._sketch = _sketches().deserialize(sketches[0].serialize())
            for sketch in sketches[1:]:
                new._sketch.merge(sketch)
        new._settle()
        return new

    def order(self) -> "PartialOrder | SketchedOrder":
        """Return the numbers in order, exactly or as the sketch knows it."""
        if self._sketch is None:
            return PartialOrder(self._held)
        values, weights = zip(*self._sketch, strict=True)
        ends = [self._sketch.get_min_value(), self._sketch.get_max_value()]
        return SketchedOrder(np.array([*values, *ends]), np.array([*weights, 0, 0]))

    def ordered(self) -> np.ndarray:
        """Return an ascending array: the numbers, then NaN for each other row; or even order statistics of a sketch."""
        if self._sketch is None:
            return np.r_[np.sort(self._held), np.full(max(self.rows - self.count, 1 - self.rows), np.nan)]
        order = self.order()
        return order.at_ranks(np.linspace(0, order.size - 1, _EVENLY).round().astype(np.int64))

    def _settle(self) -> None:
        """Put into the sketch what is too much to keep."""
        if self._sketch is None and self.count > MOST_VALUES:
            self._sketch = _sketches()(_SKETCH_SIZE)
        if self._sketch is not None and len(self._held):
            self._sketch.update(np.ascontiguousarray(self._held, dtype=np.float64))
            self._held = np.empty(0)


class SketchedOrder:
    """Numbers with weights, in order: what `PartialOrder` tells exactly, told within the error of a sketch.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_items,)
        Each the number of one record.
    weights : ndarray of int of shape (n_items,)
        For how many records it stands.

    Examples
    --------
    >>> order = SketchedOrder(np.array([4.0, 1.0, 2.0]), np.array([2, 2, 2]))
    >>> order.quantiles(2), order.count_up_to(3.0), order.means([4])
    ([2.0], 4, [1.5, 4.0])
    """

    def __init__(self, values: np.ndarray, weights: np.ndarray):
        order = np.argsort(values, kind="stable")
        self.values, self._up_to = values[order], np.cumsum(weights[order])
        self.size = int(self._up_to[-1])

    @property
    def varies(self) -> bool:
        """Whether there are two different values."""
        return bool(self.values[0] < self.values[-1])

    def at_ranks(self, ranks: np.ndarray) -> np.ndarray:
        """Return the values at ranks, counted from 0; the first and the last are the extremes."""
        found = self.values[np.minimum(np.searchsorted(self._up_to, ranks, side="right"), len(self.values) - 1)]
        found[ranks == 0], found[ranks == self.size - 1] = self.values[0], self.values[-1]
        return found

    def quantiles(self, n_parts: int) -> list[float]:
        """Return the quantiles between `n_parts` equal parts."""
        return self.at_ranks((self.size - 1) * np.arange(1, n_parts) // n_parts).tolist()

    def count_up_to(self, bound: float) -> int:
        """Return about how many values are at most `bound`."""
        before = int(np.searchsorted(self.values, bound, side="right"))
        return int(self._up_to[before - 1]) if before else 0

    def count_of(self, number: float) -> int:
        """Return how many records are known to have a number: no more than there are."""
        first, last = (int(np.searchsorted(self.values, number, side=side)) for side in ("left", "right"))
        return last - first

    def neighbours(self, number: float) -> tuple[float, float]:
        """Return the largest known value below and the smallest above a number, infinite where there is none."""
        first, last = (int(np.searchsorted(self.values, number, side=side)) for side in ("left", "right"))
        below = float(self.values[first - 1]) if first else -math.inf
        return below, float(self.values[last]) if last < len(self.values) else math.inf

    def means(self, ends: Iterable[int]) -> list[float]:
        """Return the mean of the values of each run of ranks: up to the first of `ends`, from there to the next, …."""
        runs = zip([0, *ends], [*ends, self.size], strict=True)
        return [self._mean(low, high) if high > low else math.nan for low, high in runs]

    def _mean(self, low: int, high: int) -> float:
        weights = np.diff(np.clip(self._up_to, low, high), prepend=low)
        return float((self.values * (weights / (high - low))).sum())


class GridSummary:
    """The numbers of one column between public bounds, for noisy counts; by cells of a public grid where they are many.

    Whether they are many is told by the number of rows, which is public. There are 2^20 cells, and each number of them
    stands for its own: what is learned moves by less than a millionth of the bounds' width.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_rows,)
        Any floats; NaN is a missing value.
    bounds : tuple of (float, float), default=None
        Public bounds; None where they have to be learned, too, which takes the numbers themselves.
    counts : ndarray of int64 of shape (n_rows,), default=None
        How many rows each value stands for; None for one.
    """

    def __init__(self, values: np.ndarray, bounds: tuple[float, float] | None, counts: np.ndarray | None = None):
        self.rows = len(values) if counts is None else int(counts.sum())
        self.values, self.bounds, self.counts = values, bounds, counts
        if self.rows > MOST_VALUES:
            if bounds is None:
                raise ValueError(
                    f"DPBounds is learned from at most {MOST_VALUES} rows that come in chunks; give public bounds "
                    "(lower, upper), or fit the whole table."
                )
            counts = np.ones(len(values), dtype=np.int64) if counts is None else counts
            cells = cells_of(np.clip(values, *bounds), *bounds, _GRID_CELLS)
            sizes = np.bincount(cells, weights=counts, minlength=_GRID_CELLS + 1).astype(np.int64)
            used = np.flatnonzero(sizes)
            places = (used + 0.5) / _GRID_CELLS
            self.values, self.counts = bounds[0] * (1 - places) + bounds[1] * places, sizes[used]
            self.values[used == _GRID_CELLS] = np.nan

    def merged(self, other: "GridSummary") -> "GridSummary":
        """Return the summary of the rows of both."""
        values = np.concatenate([self.values, other.values])
        if self.counts is None and other.counts is None:
            return GridSummary(values, self.bounds)
        counts = [np.ones(len(one.values), np.int64) if one.counts is None else one.counts for one in (self, other)]
        return GridSummary(values, self.bounds, np.concatenate(counts))


@dataclass(frozen=True, repr=False)
class DistinctRows:
    """The distinct rows of a table and how often each occurs: exact, as long as they are at most `MOST_VALUES`.

    Parameters
    ----------
    frame : narwhals frame of shape (n_distinct, n_columns)
        The rows.
    counts : ndarray of int64 of shape (n_distinct,)
        How often each occurs.

    Examples
    --------
    >>> import pandas as pd
    >>> chunk = DistinctRows.count(_frames.read(pd.DataFrame({"town": ["Lima", "Oslo", "Lima"]})), ["town"])
    >>> chunk.merged(chunk).counts.tolist()
    [4, 2]
    """

    frame: Any
    counts: np.ndarray

    @classmethod
    def count(cls, frame: Any, columns: list, weights: np.ndarray | None = None) -> "DistinctRows":
        """Return the distinct rows of some columns; `weights` says how often each row is to be counted."""
        if not len(frame):
            return cls(frame.select(columns), np.zeros(0, dtype=np.int64))
        codes, size = _levels.factorise(frame, columns)
        if size > MOST_VALUES:
            raise ValueError(
                f"The columns {columns} have more than {MOST_VALUES} different rows, too many to count in chunks; "
                "bin numbers first (skdp.binning), leave out identifiers, or fit the whole table."
            )
        counts = np.bincount(codes, weights=weights, minlength=size).astype(np.int64)
        first = np.full(size, len(frame))
        np.minimum.at(first, codes, np.arange(len(frame)))
        return cls(_frames.take_rows(frame.select(columns), first), counts)

    def merged(self, other: "DistinctRows") -> "DistinctRows":
        """Return the distinct rows of both."""
        if not len(other.counts) or not len(self.counts):
            return self if len(self.counts) else other
        both = _frames.stack(self.frame, other.frame)
        return DistinctRows.count(both, list(both.columns), np.concatenate([self.counts, other.counts]))

    def expanded(self) -> Any:
        """Return the rows as often as they occurred."""
        return _frames.take_rows(self.frame, np.repeat(np.arange(len(self.counts)), self.counts))


@dataclass(frozen=True, repr=False)
class CellCounts:
    """How many rows are in each public cell of each group, for noisy counts; exact, whatever the number of rows.

    Parameters
    ----------
    counts : ndarray of int64 of shape (n_cells,)
        The cells of all groups, end to end.
    entries : Values or Ranges
        What the cells of a group stand for.
    whole : bool
        Whether they were made for integers.
    """

    counts: np.ndarray
    entries: Any
    whole: bool

    def merged(self, other: "CellCounts") -> "CellCounts":
        """Return the counts of both."""
        if self.whole != other.whole:
            raise ValueError("A column to observe holds integers in some chunks and floats in others; convert it.")
        return CellCounts(self.counts + other.counts, self.entries, self.whole)


@dataclass(frozen=True, repr=False)
class Collected:
    """What a step has collected of the chunks that it saw.

    Parameters
    ----------
    columns : list of str
        The columns of the table.
    rows : int
        How many rows there were.
    summaries : dict of column name to NumberSummary, GridSummary or DistinctRows
        What was collected of columns.
    empty : frozenset of str
        The columns without any value, which say nothing of what kind they are.
    settings : dict, default={}
        What else there is to know, alike for all chunks.
    """

    columns: list
    rows: int
    summaries: dict
    empty: frozenset
    settings: dict

    @classmethod
    def of(cls, frame: Any, summaries: dict, **settings) -> "Collected":
        """Return what was collected of one chunk."""
        others = (column for column in frame.columns if column not in summaries)
        empty = frozenset(column for column in others if _frames.missing(frame, column).all())
        return cls(list(frame.columns), len(frame), summaries, empty, settings)

    def merged(self, other: "Collected") -> "Collected":
        """Return what was collected of both; raise where a column is of one kind here and of another there."""
        for one, two in ((self, other), (other, self)):
            strange = [column for column in one.summaries if column not in two.summaries and column not in two.empty]
            if strange:
                raise ValueError(
                    f"Column {strange[0]!r} is of one kind in some chunks and of another in others; give all chunks "
                    "the same dtypes, or name the columns to work on."
                )
        summaries = {
            column: _merged(self.summaries.get(column), other.summaries.get(column))
            for column in dict.fromkeys([*self.columns, *self.summaries])
            if column in self.summaries or column in other.summaries
        }
        settings = other.settings | self.settings if self.rows else self.settings | other.settings
        return Collected(self.columns, self.rows + other.rows, summaries, self.empty & other.empty, settings)


def _merged(first: Any, second: Any) -> Any:
    return first.merged(second) if first is not None and second is not None else first or second


def _sketches() -> Any:
    try:
        from datasketches import kll_doubles_sketch
    except ImportError:
        raise ImportError(
            f"More than {MOST_VALUES} values that come in chunks are kept in sketches, for which skdp needs "
            'datasketches: pip install "skdp[scale]"'
        ) from None
    return kll_doubles_sketch
