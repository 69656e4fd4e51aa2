"""Multidimensional recoding: a table's records are split in two, again and again, while each part is large enough.

Mondrian (LeFevre, DeWitt, Ramakrishnan, ICDE 2006). All parts of one depth are split at once, by whole columns. Each
part is cut where the labels of one quasi-identifier lose least information. Strict: records with equal
quasi-identifiers stay together. Relaxed: where no such cut is left, records of one value may go to both sides.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from skdp import _levels
from skdp._scales import Cut, RangeScale, Runs, at, runs_of, tally


@dataclass(frozen=True, repr=False)
class Records:
    """A table's records as codes; one may stand for several that are alike.

    Parameters
    ----------
    codes : sequence of ndarray of int64 of shape (n_records,)
        Each quasi-identifier's values, as its scale counts them.
    sensitive : sequence of ndarray of int64 of shape (n_records,)
        The values of each column that a constraint is about.
    times : ndarray of int64 of shape (n_records,), optional
        For how many records each stands; None for one.
    """

    codes: Sequence[np.ndarray]
    sensitive: Sequence[np.ndarray] = ()
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.codes[0])

    def taken(self, rows: np.ndarray) -> "Records":
        """Return some of the records, by their positions or a mask."""
        times = None if self.times is None else self.times[rows]
        return Records([code[rows] for code in self.codes], [code[rows] for code in self.sensitive], times)

    def distinct(self, sizes: Sequence[int]) -> tuple["Records", np.ndarray]:
        """Return one record for all that are alike, and where each is among these; `sizes` are those of all codes."""
        numbers, bound = np.zeros(len(self), dtype=np.int32), 1
        for code, size in zip([*self.codes, *self.sensitive], sizes, strict=True):
            numbers, bound = _levels.pair(numbers, bound, code, size)
        if len(self):
            numbers, bound = _levels.compress(numbers, bound, ordered=False)
        some = np.zeros(bound if len(self) else 0, dtype=np.int64)
        some[numbers] = np.arange(len(self))  # any of those that are alike
        return replace(self.taken(some), times=tally(numbers, len(some), self.times)), numbers


@dataclass(frozen=True, repr=False)
class Recoding:
    """How a table is to be cut.

    Parameters
    ----------
    scales : sequence of RangeScale, SetScale or TreeScale
        What the codes of each quasi-identifier mean.
    weights : sequence of float
        How much each quasi-identifier's information counts.
    k : int
        The fewest records of a class.
    constraints : sequence of callable, default=()
        One for each of the records' sensitive columns: called with the runs of its values, it says which parts may be.
    relaxed : bool, default=False
        Whether records of one value may go to both sides where no other cut is left. Each stands for one then.
    """

    scales: Sequence
    weights: Sequence[float]
    k: int
    constraints: Sequence[Callable[[Runs], np.ndarray]] = ()
    relaxed: bool = False

    @property
    def sizes(self) -> list[int]:
        """How many codes each quasi-identifier and each sensitive column has."""
        return [one.size for one in (*self.scales, *self.constraints)]

    def allows(self, records: Records, rows: np.ndarray | slice, part: np.ndarray, n_parts: int) -> np.ndarray:
        """Return which parts may be; `part` is that of each of `rows`, and each part must have some."""
        fine = np.ones(n_parts, dtype=bool)
        times = None if records.times is None else records.times[rows]
        for codes, constraint in zip(records.sensitive, self.constraints, strict=True):
            fine &= constraint(runs_of(part, codes[rows], n_parts, constraint.size, times))
        return fine

    def allows_both(
        self, records: Records, rows: np.ndarray | slice, part: np.ndarray, left: np.ndarray, n_parts: int
    ) -> np.ndarray:
        """Return which parts have two sides that both may be."""
        return self.allows(records, rows, 2 * part + ~left, 2 * n_parts).reshape(-1, 2).all(axis=1)


@dataclass(frozen=True, repr=False)
class Parts:
    """The parts of a table that are still to be cut.

    Parameters
    ----------
    rows : ndarray of int64 of shape (n_left,)
        The records in them, as the table counts them.
    part : ndarray of int64 of shape (n_left,)
        The part of each.
    nodes : ndarray of int64 of shape (n_parts,)
        The node of the tree that each part is.
    records : Records of shape (n_left,)
        The values of each.
    """

    rows: np.ndarray
    part: np.ndarray
    nodes: np.ndarray
    records: Records

    @property
    def sizes(self) -> np.ndarray:
        """How many records each part has."""
        return tally(self.part, len(self.nodes), self.records.times)

    def only(self, wanted: np.ndarray) -> tuple["Parts", np.ndarray]:
        """Return the wanted parts, and which records are theirs."""
        here = wanted[self.part]
        part = (np.cumsum(wanted) - 1)[self.part[here]]
        return Parts(self.rows[here], part, self.nodes[wanted], self.records.taken(here)), here


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
    relaxed : ndarray of bool of shape (n_nodes,)
        Where one value went to both sides.
    """

    attribute: np.ndarray
    children: np.ndarray
    highest: np.ndarray
    left: list[np.ndarray]
    relaxed: np.ndarray


