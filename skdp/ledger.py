"""The privacy budget of a file: every release is charged to it before any noise is drawn, in whatever process."""

import datetime
import json
import math
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pandas as pd

from skdp import _ledger_file
from skdp._checks import invalid
from skdp._ledger_file import LedgerError, exact, spelled
from skdp._rationals import rational
from skdp.accounting import PrivacyGuarantee, compose, rounded_up

__all__ = ["BudgetExceededError", "LedgerError", "PrivacyLedger", "print_ledger", "set_ledger"]


class BudgetExceededError(ValueError):
    """A release that a ledger's cap forbids. It is raised before any noise is drawn: nothing is charged or released."""


class PrivacyLedger:
    """One account of what was released, which every copy of a step, in whatever process, charges to.

    Give it to the steps that draw noise (``ledger=``), or to all of a pipeline with `set_ledger`. Each `transform` or
    `fit_transform` of at least one row then writes an entry before it draws any noise; where the cap would be passed it
    raises `BudgetExceededError` instead. `clone`, `deepcopy`, pickle and the worker processes of joblib and Dask copy a
    handle to the same file, never the balance.

    Parameters
    ----------
    path : str or PathLike, default=None
        The file. It is made, for its owner alone to read and write, where it is not there. None makes a temporary file
        that goes when the process that made it exits, and stays where that is killed.
    epsilon : float, Fraction or Decimal, default=None
        The cap: the sum of all ε that may be charged, above 0. A file keeps the cap it was made with; None takes that,
        or sets none in a new file. Floats are taken as the binary fractions they are, and ten times 0.1 is a little
        more than 1: ``Fraction(1, 10)`` is a tenth.
    delta : float, Fraction or Decimal, default=None
        The cap of the sum of all δ, at least 0 and below 1. None is 0 where `epsilon` is given, and none otherwise.

    Attributes
    ----------
    path : str
        The file, absolute.
    epsilon, delta : Fraction or None
        The caps of the file, exact.

    Raises
    ------
    ParameterError
        If `path` is no path, or a cap is no such number, or not the one that the file was made with.
    LedgerError
        If the file cannot be made or read, or is no ledger; an ``OSError``. A new one is not made beside what a ledger
        that was deleted left there (``-wal``, ``-shm``). By `charge`, also if the file cannot be written, be it
        read-only or the disk full, or if it was deleted or replaced since: then nothing is released.

    See Also
    --------
    set_ledger : Gives a ledger to every step of a pipeline.
    skdp.privacy_guarantee : What one fitted pipeline claims.

    Notes
    -----
    The file is SQLite's, in its write-ahead mode: readers see each charge whole or not at all. A charge is committed
    before the call returns, so a process that is killed at any moment loses none. A machine that loses its power may
    lose the last ones, though never the file. Beside the file SQLite keeps two more (``-wal``, ``-shm``) while anyone
    has it open, and after a process was killed, with the last charges in them: copy, move or delete all three, or none.
    A handle stays with the ledger it was made for, and charges no other that took its place. The file belongs on a disk
    of this machine; network file systems do not keep the locks that SQLite needs.

    Charges add up by basic composition (Dwork, Kenthapadi, McSherry, Mironov and Naor, *Our data, ourselves: privacy
    via distributed noise generation*, EUROCRYPT 2006), exactly: this is what the cap holds for. `composed` gives the
    tighter figure for Gaussian noise.

    Each charge is for a table in which each record is one row. Where steps in front have copied records, as
    `skdp.FakerSynthesizer` does with ``count=``, it counts a copy as if it were a record of its own, and so too little
    for the record; `skdp.privacy_guarantee` says ∞ there. Nor does a ledger know what was taken back: where a backup of
    it, or of the unfinished folder of a release, is put back, what was released since is charged to nothing.

    A step fitted through the ``memory=`` of a pipeline is charged when it runs. When its cached output is used again,
    that is the same noise, and no new charge.

    `sklearn.model_selection.GridSearchCV` takes an error of a fit for a score that is missing (``error_score``), so
    a cap that is met during a search shows as failed fits with their warning; nothing is released by these either.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp import BudgetExceededError, LaplaceNoise, PrivacyLedger
    >>> ledger = PrivacyLedger(epsilon=2)
    >>> noise = LaplaceNoise(bounds={"Age": (0, 120)}, ledger=ledger)
    >>> ages = pd.DataFrame({"Age": [24, 35, 71]})
    >>> released = noise.fit_transform(ages), noise.fit_transform(ages)
    >>> ledger.spent, ledger.remaining
    (2.0, 0.0)
    >>> try:
    ...     noise.transform(ages)
    ... except BudgetExceededError as error:
    ...     print(str(error).partition('.')[0])
    LaplaceNoise asks for ε = 1, of which 0 of the cap 2 is left
    >>> ledger.entries()[["estimator", "columns", "epsilon", "rows"]]
          estimator columns  epsilon  rows
    0  LaplaceNoise     Age      1.0     3
    1  LaplaceNoise     Age      1.0     3
    """

    def __init__(self, path=None, *, epsilon=None, delta=None):
        epsilon = None if epsilon is None else _checked_cap("epsilon", epsilon)
        delta = None if delta is None else _checked_cap("delta", delta)
        if epsilon is not None and delta is None:
            delta = Fraction(0)
        self._temporary = path is None
        self.path = _ledger_file.temporary_path() if path is None else os.path.realpath(_checked_path(path))
        made = _ledger_file.create(self.path, epsilon, delta)
        _ledger_file.acknowledge(self.path)
        if made is None:
            self.epsilon, self.delta, self._identity = self._found_in_file(epsilon, delta)
        else:
            self.epsilon, self.delta, self._identity = epsilon, delta, made
            self._totals()  # raises where the file says something else

    @property
    def spent(self) -> float:
        """The sum of all ε charged; never less than the exact one."""
        return rounded_up(self._totals()[0])

    @property
    def spent_delta(self) -> float:
        """The sum of all δ charged; never less than the exact one."""
        return rounded_up(self._totals()[1])

    @property
    def remaining(self) -> float:
        """How much ε is left under the cap, never more than exactly; infinite where there is no cap."""
        return math.inf if self.epsilon is None else 0.0 - rounded_up(self._totals()[0] - self.epsilon)

    def charge(self, guarantee, *, estimator, rows, purpose):
        """Write what is about to be released into the file; steps call this before they draw any noise.

        Parameters
        ----------
        guarantee : PrivacyGuarantee
            What the release gives each record. One of metric scope is charged by the ε of a whole record.
        estimator : str
            Who releases.
        rows : int
            How many rows; with 0 nothing is charged.
        purpose : str
            What for, such as ``"transform"``.

        Raises
        ------
        BudgetExceededError
            If the cap would be passed, or if there is one and ε is infinite.
        LedgerError
            If the file cannot be written.
        """
        if not rows:
            return
        row = _row(guarantee, str(estimator), int(rows), str(purpose))
        with _ledger_file.transaction(self.path, self._identity) as connection:
            epsilon, delta = self._spent(connection)
            after = _fraction(guarantee.epsilon) + epsilon, _fraction(guarantee.delta) + delta
            if self.epsilon is not None and after[0] > self.epsilon:
                raise BudgetExceededError(self._exceeded(guarantee, estimator, "ε", self.epsilon, epsilon))
            if self.delta is not None and after[1] > self.delta:
                raise BudgetExceededError(self._exceeded(guarantee, estimator, "δ", self.delta, delta))
            connection.execute("INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute("UPDATE budget SET epsilon = ?, delta = ?", [spelled(total) for total in after])

    def composed(self, delta=None, *, method="rdp") -> PrivacyGuarantee:
        """Return what all charges together give each record.

        Parameters
        ----------
        delta : float or Fraction, default=None
            None adds up ε and δ, as the cap does. A number above 0 and below 1 asks for the ε at this δ, which is
            tighter where Gaussian noise was charged; that needs ``dp-accounting``.
        method : {"rdp", "pld"}, default="rdp"
            How Gaussian noise is composed; see `skdp.accounting.compose`.

        Returns
        -------
        guarantee : PrivacyGuarantee
            Over the columns of all entries.

        Raises
        ------
        ParameterError
            If `delta` or `method` is none of the above.
        ImportError
            If ``dp-accounting`` is needed and not there.
        """
        with _ledger_file.reading(self.path, self._identity) as connection:
            self._spent(connection)
            columns = "epsilon, delta, columns, scope, reasons, noise_multipliers"
            found = connection.execute(f"SELECT {columns} FROM entries").fetchall()
            _ledger_file.check_whole(found)
        parts = [_guarantee(*row) for row in found]
        return compose(parts, delta=delta, method=method)

    def entries(self) -> pd.DataFrame:
        """Return every charge, the first one first.

        Returns
        -------
        entries : DataFrame of shape (n_charges, 9)
            ``time`` (UTC), ``estimator``, ``columns`` (comma-separated), ``epsilon`` and ``delta`` (float64, never less
            than exactly), ``rows``, ``purpose``, ``scope`` and ``reasons`` (why ε is infinite).
        """
        columns = ["time", "estimator", "columns", "epsilon", "delta", "rows", "purpose", "scope", "reasons"]
        with _ledger_file.reading(self.path, self._identity) as connection:
            self._spent(connection)
            found = connection.execute(f"SELECT {', '.join(columns)} FROM entries ORDER BY id").fetchall()
            _ledger_file.check_whole(found)
        table = pd.DataFrame(found, columns=columns)
        return table.assign(
            time=pd.to_datetime(table["time"], utc=True, format="ISO8601"),
            columns=[", ".join(json.loads(text)) for text in table["columns"]],
            reasons=["; ".join(json.loads(text)) for text in table["reasons"]],
            epsilon=[rounded_up(exact(text)) for text in table["epsilon"]],
            delta=[rounded_up(exact(text)) for text in table["delta"]],
        ).astype({"rows": "int64", "epsilon": "float64", "delta": "float64"})

    def __repr__(self):
        shown = [] if self._temporary else [repr(self.path)]
        caps = [("epsilon", self.epsilon), ("delta", self.delta)]
        shown += [f"{name}={rounded_up(cap):g}" for name, cap in caps if cap]
        return f"PrivacyLedger({', '.join(shown)})"

    def __eq__(self, other):
        return self.path == other.path if isinstance(other, PrivacyLedger) else NotImplemented

    def __hash__(self):
        return hash(self.path)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self  # a handle does not change: what a copy would share is all there is

    def __reduce__(self):
        return _handle, (self.path, self.epsilon, self.delta, self._temporary, self._identity)

    def _totals(self) -> tuple:
        with _ledger_file.reading(self.path, self._identity) as connection:
            return self._spent(connection)

    def _spent(self, connection) -> tuple:
        """Return what is spent of ε and δ; raise where the file is not the one that this handle was made for."""
        epsilon_cap, delta_cap, epsilon, delta, identity = _budget(connection)
        if (epsilon_cap, delta_cap, identity) != (self.epsilon, self.delta, self._identity):
            raise LedgerError(
                f"The ledger {self.path!r} is not the one that this handle was made for: another took its place. "
                "Nothing was charged or released. Put the first one back, or make a new PrivacyLedger of this path if "
                "the other one is meant."
            )
        return epsilon, delta

    def _found_in_file(self, epsilon, delta) -> tuple:
        """Return the caps that the file was made with, and its identity; raise where other caps are asked for."""
        with _ledger_file.reading(self.path) as connection:
            *kept, _, _, identity = _budget(connection)
        for name, asked, own in (("epsilon", epsilon, kept[0]), ("delta", delta, kept[1])):
            if asked is not None and asked != own:
                made = "no cap" if own is None else f"{rounded_up(own):g}"
                requirement = f"None or the cap that {self.path!r} was made with ({made})"
                raise invalid(self, name, float(asked), requirement)
        return *kept, identity

    def _exceeded(self, guarantee, estimator, symbol, cap, spent) -> str:
        if not guarantee.is_finite:
            return f"{estimator} asks for ε = ∞, which no cap allows: {'; '.join(guarantee.reasons)}. {self._where()}"
        asked = guarantee.epsilon if symbol == "ε" else guarantee.delta
        if symbol == "δ" and not cap:
            none = f"{estimator} asks for δ = {_shown(asked)}, and the ledger allows none; make it with 'delta'."
            return f"{none} {self._where()}"
        left = _shown(cap - spent)
        hair = " (less by the rounding of a float; Fraction and Decimal are exact)" if left == _shown(asked) else ""
        return (
            f"{estimator} asks for {symbol} = {_shown(asked)}, of which {left} of the cap {_shown(cap)} is left{hair}. "
            f"{self._where()}"
        )

    def _where(self) -> str:
        ledger = "in memory" if self._temporary else repr(self.path)
        return f"Nothing was drawn, charged or released; the ledger is {ledger}."


def set_ledger(estimator, ledger):
    """Give a ledger to every step of an estimator that can charge one, however deep it is nested.

    Parameters
    ----------
    estimator : estimator
        A step, Pipeline, ColumnTransformer, FeatureUnion, `skdp.TrainOnKept`, search, or any nesting of them. It is
        changed in place, with its fitted copies of steps where it is fitted.
    ledger : PrivacyLedger or None
        The ledger; None takes it away.

    Returns
    -------
    estimator : estimator
        The same, for chaining.

    Raises
    ------
    ParameterError
        If `ledger` is neither.
    ValueError
        If no step has a ``ledger`` parameter: nothing would ever be charged.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skdp import LaplaceNoise, PrivacyLedger, make_pipeline, set_ledger
    >>> pipeline = make_pipeline(LaplaceNoise(bounds=(0, 100)), LogisticRegression())
    >>> set_ledger(pipeline, PrivacyLedger(epsilon=3))[0].ledger
    PrivacyLedger(epsilon=3)
    """
    if ledger is not None and not isinstance(ledger, PrivacyLedger):
        raise invalid("set_ledger", "ledger", ledger, "a PrivacyLedger or None")
    found = list(_steps_with_ledger(estimator, set()))
    if not found:
        raise ValueError(
            f"No step of {type(estimator).__name__} has a 'ledger' parameter, so nothing would be charged. Steps that "
            "have one are those with noise, such as LaplaceNoise."
        )
    for step in found:
        step.set_params(ledger=ledger)
    return estimator


def print_ledger(path: str) -> None:
    """Print a ledger's entries, and what is spent and left; a missing file is an error, and never made.

    Parameters
    ----------
    path : str
        The file.

    Raises
    ------
    LedgerError
        If it is not there, or is no ledger.
    """
    if not os.path.exists(path):
        raise LedgerError(f"There is no ledger {path!r}.")
    ledger = PrivacyLedger(path)
    entries = ledger.entries()
    if len(entries):
        shown = entries.assign(time=entries["time"].dt.strftime("%Y-%m-%d %H:%M:%S"))
        print(shown.drop(columns="scope").to_string(index=False, float_format=lambda number: f"{number:.6g}"))
    cap = f" of {_shown(ledger.epsilon)}; {_shown(ledger.remaining)} is left" if ledger.epsilon is not None else ""
    delta = f"; δ = {_shown(ledger.spent_delta)}" if ledger.spent_delta else ""
    print(f"{len(entries):,} entries; ε = {_shown(ledger.spent)} spent{cap}{delta}")


def _steps_with_ledger(owner: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the steps anywhere in an estimator, fitted copies of them included, that have the parameter."""
    if isinstance(owner, list | tuple | dict):
        for part in owner.values() if isinstance(owner, dict) else owner:
            yield from _steps_with_ledger(part, seen)
    elif hasattr(owner, "get_params") and not isinstance(owner, type) and id(owner) not in seen:
        seen.add(id(owner))
        parameters = owner.get_params(deep=False)
        if "ledger" in parameters:
            yield owner
        for part in (*parameters.values(), *vars(owner).values()):
            yield from _steps_with_ledger(part, seen)


def _handle(
    path: str, epsilon: Fraction | None, delta: Fraction | None, temporary: bool, identity: str
) -> PrivacyLedger:
    """Return another handle to a file that is not looked at before it is charged."""
    ledger = PrivacyLedger.__new__(PrivacyLedger)
    ledger.path, ledger.epsilon, ledger.delta, ledger._temporary = path, epsilon, delta, temporary
    ledger._identity = identity
    return ledger


def _checked_path(path: Any) -> str:
    """Return a path as text that a file system can have."""
    try:
        text = os.fspath(path)
        usable = isinstance(text, str) and "\0" not in text and bool(os.fsencode(text))
    except (TypeError, UnicodeEncodeError):
        usable = False
    if not usable:
        raise invalid("PrivacyLedger", "path", path, "the name of a file (str or PathLike) or None")
    return text


def _checked_cap(name: str, value: Any) -> Fraction:
    cap = rational(value)
    if name == "epsilon" and (cap is None or cap <= 0):
        raise invalid("PrivacyLedger", name, value, "a positive number or None")
    if cap is None or not 0 <= cap and name == "delta" or name == "delta" and cap >= 1:
        raise invalid("PrivacyLedger", name, value, "a number of at least 0 and below 1, or None")
    return cap


def _row(guarantee: PrivacyGuarantee, estimator: str, rows: int, purpose: str) -> tuple:
    """Return a charge as the file keeps it."""
    return (
        datetime.datetime.now(datetime.UTC).isoformat(),
        estimator,
        json.dumps([str(column) for column in guarantee.columns], ensure_ascii=False),
        spelled(_fraction(guarantee.epsilon)),
        spelled(_fraction(guarantee.delta)),
        rows,
        purpose,
        guarantee.scope,
        json.dumps(guarantee.reasons, ensure_ascii=False),
        json.dumps(guarantee.noise_multipliers),
    )


def _guarantee(epsilon, delta, columns, scope, reasons, noise_multipliers) -> PrivacyGuarantee:
    """Return the guarantee that `_row` wrote."""
    return PrivacyGuarantee(
        exact(epsilon),
        exact(delta),
        columns=tuple(json.loads(columns)),
        scope=scope,
        reasons=tuple(json.loads(reasons)),
        noise_multipliers=tuple(json.loads(noise_multipliers)),
    )


def _budget(connection: Any) -> tuple:
    """Return the caps for ε and δ (None: no cap), what is spent of each, and the identity of the file."""
    query = "SELECT epsilon_cap, delta_cap, epsilon, delta, identity FROM budget"
    *figures, identity = connection.execute(query).fetchone() or [None] * 5
    _ledger_file.check_whole([(*figures[2:], identity)])
    return *(None if text is None else exact(text) for text in figures), identity


def _fraction(number: Fraction | float) -> Fraction | float:
    return number if number == math.inf else Fraction(number)


def _shown(number: Fraction | float) -> str:
    return "∞" if number == math.inf else f"{float(number):.6g}"
