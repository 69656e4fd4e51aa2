"""What safety costs: the candidates of a search by utility and risk, the best of them, and the chosen one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from skdp._checks import ParameterError, check_option, nearest
from skdp.plots import _drawing
from skdp.plots._drawing import shown

MOST_TICKS = 40  # different risks beyond which ticks are matplotlib's
SAFER_HIGH = {"k", "l", "k_anonymity", "l_diversity"}


class PrivacyUtilityDisplay:
    """What each candidate of a search gives in utility and costs in risk, with the best ones and the one chosen.

    Make it with `from_search`.

    Parameters
    ----------
    candidates : pandas.DataFrame of shape (n_candidates, 8)
        "candidate" (str, its parameters), "utility" and "risk" (means over folds), "utility_low", "utility_high",
        "risk_low", "risk_high" (of the lowest and the highest fold), and "on_frontier" (bool): whether no other
        candidate is better in one and at least as good in the other.
    chosen : int or None
        The position of the candidate that the search has chosen.
    utility_name, risk_name : str
        What they are called.
    safer : {"lower", "higher"}
        Which risk is the safer one.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that `plot` has drawn on.
    figure_ : matplotlib Figure
        The figure that holds them.

    See Also
    --------
    skdp.model_selection.best_utility : Chooses a candidate by both.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdp import LaplaceNoise, make_pipeline
    >>> from skdp.plots import PrivacyUtilityDisplay
    >>> X, y = np.arange(400.0).reshape(200, 2), np.arange(200.0)
    >>> model = make_pipeline(LaplaceNoise(bounds=(0, 400), random_state=0), LinearRegression())
    >>> search = GridSearchCV(model, {"laplacenoise__epsilon": [0.5, 2, 8]}, cv=4, error_score="raise").fit(X, y)
    >>> display = PrivacyUtilityDisplay.from_search(search)
    >>> display.candidates["candidate"].tolist()
    ['epsilon = 0.5', 'epsilon = 2', 'epsilon = 8']
    >>> display.chosen
    2
    """

    def __init__(self, *, candidates, chosen, utility_name, risk_name, safer):
        self.candidates = candidates
        self.chosen = chosen
        self.utility_name = utility_name
        self.risk_name = risk_name
        self.safer = safer

    @classmethod
    def from_search(cls, search: Any, utility: str | None = None, risk: str | None = None, *, safer: str | None = None):
        """Return the display of a fitted search.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or another with `cv_results_`
            The search, fitted. The chosen point is left out where its `refit` is False.
        utility : str, default=None
            The score that higher is better of, by its name in `scoring`. By default that of `refit` where it names one,
            as `skdp.model_selection.best_utility` does, or the only one.
        risk : str, default=None
            The score, by its name in `scoring`, or a numeric parameter of the candidates, by its full name or its last
            part. A score is read from the train folds where the search was made with ``return_train_score=True``, as
            those are like the table that is released. By default "epsilon", or the first limit of `best_utility` where
            the search has no "epsilon".
        safer : {"lower", "higher"}, default=None
            Which risk is the safer one. By default what `best_utility` wants of it: "higher" where it is to be at
            least, "lower" where it is to be at most something; and without, "higher" for k and l, "lower" for all
            others.

        Returns
        -------
        display : PrivacyUtilityDisplay
            Not drawn yet.

        Raises
        ------
        ParameterError
            If the search is not fitted, keeps no `cv_results_`, or has no such score or parameter.
        """
        results = getattr(search, "cv_results_", None)
        if results is None:
            name = type(search).__name__
            raise ParameterError(
                "PrivacyUtilityDisplay needs a fitted search with 'cv_results_'; call its fit first. PrivateSearchCV "
                f"has none even then, since it would tell more than was paid for. Got {name} instead."
            )
        utility = _default_utility(search, results) if utility is None else utility
        wanted = _limits(search)
        risk = _default_risk(results, wanted) if risk is None else risk
        if safer is None:
            safer = wanted.get(risk, "higher" if risk in SAFER_HIGH else "lower")
        check_option(cls.__name__, "safer", safer, ("lower", "higher"))
        candidates = pd.DataFrame({"candidate": _named(results["params"])})
        columns = "utility", "utility_low", "utility_high"
        candidates[[*columns]] = np.column_stack(
            _score(results, utility, "test") or _unknown(results, "utility", utility)
        )
        found = _score(results, risk, "train", "test") or _parameter(results, risk)
        columns = "risk", "risk_low", "risk_high"
        candidates[[*columns]] = np.column_stack(found or _unknown(results, "risk", risk))
        sign = 1 if safer == "lower" else -1
        candidates["on_frontier"] = _undominated(candidates["utility"].to_numpy(), sign * candidates["risk"].to_numpy())
        refitted = getattr(search, "refit", True) is not False
        chosen = int(search.best_index_) if refitted and hasattr(search, "best_index_") else None
        return cls(candidates=candidates, chosen=chosen, utility_name=utility, risk_name=risk, safer=safer)

    def plot(self, ax=None, **kwargs):
        """Draw each candidate as a point with its folds' spread, the frontier as a line, the chosen one as a star.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **kwargs : dict
            Passed on to matplotlib's ``Axes.errorbar``, which draws the candidates.

        Returns
        -------
        display : PrivacyUtilityDisplay
            This display, with `ax_` and `figure_`.
        """
        with _drawing.styled() as plt:
            self.figure_, self.ax_ = _drawing.own_or_new(plt, ax)
            places, without_limit = self._places()
            self._plot_candidates(places, kwargs)
            self._plot_frontier(places)
            self._plot_chosen(places)
            direction = "the further left, the safer" if self.safer == "lower" else "the further right, the safer"
            name = "ε" if _last(self.risk_name) == "epsilon" else shown(self.risk_name)
            self.ax_.set(xlabel=f"{name} ({direction})", ylabel=f"{shown(self.utility_name)} (higher is better)")
            self._scale_risk(places, without_limit)
            self.ax_.margins(0.08)
            self.ax_.grid()
            self.ax_.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1, borderaxespad=0.3)
        return self

    def table(self) -> pd.DataFrame:
        """Return the figures of the picture, the safest candidate first.

        Returns
        -------
        table : pandas.DataFrame
            One row for each candidate: its parameters, means over folds, the lowest and the highest fold's, whether it
            is on the frontier, and whether it was chosen.
        """
        own = self.candidates
        order = np.argsort(own["risk"] if self.safer == "lower" else -own["risk"], kind="stable")
        names = {"utility": str(self.utility_name), "risk": str(self.risk_name)}
        columns = {"candidate": own["candidate"]}
        for kind, name in names.items():
            for ending, what in (("", "mean"), ("_low", "lowest fold"), ("_high", "highest fold")):
                columns[f"{name}, {what}"] = own[kind + ending].map(lambda value: float(f"{value:.4g}"))
        columns["on the frontier"] = own["on_frontier"]
        columns["chosen"] = np.arange(len(own)) == (-1 if self.chosen is None else self.chosen)
        return pd.DataFrame(columns).iloc[order].reset_index(drop=True)

    def description(self) -> str:
        """Return in a sentence or two what is to be seen.

        Returns
        -------
        text : str
            Fit for an alternative text.
        """
        own, count = self.candidates, len(self.candidates)
        frontier = int(own["on_frontier"].sum())
        utility, risk = _drawing.plain(self.utility_name), _drawing.plain(self.risk_name)
        text = (
            f"{count} candidate{'s' * (count != 1)} by {utility} and {risk}, {frontier} of them on the frontier, where "
            "no other is both safer and better."
        )
        if self.chosen is None:
            return f"{text} None was chosen."
        one = own.iloc[self.chosen]
        figures = f"{utility} {one['utility']:.3g} and {risk} {_spelled(one['risk'])}"
        return f"{text} Chosen: {_drawing.plain(one['candidate'])}, with {figures}."

    def _places(self) -> tuple[np.ndarray, bool]:
        """Return where each candidate stands, those of infinite risk beyond the others, and whether there are such."""
        risk = self.candidates["risk"].to_numpy(dtype=float)
        infinite = np.isinf(risk)
        finite = risk[np.isfinite(risk)]
        beyond = finite.max() * 4 if len(finite) and finite.max() > 0 else 1.0
        return np.where(infinite, beyond, risk), bool(infinite.any())

    def _scale_risk(self, places, without_limit):
        """Scale the axis of the risk, with a tick at each candidate's for which there is room."""
        ticks = np.unique(places[np.isfinite(places)])
        if not len(ticks):
            return
        is_log = ticks[0] > 0 and (_last(self.risk_name) == "epsilon" or ticks[-1] >= 20 * ticks[0])
        if is_log:
            self.ax_.set_xscale("log")
        if len(ticks) <= MOST_TICKS or without_limit:
            at = np.log(ticks) if is_log else ticks
            kept = _spaced(at, np.ptp(at) / 12)
            names = [f"{tick:.3g}" for tick in ticks[kept]]
            if without_limit:
                names[-1] = "∞"
            self.ax_.set_xticks(ticks[kept], names)
            self.ax_.minorticks_off()
        elif is_log:
            self.ax_.xaxis.set_major_formatter("{x:g}")

    def _plot_candidates(self, places, kwargs):
        own = self.candidates
        # candidates of infinite risk have no spread that could be drawn
        low, high = (np.where(np.isfinite(own[one]), own[one], places) for one in ("risk_low", "risk_high"))
        spread = [np.abs(own["utility"] - own["utility_low"]), np.abs(own["utility_high"] - own["utility"])]
        options = {
            "fmt": "o", "markersize": 5, "color": "#56B4E9", "markeredgecolor": "#0072B2", "ecolor": _drawing.PALE,
            "elinewidth": 1, "capsize": 2, "label": "candidate: mean, lowest and highest fold", "zorder": 2,
        }  # fmt: skip
        across = np.maximum([places - low, high - places], 0)
        self.ax_.errorbar(places, own["utility"], yerr=spread, xerr=across, **{**options, **kwargs})

    def _plot_frontier(self, places):
        own = self.candidates[self.candidates["on_frontier"]]
        where = places[self.candidates["on_frontier"].to_numpy()]
        order = np.argsort(where, kind="stable")
        self.ax_.plot(
            where[order], own["utility"].to_numpy()[order], color="#0072B2", linewidth=1.5, marker="o", markersize=6,
            drawstyle="steps-post" if self.safer == "lower" else "steps-pre", zorder=3,
            label="frontier: no other is both safer and better",
        )  # fmt: skip

    def _plot_chosen(self, places):
        if self.chosen is None or not np.isfinite(places[self.chosen]):
            return
        one = self.candidates.iloc[self.chosen]
        self.ax_.plot(
            places[self.chosen], one["utility"], marker="*", markersize=15, linestyle="none", zorder=4,
            color=_drawing.ACCENT, markeredgecolor="white", label=f"chosen: {shown(one['candidate'], 60)}",
        )  # fmt: skip


