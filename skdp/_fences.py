"""Fences that tell outlying numbers, by five rules: of values in memory, or of what is known of those in chunks."""

import math
from decimal import ROUND_FLOOR, Decimal

import numpy as np

from skdp._number_summaries import NumberSummary
from skdp._quantiles import WeightedOrder

_NORMAL_QUARTILE = 0.6744897501960817  # of the standard normal: its MAD
_SLACK = 0.01  # how much farther from the median than the rule a fence may stand, to be a round number
_FEW = 1 << 20  # values that are added one by one, so that chunks give the very sum of the table
_GAP_BLOCK = 64  # how many values in a tail are looked at first; doubled while all of them are outlying


class HiddenGap(Exception):  # noqa: N818
    """What is known of a column does not tell where its tails begin."""


@np.errstate(over="ignore", invalid="ignore")  # a fence beyond all doubles is none
def fences_of_values(values: np.ndarray, method: str, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the low and the high fence of columns.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_columns, n_rows)
        Numbers; missing and infinite ones take no part.
    method : {"iqr", "zscore", "mad", "quantile", "gap"}
        The rule.
    factors : ndarray of float64 of shape (n_columns,)
        How far out a value must be.

    Returns
    -------
    low, high : ndarray of float64 of shape (n_columns,)
        Infinite where there is no fence.

    Examples
    --------
    >>> fences_of_values(np.array([[1.0, 2.0, 3.0, 4.0, 90.0]]), "iqr", np.array([3.0]))
    (array([-4.01]), array([10.01]))
    """
    ordered = _ordered(values)
    counts = ordered.shape[1] - np.isnan(ordered).sum(axis=1)
    low, high = _RULES[method](ordered, counts, factors)
    median = _quantiles(ordered, counts, 0.5)
    varied = ordered[:, 0] < _at(ordered, counts - 1)
    below = (ordered < low[:, np.newaxis]).sum(axis=1)
    above = (ordered > high[:, np.newaxis]).sum(axis=1)
    last_below = np.where(below > 0, _at(ordered, below - 1), -np.inf)
    first_above = np.where(above > 0, _at(ordered, counts - above), np.inf)
    spread = _at(ordered, counts - above - 1) - _at(ordered, below)
    return _rounded(low, high, last_below, first_above, median, spread, varied)


@np.errstate(over="ignore", invalid="ignore")
def fences_of_summary(summary: NumberSummary, method: str, factor: float) -> tuple[float, float]:
    """Return the low and the high fence of a column, as `fences_of_values` does, by what is known of its values.

    Parameters
    ----------
    summary : NumberSummary
        The values.
    method, factor
        See `fences_of_values`.

    Raises
    ------
    HiddenGap
        If the rule is ``"gap"``, and the values that are known do not tell where a tail begins.
    """
    order = summary.order()
    if not order.varies:
        return -math.inf, math.inf
    low, high = _limits(summary, order, method, factor)
    values = order.values
    below, above = np.searchsorted(values, low), np.searchsorted(values, high, side="right")
    last_below = values[below - 1] if below else -np.inf
    first_above = values[above] if above < len(values) else np.inf
    spread = values[max(above - 1, 0)] - values[min(below, len(values) - 1)]
    numbers = (low, high, last_below, first_above, order.quantile(0.5), spread, True)
    found_low, found_high = _rounded(*(np.array([number]) for number in numbers))
    return float(found_low[0]), float(found_high[0])


def _ordered(values: np.ndarray) -> np.ndarray:
    """Return the values (n_columns, n_rows) in ascending order along rows, missing and infinite ones last as NaN."""
    ordered = np.array(values, order="C")
    ordered[~np.isfinite(ordered)] = np.nan
    ordered.sort(axis=1)  # once, for whatever a rule needs: it takes a third of the time of np.quantile
    return ordered


def _rounded(low, high, last_below, first_above, median, spread, varied) -> tuple[np.ndarray, np.ndarray]:
    """Return the fences at, or little beyond, the limits that a rule gave."""
    has_low, has_high = varied & np.isfinite(low), varied & np.isfinite(high)
    return (
        -_rounded_outward(-low, -last_below, -median, spread, has_low),
        _rounded_outward(high, first_above, median, spread, has_high),
    )


def _at(ordered: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return one value from each row."""
    inside = np.clip(positions, 0, ordered.shape[1] - 1)
    return np.take_along_axis(ordered, inside[:, np.newaxis], axis=1)[:, 0]


