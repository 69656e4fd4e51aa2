"""What single columns hold, and which parameters are refused."""

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from skdp.specifications import Block, Choice, Copy, Dates, Derived, Fake, FromColumn, Integers


def draw(specification, size=20_000, **columns):
    return specification.draw(Block(0, size, columns), np.random.default_rng(0))


def test_integers_reach_both_bounds_evenly():
    """20,000 draws over 5 values: a share outside 0.2 ± 0.018 by chance in under 1e-9 of runs."""
    values = draw(Integers(-2, 2))
    assert values.dtype == np.int64
    shares = np.bincount(values + 2) / len(values)
    assert (np.abs(shares - 0.2) < 0.018).all()
    assert draw(Integers(2**63 - 1, 2**63 - 1), 1).tolist() == [2**63 - 1]


def test_choices_follow_their_weights():
    """20,000 draws: a share off by 0.022 by chance in under 1e-9 of runs; unweighted draws are caught."""
    share = np.mean(np.array(draw(Choice(["a", "b"], weights=[1, 3])).to_pylist()) == "b")
    assert abs(share - 0.75) < 0.022
    assert abs(np.mean(np.array(draw(Choice(["a", "b"])).to_pylist()) == "b") - 0.75) > 0.022


def test_choices_of_any_type():
    assert draw(Choice([1, 2]), 3).type == pa.int64()
    assert draw(Choice([None]), 3).to_pylist() == [None] * 3
    assert draw(Choice([datetime.date(2020, 1, 1)]), 1).to_pylist() == [datetime.date(2020, 1, 1)]


def test_dates_cover_their_whole_year():
    """20,000 draws over 366 days: any one day missing by chance in under 1e-21 of runs."""
    days = draw(Dates(year=2024))
    assert len(np.unique(days)) == 366
    assert {str(days.min()), str(days.max())} == {"2024-01-01", "2024-12-31"}


def test_dates_between_columns_and_functions():
    start = np.array(["2020-01-01", "2021-01-01"] * 50, "datetime64[D]")
    fixed = draw(Dates("2019-12-30", "start"), 100, start=start)
    assert (fixed <= start).all() and (fixed >= np.datetime64("2019-12-30")).all()
    near = draw(Dates("start", lambda t: t["start"] + pd.Timedelta(days=1)), 100, start=start)
    assert set((near - start).astype(int)) == {0, 1}


def test_dates_whose_end_is_before_their_start_are_an_error():
    with pytest.raises(ValueError, match="1 records have an end of Dates before its start"):
        draw(Dates("start", "2020-06-01"), 2, start=np.array(["2020-01-01", "2021-01-01"], "datetime64[D]"))


@pytest.mark.parametrize(
    ("specification", "parameter"),
    [
        (Integers(1.5, 2), "low"),
        (Integers(3, 2), "high"),
        (Integers(0, 2**63), "high"),
        (Choice([]), "values"),
        (Choice("abc"), "values"),
        (Choice(["a", "b"], weights=[1]), "weights"),
        (Choice(["a", "b"], weights=[1, -1]), "weights"),
        (Choice(["a", "b"], weights=[0, 0]), "weights"),
        (Choice(["a", "b"], weights=[1, float("nan")]), "weights"),
        (Choice(["a", "b"], weights=["x", "y"]), "weights"),
        (Dates(), "year"),
        (Dates("2020-01-01"), "end"),
        (Dates("2020-01-02", "2020-01-01"), "end"),
        (Dates("2020-01-02", "2020-01-03", year=2020), "year"),
        (Dates(year=20), "year"),
        (Fake(5), "method"),
        (Fake("name", locale=5), "locale"),
        (Fake("name", reject="x"), "reject"),
        (Derived("x"), "function"),
    ],
)
def test_parameters_that_cannot_be_are_refused(specification, parameter):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of {type(specification).__name__} must be .* Got"):
        specification.check("column")


def test_what_a_specification_needs():
    assert Copy("a").needs() == {"a"}
    assert Dates("a", "2020-01-01").needs() == {"a"}
    assert Dates(year="Year").needs() == {"Year"}
    assert Fake("name", locale=FromColumn("c")).needs() == {"c"}
    assert Derived(len).needs() is None
    assert Integers(1, 2).needs() == set()


def test_a_community_provider():
    from faker.providers import BaseProvider

    class Ships(BaseProvider):
        def ship(self):
            return self.random_element(("Santa María", "Vega"))

    assert set(draw(Fake("ship", providers=[Ships]), 100).to_pylist()) == {"Santa María", "Vega"}


@pytest.mark.parametrize(
    ("country", "locale"),
    [
        ("RUSSIA", "ru_RU"), ("Russia", "ru_RU"), ("ru", "ru_RU"), ("RUS", "ru_RU"), ("MEXICO", "es_MX"),
        ("México", "es_MX"), ("CHINA", "zh_CN"), ("CHINA, PEOPLE'S REPUBLIC", "zh_CN"), ("Korea, South", "ko_KR"),
        ("SOUTH KOREA", "ko_KR"), ("United Kingdom", "en_GB"), ("Deutschland", "de_DE"), ("CHE", "de_CH"),
        ("Brasil", "pt_BR"), ("de_AT", "de_AT"), ("Atlantis", "en_US"), ("", "en_US"), (None, "en_US"),
    ],
)  # fmt: skip
def test_countries_lead_to_locales(country, locale):
    assert FromColumn("Country").locale(country) == locale
