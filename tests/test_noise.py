import datetime
import math
import pickle
import tracemalloc
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skdp import GaussianNoise, PrivacyLedger
from skdp._calibration import GAPS_ARE_PUBLIC
from skdp._checks import ParameterError
from skdp._laplace_grid import laplace_grid
from skdp.noise import LaplaceNoise, RandomizedResponse

NEGLIGIBLE = 10_000  # an ε at which noise exceeds 1 % of the range with probability e^-100


def people():
    return pd.DataFrame({
        "Age": [24, 35, 71, 44],
        "Income": [21.5, np.nan, 80.0, 33.0],
        "City": ["Oslo", "Lima", None, "Lima"],
        "Smokes": [True, False, False, True],
    })  # fmt: skip


def ages(values):
    return pd.DataFrame({"Age": values})


def noised(values, epsilon=NEGLIGIBLE, *, bounds=(0, 100), **parameters):
    return LaplaceNoise(epsilon, bounds=bounds, **parameters).fit_transform(ages(values))["Age"]


# Numbers: what comes out


def test_integers_stay_integers_and_floats_are_float64():
    out = LaplaceNoise(bounds=(0, 100)).fit_transform(people().astype({"Income": "float32"}))
    assert out.dtypes.astype(str).to_dict() == {"Age": "int64", "Income": "float64", "City": "str", "Smokes": "bool"}


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", "UInt8"])
def test_integers_with_gaps_stay_integers_with_gaps(dtype):
    out = noised(pd.array([24, None, 71], dtype=dtype))
    assert pd.api.types.is_integer_dtype(out.dtype)
    assert out.isna().tolist() == [False, True, False]
    assert noised(pl.Series("Age", [24, None, 71])).isna().tolist() == [False, True, False]


def test_polars_in_polars_out():
    table = pl.DataFrame({"Age": [24, None, 71], "Income": [1.5, None, 3.0]})
    out = LaplaceNoise(NEGLIGIBLE, bounds=(0, 100)).fit_transform(table)
    assert out.schema == {"Age": pl.Int64, "Income": pl.Float64}
    assert out.null_count().row(0) == (1, 1)
    assert abs(out["Age"][0] - 24) <= 1


def test_other_columns_pass_through_in_place():
    out = LaplaceNoise(bounds={"Income": (0, 100)}).fit_transform(people())
    assert list(out.columns) == list(people().columns)
    pd.testing.assert_frame_equal(out.drop(columns="Income"), people().drop(columns="Income"))
    assert (out["Income"] != people()["Income"]).all()


def test_noise_of_the_size_that_was_asked_for():
    # |noise| has mean and standard deviation 2: 20 standard errors; false alarm below 1e-80
    noise = noised(np.full(100_000, 50.0), 50) - 50
    assert abs(noise.abs().mean() - 2) < 20 * 2 / math.sqrt(100_000)
    scale = LaplaceNoise(50, bounds=(0, 100)).fit(ages([1.0])).scale_
    assert scale == {"Age": pytest.approx(2, rel=1e-6)}


def test_epsilon_bounds_and_sensitivity_by_column():
    noise = LaplaceNoise(
        {"Age": 1, "Income": Fraction(1, 2)}, bounds={"Age": (0, 120)}, sensitivity={"Income": Decimal("100")}
    )
    with pytest.warns(UserWarning, match="'Income'"):  # without bounds, whatever the sensitivity
        noise.fit(people())
    assert noise.scale_ == {"Age": 120, "Income": pytest.approx(200, rel=1e-5)}


def test_a_dict_implies_columns():
    every = {"Age": (0, 120), "Income": (0, 100)}
    assert set(LaplaceNoise(bounds=every).fit(people()).scale_) == {"Age", "Income"}
    assert set(LaplaceNoise({"Income": 1}, bounds=(0, 100)).fit(people()).scale_) == {"Income"}


def test_missing_cells_are_kept_or_given_the_midpoint():
    assert noised([10.0, np.nan]).isna().tolist() == [False, True]
    imputed = noised([10.0, np.nan, 90.0], missing="impute")
    assert imputed.tolist() == pytest.approx([10, 50, 90], abs=1)
    integers = noised(pd.array([10, None], dtype="Int64"), bounds=(0, 101), missing="impute")
    assert integers.dtype == np.int64
    assert abs(integers[1] - 50) <= 1


