"""Tables in Dask partitions, and steps that learn from them; nothing here is public."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from skdp._checks import MissingColumnError
from skdp._chunkwise import learns_nothing
from skdp._coding import added
from skdp._frames import Listed
from skdp._partitions import (
    Chain,
    PartitionError,
    Place,
    Secret,
    Shape,
    charge,
    common_table,
    count_rows,
    cut_out,
    describe,
    describe_behind,
    first_of_each,
    fitted,
    is_charged,
    listed_categories,
    merged,
    merged_categories,
    merged_values,
    outline,
    portable,
    records_of,
    summary,
    values_of,
)
from skdp._passage import are_never_stated, first_of_both, is_seeded, may_drop, reads_genders
from skdp.anonymity import KAnonymizer
from skdp.cleaning import PIICleaner
from skdp.synthesis import BLOCK_ROWS, FakerSynthesizer


class Table:
    """A table in partitions, of which the client knows how many rows each has."""

    def __init__(
        self,
        parts: Sequence,
        shapes: Sequence[Shape],
        sample: pd.DataFrame | None = None,
        schema: Mapping | None = None,
    ):
        self.parts = list(parts)
        self.rows = [shape.rows for shape in shapes]
        self.empty = common_table(shapes)
        self.sample = sample  # a few rows as good as those of any partition: of fictitious records
        self.schema = schema
        self.places = [Place(number, int(first)) for number, first in enumerate(np.cumsum([0, *self.rows[:-1]]))]

    def behind(self, chain: Chain) -> "Table":
        """Return the table as the chain leaves it; each partition is computed once to count its rows."""
        shapes = computed(self.done(describe_behind, chain), self.parts)
        sample = None if self.sample is None else chain.run(self.sample, Place(0, 0))
        sample = None if sample is None or not len(sample) else sample
        return Table(self.done(Chain.run, chain), shapes, sample, self.schema)

    @property
    def is_in_blocks(self) -> bool:
        """Whether partitions are runs of whole blocks of a FakerSynthesizer, but the last."""
        return not any(place.first % BLOCK_ROWS for place in self.places if self.rows[place.number])

    def in_blocks(self) -> "Table":
        """Return the table in partitions that are: rows are moved between neighbours."""
        ends = np.cumsum(self.rows)
        total = int(ends[-1])
        edges = np.unique(np.append(np.round(ends[:-1] / BLOCK_ROWS).astype(np.int64) * BLOCK_ROWS, [0, total]))
        edges = edges[edges <= total] if total else np.zeros(2, dtype=np.int64)
        cut, parts = delayed(cut_out), []
        for start, stop in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            held = [
                place for place in self.places if place.first < stop and place.first + self.rows[place.number] > start
            ]
            held = held or self.places[:1]
            exact = len(held) == 1 and (start, stop) == (held[0].first, held[0].first + self.rows[held[0].number])
            own = [self.parts[place.number] for place in held]
            parts.append(own[0] if exact else cut(own, start - held[0].first, stop - held[0].first))
        return Table(parts, [Shape(int(rows), self.empty) for rows in np.diff(edges)], self.sample, self.schema)

    def done(self, function: Callable, chain: Chain, *more: Any, where: Sequence[int] | None = None) -> list:
        """Return tasks: a function of the chain, a partition, and its place."""
        task, steps = delayed(function), shared(chain)
        places = self.places if where is None else [self.places[number] for number in where]
        return [task(steps, self.parts[place.number], place, *more) for place in places]

    def frame(self, empty: pd.DataFrame, chain: Chain | None = None) -> Any:
        """Return a Dask DataFrame of the partitions, as the chain leaves them."""
        from dask import config, dataframe

        parts = self.parts if chain is None else self.done(Chain.run, chain)
        with config.set({"dataframe.convert-string": False}):  # pandas' own text is Arrow's already
            return dataframe.from_delayed(parts, meta=empty, verify_meta=False, prefix="skdp")


class Steps:
    """Steps that partitions go through, those that draw by a seed told at which row of their table these begin."""

    def __init__(self, steps: Sequence[tuple[str, Any]], table: Table, *, drops: bool = True):
        self.steps, self.secret, self.drops = steps, Secret(), drops
        self.whole = table
        self.table = table  # as the steps in front of `start` leave it
        self.start = 0
        self.seeds: dict[str, int] = {}  # what a generator gave must not change from one chain to the next

    def chain(self, position: int) -> Chain:
        """Return what partitions of the table go through in front of a step."""
        portables = [(name, self._portable(name, step)) for name, step in self.steps[self.start : position]]
        return Chain(portables, self.secret, self.table.empty.dtypes if self.drops else None, self.drops)

    def find_rows(self, position: int) -> None:
        """See to it that a step is told of its rows, if it draws by them: rows that others dropped do not count."""
        step, front = self.steps[position][1], self.steps[self.start : position]
        moves = isinstance(step, FakerSynthesizer) and not self.table.is_in_blocks
        if not is_seeded(step) or not (moves or any(self._drops(one) for _, one in front)):
            return
        if front:
            self.table, self.start = self.table.behind(self.chain(position)), position
        if isinstance(step, FakerSynthesizer):
            self.table = self.table.in_blocks()

    def gone(self, chain: Chain) -> dict[str, set]:
        """Return the categories, by column, that no row that the chain leaves has, but for public ones.

        These are such as no row of the table had, and labels in an order that a step has made. Where no step drops
        rows, or there are no categories, nothing is computed.
        """
        listed = any(isinstance(dtype, pd.CategoricalDtype) for dtype in self.whole.empty.dtypes)
        if not listed or not any(self._drops(step) for _, step in self.steps):
            return {}
        before = self.whole.done(listed_categories, Chain((), self.secret))
        after = self.table.done(listed_categories, chain)
        held, left = computed([in_a_tree(tasks, merged_categories) for tasks in (before, after)], self.whole.parts)
        gone = {}
        for column, own in left.items():
            had = held.get(column, Listed(set(), set(), False))
            gone[column] = (own.all - own.used) & (had.used if own.ordered else own.all - (had.all - had.used))
        return gone

    def _drops(self, step: Any) -> bool:
        return may_drop(step) and (self.drops or getattr(step, "drop_at", "fit") == "always")

    def _portable(self, name: str, step: Any) -> Any:
        step = portable(step)
        if is_seeded(step):
            step.random_state = self.seeds.setdefault(name, step.random_state)
        return step


class Learning(Steps):
    """Fits steps one after the other, each to the table as those before it release that."""

    def released(self) -> Any:
        """Return a Dask DataFrame of the table as the fitted steps release it."""
        chain, table = self.chain(len(self.steps)), self.table
        if table.sample is not None:
            empty = chain.run(table.sample, Place(0, 0)).iloc[:0]
        else:
            chain = replace(chain, gone=self.gone(chain))
            filled = [number for number, rows in enumerate(table.rows) if rows]
            [empty] = computed(table.done(outline, chain, where=filled[:1] or [0]), table.parts)
        return table.frame(empty, replace(chain, dtypes_out=empty.dtypes.to_dict()))

    def fit(self, *, last_draws: bool) -> None:
        """Fit the steps in place, and charge those that draw noise before any of it is drawn."""
        for position, (name, step) in enumerate(self.steps):
            self.find_rows(position)
            front = self.chain(position)
            self._adopt(step, self._fitted(name, step, front))
            if is_charged(step) and (last_draws or position < len(self.steps) - 1):
                charge(step, self._rows(front), "release")

    def _fitted(self, name: str, step: Any, front: Chain) -> Any:
        """Return a copy of the step that has learned from all partitions."""
        filled = [number for number, rows in enumerate(self.table.rows) if rows]
        empty = front.run(self.table.empty, Place(0, 0))
        own = name, shared(portable(step))
        _check_findable(name, step)
        if isinstance(step, KAnonymizer):
            return self._anonymized(name, step, front, empty, filled or [0])
        if hasattr(step, "partial_fit") and hasattr(step, "merge"):
            seen = self.table.done(summary, front, *own, where=filled or [0])
            [found] = computed([in_a_tree(seen, merged)], self.table.parts)
        elif reads_genders(step, empty.columns) and not are_never_stated((self.table.schema or {}).get(step.gender)):
            seen = self.table.done(first_of_each, front, step.gender, where=filled or [0])
            stated = in_a_tree(seen, first_of_both, step.gender)
            alone = delayed(fitted)(Chain((), self.secret), stated, Place(0, 0), *own)
            [found] = computed([alone], self.table.parts)
        elif not (isinstance(step, PIICleaner) or learns_nothing(step, set(empty.columns), empty)):
            raise ValueError(
                f"Step {name!r} ({type(step).__name__}) learns from the whole table, and cannot merge what it learns "
                "from its parts. Give noise 'columns' and 'bounds'; fit others in memory, and use transform here."
            )
        elif self.table.sample is not None:
            found = fitted(front, self.table.sample, Place(0, 0), name, portable(step))
        else:
            tasks = (self.table.done(fitted, front, *own, where=[number]) for number in filled)
            found = next((one for task in tasks for one in computed(task, self.table.parts) if one is not None), None)
        if found is None:
            raise ValueError(f"Step {name!r} ({type(step).__name__}): there are no rows to fit it to.")
        for message in found.warnings:
            warnings.warn(message, UserWarning, stacklevel=5)
        return found.step

    def _anonymized(self, name: str, step: KAnonymizer, front: Chain, empty: pd.DataFrame, where: list[int]) -> Any:
        """Return a copy of the step that has learned from all partitions, whose records stay where they are."""
        step._read(empty, reset=True)
        learned = portable(step)
        known = name, shared(learned)
        seen = self.table.done(values_of, front, *known, where=where)
        [values] = computed([in_a_tree(seen, merged_values, *known)], self.table.parts)
        if not any(one.counts.sum() for one in values.values()):
            raise ValueError(f"Step {name!r} ({type(step).__name__}): there are no rows to fit it to.")

        def pieces_of(coding):
            tasks = self.table.done(records_of, front, *known, coding := shared(coding), where=where)
            return CodedPieces(tasks, coding, self.table.parts)

        learned._learn_pieces(list(empty.columns), values, pieces_of)
        return learned

    def _adopt(self, step: Any, learned: Any) -> None:
        """Give a step what its copy has learned; its parameters stay."""
        parameters = step.get_params(deep=False)
        vars(step).update({name: value for name, value in vars(learned).items() if name not in parameters})
        if hasattr(step, "finish"):
            try:
                step.finish()  # which charges what is learned at a price
            finally:
                vars(step).pop("_collected", None)  # values of the table, where the charge was refused

    def _rows(self, front: Chain) -> int:
        """Return how many rows come out of the steps in front."""
        if not any(may_drop(step) for _, step in front.steps):
            return sum(self.table.rows)
        return sum(computed(self.table.done(count_rows, front), self.table.parts))


class CodedPieces:
    """The coded records of partitions, held by the workers: what `skdp._coarse_classes` cuts.

    Parameters
    ----------
    tasks : list of Delayed
        Each gives the records of one partition.
    coding : Delayed
        What the codes mean.
    parts : sequence of Delayed
        The partitions of the table, to find the one that cannot be computed.
    """

    def __init__(self, tasks: list, coding: Any, parts: Sequence):
        self.parts = parts
        self.coding, *self.records = computed([coding, *tasks], parts, stay=True)
        self.n_records = sum(computed([delayed(len)(one) for one in self.records], parts))

    def summed(self, count: Callable, finish: Callable, *more: Any) -> Any:
        task, more = delayed(count), tuple(map(shared, more))
        total = in_a_tree([task(one, self.coding, *more) for one in self.records], added)
        return computed([delayed(finish)(total, self.coding, *more)], self.parts)[0]

    def regrouped(self, split: Callable, n_groups: int, gather: Callable, *more: Any) -> list:
        task, more = delayed(split), tuple(map(shared, more))
        shares = [task(one, self.coding, *more) for one in self.records]
        groups = [[own[group] for own in shares] for group in range(n_groups)]
        return computed([delayed(gather)(group, self.coding) for group in groups], self.parts)


def _check_findable(name: str, step: Any) -> None:
    """Raise where rows could not be told again into which class they were put."""
    if isinstance(step, KAnonymizer) and step.relaxed:
        raise ValueError(
            f"Step {name!r} (KAnonymizer) with 'relaxed' does not work over partitions: which class a row was put into "
            "cannot be told by its values then. Set relaxed=False."
        )


def table_of(ddf: Any) -> Table:
    """Return a Dask DataFrame as a table, of which each partition is computed once to count its rows."""
    parts = ddf.to_delayed()
    look = delayed(describe)
    return Table(parts, computed([look(part) for part in parts], parts))


def outline_of(chain: Chain, table: Table) -> pd.DataFrame:
    """Return what fitted steps make of a table whose partitions are not looked at, without any rows."""
    from dask.dataframe.utils import meta_nonempty

    try:
        return chain.run(meta_nonempty(table.empty), Place(0, 0)).iloc[:0]
    except PartitionError:  # a step may not take values made up by Dask
        return chain.run(table.empty, Place(0, 0))


def delayed(function: Callable) -> Any:
    from dask import delayed as wrap

    return wrap(function, pure=False, traverse=False)


def shared(thing: Any) -> Any:
    """Return something that many tasks take, as one that is sent to each worker once."""
    from dask import delayed as wrap

    return wrap(thing, pure=False, traverse=False)


def in_a_tree(tasks: list, merge: Callable, *more: Any) -> Any:
    """Return one task, of what all tasks give, merged two by two."""
    both = delayed(merge)
    while len(tasks) > 1:
        pairs = [both(one, other, *more) for one, other in zip(tasks[::2], tasks[1::2], strict=False)]
        tasks = pairs + tasks[2 * len(pairs) :]
    return tasks[0]


def computed(tasks: list, parts: Sequence, *, stay: bool = False) -> list:
    """Return what tasks give; raise one error, which holds no cell of the data, where one fails.

    `parts` are the partitions of the table that the tasks are about, to find the one that cannot be computed. What is
    to `stay` with the workers comes back as tasks that are done.
    """
    import dask

    try:
        return list(dask.persist(*tasks) if stay else dask.compute(*tasks))
    except (PartitionError, MissingColumnError, MemoryError):
        raise
    except Exception as error:
        kind = type(error).__name__
    raise _partition_error(kind, parts)


def _partition_error(kind: str, parts: Sequence) -> PartitionError:
    """Return the error for a table of which a partition cannot be computed, which is searched for."""
    import dask

    if kind == "KilledWorker":
        return PartitionError(
            "Workers died again and again over one partition, of too little memory perhaps; make partitions smaller."
        )
    for number, part in enumerate(parts):
        try:
            dask.compute(delayed(len)(part))
        except Exception as again:
            return PartitionError(
                f"Partition {number} cannot be computed ({type(again).__name__}); what was raised may hold cells, and "
                "is not shown. Compute that partition alone to see it."
            )
    return PartitionError(f"A task failed ({kind}) though each partition can be computed; try again.")
