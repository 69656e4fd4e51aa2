"""OutlierDropper: the five rules, what becomes of an outlier, and the rule about rows."""

import math
import pickle
import struct
from pathlib import Path

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import TABLES, values
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, make_pipeline

from skdp import DPBounds, Pipeline
from skdp._checks import ParameterError
from skdp.outliers import OutlierDropper

SURVEY = Path(__file__).parents[2] / "shared/data/customer_survey.csv"
METHODS = ["iqr", "zscore", "mad", "quantile", "gap"]
LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
DEBTS = {"debt": [1.0, 2.0, 3.0, 4.0, 500.0, None, 2.5, 3.5], "town": list("abcdefgh")}
KEPT = ["a", "b", "c", "d", "f", "g", "h"]


@pytest.fixture(params=LIBRARIES)
def frame(request):
    return LIBRARIES[request.param]


def outlying(dropper, X):
    """Return which rows `fit_transform` drops."""
    return ~clone(dropper).fit_release(X)[1]


# The rules, each against its textbook form


def textbook(method, column, factor):
    """Return where one column is outlying, a value at a time."""
    x = column[~np.isnan(column)]
    if method == "gap":
        low, high = textbook_gap(np.sort(x), factor)
    elif method == "quantile":
        low, high = np.quantile(x, [factor, 1 - factor])
    elif method == "iqr":
        lower, upper = np.quantile(x, [0.25, 0.75])
        low, high = lower - factor * (upper - lower), upper + factor * (upper - lower)
    elif method == "zscore":
        low, high = x.mean() - factor * x.std(), x.mean() + factor * x.std()
    else:
        median = np.median(x)
        distance = factor * np.median(np.abs(x - median)) / 0.6744897501960817
        low, high = median - distance, median + distance
    return np.array([bool(value < low or value > high) for value in column])


def textbook_gap(x, factor):
    """Return the outermost values kept."""
    distance = np.abs(x - np.median(x))
    high = len(x) - 1
    while high > 0 and 0 < distance[high] >= factor * distance[high - 1]:
        high -= 1
    low = 0
    while low < len(x) - 1 and 0 < distance[low] >= factor * distance[low + 1]:
        low += 1
    return x[low], x[high]


