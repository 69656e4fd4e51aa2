"""Pipeline and TrainOnKept: what is trained is cut, and what is predicted is whole, as if done by hand."""

import pickle
import threading

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.pipeline
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier, is_regressor
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError, UnsetMetadataPassedError
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skdp.cleaning import PIICleaner
from skdp.outliers import OutlierDropper
from skdp.pipeline import Pipeline, TrainOnKept, make_pipeline

ROWS = 120
FOLDS = KFold(4, shuffle=True, random_state=0)


def numbers():
    """Return a table with 9 far rows, a target and weights."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((ROWS, 3))
    y = X @ [1.0, -2.0, 0.5] + rng.standard_normal(ROWS)
    X[rng.choice(ROWS, 9, replace=False), rng.integers(0, 3, 9)] = 20 * (1 + rng.random(9))
    return X, y, rng.random(ROWS)


X, Y, WEIGHTS = numbers()
LABELS = (Y > 0).astype(int)
KEEP = (X < 20).all(axis=1)
NAMES = ["a", "b", "c"]

CONTAINERS = {
    "numpy": (lambda X: X, lambda y: y),
    "list": (lambda X: X.tolist(), lambda y: y.tolist()),
    "polars": (lambda X: pl.DataFrame(X, schema=NAMES), pl.Series),
    "pandas": (lambda X: pd.DataFrame(X, columns=NAMES), pd.Series),
    "pandas, shuffled index": (
        lambda X: pd.DataFrame(X, columns=NAMES, index=np.random.default_rng(1).permutation(len(X))),
        lambda y: pd.Series(y, index=np.random.default_rng(2).permutation(len(y))),
    ),
}


@pytest.fixture(params=CONTAINERS)
def container(request):
    return CONTAINERS[request.param]


def pipelines(dropper, model):
    """Return the two ways to train `model` on the rows that `dropper` keeps."""
    return {
        "Pipeline": make_pipeline(clone(dropper), clone(model)),
        "TrainOnKept": sklearn.pipeline.make_pipeline(TrainOnKept(clone(dropper), clone(model))),
    }


WAYS = ["Pipeline", "TrainOnKept"]


def fitted_model(pipeline):
    last = pipeline[-1]
    return last.estimator_ if isinstance(last, TrainOnKept) else last


def weights_for(pipeline, weights):
    return {f"{pipeline.steps[-1][0]}__sample_weight": weights}


def same_model(first, second):
    np.testing.assert_array_equal(first.coef_, second.coef_)
    np.testing.assert_array_equal(first.intercept_, second.intercept_)
    return True


def test_the_table_has_rows_to_drop():
    assert (~KEEP).sum() == 9
    np.testing.assert_array_equal(OutlierDropper().fit(X).keep_mask(X), KEEP)


def kept(table, keep=KEEP):
    """Cut a table or target by hand."""
    if isinstance(table, pl.DataFrame | pl.Series):
        return table.filter(keep)
    return [row for row, stays in zip(table, keep, strict=True) if stays] if isinstance(table, list) else table[keep]


# Training, by either way, is what doing it by hand gives: cut first, then fit


@pytest.mark.parametrize("way", WAYS)
def test_the_model_is_the_one_fitted_to_the_kept_rows(way, container):
    table, target = container
    pipeline = pipelines(OutlierDropper(), Ridge())[way].fit(table(X), target(Y))
    assert same_model(fitted_model(pipeline), Ridge().fit(kept(table(X)), kept(target(Y))))


@pytest.mark.parametrize("way", WAYS)
def test_predict_and_score_are_for_every_row(way, container):
    table, target = container
    pipeline = pipelines(OutlierDropper(), LogisticRegression(C=0.01))[way].fit(table(X), target(LABELS))
    by_hand = LogisticRegression(C=0.01).fit(kept(table(X)), kept(target(LABELS)))
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        predicted = getattr(pipeline, method)(table(X))
        assert len(predicted) == ROWS
        np.testing.assert_array_equal(predicted, getattr(by_hand, method)(table(X)))
    assert pipeline.score(table(X), target(LABELS)) == by_hand.score(table(X), target(LABELS))
    assert pipeline.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("container", ["numpy", "pandas, shuffled index", "list"])
def test_sample_weights_are_cut_along(way, container):
    table, target = CONTAINERS[container]
    pipeline = pipelines(OutlierDropper(), Ridge())[way]
    pipeline.fit(table(X), target(Y), **weights_for(pipeline, target(WEIGHTS)))
    by_hand = Ridge().fit(kept(table(X)), kept(target(Y)), sample_weight=WEIGHTS[KEEP])
    assert same_model(fitted_model(pipeline), by_hand)


@pytest.mark.parametrize("way", WAYS)
def test_sample_weights_are_cut_along_with_metadata_routing(way):
    with config_context(enable_metadata_routing=True):
        model = Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = pipelines(OutlierDropper(), model)[way].fit(X, Y, sample_weight=WEIGHTS)
        by_hand = Ridge().fit(X[KEEP], Y[KEEP], sample_weight=WEIGHTS[KEEP])
        assert same_model(fitted_model(pipeline), by_hand)
        assert pipeline.score(X, Y, sample_weight=WEIGHTS) == by_hand.score(X, Y, sample_weight=WEIGHTS)


@pytest.mark.parametrize("way", WAYS)
def test_metadata_that_no_step_has_asked_for_is_refused(way):
    with config_context(enable_metadata_routing=True):
        with pytest.raises(UnsetMetadataPassedError):
            pipelines(OutlierDropper(), Ridge())[way].fit(X, Y, sample_weight=WEIGHTS)
        with pytest.raises(TypeError, match="unexpected argument"):
            pipelines(OutlierDropper(), Ridge())[way].fit(X, Y, weight=WEIGHTS)


@pytest.mark.parametrize("way", WAYS)
def test_cross_validation_scores_every_row_of_each_fold(way):
    pipeline = pipelines(OutlierDropper(), Ridge())[way]
    by_hand = []
    for train, test in FOLDS.split(X):
        dropper = OutlierDropper()
        keep = dropper.fit(X[train]).keep_mask(X[train])
        by_hand.append(Ridge().fit(X[train][keep], Y[train][keep]).score(X[test], Y[test]))
    np.testing.assert_array_equal(cross_val_score(pipeline, X, Y, cv=FOLDS), by_hand)
    assert len(cross_val_predict(pipeline, X, Y, cv=FOLDS)) == ROWS


@pytest.mark.parametrize("way", WAYS)
def test_cross_validation_routes_weights(way):
    with config_context(enable_metadata_routing=True):
        model = Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = pipelines(OutlierDropper(), model)[way]
        scores = cross_val_score(pipeline, X, Y, cv=FOLDS, params={"sample_weight": WEIGHTS}, error_score="raise")
    train, test = next(FOLDS.split(X))
    keep = OutlierDropper().fit(X[train]).keep_mask(X[train])
    by_hand = Ridge().fit(X[train][keep], Y[train][keep], sample_weight=WEIGHTS[train][keep])
    assert scores[0] == by_hand.score(X[test], Y[test], sample_weight=WEIGHTS[test])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("routing", [False, True])
def test_grid_search_tunes_the_dropper_in_worker_processes(way, routing):
    with config_context(enable_metadata_routing=routing):
        model = (
            Ridge().set_fit_request(sample_weight=True).set_score_request(sample_weight=True) if routing else Ridge()
        )
        pipeline = pipelines(OutlierDropper(), model)[way]
        factor = next(name for name in pipeline.get_params() if name.endswith("factor"))
        search = GridSearchCV(pipeline, {factor: [3.0, 1e9]}, cv=FOLDS, n_jobs=2, error_score="raise")
        weights = {"sample_weight": WEIGHTS} if routing else weights_for(pipeline, WEIGHTS)
        table = pd.DataFrame(X, columns=NAMES)
        search.fit(table, Y, **weights)
        assert len(search.predict(table)) == ROWS
    best = KEEP if search.best_params_[factor] == 3.0 else np.ones(ROWS, dtype=bool)
    assert same_model(
        fitted_model(search.best_estimator_), Ridge().fit(table[best], Y[best], sample_weight=WEIGHTS[best])
    )


# Pipelines of several steps


def test_steps_in_front_see_every_row_and_steps_behind_those_kept():
    gaps = np.where(np.random.default_rng(3).random(X.shape) < 0.1, np.nan, X)
    pipeline = make_pipeline(SimpleImputer(), OutlierDropper(), StandardScaler(), Ridge()).fit(gaps, Y)
    filled = SimpleImputer().fit_transform(gaps)
    keep = OutlierDropper().fit(filled).keep_mask(filled)
    assert not keep.all()
    scaler = StandardScaler().fit(filled[keep])
    assert same_model(pipeline[-1], Ridge().fit(scaler.transform(filled[keep]), Y[keep]))
    np.testing.assert_array_equal(pipeline[:-1].transform(gaps), scaler.transform(filled))


@pytest.mark.parametrize("between", [[], [StandardScaler()], ["passthrough"], [None, "passthrough"]])
def test_two_steps_may_drop_rows(between):
    steps = [OutlierDropper(columns=["x0"]), *between, OutlierDropper(), Ridge()]
    pipeline = Pipeline([(f"step{i}", step) for i, step in enumerate(steps)])
    pipeline.fit(X, Y, **weights_for(pipeline, WEIGHTS))
    first = OutlierDropper(columns=["x0"]).fit_release(X)[1]
    part = StandardScaler().fit_transform(X[first]) if StandardScaler in map(type, between) else X[first]
    second = OutlierDropper().fit_release(part)[1]
    assert 0 < (~first).sum()
    assert 0 < (~second).sum()
    by_hand = Ridge().fit(part[second], Y[first][second], sample_weight=WEIGHTS[first][second])
    assert same_model(pipeline[-1], by_hand)
    assert [type(step) for step in pipeline] == [type(step) for step in steps]
    assert len(pipeline.predict(X)) == ROWS


def test_a_supervised_step_is_given_the_y_of_its_rows():
    pipeline = make_pipeline(OutlierDropper(), SelectKBest(k=1), Ridge()).fit(X, LABELS)
    np.testing.assert_array_equal(pipeline[1].scores_, SelectKBest(k=1).fit(X[KEEP], LABELS[KEEP]).scores_)


def test_without_a_step_that_drops_rows_it_is_scikit_learn_s():
    own = make_pipeline(StandardScaler(), Ridge()).fit(X, Y, ridge__sample_weight=WEIGHTS)
    theirs = sklearn.pipeline.make_pipeline(StandardScaler(), Ridge()).fit(X, Y, ridge__sample_weight=WEIGHTS)
    assert same_model(own[-1], theirs[-1])


def test_masking_and_clipping_keep_every_row():
    for action in ("mask", "clip"):
        pipeline = make_pipeline(OutlierDropper(action=action), SimpleImputer(), Ridge()).fit(X, Y)
        released = OutlierDropper(action=action).fit_transform(X)
        assert same_model(pipeline[-1], Ridge().fit(SimpleImputer().fit_transform(released), Y))


def test_identifiers_and_outliers_go_before_training():
    homes = ["1 Oak St, Ames, IA 50010"] * ROWS
    homes[3] = "PO Box 7, Ames, IA 50010"
    table = pd.DataFrame(X, columns=NAMES).assign(home=homes)
    keep = KEEP & (np.arange(ROWS) != 3)
    chosen = ColumnTransformer([("numbers", "passthrough", NAMES)])
    pipeline = make_pipeline(PIICleaner(addresses="home"), OutlierDropper(), chosen, Ridge()).fit(table, Y)
    assert same_model(pipeline[-1], Ridge().fit(chosen.fit_transform(table[keep]), Y[keep]))
    assert len(pipeline.predict(table)) == ROWS


def test_fit_transform_returns_the_released_table(container):
    table, target = container
    pipeline = make_pipeline(OutlierDropper(), StandardScaler())
    expected = StandardScaler().fit_transform(kept(table(X)))
    np.testing.assert_array_equal(pipeline.fit_transform(table(X)), expected)
    np.testing.assert_array_equal(pipeline.fit_transform(table(X), target(Y)), expected)
    assert len(pipeline.transform(table(X))) == ROWS


@pytest.mark.parametrize("last", [OutlierDropper(), "passthrough", None])
def test_the_last_step_may_drop_rows_or_do_nothing(last):
    pipeline = Pipeline([("scale", StandardScaler()), ("first", OutlierDropper()), ("last", last)])
    assert len(pipeline.fit(X, Y).transform(X)) == ROWS
    assert len(pipeline.fit_transform(X, Y)) == OutlierDropper().fit_transform(X).shape[0]
    assert [name for name, _ in pipeline.steps] == ["scale", "first", "last"]


def test_fit_release_tells_which_rows_are_left():
    released, keep = make_pipeline(OutlierDropper(columns=["x0"]), StandardScaler(), OutlierDropper()).fit_release(X, Y)
    np.testing.assert_array_equal(keep, KEEP)
    assert len(released) == KEEP.sum()
    assert make_pipeline(StandardScaler()).fit_release(X)[1].all()


def test_fit_predict_is_for_the_rows_kept():
    model = KMeans(2, random_state=0, n_init=1)
    pipeline = make_pipeline(OutlierDropper(), model)
    predicted = pipeline.fit_predict(X, kmeans__sample_weight=WEIGHTS)
    np.testing.assert_array_equal(predicted, clone(model).fit_predict(X[KEEP], sample_weight=WEIGHTS[KEEP]))
    assert len(pipeline.predict(X)) == ROWS


def test_methods_are_those_that_the_last_step_allows():
    assert not hasattr(make_pipeline(OutlierDropper(), Ridge()), "fit_transform")
    assert not hasattr(make_pipeline(OutlierDropper(), Ridge()), "fit_release")
    assert not hasattr(make_pipeline(OutlierDropper(), Ridge()), "fit_predict")
    assert not hasattr(TrainOnKept(OutlierDropper(), Ridge()), "predict_proba")
    assert hasattr(make_pipeline(OutlierDropper(), StandardScaler()), "fit_transform")


# Pipelines in pipelines


def test_a_pipeline_may_be_a_step_of_another():
    inner = make_pipeline(OutlierDropper(), StandardScaler())
    outer = make_pipeline(inner, Ridge()).fit(X, Y, ridge__sample_weight=WEIGHTS)
    by_hand = Ridge().fit(StandardScaler().fit_transform(X[KEEP]), Y[KEEP], sample_weight=WEIGHTS[KEEP])
    assert same_model(outer[-1], by_hand)
    assert len(outer.predict(X)) == ROWS


@pytest.mark.parametrize("routing", [False, True])
def test_weights_reach_the_steps_of_an_inner_pipeline(routing):
    with config_context(enable_metadata_routing=routing):
        scaler, model = StandardScaler(), Ridge()
        if routing:
            scaler.set_fit_request(sample_weight=True)
            model.set_fit_request(sample_weight=True)
            weights = {"sample_weight": WEIGHTS}
        else:
            weights = dict.fromkeys(("pipeline__standardscaler__sample_weight", "ridge__sample_weight"), WEIGHTS)
        outer = make_pipeline(make_pipeline(OutlierDropper(), scaler), model).fit(X, Y, **weights)
    scaled = StandardScaler().fit(X[KEEP], sample_weight=WEIGHTS[KEEP]).transform(X[KEEP])
    assert same_model(outer[-1], Ridge().fit(scaled, Y[KEEP], sample_weight=WEIGHTS[KEEP]))


def test_a_pipeline_may_be_the_dropper_of_train_on_kept():
    inner = make_pipeline(StandardScaler(), OutlierDropper(), StandardScaler())
    model = TrainOnKept(inner, Ridge()).fit(X, Y, sample_weight=WEIGHTS)
    twice = StandardScaler().fit_transform(StandardScaler().fit_transform(X)[KEEP])
    assert same_model(model.estimator_, Ridge().fit(twice, Y[KEEP], sample_weight=WEIGHTS[KEEP]))
    assert len(model.predict(X)) == ROWS


def test_in_scikit_learn_s_pipeline_dropping_names_the_cure():
    with pytest.raises(ValueError, match=r"would drop 9 of 120 rows.*skdp\.pipeline\.Pipeline.*TrainOnKept"):
        sklearn.pipeline.make_pipeline(OutlierDropper(), Ridge()).fit(X, Y)


@pytest.mark.parametrize("library", ["pandas", "polars", "default"])
def test_in_a_column_transformer_dropping_is_refused(library):
    table = pl.DataFrame(X, schema=NAMES) if library == "polars" else pd.DataFrame(X, columns=NAMES)
    for inner in (OutlierDropper(), make_pipeline(OutlierDropper(), StandardScaler())):
        parts = ColumnTransformer([("some", inner, ["a", "b"])], remainder="passthrough")
        parts.set_output(transform=library)
        with pytest.raises(ValueError, match="would drop rows inside a ColumnTransformer"):
            parts.fit_transform(table)
        with pytest.raises(ValueError, match="would drop|inside a ColumnTransformer"):
            make_pipeline(parts, Ridge()).fit(table, Y)


def test_in_front_of_a_column_transformer_dropping_works():
    table = pd.DataFrame(X, columns=NAMES, index=np.arange(ROWS)[::-1])
    parts = ColumnTransformer([("scaled", StandardScaler(), ["a"])], remainder="passthrough")
    pipeline = make_pipeline(OutlierDropper(), parts.set_output(transform="pandas"), Ridge()).fit(table, Y)
    assert same_model(pipeline[-1], Ridge().fit(clone(parts).fit_transform(table[KEEP]), Y[KEEP]))


# memory, metadata, output


class Counting(TransformerMixin, BaseEstimator):
    """A transformer that counts, over all of its clones, how often it is fitted."""

    fits = 0

    def fit(self, X, y=None):
        type(self).fits += 1
        self.fitted_ = True
        return self

    def transform(self, X):
        return X


class CountingDropper(OutlierDropper):
    fits = 0

    def _fit(self, frame):
        type(self).fits += 1
        super()._fit(frame)


@pytest.mark.parametrize("kind", ["path", "joblib.Memory"])
def test_memory_caches_fitted_steps_with_the_cut(tmp_path, kind):
    memory = str(tmp_path) if kind == "path" else joblib.Memory(tmp_path, verbose=0)
    Counting.fits = CountingDropper.fits = 0
    for alpha in (1.0, 2.0, 3.0):
        given = CountingDropper()
        pipeline = make_pipeline(Counting(), given, Counting(), Ridge(alpha=alpha), memory=memory)
        pipeline.fit(X, Y, ridge__sample_weight=WEIGHTS)
        assert same_model(pipeline[-1], Ridge(alpha=alpha).fit(X[KEEP], Y[KEEP], sample_weight=WEIGHTS[KEEP]))
        assert not hasattr(given, "fences_")  # as in scikit-learn, a clone is fitted
        assert len(pipeline.predict(X)) == ROWS
    assert (Counting.fits, CountingDropper.fits) == (2, 1)
    pipeline.set_params(countingdropper__factor=1e9).fit(X, Y)
    assert CountingDropper.fits == 2
    assert same_model(pipeline[-1], Ridge(alpha=3.0).fit(X, Y))


def test_memory_in_a_grid_search(tmp_path):
    pipeline = make_pipeline(OutlierDropper(), Ridge(), memory=str(tmp_path))
    search = GridSearchCV(pipeline, {"ridge__alpha": [1.0, 10.0], "outlierdropper__factor": [3.0]}, cv=FOLDS)
    table = pd.DataFrame(X, columns=NAMES)
    search.fit(table, Y)
    assert same_model(
        search.best_estimator_[-1], Ridge(alpha=search.best_params_["ridge__alpha"]).fit(table[KEEP], Y[KEEP])
    )


class Validated(LinearRegression):
    """A model that is given a validation set, and something that is no row's."""

    def fit(self, X, y, X_val=None, note=None):
        self.seen_ = (X_val, note)
        return super().fit(X, y)


