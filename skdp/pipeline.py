"""Dropping rows in front of a predictor: a Pipeline that cuts y along with X, and a meta-estimator that does."""

from typing import Any

import numpy as np
import sklearn.pipeline
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, check_memory

from skdp import _frames
from skdp._checks import invalid
from skdp._documentation import DocumentedMixin
from skdp._row_metadata import cut, cut_params, params_of, step_params
from skdp.base import refuse_beside_others


def _base_has(method):
    return available_if(lambda pipeline: hasattr(super(Pipeline, pipeline), method))


class Pipeline(DocumentedMixin, sklearn.pipeline.Pipeline):
    """A scikit-learn Pipeline in which steps may drop rows while it is fitted.

    `fit`, `fit_transform` and `fit_predict` cut X, y and whatever else has one entry per row (``sample_weight``) after
    each step that drops rows; `predict`, `score` and `transform` keep every row.

    Parameters
    ----------
    steps : list of (str, estimator)
        The steps, as in scikit-learn's Pipeline. A step that drops rows is one with `fit_release`:
        `skdp.OutlierDropper`, `skdp.PIICleaner`, or another pipeline of this kind.
    transform_input : list of str, default=None
        Metadata to be transformed up to the step that consumes it, such as a validation set; it keeps its rows.
    memory : str or object with the joblib.Memory interface, default=None
        Where fitted steps are cached; of a step that drops rows, with the cut.
    verbose : bool, default=False
        Whether the time spent on each step is printed; the steps up to one that drops rows are counted by themselves.

    Attributes
    ----------
    named_steps : Bunch
        The steps by name.
    classes_ : ndarray of shape (n_classes,)
        The classes, if the last step is a classifier.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ValueError
        By `fit`, if a step with ``drop_at="always"`` stands in front of a predictor, whose predictions would miss
        rows; by `fit_transform`, if rows went inside a ColumnTransformer or FeatureUnion, whose other parts keep them.

    See Also
    --------
    TrainOnKept : The same for one estimator, in scikit-learn's own Pipeline.
    imblearn.pipeline.Pipeline : For samplers that make new rows.

    Notes
    -----
    Up to each step that drops rows, and behind it, a pipeline of scikit-learn runs; this class only cuts in between.
    Callbacks set on the pipeline itself (scikit-learn 1.9) are therefore called only where no step drops rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skdp.outliers import OutlierDropper
    >>> from skdp.pipeline import make_pipeline
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [1000.0]])
    >>> y = np.array([2.0, 4.0, 6.0, 8.0, 10.0, 0.0])
    >>> model = make_pipeline(OutlierDropper(), LinearRegression()).fit(X, y)
    >>> model.predict(X).round(6).tolist()
    [2.0, 4.0, 6.0, 8.0, 10.0, 2000.0]
    """

    def fit(self, X, y=None, **params):
        """Fit the steps, each to the rows that those before it keep.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target.
        **params : dict of str to object
            Metadata for the steps, ``step__name`` or (with metadata routing) as they request it. What has one entry
            per row is cut along.

        Returns
        -------
        self : Pipeline
            The fitted pipeline.
        """
        self._run("fit", X, y, params)
        return self

    @_base_has("fit_transform")
    def fit_transform(self, X, y=None, **params):
        """Fit the steps, and return the table as the last one releases it: without the rows that went.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target. It is not returned: `fit_release` tells which rows are left.
        **params : dict of str to object
            Metadata for the steps, as for `fit`.

        Returns
        -------
        X_out : table of shape (n_rows_kept, n_columns_out)
            The transformed rows.
        """
        X_out, keep = self.fit_release(X, y, **params)
        if not keep.all():
            refuse_beside_others(self)
        return X_out

    @_base_has("fit_predict")
    def fit_predict(self, X, y=None, **params):
        """Fit the steps, and return what the last one predicts for the rows that are left.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target.
        **params : dict of str to object
            Metadata for the steps, as for `fit`.

        Returns
        -------
        y_pred : ndarray of shape (n_rows_kept,)
            The predictions, for the rows kept.
        """
        return self._run("fit_predict", X, y, params)[0]

    @_base_has("fit_transform")
    def fit_release(self, X, y=None, **params):
        """Fit the steps, and return the table as the last one releases it, with which rows it holds.

        So a pipeline of steps that drop rows is itself such a step, of another pipeline or of `TrainOnKept`.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target.
        **params : dict of str to object
            Metadata for the steps, as for `fit`.

        Returns
        -------
        X_out : table of shape (n_rows_kept, n_columns_out)
            The transformed rows.
        keep : ndarray of bool of shape (n_rows,)
            Which rows of `X` they are.
        """
        return self._run("fit_transform", X, y, params)

    def release(self, X):
        """Return the table as it may be released by what the steps have learned, with which rows of it that holds.

        So a table larger than memory is released chunk by chunk, by a pipeline that is fitted already. Steps that drop
        rows do; of all others this is the `transform`, noise of which is drawn afresh and charged again by each call.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, or a part of it, with the columns seen by `fit`.

        Returns
        -------
        X_out : table of shape (n_rows_kept, n_columns_out)
            The released rows.
        keep : ndarray of bool of shape (n_rows,)
            Which rows of `X` they are.
        """
        keep = np.ones(_row_count(X), dtype=bool)
        for _, step in self.steps:
            if step is None or step == "passthrough":
                continue
            if hasattr(step, "release"):
                X, kept = step.release(X)
                keep[keep] = kept
            else:
                X = step.transform(X)
        return X, keep

    def _run(self, method, X, y, params):
        """Fit by `method`; return its result, and which rows of `X` went into it."""
        position = self._first_dropper(method)
        if position is None:
            return getattr(super(), method)(X, y, **params), np.ones(_row_count(X), dtype=bool)
        if hasattr(self.steps[-1][1], "predict"):
            _check_serves_every_row(self)
        name, dropper = self.steps[position]
        dropper_params = step_params(self, name, method, params)
        front = self._part([*self.steps[:position], (name, "passthrough")], sklearn.pipeline.Pipeline)
        X = front.fit_transform(X, y, **params_of(front, "fit_transform", params))
        dropper, X, keep = self._release(dropper, X, y, dropper_params)
        rest = self._part(self.steps[position + 1 :] or [("kept", "passthrough")], type(self))
        params = cut_params(params, keep, self.transform_input, lambda X: dropper.transform(front.transform(X)))
        result, kept = rest._run(method, X, cut(y, keep), params_of(rest, method, params))
        self.steps = [*front.steps[:-1], (name, dropper), *rest.steps][: len(self.steps)]
        keep[keep] = kept
        return result, keep

    def _first_dropper(self, method):
        """Return the position of the first step that drops rows for another to see, if any does."""
        names = [name for name, _ in self.steps]
        if len(set(names)) < len(names):
            return None  # for scikit-learn to refuse
        seen = self.steps[:-1] if method == "fit" else self.steps
        return next((position for position, (_, step) in enumerate(seen) if _drops_rows(step)), None)

    def _part(self, steps, kind):
        return kind(steps, transform_input=self.transform_input, memory=self.memory, verbose=self.verbose)

    def _release(self, dropper, X, y, params):
        memory = check_memory(self.memory)
        if getattr(memory, "location", "") is not None:  # as in scikit-learn, what is cached is fitted as a clone
            dropper = clone(dropper)
        return memory.cache(_fit_release)(dropper, X, y, params)


