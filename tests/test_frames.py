"""The dataframe boundary: whatever library, the same values in and out, by position."""

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import values as rows
from scipy import sparse

from skdp import _frames, _levels
from skdp._arrays import Categories

KINDS = {
    "age": "number", "income": "number", "visits": "number", "city": "text", "group": "category", "member": "boolean",
    "joined": "date",
}  # fmt: skip


def test_kinds_agree_in_every_library(table):
    frame = _frames.read(table)
    kinds = {name: _frames.kind(frame, name) for name in frame.columns}
    assert {**kinds, "group": "category"} == KINDS
    assert kinds["group"] in ("category", "text")


def test_missing_is_null_nan_and_none_alike(table):
    frame = _frames.read(table)
    assert np.flatnonzero(_frames.missing(frame, "age")).tolist() == [2, 10]
    assert np.flatnonzero(_frames.missing(frame, "income")).tolist() == [3, 9]
    assert np.flatnonzero(_frames.missing(frame, "city")).tolist() == [2]
    assert np.flatnonzero(_frames.missing(frame, "joined")).tolist() == [5]
    assert not _frames.missing(frame, "member").any()


def test_nan_in_a_polars_column_is_missing():
    frame = _frames.read(pl.DataFrame({"x": [1.0, None, float("nan")]}))
    assert _frames.missing(frame, "x").tolist() == [False, True, True]


def test_numbers_are_float64_with_nan(table):
    ages = _frames.numbers(_frames.read(table), "age")
    assert ages.dtype == np.float64
    np.testing.assert_array_equal(ages[:4], [23, 35, np.nan, 41])


@pytest.mark.parametrize("column", ["city", "group", "member", "joined"])
def test_numbers_refuse_anything_else_and_name_the_column(table, column):
    with pytest.raises(ValueError, match=f"Column '{column}' holds") as error:
        _frames.numbers(_frames.read(table), column)
    assert not any(word in str(error.value) for word in ("Oslo", "Lima", "2020"))


def test_text_among_numbers_is_counted_not_shown():
    table = pd.DataFrame({"TownSize": [1, "#NULL!", 3, None, "#NULL!"]}, dtype=object)
    with pytest.raises(ValueError, match="'TownSize' holds 2 values that are not a number") as error:
        _frames.numbers(_frames.read(table), "TownSize")
    assert "#NULL!" not in str(error.value)
    assert "to_numeric" in str(error.value)


def test_object_columns_are_judged_by_all_their_values_not_the_first_hundred():
    late = pd.Series([1.0] * 500 + ["x"], dtype=object)
    frame = _frames.read(pd.DataFrame({"late": late}))
    assert _frames.kind(frame, "late") == "other"
    with pytest.raises(ValueError, match="1 value that is not a number"):
        _frames.numbers(frame, "late")


def test_texts_are_arrow_strings_with_nulls(table):
    cities = _frames.texts(_frames.read(table), "city")
    assert cities.type == pa.large_string()
    assert cities.to_pylist()[:4] == ["Oslo", "Lima", None, "Lima"]
    assert _frames.texts(_frames.read(table), "group").to_pylist()[:4] == ["a", "b", "a", None]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Etc/GMT+3", "+05:30"])
def test_dates_with_a_time_zone_are_the_days_there(zone):
    moments = pd.Series(pd.to_datetime(["2020-01-01 23:30", None, "2020-07-01 00:30"]))
    frame = _frames.read(pd.DataFrame({"seen": moments.dt.tz_localize(zone)}))
    assert _frames.kind(frame, "seen") == "date"
    days = np.array(["2020-01-01", "NaT", "2020-07-01"], dtype="datetime64[D]")
    np.testing.assert_array_equal(_frames.dates(frame, "seen"), days)
    if zone != "+05:30":  # which polars has no such zone for
        native = pl.Series([values if values == values else None for values in moments]).dt.replace_time_zone(zone)
        np.testing.assert_array_equal(_frames.dates(_frames.read(pl.DataFrame({"seen": native})), "seen"), days)


def test_dates_are_days(table):
    days = _frames.dates(_frames.read(table), "joined")
    assert days.dtype == "datetime64[D]"
    assert str(days[1]) == "2020-01-02"
    assert np.isnat(days[5])


def test_a_missing_value_is_a_group_of_its_own(table):
    codes, size = _levels.factorise(_frames.read(table), ["group"])
    assert size == 4
    assert codes[3] not in np.delete(codes, 3)
    codes, size = _levels.factorise(_frames.read(table), ["group", "city"])
    assert len(codes) == 12
    assert size == len(set(codes)) == 9


