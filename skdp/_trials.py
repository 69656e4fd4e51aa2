"""One trial of a private search: it leaves no trace of itself, and may not spend more than the search can vouch for."""

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from joblib import parallel_config

from skdp._checks import invalid
from skdp.accounting import PrivacyGuarantee, compose, select_best
from skdp.guarantees import bare_columns, privacy_guarantee, releases
from skdp.ledger import PrivacyLedger


class TrialLedger(PrivacyLedger):
    """What one trial spends, counted in memory: files, even deleted ones, would tell how many trials there were."""

    def __init__(self):
        self.epsilon = self.delta = None
        self._charged = []

    def charge(self, guarantee, *, estimator, rows, purpose):
        """Count what is about to be released."""
        if rows:
            self._charged.append((str(estimator), guarantee))

    def composed(self, delta=None, *, method="rdp") -> PrivacyGuarantee:
        """Return what all charges together give each record."""
        return compose([guarantee for _, guarantee in self._charged], delta=delta, method=method)

    def times(self) -> Counter:
        """Return how often what was charged."""
        return Counter((who, one.columns, one.epsilon, one.delta) for who, one in self._charged)

    def __repr__(self):
        return "PrivacyLedger()"

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)

    def __reduce__(self):
        raise ValueError(
            "PrivateSearchCV counts what a trial spends in one process, and a step was about to go to another. Set its "
            "'n_jobs' to None, or leave its choice of workers to joblib."
        )


@dataclass(frozen=True)
class Promise:
    """What a search has promised: its ε and δ, and the distribution of its number of trials.

    Parameters
    ----------
    epsilon, delta : Fraction
        What holds for the search as a whole.
    shape : Fraction
        The η of the distribution.
    mean : float
        Its mean.
    """

    epsilon: Fraction
    delta: Fraction
    shape: Fraction
    mean: float


@contextmanager
def without_a_trace(model: Any) -> Iterator[list]:
    """Let a model neither cache, nor warn, nor leave this process while the block runs; give what it warned of."""
    cached = [name for name in model.get_params() if name.rpartition("__")[2] == "memory"]
    model.set_params(**dict.fromkeys(cached))
    with warnings.catch_warnings(record=True) as warned, parallel_config(backend="threading"):
        warnings.simplefilter("always")
        yield warned


def check_affordable(search: Any, promise: Promise, model: Any, params: dict, ledgers: tuple) -> None:
    """Raise unless a search keeps its promise with a candidate, of which fitting and scoring spent these."""
    guarantee = privacy_guarantee(model)
    if not guarantee.is_finite:
        raise ValueError(f"PrivateSearchCV cannot vouch for the candidate {params}: {'; '.join(guarantee.reasons)}.")
    bare = bare_columns(model)
    if bare:
        raise ValueError(
            f"PrivateSearchCV cannot vouch for the candidate {params}: the columns {bare} show without noise, in cells "
            "or in which rows are kept. Noise them before rows are dropped by them, keep all rows (action='mask' or "
            "'clip'), and leave out what is not noised."
        )
    _check_price(search, promise, model, params, *ledgers)


def _check_price(
    search: Any, promise: Promise, model: Any, params: dict, fitting: TrialLedger, serving: TrialLedger
) -> None:
    parts = releases(model)
    is_gaussian = any(one.delta for one in parts)
    if is_gaussian and not promise.delta:
        raise invalid(search, "delta", search.delta, f"positive, since the candidate {params} has Gaussian noise")
    if is_gaussian and serving.times() - fitting.times():
        raise ValueError(
            f"Scoring the candidate {params} noises the rows more than once, which is not counted for Gaussian noise: "
            "take a 'scoring' that predicts once."
        )
    total = select_best(parts, shape=promise.shape, mean=promise.mean, delta=promise.delta)
    spent = max(one.composed().epsilon for one in (fitting, serving))
    cost = max(total.epsilon, 0 if is_gaussian else (2 + promise.shape) * spent)
    if cost > promise.epsilon:
        raise ValueError(
            f"With the candidate {params}, which spends ε = {float(spent):g} in a trial, the search would cost "
            f"ε = {float(cost):g}: raise 'epsilon' (now {search.epsilon}), or lower the candidate's."
        )
