"""What goes together with what, before and after, and by how much that has changed."""

from typing import Any

import numpy as np
import pandas as pd

from skdp import _frames
from skdp._checks import check_columns, invalid
from skdp.metrics import association_matrices
from skdp.metrics.utility import Names
from skdp.plots import _drawing
from skdp.plots._drawing import plain, shown

MOST_WRITTEN = 12  # columns up to which values are written into the cells
CELL, ROW = 0.36, 0.15  # inches for a cell with a number in it, and for a line of text
TITLES = "before", "after", "difference: after - before"


class AssociationDisplay:
    """How strongly columns go together before and after, and what has changed: three heat maps.

    Make it with `from_tables` or `from_matrices`.

    Parameters
    ----------
    original, released : pandas.DataFrame of float of shape (n_columns, n_columns)
        The associations before and after, named by column on both sides; NaN where unknown. From 0 to 1, or from -1
        to 1 for two columns of numbers in both tables.

    Attributes
    ----------
    ax_ : ndarray of matplotlib Axes of shape (3,)
        The axes that `plot` has drawn on: before, after, and the difference.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    skdp.metrics.association_matrices : The associations, and which of them have a sign.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.plots import AssociationDisplay
    >>> table = pd.DataFrame({"Age": [1, 2, 3, 4], "Debt": [2, 4, 6, 8]})
    >>> display = AssociationDisplay.from_tables(table, table.assign(Debt=[8, 2, 4, 6]))
    >>> print(display.description())
    Associations of 2 columns move by 1.20 on average; most of all that of Age and Debt, from 1.00 to -0.20.
    >>> display.table()
      column other column  before  after  difference
    0    Age         Debt     1.0   -0.2        -1.2
    """

    def __init__(self, *, original, released):
        self.original = original
        self.released = released

    @classmethod
    def from_tables(cls, original: Any, released: Any, columns: Names = None):
        """Return the display of the associations in a table and its release.

        Parameters
        ----------
        original, released : dataframe or array-like of shape (n_rows, n_columns)
            The table before and after; the numbers of rows may differ.
        columns : str or iterable of str, default=None
            The columns to look at. By default all that both tables have.

        Returns
        -------
        display : AssociationDisplay
            Not drawn yet.

        Raises
        ------
        ParameterError
            If a column is not in both tables, or they have none in common.
        """
        before, after = _frames.read(original), _frames.read(released)
        if columns is None:
            columns = [column for column in before.columns if column in after.columns]
        for frame in (before, after):
            columns = check_columns("AssociationDisplay", "columns", columns, frame.columns)
        if not columns:
            raise invalid("AssociationDisplay", "columns", columns, "at least one column of both tables")
        return cls.from_matrices(*association_matrices(original, released, columns))

    @classmethod
    def from_matrices(cls, original: pd.DataFrame, released: pd.DataFrame):
        """Return the display of associations that have been measured.

        Parameters
        ----------
        original, released : pandas.DataFrame of float of shape (n_columns, n_columns)
            As `skdp.metrics.association_matrices` returns them, with the same columns; `released` may have them in
            another order. Two of `skdp.metrics.association_matrix` will do only where each column holds numbers in
            both tables, or in neither: else a measure with a sign is taken from one without.

        Returns
        -------
        display : AssociationDisplay
            Not drawn yet.

        Raises
        ------
        ValueError
            If the columns are not the same.
        """
        names = list(original.columns)
        if any(set(labels) != set(names) for labels in (original.index, released.index, released.columns)):
            raise ValueError("AssociationDisplay compares matrices of the same columns, on both sides.")
        return cls(original=original.loc[names, names], released=released.loc[names, names])

    def plot(self, ax=None, *, stacked=False, **kwargs):
        """Draw the strength of each association before and after, and the difference, with numbers if there is room.

        Parameters
        ----------
        ax : array-like of 3 matplotlib Axes, default=None
            Where to draw; a new figure by default.
        stacked : bool, default=False
            Whether the maps of a new figure stand below each other, for a narrow page.
        **kwargs : dict
            Passed on to matplotlib's ``Axes.imshow``.

        Returns
        -------
        display : AssociationDisplay
            This display, with `ax_` and `figure_`.
        """
        with _drawing.styled() as plt:
            self.figure_, self.ax_ = self._axes(plt, ax, stacked)
            for number, (one, title) in enumerate(zip(self.ax_, TITLES, strict=True)):
                image = self._draw(one, number, kwargs)
                one.set_title(title)
                self._name(one, named=stacked or ax is not None or number == 0)
                if number:  # the first two share theirs
                    beside = list(self.ax_[:2]) if number == 1 else one
                    bar = self.figure_.colorbar(image, ax=beside, fraction=0.05, pad=0.03, aspect=30)
                    bar.set_label("strength, from 0 to 1" if number == 1 else "change")
                    bar.outline.set_visible(False)
        return self

    def table(self) -> pd.DataFrame:
        """Return the figures of the picture, the largest change first.

        Returns
        -------
        table : pandas.DataFrame
            One row for each two columns; associations from 0 to 1, of two columns of numbers in both tables from -1 to
            1. Both ways round where these differ.
        """
        before, after = self.original.to_numpy(), self.released.to_numpy()
        twofold = any(not np.array_equal(one, one.T, equal_nan=True) for one in (before, after))
        rows, columns = np.triu_indices(len(before), 1)
        if twofold:
            rows, columns = np.concatenate([rows, columns]), np.concatenate([columns, rows])
        change = after[rows, columns] - before[rows, columns]
        order = np.argsort(-np.nan_to_num(np.abs(change), nan=-1.0), kind="stable")
        rows, columns = rows[order], columns[order]
        names = np.array([*self.original.columns, None], dtype=object)
        figures = {"before": before[rows, columns], "after": after[rows, columns], "difference": change[order]}
        return pd.DataFrame({
            "column": names[rows], "other column": names[columns],
            **{name: values.round(3) + 0.0 for name, values in figures.items()},
        })  # fmt: skip

    def description(self) -> str:
        """Return in a sentence what is to be seen.

        Returns
        -------
        text : str
            Fit for an alternative text.
        """
        table, count = self.table(), len(self.original)
        known = table[table["difference"].notna()]
        if not len(known):
            return f"Associations of {count} column{'s' * (count != 1)}: there are no two to compare."
        if not known["difference"].any():
            return f"Associations of {count} columns are what they were."
        top, mean = known.iloc[0], known["difference"].abs().mean()
        pair = (
            f"{plain(top['column'])} and {plain(top['other column'])}, from {top['before']:.2f} to {top['after']:.2f}"
        )
        return f"Associations of {count} columns move by {mean:.2f} on average; most of all that of {pair}."

    def _axes(self, plt, ax, stacked):
        """Return the figure and three axes."""
        if ax is not None:
            axes = np.asarray(ax, dtype=object).ravel()
            if len(axes) != 3:
                raise invalid(self, "ax", f"{len(axes)} axes", "three axes: before, after, difference")
            return axes[0].figure, axes
        count = len(self.original)
        side = max(2.0, CELL * count) if count <= MOST_WRITTEN else (5.0 if stacked else 3.6)
        names = 0.07 * max((len(shown(name, self._most())) for name in self.original), default=0) + 0.4
        below = names * (0.75 if count <= MOST_WRITTEN else 1.0) + 0.4
        if stacked:
            size, shape = (side + names + 1.0, 3 * (side + below)), (3, 1)
        else:
            size, shape = (3 * (side + 0.3) + names + 1.6, side + below), (1, 3)
        figure, axes = plt.subplots(*shape, figsize=size, layout="compressed")
        return figure, axes

    def _most(self) -> int:
        return 20 if len(self.original) <= MOST_WRITTEN else 14

    def _draw(self, ax, number, kwargs):
        """Draw one of the three maps."""
        change = (self.released - self.original).to_numpy()
        values = (self.original.to_numpy(), self.released.to_numpy(), change)[number]
        widest = max(0.1, float(np.nanmax(np.abs(change), initial=0.0)))
        scale = {"cmap": "PuOr", "vmin": -widest, "vmax": widest}
        if number < 2:
            scale = {"cmap": "cividis", "vmin": 0, "vmax": 1}
        colours = values if number == 2 else np.abs(values)
        image = ax.imshow(colours, **{**scale, "interpolation": "nearest", **kwargs})
        if len(values) <= MOST_WRITTEN:
            _write(ax, image, values)
        return image

    def _name(self, ax, named):
        """Write names at the sides, as many as there is room for."""
        count = len(self.original)
        places = np.arange(0, count, max(1, int(np.ceil(count * ROW / _height(ax)))))
        names = [shown(self.original.columns[place], self._most()) for place in places]
        turned = (
            {"rotation": 45, "ha": "right"}
            if count <= MOST_WRITTEN
            else {"rotation": 90, "ha": "right", "va": "center"}
        )
        ax.set_xticks(places, names, rotation_mode="anchor", **turned)
        ax.set_yticks(places, names if named else [""] * len(places))
        ax.tick_params(length=0 if len(places) == count else 3)
        ax.spines[:].set_visible(False)


def _height(ax: Any) -> float:
    """Return about how high axes are, in inches; those of a square map are no higher than wide."""
    box, (width, height) = ax.get_position(), ax.figure.get_size_inches()
    return max(0.1, 0.8 * min(box.width * width, box.height * height))


def _write(ax: Any, image: Any, values: np.ndarray) -> None:
    """Write numbers into the cells, light on dark and dark on light."""
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            red, green, blue, _ = image.cmap(image.norm(image.get_array()[row, column]))
            is_dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.5
            text = f"{value:.2f}".replace("-0.00", "0.00")
            colour = "white" if is_dark else _drawing.INK
            ax.text(column, row, text, ha="center", va="center", color=colour, in_layout=False)
