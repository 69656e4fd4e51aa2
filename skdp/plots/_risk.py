"""Who could be singled out: risks by attack scenario, and records by risk, before and after."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from skdp import _frames
from skdp._checks import check_option, invalid
from skdp.metrics import SCENARIOS, reidentification_risk, scenario_risks
from skdp.metrics.risk import Names
from skdp.plots import _drawing
from skdp.plots._classes import known_columns
from skdp.plots._drawing import percent, plain, shown

BANDS = {"1 (alone)": 1 / 2, "1/2": 1 / 3, "1/3–1/5": 1 / 6, "1/6–1/10": 1 / 11, "1/11–1/20": 1 / 21}
LOWEST_BAND = "below 1/20"
KINDS = ("scenarios", "bands")


class RiskDisplay:
    """How likely people are to be found, before and after: by attack scenario, and how many share each risk.

    Make it with `from_tables` or `from_risks`.

    Parameters
    ----------
    by_scenario : pandas.DataFrame of shape (n_scenarios * n_tables, 5)
        The columns "scenario" (str), "probability" (that an attack is made), "table" (str), "highest" and "mean" (the
        risk that it is made and succeeds, over records); all from 0 to 1, NaN for a table without records.
    by_band : pandas.DataFrame of int of shape (6, n_tables)
        How many records of each table (column) have a risk in each band (row), if an attack is made.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that `plot` has drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    skdp.metrics.reidentification_risk : The risk of each record.
    skdp.metrics.scenario_risks : The risk in each scenario.

    Examples
    --------
    >>> from skdp.plots import RiskDisplay
    >>> display = RiskDisplay.from_risks({"before": [1.0, 0.5, 0.5], "after": [1 / 3] * 3}, {"leak": 0.3})
    >>> print(display.description())
    Risk that an attack is made and succeeds. Leak: highest 30 % before and 10 % after, mean 20 % before and 10 % after.
    >>> print(display.description(kind="bands"))
    At a risk of 1/2 or more, if attacked: 3 of 3 records (100 %) before, 0 of 3 (0 %) after.
    """

    def __init__(self, *, by_scenario, by_band):
        self.by_scenario = by_scenario
        self.by_band = by_band

    @classmethod
    def from_tables(cls, original: Any, released: Any, quasi_identifiers: Names = None, scenarios=None):
        """Return the display of the risks in a table and its release.

        Parameters
        ----------
        original, released : dataframe or array-like of shape (n_rows, n_columns)
            The table before and after; the numbers of rows may differ.
        quasi_identifiers : str or iterable of str, default=None
            The columns of `original` that an attacker knows, all by default. One that `released` lacks is of no use to
            the attacker there.
        scenarios : mapping of str to float, default=None
            By scenario, the probability that an attack is made, from 0 to 1; ``skdp.metrics.SCENARIOS`` by default.

        Returns
        -------
        display : RiskDisplay
            Not drawn yet.

        Raises
        ------
        ParameterError
            If a quasi-identifier is not in `original`, or a probability is none.
        """
        tables = {"before": original, "after": released}
        known = known_columns("RiskDisplay", tables, quasi_identifiers)
        risks = {name: _risk(table, known[name]) for name, table in tables.items()}
        return cls.from_risks(risks, scenarios)

    @classmethod
    def from_risks(cls, risks: Mapping[str, Any], scenarios: Mapping[str, float] | None = None):
        """Return the display of risks that have been measured.

        Parameters
        ----------
        risks : mapping of str to array-like of float of shape (n_records,)
            By table ("before", "after"), the risk of each record if an attack is made, from 0 to 1, such as
            `skdp.metrics.reidentification_risk` returns.
        scenarios : mapping of str to float, default=None
            By scenario, the probability that an attack is made, from 0 to 1; ``skdp.metrics.SCENARIOS`` by default.

        Returns
        -------
        display : RiskDisplay
            Not drawn yet.

        Raises
        ------
        ParameterError
            If `risks` is no mapping, or a probability is none.
        ValueError
            If a risk is not from 0 to 1.
        """
        if not isinstance(risks, Mapping) or not risks:
            raise invalid("RiskDisplay", "risks", type(risks).__name__, "a mapping of table names to risks")
        scenarios = SCENARIOS if scenarios is None else scenarios
        held = {name: np.asarray(risk, dtype=np.float64) for name, risk in risks.items()}
        weighed = {name: scenario_risks(risk, scenarios) for name, risk in held.items()}
        rows = [
            (scenario, probability, name, *_highest_and_mean(weighed[name][scenario]))
            for scenario, probability in scenarios.items()
            for name in held
        ]
        by_scenario = pd.DataFrame(rows, columns=["scenario", "probability", "table", "highest", "mean"])
        bands = {name: _in_bands(risk) for name, risk in held.items()}
        return cls(by_scenario=by_scenario, by_band=pd.DataFrame(bands, index=[*BANDS, LOWEST_BAND]))

    def plot(self, ax=None, *, kind="scenarios", **kwargs):
        """Draw bars: by scenario the mean risk, with a mark at the highest; or how many records are in each band.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        kind : {"scenarios", "bands"}, default="scenarios"
            What to draw.
        **kwargs : dict
            Passed on to matplotlib's ``Axes.barh`` or ``Axes.bar``.

        Returns
        -------
        display : RiskDisplay
            This display, with `ax_` and `figure_`.
        """
        check_option(self, "kind", kind, KINDS)
        with _drawing.styled() as plt:
            if kind == "bands":
                self._plot_bands(plt, ax, kwargs)
            else:
                self._plot_scenarios(plt, ax, kwargs)
        return self

    def table(self, kind="scenarios") -> pd.DataFrame:
        """Return the figures of the picture, risks and shares in percent.

        Parameters
        ----------
        kind : {"scenarios", "bands"}, default="scenarios"
            Which picture.

        Returns
        -------
        table : pandas.DataFrame
            One row for each scenario, or each band.
        """
        check_option(self, "kind", kind, KINDS)
        if kind == "bands":
            shares = (100 * self._band_shares()).round(2)
            parts = [self.by_band.add_prefix("records "), shares.add_prefix("share ").add_suffix(", %")]
            return pd.concat(parts, axis=1).rename_axis("risk, if attacked").reset_index()
        columns = {"attack scenario": self._scenarios(), "attack is made, %": self._measure("probability").iloc[:, 0]}
        for measure in ("highest", "mean"):
            columns |= {f"{measure} risk {name}, %": risks for name, risks in self._measure(measure).items()}
        return pd.DataFrame({
            name: one if name == "attack scenario" else (100 * one.to_numpy()).round(3) for name, one in columns.items()
        })  # fmt: skip

    def description(self, kind="scenarios") -> str:
        """Return in a sentence or two what is to be seen.

        Parameters
        ----------
        kind : {"scenarios", "bands"}, default="scenarios"
            Which picture.

        Returns
        -------
        text : str
            Fit for an alternative text.
        """
        check_option(self, "kind", kind, KINDS)
        if kind == "bands":
            shares, counts = self._band_shares().iloc[:2].sum(min_count=1), self.by_band.iloc[:2].sum()
            sizes = self.by_band.sum()
            parts = [
                f"{counts[name]:,} of {sizes[name]:,}{what} ({percent(shares[name])}) {plain(name)}"
                for what, name in zip([" records", *[""] * len(sizes)], self.by_band, strict=False)
            ]
            return "At a risk of 1/2 or more, if attacked: " + ", ".join(parts) + "."
        sentences = ["Risk that an attack is made and succeeds."]
        for scenario in self._scenarios():
            parts = [
                f"{measure} " + _drawing.listed([f"{percent(risk)} {plain(name)}" for name, risk in risks.items()])
                for measure, risks in ((one, self._measure(one).loc[scenario]) for one in ("highest", "mean"))
            ]
            name = plain(scenario)
            sentences.append(f"{name[:1].upper()}{name[1:]}: {', '.join(parts)}.")
        return " ".join(sentences)

    def _scenarios(self) -> list:
        return list(dict.fromkeys(self.by_scenario["scenario"]))

    def _measure(self, name) -> pd.DataFrame:
        """Return one measure, by scenario and table."""
        names = list(self.by_band)
        return self.by_scenario.pivot(index="scenario", columns="table", values=name).loc[self._scenarios(), names]

    def _band_shares(self) -> pd.DataFrame:
        return self.by_band / self.by_band.sum().replace(0, np.nan)

    def _plot_scenarios(self, plt, ax, kwargs):
        means, highest = 100 * self._measure("mean"), 100 * self._measure("highest")
        n_bars = means.size
        size = (_drawing.SIZE[0], max(_drawing.SIZE[1], 1.3 + 0.24 * n_bars))
        self.figure_, self.ax_ = _drawing.own_or_new(plt, ax, size)
        drawn = _drawing.bars(self.ax_, means, horizontal=True, **kwargs)
        for one, name in zip(drawn, means, strict=True):
            for bar, mean, top in zip(one, means[name], highest[name], strict=True):
                place = bar.get_y() + bar.get_height() / 2
                self.ax_.plot(
                    [mean, top], [place, place], color=bar.get_edgecolor(), linewidth=1, zorder=1.5, clip_on=False
                )
                text = f"{percent(mean / 100)}, {percent(top / 100)}" if top == top else "no records"
                self.ax_.text(103, place, text, va="center", clip_on=False)
            centres = [bar.get_y() + bar.get_height() / 2 for bar in one]
            options = {"color": one[0].get_edgecolor(), "edgecolor": "white"} if len(one) else {}
            self.ax_.scatter(
                highest[name], centres, marker="D", s=32, linewidth=0.6, zorder=3, clip_on=False, **options
            )
        self._label_scenarios(len(means))

    def _label_scenarios(self, n_scenarios):
        chances = self._measure("probability").iloc[:, 0]
        names = [f"{shown(name)}\n({percent(chance)} likely)" for name, chance in chances.items()]
        self.ax_.set_yticks(np.arange(n_scenarios), names)
        self.ax_.set(xlim=(0, 100), ylim=(n_scenarios - 0.5, -0.75), xlabel="risk of being re-identified, %")
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.grid(axis="x")
        self.ax_.text(103, -0.58, "mean, highest", va="center", fontweight="bold", clip_on=False)
        handles, labels = self.ax_.get_legend_handles_labels()
        mark = self.ax_.scatter([], [], marker="D", s=32, color="#777777")
        self.ax_.legend(
            [*handles, mark], [*(f"mean {label}" for label in labels), "highest"],
            loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles) + 1, borderaxespad=0.3,
        )  # fmt: skip

    def _plot_bands(self, plt, ax, kwargs):
        shares = 100 * self._band_shares()
        self.figure_, self.ax_ = _drawing.own_or_new(plt, ax)
        for drawn, name in zip(_drawing.bars(self.ax_, shares, **kwargs), shares, strict=True):
            texts = [f"{share:.0f}" if share >= 1 else "<1" * (share > 0) for share in shares[name]]
            self.ax_.bar_label(drawn, texts, padding=1)
        self.ax_.set_xticks(range(len(shares)), [name.replace(" (", "\n(") for name in shares.index])
        self.ax_.set(xlabel="risk of being re-identified, if attacked", ylabel="share of records, %")
        _drawing.finish_bars(self.ax_)


def _risk(table: Any, known: list) -> np.ndarray:
    return reidentification_risk(table, known) if len(_frames.read(table)) else np.zeros(0)


def _highest_and_mean(risk: np.ndarray) -> tuple[float, float]:
    return (float(risk.max()), float(risk.mean())) if len(risk) else (np.nan, np.nan)


def _in_bands(risk: np.ndarray) -> np.ndarray:
    """Return how many risks are in each band, the highest first; one between two bands counts in the higher."""
    floors = np.array(list(BANDS.values())) * (1 + 1e-9)
    return np.bincount((risk[:, None] <= floors).sum(axis=1), minlength=len(BANDS) + 1)
