"""What a masked table is still good for: associations, rules, labels, and distributions, before and after.

Each function takes pandas or polars frames or arrays (whose columns are ``x0, x1, …``). A missing value is a value of
its own wherever values are counted. Nothing here says how private a table is: that a release lies far from its original
row by row, as a "distance to closest record" has it, is no sign that people are safe (G. Ganev, E. De Cristofaro, "On
the inadequacy of similarity-based privacy metrics", 2023); see `skdp.metrics.anonymity` and `skdp.metrics.attacks`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skdp import _frames, _levels
from skdp._checks import check_columns, check_integer, check_option, invalid
from skdp._hierarchies import read_hierarchy
from skdp.metrics import _associations, _counts, _marginals
from skdp.metrics._labels import covers
from skdp.metrics._tables import Names, check_aligned, check_filled, chosen_columns, read_pair


class RulesKept(NamedTuple):
    """How the association rules of a release compare with those of the original.

    Attributes
    ----------
    precision : float
        The share of the release's rules that are rules of the original, too; from 0 to 1, higher is better. NaN where
        the release has no rules.
    recall : float
        The share of the original's rules that the release still has; from 0 to 1, higher is better. NaN where the
        original has no rules.
    lift_drift : float
        The mean absolute change of lift over the rules of both; of at least 0, lower is better. NaN where there are
        none.
    n_original, n_released, n_common : int
        How many rules there are.
    """

    precision: float
    recall: float
    lift_drift: float
    n_original: int
    n_released: int
    n_common: int


def association_matrix(
    X: Any,
    columns: Names = None,
    *,
    categorical: str = "cramers_v",
    bias_correction: bool = True,
    yates: bool = False,
) -> pd.DataFrame:
    """Return how strongly each two columns go together, by the measure that suits their kinds.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns)
        The table. Numbers and dates (by the day) count as numbers; text, booleans and categories, ordered ones such as
        released ranges included, as categories.
    columns : str or iterable of str, default=None
        The columns to look at. All by default.
    categorical : {"cramers_v", "theils_u"}, default="cramers_v"
        The measure of two columns of categories. Cramér's V is symmetric. Theil's U is how much of the entropy of the
        column in the row is explained by the one in the column of the result.
    bias_correction : bool, default=True
        Whether Cramér's V is corrected for what chance alone would give.
    yates : bool, default=False
        Whether Cramér's V has Yates's continuity correction where both columns have two values, as in dython.

    Returns
    -------
    matrix : pandas.DataFrame of float of shape (n_columns, n_columns)
        Named by column on both sides. Cramér's V, Theil's U and the correlation ratio (a category and a number) are
        from 0 to 1, Pearson's r (two numbers) from -1 to 1; the further from 0, the stronger. The diagonal is 1. All
        that has to do with a column of fewer than two values is 0.

    Notes
    -----
    A missing category is a value of its own. Missing and infinite numbers are left out, pair by pair. To compare a
    release with its original, use `association_matrices`: where numbers have become ranges, a signed measure has given
    way to one without sign, and the two cannot be subtracted.

    References
    ----------
    W. Bergsma, "A bias-correction for Cramér's V and Tschuprow's T", 2013. H. Theil, "On the estimation of
    relationships involving qualitative variables", 1970. The choice of measures is dython's
    (``dython.nominal.associations``).

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import association_matrix
    >>> table = pd.DataFrame({"City": list("aabbcc"), "Sea": list("yynnnn"), "Debt": [1, 2, 3, 4, 7, 9]})
    >>> association_matrix(table, bias_correction=False).round(2)
          City   Sea  Debt
    City  1.00  1.00  0.97
    Sea   1.00  1.00  0.71
    Debt  0.97  0.71  1.00
    """
    check_option("association_matrix", "categorical", categorical, ("cramers_v", "theils_u"))
    _check_flags("association_matrix", bias_correction=bias_correction, yates=yates)
    frame = _frames.read(X)
    names = chosen_columns("association_matrix", columns, frame)
    matrix = np.zeros((len(names), len(names)))
    read = list(_levels.by_column(frame, names, _associations.read_column))
    varying = [position for position, column in enumerate(read) if _associations.varies(column)]
    kept = _associations.collapse([read[position] for position in varying])
    for place, row in enumerate(varying):
        matrix[row, row] = 1.0
        for other in range(place + 1, len(varying)):
            column = varying[other]
            both = _associations.associated(kept[place], kept[other], categorical, bias_correction, yates)
            matrix[row, column], matrix[column, row] = both
    return pd.DataFrame(matrix, index=names, columns=names)


def association_matrices(
    original: Any, released: Any, columns: Names = None, **options: Any
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the associations in a table and in its release, so that the one can be taken from the other.

    Parameters
    ----------
    original, released : dataframe or array-like of shape (n_rows, n_columns)
        The table before and after; the numbers of rows may differ.
    columns : str or iterable of str, default=None
        The columns to look at. By default all of `original`, which `released` must have, too.
    **options : dict
        Passed on to `association_matrix`: ``categorical``, ``bias_correction`` and ``yates``.

    Returns
    -------
    before, after : pandas.DataFrame of float of shape (n_columns, n_columns)
        As `association_matrix` returns them. Two columns that are numbers (or dates) in both tables keep the sign of
        Pearson's r, from -1 to 1, so that a flipped sign shows; all others have the strength without sign, from 0 to 1.

    Notes
    -----
    The mean absolute difference over the pairs of columns is a measure of drift: 0 where all hangs together as it did;
    lower is better. Where the measure itself is another after the release (Pearson's r of two numbers, the correlation
    ratio once one of them is ranges), strengths differ a little for that alone.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp import IntervalBinner
    >>> from skdp.metrics import association_matrices
    >>> table = pd.DataFrame({"Age": [20, 30, 40, 60], "Debt": [9, 7, 4, 2]})
    >>> before, after = association_matrices(table, IntervalBinner({"Age": [25, 50]}).fit_transform(table))
    >>> [float(matrix.loc["Age", "Debt"].round(2)) for matrix in (before, after)]
    [0.97, 0.92]
    """
    frames = _frames.read(original), _frames.read(released)
    names = chosen_columns("association_matrices", columns, frames[0])
    check_columns("association_matrices", "released", names, frames[1].columns)
    has_sign = [all(_associations.is_measured(frame, name) for frame in frames) for name in names]
    before, after = (association_matrix(frame, names, **options) for frame in frames)
    return tuple(matrix.where(np.outer(has_sign, has_sign), matrix.abs()) for matrix in (before, after))


