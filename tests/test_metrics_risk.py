"""Risks from class sizes, and attacks carried out, against their definitions."""

import io
from itertools import combinations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import nbinom

from skdp import KAnonymizer, _checks, _frames, metrics
from skdp.metrics._comparisons import compared


def random_table(seed, rows=200):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({f"c{i}": rng.integers(0, 3 + i, rows) for i in range(4)}).astype({"c1": "str"})
    return table.assign(c3=table["c3"].where(table["c3"] > 0))


def test_reidentification_risk_is_one_over_the_class_size(table):
    risk = metrics.reidentification_risk(table, "group")
    assert risk.shape == (12,)
    assert risk[3] == 1  # the one row where the group is missing
    assert np.isclose(1 / risk, [5, 4, 5, 1, 4, 5, 2, 4, 5, 2, 4, 5]).all()
    assert len(metrics.reidentification_risk(random_table(0)[:0])) == 0


def test_prosecutor_risks():
    table = pd.DataFrame({"age": [1] * 5 + [2] * 4 + [np.nan]})
    risks = metrics.attacker_risks(table, threshold=0.2)
    assert risks.prosecutor == (1.0, pytest.approx(3 / 10), 0.5)
    assert risks.journalist == risks.prosecutor and risks.marketer == risks.prosecutor.mean
    assert risks.sample_uniques == 1


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_population_table_lowers_the_journalists_risk(library):
    population = pd.DataFrame({"age": [1.0] * 8 + [2.0] * 5 + [np.nan] * 4 + [9.0], "city": ["Oslo"] * 17 + [None]})
    sample = population.iloc[[0, 1, 8, 13, 17]].reset_index(drop=True)
    people = pl.from_pandas(population) if library == "polars" else population
    risks = metrics.attacker_risks(sample, ["age", "city"], population=people, threshold=0.2)
    assert risks.journalist == (1.0, pytest.approx((2 / 8 + 1 / 5 + 1 / 4 + 1) / 5), 2 / 5)
    assert risks.prosecutor.highest == 1.0 and risks.sample_uniques == 3


def test_rows_that_the_population_lacks_keep_the_prosecutors_risk():
    sample, people = pd.DataFrame({"age": [1, 1, 7]}), pd.DataFrame({"age": [1, 1, 1, 2]})
    assert metrics.attacker_risks(sample, population=people).journalist.mean == pytest.approx((2 / 3 + 1) / 3)


@pytest.mark.parametrize("size", [1, 2, 7, 50, 51])
@pytest.mark.parametrize("fraction", [0.05, 0.5, 1.0])
def test_the_estimated_risk_is_the_mean_over_negative_binomial_class_sizes(size, fraction):
    risk = metrics.attacker_risks(pd.DataFrame({"age": [1] * size}), sampling_fraction=fraction).journalist.highest
    more = np.arange(5000)
    assert risk == pytest.approx((nbinom.pmf(more, size, fraction) / (size + more)).sum())


def test_estimated_risks_of_large_classes_are_finite():
    risk = metrics.attacker_risks(pd.DataFrame({"age": [1] * 50_000}), sampling_fraction=0.01).journalist
    assert risk.highest == pytest.approx(0.01 / 50_000, rel=0.01)


def test_scenarios_weigh_the_risk():
    assert metrics.scenario_risks(0.5, metrics.SCENARIOS) == pytest.approx(
        {k: v / 2 for k, v in metrics.SCENARIOS.items()}
    )
    rows = metrics.scenario_risks([0.5, 1.0], metrics.SCENARIOS)
    assert rows["acquaintance"].tolist() == [0.15, 0.3]
    with pytest.raises(_checks.ParameterError, match="scenario 'breach', must be a number from 0 to 1. Got 2"):
        metrics.scenario_risks(0.5, {"breach": 2})
    with pytest.raises(ValueError, match="'risk' parameter"):
        metrics.scenario_risks([0.5, np.nan], metrics.SCENARIOS)


def plain_uniques(table):
    """Return, by choice of columns, where rows are unique, the plain way."""
    columns = list(table)
    choices = [list(choice) for size in range(1, len(columns) + 1) for choice in combinations(columns, size)]
    return {tuple(choice): ~table.duplicated(choice, keep=False).to_numpy() for choice in choices}


