"""Releases chunk by chunk: the table and the ledger of a release at once."""

import hashlib
import json
import os
import pickle
import stat

import numpy as np
import pandas as pd
import pytest

from skdp import (
    KAnonymizer,
    LaplaceNoise,
    OutlierDropper,
    PIICleaner,
    PrivacyLedger,
    QuantileBinner,
    _number_summaries,
)
from skdp._chunks import table_chunks
from skdp._chunkwise import obstacle
from skdp._files import read_table
from skdp._folders import LEARNED, MANIFEST
from skdp.cli import main
from skdp.metrics import equivalence_classes, k_anonymity
from skdp.recipes import load, read

ROWS, CHUNK = 1050, 200
BINS = '[[steps]]\nuse = "IntervalBinner"\nedges = { Age = [30, 60] }\n'
CLEAN = '[[steps]]\nuse = "PIICleaner"\nnames = ["Name"]\nidentifiers = ["Code"]\naddresses = ["Home"]\n'
OUTLIERS = '[[steps]]\nuse = "OutlierDropper"\ncolumns = ["Debt"]\n'
QUANTILES = '[[steps]]\nuse = "QuantileBinner"\ncolumns = ["Income"]\n'
NOISE = '[[steps]]\nuse = "LaplaceNoise"\nepsilon = 0.5\nbounds = { Debt = [0, 9] }\n'
SCALED = '[[steps]]\nuse = "RobustScaler"\ncolumns = ["Debt"]\n'
ANONYMOUS = '[[steps]]\nuse = "KAnonymizer"\nk = 2\nquasi_identifiers = ["Age"]\n'


