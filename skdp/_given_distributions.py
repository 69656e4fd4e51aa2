"""Distributions that are parameters: checked, and made into tables to draw from."""

import datetime
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from skdp import _frames, _levels
from skdp._checks import ParameterError, invalid
from skdp._sampling import Frozen, Groups, Histogram, Ranges, Sampler, Values


def frozen(owner: Any, column: object, distribution: Any) -> Sampler:
    """Return the sampler of a frozen distribution of ``scipy.stats``."""
    if np.shape(distribution.rvs(size=2, random_state=0)) != (2,):
        raise _invalid(owner, column, distribution, "a distribution of one variable")
    return Sampler(Groups(), Frozen(distribution))


def conditional(owner: Any, frame: Any, column: object, distribution: Any, by: list) -> Sampler:
    """Return the sampler of a `skdp.imputation.Conditional`."""
    if not by or not isinstance(distribution.groups, Mapping) or not distribution.groups:
        raise _invalid(owner, column, distribution, "conditional on columns that 'by' names, with a dict of groups")
    keys = [key if isinstance(key, tuple) else (key,) for key in distribution.groups]
    if any(len(key) != len(by) for key in keys) or len(set(keys)) < len(keys):
        raise _invalid(owner, column, distribution, f"a dict of different groups, each one value for each of {by}")
    table = _frames.build({name: [key[i] for key in keys] for i, name in enumerate(by)}, frame)
    groups = Groups.learn(table, by)
    groups.locate(frame)  # a kind of value that cannot be matched shows now, not at `transform`
    members = list(distribution.groups.values())
    in_order = [members[position] for position in np.argsort(groups.locate(table))]
    return Sampler(groups, weighted(owner, frame, column, [*in_order, distribution.otherwise]))


def weighted(owner: Any, frame: Any, column: object, mappings: list) -> Histogram:
    """Return the histogram that dicts of values or ranges to weights describe, one group each."""
    weights = [_weights(owner, column, mapping) for mapping in mappings]
    entries = [entry for mapping in mappings for entry, weight in mapping.items() if weight > 0]
    kinds = {_kind(entry) for entry in entries}
    if len(kinds) > 1 or None in kinds:
        kinds = "over finite numbers and ranges (low, high), or all text, all booleans or all dates"
        raise _invalid(owner, column, mappings[0] if len(mappings) == 1 else mappings, kinds)
    if kinds == {"number"}:
        return Histogram.weigh(Ranges.between(entries), np.arange(len(entries)), weights)
    codes, values = _levels.levels(_frames.build({column: entries}, frame), column)
    return Histogram.weigh(Values(values, *kinds), codes, weights)


def _weights(owner: Any, column: object, mapping: Any) -> np.ndarray:
    """Return the weights of a dict that are not 0, as shares of 1."""
    if not isinstance(mapping, Mapping):
        forms = "'observed', a dict of values or ranges to weights, a Conditional or frozen by scipy.stats"
        raise _invalid(owner, column, mapping, forms)
    listed = list(mapping.values())
    real = all(isinstance(weight, numbers.Real) and not isinstance(weight, bool) for weight in listed)
    weights = np.array(listed if real else [-1], dtype=np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
        raise _invalid(owner, column, mapping, "a dict with weights that are finite, not negative and not all 0")
    return weights[weights > 0] / weights.sum()


def _kind(entry: Any) -> str | None:
    """Return the kind of value that an entry of a given distribution stands for; None for what it may not be."""
    if isinstance(entry, str):
        return "text"
    if isinstance(entry, bool | np.bool_):
        return "boolean"
    if isinstance(entry, datetime.date | np.datetime64):
        return "date" if entry == entry else None
    ends = entry if isinstance(entry, tuple) else (entry, entry)
    if len(ends) != 2 or not all(isinstance(end, numbers.Real) and not isinstance(end, bool) for end in ends):
        return None
    within = -(2.0**63) <= ends[0] <= ends[1] < 2.0**63 or not all(isinstance(end, numbers.Integral) for end in ends)
    return "number" if within and ends[0] <= ends[1] and np.isfinite(ends).all() else None


def check_kind(owner: Any, frame: Any, column: object, distribution: Any, kind: str) -> None:
    """Raise where a column that keeps values holds another kind of them."""
    if owner.replace == "all" or column not in frame.columns or _frames.missing(frame, column).all():
        return
    held = _frames.kind(frame, column)
    if held == "category":
        held = _frames.kind(_frames.build({column: _levels.levels(frame, column)[1]}, frame), column)
    if held != kind:
        raise _invalid(owner, column, distribution, f"a distribution of the kind of values it holds ({held})")


def _invalid(owner: Any, column: object, distribution: Any, requirement: str) -> ParameterError:
    return invalid(owner, "distributions", distribution, f"for column {column!r} {requirement}")
