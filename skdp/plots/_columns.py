"""One column of a table and of its release, counted on the same bins, ranges or values."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdp import _frames
from skdp._generalisation import spelled
from skdp.metrics._labels import RangeReader, SetReader, coded
from skdp.metrics._models import as_numbers

MOST_BARS, MOST_BINS = 20, 30
FEW_VALUES = 12  # different numbers up to which each is a bar of its own
WIDEST = 1e300  # lest a difference overflows
PARTS = "A label that stands for several {} counts in equal parts for each."


@dataclass(frozen=True)
class Counts:
    """How many records have what, before and after.

    Parameters
    ----------
    labels : list of str
        What the bars or bins are called.
    original, released : ndarray of float of shape (n_labels,)
        How many records are in each; fractions where a label counts in parts. `original` is NaN where that cannot be
        told.
    n_missing : tuple of (int, int)
        How many are missing, before and after.
    n_records : tuple of (int, int)
        How many there are, before and after.
    edges : list of str or None
        What the n_labels + 1 ends of bins are called; None for bars.
    note : str
        A sentence on how labels were read, or nothing.
    """

    labels: list[str]
    original: np.ndarray
    released: np.ndarray
    n_missing: tuple[int, int]
    n_records: tuple[int, int]
    edges: list[str] | None = None
    note: str = ""


def counted(original: Any, released: Any, column: str) -> Counts:
    """Return a column of both tables, counted alike."""
    tables = original, released
    absent = [_frames.missing(frame, column) for frame in tables]
    shared = {
        "n_missing": tuple(int(one.sum()) for one in absent),
        "n_records": tuple(len(frame) for frame in tables),
    }
    ours, theirs = as_numbers(original, column), as_numbers(released, column)
    kinds = {_frames.kind(frame, column) for frame, gone in zip(tables, absent, strict=True) if not gone.all()}
    if ours is not None and theirs is not None and len(kinds) < 2:
        return Counts(**_of_numbers(ours, theirs, kinds == {"date"}), **shared)
    order = _frames.category_order(original, column)
    if not absent[0].all() and (ours is not None or order is not None):
        found = _of_ranges(original, released, column, ours, order)
        if found is not None:
            return Counts(**found, **shared)
    return Counts(**_of_values(original, released, column, order), **shared)


def _of_numbers(ours: np.ndarray, theirs: np.ndarray, is_date: bool) -> dict:
    """Return numbers in bins of a round width, or by value where there are few."""
    ours, theirs = (np.clip(values[~np.isnan(values)], -WIDEST, WIDEST) + 0.0 for values in (ours, theirs))
    every = np.concatenate([ours, theirs])
    distinct = np.unique(every)
    if len(distinct) <= FEW_VALUES:
        counts = [np.bincount(np.searchsorted(distinct, one), minlength=len(distinct)) for one in (ours, theirs)]
        return _drawn([_text(value, is_date) for value in distinct], *counts)
    bins = Bins(every)
    return _drawn(bins.labels(is_date), bins.count(ours), bins.count(theirs), edges=bins.edge_names(is_date))


class Bins:
    """Bins of one round width; where few numbers lie far out, the outermost bins are open.

    Parameters
    ----------
    values : ndarray of float of shape (n_values,)
        Finite, of more than one value.
    """

    def __init__(self, values: np.ndarray) -> None:
        low, high = values.min(), values.max()
        core = np.quantile(values, [0.005, 0.995], method="inverted_cdf")
        is_whole = bool((values == np.floor(values)).all())
        if core[0] < core[1] and high - low > 2 * (core[1] - core[0]):
            low, high = np.maximum(low, core[0]), np.minimum(high, core[1])
        self.unit = 1.0 if is_whole and high - low < 2**52 else 0.0
        width = _round_width((high - low + self.unit) / MOST_BINS)
        self.width = max(width, 1.0) if self.unit else width
        start, end = np.floor(low / self.width), np.floor(high / self.width) + 1
        self.edges = np.arange(start, end + 1) * self.width
        if max(-start, end) >= 2**50:  # far from zero, where no round edges lie close enough together
            self.edges = np.append(np.unique(np.linspace(low, high, MOST_BINS)), np.nextafter(high, np.inf))
        self.open_below, self.open_above = values.min() < self.edges[0], values.max() >= self.edges[-1]

    def count(self, values: np.ndarray) -> np.ndarray:
        """Return how many values are in each bin."""
        places = np.searchsorted(self.edges, values, side="right") - 1
        return np.bincount(np.clip(places, 0, len(self.edges) - 2), minlength=len(self.edges) - 1)

    def edge_names(self, is_date: bool) -> list[str]:
        names = [_text(edge, is_date) for edge in self.edges]
        names[0] = "" if self.open_below else names[0]
        names[-1] = "" if self.open_above else names[-1]
        return names

    def labels(self, is_date: bool) -> list[str]:
        """Return what the bins are called, a single whole number by itself."""
        names = [_text(edge, is_date) for edge in self.edges]
        last = [_text(edge - self.unit, is_date) for edge in self.edges[1:]] if self.unit else names[1:]
        joined = [low if low == high else f"{low} - {high}" for low, high in zip(names[:-1], last, strict=True)]
        if not self.unit:
            joined = [f"{low} to under {high}" for low, high in zip(names[:-1], last, strict=True)]
        if self.open_below:
            joined[0] = f"below {names[1]}"
        if self.open_above:
            joined[-1] = f"{names[-2]} and more"
        return joined


def _round_width(least: float) -> float:
    """Return the next number of 1, 2, 5 or 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(least)) if least > 1e-300 else 1e-300
    return next(step * power for step in (1, 2, 5, 10, 20) if step * power >= least * (1 - 1e-9))


