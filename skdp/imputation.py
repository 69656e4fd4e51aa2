"""Missing values, or whole columns, are drawn from reference distributions."""

import datetime
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdp import _frames, _levels
from skdp._checks import check_columns, check_option, invalid
from skdp._streams import root, stream
from skdp.base import PrivacyTransformer


@dataclass(frozen=True)
class Conditional:
    """A reference distribution for each group of rows, for the `distributions` of `DistributionImputer`.

    Parameters
    ----------
    groups : dict of group to dict
        For each group its values, or ranges, and their weights. A group is a value of the `by` column, or a tuple with
        one value for each `by` column; None is a missing value.
    otherwise : dict
        The values, or ranges, and weights for all other groups.

    Examples
    --------
    >>> Conditional({"MEXICO": {(20, 39): 2, (40, 59): 1}}, otherwise={(0, 70): 1}).otherwise
    {(0, 70): 1}
    """

    groups: Mapping
    otherwise: Mapping


class DistributionImputer(PrivacyTransformer):
    """Missing values, or whole columns, are drawn from a reference distribution.

    Each row is drawn on its own, whatever its position: a column made so has no association with any other, except
    with the `by` columns where a distribution depends on them.

    Parameters
    ----------
    distributions : "observed", or dict of column name to distribution, default="observed"
        What each column is drawn from. A distribution is one of

        - a dict of values, or of ranges ``(low, high)``, to weights: ``{(0, 9): 25, (10, 19): 23}``. Weights are
          normalised. A range of integers holds both ends, and integers are drawn from it uniformly; a range with a
          float end gives floats, uniform in [low, high). Values are all numbers, all text, all booleans or all dates;
        - `Conditional`, such dicts for each group of the `by` columns;
        - a frozen ``scipy.stats`` distribution of one variable;
        - ``"observed"``: how often each value occurs in the table given to `fit`, in each group of the `by` columns.

        A column that the table of `fit` does not have is appended, all its values drawn. ``"observed"`` alone stands
        for all columns of numbers, text, categories, booleans and dates that are not in `by`; those without any value
        are left as they are.
    by : str or list of str, default=None
        Columns that ``"observed"`` and `Conditional` distributions depend on; others do not. A missing value makes a
        group of its own. Groups that were not seen, or had no value, get the marginal distribution.
    replace : {"missing", "all"}, default="missing"
        Whether missing values are drawn, or every value anew.
    random_state : int, Generator, RandomState or None, default=None
        None draws afresh at every call of `transform`, an int repeats itself, a generator goes on. Every column has a
        stream of its own, found by its name: it does not matter which other columns there are, or in what order.

    Attributes
    ----------
    columns_ : list of str
        The columns that are drawn.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if a distribution is none of the above; has weights that are negative, not finite or all 0; draws
        another kind of values than its column holds; or if a column to observe, or in `by`, is not in the table.
    ValueError
        By `fit`, if a column that is named as ``"observed"`` has no value at all.

    See Also
    --------
    sklearn.impute.SimpleImputer : Fills in one value, the same for every row.

    Notes
    -----
    What ``"observed"`` learns, every distinct value and its count, is raw data: it comes without any privacy guarantee
    (ε = ∞), and a pickle of the fitted step carries it. Given distributions learn nothing from the table.

    A column keeps its dtype where this can hold the drawn values: integers stay integers, categories stay categories
    (new ones are added). Columns of floats stay floats, except that ``replace="all"`` with a distribution of integers
    makes them integers. With ``replace="all"`` and another kind of values, the column takes the kind of these.

    Values are found by inverting the cumulative weights of all groups, laid end to end, in one binary search
    (Devroye, *Non-Uniform Random Variate Generation*, 1986, section III.2).

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.imputation import Conditional, DistributionImputer
    >>> arrivals = pd.DataFrame({"Country": ["MEXICO", "INDIA", "MEXICO"], "Visits": pd.array([1, None, 3], "Int64")})
    >>> ages = {(0, 9): 25, (10, 19): 23, (20, 39): 35, (40, 59): 13, (60, 70): 4}
    >>> imputer = DistributionImputer({"Visits": {1: 0.8, 2: 0.2}, "Age": ages}, random_state=0)
    >>> drawn = imputer.fit_transform(arrivals)
    >>> drawn.dtypes.astype(str).to_dict()
    {'Country': 'str', 'Visits': 'Int64', 'Age': 'int64'}
    >>> bool(drawn["Age"].between(0, 70).all())
    True

    Ages that depend on the country:

    >>> ages = Conditional({"MEXICO": {(20, 29): 1}}, otherwise={(60, 70): 1})
    >>> (DistributionImputer({"Age": ages}, by="Country").fit_transform(arrivals)["Age"] < 30).tolist()
    [True, False, True]
    """

    def __init__(self, distributions="observed", *, by=None, replace="missing", random_state=None):
        self.distributions = distributions
        self.by = by
        self.replace = replace
        self.random_state = random_state

    def _fit(self, frame):
        check_option(self, "replace", self.replace, ("missing", "all"))
        root(self, self.random_state)
        by = [] if self.by is None else check_columns(self, "by", self.by, frame.columns)
        given = self._distributions(frame, by)
        groups = _Groups.learn(frame, by)
        codes = groups.locate(frame)
        self._samplers = {
            column: self._observed(frame, column, groups, codes)
            if _is_observed(distribution)
            else self._given(frame, column, distribution, by)
            for column, distribution in given.items()
        }
        self.columns_ = list(self._samplers)
        self._appended = [column for column in given if column not in frame.columns]

    def _transform(self, frame):
        entropy, located, drawn = root(self, self.random_state), {}, {}
        for column, sampler in self._samplers.items():
            where = self._cells(frame, column)
            if where.any() or self.replace == "all" or column in self._appended:
                groups = sampler.groups
                if id(groups) not in located:
                    located[id(groups)] = groups.locate(frame)
                values = sampler.draw(located[id(groups)][where], stream(entropy, "DistributionImputer", column))
                drawn[column] = self._placed(frame, column, where, values)
        return _frames.assign(frame, drawn)

    def _columns_out(self, columns):
        return columns + self._appended

    def _distributions(self, frame, by: list) -> dict:
        """Return the distribution of each column to draw, ``"observed"`` spelled out."""
        if _is_observed(self.distributions):
            columns = _frames.columns_of_kind(frame, "number", "text", "category", "boolean", "date")
            known = [column for column in columns if not _frames.missing(frame, column).all()]
            return {column: "observed" for column in known if column not in by}
        if not isinstance(self.distributions, Mapping):
            raise invalid(self, "distributions", self.distributions, "'observed' or a dict of columns to distributions")
        observed = [column for column, one in self.distributions.items() if _is_observed(one)]
        check_columns(self, "distributions", observed, frame.columns)
        if not set(by).isdisjoint(self.distributions):
            raise invalid(self, "by", self.by, "columns that 'distributions' does not name")
        return dict(self.distributions)

    def _observed(self, frame, column, groups: "_Groups", codes: np.ndarray) -> "_Sampler":
        own, values = _levels.levels(frame, column)
        if not (own >= 0).any():
            raise ValueError(
                f"Column {column!r} has no value to observe. Give {type(self).__name__} a distribution for it, or "
                "leave it out of 'distributions'."
            )
        return _Sampler(groups, _Histogram.count(own, _Values(values), codes, len(groups)))

    def _given(self, frame, column, distribution, by: list) -> "_Sampler":
        """Return the sampler of a distribution that is a parameter."""
        if hasattr(distribution, "rvs"):
            sampler = _Sampler(_Groups(), _Frozen(distribution))
            if np.shape(distribution.rvs(size=2, random_state=0)) != (2,):
                raise self._invalid(column, distribution, "a distribution of one variable")
        elif isinstance(distribution, Conditional):
            sampler = self._conditional(frame, column, distribution, by)
        else:
            sampler = _Sampler(_Groups(), self._weighted(frame, column, [distribution]))
        self._check_kind(frame, column, distribution, sampler.table.kind)
        return sampler

    def _conditional(self, frame, column, distribution: Conditional, by: list) -> "_Sampler":
        if not by or not isinstance(distribution.groups, Mapping) or not distribution.groups:
            raise self._invalid(column, distribution, "conditional on columns that 'by' names, with a dict of groups")
        keys = [key if isinstance(key, tuple) else (key,) for key in distribution.groups]
        if any(len(key) != len(by) for key in keys) or len(set(keys)) < len(keys):
            raise self._invalid(column, distribution, f"a dict of different groups, each one value for each of {by}")
        table = _frames.build({name: [key[i] for key in keys] for i, name in enumerate(by)}, frame)
        groups = _Groups.learn(table, by)
        groups.locate(frame)  # a kind of value that cannot be matched shows now, not at `transform`
        members = list(distribution.groups.values())
        in_order = [members[position] for position in np.argsort(groups.locate(table))]
        return _Sampler(groups, self._weighted(frame, column, [*in_order, distribution.otherwise]))

    def _weighted(self, frame, column, mappings: list) -> "_Histogram":
        """Return the histogram that dicts of values or ranges to weights describe, one group each."""
        weights = [self._weights(column, mapping) for mapping in mappings]
        entries = [entry for mapping in mappings for entry, weight in mapping.items() if weight > 0]
        kinds = {_kind(entry) for entry in entries}
        if len(kinds) > 1 or None in kinds:
            kinds = "over finite numbers and ranges (low, high), or all text, all booleans or all dates"
            raise self._invalid(column, mappings[0] if len(mappings) == 1 else mappings, kinds)
        if kinds == {"number"}:
            return _Histogram.weigh(_Ranges.between(entries), np.arange(len(entries)), weights)
        codes, values = _levels.levels(_frames.build({column: entries}, frame), column)
        return _Histogram.weigh(_Values(values, *kinds), codes, weights)

    def _weights(self, column, mapping) -> np.ndarray:
        """Return the weights of a dict that are not 0, as shares of 1."""
        if not isinstance(mapping, Mapping):
            forms = "'observed', a dict of values or ranges to weights, a Conditional or frozen by scipy.stats"
            raise self._invalid(column, mapping, forms)
        listed = list(mapping.values())
        real = all(isinstance(weight, numbers.Real) and not isinstance(weight, bool) for weight in listed)
        weights = np.array(listed if real else [-1], dtype=np.float64)
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.sum() > 0:
            raise self._invalid(column, mapping, "a dict with weights that are finite, not negative and not all 0")
        return weights[weights > 0] / weights.sum()

    def _check_kind(self, frame, column, distribution, kind: str):
        if self.replace == "all" or column not in frame.columns or _frames.missing(frame, column).all():
            return
        held = _frames.kind(frame, column)
        if held == "category":
            held = _frames.kind(_frames.build({column: _levels.levels(frame, column)[1]}, frame), column)
        if held != kind:
            raise self._invalid(column, distribution, f"a distribution of the kind of values it holds ({held})")

    def _invalid(self, column, distribution, requirement: str):
        return invalid(self, "distributions", distribution, f"for column {column!r} {requirement}")

    def _cells(self, frame, column) -> np.ndarray:
        if self.replace == "all" or column in self._appended:
            return np.ones(len(frame), dtype=bool)
        return _frames.missing(frame, column)

    def _placed(self, frame, column, where: np.ndarray, values: Any) -> Any:
        """Return the column with the drawn values in it, of the dtype that it should have."""
        table = self._samplers[column].table
        if column in self._appended:
            return values
        held = _frames.kind(frame, column)
        # a column of floats or integers without any value has its dtype by accident
        untyped = where.all() and held == "number" != table.kind
        if table.kind == "observed" or (self.replace == "missing" and not untyped):
            return _frames.filled(frame, column, where, values)
        if held == "category" and table.kind == "text":
            # the old categories may name values that nobody is meant to see any more
            drawn = _frames.build({column: values}, frame)
            labels = table.entries.values
            return _frames.Categories(_levels.locate(drawn, column, labels), tuple(labels.to_pylist()), ordered=False)
        if held != table.kind or (held == "number" and _makes_integers(frame.schema[column], values)):
            return values
        return _frames.filled(frame, column, where, values)


