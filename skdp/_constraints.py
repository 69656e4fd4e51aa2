"""What equivalence classes must hold of a sensitive column: enough different values, spread as in the whole table."""

from dataclasses import dataclass

import numpy as np

from skdp import _frames, _levels
from skdp._scales import Runs, tally


@dataclass(frozen=True, repr=False)
class Spread:
    """What is asked of a sensitive column, a missing value being a value of its own.

    Parameters
    ----------
    share : ndarray of float64 of shape (n_codes,)
        The distribution of the whole table.
    ordered : bool
        Whether values are as far apart as their ranks are (numbers; missing ranks above all), or all equally far.
    least : int, optional
        The fewest different values of a class (distinct l-diversity, Machanavajjhala et al. 2007).
    most : float, optional
        The largest distance from the whole table (t-closeness, Li, Li, Venkatasubramanian 2007).
    """

    share: np.ndarray
    ordered: bool
    least: int | None = None
    most: float | None = None

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.share)

    def __call__(self, runs: Runs) -> np.ndarray:
        """Return which parts may be, by the runs of the sensitive values in them."""
        fine = np.ones(len(runs.starts), dtype=bool)
        if self.least is not None:
            fine &= runs.ends - runs.starts + 1 >= self.least
        if self.most is not None:
            distances = self._by_rank(runs) if self.ordered else self._equal(runs)
            fine &= distances <= self.most + 1e-12
        return fine

    def _equal(self, runs: Runs) -> np.ndarray:
        """Return half of the absolute differences, that is the sum of the positive ones."""
        own = runs.count / runs.totals[runs.part]
        return np.add.reduceat(np.maximum(own - self.share[runs.code], 0.0), runs.starts)

    def _by_rank(self, runs: Runs) -> np.ndarray:
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


def spread(
    frame, column: str, least: int | None, most: float | None, times: np.ndarray | None = None
) -> tuple[np.ndarray, Spread]:
    """Return the codes of a sensitive column, and what is asked of it; each row stands for `times` of them."""
    ordered = most is not None and _frames.kind(frame, column) == "number"
    if ordered:
        codes = np.unique(_frames.numbers(frame, column), return_inverse=True)[1].astype(np.int64)
    else:
        codes = _levels.factorise(frame, [column])[0]
    counts = tally(codes, 0, times)
    return codes, Spread(counts / counts.sum(), ordered, least, most)
