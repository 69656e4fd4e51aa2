"""Privacy parameters searched like any other: released tables scored, the best safe one chosen, the cost told."""

import inspect
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import GridSearchCV, ParameterGrid, ParameterSampler, RandomizedSearchCV, check_cv
from sklearn.utils.validation import check_is_fitted

from skdp import _frames
from skdp._checks import ParameterError, check_columns, invalid
from skdp.accounting import rounded_up
from skdp.base import PrivacyTransformer
from skdp.binning import QuantileBinner
from skdp.ledger import PrivacyLedger
from skdp.pipeline import Pipeline
from skdp.private_search import PrivateSearchCV

__all__ = ["PrivateSearchCV", "ReleaseScorer", "SearchCost", "best_utility", "epsilon_spent", "search_cost"]


class ReleaseScorer:
    """A score of the table that a pipeline releases: its k, its risk, what is left of its utility.

    Parameters
    ----------
    metric : callable
        Called as ``metric(released, columns, **options)``, or without `columns` as ``metric(released, **options)``;
        returns a number, as `skdp.metrics.k_anonymity` does. Where its first parameter is called ``original``, as that
        of `skdp.metrics.granularity`, the rows at hand come first: ``metric(original, released, columns, **options)``.
    columns : str or list of str, default=None
        The quasi-identifiers, as they are called in the released table.
    step : str, default=None
        The name of the pipeline's step that releases the table. By default the last step of skdp: what comes behind it
        (encoders, a predictor) is done by those who have the table.
    **options : dict of str to object
        Passed on to `metric`.

    Raises
    ------
    ParameterError
        When called, if there is no such step or column, if the estimator releases no table, or if `metric` returns
        no number. An unknown column is named before anything is fitted or charged, where the names of all columns that
        the steps put out are known: not behind steps that are not skdp's, nor where bins of `skdp.QuantileBinner`
        become columns. There it is named once the table has been released, and charged.

    See Also
    --------
    best_utility : Chooses among candidates by such scores.

    Notes
    -----
    The table scored is the one that `fit_transform` releases, rows that are dropped left out, not the one that
    `transform` serves: a fresh copy of the pipeline's front is fitted to the rows at hand. Where its steps have a
    ledger, that is one more release, and charged; with `step` set to one in front of the noise it is free. A search
    takes an error of a scorer for a score that is missing, and charges its fits all the same; `search_cost` meets such
    an error first, and charges nothing.

    **k on a test fold means nothing.** A scorer is called with the rows of the test fold, which are fewer than those
    released and hold other classes. Search with ``return_train_score=True`` and read ``mean_train_…``; `best_utility`
    does. It is still the k of a part of the table: that of the table released in the end is usually larger, and must be
    counted again.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyClassifier
    >>> from skdp import QuantileBinner, make_pipeline
    >>> from skdp.metrics import k_anonymity
    >>> people = pd.DataFrame({"Age": [21, 22, 23, 24, 51, 52, 53, 54]})
    >>> model = make_pipeline(QuantileBinner(n_bins=2), DummyClassifier()).fit(people, [0, 1] * 4)
    >>> ReleaseScorer(k_anonymity, columns=["Age"])(model, people)
    4.0
    """

    def __init__(self, metric, columns=None, *, step=None, **options):
        self.metric = metric
        self.columns = columns
        self.step = step
        self.options = options

    def __repr__(self) -> str:
        given = [getattr(self.metric, "__name__", repr(self.metric))]
        given += [f"columns={self.columns!r}"] * (self.columns is not None)
        given += [f"step={self.step!r}"] * (self.step is not None)
        given += [f"{name}={value!r}" for name, value in self.options.items()]
        return f"ReleaseScorer({', '.join(given)})"

    def __call__(self, estimator, X, y=None) -> float:
        """Return the score of the table that a copy of `estimator` releases for `X`.

        Parameters
        ----------
        estimator : estimator
            A pipeline, `TrainOnKept`, or a step; fitted or not.
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target, for the steps that need it.

        Returns
        -------
        score : float
            What `metric` returns.
        """
        front = self._front(estimator)
        if _frames.is_frame(X):
            self._check_columns(_columns_out(front, list(X.columns)))
        released = _released(clone(front), X, y)
        self._check_columns(getattr(released, "columns", None))
        given = [X, released] if _compares(self.metric) else [released]
        if self.columns is not None:
            given.append([self.columns] if isinstance(self.columns, str) else list(self.columns))
        score = self.metric(*given, **self.options)
        if not isinstance(score, Real | np.number):
            name, kind = getattr(self.metric, "__name__", self.metric), type(score).__name__
            raise invalid(self, "metric", name, f"a function that returns a number, not {kind}")
        return float(score)

    def _check_columns(self, released):
        if self.columns is not None and released is not None:
            check_columns(self, "columns", self.columns, list(released))

    def _front(self, estimator):
        """Return the part of an estimator that releases the table."""
        if hasattr(estimator, "dropper"):  # TrainOnKept
            return estimator.dropper
        if not hasattr(estimator, "steps"):
            if self.step is None and hasattr(estimator, "fit_transform"):
                return estimator
            raise invalid(self, "step", self.step, f"None, and {type(estimator).__name__} a transformer or a pipeline")
        names = [name for name, _ in estimator.steps]
        if self.step is not None:
            check_columns(self, "step", self.step, names)
            return estimator[: names.index(self.step) + 1]
        last = max((i for i, (_, step) in enumerate(estimator.steps) if _is_ours(step)), default=None)
        if last is None:
            raise ParameterError("ReleaseScorer found no step of skdp in the pipeline; name the one that releases.")
        name, step = estimator.steps[last]
        return Pipeline([*estimator.steps[:last], (name, getattr(step, "dropper", step))])


