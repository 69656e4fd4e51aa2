"""Mondrian for a table in pieces that lie apart: coarse classes are cut first, by counts; then each in one place.

The best cut of a part depends on nothing but how many of its records hold each value of each quasi-identifier, and
whether both sides may be on how many hold each sensitive value: counts that add up over pieces. So the top of the tree
is cut from sums, depth by depth, until each part, a coarse class, is small enough to be brought together. What comes
out is the tree, the classes and the labels that `partition` and `outlying_records` would make of the whole table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from skdp._constraints import Numbering
from skdp._generalisation import Gist, joined_gists
from skdp._mondrian import Growth, Recoding, Records, Tree, best_cuts, find, goes_left, partition
from skdp._scales import RangeScale, Runs, counted, runs_of, tally
from skdp._suppression import Ends, best_ends

RECORDS_TOGETHER = 1 << 18  # distinct ones, that may be brought to one place whatever their share of the table
MOST_BUNDLES = 64  # of coarse classes: from each piece something goes to each


@dataclass(frozen=True)
class Coding:
    """What codes mean in all pieces of a table, and how it is to be cut.

    Parameters
    ----------
    columns : list of Ranges, Means, Sets or Nodes
        The quasi-identifiers.
    sensitive : list of Numbering
        The columns that constraints are about.
    recoding : Recoding
        How to cut; strictly.
    """

    columns: list
    sensitive: list[Numbering]
    recoding: Recoding

    def records(self, frame: Any) -> Records:
        """Return the distinct records of one piece."""
        codes = [self._small(column.codes(frame), column) for column in self.columns]
        records = Records(codes, [column.codes(frame) for column in self.sensitive])
        return records.distinct(self.recoding.sizes)[0]

    def places(self, records: Records, tree: Tree) -> np.ndarray:
        """Return the number of the leaf that each record comes to."""
        rows, numbers = find(tree, records.codes, [column.size for column in self.columns])
        places = np.empty(len(records), dtype=np.int64)
        places[rows] = numbers
        return places

    def gists(self, records: Records, classes: np.ndarray, n_classes: int) -> list[Gist]:
        """Return what the labels of the records' classes are made of, by column."""
        return [
            column.gist(runs_of(classes, code, n_classes, column.scale.size, records.times))
            for column, code in zip(self.columns, records.codes, strict=True)
        ]

    def _small(self, codes: np.ndarray, column: Any) -> np.ndarray:
        if len(codes) and codes.min() < 0:
            raise ValueError(
                f"Column {column.column!r} holds objects that are spelled in one way here and in another in other "
                "parts of the table; convert it to text or numbers first."
            )
        return codes.astype(np.min_scalar_type(-column.scale.size))


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


@dataclass(frozen=True)
class Classes:
    """The equivalence classes of a table.

    Parameters
    ----------
    tree : Tree
        What leads there.
    sizes : ndarray of int64 of shape (n_classes,)
        How many records each has, masked ones left out.
    gists : list of Gist
        By quasi-identifier, what their labels are made of.
    n_suppressed : int
        How many records are masked.
    """

    tree: Tree
    sizes: np.ndarray
    gists: list[Gist]
    n_suppressed: int


