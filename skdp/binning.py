"""Numbers become ranges: binning into ordered categories, with top- and bottom-coding."""

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from skdp import _arrays, _frames
from skdp._checks import check_columns, check_integer, check_option, check_unique_names, invalid, per_column
from skdp._intervals import (
    bin_labels,
    checked_edges,
    checked_labels,
    decoded,
    encoded,
    interval_codes,
    interval_labels,
    onehot_names,
)
from skdp._learning import check_price, learned_quantiles, learning_guarantee, named_columns, price_of, public_bounds
from skdp._noisy_quantiles import count_digits, rounded_inside
from skdp._number_summaries import NumberSummary
from skdp._partial import PartialFitMixin
from skdp._quantiles import PartialOrder, QuantileBins, bins_of
from skdp._summaries import Collected, GridSummary
from skdp.accounting import PrivacyGuarantee
from skdp.base import PrivacyTransformer

_GREATEST_INTEGER = 2**52
_MOST_BINS = 100_000
_NO_NOISE = "edges and means of bins are learned from the table, without noise"


class IntervalBinner(PrivacyTransformer):
    """Numbers become ranges with edges that you choose: ages become "24 and Under", "24 - 34", …, "64 and Over".

    The lowest and the highest range are open-ended (bottom- and top-coding), so that no extreme value stands out. The
    result is an ordered category; missing values stay missing.

    Parameters
    ----------
    edges : list of float, or dict of column name to list of float
        The edges between the ranges, increasing and finite: n edges make n + 1 ranges. A list holds for each of
        `columns`; a dict gives each column its own, and implies `columns`.
    columns : str or list of str, default=None
        The columns to bin. By default those of a dict of `edges`, and for a list all columns of numbers; booleans are
        none.
    closed : {"right", "left"}, default="right"
        Which of its two edges a range holds. With ``"right"``, 34 is in "24 - 34"; with ``"left"``, in "34 - 44".
    labels : list of str, or dict of column name to list of str, default=None
        The names of the ranges, lowest first: one more than there are edges, none twice. By default they are made of
        the edges: "24 and Under", "24 - 34", …, "64 and Over"; with ``closed="left"`` the first is "Under 24". Columns
        that a dict leaves out get the default.

    Attributes
    ----------
    edges_ : dict of column name to ndarray of float64 of shape (n_edges,)
        The edges of each binned column.
    labels_ : dict of column name to list of str of length n_edges + 1
        The labels of each binned column.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if edges are empty, unsorted, repeated, infinite, no numbers, or integers beyond 2^53 that no float64
        is; if the number of labels is not the number of edges plus one; or if a column is not in the table.
    ValueError
        By `fit` and `transform`, if a column to bin holds anything but numbers (booleans included). The message names
        the column, how many values, and the cure.

    See Also
    --------
    QuantileBinner : Learns its edges, for ranges that hold equally many.
    pandas.cut : The same for one series, without open-ended labels.

    Notes
    -----
    The edges are parameters, so nothing is learned from the data. pandas gets an ordered categorical, polars an Enum,
    NumPy an ``object`` array of labels. Infinite values go into the outer ranges. Numbers are compared as float64.

    Top- and bottom-coding are described in Hundepool et al., *Statistical Disclosure Control* (2012), chapter 3.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.binning import IntervalBinner
    >>> people = pd.DataFrame({"Age": [24, 34, 35, 71], "Name": ["Ana", "Bo", "Cy", "Di"]})
    >>> IntervalBinner({"Age": [24, 34, 44, 54, 64]}).fit_transform(people)
                Age Name
    0  24 and Under  Ana
    1       24 - 34   Bo
    2       34 - 44   Cy
    3   64 and Over   Di

    Ranges that hold their lower edge, with labels of your own:

    >>> decades = IntervalBinner({"Age": [30, 60]}, closed="left", labels=["0-29", "30-59", "60+"])
    >>> decades.fit_transform(people)["Age"].tolist()
    ['0-29', '30-59', '30-59', '60+']
    """

    def __init__(self, edges, *, columns=None, closed="right", labels=None):
        self.edges = edges
        self.columns = columns
        self.closed = closed
        self.labels = labels

    def _fit(self, frame):
        check_option(self, "closed", self.closed, ("right", "left"))
        edges = per_column(self.edges, _binned_columns(self, frame, "edges"))
        edges = {column: checked_edges(self, column, own) for column, own in edges.items()}
        if isinstance(self.labels, Mapping) and not set(self.labels) <= set(edges):
            raise invalid(self, "labels", self.labels, f"a mapping from binned columns ({list(edges)}) to labels")
        self.labels_ = {column: self._labels_of(column, own) for column, own in edges.items()}
        self.edges_ = {column: np.array(own, dtype=np.float64) for column, own in edges.items()}
        for column in edges:
            _frames.numbers(frame, column)

    def _transform(self, frame):
        return _frames.assign(
            frame,
            {
                column: _arrays.Categories(
                    interval_codes(_frames.numbers(frame, column), edges, self.closed), tuple(self.labels_[column])
                )
                for column, edges in self.edges_.items()
            },
        )

    def _labels_of(self, column, edges: list) -> list[str]:
        labels = self.labels.get(column) if isinstance(self.labels, Mapping) else self.labels
        if labels is None:
            return interval_labels(edges, self.closed)
        return checked_labels(self, column, labels, len(edges) + 1)


