"""Tables of every kind that a step may be given."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from skdp import _frames

SIZE = 12


def values(X):
    """Return a table as lists of plain values that compare alike in every library; missing is None."""
    frame = _frames.read(X)
    return {str(column): _plain(frame.get_column(column).to_list()) for column in frame.columns}


def _plain(cells):
    cells = [None if pd.isna(cell) else cell for cell in cells]
    cells = [cell.date() if isinstance(cell, datetime.datetime) else cell for cell in cells]
    return [int(cell) if isinstance(cell, float) and cell == int(cell) else cell for cell in cells]


def _columns():
    """Return one table's columns as plain lists, with gaps."""
    return {
        "age": [23, 35, None, 41, 58, 67, 31, 29, 44, 52, None, 38],
        "income": [21.5, 30.0, 44.25, None, 61.0, 80.5, 33.0, 28.75, 39.0, None, 47.5, 52.0],
        "visits": list(range(SIZE)),
        "city": ["Oslo", "Lima", None, "Lima", "Kobe", "Oslo", "Bonn", "Lima", "", "Oslo", "Kobe", "Bonn"],
        "group": ["a", "b", "a", None, "b", "a", "c", "b", "a", "c", "b", "a"],
        "member": [True, False, True, True, False, False, True, False, True, True, False, True],
        "joined": [datetime.date(2020, 1, 1 + i) if i != 5 else None for i in range(SIZE)],
    }


def pandas_str():
    columns = _columns()
    columns["joined"] = pd.to_datetime(pd.Series(columns["joined"]))
    return pd.DataFrame(columns).astype({"city": "str", "group": "category"})


def pandas_object():
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in _columns().items()})


def pandas_nullable():
    kinds = {"age": "Int64", "income": "Float64", "visits": "Int32", "city": "string", "member": "boolean"}
    return pandas_str().astype(kinds)


def pandas_arrow():
    columns = _columns()
    kinds = [pa.int64(), pa.float64(), pa.int32(), pa.string(), pa.string(), pa.bool_(), pa.date32()]
    return pd.DataFrame({
        name: pd.array(pa.array(values, kind), dtype=pd.ArrowDtype(kind))
        for (name, values), kind in zip(columns.items(), kinds, strict=True)
    })  # fmt: skip


def pandas_shuffled():
    table = pandas_str()
    table.index = np.random.default_rng(0).permutation(SIZE) + 100
    return table


def polars_plain():
    return pl.DataFrame(_columns(), schema_overrides={"group": pl.Categorical})


def polars_enum():
    return polars_plain().with_columns(pl.col("group").cast(pl.String).cast(pl.Enum(["a", "b", "c"])))


TABLES = [pandas_str, pandas_object, pandas_nullable, pandas_arrow, pandas_shuffled, polars_plain, polars_enum]


@pytest.fixture(params=TABLES, ids=lambda make: make.__name__)
def table(request):
    return request.param()
