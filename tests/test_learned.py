"""What steps have learned in chunks is kept, read again by the run that goes on, and never learned or paid twice."""

import datetime
import decimal
import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from skdp import DistributionImputer, KAnonymizer, OutlierDropper, PrivacyLedger, QuantileBinner
from skdp._chunks import table_chunks
from skdp._chunkwise import dumped, learn
from skdp._folders import LEARNED, MANIFEST, PartFolder
from skdp.cli import main
from skdp.recipes import read

ROWS, CHUNK = 1050, 200
BINNER = '[[steps]]\nuse = "QuantileBinner"\n'
DROPPER = '[[steps]]\nuse = "OutlierDropper"\n'
IMPUTER = '[[steps]]\nuse = "DistributionImputer"\n'
ANONYMIZER = '[[steps]]\nuse = "KAnonymizer"\nk = 3\n'
NOISE = '[[steps]]\nuse = "LaplaceNoise"\nepsilon = 0.25\nbounds = { Other = [0, 9] }\n'
TREE = 'hierarchies.Town = { Lima = ["Peru", "any"], Oslo = ["Norway", "any"], Bonn = ["Germany", "any"] }\n'
GROUPED = '{ groups = [{ group = "Lima", weights = { a = 1 } }], otherwise = { b = 1, c = 2 } }'

EXACT = {
    "bins": BINNER + 'columns = ["Income", "Age"]\n',
    "bins by rank": BINNER + 'n_bins = { Income = 3, Age = 7 }\nlabels = "rank"\nencode = "ordinal"\n',
    "bins by mean": BINNER + 'columns = "Income"\nlabels = "mean"\nmin_bin_size = 300\nround_edges = 2\n',
    "bins in columns": BINNER + 'columns = "Income"\nencode = "onehot"\n',
    "iqr": DROPPER,
    "zscore": DROPPER + 'method = "zscore"\naction = "clip"\n',
    "mad": DROPPER + 'method = "mad"\naction = "mask"\ntail = "right"\n',
    "quantile": DROPPER + 'method = "quantile"\nfactor = { Debt = 0.02 }\ndrop_at = "always"\n',
    "gap": DROPPER + 'method = "gap"\ncolumns = ["Debt", "Income"]\n',
    "ranges": ANONYMIZER + 'quasi_identifiers = ["Age", "Income"]\n',
    "means": ANONYMIZER + 'quasi_identifiers = ["Age", "Income"]\nlabels = "mean"\nmax_suppression = 0.01\n',
    "sets": ANONYMIZER + 'quasi_identifiers = ["Town", "Visits", "Member"]\n',
    "hierarchy": ANONYMIZER + 'quasi_identifiers = ["Town", "Age"]\n' + TREE,
    "hierarchy in a file": ANONYMIZER + 'quasi_identifiers = ["Town"]\nhierarchies.Town = "towns.csv"\n',
    "dates": ANONYMIZER + 'quasi_identifiers = ["Day", "Size"]\n',
    "categories": ANONYMIZER + 'quasi_identifiers = ["Size", "Shirt", "Town"]\nrelaxed = true\n',
    "l-diverse": ANONYMIZER + 'quasi_identifiers = ["Age"]\nsensitive = ["Town"]\nl_diversity = 2\n',
    "t-close": ANONYMIZER + 'quasi_identifiers = ["Age"]\nsensitive = ["Town", "Debt"]\nt_closeness = 0.4\n',
    "all": DROPPER + BINNER + 'columns = "Income"\n' + ANONYMIZER + 'quasi_identifiers = ["Town", "Age", "Income"]\n',
}
DRAWN = {
    "observed": IMPUTER + 'distributions = { Age = "observed", Town = "observed", Day = "observed" }\n',
    "all observed": IMPUTER + 'replace = "all"\n',
    "by groups": IMPUTER + 'by = ["Town", "Member"]\ndistributions = { Income = "observed", Size = "observed" }\n',
    "given": IMPUTER
    + f'by = "Town"\ndistributions = {{ Visits = [{{ range = [1, 9], weight = 1 }}], Kind = {GROUPED} }}\n',
}
PRICED = {  # two edges that noise made alike would be a warning: with these ε, no two are by chance
    "bins with ε": BINNER
    + "epsilon = 20\nbounds = { Income = [0, 200], Age = [0, 90] }\ncolumns = ['Income', 'Age']\n",
    "bins with ε for each": BINNER + "epsilon = { Income = 10 }\nbounds = { Income = [0, 200] }\nlabels = 'mean'\n",
    "fences with ε": DROPPER + 'method = "quantile"\nepsilon = 1\nbounds = { Debt = [0, 1000] }\ncolumns = "Debt"\n',
    "counts with ε": IMPUTER + 'epsilon = 1\ncategories = { Town = ["Lima", "Oslo"] }\nreplace = "all"\n'
    'distributions = { Town = "observed" }\n',
    "ranges with ε": IMPUTER + "epsilon = 1\nbounds = { Age = [0, 90], Income = [0, 200] }\n",
    "groups with ε": IMPUTER + 'epsilon = 1\nby = "Town"\ncategories = { Town = ["Lima", "Oslo"] }\n'
    'bounds = { Age = [0, 90] }\ndistributions = { Age = "observed" }\nn_bins = 8\n',
}
PRICES = dict(zip(PRICED, (40, 10, 1, 1, 2, 1), strict=True))  # ε of each column, added up
RECIPES = EXACT | DRAWN | PRICED
LOSING = ("iqr", "quantile", "gap", "all", "fences with ε")  # some records
ODD = ("Paid", "At", "Since", "For", "Clock", "Few", "Small", "Grade")


