"""Statistical tests reject with a false-alarm rate of `ALARM` each, and each has a planted bug that it must catch."""

import datetime
import io
import math
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import polars.testing
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdp import DPBounds, _public_cells
from skdp._checks import ParameterError
from skdp._files import TableWriter
from skdp._noisy_counts import noisy_counts
from skdp.imputation import Conditional, DistributionImputer

ALARM = 1e-9
ROWS = 50_000
AGES = {(0, 9): 25, (10, 19): 23, (20, 39): 35, (40, 59): 13, (60, 70): 4}
AGE_SHARES = np.repeat(np.array([0.25, 0.23, 0.35, 0.13, 0.04]) / [10, 10, 20, 20, 11], [10, 10, 20, 20, 11])


def draw(distribution, rows=ROWS, seed=0, **parameters):
    """Return an appended column of draws."""
    table = pd.DataFrame({"row": np.zeros(rows, dtype=np.int64)})
    return DistributionImputer({"drawn": distribution}, random_state=seed, **parameters).fit_transform(table)["drawn"]


def follows(values, shares):
    """Whether values 0, 1, … occur by `shares` (chi-square)."""
    counts = np.bincount(values, minlength=len(shares))
    return stats.chisquare(counts, np.asarray(shares) * len(values)).pvalue > ALARM


def independent(one, other):
    """Whether two columns have no association (chi-square)."""
    return stats.chi2_contingency(pd.crosstab(np.asarray(one), np.asarray(other))).pvalue > ALARM


# Given distributions


def test_integer_ranges_hold_both_ends_and_are_uniform_inside_by_normalised_weights():
    ages = draw(AGES)
    assert ages.dtype == np.int64
    assert (ages.min(), ages.max()) == (0, 70)
    assert follows(ages, AGE_SHARES)
    assert not follows(ages, np.full(71, 1 / 71)), "weights ignored"
    shifted = np.r_[AGE_SHARES[:60], np.full(10, 0.004), 1e-12]
    assert not follows(ages, shifted / shifted.sum()), "upper end left out"


def test_weights_need_not_add_up_to_one():
    np.testing.assert_array_equal(draw({1: 1, 2: 3}), draw({1: 0.25, 2: 0.75}))


def test_a_range_with_a_float_end_draws_floats_uniformly():
    values = draw({(0, 1.0): 1, (2.0, 4): 1})
    assert values.dtype == np.float64
    folded = np.where(values < 1, values / 2, values / 4)
    assert stats.kstest(folded, "uniform").pvalue > ALARM
    assert not stats.kstest(values / 4, "uniform").pvalue > ALARM, "widths mistaken for weights"


def test_integers_among_floats_are_whole_still():
    values = draw({(1, 3): 1, 7: 1, (10.0, 11.0): 1})
    assert set(values[values < 10]) == {1.0, 2.0, 3.0, 7.0}
    assert values[values >= 10].nunique() > 1000


def test_values_with_weight_zero_never_occur():
    assert set(draw({"never": 0, "a": 1, "neither": 0, "b": 1, "nor": 0.0})) == {"a", "b"}


def test_large_integers_are_exact():
    low = 2**62 + 1
    assert set(draw({low: 1, (low + 2, low + 3): 1}, 100)) == {low, low + 2, low + 3}


@pytest.mark.parametrize(
    ("distribution", "dtype"),
    [
        ({"a": 1, "b": 2}, "str"),
        ({True: 1, False: 2}, "bool"),
        ({datetime.date(2020, 1, 1): 1, datetime.date(2021, 1, 1): 1}, "datetime64[s]"),
        ({1: 1, 2: 1}, "int64"),
        ({1.5: 1, 2: 1}, "float64"),
        (stats.norm(3, 2), "float64"),
        (stats.poisson(3), "int64"),
    ],
)
@pytest.mark.parametrize("rows", [0, 1, 100])
def test_drawn_columns_have_the_dtype_of_their_values(distribution, dtype, rows):
    step = DistributionImputer({"drawn": distribution}).fit(pd.DataFrame({"row": [1.0]}))
    drawn = step.transform(pd.DataFrame({"row": np.ones(rows)}))["drawn"]
    assert drawn.dtype == dtype
    assert len(drawn) == rows


def test_a_frozen_scipy_distribution_is_followed():
    values = draw(stats.norm(3, 2))
    assert stats.kstest(values, stats.norm(3, 2).cdf).pvalue > ALARM
    assert not stats.kstest(values, stats.norm(3, 2.2).cdf).pvalue > ALARM, "another spread"


# Observed distributions


