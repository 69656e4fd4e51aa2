"""Noise: numbers and categories released with local differential privacy."""

import math
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from skdp import _arrays, _frames
from skdp._calibration import (
    GAPS_ARE_PUBLIC,
    INTEGERS_ARE_PUBLIC,
    check_numeric,
    check_table_and_seed,
    checked_bounds,
    checked_positive,
    columns_of,
    is_categorical,
    is_integral,
    joint_guarantee,
    own_value,
    randomized,
    should_be_numeric,
)
from skdp._checks import ParameterError, check_option, invalid
from skdp._levels import locate
from skdp._metric_privacy import Calibration
from skdp.accounting import PrivacyGuarantee
from skdp.base import PrivacyTransformer
from skdp.mechanisms import laplace, laplace_integers, randomized_response


class LaplaceNoise(PrivacyTransformer):
    """Numbers are released with Laplace noise: each cell is private by itself, whoever sees the table.

    Parameters
    ----------
    epsilon : float, Fraction or Decimal, or dict of column name to such, default=1.0
        Privacy loss ε for each cell; at least 2^-20. The smaller, the more noise. A record's loss is the sum over the
        columns.
    bounds : tuple of (lower, upper), or dict of column name to tuple, default=None
        Public bounds, chosen without looking at the data. Values are clamped to them, and the noise has the scale
        (upper - lower) / epsilon.
    sensitivity : float, or dict of column name to float, default=None
        The change of a value that ε is to hide, where this is less than the whole range: the noise has the scale
        sensitivity / epsilon. That is *metric* privacy: a whole record has the ε of `privacy_guarantee_`, which is
        larger by range / sensitivity. Without bounds the range is that of the values seen, so this figure comes from
        the data. On integers a sensitivity below 1 hides no change at all.
    columns : str or list of str, default=None
        The columns to noise. By default those that dicts of `epsilon`, `bounds` and `sensitivity` name, and where there
        are none all columns of numbers; booleans are none.
    missing : {"keep", "impute"}, default="keep"
        Missing cells stay missing, which is seen by everyone; or the midpoint of the bounds is put there before the
        noise, which hides them.
    postprocess : {"clip"}, default=None
        Clip what is released to the bounds. It costs no privacy, and makes values near the bounds biased.
    random_state : int, default=None
        None draws secure noise, afresh at every call. An int repeats the noise, for tests: there is no privacy then.
        That of a row depends on the int, the column and the row's position alone: the same table comes out of
        ``skdp release``, in chunks of any size, and of `skdp.distributed`, over any partitions.
    ledger : PrivacyLedger, default=None
        Where each `transform` and `fit_transform` is charged, before any noise is drawn.

    Attributes
    ----------
    privacy_guarantee_ : PrivacyGuarantee
        What one call of `fit_transform` or `transform` gives each record, with the parameters as they are now. Calls
        add up. In a column without bounds, the figure holds for the range of the values of a call, and a `transform`
        that meets a wider one than any before raises it; ∞ where all values seen are alike.
    scale_ : dict of column name to float
        The scale of each column's noise: its standard deviation over √2.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if there are neither bounds nor sensitivity, if a parameter is no positive number or no pair of
        bounds, if a column is not in the table, if a dict names one that `columns` leaves out, or with
        ``postprocess="clip"`` if no grid point lies between the bounds.
    ValueError
        By `fit`, if the table has no rows. By `fit` and `transform`, if a column to noise holds anything but numbers,
        or without bounds if a value is infinite. The message names the column, how many values, and the cure. By
        default a column of text counts as one to noise where at least half of it parses as numbers.
    BudgetExceededError
        By `transform`, if the ledger has a cap that would be passed; nothing is drawn then.

    Warns
    -----
    UserWarning
        By `fit`, where `sensitivity` is smaller than the range of the bounds, and always without bounds: with the
        record's ε, or that it cannot be told. By `transform`, without bounds, where the range is wider than before.

    See Also
    --------
    RandomizedResponse : The same for categories.

    Notes
    -----
    The mechanism is that of Dwork, McSherry, Nissim and Smith, *Calibrating noise to sensitivity in private data
    analysis* (TCC 2006), section 3, drawn exactly on a public grid of about a millionth of the noise's scale;
    `skdp.mechanisms` carries the proof. Columns that held integers at `fit` get integers, with two-sided geometric
    noise, and fractions served to them are rounded down; all others go out as float64.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.noise import LaplaceNoise
    >>> people = pd.DataFrame({"Age": [24, 35, 71], "Income": [21.5, None, 80.0], "City": ["Oslo", "Lima", "Bonn"]})
    >>> noise = LaplaceNoise({"Age": 1, "Income": 0.5}, bounds={"Age": (0, 120), "Income": (0, 200)})
    >>> released = noise.fit_transform(people)
    >>> released.dtypes.astype(str).to_dict()
    {'Age': 'int64', 'Income': 'float64', 'City': 'str'}
    >>> print(noise.privacy_guarantee_)
    ε = 1.5 for each record, local (replace one record); columns: Age, Income
    - whether a cell is missing is public
    - whether a column holds integers is public
    >>> noise.scale_
    {'Age': 120.0, 'Income': 400.0}
    """

    def __init__(
        self,
        epsilon=1.0,
        *,
        bounds=None,
        sensitivity=None,
        columns=None,
        missing="keep",
        postprocess=None,
        random_state=None,
        ledger=None,
    ):
        self.epsilon = epsilon
        self.bounds = bounds
        self.sensitivity = sensitivity
        self.columns = columns
        self.missing = missing
        self.postprocess = postprocess
        self.random_state = random_state
        self.ledger = ledger

    def _fit(self, frame):
        check_table_and_seed(self, frame)
        check_option(self, "missing", self.missing, ("keep", "impute"))
        check_option(self, "postprocess", self.postprocess, (None, "clip"))
        if self.bounds is None and self.sensitivity is None:
            raise ParameterError(_NEITHER.format("column"))
        columns = columns_of(self, frame, ("epsilon", "bounds", "sensitivity"), should_be_numeric)
        self._calibrations = {column: self._calibrated(frame, column) for column in columns}
        self.scale_ = {column: one.grid().scale for column, one in self._calibrations.items()}
        self._figures = {column: one.record_level(frame, column) for column, one in self._calibrations.items()}
        self._warn_of_metric_privacy()

    def _transform(self, frame):
        self._count_wider_ranges(frame)
        self._charge(self.privacy_guarantee_, len(frame), "transform")
        return _frames.assign(frame, {column: self._released(frame, column) for column in self._calibrations})

    def _released(self, frame, column) -> Any:
        """Return a column with noise: values clamped, noised, put on the grid."""
        calibration, values = self._calibrations[column], self._calibrations[column].read(frame, column)
        integral = calibration.integral
        gaps = np.isnan(values) if integral or self.missing == "impute" else None
        if gaps is not None and gaps.any():
            values = np.where(gaps, calibration.midpoint, values)
        lower, upper = calibration.bounds
        release = partial(
            laplace_integers if integral else laplace,
            epsilon=calibration.epsilon,
            lower=lower,
            upper=upper,
            sensitivity=calibration.sensitivity,
            clip=self.postprocess == "clip",
        )
        noised = randomized(self, column, values, release)
        return pa.array(noised, mask=gaps) if integral and self.missing == "keep" and gaps.any() else noised

    def _calibrated(self, frame, column) -> Calibration:
        """Return what the noise of a column depends on, checked against the kind of its values."""
        check_numeric(frame, column)
        calibration = Calibration(
            checked_positive(self, "epsilon", column),
            checked_bounds(self, column),
            None if own_value(self.sensitivity, column) is None else checked_positive(self, "sensitivity", column),
            is_integral(frame, column),
        )
        if not calibration.is_bounded:
            self._check_goes_without_bounds(calibration, column)
        try:
            calibration.grid().window(clip=self.postprocess == "clip")
        except ValueError as error:
            raise ParameterError(f"LaplaceNoise cannot use these parameters for column {column!r}. {error}") from None
        return calibration

    def _check_goes_without_bounds(self, calibration, column):
        if calibration.sensitivity is None:
            raise ParameterError(_NEITHER.format(f"column ({column!r} has neither)"))
        for name, default in (("missing", "keep"), ("postprocess", None)):
            value = getattr(self, name)
            if value != default:
                raise invalid(self, name, value, f"{default!r} for column {column!r}, which has no 'bounds'")

    def _count_wider_ranges(self, frame):
        """Raise the guarantee, and warn, where columns without bounds have a wider range than any before."""
        unbounded = {column: one for column, one in self._calibrations.items() if not one.is_bounded}
        figures = {column: one.record_level(frame, column) for column, one in unbounded.items()}
        wider = [column for column, one in figures.items() if one and one > (self._figures[column] or 0)]
        if wider:
            self._figures = self._figures | {column: figures[column] for column in wider}
            found = "; ".join(self._metric_privacy(column) for column in wider)
            warnings.warn(
                f"LaplaceNoise met a wider range than before, which raises privacy_guarantee_: {found}.",
                UserWarning,
                stacklevel=5,
            )

    def _metric_privacy(self, column) -> str:
        return self._calibrations[column].explained(column, self._figures[column])

    @property
    def privacy_guarantee_(self) -> PrivacyGuarantee:
        """The sum over columns of a cell's ε, with the parameters as they are now."""
        figures = {column: self._figures[column] or one.epsilon for column, one in self._calibrations.items()}
        untold = [f"column {column!r}: {_ALL_ALIKE}" for column, figure in self._figures.items() if figure is None]
        metric = [column for column, one in self._calibrations.items() if one.is_metric]
        conditions = [
            *map(self._metric_privacy, metric),
            *[_RANGE_IS_OF_THE_DATA] * any(not one.is_bounded for one in self._calibrations.values()),
            *[GAPS_ARE_PUBLIC] * (self.missing == "keep"),
            INTEGERS_ARE_PUBLIC,
        ]
        return joint_guarantee(self, figures, conditions, "metric" if metric else "local", reasons=untold)

    def _warn_of_metric_privacy(self):
        """Warn once of the columns where a record has, or may have, more than the ε that was asked for."""
        metric = [
            self._metric_privacy(column)
            for column, one in self._calibrations.items()
            if not one.is_bounded or self._figures[column] > one.epsilon
        ]
        if metric:
            warnings.warn(f"LaplaceNoise gives metric privacy in {'; '.join(metric)}.", UserWarning, stacklevel=4)


