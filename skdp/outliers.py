"""Outlying numbers out of a table: by quartiles, z-scores, deviations from the median, quantiles or gaps."""

import math
import numbers
from collections.abc import Callable, Mapping
from decimal import ROUND_FLOOR, Decimal

import numpy as np

from skdp import _frames
from skdp._checks import check_columns, check_option, invalid, per_column
from skdp._learning import check_price, learned_quantiles, learning_guarantee, named_columns, price_of, public_bounds
from skdp._partial import PartialFitMixin
from skdp._summaries import MOST_VALUES, Collected, GridSummary, NumberSummary
from skdp.accounting import PrivacyGuarantee
from skdp.base import PrivacyTransformer, RowDropperMixin

_NORMAL_QUARTILE = 0.6744897501960817  # of the standard normal: its MAD
_SLACK = 0.01  # how much farther from the median than the rule a fence may stand, to be a round number
_CELLS = 1 << 22  # sorted at once: more columns than fit are learned in turn, to spare memory
_GREATEST_INTEGER = 2**52
_GAP_BLOCK = 64  # how many values in a tail are looked at first; doubled while all of them are outlying


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
        without bounds, or if a column is not in the table.
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

    `partial_fit` learns what `fit` does as long as a column has at most 2^20 finite values. Beyond, quartiles, medians
    and quantiles have the right rank to within 0.1 % of the values, the median absolute deviation to within 0.2 % (a
    KLL sketch; ``pip install "skdp[scale]"``), means and standard deviations are exact, ``"gap"`` is refused, and a
    fence may be a record's value. With `epsilon` and more than 2^20 rows, values are moved to the middle of one of 2^20
    cells of the public bounds first.

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

    def _fit(self, frame):
        self._check_parameters()
        factors = self._factors(self._watched_columns(frame))
        if self.epsilon is None:
            self._learn(len(frame), factors, lambda columns: self._learned_fences(frame, columns))
        else:
            numbers = {column: _frames.clipped_numbers(frame, column, _GREATEST_INTEGER) for column in factors}
            self._learn(len(frame), factors, lambda columns: self._noisy_fences(numbers, columns))

    def _check_parameters(self):
        check_option(self, "method", self.method, tuple(_RULES))
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
            return PrivacyGuarantee(math.inf, scope="central", reasons=(reason,))
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
        ordered = _ordered(_frames.number_rows(frame, list(factors)))
        return self._in_tails(factors, *_fences(ordered, self.method, np.array(list(factors.values()))))

    def _fences_of_summaries(self, summaries: dict, factors: dict) -> dict:
        fences = {}
        for column, factor in factors.items():
            fences |= self._in_tails({column: factor}, *self._fences_of_summary(column, summaries[column], factor))
        return fences

    def _fences_of_summary(self, column, summary: NumberSummary, factor: float) -> tuple[np.ndarray, np.ndarray]:
        ordered, factors = summary.ordered()[np.newaxis], np.array([factor])
        if summary.is_exact:
            return _fences(ordered, self.method, factors)
        if self.method == "gap":
            fitting = "'iqr', 'zscore', 'mad' and 'quantile'"
            requirement = f"one of {fitting} where more than {MOST_VALUES} values come in chunks (column {column!r})"
            raise invalid(self, "method", self.method, requirement)
        counts = np.array([ordered.shape[1]])
        if self.method == "zscore":
            mean, spread = np.array([summary.mean]), factors * math.sqrt(summary.squares / summary.count)
            return _rounded_fences(ordered, counts, *_around(mean, mean, spread))
        return _rounded_fences(ordered, counts, *_RULES[self.method](ordered, counts, factors))

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


def _ordered(values: np.ndarray) -> np.ndarray:
    """Return the values (n_columns, n_rows) in ascending order along rows, missing and infinite ones last as NaN."""
    ordered = np.array(values, order="C")
    ordered[~np.isfinite(ordered)] = np.nan
    ordered.sort(axis=1)  # once, for whatever a rule needs: it takes a third of the time of np.quantile
    return ordered


