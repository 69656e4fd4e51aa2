"""Columns: one value for each row, wherever Faker's provider code expects a single value.

Python asks some questions that only one concrete value can answer (`if`, `len`, `hash`, ...). A column answers them
where all its rows agree. Where they differ it raises `Split`, and the method is run again for each part of the rows
that agrees. Both signals here derive from BaseException, so that no provider swallows them.
"""

from __future__ import annotations

import functools
import itertools
import operator
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

LARGEST_PRODUCT = 4096  # strings in a dictionary made by multiplying others, or by encoding rows
ROWS_PER_PART = 32  # with fewer rows in a part, Faker's own loop is faster


class NotOnColumns(BaseException):
    """Provider code asked for something that cannot be done on a column."""


class Split(BaseException):
    """The rows disagree on a value that provider code needs; `codes` tells which rows agree."""

    def __init__(self, codes: np.ndarray, count: int):
        self.codes = codes
        self.count = count


_work = threading.local()


def allow(operations: int) -> int:
    """Set how many more operations are worth their while; returns how many were left."""
    before = getattr(_work, "left", operations)
    _work.left = operations
    return before


def spend() -> None:
    """Count an operation: on ever smaller parts of the rows, Faker's own loop would be faster."""
    _work.left = getattr(_work, "left", 1) - 1
    if _work.left < 0:
        raise NotOnColumns


class Column:
    """One value for each row."""

    size: int

    def take(self, rows: np.ndarray) -> Column:
        """Return some of the rows."""
        raise NotImplementedError

    def factorise(self) -> tuple[np.ndarray, list]:
        """Return a code for each row and the distinct values."""
        raise NotImplementedError

    def to_list(self) -> list:
        """Return the value of each row."""
        raise NotImplementedError

    def is_narrow(self) -> bool:
        """Tell whether it is known that few values occur."""
        return False

    def mapped(self, function: Callable) -> Any:
        """Return a pure function's value for each row."""
        return settled(from_rows(list(map(function, self.to_list()))))

    def concrete(self) -> Any:
        """Return the value on which all rows agree; without one, the rows must be split."""
        codes, values = self.factorise()
        if len(values) == 1:
            return values[0]
        raise Split(codes, len(values))

    def refuse(self, *unused) -> NoReturn:
        """Give up on columns."""
        raise NotOnColumns

    __setitem__ = __delitem__ = __enter__ = __copy__ = __deepcopy__ = __reduce_ex__ = refuse

    def __bool__(self) -> bool:
        return bool(self.concrete())

    def __str__(self) -> str:
        return str(self.concrete())

    def __repr__(self) -> str:
        return repr(self.concrete())

    def __format__(self, specification) -> str:
        return format(self.concrete(), specification)

    def __hash__(self) -> int:
        return hash(self.concrete())

    def __len__(self) -> int:
        return len(self.concrete())

    def __iter__(self) -> Iterator:
        return iter(self.concrete())

    def __contains__(self, item) -> bool:
        return item in self.concrete()

    def __int__(self) -> int:
        return int(self.concrete())

    def __float__(self) -> float:
        return float(self.concrete())

    def __index__(self) -> int:
        return operator.index(self.concrete())

    def __bytes__(self) -> bytes:
        return bytes(self.concrete())

    def __call__(self, *args, **kwargs):
        return self.concrete()(*args, **kwargs)

    def __round__(self, *digits):
        return round(self.concrete(), *digits)


def _compared(compare: Callable) -> Callable:
    return lambda self, other: rowwise(compare, self, other)


COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
for _name in COMPARISONS:
    setattr(Column, f"__{_name}__", _compared(getattr(operator, _name)))


class ObjectColumn(Column):
    """Tuples, lists or any other objects: a list of them and a code for each row."""

    @property
    def __class__(self) -> type:
        kinds = set(map(type, self.objects))
        return kinds.pop() if len(kinds) == 1 else type(self.concrete())

    __hash__ = Column.__hash__

    def __init__(self, objects: list, codes: np.ndarray):
        self.objects = objects
        self.codes = codes
        self.size = len(codes)

    def take(self, rows: np.ndarray) -> ObjectColumn:
        return ObjectColumn(self.objects, self.codes[rows])

    def factorise(self) -> tuple[np.ndarray, list]:
        codes, objects = self._used()
        refuse_many(len(objects), self.size)
        return codes, objects

    def _used(self) -> tuple[np.ndarray, list]:
        codes, present = compacted(self.codes, len(self.objects))
        return codes, self.objects if present is None else [self.objects[code] for code in present]

    def to_list(self) -> list:
        return [self.objects[code] for code in self.codes.tolist()]

    def _lengths(self) -> set[int]:
        return set(map(len, self._used()[1]))

    def __len__(self) -> int:
        lengths = self._lengths()
        return lengths.pop() if len(lengths) == 1 else operator.index(self.mapped(len))

    def __iter__(self) -> Iterator:
        if len(self._lengths()) > 1 and len(self._used()[1]) <= ROWS_PER_PART:
            return iter(self.concrete())
        return iter([self[position] for position in range(len(self))])

    def __getitem__(self, key):
        if is_column(key):
            return rowwise(operator.getitem, self, key)
        codes, objects = self._used()
        return settled(from_values([item[key] for item in objects], codes))

    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.concrete(), name)


def is_column(value) -> bool:
    """Whether a value stands for many rows (isinstance would be fooled by `__class__`)."""
    return issubclass(type(value), Column)


