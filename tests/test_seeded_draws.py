"""The same seed, the same table: at once in memory, chunk by chunk, and over partitions."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import stats
from sklearn.base import clone

from skdp import (
    Choice,
    DistributionImputer,
    FakerSynthesizer,
    GaussianNoise,
    IntervalBinner,
    LaplaceNoise,
    OutlierDropper,
    PIICleaner,
    QuantileBinner,
    RandomizedResponse,
    _calibration,
    _chunkwise,
    _dask_tables,
    _frames,
    _passage,
    _streams,
    imputation,
    make_pipeline,
    synthesis,
)
from skdp._recipe_files import Recipe
from skdp._released import Account
from skdp._streams import rows_before
from skdp.imputation import Conditional
from skdp.specifications import Specification

TOWNS = ["Lima", "Oslo", "Bonn", "Rome"]
FAKED = 64  # rows of a synthesizer's block


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of 8 to 32 rows, so that small tables have many."""
    monkeypatch.setattr(_streams, "SMALLEST_BLOCK", 8)
    monkeypatch.setattr(_streams, "LARGEST_BLOCK", 32)
    for module in (synthesis, _passage, _dask_tables):
        monkeypatch.setattr(module, "BLOCK_ROWS", FAKED)


def people(size, seed=0):
    rng = np.random.default_rng(seed)
    gaps = rng.random((size, 3)) < 0.3
    homes = np.where(rng.random(size) < 0.2, "PO Box 7, Ames, IA 50010", "1 Oak St, Ames, IA 50010")
    return pd.DataFrame({
        "Age": rng.integers(18, 90, size),
        "Income": np.where(gaps[:, 0], np.nan, rng.lognormal(3, 1, size).round(2)),
        "Debt": np.where(rng.random(size) < 0.1, 900, rng.normal(4, 1, size).round(3)),
        "Score": rng.normal(0, 10, size),
        "Visits": pd.array(np.where(gaps[:, 1], None, rng.integers(1, 9, size)), dtype="Int64"),
        "Town": pd.array(np.where(gaps[:, 2], None, rng.choice(TOWNS, size)), dtype="str"),
        "Name": ["Ana"] * size,
        "Home": homes,
    })  # fmt: skip


AGES = {(0, 9): 1, (20, 39): 2, 70: 1}
DRAWING = {
    "floats": LaplaceNoise(columns="Income", bounds=(0, 100)),
    "hidden gaps": LaplaceNoise(columns="Income", bounds=(0, 100), missing="impute", postprocess="clip"),
    "integers": LaplaceNoise(columns="Age", bounds=(0, 120), postprocess="clip"),
    "integers with gaps": LaplaceNoise(columns="Visits", bounds=(0, 9)),
    "Gaussian": GaussianNoise(bounds={"Income": (0, 100), "Age": (0, 120)}),
    "Gaussian integers": GaussianNoise(bounds={"Visits": (0, 9)}, postprocess="clip"),
    "answers": RandomizedResponse(1, categories={"Town": TOWNS}),
    "answers or none": RandomizedResponse(1, categories={"Town": [*TOWNS, None]}),
    "gaps": DistributionImputer({"Visits": {1: 1, 2: 3, 9: 1}, "Town": dict.fromkeys(TOWNS, 1)}),
    "ranges": DistributionImputer({"Visits": AGES, "Income": {(0.0, 1.5): 1, (7, 9): 1}}),
    "continuous": DistributionImputer({"Income": stats.gamma(2)}),
    "by town": DistributionImputer({"Visits": Conditional({"Oslo": {1: 1}}, otherwise=AGES)}, by="Town"),
    "new": DistributionImputer({"Age": AGES, "Born": {(1900, 2000): 1}}, replace="all"),
    "observed": DistributionImputer({"Town": "observed", "Visits": "observed"}),
}


def seeded(name, seed=5):
    return clone(DRAWING[name]).set_params(random_state=seed)


def alike(one, other):
    """Raise unless two tables hold the same, as Arrow sees them."""
    one, other = (pa.table(_frames.arrow_table(table)) for table in (one, other))
    assert one.equals(other.cast(one.schema)), "another table"


