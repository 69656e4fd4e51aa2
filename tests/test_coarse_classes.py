"""Coarse classes first, each in one place then: the very classes of the whole table, whatever the pieces."""

from functools import reduce

import numpy as np
import pytest
from conftest import values
from sklearn.base import clone
from test_anonymity import ALIKE, QUASI, REGIONS, alike, learned, people

from skdp import KAnonymizer, _coarse_classes, _frames
from skdp._coarse_classes import added


class Lists:
    """Pieces of a table in one process, and what was asked of them."""

    def __init__(self, tables, coding):
        self.pieces, self.coding = [coding.records(_frames.read(table)) for table in tables], coding
        self.n_records = sum(map(len, self.pieces))
        self.passes, self.gathered = 0, []

    def summed(self, count, finish, *more):
        self.passes += 1
        return finish(reduce(added, [count(piece, self.coding, *more) for piece in self.pieces]), self.coding, *more)

    def regrouped(self, split, n_groups, gather, *more):
        shares = [split(piece, self.coding, *more) for piece in self.pieces]
        groups = [[one[group] for one in shares] for group in range(n_groups)]
        self.gathered = [sum(len(records) for records, _ in group) for group in groups]
        return [gather(group, self.coding) for group in groups]


def from_pieces(step, tables):
    """Return a step that has learned from tables apart, and the pieces."""
    step, held = clone(step), []
    names = step._read(tables[0][:0], reset=True).columns
    values = [step._values(_frames.read(table)) for table in tables]
    merged = {name: reduce(lambda one, other: one.merged(other), [own[name] for own in values]) for name in values[0]}
    step._learn_pieces(names, merged, lambda coding: held.append(Lists(tables, coding)) or held[0])
    return step, held[0]


def cut_up(table, n_pieces, seed=0):
    edges = np.sort(np.random.default_rng(seed).integers(0, len(table), n_pieces - 1)).tolist()
    return [table[low:high] for low, high in zip([0, *edges], [*edges, len(table)], strict=True)]


@pytest.fixture(autouse=True)
def few_together(monkeypatch):
    monkeypatch.setattr(_coarse_classes, "RECORDS_TOGETHER", 40)
    monkeypatch.setattr(_coarse_classes, "MOST_BUNDLES", 1000)


def assert_alike(step, tables, whole):
    each = clone(step).fit(whole)
    apart, pieces = from_pieces(step, tables)
    assert learned(apart) == learned(each)
    assert apart.granularity_ == pytest.approx(each.granularity_, abs=1e-12)
    assert apart.quasi_identifiers_ == each.quasi_identifiers_
    assert values(apart.transform(whole)) == values(each.transform(whole)) == values(clone(step).fit_transform(whole))
    return pieces


STEPS = [
    {},
    {"labels": "mean"},
    {"hierarchies": {"town": REGIONS}},
    {"sensitive": ["illness", "pay"], "l_diversity": 2},
    {"sensitive": ["illness", "pay"], "l_diversity": 2, "t_closeness": 0.3},
    {"weights": {"age": 5.0}},
]


@pytest.mark.parametrize("more", STEPS, ids=str)
@pytest.mark.parametrize("share", [0.0, 0.15])
@pytest.mark.parametrize("n_pieces", [1, 4])
def test_classes_are_those_of_the_whole_table(more, share, n_pieces):
    for seed, k, table, quasi in ((0, 3, people(0, 500), QUASI), (1, 5, alike(1), ALIKE)):
        step = KAnonymizer(k, quasi_identifiers=quasi, max_suppression=share, **more)
        pieces = assert_alike(step, cut_up(table, n_pieces, seed), table)
        assert pieces.passes > 2 and len(pieces.gathered) > 4  # coarse classes were cut, and brought to several places
        assert max(pieces.gathered) <= 80
