"""What steps have learned, as bytes and back: numbers, texts, arrays and our own plain classes; never code.

A pickle may name anything to be called, and an array that is built from bytes may hold addresses. Here no pickle names
anything: each array or object in it is a tuple of plain values, which a maker of this module reads.
"""

import io
import pickle
from dataclasses import is_dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from skdp import _generalisation, _hierarchies, _mondrian, _quantiles, _sampling, _scales, accounting

_PLAIN = "biufcmMSU"  # kinds of NumPy dtypes that hold no addresses
_HOMES = {
    home.__name__.removeprefix("skdp."): home
    for home in (_generalisation, _hierarchies, _mondrian, _quantiles, _sampling, _scales, accounting)
}


def dumped(learned: Any) -> bytes:
    """Return something in bytes; what `loaded` does not know comes out as bytes that it refuses.

    Examples
    --------
    >>> loaded(dumped({"edges": np.array([1.5, 2.0])}))
    {'edges': array([1.5, 2. ])}
    """
    file = io.BytesIO()
    _Writer(file, protocol=4).dump(learned)
    return file.getvalue()


def loaded(data: bytes) -> Any:
    """Return what `dumped` was given.

    Raises
    ------
    ValueError
        If the bytes are not of this kind.
    """
    try:
        return _Reader(io.BytesIO(data)).load()
    except Exception as error:
        raise ValueError("What the steps had learned cannot be read again; start anew in another output.") from error


class _Writer(pickle.Pickler):
    def persistent_id(self, thing: Any) -> tuple | None:
        kind = type(thing)
        if kind is np.ndarray and thing.dtype.kind == "O":
            return "objects", thing.shape, thing.ravel().tolist()
        if isinstance(thing, np.ndarray | np.generic) and thing.dtype.kind in _PLAIN:
            made = "array" if kind is np.ndarray else "number"
            return made, thing.dtype.str, thing.shape, thing.tobytes()
        if isinstance(thing, pa.Array):
            return "arrow", _arrow_bytes(thing)
        if kind is Fraction:
            return "fraction", str(thing)
        home = kind.__module__.removeprefix("skdp.")
        return ("ours", home, kind.__name__, vars(thing)) if _is_ours(home, kind) else None


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(name)

    def persistent_load(self, told: tuple) -> Any:
        kind, *parts = told
        return _MAKERS[kind](*parts)


def _is_ours(home: str, kind: Any) -> bool:
    """Whether a class is one of the plain ones that steps keep."""
    if home not in _HOMES or not isinstance(kind, type) or kind.__module__ != _HOMES[home].__name__:
        return False
    return is_dataclass(kind) or home == "_generalisation"


def _array(dtype: str, shape: tuple, data: bytes) -> np.ndarray:
    return np.frombuffer(data, dtype=np.dtype(dtype)).reshape(shape).copy()  # which refuses addresses of objects


def _number(dtype: str, shape: tuple, data: bytes) -> np.generic:
    return _array(dtype, shape, data)[()]


def _objects(shape: tuple, values: list) -> np.ndarray:
    return np.fromiter(values, dtype=object, count=len(values)).reshape(shape)


def _arrow_bytes(values: pa.Array) -> bytes:
    sink = pa.BufferOutputStream()
    batch = pa.record_batch([values], ["values"])
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _arrow(data: bytes) -> pa.Array:
    with pa.ipc.open_stream(data) as reader:
        batch = reader.read_next_batch()
    batch.validate(full=True)
    return batch.column(0)


def _ours(home: str, name: str, state: dict) -> Any:
    kind = vars(_HOMES[home])[name]
    if not _is_ours(home, kind):
        raise pickle.UnpicklingError(name)
    made = object.__new__(kind)
    vars(made).update(state)
    return made


_MAKERS = {
    "array": _array, "number": _number, "objects": _objects, "arrow": _arrow, "fraction": Fraction, "ours": _ours,
}  # fmt: skip
