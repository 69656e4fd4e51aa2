"""Columns outside a frame."""

import numpy as np
import pyarrow as pa
import pytest

from skdp import _arrays


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([np.array([1, 2]), np.array([3])], [1, 2, 3]),
        ([pa.array(["a"]), pa.array(["b"], pa.large_string())], ["a", "b"]),
        ([pa.array(["a"]).dictionary_encode(), pa.array(["b"])], ["a", "b"]),
        ([pa.nulls(1), pa.array(["b"])], [None, "b"]),
        ([pa.array([1]), pa.array([1.5])], [1.0, 1.5]),
        ([np.array([1, "x"], dtype=object), pa.array(["b"])], [1, "x", "b"]),
        ([pa.nulls(1), pa.nulls(1)], [None, None]),
    ],
)
def test_concatenate_joins_arrays_of_several_types(parts, expected):
    assert list(map(_plain, _arrays.concatenate(parts))) == expected


def _plain(value):
    return value.as_py() if isinstance(value, pa.Scalar) else value


def test_factorised_numbers_values_by_first_appearance_and_missing_minus_one():
    for values in (pa.array(["b", None, "a", "b"]), np.array(["b", None, "a", "b"], dtype=object)):
        categories = _arrays.factorised(values)
        assert categories.codes.tolist() == [0, -1, 1, 0]
        assert categories.labels == ("b", "a")


def test_hashes_claim_each_value_once():
    hashes = _arrays.Hashes()
    assert hashes.claim(pa.array(["a", "b", "a"])).tolist() == [False, False, True]
    assert hashes.claim(pa.array(["c", "b"])).tolist() == [False, True]
    numbers = _arrays.Hashes()
    assert numbers.claim(np.array([5, 5, 6])).tolist() == [False, True, False]
