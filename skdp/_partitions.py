"""What is done to one partition of a table that lies in many, wherever that runs; nothing here knows of Dask."""

import copy
import hashlib
import hmac
import os
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skdp import _frames, _levels, _passage
from skdp._checks import MissingColumnError, check_unique_names, without_cells
from skdp._passage import DRAWING, NOISE, is_seeded
from skdp._streams import root, rows_before
from skdp.metrics._counts import ClassCounts, tally

_FEW = 20


class PartitionError(ValueError):
    """A partition that cannot be worked on. The message names it, and the step, and holds no cell of the data."""


class Secret:
    """A key of this process alone, from which each piece of work gets a number of its own.

    The same piece gets the same number when it is done again, and nobody without the key can tell it from a random one:
    numbers are HMAC-SHA-256 (RFC 2104) of the piece's name.
    """

    def __init__(self):
        self._key = os.urandom(32)
        if len(self._key) != 32:
            raise OSError("The operating system gave too few random bytes.")

    def number(self, *name: Any) -> int:
        """Return the number of 256 bits for this name."""
        return int.from_bytes(hmac.digest(self._key, repr(name).encode(), "sha256"), "big")

    def __repr__(self):
        return "<secret>"  # Dask logs what a task was called with


class Place(NamedTuple):
    """Which partition of a table this is, and which row of the table is its first."""

    number: int
    first: int


class Shape(NamedTuple):
    """How many rows a partition has, and a table like it without any."""

    rows: int
    empty: pd.DataFrame


class Summary(NamedTuple):
    """A step that has seen some partitions, and what it warned of."""

    step: Any
    warnings: list[str]


@dataclass(frozen=True, repr=False)
class Chain:
    """Fitted steps that a partition goes through, one after the other.

    Steps that draw without a seed do so by a number of their own for each partition. So two of these never share a
    draw; and one that is worked on again, because its worker died or its result was asked for twice, gets the draws it
    had. The number depends on the values to be noised, too: should the partition hold others this time, the noise is
    fresh. Steps with a seed are told where in the table the partition begins: none in front of them drops rows, or the
    table is the one that is left behind those (`skdp._dask_tables.Steps`).

    Parameters
    ----------
    steps : sequence of (str, estimator)
        Fitted, as `portable` makes them.
    secret : Secret
        What draws without a seed come from.
    dtypes : Series or None
        The dtype of each column of the whole table; None leaves partitions as they are.
    drops : bool, default=True
        Whether steps that drop rows do.
    dtypes_out : dict, optional
        The dtypes of what comes out, for partitions without rows, of which steps cannot tell.
    gone : dict of column name to set, default={}
        The categories that no row of the whole table has any more, and that are not to be named.
    """

    steps: Sequence[tuple[str, Any]]
    secret: Secret
    dtypes: Any = None
    drops: bool = True
    dtypes_out: Any = None
    gone: Mapping[str, Collection] = field(default_factory=dict)

    def run(self, part: pd.DataFrame, place: Place) -> pd.DataFrame:
        """Return the partition as the last step leaves it."""
        part = self._uniform(part, place)
        for name, step in self.steps:
            with naming(place.number, name, step):
                part = self._done(name, step, part, place)
                if not isinstance(part, pd.DataFrame):
                    raise PartitionError("must put out a frame; call its set_output(transform='pandas')")
        if self.gone:
            part = _frames.without_categories(_frames.read(part), self.gone).to_native()
        return part if self.dtypes_out is None or len(part) else part.astype(self.dtypes_out)

    def _uniform(self, part: pd.DataFrame, place: Place) -> pd.DataFrame:
        """Return the partition with the dtypes of the whole table."""
        if self.dtypes is None:
            return part
        _check_same_columns(place.number, list(part.columns), list(self.dtypes.index))
        other = {name: dtype for name, dtype in self.dtypes.items() if part[name].dtype != dtype}
        return part.astype(other) if other else part

    def _done(self, name: str, step: Any, part: pd.DataFrame, place: Place) -> Any:
        drops = self.drops and hasattr(step, "release")
        if isinstance(step, DRAWING) and not is_seeded(step):
            step = copy.copy(step)
            step.random_state = self.secret.number(name, "partition", place.number, _digest(step, part))
            place = Place(place.number, 0)
        with rows_before(place.first):
            return step.release(part)[0] if drops else step.transform(part)


