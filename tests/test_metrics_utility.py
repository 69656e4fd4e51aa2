"""What a masked table is still good for: against dython, SciPy, KAnonymizer's own figures, and definitions."""

import io
import itertools
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import TABLES
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdp import KAnonymizer, _frames, _levels, metrics
from skdp._checks import ParameterError
from skdp.binning import IntervalBinner, QuantileBinner
from skdp.metrics._models import _default_estimator, _trained_features

ADULT = Path(__file__).parents[2] / "shared/data/adult"
needs_adult = pytest.mark.skipif(not ADULT.exists(), reason="the Adult table is not here")
PAIRED = [
    metrics.association_rules_kept,
    metrics.granularity,
    metrics.marginal_distances,
    metrics.propensity_mse,
]


def mixed_table(seed, rows=400):
    rng = np.random.default_rng(seed)
    city = rng.choice(["Oslo", "Lima", "Kobe", "Bonn"], rows, p=[0.4, 0.3, 0.2, 0.1])
    job = np.where(rng.random(rows) < 0.4, city, rng.choice(["cook", "smith", "clerk"], rows))
    age = rng.integers(18, 80, rows)
    return pd.DataFrame({
        "city": city,
        "job": job,
        "gender": np.where(rng.random(rows) < 0.3 + 0.4 * (city == "Lima"), "f", "m"),
        "member": np.where(rng.random(rows) < 0.5, "yes", "no"),
        "age": age,
        "debt": (age * rng.random(rows)).round(3) + 20 * (city == "Oslo"),
    })  # fmt: skip


def with_gaps(table, seed=1, share=0.1):
    rng = np.random.default_rng(seed)
    return table.mask(rng.random(table.shape) < share)


def round_trip(table):
    return pd.read_csv(io.StringIO(table.to_csv(index=False)))


# Associations

# dython 0.7.12, associations(mixed_table(0))["corr"], upper triangle by row
CRAMER = [
    0.64245877540701, 0.28923211592051, 0.01653163527483, 0.03139681711658, 0.40337729790613,
    0.18987797528937, 0.04340744792714, 0.07457174500378, 0.23859255748688,
    0.0, 0.04692620659641, 0.11235304882538,
    0.00225854074082, 0.01757593645837,
    0.49139154490908,
]  # fmt: skip
# the same with nom_nom_assoc="theil", the four categories
THEIL = [
    [1.0, 0.41362908219601, 0.03418828591979, 0.00297292165767],
    [0.2928035671333, 1.0, 0.01363445825627, 0.00457389236195],
    [0.06699714372598, 0.03774431519226, 1.0, 0.00119305972488],
    [0.00576297737858, 0.0125251833823, 0.00118017571723, 1.0],
]
# dython 0.7.12 on the Adult table, in this order of columns
ADULT_COLUMNS = ["workclass", "education", "sex", "race", "occupation", "age", "salary-class"]
ADULT_CRAMER = [
    [1.0, 0.107562561238, 0.144324103269, 0.055705467717, 0.216178717413, 0.228265405309, 0.162675213234],
    [0.107562561238, 1.0, 0.088306105672, 0.072127750504, 0.196696382792, 0.215671271767, 0.366684852281],
    [0.144324103269, 0.088306105672, 1.0, 0.119490389346, 0.434870485803, 0.081992594683, 0.216543828104],
    [0.055705467717, 0.072127750504, 0.119490389346, 1.0, 0.081103512408, 0.03907423861, 0.099772833352],
    [0.216178717413, 0.196696382792, 0.434870485803, 0.081103512408, 1.0, 0.194961576391, 0.349046559954],
    [0.228265405309, 0.215671271767, 0.081992594683, 0.03907423861, 0.194961576391, 1.0, 0.241998136266],
    [0.162675213234, 0.366684852281, 0.216543828104, 0.099772833352, 0.349046559954, 0.241998136266, 1.0],
]


@pytest.mark.parametrize("kind", ["str", object, "category"])
def test_associations_equal_those_of_dython(kind):
    table = mixed_table(0).astype(dict.fromkeys(["city", "job", "gender", "member"], kind))
    matrix = metrics.association_matrix(table, yates=True)
    assert list(matrix) == list(matrix.index) == list(table)
    assert matrix.to_numpy()[np.triu_indices(6, 1)] == pytest.approx(CRAMER, abs=1e-12)
    assert matrix.to_numpy() == pytest.approx(matrix.to_numpy().T)
    assert (np.diag(matrix) == 1).all()
    theil = metrics.association_matrix(table, categorical="theils_u")
    assert theil.to_numpy()[:4, :4] == pytest.approx(np.array(THEIL), abs=1e-12)
    assert theil.to_numpy()[4:] == pytest.approx(matrix.to_numpy()[4:])


