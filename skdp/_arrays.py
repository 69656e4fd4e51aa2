"""Columns outside a frame: NumPy and Arrow arrays taken, joined and factorised alike."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Categories:
    """A categorical column as codes into labels.

    Parameters
    ----------
    codes : ndarray of int of shape (n_rows,)
        Positions in `labels`; -1 is missing.
    labels : sequence of str
        The categories, in order.
    ordered : bool, default=True
        Whether the order of the labels means something.
    """

    codes: np.ndarray
    labels: tuple
    ordered: bool = True


def one_chunk(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


def is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


@contextmanager
def characters_of(column: object = None) -> Iterator[None]:
    """Name the column whose text is none: with half of a surrogate pair, which Python's error would show with all."""
    try:
        yield
    except UnicodeEncodeError:
        where = "A column" if column is None else f"Column {column!r}"
        raise ValueError(
            f"{where} holds text that is not valid Unicode (lone surrogates, U+D800 to U+DFFF); read the file anew in "
            "its own encoding, or put '?' in their place by text.encode('utf-8', 'replace').decode()."
        ) from None


def as_arrow(values: Any) -> Any:
    """Return values of any container (series, list, array) as an Arrow array; NumPy arrays of objects stay."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return one_chunk(values)
    try:
        with characters_of():
            return one_chunk(pa.array(values, from_pandas=True))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return np.array(list(values), dtype=object)


def encoded(values: pa.Array) -> pa.Array:
    """Return text dictionary-encoded, which makes repeating it cheap; anything else as it is."""
    return values.dictionary_encode() if is_text(values.type) else values


def take(values: Any, rows: np.ndarray) -> Any:
    """Return the values at positions `rows`."""
    return values.take(pa.array(rows)) if isinstance(values, pa.Array) else values[rows]


def filtered(values: Any, keep: np.ndarray) -> Any:
    """Return the values where `keep` is True."""
    return values.filter(pa.array(keep)) if isinstance(values, pa.Array) else values[keep]


def concatenate(parts: Sequence[Any]) -> Any:
    """Return arrays end to end; where they are of several types, as the type that holds them all."""
    if len(parts) == 1:
        return parts[0]
    if any(isinstance(part, np.ndarray) and part.dtype == object for part in parts):
        return np.concatenate([_as_objects(part) for part in parts])
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    arrays = [decoded(as_arrow(part)) for part in parts]
    filled = [one for one in arrays if not pa.types.is_null(one.type)]
    kind = filled[0].type if filled else pa.null()
    if any(one.type != kind for one in filled):
        kind = pa.large_string() if is_text(kind) else pa.unify_schemas(
            [pa.schema([("", one.type)]) for one in filled], promote_options="permissive"
        ).field(0).type  # fmt: skip
    return pa.concat_arrays([one.cast(kind) for one in arrays])


def _as_objects(values: Any) -> np.ndarray:
    return np.array(values.to_pylist(), dtype=object) if isinstance(values, pa.Array) else values.astype(object)


def decoded(values: pa.Array) -> pa.Array:
    """Return a dictionary-encoded array written out; anything else as it is."""
    if not pa.types.is_dictionary(values.type):
        return values
    words = values.dictionary
    return (words.cast(pa.large_string()) if is_text(words.type) else words).take(values.indices)


def rewritten(texts: pa.Array, pattern: str, replacement: str, *, only: str | None = None) -> pa.Array:
    """Return text with `pattern` (RE2) replaced, in the values where `only` (by default the pattern) is found.

    A test costs a fraction of a replacement: it need not tell where the groups are.
    """
    found = pc.fill_null(pc.match_substring_regex(texts, only or pattern), False)
    if not found.true_count:
        return texts
    return pc.replace_with_mask(texts, found, pc.replace_substring_regex(texts.filter(found), pattern, replacement))


def factorised(values: Any) -> Categories:
    """Return codes into distinct values, in order of first appearance; missing is -1."""
    array = as_arrow(values)
    if isinstance(array, pa.Array):
        array = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        codes = pc.fill_null(array.indices, -1).to_numpy(zero_copy_only=False)
        return Categories(codes.astype(np.int64), tuple(array.dictionary.to_pylist()), ordered=False)
    codes, labels = pd.factorize(array)
    return Categories(codes, tuple(labels), ordered=False)


class Hashes:
    """The values that a unique column has used, as sorted 64-bit hashes.

    Two values of one hash (at a million values, about once in 37 million tables) would be taken for the same: the
    second is drawn again, which does no harm.
    """

    def __init__(self):
        self.used = np.empty(0, dtype=np.uint64)

    def claim(self, values: Any) -> np.ndarray:
        """Return which values were used before, in this call or an earlier one; the others are used from now on."""
        array = decoded(values) if isinstance(values, pa.Array) else np.asarray(values)
        objects = array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array
        hashes = pd.util.hash_array(objects)
        distinct, first = np.unique(hashes, return_index=True)
        slots = np.searchsorted(self.used, distinct)
        new = ~np.isin(distinct, self.used, assume_unique=True)
        self.used = np.insert(self.used, slots[new], distinct[new])
        taken = np.ones(len(hashes), dtype=bool)
        taken[first[new]] = False
        return taken