def test_transform_input_serves_a_validation_set_whole():
    with config_context(enable_metadata_routing=True):
        model = Validated().set_fit_request(X_val=True, note=True)
        steps = [StandardScaler(), OutlierDropper(), StandardScaler(), model]
        pipeline = make_pipeline(*steps, transform_input=["X_val"]).fit(X, Y, X_val=X, note="a note")
        X_val, note = pipeline[-1].seen_
        np.testing.assert_array_equal(X_val, pipeline[:-1].transform(X))
        assert note == "a note"
        pair = make_pipeline(*map(clone, steps), transform_input=["X_val"]).fit(X, Y, X_val=(X, X[:5]))[-1].seen_[0]
        assert [len(part) for part in pair] == [ROWS, 5]


def test_what_is_no_row_s_is_passed_whole():
    steps = (OutlierDropper(), Validated())
    for note in ({"a": 1}, [1, 2], "x" * ROWS, 3, None):
        assert make_pipeline(*steps).fit(X, Y, validated__note=note)[-1].seen_[1] == note


@pytest.mark.parametrize("parameter", ["sample_weight", "unknown__sample_weight", "ridge__"])
def test_a_parameter_for_no_step_is_refused(parameter):
    with pytest.raises(ValueError, match=f"does not accept the {parameter} parameter.*ridge__"):
        make_pipeline(OutlierDropper(), Ridge()).fit(X, Y, **{parameter: WEIGHTS})


