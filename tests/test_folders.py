"""Parquet folders: whole or not there, and gone on with after an interruption."""

import hashlib
import json
import stat

import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pytest

from skdp import synthesis
from skdp._folders import MANIFEST, making
from skdp.cli import main
from skdp.recipes import travel

ROWS = 100


@pytest.fixture
def request_file(tmp_path):
    path = tmp_path / "request.csv"
    path.write_text("Country,Year,Records\nRUSSIA,2016,130\nMEXICO,2020,321\n")
    return path


def run(request_file, *words, output="people"):
    words = [str(request_file), "--output", str(request_file.parent / output), *map(str, words)]
    return main(["synthesize", *words])


def stops_after(monkeypatch, parts):
    """Have the command stopped when so many parts are committed."""
    from skdp._folders import PartFolder

    real = PartFolder.save

    def save(folder):
        real(folder)
        if len(folder.parts) == parts and not folder.manifest["complete"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(PartFolder, "save", save)


def test_a_folder_is_read_by_pandas_and_datasets_as_the_table_of_python(request_file):
    assert run(request_file, "--seed", 5, "--chunk-rows", ROWS, output="people/") == 0
    folder = request_file.parent / "people"
    made = travel(random_state=5).fit_transform(pd.read_csv(request_file))
    read = pd.read_parquet(folder)
    for column in made:
        assert read[column].astype(str).tolist() == made[column].astype(str).tolist()
    assert pyarrow.dataset.dataset(folder).count_rows() == 451
    assert [len(pd.read_parquet(path)) for path in sorted(folder.glob("part-*"))] == [100, 100, 100, 100, 51]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())


@pytest.mark.parametrize("words", [["--seed", 5], []])
@pytest.mark.parametrize("block", [64, 1000])
def test_a_resumed_run_makes_the_table_of_an_uninterrupted_one(request_file, capsys, monkeypatch, words, block):
    monkeypatch.setattr(synthesis, "BLOCK_ROWS", block)
    monkeypatch.setattr("skdp._streaming.BLOCK_ROWS", block)
    folder, unfinished = request_file.parent / "people", request_file.parent / ".people.unfinished"
    with monkeypatch.context() as patch:
        stops_after(patch, 2)
        assert run(request_file, *words, "--chunk-rows", ROWS) == 130
    assert capsys.readouterr().err == "skdp: interrupted; 200 records are kept; go on with --resume\n"
    assert not folder.exists()
    kept = [path.read_bytes() for path in sorted(unfinished.glob("part-*"))]
    seed = json.loads((unfinished / MANIFEST).read_text())["seed"]
    (unfinished / ".part-00002.parquet.part").write_text("half")
    assert run(request_file, "--resume", "--chunk-rows", ROWS) == 0
    assert not unfinished.exists()
    assert [path.read_bytes() for path in sorted(folder.glob("part-*"))][:2] == kept
    run(request_file, "--seed", seed, "--chunk-rows", ROWS, output="whole")
    pd.testing.assert_frame_equal(pd.read_parquet(folder), pd.read_parquet(request_file.parent / "whole"))
    files = [[path.read_bytes() for path in sorted(one.glob("part-*"))] for one in (folder, folder.parent / "whole")]
    alike = files[0] == files[1]  # said by itself: pytest would lay the bytes side by side
    assert alike
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["complete"] and manifest["rows"] == 451 and "seed" not in manifest
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(("jobs", "rows"), [(1, 37), (2, 64), (3, 1000)])
def test_the_table_depends_neither_on_the_jobs_nor_on_the_size_of_the_parts(request_file, monkeypatch, jobs, rows):
    monkeypatch.setattr(synthesis, "BLOCK_ROWS", 64)
    monkeypatch.setattr("skdp._streaming.BLOCK_ROWS", 64)
    run(request_file, "--seed", 5, "--jobs", jobs, "--chunk-rows", rows)
    made = travel(random_state=5).fit_transform(pd.read_csv(request_file))
    read = pd.read_parquet(request_file.parent / "people")
    for column in made:
        assert read[column].astype(str).tolist() == made[column].astype(str).tolist()


