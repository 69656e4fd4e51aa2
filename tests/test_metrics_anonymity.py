"""k-anonymity, l-diversity, t-closeness and their like, against their definitions."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import wasserstein_distance

from skdp import _checks, _frames, _levels, metrics

ADULT = Path(__file__).parents[2] / "shared" / "data" / "adult" / "adult.csv"
MEASURES = [
    metrics.alpha_k_anonymity,
    metrics.l_diversity,
    metrics.t_closeness,
    metrics.basic_beta_likeness,
    metrics.enhanced_beta_likeness,
    metrics.delta_disclosure,
]


def random_table(seed, rows=300):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "age": rng.integers(20, 24, rows),
        "city": rng.choice(["Oslo", "Lima", "Kobe"], rows),
        "debt": rng.integers(0, 9, rows) ** 2,
        "illness": rng.choice(["flu", "gout", "measles", "mumps"], rows, p=[0.6, 0.2, 0.15, 0.05]),
    })  # fmt: skip


def shares(table, sensitive):
    """Return the shares of the sensitive values in the table, and in each class of age and city, the plain way."""
    overall = table[sensitive].value_counts(normalize=True).sort_index()
    groups = [part[sensitive] for _, part in table.groupby(["age", "city"], dropna=False)]
    return overall, [part.value_counts(normalize=True).reindex(overall.index, fill_value=0) for part in groups]


# pycanon 1.3.6 on random_table(seed), quasi-identifiers age and city: k, alpha, l, entropy l, t, both betas, delta
PYCANON = {
    (0, "debt"): (20, 0.2916666666666667, 7, 6, 0.1475, 1.4193548387096775, 1.4193548387096775, 1.3454723665996353),
    (0, "illness"): (20, 0.8, 3, 1, 0.19, 2.125, 2.125, 1.1394342831883648),
    (1, "debt"): (18, 0.31818181818181, 7, 6, 0.156436781609195, 1.41379310344827, 1.41379310344827, 1.41908418394288),
    (1, "illness"): (18, 0.76, 3, 1, 0.18666666666666665, 2.146853146853147, 2.146853146853147, 1.5224265354444706),
}
# the same on Adult, quasi-identifiers sex and race
PYCANON_ADULT = {
    "age": (87, 0.080459770114942, 33, 27, 0.0919357148587203, 16.61799065420561, 10.31433813292063, 2.868920576218943),
    "occupation": (87, 0.2789115646258, 10, 7, 0.32496244218073, 17.7225325884543, 8.11711355558441, 3.1327217929928),
}


def all_measures(table, known, sensitive):
    k, alpha = metrics.alpha_k_anonymity(table, known, sensitive)[::-1]
    entropy = int(metrics.l_diversity(table, known, sensitive, kind="entropy"))  # pycanon rounds down
    distinct, *rest = (measure(table, known, sensitive) for measure in MEASURES[1:])
    return k, alpha, distinct, entropy, *rest


@pytest.mark.parametrize(("seed", "sensitive"), PYCANON)
def test_measures_equal_those_of_pycanon(seed, sensitive):
    expected = PYCANON[seed, sensitive]
    assert all_measures(random_table(seed), ["age", "city"], sensitive) == pytest.approx(expected)


@pytest.mark.skipif(not ADULT.exists(), reason="the Adult table is not here")
@pytest.mark.parametrize("sensitive", PYCANON_ADULT)
def test_measures_equal_those_of_pycanon_on_adult(sensitive):
    table = pd.read_csv(ADULT, sep=";")
    assert all_measures(table, ["sex", "race"], sensitive) == pytest.approx(PYCANON_ADULT[sensitive])


def drawn_table(seed):
    """Return a table drawn at random, size, columns and all, with its quasi-identifiers and a sensitive column."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(5, 400))
    known = {f"q{i}": rng.integers(0, rng.integers(1, 5), rows) for i in range(rng.integers(1, 4))}
    if seed % 3:
        known = {name: np.array(["Oslo", "Lima", "Kobe", "Bonn"])[cells] for name, cells in known.items()}
    kinds = np.arange(rng.integers(2, 9))
    shares = rng.dirichlet(np.ones(len(kinds)))
    sensitive = np.append(rng.choice(kinds, rows - 2, p=shares), kinds[:2])  # at least two values
    sensitive = sensitive**2 if seed % 2 else np.char.add("illness ", sensitive.astype(str))
    return pd.DataFrame(known | {"sensitive": sensitive}), list(known)