class QuantileBinner(PartialFitMixin, PrivacyTransformer):
    """Numbers become ranges that hold equally many records, with round edges learned from the table.

    The lowest and the highest range are open-ended, so that no extreme value stands out and unseen values fall into
    them. Missing values stay missing.

    Parameters
    ----------
    n_bins : int, or dict of column name to int, default=5
        How many ranges, from 2 to 100,000. A dict implies `columns`. A column gets fewer where its values are tied.
    columns : str or list of str, default=None
        The columns to bin. By default those of a dict of `n_bins`, and otherwise all columns of numbers; booleans are
        none.
    encode : {"label", "ordinal", "onehot"}, default="label"
        What comes out. ``"label"``: an ordered category (pandas: categorical, polars: Enum, NumPy: its rank).
        ``"ordinal"``: the rank of the range from 0 as int64; gaps are null, in NumPy NaN. ``"onehot"``: one int8 column
        of 0 and 1 for each range, named by column and label, as "Age_24 - 34"; a missing value is 0 in all.
    labels : {"interval", "mean", "rank"}, default="interval"
        How the ranges are called: "24 and Under", "24 - 34", …, "64 and Over", by their rounded mean, or by their rank
        from "0". A column of a single range calls it "Any". Where two means are alike once rounded, the interval is
        added.
    round_edges : int or False, default=None
        To how many significant digits (1 to 15) edges and means are rounded. None takes, for each edge, the fewest
        with which it passes over at most 2.5 % of the records of an equal share and is no record's value: so
        populations move by 5 % at most, and those of fewer than 40 not at all. An edge may be a value of at most 4
        digits that 5 records share, or that is one of a grid without gaps around it, such as whole ages. Means get
        the fewest digits, at least 2 and those of the roundest edge, that leave them in their range; with more than
        2, the rule of edges holds for them. Where no number fits between two values, they share a range. False keeps
        edges and means exact, which are values of somebody.
    min_bin_size : int, default=None
        Neighbouring ranges are merged, from the lowest up, until each holds so many records of the table seen by
        `fit`. Not with `epsilon`.
    epsilon : float, Fraction or Decimal, or dict of column name to such, default=None
        Privacy loss ε of what `fit` learns of each column: the edges come from noisy counts. A dict implies `columns`.
        None learns them exactly, without any guarantee. With ε, `round_edges` of None leaves out the digits that the
        noise makes meaningless.
    bounds : tuple of (lower, upper), DPBounds, or dict of column name to such, default=None
        Public bounds for `epsilon`, chosen without looking at the data; values beyond count as at them. Wide ones cost
        little: the grid between them has 4,096 to 262,144 cells, by the number of rows. `skdp.bounds.DPBounds` learns
        them, for an ε more.
    ledger : PrivacyLedger, default=None
        Is charged with the guarantee, once, by each `fit`.
    random_state : int, default=None
        None draws secure noise, afresh at every `fit`. An int repeats the noise, for tests: there is no privacy then.

    Attributes
    ----------
    edges_ : dict of column name to ndarray of float64 of shape (n_bins_ - 1,)
        The edges between the ranges; a range holds its upper edge.
    labels_ : dict of column name to list of str of length n_bins_
        The labels of the ranges, lowest first.
    bin_means_ : dict of column name to ndarray of float64 of shape (n_bins_,)
        The mean of each range, rounded like the edges; NaN in a column that is missing throughout. With `epsilon` about
        the median of each range instead, from noisy counts.
    n_bins_ : dict of column name to int
        How many ranges each column got.
    n_merged_ : dict of column name to int
        How many fewer these are than `n_bins`.
    digits_ : dict of column name to int or None
        Significant digits of the edges, of the one with most; None with ``round_edges=False``.
    privacy_guarantee_ : PrivacyGuarantee
        What learning gives each record: ε over all columns. Without `epsilon` it states that there is none. It covers
        the fitted attributes, for whoever sees only them or what is made of them; `transform` puts out the range of
        each record as it is.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if a parameter is none of the above, if `epsilon` comes without bounds or they without it, or if a
        column is not in the table.
    ValueError
        By `fit`, if the table has no rows, a column fewer values than `min_bin_size`, or a one-hot column the name of
        another, or if `DPBounds` finds no bounds. By `fit` and `transform`, if a column to bin holds anything but
        numbers (booleans included): the message names the column, how many values, and the cure.

    Warns
    -----
    UserWarning
        By `fit`, once, naming the columns that got fewer ranges than asked for since values are tied or edges rounded
        alike. A merge that `min_bin_size` asks for, and a column of one value, are none.

    See Also
    --------
    IntervalBinner : Edges that you choose, which tell nothing of the data.
    sklearn.preprocessing.KBinsDiscretizer : Exact edges, codes only, no missing values.
    pandas.qcut : The same for one series, with exact edges.

    Notes
    -----
    Exact edges are the quantiles of Hyndman and Fan, *Sample quantiles in statistical packages* (The American
    Statistician 1996), definition 7, those of `numpy.quantile`. Infinite values go into the outer ranges and take no
    part in edges and means. Bins of equal population and the release of their means are univariate microaggregation:
    Hundepool et al., *Statistical Disclosure Control* (2012), section 3.8.

    `partial_fit` learns what `fit` does as long as a column has at most 2^20 different finite values, however many
    records. Beyond, values with the same leading bits are counted together; of these only the smallest and the largest
    are known, and values that many records have. Ranks are right to within 0.1 % of the records (with most
    distributions, of 0.005 %) before edges are rounded, which may then come out one step of rounding apart; and an edge
    avoids the values that are known, not those of all records. What is learned depends on the values alone, not on
    chunks or their order. The exception are columns of which many different values lie in a range so narrow that over
    0.2 % of the records are counted together: there ranks come from a KLL sketch, within the same 0.1 % but with chance
    in it (``pip install "skdp[scale]"``). With `epsilon` and more than 2^20 rows, values are moved to the middle of one
    of 2^20 cells of the public bounds first.

    With `epsilon` all edges are learned jointly, from noisy counts over a public grid: a tree of them gives first
    edges, and the records between these are counted twice more, with noise, to move them to where they belong. On
    100,000 log-normal incomes with ε = 1 and 10 edges, each is off by 6 to 8 records on average, against 9 to 12 with
    Kaplan, Schnapp and Stemmer, *Differentially private approximate quantiles* (ICML 2022). Edges that the grid cannot
    tell apart, since values are tied, are merged.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skdp.binning import QuantileBinner
    >>> people = pd.DataFrame({"Income": [9.25, 21.5, 33.75, 40.0, 58.5, 1072.75], "Name": list("ABCDEF")})
    >>> binner = QuantileBinner(3).fit(people)
    >>> binner.transform(people)
             Income Name
    0  30 and Under    A
    1  30 and Under    B
    2       30 - 50    C
    3       30 - 50    D
    4   50 and Over    E
    5   50 and Over    F
    >>> binner.inverse_transform(binner.transform(people))["Income"].tolist()
    [15.0, 15.0, 37.0, 37.0, 570.0, 570.0]

    Edges that are private for whoever is among 10,000 people:

    >>> incomes = pd.DataFrame({"Income": np.random.default_rng(0).lognormal(10.7, 0.7, 10_000)})
    >>> private = QuantileBinner(4, epsilon=1, bounds=(0, 1_000_000)).fit(incomes)
    >>> sizes = private.transform(incomes)["Income"].value_counts()
    >>> bool(sizes.between(2_000, 3_000).all())
    True
    >>> print(private.privacy_guarantee_)
    ε = 1 for each record, central (replace one record); columns: Income
    - covers what fit learned, not the rows that transform puts out
    - the number of rows is public
    - which columns hold numbers is public
    """

    def __init__(
        self,
        n_bins=5,
        *,
        columns=None,
        encode="label",
        labels="interval",
        round_edges=None,
        min_bin_size=None,
        epsilon=None,
        bounds=None,
        ledger=None,
        random_state=None,
    ):
        self.n_bins = n_bins
        self.columns = columns
        self.encode = encode
        self.labels = labels
        self.round_edges = round_edges
        self.min_bin_size = min_bin_size
        self.epsilon = epsilon
        self.bounds = bounds
        self.ledger = ledger
        self.random_state = random_state

    def inverse_transform(self, X):
        """Return the table with the mean of its range in the place of each range.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns_out)
            What `transform` put out: labels, ranks or one-hot columns.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows, n_columns)
            Binned columns as float64; missing stays missing.

        Raises
        ------
        ValueError
            If columns are absent, or values are none that `transform` puts out.
        """
        self.finish()
        frame = _frames.read(X)
        names = self._columns_out(self._columns_in)
        if not _frames.is_frame(X) and len(names) == len(frame.columns):
            frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
        check_columns(self, "X", names, frame.columns)
        ranks = {column: decoded(frame, column, labels, self.encode) for column, labels in self.labels_.items()}
        means = {column: np.append(self.bin_means_[column], np.nan)[own] for column, own in ranks.items()}
        return _frames.write(_frames.assign(frame, means, order=self._columns_in), X)

    def _fit(self, frame):
        self._check_parameters()
        numbers = {column: self._numbers(frame, column) for column in self._columns_to_bin(frame)}
        self._learn(list(frame.columns), len(frame), numbers)

    def _numbers(self, frame, column) -> np.ndarray:
        if self.epsilon is None:
            return _frames.numbers(frame, column)
        return _frames.clipped_numbers(frame, column, _GREATEST_INTEGER)  # none is charged for what cannot be binned

    def _collect(self, frame):
        self._check_parameters()
        numbers = {column: self._numbers(frame, column) for column in self._columns_to_bin(frame)} if len(frame) else {}
        if self.epsilon is None:
            summaries = {column: NumberSummary(values) for column, values in numbers.items()}
        else:
            summaries = {column: GridSummary(values, public_bounds(self, column)) for column, values in numbers.items()}
        return Collected.of(frame, summaries)

    def _learn_collected(self, collected):
        self._learn(collected.columns, collected.rows, collected.summaries)

    def _learn(self, columns_in: list, n_rows: int, numbers: dict):
        """Learn the bins of columns from their numbers, or from summaries of these."""
        if not n_rows:
            raise ValueError("QuantileBinner needs a table of at least one row to fit. Got one with 0 rows instead.")
        n_bins = per_column(self.n_bins, numbers)
        if self.epsilon is None:
            guarantee = PrivacyGuarantee(math.inf, columns=tuple(n_bins), scope="central", reasons=(_NO_NOISE,))
            learned = self._learned
        else:
            guarantee, learned = learning_guarantee(self, price_of(self, n_bins)), self._learned_at_a_price
        self._charge(guarantee, n_rows, "fit")
        bins = {column: learned(column, numbers[column], count) for column, count in n_bins.items()}
        self._columns_in = columns_in
        self.edges_ = {column: own.edges for column, own in bins.items()}
        self.labels_ = {column: bin_labels(own, self.labels) for column, own in bins.items()}
        self.bin_means_ = {column: own.means for column, own in bins.items()}
        self.n_bins_ = {column: len(own.means) for column, own in bins.items()}
        self.n_merged_ = {column: count - self.n_bins_[column] for column, count in n_bins.items()}
        self.digits_ = {column: own.digits for column, own in bins.items()}
        self.privacy_guarantee_ = guarantee
        check_unique_names(self._columns_out(self._columns_in))
        _warn_of_ties(n_bins, bins)

    def _transform(self, frame):
        columns = {}
        for column, edges in self.edges_.items():
            ranks = interval_codes(_frames.numbers(frame, column), edges, "right")
            columns.update(encoded(column, ranks, self.labels_[column], self.encode))
        return _frames.assign(frame, columns, order=self._columns_out(frame.columns))

    def _columns_out(self, columns):
        if self.encode != "onehot":
            return columns
        names = {column: onehot_names(column, labels) for column, labels in self.labels_.items()}
        return [name for column in columns for name in names.get(column, [column])]

    def _check_parameters(self):
        check_option(self, "encode", self.encode, ("label", "ordinal", "onehot"))
        check_option(self, "labels", self.labels, ("interval", "mean", "rank"))
        for count in self.n_bins.values() if isinstance(self.n_bins, Mapping) else [self.n_bins]:
            check_integer(self, "n_bins", count, low=2, high=_MOST_BINS)
        if self.min_bin_size is not None:
            check_integer(self, "min_bin_size", self.min_bin_size, low=1)
        if self.round_edges is not None and self.round_edges is not False:
            check_integer(self, "round_edges", self.round_edges, low=1, high=15)
        check_price(self)
        if self.epsilon is not None and self.min_bin_size is not None:
            raise invalid(self, "min_bin_size", self.min_bin_size, "None with 'epsilon': nobody knows the exact sizes")

    def _columns_to_bin(self, frame) -> list:
        """Return the columns to bin: those that dicts name, of `columns`, or all numbers."""
        named = named_columns(self, frame, ("epsilon", "bounds"))
        if not named or self.columns is not None or isinstance(self.n_bins, Mapping):
            columns = _binned_columns(self, frame, "n_bins")
            if not set(named) <= set(columns):
                raise invalid(self, "epsilon", self.epsilon, f"of columns that are binned, as 'bounds' is ({columns})")
            return columns
        return named

    def _learned_at_a_price(self, column, numbers: np.ndarray | GridSummary, n_bins: int) -> QuantileBins:
        values, times = (numbers.values, numbers.counts) if isinstance(numbers, GridSummary) else (numbers, None)
        found = learned_quantiles(self, column, values, np.arange(1, n_bins) / n_bins, times)
        edges = found.edges(self.round_edges)
        middles = found.middles(edges)
        if self.round_edges is not False:
            ends = np.r_[found.rough.grid[0], edges, found.rough.grid[-1]]
            middles = rounded_inside(middles, ends, self.round_edges)
        digits = None if self.round_edges is False else max(map(count_digits, edges.tolist()))
        return QuantileBins(edges, middles, digits, len(values), n_bins - 1 - len(edges))

    def _learned(self, column, numbers: np.ndarray | NumberSummary, n_bins: int) -> QuantileBins:
        order = numbers.order() if isinstance(numbers, NumberSummary) else PartialOrder(numbers)
        bins = bins_of(order, n_bins, self.round_edges, self.min_bin_size or 1)
        if 0 < bins.n_values < (self.min_bin_size or 1):
            raise ValueError(
                f"Column {column!r} holds {bins.n_values} values, fewer than min_bin_size={self.min_bin_size}; "
                "lower it, or leave the column out of 'columns'."
            )
        return bins


def _binned_columns(owner: Any, frame: Any, parameter: str) -> list:
    """Return the columns to bin: those of a dict given for `parameter`, of `columns`, or all numbers."""
    by_column = getattr(owner, parameter)
    if not isinstance(by_column, Mapping):
        return owner._chosen(frame, "number")
    if not by_column:
        raise invalid(owner, parameter, by_column, "a mapping of at least one column, or one value for all columns")
    named = check_columns(owner, parameter, by_column, frame.columns)
    columns = named if owner.columns is None else owner._chosen(frame)
    if not set(columns) <= set(named):
        raise invalid(owner, "columns", owner.columns, f"among the columns that {parameter!r} names ({named})")
    return columns


def _warn_of_ties(n_bins: Mapping, bins: Mapping[Any, QuantileBins]) -> None:
    fewer = [f"{column!r} {own.n_tied} of {n_bins[column]}" for column, own in bins.items() if own.n_tied]
    if fewer:
        message = "QuantileBinner made fewer bins than asked for where values are tied or edges round alike"
        warnings.warn(f"{message}: {', '.join(fewer)} bins were merged.", UserWarning, stacklevel=5)
