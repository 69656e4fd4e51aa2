"""One column before and after: what noise, ranges and sets have made of it."""

from typing import Any

import numpy as np
import pandas as pd

from skdp import _frames
from skdp._checks import check_columns
from skdp.plots import _drawing
from skdp.plots._columns import counted
from skdp.plots._drawing import percent, plain, shown

MISSING = "(missing)"
TALL = 8  # bars from which they lie, with their names beside them


class ReleaseDisplay:
    """How one column is distributed before and after: records by bin, range or value, missing ones by themselves.

    Make it with `from_tables`.

    Parameters
    ----------
    column : str
        The column's name.
    counts : Counts
        What was counted: ``labels`` of the bins, ranges or values, ``original`` and ``released`` (ndarray of float of
        shape (n_labels,)), and ``n_missing`` and ``n_records`` (before and after).

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that `plot` has drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    Notes
    -----
    Numbers and dates are counted in bins of one round width, the outermost ones open where few values lie far out; in
    the released ranges where these do not overlap; and by value where there are few. Of other values, the 20 most
    frequent are shown. A released range that overlaps others, and a set, counts in equal parts for all that it stands
    for: so a reader would have to guess, too.

    **This shows raw statistics of the original.** It is for those who may see the original, and no part of a release.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp import IntervalBinner
    >>> from skdp.plots import ReleaseDisplay
    >>> people = pd.DataFrame({"Age": [21, 24, 30, 51, None]})
    >>> released = IntervalBinner({"Age": [24, 34]}).fit_transform(people)
    >>> ReleaseDisplay.from_tables(people, released, "Age").table()
                Age  original records  original, %  released records  released, %
    0  24 and Under               2.0         40.0               2.0         40.0
    1       24 - 34               1.0         20.0               1.0         20.0
    2   34 and Over               1.0         20.0               1.0         20.0
    3     (missing)               1.0         20.0               1.0         20.0
    """

    def __init__(self, *, column, counts):
        self.column = column
        self.counts = counts

    @classmethod
    def from_tables(cls, original: Any, released: Any, column: str):
        """Return the display of a column of a table and of its release.

        Parameters
        ----------
        original, released : dataframe or array-like of shape (n_rows, n_columns)
            The table before and after; the numbers of rows may differ.
        column : str
            The column, which both have.

        Returns
        -------
        display : ReleaseDisplay
            Not drawn yet.

        Raises
        ------
        ParameterError
            If a table has no such column.
        """
        before, after = _frames.read(original), _frames.read(released)
        for frame in (before, after):
            check_columns(cls.__name__, "column", [column], frame.columns)
        return cls(column=column, counts=counted(before, after, column))

    def plot(self, ax=None, **kwargs):
        """Draw the share of records in each bin, range or value, before and after.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed on to matplotlib's ``Axes.stairs`` (bins), ``Axes.bar`` or ``Axes.barh``.

        Returns
        -------
        display : ReleaseDisplay
            This display, with `ax_` and `figure_`.
        """
        with _drawing.styled() as plt:
            if self.counts.edges is not None:
                self._plot_bins(plt, ax, kwargs)
            else:
                self._plot_bars(plt, ax, kwargs)
            self.ax_.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.3)
        return self

    def table(self) -> pd.DataFrame:
        """Return the figures of the picture.

        Returns
        -------
        table : pandas.DataFrame
            One row for each bin, range or value: how many records, and what share of all, before and after. NaN where
            labels do not tell.
        """
        own = {f"{name}{what}" for name in self._held() for what in (" records", ", %")}
        columns = {f"value of {self.column}" if self.column in own else self.column: [*self.counts.labels, MISSING]}
        for name, held in self._held().items():
            columns[f"{name} records"] = held.round(1)
            columns[f"{name}, %"] = (100 * self._shares()[name]).round(2)
        return pd.DataFrame(columns)

    def description(self) -> str:
        """Return in a sentence or two what is to be seen.

        Returns
        -------
        text : str
            Fit for an alternative text.
        """
        count, what = len(self.counts.labels), "bin" if self.counts.edges is not None else "bar"
        before, after = self._shares().values()
        text = f"{plain(self.column)}, original and released, in {count} {what}{'s' * (count != 1)}"
        if not np.isnan([before, after]).any():
            text += (
                f": {percent(np.abs(after - before).sum() / 2)} of the records would have to change theirs to be alike"
            )
        gaps = [
            percent(gone / total) if total else "no records"
            for gone, total in zip(self.counts.n_missing, self.counts.n_records, strict=True)
        ]
        return f"{text}. Missing: {gaps[0]} before, {gaps[1]} after. {self.counts.note}".strip()

    def _held(self) -> dict:
        """Return the counts of both, missing ones last."""
        pair = self.counts.original, self.counts.released
        gaps = self.counts.n_missing
        return {name: np.append(pair[place], gaps[place]) for place, name in enumerate(("original", "released"))}

    def _shares(self) -> dict:
        totals = dict(zip(("original", "released"), self.counts.n_records, strict=True))
        return {name: held / totals[name] if totals[name] else held * np.nan for name, held in self._held().items()}

    def _plot_bins(self, plt, ax, kwargs):
        """Draw two histograms over each other, one filled and one a line, and missing ones beside them."""
        self.figure_, self.ax_ = _drawing.own_or_new(plt, ax)
        count = len(self.counts.labels)
        shares = {name: 100 * share for name, share in self._shares().items()}
        looks = {
            "original": {"fill": True, **_drawing.LOOKS[0], "linewidth": 0.8},
            "released": {"fill": False, "color": _drawing.LOOKS[1]["edgecolor"], "linewidth": 2.0},
        }
        for name, share in shares.items():
            options = {**looks[name], "label": name, **kwargs}
            self.ax_.stairs(np.nan_to_num(share[:-1]), np.arange(count + 1.0), **options)
        every = max(1, -(-count // (7 if max(map(len, self.counts.edges)) < 10 else 5)))
        first = self.counts.edges.index("0") % every if "0" in self.counts.edges else 0
        places = np.arange(first, count + 1, every)
        names = [self.counts.edges[place] for place in places]
        if any(self.counts.n_missing):
            gap = 0.06 * count
            for place, share in enumerate(shares.values()):
                at = count + gap * (1 + place) + gap / 2
                drawn = self.ax_.bar(at, share[-1], 0.9 * gap, **_drawing.LOOKS[place], linewidth=0.8)
                self.ax_.bar_label(drawn, [_figure(share[-1])], padding=1)
            places, names = (
                [*places[places < 0.93 * count], count + 2 * gap],
                [*names[: (places < 0.93 * count).sum()], "missing"],
            )
        self._finish(places, names)

    def _plot_bars(self, plt, ax, kwargs):
        """Draw bars side by side; lying where there are many, or names are long."""
        some_missing = any(self.counts.n_missing)
        labels = [*self.counts.labels, MISSING][: None if some_missing else -1]
        shares = {name: 100 * share[: len(labels)] for name, share in self._shares().items()}
        shares = {name: share for name, share in shares.items() if not np.isnan(share[: len(self.counts.labels)]).any()}
        names = [shown(label, 24) for label in labels]
        lying = len(names) > TALL or sum(map(len, names)) > 56
        height = max(_drawing.SIZE[1], 0.8 + 0.3 * len(names)) if lying else _drawing.SIZE[1]
        self.figure_, self.ax_ = _drawing.own_or_new(plt, ax, (_drawing.SIZE[0], height))
        drawn = _drawing.bars(self.ax_, shares, horizontal=lying, **kwargs)
        for one, share in zip(drawn, shares.values(), strict=True):
            self.ax_.bar_label(one, [_figure(value) for value in share], padding=2)
        if lying:
            self.ax_.set_yticks(range(len(names)), names)
            self.ax_.set(ylim=(len(names) - 0.4, -0.6), xlabel="share of records, %", ylabel=shown(self.column))
            self.ax_.tick_params(axis="y", length=0)
            self.ax_.margins(x=0.08)
            self.ax_.grid(axis="x")
        else:
            self._finish(range(len(names)), names)

    def _finish(self, places, names):
        self.ax_.set_xticks(places, names)
        self.ax_.set(xlabel=shown(self.column, 60), ylabel="share of records, %")
        self.ax_.margins(y=0.1)
        self.ax_.set_ylim(bottom=0)
        self.ax_.grid(axis="y")


def _figure(value: float) -> str:
    """Return a percentage without its sign, for above a bar."""
    return percent(value / 100).removesuffix(" %").replace("under ", "<").replace("over ", ">")
