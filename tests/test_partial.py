"""Learning in chunks is learning the whole: for every step that can, in every order, in several processes."""

import copy
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import values
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from test_noise_audit import STEPS as AUDITED
from test_noise_audit import leaked, planted

from skdp import DistributionImputer, KAnonymizer, OutlierDropper, Pipeline, QuantileBinner
from skdp.bounds import DPBounds
from skdp.ledger import PrivacyLedger

ROWS = 600
INCOMES = {"income": (0, 200), "age": (0, 120)}
STEPS = [
    QuantileBinner(),
    QuantileBinner({"income": 7}, min_bin_size=20),
    QuantileBinner(4, encode="onehot", labels="mean"),
    QuantileBinner(4, epsilon=1, bounds=INCOMES, random_state=1),
    QuantileBinner(4, epsilon=1, bounds={"income": DPBounds(1)}, columns="income", random_state=1),
    *(OutlierDropper(method, action="clip") for method in ("iqr", "zscore", "mad", "quantile", "gap")),
    OutlierDropper(factor={"income": 1.5}, tail="right", action="mask"),
    OutlierDropper("quantile", epsilon=1, bounds=INCOMES, factor=0.1, random_state=1, action="mask"),
    DistributionImputer(random_state=1),
    DistributionImputer({"town": "observed", "extra": {1: 1, 2: 3}}, by=["group"], replace="all", random_state=1),
    DistributionImputer(
        epsilon=1, categories={"town": ["Lima", "Oslo"], "group": ["a", "b"]}, by="group", bounds={"income": (0, 200)},
        random_state=1,
    ),
    KAnonymizer(5, quasi_identifiers=["age", "town", "group"]),
    KAnonymizer(3, quasi_identifiers=["age", "town"], sensitive="group", l_diversity=2, max_suppression=0.1),
    KAnonymizer(4, quasi_identifiers=["age", "group"], relaxed=True),
]  # fmt: skip


def people(seed=0, rows=ROWS):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({
        "income": rng.lognormal(3, 0.6, rows).round(2),
        "age": rng.integers(18, 80, rows),
        "town": rng.choice(["Lima", "Oslo", "Bonn"], rows),
        "group": pd.Categorical(rng.choice(["a", "b"], rows)),
    })  # fmt: skip
    table.loc[rng.random(rows) < 0.1, "income"] = np.nan
    return table.assign(town=table["town"].where(rng.random(rows) > 0.1))


def chunks_of(table, sizes=(1, 250, 0, 100, 249)):
    ends = np.cumsum(sizes)
    return [table[start:end] for start, end in zip(np.r_[0, ends[:-1]], ends, strict=True)]


def fed(step, chunks):
    step = clone(step)
    for chunk in chunks:
        step.partial_fit(chunk)
    return step


def name(step):
    return " ".join(repr(step).split())[:60]


@pytest.fixture(params=STEPS, ids=name)
def step(request):
    return request.param


