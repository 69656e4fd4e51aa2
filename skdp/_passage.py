"""Chunks of a table on their way through fitted steps, each with its place among the rows that are left.

What a step draws by a seed depends on where its rows are in the table that it would be handed in memory
(`skdp._streams`). So chunks are counted again behind steps that drop rows; and a FakerSynthesizer, which draws a block
of rows together, by their other columns, is handed whole blocks.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skdp._streams import rows_before
from skdp.cleaning import PIICleaner
from skdp.gaussian import GaussianNoise
from skdp.imputation import DistributionImputer
from skdp.noise import LaplaceNoise, RandomizedResponse
from skdp.pipeline import Pipeline
from skdp.specifications import Choice
from skdp.synthesis import BLOCK_ROWS, FakerSynthesizer

NOISE = (LaplaceNoise, GaussianNoise, RandomizedResponse)
DRAWING = (*NOISE, DistributionImputer, FakerSynthesizer)


def is_seeded(step: Any) -> bool:
    """Whether a step draws, and the same again."""
    return isinstance(step, DRAWING) and step.random_state is not None


def may_drop(step: Any) -> bool:
    """Whether a step may leave out rows of a table that is released."""
    if isinstance(step, PIICleaner) and not (step.drop and step.addresses):
        return False
    return hasattr(step, "release") and getattr(step, "action", "drop") == "drop"


def reads_genders(step: Any, columns: Collection) -> bool:
    """Whether a step has to see all values of a column: what M stands for in one of genders is told by all of it."""
    return isinstance(step, PIICleaner) and step.gender in columns


def are_never_stated(made: Any) -> bool:
    """Whether the values of a column, made as a schema says, are all missing."""
    return isinstance(made, Choice) and set(made.values) == {None}


def first_of_each(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the first row of each value of a column: what there is to learn of genders."""
    return table.drop_duplicates(column)


def first_of_both(one: pd.DataFrame, other: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the first row of each value of a column, of two such tables."""
    return first_of_each(pd.concat([one, other]), column)


class Part(NamedTuple):
    """A chunk, and what steps have made of it.

    Attributes
    ----------
    number : int
        Which chunk it is.
    first : int
        How many rows of the chunks before are left.
    before : pandas.DataFrame
        The chunk.
    table : pandas.DataFrame
        What is left of it.
    keep : ndarray of bool
        Which rows of the chunk these are.
    """

    number: int
    first: int
    before: pd.DataFrame
    table: Any
    keep: np.ndarray

    def through(self, steps: list) -> "Part":
        """Return the part as fitted steps release it."""
        with rows_before(self.first):
            table, kept = Pipeline(steps).release(self.table)
        keep = self.keep.copy()
        keep[keep] = kept
        return self._replace(table=table, keep=keep)


def in_order(items: Iterable, function: Callable[[Any], Any], jobs: int) -> Iterator:
    """Yield ``function(item)`` for each item in turn, worked on by `jobs` threads.

    Items are taken one by one as there is room: no more than ``jobs + 1`` are in work or wait to be fetched.

    Examples
    --------
    >>> list(in_order(range(5), lambda number: number**2, 2))
    [0, 1, 4, 9, 16]
    """
    waiting: deque = deque()
    pool = ThreadPoolExecutor(jobs)
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) > jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:  # without waiting: what nobody goes on with may be swept by one of these very threads
        pool.shutdown(wait=False, cancel_futures=True)


def stages(steps: Sequence[tuple[str, Any]]) -> list[list]:
    """Return steps in runs, which chunks go through one by one; the last run may have none.

    A run begins where a step draws by a seed behind one that may drop rows: by then the chunks before need to have gone
    through the runs before, and no further. A seeded FakerSynthesizer is a run by itself, and never the last.
    """
    found: list[list] = [[]]
    dropped = False
    for name, step in steps:
        if _draws_blocks(step):
            found += [[(name, step)], []]
            dropped = False
            continue
        if dropped and is_seeded(step):
            found.append([])
            dropped = False
        found[-1].append((name, step))
        dropped |= may_drop(step)
    return [*filter(None, found[:-1]), found[-1]]


def passed(chunks: Iterable[pd.DataFrame], runs: list[list], jobs: int) -> Iterator[Part]:
    """Yield chunks as runs of fitted steps release them, worked on by `jobs` threads for each run."""
    parts = _placed(Part(0, 0, chunk, chunk, np.ones(len(chunk), dtype=bool)) for chunk in chunks)
    for steps in runs:
        if any(_draws_blocks(step) for _, step in steps):
            parts = _placed(_in_blocks(parts, steps, jobs))
        else:
            parts = _placed(in_order(parts, partial(Part.through, steps=steps), jobs))
    return parts


def _draws_blocks(step: Any) -> bool:
    return isinstance(step, FakerSynthesizer) and is_seeded(step)


def _placed(parts: Iterable[Part]) -> Iterator[Part]:
    first = 0
    for number, part in enumerate(parts):
        yield part._replace(number=number, first=first)
        first += len(part.table)


def _in_blocks(parts: Iterable[Part], steps: list, jobs: int) -> Iterator[Part]:
    """Yield parts as a step leaves them that keeps every row and is handed whole blocks of the table."""
    held: deque[Part] = deque()

    def blocks() -> Iterator[tuple[int, pd.DataFrame]]:
        first, rest = 0, None
        for part in parts:
            held.append(part)
            rest = _joined(rest, part.table)
            if whole := len(rest) // BLOCK_ROWS * BLOCK_ROWS:
                yield first, rest.iloc[:whole]
                first, rest = first + whole, rest.iloc[whole:]
        if rest is not None:
            yield first, rest

    def drawn(block: tuple[int, pd.DataFrame]) -> pd.DataFrame:
        first, table = block
        with rows_before(first):
            return Pipeline(steps).transform(table)

    done = None
    for table in in_order(blocks(), drawn, jobs):
        done = _joined(done, table)
        while held and len(held[0].table) <= len(done):
            part = held.popleft()
            rows = len(part.table)
            yield part._replace(table=done.iloc[:rows])
            done = done.iloc[rows:]


def _joined(one: pd.DataFrame | None, other: pd.DataFrame) -> pd.DataFrame:
    """Return two tables as one; those without rows have dtypes of their own."""
    if one is None or not len(one):
        return other
    return pd.concat([one, other]) if len(other) else one
