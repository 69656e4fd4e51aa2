"""Noisy quantiles: exactly enumerated, recorded on pairs of neighbours, and measured. α = 1e-9 for what is random."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from skdp._noisy_counts import noise_from, noisy_counts
from skdp._noisy_quantiles import Distribution, noisy_quantiles
from skdp.mechanisms import seeded_source

DECILES = np.arange(1, 11) / 11
VALUES = (0.5, 1.5, 2.5, 3.5, 4.5)  # in one cell each
ODD = (math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 2.0**53, 0.0)


def exact(counts, epsilon):
    return counts


def incomes(size=100_000, seed=0):
    return np.random.default_rng(seed).lognormal(math.log(45_000), 0.7, size)


def rank_error(values, quantiles, shares):
    return np.abs(np.searchsorted(np.sort(values), quantiles) - shares * len(values)).mean()


# What comes out


def test_without_noise_quantiles_are_exact_up_to_the_grid():
    values = incomes()
    found = noisy_quantiles(values, DECILES, Fraction(1), 0.0, 1e6, noise=exact, depth=6)
    assert rank_error(values, found.quantiles, DECILES) < 5  # a cell holds up to 5 values


SHAPES = {
    "80 % ties": np.r_[np.full(8000, 7.0), np.linspace(0, 100, 2000)],
    "one value": np.full(1000, 5.0),
    "all missing": np.full(1000, np.nan),
    "half missing": np.r_[np.full(1000, np.nan), np.linspace(0, 100, 1000)],
    "at both bounds": np.repeat([0.0, 100.0], 500),
    "infinite": np.repeat([np.inf, -np.inf], 500),
    "huge": np.repeat([1e308, -1e308], 500),
    "one row": np.array([3.0]),
    "a missing row": np.array([np.nan]),
}


@pytest.mark.parametrize("bounds", [(0.0, 100.0), (-1e307, 1e307), (0.0, 1e-250)], ids=str)
@pytest.mark.parametrize("name", SHAPES)
def test_never_missing_never_out_of_bounds_never_decreasing(name, bounds):
    for epsilon in (Fraction(1, 1000), Fraction(1), Fraction(1000)):
        found = noisy_quantiles(SHAPES[name], DECILES, epsilon, *bounds)
        assert np.isfinite(found.quantiles).all()
        assert (np.diff(found.quantiles) >= 0).all()
        assert bounds[0] <= found.quantiles[0] <= found.quantiles[-1] <= bounds[1]
        for digits in (None, False, 3):
            edges = found.edges(digits)
            assert 1 <= len(edges) <= 10
            assert (np.diff(edges) > 0).all()
            middles = found.middles(edges)
            assert np.isfinite(middles).all()
            assert (middles[:-1] <= edges).all() and (middles[1:] >= edges).all()


def test_ties_that_the_grid_cannot_part_share_an_edge_above_them():
    # a rank is off by about 7 of 100,000: an edge is missing or one more only if it is off by 5,000
    values = np.where(np.arange(100_000) < 65_000, 0.0, np.linspace(0, 1000, 100_000))
    edges = noisy_quantiles(values, np.arange(1, 10) / 10, Fraction(1), 0.0, 1e6).edges()
    assert (values[:, np.newaxis] <= edges).mean(axis=0)[0] == pytest.approx(0.65, abs=0.01)
    assert 3 <= len(edges) <= 6


def test_rounding_leaves_out_digits_that_are_noise():
    values = incomes()
    found = noisy_quantiles(values, DECILES, Fraction(1), 0.0, 1e6)
    assert np.abs(found.edges() - found.quantiles).max() < found.deviations.max()
    assert (found.edges() == np.round(found.edges(), 0)).all()


def test_quantiles_of_a_flat_stretch_are_in_its_middle():
    steps = Distribution(np.array([0.0, 1.0, 2.0, 3.0, 4.0]), np.array([0.0, 5.0, 5.0, 5.0, 10.0]))
    assert steps.quantiles(np.array([0.0, 2.5, 5.0, 7.5, 10.0])).tolist() == [0.0, 0.5, 2.0, 3.5, 4.0]


# How good


def exponential_mechanism(values, share, epsilon, lower, upper, rng):
    """One quantile by the exponential mechanism (Smith 2011), as diffprivlib 0.6.6 draws it, for comparison only."""
    ends = np.r_[lower, np.sort(np.clip(values, lower, upper)), upper]
    weights = np.log(np.maximum(np.diff(ends), 1e-300)) - epsilon / 2 * np.abs(
        np.arange(len(values) + 1) - share * len(values)
    )
    weights = np.exp(weights - weights.max())
    place = rng.choice(len(weights), p=weights / weights.sum())
    return rng.uniform(ends[place], ends[place + 1])


@pytest.mark.long
def test_the_error_is_less_than_half_of_one_exponential_mechanism_for_each_quantile():
    # 20 tables of 10 quantiles: the two means of ranks are 20 and 6.5, with standard errors of 1.5 and 0.6 at most
    rng, ours, theirs = np.random.default_rng(2), [], []
    for seed in range(20):
        values = incomes(seed=seed)
        ours.append(rank_error(values, noisy_quantiles(values, DECILES, Fraction(1), 0.0, 1e6).quantiles, DECILES))
        each = [exponential_mechanism(values, share, 0.1, 0.0, 1e6, rng) for share in DECILES]
        theirs.append(rank_error(values, each, DECILES))
    assert np.mean(ours) <= np.mean(theirs) / 2


def test_the_error_stays_small_where_a_third_is_missing():
    values = incomes()
    gaps = np.where(np.arange(len(values)) % 3 == 0, np.nan, values)
    found = noisy_quantiles(gaps, DECILES, Fraction(1), 0.0, 1e6)
    # 10 errors of about 7 ranks; their mean is above 60 with probability below 1e-9
    assert rank_error(gaps[~np.isnan(gaps)], found.quantiles, DECILES) < 60


def shapes():
    """Yield values, the shares of their quantiles, and an upper bound; the lower one is 0."""
    rng = np.random.default_rng(0)
    yield np.r_[rng.normal(4, 1, 1039), np.full(11, 900.0)], np.array([0.01, 0.99]), 1e3
    yield np.r_[rng.normal(10, 1, 3300), rng.normal(900, 20, 6700)], np.array([0.1, 0.33, 0.5, 0.9]), 1e3
    yield rng.exponential(100, 2000), np.array([0.05, 0.25, 0.5, 0.75, 0.95]), 1e4


@pytest.mark.parametrize(
    ("values", "shares", "upper"), list(shapes()), ids=["few beyond a gap", "two heaps", "a long tail"]
)
def test_no_quantile_is_thrown_far_off_by_what_lies_on_its_other_side(values, shares, upper):
    """Of 400 seeds, none is 45 ranks off. At the pace of both sides together, the worst were 250 to 520 off."""
    noises = [noise_from(seeded_source(seed, "gap")) for seed in range(400)]
    found = [noisy_quantiles(values, shares, Fraction(1), 0.0, upper, noise=one).quantiles for one in noises]
    assert max(rank_error(values, one, shares) for one in found) < 60


# What it costs: recorded losses along the same released path


def loss_on_a_path(first, second, release, path):
    """Return the exact log-ratio of the probabilities of one path of noisy counts, for a table and its neighbour."""
    asked = {}
    for name, table in (("first", first), ("second", second)):
        asked[name], drawn = [], iter(path)

        def noise(counts, epsilon, own=asked[name], drawn=drawn):
            offset = next(drawn)
            own.append((counts.copy(), epsilon))
            return offset(len(counts))

        release(table, noise)
    total, sensitivities = Fraction(0), []
    for (counts, epsilon), (others, same), offset in zip(asked["first"], asked["second"], path, strict=True):
        assert epsilon == same
        noisy, rate = offset(len(counts)), epsilon / 2
        total += rate * int((np.abs(noisy - others) - np.abs(noisy - counts)).sum())
        sensitivities.append(int(np.abs(counts - others).sum()))
    return total, sensitivities


def a_path(seed, n_rows):
    """Return what a tree of depth 3 and two refinements may release, whatever the table is."""
    generators = [np.random.default_rng((seed, step)) for step in range(5)]
    drawn = {}

    def outcome(step):
        def of(size):
            if (step, size) not in drawn:
                drawn[step, size] = generators[step].integers(-3, n_rows + 3, size)
            return drawn[step, size]

        return of

    return [outcome(step) for step in range(5)]


def neighbours(rng):
    """Return a table and another with one record replaced, odd values among them."""
    size = int(rng.integers(1, 40))
    pool = np.r_[rng.uniform(-1, 6, 200), rng.integers(0, 5, 100), np.tile(ODD, 10)]
    first = rng.choice(pool, size)
    second = first.copy()
    second[rng.integers(size)] = rng.choice(pool)
    return first, second


def quantiles_of(table, noise, epsilon=Fraction(1)):
    return noisy_quantiles(table, np.array([0.2, 0.5, 0.9]), epsilon, 0.0, 5.0, noise=noise, branching=3, depth=3)


def worst_loss(release, pairs=300):
    """Return the greatest loss, and the greatest sensitivity of any count, over 300 pairs of neighbours."""
    rng, losses, changes = np.random.default_rng(7), [], []
    for seed in range(pairs):
        loss, sensitivities = loss_on_a_path(*neighbours(rng), release, a_path(seed, 40))
        losses.append(abs(loss))
        changes += sensitivities
    return max(losses), max(changes)


def test_no_pair_of_neighbours_loses_more_than_epsilon():
    loss, change = worst_loss(quantiles_of)
    assert loss <= 1
    assert change == 2


def test_a_level_that_is_forgotten_is_caught():
    def forgets(table, noise):  # charges the tree's three levels as if they were one
        quantiles_of(table, lambda counts, epsilon: noise(counts, epsilon * 3 if len(counts) > 6 else epsilon))

    assert worst_loss(forgets)[0] > 1


def test_a_missing_value_that_leaks_into_counts_is_caught():
    def leaks(table, noise):  # with a missing value, all counts are of no number
        quantiles_of(table, lambda counts, epsilon: noise(counts * (1 - int(np.isnan(table).any())), epsilon))

    assert worst_loss(leaks)[0] > 1


def test_bounds_of_the_data_are_caught():
    def own_bounds(table, noise):
        known = table[np.isfinite(table)]
        low, high = (known.min(), known.max() + 1) if len(known) else (0.0, 1.0)
        noisy_quantiles(
            np.clip(table, -1e300, 1e300), np.array([0.5]), Fraction(1), max(low, -1e300), min(high, 1e300),
            noise=noise, branching=3, depth=3,
        )  # fmt: skip

    assert worst_loss(own_bounds)[0] > 1


# The whole distribution, enumerated


def geometric(count, rate, lowest, highest):
    """Return the probabilities of lowest … highest of a noisy count that is clamped to these."""
    a, z = math.exp(-rate), np.arange(lowest, highest + 1) - count
    mass = (1 - a) / (1 + a) * a ** np.abs(z.astype(float))
    for end, beyond in ((0, z[0]), (-1, -z[-1])):  # P(Z <= z) = a^-z / (1 + a) for z <= 0, else the complement
        mass[end] = a**-beyond / (1 + a) if beyond <= 0 else 1 - a ** (beyond + 1) / (1 + a)
    return mass


def outcomes(n_rows, highest, epsilon):
    """Return the edge that each vector of noisy counts (5 cells and the missing) leads to, as numbers from 0."""
    edges = []
    for vector in itertools.product(range(highest + 1), repeat=6):
        found = noisy_quantiles(
            np.zeros(n_rows), np.array([0.5]), epsilon, 0.0, 5.0, noise=lambda counts, _, own=vector: np.array(own),
            branching=5, depth=1, spending=(Fraction(1),),
        )  # fmt: skip
        edges.append(found.quantiles[0])
    return np.unique(edges, return_inverse=True)[1]


def distributions(n_rows, epsilon, sensitivity):
    """Return P(edge) for each table of n records over 5 values and the missing one, noisy counts clamped to 0 … n.

    The clamp is post-processing: what is private without it is private with it, and there are finitely many outcomes.
    """
    edge, found = outcomes(n_rows, n_rows, epsilon), {}
    masses = [geometric(count, float(epsilon) / sensitivity, 0, n_rows) for count in range(n_rows + 1)]
    for cells in itertools.combinations_with_replacement(range(6), n_rows):
        joint = np.ones(1)
        for cell in range(6):
            joint = np.multiply.outer(joint, masses[cells.count(cell)]).ravel()
        found[cells] = np.bincount(edge, weights=joint)
    return found


def enumerated_loss(n_rows, epsilon, sensitivity=2):
    """Return the exact ε of the median's edge, over all pairs of tables of n records that differ in one."""
    found, worst = distributions(n_rows, epsilon, sensitivity), 0.0
    for cells, mass in found.items():
        for place, other in itertools.product(range(n_rows), range(6)):
            neighbour = tuple(sorted((*cells[:place], other, *cells[place + 1 :])))
            worst = max(worst, float(np.abs(np.log(mass / found[neighbour])).max()))
    return worst