def drawn(seed):
    """Return a table of four columns of different shapes, with gaps and far values."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(20, 300))
    X = np.column_stack(
        [
            rng.standard_cauchy(size),
            rng.lognormal(sigma=2, size=size),
            rng.standard_normal(size) * 1e-9 + 1e3,
            rng.integers(0, 30, size) ** 2,
        ]
    ).astype(float)
    X[rng.random(X.shape) < 0.1] = np.nan
    return X


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(12))
def test_exactly_the_rows_go_that_the_textbook_rule_flags(method, seed):
    X = drawn(seed)
    factor = {"iqr": 1.5, "zscore": 2.0, "mad": 3.5, "quantile": 0.05, "gap": 1.1}[method]
    expected = np.column_stack([textbook(method, column, factor) for column in X.T])
    dropper = OutlierDropper(method, factor=factor)
    released, keep = dropper.fit_release(X)
    np.testing.assert_array_equal(~keep, expected.any(axis=1))
    np.testing.assert_array_equal(released, X[keep])
    # … and the fences that are kept for serving flag the same cells
    np.testing.assert_array_equal(dropper.keep_mask(X), keep)
    masked = OutlierDropper(method, factor=factor, action="mask").fit(X).transform(X)
    np.testing.assert_array_equal(np.isnan(masked), expected | np.isnan(X))


@pytest.mark.parametrize(
    ("method", "factor"), [("iqr", 3.0), ("zscore", 3.0), ("mad", 3.5), ("quantile", 0.01), ("gap", 2.0)]
)
def test_factor_none_is_the_documented_default(method, factor):
    X = drawn(99)
    assert OutlierDropper(method).fit(X).fences_ == OutlierDropper(method, factor=factor).fit(X).fences_


def test_the_default_is_tukey_s_far_out_fence():
    column = np.append(np.arange(101.0), [250.0, 256.0])  # quartiles 25.5 and 76.5, so the fence is at 229.5
    X = column[:, np.newaxis]
    assert outlying(OutlierDropper(), X).tolist() == [False] * 101 + [True] * 2


@pytest.mark.parametrize(("tail", "gone"), [("both", ["a", "h"]), ("left", ["a"]), ("right", ["h"])])
@pytest.mark.parametrize("method", METHODS)
def test_tail_tells_where_values_may_be_outlying(frame, method, tail, gone):
    x = [-900.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 900.0]
    factor = {"zscore": 1.5, "quantile": 0.1}.get(method)
    table = frame({"x": x, "town": list("abcdefgh")})
    out = OutlierDropper(method, factor=factor, tail=tail).fit_transform(table)
    assert sorted(set("abcdefgh") - set(out["town"].to_list())) == gone


def test_gap_goes_from_the_extreme_inwards_and_stops_at_the_first_that_is_near():
    x = np.concatenate([np.linspace(-1, 1, 21), [3, 7, 20.0]])  # median 0.15: 19.85, 6.85, 2.85, 0.85 …
    assert x[outlying(OutlierDropper("gap"), x[:, np.newaxis])].tolist() == [3, 7, 20]
    assert x[outlying(OutlierDropper("gap", factor=2.5), x[:, np.newaxis])].tolist() == [20]
    assert not outlying(OutlierDropper("gap", factor=3), x[:, np.newaxis]).any()


def test_gap_two_records_at_the_extreme_protect_each_other():
    x = np.concatenate([np.linspace(-1, 1, 21), [50.0, 50.0]])
    assert not outlying(OutlierDropper("gap"), x[:, np.newaxis]).any()


def test_gap_looks_as_far_in_as_outliers_go():
    far = 3.0 ** np.arange(2, 300)  # more than are looked at first
    x = np.concatenate([np.linspace(-1, 1, 1001), far, -far[:150]])
    assert outlying(OutlierDropper("gap"), x[:, np.newaxis]).sum() == len(far) + 150


def test_missing_values_are_left_out_and_are_no_outliers(frame):
    plain = OutlierDropper().fit(frame({"x": [1.0, 2.0, 3.0, 4.0, 500.0]}))
    gaps = OutlierDropper().fit(frame({"x": [1.0, None, 2.0, 3.0, None, 4.0, 500.0]}))
    assert gaps.fences_ == plain.fences_
    assert gaps.keep_mask(frame({"x": [None, 2.5, 900.0]})).tolist() == [True, True, False]


def test_infinite_values_are_left_out_and_are_outlying():
    x = np.array([1.0, 2.0, 3.0, 4.0, np.inf, -np.inf])[:, np.newaxis]
    dropper = OutlierDropper().fit(x)
    assert dropper.fences_ == OutlierDropper().fit(x[:4]).fences_
    assert dropper.keep_mask(x).tolist() == [True] * 4 + [False] * 2


def test_a_factor_for_each_column_implies_the_columns(frame):
    table = frame({"a": [1, 2, 3, 4, 30], "b": [1, 2, 3, 4, 30], "c": [1, 2, 3, 4, 30]})
    dropper = OutlierDropper(factor={"a": 3, "b": 20}, action="mask")
    out = values(dropper.fit_transform(table))
    assert (out["a"][-1], out["b"][-1], out["c"][-1]) == (None, 30, 30)
    assert list(dropper.fences_) == ["a", "b"]
    assert list(clone(dropper).set_params(columns=["b"]).fit(table).fences_) == ["b"]
    with pytest.raises(ValueError, match="'columns' parameter .* among the columns that 'factor' names"):
        clone(dropper).set_params(columns=["c"]).fit(table)


# What becomes of an outlier


def test_drop_removes_the_row_when_a_table_is_released(frame):
    out = OutlierDropper().fit_transform(frame(DEBTS))
    assert isinstance(out, frame)
    assert out["town"].to_list() == KEPT


def test_mask_makes_the_cell_missing_and_keeps_the_row(frame):
    out = values(OutlierDropper(action="mask").fit_transform(frame(DEBTS)))
    assert out == {"debt": [1, 2, 3, 4, None, None, 2.5, 3.5], "town": DEBTS["town"]}


def test_clip_puts_the_fence_in_its_place(frame):
    dropper = OutlierDropper(action="clip")
    out = values(dropper.fit_transform(frame(DEBTS)))
    low, high = dropper.fences_["debt"]
    assert out["debt"] == [1, 2, 3, 4, high, None, 2.5, 3.5]
    assert values(dropper.transform(frame({"debt": [-99.0], "town": ["z"]})))["debt"] == [low]


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "Int32", "int64[pyarrow]", "float32", "Float64"])
def test_clip_keeps_the_dtype_and_comes_out_inside_the_fences(dtype):
    table = pd.DataFrame({"x": pd.array([1, 2, 3, 4, 100], dtype=dtype)})
    dropper = OutlierDropper(action="clip")
    out = dropper.fit_transform(table)["x"]
    assert out.dtype == table["x"].dtype
    assert 4 < out.iloc[-1] <= np.float32(dropper.fences_["x"][1])
    assert "int" not in dtype.lower() or out.iloc[-1] == np.floor(dropper.fences_["x"][1])
    masked = clone(dropper).set_params(action="mask").fit_transform(table)["x"]
    assert masked.isna().tolist() == [False] * 4 + [True]


def test_clip_keeps_integers_of_polars():
    table = pl.DataFrame({"x": [1, 2, 3, 4, 100]}, schema={"x": pl.Int16})
    assert OutlierDropper(action="clip").fit_transform(table).schema == {"x": pl.Int16}


@pytest.mark.parametrize("action", ["drop", "mask", "clip"])
def test_other_columns_pass_through_in_place(table, action):
    out = OutlierDropper("quantile", factor=0.2, columns=["income"], action=action).fit(table).transform(table)
    assert type(out) is type(table)
    assert list(out.columns) == list(table.columns)
    before, after = values(table), values(out)
    assert {name: before[name] for name in before if name != "income"} == {
        name: after[name] for name in after if name != "income"
    }
    assert (before["income"] == after["income"]) == (action == "drop")


# The one rule about rows, row by row, for each kind of table and of y

KINDS = {
    "pandas": (lambda: pd.DataFrame(DEBTS), lambda y: pd.Series(y, name="bought")),
    "polars": (lambda: pl.DataFrame(DEBTS), lambda y: pl.Series("bought", y)),
    "numpy": (lambda: np.array(DEBTS["debt"], dtype=float)[:, np.newaxis], np.array),
    "list": (lambda: [[np.nan if debt is None else debt] for debt in DEBTS["debt"]], list),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(name="X")
def table_of_kind(kind):
    return KINDS[kind][0]()


@pytest.fixture(name="y")
def target_of_kind(kind):
    return KINDS[kind][1](list(range(8)))


def test_fit_transform_without_y_drops_rows(X):
    assert len(OutlierDropper().fit_transform(X)) == 7


@pytest.mark.parametrize("action", ["mask", "clip"])
def test_fit_transform_that_masks_or_clips_keeps_rows_with_and_without_y(X, y, action):
    assert len(OutlierDropper(action=action).fit_transform(X)) == 8
    assert len(OutlierDropper(action=action).fit_transform(X, y)) == 8


def test_fit_transform_with_y_names_every_cure_where_rows_would_go(X, y):
    with pytest.raises(ValueError, match="would drop 1 of 8 rows, which would no longer match y") as error:
        OutlierDropper().fit_transform(X, y)
    for cure in ("skdp.pipeline.Pipeline", "TrainOnKept", "fit_resample(X, y)", "action='mask'"):
        assert cure in str(error.value)
    assert "500" not in str(error.value)


def test_fit_transform_with_y_works_where_no_row_would_go(X, y):
    assert len(OutlierDropper(factor=1e6).fit_transform(X, y)) == 8


def test_transform_keeps_every_row_unchanged(X, kind):
    out = OutlierDropper().fit(X).transform(X)
    if kind in ("pandas", "polars"):
        assert values(out) == values(X)
    else:
        np.testing.assert_array_equal(out, X)


def test_transform_drops_too_with_drop_at_always(X):
    dropper = OutlierDropper(drop_at="always").fit(X)
    assert len(dropper.transform(X)) == 7
    assert len(dropper.transform(X[:4])) == 4


def test_transform_masks_by_the_fences_learned(X):
    dropper = OutlierDropper(action="mask").fit(X)
    assert values(dropper.transform(X[4:])) == values(dropper.transform(X)[4:])


def test_fit_resample_cuts_both_in_their_containers(X, y):
    X_out, y_out = OutlierDropper().fit_resample(X, y)
    assert len(X_out) == 7
    assert type(y_out) is type(y)
    assert list(y_out) == [0, 1, 2, 3, 5, 6, 7]
    assert len(OutlierDropper().fit_resample(X)) == 7


@pytest.mark.parametrize("action", ["mask", "clip"])
def test_fit_resample_that_masks_or_clips_does_so_and_keeps_rows(X, y, action):
    X_out, y_out = OutlierDropper(action=action).fit_resample(X, y)
    assert values(X_out) == values(OutlierDropper(action=action).fit_transform(X))
    assert list(y_out) == list(y)


def test_fit_resample_refuses_a_y_of_another_length(X, y):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        OutlierDropper().fit_resample(X, y[:-1])


def test_rows_keep_their_index_and_y_is_cut_by_position():
    index = [7, 3, 5, 0, 1, 1, 2, 4]
    table, y = pd.DataFrame(DEBTS, index=index), pd.Series(range(8), index=index[::-1])
    X_out, y_out = OutlierDropper().fit_resample(table, y)
    assert X_out.index.tolist() == [7, 3, 5, 0, 1, 2, 4]
    assert y_out.tolist() == [0, 1, 2, 3, 5, 6, 7]


@pytest.mark.parametrize("columns", [["debt"], ["debt", "town"]])
def test_y_may_have_several_columns(columns):
    y = pd.DataFrame(DEBTS)[columns]
    assert OutlierDropper().fit_resample(pd.DataFrame(DEBTS), y)[1].shape == (7, len(columns))
    assert OutlierDropper().fit_resample(pd.DataFrame(DEBTS), y.to_numpy())[1].shape == (7, len(columns))


# Traps


def beside(library, **options):
    first = ("debt", OutlierDropper(**options), ["debt"])
    return ColumnTransformer([first, ("town", "passthrough", ["town"])]).set_output(transform=library)


@pytest.mark.parametrize("library", ["pandas", "polars", "default"])
def test_inside_a_column_transformer_dropping_is_refused_and_masking_works(library):
    table = LIBRARIES.get(library, pd.DataFrame)(DEBTS)
    with pytest.raises(ValueError, match="would drop rows inside a ColumnTransformer.*in front of.*action='mask'"):
        beside(library).fit_transform(table)
    assert len(beside(library, action="mask").fit_transform(table)) == 8
    assert len(beside(library, factor=1e6).fit_transform(table)) == 8
    assert len(beside(library).fit(table[:4]).transform(table)) == 8


def test_inside_a_column_transformer_s_worker_or_pipeline_dropping_is_refused():
    with pytest.raises(ValueError, match="inside a ColumnTransformer"):
        beside("pandas").set_params(n_jobs=2).fit_transform(pd.DataFrame(DEBTS))
    inner = make_pipeline(OutlierDropper())
    with pytest.raises(ValueError, match="inside a ColumnTransformer"):
        ColumnTransformer([("debt", inner, ["debt"])], remainder="passthrough").fit_transform(pd.DataFrame(DEBTS))


def test_inside_a_feature_union_dropping_is_refused():
    union = FeatureUnion([("kept", OutlierDropper()), ("all", "passthrough")]).set_output(transform="pandas")
    with pytest.raises(ValueError, match="inside a FeatureUnion"):
        union.fit_transform(pd.DataFrame(DEBTS))


def test_imbalanced_learn_s_function_sampler_takes_it():
    imblearn = pytest.importorskip("imblearn")
    from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
    from sklearn.linear_model import LinearRegression

    X, y = np.array(DEBTS["debt"], dtype=float)[:, np.newaxis], np.arange(8.0)
    X[5] = 2.0
    sampler = imblearn.FunctionSampler(func=OutlierDropper().fit_resample, validate=False)
    assert [len(part) for part in sampler.fit_resample(X, y)] == [7, 7]
    model = make_imblearn_pipeline(sampler, LinearRegression()).fit(X, y)
    keep = X[:, 0] < 500
    assert model[-1].coef_ == LinearRegression().fit(X[keep], y[keep]).coef_
    assert len(model.predict(X)) == 8


# Bad and odd input


@pytest.mark.parametrize(
    "parameters",
    [
        {"method": "tukey"}, {"method": None}, {"tail": "upper"}, {"action": "remove"}, {"drop_at": "transform"},
        {"factor": 0}, {"factor": -1.5}, {"factor": np.nan}, {"factor": np.inf}, {"factor": "3"}, {"factor": True},
        {"factor": {"debt": -1}}, {"method": "quantile", "factor": 0.5}, {"method": "quantile", "factor": 1},
        {"method": "gap", "factor": 1}, {"columns": 3},
    ],
)  # fmt: skip
def test_a_bad_parameter_is_an_error_at_fit_that_names_it(frame, parameters):
    dropper = OutlierDropper(**parameters)
    name = list(parameters)[-1]
    with pytest.raises(ValueError, match=f"The '{name}' parameter of OutlierDropper must be .* Got .* instead"):
        dropper.fit(frame(DEBTS))


def test_an_unknown_column_is_an_error_naming_the_nearest(frame):
    with pytest.raises(ValueError, match="'debts'.*not in the table; did you mean 'debt'?"):
        OutlierDropper(columns="debts").fit(frame(DEBTS))
    with pytest.raises(ValueError, match="'debts'.*not in the table; did you mean 'debt'?"):
        OutlierDropper(factor={"debts": 3}).fit(frame(DEBTS))


def test_text_among_numbers_is_left_alone_by_default_and_an_error_where_named():
    table = pd.DataFrame({"size": pd.Series([1, 2, "#NULL!", 3, 4, 99], dtype=object), "age": range(6)})
    assert list(OutlierDropper().fit(table).fences_) == ["age"]
    with pytest.raises(ValueError, match="'size' holds 1 value that is not a number; .*to_numeric") as error:
        OutlierDropper(columns=["size"]).fit(table)
    assert "NULL" not in str(error.value)


def test_numbers_in_a_column_of_objects_are_numbers():
    table = pd.DataFrame({"x": pd.Series([1, 2, None, 3, 4, 99], dtype=object)})
    assert OutlierDropper().fit_transform(table)["x"].tolist() == [1, 2, None, 3, 4]


@pytest.mark.parametrize("column", ["member", "joined"])
def test_booleans_and_dates_are_left_alone_by_default_and_an_error_where_named(table, column):
    assert list(OutlierDropper().fit(table).fences_) == ["age", "income", "visits"]
    with pytest.raises(ValueError, match=f"'{column}' holds [0-9]+ (boolean|date) values where numbers are needed"):
        OutlierDropper(columns=column).fit(table)


@pytest.mark.parametrize("method", METHODS)
def test_a_column_without_spread_has_no_outliers(frame, method):
    table = frame({"constant": [0.1] * 7, "missing": [float("nan")] * 7})
    dropper = OutlierDropper(method)
    assert len(dropper.fit_transform(table)) == 7
    assert set(dropper.fences_.values()) == {(-np.inf, np.inf)}


@pytest.mark.parametrize("method", ["iqr", "mad"])
def test_where_most_values_are_alike_iqr_and_mad_have_no_fences(method):
    x = np.array([0.0] * 8 + [1.0, 2.0])[:, np.newaxis]
    assert OutlierDropper(method).fit(x).fences_ == {"x0": (-np.inf, np.inf)}


@pytest.mark.parametrize("method", METHODS)
def test_one_row_is_enough(frame, method):
    assert len(OutlierDropper(method).fit_transform(frame({"x": [1.0], "town": ["a"]}))) == 1


@pytest.mark.parametrize("action", ["drop", "mask", "clip"])
@pytest.mark.parametrize("make", TABLES)
def test_an_empty_table_is_served_and_comes_out_empty(make, action):
    table = make()
    out = OutlierDropper(action=action, drop_at="always").fit(table).transform(table[:0])
    assert (len(out), list(out.columns)) == (0, list(table.columns))


def test_an_empty_table_cannot_be_learned_from(frame):
    with pytest.raises(ValueError, match="at least one row. Got a table with 0 rows"):
        OutlierDropper().fit(frame(DEBTS)[:0])
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        OutlierDropper().fit(np.empty((0, 2)))


def test_a_table_without_numbers_passes(frame):
    assert len(OutlierDropper().fit_transform(frame({"town": list("abc")}))) == 3


def test_two_columns_of_one_name_are_refused():
    with pytest.raises(ValueError, match="unique"):
        OutlierDropper().fit(pd.DataFrame([[1, 2]], columns=["x", "x"]))


def test_huge_values_give_no_warnings():
    x = np.array([-1.7e308, -1.0, 0.0, 1.0, 1.7e308])[:, np.newaxis]
    for method in METHODS:
        OutlierDropper(method).fit_transform(x)


# What a fitted dropper carries


def traces(number):
    yield struct.pack("<d", number)
    yield struct.pack(">d", number)
    yield repr(number).encode()


@pytest.mark.parametrize("action", ["drop", "mask", "clip"])
@pytest.mark.parametrize("method", METHODS)
def test_no_value_of_the_table_is_in_pickle_repr_or_html(method, action):
    planted = np.random.default_rng(5).lognormal(3, 1.5, (500, 2))
    dropper = OutlierDropper(method, action=action)
    dropper.fit_transform(planted)
    artefacts = pickle.dumps(dropper) + repr(dropper).encode() + dropper._repr_html_().encode()
    artefacts += repr(vars(dropper)).encode()
    assert any(np.isfinite(fence) for fence in dropper.fences_["x0"])
    assert not [number for number in planted.ravel().tolist() if any(trace in artefacts for trace in traces(number))]


def test_the_search_for_planted_values_would_find_an_exact_fence():
    planted = np.random.default_rng(5).lognormal(3, 1.5, 1001)
    exact = pickle.dumps({"x0": (0.0, float(np.quantile(planted, 0.99)))})
    assert any(trace in exact for number in planted.tolist() for trace in traces(number))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("unit", [1, 0.1, 0.25, 1000])
@pytest.mark.parametrize("seed", range(6))
def test_a_fence_is_no_value_of_its_column_even_among_round_numbers(method, unit, seed):
    x = np.random.default_rng(seed).geometric(0.05, 401) * unit - 7 * unit
    for factor in (None, 0.25 if method == "quantile" else 1.2):
        fences = OutlierDropper(method, factor=factor).fit(x[:, np.newaxis]).fences_["x0"]
        assert not set(fences) & set(x.tolist())


@pytest.mark.parametrize("method", METHODS)
def test_a_fence_stands_within_one_percent_of_the_rule(method):
    x = np.random.default_rng(8).standard_normal(100_000)
    high = OutlierDropper(method).fit(x[:, np.newaxis]).fences_["x0"][1]
    lower, median, upper = np.quantile(x, [0.25, 0.5, 0.75])
    mad = np.median(np.abs(x - median))
    exact = {
        "iqr": upper + 3 * (upper - lower),
        "zscore": x.mean() + 3 * x.std(),
        "mad": median + 3.5 * mad / 0.6744897501960817,
        "quantile": np.quantile(x, 0.99),
        "gap": median + 2 * (x.max() - median),
    }[method]
    assert exact < high < exact + 0.01 * (exact - median) + 1e-12


def test_it_claims_no_differential_privacy(frame):
    guarantee = OutlierDropper().fit(frame(DEBTS)).privacy_guarantee_
    assert not guarantee.is_finite
    assert "learned from the data" in str(guarantee)


def test_the_caller_s_table_is_left_alone(table):
    before = values(table)
    for action in ("drop", "mask", "clip"):
        OutlierDropper("quantile", factor=0.2, action=action).fit_transform(table)
    assert values(table) == before


def test_the_caller_s_array_is_left_alone():
    X = drawn(1)
    before = X.copy()
    for action in ("drop", "mask", "clip"):
        OutlierDropper(action=action).fit_transform(X)
    np.testing.assert_array_equal(X, before)


def test_clones_and_pickles_do_the_same(frame):
    dropper = OutlierDropper("gap", factor=1.5, action="mask").fit(frame(DEBTS))
    again = pickle.loads(pickle.dumps(dropper))
    assert values(again.transform(frame(DEBTS))) == values(dropper.transform(frame(DEBTS)))
    assert clone(dropper).get_params() == dropper.get_params()


@pytest.mark.parametrize("output", LIBRARIES)
def test_set_output_decides_the_container(frame, output):
    dropper = OutlierDropper().set_output(transform=output)
    for out in (dropper.fit_transform(frame(DEBTS)), dropper.fit_resample(frame(DEBTS), list(range(8)))[0]):
        assert isinstance(out, LIBRARIES[output])
        assert out["town"].to_list() == KEPT


def test_feature_names_out_are_those_of_the_table(table):
    assert OutlierDropper().fit(table).get_feature_names_out().tolist() == list(table.columns)


def test_fitted_on_pandas_it_serves_polars():
    dropper = OutlierDropper(action="mask").fit(pd.DataFrame(DEBTS))
    assert isinstance(dropper.transform(pl.DataFrame(DEBTS)), pl.DataFrame)


def test_the_html_shows_the_step():
    assert "OutlierDropper" in OutlierDropper().fit(pd.DataFrame(DEBTS))._repr_html_()


# A real table


@pytest.fixture(scope="module")
def survey():
    if not SURVEY.exists():
        pytest.skip(f"{SURVEY.name} is not part of the project and is absent here")
    return pd.read_csv(SURVEY)


def test_of_the_survey_exactly_the_one_extreme_debt_goes(survey):
    dropper = OutlierDropper(method="gap", factor=1.5, columns=["CreditDebt"])
    out = make_pipeline(dropper).fit_transform(survey)
    gone = survey.loc[survey.index.difference(out.index), "CreditDebt"]
    assert gone.round(2).tolist() == [109.07]
    assert_frame_equal(out, survey.drop(index=gone.index))


def test_of_the_survey_a_column_that_is_missing_throughout_passes(survey):
    dropper = OutlierDropper(columns=["Telecommute"])
    assert len(dropper.fit_transform(survey)) == len(survey)
    assert dropper.fences_ == {"Telecommute": (-np.inf, np.inf)}


def test_of_the_survey_text_among_numbers_is_an_error_where_named(survey):
    with pytest.raises(ValueError, match="'TownSize' holds .* not a number; .*to_numeric"):
        OutlierDropper(columns=["TownSize"]).fit(survey)
    assert "TownSize" not in OutlierDropper().fit(survey).fences_


# At a price


def debts(size=20_000):
    return pd.DataFrame({"Debt": np.random.default_rng(0).lognormal(3, 1, size)})


class Recorder:
    """A ledger that writes down what it is charged."""

    def __init__(self):
        self.entries = []

    def charge(self, guarantee, *, estimator, rows, purpose):
        self.entries.append((guarantee, estimator, rows, purpose))


@pytest.mark.parametrize(("tail", "shares"), [("both", (0.05, 0.05)), ("left", (0.05, 0)), ("right", (0, 0.05))])
@pytest.mark.parametrize("bounds", [(0, 1e6), DPBounds(1)], ids=str)
def test_noisy_fences_stand_near_their_quantiles(tail, shares, bounds):
    # a rank is off by about 6 of 20,000; by 200 with a probability below 1e-9
    X = debts()
    dropper = OutlierDropper("quantile", factor=0.05, tail=tail, epsilon=1, bounds=bounds).fit(X)
    low, high = dropper.fences_["Debt"]
    assert (X["Debt"] < low).mean() == pytest.approx(shares[0], abs=0.01)
    assert (X["Debt"] > high).mean() == pytest.approx(shares[1], abs=0.01)
    assert dropper.privacy_guarantee_.epsilon == (1 if isinstance(bounds, tuple) else 2)
    assert dropper.privacy_guarantee_.scope == "central"


def test_noisy_fences_drop_and_clip():
    X = debts()
    dropper = OutlierDropper("quantile", epsilon=1, bounds=(0, 1000), random_state=0)
    low, high = dropper.fit(X).fences_["Debt"]
    assert len(dropper.fit_transform(X)) == X["Debt"].between(low, high).sum()
    clipped = dropper.set_params(action="clip").fit_transform(X)["Debt"]
    assert clipped.between(low, high).all()
    assert (clipped == high).any()


def test_noisy_fences_are_no_extremes_of_the_table():
    X = debts(1000)
    for factor in (1e-9, 0.001):
        fences = OutlierDropper("quantile", factor=factor, epsilon=1000, bounds=(0, 1e4)).fit(X).fences_["Debt"]
        assert not X["Debt"].isin(fences).any()  # by chance with a probability below 1e-9


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 1e308])
@pytest.mark.parametrize("share", [0.01, 0.8, 1.0])
def test_odd_values_never_break_noisy_fences(odd, share):
    X = debts(1000)
    X.iloc[: int(share * 1000)] = odd
    low, high = OutlierDropper("quantile", epsilon=1, bounds=(0, 100)).fit(X).fences_["Debt"]
    assert 0 <= low <= high <= 100


@pytest.mark.parametrize("epsilon", [None, 1])
def test_fences_are_charged_once_for_each_fit(epsilon):
    ledger = Recorder()
    dropper = OutlierDropper("quantile", epsilon=epsilon, bounds=epsilon and (0, 100), ledger=ledger)
    dropper.fit_transform(debts(100))
    dropper.transform(debts(100))
    assert ledger.entries == [(dropper.privacy_guarantee_, "OutlierDropper", 100, "fit")]


def test_a_seed_voids_the_guarantee_of_fences():
    dropper = OutlierDropper("quantile", epsilon=1, bounds=(0, 100), random_state=1)
    assert dropper.fit(debts(100)).fences_ == dropper.fit(debts(100)).fences_
    assert not dropper.privacy_guarantee_.is_finite


def test_dicts_of_prices_name_the_columns():
    X = pd.DataFrame({"a": np.arange(100.0), "b": np.arange(100.0), "c": np.arange(100.0)})
    dropper = OutlierDropper("quantile", epsilon={"a": 1, "b": 2}, bounds=(0, 100)).fit(X)
    assert list(dropper.fences_) == ["a", "b"]
    assert dropper.privacy_guarantee_.epsilon == 3


@pytest.mark.parametrize("method", ["iqr", "zscore", "mad", "gap"])
def test_other_methods_have_no_price(method):
    with pytest.raises(ParameterError, match="'epsilon' parameter of OutlierDropper .* needs 'quantile'"):
        OutlierDropper(method, epsilon=1, bounds=(0, 1)).fit(debts(10))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epsilon": 1}, "'bounds'"),
        ({"bounds": (0, 1)}, "None where 'epsilon' is None"),
        ({"epsilon": {"Debt": 1}, "bounds": (0, 1), "columns": "Other"}, "of columns that are looked at"),
    ],
    ids=str,
)
def test_bad_prices_of_fences_are_refused(parameters, message):
    with pytest.raises(ParameterError, match=message):
        OutlierDropper("quantile", **parameters).fit(debts(10).assign(Other=1.0))


KINGDOM = ["UNICORN", "THE KING", "b", "a"]
JOBS = [*["a", "b"] * 10, "THE KING", None]


def jobs_of(kind):
    incomes = [*np.arange(20.0), 1e6, 3.0]
    if kind == "polars":
        return pl.DataFrame({"Job": pl.Series(JOBS, dtype=pl.Enum(KINGDOM)), "Income": incomes})
    codes = [None if job is None else KINGDOM.index(job) for job in JOBS]
    words = pa.DictionaryArray.from_arrays(pa.array(codes, pa.int16()), KINGDOM)
    if kind == "arrow":
        return pa.table({"Job": words, "Income": incomes})
    jobs = pd.Categorical(JOBS, KINGDOM, ordered=kind == "pandas, ordered")
    jobs = pd.array(words, dtype=pd.ArrowDtype(words.type)) if kind == "pandas, of Arrow" else jobs
    return pd.DataFrame({"Job": jobs, "Income": incomes}, index=range(22, 0, -1))


def categories_of(table):
    if isinstance(table, pl.DataFrame):
        return list(table.schema["Job"].categories)
    if isinstance(table, pd.DataFrame) and isinstance(table["Job"].dtype, pd.CategoricalDtype):
        return table["Job"].cat.categories.tolist()
    return nw.from_native(table)["Job"].to_arrow().dictionary.to_pylist()


@pytest.mark.parametrize("kind", ["pandas", "pandas, ordered", "pandas, of Arrow", "polars", "arrow"])
def test_a_category_that_only_dropped_rows_had_goes_with_them(kind):
    """Those that nobody had stay: they are of a public list."""
    table = jobs_of(kind)
    step = OutlierDropper(columns="Income").fit(table)
    for released in (
        clone(step).fit_transform(table),
        clone(step).fit_resample(table),
        clone(step).fit_release(table)[0],
        step.release(table)[0],
        clone(step).set_params(drop_at="always").fit(table).transform(table),
        Pipeline([("drop", clone(step)), ("rest", "passthrough")]).fit_release(table)[0],
    ):
        assert categories_of(released) == ["UNICORN", "b", "a"]
        jobs = nw.from_native(released)["Job"].to_list()
        assert jobs[:-1] == ["a", "b"] * 10
        assert pd.isna(jobs[-1])
    assert categories_of(table) == KINGDOM
    assert categories_of(step.transform(table)) == KINGDOM  # every row is served
    if kind == "pandas, ordered":
        assert clone(step).fit_transform(table)["Job"].cat.ordered


def test_a_category_that_a_row_still_has_stays():
    table = jobs_of("pandas")
    table.loc[22, "Income"] = 1e6
    released = OutlierDropper(columns="Income").fit_transform(table)
    assert len(released) == 20
    assert categories_of(released) == ["UNICORN", "b", "a"]


def test_categories_of_an_arrow_table_in_chunks_go_by_their_names():
    jobs = pa.chunked_array([pa.array([word]).dictionary_encode() for word in ("THE KING", "a", "b")])
    released = OutlierDropper(columns="Income", method="mad").fit_transform(
        pa.table({"Job": pa.chunked_array([*jobs.chunks, *jobs.chunks[1:] * 9]), "Income": [1e6, *[1.0, 2.0] * 10]})
    )
    assert "THE KING" not in str(released["Job"].unify_dictionaries().chunk(0).dictionary)
    assert len(released) == 20
