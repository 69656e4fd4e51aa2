"""What a release did to a table, in a few lines: rows, columns, k, and what each step promises."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from skdp import _frames
from skdp._checks import nearest
from skdp._recipe_files import Recipe
from skdp._recipe_values import Place
from skdp.anonymity import KAnonymizer
from skdp.metrics import equivalence_classes

WIDTH = 110


def account(recipe: Recipe, before: pd.DataFrame, after: Any, keep: np.ndarray) -> Iterator[str]:
    """Yield the lines that say what was done.

    Parameters
    ----------
    recipe : Recipe
        Its pipeline is fitted.
    before : pandas.DataFrame of shape (n_rows, n_columns)
        The table.
    after : dataframe of shape (n_rows_out, n_columns_out)
        The released table.
    keep : ndarray of bool of shape (n_rows,)
        Which rows of `before` it holds.

    Raises
    ------
    ParameterError
        If the recipe gives a role to a column that is in neither table.
    """
    _check_roles(recipe, [*before.columns, *after.columns])
    yield f"records: {len(before):,} in, {len(after):,} out"
    for what, names in _columns(before, after, keep).items():
        if names:
            yield from _listed(f"{what} ({len(names)})", names)
    known = quasi_identifiers(recipe)
    if known:
        yield from _listed("quasi-identifiers", known)
        yield f"  k: {_smallest(before, known)} before, {_smallest(after, known)} after"
    yield "differential privacy, step by step:"
    for name, step in recipe.pipeline.steps:
        guarantee = getattr(step, "privacy_guarantee_", None)
        lines = str(guarantee).splitlines() if guarantee is not None else ["states nothing"]
        yield f"  {name}: {lines[0]}"
        yield from (f"    {line}" for line in lines[1:])


def quasi_identifiers(recipe: Recipe) -> list[str]:
    """Return the quasi-identifiers that the recipe names, or else its k-anonymizer took."""
    if recipe.quasi_identifiers:
        return list(recipe.quasi_identifiers)
    steps = [step for _, step in recipe.pipeline.steps if isinstance(step, KAnonymizer)]
    return list(steps[-1].quasi_identifiers_) if steps else []


def _check_roles(recipe: Recipe, available: list) -> None:
    for role in ("quasi_identifiers", "sensitive"):
        for name in getattr(recipe, role):
            if name not in available:
                place = Place(recipe.file).at(role)
                raise place.error(f"there is no column {name!r} in the table{nearest(name, available)}")


def _smallest(table: Any, known: list[str]) -> str:
    present = [column for column in known if column in table.columns]
    if not present or not len(table):
        return "none"
    sizes = equivalence_classes(table, present).sizes
    left_out = f" (without {', '.join(column for column in known if column not in present)})"
    return f"{sizes.min():,} in {len(sizes):,} classes" + left_out * (len(present) < len(known))


def _columns(before: pd.DataFrame, after: Any, keep: np.ndarray) -> dict[str, list[str]]:
    """Return the columns by what happened to them."""
    held, out = _frames.arrow_table(before[keep]), _frames.arrow_table(after)
    comparable = int(keep.sum()) == len(after)
    alike = [name for name in out if name in held and comparable and _is_alike(held[name], out[name])]
    return {
        "left out": [name for name in held if name not in out],
        "added": [name for name in out if name not in held],
        "changed": [name for name in out if name in held and name not in alike],
        "untouched": alike,
    }


def _is_alike(held: Any, out: Any) -> bool:
    return held.type == out.type and held.equals(out)


def _listed(title: str, names: list[str]) -> Iterator[str]:
    """Yield names behind a title, in lines of at most `WIDTH` characters."""
    line = f"{title}: "
    for number, name in enumerate(names):
        piece = name + ", " * (number < len(names) - 1)
        if len(line) + len(piece) > WIDTH and line.strip():
            yield line.rstrip()
            line = "  "
        line += piece
    yield line.rstrip()