def test_reading_and_writing_changes_nothing(table):
    back = _frames.write(_frames.read(table), table)
    assert type(back) is type(table)
    assert rows(back) == rows(table)


def test_assign_replaces_in_place_and_appends_by_position(table):
    frame = _frames.read(table)
    new = _frames.assign(frame, {"visits": np.arange(12)[::-1], "extra": pa.array([f"v{i}" for i in range(12)])})
    assert new.columns == [*frame.columns, "extra"]
    assert rows(new.to_native())["visits"] == list(range(12))[::-1]
    assert rows(new.to_native())["extra"][3] == "v3"
    assert rows(table)["visits"] == list(range(12))
    if isinstance(table, pd.DataFrame):
        assert new.to_native().index.equals(table.index)


def test_categories_become_the_library_s_own(table):
    codes = np.array([0, 1, -1, 1] * 3, dtype=np.int8)
    new = _frames.assign(_frames.read(table), {"age": Categories(codes, ("low", "high"))})
    assert new.schema["age"] == nw.Enum(["low", "high"])
    assert rows(new.to_native())["age"][:4] == ["low", "high", None, "high"]


def test_blank_makes_cells_missing_and_keeps_the_rest(table):
    where = np.zeros(12, dtype=bool)
    where[[0, 7]] = True
    frame = _frames.read(table)
    blanked = _frames.blank(frame, dict.fromkeys(frame.columns, where))
    before, after = rows(table), rows(blanked.to_native())
    for name in frame.columns:
        assert after[name][0] is None and after[name][7] is None
        assert after[name][1:7] == before[name][1:7]


def test_rows_are_filtered_with_their_index_and_taken_with_a_fresh_one(table):
    frame = _frames.read(table)
    kept = _frames.filter_rows(frame, np.arange(12) % 2 == 0)
    assert rows(kept.to_native())["visits"] == [0, 2, 4, 6, 8, 10]
    taken = _frames.take_rows(frame, np.array([3, 3, 0]))
    assert rows(taken.to_native())["visits"] == [3, 3, 0]
    if isinstance(table, pd.DataFrame):
        assert kept.to_native().index.tolist() == table.index[::2].tolist()
        assert taken.to_native().index.tolist() == [0, 1, 2]


def test_either_container_can_be_asked_for(table):
    for container, kind in (("pandas", pd.DataFrame), ("polars", pl.DataFrame)):
        other = _frames.write(_frames.read(table), table, container)
        assert isinstance(other, kind)
        assert [str(value) for value in rows(other)["city"]] == [str(value) for value in rows(table)["city"]]
        assert rows(other)["visits"] == rows(table)["visits"]


def test_gaps_and_order_survive_the_way_from_polars_to_pandas():
    table = pl.DataFrame({"n": [1, None], "b": [True, None], "e": pl.Series(["u", None], dtype=pl.Enum(["v", "u"]))})
    converted = _frames.write(_frames.read(table), table, "pandas")
    assert [str(dtype) for dtype in converted.dtypes] == ["Int64", "boolean", "category"]
    assert converted["e"].cat.ordered
    assert converted["e"].cat.categories.tolist() == ["v", "u"]


def test_mixed_objects_are_spelled_out_on_the_way_to_polars():
    converted = _frames.write(
        _frames.read(pd.DataFrame({"m": pd.Series([1, "x", None], dtype=object)})), None, "polars"
    )
    assert converted["m"].to_list() == ["1", "x", None]


def test_an_array_gets_column_names_and_comes_back_as_an_array():
    array = np.array([[1.0, 2.0], [3.0, np.nan]])
    frame = _frames.read(array)
    assert frame.columns == ["x0", "x1"]
    np.testing.assert_array_equal(_frames.write(frame, array), array)
    text = _frames.write(_frames.assign(frame, {"x0": pa.array(["a", None])}), array)
    assert text.dtype == object
    assert text[0].tolist() == ["a", 2.0]


@pytest.mark.parametrize(
    ("X", "error"),
    [
        (np.zeros(3), ValueError),
        (np.array([[1j]]), ValueError),
        (sparse.csr_array(np.eye(2)), TypeError),
        (pl.DataFrame({"a": [1]}).lazy(), TypeError),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ValueError),
    ],
    ids=["one dimension", "complex", "sparse", "lazy", "doubled column"],
)
def test_what_is_no_table_is_refused(X, error):
    with pytest.raises(error):
        _frames.read(X)


