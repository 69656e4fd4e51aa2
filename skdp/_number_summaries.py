"""The numbers of a column that comes in chunks: what is remembered depends on them alone, never on the chunks.

A summary holds values of the table: it is the private state of a step that is not finished, and goes when it is.
Merging makes a new summary and leaves both as they are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skdp._quantiles import WeightedOrder

MOST_DISTINCT = 1 << 20  # different values that are kept and counted one by one
MOST_CELLS = 1 << 17  # of values that are counted together beyond; two values of each are known
RANK_ERROR = 0.001  # of the records, at most
_MOST_FREQUENT = 1 << 13  # values that are counted to within that part of the records: 0.012 %
_SKETCH_SIZE = 8192  # KLL's k: 0.04 % of the rows with 99 % confidence, so that 0.1 % is 7 standard deviations
_BATCH = 1 << 20  # values that wait until they are sorted together


class NumberSummary:
    """The numbers of one column: exact up to `MOST_DISTINCT` different ones, in cells beyond; and their moments.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_rows,)
        Numbers; missing and infinite ones are only counted.

    Notes
    -----
    Beyond the limit, values with the same leading bits share a cell (`Cells`), of which the smallest and the largest
    value are known, how many records have each, and how many lie between. What is known is a function of the values,
    in whatever chunks and order they come:

    - Values overflow the limit exactly if all of them together have more than `MOST_DISTINCT` different ones: a part
      that overflows proves it for the whole, and parts that do not are known exactly.
    - The number of bits dropped is the least with which at most `MOST_CELLS` cells are in use. More values never use
      fewer cells, so the whole drops at least as many bits as any part; and which cells are in use with more bits
      dropped is told by those in use with fewer.
    - Counts, extremes, and counts of extremes, of a cell follow from those of its parts.

    A rank is wrong by at most half of the records between the known values of one cell, so how wrong it may be is
    known: with most distributions, 0.005 % of the records. Where it is more than `RANK_ERROR`, either most of those
    records have one value, which is then among the most frequent ones (counted as by Misra and Gries, *Finding repeated
    elements*, 1982, and merged as in Agarwal et al., *Mergeable summaries*, PODS 2012), and all but `RANK_ERROR` of the
    records in the cell are at it: the others are taken to be there, too. Or many different values lie within a cell, as
    where some pile up in a narrow range, and others are spread over a range thousands of times as wide. There a sketch
    tells the ranks: that of Karnin, Lang and Liberty, *Optimal quantile approximation in streams* (FOCS 2016), from the
    ``datasketches`` package. It is drawn at random, and the one thing that depends on chance and on chunks; as does, by
    a hair, which of the two cases it is.

    Moments follow from the different values as long as these are known; beyond, they are merged as in Chan, Golub and
    LeVeque, *Updating formulae and a pairwise algorithm for computing sample variances* (1979), and agree to rounding.

    Examples
    --------
    >>> both = NumberSummary(np.array([3.0, 1.0])).merged(NumberSummary(np.array([np.nan, 2.0])))
    >>> both.rows, both.count, both.mean, both.order().quantiles(2)
    (4, 3, 2.0, [2.0])
    """

    def __init__(self, values: np.ndarray):
        finite = values[np.isfinite(values)]
        self.rows, self.count = len(values), len(finite)
        self._waiting = (finite,)
        self._cells, self._beyond = Cells.of(np.empty(0)), None
        self._settle(_BATCH)

    def __getstate__(self):
        self._settle()
        return vars(self)

    @property
    def is_exact(self) -> bool:
        """Whether every different value is known, and how many records have it."""
        self._settle()
        return self._beyond is None

    @property
    def cells(self) -> "Cells":
        """The cells of all values; of one value each where the summary is exact."""
        self._settle()
        return self._cells

    @property
    def mean(self) -> float:
        """The mean of the numbers."""
        return self._moments().mean

    @property
    def squares(self) -> float:
        """The sum of the squared deviations from the mean."""
        return self._moments().squares

    def merged(self, other: "NumberSummary") -> "NumberSummary":
        """Return the summary of the rows of both."""
        new = object.__new__(NumberSummary)
        new.rows, new.count = self.rows + other.rows, self.count + other.count
        new._waiting = _gathered(self._waiting + other._waiting)
        new._cells, new._beyond = self._cells, self._beyond
        new._take(other._cells, other._beyond)
        new._settle(_BATCH)
        return new

    def order(self) -> WeightedOrder:
        """Return the numbers in order, exactly or with ranks right to `RANK_ERROR` of the records.

        Raises
        ------
        ImportError
            If a sketch is needed, and datasketches is not installed.
        """
        items, tolerance = self.cells.items(), RANK_ERROR * self.count
        if self._beyond and len(_vague(items[2], tolerance)):
            items = _with_frequent(*items, self._beyond.frequent, tolerance)
            vague = _vague(items[2], tolerance)
            if len(vague):
                return _with_sketched(*items, vague, self._beyond.sketch)
        values, known, hidden = items
        return WeightedOrder(values, np.cumsum(known + hidden) - hidden + hidden // 2, known)

    def _moments(self) -> "Moments":
        self._settle()
        return self._beyond.moments if self._beyond else Moments.of(self._cells.low, self._cells.count)

    def _settle(self, most: int = 0) -> None:
        """Put the values that wait into cells, if they are more than `most`."""
        if sum(map(len, self._waiting)) > most:
            values = np.sort(np.concatenate(self._waiting))
            self._waiting = ()
            self._take(Cells.of(values + 0.0), None)  # -0.0 is 0.0

    def _take(self, cells: "Cells", beyond: "Beyond | None") -> None:
        """Add values to those that are in cells already."""
        if not len(cells.low):
            return
        both = self._cells.merged(cells)
        if self._beyond or beyond:
            self._beyond = (self._beyond or Beyond.of(self._cells)).merged(beyond or Beyond.of(cells))
        elif len(both.low) > MOST_DISTINCT:
            self._beyond = Beyond.of(both)
        self._cells = both.fitted(MOST_CELLS) if self._beyond else both


@dataclass(frozen=True, repr=False, eq=False)
class Cells:
    """Values by their leading bits: of each cell in use, the extremes and how many records there are.

    Parameters
    ----------
    bits : int
        How many trailing bits the values of one cell may differ in; with 0 each cell is one value.
    low, high : ndarray of float64 of shape (n_cells,)
        The smallest and the largest value of each cell, ascending.
    count : ndarray of int64 of shape (n_cells,)
        How many records there are in each cell.
    at_low, at_high : ndarray of int64 of shape (n_cells,)
        How many have the smallest and the largest value; where these are one value, `count`.

    Examples
    --------
    >>> cells = Cells.of(np.array([1.0, 1.0, 1.5, 1.75, 2.0, 8.0])).fitted(3)
    >>> cells.low, cells.high, cells.count, cells.at_low
    (array([1., 2., 8.]), array([1.75, 2.  , 8.  ]), array([4, 1, 1]), array([2, 1, 1]))
    """

    bits: int
    low: np.ndarray
    high: np.ndarray
    count: np.ndarray
    at_low: np.ndarray
    at_high: np.ndarray

    @classmethod
    def of(cls, ordered: np.ndarray) -> "Cells":
        """Return one cell for each value of an ascending array."""
        first = _starts(ordered)
        return cls._of_values(ordered[first], np.diff(first, append=len(ordered)))

    @classmethod
    def _of_values(cls, values: np.ndarray, counts: np.ndarray) -> "Cells":
        return cls(0, values, values, counts, counts, counts)

    def __getstate__(self):
        several = self.low < self.high  # the others have one value, and so one count
        state = [self.bits, self.low, _small(self.count), np.packbits(several), self.high[several]]
        return [*state, _small(self.at_low[several]), _small(self.at_high[several])]

    def __setstate__(self, state):
        bits, low, count, packed, *others = state
        count = count.astype(np.int64)
        several = np.unpackbits(packed, count=len(low)).view(bool)
        high, at_low, at_high = low, count, count
        if several.any():
            high, at_low, at_high = (
                _replaced(*pair, several) for pair in zip((low, count, count), others, strict=True)
            )
        names = ("bits", "low", "high", "count", "at_low", "at_high")
        vars(self).update(zip(names, (bits, low, high, count, at_low, at_high), strict=True))

    def merged(self, other: "Cells") -> "Cells":
        """Return the cells of the values of both."""
        bits = max(self.bits, other.bits)
        one, two = self.coarsened(bits), other.coarsened(bits)
        if not len(one.low) or not len(two.low):
            return one if len(one.low) else two
        low = np.concatenate([one.low, two.low])
        order = np.argsort(low, kind="stable")  # a merge, which is faster than a sort
        if not bits:
            return _counted(low[order], np.concatenate([one.count, two.count])[order])
        pairs = ((getattr(one, name), getattr(two, name)) for name in ("high", "count", "at_low", "at_high"))
        return _grouped(bits, low[order], *(np.concatenate(pair)[order] for pair in pairs))

    def coarsened(self, bits: int) -> "Cells":
        """Return the cells of values that may differ in more bits."""
        if bits == self.bits or not len(self.low):
            return self
        return _grouped(bits, self.low, self.high, self.count, self.at_low, self.at_high)

    def fitted(self, most: int) -> "Cells":
        """Return at most so many cells: those of values that may differ in the fewest bits with which that is so."""
        if len(self.low) <= most:
            return self
        keys = _keys(self.low) >> self.bits
        apart = (keys[1:] ^ keys[:-1]).view(np.uint64)
        # the second highest bit cleared, lest rounding to a float makes the number a bit longer
        length = np.frexp((apart & ~(apart >> np.uint64(1))).astype(np.float64))[1]
        longer = len(length) - np.cumsum(np.bincount(length, minlength=65))
        return self.coarsened(self.bits + int(np.argmax(longer < most)))

    def items(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the known values, how many records have each, and how many lie between each and the next."""
        if self.low is self.high:
            return self.low, self.count, np.zeros(len(self.low), dtype=np.int64)
        several = (self.low < self.high).astype(np.intp)
        last = np.cumsum(1 + several) - 1
        first, size = last - several, last[-1] + 1 if len(last) else 0
        values, known, hidden = np.empty(size), np.empty(size, dtype=np.int64), np.zeros(size, dtype=np.int64)
        values[first], values[last] = self.low, self.high
        known[first], known[last] = self.at_low, self.at_high
        hidden[first] = np.where(several, self.count - self.at_low - self.at_high, 0)
        return values, known, hidden


