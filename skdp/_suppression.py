"""Which records to mask: those whose absence makes the labels of their class tell more than is lost with them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from skdp._mondrian import Recoding, Records
from skdp._scales import RangeScale, Runs, SetScale, TreeScale, at, runs_of, tally


@dataclass(frozen=True, repr=False)
class Ends:
    """What may be masked of each class: the end of one quasi-identifier whose absence saves most for each record.

    Parameters
    ----------
    saved : ndarray of float64 of shape (n_classes,)
        What is saved for each record masked, in cells.
    count : ndarray of int64 of shape (n_classes,)
        How many records would be masked; 0 where none saves anything.
    number : ndarray of int64 of shape (n_classes,)
        The quasi-identifier; -1 where none saves anything.
    end : ndarray of int64 of shape (n_classes,)
        Which of its ends, as `_ends` counts them.
    """

    saved: np.ndarray
    count: np.ndarray
    number: np.ndarray
    end: np.ndarray

    def within(self, budget: int) -> np.ndarray:
        """Return of which classes the ends are masked: those that save most, as long as there are at most `budget`."""
        order = np.lexsort((np.arange(len(self.saved)), -self.saved))
        order = order[self.number[order] >= 0]
        chosen = np.zeros(len(self.saved), dtype=bool)
        chosen[order[np.cumsum(self.count[order]) <= budget]] = True
        return chosen

    def held(self, records: Records, recoding: Recoding, classes: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return which records are at the ends of the chosen classes."""
        held = np.zeros(len(classes), dtype=bool)
        for number, (code, scale) in enumerate(zip(records.codes, recoding.scales, strict=True)):
            runs = runs_of(classes, code, len(chosen), scale.size, records.times)
            for position, (goes, *_) in enumerate(_ends(runs, scale)):
                here = chosen & (self.number == number) & (self.end == position)
                held |= at(runs, goes & here[runs.part], classes, code, scale.size)
        return held


def outlying_records(records: Records, recoding: Recoding, classes: np.ndarray, budget: int) -> np.ndarray:
    """Return which records to mask: at most `budget`, at least k or none.

    From each class at most one end of one quasi-identifier is taken: the lowest or highest value of a range, the rarest
    of a set, what is not under the largest child of a node. Those that save most for each record come first.
    """
    ends = best_ends(records, recoding, classes)
    masked = ends.held(records, recoding, classes, ends.within(budget))
    if recoding.constraints and masked.any():
        masked = _allowed_alone(masked, records, recoding, classes, len(ends.saved))
    n_masked = masked.sum() if records.times is None else records.times[masked].sum()
    return masked if n_masked >= recoding.k else np.zeros(len(classes), dtype=bool)


def best_ends(records: Records, recoding: Recoding, classes: np.ndarray) -> Ends:
    """Return the end of each class that saves most."""
    n_classes = int(classes.max()) + 1
    sizes = tally(classes, n_classes, records.times)
    runs = [
        runs_of(classes, code, n_classes, scale.size, records.times)
        for code, scale in zip(records.codes, recoding.scales, strict=True)
    ]
    covers = [_covers(one, scale) for one, scale in zip(runs, recoding.scales, strict=True)]
    known = sum((1 - cover) * weight for cover, weight in zip(covers, recoding.weights, strict=True))
    best, number_of = np.zeros(n_classes), np.full(n_classes, -1)
    counts, end_of = np.zeros(n_classes, dtype=np.int64), np.zeros(n_classes, dtype=np.int64)
    for number, (scale, weight) in enumerate(zip(recoding.scales, recoding.weights, strict=True)):
        for position, (_, count, cover) in enumerate(_ends(runs[number], scale)):
            net = (sizes - count) * (covers[number] - cover) * weight / np.maximum(count, 1) - known
            better = (count > 0) & (sizes - count >= recoding.k) & (net > best + 1e-9)
            best[better], number_of[better] = net[better], number
            counts[better], end_of[better] = count[better], position
    return Ends(best, counts, number_of, end_of)


def _allowed_alone(masked, records, recoding, classes, n_classes) -> np.ndarray:
    """Return the records to mask such that what is left of each class, and they themselves, are allowed."""
    kept = np.flatnonzero(~masked)
    masked = masked & recoding.allows(records, kept, classes[kept], n_classes)[classes]
    rows = np.flatnonzero(masked)
    if len(rows) and recoding.allows(records, rows, np.zeros(len(rows), dtype=np.int64), 1)[0]:
        return masked
    return np.zeros(len(classes), dtype=bool)


def _covers(runs: Runs, scale) -> np.ndarray:
    if isinstance(scale, RangeScale):
        return scale.cover(runs.code[runs.starts], runs.code[runs.ends])
    if isinstance(scale, SetScale):
        return scale.cover(runs.ends - runs.starts + 1)
    return scale.covers[scale.paths[runs.code[runs.starts], scale.depths(runs)]]


def _ends(runs: Runs, scale) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield what could go: which runs, how many records of each class they have, and what is covered without them."""
    first, last = runs.starts, runs.ends
    if isinstance(scale, TreeScale):
        child, most = scale.largest_child(runs)
        goes = scale.children(runs, scale.depths(runs)) != child[runs.part]
        yield goes, runs.totals - most, scale.covers[child]
        return
    if isinstance(scale, SetScale):
        rarest = np.lexsort((runs.code, runs.count, runs.part))[first]
        ends = [(rarest, scale.cover(np.maximum(last - first, 1)))]
    else:
        low, high = runs.code[first], runs.code[last]
        ends = [
            (first, scale.cover(runs.code[np.minimum(first + 1, last)], high)),
            (last, scale.cover(low, runs.code[np.maximum(last - 1, first)])),
        ]
    for end, cover in ends:
        goes = np.zeros(len(runs.code), dtype=bool)
        goes[end] = True
        yield goes, runs.count[end], cover
