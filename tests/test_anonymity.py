"""KAnonymizer: k counted on what is released, the labels of each kind, unseen rows, and what it refuses."""

import io
import itertools
import pickle
import sys
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import TABLES, values
from sklearn.base import clone

from skdp import IntervalBinner, KAnonymizer, _constraints, _frames, _levels, metrics
from skdp._checks import ParameterError
from skdp._mondrian import partition
from skdp._scales import SetScale
from skdp.metrics._comparisons import compared

ADULT = Path(__file__).parents[2] / "shared/data/adult"
needs_adult = pytest.mark.skipif(not ADULT.exists(), reason="the Adult table is not here")
REGIONS = {
    "Lima": ["Peru", "America"], "Cusco": ["Peru", "America"], "Quito": ["Ecuador", "America"],
    "Oslo": ["Norway", "Europe"], "Bonn": ["Germany", "Europe"], "Kiel": ["Germany", "Europe"],
}  # fmt: skip
REGIONS = {town: [*above, "World"] for town, above in REGIONS.items()}


def people(seed=0, size=300, gaps=True):
    """Return a table of every kind of column, with gaps and with extreme values."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({
        "age": rng.integers(18, 90, size).astype(float),
        "debt": rng.lognormal(3, 2, size),
        "town": rng.choice(list(REGIONS), size, p=[0.4, 0.2, 0.2, 0.1, 0.06, 0.04]),
        "member": rng.choice([True, False], size),
        "born": np.datetime64("1950-01-01") + rng.integers(0, 20_000, size),
        "size": pd.Categorical(rng.choice(list("SML"), size), categories=list("SML"), ordered=True),
        "illness": rng.choice(["flu", "cold", "gout", "none"], size, p=[0.5, 0.3, 0.1, 0.1]),
        "pay": rng.integers(0, 50, size),
    })  # fmt: skip
    for column in ("age", "town", "born", "size") if gaps else ():
        table.loc[rng.random(size) < 0.08, column] = None
    return table


QUASI = ["age", "debt", "town", "member", "born", "size"]


def sizes(released, quasi=QUASI):
    """Return class sizes, counted after a CSV round trip, missing values being values."""
    back = pd.read_csv(io.StringIO(released.to_csv(index=False)))
    return back.groupby(quasi, dropna=False).size()


# What is released


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 2, 5, 40, 150, 300])
@pytest.mark.parametrize("labels", ["interval", "mean"])
def test_every_class_of_the_released_csv_has_k_rows(seed, k, labels):
    released = KAnonymizer(k, quasi_identifiers=QUASI, labels=labels).fit_transform(people(seed))
    assert sizes(released).min() >= k


@pytest.mark.parametrize("chosen", [1, 2, 3])
def test_k_holds_for_any_choice_of_columns(chosen):
    table = people(5)
    for quasi in itertools.combinations(QUASI, chosen):
        assert sizes(KAnonymizer(7, quasi_identifiers=list(quasi)).fit_transform(table), list(quasi)).min() >= 7


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_k_holds_in_every_kind_of_table(make):
    table = make()
    quasi = ["age", "income", "city", "group", "member", "joined"]
    released = values(KAnonymizer(3, quasi_identifiers=quasi).fit_transform(table))
    assert sizes(pd.DataFrame(released), quasi).min() >= 3


def test_class_sizes_are_those_of_the_release():
    anonymizer = KAnonymizer(5, quasi_identifiers=QUASI)
    counted = sizes(anonymizer.fit_transform(people()))
    assert anonymizer.class_sizes_.sum() == 300
    assert len(counted) <= len(anonymizer.class_sizes_)
    assert anonymizer.class_sizes_.min() >= 5


def test_what_is_released_holds_the_value_that_was_there():
    table, quasi = people(gaps=False), ["age", "town", "born", "size"]
    released = KAnonymizer(5, quasi_identifiers=quasi).fit_transform(table)
    for column in quasi:
        for label, value in zip(released[column], table[column], strict=True):
            if column == "town":
                assert value in label.strip("{}").split(", ")
                continue
            low, high = label.split(" - ") if " - " in label else (label, label)
            if column == "age":
                assert float(low) <= value <= float(high)
            elif column == "born":
                assert low <= str(value.date()) <= high
            else:
                assert "SML".index(low) <= "SML".index(value) <= "SML".index(high)


def test_classes_do_not_depend_on_the_order_of_rows_or_columns():
    table = people()
    released = KAnonymizer(5, quasi_identifiers=QUASI).fit_transform(table)
    order = np.random.default_rng(1).permutation(len(table))
    again = KAnonymizer(5, quasi_identifiers=QUASI[::-1]).fit_transform(table.iloc[order, ::-1])
    assert values(again.sort_index()[list(table)]) == values(released)


def test_means_do_not_depend_on_the_order_of_rows():
    table = people()
    released = KAnonymizer(5, quasi_identifiers=QUASI, labels="mean").fit_transform(table)
    again = KAnonymizer(5, quasi_identifiers=QUASI, labels="mean").fit_transform(table[::-1])
    assert values(again[::-1]) == values(released)


def test_the_mean_label_is_the_mean_of_the_class():
    table = pd.DataFrame({"age": [20.0, 22, 24, 60, 70, 80]})
    out = KAnonymizer(3, labels="mean").fit_transform(table)
    assert out["age"].tolist() == [22.0] * 3 + [70.0] * 3


def test_other_columns_pass_through_unchanged():
    table = people()
    released = KAnonymizer(5, quasi_identifiers="age").fit_transform(table)
    assert list(released) == list(table)
    pd.testing.assert_frame_equal(released.drop(columns="age"), table.drop(columns="age"))


def test_labels_of_ranges_and_sets():
    table = pd.DataFrame({"age": [1.5, 2, 2, None, None, None], "town": ["b", "a", None, "c", "c", "c"]})
    out = KAnonymizer(3).fit_transform(table)
    assert out["age"][:3].tolist() == ["1.5 - 2"] * 3
    assert out["age"][3:].isna().all()
    assert out["town"].tolist() == ["{a, b, missing}"] * 3 + ["c"] * 3


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        ("right", ["34 and Under", "24 - 44", "34 and Over", "Any", "34 - 44", "24 and Under", "44 and Over"]),
        ("left", ["Under 34", "24 - 44", "34 and Over", "Any", "34 - 44", "Under 24", "44 and Over"]),
    ],
)
def test_ranges_of_a_binner_are_joined_by_their_outer_edges(closed, expected):
    ages = pd.DataFrame({"age": [20, 30, 30, 40, 40, 50, 20, 50, 40, 40, 20, 20, 50, 50]})
    ages["pair"] = [f"pair {number // 2}" for number in range(14)]
    binned = IntervalBinner({"age": [24, 34, 44]}, closed=closed).fit_transform(ages)
    out = KAnonymizer(2, weights={"pair": 1000}).fit_transform(binned)
    assert out["age"].tolist() == np.repeat(expected, 2).tolist()
    assert metrics.granularity(binned, out.astype("str"), "age") == pytest.approx(
        1 - np.mean([1, 1, 1, 3, 0, 0, 0]) / 3
    )
    guessed = compared(_frames.read(out.astype("str")), _frames.read(binned), "age").distances(slice(None))
    assert not guessed.diagonal().any()
    assert guessed[0].astype(bool).tolist() == [x not in (expected[0], "Any", expected[5]) for x in out["age"]]


@pytest.mark.parametrize(
    "categories", [["1 - 2", "2 - 3"], ["1 and Under", "2 - 3", "3 and Over"], ["9 and Under", "9 - 1", "1 and Over"]]
)
def test_other_ordered_categories_are_joined_by_their_names(categories):
    column = pd.Categorical.from_codes([0, 1], categories, ordered=True)
    assert KAnonymizer(2).fit_transform(pd.DataFrame({"x": column}))["x"][0] == " - ".join(categories[:2])


@pytest.mark.parametrize("given", [3, "hierarchy.csv", [["Lima", "Peru", "World"], ["Oslo", "World"]], ["Lima"]])
def test_a_hierarchy_that_is_no_table_is_refused_by_name(given):
    table = pd.DataFrame({"town": ["Lima", "Oslo"]})
    with pytest.raises(ParameterError, match="'hierarchies' parameter of KAnonymizer must give column 'town'"):
        KAnonymizer(2, hierarchies={"town": given}).fit(table)


def test_a_range_together_with_missing_values_says_so():
    out = KAnonymizer(3).fit_transform(pd.DataFrame({"age": [1.0, 2.0, None]}))
    assert out["age"].tolist() == ["1 - 2 or missing"] * 3


def test_ranges_are_ordered_and_ranks_in_arrays():
    table = pd.DataFrame({"age": [100, 101, 9, 8, 30, 31]})
    out = KAnonymizer(2).fit_transform(table)["age"]
    assert out.cat.ordered
    assert out.cat.categories.tolist() == ["8 - 9", "30 - 31", "100 - 101"]
    assert KAnonymizer(2).fit_transform(table.to_numpy()).ravel().tolist() == [2, 2, 0, 0, 1, 1]
    means = KAnonymizer(2, labels="mean").fit_transform(table.to_numpy()).ravel()
    assert means.tolist() == [100.5, 100.5, 8.5, 8.5, 30.5, 30.5]


def test_a_large_k_makes_one_class_and_k_1_leaves_values_alone():
    table = people(gaps=False)[["age", "town"]]
    assert len(KAnonymizer(300).fit(table).class_sizes_) == 1
    untouched = KAnonymizer(1).fit(table)
    assert untouched.granularity_ == 1
    assert untouched.transform(table)["town"].tolist() == table["town"].tolist()


def test_weights_steer_what_is_kept():
    table, quasi = people(), ["age", "debt"]
    heavy = KAnonymizer(10, quasi_identifiers=quasi, weights={"age": 100.0}).fit_transform(table)["age"]
    light = KAnonymizer(10, quasi_identifiers=quasi, weights={"age": 0.01}).fit_transform(table)["age"]

    def width(labels):
        ends = labels.dropna().astype(str).str.replace(" or missing", "").str.split(" - ")
        return np.mean([float(end[-1]) - float(end[0]) for end in ends])

    assert width(heavy) < width(light)


# Unseen rows


@pytest.mark.parametrize("labels", ["interval", "mean"])
def test_transform_of_the_same_table_is_what_was_released(labels):
    anonymizer = KAnonymizer(5, quasi_identifiers=QUASI, labels=labels, hierarchies={"town": REGIONS})
    released = anonymizer.fit_transform(people())
    pd.testing.assert_frame_equal(anonymizer.transform(people()), released)
    shown = pickle.loads(pickle.dumps(anonymizer)).transform(people())
    pd.testing.assert_frame_equal(shown, released)


def test_unseen_rows_get_a_released_label_or_are_masked_whole():
    table = people(gaps=False)
    anonymizer = KAnonymizer(10, quasi_identifiers=QUASI)
    known = set(map(tuple, anonymizer.fit_transform(table)[QUASI].astype(str).to_numpy()))
    out = anonymizer.transform(people(9, 500))[QUASI]
    masked = out.isna().all(axis=1)
    assert len(out) == 500
    assert 0 < masked.sum() < 500
    assert set(map(tuple, out[~masked].astype(str).to_numpy())) <= known


def test_values_outside_every_class_are_masked():
    anonymizer = KAnonymizer(2).fit(pd.DataFrame({"age": [10, 11, 20, 21], "town": list("aabb")}))
    new = pd.DataFrame({"age": [9, 10, 15, 20, 22, 10, 10], "town": ["a", "a", "a", "b", "b", "b", "z"]})
    out = anonymizer.transform(new)
    assert out["age"].notna().tolist() == [False, True, False, True, False, False, False]
    assert out["town"].notna().tolist() == out["age"].notna().tolist()


def test_means_fit_values_of_their_class_and_those_halfway_to_the_next():
    step = KAnonymizer(3, labels="mean").fit(pd.DataFrame({"age": [20.0, 22, 24, 60, 70, 80, None, None, None]}))
    out = step.transform(pd.DataFrame({"age": [20.0, 24, 41.9, 42.1, 80, None, 0, 100]}))["age"]
    assert out.fillna(-1).tolist() == [22.0, 22.0, 22.0, 70.0, 70.0, -1, -1, -1]


def test_what_is_kept_is_what_labels_show():
    table = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0, 51.0, 52.0, 53.0, 54.0]})
    kept = pickle.dumps(KAnonymizer(4).fit(table).__dict__)
    assert np.float64(4.0).tobytes() in kept
    assert np.float64(52.0).tobytes() not in kept


# Relaxed classes


def heavy(seed=0, size=400):
    """Return a table with a value in each column that most records share."""
    rng = np.random.default_rng(seed)
    rare = rng.random((3, size)) < 0.03
    return pd.DataFrame({
        "gain": np.where(rare[0], rng.integers(100, 9999, size), 0.0),
        "town": np.where(rare[1], rng.choice(list(REGIONS), size), "Lima"),
        "born": np.datetime64("1970-01-01") + np.where(rare[2], rng.integers(18_000, 18_900, size), 0),
        "size": pd.Categorical(rng.choice(list("SML"), size, p=[0.94, 0.03, 0.03]), list("SML"), ordered=True),
        "illness": rng.choice(["flu", "cold", "gout"], size),
    })  # fmt: skip


HEAVY = ["gain", "town", "born", "size"]


def relaxed(**parameters):
    return KAnonymizer(**{"k": 5, "quasi_identifiers": HEAVY, "relaxed": True, **parameters})


def test_a_relaxed_cut_goes_through_a_value_that_most_share():
    table = pd.DataFrame({"gain": [0] * 9 + [50], "town": ["Lima"] * 10})
    assert KAnonymizer(3).fit_transform(table)["gain"].tolist() == ["0 - 50"] * 10
    assert KAnonymizer(3, relaxed=True).fit_transform(table)["gain"].tolist() == ["0"] * 7 + ["0 - 50"] * 3
    towns = pd.DataFrame({"town": ["Lima"] * 9 + ["Oslo"]})
    out = KAnonymizer(3, relaxed=True).fit_transform(towns)["town"]
    assert out.tolist() == ["Lima"] * 7 + ["{Lima, Oslo}"] * 3
    out = KAnonymizer(3, relaxed=True, hierarchies={"town": REGIONS}).fit_transform(towns)["town"]
    assert out.tolist() == ["Lima"] * 7 + ["World"] * 3


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 2, 5, 40, 200])
@pytest.mark.parametrize("hierarchies", [None, {"town": REGIONS}], ids=["sets", "nodes"])
def test_relaxed_classes_have_k_rows_and_tell_no_less(seed, k, hierarchies):
    table = heavy(seed)
    step = relaxed(k=k, hierarchies=hierarchies)
    assert sizes(step.fit_transform(table), HEAVY).min() >= k
    assert step.class_sizes_.min() >= k
    assert step.granularity_ >= relaxed(k=k, hierarchies=hierarchies, relaxed=False).fit(table).granularity_ - 1e-12


def test_relaxed_classes_gain_where_values_are_heavy():
    assert relaxed().fit(heavy()).granularity_ > relaxed(relaxed=False).fit(heavy()).granularity_ + 0.002


def test_relaxed_classes_do_not_depend_on_the_order_of_rows_or_columns():
    table = heavy()
    released = relaxed().fit_transform(table)
    order = np.random.default_rng(1).permutation(len(table))
    again = relaxed(quasi_identifiers=HEAVY[::-1]).fit_transform(table.iloc[order, ::-1])
    # rows alike in all quasi-identifiers are interchangeable
    both = [
        sorted(map(str, zip(*(table[column] for column in HEAVY), *(out[column] for column in HEAVY), strict=True)))
        for out in (released, again.sort_index())
    ]
    assert both[0] == both[1]


def test_transform_puts_each_row_of_a_relaxed_release_into_a_class_that_holds_it():
    table, step = heavy(), relaxed(hierarchies={"town": REGIONS})
    known = set(map(tuple, step.fit_transform(table)[HEAVY].astype(str).to_numpy()))
    out = step.transform(table)[HEAVY]
    assert out.notna().all(axis=None)
    assert set(map(tuple, out.astype(str).to_numpy())) <= known
    ends = out["gain"].astype(str).str.split(" - ")
    assert ((ends.str[0].astype(float) <= table["gain"]) & (table["gain"] <= ends.str[-1].astype(float))).all()


def test_a_value_within_an_overlapping_range_fits_it():
    step = KAnonymizer(3, relaxed=True).fit(pd.DataFrame({"gain": [0] * 9 + [50]}))
    assert step.transform(pd.DataFrame({"gain": [0, 20, 50]}))["gain"].tolist() == ["0", "0 - 50", "0 - 50"]


@pytest.mark.parametrize("constraint", [{"l_diversity": 3}, {"t_closeness": 0.3}])
def test_both_sides_of_a_relaxed_cut_keep_the_constraint(constraint):
    table = heavy(size=800)
    step = relaxed(sensitive="illness", **constraint)
    groups = step.fit_transform(table).groupby(HEAVY, dropna=False, observed=True)["illness"]
    assert step.granularity_ > relaxed(sensitive="illness", relaxed=False, **constraint).fit(table).granularity_
    if "l_diversity" in constraint:
        assert groups.nunique().min() >= 3
    else:
        whole = table["illness"].to_numpy()
        assert max(distance(own.to_numpy(), whole, False) for _, own in groups) <= 0.3 + 1e-9


# Sensitive columns


def classes(released):
    return released.groupby(QUASI, dropna=False, observed=True)


@pytest.mark.parametrize("least", [2, 3, 4])
def test_classes_are_l_diverse(least):
    step = KAnonymizer(5, quasi_identifiers=QUASI, l_diversity=least, sensitive=["illness"])
    released = step.fit_transform(people())
    assert classes(released)["illness"].nunique().min() >= least
    assert sizes(released).min() >= 5
    assert len(step.class_sizes_) > 1


def distance(own, whole, ordered):
    """Return the earth mover's distance, a value at a time."""
    support = sorted(set(whole))
    p = np.array([np.mean(own == value) for value in support])
    q = np.array([np.mean(whole == value) for value in support])
    return np.abs(np.cumsum(p - q)).sum() / (len(support) - 1) if ordered else np.abs(p - q).sum() / 2