def test_associations_of_two_columns_do_not_depend_on_the_others(monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(_levels, "LARGE", 100)  # so that columns are read by threads, too
    table = pd.DataFrame({f"c{values}": rng.integers(0, values, 400).astype(str) for values in (2, 3, 4, 90)})
    table = table.assign(number=rng.normal(size=400), gaps=pd.Categorical(rng.choice(["a", None], 400), list("ba")))
    whole = metrics.association_matrix(table)
    for pair in itertools.combinations(table, 2):
        alone = metrics.association_matrix(table[list(pair)])
        np.testing.assert_allclose(whole.loc[list(pair), list(pair)], alone, atol=1e-12)


@needs_adult
def test_associations_equal_those_of_dython_on_adult():
    table = pd.read_csv(ADULT / "adult.csv", sep=";")
    matrix = metrics.association_matrix(table, ADULT_COLUMNS, yates=True)
    assert matrix.to_numpy() == pytest.approx(np.array(ADULT_CRAMER), abs=1e-11)


def drawn_table(seed):
    """Return a table drawn at random, size, columns and all, and the names of its categories."""
    rng = np.random.default_rng(seed)
    rows, table = int(rng.integers(20, 500)), {}
    base = rng.integers(0, 4, rows)
    for number in range(rng.integers(2, 5)):
        values = rng.integers(2, 7)
        cells = np.where(rng.random(rows) < rng.random(), base % values, rng.integers(0, values, rows))
        cells[:2] = [0, 1]  # at least two values
        table[f"category {number}"] = np.char.add("v", cells.astype(str))
    categories = list(table)
    for number in range(rng.integers(1, 4)):
        table[f"number {number}"] = rng.random() * base + rng.normal(size=rows)
    shuffled = rng.permutation(list(table))
    return pd.DataFrame(table)[shuffled], [name for name in shuffled if name in categories]


@pytest.mark.parametrize(("categorical", "kind"), [("cramers_v", "cramer"), ("theils_u", "theil")])
def test_associations_equal_those_of_dython_on_tables_drawn_at_random(categorical, kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dython = pytest.importorskip("dython.nominal", reason="dython is not installed")
        for seed in range(20):
            table, names = drawn_table(seed)
            theirs = dython.associations(table, names, nom_nom_assoc=kind, compute_only=True)["corr"].astype(float)
            ours = metrics.association_matrix(table, yates=True, categorical=categorical)
            pd.testing.assert_frame_equal(ours, theirs.loc[list(table), list(table)], atol=1e-12, obj=f"seed {seed}")


def test_two_copies_of_a_column_of_two_values_are_wholly_associated():
    """dython, by SciPy's default, corrects 2 × 2 tables for continuity, and says 0.77 of a column and its copy here."""
    table = pd.DataFrame({"a": list("xxxxxyyyyy"), "b": list("ppppprrrrr")})
    assert metrics.association_matrix(table, bias_correction=False).loc["a", "b"] == pytest.approx(1)
    assert metrics.association_matrix(table).loc["a", "b"] == pytest.approx(1)
    assert metrics.association_matrix(table, bias_correction=False, yates=True).loc["a", "b"] == pytest.approx(0.8)
    assert metrics.association_matrix(table, yates=True).loc["a", "b"] == pytest.approx(0.7714, abs=1e-4)


def test_what_is_associated_with_a_column_without_variety_is_0():
    table = mixed_table(0, 50).assign(one="x", five=5.0, none=None, nan=np.nan)
    for options in ({}, {"categorical": "theils_u"}, {"bias_correction": False}):
        matrix = metrics.association_matrix(table, **options)
        for column in ("one", "five", "none", "nan"):
            assert (matrix[column] == 0).all() and (matrix.loc[column] == 0).all()
        assert (np.diag(matrix)[:6] == 1).all()
    assert (metrics.association_matrix(table[:0]).to_numpy() == 0).all()
    assert (metrics.association_matrix(table[:1]).to_numpy() == 0).all()
    assert metrics.association_matrix(pd.DataFrame({"a": [0.1] * 7, "b": range(7)})).loc["a", "b"] == 0


def test_identifiers_leave_the_bias_correction_no_room():
    table = pd.DataFrame({"name": [f"n{i}" for i in range(30)], "city": ["Oslo", "Lima"] * 15})
    assert metrics.association_matrix(table).loc["name", "city"] == 0
    assert metrics.association_matrix(table, bias_correction=False).loc["name", "city"] == pytest.approx(1)


def test_a_missing_category_is_a_value_and_a_missing_number_is_left_out():
    table = mixed_table(0)
    rng = np.random.default_rng(0)
    gaps = table.assign(
        city=table["city"].where(table["city"] != "Lima"), debt=table["debt"].mask(rng.random(400) < 0.2)
    )
    spelled = gaps.assign(city=gaps["city"].fillna("?"))
    matrix = metrics.association_matrix(gaps)
    pd.testing.assert_frame_equal(matrix, metrics.association_matrix(spelled))
    present = gaps[gaps["debt"].notna()]
    kept = metrics.association_matrix(present)
    for column in ("city", "job", "gender", "member", "age"):
        assert matrix.loc["debt", column] == pytest.approx(kept.loc["debt", column])
    assert matrix.loc["debt", "age"] == pytest.approx(gaps["debt"].corr(gaps["age"]))
    infinite = gaps.assign(debt=gaps["debt"].fillna(np.inf))
    pd.testing.assert_frame_equal(metrics.association_matrix(infinite), matrix)


def test_correlation_that_only_exists_off_the_common_rows_is_0():
    table = pd.DataFrame({"a": [1, 1, 1, 5, np.nan], "b": [3, 4, 5, np.nan, 9]})
    assert metrics.association_matrix(table).loc["a", "b"] == 0


def test_huge_and_tiny_numbers_neither_overflow_nor_vanish():
    table = pd.DataFrame({"a": [1e200, 2e200, 4e200], "b": [1e-200, 2e-200, 3e-200]})
    assert metrics.association_matrix(table).loc["a", "b"] == pytest.approx(np.corrcoef([1, 2, 4], [1, 2, 3])[0, 1])


def test_ranges_and_booleans_are_categories_and_dates_numbers():
    table = mixed_table(0)
    binned = QuantileBinner(3, columns="age").fit_transform(table)
    as_text = binned.assign(age=binned["age"].astype(str))
    pd.testing.assert_frame_equal(metrics.association_matrix(binned), metrics.association_matrix(as_text))
    days = table.assign(age=np.datetime64("2020-01-01") + table["age"].to_numpy().astype("timedelta64[D]"))
    pd.testing.assert_frame_equal(metrics.association_matrix(days), metrics.association_matrix(table))
    flags = table.assign(member=table["member"] == "yes")
    pd.testing.assert_frame_equal(metrics.association_matrix(flags), metrics.association_matrix(table))


@pytest.mark.parametrize("gaps", [False, True])
def test_counting_by_combinations_of_categories_is_counting_by_rows(monkeypatch, gaps):
    table = with_gaps(mixed_table(0, 3000)) if gaps else mixed_table(0, 3000)
    for options in ({}, {"categorical": "theils_u"}):
        quick = metrics.association_matrix(table, **options)
        with monkeypatch.context() as patch:
            patch.setattr("skdp.metrics._associations.collapse", lambda columns: columns)
            plain = metrics.association_matrix(table, **options)
        assert quick.to_numpy() == pytest.approx(plain.to_numpy(), abs=1e-12)


def falling(seed=0, rows=2000):
    """Return a table in which a 0/1 column, and numbers, fall with age."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, rows)
    default = (rng.random(rows) < 1.1 - age / 70).astype(int)
    return pd.DataFrame({"age": age, "default": default, "debt": 100.0 - age + rng.normal(0, 30, rows)})


@pytest.mark.parametrize("library", [lambda table: table, pl.from_pandas])
def test_strengths_are_compared_where_ranges_take_the_place_of_numbers(library):
    table = falling()
    released = IntervalBinner({"age": [24, 34, 44, 54, 64]}).fit_transform(table)
    before, after = metrics.association_matrices(library(table), library(released))
    plain = metrics.association_matrix(table), metrics.association_matrix(released)
    assert plain[0].loc["age", "default"] < -0.4 and plain[1].loc["age", "default"] > 0.4
    assert before.loc["age", "default"] == -plain[0].loc["age", "default"]
    assert after.loc["age", "default"] == plain[1].loc["age", "default"]
    assert (after - before).abs().to_numpy().max() < 0.03
    assert (plain[1] - plain[0]).abs().to_numpy().max() > 0.8  # what the signed measure less the unsigned one says
    assert before.loc["debt", "default"] == plain[0].loc["debt", "default"]


def test_a_flipped_sign_of_two_numbers_shows():
    table = falling()
    before, after = metrics.association_matrices(table, table.assign(debt=-table["debt"]))
    assert after.loc["age", "debt"] == pytest.approx(-before.loc["age", "debt"])
    assert before.loc["age", "debt"] < -0.3
    days = table.assign(age=np.datetime64("2020-01-01") + table["age"].to_numpy().astype("timedelta64[D]"))
    pd.testing.assert_frame_equal(metrics.association_matrices(days, table)[0], before)


def test_two_matrices_are_of_the_columns_asked_for_with_the_measure_asked_for():
    table = mixed_table(0)
    released = table[table.columns[::-1]].head(300)
    before, after = metrics.association_matrices(table, released, ["job", "city"], categorical="theils_u")
    assert list(before) == list(after) == list(after.index) == ["job", "city"]
    pd.testing.assert_frame_equal(after, metrics.association_matrix(released, ["job", "city"], categorical="theils_u"))
    with pytest.raises(ParameterError, match="association_matrices needs the column 'city'.*'released'"):
        metrics.association_matrices(table, table.drop(columns="city"))
    with pytest.raises(ParameterError, match="did you mean 'city'"):
        metrics.association_matrices(table, table, "cty")


# Rules


def brute_rules(table, min_support, min_confidence):
    """Return the lift of rules of one item and one item, the plain way."""
    cells = {(column, value): table[column] == value for column in table for value in table[column].unique()}
    found = {}
    for one, first in cells.items():
        for other, second in cells.items():
            support = (first & second).mean()
            if one[0] != other[0] and support >= min_support and support / first.mean() >= min_confidence:
                found[one, other] = support / first.mean() / second.mean()
    return found


def test_rules_kept_are_those_counted_by_hand():
    old, new = mixed_table(0)[["city", "job", "gender"]], mixed_table(1)[["city", "job", "gender"]]
    new = new.assign(gender=new["gender"].where(new["city"] != "Lima", "f"))
    kept = metrics.association_rules_kept(old, new, min_support=0.05, min_confidence=0.5, max_len=2)
    before, after = brute_rules(old, 0.05, 0.5), brute_rules(new, 0.05, 0.5)
    common = before.keys() & after.keys()
    assert kept[3:] == (len(before), len(after), len(common))
    assert kept.precision == len(common) / len(after)
    assert kept.recall == len(common) / len(before)
    assert 0 < len(common) < len(before)
    assert kept.lift_drift == pytest.approx(np.mean([abs(before[rule] - after[rule]) for rule in common]))


def test_a_copy_keeps_all_rules_and_longer_rules_are_found():
    table = with_gaps(mixed_table(0)[["city", "job", "gender"]])
    kept = metrics.association_rules_kept(table, table, min_support=0.02, min_confidence=0.3)
    assert kept[:3] == (1, 1, 0)
    assert kept.n_original > metrics.association_rules_kept(table, table, min_support=0.02, max_len=2).n_original


def test_missing_values_are_items():
    table = pd.DataFrame({"city": ["Oslo", "Oslo", None, None], "sea": ["y", "y", None, None]})
    assert metrics.association_rules_kept(table, table).n_original == 4
    assert metrics.association_rules_kept(table, table.fillna("?")).n_common == 2


def test_without_rules_means_are_nan():
    table = pd.DataFrame({"name": list("abcdefgh"), "other": list("hgfedcba")})
    kept = metrics.association_rules_kept(table, table, min_support=0.5)
    assert kept[3:] == (0, 0, 0) and np.isnan(kept[:3]).all()
    ruled = pd.DataFrame({"name": ["a"] * 8, "other": ["b"] * 8})
    assert metrics.association_rules_kept(ruled, table, min_support=0.5).recall == 0
    assert np.isnan(metrics.association_rules_kept(ruled, table, min_support=0.5).precision)
    assert np.isnan(metrics.association_rules_kept(table, ruled, min_support=0.5).recall)


def test_ranges_share_no_rule_with_numbers_unless_both_are_binned():
    table = mixed_table(0)
    binner = QuantileBinner(3, columns="age").fit(table)
    table = table.assign(job=np.where(table["age"] < 35, "cook", "clerk"))[["age", "job"]]
    released = QuantileBinner(3).fit_transform(table[["age"]]).assign(job=table["job"])
    assert metrics.association_rules_kept(table, released, min_support=0.001).n_common == 0
    binned = IntervalBinner({"age": binner.edges_["age"].tolist()}).fit(table)
    both = metrics.association_rules_kept(binned.transform(table), binned.transform(table))
    assert both.n_common > 0


# Granularity

REGIONS = {
    "Lima": ["Peru", "America", "World"], "Cusco": ["Peru", "America", "World"],
    "Quito": ["Ecuador", "America", "World"], "Oslo": ["Norway", "Europe", "World"],
    "Bonn": ["Germany", "Europe", "World"], "Kiel": ["Germany", "Europe", "World"],
}  # fmt: skip
QUASI = ["age", "debt", "town", "member", "born", "size"]


def people(seed=0, size=300, gaps=True):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({
        "age": rng.integers(18, 90, size).astype(float),
        "debt": rng.normal(0, 1e-3, size),
        "town": rng.choice(list(REGIONS), size, p=[0.4, 0.2, 0.2, 0.1, 0.06, 0.04]),
        "member": rng.choice([True, False], size),
        "born": np.datetime64("1950-01-01") + rng.integers(0, 20_000, size),
        "size": pd.Categorical(rng.choice(list("SML"), size), categories=list("SML"), ordered=True),
        "illness": rng.choice(["flu", "cold", "gout", "none"], size),
    })  # fmt: skip
    for column in ("age", "town", "born", "size") if gaps else ():
        table.loc[rng.random(size) < 0.08, column] = None
    return table


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("trees", [None, {"town": REGIONS}])
@pytest.mark.parametrize("k", [2, 7])
def test_granularity_is_what_the_anonymizer_says(k, trees, gaps):
    table = people(k, gaps=gaps)
    step = KAnonymizer(k, quasi_identifiers=QUASI, hierarchies=trees)
    released = step.fit_transform(table)
    for seen in (released, round_trip(released), pl.from_pandas(released), released[released.columns[::-1]]):
        assert metrics.granularity(table, seen, QUASI, hierarchies=trees) == pytest.approx(step.granularity_, abs=1e-12)


@pytest.mark.parametrize("trees", [None, {"town": REGIONS}])
@pytest.mark.parametrize("seed", [5, 7])
def test_a_suppressed_row_covers_everything_in_each_cell_missing_ones_included(seed, trees):
    table = people(seed)
    step = KAnonymizer(7, quasi_identifiers=QUASI, hierarchies=trees, max_suppression=0.1)
    released = step.fit_transform(table)
    out = released[QUASI].isna().all(axis=1)
    assert out.sum() == step.n_suppressed_ > 0
    assert table.loc[out, QUASI].isna().any(axis=None)
    for seen in (released, round_trip(released)):
        assert metrics.granularity(table, seen, QUASI, hierarchies=trees) == pytest.approx(step.granularity_, abs=1e-12)


@needs_adult
@pytest.mark.parametrize("with_trees", [False, True])
def test_granularity_is_what_the_anonymizer_says_on_adult(with_trees):
    table = pd.read_csv(ADULT / "adult.csv", sep=";")
    quasi = [column for column in table if column != "occupation"]
    trees = {
        column: pd.read_csv(ADULT / f"adult_hierarchy_{column}.csv", sep=";", header=None, dtype=str)
        for column in quasi
        if with_trees and column != "age"
    }
    step = KAnonymizer(5, quasi_identifiers=quasi, hierarchies=trees)
    released = step.fit_transform(table)
    for seen in (released, round_trip(released)):
        assert metrics.granularity(table, seen, quasi, hierarchies=trees) == pytest.approx(step.granularity_, abs=1e-12)


def test_a_planted_slip_in_the_release_is_noticed():
    """Each label one value wider: what no figure learned by the anonymizer itself could show."""
    table = people(0, gaps=False)
    step = KAnonymizer(5, quasi_identifiers=["age"])
    released = step.fit_transform(table)
    wider = released["age"].astype(str).str.replace(r"^\d+", "18", regex=True)
    assert metrics.granularity(table, released, "age") == pytest.approx(step.granularity_)
    assert metrics.granularity(table, released.assign(age=wider), "age") < step.granularity_ - 0.1


@pytest.mark.parametrize("make", TABLES)
def test_granularity_reads_every_library(make):
    table = make()
    quasi = ["age", "income", "city", "group", "member", "joined"]
    step = KAnonymizer(3, quasi_identifiers=quasi)
    released = step.fit_transform(table)
    assert metrics.granularity(table, released, quasi) == pytest.approx(step.granularity_)
    assert metrics.granularity(table, table) == 1


def test_means_of_classes_cover_the_values_that_share_them():
    table = people(3, gaps=False)
    for labels in ("interval", "mean"):
        step = KAnonymizer(5, quasi_identifiers=["age", "debt", "town"], labels=labels)
        released = step.fit_transform(table)
        assert metrics.granularity(table, released, ["debt", "town"]) == pytest.approx(
            1 - np.mean([covered(table, released, "debt"), set_covered(table, released)])
        )
    gaps = table.assign(debt=table["debt"].mask(np.arange(300) % 9 == 0))  # no two classes have one mean
    step = KAnonymizer(5, quasi_identifiers=["debt", "town"], labels="mean")
    released = step.fit_transform(gaps)
    assert metrics.granularity(gaps, released, ["debt", "town"]) == pytest.approx(step.granularity_)


def covered(table, released, column):
    spans = table[column].groupby(released[column], observed=True).transform(np.ptp)
    return (spans / np.ptp(table[column])).mean()


def set_covered(table, released):
    return ((released["town"].str.count(", ")) / (table["town"].nunique() - 1)).mean()


def test_bins_are_read_with_their_open_ends():
    table = pd.DataFrame({"age": [20.0, 24.0, 30.0, 50.0, 60.0, 70.0]})
    binner = IntervalBinner({"age": [24, 34, 64]})
    covers = np.array([4, 4, 10, 30, 30, 6]) / 50
    for closed, widths in (("right", covers), ("left", np.array([4, 10, 10, 30, 30, 6]) / 50)):
        released = binner.set_params(closed=closed).fit_transform(table)
        for seen in (released, round_trip(released), pl.from_pandas(released)):
            assert metrics.granularity(table, seen) == pytest.approx(1 - widths.mean())
    own = IntervalBinner({"age": [24, 34, 64]}, labels=["young", "fair", "late", "old"]).fit_transform(table)
    assert metrics.granularity(table, own) == pytest.approx(1 - np.mean([4, 4, 0, 10, 10, 0]) / 50)


@pytest.mark.parametrize("labels", ["interval", "mean", "rank"])
@pytest.mark.parametrize("encode", ["label", "ordinal"])
def test_learned_bins_are_read(labels, encode):
    table = people(5)[["age"]]
    binner = QuantileBinner(4, labels=labels, encode=encode)
    released = binner.fit_transform(table)
    edges = np.concatenate([[table["age"].min()], binner.edges_["age"], [table["age"].max()]])
    ranks = QuantileBinner(4, encode="ordinal").fit_transform(table)["age"]
    if labels == "interval" and encode == "label":
        widths = ranks.map(dict(enumerate(np.diff(edges)))).astype(float)
    else:
        widths = table["age"].groupby(ranks).transform(np.ptp)
    expected = 1 - (widths.fillna(0) / np.ptp(table["age"].dropna())).mean()
    assert metrics.granularity(table, released) == pytest.approx(expected)
    assert metrics.granularity(table, round_trip(released)) == pytest.approx(expected)


def test_suppressed_cells_cover_everything_and_missing_ones_stay():
    table = pd.DataFrame({"age": [1.0, 2.0, np.nan, 4.0], "town": ["a", "b", "c", "d"]})
    assert metrics.granularity(table, table) == 1
    assert metrics.granularity(table, table.assign(town=[None, "b", "c", "d"])) == 1 - 1 / 8
    masked = table.mask(np.repeat([[True], [False], [True], [False]], 2, axis=1))
    assert metrics.granularity(table, masked) == 1 - 4 / 8
    assert metrics.granularity(table, table.assign(age=None, town=None)) == 0


def test_columns_without_variety_lose_nothing_but_by_suppression():
    table = pd.DataFrame({"one": ["x"] * 3, "five": [5.0] * 3, "none": [None] * 3, "nan": [np.nan] * 3})
    assert metrics.granularity(table, table) == 1
    assert metrics.granularity(table, table.assign(five=[np.nan, 5, 5]), "five") == pytest.approx(2 / 3)


def test_values_that_look_like_labels_are_read_soundly():
    """A cell spelled as it was is untouched; of two readings, the one that covers more is taken."""
    towns = ["{a, b}", "a", "b", "c, d", "c", "d"]
    table = pd.DataFrame({"town": towns})
    assert metrics.granularity(table, table) == 1
    released = table.assign(town=["{a, b}", "{a, b}", "{a, b}", "{c, d}", "{c, d, missing}", "d"])
    # "{c, d}" is the two values c and d, "{c, d, missing}" is no set, as nothing is missing: its rows' own values
    assert metrics.granularity(table, released) == pytest.approx(1 - np.mean([0, 1, 1, 1, 0, 0]) / 5)
    cities = pd.DataFrame({"town": ["Lima, Peru", "Oslo, Norway", "Bonn", "Bonn"]})
    pair = cities.assign(town=["{Lima, Peru, Oslo, Norway}"] * 2 + ["Bonn"] * 2)
    assert metrics.granularity(cities, pair) == pytest.approx(1 - 0.5 / 2)


def test_ordered_categories_may_hold_the_dash_of_ranges():
    bins = ["24 and Under", "24 - 34", "34 - 44", "44 and Over"]
    table = pd.DataFrame({"age": pd.Categorical(bins, categories=bins, ordered=True)})
    released = ["24 and Under - 34 - 44"] * 3 + ["44 and Over"]
    assert metrics.granularity(table, pd.DataFrame({"age": released})) == pytest.approx(1 - 3 * 2 / 3 / 4)


def test_nodes_are_read_by_name_and_strange_ones_refused():
    table = pd.DataFrame({"town": ["Lima", "Cusco", "Quito", None]})
    released = pd.DataFrame({"town": ["Peru", "Peru", "Quito", "World"]})
    assert metrics.granularity(table, released, hierarchies={"town": REGIONS}) == pytest.approx(1 - (0.4 + 1) / 4)
    with pytest.raises(ValueError, match="Column 'town' .* holds 2 labels that are no nodes") as caught:
        metrics.granularity(table, released.replace("Peru", "Chile"), hierarchies={"town": REGIONS})
    assert "Chile" not in str(caught.value)
    with pytest.raises(ParameterError, match="'hierarchies' parameter of granularity must"):
        metrics.granularity(table, released, hierarchies={"town": {"Lima": ["Peru", "World"]}})


def test_infinite_numbers_stand_at_the_ends():
    table = pd.DataFrame({"debt": [-np.inf, 0.0, 5.0, 10.0, np.inf]})
    step = KAnonymizer(2)
    released = step.fit_transform(table)
    assert metrics.granularity(table, round_trip(released)) == pytest.approx(step.granularity_)


# Classes


def test_discernibility_and_class_size_by_hand():
    table = pd.DataFrame({"age": [1, 1, 1, 2, 2, None], "town": ["a", "a", "a", "b", "b", None]})
    assert metrics.discernibility(table) == 9 + 4 + 1
    assert metrics.discernibility(table, suppressed="missing") == 9 + 4 + 6
    assert metrics.discernibility(table, suppressed=np.arange(6) < 1) == 4 + 4 + 1 + 6
    assert metrics.discernibility(table, "age", suppressed=[False] * 6) == 14
    assert metrics.average_class_size(table) == 2
    assert metrics.average_class_size(table, "age", k=2) == 1
    assert metrics.discernibility(table[:0]) == 0
    for wrong in ("none", [True], np.zeros(6)):
        with pytest.raises(ParameterError, match="'suppressed' parameter of discernibility"):
            metrics.discernibility(table, suppressed=wrong)
    with pytest.raises(ParameterError, match="'k' parameter"):
        metrics.average_class_size(table, k=0)


def test_discernibility_of_a_k_anonymous_table_counts_its_classes():
    step = KAnonymizer(5, quasi_identifiers=QUASI, max_suppression=0.1)
    released = step.fit_transform(people(0))
    classes = metrics.equivalence_classes(released[released[QUASI].notna().any(axis=1)], QUASI).sizes
    expected = (classes**2).sum() + step.n_suppressed_ * 300
    assert metrics.discernibility(released, QUASI, suppressed="missing") == expected


# Marginal distributions


@pytest.mark.parametrize("seed", range(4))
def test_marginal_distances_equal_those_of_scipy(seed):
    rng = np.random.default_rng(seed)
    old = with_gaps(mixed_table(seed), share=0.1 * (seed % 2))
    new = with_gaps(mixed_table(seed + 10, 300), seed=seed, share=0.15 * (seed % 2))
    new["age"] = new["age"] // 3 * 3 + rng.integers(0, 2)  # ties within and between the tables
    distances = metrics.marginal_distances(old, new)
    assert list(distances.index) == list(old)
    for column in ("age", "debt"):
        ours, theirs = old[column].dropna(), new[column].dropna()
        moved = wasserstein_distance(ours, theirs)
        assert distances.loc[column, "wasserstein"] == pytest.approx(moved)
        assert distances.loc[column, "wasserstein_normalised"] == pytest.approx(moved / np.ptp(ours))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SciPy's exact p-value, which is not looked at
            expected = ks_2samp(old[column].fillna(1e9), new[column].fillna(1e9)).statistic
        assert distances.loc[column, "kolmogorov_smirnov"] == pytest.approx(expected)
        assert distances.loc[column, "missing"] == pytest.approx(
            abs(old[column].isna().mean() - new[column].isna().mean())
        )
    for column in ("city", "job"):
        shares = [table[column].value_counts(normalize=True, dropna=False) for table in (old, new)]
        expected = shares[0].sub(shares[1], fill_value=0).abs().sum() / 2
        assert distances.loc[column, "total_variation"] == pytest.approx(expected)
    assert distances["total_variation"].isna().tolist() == [False] * 4 + [True] * 2
    assert distances["wasserstein"].isna().tolist() == [True] * 4 + [False] * 2


def test_a_copy_has_not_moved_and_strangers_are_as_far_as_can_be():
    table = with_gaps(mixed_table(0))
    assert (metrics.marginal_distances(table, table).fillna(0) == 0).all(axis=None)
    far = metrics.marginal_distances(pd.DataFrame({"a": ["x"], "b": [1.0]}), pd.DataFrame({"a": ["y"], "b": [5.0]}))
    assert far.loc["a", "total_variation"] == far.loc["b", "kolmogorov_smirnov"] == 1
    assert far.loc["b", "wasserstein"] == 4 and far.loc["b", "wasserstein_normalised"] == np.inf


def test_missing_and_infinite_numbers_have_a_place():
    old = pd.DataFrame({"a": [0.0, 10.0, np.inf, 5.0]})
    assert metrics.marginal_distances(old, pd.DataFrame({"a": [0.0, 10.0, 10.0, 5.0]})).loc["a", "wasserstein"] == 0
    gone = metrics.marginal_distances(old, pd.DataFrame({"a": [np.nan] * 3})).loc["a"]
    assert np.isnan(gone["wasserstein"]) and gone["kolmogorov_smirnov"] == 1 and gone["missing"] == 1
    half = metrics.marginal_distances(old, pd.DataFrame({"a": [0.0, 10.0, 10.0, 5.0] + [np.nan] * 4})).loc["a"]
    assert half["wasserstein"] == 0 and half["kolmogorov_smirnov"] == 0.5


def test_a_column_of_gaps_is_of_the_other_tables_kind():
    gaps = pd.DataFrame({"a": [None] * 4, "label": list("xyxy")})
    words, numbers = gaps.assign(a=list("pqpq")), gaps.assign(a=range(4))
    for one, other in ((gaps, words), (words, gaps)):
        assert metrics.marginal_distances(one, other).loc["a", "total_variation"] == 1
    for one, other in ((gaps, numbers), (numbers, gaps)):
        assert metrics.marginal_distances(one, other).loc["a", "kolmogorov_smirnov"] == 1
    assert metrics.marginal_distances(gaps, gaps).loc["a", "missing"] == 0
    for seen in (words, numbers):
        scores = metrics.train_on_release_test_on_real(gaps, seen, "label", estimator=TREE, cv=2, random_state=0)
        assert scores.n_tested == 4


def test_ranges_stand_at_their_midpoints_and_dates_are_days():
    table = pd.DataFrame({"age": [20.0, 30.0, 40.0, 60.0]})
    released = pd.DataFrame({"age": ["20 - 30", "20 - 30", "30 and Over or missing", "60"]})
    expected = wasserstein_distance([20, 30, 40, 60], [25, 25, 45, 60])
    assert metrics.marginal_distances(table, released).loc["age", "wasserstein"] == pytest.approx(expected)
    days = pd.DataFrame({"born": pd.to_datetime(["2020-01-01", "2020-01-03"])})
    moved = metrics.marginal_distances(days, days + pd.Timedelta(days=2))
    assert moved.loc["born", "wasserstein"] == 2 and moved.loc["born", "wasserstein_normalised"] == 1


# Models


def test_a_copy_is_not_told_apart_and_a_stranger_is():
    """400 rows each; a second sample's ratio is about 1, and 3 is far beyond what ten lots have ever shown."""
    table = with_gaps(mixed_table(0))
    copy = metrics.propensity_mse(table, table, random_state=0, n_permutations=3)
    assert copy.pmse < 1e-3 and copy.ratio < 0.2
    second = metrics.propensity_mse(table, with_gaps(mixed_table(1), 2), random_state=0, n_permutations=3)
    assert 0.3 < second.ratio < 3
    assert second.ratio == second.pmse / second.expected
    planted = mixed_table(1).assign(debt=mixed_table(1)["debt"].sample(frac=1, random_state=0).to_numpy() * 3)
    strange = metrics.propensity_mse(table, planted, random_state=0, n_permutations=3)
    assert strange.ratio > 3
    labels = KAnonymizer(5).fit_transform(mixed_table(0))
    assert 0.2 < metrics.propensity_mse(table, labels, random_state=0, n_permutations=1).pmse <= 0.25


def test_propensities_may_come_from_any_classifier():
    model = make_pipeline(StandardScaler(), LogisticRegression())
    table = with_gaps(mixed_table(0))
    error = metrics.propensity_mse(table, table.assign(age=table["age"] + 60), ["age"], estimator=model, random_state=0)
    assert error.pmse > 0.1 and error.ratio > 10
    assert error == metrics.propensity_mse(
        table, table.assign(age=table["age"] + 60), ["age"], estimator=model, random_state=0
    )
    fewer = metrics.propensity_mse(table, table[:100], estimator=model, random_state=0)
    assert fewer.pmse < 0.05
    with pytest.raises(ParameterError, match="'estimator' parameter .* predict_proba"):
        metrics.propensity_mse(table, table, estimator="tree")


def test_constant_tables_cannot_be_told_apart():
    table = pd.DataFrame({"a": [1.0] * 20, "b": [None] * 20})
    error = metrics.propensity_mse(table, table, random_state=0)
    assert error.pmse < 1e-3


TREE = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
REGRESSION = DecisionTreeRegressor(min_samples_leaf=5, random_state=0)


def trained(original, released, target, **options):
    """Return the scores of trees, which are faster than boosting."""
    estimator = REGRESSION if target == "income" else TREE
    return metrics.train_on_release_test_on_real(
        original, released, target, **{"estimator": estimator, "cv": 2, "random_state": 0, **options}
    )


def retirement(seed, rows=500):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, rows)
    return pd.DataFrame({
        "age": age,
        "town": rng.choice(["Lima", "Oslo", "Bonn"], rows),
        "income": (age * 2.0 + rng.normal(0, 5, rows)).round(2),
        "retired": np.where(age > 65, "yes", "no"),
    })  # fmt: skip


@pytest.mark.parametrize("held_out", [False, True])
def test_a_model_learns_from_ranges_what_numbers_would_teach(held_out):
    table = retirement(0)
    test = retirement(1) if held_out else None
    released = KAnonymizer(10, quasi_identifiers=["age", "town"]).fit_transform(table)
    for seen in (released, round_trip(released), pl.from_pandas(released)):
        scores = trained(table, seen, "retired", test=test)
        assert scores.original > 0.97 and 0.85 < scores.released <= scores.original
        assert scores.n_tested == 500
    shuffled = released.assign(retired=released["retired"].sample(frac=1, random_state=0).to_numpy())
    spoiled = trained(table, shuffled, "retired", test=test)
    assert spoiled.released < 0.8


def test_a_copy_teaches_as_much_as_the_original():
    table = with_gaps(retirement(0))
    for target in ("retired", "income", "town"):
        scores = trained(table, table, target)
        assert scores.released == scores.original
    assert scores.n_tested == 500
    scores = trained(table, table, "income")
    assert scores.n_tested == table["income"].notna().sum()


def test_folds_test_rows_that_no_model_has_seen():
    """A table whose rows are pure chance: a model that had seen them would know them by heart."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.random(300), "label": rng.choice(["x", "y"], 300)})
    scores = trained(table, table, "label", estimator=KNeighborsClassifier(1))
    assert scores.released == scores.original < 0.65
    known = trained(table, table, "label", test=table, estimator=KNeighborsClassifier(1))
    assert known == (1, 1, 300)


def test_by_default_models_are_boosted_trees():
    table = retirement(0, 100)
    scores = metrics.train_on_release_test_on_real(table, table, "retired", test=retirement(1, 50), random_state=0)
    assert 0.9 < scores.released == scores.original <= 1
    kinds = [type(_default_estimator(is_number, np.random.RandomState(0))).__name__ for is_number in (False, True)]
    assert kinds == ["HistGradientBoostingClassifier", "HistGradientBoostingRegressor"]


def test_rare_categories_share_a_column():
    names = [f"n{number:03}" for number in range(300)]
    table = _frames.read(pd.DataFrame({"name": names[150:] * 2 + names}))
    (features,) = _trained_features([table], ["name"])
    assert features.shape == (600, 102)
    assert (features.sum(axis=1) == 1).all()
    assert features[:, 100].sum() == 50 * 3 + 150 and features[:, 101].sum() == 0


def test_sets_give_each_member_a_share():
    table = _frames.read(pd.DataFrame({"town": ["Lima", "Oslo", "Bonn", None]}))
    released = _frames.read(pd.DataFrame({"town": ["{Lima, Oslo}", "{Bonn, missing}", "Europe", None]}))
    ours, theirs = _trained_features([table, released], ["town"])  # Bonn, Lima, Oslo, missing
    assert ours.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    assert theirs.tolist() == [[0, 0.5, 0.5, 0], [0.5, 0, 0, 0.5], [0, 0, 0, 1], [0, 0, 0, 1]]


def test_scoring_and_regression_targets():
    table = retirement(0)
    binned = IntervalBinner({"income": [50, 100, 150]}).fit_transform(table)
    scores = trained(table, binned, "income", scoring="neg_mean_absolute_error")
    assert -30 < scores.released < scores.original < 0
    scores = trained(table, table, "retired", scoring="roc_auc")
    assert scores.original > 0.99
    own = trained(table, table, "retired", scoring=lambda model, X, y: len(y))
    assert own.original == 250


def test_targets_that_teach_nothing_are_named():
    table = retirement(0, 60)
    with pytest.raises(ValueError, match="target 'retired' holds 1 values"):
        trained(table, table.assign(retired="no"), "retired")
    with pytest.raises(ValueError, match="row by row.*give real rows as 'test'"):
        trained(table, table[:50], "retired")
    with pytest.raises(ParameterError, match="'target' parameter"):
        trained(table, table, ["retired"])
    with pytest.raises(ParameterError, match="did you mean 'retired'"):
        trained(table, table, "retird")


# All of them


def polars_of(table):
    """Return a table in polars, its ordered categories an Enum, which they would otherwise not become."""
    return pl.from_pandas(table).with_columns(pl.col("size").cast(pl.String).cast(pl.Enum(list("SML"))))


def outcomes(original, released, columns):
    """Return what every measure says of two tables, as one array."""
    rules = metrics.association_rules_kept(original, released, columns=columns, min_support=0.1, max_len=2)
    matrix = metrics.association_matrix(original, columns).loc[sorted(columns), sorted(columns)]
    distances = metrics.marginal_distances(original, released, columns).loc[sorted(columns)]
    figures = [*rules, metrics.granularity(original, released, columns), metrics.discernibility(released, columns)]
    figures.append(metrics.average_class_size(released, columns))
    return np.concatenate([figures, matrix.to_numpy().ravel(), distances.to_numpy().ravel()])


@pytest.mark.parametrize("gaps", [False, True])
def test_nothing_depends_on_library_or_on_the_order_of_rows_or_columns(gaps):
    table = people(0, gaps=gaps)
    released = KAnonymizer(6, quasi_identifiers=QUASI).fit_transform(table)
    expected = outcomes(table, released, QUASI)
    order = np.random.default_rng(0).permutation(len(table))
    same = [
        outcomes(table.iloc[order], released.iloc[order], QUASI),
        outcomes(table[table.columns[::-1]], released, QUASI[::-1]),
        outcomes(polars_of(table), pl.from_pandas(released), QUASI),
        outcomes(table, pl.from_pandas(released), QUASI),
        outcomes(polars_of(table), released.set_index(order), QUASI),
    ]
    for found in same:
        assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("make", TABLES)
def test_measures_are_alike_in_every_library(make):
    table = make()
    columns = list(_frames.read(table).columns)
    reference = pl.DataFrame(_frames.arrow_table(table)).to_pandas()
    found, expected = (outcomes(one, one, columns) for one in (table, reference))
    assert found == pytest.approx(expected, nan_ok=True)


def test_arrays_have_columns_by_number():
    rng = np.random.default_rng(0)
    array = rng.integers(0, 4, (60, 3)).astype(float)
    assert list(metrics.association_matrix(array)) == ["x0", "x1", "x2"]
    assert metrics.granularity(array, array, ["x0", "x2"]) == 1
    assert (metrics.marginal_distances(array, array)["wasserstein"] == 0).all()
    assert metrics.association_rules_kept(array, array, min_support=0.01, min_confidence=0).recall == 1
    assert metrics.propensity_mse(array, array, n_permutations=1).pmse < 0.01
    assert trained(array, array, "x1").n_tested == 60


@pytest.mark.parametrize("measure", PAIRED)
def test_bad_tables_are_named_and_their_cells_are_not(measure):
    table = mixed_table(0, 30)
    with pytest.raises(ValueError, match="'released' table of .* has no rows"):
        measure(table, table[:0])
    with pytest.raises(ValueError, match="'original' table of .* has no rows"):
        measure(table[:0], table)
    with pytest.raises(ParameterError, match="'released'.*not in the table"):
        measure(table, table.drop(columns="city"))
    with pytest.raises(ValueError, match="nique"):
        measure(table, table.rename(columns={"job": "city"}))
    with pytest.raises(ValueError, match="at least one column"):
        measure(table[[]], table)


def test_bad_options_are_named():
    table = mixed_table(0, 30)
    with pytest.raises(ParameterError, match="'categorical' parameter of association_matrix must be one of"):
        metrics.association_matrix(table, categorical="phi")
    with pytest.raises(ParameterError, match="'yates'"):
        metrics.association_matrix(table, yates="no")
    with pytest.raises(ParameterError, match="did you mean 'city'"):
        metrics.association_matrix(table, "cty")
    for name, value in (("min_support", 0), ("min_confidence", 2), ("max_len", 1)):
        with pytest.raises(ParameterError, match=f"'{name}' parameter of association_rules_kept"):
            metrics.association_rules_kept(table, table, **{name: value})
    for name, value in (("cv", 1), ("cv", 31), ("n_permutations", 0)):
        with pytest.raises(ParameterError, match=f"'{name}' parameter of propensity_mse"):
            metrics.propensity_mse(table, table, **{name: value})
    with pytest.raises(ValueError, match="row by row"):
        metrics.granularity(table, table[:20])
    with pytest.raises(ParameterError, match="'hierarchies'"):
        metrics.granularity(table, table, hierarchies=[1])
    with pytest.raises(ParameterError, match="'hierarchies'.*not in the table"):
        metrics.granularity(table, table, hierarchies={"twon": {}})


def test_a_frame_given_is_not_changed():
    table = people(0)
    released = KAnonymizer(5, quasi_identifiers=QUASI).fit_transform(table)
    copies = table.copy(deep=True), released.copy(deep=True)
    outcomes(table, released, QUASI)
    metrics.propensity_mse(table, released, n_permutations=1)
    trained(table, released, "illness")
    pd.testing.assert_frame_equal(table, copies[0])
    pd.testing.assert_frame_equal(released, copies[1])


def stays(rows=40):
    """Return a table of an age in bins and of a month, both as pandas has them, and the same spelled out."""
    rng = np.random.default_rng(0)
    age = pd.cut(rng.integers(20, 60, rows), 6)
    month = pd.Series(pd.period_range("2020-01", periods=9, freq="M").take(rng.integers(0, 9, rows)))
    table = pd.DataFrame({"age": age, "month": month, "sex": list("fm") * (rows // 2)})
    table["bin"] = table["age"].astype(table["age"].cat.categories.dtype)
    texts = {name: table[name].astype("category").cat.as_ordered() for name in ("age", "month", "bin")}
    return table, table.assign(
        **{name: one.cat.rename_categories([str(each) for each in one.cat.categories]) for name, one in texts.items()}
    )


@pytest.mark.parametrize("known", [["age"], ["month"], ["bin"], ["age", "month"]])
def test_intervals_and_periods_are_worth_what_their_texts_are(known):
    table, spelled = stays()
    anonymizer, by_text = KAnonymizer(4, quasi_identifiers=known), KAnonymizer(4, quasi_identifiers=known)
    released, as_text = anonymizer.fit_transform(table), by_text.fit_transform(spelled)
    pd.testing.assert_frame_equal(released[known], as_text[known])
    assert metrics.granularity(table, released, known) == pytest.approx(anonymizer.granularity_)
    for name in {"age", "month", "bin"} - set(known):
        assert released[name].dtype == table[name].dtype
    for figure in (
        lambda held, out: metrics.marginal_distances(held, out).to_dict("list"),
        lambda held, out: metrics.association_matrix(held).to_dict("list"),
        lambda held, out: metrics.propensity_mse(held, out, n_permutations=1, random_state=0),
        lambda held, out: trained(held, out, "sex"),
        lambda held, out: metrics.attacker_risks(held, known),
        lambda held, out: metrics.l_diversity(held, "sex", known[0]),
        lambda held, out: metrics.t_closeness(held, "sex", known[0], distance="ordered"),
    ):
        np.testing.assert_equal(figure(table, released), figure(spelled, as_text))


def test_a_set_of_values_with_commas_holds_each_of_them_once():
    """Read as Norway, Oslo, Oslo and Norway, the set of three values had four, and -0.5 of them were told."""
    table = pd.DataFrame({"place": ["Oslo", "Norway", "Oslo, Norway"] * 4})
    released = KAnonymizer(12, quasi_identifiers="place").fit_transform(table)
    assert set(released["place"]) == {"{Norway, Oslo, Oslo, Norway}"}
    assert metrics.granularity(table, released, "place") == 0
    repeated = pd.DataFrame({"place": ["{Norway, Norway}"] * 12})
    assert metrics.granularity(table, repeated, "place") == 0, "no set of KAnonymizer's, so what shares it is covered"


def test_of_several_readings_of_a_set_the_one_that_its_rows_make_up_is_taken():
    table = pd.DataFrame({"place": ["A", "B, C", "A, B", "B", "C"]})
    released = pd.DataFrame({"place": ["{A, B, C}", "{A, B, C}", "A, B", "B", "C"]})
    assert metrics.granularity(table, released) == pytest.approx(1 - 2 / 5 / 4), "the set of A and of B, C"
    named = pd.DataFrame({"place": ["missing", None, "x"]})
    both = pd.DataFrame({"place": ["{missing, missing}", "{missing, missing}", "x"]})
    assert metrics.granularity(named, both) == pytest.approx(1 - 2 / 3 / 2), "the text, and what is missing"


@pytest.mark.parametrize("tables", [100, pytest.param(1000, marks=pytest.mark.long)])
def test_granularity_is_that_of_the_anonymizer_however_many_commas_values_hold(tables):
    """Of values that are made of others, "missing" among them; nothing here is left to chance."""
    words = ["A", "B", "C", "missing"]
    pool = words + [", ".join(some) for size in (2, 3) for some in itertools.product(words, repeat=size)]
    rng = np.random.default_rng(0)
    for _ in range(tables):
        values = rng.choice(pool, rng.integers(2, 12), replace=False).tolist() + [None] * rng.integers(2)
        rows = rng.integers(8, 60)
        table = pd.DataFrame(
            {"place": rng.choice(np.array(values, dtype=object), rows), "age": rng.integers(0, 5, rows)}
        )
        anonymizer = KAnonymizer(int(rng.integers(2, 7)), quasi_identifiers=list(table)[: rng.integers(1, 3)])
        released = anonymizer.fit_transform(table)
        told = metrics.granularity(table, released, anonymizer.quasi_identifiers)
        assert told == pytest.approx(anonymizer.granularity_, abs=1e-9)


@pytest.mark.parametrize("size", [1e38, 1e39, 1e300])
@pytest.mark.parametrize("strange", [0.0, np.nan, np.inf, -np.inf])
def test_propensity_of_numbers_beyond_what_a_tree_holds_is_that_of_smaller_ones(size, strange):
    """400 rows a table; a shift of two standard deviations is told, none is not, at whatever size."""
    numbers = np.random.default_rng(0).normal(size=400)
    numbers[:5] = strange
    for shift, low, high in ((0, 0.0, 0.01), (2, 0.1, 0.25)):
        small, large = (
            metrics.propensity_mse(
                pd.DataFrame({"a": numbers * unit}), pd.DataFrame({"a": (numbers + shift) * unit}), random_state=0
            )
            for unit in (1, size)
        )
        assert low <= large.pmse <= high
        assert large.pmse == pytest.approx(small.pmse, abs=0.01)


def test_durations_of_polars_are_worth_what_those_of_pandas_are():
    waits = np.random.default_rng(0).integers(0, 9, 40) * np.timedelta64(1, "h")
    table = pd.DataFrame({"wait": waits, "sex": list("fm") * 20})
    outcomes = []
    for held in (table, pl.from_pandas(table)):
        released = KAnonymizer(4, quasi_identifiers="wait").fit_transform(held)
        figures = [list(released["wait"]), metrics.granularity(held, released, "wait")]
        figures.append(metrics.marginal_distances(held, released).to_dict("list"))
        figures.append(metrics.propensity_mse(held, released, n_permutations=1, random_state=0))
        outcomes.append([*figures, trained(held, released, "sex")])
    np.testing.assert_equal(outcomes[0], outcomes[1])
