"""The data safety report: what it counts, what it says, and what it never lets through."""

import hashlib
import json
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError

from skdp import (
    DistributionImputer,
    FakerSynthesizer,
    IntervalBinner,
    KAnonymizer,
    LaplaceNoise,
    OutlierDropper,
    PIICleaner,
    QuantileBinner,
    RandomizedResponse,
    TrainOnKept,
    _frames,
    _report_names,
    make_pipeline,
)
from skdp._report_names import recognised
from skdp._report_texts import READINGS, clean
from skdp.cli import main
from skdp.datasets import make_customer_survey
from skdp.metrics import SCENARIOS, attacker_risks, equivalence_classes, k_anonymity, l_diversity, t_closeness
from skdp.report import DataSafetyReport

SIZE = 400
KNOWN = ["Age", "Town"]
TOWNS = "Accra Bonn Cork Delft Esna Faro Genoa Hull Izmir Jena Kobe Lima".split()


def people(seed=0, size=SIZE):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "Name": [f"Person {number}" for number in rng.permutation(size)],
        "Age": rng.integers(18, 80, size),
        "Town": rng.choice(TOWNS, size),
        "Income": rng.normal(50, 9, size).round(1),
        "Debt": rng.choice(["yes", "no"], size),
        "Pets": rng.integers(0, 4, size),
    })  # fmt: skip


def steps():
    return make_pipeline(
        PIICleaner(identifiers="Name"),
        LaplaceNoise(1.0, bounds={"Income": (0, 100)}, random_state=0),
        KAnonymizer(5, quasi_identifiers=KNOWN),
    )


@cache
def made():
    table, pipeline = people(), steps()
    released = pipeline.fit_transform(table)
    report = DataSafetyReport(
        table, released, pipeline=pipeline, quasi_identifiers=KNOWN, sensitive="Debt", target="Debt"
    )
    return SimpleNamespace(table=table, released=released, pipeline=pipeline, report=report)


@pytest.fixture(scope="module")
def case():
    return made()


