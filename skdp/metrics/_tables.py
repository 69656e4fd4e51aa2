"""A table before and after, read and checked."""

from collections.abc import Iterable
from typing import Any

from skdp import _frames
from skdp._checks import check_columns, invalid

Names = str | Iterable[str] | None


def chosen_columns(owner: str, columns: Names, frame: Any, name: str = "columns") -> list:
    chosen = list(frame.columns) if columns is None else check_columns(owner, name, columns, frame.columns)
    if not chosen:
        raise invalid(owner, name, chosen, "at least one column name")
    return chosen


def read_pair(owner: str, original: Any, released: Any, columns: Names, name: str = "columns") -> tuple[Any, Any, list]:
    """Return both tables, neither empty, and the columns to look at, which both have."""
    before, after = _frames.read(original), _frames.read(released)
    names = chosen_columns(owner, columns, before, name)
    check_columns(owner, "released", names, after.columns)
    check_filled(owner, before, "original")
    check_filled(owner, after, "released")
    return before, after, names


def check_filled(owner: str, frame: Any, name: str = "X") -> None:
    if not len(frame):
        raise ValueError(f"The {name!r} table of {owner} has no rows; it needs at least one.")


def check_aligned(owner: str, before: Any, after: Any, cure: str = "") -> None:
    if len(before) != len(after):
        rows = f"{len(before)} rows of 'original' and {len(after)} of 'released'"
        raise ValueError(f"{owner} compares tables row by row, and got {rows}{cure}.")