def test_infinite_values_are_clamped_to_bounds():
    assert noised([np.inf, -np.inf, 1e300, -5.0]).tolist() == pytest.approx([100, 0, 100, 0], abs=1)


def test_clip_keeps_what_is_released_between_the_bounds():
    clipped = noised(np.linspace(0, 100, 1000), 0.1, postprocess="clip")
    assert 0 <= clipped.min() <= clipped.max() <= 100
    assert not noised(np.linspace(0, 100, 1000), 0.1).between(0, 100).all()


def test_values_are_released_on_the_public_grid():
    for dtype in ("float64", "float32"):
        multiples = noised(np.linspace(0, 99, 1000).astype(dtype), 1) / laplace_grid(1, 0, 100).step
        assert (multiples == np.floor(multiples)).all()


def test_large_integers_are_exact():
    top = 2**50
    out = noised([top, top + 1], 2**60, bounds=(top, top + 1))
    assert out.tolist() == [top, top + 1]
    huge = noised([2**53 + 1, 2**62], 2**60, bounds=(0, 100))
    assert huge.tolist() == [100, 100]
    for dtype in ("uint64", "Int64", "UInt64", "int64[pyarrow]"):
        assert noised(pd.array([5, 2**62], dtype=dtype), 2**40).tolist() == [5, 100]
    table = pl.DataFrame({"a": pl.Series([5, 2**62], dtype=pl.UInt64), "b": [None, -(2**62)]})
    out = LaplaceNoise(2**40, bounds=(0, 100)).fit_transform(table)
    assert out.rows() == [(5, None), (100, 0)]


@pytest.mark.parametrize("values", [[7.0], [7], [5.0] * 20, [np.nan] * 3, [None] * 3])
def test_one_row_a_constant_column_and_an_all_missing_one(values):
    table = pd.DataFrame({"Age": values})
    out = LaplaceNoise(bounds=(0, 10), columns="Age").fit_transform(table)
    assert out["Age"].isna().tolist() == table["Age"].isna().tolist()


def test_all_missing_polars():
    table = pl.DataFrame({"Age": [None, None]})
    assert LaplaceNoise(bounds=(0, 10), columns="Age").fit_transform(table)["Age"].is_null().all()


def test_an_empty_table_can_be_served_but_not_fitted():
    noise = LaplaceNoise(bounds=(0, 100)).fit(people())
    assert noise.transform(people()[:0]).dtypes.equals(noise.transform(people()).dtypes)
    for step in (noise, RandomizedResponse(1, categories={"City": ["Oslo", "Lima"]})):
        with pytest.raises(ValueError, match=f"{type(step).__name__} needs a table of at least one row"):
            step.fit(people()[:0])
        with pytest.raises(ValueError, match="one row"):
            clone(step).fit(pl.DataFrame({"City": []}, schema={"City": pl.String}))


def test_the_caller_s_arrays_are_left_alone():
    for table in (ages([1.0, 2.0, np.nan]), np.array([[1.0], [np.nan]])):
        before = table.copy()
        LaplaceNoise(bounds=(0, 10), missing="impute").fit_transform(table)
        np.testing.assert_array_equal(table, before)


# The form of what comes out: decided once, by fit


def test_the_form_of_a_column_does_not_depend_on_what_is_served():
    integers, floats = LaplaceNoise(bounds=(0, 100)).fit(ages([30])), LaplaceNoise(bounds=(0, 100)).fit(ages([30.5]))
    served = [[30], [30.0], [30.7], pd.array([30], dtype="Int64")]
    assert {str(integers.transform(ages(values))["Age"].dtype) for values in served} == {"int64"}
    assert {str(floats.transform(ages(values))["Age"].dtype) for values in served} == {"float64"}
    gaps = integers.transform(ages([30, np.nan]))["Age"]
    assert str(gaps.dtype) == "Int64"
    assert gaps.isna().tolist() == [False, True]
    assert str(clone(integers).set_params(missing="impute").fit(ages([30])).transform(ages([np.nan]))["Age"].dtype) == (
        "int64"
    )


