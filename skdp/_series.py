"""One column in the containers of the dataframe libraries: made of arrays, blanked, filled, turned into arrays.

The half of the dataframe boundary that knows what pandas and the other libraries do differently; `skdp._frames`, the
other half, has the tables.
"""

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skdp._arrays import Categories, decoded, is_text, one_chunk

TEXT = pd.StringDtype(na_value=np.nan)  # pandas' own `str`
SPANS = (pd.IntervalDtype, pd.PeriodDtype)


def pandas_series(values: Any, index: pd.Index | None = None) -> pd.Series:
    """Return an array as a pandas Series."""
    # left to itself, pandas makes `str` of objects that are all text
    dtype = object if isinstance(values, nw.Series) and is_object(values) else None
    return pd.Series(pandas_values(values), index=index, dtype=dtype, copy=False)


def pandas_values(values: Any) -> Any:
    """Return an array as what pandas keeps such a column in."""
    if isinstance(values, Categories):
        return pd.Categorical.from_codes(values.codes, categories=list(values.labels), ordered=values.ordered)
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return from_arrow(one_chunk(values))
    if isinstance(values, nw.Series):
        return values.to_pandas().array
    if isinstance(values, np.ndarray) and values.dtype == "datetime64[D]":
        return values.astype("datetime64[s]")
    return values


def from_arrow(values: pa.Array) -> Any:
    """Return what pandas calls the column that Arrow calls `values`."""
    kind = values.type
    if is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return pd.array(decoded(values).cast(pa.large_string()), dtype=TEXT)
    if pa.types.is_integer(kind) and values.null_count:
        return pd.arrays.ArrowExtensionArray(values).astype("Int64")
    if pa.types.is_boolean(kind) and values.null_count:
        return pd.arrays.ArrowExtensionArray(values).astype("boolean")
    if pa.types.is_date(kind):
        return values.cast(pa.timestamp("s")).to_pandas().to_numpy()
    if pa.types.is_timestamp(kind) and kind.tz:
        return values.to_pandas().array
    return values.to_pandas().to_numpy()


def native_series(name: str, values: Any, like: nw.DataFrame) -> nw.Series:
    """Return a series of the library of `like` (not pandas)."""
    if isinstance(values, nw.Series):
        return values.alias(name)
    if isinstance(values, Categories):
        labels = list(values.labels)
        # -1, the code of a missing value, finds the last entry
        return nw.new_series(name, [*labels, None], nw.Enum(labels), backend=like.implementation)[values.codes]
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        values = pa.array(values, from_pandas=True)
    elif isinstance(values, np.ndarray) and values.dtype.kind == "U":
        values = pa.array(values.tolist(), pa.large_string())
    elif not isinstance(values, pa.Array | pa.ChunkedArray):
        values = pa.array(values, from_pandas=True)
    if pa.types.is_dictionary(values.type):
        values = pc.cast(values, pa.large_string())
    return nw.from_arrow(pa.table({name: values}), backend=like.implementation)[name]


def is_object(series: nw.Series) -> bool:
    """Whether it is of pandas' `object`, which may hold anything."""
    return series.implementation.is_pandas() and series.to_native().dtype == object


def has_time_zone(series: nw.Series) -> bool:
    """Whether pandas says so: narwhals knows no zone that has an underscore or a digit in its name."""
    return series.implementation.is_pandas() and isinstance(series.to_native().dtype, pd.DatetimeTZDtype)


def holds_spans(series: nw.Series) -> bool:
    """Whether it is of pandas' intervals or periods, or of categories that are: Arrow has numbers for these alone."""
    if not series.implementation.is_pandas():
        return False
    dtype = series.to_native().dtype
    if not isinstance(dtype, pd.CategoricalDtype):
        return isinstance(dtype, SPANS)
    held = dtype.categories.dtype
    if pd.api.types.is_object_dtype(held):  # as where bins of several tables were joined
        return isinstance(next(iter(dtype.categories), None), pd.Interval | pd.Period)
    return isinstance(held, SPANS)


def spelled_spans(series: nw.Series) -> nw.Series:
    """Return intervals and periods as categories of text, ordered unless some overlap; any other series as it is."""
    if not holds_spans(series):
        return series
    native = series.to_native()
    if not isinstance(native.dtype, pd.CategoricalDtype):
        native = native.astype("category")
        if not getattr(native.cat.categories, "is_overlapping", False):
            native = native.cat.as_ordered()
    texts = pd.Index([str(span) for span in native.cat.categories], dtype=TEXT)
    return nw.from_native(native.cat.rename_categories(texts), series_only=True)


def spelled_durations(values: pa.Array) -> pa.Array:
    """Return durations as pandas spells them: Arrow has numbers for them, and polars no text; others as they are."""
    kind = values.type
    if not pa.types.is_duration(kind.value_type if pa.types.is_dictionary(kind) else kind):
        return values
    coded = values if pa.types.is_dictionary(kind) else values.dictionary_encode()
    texts = [str(one) for one in pd.TimedeltaIndex(coded.dictionary.to_pandas())]
    return pa.array(texts, pa.large_string()).take(coded.indices)


def as_floats(series: nw.Series) -> np.ndarray:
    """Return numbers as float64, missing ones as NaN; it may be a view of the series."""
    if not series.implementation.is_pandas():
        return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)
    native = series.to_native()
    if isinstance(native.dtype, np.dtype):
        return native.to_numpy(dtype=np.float64)  # naming a value for gaps would copy it
    return native.to_numpy(dtype=np.float64, na_value=np.nan)


