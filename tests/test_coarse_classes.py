"""Coarse classes first, each in one place then: the very classes of the whole table, whatever the pieces."""

from functools import reduce

import numpy as np
import pandas as pd
import pytest
from conftest import values
from sklearn.base import clone
from test_anonymity import ALIKE, QUASI, REGIONS, alike, drawn_table, learned, people

from skdp import KAnonymizer, _coarse_classes, _frames, _levels
from skdp._checks import ParameterError
from skdp._coding import added


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
    {"labels": "mean"},
    {"hierarchies": {"town": REGIONS}},
    {"sensitive": ["illness", "pay"], "l_diversity": 2},
    {"sensitive": ["illness", "pay"], "l_diversity": 2, "t_closeness": 0.3},
    {"weights": {"age": 5.0}},
]


@pytest.mark.parametrize("more", STEPS, ids=str)
@pytest.mark.parametrize("share", [0.0, 0.15])
def test_classes_are_those_of_the_whole_table(more, share):
    for seed, k, table, quasi, n_pieces in ((0, 3, people(0, 500), QUASI, 4), (1, 5, alike(1, 600), ALIKE, 1)):
        step = KAnonymizer(k, quasi_identifiers=quasi, max_suppression=share, **more)
        pieces = assert_alike(step, cut_up(table, n_pieces, seed), table)
        assert pieces.passes > 2 and len(pieces.gathered) > 2  # coarse classes were cut, and brought to several places
        assert max(pieces.gathered) <= 80


@pytest.mark.parametrize("together", [1, 10, 10_000])
@pytest.mark.parametrize("n_pieces", [2, 9])
def test_it_does_not_matter_how_much_is_brought_together(monkeypatch, together, n_pieces):
    monkeypatch.setattr(_coarse_classes, "RECORDS_TOGETHER", together)
    table = people(2, 300)
    step = KAnonymizer(4, quasi_identifiers=QUASI, max_suppression=0.1, sensitive="illness", l_diversity=2)
    pieces = assert_alike(step, [*cut_up(table, n_pieces), table[:0]], table)
    assert (pieces.passes == 0) == (together == 10_000)
    assert sum(pieces.gathered) == 300  # no two of the records are alike


def test_there_are_no_more_bundles_than_are_allowed(monkeypatch):
    monkeypatch.setattr(_coarse_classes, "RECORDS_TOGETHER", 1)
    monkeypatch.setattr(_coarse_classes, "MOST_BUNDLES", 8)
    table = people(3, 400)
    pieces = assert_alike(KAnonymizer(4, quasi_identifiers=QUASI), cut_up(table, 3), table)
    assert 4 <= len(pieces.gathered) <= 8


@pytest.mark.parametrize("labels", ["interval", "mean"])
@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_class_too_large_to_be_brought_together_is_labelled_by_counts(labels, share):
    """Unless some of its records may be masked: which, counts do not tell."""
    table = people(4, 400)
    for more in ({"k": 150}, {"k": 5, "sensitive": "pay", "t_closeness": 0.0}, {"k": 400}):
        step = KAnonymizer(quasi_identifiers=QUASI, labels=labels, max_suppression=share, **more)
        pieces = assert_alike(step, cut_up(table, 3), table)
        masks = 400 * share >= more["k"]
        assert sum(pieces.gathered) == (400 if masks else 0)


def test_some_classes_may_be_too_large_and_others_not(monkeypatch):
    monkeypatch.setattr(_coarse_classes, "RECORDS_TOGETHER", 70)
    table = people(4, 400)
    step = KAnonymizer(quasi_identifiers=QUASI, k=40)
    assert 0 < sum(assert_alike(step, cut_up(table, 3), table).gathered) < 400


def test_records_are_masked_as_in_the_whole_table():
    """Of enough of these tables some are, and the sensitive values of others keep them from it."""
    masked = []
    for seed in range(4):
        for more in ({}, {"sensitive": "illness", "l_diversity": 3}, {"sensitive": "illness", "t_closeness": 0.4}):
            table = people(seed, 400)
            step = KAnonymizer(4, quasi_identifiers=["debt", "member", "size", "town"], max_suppression=0.2, **more)
            assert_alike(step, cut_up(table, 3), table)
            masked.append(clone(step).fit(table).n_suppressed_)
    assert 0 < sum(count > 0 for count in masked) < len(masked)


def test_what_goes_to_and_fro_shows_no_values_where_dask_logs_it(monkeypatch):
    """A worker that fails writes down what it was called with."""
    shown = []

    def logged(function):
        def called(pieces, *given):
            made = function(pieces, *given)
            shown.append(repr((given, pieces.pieces, pieces.coding, made)))
            return made

        return called

    for name in ("summed", "regrouped"):
        monkeypatch.setattr(Lists, name, logged(getattr(Lists, name)))
    step = KAnonymizer(3, quasi_identifiers=QUASI, sensitive="pay", t_closeness=0.3, max_suppression=0.1)
    from_pieces(step, cut_up(people(6, 200), 2))
    assert len(shown) > 2
    assert not [name for name in ("positions", "means", "codes", "numbers", "count") if f"{name}=" in "".join(shown)]