def cut_at(table, edges):
    return [table.iloc[low:high] for low, high in zip([0, *edges], [*edges, len(table)], strict=True)]


def in_parts(step, parts):
    """Return what a fitted step makes of parts of a table, told where each begins."""
    done, first = [], 0
    for part in parts:
        with rows_before(first):
            done.append(step.transform(part))
        first += len(part)
    return pd.concat(done)


# One step


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("size", [1, 33, 96])
def test_parts_of_a_table_get_what_the_whole_gets(small_blocks, name, size):
    table = people(150)
    step = seeded(name).fit(table)
    whole = step.transform(table[:size])
    rng = np.random.default_rng(size)
    cuts = [[], [0], [size], [8], [7, 9, 31], rng.integers(0, size + 1, 6), range(1, size)]
    for edges in cuts:
        alike(in_parts(step, cut_at(table[:size], sorted(min(int(edge), size) for edge in edges))), whole)


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("size", [1025, 40_001])
def test_so_it_is_with_blocks_as_large_as_they_are(name, size):
    table = people(size)
    step = seeded(name).fit(table)
    alike(in_parts(step, cut_at(table, [size // 3, size // 2])), step.transform(table))


@pytest.mark.parametrize("name", DRAWING)
def test_what_a_row_is_given_depends_on_no_other_row(small_blocks, name):
    """The others hold other values, more or fewer of them are missing, and there are more rows behind."""
    table, other = people(100), people(150, seed=1)
    step = seeded(name).fit(table)
    kept = [0, 9, 31, 32, 64, 99]
    for row in kept:
        other = pd.concat([other[:row], table[row : row + 1], other[row + 1 :]])
    alike(step.transform(other).iloc[kept], step.transform(table).iloc[kept])


@pytest.mark.parametrize("name", DRAWING)
def test_polars_gets_what_pandas_gets(small_blocks, name):
    table = people(100).drop(columns="Home")
    ours = seeded(name).fit_transform(table)
    theirs = seeded(name).fit_transform(pl.from_pandas(table))
    for column in ours:
        assert _frames.read(theirs)[column].to_list() == pl.from_pandas(ours[[column]])[column].to_list()


@pytest.mark.parametrize("step", [LaplaceNoise, GaussianNoise])
def test_two_blocks_share_no_noise(step):
    """Of 40,000 floats noised in blocks, no two are alike but by chance: fewer than 1 % (ten alike are expected)."""
    table = pd.DataFrame({"Age": np.full(40_000, 60.0)})
    noise = step(bounds=(0, 120), random_state=1)
    assert noise.fit_transform(table)["Age"].nunique() > 39_600


def test_blocks_of_one_stream_would_be_noticed(monkeypatch):
    """The planted bug: the name of a stream does not hold the block."""
    real = _calibration.seeded_source
    monkeypatch.setattr(_calibration, "seeded_source", lambda seed, *name: real(seed, *name[:2]))
    table = pd.DataFrame({"Age": np.full(40_000, 60.0)})
    assert LaplaceNoise(bounds=(0, 120), random_state=1).fit_transform(table)["Age"].nunique() < 39_600


@pytest.mark.parametrize("name", ["floats", "ranges"])
def test_draws_that_begin_anew_with_each_part_would_be_noticed(small_blocks, monkeypatch, name):
    """The planted bug: a step does not look at where its rows begin."""
    for module in (_calibration, imputation):
        monkeypatch.setattr(module, "first_row", lambda: 0)
    table = people(100)
    step = seeded(name).fit(table)
    with pytest.raises(AssertionError, match="another table"):
        alike(in_parts(step, cut_at(table, [50])), step.transform(table))


def test_draws_for_the_gaps_alone_would_be_noticed(small_blocks, monkeypatch):
    """The planted bug: the draw of a row depends on how many gaps came before."""
    real = DistributionImputer._draws
    monkeypatch.setattr(
        DistributionImputer,
        "_draws",
        lambda step, entropy, column, rows: real(step, entropy, column, np.arange(len(rows))),
    )
    with pytest.raises(AssertionError, match="another table"):
        test_what_a_row_is_given_depends_on_no_other_row(None, "ranges")


@pytest.mark.parametrize("name", ["floats", "answers", "gaps"])
def test_without_a_seed_every_call_is_fresh_wherever_rows_begin(small_blocks, name):
    table = people(300)
    step = clone(DRAWING[name]).fit(table)
    with rows_before(40):
        assert not step.transform(table).equals(step.transform(table))


# Pipelines


class Shuffled(Specification):
    """The ranks of the rows of a block, those of each town together: drawn by the whole of it."""

    def needs(self):
        return {"Town"}

    def draw(self, block, rng):
        town = block.frame()["Town"].astype(object).fillna("none").to_numpy(dtype=str)
        ranks = np.empty(block.size, dtype=np.int64)
        ranks[np.argsort(town, kind="stable")] = rng.permutation(block.size)
        return ranks


def pipelines(rng):
    """Return a pipeline of random steps, all seeded, in random order: those that draw, drop and learn."""
    drawing = [seeded(name, int(rng.integers(3))) for name in rng.choice(list(DRAWING), 2, replace=False)]
    noisy_debt = LaplaceNoise(5, columns="Debt", bounds=(0, 9), random_state=1)
    noisy_score = GaussianNoise(columns="Score", bounds=(-9, 9), random_state=2)
    others = [
        OutlierDropper(columns="Debt"),
        make_pipeline(noisy_debt, OutlierDropper(columns="Debt", factor=0.7)),
        PIICleaner(addresses="Home"),
        make_pipeline(noisy_score, QuantileBinner(3, columns="Score")),
        IntervalBinner({"Score": [0]}),
        FakerSynthesizer({"Name": Choice(["Ana", "Eva", "Lea"]), "Rank": Shuffled()}, random_state=3),
    ]
    chosen = [others[number] for number in rng.choice(len(others), 3, replace=False)]
    if {3, 4} <= {others.index(one) for one in chosen}:
        chosen.remove(others[4])
    steps = [*drawing, *chosen]
    order = [steps[number] for number in rng.permutation(len(steps))]
    flat = [part for one in order for part in ([step for _, step in one.steps] if hasattr(one, "steps") else [one])]
    return make_pipeline(*flat)


def in_chunks(pipeline, table, rows, jobs):
    """Return the table that `skdp release` makes of chunks."""
    chunks = [part.reset_index(drop=True) for part in cut_at(table, range(rows, len(table), rows))]
    assert _chunkwise.obstacle(pipeline, chunks[0], placed=True) is None
    _chunkwise.learn(pipeline, chunks, jobs, lambda rows: None)
    parts = [part for part, _ in _chunkwise.released(Account(Recipe(pipeline)), chunks, jobs)]
    return pa.concat_tables([part.cast(parts[0].schema) for part in parts])


def over_partitions(pipeline, table, edges):
    dask = pytest.importorskip("dask", reason="Dask is not installed (skdp[dask])")
    dd = pytest.importorskip("dask.dataframe", reason="Dask is not installed (skdp[dask])")
    from skdp.distributed import release

    parts = cut_at(table, edges)
    with dask.config.set({"dataframe.convert-string": False, "scheduler": "synchronous"}):
        return release(pipeline, dd.from_map(lambda number: parts[number], range(len(parts)), meta=table[:0])).compute()


def check_all_alike(number):
    rng = np.random.default_rng(number)
    size = int(rng.choice([40, 63, 64, 65, 128, 200]) + rng.integers(3))
    table, pipeline = people(size, number), pipelines(rng)
    whole = clone(pipeline).fit_transform(table)
    edges = sorted(rng.integers(0, size + 1, int(rng.integers(4))).tolist())
    alike(over_partitions(clone(pipeline), table, edges), whole)
    rows, jobs = int(rng.choice([7, 32, FAKED, 100])), int(rng.integers(1, 4))
    alike(in_chunks(clone(pipeline), table, rows, jobs), whole)


def test_pipelines_release_the_same_table_everywhere(small_blocks):
    """Random pipelines, tables, chunks and partitions."""
    for number in range(10):
        check_all_alike(number)


@pytest.mark.long
def test_many_pipelines_release_the_same_table_everywhere(small_blocks):
    for number in range(100, 220):
        check_all_alike(number)


def test_rows_that_are_counted_before_others_dropped_some_would_be_noticed(small_blocks, monkeypatch):
    """The planted bug: nobody counts what is left behind a step that drops rows."""
    table = people(200)
    steps = make_pipeline(PIICleaner(addresses="Home"), seeded("floats"))
    whole = clone(steps).fit_transform(table)
    alike(in_chunks(clone(steps), table, 50, 2), whole)
    alike(over_partitions(clone(steps), table, [90]), whole)
    for module in (_passage, _dask_tables):
        monkeypatch.setattr(module, "may_drop", lambda step: False)
    for other in (in_chunks(clone(steps), table, 50, 2), over_partitions(clone(steps), table, [90])):
        with pytest.raises(AssertionError, match="another table"):
            alike(other, whole)


def test_a_synthesizer_that_gets_blocks_cut_apart_would_be_noticed(small_blocks, monkeypatch):
    """The planted bug: a step that draws a block together is handed a part of it."""
    table = people(200)
    steps = make_pipeline(FakerSynthesizer({"Rank": Shuffled()}, random_state=3))
    whole = clone(steps).fit_transform(table)
    alike(in_chunks(clone(steps), table, 50, 2), whole)
    alike(over_partitions(clone(steps), table, [90]), whole)
    monkeypatch.setattr(_passage, "_draws_blocks", lambda step: False)
    monkeypatch.setattr(_dask_tables.Table, "is_in_blocks", True)
    for other in (in_chunks(clone(steps), table, 50, 2), over_partitions(clone(steps), table, [90])):
        with pytest.raises(AssertionError, match="another table"):
            alike(other, whole)


def test_chunks_of_which_no_row_is_left_count_nothing(small_blocks):
    table = people(120)
    table.loc[40:79, "Home"] = "PO Box 7, Ames, IA 50010"
    steps = make_pipeline(
        PIICleaner(addresses="Home"), seeded("floats"), FakerSynthesizer({"Rank": Shuffled()}, random_state=3)
    )
    whole = clone(steps).fit_transform(table)
    alike(in_chunks(clone(steps), table, 20, 2), whole)
    alike(over_partitions(clone(steps), table, [20, 40, 60, 80]), whole)
    none = table.assign(Home="PO Box 7, Ames, IA 50010")
    steps.fit(table)
    released = _chunkwise.released(Account(Recipe(steps)), cut_at(none, [50]), 1)
    assert [part.num_rows for part, _ in released] == [0, 0]


def test_a_step_learns_in_chunks_from_the_very_draws_of_a_seed(small_blocks):
    """Bins of what is released are filled alike; unseeded, what is released would be drawn anew."""
    table = people(200)
    noise = LaplaceNoise(columns="Score", bounds=(-9, 9), random_state=1)
    steps = make_pipeline(noise, QuantileBinner(4, columns="Score", round_edges=False))
    assert in_chunks(clone(steps), table, 30, 2)["Score"].to_pandas().value_counts().tolist() == [50] * 4
    unseeded = clone(steps).set_params(laplacenoise__random_state=None)
    assert _chunkwise.obstacle(unseeded, table, placed=True) == "QuantileBinner learns from what LaplaceNoise drew"


def test_who_does_not_tell_steps_where_chunks_begin_has_an_obstacle():
    table = people(20)
    assert _chunkwise.obstacle(make_pipeline(seeded("floats")), table) == "LaplaceNoise draws by a seed"
    generator = make_pipeline(seeded("gaps", np.random.default_rng(0)))
    assert _chunkwise.obstacle(generator, table, placed=True) == "DistributionImputer draws by a seed"
