"""Fictitious people: `FakerSynthesizer`.

Records are made in blocks of `BLOCK_ROWS`. Each block of each column has a random stream of its own, found by the
seed, the column's name and the block's number: so the same seed gives the same table whatever the number of threads,
the size of the chunks, or the other columns.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skdp import _arrays, _frames
from skdp._checked_columns import whole_numbers
from skdp._checks import check_columns, check_integer, invalid
from skdp._streams import first_row, root, stream
from skdp.base import PrivacyTransformer, refuse_beside_others
from skdp.specifications import MAX_ROUNDS, Block, Dates, Derived, Fake, Specification

BLOCK_ROWS = 65_536
MAX_RECORDS = 1_000_000_000
PERSON = {
    "name": "name",
    "address": "address",
    "phone_number": "phone_number",
    "email": "email",
    "date_of_birth": "date_of_birth",
    "job": "job",
    "company": "company",
}


class FakerSynthesizer(PrivacyTransformer):
    """Make fictitious records, or put fictitious values in the place of real ones.

    With `count`, each row of a request becomes as many records as its count says, of the columns of `schema`. Without,
    each row stays one row: the columns of `schema` are replaced (or added) and the others kept, so the step works
    inside a ColumnTransformer. Fictitious values never depend on the values that they replace; the number of rows and
    the columns that are kept or copied are as real as they were.

    Parameters
    ----------
    schema : mapping of str to Specification or str, default=None
        What each column holds; a string is a Faker method in the locale en_US. None stands for a small schema of a
        person (name, address, phone_number, email, date_of_birth, job, company): with `count` all of its columns are
        made, without those of them that the table has are replaced.
    count : str, default=None
        The column that says how many records each row asks for.
    random_state : int, Generator, RandomState or None, default=None
        An integer makes each call of `transform` repeat the same table, and ``skdp release``, in chunks of any size,
        and `skdp.distributed` make that table, too.
    n_jobs : int, default=None
        How many threads make blocks of records at once; -1 is all cores. The table is the same.

    Attributes
    ----------
    schema_ : dict of str to Specification
        The schema in force.
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns seen by `fit`, where it has names.

    Raises
    ------
    ValueError
        If Faker has no such method or locale (the nearest is named), a column is not there, or a count is missing,
        fractional, negative or no number.

    See Also
    --------
    skdp.recipes.travel : A whole job, from a request to a clean table.

    Notes
    -----
    The columns of a schema are drawn before those that are `Derived` from them, whatever their order. Values follow
    the distribution of Faker's own providers, whose code is run on whole columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp import Copy, Dates, FakerSynthesizer, Integers
    >>> request = pd.DataFrame({"Country": ["MEXICO", "CHINA"], "Year": [2020, 2018], "Records": [2, 1]})
    >>> schema = {"id": Integers(10, 99), "arrival": Dates(year="Year"), "born_in": Copy("Country")}
    >>> FakerSynthesizer(schema, count="Records", random_state=0).fit_transform(request)["born_in"].tolist()
    ['MEXICO', 'MEXICO', 'CHINA']
    """

    def __init__(self, schema=None, *, count=None, random_state=None, n_jobs=None):
        self.schema = schema
        self.count = count
        self.random_state = random_state
        self.n_jobs = n_jobs

    def transform(self, X):
        """Return the fictitious records.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The request (with `count`), or the table whose columns are replaced.

        Returns
        -------
        X_out : same container as `X`
            With `count`, of shape (sum of counts, len(schema)); without, of shape (n_rows, n_columns_out).
        """
        return super().transform(X)

    def count_records(self, X) -> int:
        """Return how many records `transform` would make.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            As for `transform`.

        Returns
        -------
        records : int
            The sum of the counts, or without `count` the number of rows.
        """
        check_is_fitted(self)
        return self._maker(self._read(X)).total

    def iter_chunks(self, X, chunk_rows=1_000_000) -> Iterator[Any]:
        """Yield the table of `transform` in parts, for tables larger than memory.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            As for `transform`.
        chunk_rows : int, default=1_000_000
            Records in each part but the last. With the same integer `random_state` the parts make up the same table
            whatever their size. A `Derived` function sees one part at a time.

        Yields
        ------
        chunk : same container as `X`
            The next records.
        """
        check_integer("iter_chunks", "chunk_rows", chunk_rows, low=1)
        plan = self.plan(X)
        plan.in_order = True  # each block is made once, whatever the chunks
        for start in range(0, max(plan.total, 1), chunk_rows):
            yield plan.rows(start, min(start + chunk_rows, plan.total))

    def plan(self, X) -> "Plan":
        """Return the table of `transform` as a plan, of which any rows can be made.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            As for `transform`.

        Returns
        -------
        plan : Plan
            Its `rows` makes the records between two numbers, the same whoever asks and in whatever order.
        """
        check_is_fitted(self)
        return Plan(self, self._read(X), X)

    def _fit(self, frame):
        if self.count is not None:
            refuse_beside_others(self, "make another number of rows")
        self.schema_ = {name: self._specification(name, one) for name, one in self._chosen_schema(frame).items()}
        if self.count is not None:
            check_columns(self, "count", self.count, frame.columns)
        available = set(frame.columns) | set(self.schema_)
        for name, one in self.schema_.items():
            one.check(name)
            check_columns(self, "schema", sorted(one.needs() or ()), available)
        given = set(frame.columns) - (set() if self.count is not None else set(self.schema_))
        for one in self.schema_.values():
            if isinstance(one, Dates) and isinstance(one.year, str) and one.year in given:
                one.checked_years(frame.get_column(one.year))  # at once, by the rows of the request
        self._maker(frame)

    def _chosen_schema(self, frame) -> Mapping:
        if self.schema is None:
            return {name: one for name, one in PERSON.items() if self.count is not None or name in frame.columns}
        if not isinstance(self.schema, Mapping) or not all(isinstance(name, str) for name in self.schema):
            given = list(self.schema) if isinstance(self.schema, Mapping) else type(self.schema).__name__
            raise invalid(self, "schema", given, "a mapping of column names (text) to specifications")
        if not self.schema and self.count is not None:
            raise invalid(self, "schema", self.schema, "of at least one column where 'count' is given")
        return self.schema

    def _specification(self, name: str, one: Any) -> Specification:
        if isinstance(one, str):
            return Fake(one)
        if not isinstance(one, Specification):
            raise invalid(self, "schema", one, f"a specification or the name of a Faker method for column {name!r}")
        return one

    def _counts(self, frame) -> np.ndarray | None:
        """Return how many records each row asks for, None where each row is one."""
        if self.count is None:
            return None
        counts = whole_numbers(self.count, frame[self.count], 0, MAX_RECORDS, what="count of records")
        if counts.sum() > MAX_RECORDS:
            raise ValueError(f"Column {self.count!r} asks for more than {MAX_RECORDS:,} records; split the request.")
        return counts

    def _maker(self, frame):
        return _Maker(self.schema_, frame, self._counts(frame), root(self, self.random_state), self.n_jobs)

    def _transform(self, frame):
        maker = self._maker(frame)
        return self._placed(frame, maker.rows(0, maker.total))

    def _placed(self, frame, columns: dict):
        """Return made columns as a table: on their own, or in the place of those that they replace."""
        return _frames.build(columns, frame) if self.count is not None else _frames.assign(frame, columns)

    def _columns_out(self, columns):
        if self.count is not None:
            return list(self.schema_)
        return list(dict.fromkeys([*columns, *self.schema_]))


class Plan:
    """A table of fictitious records that is made as it is asked for; `FakerSynthesizer.plan` returns it.

    Attributes
    ----------
    total : int
        How many records the table has.
    in_order : bool
        Whether the table has unique columns, which depend on the records before: `rows` is then to be called with
        rising numbers and by one thread. What is left out in between is made too, and thrown away.
    """

    def __init__(self, synthesizer, frame, like):
        self._synthesizer = synthesizer
        self._frame = frame
        self._like = like
        self._maker = synthesizer._maker(frame)
        self.total = self._maker.total
        self.in_order = bool(self._maker.used)

    def rows(self, start: int, stop: int) -> Any:
        """Return the records from `start` to `stop`, which is left out.

        Parameters
        ----------
        start, stop : int
            From 0 to `total`. Records are made in whole blocks of `BLOCK_ROWS`: multiples of it waste none.

        Returns
        -------
        chunk : same container as the table that was planned by
            So many records.
        """
        columns = self._maker.rows(start, stop) if self.in_order else self._maker.any_rows(start, stop)
        part = self._frame if self._synthesizer.count is not None else self._frame[start:stop]
        return self._synthesizer._write(self._synthesizer._placed(part, columns), self._like)


class _Maker:
    """Makes the records of one table, keeping in mind which values its unique columns have used."""

    def __init__(self, schema, frame, counts, entropy, n_jobs):
        self.schema = schema
        self.entropy = entropy
        self.n_jobs = n_jobs
        self.ends = None if counts is None else np.cumsum(counts)
        self.total = len(frame) if counts is None else int(counts.sum())
        self.first_block = 0 if counts is not None else first_row() // BLOCK_ROWS
        given = set(frame.columns) if self.ends is not None else set(frame.columns) - set(schema)
        self.stages = _stages(schema, given)
        needs = [one.needs() for one in schema.values()]
        read = given if None in needs else given & set().union(*needs)
        self.given = {
            name: _arrays.encoded(_frames.arrow_column(frame, name)) for name in frame.columns if name in read
        }
        self.used = {name: _arrays.Hashes() for name, one in schema.items() if getattr(one, "unique", False)}
        self.waiting = {name: [] for name in schema}
        self.made_to = self.given_to = 0

    def any_rows(self, start: int, stop: int) -> dict[str, Any]:
        """Return the columns of the records from `start` to `stop`, cut out of their blocks."""
        low, high = start // BLOCK_ROWS * BLOCK_ROWS, min(-(-stop // BLOCK_ROWS) * BLOCK_ROWS, self.total)
        made = self._make(low, max(low, high))
        whole = (low, high) == (start, stop)
        return made if whole else {name: values[start - low : stop - low] for name, values in made.items()}

    def rows(self, start: int, stop: int) -> dict[str, Any]:
        """Return the columns of the records from `start` to `stop`; to be asked for in order."""
        while self.given_to < start:
            self.rows(self.given_to, min(self.given_to + BLOCK_ROWS, start))
        self.given_to = stop
        done = min(-(-max(stop, 1) // BLOCK_ROWS) * BLOCK_ROWS, self.total)
        if done > self.made_to or not self.total:
            for name, values in self._make(self.made_to, done).items():
                self.waiting[name].append(values)
            self.made_to = done
        kept = {name: _arrays.concatenate(parts) for name, parts in self.waiting.items()}
        self.waiting = {name: [values[stop - start :]] for name, values in kept.items()}
        return {name: values[: stop - start] for name, values in kept.items()}

    def _make(self, start: int, stop: int) -> dict[str, Any]:
        """Return the columns of whole blocks, stage by stage."""
        rows = np.arange(start, stop)
        if self.ends is not None:
            rows = np.searchsorted(self.ends, rows, side="right")
        columns = {name: _arrays.take(values, rows) for name, values in self.given.items()}
        for names in self.stages:
            if isinstance(self.schema[names[0]], Derived):
                columns[names[0]] = self.schema[names[0]].draw(Block(0, stop - start, columns), None)
            else:
                columns.update(self._drawn(names, start, stop, columns))
        return {name: columns[name] for name in self.schema}

    def _drawn(self, names: list[str], start: int, stop: int, columns: dict) -> dict[str, Any]:
        """Return columns drawn block by block, several blocks at once."""
        blocks = []
        for low in range(start, max(stop, start + 1), BLOCK_ROWS):
            high = min(low + BLOCK_ROWS, stop)
            part = {name: values[low - start : high - start] for name, values in columns.items()}
            blocks.append(Block(self.first_block + low // BLOCK_ROWS, high - low, part))
        work = [(name, block) for block in blocks for name in names]
        if self.n_jobs in (None, 1) or len(work) == 1:
            drawn = [self._draw(name, block) for name, block in work]
        else:
            drawn = Parallel(self.n_jobs, prefer="threads")(delayed(self._draw)(name, block) for name, block in work)
        parts = {name: [] for name in names}
        for (name, block), values in zip(work, drawn, strict=True):
            parts[name].append(self._unique(name, block, values) if name in self.used else values)
        return {name: _arrays.concatenate(values) for name, values in parts.items()}

    def _draw(self, name: str, block: Block) -> Any:
        one = self.schema[name]
        try:
            return one.draw(block, stream(self.entropy, name, block.number))
        except TypeError as error:
            if isinstance(one, Fake):  # Faker does not like its arguments
                raise TypeError(f"Column {name!r}: {error}") from error
            raise

    def _unique(self, name: str, block: Block, values: Any) -> Any:
        """Return the block's values with those that came before in the table drawn again."""
        rng = stream(self.entropy, name, block.number, "again")

        def fresh(rows: np.ndarray) -> Any:
            part = {other: _arrays.take(column, rows) for other, column in block.columns.items()}
            return self.schema[name].draw(Block(block.number, len(rows), part), rng)

        return _redrawn(values, self.used[name].claim, fresh, f"Column {name!r} must be unique")


