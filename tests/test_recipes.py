"""The travel recipe: a request becomes a clean table of 22 columns."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import chisquare
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdp import is_undeliverable
from skdp.recipes import AGE_SHARES, recipe, travel, years_before

COLUMNS = (
    "person_name origin_id departure_date origin_address origin_city origin_state_province origin_zip destination_id "
    "arrival_date destination_address destination_city destination_state_province destination_zip trip_length "
    "date_of_birth age_at_arrival departure_year place_of_birth gender Season AgeBin TripLengthBin"
).split()


@pytest.fixture(scope="module")
def demand():
    return pd.DataFrame({
        "Country": ["RUSSIA", "MEXICO", "CHINA", "PERU"], "Year": [2016, 2020, 2018, 2019],
        "Records": [4570, 11020, 6320, 0],
    })  # fmt: skip


@pytest.fixture(scope="module")
def people(demand):
    return travel(random_state=0).fit_transform(demand)


def test_it_is_a_pipeline_of_ordinary_steps(demand):
    pipeline = travel(random_state=0)
    assert isinstance(pipeline, Pipeline)
    pd.testing.assert_frame_equal(clone(pipeline).fit_transform(demand[:2]), pipeline.fit_transform(demand[:2]))


def test_the_columns_are_the_22(people):
    assert list(people.columns) == COLUMNS


def test_every_request_row_gets_exactly_its_records(people, demand):
    born = people["place_of_birth"].value_counts().to_dict()
    assert born == {"RUSSIA": 4570, "MEXICO": 11020, "CHINA": 6320}
    years = people.groupby("place_of_birth")["departure_year"].unique()
    assert {country: list(year) for country, year in years.items()} == {
        "RUSSIA": [2016],
        "MEXICO": [2020],
        "CHINA": [2018],
    }


def test_nothing_is_missing(people):
    assert not people.isna().any().any()


def test_ids_have_ten_digits(people):
    for column in ("origin_id", "destination_id"):
        assert people[column].between(10**9, 10**10 - 1).all()
        assert people[column].nunique() > 0.9999 * len(people)


def test_dates_agree(people):
    assert (people["departure_date"].dt.year == people["departure_year"]).all()
    assert ((people["arrival_date"] - people["departure_date"]).dt.days == people["trip_length"]).all()
    assert people["trip_length"].min() == 10
    assert people["trip_length"].max() == 50


def test_date_of_birth_agrees_with_age_on_the_day_of_arrival(people):
    arrival, birth = people["arrival_date"], people["date_of_birth"]
    before_birthday = (arrival.dt.month * 100 + arrival.dt.day) < (birth.dt.month * 100 + birth.dt.day)
    assert (arrival.dt.year - birth.dt.year - before_birthday == people["age_at_arrival"]).all()


def test_birthdays_fall_anywhere_in_the_year(people):
    """21,910 birthdays: fewer than 360 of 366 days by chance in under 1e-12 of runs."""
    birth = people["date_of_birth"]
    assert (birth.dt.month * 100 + birth.dt.day).nunique() >= 360


def test_ages_follow_the_published_shares(people):
    """Chi-square over 71 ages at 21,910 draws, alpha 1e-9; one percent more children at the cost of all is caught."""
    weights = np.concatenate(
        [np.full(high - low + 1, share / (high - low + 1)) for (low, high), share in AGE_SHARES.items()]
    )
    counts = np.bincount(people["age_at_arrival"], minlength=71)
    assert chisquare(counts, weights / 100 * len(people)).pvalue > 1e-9
    swapped = np.r_[counts[10:20], counts[:10], counts[20:]] * np.r_[np.ones(20) * 1.0, np.ones(51)]
    assert chisquare(swapped, weights / 100 * len(people)).pvalue < 1e-2


def test_age_and_birthplace_are_independent(people):
    """Chi-square over 3 countries × 7 bins at 21,910 rows, alpha 1e-9; ages given out by position are caught."""
    from scipy.stats import chi2_contingency

    table = pd.crosstab(people["place_of_birth"], people["AgeBin"])
    assert chi2_contingency(table).pvalue > 1e-9
    by_position = people["AgeBin"].sort_values().to_numpy()
    assert chi2_contingency(pd.crosstab(people["place_of_birth"].to_numpy(), by_position)).pvalue < 1e-9


@pytest.mark.parametrize(
    ("month_day", "season"),
    [
        ("03-20", "Winter"), ("03-21", "Spring"), ("06-20", "Spring"), ("06-21", "Summer"), ("09-22", "Summer"),
        ("09-23", "Autumn"), ("12-20", "Autumn"), ("12-21", "Winter"), ("01-01", "Winter"),
    ],
)  # fmt: skip
def test_seasons_of_arrival(people, month_day, season):
    on_day = people[people["arrival_date"].dt.strftime("%m-%d") == month_day]
    assert len(on_day)
    assert (on_day["Season"] == season).all()


def test_bins_agree_with_what_they_bin(people):
    ages = people.groupby("AgeBin", observed=True)["age_at_arrival"].agg(["min", "max"])
    assert ages.index.tolist() == ["0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60+"]
    assert ages["min"].tolist() == [0, 10, 20, 30, 40, 50, 60]
    assert ages["max"].tolist() == [9, 19, 29, 39, 49, 59, 70]
    lengths = people.groupby("TripLengthBin", observed=True)["trip_length"].agg(["min", "max"])
    assert lengths.to_dict("index") == {
        "10-19": {"min": 10, "max": 19}, "20-29": {"min": 20, "max": 29}, "30-39": {"min": 30, "max": 39},
        "40-50": {"min": 40, "max": 50},
    }  # fmt: skip
    assert people["AgeBin"].cat.ordered


def test_names_have_no_titles_and_genders_are_guessed(people):
    assert not people["person_name"].str.contains(r"^(?:Sra?|Srita|Dra?|Ing|Lic|Mtr[oa])\b|Sr\(a\)").any()
    assert set(people["gender"]) == {"male", "female", "unknown"}
    assert people["gender"].eq("unknown").mean() < 0.25


def test_addresses_are_split_and_none_is_a_box_or_military(people):
    assert people["destination_zip"].str.fullmatch(r"\d{5}").all()
    assert people["destination_state_province"].str.fullmatch("[A-Z]{2}").all()
    assert not people["destination_state_province"].isin(["AA", "AE", "AP"]).any()
    assert people["origin_zip"].str.fullmatch(r"\d{5}(?:-\d{4})?").all()
    assert "Q. ROO" in set(people["origin_state_province"])
    for side in ("origin", "destination"):
        assert not is_undeliverable(people[f"{side}_address"]).any()
        assert people[f"{side}_city"].str.len().min() > 2


def test_on_polars(demand):
    on_polars = travel(random_state=0).fit_transform(pl.from_pandas(demand))
    assert isinstance(on_polars, pl.DataFrame)
    assert on_polars.columns == COLUMNS


def test_an_empty_request_gives_an_empty_table(demand):
    empty = travel().fit_transform(demand[:0])
    assert list(empty.columns) == COLUMNS
    assert len(empty) == 0


def test_a_missing_column_is_named(demand):
    with pytest.raises(ValueError, match="'Year'"):
        travel().fit_transform(demand.drop(columns="Year"))


def test_an_unknown_recipe_names_the_nearest():
    assert recipe("travel") is travel
    with pytest.raises(ValueError, match="no recipe 'travle'; did you mean 'travel'"):
        recipe("travle")


def test_years_before_a_leap_day():
    days = np.array(["2020-02-29", "2019-02-28", "2020-03-01"], "datetime64[D]")
    assert years_before(days, np.array([1, 3, 4])).astype(str).tolist() == ["2019-02-28", "2016-02-28", "2016-03-01"]
