"""Pipelines that learn from a table and release it chunk by chunk, and what keeps others from it."""

import io
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import Binarizer

from skdp import _frames, _learned_files
from skdp._checks import MissingColumnError, ParameterError
from skdp._files import TableWriter
from skdp._passage import (
    DRAWING,
    NOISE,
    Part,
    first_of_both,
    first_of_each,
    in_order,
    is_seeded,
    may_drop,
    passed,
    reads_genders,
    stages,
)
from skdp._released import Account, Look
from skdp.anonymity import KAnonymizer
from skdp.binning import IntervalBinner, QuantileBinner
from skdp.cleaning import PIICleaner
from skdp.gaussian import GaussianNoise
from skdp.imputation import DistributionImputer
from skdp.noise import LaplaceNoise, RandomizedResponse
from skdp.outliers import OutlierDropper
from skdp.pipeline import Pipeline
from skdp.synthesis import FakerSynthesizer


class NotInChunks(Exception):  # noqa: N818
    """A step has to see the table at once; the message says which.

    Attributes
    ----------
    learned : int
        How many steps are in front of it, all of which have learned.
    """

    def __init__(self, step: Any, learned: int):
        super().__init__(f"{_kind(step)} cannot learn from this table in chunks")
        self.learned = learned


def obstacle(pipeline: Pipeline, chunk: pd.DataFrame, *, placed: bool = False) -> str | None:
    """Return why a pipeline has to see a table at once, None where chunks of it do.

    A step works in chunks where it learns nothing from the values (ranges, noise with public bounds), or learns chunk
    by chunk (it has `partial_fit`). What a step draws by a seed depends on which rows of the table these are; and a
    step that learns from columns that another drew has to see the very draws that are released, which a seed alone
    repeats.

    Parameters
    ----------
    pipeline : Pipeline
        Not fitted.
    chunk : pandas.DataFrame
        The first chunk of the table.
    placed : bool, default=False
        Whether steps are told where in the table their chunks begin, as by `released` and `learn`.

    Returns
    -------
    reason : str or None
        A sentence.
    """
    columns, drawn = set(chunk.columns), Drawn()
    for _, step in pipeline.steps:
        kind = _kind(step)
        if reads_genders(step, columns) or hasattr(step, "partial_fit"):
            if source := drawn.source_of({step.gender} if isinstance(step, PIICleaner) else _read_by(step)):
                return f"{kind} learns from what {source} drew"
        elif not learns_nothing(step, columns, chunk):
            return f"{kind} learns from the whole table"
        if not isinstance(step, (*NOISE, IntervalBinner)) and (source := drawn.source_of(_read_by(step))):
            drawn.add(None, source)  # in other columns, or by which rows are left
        if isinstance(step, DRAWING) and step.random_state is None:
            drawn.add(_drawn_by(step), kind)
        elif isinstance(step, DRAWING) and not (placed and isinstance(step.random_state, Integral)):
            return f"{kind} draws by a seed"
        columns |= _made_by(step)
    return None


class Drawn:
    """The columns that steps drew without a seed; None in the place of names stands for any column.

    Examples
    --------
    >>> drawn = Drawn()
    >>> drawn.add({"Debt"}, "LaplaceNoise")
    >>> drawn.source_of({"Age"}), drawn.source_of({"Age", "Debt"}), drawn.source_of(None)
    (None, 'LaplaceNoise', 'LaplaceNoise')
    """

    def __init__(self):
        self._steps: list[tuple[set | None, str]] = []

    def add(self, names: set | None, kind: str) -> None:
        """Note that a step of this kind drew some columns."""
        self._steps.append((names, kind))

    def source_of(self, names: set | None) -> str | None:
        """Return the kind of the first step that drew any of these columns."""
        found = (kind for own, kind in self._steps if own is None or names is None or own & names)
        return next(found, None)


def _read_by(step: Any) -> set | None:
    """Return the columns that a step learns from or works on, None where its parameters do not name them."""
    if isinstance(step, KAnonymizer):
        return None if step.quasi_identifiers is None else _names(step.quasi_identifiers) | _names(step.sensitive)
    if isinstance(step, DistributionImputer):
        return set(step.distributions) | _names(step.by) if isinstance(step.distributions, Mapping) else None
    if isinstance(step, (*NOISE, IntervalBinner, QuantileBinner, OutlierDropper)):
        return _named_by(step)
    return None


def _drawn_by(step: Any) -> set | None:
    """Return the columns that a step draws, None where its parameters do not name them."""
    if isinstance(step, DistributionImputer):
        return set(step.distributions) if isinstance(step.distributions, Mapping) else None
    return set(step.schema) if isinstance(step, FakerSynthesizer) and step.schema else _read_by(step)


def _names(given: Any) -> set:
    return set() if given is None else {given} if isinstance(given, str) else set(given)


def _named_by(step: Any) -> set | None:
    """Return the columns that `columns`, or else a dict by column, names; None for all of the step's kind."""
    if step.columns is not None:
        return _names(step.columns)
    given = (value for value in step.get_params(deep=False).values() if isinstance(value, Mapping))
    return set().union(*given) or None


