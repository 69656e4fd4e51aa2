"""Summaries of numbers: the same whatever the chunks, exact while they fit, within 0.1 % of the records beyond."""

import builtins
import contextlib
import pickle
import random
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from skdp import OutlierDropper, QuantileBinner, _number_summaries
from skdp._checks import ParameterError
from skdp._fences import HiddenGap, fences_of_summary, fences_of_values
from skdp._number_summaries import RANK_ERROR, Beyond, Cells, Moments, NumberSummary
from skdp._quantiles import PartialOrder, WeightedOrder, bins_of, quantile_bins

ROWS = 100_000
FEW = 20_000  # different values, from which on they share cells in these tests
QUICK = settings(derandomize=True, max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Let everything overflow early; cells are few enough to be seen, and many enough for the bound."""
    monkeypatch.setattr(_number_summaries, "MOST_DISTINCT", FEW)
    monkeypatch.setattr(_number_summaries, "MOST_CELLS", 16_000)
    monkeypatch.setattr(_number_summaries, "_BATCH", 3000)


def lognormal(rows=ROWS, seed=0):
    return np.random.default_rng(seed).lognormal(10, 1, rows)


def imputed(rows=ROWS):
    """Return incomes of which a twentieth is the mean: not a round number, and amid others."""
    rng = np.random.default_rng(1)
    return np.where(rng.random(rows) < 0.05, np.exp(10.5), rng.lognormal(10, 1, rows))


def piled(rows=ROWS):
    """Return numbers half of which are all different within a millionth of their size."""
    rng = np.random.default_rng(2)
    return np.where(rng.random(rows) < 0.5, rng.normal(1e6, 0.1, rows), rng.normal(0, 1, rows))


def odd(rows=ROWS):
    rng = np.random.default_rng(3)
    ends = np.array([0.0, -0.0, 5e-324, -5e-324, 1e308, -1e308, 1.7976931348623157e308, np.nan, np.inf, -np.inf])
    return np.where(rng.random(rows) < 0.2, rng.choice(ends, rows), rng.normal(0, 1e300, rows))


TABLES = {
    "uniform": np.random.default_rng(4).random(ROWS),
    "lognormal": lognormal(),
    "negative": -lognormal(),
    "integers": np.random.default_rng(5).integers(0, 100_000, ROWS).astype(float),
    "cents": lognormal().round(2),
    "ties": np.random.default_rng(6).integers(-200, 200, ROWS) / 4,
    "half zero": np.where(
        np.random.default_rng(7).random(ROWS) < 0.5, -0.0, np.random.default_rng(8).normal(size=ROWS)
    ),
    "top-coded": np.minimum(lognormal(), 98765.4),
    "imputed": imputed(),
    "piled": piled(),
    "subnormal": np.random.default_rng(9).integers(-30_000, 30_000, ROWS) * 5e-324,
    "any bits": np.frombuffer(np.random.default_rng(10).bytes(8 * ROWS)),
    "odd": odd(),
}


def in_tree(chunks):
    """Return the summary of chunks, merged in a tree."""
    parts = [NumberSummary(chunk) for chunk in chunks]
    while len(parts) > 1:
        parts = [a.merged(b) for a, b in zip(parts[::2], parts[1::2], strict=False)] + parts[len(parts) & ~1 :]
    return parts[0]


def summary_of(values, n_chunks=7):
    return in_tree(np.array_split(values, n_chunks))


def learned(summary):
    """Return all that a summary knows but its sketch and its moments, to the bit."""
    cells = summary.cells
    parts = (cells.low, cells.high, cells.count, cells.at_low, cells.at_high)
    return summary.rows, summary.count, cells.bits, [part.tobytes() for part in parts]


def asked(summary):
    """Return what an order tells."""
    order = summary.order()
    return [part.tobytes() for part in (order.values, order.up_to, order.known)]


def rank_errors(order, values):
    """Return how far from where they belong ranks, and counts up to values, are, as shares of all values."""
    ordered = np.sort(values[np.isfinite(values)])
    ranks = np.linspace(0, len(ordered) - 1, 997).astype(int)
    found = order.at_ranks(ranks)
    first, last = np.searchsorted(ordered, found), np.searchsorted(ordered, found, side="right") - 1
    bounds = np.r_[ordered[ranks], np.linspace(ordered[0] / 2, ordered[-1] / 2, 99)]
    counts = np.array([order.count_up_to(bound) for bound in bounds])
    off = np.abs(counts - np.searchsorted(ordered, bounds, side="right"))
    return np.r_[np.maximum(0, np.maximum(first - ranks, ranks - last)), off] / len(ordered)


# An order of rows, and of merges; how many chunks; how many rows
ARRANGEMENTS = st.tuples(st.randoms(use_true_random=False), st.integers(1, 25), st.sampled_from([700, 30_000, 60_000]))


def arranged(values, order, n_chunks):
    """Return the summary of rows in some order, in chunks of some sizes, merged in some tree, some through pickles."""
    rng = np.random.default_rng(order.randrange(2**32))
    ends = np.sort(rng.integers(0, len(values) + 1, n_chunks - 1))
    parts = [NumberSummary(chunk) for chunk in np.split(rng.permutation(values), ends)]
    while len(parts) > 1:
        one, two = (parts.pop(order.randrange(len(parts))) for _ in range(2))
        parts.append((pickle.loads(pickle.dumps(one)) if order.random() < 0.3 else one).merged(two))
    return parts[0]


def check_chunks_do_not_matter(name, arrangement):
    order, n_chunks, rows = arrangement
    whole, parts = NumberSummary(TABLES[name][:rows]), arranged(TABLES[name][:rows], order, n_chunks)
    alike = learned(parts) == learned(whole)  # said by itself: pytest would lay long bytes side by side
    assert alike
    alike = name == "piled" or asked(parts) == asked(whole)
    assert alike
    with np.errstate(over="ignore", invalid="ignore"):
        largest = np.abs(whole.cells.items()[0]).max(initial=0)
        rounding = 1e-12 * largest + rows * 5e-324  # the latter by as many subnormal numbers
        assert parts.mean == pytest.approx(whole.mean, rel=1e-12, abs=rounding)
        assert not whole.is_exact or (parts.mean, parts.squares) == (whole.mean, whole.squares)


def test_what_is_learned_depends_on_the_values_alone():
    QUICK(given(st.sampled_from(list(TABLES)), ARRANGEMENTS)(check_chunks_do_not_matter))()


def test_only_tables_that_overflow_are_put_to_that_test():
    exact = [name for name, values in TABLES.items() if NumberSummary(values).is_exact]
    assert exact == ["ties"]
    assert len(NumberSummary(TABLES["uniform"]).cells.low) > 8000


PLANTED = {
    "cells of a batch": lambda patch: patch(Cells, "fitted", lambda cells, most: cells.coarsened(cells.bits + 41)),
    "bits of the first": lambda patch: patch(
        Cells, "merged", lambda one, two, real=Cells.merged: real(one, two.coarsened(one.bits)) if one.bits else two
    ),
    "small batches lost": lambda patch: patch(
        NumberSummary, "_take", lambda own, cells, *rest, real=NumberSummary._take: taken(real, own, cells, *rest)
    ),
    "ties of extremes lost": lambda patch: patch(_number_summaries, "_grouped", untied),
}


def taken(real, own, cells, *rest):
    if len(cells.low) > 1500:
        real(own, cells, *rest)


def untied(bits, low, high, count, at_low, at_high, real=_number_summaries._grouped):
    cells = real(bits, low, high, count, at_low, at_high)
    return Cells(bits, cells.low, cells.high, cells.count, at_low[np.searchsorted(low, cells.low)], cells.at_high)


@pytest.mark.parametrize("bug", PLANTED)
def test_a_summary_that_depends_on_its_chunks_is_caught(bug, monkeypatch):
    PLANTED[bug](monkeypatch.setattr)
    arrangements = [(random.Random(seed), 12, 60_000) for seed in range(5)]
    with pytest.raises((AssertionError, IndexError)):
        for arrangement in arrangements:
            check_chunks_do_not_matter("half zero", arrangement)


@pytest.mark.parametrize("name", TABLES)
def test_ranks_are_right_to_a_tenth_of_a_percent(name):
    if name == "piled":  # by a sketch: 1,096 ranks, each 7 standard deviations from failing
        pytest.importorskip("datasketches")
    assert rank_errors(summary_of(TABLES[name]).order(), TABLES[name]).max() <= RANK_ERROR


def test_numbers_that_are_many_but_of_few_values_are_exact():
    order = summary_of(TABLES["ties"]).order()
    assert rank_errors(order, TABLES["ties"]).max() == 0
    assert order.count_of(2.25) == (TABLES["ties"] == 2.25).sum()
    assert order.quantiles(7) == PartialOrder(TABLES["ties"]).quantiles(7)


@pytest.mark.parametrize("name", ["imputed", "top-coded", "half zero"])
def test_a_value_of_many_records_needs_no_sketch_and_is_known(name, monkeypatch):
    monkeypatch.setattr(_number_summaries, "_sketches", lambda: None)
    values = TABLES[name] + 0.0
    frequent, times = max(zip(*np.unique(values, return_counts=True), strict=True), key=lambda pair: pair[1])
    assert abs(summary_of(values).order().count_of(frequent) - times) <= RANK_ERROR * ROWS


def test_without_frequent_values_that_test_fails(monkeypatch):
    monkeypatch.setattr(_number_summaries, "_sketches", lambda: None)
    monkeypatch.setattr(_number_summaries, "_most_frequent", lambda cells: Cells.of(np.empty(0)))
    with pytest.raises(ImportError):
        summary_of(imputed()).order()


def test_frequent_values_are_those_that_many_records_have():
    values = imputed()
    frequent = summary_of(values)._beyond.frequent
    assert len(frequent.low) <= _number_summaries._MOST_FREQUENT
    counts = dict(zip(frequent.low, frequent.count, strict=True))
    times = (values == np.exp(10.5)).sum()
    assert times - ROWS / _number_summaries._MOST_FREQUENT <= counts[np.exp(10.5)] <= times


@pytest.mark.parametrize("name", TABLES)
def test_only_where_many_values_share_a_cell_a_sketch_is_asked(name, monkeypatch):
    monkeypatch.setattr(_number_summaries, "_sketches", lambda: None)
    summary = summary_of(TABLES[name])
    with pytest.raises(ImportError) if name == "piled" else contextlib.nullcontext():
        summary.order()


def test_a_sketch_that_is_too_small_is_caught(monkeypatch):
    pytest.importorskip("datasketches")
    monkeypatch.setattr(_number_summaries, "_SKETCH_SIZE", 64)
    assert rank_errors(summary_of(piled()).order(), piled()).max() > RANK_ERROR


def test_a_sketch_whose_first_level_is_empty_has_the_right_weights():
    sketches = pytest.importorskip("datasketches").kll_doubles_sketch
    values, moments, nothing = np.sort(piled()), Moments(ROWS, 0.0, 0.0), Cells.of(np.empty(0))
    for rows in range(40_000, 60_000, 250):
        summary = summary_of(values[ROWS // 2 - rows // 2 :][:rows], 1)
        sketch = sketches.deserialize(summary._beyond.sketch)
        summary._beyond = Beyond(moments, nothing, summary._beyond.sketch)
        if sum(weight for _, weight in sketch) != sketch.n:  # what datasketches says, where level 0 is empty
            break
    order = summary.order()
    assert rank_errors(order, values[ROWS // 2 - rows // 2 :][:rows]).max() <= RANK_ERROR


def test_without_datasketches_the_error_names_the_cure(monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments):
        if name == "datasketches":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert not summary_of(lognormal()).is_exact
    summary_of(lognormal()).order()
    with pytest.raises(ImportError, match=r'pip install "skdp\[scale\]"'):
        summary_of(piled()).order()


def test_counts_and_moments_are_those_of_all_values():
    values = np.r_[lognormal(), np.nan, np.inf]
    summary = summary_of(values)
    assert (summary.rows, summary.count) == (ROWS + 2, ROWS)
    assert summary.mean == pytest.approx(lognormal().mean(), rel=1e-12)
    assert summary.squares / summary.count == pytest.approx(lognormal().var(), rel=1e-12)


def test_extremes_are_exact():
    order = summary_of(lognormal()).order()
    assert order.at_ranks(np.array([0, ROWS - 1])).tolist() == [lognormal().min(), lognormal().max()]


def test_a_summary_survives_a_pickle_and_a_merge_leaves_both_alone():
    one, two = summary_of(imputed()), summary_of(lognormal(seed=1))
    before = learned(one), learned(two)
    copy = pickle.loads(pickle.dumps(one))
    copy.merged(two)
    one.merged(copy)
    assert (learned(copy), learned(two)) == before == (learned(one), learned(two))
    assert asked(copy) == asked(one)


def test_a_pickle_is_small():
    few, many = summary_of(np.tile(np.arange(100.0), 1000)), summary_of(lognormal())
    assert len(pickle.dumps(few)) < 3000
    assert len(pickle.dumps(Beyond(many._beyond.moments, many._beyond.frequent, None))) < 1000
    assert len(pickle.dumps(many.cells)) < 30 * len(many.cells.low)


def test_a_thousand_chunks_of_a_row_wait_in_few_arrays():
    summary = NumberSummary(np.array([0.0]))
    for number in range(1, 1000):
        summary = summary.merged(NumberSummary(np.array([float(number)])))
        assert len(summary._waiting) <= 12
    assert summary.order().values.tolist() == list(range(1000))


def test_keys_are_in_the_order_of_values_and_neighbours_are_next_to_each_other():
    values = np.sort(np.r_[TABLES["any bits"][np.isfinite(TABLES["any bits"])], 0.0, 5e-324, -5e-324])
    keys = _number_summaries._keys(values)
    assert (np.diff(keys.astype(object)) >= 0).all()
    near = np.array([0.0, 5e-324, 1.0, np.nextafter(1.0, 2.0), -1.0, np.nextafter(-1.0, 0.0)])
    assert np.diff(_number_summaries._keys(near))[::2].tolist() == [1, 1, 1]


@pytest.mark.parametrize("most", [2, 3, 10, 100, 16_000])
@pytest.mark.parametrize("name", ["uniform", "any bits", "subnormal", "negative"])
def test_the_fewest_bits_are_dropped_that_make_room(name, most):
    cells = Cells.of(np.sort(TABLES[name][np.isfinite(TABLES[name])]) + 0.0)
    fitted = cells.fitted(most)
    assert len(fitted.low) <= most < len(cells.coarsened(fitted.bits - 1).low)
    assert fitted.count.sum() == cells.count.sum()


def test_a_weighted_order_tells_what_a_partial_order_does():
    values = np.random.default_rng(0).integers(-30, 30, 500) / 8
    cells = Cells.of(np.sort(values))
    one, two = PartialOrder(values), WeightedOrder(cells.low, np.cumsum(cells.count), cells.count)
    for n_parts in (2, 3, 10, 499, 500, 1000):
        assert two.quantiles(n_parts) == one.quantiles(n_parts)
    for bound in (-9.0, -3.75, 0.0, 0.1, 2.5, 9.0):
        assert two.count_up_to(bound) == one.count_up_to(bound)
        assert two.count_of(bound) == one.count_of(bound)
        assert two.neighbours(bound) == one.neighbours(bound)
    assert two.means([0, 1, 250, 250, 499]) == pytest.approx(one.means([0, 1, 250, 250, 499]), nan_ok=True)
    assert two.quantile(0.37) == np.quantile(values, 0.37)
    assert two.distances(1.5).quantile(0.5) == np.median(np.abs(values - 1.5))
    assert (two.size, two.varies) == (one.size, one.varies)
    nothing = WeightedOrder(np.empty(0), np.empty(0, dtype=int), np.empty(0, dtype=int))
    assert (nothing.quantiles(4), nothing.varies, nothing.count_up_to(1.0)) == ([], False, 0)


# Steps


def in_chunks(step, table, n_chunks=5):
    for rows in np.array_split(np.arange(len(table)), n_chunks):
        step.partial_fit(table.iloc[rows])
    return step.finish()


def table_of(values):
    return pd.DataFrame({"income": values})


@pytest.mark.parametrize("method", ["iqr", "zscore", "mad", "quantile", "gap"])
@pytest.mark.parametrize("name", ["lognormal", "imputed", "ties", "odd"])
def learned_by(step, name, attributes):
    """Return, once each, what a step learns of the rows of a table in several orders and chunks."""
    found = set()
    for seed, n_chunks in enumerate((1, 3, 40)):
        table = table_of(np.random.default_rng(seed).permutation(TABLES[name]))
        fitted = in_chunks(clone(step), table, n_chunks)
        found.add(str([getattr(fitted, attribute) for attribute in attributes]))
    return found


@pytest.mark.parametrize("name", ["lognormal", "imputed", "ties", "odd"])
@pytest.mark.parametrize("method", ["iqr", "zscore", "mad", "quantile", "gap"])
def test_fences_are_the_same_whatever_the_chunks(method, name):
    assert len(learned_by(OutlierDropper(method), name, ["fences_"])) == 1


@pytest.mark.parametrize("name", ["lognormal", "imputed", "ties", "odd"])
@pytest.mark.parametrize("round_edges", [None, False])
def test_edges_are_the_same_whatever_the_chunks(round_edges, name):
    binner = QuantileBinner(10, round_edges=round_edges)
    assert len(learned_by(binner, name, ["edges_", "labels_", "bin_means_", "digits_"])) == 1


def test_bins_of_cells_are_as_full_as_those_of_the_table():
    table = table_of(lognormal())
    binner = in_chunks(QuantileBinner(10, round_edges=False), table)
    counts = binner.transform(table)["income"].value_counts() / ROWS
    assert (counts - 0.1).abs().max() <= 2 * RANK_ERROR  # each edge within the bound
    means = table["income"].groupby(binner.transform(table)["income"].cat.codes).mean()
    assert binner.bin_means_["income"] == pytest.approx(means.to_numpy(), rel=0.01)


def test_edges_of_cells_are_round():
    assert in_chunks(QuantileBinner(10), table_of(lognormal())).digits_["income"] <= 3


@pytest.mark.parametrize("method", ["iqr", "zscore", "mad", "quantile", "gap"])
def test_exact_summaries_give_the_fences_of_the_table(method):
    table = table_of(np.r_[TABLES["ties"], 170.0, 900.0, -900.0, -900.0])
    assert in_chunks(OutlierDropper(method), table).fences_ == OutlierDropper(method).fit(table).fences_


@pytest.mark.parametrize("values", [[-3, -3, 3, -3, -3], [3, 1, -1, 3, 3], [-2, -2, -5, -2, -2]])
def test_limits_that_are_round_numbers_are_rounded_as_those_of_the_table(values):
    table = table_of(np.array(values, dtype=float))
    dropper = OutlierDropper("zscore", factor=1.5)
    assert in_chunks(clone(dropper), table, 2).fences_ == dropper.fit(table).fences_


@pytest.mark.parametrize("round_edges", [None, False, 2])
@pytest.mark.parametrize("seed", range(20))
def test_exact_summaries_give_the_bins_of_the_table_in_any_order(round_edges, seed):
    rng = np.random.default_rng(seed)
    values = [rng.integers(-5, 50, 97) * 1.0, rng.normal(0, 1, 97), rng.choice([-0.0, 0.0, 1e308, 5e-324], 97)][
        seed % 3
    ]
    whole = quantile_bins(values, 5, round_edges)
    chunks = bins_of(summary_of(rng.permutation(values)).order(), 5, round_edges)
    assert str(whole) == str(quantile_bins(rng.permutation(values), 5, round_edges)) == str(chunks)


@pytest.mark.parametrize("method", ["iqr", "mad", "quantile"])
def test_fences_of_cells_leave_out_as_many(method):
    table = table_of(lognormal())
    low, high = in_chunks(OutlierDropper(method), table).fences_["income"]
    whole_low, whole_high = OutlierDropper(method).fit(table).fences_["income"]
    for fence, whole in ((low, whole_low), (high, whole_high)):
        share, wanted = ((table["income"] <= end).mean() for end in (fence, whole))
        assert abs(share - wanted) <= 2 * RANK_ERROR + 0.001  # and what rounding to 1 % of the distance moves


def test_z_scores_need_no_order():
    table = table_of(lognormal())
    low, high = in_chunks(OutlierDropper("zscore"), table).fences_["income"]
    limit = table["income"].mean() + 3 * table["income"].std(ddof=0)
    assert limit < high <= limit + 0.01 * (limit - table["income"].median()) + 1


GAPS = {
    "none": [],
    "one": [9e9],
    "a chain": [9e9, 3e8, -1e12, 1e13],
    "a tie": [9e9, 9e9, 1e13],
    "two that are close": [9e9, 8e9],
    "far": [-1e300, 1e308],
}


@pytest.mark.parametrize("name", GAPS)
@pytest.mark.parametrize("factor", [1.05, 2.0, 30.0])
def test_gaps_in_chunks_part_the_values_as_those_of_the_table_do(name, factor):
    table = table_of(np.r_[lognormal(), GAPS[name], np.nan, np.inf])
    chunked, whole = in_chunks(OutlierDropper("gap", factor=factor), table), OutlierDropper("gap", factor=factor)
    assert (chunked.keep_mask(table) == whole.fit(table).keep_mask(table)).all()
    assert np.isfinite(chunked.fences_["income"]).tolist() == np.isfinite(whole.fences_["income"]).tolist()


def gaps_in_few_cells(patch):
    """Return how often fences of gaps parted 300 small tables as whole, otherwise, or not at all."""
    patch.setattr(_number_summaries, "MOST_DISTINCT", 50)
    patch.setattr(_number_summaries, "MOST_CELLS", 40)
    found = Counter()
    for seed in range(300):
        rng = np.random.default_rng(seed)
        values = rng.choice([-1, 1], 200) * np.exp(rng.normal(0, rng.choice([1, 8]), 200))
        factor = rng.choice([1.05, 1.5, 2.0])
        low, high = fences_of_values(values[np.newaxis], "gap", np.array([factor]))
        try:
            some_low, some_high = fences_of_summary(summary_of(values), "gap", factor)
        except HiddenGap:
            found["refused"] += 1
        else:
            wanted, parted = ((values < ends[0]) | (values > ends[1]) for ends in ((low, high), (some_low, some_high)))
            found["right" if (wanted == parted).all() else "wrong"] += 1
    return found


def test_gaps_that_cells_may_hide_are_refused_and_no_others_are_wrong(monkeypatch):
    found = gaps_in_few_cells(monkeypatch)
    assert found["refused"] > 50 and found["right"] > 50 and not found["wrong"]


def test_gaps_for_which_what_is_hidden_is_forgotten_are_caught(monkeypatch):
    monkeypatch.setattr(Cells, "items", lambda cells, real=Cells.items: (*real(cells)[:2], 0 * real(cells)[2]))
    assert gaps_in_few_cells(monkeypatch)["wrong"]


def test_the_refusal_of_a_gap_names_the_column_and_no_value(monkeypatch):
    monkeypatch.setattr("skdp.outliers.fences_of_summary", lambda *_: refused())
    with pytest.raises(ParameterError, match="the whole table.*gaps of a column .here 'income'") as error:
        in_chunks(OutlierDropper("gap"), table_of(lognormal(1000)))
    assert not any(map(str.isdigit, str(error.value)))


def refused():
    raise HiddenGap


@pytest.mark.long
def test_three_million_rows_in_chunks_stay_within_the_bound(monkeypatch):
    monkeypatch.undo()
    values = lognormal(3_000_000)
    one, two = summary_of(values, 30), summary_of(np.random.default_rng(1).permutation(values), 13)
    assert not one.is_exact
    assert (learned(one), asked(one)) == (learned(two), asked(two))
    assert rank_errors(one.order(), values).max() <= RANK_ERROR / 10