def test_observed_values_are_drawn_as_often_as_they_occur():
    known = np.random.default_rng(1).choice([2, 3, 5], size=ROWS, p=[0.5, 0.3, 0.2])
    gaps = np.repeat([True, False], ROWS // 2)
    table = pd.DataFrame({"x": pd.array(known, dtype="Int64")})
    table.loc[gaps, "x"] = pd.NA
    drawn = DistributionImputer({"x": "observed"}, random_state=0).fit_transform(table)["x"]
    assert drawn.dtype == "Int64"
    np.testing.assert_array_equal(drawn[~gaps], known[~gaps])
    shares = np.bincount(known[~gaps]) / (~gaps).sum()
    values = drawn[gaps].to_numpy(dtype=np.int64)
    assert follows(pd.Index([2, 3, 5]).get_indexer(values), shares[[2, 3, 5]])
    assert not follows(pd.Index([2, 3, 5]).get_indexer(values), [1 / 3] * 3), "counts ignored"


def test_replace_all_redraws_every_row_whatever_it_held():
    table = pd.DataFrame({"x": np.repeat(["a", "b"], ROWS // 2)})
    drawn = DistributionImputer({"x": "observed"}, replace="all", random_state=0).fit_transform(table)["x"]
    assert independent(table["x"], drawn)
    assert not independent(table["x"], table["x"]), "only gaps filled"


def test_the_shorthand_fills_every_column_and_leaves_those_without_a_value():
    table = pd.DataFrame(
        {
            "number": [1.0, np.nan],
            "text": ["a", None],
            "category": pd.Categorical(["b", None]),
            "boolean": pd.array([True, None], dtype="boolean"),
            "date": pd.to_datetime(["2020-01-01", None]),
            "Telecommute": [np.nan, np.nan],
            "nothing": np.array([None, None], dtype=object),
        }
    )
    drawn = DistributionImputer().fit_transform(table)
    known = list(table)[:5]
    assert drawn[known].notna().all(axis=None)
    pd.testing.assert_series_equal(drawn.dtypes, table.dtypes)
    assert drawn[["Telecommute", "nothing"]].isna().all(axis=None)
    assert DistributionImputer().fit(table).columns_ == known


@pytest.mark.parametrize(
    "values", [[np.nan] * 2, np.array([None] * 2, dtype=object), pd.array([None] * 2, dtype="Int64")]
)
def test_a_named_column_without_a_value_cannot_be_observed(values):
    with pytest.raises(ValueError, match="Column 'Telecommute' has no value to observe. Give .* or leave it out"):
        DistributionImputer({"Telecommute": "observed"}).fit(pd.DataFrame({"Telecommute": values}))


def test_what_was_observed_is_neither_public_nor_shown():
    step = DistributionImputer(by="by").fit(pd.DataFrame({"x": ["secret", None], "by": ["concealed", "group"]}))
    public = {name: value for name, value in vars(step).items() if not name.startswith("_")}
    for shown in (repr(public), repr(step), step._repr_html_(), repr(vars(step))):
        assert "secret" not in shown
        assert "concealed" not in shown


def test_nothing_of_the_length_of_the_table_is_kept():
    table = pd.DataFrame({"x": np.tile([1.0, 2.0, np.nan], 10_000), "by": np.tile(["a", "b"], 15_000)})
    assert len(pickle.dumps(DistributionImputer(by="by").fit(table))) < 10_000


# Conditional on other columns


@pytest.fixture
def by_country():
    rng = np.random.default_rng(0)
    country = rng.choice(["MEXICO", "INDIA"], size=ROWS)
    age = np.where(country == "MEXICO", rng.choice([20, 30], ROWS), rng.choice([40, 50], ROWS)).astype(float)
    return pd.DataFrame({"country": country, "age": np.where(rng.random(ROWS) < 0.5, np.nan, age)})


def test_observed_distributions_are_those_of_the_group(by_country):
    drawn = DistributionImputer({"age": "observed"}, by="country", random_state=0).fit_transform(by_country)
    gaps = by_country["age"].isna()
    for country, ages in {"MEXICO": [20, 30], "INDIA": [40, 50]}.items():
        rows = gaps & (by_country["country"] == country)
        kept = by_country["age"][~gaps & (by_country["country"] == country)]
        shares = [(kept == age).mean() for age in ages]
        assert follows(pd.Index(ages).get_indexer(drawn["age"][rows]), shares)
    marginal = DistributionImputer({"age": "observed"}, random_state=0).fit_transform(by_country)["age"][gaps]
    assert independent(marginal, by_country["country"][gaps])
    assert not independent(drawn["age"][gaps], by_country["country"][gaps]), "groups ignored"


def test_unseen_groups_and_groups_without_a_value_get_the_marginal():
    table = pd.DataFrame({"by": ["a"] * 3 + ["b", "c", "c"], "x": [1.0, 1.0, 1.0, 2.0, np.nan, np.nan]})
    step = DistributionImputer({"x": "observed"}, by="by", random_state=0).fit(table)
    for group in ("c", "unseen", None):
        new = pd.DataFrame({"by": pd.Series([group] * ROWS, dtype="str"), "x": np.full(ROWS, np.nan)})
        values = step.transform(new)["x"].to_numpy(dtype=int) - 1
        assert follows(values, [0.75, 0.25])
        assert not follows(values, [0.5, 0.5]), "distinct values, not counts"


def test_a_missing_value_is_a_group_of_its_own():
    table = pd.DataFrame({"by": ["a", None] * 2, "x": [1.0, 2.0, np.nan, np.nan]})
    assert DistributionImputer(by="by").fit_transform(table)["x"].tolist() == [1.0, 2.0, 1.0, 2.0]


def test_several_columns_together_make_the_groups():
    table = pd.DataFrame({"a": [1, 1, 2, 2] * 2, "b": ["x", "y"] * 4, "v": [1.0, 2.0, 3.0, 4.0] + [np.nan] * 4})
    step = DistributionImputer(by=["a", "b"]).fit(table)
    assert step.transform(table)["v"].tolist() == [1.0, 2.0, 3.0, 4.0] * 2
    unseen = step.transform(pd.DataFrame({"a": [3] * 200, "b": ["x"] * 200, "v": [np.nan] * 200}))["v"]
    assert set(unseen) == {1.0, 2.0, 3.0, 4.0}  # one of the four is left out with a chance of 4 * 0.75**200 < 1e-24


def test_groups_are_found_again_in_another_dtype_or_library():
    table = pd.DataFrame({"by": [1, 2], "day": pd.to_datetime(["2020-01-01", "2020-01-02"]), "v": ["one", "two"]})
    step = DistributionImputer({"v": "observed"}, by=["by", "day"], replace="all").fit(table)
    for dtype in ("float64", "Int64", "int8", "object", "int64[pyarrow]", "uint64"):
        assert step.transform(table.astype({"by": dtype}))["v"].tolist() == ["one", "two"]
    days = pl.Series("day", [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)])
    assert step.transform(pl.DataFrame({"by": [1, 2], "day": days, "v": ["", ""]}))["v"].to_list() == ["one", "two"]


@pytest.mark.parametrize("dtype", ["str", "object", "category", "string", "string[pyarrow]"])
def test_groups_of_text_of_any_dtype(dtype):
    table = pd.DataFrame({"by": pd.Series(["a", "b", None] * 2, dtype=dtype), "x": [1.0, 2, 3, np.nan, np.nan, np.nan]})
    assert DistributionImputer(by="by").fit_transform(table)["x"].tolist() == [1, 2, 3] * 2


def test_groups_of_booleans_and_of_mixed_objects():
    for values in ([True, False], [1, "1"]):
        table = pd.DataFrame({"by": np.array(values * 2, dtype=object), "x": [1.0, 2.0, np.nan, np.nan]})
        assert DistributionImputer({"x": "observed"}, by="by").fit_transform(table)["x"].tolist() == [1, 2, 1, 2]
    table = pd.DataFrame({"by": [True, False] * 2, "x": [1.0, 2.0, np.nan, np.nan]})
    assert DistributionImputer(by="by").fit_transform(table)["x"].tolist() == [1, 2, 1, 2]


def test_groups_of_another_kind_at_transform_are_an_error():
    step = DistributionImputer(by="by").fit(pd.DataFrame({"by": ["a", "b"], "x": [1.0, 2.0]}))
    with pytest.raises(ValueError, match="Column 'by' holds values of type"):
        step.transform(pd.DataFrame({"by": [datetime.timedelta(1)], "x": [np.nan]}))


def test_groups_that_had_no_value_at_fit_are_met_later():
    for frame in (pd.DataFrame, pl.DataFrame):
        step = DistributionImputer({"x": "observed"}, by="by").fit(frame({"by": [None, None], "x": [1.0, 1.0]}))
        assert step.transform(frame({"by": ["a", None], "x": [None, 5.0]}))["x"].to_list() == [1.0, 5.0]
        step = DistributionImputer({"x": "observed"}, by="by").fit(frame({"by": ["a", "b"], "x": [1.0, 1.0]}))
        assert step.transform(frame({"by": [None, None], "x": [None, 5.0]}))["x"].to_list() == [1.0, 5.0]


def test_days_are_matched_with_times_by_the_instant():
    step = DistributionImputer({"x": "observed"}, by="day", replace="all")
    step.fit(pl.DataFrame({"day": [datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)], "x": ["one", "two"]}))
    times = [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 2)]
    assert step.transform(pl.DataFrame({"day": times, "x": ["", ""]}))["x"].to_list() == ["one", "two"]


def test_conditional_gives_each_group_its_own_and_others_the_rest():
    country = np.array(["MEXICO", "INDIA", "PERU", None] * (ROWS // 4), dtype=object)
    ages = Conditional({"MEXICO": AGES, ("INDIA",): {(80, 81): 1}, None: {99: 1}}, otherwise={90: 3, 91: 1})
    table = pd.DataFrame({"country": country})
    age = DistributionImputer({"age": ages}, by="country", random_state=0).fit_transform(table)["age"]
    assert age.dtype == np.int64
    assert follows(age[country == "MEXICO"], AGE_SHARES)
    assert follows(age[country == "INDIA"] - 80, [0.5, 0.5])
    assert follows(age[country == "PERU"] - 90, [0.75, 0.25])
    assert not follows(age[country == "PERU"] - 90, [0.5, 0.5]), "weights ignored"
    assert set(age[np.equal(country, None)]) == {99}


def test_conditional_on_two_columns_in_both_libraries():
    table = {"a": [1, 2, 1, 2], "b": ["x", "x", "y", "y"]}
    given = Conditional({(2, "y"): {"2y": 1}, (1, "x"): {"1x": 1}, (2, "x"): {"2x": 1}}, otherwise={"other": 1})
    step = DistributionImputer({"v": given}, by=["a", "b"])
    for frame in (pd.DataFrame(table), pl.DataFrame(table)):
        assert step.fit_transform(frame)["v"].to_list() == ["1x", "2x", "other", "2y"]


def test_given_distributions_do_not_depend_on_by(by_country):
    drawn = DistributionImputer({"age": {20.0: 1, 30.0: 1}}, by="country", replace="all", random_state=0)
    assert independent(drawn.fit_transform(by_country)["age"], by_country["country"])


def test_each_of_a_hundred_thousand_groups_has_its_own_distribution():
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(100_000), 2))
    known = np.zeros(200_000, dtype=bool)
    known[np.unique(group, return_index=True)[1]] = True
    table = pd.DataFrame({"g": group, "x": np.where(known, group * 3.0, np.nan)})
    drawn = DistributionImputer(by="g", random_state=0).fit_transform(table)
    np.testing.assert_array_equal(drawn["x"], group * 3.0)


# Independence


def test_draws_have_no_association_with_the_order_of_rows():
    country = np.repeat(["a", "b", "c", "d", "e"], ROWS // 5)
    table = pd.DataFrame({"country": country})
    age = DistributionImputer({"age": AGES}, random_state=0).fit_transform(table)["age"] // 10
    assert independent(country, age)
    assert not independent(country, np.sort(age)), "ages by position, as the original assigned them"


def test_columns_are_drawn_independently_even_from_one_seed():
    table = pd.DataFrame({"row": np.zeros(ROWS)})
    drawn = DistributionImputer({"one": {0: 1, 1: 1}, "two": {0: 1, 1: 1}}, random_state=0).fit_transform(table)
    assert independent(drawn["one"], drawn["two"])
    assert not independent(drawn["one"], drawn["one"]), "one stream for both"


def test_neither_other_columns_nor_their_order_matter():
    table = pd.DataFrame({"a": [1.0, np.nan] * 50, "b": ["x", None] * 50})
    every = {"age": AGES, "a": {(0, 99): 1}, "b": {"y": 1, "z": 1}}
    drawn = DistributionImputer(every, random_state=0).fit_transform(table)
    again = DistributionImputer(dict(reversed(every.items())), random_state=0).fit_transform(table[["b", "a"]])
    alone = DistributionImputer({"age": AGES}, random_state=0).fit_transform(table)
    pd.testing.assert_frame_equal(drawn, again[list(drawn)])
    pd.testing.assert_series_equal(drawn["age"], alone["age"])


def test_the_order_of_rows_at_fit_does_not_matter():
    table = pd.DataFrame({"x": list("abbccc"), "n": [3, 1, 2, 3, 3, 1], "by": list("xyxyxy")})
    step = DistributionImputer({"x": "observed", "n": "observed"}, by="by", replace="all", random_state=0)
    forth, back = step.fit(table).transform(table), step.fit(table[::-1]).transform(table)
    pd.testing.assert_frame_equal(forth, back)


# random_state


def test_none_draws_afresh_at_every_call():
    table = pd.DataFrame({"row": np.zeros(100)})
    step = DistributionImputer({"x": stats.uniform()}).fit(table)
    assert set(step.transform(table)["x"]).isdisjoint(step.transform(table)["x"])


def test_an_integer_repeats_itself():
    np.testing.assert_array_equal(draw(AGES, seed=3), draw(AGES, seed=3))
    assert not draw(AGES, seed=3).equals(draw(AGES, seed=4))


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_a_generator_goes_on_and_can_be_started_again(make):
    table = pd.DataFrame({"row": np.zeros(100)})
    step = DistributionImputer({"x": stats.uniform()}, random_state=make(0)).fit(table)
    first, second = step.transform(table), step.transform(table)
    assert not first.equals(second)
    again = DistributionImputer({"x": stats.uniform()}, random_state=make(0)).fit(table).transform(table)
    pd.testing.assert_frame_equal(first, again)


@pytest.mark.parametrize("seed", [-1, 1.5, "0", True])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ParameterError, match="'random_state' parameter of DistributionImputer must be"):
        DistributionImputer(random_state=seed).fit(pd.DataFrame({"x": [1.0]}))


# Errors


@pytest.mark.parametrize("distributions", ["observe", None, 5, ["x"], AGES.keys()])
def test_distributions_must_be_observed_or_a_dict(distributions):
    with pytest.raises(ParameterError, match="'distributions' parameter of DistributionImputer must be 'observed' or"):
        DistributionImputer(distributions).fit(pd.DataFrame({"x": [1.0]}))


@pytest.mark.parametrize(
    ("distribution", "match"),
    [
        ({}, "weights"),
        ({1: 0}, "weights"),
        ({1: -1, 2: 2}, "weights"),
        ({1: np.nan}, "weights"),
        ({1: np.inf}, "weights"),
        ({1: "a"}, "weights"),
        ({1: True}, "weights"),
        ({1: None}, "weights"),
        ({(9, 0): 1}, "ranges"),
        ({(0, 1, 2): 1}, "ranges"),
        ({("a", "b"): 1}, "ranges"),
        ({(0, np.inf): 1}, "ranges"),
        ({np.nan: 1}, "ranges"),
        ({None: 1}, "ranges"),
        ({1: 1, "a": 1}, "ranges"),
        ({True: 1, 7: 1}, "ranges"),
        ({2**63: 1}, "ranges"),
        ({10**400: 1}, "ranges"),
        ([1, 2], "a dict of values"),
        (None, "a dict of values"),
        ("observe", "a dict of values"),
        (stats.multivariate_normal([0, 0]), "one variable"),
        (Conditional({"a": {1: 1}}, otherwise={1: 1}), "'by'"),
    ],
)
def test_distributions_that_cannot_be_drawn_from_are_refused(distribution, match):
    table = pd.DataFrame({"row": [1.0]})
    with pytest.raises(ParameterError, match="(?s)'distributions' parameter .* for column 'x' .*" + match):
        DistributionImputer({"x": distribution}).fit(table)


@pytest.mark.parametrize(
    "distribution",
    [
        Conditional({}, otherwise={1: 1}),
        Conditional([1], otherwise={1: 1}),
        Conditional({("a", "b"): {1: 1}}, otherwise={1: 1}),
        Conditional({"a": {1: 1}, ("a",): {1: 1}}, otherwise={1: 1}),
        Conditional({"a": {1: 1}}, otherwise=None),
        Conditional({"a": {1: 1}}, otherwise={"text": 1}),
        Conditional({"a": stats.norm()}, otherwise={1: 1}),
    ],
)
def test_conditionals_that_cannot_be_drawn_from_are_refused(distribution):
    with pytest.raises(ParameterError, match="'distributions' parameter .* for column 'x'"):
        DistributionImputer({"x": distribution}, by="by").fit(pd.DataFrame({"by": ["a"]}))


def test_conditional_groups_of_another_kind_than_the_column_are_an_error_at_fit():
    given = Conditional({1: {1: 1}}, otherwise={1: 1})
    with pytest.raises(ValueError, match="Column 'by' holds values of type"):
        DistributionImputer({"x": given}, by="by").fit(pd.DataFrame({"by": ["a"]}))


@pytest.mark.parametrize("distribution", [{"a": 1}, {True: 1}, {datetime.date(2020, 1, 1): 1}])
def test_gaps_are_not_filled_with_another_kind_of_values(distribution):
    table = pd.DataFrame({"x": [1.0, np.nan]})
    with pytest.raises(ParameterError, match="for column 'x' a distribution of the kind of values it holds .number."):
        DistributionImputer({"x": distribution}).fit(table)
    assert DistributionImputer({"x": distribution}, replace="all").fit_transform(table)["x"].dtype != np.float64


def test_a_column_to_observe_or_to_group_by_must_be_in_the_table():
    table = pd.DataFrame({"Age": [1.0]})
    with pytest.raises(ParameterError, match="'age'.*did you mean 'Age'"):
        DistributionImputer({"age": "observed"}).fit(table)
    with pytest.raises(ParameterError, match="'age'.*did you mean 'Age'"):
        DistributionImputer(by="age").fit(table)


def test_a_column_is_not_drawn_conditional_on_itself():
    with pytest.raises(ParameterError, match="'by' parameter .* must be columns that 'distributions' does not name"):
        DistributionImputer({"x": "observed"}, by="x").fit(pd.DataFrame({"x": [1.0]}))


def test_replace_must_be_missing_or_all():
    with pytest.raises(ParameterError, match="'replace' parameter .* must be one of 'missing', 'all'"):
        DistributionImputer(replace="some").fit(pd.DataFrame({"x": [1.0]}))


# Columns, containers and dtypes


def test_a_column_that_the_table_lacks_is_appended():
    table = pd.DataFrame({"name": ["a", "b"]}, index=[7, 3])
    step = DistributionImputer({"age": AGES}).fit(table)
    drawn = step.transform(table)
    assert list(drawn) == ["name", "age"] == step.get_feature_names_out().tolist()
    assert drawn.index.tolist() == [7, 3]
    assert step.columns_ == ["age"]


def test_a_column_is_appended_to_polars_and_to_arrays_too():
    drawn = DistributionImputer({"age": AGES}).fit_transform(pl.DataFrame({"name": ["a", "b"]}))
    assert drawn.schema == {"name": pl.String, "age": pl.Int64}
    step = DistributionImputer({"age": AGES, "x1": {5.0: 1}})
    array = step.fit_transform(np.array([[1.0, np.nan], [2.0, 3.0]]))
    assert array[:, :2].tolist() == [[1.0, 5.0], [2.0, 3.0]]
    assert array.shape == (2, 3)
    assert step.get_feature_names_out().tolist() == ["x0", "x1", "age"]


COLUMNS = {
    "int": (pd.Series([1, 2, 2]), {7: 1}),
    "Int64": (pd.Series([1, None, 2], dtype="Int64"), {7: 1}),
    "Int8": (pd.Series([1, None, 2], dtype="Int8"), {7: 1}),
    "arrow int": (pd.Series([1, None, 2], dtype="int64[pyarrow]"), {7: 1}),
    "float": (pd.Series([1.0, None, 2.0]), {7: 1}),
    "float32": (pd.Series([1.0, None, 2.0], dtype="float32"), {7.5: 1}),
    "Float64": (pd.Series([1.0, None, 2.0], dtype="Float64"), {7: 1}),
    "object numbers": (pd.Series([1, None, 2], dtype=object), {7: 1}),
    "str": (pd.Series(["a", None, "b"]), {"c": 1}),
    "object": (pd.Series(["a", None, "b"], dtype=object), {"c": 1}),
    "string": (pd.Series(["a", None, "b"], dtype="string"), {"c": 1}),
    "arrow text": (pd.Series(["a", None, "b"], dtype="string[pyarrow]"), {"c": 1}),
    "category": (pd.Series(["a", None, "b"], dtype="category"), {"b": 1}),
    "integer category": (pd.Series([1, None, 2], dtype=pd.CategoricalDtype([1, 2])), {2: 1}),
    "boolean": (pd.Series([True, None, False], dtype="boolean"), {True: 1}),
    "date": (pd.to_datetime(pd.Series(["2020-01-01", None, "2021-01-01"])), {datetime.date(2022, 1, 1): 1}),
    "object date": (pd.Series([datetime.date(2020, 1, 1), None], dtype=object), {datetime.date(2022, 1, 1): 1}),
    "arrow date": (
        pd.Series([datetime.date(2020, 1, 1), None], dtype=pd.ArrowDtype(pa.date32())),
        {datetime.date(2022, 1, 1): 1},
    ),
    "zoned": (pd.to_datetime(pd.Series(["2020-01-01", None])).dt.tz_localize("Europe/Madrid"), None),
    "polars int": (pl.Series([1, None, 2]), {7: 1}),
    "polars int8": (pl.Series([1, None, 2], dtype=pl.Int8), {7: 1}),
    "polars float": (pl.Series([1.0, None, float("nan")]), {7: 1}),
    "polars text": (pl.Series(["a", None, "b"]), {"c": 1}),
    "polars category": (pl.Series(["a", None, "b"], dtype=pl.Categorical), {"c": 1}),
    "polars enum": (pl.Series(["a", None, "b"], dtype=pl.Enum(["b", "a"])), {"b": 1}),
    "polars boolean": (pl.Series([True, None, False]), {True: 1}),
    "polars date": (pl.Series([datetime.date(2020, 1, 1), None]), {datetime.date(2022, 1, 1): 1}),
    "polars zoned": (pl.Series([datetime.datetime(2020, 1, 1), None]).dt.replace_time_zone("Europe/Madrid"), None),
}


def framed(series):
    return pl.DataFrame({"x": series}) if isinstance(series, pl.Series) else pd.DataFrame({"x": series})


@pytest.mark.parametrize("replace", ["missing", "all"])
@pytest.mark.parametrize(("series", "given"), COLUMNS.values(), ids=COLUMNS)
def test_observed_columns_keep_their_dtype(series, given, replace):
    step = DistributionImputer({"x": "observed"}, replace=replace).fit(framed(series))
    drawn = step.transform(framed(series))["x"]
    assert drawn.dtype == series.dtype
    assert set(drawn) <= set(series.drop_nulls() if isinstance(series, pl.Series) else series.dropna())
    assert step.transform(framed(series)[:0])["x"].dtype == series.dtype
    assert step.transform(framed(series)[1:2])["x"].dtype == series.dtype


@pytest.mark.parametrize(("series", "given"), COLUMNS.values(), ids=COLUMNS)
def test_gaps_filled_from_a_given_distribution_keep_the_dtype(series, given):
    if given is None:
        given = {datetime.datetime(2022, 1, 1): 1}
    step = DistributionImputer({"x": given}).fit(framed(series))
    drawn = step.transform(framed(series))["x"]
    assert drawn.dtype == series.dtype
    assert pd.notna(drawn.to_list()).all()
    assert step.transform(framed(series)[:0])["x"].dtype == series.dtype
    assert step.transform(framed(series)[1:2])["x"].dtype == series.dtype, "one row, all of it missing"


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int64[pyarrow]", "float64", "Float64", "object"])
def test_integers_that_replace_all_make_integers(dtype):
    table = pd.DataFrame({"x": pd.Series([1, 2, 3], dtype=dtype)})
    drawn = DistributionImputer({"x": AGES}, replace="all").fit_transform(table)["x"]
    assert drawn.dtype == (dtype if "int" in dtype.lower() else "int64")


def test_fractions_turn_integers_with_gaps_into_floats():
    for dtype, expected in {"Int64": "Float64", "int64[pyarrow]": "double[pyarrow]"}.items():
        table = pd.DataFrame({"x": pd.Series([1, None], dtype=dtype)})
        drawn = DistributionImputer({"x": {0.5: 1}}).fit_transform(table)["x"]
        assert drawn.dtype == expected
        assert drawn.tolist() == [1.0, 0.5]
    assert DistributionImputer({"x": {0.5: 1}}).fit_transform(pl.DataFrame({"x": [1, None]}))["x"].to_list() == [1, 0.5]


def test_new_categories_widen_a_column_but_old_ones_go_when_all_is_replaced():
    table = pd.DataFrame({"x": pd.Categorical(["secret", None], categories=["secret"], ordered=True)})
    given = {"x": {"a": 1, "b": 0.001}}
    drawn = DistributionImputer(given, random_state=0).fit_transform(table)["x"]
    assert drawn.tolist() == ["secret", "a"]
    assert drawn.cat.ordered
    anew = DistributionImputer(given, replace="all", random_state=0).fit_transform(table)["x"]
    assert anew.cat.categories.tolist() == ["a", "b"]
    enum = pl.DataFrame({"x": pl.Series(["secret", None], dtype=pl.Enum(["secret"]))})
    assert DistributionImputer(given, random_state=0).fit_transform(enum)["x"].to_list() == ["secret", "a"]
    anew = DistributionImputer(given, replace="all", random_state=0).fit_transform(enum)
    assert anew.schema == {"x": pl.Enum(["a", "b"])}


def test_columns_without_a_value_can_be_given_one():
    table = pd.DataFrame({"x": [np.nan] * 3})
    assert DistributionImputer({"x": {7: 1}}).fit_transform(table)["x"].tolist() == [7.0] * 3
    empty = pl.DataFrame({"x": pl.Series([None] * 3, dtype=pl.Null)})
    assert DistributionImputer({"x": {"a": 1}}).fit_transform(empty)["x"].to_list() == ["a"] * 3


@pytest.mark.parametrize("dtype", ["float64", "Int64", "object"])
def test_columns_without_a_value_take_the_kind_of_what_is_drawn(dtype):
    drawn = DistributionImputer({"x": {"a": 1}}).fit_transform(pd.DataFrame({"x": pd.Series([None] * 3, dtype=dtype)}))
    assert drawn["x"].tolist() == ["a"] * 3
    assert drawn["x"].dtype == ("object" if dtype == "object" else "str")


@pytest.mark.parametrize("dtype", ["Int8", "UInt8", "int8[pyarrow]"])
@pytest.mark.parametrize("value", [-300, 300])
def test_integers_that_are_too_large_widen_the_column(dtype, value):
    table = pd.DataFrame({"x": pd.Series([1, None], dtype=dtype)})
    drawn = DistributionImputer({"x": {value: 1}}).fit_transform(table)["x"]
    assert drawn.tolist() == [1, value]
    assert drawn.dtype == ("int64[pyarrow]" if "arrow" in dtype else "Int64")
    narrow = pl.DataFrame({"x": pl.Series([1, None], dtype=pl.Int8)})
    assert DistributionImputer({"x": {value: 1}}).fit_transform(narrow)["x"].to_list() == [1, value]


def test_categories_of_integers_are_not_filled_with_text_nor_the_other_way():
    for series in (pd.Series([1, None], dtype=pd.CategoricalDtype([1])), pl.Series([1, None])):
        with pytest.raises(ParameterError, match="kind of values it holds .number"):
            DistributionImputer({"x": {"a": 1}}).fit(framed(series))
    for series in (pd.Series(["a", None], dtype="category"), pl.Series(["a", None], dtype=pl.Enum(["a"]))):
        with pytest.raises(ParameterError, match="kind of values it holds .text"):
            DistributionImputer({"x": {1: 1}}).fit(framed(series))


def test_values_of_mixed_kinds_can_be_observed():
    table = pd.DataFrame({"x": np.array([(1, 2), None, (1, 2)], dtype=object)})
    step = DistributionImputer({"x": "observed"}).fit(table[::2])
    assert step.transform(table)["x"].tolist() == [(1, 2)] * 3


def test_pandas_and_polars_and_arrays_draw_alike_from_one_seed():
    values = [1.0, 2.0, 2.0, None, None, None]
    table, other = pd.DataFrame({"x0": values}), pl.DataFrame({"x0": values})
    step = DistributionImputer({"x0": "observed", "age": AGES}, random_state=0)
    drawn = step.fit_transform(table)
    assert step.fit(table).transform(other).to_dict(as_series=False) == drawn.to_dict("list")
    assert step.fit(other).transform(table).equals(drawn)
    np.testing.assert_array_equal(step.fit_transform(table.to_numpy()), drawn.to_numpy())


def test_set_output_decides_the_container():
    table = pd.DataFrame({"x": ["a", None]})
    step = DistributionImputer({"x": "observed", "age": AGES}).fit(table)
    assert isinstance(step.set_output(transform="polars").transform(table), pl.DataFrame)
    back = step.set_output(transform="pandas").transform(pl.from_pandas(table))
    assert back.dtypes.astype(str).to_dict() == {"x": "str", "age": "int64"}


def test_rows_keep_their_place_whatever_the_index():
    table = pd.DataFrame({"x": [1.0, np.nan, 3.0, np.nan], "keep": list("abcd")}, index=[3, 0, 0, 1])
    drawn = DistributionImputer({"x": {9.0: 1}}).fit_transform(table)
    expected = pd.DataFrame({"x": [1.0, 9.0, 3.0, 9.0], "keep": list("abcd")}, index=[3, 0, 0, 1])
    pd.testing.assert_frame_equal(drawn, expected)


@pytest.mark.parametrize("replace", ["missing", "all"])
@pytest.mark.parametrize(("series", "given"), COLUMNS.values(), ids=COLUMNS)
def test_the_callers_table_is_not_changed(series, given, replace):
    X, same = framed(series), framed(series.clone() if isinstance(series, pl.Series) else series.copy())
    DistributionImputer(replace=replace).fit_transform(X)
    pd.testing.assert_frame_equal(X, same) if isinstance(X, pd.DataFrame) else pl.testing.assert_frame_equal(X, same)


def test_clones_and_pickles_draw_alike():
    table = pd.DataFrame({"by": ["a", "b"] * 20, "x": [1.0, 2.0, 3.0, np.nan] * 10})
    given = {"x": "observed", "age": AGES, "size": stats.norm(), "c": Conditional({"a": {1: 1}}, otherwise={(2, 9): 1})}
    step = DistributionImputer(given, by="by", random_state=0)
    drawn = step.fit_transform(table)
    pd.testing.assert_frame_equal(clone(step).fit_transform(table), drawn)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(step)).transform(table), drawn)


