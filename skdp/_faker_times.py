"""Columns of dates, times of day and durations, as `datetime` makes them from random seconds or days."""

from __future__ import annotations

import datetime
import functools
import operator
import re
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skdp._faker_columns import COMPARISONS, MERGERS, Column, NotOnColumns, is_column, refuse_many, rowwise, spend
from skdp._faker_numbers import NumberColumn
from skdp._faker_text import concatenated

KINDS = {
    np.dtype("datetime64[us]"): datetime.datetime,
    np.dtype("datetime64[D]"): datetime.date,
    np.dtype("timedelta64[us]"): datetime.timedelta,
}
PARTS = {"%Y": ("year", 4), "%y": ("year", 2), "%m": ("month", 2), "%d": ("day", 2), "%j": ("day_of_year", 3)} | {
    "%H": ("hour", 2), "%M": ("minute", 2), "%S": ("second", 2)
}  # fmt: skip


class TimeColumn(Column):
    """Dates, naive datetimes or durations."""

    __class__ = property(lambda self: KINDS[self.times.dtype])
    __hash__ = Column.__hash__

    def __init__(self, times: np.ndarray):
        self.times = times
        self.size = len(times)

    def take(self, rows: np.ndarray) -> TimeColumn:
        return TimeColumn(self.times[rows])

    def to_list(self) -> list:
        return self.times.tolist()

    def factorise(self) -> tuple[np.ndarray, list]:
        values, codes = np.unique(self.times, return_inverse=True)
        refuse_many(len(values), self.size)
        return codes, values.tolist()

    def __add__(self, other) -> TimeColumn:
        return _sum(self.times, _array(other))

    __radd__ = __add__

    def __sub__(self, other) -> TimeColumn:
        return _difference(self.times, _array(other))

    def __rsub__(self, other) -> TimeColumn:
        return _difference(_array(other), self.times)

    def __format__(self, specification) -> str:
        raise NotOnColumns

    def strftime(self, template: str) -> Any:
        """Return the text of each date or time by a template."""
        pieces = re.split("(%.)", template)
        plain = self.times.dtype.kind == "M" and set(pieces[1::2]) <= set(PARTS)
        if not plain or self._part("year").numbers.min() < 1000:
            return rowwise(lambda value: value.strftime(template), self)
        written = [self._written(*PARTS[piece]) if piece in PARTS else piece for piece in pieces]
        return concatenated(written, self.size)

    def _written(self, part: str, width: int):
        return (self._part(part) % 10**width).padded(width)

    def _part(self, name: str) -> NumberColumn:
        return NumberColumn(getattr(pc, name)(pa.array(self.times)).to_numpy(zero_copy_only=False).astype(np.int64))

    def date(self) -> TimeColumn:
        """Return the dates of datetimes."""
        return TimeColumn(self.times.astype("datetime64[D]"))

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(KINDS[self.times.dtype], name)
        if name in ("year", "month", "day", "hour", "minute", "second"):
            return self._part(name)
        if name.startswith("__") or not callable(attribute):
            raise NotOnColumns
        return functools.partial(rowwise, attribute, self)


def _compared(compare: Callable, left: TimeColumn, right: Any) -> NumberColumn:
    spend()
    array = _array(right)
    if array.dtype != left.times.dtype:
        raise NotOnColumns  # Python does not compare dates with datetimes
    return NumberColumn(compare(left.times, array))


def _define_comparisons() -> None:
    for name in COMPARISONS:
        compare = functools.partial(_compared, getattr(operator, name))
        setattr(TimeColumn, f"__{name}__", lambda self, other, compare=compare: compare(self, other))


_define_comparisons()


def _array(value: Any) -> np.ndarray | np.generic:
    """Return a time or column of times for NumPy."""
    if type(value) is TimeColumn:
        return value.times
    if is_column(value) or getattr(value, "tzinfo", None):
        raise NotOnColumns
    if type(value) is datetime.datetime:
        return np.datetime64(value, "us")
    if type(value) is datetime.date:
        return np.datetime64(value, "D")
    if type(value) is datetime.timedelta:
        return np.timedelta64(value, "us")
    raise NotOnColumns


def _whole_days(duration: np.ndarray | np.generic) -> np.ndarray:
    return np.floor_divide(duration, np.timedelta64(1, "D")).astype("timedelta64[D]")


def _sum(left: Any, right: Any) -> TimeColumn:
    if right.dtype.kind == "M":
        left, right = right, left
    if left.dtype == np.dtype("datetime64[D]"):
        right = _whole_days(right)  # as Python does
    return _within_years(left + right)


def _difference(left: Any, right: Any) -> TimeColumn:
    if right.dtype.kind == "m":
        return _sum(-right, left) if left.dtype.kind == "M" else _within_years(left - right)
    if left.dtype != right.dtype:
        raise NotOnColumns
    return TimeColumn((left - right).astype("timedelta64[us]"))


def _within_years(values: np.ndarray) -> TimeColumn:
    if values.dtype.kind == "M" and len(values):
        years = values[[values.argmin(), values.argmax()]].astype("datetime64[Y]").astype(int) + 1970
        if years[0] < 1 or years[1] > 9999:
            raise OverflowError("date value out of range")
    return TimeColumn(values)


MICROSECONDS = {
    "days": 86_400_000_000, "seconds": 1_000_000, "microseconds": 1, "milliseconds": 1_000, "minutes": 60_000_000,
    "hours": 3_600_000_000, "weeks": 604_800_000_000,
}  # fmt: skip


def duration(*args, **kwargs) -> Any:
    """`datetime.timedelta(...)` of columns."""
    named = dict(zip(MICROSECONDS, args, strict=False)) | kwargs
    if not any(map(is_column, named.values())):
        return datetime.timedelta(**named)
    spend()
    total = 0
    for unit, value in named.items():
        if is_column(value) and type(value) is not NumberColumn:
            raise NotOnColumns
        numbers = value.numbers if type(value) is NumberColumn else value
        total = total + np.rint(np.asarray(numbers) * float(MICROSECONDS[unit]))
    return TimeColumn(total.astype("timedelta64[us]"))


class _Durations(type):
    """Makes `timedelta` take columns, and stay the type that `isinstance` asks for."""

    def __call__(cls, *args, **kwargs):
        return duration(*args, **kwargs)

    def __instancecheck__(cls, value):
        return isinstance(value, datetime.timedelta)


class ColumnTimedelta(datetime.timedelta, metaclass=_Durations):
    """`datetime.timedelta` for provider code."""


COLUMN_DATETIME = types.SimpleNamespace(**{**vars(datetime), "timedelta": ColumnTimedelta})


def _merged(parts: list, size: int) -> TimeColumn:
    arrays = [_array(value) for _, value in parts]
    times = np.empty(size, arrays[0].dtype)
    for (rows, _), array in zip(parts, arrays, strict=True):
        times[rows] = array
    return TimeColumn(times)


for _kind in KINDS.values():
    MERGERS[_kind] = _merged
