"""Tables in files: read leniently, written whole or not at all."""

import csv
import gzip
import io
import os
import stat
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _arrays, _frames
from skdp._checks import check_unique_names

ENDINGS = (".csv", ".csv.gz", ".parquet")
INTEGER = r"0|-?[1-9]\d{0,17}"
DECIMAL = r"-?(?:0|[1-9]\d{0,14})(?:\.\d+)?(?:[eE][+-]?\d{1,2})?"  # what a float64 holds without loss of whole digits
FORMULA = r"^[=+\-@\t\r]"  # what a spreadsheet would run: OWASP, "CSV Injection"


def ending(path: str | Path) -> str:
    """Return which of `ENDINGS` a path has.

    Raises
    ------
    ValueError
        If it has none of them.
    """
    for one in ENDINGS:
        if str(path).lower().endswith(one):
            return one
    raise ValueError(f"The file {str(path)!r} must end in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")


def read_table(path: str | Path, *, decimals: bool = False) -> pd.DataFrame:
    """Read a table from CSV (any usual delimiter; UTF-8 with or without BOM, else Windows-1252 or Latin-1) or Parquet.

    Parameters
    ----------
    path : str or Path
        The file.
    decimals : bool, default=False
        Of a CSV file, only an empty cell is missing, and a column becomes numbers only if all its other cells are
        plainly written integers. With `decimals` they may be plainly written decimals, too (``0.5``, ``-12.50``,
        ``1.5e-07``), and become floats. A code with a leading zero (``004``), a comma (``1,5``) or a word in one cell
        leaves the column text.

    Returns
    -------
    table : pandas.DataFrame
        Columns of int64 (Int64 where cells are missing), float64 and text; of a Parquet file, its own.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no table, has a doubled column, or has another ending than `ENDINGS`.
    """
    kind = ending(path)
    data = Path(path).read_bytes()
    try:
        if kind == ".parquet":
            return _flat(pd.read_parquet(io.BytesIO(data)))
        text = _decoded(gzip.decompress(data) if kind == ".csv.gz" else data)
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"The file {str(path)!r} is broken or no {kind[1:]} file.") from error
    lines = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    if lines.startswith("sep="):  # Excel's own first line
        lines = lines.partition("\n")[2]
    if not lines.strip():
        raise ValueError(f"The file {str(path)!r} is empty; its first line must name the columns.")
    delimiter = max(",;\t|", key=lines.partition("\n")[0].count)
    try:
        return _parsed(lines, delimiter, decimals)
    except (csv.Error, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise ValueError(f"The file {str(path)!r} is no table: some lines have more fields than the first.") from error


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    for name in table:
        kinds = set(table[name].dropna().map(type)) if table[name].dtype == object else set()
        if any(issubclass(kind, bytes | list | dict | np.ndarray) for kind in kinds):
            raise ValueError(f"Column {name!r} holds lists, structures or bytes where single values are needed.")
    return table


def _parsed(text: str, delimiter: str, decimals: bool) -> pd.DataFrame:
    names = [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter))]
    check_unique_names(names)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # only an empty cell is missing: "NA" is Namibia
        table = pd.read_csv(
            io.StringIO(text), sep=delimiter, names=names, header=0, index_col=False, dtype=str,
            keep_default_na=False, na_values=[""], skipinitialspace=True,
        )  # fmt: skip
    if not len(table):
        return table
    # nothing but plain numbers becomes a number: the code 004 is none
    kinds = {}
    for name in names:
        known = table[name].dropna()
        if known.str.fullmatch(INTEGER).all():
            kinds[name] = "int64" if len(known) == len(table) else "Int64"
        elif decimals and known.str.fullmatch(DECIMAL).all():
            kinds[name] = "float64"
    return table.astype(kinds)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


@contextmanager
def replacing(path: str | Path) -> Iterator[io.BufferedWriter]:
    """Open a file that takes the place of `path` when the block ends well, and leaves no trace when it does not.

    It is written beside `path` under a temporary name, for the owner's eyes alone, and renamed at the end. Something
    that is no regular file, such as a device, is written to as it is.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with open(target, "wb") as file:
            yield file
        return
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class TableWriter:
    """Writes the parts of one table to an open file, as CSV or Parquet.

    Parameters
    ----------
    file : binary file
        Where to.
    kind : str
        One of `ENDINGS`.
    raw_cells : bool, default=False
        Whether text cells of a CSV file that a spreadsheet would take for a formula stay as they are; by default they
        get an apostrophe in front.
    """

    def __init__(self, file, kind: str, *, raw_cells: bool = False):
        self.kind = kind
        self.raw_cells = raw_cells
        self.file = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) if kind == ".csv.gz" else file
        self.sink = self.schema = None

    def write(self, table: Any) -> int:
        """Append a frame, as one row group of a Parquet file; return how many rows."""
        columns = _frames.arrow_table(table)
        if self.kind != ".parquet":
            columns = {name: self._cells(values) for name, values in columns.items()}
        part = pa.table(columns)
        if self.sink is None:
            self.schema = part.schema
            self.sink = self._open(part.schema)
        self.sink.write_table(part.cast(self.schema))
        return len(part)

    def close(self) -> None:
        """Finish the file's format; the file itself is left open."""
        if self.sink is not None:
            self.sink.close()
        if self.kind == ".csv.gz":
            self.file.close()

    def _open(self, schema: pa.Schema):
        if self.kind == ".parquet":
            from pyarrow import parquet

            return parquet.ParquetWriter(self.file, schema, compression="zstd")
        from pyarrow import csv as arrow_csv

        return arrow_csv.CSVWriter(self.file, schema)

    def _cells(self, values: pa.Array) -> pa.Array:
        """Return a column as CSV can hold it; days, which pandas keeps in seconds, without a time."""
        values = _arrays.decoded(values)
        if values.type == pa.timestamp("s"):
            return values.cast(pa.date32())
        if self.raw_cells or not _frames.is_text(values.type):
            return values
        formulas = pc.match_substring_regex(values, FORMULA)
        if not pc.any(formulas).as_py():
            return values
        apostrophe, nothing = pa.scalar("'", values.type), pa.scalar("", values.type)
        return pc.if_else(formulas, pc.binary_join_element_wise(apostrophe, values, nothing), values)
