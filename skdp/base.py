"""What every step shares: reading and writing tables, and the one rule about rows.

`fit_transform` releases this table; `transform` serves rows, and keeps every one of them.
"""

import inspect
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from skdp import _frames
from skdp._checks import check_columns, check_option
from skdp._documentation import DocumentedMixin
from skdp._streams import is_in_parts


class PrivacyTransformer(DocumentedMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Base of every step: a table goes in, the same kind of table comes out.

    A subclass writes `_fit(frame)` and `_transform(frame)` for a narwhals frame, and `_columns_out(columns)` where it
    adds or leaves out columns. pandas, polars and NumPy in, the same out; ``set_output`` decides otherwise.
    """

    def fit(self, X, y=None):
        """Check the parameters and learn from `X` what the step has to learn.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            Ignored; accepted so that the step works in a Pipeline.

        Returns
        -------
        self : object
            The fitted step.
        """
        self._fit(self._read(X, reset=True))
        return self

    def transform(self, X):
        """Return the table with this step done to it; every row is kept.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows, n_columns_out)
            The transformed table.
        """
        check_is_fitted(self)
        return self._write(self._transform(self._read(X)), X)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` puts out.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must agree with the columns seen by `fit`; those are used by default.

        Returns
        -------
        feature_names_out : ndarray of str
            Names, in order.
        """
        columns = super().get_feature_names_out(input_features)
        return np.asarray(self._columns_out(list(columns)), dtype=object)

    def _fit(self, frame):
        """Check parameters, learn; most steps learn nothing."""

    def _transform(self, frame):
        return frame

    def _columns_out(self, columns: list) -> list:
        return columns

    def _read(self, X: Any, *, reset: bool = False):
        """Return `X` as a frame, its columns checked against (or, with `reset`, remembered by) the step."""
        frame = _frames.read(X, min_rows=int(reset))
        validate_data(self, X if _frames.is_frame(X) else frame.to_numpy(), reset=reset, skip_check_array=True)
        return frame

    def _write(self, frame, like: Any):
        # scikit-learn converts too, but after us and by way of `object`: integers with gaps and categories are lost
        own = vars(self).get("_sklearn_output_config", {}).get("transform")
        return _frames.write(frame, like, own or get_config()["transform_output"])

    def _chosen(self, frame, *kinds: str) -> list:
        """Return the columns to work on: those of `columns`, or all of the given kinds."""
        if self.columns is None:
            return _frames.columns_of_kind(frame, *kinds)
        return check_columns(self, "columns", self.columns, frame.columns)

    def _charge(self, guarantee, rows: int, purpose: str):
        """Write what is about to be released into the ledger, where the step has one, before any noise is drawn."""
        ledger = getattr(self, "ledger", None)
        if ledger is not None:
            ledger.charge(guarantee, estimator=type(self).__name__, rows=rows, purpose=purpose)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


