"""Summaries of chunks: rows are counted one by one while they fit, numbers with a price in cells of their bounds."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from skdp import DistributionImputer, KAnonymizer, _frames, _summaries
from skdp._noisy_quantiles import noisy_quantiles
from skdp._summaries import DistinctRows, GridSummary

ROWS = 300_000


def lognormal(rows=ROWS, seed=0):
    return np.random.default_rng(seed).lognormal(10, 1, rows)


def test_private_edges_from_a_grid_are_those_from_the_values(monkeypatch):
    monkeypatch.setattr(_summaries, "MOST_VALUES", 10_000)
    values = np.r_[lognormal(50_000), np.nan, np.inf]
    summary = GridSummary(values[:30_000], (0.0, 1e6)).merged(GridSummary(values[30_000:], (0.0, 1e6)))
    assert summary.rows == len(values) and summary.counts.sum() == len(values)
    assert summary.counts[np.isnan(summary.values)].tolist() == [1]
    calm = {"noise": lambda counts, epsilon: counts}
    shares = np.array([0.25, 0.5, 0.75])
    exact = noisy_quantiles(values, shares, Fraction(1), 0.0, 1e6, **calm)
    found = noisy_quantiles(summary.values, shares, Fraction(1), 0.0, 1e6, times=summary.counts, **calm)
    assert np.abs(found.quantiles - exact.quantiles).max() <= 3 * 1e6 / 2**20


def test_repeats_count_as_often_as_they_occur():
    values, times = np.array([1.0, 5.0, np.nan]), np.array([30, 60, 10])
    calm = {"noise": lambda counts, epsilon: counts}
    twice = [
        noisy_quantiles(*data, np.array([0.5]), Fraction(1), 0.0, 8.0, **calm, **more).quantiles
        for data, more in (((np.repeat(values, times),), {"depth": 4}), ((values,), {"times": times, "depth": 4}))
    ]
    assert twice[0].tolist() == twice[1].tolist()


def test_bounds_are_not_learned_from_a_grid(monkeypatch):
    monkeypatch.setattr(_summaries, "MOST_VALUES", 100)
    with pytest.raises(ValueError, match="DPBounds is learned from at most"):
        GridSummary(lognormal(101), None)


def test_distinct_rows_are_counted_and_too_many_are_refused(monkeypatch):
    monkeypatch.setattr(_summaries, "MOST_VALUES", 3)
    rows = DistinctRows.count(_frames.read(pd.DataFrame({"a": [1, 1, 2], "b": ["x", "x", None]})), ["a", "b"])
    assert rows.counts.tolist() == [2, 1]
    assert rows.merged(rows).counts.tolist() == [4, 2]
    assert len(rows.merged(rows).expanded()) == 6
    for step in (KAnonymizer(2), DistributionImputer()):
        with pytest.raises(ValueError, match="more than 3 different rows"):
            step.partial_fit(pd.DataFrame({"a": range(4)}))
