"""Independent random streams, each found by its name.

A seed and a name (a column, a block number) lead to the same stream wherever and whenever it is asked for, so a table
does not depend on the order in which its parts are made. For synthesis and imputation; noise has a source of its own.
"""

import hashlib
import numbers
from typing import Any

import numpy as np

from skdp._checks import invalid


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