@pytest.mark.parametrize("seed", range(4))
def test_uniqueness_by_number_of_columns_known(seed):
    table = random_table(seed)
    shares = metrics.uniqueness(table)
    for size in range(1, 5):
        expected = [alone.mean() for choice, alone in plain_uniques(table).items() if len(choice) == size]
        found = shares.lowest[size - 1], shares.mean[size - 1], shares.highest[size - 1]
        assert found == pytest.approx((min(expected), np.mean(expected), max(expected)))
    assert metrics.uniqueness(table, max_known=2).mean == pytest.approx(shares.mean[:2])
    assert (np.diff(shares.highest) >= 0).all()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("max_size", [1, 3, 4])
def test_suda_finds_the_minimal_sample_uniques(seed, max_size):
    table = random_table(seed)
    unique = plain_uniques(table)
    counts = np.zeros((len(table), max_size), dtype=int)
    for choice, alone in unique.items():
        parts = [mask for part, mask in unique.items() if set(part) < set(choice)]
        if len(choice) <= max_size:
            counts[:, len(choice) - 1] += alone & ~np.any([np.zeros_like(alone), *parts], axis=0)
    result = metrics.suda(table, max_size=max_size)
    assert (result.counts == counts).all()
    assert ((result.scores > 0) == (counts.sum(axis=1) > 0)).all()
    weights = {1: [3], 3: [6, 2, 1], 4: [6, 2, 1, 1]}[max_size]
    assert (result.scores == counts @ weights).all()


def people(seed, rows=400):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "age": rng.integers(18, 90, rows), "income": rng.lognormal(3, 1, rows), "debt": rng.lognormal(1, 1, rows),
        "city": rng.choice(["Oslo", "Lima", None], rows), "illness": rng.choice(["flu", "gout", "mumps"], rows),
    })  # fmt: skip


@pytest.mark.parametrize("make", [pd.DataFrame, pl.from_pandas])
def test_a_table_released_as_it_is_gives_everyone_away(make):
    train, control = make(people(0)), make(people(1))
    inferred = metrics.inference_attack(train, train, control, ["age", "income", "city"], "illness")
    linked = metrics.linkage_attack(train, train, control, (["age", "income"], ["debt", "illness"]))
    for result in (inferred, linked):
        assert result.risk > 0.95 and result.low <= result.risk <= result.high <= 1
    assert inferred.control_rate == pytest.approx(1 / 3, abs=0.1)


def test_a_table_of_others_gives_nobody_away():
    """95 % intervals that leave 0 out: 20 seeds, both attacks, fail with a chance of about 1e-5 at 6 or more each."""
    misses = np.zeros(2, dtype=int)
    for seed in range(20):
        released, train, control = (people(3 * seed + i, 200) for i in range(3))
        inferred = metrics.inference_attack(released, train, control, ["age", "income"], "illness")
        linked = metrics.linkage_attack(released, train, control, ("age", ["debt"]), n_neighbors=3)
        misses += [inferred.low > 0, linked.low > 0]
    assert (misses < 6).all()


def compare(released, own):
    """Return what is 0 apart of a released column (rows) and known values (columns)."""
    return compared(*(_frames.read(pd.DataFrame({"x": column})) for column in (released, own)), "x")


@pytest.mark.parametrize("dtype", ["str", object, "category"])
@pytest.mark.parametrize(
    ("released", "own", "near"),
    [
        (["21 - 24", "30", "31.5 - 40 or missing", None], [23, 30, 25, np.nan], ["1000", "0100", "0000", "0011"]),
        (["24 and Under", "24 - 30", "30 and Over"], [-1e9, 24, 1e9], ["100", "110", "001"]),
        (["Under -2", "-2 - -1", "-1 and Over"], [-1.5, -3, 0], ["010", "100", "001"]),
        (
            ["2020-01-01 - 2020-02-01", "2020-03-01", None],
            pd.to_datetime(["2020-01-15", "2020-03-01", None]),
            ["100", "010", "001"],
        ),
        (["{Lima, Oslo}", "Oslo", "{X, missing}", None], ["Oslo", "Lima", None, "R"], ["1100", "1000", "0011", "0000"]),
        (["{a, b, c}", "{a, d}"], ["b, c", "a", "b"], ["10", "11", "10"]),
        (["{False, True}", "True"], [True, False], ["11", "10"]),
        (
            ["S - M", "M - L", "S", None],
            pd.Categorical(["M", "S", "L", None], ["S", "M", "L"], ordered=True),
            ["1100", "1010", "0100", "0001"],
        ),
    ],
)  # fmt: skip
def test_a_value_is_near_the_labels_that_hold_it(released, own, near, dtype):
    column = compare(pd.Series(released, dtype=dtype), own)
    found = column.distances(slice(None)) == 0
    assert ["".join(map(str, row.astype(int))) for row in found] == near