@np.errstate(over="ignore", invalid="ignore")  # a fence beyond all doubles is none
def _fences(ordered: np.ndarray, method: str, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the low and the high fence of each column (a row of `ordered`)."""
    counts = ordered.shape[1] - np.isnan(ordered).sum(axis=1)
    return _rounded_fences(ordered, counts, *_RULES[method](ordered, counts, factors))


@np.errstate(over="ignore", invalid="ignore")
def _rounded_fences(ordered, counts, low, high) -> tuple[np.ndarray, np.ndarray]:
    """Return the fences at, or little beyond, the limits that a rule gave."""
    median = _quantiles(ordered, counts, 0.5)
    varied = ordered[:, 0] < _at(ordered, counts - 1)
    has_low, has_high = varied & np.isfinite(low), varied & np.isfinite(high)
    below = (ordered < low[:, np.newaxis]).sum(axis=1)
    above = (ordered > high[:, np.newaxis]).sum(axis=1)
    last_below = np.where(below > 0, _at(ordered, below - 1), -np.inf)
    first_above = np.where(above > 0, _at(ordered, counts - above), np.inf)
    spread = _at(ordered, counts - above - 1) - _at(ordered, below)
    return (
        -_rounded_outward(-low, -last_below, -median, spread, has_low),
        _rounded_outward(high, first_above, median, spread, has_high),
    )


def _at(ordered: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return one value from each row."""
    inside = np.clip(positions, 0, ordered.shape[1] - 1)
    return np.take_along_axis(ordered, inside[:, np.newaxis], axis=1)[:, 0]


def _quantiles(ordered: np.ndarray, counts: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """Return a quantile of the first `counts` values of each row, to the bit as np.quantile interpolates it."""
    position = (counts - 1) * share
    before = np.floor(position).astype(np.intp)
    weight = position - before
    low, high = _at(ordered, before), _at(ordered, np.minimum(before + 1, counts - 1))
    return np.where(weight < 0.5, low + (high - low) * weight, high - (high - low) * (1 - weight))


def _around(low: np.ndarray, high: np.ndarray, spread: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `low` less and `high` plus `spread`; without a spread there are no fences."""
    return np.where(spread > 0, low - spread, -np.inf), np.where(spread > 0, high + spread, np.inf)


def _iqr(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lower, upper = (_quantiles(ordered, counts, share) for share in (0.25, 0.75))
    return _around(lower, upper, factors * (upper - lower))


def _zscore(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    present, size = ~np.isnan(ordered), np.maximum(counts, 1)
    mean = np.sum(ordered, axis=1, where=present) / size
    deviation = ordered - mean[:, np.newaxis]
    np.square(deviation, out=deviation)
    return _around(mean, mean, factors * np.sqrt(np.sum(deviation, axis=1, where=present) / size))


def _mad(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    median = _quantiles(ordered, counts, 0.5)
    deviation = ordered - median[:, np.newaxis]
    np.abs(deviation, out=deviation).sort(axis=1)
    return _around(median, median, factors * _quantiles(deviation, counts, 0.5) / _NORMAL_QUARTILE)


def _tail_quantiles(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _quantiles(ordered, counts, factors), _quantiles(ordered, counts, 1 - factors)


def _gap(ordered: np.ndarray, counts: np.ndarray, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    median = _quantiles(ordered, counts, 0.5)
    from_left = np.arange(ordered.shape[1])
    left = _gap_limit(ordered, median, factors, lambda size: np.tile(from_left[:size], (len(counts), 1)))
    right = _gap_limit(ordered, median, factors, lambda size: counts[:, np.newaxis] - 1 - from_left[:size])
    return median - left, median + right


def _gap_limit(ordered, median, factors, positions) -> np.ndarray:
    """Return the distance from the median at which a tail begins, its values told by `positions` from the extreme."""
    size = min(_GAP_BLOCK, ordered.shape[1])
    while True:
        inside = np.maximum(positions(size), 0)
        distance = np.abs(np.take_along_axis(ordered, inside, axis=1) - median[:, np.newaxis])
        jumps = (distance[:, :-1] >= factors[:, np.newaxis] * distance[:, 1:]) & (distance[:, :-1] > 0)
        outlying = np.logical_and.accumulate(jumps, axis=1).sum(axis=1)
        if size == ordered.shape[1] or (outlying < size - 1).all():
            break
        size = min(2 * size, ordered.shape[1])
    kept = _at(distance, outlying)
    first = np.where(outlying > 0, _at(distance, outlying - 1), np.inf)
    limit = factors * kept
    return np.where(limit < first, limit, kept + (first - kept) / 2)


def _rounded_outward(limit, first_outlying, median, spread, exists) -> np.ndarray:
    """Return fences for the right tail: round numbers between each limit and the first value beyond it."""
    slack = _SLACK * np.abs(limit - median)
    slack = np.where(slack > 0, slack, _SLACK * spread)
    farthest = np.where(slack > 0, np.minimum(first_outlying, limit + slack), first_outlying)
    fences = np.full(len(limit), np.inf)
    for column in np.flatnonzero(exists & np.isfinite(farthest)):
        fences[column] = _roundest(float(limit[column]), float(farthest[column]))
    return fences


def _roundest(low: float, high: float) -> float:
    """Return the number of fewest digits strictly between two others; `low` where no double is.

    Examples
    --------
    >>> _roundest(47.31, 47.68), _roundest(-0.0123, 0.5), _roundest(99.2, 100.7), _roundest(1.4, 1.415)
    (47.4, 0.0, 100.0, 1.41)
    """
    shortest_low, shortest_high = Decimal(repr(low)), Decimal(repr(high))
    step = Decimal(1).scaleb((shortest_high - shortest_low).adjusted())
    for unit in (step * 10, step, step / 10):
        number = float(((shortest_low / unit).to_integral_value(ROUND_FLOOR) + 1) * unit)
        if low < number < high:
            return number
    return low


_RULES = {"iqr": _iqr, "zscore": _zscore, "mad": _mad, "quantile": _tail_quantiles, "gap": _gap}
_FACTORS = {  # default, and what a factor must be above and below
    "iqr": (3.0, 0, math.inf),
    "zscore": (3.0, 0, math.inf),
    "mad": (3.5, 0, math.inf),
    "quantile": (0.01, 0, 0.5),
    "gap": (2.0, 1, math.inf),
}