@pytest.fixture(autouse=True)
def learning_in_chunks(monkeypatch):
    """Let two steps learn chunk by chunk: by keeping the chunks, where they have no way of their own."""
    seen = {}

    def partial_fit(step, X, y=None):
        seen[id(step)] = pd.concat([seen.get(id(step), X[:0]), X])
        return step.fit(seen[id(step)])

    for kind in (OutlierDropper, QuantileBinner):
        if not hasattr(kind, "partial_fit"):
            monkeypatch.setattr(kind, "partial_fit", partial_fit, raising=False)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    debt = rng.normal(4, 1, ROWS).round(3)
    debt[::97] = 900
    pd.DataFrame({
        "Name": ["Mr. Tom Lee", "Dra. Ana Ruiz"] * (ROWS // 2), "Code": [f"{n:04}" for n in range(ROWS)],
        "Home": ["1 Oak St, Ames, IA 50010", "PO Box 7\nAmes, IA 50010"] * (ROWS // 2),
        "Age": rng.integers(0, 90, ROWS), "Debt": debt, "Income": rng.lognormal(3, 1, ROWS).round(2),
        "Visits": [1] * (ROWS - 1) + [None],
    }).to_csv(tmp_path / "people.csv", index=False)  # fmt: skip
    return tmp_path


def release(folder, recipe, *words, output="masked", chunk=CHUNK):
    (folder / "recipe.toml").write_text(recipe)
    paths = [str(folder / "people.csv"), "--recipe", str(folder / "recipe.toml"), "--output", str(folder / output)]
    return main(["release", *paths, "--chunk-rows", str(chunk), *map(str, words)])


def stops_after(monkeypatch, parts):
    from skdp._folders import PartFolder

    real = PartFolder.save

    def save(folder):
        real(folder)
        if len(folder.parts) == parts and not folder.manifest["complete"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(PartFolder, "save", save)


@pytest.mark.parametrize("recipe", [BINS, CLEAN + BINS, OUTLIERS + CLEAN + QUANTILES + BINS])
@pytest.mark.parametrize("output", ["masked.csv", "masked.parquet", "masked"])
@pytest.mark.parametrize("jobs", [1, 3])
def test_chunks_make_up_the_table_that_is_released_at_once(folder, capsys, recipe, output, jobs):
    recipe = 'quasi_identifiers = ["Age", "Visits"]\n' + recipe
    assert release(folder, recipe, "--jobs", jobs, output=output) == 0
    said = capsys.readouterr()
    assert release(folder, recipe, output=f"whole-{output}", chunk=10**6) == 0
    at_once = capsys.readouterr()
    kinds = {"dtype": str} if output.endswith("csv") else {}
    read_table = pd.read_csv if output.endswith("csv") else pd.read_parquet
    pd.testing.assert_frame_equal(read_table(folder / output, **kinds), read_table(folder / f"whole-{output}", **kinds))
    assert said.out.splitlines()[:-1] == at_once.out.splitlines()[:-1]
    assert said.err == ""


@pytest.mark.skipif(not hasattr(KAnonymizer, "partial_fit"), reason="it does not learn in chunks")
def test_k_holds_over_all_chunks(folder, capsys):
    assert release(folder, ANONYMOUS) == 0
    assert "in memory at once" not in capsys.readouterr().err
    assert release(folder, ANONYMOUS, output="whole", chunk=10**6) == 0
    masked = pd.read_parquet(folder / "masked")
    assert k_anonymity(masked, ["Age"]) >= 2
    pd.testing.assert_frame_equal(masked, pd.read_parquet(folder / "whole"))


def test_the_smallest_class_is_that_of_the_whole_table(folder, capsys):
    recipe = 'quasi_identifiers = ["Age", "Visits"]\n' + BINS
    assert release(folder, recipe) == 0
    before, after = pd.read_csv(folder / "people.csv"), pd.read_parquet(folder / "masked")
    sizes = [equivalence_classes(table, ["Age", "Visits"]).sizes for table in (before, after)]
    told = [f"{one.min():,} in {len(one):,} classes" for one in sizes]
    assert f"  k: {told[0]} before, {told[1]} after\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (SCALED + BINS, "RobustScaler learns from the whole table"),
        ('[[steps]]\nuse = "LaplaceNoise"\nsensitivity = { Debt = 1 }\n', "LaplaceNoise learns from the whole table"),
        (NOISE + OUTLIERS, "OutlierDropper learns from what LaplaceNoise drew"),
        (NOISE + ANONYMOUS.replace("Age", "Debt"), "KAnonymizer learns from what LaplaceNoise drew"),
        (NOISE + '[[steps]]\nuse = "QuantileBinner"\n', "QuantileBinner learns from what LaplaceNoise drew"),
        (NOISE + CLEAN + QUANTILES, "QuantileBinner learns from what LaplaceNoise drew"),  # or which rows are left
        (NOISE, None),
        (NOISE + BINS + QUANTILES + ANONYMOUS, None),
        (OUTLIERS + QUANTILES + NOISE + BINS, None),
    ],
)  # fmt: skip
def test_a_recipe_that_needs_the_whole_table_gets_it_and_says_so(folder, capsys, recipe, reason):
    assert release(folder, recipe, output="masked.csv") == 0
    note = capsys.readouterr().err
    assert ("so all of it is in memory at once" in note) == (reason is not None)
    assert reason is None or reason in note


def test_steps_learn_in_chunks_beside_noise_on_other_columns(folder, capsys):
    """As recipes are written: noise on debts, then classes of ages. Noise is drawn once, charged once, and goes on."""
    recipe, ledger = NOISE + QUANTILES + ANONYMOUS, folder / "budget.db"
    assert release(folder, recipe, "--ledger", ledger) == 0
    assert "in memory at once" not in capsys.readouterr().err
    released, table = pd.read_parquet(folder / "masked"), pd.read_csv(folder / "people.csv")
    whole = load(folder / "recipe.toml").fit_transform(table)
    for column in ("Income", "Age"):
        assert released[column].astype(str).tolist() == whole[column].astype(str).tolist()
    assert (released["Debt"] != table["Debt"].clip(0, 9)).mean() > 0.99
    entries = PrivacyLedger(ledger).entries()
    assert entries["epsilon"][entries["estimator"] == "LaplaceNoise"].tolist() == [0.5]


FAKED = '[[steps]]\nuse = "FakerSynthesizer"\nschema = { Name = { choice = ["Ana", "Eva"] } }\n'
ANEW = """[[steps]]
use = "DistributionImputer"
distributions.Visits = [{ value = 1, weight = 1 }, { range = [2, 5], weight = 2 }]
replace = "all"
"""
LEARNED_FROM_DRAWS = NOISE + OUTLIERS


@pytest.mark.parametrize(
    "recipe", [NOISE, OUTLIERS + NOISE, CLEAN + FAKED + ANEW + NOISE, LEARNED_FROM_DRAWS + CLEAN + ANEW]
)
@pytest.mark.parametrize("output", ["masked.parquet", "masked"])
@pytest.mark.parametrize("chunk", [90, 700])
def test_seeded_chunks_make_up_the_table_of_python(folder, capsys, recipe, output, chunk):
    assert release(folder, recipe, "--seed", 3, output=output, chunk=chunk) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert NOISE not in recipe or "ε = ∞" in said.out
    made = load(folder / "recipe.toml", random_state=3).fit_transform(read_table(folder / "people.csv", decimals=True))
    pd.testing.assert_frame_equal(pd.read_parquet(folder / output), made.reset_index(drop=True))


@pytest.mark.parametrize("recipe", [NOISE, OUTLIERS + NOISE, CLEAN + FAKED + NOISE + ANEW])
def test_a_seeded_release_that_goes_on_is_the_same_table(folder, capsys, monkeypatch, recipe):
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        assert release(folder, recipe, "--seed", 3) == 130
    assert release(folder, recipe, "--seed", 4, "--resume") == 2
    assert "begun with another --seed" in capsys.readouterr().err
    assert release(folder, recipe, "--seed", 3, "--resume") == 0
    assert release(folder, recipe, "--seed", 3, output="whole", chunk=10**6) == 0
    whole = pd.read_parquet(folder / "whole")
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "masked"), whole)
    assert "3" not in json.loads((folder / "masked" / MANIFEST).read_text())["made_with"].values()


