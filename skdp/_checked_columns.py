"""Columns that must be whole: a number or a day in every row, or an error that shows none of them."""

from typing import Any

import numpy as np
import pandas as pd

from skdp import _arrays, _series


def whole_numbers(column: str, values: Any, low: int, high: int, *, what: str) -> np.ndarray:
    """Return a column of whole numbers between bounds as int64.

    Raises
    ------
    ValueError
        If any value is missing, no number, fractional or out of bounds. The message names the column, the kind of
        fault and the first row at fault (counted from 1), never the value.
    """
    series = _series.pandas_series(values)
    if pd.api.types.is_numeric_dtype(series.dtype) and not pd.api.types.is_bool_dtype(series.dtype):
        numbers = series.to_numpy(dtype=float, na_value=np.nan)
    else:
        cells = series.astype(object)
        parsed = pd.to_numeric(cells.mask(cells.map(type).isin([bool, np.bool_])), errors="coerce")
        numbers = parsed.to_numpy(dtype=float, na_value=np.nan)
    with np.errstate(invalid="ignore"):
        faults = {
            "missing": series.isna().to_numpy(dtype=bool),
            "not a number": np.isnan(numbers),
            "fractional": np.isfinite(numbers) & (numbers != np.floor(numbers)),
            f"below {low}": numbers < low,
            f"above {_spelled(high)}": numbers > high,
        }
    for fault, rows in faults.items():
        if rows.any():
            count, first = int(rows.sum()), int(rows.argmax()) + 1
            raise ValueError(
                f"Column {column!r} must hold a {what} in every row, a whole number from {low} to {_spelled(high)}. "
                f"It is {fault} in {count} row{'s' * (count > 1)}, first in row {first}."
            )
    return numbers.astype(np.int64)


def _spelled(number: int) -> str:
    return f"{number:,}" if number > 9999 else str(number)


def as_days(values: Any, what: str) -> np.ndarray:
    """Return dates as datetime64[D].

    Raises
    ------
    ValueError
        If any is missing or no date; `what` they are is named, their values are not.
    """
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        days = values.astype("datetime64[D]")
    else:
        series = _series.pandas_series(_arrays.as_arrow(values))
        if pd.api.types.is_numeric_dtype(series.dtype):
            raise ValueError(f"{what} holds numbers where dates are needed.")
        days = pd.to_datetime(series, errors="coerce", format="ISO8601").to_numpy().astype("datetime64[D]")
    if np.isnat(days).any():
        raise ValueError(f"{what} is missing or no date (such as 2020-12-31) in {int(np.isnat(days).sum())} records.")
    return days
