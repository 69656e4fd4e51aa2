"""Released labels read back: which values of the original table each stands for, and how much of it they cover.

The labels are those of KAnonymizer, QuantileBinner and IntervalBinner, as the columns themselves or as text, as they
come back from a CSV file.
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from skdp import _frames
from skdp._generalisation import MISSING, Nodes, Ranges, Sets, are_contiguous, edges_of
from skdp._hierarchies import Hierarchy

NUMBER = r"-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|inf)"
DAY = r"-?\d{4,}-\d\d-\d\d"
AND_MISSING = f" or {MISSING}"


def is_ordered(frame: Any, column: str) -> bool:
    """Whether a column's labels are ranges: it holds numbers, dates or ordered categories."""
    ordered = _frames.category_order(frame, column) is not None
    return ordered or _frames.kind(frame, column) in ("number", "date")


def covers(original: Any, released: Any, column: str, hierarchy: Hierarchy | None) -> np.ndarray:
    """Return the share of the original column, from 0 to 1, that each released cell covers."""
    if hierarchy is not None:
        covered = _node_covers(original, released, column, hierarchy)
    elif is_ordered(original, column):
        covered = _range_covers(original, released, column)
    else:
        covered = _set_covers(original, released, column)
    gone = _frames.missing(released, column)
    return np.where(gone, ~_frames.missing(original, column), covered)


def coded(released: Any, column: str) -> tuple[np.ndarray, list[str]]:
    """Return the distinct labels of a column, and the position of each cell's; the last, past the labels, is missing.

    Examples
    --------
    >>> codes, labels = coded(_frames.read([["b"], ["a"], [None]]), "x0")
    >>> codes, labels
    (array([1, 0, 2]), ['a', 'b'])
    """
    read = Sets(_as_days(released, column), column)
    return read.codes(_as_days(released, column)), read.values.to_pylist()


def _as_days(frame: Any, column: str) -> Any:
    """Return the frame with a column of dates spelled alike in every library, by the day."""
    if _frames.missing(frame, column).all() or _frames.kind(frame, column) != "date":
        return frame
    days = _frames.dates(frame, column)
    spelled = np.where(np.isnat(days), None, days.astype(str).astype(object))
    return _frames.assign(frame, {column: spelled})