def test_set_output_and_feature_names_reach_the_end():
    table = pd.DataFrame(X, columns=NAMES)
    for output, library in {"pandas": pd.DataFrame, "polars": pl.DataFrame}.items():
        pipeline = make_pipeline(OutlierDropper(), StandardScaler()).set_output(transform=output)
        released = pipeline.fit_transform(table)
        assert isinstance(released, library)
        assert released.shape == (KEEP.sum(), 3)
        assert isinstance(pipeline.transform(table), library)
    assert pipeline.get_feature_names_out().tolist() == NAMES
    assert pipeline.feature_names_in_.tolist() == NAMES
    assert pipeline.n_features_in_ == 3


def test_rows_keep_their_index():
    table = pd.DataFrame(X, columns=NAMES, index=np.random.default_rng(4).permutation(ROWS))
    pipeline = make_pipeline(OutlierDropper(), StandardScaler()).set_output(transform="pandas")
    assert pipeline.fit_transform(table, Y).index.tolist() == table.index[KEEP].tolist()


@pytest.mark.parametrize("way", WAYS)
def test_clone_pickle_and_html(way):
    pipeline = pipelines(OutlierDropper(), Ridge())[way]
    fitted = pipeline.fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    assert same_model(fitted_model(clone(fitted).fit(X, Y)), fitted_model(fitted))
    html = fitted._repr_html_()
    assert "OutlierDropper" in html
    assert "Ridge" in html


