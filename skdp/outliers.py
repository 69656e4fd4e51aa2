"""Outlying numbers out of a table: by quartiles, z-scores, deviations from the median, quantiles or gaps."""

import math
import numbers
from collections.abc import Callable, Mapping

import numpy as np

from skdp import _frames
from skdp._checks import check_columns, check_option, invalid, per_column
from skdp._fences import HiddenGap, fences_of_summary, fences_of_values
from skdp._learning import check_price, learned_quantiles, learning_guarantee, named_columns, price_of, public_bounds
from skdp._number_summaries import NumberSummary
from skdp._partial import PartialFitMixin
from skdp._summaries import Collected, GridSummary
from skdp.accounting import PrivacyGuarantee
from skdp.base import PrivacyTransformer, RowDropperMixin

_CELLS = 1 << 22  # sorted at once: more columns than fit are learned in turn, to spare memory
_GREATEST_INTEGER = 2**52


class OutlierDropper(PartialFitMixin, RowDropperMixin, PrivacyTransformer):
    r"""Drop the rows with outlying numbers, or mask or clip the numbers: the records that stand out most.

    Parameters
    ----------
    method : {"iqr", "zscore", "mad", "quantile", "gap"}, default="iqr"
        The rule for a column. Missing and infinite values are left out where it is learned.

        - ``"iqr"``: more than `factor` interquartile ranges below the lower, or above the upper, quartile.
        - ``"zscore"``: more than `factor` standard deviations (of the population, ``ddof=0``) from the mean.
        - ``"mad"``: a modified z-score, 0.6745 · \|x − median\| / MAD, of more than `factor`. MAD is the median
          absolute deviation from the median.
        - ``"quantile"``: below the quantile `factor`, or above the quantile 1 − `factor`.
        - ``"gap"``: in each tail, from the extreme inwards, a value is outlying while its distance from the median is
          at least `factor` times that of the next value. Two records that share the extreme protect each other. Made
          for columns of many values: of five, more than the extreme may stand apart.
    factor : float, or dict of column name to float, default=None
        How far out a value must be. None stands for 3.0 with ``"iqr"`` (Tukey's far-out fence), 3.0 with
        ``"zscore"``, 3.5 with ``"mad"``, 0.01 with ``"quantile"`` (there above 0 and below 0.5: the share of the
        values in each tail) and 2.0 with ``"gap"`` (there above 1). A dict implies `columns`.
    tail : {"both", "left", "right"}, default="both"
        Where values may be outlying: too low are those in the left tail, too high those in the right.
    columns : str or list of str, default=None
        The columns to look at. By default those of a dict of `factor`, else all columns of numbers; booleans are none.
    action : {"drop", "mask", "clip"}, default="drop"
        What happens to a row with an outlying value: the row goes, the value becomes missing, or the value becomes
        the fence (in a column of integers, the next integer inside).
    drop_at : {"fit", "always"}, default="fit"
        Whether rows go only when a table is released (`fit_transform`, `fit_resample`), or in `transform` too, for
        pipelines without a predictor.
    epsilon : float, Fraction or Decimal, or dict of column name to such, default=None
        Privacy loss ε of the fences of each column, with ``method="quantile"`` only: they come from noisy counts. A
        dict implies `columns`. None learns them exactly, without any guarantee.
    bounds : tuple of (lower, upper), DPBounds, or dict of column name to such, default=None
        Public bounds for `epsilon`, chosen without looking at the data; values beyond count as at them.
        `skdp.bounds.DPBounds` learns them, for an ε more.
    ledger : PrivacyLedger, default=None
        Is charged with the guarantee, once, by each fit.
    random_state : int, default=None
        None draws secure noise, afresh at every fit. An int repeats the noise, for tests: there is no privacy then.

    Attributes
    ----------
    fences_ : dict of column name to (float, float)
        The lowest and the highest value of each column that are not outlying; infinite where there is no fence.
    privacy_guarantee_ : PrivacyGuarantee
        What learning the fences gives each record: ε over all columns, infinite without `epsilon`. It covers
        `fences_`, not the rows that are kept: these are released as they are.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if a parameter is not as described, if `epsilon` comes with another method than ``"quantile"`` or
        without bounds, or if a column is not in the table. When it has collected chunks of more than 2^20 different
        values, if these do not tell where the ``"gap"`` is, as may be where the median lies close to it.
    ValueError
        By `fit`, if the table has no rows, or if `DPBounds` finds no bounds. By `fit` and `transform`, if a column of
        `columns` holds anything but numbers; the message names the column, how many values, and the cure. By
        `fit_transform`, if rows would go that someone else keeps (y, or the other columns of a ColumnTransformer).

    See Also
    --------
    skdp.pipeline.Pipeline : Cuts y and sample weights along with the rows.
    skdp.pipeline.TrainOnKept : The same for one estimator in scikit-learn's own Pipeline.
    skdp.cleaning.PIICleaner : Drops rows by their addresses, by the same rule about rows.

    Notes
    -----
    `fit_transform` releases this table; `transform` serves rows by the fences learned at `fit`, and keeps every one
    of them (unless ``drop_at="always"``). A missing value is never an outlier, an infinite one is wherever there is a
    fence. A column without spread (constant, all missing, or with an IQR or MAD of 0) has no fences.

    A fence is no record's value: it is the number of fewest digits strictly between the rule's own limit and the
    first outlying value, at most 1 % of the limit's distance from the median beyond it. So it parts the values seen
    by `fit` exactly as the rule does. The limit of ``"gap"`` is `factor` times as far from the median as the
    outermost value kept.

    `partial_fit` learns what `fit` does as long as a column has at most 2^20 different finite values, however many
    records. Beyond, quartiles, medians and quantiles have the right rank to within 0.1 % of the records, and so has the
    median absolute deviation to within 0.2 %; means and standard deviations are exact, and a fence may be a record's
    value. ``"gap"`` still parts the values as `fit` does: the extremes, and what lies alone, are known one by one. What
    is learned depends on the values alone, not on chunks or their order, but for the last bits of means, and for
    columns of many values within a narrow range (`skdp.binning.QuantileBinner` says how, and what to install for
    these). With `epsilon` and more than 2^20 rows, values are moved to the middle of one of 2^20 cells of the public
    bounds first.

    Removing outliers hides the records that stand out most, but it is a rule learned from the data: it gives no
    differential privacy, even if noise follows. With `epsilon` the rule itself is private: the fences are noisy
    quantiles (`skdp.binning.QuantileBinner` says how), rounded to the digits that the noise leaves a meaning. Which
    rows go still tells of each row on which side of the fences it is.

    References
    ----------
    J. W. Tukey, *Exploratory Data Analysis* (1977), section 2D (outer fences).

    B. Iglewicz and D. C. Hoaglin, *How to Detect and Handle Outliers* (1993), section 3.3 (modified z-scores).

    W. J. Dixon, "Processing Data for Outliers", *Biometrics* 9(1), 1953 (ratios of gaps in the tails).

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.outliers import OutlierDropper
    >>> debts = pd.DataFrame({"CreditDebt": [1.2, 0.4, 2.5, 109.0, None, 2.1, 2.4], "Town": list("ABCDEFG")})
    >>> OutlierDropper(method="gap", columns="CreditDebt").fit_transform(debts)
       CreditDebt Town
    0         1.2    A
    1         0.4    B
    2         2.5    C
    4         NaN    E
    5         2.1    F
    6         2.4    G

    Rows are served, not dropped, once the fences are learned:

    >>> dropper = OutlierDropper(action="clip").fit(debts)
    >>> dropper.fences_
    {'CreditDebt': (-1.73, 5.63)}
    >>> dropper.transform(debts)["CreditDebt"].tolist()
    [1.2, 0.4, 2.5, 5.63, nan, 2.1, 2.4]
    """

    _actions = ("drop", "mask", "clip")

    def __init__(
        self,
        method="iqr",
        *,
        factor=None,
        tail="both",
        columns=None,
        action="drop",
        drop_at="fit",
        epsilon=None,
        bounds=None,
        ledger=None,
        random_state=None,
    ):
        self.method = method
        self.factor = factor
        self.tail = tail
        self.columns = columns
        self.action = action
        self.drop_at = drop_at
        self.epsilon = epsilon
        self.bounds = bounds
        self.ledger = ledger
        self.random_state = random_state

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
        return super(OutlierDropper, self.finish()).keep_mask(X)

    def release(self, X):
        """Return the table as it may be released by what was learned, with which rows of it that holds.

        So a table larger than memory is released chunk by chunk, by a step that is fitted already. What `partial_fit`
        has collected is learned first.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, or a part of it, with the columns seen by `fit` or `partial_fit`.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows_kept, n_columns_out)
            The released rows.
        keep : ndarray of bool of shape (n_rows,)
            Which rows of `X` they are.
        """
        return super(OutlierDropper, self.finish()).release(X)

    def _fit(self, frame):
        self._check_parameters()
        factors = self._factors(self._watched_columns(frame))
        if self.epsilon is None:
            self._learn(len(frame), factors, lambda columns: self._learned_fences(frame, columns))
        else:
            numbers = {column: _frames.clipped_numbers(frame, column, _GREATEST_INTEGER) for column in factors}
            self._learn(len(frame), factors, lambda columns: self._noisy_fences(numbers, columns))

    def _check_parameters(self):
        check_option(self, "method", self.method, tuple(_FACTORS))
        check_option(self, "tail", self.tail, ("both", "left", "right"))
        self._check_rows()
        check_price(self)
        if self.epsilon is not None and self.method != "quantile":
            raise invalid(self, "epsilon", self.epsilon, f"None with method={self.method!r}: noise needs 'quantile'")

    def _collect(self, frame):
        self._check_parameters()
        columns = self._watched_columns(frame) if len(frame) else []
        self._factors(columns)
        if self.epsilon is None:
            summaries = {column: NumberSummary(_frames.numbers(frame, column)) for column in columns}
        else:
            numbers = {column: _frames.clipped_numbers(frame, column, _GREATEST_INTEGER) for column in columns}
            summaries = {column: GridSummary(values, public_bounds(self, column)) for column, values in numbers.items()}
        return Collected.of(frame, summaries)

    def _learn_collected(self, collected):
        factors, summaries = self._factors(collected.summaries), collected.summaries
        fences = self._fences_of_summaries if self.epsilon is None else self._noisy_fences
        self._learn(collected.rows, factors, lambda columns: fences(summaries, columns))

    def _learn(self, n_rows: int, factors: dict, fences_of: Callable[[dict], dict]):
        if not n_rows:
            raise ValueError("OutlierDropper learns its fences from at least one row. Got a table with 0 rows instead.")
        guarantee = self._guarantee(factors)
        self._charge(guarantee, n_rows, "fit")
        fences, columns = {}, list(factors)
        width = max(_CELLS // n_rows, 1)
        for start in range(0, len(columns), width):
            fences |= fences_of({name: factors[name] for name in columns[start : start + width]})
        self.fences_, self.privacy_guarantee_ = fences, guarantee

    def _guarantee(self, columns) -> PrivacyGuarantee:
        if self.epsilon is None:
            reason = "outliers are told by fences learned from the data"
            return PrivacyGuarantee(math.inf, columns=tuple(columns), scope="central", reasons=(reason,))
        return learning_guarantee(self, price_of(self, columns))

    def _noisy_fences(self, numbers: dict, factors: dict) -> dict:
        """Return private fences of columns, from their numbers or from summaries of these."""
        fences = {}
        for column, factor in factors.items():
            has_low, has_high = self.tail != "right", self.tail != "left"
            shares = np.array([factor] * has_low + [1 - factor] * has_high)
            own = numbers[column]
            values, times = (own.values, own.counts) if isinstance(own, GridSummary) else (own, None)
            found = learned_quantiles(self, column, values, shares, times).rounded().tolist()
            fences[column] = (found[0] if has_low else -math.inf, found[-1] if has_high else math.inf)
        return fences

    def _learned_fences(self, frame, factors: dict) -> dict:
        values = _frames.number_rows(frame, list(factors))
        return self._in_tails(factors, *fences_of_values(values, self.method, np.array(list(factors.values()))))

    def _fences_of_summaries(self, summaries: dict, factors: dict) -> dict:
        fences = {}
        for column, factor in factors.items():
            try:
                low, high = fences_of_summary(summaries[column], self.method, factor)
            except HiddenGap:
                others = "'iqr', 'zscore', 'mad' or 'quantile', or the whole table fitted at once"
                requirement = f"{others}, where chunks do not tell the gaps of a column (here {column!r})"
                raise invalid(self, "method", self.method, requirement) from None
            fences |= self._in_tails([column], np.array([low]), np.array([high]))
        return fences

    def _in_tails(self, columns, low: np.ndarray, high: np.ndarray) -> dict:
        low = np.full_like(low, -np.inf) if self.tail == "right" else low
        high = np.full_like(high, np.inf) if self.tail == "left" else high
        return dict(zip(columns, zip(low.tolist(), high.tolist(), strict=True), strict=True))

    def _watched_columns(self, frame) -> list:
        priced = named_columns(self, frame, ("epsilon", "bounds"))
        columns = self._columns_of_factor(frame, priced)
        if not set(priced) <= set(columns):
            raise invalid(self, "epsilon", self.epsilon, f"of columns that are looked at, as 'bounds' is ({columns})")
        return columns

    def _columns_of_factor(self, frame, priced: list) -> list:
        if not isinstance(self.factor, Mapping):
            return priced if priced and self.columns is None else self._chosen(frame, "number")
        named = check_columns(self, "factor", self.factor, frame.columns)
        columns = named if self.columns is None else self._chosen(frame)
        if not set(columns) <= set(named):
            raise invalid(self, "columns", self.columns, f"among the columns that 'factor' names ({named})")
        return columns

    def _factors(self, columns: list) -> dict:
        default, low, high = _FACTORS[self.method]
        for factor in self.factor.values() if isinstance(self.factor, Mapping) else [self.factor]:
            real = isinstance(factor, numbers.Real) and not isinstance(factor, bool | np.bool_)
            if factor is not None and not (real and low < factor < high):
                limits = "a finite number" if high == math.inf else f"a number below {high}"
                raise invalid(self, "factor", self.factor, f"{limits} and above {low} with method={self.method!r}")
        factors = per_column(self.factor, columns)
        return {column: default if factor is None else float(factor) for column, factor in factors.items()}

    def _flagged(self, frame):
        low, high = np.array(list(self.fences_.values())).reshape(-1, 2).T
        values = _frames.number_rows(frame, list(self.fences_))
        outlying = values < low[:, np.newaxis]
        outlying |= values > high[:, np.newaxis]
        return dict(zip(self.fences_, outlying, strict=True))

    def _transform(self, frame):
        if self.action != "clip":
            return frame
        clipped = {
            column: _frames.filled(frame, column, where, self._clipped(frame, column, where))
            for column, where in self._flagged(frame).items()
            if where.any()
        }
        return _frames.assign(frame, clipped) if clipped else frame

    def _clipped(self, frame, column, where):
        """Return the fence for each outlying value, in the dtype of the column where that holds numbers."""
        low, high = self.fences_[column]
        dtype = frame.schema[column]
        if dtype.is_integer():
            low, high = np.ceil(low), np.floor(high)
        clipped = np.where(_frames.numbers(frame, column)[where] > high, high, low)
        return clipped.astype(str(dtype).lower()) if dtype.is_integer() or dtype.is_float() else clipped


_FACTORS = {  # default, and what a factor must be above and below
    "iqr": (3.0, 0, math.inf),
    "zscore": (3.0, 0, math.inf),
    "mad": (3.5, 0, math.inf),
    "quantile": (0.01, 0, 0.5),
    "gap": (2.0, 1, math.inf),
}