class Growth:
    """A tree that grows by one depth at a time; or several, whose roots are the first nodes."""

    def __init__(self, n_attributes: int, n_roots: int = 1):
        self.attribute, self.children = np.full(n_roots, -1), np.zeros((n_roots, 2), dtype=np.int64)
        self.highest, self.relaxed = np.zeros(n_roots, dtype=np.int64), np.zeros(n_roots, dtype=bool)
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
        self.relaxed = np.append(self.relaxed, np.zeros(len(new), dtype=bool))
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
        return Tree(self.attribute, self.children, self.highest, left, self.relaxed)


def partition(
    records: Records, recoding: Recoding, begun: np.ndarray | None = None, n_begun: int = 1
) -> tuple[np.ndarray, Tree]:
    """Return the equivalence class of each record, and the tree that leads there.

    Parameters
    ----------
    records : Records of shape (n_records,)
        What is to be cut.
    recoding : Recoding
        How to cut.
    begun : ndarray of int64 of shape (n_records,), optional
        The part that each record is in already; each has a tree then. By default all are in one.
    n_begun : int, default=1
        How many such parts there are; each must have records.
    """
    growth, n_rows = Growth(len(records.codes), n_begun), len(records)
    classes = np.empty(n_rows, dtype=np.int64)
    begun = np.zeros(n_rows, dtype=np.int64) if begun is None else begun
    parts = Parts(np.arange(n_rows), begun, np.arange(n_begun), records)
    while len(parts.rows):
        cut_by, left = _strict_cuts(parts, recoding, growth)
        if recoding.relaxed and (cut_by < 0).any():
            _add_relaxed_cuts(parts, recoding, growth, cut_by, left)
        parts, kept = _settled(growth, classes, parts, cut_by < 0)
        children = growth.split(parts.nodes, cut_by[cut_by >= 0])
        parts = Parts(parts.rows, 2 * parts.part + ~left[kept], children, parts.records)
        parts, _ = _settled(growth, classes, parts, parts.sizes < 2 * recoding.k)
    return classes, growth.tree()


def _settled(growth: Growth, classes: np.ndarray, parts: Parts, done: np.ndarray) -> tuple[Parts, np.ndarray]:
    """Make the parts that are `done` into classes; return the others, and which records are theirs."""
    numbers = np.full(len(done), -1)
    numbers[done] = growth.close(parts.nodes[done])
    out = done[parts.part]
    classes[parts.rows[out]] = numbers[parts.part[out]]
    return parts.only(~done)


def _strict_cuts(parts: Parts, recoding: Recoding, growth: Growth) -> tuple[np.ndarray, np.ndarray]:
    """Return which quasi-identifier each part is cut by (-1: none), and which records go to the left."""
    n_parts = len(parts.nodes)
    best, cut_by, found = np.zeros(n_parts), np.full(n_parts, -1), []
    for number, (code, scale) in enumerate(zip(parts.records.codes, recoding.scales, strict=True)):
        runs = runs_of(parts.part, code, n_parts, scale.size, parts.records.times)
        cut = scale.cut(runs, recoding.k)
        gain = cut.gain * recoding.weights[number]
        if recoding.constraints:
            gain = np.where(_both_allowed(parts, code, scale.size, runs, cut, recoding), gain, -np.inf)
        _keep_better(gain, number, best, cut_by)
        found.append((runs, cut.left))
    left = np.zeros(len(parts.rows), dtype=bool)
    for number, (runs, chosen) in enumerate(found):
        here = np.flatnonzero((cut_by == number)[parts.part])
        if len(here):
            scale = recoding.scales[number]
            left[here] = at(runs, chosen, parts.part[here], parts.records.codes[number][here], scale.size)
            taken = chosen & (cut_by == number)[runs.part]
            growth.remember(number, scale, parts.nodes[runs.part[taken]], runs.code[taken])
    return cut_by, left


def _keep_better(gain: np.ndarray, number: int, best: np.ndarray, cut_by: np.ndarray) -> None:
    """Let a quasi-identifier cut the parts where it gains more than the best before; changes `best` and `cut_by`."""
    better = gain > best * (1 + 1e-9)
    best[better], cut_by[better] = gain[better], number


