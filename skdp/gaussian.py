"""Gaussian noise: numbers released with (ε, δ) local differential privacy."""

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from skdp import _frames
from skdp._calibration import (
    GAPS_ARE_PUBLIC,
    INTEGERS_ARE_PUBLIC,
    check_numeric,
    check_table_and_seed,
    checked_bounds,
    checked_positive,
    columns_of,
    is_integral,
    joint_guarantee,
    own_value,
    randomized,
    should_be_numeric,
)
from skdp._checks import ParameterError, check_option, invalid
from skdp._discrete_gaussian import gaussian_grid, release
from skdp._rationals import rational
from skdp.accounting import PrivacyGuarantee
from skdp.base import PrivacyTransformer


class GaussianNoise(PrivacyTransformer):
    """Numbers are released with Gaussian noise: each cell is private by itself, save with a small probability δ.

    Parameters
    ----------
    epsilon : float, Fraction or Decimal, or dict of column name to such, default=1.0
        Privacy loss ε for each cell; at least 2^-20. The smaller, the more noise.
    delta : float, Fraction or Decimal, or dict of column name to such, default=1e-6
        The small probability δ by which the promise of ε may be missed, for each cell; from 2^-256 to less than 1.
        Choose it far below one in the number of records.
    bounds : tuple of (lower, upper), or dict of column name to tuple
        Public bounds, chosen without looking at the data. Values are clamped to them.
    columns : str or list of str, default=None
        The columns to noise. By default those that dicts of `epsilon`, `delta` and `bounds` name, and where there are
        none all columns of numbers; booleans are none.
    missing : {"keep", "impute"}, default="keep"
        Missing cells stay missing, which is seen by everyone; or the midpoint of the bounds is put there before the
        noise, which hides them.
    postprocess : {"clip"}, default=None
        Clip what is released to the bounds. It costs no privacy, and makes values near the bounds biased.
    random_state : int, default=None
        None draws secure noise, afresh at every call. An int repeats the noise, for tests: there is no privacy then.
        That of a row depends on the int, the column and the row's position alone: the same table comes out of
        ``skdp release``, in chunks of any size, and of `skdp.distributed`, over any partitions.
    ledger : object with a method ``charge``, default=None
        Where each release is written, before any noise is drawn.

    Attributes
    ----------
    privacy_guarantee_ : PrivacyGuarantee
        What one call of `fit_transform` or `transform` gives each record: ε and δ are the sums over the columns, which
        is basic composition. Its ``noise_multipliers`` serve accountants that add up less.
    scale_ : dict of column name to float
        The parameter σ of each column's noise, which is its standard deviation (to well within a millionth; of integers
        with less than one unit of noise, at most that).
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if there are no bounds, if a parameter is out of its range, if a column is not in the table, if a dict
        names one that `columns` leaves out, or with ``postprocess="clip"`` if no grid point lies between the bounds.
    ValueError
        By `fit`, if the table has no rows. By `fit` and `transform`, if a column to noise holds anything but numbers.
        The message names the column, how many values, and the cure. By default a column of text counts as one to noise
        where at least half of it parses as numbers.

    See Also
    --------
    LaplaceNoise : The same without δ.
    RandomizedResponse : The same for categories.

    Notes
    -----
    The noise is the discrete Gaussian of Canonne, Kamath and Steinke, *The discrete Gaussian for differential privacy*
    (NeurIPS 2020), drawn exactly on a public grid of at most a millionth of σ, or on the integers; σ is the least for
    which (ε, δ) is proven for this discrete distribution. `skdp._discrete_gaussian` and `skdp._gaussian_scale` carry
    the proofs. With Δ the largest difference of two values on the grid, a cell has Δ²/2σ² zero-concentrated
    differential privacy, and a record the sum over its columns; accountants of Rényi or concentrated privacy may take a
    column for a Gaussian of the noise multiplier σ/Δ. Columns that held integers at `fit` get integers, and fractions
    served to them are rounded down; all others go out as float64.

    For one column LaplaceNoise of the same ε is usually more exact. Gaussian noise has lighter tails, and pays where
    many columns or calls are added up by an accountant.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.gaussian import GaussianNoise
    >>> people = pd.DataFrame({"Age": [24, 35, 71], "Income": [21.5, None, 80.0], "City": ["Oslo", "Lima", "Bonn"]})
    >>> noise = GaussianNoise({"Age": 1, "Income": 0.5}, bounds={"Age": (0, 120), "Income": (0, 200)})
    >>> released = noise.fit_transform(people)
    >>> released.dtypes.astype(str).to_dict()
    {'Age': 'int64', 'Income': 'float64', 'City': 'str'}
    >>> print(noise.privacy_guarantee_)
    ε = 1.5 for each record, δ = 2e-06, local (replace one record); columns: Age, Income
    - whether a cell is missing is public
    - whether a column holds integers is public
    >>> {column: round(scale) for column, scale in noise.scale_.items()}
    {'Age': 507, 'Income': 1612}
    """

    def __init__(
        self,
        epsilon=1.0,
        delta=1e-6,
        *,
        bounds=None,
        columns=None,
        missing="keep",
        postprocess=None,
        random_state=None,
        ledger=None,
    ):
        self.epsilon = epsilon
        self.delta = delta
        self.bounds = bounds
        self.columns = columns
        self.missing = missing
        self.postprocess = postprocess
        self.random_state = random_state
        self.ledger = ledger

    def _fit(self, frame):
        check_table_and_seed(self, frame)
        check_option(self, "missing", self.missing, ("keep", "impute"))
        check_option(self, "postprocess", self.postprocess, (None, "clip"))
        if self.bounds is None:
            raise ParameterError(_NO_BOUNDS.format("column"))
        columns = columns_of(self, frame, ("epsilon", "delta", "bounds"), should_be_numeric)
        self._figures = {column: self._checked(frame, column) for column in columns}
        self._grids = {column: self._grid(frame, column) for column in columns}
        self.scale_ = {column: grid.scale for column, grid in self._grids.items()}

    def _transform(self, frame):
        self._charge(self.privacy_guarantee_, len(frame), "transform")
        return _frames.assign(frame, {column: self._released(frame, column) for column in self._grids})

    def _released(self, frame, column) -> Any:
        """Return a column with noise: values clamped, put on the grid, noised."""
        grid, values = self._grids[column], _frames.clipped_numbers(frame, column, 2**52)
        gaps = np.isnan(values) if grid.integral or self.missing == "impute" else None
        if gaps is not None and gaps.any():
            _, _, bounds = self._figures[column]
            values = np.where(gaps, float(sum(bounds) / 2), values)
        noised = randomized(self, column, values, partial(release, grid=grid, clip=self.postprocess == "clip"))
        return pa.array(noised, mask=gaps) if grid.integral and self.missing == "keep" and gaps.any() else noised

    def _checked(self, frame, column) -> tuple:
        """Return a column's ε, δ and bounds."""
        check_numeric(frame, column)
        bounds = checked_bounds(self, column)
        if bounds[0] is None:
            raise ParameterError(_NO_BOUNDS.format(f"column ({column!r} has none)"))
        return checked_positive(self, "epsilon", column), self._checked_delta(column), bounds

    def _checked_delta(self, column) -> Fraction:
        value = own_value(self.delta, column)
        exact = rational(value)
        if exact is None or not 0 < exact < 1:
            of_column = f" for column {column!r}" if isinstance(self.delta, Mapping) else ""
            raise invalid(self, "delta", value, f"a number above 0 and below 1{of_column}")
        return exact

    def _grid(self, frame, column):
        """Return the public grid of a column, which tells integers from other numbers, and nothing else of the data."""
        epsilon, delta, bounds = self._figures[column]
        try:
            grid = gaussian_grid(epsilon, delta, *bounds, integral=is_integral(frame, column))
            grid.window(clip=self.postprocess == "clip")
        except ValueError as error:
            raise ParameterError(f"GaussianNoise cannot use these parameters for column {column!r}. {error}") from None
        return grid

    @property
    def privacy_guarantee_(self) -> PrivacyGuarantee:
        """The sums over columns of a cell's ε and δ, with the parameters as they are now."""
        seeded = self.random_state is not None
        return joint_guarantee(
            self,
            {column: epsilon for column, (epsilon, _, _) in self._figures.items()},
            [*[GAPS_ARE_PUBLIC] * (self.missing == "keep"), INTEGERS_ARE_PUBLIC],
            "local",
            delta=sum((delta for _, delta, _ in self._figures.values()), Fraction(0)),
            noise_multipliers=() if seeded else tuple(_at_most(one.noise_multiplier) for one in self._grids.values()),
        )


_NO_BOUNDS = (
    "GaussianNoise needs 'bounds' for each {}: the public limits (lower, upper) that values are clamped to, chosen "
    "without looking at the data."
)


def _at_most(number: Fraction) -> float:
    """Return the greatest float that is not above a fraction."""
    nearest = float(number)
    return nearest if nearest <= number else math.nextafter(nearest, -math.inf)
