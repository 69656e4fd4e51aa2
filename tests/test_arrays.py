"""Columns outside a frame."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skdp import (
    DistributionImputer,
    FakerSynthesizer,
    KAnonymizer,
    OutlierDropper,
    PIICleaner,
    RandomizedResponse,
    _arrays,
    metrics,
)
from skdp.report import DataSafetyReport
from skdp.specifications import Copy


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


SECRET = "Ro\ud800sa"  # half of a surrogate pair: Python holds it, Unicode knows no such text
USES = {
    "quasi-identifier": lambda table: KAnonymizer(2).fit(table),
    "chunk": lambda table: KAnonymizer(2).partial_fit(table).finish(),
    "sensitive": lambda table: KAnonymizer(2, sensitive="town", l_diversity=2).fit(table),
    "hierarchy": lambda table: KAnonymizer(2, hierarchies={"town": {SECRET: ["Any"], "Lima": ["Any"]}}).fit(table),
    "names": lambda table: PIICleaner(names="town").fit_transform(table),
    "addresses": lambda table: PIICleaner(addresses="town").fit_transform(table),
    "groups": lambda table: DistributionImputer(by="town").fit(table),
    "responses": lambda table: RandomizedResponse(epsilon=1, categories={"town": ["Lima", "Oslo"]}).fit_transform(
        table
    ),
    "copies": lambda table: FakerSynthesizer({"copy": Copy("town")}).fit_transform(table),
    "polars": lambda table: OutlierDropper().set_output(transform="polars").fit_transform(table),
    "report": lambda table: DataSafetyReport(table, table, quasi_identifiers=["town"]),
    "metric": lambda table: metrics.k_anonymity(table.astype({"town": pd.StringDtype("python")}), ["town"]),
}
TEXT_ALONE = ("groups", "metric")  # which leave mixed objects as they are


@pytest.mark.parametrize(
    ("use", "others"), [(use, cell) for use in USES for cell in ("Lima", 5) if cell == "Lima" or use not in TEXT_ALONE]
)
def test_text_that_is_not_valid_unicode_is_refused_by_column_and_not_shown(use, others):
    towns = pd.Series([SECRET, "Lima", None, others] * 3, dtype=object)
    table = pd.DataFrame({"age": [1.0, 2.0, np.nan, 4.0] * 3, "town": towns})
    with pytest.raises(ValueError, match="Column 'town' holds text that is not valid Unicode") as error:
        USES[use](table)
    assert not isinstance(error.value, UnicodeError)
    assert error.value.__suppress_context__
    assert "Ro" not in ascii(str(error.value)) and "ud800" not in ascii(str(error.value))


def test_arrays_of_such_text_are_refused_too():
    with pytest.raises(ValueError, match="A column holds text that is not valid Unicode") as error:
        _arrays.as_arrow([SECRET])
    assert not isinstance(error.value, UnicodeError)