@pytest.mark.parametrize(("sensitive", "ordered"), [("illness", False), ("pay", True)])
@pytest.mark.parametrize("most", [0.1, 0.25])
def test_classes_are_t_close(sensitive, ordered, most):
    table = people()
    released = KAnonymizer(5, quasi_identifiers=QUASI, t_closeness=most, sensitive=sensitive).fit_transform(table)
    far = [distance(own[sensitive].to_numpy(), table[sensitive].to_numpy(), ordered) for _, own in classes(released)]
    assert len(far) > 1
    assert max(far) <= most + 1e-9
    loose = KAnonymizer(5, quasi_identifiers=QUASI).fit_transform(table)
    assert (
        max(distance(own[sensitive].to_numpy(), table[sensitive].to_numpy(), ordered) for _, own in classes(loose))
        > most
    )


def test_sensitive_columns_are_no_quasi_identifiers_by_default():
    step = KAnonymizer(5, sensitive=["illness", "pay"], l_diversity=2).fit(people())
    assert step.quasi_identifiers_ == QUASI


# Hierarchies


def hierarchy_frame():
    return pd.DataFrame([[leaf, *above] for leaf, above in REGIONS.items()])


@pytest.mark.parametrize("given", [REGIONS, hierarchy_frame(), pl.from_pandas(hierarchy_frame().add_prefix("level"))])
def test_the_label_is_the_lowest_node_above_all_values(given):
    table = pd.DataFrame({"town": ["Lima", "Cusco", "Lima", "Quito", "Oslo", "Bonn", "Kiel", "Kiel"]})
    out = KAnonymizer(4, hierarchies={"town": given}).fit_transform(table)["town"]
    assert out.tolist() == ["America"] * 4 + ["Europe"] * 4


