"""Random streams found by name."""

import numpy as np
import pytest

from skdp._streams import root, stream


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
