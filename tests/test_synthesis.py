"""FakerSynthesizer: requests become records, real values become fictitious ones."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skdp import Choice, Copy, Dates, Derived, Fake, FakerSynthesizer, FromColumn, Integers, synthesis


@pytest.fixture
def demand():
    return pd.DataFrame({
        "Country": ["RUSSIA", "MEXICO", "CHINA"], "Year": [2016, 2020, 2018], "Records": [457, 1102, 632],
    })  # fmt: skip


def days_later(people):
    return people["departure"].to_numpy().astype("datetime64[D]") + people["days"].to_numpy()


SCHEMA = {
    "name": Fake("name", locale="es_MX"),
    "departure": Dates(year="Year"),
    "arrival": Derived(days_later),
    "days": Integers(10, 50),
    "born_in": Copy("Country"),
    "class": Choice(["first", "second"], weights=[1, 3]),
    "email": "email",
}


def test_each_request_row_becomes_that_many_records(demand):
    people = FakerSynthesizer(SCHEMA, count="Records").fit_transform(demand)
    assert list(people.columns) == list(SCHEMA)
    assert people["born_in"].value_counts().to_dict() == {"MEXICO": 1102, "CHINA": 632, "RUSSIA": 457}
    assert people.index.equals(pd.RangeIndex(2191))
    assert people["born_in"].tolist() == demand["Country"].repeat(demand["Records"]).tolist()


def test_columns_hold_what_the_specifications_say(demand):
    people = FakerSynthesizer(SCHEMA, count="Records", random_state=0).fit_transform(demand)
    years = people["born_in"].map({"RUSSIA": 2016, "MEXICO": 2020, "CHINA": 2018})
    assert (people["departure"].dt.year == years).all()
    assert ((people["arrival"] - people["departure"]).dt.days == people["days"]).all()
    assert people["days"].between(10, 50).all()
    assert people["name"].nunique() > 1500
    assert people["email"].str.contains("@").all()


def test_zero_records_and_an_empty_request_are_no_error(demand):
    people = FakerSynthesizer(SCHEMA, count="Records").fit(demand).transform(demand.assign(Records=[0, 3, 0]))
    assert people["born_in"].tolist() == ["MEXICO"] * 3
    empty = FakerSynthesizer(SCHEMA, count="Records").fit_transform(demand[:0])
    assert empty.shape == (0, len(SCHEMA))
    assert empty.dtypes.tolist() == people.dtypes.tolist()


def test_without_count_columns_are_replaced_and_the_others_kept():
    real = pd.DataFrame({"name": ["Ada Lovelace", "Alan Turing"], "score": [1, 2]}, index=[7, 3])
    masked = FakerSynthesizer({"name": "name", "id": Integers(1, 9)}).fit_transform(real)
    assert list(masked.columns) == ["name", "score", "id"]
    assert masked["score"].tolist() == [1, 2]
    assert masked.index.tolist() == [7, 3]
    assert not set(masked["name"]) & set(real["name"])


def test_fakes_never_depend_on_the_values_that_they_replace():
    first = pd.DataFrame({"name": ["a"] * 50, "score": range(50)})
    second = first.assign(name=[f"person {i}" for i in range(50)])
    step = FakerSynthesizer({"name": "name"}, random_state=1)
    pd.testing.assert_frame_equal(step.fit_transform(first), clone(step).fit_transform(second))
    with pytest.raises(ValueError, match="the real values that it replaces"):
        FakerSynthesizer({"name": Copy("name")}).fit(first)
    seen = FakerSynthesizer({"name": "name", "shout": Derived(lambda t: t["name"].str.upper())}).fit_transform(first)
    assert (seen["shout"] == seen["name"].str.upper()).all()


def test_inside_a_column_transformer():
    real = pd.DataFrame({"name": ["Ada", "Alan"], "age": [36, 41]})
    parts = ColumnTransformer(
        [("fake", FakerSynthesizer({"name": "first_name"}), ["name"])], remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")  # fmt: skip
    assert parts.fit_transform(real)["age"].tolist() == [36, 41]


def test_in_a_pipeline_before_other_steps(demand):
    lengths = FunctionTransformer(lambda people: people.assign(length=people["name"].str.len()))
    people = make_pipeline(FakerSynthesizer(SCHEMA, count="Records"), lengths).fit_transform(demand)
    assert (people["length"] > 3).all()


def test_the_default_schema_is_a_person():
    made = FakerSynthesizer(count="n").fit_transform(pd.DataFrame({"n": [3]}))
    assert list(made.columns) == list(synthesis.PERSON)
    replaced = FakerSynthesizer().fit_transform(pd.DataFrame({"email": ["ada@real.org"], "age": [36]}))
    assert replaced["email"][0] != "ada@real.org"
    assert replaced["age"][0] == 36


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(synthesis, "BLOCK_ROWS", 256)


UNIQUE = {**SCHEMA, "code": Fake("bothify", text="##??", unique=True), "born": Dates("1950-01-01", "departure")}


@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_the_same_seed_gives_the_same_table_whatever_the_threads(demand, small_blocks, n_jobs):
    step = FakerSynthesizer(UNIQUE, count="Records", random_state=4)
    pd.testing.assert_frame_equal(
        step.fit_transform(demand), clone(step).set_params(n_jobs=n_jobs).fit_transform(demand)
    )


@pytest.mark.parametrize("chunk_rows", [1000, 256, 37, 5000])
def test_the_same_seed_gives_the_same_table_whatever_the_chunks(demand, small_blocks, chunk_rows):
    step = FakerSynthesizer(UNIQUE, count="Records", random_state=4).fit(demand)
    chunks = list(step.iter_chunks(demand, chunk_rows))
    assert [len(chunk) for chunk in chunks[:-1]] == [chunk_rows] * (len(chunks) - 1)
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), step.transform(demand))


def test_chunks_of_a_table_whose_columns_are_replaced(small_blocks):
    real = pd.DataFrame({"name": ["x"] * 1000, "score": range(1000)})
    step = FakerSynthesizer({"name": "name"}, random_state=4).fit(real)
    pd.testing.assert_frame_equal(pd.concat(step.iter_chunks(real, 300)), step.transform(real))


def test_the_same_seed_gives_the_same_table_on_polars(demand):
    step = FakerSynthesizer(SCHEMA, count="Records", random_state=4)
    on_polars = step.fit_transform(pl.from_pandas(demand))
    assert isinstance(on_polars, pl.DataFrame)
    on_pandas = clone(step).fit_transform(demand)
    for column in SCHEMA:
        assert [str(value)[:10] for value in on_polars[column]] == [str(value)[:10] for value in on_pandas[column]]


def test_a_column_does_not_depend_on_the_other_columns(demand):
    alone = FakerSynthesizer({"name": SCHEMA["name"]}, count="Records", random_state=4).fit_transform(demand)
    together = FakerSynthesizer(SCHEMA, count="Records", random_state=4).fit_transform(demand)
    assert (alone["name"] == together["name"]).all()


def test_no_two_columns_blocks_or_calls_share_draws(demand, small_blocks):
    """Names are drawn from millions: 256 in a row alike by chance is out of the question."""
    schema = {"one": Fake("name", locale="es_MX"), "two": Fake("name", locale="es_MX")}
    step = FakerSynthesizer(schema, count="Records").fit(demand)
    people, again = step.transform(demand), step.transform(demand)
    assert (people["one"] == people["two"]).mean() < 0.01
    assert (people["one"] == again["one"]).mean() < 0.01
    assert (people["one"][:256].to_numpy() == people["one"][256:512].to_numpy()).mean() < 0.01


def test_locale_from_a_column(demand):
    schema = {"name": Fake("name", locale=FromColumn("Country")), "born_in": Copy("Country")}
    people = FakerSynthesizer(schema, count="Records", random_state=0).fit_transform(demand)
    names = people.groupby("born_in")["name"]
    assert names.get_group("RUSSIA").str.contains("^[А-яЁё. -]+$").all()
    assert names.get_group("CHINA").str.contains("^[\u4e00-\u9fff]+$").all()
    assert names.get_group("MEXICO").str.contains("[A-Za-z]").all()


def test_a_country_without_a_locale_and_a_missing_one_fall_back_to_the_default():
    table = pd.DataFrame({"Country": ["CHAD", None, "RUSSIA", "CHAD"]})
    schema = {"name": Fake("last_name", locale=FromColumn("Country", default="ja_JP"))}
    names = FakerSynthesizer(schema, random_state=0).fit_transform(table)["name"]
    assert names[[0, 1, 3]].str.contains("^[\u3040-\u30ff\u4e00-\u9fff]+$").all()
    assert names[[2]].str.contains("^[А-яЁё]+$").all()


def test_unique_values_are_unique_across_blocks(demand, small_blocks):
    schema = {"code": Fake("bothify", text="##?", letters="ABC", unique=True)}
    codes = FakerSynthesizer(schema, count="n").fit_transform(pd.DataFrame({"n": [250]}))["code"]
    assert codes.is_unique
    codes = FakerSynthesizer({"code": Fake("bothify", text="##??", unique=True)}, count="Records").fit_transform(demand)
    assert codes["code"].is_unique


def test_more_unique_values_than_there_are_is_an_error():
    step = FakerSynthesizer({"digit": Fake("numerify", text="#", unique=True)}, count="n")
    with pytest.raises(ValueError, match="'digit' must be unique: 5 values were still rejected"):
        step.fit_transform(pd.DataFrame({"n": [15]}))


def test_rejected_values_are_drawn_again():
    plain = FakerSynthesizer({"n": Fake("numerify", text="##")}, count="n", random_state=0)
    request = pd.DataFrame({"n": [5000]})
    assert plain.fit_transform(request)["n"].str.startswith("4").any()
    without = Fake("numerify", text="##", reject=lambda values: values.str.startswith("4"))
    numbers = FakerSynthesizer({"n": without}, count="n", random_state=0).fit_transform(request)["n"]
    assert not numbers.str.startswith("4").any()
    assert numbers.nunique() == 90


def test_a_predicate_that_rejects_everything_is_an_error():
    step = FakerSynthesizer({"n": Fake("numerify", text="#", reject=lambda values: values.notna())}, count="n")
    with pytest.raises(ValueError, match="still rejected after"):
        step.fit_transform(pd.DataFrame({"n": [5]}))


@pytest.mark.parametrize(
    ("counts", "fault"),
    [
        ([1, -1], "below 0"),
        ([1, 1.5], "fractional"),
        ([1, None], "missing"),
        ([1, "many"], "not a number"),
        ([1, "12 €"], "not a number"),
        ([1, True], "not a number"),
        ([1, 1e300], "above 1,000,000,000"),
        ([1, float("inf")], "above 1,000,000,000"),
    ],
)
def test_counts_that_cannot_be_are_named_but_not_shown(counts, fault):
    table = pd.DataFrame({"Country": ["PERU", "CHAD"], "Records": pd.Series(counts, dtype=object)})
    with pytest.raises(ValueError, match=f"Column 'Records' .* It is {fault} in 1 row, first in row 2") as error:
        FakerSynthesizer({"n": "name"}, count="Records").fit(table)
    assert "many" not in str(error.value) and "€" not in str(error.value)


def test_more_records_in_all_than_can_be_is_an_error():
    with pytest.raises(ValueError, match="asks for more than"):
        FakerSynthesizer({"n": "name"}, count="n").fit(pd.DataFrame({"n": [10**9] * 2}))


@pytest.mark.parametrize("year", [None, "soon", 20166, 0, 2016.5])
def test_years_out_of_range_name_the_column(year):
    table = pd.DataFrame({"Year": pd.Series([2016, year], dtype=object), "Records": [1, 1]})
    with pytest.raises(
        ValueError, match="Column 'Year' must hold a year in every row, a whole number from 1583 to 9998"
    ):
        FakerSynthesizer({"d": Dates(year="Year")}, count="Records").fit_transform(table)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"n": "adress"}, "Column 'n': Faker has no method 'adress'; did you mean 'address'"),
        ({"n": Fake("name", locale="es_MS")}, "'es_MX'"),
        ({"n": Fake("name", locale="Klingon")}, "Klingon"),
        ({"n": Copy("Contry")}, "'Contry' .* not in the table; did you mean 'Country'"),
        ({"n": Fake("name", locale=FromColumn("Contry"))}, "did you mean 'Country'"),
        ({"n": 5}, "'schema' parameter of FakerSynthesizer must be"),
        (["name"], "'schema' parameter of FakerSynthesizer must be a mapping"),
        ({"a": Copy("b"), "b": Copy("a")}, "each needs another"),
        ({"n": Derived(lambda people: "Ada")}, "must return 2191 values. Got a single value"),
        ({"n": Derived(lambda people: [1, 2])}, "must return 2191 values. Got 2"),
    ],
)
def test_bad_schemas_say_what_is_wrong(demand, schema, message):
    with pytest.raises(ValueError, match=message):
        FakerSynthesizer(schema, count="Records").fit(demand).transform(demand)


def test_an_unknown_count_column_names_the_nearest(demand):
    with pytest.raises(ValueError, match="'Record' .*; did you mean 'Records'"):
        FakerSynthesizer(SCHEMA, count="Record").fit(demand)


def test_a_wrong_argument_of_a_faker_method_is_an_error(demand):
    with pytest.raises(TypeError, match="Column 'n': .*colour"):
        FakerSynthesizer({"n": Fake("name", colour="red")}, count="Records").fit(demand).transform(demand)


def test_uniform_random_numbers_of_the_last_ulp_never_choose_a_weightless_value():
    class Edge:
        def random(self, size):
            return np.full(size, np.nextafter(1, 0))

    from skdp.specifications import Block

    assert set(Choice(["a", "b", "c"], weights=[1, 1e-300, 0]).draw(Block(0, 5, {}), Edge()).to_pylist()) <= {"a", "b"}


def test_dates_from_text_name_the_column_and_show_no_cell():
    table = pd.DataFrame({"since": ["2020-01-01", "SECRETCELL"]})
    with pytest.raises(ValueError, match="Column 'since' is missing or no date .* in 1 records") as error:
        FakerSynthesizer({"d": Dates("since", "2030-01-01")}).fit_transform(table)
    assert "SECRET" not in str(error.value)


def test_making_another_number_of_rows_is_refused_beside_other_columns():
    parts = ColumnTransformer([("f", FakerSynthesizer({"n": "name"}, count="z"), ["z"])], remainder="passthrough")
    with pytest.raises(ValueError, match="another number of rows inside a ColumnTransformer"):
        parts.fit_transform(pd.DataFrame({"z": [2, 0], "w": [1, 2]}))


def test_country_codes_may_be_numbers_and_a_locale_that_lacks_the_method_falls_back():
    table = pd.DataFrame({"code": [643, 484], "Country": ["RUSSIA", "MEXICO"]})
    made = FakerSynthesizer({
        "name": Fake("name", locale=FromColumn("code")), "state": Fake("state", locale=FromColumn("Country")),
    }).fit_transform(table)  # fmt: skip
    assert made.notna().all().all()


def test_a_set_of_choices_is_refused_because_its_order_may_change(demand):
    with pytest.raises(ValueError, match="'values' parameter of Choice must be at least one value, in an order"):
        FakerSynthesizer({"c": Choice({"a", "b"})}).fit(demand)