@pytest.mark.parametrize("make", [list, np.array, pd.Series, pl.Series], ids=["list", "numpy", "pandas", "polars"])
def test_y_is_cut_in_its_own_container(make):
    y = make([0, 1, 2, 3])
    kept = _frames.cut(y, np.array([True, False, True, False]))
    assert type(kept) is type(y)
    assert list(kept) == [0, 2]


@pytest.mark.parametrize(
    "X",
    [np.array(["secret-cell", "b"], dtype=object), np.array([[77777.125 + 1j, 2]]), {"a": 77777.125}, [77777.125, 1.0]],
    ids=["one dimension", "complex", "mapping", "list"],
)
def test_what_is_refused_is_not_shown(X):
    with pytest.raises((ValueError, TypeError)) as error:
        _frames.read(X)
    assert "secret" not in str(error.value) and "7777" not in str(error.value)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_integers_that_floats_cannot_tell_apart_are_refused(make):
    frame = _frames.read(make({"id": [2**53, 2**53 + 1, 5], "n": [2**53 - 1, -(2**53) + 1, 0]}))
    with pytest.raises(ValueError, match=r"'id' holds 2 integers of 2\^53 or more"):
        _frames.numbers(frame, "id")
    with pytest.raises(ValueError, match="'id' holds 2 integers"):
        _frames.number_rows(frame, ["n", "id"])
    assert _frames.numbers(frame, "n").tolist() == [2**53 - 1, -(2**53) + 1, 0]


def test_sparse_y_is_cut():
    kept = _frames.cut(sparse.csr_array(np.eye(3)), np.array([True, False, True]))
    assert kept.shape == (2, 3)


NESTED = {"lists": [[1], [1], None, [2]], "structures": [{"p": 1}, {"p": 1}, None, {"p": 2}]}


@pytest.mark.parametrize("read", [_frames.texts, _levels._codes, _levels.levels])
@pytest.mark.parametrize("cells", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda columns: pa.table(columns).to_pandas()])
def test_cells_of_several_values_are_refused_by_the_name_of_their_column(make, cells, read):
    with pytest.raises(ValueError, match=r"^Column 'a' holds lists, structures or bytes where .* leave the column out"):
        read(_frames.read(make({"a": cells})), "a")


def test_objects_in_polars_are_told_apart_by_their_values_not_their_addresses():
    frame = _frames.read(pl.DataFrame({"a": pl.Series([(n % 2, "x") for n in range(6)], dtype=pl.Object)}))
    assert _levels.factorise(frame, ["a"])[1] == 2
    with pytest.raises(ValueError, match="Column 'a' holds"):
        _frames.texts(frame, "a")


@pytest.mark.parametrize(
    "make", [pd.DataFrame, lambda rows, columns: pa.Table.from_arrays([pa.array([1, 2])] * 3, columns)]
)
def test_a_doubled_column_is_refused_in_one_line(make):
    with pytest.raises(ValueError, match=r"^Column names must be unique. Got 'a' more than once; rename one of them.$"):
        _frames.read(make([[1, 1, 1], [2, 2, 2]], columns=["a", "a", "b"]))


def test_a_nul_in_the_name_of_a_polars_column_is_refused_before_polars_panics():
    with pytest.raises(ValueError, match=r"must not hold the character NUL. Got 'a\\x00b'; rename it.$"):
        _frames.read(pl.DataFrame({"a\0b": [1, 2]}))
    assert _frames.read(pd.DataFrame({"a\0b": [1, 2]})).columns == ["a\0b"]


MONTHS = pd.Series(pd.period_range("2019-11", periods=3, freq="M").take([2, 0, 1, 0]))
BINS = pd.Series(pd.cut([35, 20, 27, 21], [19.0, 25.0, 30.0, 40.0]))
SPANS = {
    "cut": (BINS, ["(19.0, 25.0]", "(25.0, 30.0]", "(30.0, 40.0]"]),
    "intervals": (BINS.astype(BINS.cat.categories.dtype), ["(19.0, 25.0]", "(25.0, 30.0]", "(30.0, 40.0]"]),
    "bins of objects": (
        BINS.cat.set_categories(BINS.cat.categories.astype(object)),
        ["(19.0, 25.0]", "(25.0, 30.0]", "(30.0, 40.0]"],
    ),
    "periods": (MONTHS, ["2019-11", "2019-12", "2020-01"]),
    "categories of periods": (MONTHS.astype("category").cat.as_ordered(), ["2019-11", "2019-12", "2020-01"]),
}


