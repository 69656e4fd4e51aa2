"""An inspection tells which columns say who somebody is, or help to find out; by name and by values."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from skdp._inspection import AMOUNTS, BY_NAME, BY_VALUES, IDENTIFIERS, Column, inspection, suggestions

ROWS = 1000


def column(name, kind="text", distinct=ROWS, missing=0, alone=0.0):
    return Column(name, kind, distinct, missing, alone, ROWS - missing)


def found(*columns):
    return {title: names for title, names in suggestions(columns).items() if names}


@pytest.mark.parametrize(
    "name",
    ["Name", "person_name", "CustomerID", "e-mail", "Teléfono", "Straße address", "PhoneNumber", "DNI", "apellidos"],
)
def test_identifiers_by_name(name):
    assert found(column(name, distinct=300)) == {IDENTIFIERS: [name]}


@pytest.mark.parametrize("name", ["Pager", "PhoneCoTenure", "CardTenure", "video", "rename_count"])
def test_words_within_a_name_are_no_identifier(name):
    assert found(column(name, "integer", distinct=70)) == {}


def test_a_column_of_few_values_is_no_identifier_whatever_its_name():
    assert found(column("id", "integer", distinct=3)) == {}


def test_nearly_unique_codes_are_identifiers_and_amounts_are_told_apart():
    assert found(column("x1", "integer", 990)) == {IDENTIFIERS: ["x1"]}
    assert found(column("x2", "decimal", 990)) == {AMOUNTS: ["x2"]}


@pytest.mark.parametrize(
    "name",
    ["Age", "sexo", "ZIP", "código_postal", "BirthDate", "Geschlecht", "MaritalStatus", "TownSize"],
)
def test_quasi_identifiers_by_name(name):
    assert found(column(name, "integer", 50)) == {BY_NAME: [name]}


@pytest.mark.parametrize("name", ["Voltage", "stage", "CarBrand"])
def test_words_within_a_name_are_no_quasi_identifier(name):
    assert found(column(name, "integer", 50)) == {}


def test_decimals_with_a_word_among_them_are_amounts(table):
    table["Bill"] = ["#NULL!", *(f"{bill}.5" for bill in range(len(table) - 1))]
    text = "\n".join(inspection(table))
    assert "exact amounts that single records out: Bill" in text
    assert "likely identifiers: none" in text


def test_quasi_identifiers_by_values():
    assert found(column("x", "text", 40), column("y", "text", 2)) == {BY_VALUES: ["x"]}


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "Age": rng.integers(20, 70, 400), "Town": rng.choice(["Lima", "Oslo"], 400), "Empty": np.full(400, np.nan),
        "Debt": rng.integers(0, 2, 400), "Gap": [None, "only one", *["two"] * 398],
    })  # fmt: skip


def test_columns_are_counted(table):
    lines = {line.split()[0]: line.split() for line in inspection(table) if line[:1].isalpha()}
    assert lines["Empty"][1:4] == ["nothing", "0", "400"]
    assert lines["Gap"][1:4] == ["text", "2", "1"]
    assert lines["Gap"][4:6] == ["0.2", "%"]


def test_without_quasi_identifiers_those_suggested_are_taken_and_it_is_said(table):
    text = "\n".join(inspection(table, sensitive=["Debt"]))
    assert "If others know Age, Town (suggested, none were given):" in text
    assert "Debt: l = " in text


def test_a_table_without_any_says_so(table):
    assert "No quasi-identifiers are given" in "\n".join(inspection(table[["Debt", "Empty"]]))


def test_polars_tables_give_the_same_lines(table):
    assert list(inspection(pl.from_pandas(table), ["Age"])) == list(inspection(table, ["Age"]))


def test_many_quasi_identifiers_are_not_counted_choice_by_choice():
    wide = pd.DataFrame({f"c{number}": [1, 2, 2] for number in range(20)})
    assert any("not told for more than 12" in line for line in inspection(wide, list(wide)))


TINY = {
    "Name": ["Ana Ruiz", "Tom Lee", "Eva Kern"],
    "Age": [31, 45, 62],
    "Note": ["a", "b", "c"],
    "Bill": [1.5, 2.5, 3.5],
}


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_in_a_tiny_table_names_tell_and_being_unique_says_nothing(rows):
    lines = list(inspection(pd.DataFrame(TINY)[:rows]))
    assert lines[0] == f"{rows} record{'s' if rows > 1 else ''}, 4 columns"
    assert f"{IDENTIFIERS}: Name" in lines
    assert f"{BY_NAME}: Age" in lines
    assert f"{AMOUNTS}: none" in lines
    assert not next(line for line in lines if line.startswith("Note")).endswith("?")


def test_values_count_from_twenty_rows_on():
    for rows, found_by_values in ((19, {}), (20, {IDENTIFIERS: ["x"], AMOUNTS: ["y"]})):
        columns = (Column(name, kind, rows, 0, 1.0, rows) for name, kind in (("x", "text"), ("y", "decimal")))
        assert found(*columns) == found_by_values


def test_one_column_is_one_column():
    assert next(inspection(pd.DataFrame({"Age": range(1200)}))) == "1,200 records, 1 column"