def test_unique_columns_stay_unique_over_an_interruption(request_file, monkeypatch):
    monkeypatch.setattr(synthesis, "BLOCK_ROWS", 64)
    monkeypatch.setattr("skdp._streaming.BLOCK_ROWS", 64)
    recipe = request_file.with_name("recipe.toml")
    schema = 'schema.code = { fake = "numerify", arguments = { text = "###" }, unique = true }\n'
    recipe.write_text('[[steps]]\nuse = "FakerSynthesizer"\ncount = "Records"\n' + schema)
    words = ["--recipe", recipe, "--chunk-rows", ROWS]
    with monkeypatch.context() as patch:
        stops_after(patch, 3)
        assert run(request_file, *words, "--seed", 2) == 130
    assert run(request_file, *words, "--resume") == 0
    assert run(request_file, *words, "--seed", 2, output="whole.csv") == 0
    resumed = pd.read_parquet(request_file.parent / "people")["code"]
    assert resumed.is_unique
    assert resumed.tolist() == pd.read_csv(request_file.parent / "whole.csv", dtype=str)["code"].tolist()


def test_a_table_that_is_made_at_once_is_committed_at_once(request_file, monkeypatch):
    recipe = request_file.with_name("recipe.toml")
    schema = '[[steps]]\nuse = "FakerSynthesizer"\ncount = "Records"\nschema.age = { integers = [0, 90] }\n'
    recipe.write_text(schema + '[[steps]]\nuse = "RobustScaler"\ncolumns = ["age"]\n')
    with monkeypatch.context() as patch:
        stops_after(patch, 5)
        assert run(request_file, "--recipe", recipe, "--chunk-rows", ROWS) == 0, "nothing is saved before the end"
    assert len(pd.read_parquet(request_file.parent / "people")) == 451


@pytest.fixture
def unfinished(request_file, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stops_after(patch, 2)
        run(request_file, "--seed", 5, "--chunk-rows", ROWS)
    capsys.readouterr()
    return request_file.parent / ".people.unfinished"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--chunk-rows", 50], "another --chunk-rows"),
        (["--chunk-rows", ROWS, "--seed", 6], "another --seed"),
        (["--chunk-rows", ROWS, "--recipe", "{recipe}"], "another recipe"),
    ],
)
def test_what_was_begun_otherwise_is_not_gone_on_with(request_file, unfinished, capsys, words, named):
    recipe = request_file.with_name("recipe.toml")
    recipe.write_text('[[steps]]\nuse = "FakerSynthesizer"\ncount = "Records"\nschema.name = { fake = "name" }\n')
    before = {path: path.read_bytes() for path in unfinished.iterdir()}
    assert run(request_file, "--resume", *[str(word).format(recipe=recipe) for word in words]) == 2
    line = capsys.readouterr().err
    assert named in line and line.count("\n") == 1
    assert {path: path.read_bytes() for path in unfinished.iterdir()} == before


def test_another_request_is_not_gone_on_with(request_file, unfinished, capsys):
    request_file.write_text(request_file.read_text().replace("130", "131"))
    assert run(request_file, "--resume", "--chunk-rows", ROWS) == 2
    assert "another request" in capsys.readouterr().err


def test_a_part_that_was_changed_is_noticed(request_file, unfinished, capsys):
    path = unfinished / "part-00001.parquet"
    path.write_bytes(path.read_bytes()[:-1])
    assert run(request_file, "--resume", "--chunk-rows", ROWS) == 2
    line = capsys.readouterr().err
    assert "'part-00001.parquet'" in line and "is not what was written" in line and line.count("\n") == 1


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "parts": [{"file": "../x"}]}'])
def test_a_manifest_that_is_none_is_refused(request_file, unfinished, capsys, text):
    (unfinished / MANIFEST).write_text(text)
    assert run(request_file, "--resume", "--chunk-rows", ROWS) == 2
    assert "is no manifest" in capsys.readouterr().err


def test_without_resume_nothing_is_overwritten(request_file, unfinished, capsys):
    assert run(request_file) == 2
    assert "go on with --resume, or delete" in capsys.readouterr().err
    assert run(request_file, "--resume", "--chunk-rows", ROWS) == 0
    assert run(request_file, "--chunk-rows", ROWS) == 2
    assert "is not empty; take another name" in capsys.readouterr().err