def _quantiles(ordered: np.ndarray, counts: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """Return a quantile of the first `counts` values of each row, to the bit as np.quantile interpolates it."""
    position = (counts - 1) * share
    before = np.floor(position).astype(np.intp)
    weight = position - before
    low, high = _at(ordered, before), _at(ordered, np.minimum(before + 1, counts - 1))
    return np.where(weight < 0.5, low + (high - low) * weight, high - (high - low) * (1 - weight))


def _around(low: np.ndarray, high: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `low` less and `high` plus `spread`; without a spread there are no fences."""
    return np.where(spread > 0, low - spread, -np.inf), np.where(spread > 0, high + spread, np.inf)


def _iqr(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = (_quantiles(ordered, counts, share) for share in (0.25, 0.75))
    return _around(lower, upper, factors * (upper - lower))


def _zscore(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    present, size = ~np.isnan(ordered), np.maximum(counts, 1)
    mean = np.sum(ordered, axis=1, where=present) / size
    deviation = ordered - mean[:, np.newaxis]
    np.square(deviation, out=deviation)
    return _around(mean, mean, factors * np.sqrt(np.sum(deviation, axis=1, where=present) / size))


def _mad(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    median = _quantiles(ordered, counts, 0.5)
    deviation = ordered - median[:, np.newaxis]
    np.abs(deviation, out=deviation).sort(axis=1)
    return _around(median, median, factors * _quantiles(deviation, counts, 0.5) / _NORMAL_QUARTILE)


def _tail_quantiles(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _quantiles(ordered, counts, factors), _quantiles(ordered, counts, 1 - factors)


def _gap(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    median = _quantiles(ordered, counts, 0.5)
    from_left = np.arange(ordered.shape[1])
    left = _gap_limit(ordered, median, factors, lambda size: np.tile(from_left[:size], (len(counts), 1)))
    right = _gap_limit(ordered, median, factors, lambda size: counts[:, np.newaxis] - 1 - from_left[:size])
    return median - left, median + right


def _gap_limit(ordered, median, factors, positions) -> np.ndarray:
    """Return the distance from the median at which a tail begins, its values told by `positions` from the extreme."""
    size = min(_GAP_BLOCK, ordered.shape[1])
    while True:
        inside = np.maximum(positions(size), 0)
        distance = np.abs(np.take_along_axis(ordered, inside, axis=1) - median[:, np.newaxis])
        jumps = (distance[:, :-1] >= factors[:, np.newaxis] * distance[:, 1:]) & (distance[:, :-1] > 0)
        outlying = np.logical_and.accumulate(jumps, axis=1).sum(axis=1)
        if size == ordered.shape[1] or (outlying < size - 1).all():
            break
        size = min(2 * size, ordered.shape[1])
    kept = _at(distance, outlying)
    first = np.where(outlying > 0, _at(distance, outlying - 1), np.inf)
    limit = factors * kept
    return np.where(limit < first, limit, kept + (first - kept) / 2)


def _rounded_outward(limit, first_outlying, median, spread, exists) -> np.ndarray:
    """Return fences for the right tail: round numbers between each limit and the first value beyond it."""
    slack = _SLACK * np.abs(limit - median)
    slack = np.where(slack > 0, slack, _SLACK * spread)
    farthest = np.where(slack > 0, np.minimum(first_outlying, limit + slack), first_outlying)
    fences = np.full(len(limit), np.inf)
    for column in np.flatnonzero(exists & np.isfinite(farthest)):
        fences[column] = _roundest(float(limit[column]), float(farthest[column]))
    return fences


def _roundest(low: float, high: float) -> float:
    """Return the number of fewest digits strictly between two others; `low` where no double is.

    Examples
    --------
    >>> _roundest(47.31, 47.68), _roundest(-0.0123, 0.5), _roundest(99.2, 100.7), _roundest(1.4, 1.415)
    (47.4, 0.0, 100.0, 1.41)
    """
    shortest_low, shortest_high = Decimal(repr(low)), Decimal(repr(high))
    step = Decimal(1).scaleb((shortest_high - shortest_low).adjusted())
    for unit in (step * 10, step, step / 10):
        number = float(((shortest_low / unit).to_integral_value(ROUND_FLOOR) + 1) * unit)
        if low < number < high:
            return number
    return low


_RULES = {"iqr": _iqr, "zscore": _zscore, "mad": _mad, "quantile": _tail_quantiles, "gap": _gap}


def _limits(summary: NumberSummary, order: WeightedOrder, method: str, factor: float) -> tuple[float, float]:
    """Return the limits of a rule for numbers that vary."""
    quantile = order.quantile
    if method == "quantile":
        return quantile(factor), quantile(1 - factor)
    if method == "iqr":
        low, high = quantile(0.25), quantile(0.75)
        spread = factor * (high - low)
    elif method == "zscore":
        if summary.is_exact and summary.count <= _FEW:
            values = np.repeat(summary.cells.low, summary.cells.count)[np.newaxis]
            low, high = _zscore(values, np.array([summary.count]), np.array([factor]))
            return float(low[0]), float(high[0])
        low = high = summary.mean
        spread = factor * math.sqrt(summary.squares / summary.count)
    elif method == "mad":
        low = high = quantile(0.5)
        spread = factor * order.distances(low).quantile(0.5) / _NORMAL_QUARTILE
    else:
        return _gap_limits(summary, quantile(0.5), factor)
    return (low - spread, high + spread) if spread > 0 else (-math.inf, math.inf)


def _gap_limits(summary: NumberSummary, median: float, factor: float) -> tuple[float, float]:
    """Return the limits of `_gap`, to the bit where all values are known."""
    values, known, hidden = summary.cells.items()
    low, high = _around_median(values, known, hidden, median)
    left = _gap_distance(values, known, hidden, (low, median, high), factor)
    mirrored = (-values[::-1], known[::-1], np.append(hidden[-2::-1], 0))
    right = _gap_distance(*mirrored, (-high, -median, -low), factor)
    return median - left, median + right


def _around_median(values, known, hidden, median: float) -> tuple[float, float]:
    """Return known values between which the median lies; itself twice where it is known."""
    up_to = np.cumsum(known + hidden)
    middles = np.array([(up_to[-1] - 1) // 2, up_to[-1] // 2])
    places = np.searchsorted(up_to, middles, side="right")
    unknown = middles >= (up_to - hidden)[places]
    if not unknown.any():
        return median, median
    return float(values[places[0]]), float(values[places[1] + unknown[1]])


def _gap_distance(values, known, hidden, medians: tuple[float, float, float], factor: float) -> float:
    """Return the distance from the median at which the left tail begins; `medians` are its bounds, and it between."""
    found = [_outlying(values, known, median, factor) for median in medians]
    outlying, median = found[1], medians[1]
    # left of the median, the next known value is nearer to it than what is hidden before that
    beside = values[min(outlying + 1, len(values) - 1)] <= medians[0]
    if len(set(found)) > 1 or hidden[:outlying].any() or (hidden.any() and not beside):
        raise HiddenGap
    kept = abs(values[outlying] - median)
    limit, first = factor * kept, abs(values[outlying - 1] - median) if outlying else math.inf
    return limit if limit < first else kept + (first - kept) / 2


def _outlying(values, known, median: float, factor: float) -> int:
    """Return how many values, from the lowest up, are single and so much farther from the median than the next."""
    distance = np.abs(values - median)
    jumps = (known[:-1] == 1) & (distance[:-1] > 0) & (distance[:-1] >= factor * distance[1:])
    return int(np.argmin(np.append(jumps, False)))
