"""Independent random streams, each found by its name, and what they give the rows of a table.

A seed and a name (a column, a block of rows) lead to the same stream wherever and whenever it is asked for, so a table
does not depend on the order in which its parts are made. For synthesis and imputation; noise has a source of its own.

What a seed draws for a row depends on the row's position in the table that the step is handed, and on no other row:
each block of rows has a stream of its own, from which the whole block is drawn, whoever asks for a part of it. So
a table that comes in parts (`rows_before`) gets what it would get at once.
"""

import hashlib
import numbers
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from skdp._checks import invalid

SMALLEST_BLOCK = 1 << 10  # rows; blocks grow with the table, so that a few rows do not pay for thousands
LARGEST_BLOCK = 1 << 14

_rows_before: ContextVar[int | None] = ContextVar("rows_before", default=None)


def root(owner: object, random_state: Any) -> tuple[int, ...]:
    """Return the entropy that `random_state` stands for, as 32-bit words.

    Parameters
    ----------
    owner : object
        The estimator, for the error message.
    random_state : int, Generator, RandomState or None
        None asks the operating system anew at every call; a generator is advanced by each call.

    Raises
    ------
    ParameterError
        If `random_state` is anything else, or negative.
    """
    if random_state is None:
        return tuple(np.random.SeedSequence().generate_state(4).tolist())
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool) and random_state >= 0:
        return (int(random_state),)
    if isinstance(random_state, np.random.Generator):
        return tuple(random_state.integers(2**32, size=4).tolist())
    if isinstance(random_state, np.random.RandomState):
        return tuple(random_state.randint(2**32, size=4, dtype=np.uint32).tolist())
    raise invalid(owner, "random_state", random_state, "None, a non-negative integer or a NumPy generator")


def stream(entropy: tuple[int, ...], *name: str | int) -> np.random.Generator:
    """Return the stream of this name.

    Examples
    --------
    >>> bool(stream((7,), "age", 0).random() == stream((7,), "age", 0).random())
    True
    >>> bool(stream((7,), "age", 0).random() == stream((7,), "age", 1).random())
    False
    """
    key = hashlib.sha256(repr(name).encode()).digest()
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=np.frombuffer(key, np.uint32).tolist()))


@contextmanager
def rows_before(count: int) -> Iterator[None]:
    """Tell the steps that work in this block, and this thread, how many rows of the table came before theirs."""
    token = _rows_before.set(count)
    try:
        yield
    finally:
        _rows_before.reset(token)


def first_row() -> int:
    """Return the position in the table of the first row that a step is handed."""
    return _rows_before.get() or 0


def is_in_parts() -> bool:
    """Whether the rows that a step is handed are a part of a table, as `rows_before` has told."""
    return _rows_before.get() is not None


def blocks(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield where the blocks begin and end that hold the rows from `start` to `stop`.

    Examples
    --------
    >>> list(blocks(900, 5000))
    [(0, 1024), (1024, 2048), (2048, 4096), (4096, 8192)]
    >>> list(blocks(50_000, 50_001))
    [(49152, 65536)]
    """
    while start < stop:
        size = min(max(1 << start.bit_length() >> 1, SMALLEST_BLOCK), LARGEST_BLOCK)
        low = start // size * size
        start = low + size
        yield low, start


class RowDraws:
    """What some rows of a table are given by chance: for each the same, whichever other rows are asked for.

    Parameters
    ----------
    entropy : tuple of int
        As made by `root`.
    name : tuple of (str or int)
        What the draws are for.
    rows : ndarray of int64 of shape (n_rows,)
        Positions in the table, rising.
    """

    def __init__(self, entropy: tuple[int, ...], name: tuple, rows: np.ndarray):
        self.entropy, self.name, self.rows = entropy, name, rows

    def draw(self, make: Callable[[np.random.Generator, int], np.ndarray], *use: str | int) -> np.ndarray:
        """Return what `make` draws, from the stream of a block, for so many rows; other uses are independent."""
        parts = []
        for low, high, rows in self._held():
            drawn = make(stream(self.entropy, *self.name, low, *use), high - low)
            parts.append(drawn if len(rows) == high - low else drawn[rows - low])
        return np.concatenate(parts) if parts else make(stream(self.entropy), 0)

    def uniform(self, *use: str | int) -> np.ndarray:
        """Return floats, uniform in [0, 1)."""
        return self.draw(np.random.Generator.random, *use)

    def up_to(self, greatest: np.ndarray, use: str, turn: int = 0) -> np.ndarray:
        """Return integers from 0 to `greatest`, of dtype uint64, both included and all alike.

        A word is refused where those below the remainder of 2^64 would make some numbers more likely than others. Then
        the row has another, drawn for the whole block too, so that no row's word depends on what others refused.
        """
        sizes = greatest + np.uint64(1)  # 0 stands for 2^64
        words = self.draw(lambda rng, size: rng.bit_generator.random_raw(size), use, turn)
        few = np.flatnonzero(words < sizes)
        refused = few[words[few] < (np.uint64(0) - sizes[few]) % sizes[few]]
        found = np.remainder(words, sizes, out=words, where=sizes > 0)
        if refused.size:
            others = RowDraws(self.entropy, self.name, self.rows[refused])
            found[refused] = others.up_to(greatest[refused], use, turn + 1)
        return found

    def _held(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield the blocks that hold any of the rows, and which these are."""
        if not len(self.rows):
            return
        for low, high in blocks(int(self.rows[0]), int(self.rows[-1]) + 1):
            first, last = np.searchsorted(self.rows, (low, high))
            if first < last:
                yield low, high, self.rows[first:last]
