"""Missing values, or whole columns, are drawn from reference distributions."""

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from skdp import _arrays, _frames, _levels
from skdp._calibration import GAPS_ARE_PUBLIC, INTEGERS_ARE_PUBLIC
from skdp._checks import check_columns, check_option, invalid
from skdp._given_distributions import check_kind, conditional, frozen, weighted
from skdp._inversion import Source
from skdp._learning import CONDITIONS, bounds_of, epsilon_of, learning_guarantee, named_columns, price_of
from skdp._noisy_counts import Noise, noise_from
from skdp._partial import PartialFitMixin
from skdp._public_cells import check_no_public_parameters, counted, noisy_histogram, public_cells, public_groups
from skdp._sampling import Groups, Histogram, Sampler, Values
from skdp._streams import RowDraws, first_row, root
from skdp._summaries import CellCounts, Collected, DistinctRows
from skdp.accounting import PrivacyGuarantee
from skdp.base import PrivacyTransformer
from skdp.bounds import DPBounds
from skdp.mechanisms import seeded_source

_GROUPS = ()  # names, among what was collected of columns, that of the groups of all `by` columns
_NO_NOISE = "values and how often they occur are learned from the table, without noise"


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


class DistributionImputer(PartialFitMixin, PrivacyTransformer):
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
        None draws afresh at every call of `transform`, an int repeats itself, a generator goes on. Every column has
        streams of its own, found by its name: it does not matter which other columns there are, or in what order. With
        an int, what a row is given by chance depends on its position alone, and not on which other rows lack a value:
        the same table comes out of ``skdp release``, in chunks of any size, and of `skdp.distributed`, over any
        partitions. With `epsilon` anything but None repeats the noise, too, for tests: there is no privacy then.
    epsilon : float, Fraction or Decimal, or dict of column name to such, default=None
        Privacy loss ε of what `fit` learns of each ``"observed"`` column: its values, or ranges, are counted with
        noise. Then ``"observed"`` alone stands for the columns that dicts of `epsilon`, `categories` and `bounds` name.
        None counts exactly, without any guarantee.
    categories : dict of column name to list, default=None
        For `epsilon`, the public values of observed columns, and of all `by` columns, chosen without looking at the
        data. Others are not drawn, and as values of `by` make one group together.
    bounds : tuple of (lower, upper), DPBounds, or dict of column name to such, default=None
        For `epsilon`, the public bounds of observed columns of numbers that `categories` does not name; values beyond
        count as at them. `skdp.bounds.DPBounds` learns them, for an ε more.
    n_bins : int, default=32
        Into how many equal ranges bounds are divided; within a range, numbers are drawn uniformly.
    ledger : PrivacyLedger, default=None
        Is charged with the guarantee, once, by each `fit` that observes anything.

    Attributes
    ----------
    columns_ : list of str
        The columns that are drawn.
    privacy_guarantee_ : PrivacyGuarantee
        What observing gives each record: ε over the observed columns, infinite without `epsilon`, 0 where nothing is
        observed. It covers what was learned; cells that are not missing are released as they are, unless
        ``replace="all"``.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if a distribution is none of the above; has weights that are negative, not finite or all 0; draws
        another kind of values than its column holds; if a column to observe, or in `by`, is not in the table; or with
        `epsilon`, if one has neither public categories nor bounds.
    ValueError
        By `fit`, if a column that is named as ``"observed"`` has no value at all.

    See Also
    --------
    sklearn.impute.SimpleImputer : Fills in one value, the same for every row.

    Notes
    -----
    What ``"observed"`` learns, every distinct value and its count, is raw data: it comes without any privacy guarantee
    (ε = ∞), and a pickle of the fitted step carries it. Given distributions learn nothing from the table.

    With `epsilon` it learns noisy counts only, of public values or ranges in each public group, those that nobody has
    included: leaving these out would tell who is the only one somewhere. What the noise made negative is projected:
    the counts of a group become the nearest non-negative ones of the same sum. A group whose sum is not positive gets
    the marginal distribution, which is the sum over groups. Which rows lack a value is public, and so is, of a column
    that is counted between `bounds`, whether it holds integers: then integers are drawn.

    `partial_fit` learns exactly what `fit` does. Without `epsilon` a column may have at most 2^20 different values in
    all groups; with it there is no limit, but `bounds` must be given.

    A column keeps its dtype where this can hold the drawn values: integers stay integers, categories stay categories
    (new ones are added; with ``replace="all"`` there are none but those that may be drawn, ordered ones in the order of
    the column, or with `epsilon` in that of `categories`). Columns of floats stay floats, except that
    ``replace="all"`` with a distribution of integers makes them integers. With ``replace="all"`` and another kind of
    values, the column takes the kind of these.

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

    Countries drawn as often as they are observed, with noise that hides each traveller:

    >>> private = DistributionImputer(epsilon=1, categories={"Country": ["INDIA", "MEXICO", "PERU"]}).fit(arrivals)
    >>> print(private.privacy_guarantee_)
    ε = 1 for each record, central (replace one record); columns: Country
    - covers what fit learned, not the rows that transform puts out
    - the number of rows is public
    - which columns hold numbers is public
    - whether a cell is missing is public
    """

    def __init__(
        self,
        distributions="observed",
        *,
        by=None,
        replace="missing",
        random_state=None,
        epsilon=None,
        categories=None,
        bounds=None,
        n_bins=32,
        ledger=None,
    ):
        self.distributions = distributions
        self.by = by
        self.replace = replace
        self.random_state = random_state
        self.epsilon = epsilon
        self.categories = categories
        self.bounds = bounds
        self.n_bins = n_bins
        self.ledger = ledger

    def _fit(self, frame):
        by, given = self._checked(frame)
        entropy = root(self, self.random_state)
        observed = [column for column, one in given.items() if _is_observed(one)]
        groups = Groups.learn(frame, by) if self.epsilon is None else public_groups(self, frame, by)
        codes = groups.locate(frame)
        if self.epsilon is None:
            learned = {column: _levels_to_observe(self, frame, column) for column in observed}
        else:
            cells = {column: public_cells(self, frame, column) for column in observed}

        def histogram(column) -> Histogram:
            if self.epsilon is None:
                own, values = learned[column]
                return Histogram.count(own, Values(values), codes, len(groups))
            noise = self._noise(entropy, column)
            own, entries = cells[column](noise)
            counts = counted(self, column, own, entries, codes, len(groups))
            return noisy_histogram(noise(counts, epsilon_of(self, column)), entries)

        samplers = self._given_samplers(frame, given, by)
        self._learn(list(frame.columns), len(frame), given, samplers, groups, histogram)

    def _checked(self, frame) -> tuple[list, dict]:
        """Return the `by` columns and the distributions, checked."""
        check_option(self, "replace", self.replace, ("missing", "all"))
        by = [] if self.by is None else check_columns(self, "by", self.by, frame.columns)
        if self.epsilon is None:
            check_no_public_parameters(self)
        return by, self._distributions(frame, by)

    def _given_samplers(self, frame, given: dict, by: list) -> dict:
        return {column: self._given(frame, column, one, by) for column, one in given.items() if not _is_observed(one)}

    def _learn(self, columns: list, n_rows: int, given: dict, samplers: dict, groups: Groups, histogram: Callable):
        """Learn: `histogram` makes that of an observed column, once it was paid for."""
        observed = [column for column, one in given.items() if _is_observed(one)]
        guarantee = self._guarantee(observed)
        if observed:
            self._charge(guarantee, n_rows, "fit")
        samplers = samplers | {column: Sampler(groups, histogram(column)) for column in observed}
        self._samplers = {column: samplers[column] for column in given}
        self.columns_ = list(self._samplers)
        self._appended = [column for column in given if column not in columns]
        self.privacy_guarantee_ = guarantee

    def _collect(self, frame):
        by, given = self._checked(frame)
        observed = [column for column, one in given.items() if _is_observed(one)] if len(frame) else []
        settings = {"samplers": self._given_samplers(frame, given, by)}
        if self.epsilon is None:
            summaries = {column: DistinctRows.count(frame, [*by, column]) for column in observed}
            if by:
                summaries[_GROUPS] = DistinctRows.count(frame, by)
        else:
            settings["groups"] = public_groups(self, frame, by)
            summaries = {column: self._counted_cells(frame, column, settings["groups"]) for column in observed}
        return Collected.of(frame, summaries, **settings)

    def _counted_cells(self, frame, column, groups: Groups) -> CellCounts:
        """Return how many rows of a chunk are in each public cell of each group."""
        if column not in (self.categories or ()) and isinstance(bounds_of(self, column), DPBounds):
            requirement = f"a pair for column {column!r}, which comes in chunks: DPBounds needs the whole of it"
            raise invalid(self, "bounds", self.bounds, requirement)
        own, entries = public_cells(self, frame, column)(self._noise((0,), column))
        counts = counted(self, column, own, entries, groups.locate(frame), len(groups))
        return CellCounts(counts, entries, frame.schema[column].is_integer())

    def _learn_collected(self, collected):
        entropy, found, settings = root(self, self.random_state), collected.summaries, collected.settings
        groups = settings.get("groups") or Groups()
        if _GROUPS in found:
            groups = Groups.learn(found[_GROUPS].frame, list(found[_GROUPS].frame.columns))
        given = self.distributions
        if _is_observed(given):
            given = {column: "observed" for column in found if column != _GROUPS}

        def histogram(column) -> Histogram:
            if self.epsilon is not None:
                counts = self._noise(entropy, column)(found[column].counts, epsilon_of(self, column))
                return noisy_histogram(counts, found[column].entries)
            rows, times = found[column].frame, found[column].counts
            own, values = _levels_to_observe(self, rows, column)
            return Histogram.count(own, Values(values), groups.locate(rows), len(groups), times)

        self._learn(collected.columns, collected.rows, given, settings["samplers"], groups, histogram)

    def _transform(self, frame):
        entropy, located, drawn = root(self, self.random_state), {}, {}
        for column, sampler in self._samplers.items():
            where = self._cells(frame, column)
            if where.any() or self.replace == "all" or column in self._appended:
                groups = sampler.groups
                if id(groups) not in located:
                    located[id(groups)] = groups.locate(frame)
                values = sampler.draw(located[id(groups)][where], self._draws(entropy, column, np.flatnonzero(where)))
                drawn[column] = self._placed(frame, column, where, values)
        return _frames.assign(frame, drawn)

    def _draws(self, entropy: tuple[int, ...], column, rows: np.ndarray) -> RowDraws:
        """Return what these rows are drawn by: their positions, where a seed is to give the same again."""
        repeats = isinstance(self.random_state, numbers.Integral)
        return RowDraws(
            entropy, ("DistributionImputer", column), rows + first_row() if repeats else np.arange(len(rows))
        )

    def _columns_out(self, columns):
        return columns + self._appended

    def _distributions(self, frame, by: list) -> dict:
        """Return the distribution of each column to draw, ``"observed"`` spelled out."""
        if _is_observed(self.distributions) and self.epsilon is not None:
            columns = named_columns(self, frame, ("epsilon", "categories", "bounds"))
            if self.bounds is not None and not isinstance(self.bounds, Mapping):
                columns += [column for column in _frames.columns_of_kind(frame, "number") if column not in columns]
            return dict.fromkeys([column for column in columns if column not in by], "observed")
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

    def _guarantee(self, observed: list) -> PrivacyGuarantee:
        if not observed:
            return PrivacyGuarantee(Fraction(0), scope="central")
        if self.epsilon is None:
            return PrivacyGuarantee(math.inf, columns=tuple(observed), scope="central", reasons=(_NO_NOISE,))
        prices = {
            column: epsilon_of(self, column) if column in (self.categories or ()) else price_of(self, [column])[column]
            for column in observed
        }
        in_ranges = any(column not in (self.categories or ()) for column in observed)
        conditions = (*CONDITIONS, *[INTEGERS_ARE_PUBLIC] * in_ranges, GAPS_ARE_PUBLIC)
        return learning_guarantee(self, prices, conditions)

    def _noise(self, entropy: tuple[int, ...], column) -> Noise:
        return noise_from(None if self.random_state is None else _seeded(entropy, column))

    def _given(self, frame, column, distribution, by: list) -> Sampler:
        """Return the sampler of a distribution that is a parameter."""
        if hasattr(distribution, "rvs"):
            sampler = frozen(self, column, distribution)
        elif isinstance(distribution, Conditional):
            sampler = conditional(self, frame, column, distribution, by)
        else:
            sampler = Sampler(Groups(), weighted(self, frame, column, [distribution]))
        check_kind(self, frame, column, distribution, sampler.table.kind)
        return sampler

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
        replaces = self.replace == "all" or untyped
        lists = held == "category" and (table.kind == "text" or _frames.lists_categories(frame, column))
        if replaces and lists and table.kind in ("text", "observed"):
            return self._categories(frame, column, values)
        if table.kind == "observed" or not replaces:
            return _frames.filled(frame, column, where, values)
        if held != table.kind or (held == "number" and _makes_integers(frame.schema[column], values)):
            return values
        return _frames.filled(frame, column, where, values)

    def _categories(self, frame, column, values: Any) -> Any:
        """Return drawn values as a column whose categories are those that may be drawn.

        The old categories may name values that nobody is meant to see any more.
        """
        table, labels = self._samplers[column].table, self._samplers[column].table.entries.values
        ordered = table.kind == "observed" and _frames.category_order(frame, column) is not None
        if ordered:
            order = frame.schema[column].categories if self.epsilon is None else self.categories[column]
            rank = {label: place for place, label in enumerate(dict.fromkeys(order))}
            labels = labels.take(np.argsort([rank.get(label, len(rank)) for label in labels.tolist()], kind="stable"))
        codes = _levels.locate(_frames.build({column: values}, frame), column, labels)
        return _arrays.Categories(codes, tuple(labels.tolist()), ordered=ordered)


def _levels_to_observe(owner: Any, frame: Any, column: object) -> tuple[np.ndarray, Any]:
    """Return where each row's value stands among a column's own values, and those; raise where there are none."""
    own, values = _levels.levels(frame, column)
    if not (own >= 0).any():
        raise ValueError(
            f"Column {column!r} has no value to observe. Give {type(owner).__name__} a distribution for it, or "
            "leave it out of 'distributions'."
        )
    return own, values


def _seeded(entropy: tuple[int, ...], column: object) -> Source:
    return seeded_source(sum(word << 32 * place for place, word in enumerate(entropy)), "DistributionImputer", column)


def _is_observed(distribution: Any) -> bool:
    return isinstance(distribution, str) and distribution == "observed"


def _makes_integers(dtype: Any, values: np.ndarray) -> bool:
    return values.dtype.kind == "i" and not dtype.is_integer()