def make_pipeline(*steps, transform_input=None, memory=None, verbose=False):
    """Return a `Pipeline` of steps that are named after their classes.

    Parameters
    ----------
    *steps : estimators
        The steps.
    transform_input : list of str, default=None
        As for `Pipeline`.
    memory : str or object with the joblib.Memory interface, default=None
        As for `Pipeline`.
    verbose : bool, default=False
        As for `Pipeline`.

    Returns
    -------
    pipeline : Pipeline
        The pipeline, not fitted.

    Examples
    --------
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdp.outliers import OutlierDropper
    >>> list(make_pipeline(OutlierDropper(), StandardScaler()).named_steps)
    ['outlierdropper', 'standardscaler']
    """
    named = sklearn.pipeline.make_pipeline(*steps).steps
    return Pipeline(named, transform_input=transform_input, memory=memory, verbose=verbose)


def _estimator_has(method):
    return available_if(lambda owner: hasattr(getattr(owner, "estimator_", owner.estimator), method))


def _for_every_row(method, returned):
    """Return the method of `TrainOnKept` that asks its estimator for the same about every row."""

    def ask(self, X, **params):
        return self._serve(method, X, params)

    ask.__name__, ask.__qualname__ = method, f"TrainOnKept.{method}"
    ask.__doc__ = f"""Call the estimator's `{method}` on every row of `X`, outliers included.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        **params : dict of str to object
            Metadata for the estimator.

        Returns
        -------
        values : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            {returned}
        """
    return _estimator_has(method)(ask)