PYCANON_NAMES = ("t_closeness", "basic_beta_likeness", "enhanced_beta_likeness", "delta_disclosure")  # and ours


def test_measures_equal_those_of_pycanon_on_tables_drawn_at_random():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pycanon = pytest.importorskip("pycanon.anonymity", reason="pycanon is not installed")
        for seed in range(30):
            table, known = drawn_table(seed)
            (alpha, k), distinct, entropy, *theirs = (
                getattr(pycanon, name)(table, known, ["sensitive"])
                for name in ("alpha_k_anonymity", "l_diversity", "entropy_l_diversity", *PYCANON_NAMES)
            )
            assert (seed, *metrics.alpha_k_anonymity(table, known, "sensitive")) == (seed, pytest.approx(alpha), k)
            assert (seed, metrics.l_diversity(table, known, "sensitive")) == (seed, distinct)
            exact = metrics.l_diversity(table, known, "sensitive", kind="entropy")  # pycanon rounds down
            assert (seed, entropy) == (seed, pytest.approx(exact - 0.5, abs=0.5 + 1e-9))
            ours = [getattr(metrics, name)(table, known, "sensitive") for name in PYCANON_NAMES]
            assert (seed, ours) == (seed, pytest.approx(theirs))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("sensitive", ["debt", "illness"])
class TestDefinitions:
    def test_alpha_and_k(self, seed, sensitive):
        table = random_table(seed)
        k = table.groupby(["age", "city"]).size().min()
        alpha = max(part.max() for part in shares(table, sensitive)[1])
        result = metrics.alpha_k_anonymity(table, ["age", "city"], sensitive)
        assert result.k == metrics.k_anonymity(table, ["age", "city"]) == k
        assert result.alpha == pytest.approx(alpha)

    def test_l_diversity(self, seed, sensitive):
        table = random_table(seed)
        parts = [part[part > 0] for part in shares(table, sensitive)[1]]
        assert metrics.l_diversity(table, ["age", "city"], sensitive) == min(map(len, parts))
        entropy = metrics.l_diversity(table, ["age", "city"], sensitive, kind="entropy")
        assert entropy == pytest.approx(min(np.exp(-(part * np.log(part)).sum()) for part in parts))

    @pytest.mark.parametrize("l", [1, 2, 3])
    def test_recursive_diversity(self, seed, sensitive, l):  # noqa: E741
        table = random_table(seed)
        parts = [np.sort(part)[::-1] for part in shares(table, sensitive)[1]]
        with np.errstate(divide="ignore"):
            c = max(part[0] / part[l - 1 :].sum() for part in parts)
        result = metrics.l_diversity(table, ["age", "city"], sensitive, kind="recursive", l=l)
        assert result == (pytest.approx(c), l)

    def test_t_closeness(self, seed, sensitive):
        table = random_table(seed)
        overall, parts = shares(table, sensitive)
        ranks = np.arange(len(overall)) / (len(overall) - 1)
        ordered = max(wasserstein_distance(ranks, ranks, part, overall) for part in parts)
        equal = max(np.abs(part - overall).sum() / 2 for part in parts)
        expected = ordered if sensitive == "debt" else equal
        assert metrics.t_closeness(table, ["age", "city"], sensitive) == pytest.approx(expected)
        assert metrics.t_closeness(table, ["age", "city"], sensitive, distance="equal") == pytest.approx(equal)

    def test_beta_likeness(self, seed, sensitive):
        table = random_table(seed)
        overall, parts = shares(table, sensitive)
        beta = max(((part - overall) / overall).max() for part in parts)
        assert metrics.basic_beta_likeness(table, ["age", "city"], sensitive) == pytest.approx(beta)
        enhanced = metrics.enhanced_beta_likeness(table, ["age", "city"], sensitive)
        assert enhanced == pytest.approx(max(min(beta, -np.log(share)) for share in overall))

    def test_delta_disclosure(self, seed, sensitive):
        table = random_table(seed)
        overall, parts = shares(table, sensitive)
        delta = max(np.abs(np.log((part / overall)[part > 0])).max() for part in parts)
        assert metrics.delta_disclosure(table, ["age", "city"], sensitive) == pytest.approx(delta)


