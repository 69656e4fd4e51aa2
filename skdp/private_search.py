"""A search whose choice is private, too: the best of a random number of trials."""

import functools
import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from numbers import Real

import numpy as np
from scipy.optimize import brentq
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.model_selection import ParameterSampler, train_test_split
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skdp._checks import check_integer, invalid
from skdp._documentation import DocumentedMixin
from skdp._rationals import rational
from skdp._trials import Promise, TrialLedger, check_affordable, without_a_trace
from skdp.accounting import PrivacyGuarantee
from skdp.guarantees import releases
from skdp.ledger import PrivacyLedger, set_ledger
from skdp.mechanisms import KeyStream, bernoulli, secure_source, seeded_source


def _best_has(method):
    return available_if(lambda search: hasattr(getattr(search, "best_estimator_", search.estimator), method))


class PrivateSearchCV(DocumentedMixin, MetaEstimatorMixin, BaseEstimator):
    """The best of some candidates, with an ε that holds for the choice as well as for the model.

    However many candidates there are, the winner costs 2 + `shape` times the ε of one trial, where an ordinary search
    costs the sum over all candidates and folds.

    Parameters
    ----------
    estimator : estimator
        A pipeline in which every column that reaches the predictor, or tells which rows are kept, has been noised; or
        one of transformers that puts out noised columns alone.
    param_distributions : dict of str to list or distribution, or list of such dicts
        The candidates, as for RandomizedSearchCV. Each trial draws one, all equally likely if lists are given.
    epsilon : float, Fraction or Decimal
        The ε of the whole search. A trial, and so each candidate, may spend epsilon / (2 + shape).
    delta : float, Fraction or Decimal, default=0
        The δ of the whole search. It must be positive where candidates have Gaussian noise.
    n_trials : int, default=10
        How many trials there are on average, at least 2. Their number is random.
    shape : float, Fraction or Decimal, default=0
        The shape η of its distribution, from 0 (the logarithmic distribution) to 1 (the geometric one). The less, the
        cheaper, and the more often there are very few trials or very many.
    scoring : str or callable, default=None
        What the best has most of: one score, as for GridSearchCV. By default the estimator's own. A callable of your
        own must see the rows through the estimator alone, as the scorers of scikit-learn do: what it reads of them
        directly is not private.
    test_size : float, default=0.25
        The share of the rows that trials are scored on, from 0 to 1, both left out. The rows are drawn once, and models
        are trained on the others.
    ledger : PrivacyLedger, default=None
        What the whole search is charged to, before the first trial; the steps' own ledgers are left alone.
    random_state : int, default=None
        None draws the rows, the candidates and the number of trials from a secure source. An int repeats them, for
        tests: there is no privacy then.

    Attributes
    ----------
    best_estimator_ : estimator
        The winner, as it was fitted in its trial; it is not fitted again, which would cost as much again.
    best_params_ : dict
        Its parameters.
    best_score_ : float
        Its score on the rows left out.
    privacy_guarantee_ : PrivacyGuarantee
        What holds for the three together, for all columns of the table: none is released without noise. Its
        conditions are those of the search and of the winner's steps.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if a parameter is none of the above.
    ValueError
        By `fit`, if a candidate has no finite ε (the message says why) or more than a trial may spend, or if a column
        shows without noise in what it releases.
    BudgetExceededError
        By `fit`, if `ledger` has less left; nothing is drawn then.

    See Also
    --------
    skdp.model_selection.search_cost : What an ordinary search costs.

    Notes
    -----
    Liu and Talwar, *Private selection from private candidates* (STOC 2019), and Papernot and Steinke, *Hyperparameter
    tuning with Rényi differential privacy* (ICLR 2022), whose truncated negative binomial distribution this is: if each
    trial is ε-differentially private, the best of K trials is (2 + η) ε-differentially private, where K is drawn from
    that distribution. K must stay unknown: neither it nor anything of the other trials is kept, in memory or on disk.
    So nothing of a trial is cached (``memory=`` is None in the winner), steps run in this process alone (joblib's
    workers are threads), and what is warned of is what the winner warned of. K can still be guessed from how long `fit`
    took, and from what steps and scorers of your own print or write.

    A record is either trained or scored on, so that a trial costs what one fit costs, or one scoring if that is more. A
    trial that raises ends the search, which is as private as a winner: it is as if failing were the highest score.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skdp import LaplaceNoise, make_pipeline
    >>> X, y = np.arange(400.0).reshape(200, 2), np.arange(200.0)
    >>> model = make_pipeline(LaplaceNoise(1, bounds=(0, 400)), LinearRegression())
    >>> search = PrivateSearchCV(model, {"linearregression__fit_intercept": [True, False]}, epsilon=4).fit(X, y)
    >>> float(search.privacy_guarantee_.epsilon)
    4.0
    """

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        epsilon,
        delta=0,
        n_trials=10,
        shape=0,
        scoring=None,
        test_size=0.25,
        ledger=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.param_distributions = param_distributions
        self.epsilon = epsilon
        self.delta = delta
        self.n_trials = n_trials
        self.shape = shape
        self.scoring = scoring
        self.test_size = test_size
        self.ledger = ledger
        self.random_state = random_state

    def fit(self, X, y=None):
        """Run the trials, and keep the best.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target. It is taken for public: noise on it is not the pipeline's business.

        Returns
        -------
        self : PrivateSearchCV
            The fitted search.
        """
        epsilon, delta, shape = self._checked()
        validate_data(self, X, skip_check_array=True)
        source = secure_source() if self.random_state is None else seeded_source(self.random_state, "PrivateSearchCV")
        guarantee = self._guarantee(epsilon, delta)
        if self.ledger is not None:
            self.ledger.charge(guarantee, estimator=type(self).__name__, rows=len(X), purpose="private search")
        rng = np.random.RandomState(source.words(8, np.uint32))
        parts = train_test_split(*([X] if y is None else [X, y]), test_size=self.test_size, random_state=rng)
        split = (*parts, None, None) if y is None else tuple(parts)
        mean = mean_number_of_trials(float(_stopping_probability(self.n_trials, shape)), float(shape))
        promise = Promise(epsilon, delta, shape, mean)
        score, self.best_params_, model, warned = best_of_random_number(
            lambda: self._trial(split, rng, promise), self.n_trials, shape, source
        )
        for one in warned:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        self.best_score_ = score if score > -math.inf else math.nan
        self.best_estimator_ = set_ledger(model, self.ledger)
        taken = [condition for part in releases(model) for condition in part.conditions]
        self.privacy_guarantee_ = replace(guarantee, conditions=tuple(dict.fromkeys([*guarantee.conditions, *taken])))
        return self

    @property
    def classes_(self):
        """The classes, if the estimator is a classifier."""
        return self._best().classes_

    @_best_has("predict")
    def predict(self, X):
        """Return the winner's predictions; its steps that draw noise do so for these rows, and charge the ledger.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.

        Returns
        -------
        y : ndarray of shape (n_rows,)
            One prediction for each row.
        """
        return self._best().predict(X)

    @_best_has("predict_proba")
    def predict_proba(self, X):
        """Return the probability of each class, as `predict` does.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.

        Returns
        -------
        probabilities : ndarray of float64 of shape (n_rows, n_classes)
            In the order of `classes_`.
        """
        return self._best().predict_proba(X)

    @_best_has("decision_function")
    def decision_function(self, X):
        """Return the winner's confidence, as `predict` does.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.

        Returns
        -------
        confidence : ndarray of float64 of shape (n_rows,) or (n_rows, n_classes)
            As the winner's predictor returns it.
        """
        return self._best().decision_function(X)

    @_best_has("transform")
    def transform(self, X):
        """Return the table as the winner transforms it.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.

        Returns
        -------
        X_out : table of shape (n_rows, n_columns_out)
            The transformed rows.
        """
        return self._best().transform(X)

    def score(self, X, y=None):
        """Return the score of the winner on other rows, by `scoring`.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.
        y : array-like of shape (n_rows,), default=None
            The target.

        Returns
        -------
        score : float
            Higher is better.
        """
        return check_scoring(self.estimator, self.scoring)(self._best(), X, y)

    def _best(self):
        check_is_fitted(self)
        return self.best_estimator_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "best_estimator_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type, tags.classifier_tags = inner.estimator_type, inner.classifier_tags
        tags.regressor_tags, tags.transformer_tags = inner.regressor_tags, inner.transformer_tags
        tags.input_tags, tags.target_tags = inner.input_tags, inner.target_tags
        return tags

    def _trial(self, split, rng, promise) -> tuple:
        """Fit and score one candidate; return its score, parameters, model and warnings."""
        X_train, X_test, y_train, y_test = split
        params = next(iter(ParameterSampler(self.param_distributions, 1, random_state=rng)))
        model = clone(self.estimator).set_params(**{name: clone(value, safe=False) for name, value in params.items()})
        fitting, serving = TrialLedger(), TrialLedger()
        with without_a_trace(model) as warned:
            set_ledger(model, fitting).fit(X_train, y_train)
            score = check_scoring(model, self.scoring)(set_ledger(model, serving), X_test, y_test)
            if not isinstance(score, Real):
                raise ValueError(
                    f"The 'scoring' of PrivateSearchCV must return one number. Got {type(score).__name__} instead: "
                    "take the one score that the best has most of."
                )
            check_affordable(self, promise, model, params, (fitting, serving))
        return -math.inf if math.isnan(score) else float(score), params, model, warned

    def _guarantee(self, epsilon, delta) -> PrivacyGuarantee:
        seeded = ("the search is seeded: whoever knows random_state knows the number of trials",)
        reasons = seeded if self.random_state is not None else ()
        return PrivacyGuarantee(
            math.inf if reasons else epsilon,
            delta=Fraction(0) if reasons else delta,
            columns=self._columns(),
            scope="central",
            reasons=reasons,
            conditions=(
                "the target is public",
                "how long the search took, and what its steps printed, stays unknown",
                "what any candidate takes for granted holds",
                *["'scoring' sees the rows through the estimator alone"] * self._scores_by_own_code(),
            ),
        )

    def _columns(self) -> tuple[str, ...]:
        numbered = [f"x{number}" for number in range(getattr(self, "n_features_in_", 0))]
        return tuple(getattr(self, "feature_names_in_", numbered))

    def _scores_by_own_code(self) -> bool:
        return callable(self.scoring) and not type(self.scoring).__module__.startswith("sklearn.")

    def _checked(self) -> tuple[Fraction, Fraction, Fraction]:
        """Return ε, δ and η as exact numbers."""
        exact = {name: rational(getattr(self, name)) for name in ("epsilon", "delta", "shape")}
        if exact["epsilon"] is None or exact["epsilon"] <= 0:
            raise invalid(self, "epsilon", self.epsilon, "a positive number")
        if exact["delta"] is None or not 0 <= exact["delta"] < 1:
            raise invalid(self, "delta", self.delta, "a number from 0 to 1, 1 left out")
        if exact["shape"] is None or not 0 <= exact["shape"] <= 1:
            raise invalid(self, "shape", self.shape, "a number from 0 to 1")
        check_integer(self, "n_trials", self.n_trials, low=2)
        size = rational(self.test_size)
        if size is None or not 0 < size < 1:
            raise invalid(self, "test_size", self.test_size, "a share between 0 and 1")
        if self.random_state is not None:
            check_integer(self, "random_state", self.random_state, low=0)
        if self.ledger is not None and not isinstance(self.ledger, PrivacyLedger):
            raise invalid(self, "ledger", self.ledger, "a PrivacyLedger or None")
        is_known = isinstance(self.scoring, str) and self.scoring in get_scorer_names()
        if self.scoring is not None and not callable(self.scoring) and not is_known:
            raise invalid(self, "scoring", self.scoring, "None, the name of one score of scikit-learn, or a callable")
        return exact["epsilon"], exact["delta"], exact["shape"]