class TrainOnKept(DocumentedMixin, MetaEstimatorMixin, BaseEstimator):
    """An estimator that is trained on the rows which a step keeps, and predicts for all.

    For those who must stay in scikit-learn's own Pipeline, where it is the last step.

    Parameters
    ----------
    dropper : estimator with `fit_release`
        What drops rows: `skdp.OutlierDropper`, `skdp.PIICleaner`, or a `Pipeline` of such steps and others.
    estimator : estimator
        What is trained on the rows kept, as `dropper` releases them.

    Attributes
    ----------
    dropper_ : estimator
        The fitted dropper. At predict time its `transform` is what rows go through.
    estimator_ : estimator
        The fitted estimator.
    classes_ : ndarray of shape (n_classes,)
        The classes, if `estimator` is a classifier.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if `dropper` cannot drop rows.
    ValueError
        By `fit`, if predictions would miss rows: `dropper` has ``drop_at="always"``, or a row that went holds an
        infinite value, which the estimator could not predict.

    See Also
    --------
    Pipeline : Cuts y and weights along with the rows, wherever in the pipeline they go.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skdp.outliers import OutlierDropper
    >>> from skdp.pipeline import TrainOnKept
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [1000.0]])
    >>> y = np.array([2.0, 4.0, 6.0, 8.0, 10.0, 0.0])
    >>> TrainOnKept(OutlierDropper(), LinearRegression()).fit(X, y).predict(X).round(6).tolist()
    [2.0, 4.0, 6.0, 8.0, 10.0, 2000.0]
    """

    def __init__(self, dropper, estimator):
        self.dropper = dropper
        self.estimator = estimator

    def fit(self, X, y=None, **params):
        """Fit the dropper, and the estimator to the rows it keeps.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target.
        **params : dict of str to object
            Metadata for the estimator's `fit`. What has one entry per row (``sample_weight``) is cut along.

        Returns
        -------
        self : TrainOnKept
            The fitted estimator.
        """
        if not _drops_rows(self.dropper):
            raise invalid(self, "dropper", self.dropper, "a step that drops rows, such as OutlierDropper()")
        _check_serves_every_row(self)
        params = self._routed("fit", params)
        self.dropper_ = clone(self.dropper)
        X_kept, keep = self.dropper_.fit_release(X, y)
        if not keep.all() and not get_tags(self.estimator).input_tags.allow_nan:
            _check_finite(X, ~keep)
        self.estimator_ = clone(self.estimator).fit(X_kept, cut(y, keep), **cut_params(params, keep))
        return self

    predict = _for_every_row("predict", "The predictions.")
    predict_proba = _for_every_row("predict_proba", "The probability of each class of `classes_`.")
    predict_log_proba = _for_every_row("predict_log_proba", "The logarithms of the probabilities.")
    decision_function = _for_every_row("decision_function", "The scores of the estimator's decision function.")

    @_estimator_has("score")
    def score(self, X, y=None, **params):
        """Return the estimator's score on every row of `X`, outliers included.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target.
        **params : dict of str to object
            Metadata for the estimator, such as ``sample_weight``.

        Returns
        -------
        score : float
            The score.
        """
        return self._serve("score", X, params, y)

    @property
    def classes_(self):
        """The classes, as the estimator knows them."""
        return self.estimator_.classes_

    @property
    def n_features_in_(self):
        """Number of columns seen by `fit`."""
        return self.dropper_.n_features_in_

    @property
    def feature_names_in_(self):
        """Names of the columns seen by `fit`, where they are all text."""
        return self.dropper_.feature_names_in_

    def get_metadata_routing(self):
        """Return what metadata the estimator requests.

        Returns
        -------
        router : MetadataRouter
            As scikit-learn's metadata routing wants it.
        """
        methods = MethodMapping()
        for method in ("fit", "predict", "predict_proba", "predict_log_proba", "decision_function", "score"):
            methods.add(caller=method, callee=method)
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=methods)

    def _serve(self, method, X, params, *y):
        check_is_fitted(self)
        params = self._routed(method, params)
        return getattr(self.estimator_, method)(self.dropper_.transform(X), *y, **params)

    def _routed(self, method, params):
        if not get_config()["enable_metadata_routing"]:
            return params
        return process_routing(self, method, **params)["estimator"][method]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        dropper, estimator = get_tags(self.dropper), get_tags(self.estimator)
        for name in ("estimator_type", "classifier_tags", "regressor_tags", "target_tags", "non_deterministic"):
            setattr(tags, name, getattr(estimator, name))
        for name in ("string", "categorical", "allow_nan"):
            both = getattr(dropper.input_tags, name) and getattr(estimator.input_tags, name)
            setattr(tags.input_tags, name, both)
        return tags


def _drops_rows(step: Any) -> bool:
    return hasattr(step, "fit_release") and not isinstance(step, type)


def _fit_release(dropper: Any, X: Any, y: Any, params: dict) -> tuple:
    """Return the fitted dropper with what it releases: what a pipeline caches."""
    return dropper, *dropper.fit_release(X, y, **params)


def _check_serves_every_row(owner: Any) -> None:
    always = [name for name, value in owner.get_params().items() if name.endswith("drop_at") and value == "always"]
    for name in always:
        if owner.get_params().get(name.removesuffix("drop_at") + "action", "drop") == "drop":
            raise ValueError(
                f"{type(owner).__name__} has {name}='always', which would drop rows that are to be predicted; leave "
                "it at 'fit'."
            )


def _check_finite(X: Any, dropped: np.ndarray) -> None:
    frame = _frames.filter_rows(_frames.read(X), dropped)
    if np.isinf(_frames.number_rows(frame, _frames.columns_of_kind(frame, "number"))).any():
        raise ValueError(
            "Input X contains infinity in rows that were dropped. The estimator could not predict such rows; make "
            "infinite values missing and impute them, or set action='clip'."
        )


def _row_count(X: Any) -> int:
    return X.shape[0] if hasattr(X, "shape") else len(X)
