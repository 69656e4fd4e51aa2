"""Records made and released in pieces: the table of a pipeline that has them all at once."""

import json

import numpy as np
import pandas as pd
import pytest

from skdp import QuantileBinner, synthesis
from skdp._folders import LEARNED, MANIFEST
from skdp._streaming import Records, synthesized
from skdp.cli import main
from skdp.outliers import OutlierDropper
from skdp.pipeline import Pipeline
from skdp.recipes import load

ROWS, CHUNK = 451, 100
MADE = """
[[steps]]
use = "FakerSynthesizer"
count = "Records"
[steps.schema]
age = { integers = [0, 90] }
debt = { choice = [1, 2, 3, 4, 5, 1000], weights = [20, 20, 20, 20, 19, 1] }
town = { choice = ["Oslo", "Lima", "Bonn"] }
country = { copy = "Country" }
"""
UNIQUE = 'code = { fake = "numerify", unique = true, arguments = { text = "####" } }\n'
BINNED = '[[steps]]\nuse = "IntervalBinner"\nedges = { age = [18, 65] }\n'
QUANTILES = '[[steps]]\nuse = "QuantileBinner"\ncolumns = ["age"]\n'
PRIVATE = QUANTILES + "epsilon = 1\nbounds = { age = [0, 90] }\n"
OUTLIERS = '[[steps]]\nuse = "OutlierDropper"\ncolumns = ["debt"]\n'
ANONYMOUS = '[[steps]]\nuse = "KAnonymizer"\nk = 5\nquasi_identifiers = ["age", "town"]\n'
IMPUTED = (
    '[[steps]]\nuse = "DistributionImputer"\nreplace = "all"\nby = "country"\ndistributions = { age = "observed" }\n'
)
NOISED = '[[steps]]\nuse = "LaplaceNoise"\nbounds = { debt = [0, 9] }\n'
SCALED = '[[steps]]\nuse = "RobustScaler"\ncolumns = ["debt"]\n'
AGAIN = '[[steps]]\nuse = "FakerSynthesizer"\nschema.town = { fake = "city" }\n'
LEARNING = [QUANTILES, PRIVATE, OUTLIERS, ANONYMOUS, OUTLIERS + QUANTILES + ANONYMOUS]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(synthesis, "BLOCK_ROWS", 64)
    monkeypatch.setattr("skdp._streaming.BLOCK_ROWS", 64)
    monkeypatch.setattr("skdp._passage.BLOCK_ROWS", 64)
    (tmp_path / "request.csv").write_text("Country,Year,Records\nRUSSIA,2016,130\nMEXICO,2020,321\n")
    return tmp_path


def synthesize(folder, recipe, *words, output="made", chunk=CHUNK):
    (folder / "recipe.toml").write_text(recipe)
    paths = [str(folder / "request.csv"), "--recipe", str(folder / "recipe.toml"), "--output", str(folder / output)]
    return main(["synthesize", *paths, "--chunk-rows", str(chunk), *map(str, words)])


def at_once(folder, recipe, seed):
    (folder / "recipe.toml").write_text(recipe)
    return load(folder / "recipe.toml", seed).fit_transform(pd.read_csv(folder / "request.csv"))


def check_same(written, made):
    assert list(written) == list(made)
    for column in made:
        assert written[column].astype(str).tolist() == made[column].astype(str).tolist()


def stops_after(monkeypatch, parts):
    from skdp._folders import PartFolder

    real = PartFolder.save

    def save(folder):
        real(folder)
        if len(folder.parts) == parts and not folder.manifest["complete"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(PartFolder, "save", save)


@pytest.mark.parametrize("rest", ["", BINNED, *LEARNING])
@pytest.mark.parametrize(("made", "output", "jobs"), [(MADE + UNIQUE, "made", 1), (MADE, "made.parquet", 3)])
def test_steps_that_learn_get_the_table_of_python_in_chunks(folder, capsys, made, rest, output, jobs):
    assert synthesize(folder, made + rest, "--seed", 4, "--jobs", jobs, output=output) == 0
    assert capsys.readouterr().err == "", "nothing is said of memory"
    check_same(pd.read_parquet(folder / output), at_once(folder, made + rest, 4))


@pytest.mark.parametrize("rest", LEARNING[-1:])
def test_no_piece_is_larger_than_a_block(folder, monkeypatch, rest):
    seen = []
    real = Pipeline.release
    monkeypatch.setattr(Pipeline, "release", lambda steps, X: seen.append(len(X)) or real(steps, X))
    assert synthesize(folder, MADE + rest, output="made.csv") == 0
    assert 0 < max(seen) <= 64


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        (SCALED, "RobustScaler learns from the whole table"),
        (IMPUTED + QUANTILES, "QuantileBinner learns from what DistributionImputer drew"),
        (NOISED.replace("debt", "age") + IMPUTED, "DistributionImputer learns from what LaplaceNoise drew"),
        ('[[steps]]\nuse = "LaplaceNoise"\nsensitivity = { debt = 1 }\n', "LaplaceNoise learns from the whole table"),
    ],
)
def test_what_cannot_be_in_chunks_is_at_once_and_says_so(folder, capsys, rest, reason):
    assert synthesize(folder, MADE + rest, output="made.csv") == 0
    said = capsys.readouterr().err.splitlines()
    assert f"skdp: note: {reason}, so all of it is in memory at once" in said
    assert all(line.startswith("skdp: note: ") for line in said)


