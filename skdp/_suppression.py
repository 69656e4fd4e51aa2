"""Which records to mask: those whose absence makes the labels of their class tell more than is lost with them."""

from collections.abc import Sequence

import numpy as np

from skdp._mondrian import Constraint, RangeScale, SetScale, runs_of


def outlying_records(
    codes: Sequence[np.ndarray],
    scales: Sequence,
    weights: Sequence[float],
    classes: np.ndarray,
    k: int,
    budget: int,
    allowed: Constraint | None,
) -> np.ndarray:
    """Return which records to mask: at most `budget`, at least k or none.

    From each class at most one value of one quasi-identifier is taken: its lowest or highest of a range, its rarest of
    a set. Those that save most for each record come first. Columns with a hierarchy are left as they are.
    """
    net, number_of, count, code_of = _savings(codes, scales, weights, classes, k)
    order = np.lexsort((np.arange(len(net)), -net))
    order = order[number_of[order] >= 0]
    chosen = np.zeros(len(net), dtype=bool)
    chosen[order[np.cumsum(count[order]) <= budget]] = True
    masked = np.zeros(len(classes), dtype=bool)
    for number, code in enumerate(codes):
        masked |= (chosen & (number_of == number))[classes] & (code == code_of[classes])
    if allowed is not None and masked.any():
        masked = _allowed_alone(masked, classes, len(net), allowed)
    return masked if masked.sum() >= k else np.zeros(len(classes), dtype=bool)


def _savings(codes, scales, weights, classes, k):
    """Return for each class what each record masked saves, and which these are: column (-1: none), count and code."""
    n_classes = int(classes.max()) + 1
    sizes = np.bincount(classes, minlength=n_classes)
    covers = [_covers(code, scale, classes, n_classes) for code, scale in zip(codes, scales, strict=True)]
    known = sum((1 - cover) * weight for cover, weight in zip(covers, weights, strict=True))
    best, number_of = np.zeros(n_classes), np.full(n_classes, -1)
    counts, code_of = np.zeros(n_classes, dtype=np.int64), np.zeros(n_classes, dtype=np.int64)
    for number, (code, scale, weight) in enumerate(zip(codes, scales, weights, strict=True)):
        for count, value, cover in _ends(code, scale, classes, n_classes):
            net = (sizes - count) * (covers[number] - cover) * weight / count - known
            better = (sizes - count >= k) & (net > best + 1e-9)
            best[better], number_of[better] = net[better], number
            counts[better], code_of[better] = count[better], value[better]
    return best, number_of, counts, code_of


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
    """Yield for each class the count and code of a value that could go, and what is covered without it."""
    runs = runs_of(classes, code, n_classes, scale.size)
    first, last = runs.starts, runs.ends
    if isinstance(scale, RangeScale):
        low, high = runs.code[first], runs.code[last]
        yield runs.count[first], low, scale.cover(runs.code[np.minimum(first + 1, last)], high)
        yield runs.count[last], high, scale.cover(low, runs.code[np.maximum(last - 1, first)])
    elif isinstance(scale, SetScale):
        rarest = np.lexsort((runs.code, runs.count, runs.part))[first]
        yield runs.count[rarest], runs.code[rarest], scale.cover(np.maximum(last - first, 1))
