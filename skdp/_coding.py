"""What codes mean in all pieces of a table, so that records in different places are counted alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skdp import _frames, _levels
from skdp._generalisation import Gist
from skdp._mondrian import Recoding, Records, Tree, find
from skdp._scales import Runs, counted, runs_of


@dataclass(frozen=True, repr=False)
class Coding:
    """What codes mean in all pieces of a table, and how it is to be cut.

    Parameters
    ----------
    columns : list of Ranges, Means, Sets or Nodes
        The quasi-identifiers.
    sensitive : list of Numbering
        The columns that constraints are about.
    recoding : Recoding
        How to cut; strictly.
    """

    columns: list
    sensitive: list["Numbering"]
    recoding: Recoding

    def records(self, frame: Any) -> Records:
        """Return the distinct records of one piece."""
        codes = [(column.column, column.codes(frame)) for column in (*self.columns, *self.sensitive)]
        small = [_small(name, own, size) for (name, own), size in zip(codes, self.recoding.sizes, strict=True)]
        records = Records(small[: len(self.columns)], small[len(self.columns) :])
        return records.distinct(self.recoding.sizes)[0]

    def places(self, records: Records, tree: Tree) -> np.ndarray:
        """Return the number of the leaf that each record comes to."""
        rows, numbers = find(tree, records.codes, [column.size for column in self.columns])
        places = np.empty(len(records), dtype=np.int64)
        places[rows] = numbers
        return places

    def gists(self, records: Records, classes: np.ndarray, n_classes: int) -> list[Gist]:
        """Return what the labels of the records' classes are made of, by column."""
        return [
            column.gist(runs_of(classes, code, n_classes, column.scale.size, records.times))
            for column, code in zip(self.columns, records.codes, strict=True)
        ]


class Numbering:
    """The codes of a sensitive column, alike in all pieces of a table.

    Parameters
    ----------
    frame : narwhals frame of shape (n_values, n_columns)
        Holds each value of the column once.
    column : str
        The column.
    codes : ndarray of int64 of shape (n_values,)
        The code of each.
    """

    def __init__(self, frame, column: str, codes: np.ndarray):
        self.values, self.column, self.numbers = frame.select([column]), column, codes

    def codes(self, frame) -> np.ndarray:
        """Return the codes of a piece."""
        both = _frames.stack(self.values, frame.select([self.column]))
        codes, size = _levels.factorise_spelled(both, [self.column])
        numbers = np.empty(size, dtype=np.int64)
        numbers[codes[: len(self.values)]] = self.numbers
        return numbers[codes[len(self.values) :]]


@dataclass(frozen=True, repr=False)
class Tally:
    """How many records each number stands for.

    Parameters
    ----------
    numbers : ndarray of int64 of shape (n_numbers,)
        Ascending.
    times : ndarray of int64 of shape (n_numbers,)
        How many records each stands for.
    bound : int
        What numbers are below.
    """

    numbers: np.ndarray
    times: np.ndarray
    bound: int

    @classmethod
    def of(cls, numbers: np.ndarray, times: np.ndarray | None, bound: int) -> "Tally":
        """Count numbers, each of which stands for `times` records."""
        return cls(*counted(numbers, bound, times), bound)

    def merged(self, other: "Tally") -> "Tally":
        """Return the sums of both."""
        numbers = np.concatenate([self.numbers, other.numbers])
        return Tally.of(numbers, np.concatenate([self.times, other.times]), self.bound)

    def runs(self, n_parts: int) -> Runs:
        """Return numbers that are parts and codes as such."""
        part, code = np.divmod(self.numbers, self.bound // n_parts)
        return Runs(part, code, self.times, np.searchsorted(part, np.arange(n_parts)))


def added(one: list[Tally], other: list[Tally]) -> list[Tally]:
    """Return the sums of two lists of tallies."""
    return [first.merged(second) for first, second in zip(one, other, strict=True)]


def _small(column: str, codes: np.ndarray, size: int) -> np.ndarray:
    """Return codes in as few bytes as they need; raise where one is of no known value."""
    if len(codes) and codes.min() < 0:
        raise ValueError(
            f"Column {column!r} holds objects that are spelled in one way here and in another in other parts of the "
            "table; convert it to text or numbers first."
        )
    return codes.astype(np.min_scalar_type(-size))
