"""What equivalence classes must hold of a sensitive column: enough different values, spread as in the whole table."""

import csv
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd

from skdp import _frames, _levels
from skdp._arrays import characters_of
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


def spreads(
    frame, column: str, least: int | None, most: float | None, times: np.ndarray | None = None
) -> list[tuple[np.ndarray, Spread]]:
    """Return the codes of a sensitive column, and what is asked of it; each row stands for `times` of them.

    There are two of each where a CSV file holds some of its values as one: of these l-diversity is asked, and of what
    any reader may tell apart t-closeness, as distances never grow where values are taken together.
    """
    ordered = most is not None and _is_read_as_numbers(frame, column)
    if ordered:
        codes = np.unique(_frames.numbers(frame, column), return_inverse=True)[1].astype(np.int64)
    else:
        codes = _levels.factorise_spelled(frame, [column])[0]
    if least is None:
        return [(codes, Spread(_shares(codes, times), ordered, None, most))]
    merged = _merged_in_csv(frame, column, codes)
    if merged is codes:
        return [(codes, Spread(_shares(codes, times), ordered, least, most))]
    own = [] if most is None else [(codes, Spread(_shares(codes, times), ordered, None, most))]
    return [*own, (merged, Spread(_shares(merged, times), False, least))]


def _is_read_as_numbers(frame, column: str) -> bool:
    """Whether a column holds numbers, in a CSV file, too: a single long integer makes text of all of them there."""
    if _frames.kind(frame, column) != "number":
        return False
    return frame.schema[column].is_float() or not (np.abs(_frames.numbers(frame, column)) >= 2**63).any()


def _shares(codes: np.ndarray, times: np.ndarray | None) -> np.ndarray:
    counts = tally(codes, 0, times)
    return counts / counts.sum()


def _merged_in_csv(frame, column: str, codes: np.ndarray) -> np.ndarray:
    """Return codes of which those that a CSV file may hold as one are one; the same ones where there are none."""
    if not len(codes) or not _may_merge(frame, column):
        return codes
    size = int(codes.max()) + 1
    first = np.empty(size, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    values = _frames.take_rows(frame.select([column]), first)
    absent = _frames.missing(values, column)
    cells = pd.Series(values.get_column(column).to_list(), dtype=object)
    with characters_of(column):
        cells = cells.astype("str").mask(absent)
    merged, n_merged = _read_back(cells)
    alike, n_alike = _levels.factorise(values, [column])
    if n_alike < size:  # objects that are equal, and spelled in two ways
        merged, n_merged = _joined(merged, n_merged, alike, n_alike)
    return codes if n_merged == size else merged[codes]


def _may_merge(frame, column: str) -> bool:
    """Whether values may be read back alike: of numbers those that are close to the limits of floats."""
    series = frame.get_column(column)
    if series.dtype.is_float():
        distinct = np.unique(_frames.numbers(frame, column))
        with np.errstate(invalid="ignore", over="ignore"):
            return bool((np.diff(distinct) <= _LAST_PLACES * np.spacing(np.abs(distinct[1:]))).any())
    if series.dtype.is_integer():
        gaps = series.null_count()  # with which integers are read as floats
        return 0 < gaps < len(series) and max(-int(series.min()), int(series.max())) >= 2**53
    return _frames.kind(frame, column) not in ("boolean", "date")


def _read_back(cells: pd.Series) -> tuple[np.ndarray, int]:
    """Return a number for each of some cells, the same where a CSV file may hold them as one, and how many there are.

    What is empty or spells a missing value is missing; texts that are the same number, or the same truth value, are
    one, whatever the rest of the column holds: readers take a part of the file at a time. So are texts that differ in
    no more than white space around them, in how lines end, or in the apostrophe that is written before formulas.
    """
    written = cells.str.strip().str.replace("\r\n", "\n").str.replace("\r", "\n").str.removeprefix("'").rename("cells")
    file = io.StringIO(written.to_csv(index=False, quoting=csv.QUOTE_ALL))
    texts = pd.read_csv(file, dtype=str, skip_blank_lines=False)["cells"]
    likely = texts.str.match("[-+.0-9ITF]", case=False).fillna(False).to_numpy(dtype=bool)  # infinity, true, false
    numbers = pd.to_numeric(texts[likely], errors="coerce")
    if numbers.hasnans or not likely.all():  # else they may be integers, of more digits than floats have
        numbers = numbers.astype("float64").fillna(texts[likely].str.lower().map({"true": 1.0, "false": 0.0}))
    codes, kept = pd.factorize(texts)
    values = np.full(len(texts), -1, dtype=np.int64)
    values[likely], _ = pd.factorize(numbers)
    return _levels.compress(np.where(values < 0, codes + 1, len(kept) + 1 + values), 2 * len(cells) + 1, ordered=False)


def _joined(one: np.ndarray, n_one: int, other: np.ndarray, n_other: int) -> tuple[np.ndarray, int]:
    """Return numbers that are the same wherever either of two are, and how many there are."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(one)), (one, n_one + other)), shape=(n_one + n_other,) * 2)
    count, found = connected_components(links, directed=False)
    return found[one].astype(np.int64), count


_LAST_PLACES = 8  # of a float, which quick readers may get wrong
