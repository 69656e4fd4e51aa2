"""What a quasi-identifier becomes: ranges, sets of values or nodes of a hierarchy.

Each class codes a column for `_mondrian`, learns the labels of the equivalence classes, and says which records seen
later these fit. Only what the labels show is kept, not the values of the records.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _arrays, _frames
from skdp._checks import ParameterError
from skdp._hierarchies import Hierarchy
from skdp._mondrian import Tree
from skdp._scales import RangeScale, Runs, SetScale, TreeScale

MISSING = "missing"
EDGE = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
SPELLED = re.compile(f"{EDGE} - {EDGE}|Under {EDGE}|{EDGE} and Under|{EDGE} and Over|Any")
MOST_TEXT = 2**31  # bytes of labels in one column, beyond which neither memory nor a CSV reader is likely to do


def spelled(number: float) -> str:
    """Return a number as text, integral ones without a point."""
    integral = abs(number) < 1e15 and number == int(number)
    return str(int(number)) if integral else repr(float(number))


def edges_of(label: str) -> tuple[str, str] | None:
    """Return the two ends of a range as the binners spell it, an open one as ""; None for other text.

    Examples
    --------
    >>> [edges_of(label) for label in ("24 and Under", "Under 24", "24 - 34", "64 and Over", "Any", "Lima")]
    [('', '24'), ('', '24'), ('24', '34'), ('64', ''), ('', ''), None]
    """
    found = SPELLED.fullmatch(label)
    if found is None:
        return None
    low, high, under, and_under, over = found.groups(default="")
    return low or over, high or under or and_under


def are_contiguous(categories: Sequence[str]) -> bool:
    """Whether categories are ranges as the binners spell them, from an open one to an open one, without a gap."""
    ends = [edges_of(label) for label in categories]
    if len(ends) < 2 or None in ends or ends[0][0] or ends[-1][1]:
        return False
    inner = [low for low, _ in ends[1:]]
    rising = all(inner) and all(float(one) < float(two) for one, two in zip(inner, inner[1:], strict=False))
    return rising and inner == [high for _, high in ends[:-1]]


def _joined(first: str, last: str) -> str:
    """Return the one range that two, and all that lie between them, make up."""
    low, high = edges_of(first)[0], edges_of(last)[1]
    if low and high:
        return f"{low} - {high}"
    if low:
        return f"{low} and Over"
    open_end = f"Under {high}" if first.startswith("Under") else f"{high} and Under"
    return open_end if high else "Any"


def ordered_values(frame, column, categories=None) -> np.ndarray:
    """Return a column as float64 in its order: numbers, days, or ranks among ordered categories; missing is NaN."""
    if _frames.missing(frame, column).all():  # in an object column, of no kind
        return np.full(len(frame), np.nan)
    if categories is not None:
        found = pc.index_in(_frames.texts(frame, column), pa.array(categories, pa.large_string()))
        return found.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    if _frames.kind(frame, column) == "date":
        dates = _frames.dates(frame, column)
        return np.where(np.isnat(dates), np.nan, dates.astype(np.int64).astype(np.float64))
    return _frames.numbers(frame, column)


@dataclass(frozen=True, repr=False)
class Gist:
    """What the labels of some classes are made of.

    Parameters
    ----------
    runs : Runs
        The codes in each class, without those that do not matter: of a range all but the first two and the last, of a
        node all but the first and the last.
    means : ndarray of float64 of shape (n_classes,), optional
        What numbers become, where they become means.
    """

    runs: Runs
    means: np.ndarray | None = None


def joined_gists(gists: Sequence[Gist], numbers: Sequence[np.ndarray]) -> Gist:
    """Return the gist of all classes, of gists of some; `numbers` are what these are called among all, -1: left out."""
    called = [number[gist.runs.part] for gist, number in zip(gists, numbers, strict=True)]
    part = np.concatenate(called)
    order = np.argsort(part, kind="stable")
    order = order[np.searchsorted(part[order], 0) :]
    code, count = (np.concatenate([getattr(gist.runs, name) for gist in gists])[order] for name in ("code", "count"))
    part = part[order]
    runs = Runs(part, code, count, np.searchsorted(part, np.arange(part[-1] + 1)))
    if gists[0].means is None:
        return Gist(runs)
    means = np.empty(len(runs.starts))
    for gist, number in zip(gists, numbers, strict=True):
        means[number[number >= 0]] = gist.means[number >= 0]
    return Gist(runs, means)


class Ranges:
    """A column of numbers, dates or ordered categories, and the ranges that its classes become."""

    size = None  # of the codes, which a tree needs to know for sets and nodes alone

    def __init__(self, frame, column, categories=None):
        self.column, self.categories = column, categories
        self.is_date = categories is None and _frames.kind(frame, column) == "date"
        values = self._values(frame)
        self.values = np.unique(values[~np.isnan(values)]) + 0.0  # -0.0 is 0.0
        if categories is not None:
            self.values = np.arange(len(categories), dtype=np.float64)
        self.scale = RangeScale(_positions(self.values))
        self.joins = categories is not None and are_contiguous(categories)

    def _values(self, frame) -> np.ndarray:
        return ordered_values(frame, self.column, self.categories)

    def codes(self, frame) -> np.ndarray:
        """Return each record's code: 0 is missing, i the i-th value, or one between it and the next."""
        values = self._values(frame)
        codes = np.maximum(np.searchsorted(self.values, values, side="right"), 1)
        return np.where(np.isnan(values), 0, codes)

    def gist(self, runs: Runs) -> Gist:
        """Return what the labels of classes are made of; `runs` are the codes in each class."""
        kept = np.zeros(len(runs.part), dtype=bool)
        kept[runs.starts] = kept[np.minimum(runs.starts + 1, runs.ends)] = kept[runs.ends] = True
        return Gist(runs.only(kept))

    def learn(self, gist: Gist) -> np.ndarray:
        """Remember the classes' ranges, and return what each covers."""
        runs = gist.runs
        first, self.high = runs.code[runs.starts], runs.code[runs.ends]
        self.has_missing = first == 0
        second = runs.code[np.minimum(runs.starts + 1, runs.ends)]
        self.low = np.where(self.has_missing, second, first)
        return self.scale.cover(first, self.high)

    def forget(self, tree: Tree, number: int) -> None:
        """Keep only the values that are an end of some range; the tree's codes follow."""
        kept = np.unique(np.concatenate([[0], self.low, self.high]))
        here = tree.attribute == number
        tree.highest[here] = np.searchsorted(kept, tree.highest[here], side="right") - 1
        self.low, self.high = np.searchsorted(kept, self.low), np.searchsorted(kept, self.high)
        self.values = self.values[kept[1:] - 1]
        del self.scale  # whose positions tell all values
        self.ranks, self.labels = self._labelled()

    def fits(self, frame, rows, codes, classes) -> np.ndarray:
        """Return which of some rows have a value in the range of a class; `codes` are theirs."""
        values, known = self._values(frame)[rows], np.append(np.nan, self.values)
        inside = (values >= known[self.low[classes]]) & (values <= known[self.high[classes]])
        absent = _frames.missing(frame, self.column)[rows]
        return inside & ~absent | absent & self.has_missing[classes]

    def _labelled(self) -> tuple[np.ndarray, tuple]:
        """Return the rank of each class's label (-1: missing) and the labels, lowest first, all different."""
        size = len(self.values) + 1
        keys = (self.low * size + self.high) * 2 + self.has_missing
        keys[self.high == 0] = -1
        distinct = np.unique(keys[keys >= 0])
        names = [self._spelled(value) for value in self.values]
        labels = [self._label(names, *divmod(int(key) // 2, size), key % 2) for key in distinct]
        ranks, labels = pd.factorize(np.array(labels, dtype=object))  # categories may be called as ranges are
        return np.append(ranks, -1)[np.where(keys < 0, -1, np.searchsorted(distinct, keys))], tuple(labels)

    def _label(self, names, low, high, has_missing) -> str:
        first, last = names[low - 1], names[high - 1]
        label = first if low == high else _joined(first, last) if self.joins else f"{first} - {last}"
        return f"{label} or {MISSING}" if has_missing else label

    def _spelled(self, value) -> str:
        if self.categories is not None:
            return self.categories[int(value)]
        return str(np.datetime64(int(value), "D")) if self.is_date else spelled(value)

    def released(self, classes):
        """Return the column; class -1 is masked."""
        return _arrays.Categories(np.append(self.ranks, -1)[classes], self.labels)


class Means(Ranges):
    """A column of numbers, and the means that its classes become."""

    def gist(self, runs: Runs) -> Gist:
        """Return what the means of classes are, and the ends of their ranges."""
        return Gist(super().gist(runs).runs, _means(runs, np.append(0.0, self.values)))

    def learn(self, gist: Gist) -> np.ndarray:
        """Remember the classes' ranges and means, and return what each range covers."""
        self.means = gist.means
        return super().learn(gist)

    def forget(self, tree: Tree, number: int) -> None:
        """Keep only limits halfway between values of two classes, as means do not show the ends of ranges."""
        has_values = self.high > 0
        lower, upper = self.low[has_values] - 1, self.high[has_values]  # code i lies between limits i - 1 and i
        kept = np.unique(np.concatenate([lower, upper]))
        here = tree.attribute == number
        tree.highest[here] = np.searchsorted(kept, tree.highest[here])
        self.low[has_values] = np.searchsorted(kept, lower) + 1
        self.high[has_values] = np.searchsorted(kept, upper) + 1
        self.values = _limits(self.values)[kept]
        del self.scale

    def released(self, classes):
        """Return the column; class -1 is masked."""
        return np.append(self.means, np.nan)[classes]


def _limits(values: np.ndarray) -> np.ndarray:
    """Return limits between values, one below the first and one above the last."""
    if len(values) < 2:
        return np.repeat(values, 2)
    finite = np.clip(values, np.finfo(np.float64).min, np.finfo(np.float64).max)
    halves = finite / 2  # lest sums overflow
    step = (halves[-1] - halves[0]) / (len(values) - 1)
    with np.errstate(over="ignore"):
        ends = min(values[0], finite[0] - step), max(values[-1], finite[-1] + step)
    return np.concatenate([ends[:1], halves[:-1] + halves[1:], ends[1:]])


def _positions(values: np.ndarray) -> np.ndarray:
    """Return where the codes stand; missing at the lowest value, infinite values at the outermost finite ones."""
    finite = values[np.isfinite(values)]
    low, high = (finite[0], finite[-1]) if len(finite) else (0.0, 0.0)
    clipped = np.clip(values, low, high) / 2  # half of it, lest the width overflows
    return np.append(clipped[:1] if len(clipped) else 0.0, clipped)


def _means(runs, values) -> np.ndarray:
    """Return the classes' means over values that are not missing; the same in whatever order records come."""
    weights = runs.count * (runs.code > 0)
    counts = np.add.reduceat(weights, runs.starts)

    def over_counts(values) -> np.ndarray:
        with np.errstate(invalid="ignore", over="ignore"):  # infinite values of both signs have no mean
            totals = np.add.reduceat(weights * values[runs.code], runs.starts)
        return np.divide(totals, counts, out=np.full(len(totals), np.nan), where=counts > 0)

    means = over_counts(values)
    if np.isfinite(means[counts > 0]).all():
        return means
    scaled = over_counts(np.ldexp(values, -64))  # no sum of fewer than 2^64 of these overflows
    greatest = np.ldexp(np.finfo(np.float64).max, -64)
    scaled = np.where(np.isfinite(scaled), np.clip(scaled, -greatest, greatest), scaled)  # rounding may go beyond
    return np.where(np.isfinite(means), means, np.ldexp(scaled, 64))


class Sets:
    """A column of categories without an order, and the sets of values that its classes become."""

    def __init__(self, frame, column):
        self.column = column
        distinct = pc.unique(_spelled_texts(frame, column).drop_null())
        self.values = distinct.take(pc.array_sort_indices(distinct))
        absent = _frames.missing(frame, column).any()
        self.size = len(self.values) + bool(absent)
        self.scale = SetScale(self.size)

    def codes(self, frame) -> np.ndarray:
        """Return each record's code: the last is missing, -1 a value that is not known."""
        texts = _spelled_texts(frame, self.column)
        codes = pc.index_in(texts, self.values).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        absent = texts.is_null().to_numpy(zero_copy_only=False)
        known = self.size > len(self.values)
        return np.where(absent, len(self.values) if known else -1, codes)

    def gist(self, runs: Runs) -> Gist:
        """Return what the labels of classes are made of: all codes in each class."""
        return Gist(runs)

    def learn(self, gist: Gist) -> np.ndarray:
        """Remember the classes' sets, and return what each covers."""
        runs = gist.runs
        self.held = runs.part * self.scale.size + runs.code
        self._check_text(runs)
        names = np.array([*self.values.to_pylist(), MISSING], dtype=object)[runs.code]
        ends = runs.ends + 1
        labels = [
            names[start] if end - start == 1 else "{" + ", ".join(names[start:end]) + "}"
            for start, end in zip(runs.starts.tolist(), ends.tolist(), strict=True)
        ]
        absent = (ends - runs.starts == 1) & (runs.code[runs.starts] == len(self.values))
        self.ranks, own = pd.factorize(np.array(labels, dtype=object))
        self.ranks[absent] = -1
        self.labels = pa.array(own, pa.large_string())
        return self.scale.cover(ends - runs.starts)

    def _check_text(self, runs) -> None:
        """Raise where the sets, which are spelled out in each row, would fill gigabytes."""
        lengths = np.append(pc.binary_length(self.values).to_numpy(), len(MISSING))[runs.code] + 2
        text = float(np.add.reduceat(lengths, runs.starts) @ runs.totals)
        if text > MOST_TEXT:
            raise ParameterError(
                f"KAnonymizer would spell out the sets of column {self.column!r} in {text / 1e9:.1f} GB of text, as it "
                f"has {len(self.values)} values. Give it a hierarchy (parameter 'hierarchies'), or leave it out of "
                "'quasi_identifiers'; a smaller 'k' makes smaller sets."
            )

    def forget(self, tree: Tree, number: int) -> None:
        """Nothing: each value is in some set."""

    def fits(self, frame, rows, codes, classes) -> np.ndarray:
        """Return which of some rows have a value in the set of a class; `codes` are theirs."""
        wanted = classes * self.scale.size + codes
        return (codes >= 0) & (self.held[np.minimum(np.searchsorted(self.held, wanted), len(self.held) - 1)] == wanted)

    def released(self, classes):
        """Return the column; class -1 is masked."""
        return _taken(self.labels, np.append(self.ranks, -1)[classes])


class Nodes:
    """A column of categories with a hierarchy, and the lowest common nodes that its classes become."""

    def __init__(self, owner, frame, column, hierarchy: Hierarchy, times=None):
        self.column, self.hierarchy = column, hierarchy
        absent = _frames.missing(frame, column).any()
        paths, covers = hierarchy.paths, hierarchy.covers
        if absent:  # a leaf of its own under the root
            paths = np.vstack([paths, [paths[0, 0]] + [len(covers)] * (paths.shape[1] - 1)])
            covers = np.append(covers, 0.0)
        self.scale, self.size = TreeScale(paths, covers), len(paths)
        unknown = self.codes(frame) < 0
        if unknown.any():
            n_rows = int(unknown.sum() if times is None else times[unknown].sum())
            who = owner if isinstance(owner, str) else type(owner).__name__
            raise ParameterError(
                f"The 'hierarchies' parameter of {who} must hold every value of column {column!r}. "
                f"It misses those of {n_rows} rows."
            )

    def codes(self, frame) -> np.ndarray:
        """Return each record's code: the last is missing, -1 a value that is not in the hierarchy."""
        texts = _spelled_texts(frame, self.column)
        leaves = pa.array(self.hierarchy.leaves, pa.large_string())
        codes = pc.index_in(texts, leaves).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        absent = texts.is_null().to_numpy(zero_copy_only=False)
        return np.where(absent, len(leaves) if self.size > len(leaves) else -1, codes)

    def gist(self, runs: Runs) -> Gist:
        """Return what the labels of classes are made of; `runs` are the codes in each class."""
        kept = np.zeros(len(runs.part), dtype=bool)
        kept[runs.starts] = kept[runs.ends] = True
        return Gist(runs.only(kept))

    def learn(self, gist: Gist) -> np.ndarray:
        """Remember the classes' nodes, and return what each covers."""
        runs = gist.runs
        self.depth = self.scale.depths(runs)
        self.node = self.scale.paths[runs.code[runs.starts], self.depth]
        self.names = pa.array(self.hierarchy.names, pa.large_string())
        self.ranks = np.where(self.node < len(self.names), self.node, -1)
        return self.scale.covers[self.node]

    def forget(self, tree: Tree, number: int) -> None:
        """Nothing: the hierarchy is a parameter."""

    def fits(self, frame, rows, codes, classes) -> np.ndarray:
        """Return which of some rows have a value under the node of a class; `codes` are theirs."""
        return (codes >= 0) & (self.scale.paths[codes, self.depth[classes]] == self.node[classes])

    def released(self, classes):
        """Return the column; class -1 is masked."""
        return _taken(self.names, np.append(self.ranks, -1)[classes])


def _spelled_texts(frame, column) -> pa.Array:
    """Return a column as text that is alike in every library: integral numbers have no point, True is capital."""
    kind = _frames.kind(frame, column)
    if kind != "number":
        texts = _frames.texts(frame, column)
        return pc.utf8_capitalize(texts) if kind == "boolean" else texts
    codes, distinct = pd.factorize(_frames.numbers(frame, column))
    return _taken(pa.array([spelled(value) for value in distinct.tolist()], pa.large_string()), codes)


def _taken(labels: pa.Array, positions: Iterable[int]) -> pa.Array:
    """Return labels by position; -1 is missing."""
    positions = np.asarray(positions)
    return labels.take(pa.array(positions, pa.int64(), mask=positions < 0))
