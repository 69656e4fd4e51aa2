"""Generalisation hierarchies: which node is above which, from the values of a column up to one root."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skdp import _frames
from skdp._checks import ParameterError


@dataclass(frozen=True)
class Hierarchy:
    """A tree over the values of a column; nodes and leaves are numbered in the tree's order.

    Parameters
    ----------
    leaves : list of str
        The values.
    paths : ndarray of int64 of shape (n_leaves, n_levels)
        The nodes from the root to each leaf.
    names : ndarray of str of shape (n_nodes,)
        What the nodes are called.
    covers : ndarray of float64 of shape (n_nodes,)
        (leaves - 1) / (all leaves - 1) of each node.
    """

    leaves: list[str]
    paths: np.ndarray
    names: np.ndarray
    covers: np.ndarray


def read_hierarchy(owner: object, column: str, given: Any) -> Hierarchy:
    """Return a hierarchy given as a frame of one row a leaf, from leaf to root, or as a mapping from leaf to the rest.

    Raises
    ------
    ParameterError
        If it is empty, ragged, has two roots, a leaf twice or a node with two parents.
    """
    levels = _levels(owner, column, given)
    if levels.isna().to_numpy().any():
        raise _unusable(owner, column, "rows of one length each (it is ragged)")
    levels = levels.astype(str).iloc[:, ::-1]
    levels.columns = range(levels.shape[1])
    if levels[0].nunique() != 1:
        raise _unusable(owner, column, f"one root, the same in its last column. Got {levels[0].nunique()}")
    levels = levels.sort_values(list(levels.columns), ignore_index=True)
    for depth in range(1, levels.shape[1]):
        pairs = levels[[depth - 1, depth]].drop_duplicates()
        if pairs[depth].duplicated().any():
            raise _unusable(owner, column, "one parent for each node")
    if levels[levels.columns[-1]].duplicated().any():
        raise _unusable(owner, column, "each leaf once")
    return _numbered(levels)


def _levels(owner, column, given) -> pd.DataFrame:
    """Return the rows from leaf to root."""
    if isinstance(given, Mapping):
        rows = [[leaf, *([above] if isinstance(above, str) else above)] for leaf, above in given.items()]
        if len(set(map(len, rows))) > 1:
            raise _unusable(owner, column, "rows of one length each (it is ragged)")
        levels = pd.DataFrame(rows, dtype=object)
    else:
        try:
            frame = _frames.read(given)
        except (ValueError, TypeError):
            raise _unusable(owner, column, "a frame or a mapping from each value to the nodes above it") from None
        levels = pd.DataFrame({i: _frames.texts(frame, name).to_pandas() for i, name in enumerate(frame.columns)})
    if not levels.size:
        raise _unusable(owner, column, "at least one leaf")
    return levels


def _unusable(owner, column, requirement) -> ParameterError:
    who = owner if isinstance(owner, str) else type(owner).__name__
    return ParameterError(f"The 'hierarchies' parameter of {who} must give column {column!r} {requirement}.")


def _numbered(levels: pd.DataFrame) -> Hierarchy:
    paths, names, covers, size = [], [], [], 0
    for depth in levels.columns:
        codes, own = pd.factorize(levels[depth])
        paths.append(codes + size)
        names.append(np.asarray(own, dtype=object))
        covers.append((np.bincount(codes) - 1) / max(len(levels) - 1, 1))
        size += len(own)
    leaves = levels[levels.columns[-1]].tolist()
    return Hierarchy(leaves, np.column_stack(paths), np.concatenate(names), np.concatenate(covers))
