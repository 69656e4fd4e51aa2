"""Bounds at a price: for numbers of which nobody knows beforehand how large they get."""

import math
import sys
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np

from skdp._checks import check_integer, invalid
from skdp._noisy_counts import SENSITIVITY, Noise, noise_from
from skdp._rationals import rational

_GREATEST = 1024  # every float64 is less than 2^1024


@dataclass(frozen=True)
class DPBounds:
    """Bounds learned with differential privacy, for the `bounds` of steps that take an `epsilon`.

    The values are counted by sign and power of two. Every count gets noise, and the bounds reach from the lowest to the
    highest power of two that many values share: a few extreme values beyond are clamped.

    Parameters
    ----------
    epsilon : float, Fraction or Decimal
        Privacy loss of the bounds of each column, on top of the step's own.
    low : int, default=-32
        Values nearer to 0 than 2^low count as 0; from -1074 to 1023. Raise it where small values mean nothing.
    failure : float, default=1e-9
        At most how probable it is that a power of two without any value moves the bounds; above 0 and below 0.5.

    Raises
    ------
    ParameterError
        If a parameter is none of the above.

    See Also
    --------
    skdp.binning.QuantileBinner : Bins of equal population, over public bounds or these.
    skdp.outliers.OutlierDropper : Fences at quantiles, over public bounds or these.

    Notes
    -----
    Approximate bounds as in Wilson, Zhang, Lam, Desfontaines, Simmons-Marengo and Gipson, *Differentially private SQL
    with bounded user contribution* (PoPETs 2020). A bound is 0, ± a power of two, or the largest float64; nothing
    depends on how many powers of two there are to look at, but the `threshold` by its logarithm.

    Examples
    --------
    >>> import numpy as np
    >>> incomes = np.random.default_rng(0).lognormal(10.7, 0.7, 50_000)
    >>> lower, upper = DPBounds(epsilon=0.2).find(incomes)
    >>> bool(lower < np.quantile(incomes, 0.01) and upper > np.quantile(incomes, 0.99))
    True
    >>> DPBounds(epsilon=0.2).threshold
    284
    """

    epsilon: Any
    low: int = -32
    failure: float = 1e-9
    _exact: Fraction = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        exact = rational(self.epsilon)
        if exact is None or exact < Fraction(1, 2**20):
            raise invalid(self, "epsilon", self.epsilon, "a number of at least 2^-20")
        check_integer(self, "low", self.low, low=-1074, high=_GREATEST - 1)
        if not isinstance(self.failure, Real) or not 0 < self.failure < 0.5:
            raise invalid(self, "failure", self.failure, "a number above 0 and below 0.5")
        object.__setattr__(self, "_exact", exact)

    @property
    def n_bins(self) -> int:
        """How many counts there are: a power of two each for either sign, and 0."""
        return 2 * (_GREATEST - self.low) + 1

    @property
    def threshold(self) -> int:
        """How large a noisy count must be: the noise alone is in any of them with probability `failure` at most."""
        rate = float(self._exact / SENSITIVITY)
        return max(math.ceil((math.log(self.n_bins) - math.log(self.failure)) / rate), 1)

    def find(self, values: np.ndarray, noise: Noise | None = None) -> tuple[float, float]:
        """Return bounds of numbers, ε-differentially private for whoever replaces one of them.

        Parameters
        ----------
        values : ndarray of float64 of shape (n_rows,)
            Any floats; missing and infinite ones do not count.
        noise : callable, default=None
            Makes counts noisy; by default secure two-sided geometric noise.

        Returns
        -------
        lower, upper : float
            Finite, lower < upper.

        Raises
        ------
        ValueError
            If no noisy count reaches the threshold. That tells nothing but noisy counts, either.
        """
        noisy = (noise or noise_from(None))(self.counts(values), self._exact)
        reached = np.flatnonzero(noisy >= self.threshold)
        if not reached.size:
            raise ValueError(
                f"DPBounds(epsilon={self.epsilon!r}) found no bounds: with noise, no power of two counts "
                f"{self.threshold} values or more. Give more records or a larger epsilon, or public 'bounds' instead."
            )
        return self._ends(int(reached[0]))[0], self._ends(int(reached[-1]))[1]

    def counts(self, values: np.ndarray) -> np.ndarray:
        """Return how many values there are of each sign and power of two, from the lowest up.

        Parameters
        ----------
        values : ndarray of float64 of shape (n_rows,)
            Any floats; those that are not finite are counted nowhere.

        Returns
        -------
        counts : ndarray of int64 of shape (n_bins,)
            In the middle is 0, and what is nearer to it than 2^low.
        """
        known = values[np.isfinite(values)]
        # |x| is at least 2^(exponent - 1) and less than 2^exponent
        steps = np.maximum(np.where(known == 0, self.low, np.frexp(known)[1]) - self.low, 0)
        middle = _GREATEST - self.low
        return np.bincount(middle + np.where(known < 0, -steps, steps), minlength=self.n_bins)

    def _ends(self, place: int) -> tuple[float, float]:
        """Return the least and the greatest number that a count may be of."""
        step = place - (_GREATEST - self.low)
        if not step:
            return -_power(self.low), _power(self.low)
        near, far = _power(abs(step) + self.low - 1), _power(abs(step) + self.low)
        return (near, far) if step > 0 else (-far, -near)


def _power(exponent: int) -> float:
    return math.ldexp(1.0, exponent) if exponent < _GREATEST else sys.float_info.max
