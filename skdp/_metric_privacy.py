"""What Laplace noise hides of a column: changes up to the sensitivity at ε, and a whole record at more than that.

Where noise is calibrated to less than the range of the values, ε holds for close values only: metric privacy.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from skdp import _frames
from skdp._laplace_grid import LaplaceGrid, laplace_grid


@dataclass(frozen=True)
class Calibration:
    """What the noise of a column depends on: parameters, and whether `fit` saw integers; nothing else of the data."""

    epsilon: Fraction
    bounds: tuple[Fraction, Fraction] | tuple[None, None]
    sensitivity: Fraction | None
    integral: bool

    @property
    def is_bounded(self) -> bool:
        return self.bounds[0] is not None

    @property
    def is_metric(self) -> bool:
        """Whether ε hides less than every change that there may be."""
        return (
            not self.is_bounded or self.sensitivity is not None and self.sensitivity < self.bounds[1] - self.bounds[0]
        )

    @property
    def midpoint(self) -> float:
        return float(sum(self.bounds) / 2) if self.is_bounded else 0.0

    def grid(self) -> LaplaceGrid:
        return laplace_grid(self.epsilon, *self.bounds, sensitivity=self.sensitivity, integral=self.integral)

    def read(self, frame, column) -> np.ndarray:
        """Return the values of a column; raise where some have no place on the grid."""
        values = _frames.clipped_numbers(frame, column, 2**52)
        if not self.is_bounded:
            grid = self.grid()
            count = int((np.abs(values) > grid.high * grid.step).sum())
            if count:
                raise ValueError(
                    f"Column {column!r} holds {count} value{'s' * (count > 1)} infinite or too large for this noise; "
                    "give 'bounds', which clamps them."
                )
        return values

    def record_level(self, frame, column) -> Fraction | None:
        """Return the ε of replacing a cell by any other, of the bounds or of those seen; None where all are alike."""
        if not self.is_metric:
            return self.epsilon
        if self.is_bounded:
            return self.epsilon * (self.bounds[1] - self.bounds[0]) / self.sensitivity
        values = self.read(frame, column)
        known = values[~np.isnan(values)]
        if not known.size:
            return None
        ends = np.array([known.min(), known.max()])
        low, high = map(Fraction, (np.floor(ends) if self.integral else ends).tolist())
        return _rounded_up(self.epsilon * max((high - low) / self.sensitivity, 1)) if low < high else None

    def explained(self, column: object, figure: Fraction | None) -> str:
        """Return what ε hides in a column, and what a whole record has: the `record_level` that is given."""
        hidden = (
            f"column {column!r}: ε = {float(self.epsilon):.3g} hides changes of up to {float(self.sensitivity):.6g}, "
        )
        if figure is None:
            return hidden + "a whole record's ε cannot be told, since all values seen are alike"
        seen = "of the bounds" if self.is_bounded else "seen in one call"
        return hidden + f"a whole record has ε = {float(figure):.6g} over the range {seen}"


def _rounded_up(number: Fraction) -> Fraction:
    """Return the next number of two significant digits: an exact range would tell two values apart by their distance.

    Examples
    --------
    >>> float(_rounded_up(Fraction("83.75"))), float(_rounded_up(Fraction("0.0101")))
    (84.0, 0.011)
    """
    unit = Fraction(10) ** (math.floor(math.log10(number)) - 1)
    return math.ceil(number / unit) * unit
