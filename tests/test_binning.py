import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdp._checks import ParameterError
from skdp.binning import IntervalBinner

AGES = [24, 34, 44, 54, 64]
AGE_LABELS = ["24 and Under", "24 - 34", "34 - 44", "44 - 54", "54 - 64", "64 and Over"]
DECADES = [10, 20, 30, 40, 50, 60]
DECADE_LABELS = ["0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60+"]
NUMBERS = [3, 24, 25, 34, 64, 65]
RANGES = ["24 and Under", "24 and Under", "24 - 34", "24 - 34", "54 - 64", "64 and Over"]


def column(values):
    return pd.DataFrame({"Age": values})


def binned(X, edges=AGES, **parameters):
    return IntervalBinner({"Age": edges}, **parameters).fit_transform(X)["Age"]


# Edges and labels


def test_ranges_are_open_ended_and_hold_their_upper_edge():
    assert binned(column(NUMBERS)).tolist() == RANGES


def test_ranges_are_ordered_categories_all_of_them_even_if_unused():
    ages = binned(column([30]))
    assert ages.cat.ordered
    assert ages.cat.categories.tolist() == AGE_LABELS
    assert ages.dtype == binned(column([70])).dtype


def test_everything_above_the_last_edge_is_one_class():
    assert set(binned(column([65, 80, 120, 1e12]))) == {"64 and Over"}


def test_closed_left_with_labels_puts_10_into_10_to_19():
    ages = binned(column([0, 9, 10, 19, 20, 59, 60, 99]), DECADES, closed="left", labels=DECADE_LABELS)
    assert ages.tolist() == ["0-9", "0-9", "10-19", "10-19", "20-29", "50-59", "60+", "60+"]


def test_closed_left_without_labels_says_under():
    ages = binned(column([23, 24, 34, 64]), closed="left")
    assert ages.tolist() == ["Under 24", "24 - 34", "34 - 44", "64 and Over"]


def test_one_edge_makes_two_ranges():
    assert binned(column([0, 1]), [0]).tolist() == ["0 and Under", "0 and Over"]


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        ([24.0, 34.0], ["24 and Under", "24 - 34", "34 and Over"]),
        ([10.5, np.float64(11)], ["10.5 and Under", "10.5 - 11", "11 and Over"]),
        (np.array([-5, 0]), ["-5 and Under", "-5 - 0", "0 and Over"]),
        ((0.1, 10**17), ["0.1 and Under", "0.1 - 100000000000000000", "100000000000000000 and Over"]),
    ],
)
def test_numbers_in_labels_have_no_needless_decimals(edges, labels):
    assert binned(column([1]), edges).cat.categories.tolist() == labels


@pytest.mark.parametrize("closed", ["right", "left"])
@pytest.mark.parametrize("count", [1, 2, 5, 100, 101, 126, 127, 128, 1000])
def test_bins_are_those_of_pandas_cut_for_any_number_of_edges(count, closed):
    rng = np.random.default_rng(0)
    values = np.r_[rng.integers(-5, count + 5, 2000), rng.uniform(-5, count + 5, 2000), np.nan]
    edges = np.arange(count, dtype=float)
    codes = pd.cut(values, np.r_[-np.inf, edges, np.inf], right=closed == "right", labels=False)
    ours = binned(column(values), edges, closed=closed).cat.codes
    np.testing.assert_array_equal(np.where(np.isnan(codes), -1, codes), ours)


def test_missing_stays_missing_and_infinite_goes_to_the_outer_ranges():
    ages = binned(column([np.nan, -np.inf, np.inf]))
    assert ages.isna().tolist() == [True, False, False]
    assert ages.tolist()[1:] == ["24 and Under", "64 and Over"]


# Which columns


@pytest.fixture
def people():
    return pd.DataFrame(
        {"Age": [20, 30], "Name": ["Ana", "Bo"], "Income": [10.5, 99.0], "Member": [True, False]}, index=["b", "a"]
    )


def test_a_dict_of_edges_implies_the_columns(people):
    binner = IntervalBinner({"Age": AGES, "Income": [50]})
    result = binner.fit_transform(people)
    assert result["Income"].tolist() == ["50 and Under", "50 and Over"]
    pd.testing.assert_frame_equal(result[["Name", "Member"]], people[["Name", "Member"]])
    assert list(result) == list(people) == binner.get_feature_names_out().tolist()


def test_a_list_of_edges_holds_for_all_columns_of_numbers_but_not_booleans(people):
    result = IntervalBinner([25]).fit_transform(people)
    assert result["Age"].tolist() == ["25 and Under", "25 and Over"]
    assert result["Income"].tolist() == ["25 and Under", "25 and Over"]
    pd.testing.assert_frame_equal(result[["Name", "Member"]], people[["Name", "Member"]])


