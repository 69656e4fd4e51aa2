"""Summaries of chunks: exact while they fit, within 0.1 % of the rows beyond, and the same however they are merged."""

import builtins
import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from skdp import DistributionImputer, KAnonymizer, OutlierDropper, QuantileBinner, _frames, _summaries
from skdp._noisy_quantiles import noisy_quantiles
from skdp._summaries import RANK_ERROR, DistinctRows, GridSummary, NumberSummary, SketchedOrder

ROWS = 300_000
SHARES = np.array([0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999])


@pytest.fixture
def small(monkeypatch):
    """Let sketches begin at 10,000 values."""
    pytest.importorskip("datasketches")
    monkeypatch.setattr(_summaries, "MOST_VALUES", 10_000)


def lognormal(rows=ROWS, seed=0):
    return np.random.default_rng(seed).lognormal(10, 1, rows)


def summary_of(values, n_chunks=7):
    chunks = [NumberSummary(chunk) for chunk in np.array_split(values, n_chunks)]
    while len(chunks) > 1:  # a tree of merges
        chunks = [a.merged(b) for a, b in zip(chunks[::2], chunks[1::2], strict=False)] + chunks[len(chunks) & ~1 :]
    return chunks[0]


def rank_errors(order, values):
    """Return how far from where they belong the quantiles are, and the counts up to them, as shares of all values."""
    ordered, ranks = np.sort(values), np.round(SHARES * (len(values) - 1)).astype(int)
    found = order.at_ranks(ranks)
    counts = np.array([order.count_up_to(bound) for bound in np.quantile(values, SHARES)])
    first, last = np.searchsorted(ordered, found), np.searchsorted(ordered, found, side="right")
    off = np.maximum(0, np.maximum(first - ranks, ranks - last))
    return np.abs(np.r_[off, counts - SHARES * len(values)]) / len(values)


def test_up_to_the_limit_every_value_is_kept():
    summary = summary_of(lognormal(1000))
    assert summary.is_exact
    assert sorted(summary.order().values) == sorted(lognormal(1000))


@pytest.mark.parametrize("arranged", [lambda x: x, np.sort, lambda x: np.sort(x)[::-1]], ids=["any", "up", "down"])
def test_beyond_it_ranks_are_right_to_a_tenth_of_a_percent(small, arranged):
    # 18 ranks in each of 3 arrangements, each 7 standard deviations from failing: false alarms in under 1e-9 of runs
    values = lognormal()
    summary = summary_of(arranged(values))
    assert not summary.is_exact
    assert rank_errors(summary.order(), values).max() <= RANK_ERROR


def test_a_sketch_that_is_too_small_is_caught(small, monkeypatch):
    monkeypatch.setattr(_summaries, "_SKETCH_SIZE", 64)
    assert rank_errors(summary_of(lognormal()).order(), lognormal()).max() > RANK_ERROR


def test_a_merge_that_loses_a_sketch_is_caught(small):
    values = np.sort(lognormal())
    assert rank_errors(summary_of(values[: ROWS * 6 // 7], 6).order(), values).max() > RANK_ERROR


def test_counts_and_moments_are_those_of_all_values(small):
    values = np.r_[lognormal(), np.nan, np.inf]
    summary = summary_of(values)
    assert (summary.rows, summary.count) == (ROWS + 2, ROWS)
    assert summary.mean == pytest.approx(lognormal().mean(), rel=1e-12)
    assert summary.squares / summary.count == pytest.approx(lognormal().var(), rel=1e-12)


def test_extremes_are_exact(small):
    assert summary_of(lognormal()).ordered()[[0, -1]].tolist() == [lognormal().min(), lognormal().max()]


def test_a_sketch_survives_a_pickle_and_a_merge_leaves_both_alone(small):
    one, two = summary_of(lognormal()), summary_of(lognormal(seed=1))
    copy = pickle.loads(pickle.dumps(one))
    copy.merged(two)
    assert copy.order().values.tolist() == one.order().values.tolist()
    assert copy.count == one.count == ROWS


def test_a_sketched_value_counts_as_shared_only_where_several_records_are_known_to_have_it():
    order = SketchedOrder(np.array([1.0, 2.0, 2.0, 7.5]), np.array([1000, 1000, 1000, 1000]))
    assert (order.count_of(7.5), order.count_of(2.0), order.neighbours(2.0)) == (1, 2, (1.0, 7.5))


def test_without_datasketches_the_error_names_the_cure(small, monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments):
        if name == "datasketches":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert NumberSummary(lognormal(10_000)).is_exact
    with pytest.raises(ImportError, match=r'pip install "skdp\[scale\]"'):
        NumberSummary(lognormal(10_001))


def in_chunks(step, table, n_chunks=5):
    for rows in np.array_split(np.arange(len(table)), n_chunks):
        step.partial_fit(table.iloc[rows])
    return step.finish()


def test_bins_of_a_sketch_are_as_full_as_those_of_the_table(small):
    table = pd.DataFrame({"income": lognormal()})
    binner = in_chunks(QuantileBinner(10, round_edges=False), table)
    counts = binner.transform(table)["income"].value_counts() / ROWS
    assert (counts - 0.1).abs().max() <= 2 * RANK_ERROR  # each edge within the bound
    means = table["income"].groupby(binner.transform(table)["income"].cat.codes).mean()
    assert binner.bin_means_["income"][:-1] == pytest.approx(means.to_numpy()[:-1], rel=0.01)


def test_edges_of_a_sketch_are_round(small):
    table = pd.DataFrame({"income": lognormal()})
    binner = in_chunks(QuantileBinner(10), table)
    assert binner.digits_["income"] <= 3


@pytest.mark.parametrize("method", ["iqr", "mad", "quantile"])
def test_fences_of_a_sketch_leave_out_as_many(small, method):
    table = pd.DataFrame({"income": lognormal()})
    low, high = in_chunks(OutlierDropper(method), table).fences_["income"]
    whole_low, whole_high = OutlierDropper(method).fit(table).fences_["income"]
    for fence, whole in ((low, whole_low), (high, whole_high)):
        share, wanted = ((table["income"] <= end).mean() for end in (fence, whole))
        assert abs(share - wanted) <= 2 * RANK_ERROR + 0.001  # and what rounding to 1 % of the distance moves


def test_z_scores_need_no_sketch(small):
    table = pd.DataFrame({"income": lognormal()})
    low, high = in_chunks(OutlierDropper("zscore"), table).fences_["income"]
    limit = table["income"].mean() + 3 * table["income"].std(ddof=0)
    assert limit < high <= limit + 0.01 * (limit - table["income"].median()) + 1


def test_gaps_are_refused_beyond_the_limit_and_the_error_names_what_can(small):
    with pytest.raises(ValueError, match="'iqr', 'zscore', 'mad' and 'quantile'"):
        in_chunks(OutlierDropper("gap"), pd.DataFrame({"income": lognormal(20_000)}))


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


@pytest.mark.long
def test_three_million_rows_in_chunks_stay_within_the_bound():
    pytest.importorskip("datasketches")
    values = lognormal(3_000_000)
    summary = summary_of(values, 30)
    assert not summary.is_exact
    assert rank_errors(summary.order(), values).max() <= RANK_ERROR
