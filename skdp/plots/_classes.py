"""How many stand alone: records by the size of their equivalence class, before and after."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from skdp import _frames
from skdp._checks import check_columns, invalid
from skdp.metrics import equivalence_classes
from skdp.metrics.risk import Names
from skdp.plots import _drawing
from skdp.plots._drawing import percent, plain, shown

FIRST_SIZES = np.array([1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000])


class ClassSizeDisplay:
    """How many records stand alone or in small crowds, before and after: records by the size of their class.

    Make it with `from_tables` or `from_sizes`.

    Parameters
    ----------
    records : pandas.DataFrame of int of shape (n_bins, n_tables)
        How many records of each table (column) are in equivalence classes of each size (row).
    lowest : ndarray of int of shape (n_bins,)
        The smallest class of each row; the last row has no upper end where it is 1000.
    k : dict of str to int
        By table, the records in its smallest class; 0 for a table without records.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that `plot` has drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    skdp.metrics.equivalence_classes : The classes and their sizes.

    Examples
    --------
    >>> from skdp.plots import ClassSizeDisplay
    >>> display = ClassSizeDisplay.from_sizes({"before": [1, 1, 3], "after": [5]})
    >>> print(display.description())
    Of 5 records, 2 (40 %) stand alone before, none of 5 after; the smallest class has 1 before and 5 after.
    >>> display.table()
      records in the class  records before  records after
    0                    1               2              0
    1                    2               0              0
    2                3 - 4               3              0
    3                5 - 9               0              5
    """

    def __init__(self, *, records, lowest, k):
        self.records = records
        self.lowest = lowest
        self.k = k

    @classmethod
    def from_tables(cls, original: Any, released: Any, quasi_identifiers: Names = None):
        """Return the display of the equivalence classes of a table and its release.

        Parameters
        ----------
        original, released : dataframe or array-like of shape (n_rows, n_columns)
            The table before and after; the numbers of rows may differ.
        quasi_identifiers : str or iterable of str, default=None
            The columns of `original` that an attacker knows, all by default. One that `released` lacks is of no use to
            the attacker there.

        Returns
        -------
        display : ClassSizeDisplay
            Not drawn yet.

        Raises
        ------
        ParameterError
            If a quasi-identifier is not in `original`.
        """
        tables = {"before": original, "after": released}
        known = known_columns("ClassSizeDisplay", tables, quasi_identifiers)
        return cls.from_sizes({name: _sizes(table, known[name]) for name, table in tables.items()})

    @classmethod
    def from_sizes(cls, sizes: Mapping[str, Any]):
        """Return the display of class sizes that have been counted.

        Parameters
        ----------
        sizes : mapping of str to array-like of int of shape (n_classes,)
            By table ("before", "after"), the records in each equivalence class, of at least 1.

        Returns
        -------
        display : ClassSizeDisplay
            Not drawn yet.

        Raises
        ------
        ParameterError
            If `sizes` is no mapping.
        ValueError
            If a size is below 1.
        """
        if not isinstance(sizes, Mapping) or not sizes:
            raise invalid("ClassSizeDisplay", "sizes", type(sizes).__name__, "a mapping of table names to class sizes")
        held = {name: np.asarray(one, dtype=np.int64) for name, one in sizes.items()}
        if any((one < 1).any() for one in held.values()):
            raise ValueError("The 'sizes' of ClassSizeDisplay must be of at least 1: no class is empty.")
        largest = max(one.max(initial=1) for one in held.values())
        lowest = FIRST_SIZES[largest >= FIRST_SIZES]
        edges = [*lowest, np.iinfo(np.int64).max]
        counts = {name: np.histogram(one, edges, weights=one)[0].astype(np.int64) for name, one in held.items()}
        records = pd.DataFrame(counts, index=_size_names(lowest))
        k = {name: int(one.min()) if len(one) else 0 for name, one in held.items()}
        return cls(records=records, lowest=lowest, k=k)

    def plot(self, ax=None, **kwargs):
        """Draw how many records are in classes of each size, those alone first, and where k is after.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed on to matplotlib's ``Axes.bar``.

        Returns
        -------
        display : ClassSizeDisplay
            This display, with `ax_` and `figure_`.
        """
        with _drawing.styled() as plt:
            self.figure_, self.ax_ = _drawing.own_or_new(plt, ax)
            every = self.records.size <= 16
            for drawn, name in zip(_drawing.bars(self.ax_, self.records, **kwargs), self.records, strict=True):
                counts = self.records[name]
                texts = [f"{count:,}" if count and every or not place else "" for place, count in enumerate(counts)]
                self.ax_.bar_label(drawn, texts, padding=1)
            names = [name.replace(" (", "\n(") for name in self.records.index]
            crowded = len(names) > 8
            turned = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
            self.ax_.set_xticks(range(len(names)), names, **turned)
            self.ax_.set(xlabel="records in the class", ylabel="records in classes of this size")
            self.ax_.yaxis.set_major_formatter("{x:,.0f}")
            _drawing.finish_bars(self.ax_)
            self._mark_k()
        return self

    def table(self) -> pd.DataFrame:
        """Return the figures of the picture.

        Returns
        -------
        table : pandas.DataFrame
            One row for each range of class sizes: how many records are in such classes, by table.
        """
        return self.records.add_prefix("records ").rename_axis("records in the class").reset_index()

    def description(self) -> str:
        """Return in a sentence what is to be seen.

        Returns
        -------
        text : str
            Fit for an alternative text.
        """
        parts = []
        for place, (name, counts) in enumerate(self.records.items()):
            alone, size = int(counts.iloc[0]), int(counts.sum())
            found = f"{alone:,} ({percent(alone / size)})" if alone else "none"
            parts.append(
                f"Of {size:,} records, {found} stand alone {plain(name)}"
                if place == 0
                else f"{found} of {size:,} {plain(name)}"
            )
        smallest = [f"{k:,} {plain(name)}" for name, k in self.k.items()]
        return f"{', '.join(parts)}; the smallest class has {_drawing.listed(smallest)}."

    def _mark_k(self):
        name, k = list(self.k.items())[-1]
        if k < 2:
            return
        place = int(np.searchsorted(self.lowest, k, side="right")) - 1
        ends = [*self.lowest, 2 * self.lowest[-1]]
        within = min((k - ends[place]) / (ends[place + 1] - ends[place]), 1)
        at = place - 0.5 + within
        self.ax_.axvline(at, color=_drawing.INK, linestyle=(0, (4, 3)), linewidth=1)
        nearer = at > len(self.lowest) * 0.7
        self.ax_.annotate(
            f"k = {k:,} {shown(name)}", (at, 1), xycoords=("data", "axes fraction"), va="top",
            xytext=(-4 if nearer else 4, 0), textcoords="offset points", ha="right" if nearer else "left",
        )  # fmt: skip


def known_columns(owner: str, tables: Mapping[str, Any], quasi_identifiers: Names) -> dict[str, list]:
    """Return by table the quasi-identifiers of the first that it has."""
    frames = {name: _frames.read(table) for name, table in tables.items()}
    first = next(iter(frames.values()))
    known = list(first.columns)
    if quasi_identifiers is not None:
        known = check_columns(owner, "quasi_identifiers", quasi_identifiers, first.columns)
    return {name: [column for column in known if column in frame.columns] for name, frame in frames.items()}


def _sizes(table: Any, known: list) -> np.ndarray:
    return equivalence_classes(table, known).sizes if len(_frames.read(table)) else np.zeros(0, dtype=np.int64)


def _size_names(lowest: np.ndarray) -> list[str]:
    names = []
    for position, low in enumerate(lowest):
        if low == FIRST_SIZES[-1]:
            names.append(f"{low:,} and more")
            continue
        high = FIRST_SIZES[position + 1] - 1
        names.append(f"{low}" if low == high else f"{low} - {high}")
    return names
