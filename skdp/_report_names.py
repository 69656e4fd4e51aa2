"""Columns of a release that are called otherwise than in the original: by a step's prefix, or by another name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from skdp import _frames
from skdp._report_columns import as_parsed, matched_rows, spelled

BY_CHANCE = 1e-6  # the probability below which columns that merely have the same values in the same shares agree


@dataclass(frozen=True)
class Names:
    """Which released columns are which original ones under other names.

    Parameters
    ----------
    restored : dict of str to str
        By released name, the column of the original whose name it takes back.
    copies : dict of str to str
        By released name, the column of the original that it holds, where it keeps its own name: that of the original
        is taken, or somebody has given the column a role by the name that it has.
    by_values : frozenset of str
        The released names of those among both that were recognised by their values.
    """

    restored: dict = field(default_factory=dict)
    copies: dict = field(default_factory=dict)
    by_values: frozenset = frozenset()

    def pairs(self) -> list[dict]:
        """Return the columns by their names in the original and in the release."""
        found = {**self.restored, **self.copies}
        return [{"original": original, "released": released} for released, original in found.items()]


def recognised(original: Any, released: Any, keep: np.ndarray | None, known: list, named: list) -> Names:
    """Return which released columns are which original ones under other names.

    Parameters
    ----------
    original, released : narwhals.DataFrame
        The tables.
    keep : ndarray of bool of shape (n_original,) or None
        Which rows of the original are released.
    known, named : list of str
        The quasi-identifiers, to be looked for first; and all columns with a role, which keep their names.

    Notes
    -----
    Names come first: scikit-learn puts ``step__`` before a column's name. Then values are compared: by row where rows
    match, else by how often each value is there. Columns of one value, or of few values that agree no more than shares
    alone would make them, prove nothing.
    """
    added = [name for name in released.columns if name not in original.columns]
    if not added:
        return Names()
    lost = [name for name in original.columns if name not in released.columns]
    own = released.implementation.is_pandas()  # which alone can take back names that are no text
    free = [name for name in added if name not in named]
    restored = _without_prefix(free, lost, original.columns)
    lost = [name for name in lost if name not in restored.values() and (own or isinstance(name, str))]
    copies, by_values = {}, []
    searched = [name for name in added if name not in restored]
    order = sorted(original.columns, key=lambda name: name not in known)
    for name, source in _equal_columns(
        original, released, searched, order, lost, matched_rows(original, released, keep)
    ):
        by_values.append(name)
        if name in free and source in lost:
            restored[name] = source
            lost.remove(source)
        else:
            copies[name] = source
    return Names(restored, copies, frozenset(by_values))


def _without_prefix(added: list, lost: list, columns: list) -> dict:
    """Return by released name the lost column that it ends with behind ``step__``, where that is one, and one only."""
    found = {name: _behind_prefixes(name, columns) for name in added if isinstance(name, str)}
    sources = list(found.values())
    return {name: source for name, source in found.items() if source in lost and sources.count(source) == 1}


def _behind_prefixes(name: str, columns: list) -> str | None:
    """Return the first column that is left when the names of steps, which hold no ``__``, are taken off one by one."""
    while "__" in name:
        name = name.partition("__")[2]
        if name in columns:
            return name
    return None


def _equal_columns(original, released, added, order, lost, rows) -> Iterator[tuple]:
    """Yield the released columns that are an original one by their values, and that one; lost ones go first."""
    if not added:
        return
    before = {name: _Values(original, name) for name in order}
    after = {name: _Values(released, name) for name in added}
    tests: list[Callable] = [_agree_in_counts] if rows is None else [_agree_by_row(rows), _agree_in_counts]
    for agree in tests:
        for name in list(after):
            for source in sorted(order, key=lambda one: one not in lost):
                pair = before[source].beside(after[name])
                if pair is not None and agree(*pair):
                    yield name, source
                    del after[name]
                    break


class _Values:
    """A column as numbers, as text, or as both where text spells numbers."""

    def __init__(self, frame: Any, name: Any):
        self.is_number, self.numbers = _frames.kind(frame, name) == "number", None
        if self.is_number and _is_beyond_floats(frame, name):  # objects: other integers that large are text by now
            self.is_number = False
            present = zip(frame.get_column(name).to_list(), ~_frames.missing(frame, name), strict=True)
            cells = [str(cell) if there else None for cell, there in present]
        else:
            cells, parsed = spelled(frame, name).to_pylist(), as_parsed(frame, name)
            self.numbers = None if parsed is None else parsed.to_numpy(dtype=np.float64, na_value=np.nan)
        texts = pd.Series(cells, dtype=object)
        codes, values = pd.factorize(texts)
        hashes = np.append(pd.util.hash_array(np.asarray(values, dtype=object)), np.uint64(0)).astype(np.uint64)
        self.texts, self.missing = hashes[codes], codes == -1
        if self.numbers is not None:
            self.missing = self.missing | np.isnan(self.numbers)

    def beside(self, other: "_Values") -> tuple | None:
        """Return the values of both, and where these are missing; None where one is numbers and the other cannot be."""
        values = [one.numbers if self.is_number or other.is_number else one.texts for one in (self, other)]
        return None if any(one is None for one in values) else (*values, self.missing, other.missing)


def _is_beyond_floats(frame: Any, name: Any) -> bool:
    """Whether a column has integers among objects that floats cannot tell apart."""
    dtype = frame.schema[name]
    return not dtype.is_numeric() and bool((np.abs(np.nan_to_num(_frames.numbers(frame, name))) >= 2**53).any())


def _agree_by_row(rows: np.ndarray) -> Callable:
    """Return whether columns are equal row by row, cells left aside that are missing in one of them."""

    def agree(before: np.ndarray, after: np.ndarray, gone: np.ndarray, absent: np.ndarray) -> bool:
        before, gone = before[rows], gone[rows]
        there = ~gone & ~absent
        if not (before[there] == after[there]).all() or not there.any() or (after[there] == after[there][0]).all():
            return False
        if np.array_equal(gone, absent):
            return True
        shares = np.unique(after[there], return_counts=True)[1] / there.sum()
        return bool(there.sum() * np.log((shares**2).sum()) < np.log(BY_CHANCE))

    return agree


def _agree_in_counts(before: np.ndarray, after: np.ndarray, gone: np.ndarray, absent: np.ndarray) -> bool:
    """Return whether all released values are the original's, so often that this is no chance.

    A column of the same values in the same shares, drawn anew, would have each of them no more often than the original
    with the probability that a Poisson variable gives it. The product of these is compared.
    """
    from scipy.special import pdtr

    old, counts = np.unique(before[~gone], return_counts=True)
    new, found = np.unique(after[~absent], return_counts=True)
    places = np.minimum(np.searchsorted(old, new), max(len(old) - 1, 0))
    if not len(new) or not len(old) or (old[places] != new).any() or (found > counts[places]).any():
        return False
    chances = pdtr(counts, counts * (found.sum() / counts.sum()))
    return bool(np.log(np.maximum(chances, 1e-300)).sum() < np.log(BY_CHANCE))
