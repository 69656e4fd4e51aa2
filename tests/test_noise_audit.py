"""The noise under attack. Every statistical claim is tested at α = 1e-9, and every test must catch a planted bug."""

import logging
import math
import multiprocessing
import pickle
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, clone
from sklearn.impute import KNNImputer
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer

from skdp import (
    DistributionImputer,
    FakerSynthesizer,
    IntervalBinner,
    KAnonymizer,
    OutlierDropper,
    PIICleaner,
    QuantileBinner,
    _calibration,
    _inversion,
    mechanisms,
)
from skdp._discrete_gaussian import discrete_gaussian, gaussian_grid
from skdp._discrete_gaussian import release as release_gaussian
from skdp.gaussian import GaussianNoise
from skdp.mechanisms import (
    Inversion,
    KeyStream,
    bernoulli,
    laplace,
    laplace_grid,
    laplace_integers,
    randomized_response,
    secure_source,
    two_sided_geometric,
)
from skdp.noise import LaplaceNoise, RandomizedResponse

ALPHA = 1e-9


def at_least(hits, size, alpha):
    """Return the Clopper–Pearson lower bound on a probability."""
    return np.where(hits > 0, stats.beta.ppf(alpha, hits, size - hits + 1), 0.0)


def at_most(hits, size, alpha):
    """Return the Clopper–Pearson upper bound on a probability."""
    return np.where(hits < size, stats.beta.ppf(1 - alpha, hits + 1, size - hits), 1.0)


def epsilon_at_least(first, second, size, comparisons=1):
    """Return a lower bound on ε from how often events happened on either side, valid for all events at once."""
    alpha = ALPHA / (4 * comparisons)
    bounds = [
        np.log(np.maximum(at_least(one, size, alpha), 1e-300) / at_most(other, size, alpha))
        for one, other in ((first, second), (second, first))
    ]
    return max(float(np.max(bound)) for bound in bounds)


def numpy_laplace(values, epsilon, lower, upper):
    """What everyone writes, and what is broken."""
    return values + np.random.default_rng().laplace(0, (upper - lower) / epsilon, len(values))


# 1. Precision attack (Haney et al., 2022)


def precision_attack(release, size=20_000):
    """Return the ε that the events "y 2^e is no integer" prove, for inputs 0 and 1 and a claim of ε = 1."""
    exponents = range(50, 56)
    hits = []
    for value in (0.0, 1.0):
        released = release(np.full(size, value), 1, 0, 1)
        scaled = [np.ldexp(released, exponent) for exponent in exponents]
        hits.append(np.array([(one != np.floor(one)).sum() for one in scaled]))
    return epsilon_at_least(*hits, size, len(exponents))


def test_low_bits_tell_nothing():
    assert precision_attack(laplace) <= 1


def test_low_bits_of_numpy_s_noise_are_caught():
    assert precision_attack(numpy_laplace) > 5


# 2. Porous support (Mironov, 2012)


def reachable(released, value):
    """Whether NumPy's sampler can make `released` of `value`, for each of its outputs: x ∓ log(k 2^-52)."""
    found = []
    for y in released.tolist():
        noise = y - value
        sign = -1.0 if noise > 0 else 1.0
        k = round(math.exp(-abs(noise)) * 2**52)
        near = range(max(k - 3, 1), k + 4)
        found.append(any(value + sign * math.log(one * 2.0**-52) == y for one in near))
    return np.array(found)


def given_away(release, size=2000):
    """Return the share of outputs that can come from one of the inputs 0 and 1 only."""
    released = np.concatenate([release(np.full(size, value), 1, 0, 1) for value in (0.0, 1.0)])
    return (reachable(released, 0.0) != reachable(released, 1.0)).mean(), released


def test_every_output_is_on_the_grid_and_so_possible_for_every_input():
    grid = laplace_grid(1, 0, 1)
    first, last = grid.window()
    for value in (0.0, 1 / 3, 1.0):
        steps = laplace(np.full(100_000, value), 1, 0, 1) / grid.step
        assert (steps == np.floor(steps)).all()
        assert first < steps.min() <= steps.max() < last  # where each point is possible for each input: test 3


def test_numpy_s_outputs_give_their_input_away():
    share, released = given_away(numpy_laplace)
    assert share >= 0.5
    steps = released / laplace_grid(1, 0, 1).step
    assert (steps != np.floor(steps)).mean() > 0.99


# 3. Exactness: the probability mass function in rational numbers