def test_k_holds_with_hierarchies_and_missing_values():
    step = KAnonymizer(5, quasi_identifiers=QUASI, hierarchies={"town": REGIONS})
    assert sizes(step.fit_transform(people())).min() >= 5


def test_numbers_may_have_a_hierarchy_too():
    decades = {str(age): [f"{age // 10}0s", "any"] for age in range(20, 40)}
    table = pd.DataFrame({"age": [20.0, 21, 22, 30, 31, 32]})
    out = KAnonymizer(3, hierarchies={"age": decades}).fit_transform(table)
    assert out["age"].tolist() == ["20s"] * 3 + ["30s"] * 3


def test_an_unseen_leaf_fits_under_a_node():
    step = KAnonymizer(2, hierarchies={"town": REGIONS}).fit(pd.DataFrame({"town": ["Lima", "Quito", "Oslo", "Bonn"]}))
    out = step.transform(pd.DataFrame({"town": ["Kiel", "Paris"]}))["town"]
    assert out[0] == "Europe"
    assert pd.isna(out[1])


@pytest.mark.parametrize(
    ("hierarchy", "message"),
    [
        ({"a": ["x"], "b": ["y"]}, "one root"),
        ({"a": ["x", "r"], "b": ["r"]}, "ragged"),
        ({"a": ["x", "p", "r"], "b": ["x", "q", "r"]}, "one parent"),
        (pd.DataFrame([["a", "r"], ["a", "r"], ["b", "r"]]), "each leaf once"),
        ({"a": ["r"]}, "every value"),
        ({}, "at least one leaf"),
    ],
)
def test_a_hierarchy_that_cannot_be_used(hierarchy, message):
    with pytest.raises(ParameterError, match=message):
        KAnonymizer(1, hierarchies={"town": hierarchy}).fit(pd.DataFrame({"town": ["a", "b"]}))