def _kind(step: Any) -> str:
    """Return the name by which a recipe uses a step."""
    return type(step.transformers[0][1] if isinstance(step, ColumnTransformer) else step).__name__


def learns_nothing(step: Any, columns: set[str], chunk: pd.DataFrame) -> bool:
    """Whether a step fitted to some rows of a table is what it is when fitted to all."""
    if isinstance(step, PIICleaner):
        return not reads_genders(step, columns)
    if isinstance(step, LaplaceNoise | GaussianNoise):
        numbers_only = all(pd.api.types.is_any_real_numeric_dtype(dtype) for dtype in chunk.dtypes)
        return has_bounds(step) and (_named_by(step) is not None or numbers_only)
    if isinstance(step, RandomizedResponse):
        return _named_by(step) is not None or not any(map(pd.api.types.is_object_dtype, chunk.dtypes))
    if isinstance(step, FakerSynthesizer):
        made = step.schema if isinstance(step.schema, dict) else {}
        return step.count is None and not any(getattr(one, "unique", False) for one in made.values())
    return isinstance(step, IntervalBinner | Binarizer)


def has_bounds(step: Any) -> bool:
    """Whether there are bounds for every column that a step with noise takes."""
    if not isinstance(step.bounds, Mapping):
        return step.bounds is not None
    named = _names(step.columns).union(*(v for v in step.get_params(deep=False).values() if isinstance(v, Mapping)))
    return all(step.bounds.get(column) is not None for column in named)


def _made_by(step: Any) -> set[str]:
    if isinstance(step, PIICleaner) and step.gender_from is not None:
        return {step.gender}
    return set(step.schema or ()) if isinstance(step, FakerSynthesizer) else set()


def learn(
    pipeline: Pipeline,
    chunks: Iterable[pd.DataFrame],
    jobs: int,
    between: Callable[[int], None],
    before: bytes | None = None,
) -> None:
    """Fit the steps of a pipeline that has no `obstacle` to a table in chunks.

    Each step that learns, or reads genders, goes through the table once, as the steps before it release that. Those
    that learn at a price charge their ledger. Noise does not: what is drawn of it here is never released, and nothing
    is learned from it. Its steps lose their ledger, so that chunks are not charged one by one; see `skdp._charges`.

    Parameters
    ----------
    pipeline : Pipeline
        Its steps are fitted in place.
    chunks : iterable of pandas.DataFrame
        The table; gone through several times.
    jobs : int
        How many threads work.
    between : callable
        Called with the number of rows after each chunk that was learned from.
    before : bytes, default=None
        What `dumped` gave of a run before: no step learns, or is charged, again.

    Raises
    ------
    NotInChunks
        If a step cannot learn from the chunks of this table.
    ValueError
        If `before` cannot be read.
    """
    known = _read_again(pipeline, before) if before is not None else {}
    for _, step in pipeline.steps:
        if isinstance(step, NOISE):
            step.set_params(ledger=None)
    for position, (name, step) in enumerate(pipeline.steps):
        if name in known:
            vars(step).update(known[name])
            continue
        front = Pipeline(pipeline.steps[:position])
        with closing(_released_by(front, chunks, jobs)) as parts:
            _fit_to_parts(step, position, parts, between)


def _fit_to_parts(step: Any, position: int, parts: Iterator[pd.DataFrame], between: Callable[[int], None]) -> None:
    if not hasattr(step, "partial_fit"):
        step.fit(_enough_to_learn_from(step, parts, between))
        return
    for part in parts:
        with _in_chunks(step, position, ValueError):  # the table's fault or that of the chunks: the whole table tells
            step.partial_fit(part)
        between(len(part))
    # what chunks hide, or a sketch for which a package is missing
    with _in_chunks(step, position, ParameterError, ImportError):
        step.finish()  # here, not in the middle of a release


def _enough_to_learn_from(step: Any, parts: Iterator[pd.DataFrame], between: Callable[[int], None]) -> Any:
    """Return the first part of a table, or where a step reads genders, a row for each of these."""
    first = next(parts, None)
    if first is None or not reads_genders(step, first.columns):
        return first
    between(len(first))
    found = first_of_each(first, step.gender)
    for part in parts:
        found = first_of_both(found, first_of_each(part, step.gender), step.gender)
        between(len(part))
    return found