def pmf_of(inversion, precision=2500):
    """Return enclosures of the outcomes' probabilities, as fractions."""
    lows, highs = inversion.enclose(precision)
    lows, highs = [0, *lows, 1 << precision], [0, *highs, 1 << precision]
    scale = 1 << precision
    return [
        (Fraction(lows[v + 1] - highs[v], scale), Fraction(highs[v + 1] - lows[v], scale)) for v in range(len(lows) - 1)
    ]


def pmf_of_geometric(geometric, count):
    """Return enclosures of P(G = m) for m < count, from the digits that are really drawn."""
    top, *digits = [pmf_of(one) for one in (geometric.top, *geometric.digits)]
    overflow = top.pop()  # 128 and more: a fresh digit is added
    places = [_inversion.WIDTH * place for place in reversed(range(len(digits)))]
    probabilities = []
    for m in range(count):
        excess, digit = divmod(m >> (_inversion.WIDTH * len(digits)), _inversion.TOP)
        factors = [overflow] * excess + [top[digit]]
        factors += [one[(m >> place) % 2**_inversion.WIDTH] for one, place in zip(digits, places, strict=True)]
        probabilities.append(tuple(math.prod(factor[side] for factor in factors) for side in (0, 1)))
    return probabilities


def pmf_of_noise(rate, reach, integral):
    """Return enclosures of P(Z = z) for z = -reach … reach."""
    geometric = pmf_of_geometric(mechanisms._geometric(rate), reach + 1)
    if not integral:  # G + 1 or -G
        half = [(low / 2, high / 2) for low, high in geometric]
        return [*half[::-1], *half[:-1]]
    (kept_low, kept_high), (other_low, other_high) = pmf_of(_inversion.sign_of(rate))  # G or -1 - G
    negative = [(low * other_low, high * other_high) for low, high in geometric[:-1]]
    return [*negative[::-1], *[(low * kept_low, high * kept_high) for low, high in geometric]]


