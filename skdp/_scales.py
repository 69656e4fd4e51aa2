"""What the codes of a quasi-identifier mean, what its labels cover, and where a part of the table is best cut.

What is covered: by a range its width over the column's, by a set (values - 1) / (distinct values - 1), by a node of a
hierarchy (leaves - 1) / (all leaves - 1).
"""

from dataclasses import dataclass

import numpy as np

# A table of all pairs of part and value is counted faster than pairs are sorted, unless it is so much larger than these
DENSE = 8


@dataclass(frozen=True, repr=False)
class Runs:
    """How often each value occurs in each part, sorted by part and value; only values that occur.

    Parameters
    ----------
    part, code, count : ndarray of int64 of shape (n_runs,)
        The part, the value and how many of its records hold it.
    starts : ndarray of int64 of shape (n_parts,)
        Where each part begins.
    """

    part: np.ndarray
    code: np.ndarray
    count: np.ndarray
    starts: np.ndarray

    @property
    def ends(self) -> np.ndarray:
        """Where each part's last run is."""
        return np.append(self.starts[1:], len(self.part)) - 1

    @property
    def totals(self) -> np.ndarray:
        """How many records each part has."""
        return np.add.reduceat(self.count, self.starts)

    def only(self, kept: np.ndarray) -> "Runs":
        """Return the runs where `kept` is True; each part must keep some."""
        part = self.part[kept]
        return Runs(part, self.code[kept], self.count[kept], np.searchsorted(part, np.arange(len(self.starts))))


@dataclass(frozen=True)
class Cut:
    """One cut for each part.

    Parameters
    ----------
    gain : ndarray of float64 of shape (n_parts,)
        What is saved by it, in cells; -inf where there is none.
    left : ndarray of bool of shape (n_runs,)
        Which runs go to the left.
    """

    gain: np.ndarray
    left: np.ndarray


@dataclass(frozen=True)
class Division:
    """One division of each part's records, in an order of the values, in which a value may be on both sides.

    Parameters
    ----------
    gain : ndarray of float64 of shape (n_parts,)
        What is saved by it, in cells.
    left : ndarray of int64 of shape (n_parts,)
        How many of the first records go to the left.
    rank : ndarray of int64 of shape (n_runs,)
        Where each run stands in the order.
    """

    gain: np.ndarray
    left: np.ndarray
    rank: np.ndarray


