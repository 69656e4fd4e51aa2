"""Nobody stands alone: records are made alike in what others may know about people, k at a time."""

import math
import numbers
from collections.abc import Mapping

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skdp import _frames
from skdp._arrays import characters_of
from skdp._checks import ParameterError, check_columns, check_integer, check_option, invalid
from skdp._coarse_classes import classes_of
from skdp._coding import Coding, Numbering
from skdp._constraints import spreads
from skdp._generalisation import Means, Nodes, Ranges, Sets
from skdp._hierarchies import read_hierarchy
from skdp._mondrian import Recoding, Records, find, partition
from skdp._partial import PartialFitMixin
from skdp._scales import runs_of, tally
from skdp._summaries import Collected, DistinctRows, SpelledRows
from skdp._suppression import outlying_records
from skdp.accounting import PrivacyGuarantee
from skdp.base import PrivacyTransformer


class KAnonymizer(PartialFitMixin, PrivacyTransformer):
    """A table in which each record shares its quasi-identifiers with at least k - 1 others.

    Quasi-identifiers are what others may know about a person: age, region, occupation. Records are put into
    equivalence classes of k or more, and each class gets one label: numbers become ranges ("24 - 34"), categories
    sets ("{Lima, Oslo}") or nodes of a hierarchy. Other columns pass through unchanged.

    Parameters
    ----------
    k : int, default=5
        The fewest records of an equivalence class.
    quasi_identifiers : str or list of str, default=None
        The columns to generalise. By default all but those of `sensitive`.
    hierarchies : dict of column name to hierarchy, default=None
        A hierarchy is a frame of one row a value, its first column the value itself, its last the root, all as text
        (ARX's CSV form, read with ``header=None, dtype=str``); or a mapping from each value to the list of the nodes
        above it, the root last. These columns become the lowest node that is above all values of the class.
    l_diversity : int, default=None
        At least so many different values of each column of `sensitive` in a class (distinct l-diversity), counted as a
        CSV file holds them.
    t_closeness : float, default=None
        At most so far, from 0 to 1, may a class's distribution of each column of `sensitive` be from that of the table:
        for numbers the ordered distance, otherwise the equal distance.
    sensitive : str or list of str, default=None
        The columns that `l_diversity` and `t_closeness` look at. They pass through unchanged.
    max_suppression : float, default=0.0
        The largest share of the rows, from 0 to 1, whose quasi-identifiers may be masked (made missing). This is done
        where more is saved in the labels of others than is lost. The masked rows are a class of their own, of at
        least k.
    labels : {"interval", "mean"}, default="interval"
        What numbers become: an ordered category of ranges (in NumPy its rank), or the mean of the class. Ranges that a
        binner made before are joined by their outer edges: "24 - 34" and "34 - 44" are "24 - 44".
    weights : dict of column name to float, default=None
        How much the information in each quasi-identifier counts, 1 where not named.
    relaxed : bool, default=False
        Whether classes may overlap: where no cut between two values is left, a class is cut through one of them, so
        that it occurs on both sides. Labels tell a little more for it; but rows that are alike may get different ones,
        and of the classes that a row fits `transform` takes the one whose labels cover least.

    Attributes
    ----------
    quasi_identifiers_ : list of str
        The columns that are generalised, in the order of the table.
    class_sizes_ : ndarray of int64 of shape (n_classes,)
        How many records of the released table each class has, masked ones left out. Classes whose labels coincide are
        counted apart, so that the table's own k may be larger.
    n_suppressed_ : int
        How many records are masked.
    granularity_ : float
        1 - the mean, over quasi-identifiers and records, of what the label covers: a range its width over the column's,
        a set (values - 1) / (distinct values - 1), a node (leaves - 1) / (all leaves - 1), a masked cell or a range
        together with missing values 1. 1 means untouched.
    privacy_guarantee_ : PrivacyGuarantee
        States that k-anonymity is not differential privacy.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are all text.

    Raises
    ------
    ParameterError
        By `fit`, if a parameter is none of the above; if there are fewer than k rows; if a column is not in the table,
        or is both sensitive and a quasi-identifier; if a hierarchy misses a value, is ragged, or has two roots; or if
        the table as a whole has fewer than `l_diversity` sensitive values that stay different in a CSV file.

    See Also
    --------
    QuantileBinner : Ranges for one column at a time, which promise no k.
    RandomizedResponse : Categories under differential privacy.

    Notes
    -----
    The algorithm is Mondrian [1]_, strict by default, with cuts chosen by information loss: each part of the table is
    cut along the quasi-identifier, and at the place, that make its labels cover least, until no cut leaves k records on
    either side. With `relaxed`, what is left is divided into the k records that are hardest to label and the rest;
    records with the value that is divided are taken in the order of their other quasi-identifiers. Nothing is drawn at
    random, and neither the order of rows nor that of columns matters to the classes, except for which of several rows
    alike in all quasi-identifiers a relaxed cut puts where. A missing value is a value of its own; dates are taken by
    the day.

    **k holds for the table that `fit_transform` releases, and for no other.** `transform` puts unseen rows into the
    learned classes and masks the quasi-identifiers of those that fit none; it drops no row. What it puts out may hold
    a label once only.

    `partial_fit` counts the distinct rows of quasi-identifiers and sensitive columns, of which there may be at most
    2^20, and learns from them and their counts exactly what `fit` does. The table to release is the one that was given
    in chunks: `transform` puts each of its rows into its class. `skdp.distributed` learns the same over partitions, of
    any number of distinct rows: it cuts coarse classes from counts, and each of these in one place.

    k-anonymity [2]_ protects from being singled out, not from inference: where all of a class share a sensitive value,
    it is known for each. Hence l-diversity [3]_ and t-closeness [4]_, which must hold on both sides of each cut.

    Both hold in memory and in a CSV file. Sensitive values that a file may make one count as one for `l_diversity`:
    empty text, "NA" and what is missing; "1" and "1.0"; "True" and "true"; texts that differ in white space around
    them alone. For `t_closeness` they stay apart, as taking values together only makes distances smaller.

    **Labels are made of the table's own values, without noise.** The ends of a range are the smallest and the largest
    value of its class, the members of a set all that occur in it: somebody has each of them. A mean is that of the
    class to the last digit.

    References
    ----------
    .. [1] LeFevre, DeWitt, Ramakrishnan, "Mondrian Multidimensional K-Anonymity", ICDE 2006.
    .. [2] Sweeney, "k-Anonymity: A Model for Protecting Privacy", 2002.
    .. [3] Machanavajjhala et al., "l-Diversity: Privacy Beyond k-Anonymity", TKDD 2007.
    .. [4] Li, Li, Venkatasubramanian, "t-Closeness: Privacy Beyond k-Anonymity and l-Diversity", ICDE 2007.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.anonymity import KAnonymizer
    >>> towns = ["Lima", "Oslo", "Lima", "Bonn", "Bonn", "Bonn"]
    >>> people = pd.DataFrame({"Age": [21, 23, 24, 51, 58, 64], "Town": towns, "Debt": range(6)})
    >>> anonymizer = KAnonymizer(3, quasi_identifiers=["Age", "Town"])
    >>> anonymizer.fit_transform(people)
           Age          Town  Debt
    0  21 - 24  {Lima, Oslo}     0
    1  21 - 24  {Lima, Oslo}     1
    2  21 - 24  {Lima, Oslo}     2
    3  51 - 64          Bonn     3
    4  51 - 64          Bonn     4
    5  51 - 64          Bonn     5

    A new person is put into a class, or masked where none fits:

    >>> anonymizer.transform(pd.DataFrame({"Age": [22, 22], "Town": ["Oslo", "Bonn"], "Debt": [6, 7]}))
           Age          Town  Debt
    0  21 - 24  {Lima, Oslo}     6
    1      NaN           NaN     7
    """

    def __init__(
        self,
        k=5,
        *,
        quasi_identifiers=None,
        hierarchies=None,
        l_diversity=None,
        t_closeness=None,
        sensitive=None,
        max_suppression=0.0,
        labels="interval",
        weights=None,
        relaxed=False,
    ):
        self.k = k
        self.quasi_identifiers = quasi_identifiers
        self.hierarchies = hierarchies
        self.l_diversity = l_diversity
        self.t_closeness = t_closeness
        self.sensitive = sensitive
        self.max_suppression = max_suppression
        self.labels = labels
        self.weights = weights
        self.relaxed = relaxed

    def fit_transform(self, X, y=None):
        """Fit, and return the k-anonymous table.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        y : array-like of shape (n_rows,), default=None
            Ignored; accepted so that the step works in a Pipeline.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows, n_columns)
            The released table, in which every class has at least k rows.
        """
        frame = self._read(X, reset=True)
        return self._write(self._released(frame, self._classified(frame)), X)

    def transform(self, X):
        """Return the table with each row in the learned class that it fits; every row is kept.

        k holds for the table released by `fit_transform` alone: what this puts out may hold a label once only.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, with the columns seen by `fit`.

        Returns
        -------
        X_out : same container as `X`, of shape (n_rows, n_columns)
            The transformed table; quasi-identifiers of rows that fit no class are missing.
        """
        return super().transform(X)

    def _fit(self, frame):
        self._classified(frame)

    def _collect(self, frame):
        identifiers, sensitive = self._roles(frame.columns)
        rows = SpelledRows.count(frame, [*identifiers, *sensitive])
        return Collected(list(frame.columns), len(frame), {_ROWS: rows}, frozenset(), {})

    def _learn_collected(self, collected):
        rows = collected.summaries[_ROWS]
        if self.relaxed:  # of rows that are alike some may come to another class than others
            self._classified(rows.expanded())
        else:
            self._classified(rows.frame, rows.counts)

    def _values(self, frame) -> dict:
        """Return the values of each column that classes depend on, and how often each occurs in a piece of a table."""
        identifiers, sensitive = self._roles(frame.columns)
        counted = {name: DistinctRows.count(frame, [name]) for name in identifiers}
        return counted | {name: SpelledRows.count(frame, [name]) for name in self._constrained(sensitive)}

    def _learn_pieces(self, names, values, pieces_of):
        """Learn from a table of these columns in pieces, of whose values `values` are the sums.

        `pieces_of` takes a `Coding`, and returns the pieces as `classes_of` takes them.
        """
        n_rows = int(next(iter(values.values())).counts.sum())
        self._check_parameters(n_rows)
        self.quasi_identifiers_, sensitive = self._roles(names)
        counted = {name: (own.frame, name, own.counts) for name, own in values.items()}
        columns = {name: self._column(*counted[name]) for name in sorted(self.quasi_identifiers_, key=str)}
        asked = [(name, own) for name in self._constrained(sensitive) for own in self._spreads(*counted[name])]
        numberings = [Numbering(values[name].frame, name, codes) for name, (codes, _) in asked]
        recoding = self._recoding(columns, [constraint for _, (_, constraint) in asked])
        coding = Coding(list(columns.values()), numberings, recoding)
        classes = classes_of(pieces_of(coding), coding, int(self.max_suppression * n_rows))
        self._tree = classes.tree
        self._learn(columns, classes.gists, classes.sizes, classes.n_suppressed)

    def _transform(self, frame):
        check_is_fitted(self)
        columns = list(self._columns.values())
        codes = [column.codes(frame) for column in columns]
        rows, classes = find(self._tree, codes, [column.size for column in columns])
        fits = np.ones(len(rows), dtype=bool)
        for column, own in zip(columns, codes, strict=True):
            fits &= column.fits(frame, rows, own[rows], classes)
        rows, classes = rows[fits], classes[fits]
        order = np.argsort(self._covered[classes], kind="stable")[::-1]
        chosen = np.full(len(frame), -1)
        chosen[rows[order]] = classes[order]  # where a row comes twice, its last class stays
        return self._released(frame, chosen)

    def _released(self, frame, classes):
        return _frames.assign(frame, {name: column.released(classes) for name, column in self._columns.items()})

    def _classified(self, frame, times=None) -> np.ndarray:
        """Learn the classes, and return that of each row; -1 is suppressed. Each row stands for `times` of them."""
        self._check_parameters(len(frame) if times is None else int(times.sum()))
        self.quasi_identifiers_, sensitive = self._roles(frame.columns)
        # in the order of their names, so that the order of columns does not matter where two cuts are equally good
        columns = {name: self._column(frame, name, times) for name in sorted(self.quasi_identifiers_, key=str)}
        asked = [own for name in self._constrained(sensitive) for own in self._spreads(frame, name, times)]
        codes = [column.codes(frame) for column in columns.values()]
        recoding = self._recoding(columns, [constraint for _, constraint in asked])
        records, place = _thinned(Records(codes, [own for own, _ in asked], times), recoding)
        classes, self._tree = partition(records, recoding)
        suppressed = self._suppressed(records, recoding, classes)
        n_suppressed = int(tally(suppressed.astype(np.int64), 2, records.times)[1])
        kept, own = records.taken(~suppressed), classes[~suppressed]
        sizes = tally(own, 0, kept.times)
        gists = (
            column.gist(runs_of(own, code, len(sizes), column.scale.size, kept.times))
            for column, code in zip(columns.values(), kept.codes, strict=True)
        )
        self._learn(columns, gists, sizes, n_suppressed)
        return np.where(suppressed, -1, classes)[place]

    def _learn(self, columns, gists, sizes, n_suppressed):
        """Remember the labels of the classes, and how much they tell."""
        self.class_sizes_, self.n_suppressed_ = sizes, n_suppressed
        self._covered = np.zeros(len(sizes))
        for number, (column, gist) in enumerate(zip(columns.values(), gists, strict=True)):
            self._covered += column.learn(gist)
            column.forget(self._tree, number)
        covered = float(self._covered @ sizes) + n_suppressed * len(columns)
        self.granularity_ = 1 - covered / ((int(sizes.sum()) + n_suppressed) * len(columns))
        self._columns = columns
        reason = "k-anonymity, l-diversity and t-closeness are not differential privacy"
        self.privacy_guarantee_ = PrivacyGuarantee(
            math.inf, columns=tuple(self.quasi_identifiers_), scope="central", reasons=(reason,)
        )

    def _column(self, frame, name, times):
        """Return how a quasi-identifier is generalised."""
        given = (self.hierarchies or {}).get(name)
        if given is not None:
            with characters_of(name):
                hierarchy = read_hierarchy(self, name, given)
            return Nodes(self, frame, name, hierarchy, times)
        order = _frames.category_order(frame, name)
        if self.labels == "mean" and order is None and _frames.kind(frame, name) == "number":
            return Means(frame, name)
        if order is not None or _frames.kind(frame, name) in ("number", "date"):
            return Ranges(frame, name, order)
        return Sets(frame, name)

    def _constrained(self, sensitive) -> list:
        """Return the sensitive columns that both sides of a cut must hold something of."""
        return [] if self.l_diversity is self.t_closeness is None else sensitive

    def _spreads(self, frame, name, times):
        """Return the codes of a sensitive column, and what a class must hold of it; of some there are two."""
        asked = spreads(frame, name, self.l_diversity, self.t_closeness, times)
        most = min(constraint.size for _, constraint in asked)
        if self.l_diversity is not None and most < self.l_diversity:
            reached = f"at most {most}, the values of {name!r} that stay different in a CSV file"
            raise invalid(self, "l_diversity", self.l_diversity, reached)
        return asked

    def _recoding(self, columns, constraints) -> Recoding:
        scales = [column.scale for column in columns.values()]
        return Recoding(scales, self._weights(columns), self.k, constraints, bool(self.relaxed))

    def _suppressed(self, records, recoding, classes) -> np.ndarray:
        n_rows = len(classes) if records.times is None else int(records.times.sum())
        budget = int(self.max_suppression * n_rows)
        if budget < self.k:
            return np.zeros(len(classes), dtype=bool)
        return outlying_records(records, recoding, classes, budget)

    def _weights(self, names) -> list[float]:
        given = self.weights or {}
        check_columns(self, "weights", list(given), names)
        return [float(given.get(name, 1.0)) for name in names]

    def _roles(self, names) -> tuple[list, list]:
        """Return which columns are quasi-identifiers, and which are sensitive."""
        sensitive = [] if self.sensitive is None else check_columns(self, "sensitive", self.sensitive, names)
        chosen = [column for column in names if column not in sensitive]
        if self.quasi_identifiers is not None:
            chosen = check_columns(self, "quasi_identifiers", self.quasi_identifiers, names)
        both = [column for column in chosen if column in sensitive]
        if both:
            raise invalid(self, "sensitive", self.sensitive, f"columns that are no quasi-identifiers ({both[0]!r} is)")
        if not chosen:
            raise invalid(self, "quasi_identifiers", self.quasi_identifiers, "at least one column")
        check_columns(self, "hierarchies", list(self.hierarchies or {}), chosen)
        return [column for column in names if column in chosen], sensitive

    def _check_parameters(self, n_rows):
        check_integer(self, "k", self.k, low=1)
        if n_rows < self.k:
            raise invalid(self, "k", self.k, f"at most the number of rows (n_samples = {n_rows})")
        check_option(self, "labels", self.labels, ("interval", "mean"))
        for name in ("hierarchies", "weights"):
            if getattr(self, name) is not None and not isinstance(getattr(self, name), Mapping):
                raise ParameterError(f"The {name!r} parameter of KAnonymizer must be a dict by column name.")
        if any(not _is_number(weight) or not 0 < weight < math.inf for weight in (self.weights or {}).values()):
            raise invalid(self, "weights", self.weights, "a dict of column name to positive number")
        if self.l_diversity is not None:
            check_integer(self, "l_diversity", self.l_diversity, low=1)
        for name in ("t_closeness", "max_suppression"):
            value = getattr(self, name)
            if not (name == "t_closeness" and value is None or _is_number(value) and 0 <= value <= 1):
                raise invalid(self, name, value, "a number from 0 to 1")
        if self.sensitive is None and not self.l_diversity is self.t_closeness is None:
            raise invalid(self, "sensitive", None, "given with 'l_diversity' and 't_closeness'")
        if not isinstance(self.relaxed, bool | np.bool_):
            raise invalid(self, "relaxed", self.relaxed, "True or False")


_ROWS = ()  # names the distinct rows among what was collected


def _thinned(records: Records, recoding: Recoding) -> tuple[Records, np.ndarray | slice]:
    """Return records of which few are alike, and where each is among these; of what is cut anywhere all stay."""
    if recoding.relaxed:
        return records, slice(None)
    distinct, place = records.distinct(recoding.sizes)
    return (distinct, place) if 2 * len(distinct) <= len(records) else (records, slice(None))


def _is_number(value) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_)
