from decimal import Decimal

import pytest

from skdp._rationals import rational


@pytest.mark.parametrize("number", ["sNaN", "NaN", "Infinity", "-Infinity"])
def test_decimals_that_are_not_finite_are_no_rationals(number):
    assert rational(Decimal(number)) is None