def test_works_in_a_pipeline():
    table = pd.DataFrame({"x": [1.0, np.nan]})
    pipeline = make_pipeline(FunctionTransformer(), DistributionImputer({"x": {5.0: 1}}))
    assert pipeline.fit_transform(table)["x"].tolist() == [1.0, 5.0]


# Observed at a price

TOWNS = {"town": ["Bonn", "Kobe", "Lima"]}


class Recorder:
    """A ledger that writes down what it is charged."""

    def __init__(self):
        self.entries = []

    def charge(self, guarantee, *, estimator, rows, purpose):
        self.entries.append((guarantee, estimator, rows, purpose))


def people(rows=ROWS, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "town": rng.choice(["Bonn", "Kobe", "Lima", "Oslo", None], rows, p=[0.5, 0.2, 0.1, 0.1, 0.1]),
            "group": rng.choice(["a", "b", None], rows),
            "age": pd.array(rng.integers(18, 80, rows), "Int64"),
            "debt": rng.lognormal(3, 1, rows),
        }
    )


def weights_of(imputer, column):
    """Return the learned shares of a column: a row for each group, the marginal ones last."""
    table = imputer._samplers[column].table
    return np.diff(np.r_[0, table.cumulative]).reshape(len(table.starts), -1)


def test_noisy_counts_of_public_values_are_drawn_from():
    X = people()
    drawn = DistributionImputer(epsilon=1, categories=TOWNS, replace="all").fit_transform(X)["town"]
    shares = X["town"].value_counts()[["Bonn", "Kobe", "Lima"]]
    # two samples of about 50,000 differ by 0.02 in a share with a probability below 1e-9
    assert (abs(drawn.value_counts(normalize=True) - shares / shares.sum()) < 0.02).all()
    assert set(drawn) == {"Bonn", "Kobe", "Lima"}  # what is not public is never drawn


