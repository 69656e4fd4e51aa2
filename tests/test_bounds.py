"""Bounds at a price. False alarms of what is random: at most 1e-9 each."""

import dataclasses
import math
import sys
from fractions import Fraction

import numpy as np
import pytest

from skdp import DPBounds
from skdp._checks import ParameterError
from skdp._noisy_counts import noisy_counts

ODD = np.array([math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 0.0, -0.0, 1.0, 2.0, -3.0, sys.float_info.max])


def exact(counts, epsilon):
    return counts


def test_bounds_are_the_powers_of_two_around_the_values():
    values = np.repeat([-3.0, 0.75, 100.0], 1000)
    assert DPBounds(1).find(values, exact) == (-4.0, 128.0)
    assert DPBounds(1).find(np.full(1000, 100.0), exact) == (64.0, 128.0)
    assert DPBounds(1).find(np.full(1000, -100.0), exact) == (-128.0, -64.0)


def test_a_power_of_two_is_the_lower_end_of_its_range():
    assert DPBounds(1).find(np.full(1000, 64.0), exact) == (64.0, 128.0)
    assert DPBounds(1).find(np.full(1000, -64.0), exact) == (-128.0, -64.0)


def test_values_next_to_nothing_count_as_0():
    assert DPBounds(1, low=0).find(np.repeat([0.0, 0.3, -0.3, 5e-324], 500), exact) == (-1.0, 1.0)


def test_the_largest_floats_have_bounds():
    assert DPBounds(1).find(np.repeat([-1e308, 1e308], 500), exact) == (-sys.float_info.max, sys.float_info.max)


def test_a_few_extremes_do_not_move_them():
    values = np.r_[np.random.default_rng(0).uniform(16, 120, 10_000), 1e9, -5e6]
    for _ in range(20):
        assert DPBounds(1).find(values) == (16.0, 128.0)


def test_each_finite_value_is_counted_once_and_all_others_nowhere():
    for low in (-1074, -32, 1023):
        bounds = DPBounds(1, low=low)
        assert bounds.counts(ODD).sum() == np.isfinite(ODD).sum()
        for value in ODD:
            assert bounds.counts(np.array([value])).sum() == np.isfinite(value)
        assert len(bounds.counts(ODD)) == bounds.n_bins


def test_every_value_lies_between_the_ends_of_its_count():
    rng = np.random.default_rng(0)
    values = np.r_[ODD[np.isfinite(ODD)], rng.lognormal(0, 50, 500) * rng.choice([-1, 1], 500)]
    bounds = DPBounds(1)
    for value in values:
        low, high = bounds._ends(int(bounds.counts(np.array([value])).argmax()))
        assert low <= value <= high


def changes(counts, pairs=300):
    """Return the greatest change of counts that one replaced record makes, over 300 pairs of neighbours."""
    rng, found = np.random.default_rng(3), []
    for _ in range(pairs):
        first = rng.choice(np.r_[ODD, rng.normal(0, 100, 20)], int(rng.integers(1, 30)))
        second = first.copy()
        second[rng.integers(len(first))] = rng.choice(ODD)
        found.append(int(np.abs(counts(first) - counts(second)).sum()))
    return max(found)


def test_one_record_changes_the_counts_by_2_at_most():
    assert changes(DPBounds(1).counts) == 2


def test_a_cumulative_count_would_be_caught():
    assert changes(lambda values: np.cumsum(DPBounds(1).counts(values))) > 2


def false_bounds(noise, runs=300):
    """Return in how many of 300 runs an empty power of two moved the bounds."""
    values = np.full(5000, 100.0)
    return sum(DPBounds(0.5, failure=1e-3).find(values, noise) != (64.0, 128.0) for _ in range(runs))


def test_noise_alone_hardly_ever_makes_bounds():
    # at most 0.001 each; 9 or more of 300 have a probability below 1e-9
    assert false_bounds(noisy_counts) < 9


def test_a_threshold_for_half_the_noise_would_be_caught():
    assert false_bounds(lambda counts, epsilon: noisy_counts(counts, epsilon / 2)) >= 9


def test_too_few_values_are_an_error_without_any_of_them():
    with pytest.raises(ValueError, match=r"found no bounds.*more records or a larger epsilon") as caught:
        DPBounds(0.1).find(np.array([123456.5, 7.25]))
    assert "123456" not in str(caught.value)
    with pytest.raises(ValueError, match="found no bounds"):
        DPBounds(0.1).find(np.full(10, np.nan))


@pytest.mark.parametrize(
    "parameters",
    [{"epsilon": 0}, {"epsilon": math.inf}, {"epsilon": "1"}, {"epsilon": 1, "low": 1024}, {"epsilon": 1, "low": 0.5},
     {"epsilon": 1, "failure": 0}, {"epsilon": 1, "failure": 0.5}, {"epsilon": True}],
    ids=str,
)  # fmt: skip
def test_bad_parameters_are_refused(parameters):
    with pytest.raises(ParameterError, match="parameter of DPBounds must be"):
        DPBounds(**parameters)


def test_it_is_a_value():
    assert DPBounds(Fraction(1, 5)) == DPBounds(Fraction(1, 5))
    assert repr(DPBounds(0.2)) == "DPBounds(epsilon=0.2, low=-32, failure=1e-09)"
    with pytest.raises(dataclasses.FrozenInstanceError):
        DPBounds(1).epsilon = 2