def blanked(series: nw.Series, where: np.ndarray) -> nw.Series:
    """Return the series with the cells where `where` is True made missing."""
    if series.implementation.is_pandas():
        native = series.to_native()
        return nw.from_native(native.mask(pd.Series(where, index=native.index)), series_only=True)
    flags = nw.from_dict({"where": where}, backend=series.implementation)["where"]
    return series.zip_with(~flags, nw.new_series("", [None] * len(series), series.dtype, backend=series.implementation))


def categories_in_use(series: nw.Series) -> tuple[pd.Index, np.ndarray] | None:
    """Return the categories that a series lists, and which of them it holds; None for one that lists none."""
    native = series.to_native()
    if isinstance(native, pd.Series) and isinstance(native.dtype, pd.CategoricalDtype):
        categories, codes = native.array.categories, native.array.codes
    elif series.implementation.is_polars() and series.dtype == nw.Enum:
        categories = pd.Index(list(series.dtype.categories), dtype=object)
        codes = native.drop_nulls().to_physical().to_numpy()
    elif _is_dictionary(series):
        values = series.to_arrow()
        categories = pd.Index(values.dictionary.to_pylist(), dtype=object)
        codes = values.indices.drop_null().to_numpy()
    else:
        return None
    used = np.zeros(len(categories) + 1, dtype=bool)
    used[codes] = True  # -1, the code of a missing value, is the last
    return categories, used[:-1]


def recategorised(series: nw.Series, stay: np.ndarray) -> nw.Series:
    """Return the series, which lists categories, without those where `stay` is False: it holds none of them."""
    native = series.to_native()
    if isinstance(native, pd.Series) and isinstance(native.dtype, pd.CategoricalDtype):
        codes = np.append(np.cumsum(stay) - stay, -1)[native.array.codes]
        held = pd.Categorical.from_codes(codes, native.cat.categories[stay], ordered=native.cat.ordered)
        return nw.from_native(pd.Series(held, index=native.index, name=native.name), series_only=True)
    if not _is_dictionary(series):
        left = [category for category, stays in zip(series.dtype.categories, stay, strict=True) if stays]
        return series.cast(nw.String).cast(nw.Enum(left))
    values = series.to_arrow()
    codes = pa.array(np.cumsum(stay) - stay).cast(values.type.index_type).take(values.indices)
    words = values.dictionary.filter(pa.array(stay))
    values = pa.DictionaryArray.from_arrays(codes, words, ordered=values.type.ordered)
    if isinstance(native, pd.Series):
        native = pd.Series(pd.arrays.ArrowExtensionArray(values), index=native.index, name=native.name)
        return nw.from_native(native, series_only=True)
    return nw.from_native(pa.chunked_array([values]), series_only=True).alias(series.name)


def _is_dictionary(series: nw.Series) -> bool:
    """Whether it is one of Arrow's dictionaries, as it is or as pandas holds it."""
    native = series.to_native()
    kind = getattr(native.dtype, "pyarrow_dtype", None) if isinstance(native, pd.Series) else native
    kind = native.type if isinstance(native, pa.ChunkedArray) else kind
    return isinstance(kind, pa.DataType) and pa.types.is_dictionary(kind)


def filled_pandas(old: pd.Series, where: np.ndarray, new: pd.Series) -> nw.Series:
    """Return `old` with the values of `new` where `where` is True, widened where it cannot hold them."""
    if isinstance(old.dtype, pd.CategoricalDtype):
        old = old.cat.add_categories(new[where & ~new.isin(old.cat.categories)].unique())
    elif pd.api.types.is_integer_dtype(old.dtype) and not _fits(new, getattr(old.dtype, "numpy_dtype", old.dtype)):
        wide = "float64" if pd.api.types.is_float_dtype(new.dtype) else "int64"
        masked = wide.capitalize() if pd.api.types.is_extension_array_dtype(old.dtype) else wide
        old = old.astype(f"{wide}[pyarrow]" if isinstance(old.dtype, pd.ArrowDtype) else masked)
    elif isinstance(old.dtype, pd.DatetimeTZDtype):
        new = new.dt.tz_localize(old.dt.tz) if new.dt.tz is None else new.astype(old.dtype)
    return nw.from_native(old.mask(pd.Series(where), new), series_only=True)


def filled_native(old: nw.Series, where: np.ndarray, new: nw.Series) -> nw.Series:
    """Return what `filled_pandas` does, for the other libraries."""
    if old.dtype == nw.Unknown:
        old = old.cast(new.dtype)
    elif old.dtype.is_integer() and not _fits(new, np.dtype(str(old.dtype).lower())):
        old = old.cast(new.dtype)
    elif old.dtype == nw.Enum:
        categories = old.dtype.categories
        more = [value for value in new.filter(where.tolist()).unique().to_list() if value not in categories]
        old = old.cast(nw.String).cast(nw.Enum([*categories, *more])) if more else old
    flags = nw.from_dict({"where": where}, backend=old.implementation)["where"]
    return new.cast(old.dtype).zip_with(flags, old)


def _fits(new: Any, dtype: np.dtype) -> bool:
    """Whether the numbers in a series fit an integer dtype."""
    bounds = np.iinfo(dtype)
    return np.asarray(new).dtype.kind in "iu" and bounds.min <= new.min() and new.max() <= bounds.max