def test_gaps_alone_are_filled_by_default():
    X = people()
    out = DistributionImputer(epsilon=1, categories=TOWNS, bounds={"age": (0, 120)}).fit_transform(X)
    known = X["town"].notna()
    assert out["town"].notna().all()
    assert (out.loc[known, "town"] == X.loc[known, "town"]).all()


def test_numbers_are_drawn_within_public_bounds_and_keep_their_kind():
    X = people()
    imputer = DistributionImputer(epsilon=1, bounds={"age": (18, 79), "debt": DPBounds(1)}, replace="all")
    out = imputer.fit_transform(X)
    assert out["age"].dtype == "Int64"
    assert out["age"].between(18, 79).all()
    assert out["age"].mean() == pytest.approx(X["age"].mean(), abs=1)
    assert out["debt"].max() <= 2048
    assert imputer.privacy_guarantee_.epsilon == 3


def test_groups_have_noisy_counts_of_their_own():
    X = pd.DataFrame({"group": ["a", "b", None, "z"] * 500, "town": ["Bonn", "Kobe", "Lima", "Lima"] * 500})
    public = {**TOWNS, "group": ["a", "b"]}
    imputer = DistributionImputer(epsilon=5, by="group", categories=public, replace="all").fit(X)
    drawn = imputer.transform(X)
    shares = pd.crosstab(drawn["group"].fillna("none"), drawn["town"], normalize="index")
    assert shares.loc["a", "Bonn"] > 0.9 and shares.loc["b", "Kobe"] > 0.9 and shares.loc["none", "Lima"] > 0.9
    # of no public group: the marginal distribution; 500 draws are beyond these limits with a probability below 1e-10
    assert 0.35 < shares.loc["z", "Lima"] < 0.65
    assert len(weights_of(imputer, "town")) == 4