class Page(HTMLParser):
    """The elements of a page, with their attributes and the text in them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    def every(self, *tags):
        return [attributes for tag, attributes in self.elements if tag in tags]


@cache
def html(report, public=False):
    return report.to_bytes("html", public=public).decode()


@cache
def page(report, public=False):
    return Page(html(report, public))


def became(table, released, **options):
    report = DataSafetyReport(table, released, quasi_identifiers=list(released.columns)[:1], **options)
    return {one["name"]: one["happened"] for one in report.figures["columns"]["each"]}


# What is counted


def test_the_figures_are_those_of_the_metrics(case):
    for when, table in (("before", case.table), ("after", case.released)):
        found = case.report.figures["anonymity"][when]
        assert found["k"] == k_anonymity(table, KNOWN)
        assert found["alone"] == (equivalence_classes(table, KNOWN).sizes == 1).sum()
        assert found["sensitive"]["Debt"]["l"] == l_diversity(table, KNOWN, "Debt")
        assert found["sensitive"]["Debt"]["t"] == t_closeness(table, KNOWN, "Debt")
        risks = attacker_risks(table, KNOWN).prosecutor
        assert found["share_above_threshold"] == pytest.approx(risks.share_above)
        for one in case.report.figures["risks"]["scenarios"]:
            assert one[when]["highest"] == pytest.approx(risks.highest * SCENARIOS[one["name"]])
            assert one[when]["mean"] == pytest.approx(risks.mean * SCENARIOS[one["name"]])


def test_scenarios_of_ones_own(case):
    report = DataSafetyReport(case.table, case.released, quasi_identifiers=KNOWN, scenarios={"ex-partner": 0.5})
    (one,) = report.figures["risks"]["scenarios"]
    assert one["name"] == "ex-partner"
    assert one["after"]["highest"] == pytest.approx(0.5 / k_anonymity(case.released, KNOWN))


def test_a_quasi_identifier_that_was_left_out_is_of_no_use_to_an_attacker(case):
    report = DataSafetyReport(case.table, case.released[["Town"]], quasi_identifiers=["Age", "Town", "Name"])
    assert report.figures["anonymity"]["not_released"] == ["Age", "Name"]
    assert report.figures["anonymity"]["after"]["k"] == k_anonymity(case.released, "Town")
    none_left = DataSafetyReport(case.table, case.released[["Pets"]], quasi_identifiers=KNOWN)
    assert none_left.figures["anonymity"]["after"]["k"] == SIZE
    assert none_left.verdict.startswith("None of the quasi-identifiers")


@pytest.mark.parametrize("kind", [pl.from_pandas, lambda table: table])
def test_tables_of_every_library(case, kind):
    report = DataSafetyReport(kind(case.table), kind(case.released), quasi_identifiers=KNOWN, sensitive="Debt")
    assert report.figures["anonymity"] == case.report.figures["anonymity"]
    assert len(page(report).every("svg")) == len(page(case.report).every("svg"))


def test_arrays():
    before = np.random.default_rng(0).integers(0, 3, (60, 3))
    report = DataSafetyReport(before, before[:50], quasi_identifiers=["x0", "x1"])
    assert report.figures["columns"]["by"] == {"untouched": ["x0", "x1", "x2"]}


# What happened to columns


def test_columns_are_told_by_what_happened_to_them_without_any_pipeline():
    table = people()
    table.loc[:9, "Pets"] = np.nan
    released = table.drop(columns="Name").assign(
        Age=IntervalBinner({"Age": [30, 50]}).fit_transform(table)["Age"],
        Town=table["Town"].where(table.index > 7),
        Income=table["Income"] + 3.5 * (table.index % 2),
        Pets=table["Pets"].fillna(1.0),
        Born=1,
    )
    assert became(table, released) == {
        "Name": "left out",
        "Age": "generalised",
        "Town": "masked",
        "Income": "changed",
        "Debt": "untouched",
        "Pets": "imputed",
        "Born": "added",
    }


def test_steps_tell_what_cells_cannot(case):
    assert case.report.figures["columns"]["by"] == {
        "left out": ["Name"],
        "noised": ["Income"],
        "generalised": ["Age", "Town"],
        "untouched": ["Debt", "Pets"],
    }


def test_fictitious_and_imputed_columns_are_told_by_the_steps():
    table = people()
    table.loc[:9, "Pets"] = np.nan
    pipeline = make_pipeline(
        DistributionImputer({"Pets": "observed"}, random_state=0),
        FakerSynthesizer({"Name": "name"}, count=None, random_state=0),
    )
    told = became(table, pipeline.fit_transform(table), pipeline=pipeline)
    assert (told["Name"], told["Pets"], told["Age"]) == ("fictitious", "imputed", "untouched")


def test_a_step_that_says_it_added_noise_is_not_believed_against_the_tables(case):
    forgotten = case.released.assign(Income=case.table["Income"])
    assert became(case.table, forgotten, pipeline=case.pipeline)["Income"] == "untouched"


def test_answers_that_a_coin_left_as_they_were_are_noised_all_the_same():
    table = pd.DataFrame({"Sick": ["yes", "no"] * 3})
    step = RandomizedResponse(epsilon=40.0, categories={"Sick": ["yes", "no"]})
    released = step.fit_transform(table)
    assert released["Sick"].tolist() == table["Sick"].tolist()  # but for a chance of e^-40
    assert became(table, released, pipeline=step) == {"Sick": "noised"}


def test_rows_in_another_order_are_no_protection():
    table = people()
    shuffled = table.sample(frac=1, random_state=0).reset_index(drop=True)
    assert set(became(table, shuffled).values()) == {"untouched"}
    elsewhere = shuffled.set_index(np.random.default_rng(0).permutation(SIZE) + 9)
    assert set(became(table, elsewhere).values()) == {"untouched"}


def test_a_column_in_another_order_than_its_rows_is_rearranged():
    table = people()
    swapped = table.assign(Income=np.random.default_rng(0).permutation(table["Income"]))
    told = became(table, swapped)
    assert told.pop("Income") == "rearranged"
    assert set(told.values()) == {"untouched"}
    assert DataSafetyReport(table, swapped, quasi_identifiers=KNOWN).figures["records"]["not_matched"] is None


def test_dropped_rows_do_not_hide_an_untouched_column():
    table = people()
    kept = table[table["Age"] > 30]
    for released in (kept, kept.reset_index(drop=True), pl.from_pandas(kept)):
        assert set(became(table, released).values()) == {"untouched"}


def test_a_table_read_from_a_file_is_compared_by_what_is_written(tmp_path):
    table = people().assign(Name=[f"+49 170 {number}" for number in range(SIZE)], Day=pd.Timestamp("2020-02-01"))
    read = table.assign(Name="'" + table["Name"], Day="2020-02-01", Income=table["Income"].astype(str))
    told = became(table, read)
    assert set(told.values()) == {"untouched"}
    assert told.keys() == set(table)


def test_large_identifiers_are_told_apart():
    table = pd.DataFrame({"Card": 2**60 + np.arange(40), "Town": "Bonn"})
    assert became(table, table.assign(Card=table["Card"] + 1))["Card"] == "changed"
    assert became(table, table)["Card"] == "untouched"


def test_kinds_of_values_that_no_metric_knows_are_compared_as_texts():
    table = pd.DataFrame({"Stay": pd.to_timedelta(np.arange(30) % 7, "D"), "Town": "Bonn"})
    for kind in (pl.from_pandas, lambda one: one):
        assert set(became(kind(table), kind(table)).values()) == {"untouched"}


def test_a_forgotten_identifier_is_named_in_the_verdict(case):
    forgotten = case.released.assign(Name=case.table["Name"])
    report = DataSafetyReport(case.table, forgotten, quasi_identifiers=KNOWN)
    assert report.figures["columns"]["suspicious"]["identifiers"] == ["Name"]
    assert "Warning: Name holds real values and looks like a direct identifier" in report.verdict
    assert "Name" not in case.report.verdict


def test_a_pseudonym_is_pointed_out(case):
    coded = case.released.assign(PatientID=[f"{number * 7919 % 100003:05d}x" for number in range(SIZE)])
    report = DataSafetyReport(case.table, coded, quasi_identifiers=KNOWN)
    assert report.figures["columns"]["suspicious"]["pseudonyms"] == ["PatientID"]
    assert "PatientID is changed or new" in report.verdict


def test_what_others_may_know_besides_the_quasi_identifiers_is_counted_too():
    table = people()
    ranges = make_pipeline(PIICleaner(identifiers="Name"), IntervalBinner({"Age": [30, 45, 60]}))
    released = ranges.fit_transform(table)
    report = DataSafetyReport(table, released, pipeline=ranges, quasi_identifiers=["Pets"])
    sizes = equivalence_classes(released, ["Pets", "Town", "Age"]).sizes
    told = report.figures["anonymity"]["if_more_is_known"]
    assert told == {"columns": ["Town", "Age"], "k": sizes.min(), "alone": (sizes == 1).sum()}
    assert "Someone who knows Town and Age, too" in report.verdict
    named = DataSafetyReport(table, released, pipeline=ranges, quasi_identifiers=["Pets", "Town", "Age"])
    assert named.figures["anonymity"]["if_more_is_known"] is None
    assert "Someone who knows Town and Age, too" not in named.verdict


# What is said


def test_the_verdict_says_what_k_means(case):
    k = case.report.figures["anonymity"]["after"]["k"]
    assert k >= 5
    assert case.report.verdict.startswith(
        f"In the released table each record shares its quasi-identifiers (Age and Town) with at least {k - 1} others. "
        "Someone who knows all of these about a person, and nothing else, can be right about which record is theirs at "
        f"most 1 time in {k}."
    )


def test_someone_who_stands_alone_comes_first(case):
    report = DataSafetyReport(case.table, case.table, quasi_identifiers=KNOWN, sensitive="Debt")
    alone = report.figures["anonymity"]["after"]["alone"]
    assert alone
    assert report.verdict.startswith(f"k = 1: {alone} of the 400 released records")
    assert "In at least one class all records have the same value of Debt" in report.verdict


@pytest.mark.parametrize("public", [False, True])
def test_nothing_is_ever_called_safe_or_anonymous(case, public):
    shown = " ".join([case.report.verdict, *page(case.report, public).texts])
    for one in READINGS:  # which say what figures do not say
        shown = shown.replace(one.silent, "")
    words = set(re.findall(r"[a-z-]+", shown.lower()))
    assert not words & {"safe", "anonymous", "anonymised", "anonymized", "protected", "secure", "guaranteed"}


def test_epsilon_is_stated_with_its_scope_and_the_reasons_for_infinity(case):
    told = case.report.figures["privacy"]
    assert told["epsilon"] is None
    assert any("k-anonymity" in reason for reason in told["reasons"])
    assert "ε = ∞" in case.report.verdict
    shown = "".join(page(case.report).texts)
    for reason in told["reasons"]:
        assert clean(reason) in shown


def test_a_finite_epsilon_names_the_columns_it_is_for():
    table = people()[["Income", "Pets"]]
    noise = LaplaceNoise(0.5, bounds={"Income": (0, 100)})
    report = DataSafetyReport(table, noise.fit_transform(table), pipeline=noise, quasi_identifiers="Pets")
    assert "Differential privacy holds for Income with ε = 0.5 (local, replace one record), and for no other" in (
        report.verdict
    )
    assert "adds its own ε" in report.verdict


def test_without_a_pipeline_nothing_is_promised(case):
    report = DataSafetyReport(case.table, case.released, quasi_identifiers=KNOWN)
    assert report.figures["privacy"] == {"stated": False, "steps": []}
    assert "take ε as infinite" in report.verdict


def test_every_figure_says_how_to_read_it():
    assert all(all(vars(one).values()) for one in READINGS)
    silent = " ".join(one.silent for one in READINGS)
    for said in ("is not differential privacy", "two releases of the same people", "is not ε = 0"):
        assert said in silent


# What the release is still good for


def test_utility_is_told_where_rows_are_matched(case):
    told = case.report.figures["utility"]
    assert 0 < told["granularity"]["value"] < 1
    assert told["model"]["measure"] == "accuracy"
    assert told["model"]["tested"] == SIZE
    assert told["model"]["guessing"] == pytest.approx(case.table["Debt"].value_counts(normalize=True).max())
    assert told["propensity"]["pmse"] > 0
    assert told["associations"]["left_out"] == ["Age"]  # more than 40 ranges in 400 records
    assert told["associations"]["columns"] == 4
    assert [one["name"] for one in told["marginals"]] == ["Age", "Town", "Income", "Debt", "Pets"]
    assert told["rules"]["recall"] == 1.0  # among columns that are as they were


def test_association_drift_is_of_strengths_where_numbers_became_ranges():
    table = people(size=2000).drop(columns="Name")
    table["Debt"] = (np.random.default_rng(0).random(2000) < 1.1 - table["Age"] / 70).astype(int)
    released = IntervalBinner({"Age": [24, 34, 44, 54, 64]}).fit_transform(table)
    report = DataSafetyReport(table, released, quasi_identifiers=KNOWN)
    assert report.figures["utility"]["associations"]["highest_drift"] < 0.1  # signs subtracted: 0.9 and more
    flipped = DataSafetyReport(table, table.assign(Age=-table["Age"]), quasi_identifiers=KNOWN)
    assert flipped.figures["utility"]["associations"]["highest_drift"] > 0.8
    (reading,) = [one for one in READINGS if one.title == "Associations"]
    assert "with the sign" in reading.means and "strength" in reading.means


def test_text_of_a_value_to_each_record_is_left_out_of_the_associations_and_named(case):
    table = people(size=2000)
    table["Fee"] = table["Income"].astype(str).where(table.index > 2, "#NULL!")
    released = table.assign(Pets=table["Pets"].astype(str), Town=table["Town"].astype("category"))
    assert table["Fee"].nunique() > 200
    for kind in (pl.from_pandas, lambda one: one):
        report = DataSafetyReport(kind(table), kind(released), quasi_identifiers=KNOWN)
        told = report.figures["utility"]["associations"]
        assert told["left_out"] == ["Name", "Fee"]
        assert told["columns"] == 5
        assert told["highest_drift"] < 0.1  # with Fee: 0.3 and more, with Name: 1
        shown = "".join(page(report).texts)
        assert "anything would seem to go together with them: Name and Fee." in shown
    few = DataSafetyReport(table[["Town", "Pets"]], released[["Town", "Pets"]], quasi_identifiers="Town")
    assert few.figures["utility"]["associations"]["left_out"] == []
    assert "Left out of the associations" not in "".join(page(few).texts)


def test_columns_that_are_all_left_out_of_the_associations_are_named(case):
    two = case.table[["Name", "Pets"]]
    report = DataSafetyReport(two, two, quasi_identifiers="Pets")
    told = report.figures["utility"]["associations"]
    assert told["left_out"] == ["Name"] and "fewer than two columns" in told["not_told"]
    assert "Left out of the associations" in "".join(page(report).texts)


def test_rows_that_cannot_be_matched_are_not_guessed(case):
    dropper = OutlierDropper(columns="Income", method="gap", factor=1.01)
    pipeline = make_pipeline(dropper, KAnonymizer(5, quasi_identifiers=KNOWN))
    released, keep = pipeline.fit_release(case.table)
    assert not keep.all()
    renumbered = released.reset_index(drop=True)
    lost = DataSafetyReport(case.table, renumbered, quasi_identifiers=KNOWN, target="Debt").figures["utility"]
    for name in ("granularity", "model", "cells_suppressed"):
        assert "not_told" in lost[name]
    found = DataSafetyReport(case.table, renumbered, quasi_identifiers=KNOWN, target="Debt", keep=keep)
    by_index = DataSafetyReport(case.table, released, quasi_identifiers=KNOWN, target="Debt")
    assert found.figures["utility"]["granularity"]["value"] == pytest.approx(pipeline[-1].granularity_)
    assert by_index.figures["utility"] == found.figures["utility"]


OTHER_ORDER = "the rows of the two tables are not in the same order"
NEED_ROWS = "granularity", "model", "cells_suppressed"


def mixed(table, seed=0):
    """Return a table with its rows in another order, numbered afresh."""
    return table.sample(frac=1, random_state=seed).reset_index(drop=True)


@pytest.mark.parametrize("library", [lambda table: table, pl.from_pandas])
def test_rows_that_were_shuffled_are_not_taken_for_those_at_their_places(case, library):
    tables = library(case.table), library(mixed(case.released))
    report = DataSafetyReport(*tables, pipeline=case.pipeline, quasi_identifiers=KNOWN, target="Debt")
    told = report.figures
    assert told["records"]["not_matched"] == OTHER_ORDER
    assert [told["utility"][name] for name in NEED_ROWS] == [{"not_told": OTHER_ORDER}] * 3
    assert told["columns"]["by"] == case.report.figures["columns"]["by"]
    for name in ("marginals", "associations", "rules", "propensity"):  # whose rows need no match
        assert "not_told" not in told["utility"][name]
    assert told["utility"]["marginals"] == case.report.figures["utility"]["marginals"]
    assert "".join(page(report).texts).count(OTHER_ORDER) == 4
    assert OTHER_ORDER not in "".join(page(report, True).texts)
    assert case.report.figures["records"]["not_matched"] is None


def test_rows_that_were_shuffled_with_their_index_are_matched(case):
    shuffled = case.released.sample(frac=1, random_state=0)
    report = DataSafetyReport(case.table, shuffled, quasi_identifiers=KNOWN, target="Debt")
    assert report.figures["records"]["not_matched"] is None
    assert report.figures["utility"]["granularity"] == case.report.figures["utility"]["granularity"]


@pytest.mark.parametrize("swapped", [[], ["Pets"], ["Pets", "Debt"]])
def test_a_column_that_both_tables_are_sorted_by_does_not_hide_that_rows_were_shuffled(swapped):
    table = people().sort_values("Town", ignore_index=True)
    released = mixed(table.drop(columns="Name")).sort_values("Town", ignore_index=True, kind="stable")
    rng = np.random.default_rng(0)
    released = released.assign(**{name: released[name].to_numpy()[rng.permutation(len(released))] for name in swapped})
    told = DataSafetyReport(table, released, quasi_identifiers=KNOWN).figures
    assert (table["Town"] == released["Town"]).all()
    assert told["records"]["not_matched"] == OTHER_ORDER


def test_rows_that_were_kept_and_then_shuffled_are_not_matched(case):
    keep = case.table["Age"].to_numpy() > 20
    kept = case.released[keep]
    for released, why in ((kept, None), (mixed(kept), OTHER_ORDER)):
        report = DataSafetyReport(case.table, released, quasi_identifiers=KNOWN, keep=keep)
        assert report.figures["records"]["not_matched"] == why


def test_random_answers_whose_counts_agree_by_chance_do_not_pass_for_shuffled_rows():
    """With 40 answers, counts agree in about one run in seven; looked at are those in which they do."""
    table = people(size=40)[["Age", "Debt"]]
    found = 0
    for seed in range(40):
        pipeline = make_pipeline(
            RandomizedResponse(epsilon=1.0, categories={"Debt": ["no", "yes"]}, random_state=seed),
            IntervalBinner({"Age": [30, 50]}),
        )
        released = pipeline.fit_transform(table)
        if sorted(released["Debt"]) == sorted(table["Debt"]) and (released["Debt"] != table["Debt"]).any():
            found += 1
            report = DataSafetyReport(table, released, pipeline=pipeline, quasi_identifiers="Age")
            assert report.figures["records"]["not_matched"] is None
            assert report.figures["columns"]["by"]["noised"] == ["Debt"]
    assert found


# The page


def test_the_page_asks_nobody_for_anything(case):
    text = html(case.report)
    parsed = Page(text)
    assert not parsed.every("script", "iframe", "object", "embed", "base", "form")
    addresses = [
        value
        for _, one in parsed.elements
        for name, value in one.items()
        if name in ("src", "href", "xlink:href", "data", "srcset")
    ]
    assert all(address.startswith(("#", "data:")) for address in addresses)
    assert not re.search(r"@import|url\((?!#)", text)
    assert not any(name.startswith("on") for _, one in parsed.elements for name in one)
    outside = set(re.findall(r"https?://[^\"'\s<>]+", text))
    assert outside == {"http://www.w3.org/1999/xlink"}  # the name of a namespace


@pytest.mark.parametrize("public", [False, True])
def test_ids_are_unique_and_all_that_is_referred_to_is_there(case, public):
    parsed = page(case.report, public)
    ids = [one["id"] for _, one in parsed.elements if "id" in one]
    assert len(set(ids)) == len(ids)
    text = html(case.report, public)
    referred = {one["href"][1:] for one in parsed.every("a", "use") if "href" in one}
    referred |= {one["xlink:href"][1:] for _, one in parsed.elements if one.get("xlink:href", "").startswith("#")}
    referred |= set(re.findall(r"url\(#([^)]+)\)", text))
    for _, one in parsed.elements:
        referred |= set(f"{one.get('aria-labelledby', '')} {one.get('aria-describedby', '')}".split())
    assert referred <= set(ids)


def test_headings_are_in_order_and_landmarks_are_there(case):
    parsed = page(case.report)
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))
    for landmark in ("header", "nav", "main", "footer"):
        assert len(parsed.every(landmark)) == 1
    assert parsed.every("html")[0]["lang"] == "en"
    first_link = parsed.every("a")[0]
    assert first_link == {"class": "skip", "href": "#verdict"}


def test_every_picture_has_a_text_and_a_table(case):
    text = html(case.report)
    figures = re.findall(r"<figure.*?</figure>", text, flags=re.DOTALL)
    assert len(figures) == len(re.findall("<svg", text)) + 1  # the bars of rules are no SVG
    for figure in figures:
        assert "<table" in figure
        caption = re.search(r"<figcaption>(.*?)</figcaption>", figure, flags=re.DOTALL)[1]
        assert len("".join(Page(caption).texts).strip()) > 20
    for svg in re.findall("<svg[^>]*>", text):
        assert 'role="img"' in svg and "aria-labelledby" in svg


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><svg onload=alert(1)>",
    "]]>--><b>",
    "{{ 7 * 7 }}{% raw %}",
    "$x^{$",
    "\u202eeman",
    "גיל",
    "a\x00b",
    "&amp;",
    "'; --",
    "",
]


@pytest.fixture(scope="module")
def hostile():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.choice(HOSTILE[:6], 60) for name in HOSTILE})
    released = table.assign(**{HOSTILE[0]: rng.choice(HOSTILE[:6], 60)})
    return DataSafetyReport(
        table,
        released,
        quasi_identifiers=HOSTILE[:2],
        sensitive=HOSTILE[2],
        scenarios={HOSTILE[0]: 0.5, HOSTILE[7]: 0.1},
        title=HOSTILE[0] + HOSTILE[6] + "\ud800",
    )


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize("public", [False, True])
def test_everything_from_the_data_is_escaped(hostile, public):
    text = html(hostile, public)
    parsed = Page(text)
    assert not parsed.every("script", "img")
    assert not any(name.startswith("on") for _, one in parsed.elements for name in one)
    assert "<script>alert(1)</script>" in "".join(parsed.texts)
    assert "49" not in re.findall(r"<bdi>(.*?)</bdi>", text)
    assert not re.search("[\x00-\x08\u202a-\u202e\u2066-\u2069]", text)
    assert "<bdi>גיל</bdi>" in text
    assert "<bdi>&lt;script&gt;" in text


@pytest.mark.filterwarnings("ignore:Glyph")
def test_json_takes_any_name(hostile):
    told = json.loads(hostile.to_bytes("json"))
    assert HOSTILE[0] in told["anonymity"]["quasi_identifiers"]


DIGESTS = """
import hashlib, sys
sys.path.insert(0, "tests")
from test_report import made
for kind in ("html", "json"):
    for public in (False, True):
        print(hashlib.sha256(made().report.to_bytes(kind, public=public)).hexdigest())
