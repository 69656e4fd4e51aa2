"""Chunks of a table in a file: together they are the table that is read at once."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from skdp._chunks import table_chunks
from skdp._files import read_table

CELLS = {
    "whole": ["1", "-20", "3", "4", "5"], "gap": ["3", "", "7", "8", "9"], "late gap": ["1", "2", "3", "4", ""],
    "decimal": ["1", "2", "0.5", "-12.50", "1.5e-07"], "code": ["1", "2", "3", "4", "004"],
    "word": ["0.5", "NA", "1", "2", "3"], "empty": [""] * 5, "text": ["a b", "", '"quoted, ""so"""', "é", "z"],
}  # fmt: skip


def lines(delimiter=","):
    return (
        "\n".join([delimiter.join(CELLS), *(delimiter.join(row) for row in zip(*CELLS.values(), strict=True))]) + "\n"
    )


def same(path, rows):
    chunks = table_chunks(path, rows)
    parts = list(chunks)
    whole = read_table(path, decimals=True)
    assert chunks.total == len(whole)
    assert [len(part) for part in parts[:-1]] == [rows] * (len(parts) - 1)
    assert all(part.dtypes.equals(whole.dtypes) for part in parts)
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), whole.reset_index(drop=True))
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), whole.reset_index(drop=True))


@pytest.mark.parametrize("rows", [1, 2, 5, 100])
@pytest.mark.parametrize(
    "data",
    [
        lines().encode(),
        b"\xef\xbb\xbf" + lines().encode(),
        lines().encode("latin-1"),
        lines().encode("latin-1").replace(b"a b", b"a\x81"),
        lines().replace("\n", "\r\n").encode(),
        lines().replace("\n", "\r").encode(),
        ("\n\n" + lines()).encode(),
        ("sep=;\n" + lines(";")).encode(),
        lines("\t").encode(),
        lines().replace("late gap", ' "late gap"').encode(),
        lines().replace("a b", '"a\nb"').encode(),
        lines().rstrip("\n").encode(),
    ],
    ids=[
        "plain", "BOM", "Windows-1252", "Latin-1", "CR LF", "CR", "blank lines", "Excel", "tabs", "quoted name",
        "line break in a cell", "no last line end",
    ],
)  # fmt: skip
def test_chunks_of_csv_are_the_table(tmp_path, data, rows):
    (tmp_path / "t.csv").write_bytes(data)
    same(tmp_path / "t.csv", rows)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(data, mtime=0))
    same(tmp_path / "t.csv.gz", rows)


@pytest.mark.parametrize("statistics", [True, False])
@pytest.mark.parametrize("rows", [3, 4, 50])
def test_chunks_of_parquet_are_the_table(tmp_path, rows, statistics):
    table = pa.table({
        "whole": pa.array(range(10)), "late gap": pa.array([*range(9), None]), "float": pa.array([0.5, None] * 5),
        "flag": pa.array([True] * 9 + [None]), "text": pa.array(["a", None] * 5),
        "day": pa.array(np.arange(10).astype("datetime64[s]")), "small": pa.array([1] * 10, pa.int8()),
        "kind": pa.chunked_array([pa.array(kinds).dictionary_encode() for kinds in (["a"] * 5, [*"bbbb", None])]),
    })  # fmt: skip
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=4, write_statistics=statistics)
    same(tmp_path / "t.parquet", rows)


def test_pandas_own_dtypes_stay(tmp_path):
    frame = pd.DataFrame({
        "n": pd.array([1, None, 3], dtype="Int32"), "b": pd.array([True, None, False], dtype="boolean"),
        "c": pd.Categorical(["x", "y", None], categories=["y", "x", "unused"], ordered=True),
    })  # fmt: skip
    frame.to_parquet(tmp_path / "t.parquet")
    parts = list(table_chunks(tmp_path / "t.parquet", 2))
    assert [part.dtypes.astype(str).to_dict() for part in parts] == [
        {"n": "Int32", "b": "boolean", "c": "category"}
    ] * 2
    assert all(part["c"].dtype == parts[0]["c"].dtype for part in parts)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("t.csv", b"", "is empty"),
        ("t.csv", b"\n \n", "is empty"),
        ("t.csv", b"a,a\n1,2\n", "'a' more than once"),
        ("t.csv", b"a,b\n" + b"1,2\n" * 9 + b"1,2,3\n", "more fields than the first"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        ("t.csv", b"\xfe\xff" + "a,b\n1,2\n".encode("utf-16-be"), "is UTF-16; save it as UTF-8"),
        ("t.csv.gz", gzip.compress("a,b\n1,2\n".encode("utf-16"), mtime=0), "is UTF-16; save it as UTF-8"),
        ("t.csv.gz", gzip.compress(b"a,b\n" * 999, mtime=0)[:-9], "is broken or no csv.gz"),
        ("t.csv.gz", b"no gzip", "is broken or no csv.gz"),
        ("t.parquet", b"no Parquet", "is broken or no parquet"),
    ],
)
def test_files_that_are_no_table(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    for read in (lambda path: list(table_chunks(path, 2)), read_table):
        with pytest.raises(ValueError, match=message):
            read(tmp_path / name)


def test_a_parquet_file_that_is_cut_short_is_broken(tmp_path):
    pd.DataFrame({"n": range(1000)}).to_parquet(tmp_path / "t.parquet")
    data = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="is broken or no parquet"):
        table_chunks(tmp_path / "t.parquet", 10)


def test_nested_columns_are_refused(tmp_path):
    pd.DataFrame({"n": [[1], [2]]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match="Column 'n' holds lists"):
        list(table_chunks(tmp_path / "t.parquet", 1))
