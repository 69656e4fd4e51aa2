"""Columns of numbers, with Python's arithmetic."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from skdp._faker_columns import (
    BUILDERS,
    COMPARISONS,
    LARGEST_PRODUCT,
    MERGERS,
    ROWS_PER_PART,
    Column,
    NotOnColumns,
    compacted,
    from_rows,
    from_values,
    is_column,
    refuse_many,
    rowwise,
    settled,
)
from skdp._faker_text import Dictionary, TextColumn, strings_over

KINDS = {"i": int, "f": float, "b": bool}
DIGITS = tuple("0123456789")


class NumberColumn(Column):
    """Integers (int64), floats or truth values."""

    __class__ = property(lambda self: KINDS[self.numbers.dtype.kind])  # for isinstance in provider code
    __hash__ = Column.__hash__

    def __init__(self, numbers: np.ndarray):
        self.numbers = numbers
        self.size = len(numbers)

    def take(self, rows: np.ndarray) -> NumberColumn:
        return NumberColumn(self.numbers[rows])

    def to_list(self) -> list:
        return self.numbers.tolist()

    def factorise(self) -> tuple[np.ndarray, list]:
        if self.numbers.dtype.kind == "b":
            codes, present = compacted(self.numbers.astype(np.int32), 2)
            return codes, [False, True] if present is None else [bool(code) for code in present]
        refuse_many(len(np.unique(self.numbers[: 64 * ROWS_PER_PART])), self.size)
        numbers, codes = np.unique(self.numbers, return_inverse=True)
        refuse_many(len(numbers), self.size)
        return codes, numbers.tolist()

    def mapped(self, function: Callable) -> Any:
        span = self._span()
        if span is None:
            return settled(from_rows(list(map(function, self.to_list()))))
        codes, present = compacted((self.numbers - span[0]).astype(np.int32), len(span))
        numbers = span if present is None else [span[code] for code in present]
        return settled(from_values(list(map(function, numbers)), codes))

    def is_narrow(self) -> bool:
        return self._span() is not None

    def _span(self) -> range | None:
        """Return the range of the numbers, if it is short."""
        if self.numbers.dtype.kind != "i":
            return None
        low, high = int(self.numbers.min()), int(self.numbers.max())
        return range(low, high + 1) if high - low < min(4 * LARGEST_PRODUCT, self.size) else None

    def integers(self) -> NumberColumn:
        """Return the numbers as `int` makes them."""
        return self.mapped(int) if self.numbers.dtype.kind == "f" else NumberColumn(self.numbers.astype(np.int64))

    def floats(self) -> NumberColumn:
        """Return the numbers as `float` makes them."""
        return NumberColumn(self.numbers.astype(float))

    def text(self) -> TextColumn:
        """Return the numbers as `str` writes them."""
        if self.numbers.dtype.kind != "i":
            return from_rows(list(map(str, self.numbers.tolist())))
        span = self._span()
        if span is not None:
            return TextColumn([(_whole_numbers(span), (self.numbers - span[0]).astype(np.int32))], self.size)
        words = Dictionary(arrow=pa.array(self.numbers).cast(pa.large_string()), of_rows=True)
        return TextColumn([(words, np.arange(self.size, dtype=np.int32))], self.size, self)

    def filled(self, width: int) -> TextColumn:
        """Return the numbers with leading zeros where they are narrower."""
        if width < 2:
            return self.text()
        if self.numbers.min() >= 0 and self.numbers.max() < 10**width:
            return self.padded(width)
        return self.mapped(lambda number: format(number, f"0{width}"))

    def padded(self, width: int) -> TextColumn:
        """Return the numbers with leading zeros, all of this width; none may be negative or wider."""
        pieces, rest = [], self.numbers
        for digits in [3] * (width // 3) + [width % 3] * (width % 3 > 0):
            rest, part = np.divmod(rest, 10**digits)
            pieces.insert(0, (strings_over(DIGITS, digits), part.astype(np.int32)))
        return TextColumn(pieces, self.size)

    def __neg__(self) -> NumberColumn:
        return 0 - self

    def __abs__(self) -> NumberColumn:
        return NumberColumn(np.abs(self.numbers))

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self


def _calculated(ufunc: Callable, function: Callable, left, right) -> Any:
    """Two operands combined: numbers as arrays, whatever else row by row."""
    arrays = []
    for operand in (left, right):
        if type(operand) is NumberColumn and operand.numbers.dtype.kind != "b":
            arrays.append(operand.numbers)
        elif type(operand) in (int, float) and abs(operand) < 2**62:
            arrays.append(operand)
        else:
            return rowwise(function, left, right)
    if len({len(array) for array in arrays if isinstance(array, np.ndarray)}) > 1:
        raise NotOnColumns
    if ufunc in DIVISIONS and np.any(np.asarray(arrays[1]) == 0):
        raise NotOnColumns  # the rows that divide by zero must raise
    if all(np.asarray(array).dtype.kind == "i" for array in arrays):
        largest = [max(abs(int(np.min(array))), abs(int(np.max(array)))) for array in arrays]
        if function is operator.mul and largest[0] * largest[1] >= 2**63 or sum(largest) >= 2**63:
            raise NotOnColumns  # Python's integers do not overflow
    with np.errstate(all="raise"):
        return NumberColumn(ufunc(*arrays))


DIVISIONS = (np.remainder, np.floor_divide, np.true_divide)
ARITHMETIC = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "mod": np.remainder, "floordiv": np.floor_divide,
    "truediv": np.true_divide,
}  # fmt: skip


def _compared(compare: Callable, left: NumberColumn, right) -> Any:
    if type(right) is NumberColumn and right.size == left.size or type(right) in (int, float, bool):
        return NumberColumn(compare(left.numbers, right.numbers if is_column(right) else right))
    return rowwise(compare, left, right)


def _define_operators() -> None:
    for name, ufunc in ARITHMETIC.items():
        calculate = functools.partial(_calculated, ufunc, getattr(operator, name))
        setattr(NumberColumn, f"__{name}__", lambda self, other, calculate=calculate: calculate(self, other))
        setattr(NumberColumn, f"__r{name}__", lambda self, other, calculate=calculate: calculate(other, self))
    for name in COMPARISONS:
        compare = functools.partial(_compared, getattr(operator, name))
        setattr(NumberColumn, f"__{name}__", lambda self, other, compare=compare: compare(self, other))


_define_operators()


@functools.lru_cache(maxsize=256)
def _whole_numbers(span: range) -> Dictionary:
    return Dictionary(list(map(str, span)))


def text_of(value) -> Any:
    """`str(value)`, for columns too."""
    if type(value) is TextColumn:
        return value
    return value.text() if type(value) is NumberColumn else rowwise(str, value)


def _built(values: list, codes: np.ndarray, of_rows: bool) -> NumberColumn | None:
    array = np.array(values)
    return NumberColumn(array[codes]) if array.dtype.kind in KINDS else None  # wider than 64 bits: objects


def _merged(parts: list, size: int) -> NumberColumn:
    kind = next(value.__class__ for _, value in parts)
    numbers = np.empty(size, {int: np.int64, float: np.float64, bool: np.bool_}[kind])
    for rows, value in parts:
        numbers[rows] = value.numbers if is_column(value) else value
    return NumberColumn(numbers)


for _kind in KINDS.values():
    BUILDERS[_kind] = _built
    MERGERS[_kind] = _merged
