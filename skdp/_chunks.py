"""Tables in files that are read chunk by chunk, every chunk with the types of the whole table."""

import codecs
import csv
import gzip
import io
import itertools
import warnings
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from skdp import _frames
from skdp._checks import check_unique_names
from skdp._files import (
    CellKinds,
    broken,
    check_no_utf16,
    delimiter_of,
    ending,
    flat,
    no_table,
    parquet_file,
    read_cells,
)
from skdp._parts import check_alike, is_parts, parts_of

READ_BYTES = 1 << 20
ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")


class CsvChunks:
    """The chunks of a CSV file, read as `skdp._files.read_table` reads it.

    What a column holds is told by all of its cells. So the file is gone through once before its first chunk is made.

    Parameters
    ----------
    path : str or Path
        The file.
    rows : int
        Of a chunk, but the last.

    Attributes
    ----------
    total : int
        How many rows the table has.
    columns : list
        Its columns.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no table, or has a doubled column.
    """

    def __init__(self, path: str | Path, rows: int):
        self.path = path
        self.rows = rows
        self._kind = ending(path)
        self._encoding = self._fitting_encoding()
        self._start, self.columns, self._delimiter = self._head()
        kinds = CellKinds(self.columns, decimals=True)
        for chunk in self._texts():
            kinds.see(chunk)
        self.total = kinds.rows
        self._dtypes = kinds.dtypes()

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for chunk in self._texts():
            yield chunk.astype(self._dtypes).reset_index(drop=True)

    def _texts(self) -> Iterator[pd.DataFrame]:
        with self._reading(), self._text() as text:
            text.read(self._start)
            with no_table(self.path), read_cells(text, self.columns, self._delimiter, self.rows) as chunks:
                yield from _strict(chunks)

    def _head(self) -> tuple[int, list[str], str]:
        """Return how many characters stand before the line of names, the names, and what is between them."""
        with self._reading(), self._text() as text:
            start, line = 0, text.readline()
            while line == "\n":
                start, line = start + 1, text.readline()
            if line.startswith("sep="):  # Excel's own first line
                start, line = start + len(line), text.readline()
            if not line.strip() and not any(more.strip() for more in text):
                raise ValueError(f"The file {str(self.path)!r} is empty; its first line must name the columns.")
            delimiter = delimiter_of(line)
            names = [name.strip() for name in next(csv.reader(itertools.chain([line], text), delimiter=delimiter))]
        check_unique_names(names)
        return start, names, delimiter

    def _fitting_encoding(self) -> str:
        """Return the first encoding in which the whole file is text."""
        possible = {name: codecs.getincrementaldecoder(name)() for name in ENCODINGS[:-1]}
        with self._reading(), self._bytes() as file:
            check_no_utf16(file.peek(2), self.path)
            while data := file.read(READ_BYTES):
                possible = {name: decoder for name, decoder in possible.items() if _decodes(decoder, data, False)}
        return next((name for name, decoder in possible.items() if _decodes(decoder, b"", True)), ENCODINGS[-1])

    def _bytes(self) -> Any:
        return gzip.open(self.path, "rb") if self._kind == ".csv.gz" else open(self.path, "rb")

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._bytes(), encoding=self._encoding, newline=None)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise broken(self.path, self._kind) from error