# Suppression


def with_outliers():
    """Return three towns of seven who are alike and two who stand out, each town's in another column."""
    towns = np.repeat(["a", "b", "c"], 9)
    table = pd.DataFrame({"town": towns, "pay": 0, "debt": 0, "age": 0, "illness": ["flu", "cold", "gout"] * 9})
    for town, column in enumerate(["pay", "debt", "age"]):
        table.loc[[9 * town + 2, 9 * town + 6], column] = 1000
    return table


OUTLYING = ["town", "pay", "debt", "age"]


def test_outliers_are_masked_where_that_saves_more_than_it_costs():
    step = KAnonymizer(5, quasi_identifiers=OUTLYING, max_suppression=0.25)
    out = step.fit_transform(with_outliers())
    assert step.n_suppressed_ == 6
    assert out.index[out[OUTLYING].isna().all(axis=1)].tolist() == [2, 6, 11, 15, 20, 24]
    assert out["pay"].dropna().unique().tolist() == ["0"]
    assert sizes(out, OUTLYING).min() >= 5
    assert step.granularity_ > KAnonymizer(5, quasi_identifiers=OUTLYING).fit(with_outliers()).granularity_
    pd.testing.assert_frame_equal(step.transform(with_outliers()), out)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2])
def test_fewer_than_k_are_never_masked_and_never_more_than_the_limit(share):
    step = KAnonymizer(5, quasi_identifiers=OUTLYING, max_suppression=share).fit(with_outliers())
    assert step.n_suppressed_ == 0


