"""The data safety report: what was done to a table, who could still be singled out, and what it is still good for."""

import html
import json
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from skdp import _files, _frames
from skdp._checks import check_columns, check_option, invalid
from skdp._report_columns import fitted_steps
from skdp._report_figures import count, without_original
from skdp._report_tables import Tables
from skdp._report_texts import clean, plain, verdict
from skdp.metrics import SCENARIOS, scenario_risks

INTERNAL = "INTERNAL: holds statistics of the original table"
PUBLIC = "PUBLIC: nothing here was counted in the original table but which columns were changed"


class DataSafetyReport:
    """What those who sign off a release need to know, in one page: the verdict in plain words, then the figures.

    Parameters
    ----------
    original, released : dataframe or array-like of shape (n_rows, n_columns)
        The table before and after, each of at least one row; the numbers of rows may differ.
    pipeline : fitted estimator, default=None
        What made the release: a Pipeline, or a single step. Without it nothing is known of differential privacy.
    quasi_identifiers : str or list of str
        The columns that others may know about people, each in at least one of the tables. All figures about being
        singled out hold for an attacker who knows these and nothing else.
    sensitive : str or list of str, default=None
        The columns that nobody should learn.
    scenarios : mapping of str to float, default=None
        By attack scenario, the probability that an attack is made, from 0 to 1; ``skdp.metrics.SCENARIOS`` by default.
    target : str, default=None
        A column that a model is to predict: one trained on the release is tested on real rows.
    keep : array-like of bool of shape (n_rows_original,), default=None
        Which rows of `original` the release holds, in their order, as `skdp.Pipeline.fit_release` returns it. By
        default, rows are matched by their pandas index where it tells, and by place where the tables have equally many.
        Otherwise, or where columns that were left as they were show that rows are in another order, what takes matched
        rows is left out, and the report says so.
    title : str, default="Data safety report"
        The page's title.

    Attributes
    ----------
    figures : dict
        All that is counted, as dicts and lists of plain values: the keys ``records``, ``columns``, ``anonymity``,
        ``risks``, ``privacy`` and ``utility``. It holds statistics of the original table, and no cell of it.
    verdict : str
        The verdict in plain words.

    Raises
    ------
    ParameterError
        If a column is not in the tables, or is both known and sensitive; if a probability is none; or if `keep` does
        not tell which rows were released.
    ValueError
        If a table has no rows.
    NotFittedError
        If the pipeline is not fitted.

    Notes
    -----
    Nothing is drawn at random: the same tables give the same bytes. The report compares tables and believes steps only
    where tables do not tell. It never says that a table is safe: it says who can do what with it.

    Columns are matched by name. A released column that is not in the original takes back the name of a column that is
    missing if scikit-learn put ``step__`` before it, or if it holds that column's values; the report says so. A column
    that holds the values of a quasi-identifier counts as known, whatever its name. Where quasi-identifiers are missing
    and other columns were added, unless these hold one value only, were made up by a step or are named here, nobody can
    tell whether they are the missing ones: the release's figures about being singled out are then None, and
    ``not_told`` under ``anonymity`` names both. Values that were recoded or scaled, and also renamed, are not
    recognised.

    `to_html` and `to_json` mark what they write as INTERNAL. With ``public=True`` all that was counted in the original
    table is left out: what is left could be counted by whoever has the release, but for which columns were changed and
    what the steps state. The ε of noise without bounds comes from the range of the original, and is left out, too.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp import KAnonymizer
    >>> from skdp.report import DataSafetyReport
    >>> people = pd.DataFrame({"Age": [21, 23, 24, 51, 58, 64], "Debt": list("ynynyn")})
    >>> anonymizer = KAnonymizer(3, quasi_identifiers="Age")
    >>> released = anonymizer.fit_transform(people)
    >>> report = DataSafetyReport(people, released, pipeline=anonymizer, quasi_identifiers="Age", sensitive="Debt")
    >>> report.figures["anonymity"]["before"]["k"], report.figures["anonymity"]["after"]["k"]
    (1, 3)
    >>> print(report.verdict.partition(". ")[0])
    In the released table each record shares its quasi-identifiers (Age) with at least 2 others
    """

    def __init__(
        self,
        original: Any,
        released: Any,
        *,
        pipeline: Any = None,
        quasi_identifiers: Any,
        sensitive: Any = None,
        scenarios: Mapping[str, float] | None = None,
        target: str | None = None,
        keep: Any = None,
        title: str = "Data safety report",
    ):
        before, after = _frames.read(original), _frames.read(released)
        _check_rows(before, after)
        known, hidden = _roles(before, after, quasi_identifiers, sensitive, target)
        steps = list(fitted_steps(pipeline))
        self._tables = Tables(before, after, _kept(keep, before, after), known, hidden, target, steps)
        self._scenarios = dict(_checked_scenarios(SCENARIOS if scenarios is None else scenarios))
        self._pipeline = pipeline
        if not isinstance(title, str):
            raise invalid(self, "title", title, "a text")
        self.title = title
        self.figures = count(self._tables, pipeline, self._scenarios)

    @cached_property
    def verdict(self) -> str:
        """The verdict in plain words."""
        return plain(" ".join(verdict(self.figures)))

    def to_html(self, path: str | Path, *, public: bool = False) -> None:
        """Write the report as one page that needs nothing else: no script, no font, no request.

        Parameters
        ----------
        path : str or Path
            Where to; an old file is replaced when the new one is whole.
        public : bool, default=False
            Whether all that was counted in the original table is left out.

        Raises
        ------
        ImportError
            If Jinja2 or matplotlib is not there: they come with ``pip install "skdp[report]"``.
        OSError
            If the file cannot be written.
        """
        self._write(path, self.to_bytes("html", public=public))

    def to_json(self, path: str | Path, *, public: bool = False) -> None:
        """Write the figures and the verdict as JSON, for programs.

        Parameters
        ----------
        path : str or Path
            Where to; an old file is replaced when the new one is whole.
        public : bool, default=False
            Whether all that was counted in the original table is left out.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        self._write(path, self.to_bytes("json", public=public))

    def to_bytes(self, kind: str, *, public: bool = False) -> bytes:
        """Return what `to_html` or `to_json` writes.

        Parameters
        ----------
        kind : {"html", "json"}
            Which of them.
        public : bool, default=False
            Whether all that was counted in the original table is left out.

        Returns
        -------
        text : bytes
            In UTF-8.

        Raises
        ------
        ImportError
            For ``"html"``, if Jinja2 or matplotlib is not there.
        """
        check_option(self, "kind", kind, ("html", "json"))
        return (self._html(public) if kind == "html" else self._json(public)).encode("utf-8")

    def __repr__(self) -> str:
        return f"<DataSafetyReport {clean(self.title)!r}>"

    def _repr_html_(self) -> str:
        page = html.escape(self._html(False))
        title = html.escape(clean(self.title))
        return f'<iframe srcdoc="{page}" title="{title}" sandbox style="width: 100%; height: 45em; border: 0"></iframe>'

    def _html(self, public: bool) -> str:
        from skdp._report_pages import page

        figures = without_original(self.figures) if public else self.figures
        return page(self.title, figures, self._tables, self._scenarios, PUBLIC if public else INTERNAL, public)

    def _json(self, public: bool) -> str:
        figures = without_original(self.figures) if public else self.figures
        document = {
            "format": "skdp data safety report, version 1",
            "skdp": version("skdp"),
            "title": self.title,
            "visibility": PUBLIC if public else INTERNAL,
            "verdict": plain(" ".join(verdict(figures))),
            **figures,
        }
        text = json.dumps(_plain(document), ensure_ascii=True, allow_nan=False, indent=1)
        return text + "\n"

    def _write(self, path: str | Path, content: bytes) -> None:
        with _files.replacing(path) as file:
            file.write(content)


def _check_rows(before: Any, after: Any) -> None:
    for name, frame in (("original", before), ("released", after)):
        if not len(frame):
            raise ValueError(f"The {name!r} table of DataSafetyReport has no rows; it needs at least one.")


def _roles(before: Any, after: Any, quasi_identifiers: Any, sensitive: Any, target: Any) -> tuple[list, list]:
    """Return the quasi-identifiers and the sensitive columns."""
    owner, available = "DataSafetyReport", [*before.columns, *after.columns]
    known = check_columns(owner, "quasi_identifiers", quasi_identifiers, available)
    if not known:
        raise invalid(owner, "quasi_identifiers", known, "at least one column name: what others may know about people")
    hidden = [] if sensitive is None else check_columns(owner, "sensitive", sensitive, available)
    both = [name for name in known if name in hidden]
    if both:
        raise invalid(owner, "sensitive", hidden, f"columns that are no quasi-identifiers ({both[0]!r} is)")
    if target is not None:
        check_columns(owner, "target", [target], available)
    return known, hidden


def _checked_scenarios(scenarios: Any) -> Mapping[str, float]:
    scenario_risks(0.0, scenarios)
    if not scenarios:
        raise invalid("DataSafetyReport", "scenarios", scenarios, "a mapping of at least one scenario to a probability")
    return scenarios


def _kept(keep: Any, before: Any, after: Any) -> np.ndarray | None:
    if keep is None:
        return None
    kept = np.asarray(keep)
    if kept.dtype != bool or kept.shape != (len(before),) or kept.sum() != len(after):
        given = f"{kept.dtype} of shape {kept.shape}"
        raise invalid("DataSafetyReport", "keep", given, "one bool for each original row, True for each released one")
    return kept


def _plain(value: Any) -> Any:
    """Return a value as JSON holds it: broken letters replaced, numbers of NumPy as numbers, no infinity."""
    if isinstance(value, Mapping):
        return {_plain(str(name)): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value).encode("utf-8", "replace").decode("utf-8")