def _text(value: float, is_date: bool) -> str:
    if is_date:
        return str(np.datetime64(int(value), "D"))
    return spelled(round(value, 9)) if value == 0 or 1e-4 <= abs(value) < 1e15 else f"{value:.6g}"


def spread(edges: np.ndarray, low: np.ndarray, high: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return how many records are in each bin if those of each range lie evenly between its ends.

    Examples
    --------
    >>> spread(np.array([0.0, 10, 20]), np.array([5.0, 12]), np.array([20.0, 12]), np.array([6, 1]))
    array([2., 5.])
    """
    width = high - low
    below = np.clip(edges[:, None], low, high) - low
    share = np.where(width > 0, below / np.where(width > 0, width, 1.0), edges[:, None] > low)
    share[0], share[-1] = 0.0, 1.0
    return np.diff(share @ weights)


def _of_ranges(original: Any, released: Any, column: str, ours: np.ndarray | None, order: list | None) -> dict | None:
    """Return what ranges hold, before and after; None where categories have no ranges."""
    codes, labels = coded(released, column)
    counts = np.bincount(codes, minlength=len(labels) + 1)[: len(labels)]
    if order is not None and set(labels) <= set(order):
        return None
    reader = RangeReader(original, column)
    low, high = np.clip(2 * reader.read(labels)[0], -WIDEST, WIDEST).T
    values = np.clip(2 * reader.scale.positions[reader.codes[reader.codes > 0]], -WIDEST, WIDEST)
    if np.isnan(low).any():
        return None if ours is None else _unread(released, column, labels, counts)
    rising = np.lexsort((high, low))
    low, high, counts, labels = low[rising], high[rising], counts[rising], [labels[place] for place in rising]
    if len(labels) <= MOST_BARS and (low[1:] >= high[:-1]).all():
        return _summed(values, low, high, labels, counts)
    if ours is None:
        edges, kind = np.arange(len(order) + 1.0), "categories"
        own = np.bincount(values.astype(np.int64), minlength=len(order))
        return _drawn(order, own, spread(edges, low, high + 1, counts), note=PARTS.format(kind))
    bins = Bins(np.concatenate([values, low, high])) if np.ptp(values) else None
    if bins is None:
        return _unread(released, column, labels, counts)
    is_date = _frames.kind(original, column) == "date"
    theirs = spread(bins.edges, low, high + bins.unit, counts)
    note = "A range counts in equal parts for all that it holds."
    return _drawn(bins.labels(is_date), bins.count(values), theirs, edges=bins.edge_names(is_date), note=note)


def _summed(values: np.ndarray, low: np.ndarray, high: np.ndarray, labels: list[str], counts: np.ndarray) -> dict:
    """Return how many of the original's values each released range holds, where no two ranges overlap."""
    # an end that two ranges share belongs to the lower one, unless their labels, or else their counts, say otherwise
    right = np.minimum(np.searchsorted(high, values), len(high) - 1)
    left = np.maximum(np.searchsorted(low, values, side="right") - 1, 0)
    if any(label.endswith(" and Under") for label in labels):
        left = right
    elif any(label.startswith("Under ") for label in labels):
        right = left
    sums = [np.bincount(places, minlength=len(labels)) for places in (right, left)]
    places = left if np.abs(sums[1] - counts).sum() < np.abs(sums[0] - counts).sum() else right
    inside = (low[places] <= values) & (values <= high[places])
    own = np.bincount(places[inside], minlength=len(labels))
    outside = int((~inside).sum())
    if outside:
        labels, own, counts = [*labels, "(in none of these)"], np.append(own, outside), np.append(counts, 0)
    return _drawn(labels, own, counts)


def _unread(released: Any, column: str, labels: list[str], counts: np.ndarray) -> dict:
    """Return labels of ranges that are called by names of one's own: where they begin and end is not known."""
    order = _frames.category_order(released, column) or labels
    by_label = dict(zip(labels, counts, strict=True))
    held = np.array([by_label.get(label, 0) for label in order], dtype=float)
    note = "Which values these labels stand for cannot be read from them, so that the original is not shown."
    return _cut(_drawn(order, np.full(len(order), np.nan), held, note=note), keep_order=True)


def _of_values(original: Any, released: Any, column: str, order: list | None) -> dict:
    """Return how often each value occurs, before and after; the rarest together."""
    (codes, values), (released_codes, labels) = coded(original, column), coded(released, column)
    place = {value: number for number, value in enumerate(dict.fromkeys([*(order or ()), *values, *labels]))}
    own, theirs = np.zeros(len(place)), np.zeros(len(place))
    own[[place[value] for value in values]] = np.bincount(codes, minlength=len(values) + 1)[: len(values)]
    counts = np.bincount(released_codes, minlength=len(labels) + 1)[: len(labels)]
    sets = [number for number, label in enumerate(labels) if label.startswith("{") and label not in values]
    members = _members(original, column, [labels[number] for number in sets])
    in_parts = set()
    for number, held in zip(sets, members, strict=True):
        if held:
            in_parts.add(number)
            theirs[[place[value] for value in held]] += counts[number] / len(held)
    for number, label in enumerate(labels):
        if number not in in_parts:
            theirs[place[label]] += counts[number]
    in_order = set(order or ())
    names = [name for name, number in place.items() if own[number] or theirs[number] or name in in_order]
    held = [place[name] for name in names]
    note = PARTS.format("values") if in_parts else ""
    return _cut(_drawn(names, own[held], theirs[held], note=note), keep_order=order is not None)


def _members(original: Any, column: str, labels: list[str]) -> list[list[str]]:
    """Return the values that each label of a set names; none where it names others, or missing ones, too."""
    if not labels:
        return []
    reader = SetReader(original, column)
    names = list(reader.position)
    found = (reader.members(label) for label in labels)
    return [[names[code] for code in one] if max(one, default=-1) < len(names) else [] for one in found]


def _cut(counts: dict, *, keep_order: bool) -> dict:
    """Return the bars, the most frequent first unless they have an order, with the rarest as one."""
    labels, both = counts["labels"], np.nan_to_num(counts["original"]) + counts["released"]
    falling = np.argsort(-both, kind="stable")
    kept, others = falling, falling[:0]
    if len(labels) > MOST_BARS:
        kept, others = falling[:MOST_BARS], falling[MOST_BARS:]
    kept = np.sort(kept) if keep_order else kept
    counts["labels"] = [labels[place] for place in kept]
    for name in ("original", "released"):
        held = counts[name]
        counts[name] = np.append(held[kept], held[others].sum()) if len(others) else held[kept]
    if len(others):
        counts["labels"].append(f"({len(others):,} others)")
    return counts


def _drawn(labels: list[str], original: np.ndarray, released: np.ndarray, **more: Any) -> dict:
    return {
        "labels": list(labels),
        "original": np.asarray(original, float),
        "released": np.asarray(released, float),
        **more,
    }
