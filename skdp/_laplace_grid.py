"""The public grid on which values get Laplace noise, and the rate of the noise on it; nothing is drawn here.

Steps 1 and 5 of the proof in `skdp.mechanisms` rest on this.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from skdp._inversion import floor_log2
from skdp._rationals import positive, rational

LEAST_RATE = Fraction(1, 2**42)
_LEAST_EPSILON = Fraction(1, 2**20)


@dataclass(frozen=True)
class LaplaceGrid:
    """The public grid on which values are noised; see steps 1 and 5 of the proof.

    Parameters
    ----------
    exponent : int
        The grid has the step 2^exponent.
    rate : Fraction
        Privacy loss for each step.
    low, high : int
        The bounds, in steps; ±(2^51 - 1) where there are none.
    bounded : bool
        Whether there are bounds.
    inner : tuple of int
        The first and the last grid point between the bounds, in steps.
    """

    exponent: int
    rate: Fraction
    low: int
    high: int
    bounded: bool
    inner: tuple[int, int]

    @property
    def step(self) -> float:
        """The distance between two grid points, in units of the values."""
        return math.ldexp(1.0, self.exponent)

    @property
    def scale(self) -> float:
        """The scale of the noise, in units of the values: its standard deviation over √2."""
        return float(1 / self.rate) * self.step

    @cached_property
    def width(self) -> int:
        """The width of the wider window, in steps."""
        first, last = self.window()
        return last - first

    def window(self, clip: bool = False) -> tuple[int, int]:
        """Return the first and the last point that can be released, in steps.

        Parameters
        ----------
        clip : bool, default=False
            Whether what is released lies between the bounds.

        Returns
        -------
        first, last : int
            Both included.

        Raises
        ------
        ValueError
            If there is no point to clip to.
        """
        if clip and self.inner[0] > self.inner[1]:
            raise ValueError("No grid point lies between the bounds to clip to; widen the bounds, or do not clip.")
        if clip:
            return self.inner
        # noise reaches 512 scales with probability e^-512
        reach = math.ceil(512 / self.rate) if self.bounded else 2**51
        return self.low - reach, self.high + reach

    def index(self, values: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the grid point at or below each value, in steps, clamped to the bounds.

        Parameters
        ----------
        values : ndarray of shape (n_values,)
            The values; none is missing.
        out : ndarray of float64 of shape (n_values,), default=None
            Where the points are written; by default a new array.

        Returns
        -------
        points : ndarray of float64 of shape (n_values,)
            Whole numbers.

        Raises
        ------
        ValueError
            If a value is too large, or infinite, where there are no bounds.
        """
        with np.errstate(over="ignore", under="ignore"):
            steps = np.multiply(values, math.ldexp(1.0, -self.exponent), out=out, dtype=np.float64)
        np.floor(steps, out=steps)
        if not self.bounded and (np.abs(steps) > self.high).any():
            raise ValueError("Without bounds, values must be finite and less than 2^51 grid steps.")
        return np.clip(steps, self.low, self.high, out=steps)


@lru_cache(maxsize=1024, typed=True)
def laplace_grid(
    epsilon: Any, lower: Any = None, upper: Any = None, *, sensitivity: Any = None, integral: bool = False
) -> LaplaceGrid:
    """Return the grid that `laplace`, or with `integral` `laplace_integers`, puts its values on.

    Parameters
    ----------
    epsilon : float, Fraction or Decimal
        As for `laplace`.
    lower, upper : float, Fraction or Decimal, default=None
        As for `laplace`.
    sensitivity : float, Fraction or Decimal, default=None
        As for `laplace`.
    integral : bool, default=False
        Whether the grid is that of the integers.

    Returns
    -------
    grid : LaplaceGrid
        The grid, with the rate of the noise on it.

    Raises
    ------
    ValueError
        If ε is below 2^-20, if there are neither bounds nor sensitivity, if no two points lie between the bounds, or if
        grid points or noise would exceed 2^51 steps.

    Examples
    --------
    >>> laplace_grid(1, 0, 120).step
    6.103515625e-05
    >>> round(laplace_grid(1, 0, 120).scale, 3)
    120.0
    """
    loss = positive(epsilon)
    change = None if sensitivity is None else positive(sensitivity)
    bounds = None if lower is None or upper is None else (rational(lower), rational(upper))
    if bounds is None and change is None or bounds is not None and not bounds[0] < bounds[1]:
        raise ValueError("Laplace noise needs bounds, lower < upper, or a sensitivity.")
    if loss < _LEAST_EPSILON:
        raise ValueError("ε below 2^-20 (about 0.000001) leaves nothing of the values but noise; raise it.")
    span = change or bounds[1] - bounds[0]
    grid = _integer_grid(loss, bounds, change) if integral else _binary_grid(loss, bounds, change, span)
    if max(abs(grid.low), abs(grid.high)) >= 2**51 or grid.rate < LEAST_RATE:
        raise ValueError("Bounds or noise exceed 2^51 grid steps: bring ε nearer to 1, or the bounds nearer to 0.")
    if not -1022 <= grid.exponent <= 970:
        raise ValueError("Bounds are too close together or too far apart for floats; rescale the values.")
    return grid


def _binary_grid(loss: Fraction, bounds: tuple | None, change: Fraction | None, span: Fraction) -> LaplaceGrid:
    exponent = floor_log2(span / loss) - 20
    step = Fraction(2) ** exponent
    low, high = (bound // step for bound in bounds) if bounds else (1 - 2**51, 2**51 - 1)
    inner = (math.ceil(bounds[0] / step), high) if bounds else (low, high)
    # one step more, so that a change d >= sensitivity costs no more than ε d / sensitivity wherever it lies
    steps = math.ceil(change / step) + 1 if change else high - low
    return LaplaceGrid(exponent, loss / steps, low, high, bool(bounds), inner)


def _integer_grid(loss: Fraction, bounds: tuple | None, change: Fraction | None) -> LaplaceGrid:
    low, high = (math.ceil(bounds[0]), math.floor(bounds[1])) if bounds else (1 - 2**51, 2**51 - 1)
    if low >= high:
        raise ValueError("Integers need at least two integers between their bounds.")
    # a change of less than 1 is none; the scale is the analyst's all the same
    return LaplaceGrid(0, loss / (change or high - low), low, high, bool(bounds), (low, high))