def test_chunks_never_share_noise(folder):
    """Noise of scale 18 on a grid of millionths: two chunks of 200 alike by chance is out of the question."""
    (folder / "people.csv").write_text("Debt\n" + "4.5\n" * 1000)
    assert release(folder, NOISE, output="masked.parquet") == 0
    noised = pd.read_parquet(folder / "masked.parquet")["Debt"].to_numpy().reshape(5, 200)
    assert len(np.unique(noised)) > 990
    planted = LaplaceNoise(0.5, bounds={"Debt": (0, 9)}, random_state=1)
    chunks = [planted.fit_transform(pd.DataFrame({"Debt": [4.5] * 200})) for _ in range(5)]
    assert len(np.unique(pd.concat(chunks)["Debt"])) <= 200


def test_a_release_in_chunks_is_charged_once(folder):
    assert release(folder, CLEAN + NOISE, "--ledger", folder / "budget.db") == 0
    entries = PrivacyLedger(folder / "budget.db").entries()
    assert entries["epsilon"].tolist() == [0.5]
    assert entries["rows"].tolist() == [ROWS]
    assert release(folder, CLEAN + NOISE, "--ledger", folder / "budget.db", output="again") == 0
    assert PrivacyLedger(folder / "budget.db").spent == 1


def test_a_cap_is_kept_before_any_noise_is_drawn(folder, capsys):
    PrivacyLedger(folder / "budget.db", epsilon=0.4)
    for output in ("masked", "masked.csv"):
        assert release(folder, NOISE, "--ledger", folder / "budget.db", output=output) == 2
        assert "of which 0.4 of the cap 0.4 is left" in capsys.readouterr().err
        assert not list(folder.glob("*masked*"))


def test_an_interrupted_release_keeps_its_noise_and_its_charge(folder, capsys, monkeypatch):
    words = ["--ledger", folder / "budget.db"]
    recipe = 'quasi_identifiers = ["Age"]\n' + CLEAN + NOISE
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        assert release(folder, recipe, *words) == 130
    assert "records are kept; go on with --resume" in capsys.readouterr().err
    unfinished = folder / ".masked.unfinished"
    kept = {path.name: path.read_bytes() for path in unfinished.glob("part-*")}
    assert len(kept) == 3
    drawn = []
    real = LaplaceNoise._released
    monkeypatch.setattr(LaplaceNoise, "_released", lambda *given: drawn.append(len(given[1])) or real(*given))
    assert release(folder, recipe, *words, "--resume") == 0
    assert sum(drawn) <= ROWS - 3 * CHUNK, "what is committed is not noised again"
    masked = folder / "masked"
    assert kept == {name: (masked / name).read_bytes() for name in kept}
    assert PrivacyLedger(folder / "budget.db").spent == 0.5
    said = capsys.readouterr().out
    assert len(pd.read_parquet(masked)) == ROWS // 2
    assert f"records: {ROWS:,} in, {ROWS // 2:,} out" in said and "changed (2): Name, Debt" in said
    manifest = json.loads((masked / MANIFEST).read_text())
    assert "seed" not in manifest and "learned" not in manifest


