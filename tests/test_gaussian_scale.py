"""The width of Gaussian noise, against δ summed over the whole distribution."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from scipy import optimize, stats

from skdp._gaussian_scale import delta_at_most, smallest_sigma

ASKED = [
    (epsilon, delta) for epsilon in ("0.01", "0.1", "0.5", "1", "3", "8") for delta in ("1e-12", "1e-6", "1e-3", "0.2")
]


def actual_delta(epsilon, sigma, distance):
    """Return δ from its definition, summed over all integers within 40 σ: Σ max(0, P(z) - e^ε P(z + d))."""
    reach = math.ceil(40 * sigma) + distance
    weights = np.exp(-((np.arange(-reach, reach + distance + 1) / sigma) ** 2) / 2)
    gaps = weights[: -distance or None] - math.exp(epsilon) * weights[distance:]
    return float(np.maximum(gaps, 0).sum() / weights.sum())


def exact_delta(epsilon, sigma, distance):
    """Return the same to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        reach = math.ceil(30 * sigma) + distance
        square = 2 * Decimal(sigma.numerator) ** 2 / Decimal(sigma.denominator) ** 2
        weights = [(-Decimal(z * z) / square).exp() for z in range(-reach, reach + distance + 1)]
        growth = Decimal(epsilon).exp()
        gaps = (one - growth * other for one, other in zip(weights, weights[distance:], strict=False))
        return sum(gap for gap in gaps if gap > 0) / sum(weights)


def analytic_sigma(epsilon, delta):
    """Return σ of the continuous Gaussian for a sensitivity of 1 (Balle and Wang, 2018, theorem 8)."""

    def surplus(sigma):
        middle = epsilon * sigma
        return stats.norm.sf(middle - 0.5 / sigma) - math.exp(epsilon) * stats.norm.sf(middle + 0.5 / sigma) - delta

    return optimize.brentq(surplus, 1e-2, 1e6)


@pytest.mark.parametrize("distance", [1, 2, 7])
@pytest.mark.parametrize(("epsilon", "delta"), [("0.5", "1e-6"), ("1", "1e-3"), ("3", "1e-12"), ("8", "1e-6")])
def test_no_distance_up_to_the_largest_loses_more_than_delta(epsilon, delta, distance):
    sigma = smallest_sigma(Fraction(epsilon), Fraction(delta), distance)
    for shift in range(1, distance + 1):
        assert exact_delta(epsilon, sigma, shift) <= Decimal(delta)


@pytest.mark.parametrize(
    ("epsilon", "delta", "distance"),
    [(*asked, distance) for distance in (1, 5, 300) for asked in ASKED if distance < 300 or float(asked[0]) >= 0.5]
    + [("1", "1e-6", 2**13), ("8", "1e-12", 2**13)],
)
def test_delta_is_kept_and_little_noise_is_wasted(epsilon, delta, distance):
    sigma = smallest_sigma(Fraction(epsilon), Fraction(delta), distance)
    assert actual_delta(float(epsilon), float(sigma), distance) <= float(delta) * (1 + 1e-9)
    if distance >= 300:
        assert float(sigma) / distance <= 1.001 * analytic_sigma(float(epsilon), float(delta))
    elif sigma > 1:  # of few integers, δ jumps with σ
        assert float(sigma) / distance <= 1.05 * analytic_sigma(float(epsilon), float(delta))


@pytest.mark.parametrize(("epsilon", "delta"), ASKED)
def test_on_fine_grids_the_noise_is_that_of_the_continuous_gaussian(epsilon, delta):
    sigma = smallest_sigma(Fraction(epsilon), Fraction(delta), 2**20)
    assert float(sigma) / 2**20 == pytest.approx(analytic_sigma(float(epsilon), float(delta)), rel=2e-4)


def test_a_sigma_off_by_three_percent_is_caught():
    for epsilon, delta in [(0.5, 1e-6), (1, 1e-3), (3, 1e-12)]:
        sigma = smallest_sigma(Fraction(epsilon), Fraction(delta), 300)
        assert actual_delta(epsilon, float(sigma) / 1.03, 300) > 1.1 * delta


@pytest.mark.parametrize("sigma", [Fraction(1, 2), Fraction(37, 8), 100, 4000, 4097, 50_000])
@pytest.mark.parametrize("distance", [1, 30, 1000, 9000])
@pytest.mark.parametrize("epsilon", [0.01, 1, 6])
def test_the_bound_is_a_bound_and_tight(epsilon, sigma, distance):
    bound = delta_at_most(Fraction(epsilon), Fraction(sigma), distance)
    actual = actual_delta(epsilon, float(sigma), distance)
    assert actual <= bound * (1 + 1e-9)
    if sigma <= 4096:
        assert bound <= actual * (1 + 1e-6) + 1e-10
    else:  # by the greatest of the terms, at most
        assert bound <= actual + 0.4 / float(sigma) + 1e-10


def test_the_continuous_formula_alone_is_no_bound():
    # where σ is small, δ of the discrete distribution is above the continuous one's
    found = []
    for sigma in np.linspace(0.6, 4, 200):
        continuous = stats.norm.sf(sigma - 0.5 / sigma) - math.e * stats.norm.sf(sigma + 0.5 / sigma)
        found.append(actual_delta(1, sigma, 1) > continuous)
        assert actual_delta(1, sigma, 1) <= delta_at_most(Fraction(1), Fraction(sigma), 1) * (1 + 1e-9)
    assert any(found)


def test_large_epsilon_and_far_distances_stay_finite():
    assert 0 < delta_at_most(Fraction(2**60), Fraction(1), 1) < 1e-250
    assert delta_at_most(Fraction(1, 2**20), Fraction(1), 2**50) == pytest.approx(1)
    assert delta_at_most(Fraction(10_000), Fraction(2**21), 2**40) == pytest.approx(1)


def test_noise_that_no_grid_holds_is_refused():
    with pytest.raises(ValueError, match="2\\^46 grid steps"):
        smallest_sigma(Fraction(1, 1000), Fraction(1, 10**6), 2**45)


def test_sigma_has_fifteen_binary_digits():
    sigma = smallest_sigma(Fraction(1), Fraction(1, 10**6), 12345)
    assert sigma.numerator.bit_length() <= 15 or sigma.denominator == 1
    assert sigma.denominator & (sigma.denominator - 1) == 0