def _spaced(places: np.ndarray, least: float) -> list[int]:
    """Return the positions, the last among them, of rising places that are `least` apart.

    Examples
    --------
    >>> _spaced(np.array([1.0, 5, 5.5, 9]), 1)
    [0, 2, 3]
    """
    kept = [len(places) - 1]
    for position in range(len(places) - 2, -1, -1):
        if places[kept[-1]] - places[position] >= least:
            kept.append(position)
    return kept[::-1]


def _default_utility(search: Any, results: Mapping) -> str:
    names = _scores(results)
    refit = getattr(search, "refit", None)
    if isinstance(refit, str):
        return refit
    metric = getattr(refit, "metric", None)  # of best_utility
    if isinstance(metric, str) and metric in names:
        return metric
    if len(names) == 1:
        return names[0]
    found = ", ".join(names)
    raise ParameterError(f"PrivacyUtilityDisplay needs 'utility', the name of one of the scores {found}.")


def _limits(search: Any) -> dict[str, str]:
    """Return the scores that a search's `best_utility` sets limits to, and which side of each is the safer one."""
    refit = getattr(search, "refit", None)
    sides = (("at_most", "lower"), ("at_least", "higher"))
    given = [(name, side) for limit, side in sides for name in getattr(refit, limit, None) or ()]
    return {name.removeprefix("train_").removeprefix("test_"): side for name, side in given}