def test_another_ledger_is_charged_when_a_run_goes_on(folder, monkeypatch):
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        release(folder, NOISE)
    assert release(folder, NOISE, "--resume", "--ledger", folder / "budget.db") == 0
    assert PrivacyLedger(folder / "budget.db").spent == 0.5


def test_a_charge_without_a_part_is_never_taken_back(folder, monkeypatch):
    words = ["--ledger", folder / "budget.db"]
    with monkeypatch.context() as patch:
        patch.setattr("skdp._chunkwise.released", lambda *given: (_ for _ in ()).throw(MemoryError))
        assert release(folder, NOISE, *words) == 2
    assert not (folder / ".masked.unfinished").exists()
    assert release(folder, NOISE, *words) == 0
    assert PrivacyLedger(folder / "budget.db").spent == 1


def test_nothing_is_learned_or_charged_twice(folder, monkeypatch):
    """The noisy edges of another run would be others: what was learned is kept until the table is complete."""
    recipe = QUANTILES + "epsilon = 1\nbounds = { Income = [0, 200] }\n" + OUTLIERS + NOISE
    words = ["--ledger", folder / "budget.db"]
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        assert release(folder, recipe, *words) == 130
    kept = folder / ".masked.unfinished" / LEARNED
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    entries = len(PrivacyLedger(folder / "budget.db").entries())

    def never(*given, **named):
        raise AssertionError("learned again")

    monkeypatch.setattr(QuantileBinner, "partial_fit", never)
    monkeypatch.setattr(OutlierDropper, "partial_fit", never)
    assert release(folder, recipe, *words, "--resume") == 0
    assert not list(folder.rglob(LEARNED))
    assert len(PrivacyLedger(folder / "budget.db").entries()) == entries
    binned = [set(pd.read_parquet(path)["Income"].astype(str)) for path in sorted((folder / "masked").glob("part-*"))]
    assert len(set.union(*binned)) == 5


PAYLOADS = [
    b"", b"no pickle", pickle.dumps(print), pickle.dumps(os.system), pickle.dumps({}), pickle.dumps(3),
    pickle.dumps({"OutlierDropper": {"columns": "Age"}}), pickle.dumps({"noise": {}}),
]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_what_was_learned_is_data_and_never_code(folder, capsys, monkeypatch, payload):
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        release(folder, OUTLIERS)
    unfinished = folder / ".masked.unfinished"
    (unfinished / LEARNED).write_bytes(payload)
    assert release(folder, OUTLIERS, "--resume") == 2
    assert "'_learned' of" in capsys.readouterr().err
    manifest = json.loads((unfinished / MANIFEST).read_text())
    manifest["learned"] = {"bytes": len(payload), "sha256": hashlib.sha256(payload).hexdigest()}
    (unfinished / MANIFEST).write_text(json.dumps(manifest))
    assert release(folder, OUTLIERS, "--resume") == 2
    assert "cannot be read again" in capsys.readouterr().err


