"""How all pictures look: one palette, one size of type, names made fit to be drawn, bytes that do not change."""

import io
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

# of the palette of M. Okabe and K. Ito, "Color universal design", 2008, with hatches for those who see no colour
LOOKS = (
    {"facecolor": "#F9E0CE", "edgecolor": "#D55E00", "hatch": "/////"},
    {"facecolor": "#0072B2", "edgecolor": "#0072B2", "hatch": None},
    {"facecolor": "#CDEBE1", "edgecolor": "#009E73", "hatch": "....."},
    {"facecolor": "#F3DDE9", "edgecolor": "#AA4586", "hatch": "xxxxx"},
)
INK, PALE, ACCENT = "#222222", "#8A8A8A", "#D55E00"
SIZE = (6.0, 3.5)  # inches
STYLE = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.axisbelow": True,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.8,
    "hatch.linewidth": 0.8,
    "text.usetex": False,
    "text.parse_math": True,  # which takes the backslash off an escaped dollar
    **dict.fromkeys(["text.color", "axes.labelcolor", "axes.titlecolor", "xtick.color", "ytick.color"], INK),
}
NO_GLYPH = "\N{WHITE VERTICAL RECTANGLE}"


def load() -> Any:
    """Return matplotlib's pyplot, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Pictures need matplotlib, which is not installed: pip install "skdp[report]"') from error
    return plt


@contextmanager
def styled() -> Iterator[Any]:
    """Give pyplot in the style of this package, which is gone again afterwards."""
    plt = load()
    with plt.rc_context(STYLE):
        yield plt


def own_or_new(plt: Any, ax: Any, size: Sequence[float] = SIZE) -> tuple[Any, Any]:
    """Return the figure and the axes to draw on: the given ones, or new ones of `size` in inches."""
    if ax is None:
        return plt.subplots(figsize=size, layout="constrained")
    return ax.figure, ax


def svg(display: Any) -> str:
    """Return a drawn display as SVG, the same bytes for the same picture, and close its figure."""
    plt = load()
    buffer = io.StringIO()
    with plt.rc_context({"svg.hashsalt": "skdp", "svg.fonttype": "path"}):
        display.figure_.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(display.figure_)
    return buffer.getvalue()


def bars(ax: Any, groups: Mapping[str, Any], *, horizontal: bool = False, **kwargs: Any) -> list:
    """Draw bars side by side, one of each group at each whole number from 0, and return them by group."""
    groups = dict(groups.items())
    thick = 0.8 / max(len(groups), 1)
    drawn = []
    for number, (name, lengths) in enumerate(groups.items()):
        places = np.arange(len(lengths)) + (number - (len(groups) - 1) / 2) * thick
        options = {**LOOKS[number % len(LOOKS)], "linewidth": 0.8, "label": shown(name), **kwargs}
        draw, across = (ax.barh, "height") if horizontal else (ax.bar, "width")
        drawn.append(draw(places, np.nan_to_num(np.asarray(lengths, dtype=float)), **{across: thick * 0.94}, **options))
    return drawn


def finish_bars(ax: Any) -> None:
    """Give standing bars their room, their lines and their legend."""
    ax.margins(y=0.12)
    ax.set_ylim(bottom=0)
    ax.grid(axis="y")
    ax.tick_params(axis="x", length=0)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.3)


def plain(text: object) -> str:
    r"""Return text without what cannot be drawn, or would turn what stands beside it: controls, direction marks.

    Examples
    --------
    >>> plain("Age\x00 \u202eyears")
    'Age years'
    """
    spaced = (" " if one in "\n\r\t" else one for one in str(text))
    return "".join(one for one in spaced if unicodedata.category(one)[0] != "C")


def shown(text: object, most: int = 28) -> str:
    """Return text as matplotlib is to draw it: cut to `most` characters, no mathematics, no glyph the font lacks."""
    clean = plain(text)
    if len(clean) > most:  # in the middle, since names that begin alike often end differently
        clean = f"{clean[: most - most // 3 - 1]}…{clean[-(most // 3) :]}"
    fonts = _fonts()
    drawable = (one if any(font.get_char_index(ord(one)) for font in fonts) else NO_GLYPH for one in clean)
    return "".join(drawable).replace("$", r"\$")


def _fonts() -> list:
    from matplotlib import font_manager, rcParams

    families = rcParams["font.family"]
    families = [families] if isinstance(families, str) else families
    wanted = [font_manager.FontProperties(family=[family]) for family in families]
    return [font_manager.get_font(font_manager.findfont(one)) for one in wanted]


def percent(share: float) -> str:
    """Return a share in percent, so that nothing small is called none, and nothing short of all is called all.

    Examples
    --------
    >>> [percent(share) for share in (0, 0.0004, 0.005, 0.0512, 0.24, 0.9999, 1)]
    ['0 %', 'under 0.1 %', '0.5 %', '5.1 %', '24 %', 'over 99.9 %', '100 %']
    """
    value = 100 * share
    if np.isnan(value):
        return "unknown"
    if 0 < value < 0.1:
        return "under 0.1 %"
    if 99.9 < value < 100:
        return "over 99.9 %"
    few = value < 9.95 or 99.5 <= value < 100
    return f"{value:.1f}".removesuffix(".0") + " %" if few else f"{value:.0f} %"


def listed(words: Sequence[str], join: str = "and") -> str:
    """Return words as a sentence lists them.

    Examples
    --------
    >>> listed(["k", "l", "t"]), listed(["k"])
    ('k, l and t', 'k')
    """
    return f" {join} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