class ParquetChunks:
    """The chunks of a Parquet file, or a folder of such files, with the types that pandas gives the whole table.

    pandas makes floats of integers and objects of booleans where any cell of the column is missing: whether one is, is
    taken from the files' own statistics, or by going through these columns. A chunk may begin in one file of a folder
    and end in another.

    Parameters
    ----------
    path : str or Path
        The file, or the folder.
    rows : int
        Of a chunk, but the last.

    Attributes
    ----------
    total : int
        How many rows the table has.
    columns : list
        Its columns.
    public_categories : dict of str to set
        Of each column of categories, those that no row has.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no Parquet file, has a doubled column, or one of lists or structures; if a folder is unfinished, or its
        files differ in their columns or types.
    """

    def __init__(self, path: str | Path, rows: int):
        self.rows = rows
        self._parts = parts_of(path) if is_parts(path) else [Path(path)]
        with _opened(self._parts[0]) as file:
            self._schema = file.schema_arrow
        check_unique_names(self._schema.names)
        self.total, with_gaps = 0, []
        for part in self._parts:
            with _opened(part) as file:
                check_alike(file.schema_arrow, part, self._schema, self._parts[0])
                self.total += file.metadata.num_rows
                with_gaps += self._columns_with_gaps(file)
        self._whole = self._as_pandas(self._schema.empty_table())
        self.columns = list(self._whole)
        self._floats = self._numpy_columns(with_gaps, "iu")
        self._objects = self._numpy_columns(with_gaps, "b")
        self._categories = self._distinct_categories()

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for table in self._tables():
            yield self._uniform(self._as_pandas(table))

    def _tables(self, columns: list | None = None) -> Iterator[pa.Table]:
        """Yield the table in chunks of `rows`: batches end where row groups do."""
        held, size = [], 0
        for batch in self._batches(columns):
            while size + len(batch) >= self.rows:
                yield pa.Table.from_batches([*held, batch[: self.rows - size]])
                batch, held, size = batch[self.rows - size :], [], 0
            if len(batch):
                held, size = [*held, batch], size + len(batch)
        if held:
            yield pa.Table.from_batches(held)

    def _batches(self, columns: list | None) -> Iterator[pa.RecordBatch]:
        for part in self._parts:
            with _opened(part) as file:
                for batch in file.iter_batches(min(self.rows, 65_536), columns=columns):
                    fields = [self._schema.field(name) for name in batch.schema.names]
                    alike = pa.schema(fields, self._schema.metadata)  # files may differ in what they tell of themselves
                    yield pa.RecordBatch.from_arrays(batch.columns, schema=alike)

    def _as_pandas(self, table: pa.Table) -> pd.DataFrame:
        return flat(table.unify_dictionaries().to_pandas())

    def _uniform(self, chunk: pd.DataFrame) -> pd.DataFrame:
        dtypes = dict.fromkeys(self._floats, "float64") | dict.fromkeys(self._objects, "object")
        chunk = chunk.astype(dtypes)
        for name, categories in self._categories.items():
            chunk[name] = chunk[name].cat.set_categories(categories)
        return chunk.reset_index(drop=True) if isinstance(chunk.index, pd.RangeIndex) else chunk

    def _columns_with_gaps(self, file: Any) -> list[str]:
        """Return the columns of integers and booleans in which a cell is missing."""
        names = [
            field.name for field in self._schema if pa.types.is_integer(field.type) or pa.types.is_boolean(field.type)
        ]
        positions = {file.metadata.schema.column(i).path: i for i in range(file.metadata.num_columns)}
        counts = {name: _stated_gaps(file.metadata, positions.get(name)) for name in names}
        unknown = [name for name, count in counts.items() if count is None]
        for batch in file.iter_batches(columns=unknown) if unknown else ():
            for name in unknown:
                counts[name] = (counts[name] or 0) + batch[name].null_count
        return [name for name, count in counts.items() if count]

    def _numpy_columns(self, names: list[str], kinds: str) -> list[str]:
        return [name for name in names if name in self._whole and self._whole[name].dtype.kind in kinds
                and not pd.api.types.is_extension_array_dtype(self._whole[name].dtype)]  # fmt: skip

    def _distinct_categories(self) -> dict[str, pd.Index]:
        """Return the categories of each categorical column, of all chunks, in the order in which they turn up."""
        names = [name for name in self._whole if isinstance(self._whole[name].dtype, pd.CategoricalDtype)]
        found: dict[str, pd.Index] = {}
        used: dict[str, set] = {name: set() for name in names}
        for table in self._tables(names) if names else ():
            chunk = self._as_pandas(table)[names]
            for name, own in _frames.listed_categories(_frames.read(chunk)).items():
                used[name] |= own.used
            for name, values in chunk.items():
                known = found.get(name, values.cat.categories)
                found[name] = known.append(values.cat.categories.difference(known, sort=False))
        self.public_categories = {name: set(categories) - used[name] for name, categories in found.items()}
        return found


def _opened(part: Path) -> AbstractContextManager[Any]:
    # left to itself, Arrow reads all of the file ahead
    return parquet_file(part, pre_buffer=False, buffer_size=READ_BYTES)


def table_chunks(path: str | Path, rows: int) -> CsvChunks | ParquetChunks:
    """Return the chunks of a table in a file, or in a folder of Parquet files: of so many rows each, but the last.

    They can be gone through again and again, and make up the table that `skdp._files.read_table` reads.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no table, has a doubled column, or an ending that is not of a table.
    """
    return (ParquetChunks if is_parts(path) or ending(path) == ".parquet" else CsvChunks)(path, rows)


def _strict(chunks: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield chunks; lines of too many fields, of which pandas warns, are an error."""
    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            chunk = next(chunks, None)
        if chunk is None:
            return
        yield chunk


def _decodes(decoder: Any, data: bytes, final: bool) -> bool:
    try:
        decoder.decode(data, final)
    except UnicodeDecodeError:
        return False
    return True


def _stated_gaps(metadata: Any, position: int | None) -> int | None:
    """Return how many cells of a column are missing by the statistics of its row groups, None if these do not tell."""
    if position is None:
        return None
    groups = [metadata.row_group(number).column(position).statistics for number in range(metadata.num_row_groups)]
    if any(one is None or not one.has_null_count for one in groups):
        return None
    return sum(one.null_count for one in groups)