def _is_observed(distribution: Any) -> bool:
    return isinstance(distribution, str) and distribution == "observed"


def _makes_integers(dtype: Any, values: np.ndarray) -> bool:
    return values.dtype.kind == "i" and not dtype.is_integer()


def _kind(entry: Any) -> str | None:
    """Return the kind of value that an entry of a given distribution stands for; None for what it may not be."""
    if isinstance(entry, str):
        return "text"
    if isinstance(entry, bool | np.bool_):
        return "boolean"
    if isinstance(entry, datetime.date | np.datetime64):
        return "date" if entry == entry else None
    ends = entry if isinstance(entry, tuple) else (entry, entry)
    if len(ends) != 2 or not all(isinstance(end, numbers.Real) and not isinstance(end, bool) for end in ends):
        return None
    within = -(2.0**63) <= ends[0] <= ends[1] < 2.0**63 or not all(isinstance(end, numbers.Integral) for end in ends)
    return "number" if within and ends[0] <= ends[1] and np.isfinite(ends).all() else None


@dataclass(frozen=True, repr=False)
class _Groups:
    """The groups of rows that have the same values in some columns; a missing value is a value."""

    columns: tuple = ()
    levels: tuple = ()
    pairs: tuple = ()

    @classmethod
    def learn(cls, frame, columns: list) -> "_Groups":
        """Give each group a number, column by column: each pair of group so far and next value is one."""
        levels, pairs, codes = [], [], np.zeros(len(frame), dtype=np.int64)
        for column in columns:
            own, values = _levels.levels(frame, column)
            kept, codes = np.unique(_paired(codes, own, len(values)), return_inverse=True)
            levels.append(values)
            pairs.append(kept)
        return cls(tuple(columns), tuple(levels), tuple(pairs))

    def __len__(self) -> int:
        return len(self.pairs[-1]) if self.pairs else 0

    def locate(self, frame) -> np.ndarray:
        """Return the group of each row, -1 where there is none like it."""
        codes = np.full(len(frame), 0 if self.columns else -1, dtype=np.int64)
        for column, values, kept in zip(self.columns, self.levels, self.pairs, strict=True):
            own = _levels.locate(frame, column, values)
            unseen = (codes < 0) | ((own < 0) & ~_frames.missing(frame, column))
            pairs = _paired(codes, own, len(values))
            codes = np.minimum(np.searchsorted(kept, pairs), len(kept) - 1)
            codes[unseen | (kept[codes] != pairs)] = -1
        return codes


