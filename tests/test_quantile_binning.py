import datetime
import math
import pickle
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import values
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from skdp import DPBounds, _frames
from skdp._checks import ParameterError
from skdp._quantiles import PartialOrder, quantile_bins
from skdp.binning import QuantileBinner

ENCODINGS = ("label", "ordinal", "onehot")
LABELS = ("interval", "mean", "rank")
INCOMES = [9.25, 21.5, 33.75, 40.0, 58.5, 1072.75]
RANGES = ["30 and Under", "30 and Under", "30 - 50", "30 - 50", "50 and Over", "50 and Over"]


def column(values):
    return pd.DataFrame({"Income": values})


def binned(X, n_bins=3, **parameters):
    return QuantileBinner(n_bins, **parameters).fit_transform(X)["Income"]


def samples(size=10_000):
    """Columns of every shape that quantiles meet, each without ties."""
    rng = np.random.default_rng(0)
    return {
        "normal": rng.normal(size=size),
        "lognormal": rng.lognormal(3, 1, size),
        "heavy tails": rng.standard_cauchy(size),
        "huge": rng.uniform(-1, 1, size) * 1.7e308,
        "tiny": rng.uniform(1e-300, 2e-300, size),
        "far from 0": 1_950_000_000 + rng.uniform(0, 70, size),
    }


def tied():
    rng = np.random.default_rng(0)
    return {
        "ages": rng.integers(18, 80, 10_000).astype(float),
        "mostly 0": np.where(rng.random(10_000) < 0.65, 0, rng.exponential(size=10_000)),
        "mostly the largest": np.where(rng.random(10_000) < 0.65, 9.5, rng.uniform(0, 9, 10_000)),
        "two values": rng.integers(0, 2, 10_000) * 0.123456789,
        "one odd value often": np.where(rng.random(10_000) < 0.3, 0.123456789123, rng.random(10_000)),
    }


ALL = {**samples(), **tied()}


# Populations


@pytest.mark.parametrize("n_bins", [2, 3, 5, 20])
@pytest.mark.parametrize("name", samples())
def test_bins_hold_equally_many_within_5_percent(name, n_bins):
    X = column(samples()[name])
    binner = QuantileBinner(n_bins).fit(X)
    sizes = binner.transform(X)["Income"].value_counts(sort=False)
    share = len(X) / n_bins
    assert len(sizes) == n_bins == binner.n_bins_["Income"]
    assert (abs(sizes - share) <= 1 + 0.05 * share).all()


@pytest.mark.parametrize("size", [5, 11, 12, 39, 199])
def test_bins_of_fewer_than_40_hold_exactly_those_of_pandas_qcut(size):
    values = np.random.default_rng(size).lognormal(3, 1, size)
    ours = binned(column(values), 5).cat.codes
    np.testing.assert_array_equal(ours, pd.qcut(values, 5, labels=False))


@pytest.mark.parametrize("n_bins", [2, 5, 20, 101])
@pytest.mark.parametrize("name", ALL)
def test_exact_edges_are_the_quantiles_of_numpy_and_the_bins_those_of_pandas_qcut(name, n_bins):
    values = ALL[name]
    quantiles = np.unique(np.quantile(values / 4, np.arange(1, n_bins) / n_bins) * 4)  # / 4: NumPy's would overflow
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        binner = QuantileBinner(n_bins, round_edges=False).fit(column(values))
    codes = binner.transform(column(values))["Income"].cat.codes
    expected = np.searchsorted(quantiles[quantiles < values.max()], values, side="left")
    expected = np.unique(expected, return_inverse=True)[1]
    assert (codes != expected).mean() <= n_bins / len(values)  # an interpolated edge may differ by its last bit
    if name not in tied():
        np.testing.assert_allclose(binner.edges_["Income"], quantiles, rtol=1e-12)


def test_each_range_holds_its_upper_edge():
    binner = QuantileBinner(2, round_edges=2).fit(column([1, 2, 3, 4, 5.0]))
    assert binner.edges_["Income"].tolist() == [3]
    assert binner.transform(column([2.99, 3, 3.01]))["Income"].tolist() == ["3 and Under", "3 and Under", "3 and Over"]


def test_n_bins_by_column_implies_the_columns():
    X = pd.DataFrame({"a": np.arange(10.0), "b": np.arange(10.0), "c": np.arange(10.0)})
    binner = QuantileBinner({"a": 2, "b": 5}).fit(X)
    assert binner.n_bins_ == {"a": 2, "b": 5}
    pd.testing.assert_series_equal(binner.transform(X)["c"], X["c"])
    assert QuantileBinner({"a": 2, "b": 5}, columns="b").fit(X).n_bins_ == {"b": 5}


# Rounding