def association_rules_kept(
    original: Any,
    released: Any,
    *,
    columns: Names = None,
    min_support: float = 0.05,
    min_confidence: float = 0.5,
    max_len: int = 3,
) -> RulesKept:
    """Return how many association rules a release keeps, how many it makes up, and how far their lift has moved.

    An item is a column with a value, as in ``Region = 3``; a rule says that rows with some items have others as well.

    Parameters
    ----------
    original, released : dataframe or array-like of shape (n_rows, n_columns)
        The table before and after; the numbers of rows may differ.
    columns : str or iterable of str, default=None
        The columns whose values are items. By default all of `original`, which `released` must have, too.
    min_support : float, default=0.05
        The smallest share of the rows that holds all items of a rule, in (0, 1].
    min_confidence : float, default=0.5
        The smallest share that a rule must be right, from 0 to 1.
    max_len : int, default=3
        The most items in a rule, of at least 2.

    Returns
    -------
    kept : RulesKept
        ``precision`` and ``recall`` from 0 to 1, higher is better; ``lift_drift`` of at least 0, lower is better; the
        counts ``n_original``, ``n_released`` and ``n_common``. What would be a mean over no rules is NaN.

    Notes
    -----
    Values are the same where they are spelled the same; a missing one is a value of its own. A release whose labels are
    others than the original's (ranges where numbers were) can have no rule in common with it in these columns: choose
    `columns` without them, or bin both tables with one fitted binner beforehand. Frequent itemsets and rules are
    mlxtend's.

    References
    ----------
    R. Agrawal, T. Imieliński, A. Swami, "Mining association rules between sets of items in large databases", 1993.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import association_rules_kept
    >>> table = pd.DataFrame({"City": list("aaabbb"), "Sea": list("yyynnn")})
    >>> association_rules_kept(table, table.assign(Sea=list("yyyynn"))).recall
    1.0
    """
    owner = "association_rules_kept"
    _check_number(owner, "min_support", min_support, 0, 1, open_below=True)
    _check_number(owner, "min_confidence", min_confidence, 0, 1)
    check_integer(owner, "max_len", max_len, low=2)
    before, after, names = read_pair(owner, original, released, columns)
    known: dict = {}
    old, new = (
        _associations.mined_rules(frame, names, known, min_support, min_confidence, int(max_len))
        for frame in (before, after)
    )
    common = old.keys() & new.keys()
    drift = float(np.mean([abs(new[rule] - old[rule]) for rule in common])) if common else np.nan
    shares = (len(common) / len(rules) if rules else np.nan for rules in (new, old))
    return RulesKept(*shares, drift, len(old), len(new), len(common))


