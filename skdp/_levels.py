"""The distinct values of a column, alike in every dataframe library."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _frames
from skdp._arrays import characters_of, is_text, one_chunk
from skdp._checks import not_single
from skdp._frames import is_text_column

LARGE = 50_000  # rows, from which threads are worth their start


def factorise(frame: Any, columns: Iterable[str]) -> tuple[np.ndarray, int]:
    """Return a group number for each row and how many groups there are; a missing value is a value of its own."""
    codes, bound = combine(frame, columns)
    return compress(codes, bound, ordered=False)


def factorise_spelled(frame: Any, columns: Iterable[str]) -> tuple[np.ndarray, int]:
    """Return what `factorise` does, but two numbers where equal objects are spelled in two ways, as 1 and True are."""
    columns = list(columns)
    codes, size = factorise(frame, columns)
    for column in columns:
        if frame.implementation.is_pandas() and len(frame):
            native = frame.get_column(column).to_native()
            if native.dtype == object and pd.api.types.infer_dtype(native, skipna=True) not in _ALIKE_IF_EQUAL:
                with characters_of(column):
                    own = pd.factorize(native.astype("str"))[0] + 1
                codes, size = compress(*pair(codes, size, own, int(own.max()) + 1), ordered=False)
    return codes, size


_ALIKE_IF_EQUAL = ("string", "empty", "boolean", "integer")  # objects that are spelled alike where they are equal


def combine(frame: Any, columns: Iterable[str]) -> tuple[np.ndarray, int]:
    """Return a number below a bound for each row, the same for rows alike in all of `columns`; not all are in use."""
    codes, bound = np.zeros(len(frame), dtype=np.int32), 1
    for own, size in by_column(frame, list(columns), _codes):
        codes, bound = pair(codes, bound, own, size) if bound > 1 else (own, size)
    return codes, bound


def by_column(frame: Any, columns: list, read: Callable[[Any, str], Any]) -> Iterator[Any]:
    """Yield what `read` makes of each column, of large tables two at a time: Arrow lets others run as it reads text."""
    if len(frame) < LARGE or sum(is_text_column(frame, column) for column in columns) < 2:
        yield from (read(frame, column) for column in columns)
        return
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda column: read(frame, column), columns)


def pair(first: np.ndarray, first_bound: int, second: np.ndarray, second_bound: int) -> tuple[np.ndarray, int]:
    """Return one number for each pair of numbers, ordered as the pairs are, and a bound on it."""
    if first_bound * second_bound >= 2**62:
        (first, first_bound), (second, second_bound) = compress(first, first_bound), compress(second, second_bound)
    bound = first_bound * second_bound
    codes = first.astype(np.int32 if bound < 2**31 else np.int64)
    codes *= second_bound
    codes += second
    return codes, bound


def is_dense(codes: np.ndarray, bound: int) -> bool:
    """Whether one counter for each number below `bound` costs no more than the rows do."""
    return bound <= max(4 * len(codes), 2**16)


def compress(codes: np.ndarray, bound: int, *, ordered: bool = True) -> tuple[np.ndarray, int]:
    """Return the numbers with the unused ones closed up, order kept if `ordered`, and how many are in use."""
    if not is_dense(codes, bound):
        ranks, used = pd.factorize(codes, sort=ordered)
        return ranks, len(used)
    used = np.zeros(bound, dtype=bool)
    used[codes] = True
    ranks = np.cumsum(used, dtype=np.int64)
    ranks -= 1
    return ranks.take(codes), int(ranks[-1]) + 1


def sizes(codes: np.ndarray, bound: int) -> np.ndarray:
    """Return how many rows have each number that is in use, lowest number first."""
    if is_dense(codes, bound):
        counts = np.bincount(codes, minlength=bound)
        return counts.take(np.flatnonzero(counts > 0))  # in a sixth of the time of `counts[counts > 0]`
    ordered = np.sort(codes)  # faster than hashing where nobody asks which row is in which class
    return np.diff(np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]])))


def _codes(frame: Any, column: str) -> tuple[np.ndarray, int]:
    """Return a number for each value of a column, and a bound on it; equal values have equal numbers."""
    series = _frames.worded_column(frame, column)
    if frame.implementation.is_pandas():
        native = series.to_native()
        if isinstance(native.dtype, pd.CategoricalDtype):
            return native.cat.codes.to_numpy().astype(np.int32) + 1, len(native.cat.categories) + 1
        if native.dtype == object:
            return _hashed_objects(native, column)
        if isinstance(native.dtype, np.dtype) and native.dtype.kind in "biu":
            return _whole_codes(native.to_numpy())
    if series.dtype.is_float():
        numbers = _frames.numbers(frame, column)
        absent = np.isnan(numbers)
        return _float_codes(numbers, absent if absent.any() else None)
    values = _plain(frame, column)
    if not isinstance(values, pa.Array):
        return _hashed_objects(values, column)
    if pa.types.is_integer(values.type) and not values.null_count:
        return _whole_codes(values.to_numpy())
    coded = values.dictionary_encode(null_encoding="encode")
    return coded.indices.to_numpy(zero_copy_only=False), max(len(coded.dictionary), 1)


def _hashed_objects(values: Any, column: str) -> tuple[np.ndarray, int]:
    with single_values(column):
        return _hashed(values)


@contextmanager
def single_values(column: str) -> Iterator[None]:
    """Name the column whose cells have no hash, as lists and structures have none."""
    try:
        yield
    except TypeError:
        raise not_single(column) from None


def _hashed(values: Any) -> tuple[np.ndarray, int]:
    codes, kept = pd.factorize(values)  # with a sentinel for what is missing, which takes two thirds of the time
    codes += 1
    return codes, len(kept) + 1


def _whole_codes(values: np.ndarray) -> tuple[np.ndarray, int]:
    """Return how far each integer is above the lowest, where they lie close together."""
    if not len(values):
        return np.zeros(0, dtype=np.int32), 1
    low, high = int(values.min()), int(values.max())
    if high - low > max(len(values), 2**16):
        return _hashed(values)
    if values.dtype.itemsize < 4 or values.dtype.kind == "b":
        values = values.astype(np.int32)
    return np.subtract(values, values.dtype.type(low)).astype(np.int32, copy=False), high - low + 1


def _float_codes(numbers: np.ndarray, absent: np.ndarray | None) -> tuple[np.ndarray, int]:
    """Return codes of floats: as integers where all are small and whole, as dates, ages and counts with gaps are."""
    held = numbers if absent is None else np.where(absent, 0.0, numbers)
    if len(held) and np.abs(held).max() < 2**31:
        whole = held.astype(np.int32)
        if (whole == held).all():
            codes, size = _whole_codes(whole)
            return (codes, size) if absent is None else (np.where(absent, np.int32(size), codes), size + 1)
    alike = numbers + 0.0  # -0.0 is 0.0
    if absent is not None:
        alike[absent] = np.nan  # of one bit pattern
    codes, kept = pd.factorize(alike.view(np.int64))
    return codes, max(len(kept), 1)


def levels(frame: Any, column: str) -> tuple[np.ndarray, Any]:
    """Return where each row's value stands among the column's distinct values (-1: missing), and those, sorted.

    The distinct values are an Arrow array of a plain type, or an ``object`` array where kinds are mixed.
    """
    values = _plain(frame, column)
    if not isinstance(values, pa.Array):
        with single_values(column):
            return pd.factorize(values)
    coded = values.dictionary_encode()
    order = pc.sort_indices(coded.dictionary).to_numpy()
    ranks = np.full(len(order) + 1, -1, dtype=np.int64)
    ranks[order] = np.arange(len(order))
    return ranks[coded.indices.fill_null(-1).to_numpy()], coded.dictionary.take(order)


def locate(frame: Any, column: str, among: Any) -> np.ndarray:
    """Return where each row's value stands in `among`, the distinct values of `levels`; -1 for missing or not there.

    Raises
    ------
    ValueError
        If the column holds another kind of values.
    """
    values = _plain(frame, column)
    if not isinstance(values, pa.Array) or not isinstance(among, pa.Array):
        with single_values(column):
            return pd.Index(among, dtype=object).get_indexer(_objects(frame, column))
    if not len(among) or values.null_count == len(values):
        return np.full(len(frame), -1, dtype=np.int64)
    for alike, common in ((_is_number, pa.float64()), (_is_date, pa.timestamp("us"))):
        if values.type != among.type and alike(values.type) and alike(among.type):
            values, among = values.cast(common, safe=False), among.cast(common, safe=False)
    if values.type != among.type:
        kinds = f"values of type {values.type} where {among.type} is needed"
        raise ValueError(f"Column {column!r} holds {kinds}; convert it first.")
    return pc.index_in(values, among).fill_null(-1).to_numpy().astype(np.int64)


def _objects(frame: Any, column: str) -> np.ndarray:
    """Return a column as objects that compare alike in every library: missing is None, integral numbers are int."""
    values = pd.Series(frame.get_column(column).to_list(), dtype=object).to_numpy(copy=True)
    values[_frames.missing(frame, column)] = None
    return values


def _plain(frame: Any, column: str) -> Any:
    """Return a column as Arrow values of one type in every library, NaN as null; as objects where kinds are mixed."""
    try:
        with characters_of(column):
            values = one_chunk(_frames.worded_column(frame, column).to_arrow())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return _objects(frame, column)
    if pa.types.is_nested(values.type) or pa.types.is_fixed_size_binary(values.type):  # polars: addresses of objects
        return _objects(frame, column)
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if is_text(values.type):
        return values.cast(pa.large_string())
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), None, values).cast(pa.float64())
    if pa.types.is_null(values.type):
        return values.cast(pa.large_string())
    return values.cast(pa.int64()) if pa.types.is_signed_integer(values.type) else values


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _is_date(kind: pa.DataType) -> bool:
    return pa.types.is_date(kind) or pa.types.is_timestamp(kind)