def holds_columns(value) -> bool:
    """Whether a list, tuple or dict has columns among its items."""
    if type(value) is dict:
        value = value.values()
    elif type(value) not in (list, tuple):
        return False
    return any(map(is_column, value))


def size_of(values) -> int | None:
    """Return the number of rows of the columns among the values."""
    return next((value.size for value in values if is_column(value)), None)


def rows_of(values: Sequence) -> ObjectColumn:
    """Return a list or tuple of columns as a column of lists or tuples."""
    size = size_of(values)
    listed = [value.to_list() if is_column(value) else [value] * size for value in values]
    return ObjectColumn(list(map(type(values), zip(*listed, strict=True))), np.arange(size, dtype=np.int32))


def rowwise(function: Callable, *args, **kwargs) -> Any:
    """Return a pure function applied to the rows of its arguments, columns among them."""
    if kwargs:
        function = functools.partial(function, **kwargs)
    args = tuple(rows_of(argument) if holds_columns(argument) else argument for argument in args)
    columns = [argument for argument in args if is_column(argument)]
    if not columns:
        return function(*args)
    spend()
    if len({column.size for column in columns}) > 1:
        raise NotOnColumns
    if len(columns) == 1:
        position = next(position for position, argument in enumerate(args) if is_column(argument))
        before, after = args[:position], args[position + 1 :]
        return columns[0].mapped(lambda value: function(*before, value, *after))
    repeated = [argument.to_list() if is_column(argument) else itertools.repeat(argument) for argument in args]
    return settled(from_rows(list(map(function, *repeated))))


BUILDERS: dict[type, Callable[[list, np.ndarray, bool], Column | None]] = {}  # by the type of the values


def from_values(values: list, codes: np.ndarray, *, of_rows: bool = False) -> Column:
    """Return the column of `values[codes]`, of the type that its values have."""
    kinds = set(map(type, values))
    if len(kinds) == 1 and kinds <= BUILDERS.keys():
        column = BUILDERS[kinds.pop()](values, codes, of_rows)
        if column is not None:
            return column
    return ObjectColumn(values, codes)


def from_rows(values: list) -> Column:
    """Return the column of one value for each row."""
    return from_values(values, np.arange(len(values), dtype=np.int32), of_rows=True)


def settled(value) -> Any:
    """Return what provider code may see of a value.

    Nothing would notice `value is None`, or which attributes an object has: such objects must be concrete. Lists of
    one length become a list of columns, which provider code may change as it could change the lists.
    """
    if type(value) is not ObjectColumn:
        return value
    kinds = set(map(type, value.objects))
    if kinds == {list} and len(value._lengths()) == 1:
        return list(iter(value))
    if kinds <= {tuple, list}:
        return value
    if len(value.objects) > ROWS_PER_PART:
        first, codes = encoded([(type(item), item) for item in value.objects])
        value = ObjectColumn([item for _, item in first], codes[value.codes])
    return value.concrete()


def encoded(values: list) -> tuple[list, np.ndarray]:
    """Return the distinct values and a code for each value."""
    first: dict = {}
    codes = np.array([first.setdefault(value, len(first)) for value in values], np.int32)
    return list(first), codes


def compacted(codes: np.ndarray, count: int) -> tuple[np.ndarray, list[int] | None]:
    """Codes without gaps, and the old codes that occur (None: all of them)."""
    present = np.flatnonzero(np.bincount(codes, minlength=count))
    if len(present) == count:
        return codes, None
    recoded = np.zeros(count, np.int32)
    recoded[present] = np.arange(len(present), dtype=np.int32)
    return recoded[codes], present.tolist()


def refuse_many(distinct: int, size: int) -> None:
    """Give up on columns where the rows would be split into parts of one or two."""
    if distinct > 1 and distinct * 2 > size:
        raise NotOnColumns


def parts_of(codes: np.ndarray, count: int) -> list[np.ndarray]:
    """Return the rows that have each code."""
    narrow = codes.astype(np.uint8 if count <= 2**8 else np.uint16 if count <= 2**16 else np.int32)
    order = np.argsort(narrow, kind="stable")
    return np.split(order, np.cumsum(np.bincount(codes, minlength=count))[:-1])


def taken(value, rows: np.ndarray) -> Any:
    """Return some rows of a value that may be a column, or hold columns."""
    if is_column(value):
        return value.take(rows)
    if type(value) in (list, tuple):
        return type(value)(taken(item, rows) for item in value)
    if type(value) is dict:
        return {key: taken(item, rows) for key, item in value.items()}
    return value


MERGERS: dict[type, Callable[[list, int], Column]] = {}  # by the type of the values


def combined(parts: list[tuple[np.ndarray | None, Any]], size: int) -> Any:
    """Return the values of all parts, each put back into its rows."""
    if len(parts) == 1:
        return parts[0][1]
    kinds = {type(value) if type(value) is ObjectColumn else value.__class__ for _, value in parts}
    if len(kinds) == 1 and kinds <= MERGERS.keys():
        return MERGERS[kinds.pop()](parts, size)
    objects = np.empty(size, object)
    for rows, value in parts:
        listed = value.to_list() if is_column(value) else [value] * len(rows)
        for row, item in zip(rows.tolist(), listed, strict=True):
            objects[row] = item
    return ObjectColumn(objects.tolist(), np.arange(size, dtype=np.int32))
