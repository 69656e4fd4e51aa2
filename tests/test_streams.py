"""Random streams found by name."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from scipy import stats

from skdp._streams import RowDraws, blocks, first_row, root, rows_before, stream


def test_none_is_fresh_at_every_call():
    assert root("Step", None) != root("Step", None)


def test_an_integer_repeats():
    assert root("Step", 5) == root("Step", 5) == (5,)


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_a_generator_is_advanced(make):
    generator = make(3)
    first = root("Step", generator)
    assert first != root("Step", generator)
    assert first == root("Step", make(3))


@pytest.mark.parametrize("bad", [-1, 1.5, "7", True, [1]])
def test_anything_else_is_refused(bad):
    with pytest.raises(ValueError, match="'random_state' parameter of Step must be"):
        root("Step", bad)


def test_streams_of_different_names_are_uncorrelated():
    """10,000 draws each; |r| < 0.062 fails by chance once in 1e9."""
    draws = [stream((1,), *name).random(10_000) for name in [("a", 0), ("a", 1), ("b", 0), ("b", 0, "again")]]
    correlations = np.corrcoef(draws)[np.triu_indices(4, 1)]
    assert (np.abs(correlations) < 0.062).all()
    planted = np.corrcoef(stream((1,), "a").random(10_000), stream((1,), "a").random(10_000))[0, 1]
    assert planted > 0.062


# Rows


def test_every_row_is_in_one_block_whoever_asks():
    ends = list(blocks(0, 200_000))
    assert [low for low, _ in ends] == [0, *[high for _, high in ends[:-1]]]
    for row in [*range(0, 200_000, 997), 1023, 1024, 16_383, 16_384, 2**40]:
        [(low, high)] = blocks(row, row + 1)
        assert low <= row < high
        assert (low, high) in ends or row > 200_000
    assert [high - low for low, high in ends[:6]] == [1024, 1024, 2048, 4096, 8192, 16384]
    assert not list(blocks(5, 5))


def test_where_rows_begin_is_told_to_one_thread_and_taken_back():
    barrier = Barrier(4)

    def seen(count):
        with rows_before(count):
            barrier.wait()
            inside = first_row()
            with rows_before(0):
                barrier.wait()
            return inside, first_row()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(seen, range(4))) == [(count, count) for count in range(4)]
    assert first_row() == 0
    with pytest.raises(ZeroDivisionError), rows_before(7):
        raise ZeroDivisionError
    assert first_row() == 0


def test_rows_are_given_the_same_whichever_are_asked_for():
    def given(rows):
        draws = RowDraws((1,), ("age",), np.array(rows, dtype=np.int64))
        return draws.uniform("x"), draws.up_to(np.full(len(rows), 3 * 2**62, dtype=np.uint64), "y")

    every = given(range(40_000))
    for rows in ([0], [1023, 1024, 39_999], range(5000, 20_000, 7), []):
        for some, all_of_them in zip(given(rows), every, strict=True):
            np.testing.assert_array_equal(some, all_of_them[list(rows)])
    assert len(set(every[0])) == 40_000  # no two blocks share a stream


ALPHA = 1e-9


def evenness(numbers, parts=3):
    """Return the p-value that numbers below 3 * 2^62 fall into equal parts equally often."""
    return stats.chisquare(np.bincount((numbers // np.uint64(2**62)).astype(int), minlength=parts)).pvalue


def test_integers_of_a_range_are_all_alike():
    """100,000 draws, false alarm 1e-9; a quarter of the words is refused."""
    draws = RowDraws((2,), ("age",), np.arange(100_000))
    large = draws.up_to(np.full(100_000, 3 * 2**62 - 1, dtype=np.uint64), "x")
    assert large.max() < 3 * 2**62
    assert evenness(large) > ALPHA
    planted = draws.draw(lambda rng, size: rng.bit_generator.random_raw(size), "x", 0) % np.uint64(3 * 2**62)
    assert evenness(planted) < ALPHA
    small = draws.up_to(np.full(100_000, 4, dtype=np.uint64), "x")
    assert stats.chisquare(np.bincount(small.astype(int))).pvalue > ALPHA
    assert len(np.bincount(small.astype(int))) == 5


def test_ranges_of_one_number_and_of_all():
    draws = RowDraws((2,), ("age",), np.arange(1000))
    assert not draws.up_to(np.zeros(1000, dtype=np.uint64), "x").any()
    every = draws.up_to(np.full(1000, 2**64 - 1, dtype=np.uint64), "x")
    assert 0.4 < (every >= 2**63).mean() < 0.6  # within 6 standard errors
