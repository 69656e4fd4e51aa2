"""What was learned is read again as it was; whatever else a file holds, nothing of it is called."""

import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skdp import PrivacyGuarantee
from skdp._learned_files import dumped, loaded
from skdp._mondrian import Records, Tree

ARRAYS = [
    np.array([1.5, np.nan]), np.arange(6).reshape(2, 3)[:, ::2], np.array([True]), np.array(["a", "bc"]), np.empty(0),
    np.array(["2020-01-01", "NaT"], "M8[ns]"), np.array([3, 4], "m8[D]"), np.array(5), np.array([1, 2], ">i4"),
]  # fmt: skip


class Calls:
    """Has a pickle call something."""

    def __init__(self, *told):
        self.told = told

    def __reduce__(self):
        return self.told


@pytest.mark.parametrize("array", ARRAYS, ids=str)
def test_arrays_are_read_again(array):
    found = loaded(dumped(array))
    assert found.dtype == array.dtype and found.flags.writeable
    np.testing.assert_array_equal(found, array)


def test_arrays_of_objects_are_read_again():
    found = loaded(dumped(np.array([["a", None], [1, (2, 3)]], dtype=object)))
    assert found.dtype == object and found.tolist() == [["a", None], [1, (2, 3)]]
    assert loaded(dumped(np.fromiter([[1], [2]], dtype=object))).tolist() == [[1], [2]]


@pytest.mark.parametrize(
    "dtype", [pa.decimal128(25, 2), pa.timestamp("ms", "Europe/Oslo"), pa.string(), pa.bool_(), pa.date32()]
)
def test_arrow_arrays_are_read_again(dtype):
    array = pa.array([None, 1, 0, 1], pa.int32() if dtype in (pa.date32(), pa.bool_()) else pa.int64()).cast(dtype)[1:]
    assert loaded(dumped(array)).equals(array)
    assert loaded(dumped(array.dictionary_encode())).equals(array.dictionary_encode())


def test_numbers_texts_and_our_own_objects_are_read_again():
    guarantee = PrivacyGuarantee(Fraction(1, 3), columns=("Age",))
    held = {"ε": Fraction(1, 3), "n": np.float32(2.5), "names": {"a", "b"}, 3: [None, True, guarantee]}
    found = loaded(dumped(held))
    assert found == held and type(found["n"]) is np.float32


@pytest.mark.parametrize(
    "held",
    [print, pd.Timestamp("2020-01-01"), np.zeros(2, "i4,f8"), Calls(list, ())],
    ids=["function", "timestamp", "records", "call"],
)
def test_nothing_else_is(held):
    with pytest.raises(ValueError, match="cannot be read again"):
        loaded(dumped(held))


def test_a_file_cannot_build_an_array_of_addresses():
    """To look at such an object ends the process, or worse: the file says where in memory it would be."""
    with pytest.raises(ValueError, match="cannot be read again"):
        loaded(pickle.dumps(Calls(np.ndarray, ((1,), "O", bytearray(8))), protocol=4))
    for dtype in ("O", "O,i4", [("a", "O")]):
        with pytest.raises(ValueError, match="cannot be read again"):
            loaded(persistent(("array", dtype, (1,), bytes(16))))


def persistent(told):
    """Return a file with one persistent object."""
    return pickle.dumps(told, protocol=4)[:-1] + pickle.BINPERSID + pickle.STOP


def test_a_file_cannot_have_a_module_imported_or_a_class_changed():
    changes = b"cskdp._mondrian\nRecords\nN}\x8c\x07__len__cbuiltins\nset\ns\x86b."
    for data in (b"cskdp.__main__\nmain\n.", changes):
        with pytest.raises(ValueError, match="cannot be read again"):
            loaded(data)
    assert len(Records([np.zeros(3)])) == 3


@pytest.mark.parametrize(
    "told",
    [("ours", "cli", "main", {}), ("ours", "_mondrian", "np", {}), ("ours", "_generalisation", "pd", {}),
     ("ours", "_generalisation", "re", {}), ("ours", "_generalisation", "Iterable", {}), ("eval", "1"),
     ("arrow", b""), ("ours", "_mondrian", "partition", {})],
)  # fmt: skip
def test_a_file_makes_no_object_that_steps_do_not_keep(told):
    with pytest.raises(ValueError, match="cannot be read again"):
        loaded(persistent(told))


def test_such_a_file_can_make_one_that_they_keep():
    assert type(loaded(persistent(("ours", "_mondrian", "Tree", {})))) is Tree