def classes_of(pieces: Pieces, coding: Coding, budget: int = 0) -> Classes:
    """Return the equivalence classes of a table in pieces; at most `budget` records are masked."""
    growth, coarse, held = _coarse_classes(pieces, coding)
    bundle = np.cumsum(held) - held
    bundle = np.unique(bundle // _most_together(pieces), return_inverse=True)[1]
    first = np.searchsorted(bundle, np.arange(bundle[-1] + 1))
    gather = _cut_and_thinned if budget >= coding.recoding.k else _cut
    fragments = pieces.regrouped(_shares, len(first), gather, _leading_to(growth, coarse), bundle, first)
    tree, numbers = _grafted(growth.tree(), np.split(coarse, first[1:]), fragments, coding.recoding)
    if gather is _cut:
        return Classes(tree, *_together(fragments, numbers, np.zeros(len(numbers), dtype=bool)), 0)
    ends = _ends(fragments, numbers)
    masked = _masked(ends, fragments, numbers, budget, coding.recoding)
    sizes, gists = _together(fragments, numbers, masked)
    masked_of = np.where(masked, ends.count, 0)
    return Classes(tree, sizes - masked_of, gists, int(masked_of.sum()))


# The top of the tree


@dataclass(frozen=True)
class Tally:
    """How many records each number stands for.

    Parameters
    ----------
    numbers : ndarray of int64 of shape (n_numbers,)
        Ascending.
    times : ndarray of int64 of shape (n_numbers,)
        How many records each stands for.
    bound : int
        What numbers are below.
    """

    numbers: np.ndarray
    times: np.ndarray
    bound: int

    @classmethod
    def of(cls, numbers: np.ndarray, times: np.ndarray | None, bound: int) -> "Tally":
        """Count numbers, each of which stands for `times` records."""
        return cls(*counted(numbers, bound, times), bound)

    def merged(self, other: "Tally") -> "Tally":
        """Return the sums of both."""
        numbers = np.concatenate([self.numbers, other.numbers])
        return Tally.of(numbers, np.concatenate([self.times, other.times]), self.bound)

    def runs(self, n_parts: int) -> Runs:
        """Return numbers that are parts and codes as such."""
        part, code = np.divmod(self.numbers, self.bound // n_parts)
        return Runs(part, code, self.times, np.searchsorted(part, np.arange(n_parts)))


def added(one: list[Tally], other: list[Tally]) -> list[Tally]:
    """Return the sums of two lists of tallies."""
    return [first.merged(second) for first, second in zip(one, other, strict=True)]


@dataclass(frozen=True)
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


def _most_together(pieces: Pieces) -> int:
    """Return how many records may be brought to one place."""
    return max(RECORDS_TOGETHER, -(-pieces.n_records // MOST_BUNDLES))


def _coarse_classes(pieces: Pieces, coding: Coding) -> tuple[Growth, np.ndarray, np.ndarray]:
    """Return the top of the tree, the nodes that are coarse classes, and how many distinct records pieces hold of each.

    A part that cannot be cut is a coarse class, too, however large it is.
    """
    growth, most = Growth(len(coding.columns)), _most_together(pieces)
    nodes, done, sizes = np.zeros(1, dtype=np.int64), [], []
    if pieces.n_records <= most:
        return growth, nodes, np.array([pieces.n_records])
    while len(nodes):
        tree = _leading_to(growth, nodes)
        proposals, held = pieces.summed(_values, _proposed, tree, len(nodes))
        gains = [np.where(held > most, one.gain, -np.inf) for one in proposals]
        if coding.sensitive:
            finite = [np.isfinite(gain) for gain in gains]
            fine = pieces.summed(_sides, _both_fine, tree, proposals, finite)
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


def _sides(records: Records, coding: Coding, tree: Tree, proposals: list, finite: list) -> list[Tally]:
    """Count the sensitive values on both sides of each proposed cut, parts that have one being numbered anew."""
    part, tallies = coding.places(records, tree), []
    for column, code, proposal, wanted in zip(coding.columns, records.codes, proposals, finite, strict=True):
        here = np.flatnonzero((part >= 0) & wanted[part])
        left = goes_left(proposal.highest, proposal.keys, column.size, part[here], code[here])
        side = 2 * (np.cumsum(wanted) - 1)[part[here]] + ~left
        for own, constraint in zip(records.sensitive, coding.recoding.constraints, strict=True):
            bound = 2 * int(wanted.sum()) * constraint.size
            tallies.append(Tally.of(side * np.int64(constraint.size) + own[here], records.times[here], bound))
    return tallies


def _both_fine(tallies: list[Tally], coding: Coding, tree: Tree, proposals: list, finite: list) -> list[np.ndarray]:
    """Return, for each quasi-identifier, of which parts both sides of the proposed cut may be."""
    constraints, fine = coding.recoding.constraints, [wanted.copy() for wanted in finite]
    for position, one in enumerate(tallies):
        own, constraint = fine[position // len(constraints)], constraints[position % len(constraints)]
        wanted = finite[position // len(constraints)]
        if wanted.any():
            own[wanted] &= constraint(one.runs(2 * int(wanted.sum()))).reshape(-1, 2).all(axis=1)
    return fine


# Coarse classes, each in one place


@dataclass(frozen=True)
class Thinned:
    """What there would be of classes without their best ends.

    Parameters
    ----------
    ends : Ends
        What may be masked.
    gists : list of Gist
        What labels would be made of, by quasi-identifier.
    fine : ndarray of bool of shape (n_classes,)
        Whether what is left may be a class.
    held : list of Tally
        By constraint, the sensitive values at the ends: class * size + code.
    """

    ends: Ends
    gists: list[Gist]
    fine: np.ndarray
    held: list[Tally]


@dataclass(frozen=True)
class Fragment:
    """The classes of a bundle of coarse classes.

    Parameters
    ----------
    tree : Tree
        What leads there; the first nodes are the coarse classes.
    sizes : ndarray of int64 of shape (n_classes,)
        How many records each has.
    gists : list of Gist
        What their labels are made of, by quasi-identifier.
    thinned : Thinned, optional
        The same without the records that may be masked.
    """

    tree: Tree
    sizes: np.ndarray
    gists: list[Gist]
    thinned: Thinned | None = None


def _shares(
    records: Records, coding: Coding, tree: Tree, bundle: np.ndarray, first: np.ndarray
) -> list[tuple[Records, np.ndarray]]:
    """Return what a piece holds of each bundle, and which of its coarse classes each record is in."""
    coarse = coding.places(records, tree)
    order = np.argsort(bundle[coarse], kind="stable")
    cuts = np.searchsorted(bundle[coarse[order]], np.arange(1, len(first)))
    return [(records.taken(rows), coarse[rows] - low) for rows, low in zip(np.split(order, cuts), first, strict=True)]


def _cut(shares: Sequence[tuple[Records, np.ndarray]], coding: Coding) -> Fragment:
    """Return the classes of a bundle."""
    return _fragment(*_brought_together(shares, coding), coding)[0]


def _cut_and_thinned(shares: Sequence[tuple[Records, np.ndarray]], coding: Coding) -> Fragment:
    """Return the classes of a bundle, with and without the records that may be masked."""
    records, begun = _brought_together(shares, coding)
    fragment, classes = _fragment(records, begun, coding)
    recoding, n_classes = coding.recoding, len(fragment.sizes)
    ends = best_ends(records, recoding, classes)
    held = ends.held(records, recoding, classes, ends.number >= 0)
    kept, gone = records.taken(~held), records.taken(held)
    tallies = [
        Tally.of(classes[held] * np.int64(one.size) + own, gone.times, n_classes * one.size)
        for own, one in zip(gone.sensitive, recoding.constraints, strict=True)
    ]
    fine = recoding.allows(kept, slice(None), classes[~held], n_classes)
    gists = coding.gists(kept, classes[~held], n_classes)
    return replace(fragment, thinned=Thinned(ends, gists, fine, tallies))


def _brought_together(shares: Sequence[tuple[Records, np.ndarray]], coding: Coding) -> tuple[Records, np.ndarray]:
    """Return the distinct records of a bundle, and which of its coarse classes each is in."""
    begun = np.concatenate([one for _, one in shares])
    codes, sensitive = (
        [np.concatenate(own) for own in zip(*(getattr(records, name) for records, _ in shares), strict=True)]
        for name in ("codes", "sensitive")
    )
    records = Records([begun, *codes], sensitive, np.concatenate([records.times for records, _ in shares]))
    records, _ = records.distinct([int(begun.max()) + 1, *coding.recoding.sizes])
    return replace(records, codes=records.codes[1:]), records.codes[0]


def _fragment(records: Records, begun: np.ndarray, coding: Coding) -> tuple[Fragment, np.ndarray]:
    classes, tree = partition(records, coding.recoding, begun, int(begun.max()) + 1)
    sizes = tally(classes, 0, records.times)
    return Fragment(tree, sizes, coding.gists(records, classes, len(sizes))), classes


# All classes


def _grafted(
    top: Tree, roots: Sequence[np.ndarray], fragments: Sequence[Fragment], recoding: Recoding
) -> tuple[Tree, np.ndarray]:
    """Return the whole tree, nodes and classes numbered as `partition` does, and the new numbers of all classes."""
    trees = [top, *(one.tree for one in fragments)]
    first = np.cumsum([0, *(len(tree.attribute) for tree in trees)])
    first_class = np.cumsum([0, 0, *(len(one.sizes) for one in fragments)])
    attribute, highest = (np.concatenate([getattr(tree, name) for tree in trees]) for name in ("attribute", "highest"))
    children = np.concatenate([
        tree.children + np.where(tree.attribute < 0, own, low)[:, None]
        for tree, low, own in zip(trees, first[:-1], first_class[:-1], strict=True)
    ])  # fmt: skip
    instead = np.arange(len(attribute))
    for nodes, low in zip(roots, first[1:-1], strict=True):
        instead[nodes] = low + np.arange(len(nodes))
    children = np.where(attribute[:, None] < 0, children, instead[children])
    left = [
        np.concatenate([tree.left[number] + low * scale.size for tree, low in zip(trees, first[:-1], strict=True)])
        for number, scale in enumerate(recoding.scales)
    ]
    tree = Tree(attribute, children, highest, left, np.zeros(len(attribute), dtype=bool))
    sizes = np.concatenate([one.sizes for one in fragments])
    return _numbered(tree, int(instead[0]), sizes >= 2 * recoding.k, recoding)


def _numbered(tree: Tree, root: int, is_large: np.ndarray, recoding: Recoding) -> tuple[Tree, np.ndarray]:
    """Return the tree with its nodes depth by depth, and the classes' numbers by depth, small ones first."""
    levels = [np.array([root])]
    while len(levels[-1]):
        inner = levels[-1][tree.attribute[levels[-1]] >= 0]
        levels.append(tree.children[inner].ravel())
    order, depth = np.concatenate(levels), np.repeat(np.arange(len(levels)), [len(level) for level in levels])
    new = np.full(len(tree.attribute), -1)
    new[order] = np.arange(len(order))
    attribute, children = tree.attribute[order], tree.children[order]
    ended = attribute < 0
    classes = children[ended, 0]
    numbers = np.empty(len(classes), dtype=np.int64)
    numbers[classes[np.lexsort((is_large[classes], depth[ended]))]] = np.arange(len(classes))
    children = np.where(ended[:, None], numbers[np.where(ended[:, None], children, 0)], new[children])
    left = []
    for keys, scale in zip(tree.left, recoding.scales, strict=True):
        node, code = np.divmod(keys, scale.size)
        left.append(np.sort(new[node] * scale.size + code))
    return Tree(attribute, children, tree.highest[order], left, np.zeros(len(order), dtype=bool)), numbers


def _split(numbers: np.ndarray, fragments: Sequence[Fragment]) -> list[np.ndarray]:
    """Return what is told of all classes, by fragment."""
    return np.split(numbers, np.cumsum([len(one.sizes) for one in fragments])[:-1])


def _together(fragments: Sequence[Fragment], numbers: np.ndarray, masked: np.ndarray) -> tuple[np.ndarray, list[Gist]]:
    """Return the sizes of all classes, masked records included, and the gists of them without these."""
    sizes = np.empty(len(numbers), dtype=np.int64)
    sizes[numbers] = np.concatenate([one.sizes for one in fragments])
    whole, thinned = (np.where(masked[numbers] == which, numbers, -1) for which in (False, True))
    called, sources = _split(whole, fragments), list(fragments)
    if masked.any():
        called, sources = called + _split(thinned, fragments), sources + [one.thinned for one in fragments]
    gists = [joined_gists(own, called) for own in zip(*(one.gists for one in sources), strict=True)]
    return sizes, gists


def _ends(fragments: Sequence[Fragment], numbers: np.ndarray) -> Ends:
    """Return the best ends of all classes."""
    order = np.argsort(numbers)
    ends = [one.thinned.ends for one in fragments]
    names = ("saved", "count", "number", "end")
    return Ends(*(np.concatenate([getattr(one, name) for one in ends])[order] for name in names))


def _masked(
    ends: Ends, fragments: Sequence[Fragment], numbers: np.ndarray, budget: int, recoding: Recoding
) -> np.ndarray:
    """Return of which classes the ends are masked, as `outlying_records` chooses them."""
    chosen = ends.within(budget)
    chosen &= np.concatenate([one.thinned.fine for one in fragments])[np.argsort(numbers)]
    masked = _split(chosen[numbers], fragments)
    for position, constraint in enumerate(recoding.constraints):
        codes, times = [], []
        for one, own in zip(fragments, masked, strict=True):
            part, code = np.divmod(one.thinned.held[position].numbers, constraint.size)
            codes.append(code[own[part]])
            times.append(one.thinned.held[position].times[own[part]])
        code = np.concatenate(codes)
        if len(code):
            runs = runs_of(np.zeros(len(code), dtype=np.int64), code, 1, constraint.size, np.concatenate(times))
            chosen = chosen & constraint(runs)[0]
    return chosen if ends.count[chosen].sum() >= recoding.k else np.zeros(len(chosen), dtype=bool)
