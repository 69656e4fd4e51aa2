"""How the columns of fictitious records are made: the specifications of a `FakerSynthesizer` schema.

A specification draws its column for one block of records at a time: `draw(block, rng)` returns ``block.size`` values,
which depend on nothing but the block's other columns and `rng`.
"""

import datetime
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from skdp import _arrays, _frames, _series
from skdp._checked_columns import as_days, whole_numbers
from skdp._checks import check_integer, invalid, nearest
from skdp._countries import country_locale

MAX_ROUNDS = 1000  # of drawing again before a predicate or a demand for unique values is declared hopeless
YEARS = (1583, 9998)  # whole years of the Gregorian calendar that leave room for a journey's end


@dataclass
class Block:
    """A run of records while they are being made: its columns so far.

    Parameters
    ----------
    number : int
        The position of the run among all.
    size : int
        How many records it has.
    columns : mapping of str to array of shape (size,)
        The columns so far: of the request, and of the schema.
    """

    number: int
    size: int
    columns: Mapping[str, Any]

    def frame(self) -> pd.DataFrame:
        """Return the columns so far as a pandas frame.

        Returns
        -------
        frame : pandas.DataFrame of shape (size, n_columns)
            The columns.
        """
        return _frames.pandas_frame(self.columns, self.size)