@pytest.mark.parametrize("rest", [SCALED, IMPUTED + QUANTILES, NOISED])
def test_a_seed_makes_the_table_of_python_whatever_the_steps(folder, rest):
    assert synthesize(folder, MADE + rest, "--seed", 4) == 0
    check_same(pd.read_parquet(folder / "made"), at_once(folder, MADE + rest, 4))


DRAWN = [NOISED, IMPUTED + QUANTILES, OUTLIERS + NOISED + AGAIN, NOISED + OUTLIERS + IMPUTED]


@pytest.mark.parametrize("made", [MADE, MADE + UNIQUE])
@pytest.mark.parametrize("rest", DRAWN)
@pytest.mark.parametrize(("output", "jobs"), [("made", 3), ("made.parquet", 1)])
def test_steps_that_draw_by_a_seed_draw_what_they_draw_in_python(folder, capsys, made, rest, output, jobs):
    assert synthesize(folder, made + rest, "--seed", 4, "--jobs", jobs, output=output) == 0
    assert capsys.readouterr().err == "", "nothing is said of memory"
    check_same(pd.read_parquet(folder / output), at_once(folder, made + rest, 4))


@pytest.mark.parametrize("rest", DRAWN)
@pytest.mark.parametrize("parts", [1, 4])
def test_a_resumed_run_goes_on_with_the_draws_of_its_seed(folder, monkeypatch, rest, parts):
    with monkeypatch.context() as patch:
        stops_after(patch, parts)
        assert synthesize(folder, MADE + rest, "--seed", 4) == 130
    assert synthesize(folder, MADE + rest, "--resume") == 0
    check_same(pd.read_parquet(folder / "made"), at_once(folder, MADE + rest, 4))


@pytest.mark.parametrize("rest", [*LEARNING[:2], SCALED, NOISED, IMPUTED])
def test_a_table_of_one_chunk_is_as_in_python_and_nothing_is_said(folder, capsys, rest):
    assert synthesize(folder, MADE + rest, "--seed", 4, chunk=10**6) == 0
    assert "in memory at once" not in capsys.readouterr().err
    check_same(pd.read_parquet(folder / "made"), at_once(folder, MADE + rest, 4))


@pytest.mark.parametrize("rest", ["", BINNED, *LEARNING, NOISED, OUTLIERS + IMPUTED])
@pytest.mark.parametrize(("seed", "parts"), [(["--seed", 4], 3), ([], 1)])
def test_a_resumed_run_makes_the_table_of_an_uninterrupted_one(folder, capsys, monkeypatch, rest, seed, parts):
    recipe, unfinished = MADE + UNIQUE + rest, folder / ".made.unfinished"
    with monkeypatch.context() as patch:
        stops_after(patch, parts)
        assert synthesize(folder, recipe, *seed) == 130
    capsys.readouterr()
    kept = {path.name: path.read_bytes() for path in unfinished.glob("part-*")}
    assert len(kept) == parts
    drawn_by = json.loads((unfinished / MANIFEST).read_text())["seed"]
    assert synthesize(folder, recipe, "--resume") == 0
    assert capsys.readouterr().err == ""
    made = folder / "made"
    assert kept == {name: (made / name).read_bytes() for name in kept}
    manifest = json.loads((made / MANIFEST).read_text())
    assert not {"seed", "seeded", "learned"} & set(manifest) and not list(folder.rglob(LEARNED))
    table = pd.read_parquet(made)
    assert table["code"].is_unique
    whole = at_once(folder, recipe, drawn_by)
    settled = ["code", "town", "country"] if rest in (NOISED, OUTLIERS + IMPUTED) and not seed else list(whole)
    if rest == PRIVATE and not seed:
        settled.remove("age")  # whose edges were drawn afresh, though not twice
        assert table["age"].nunique() <= 5
    if rest == OUTLIERS + IMPUTED and not seed:
        settled = ["code"]  # and how many are left
    check_same(table[settled], whole[settled])