class RandomizedResponse(PrivacyTransformer):
    """Categories are kept with a known probability, else replaced by another: each cell is private by itself.

    Parameters
    ----------
    epsilon : float, Fraction or Decimal, or dict of column name to such
        Privacy loss ε for each cell. A category is kept with probability e^ε / (e^ε + k - 1), and each of the k - 1
        others is released with probability 1 / (e^ε + k - 1). A record's loss is the sum over the columns.
    categories : list, or dict of column name to list
        The public categories, at least two: text, numbers or booleans, chosen without looking at the data. With None
        among them, a missing cell is a category like the others.
    columns : str or list of str, default=None
        The columns to noise. By default those that dicts of `epsilon` and `categories` name, and where there are none
        all columns of text, categories and booleans.
    other : str, default=None
        The one of `categories` that all values go to that are not among them. By default they are an error.
    random_state : int, default=None
        None draws secure noise, afresh at every call. An int repeats the noise, for tests: there is no privacy then.
        That of a row depends on the int, the column and the row's position alone: the same table comes out of
        ``skdp release``, in chunks of any size, and of `skdp.distributed`, over any partitions.
    ledger : PrivacyLedger, default=None
        Where each `transform` and `fit_transform` is charged, before any noise is drawn.

    Attributes
    ----------
    privacy_guarantee_ : PrivacyGuarantee
        What one call of `fit_transform` or `transform` gives each record. Calls add up.
    keep_probability_ : dict of column name to float
        The probability that a category is kept.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if ε is no positive number, if there are fewer than two categories or one twice, or if a column is not
        in the table.
    ValueError
        By `fit`, if the table has no rows. By `fit` and `transform`, if a value is not among the categories and there
        is no `other`: the message names the column and how many values.
    BudgetExceededError
        By `transform`, if the ledger has a cap that would be passed; nothing is drawn then.

    See Also
    --------
    LaplaceNoise : The same for numbers.

    Notes
    -----
    Warner, *Randomized response: a survey technique for eliminating evasive answer bias* (JASA 1965); for k categories
    Kairouz, Oh and Viswanath, *Extremal mechanisms for local differential privacy* (NIPS 2014), section 3. The
    probabilities are exact (`skdp.mechanisms`). Where p is the probability to keep, q = (1 - p) / (k - 1) and f the
    frequency of a category among n released values, (f - n q) / (p - q) is an unbiased estimate of its true frequency.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.noise import RandomizedResponse
    >>> people = pd.DataFrame({"Smokes": ["yes", "no", None, "no"], "Age": [24, 35, 71, 40]})
    >>> response = RandomizedResponse(1.5, categories={"Smokes": ["yes", "no"]})
    >>> response.fit_transform(people)["Smokes"].isin(["yes", "no"]).tolist()
    [True, True, False, True]
    >>> {column: round(probability, 3) for column, probability in response.keep_probability_.items()}
    {'Smokes': 0.818}
    """

    def __init__(self, epsilon, *, categories, columns=None, other=None, random_state=None, ledger=None):
        self.epsilon = epsilon
        self.categories = categories
        self.columns = columns
        self.other = other
        self.random_state = random_state
        self.ledger = ledger

    def _fit(self, frame):
        check_table_and_seed(self, frame)
        columns = columns_of(self, frame, ("epsilon", "categories"), is_categorical)
        self._epsilons = {column: checked_positive(self, "epsilon", column) for column in columns}
        self._domains = {column: self._domain(column) for column in columns}
        for column in columns:
            self._codes(frame, column)
        self.keep_probability_ = {
            column: 1 / (1 + (domain.size - 1) * math.exp(-min(self._epsilons[column], 700)))
            for column, domain in self._domains.items()
        }

    @property
    def privacy_guarantee_(self) -> PrivacyGuarantee:
        """The sum over columns of a cell's ε, with the parameters as they are now."""
        gaps_are_public = not all(domain.has_missing for domain in self._domains.values())
        return joint_guarantee(self, self._epsilons, [GAPS_ARE_PUBLIC] * gaps_are_public, "local")

    def _transform(self, frame):
        self._charge(self.privacy_guarantee_, len(frame), "transform")
        return _frames.assign(frame, {column: self._released(frame, column) for column in self._domains})

    def _released(self, frame, column) -> Any:
        """Return a column of randomized answers."""
        domain, codes = self._domains[column], self._codes(frame, column)
        asked = codes >= 0
        release = partial(randomized_response, epsilon=self._epsilons[column], n_categories=domain.size)
        codes = np.where(asked, randomized(self, column, np.where(asked, codes, 0), release), codes)
        if _frames.kind(frame, column) == "category" and pa.types.is_large_string(domain.labels.type):
            codes[codes == len(domain.labels)] = -1
            ordered = hasattr(frame.get_column(column).dtype, "categories")  # narwhals reads ordered ones as Enum
            return _arrays.Categories(codes, tuple(domain.labels.to_pylist()), ordered=ordered)
        absent = (codes < 0) | (codes == len(domain.labels))
        return domain.labels.take(pa.array(codes, mask=absent))

    def _codes(self, frame, column) -> np.ndarray:
        """Return each value's position in its domain; -1 for a missing one where the domain has none."""
        domain, missing = self._domains[column], _frames.missing(frame, column)
        codes = locate(frame, column, domain.labels)
        unseen = (codes < 0) & ~missing
        count = int(unseen.sum())
        if count and domain.other is None:
            raise ValueError(
                f"Column {column!r} holds {count} value{'s' * (count > 1)} not among its categories; add to "
                "'categories', or name as 'other' the category that such values go to."
            )
        if count:
            codes[unseen] = domain.other
        if domain.has_missing:
            codes[missing] = len(domain.labels)
        return codes

    def _domain(self, column) -> "_Domain":
        """Return a column's public categories, checked."""
        given = own_value(self.categories, column)
        listed = list(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes | Mapping) else []
        try:
            labels = pa.array(listed, from_pandas=True)
            distinct = len(set(listed)) == len(listed) and labels.null_count < 2
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, TypeError):
            distinct = False
        if not distinct or len(listed) < 2 or labels.null_count == len(listed):
            wanted = "a list of at least two different categories, all text, all numbers, all booleans or all dates"
            raise invalid(self, "categories", given, f"{wanted} (column {column!r})")
        named = labels.drop_null()
        if self.other is not None and self.other not in named.to_pylist():
            raise invalid(self, "other", self.other, f"one of the categories of column {column!r}")
        return _Domain(
            named.cast(pa.large_string()) if pa.types.is_string(named.type) else named,
            bool(labels.null_count),
            None if self.other is None else named.to_pylist().index(self.other),
        )


_RANGE_IS_OF_THE_DATA = "without bounds, the figure comes from the data: from the range of what was seen"
_ALL_ALIKE = "all values seen are alike, so without bounds a record's ε cannot be told"
_NEITHER = (
    "LaplaceNoise needs 'bounds' or 'sensitivity' for each {}. Give 'bounds', the public limits (lower, upper) that "
    "values are clamped to; or 'sensitivity', the change of a value that is to be hidden."
)


@dataclass(frozen=True)
class _Domain:
    """The public categories of a column; the code after the last label is a missing cell's."""

    labels: pa.Array
    has_missing: bool
    other: int | None

    @property
    def size(self) -> int:
        return len(self.labels) + self.has_missing
