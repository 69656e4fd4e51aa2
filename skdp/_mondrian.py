"""Multidimensional recoding: a table's records are split in two, again and again, while each part is large enough.

Mondrian (LeFevre, DeWitt, Ramakrishnan, ICDE 2006), strict: records with equal quasi-identifiers stay together. All
parts of one depth are split at once, by whole columns. Each part is cut where the labels of one quasi-identifier lose
least information, counted as what they cover: a range its width over the column's, a set (values - 1) / (distinct
values - 1), a node of a hierarchy (leaves - 1) / (all leaves - 1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# A table of all pairs of part and value is counted faster than pairs are sorted, unless it is so much larger than these
_DENSE = 8


@dataclass(frozen=True)
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
        child = self.paths[runs.code, np.minimum(depth[runs.part] + 1, self.paths.shape[1] - 1)]
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


def runs_of(part: np.ndarray, code: np.ndarray, n_parts: int, size: int) -> Runs:
    """Count the values in each part; every part must have records."""
    keys = part * np.int64(size) + code
    if n_parts * size <= _DENSE * len(keys):
        counts = np.bincount(keys, minlength=n_parts * size)
        kept = np.flatnonzero(counts)
        counts = counts[kept]
    else:
        keys.sort()
        first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
        kept, counts = keys[first], np.diff(np.append(first, len(keys)))
    own = kept // size
    return Runs(own, kept - own * size, counts, np.searchsorted(own, np.arange(n_parts)))


def _at_left(runs: Runs, left: np.ndarray, part: np.ndarray, code: np.ndarray, size: int) -> np.ndarray:
    """Return which records go to the left, by their part and value."""
    keys, n_keys = runs.part * np.int64(size) + runs.code, len(runs.starts) * size
    wanted = part * np.int64(size) + code
    if n_keys <= _DENSE * len(wanted):
        table = np.zeros(n_keys, dtype=bool)
        table[keys[left]] = True
        return table[wanted]
    return left[np.searchsorted(keys, wanted)]


@dataclass(frozen=True)
class Tree:
    """The cuts that were made, to find the equivalence class of records seen later.

    Parameters
    ----------
    attribute : ndarray of int64 of shape (n_nodes,)
        Which quasi-identifier a node is cut by; -1 for an equivalence class.
    children : ndarray of int64 of shape (n_nodes, 2)
        The nodes at the left and at the right; for a class, its number twice.
    highest : ndarray of int64 of shape (n_nodes,)
        Where a node is cut by a range, the highest code that goes to the left.
    left : list of ndarray of int64
        For each other quasi-identifier, sorted, node * size + code for each value that goes to the left.
    """

    attribute: np.ndarray
    children: np.ndarray
    highest: np.ndarray
    left: list[np.ndarray]


Constraint = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


class _Growth:
    """A tree that grows by one depth at a time."""

    def __init__(self, n_attributes: int):
        self.attribute, self.children = np.full(1, -1), np.zeros((1, 2), dtype=np.int64)
        self.highest = np.zeros(1, dtype=np.int64)
        self.left: list[list[np.ndarray]] = [[] for _ in range(n_attributes)]
        self.n_classes = 0

    def close(self, nodes: np.ndarray) -> np.ndarray:
        """Make nodes into classes, and return their numbers."""
        numbers = np.arange(self.n_classes, self.n_classes + len(nodes))
        self.children[nodes] = numbers[:, None]
        self.n_classes += len(nodes)
        return numbers

    def split(self, nodes: np.ndarray, attribute: np.ndarray) -> np.ndarray:
        """Give nodes two children each, and return these."""
        new = np.arange(len(self.attribute), len(self.attribute) + 2 * len(nodes))
        self.attribute[nodes], self.children[nodes] = attribute, new.reshape(-1, 2)
        self.attribute = np.append(self.attribute, np.full(len(new), -1))
        self.children = np.concatenate([self.children, np.zeros((len(new), 2), dtype=np.int64)])
        self.highest = np.append(self.highest, np.zeros(len(new), dtype=np.int64))
        return new

    def remember(self, number: int, scale, nodes: np.ndarray, codes: np.ndarray) -> None:
        """Note which codes of a quasi-identifier go to the left at which nodes."""
        if isinstance(scale, RangeScale):
            np.maximum.at(self.highest, nodes, codes)
        else:
            self.left[number].append(nodes * scale.size + codes)

    def tree(self) -> Tree:
        none = np.empty(0, dtype=np.int64)
        left = [np.sort(np.concatenate([none, *keys])) for keys in self.left]
        return Tree(self.attribute, self.children, self.highest, left)


def partition(
    codes: Sequence[np.ndarray], scales: Sequence, weights: Sequence[float], k: int, allowed: Constraint | None = None
) -> tuple[np.ndarray, Tree]:
    """Return the equivalence class of each record, and the tree that leads there.

    Parameters
    ----------
    codes : sequence of ndarray of int64 of shape (n_rows,)
        Each quasi-identifier's values, as its scale counts them.
    scales : sequence of RangeScale, SetScale or TreeScale
        What the codes mean.
    weights : sequence of float
        How much each quasi-identifier's information counts.
    k : int
        The fewest records of a class.
    allowed : callable, optional
        Called with records, their part and the number of parts; says which parts may be.
    """
    growth, n_rows = _Growth(len(scales)), len(codes[0])
    classes = np.empty(n_rows, dtype=np.int64)
    rows, part, nodes = np.arange(n_rows), np.zeros(n_rows, dtype=np.int64), np.zeros(1, dtype=np.int64)
    codes = list(codes)
    while len(rows):
        cut_by, left = _cuts(rows, part, len(nodes), codes, scales, weights, k, allowed, growth, nodes)
        kept, part, nodes = _settle(growth, classes, rows, part, nodes, cut_by < 0)
        children = growth.split(nodes, cut_by[cut_by >= 0])
        rows, part = rows[kept], 2 * part + ~left[kept]
        too_small = np.bincount(part, minlength=len(children)) < 2 * k
        again, part, nodes = _settle(growth, classes, rows, part, children, too_small)
        kept[kept] = again
        rows, codes = rows[again], [one[kept] for one in codes]
    return classes, growth.tree()


def _settle(growth, classes, rows, part, nodes, done):
    """Make the parts that are `done` into classes; return which records go on, their parts, and these parts' nodes."""
    numbers = np.full(len(nodes), -1)
    numbers[done] = growth.close(nodes[done])
    out = done[part]
    classes[rows[out]] = numbers[part[out]]
    return ~out, (np.cumsum(~done) - 1)[part[~out]], nodes[~done]