@pytest.mark.parametrize("seed", range(6))
def test_suppression_keeps_k_and_its_limit_and_never_tells_less(seed):
    table = people(seed, 600)
    quasi = ["debt", "member", "size"]
    step = KAnonymizer(4, quasi_identifiers=quasi, max_suppression=0.1)
    out = step.fit_transform(table)
    assert step.n_suppressed_ <= 60
    assert sizes(out, quasi).min() >= 4
    assert step.granularity_ >= KAnonymizer(4, quasi_identifiers=quasi).fit(table).granularity_
    pd.testing.assert_frame_equal(step.transform(table), out)


def test_rows_outside_the_largest_branch_of_a_hierarchy_are_masked():
    table = pd.DataFrame({"town": ["Lima", "Cusco", "Quito"] * 2 + ["Oslo"] + ["Bonn", "Kiel"] * 3 + ["Quito"]})
    table["born"] = [0] * 7 + [1] * 7
    parameters = {"k": 2, "hierarchies": {"town": REGIONS}}
    plain, step = KAnonymizer(**parameters), KAnonymizer(**parameters, max_suppression=0.2)
    assert set(plain.fit_transform(table)["town"]) == {"World"}
    out = step.fit_transform(table)
    assert step.n_suppressed_ == 2
    assert out["town"].fillna("masked").tolist() == ["America"] * 6 + ["masked"] + ["Germany"] * 6 + ["masked"]
    assert step.granularity_ > plain.granularity_


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("is_relaxed", [False, True])
def test_suppression_saves_more_than_it_costs_with_every_kind_of_column(seed, share, is_relaxed):
    table = people(seed, 200)
    parameters = {"k": 4, "quasi_identifiers": QUASI, "hierarchies": {"town": REGIONS}, "relaxed": is_relaxed}
    step = KAnonymizer(**parameters, max_suppression=share)
    out = step.fit_transform(table)
    assert step.n_suppressed_ == 0 or 4 <= step.n_suppressed_ <= 200 * share
    assert out[QUASI].isna().all(axis=1).sum() >= step.n_suppressed_
    assert sizes(out).min() >= 4
    plain = KAnonymizer(**parameters).fit(table)
    if step.n_suppressed_:
        assert step.granularity_ > plain.granularity_
    else:
        assert step.granularity_ == plain.granularity_


@pytest.mark.parametrize(("constraint", "masked"), [({"l_diversity": 3}, 0), ({"l_diversity": 2}, 6)])
def test_masked_rows_are_l_diverse_too(constraint, masked):
    step = KAnonymizer(5, quasi_identifiers=OUTLYING, sensitive="illness", max_suppression=0.25, **constraint)
    released = step.fit_transform(with_outliers())
    diversity = released.groupby(OUTLYING, dropna=False, observed=True)["illness"].nunique()
    assert diversity.min() >= constraint["l_diversity"]
    assert step.n_suppressed_ == masked


# Bad input


