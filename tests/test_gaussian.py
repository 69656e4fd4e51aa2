import math
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skdp import mechanisms
from skdp._checks import ParameterError
from skdp._discrete_gaussian import gaussian_grid
from skdp.gaussian import GaussianNoise

NEGLIGIBLE = 10**7  # an ε at which σ is some 0.0002 of the range


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
    return GaussianNoise(epsilon, bounds=bounds, **parameters).fit_transform(ages(values))["Age"]


class Ledger:
    """Remembers what it was charged, wherever it is copied to."""

    def __init__(self):
        self.entries = []

    def __deepcopy__(self, memo):
        return self

    def charge(self, guarantee, **details):
        self.entries.append((guarantee, details))


# What comes out


def test_integers_stay_integers_and_floats_are_float64():
    out = GaussianNoise(bounds=(0, 100)).fit_transform(people().astype({"Income": "float32"}))
    assert out.dtypes.astype(str).to_dict() == {"Age": "int64", "Income": "float64", "City": "str", "Smokes": "bool"}


@pytest.mark.parametrize("dtype", ["Int64", "int64[pyarrow]", "UInt8"])
def test_integers_with_gaps_stay_integers_with_gaps(dtype):
    out = noised(pd.array([24, None, 71], dtype=dtype))
    assert pd.api.types.is_integer_dtype(out.dtype)
    assert out.isna().tolist() == [False, True, False]


def test_polars_in_polars_out():
    table = pl.DataFrame({"Age": [24, None, 71], "Income": [1.5, None, 3.0]})
    out = GaussianNoise(NEGLIGIBLE, bounds=(0, 100)).fit_transform(table)
    assert out.schema == {"Age": pl.Int64, "Income": pl.Float64}
    assert out.null_count().row(0) == (1, 1)
    assert abs(out["Age"][0] - 24) <= 1


def test_other_columns_pass_through_in_place():
    out = GaussianNoise(bounds={"Income": (0, 100)}).fit_transform(people())
    pd.testing.assert_frame_equal(out.drop(columns="Income"), people().drop(columns="Income"))
    assert list(out.columns) == list(people().columns)
    assert (out["Income"] != people()["Income"]).all()


def test_noise_of_the_size_that_was_asked_for():
    # 100,000 draws: the standard deviation has a relative standard error of 0.0022; false alarm below 1e-9
    noise = GaussianNoise(1, bounds=(0, 100)).fit(ages([1.0]))
    drawn = noise.transform(ages(np.full(100_000, 50.0)))["Age"] - 50
    assert noise.scale_ == {"Age": pytest.approx(422.5, rel=1e-3)}
    assert drawn.std() == pytest.approx(noise.scale_["Age"], rel=0.014)
    assert abs(drawn.mean()) < 6.2 * 422.5 / math.sqrt(100_000)


def test_epsilon_delta_and_bounds_by_column():
    noise = GaussianNoise(
        {"Age": 1, "Income": Fraction(1, 2)}, {"Age": Decimal("1e-9"), "Income": 1e-6}, bounds={"Age": (0, 120)}
    )
    with pytest.raises(ParameterError, match="'bounds' for each column \\('Income' has none\\)"):
        noise.fit(people())
    noise.set_params(bounds={"Age": (0, 120), "Income": (0, 10)}).fit(people())
    assert noise.scale_ == {"Age": pytest.approx(120 * 5.4977, rel=1e-2), "Income": pytest.approx(80.6, rel=1e-2)}


def test_a_dict_implies_columns():
    for parameters in ({"epsilon": {"Income": 1}}, {"delta": {"Income": 1e-6}}, {"columns": "Income"}):
        assert set(GaussianNoise(**{"bounds": (0, 100)} | parameters).fit(people()).scale_) == {"Income"}


def test_missing_cells_are_kept_or_given_the_midpoint():
    assert noised([10.0, np.nan]).isna().tolist() == [False, True]
    assert noised([10.0, np.nan, 90.0], missing="impute").tolist() == pytest.approx([10, 50, 90], abs=1)
    integers = noised(pd.array([10, None], dtype="Int64"), bounds=(0, 101), missing="impute")
    assert integers.dtype == np.int64
    assert abs(integers[1] - 50) <= 2


def test_values_are_clamped_before_the_noise_and_clipped_after_it_if_asked():
    assert noised([np.inf, -np.inf, 1e300, -5.0]).tolist() == pytest.approx([100, 0, 100, 0], abs=1)
    clipped = noised(np.linspace(0, 100, 1000), 0.1, postprocess="clip")
    assert 0 <= clipped.min() <= clipped.max() <= 100
    assert not noised(np.linspace(0, 100, 1000), 0.1).between(0, 100).all()