@pytest.mark.parametrize("bug", ["Numbering.codes", "Tally.merged"])
def test_codes_and_counts_of_one_piece_alone_are_caught(monkeypatch, bug):
    careless = {
        "Numbering.codes": lambda self, frame: _levels.factorise(frame, [self.column])[0],
        "Tally.merged": lambda self, other: self,
    }[bug]
    monkeypatch.setattr(f"skdp._coding.{bug}", careless)
    table = people(5, 400)
    step = KAnonymizer(3, quasi_identifiers=QUASI, sensitive="illness", t_closeness=0.25)
    with pytest.raises((AssertionError, IndexError, ValueError)):
        assert_alike(step, cut_up(table, 4), table)


def test_every_kind_of_table_may_lie_in_pieces(monkeypatch, table):
    monkeypatch.setattr(_coarse_classes, "RECORDS_TOGETHER", 3)
    quasi = ["age", "income", "city", "member", "joined"]
    step = KAnonymizer(2, quasi_identifiers=quasi, sensitive="group", l_diversity=2, max_suppression=0.2)
    pieces = assert_alike(step, [table[:5], table[5:9], table[9:9], table[9:]], table)
    assert pieces.passes > 1


def test_a_value_spelled_in_two_ways_is_refused_without_it():
    pieces = [pd.DataFrame({"odd": pd.Series(own, dtype=object)}) for own in ([True, True, "x"], [1, 1, "x"])]
    with pytest.raises(ValueError, match="Column 'odd' holds objects that are spelled in one way here") as error:
        from_pieces(KAnonymizer(2), pieces)
    assert "True" not in str(error.value)


def anything(seed):
    """Return a table of a few columns of any kind, and parameters that may suit it."""
    rng = np.random.default_rng(seed)
    size, n_columns = int(rng.integers(1, 400)), int(rng.integers(2, 7))
    kinds = [
        lambda: rng.integers(0, int(rng.integers(1, 60)), size).astype(float),
        lambda: rng.normal(size=size) * 10.0 ** rng.integers(-3, 9),
        lambda: np.floor(rng.pareto(1.0, size) * 10),
        lambda: rng.choice([-1e300, 1e300, 0.0, -0.0, 1.0, 2.0], size),
        lambda: np.datetime64("2000-01-01") + rng.integers(0, int(rng.integers(1, 3000)), size),
        lambda: rng.choice([f"v{number}" for number in range(int(rng.integers(1, 30)))], size),
        lambda: pd.Categorical(rng.choice(list("SML"), size), list("SML"), ordered=bool(rng.integers(2))),
        lambda: pd.array(rng.random(size) < 0.3, dtype="boolean"),
        lambda: rng.choice(list(REGIONS), size),
    ]
    chosen = rng.integers(0, len(kinds), n_columns)
    table = pd.DataFrame({f"column {number}": kinds[kind]() for number, kind in enumerate(chosen)})
    table = table.mask(rng.random(table.shape) < rng.choice([0.0, 0.05, 0.5, 1.0], n_columns, p=[0.4, 0.4, 0.15, 0.05]))
    names = list(table)
    sensitive, quasi = names[: n_columns // 3], names[n_columns // 3 :]
    parameters = {
        "k": int(rng.choice([1, 2, 3, 5, 10, 60])), "quasi_identifiers": quasi, "sensitive": sensitive,
        "labels": str(rng.choice(["interval", "mean"])), "max_suppression": float(rng.choice([0.0, 0.1, 0.4])),
        "hierarchies": {name: REGIONS for name, kind in zip(names, chosen, strict=True) if kind == 8 and name in quasi},
        "l_diversity": [None, 1, 2, 3][rng.integers(4)], "t_closeness": [None, 0.0, 0.2, 0.6][rng.integers(4)],
    }  # fmt: skip
    return table, parameters, rng


@pytest.mark.long
def test_any_table_in_any_pieces(monkeypatch):
    done, masked = 0, 0
    for seed in range(200):
        table, parameters, rng = anything(seed)
        monkeypatch.setattr(_coarse_classes, "RECORDS_TOGETHER", int(rng.choice([1, 5, 30, 200])))
        monkeypatch.setattr(_coarse_classes, "MOST_BUNDLES", int(rng.choice([3, 20, 1000])))
        step = KAnonymizer(**parameters)
        try:
            masked += clone(step).fit(table).n_suppressed_ > 0
        except ParameterError:  # more rows or values asked for than there are
            continue
        assert_alike(step, cut_up(table, int(rng.integers(1, 8)), seed), table)
        done += 1
    assert done > 150 and masked > 4


@pytest.mark.parametrize("seed", range(20))
def test_pieces_count_sensitive_values_as_a_csv_file_does(monkeypatch, seed):
    monkeypatch.setattr(_coarse_classes, "RECORDS_TOGETHER", 5)
    table = drawn_table(np.random.default_rng(seed), 2)
    most = [None, 0.4][seed % 2]
    step = KAnonymizer(2, quasi_identifiers="age", sensitive="illness", l_diversity=2, t_closeness=most)
    assert_alike(step, cut_up(table, 3, seed), table)