def people(rows=ROWS):
    rng = np.random.default_rng(0)
    income = rng.lognormal(3, 1, rows).round(2)
    income[::50] = np.nan
    debt = rng.normal(4, 1, rows).round(3)
    debt[::97] = 900
    return pd.DataFrame({
        "Age": rng.integers(0, 90, rows), "Debt": debt, "Income": income, "Other": rng.random(rows),
        "Town": pd.array(rng.choice(["Lima", "Oslo", "Bonn", None], rows), dtype="str"),
        "Visits": pd.array(rng.choice([1, 2, 3, None], rows), dtype="Int64"),
        "Member": pd.array(rng.choice([True, False, None], rows), dtype="boolean"),
        "Day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), "D"),
        "Size": pd.Categorical(rng.choice(["S", "M", "L", None], rows), ["S", "M", "L"], ordered=True),
        "Shirt": pd.Categorical(rng.choice(["red", "blue"], rows)),
        "Kind": pd.array(rng.choice(["a", "b", None], rows), dtype="str"),
    })  # fmt: skip


def odd(rows=ROWS):
    """Return columns of the kinds that a Parquet file may hold besides."""
    rng = np.random.default_rng(1)
    number = rng.integers(0, 20, rows)
    return {
        "Paid": [None if n == 3 else decimal.Decimal(int(n)) / 100 for n in number],
        "At": pd.Timestamp("2020-01-01", tz="Europe/Oslo") + pd.to_timedelta(number, "D"),
        "Since": [None if n == 3 else datetime.date(2020, 1, 1 + int(n)) for n in number],
        "For": pd.to_timedelta(number, "D"),
        "Clock": [datetime.time(int(n)) for n in number],
        "Few": number.astype("uint8"),
        "Small": number.astype("float32"),
        "Grade": pd.Categorical(pd.Timestamp("2020-01-01") + pd.to_timedelta(number % 4, "D")),
    }


@pytest.fixture
def folder(tmp_path):
    people().to_parquet(tmp_path / "people.parquet")
    (tmp_path / "towns.csv").write_text("Lima;Peru;any\nOslo;Norway;any\nBonn;Germany;any\n;none;any\n")
    return tmp_path


def release(folder, recipe, *words, output="masked"):
    (folder / "recipe.toml").write_text(recipe)
    paths = [str(folder / "people.parquet"), "--recipe", str(folder / "recipe.toml")]
    return main(["release", *paths, "--output", str(folder / output), "--chunk-rows", str(CHUNK), *map(str, words)])


def pipeline_of(folder, recipe):
    (folder / "recipe.toml").write_text(recipe)
    return read(folder / "recipe.toml").pipeline