def _columns_out(step: Any, columns: list) -> list | None:
    """Return the columns that a step, fitted or not, will put out when it is fitted anew; None where nobody knows."""
    if step is None or step == "passthrough":
        return columns
    if hasattr(step, "steps"):
        for _, one in step.steps:
            columns = None if columns is None else _columns_out(one, columns)
        return columns
    if not isinstance(step, PrivacyTransformer) or isinstance(step, QuantileBinner) and step.encode == "onehot":
        return None
    try:
        return step._columns_out(columns)
    except AttributeError:  # not fitted
        return None


def _released(front: Any, X: Any, y: Any) -> Any:
    if hasattr(front, "fit_release"):
        return front.fit_release(X, y)[0]
    return front.fit_transform(X) if y is None else front.fit_transform(X, y)


def _compares(metric: Any) -> bool:
    """Whether a metric takes the original table before the released one."""
    try:
        return next(iter(inspect.signature(metric).parameters), None) == "original"
    except (TypeError, ValueError):  # built in
        return False


def _is_ours(step: Any) -> bool:
    return any(isinstance(one, PrivacyTransformer) for one in _nested(step))


def epsilon_spent(estimator, X=None, y=None) -> float:
    """Return the ε that the steps of a fitted estimator spend each time they fit and release.

    Parameters
    ----------
    estimator : estimator
        A fitted step, pipeline, ColumnTransformer, or search, whose `best_estimator_` is taken.
    X, y : default=None
        Ignored; accepted so that this is a scorer.

    Returns
    -------
    epsilon : float
        The sum over the steps that have an `epsilon`, 0 or more; lower is better for privacy. It is ∞ where noise is
        seeded.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted: 0 would be taken for the truth.

    Notes
    -----
    This is what is taken from a budget, and no guarantee: a step that looks at data and has no `epsilon` (the edges of
    `QuantileBinner`, the fences of `OutlierDropper`) spends nothing, and yet protects nothing. What holds for the
    whole, `skdp.privacy_guarantee` tells. What a whole search has spent, its ledger tells.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp import LaplaceNoise, QuantileBinner, make_pipeline
    >>> people = pd.DataFrame({"Age": [24, 35, 71], "Debt": [2.5, 0.0, 7.5]})
    >>> steps = QuantileBinner(2, columns="Age"), LaplaceNoise(0.5, bounds={"Debt": (0, 50)})
    >>> epsilon_spent(make_pipeline(*steps).fit(people))
    0.5
    """
    check_is_fitted(estimator)
    guarantees = [
        step.privacy_guarantee_
        for step in _nested(estimator)
        if getattr(step, "epsilon", None) is not None and hasattr(step, "privacy_guarantee_")
    ]
    if any(not one.is_finite for one in guarantees):
        return math.inf
    return rounded_up(sum((one.epsilon for one in guarantees), Fraction(0)))


def _nested(estimator: Any) -> Iterator[Any]:
    """Yield an estimator and those inside it, fitted ones where there are."""
    yield estimator
    if isinstance(estimator, PrivateSearchCV):  # its ε is that of all inside
        return
    parts = getattr(estimator, "transformers_", None) or getattr(estimator, "transformers", [])
    parts = [one for _, one, _ in parts]
    parts += [one for _, one in [*getattr(estimator, "steps", []), *getattr(estimator, "transformer_list", [])]]
    for name in ("dropper", "estimator"):
        part = getattr(estimator, f"best_{name}_", getattr(estimator, f"{name}_", getattr(estimator, name, None)))
        parts += [part] * hasattr(part, "fit")
    for part in parts:
        if not isinstance(part, str) and part is not None:
            yield from _nested(part)


