"""What steps remember of a table that comes in chunks, all of it mergeable; `_number_summaries` holds that of numbers.

A summary holds values of the table: it is the private state of a step that is not finished, and goes when it is.
Merging makes a new summary and leaves both as they are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skdp import _frames, _levels
from skdp._noisy_quantiles import cells_of

MOST_VALUES = 1 << 20  # kept as they are, between bounds or of distinct rows
_GRID_CELLS = 1 << 20


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
        codes, size = cls._told_apart(frame, columns)
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
        return type(self).count(both, list(both.columns), np.concatenate([self.counts, other.counts]))

    def expanded(self) -> Any:
        """Return the rows as often as they occurred."""
        return _frames.take_rows(self.frame, np.repeat(np.arange(len(self.counts)), self.counts))

    @staticmethod
    def _told_apart(frame: Any, columns: list) -> tuple[np.ndarray, int]:
        return _levels.factorise(frame, columns)


class SpelledRows(DistinctRows):
    """The same of rows that are told apart by how their objects are spelled, too: 1, 1.0 and True are three."""

    @staticmethod
    def _told_apart(frame: Any, columns: list) -> tuple[np.ndarray, int]:
        return _levels.factorise_spelled(frame, columns)


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