def test_weights_are_never_negative_and_always_there():
    empty = pd.DataFrame({"town": pd.Series([None] * 5, dtype="str"), "age": [math.nan] * 5})
    for seed in range(20):
        imputer = DistributionImputer(
            {"town": "observed", "age": "observed"}, epsilon=0.1, categories=TOWNS, bounds=(0, 9), random_state=seed
        ).fit(empty)
        for column in ("town", "age"):
            weights = weights_of(imputer, column)
            assert (weights >= 0).all() and weights.sum() == pytest.approx(1)
        assert imputer.transform(empty).notna().all(axis=None)


def empty_values_drawn(runs=200):
    """Return in how many of 200 fits a public value that nobody has can be drawn."""
    X = pd.DataFrame({"town": ["Bonn"] * 50})
    return sum(
        (weights_of(DistributionImputer(epsilon=0.5, categories=TOWNS).fit(X), "town")[-1, 1:] > 0).any()
        for _ in range(runs)
    )


def test_values_that_nobody_has_get_noise_too(monkeypatch):
    assert empty_values_drawn() > 50  # each with a probability of 0.54: 50 or fewer below 1e-15
    suppressed = lambda source: lambda counts, epsilon: np.where(counts > 0, noisy_counts(counts, epsilon), 0)  # noqa: E731
    monkeypatch.setattr("skdp.imputation.noise_from", suppressed)
    assert empty_values_drawn() == 0, "suppression goes unnoticed"


