"""The file behind a `PrivacyLedger`: SQLite, one connection per process and file, none carried over a fork."""

import atexit
import os
import secrets
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path

APPLICATION_ID = 0x736B6470  # "skdp", in the header of the file
PATIENCE = 60.0  # seconds that a writer waits for the others
_SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY, time TEXT NOT NULL, estimator TEXT NOT NULL, columns TEXT NOT NULL, epsilon TEXT NOT NULL,
    delta TEXT NOT NULL, rows INTEGER NOT NULL, purpose TEXT NOT NULL, scope TEXT NOT NULL, reasons TEXT NOT NULL,
    noise_multipliers TEXT NOT NULL
);
CREATE TABLE budget (
    id INTEGER PRIMARY KEY CHECK (id = 1), epsilon_cap TEXT, delta_cap TEXT, epsilon TEXT NOT NULL, delta TEXT NOT NULL,
    identity TEXT NOT NULL
);
"""
_BESIDE = ("-wal", "-shm", "-journal")


class LedgerError(OSError):
    """A ledger's file that cannot be read or written. What was to be charged is not charged, and not released."""


def create(path: str, epsilon: Fraction | None, delta: Fraction | None) -> str | None:
    """Make an empty ledger with these caps, whole or not at all; return its identity, None where a file is there.

    Raises
    ------
    LedgerError
        If it cannot be made, or if a file is there that SQLite would take for a part of it.
    """
    _refuse_beside_leftovers(path)
    if os.path.lexists(path):
        return None
    identity = secrets.token_hex(16)
    try:
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".ledger-")  # of mode 0600
    except OSError as error:
        raise LedgerError(f"The ledger {path!r} cannot be made: {error.strerror}.") from None
    os.close(handle)
    try:
        _initialise(temporary, epsilon, delta, identity)
        os.link(temporary, path)  # fails where another process was faster
    except FileExistsError:
        return None
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(f"The ledger {path!r} cannot be made: {error}.") from None
    finally:
        Path(temporary).unlink(missing_ok=True)
    return identity


def acknowledge(path: str) -> None:
    """Take the file that is there now for the one to use, even where it took the place of one that was open."""
    with _OPEN.lock:
        _OPEN.forget_others(path)


def temporary_path() -> str:
    """Return a path in a new folder of this user alone, which goes when this process exits."""
    folder = tempfile.mkdtemp(prefix="skdp-ledger-")
    atexit.register(_remove, folder, os.getpid())
    return os.path.join(os.path.realpath(folder), "ledger.sqlite")


@contextmanager
def transaction(path: str, identity: str | None) -> Iterator[sqlite3.Connection]:
    """Hold the right to write while the block runs; all of it is written, or nothing is."""
    with _OPEN.lock, _translated(path):
        connection = _OPEN.connection(path, identity)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
            _OPEN.check(path, identity)  # what was written to a file that somebody deleted meanwhile is lost
        except BaseException:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


@contextmanager
def reading(path: str, identity: str | None = None) -> Iterator[sqlite3.Connection]:
    """Show the block one state of the file, in which each charge is whole."""
    with _OPEN.lock, _translated(path):
        _OPEN.check(path, identity)
        # SQLite needs to write beside the file, unless it may take for granted that nobody does
        fixed = not os.access(os.path.dirname(path), os.W_OK) and not os.path.exists(path + "-wal")
        connection = _opened(path, "ro&immutable=1") if fixed else _OPEN.connection(path, identity)
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")
            if fixed:
                connection.close()


def spelled(number: Fraction | float) -> str:
    """Return a figure as text that loses nothing; Python writes long integers only in hexadecimal.

    Examples
    --------
    >>> spelled(Fraction(1, 3)), spelled(float("inf"))
    ('1/3', 'inf')
    """
    if number == float("inf"):
        return "inf"
    parts = (number.numerator, number.denominator)
    return "/".join(str(part) if part.bit_length() < 2**10 else hex(part) for part in parts)


def check_whole(rows: list[tuple]) -> None:
    """Raise where a value is missing that was written: behind the end of a file that was cut short, all is zero."""
    if any(value is None or isinstance(value, str) and "\0" in value for row in rows for value in row):
        raise sqlite3.DatabaseError("figures are missing")


def exact(text: str) -> Fraction | float:
    """Return the figure that `spelled` wrote.

    Examples
    --------
    >>> exact("1/3"), exact("inf")
    (Fraction(1, 3), inf)
    """
    if text == "inf":
        return float("inf")
    numerator, denominator = (int(part, 0) for part in text.split("/"))
    return Fraction(numerator, denominator)