def check_ratios(pmf, steps, epsilon):
    """Raise unless noise of all sizes is possible, and a shift of up to `steps` changes no probability by over e^ε."""
    low, _ = _inversion.exponential(Fraction(epsilon), 400)
    most = Fraction(1 << 400, low) * (1 + Fraction(1, 2**100))  # e^ε; enclosures are as wide as this
    assert all(probability[0] > 0 for probability in pmf)
    assert all(
        one[1] <= most * other[0] and other[1] <= most * one[0]
        for shift in {1, steps // 2, steps} - {0}
        for one, other in zip(pmf, pmf[shift:], strict=False)
    )


@pytest.mark.parametrize("integral", [False, True])
@pytest.mark.parametrize("epsilon", [Fraction(1, 10), 1, 7])
@pytest.mark.parametrize("steps", [1, 2, 3, 10, 31, 64])
def test_no_two_inputs_are_told_apart_by_more_than_epsilon(steps, epsilon, integral):
    check_ratios(pmf_of_noise(Fraction(epsilon) / steps, 3 * steps + 140, integral), steps, epsilon)


@pytest.mark.parametrize("integral", [False, True])
def test_probabilities_add_up(integral):
    pmf = pmf_of_noise(Fraction(1, 10), 1000, integral)
    outside = _inversion.exponential(Fraction(100), 400)[1] / Fraction(2**399)
    assert 1 - outside <= sum(low for low, _ in pmf) <= sum(high for _, high in pmf) < 1


def test_a_grid_of_64_steps_is_drawn_from_its_mass_function():
    # χ² with 400,000 integers of bounds 0 … 64; false alarm 1e-9
    drawn = laplace_integers(np.zeros(400_000), 1, 0, 64)
    pmf = [float(low) for low, _ in pmf_of_noise(Fraction(1, 64), 300, integral=True)]
    observed = np.bincount(np.clip(drawn, -301, 301) + 301, minlength=603)
    inside = 400_000 * np.array(pmf)
    tails = (400_000 - inside.sum()) / 2
    assert stats.chisquare(observed, np.array([tails, *inside, tails])).pvalue > ALPHA


@pytest.mark.parametrize("integral", [False, True])
@pytest.mark.parametrize("bug", ["rate", "cut off"])
def test_a_wrong_mass_function_is_caught(monkeypatch, bug, integral):
    if bug == "rate":
        pmf = pmf_of_noise(Fraction(1, 64) * Fraction(1001, 1000), 200, integral)
    else:
        pmf = [
            (low, high) if z < 300 else (0, 0)
            for z, (low, high) in enumerate(pmf_of_noise(Fraction(1, 64), 200, integral))
        ]
    with pytest.raises(AssertionError):
        check_ratios(pmf, 64, 1)


def check_cells(inversion):
    """Raise unless every 64-bit word leads to the outcome that the cumulative probabilities demand, ties included."""
    cells = np.arange(2**16, dtype=np.uint64) << np.uint64(48)
    first = np.searchsorted(inversion.thresholds, cells, side="right")
    last = np.searchsorted(inversion.thresholds, cells | np.uint64(2**48 - 1), side="right")
    assert np.array_equal(_inversion.table(inversion), np.where(first == last, first, -1))
    thresholds = inversion.thresholds.tolist()
    for number, threshold in enumerate(thresholds):
        if threshold in thresholds[:number] or threshold in thresholds[number + 1 :]:
            continue
        words = np.array([threshold - 1, threshold + 1], dtype=np.uint64)
        # c = 0.(threshold)xxx…, irrational: below it with 0-bits to come, above it with 1-bits
        assert inversion._decide(words, None).tolist() == [number, number + 1]
        tie = words[:1] + np.uint64(1)
        assert inversion._decide(tie, Scripted(then=0x00)).tolist() == [number]
        assert inversion._decide(tie, Scripted(then=0xFF)).tolist() == [number + 1]


INVERSIONS = {
    "low digit": lambda: _inversion.low_digit(laplace_grid(1, 0, 120).rate),
    "high digit": lambda: _inversion.low_digit(laplace_grid(1, 0, 120).rate * 2**10),
    "top digit": lambda: _inversion.top_digit(laplace_grid(1, 0, 120).rate * 2**20),
    "sign": lambda: _inversion.sign_of(Fraction(1, 120)),
    "response": lambda: _inversion.response(Fraction(1), 9),
    "Gaussian, few": lambda: discrete_gaussian(Fraction(1)).blocks,
}


@pytest.mark.parametrize("name", INVERSIONS)
def test_random_bits_are_divided_among_outcomes_exactly(name):
    check_cells(INVERSIONS[name]())


def test_a_tie_broken_without_more_bits_is_caught(monkeypatch):
    monkeypatch.setattr(Inversion, "resolve", lambda self, prefix, source: 0)
    with pytest.raises(AssertionError):
        check_cells(INVERSIONS["low digit"]())


def test_a_table_that_decides_too_early_is_caught(monkeypatch):
    inversion = INVERSIONS["low digit"]()
    table = np.maximum(_inversion.table(inversion), 0)
    monkeypatch.setattr(_inversion, "table", lambda inversion: table)
    with pytest.raises(AssertionError):
        check_cells(inversion)


# 4. Fit of the sampler, 10^6 draws


def misfit(release, scale_factor=1.0):
    """Return the p-value of Kolmogorov and Smirnov for noise of scale 2."""
    drawn = release(np.full(1_000_000, 0.5), 0.5, 0, 1) - 0.5
    return stats.kstest(drawn, stats.laplace(scale=2 * scale_factor).cdf).pvalue


def test_floats_follow_the_laplace_distribution():
    assert misfit(laplace) > ALPHA


def test_a_scale_off_by_three_percent_is_rejected():
    assert misfit(laplace, 1.03) < ALPHA
    assert misfit(lambda values, epsilon, lower, upper: laplace(values, epsilon / 1.03, lower, upper)) < ALPHA


def misfit_of_integers(drawn, rate):
    """Return the p-value of χ² for the two-sided geometric distribution."""
    a = math.exp(-rate)
    reach = int(math.log(len(drawn) / 50) / rate)
    inside = (1 - a) / (1 + a) * a ** np.abs(np.arange(-reach, reach + 1))
    tail = a ** (reach + 1) / (1 + a)
    observed = np.bincount(np.clip(drawn, -reach - 1, reach + 1) + reach + 1, minlength=2 * reach + 3)
    expected = len(drawn) * np.array([tail, *inside, tail])
    return stats.chisquare(observed, expected * len(drawn) / expected.sum()).pvalue


@pytest.mark.parametrize("rate", [Fraction(1, 500), Fraction(1, 5), Fraction(3)])
def test_integers_follow_the_two_sided_geometric_distribution(rate):
    drawn = two_sided_geometric(1_000_000, rate)
    assert misfit_of_integers(drawn, float(rate)) > ALPHA
    assert misfit_of_integers(two_sided_geometric(1_000_000, rate / Fraction("1.03")), float(rate)) < ALPHA


def test_small_and_large_batches_are_drawn_alike():
    # below 2,048 draws there is no lookup table: two paths, one distribution
    batches = np.concatenate([two_sided_geometric(2000, Fraction(1, 5)) for _ in range(200)])
    assert misfit_of_integers(batches, 0.2) > ALPHA


def test_coins_and_answers_have_their_probabilities():
    size = 1_000_000
    for probability in (0.5, Fraction(1, 3), 0.001, 0.7):
        expected = float(probability)
        assert stats.binomtest(int(bernoulli(size, probability).sum()), size, expected).pvalue > ALPHA
        assert stats.binomtest(int(bernoulli(size, probability).sum()), size, expected * 1.4).pvalue < ALPHA
    answers = np.bincount(randomized_response(np.full(size, 2), math.log(3), 5), minlength=5)
    assert stats.chisquare(answers, size * np.array([1, 1, 3, 1, 1]) / 7).pvalue > ALPHA
    assert stats.chisquare(answers, size * np.array([1, 1, 3.15, 1, 1]) / 7.15).pvalue < ALPHA


# 5. Empirical ε, 2·10^6 draws a side


def empirical_epsilon(release, size=1_000_000):
    """Return a lower bound on ε: the event chosen on one half of the draws, the bound taken on the other."""
    cuts = np.linspace(-3, 4, 141)
    counts = []
    for value in (0.0, 1.0):
        halves = [np.sort(release(np.full(size, value), 1, 0, 1)) for _ in range(2)]
        counts.append([np.searchsorted(half, cuts) for half in halves])
    (choose_0, bound_0), (choose_1, bound_1) = counts
    promise = np.maximum(
        np.log(at_least(choose_0, size, ALPHA) + 1e-300) - np.log(at_most(choose_1, size, ALPHA)),
        np.log(at_least(size - choose_1, size, ALPHA) + 1e-300) - np.log(at_most(size - choose_0, size, ALPHA)),
    )
    best = int(promise.argmax())
    return max(
        epsilon_at_least(bound_0[best], bound_1[best], size, 2),
        epsilon_at_least(size - bound_1[best], size - bound_0[best], size, 2),
    )


@pytest.mark.parametrize("form", ["floats", "integers"])
def test_no_event_proves_more_than_the_claim(form):
    found = empirical_epsilon(laplace if form == "floats" else laplace_integers)
    assert 0.96 < found <= 1  # and the attack is strong enough to see nearly all of it


def test_half_the_noise_is_caught():
    assert empirical_epsilon(lambda values, epsilon, *bounds: laplace(values, 2 * epsilon, *bounds)) > 1.9
    assert empirical_epsilon(lambda values, epsilon, *bounds: laplace(values, 1.05 * epsilon, *bounds)) > 1


# 6. Noise never repeats


def zeros(columns=1, rows=64):
    return pd.DataFrame(np.zeros((rows, columns)), columns=[f"c{i}" for i in range(columns)])


def noise_of(estimator, columns=1):
    """Return the noise of each column of one call, 64 values each."""
    return [tuple(column) for column in estimator.fit(zeros(columns)).transform(zeros(columns)).to_numpy().T]


class Recorder(BaseEstimator):
    """Keeps the table that it is fitted to."""

    def fit(self, X, y=None):
        self.seen_ = X
        return self

    def score(self, X, y=None):
        return 0.0


def noise_everywhere(estimator):
    """Return the noise of columns, calls, clones, folds, threads, and workers of both kinds."""
    vectors = noise_of(estimator, 3) + noise_of(estimator) + noise_of(clone(estimator))
    vectors += noise_of(pickle.loads(pickle.dumps(estimator)))
    scores = cross_validate(make_pipeline(estimator, Recorder()), zeros(rows=80), return_estimator=True, cv=5)
    vectors += [tuple(pipeline[-1].seen_["c0"]) for pipeline in scores["estimator"]]
    with ThreadPoolExecutor(4) as threads:
        vectors += sum(threads.map(noise_of, [estimator] * 8), [])
    with joblib.parallel_config("loky"):
        vectors += sum(joblib.Parallel(2)(joblib.delayed(noise_of)(estimator) for _ in range(4)), [])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking a process with threads
        with multiprocessing.get_context("fork").Pool(2) as workers:
            vectors += sum(workers.map(noise_of, [estimator] * 4, chunksize=1), [])
            workers.close()
            workers.join()
    assert {len(vector) for vector in vectors} == {64}
    return vectors


def test_noise_never_repeats():
    vectors = noise_everywhere(LaplaceNoise(bounds=(0, 1)).fit(zeros()))
    assert len(vectors) == 3 + 1 + 1 + 1 + 5 + 8 + 4 + 4
    assert len(set(vectors)) == len(vectors)
    heads = {vector[:8] for vector in vectors}  # nor do beginnings, as with streams started at one place
    assert len(heads) == len(vectors)


def test_a_reused_seed_is_caught():
    vectors = noise_everywhere(LaplaceNoise(bounds=(0, 1), random_state=0).fit(zeros()))
    assert len(set(vectors)) == 3  # one for each column


def test_a_source_kept_over_a_fork_is_caught(monkeypatch):
    kept = secure_source()
    monkeypatch.setattr(_calibration, "secure_source", lambda: kept)
    with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as workers:
        vectors = sum(workers.map(noise_of, [LaplaceNoise(bounds=(0, 1))] * 4, chunksize=1), [])
    assert len(set(vectors)) < len(vectors)


def test_a_key_used_twice_is_caught(monkeypatch):
    monkeypatch.setattr(_calibration, "secure_source", lambda: KeyStream(bytes(32)))
    vectors = noise_of(LaplaceNoise(bounds=(0, 1)), 3)
    assert len(set(vectors)) == 1


def test_cells_of_one_call_never_share_noise():
    # 2^21 grid points within a scale: among 64 draws two agree with probability 1e-3, among 1,000 some 0.2 pairs do
    released = LaplaceNoise(bounds=(0, 1)).fit_transform(zeros(rows=100_000))["c0"].to_numpy()
    assert len(np.unique(released)) > 0.97 * len(released)
    chunks = released[: 6 * 2**14].reshape(6, -1)
    assert len(np.unique(chunks[:, :8], axis=0)) == 6


@pytest.mark.parametrize(
    "estimator",
    [LaplaceNoise(bounds=(0, 1)), GaussianNoise(bounds=(0, 1)), RandomizedResponse(1, categories={"c0": [0.0, 1.0]})],
)
def test_a_source_that_fails_raises_and_nothing_is_released(monkeypatch, estimator):
    estimator = clone(estimator).fit(zeros())

    def fail(size):
        raise OSError("no randomness")

    monkeypatch.setattr(mechanisms.os, "urandom", fail)
    with pytest.raises(OSError, match="no randomness"):
        estimator.transform(zeros())
    with pytest.raises(OSError, match="no randomness"):
        clone(estimator).fit_transform(zeros())


# 7. Sources that force the exact path


class Scripted:
    """Gives words as told, then one byte for ever, or else secure bits."""

    def __init__(self, script=(), then=None):
        self.script, self.then, self.source = list(script), then, secure_source()
        self.drawn = 0

    def words(self, count, dtype):
        self.drawn += 1
        if self.script:
            return np.full(count, self.script.pop(0), dtype=np.uint64).astype(dtype)
        if self.then is not None:
            return np.full(count * np.dtype(dtype).itemsize, self.then, dtype=np.uint8).view(dtype)
        return self.source.words(count, dtype)


@pytest.fixture
def resolved(monkeypatch):
    """Count how often more than 64 bits were needed."""
    calls, resolve = [], Inversion.resolve

    def counted(self, prefix, source):
        calls.append(prefix)
        return resolve(self, prefix, source)

    monkeypatch.setattr(Inversion, "resolve", counted)
    return calls


def test_a_tie_takes_the_exact_path(resolved):
    inversion = INVERSIONS["low digit"]()
    threshold = int(inversion.thresholds[499])
    # the bits to come are 0.63 of the way: 64 alike have probability 1e-13
    outcomes = [int(inversion.draw(1, Scripted([threshold]))[0]) for _ in range(64)]
    assert set(outcomes) == {499, 500}
    assert resolved == [threshold] * 64
    by_table = inversion.draw(4096, Scripted([threshold >> 48, (threshold << 16) % 2**64]))
    assert set(by_table) == {499, 500}
    assert len(resolved) == 64 + 4096
    share = (inversion.enclose(192)[0][499] >> 64) % 2**64 / 2**64
    assert stats.binomtest(int((by_table == 499).sum()), 4096, share).pvalue > ALPHA


def test_every_tied_cell_gets_further_bits_of_its_own():
    inversion = INVERSIONS["low digit"]()
    threshold = int(inversion.thresholds[499])
    drawn = inversion.draw(4096, Scripted([threshold >> 48]))
    share = threshold % 2**48 / 2**48
    assert 0.01 < share < 0.99
    assert stats.binomtest(int((drawn == 499).sum()), 4096, share).pvalue > ALPHA


def test_a_tie_that_goes_on_is_followed_without_limit(resolved):
    inversion = INVERSIONS["sign"]()
    lows, _ = inversion.enclose(2000)
    digits = [(lows[0] >> (2000 - 64 * number)) % 2**64 for number in range(1, 20)]

    class Mirror(Scripted):
        """Follows the binary expansion of the probability for 1,216 bits."""

        def words(self, count, dtype):
            if dtype is np.uint8 and len(digits) >= count // 8:
                taken = [digits.pop(0) for _ in range(count // 8)]
                return np.frombuffer(b"".join(one.to_bytes(8) for one in taken), dtype=np.uint8)
            return super().words(count, dtype)

    first = digits.pop(0)
    assert inversion.resolve(first, Mirror()) in (0, 1)
    assert len(digits) <= 4  # 64 + 64 + 128 + 256 + 512 bits were all ties


class Digits:
    """Stands in for the top digit: one outcome after the other, the last one for ever."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)

    def draw(self, size, source):
        return np.full(size, self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0], dtype=np.int16)


@pytest.mark.parametrize(("outcomes", "total"), [((5,), 5), ((128, 0), 128), ((128, 128, 128, 7), 3 * 128 + 7)])
def test_an_overflow_adds_a_fresh_digit(outcomes, total):
    geometric = mechanisms.Geometric(Digits(*outcomes), ())
    assert geometric.draw(3, 2**31, secure_source()).tolist() == [total] * 3


def test_overflows_end_beyond_the_window():
    drawn = mechanisms.Geometric(Digits(128), ()).draw(3, 10_000, secure_source())
    assert set(drawn) == {10_112}


def test_the_top_digit_overflows_as_often_as_it_should():
    # a rate of 1/40 a digit: e^-3.2 of the draws overflow, and what is added follows the same law
    geometric = mechanisms.Geometric(_inversion.top_digit(Fraction(1, 40)), ())
    drawn = geometric.draw(1_000_000, 2**31, secure_source())
    for least in (64, 128, 200, 256, 400):
        assert stats.binomtest(int((drawn >= least).sum()), len(drawn), math.exp(-least / 40)).pvalue > ALPHA


@pytest.mark.parametrize("byte", [0x00, 0xFF])
@pytest.mark.parametrize("release", [laplace, laplace_integers])
def test_a_stuck_source_ends_at_the_edge_of_the_window(byte, release, resolved):
    integral = release is laplace_integers
    grid = laplace_grid(1, 0, 120, integral=integral)
    released = release(np.full(7, 60.0), 1, 0, 120, source=Scripted(then=byte))
    nearest = 60 if integral else 60 + grid.step
    assert set(released) == {nearest if byte == 0 else grid.window()[0] * grid.step}
    assert bool(resolved) == (byte == 0xFF)


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_a_stuck_source_ends_for_categories(byte):
    assert set(randomized_response(np.zeros(7, dtype=int), 1, 4, source=Scripted(then=byte))) == {0 if byte == 0 else 3}
    assert set(bernoulli(7, Fraction(1, 3), source=Scripted(then=byte))) == {byte == 0xFF}


# 8. Nothing raw in artefacts

SECRETS = 1000
ALPHABET = np.array(list("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"))


def planted():
    """Return a table of 1,000 doubles and 1,000 texts of 24 characters that occur nowhere else."""
    rng = np.random.default_rng(20261121)
    return pd.DataFrame({
        "number": rng.uniform(0, 1, SECRETS) * 100,
        "text": ["".join(letters) for letters in rng.choice(ALPHABET, (SECRETS, 24))],
    })  # fmt: skip


def spellings(table):
    """Yield each planted value as the bytes that it would be found as."""
    for value in table["number"]:
        bytes_of = np.float64(value).tobytes()
        yield from (bytes_of, bytes_of[::-1], repr(value).encode()[:15])
    for value in table["text"]:
        yield from (value.encode(), value.encode("utf-32-le"), value.encode("utf-16-le"))


def leaked(artefacts, table):
    """Return how many planted values are found in the artefacts."""
    return sum(one in artefact for one in spellings(table) for artefact in artefacts)


def artefacts_of(estimator, table, caplog):
    """Return what a fitted estimator leaves lying around: its pickle, what it shows and logs, what its errors say."""
    texts = []
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        estimator.fit(table)
        estimator.transform(table)
        spoilt = [
            table.assign(number=table["text"]),
            table.assign(number=table["number"].astype(object).where(np.arange(len(table)) % 2 == 0, table["text"])),
            table.assign(number=np.inf),
            table.assign(text=table["number"]),
            table.rename(columns={"text": "other"}),
            table.set_axis(["number", "number"], axis=1),
            table.to_numpy(),
        ]
        for action in (estimator.transform, clone(estimator).fit):
            for one in spoilt:
                try:
                    action(one)
                except Exception as error:
                    texts += traceback.format_exception(error)
    texts += [repr(estimator), str(vars(estimator)), estimator._repr_html_(), caplog.text]
    texts += [str(warning.message) for warning in caught]
    public = {name: value for name, value in vars(estimator).items() if name.endswith("_") and name[0] != "_"}
    return [pickle.dumps(estimator), pickle.dumps(public), *(text.encode() for text in texts)]


CATEGORIES = [f"public {number}" for number in range(5)]
# Fitted to the planted table; DistributionImputer("observed") keeps observed values by design, and is the one exception
STEPS = [
    FakerSynthesizer({"text": "name"}),
    PIICleaner(names="text", gender_from="text"),
    PIICleaner(identifiers=["text"], addresses=None),
    PIICleaner(addresses="text", action="mask"),
    DistributionImputer({"number": {(0, 100): 1}}),
    QuantileBinner(),
    QuantileBinner({"number": 100}, labels="mean"),
    QuantileBinner(encode="onehot", min_bin_size=5),
    OutlierDropper(),
    *(OutlierDropper(method=method, action="clip") for method in ("zscore", "mad", "quantile", "gap")),
    LaplaceNoise(bounds=(0, 100)),
    LaplaceNoise(sensitivity=0.5),
    GaussianNoise(bounds=(0, 100)),
    GaussianNoise({"number": 2}, bounds={"number": (10, 90)}, missing="impute", postprocess="clip", random_state=3),
    LaplaceNoise({"number": 2}, bounds={"number": (10, 90)}, missing="impute", postprocess="clip", random_state=3),
    RandomizedResponse(1, categories={"text": CATEGORIES}, other=CATEGORIES[0]),
    IntervalBinner({"number": [20, 40, 60]}),
    KAnonymizer(20, quasi_identifiers="number", labels="mean"),
]


@pytest.mark.parametrize("estimator", STEPS, ids=lambda one: " ".join(repr(one).split())[:60])
def test_no_planted_value_is_in_any_artefact(estimator, caplog):
    table = planted()
    assert leaked(artefacts_of(clone(estimator), table, caplog), table) == 0


@pytest.mark.parametrize(
    "estimator",
    [
        KAnonymizer(20),
        KAnonymizer(20, labels="mean"),
        KAnonymizer(100, quasi_identifiers="number"),
        KAnonymizer(7, quasi_identifiers="number", labels="mean", relaxed=True, max_suppression=0.1),
        KAnonymizer(5, quasi_identifiers="number", sensitive="text", l_diversity=3, t_closeness=0.9),
    ],
    ids=lambda one: " ".join(repr(one).split())[:60],
)
def test_a_k_anonymizer_keeps_no_value_but_what_its_release_shows(estimator, caplog):
    # a range shows its two ends, a set its members: the release has these by design, and so has the step
    table = planted()
    released = clone(estimator).fit_transform(table)[clone(estimator).fit(table).quasi_identifiers_]
    shown = " ".join(released.astype(str).to_numpy().ravel())
    numbers = [value for value in table["number"] if repr(value) not in shown]
    texts = [value for value in table["text"] if value not in shown]
    assert len(numbers) >= 800
    assert leaked(artefacts_of(clone(estimator), table, caplog), {"number": numbers, "text": texts}) == 0


def test_a_k_anonymizer_that_forgets_nothing_is_caught(monkeypatch):
    monkeypatch.setattr("skdp._generalisation.Means.forget", lambda *arguments: None)
    table = planted()
    estimator = KAnonymizer(20, quasi_identifiers="number", labels="mean").fit(table)
    assert leaked([pickle.dumps(estimator)], {"number": table["number"], "text": []}) == SECRETS


def test_a_failed_fit_tells_no_planted_value(caplog):
    table = planted()
    steps = [
        RandomizedResponse(1, categories={"text": CATEGORIES}),
        LaplaceNoise(bounds=(0, 1), columns="text"),
        KAnonymizer(1, hierarchies={"text": {"a": ["any"]}}),
        KAnonymizer(1, hierarchies={"number": {"a": ["any"]}}),
        KAnonymizer(1, sensitive="text", l_diversity=1001),
    ]
    for step in steps:
        with pytest.raises(ValueError) as caught:
            step.fit(table)
        said = "".join(traceback.format_exception(caught.value)).encode()
        assert leaked([said, pickle.dumps(step)], table) == 0


@pytest.mark.parametrize("control", [KNNImputer(), KBinsDiscretizer(strategy="uniform", encode="ordinal")])
def test_the_artefacts_of_scikit_learn_are_caught(control, caplog):
    table = planted()
    control.fit(table[["number"]])
    assert leaked([pickle.dumps(control)], table) > 0


def test_planted_text_is_caught(caplog):
    class Careless(LaplaceNoise):
        def _fit(self, frame):
            super()._fit(frame)
            self.seen_ = frame["text"].to_numpy()[:1]

    table = planted()
    estimator = Careless(bounds=(0, 100)).fit(table)
    assert leaked([str(vars(estimator)).encode()], table) > 0


# 9. Gaussian noise under the same attacks


def gaussian(values, epsilon, lower, upper, delta=1e-6):
    return release_gaussian(values, gaussian_grid(epsilon, delta, lower, upper))


def numpy_gaussian(values, epsilon, lower, upper):
    """What everyone writes, and what is broken."""
    scale = gaussian_grid(epsilon, 1e-6, lower, upper).scale
    return values + np.random.default_rng().normal(0, scale, len(values))


def test_low_bits_of_gaussian_noise_tell_nothing():
    assert precision_attack(gaussian) <= 1


def test_low_bits_of_numpy_s_gaussian_noise_are_caught():
    assert precision_attack(numpy_gaussian) > 1


def test_every_gaussian_output_is_on_the_grid_and_so_possible_for_every_input():
    grid = gaussian_grid(1, 1e-6, 0, 1)
    first, last = grid.window()
    for value in (0.0, 1 / 3, 1.0):
        steps = gaussian(np.full(100_000, value), 1, 0, 1) / grid.step
        assert (steps == np.floor(steps)).all()
        assert first < steps.min() <= steps.max() < last
    steps = numpy_gaussian(np.zeros(1000), 1, 0, 1) / grid.step
    assert (steps != np.floor(steps)).mean() > 0.99


def empirical_delta(release, epsilon, size=1_000_000):
    """Return a lower bound on δ at ε: the event "y > t" chosen on one half of the draws, the bound taken on the other.

    2,000,000 draws a side; false alarm 2e-9.
    """
    cuts = np.linspace(-3, 6, 181)
    counts = []
    for value in (1.0, 0.0):
        halves = [np.sort(release(np.full(size, value))) for _ in range(2)]
        counts.append([size - np.searchsorted(half, cuts, side="right") for half in halves])
    (choose_1, bound_1), (choose_0, bound_0) = counts
    best = int((choose_1 - math.exp(epsilon) * choose_0).argmax())
    return at_least(bound_1[best], size, ALPHA) - math.exp(epsilon) * at_most(bound_0[best], size, ALPHA)


@pytest.mark.parametrize("integral", [False, True])
def test_no_event_proves_more_than_delta(integral):
    grid = gaussian_grid(0.5, 0.1, 0, 1, integral=integral)
    found = empirical_delta(lambda values: release_gaussian(values, grid), 0.5)
    assert 0.085 < found <= 0.1  # and the attack is strong enough to see most of it


def test_five_percent_less_gaussian_noise_is_caught():
    grid = gaussian_grid(0.5, 0.1, 0, 1)
    less = replace(grid, sigma=grid.sigma / Fraction("1.05"))
    assert empirical_delta(lambda values: release_gaussian(values, less), 0.5) > 0.1


def test_gaussian_noise_never_repeats():
    estimator = GaussianNoise(bounds=(0, 1)).fit(zeros())
    vectors = noise_of(estimator, 3) + noise_of(estimator) + noise_of(clone(estimator))
    vectors += noise_of(pickle.loads(pickle.dumps(estimator)))
    with multiprocessing.get_context("fork").Pool(2) as workers:
        vectors += sum(workers.map(noise_of, [estimator] * 4, chunksize=1), [])
    assert len({vector[:8] for vector in vectors}) == len(vectors) == 10


def test_a_key_used_twice_is_caught_in_gaussian_noise(monkeypatch):
    monkeypatch.setattr(_calibration, "secure_source", lambda: KeyStream(bytes(32)))
    assert len(set(noise_of(GaussianNoise(bounds=(0, 1)), 3))) == 1