def _paired(codes: np.ndarray, own: np.ndarray, size: int) -> np.ndarray:
    """Return one number for each pair of codes; `own`, below `size`, may be -1."""
    return codes * (size + 1) + own + 1


@dataclass(frozen=True, repr=False)
class _Sampler:
    """A table of what to draw, and the groups of rows that it tells apart."""

    groups: _Groups
    table: Any

    def draw(self, groups: np.ndarray, rng: np.random.Generator) -> Any:
        return self.table.draw(groups, rng)


@dataclass(frozen=True, repr=False)
class _Frozen:
    """A frozen distribution of ``scipy.stats``."""

    distribution: Any
    kind: str = "number"

    def draw(self, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.asarray(self.distribution.rvs(size=len(groups), random_state=rng))


@dataclass(frozen=True, repr=False)
class _Values:
    """Entries that are values; their kind is "observed" where they are a column's own."""

    values: Any
    kind: str = "observed"

    def at(self, positions: np.ndarray, rng: np.random.Generator) -> Any:
        return self.values.take(positions)


@dataclass(frozen=True, repr=False)
class _Ranges:
    """Entries that are ranges of numbers: whole ones hold both ends, others are half-open."""

    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray
    kind: str = "number"

    @classmethod
    def between(cls, entries: list) -> "_Ranges":
        ends = [entry if isinstance(entry, tuple) else (entry, entry) for entry in entries]
        whole = np.array([all(isinstance(end, numbers.Integral) for end in pair) for pair in ends])
        low, high = np.array(ends, dtype=np.int64 if whole.all() else np.float64).T
        return cls(low, high, whole)

    def at(self, positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        low, high = self.low[positions], self.high[positions]
        if self.whole.all():
            return rng.integers(low, high, endpoint=True)
        whole = self.whole[positions]
        offset = rng.random(len(positions)) * (high - low + whole)
        return low + np.where(whole, np.floor(offset), offset)


@dataclass(frozen=True, repr=False)
class _Histogram:
    """Weighted entries, those of each group side by side, those of the marginal distribution last."""

    entries: Any
    positions: np.ndarray  # in `entries`
    cumulative: np.ndarray  # weights, over all groups
    starts: np.ndarray  # of the groups, in `positions`
    stops: np.ndarray

    @property
    def kind(self) -> str:
        return self.entries.kind

    @classmethod
    def weigh(cls, entries: Any, positions: np.ndarray, weights: list) -> "_Histogram":
        """Lay the weights of the groups, the marginal one last, end to end."""
        stops = np.cumsum([len(one) for one in weights])
        return cls(entries, positions, np.cumsum(np.concatenate(weights)), np.r_[0, stops[:-1]], stops)

    @classmethod
    def count(cls, own: np.ndarray, entries: _Values, groups: np.ndarray, n_groups: int) -> "_Histogram":
        """Count the values `own` of the rows in each of the groups and in all; a group without any gets the latter."""
        known, size = own >= 0, len(entries.values)
        pairs, counts = np.unique(groups[known] * size + own[known], return_counts=True) if n_groups else (own[:0],) * 2
        marginal = np.bincount(own[known], minlength=size)
        stops = np.r_[np.searchsorted(pairs // size, np.arange(n_groups), side="right"), len(pairs) + size]
        starts = np.r_[0, stops[:-1]]
        empty = starts == stops
        starts[empty], stops[empty] = starts[-1], stops[-1]
        cumulative = np.cumsum(np.r_[counts, marginal].astype(np.float64))
        return cls(entries, np.r_[pairs % size, np.arange(size)], cumulative, starts, stops)

    def draw(self, groups: np.ndarray, rng: np.random.Generator) -> Any:
        """Draw a value for each row of the given groups; -1 is the marginal distribution."""
        return self.entries.at(self.positions[self._chosen(groups, rng)], rng)

    def _chosen(self, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Invert the cumulative weights, each row within those of its group."""
        uniform = rng.random(len(groups))
        group = groups if len(self.starts) > 1 else -1
        first, last = self.starts[group], self.stops[group] - 1
        below = np.r_[0.0, self.cumulative]
        target = below[first] + uniform * (below[last + 1] - below[first])
        # rounding may carry a target up to the first weight of the next group
        return np.clip(np.searchsorted(self.cumulative, target, side="right"), first, last)
