"""Faker's own provider code, run once for a whole column instead of once for each value.

A provider's method draws with `self.random_element`, `self.numerify`, `self.generator.parse` or
`self.generator.random`. Here these return columns, and the method runs as Faker's authors wrote it:

- `_faker_columns`, `_faker_text`, `_faker_numbers`, `_faker_times`: what stands in for strings and numbers;
- `_faker_draws`: draws of whole columns, and methods run apart for rows that they treat differently;
- `_faker_forms`, `_faker_lifting`: f-strings, look-ups and the standard library, for columns;
- `_faker_guard`: code that no column could keep right. It is run by a plain Faker, once per row, as is any method
  whose code asks a column for what it cannot do.
"""

from __future__ import annotations

import copy
import difflib
import functools
import inspect
import random
import threading
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from faker import Factory
from faker.config import AVAILABLE_LOCALES
from faker.generator import _re_token
from faker.providers import BaseProvider

from skdp import _faker_guard as guard
from skdp._faker_columns import LARGEST_PRODUCT, Column, NotOnColumns, from_rows, is_column, size_of
from skdp._faker_draws import RANDOM, Run, current, expanded
from skdp._faker_forms import FORMS, column_form, replacements, seeded
from skdp._faker_numbers import NumberColumn, text_of
from skdp._faker_text import Dictionary, TextColumn, dictionary, multiplied
from skdp._faker_times import TimeColumn

SAMPLE = 64  # rows drawn by a fallback when only coverage is asked for
SMALL_DICTIONARY = 32_768  # entries up to which a column of strings is handed out dictionary-coded