def test_resume_of_a_complete_folder_says_so(request_file, capsys):
    assert run(request_file, "--resume") == 0, "there is nothing yet"
    capsys.readouterr()
    assert run(request_file, "--resume") == 0
    assert capsys.readouterr().out.endswith("people is complete already: 451 records\n")


def test_a_complete_folder_keeps_nothing_that_was_found_by_looking_at_the_source(request_file):
    """Who knows all records but one would try them: which table has the digest, and what does noise leave as it was?"""
    table, recipe = request_file.with_name("table.csv"), request_file.with_name("recipe.toml")
    table.write_text("Debt\n" + "\n".join(map(str, range(40))))
    recipe.write_text('[[steps]]\nuse = "LaplaceNoise"\nepsilon = 0.1\nbounds = { Debt = [0, 50] }\n')
    for words in (["synthesize", request_file], ["release", table, "--recipe", recipe]):
        output = request_file.with_name(f"{words[0]}d")
        assert main([*map(str, words), "--output", str(output), "--chunk-rows", "10"]) == 0
        text = (output / MANIFEST).read_text()
        manifest = json.loads(text)
        assert set(manifest) == {"format", "run", "made_with", "parts", "complete", "rows"}
        assert {name for part in manifest["parts"] for name in part} == {"file", "rows", "bytes", "sha256"}
        assert hashlib.sha256(words[1].read_bytes()).hexdigest() not in text


def test_a_run_that_was_stopped_before_it_gave_the_folder_its_name(request_file):
    folder = request_file.parent / "people"
    run(request_file, "--chunk-rows", ROWS)
    folder.rename(request_file.parent / ".people.unfinished")
    assert run(request_file, "--resume", "--chunk-rows", ROWS) == 0
    assert len(pd.read_parquet(folder)) == 451


def test_a_failure_before_the_first_part_leaves_nothing(request_file, capsys):
    request_file.write_text("Country,Year,Records\nRUSSIA,2016,x\n")
    before = sorted(request_file.parent.iterdir())
    assert run(request_file) == 2
    assert sorted(request_file.parent.iterdir()) == before


def test_an_empty_table_is_one_empty_part(request_file):
    request_file.write_text("Country,Year,Records\n")
    assert run(request_file) == 0
    assert pd.read_parquet(request_file.parent / "people").shape == (0, 22)


def test_other_things_in_the_way(request_file, capsys):
    (request_file.parent / "people").write_text("a file")
    assert run(request_file) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
    (request_file.parent / "other").mkdir()
    (request_file.parent / "other" / "x").touch()
    assert run(request_file, "--resume", output="other") == 2
    assert "is not empty" in capsys.readouterr().err
    assert run(request_file, "--resume", output="people.csv") == 2
    assert "--resume goes on with a folder" in capsys.readouterr().err


def test_two_runs_do_not_write_the_same_folder(tmp_path):
    table = pa.table({"n": [1, 2, 3]})
    with making(tmp_path / "out", {}, {}) as folder:
        with pytest.raises(OSError, match="Another run is writing"), making(tmp_path / "out", {}, {}):
            pass
        with folder.write() as part:
            part.write(table)
        folder.finish()
    assert pd.read_parquet(tmp_path / "out")["n"].tolist() == [1, 2, 3]


def test_parts_have_the_types_of_the_first_or_an_error_that_shows_no_cell(tmp_path):
    with making(tmp_path / "out", {}, {}) as folder:
        with folder.write() as part:
            part.write(pa.table({"n": [1, 2]}))
        with folder.write() as part:
            part.write(pa.table({"n": pa.array([3], pa.int8())}))
        with pytest.raises(ValueError, match="'n' holds string values in one chunk") as error, folder.write() as part:
            part.write(pa.table({"n": ["secret"]}))
        assert "secret" not in str(error.value)
        with pytest.raises(ValueError, match="columns of the table differ"), folder.write() as part:
            part.write(pa.table({"m": [1]}))
        folder.finish()
    assert pd.read_parquet(tmp_path / "out")["n"].tolist() == [1, 2, 3]