@dataclass(frozen=True, repr=False)
class Moments:
    """The mean of some numbers, and the sum of their squared deviations from it.

    Parameters
    ----------
    count : int
        How many numbers there are.
    mean : float
        Their mean; 0 of none.
    squares : float
        The sum of their squared deviations from it.
    """

    count: int
    mean: float
    squares: float

    @classmethod
    def of(cls, values: np.ndarray, counts: np.ndarray) -> "Moments":
        """Return the moments of values of which there are so many each."""
        count = int(counts.sum())
        # divided before they are added, so that the sum of huge values stays finite
        mean = float((values * (counts / count)).sum()) if count else 0.0
        with np.errstate(over="ignore"):
            return cls(count, mean, float((np.square(values - mean) * counts).sum()))

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of both."""
        count = self.count + other.count
        share, apart = other.count / count, other.mean - self.mean
        squares = self.squares + other.squares + apart * apart * share * self.count
        return Moments(count, self.mean + apart * share, squares)


@dataclass(frozen=True, repr=False)
class Beyond:
    """What a summary keeps beside its cells.

    Parameters
    ----------
    moments : Moments
        Of all values.
    frequent : Cells
        At most `_MOST_FREQUENT` values, among them each that more than that part of the records have. Counts are too
        low by at most that part of all.
    sketch : bytes or None
        A KLL sketch of all values; None where datasketches is not installed.
    """

    moments: Moments
    frequent: Cells
    sketch: bytes | None

    @classmethod
    def of(cls, cells: Cells) -> "Beyond":
        """Return what is kept beside cells of one value each."""
        values, counts = cells.low, cells.count
        return cls(Moments.of(values, counts), _most_frequent(cells), _sketched(values, counts))

    def merged(self, other: "Beyond") -> "Beyond":
        """Return what is kept beside the cells of both."""
        frequent = _most_frequent(self.frequent.merged(other.frequent))
        return Beyond(self.moments.merged(other.moments), frequent, _both_sketched(self.sketch, other.sketch))


def _gathered(arrays: tuple) -> tuple:
    """Return arrays with small ones put together, so that few are left and none is copied often."""
    while len(arrays) > 1 and len(arrays[-2]) <= 2 * len(arrays[-1]):
        arrays = (*arrays[:-2], np.concatenate(arrays[-2:]))
    return arrays


def _starts(ordered: np.ndarray) -> np.ndarray:
    """Return where each run of equal entries begins."""
    changes = np.empty(len(ordered), dtype=bool)
    changes[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=changes[1:])
    return np.flatnonzero(changes)


def _keys(values: np.ndarray) -> np.ndarray:
    """Return integers in the order of the floats, neighbours next to each other."""
    patterns = values.view(np.int64)
    return patterns ^ ((patterns >> 63) & np.int64(2**63 - 1))


def _counted(values: np.ndarray, counts: np.ndarray) -> Cells:
    """Return cells of one value each, of ascending values of which there are so many each."""
    starts = _starts(values)
    return Cells._of_values(values[starts], np.add.reduceat(counts, starts))


def _grouped(bits: int, low, high, count, at_low, at_high) -> Cells:
    """Return the cells of smaller ones that come in the order of their smallest value."""
    starts = _starts(_keys(low) >> bits)
    sizes = np.diff(starts, append=len(low))
    lowest, highest = low[starts], np.maximum.reduceat(high, starts)
    at_low = np.add.reduceat(np.where(low == np.repeat(lowest, sizes), at_low, 0), starts)
    at_high = np.add.reduceat(np.where(high == np.repeat(highest, sizes), at_high, 0), starts)
    return Cells(bits, lowest, highest, np.add.reduceat(count, starts), at_low, at_high)


def _replaced(old: np.ndarray, new: np.ndarray, where: np.ndarray) -> np.ndarray:
    both = old.copy()
    both[where] = new
    return both


def _small(counts: np.ndarray) -> np.ndarray:
    """Return counts in the smallest dtype that holds them, for a pickle."""
    return counts.astype(np.min_scalar_type(counts.max(initial=0)))


def _most_frequent(cells: Cells) -> Cells:
    """Return the values of most records; what one has less than the first one left out is what all lose."""
    if len(cells.low) <= _MOST_FREQUENT:
        return cells
    lost = np.partition(cells.count, -_MOST_FREQUENT - 1)[-_MOST_FREQUENT - 1]
    kept = cells.count > lost
    return Cells._of_values(cells.low[kept], cells.count[kept] - lost)


def _vague(hidden: np.ndarray, tolerance: float) -> np.ndarray:
    """Return behind which values so many are hidden that half of them are more than tolerated."""
    return np.flatnonzero((hidden + 1) // 2 > tolerance)


def _with_frequent(values, known, hidden, frequent: Cells, tolerance: float) -> tuple:
    """Return values with those among them that all but a few of the records hidden in a vague place have.

    The few are at most `tolerance`, which is less than half: no place has two such values.
    """
    places = np.searchsorted(values, frequent.low)
    inside = (places > 0) & (frequent.low < values[np.minimum(places, len(values) - 1)])
    behind = np.maximum(places - 1, 0)
    found = inside & np.isin(behind, _vague(hidden, tolerance)) & (hidden[behind] - frequent.count <= tolerance)
    places, behind = places[found], behind[found]
    known, exposed = np.insert(known, places, hidden[behind]), hidden.copy()
    exposed[behind] = 0
    return np.insert(values, places, frequent.low[found]), known, np.insert(exposed, places, 0)


def _with_sketched(values, known, hidden, vague: np.ndarray, sketch: bytes | None) -> WeightedOrder:
    """Return the order in which a sketch tells the ranks of what is hidden behind the values at `vague`."""
    sketches = _sketches()
    if sketches is None or sketch is None:
        raise ImportError(
            "Many different values lie close together in a column that comes in chunks; to tell their order skdp needs "
            'datasketches: pip install "skdp[scale]"'
        )
    sketch = sketches.deserialize(sketch)
    sketched = np.unique([value for value, _ in sketch])  # datasketches 5.2 gives wrong weights if level 0 is empty
    ranks = np.rint(np.array(sketch.get_cdf(sketched, True)[:-1]) * sketch.n).astype(np.int64)
    places = np.searchsorted(values, sketched)
    inside = np.isin(places - 1, vague) & (sketched < values[np.minimum(places, len(values) - 1)])
    places, ends = places[inside], np.cumsum(known + hidden)
    ranks = np.clip(ranks[inside], (ends - hidden)[places - 1], ends[places - 1])  # cells know better
    up_to = ends - hidden + hidden // 2
    up_to[vague] = (ends - hidden)[vague]
    parts = ((values, sketched[inside]), (up_to, ranks), (known, 1))
    return WeightedOrder(*(np.insert(part, places, more) for part, more in parts))


def _sketched(values: np.ndarray, counts: np.ndarray) -> bytes | None:
    """Return a KLL sketch of values of which there are so many each; None without datasketches."""
    sketches = _sketches()
    if sketches is None:
        return None
    sketch, ends = sketches(_SKETCH_SIZE), np.cumsum(counts)
    for start in range(0, int(counts.sum()), _BATCH):
        some = np.diff(np.clip(ends, start, start + _BATCH), prepend=start)
        sketch.update(np.repeat(values, some))
    return sketch.serialize()


def _both_sketched(first: bytes | None, second: bytes | None) -> bytes | None:
    sketches = _sketches()
    if sketches is None or first is None or second is None:
        return None
    both = sketches.deserialize(first)
    both.merge(sketches.deserialize(second))
    return both.serialize()


def _sketches() -> Any:
    try:
        from datasketches import kll_doubles_sketch
    except ImportError:
        return None
    return kll_doubles_sketch