class EndReader:
    """What reads the two ends of the ranges that labels of a column stand for.

    Parameters
    ----------
    frame : narwhals.DataFrame
        A table that holds the column as it was: as numbers, dates or ordered categories.
    column : str
        The column.
    """

    def __init__(self, frame: Any, column: str) -> None:
        self._order = _frames.category_order(frame, column)
        self._is_date = self._order is None and _frames.kind(frame, column) == "date"
        self._value = DAY if self._is_date else NUMBER
        ends = [edges_of(name) for name in self._order] if self._order and are_contiguous(self._order) else []
        self._first = {low: float(rank) for rank, (low, _) in enumerate(ends)}
        self._last = {high: float(rank) for rank, (_, high) in enumerate(ends)}

    def ends(self, labels: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the lowest and the highest value that each label stands for, and which say "or missing".

        Dates are days since 1970, categories ranks; open ends are infinite; NaN where a label cannot be read.

        Examples
        --------
        >>> reader = EndReader(_frames.read([[21.0]]), "x0")
        >>> ends, or_missing = reader.ends(["21 - 24", "-5 - -1 or missing", "24 and Under", "Lima"])
        >>> ends.tolist(), or_missing.tolist()
        ([[21.0, 24.0], [-5.0, -1.0], [-inf, 24.0], [nan, nan]], [False, True, False, False])
        """
        stripped = [self._without_missing(label) for label in labels]
        ends = np.array([self._low_and_high(label) for label, _ in stripped], dtype=np.float64).reshape(-1, 2)
        return ends, np.array([also for _, also in stripped], dtype=bool)

    def _without_missing(self, label: str) -> tuple[str, bool]:
        also = label.endswith(AND_MISSING) and label not in (self._order or ())
        return (label.removesuffix(AND_MISSING), True) if also else (label, False)

    def _low_and_high(self, label: str) -> tuple[float, float]:
        if self._order is not None:
            return self._category_ends(label)
        of_mean = re.fullmatch(rf"{self._value} \((.+)\)", label)
        label = of_mean[1] if of_mean else label
        if label == "Any":
            return -np.inf, np.inf
        for pattern, ends in _FORMS:
            found = re.fullmatch(pattern.format(value=f"({self._value})"), label)
            if found:
                held = [self._parsed(text) for text in found.groups()]
                return tuple(held[end] if isinstance(end, int) else end for end in ends)
        return np.nan, np.nan

    def _parsed(self, text: str) -> float:
        return float(np.datetime64(text, "D").astype(np.int64)) if self._is_date else float(text)

    def _category_ends(self, label: str) -> tuple[float, float]:
        """Return the ranks of the categories that a label names; where it can be read in two ways, the wider one."""
        rank = {name: float(position) for position, name in enumerate(self._order)}
        if label in rank:
            return rank[label], rank[label]
        low, high = edges_of(label) or (None, None)
        if low in self._first and high in self._last:
            return self._first[low], self._last[high]
        readings = [(np.nan, np.nan)]
        for found in re.finditer(" - ", label):
            low, high = rank.get(label[: found.start()]), rank.get(label[found.end() :])
            if low is not None and high is not None and low < high:
                readings.append((low, high))
        return max(readings[1:], key=lambda ends: ends[1] - ends[0], default=readings[0])


class RangeReader:
    """A column of numbers, dates or ordered categories, and what labels of it cover.

    Parameters
    ----------
    frame : narwhals.DataFrame
        The original table.
    column : str
        The column.
    """

    def __init__(self, frame: Any, column: str) -> None:
        ranges = Ranges(frame, column, _frames.category_order(frame, column))
        self._labels = EndReader(frame, column)
        self.codes, self.scale = ranges.codes(frame), ranges.scale
        self._ends = self.scale.positions[min(1, self.scale.size - 1)], self.scale.positions[-1]
        self.width = (self._ends[1] - self._ends[0]) or 1.0

    def read(self, labels: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return half of the lowest and the highest value that each label stands for, and which say "or missing".

        Halves, lest their difference overflows. They are within the column's; NaN where a label cannot be read.
        """
        ends, or_missing = self._labels.ends(labels)
        return np.clip(ends / 2, *self._ends), or_missing

    def midpoints(self, labels: Iterable[str]) -> np.ndarray:
        """Return the middle of what each label stands for; NaN where it cannot be read."""
        return self.read(labels)[0].sum(axis=1)


_FORMS = [
    ("{value}", (0, 0)),
    ("{value} - {value}", (0, 1)),
    ("{value} and Under", (-np.inf, 0)),
    ("Under {value}", (-np.inf, 0)),
    ("{value} and Over", (0, np.inf)),
]


def _range_covers(original: Any, released: Any, column: str) -> np.ndarray:
    """Return what labels of ranges cover; a label that is one number or cannot be read covers what shares it."""
    reader = RangeReader(original, column)
    codes, labels = coded(released, column)
    lowest = np.full(len(labels) + 1, reader.scale.size - 1)
    highest = np.zeros(len(labels) + 1, dtype=np.int64)
    np.minimum.at(lowest, codes, reader.codes)
    np.maximum.at(highest, codes, reader.codes)
    shared = reader.scale.cover(np.minimum(lowest, highest), highest)
    halves, also_missing = reader.read(labels)
    widths = np.append(halves[:, 1] - halves[:, 0], np.nan) / reader.width
    covered = np.where(widths > 0, widths, shared)
    covered[:-1][also_missing] = 1.0
    return covered[codes]


class SetReader:
    """A column of categories without an order, and what labels of it mean.

    Parameters
    ----------
    frame : narwhals.DataFrame
        The original table.
    column : str
        The column.
    """

    def __init__(self, frame: Any, column: str) -> None:
        sets = Sets(_as_days(frame, column), column)
        self.codes, self.scale = sets.codes(_as_days(frame, column)), sets.scale
        self.position = {value: code for code, value in enumerate(sets.values.to_pylist())}
        self._known = dict(self.position)
        if self.scale.size > len(self._known):
            self._known.setdefault(MISSING, len(self._known))
        self._names = [*sets.values.to_pylist(), MISSING]
        self._longest = max((value.count(", ") for value in self._known), default=0) + 1
        self.has_commas = self._longest > 1

    def members(self, label: str) -> list[int]:
        """Return the positions of the values that a label stands for: those of a set, or itself; none if unknown."""
        inside = self._segmented(label[1:-1].split(", ")) if label.startswith("{") and label.endswith("}") else []
        if len(inside) > 1:
            return inside
        return [self.position[label]] if label in self.position else []

    def known_members(self, label: str) -> list[int]:
        """Return the positions of all values that a label may stand for, in whatever way it is read."""
        own = [self.position[label]] if label in self.position else []
        if not label.startswith("{"):
            return own
        inside = label[1:-1]
        parts = [part for part in inside.split(", ") if part in self._known]
        with_commas = [value for value in self._known if ", " in value and f", {value}, " in f", {inside}, "]
        return own + [self._known[value] for value in (*parts, *with_commas)]

    def is_spelled(self, codes: np.ndarray, label: str) -> bool:
        """Whether a label is how KAnonymizer spells the set of these values, given in their order."""
        return len(codes) > 1 and label == "{" + ", ".join(self._names[code] for code in codes) + "}"

    def _segmented(self, parts: list[str]) -> list[int]:
        """Return the known values that a set's text is made of; as many as can be where values hold commas."""
        if not self.has_commas:
            found = [self._known.get(part, -1) for part in parts]
            if min(found) >= 0 and len(set(found)) == len(found):
                return found
        # a set holds each value once, in their order: what a chain of values may go on with
        chains: list[list[_Chain]] = [[_Chain(0, -1, None)], *([] for _ in parts)]
        for end in range(1, len(parts) + 1):
            for start in range(max(0, end - self._longest), end):
                for code in self._codes_of(", ".join(parts[start:end])):
                    before = [chain for chain in chains[start] if chain.code < code]
                    if before:
                        longest = max(before, key=_Chain.length_of)
                        chains[end].append(_Chain(longest.length + 1, code, longest))
        return max(chains[-1], key=_Chain.length_of).members() if chains[-1] else []

    def _codes_of(self, text: str) -> list[int]:
        """Return the values spelled so: "missing" may be both a value and what stands for none."""
        codes = [self._known[text]] if text in self._known else []
        last = self.scale.size - 1
        return [*codes, last] if text == MISSING and last >= len(self.position) > codes[0] else codes


class _Chain(NamedTuple):
    """Values that the start of a set's text may be made of: how many, the last, and those before."""

    length: int
    code: int
    before: Any

    def length_of(self) -> int:
        return self.length

    def members(self) -> list[int]:
        found, chain = [], self
        while chain.before is not None:
            found.append(chain.code)
            chain = chain.before
        return found[::-1]


def _set_covers(original: Any, released: Any, column: str) -> np.ndarray:
    """Return what labels of sets cover; a label that cannot be read covers the values that share it.

    Where commas let a label be read in several ways, and the values that share it make it up, it covers these.
    """
    reader = SetReader(original, column)
    codes, labels = coded(released, column)
    pairs = np.unique(codes * np.int64(reader.scale.size + 1) + reader.codes)
    ends = np.searchsorted(pairs // (reader.scale.size + 1), np.arange(len(labels) + 2))
    shared, sharing = np.diff(ends), pairs % (reader.scale.size + 1)
    held = np.zeros(len(labels) + 1, dtype=np.int64)
    for number, label in enumerate(labels):
        is_its_own = reader.has_commas and reader.is_spelled(sharing[ends[number] : ends[number + 1]], label)
        held[number] = shared[number] if is_its_own else len(reader.members(label))
    covered = reader.scale.cover(np.maximum(np.where(held > 0, held, shared), 1))
    own = np.array([*(reader.position.get(label, -1) for label in labels), -1])
    return np.where(own[codes] == reader.codes, 0.0, covered[codes])


def _node_covers(original: Any, released: Any, column: str, hierarchy: Hierarchy) -> np.ndarray:
    """Return what nodes cover: a cell spelled as it was nothing, others the widest node of that name above the value.

    A node that is not above the value counts as the widest of its name.
    """
    nodes = Nodes("granularity", original, column, hierarchy)
    paths = nodes.scale.paths[nodes.codes(original)]
    codes, labels = coded(released, column)
    number = {name: position for position, name in enumerate(dict.fromkeys(hierarchy.names))}
    named = np.array([*(number[name] for name in hierarchy.names), -1])  # -1: the leaf of missing values
    label_names = np.array([*(number.get(label, -2) for label in labels), -1])
    strange = int((label_names[codes] == -2).sum())
    if strange:
        raise ValueError(
            f"Column {column!r} of the released table holds {strange} labels that are no nodes of its hierarchy; give "
            "the hierarchy it was released with."
        )
    widest = np.zeros(len(number) + 1)
    np.maximum.at(widest, named[: len(hierarchy.names)], hierarchy.covers)
    wanted = label_names[codes]
    above = np.where(named[paths] == wanted[:, None], nodes.scale.covers[paths], -1.0).max(axis=1)
    covered = np.where(above >= 0, above, widest[wanted])
    return np.where(named[paths[:, -1]] == wanted, 0.0, covered)