def test_clones_are_pipelines_of_this_kind_and_slices_too():
    pipeline = make_pipeline(OutlierDropper(), StandardScaler(), Ridge(), memory=None, verbose=False)
    assert type(clone(pipeline)) is Pipeline
    assert type(pipeline[:-1]) is Pipeline


def test_verbose_names_every_step(capsys):
    make_pipeline(StandardScaler(), OutlierDropper(), Ridge(), verbose=True).fit(X, Y)
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("standardscaler", "outlierdropper", "ridge"))


# What is refused


@pytest.mark.parametrize("way", WAYS)
def test_drop_at_always_in_front_of_a_predictor_is_refused(way):
    pipeline = pipelines(OutlierDropper(drop_at="always"), Ridge())[way]
    with pytest.raises(ValueError, match="drop_at='always', which would drop rows that are to be predicted"):
        pipeline.fit(X, Y)
    assert len(pipelines(OutlierDropper(drop_at="always", action="clip"), Ridge())[way].fit(X, Y).predict(X)) == ROWS


def test_drop_at_always_is_for_pipelines_without_a_predictor():
    pipeline = make_pipeline(OutlierDropper(drop_at="always"), StandardScaler()).fit(X)
    assert len(pipeline.transform(X)) == KEEP.sum()


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([("a", OutlierDropper()), ("a", Ridge())], ValueError),
        ([("a__b", OutlierDropper()), ("c", Ridge())], ValueError),
        ([("a", OutlierDropper()), ("b", LinearRegression()), ("c", Ridge())], TypeError),
        ([("a", LinearRegression()), ("b", OutlierDropper()), ("c", Ridge())], TypeError),
        ([("a", OutlierDropper), ("b", Ridge())], (TypeError, AttributeError)),  # the latter up to scikit-learn 1.8
        ([("a", OutlierDropper()), ("b", threading.Lock())], TypeError),
        ([], ValueError),
    ],
)
def test_steps_that_are_none_are_refused_as_by_scikit_learn(steps, error):
    with pytest.raises(error):
        Pipeline(steps).fit(X, Y)


