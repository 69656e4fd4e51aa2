"""How far one column of a release is distributed from that of its original."""

from typing import Any

import numpy as np

from skdp import _frames
from skdp.metrics._models import joint_codes, read_alike

MEASURES = ("total_variation", "wasserstein", "wasserstein_normalised", "kolmogorov_smirnov", "missing")


def distances(original: Any, released: Any, column: str) -> tuple[float, ...]:
    """Return the measures of one column; NaN for those that do not suit its kind."""
    gaps = abs(float(_frames.missing(original, column).mean() - _frames.missing(released, column).mean()))
    numbers = read_alike(original, released, column)
    if numbers is None:
        return _total_variation(original, released, column), np.nan, np.nan, np.nan, gaps
    ours, theirs = _bounded(*numbers)
    moved, span = _areas(ours, theirs)
    return np.nan, moved, _over(moved, span), _largest_gap(ours, theirs), gaps


def _total_variation(original: Any, released: Any, column: str) -> float:
    ours, theirs, size = joint_codes(original, released, column)
    shares = [np.bincount(codes, minlength=size) / len(codes) for codes in (ours, theirs)]
    return float(np.abs(shares[0] - shares[1]).sum() / 2)


def _bounded(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers with infinite ones at the outermost finite ones of the original."""
    finite = ours[np.isfinite(ours)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 0.0)
    pair = [np.where(np.isinf(values), np.where(values > 0, high, low), values) for values in (ours, theirs)]
    return pair[0], pair[1]


def _functions(ours: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers that occur in either, and how many in each are at most so large."""
    ours, theirs = np.sort(ours[~np.isnan(ours)]), np.sort(theirs[~np.isnan(theirs)])
    every = np.unique(np.concatenate([ours, theirs]))
    return every, np.searchsorted(ours, every, side="right"), np.searchsorted(theirs, every, side="right")


def _areas(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Return the area between the distribution functions of the numbers present, and the range of the original's."""
    every, below, their_below = _functions(ours, theirs)
    if not len(every) or not below[-1] or not their_below[-1]:
        return np.nan, np.nan
    apart = np.abs(below / below[-1] - their_below / their_below[-1])
    present = ours[~np.isnan(ours)]
    return float((apart[:-1] * np.diff(every)).sum()), float(np.ptp(present))


def _over(moved: float, span: float) -> float:
    if np.isnan(moved) or span > 0:
        return moved / span if span > 0 else np.nan
    return np.inf if moved > 0 else 0.0


def _largest_gap(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance, missing values standing after all numbers."""
    _, below, their_below = _functions(ours, theirs)
    return float(np.abs(below / len(ours) - their_below / len(theirs)).max(initial=0.0))