ODD = [None, "Oslo", "Bonn", "Kobe", ""]
ODD_NUMBERS = [math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0, 5.0, 5e-324]


def greatest_change(monkeypatch, fit, pairs=300):
    """Return the greatest change of the counts behind a fit that one replaced record makes, over 300 pairs."""
    asked, rng, found = [], np.random.default_rng(1), []

    def record(source):
        return lambda counts, epsilon: asked.append((counts.copy(), epsilon)) or counts

    monkeypatch.setattr("skdp.imputation.noise_from", record)
    for _ in range(pairs):
        size = int(rng.integers(1, 20))
        columns = {"town": rng.choice(ODD, size), "group": rng.choice(ODD, size), "debt": rng.choice(ODD_NUMBERS, size)}
        first = pd.DataFrame(columns).astype({"town": object, "group": object})
        second = first.copy()
        row = rng.integers(size)
        for column, pool in (("town", ODD), ("group", ODD), ("debt", ODD_NUMBERS)):
            second.loc[row, column] = rng.choice(pool)
        asked.clear()
        fit(first)
        before = asked.copy()
        asked.clear()
        fit(second)
        for (counts, epsilon), (others, same) in zip(before, asked, strict=True):
            assert epsilon == same
            found.append(int(np.abs(counts - others).sum()))
    return max(found)