@pytest.mark.parametrize("edges", [[25], {"Age": [25], "Income": [25]}])
def test_columns_choose_among_them(people, edges):
    result = IntervalBinner(edges, columns="Age").fit_transform(people)
    assert result["Age"].tolist() == ["25 and Under", "25 and Over"]
    assert result["Income"].tolist() == [10.5, 99.0]


def test_labels_by_column_leave_the_default_to_others(people):
    binner = IntervalBinner({"Age": [25], "Income": [50]}, labels={"Income": ["low", "high"]})
    result = binner.fit_transform(people)
    assert result["Income"].tolist() == ["low", "high"]
    assert result["Age"].tolist() == ["25 and Under", "25 and Over"]
    assert binner.labels_ == {"Age": ["25 and Under", "25 and Over"], "Income": ["low", "high"]}
    assert binner.edges_["Age"].dtype == np.float64


# Errors


@pytest.mark.parametrize(
    "edges",
    [[], [2, 1], [1, 1], [1, np.nan], [1, np.inf], [-np.inf, 0], ["a"], "12", None, 5, [True], [None], [[1], [2]]],
)
def test_edges_that_are_no_increasing_finite_numbers_are_refused(people, edges):
    with pytest.raises(ParameterError, match="'edges' parameter of IntervalBinner must be .* for 'Age'. Got"):
        IntervalBinner({"Age": edges}).fit(people)
    with pytest.raises(ParameterError, match="'edges' parameter of IntervalBinner must be"):
        IntervalBinner(edges, columns=["Age"]).fit(people)


def test_an_empty_mapping_of_edges_is_refused(people):
    with pytest.raises(ParameterError, match="'edges' parameter of IntervalBinner must be a mapping of at least one"):
        IntervalBinner({}).fit(people)


@pytest.mark.parametrize("edge", [2**53 + 1, -(2**53) - 1, 10**400])
def test_integer_edges_beyond_2_to_the_53_that_no_float_is_are_refused(people, edge):
    with pytest.raises(ParameterError, match="'edges' parameter of IntervalBinner must be .* beyond 2.53 .* 'Age'"):
        IntervalBinner({"Age": [edge]}).fit(people)
    assert IntervalBinner({"Age": [2**53, 1e300]}).fit_transform(people).shape == people.shape


@pytest.mark.parametrize("labels", [["a"], ["a", "b", "c"], ["a", "a"], [1, 2], "ab", 5, [["a"], "b"]])
def test_labels_must_be_one_more_than_edges_different_and_text(people, labels):
    match = "'labels' parameter of IntervalBinner must be a list of 2 different texts for 'Age', one more than there"
    with pytest.raises(ParameterError, match=match):
        IntervalBinner({"Age": [25]}, labels=labels).fit(people)


def test_labels_for_a_column_that_is_not_binned_are_refused(people):
    with pytest.raises(ParameterError, match="'labels' parameter of IntervalBinner must be a mapping from binned"):
        IntervalBinner({"Age": [25]}, labels={"age": ["a", "b"]}).fit(people)


@pytest.mark.parametrize("parameters", [{"edges": {"Agee": [1]}}, {"edges": [1], "columns": ["Agee"]}])
def test_an_unknown_column_is_named_with_the_nearest(people, parameters):
    with pytest.raises(ParameterError, match="'Agee'.*did you mean 'Age'"):
        IntervalBinner(**parameters).fit(people)


def test_columns_without_edges_are_refused(people):
    with pytest.raises(ParameterError, match="'columns' parameter of IntervalBinner must be among"):
        IntervalBinner({"Age": [1]}, columns=["Income"]).fit(people)


def test_closed_must_be_left_or_right(people):
    with pytest.raises(ParameterError, match="'closed' parameter of IntervalBinner must be one of 'right', 'left'"):
        IntervalBinner([1], closed="both").fit(people)


@pytest.mark.parametrize("at_fit", [True, False])
def test_text_among_numbers_is_counted_but_never_shown(at_fit):
    X = column(np.array([1, "secret", 3, "hidden"], dtype=object))
    step = IntervalBinner({"Age": AGES})
    with pytest.raises(ValueError, match="'Age' holds 2 values that are not a number; convert") as error:
        step.fit(X) if at_fit else step.fit(column([1])).transform(X)
    assert "secret" not in str(error.value)


def test_booleans_are_no_numbers(people):
    with pytest.raises(ValueError, match="'Member' holds .*boolean values where numbers are needed"):
        IntervalBinner({"Member": [0.5]}).fit(people)


# Containers


