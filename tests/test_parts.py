"""Tables in folders: read as the one file with the same rows, or refused in one line."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from skdp import _chunks
from skdp._chunks import table_chunks
from skdp._files import read_table
from skdp._parts import digest, parts_of
from skdp.cli import main

ROWS = 1050
RECIPE = """
quasi_identifiers = ["Age", "Town"]
[[steps]]
use = "OutlierDropper"
columns = ["Debt"]
[[steps]]
use = "LaplaceNoise"
epsilon = 0.5
bounds = { Debt = [0, 9] }
[[steps]]
use = "KAnonymizer"
k = 5
quasi_identifiers = ["Age", "Town"]
"""


def survey():
    rng = np.random.default_rng(0)
    debt = rng.normal(4, 1, ROWS).round(3)
    debt[::97] = 900
    age = pa.array([None, *rng.integers(0, 90, ROWS - 1).tolist()])
    towns = pa.array(rng.choice(["Lima", "Oslo", "Rome"], ROWS))
    return pa.table({"Age": age, "Debt": debt, "Town": towns})


def write(folder, table, sizes, name="part.{}.parquet"):
    """Write a table in parts of these sizes, the last one with what is left."""
    folder.mkdir()
    start = 0
    for number, size in enumerate([*sizes, len(table)]):
        parquet.write_table(table.slice(start, size), folder / name.format(number))
        start += size
    return folder


@pytest.fixture
def place(tmp_path):
    parquet.write_table(survey(), tmp_path / "survey.parquet")
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def release(place, table, output, *words):
    paths = [str(place / table), "--recipe", str(place / "recipe.toml"), "--output", str(place / output)]
    return main(["release", *paths, "--chunk-rows", "200", *map(str, words)])


def test_numbers_in_names_count_as_numbers_and_hidden_names_do_not_count(tmp_path):
    write(tmp_path / "people", survey(), [50] * 12)
    for name in ("_SUCCESS", "_metadata", ".part.0.parquet.crc"):
        (tmp_path / "people" / name).write_bytes(b"")
    assert [part.name for part in parts_of(tmp_path / "people")] == [f"part.{number}.parquet" for number in range(13)]
    pd.testing.assert_frame_equal(read_table(tmp_path / "people"), survey().to_pandas())


def test_the_names_of_spark_are_read(tmp_path):
    folder = write(tmp_path / "people.parquet", survey(), [500], name="part-{:05d}-7a1c-c000.snappy.parquet")
    pd.testing.assert_frame_equal(read_table(folder), survey().to_pandas())


@pytest.mark.parametrize("sizes", [[], [1], [0, 500, 0], [7] * 100])
@pytest.mark.parametrize("rows", [3, 200, 5000])
def test_chunks_of_a_folder_are_the_table_of_one_file(tmp_path, sizes, rows):
    table = survey().append_column("Kind", pa.chunked_array([survey()["Town"].combine_chunks().dictionary_encode()]))
    table = table.append_column("Flag", pa.array([True] * (ROWS - 1) + [None]))
    parquet.write_table(table, tmp_path / "one.parquet")
    folder = write(tmp_path / "parts", table, sizes)
    whole = read_table(tmp_path / "one.parquet")
    chunks = table_chunks(folder, rows)
    parts = list(chunks)
    assert chunks.total == ROWS and [len(part) for part in parts[:-1]] == [rows] * (len(parts) - 1)
    kinds = whole["Kind"].cat.categories
    for read in (read_table(folder), pd.concat(parts, ignore_index=True)):
        read["Kind"] = read["Kind"].cat.set_categories(kinds)  # in whichever order they turned up
        pd.testing.assert_frame_equal(read, whole)


def test_pandas_own_dtypes_stay(tmp_path):
    frame = pd.DataFrame({"n": pd.array([1, None, 3], dtype="Int32"), "text": ["a", None, "b"]}, index=[3, 1, 2])
    (tmp_path / "people").mkdir()
    for number in range(3):
        frame[number : number + 1].to_parquet(tmp_path / "people" / f"part.{number}.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "people"), frame)
    pd.testing.assert_frame_equal(pd.concat(table_chunks(tmp_path / "people", 2)), frame)


def test_parts_of_dask_are_read(tmp_path):
    dd = pytest.importorskip("dask.dataframe")
    frame = survey().to_pandas()
    dd.from_pandas(frame, npartitions=12).to_parquet(tmp_path / "people", write_index=False)
    pd.testing.assert_frame_equal(read_table(tmp_path / "people"), frame, check_dtype=False)


@pytest.mark.parametrize("sizes", [[], [1, 399], [90] * 10])
@pytest.mark.parametrize("jobs", [1, 3])
def test_a_release_does_not_depend_on_the_sizes_of_the_parts(place, capsys, sizes, jobs):
    write(place / "parts", survey(), sizes)
    assert release(place, "survey.parquet", "one", "--seed", 4) == 0
    told = capsys.readouterr()
    assert release(place, "parts", "other", "--seed", 4, "--jobs", jobs) == 0
    again = capsys.readouterr()
    assert again.out.splitlines()[:-1] == told.out.splitlines()[:-1] and again.err == told.err == ""
    files = [[path.read_bytes() for path in sorted((place / name).glob("part-*"))] for name in ("one", "other")]
    alike = files[0] == files[1]
    assert alike and len(files[0]) == 6


def test_no_more_than_one_part_is_open(place, monkeypatch):
    write(place / "parts", survey(), [90] * 10)
    real, now, most = _chunks.parquet_file, [], []

    class Counted:
        def __init__(self, *arguments, **options):
            self.opened = real(*arguments, **options)

        def __enter__(self):
            now.append(self)
            most.append(len(now))
            return self.opened.__enter__()

        def __exit__(self, *error):
            now.remove(self)
            return self.opened.__exit__(*error)

    monkeypatch.setattr(_chunks, "parquet_file", Counted)
    assert len(list(table_chunks(place / "parts", 200))) == 6
    assert max(most) == 1 and len(most) > 20


def test_a_folder_of_skdp_is_inspected_released_reported_and_a_request(place, capsys):
    (place / "request.csv").write_text("Country,Year,Records\nRUSSIA,2016,130\nMEXICO,2020,321\n")
    people = str(place / "people")
    assert main(["synthesize", str(place / "request.csv"), "--output", people, "--chunk-rows", "100"]) == 0
    assert main(["inspect", people]) == 0
    assert "451 records" in capsys.readouterr().out
    assert release(place, "survey.parquet", "masked") == 0
    words = ["--quasi-identifiers", "Age,Town", "--output", str(place / "report.json")]
    assert main(["report", str(place / "survey.parquet"), str(place / "masked"), *words]) == 0
    assert json.loads((place / "report.json").read_text())
    request = pa.table({"Country": ["RUSSIA", "MEXICO"], "Year": [2016, 2020], "Records": [130, 321]})
    write(place / "request", request, [1])
    for name in ("request", "request.csv"):
        output = str(place / f"of {name}.parquet")
        assert main(["synthesize", str(place / name), "--output", output, "--seed", "1"]) == 0
    made = [pd.read_parquet(place / f"of {name}.parquet") for name in ("request", "request.csv")]
    pd.testing.assert_frame_equal(*made)


def refused(capsys, place, table="parts", output="masked", *words):
    """Return the one line with which a release is refused, which reads the folder as an inspection does."""
    before = sorted(place.rglob("*"))
    assert release(place, table, output, *words) == 2
    line = capsys.readouterr().err
    assert line.startswith("skdp: ") and line.count("\n") == 1
    assert sorted(place.rglob("*")) == before
    return line


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.rename_columns(["Age", "Loan", "Town"]), "other columns than 'part.0.parquet'"),
        (lambda table: table.select(["Age", "Town", "Debt"]), "other columns than 'part.0.parquet'"),
        (lambda table: table.set_column(0, "Age", table["Age"].cast(pa.string())), "Column 'Age' holds string values"),
    ],
)
def test_a_part_that_differs_from_the_first_is_named(place, capsys, change, message):
    write(place / "parts", survey(), [500])
    path = place / "parts" / "part.1.parquet"
    parquet.write_table(change(survey()), path)
    line = refused(capsys, place)
    assert message in line and "part.1.parquet" in line and "Lima" not in line
    assert main(["inspect", str(place / "parts")]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Town=Lima/part.0.parquet", "without partitions"),
        ("notes.txt", "'notes.txt'"),
        ("_temporary/0/part.parquet", "is unfinished"),
        ("part.2.parquet", "part.2.parquet' is broken"),
    ],
)
def test_what_is_no_table_is_refused(place, capsys, name, message):
    write(place / "parts", survey(), [500])
    (place / "parts" / name).parent.mkdir(parents=True, exist_ok=True)
    (place / "parts" / name).write_text("x")
    line = refused(capsys, place)
    assert message in line and "Lima" not in line.replace(str(place), "")


def test_an_empty_folder_is_refused(place, capsys):
    (place / "parts").mkdir()
    assert "holds no files" in refused(capsys, place)


@pytest.fixture
def written(place, capsys):
    """A folder that skdp wrote."""
    release(place, "survey.parquet", "people", "--seed", 1)
    capsys.readouterr()
    (place / "recipe.toml").write_text(RECIPE.replace("k = 5", "k = 6"))
    return place / "people"


def test_a_folder_of_skdp_is_checked_by_its_manifest(written, capsys):
    place = written.parent
    path = written / "part-00001.parquet"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"?")
    assert "'part-00001.parquet'" in refused(capsys, place, "people")
    path.unlink()
    assert "'part-00001.parquet'" in refused(capsys, place, "people")
    path.write_bytes(data)
    (written / "more.parquet").write_bytes(data)
    assert "'more.parquet'" in refused(capsys, place, "people")


def test_an_unfinished_folder_is_refused(written, capsys):
    place = written.parent
    manifest = written / "_manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete": true', '"complete": false'))
    assert "is unfinished" in refused(capsys, place, "people")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"complete": True, "parts": []}))
    assert "is unfinished" in refused(capsys, place, "people")
    written.rename(place / ".people.unfinished")
    assert "is unfinished" in refused(capsys, place, "people")
    assert main(["inspect", str(place / "people")]) == 2
    assert "is unfinished" in capsys.readouterr().err


def test_what_is_not_there_is_not_called_a_file_of_the_wrong_ending(place, capsys):
    assert "No such file or directory" in refused(capsys, place, "people")
    assert "must end in .csv" in refused(capsys, place, "people.xlsx", "masked.csv")


@pytest.mark.parametrize("output", ["parts", "parts/", "parts/masked.csv", "parts/masked", "parts/_a/../masked.csv"])
def test_the_folder_that_is_read_is_not_written_to(place, capsys, output):
    write(place / "parts", survey(), [500])
    (place / "parts" / "_a").mkdir()
    assert "that is read" in refused(capsys, place, "parts", output)
    if "csv" not in output:
        assert "that is read" in refused(capsys, place, "parts", output, "--resume")


def test_a_resumed_run_notices_a_folder_that_changed(place, capsys, monkeypatch):
    from skdp._folders import PartFolder

    folder, real = write(place / "parts", survey(), [90] * 10), PartFolder.save

    def save(one):
        real(one)
        if len(one.parts) == 2 and not one.manifest["complete"]:
            raise KeyboardInterrupt

    assert release(place, "parts", "whole", "--seed", 4) == 0
    with monkeypatch.context() as patch:
        patch.setattr(PartFolder, "save", save)
        assert release(place, "parts", "masked", "--seed", 4) == 130
    capsys.readouterr()
    last = folder / "part.10.parquet"
    (folder / "part.11.parquet").write_bytes(last.read_bytes())
    assert "another table" in refused(capsys, place, "parts", "masked", "--seed", 4, "--resume")
    (folder / "part.11.parquet").unlink()
    assert release(place, "parts", "masked", "--seed", 4, "--resume") == 0
    pd.testing.assert_frame_equal(pd.read_parquet(place / "masked"), pd.read_parquet(place / "whole"))


def test_the_digest_of_a_folder_is_of_its_parts_in_their_order(tmp_path):
    one = write(tmp_path / "one", survey(), [500])
    (one / "_SUCCESS").write_bytes(b"")
    before = digest(one)
    assert before["parts"] == 2 and before == digest(write(tmp_path / "other", survey(), [500]))
    for name, other in (("part.0.parquet", "x"), ("part.1.parquet", "part.0.parquet"), ("x", "part.1.parquet")):
        (one / name).rename(one / other)
    assert digest(one) != before
