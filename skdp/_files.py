"""Tables in files: read leniently, written whole or not at all."""

import codecs
import csv
import errno
import gzip
import io
import os
import stat
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _arrays, _frames
from skdp._checks import check_unique_names, not_single
from skdp._parts import check_alike, is_parts, parts_of

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
        The file, or a folder of Parquet files.
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
    if is_parts(path):
        return flat(_read_parts(path).unify_dictionaries().to_pandas())
    kind = ending(path)
    data = Path(path).read_bytes()
    try:
        if kind == ".parquet":
            return flat(pd.read_parquet(io.BytesIO(data)))
        data = gzip.decompress(data) if kind == ".csv.gz" else data
    except (pa.ArrowException, OSError, EOFError, zlib.error) as error:
        raise broken(path, kind) from error
    check_no_utf16(data, path)
    lines = _decoded(data).replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    if lines.startswith("sep="):  # Excel's own first line
        lines = lines.partition("\n")[2]
    if not lines.strip():
        raise ValueError(f"The file {str(path)!r} is empty; its first line must name the columns.")
    with no_table(path):
        return _parsed(lines, delimiter_of(lines.partition("\n")[0]), decimals)


def _read_parts(path: str | Path) -> pa.Table:
    parts, tables = parts_of(path), []
    for part in parts:
        with parquet_file(part) as file:
            tables.append(file.read())
        check_alike(tables[-1].schema, part, tables[0].schema, parts[0])
    schema = tables[0].schema
    check_unique_names(schema.names)
    return pa.concat_tables([pa.Table.from_arrays(table.columns, schema=schema) for table in tables])


@contextmanager
def parquet_file(path: str | Path, **options: Any) -> Iterator[Any]:
    """Open a Parquet file, and say in one wording that it is none."""
    from pyarrow import parquet

    with open(path, "rb") as handle:
        try:
            with parquet.ParquetFile(handle, **options) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            raise broken(path, ".parquet") from error


def broken(path: str | Path, kind: str) -> ValueError:
    """Return the error for a file that cannot be decoded."""
    return ValueError(f"The file {str(path)!r} is broken or no {kind[1:]} file.")


