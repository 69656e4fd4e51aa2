"""Mondrian for a table in pieces that lie apart: coarse classes are cut first, by counts; then each in one place.

The best cut of a part depends on nothing but how many of its records hold each value of each quasi-identifier, and
whether both sides may be on how many hold each sensitive value: counts that add up over pieces. So the top of the tree
is cut from sums, depth by depth, until each part, a coarse class, is small enough to be brought together. What comes
out is the tree, the classes and the labels that `partition` and `outlying_records` would make of the whole table.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from skdp._coding import Coding, Tally
from skdp._fragments import Classes, Fragment, cut_and_thin, cut_bundle, joined, shares
from skdp._mondrian import Growth, Records, Tree, best_cuts, goes_left
from skdp._scales import RangeScale

RECORDS_TOGETHER = 1 << 18  # distinct ones, that may be brought to one place whatever their share of the table
MOST_BUNDLES = 64  # of coarse classes: from each piece something goes to each


class Pieces(Protocol):
    """The records of a table, in several places.

    What is called gets the coding behind its first argument, and in front of `more`.
    """

    n_records: int

    def summed(self, count: Callable, finish: Callable, *more: Any) -> Any:
        """Return what `finish` makes of the sums of all tallies that `count` makes of the records of each piece."""

    def regrouped(self, split: Callable, n_groups: int, gather: Callable, *more: Any) -> list:
        """Return what `gather` makes of each group: the shares of it that `split` makes of the records of each piece.

        `gather` gets the shares and the coding alone.
        """


def classes_of(pieces: Pieces, coding: Coding, budget: int = 0) -> Classes:
    """Return the equivalence classes of a table in pieces; at most `budget` records are masked."""
    most = max(RECORDS_TOGETHER, -(-pieces.n_records // MOST_BUNDLES))
    masks = budget >= coding.recoding.k
    growth, coarse, held = _coarse_classes(pieces, coding, most)
    # of a class that could not be cut no more is needed than counts, unless some of its records may be masked
    apart = (held > most) & (not masks)
    roots, fragments = [], []
    if apart.any():
        roots.append(coarse[apart])
        fragments.append(pieces.summed(_values, _uncut, _leading_to(growth, coarse[apart]), int(apart.sum())))
    if not apart.all():
        coarse, held = coarse[~apart], held[~apart]
        bundle = np.unique((np.cumsum(held) - held) // most, return_inverse=True)[1]
        first = np.searchsorted(bundle, np.arange(bundle[-1] + 1))
        roots += np.split(coarse, first[1:])
        fragments += pieces.regrouped(
            shares, len(first), cut_and_thin if masks else cut_bundle, _leading_to(growth, coarse), bundle, first
        )
    return joined(growth.tree(), roots, fragments, coding.recoding, budget)


@dataclass(frozen=True, repr=False)
class Proposal:
    """The best cut of each part along one quasi-identifier.

    Parameters
    ----------
    gain : ndarray of float64 of shape (n_parts,)
        What is saved by it, weighted; -inf where there is none.
    highest : ndarray of int64 of shape (n_parts,)
        For a range, the highest code that goes to the left.
    keys : ndarray of int64
        Otherwise, sorted, part * size + code for each value that goes to the left.
    """

    gain: np.ndarray
    highest: np.ndarray
    keys: np.ndarray


def _coarse_classes(pieces: Pieces, coding: Coding, most: int) -> tuple[Growth, np.ndarray, np.ndarray]:
    """Return the top of the tree, the nodes that are coarse classes, and how many distinct records pieces hold of each.

    A part of more than `most` is none, unless it cannot be cut.
    """
    growth = Growth(len(coding.columns))
    nodes, done, sizes = np.zeros(1, dtype=np.int64), [], []
    if pieces.n_records <= most:
        return growth, nodes, np.array([pieces.n_records])
    while len(nodes):
        tree = _leading_to(growth, nodes)
        proposals, held = pieces.summed(_values, _proposed, tree, len(nodes))
        gains = [np.where(held > most, one.gain, -np.inf) for one in proposals]
        wanted = [gain > 0 for gain in gains]
        if coding.sensitive and np.any(wanted):
            fine = pieces.summed(_sides, _both_fine, tree, proposals, wanted)
            gains = [np.where(own, gain, -np.inf) for own, gain in zip(fine, gains, strict=True)]
        cut_by = best_cuts(gains)
        done.append(nodes[cut_by < 0])
        sizes.append(held[cut_by < 0])
        nodes = _cut_top(growth, coding, nodes, cut_by, proposals)
    return growth, np.concatenate(done), np.concatenate(sizes)


def _cut_top(growth: Growth, coding: Coding, nodes: np.ndarray, cut_by: np.ndarray, proposals: list) -> np.ndarray:
    """Cut nodes as was proposed, and return the new ones."""
    for number, (proposal, scale) in enumerate(zip(proposals, coding.recoding.scales, strict=True)):
        chosen = cut_by == number
        if isinstance(scale, RangeScale):
            growth.remember(number, scale, nodes[chosen], proposal.highest[chosen])
        else:
            part, code = np.divmod(proposal.keys, scale.size)
            growth.remember(number, scale, nodes[part[chosen[part]]], code[chosen[part]])
    return growth.split(nodes[cut_by >= 0], cut_by[cut_by >= 0])


def _leading_to(growth: Growth, nodes: np.ndarray) -> Tree:
    """Return the tree as it is, in which some leaves have numbers, the others -1."""
    tree = growth.tree()
    children = np.where(tree.attribute[:, None] < 0, -1, tree.children)
    children[nodes] = np.arange(len(nodes))[:, None]
    return replace(tree, children=children)


def _values(records: Records, coding: Coding, tree: Tree, n_parts: int) -> list[Tally]:
    """Count the values of each quasi-identifier in each part; and the records as they are held here."""
    part = coding.places(records, tree)
    inside = part >= 0
    part, times = part[inside], records.times[inside]
    tallies = [
        Tally.of(part * np.int64(scale.size) + code[inside], times, n_parts * scale.size)
        for code, scale in zip(records.codes, coding.recoding.scales, strict=True)
    ]
    return [*tallies, Tally.of(part, None, n_parts)]


def _proposed(tallies: list[Tally], coding: Coding, tree: Tree, n_parts: int) -> tuple[list[Proposal], np.ndarray]:
    """Return the best cuts along each quasi-identifier, and how many records pieces hold of each part."""
    recoding, proposals = coding.recoding, []
    for one, scale, weight in zip(tallies[:-1], recoding.scales, recoding.weights, strict=True):
        runs = one.runs(n_parts)
        cut = scale.cut(runs, recoding.k)
        left = cut.left & np.isfinite(cut.gain)[runs.part]
        highest, keys = np.zeros(n_parts, dtype=np.int64), np.empty(0, dtype=np.int64)
        if isinstance(scale, RangeScale):
            np.maximum.at(highest, runs.part[left], runs.code[left])
        else:
            keys = one.numbers[left]
        proposals.append(Proposal(cut.gain * weight, highest, keys))
    return proposals, tallies[-1].times


def _sides(records: Records, coding: Coding, tree: Tree, proposals: list, wanted: list) -> list[Tally]:
    """Count the sensitive values on both sides of each cut that is wanted, the parts with one being numbered anew."""
    part, tallies = coding.places(records, tree), []
    for column, code, proposal, cut in zip(coding.columns, records.codes, proposals, wanted, strict=True):
        here = np.flatnonzero((part >= 0) & cut[part])
        left = goes_left(proposal.highest, proposal.keys, column.size, part[here], code[here])
        side = 2 * (np.cumsum(cut) - 1)[part[here]] + ~left
        for own, constraint in zip(records.sensitive, coding.recoding.constraints, strict=True):
            bound = 2 * int(cut.sum()) * constraint.size
            tallies.append(Tally.of(side * np.int64(constraint.size) + own[here], records.times[here], bound))
    return tallies


def _both_fine(tallies: list[Tally], coding: Coding, tree: Tree, proposals: list, wanted: list) -> list[np.ndarray]:
    """Return, for each quasi-identifier, in which parts both sides of the cut that is wanted may be."""
    fine, left = [cut.copy() for cut in wanted], iter(tallies)
    for own, cut in zip(fine, wanted, strict=True):
        for constraint in coding.recoding.constraints:
            sides = next(left)
            if cut.any():
                own[cut] &= constraint(sides.runs(2 * int(cut.sum()))).reshape(-1, 2).all(axis=1)
    return fine


def _uncut(tallies: list[Tally], coding: Coding, tree: Tree, n_parts: int) -> Fragment:
    """Return parts as classes."""
    runs = [one.runs(n_parts) for one in tallies[:-1]]
    nodes, none = np.arange(n_parts), np.empty(0, dtype=np.int64)
    children, relaxed = np.column_stack([nodes, nodes]), np.zeros(n_parts, dtype=bool)
    leaves = Tree(np.full(n_parts, -1), children, np.zeros(n_parts, dtype=np.int64), [none] * len(runs), relaxed)
    gists = [column.gist(own) for column, own in zip(coding.columns, runs, strict=True)]
    return Fragment(leaves, runs[0].totals, gists)
