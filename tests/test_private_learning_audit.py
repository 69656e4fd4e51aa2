"""What is learned at a price, under attack from outside. False alarms: 1e-9 a test; planted bugs are caught.

Whole steps are fitted again and again to a table and its neighbour. From how often an event happens for either, a lower
bound on ε follows (Clopper and Pearson 1934); a bound above the ε that was promised is a proof against the promise.
"""

import pickle
import struct
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skdp import DistributionImputer, DPBounds, OutlierDropper, QuantileBinner
from skdp import _noisy_counts as counting

ALPHA = 1e-9
HONEST = counting.noisy_counts


def epsilon_at_least(first, second):
    """Return a lower bound on ε from two samples of outcomes, valid for all events "at most t" and "more" at once."""
    size, points = len(first), np.unique(np.concatenate([first, second]))
    points = points[np.linspace(0, len(points) - 1, min(len(points), 50)).astype(int)]
    alpha, worst = ALPHA / (8 * len(points)), 0.0
    for one, other in ((first, second), (second, first)):
        for event in (np.less_equal, np.greater):
            hits, others = (event.outer(sample, points).sum(axis=0) for sample in (one, other))
            low = np.where(hits > 0, stats.beta.ppf(alpha, np.maximum(hits, 1), size - hits + 1), 0.0)
            high = np.where(others < size, stats.beta.ppf(1 - alpha, others + 1, np.maximum(size - others, 1)), 1.0)
            worst = max(worst, float(np.log(np.maximum(low, 1e-300) / high).max()))
    return worst


def edge(values):
    return QuantileBinner(2, epsilon=1, bounds=(0, 8), round_edges=False).fit(table(values)).edges_["x"][0]


def fence(values):
    dropper = OutlierDropper("quantile", factor=0.4, tail="right", epsilon=1, bounds=(0, 8))
    return dropper.fit(table(values)).fences_["x"][1]


def share(values):
    imputer = DistributionImputer(epsilon=1, bounds={"x": (0, 8)}, n_bins=2).fit(table(values))
    return np.diff(imputer._samplers["x"].table.cumulative[-2:])[0]


def top(values):
    bounds = DPBounds(1, low=0, failure=0.4)
    try:  # one value more or less, and the noise alone decides
        return bounds.find(np.append(values, np.full(bounds.threshold - 1, 7.5)), counting.noise_from(None))[1]
    except ValueError:
        return -1.0


def table(values):
    return pd.DataFrame({"x": values})


def audited(learn, runs, first, second):
    """Return the ε that is proven from so many fits to either table."""
    return epsilon_at_least(*(np.array([learn(values) for _ in range(runs)]) for values in (first, second)))


LEARNERS = {"edge": (edge, 1500), "fence": (fence, 1500), "share": (share, 3000), "top": (top, 3000)}
NEIGHBOURS = {
    "extreme": ([0.5], [7.5]),
    "missing": ([7.5], [np.nan]),
    "infinite": ([-np.inf], [1e308]),
    "one of three": ([0.5, 0.5, 7.5], [0.5, 7.5, 7.5]),
}


@pytest.mark.long
@pytest.mark.parametrize("pair", NEIGHBOURS)
@pytest.mark.parametrize("name", LEARNERS)
def test_no_event_tells_more_than_epsilon(name, pair):
    assert audited(*LEARNERS[name], *NEIGHBOURS[pair]) <= 1


@pytest.mark.long
@pytest.mark.parametrize("name", LEARNERS)
def test_noise_that_is_too_small_is_caught(name, monkeypatch):
    monkeypatch.setattr(
        counting, "noisy_counts", lambda counts, epsilon, *, source=None: HONEST(counts, 40 * epsilon, source=source)
    )
    assert audited(*LEARNERS[name], *NEIGHBOURS["extreme"]) > 1


@pytest.mark.long
def test_empty_ranges_without_noise_are_caught(monkeypatch):
    def suppressing(counts, epsilon, *, source=None):
        return np.where(counts > 0, HONEST(counts, epsilon, source=source), 0)

    monkeypatch.setattr(counting, "noisy_counts", suppressing)
    assert audited(*LEARNERS["share"], *NEIGHBOURS["extreme"]) > 1


# What a fitted step carries

EXTREME = 987_654.321
STEPS = {
    "binner": QuantileBinner(4, epsilon=100, bounds=(0, 1e6)),
    "exact binner": QuantileBinner(4, epsilon=100, bounds=(0, 1e6), round_edges=False),
    "bounds": QuantileBinner(4, epsilon=100, bounds=DPBounds(100)),
    "dropper": OutlierDropper("quantile", epsilon=100, bounds=(0, 1e6)),
    "imputer": DistributionImputer(epsilon=100, bounds={"x": (0, 1e6)}),
}


def carries(step):
    """Whether the pickle of a step fitted to 5000 values holds any of them that is one person's alone, as a double."""
    values = np.append(np.random.default_rng(0).lognormal(10, 1, 4999), EXTREME)
    stored = pickle.dumps(step.fit(table(values)))
    return any(struct.pack(order, value) in stored for value in values for order in ("<d", ">d"))


@pytest.mark.parametrize("name", STEPS)
def test_no_fitted_step_carries_a_value_of_the_table(name):
    assert not carries(STEPS[name])  # a noisy number is one of 5000 doubles with a probability below 1e-9


def test_a_step_that_keeps_an_extreme_is_caught():
    class Keeps(QuantileBinner):
        def _fit(self, frame):
            super()._fit(frame)
            self.most_ = float(frame["x"].max())

    globals()["Keeps"] = Keeps  # so that it can be pickled
    Keeps.__qualname__ = "Keeps"
    assert carries(Keeps(4, epsilon=100, bounds=(0, 1e6)))
    assert carries(DistributionImputer({"x": "observed"}))  # without ε, as its documentation says


def test_columns_of_equal_values_get_noise_of_their_own():
    values = np.random.default_rng(0).lognormal(10, 1, 10_000)
    X = pd.DataFrame({"a": values, "b": values})
    for random_state in (None, 0):
        edges = (
            QuantileBinner(5, epsilon=1, bounds=(0, 1e6), round_edges=False, random_state=random_state).fit(X).edges_
        )
        assert edges["a"].tolist() != edges["b"].tolist()


def test_epsilon_is_exact_for_decimals_written_as_fractions():
    binner = QuantileBinner(2, epsilon=Fraction(1, 10), bounds=(0, 8)).fit(table([1.0, 2.0]))
    assert binner.privacy_guarantee_.epsilon == Fraction(1, 10)