@pytest.mark.parametrize("rest", [PRIVATE, OUTLIERS + QUANTILES])
def test_what_was_learned_is_not_learned_again(folder, monkeypatch, rest):
    with monkeypatch.context() as patch:
        stops_after(patch, 2)
        assert synthesize(folder, MADE + rest) == 130

    def never(*given, **named):
        raise AssertionError("learned again")

    monkeypatch.setattr(QuantileBinner, "partial_fit", never)
    monkeypatch.setattr(OutlierDropper, "partial_fit", never)
    assert synthesize(folder, MADE + rest, "--resume") == 0


def test_a_part_is_what_is_left_of_a_chunk(folder):
    assert synthesize(folder, MADE + OUTLIERS, "--seed", 4) == 0
    parts = [len(pd.read_parquet(path)) for path in sorted((folder / "made").glob("part-*"))]
    debts = at_once(folder, MADE, 4)["debt"].to_numpy()
    left = [int((debts[low : low + CHUNK] < 1000).sum()) for low in range(0, ROWS, CHUNK)]
    assert parts == left and min(left[:-1]) < CHUNK


def test_another_seed_does_not_go_on(folder, capsys, monkeypatch):
    with monkeypatch.context() as patch:
        stops_after(patch, 2)
        assert synthesize(folder, MADE + QUANTILES, "--seed", 4) == 130
    assert synthesize(folder, MADE + QUANTILES, "--seed", 5, "--resume") == 2
    assert "another --seed" in capsys.readouterr().err


@pytest.mark.parametrize("rest", ["", BINNED, OUTLIERS, QUANTILES])
@pytest.mark.parametrize("output", ["made", "made.csv"])
def test_no_records_are_a_table_or_a_line(folder, capsys, rest, output):
    (folder / "request.csv").write_text("Country,Year,Records\nRUSSIA,2016,0\n")
    status = synthesize(folder, MADE + rest, output=output)
    said = capsys.readouterr()
    try:
        made = at_once(folder, MADE + rest, 4)
    except ValueError:
        assert status == 2 and said.err.count("\n") == 1 and not (folder / output).exists()
    else:
        assert status == 0 and len(made) == 0 and said.out.startswith("0 records in ")


def test_a_recipe_that_replaces_columns_of_its_request(folder):
    """Without a count each row of the request is a record."""
    table = pd.DataFrame({"name": ["Ana"] * 300, "age": np.arange(300) % 90})
    table.to_csv(folder / "request.csv", index=False)
    recipe = '[[steps]]\nuse = "FakerSynthesizer"\nschema.name = { fake = "name" }\n' + QUANTILES
    assert synthesize(folder, recipe, "--seed", 4) == 0
    check_same(pd.read_parquet(folder / "made"), at_once(folder, recipe, 4))


@pytest.mark.parametrize("rest", [AGAIN, AGAIN + OUTLIERS + QUANTILES])
def test_a_recipe_whose_first_step_has_another_name(folder, rest):
    """Two steps of a kind are numbered: the first is fakersynthesizer-1."""
    assert synthesize(folder, MADE + rest, "--seed", 4) == 0
    check_same(pd.read_parquet(folder / "made"), at_once(folder, MADE + rest, 4))
    assert list(load(folder / "recipe.toml").named_steps)[:2] == ["fakersynthesizer-1", "fakersynthesizer-2"]
    assert synthesize(folder, MADE + AGAIN + BINNED, output="unseeded") == 0
    assert len(pd.read_parquet(folder / "unseeded")) == ROWS


def test_records_are_the_same_each_time_and_pieces_keep_to_chunks(folder):
    (folder / "recipe.toml").write_text(MADE + UNIQUE + OUTLIERS)
    pipeline = load(folder / "recipe.toml", 4)
    records = Records(pipeline[0], pd.read_csv(folder / "request.csv"), 2)
    first, second = pd.concat(records), pd.concat(records)
    pd.testing.assert_frame_equal(first, second)
    assert records.total == len(first) == ROWS and list(records.none) == list(first) and not len(records.none)
    rest = Pipeline(pipeline.steps[1:])
    rest.fit(first)
    for start in (0, 64, 100, 250):
        pieces = list(synthesized(records, rest, CHUNK, start))
        ends = start + np.cumsum([made for _, made, _ in pieces])
        assert ends[-1] == ROWS
        assert [last for _, _, last in pieces] == [end % CHUNK == 0 for end in ends.tolist()]
        kept = pd.concat([piece.to_pandas() for piece, _, _ in pieces])
        assert kept["code"].tolist() == rest.release(first[start:])[0]["code"].tolist()