def granularity(
    original: Any, released: Any, quasi_identifiers: Names = None, *, hierarchies: Mapping[str, Any] | None = None
) -> float:
    """Return how fine the labels of a release are: 1 minus the mean share of its column that a cell's label covers.

    Parameters
    ----------
    original, released : dataframe or array-like of shape (n_rows, n_columns)
        The table before and after, row by row; at least one row. `original` has the dtypes it was released from;
        `released` may have been written to a CSV file and read back.
    quasi_identifiers : str or iterable of str, default=None
        The columns to look at. By default all of `original`, which `released` must have, too.
    hierarchies : mapping of str to (dataframe or mapping), default=None
        By column, the hierarchy it was released with, as KAnonymizer takes it.

    Returns
    -------
    granularity : float
        From 0 (all suppressed) to 1 (untouched); higher is better.

    Raises
    ------
    ValueError
        If the tables have no rows or not equally many, or if a label is no node of the given hierarchy.

    Notes
    -----
    What a cell covers: a range its width over that of the original column, within which open ends stop; a set (values -
    1) / (distinct values - 1); a node of a hierarchy (leaves - 1) / (all leaves - 1). A cell that is missing where the
    original was not is suppressed: 1. Where all quasi-identifiers of a row are, and not all were, the row is
    suppressed, and each of its cells counts 1. A missing value is a value of its own; a range that holds it ("24 - 34
    or missing") covers 1.

    Labels are read as KAnonymizer, QuantileBinner and IntervalBinner spell them. Numbers (the mean of a class, a rank)
    and labels that cannot be read (names of your own for ranges) cover the original values that share them. Noise does
    so, too, and mostly covers nothing: granularity says how much a label leaves open, not how far off it is.

    Text may be ambiguous where values hold ", " or " - " or braces. A category that is spelled as it was counts as
    untouched; otherwise, the reading that covers most is taken, so that a release never looks better than it is.

    References
    ----------
    The measure is the loss of V. Iyengar, "Transforming data to satisfy privacy constraints", 2002, taken from 1.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import granularity
    >>> people = pd.DataFrame({"Age": [21, 24, 51, 61], "Town": ["Lima", "Oslo", "Bonn", "Bonn"]})
    >>> released = pd.DataFrame({"Age": ["21 - 24"] * 2 + ["51 - 61"] * 2, "Town": ["{Lima, Oslo}"] * 2 + ["Bonn"] * 2})
    >>> round(granularity(people, released), 4)
    0.7937
    """
    owner = "granularity"
    if hierarchies is not None and not isinstance(hierarchies, Mapping):
        raise invalid(owner, "hierarchies", type(hierarchies).__name__, "a mapping of columns to hierarchies")
    before, after, names = read_pair(owner, original, released, quasi_identifiers, name="quasi_identifiers")
    check_aligned(owner, before, after)
    check_columns(owner, "hierarchies", list(hierarchies or ()), names)
    trees = {column: read_hierarchy(owner, column, given) for column, given in (hierarchies or {}).items()}
    covered = np.column_stack([covers(before, after, column, trees.get(column)) for column in names])
    gone = np.all([_frames.missing(after, column) for column in names], axis=0)
    gone &= ~np.all([_frames.missing(before, column) for column in names], axis=0)
    covered[gone] = 1.0
    return float(1 - covered.mean())


def discernibility(X: Any, quasi_identifiers: Names = None, *, suppressed: Any = None) -> int:
    """Return how many rows, summed over all rows, each cannot be told from: the discernibility metric.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table.
    quasi_identifiers : str or iterable of str, default=None
        The columns that classes are made of. All by default.
    suppressed : "missing" or array-like of bool of shape (n_rows,), default=None
        The rows that count as suppressed: those marked, or with ``"missing"`` those whose quasi-identifiers are all
        missing, as KAnonymizer masks them. None by default.

    Returns
    -------
    discernibility : int
        The sum of the squared sizes of the equivalence classes, plus n_rows for each suppressed row: from n_rows (each
        row stands alone) to n_rows²; 0 for an empty table. Lower is better.

    References
    ----------
    R. Bayardo, R. Agrawal, "Data privacy through optimal k-anonymization", 2005.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import discernibility
    >>> table = pd.DataFrame({"Age": ["21 - 24"] * 3 + ["51 - 61"] * 2 + [None]})
    >>> discernibility(table), discernibility(table, suppressed="missing")
    (14, 19)
    """
    records = _counts.read(X)
    names = chosen_columns("discernibility", quasi_identifiers, records.frame, "quasi_identifiers")
    if not len(records.frame):
        return 0
    out = _suppressed_rows(records.frame, names, suppressed)
    codes, size = _levels.factorise(records.frame, names)
    sizes = records.count(np.where(out, size, codes), size + 1).astype(object)
    return int((sizes[:-1] ** 2).sum()) + int(sizes[-1]) * records.total