def test_another_table_or_recipe_does_not_go_on(folder, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        release(folder, NOISE)
    assert release(folder, NOISE + BINS, "--resume") == 2
    assert "another recipe" in capsys.readouterr().err
    with open(folder / "people.csv", "a") as file:
        file.write("x\n")
    assert release(folder, NOISE, "--resume") == 2
    assert "another table" in capsys.readouterr().err


def test_a_column_of_numbers_too_close_for_chunks_is_learned_from_the_whole_table(folder, capsys, monkeypatch):
    monkeypatch.setattr(_number_summaries, "MOST_DISTINCT", 100)
    monkeypatch.setattr(_number_summaries, "MOST_CELLS", 50)
    monkeypatch.setattr(_number_summaries, "_sketches", lambda: None)  # as where datasketches is not installed
    rng = np.random.default_rng(1)
    table = read_table(folder / "people.csv")
    close = np.where(rng.random(ROWS) < 0.5, rng.normal(1e6, 0.1, ROWS), rng.normal(0, 1, ROWS))
    table.assign(Income=close).to_csv(folder / "people.csv", index=False)
    assert release(folder, QUANTILES) == 0
    note = "skdp: note: QuantileBinner cannot learn from this table in chunks, so all of it is in memory at once\n"
    assert capsys.readouterr().err == note


def test_a_step_that_fails_on_chunks_gets_the_whole_table(folder, capsys, monkeypatch):
    def refuses(step, X, y=None):
        raise ValueError("too many to count in chunks")

    monkeypatch.setattr(OutlierDropper, "partial_fit", refuses, raising=False)
    for output in ("masked", "masked.csv"):
        words = ["--ledger", PrivacyLedger(folder / f"{output}.db").path]
        assert release(folder, OUTLIERS + NOISE, *words, output=output) == 0
        note = "skdp: note: OutlierDropper cannot learn from this table in chunks, so all of it is in memory at once\n"
        assert capsys.readouterr().err == note
        assert PrivacyLedger(folder / f"{output}.db").entries()["purpose"].tolist() == ["fit", "transform"]


PRICED = QUANTILES + "epsilon = 0.5\nbounds = { Income = [0, 200] }\n"


def refuses(step, X, y=None):
    raise ValueError("too many to count in chunks")


@pytest.mark.parametrize("output", ["masked", "masked.csv"])
def test_what_was_learned_and_paid_for_in_chunks_is_kept_where_a_step_needs_the_whole_table(
    folder, capsys, monkeypatch, output
):
    """The cap leaves no room for a second payment; noise in front is drawn and charged once, for all of the table."""
    monkeypatch.setattr(OutlierDropper, "partial_fit", refuses)
    ledger = PrivacyLedger(folder / "budget.db", epsilon=1.5)
    recipe = NOISE + PRICED + OUTLIERS.replace("Debt", "Age") + "method = 'quantile'\nepsilon = 0.5\nbounds = [0, 90]\n"
    assert release(folder, recipe, "--ledger", ledger.path, output=output) == 0
    assert "OutlierDropper cannot learn from this table in chunks" in capsys.readouterr().err
    entries = PrivacyLedger(ledger.path).entries()
    assert entries["estimator"].tolist() == ["QuantileBinner", "LaplaceNoise", "OutlierDropper"]
    assert entries["epsilon"].tolist() == [0.5, 0.5, 0.5]
    assert entries["rows"].tolist() == [ROWS] * 3


def test_what_is_kept_is_what_is_released(folder, monkeypatch):
    """Were the noisy edges drawn anew, others would be released than those that were paid for."""
    edges = []
    real = QuantileBinner.finish

    def finish(step):
        real(step)
        edges.append(tuple(step.edges_["Income"].tolist()))
        return step

    monkeypatch.setattr(QuantileBinner, "finish", finish)
    monkeypatch.setattr(OutlierDropper, "partial_fit", refuses)
    assert release(folder, PRICED + OUTLIERS, output="masked.csv") == 0
    assert len(edges) > 1 and len(set(edges)) == 1
    table = read_table(folder / "people.csv", decimals=True)
    kept = OutlierDropper(columns="Debt").fit_release(table)[1]
    assert len(pd.read_csv(folder / "masked.csv")) == kept.sum() < ROWS


def test_a_step_that_was_charged_without_limit_before_it_failed_is_not_charged_again(folder, monkeypatch):
    def refuses(step, *given):
        raise ImportError("a package for sketches is missing")

    with monkeypatch.context() as patch:
        patch.setattr(QuantileBinner, "_learned", refuses)
        real = QuantileBinner.fit
        patch.setattr(QuantileBinner, "fit", lambda step, X, y=None: patch.undo() or real(step, X, y))
        patch.setattr(QuantileBinner, "fit_transform", lambda step, X, y=None: step.fit(X).transform(X))
        assert release(folder, QUANTILES + NOISE, "--ledger", PrivacyLedger(folder / "budget.db").path) == 0
    assert PrivacyLedger(folder / "budget.db").entries()["estimator"].tolist() == ["QuantileBinner", "LaplaceNoise"]


@pytest.mark.parametrize("output", ["masked", "masked.csv"])
def test_a_column_that_is_not_there_is_told_without_reading_the_whole_table(folder, capsys, monkeypatch, output):
    monkeypatch.setattr("skdp._files.read_table", None)
    assert release(folder, QUANTILES.replace("Income", "Incom"), output=output) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "column 'Incom'" in told and "did you mean 'Income'?" in told


def interrupts(*given):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (NOISE + OUTLIERS, "OutlierDropper learns from what LaplaceNoise drew"),
        (SCALED + NOISE, "RobustScaler learns from the whole table"),
    ],
)
def test_a_run_that_begins_again_says_so_and_why(folder, capsys, monkeypatch, recipe, reason):
    ledger = PrivacyLedger(folder / "budget.db")
    with monkeypatch.context() as patch:
        patch.setattr("skdp._folders.PartFolder.finish", interrupts)
        assert release(folder, recipe, "--ledger", ledger.path) == 130
    note = f"skdp: note: {reason}, so all of it is in memory at once"
    assert capsys.readouterr().err == f"{note}\nskdp: interrupted; the output is as it was\n"
    assert release(folder, recipe, "--ledger", ledger.path, "--resume") == 0
    assert capsys.readouterr().err == f"{note}, and a run with --resume begins again\n"
    assert (ledger.entries()["estimator"] == "LaplaceNoise").sum() == 2, "its noise was drawn twice"