def test_a_y_of_another_length_is_refused(container):
    table, target = container
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make_pipeline(OutlierDropper(), Ridge()).fit(table(X), target(Y[:-1]))


@pytest.mark.parametrize("dropper", [None, "passthrough", StandardScaler(), OutlierDropper])
def test_train_on_kept_needs_a_step_that_drops_rows(dropper):
    with pytest.raises(ValueError, match="'dropper' parameter of TrainOnKept must be a step that drops rows"):
        TrainOnKept(dropper, Ridge()).fit(X, Y)


def test_train_on_kept_refuses_to_learn_from_what_it_could_not_predict():
    infinite = X.copy()
    infinite[0, 0] = np.inf
    with pytest.raises(ValueError, match="contains infinity in rows that were dropped"):
        TrainOnKept(OutlierDropper(), Ridge()).fit(infinite, Y)
    assert len(TrainOnKept(OutlierDropper(action="clip"), Ridge()).fit(infinite, Y).predict(infinite)) == ROWS


def test_unfitted_ones_do_not_predict():
    for model in (make_pipeline(OutlierDropper(), Ridge()), TrainOnKept(OutlierDropper(), Ridge())):
        with pytest.raises(NotFittedError):
            model.predict(X)


# scikit-learn's conventions


CHANGED = "as in scikit-learn's Pipeline, the steps are fitted in place"


