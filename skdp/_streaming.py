"""Tables that pass through in pieces: made, cleaned and written side by side, few of them in memory at a time."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from skdp import _frames
from skdp._folders import PartFolder
from skdp._passage import Part, are_never_stated, in_order, passed, stages
from skdp._streams import rows_before
from skdp.pipeline import Pipeline
from skdp.synthesis import BLOCK_ROWS, FakerSynthesizer

CHUNK_ROWS = 4 * BLOCK_ROWS


def default_jobs() -> int:
    """Return how many threads work where nothing else is said: a core each, at most 4."""
    available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return min(len(available), 4)


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
    columns : list
        The columns that may hold values.
    """

    def __init__(self, synthesizer: FakerSynthesizer, request: Any, jobs: int):
        self.none = synthesizer.fit(request.iloc[:0]).transform(request.iloc[:0])
        schema = synthesizer.schema if isinstance(synthesizer.schema, Mapping) else {}
        self.columns = [name for name in self.none if not are_never_stated(schema.get(name))]
        self.synthesizer = synthesizer.fit(request)
        self.request = request
        self.jobs = jobs
        self.total = synthesizer.plan(request).total

    def __iter__(self) -> Iterator[Any]:
        return self.passed_to(lambda block: block)

    def passed_to(self, function: Callable[[Any], Any], start: int = 0) -> Iterator[Any]:
        """Yield what a function, told where it begins, makes of each block in turn, from the record `start` on."""
        plan = self.synthesizer.plan(self.request)
        lows = [start, *range(start // BLOCK_ROWS * BLOCK_ROWS + BLOCK_ROWS, self.total, BLOCK_ROWS)]
        spans = zip(lows, [*lows[1:], self.total], strict=True)

        def at(low: int, block: Any) -> Any:
            with rows_before(low):
                return function(block)

        if plan.in_order:
            made = ((span[0], plan.rows(*span)) for span in spans)
            return in_order(made, lambda one: at(*one), self.jobs)
        return in_order(spans, lambda span: at(span[0], plan.rows(*span)), self.jobs)


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
    for table, keep in _released(records, rest, start):
        first, stop = start, start + len(keep)
        for end in [*range(start // rows * rows + rows, stop, rows), stop]:
            kept = int(keep[start - first : end - first].sum())
            yield table[:kept], end - start, end % rows == 0
            table, start = table[kept:], end


def _released(records: Records, rest: Any, start: int) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """Yield blocks as the steps release them, from the record `start` on, and which of their records are kept.

    Where a step draws by a seed behind one that drops records, those before `start` are made, too, to be counted.
    """
    *front, last = stages(rest.steps)

    def finished(block: Any) -> tuple[pa.Table, np.ndarray]:
        table, keep = Pipeline(last).release(block)
        return pa.table(_frames.arrow_table(table)), keep

    def behind(part: Part) -> tuple[pa.Table, np.ndarray]:
        part = part.through(last)
        return pa.table(_frames.arrow_table(part.table)), part.keep

    if not front:
        yield from records.passed_to(finished, start)
        return
    for table, keep in in_order(passed(records, front, records.jobs), behind, records.jobs):
        skipped = min(start, len(keep))
        start -= skipped
        if skipped < len(keep) or not len(keep):
            yield table[int(keep[:skipped].sum()) :], keep[skipped:]


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