def private_fit(X):
    public = {**TOWNS, "group": ["Bonn", "Kobe"]}
    kinds = {"town": "observed", "debt": "observed"}
    DistributionImputer(kinds, epsilon=1, by="group", categories=public, bounds={"debt": (0, 9)}, n_bins=4).fit(X)


def test_one_record_changes_the_counts_of_a_column_by_2_at_most(monkeypatch):
    assert greatest_change(monkeypatch, private_fit) == 2


def test_counting_a_missing_value_as_every_value_is_caught(monkeypatch):
    honest = _public_cells._numbered_cells

    def leaks(values, bounds, n_bins, whole):
        own, entries = honest(values, bounds, n_bins, whole)
        return (np.zeros_like(own) if np.isnan(values).any() else own), entries

    monkeypatch.setattr(_public_cells, "_numbered_cells", leaks)
    assert greatest_change(monkeypatch, private_fit) > 2


def test_each_fit_that_observes_is_charged_once():
    ledger, X = Recorder(), people(100)
    imputer = DistributionImputer(epsilon=1, categories=TOWNS, ledger=ledger)
    imputer.fit_transform(X)
    imputer.transform(X)
    DistributionImputer(ledger=ledger).fit(X)
    DistributionImputer({"town": {"Bonn": 1}}, ledger=ledger).fit(X)
    assert ledger.entries[0] == (imputer.privacy_guarantee_, "DistributionImputer", 100, "fit")
    assert [entry[0].is_finite for entry in ledger.entries] == [True, False]


