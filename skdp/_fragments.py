"""The classes of some coarse classes, made in one place; and those of all places put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skdp._coding import Coding, Tally
from skdp._generalisation import Gist, joined_gists
from skdp._mondrian import Recoding, Records, Tree, partition
from skdp._scales import runs_of, tally
from skdp._suppression import Ends, best_ends


@dataclass(frozen=True, repr=False)
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


@dataclass(frozen=True, repr=False)
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


@dataclass(frozen=True, repr=False)
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


def shares(
    records: Records, coding: Coding, tree: Tree, bundle: np.ndarray, first: np.ndarray
) -> list[tuple[Records, np.ndarray]]:
    """Return what a piece holds of each bundle, and which of its coarse classes each record is in."""
    coarse = coding.places(records, tree)
    inside = np.flatnonzero(coarse >= 0)
    order = inside[np.argsort(bundle[coarse[inside]], kind="stable")]
    cuts = np.searchsorted(bundle[coarse[order]], np.arange(1, len(first)))
    return [(records.taken(rows), coarse[rows] - low) for rows, low in zip(np.split(order, cuts), first, strict=True)]


def cut_bundle(taken: Sequence[tuple[Records, np.ndarray]], coding: Coding) -> Fragment:
    """Return the classes of a bundle."""
    return _fragment(*_brought_together(taken, coding), coding)[0]


def cut_and_thin(taken: Sequence[tuple[Records, np.ndarray]], coding: Coding) -> Fragment:
    """Return the classes of a bundle, with and without the records that may be masked."""
    records, begun = _brought_together(taken, coding)
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


def _brought_together(taken: Sequence[tuple[Records, np.ndarray]], coding: Coding) -> tuple[Records, np.ndarray]:
    """Return the distinct records of a bundle, and which of its coarse classes each is in."""
    begun = np.concatenate([one for _, one in taken])
    codes, sensitive = (
        [np.concatenate(own) for own in zip(*(getattr(records, name) for records, _ in taken), strict=True)]
        for name in ("codes", "sensitive")
    )
    records = Records([begun, *codes], sensitive, np.concatenate([records.times for records, _ in taken]))
    records, _ = records.distinct([int(begun.max()) + 1, *coding.recoding.sizes])
    return replace(records, codes=records.codes[1:]), records.codes[0]


def _fragment(records: Records, begun: np.ndarray, coding: Coding) -> tuple[Fragment, np.ndarray]:
    classes, tree = partition(records, coding.recoding, begun, int(begun.max()) + 1)
    sizes = tally(classes, 0, records.times)
    return Fragment(tree, sizes, coding.gists(records, classes, len(sizes))), classes


def joined(
    top: Tree, roots: Sequence[np.ndarray], fragments: Sequence[Fragment], recoding: Recoding, budget: int
) -> Classes:
    """Return the classes of the whole table, of its top and what hangs from some nodes of it."""
    tree, numbers = _grafted(top, roots, fragments, recoding)
    if fragments[0].thinned is None:
        return Classes(tree, *_together(fragments, numbers, np.zeros(len(numbers), dtype=bool)), 0)
    ends = _ends(fragments, numbers)
    masked = _masked(ends, fragments, numbers, budget, recoding)
    sizes, gists = _together(fragments, numbers, masked)
    gone = np.where(masked, ends.count, 0)
    return Classes(tree, sizes - gone, gists, int(gone.sum()))


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
