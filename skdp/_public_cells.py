"""Public cells: the values, or ranges, and the groups of rows that are counted with noise, whoever has them."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from skdp import _frames, _levels
from skdp._checks import check_columns, check_integer, invalid
from skdp._learning import bounds_of, found_bounds
from skdp._noisy_counts import Noise, projected
from skdp._noisy_quantiles import cells_of
from skdp._sampling import Groups, Histogram, Ranges, Values
from skdp.bounds import DPBounds

_MOST_CELLS = 10**7
_GREATEST_INTEGER = 2**52


def check_no_public_parameters(owner: Any) -> None:
    for name in ("categories", "bounds"):
        if getattr(owner, name) is not None:
            raise invalid(owner, name, getattr(owner, name), "None where 'epsilon' is None: only noise needs them")


def public_groups(owner: Any, frame: Any, by: list) -> Groups:
    """Return all groups that the public categories of the `by` columns make, the missing value one of them."""
    _check_public(owner, frame, by)
    for column in by:
        _public_values(owner, frame, column)
    listed = [[*dict.fromkeys(owner.categories[column]), None] for column in by]
    if math.prod(map(len, listed)) > _MOST_CELLS:
        raise invalid(owner, "by", owner.by, f"columns whose categories make at most {_MOST_CELLS} groups")
    keys = list(itertools.product(*listed))
    return Groups.learn(_frames.build({name: [key[i] for key in keys] for i, name in enumerate(by)}, frame), by)


def _check_public(owner: Any, frame: Any, by: list) -> None:
    check_integer(owner, "n_bins", owner.n_bins, low=1, high=_MOST_CELLS)
    if owner.categories is not None and not isinstance(owner.categories, Mapping):
        raise invalid(owner, "categories", owner.categories, "a dict of columns to lists of public values, or None")
    check_columns(owner, "categories", owner.categories or {}, frame.columns)
    without = [column for column in by if column not in (owner.categories or ())]
    if without:
        raise invalid(owner, "categories", owner.categories, f"a dict that names {without[0]!r}, which is in 'by'")


def public_cells(owner: Any, frame: Any, column: object) -> Callable[[Noise], tuple[np.ndarray, Any]]:
    """Return what finds the public cell of each row, -1 for none, and the entries of cells; all is checked."""
    if column in (owner.categories or ()):
        entries = _public_values(owner, frame, column)
        own = _levels.locate(frame, column, entries)
        return lambda noise: (own, Values(entries))
    bounds, values = bounds_of(owner, column), _frames.clipped_numbers(frame, column, _GREATEST_INTEGER)
    whole = frame.schema[column].is_integer()
    if isinstance(bounds, DPBounds):  # whose ends are whole numbers, or 0 and 1 between them
        return lambda noise: _numbered_cells(values, found_bounds(bounds, column, values, noise), owner.n_bins, whole)
    if whole and math.ceil(bounds[0]) > math.floor(bounds[1]):
        raise invalid(owner, "bounds", owner.bounds, f"around an integer for the column {column!r} of integers")
    return lambda noise: _numbered_cells(values, bounds, owner.n_bins, whole)


def _public_values(owner: Any, frame: Any, column: object) -> Any:
    """Return the public categories of a column as an Arrow array, checked."""
    given = owner.categories[column]
    listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else []
    values = _levels.levels(_frames.build({column: listed}, frame), column)[1] if listed else None
    if not isinstance(values, pa.Array) or not len(values):
        kinds = "all text, all numbers, all booleans or all dates"
        raise invalid(owner, "categories", given, f"for column {column!r} a list of values, {kinds}")
    return values


def _numbered_cells(
    values: np.ndarray, bounds: tuple[float, float], n_bins: int, whole: bool
) -> tuple[np.ndarray, Ranges]:
    """Return the range between public bounds that each number is in (-1: missing), and the ranges.

    Examples
    --------
    >>> own, ranges = _numbered_cells(np.array([-5.0, np.nan, 7.0]), (0.0, 9.0), 4, whole=True)
    >>> own.tolist(), ranges.low.tolist(), ranges.high.tolist()
    ([0, -1, 2], [0, 3, 6, 9], [2, 5, 8, 9])
    """
    lower, upper = bounds
    if whole:
        low, high = math.ceil(max(lower, -_GREATEST_INTEGER)), math.floor(min(upper, _GREATEST_INTEGER))
        width = -(-(high - low + 1) // n_bins)
        known = np.where(np.isnan(values), low, values)
        own = (np.clip(known, low, high) - low).astype(np.int64) // width
        starts = range(low, high + 1, width)
        entries = [(start, min(start + width - 1, high)) for start in starts]
    else:
        own = cells_of(np.clip(values, lower, upper), lower, upper, n_bins)
        ends = (np.linspace(lower / 2, upper / 2, n_bins + 1) * 2).tolist()
        entries = list(zip(ends, ends[1:], strict=False))
    return np.where(np.isnan(values), -1, own), Ranges.between(entries)


def counted(owner: Any, column: object, own: np.ndarray, entries: Any, groups: np.ndarray, n_groups: int) -> np.ndarray:
    """Return how many rows are in each public cell of each group, the rows of no group last."""
    size, known = len(entries), own >= 0
    if size * (n_groups + 1) > _MOST_CELLS:
        raise invalid(owner, "by", owner.by, f"columns that make at most {_MOST_CELLS} cells for column {column!r}")
    places = np.where(groups < 0, n_groups, groups)[known] * size + own[known]
    return np.bincount(places, minlength=size * (n_groups + 1))


def noisy_histogram(noisy: np.ndarray, entries: Any) -> Histogram:
    """Return the histogram of noisy counts of public cells in each group, and in all, made non-negative."""
    size = len(entries)
    counts = noisy.reshape(-1, size).astype(np.float64)
    marginal = _non_negative(counts.sum(axis=0))
    marginal = np.full(size, 1 / size) if marginal is None else marginal
    weights = [_non_negative(own_counts) for own_counts in counts[:-1]]
    weights = [marginal if one is None else one for one in weights] + [marginal]
    return Histogram.weigh(entries, np.tile(np.arange(size), len(weights)), weights)


def _non_negative(counts: np.ndarray) -> np.ndarray | None:
    """Return the nearest non-negative counts of the same sum, as shares of 1; None where that is not positive."""
    total = float(counts.sum())
    return projected(counts, total) / total if total > 0 else None