@contextmanager
def no_table(path: str | Path) -> Iterator[None]:
    """Say in one wording that lines of a CSV file cannot be read."""
    try:
        yield
    except (csv.Error, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise ValueError(f"The file {str(path)!r} is no table: some lines have more fields than the first.") from error


def delimiter_of(line: str) -> str:
    """Return what most likely stands between the names of a table's first line."""
    return max(",;\t|", key=line.count)


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table; raise where a cell holds more than one value."""
    for name in table:
        kinds = set(table[name].dropna().map(type)) if table[name].dtype == object else set()
        if any(issubclass(kind, bytes | list | dict | np.ndarray) for kind in kinds):
            raise not_single(name)
    return table


def _parsed(text: str, delimiter: str, decimals: bool) -> pd.DataFrame:
    names = [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter))]
    check_unique_names(names)
    table = read_cells(io.StringIO(text), names, delimiter)
    kinds = CellKinds(names, decimals=decimals)
    kinds.see(table)
    return table.astype(kinds.dtypes())


def read_cells(text: io.TextIOBase, names: list[str], delimiter: str, chunk_rows: int | None = None) -> Any:
    """Return the cells of a CSV file as text, its first line left out; with `chunk_rows`, what reads them in chunks."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        # only an empty cell is missing: "NA" is Namibia
        return pd.read_csv(
            text, sep=delimiter, names=names, header=0, index_col=False, dtype=str, chunksize=chunk_rows,
            keep_default_na=False, na_values=[""], skipinitialspace=True,
        )  # fmt: skip


class CellKinds:
    """What the columns of a CSV file hold, told by all of their cells: nothing but plain numbers becomes a number.

    Parameters
    ----------
    names : list of str
        The columns.
    decimals : bool
        Whether decimals are numbers, too.

    Attributes
    ----------
    rows : int
        How many rows were seen.
    """

    def __init__(self, names: list[str], *, decimals: bool):
        self.rows = 0
        self._forms = {name: [INTEGER, DECIMAL] if decimals else [INTEGER] for name in names}
        self._gaps: set[str] = set()

    def see(self, cells: pd.DataFrame) -> None:
        """Take a chunk of cells, as text, into account."""
        self.rows += len(cells)
        for name, forms in self._forms.items():
            if not forms:
                continue
            known = cells[name].dropna()
            if len(known) < len(cells):
                self._gaps.add(name)
            while forms and not known.str.fullmatch(forms[0]).all():
                del forms[0]

    def dtypes(self) -> dict[str, str]:
        """Return the dtypes of the columns of numbers; the code 004 is none."""
        integers = {name: "Int64" if name in self._gaps else "int64" for name in self._forms}
        found = {
            name: integers[name] if forms[0] == INTEGER else "float64" for name, forms in self._forms.items() if forms
        }
        return found if self.rows else {}


def check_no_utf16(data: bytes, path: str | Path) -> None:
    """Raise where the first bytes of a file are the mark with which UTF-16 begins: it is text in Latin-1, too."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"The file {str(path)!r} is UTF-16; save it as UTF-8, which spreadsheets call CSV UTF-8.")


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

    It is written beside `path` under a temporary name, for the owner's eyes alone, and renamed at the end. The name is
    always the same, so what a killed run left behind is written over by the next. Something that is no regular file,
    such as a device, is written to as it is.

    Raises
    ------
    OSError
        If it cannot be written, or another run is writing it.
    NotImplementedError
        On a system without POSIX locks.
    """
    check_can_lock()
    target = Path(os.path.realpath(path))
    if target.exists() and not stat.S_ISREG(target.stat().st_mode):
        with open_named(target, path) as file:
            yield file
        return
    temporary = target.parent / f".{target.name}.skdp.part"
    with naming(path):
        handle = locked(temporary, os.O_RDWR | os.O_CREAT, path)
    with open_named(handle, path) as file:  # closed last: that ends the lock
        try:
            os.fchmod(handle, 0o600)
            os.ftruncate(handle, 0)
            yield file
            file.flush()
            with naming(path):
                os.fsync(handle)
                os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Have an `OSError` name an output as the user does: no temporary name, and not none at all."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # what a library says of its own
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


class _NamedFile(io.FileIO):
    """A file to write whose errors name an output: what the system says of a full disk names none."""

    def __init__(self, file: int | Path, path: str | Path):
        self.path = path
        super().__init__(file, "wb")

    def write(self, data: Any) -> int:
        with naming(self.path):
            return super().write(data)


def open_named(file: int | Path, path: str | Path) -> io.BufferedWriter:
    """Open a file, or a handle to one, for writing; where that fails, `path` is what the error names."""
    with naming(path):
        return io.BufferedWriter(_NamedFile(file, path))


def check_can_lock() -> None:
    """Raise where files cannot be locked: two runs could write the same output."""
    try:
        import fcntl  # noqa: F401
    except ImportError:
        raise NotImplementedError(
            "Files are written only where they can be locked as on Linux and macOS; on Windows, use the Windows "
            "Subsystem for Linux, or the steps in Python, which write no files."
        ) from None


def locked(name: Path, flags: int, path: str | Path) -> int:
    """Return a handle to a file or folder that this process alone has, until it is closed or the process dies.

    Raises
    ------
    OSError
        If another process has it, it is someone else's, or it cannot be opened; `path` is what the user calls it.
    """
    import fcntl

    while True:
        handle = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            own, there = os.fstat(handle), os.stat(name, follow_symlinks=False)
            if own.st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "A temporary file of someone else is in the way of", str(path))
            if own.st_ino == there.st_ino:
                return handle
        except BlockingIOError:
            os.close(handle)
            raise OSError(errno.EBUSY, "Another run is writing the output", str(path)) from None
        except FileNotFoundError:
            pass  # renamed or swept by whoever had it
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        if not flags & os.O_CREAT:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


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
    schema : pyarrow.Schema, default=None
        The columns and their types; by default those of the first part.
    """

    def __init__(self, file, kind: str, *, raw_cells: bool = False, schema: pa.Schema | None = None):
        self.kind = kind
        self.raw_cells = raw_cells
        self.file = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) if kind == ".csv.gz" else file
        self.schema = schema
        self.sink = None

    def write(self, table: Any) -> int:
        """Append a frame or an Arrow table, as one row group of a Parquet file; return how many rows."""
        part = table if isinstance(table, pa.Table) else pa.table(_frames.arrow_table(table))
        if self.kind != ".parquet":
            part = pa.table({name: self._cells(_arrays.one_chunk(part[name])) for name in part.column_names})
        if self.schema is None:
            self.schema = part.schema
        if self.sink is None:
            self.sink = self._open(self.schema)
        self.sink.write_table(cast(part, self.schema))
        return len(part)

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    def abandon(self) -> None:
        """Let go of a file that is of no use: nothing is to be said of it when memory is cleared up."""
        with suppress(Exception):
            self.close()
        if hasattr(self.sink, "is_open"):
            self.sink.is_open = False

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
        if self.raw_cells or not _arrays.is_text(values.type):
            return values
        formulas = pc.match_substring_regex(values, FORMULA)
        if not pc.any(formulas).as_py():
            return values
        apostrophe, nothing = pa.scalar("'", values.type), pa.scalar("", values.type)
        return pc.if_else(formulas, pc.binary_join_element_wise(apostrophe, values, nothing), values)


def cast(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a part of a table with the columns and types of the parts before it.

    Raises
    ------
    ValueError
        If it has other columns, or a column cannot be of that type; its values are not shown.
    """
    if part.column_names != schema.names:
        raise ValueError("The columns of the table differ from chunk to chunk; a step makes columns out of its values.")
    for number, (values, field) in enumerate(zip(part.columns, schema, strict=True)):
        if values.type != field.type:
            try:
                part = part.set_column(number, field, values.cast(field.type))
            except pa.ArrowException:
                raise ValueError(
                    f"Column {field.name!r} holds {values.type} values in one chunk and {field.type} values in those "
                    "before it; convert it first."
                ) from None
    return part