def test_values_are_released_on_the_public_grid():
    for dtype in ("float64", "float32"):
        multiples = noised(np.linspace(0, 99, 1000).astype(dtype), 1) / gaussian_grid(1, 1e-6, 0, 100).step
        assert (multiples == np.floor(multiples)).all()


def test_the_form_of_a_column_does_not_depend_on_what_is_served():
    integers, floats = GaussianNoise(bounds=(0, 100)).fit(ages([30])), GaussianNoise(bounds=(0, 100)).fit(ages([30.5]))
    served = [[30], [30.0], [30.7], pd.array([30], dtype="Int64")]
    assert {str(integers.transform(ages(values))["Age"].dtype) for values in served} == {"int64"}
    assert {str(floats.transform(ages(values))["Age"].dtype) for values in served} == {"float64"}
    assert str(integers.transform(ages([30, np.nan]))["Age"].dtype) == "Int64"


@pytest.mark.parametrize("values", [[7.0], [7], [5.0] * 20, [np.nan] * 3, [None] * 3])
def test_one_row_a_constant_column_and_an_all_missing_one(values):
    table = pd.DataFrame({"Age": values})
    out = GaussianNoise(bounds=(0, 10), columns="Age").fit_transform(table)
    assert out["Age"].isna().tolist() == table["Age"].isna().tolist()


def test_an_empty_table_can_be_served_but_not_fitted():
    noise = GaussianNoise(bounds=(0, 100)).fit(people())
    assert noise.transform(people()[:0]).dtypes.equals(noise.transform(people()).dtypes)
    with pytest.raises(ValueError, match="GaussianNoise needs a table of at least one row"):
        noise.fit(people()[:0])


# Randomness


def test_noise_is_fresh_at_every_call_unless_seeded_and_nothing_random_is_kept():
    noise = GaussianNoise(bounds=(0, 100)).fit(people())
    before = pickle.dumps(noise)
    assert not noise.transform(people())["Income"].equals(noise.transform(people())["Income"])
    assert pickle.dumps(noise) == before
    seeded = clone(noise).set_params(random_state=7).fit(people())
    pd.testing.assert_frame_equal(seeded.transform(people()), clone(seeded).fit_transform(people()))


def test_a_seed_gives_every_column_noise_of_its_own():
    table = pd.DataFrame(np.zeros((64, 2)), columns=["a", "b"])
    out = GaussianNoise(bounds=(0, 1), random_state=0).fit_transform(table)
    assert not (out["a"] == out["b"]).any()


# What is claimed


def test_epsilon_and_delta_are_the_exact_sums_over_columns():
    noise = GaussianNoise({"Age": 0.1, "Income": 0.2}, {"Age": 1e-6, "Income": 1e-9}, bounds=(0, 100)).fit(people())
    guarantee = noise.privacy_guarantee_
    assert guarantee.epsilon == Fraction(0.1) + Fraction(0.2)
    assert guarantee.delta == Fraction(1e-6) + Fraction(1e-9)
    assert guarantee.columns == ("Age", "Income")
    assert (guarantee.scope, guarantee.relation) == ("local", "replace one record")
    integers = "whether a column holds integers is public"
    assert guarantee.conditions == ("whether a cell is missing is public", integers)
    assert clone(noise).set_params(missing="impute").fit(people()).privacy_guarantee_.conditions == (integers,)


def test_noise_multipliers_are_sigma_over_the_sensitivity_rounded_down():
    noise = GaussianNoise({"Age": 1, "Income": 2}, bounds=(0, 100)).fit(people())
    multipliers = noise.privacy_guarantee_.noise_multipliers
    assert multipliers == pytest.approx([4.225, 2.230], rel=1e-2)
    for multiplier, grid in zip(multipliers, noise._grids.values(), strict=True):
        assert 0 <= grid.noise_multiplier - Fraction(multiplier) < Fraction(1, 2**50)


def test_a_seed_voids_the_guarantee_and_so_does_noising_nothing():
    guarantee = GaussianNoise(bounds=(0, 100), random_state=0).fit(people()).privacy_guarantee_
    assert guarantee.epsilon == math.inf
    assert "seeded" in guarantee.reasons[0]
    assert guarantee.noise_multipliers == ()
    guarantee = GaussianNoise(bounds=(0, 1)).fit(people()[["City"]]).privacy_guarantee_
    assert guarantee.epsilon == math.inf
    assert guarantee.reasons == ("no column is noised",)