def _stages(schema: Mapping[str, Specification], available: set[str]) -> list[list[str]]:
    """Return the columns in an order in which each finds what it needs; those in one stage can be made at once."""
    pending, available, stages = dict(schema), set(available), []
    while pending:
        ready = [name for name, one in pending.items() if one.needs() is not None and one.needs() <= available]
        ready = ready or [name for name, one in pending.items() if one.needs() is None][:1]
        if not ready:
            raise ValueError(
                f"The columns {', '.join(map(repr, pending))} cannot be made: each needs another of them, or the real "
                "values that it replaces."
            )
        stages.append(ready)
        available.update(ready)
        pending = {name: one for name, one in pending.items() if name not in ready}
    return stages


def _redrawn(values: Any, rejected: Callable, draw: Callable[[np.ndarray], Any], what: str) -> Any:
    """Return `values` with those that are `rejected` drawn again, for their rows, until none is.

    Raises
    ------
    ValueError
        If after `MAX_ROUNDS` rounds some are still rejected.
    """
    parts, order, total = [values], np.arange(len(values)), len(values)
    bad = np.flatnonzero(rejected(values))
    for _ in range(MAX_ROUNDS):
        if not len(bad):
            return values if len(parts) == 1 else _arrays.take(_arrays.concatenate(parts), order)
        parts.append(draw(bad))
        order[bad] = np.arange(total, total + len(bad))
        total += len(bad)
        bad = bad[rejected(parts[-1])]
    raise ValueError(f"{what}: {len(bad)} values were still rejected after {MAX_ROUNDS} rounds of drawing again.")
