"""What a release did to a table, in a few lines: rows, columns, k, and what each step promises."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _arrays, _frames
from skdp._checks import nearest
from skdp._inspection import may_be_known
from skdp._recipe_files import Recipe
from skdp._recipe_values import Place
from skdp.anonymity import KAnonymizer

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
    whole = Account(recipe)
    whole.add(whole.look(before, after, keep))
    yield from whole.lines()


@dataclass(frozen=True)
class Look:
    """What is to be told of a chunk.

    Attributes
    ----------
    before, after : list of str
        The columns of the chunk, and of what was released of it.
    rows : tuple of int
        How many rows each had.
    changed : set of str
        The columns in both whose values are not the same.
    classes : tuple of pyarrow.Table or None
        The equivalence classes of each, with a column of their sizes; None where there are no quasi-identifiers.
    """

    before: list[str]
    after: list[str]
    rows: tuple[int, int]
    changed: set[str]
    classes: tuple[pa.Table | None, pa.Table | None]


class Account:
    """What a release did to a table, told of its chunks one by one.

    Parameters
    ----------
    recipe : Recipe
        Its pipeline is fitted.
    """

    def __init__(self, recipe: Recipe):
        self.recipe = recipe
        self._known = quasi_identifiers(recipe)
        self._first: Look | None = None
        self._rows = np.zeros(2, dtype=np.int64)
        self._changed: set[str] = set()
        self._classes: list = [[], []]

    def look(self, before: pd.DataFrame, after: Any, keep: np.ndarray) -> Look:
        """Return what is to be told of a chunk; any thread may call this."""
        held, out = _frames.arrow_table(_frames.read(before[keep])), _frames.arrow_table(after)
        comparable = int(keep.sum()) == len(after)
        changed = {name for name in out if name in held and not (comparable and _is_alike(held[name], out[name]))}
        classes = self._class_sizes(before), self._class_sizes(after)
        return Look(list(before.columns), list(out), (len(before), len(after)), changed, classes)

    def look_again(self, before: pd.DataFrame, after: pd.DataFrame, changed: list[str]) -> Look:
        """Return what is to be told of a chunk that was released by an earlier run."""
        classes = self._class_sizes(before), self._class_sizes(after)
        return Look(list(before.columns), list(after.columns), (len(before), len(after)), set(changed), classes)

    def add(self, look: Look) -> None:
        """Take a chunk into account.

        Raises
        ------
        ParameterError
            If the recipe gives a role to a column that is in neither table.
        """
        if self._first is None:
            _check_roles(self.recipe, [*look.before, *look.after])
            self._first = look
        self._rows += look.rows
        self._changed |= look.changed
        for found, sizes in zip(self._classes, look.classes, strict=True):
            if sizes is not None:
                found.append(sizes)
                if sum(map(len, found)) > 2 * max(len(found[0]), 100_000):
                    found[:] = [_merged(found)]

    def lines(self) -> Iterator[str]:
        """Yield the lines that say what was done."""
        yield f"records: {self._rows[0]:,} in, {self._rows[1]:,} out"
        for what, names in self._columns().items():
            if names:
                yield from _listed(f"{what} ({len(names)})", names)
        if self._known:
            yield from _listed("quasi-identifiers", self._known)
            before, after = (self._smallest(*both) for both in zip(self._classes, self._names(), strict=True))
            yield f"  k: {before} before, {after} after"
        if more := self._known_besides():
            yield from _listed("not counted, though others may know them", more)
        yield "differential privacy, step by step:"
        for name, step in self.recipe.pipeline.steps:
            guarantee = getattr(step, "privacy_guarantee_", None)
            lines = str(guarantee).splitlines() if guarantee is not None else ["states nothing"]
            yield f"  {name}: {lines[0]}"
            yield from (f"    {line}" for line in lines[1:])

    def _names(self) -> tuple[list[str], list[str]]:
        return (self._first.before, self._first.after) if self._first else ([], [])

    def _columns(self) -> dict[str, list[str]]:
        """Return the columns by what happened to them."""
        before, after = self._names()
        return {
            "left out": [name for name in before if name not in after],
            "added": [name for name in after if name not in before],
            "changed": [name for name in after if name in self._changed],
            "untouched": [name for name in after if name in before and name not in self._changed],
        }

    def _known_besides(self) -> list[str]:
        """Return the released columns that are real, without a role, and of a name as if others could know them."""
        settled = {*self._known, *self.recipe.sensitive}
        for _, step in self.recipe.pipeline.steps:
            guarantee = getattr(step, "privacy_guarantee_", None)
            if guarantee is not None and guarantee.scope != "central":  # noise
                settled |= set(guarantee.columns)
            settled |= set(getattr(step, "schema_", ()))  # fictitious
        return [name for name in self._names()[1] if name not in settled and may_be_known(str(name))]

    def _class_sizes(self, table: Any) -> pa.Table | None:
        present = [column for column in self._known if column in table.columns]
        if not present or not len(table):
            return None
        frame = _frames.read(table)
        columns = [_without_nan(_arrays.decoded(_frames.arrow_column(frame, column))) for column in present]
        ones = pa.array(np.ones(len(table), np.int64))
        return _counted(pa.table([*columns, ones], [*map(str, range(len(present))), "n"]))

    def _smallest(self, found: list, names: list[str]) -> str:
        if not found:
            return "none"
        sizes = _merged(found)["n"].to_numpy()
        left_out = [column for column in self._known if column not in names]
        return f"{sizes.min():,} in {len(sizes):,} classes" + f" (without {', '.join(left_out)})" * bool(left_out)


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


def _merged(found: list[pa.Table]) -> pa.Table:
    """Return the classes of several chunks as one table."""
    return _counted(pa.concat_tables(found, promote_options="permissive")) if len(found) > 1 else found[0]


def _counted(classes: pa.Table) -> pa.Table:
    known = [name for name in classes.column_names if name != "n"]
    return classes.group_by(known).aggregate([("n", "sum")]).rename_columns([*known, "n"])


def _without_nan(values: pa.Array) -> pa.Array:
    """Return a column whose missing cells are all null: they are a class of their own."""
    return pc.if_else(pc.is_nan(values), None, values) if pa.types.is_floating(values.type) else values


def _is_alike(held: pa.Array, out: pa.Array) -> bool:
    """Whether two columns show the same cells to whoever reads them in a file, where no type is seen."""
    if held.type == out.type:
        return held.equals(out)
    return _as_read(held).equals(_as_read(out))


def _as_read(values: pa.Array) -> pa.Array:
    values = _arrays.decoded(values)
    if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type) and values.type.tz is None:
        return values.cast(pa.timestamp("us"), safe=False)
    if pa.types.is_floating(values.type):
        values = _without_nan(values.cast(pa.float64()))
        try:
            values = values.cast(pa.int64())  # whole numbers are written without a point
        except pa.ArrowInvalid:
            pass
    return values.cast(pa.large_string())


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
