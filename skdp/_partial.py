"""Learning from a table in chunks: collect and merge, then learn once, and forget."""

import joblib
from sklearn.utils.validation import check_is_fitted

from skdp._checks import ParameterError


class PartialFitMixin:
    """A step that learns from chunks: `partial_fit` and `merge` collect, the first use learns and forgets.

    A subclass writes `_collect(frame)`, which returns a `skdp._summaries.Collected`, and `_learn_collected(collected)`,
    which sets what `fit` sets. It stands in front of the other bases.
    """

    def partial_fit(self, X, y=None):
        """Collect what there is to learn from one more chunk of a table.

        The first chunk starts anew, whatever `fit` has learned before. The step learns, and a ledger is charged, at its
        first use (`transform`, `finish`, …). Until then it holds values of the table, and a pickle of it does: that is
        how workers send it to each other. `finish` it before it is shared.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The chunk; the columns are those of the first one.
        y : array-like of shape (n_rows,), default=None
            Ignored.

        Returns
        -------
        self : object
            The step.

        Raises
        ------
        ValueError
            If the step has finished, and so forgotten what it had collected; if the columns are not those of the
            chunks before; or if a column is of one kind in some chunks and of another in others.

        Examples
        --------
        >>> import pandas as pd
        >>> from skdp.binning import QuantileBinner
        >>> first, second = (pd.DataFrame({"Age": ages}) for ages in ([18, 25, 31, 44], [52, 67, 70, 81]))
        >>> here, there = QuantileBinner(2).partial_fit(first), QuantileBinner(2).partial_fit(second)
        >>> here.merge(there).finish().edges_
        {'Age': array([50.])}
        """
        before = vars(self).get("_collected")
        if "_has_forgotten" in vars(self):
            raise ValueError(self._forgotten("partial_fit"))
        chunk = self._collect(self._read(X, reset=before is None))
        if before is None:
            for name in _learned(self):
                delattr(self, name)
        self._collected = chunk if before is None else before.merged(chunk)
        return self

    @property
    def is_collecting(self) -> bool:
        """Whether chunks were collected that nothing was learned from yet."""
        return "_collected" in vars(self)

    def merge(self, other):
        """Take over what another step of the same parameters has collected; the other one is left as it is.

        Parameters
        ----------
        other : object
            A step of the same class that `partial_fit` was called on, perhaps in another process.

        Returns
        -------
        self : object
            The step, as if it had seen the chunks of both.

        Raises
        ------
        ParameterError
            If the other step is of another class, or has other parameters.
        ValueError
            If either step has finished or collected nothing, or their columns differ.
        """
        if type(other) is not type(self):
            raise ParameterError(f"{type(self).__name__} cannot be merged with a {type(other).__name__}.")
        for step in (self, other):
            if not step.is_collecting:
                raise ValueError(step._forgotten("merge"))
        if joblib.hash(self.get_params(deep=False)) != joblib.hash(other.get_params(deep=False)):
            raise ParameterError(f"Two steps {type(self).__name__} must have the same parameters to be merged.")
        if self._collected.columns != other._collected.columns:
            raise ValueError(f"Two steps {type(self).__name__} must have seen the same columns to be merged.")
        self._collected = self._collected.merged(other._collected)
        return self

    def finish(self):
        """Learn from what `partial_fit` has collected, and forget it: from here on, nothing raw is held.

        `transform` and all else that needs what is learned call this. On a step that is finished it does nothing.

        Returns
        -------
        self : object
            The fitted step.
        """
        if self.is_collecting:
            if not self._collected.rows:
                raise ValueError(f"{type(self).__name__} has got chunks of 0 rows in all; it needs at least one row.")
            self._learn_collected(self._collected)
            self._has_forgotten = True
            del self._collected
        check_is_fitted(self, "privacy_guarantee_")
        return self

    def transform(self, X):
        """Return the table with this step done to it; what was collected is learned first.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit` or `partial_fit`.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows, n_columns_out)
            The transformed table, every row kept unless the step has ``drop_at="always"``.
        """
        return super(PartialFitMixin, self.finish()).transform(X)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns that `transform` puts out; what was collected is learned first.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must agree with the columns seen by `fit`; those are used by default.

        Returns
        -------
        feature_names_out : ndarray of str
            Names, in order.
        """
        return super(PartialFitMixin, self.finish()).get_feature_names_out(input_features)

    def _read(self, X, *, reset=False):
        if reset:
            for name in {"_collected", "_has_forgotten"} & set(vars(self)):
                delattr(self, name)
        return super()._read(X, reset=reset)

    def _forgotten(self, method: str) -> str:
        name = type(self).__name__
        if "_has_forgotten" not in vars(self):
            return f"{name} has collected nothing to {method}; call partial_fit first."
        return (
            f"{name} has learned and forgotten what it had collected, so {method} has nothing to add to. Call fit or "
            "partial_fit on a clone, with all chunks; a copy.deepcopy made before the first use can go on."
        )


def _learned(step) -> list[str]:
    """Return the names of the attributes that `fit` has learned, apart from what columns there are."""
    names = (name for name in vars(step) if name.endswith("_") and not name.startswith("_"))
    return [name for name in names if name not in ("n_features_in_", "feature_names_in_")]