def test_several_sensitive_columns_are_as_bad_as_the_worst():
    table = random_table(0)
    for measure, worst in zip(MEASURES[1:], [min, max, max, max, max], strict=True):
        each = [measure(table, ["age", "city"], column) for column in ("debt", "illness")]
        assert measure(table, ["age", "city"], ["debt", "illness"]) == worst(each)


def test_recursive_diversity_divides_the_most_frequent_by_the_rest():
    """By the paper, r1 is the count of the *most* frequent value; pycanon takes the least frequent, and rounds."""
    table = pd.DataFrame({"illness": ["flu"] * 6 + ["gout"] * 3 + ["mumps"]})
    assert metrics.l_diversity(table, [], "illness", kind="recursive", l=2) == (6 / 4, 2)
    assert metrics.l_diversity(table, [], "illness", kind="recursive") == (6 / 1, 3)
    assert metrics.l_diversity(table, [], "illness", kind="recursive", l=4) == (np.inf, 4)


def test_entropy_diversity_is_a_real_number():
    """Where pycanon rounds down, two classes as unlike as these could not be told apart."""
    table = pd.DataFrame({"illness": ["flu"] * 3 + ["gout"]})
    assert metrics.l_diversity(table, [], "illness", kind="entropy") == pytest.approx(1.7548, abs=1e-4)


def test_a_missing_value_is_a_value_of_its_own():
    """A plain group-by, as in pycanon, drops the row that stands alone and says k = 2."""
    table = pd.DataFrame({"age": [30.0, 30.0, np.nan], "illness": ["flu", None, None]})
    assert metrics.k_anonymity(table, "age") == 1
    assert metrics.l_diversity(table[:2], "age", "illness") == 2
    assert metrics.equivalence_classes(table, "age").sizes.sum() == 3


def test_missing_numbers_stand_after_the_largest():
    table = pd.DataFrame({"age": [1, 1, 2, 2], "debt": [1.0, 2.0, np.nan, np.nan]})
    spelled = table.assign(debt=[1, 2, 3, 3])
    assert metrics.t_closeness(table, "age", "debt") == metrics.t_closeness(spelled, "age", "debt") == 0.375


def test_classes_are_alike_in_every_library(table):
    for columns in (["group"], ["age", "city"], ["income", "member"], ["joined"], None):
        classes = metrics.equivalence_classes(table, columns)
        assert classes.sizes.sum() == 12
        assert (np.bincount(classes.codes) == classes.sizes).all()
    assert sorted(metrics.equivalence_classes(table, ["group"]).sizes) == [1, 2, 4, 5]
    assert sorted(metrics.equivalence_classes(table, ["member", "city"]).sizes) == [1, 1, 1, 1, 2, 2, 2, 2]
    assert metrics.k_anonymity(table, "member") == 5


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("sensitive", ["income", "city", "member", "joined", "age"])
def test_measures_are_alike_in_every_library(table, measure, sensitive):
    reference = pl.DataFrame(_frames.arrow_table(table)).to_pandas()
    assert measure(table, "group", sensitive) == pytest.approx(measure(reference, "group", sensitive))


def test_arrays_have_columns_by_number():
    array = np.array([[1, 5], [1, 6], [2, 5], [2, 5], [2, 7]])
    assert metrics.k_anonymity(array, "x0") == 2
    assert metrics.k_anonymity(array) == 1
    assert metrics.l_diversity(array, None, "x1") == 2


def test_negative_zero_and_mixed_kinds():
    assert metrics.k_anonymity(pd.DataFrame({"a": [0.0, -0.0]})) == 2
    mixed = pd.DataFrame({"a": pd.Series([1, "1", None, np.nan, 1], dtype=object)})
    assert sorted(metrics.equivalence_classes(mixed).sizes) == [1, 2, 2]


def test_integers_far_apart_and_many_columns():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"c{i}": rng.integers(-(2**62), 2**62, 2000)[rng.integers(0, 2000, 2000)] for i in range(9)})
    table = pd.concat([table, table[:700]], ignore_index=True)
    sizes = metrics.equivalence_classes(table).sizes
    assert sorted(sizes) == sorted(table.groupby(list(table)).size())
    assert metrics.k_anonymity(pl.DataFrame({"a": [2**64 - 1, 2**64 - 1, None, None]})) == 2
    assert metrics.k_anonymity(pd.DataFrame({"a": pd.array([5, None, None], dtype="Int8")})) == 1