class Specification:
    """How one column is made."""

    def check(self, column: str) -> None:
        """Raise where the parameters cannot be used; called by `fit`.

        Parameters
        ----------
        column : str
            The column to be made, which the message names.
        """

    def needs(self) -> set[str] | None:
        """Return the columns that `draw` reads.

        Returns
        -------
        columns : set of str, or None
            None where it may be any, so that it has to wait for all others.
        """
        return set()

    def draw(self, block: Block, rng: np.random.Generator) -> Any:
        """Return the values of the column for a run of records.

        Parameters
        ----------
        block : Block
            The run, with the columns that `needs` names.
        rng : numpy.random.Generator
            The column's own random numbers for this run.

        Returns
        -------
        values : array of shape (block.size,)
            In a NumPy or Arrow array.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class FromColumn:
    """A locale that each record takes from the country in one of its columns.

    Parameters
    ----------
    column : str
        A column of country names (in English or another large language) or ISO 3166 codes.
    default : str, default="en_US"
        The locale of a record whose country has none in Faker.

    Examples
    --------
    >>> FromColumn("Country").locale("RUSSIA"), FromColumn("Country", default="en_GB").locale("CHAD")
    ('ru_RU', 'en_GB')
    """

    column: str
    default: str = "en_US"

    def locale(self, country: str | None) -> str:
        """Return the Faker locale of a country.

        Parameters
        ----------
        country : str or None
            Its name, in English or another of CLDR's larger languages, or its ISO 3166 code.

        Returns
        -------
        locale : str
            The locale, or `default`.
        """
        from skdp._faker_arrays import AVAILABLE_LOCALES

        return country_locale(None if country is None else str(country), AVAILABLE_LOCALES) or self.default


class Fake(Specification):
    """Values of a Faker method.

    Parameters
    ----------
    method : str
        The name of any method of any Faker provider, such as ``"address"``.
    locale : str or FromColumn, default="en_US"
        A Faker locale, or the column that tells each record's country.
    providers : Faker provider or collection of them, default=()
        Community providers to add: classes, or modules that hold a ``Provider``.
    unique : bool, default=False
        Whether no value may come twice in a table.
    reject : callable, default=None
        A predicate on a pandas Series of values, true where a value will not do: drawn again until none is rejected.
    **arguments
        Passed on to the Faker method.

    Examples
    --------
    >>> Fake("address", locale="es_MX", reject=lambda values: values.str.contains("Norte"))
    Fake('address', locale='es_MX', reject=<lambda>)
    """

    def __init__(self, method, locale="en_US", *, providers=(), unique=False, reject=None, **arguments):
        self.method = method
        self.locale = locale
        self.providers = providers
        self.unique = unique
        self.reject = reject
        self.arguments = arguments

    def __repr__(self):
        shown = [repr(self.method), f"locale={self.locale!r}"]
        shown += [f"unique={self.unique!r}"] * bool(self.unique)
        shown += [f"reject={getattr(self.reject, '__name__', 'predicate')}"] * (self.reject is not None)
        return f"Fake({', '.join(shown + [f'{name}={value!r}' for name, value in self.arguments.items()])})"

    def check(self, column):
        """Raise unless Faker knows the method and the locale; the message names the nearest."""
        if not isinstance(self.method, str):
            raise invalid("Fake", "method", self.method, f"the name of a Faker method (column {column!r})")
        if self.reject is not None and not callable(self.reject):
            raise invalid("Fake", "reject", self.reject, f"a predicate on a Series, or None (column {column!r})")
        locale = self.locale.default if isinstance(self.locale, FromColumn) else self.locale
        if not isinstance(locale, str):
            raise invalid("Fake", "locale", locale, f"a Faker locale or FromColumn(...) (column {column!r})")
        from skdp._faker_arrays import AVAILABLE_LOCALES

        if locale not in AVAILABLE_LOCALES:
            raise ValueError(f"Column {column!r}: Faker has no locale {locale!r}{nearest(locale, AVAILABLE_LOCALES)}")
        methods = self._faker(locale).methods()
        if self.method not in methods:
            raise ValueError(f"Column {column!r}: Faker has no method {self.method!r}{nearest(self.method, methods)}")

    def needs(self):
        """Return the column that tells the locale, where there is one."""
        return {self.locale.column} if isinstance(self.locale, FromColumn) else set()

    def draw(self, block, rng):
        """Return values of the method, as Arrow or NumPy arrays."""
        if not isinstance(self.locale, FromColumn):
            return self._accepted(self.locale, block.size, rng)
        countries = _arrays.factorised(block.columns[self.locale.column])
        locales = [self._locale_of(country) for country in countries.labels]
        distinct = sorted(set(locales))
        of_row = np.array([distinct.index(locale) for locale in locales] + [-1])[countries.codes]
        if (countries.codes < 0).any():
            distinct = [*distinct, self.locale.default]
            of_row = np.where(countries.codes < 0, len(distinct) - 1, of_row)
        sizes = np.bincount(of_row, minlength=len(distinct))
        parts = [self._accepted(name, int(size), rng) for name, size in zip(distinct, sizes, strict=True) if size]
        return _arrays.take(_arrays.concatenate(parts), np.argsort(np.argsort(of_row, kind="stable"), kind="stable"))

    def _locale_of(self, country: Any) -> str:
        """Return the locale of a country; the default where that locale lacks the method."""
        locale = self.locale.locale(country)
        return locale if self.method in self._faker(locale).methods() else self.locale.default

    def _accepted(self, locale: str, size: int, rng: np.random.Generator) -> Any:
        """Return values that the predicate accepts: the first of those drawn, which keeps them independent."""
        draw = self._faker(locale).column
        values = draw(self.method, size, rng, **self.arguments)
        if self.reject is None or not size:
            return values
        accepted = [_arrays.filtered(values, ~self._rejected(values))]
        for _ in range(MAX_ROUNDS):
            short = size - sum(map(len, accepted))
            if short <= 0:
                return _arrays.concatenate(accepted)[:size]
            values = draw(self.method, short + short // 4 + 32, rng, **self.arguments)
            accepted.append(_arrays.filtered(values, ~self._rejected(values)))
        raise ValueError(f"{self!r}: {short} values were still rejected after {MAX_ROUNDS} rounds of drawing again.")

    def _rejected(self, values: Any) -> np.ndarray:
        rejected = pd.Series(self.reject(_series.pandas_series(values)))
        if len(rejected) != len(values) or rejected.isna().any():
            raise invalid("Fake", "reject", self.reject, "a predicate that returns True or False for each value")
        return rejected.to_numpy(dtype=bool)

    def _faker(self, locale: str) -> Any:
        one = isinstance(self.providers, type) or hasattr(self.providers, "Provider")
        return _column_faker(locale, (self.providers,) if one else tuple(self.providers))


@cache
def _column_faker(locale: str, providers: tuple) -> Any:
    from skdp._faker_arrays import ColumnFaker

    return ColumnFaker(locale, providers)


@dataclass(frozen=True)
class Integers(Specification):
    """Integers between two bounds, each as likely as any other.

    Parameters
    ----------
    low, high : int
        The bounds, both included.
    """

    low: int
    high: int

    def check(self, column):
        """Raise unless both bounds are 64-bit integers in order."""
        check_integer("Integers", "low", self.low, low=-(2**63), high=2**63 - 1)
        check_integer("Integers", "high", self.high, low=self.low, high=2**63 - 1)

    def draw(self, block, rng):
        """Return int64 values."""
        return rng.integers(self.low, self.high, block.size, endpoint=True)


@dataclass(frozen=True)
class Choice(Specification):
    """One of the given values.

    Parameters
    ----------
    values : list or other ordered collection
        What to choose from, of one type: strings, numbers, dates; None is a missing value.
    weights : collection of float, default=None
        How often each is chosen, in any unit; by default all alike.
    """

    values: Collection
    weights: Collection | None = None

    def check(self, column):
        """Raise unless there are values, and a usable weight for each."""
        if isinstance(self.values, str | Set) or not isinstance(self.values, Collection) or not len(self.values):
            raise invalid("Choice", "values", self.values, f"at least one value, in an order (column {column!r})")
        try:
            pa.array(list(self.values))
        except pa.ArrowException:
            raise invalid("Choice", "values", self.values, f"values of one type (column {column!r})") from None
        if self.weights is None:
            return
        weights = np.asarray(self.weights)
        usable = weights.dtype.kind in "iuf" and weights.shape == (len(self.values),)
        if not (usable and np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
            requirement = f"{len(self.values)} finite, non-negative numbers, not all 0 (column {column!r})"
            raise invalid("Choice", "weights", self.weights, requirement)

    def draw(self, block, rng):
        """Return values in an Arrow array."""
        if self.weights is None:
            codes = rng.integers(len(self.values), size=block.size)
        else:
            shares = np.cumsum(np.asarray(self.weights, dtype=float))
            codes = np.searchsorted(shares, rng.random(block.size) * shares[-1], side="right")
            codes = np.minimum(codes, np.flatnonzero(np.diff(shares, prepend=0))[-1])
        return pa.array(list(self.values)).take(pa.array(codes))


@dataclass(frozen=True)
class Dates(Specification):
    """Days of a year, or between two days.

    Parameters
    ----------
    start, end : date, str or callable, default=None
        First and last day, both included: a date, an ISO 8601 string, the name of a column of dates, or a function of
        the columns so far (a pandas frame) that returns one date a record.
    year : int or str, default=None
        Instead of `start` and `end`: a year from 1583 to 9998, or the name of a column of years.

    Examples
    --------
    >>> Dates("2020-02-01", "2020-02-29").draw(Block(0, 2, {}), np.random.default_rng(0))
    array(['2020-02-19', '2020-02-08'], dtype='datetime64[D]')
    """

    start: Any = None
    end: Any = None
    year: int | str | None = None

    def check(self, column):
        """Raise unless either a year or both ends are given, in order."""
        if (self.year is None) == (self.start is None and self.end is None):
            raise invalid("Dates", "year", self.year, f"given, or start and end instead of it (column {column!r})")
        if self.year is None and (self.start is None or self.end is None):
            raise invalid("Dates", "end", self.end, f"given together with start (column {column!r})")
        if self.year is not None and not isinstance(self.year, str):
            check_integer("Dates", "year", self.year, low=YEARS[0], high=YEARS[1])
        first, last = _day(self.start), _day(self.end)
        if first is not None and last is not None and first > last:
            raise invalid("Dates", "end", self.end, f"no earlier than start, {self.start!r} (column {column!r})")

    def needs(self):
        """Return the columns of years or dates."""
        bounds = (self.start, self.end, self.year)
        if any(callable(bound) for bound in bounds):
            return None
        return {bound for bound in bounds if isinstance(bound, str) and _day(bound) is None}

    def draw(self, block, rng):
        """Return days, as datetime64[D]."""
        if self.year is not None:
            years = self._years(block).astype("datetime64[Y]")
            first, last = years.astype("datetime64[D]"), (years + 1).astype("datetime64[D]") - 1
        else:
            first, last = self._bound(self.start, block), self._bound(self.end, block)
        span = (last - first).astype(np.int64) + 1
        if (span < 1).any():
            raise ValueError(f"{int((span < 1).sum())} records have an end of Dates before its start.")
        return first + np.floor(rng.random(block.size) * span).astype("timedelta64[D]")

    def _years(self, block: Block) -> np.ndarray:
        """Return years since 1970."""
        if not isinstance(self.year, str):
            return np.full(block.size, self.year - 1970)
        return self.checked_years(block.columns[self.year]) - 1970

    def checked_years(self, values: Any) -> np.ndarray:
        """Return the column of years.

        Parameters
        ----------
        values : array of shape (n_rows,)
            The column of the request.

        Returns
        -------
        years : ndarray of int64 of shape (n_rows,)
            The years.

        Raises
        ------
        ValueError
            If one is no year of `YEARS`.
        """
        return whole_numbers(self.year, values, *YEARS, what="year")

    def _bound(self, bound: Any, block: Block) -> np.ndarray:
        if callable(bound):
            return as_days(bound(block.frame()), "what a function of Dates returns")
        day = _day(bound)
        return np.full(block.size, day) if day is not None else as_days(block.columns[bound], f"Column {bound!r}")


def _day(bound: Any) -> np.datetime64 | None:
    """Return a constant bound as a day, None where it is a column, a function or nothing."""
    if isinstance(bound, str):
        try:
            bound = datetime.date.fromisoformat(bound)
        except ValueError:
            return None
    return np.datetime64(bound, "D") if isinstance(bound, datetime.date | np.datetime64) else None


@dataclass(frozen=True)
class Copy(Specification):
    """The values of another column: of the request, or of the schema.

    Parameters
    ----------
    column : str
        The column to copy.
    """

    column: str

    def needs(self):
        """Return the column to copy."""
        return {self.column}

    def draw(self, block, rng):
        """Return the column as it is."""
        return block.columns[self.column]


@dataclass(frozen=True)
class Derived(Specification):
    """Values worked out from the other columns.

    Parameters
    ----------
    function : callable
        Takes the columns so far (every drawn column of the schema, the derived ones before this, and the table's other
        columns) as a pandas frame; returns one value a record.

    Examples
    --------
    >>> email = Derived(lambda people: people["name"].str.lower().str.replace(" ", ".") + "@example.org")
    """

    function: Callable[[pd.DataFrame], Any] = field(repr=False)

    def check(self, column):
        """Raise unless the function can be called."""
        if not callable(self.function):
            raise invalid("Derived", "function", self.function, f"a function of a pandas frame (column {column!r})")

    def needs(self):
        """Return None: the function may read any column."""
        return None

    def draw(self, block, rng):
        """Return what the function returns."""
        values = self.function(block.frame())
        if not hasattr(values, "__len__") or isinstance(values, str) or len(values) != block.size:
            got = len(values) if hasattr(values, "__len__") and not isinstance(values, str) else "a single value"
            raise ValueError(f"The function of a Derived column must return {block.size} values. Got {got} instead.")
        return values if isinstance(values, pa.Array) else _arrays.as_arrow(values)