class RowDropperMixin(TransformerMixin):
    """The one rule about rows, for a step that finds rows which must not be released.

    A subclass writes `_flagged(frame)`, the cells at fault as a mapping of column to mask, and has the parameters
    `action` and `drop_at`. With ``action="drop"`` a row with any such cell goes when a table is released
    (`fit_transform`, `fit_resample`, `fit_release`), and stays when rows are served (`transform`), unless
    ``drop_at="always"``. With ``action="mask"`` the cells become missing and every row stays.

    A category that only dropped rows had goes with them from the categories of its column. Those that no row had, as of
    a public list, stay.
    """

    _actions = ("drop", "mask")

    def keep_mask(self, X):
        """Return which rows may be released.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.

        Returns
        -------
        keep : ndarray of bool of shape (n_rows,)
            False for a row at fault.
        """
        check_is_fitted(self)
        return self._keep(self._read(X))

    def fit_transform(self, X, y=None):
        """Fit, and return the table as it may be released: rows at fault gone or masked.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            Given by a Pipeline with a predictor. It cannot be cut here.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows_kept, n_columns_out)
            The released table.

        Raises
        ------
        ValueError
            If rows would go and `y` is given, or a ColumnTransformer or FeatureUnion calls: X would no longer match y,
            or the columns beside it.
        """
        if self.action == "drop" and self.drop_at == "always":
            refuse_beside_others(self)  # `transform` could not know
        released, keep = self.fit_release(X, y)
        if not keep.all():
            if y is not None:
                raise ValueError(
                    f"{type(self).__name__} would drop {int((~keep).sum())} of {len(keep)} rows, which would no longer "
                    "match y. In a pipeline, use skdp.pipeline.Pipeline in place of scikit-learn's, or wrap this step "
                    "and the estimator in skdp.pipeline.TrainOnKept; by hand, call fit_resample(X, y), which cuts "
                    "both; or set action='mask', which keeps every row."
                )
            refuse_beside_others(self)
        return released

    def fit_resample(self, X, y=None):
        """Fit, and cut the rows at fault from `X` and `y` together (imbalanced-learn's protocol).

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows_kept, n_columns_out)
            The released table.
        y_out : same container as `y`, of shape (n_rows_kept,)
            Its target; only where `y` was given.
        """
        released, keep = self.fit_release(X, y)
        return released if y is None else (released, _frames.cut(y, keep))

    def fit_release(self, X, y=None):
        """Fit, and return the table as it may be released, with which rows it holds.

        Whoever has more to cut than `y` (`skdp.pipeline` cuts weights, too) calls this.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            The target; only its length is looked at.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows_kept, n_columns_out)
            The released table.
        keep : ndarray of bool of shape (n_rows,)
            Which rows of `X` it holds.
        """
        frame = self._read(X, reset=True)
        check_consistent_length(X, y)
        self._fit(frame)
        keep = self._keep(frame) if self.action == "drop" else np.ones(len(frame), dtype=bool)
        return self._write(self._released(frame, keep), X), keep

    def release(self, X):
        """Return the table as it may be released by what was learned, with which rows of it that holds.

        So a table larger than memory is released chunk by chunk, by a step that is fitted already.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, or a part of it, with the columns seen by `fit`.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows_kept, n_columns_out)
            The released rows.
        keep : ndarray of bool of shape (n_rows,)
            Which rows of `X` they are.
        """
        check_is_fitted(self)
        frame = self._read(X)
        keep = self._keep(frame) if self.action == "drop" else np.ones(len(frame), dtype=bool)
        return self._write(self._released(frame, keep), X), keep

    def transform(self, X):
        """Return the table with this step done to it; every row is kept unless ``drop_at="always"``.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows, n_columns_out)
            The transformed table.
        """
        check_is_fitted(self)
        frame = self._read(X)
        keep = self._keep(frame) if self.action == "drop" and self.drop_at == "always" else None
        return self._write(self._released(frame, keep), X)

    def _check_rows(self):
        check_option(self, "action", self.action, self._actions)
        check_option(self, "drop_at", self.drop_at, ("fit", "always"))

    def _keep(self, frame) -> np.ndarray:
        keep = np.ones(len(frame), dtype=bool)
        for flags in self._flagged(frame).values():
            keep &= ~flags
        return keep

    def _released(self, frame, keep):
        """Return the frame cut to `keep` (None keeps every row) or with its cells masked, then transformed."""
        if keep is not None and not keep.all():
            held, frame = frame, _frames.filter_rows(frame, keep)
            if not is_in_parts():  # which must stay alike: who puts them together sees to it
                frame = _frames.without_categories_of(frame, held)
        if self.action == "mask":
            frame = _frames.blank(frame, self._flagged(frame))
        return self._transform(frame)


def refuse_beside_others(owner: object, change: str = "drop rows") -> None:
    """Raise where a ColumnTransformer or FeatureUnion called: it would put a table that lost rows beside whole ones.

    Neither tells its transformers who calls, and neither notices: pandas fills the rows that went with NaN, polars
    moves the others up beside strangers. Hence the look at the callers; ``message_clsname`` is what scikit-learn hands
    down to worker processes, too.

    Parameters
    ----------
    owner : object
        The step, which the message names.
    change : str, default="drop rows"
        What the step would do.

    Raises
    ------
    ValueError
        If one of the two called.
    """
    frame = inspect.currentframe()
    while frame := frame.f_back:
        inside_scikit_learn = frame.f_globals.get("__name__", "").startswith("sklearn.")
        if inside_scikit_learn and frame.f_locals.get("message_clsname") in ("ColumnTransformer", "FeatureUnion"):
            composite = frame.f_locals["message_clsname"]
            mask = "; or set action='mask', which keeps every row" if change == "drop rows" else ""
            raise ValueError(
                f"{type(owner).__name__} would {change} inside a {composite}, whose other columns keep theirs. Put it "
                f"in front of the {composite} (in a skdp.pipeline.Pipeline){mask}."
            )