@parametrize_with_checks(
    [make_pipeline(OutlierDropper(action="clip"), StandardScaler(), LogisticRegression())],
    expected_failed_checks=lambda pipeline: {
        "check_dont_overwrite_parameters": CHANGED,
        "check_estimators_overwrite_params": CHANGED,
        "check_estimators_nan_inf": "an infinite value is clipped before it reaches the estimator",
    },
)
def test_scikit_learn_checks_of_the_pipeline(estimator, check):
    check(estimator)


def test_train_on_kept_is_of_its_estimator_s_kind():
    assert is_classifier(TrainOnKept(OutlierDropper(), LogisticRegression()))
    assert is_regressor(TrainOnKept(OutlierDropper(), Ridge()))


def test_train_on_kept_without_y():
    model = KMeans(2, random_state=0, n_init=1)
    trained = TrainOnKept(OutlierDropper(), model).fit(X)
    np.testing.assert_array_equal(trained.predict(X), clone(model).fit(X[KEEP]).predict(X))


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_a_step_that_always_drops_is_refused_beside_others_even_if_no_row_goes(container):
    table = pd.DataFrame({"a": [1.0, 2, 3, 4, 5], "who": [1, 2, 3, 4, 5]})
    parts = ColumnTransformer([("drop", OutlierDropper(drop_at="always"), ["a"])], remainder="passthrough")
    with pytest.raises(ValueError, match="inside a ColumnTransformer"):
        parts.set_output(transform=container).fit(table)