@pytest.mark.parametrize(
    "parameters",
    [
        {"k": 0}, {"k": -1}, {"k": 2.5}, {"k": True}, {"k": 13}, {"labels": "median"}, {"max_suppression": 2},
        {"max_suppression": "much"}, {"l_diversity": 2}, {"t_closeness": 0.5}, {"quasi_identifiers": ["agee"]},
        {"quasi_identifiers": []}, {"sensitive": "city", "quasi_identifiers": ["city", "age"]},
        {"sensitive": "citty"}, {"sensitive": "group", "l_diversity": 40}, {"sensitive": "group", "l_diversity": 0},
        {"sensitive": "group", "t_closeness": -0.1}, {"weights": {"age": 0}}, {"weights": {"agee": 1}},
        {"relaxed": 1}, {"weights": 3}, {"hierarchies": {"agee": REGIONS}}, {"hierarchies": 3},
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_used(table, parameters):
    with pytest.raises(ParameterError) as caught:
        KAnonymizer(**{"k": 2, **parameters}).fit(table)
    assert not any(city in str(caught.value) for city in ("Oslo", "Lima", "Kobe", "Bonn"))


def test_an_empty_frame_is_refused(table):
    with pytest.raises(ParameterError, match="number of rows"):
        KAnonymizer(2).fit(table[:0])


@pytest.mark.parametrize("column", [[3] * 6, [None] * 6, [float("nan")] * 6, ["a", 1, 2.5, None, "a", 1], [True] * 6])
def test_constant_missing_and_mixed_columns(column):
    table = pd.DataFrame({"odd": pd.Series(column), "age": range(6)})
    out = KAnonymizer(3).fit_transform(table)
    assert sizes(out, ["odd", "age"]).min() >= 3


@pytest.mark.parametrize(
    "pay",
    [
        [1.7e308, 1.6e308, 1.5e308, *[sys.float_info.max] * 3],
        [*[-sys.float_info.max] * 5, -1.7e308, -1.6e308, -1.7e308, 3.0],
        [1e-320, 0.1, 0.2, 1.7e308, 1.7e308, None, 1.7e308, -1.7e308, -1e308, -1.7e308],
    ],
)
def test_means_of_huge_values_do_not_overflow(pay):
    released = KAnonymizer(3, labels="mean").fit_transform(pd.DataFrame({"pay": pay}))["pay"]
    for mean, group in pd.Series(pay).groupby(released, dropna=False):
        exact = sum(map(Fraction, group.dropna())) / len(group.dropna())
        assert abs(Fraction(mean) - exact) <= abs(exact) * Fraction(1, 10**15)


def test_means_beside_huge_ones_are_the_same_to_the_last_bit():
    ages = pd.Series([20.1, 20.2, 20.7, 41.3, 41.4, 41.5])
    table = pd.DataFrame({"pay": [*ages, 1.5e308, 1.6e308, 1.7e308]})
    released = KAnonymizer(3, labels="mean").fit_transform(table)["pay"].iloc[:6]
    for mean, group in ages.groupby(released):
        assert mean == np.add.reduceat(group.to_numpy(), [0])[0] / len(group)


def test_means_with_infinite_values_are_infinite_or_none():
    table = pd.DataFrame({"pay": [-np.inf, 1.7e308, 1.7e308, 1.7e308]})
    assert (KAnonymizer(4, labels="mean").fit_transform(table)["pay"] == -np.inf).all()
    table.loc[3, "pay"] = np.inf
    assert KAnonymizer(4, labels="mean").fit_transform(table)["pay"].isna().all()


def test_infinite_and_huge_values():
    table = pd.DataFrame({"pay": [-np.inf, -1.7e308, 0.0, 1.0, 1.7e308, np.inf]})
    for labels in ("interval", "mean"):
        assert sizes(KAnonymizer(2, labels=labels).fit_transform(table), ["pay"]).min() >= 2


def test_values_that_look_like_labels():
    size = pd.Categorical(["a", "a - b", "b", "a", "a - b", "b"] * 2, ["a", "b", "a - b"], ordered=True)
    table = pd.DataFrame({"size": size, "town": ["{x, y}", "x", "y", "missing", None, "NA"] * 2})
    for k in (1, 2, 3, 4, 6):
        for quasi in (["size"], ["town"], ["size", "town"]):
            out = KAnonymizer(k, quasi_identifiers=quasi).fit_transform(table)
            assert sizes(out, quasi).min() >= k


def test_sets_that_would_fill_gigabytes_are_refused(monkeypatch):
    table = pd.DataFrame({"name": [f"n{i:03d}" for i in range(100)]})
    monkeypatch.setattr("skdp._generalisation.MOST_TEXT", 50 * 100 * 6)
    assert len(KAnonymizer(50).fit(table).class_sizes_) == 2
    with pytest.raises(ParameterError, match="'name'.*100 values.*hierarchies") as caught:
        KAnonymizer(51).fit(table)
    assert "n000" not in str(caught.value)
    tree = {name: [name[:3], "any"] for name in table["name"]}
    assert KAnonymizer(51, hierarchies={"name": tree}).fit_transform(table)["name"].eq("any").all()


def test_objects_that_are_no_text():
    odd = pd.Series([(1, 2), (1, 2), b"x", 3, 2.5, None, pd.Timestamp("2024-01-01"), "3"] * 2, dtype=object)
    table = pd.DataFrame({"odd": odd, "age": range(16)})
    assert sizes(KAnonymizer(3).fit_transform(table), ["odd", "age"]).min() >= 3


@pytest.mark.long
def test_a_million_different_strings():
    table = pd.DataFrame({"name": [f"n{i}" for i in range(1_000_000)], "age": np.arange(1_000_000) % 70})
    released = KAnonymizer(5).fit_transform(table)
    assert released.groupby(["name", "age"], dropna=False, observed=True).size().min() >= 5
    with pytest.raises(ParameterError, match="hierarchies"):
        KAnonymizer(100_000, quasi_identifiers="name").fit(table)


def test_as_many_strings_as_rows():
    table = pd.DataFrame({"name": [f"n{i}" for i in range(20_000)], "age": np.arange(20_000) % 70})
    assert sizes(KAnonymizer(5).fit_transform(table), ["name", "age"]).min() >= 5


# The Adult table: the bars of the issue


def adult():
    table = pd.read_csv(ADULT / "adult.csv", sep=";")
    quasi = [column for column in table if column != "salary-class"]
    trees = {
        column: pd.read_csv(ADULT / f"adult_hierarchy_{column}.csv", sep=";", header=None, dtype=str)
        for column in quasi
    }  # fmt: skip
    return table, quasi, trees


def granularity(released, table, quasi, trees=None):
    """Return the granularity read off the labels."""
    covered = []
    for column in quasi:
        labels = released[column].astype(str)
        if trees:
            under = pd.concat([trees[column][level] for level in trees[column]], axis=1)
            leaves = {node: (under == node).any(axis=1).sum() for node in labels.unique()}
            share = labels.map(leaves).sub(1) / (len(under) - 1)
        elif column == "age":
            ends = labels.str.split(" - ")
            share = (ends.str[-1].astype(float) - ends.str[0].astype(float)) / np.ptp(table["age"])
        else:
            share = labels.str.count(", ") / (table[column].nunique() - 1)
        covered.append(share.mean())
    return 1 - np.mean(covered)


@needs_adult
@pytest.mark.parametrize(("k", "bar", "with_trees"), [(5, 0.95, False), (10, 0.92, False), (5, 0.88, True)])
def test_adult_keeps_its_information(k, bar, with_trees):
    table, quasi, trees = adult()
    trees = trees if with_trees else None
    step = KAnonymizer(k, quasi_identifiers=quasi, hierarchies=trees)
    released = step.fit_transform(table)
    assert sizes(released, quasi).min() >= k
    assert granularity(released, table, quasi, trees) >= bar
    assert step.granularity_ == pytest.approx(granularity(released, table, quasi, trees))
    assert released[quasi].notna().all(axis=None)


@pytest.mark.long
def test_a_million_rows():
    rng, size = np.random.default_rng(0), 1_000_000
    table = pd.DataFrame({
        "age": rng.integers(18, 90, size),
        "income": rng.lognormal(10, 0.6, size).round(2),
        "code": rng.integers(0, 2000, size),
        "job": rng.choice([f"job{i}" for i in range(30)], size),
        "sex": rng.choice(["m", "f"], size),
        "country": rng.choice([f"c{i}" for i in range(40)], size, p=np.arange(40, 0, -1) / 820),
    })  # fmt: skip
    step = KAnonymizer(10)
    released = step.fit_transform(table)
    assert released.groupby(list(table), dropna=False, observed=True).size().min() >= 10


@pytest.mark.parametrize("bug", ["k", "missing"])
def test_a_planted_bug_is_caught(monkeypatch, bug):
    table = people(size=200)
    if bug == "k":
        careless = lambda codes, recoding: partition(codes, replace(recoding, k=recoding.k - 1))  # noqa: E731
        monkeypatch.setattr("skdp.anonymity.partition", careless)
        released = KAnonymizer(5, quasi_identifiers=QUASI).fit_transform(table)
    else:  # a gap that is released as a gap, in a class that has values besides
        released = KAnonymizer(5, quasi_identifiers=QUASI).fit_transform(table)
        released = released.mask(table.isna())
    assert sizes(released).min() < 5


def test_a_planted_bug_in_relaxed_cuts_is_caught(monkeypatch):
    honest = SetScale.divide
    monkeypatch.setattr(SetScale, "divide", lambda scale, runs, k: honest(scale, runs, k - 1))
    assert min(sizes(relaxed().fit_transform(heavy(seed)), HEAVY).min() for seed in range(4)) < 5


def test_a_planted_bug_in_suppression_is_caught(monkeypatch):
    def wasteful(codes, recoding, classes, budget):
        return np.arange(len(classes)) < budget

    monkeypatch.setattr("skdp.anonymity.outlying_records", wasteful)
    parameters = {"k": 4, "quasi_identifiers": QUASI, "hierarchies": {"town": REGIONS}}
    table = people(0, 200)
    wasted = KAnonymizer(**parameters, max_suppression=0.1).fit(table).granularity_
    assert wasted < KAnonymizer(**parameters).fit(table).granularity_


# Records that are alike, counted


ALIKE = ["age", "town", "member", "born", "size"]


def alike(seed, size=1500):
    """Return a table in which most rows occur several times, with gaps."""
    table = people(seed, size)
    born = table["born"].dt.to_period("Y").dt.start_time.where(table["born"].dt.year > 2002)
    member, pay = table["member"] | (table["age"] > 40), table["pay"] // 10
    return table.assign(age=table["age"] // 24, born=born, member=member, pay=pay)


def learned(step):
    """Return all that a step knows of classes, as text."""
    tree = step._tree
    arrays = [tree.attribute, tree.children, tree.highest, *tree.left, tree.relaxed, step.class_sizes_]
    return [array.tolist() for array in arrays], step.n_suppressed_


@pytest.mark.parametrize(
    ("seed", "labels", "hierarchies"), [(0, "interval", None), (1, "mean", {"town": REGIONS})], ids=["sets", "nodes"]
)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"max_suppression": 0.2},
        {"sensitive": ["illness", "pay"], "l_diversity": 2},
        {"sensitive": "pay", "t_closeness": 0.2, "max_suppression": 0.2},
        {"sensitive": "illness", "t_closeness": 0.3, "weights": {"age": 5.0}},
        {"max_suppression": 0.1, "relaxed": True},
    ],
    ids=str,
)
def test_rows_that_are_alike_may_be_counted_instead(seed, labels, hierarchies, more):
    """In memory where at least half are: whether it is done changes nothing."""
    table = alike(seed)
    assert 2 * len(table.drop_duplicates([*ALIKE, "illness"])) < len(table)
    step = KAnonymizer(3, quasi_identifiers=ALIKE, labels=labels, hierarchies=hierarchies, **more)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("skdp.anonymity._thinned", lambda records, recoding: (records, slice(None)))
        each = clone(step)
        released = each.fit_transform(table)
    counted = clone(step).partial_fit(table[:300]).partial_fit(table[300:]).finish()
    for other in (clone(step).fit(table), counted):
        assert learned(other) == learned(each)
        assert other.granularity_ == pytest.approx(each.granularity_, abs=1e-12)
        assert values(other.transform(table)) == values(each.transform(table))
    assert values(step.fit_transform(table)) == values(released)


