"""What the steps that add noise share: which columns they noise, checks of parameters, fresh bits, the guarantee."""

import math
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from numbers import Integral
from typing import Any

import numpy as np
import pyarrow.compute as pc

from skdp import _frames
from skdp._checks import ParameterError, check_columns, check_integer, invalid
from skdp._rationals import rational
from skdp._streams import blocks, first_row
from skdp.accounting import PrivacyGuarantee
from skdp.mechanisms import secure_source, seeded_source

GAPS_ARE_PUBLIC = "whether a cell is missing is public"
INTEGERS_ARE_PUBLIC = "whether a column holds integers is public"
_SEEDED = "the noise is seeded: whoever knows random_state can take it off"
_NOTHING_NOISED = "no column is noised"
_NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"


def columns_of(owner: Any, frame: Any, names: tuple[str, ...], fits: Callable[[Any, object], bool]) -> list:
    """Return the columns to noise: those of `columns`, else those that dicts name, else all that fit."""
    named: dict = {}
    for name in names:
        if isinstance(getattr(owner, name), Mapping):
            named |= dict.fromkeys(check_columns(owner, name, getattr(owner, name), frame.columns))
    if owner.columns is not None:
        columns = check_columns(owner, "columns", owner.columns, frame.columns)
        for name in names:
            _check_among(owner, name, columns)
        return columns
    return list(named) or [column for column in frame.columns if fits(frame, column)]


def _check_among(owner: Any, name: str, columns: list) -> None:
    """Raise where a dict names columns that `columns` leaves out: they would go without noise."""
    value = getattr(owner, name)
    outside = [column for column in value if column not in columns] if isinstance(value, Mapping) else []
    if outside:
        raise ParameterError(
            f"The {name!r} parameter of {type(owner).__name__} names {', '.join(map(repr, outside))}, which 'columns' "
            "leaves out; name the same columns in both."
        )


def should_be_numeric(frame: Any, column: object) -> bool:
    """Whether a column holds numbers, be it among other values: these must not slip through without noise."""
    kind = _frames.kind(frame, column)
    if kind == "text":
        spelled = _count_spelled_numbers(frame, column)
        return spelled > 0 and 2 * spelled >= int((~_frames.missing(frame, column)).sum())
    return kind == "number" or kind == "other" and _frames.has_numbers(frame, column)


def _count_spelled_numbers(frame: Any, column: object) -> int:
    """Return how many cells of a column of text parse as numbers."""
    return pc.sum(pc.match_substring_regex(_frames.texts(frame, column), _NUMBER)).as_py() or 0


def is_categorical(frame: Any, column: object) -> bool:
    return _frames.kind(frame, column) in ("text", "category", "boolean")


def own_value(parameter: Any, column: object) -> Any:
    """Return a column's own value of a parameter; None where a dict leaves it out."""
    return parameter.get(column) if isinstance(parameter, Mapping) else parameter


def is_integral(frame: Any, column: object) -> bool:
    """Whether a column holds integers: by its dtype, or because its objects are whole Python numbers."""
    series = frame.get_column(column)
    if series.dtype.is_numeric() or _frames.kind(frame, column) != "number":
        return series.dtype.is_integer()
    return all(issubclass(one, Integral) for one in set(map(type, series.drop_nulls().to_list())))


def check_table_and_seed(owner: Any, frame: Any) -> None:
    if not len(frame):
        raise ValueError(
            f"{type(owner).__name__} needs a table of at least one row to fit. Got one with 0 rows instead."
        )
    if owner.random_state is not None:
        check_integer(owner, "random_state", owner.random_state, low=0)
    if getattr(owner, "ledger", None) is not None and not hasattr(owner.ledger, "charge"):
        raise invalid(owner, "ledger", owner.ledger, "a PrivacyLedger or None")


def check_numeric(frame: Any, column: object) -> None:
    """Raise unless a column holds numbers, or nothing."""
    kind = _frames.kind(frame, column)
    spelled = kind == "text" and _count_spelled_numbers(frame, column) > 0
    if kind in ("text", "category", "boolean") and not spelled and not _frames.missing(frame, column).all():
        raise ValueError(
            f"Column {column!r} holds {kind} values, to which noise cannot be added. For categories use "
            "RandomizedResponse; leave identifiers out of 'columns', and drop or replace them."
        )
    _frames.clipped_numbers(frame, column, 2**52)


def checked_positive(owner: Any, name: str, column: object) -> Fraction:
    value = own_value(getattr(owner, name), column)
    exact = rational(value)
    if exact is None or exact <= 0:
        of_column = f" for column {column!r}" if isinstance(getattr(owner, name), Mapping) else ""
        raise invalid(owner, name, value, f"a positive number{of_column}")
    return exact


def checked_bounds(owner: Any, column: object) -> tuple:
    value = own_value(owner.bounds, column)
    if value is None:
        return None, None
    pair = tuple(map(rational, value)) if isinstance(value, Iterable) and not isinstance(value, str | Mapping) else ()
    if len(pair) != 2 or None in pair or not pair[0] < pair[1]:
        of_column = f" for column {column!r}" if isinstance(owner.bounds, Mapping) else ""
        raise invalid(owner, "bounds", value, f"a pair of finite numbers, lower < upper{of_column}")
    return pair


def randomized(owner: Any, column: object, values: np.ndarray, release: Callable[..., np.ndarray]) -> np.ndarray:
    """Return the values of a column as a mechanism releases them, which takes ``source``, its random bits.

    Without a seed these are fresh, of one source for the whole column. With one each block of rows has its own, and is
    released whole, filled up with noughts: what a mechanism takes of its source depends on the number of values alone.
    """
    if owner.random_state is None:
        return release(values, source=secure_source())
    start, name = first_row(), (type(owner).__name__, str(column))
    released = release(values[:0], source=seeded_source(owner.random_state, *name))
    released = np.empty(len(values), dtype=released.dtype)
    for low, high in blocks(start, start + len(values)):
        source = seeded_source(owner.random_state, *name, low)
        own = slice(max(low - start, 0), high - start)
        before = max(start - low, 0)
        block = values[own]
        if len(block) < high - low:
            block = np.pad(block, (before, high - low - before - len(block)))
        released[own] = release(block, source=source)[before : before + len(released[own])]
    return released


def joint_guarantee(
    owner: Any, figures: Mapping, conditions: list, scope: str, *, reasons: Iterable[str] = (), **more: Any
) -> PrivacyGuarantee:
    """Return the guarantee that columns of these ε make together, with more reasons for ∞, and `more` of its fields."""
    reasons = [_SEEDED] * (owner.random_state is not None) + [_NOTHING_NOISED] * (not figures) + [*reasons]
    return PrivacyGuarantee(
        math.inf if reasons else sum(figures.values(), Fraction(0)),
        columns=tuple(figures),
        scope=scope,
        reasons=tuple(reasons),
        conditions=tuple(conditions) if figures else (),
        **more,
    )
