"""What provider code runs as on columns: its own code with a few names exchanged, or in rare cases a form by hand."""

from __future__ import annotations

import datetime
import functools
import inspect
import random
import re
import string
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow.compute as pc
from faker import decode
from faker.providers import BaseProvider
from faker.utils import checksums
from faker.utils import text as faker_text

from skdp import _faker_guard as guard
from skdp._faker_columns import NotOnColumns, holds_columns, is_column, rowwise, settled
from skdp._faker_draws import (
    NUMERALS,
    RANDOM,
    current,
    either,
    expanded,
    matches,
    placeholders,
    random_symbols,
)
from skdp._faker_lifting import lifted
from skdp._faker_numbers import NumberColumn, text_of
from skdp._faker_text import Dictionary, TextColumn, concatenated
from skdp._faker_times import COLUMN_DATETIME, ColumnTimedelta


@functools.cache
def replacements(kind: type) -> dict[str, Callable]:
    """Return the methods of a provider class in their form for columns, by name."""
    members = inspect.getmembers_static(kind, lambda member: isinstance(member, (types.FunctionType, staticmethod)))
    functions = {name: getattr(member, "__func__", member) for name, member in members}
    if any(functions.get(name) is not helper for name, helper in BASE_HELPERS.items()):
        functions = {name: function for name, function in functions.items() if BASE_HELPERS.get(name) is not function}
    return {name: form for name, function in functions.items() if (form := column_form(function)) is not function}


BASE_HELPERS = {
    name: function
    for name, function in inspect.getmembers_static(BaseProvider, inspect.isfunction)
    if name.startswith("random") or name.endswith("ify")
}


@functools.cache
def column_form(function: Callable) -> Callable:
    """Return the form written for columns, or else the function itself, lifted when it is first called."""
    form = FORMS.get(guard.qualified_name(function))
    if form or function.__module__ == BaseProvider.__module__:
        return form or function

    @functools.wraps(function)
    def method(*args, **kwargs):
        return _lifted(function)(*args, **kwargs)

    return method


@functools.cache
def _lifted(function: Callable) -> Callable:
    return lifted(function, substitute, {"either": either})


def substitute(value: Any) -> Any:
    """Return what stands in provider code in place of a global."""
    if isinstance(value, types.ModuleType):
        return MODULES.get(value.__name__, value)
    if isinstance(value, type):
        return TYPES.get(value, value)
    if guard.is_stdlib_random(value):
        return getattr(RANDOM, value.__name__)
    if isinstance(value, types.FunctionType):
        if value in FUNCTIONS:
            return FUNCTIONS[value]
        if not guard.is_left_alone(value) and not guard.suspicion(value, on_columns=False):
            return mapped(value)
    return value


@functools.cache
def mapped(function: Callable) -> Callable:
    """Return a pure function for columns: run on them if it can be, otherwise once for each distinct value."""

    @functools.wraps(function)
    def call(*args, **kwargs):
        args = tuple(list(argument) if hasattr(type(argument), "__next__") else argument for argument in args)
        if not any(is_column(argument) or holds_columns(argument) for argument in args):
            if not _runs_on_columns(function) and not all(map(guard.is_plain, args)):
                raise NotOnColumns
            return _lifted(function)(*args, **kwargs)
        if _runs_on_columns(function) and not _is_single(args):
            try:
                return settled(current().apart(_lifted(function), args, kwargs, current().size, FEW_PARTS))
            except (NotOnColumns, TypeError):
                pass
        return rowwise(function, *args, **kwargs)

    return call


FEW_PARTS = 16  # in how many a pure function is run before it is tried on each distinct value


def _is_single(args: tuple) -> bool:
    """Tell whether the arguments hold one column of few distinct values."""
    columns = [argument for argument in args if is_column(argument)]
    return len(columns) == 1 and not any(map(holds_columns, args)) and columns[0].is_narrow()


@functools.cache
def _runs_on_columns(function: Callable) -> bool:
    return not guard.suspicion(function)


def numerify(self, text="###"):
    """`BaseProvider.numerify`."""
    return expanded(text, placeholders, NUMERALS, random_symbols)


def lexify(self, text="????", letters=string.ascii_letters):
    """`BaseProvider.lexify`."""
    if isinstance(letters, dict) or not all(type(letter) is str for letter in letters):
        raise NotOnColumns
    return expanded(text, placeholders, (("?", tuple(letters)),), random_symbols)


def hexify(self, text="^^^^", upper=False):
    """`BaseProvider.hexify`."""
    alphabet = tuple("0123456789ABCDEF" if upper else "0123456789abcdef")
    return expanded(text, placeholders, (("^", alphabet),), random_symbols)


def iban(self):
    """`bank.Provider.iban`: the check digits modulo 97 by the remainders of the pieces."""
    bban = self.bban()
    whole = concatenated([bban, self.country_code + "00"], bban.size)
    remainder = np.zeros(bban.size, np.int64)
    for words, codes in whole.pieces:
        values, scales = words.remember("modulo 97", lambda words: _remainders(words.values, self.ALPHA))
        codes = np.zeros(bban.size, np.int32) if codes is None else codes
        remainder = (remainder * scales[codes] + values[codes]) % 97
    return self.country_code + NumberColumn(98 - remainder).padded(2) + bban


