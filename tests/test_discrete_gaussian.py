"""Exact discrete Gaussian noise. Statistical tests state their sample size; each has a false-alarm rate of 1e-9."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from skdp import _discrete_gaussian
from skdp._discrete_gaussian import DiscreteGaussian, discrete_gaussian, gaussian_grid, release
from skdp._inversion import exponential
from skdp.mechanisms import secure_source

ALPHA = 1e-9
GRIDS = [
    (1, 1e-6, 0, 120),
    (0.1, 1e-9, -3.7, 0.2),
    (Fraction(1, 3), Decimal("1e-5"), 1e-3, 2e-3),
    (Decimal("0.7"), 1e-6, -1e12, 1e12),
    (20, 1e-6, 0, 1),
    (5000, 1e-6, 0, 1),
    (2**-20, 1e-6, 0.1, 0.3),
    (1.5, 0.5, 1e6, 1e6 + 1),
]


class Constant:
    """A source of one byte, or of bytes that are given first."""

    def __init__(self, byte):
        self.byte = byte

    def words(self, count, dtype):
        return np.full(count * np.dtype(dtype).itemsize, self.byte, dtype=np.uint8).view(dtype)


def masses(sigma, reach):
    """Return the probabilities of -reach … reach, and of each tail beyond."""
    every = np.arange(-math.ceil(40 * sigma) - reach, math.ceil(40 * sigma) + reach + 1)
    weights = np.exp(-((every / float(sigma)) ** 2) / 2)
    middle = len(every) // 2
    inside = weights[middle - reach : middle + reach + 1] / weights.sum()
    return np.concatenate([[(1 - inside.sum()) / 2], inside, [(1 - inside.sum()) / 2]])


def misfit(drawn, sigma, asked=None):
    """Return the p-value against the exact mass function: χ² of the usual cells, Poisson's law of all rare ones.

    Both are tested, so the smaller p-value counts twice. χ² alone would be wrong for the rare: one draw where 0.0002
    are expected is no wonder, and its term is 5,000.
    """
    reach = max(int(float(sigma) * math.sqrt(2 * math.log(max(len(drawn) / (30 * float(sigma)), 2)))), 1)
    observed = np.bincount(np.clip(drawn, -reach - 1, reach + 1) + reach + 1, minlength=2 * reach + 3)
    expected = masses(asked or sigma, reach) * len(drawn)
    usual = expected >= 5
    statistic = np.sum((observed[usual] - expected[usual]) ** 2 / expected[usual])
    rare = stats.poisson(max(expected[~usual].sum(), 1e-12))
    found = observed[~usual].sum()
    return min(2 * stats.chi2.sf(statistic, max(usual.sum() - 1, 1)), 4 * rare.sf(found - 1), 4 * rare.cdf(found), 1.0)


# The distribution


@pytest.mark.parametrize("sigma", ["3/10", "1", "7/2", "40", "257/2", "1000"])
def test_noise_follows_the_discrete_gaussian(sigma):
    # 400,000 draws; from 128 on there are blocks of more than one integer
    sigma = Fraction(sigma)
    drawn = discrete_gaussian(sigma).draw(400_000, secure_source())
    assert misfit(drawn, sigma) > ALPHA
    assert abs(drawn.mean()) < 6.2 * float(sigma) / math.sqrt(400_000)


@pytest.mark.parametrize("sigma", ["3/10", "7/2", "40", "1000"])
def test_a_sigma_off_by_three_percent_is_rejected(sigma):
    # 1,000,000 draws: χ² of 5,000 cells (σ = 1000) is then nine of its deviations beyond the threshold, others more
    sigma = Fraction(sigma)
    drawn = discrete_gaussian(sigma * Fraction("1.03")).draw(1_000_000, secure_source())
    assert misfit(drawn, sigma) < ALPHA


@pytest.mark.parametrize("sigma", [2**20, 3 * 2**30, 2**46])
def test_noise_on_fine_grids_follows_the_normal_distribution(sigma):
    # Kolmogorov and Smirnov, 1,000,000 draws: a step is less than a millionth of σ
    drawn = discrete_gaussian(Fraction(sigma)).draw(1_000_000, secure_source()) / sigma
    assert stats.kstest(drawn, "norm").pvalue > ALPHA
    assert stats.kstest(drawn * 1.03, "norm").pvalue < ALPHA


def test_small_and_large_batches_are_drawn_alike():
    # below 2,048 draws there is no lookup table: two paths, one distribution
    batches = [discrete_gaussian(Fraction(257, 2)).draw(2000, secure_source()) for _ in range(200)]
    assert misfit(np.concatenate(batches), Fraction(257, 2)) > ALPHA


def test_the_least_noise_is_none_nearly_always():
    assert not discrete_gaussian(Fraction(1, 16)).draw(100_000, secure_source()).any()  # e^-128 each


def test_noise_is_symmetric_and_its_bits_are_independent_of_its_sign():
    # 1,000,000 draws
    drawn = discrete_gaussian(Fraction(2**20)).draw(1_000_000, secure_source())
    assert stats.binomtest(int((drawn > 0).sum()), int((drawn != 0).sum())).pvalue > ALPHA
    low = np.abs(drawn) % 2
    assert stats.binomtest(int(low.sum()), len(drawn)).pvalue > ALPHA
    assert stats.fisher_exact(np.bincount(2 * low + (drawn > 0), minlength=4).reshape(2, 2)).pvalue > ALPHA


def within_blocks(sampler, size=16_000_000):
    """Return the p-value of the mean place within blocks of eight (σ = 512): acceptance shifts it by 14 deviations."""
    places = np.abs(sampler.draw(size, secure_source())) % 8
    mass = masses(512, 8000)[1:-1]
    share = np.bincount(np.abs(np.arange(-8000, 8001)) % 8, weights=mass)
    mean = share @ np.arange(8)
    deviation = math.sqrt(share @ (np.arange(8) - mean) ** 2 / size)
    return 2 * stats.norm.sf(abs(places.mean() - mean) / deviation)


def test_places_within_blocks_are_as_likely_as_they_should_be():
    assert within_blocks(DiscreteGaussian(Fraction(512))) > ALPHA


@pytest.mark.parametrize("bug", ["accept all", "refuse what is doubtful"])
def test_a_wrong_acceptance_is_caught(monkeypatch, bug):
    wrong = np.ones_like if bug == "accept all" else np.zeros_like
    monkeypatch.setattr(DiscreteGaussian, "_decide", lambda self, first, *others: wrong(first, dtype=bool))
    sampler = DiscreteGaussian(Fraction(512))
    if bug == "refuse what is doubtful":
        sampler._factor *= 3  # the quick test alone is nearly exact: let it be off
    assert within_blocks(sampler) < ALPHA


def test_the_tail_beyond_the_last_block_is_drawn_exactly():
    # 60,000 draws, of which a third fall into the tail, here from 2 on: in truth that is from 12 σ on
    sampler = DiscreteGaussian(Fraction(2))
    sampler.last = 2
    assert misfit(sampler.draw(60_000, secure_source()), 2) > ALPHA


def test_a_wrong_tail_is_caught(monkeypatch):
    sampler = DiscreteGaussian(Fraction(2))
    sampler.last = 2
    monkeypatch.setattr(DiscreteGaussian, "_excess", lambda self, source: 0)
    assert misfit(sampler.draw(60_000, secure_source()), 2) < ALPHA


# Exactness


@pytest.mark.parametrize("sigma", ["3/10", "2", "200", "1048579"])
def test_blocks_have_the_probabilities_of_their_lowest_integer(sigma):
    sampler = DiscreteGaussian(Fraction(sigma))
    block = 2**sampler.places
    with localcontext() as context:
        context.prec = 150
        precise = Decimal(sampler.precision.numerator) / Decimal(sampler.precision.denominator)
        weights = [(-precise * (number * block) ** 2).exp() for number in range(4 * sampler.last)]
        total = sum(weights)
        for precision in (96, 200):
            lows, highs = sampler.blocks.enclose(precision)
            assert len(lows) == len(highs) == sampler.last
            running = Decimal(0)
            for low, high, weight in zip(lows, highs, weights, strict=False):
                running += weight / total
                assert low <= running * 2**precision <= high
                assert high - low < 2**12


def boundaries(sampler, count=300):
    """Return proposals, and for each the first 64 places of 1 - e^(-γ), exactly."""
    rng = np.random.default_rng(0)
    block = 2**sampler.places
    first = rng.integers(0, sampler.last, count) * block
    offset = rng.integers(1, block, count)
    offset[: count // 3] = 1
    exponents = [sampler.precision * (2 * int(h) + int(v)) * int(v) for h, v in zip(first, offset, strict=True)]
    places = [((1 << 256) - exponential(one, 256)[1]) >> 192 for one in exponents]
    assert places == [((1 << 256) - exponential(one, 256)[0]) >> 192 for one in exponents]
    return first, offset, np.array(places, dtype=np.uint64)


def check_decisions(sampler):
    """Raise unless acceptance changes where it should, to the last of 64 bits."""
    first, offset, places = boundaries(sampler)
    head = (places >> np.uint64(32)).astype(np.int64)
    for shift, expected in ((-1, False), (1, True), (300, True), (-300, False)):
        coins = np.clip(head + shift, 0, 2**32 - 1)
        clear = (coins - head) * shift > 0
        for decide in (sampler._accept_with, sampler._decide):
            found = decide(first, offset, coins.astype(np.uint32), secure_source())
            assert (found[clear] == expected).all()
    for byte, expected in ((0x00, True), (0xFF, False)):  # a tie of 32 bits: those to come, of 1 - U, decide
        found = sampler._accept_with(first, offset, head.astype(np.uint32), Constant(byte))
        assert (found == expected).all()


class Told:
    """Gives the coins that it was told, then what `source` gives."""

    def __init__(self, coins, source):
        self.coins, self.source = coins, source

    def words(self, count, dtype):
        if self.coins is not None:
            coins, self.coins = self.coins, None
            assert (count, dtype) == (len(coins), np.uint32)
            return coins
        return self.source.words(count, dtype)


class Checked(DiscreteGaussian):
    """Accepts with coins that are given."""

    def _accept_with(self, first, offset, coins, source):
        return self._accept(first, offset, Told(coins, source))


@pytest.mark.parametrize("sigma", ["128", "1000", "2076544", "3000000000001/7", str(2**46)])
def test_acceptance_is_decided_to_the_last_bit(sigma):
    check_decisions(Checked(Fraction(sigma)))


@pytest.mark.parametrize("bug", ["a margin of 2^-20", "a margin of nothing", "nine tenths", "no tie"])
def test_an_inexact_acceptance_is_caught(monkeypatch, bug):
    sampler = Checked(Fraction(2076544))
    if bug == "a margin of 2^-20":
        monkeypatch.setattr(_discrete_gaussian, "_MARGIN", -(2.0**-20))
    elif bug == "a margin of nothing":
        monkeypatch.setattr(_discrete_gaussian, "_MARGIN", -(2.0**-32))
    elif bug == "nine tenths":
        sampler._factor *= 0.9
    else:
        monkeypatch.setattr(_discrete_gaussian, "_coin", lambda *others: True)
    with pytest.raises(AssertionError):
        check_decisions(sampler)


@pytest.mark.parametrize("far", [10**3, 10**4, 10**6])
def test_far_beyond_the_last_block_acceptance_is_exact_too(far):
    sampler = Checked(Fraction(2**20))
    first, offset = np.array([far * 2**sampler.places] * 2), np.array([1, 2**sampler.places - 1])
    for byte in (0x00, 0xFF):
        coins = np.full(2, 0xFFFFFFFF if byte else 0, dtype=np.uint32)
        assert sampler._accept_with(first, offset, coins, Constant(0xFF - byte)).tolist() == [bool(byte)] * 2


@pytest.mark.parametrize(("byte", "size"), [(0x00, 3), (0x00, 3000), (0xFF, 3)])
def test_a_stuck_source_still_ends(byte, size):
    grid = gaussian_grid(1, 1e-6, 0, 120)
    released = release(np.full(size, 60.0), grid, source=Constant(byte))
    first, last = grid.window()
    assert len(set(released)) == 1
    assert released[0] == 60 if byte == 0 else first * grid.step <= released[0] < 60 - 11 * grid.scale


@pytest.mark.parametrize("exponent", [Fraction(1, 2**200), Fraction(1, 3), Fraction(4), Fraction(5000)])
def test_coins_have_their_probability(exponent):
    # 3,000 draws
    heads = sum(_discrete_gaussian._coin(exponent, secure_source()) for _ in range(3000))
    assert stats.binomtest(heads, 3000, math.exp(-exponent)).pvalue > ALPHA
    assert _discrete_gaussian._coin(Fraction(0), Constant(0x00))


@pytest.mark.parametrize("sigma", [Fraction(1, 17), 2**46 + 1])
def test_sigma_has_limits(sigma):
    with pytest.raises(ValueError, match="between 2\\^-4 and 2\\^46"):
        DiscreteGaussian(Fraction(sigma))


# The grid, and what is released


@pytest.mark.parametrize("parameters", GRIDS)
def test_the_step_is_at_most_a_millionth_of_sigma(parameters):
    grid = gaussian_grid(*parameters)
    step = Fraction(2) ** grid.exponent
    lower, upper = map(Fraction, parameters[2:])
    assert grid.sigma >= 2**20 * Fraction(99, 100)
    assert (grid.low, grid.high) == (round(lower / step), round(upper / step))
    assert grid.noise_multiplier == grid.sigma / (grid.high - grid.low)
    assert grid.high - grid.low >= 255


@pytest.mark.parametrize("parameters", GRIDS)
def test_any_two_values_are_at_most_d_steps_apart(parameters):
    grid = gaussian_grid(*parameters)
    lower, upper = float(parameters[2]), float(parameters[3])
    values = np.array([-np.inf, lower, upper, np.inf, -0.0, 0.0, 5e-324, -5e-324, 1.7e308, lower / 3 + upper / 3])
    steps = grid.index(values)
    assert (steps == np.floor(steps)).all()
    assert grid.low <= steps.min() <= steps.max() <= grid.high


def test_the_index_is_exact():
    grid = gaussian_grid(1, 1e-6, -5, 7)
    values = np.concatenate([np.linspace(-5, 7, 1001), np.arange(-20, 20) * grid.step / 2, [-0.0, 2**-60]])
    assert grid.index(values).tolist() == [round(Fraction(value) / Fraction(grid.step)) for value in values]
    whole = gaussian_grid(1, 1e-6, -5.5, 7.5, integral=True)
    assert (whole.low, whole.high, whole.step) == (-5, 7, 1)
    assert whole.index(np.array([-9.0, -0.5, 2.7, 7.5])).tolist() == [-5, -1, 2, 7]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ((2**-21, 1e-6, 0, 1), "ε below"),
        ((1, 1, 0, 1), "δ must be"),
        ((1, 2.0**-257, 0, 1), "δ must be"),
        ((1, 1e-6, 1, 1), "needs bounds"),
        ((1, 1e-6, 0, None), "needs bounds"),
        ((-1, 1e-6, 0, 1), "positive"),
        ((1, 0, 0, 1), "positive"),
        ((1, 1e-6, 1e15, 1e15 + 1), "exceed 2\\^51 grid steps"),
        ((1, 1e-6, 0, 5e-324), "too close"),
        ((1, 1e-6, 0, 1.7e308), "too far apart"),
    ],
)
def test_a_grid_that_cannot_be_exact_is_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        gaussian_grid(*parameters)


def test_integers_need_two_points_and_less_noise_than_2_to_46():
    with pytest.raises(ValueError, match="two integers"):
        gaussian_grid(1, 1e-6, 0.2, 0.8, integral=True)
    with pytest.raises(ValueError, match="2\\^46"):
        gaussian_grid(2**-10, 1e-6, -(2**50), 2**50, integral=True)


@pytest.mark.parametrize("parameters", GRIDS)
def test_every_output_lies_on_the_grid_and_in_the_window(parameters):
    grid = gaussian_grid(*parameters)
    values = np.linspace(float(parameters[2]), float(parameters[3]), 5000)
    for clip in (False, True):
        multiples = release(values, grid, clip=clip) / grid.step
        first, last = grid.window(clip)
        assert (multiples == np.floor(multiples)).all()
        assert first <= multiples.min() <= multiples.max() <= last < 2**53


@pytest.mark.parametrize("size", [0, 1, 7, 2047, 2048, 2**14 - 1, 2**14, 2**14 + 1, 40_000])
def test_every_size_and_every_cell_gets_noise_of_its_own(size):
    released = release(np.zeros(size), gaussian_grid(1, 1e-6, 0, 1))
    assert released.shape == (size,)
    # at least 2^20 grid points within σ: among 40,000 draws some 200 pairs agree by chance
    assert len(np.unique(released)) > 0.98 * size - 2


def test_missing_stays_missing_infinite_is_clamped_and_negative_zero_is_never_released():
    released = release(np.array([np.nan, np.inf, -np.inf, 0.0]), gaussian_grid(10**6, 1e-6, 0, 1))
    assert np.isnan(released).tolist() == [True, False, False, False]
    assert released[1:] == pytest.approx([1, 0, 0], abs=0.1)  # more than a hundred σ
    whole = release(np.array([3, 4]), gaussian_grid(1, 1e-6, 0, 9, integral=True))
    assert whole.dtype == np.int64
    with pytest.raises(ValueError, match="missing"):
        release(np.array([1.0, np.nan]), gaussian_grid(1, 1e-6, 0, 9, integral=True))
    zeros = release(np.where(np.arange(4000) % 2, -0.0, 0.0), gaussian_grid(1, 1e-6, 0, 1), clip=True)
    assert (zeros == 0).sum() > 1000
    assert not np.signbit(zeros).any()
