"""The grid of Laplace noise: exact, and as wide as the proof says."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from skdp._laplace_grid import laplace_grid
from skdp._rationals import rational

GRIDS = [
    (1, 0, 120),
    (0.1, -3.7, 0.2),
    (Fraction(1, 3), 1e-3, 2e-3),
    (Decimal("0.7"), -1e12, 1e12),
    (20, 0, 1),
    (2**-20, 0.1, 0.3),
    (1.5, 1e6, 1e6 + 1),
]


@pytest.mark.parametrize("parameters", GRIDS)
def test_the_step_is_the_power_of_two_that_the_design_says(parameters):
    epsilon, lower, upper = map(rational, parameters)
    grid = laplace_grid(*parameters)
    step = Fraction(2) ** grid.exponent
    assert step * 2**20 <= (upper - lower) / epsilon < step * 2**21
    assert (grid.low, grid.high) == (lower // step, upper // step)
    assert grid.rate == epsilon / (grid.high - grid.low)
    assert grid.step == step


@pytest.mark.parametrize("parameters", GRIDS)
def test_the_scale_is_the_range_over_epsilon(parameters):
    epsilon, lower, upper = map(float, parameters)
    coarse = 2.0**20 * epsilon  # steps across the range: a difference of two floors is off by one at most
    assert laplace_grid(*parameters).scale == pytest.approx((upper - lower) / epsilon, rel=min(1 / coarse, 1))


@pytest.mark.parametrize("parameters", GRIDS)
def test_any_two_values_are_at_most_d_steps_apart(parameters):
    grid = laplace_grid(*parameters)
    lower, upper = float(parameters[1]), float(parameters[2])
    values = np.array([-np.inf, lower, upper, np.inf, -0.0, 0.0, 5e-324, -5e-324, 1.7e308, lower / 3 + upper / 3])
    steps = grid.index(values)
    assert steps.max() - steps.min() <= grid.high - grid.low
    assert grid.rate * int(steps.max() - steps.min()) <= rational(parameters[0])


def test_the_index_is_the_exact_floor():
    grid = laplace_grid(1, -5, 7)
    values = np.concatenate([np.linspace(-5, 7, 1001), np.nextafter([-1.0, 0.0, 1.0], -9), [-0.0, 2**-60, -(2**-60)]])
    expected = [Fraction(value) // Fraction(2) ** grid.exponent for value in values]
    assert grid.index(values).tolist() == expected


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((2**-21, 0, 1), "ε below"),
        ((1, 0, None), "needs bounds"),
        ((1, None, None), "needs bounds"),
        ((1, 1, 1), "needs bounds"),
        ((1, 2, 1), "needs bounds"),
        ((-1, 0, 1), "positive"),
        ((math.nan, 0, 1), "positive"),
        (("1", 0, 1), "positive"),
        ((True, 0, 1), "positive"),
        ((1, 1e15, 1e15 + 1), "exceed 2\\^51 grid steps"),
        ((2**40, 0, 1), "exceed 2\\^51 grid steps"),
        ((1, 0, 5e-324), "too close"),
        ((1, 0, 1.7e308), "too far apart"),
    ],
)
def test_a_grid_that_cannot_be_exact_is_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        laplace_grid(*parameters)


def test_integers_need_two_points_and_less_noise_than_2_to_51():
    with pytest.raises(ValueError, match="two integers"):
        laplace_grid(1, 0.2, 0.8, integral=True)
    with pytest.raises(ValueError, match="exceed"):
        laplace_grid(2**-10, -(2**50), 2**50, integral=True)


def test_sensitivity_sets_the_scale_whatever_the_bounds():
    assert laplace_grid(0.5, sensitivity=0.4).scale == pytest.approx(0.8, rel=1e-5)
    assert laplace_grid(0.5, 0, 67, sensitivity=0.4).scale == pytest.approx(0.8, rel=1e-5)
    assert laplace_grid(0.5, 0, 67, sensitivity=4, integral=True).rate == Fraction(1, 8)


@pytest.mark.parametrize("change", [0.4, 1, 0.1, 3e-5])
@pytest.mark.parametrize("times", [1, 1.5, 167.5])
def test_a_change_beyond_the_sensitivity_costs_no_more_than_in_proportion(change, times):
    grid, change = laplace_grid(0.5, sensitivity=change), Fraction(change)
    distance = change * Fraction(times)
    steps = math.ceil(distance / Fraction(grid.step))  # as far as two floors can be apart
    assert grid.rate * steps <= Fraction(1, 2) * distance / change
