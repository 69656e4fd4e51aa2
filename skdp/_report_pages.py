"""The page of a data safety report: figures and pictures put into the template."""

import re
from importlib.metadata import version
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from skdp._report_columns import HAPPENED
from skdp._report_tables import Tables
from skdp._report_texts import CLOSE, OPEN, READINGS, clean, counted, epsilon_of, listed, named, percent, verdict

MISSING_EXTRA = 'A report needs Jinja2 and matplotlib, which are not installed: pip install "skdp[report]"'
DOES = {
    "left out": "Leaves out",
    "fictitious": "Puts fictitious values in the place of",
    "noised": "Adds noise to, or randomises",
    "generalised": "Generalises, where needed",
    "imputed": "Fills gaps of",
}
LONG_WORD = 24  # letters beyond which a word may be broken
WARNED = ("untouched", "renamed", "rearranged")


def page(title: str, figures: dict, tables: Tables, scenarios: dict, mark: str, public: bool) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    title : str
        What it is called.
    figures : dict
        What was counted, without the original where `public`.
    tables : Tables
        What pictures are drawn of.
    scenarios : dict of str to float
        By attack scenario, the probability that an attack is made.
    mark : str
        Who may see it.
    public : bool
        Whether all that was counted in the original table is left out.

    Raises
    ------
    ImportError
        If the extra ``report`` is not installed.
    """
    environment = _environment()
    from skdp._report_pictures import associations, changed_columns, who_stands_out

    became = {one["name"]: one["happened"] for one in figures["columns"]["each"]}
    return environment.get_template("report.html").render(
        title=clean(title) or "Data safety report",
        mark=mark,
        public=public,
        version=version("skdp"),
        figures=figures,
        # figures without the original still hold all that the verdict is about
        verdict=[named_as_html(sentence) for sentence in verdict(figures)],
        untouched=sum(len(figures["columns"]["by"].get(what, ())) for what in WARNED),
        happened={what: (HAPPENED[what], names) for what, names in figures["columns"]["by"].items()},
        columns=_column_table(figures["columns"], public),
        not_told="not_told" in figures["anonymity"],
        outstanding=[] if tables.hiding else who_stands_out(tables, scenarios, public),
        changed=[] if public else list(changed_columns(tables, became)),
        associations=None if public else associations(tables, became),
        marginals=[] if public else _marginal_table(figures["utility"]["marginals"]),
        readings=READINGS,
    )


def _environment() -> Any:
    try:
        import jinja2
        import matplotlib  # noqa: F401 - to say at once what is missing
    except ImportError as error:
        raise ImportError(MISSING_EXTRA) from error
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skdp"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "named": lambda name: named_as_html(named(name)),
        "listed": lambda names: named_as_html(listed(names, most=10**6)),
        "clean": clean,
        "does": DOES.get,
        "quoted": _quoted,
        "percent": percent,
        "number": number,
        "epsilon": epsilon_of,
        "counted": counted,
        "row": _row,
        "slug": lambda reading: f"read-{READINGS.index(reading)}",
        "svg": _markup,
    }
    environment.globals["numeric"] = _numeric
    environment.globals["reading"] = lambda title: f"read-{[one.title for one in READINGS].index(title)}"
    return environment


def named_as_html(text: str) -> Any:
    """Return a sentence, escaped, with its names in elements that isolate them."""
    from markupsafe import Markup, escape

    def isolated(name: str) -> str:
        is_long = max(map(len, name.split()), default=0) > LONG_WORD
        opened = '<bdi class="long">' if is_long else "<bdi>"
        return f"{opened}{escape(name)}</bdi>"

    pieces = re.split(f"{OPEN}([^{CLOSE}]*){CLOSE}", text)
    return Markup("".join(isolated(one) if place % 2 else escape(one) for place, one in enumerate(pieces)))


def _quoted(text: str) -> Any:
    """Return a sentence that has names in quotes, with these isolated."""
    return named_as_html(re.sub(r"'([^']*)'", lambda found: f"'{named(found[1])}'", clean(text)))


def _markup(text: str) -> Any:
    """Return what is markup already, as it is."""
    from markupsafe import Markup

    return Markup(text)


def number(value: Any, digits: int = 3) -> str:
    """Return a number as a table shows it; a dash for none.

    Examples
    --------
    >>> number(12345), number(0.12345), number(2.0), number(None), number(float("nan")), number(-0.00001)
    ('12,345', '0.123', '2', '–', '–', '0')
    """
    if value is None or value != value:
        return "–"
    if isinstance(value, Number) and float(value).is_integer():
        return f"{int(value):,}"
    if not np.isfinite(value):
        return "∞"
    text = f"{value:,.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _row(row: Any) -> list[tuple[str, bool]]:
    """Return the cells of a row, and which are numbers."""
    return [
        (number(cell), True) if isinstance(cell, Number) or pd.isna(cell) else (named_as_html(named(cell)), False)
        for cell in row
    ]


def _numeric(table: pd.DataFrame) -> list[int]:
    """Return the places of the columns of numbers, the first one, which names the row, left out."""
    kinds = [pd.api.types.is_numeric_dtype(kind) for kind in table.dtypes]
    return [place for place, is_number in enumerate(kinds) if is_number and place]


def _column_table(columns: dict, public: bool) -> pd.DataFrame:
    others = {one["original"]: one["released"] for one in columns.get("under_other_names", ())}
    rows = [
        {
            "column": one["name"],
            **({"other name in the release": others.get(one["name"], "none")} if others else {}),
            "role": one["role"] or "none",
            "what happened": one["happened"],
            "by step": ", ".join(one["steps"]) or "none",
            **({} if public else {"different values before": one["distinct_before"]}),
            "different values after" if not public else "different values": one["distinct_after"],
            **({} if public else {"missing before": one["missing_before"]}),
            "missing after" if not public else "missing": one["missing_after"],
        }
        for one in columns["each"]
    ]
    return pd.DataFrame(rows)


def _marginal_table(marginals: list[dict]) -> pd.DataFrame:
    names = {
        "name": "column",
        "total_variation": "total variation",
        "kolmogorov_smirnov": "Kolmogorov–Smirnov",
        "wasserstein_normalised": "earth mover's, over the range",
        "missing": "missing",
    }
    table = pd.DataFrame(marginals).reindex(columns=list(names)).rename(columns=names)
    moved = table[["total variation", "Kolmogorov–Smirnov"]].astype(float).max(axis=1)
    return table.loc[moved.sort_values(ascending=False, kind="stable").index]
