"""Ranges between edges: what they are called, which one each value is in, and the columns that say so."""

import numbers
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _arrays, _frames
from skdp._checks import invalid
from skdp._quantiles import QuantileBins

# A comparison of the whole column with one edge costs 0.1 ns a value, a binary search 10 to 30 ns on unordered data
_EDGES_COMPARED = 100


def checked_edges(owner: object, column: object, edges: object) -> list:
    """Return the edges as a list, or raise unless they are increasing, finite numbers."""
    listed = list(edges) if isinstance(edges, Iterable) and not isinstance(edges, str | bytes | Mapping) else []
    real = all(isinstance(edge, numbers.Real) and not isinstance(edge, bool | np.bool_) for edge in listed)
    if real and not all(_is_exact(edge) for edge in listed if isinstance(edge, numbers.Integral)):
        raise invalid(owner, "edges", edges, f"a list without integers beyond 2^53 that no float64 is, for {column!r}")
    values = np.array(listed if real else [], dtype=np.float64)
    if not values.size or not np.isfinite(values).all() or not (np.diff(values) > 0).all():
        raise invalid(
            owner, "edges", edges, f"a list of at least one finite number, increasing and none twice, for {column!r}"
        )
    return listed


def _is_exact(integer: numbers.Integral) -> bool:
    try:
        return int(float(integer)) == int(integer)
    except OverflowError:
        return False


def checked_labels(owner: object, column: object, labels: object, count: int) -> list[str]:
    listed = list(labels) if isinstance(labels, Iterable) and not isinstance(labels, str | bytes) else []
    if len(listed) != count or not all(isinstance(label, str) for label in listed) or len(set(listed)) < count:
        requirement = f"a list of {count} different texts for {column!r}, one more than there are edges"
        raise invalid(owner, "labels", labels, requirement)
    return listed


def interval_labels(edges: list, closed: str) -> list[str]:
    """Return the names of the ranges between `edges`, lowest first.

    Examples
    --------
    >>> interval_labels([24, 34.0, 44.5], "right")
    ['24 and Under', '24 - 34', '34 - 44.5', '44.5 and Over']
    """
    names = [_spelled(edge) for edge in edges]
    between = [f"{low} - {high}" for low, high in zip(names, names[1:], strict=False)]
    lowest = f"{names[0]} and Under" if closed == "right" else f"Under {names[0]}"
    return [lowest, *between, f"{names[-1]} and Over"]


def _spelled(number: numbers.Real) -> str:
    return str(int(number)) if isinstance(number, numbers.Integral) else repr(float(number)).removesuffix(".0")


def bin_labels(bins: QuantileBins, how: str) -> list[str]:
    """Return the names of learned bins, lowest first, all different."""
    if how == "rank":
        return [str(rank) for rank in range(len(bins.means))]
    intervals = interval_labels(list(bins.edges), "right") if len(bins.edges) else ["Any"]
    if how == "interval" or not bins.n_values:
        return intervals
    names = [_spelled(mean) for mean in bins.means]
    times = Counter(names)
    return [f"{name} ({own})" if times[name] > 1 else name for name, own in zip(names, intervals, strict=True)]


def interval_codes(values: np.ndarray, edges: np.ndarray, closed: str) -> np.ndarray:
    """Return the range that each value is in: how many edges lie below it; -1 for a missing value."""
    if len(edges) > _EDGES_COMPARED:
        codes = np.searchsorted(edges, values, side="left" if closed == "right" else "right").astype(np.int32)
    else:
        is_above = np.greater if closed == "right" else np.greater_equal
        codes = np.zeros(len(values), dtype=np.int8)
        for edge in edges:
            codes += is_above(values, edge).view(np.int8)
    codes[np.isnan(values)] = -1
    return codes


def encoded(column: str, ranks: np.ndarray, labels: list[str], how: str) -> dict[str, Any]:
    """Return the columns that one column's ranks become; -1 is missing."""
    if how == "label":
        return {column: _arrays.Categories(ranks, tuple(labels))}
    if how == "ordinal":
        gaps, ranks = ranks < 0, ranks.astype(np.int64)
        return {column: pa.array(ranks, mask=gaps) if gaps.any() else ranks}
    return {name: (ranks == rank).view(np.int8) for rank, name in enumerate(onehot_names(column, labels))}


def decoded(frame: Any, column: str, labels: list[str], how: str) -> np.ndarray:
    """Return the ranks that `encoded` put into a table; -1 is missing."""
    if how == "onehot":
        ranks, known = np.full(len(frame), -1), np.full(len(frame), True)
        for rank, name in enumerate(onehot_names(column, labels)):
            given = _frames.numbers(frame, name)
            here = given == 1
            known &= (here & (ranks < 0)) | (given == 0)
            ranks[here] = rank
    elif _frames.kind(frame, column) == "number":
        given = _frames.numbers(frame, column)
        known = np.isin(given, np.arange(len(labels))) | np.isnan(given)
        ranks = np.where(np.isnan(given) | ~known, -1, given).astype(np.int64)
    else:
        given = _frames.texts(frame, column)
        found = pc.index_in(given, pa.array(labels, pa.large_string()))
        ranks = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
        known = (ranks >= 0) | _frames.missing(frame, column)
    if not known.all():
        raise ValueError(
            f"Column {column!r} holds {int((~known).sum())} values that are no ranges of QuantileBinner; give "
            "inverse_transform what transform puts out."
        )
    return ranks


def onehot_names(column: str, labels: list[str]) -> list[str]:
    return [f"{column}_{label}" for label in labels]