def test_fractions_served_to_a_column_of_integers_are_rounded_down():
    noise = LaplaceNoise(2**40, bounds=(0, 100)).fit(ages([30]))
    assert noise.transform(ages([30.9, 7.0, -0.5, np.inf]))["Age"].tolist() == [30, 7, 0, 100]


def test_integers_served_to_a_column_of_fractions_get_the_noise_of_fractions():
    noise = LaplaceNoise(bounds=(0, 0.5)).fit(ages([0.1, 0.4]))
    assert noise.transform(ages([0, 1]))["Age"].dtype == np.float64


def test_large_numbers_served_to_a_column_of_integers():
    with pytest.warns(UserWarning):
        noise = LaplaceNoise(2**10, sensitivity=1).fit(ages([0, 1]))
    with pytest.warns(UserWarning, match="wider range"):
        assert noise.transform(ages([0.0, 2.0**45]))["Age"].tolist() == pytest.approx([0, 2**45], abs=1)


def test_objects_that_are_whole_numbers_are_integers():
    out = noised(pd.Series([24, 35, None], dtype=object))
    assert pd.api.types.is_integer_dtype(out.dtype)
    assert noised(pd.Series([24, 35.5], dtype=object)).dtype == np.float64


# Randomness


def test_noise_is_fresh_at_every_call_unless_seeded():
    noise = LaplaceNoise(bounds=(0, 100)).fit(people())
    assert not noise.transform(people())["Income"].equals(noise.transform(people())["Income"])
    seeded = clone(noise).set_params(random_state=7).fit(people())
    pd.testing.assert_frame_equal(seeded.transform(people()), clone(seeded).fit_transform(people()))


def test_a_seed_gives_every_column_noise_of_its_own():
    table = pd.DataFrame(np.zeros((64, 2)), columns=["a", "b"])
    out = LaplaceNoise(bounds=(0, 1), random_state=0).fit_transform(table)
    assert not (out["a"] == out["b"]).any()


def test_nothing_random_is_kept():
    noise = LaplaceNoise(bounds=(0, 100)).fit(people())
    before = pickle.dumps(noise)
    noise.transform(people())
    assert pickle.dumps(noise) == before


# What is claimed


def test_epsilon_is_the_exact_sum_over_columns():
    noise = LaplaceNoise({"Age": 0.1, "Income": 0.2}, bounds=(0, 100)).fit(people())
    guarantee = noise.privacy_guarantee_
    assert guarantee.epsilon == Fraction(0.1) + Fraction(0.2)
    assert guarantee.columns == ("Age", "Income")
    assert (guarantee.scope, guarantee.relation, guarantee.delta) == ("local", "replace one record", 0)
    integers = "whether a column holds integers is public"
    assert guarantee.conditions == ("whether a cell is missing is public", integers)
    imputed = clone(noise).set_params(missing="impute").fit(people()).privacy_guarantee_
    assert imputed.conditions == (integers,)


def test_no_noised_column_no_guarantee():
    city, numbers = people()[["City"]], people()[["Age"]]
    steps = [(LaplaceNoise(bounds=(0, 1)), city), (RandomizedResponse(1, categories=["a", "b"]), numbers)]
    for step, table in steps:
        guarantee = step.fit(table).privacy_guarantee_
        assert guarantee.epsilon == math.inf
        assert guarantee.reasons == ("no column is noised",)
        assert not guarantee.conditions


def test_a_seed_voids_the_guarantee():
    guarantee = LaplaceNoise(bounds=(0, 100), random_state=0).fit(people()).privacy_guarantee_
    assert guarantee.epsilon == math.inf
    assert "seeded" in guarantee.reasons[0]
    response = RandomizedResponse(1, categories={"City": ["Oslo", "Lima"]}, random_state=0).fit(people())
    assert response.privacy_guarantee_.epsilon == math.inf


