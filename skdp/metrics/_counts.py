"""Records counted by what they share: what every measure of equivalence classes is computed from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skdp import _frames, _levels
from skdp._checks import check_columns, invalid

Names = str | Iterable[str]


@dataclass(frozen=True, repr=False, eq=False)
class ClassCounts:
    """A table as its equivalence classes: what the records of each share, and how many these are.

    The measures of `skdp.metrics` that look at classes take it in place of the table, and give the same figures.
    `skdp.distributed.class_counts` makes it of a Dask DataFrame, ``GROUP BY`` and ``COUNT(*)`` in a database.

    Parameters
    ----------
    classes : dataframe or array-like of shape (n_classes, n_columns)
        What the records of each class share. Rows that are alike are counted together.
    sizes : array-like of int of shape (n_classes,)
        How many records these are; each of at least 1. Kept as an ndarray of int64.

    Raises
    ------
    ParameterError
        If `sizes` is not one integer of at least 1 for each row of `classes`, or if they add up to 2^63 or more.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import ClassCounts, k_anonymity, l_diversity
    >>> counted = pd.DataFrame({"Age": [31, 40, 40], "Debt": ["yes", "yes", "no"]})
    >>> table = ClassCounts(counted, [700, 200, 40])
    >>> k_anonymity(table, "Age"), l_diversity(table, "Age", "Debt")
    (240, 1)
    """

    classes: Any
    sizes: np.ndarray

    def __post_init__(self):
        sizes, rows = np.asarray(self.sizes), len(_frames.read(self.classes))
        if sizes.shape != (rows,) or rows and (sizes.dtype.kind not in "iu" or sizes.min() < 1):
            given = f"values of dtype {sizes.dtype} and shape {sizes.shape}"
            raise invalid("ClassCounts", "sizes", given, f"{rows} integers of at least 1, one for each class")
        if sizes.astype(np.float64).sum() >= 2**63:
            raise invalid("ClassCounts", "sizes", "a larger sum", "integers whose sum is below 2^63")
        object.__setattr__(self, "sizes", sizes.astype(np.int64, copy=False))

    def __repr__(self):
        return f"<ClassCounts: {len(self.sizes)} classes of {self.sizes.sum()} records>"

    def __array__(self, dtype=None, copy=None):
        raise TypeError("ClassCounts were given where each row of a table is looked at; give the table itself.")


class EquivalenceClasses(NamedTuple):
    """The equivalence classes of a table.

    Attributes
    ----------
    codes : ndarray of int of shape (n_rows,)
        The class of each row, from 0; the numbering means nothing.
    sizes : ndarray of int of shape (n_classes,)
        The records in each class.
    """

    codes: np.ndarray
    sizes: np.ndarray


@dataclass(frozen=True, repr=False, eq=False)
class Records:
    """A table, and how many records each of its rows stands for.

    Parameters
    ----------
    frame : narwhals.DataFrame
        The table.
    weights : ndarray of int64 of shape (n_rows,) or None
        The records of each row; None is one each, at the speed of plain counting.
    """

    frame: Any
    weights: np.ndarray | None = None

    @property
    def total(self) -> int:
        """Return how many records there are."""
        return len(self.frame) if self.weights is None else int(self.weights.sum())

    def count(self, codes: np.ndarray, size: int) -> np.ndarray:
        """Return how many records have each number below `size`, given that of each row."""
        return tally(codes, size, self.weights)

    def mean(self, values: np.ndarray) -> float:
        """Return the mean over records of one value for each row."""
        return float(np.average(values, weights=self.weights))

    def classes(self, columns: list) -> EquivalenceClasses:
        """Return the equivalence classes by some columns."""
        codes, size = _levels.factorise(self.frame, columns)
        return EquivalenceClasses(codes, self.count(codes, size))

    def sizes(self, columns: list) -> np.ndarray:
        """Return how many records are in each class, without asking which row is in which."""
        if self.weights is None:
            return _levels.sizes(*_levels.combine(self.frame, columns))
        return self.classes(columns).sizes


def read(X: Any) -> Records:
    """Return a table, or its classes counted, as records."""
    if isinstance(X, ClassCounts):
        return Records(_frames.read(X.classes), X.sizes)
    return Records(_frames.read(X))


def tally(codes: np.ndarray, size: int, weights: np.ndarray | None) -> np.ndarray:
    """Return how many records have each number below `size`: one for each row, or its integer weight.

    Examples
    --------
    >>> tally(np.array([0, 2, 0]), 3, np.array([5, 1, 2]))
    array([7, 0, 1])
    """
    if weights is None:
        return np.bincount(codes, minlength=size)
    counts = np.zeros(size, dtype=np.int64)
    np.add.at(counts, codes, weights)
    return counts


def known_columns(table: Any, owner: str, quasi_identifiers: Names | None, sensitive: Iterable[str] = ()) -> list:
    """Return the quasi-identifiers as a list of columns of `table`, none of them sensitive."""
    if quasi_identifiers is None:
        return [column for column in table.columns if column not in sensitive]
    known = check_columns(owner, "quasi_identifiers", quasi_identifiers, table.columns)
    if set(known) & set(sensitive):
        raise invalid(owner, "quasi_identifiers", known, "columns that are not among the sensitive ones")
    return known


def sensitive_columns(table: Any, owner: str, sensitive: Names) -> list:
    """Return the sensitive columns as a list, at least one."""
    wanted = check_columns(owner, "sensitive", sensitive, table.columns)
    if not wanted:
        raise invalid(owner, "sensitive", wanted, "at least one column name")
    return wanted