def test_a_run_whose_learning_cannot_be_kept_says_that_it_begins_again(folder, capsys, monkeypatch):
    monkeypatch.setattr("skdp._chunkwise.dumped", lambda pipeline: None)
    with monkeypatch.context() as patch:
        patch.setattr("skdp._folders.PartFolder.finish", interrupts)
        assert release(folder, OUTLIERS) == 130
    assert capsys.readouterr().err == "skdp: interrupted; the output is as it was\n"
    assert release(folder, OUTLIERS, "--resume") == 0
    note = "skdp: note: what was learned cannot be kept, so a run with --resume begins again\n"
    assert capsys.readouterr().err == note


def test_a_run_that_goes_on_does_not_say_that_it_begins_again(folder, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        assert release(folder, OUTLIERS + NOISE) == 130
    capsys.readouterr()
    assert release(folder, OUTLIERS + NOISE, "--resume") == 0
    assert capsys.readouterr().err == ""


def test_a_ledger_that_nothing_is_charged_to_is_refused(folder, capsys):
    assert release(folder, BINS, "--ledger", folder / "budget.db") == 2
    assert "so nothing would be charged" in capsys.readouterr().err
    assert not (folder / "budget.db").exists()


def test_a_ledger_that_is_new_is_told_of_since_its_name_may_be_mistyped(folder, capsys):
    path = str(folder / "budgt.db")
    assert release(folder, NOISE, "--ledger", path) == 0
    note = f"skdp: note: the ledger {path!r} is new: it has no cap and counts nothing that was released before\n"
    assert capsys.readouterr().err == note
    assert release(folder, NOISE, "--ledger", path, output="again") == 0
    assert capsys.readouterr().err == ""


GENDERS = CLEAN + 'gender = "Sex"\nunknown_gender = "unknown"\n'


def state_genders(folder, letters, last):
    """Write genders of one language into the table, a letter of which is in the last chunk alone."""
    table = pd.read_csv(folder / "people.csv", dtype={"Code": str})
    table["Sex"] = np.resize(letters, ROWS)
    table.loc[ROWS - 50 :, "Sex"] = np.resize(last, 50)
    table.to_csv(folder / "people.csv", index=False)


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("recipe", [GENDERS, OUTLIERS + GENDERS + QUANTILES + NOISE])
@pytest.mark.parametrize(
    ("letters", "last", "m"),
    [
        (["M", ""], ["H", ""], "female"),  # mujer
        (["M", "H"], ["F", "mujer"], "male"),
        (["M", "dr."], ["M", ""], "male"),
    ],
)
def test_genders_are_read_in_chunks_by_the_whole_table(folder, capsys, jobs, recipe, letters, last, m):
    """What M stands for in the first chunk is told by the last one."""
    state_genders(folder, letters, last)
    assert release(folder, recipe, "--seed", 1, "--jobs", jobs) == 0
    assert capsys.readouterr().err == ""
    whole = load(folder / "recipe.toml", random_state=1).fit_transform(read_table(folder / "people.csv", decimals=True))
    released = pd.read_parquet(folder / "masked")
    pd.testing.assert_frame_equal(released, whole.reset_index(drop=True))
    assert released["Sex"].iloc[0] == m


def test_genders_are_not_read_again_by_a_run_that_goes_on(folder, capsys, monkeypatch):
    state_genders(folder, ["M", ""], ["H", ""])
    assert release(folder, GENDERS, output="whole") == 0
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        assert release(folder, GENDERS) == 130
    with monkeypatch.context() as patch:
        patch.setattr(PIICleaner, "fit", None)
        assert release(folder, GENDERS, "--resume") == 0
    assert capsys.readouterr().err.count("\n") == 1, "only that it was interrupted"
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "masked"), pd.read_parquet(folder / "whole"))


