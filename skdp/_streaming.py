"""Tables that pass through in pieces: made, cleaned and written side by side, few of them in memory at a time."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from skdp import _frames
from skdp._folders import PartFolder
from skdp.synthesis import BLOCK_ROWS, FakerSynthesizer

CHUNK_ROWS = 4 * BLOCK_ROWS


def default_jobs() -> int:
    """Return how many threads work where nothing else is said: a core each, at most 4."""
    available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return min(len(available), 4)


def in_order(items: Iterable, function: Callable[[Any], Any], jobs: int) -> Iterator:
    """Yield ``function(item)`` for each item in turn, worked on by `jobs` threads.

    Items are taken one by one as there is room: no more than ``jobs + 1`` are in work or wait to be fetched.

    Examples
    --------
    >>> list(in_order(range(5), lambda number: number**2, 2))
    [0, 1, 4, 9, 16]
    """
    waiting: deque = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > jobs:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for one in waiting:
                one.cancel()


@contextmanager
def progress(total: int | None, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many records are done, how many a second, and the time left; call it with more of them."""
    from tqdm import tqdm

    shown = sys.stderr.isatty()
    with tqdm(
        total=total, initial=done, unit=" records", unit_scale=True, disable=not shown, leave=False, file=sys.stderr
    ) as bar:
        yield bar.update


class Records:
    """The records that a synthesizer makes of a request, in blocks.

    They can be gone through again and again, and are the same each time for a synthesizer with a seed, whatever the
    number of jobs.

    Parameters
    ----------
    synthesizer : FakerSynthesizer
        Is fitted to the request.
    request : pandas.DataFrame
        What to make.
    jobs : int
        How many threads work.

    Attributes
    ----------
    total : int
        How many records there are.
    none : pandas.DataFrame
        The table without any of them.
    """

    def __init__(self, synthesizer: FakerSynthesizer, request: Any, jobs: int):
        self.none = synthesizer.fit(request.iloc[:0]).transform(request.iloc[:0])
        self.synthesizer = synthesizer.fit(request)
        self.request = request
        self.jobs = jobs
        self.total = synthesizer.plan(request).total

    def __iter__(self) -> Iterator[Any]:
        return self.passed_to(lambda block: block)

    def passed_to(self, function: Callable[[Any], Any], start: int = 0) -> Iterator[Any]:
        """Yield what a function makes of each block in turn, from the record `start` on."""
        plan = self.synthesizer.plan(self.request)
        lows = [start, *range(start // BLOCK_ROWS * BLOCK_ROWS + BLOCK_ROWS, self.total, BLOCK_ROWS)]
        spans = zip(lows, [*lows[1:], self.total], strict=True)
        if plan.in_order:
            return in_order((plan.rows(*span) for span in spans), function, self.jobs)
        return in_order(spans, lambda span: function(plan.rows(*span)), self.jobs)


def synthesized(records: Records, rest: Any, rows: int, start: int = 0) -> Iterator[tuple[pa.Table, int, bool]]:
    """Yield records as the steps behind the synthesizer release them, none of the pieces over two chunks.

    Parameters
    ----------
    records : Records
        What is made.
    rest : Pipeline
        The other steps, fitted; perhaps none.
    rows : int
        How many records are made for a chunk. Where a step drops some, fewer are released.
    start : int, default=0
        The record to begin with, from which on steps draw.

    Yields
    ------
    piece : pyarrow.Table
        What is released.
    made : int
        Of how many records.
    last : bool
        Whether it is the last piece of its chunk.
    """

    def released(block: Any) -> tuple[pa.Table, Any]:
        table, keep = rest.release(block)
        return pa.table(_frames.arrow_table(table)), keep

    for table, keep in records.passed_to(released, start):
        first, stop = start, start + len(keep)
        for end in [*range(start // rows * rows + rows, stop, rows), stop]:
            kept = int(keep[start - first : end - first].sum())
            yield table[:kept], end - start, end % rows == 0
            table, start = table[kept:], end


def cut(table: pa.Table, rows: int) -> Iterator[tuple[pa.Table, int, bool]]:
    """Yield the chunks of a table as `synthesized` does.

    Examples
    --------
    >>> [(piece["n"].to_pylist(), made, last) for piece, made, last in cut(pa.table({"n": [1, 2, 3, 4, 5]}), 2)]
    [([1, 2], 2, True), ([3, 4], 2, True), ([5], 1, True)]
    """
    for low in range(0, max(len(table), 1), rows):
        piece = table[low : low + rows]
        yield piece, len(piece), True


def write_parts(
    folder: PartFolder, pieces: Iterable[tuple[pa.Table, int, bool]], update: Callable[[int], None]
) -> None:
    """Write pieces as parts, each up to the last piece of a chunk; `update` is told what each was made of."""
    stream = iter(pieces)
    for piece, made, last in stream:
        with folder.write() as part:
            part.write(piece)
            update(made)
            while not last:
                piece, made, last = next(stream, (None, 0, True))
                if piece is not None:
                    part.write(piece)
                    update(made)