def test_a_row_that_counts_for_one_only_is_caught(monkeypatch):
    honest = KAnonymizer(3, quasi_identifiers=ALIKE).fit(alike(0))
    careless = lambda numbers, bound, times=None: np.bincount(numbers, minlength=bound)  # noqa: E731
    monkeypatch.setattr("skdp._mondrian.tally", careless)
    assert learned(KAnonymizer(3, quasi_identifiers=ALIKE).fit(alike(0))) != learned(honest)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
@pytest.mark.parametrize("cells", [[[1], [2], None, [2]], [{"p": 1}, {"p": 2}, None, {"p": 2}]])
@pytest.mark.parametrize(
    "options",
    [{"quasi_identifiers": ["a", "b"]}, {"quasi_identifiers": "b", "sensitive": "a", "l_diversity": 2}, {}],
)
def test_columns_of_lists_and_structures_are_refused_by_name(make, cells, options):
    with pytest.raises(ValueError, match="Column 'a' holds lists, structures or bytes"):
        KAnonymizer(k=2, **options).fit_transform(make({"a": cells, "b": ["x", "x", "y", "y"]}))


# what a CSV file holds


ALIKE_IN_CSV = [None, "", "NA", "1", "1.0", "01", "true", "True", "flu", " flu", "'=1", "=1", "cold"]
ODD = [1, 1.0, True, "1", "1.0", None, float("nan"), "", "flu", 2, "2", Decimal("2.0"), "True", Fraction(1, 2), 0.5]
DIGITS = ["1", "1.0", "2", "2.0", "3", "4", "5", "6", ""]