def best_cuts(gains: Sequence[np.ndarray]) -> np.ndarray:
    """Return which quasi-identifier each part is cut by (-1: none), by what is gained along each."""
    best, cut_by = np.zeros(len(gains[0])), np.full(len(gains[0]), -1)
    for number, gain in enumerate(gains):
        _keep_better(gain, number, best, cut_by)
    return cut_by


def _both_allowed(parts: Parts, code: np.ndarray, size: int, runs: Runs, cut: Cut, recoding: Recoding) -> np.ndarray:
    """Return which parts may be cut so: those whose both sides are allowed."""
    fine, cuttable = np.zeros(len(parts.nodes), dtype=bool), np.isfinite(cut.gain)
    here = np.flatnonzero(cuttable[parts.part])
    if len(here):
        left = at(runs, cut.left, parts.part[here], code[here], size)
        own = (np.cumsum(cuttable) - 1)[parts.part[here]]
        fine[cuttable] = recoding.allows_both(parts.records, here, own, left, int(cuttable.sum()))
    return fine


def _add_relaxed_cuts(parts: Parts, recoding: Recoding, growth: Growth, cut_by: np.ndarray, left: np.ndarray) -> None:
    """Cut the parts without a strict cut through a value where that saves something; changes `cut_by` and `left`."""
    wanted = (cut_by < 0) & (parts.sizes >= 2 * recoding.k)
    if not wanted.any():
        return
    parts, here = parts.only(wanted)
    best, chosen = np.full(len(parts.nodes), 1e-9), np.full(len(parts.nodes), -1)
    sides = np.zeros(len(parts.rows), dtype=bool)
    for number, (code, scale) in enumerate(zip(parts.records.codes, recoding.scales, strict=True)):
        runs = runs_of(parts.part, code, len(parts.nodes), scale.size)
        division = scale.divide(runs, recoding.k)
        gain = division.gain * recoding.weights[number]
        better = gain > best * (1 + 1e-9)
        if better.any():
            some, inside = parts.only(better)
            rank = at(runs, division.rank, parts.part[inside], code[inside], scale.size)
            first = _first_records(some, division.left[better], rank)
            if recoding.constraints:
                fine = recoding.allows_both(some.records, slice(None), some.part, first, len(some.nodes))
                better[better], inside[inside], first = fine, fine[some.part], first[fine[some.part]]
            best[better], chosen[better], sides[inside] = gain[better], number, first
    cut_by[wanted], left[here] = chosen, sides
    growth.relaxed[parts.nodes[chosen >= 0]] = True


def _first_records(parts: Parts, n_left: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Return which records are the first of their part, by a rank and then by all quasi-identifiers."""
    order = np.lexsort((*parts.records.codes[::-1], rank, parts.part))
    starts = np.searchsorted(parts.part[order], np.arange(len(n_left)))
    first = np.empty(len(order), dtype=bool)
    first[order] = np.arange(len(order)) - starts[parts.part[order]] < n_left[parts.part[order]]
    return first


def find(tree: Tree, codes: Sequence[np.ndarray], sizes: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of a record and a class that it falls into, several where a value went to both sides.

    Parameters
    ----------
    tree : Tree
        What `partition` returned.
    codes : sequence of ndarray of int64 of shape (n_rows,)
        Each quasi-identifier's values; -1 was not seen.
    sizes : sequence of int or None
        How many codes each has; None where it is cut by ranges.
    """
    rows, node = np.arange(len(codes[0])), np.zeros(len(codes[0]), dtype=np.int64)
    found = []
    while len(rows):
        cut_by = tree.attribute[node]
        ended = cut_by < 0
        found.append((rows[ended], tree.children[node[ended], 0]))
        rows, node, cut_by = rows[~ended], node[~ended], cut_by[~ended]
        both, left = tree.relaxed[node], np.zeros(len(rows), dtype=bool)
        for number, (code, size) in enumerate(zip(codes, sizes, strict=True)):
            here = np.flatnonzero((cut_by == number) & ~both)
            left[here] = goes_left(tree.highest, tree.left[number], size, node[here], code[rows[here]])
        rows = np.concatenate([rows, rows[both]])
        node = np.concatenate([tree.children[node, np.where(left | both, 0, 1)], tree.children[node[both], 1]])
    empty = np.empty(0, dtype=np.int64)
    return np.concatenate([empty, *(one for one, _ in found)]), np.concatenate([empty, *(one for _, one in found)])


def goes_left(highest: np.ndarray, keys: np.ndarray, size, nodes: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return which codes go to the left at their nodes: up to the highest where there is no `size`, else by `keys`."""
    if size is None:
        return codes <= highest[nodes]
    wanted = nodes * size + codes
    if not len(keys):
        return np.zeros(len(nodes), dtype=bool)
    return (keys[np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)] == wanted) & (codes >= 0)