def steps_of(estimator: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Return the steps of a pipeline, of pipelines in it, too; or a step alone."""
    if not isinstance(estimator, Pipeline):
        nested = estimator.get_params().values() if hasattr(estimator, "get_params") else ()
        if any(isinstance(part, DRAWING) or hasattr(part, "partial_fit") for part in nested):
            raise ValueError(
                f"{type(estimator).__name__} holds steps that draw or learn. Over partitions only a Pipeline may: take "
                "them out, and name their columns with 'columns'."
            )
        return [(prefix.removesuffix("__") or type(estimator).__name__.lower(), estimator)]
    found = []
    for name, step in estimator.steps:
        if step is not None and step != "passthrough":
            found += steps_of(step, f"{prefix}{name}__")
    return found


def is_charged(step: Any) -> bool:
    return isinstance(step, NOISE) and step.ledger is not None


def charge(step: Any, rows: int, purpose: str) -> None:
    step.ledger.charge(step.privacy_guarantee_, estimator=type(step).__name__, rows=rows, purpose=purpose)


def portable(step: Any) -> Any:
    """Return a copy of a step for the workers: without a ledger, since the client charges, and its seed an integer."""
    step = copy.copy(step)
    if hasattr(step, "ledger"):
        step.ledger = None
    if is_seeded(step):
        step.random_state = sum(word << 32 * place for place, word in enumerate(root(step, step.random_state)))
    return step


@contextmanager
def naming(number: int, name: str, step: Any) -> Iterator[None]:
    """Put the partition and the step in front of what is raised, and leave out what may hold a cell.

    A column that is missing is the whole table's fault: its partitions have the same columns.
    """
    whole = False
    try:
        yield
    except (PartitionError, MissingColumnError) as error:
        message, whole = str(error), isinstance(error, MissingColumnError)
    except Exception as error:
        message = without_cells(error, "partition")
    else:
        return
    if whole:
        raise MissingColumnError(message)
    raise PartitionError(f"Partition {number}, step {name!r} ({type(step).__name__}): {message}")


def describe(part: pd.DataFrame) -> Shape:
    """Return what the client has to know of a partition."""
    return Shape(len(part), part.iloc[:0])


def common_table(shapes: Sequence[Shape]) -> pd.DataFrame:
    """Return a table without rows, of the dtypes that pandas gives all partitions put together.

    Raises
    ------
    PartitionError
        If a partition has other columns than the first, or these in another order.
    ValueError
        If two columns have one name.
    """
    first = list(shapes[0].empty.columns)
    check_unique_names(first)
    for number, shape in enumerate(shapes):
        _check_same_columns(number, list(shape.empty.columns), first)
    filled = [shape.empty for shape in shapes if shape.rows] or [shapes[0].empty]
    columns = {name: _common_column([table[name] for table in filled]) for name in first}
    return pd.DataFrame(columns, columns=shapes[0].empty.columns)


def _check_same_columns(number: int, columns: list, first: list) -> None:
    if columns == first:
        return
    if len(columns) == len(first) and set(columns) == set(first):
        raise PartitionError(f"Partition {number} has its columns in another order than those before it.")
    raise PartitionError(f"Partition {number} has other columns than those before it.")


def cut_out(parts: Sequence[pd.DataFrame], start: int, stop: int) -> pd.DataFrame:
    """Return some rows of partitions that follow each other."""
    held = parts[0] if len(parts) == 1 else pd.concat(parts)
    return held.iloc[start:stop]


def fitted(chain: Chain, part: pd.DataFrame, place: Place, name: str, step: Any) -> Summary | None:
    """Return the step fitted to a partition as the steps before it release that; None where no row is left."""
    part = chain.run(part, place)
    if not len(part):
        return None
    with naming(place.number, name, step), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        step = copy.copy(step).fit(part)
    return Summary(step, _told_warnings(caught))


def summary(chain: Chain, part: pd.DataFrame, place: Place, name: str, step: Any) -> Summary | None:
    """Return the step as it is when it has seen this partition alone, in parts; None where no row is left."""
    part = chain.run(part, place)
    if not len(part):
        return None
    with naming(place.number, name, step):
        return Summary(clone(step).partial_fit(part), [])


def merged(one: Summary | None, other: Summary | None) -> Summary | None:
    """Return what two steps have seen together; neither is changed, as Dask may need it again."""
    if one is None or other is None:
        return one or other
    step = copy.deepcopy(one.step)
    step.merge(other.step)
    return Summary(step, [])


def first_of_each(chain: Chain, part: pd.DataFrame, place: Place, column: str) -> pd.DataFrame:
    """Return the first row of each value of a column, in a partition as some steps release it."""
    return _passage.first_of_each(chain.run(part, place), column)


def values_of(chain: Chain, part: pd.DataFrame, place: Place, name: str, step: Any) -> dict:
    """Return the values of each column that a KAnonymizer's classes depend on, as some steps release a partition."""
    part = chain.run(part, place)
    with naming(place.number, name, step):
        return step._values(_frames.read(part))


def merged_values(one: dict, other: dict, name: str, step: Any) -> dict:
    """Return the values of both."""
    try:
        return {column: values.merged(other[column]) for column, values in one.items()}
    except Exception as error:
        message = without_cells(error, "table")
    raise PartitionError(f"Step {name!r} ({type(step).__name__}): {message}")


def records_of(chain: Chain, part: pd.DataFrame, place: Place, name: str, step: Any, coding: Any) -> Any:
    """Return the records that a KAnonymizer classifies, as some steps release a partition."""
    part = chain.run(part, place)
    with naming(place.number, name, step):
        return coding.records(_frames.read(part))


def outline(chain: Chain, part: pd.DataFrame, place: Place) -> pd.DataFrame:
    """Return what comes out for a few rows of a partition, without any of these."""
    return chain.run(part.head(_FEW), place).iloc[:0]


def listed_categories(chain: Chain, part: pd.DataFrame, place: Place) -> dict[str, _frames.Listed]:
    """Return the categories of each column of a partition, as some steps release it."""
    return _frames.listed_categories(_frames.read(chain.run(part, place)))


def merged_categories(one: dict[str, _frames.Listed], other: dict[str, _frames.Listed]) -> dict[str, _frames.Listed]:
    """Return the categories of both."""
    both = {column: own.merged(other[column]) for column, own in one.items() if column in other}
    return {**one, **other, **both}


def count_rows(chain: Chain, part: pd.DataFrame, place: Place) -> int:
    """Return how many rows of a partition are left behind some steps."""
    return len(chain.run(part, place))


def describe_behind(chain: Chain, part: pd.DataFrame, place: Place) -> Shape:
    """Return what the client has to know of a partition behind some steps."""
    return describe(chain.run(part, place))


def count_classes(part: pd.DataFrame, columns: list) -> ClassCounts:
    """Return the equivalence classes of a partition; a missing value is a value of its own."""
    return _counted(part[columns].reset_index(drop=True), np.ones(len(part), dtype=np.int64))


def merge_classes(one: ClassCounts, other: ClassCounts) -> ClassCounts:
    """Return the equivalence classes of two parts of a table put together, with the dtypes of the whole."""
    held = [counts for counts in (one, other) if len(counts.sizes)] or [one]
    if len(held) == 1:
        return held[0]
    dtypes = common_table([describe(counts.classes) for counts in held]).dtypes.to_dict()
    classes = pd.concat([counts.classes.astype(dtypes) for counts in held], ignore_index=True)
    return _counted(classes, np.concatenate([counts.sizes for counts in held]))


def _counted(table: pd.DataFrame, weights: np.ndarray) -> ClassCounts:
    if not len(table):
        return ClassCounts(table, weights)
    codes, size = _levels.factorise(_frames.read(table), table.columns)
    sizes = tally(codes, size, weights)
    first = np.full(size, len(table))
    np.minimum.at(first, codes, np.arange(len(table)))
    return ClassCounts(table.iloc[first].reset_index(drop=True), sizes)


def _digest(step: Any, part: pd.DataFrame) -> str:
    """Return a digest of the values that a step adds noise to."""
    if not isinstance(step, NOISE):
        return ""
    columns = list(step.privacy_guarantee_.columns)
    if not columns:
        return ""
    return hashlib.sha256(pd.util.hash_pandas_object(part[columns], index=False).to_numpy().tobytes()).hexdigest()


def _common_column(columns: list[pd.Series]) -> pd.Series:
    distinct = list({column.dtype: column for column in columns}.values())
    if len(distinct) > 1 and all(isinstance(column.dtype, pd.CategoricalDtype) for column in distinct):
        try:
            return pd.Series(pd.api.types.union_categoricals(distinct))
        except TypeError:  # of different orders, or different kinds
            return pd.Series(dtype=object)
    return distinct[0] if len(distinct) == 1 else pd.concat(distinct, ignore_index=True)


def _told_warnings(caught: list) -> list[str]:
    return list(dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)))