class _Connections:
    """The files that a process has open. All threads take turns: SQLite would let them wait for each other anyway."""

    def __init__(self):
        self.lock = threading.RLock()
        self._by_path: dict[str, tuple] = {}
        self._places: dict[tuple, tuple[int, int]] = {}  # of each ledger used; a fork closes only connections
        self._inherited: list = []

    def connection(self, path: str, identity: str | None) -> sqlite3.Connection:
        """Return the connection to the file that is there now; raise unless that is the one that `check` wants."""
        place = self.check(path, identity)
        connection, opened = self._by_path.get(path, (None, None))
        if opened != place:
            if connection is not None:
                self._by_path.pop(path)
                connection.close()
            connection = _opened(path, "rw")
            self._by_path[path] = connection, place
            self.check(path, identity)  # it may have gone before it was opened
        return connection

    def check(self, path: str, identity: str | None) -> tuple[int, int]:
        """Return the place of the file at the path; raise unless this process has used this ledger there alone."""
        place = _place(path)
        if self._places.setdefault((path, identity), place) != place:
            raise LedgerError(
                f"The ledger {path!r} was replaced by another file while this process used it, so nothing can be "
                "charged: put the first one back, or make a new PrivacyLedger of this path if the other one is meant."
            )
        return place

    def forget_others(self, path: str):
        """Forget the files that were at the path before."""
        place = _place(path)
        self._places = {key: own for key, own in self._places.items() if key[0] != path or own == place}

    def close(self):
        while self._by_path:
            _, (connection, _) = self._by_path.popitem()
            with suppress(sqlite3.Error):
                connection.close()

    def before_fork(self):
        """Close everything: SQLite's locks are those of a process, and a child must not use them."""
        self.lock.acquire()
        self.close()

    def after_fork(self):
        self.lock.release()

    def in_child(self):
        self._inherited.append(self._by_path)  # forked by C code, without `before_fork`: neither used nor closed
        self._by_path = {}
        self.lock = threading.RLock()


_OPEN = _Connections()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_OPEN.before_fork, after_in_parent=_OPEN.after_fork, after_in_child=_OPEN.in_child)
atexit.register(_OPEN.close)


def _place(path: str) -> tuple[int, int]:
    """Return what tells a file from another at its path; a missing one is never made anew, which would forget it."""
    try:
        found = os.stat(path)
    except OSError:
        raise LedgerError(
            f"The ledger {path!r} is not there (any more), so nothing can be charged. A ledger without a file is gone "
            "when the process that made it exits; name a file to keep it."
        ) from None
    return found.st_dev, found.st_ino


def _opened(path: str, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{Path(path).as_uri()}?mode={mode}", uri=True, timeout=PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        # a process that dies loses nothing that was committed; a machine that dies may lose the last commits
        connection.execute("PRAGMA synchronous = NORMAL")
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise LedgerError(f"{path!r} is not a privacy ledger; name another file, or one that is not there yet.")
        connection.execute("SELECT id FROM budget").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _translated(path: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        kind = "is not a privacy ledger, or is damaged" if type(error) is sqlite3.DatabaseError else "cannot be used"
        raise LedgerError(f"The ledger {path!r} {kind}: {error}. Nothing was charged or released.") from None


def _refuse_beside_leftovers(path: str) -> None:
    """Raise where a file of SQLite's lies beside a ledger that is not there: a new one would take its charges over."""
    leftovers = [path + ending for ending in _BESIDE if os.path.lexists(path + ending)]
    if leftovers and not os.path.lexists(path):  # looked at second: whoever makes the ledger makes it before these
        raise LedgerError(
            f"The ledger {path!r} cannot be made beside {leftovers[0]!r}, the rest of a ledger whose own file was "
            "deleted or moved: its charges and its cap would become the new one's. Put that file back, or name another "
            f"path; if its charges count no more, delete {' and '.join(map(repr, leftovers))}, too, while no process "
            "uses them."
        )


def _initialise(path: str, epsilon: Fraction | None, delta: Fraction | None, identity: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        caps = [None if cap is None else spelled(cap) for cap in (epsilon, delta)]
        connection.execute("INSERT INTO budget VALUES (1, ?, ?, '0/1', '0/1', ?)", [*caps, identity])
    finally:
        connection.close()  # the last to close a file in this mode leaves one file, not three


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        _OPEN.close()
        shutil.rmtree(folder, ignore_errors=True)
