import dataclasses
import math
import pickle
from fractions import Fraction

import pytest

from skdp.accounting import PrivacyGuarantee


def test_epsilon_is_exact_and_compares_with_floats():
    tenth = PrivacyGuarantee(Fraction(1, 10))
    assert tenth.epsilon == Fraction(1, 10)
    assert tenth.epsilon < 0.1  # the float is a little more than a tenth
    assert PrivacyGuarantee(Fraction(0.1)).epsilon == 0.1


@pytest.mark.parametrize("epsilon", [Fraction(1, 3), Fraction(2, 3), Fraction(1, 10), Fraction(10**30, 7), Fraction(2)])
def test_the_float_never_understates_epsilon(epsilon):
    stated = PrivacyGuarantee(epsilon).epsilon_float
    assert Fraction(stated) >= epsilon
    assert Fraction(math.nextafter(stated, 0)) < epsilon


def test_infinite_needs_a_reason_and_finite_has_none():
    assert not PrivacyGuarantee(math.inf, reasons=("the noise is seeded",)).is_finite
    with pytest.raises(ValueError, match="reasons"):
        PrivacyGuarantee(math.inf)
    with pytest.raises(ValueError, match="reasons"):
        PrivacyGuarantee(Fraction(1), reasons=("the noise is seeded",))


@pytest.mark.parametrize("epsilon", [Fraction(-1), math.nan, -math.inf])
def test_epsilon_is_no_less_than_zero(epsilon):
    with pytest.raises(ValueError, match="0 or more"):
        PrivacyGuarantee(epsilon)


def test_it_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        PrivacyGuarantee(Fraction(1)).epsilon = Fraction(0)


def test_equal_hashable_and_picklable():
    guarantee = PrivacyGuarantee(Fraction(1), columns=("a",), conditions=("missing cells are public",))
    assert pickle.loads(pickle.dumps(guarantee)) == guarantee
    assert hash(guarantee) == hash(dataclasses.replace(guarantee))


def test_read_as_a_sentence():
    guarantee = PrivacyGuarantee(Fraction(84), columns=("debt",), scope="metric", conditions=("the range seen",))
    assert str(guarantee) == "ε = 84 for each record, metric (replace one record); columns: debt\n- the range seen"
    assert "δ = 1e-06" in str(PrivacyGuarantee(Fraction(1), delta=Fraction(1, 10**6)))