def test_ranges_are_as_far_as_their_nearer_end():
    column = compare(["0 - 2", "6 - 10"], [4.0, 5.0, 11.0])
    assert column.distances(slice(None)).tolist() == [[0.2, 0.2], [0.3, 0.1], [0.9, 0.1]]


def test_the_middle_of_a_range_is_guessed_and_no_set():
    first = np.zeros(3, dtype=int)
    assert compare(["10 - 20"], [15.0, 15.5, 17.0]).right(first, 0.05).tolist() == [True, True, False]
    assert compare(["{a, b}", "a"], ["a", "b", "c"]).right(first, 0.05).tolist() == [False] * 3
    assert compare(["{a, b}", "a"], ["a", "b", "c"]).right(first + 1, 0.05).tolist() == [True, False, False]


def test_text_that_is_no_range_of_the_known_numbers_is_an_error():
    with pytest.raises(ValueError, match="convert it first"):
        compare(["Lima", "Oslo"], [1.0, 2.0])


@pytest.mark.parametrize("make", [pd.DataFrame, pl.from_pandas])
@pytest.mark.parametrize("back", [False, True], ids=["labels", "text"])
def test_attackers_read_the_labels_of_a_release(make, back):
    """With k = 1 the release is the table; with classes of 100 an illness is guessed no better than of others."""
    train, control = people(0), people(1)
    known = ["age", "income", "city"]

    def attacked(k):
        released = KAnonymizer(k, quasi_identifiers=known).fit_transform(train)
        released = pd.read_csv(io.StringIO(released.to_csv(index=False))) if back else released
        return metrics.inference_attack(make(released), make(train), make(control), known, "illness")

    assert attacked(1).risk > 0.95
    assert attacked(100).high < 0.4
    released = KAnonymizer(1, quasi_identifiers=known).fit_transform(train)
    linked = metrics.linkage_attack(released, train, control, (["age", "income"], ["debt", "illness"]))
    assert linked.risk > 0.95


def test_rates_are_wilsons():
    table = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": list("wxyz")})
    result = metrics.inference_attack(table, table, table.assign(b="v"), "a", "b")
    z = 1.959964
    assert result.train_rate == pytest.approx((4 + z**2 / 2) / (4 + z**2), abs=1e-6)
    assert result.control_rate == pytest.approx(z**2 / 2 / (4 + z**2), abs=1e-6)
    expected = (result.train_rate - result.control_rate) / (1 - result.control_rate)
    assert result.risk == pytest.approx(expected)


def test_missing_values_are_guessed_as_values():
    table = pd.DataFrame({"a": [1.0, np.nan, 3.0] * 50, "b": [None, "x", "y"] * 50, "c": [1.0, 2.0, np.nan] * 50})
    assert metrics.inference_attack(table, table, table, "a", "b").train_rate > 0.98
    assert metrics.inference_attack(table, table, table, "a", "c").train_rate > 0.98


def test_bad_parameters_are_named():
    table = people(0, 20)
    checks = [
        (lambda: metrics.attacker_risks(table, threshold=2), "'threshold' .* from 0 to 1. Got 2"),
        (lambda: metrics.attacker_risks(table, sampling_fraction=0), "'sampling_fraction' .* Got 0"),
        (lambda: metrics.attacker_risks(table, population=table, sampling_fraction=0.5), "None where a population"),
        (lambda: metrics.attacker_risks(table, "age", population=table[["city"]]), "column 'age'"),
        (lambda: metrics.attacker_risks(table, "agee"), "did you mean 'age'"),
        (lambda: metrics.attacker_risks(table[:0]), "no rows"),
        (lambda: metrics.uniqueness(table[:0]), "no rows"),
        (lambda: metrics.uniqueness(table, []), "at least one column"),
        (lambda: metrics.suda(table, max_size=0), "at least 1. Got 0"),
        (lambda: metrics.linkage_attack(table, table, table, ["age"]), "a pair of lists"),
        (lambda: metrics.linkage_attack(table, table, table, ("age", "age")), "no column in common"),
        (lambda: metrics.linkage_attack(table, table[:0], table, ("age", "city")), "'train' table .* no rows"),
        (lambda: metrics.inference_attack(table, table, table, "age", "age"), "not among the known"),
        (lambda: metrics.inference_attack(table, table, table, "age", "city", tolerance=-1), "at least 0. Got -1"),
        (lambda: metrics.inference_attack(table, table, table, "age", "city", confidence=1), "below 1. Got 1"),
    ]
    for call, message in checks:
        with pytest.raises(ValueError, match=message):
            call()
