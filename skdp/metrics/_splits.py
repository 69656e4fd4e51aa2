"""A sensitive column over equivalence classes: how its values are shared out, and how far apart distributions are."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from skdp import _frames, _levels
from skdp.metrics import _labels
from skdp.metrics._counts import EquivalenceClasses, Records


class Split:
    """A sensitive column over the equivalence classes: the pairs of class and value that occur, ordered, with counts.

    The work grows with the pairs that occur, not with classes × values.
    """

    def __init__(self, records: Records, classes: EquivalenceClasses, values: np.ndarray, bound: int) -> None:
        self.sizes, self.bound = classes.sizes, bound
        pairs, all_pairs = _levels.pair(classes.codes, len(classes.sizes), values, bound)
        places, size = _levels.compress(pairs, all_pairs)
        self.counts = records.count(places, size)
        one = np.empty(size, dtype=np.int64)
        one[places] = pairs
        self.classes, self.values = np.divmod(one, bound)
        self.table_counts = records.count(values, bound)

    @property
    def shares(self) -> np.ndarray:
        """Return the value's share of its class, by pair."""
        return self.counts / self.sizes[self.classes]

    @property
    def overall(self) -> np.ndarray:
        """Return the share in the table of each value that occurs."""
        return self.table_counts[self.table_counts > 0] / self.sizes.sum()

    @property
    def overall_shares(self) -> np.ndarray:
        """Return the value's share of the table, by pair."""
        return self.table_counts[self.values] / self.sizes.sum()

    def _sums(self, terms: np.ndarray) -> np.ndarray:
        return np.bincount(self.classes, terms, minlength=len(self.sizes))

    def beta(self) -> float:
        return float((self.shares / self.overall_shares - 1).max())

    def entropies(self) -> np.ndarray:
        return -self._sums(self.shares * np.log(self.shares))

    def recursive(self, l: int) -> np.ndarray:  # noqa: E741
        """Return, by class, the count of the most frequent value over that of the values from the l-th on."""
        order = np.lexsort((-self.counts, self.classes))
        starts = np.searchsorted(self.classes, np.arange(len(self.sizes)))
        ranks = np.arange(len(order)) - starts[self.classes]
        falling = self.counts[order]
        tails = self._sums(np.where(ranks >= l - 1, falling, 0))
        with np.errstate(divide="ignore"):
            return falling[starts] / tails

    def equal_distances(self) -> np.ndarray:
        """Return, by class, the total variation from the table: an excess here is a shortfall elsewhere."""
        return self._sums(np.maximum(self.shares - self.overall_shares, 0))

    def ordered_distances(self) -> np.ndarray:
        """Return, by class, the earth mover's distance over ranked values.

        Between two values of a class its cumulative share stays the same while the table's rises, so that the area
        between them is that below, and that above, the point where they cross.
        """
        if self.bound < 2:
            return np.zeros(len(self.sizes))
        table = np.cumsum(self.table_counts) / self.sizes.sum()
        area = np.concatenate([[0.0], np.cumsum(table)])
        first = np.searchsorted(self.classes, np.arange(len(self.sizes)))
        last = np.append(first[1:], len(self.classes)) - 1
        running = np.cumsum(self.counts)
        before = (running - self.counts)[first]
        own = (running - before[self.classes]) / self.sizes[self.classes]
        end = np.append(self.values[1:], self.bound)
        end[last] = self.bound
        crossing = np.clip(np.searchsorted(table, own), self.values, end)
        below = own * (crossing - self.values) - (area[crossing] - area[self.values])
        above = (area[end] - area[crossing]) - own * (end - crossing)
        return (self._sums(below + above) + area[self.values[first]]) / (self.bound - 1)


def is_ordered(frame: Any, column: str) -> bool:
    return _labels.is_ordered(frame, column) or _frames.kind(frame, column) == "boolean"


def ranks(frame: Any, column: str) -> tuple[np.ndarray, int]:
    """Return each row's rank among the values that occur, missing ones last, and how many values there are."""
    if not is_ordered(frame, column):
        kind = _frames.kind(frame, column)
        raise ValueError(f"Column {column!r} holds {kind} values, which have no order; use distance='equal' instead.")
    labels = _frames.category_order(frame, column)
    if labels is None:
        standing, among = _levels.levels(frame, column)
        bound = len(among) + 1
    else:
        standing, bound = _levels.locate(frame, column, pa.array(labels, pa.large_string())), len(labels) + 1
    return _levels.compress(np.where(standing < 0, bound - 1, standing), bound)


def hierarchy_levels(frame: Any, column: str, hierarchy: Any) -> list[tuple[np.ndarray, int]]:
    """Return, for each level below the root, the node that each row is in, and how many nodes there are."""
    table = _hierarchy_table(column, hierarchy)
    leaves, *_, root = table.columns
    standing, among = _levels.levels(table, leaves)
    if len(among) < len(table):
        raise ValueError(f"The hierarchy of {column!r} must hold each value once.")
    if _levels.factorise(table, [root])[1] != 1:
        raise ValueError(f"The hierarchy of {column!r} must have one root, in its last column.")
    places = _levels.locate(frame, column, among)
    strange = int(((places < 0) & ~_frames.missing(frame, column)).sum())
    if strange:
        raise ValueError(f"The hierarchy of {column!r} lacks the values of {strange} row{'s' * (strange > 1)}.")
    position = np.empty(len(table) + 1, dtype=np.int64)
    position[standing] = np.arange(len(table))
    position[-1] = len(table)  # -1, a missing value, is a node below the root at each level
    levels = []
    for level in table.columns[:-1]:
        nodes, size = _levels.factorise(table, [level])
        levels.append((np.append(nodes, size)[position[places]], size + 1))
    return levels


def _hierarchy_table(column: str, hierarchy: Any) -> Any:
    """Return a hierarchy as a frame of a row for each value, from the value to the root."""
    if isinstance(hierarchy, Mapping):
        rows = [[leaf, *([above] if isinstance(above, str) else above)] for leaf, above in hierarchy.items()]
        if len(set(map(len, rows))) != 1:
            raise ValueError(f"The hierarchy of {column!r} must have as many ancestors for each value.")
        by_level = enumerate(zip(*rows, strict=True))
        hierarchy = _frames.pandas_frame({f"level {level}": list(nodes) for level, nodes in by_level}, len(rows))
    table = _frames.read(hierarchy)
    if len(table.columns) < 2 or not len(table):
        raise ValueError(f"The hierarchy of {column!r} must have a column for the values and one for the root.")
    return table