@pytest.mark.parametrize(("cells", "labels"), SPANS.values(), ids=SPANS)
def test_intervals_and_periods_are_read_as_categories_of_text_in_their_order(cells, labels):
    frame = _frames.read(pd.DataFrame({"a": cells.where([True, True, True, False])}))
    assert _frames.kind(frame, "a") == "category"
    assert _frames.category_order(frame, "a") == labels
    spelled = [labels[2], labels[0], labels[1], None]
    assert _frames.texts(frame, "a").to_pylist() == spelled
    assert _frames.arrow_column(frame, "a").to_pylist() == spelled
    assert _levels.factorise(frame, ["a"])[1] == 4
    ranks, among = _levels.levels(frame, "a")
    assert among.take(pa.array(ranks[:3])).to_pylist() == spelled[:3]
    assert ranks[3] == -1


@pytest.mark.parametrize(("cells", "labels"), SPANS.values(), ids=SPANS)
def test_intervals_and_periods_that_nobody_asked_for_stay_what_they_are(cells, labels):
    given = pd.DataFrame({"a": cells, "b": [1.0, 2.0, 3.0, 4.0]})
    copy = given.copy(deep=True)
    frame = _frames.filter_rows(_frames.read(given), np.array([True, True, True, False]))
    frame = _frames.blank(_frames.assign(frame, {"b": np.zeros(3)}), {"a": np.array([True, False, False])})
    _frames.texts(frame, "a")
    written = _frames.write(_frames.assign(frame, {"c": np.zeros(3)}), given)
    pd.testing.assert_series_equal(written["a"], cells[:3].where([False, True, True]), check_names=False)
    pd.testing.assert_frame_equal(given, copy)
    assert _frames.write(frame, given, "polars")["a"].to_list() == [None, labels[0], labels[1]]


def test_intervals_that_overlap_have_no_order():
    stays = pd.arrays.IntervalArray.from_tuples([(0, 10), (3, 5), (5, 9)])
    frame = _frames.read(pd.DataFrame({"a": stays}))
    assert _frames.category_order(frame, "a") is None
    assert _frames.texts(frame, "a").to_pylist() == ["(0, 10]", "(3, 5]", "(5, 9]"]


@pytest.mark.parametrize("dtype", ["interval[float64]", "period[M]"])
@pytest.mark.parametrize("categories", [False, True])
def test_a_column_of_no_interval_or_period_at_all_is_missing(dtype, categories):
    cells = pd.Series([None, None], dtype=dtype)
    frame = _frames.read(pd.DataFrame({"a": cells.astype("category") if categories else cells}))
    assert _frames.texts(frame, "a").to_pylist() == [None, None]
    assert _levels.factorise(frame, ["a"])[1] == 1


def test_a_gap_among_intervals_is_filled_with_text():
    frame = _frames.read(pd.DataFrame({"a": SPANS["intervals"][0].where([False, True, True, True])}))
    where = np.array([True, False, False, False])
    filled = _frames.filled(frame, "a", where, pa.array(["(25.0, 30.0]"], pa.large_string()))
    written = _frames.write(_frames.assign(frame, {"a": filled}), frame.to_native())
    assert written["a"].tolist() == ["(25.0, 30.0]", "(19.0, 25.0]", "(25.0, 30.0]", "(19.0, 25.0]"]


WAITS = pd.Series(pd.to_timedelta([90, None, 86_400, -5, 90], unit="s"))


@pytest.mark.parametrize(
    "column",
    [
        WAITS,
        WAITS.astype("timedelta64[ns]"),
        WAITS.astype(object),
        WAITS.astype("category"),
        WAITS.astype("duration[us][pyarrow]"),
        *(pl.from_pandas(WAITS).cast(pl.Duration(unit)) for unit in ("ms", "us", "ns")),
    ],
    ids=lambda column: f"{type(column).__module__.split('.')[0]} {column.dtype}",
)
def test_durations_are_spelled_alike_in_every_library(column):
    make = pd.DataFrame if isinstance(column, pd.Series) else pl.DataFrame
    spelled = _frames.texts(_frames.read(make({"a": column})), "a").to_pylist()
    assert spelled == ["0 days 00:01:30", None, "1 days 00:00:00", "-1 days +23:59:55", "0 days 00:01:30"]
