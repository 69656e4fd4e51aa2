"""Noisy counts: their exact law, what a neighbour changes, trees, projection. Statistical tests are at α = 1e-9."""

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from skdp._noisy_counts import noisy_counts, noisy_tree, projected

ALPHA = 1e-9


def exact(counts, epsilon):
    """Noise of none."""
    return counts


def suppressing(counts, epsilon):
    """A planted bug: empty cells go without noise."""
    return np.where(counts > 0, noisy_counts(counts, epsilon), 0)


def half_the_noise(counts, epsilon):
    """A planted bug: a sensitivity of 1."""
    return noisy_counts(counts, 2 * epsilon)


def goodness_of_fit(noise, epsilon=Fraction(1), size=400_000):
    """Return the p-value of the two-sided geometric law for the noise of 400,000 cells, half of them empty."""
    counts = np.arange(size) % 2 * 7
    a, cut = math.exp(-epsilon / 2), 12
    found = np.clip(noise(counts, epsilon) - counts, -cut, cut)
    inner = (1 - a) / (1 + a) * a ** np.abs(np.arange(-cut, cut + 1.0))
    inner[[0, -1]] = a**cut / (1 + a)
    return stats.chisquare(np.bincount(found + cut, minlength=2 * cut + 1), size * inner).pvalue


def test_the_noise_of_400_000_cells_follows_its_law():
    assert goodness_of_fit(noisy_counts) > ALPHA


@pytest.mark.parametrize("bug", [suppressing, half_the_noise])
def test_a_wrong_law_is_caught(bug):
    assert goodness_of_fit(bug) < ALPHA


@pytest.mark.parametrize("epsilon", [Fraction(1, 10), Fraction(1), Fraction(3)])
def test_the_error_is_that_of_the_theory_within_3_percent(epsilon):
    # the relative standard error of a mean of 400,000 is at most 0.4 % for these ε, so 3 % is beyond 7 of them
    a = math.exp(-epsilon / 2)
    error = np.abs(noisy_counts(np.zeros(400_000, dtype=np.int64), epsilon)).mean()
    assert error == pytest.approx(2 * a / (1 - a * a), rel=0.03)


def test_empty_cells_get_noise_like_all_others():
    found = noisy_counts(np.zeros(10_000, dtype=np.int64), Fraction(1))
    assert (found != 0).mean() > 0.7  # 0.755 on average: 0.7 is 12 standard deviations below it
    assert (found < 0).any()


def test_a_tree_without_noise_gives_the_counts():
    counts = np.random.default_rng(0).integers(0, 50, 64)
    cells, uncounted = noisy_tree(counts, int(counts.sum()) + 9, Fraction(1), 4, exact)
    assert np.allclose(cells, counts)
    assert uncounted == pytest.approx(9)


def test_every_level_spends_its_part_and_is_asked_for_its_own_counts():
    asked = []

    def record(counts, epsilon):
        asked.append((counts.tolist(), epsilon))
        return counts

    noisy_tree(np.array([1, 0, 0, 2, 4, 0, 0, 0]), 10, Fraction(3), 2, record)
    assert [epsilon for _, epsilon in asked] == [1, 1, 1]
    assert [counts for counts, _ in asked] == [[3, 4, 3], [1, 2, 4, 0], [1, 0, 0, 2, 4, 0, 0, 0]]


def test_a_noisy_tree_adds_up_to_the_public_number_of_rows():
    cells, uncounted = noisy_tree(np.full(64, 10), 700, Fraction(1), 4, noisy_counts)
    assert cells.sum() + uncounted == pytest.approx(700)


def test_long_runs_of_a_tree_are_better_than_sums_of_noisy_cells():
    # 200 trees each: root mean squares of 200 normal-like errors differ by a factor of 2 with probability below 1e-9
    counts = np.zeros(4096, dtype=np.int64)
    tree = [noisy_tree(counts, 0, Fraction(1), 8, noisy_counts)[0][:2000].sum() for _ in range(200)]
    flat = [noisy_counts(counts, Fraction(1))[:2000].sum() for _ in range(200)]
    assert np.std(tree) < np.std(flat) / 1.5


def test_pooling_a_tree_is_least_squares():
    """The estimates are those of generalised least squares over all nodes, with the total known."""
    rng, branching, levels = np.random.default_rng(1), 2, 3
    drawn = []

    def noise(counts, epsilon):
        drawn.append(rng.normal(size=len(counts)))
        return counts + drawn[-1]

    size = branching**levels
    cells, uncounted = noisy_tree(np.zeros(size, dtype=np.int64), 0, Fraction(1), branching, noise)
    rows = [np.kron(np.eye(branching**level), np.ones(size // branching**level)) for level in range(1, levels + 1)]
    design = np.vstack([np.hstack([one, np.zeros((len(one), 1))]) for one in rows])
    design = np.vstack([design, np.r_[np.zeros(size), 1.0]])
    seen = np.concatenate([drawn[0][:-1], *drawn[1:], drawn[0][-1:]])
    basis = np.vstack([np.eye(size), -np.ones(size)])  # all add up to 0
    best = basis @ np.linalg.lstsq(design @ basis, seen, rcond=None)[0]
    assert np.allclose(np.r_[cells, uncounted], best)


@pytest.mark.parametrize("seed", range(5))
def test_projection_is_the_nearest_of_its_kind(seed):
    rng = np.random.default_rng(seed)
    counts = rng.normal(5, 10, 12)
    nearest = projected(counts, 40.0)
    assert (nearest >= 0).all()
    assert nearest.sum() == pytest.approx(40)
    others = rng.dirichlet(np.ones(12), 2000) * 40
    assert (np.linalg.norm(others - counts, axis=1) >= np.linalg.norm(nearest - counts) - 1e-9).all()
    # the condition of optimality: what is not 0 was moved by one and the same number
    assert np.ptp((counts - nearest)[nearest > 0]) < 1e-9