def test_genders_that_were_drawn_without_a_seed_are_read_in_the_whole_table(folder):
    drawn = '[[steps]]\nuse = "RandomizedResponse"\ncategories = { Sex = ["H", "M"] }\nepsilon = 1\n'
    (folder / "recipe.toml").write_text(drawn + GENDERS)
    pipeline = read(folder / "recipe.toml").pipeline
    chunk = next(iter(table_chunks(folder / "people.csv", 5)))
    assert obstacle(pipeline, chunk) is None
    stated = chunk.assign(Sex="M")
    assert obstacle(pipeline, stated) == "PIICleaner learns from what RandomizedResponse drew"
    assert obstacle(read(folder / "recipe.toml", 1).pipeline, stated, placed=True) is None


MADE_GENDERS = """[[steps]]
use = "FakerSynthesizer"
count = "Records"
schema = { Sex = { choice = ["M", "H"], weights = [99, 1] }, Age = { integers = [1, 90] } }
[[steps]]
use = "PIICleaner"
gender = "Sex"
"""


@pytest.mark.parametrize("output", ["made", "made.csv"])
def test_genders_that_are_made_are_read_in_chunks(folder, capsys, output):
    (folder / "request.csv").write_text("Records\n1000\n")
    (folder / "made.toml").write_text(MADE_GENDERS)
    words = ["synthesize", str(folder / "request.csv"), "--recipe", str(folder / "made.toml"), "--seed", "1"]
    assert main([*words, "--output", str(folder / output), "--chunk-rows", "90"]) == 0
    assert capsys.readouterr().err == ""
    made = read_table(folder / output) if output.endswith(".csv") else pd.read_parquet(folder / output)
    whole = load(folder / "made.toml", 1).fit_transform(pd.DataFrame({"Records": [1000]}))
    assert made["Sex"].tolist() == whole["Sex"].tolist()
    assert made["Sex"].iloc[0] == "female"


def test_release_of_a_fitted_pipeline_is_what_fit_release_gave(folder):
    (folder / "recipe.toml").write_text(OUTLIERS + CLEAN + QUANTILES)
    pipeline, table = load(folder / "recipe.toml"), pd.read_csv(folder / "people.csv", dtype={"Code": str})
    whole, keep = pipeline.fit_release(table)
    released, kept = pipeline.release(table)
    pd.testing.assert_frame_equal(released, whole)
    assert (kept == keep).all() and not keep.all()
    with pytest.raises(ValueError, match=os.path.basename(folder / "recipe.toml")):
        pipeline.release(table.drop(columns="Debt"))


def jobs_in_a_file(folder, **options):
    """Write a table of which only dropped rows are kings, in the first chunk, and nobody is a public unicorn."""
    rng = np.random.default_rng(0)
    names = [f"job {number}" for number in range(150)]
    jobs = pd.Series(rng.choice(names, ROWS))
    jobs[ROWS - CHUNK :] = "job 149"
    jobs[7] = "THE KING"
    kinds = [*names[:149], "THE KING", "job 149", "UNICORN"]
    table = pd.DataFrame({"Job": pd.Categorical(jobs, kinds, **options), "Debt": rng.normal(4, 1, ROWS)})
    table.loc[7, "Debt"] = 1e6
    table.to_parquet(folder / "jobs.parquet", row_group_size=170)
    return table