def test_codes_are_closed_up_and_pairs_are_told_apart():
    codes, size = _levels.compress(np.array([5, 900_000, 5, 7]), 1_000_000)
    assert _levels.sizes(np.array([5, 900_000, 5, 7]), 1_000_000).tolist() == [2, 1, 1]
    assert _levels.sizes(np.array([5, 9, 5, 7]), 10).tolist() == [2, 1, 1]
    assert codes.tolist() == [0, 2, 0, 1] and size == 3
    far = np.array([0, 2**40, 2**40])
    codes, bound = _levels.pair(far, 2**41, far[::-1], 2**41)
    assert len(set(codes)) == 3 and codes.max() < bound < 2**62


def test_unused_categories_do_not_count():
    ages = pd.Categorical(["young", "old", "old"], categories=["young", "middle", "old"], ordered=True)
    table = pd.DataFrame({"age": ages, "debt": [1, 2, 3]})
    assert metrics.k_anonymity(table, "age") == 1
    assert len(metrics.equivalence_classes(table, "age").sizes) == 2
    assert metrics.t_closeness(table, "debt", "age") == metrics.t_closeness(table, "debt", "age", distance="equal")


def test_ordered_categories_are_ranked_in_their_own_order():
    ages = ["young", "middle", "old", "old"]
    table = pd.DataFrame({"age": ages, "class": [1, 2, 2, 2]})
    ordered = table.assign(age=pd.Categorical(ages, categories=["young", "middle", "old"], ordered=True))
    numbers = table.assign(age=[0, 1, 2, 2])
    assert metrics.t_closeness(ordered, "class", "age") == metrics.t_closeness(numbers, "class", "age")
    assert metrics.t_closeness(table, "class", "age") == 0.75


TREE = {"flu": ["lung", "*"], "cough": ["lung", "*"], "ulcer": ["stomach", "*"], "gastritis": ["stomach", "*"]}


@pytest.mark.parametrize("form", ["mapping", "frame", "polars", "array"])
def test_hierarchical_distance(form):
    rows = pd.DataFrame([[leaf, *above] for leaf, above in TREE.items()])
    tree = {"mapping": TREE, "frame": rows.set_axis(["a", "b", "c"], axis=1), "array": rows.to_numpy()}
    tree["polars"] = pl.from_pandas(tree["frame"])
    table = pd.DataFrame({"class": [1, 1, 2, 2], "illness": ["flu", "cough", "ulcer", "gastritis"]})
    assert metrics.t_closeness(table, "class", "illness", hierarchies={"illness": tree[form]}) == 0.5
    table["illness"] = ["flu", "ulcer", "cough", "gastritis"]
    assert metrics.t_closeness(table, "class", "illness", hierarchies={"illness": tree[form]}) == 0.25
    assert metrics.t_closeness(table, "class", "illness") == 0.5


def test_a_flat_hierarchy_is_the_equal_distance_missing_values_included():
    table = random_table(1)
    table.loc[::7, "illness"] = None
    flat = dict.fromkeys(table["illness"].dropna().unique(), "*")
    t = metrics.t_closeness(table, ["age", "city"], "illness", hierarchies={"illness": flat})
    assert t == pytest.approx(metrics.t_closeness(table, ["age", "city"], "illness"))


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"flu": "*", "gout": "*"}, "lacks the values of"),
        ({"flu": "*", "gout": "+", "measles": "*", "mumps": "*"}, "one root"),
        ({"flu": "*", "gout": ["+", "*"]}, "as many ancestors"),
        (pd.DataFrame({"leaf": ["flu", "flu"], "root": ["*", "*"]}), "each value once"),
        (pd.DataFrame({"leaf": ["flu"]}), "one for the root"),
    ],
)
def test_a_faulty_hierarchy_is_named_and_its_values_are_not(tree, message):
    with pytest.raises(ValueError, match=message) as caught:
        metrics.t_closeness(random_table(0), "age", "illness", hierarchies={"illness": tree})
    assert not any(value in str(caught.value) for value in ("flu", "gout", "mumps"))