def _default_risk(results: Mapping, limits: Mapping[str, str]) -> str:
    if _score(results, "epsilon", "test") or _parameter(results, "epsilon") or not limits:
        return "epsilon"
    return next(iter(limits))


def _scores(results: Mapping) -> list[str]:
    return [key.removeprefix("mean_test_") for key in results if key.startswith("mean_test_")]


def _score(results: Mapping, name: str, *folds: str) -> tuple | None:
    """Return a score's mean over folds, and that of the lowest and of the highest fold; None where there is none."""
    for fold in folds:
        own = [
            np.asarray(results[key], dtype=float)
            for key in results
            if key.startswith("split") and key.partition("_")[2] == f"{fold}_{name}"
        ]
        if own:
            return np.mean(own, axis=0), np.min(own, axis=0), np.max(own, axis=0)
    return None


def _parameter(results: Mapping, name: str) -> tuple | None:
    """Return a numeric parameter of the candidates, given by its name or its last part; None where there is none."""
    every = {parameter for candidate in results["params"] for parameter in candidate}
    fitting = [one for one in every if one == name] or [one for one in every if _last(one) == name]
    if len(fitting) != 1:
        return None
    try:
        values = np.array([candidate.get(fitting[0], np.nan) for candidate in results["params"]], dtype=float)
    except (TypeError, ValueError):
        return None
    return values, values, values


def _unknown(results: Mapping, parameter: str, name: str) -> tuple:
    others = sorted({*_scores(results), *(key for candidate in results["params"] for key in candidate)})
    raise ParameterError(
        f"PrivacyUtilityDisplay found no {name!r} (parameter {parameter!r}) among the scores and numeric parameters "
        f"of the search: {', '.join(others)}{nearest(name, others)}"
    )


def _named(candidates: list) -> list[str]:
    """Return what each candidate sets, by the last part of parameters' names where these differ."""
    every = {name for candidate in candidates for name in candidate}
    short = {name: _last(name) for name in every}
    doubled = {last for last in short.values() if list(short.values()).count(last) > 1}
    names = {name: name if last in doubled else last for name, last in short.items()}
    return [
        ", ".join(f"{names[name]} = {_spelled(value)}" for name, value in candidate.items()) or "as given"
        for candidate in candidates
    ]


def _last(name: str) -> str:
    return str(name).rpartition("__")[2]


def _spelled(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def _undominated(utility: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """Return which candidates no other one beats in one thing without losing in the other; lower risk is safer."""
    best = np.zeros(len(utility), dtype=bool)
    known = ~np.isnan(utility) & ~np.isnan(risk)
    reached = -np.inf
    for level in np.unique(risk[known]):
        here = known & (risk == level)
        top = utility[here].max()
        if top > reached:
            best |= here & (utility == top)
            reached = top
    return best