def stops(monkeypatch, parts):
    """Have the command interrupted when something is learned and so many parts are committed."""
    real = PartFolder.save

    def save(folder):
        real(folder)
        if "learned" in folder.manifest and len(folder.parts) == parts and not folder.manifest["complete"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(PartFolder, "save", save)


def never(*given, **named):
    raise AssertionError("learned again")


@pytest.mark.parametrize("name", RECIPES)
def test_what_is_read_again_is_what_was_learned(folder, name):
    """Steps that draw are given the same seed afterwards: then they draw the same."""
    chunks, released = table_chunks(folder / "people.parquet", CHUNK), []
    first, again = pipeline_of(folder, RECIPES[name]), pipeline_of(folder, RECIPES[name])
    learn(first, chunks, 1, lambda rows: None)
    kept = dumped(first)
    assert kept is not None
    learn(again, chunks, 1, never, kept)
    for pipeline in (first, again):
        for _, step in pipeline.steps:
            if "random_state" in step.get_params(deep=False):
                step.set_params(random_state=7)
        released.append(pipeline.release(people())[0])
    pd.testing.assert_frame_equal(*released)
    for name, step in first.steps:
        assert step.privacy_guarantee_ == again.named_steps[name].privacy_guarantee_


@pytest.mark.parametrize("column", ODD)
@pytest.mark.parametrize(
    "recipe",
    [
        IMPUTER + 'distributions = {{ {0} = "observed" }}\n',
        IMPUTER + 'by = "{0}"\ndistributions = {{ Town = "observed" }}\n',
        ANONYMIZER + 'quasi_identifiers = ["{0}", "Town"]\n',
        ANONYMIZER + 'quasi_identifiers = ["Town"]\nsensitive = ["{0}"]\nl_diversity = 2\n',
    ],
    ids=["observed", "groups", "quasi-identifiers", "sensitive"],
)
def test_columns_of_every_kind_are_read_again(folder, recipe, column):
    people().assign(**odd()).to_parquet(folder / "people.parquet")
    pipeline = pipeline_of(folder, recipe.format(column))
    learn(pipeline, table_chunks(folder / "people.parquet", CHUNK), 1, lambda rows: None)
    assert dumped(pipeline) is not None


@pytest.mark.parametrize(("name", "parts"), [*((name, 3) for name in RECIPES), *((name, 0) for name in PRICED)])
def test_a_run_that_goes_on_learns_and_pays_nothing_again(folder, capsys, monkeypatch, name, parts):
    recipe, words = RECIPES[name] + NOISE, ["--ledger", folder / "budget.db"]
    with monkeypatch.context() as patch:
        stops(patch, parts)
        assert release(folder, recipe, *words) == 130
    said = f"{parts * CHUNK:,} records are kept" if parts else "what was learned is kept"
    errors = capsys.readouterr().err
    assert "go on with --resume" in errors and (name in LOSING or said in errors)
    unfinished, masked = folder / ".masked.unfinished", folder / "masked"
    before = PrivacyLedger(folder / "budget.db").entries()
    kept = {path.name: path.read_bytes() for path in unfinished.glob("part-*")}
    assert len(kept) == parts
    for kind in (QuantileBinner, OutlierDropper, DistributionImputer, KAnonymizer):
        monkeypatch.setattr(kind, "partial_fit", never)
    assert release(folder, recipe, *words, "--resume") == 0
    assert "in memory at once" not in capsys.readouterr().err
    assert kept == {one: (masked / one).read_bytes() for one in kept}
    entries = PrivacyLedger(folder / "budget.db").entries()
    assert entries["purpose"].is_unique and len(entries) == len(before) + (parts == 0)
    assert sum("laplacenoise" in purpose for purpose in entries["purpose"]) == 1
    monkeypatch.undo()
    if name in EXACT:
        assert release(folder, recipe, output="whole") == 0
        table, whole = (pd.read_parquet(folder / one).drop(columns="Other") for one in ("masked", "whole"))
        pd.testing.assert_frame_equal(table, whole)
    if name in PRICED:
        assert PrivacyLedger(folder / "budget.db").spent == PRICES[name] + 0.25


PRICE = 1.25  # of fences, and of noise
KILLED = """
import os, signal, sys
from skdp.cli import main
from skdp.ledger import PrivacyLedger
real = PrivacyLedger.charge
def charge(*given, **named):
    real(*given, **named)
    os.kill(os.getpid(), signal.SIGKILL)
PrivacyLedger.charge = charge
main(sys.argv[1:])
"""


def test_a_run_that_was_killed_while_it_learned_at_a_price_pays_again(folder):
    """The fences may have been seen by nobody; whether they were, no ledger can tell."""
    recipe, budget = PRICED["fences with ε"] + NOISE, folder / "budget.db"
    (folder / "recipe.toml").write_text(recipe)
    paths = [folder / "people.parquet", "--recipe", folder / "recipe.toml", "--output", folder / "masked"]
    words = ["release", *paths, "--chunk-rows", CHUNK, "--ledger", budget]
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, words)], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert PrivacyLedger(budget).spent == 1 and not (folder / ".masked.unfinished" / LEARNED).exists()
    assert release(folder, recipe, "--ledger", budget, "--resume") == 0
    assert PrivacyLedger(budget).entries()["epsilon"].tolist() == [1, 1, 0.25]
    runs = {purpose.split(",")[0].split()[1] for purpose in PrivacyLedger(budget).entries()["purpose"]}
    assert runs == {json.loads((folder / "masked" / MANIFEST).read_text())["run"]}