@pytest.fixture(params=[pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def table(request):
    return request.param(people())


def test_chunks_teach_what_the_whole_table_does(step, table):
    whole, parts = clone(step).fit(table), fed(step, chunks_of(table))
    assert values(parts.transform(table)) == values(whole.transform(table))
    assert list(parts.get_feature_names_out()) == list(whole.get_feature_names_out())
    for attribute in ("edges_", "fences_", "columns_", "class_sizes_", "granularity_", "privacy_guarantee_"):
        assert str(getattr(parts, attribute, None)) == str(getattr(whole, attribute, None))


def test_the_order_of_chunks_and_the_tree_of_merges_do_not_matter(step, table):
    whole = clone(step).fit(table)
    one, two, three = (fed(step, [chunk]) for chunk in chunks_of(table, (200, 300, 100)))
    three.merge(one.merge(two))
    assert values(three.transform(table)) == values(whole.transform(table))


def test_what_was_collected_goes_from_process_to_process(step, table):
    first, second = (pickle.loads(pickle.dumps(fed(step, [chunk]))) for chunk in (table[:400], table[400:]))
    assert values(first.merge(second).transform(table)) == values(clone(step).fit(table).transform(table))


def test_merging_leaves_the_other_step_as_it_was(step, table):
    one, two = fed(step, [table[:300]]), fed(step, [table[300:]])
    one.merge(two)
    assert values(two.transform(table)) == values(clone(step).fit(table[300:]).transform(table))


def test_a_finished_step_holds_nothing_that_was_collected(step, table):
    finished = fed(step, [table[:300], table[300:]]).finish()
    assert "_collected" not in vars(finished)
    assert finished.finish() is finished
    assert len(pickle.dumps(finished)) < 1.2 * len(pickle.dumps(clone(step).fit(table)))


def test_after_its_first_use_a_step_learns_no_more_and_says_what_to_do(step, table):
    used = fed(step, [table])
    spare = copy.deepcopy(used)
    used.transform(table)
    for call in (lambda: used.partial_fit(table), lambda: used.merge(spare), lambda: spare.merge(used)):
        with pytest.raises(ValueError, match=r"forgotten what it had collected.*deepcopy"):
            call()
    spare.partial_fit(table).transform(table)


def test_fit_starts_anew(step, table):
    again = fed(step, [table[:100]]).fit(table)
    assert values(again.transform(table)) == values(clone(step).fit(table).transform(table))


def test_steps_that_differ_are_not_merged(table):
    for other in (QuantileBinner(3), QuantileBinner(4, labels="mean"), OutlierDropper()):
        with pytest.raises(ValueError, match="merged with a|same parameters"):
            fed(QuantileBinner(4), [table]).merge(fed(other, [table]))
    with pytest.raises(ValueError, match="same columns"):
        fed(OutlierDropper(), [table]).merge(fed(OutlierDropper(), [table[["income", "age"]]]))
    with pytest.raises(ValueError, match="collected nothing to merge"):
        OutlierDropper().merge(fed(OutlierDropper(), [table]))


def test_a_chunk_of_other_columns_is_refused(step, table):
    with pytest.raises(ValueError, match="feature"):
        fed(step, [table]).partial_fit(table[["income", "age"]])


def test_no_chunk_or_no_row_is_an_error(step, table):
    with pytest.raises(NotFittedError):
        clone(step).finish()
    with pytest.raises(ValueError, match="row"):
        fed(step, [table[:0]]).finish()


def test_chunks_may_differ_in_dtype_where_one_has_gaps_only():
    whole = pd.DataFrame({"visits": [1.0, 2.0, 3.0, 4.0, np.nan, np.nan]})
    chunks = [whole[:4].astype("int64"), whole[4:].astype(object)]
    binner = fed(QuantileBinner(2), chunks)
    assert binner.finish().edges_["visits"].tolist() == QuantileBinner(2).fit(whole).edges_["visits"].tolist()
    for imputer in (fed(DistributionImputer(random_state=1), order) for order in (chunks, chunks[::-1])):
        assert imputer.transform(whole).equals(DistributionImputer(random_state=1).fit(whole).transform(whole))


@pytest.mark.parametrize("step", [QuantileBinner(2), OutlierDropper()], ids=name)
def test_a_column_of_two_kinds_is_refused_without_its_values(step):
    with pytest.raises(ValueError, match="'visits' is of one kind in some chunks") as error:
        fed(step, [pd.DataFrame({"visits": [7411, 7412]}), pd.DataFrame({"visits": ["Xanadu", "Lima"]})])
    assert "741" not in str(error.value) and "Xanadu" not in str(error.value)


def test_a_private_step_is_charged_once_however_many_chunks_there_are(tmp_path):
    ledger = PrivacyLedger(tmp_path / "ledger.sqlite")
    step = QuantileBinner(4, epsilon=100, bounds=(0, 200), columns="income", ledger=ledger)
    fed_step = fed(step, chunks_of(people()))
    assert len(ledger.entries()) == 0
    fed_step.transform(people())
    fed_step.transform(people())
    assert len(ledger.entries()) == 1


def test_an_imputer_in_chunks_takes_public_bounds_only():
    step = DistributionImputer(epsilon=1, bounds={"income": DPBounds(1)})
    with pytest.raises(ValueError, match="DPBounds needs the whole of it"):
        step.partial_fit(people())


PLANTED = [one for one in AUDITED if hasattr(one, "partial_fit")]


@pytest.mark.parametrize("step", PLANTED, ids=name)
def test_no_planted_value_is_left_in_a_finished_step(step):
    table = planted()
    collecting = fed(step, [table[:400], table[400:]])
    if step.get_params().get("distributions") is None and not isinstance(step, KAnonymizer):
        assert leaked([pickle.dumps(collecting)], table) >= 1000  # which is what the search must find, if it is there
    finished = collecting.finish()
    assert leaked([pickle.dumps(finished), str(vars(finished)).encode(), repr(finished).encode()], table) == 0


@pytest.mark.parametrize("seen_before", [False, True])
@pytest.mark.parametrize(
    ("make", "use"),
    [
        (OutlierDropper, lambda step, X: step.release(X)[1]),
        (OutlierDropper, lambda step, X: step.keep_mask(X)),
        (OutlierDropper, lambda step, X: step.transform(X)["n"]),
        (lambda: OutlierDropper(action="clip"), lambda step, X: step.release(X)[0]["n"]),
        (lambda: OutlierDropper(drop_at="always"), lambda step, X: step.transform(X)["n"]),
        (lambda: QuantileBinner(2), lambda step, X: step.transform(X)["n"].astype(str)),
        (lambda: QuantileBinner(2), lambda step, X: step.inverse_transform(step.transform(X))["n"]),
        (lambda: KAnonymizer(2), lambda step, X: step.transform(X)["n"].astype(str)),
        (OutlierDropper, lambda step, X: Pipeline([("drop", step)]).release(X)[1]),
    ],
)
def test_whatever_is_used_first_learns_from_the_chunks(make, use, seen_before):
    X = pd.DataFrame({"n": [1.0, 2, 3, 4, 5, 6, 100]})
    step = make().fit(1000 * X) if seen_before else make()
    found, expected = use(step.partial_fit(X), X), use(make().fit(X), X)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_what_was_learned_before_goes_with_the_first_chunk(step, table):
    step = clone(step).fit(table)
    names = {name for name in vars(step) if name.endswith("_") and not name.endswith("_in_")}
    assert names and not names & set(vars(step.partial_fit(table)))
    assert names == names & set(vars(step.finish()))
