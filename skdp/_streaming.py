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


def synthesized(pipeline: Any, request: Any, jobs: int, start: int = 0) -> tuple[int, Iterator[pa.Table]]:
    """Return how many records a pipeline makes of a request, and what makes them, piece by piece.

    Parameters
    ----------
    pipeline : Pipeline
        Begins with a `FakerSynthesizer`; the steps behind it do to each piece what they do to the table.
    request : pandas.DataFrame
        What to make.
    jobs : int
        How many threads work.
    start : int, default=0
        The record to begin with.

    Returns
    -------
    total : int
        The number of records, those before `start` counted.
    pieces : iterator of pyarrow.Table
        The records from `start` on. The same, whatever the number of jobs, for a synthesizer with a seed.
    """
    pipeline.fit(request.iloc[:0])
    synthesizer, rest = pipeline[0], pipeline[1:]
    assert isinstance(synthesizer, FakerSynthesizer)
    plan = synthesizer.fit(request).plan(request)
    blocks = range(start // BLOCK_ROWS * BLOCK_ROWS, max(plan.total, 1), BLOCK_ROWS)

    def made(low: int) -> Any:
        return plan.rows(low, min(low + BLOCK_ROWS, plan.total))

    def cleaned(table: Any) -> pa.Table:
        return pa.table(_frames.arrow_table(rest.transform(table) if len(rest) else table))

    if plan.in_order:
        pieces = in_order(map(made, blocks), cleaned, jobs)
    else:
        pieces = in_order(blocks, lambda low: cleaned(made(low)), jobs)
    return plan.total, _without_first(pieces, start % BLOCK_ROWS)


def cut(pieces: Iterable[pa.Table], rows: int) -> Iterator[tuple[pa.Table, bool]]:
    """Yield pieces so cut that none stretches over two chunks of `rows`, and whether it is the last of its chunk.

    Examples
    --------
    >>> import pyarrow as pa
    >>> tables = [pa.table({"n": [1, 2, 3]}), pa.table({"n": [4, 5]})]
    >>> [(piece["n"].to_pylist(), last) for piece, last in cut(tables, 2)]
    [([1, 2], True), ([3], False), ([4], True), ([5], False)]
    """
    room = rows
    for piece in pieces:
        while len(piece) > room:
            yield piece[:room], True
            piece, room = piece[room:], rows
        room -= len(piece)
        yield piece, not room
        room = room or rows


def write_parts(folder: PartFolder, pieces: Iterable[pa.Table], rows: int, update: Callable[[int], None]) -> None:
    """Write pieces as parts of `rows` each, the last one of what is left; `update` is told of every piece."""
    stream = cut(pieces, rows)
    for piece, last in stream:
        with folder.write() as part:
            update(part.write(piece))
            while not last:
                piece, last = next(stream, (None, True))
                if piece is not None:
                    update(part.write(piece))


def _without_first(pieces: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    for piece in pieces:
        yield piece[rows:]
        rows = 0
