"""Which records to mask: those whose absence makes the labels of their class tell more than is lost with them."""

from collections.abc import Sequence

import numpy as np

from skdp._mondrian import Recoding
from skdp._scales import RangeScale, SetScale, TreeScale, at, runs_of


def outlying_records(codes: Sequence[np.ndarray], recoding: Recoding, classes: np.ndarray, budget: int) -> np.ndarray:
    """Return which records to mask: at most `budget`, at least k or none.

    From each class at most one end of one quasi-identifier is taken: the lowest or highest value of a range, the rarest
    of a set, what is not under the largest child of a node. Those that save most for each record come first.
    """
    net, number_of, count, end_of = _savings(codes, recoding, classes)
    order = np.lexsort((np.arange(len(net)), -net))
    order = order[number_of[order] >= 0]
    chosen = np.zeros(len(net), dtype=bool)
    chosen[order[np.cumsum(count[order]) <= budget]] = True
    masked = np.zeros(len(classes), dtype=bool)
    for number, (code, scale) in enumerate(zip(codes, recoding.scales, strict=True)):
        for position, (runs, goes, *_) in enumerate(_ends(code, scale, classes, len(net))):
            here = chosen & (number_of == number) & (end_of == position)
            masked |= at(runs, goes & here[runs.part], classes, code, scale.size)
    if recoding.allowed is not None and masked.any():
        masked = _allowed_alone(masked, classes, len(net), recoding.allowed)
    return masked if masked.sum() >= recoding.k else np.zeros(len(classes), dtype=bool)


def _savings(codes, recoding, classes):
    """Return for each class what each record masked saves, and which these are: column (-1: none), count and end."""
    n_classes = int(classes.max()) + 1
    sizes = np.bincount(classes, minlength=n_classes)
    covers = [_covers(code, scale, classes, n_classes) for code, scale in zip(codes, recoding.scales, strict=True)]
    known = sum((1 - cover) * weight for cover, weight in zip(covers, recoding.weights, strict=True))
    best, number_of = np.zeros(n_classes), np.full(n_classes, -1)
    counts, end_of = np.zeros(n_classes, dtype=np.int64), np.zeros(n_classes, dtype=np.int64)
    for number, (code, scale, weight) in enumerate(zip(codes, recoding.scales, recoding.weights, strict=True)):
        for position, (_, _, count, cover) in enumerate(_ends(code, scale, classes, n_classes)):
            net = (sizes - count) * (covers[number] - cover) * weight / np.maximum(count, 1) - known
            better = (count > 0) & (sizes - count >= recoding.k) & (net > best + 1e-9)
            best[better], number_of[better] = net[better], number
            counts[better], end_of[better] = count[better], position
    return best, number_of, counts, end_of


def _allowed_alone(masked, classes, n_classes, allowed) -> np.ndarray:
    """Return the records to mask such that what is left of each class, and they themselves, are allowed."""
    kept = np.flatnonzero(~masked)
    masked = masked & allowed(kept, classes[kept], n_classes)[classes]
    rows = np.flatnonzero(masked)
    if len(rows) and allowed(rows, np.zeros(len(rows), dtype=np.int64), 1)[0]:
        return masked
    return np.zeros(len(classes), dtype=bool)


def _covers(code, scale, classes, n_classes) -> np.ndarray:
    runs = runs_of(classes, code, n_classes, scale.size)
    if isinstance(scale, RangeScale):
        return scale.cover(runs.code[runs.starts], runs.code[runs.ends])
    if isinstance(scale, SetScale):
        return scale.cover(runs.ends - runs.starts + 1)
    return scale.covers[scale.paths[runs.code[runs.starts], scale.depths(runs)]]


def _ends(code, scale, classes, n_classes):
    """Yield what could go: which runs, how many records of each class they have, and what is covered without them."""
    runs = runs_of(classes, code, n_classes, scale.size)
    first, last = runs.starts, runs.ends
    if isinstance(scale, TreeScale):
        child, most = scale.largest_child(runs)
        yield (
            runs,
            scale.children(runs, scale.depths(runs)) != child[runs.part],
            runs.totals - most,
            scale.covers[child],
        )
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
        yield runs, goes, runs.count[end], cover