"""


def test_the_same_tables_give_the_same_bytes_in_any_process(case):
    found = subprocess.run(
        [sys.executable, "-c", DIGESTS], capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    ).stdout.split()  # fmt: skip
    ours = [html(case.report, public).encode() for public in (False, True)]
    ours += [case.report.to_bytes("json", public=public) for public in (False, True)]
    assert found == [hashlib.sha256(one).hexdigest() for one in ours]
    assert len(set(found)) == 4


def test_public_holds_nothing_that_was_counted_in_the_original(case):
    """Another original, of other values and more rows, gives the same public report to the byte."""
    released = case.released
    other = people(seed=1, size=SIZE + 60)
    other[["Debt", "Pets"]] = pd.concat(
        [released[["Debt", "Pets"]], people(2, 60)[["Debt", "Pets"]]], ignore_index=True
    )
    reports = [
        DataSafetyReport(
            table, released, pipeline=case.pipeline, quasi_identifiers=KNOWN, sensitive="Debt", target="Debt"
        )
        for table in (case.table, other)
    ]
    for kind in ("html", "json"):
        public = [report.to_bytes(kind, public=True) for report in reports]
        assert public[0] == public[1]
        internal = [report.to_bytes(kind) for report in reports]
        assert internal[0] != internal[1]
        assert b"PUBLIC" in public[0] and b"INTERNAL" not in public[0]
        assert b"nothing here was counted in the original table but which columns were changed" in public[0]
        assert b"INTERNAL" in internal[0]


def test_no_cell_is_in_the_figures(case):
    text = case.report.to_bytes("json").decode()
    for cell in ("Person", *TOWNS):
        assert cell not in text


@pytest.mark.long
def test_a_report_of_the_survey_is_of_at_most_three_megabytes():
    table = make_customer_survey(random_state=0)
    numbers = [name for name in table if pd.api.types.is_float_dtype(table[name])][:12]
    pipeline = make_pipeline(
        IntervalBinner({"Age": [24, 34, 44, 54, 64], "HouseholdIncome": [10, 40, 80, 120]}),
        LaplaceNoise(0.5, columns=numbers, bounds=(0, 500)),
    )
    released = pipeline.fit_transform(table)
    report = DataSafetyReport(table, released, pipeline=pipeline, quasi_identifiers=["Region", "Age", "Gender"])
    text = report.to_bytes("html")
    assert table.shape == (5000, 60)
    assert len(text) < 3 * 2**20
    assert len(Page(text.decode()).every("svg")) == 3 + 1 + 12  # the other columns have tables


def test_a_notebook_shows_the_page_in_a_frame_of_its_own(case):
    (frame,) = Page(case.report._repr_html_()).every("iframe")
    assert Page(frame["srcdoc"]).every("svg")
    assert "sandbox" in frame


# Parameters and files


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quasi_identifiers": ["Agee"]}, "did you mean 'Age'"),
        ({"quasi_identifiers": []}, "what others may know"),
        ({"sensitive": "Age"}, "'Age' is"),
        ({"target": "Dept"}, "did you mean 'Debt'"),
        ({"scenarios": {"theft": 2}}, "from 0 to 1"),
        ({"scenarios": {}}, "at least one scenario"),
        ({"keep": [True, False]}, "one bool for each original row"),
        ({"title": 3}, "a text"),
    ],
)
def test_what_cannot_be_is_refused(case, options, message):
    with pytest.raises(ValueError, match=message):
        DataSafetyReport(case.table, case.released, **{"quasi_identifiers": KNOWN, **options})


def test_tables_without_rows_are_refused(case):
    for pair in ((case.table[:0], case.released), (case.table, case.released[:0])):
        with pytest.raises(ValueError, match="has no rows"):
            DataSafetyReport(*pair, quasi_identifiers=KNOWN)


def test_a_missing_extra_says_how_to_get_it(case, monkeypatch, tmp_path):
    for missing in ("jinja2", "matplotlib"):
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, missing, None)
            with pytest.raises(ImportError, match=r'pip install "skdp\[report\]"'):
                case.report.to_html(tmp_path / "report.html")
            case.report.to_json(tmp_path / "report.json")
    assert [one.name for one in tmp_path.iterdir()] == ["report.json"]


def test_a_file_is_written_whole_or_not_at_all(case, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        case.report.to_html(path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


# The command line


@pytest.fixture
def folder(tmp_path):
    people().to_csv(tmp_path / "before.csv", index=False)
    (tmp_path / "recipe.toml").write_text(
        'title = "Staff"\nquasi_identifiers = ["Age", "Town"]\nsensitive = ["Debt"]\n'
        '[[steps]]\nuse = "PIICleaner"\nidentifiers = ["Name"]\n'
        '[[steps]]\nuse = "OutlierDropper"\ncolumns = ["Income"]\nmethod = "gap"\nfactor = 1.01\n'
        '[[steps]]\nuse = "KAnonymizer"\nk = 4\n'
    )
    return tmp_path


def release(folder, report, *options):
    paths = [str(folder / name) for name in ("before.csv", "recipe.toml", "after.csv", report)]
    return main(["release", paths[0], "--recipe", paths[1], "--output", paths[2], "--report", paths[3], *options])


def compare(folder, *options, output="report.json", known="Age,Town"):
    paths = [str(folder / name) for name in ("before.csv", "after.csv", output)]
    return main(["report", *paths[:2], "--quasi-identifiers", known, "--output", paths[2], *options])


def test_a_release_with_its_report(folder, capsys):
    assert release(folder, "report.json") == 0
    told = json.loads((folder / "report.json").read_text())
    assert told["title"] == "Staff"
    assert told["anonymity"]["after"]["k"] >= 4
    assert told["records"]["left_out"] >= 1
    assert "value" in told["utility"]["granularity"]
    assert told["privacy"]["reasons"]
    assert release(folder, "report.html") == 0
    assert (folder / "report.html").read_bytes().startswith(b"<!DOCTYPE html>")
    assert capsys.readouterr().err == ""


def test_a_release_with_a_report_for_all(folder, capsys):
    assert release(folder, "report.json", "--public") == 0
    told = json.loads((folder / "report.json").read_text())
    assert told["visibility"].startswith("PUBLIC")
    assert "before" not in told["anonymity"] and "in" not in told["records"]
    assert told["columns"]["by"]["left out"] == ["Name"]
    assert release(folder, "report.html", "--public") == 0
    assert b"PUBLIC" in (folder / "report.html").read_bytes()
    paths = [str(folder / name) for name in ("before.csv", "recipe.toml", "other.csv")]
    assert main(["release", paths[0], "--recipe", paths[1], "--output", paths[2], "--public"]) == 2
    assert "--public goes with --report" in capsys.readouterr().err
    assert not (folder / "other.csv").exists()


def test_a_report_of_two_files(folder, capsys):
    release(folder, "report.json")
    capsys.readouterr()
    assert compare(folder, "--sensitive", "Debt", "--target", "Debt", "--title", "Two files") == 0
    out = capsys.readouterr().out
    told = json.loads((folder / "report.json").read_text())
    assert told["title"] == "Two files"
    assert told["verdict"] in out
    assert told["columns"]["by"]["left out"] == ["Name"]
    assert compare(folder, "--public", output="public.json") == 0
    assert json.loads((folder / "public.json").read_text())["visibility"].startswith("PUBLIC")


def test_a_report_of_two_files_says_that_rows_were_shuffled(folder):
    table = people()
    released = KAnonymizer(5, quasi_identifiers=KNOWN).fit_transform(table)
    for shuffled, why in ((released, None), (mixed(released), OTHER_ORDER)):
        shuffled.to_csv(folder / "after.csv", index=False)
        assert compare(folder) == 0
        told = json.loads((folder / "report.json").read_text())
        assert told["records"]["not_matched"] == why
        assert ("value" in told["utility"]["granularity"]) is (why is None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "report.pdf"}, "must end in .html or .json"),
        ({"output": "nowhere/report.html"}, "does not exist"),
        ({"known": "Agee"}, "did you mean 'Age'"),
    ],
)
def test_a_report_that_cannot_be_made_says_why_in_one_line(folder, capsys, options, message):
    release(folder, "report.json")
    capsys.readouterr()
    before = sorted(folder.iterdir())
    assert compare(folder, **options) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_a_release_whose_report_fails_writes_nothing(folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    before = sorted(folder.iterdir())
    assert release(folder, "report.html") == 2
    assert 'pip install "skdp[report]"' in capsys.readouterr().err
    assert release(folder, "after.csv") == 2
    assert "must end in .html or .json" in capsys.readouterr().err
    assert sorted(folder.iterdir()) == before


SPANS = ["age", "bin", "month"]


@pytest.mark.parametrize("known", SPANS)
def test_bins_and_months_of_pandas_are_reported_as_their_texts(known):
    table = pd.DataFrame({"age": pd.cut(np.arange(40), 4), "secret": list("ab") * 20})
    table["bin"] = table["age"].astype(table["age"].cat.categories.dtype)
    table["month"] = pd.period_range("2020-01", periods=40, freq="M")
    spelled = table.astype({"age": str, "bin": str, "month": str})
    reports = []
    for one in (table, spelled.astype({name: pd.CategoricalDtype(spelled[name].unique(), True) for name in SPANS})):
        released = KAnonymizer(5, quasi_identifiers=known).fit_transform(one)
        report = DataSafetyReport(one, released, quasi_identifiers=known, sensitive="secret")
        reports.append(json.loads(report.to_bytes("json")))
    assert reports[0] == reports[1]


# Columns under other names

EXACT = "CustomerID Region Gender Age JobCategory CreditDebt".split()
ASKED = ["Region", "Gender", "Age", "JobCategory"]


@pytest.fixture(scope="module")
def survey():
    return make_customer_survey(random_state=0)[EXACT].head(1000)


def renamed(table):
    return table.rename(columns={name: f"c{place}" for place, name in enumerate(table)})


def pairs(report):
    return {one["released"]: one["original"] for one in report.figures["columns"].get("under_other_names", ())}


def safety(report):
    """Return all figures of the release that say how well records hide."""
    told = report.figures
    after = {**told["anonymity"]["after"], "sensitive": None}
    hidden = [one for figures in told["anonymity"]["after"]["sensitive"].values() for one in figures.values()]
    risks = [one for scenario in told["risks"]["scenarios"] for one in scenario["after"].values()]
    return [*after.values(), *hidden, *risks, *told["risks"]["after"].values()]


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("with_pipeline", [False, True])
def test_columns_that_scikit_learn_named_by_their_step_are_known_by_their_own_names(survey, nested, with_pipeline):
    masked = ColumnTransformer(
        [("mask", IntervalBinner({"Age": [24, 34, 44, 54, 64]}), ["Age"])], remainder="passthrough"
    ).set_output(transform="pandas")
    everything = ColumnTransformer([("all", masked, EXACT)]).set_output(transform="pandas")
    step = (everything if nested else masked).fit(survey)
    released = step.transform(survey)
    assert released.columns[0] == ("all__mask__Age" if nested else "mask__Age")
    own = released.set_axis([name.rpartition("__")[2] for name in released], axis=1)
    options = {"pipeline": step if with_pipeline else None, "quasi_identifiers": ASKED, "sensitive": "CreditDebt"}
    report, plain_names = (DataSafetyReport(survey, table, **options) for table in (released, own))
    told, expected = report.figures, plain_names.figures
    for name in ("anonymity", "risks", "utility", "records"):
        assert told[name] == expected[name]
    assert told["columns"]["by"] == expected["columns"]["by"]
    assert told["columns"]["by"]["generalised"] == ["Age"]
    assert pairs(report) == {name: name.rpartition("__")[2] for name in released}
    assert report.verdict.startswith("k = 1: ")
    assert "Age" in report.verdict and f"{released.columns[0]} is Age" in report.verdict
    assert "No column was left untouched" not in report.verdict
    assert released.columns[0] in "".join(page(report).texts)


def test_a_prefix_that_could_be_that_of_two_columns_or_of_none_is_no_proof(survey):
    released = survey.assign(a__Age=survey["Age"] // 10, b__Age=survey["Age"] % 10).drop(columns="Age")
    report = DataSafetyReport(survey, released, quasi_identifiers=ASKED)
    assert pairs(report) == {}
    assert report.figures["anonymity"]["not_told"]["hiding"] == ["a__Age", "b__Age"]
    beside = survey.assign(a__Age=survey["Age"] // 10)
    assert pairs(DataSafetyReport(survey, beside, quasi_identifiers=ASKED)) == {}
    two = pd.DataFrame({"Age": [1, 2, 3, 4], "b__Age": [5, 6, 7, 8]})
    both = DataSafetyReport(two, two.add_prefix("a__") + 9, quasi_identifiers="Age")
    assert pairs(both) == {"a__Age": "Age", "a__b__Age": "b__Age"}


@pytest.mark.parametrize("form", [renamed, pd.DataFrame.to_numpy, lambda table: pl.from_pandas(renamed(table))])
def test_a_table_that_was_only_renamed_is_told_as_one_that_was_not(survey, form):
    options = {"quasi_identifiers": ASKED, "sensitive": "CreditDebt"}
    report, bare = (DataSafetyReport(survey, table, **options) for table in (form(survey), survey))
    assert report.figures["columns"]["by"] == {"renamed": EXACT}
    assert list(pairs(report).values()) == EXACT
    assert report.figures["anonymity"] == bare.figures["anonymity"]
    assert report.figures["risks"] == bare.figures["risks"]
    assert report.figures["columns"]["suspicious"] == bare.figures["columns"]["suspicious"]
    assert report.verdict.split(" Columns of the original are")[0] == bare.verdict.split(" No pipeline")[0]
    for public in (False, True):
        assert "Untouched, under another name" in "".join(page(report, public).texts)


def test_an_exact_amount_under_another_name_is_warned_of(survey):
    report = DataSafetyReport(survey, survey.rename(columns={"CreditDebt": "debt"}), quasi_identifiers=ASKED)
    assert report.figures["columns"]["by"]["renamed"] == ["CreditDebt"]
    assert report.figures["columns"]["suspicious"]["exact_amounts"] == ["CreditDebt"]
    assert "debt is CreditDebt" in report.verdict


def test_an_added_exact_amount_is_warned_of_unless_a_step_made_it_up(survey):
    released = survey.assign(Fee=np.random.default_rng(0).normal(size=len(survey)))
    report = DataSafetyReport(survey, released, quasi_identifiers=ASKED, sensitive="CreditDebt")
    assert report.figures["columns"]["by"]["added"] == ["Fee"]
    assert report.figures["columns"]["suspicious"]["exact_amounts"] == ["Fee"]
    assert "Fee holds exact amounts" in report.verdict


@pytest.mark.parametrize("form", ["in order", "shuffled", "rows lost"])
def test_a_renamed_column_of_many_values_is_found_in_rows_that_cannot_be_matched(survey, form):
    rows = survey if form == "in order" else survey.sample(frac=0.8 if form == "rows lost" else 1, random_state=0)
    released = rows.reset_index(drop=True).rename(columns={"CreditDebt": "owed", "CustomerID": "number"})
    report = DataSafetyReport(survey, released, quasi_identifiers=[*ASKED, "CreditDebt"])
    assert pairs(report) == {"number": "CustomerID", "owed": "CreditDebt"}
    assert report.figures["anonymity"]["after"]["alone"] == len(rows)


def taken_for_originals(draw, runs):
    """Return how many of so many drawn pairs of tables have a released column that is taken for an original one."""
    tables = [map(_frames.read, draw(np.random.default_rng(seed))) for seed in range(runs)]
    return sum(bool(recognised(*pair, None, [], []).restored) for pair in tables)


@pytest.mark.parametrize("size", [60, 100])
def test_columns_of_the_same_few_values_are_not_taken_for_each_other(monkeypatch, size):
    """Counts of two fair coins agree in 8 to 10 % of the 200 runs, and none is taken for the other.

    A rule that asks for agreement alone is the planted bug; it fails but for a chance of 0.92^200 < 1e-7.
    """

    def coins(rng):
        return pd.DataFrame({"Sick": rng.integers(0, 2, size)}), pd.DataFrame({"Coin": rng.integers(0, 2, size)})

    assert taken_for_originals(coins, 200) == 0
    monkeypatch.setattr(_report_names, "BY_CHANCE", 2)
    assert taken_for_originals(coins, 200) > 0


def test_ages_drawn_anew_are_not_taken_for_those_of_the_original(monkeypatch):
    """All of 300 ages drawn anew are among 5,000 real ones; in 50 runs, a false alarm has a chance of 5e-5.

    A rule that asks for that alone is the planted bug.
    """

    def ages(rng):
        return pd.DataFrame({"Age": rng.integers(18, 80, 5000)}), pd.DataFrame({"Years": rng.integers(18, 80, 300)})

    assert taken_for_originals(ages, 50) == 0
    monkeypatch.setattr(_report_names, "BY_CHANCE", 2)
    assert taken_for_originals(ages, 50) == 50


def test_few_values_are_proof_where_rows_match_and_gaps_are_left_aside(survey):
    released = survey.rename(columns={"Gender": "g"})
    released["g"] = released["g"].where(released.index % 7 > 0)
    report = DataSafetyReport(survey, released, quasi_identifiers=ASKED)
    assert pairs(report) == {"g": "Gender"}
    assert report.figures["columns"]["by"]["masked"] == ["Gender"]
    flipped = survey.rename(columns={"Gender": "g"})
    flipped.loc[0, "g"] = 1 - flipped.loc[0, "g"]
    assert pairs(DataSafetyReport(survey, flipped, quasi_identifiers=ASKED)) == {}


@pytest.mark.parametrize("known", [["Age"], ["Age", "Region"]])
def test_how_records_hide_is_not_told_where_an_added_column_may_be_a_missing_one(survey, known):
    """The ages stand in the release but for a factor: nobody could see that by comparing values."""
    released = survey[["Region"]].assign(z=survey["Age"] * 7 + 3)
    report = DataSafetyReport(
        survey, released, quasi_identifiers=known, sensitive="Region" if len(known) == 1 else None
    )
    assert report.figures["anonymity"]["not_told"] == {"hiding": ["z"], "missing": ["Age"], "alone_at_least": 0}
    assert set(safety(report)) == {None}
    assert report.verdict.startswith("How well records hide is not told: Age is not in the released table by this name")
    for claim in ("None of the quasi-identifiers", "at least", "at most", "cannot tell"):
        assert claim not in report.verdict
    for public in (False, True):
        shown = "".join(page(report, public).texts)
        assert shown.count("not told") >= 12
        assert "Highest risk, if attackednot told" in re.sub(r"\s*\n\s*", "", shown)
        assert "of no use there" not in shown and 'class="verdict warned"' in html(report, public)
        assert json.loads(report.to_bytes("json", public=public))["risks"]["after"] == {"highest": None, "mean": None}
    assert report.figures["anonymity"]["before"]["k"] is not None
    named = DataSafetyReport(survey, released, quasi_identifiers=[*known, "z"])
    assert named.figures["anonymity"]["after"]["k"] == k_anonymity(released, [*known[1:], "z"])


def test_who_stands_alone_for_certain_is_told_even_where_columns_may_be_hidden(survey):
    released = survey[["CreditDebt"]].assign(z=survey["Age"] * 7 + 3)
    report = DataSafetyReport(survey, released, quasi_identifiers=["CreditDebt", "Age"])
    after = report.figures["anonymity"]["after"]
    alone = int((equivalence_classes(survey, "CreditDebt").sizes == 1).sum())
    assert (after["k"], after["alone"], report.figures["risks"]["after"]["highest"]) == (1, None, 1.0)
    assert report.verdict.startswith(f"k = 1: at least {alone:,} of the 1,000 released records")
    assert "How well records hide is not told" in report.verdict


def test_what_is_added_hides_nothing_if_it_is_constant_or_made_up(survey):
    constant = survey[["CreditDebt"]].assign(Source="survey", Empty=None)
    report = DataSafetyReport(survey, constant, quasi_identifiers=ASKED)
    assert report.verdict.startswith("None of the quasi-identifiers")
    step = FakerSynthesizer({"Name": "name"}, count=None, random_state=0).fit(survey[["CreditDebt"]])
    made_up = DataSafetyReport(survey, step.transform(survey[["CreditDebt"]]), pipeline=step, quasi_identifiers=ASKED)
    assert made_up.figures["columns"]["by"]["added"] == ["Name"]
    assert made_up.verdict.startswith("None of the quasi-identifiers")


def test_exact_values_beside_their_ranges_are_known_as_the_quasi_identifier_is(survey):
    ranges = IntervalBinner({"Age": [24, 34, 44, 54, 64]}).fit_transform(survey)
    report = DataSafetyReport(survey, ranges.assign(years=survey["Age"]), quasi_identifiers=ASKED)
    assert report.figures["anonymity"]["copies"] == ["years"]
    assert report.figures["anonymity"]["after"]["alone"] == report.figures["anonymity"]["before"]["alone"]
    assert report.figures["columns"]["by"]["renamed"] == ["years"]
    assert "JobCategory and years)" in report.verdict
    assert "years" in "".join(page(report).texts)


def test_a_column_keeps_the_name_by_which_it_was_given_a_role(survey):
    released = survey.rename(columns={"Age": "years"})
    report = DataSafetyReport(survey, released, quasi_identifiers=["Region", "years"])
    assert report.figures["anonymity"]["after"]["k"] == k_anonymity(released, ["Region", "years"])
    assert report.figures["columns"]["by"]["renamed"] == ["years"]
    twice = DataSafetyReport(survey, released, quasi_identifiers=["Region", "Age"], sensitive="years")
    assert twice.figures["anonymity"]["not_released"] == []


# Columns whose names are no text


@pytest.mark.parametrize("target", ["Debt", "Income", "Pets"])
def test_columns_whose_names_are_no_text_are_told_as_all_others(case, target):
    """In a release with its rows in another order, with their index, too."""
    tables = [table[list(case.released)] for table in (case.table, case.released.sample(frac=1, random_state=0))]
    place = {name: number for number, name in enumerate(case.released)}
    reports = [
        DataSafetyReport(
            *(table.set_axis([names[name] for name in table], axis=1) for table in tables),
            quasi_identifiers=[names[name] for name in KNOWN],
            sensitive=[names["Debt"]],
            target=names[target],
        )
        for names in (place, {name: name for name in place})
    ]
    told, expected = (report.figures for report in reports)
    assert told["anonymity"]["after"]["sensitive"][place["Debt"]] == expected["anonymity"]["after"]["sensitive"]["Debt"]
    assert told["risks"] == expected["risks"]
    assert told["utility"]["model"] == expected["utility"]["model"] | {"target": place[target]}
    assert "released" in told["utility"]["model"]
    for what, names in expected["columns"]["suspicious"].items():
        assert told["columns"]["suspicious"][what] in ([], [place[name] for name in names])
    assert b"<svg" in reports[0].to_bytes("html", public=True)
    assert json.loads(reports[0].to_bytes("json"))["anonymity"]["sensitive"] == [place["Debt"]]


def test_columns_of_telling_values_are_warned_of_whatever_their_names():
    table = people().set_axis(range(6), axis=1)
    report = DataSafetyReport(table, table, quasi_identifiers=[1], sensitive=[4])
    told = report.figures
    assert told["columns"]["suspicious"]["identifiers"] == [0]
    assert told["anonymity"]["if_more_is_known"]["columns"] == [2]
    assert told["columns"]["suspicious"]["exact_amounts"] == []


def test_a_column_beyond_what_trees_hold_does_not_stop_a_report(case):
    tables = [table.assign(Income=table["Income"] * 1e39) for table in (case.table, case.released)]
    report = DataSafetyReport(*tables, quasi_identifiers=KNOWN, target="Debt")
    model, small = (one.figures["utility"]["model"] for one in (report, case.report))
    assert model["released"] == pytest.approx(small["released"], abs=0.02)
    assert model["original"] == pytest.approx(small["original"], abs=0.02)
    told, expected = (one.figures["utility"]["propensity"] for one in (report, case.report))
    assert told["pmse"] == pytest.approx(expected["pmse"], abs=0.02)
    assert told["columns"] == expected["columns"]
    assert json.loads(report.to_bytes("json"))["utility"]["propensity"] == told


# Noise whose ε comes from the data


NO_BOUNDS = [
    lambda options: LaplaceNoise(sensitivity={"Income": 2.5}, **options),
    lambda options: make_pipeline(
        PIICleaner(identifiers="Name"),
        LaplaceNoise(sensitivity={"Income": 2.5, "Pets": 1}, bounds={"Pets": (0, 4)}, **options),
    ),
]


@pytest.mark.filterwarnings("ignore:LaplaceNoise gives metric privacy")
@pytest.mark.parametrize("random_state", [None, 0])
@pytest.mark.parametrize("make", NO_BOUNDS)
def test_public_holds_no_epsilon_that_comes_from_the_range_of_the_original(make, random_state):
    """Originals whose ranges differ, or are none, give the same public report of one release, but not the same ε."""
    table = people().drop(columns="Name" if make is NO_BOUNDS[0] else [])
    tables = [table.assign(Income=table["Income"] * 1000), table.assign(Income=table["Income"] * 10)]
    tables.append(table.assign(Income=7.0))
    released = make({}).fit_transform(tables[0])
    pipelines = [make({"random_state": random_state}).fit(one) for one in tables]
    reports = [
        DataSafetyReport(one, released, pipeline=pipeline, quasi_identifiers=KNOWN)
        for one, pipeline in zip(tables, pipelines, strict=True)
    ]
    for kind in ("html", "json"):
        assert len({report.to_bytes(kind, public=True) for report in reports}) == 1
    assert len({str(report.figures["privacy"]) for report in reports}) == 3
    told = json.loads(reports[0].to_bytes("json", public=True))
    assert told["privacy"]["epsilon"] is None
    assert any("comes from the data" in one for one in told["privacy"]["conditions"])
    assert "column 'Income': ε = 1 hides changes of up to 2.5" in told["privacy"]["conditions"]
    noise = told["privacy"]["steps"][-1]["guarantee"]
    assert noise["epsilon"] is None
    internal = reports[0].figures["privacy"]
    (figure,) = re.findall(r"a whole record has ε = (\S+) over the range seen", " ".join(internal["conditions"]))
    shown = "".join(page(reports[0], True).texts)
    assert figure not in shown and figure not in reports[0].to_bytes("json", public=True).decode()
    if random_state is None:
        assert figure in reports[0].to_bytes("json").decode() and internal["epsilon"] >= float(figure)
        assert "range of the values in the original, and is not told here" in told["verdict"]
        assert "ε not told" in shown and "ε = ∞" not in told["verdict"]
        assert "not_told" in told["privacy"] and "not_told" in noise
    else:
        assert "ε = ∞" in told["verdict"]
    if make is NO_BOUNDS[1]:
        assert any(one.endswith("over the range of the bounds") for one in told["privacy"]["conditions"])


UNFITTED = [
    KAnonymizer(quasi_identifiers="Age"),
    IntervalBinner({"Age": [30]}),
    QuantileBinner(columns="Age"),
    PIICleaner(identifiers="Name"),
    DistributionImputer({"Pets": "observed"}),
    FakerSynthesizer({"Name": "name"}),
    OutlierDropper(columns="Income"),
    LaplaceNoise(bounds={"Income": (0, 100)}),
    RandomizedResponse(categories={"Debt": ["yes", "no"]}, epsilon=1.0),
    ColumnTransformer([("bins", IntervalBinner({"Age": [30]}), ["Age"])]),
    TrainOnKept(OutlierDropper(columns="Income"), DummyClassifier()),
]


@pytest.mark.parametrize("step", UNFITTED, ids=lambda step: type(step).__name__)
@pytest.mark.parametrize("hold", [lambda step: step, make_pipeline, lambda step: make_pipeline("passthrough", step)])
def test_a_pipeline_that_is_not_fitted_is_refused_as_scikit_learn_does(case, step, hold):
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        DataSafetyReport(case.table, case.released, pipeline=hold(step), quasi_identifiers=KNOWN)


def test_a_step_of_ones_own_that_has_nothing_to_fit_is_no_error(case):
    class Shout(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return X.assign(Town=X["Town"].str.upper())

    pipeline = make_pipeline(Shout(), IntervalBinner({"Age": [30, 50]}))
    released = pipeline.fit_transform(case.table)
    told = DataSafetyReport(case.table, released, pipeline=pipeline, quasi_identifiers=KNOWN).figures
    assert told["columns"]["by"]["generalised"] == ["Age"]
    assert told["columns"]["by"]["changed"] == ["Town"]


def test_large_identifiers_under_another_name_are_told_apart():
    """As integers of 64 bits, with and without a sign, and as the objects of an array."""
    for numbers in (2**60 + np.arange(60), np.arange(60, dtype="uint64") + 2**63):
        table = pd.DataFrame({"Card": numbers, "Town": TOWNS * 5})
        for shift in (0, 1):
            other = pd.DataFrame({"Number": numbers + numbers.dtype.type(shift), "Town": TOWNS * 5})
            for released in (other, other.astype({"Number": object})):
                report = DataSafetyReport(table, released, quasi_identifiers=["Card", "Town"])
                assert pairs(report) == ({} if shift else {"Number": "Card"})


def test_one_record_by_itself_hides_nothing():
    table = people()[["Age", "Town"]]
    report = DataSafetyReport(table, renamed(table).head(1).reset_index(drop=True), quasi_identifiers=KNOWN)
    assert report.verdict.startswith("How well records hide is not told")
    assert report.figures["anonymity"]["after"]["k"] == 1
