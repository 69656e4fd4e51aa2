"""Parameters taken exactly: numbers as the fractions that they are."""

import math
import numbers
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np


def rational(number: Any) -> Fraction | None:
    """Return a finite real number as the fraction that it is.

    Parameters
    ----------
    number : object
        What may be a number.

    Returns
    -------
    exact : Fraction or None
        The same number; None for anything else (booleans and text included).
    """
    if isinstance(number, np.generic):
        number = number.item()
    if isinstance(number, numbers.Rational) and not isinstance(number, bool):
        return Fraction(number)
    if isinstance(number, Decimal):  # math.isfinite raises for a signaling NaN
        return Fraction(number) if number.is_finite() else None
    return Fraction(number) if isinstance(number, float) and math.isfinite(number) else None


def positive(epsilon: Any) -> Fraction:
    """Return a privacy parameter as a fraction.

    Parameters
    ----------
    epsilon : float, Fraction or Decimal
        The parameter.

    Returns
    -------
    exact : Fraction
        The same number.

    Raises
    ------
    ValueError
        If it is not a positive, finite number.
    """
    exact = rational(epsilon)
    if exact is None or exact <= 0:
        raise ValueError(f"A privacy parameter must be a positive number. Got {epsilon!r} instead.")
    return exact
