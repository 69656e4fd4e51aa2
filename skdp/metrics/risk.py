"""Who can be singled out, by whom, and what an attacker learns.

The risks that follow from class sizes (`reidentification_risk` to `suda`) hold for an attacker who knows the
quasi-identifiers exactly. A missing value is a value of its own. Each takes a pandas or polars frame, an array (whose
columns are ``x0, x1, …``) or `ClassCounts`, whose rows stand for so many records each: a result by row is then that of
each record of the row.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from scipy.special import hyp2f1

from skdp import _frames, _levels
from skdp._checks import check_columns, check_integer, invalid
from skdp.metrics import _counts
from skdp.metrics._counts import Records, known_columns, read

Names = _counts.Names | None

SCENARIOS = {"deliberate attack": 30 / 160, "acquaintance": 0.3, "breach": 0.345, "demonstration": 1.0}
"""By scenario, the probability that an attack is made: assumptions that are usual in health data, to be replaced by
what is known of the recipient."""


class Risk(NamedTuple):
    """A risk over the rows of a table.

    Attributes
    ----------
    highest, mean : float
        The risk of the row most at risk, and the mean over rows; from 0 to 1, lower is safer.
    share_above : float
        The share of rows whose risk is above the threshold; from 0 to 1, lower is safer.
    """

    highest: float
    mean: float
    share_above: float


class AttackerRisks(NamedTuple):
    """The risks from three attackers.

    Attributes
    ----------
    prosecutor : Risk
        From one who knows that the person is in the table: 1 over the class's size in the table.
    journalist : Risk
        From one who does not: 1 over the class's size in the population.
    marketer : float
        The share of rows that one who matches the whole table with the population gets right.
    sample_uniques : int
        The rows alone in their class.
    """

    prosecutor: Risk
    journalist: Risk
    marketer: float
    sample_uniques: int


class Uniqueness(NamedTuple):
    """The share of rows that are unique, by the number of columns known, 1 to m.

    Attributes
    ----------
    lowest, mean, highest : ndarray of float of shape (m,)
        Over all choices of that many columns; from 0 to 1, lower is safer.
    """

    lowest: np.ndarray
    mean: np.ndarray
    highest: np.ndarray


class Suda(NamedTuple):
    """The minimal sample uniques of each row.

    Attributes
    ----------
    scores : ndarray of float of shape (n_rows,)
        Of at least 0; lower is safer.
    counts : ndarray of int of shape (n_rows, max_size)
        The minimal sample uniques by size, 1 to `max_size`.
    """

    scores: np.ndarray
    counts: np.ndarray


def reidentification_risk(X: Any, quasi_identifiers: Names = None) -> np.ndarray:
    """Return each row's risk of being re-identified: 1 over the size of its equivalence class.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table.
    quasi_identifiers : str or iterable of str, default=None
        The columns an attacker knows. All by default.

    Returns
    -------
    risk : ndarray of float of shape (n_rows,)
        In (0, 1]; lower is safer. Of `ClassCounts`, that of each record of a row.

    References
    ----------
    K. El Emam, "Guide to the de-identification of personal health information", 2013.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import reidentification_risk
    >>> reidentification_risk(pd.DataFrame({"Age": [31, 31, 40, None]}))
    array([0.5, 0.5, 1. , 1. ])
    """
    records = read(X)
    codes, sizes = records.classes(known_columns(records.frame, "reidentification_risk", quasi_identifiers))
    return (1 / sizes)[codes]


def attacker_risks(
    X: Any,
    quasi_identifiers: Names = None,
    *,
    population: Any = None,
    sampling_fraction: float | None = None,
    threshold: float = 0.2,
) -> AttackerRisks:
    """Return the risks from a prosecutor, a journalist and a marketer.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str or iterable of str, default=None
        The columns an attacker knows. All by default.
    population : dataframe, array-like or ClassCounts, default=None
        A table of the population that `X` is a sample of, with the quasi-identifiers among its columns.
    sampling_fraction : float, default=None
        Where no population table is at hand: the share of the population that `X` is, in (0, 1]. A class's size in the
        population is then estimated, negative binomial given its size in the table. With neither, `X` is taken for the
        population, as the worst case.
    threshold : float, default=0.2
        The risk above which rows are counted, from 0 to 1.

    Returns
    -------
    risks : AttackerRisks
        Risks from 0 to 1; lower is safer.

    References
    ----------
    K. El Emam, "Guide to the de-identification of personal health information", 2013.
    R. Benedetti, L. Franconi, "Statistical and technological solutions for controlled data dissemination", 1998.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import attacker_risks
    >>> risks = attacker_risks(pd.DataFrame({"Age": [31, 31, 31, 40]}), sampling_fraction=0.1)
    >>> risks.prosecutor
    Risk(highest=1.0, mean=0.5, share_above=1.0)
    >>> round(risks.journalist.highest, 3), risks.sample_uniques
    (0.256, 1)
    """
    records = read(X)
    if not len(records.frame):
        raise ValueError("The table has no rows; a risk is a property of at least one.")
    _check_share("attacker_risks", "threshold", threshold)
    known = known_columns(records.frame, "attacker_risks", quasi_identifiers)
    codes, sizes = records.classes(known)
    if population is not None:
        if sampling_fraction is not None:
            raise invalid("attacker_risks", "sampling_fraction", sampling_fraction, "None where a population is given")
        outside = 1 / np.maximum(_population_sizes(records.frame, known, population), sizes[codes])
    elif sampling_fraction is not None:
        _check_share("attacker_risks", "sampling_fraction", sampling_fraction, positive=True)
        outside = _expected_inverse(sizes, float(sampling_fraction))[codes]
    else:
        outside = 1 / sizes[codes]
    prosecutor, journalist = (_risk(records, risk, threshold) for risk in (1 / sizes[codes], outside))
    return AttackerRisks(prosecutor, journalist, journalist.mean, int((sizes == 1).sum()))


def scenario_risks(risk: Any, scenarios: Mapping[str, float] = SCENARIOS) -> dict:
    """Return the risk in each scenario: that an attack is made, times that it succeeds.

    Parameters
    ----------
    risk : float or array-like of float
        The risk that an attack succeeds, from 0 to 1: of a table, or of each row.
    scenarios : mapping of str to float, default=SCENARIOS
        By scenario, the probability that an attack is made, from 0 to 1. The default is an assumption: a deliberate
        attack by the recipient (30/160), an acquaintance of somebody among the records (0.3), a breach at the
        recipient's (0.345), and an attack for demonstration, which is certain.

    Returns
    -------
    risks : dict of str to (float or ndarray of float)
        By scenario, the risk in the shape of `risk`; from 0 to 1, lower is safer.

    References
    ----------
    K. El Emam, "Guide to the de-identification of personal health information", 2013.

    Examples
    --------
    >>> from skdp.metrics import scenario_risks
    >>> scenario_risks(0.5, {"deliberate attack": 30 / 160, "demonstration": 1.0})
    {'deliberate attack': 0.09375, 'demonstration': 0.5}
    """
    if not isinstance(scenarios, Mapping):
        raise invalid("scenario_risks", "scenarios", scenarios, "a mapping of scenarios to probabilities")
    for name, probability in scenarios.items():
        _check_share(f"scenario_risks, scenario {name!r},", "scenarios", probability)
    given = np.asarray(risk, dtype=np.float64)
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError("The 'risk' parameter of scenario_risks must be numbers from 0 to 1.")
    products = {name: given * probability for name, probability in scenarios.items()}
    return products if given.ndim else {name: float(product) for name, product in products.items()}


def uniqueness(X: Any, quasi_identifiers: Names = None, *, max_known: int | None = None) -> Uniqueness:
    """Return the share of rows that are unique to an attacker who knows 1, 2, … of the quasi-identifiers.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str or iterable of str, default=None
        The columns an attacker may know. All by default.
    max_known : int, default=None
        The most columns known at once. All by default: the work is one count for each of 2 ** columns choices.

    Returns
    -------
    shares : Uniqueness
        ``lowest``, ``mean`` and ``highest`` of shape (max_known,), over all choices of so many columns; from 0 to 1,
        lower is safer.

    References
    ----------
    L. Sweeney, "Simple demographics often identify people uniquely", 2000. Y. de Montjoye et al., "Unique in the
    crowd: the privacy bounds of human mobility", 2013.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import uniqueness
    >>> table = pd.DataFrame({"Age": [31, 31, 40, 40], "Region": [1, 2, 2, 2]})
    >>> uniqueness(table).highest
    array([0.25, 0.5 ])
    """
    records, columns, most = _choices(X, "uniqueness", quasi_identifiers, "max_known", max_known)
    shares: list[list[float]] = [[] for _ in range(most)]
    for chosen, alone in _alone_by_choice(records, columns, most):
        shares[len(chosen) - 1].append(records.mean(alone))
    return Uniqueness(*(np.array([summary(one) for one in shares]) for summary in (min, np.mean, max)))


def suda(X: Any, quasi_identifiers: Names = None, *, max_size: int = 3) -> Suda:
    """Return each row's minimal sample uniques: sets of values that no other row has, and no part of which is unique.

    Parameters
    ----------
    X : dataframe or array-like of shape (n_rows, n_columns), or ClassCounts
        The table; at least one row.
    quasi_identifiers : str or iterable of str, default=None
        The columns an attacker may know. All by default.
    max_size : int, default=3
        The most values in a set, from 1 to the number of columns.

    Returns
    -------
    result : Suda
        ``scores`` of shape (n_rows,), 0 where no set is unique, lower is safer; ``counts`` of shape
        (n_rows, max_size), the sets by size. Of `ClassCounts`, those of each record of a row.

    Notes
    -----
    A set of k values adds the product of (columns - i) over i from k to `max_size` (at most columns - 1): the fewer
    values make a row unique, and the more ways there are, the higher the score.

    References
    ----------
    M. Elliot, A. Manning, R. Ford, "A computational algorithm for handling the special uniques problem", 2002. The
    score is that of A. Manning, D. Haglin, J. Keane, "A recursive search algorithm for statistical disclosure
    assessment", 2008.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.metrics import suda
    >>> table = pd.DataFrame({"Age": [31, 31, 40, 40], "Region": [1, 2, 2, 2], "Gender": list("ffff")})
    >>> suda(table).counts
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 0],
           [0, 0, 0]])
    >>> suda(table).scores
    array([2., 1., 0., 0.])
    """
    records, columns, most = _choices(X, "suda", quasi_identifiers, "max_size", max_size)
    counts = np.zeros((len(records.frame), most), dtype=np.int64)
    unique = dict(_alone_by_choice(records, columns, most))
    for chosen, alone in unique.items():
        minimal = alone.copy()
        for part in combinations(chosen, len(chosen) - 1):
            if part:
                minimal &= ~unique[part]
        counts[:, len(chosen) - 1] += minimal
    top = min(most, len(columns) - 1)
    factors = len(columns) - np.arange(1.0, most + 1)
    weights = np.array([factors[size:top].prod() for size in range(most)])
    return Suda(counts @ weights, counts)


def _check_share(owner: str, name: str, value: Any, *, positive: bool = False) -> None:
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or positive and value == 0:
        raise invalid(owner, name, value, "a number " + ("above 0 and of at most 1" if positive else "from 0 to 1"))


def _risk(records: Records, risk: np.ndarray, threshold: float) -> Risk:
    return Risk(float(risk.max()), records.mean(risk), records.mean(risk > threshold))


def _population_sizes(frame: Any, known: list, population: Any) -> np.ndarray:
    """Return for each row how many in the population are like it."""
    counted = read(population)
    people = counted.frame
    check_columns("attacker_risks", "population", known, people.columns)
    codes, bound = np.zeros(len(frame), dtype=np.int64), 1
    people_codes = np.zeros(len(people), dtype=np.int64)
    for column in known:
        standing, among = _levels.levels(people, column)
        own = _levels.locate(frame, column, among)
        strange = (own < 0) & ~_frames.missing(frame, column)
        own[strange] = len(among) + 1
        own[own < 0] = len(among)
        standing = np.where(standing < 0, len(among), standing)
        both, bound = _levels.pair(
            np.concatenate([codes, people_codes]), bound, np.concatenate([own, standing]), len(among) + 2
        )
        both, bound = _levels.compress(both, bound)
        codes, people_codes = both[: len(frame)], both[len(frame) :]
    return counted.count(people_codes, bound)[codes]


def _expected_inverse(sizes: np.ndarray, fraction: float) -> np.ndarray:
    """Return E[1/F | f], with F - f negative binomial of f successes: (p/f) 2F1(1, 1; f+1; 1-p)."""
    distinct, where = np.unique(sizes, return_inverse=True)
    steps = np.arange(1, 61)  # SciPy fails for large classes, where the series is short
    series = 1 + np.cumprod(steps * (1 - fraction) / (distinct[:, None] + steps), axis=1).sum(axis=1)
    exact = hyp2f1(1, 1, np.minimum(distinct, 50) + 1, 1 - fraction)
    return (fraction / distinct * np.where(distinct <= 50, exact, series))[where]


def _choices(X: Any, owner: str, quasi_identifiers: Names, name: str, most: int | None) -> tuple[Records, list, int]:
    """Return the table, its quasi-identifiers and how many of them to take at most."""
    records = read(X)
    if not len(records.frame):
        raise ValueError("The table has no rows; uniqueness is a property of at least one.")
    columns = known_columns(records.frame, owner, quasi_identifiers)
    if not columns:
        raise invalid(owner, "quasi_identifiers", columns, "at least one column name")
    if most is None:
        return records, columns, len(columns)
    check_integer(owner, name, most, low=1)
    return records, columns, min(int(most), len(columns))


def _alone_by_choice(records: Records, columns: list, most: int) -> Iterator[tuple[tuple, np.ndarray]]:
    """Yield each choice of at most `most` columns (by position, rising) and the rows that are unique in it."""
    singles = [_levels.factorise(records.frame, [column]) for column in columns]
    stack = [((position,), *single) for position, single in enumerate(singles)]
    while stack:  # depth first, so that few choices are held at once
        chosen, codes, size = stack.pop()
        yield chosen, (records.count(codes, size) == 1)[codes]
        if len(chosen) < most:
            for more in range(chosen[-1] + 1, len(columns)):
                stack.append(
                    ((*chosen, more), *_levels.compress(*_levels.pair(codes, size, *singles[more]), ordered=False))
                )