def _cuts(rows, part, n_parts, codes, scales, weights, k, allowed, growth, nodes):
    """Return which quasi-identifier each part is cut by (-1: none), and which records go to the left."""
    best, cut_by, found = np.zeros(n_parts), np.full(n_parts, -1), []
    for number, (code, scale, weight) in enumerate(zip(codes, scales, weights, strict=True)):
        runs = runs_of(part, code, n_parts, scale.size)
        cut = scale.cut(runs, k)
        gain = cut.gain * weight
        if allowed is not None:
            gain = np.where(_both_allowed(rows, part, n_parts, code, scale.size, runs, cut, allowed), gain, -np.inf)
        better = gain > best * (1 + 1e-9)
        best[better], cut_by[better] = gain[better], number
        found.append((runs, cut.left))
    left = np.zeros(len(rows), dtype=bool)
    for number, (runs, chosen) in enumerate(found):
        here = np.flatnonzero((cut_by == number)[part])
        if len(here):
            size = scales[number].size
            left[here] = _at_left(runs, chosen, part[here], codes[number][here], size)
            taken = chosen & (cut_by == number)[runs.part]
            growth.remember(number, scales[number], nodes[runs.part[taken]], runs.code[taken])
    return cut_by, left


def _both_allowed(rows, part, n_parts, code, size, runs, cut, allowed):
    """Return which parts may be cut so: those whose both sides are allowed."""
    fine, cuttable = np.zeros(n_parts, dtype=bool), np.isfinite(cut.gain)
    here = np.flatnonzero(cuttable[part])
    if len(here):
        left = _at_left(runs, cut.left, part[here], code[here], size)
        side = 2 * (np.cumsum(cuttable) - 1)[part[here]] + ~left
        fine[cuttable] = allowed(rows[here], side, 2 * int(cuttable.sum())).reshape(-1, 2).all(axis=1)
    return fine


def find(tree: Tree, codes: Sequence[np.ndarray], scales: Sequence) -> np.ndarray:
    """Return the class that each record falls into; code -1 is a value that was not seen."""
    node = np.zeros(len(codes[0]), dtype=np.int64)
    rows = np.flatnonzero(tree.attribute[node] >= 0)
    while len(rows):
        at, left = node[rows], np.zeros(len(rows), dtype=bool)
        for number, (code, scale) in enumerate(zip(codes, scales, strict=True)):
            here = np.flatnonzero(tree.attribute[at] == number)
            left[here] = _goes_left(tree, number, scale, at[here], code[rows[here]])
        node[rows] = tree.children[at, np.where(left, 0, 1)]
        rows = rows[tree.attribute[node[rows]] >= 0]
    return tree.children[node, 0]


def _goes_left(tree: Tree, number: int, scale, nodes: np.ndarray, codes: np.ndarray) -> np.ndarray:
    if isinstance(scale, RangeScale):
        return codes <= tree.highest[nodes]
    keys, wanted = tree.left[number], nodes * scale.size + codes
    if not len(keys):
        return np.zeros(len(nodes), dtype=bool)
    return (keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted) & (codes >= 0)