def test_guarantees_say_what_was_observed():
    X = people(100)
    private = DistributionImputer(epsilon={"town": 0.5, "age": 1}, categories=TOWNS, bounds={"age": (0, 120)}).fit(X)
    stated = private.privacy_guarantee_
    assert (stated.epsilon, set(stated.columns), stated.scope) == (Fraction(3, 2), {"town", "age"}, "central")
    assert not DistributionImputer().fit(X).privacy_guarantee_.is_finite
    assert DistributionImputer({"town": {"Bonn": 1}}).fit(X).privacy_guarantee_.epsilon == 0
    for seeded in (0, np.random.default_rng(0)):
        imputer = DistributionImputer(epsilon=1, categories=TOWNS, random_state=seeded)
        assert not imputer.fit(X).privacy_guarantee_.is_finite


def test_seeded_noise_repeats_and_differs_between_columns():
    """Twelve noisy counts of scale 10 are the same twice with a probability below 1e-15."""
    letters = list("abcdefghijkl")
    X = pd.DataFrame({"one": letters * 500, "two": letters * 500})
    known = {"one": letters, "two": letters}
    make = lambda seed: DistributionImputer(epsilon=0.1, categories=known, random_state=seed).fit(X)  # noqa: E731
    assert (weights_of(make(3), "one") == weights_of(make(3), "one")).all()
    assert (weights_of(make(3), "one") != weights_of(make(3), "two")).any()
    assert (weights_of(make(None), "one") != weights_of(make(None), "one")).any()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"categories": TOWNS}, "'categories' .* None where 'epsilon' is None"),
        ({"bounds": (0, 1)}, "'bounds' .* None where 'epsilon' is None"),
        ({"epsilon": -1, "categories": TOWNS}, "'epsilon'"),
        ({"epsilon": 1, "distributions": {"age": "observed"}}, "'bounds'"),
        ({"epsilon": 1, "categories": {"town": []}}, "'categories' .* 'town' a list of values"),
        ({"epsilon": 1, "categories": {"town": [1, "a"]}}, "'categories' .* 'town' a list of values"),
        ({"epsilon": 1, "categories": ["Bonn"]}, "'categories' .* a dict"),
        ({"epsilon": 1, "categories": {"tawn": ["Bonn"]}}, "did you mean 'town'"),
        ({"epsilon": 1, "categories": TOWNS, "by": "group"}, "names 'group', which is in 'by'"),
        ({"epsilon": 1, "bounds": {"age": (0.2, 0.7)}}, "around an integer"),
        ({"epsilon": 1, "bounds": {"age": (0, 9)}, "n_bins": 0}, "'n_bins'"),
    ],
    ids=str,
)
def test_bad_prices_are_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        DistributionImputer(**parameters).fit(people(20))


JOBS = ["a", "b"] * 10 + ["THE KING"]
CATEGORICAL = {
    "pandas": lambda: pd.DataFrame({"Job": pd.Categorical(JOBS)}),
    "pandas, ordered": lambda: pd.DataFrame({"Job": pd.Categorical(JOBS, ["b", "THE KING", "a"], ordered=True)}),
    "polars": lambda: pl.DataFrame({"Job": pl.Series(JOBS, dtype=pl.Enum(["THE KING", "a", "b"]))}),
    "polars, without a list": lambda: pl.DataFrame({"Job": pl.Series(JOBS, dtype=pl.Categorical)}),
}


def bytes_of_parquet(table):
    file = io.BytesIO()
    with TableWriter(file, ".parquet") as writer:
        writer.write(table)
    return file.getvalue()


@pytest.mark.parametrize("kind", CATEGORICAL)
def test_categories_that_are_not_public_are_gone_when_all_is_replaced(kind):
    table = CATEGORICAL[kind]()
    imputer = DistributionImputer(epsilon=1, categories={"Job": ["b", "a"]}, replace="all")
    for drawn in (imputer.fit_transform(table), imputer.partial_fit(table).transform(table)):
        assert "KING" not in repr(drawn["Job"].dtype)
        assert set(drawn["Job"].unique()) <= {"a", "b"}
        assert b"KING" not in bytes_of_parquet(drawn)


def test_categories_that_were_not_observed_are_gone_when_all_is_replaced():
    sizes = pd.CategoricalDtype(["S", "THE KING'S", "M", "L"], ordered=True)
    table = pd.DataFrame({"size": pd.Series(["L", "M", "S", "M"] * 5, dtype=sizes)})
    drawn = DistributionImputer(replace="all").fit_transform(table)["size"]
    assert drawn.cat.ordered
    assert drawn.cat.categories.tolist() == ["S", "M", "L"]  # and not by the alphabet
    numbered = table.assign(size=table["size"].cat.codes.astype(pd.CategoricalDtype([3, 2, 1, 0], ordered=True)))
    assert DistributionImputer(replace="all").fit_transform(numbered)["size"].cat.categories.tolist() == [3, 2, 0]


def test_public_categories_keep_the_order_in_which_they_are_given():
    """The order of the table's own could tell which of them it has."""
    sizes = pd.CategoricalDtype(["L", "M"], ordered=True)
    table = pd.DataFrame({"size": pd.Series(["L", "M"] * 5, dtype=sizes)})
    public = {"size": ["S", "M", "L", "M"]}
    drawn = DistributionImputer(epsilon=1, categories=public, replace="all").fit_transform(table)["size"]
    assert drawn.cat.ordered
    assert drawn.cat.categories.tolist() == ["S", "M", "L"]


def test_whether_a_column_holds_integers_is_a_condition_of_counts_between_bounds():
    """One cell of 5.5 in place of 5 makes all draws floats, without any noise."""
    whole, broken = (pd.DataFrame({"n": [*range(99), cell]}) for cell in (5, 5.5))
    imputer = DistributionImputer(epsilon=1, bounds={"n": (0, 99)}, replace="all")
    assert (imputer.fit_transform(whole)["n"] % 1 == 0).all()
    assert (imputer.fit_transform(broken)["n"] % 1 != 0).any()
    assert "whether a column holds integers is public" in imputer.privacy_guarantee_.conditions
    of_values = DistributionImputer(epsilon=1, categories={"n": [1, 2]}, replace="all").fit(whole)
    assert "whether a column holds integers is public" not in of_values.privacy_guarantee_.conditions


def test_a_column_without_private_bounds_is_named():
    few = pd.DataFrame({"age": [30, 40], "debt": [1, 2]})
    imputer = DistributionImputer({"debt": "observed"}, epsilon=1, bounds={"debt": DPBounds(Fraction(1, 1000))})
    with pytest.raises(ValueError, match="Column 'debt': DPBounds.* found no bounds"):
        imputer.fit(few)