def best_utility(metric, *, at_least=None, at_most=None):
    """Return a `refit` that chooses the candidate of most utility among those that are safe enough.

    Parameters
    ----------
    metric : str
        The score to maximise, by its name in `scoring`; its mean over the test folds counts. "score" where there is one
        score only.
    at_least : dict of str to float, default=None
        The least that other scores must reach.
    at_most : dict of str to float, default=None
        The most that other scores may be.

    Returns
    -------
    refit : callable
        For GridSearchCV's `refit`: takes `cv_results_`, returns the position of the best candidate; picklable.

    Raises
    ------
    ParameterError
        When called, if there is no such score.
    ValueError
        When called, if no candidate reaches what is asked for: the nearest is named.

    Notes
    -----
    A limit must be kept in every fold, not in their mean. It is read from the train folds where the search was made
    with ``return_train_score=True``, as only these are like the table that is released (see `ReleaseScorer`); a name
    such as "test_recall" or "train_k" says which folds are meant.

    Examples
    --------
    >>> refit = best_utility("auc", at_least={"k": 5}, at_most={"epsilon": 10})
    >>> results = {
    ...     "params": [{"n_bins": 3}, {"n_bins": 5}, {"n_bins": 10}],
    ...     "mean_test_auc": [0.71, 0.74, 0.78], "split0_train_k": [9, 6, 2], "split0_test_epsilon": [5.0, 5.0, 5.0],
    ... }
    >>> results["params"][refit(results)]
    {'n_bins': 5}
    """
    return _BestUtility(metric, dict(at_least or {}), dict(at_most or {}))


@dataclass(frozen=True)
class _BestUtility:
    """Chooses a candidate from `cv_results_`; see `best_utility`."""

    metric: str
    at_least: Mapping[str, float]
    at_most: Mapping[str, float]

    def __repr__(self) -> str:
        limits = {"at_least": self.at_least, "at_most": self.at_most}
        given = [f"{name}={dict(one)!r}" for name, one in limits.items() if one]
        return f"best_utility({', '.join([repr(self.metric), *given])})"

    def __call__(self, cv_results: Mapping) -> int:
        utility = self._column(cv_results, f"mean_test_{self.metric}")
        short = self._shortfalls(cv_results)
        fine = (short <= 0).all(axis=0) & ~np.isnan(utility)
        if not fine.any():
            raise ValueError(self._none_reaches(cv_results, short, utility))
        return int(np.nanargmax(np.where(fine, utility, np.nan)))

    def _limits(self) -> list[tuple[str, float, str]]:
        least = [(name, limit, ">=") for name, limit in self.at_least.items()]
        return least + [(name, limit, "<=") for name, limit in self.at_most.items()]

    def _shortfalls(self, cv_results) -> np.ndarray:
        """Return by limit and candidate how far the worst fold is from it; 0 or less is within, NaN infinitely far."""
        rows = [np.zeros(len(cv_results["params"]))]
        for name, limit, relation in self._limits():
            worst = self._worst(cv_results, name, relation)
            rows.append(float(limit) - worst if relation == ">=" else worst - float(limit))
        return np.where(np.isnan(rows), np.inf, rows)

    def _worst(self, cv_results, name, relation) -> np.ndarray:
        """Return by candidate the worst fold's score."""
        folds = self._folds(cv_results, name)
        return folds.min(axis=0) if relation == ">=" else folds.max(axis=0)

    def _folds(self, cv_results, name) -> np.ndarray:
        wanted = [name] if name.startswith(("train_", "test_")) else [f"train_{name}", f"test_{name}"]
        for one in wanted:
            keys = [key for key in cv_results if key.startswith("split") and key.partition("_")[2] == one]
            if keys:
                return np.array([cv_results[key] for key in keys], dtype=float)
        raise self._unknown(cv_results, name)

    def _column(self, cv_results, key) -> np.ndarray:
        if key not in cv_results:
            raise self._unknown(cv_results, key.removeprefix("mean_test_"))
        return np.asarray(cv_results[key], dtype=float)

    def _unknown(self, cv_results, name) -> ParameterError:
        names = sorted(key.removeprefix("mean_test_") for key in cv_results if key.startswith("mean_test_"))
        return ParameterError(f"best_utility needs the score {name!r}, which is not among {', '.join(names)}.")

    def _none_reaches(self, cv_results, short, utility) -> str:
        wanted = " and ".join(f"{name} {relation} {float(limit):g}" for name, limit, relation in self._limits())
        worst = [(name, self._worst(cv_results, name, relation)) for name, _, relation in self._limits()]
        failed = [name for name, scores in [(self.metric, utility), *worst] if np.isnan(scores).all()]
        if failed:
            why = f"{failed[0]!r} is NaN for all, since their fits or scores failed; error_score='raise' shows why"
            return f"No candidate reaches {wanted or 'any score'}: {why}."
        scales = np.array([1.0, *(abs(float(limit)) or 1.0 for _, limit, _ in self._limits())])[:, None]
        far = (np.maximum(short, 0) / scales).sum(axis=0)
        nearest = int(np.nanargmin(np.where(np.isnan(utility), np.nan, far)))
        reached = ", ".join(f"{name} = {scores[nearest]:g}" for name, scores in worst)
        return f"No candidate reaches {wanted}. The nearest is {cv_results['params'][nearest]}, with {reached}."


