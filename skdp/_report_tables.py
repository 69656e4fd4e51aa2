"""The two tables of a data safety report: read alike, columns by one name, rows matched where they can be."""

from dataclasses import replace
from typing import Any

import pyarrow as pa

from skdp import _frames, _inspection
from skdp._arrays import characters_of
from skdp._report_columns import compared
from skdp._report_names import recognised


class Tables:
    """An original table and its release, and what is said about their columns.

    Parameters
    ----------
    original, released : narwhals.DataFrame
        The tables, each of at least one row.
    keep : ndarray of bool of shape (n_original,) or None
        Which rows of the original are released, in their order.
    quasi_identifiers, sensitive : list of str
        Columns, each in at least one of the tables.
    target : str or None
        What a model is to predict.
    steps : list of Step
        The fitted steps that made the release.
    """

    def __init__(self, original, released, keep, quasi_identifiers, sensitive, target, steps):
        roles = [*quasi_identifiers, *sensitive, target]
        self.names = recognised(*_measurable(original, released), keep, quasi_identifiers, roles)
        if self.names.restored:
            released = released.rename(self.names.restored)
            back = {str(name): str(source) for name, source in self.names.restored.items()}
            steps = [replace(one, columns=tuple(back.get(name, name) for name in one.columns)) for one in steps]
        self.original, self.released = _measurable(original, released)
        self.compared, self.steps = compared(self.original, self.released, keep, steps), steps
        self.quasi_identifiers, self.sensitive, self.target = quasi_identifiers, sensitive, target
        self.common = [name for name in original.columns if name in released.columns]
        self.copies = [  # of quasi-identifiers, which are known, too, unless they were given another role
            name for name, source in self.names.copies.items() if source in quasi_identifiers and name not in roles
        ]
        self.happened = self._happened()
        self.hiding = self._hiding()

    def _happened(self) -> dict:
        """Return what became of each column, those under other names told from those that kept theirs."""
        found, by_values = dict(self.compared.happened), self.names.by_values
        real = [source for name, source in self.names.restored.items() if name in by_values]
        found |= {name: "renamed" for name in real if found[name] == "untouched"}
        return found | dict.fromkeys(self.names.copies, "renamed")

    def _hiding(self) -> list:
        """Return the added columns in which a quasi-identifier that is missing from the release may be hidden.

        A column of one value hides nothing; nor does one that somebody named for what it holds, or a step drew.
        """
        if not self.missing():
            return []
        named = [*self.quasi_identifiers, *self.sensitive]
        added = [name for name, what in self.happened.items() if what == "added" and name not in named]
        drawn = self.fictitious()
        return [name for name in added if str(name) not in drawn and not self._is_constant(name)]

    def _is_constant(self, name: str) -> bool:
        column = _inspection.described(self.released, name)
        return column.distinct + bool(column.missing) == 1 < len(self.released)

    def fictitious(self) -> set:
        """Return the columns, by their texts, that a step says it made up."""
        return {name for one in self.steps if one.happened == "fictitious" for name in one.columns}

    def missing(self) -> list:
        """Return the quasi-identifiers that the release does not have, by whatever name."""
        there = [*self.released.columns, *self.names.copies.values()]
        return [name for name in self.quasi_identifiers if name not in there]

    def known(self, frame: Any) -> list:
        """Return the quasi-identifiers that a table has, by whatever name."""
        return [name for name in [*self.quasi_identifiers, *self.copies] if name in frame.columns]

    def kept(self) -> Any:
        """Return the original's rows that were released, in the order of the release; None where that is not known."""
        rows = self.compared.rows
        return None if rows is None else _frames.take_rows(self.original, rows)


def _measurable(*frames: Any) -> list:
    """Return the tables with what metrics cannot measure as texts: numbers beyond floats, durations and the like."""
    strange = {name for frame in frames for name in frame.columns if _is_beyond_metrics(frame, name)}
    return [
        _frames.assign(frame, {name: _spelled(frame, name) for name in frame.columns if name in strange})
        for frame in frames
    ]


def _is_beyond_metrics(frame: Any, name: str) -> bool:
    kind = _frames.kind(frame, name)
    try:
        if kind == "number":
            _frames.numbers(frame, name)
    except ValueError:
        return True
    return kind == "other"


def _spelled(frame: Any, name: str) -> pa.Array:
    absent = _frames.missing(frame, name)
    cells = frame.get_column(name).to_list()
    with characters_of(name):
        return pa.array(
            [None if gone else str(cell) for cell, gone in zip(cells, absent, strict=True)], pa.large_string()
        )