def drawn_table(rng, k):
    """Return a small table whose sensitive values are alike in a CSV file, in several containers."""
    size = int(rng.integers(2 * k, 40))
    kind, palette = [("str", ALIKE_IN_CSV), ("object", ODD), ("category", DIGITS), ("object", DIGITS)][rng.integers(4)]
    share = rng.dirichlet(np.ones(len(palette)))
    cells = [palette[place] for place in rng.choice(len(palette), size, p=share)]
    ages = pd.Series(rng.integers(0, 9, size), dtype="int64")
    towns = rng.choice(["Lima", "Oslo", "", None], size)
    return pd.DataFrame({"age": ages, "town": pd.Series(towns, dtype=object), "illness": pd.Series(cells, dtype=kind)})


def from_csv(released, **options):
    return pd.read_csv(io.StringIO(released.to_csv(index=False)), **options)


def least_kinds(released):
    return int(released.groupby(["age", "town"], dropna=False)["illness"].nunique(dropna=False).min())


def check_constraints_in_memory_and_csv(seed, n_tables):
    """Release random tables; k, l and t must hold as they are and after a CSV file. Return how many there were."""
    rng, done = np.random.default_rng(seed), 0
    for _ in range(n_tables):
        k, least, most = int(rng.integers(1, 5)), int(rng.integers(1, 4)), [None, 0.2, 0.5][rng.integers(3)]
        table, share = drawn_table(rng, k), [0.0, 0.3][rng.integers(2)]
        step = KAnonymizer(k, sensitive="illness", l_diversity=least, t_closeness=most, max_suppression=share)
        try:
            released = step.fit_transform(table)
        except ParameterError:  # the whole table has too few values
            continue
        for seen in (released, from_csv(released)):
            assert seen.groupby(["age", "town"], dropna=False).size().min() >= k
            assert least_kinds(seen) >= least
            assert most is None or metrics.t_closeness(seen, ["age", "town"], "illness") <= most + 1e-9
        done += 1
    return done


def test_l_diversity_holds_in_the_csv_file_that_is_released():
    cells = {"in Lima": [None, ""], "in Oslo": ["1", "1.0"], "in Bonn": ["flu", "cold"]}
    table = pd.DataFrame([(town, cell) for town, own in cells.items() for cell in own * 3], columns=["town", "illness"])
    released = KAnonymizer(2, sensitive="illness", l_diversity=2).fit_transform(table)
    assert from_csv(released).groupby("town")["illness"].nunique(dropna=False).min() >= 2


@pytest.mark.parametrize("cells", [[None, ""], ["NA", "nan"], ["1", "1.0"], [1, "1"], ["True", "true"], ["=1", "'=1"]])
def test_values_that_a_csv_file_makes_one_are_one(cells):
    table = pd.DataFrame({"age": range(4), "illness": pd.Series(cells * 2, dtype=object)})
    with pytest.raises(ParameterError, match="at most 1, the values of 'illness' that stay different in a CSV file"):
        KAnonymizer(2, sensitive="illness", l_diversity=2).fit(table)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_values_that_stay_different_in_a_csv_file_are_counted(make):
    cells = ["9007199254740993", "9007199254740992", "18", "17"]
    table = make({"age": [1, 2, 3, 4], "illness": cells})
    assert KAnonymizer(2, sensitive="illness", l_diversity=4).fit(table).class_sizes_.tolist() == [4]


def test_long_integers_beside_gaps_are_read_as_floats():
    table = pd.DataFrame({"age": range(4), "illness": pd.array([2**53, 2**53 + 1, None, 5], dtype="Int64")})
    with pytest.raises(ParameterError, match="at most 3"):
        KAnonymizer(2, sensitive="illness", l_diversity=4).fit(table)


def test_constraints_hold_in_memory_and_in_csv():
    assert check_constraints_in_memory_and_csv(seed=0, n_tables=200) > 100


@pytest.mark.long
def test_constraints_hold_in_memory_and_in_csv_of_2000_tables():
    assert check_constraints_in_memory_and_csv(seed=1, n_tables=2000) > 1000


def test_values_counted_as_they_are_in_memory_are_caught(monkeypatch):
    monkeypatch.setattr(_constraints, "_merged_in_csv", lambda frame, column, codes: codes)
    with pytest.raises(AssertionError):
        check_constraints_in_memory_and_csv(seed=0, n_tables=200)


def test_equal_objects_counted_as_one_for_t_closeness_are_caught(monkeypatch):
    monkeypatch.setattr(_levels, "factorise_spelled", _levels.factorise)
    with pytest.raises(AssertionError):
        check_constraints_in_memory_and_csv(seed=0, n_tables=400)


def test_chunks_count_sensitive_values_as_a_csv_file_does():
    rng = np.random.default_rng(0)
    for _ in range(30):
        table = drawn_table(rng, 2)
        whole = KAnonymizer(2, sensitive="illness", l_diversity=2, t_closeness=0.5)
        try:
            expected = whole.fit(table).class_sizes_.tolist()
        except ParameterError:
            continue
        chunks = clone(whole).partial_fit(table[::2]).partial_fit(table[1::2]).finish()
        assert chunks.class_sizes_.tolist() == expected