def test_the_ledger_is_charged_for_every_release_and_not_for_fitting():
    ledger = Ledger()
    noise = GaussianNoise(bounds=(0, 100), ledger=ledger).fit(people())
    assert not ledger.entries
    noise.transform(people())
    clone(noise).fit_transform(people()[:2])
    assert [details["rows"] for _, details in ledger.entries] == [4, 2]
    assert all(details["estimator"] == "GaussianNoise" for _, details in ledger.entries)
    assert ledger.entries[0][0] == noise.privacy_guarantee_


def test_a_ledger_that_refuses_stops_the_release_before_any_noise_is_drawn(monkeypatch):
    class Empty(Ledger):
        def charge(self, guarantee, **details):
            raise RuntimeError("nothing left")

    keys = []
    monkeypatch.setattr(mechanisms.os, "urandom", lambda size: keys.append(size) or bytes(size))
    noise = GaussianNoise(bounds=(0, 100), ledger=Empty()).fit(people())
    with pytest.raises(RuntimeError, match="nothing left"):
        noise.transform(people())
    assert not keys
    noise.set_params(ledger=None).transform(people())
    assert keys


# Bad input


@pytest.mark.parametrize("epsilon", [0, -1, math.nan, math.inf, "1", None, True, [1], Decimal("NaN"), 1j])
def test_epsilon_must_be_positive(epsilon):
    with pytest.raises(ParameterError, match="The 'epsilon' parameter of GaussianNoise must be a positive number"):
        GaussianNoise(epsilon, bounds=(0, 1)).fit(people())


@pytest.mark.parametrize("delta", [0, -1, 1, 1.5, math.nan, math.inf, "1", None, True, [1e-6]])
def test_delta_must_be_a_probability_above_none(delta):
    with pytest.raises(ParameterError, match="'delta' parameter of GaussianNoise must be a number above 0 and below 1"):
        GaussianNoise(1, delta, bounds=(0, 1)).fit(people())
    with pytest.raises(ParameterError, match="below 1 for column 'Age'"):
        GaussianNoise(1, {"Age": delta}, bounds=(0, 1)).fit(people())


@pytest.mark.parametrize("bounds", [(1, 0), (1, 1), (0,), (0, 1, 2), (0, math.inf), (math.nan, 1), "01", 5, (None, 1)])
def test_bounds_must_be_a_finite_increasing_pair(bounds):
    with pytest.raises(ParameterError, match="The 'bounds' parameter of GaussianNoise must be a pair"):
        GaussianNoise(bounds=bounds).fit(people())


def test_bounds_are_needed():
    with pytest.raises(ParameterError, match="GaussianNoise needs 'bounds' for each column: the public limits"):
        GaussianNoise().fit(people())


@pytest.mark.parametrize("parameter", ["epsilon", "delta", "bounds", "columns"])
def test_unknown_names_get_the_nearest(parameter):
    value = "Incme" if parameter == "columns" else {"Incme": (0, 1) if parameter == "bounds" else 0.5}
    with pytest.raises(ParameterError, match=f"parameter '{parameter}'.*did you mean 'Income'"):
        GaussianNoise(**{"bounds": (0, 1), parameter: value}).fit(people())


def test_other_parameters_are_checked():
    for name, value in [("missing", "drop"), ("postprocess", "round"), ("random_state", -1)]:
        with pytest.raises(ParameterError, match=f"The '{name}' parameter of GaussianNoise must be"):
            GaussianNoise(bounds=(0, 1), **{name: value}).fit(people())


def test_parameters_without_a_grid_say_what_to_change():
    with pytest.raises(ParameterError, match="GaussianNoise cannot use .* column 'Age'.*2\\^51 grid steps.*nearer"):
        noised([1.0], 1, bounds=(1e15, 1e15 + 1))
    with pytest.raises(ParameterError, match="column 'Age'.*below 2\\^-20"):
        noised([1.0], 1e-9)
    with pytest.raises(ParameterError, match="column 'Age'.*at least 2\\^-256"):
        noised([1.0], delta=1e-100)
    with pytest.raises(ParameterError, match="two integers"):
        noised([1], 1, bounds=(0.1, 0.9))


def test_text_and_categories_are_refused_without_a_word_of_them():
    with pytest.raises(ValueError, match="Column 'City' .*noise cannot be added.*RandomizedResponse"):
        GaussianNoise(bounds=(0, 1), columns=["Age", "City"]).fit(people())
    table = pd.DataFrame({"Age": [24, "S3CRET", 71, "S3CRET2"]})
    with pytest.raises(ValueError, match="'Age' holds 2 values that are not a number.*to_numeric") as caught:
        GaussianNoise(bounds=(0, 1)).fit(table)
    assert "S3CRET" not in str(caught.value)


def test_unfitted():
    with pytest.raises(NotFittedError):
        GaussianNoise(bounds=(0, 1)).transform(people())
