from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skdp._checks import ParameterError
from skdp.binning import IntervalBinner
from skdp.cleaning import PIICleaner
from skdp.datasets import make_customer_survey
from skdp.noise import LaplaceNoise
from skdp.outliers import OutlierDropper

REAL = Path(__file__).parents[2] / "shared" / "data" / "customer_survey.csv"


@pytest.fixture(scope="module")
def survey():
    return make_customer_survey(random_state=0)


@pytest.fixture(scope="module")
def real():
    if not REAL.exists():
        pytest.skip(f"the real survey is not at {REAL}")
    return pd.read_csv(REAL)


def test_a_survey_has_60_columns_of_the_types_that_read_csv_finds(survey, tmp_path):
    assert survey.shape == (5000, 60)
    assert survey.dtypes.astype(str).value_counts().to_dict() == {"int64": 46, "float64": 11, "str": 3}
    survey.to_csv(tmp_path / "survey.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "survey.csv"), survey)


def test_columns_and_types_are_those_of_the_real_survey(survey, real):
    assert list(survey) == list(real)
    assert survey.dtypes.equals(real.dtypes)


def test_numbers_are_in_the_ranges_of_the_real_survey(survey, real):
    for column in survey.columns.drop(["CustomerID", "Telecommute"]):
        ours, theirs = (pd.to_numeric(table[column], errors="coerce") for table in (survey, real))
        assert ours.min() >= theirs.min() - 1, column
        assert ours.max() <= 1.2 * theirs.max() + 5, column
        assert abs(ours.mean() - theirs.mean()) < 0.3 * theirs.std(), column


def test_no_customer_of_the_real_survey_is_in_it(survey, real):
    assert not survey["CustomerID"].isin(real["CustomerID"]).any()
    measured = ["CreditDebt", "OtherDebt", "CardSpendMonthly", "VoiceLastMonth"]
    assert survey[measured].merge(real[measured]).empty


@pytest.mark.parametrize("n_rows", [1, 2, 3, 50, 5000])
@pytest.mark.parametrize("seed", range(3))
def test_it_has_the_flaws_of_a_real_survey(n_rows, seed):
    survey = make_customer_survey(n_rows, random_state=seed)
    assert len(survey) == n_rows
    assert (survey["TownSize"] == "#NULL!").sum() == 1
    assert (survey["VoiceOverTenure"] == "#NULL!").sum() == min(3, n_rows)
    assert (survey.loc[survey["VoiceOverTenure"] == "#NULL!", "PhoneCoTenure"] == 0).all()
    assert survey["Telecommute"].isna().all()
    assert (survey["CreditDebt"] > 100).sum() == 1
    assert survey["CreditDebt"].drop(survey["CreditDebt"].idxmax()).max() < 70 or n_rows == 1


@pytest.mark.parametrize("n_rows", [300, 1000, 5000, 20_000])
@pytest.mark.parametrize("seed", range(5))
def test_one_record_alone_stands_out_by_its_credit_debt(n_rows, seed):
    survey = make_customer_survey(n_rows, random_state=seed)
    dropper = OutlierDropper(method="gap", factor=1.5, columns=["CreditDebt"]).fit(survey)
    assert np.flatnonzero(~dropper.keep_mask(survey)).tolist() == [survey["CreditDebt"].argmax()]


def test_values_agree_with_each_other(survey):
    ratio = 100 * (survey["CreditDebt"] + survey["OtherDebt"]) / survey["HouseholdIncome"]
    assert (ratio - survey["DebtToIncomeRatio"]).abs().max() <= 0.051
    no_car = survey["CarsOwned"] == 0
    for column in ("CarOwnership", "CarBrand", "CarValue"):
        assert ((survey[column] == -1) == no_car).all()
    assert (survey["NumberPets"] >= survey[["NumberCats", "NumberDogs", "NumberBirds"]].sum(axis=1)).all()
    assert (survey["EmploymentLength"] <= survey["Age"] - 16).all()
    assert (survey.loc[survey["MaritalStatus"] == 1, "HouseholdSize"] >= 2).all()
    assert ((survey["EquipmentLastMonth"] > 0) == (survey["EquipmentRental"] == 1)).all()


def test_debts_are_skewed_and_grow_with_income(survey):
    assert survey["CreditDebt"].skew() > 5
    assert survey["HouseholdIncome"].skew() > 3
    assert survey["HouseholdIncome"].corr(survey["CreditDebt"]) > 0.5
    assert survey["Age"].corr(survey["EmploymentLength"]) > 0.3


def test_customers_have_numbers_of_their_own(survey):
    assert survey["CustomerID"].is_unique
    assert survey["CustomerID"].str.fullmatch(r"\d{4}-[A-Z]{6}-[A-Z0-9]{3}").all()


def test_an_int_seed_repeats_the_table_and_none_does_not():
    pd.testing.assert_frame_equal(make_customer_survey(20, random_state=3), make_customer_survey(20, random_state=3))
    assert not make_customer_survey(20).equals(make_customer_survey(20))


@pytest.mark.parametrize("n_rows", [0, -1, 2.5, "5", None, True])
def test_n_rows_must_be_an_integer_of_at_least_1(n_rows):
    with pytest.raises(ParameterError, match="'n_rows' parameter of make_customer_survey must be an integer of at lea"):
        make_customer_survey(n_rows)


@pytest.mark.parametrize("table", ["survey", "real"])
def test_a_release_drops_the_one_outlier_and_masks_the_rest(table, request):
    survey = request.getfixturevalue(table)
    release = make_pipeline(
        PIICleaner(identifiers=["CustomerID", "UnionMember", "Retired", "PoliticalPartyMem"]),
        IntervalBinner({"Age": [24, 34, 44, 54, 64], "EducationYears": [6, 12, 16]}),
        OutlierDropper(method="gap", factor=1.5, columns=["CreditDebt"]),
        LaplaceNoise(
            epsilon={"CreditDebt": 0.5, "OtherDebt": 0.5}, bounds={"CreditDebt": (0, 70), "OtherDebt": (0, 120)}
        ),
    )
    masked = release.fit_transform(survey)
    assert survey.index.difference(masked.index).tolist() == [survey["CreditDebt"].idxmax()]
    assert masked.shape == (4999, 56)
    untouched = masked.columns.drop(["Age", "EducationYears", "CreditDebt", "OtherDebt"])
    pd.testing.assert_frame_equal(masked[untouched], survey.loc[masked.index, untouched])
    assert not masked["CreditDebt"].isin(survey["CreditDebt"]).any()
    assert release[-1].privacy_guarantee_.epsilon == 1