def best_of_random_number(trial: Callable[[], tuple], mean: int, shape: Fraction, source: KeyStream) -> tuple:
    """Return the outcome with the highest first entry, of a random number of trials; of equals the first.

    Parameters
    ----------
    trial : callable
        Runs one trial, and returns its score and whatever belongs to it.
    mean : int
        How many trials there are on average, about.
    shape : Fraction
        The η of their distribution, from 0 to 1.
    source : KeyStream
        Random bits.

    Returns
    -------
    outcome : tuple
        What the best trial returned.

    Examples
    --------
    >>> best_of_random_number(lambda: (0.7, "a model"), 10, Fraction(0), secure_source())
    (0.7, 'a model')
    """
    best = trial()
    for _ in range(random_number_of_trials(_stopping_probability(mean, shape), shape, source) - 1):
        outcome = trial()
        best = outcome if outcome[0] > best[0] else best
    return best


def random_number_of_trials(stop: Fraction, shape: Fraction, source: KeyStream) -> int:
    """Draw from the truncated negative binomial distribution, exactly.

    Its probabilities are proportional to (1 - γ)^k times the product of (l + η) / (l + 1) over all l from 1 to k - 1
    (Papernot and Steinke 2022, definition of D(η, γ)): the first factor is geometric, and the second, which is at most
    1, is the probability to keep such a draw.

    Parameters
    ----------
    stop : Fraction
        The probability γ with which the geometric draw ends at each trial; between 0 and 1.
    shape : Fraction
        The η of the distribution, from 0 to 1.
    source : KeyStream
        Random bits.

    Returns
    -------
    count : int
        The number of trials, at least 1.

    Examples
    --------
    >>> random_number_of_trials(Fraction(1), Fraction(0), secure_source())
    1
    """
    while True:
        count = 1
        while not bernoulli(1, stop, source=source)[0]:
            count += 1
        kept = math.prod((earlier + shape) / (earlier + 1) for earlier in range(1, count))
        if bernoulli(1, kept, source=source)[0]:
            return count


def mean_number_of_trials(stop: float, shape: float) -> float:
    """Return the mean of the distribution that `random_number_of_trials` draws from.

    Parameters
    ----------
    stop : float
        The probability γ, between 0 and 1.
    shape : float
        The parameter η, from 0 to 1.

    Returns
    -------
    mean : float
        The mean, at least 1.

    Examples
    --------
    >>> round(mean_number_of_trials(0.1, 1.0), 4)
    10.0
    >>> round(mean_number_of_trials(0.5, 0.0), 4)
    1.4427
    """
    if shape == 0:
        return (1 / stop - 1) / math.log(1 / stop)
    return shape * (1 - stop) / (stop * (1 - stop**shape))


@functools.lru_cache
def _stopping_probability(mean: int, shape: Fraction) -> Fraction:
    """Return γ for a mean number of trials; what is proven does not depend on how well it fits."""
    if shape == 1:
        return Fraction(1, mean)
    found = brentq(lambda log: mean_number_of_trials(math.exp(log), float(shape)) - mean, -40, -1e-9)
    return Fraction(math.exp(found)).limit_denominator(10**9)