MAKERS = {
    "int64": lambda values: column(values),
    "int8": lambda values: column(np.array(values, dtype=np.int8)),
    "float": lambda values: column(np.array(values, dtype=float)),
    "Int64": lambda values: column(pd.array(values, dtype="Int64")),
    "Float64": lambda values: column(pd.array(values, dtype="Float64")),
    "arrow": lambda values: column(pd.array(values, dtype="int64[pyarrow]")),
    "object": lambda values: column(np.array(values, dtype=object)),
    "polars": lambda values: pl.DataFrame({"Age": values}),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_same_ranges_whatever_the_dtype_or_library(make):
    X = make(NUMBERS)
    result = binned(X)
    assert type(result).__module__.split(".")[0] == type(X).__module__.split(".")[0]
    assert result.to_list() == RANGES


@pytest.mark.parametrize("make", [MAKERS[kind] for kind in ("Int64", "Float64", "arrow", "object", "polars")])
def test_gaps_in_any_dtype_stay_gaps(make):
    result = binned(make([3, None, 65]))
    assert [isinstance(value, str) for value in result.to_list()] == [True, False, True]


def test_polars_gets_an_enum_and_numpy_the_ranks_of_the_ranges():
    frame = pl.DataFrame({"Age": [20.0, None, float("nan")], "Name": ["a", "b", "c"]})
    result = IntervalBinner({"Age": AGES}).fit_transform(frame)
    assert result.schema == {"Age": pl.Enum(AGE_LABELS), "Name": pl.String}
    assert result["Age"].to_list() == ["24 and Under", None, None]
    array = IntervalBinner(AGES).fit_transform(np.array([[20.0, np.nan], [30.0, 40.0]]))
    np.testing.assert_array_equal(array, [[0, np.nan], [1, 2]])


def test_fit_on_pandas_serves_polars_and_back():
    pandas, polars = column(NUMBERS), pl.DataFrame({"Age": NUMBERS})
    assert IntervalBinner(AGES).fit(pandas).transform(polars)["Age"].to_list() == RANGES
    assert IntervalBinner(AGES).fit(polars).transform(pandas)["Age"].tolist() == RANGES


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_set_output_decides_the_container(make):
    step = IntervalBinner({"Age": AGES}).fit(make(NUMBERS))
    assert step.set_output(transform="pandas").transform(make(NUMBERS))["Age"].cat.categories.tolist() == AGE_LABELS
    assert step.set_output(transform="polars").transform(make(NUMBERS)).schema == {"Age": pl.Enum(AGE_LABELS)}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_empty_tables_keep_the_dtype(make):
    step = IntervalBinner({"Age": AGES}).fit(make(NUMBERS))
    full, empty = step.transform(make(NUMBERS)), step.transform(make(NUMBERS)[:0])
    assert empty.shape == (0, 1)
    assert empty["Age"].dtype == full["Age"].dtype


def test_an_empty_array_goes_through():
    assert IntervalBinner([0]).fit(np.ones((2, 1))).transform(np.ones((0, 1))).shape == (0, 1)


def test_one_row():
    assert binned(column([24])).tolist() == ["24 and Under"]


def test_index_and_order_of_rows_and_columns_are_kept_whatever_the_index():
    people = pd.DataFrame({"Name": list("abcdef"), "Age": NUMBERS}, index=[5, 0, 4, 0, 2, 9])
    result = IntervalBinner({"Age": AGES}).fit_transform(people)
    assert result.index.tolist() == people.index.tolist()
    assert result["Age"].tolist() == RANGES
    assert list(result) == ["Name", "Age"]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_callers_table_is_not_changed(make):
    X, same = make(NUMBERS), make(NUMBERS)
    IntervalBinner({"Age": AGES}).fit_transform(X)
    assert X.equals(same)


# What scikit-learn's checks would say of text, had they a way to compare it


def test_clones_and_pickles_bin_alike():
    step = IntervalBinner({"Age": AGES}, closed="left", labels={"Age": list("abcdef")})
    X = column(NUMBERS)
    result = step.fit_transform(X)
    pd.testing.assert_frame_equal(clone(step).fit_transform(X), result)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(step)).transform(X), result)
    pd.testing.assert_frame_equal(step.fit(X).transform(X), result)


def test_each_row_is_binned_on_its_own():
    X = np.random.default_rng(0).normal(size=(50, 3))
    step = IntervalBinner([-0.5, 0.5]).fit(X)
    whole, order = step.transform(X), np.random.default_rng(1).permutation(50)
    np.testing.assert_array_equal(step.transform(X[order]), whole[order])
    np.testing.assert_array_equal(np.vstack([step.transform(X[i : i + 7]) for i in range(0, 50, 7)]), whole)
    np.testing.assert_array_equal(step.transform(X.tolist()), whole)


def test_works_in_a_pipeline_and_a_column_transformer(people):
    direct = IntervalBinner({"Age": AGES}).fit_transform(people)
    pipeline = make_pipeline(FunctionTransformer(), IntervalBinner({"Age": AGES}))
    pd.testing.assert_frame_equal(pipeline.fit_transform(people), direct)
    both = ColumnTransformer([("bins", IntervalBinner(AGES), ["Age"])], remainder="passthrough")
    result = both.set_output(transform="pandas").fit_transform(people)
    assert result["bins__Age"].tolist() == direct["Age"].tolist()