@pytest.mark.parametrize(
    ("step", "columns"),
    [
        (LaplaceNoise(bounds=(0, 100)), ["Age"]),
        (GaussianNoise(delta=1e-6, bounds=(0, 100)), ["Age"]),
        (RandomizedResponse(categories={"City": ["Oslo", "Lima"]}, epsilon=1), ["City"]),
    ],
)
def test_what_is_set_after_fit_is_told_and_charged(step, columns):
    ledger = PrivacyLedger()
    table = people()[columns]
    step = clone(step).set_params(ledger=ledger).fit(table)
    assert step.privacy_guarantee_.is_finite
    step.set_params(random_state=0)
    assert "seeded" in step.privacy_guarantee_.reasons[0]
    step.transform(table)
    assert ledger.spent == math.inf
    if "missing" in step.get_params():
        step.set_params(missing="impute")
        hidden = step.privacy_guarantee_.conditions
        assert set(step.set_params(missing="keep").privacy_guarantee_.conditions) - set(hidden) == {GAPS_ARE_PUBLIC}


def test_a_step_that_is_not_fitted_claims_nothing():
    for step in (LaplaceNoise(bounds=(0, 1)), GaussianNoise(bounds=(0, 1)), RandomizedResponse(1, categories={})):
        assert not hasattr(step, "privacy_guarantee_")


def test_sensitivity_below_the_range_is_metric_privacy_and_says_so():
    debts = pd.DataFrame({"Debt": [3.0, 70.0, 12.0]})
    with pytest.warns(UserWarning, match=r"metric privacy in column 'Debt': ε = 0.5 .* 0.4, .* ε = 84 ") as caught:
        guarantee = LaplaceNoise(0.5, sensitivity=0.4).fit(debts).privacy_guarantee_
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (guarantee.epsilon, guarantee.scope) == (84, "metric")
    assert "range seen" in guarantee.conditions[0]


def test_sensitivity_within_bounds_counts_the_range_of_the_bounds():
    noise = LaplaceNoise(0.5, sensitivity=0.5, bounds=(0, 67))
    with pytest.warns(UserWarning, match="range of the bounds"):
        guarantee = noise.fit(ages([3.0])).privacy_guarantee_
    assert (guarantee.epsilon, guarantee.scope) == (67, "metric")
    whole = LaplaceNoise(0.5, sensitivity=67, bounds=(0, 67)).fit(ages([3.0])).privacy_guarantee_
    assert (whole.epsilon, whole.scope) == (Fraction(1, 2), "local")


def test_the_range_seen_is_told_to_two_digits_only():
    with pytest.warns(UserWarning):
        noise = LaplaceNoise(1, sensitivity=1).fit(ages([0.0, 12.345678901234567]))
    assert noise.privacy_guarantee_.epsilon == 13
    assert "12.3" not in str(noise.privacy_guarantee_)


def test_without_bounds_there_is_always_a_warning_and_a_condition():
    with pytest.warns(UserWarning, match="a whole record has ε = 1 over the range seen"):
        guarantee = LaplaceNoise(1, sensitivity=100).fit(ages([0.0, 3.0])).privacy_guarantee_
    assert guarantee.epsilon == 1
    assert any("comes from the data" in condition for condition in guarantee.conditions)
    for values in ([5.0], [5.0, 5.0], [np.nan, np.nan]):
        with pytest.warns(UserWarning, match="'Age'.*a whole record's ε cannot be told"):
            guarantee = LaplaceNoise(1, sensitivity=100).fit(ages(values)).privacy_guarantee_
        assert guarantee.epsilon == math.inf
        assert "column 'Age': all values seen are alike, so without bounds a record's ε cannot" in guarantee.reasons[0]