@dataclass(frozen=True, repr=False)
class RangeScale:
    """Numbers, dates and ordered categories: values with an order, labelled by ranges; code 0 is missing.

    Parameters
    ----------
    positions : ndarray of float64 of shape (n_codes,)
        Where each value stands; increasing from code 1 on. A range that holds missing values covers everything.
    """

    positions: np.ndarray

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.positions)

    def cover(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return the share of the column that ranges from code `low` to code `high` cover."""
        width = self.positions[-1] - self.positions[min(1, self.size - 1)]
        covered = (self.positions[high] - self.positions[low]) / (width or 1.0)
        return np.where((low == 0) & (high > 0), 1.0, covered)

    def cut(self, runs: Runs, k: int) -> Cut:
        """Return the cut of each part into a lower and an upper range that covers least."""
        left, total = _counts_before(runs, runs.count)
        low, high = runs.code[runs.starts][runs.part], runs.code[runs.ends][runs.part]
        upper = runs.code[np.minimum(np.arange(1, len(left) + 1), len(left) - 1)]
        right = total - left
        kept = left * self.cover(low, runs.code) + right * self.cover(np.minimum(upper, high), high)
        gain = np.where((left >= k) & (right >= k), total * self.cover(low, high) - kept, -np.inf)
        best, where = _best(gain, runs.starts)
        return Cut(best, np.arange(len(gain)) <= where[runs.part])

    def divide(self, runs: Runs, k: int) -> Division:
        """Return the division of each part, of 2 k records or more, into the lowest or highest k and the rest."""
        low, high, total = runs.code[runs.starts], runs.code[runs.ends], runs.totals
        whole = total * self.cover(low, high)
        gains, sizes = [], (np.full(len(total), k), total - k)
        for left in sizes:
            last, following = _around(runs, runs.count, left)
            kept = left * self.cover(low, runs.code[last]) + (total - left) * self.cover(runs.code[following], high)
            gains.append(whole - kept)
        return Division(*_larger(gains, sizes), np.arange(len(runs.code)))


@dataclass(frozen=True)
class SetScale:
    """Categories without an order, labelled by the sets of values that occur.

    Parameters
    ----------
    size : int
        How many distinct values there are, a missing one included.
    """

    size: int

    def cover(self, values: np.ndarray) -> np.ndarray:
        """Return the share of the column that sets of so many values cover."""
        return (values - 1) / max(self.size - 1, 1)

    def cut(self, runs: Runs, k: int) -> Cut:
        """Return the cut of each part into its more frequent and its rarer values that covers least."""
        order = np.lexsort((runs.code, -runs.count, runs.part))
        left, total = _counts_before(runs, runs.count[order])
        values = np.diff(np.append(runs.starts, len(order)))[runs.part]
        taken = np.arange(1, len(order) + 1) - runs.starts[runs.part]
        kept = left * self.cover(taken) + (total - left) * self.cover(values - taken)
        gain = np.where((left >= k) & (total - left >= k), total * self.cover(values) - kept, -np.inf)
        best, where = _best(gain, runs.starts)
        chosen = np.empty(len(order), dtype=bool)
        chosen[order] = np.arange(len(order)) <= where[runs.part]
        return Cut(best, chosen)

    def divide(self, runs: Runs, k: int) -> Division:
        """Return the division of each part, of 2 k records or more, into the k of its rarest values and the rest."""
        order = np.lexsort((runs.code, -runs.count, runs.part))
        values, total = runs.ends + 1 - runs.starts, runs.totals
        last, following = _around(runs, runs.count[order], total - k)
        kept = (total - k) * self.cover(last + 1 - runs.starts) + k * self.cover(runs.ends + 1 - following)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return Division(total * self.cover(values) - kept, total - k, rank)


@dataclass(frozen=True)
class TreeScale:
    """Categories with a hierarchy, labelled by the lowest node that is above all values; codes in the tree's order.

    Parameters
    ----------
    paths : ndarray of int64 of shape (n_codes, n_levels)
        The nodes from the root to each leaf.
    covers : ndarray of float64 of shape (n_nodes,)
        The share of the leaves, counted without one, that each node is above.
    """

    paths: np.ndarray
    covers: np.ndarray

    @property
    def size(self) -> int:
        """How many codes there are."""
        return len(self.paths)

    def depths(self, runs: Runs) -> np.ndarray:
        """Return how deep in the tree the lowest common node of each part is."""
        first, last = self.paths[runs.code[runs.starts]], self.paths[runs.code[runs.ends]]
        return np.sum(first == last, axis=1) - 1  # codes are in the tree's order, so the outermost two decide

    def cut(self, runs: Runs, k: int) -> Cut:
        """Return the cut of each part into one child of its lowest common node and the rest that covers least."""
        depth = self.depths(runs)
        child = self.children(runs, depth)
        first = np.append(True, (np.diff(child) != 0) | (np.diff(runs.part) != 0))
        group = np.cumsum(first) - 1
        count = np.add.reduceat(runs.count, np.flatnonzero(first))
        part, child = runs.part[first], child[first]
        starts = np.searchsorted(part, np.arange(len(runs.starts)))
        total = np.add.reduceat(count, starts)[part]
        above = self.covers[self.paths[runs.code[runs.starts], depth]][part]
        gain = count * (above - self.covers[child])
        pair = np.diff(np.append(starts, len(part)))[part] == 2
        gain = np.where(pair, np.add.reduceat(gain, starts)[part], gain)
        gain = np.where((count >= k) & (total - count >= k), gain, -np.inf)
        best, where = _best(gain, starts)
        return Cut(best, group == where[runs.part])

    def divide(self, runs: Runs, k: int) -> Division:
        """Return the division of each part, of 2 k records or more, into some under its largest child and the rest."""
        child, most = self.largest_child(runs)
        depth, total = self.depths(runs), runs.totals
        above = self.covers[self.paths[runs.code[runs.starts], depth]]
        gain = np.where(most >= total - k, (total - k) * (above - self.covers[child]), -np.inf)
        return Division(gain, total - k, (self.children(runs, depth) != child[runs.part]).astype(np.int64))

    def largest_child(self, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
        """Return the child of each part's lowest common node that most records are under, and how many are."""
        child = self.children(runs, self.depths(runs))
        first = np.flatnonzero(np.append(True, (np.diff(child) != 0) | (np.diff(runs.part) != 0)))
        most, where = _best(np.add.reduceat(runs.count, first), np.searchsorted(first, runs.starts))
        return child[first][where], most

    def children(self, runs: Runs, depth: np.ndarray) -> np.ndarray:
        """Return the child of its part's lowest common node that each run is under."""
        return self.paths[runs.code, np.minimum(depth[runs.part] + 1, self.paths.shape[1] - 1)]


def _counts_before(runs: Runs, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each run the records of its part up to and with it, and those of the whole part."""
    running = np.cumsum(count)
    before = (running[runs.starts] - count[runs.starts])[runs.part]
    return running - before, running[runs.ends][runs.part] - before


def _best(gain: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest gain of each part, and the first run that has it."""
    best = np.maximum.reduceat(gain, starts)
    sizes = np.diff(np.append(starts, len(gain)))
    hits = np.flatnonzero(gain == np.repeat(best, sizes))
    return best, hits[np.searchsorted(hits, starts)]


def _around(runs: Runs, count: np.ndarray, left: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the runs of the last of each part's first `left` records, and of the one after it."""
    running = np.cumsum(count)
    before = running[runs.starts] - count[runs.starts]
    return np.searchsorted(running, before + left), np.searchsorted(running, before + left + 1)


def _larger(gains, sizes) -> tuple[np.ndarray, np.ndarray]:
    """Return of two gains the larger, the first where they are alike, and the size that belongs to it."""
    second = gains[1] > gains[0] * (1 + 1e-9)
    return np.where(second, gains[1], gains[0]), np.where(second, sizes[1], sizes[0])


def runs_of(part: np.ndarray, code: np.ndarray, n_parts: int, size: int, times: np.ndarray | None = None) -> Runs:
    """Count the values in each part; every part must have records. Each stands for `times` of them, by default one."""
    kept, counts = counted(part * np.int64(size) + code, n_parts * size, times)
    own = kept // size
    return Runs(own, kept - own * size, counts, np.searchsorted(own, np.arange(n_parts)))


def counted(keys: np.ndarray, bound: int, times: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers below `bound` that occur, ascending, and how often each does; may change `keys`."""
    if bound <= DENSE * len(keys):
        counts = tally(keys, bound, times)
        kept = np.flatnonzero(counts)
        return kept, counts[kept]
    if times is None:
        keys.sort()
    else:
        order = np.argsort(keys, kind="stable")
        keys, times = keys[order], times[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    if times is None:
        return keys[first], np.diff(np.append(first, len(keys)))
    return keys[first], np.add.reduceat(times, first) if len(first) else times


def tally(numbers: np.ndarray, bound: int, times: np.ndarray | None = None) -> np.ndarray:
    """Return how often each number below `bound` occurs, exactly up to 2^53; each stands for `times` of it."""
    return np.bincount(numbers, weights=times, minlength=bound).astype(np.int64, copy=False)


def at(runs: Runs, values: np.ndarray, part: np.ndarray, code: np.ndarray, size: int) -> np.ndarray:
    """Return what `values` holds for the run of each record, by its part and value."""
    keys, n_keys = runs.part * np.int64(size) + runs.code, len(runs.starts) * size
    wanted = part * np.int64(size) + code
    if n_keys <= DENSE * len(wanted):
        table = np.zeros(n_keys, dtype=values.dtype)
        table[keys] = values
        return table[wanted]
    return values[np.searchsorted(keys, wanted)]