@pytest.mark.parametrize("measure", [metrics.k_anonymity, *MEASURES])
def test_an_empty_table_has_no_anonymity(measure):
    sensitive = () if measure is metrics.k_anonymity else ("illness",)
    with pytest.raises(ValueError, match="no rows"):
        measure(random_table(0)[:0], "age", *sensitive)
    classes = metrics.equivalence_classes(random_table(0)[:0], ["age", "city"])
    assert len(classes.codes) == len(classes.sizes) == 0


@pytest.mark.parametrize("measure", MEASURES)
def test_bad_columns_are_named(measure):
    table = random_table(0)
    with pytest.raises(ValueError, match="did you mean 'city'"):
        measure(table, "cty", "debt")
    with pytest.raises(ValueError, match="'quasi_identifiers' .* not among the sensitive ones. Got"):
        measure(table, ["age", "debt"], "debt")
    with pytest.raises(ValueError, match="'sensitive' .* at least one column"):
        measure(table, "age", [])


def test_bad_options_are_named():
    table = random_table(0)
    with pytest.raises(_checks.ParameterError, match="'kind' parameter of l_diversity must be one of"):
        metrics.l_diversity(table, "age", "debt", kind="distinctt")
    with pytest.raises(_checks.ParameterError, match="'l' parameter of l_diversity must be None"):
        metrics.l_diversity(table, "age", "debt", l=2)
    with pytest.raises(_checks.ParameterError, match="at least 1. Got 0"):
        metrics.l_diversity(table, "age", "debt", kind="recursive", l=0)
    with pytest.raises(ValueError, match="have no order"):
        metrics.t_closeness(table, "age", "illness", distance="ordered")
    with pytest.raises(_checks.ParameterError, match="'hierarchies' parameter"):
        metrics.t_closeness(table, "age", "illness", hierarchies=[1])


def test_constant_and_missing_columns():
    table = pd.DataFrame({"age": [None] * 4, "debt": [3.0] * 4, "gap": [np.nan] * 4})
    assert metrics.k_anonymity(table) == 4
    for sensitive in ("debt", "gap"):
        assert metrics.t_closeness(table, "age", sensitive) == 0
        assert metrics.basic_beta_likeness(table, "age", sensitive) == 0
        assert metrics.l_diversity(table, "age", sensitive) == 1
        assert metrics.l_diversity(table, "age", sensitive, kind="entropy") == 1


def test_nothing_depends_on_the_order_of_rows_or_columns():
    table = random_table(3)
    shuffled = table.sample(frac=1, random_state=0)[table.columns[::-1]]
    for measure in MEASURES:
        assert measure(table, ["age", "city"], "debt") == pytest.approx(measure(shuffled, ["city", "age"], "debt"))


@pytest.mark.parametrize(
    ("column", "sizes"),
    [
        (np.array([0.5, -0.0, 0.0, np.nan, -np.nan, np.inf, -np.inf, 0.5]), [2, 2, 2, 2, 2, 1, 1, 2]),
        (pd.Series(["a", None, np.nan, "a", pd.NaT, b"a", "1", 1], dtype=object), [2, 3, 3, 2, 3, 1, 1, 1]),
        (pd.Series([2**62, -(2**62), 2**62 + 1, 2**62]), [2, 1, 1, 2]),
    ],
    ids=["floats", "objects", "integers"],
)
def test_equal_values_are_one_class_however_they_are_stored(column, sizes):
    found = metrics.equivalence_classes(pd.DataFrame({"x": column}))
    assert found.sizes[found.codes].tolist() == sizes


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize(
    "measure",
    [
        lambda table: metrics.k_anonymity(table, ["a", "b"]),
        lambda table: metrics.l_diversity(table, ["b"], "a"),
        lambda table: metrics.association_matrix(table),
        lambda table: metrics.marginal_distances(table, table),
        lambda table: metrics.granularity(table, table, ["a"]),
    ],
)
def test_columns_of_lists_are_refused_by_name(make, measure):
    with pytest.raises(ValueError, match="Column 'a' holds lists, structures or bytes"):
        measure(make({"a": [[1], [2], None, [2]], "b": ["x", "x", "y", "y"]}))


@pytest.mark.parametrize("known", ["a", "b"])
def test_a_doubled_column_is_refused_as_by_the_steps(known):
    with pytest.raises(ValueError, match="^Column names must be unique. Got 'a' more than once"):
        metrics.k_anonymity(pd.DataFrame([[1, 2, 3]] * 4, columns=["a", "a", "b"]), [known])