class ColumnFaker:
    """Faker's providers of one locale, run on whole columns.

    Parameters
    ----------
    locale : str, default="en_US"
        One of Faker's locales.
    providers : sequence, default=()
        Further Faker providers: classes, modules that hold a class `Provider`, or instances.

    Raises
    ------
    ValueError
        If Faker does not have the locale.

    Notes
    -----
    Columns follow the distribution of Faker's own values, in every locale; no two rows share a draw. They are not the
    values that a Faker of the same seed would give. Any number of threads may share one instance.

    Examples
    --------
    >>> import numpy as np
    >>> faker = ColumnFaker("es_MX")
    >>> names = faker.column("name", 1000, np.random.default_rng(0))
    >>> len(names)
    1000
    >>> faker.coverage("name")
    'columns'
    """

    def __init__(self, locale: str = "en_US", providers: Sequence = ()):
        try:
            self._plain = Factory.create(locale)
        except AttributeError:
            raise ValueError(
                f"The 'locale' parameter of ColumnFaker must be one of Faker's locales. Got {locale!r} instead."
                f"{_nearest(locale, AVAILABLE_LOCALES)}"
            ) from None
        self.locale = locale
        for provider in providers:
            self._plain.add_provider(_adopted(provider, self._plain))
        self._random = random.Random()
        self._plain.random = self._random
        self._lock = threading.RLock()
        self._generator = ColumnGenerator(self)
        self._twins: dict[int, Any] = {}
        self._functions: dict[str, Callable | None] = {}
        self._row_functions: dict[str, Callable] = {}
        self._coverage: dict[tuple, str] = {}

    def column(self, method: str, size: int, rng: np.random.Generator, **kwargs) -> pa.Array | np.ndarray:
        """Draw a column of a method's values.

        Parameters
        ----------
        method : str
            Name of a Faker method, such as `"name"`.
        size : int
            Number of rows.
        rng : numpy.random.Generator
            The only source of randomness: the same state gives the same column.
        **kwargs
            Passed to the method.

        Returns
        -------
        pyarrow.Array of shape (size,), or numpy.ndarray of dtype object where Arrow cannot hold the values
            Strings are `dictionary<int32, string>` while they come from one small dictionary and `large_string`
            otherwise; integers are int64.

        Raises
        ------
        ValueError
            If no provider has the method.

        Examples
        --------
        >>> import numpy as np
        >>> ColumnFaker("de_DE").column("random_int", 3, np.random.default_rng(0), min=7, max=7).to_pylist()
        [7, 7, 7]
        """
        return _to_arrow(self._drawn(method, max(size, 1), rng, kwargs)[0], max(size, 1))[:size]

    def coverage(self, method: str, **kwargs) -> str:
        """Tell how much of a method runs on columns.

        Parameters
        ----------
        method : str
            Name of a Faker method.
        **kwargs
            Passed to the method.

        Returns
        -------
        {"columns", "partly", "rows"}
            Wholly on columns; with some inner method run row by row; or itself run row by row.

        Examples
        --------
        >>> ColumnFaker("en_US").coverage("address")
        'columns'
        """
        key = (method, repr(kwargs))
        if key not in self._coverage:
            fallbacks = self._drawn(method, 65_536, np.random.default_rng(0), kwargs, sample=True)[1]
            self._coverage[key] = "rows" if 1 in fallbacks else "partly" if fallbacks else "columns"
        return self._coverage[key]

    def methods(self) -> list[str]:
        """List the names that `column` accepts.

        Returns
        -------
        list of str

        Examples
        --------
        >>> "city" in ColumnFaker("fr_FR").methods()
        True
        """
        names = {name for provider in self._plain.providers for name in dir(provider) if not name.startswith("_")}
        return sorted(name for name in names if self._has(name))

    def _has(self, method: str) -> bool:
        if method.startswith("_") or not callable(getattr(self._plain, method, None)):
            return False
        return any(callable(getattr(provider, method, None)) for provider in self._plain.providers)

    def _drawn(
        self, method: str, size: int, rng: np.random.Generator, kwargs: dict, *, sample: bool = False
    ) -> tuple[Any, set[int]]:
        """Return a column of values as provider code sees it, and the depths at which a method fell back to rows.

        With `sample`, a fallback draws a few rows and repeats them.
        """
        if not self._has(method):
            raise ValueError(
                f"The 'method' parameter must be a method of Faker in locale {self.locale!r}. Got {method!r} instead."
                f"{_nearest(method, self.methods())}"
            )
        with Run(rng, sample) as run:
            return self._called(run, method, (), kwargs, size), run.fallbacks

    def _called(self, run: Run, method: str, args: tuple, kwargs: dict, size: int) -> Any:
        """Return a method's values: on columns where possible, otherwise row by row."""
        function = self._function(method)
        depth = len(run.frames)
        if function is not None:
            try:
                return run.undone(run.partitioned, function, args, kwargs, size)
            except (NotOnColumns, Exception):
                pass
        run.fallbacks.add(depth + 1)
        return self._by_rows(run, method, args, kwargs, size)

    def _by_rows(self, run: Run, method: str, args: tuple, kwargs: dict, size: int) -> Column:
        with self._lock:
            function = self._row_function(method)
            self._random.seed(int(run.rng.integers(2**63)))
            count = min(size, SAMPLE) if run.sample else size
            if not args and not kwargs:
                values = [function() for _ in range(count)]
            elif size_of((*args, *kwargs.values())) is None:
                values = [function(*args, **kwargs) for _ in range(count)]
            else:
                values = [function(*_row(args, row), **_row(kwargs, row)) for row in range(count)]
        return from_rows((values * (size // count + 1))[:size] if count < size else values)

    def _function(self, method: str) -> Callable | None:
        """Return the method on columns; None where it must be run row by row."""
        if method not in self._functions:
            try:
                self._functions[method] = self._twin_method(getattr(self._plain, method))
            except Exception:
                self._functions[method] = None  # what cannot be inspected is not trusted
        return self._functions[method]

    def _twin_method(self, plain: Callable) -> Callable | None:
        provider = getattr(plain, "__self__", None)
        if not isinstance(plain, types.MethodType) or not any(provider is other for other in self._plain.providers):
            return None
        function = plain.__func__
        if not guard.state_is_plain(provider) or guard.suspicion(function, provider, trusted=FORMS):
            return None
        if getattr(type(provider), function.__name__, None) is function:
            function = replacements(type(provider)).get(function.__name__, function)
        else:
            function = column_form(function)
        return types.MethodType(function, self._twin(provider))

    def _twin(self, provider: Any) -> Any:
        """Return a copy of a provider that draws columns."""
        if id(provider) not in self._twins:
            twin = _adopted(provider, self._generator)
            for name, function in replacements(type(provider)).items():
                static = isinstance(inspect.getattr_static(provider, name), staticmethod)
                vars(twin).setdefault(name, function if static else types.MethodType(function, twin))
            self._twins[id(provider)] = twin
        return self._twins[id(provider)]

    def _row_function(self, method: str) -> Callable:
        """Return the method of the plain Faker, with the module `random` exchanged for a seeded instance."""
        if method not in self._row_functions:
            plain = getattr(self._plain, method)
            if isinstance(plain, types.MethodType) and isinstance(plain.__self__, BaseProvider):
                provider = plain.__self__
                for name, function in inspect.getmembers_static(type(provider), inspect.isfunction):
                    own = seeded(function, self._random)
                    if own is not function:
                        vars(provider).setdefault(name, types.MethodType(own, provider))
                plain = types.MethodType(seeded(plain.__func__, self._random), provider)
            self._row_functions[method] = plain
        return self._row_functions[method]


class ColumnGenerator:
    """What a provider finds in `self.generator`: methods, `parse`, `format` and `random`, all of them on columns."""

    def __init__(self, faker: ColumnFaker):
        self._faker = faker
        self.random = RANDOM

    def format(self, method: str, /, *args, **kwargs) -> Any:
        """Values of another provider's method."""
        return getattr(self, method)(*args, **kwargs)

    def parse(self, text: str | TextColumn) -> str | TextColumn:
        """Return the text with its `{{tokens}}` exchanged for values."""
        return expanded(text, _tokens, (), self._token)

    def get_formatter(self, method: str) -> Callable:
        """Another provider's method."""
        return getattr(self, method)

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("_") or not hasattr(self._faker._plain, name):
            raise AttributeError(name)
        if not self._faker._has(name):
            raise NotOnColumns
        return functools.partial(self._drawn, name)

    def _drawn(self, method: str, *args, **kwargs) -> Any:
        run = current()
        return run.draw(lambda size: self._faker._called(run, method, args, kwargs, size))

    def _token(self, token: tuple[str, str | None]) -> Any:
        method, group = token
        arguments = self._faker._plain.get_arguments(group) if group else {}
        return text_of(getattr(self, method)(**arguments))


def _tokens(text: str, _: tuple) -> tuple[list[str], tuple]:
    """Return a format of `Generator.parse`: its literals, and the method and argument group of each token."""
    split = _re_token.split(text)
    groups = [None if group is None else group.lstrip(":").strip() for group in split[2::3]]
    return split[::3], tuple(zip(split[1::3], groups, strict=True))


def _row(value: Any, row: int) -> Any:
    """One row of arguments that may be columns."""
    if is_column(value):
        return value.take(np.array([row])).concrete()
    if type(value) in (tuple, list):
        return type(value)(_row(item, row) for item in value)
    return {key: _row(item, row) for key, item in value.items()} if type(value) is dict else value


def _adopted(provider: Any, generator: Any) -> Any:
    """Return a provider of this generator: made from a class or module, or copied from an instance."""
    if isinstance(provider, types.ModuleType):
        provider = provider.Provider
    if isinstance(provider, type):
        return provider(generator)
    twin = copy.copy(provider)
    twin.generator = generator
    for name, value in vars(twin).items():
        if isinstance(value, types.MethodType) and value.__self__ is provider:
            setattr(twin, name, types.MethodType(value.__func__, twin))
    return twin


def _nearest(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(str(name), names, n=3)
    return f" The nearest names are {', '.join(map(repr, close))}." if close else ""


def _to_arrow(value: Any, size: int) -> pa.Array | np.ndarray:
    """Return the values of a method as an Arrow array."""
    if type(value) is str:
        value = TextColumn([(dictionary((value,)), None)], size)
    if type(value) is TextColumn:
        return _text_to_arrow(value)
    if type(value) in (NumberColumn, TimeColumn):
        return pa.array(value.numbers if type(value) is NumberColumn else value.times)
    values = value.to_list() if is_column(value) else [value] * size
    try:
        array = pa.array(values)
        return array.cast(pa.large_string()) if pa.types.is_string(array.type) else array
    except (pa.ArrowException, OverflowError, TypeError):
        objects = np.empty(size, object)
        objects[:] = values
        return objects


def _text_to_arrow(column: TextColumn) -> pa.Array:
    pieces = multiplied(column.pieces, min(LARGEST_PRODUCT, column.size // 4))
    words, codes = pieces[0]
    if len(pieces) > 1 or words.of_rows:
        return TextColumn(pieces, column.size).joined()
    codes = np.zeros(column.size, np.int32) if codes is None else codes
    words, recoded = words.distinct()
    codes = codes if recoded is None else recoded[codes]
    if len(words) > min(column.size, SMALL_DICTIONARY):
        values, codes = TextColumn([(words, codes)], column.size).used()
        words = Dictionary(values)
    if len(words) > SMALL_DICTIONARY:
        return words.arrow.take(pa.array(codes))
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), words.arrow.cast(pa.string()))