def test_a_wider_range_served_raises_the_guarantee():
    with pytest.warns(UserWarning):
        noise = LaplaceNoise(1, sensitivity=1).fit(ages([0.0, 3.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        noise.transform(ages([100.0, 103.0]))
    assert noise.privacy_guarantee_.epsilon == 3
    with pytest.warns(UserWarning, match="wider range.*'Age'.*ε = 50 ") as caught:
        noise.transform(ages([0.0, 50.0]))
    assert caught[0].filename == __file__
    assert noise.privacy_guarantee_.epsilon == 50
    with pytest.warns(UserWarning):
        constant = LaplaceNoise(1, sensitivity=1).fit(ages([7.0]))
    with pytest.warns(UserWarning, match="wider range"):
        constant.transform(ages([0.0, 3.0]))
    assert constant.privacy_guarantee_.epsilon == 3


def test_one_warning_for_all_columns():
    with pytest.warns(UserWarning) as caught:
        LaplaceNoise(1, sensitivity=0.1).fit(pd.DataFrame({"a": [0.0, 1], "b": [0.0, 2]}))
    assert len(caught) == 1
    assert "'a'" in str(caught[0].message)
    assert "'b'" in str(caught[0].message)


# Bad input: numbers


@pytest.mark.parametrize(
    "epsilon", [0, -1, math.nan, math.inf, "1", None, True, [1], Decimal("NaN"), Decimal("sNaN"), 1j]
)
def test_epsilon_must_be_positive(epsilon):
    with pytest.raises(ParameterError, match="The 'epsilon' parameter of LaplaceNoise must be a positive number"):
        LaplaceNoise(epsilon, bounds=(0, 1)).fit(people())
    with pytest.raises(ParameterError, match="The 'epsilon' parameter of LaplaceNoise must be .* for column 'Age'"):
        LaplaceNoise({"Age": epsilon}, bounds=(0, 1)).fit(people())
    with pytest.raises(ParameterError, match="The 'epsilon' parameter of RandomizedResponse must be a positive number"):
        RandomizedResponse(epsilon, categories={"City": ["Oslo", "Lima"]}).fit(people())


@pytest.mark.parametrize(
    "bounds", [(1, 0), (1, 1), (0,), (0, 1, 2), (0, math.inf), (math.nan, 1), "01", 5, (None, 1), ("a", "b"), {0, 1, 2}]
)
def test_bounds_must_be_a_finite_increasing_pair(bounds):
    with pytest.raises(ParameterError, match="The 'bounds' parameter of LaplaceNoise must be a pair"):
        LaplaceNoise(bounds=bounds).fit(people())
    with pytest.raises(ParameterError, match="for column 'Age'"):
        LaplaceNoise(bounds={"Age": bounds}).fit(people())


def test_the_given_value_is_told():
    with pytest.raises(ParameterError, match=r"must be a positive number\. Got -1 instead\."):
        LaplaceNoise(-1, bounds=(0, 1)).fit(people())


@pytest.mark.parametrize("sensitivity", [0, -1, math.inf, "1"])
def test_sensitivity_must_be_positive(sensitivity):
    with pytest.raises(ParameterError, match="The 'sensitivity' parameter of LaplaceNoise must be a positive number"):
        LaplaceNoise(sensitivity=sensitivity).fit(people())


def test_neither_bounds_nor_sensitivity_names_both():
    for noise in (LaplaceNoise(), LaplaceNoise({"Age": 1, "Income": 1}, bounds={"Age": (0, 1)})):
        with pytest.raises(ValueError, match="'bounds' or 'sensitivity'"):
            noise.fit(people())
    with pytest.raises(ValueError, match="'Income' has neither"):
        noise.fit(people())


@pytest.mark.parametrize("parameter", ["epsilon", "bounds", "sensitivity", "columns"])
def test_unknown_names_get_the_nearest(parameter):
    value = "Incme" if parameter == "columns" else {"Incme": (0, 1) if parameter == "bounds" else 1}
    noise = LaplaceNoise(**{"bounds": (0, 1), parameter: value})
    with pytest.raises(ParameterError, match=f"parameter '{parameter}'.*did you mean 'Income'"):
        noise.fit(people())


def test_other_parameters_are_checked():
    for name, value in [("missing", "drop"), ("postprocess", "round"), ("random_state", -1), ("random_state", "a")]:
        with pytest.raises(ParameterError, match=f"The '{name}' parameter of LaplaceNoise must be"):
            LaplaceNoise(bounds=(0, 1), **{name: value}).fit(people())
    for parameters in ({"missing": "impute"}, {"postprocess": "clip"}):
        with pytest.raises(ParameterError, match="no 'bounds'"):
            LaplaceNoise(sensitivity=1e6, **parameters).fit(people())


def test_parameters_without_a_grid_say_what_to_change():
    with pytest.raises(ParameterError, match="column 'Age'.*2\\^51 grid steps.*nearer"):
        noised([1.0], 2**45, bounds=(0, 1))
    with pytest.raises(ParameterError, match="column 'Age'.*below 2\\^-20"):
        noised([1.0], 1e-9)
    with pytest.raises(ParameterError, match="two integers"):
        noised([1], 1, bounds=(0.1, 0.9))


def test_infinite_values_without_bounds_are_refused():
    with pytest.raises(ValueError, match="Column 'Age' holds 2 values infinite or too large.*'bounds'"):
        LaplaceNoise(sensitivity=1e6).fit(ages([1.0, np.inf, -np.inf, np.nan]))
    with pytest.warns(UserWarning, match="cannot be told"):
        noise = LaplaceNoise(sensitivity=1e6).fit(ages([1.0]))
    with pytest.raises(ValueError, match="Column 'Age' holds 1 value infinite"):
        noise.transform(ages([np.inf]))
    with pytest.raises(ValueError, match="too large"):
        LaplaceNoise(sensitivity=1e6).fit(ages([2**53 + 1]))


@pytest.mark.parametrize("column", ["City", "Smokes", "Group"])
def test_identifiers_and_categories_are_sent_to_randomized_response(column):
    table = people().assign(Group=pd.Categorical(["a", "b", "a", "b"]))
    with pytest.raises(ValueError, match=f"Column '{column}' .*RandomizedResponse"):
        LaplaceNoise(bounds=(0, 1), columns=["Age", column]).fit(table)
    with pytest.raises(ValueError, match="RandomizedResponse"):
        LaplaceNoise(bounds=(0, 1), columns=column).fit(pl.from_pandas(table))


@pytest.mark.parametrize("parameters", [{"columns": "Size"}, {"bounds": {"Size": (0, 9)}}, {}])
@pytest.mark.parametrize("dtype", ["str", object])
def test_numbers_read_as_text_are_refused_with_the_cure(parameters, dtype):
    table = pd.DataFrame({"Size": pd.Series(["1", "2.5", "#NULL!", None], dtype=dtype), "Age": [1, 2, 3, 4]})
    for one in (table, pl.from_pandas(table)):
        with pytest.raises(ValueError, match="'Size' holds 1 value that is not a number.*to_numeric"):
            LaplaceNoise(**{"bounds": (0, 9), **parameters}).fit(one)


def test_text_with_few_numbers_passes_through_unless_named():
    table = people().assign(City=["Oslo", "Lima", "12", None])
    assert "City" not in LaplaceNoise(bounds=(0, 1)).fit(table).scale_
    with pytest.raises(ValueError, match="'City' holds 2 values that are not a number"):
        LaplaceNoise(bounds=(0, 1), columns="City").fit(table)


@pytest.mark.parametrize("parameter", ["epsilon", "bounds", "sensitivity"])
def test_a_dict_that_names_a_column_outside_columns_is_refused(parameter):
    value = {"Age": 1, "Income": 1} if parameter != "bounds" else {"Age": (0, 1), "Income": (0, 1)}
    with pytest.raises(ParameterError, match=f"'{parameter}' parameter of LaplaceNoise names 'Income'"):
        LaplaceNoise(**{"bounds": (0, 1), "columns": "Age", parameter: value}).fit(people())


def test_clip_is_refused_where_no_grid_point_lies_between_the_bounds():
    noise = LaplaceNoise(1, bounds=(0.1, 0.2), sensitivity=2**22, postprocess="clip", columns="Income")
    with pytest.raises(ParameterError, match="column 'Income'. No grid point lies between the bounds"):
        noise.fit(people())


def test_dates_are_refused():
    table = pd.DataFrame({"Born": [datetime.datetime(2000, 1, 1)]})
    with pytest.raises(ValueError, match="'Born' holds .*date values"):
        LaplaceNoise(bounds=(0, 1), columns="Born").fit(table)


def test_text_among_numbers_is_refused_whether_or_not_the_column_is_named():
    table = pd.DataFrame({"Age": [24, "S3CRET", 71, "S3CRET2"]})
    for columns in (None, "Age"):
        with pytest.raises(ValueError, match="'Age' holds 2 values that are not a number.*to_numeric") as caught:
            LaplaceNoise(bounds=(0, 1), columns=columns).fit(table)
        assert "S3CRET" not in str(caught.value)
    served = LaplaceNoise(bounds=(0, 1)).fit(ages([1.0]))
    with pytest.raises(ValueError, match="'Age' holds 2 values that are not a number"):
        served.transform(table)


def test_columns_that_are_neither_numbers_nor_text_pass_through():
    others = {"at": [datetime.time(1), None], "tags": [["a"], ["b"]], "spent": pd.to_timedelta([1, 2], unit="s")}
    table = pd.DataFrame({"Age": [24.0, 35.0], **others})
    out = LaplaceNoise(bounds=(0, 100)).fit_transform(table)
    pd.testing.assert_frame_equal(out[list(others)], table[list(others)])
    assert (out["Age"] != table["Age"]).all()


def test_duplicate_column_names_are_refused():
    with pytest.raises(ValueError, match="unique"):
        LaplaceNoise(bounds=(0, 1)).fit(pd.DataFrame([[1.0, 2.0]], columns=["a", "a"]))


def test_unfitted():
    with pytest.raises(NotFittedError):
        LaplaceNoise(bounds=(0, 1)).transform(people())


# Categories


def test_categories_keep_their_kind():
    table = people().assign(
        Group=pd.Categorical(["a", "b", "a", None]), Rooms=[1, 2, 3, 1], Size=[0.5, 1.5, np.nan, 0.5]
    )
    given = {
        "City": ["Oslo", "Lima", "Kobe"],
        "Smokes": [True, False],
        "Group": ["a", "b", "c"],
        "Rooms": [1, 2, 3],
        "Size": [0.5, 1.5],
    }
    out = RandomizedResponse(1, categories=given).fit_transform(table)
    assert out.dtypes.drop("Group").astype(str).to_dict() == {
        "Age": "int64", "Income": "float64", "City": "str", "Smokes": "bool", "Rooms": "int64", "Size": "float64",
    }  # fmt: skip
    assert out["Group"].cat.categories.tolist() == ["a", "b", "c"]
    assert not out["Group"].cat.ordered
    for column, categories in given.items():
        assert set(out[column].dropna()) <= set(categories)
        assert out[column].isna().tolist() == table[column].isna().tolist()


def test_ordered_categories_stay_ordered():
    ranges = pd.DataFrame({"Age": pd.Categorical(["low", "high"], ["low", "high"], ordered=True)})
    out = RandomizedResponse(1, categories={"Age": ["low", "middle", "high"]}).fit_transform(ranges)["Age"]
    assert out.dtype == pd.CategoricalDtype(["low", "middle", "high"], ordered=True)


def test_categories_in_polars():
    table = pl.DataFrame({"City": ["Oslo", None, "Lima"], "Group": pl.Series(["a", "b", "a"], dtype=pl.Categorical)})
    given = {"City": ["Oslo", "Lima"], "Group": ["a", "b"]}
    out = RandomizedResponse(NEGLIGIBLE, categories=given).fit_transform(table)
    assert out["City"].to_list() == ["Oslo", None, "Lima"]
    assert out["Group"].cast(pl.String).to_list() == ["a", "b", "a"]


def test_categories_are_kept_with_the_stated_probability():
    # of 100,000 answers: within 7 standard deviations; false alarm below 1e-9
    table = pd.DataFrame({"City": ["Oslo"] * 100_000})
    response = RandomizedResponse(math.log(4), categories={"City": ["Oslo", "Lima", "Kobe"]})
    out = response.fit_transform(table)["City"].value_counts() / len(table)
    assert response.keep_probability_["City"] == pytest.approx(2 / 3)
    for city, probability in [("Oslo", 4 / 6), ("Lima", 1 / 6), ("Kobe", 1 / 6)]:
        assert abs(out[city] - probability) < 7 * math.sqrt(probability * (1 - probability) / len(table))


def test_without_named_columns_all_categories_are_noised():
    table = pd.DataFrame({"Age": [1.0], "City": ["a"], "Group": pd.Categorical(["b"])})
    response = RandomizedResponse(0.5, categories=["a", "b"]).fit(table)
    assert response.privacy_guarantee_.columns == ("City", "Group")
    assert response.privacy_guarantee_.epsilon == 1


def test_unseen_categories_are_an_error_or_go_to_other():
    table = pd.DataFrame({"City": ["Oslo", "S3CRET", "S3CRET2"]})
    response = RandomizedResponse(NEGLIGIBLE, categories={"City": ["Oslo", "elsewhere"]})
    with pytest.raises(ValueError, match="'City' holds 2 values not among its categories.*'other'") as caught:
        response.fit(table)
    assert "S3CRET" not in str(caught.value)
    with pytest.raises(ValueError, match="'City' holds 1 value not among"):
        response.fit(table[:1]).transform(table[:2])
    out = response.set_params(other="elsewhere").fit_transform(table)
    assert out["City"].tolist() == ["Oslo", "elsewhere", "elsewhere"]
    with pytest.raises(
        ParameterError, match="The 'other' parameter of RandomizedResponse must be one of the categories"
    ):
        response.set_params(other="nowhere").fit(table)


def test_missing_cells_can_be_a_category():
    table = pd.DataFrame({"City": ["Oslo", None] * 500})
    given = {"City": ["Oslo", None, "Lima"]}
    response = RandomizedResponse(NEGLIGIBLE, categories=given).fit(table)
    assert not response.privacy_guarantee_.conditions
    assert response.transform(table)["City"].isna().tolist() == table["City"].isna().tolist()
    out = RandomizedResponse(0.01, categories=given).fit_transform(table)["City"]
    assert out[table["City"].isna()].notna().any()
    assert out[table["City"].notna()].isna().any()


@pytest.mark.parametrize(
    "categories",
    [
        ["a"],
        [],
        "ab",
        ["a", "a"],
        ["a", 1],
        5,
        [None, "a", "a"],
        [["a"], ["b"]],
        ["a", None, math.nan],
        {"City": ["a"]},
        [None],
    ],
)
def test_categories_must_be_two_or_more_different_ones_of_a_kind(categories):
    with pytest.raises(
        ParameterError, match="The 'categories' parameter of RandomizedResponse must be a list of at least"
    ):
        RandomizedResponse(1, categories=categories, columns="City").fit(people())


def test_a_column_that_categories_leave_out():
    with pytest.raises(ParameterError, match="'categories'.*column 'City'"):
        RandomizedResponse(1, categories={"Smokes": [True, False]}, columns=["City", "Smokes"]).fit(people())
    with pytest.raises(ParameterError, match="did you mean 'City'"):
        RandomizedResponse(1, categories={"Cty": ["a", "b"]}).fit(people())


# With others


def test_in_a_pipeline_a_column_transformer_and_a_grid_search():
    X = pd.DataFrame({"a": np.linspace(0, 1, 60), "b": np.linspace(1, 0, 60)})
    pipeline = make_pipeline(LaplaceNoise(bounds=(0, 1)), LinearRegression())
    search = GridSearchCV(pipeline, {"laplacenoise__epsilon": [1, 1000]}, cv=3).fit(X, X["a"])
    assert search.best_params_ == {"laplacenoise__epsilon": 1000}
    parts = ColumnTransformer([("noise", LaplaceNoise(bounds=(0, 1)), ["a"])], remainder="passthrough")
    assert parts.fit_transform(X).shape == (60, 2)


def test_memory_stays_below_three_times_the_table():
    table = pd.DataFrame({"a": np.random.default_rng(0).uniform(0, 1, 2_000_000)})
    noise = LaplaceNoise(bounds=(0, 1)).fit(table[:10])
    tracemalloc.start()
    noise.fit_transform(table)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak + table["a"].nbytes < 2.5 * table["a"].nbytes
