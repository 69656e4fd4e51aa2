"""The distinct values of a column, alike in every dataframe library."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _frames
from skdp._frames import is_text, one_chunk


def factorise(frame: Any, columns: Iterable[str]) -> tuple[np.ndarray, int]:
    """Return a group number for each row and how many groups there are; a missing value is a value of its own."""
    codes, size = np.zeros(len(frame), dtype=np.int64), 1
    for column in columns:
        own, levels = pd.factorize(_keys(frame, column), use_na_sentinel=False)
        codes, kept = pd.factorize(codes * max(len(levels), 1) + own)
        size = len(kept)
    return codes, size


def _keys(frame: Any, column: str) -> Any:
    """Return a column as pandas can group it, one key a value, whatever the library it came from."""
    if frame.implementation.is_pandas():
        return frame.get_column(column).to_native()
    return frame.get_column(column).to_pandas()


def levels(frame: Any, column: str) -> tuple[np.ndarray, Any]:
    """Return where each row's value stands among the column's distinct values (-1: missing), and those, sorted.

    The distinct values are an Arrow array of a plain type, or an ``object`` array where kinds are mixed.
    """
    values = _plain(frame, column)
    if not isinstance(values, pa.Array):
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
        values = one_chunk(frame.get_column(column).to_arrow())
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return _objects(frame, column)
    if pa.types.is_nested(values.type):
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