def _remainders(words: list[str], alphabet: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
    """For each word, its number and the power of ten that shifts past it, modulo 97."""
    numbers = ["".join(alphabet.get(character, character) for character in word) for word in words]
    return np.array([int(number or "0") % 97 for number in numbers]), np.array([pow(10, len(n), 97) for n in numbers])


def israeli_ssn(self):
    """`ssn.he_IL.Provider.ssn`: without its branch for each digit."""
    number = RANDOM.randrange(111111, 99999999)
    return number.padded(8) + (-luhn_checksum(number * 10) % 10).padded(1)


def date_time_between_dates(self, datetime_start=None, datetime_end=None, tzinfo=None):
    """`date_time.Provider.date_time_between_dates`."""
    if tzinfo is not None:
        raise NotOnColumns
    start = self._parse_end_datetime(datetime_start)
    seconds = self._rand_seconds(start, self._parse_end_datetime(datetime_end))
    if start < 0:
        if datetime.datetime.now().astimezone().utcoffset():
            raise NotOnColumns  # Faker takes times before 1970 for local ones
        seconds = NumberColumn(np.where(seconds.numbers < 0, np.trunc(seconds.numbers), seconds.numbers))
    return datetime.datetime(1970, 1, 1) + ColumnTimedelta(seconds=seconds)


def domain_word(self):
    """`internet.Provider.domain_word`."""
    first_word = self.generator.format("company").partition(" ")[0]
    return slugify(self._to_ascii(first_word), allow_unicode=True).lower()


FORMS = {
    "faker.providers.bank.Provider.iban": iban,
    "faker.providers.date_time.Provider.date_time_between_dates": date_time_between_dates,
    "faker.providers.internet.Provider.domain_word": domain_word,
    "faker.providers.ssn.he_IL.Provider.ssn": israeli_ssn,
    "faker.providers.BaseProvider.hexify": hexify,
    "faker.providers.BaseProvider.lexify": lexify,
    "faker.providers.BaseProvider.numerify": numerify,
}


def slugify(value, allow_dots=False, allow_unicode=False):
    """`faker.utils.text.slugify`; plain ASCII, the usual case, by Arrow."""
    if type(value) is not TextColumn:
        return rowwise(faker_text.slugify, value, allow_dots, allow_unicode)
    words, codes = value.single()
    if not words.of_rows or allow_dots or pc.any(pc.match_substring_regex(words.arrow, r"[^\t\n\f\r -~]")).as_py():
        return rowwise(faker_text.slugify, value, allow_dots, allow_unicode)
    strings = pc.ascii_trim_whitespace(pc.replace_substring_regex(words.arrow, r"[^\w\s-]", ""))
    slugs = pc.replace_substring_regex(pc.ascii_lower(strings), r"[-\s]+", "-")
    return TextColumn([(Dictionary(arrow=slugs, of_rows=True), codes)], value.size)


def unidecode(text):
    """`faker.decode.unidecode`, which maps each character on its own."""
    return text.by_character(decode.unidecode, "unidecode") if type(text) is TextColumn else decode.unidecode(text)


def luhn_checksum(number):
    """`faker.utils.checksums.luhn_checksum`, by arithmetic."""
    if type(number) is not NumberColumn or number.numbers.dtype.kind != "i" or number.numbers.min() < 0:
        return rowwise(checksums.luhn_checksum, number)
    digits = [number.numbers // 10**place % 10 for place in range(len(str(number.numbers.max())))]
    return NumberColumn(sum(digits[::2]) + sum(2 * digit - 9 * (digit > 4) for digit in digits[1::2])) % 10


FUNCTIONS = {
    checksums.luhn_checksum: luhn_checksum,
    decode.unidecode: unidecode,
    faker_text.slugify: slugify,
}


class ColumnPatterns:
    """The module `re`: `sub` with a function that draws."""

    def __getattr__(self, name: str):
        return getattr(re, name)

    def sub(self, pattern, repl, string, count=0, flags=0):
        """Each match exchanged for what `repl` draws for it."""
        if not callable(repl):
            return rowwise(re.sub, pattern, repl, string, count, flags)
        if count or flags or type(string) is TextColumn and any(words.of_rows for words, _ in string.pieces):
            raise NotOnColumns
        return expanded(string, matches, (pattern,), repl)


class _Converting(type):
    """Makes a builtin type convert columns, and stay the type that `isinstance` asks for."""

    def __call__(cls, *args):
        if len(args) == 1 and is_column(args[0]):
            return cls.convert(args[0])
        return rowwise(cls.builtin, *args)

    def __instancecheck__(cls, value):
        return isinstance(value, cls.builtin)


class ColumnStr(str, metaclass=_Converting):
    """The type `str`."""

    builtin, convert = str, staticmethod(text_of)


class ColumnInt(int, metaclass=_Converting):
    """The type `int`."""

    builtin, convert = int, staticmethod(lambda value: _converted(value, "integers", int))


class ColumnFloat(float, metaclass=_Converting):
    """The type `float`."""

    builtin, convert = float, staticmethod(lambda value: _converted(value, "floats", float))


def _converted(value: Any, method: str, builtin: type) -> Any:
    return getattr(value, method)() if type(value) is NumberColumn else rowwise(builtin, value)


TYPES = {str: ColumnStr, int: ColumnInt, float: ColumnFloat, datetime.timedelta: ColumnTimedelta}
MODULES = {
    "datetime": COLUMN_DATETIME,
    "faker.utils.text": types.SimpleNamespace(slugify=slugify),
    "random": RANDOM,
    "re": ColumnPatterns(),
}


def seeded(function: Callable, instance: random.Random) -> Callable:
    """Return the same function, with the module `random` exchanged for a seeded instance."""

    def exchange(value: Any) -> Any:
        if value is random:
            return types.SimpleNamespace(**{name: exchange(member) for name, member in vars(random).items()})
        return getattr(instance, value.__name__) if guard.is_stdlib_random(value) else value

    return lifted(function, exchange)
