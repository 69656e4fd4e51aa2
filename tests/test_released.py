"""What a release did to a table, in a few lines: what the report says, too, and what a reader of the file would see."""

import datetime

import numpy as np
import pandas as pd
import pytest

from skdp import Choice, FakerSynthesizer, IntervalBinner, LaplaceNoise, _frames
from skdp._recipe_files import Recipe
from skdp._released import Account, account
from skdp._report_columns import compared
from skdp.pipeline import Pipeline

DAYS = pd.to_datetime(["2020-01-01", None, "2021-12-31"])
ALIKE = {
    "categories of text": (["a", None, "b"], pd.Categorical(["a", None, "b"])),
    "text of text": (np.array(["a", None, "b"], dtype=object), pd.array(["a", None, "b"], dtype="string")),
    "integers with gaps": ([1.0, np.nan, 3.0], pd.array([1, None, 3], dtype="Int64")),
    "floats of integers": ([1, 2, 2**52], np.array([1.0, 2.0, 2.0**52])),
    "smaller integers": ([1, 2, 3], np.array([1, 2, 3], dtype="int8")),
    "wider floats": (
        np.array([0.1, 2.5, np.nan], dtype="float32"),
        np.array([0.1, 2.5, np.nan], "float32").astype(float),
    ),
    "integers as text": ([1, 2, 3], ["1", "2", "3"]),
    "integers as categories": ([1, 2, 3], pd.Categorical(["1", "2", "3"])),
    "coarser dates": (DAYS.astype("datetime64[ns]"), DAYS.astype("datetime64[s]")),
    "objects of dates": ([datetime.date(2020, 1, 1), None, datetime.date(2021, 12, 31)], DAYS),
    "booleans with gaps": (np.array([True, None, False], dtype=object), pd.array([True, None, False], dtype="boolean")),
}
OTHER = {
    "other text": (["a", "b", "c"], pd.Categorical(["a", "b", "d"])),
    "rounded": ([1.5, 2.0, 3.0], [2, 2, 3]),
    "no float tells apart": ([2**53 + 1, 1, 2], [float(2**53), 1.0, 2.0]),
    "a gap filled": ([1.0, np.nan, 3.0], [1, 2, 3]),
    "other days": (DAYS, DAYS.astype("datetime64[s]") + pd.Timedelta(days=1)),
    "ranges": ([1, 2, 3], pd.Categorical(["1 - 2", "1 - 2", "3"])),
}


def changed(before, after):
    """Return what the lines of the command say, and what the report does, of a column."""
    tables = [pd.DataFrame({"x": values}) for values in (before, after)]
    look = Account(Recipe(Pipeline([]))).look(*tables, np.ones(3, dtype=bool))
    report = compared(*map(_frames.read, tables), None, []).happened
    return look.changed == {"x"}, report["x"] != "untouched"


@pytest.mark.parametrize("name", ALIKE)
def test_a_type_alone_is_no_change(name):
    assert changed(*ALIKE[name]) == (False, False)


@pytest.mark.parametrize("name", OTHER)
def test_another_cell_is_a_change_whatever_the_types(name):
    assert changed(*OTHER[name]) == (True, True)


def test_columns_that_others_may_know_and_the_recipe_does_not_count_are_named():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "Age": rng.integers(0, 90, 50), "Region": rng.choice(["North", "South"], 50), "City": "Lima",
        "HouseholdIncome": rng.integers(0, 90, 50), "Debt": rng.random(50), "Gender": rng.choice(["f", "m"], 50),
    })  # fmt: skip
    steps = [
        ("binner", IntervalBinner({"Age": [30, 60]})),
        ("noise", LaplaceNoise(bounds={"HouseholdIncome": (0, 90)})),
        ("fake", FakerSynthesizer({"City": Choice(["Oslo", "Bonn"])})),
    ]
    recipe = Recipe(Pipeline(steps), quasi_identifiers=("Region",), sensitive=("Gender",))
    released = recipe.pipeline.fit_transform(table)
    lines = list(account(recipe, table, released, np.ones(50, dtype=bool)))
    assert "not counted, though others may know them: Age" in lines
