"""Measures of counted classes, and of Dask DataFrames by way of them, beside those of the table in memory."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skdp import KAnonymizer, metrics
from skdp._checks import ParameterError
from skdp.metrics import ClassCounts

QUICK = settings(
    derandomize=True, max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
TOWNS = ["Oslo", "Lima", "Bonn", "São Paulo"]
SIZES = ["S", "M", "L"]
TREE = {"Oslo": ["Europe", "*"], "Bonn": ["Europe", "*"], "Lima": ["America", "*"], "São Paulo": ["America", "*"]}
KNOWN = ["age", "town"]

# By name, a measure of a table with the columns below; what it gives for rows comes with them, to be put in one order
SENSITIVE = {
    "alpha and k": metrics.alpha_k_anonymity,
    "distinct l": metrics.l_diversity,
    "entropy l": lambda *three: metrics.l_diversity(*three, kind="entropy"),
    "recursive l": lambda *three: metrics.l_diversity(*three, kind="recursive"),
    "recursive l of 2": lambda *three: metrics.l_diversity(*three, kind="recursive", l=2),
    "t": metrics.t_closeness,
    "t of equal distance": lambda *three: metrics.t_closeness(*three, distance="equal"),
    "basic beta": metrics.basic_beta_likeness,
    "enhanced beta": metrics.enhanced_beta_likeness,
    "delta": metrics.delta_disclosure,
}
OF_CLASSES = {
    "k": metrics.k_anonymity,
    "attackers": metrics.attacker_risks,
    "attackers of a sample": lambda X, known: metrics.attacker_risks(X, known, sampling_fraction=0.3, threshold=0.05),
    "scenarios": lambda X, known: metrics.scenario_risks(metrics.attacker_risks(X, known).prosecutor.mean),
    "uniqueness": lambda X, known: metrics.uniqueness(X, known, max_known=2),
    "discernibility": metrics.discernibility,
    "discernibility of a masked table": lambda X, known: metrics.discernibility(X, known, suppressed="missing"),
    "average class size": lambda X, known: metrics.average_class_size(X, known, k=2),
}
BY_ROW = {
    "class sizes": lambda X, known: (lambda classes: classes.sizes[classes.codes])(
        metrics.equivalence_classes(X, known)
    ),
    "risks": metrics.reidentification_risk,
    "suda": lambda X, known: metrics.suda(X, known, max_size=2).scores,
}


def figures(X, known, sensitive, *, trees=False):
    """Return every measure of a table, or of its counted classes, by name; of rows, those of the records, sorted."""
    weights = X.sizes if isinstance(X, ClassCounts) else 1
    found = {name: measure(X, known, sensitive) for name, measure in SENSITIVE.items()}
    found |= {name: _flat(measure(X, known)) for name, measure in OF_CLASSES.items()}
    found |= {name: np.sort(np.repeat(measure(X, known), weights)) for name, measure in BY_ROW.items()}
    if trees:
        found["t of a hierarchy"] = metrics.t_closeness(X, known, sensitive, hierarchies={sensitive: TREE})
    return found


def _flat(figure):
    if isinstance(figure, dict):
        return list(figure.values())
    if not isinstance(figure, tuple):
        return figure
    return np.concatenate([np.ravel(np.array(_flat(part), dtype=float)) for part in figure])


def same(first, second):
    """Return the names of figures that are not the same but for the last bits of sums in another order."""
    assert first.keys() == second.keys()
    return [name for name in first if first[name] != pytest.approx(second[name], rel=1e-12, abs=1e-15)]


def counted(table, columns=None):
    """Return the classes of a table in memory, counted by pandas alone."""
    groups = table.groupby(list(table) if columns is None else columns, dropna=False, observed=True, sort=False).size()
    return ClassCounts(groups.index.to_frame(index=False), groups.to_numpy())


def people(seed=0, rows=400):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "age": rng.choice([20.0, 30.0, 40.0, 50.0, np.nan], rows, p=[0.4, 0.3, 0.2, 0.09, 0.01]),
        "town": rng.choice([*TOWNS, None], rows, p=[0.5, 0.3, 0.1, 0.08, 0.02]),
        "debt": rng.choice([1.0, 2.0, 5.0, np.nan], rows, p=[0.6, 0.2, 0.15, 0.05]),
        "size": pd.Categorical(rng.choice(SIZES, rows, p=[0.7, 0.2, 0.1]), categories=SIZES, ordered=True),
    })  # fmt: skip


# Counted classes


@pytest.mark.parametrize("sensitive", ["debt", "size", "town"])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_measures_of_counted_classes_are_those_of_the_table(sensitive, library):
    known = ["age", "debt" if sensitive == "town" else "town"]
    table = people()
    counts = counted(table, [*known, sensitive])
    if library == "polars":
        counts = ClassCounts(pl.from_pandas(counts.classes), counts.sizes.tolist())
        table = pl.from_pandas(table)
    trees = sensitive == "town"
    assert not same(figures(counts, known, sensitive, trees=trees), figures(table, known, sensitive, trees=trees))


def test_more_columns_than_a_measure_is_of_do_not_matter():
    table = people()
    assert not same(figures(counted(table), KNOWN, "debt"), figures(table, KNOWN, "debt"))
    several = [metrics.t_closeness(X, "age", ["debt", "size"]) for X in (counted(table), table)]
    assert several[0] == pytest.approx(several[1])
    assert metrics.k_anonymity(counted(table)) == metrics.k_anonymity(table)
    assert metrics.k_anonymity(counted(table), []) == len(table)


def test_sizes_that_are_ignored_are_noticed():
    """The planted bug: each class counts as one record. Only how many values a class has is the same then."""
    table, wrong = people(), set()
    for rows in (table, table[(table["age"] < 45) & table["town"].isin(TOWNS[:2])]):  # some alone, and nobody
        counts = counted(rows)
        tampered = ClassCounts(counts.classes, np.ones(len(counts.sizes), dtype=int))
        wrong |= set(same(figures(tampered, KNOWN, "debt"), figures(rows, KNOWN, "debt")))
    assert wrong == {*SENSITIVE, *OF_CLASSES, *BY_ROW} - {"distinct l"}


def test_one_record_more_in_the_smallest_class_is_noticed():
    table = people()
    counts = counted(table, KNOWN)
    sizes = counts.sizes.copy()
    sizes[sizes.argmin()] += 1
    tampered = ClassCounts(counts.classes, sizes)
    for name in ("k", "attackers", "uniqueness", "discernibility", "average class size"):
        found, expected = (_flat(OF_CLASSES[name](X, KNOWN)) for X in (tampered, table))
        assert found != pytest.approx(expected, rel=1e-12), name


def test_classes_written_twice_are_counted_together():
    twice = ClassCounts(pd.DataFrame({"age": [30, 40, 30], "debt": [1, 1, 1]}), [2, 5, 1])
    assert metrics.k_anonymity(twice, "age") == 3
    assert metrics.average_class_size(twice, "age") == 4
    assert metrics.reidentification_risk(twice, "age").tolist() == [1 / 3, 1 / 5, 1 / 3]


@pytest.mark.parametrize("sampled", [True, False])
@pytest.mark.parametrize("population", [True, False])
def test_a_population_may_be_counted_too(sampled, population):
    everyone = people(rows=2000)[["age", "town"]]
    sample = everyone[::7].reset_index(drop=True)
    expected = metrics.attacker_risks(sample, population=everyone)
    found = metrics.attacker_risks(
        counted(sample) if sampled else sample, population=counted(everyone) if population else everyone
    )
    assert _flat(found) == pytest.approx(_flat(expected))
    assert expected.journalist != expected.prosecutor


def test_suppressed_classes_may_be_marked():
    table = people()
    counts = counted(table, "age")
    old = counts.classes["age"].to_numpy() > 35
    expected = metrics.discernibility(table, "age", suppressed=table["age"].to_numpy() > 35)
    assert metrics.discernibility(counts, "age", suppressed=old) == expected


def test_billions_of_records_are_counted_exactly():
    counts = ClassCounts(pd.DataFrame({"age": [1, 1, 2], "debt": [1, 2, 1]}), [2**53, 1, 2**53 + 1])
    assert metrics.k_anonymity(counts, "age") == 2**53 + 1
    assert metrics.discernibility(counts, "age") == 2 * (2**53 + 1) ** 2
    assert metrics.equivalence_classes(counts, "debt").sizes.sum() == 2**54 + 2


@pytest.mark.parametrize(
    "sizes", [[1, 2], [1, 2, 0], [1, 2, -1], [1.0, 2.0, 3.0], [True, True, True], [[1, 2, 3]], 3, ["1", "2", "3"]]
)
def test_sizes_must_be_one_positive_integer_for_each_class(sizes):
    with pytest.raises(ParameterError, match="'sizes' parameter of ClassCounts must be 3 integers of at least 1"):
        ClassCounts(pd.DataFrame({"age": [1, 2, 3]}), sizes)


def test_no_classes_are_an_empty_table():
    counts = ClassCounts(people()[:0], [])
    assert metrics.discernibility(counts) == 0
    assert len(metrics.reidentification_risk(counts)) == len(metrics.equivalence_classes(counts).sizes) == 0
    for measure in (metrics.k_anonymity, metrics.attacker_risks, metrics.uniqueness, metrics.average_class_size):
        with pytest.raises(ValueError, match="no rows"):
            measure(counts)
    with pytest.raises(ValueError, match="no rows"):
        metrics.t_closeness(counts, "age", "debt")


def test_counted_classes_show_no_cell():
    assert repr(counted(people())) == f"<ClassCounts: {len(counted(people()).sizes)} classes of 400 records>"


@pytest.mark.parametrize(
    "use",
    [
        lambda counts, table: metrics.granularity(table, counts),
        lambda counts, table: metrics.association_matrix(counts),
        lambda counts, table: metrics.marginal_distances(counts, table),
        lambda counts, table: metrics.linkage_attack(counts, table, table, ("age", "town")),
        lambda counts, table: KAnonymizer(2).fit(counts),
        lambda counts, table: pd.DataFrame(np.asarray(counts)),
    ],
)
def test_what_looks_at_rows_refuses_counted_classes(use):
    with pytest.raises(TypeError, match="give the table itself"):
        use(counted(people()), people())


# Dask DataFrames


@pytest.fixture
def dask_frames():
    dask = pytest.importorskip("dask", reason="Dask is not installed (skdp[dask])")
    with dask.config.set({"scheduler": "synchronous", "dataframe.convert-string": False}):
        yield pytest.importorskip("dask.dataframe")


def in_parts(dataframe, parts):
    return dataframe.from_map(lambda number: parts[number], range(len(parts)), meta=parts[0].iloc[:0])


@st.composite
def partitions(draw):
    """Draw a table in partitions, some empty, whose dtypes are those of a reader that sees one partition alone."""
    size = draw(st.integers(1, 40))
    columns = {
        "age": st.sampled_from([20, 30, 40, None]),
        "town": st.sampled_from([*TOWNS, None]),
        "debt": st.sampled_from([1, 2, 5, None]),
        "size": st.sampled_from([*SIZES, None]),
        "zone": st.sampled_from([7, 8, 9, None]),
        "member": st.booleans(),
        "joined": st.sampled_from([pd.Timestamp("2020-01-01"), pd.Timestamp("2021-06-30"), None]),
        "code": st.sampled_from(["1", 1, "2", 2, None]),
    }
    table = {name: draw(st.lists(cells, min_size=size, max_size=size)) for name, cells in columns.items()}
    cuts = sorted(draw(st.lists(st.integers(0, size), max_size=5)))
    edges = [0, *cuts, size]
    texts = draw(st.lists(st.sampled_from(["str", "object", "string"]), min_size=len(edges), max_size=len(edges)))
    if draw(st.booleans()):
        texts = ["category"] * len(edges)
    parts = zip(edges, edges[1:], texts, strict=False)
    return [_read_alone({name: cells[low:high] for name, cells in table.items()}, text) for low, high, text in parts]


def _read_alone(columns, text):
    """Return a partition: integers where there is no gap, categories of the values that it has."""
    part = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    kinds = {name: float if part[name].isna().any() else int for name in ("age", "debt")}
    kinds |= {"size": pd.CategoricalDtype(SIZES, ordered=True), "member": bool, "joined": "datetime64[us]"}
    kinds |= {"town": _own_categories(part["town"], "str") if text == "category" else text}
    return part.astype(kinds | {"zone": _own_categories(part["zone"], "int64")})


def _own_categories(column, dtype):
    return pd.CategoricalDtype(pd.Index(column.dropna().unique(), dtype=dtype))


@QUICK
@given(
    parts=partitions(),
    sensitive=st.sampled_from(["debt", "town", "size", "zone", "member", "joined", "code"]),
    data=st.data(),
)
def test_measures_of_a_dask_table_are_those_of_the_table_collected(dask_frames, parts, sensitive, data):
    from skdp import distributed

    others = [name for name in parts[0] if name != sensitive]
    known = data.draw(st.lists(st.sampled_from(others), min_size=1, max_size=3, unique=True))
    table = in_parts(dask_frames, parts)
    collected = table.compute()
    counts = distributed.class_counts(table, [*known, sensitive])
    trees = sensitive == "town"
    expected = figures(collected, known, sensitive, trees=trees)
    assert not same(figures(counts, known, sensitive, trees=trees), expected)
    assert distributed.k_anonymity(table, known) == expected["k"]
    assert distributed.l_diversity(table, known, sensitive) == expected["distinct l"]


@pytest.mark.parametrize("bug", ["sizes of partitions are not added up", "partitions keep categories of their own"])
def test_classes_merged_wrongly_are_noticed(dask_frames, monkeypatch, bug):
    """The planted bugs; the zones of each partition are categories of numbers, which have no order."""
    from skdp import _partitions, distributed

    ages, zones = [[30, 30, 40], [40, 40, 30, 30]], [[7, 7, 8], [8, 9, 9, 9]]
    parts = [pd.DataFrame({"age": age, "zone": pd.Categorical(zone)}) for age, zone in zip(ages, zones, strict=True)]
    table = in_parts(dask_frames, parts)
    expected = figures(table.compute(), ["age"], "zone")
    assert not same(figures(distributed.class_counts(table), ["age"], "zone"), expected)
    if bug.startswith("sizes"):
        monkeypatch.setattr(_partitions, "tally", lambda codes, size, weights: np.bincount(codes, minlength=size))
    else:
        monkeypatch.setattr(_partitions, "common_table", lambda shapes: shapes[0].empty[[]])
    assert same(figures(distributed.class_counts(table), ["age"], "zone"), expected)


@pytest.mark.parametrize("sizes", [np.array([2**63, 1], dtype=np.uint64), np.array([2**62, 2**62])])
def test_sizes_that_no_sum_can_hold_are_refused(sizes):
    with pytest.raises(ParameterError, match="whose sum is below 2\\^63"):
        ClassCounts(pd.DataFrame({"Age": [31, 40]}), sizes)
    assert ClassCounts(pd.DataFrame({"Age": [31, 40]}), [2**62, 2**61]).sizes.sum() == 2**62 + 2**61