def average_class_size(X: Any, quasi_identifiers: Names = None, k: int = 1) -> float:
    """Return the mean size of the equivalence classes, in multiples of k.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str or iterable of str, default=None
        The columns that classes are made of. All by default.
    k : int, default=1
        The smallest size that was asked for, of at least 1.

    Returns
    -------
    size : float
        ``n_rows / n_classes / k``: from 1 / k to n_rows / k. Lower is better; 1 is the best that a k-anonymous table
        can have.

    References
    ----------
    K. LeFevre, D. DeWitt, R. Ramakrishnan, "Mondrian multidimensional k-anonymity", 2006.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import average_class_size
    >>> average_class_size(pd.DataFrame({"Age": ["21 - 24"] * 4 + ["51 - 61"] * 2}), k=2)
    1.5
    """
    check_integer("average_class_size", "k", k, low=1)
    records = _counts.read(X)
    names = chosen_columns("average_class_size", quasi_identifiers, records.frame, "quasi_identifiers")
    check_filled("average_class_size", records.frame)
    return records.total / _levels.factorise(records.frame, names)[1] / int(k)


def marginal_distances(original: Any, released: Any, columns: Names = None) -> pd.DataFrame:
    """Return how far each column's distribution has moved from the original to the release.

    Parameters
    ----------
    original, released : dataframe or array-like of shape (n_rows, n_columns)
        The table before and after; at least one row each, and the numbers of rows may differ.
    columns : str or iterable of str, default=None
        The columns to look at. By default all of `original`, which `released` must have, too.

    Returns
    -------
    distances : pandas.DataFrame of float of shape (n_columns, 5)
        Named by column. In all, 0 is a distribution that has not moved; lower is better.

        - ``total_variation``: of categories, from 0 to 1, a missing value being a value of its own; NaN for numbers.
        - ``wasserstein``: of numbers, the earth mover's distance over those present, of at least 0, in the unit of the
          column (dates: days); NaN for categories, or where either table has no number.
        - ``wasserstein_normalised``: the same over the range of the original; infinite where that is 0 and the
          distance is not.
        - ``kolmogorov_smirnov``: of numbers, the largest difference of the distribution functions, from 0 to 1; missing
          values stand after all numbers. NaN for categories.
        - ``missing``: the absolute difference of the shares that are missing, from 0 to 1.

    Notes
    -----
    Booleans, text and categories, ordered ones included, are categories, and are the same where they are spelled the
    same. Where the original holds numbers and the release ranges, as KAnonymizer and the binners spell them, these
    stand at their midpoints, those with an open end between it and the outermost original value; labels that cannot be
    read count as missing. Infinite numbers stand at the outermost finite ones of the original.

    References
    ----------
    Distances are those of `scipy.stats.wasserstein_distance` and `scipy.stats.ks_2samp`.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import marginal_distances
    >>> people = pd.DataFrame({"Age": [20, 30, 40, 60], "Town": ["Lima", "Oslo", "Bonn", "Bonn"]})
    >>> released = people.assign(Age=[22, 32, 42, 62], Town=["Lima", "Lima", "Bonn", "Bonn"])
    >>> distances = marginal_distances(people, released)
    >>> distances.loc["Age", ["wasserstein", "wasserstein_normalised", "kolmogorov_smirnov"]].tolist()
    [2.0, 0.05, 0.25]
    >>> float(distances.loc["Town", "total_variation"])
    0.25
    """
    before, after, names = read_pair("marginal_distances", original, released, columns)
    rows = [_marginals.distances(before, after, name) for name in names]
    return pd.DataFrame(rows, index=names, columns=list(_marginals.MEASURES), dtype=np.float64)


def _check_flags(owner: str, **flags: Any) -> None:
    for name, value in flags.items():
        check_option(owner, name, value, (True, False))


def _check_number(owner: str, name: str, value: Any, low: float, high: float, *, open_below: bool = False) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not low <= value <= high or open_below and value == low:
        requirement = f"a number above {low} and of at most {high}" if open_below else f"a number from {low} to {high}"
        raise invalid(owner, name, value, requirement)


def _suppressed_rows(frame: Any, names: list, suppressed: Any) -> np.ndarray:
    """Return which rows count as suppressed."""
    if suppressed is None:
        return np.zeros(len(frame), dtype=bool)
    if isinstance(suppressed, str):
        check_option("discernibility", "suppressed", suppressed, ("missing",))
        return np.all([_frames.missing(frame, name) for name in names], axis=0)
    marked = np.asarray(suppressed)
    if marked.shape != (len(frame),) or marked.dtype != bool:
        given = f"{marked.dtype} of shape {marked.shape}"
        raise invalid("discernibility", "suppressed", given, "'missing' or an array of one bool a row")
    return marked