@pytest.mark.parametrize("digits", [1, 2, 3, 8])
@pytest.mark.parametrize("name", [name for name in samples() if name != "far from 0"])
def test_edges_and_means_have_as_many_significant_digits_as_asked_for(name, digits):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        binner = QuantileBinner(5, round_edges=digits).fit(column(samples()[name]))
    for number in [*binner.edges_["Income"], *binner.bin_means_["Income"]]:
        assert number == float(f"{number:.{digits - 1}e}")
    assert binner.digits_ == {"Income": digits}


@pytest.mark.parametrize("round_edges", [None, 3, 15])
@pytest.mark.parametrize("name", samples())
def test_no_attribute_holds_a_value_of_the_table(name, round_edges):
    values = samples()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        binner = QuantileBinner(5, round_edges=round_edges).fit(column(values))
    kept = np.concatenate([binner.edges_["Income"], binner.bin_means_["Income"]])
    assert not np.isin(kept, values).any()


def test_the_check_above_finds_exact_edges():
    values = np.random.default_rng(0).normal(size=11)  # of 11 values, the 5-quantiles are the 3rd, 5th, 7th and 9th
    binner = QuantileBinner(5, round_edges=False).fit(column(values))
    assert np.isin(binner.edges_["Income"], values).all()
    assert binner.digits_ == {"Income": None}


def test_a_bin_of_one_record_has_a_rounded_mean():
    binner = QuantileBinner(2).fit(column([1234.5678, 98765.4321]))
    assert binner.bin_means_["Income"].tolist() == [1200, 99000]


def test_the_default_rounds_to_as_few_digits_as_hardly_move_the_populations():
    assert QuantileBinner().fit(column(np.arange(10_000.0))).edges_["Income"].tolist() == [2000, 4000, 6000, 8000]
    years = QuantileBinner(2).fit(column(np.arange(1950, 2020)))
    assert years.edges_["Income"].tolist() == [1984]
    assert years.digits_ == {"Income": 4}


def test_a_tight_edge_does_not_make_other_edges_values_of_records():
    values = [1.001, 2.002, 2.0021, 7.437, 9.123, 9.9]
    binner = QuantileBinner(5).fit(column(values))
    assert binner.edges_["Income"].tolist() == [2.00205, 3, 8, 9.2]
    assert binner.n_merged_ == {"Income": 0}


