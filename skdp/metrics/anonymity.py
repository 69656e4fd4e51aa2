"""How well a released table hides each person: k-anonymity and what has been asked for beyond it.

Rows alike in every quasi-identifier form an *equivalence class*; the measures look at how large the classes are and at
how a sensitive column is distributed in them. A missing value is a value of its own: dropping such rows, as a plain
group-by does, would overstate how safe the table is. Each function takes a pandas or polars frame, an array (whose
columns are ``x0, x1, …``) or `ClassCounts`, whose rows stand for so many records each. Where several sensitive columns
are given, the result is that of the worst.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from skdp import _levels
from skdp._checks import check_columns, check_integer, check_option, invalid
from skdp.metrics._counts import EquivalenceClasses, Names, Records, known_columns, read, sensitive_columns
from skdp.metrics._splits import Split, hierarchy_levels, is_ordered, ranks


class AlphaK(NamedTuple):
    """The α and the k of `alpha_k_anonymity`.

    Attributes
    ----------
    alpha : float
        The largest share of a class that has one sensitive value; from 0 to 1, lower is safer.
    k : int
        The rows of the smallest class; higher is safer.
    """

    alpha: float
    k: int


class RecursiveDiversity(NamedTuple):
    """The c and the l of recursive (c, l)-diversity.

    Attributes
    ----------
    c : float
        How many times as often as the rarer ones together the commonest value may be; lower is safer.
    l : int
        Values from the l-th commonest on are the rarer ones; higher is safer.
    """

    c: float
    l: int  # noqa: E741 - the paper's name


def equivalence_classes(X: Any, quasi_identifiers: Names | None = None) -> EquivalenceClasses:
    """Return the class of each row and the rows in each class.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table.
    quasi_identifiers : str or iterable of str, default=None
        The columns an attacker may know. All by default.

    Returns
    -------
    classes : EquivalenceClasses
        ``codes`` of shape (n_rows,) and ``sizes`` of shape (n_classes,).

    References
    ----------
    L. Sweeney, "k-anonymity: a model for protecting privacy", 2002.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import equivalence_classes
    >>> codes, sizes = equivalence_classes(pd.DataFrame({"Region": [1, 1, None, None, 2]}))
    >>> sizes[codes]
    array([2, 2, 2, 2, 1])
    """
    records = read(X)
    return records.classes(known_columns(records.frame, "equivalence_classes", quasi_identifiers))


def k_anonymity(X: Any, quasi_identifiers: Names | None = None) -> int:
    """Return k: the rows in the smallest equivalence class.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str or iterable of str, default=None
        The columns an attacker may know. All by default.

    Returns
    -------
    k : int
        From 1 (someone stands alone) to n_rows. Higher is safer.

    References
    ----------
    L. Sweeney, "k-anonymity: a model for protecting privacy", 2002.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import k_anonymity
    >>> k_anonymity(pd.DataFrame({"Age": [31, 31, 40, 40, 40], "Gender": list("ffmmm")}))
    2
    """
    records = _filled(X)
    return int(records.sizes(known_columns(records.frame, "k_anonymity", quasi_identifiers)).min())


def alpha_k_anonymity(X: Any, quasi_identifiers: Names | None, sensitive: Names) -> AlphaK:
    """Return k, and α: the largest share that one sensitive value has of an equivalence class.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str, iterable of str or None
        The columns an attacker may know. None: all that are not sensitive.
    sensitive : str or iterable of str
        The column, or columns, that an attacker wants to learn.

    Returns
    -------
    result : AlphaK
        ``alpha`` in (0, 1], lower is safer; ``k`` of at least 1, higher is safer.

    References
    ----------
    R. Wong, J. Li, A. Fu, K. Wang, "(α, k)-anonymity: an enhanced k-anonymity model for privacy-preserving data
    publishing", 2006.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import alpha_k_anonymity
    >>> table = pd.DataFrame({"Age": [31, 31, 40, 40, 40, 40], "Debt": list("ynyyyn")})
    >>> alpha_k_anonymity(table, "Age", "Debt")
    AlphaK(alpha=0.75, k=2)
    """
    splits = _splits(X, "alpha_k_anonymity", quasi_identifiers, sensitive)
    alpha = max(float(split.shares.max()) for split in splits)
    return AlphaK(alpha, int(splits[0].sizes.min()))


def l_diversity(
    X: Any,
    quasi_identifiers: Names | None,
    sensitive: Names,
    *,
    kind: str = "distinct",
    l: int | None = None,  # noqa: E741
) -> int | float | RecursiveDiversity:
    """Return l: how many sensitive values are well represented in the least diverse equivalence class.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str, iterable of str or None
        The columns an attacker may know. None: all that are not sensitive.
    sensitive : str or iterable of str
        The column, or columns, that an attacker wants to learn.
    kind : {"distinct", "entropy", "recursive"}, default="distinct"
        ``"distinct"``: the number of values. ``"entropy"``: e to the power of their entropy. ``"recursive"``: the
        pair (c, l) such that the most frequent value is less than c times as frequent as those from the l-th on.
    l : int, default=None
        For ``kind="recursive"``: the l for which c is wanted. By default the distinct l.

    Returns
    -------
    l : int, float or RecursiveDiversity
        Of at least 1, a real number where it is the entropy's; higher is safer. For ``"recursive"`` a pair ``(c, l)``:
        the table is (c', l)-diverse for every c' above ``c``; lower c is safer, infinite where a class has fewer than
        l values.

    Notes
    -----
    In recursive (c, l)-diversity, r1 is the count of the most frequent value, as in the paper; pycanon takes the least
    frequent, so that its c differs.

    References
    ----------
    A. Machanavajjhala, D. Kifer, J. Gehrke, M. Venkitasubramaniam, "l-diversity: privacy beyond k-anonymity", 2007,
    section 4.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import l_diversity
    >>> table = pd.DataFrame({"Age": [31, 31, 40, 40, 40, 40], "Debt": list("ynyyyn")})
    >>> l_diversity(table, "Age", "Debt")
    2
    >>> round(l_diversity(table, "Age", "Debt", kind="entropy"), 3)
    1.755
    >>> l_diversity(table, "Age", "Debt", kind="recursive")
    RecursiveDiversity(c=3.0, l=2)
    """
    check_option("l_diversity", "kind", kind, ("distinct", "entropy", "recursive"))
    if l is not None:
        check_integer("l_diversity", "l", l, low=1)
        if kind != "recursive":
            raise invalid("l_diversity", "l", l, f"None where kind={kind!r}")
    splits = _splits(X, "l_diversity", quasi_identifiers, sensitive)
    if kind == "entropy":
        return float(np.exp(min(split.entropies().min() for split in splits)))
    distinct = int(min(np.bincount(split.classes).min() for split in splits))
    if kind == "distinct":
        return distinct
    wanted = distinct if l is None else int(l)
    return RecursiveDiversity(max(float(split.recursive(wanted).max()) for split in splits), wanted)


def t_closeness(
    X: Any,
    quasi_identifiers: Names | None,
    sensitive: Names,
    *,
    distance: str = "auto",
    hierarchies: Mapping[str, Any] | None = None,
) -> float:
    """Return t: how far, at most, the sensitive values in a class are distributed from those in the table.

    It is the earth mover's distance: how much of the distribution has to be moved, times how far.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str, iterable of str or None
        The columns an attacker may know. None: all that are not sensitive.
    sensitive : str or iterable of str
        The column, or columns, that an attacker wants to learn.
    distance : {"auto", "ordered", "equal"}, default="auto"
        ``"ordered"``: values are as far apart as their ranks, the ends 1 apart; a missing value stands after the
        largest. ``"equal"``: any two are 1 apart. ``"auto"``: ordered for numbers, booleans, dates and ordered
        categories, equal for the rest.
    hierarchies : mapping of str to (dataframe, array or mapping), default=None
        By sensitive column, for the hierarchical distance: a row for each value, from the value itself to the one
        root, or a mapping from each value to its ancestors up to the root. Values are as far apart as the level where
        they meet, the root being 1. A missing value that the hierarchy does not hold is 1 from all others.

    Returns
    -------
    t : float
        From 0 (each class is like the table) to 1. Lower is safer.

    References
    ----------
    N. Li, T. Li, S. Venkatasubramanian, "t-closeness: privacy beyond k-anonymity and l-diversity", 2007.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import t_closeness
    >>> table = pd.DataFrame({"Age": [31, 31, 40, 40], "Debt": [1, 2, 3, 3], "City": ["Oslo", "Lima", "Lima", "Bonn"]})
    >>> t_closeness(table, "Age", "Debt")
    0.375
    >>> t_closeness(table, "Age", "City")
    0.25
    >>> tree = {"Oslo": ["Europe", "*"], "Bonn": ["Europe", "*"], "Lima": ["Americas", "*"]}
    >>> t_closeness(table, "Age", "City", hierarchies={"City": tree})
    0.125
    """
    check_option("t_closeness", "distance", distance, ("auto", "ordered", "equal"))
    records, classes, wanted = _read(X, "t_closeness", quasi_identifiers, sensitive)
    frame = records.frame
    if hierarchies is not None and not isinstance(hierarchies, Mapping):
        given = type(hierarchies).__name__
        raise invalid("t_closeness", "hierarchies", given, "a mapping of sensitive columns to hierarchies")
    check_columns("t_closeness", "hierarchies", hierarchies or (), wanted)
    worst = 0.0
    for column in wanted:
        if column in (hierarchies or ()):
            levels = hierarchy_levels(frame, column, hierarchies[column])
            distances = sum(Split(records, classes, *level).equal_distances() for level in levels) / len(levels)
        elif distance == "ordered" or distance == "auto" and is_ordered(frame, column):
            distances = Split(records, classes, *ranks(frame, column)).ordered_distances()
        else:
            distances = Split(records, classes, *_levels.factorise(frame, [column])).equal_distances()
        worst = max(worst, float(distances.max()))
    return worst


def basic_beta_likeness(X: Any, quasi_identifiers: Names | None, sensitive: Names) -> float:
    """Return β: by how much, relative to the table, a sensitive value is at most more frequent in a class.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str, iterable of str or None
        The columns an attacker may know. None: all that are not sensitive.
    sensitive : str or iterable of str
        The column, or columns, that an attacker wants to learn.

    Returns
    -------
    beta : float
        From 0 to n_rows - 1: the largest (q - p) / p, with p the value's share in the table and q in a class. Lower
        is safer.

    References
    ----------
    J. Cao, P. Karras, "Publishing microdata with a robust privacy guarantee", 2012.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import basic_beta_likeness
    >>> table = pd.DataFrame({"Age": [31, 31, 40, 40], "Debt": list("ynyy")})
    >>> basic_beta_likeness(table, "Age", "Debt")
    1.0
    """
    return max(split.beta() for split in _splits(X, "basic_beta_likeness", quasi_identifiers, sensitive))


def enhanced_beta_likeness(X: Any, quasi_identifiers: Names | None, sensitive: Names) -> float:
    """Return the enhanced β: the basic one, with -ln p of the rarest sensitive value as its upper limit.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str, iterable of str or None
        The columns an attacker may know. None: all that are not sensitive.
    sensitive : str or iterable of str
        The column, or columns, that an attacker wants to learn.

    Returns
    -------
    beta : float
        From 0 to ln(n_rows). Lower is safer.

    Notes
    -----
    As in pycanon, this is the largest over the sensitive values of min(β, -ln p), β being the basic one.

    References
    ----------
    J. Cao, P. Karras, "Publishing microdata with a robust privacy guarantee", 2012.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import enhanced_beta_likeness
    >>> table = pd.DataFrame({"Age": [31, 40, 40, 40], "Debt": list("nyyy")})
    >>> round(enhanced_beta_likeness(table, "Age", "Debt"), 3)
    1.386
    """
    splits = _splits(X, "enhanced_beta_likeness", quasi_identifiers, sensitive)
    return max(min(split.beta(), float(-np.log(split.overall.min()))) for split in splits)


def delta_disclosure(X: Any, quasi_identifiers: Names | None, sensitive: Names) -> float:
    """Return δ: the largest change, in logarithms, of a sensitive value's share from the table to a class.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str, iterable of str or None
        The columns an attacker may know. None: all that are not sensitive.
    sensitive : str or iterable of str
        The column, or columns, that an attacker wants to learn.

    Returns
    -------
    delta : float
        Of at least 0: the largest abs(ln(q / p)), with p the value's share in the table and q in a class that has it.
        Lower is safer.

    Notes
    -----
    By the paper's definition a value that a class lacks makes δ infinite; here, as in pycanon, such are left out.

    References
    ----------
    J. Brickell, V. Shmatikov, "The cost of privacy: destruction of data-mining utility in anonymized data publishing",
    2008.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import delta_disclosure
    >>> table = pd.DataFrame({"Age": [31, 31, 40, 40], "Debt": list("ynyy")})
    >>> round(delta_disclosure(table, "Age", "Debt"), 3)
    0.693
    """
    splits = _splits(X, "delta_disclosure", quasi_identifiers, sensitive)
    return max(float(np.abs(np.log(split.shares / split.overall_shares)).max()) for split in splits)


def _filled(X: Any) -> Records:
    records = read(X)
    if not len(records.frame):
        raise ValueError("The table has no rows; anonymity is a property of at least one.")
    return records


def _read(X: Any, owner: str, known: Names | None, sensitive: Names) -> tuple[Records, EquivalenceClasses, list]:
    """Return the table, its classes and the sensitive columns."""
    records = _filled(X)
    wanted = sensitive_columns(records.frame, owner, sensitive)
    return records, records.classes(known_columns(records.frame, owner, known, wanted)), wanted


def _splits(X: Any, owner: str, known: Names | None, sensitive: Names) -> list[Split]:
    records, classes, wanted = _read(X, owner, known, sensitive)
    return [Split(records, classes, *_levels.factorise(records.frame, [column])) for column in wanted]