def release_jobs(folder, recipe, output, *words):
    (folder / "recipe.toml").write_text(recipe)
    paths = [str(folder / "jobs.parquet"), "--recipe", str(folder / "recipe.toml"), "--output", str(folder / output)]
    return main(["release", *paths, *words])


def files_of(output):
    return sorted(output.glob("*.parquet")) if output.is_dir() else [output]


@pytest.mark.parametrize("output", ["out.parquet", "out"])
@pytest.mark.parametrize("recipe", [OUTLIERS, OUTLIERS + NOISE])
def test_a_category_that_only_dropped_rows_had_is_in_no_byte_of_what_is_written(folder, output, recipe, capsys):
    table = jobs_in_a_file(folder)
    assert b"THE KING" in (folder / "jobs.parquet").read_bytes()
    assert release_jobs(folder, recipe, output, "--chunk-rows", str(CHUNK)) == 0
    assert "at once" not in capsys.readouterr().err
    assert release_jobs(folder, recipe, "whole.parquet") == 0
    whole, released = (pd.read_parquet(folder / name) for name in ("whole.parquet", output))
    assert released["Job"].astype(str).tolist() == whole["Job"].astype(str).tolist()
    files = [*files_of(folder / output), folder / "whole.parquet"]
    assert not any(b"THE KING" in file.read_bytes() for file in files)
    assert len(released) == len(table) - (table["Debt"] > 100).sum()
    assert set(released["Job"].cat.categories) == set(whole["Job"].cat.categories)
    assert set(whole["Job"].cat.categories) == set(table["Job"].cat.categories) - {"THE KING"}
    if output == "out":
        jobs = pd.read_parquet(files_of(folder / output)[-1])["Job"]
        assert "UNICORN" in jobs.cat.categories


@pytest.mark.parametrize("output", ["out.parquet", "out"])
def test_ordered_categories_are_a_scale_which_chunks_keep_whole_and_in_order(folder, output, capsys):
    table = jobs_in_a_file(folder, ordered=True)
    assert release_jobs(folder, OUTLIERS, output, "--chunk-rows", str(CHUNK)) == 0
    assert "at once" not in capsys.readouterr().err
    assert pd.read_parquet(folder / output)["Job"].dtype == table["Job"].dtype


def test_a_release_of_categories_that_was_stopped_goes_on(folder, monkeypatch):
    jobs_in_a_file(folder)
    seeded = ["--chunk-rows", str(CHUNK), "--seed", "1"]
    assert release_jobs(folder, OUTLIERS + NOISE, "out", *seeded) == 0
    stops_after(monkeypatch, 2)
    assert release_jobs(folder, OUTLIERS + NOISE, "again", *seeded) != 0
    monkeypatch.undo()
    assert release_jobs(folder, OUTLIERS + NOISE, "again", *seeded, "--resume") == 0
    for one, other in zip(files_of(folder / "out"), files_of(folder / "again"), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_name_that_was_cleaned_in_front_of_the_step_that_drops_it_is_in_no_byte_either(folder):
    """What becomes of the categories of the table is as little public as they are."""
    table = pd.DataFrame({"Name": pd.Categorical(["Mr. Tom Lee", "Dra. Ana Ruiz"] * 500), "Debt": [3.0, 4.0] * 500})
    table.loc[7, :] = None
    table["Name"] = table["Name"].cat.add_categories("Sir Arthur King")
    table.loc[7, :] = "Sir Arthur King", 1e6
    table.to_parquet(folder / "jobs.parquet")
    recipe = '[[steps]]\nuse = "PIICleaner"\nnames = ["Name"]\n' + OUTLIERS
    assert release_jobs(folder, recipe, "out", "--chunk-rows", "200") == 0
    assert not any(b"King" in file.read_bytes() for file in files_of(folder / "out"))
    assert set(pd.read_parquet(folder / "out")["Name"].unique()) == {"Tom Lee", "Ana Ruiz"}