@pytest.mark.parametrize("n_bins", [2, 5, 10])
def test_no_edge_is_a_value_of_a_record_and_bins_are_those_of_exact_edges(n_bins):
    rng = np.random.default_rng(n_bins)
    for _ in range(300):
        values = rng.normal(rng.choice([0, 5, 40]), 10, rng.integers(max(5, n_bins), 60)).round(3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            binner = QuantileBinner(n_bins).fit(column(values))
            exact = QuantileBinner(n_bins, round_edges=False).fit_transform(column(values))["Income"].cat.codes
        edges = binner.edges_["Income"]
        assert not np.isin(edges, values).any()
        assert (np.diff(edges) > 0).all()
        np.testing.assert_array_equal(binner.transform(column(values))["Income"].cat.codes, exact)


@pytest.mark.parametrize("size", [300, 10_000])
def test_an_edge_may_be_on_the_grid_of_whole_ages_that_records_fill(size):
    ages = np.random.default_rng(0).integers(18, 80, size).astype(float)
    edges = QuantileBinner(5).fit(column(ages)).edges_["Income"]
    assert (edges == edges.round()).all()


def test_an_edge_is_no_whole_number_that_one_record_has():
    incomes = np.random.default_rng(0).integers(10_000, 90_000, 59)
    for n_bins in (2, 5, 20):
        assert not np.isin(QuantileBinner(n_bins).fit(column(incomes)).edges_["Income"], incomes).any()


def test_means_are_in_their_ranges_and_with_more_than_2_digits_no_values_of_records():
    rng = np.random.default_rng(0)
    for _ in range(100):
        values = (1000 + rng.choice(20_000, 30, replace=False) / 1000).round(3)
        binner = QuantileBinner(30).fit(column(values))
        means, edges = binner.bin_means_["Income"], binner.edges_["Income"]
        np.testing.assert_array_equal(np.searchsorted(edges, means), np.arange(len(means)))
        assert not np.isin(means, values).any()


def test_edges_that_round_alike_are_merged_and_reported():
    with pytest.warns(UserWarning, match="'Income' 2 of 3 bins were merged"):
        binner = QuantileBinner(3, round_edges=1).fit(column([101, 102, 103, 104, 105, 106]))
    assert binner.edges_["Income"].tolist() == []  # both round to 100, below which there is nothing
    assert binner.labels_ == {"Income": ["Any"]}
    assert binner.bin_means_["Income"].tolist() == [100]
    assert binner.n_merged_ == {"Income": 2}


def test_minus_zero_is_no_label():
    binner = QuantileBinner(2, round_edges=2).fit(column([-1.0, -0.0, -0.0, 1.0]))
    assert binner.labels_["Income"] == ["0 and Under", "0 and Over"]


# Ties


@pytest.mark.parametrize("name", tied())
def test_tied_values_are_in_one_bin_and_none_is_empty(name):
    X = column(tied()[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        binner = QuantileBinner(10).fit(X)
    ranges = binner.transform(X)["Income"]
    assert ranges.groupby(X["Income"]).nunique().max() == 1
    assert (ranges.value_counts() > 0).all()
    assert binner.n_bins_["Income"] + binner.n_merged_["Income"] == 10
    assert (np.diff(binner.edges_["Income"]) > 0).all()


def test_merged_ties_are_reported_once_by_column_and_number():
    X = pd.DataFrame({"pets": [0] * 7 + [1, 2, 3], "age": range(10), "cats": [0] * 9 + [5]})
    with pytest.warns(UserWarning) as caught:
        binner = QuantileBinner(5).fit(X)
    assert len(caught) == 1
    assert "'pets' 2 of 5, 'cats' 3 of 5 bins were merged" in str(caught[0].message)
    assert caught[0].filename == __file__
    assert binner.n_bins_ == {"pets": 3, "age": 5, "cats": 2}


def test_a_frequent_value_keeps_its_place_although_the_edge_beside_it_is_rounded():
    X = column(tied()["one odd value often"])
    sizes = binned(X, 2).value_counts(sort=False)
    assert (abs(sizes - 5000) < 300).all()


@pytest.mark.parametrize("X", [column([7.25] * 5), column([7.25]), column([7.25, None])])
def test_a_constant_column_or_a_single_row_is_one_bin_without_a_warning(X):
    binner = QuantileBinner(5, min_bin_size=None).fit(X)
    assert binner.labels_ == {"Income": ["Any"]}
    assert binner.transform(column([-1e9, 7.25, None]))["Income"].tolist()[:2] == ["Any", "Any"]
    assert binner.bin_means_["Income"].tolist() == [7.2]


def test_fewer_rows_than_bins():
    with pytest.warns(UserWarning, match="2 of 5 bins were merged"):
        assert len(set(binned(column([1, 2, 3]), 5))) == 3


# min_bin_size


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("smallest", [1, 7, 600, 4_000, 10_000])
def test_every_bin_holds_at_least_min_bin_size_records(name, smallest):
    X = column(ALL[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ranges = binned(X, 20, min_bin_size=smallest)
    assert ranges.value_counts().min() >= smallest


def test_bins_that_are_large_enough_are_left_alone():
    X = column(np.arange(100.0))
    assert binned(X, 5, min_bin_size=20).tolist() == binned(X, 5).tolist()


def test_a_merge_that_was_asked_for_is_no_warning_but_counted():
    binner = QuantileBinner(10, min_bin_size=25).fit(column(np.arange(100.0)))
    assert binner.n_bins_ == {"Income": 3}  # of 30, 30 and 40
    assert binner.n_merged_ == {"Income": 7}


def test_a_column_of_too_few_values_is_refused():
    with pytest.raises(ValueError, match="'Income' holds 3 values, fewer than min_bin_size=4; lower it, or leave"):
        QuantileBinner(2, min_bin_size=4).fit(column([1, 2, 3, None, np.inf]))


# Missing, infinite and unseen values


@pytest.mark.parametrize("encode", ENCODINGS)
def test_missing_stays_missing_and_unseen_values_go_to_the_outer_bins(encode):
    step = QuantileBinner(2, encode=encode, labels="rank").fit(column([1, 2, 3, 4, None, -np.inf]))
    out = step.transform(column([-1e9, -np.inf, np.nan, np.inf, 1e9]))
    if encode == "onehot":
        assert out.to_numpy().tolist() == [[1, 0], [1, 0], [0, 0], [0, 1], [0, 1]]
    else:
        cells = [str(cell) for cell in out["Income"].tolist()]
        assert cells[:2] + cells[3:] == ["0", "0", "1", "1"]
        assert out["Income"].isna().tolist() == [False, False, True, False, False]


@pytest.mark.parametrize("encode", ENCODINGS)
def test_a_column_missing_throughout_stays_so(encode):
    X = column([np.nan] * 3)
    step = QuantileBinner(encode=encode, min_bin_size=5, labels="mean").fit(X)
    out = step.transform(X)
    assert step.n_bins_ == {"Income": 1}
    assert np.isnan(step.bin_means_["Income"]).tolist() == [True]
    assert (out == 0).all(axis=None) if encode == "onehot" else out.isna().all(axis=None)
    assert step.inverse_transform(out)["Income"].isna().all()
    assert step.transform(column([1.0])).shape == (1, 1)


def test_infinite_values_take_no_part_in_edges_and_means():
    with_infinity = QuantileBinner(3).fit(column([*INCOMES, np.inf, -np.inf]))
    without = QuantileBinner(3).fit(column(INCOMES))
    np.testing.assert_array_equal(with_infinity.edges_["Income"], without.edges_["Income"])
    np.testing.assert_array_equal(with_infinity.bin_means_["Income"], without.bin_means_["Income"])


# Labels and encodings


def test_labels_are_ordered_categories_named_by_interval_mean_or_rank():
    X = column(INCOMES)
    ranges = binned(X)
    assert ranges.tolist() == RANGES
    assert ranges.cat.ordered
    assert binned(X, labels="mean").tolist() == ["15", "15", "37", "37", "570", "570"]
    assert binned(X, labels="mean").cat.categories.tolist() == ["15", "37", "570"]
    assert binned(X, labels="rank").tolist() == ["0", "0", "1", "1", "2", "2"]


def test_means_that_round_alike_are_told_apart_by_their_intervals():
    X = column([0.96, 0.97, 0.98, 1.02, 1.03, 1.04, 5, 6, 7])
    binner = QuantileBinner(3, round_edges=1, labels="mean").fit(X)
    assert binner.labels_["Income"] == ["1 (1 and Under)", "1 (1 - 2)", "6"]
    assert binner.inverse_transform(binner.transform(X))["Income"].tolist() == [1] * 6 + [6] * 3


@pytest.mark.parametrize("encode", ENCODINGS)
def test_numpy_gets_numbers_whatever_the_encoding(encode):
    array = np.array([[1.0, 10.0], [2.0, np.nan], [3.0, 30.0], [4.0, 40.0]])
    out = QuantileBinner(2, encode=encode).fit_transform(array)
    if encode == "onehot":
        np.testing.assert_array_equal(out, [[1, 0, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 1]])
        assert out.dtype == np.int8
    else:
        np.testing.assert_array_equal(out, [[0, 0], [0, np.nan], [1, 0], [1, 1]])


def test_ordinal_is_integers_with_and_without_gaps():
    assert binned(column(INCOMES), encode="ordinal").dtype == np.int64
    gaps = binned(column([*INCOMES, None]), encode="ordinal")
    assert gaps.dtype == "Int64"
    assert gaps.tolist() == [0, 0, 1, 1, 2, 2, pd.NA]
    polars = pl.DataFrame({"Income": [*INCOMES, None]})
    assert QuantileBinner(3, encode="ordinal").fit_transform(polars)["Income"].to_list() == [0, 0, 1, 1, 2, 2, None]


def test_onehot_columns_are_named_by_column_and_label_in_the_place_of_the_column():
    X = pd.DataFrame({"Name": list("abcdef"), "Income": INCOMES, "City": list("uvwxyz")}, index=range(6, 0, -1))
    binner = QuantileBinner(3, encode="onehot").fit(X)
    out = binner.transform(X)
    names = ["Name", "Income_30 and Under", "Income_30 - 50", "Income_50 and Over", "City"]
    assert list(out) == names == binner.get_feature_names_out().tolist()
    assert out["Income_30 - 50"].tolist() == [0, 0, 1, 1, 0, 0]
    assert out.index.tolist() == X.index.tolist()
    means = QuantileBinner(3, encode="onehot", labels="mean").fit(X).get_feature_names_out()
    assert means.tolist() == ["Name", "Income_15", "Income_37", "Income_570", "City"]


def test_a_onehot_column_never_replaces_another():
    X = pd.DataFrame({"Income": INCOMES, "Income_1": range(6)})
    with pytest.raises(ValueError, match="Column names must be unique. Got 'Income_1' more than once"):
        QuantileBinner({"Income": 3}, encode="onehot", labels="rank").fit(X)


# inverse_transform


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("encode", ENCODINGS)
def test_inverse_transform_gives_bin_means_in_every_kind_of_table(encode, labels, table):
    binner = QuantileBinner(3, columns=["age", "income"], encode=encode, labels=labels).fit(table)
    back = binner.inverse_transform(binner.transform(table))
    assert type(back) is type(table)
    assert list(back.columns) == list(table.columns)
    found, known = values(back), values(table)
    assert {name: found[name] for name in found if name not in ("age", "income")} == {
        name: known[name] for name in known if name not in ("age", "income")
    }
    for name, own in binner.bin_means_.items():
        ranks = np.searchsorted(binner.edges_[name], [math.nan if x is None else x for x in known[name]], side="left")
        assert found[name] == [None if x is None else own[i] for x, i in zip(known[name], ranks, strict=True)]


@pytest.mark.parametrize("encode", ENCODINGS)
def test_inverse_transform_of_arrays(encode):
    array = np.array([[1.0, 7.0], [2.0, np.nan], [3.0, 8.0], [5.0, 9.0]])
    binner = QuantileBinner(2, encode=encode).fit(array)
    out = binner.inverse_transform(binner.transform(array))
    np.testing.assert_array_equal(out, [[1.5, 7.5], [1.5, np.nan], [4, 7.5], [4, 9]])
    frame = pd.DataFrame(array, columns=["a", "b"])
    fitted = QuantileBinner(2, encode=encode).fit(frame)
    np.testing.assert_array_equal(fitted.inverse_transform(binner.transform(array)), out)


def test_means_are_those_of_the_rows_in_each_bin():
    X = column(samples()["lognormal"])
    binner = QuantileBinner(5, round_edges=6).fit(X)
    means = X["Income"].groupby(binner.transform(X)["Income"], observed=True).mean()
    np.testing.assert_allclose(binner.bin_means_["Income"], means, rtol=1e-5)
    exact = QuantileBinner(5, round_edges=False).fit(X)
    means = X["Income"].groupby(exact.transform(X)["Income"], observed=True).mean()
    np.testing.assert_allclose(exact.bin_means_["Income"], means, rtol=1e-12)


def test_an_outlier_does_not_blur_the_means_of_other_bins():
    binner = QuantileBinner(5, round_edges=False).fit(column([-1e20, *range(1, 10)]))
    assert binner.bin_means_["Income"].tolist()[1:] == [2.5, 4.5, 6.5, 8.5]


@pytest.mark.parametrize("bad", [["30 and Under", "secret"], [0, 7], [0.5, 1]])
def test_inverse_transform_counts_what_it_does_not_know_and_never_shows_it(bad):
    binner = QuantileBinner(3).fit(column(INCOMES))
    with pytest.raises(ValueError, match="'Income' holds 1 values that are no ranges of QuantileBinner") as error:
        binner.inverse_transform(column(bad))
    assert "secret" not in str(error.value)
    with pytest.raises(ValueError, match="needs the column 'Income'"):
        binner.inverse_transform(pd.DataFrame({"Incomes": [0]}))


@pytest.mark.parametrize("row", [[1, 1, 0], [0, 2, 0], [0.5, 0, 0], [0, np.nan, 1], [-1, 0, 1]])
def test_inverse_transform_refuses_one_hot_rows_of_two_ones_or_other_values(row):
    binner = QuantileBinner(3, encode="onehot", labels="rank").fit(column(INCOMES))
    rows = pd.DataFrame([[0, 0, 1], row, [0, 0, 0]], columns=["Income_0", "Income_1", "Income_2"])
    with pytest.raises(ValueError, match="'Income' holds 1 values that are no ranges of QuantileBinner"):
        binner.inverse_transform(rows)
    assert np.isnan(binner.inverse_transform(rows.drop(1))["Income"]).tolist() == [False, True]


# Tables of every kind


@pytest.mark.parametrize("encode", ENCODINGS)
def test_every_kind_of_table_has_the_same_bins(table, encode):
    binner = QuantileBinner(3, encode=encode).fit(table)
    out = binner.transform(table)
    assert binner.edges_.keys() == {"age", "income", "visits"}  # numbers only: no booleans, dates, text
    assert type(out) is type(table)
    assert list(out.columns) == binner.get_feature_names_out().tolist()
    assert values(out)["member"] == values(table)["member"]
    ages = [None, "36 and Under", "36 - 50", "50 and Over"]
    if encode == "label":
        assert values(out)["age"] == [ages[i] for i in (1, 1, 0, 2, 3, 3, 1, 1, 2, 3, 0, 2)]
    if encode == "ordinal":
        assert values(out)["age"] == [0, 0, None, 1, 2, 2, 0, 0, 1, 2, None, 1]
    if encode == "onehot":
        assert values(out)["age_36 - 50"] == [0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize("encode", ENCODINGS)
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_decides_the_container(table, encode, container):
    binner = QuantileBinner(2, encode=encode).set_output(transform=container).fit(table)
    out = binner.transform(table)
    assert isinstance(out, {"pandas": pd.DataFrame, "polars": pl.DataFrame}[container])
    assert values(out) == values(clone(binner).fit_transform(table))
    kind = _frames.kind(_frames.read(out), binner.get_feature_names_out()[0])
    assert kind == {"label": "category", "ordinal": "number", "onehot": "number"}[encode]


@pytest.mark.parametrize("encode", ENCODINGS)
def test_an_empty_table_comes_out_empty_with_its_columns(table, encode):
    binner = QuantileBinner(3, encode=encode).fit(table)
    out = binner.transform(table[:0])
    assert out.shape == (0, len(binner.get_feature_names_out()))
    assert binner.inverse_transform(out).shape == (0, table.shape[1])


def test_the_callers_table_is_not_changed_even_if_it_is_one_array():
    array = np.random.default_rng(0).normal(size=(50, 2))
    same = array.copy()
    QuantileBinner().fit_transform(pd.DataFrame(array, copy=False))
    QuantileBinner().fit_transform(array)
    np.testing.assert_array_equal(array, same)


# Errors


@pytest.mark.parametrize("n_bins", [1, 0, -3, 2.0, "5", None, True, [2, 3]])
def test_n_bins_must_be_an_integer_of_at_least_2(n_bins):
    with pytest.raises(ParameterError, match="'n_bins' parameter of QuantileBinner must be an integer of at least 2."):
        QuantileBinner(n_bins).fit(column(INCOMES))
    with pytest.raises(ParameterError, match="'n_bins' parameter of QuantileBinner must be an integer of at least 2."):
        QuantileBinner({"Income": n_bins}).fit(column(INCOMES))


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"encode": "dummy"}, "'encode' .* must be one of 'label', 'ordinal', 'onehot'. Got 'dummy'"),
        ({"labels": ["a", "b"]}, "'labels' .* must be one of 'interval', 'mean', 'rank'. Got"),
        ({"round_edges": True}, "'round_edges' .* must be an integer of at least 1 and of at most 15. Got True"),
        ({"round_edges": 0}, "'round_edges' .* must be an integer of at least 1 and of at most 15. Got 0"),
        ({"round_edges": 2.5}, "'round_edges' .* must be an integer"),
        ({"round_edges": 16}, "'round_edges' .* must be an integer"),
        ({"min_bin_size": 0}, "'min_bin_size' .* must be an integer of at least 1. Got 0"),
        ({"min_bin_size": "5"}, "'min_bin_size' .* must be an integer"),
        ({"columns": ["Incom"]}, "'Incom'.*did you mean 'Income'"),
        ({"n_bins": {"Incom": 5}}, "'Incom'.*did you mean 'Income'"),
        ({"n_bins": {"Income": 5}, "columns": "Name"}, "'columns' .* must be among the columns that 'n_bins' names"),
    ],
)
def test_bad_parameters_are_named(parameters, match):
    with pytest.raises(ParameterError, match=match):
        QuantileBinner(**parameters).fit(pd.DataFrame({"Income": INCOMES, "Name": list("abcdef")}))


@pytest.mark.parametrize("at_fit", [True, False])
def test_text_among_numbers_is_counted_but_never_shown(at_fit):
    X = column(np.array([1, "secret", 3, "hidden"], dtype=object))
    step = QuantileBinner({"Income": 2})
    with pytest.raises(ValueError, match="'Income' holds 2 values that are not a number; convert") as error:
        step.fit(X) if at_fit else step.fit(column([1, 2])).transform(X)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("cells", "kind"), [([True, False], "boolean"), ([datetime.date(2020, 1, 1)] * 2, "date")])
def test_booleans_and_dates_are_no_numbers(cells, kind):
    with pytest.raises(ValueError, match=f"'Income' holds .*{kind} values where numbers are needed"):
        QuantileBinner(columns="Income").fit(column(cells))
    X = column(cells)
    pd.testing.assert_frame_equal(QuantileBinner().fit_transform(X), X)


@pytest.mark.parametrize("X", [column([]), pl.DataFrame({"Income": []}), np.empty((0, 2))])
def test_nothing_is_learned_from_no_rows(X):
    with pytest.raises(ValueError, match="0 (rows|sample)"):
        QuantileBinner().fit(X)


# As a step


@pytest.mark.parametrize("encode", ENCODINGS)
def test_clones_and_pickles_bin_alike(table, encode):
    step = QuantileBinner({"age": 2, "income": 3}, encode=encode)
    result = values(step.fit_transform(table))
    assert values(clone(step).fit_transform(table)) == result
    assert values(pickle.loads(pickle.dumps(step)).transform(table)) == result


def test_works_in_a_pipeline_a_column_transformer_and_a_grid_search():
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    y = (X["a"] > 0).astype(int)
    for encode in ("ordinal", "onehot"):
        pipeline = make_pipeline(QuantileBinner(encode=encode), DecisionTreeClassifier(max_depth=2, random_state=0))
        search = GridSearchCV(pipeline, {"quantilebinner__n_bins": [2, 4]}, cv=3).fit(X, y)
        assert search.best_score_ > 0.8
    parts = ColumnTransformer([("bins", QuantileBinner(2, encode="onehot", labels="rank"), ["a"])])
    assert list(parts.set_output(transform="pandas").fit_transform(X)) == ["bins__a_0", "bins__a_1"]


def test_learned_edges_are_not_called_private():
    guarantee = QuantileBinner(3).fit(column(INCOMES)).privacy_guarantee_
    assert not guarantee.is_finite
    assert guarantee.columns == ("Income",)
    assert "learned from the table, without noise" in str(guarantee)


# The machinery


@pytest.mark.parametrize("name", ALL)
def test_partial_order_finds_quantiles_counts_and_means(name):
    values = np.r_[ALL[name], np.nan, np.inf]
    order, ranked = PartialOrder(values), np.sort(ALL[name])
    order.quantiles(7)
    for bound in [*ranked[::997], -np.inf, np.inf, *(ranked[::997] * (1 + 1e-9))]:
        assert order.count_up_to(bound) == np.searchsorted(ranked, bound, side="right")
    ends = [1, 5, 4_000, 9_999]
    expected = [(part / len(part)).sum() for part in np.split(ranked, ends)]
    np.testing.assert_allclose(order.means(ends), expected, rtol=1e-9, atol=0)
    np.testing.assert_array_equal(np.sort(order.values), ranked)


def test_quantiles_of_few_values():
    for size in range(1, 9):
        values = np.random.default_rng(size).normal(size=size)
        for n_parts in range(2, 12):
            expected = np.quantile(values, np.arange(1, n_parts) / n_parts)
            np.testing.assert_allclose(PartialOrder(values).quantiles(n_parts), expected, rtol=1e-12)


def test_neighbouring_floats_are_separated_or_merged_but_never_crash():
    values = 1 + np.arange(10) * np.finfo(float).eps
    bins = quantile_bins(values, 5)
    assert len(bins.means) == len(bins.edges) + 1
    assert len(quantile_bins(values, 5, digits=False).edges) == 4
    assert len(quantile_bins(np.array([-np.finfo(float).max, np.finfo(float).max]), 2).means) == 2


# At a price


class Recorder:
    """A ledger that writes down what it is charged."""

    def __init__(self):
        self.entries = []

    def charge(self, guarantee, *, estimator, rows, purpose):
        self.entries.append((guarantee, estimator, rows, purpose))


class Empty:
    """A ledger that nothing can be charged to any more."""

    def charge(self, guarantee, *, estimator, rows, purpose):
        raise RuntimeError("spent")


def salaries(size=20_000):
    return column(np.random.default_rng(0).lognormal(10.7, 0.7, size))


def test_private_bins_hold_about_equally_many():
    # ranks are off by about 7 of 20,000; by 1000 with a probability below 1e-9
    X = salaries()
    sizes = QuantileBinner(4, epsilon=1, bounds=(0, 1e6)).fit_transform(X)["Income"].value_counts()
    assert sizes.between(4000, 6000).all()


def test_bounds_may_be_learned_too_for_an_epsilon_more():
    X, binner = salaries(), QuantileBinner(4, epsilon=1, bounds=DPBounds(0.5))
    sizes = binner.fit_transform(X)["Income"].value_counts()
    assert sizes.between(4000, 6000).all()
    assert binner.privacy_guarantee_.epsilon == 1.5


@pytest.mark.parametrize("encode", ENCODINGS)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("round_edges", [None, False, 2])
def test_private_bins_are_encoded_and_inverted_like_any(encode, labels, round_edges):
    X = salaries(2000)
    binner = QuantileBinner(5, epsilon=5, bounds=(0, 1e6), encode=encode, labels=labels, round_edges=round_edges)
    out = binner.fit_transform(X)
    back = binner.inverse_transform(out)["Income"]
    assert back.isin(binner.bin_means_["Income"]).all()
    edges, means = binner.edges_["Income"], binner.bin_means_["Income"]
    assert len(means) == len(edges) + 1 == binner.n_bins_["Income"] == 5 - binner.n_merged_["Income"]
    assert (means[:-1] <= edges).all() and (means[1:] >= edges).all()


def test_the_guarantee_adds_up_over_columns_and_says_what_it_covers():
    X = pd.DataFrame({"a": np.arange(1000.0), "b": np.arange(1000), "c": np.arange(1000)})
    binner = QuantileBinner(2, epsilon={"a": 1, "b": 0.5}, bounds={"a": (0, 1000), "b": DPBounds(1)}).fit(X)
    stated = binner.privacy_guarantee_
    assert (stated.epsilon, stated.columns, stated.scope) == (2.5, ("a", "b"), "central")
    assert "covers what fit learned, not the rows that transform puts out" in stated.conditions
    assert "the number of rows is public" in stated.conditions
    assert list(binner.edges_) == ["a", "b"]


def test_a_seed_voids_the_guarantee_and_columns_share_no_noise():
    X = salaries(10_000).assign(Other=salaries(10_000)["Income"])
    binner = QuantileBinner(5, epsilon=1, bounds=(0, 1e6), random_state=0, round_edges=False).fit(X)
    assert not binner.privacy_guarantee_.is_finite
    assert (binner.edges_["Income"] == clone(binner).fit(X).edges_["Income"]).all()
    assert binner.edges_["Income"].tolist() != binner.edges_["Other"].tolist()
    fresh = [clone(binner).set_params(random_state=None).fit(X).edges_["Income"].tolist() for _ in range(2)]
    assert fresh[0] != fresh[1]  # of more than 10^12 possible ones


@pytest.mark.parametrize("epsilon", [None, 1])
def test_each_fit_is_charged_once_and_transform_nothing(epsilon):
    ledger = Recorder()
    binner = QuantileBinner(2, epsilon=epsilon, bounds=epsilon and (0, 1e6), ledger=ledger)
    binner.fit_transform(salaries(100))
    binner.transform(salaries(100))
    assert ledger.entries == [(binner.privacy_guarantee_, "QuantileBinner", 100, "fit")]


def test_a_refused_charge_draws_no_noise(monkeypatch):
    monkeypatch.setattr("skdp._noisy_counts.two_sided_geometric", lambda *args, **kwargs: pytest.fail("drawn"))
    with pytest.raises(RuntimeError, match="spent"):
        QuantileBinner(2, epsilon=1, bounds=(0, 1e6), ledger=Empty()).fit(salaries(100))


def test_what_cannot_be_binned_is_not_charged():
    ledger = Recorder()
    with pytest.raises(ValueError, match="not a number"):
        QuantileBinner(2, columns="Income", epsilon=1, bounds=(0, 1), ledger=ledger).fit(column(["much", "more"]))
    assert not ledger.entries


ODD = [math.nan, math.inf, -math.inf, 1e308, -1e308]


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("share", [0.01, 0.8, 1.0])
@pytest.mark.filterwarnings("ignore:QuantileBinner made fewer bins")
def test_odd_values_and_ties_never_break_private_edges(odd, share):
    X = salaries(1000)
    X.iloc[: int(share * 1000)] = odd
    binner = QuantileBinner(10, epsilon=1, bounds=(0, 200_000)).fit(X)
    edges = binner.edges_["Income"]
    assert np.isfinite(edges).all() and (np.diff(edges) > 0).all()
    assert (edges >= 0).all() and (edges <= 200_000).all()
    assert np.isfinite(binner.bin_means_["Income"]).all()
    assert len(binner.transform(X)) == 1000


def test_big_integers_are_clamped_when_private_edges_are_learned():
    binner = QuantileBinner(2, epsilon=1, bounds=(0, 100)).fit(column(np.full(50, 2**60)))
    assert 0 <= binner.edges_["Income"][0] <= 100


def test_private_ties_are_merged_by_noisy_edges_with_the_same_warning():
    X = column(np.where(np.arange(100_000) < 65_000, 0.0, np.linspace(0, 1000, 100_000)))
    binner = QuantileBinner(10, epsilon=1, bounds=(0, 1e6))
    with pytest.warns(UserWarning, match="'Income' [3-6] of 10 bins were merged"):
        binner.fit(X)
    assert 4 <= binner.n_bins_["Income"] <= 7
    assert binner.transform(X)["Income"].value_counts(normalize=True).max() == pytest.approx(0.65, abs=0.01)


def test_bounds_that_are_not_found_name_the_column():
    with pytest.raises(ValueError, match=r"Column 'Income': DPBounds\(epsilon=1\) found no bounds"):
        QuantileBinner(2, epsilon=1, bounds=DPBounds(1)).fit(salaries(10))


def test_no_private_attribute_is_a_value_of_the_table():
    X = salaries(5000)
    fitted = QuantileBinner(20, epsilon=1000, bounds=(0, 1e6), round_edges=False).fit(X)
    learned = np.r_[fitted.edges_["Income"], fitted.bin_means_["Income"]]
    assert not np.isin(learned, X["Income"]).any()  # by chance with a probability below 1e-9
    assert str(float(X["Income"].max())) not in str(vars(fitted))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epsilon": 1}, "'bounds' parameter of QuantileBinner must be a pair of numbers"),
        ({"bounds": (0, 1)}, "'bounds' parameter of QuantileBinner must be None where 'epsilon' is None"),
        ({"epsilon": 0, "bounds": (0, 1)}, "'epsilon' parameter"),
        ({"epsilon": -1, "bounds": DPBounds(1)}, "'epsilon' parameter"),
        ({"epsilon": math.nan, "bounds": (0, 1)}, "'epsilon' parameter"),
        ({"epsilon": 1, "bounds": (1, 1)}, "lower < upper"),
        ({"epsilon": 1, "bounds": (0, math.inf)}, "lower < upper"),
        ({"epsilon": 1, "bounds": 5}, "lower < upper"),
        ({"epsilon": 1, "bounds": {"Other": (0, 1)}}, "needs the column 'Other'"),
        ({"epsilon": 1, "bounds": (0, 1), "min_bin_size": 3}, "'min_bin_size'"),
        ({"epsilon": 1, "bounds": (0, 1), "random_state": -1}, "'random_state'"),
        ({"epsilon": {"Income": 1}, "bounds": (0, 1), "columns": "Age"}, "of columns that are binned"),
    ],
    ids=str,
)
def test_bad_prices_are_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        QuantileBinner(2, **parameters).fit(pd.DataFrame({"Income": [1.0, 2.0], "Age": [3, 4]}))


def test_so_many_bins_that_memory_would_not_do_are_refused():
    with pytest.raises(ValueError, match="'n_bins'.* of at least 2 and of at most 100000"):
        QuantileBinner(2**63 - 1).fit(pd.DataFrame({"x": [1.0, 2.0]}))
