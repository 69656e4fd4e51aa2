"""What equivalence classes must hold of a sensitive column: enough different values, spread as in the whole table."""

from dataclasses import dataclass

import numpy as np

from skdp import _frames, _levels
from skdp._scales import runs_of


@dataclass(frozen=True)
class Diverse:
    """Distinct l-diversity (Machanavajjhala et al. 2007): at least l different values, a missing one included."""

    codes: np.ndarray
    size: int
    least: int

    def __call__(self, rows: np.ndarray, part: np.ndarray, n_parts: int) -> np.ndarray:
        """Return which parts are diverse."""
        runs = runs_of(part, self.codes[rows], n_parts, self.size)
        return np.diff(np.append(runs.starts, len(runs.part))) >= self.least


@dataclass(frozen=True)
class Close:
    """t-closeness (Li, Li, Venkatasubramanian 2007): at most t from the distribution in the whole table.

    Parameters
    ----------
    codes : ndarray of int64 of shape (n_rows,)
        The sensitive values.
    share : ndarray of float64 of shape (n_codes,)
        The distribution of the whole table.
    most : float
        The largest distance.
    ordered : bool
        Whether values are as far apart as their ranks are (numbers), or all equally far.
    """

    codes: np.ndarray
    share: np.ndarray
    most: float
    ordered: bool

    def __call__(self, rows: np.ndarray, part: np.ndarray, n_parts: int) -> np.ndarray:
        """Return which parts are close."""
        runs = runs_of(part, self.codes[rows], n_parts, len(self.share))
        distances = self._ordered(runs) if self.ordered else self._equal(runs)
        return distances <= self.most + 1e-12

    def _equal(self, runs) -> np.ndarray:
        """Return half of the absolute differences, that is the sum of the positive ones."""
        own = runs.count / np.add.reduceat(runs.count, runs.starts)[runs.part]
        return np.add.reduceat(np.maximum(own - self.share[runs.code], 0.0), runs.starts)

    def _ordered(self, runs) -> np.ndarray:
        """Return the area between the two cumulative distributions over ranks, which is 1 across.

        A part's own distribution is constant between its values, and the table's increases: within a stretch they
        cross once at most, on either side of which the area is a difference of sums.
        """
        above = np.cumsum(self.share)
        sums = np.append(0.0, np.cumsum(above))
        running = np.cumsum(runs.count)
        before = running[runs.starts] - runs.count[runs.starts]
        own = (running - before[runs.part]) / (running[runs.ends] - before)[runs.part]
        stop = np.append(runs.code[1:], 0)
        stop[runs.ends] = len(self.share)
        cross = np.clip(np.searchsorted(above, own), runs.code, stop)
        below = own * (cross - runs.code) - (sums[cross] - sums[runs.code])
        over = (sums[stop] - sums[cross]) - own * (stop - cross)
        total = np.add.reduceat(below + over, runs.starts) + sums[runs.code[runs.starts]]
        return total / max(len(self.share) - 1, 1)


def diverse(frame, column: str, least: int) -> Diverse:
    """Return the constraint that classes hold at least so many values of a column."""
    codes, size = _levels.factorise(frame, [column])
    return Diverse(codes, size, least)


def close(frame, column: str, most: float) -> Close:
    """Return the constraint that a column is spread in classes almost as in the table; missing ranks above all."""
    ordered = _frames.kind(frame, column) == "number"
    if ordered:
        codes = np.unique(_frames.numbers(frame, column), return_inverse=True)[1].astype(np.int64)
    else:
        codes = _levels.factorise(frame, [column])[0]
    return Close(codes, np.bincount(codes) / len(codes), most, ordered)
