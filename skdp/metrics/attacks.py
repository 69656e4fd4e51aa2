"""Attacks on a released table, carried out and measured against people who are not in it.

What an attacker guesses about people outside the table is what the release teaches about anyone; only the surplus over
that is a risk of being in it. Both attacks look for the released rows nearest to what the attacker knows, by Gower's
distance: numbers apart by their difference over the released range, other values by 0 or 1. Where a column is released
as labels ("21 - 24", "{Lima, Oslo}", "24 and Under"), a value is at distance 0 from those that hold it. Of rows equally
near the first is taken. The nodes of a hierarchy are read as they are spelled, so such columns tell these attackers
little; so do arrays in which ranges have become ranks. Do not take a low figure for safety there.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import norm

from skdp import _frames
from skdp._checks import check_columns, check_integer, invalid
from skdp.metrics._comparisons import compared

CELLS_AT_ONCE = 4_000_000
Names = str | Iterable[str]


class AttackRisk(NamedTuple):
    """The risk measured by an attack.

    Attributes
    ----------
    risk : float
        ``(train_rate - control_rate) / (1 - control_rate)``, no less than 0; up to 1, lower is safer.
    low, high : float
        The confidence interval of the risk, within 0 and 1.
    train_rate, control_rate : float
        The shares of attacks that succeed, by Wilson's estimate, from 0 to 1.
    """

    risk: float
    low: float
    high: float
    train_rate: float
    control_rate: float


def linkage_attack(
    released: Any,
    train: Any,
    control: Any,
    known: tuple[Names, Names],
    *,
    n_neighbors: int = 1,
    confidence: float = 0.95,
) -> AttackRisk:
    """Return the risk that the release links two sets of what is known of a person.

    The attacker has two tables, each with some of the columns of `train`, and links two of their rows where both have a
    released row in common among those nearest to them.

    Parameters
    ----------
    released : dataframe or array-like of shape (n_released, n_columns)
        The table that an attacker sees.
    train : dataframe or array-like of shape (n_train, n_columns)
        People whom the release was made from. The work is rows attacked × rows released: a sample will do.
    control : dataframe or array-like of shape (n_control, n_columns)
        Others from the same population.
    known : pair of (str or iterable of str)
        The columns of the first and of the second table; none in both.
    n_neighbors : int, default=1
        How many of the nearest released rows are looked at, of at least 1.
    confidence : float, default=0.95
        Of the interval, in (0, 1).

    Returns
    -------
    risk : AttackRisk
        From 0 to 1; lower is safer.

    References
    ----------
    M. Giomi, F. Boenisch, C. Wehmeyer, B. Tasnádi, "A unified framework for quantifying privacy risk in synthetic
    data", 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skdp.metrics import linkage_attack
    >>> rng = np.random.default_rng(0)
    >>> people, others = rng.normal(size=(200, 4)), rng.normal(size=(200, 4))
    >>> risk = linkage_attack(people, people, others, (["x0", "x1"], ["x2", "x3"]))
    >>> risk.risk > 0.9
    True
    """
    seen = _frames.read(released)
    if not isinstance(known, tuple | list) or len(known) != 2:
        raise invalid("linkage_attack", "known", known, "a pair of lists of column names")
    sides = [_some("linkage_attack", "known", side, seen) for side in known]
    if set(sides[0]) & set(sides[1]):
        raise invalid("linkage_attack", "known", known, "two lists with no column in common")
    check_integer("linkage_attack", "n_neighbors", n_neighbors, low=1)
    wins = []
    for name, people in (("train", train), ("control", control)):
        attacked = _people("linkage_attack", name, people, [*sides[0], *sides[1]])
        first, second = (_nearest(seen, attacked, side, n_neighbors) for side in sides)
        wins.append((first[:, :, None] == second[:, None, :]).any(axis=(1, 2)))
    return _measured("linkage_attack", *wins, confidence)


def inference_attack(
    released: Any,
    train: Any,
    control: Any,
    known: Names,
    secret: str,
    *,
    tolerance: float = 0.05,
    confidence: float = 0.95,
) -> AttackRisk:
    """Return the risk that the release gives away a secret of those it was made from.

    The attacker guesses that a person's secret is that of the released row nearest to what is known of the person.

    Parameters
    ----------
    released : dataframe or array-like of shape (n_released, n_columns)
        The table that an attacker sees.
    train : dataframe or array-like of shape (n_train, n_columns)
        People whom the release was made from. The work is rows attacked × rows released: a sample will do.
    control : dataframe or array-like of shape (n_control, n_columns)
        Others from the same population.
    known : str or iterable of str
        The columns an attacker knows.
    secret : str
        The column an attacker wants to learn.
    tolerance : float, default=0.05
        How far, relative to the truth, a guessed number may be off; of at least 0. Of a range the middle is guessed;
        a set of several values is never right.
    confidence : float, default=0.95
        Of the interval, in (0, 1).

    Returns
    -------
    risk : AttackRisk
        From 0 to 1; lower is safer.

    References
    ----------
    M. Giomi, F. Boenisch, C. Wehmeyer, B. Tasnádi, "A unified framework for quantifying privacy risk in synthetic
    data", 2023.

    Examples
    --------
    >>> import numpy as np
    >>> from skdp.metrics import inference_attack
    >>> rng = np.random.default_rng(0)
    >>> people, others = rng.normal(size=(200, 4)), rng.normal(size=(200, 4))
    >>> inference_attack(people, people, others, ["x0", "x1"], "x3").risk > 0.9
    True
    """
    seen = _frames.read(released)
    columns = _some("inference_attack", "known", known, seen)
    if not isinstance(secret, str):
        raise invalid("inference_attack", "secret", secret, "a column name")
    check_columns("inference_attack", "secret", secret, seen.columns)
    if secret in columns:
        raise invalid("inference_attack", "secret", secret, "a column that is not among the known ones")
    if not isinstance(tolerance, int | float) or isinstance(tolerance, bool) or not 0 <= tolerance < np.inf:
        raise invalid("inference_attack", "tolerance", tolerance, "a number of at least 0")
    wins = []
    for name, people in (("train", train), ("control", control)):
        attacked = _people("inference_attack", name, people, [*columns, secret])
        nearest = _nearest(seen, attacked, columns, 1)[:, 0]
        wins.append(compared(seen, attacked, secret).right(nearest, tolerance))
    return _measured("inference_attack", *wins, confidence)


def _some(owner: str, name: str, wanted: Names, frame: Any) -> list:
    if not len(frame):
        raise ValueError(f"The 'released' table of {owner} has no rows.")
    columns = check_columns(owner, name, wanted, frame.columns)
    if not columns:
        raise invalid(owner, name, columns, "at least one column name")
    return columns


def _people(owner: str, name: str, people: Any, columns: list) -> Any:
    frame = _frames.read(people)
    check_columns(owner, name, columns, frame.columns)
    if not len(frame):
        raise ValueError(f"The {name!r} table of {owner} has no rows.")
    return frame


def _nearest(seen: Any, attacked: Any, columns: list, n_neighbors: int) -> np.ndarray:
    """Return for each row attacked the positions of the released rows nearest to it by Gower's distance."""
    known = [compared(seen, attacked, column) for column in columns]
    wanted = min(n_neighbors, len(seen))
    found = np.empty((len(attacked), wanted), dtype=np.int64)
    for rows in _blocks(len(attacked), len(seen)):
        distances = np.zeros((rows.stop - rows.start, len(seen)))
        for one in known:
            distances += one.distances(rows)
        if wanted == 1:
            found[rows, 0] = distances.argmin(axis=1)
        else:
            found[rows] = np.argpartition(distances, wanted - 1, axis=1)[:, :wanted]
    return found


def _blocks(rows: int, width: int) -> Iterator[slice]:
    step = max(1, CELLS_AT_ONCE // width)
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def _measured(owner: str, train_wins: np.ndarray, control_wins: np.ndarray, confidence: float) -> AttackRisk:
    if not isinstance(confidence, int | float) or not 0 < confidence < 1:
        raise invalid(owner, "confidence", confidence, "a number above 0 and below 1")
    z = float(norm.ppf((1 + confidence) / 2))
    (train, train_error), (control, control_error) = _wilson(train_wins, z), _wilson(control_wins, z)
    risk = (train - control) / (1 - control)
    error = np.hypot(train_error / (1 - control), (1 - train) / (1 - control) ** 2 * control_error)
    low, high = (float(np.clip(end, 0, 1)) for end in (risk - error, risk + error))
    return AttackRisk(max(risk, 0.0), low, high, train, control)


def _wilson(wins: np.ndarray, z: float) -> tuple[float, float]:
    """Return Wilson's estimate of a success rate, and half the width of its confidence interval."""
    size, won = len(wins), int(wins.sum())
    rate = (won + z**2 / 2) / (size + z**2)
    return rate, z / (size + z**2) * float(np.sqrt(won * (size - won) / size + z**2 / 4))