@contextmanager
def _in_chunks(step: Any, position: int, *errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except MissingColumnError:
        raise  # the whole table would not have it either
    except errors as error:
        raise NotInChunks(step, position) from error


def release_at_once(pipeline: Pipeline, table: pd.DataFrame, learned: int) -> tuple[Any, np.ndarray]:
    """Return a table as it is released, with which rows of it that holds; the first steps have learned in chunks.

    What they have learned is kept: it may be paid for.

    Parameters
    ----------
    pipeline : Pipeline
        Its other steps are fitted in place.
    table : pandas.DataFrame of shape (n_rows, n_columns)
        All of it.
    learned : int
        How many of the first steps have learned, as `NotInChunks` says.

    Returns
    -------
    released : dataframe of shape (n_rows_kept, n_columns_out)
        The table.
    keep : ndarray of bool of shape (n_rows,)
        Which rows of `table` it holds.
    """
    if not learned:
        return pipeline.fit_release(table)
    table, keep = Pipeline(pipeline.steps[:learned]).release(table)
    released, keep[keep] = Pipeline(pipeline.steps[learned:]).fit_release(table)
    return released, keep


def count_passes(pipeline: Pipeline, columns: Iterable) -> int:
    """Return how often `learn` goes through a table of these columns."""
    columns, passes = set(columns), 0
    for _, step in pipeline.steps:
        passes += hasattr(step, "partial_fit") or reads_genders(step, columns)
        columns |= _made_by(step)
    return passes


def _released_by(front: Pipeline, chunks: Iterable[pd.DataFrame], jobs: int) -> Iterator[pd.DataFrame]:
    """Yield the chunks as steps release them; those of which nothing is left only where nothing is of any."""
    empty = None
    for part in (one.table for one in passed(chunks, stages(front.steps), jobs)):
        if len(part):
            yield part
            empty = False
        elif empty is None:
            empty = part
    if empty is not None and empty is not False:
        yield empty


def _read_again(pipeline: Pipeline, before: bytes) -> dict[str, dict]:
    """Return what each step had learned that learns; parameters are the recipe's alone."""
    known = _learned_files.loaded(before)
    learning = {name: step.get_params(deep=False) for name, step in pipeline.steps if _may_learn(step)}
    needed = {name for name, step in pipeline.steps if hasattr(step, "partial_fit")}
    fits = isinstance(known, dict) and needed <= known.keys() <= learning.keys()
    if not fits or any(type(known[name]) is not dict or known[name].keys() & learning[name] for name in known):
        raise ValueError("What the steps had learned cannot be read again; start anew in another output.")
    return known


def _may_learn(step: Any) -> bool:
    return hasattr(step, "partial_fit") or isinstance(step, PIICleaner) and step.gender is not None


def dumped(pipeline: Pipeline) -> bytes | None:
    """Return what steps have learned chunk by chunk, for `learn` of another run; None if it could not be read."""
    learned = {}
    for name, step in pipeline.steps:
        if _may_learn(step):
            parameters = step.get_params(deep=False)
            learned[name] = {key: value for key, value in vars(step).items() if key not in parameters}
    try:
        data = _learned_files.dumped(learned)
        _learned_files.loaded(data)
    except (ValueError, pickle.PicklingError):
        return None
    return data


def released(
    account: Account, chunks: Iterable[pd.DataFrame], jobs: int, done: Sequence[tuple[Path, list[str]]] = ()
) -> Iterator[tuple[pa.Table | None, Look]]:
    """Yield each chunk as the fitted steps release it, and what is to be told of it.

    Parameters
    ----------
    account : Account
        Of the release.
    chunks : iterable of pandas.DataFrame
        The table.
    jobs : int
        How many threads work.
    done : sequence of tuple, default=()
        The files of those chunks, the first ones, that were released by an earlier run, and which columns it changed.
        They are not released again: in place of the table there is None. Only the first is, to see that it was drawn by
        the same seed, which is nowhere kept.

    Raises
    ------
    ValueError
        If it was not.
    """
    *front, last = stages(account.recipe.pipeline.steps)
    drops = any(may_drop(step) for _, step in account.recipe.pipeline.steps)
    public = getattr(chunks, "public_categories", {})
    seeded = any(is_seeded(step) for _, step in account.recipe.pipeline.steps)

    def arrow(table: Any) -> pa.Table:
        arrays = pa.table(_frames.arrow_table(table))
        if not drops:
            return arrays
        listed = _frames.listed_categories(_frames.read(table)).items()
        # ordered ones are the same in each chunk, or their order would be lost
        strange = {name: own.all - public.get(name, set()) for name, own in listed if not own.ordered}
        return _frames.without_categories(_frames.read(arrays), strange).to_native()

    def release(part: Part) -> tuple[pa.Table | None, Look]:
        if part.number < len(done):
            path, changed = done[part.number]
            if seeded and not part.number:
                _check_same(path, arrow(part.through(last).table))
            return None, account.look_again(part.before, pd.read_parquet(path), changed)
        part = part.through(last)
        return arrow(part.table), account.look(part.before, part.table, part.keep)

    return in_order(passed(chunks, front, jobs), release, jobs)


def _check_same(path: Path, table: pa.Table) -> None:
    """Raise where a table, written to a file of its own, is another than a file holds."""
    file = io.BytesIO()
    with TableWriter(file, ".parquet") as writer:
        writer.write(table)
    if file.getvalue() != path.read_bytes():
        raise ValueError("The output was begun with another --seed; give the same to go on, or take another output.")