@dataclass(frozen=True)
class SearchCost:
    """What a search will charge to the ledger.

    Attributes
    ----------
    fits : float
        ε of fitting every candidate to every train fold.
    scores : float
        ε of scoring them: rows served through noise, tables released again by `ReleaseScorer`.
    refit : float
        ε of the fit at the end: that of the dearest candidate, as the chosen one is not known yet.
    n_fits : int
        How many fits that is, the last included.
    """

    fits: float
    scores: float
    refit: float
    n_fits: int

    @property
    def epsilon(self) -> float:
        """The whole, at most."""
        return self.fits + self.scores + self.refit

    def __str__(self) -> str:
        parts = f"fits {self.fits:.6g}, scores {self.scores:.6g}, refit at most {self.refit:.6g}"
        return f"ε of at most {self.epsilon:.6g} for {self.n_fits} fits: {parts}"


def search_cost(search, X, y=None) -> SearchCost:
    """Return what a search would charge to the ledger, without charging it.

    Parameters
    ----------
    search : GridSearchCV or RandomizedSearchCV
        The search, not fitted. A RandomizedSearchCV needs an int as `random_state`, as other candidates have other
        costs.
    X : dataframe or array-like of shape (n_rows, n_columns)
        The table that will be searched on.
    y : array-like of shape (n_rows,), default=None
        The target.

    Returns
    -------
    cost : SearchCost
        The ε of the fits, scores and the refit. It is exact but for the refit, which is that of the dearest candidate.

    Raises
    ------
    ParameterError
        If candidates cannot be listed beforehand.

    Notes
    -----
    Each candidate is fitted and scored once, on all of `X`, with a ledger of its own that is thrown away, and nothing
    of that is returned but ε: so this takes about 1 / n_splits of the time of the search. Where any step has a ledger
    only those that do are counted, and otherwise those that have an `epsilon`. Fits that fail are counted as if they
    had not.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skdp import LaplaceNoise, make_pipeline
    >>> X, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
    >>> model = make_pipeline(LaplaceNoise(bounds=(0, 40)), LinearRegression())
    >>> print(search_cost(GridSearchCV(model, {"laplacenoise__epsilon": [0.5, 1]}, cv=5), X, y))
    ε of at most 32 for 11 fits: fits 15, scores 15, refit at most 2
    """
    candidates = _candidates(search)
    folds = check_cv(search.cv, y, classifier=is_classifier(search.estimator))
    n_splits = folds.get_n_splits(X, y)
    served = n_splits * (1 + bool(search.return_train_score))
    costs = np.array([_rehearsed(search, candidate, X, y) for candidate in candidates])
    return SearchCost(
        fits=float(costs[:, 0].sum() * n_splits),
        scores=float(costs[:, 1].sum() * served),
        refit=float(costs[:, 0].max()) if search.refit else 0.0,
        n_fits=len(candidates) * n_splits + bool(search.refit),
    )


def _candidates(search) -> list[dict]:
    if isinstance(search, GridSearchCV):
        return list(ParameterGrid(search.param_grid))
    if isinstance(search, RandomizedSearchCV) and isinstance(search.random_state, int):
        return list(ParameterSampler(search.param_distributions, search.n_iter, random_state=search.random_state))
    raise ParameterError(
        "search_cost needs a GridSearchCV, or a RandomizedSearchCV with an int as 'random_state'. "
        f"Got {type(search).__name__} instead."
    )


def _rehearsed(search, candidate: Mapping, X, y) -> tuple[float, float]:
    """Return the ε of one fit of a candidate, and of one round of scores."""
    model = clone(search.estimator).set_params(**_cloned(candidate))
    ledger = PrivacyLedger()
    model.set_params(**dict.fromkeys(_charged(model), ledger))
    model.fit(X, y)
    fitted = ledger.spent
    check_scoring(model, search.scoring)(model, X, y)
    return fitted, ledger.spent - fitted if fitted < math.inf else fitted


def _charged(model) -> list[str]:
    """Return the names of the `ledger` parameters that count."""
    params = model.get_params()
    names = [name for name in params if name.rpartition("__")[2] == "ledger"]
    own = [name for name in names if params[name] is not None]
    return own or [name for name in names if params.get(name.removesuffix("ledger") + "epsilon") is not None]


def _cloned(candidate: Mapping) -> dict:
    """Return a candidate's parameters, estimators among them cloned: a search may name one estimator twice."""
    return {name: clone(value, safe=False) for name, value in candidate.items()}
