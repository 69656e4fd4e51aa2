"""The pictures of a data safety report, as SVG fit to stand in a page beside others, each with a text and a table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skdp import _frames
from skdp._report_columns import REAL
from skdp._report_figures import associated_columns, association_matrices, class_sizes
from skdp._report_tables import Tables
from skdp._report_texts import clean
from skdp.plots import AssociationDisplay, ClassSizeDisplay, ReleaseDisplay, RiskDisplay
from skdp.plots._drawing import svg

MOST_COLUMNS = 12  # with a picture of their own; the rest have a table
FEW_ASSOCIATED, MOST_ASSOCIATED = 6, 20  # columns: up to which maps stand side by side; shown at all


@dataclass(frozen=True)
class Picture:
    """A picture in a page.

    Parameters
    ----------
    key : str
        What its ids begin with.
    title, description : str
        Its heading, and what is to be seen in it.
    svg : str
        The picture; nothing where the table stands alone.
    width : int
        How wide it is in pixels if there is room.
    table : pandas.DataFrame
        Its figures.
    """

    key: str
    title: str
    description: str
    svg: str
    width: int
    table: pd.DataFrame


def who_stands_out(tables: Tables, scenarios: dict, public: bool) -> list[Picture]:
    """Return the pictures of class sizes and risks; without the original where `public`."""
    frames = {"after": tables.released} if public else {"before": tables.original, "after": tables.released}
    sizes = {name: class_sizes(frame, tables.known(frame)) for name, frame in frames.items()}
    classes = ClassSizeDisplay.from_sizes(sizes)
    risks = RiskDisplay.from_risks({name: np.repeat(1 / one, one) for name, one in sizes.items()}, scenarios)
    return [
        _picture("sizes", "Records by the size of their class", classes),
        _picture("scenarios", "Risk by attack scenario", risks, kind="scenarios"),
        _picture("bands", "Records by risk, if an attack is made", risks, kind="bands"),
    ]


def changed_columns(tables: Tables, became: dict) -> Iterator[Picture]:
    """Yield each noised, generalised or otherwise changed column, original against released; noised ones first."""
    ranked = ("noised", "generalised", "imputed", "masked", "changed", "fictitious")
    names = [name for what in ranked for name in tables.common if became[name] == what]
    for number, name in enumerate(names):
        display = ReleaseDisplay.from_tables(_named(tables.original, name), _named(tables.released, name), shown(name))
        yield _picture(f"column{number}", shown(name), display, drawn=number < MOST_COLUMNS)


def shown(name: object) -> str:
    """Return what a column is called in pictures and tables."""
    return clean(name) or "(no name)"


def associations(tables: Tables, became: dict) -> Picture | None:
    """Return the associations of the columns that changed most; None where there are fewer than two columns."""
    if len(associated_columns(tables)) < 2:
        return None
    before, after = association_matrices(tables)
    drift = (after - before).abs().to_numpy()
    ranked = np.lexsort((-np.nan_to_num(drift).mean(axis=0), [became[name] in REAL for name in before]))
    places = np.sort(ranked[:MOST_ASSOCIATED])
    names = _unique([shown(before.columns[place]) for place in places])
    pair = [one.iloc[places, places].set_axis(names, axis=0).set_axis(names, axis=1) for one in (before, after)]
    title = f"Associations of {len(names)} columns"
    if len(names) < len(before):
        title += ", those that have changed and those that moved most"
    return _picture("associations", title, AssociationDisplay.from_matrices(*pair), stacked=len(names) > FEW_ASSOCIATED)


def _named(frame: Any, name: Any) -> Any:
    """Return one column as a table, called as it is shown."""
    return _frames.build({shown(name): frame.get_column(name)}, frame).to_native()


def _unique(names: list[str]) -> list[str]:
    """Return names of which no two are the same: what made them differ may not be fit to be shown."""
    return [name if names.index(name) == place else f"{name} ({place + 1})" for place, name in enumerate(names)]


def _picture(
    key: str, title: str, display: Any, *, drawn: bool = True, stacked: bool = False, **options: Any
) -> Picture:
    text, width = "", 0
    if drawn:
        text, width = _inline(svg(display.plot(**options, **({"stacked": True} if stacked else {}))), key)
    return Picture(key, title, display.description(**options), text, width, display.table(**options))


def _inline(text: str, key: str) -> tuple[str, int]:
    """Return an SVG file as an element of a page, with ids of its own, and its width in pixels.

    Its own style sheet, which would hold for the whole page, its metadata, with addresses, and comments are left out.
    """
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{key}-', text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{key}-", text)
    start, rest = re.match(r"(<svg[^>]*>)(.*)", text, flags=re.DOTALL).groups()
    width, height = (float(number) for number in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', start).groups())
    opened = (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{key}-title" '
        f'aria-describedby="{key}-text" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return opened + re.sub(r"\s*\n\s*", "\n", rest), round(width * 96 / 72)