def test_a_copy_of_an_unfinished_release_pays_for_itself(folder, monkeypatch):
    """Both go on, and noise the same records."""
    recipe, budget = PRICED["fences with ε"] + NOISE, ["--ledger", folder / "budget.db"]
    with monkeypatch.context() as patch:
        stops(patch, 2)
        assert release(folder, recipe, *budget) == 130
    shutil.copytree(folder / ".masked.unfinished", folder / ".other.unfinished")
    for output in ("masked", "other"):
        assert release(folder, recipe, *budget, "--resume", output=output) == 0
    assert PrivacyLedger(folder / "budget.db").entries()["epsilon"].tolist() == [1, 0.25, 1, 0.25]
    names = [json.loads((folder / output / MANIFEST).read_text())["run"] for output in ("masked", "other")]
    assert names[0] != names[1]


@pytest.mark.parametrize("parts", [0, 3])
@pytest.mark.parametrize("first", [[], ["--ledger", "first.db"]])
def test_a_ledger_that_did_not_pay_for_what_was_learned_pays_when_the_run_goes_on(folder, monkeypatch, parts, first):
    monkeypatch.chdir(folder)
    recipe = PRICED["fences with ε"] + NOISE
    with monkeypatch.context() as patch:
        stops(patch, parts)
        assert release(folder, recipe, *first) == 130
    assert release(folder, recipe, "--ledger", "second.db", "--resume") == 0
    assert PrivacyLedger("second.db").spent == PRICE
    assert not first or PrivacyLedger("first.db").spent == (PRICE if parts else 1)


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device"), ValueError("wrong")])
def test_what_was_learned_outlasts_what_the_machine_lacks_but_no_mistake_of_the_recipe(folder, monkeypatch, error):
    with monkeypatch.context() as patch:
        patch.setattr("skdp._chunkwise.released", lambda *given: (_ for _ in ()).throw(error))
        assert release(folder, EXACT["iqr"]) == 2
    kept = (folder / ".masked.unfinished" / LEARNED).exists()
    assert kept == (not isinstance(error, ValueError))
    assert release(folder, EXACT["iqr"], *["--resume"] * kept) == 0


def test_a_run_that_was_begun_in_chunks_is_not_gone_on_with_at_once(folder, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        stops(patch, 3)
        assert release(folder, EXACT["bins"]) == 130
    with monkeypatch.context() as patch:
        patch.setattr("skdp._chunkwise.obstacle", lambda *given, **named: "something is not installed")
        assert release(folder, EXACT["bins"], "--resume") == 2
    assert "was begun in chunks" in capsys.readouterr().err
    assert len(list((folder / ".masked.unfinished").glob("part-*"))) == 3, "what is committed stays"
    assert release(folder, EXACT["bins"], "--resume") == 0