@pytest.mark.parametrize("n_rows", [1, 2, 3])
def test_every_outcome_is_at_most_e_to_the_epsilon_times_more_probable(n_rows):
    assert enumerated_loss(n_rows, Fraction(1)) <= 1 + 1e-9


@pytest.mark.long
@pytest.mark.parametrize("n_rows", [4, 5, 6])
def test_every_outcome_of_more_records_is_too(n_rows):
    assert enumerated_loss(n_rows, Fraction(1)) <= 1 + 1e-9


@pytest.mark.parametrize("n_rows", [2, 3])
def test_a_sensitivity_of_1_is_caught_by_enumeration(n_rows):
    assert enumerated_loss(n_rows, Fraction(1), sensitivity=1) > 1.05


def test_the_enumeration_uses_the_law_of_the_noise():
    # 100,000 draws; the greatest distance of two distribution functions is above 0.011 with probability below 1e-9
    drawn = np.clip(noisy_counts(np.full(100_000, 2), Fraction(1)), 0, 3)
    seen = np.cumsum(np.bincount(drawn, minlength=4)) / 100_000
    assert np.abs(seen - np.cumsum(geometric(2, 0.5, 0, 3))).max() < 0.011


def test_seeded_noise_repeats_and_names_part_it():
    values = incomes(1000)
    first, again, other = (
        noisy_quantiles(values, DECILES, Fraction(1), 0.0, 1e6, noise=noise_from(seeded_source(1, name))).quantiles
        for name in ("a", "a", "b")
    )
    assert (first == again).all()
    assert (first != other).any()
