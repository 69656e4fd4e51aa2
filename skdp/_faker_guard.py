"""Which provider code may run on columns.

Provider code is run on columns as it stands. What it does to a column is noticed by the column types; what they
cannot see is looked for here, in its bytecode and in what it refers to: state that is kept between calls, randomness
from elsewhere than the generator, handlers that would swallow an error, tests of identity. A method with any of these
is run row by row.
"""

from __future__ import annotations

import collections
import dis
import enum
import functools
import random
import re
import types
from collections.abc import Callable, Collection, Iterator
from typing import Any

BASE_MODULE = "faker.providers"  # of Faker's base class, which is known to be harmless
LEFT_ALONE = {BASE_MODULE, "faker.utils.distribution"}
FAKER = ("faker.providers.", "faker.typing", BASE_MODULE)
STATEFUL = {"STORE_ATTR", "DELETE_ATTR", "STORE_GLOBAL", "DELETE_GLOBAL", "IMPORT_NAME", "SEND"}
IMPURE_BUILTINS = {"next", "setattr", "delattr", "exec", "eval", "globals", "vars", "open", "__import__", "id", "input"}
MUTATORS = {
    "append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update", "popitem", "setdefault", "add",
    "discard", "appendleft", "popleft", "rotate", "__setitem__", "__delitem__", "move_to_end",
}  # fmt: skip
MUTABLE = (list, dict, set, bytearray, collections.deque)
PLAIN = (str, bytes, int, float, complex, type(None), tuple, range, frozenset, re.Pattern, enum.Enum)
PURE_MODULES = {
    "builtins", "re", "string", "math", "datetime", "calendar", "unicodedata", "itertools", "functools", "operator",
    "collections", "typing", "decimal", "enum", "logging", "ipaddress", "textwrap", "bisect", "zoneinfo", "_operator",
    "_functools", "_struct", "abc",
}  # fmt: skip


class SuspicionError(Exception):
    """The code may do what columns cannot notice."""


def suspicion(
    function: Callable, provider: Any = None, *, on_columns: bool = True, trusted: Collection[str] = ()
) -> str | None:
    """Why a function must be run row by row, or None.

    Parameters
    ----------
    function : function
        A method of the provider, or a function that one of them calls.
    provider : object, default=None
        The provider instance on whose attributes the function draws.
    on_columns : bool, default=True
        Whether the function's own code meets columns. Otherwise it need only be pure: handlers and tests of identity
        are harmless.
    trusted : collection of str, default=()
        Functions, as `module.qualified_name`, that are known to be harmless.

    Returns
    -------
    str or None

    Examples
    --------
    >>> suspicion(lambda self: self.random_element("abc"))
    >>> import secrets
    >>> suspicion(lambda self: secrets.token_hex())
    "refers to module 'secrets'"
    """
    try:
        _inspect(function, provider, on_columns, _Seen(trusted))
    except SuspicionError as reason:
        return str(reason)
    return None


class _Seen(set):
    """The functions that need no further look."""

    def __init__(self, trusted: Collection[str]):
        super().__init__()
        self.trusted = trusted

    def has(self, function: Callable, on_columns: bool) -> bool:
        """Whether a function was seen, or is trusted, as Faker's own base class is."""
        if function.__module__ == BASE_MODULE or qualified_name(function) in self.trusted:
            return True
        known = (function, on_columns) in self
        self.add((function, on_columns))
        return known


def qualified_name(function: Callable) -> str:
    """Return the function's module and qualified name."""
    return f"{function.__module__}.{function.__qualname__}"


def _inspect(function: Callable, provider: Any, on_columns: bool, seen: _Seen) -> None:
    if seen.has(function, on_columns):
        return
    free = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    kept = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    kept += [cell.cell_contents for name, cell in free.items() if name != "__class__"]
    helpers, mutates = [], False
    for code in codes(function.__code__):
        mutates |= _check_instructions(code, function.__code__.co_freevars, on_columns)
        helpers += globals_of(code, function).values()
        kept += _attributes(code, provider)
    for value in kept:
        _check_reference(value, provider, on_columns, seen)
    for value in helpers:
        _check_reference(value, None, False, seen)
    if mutates and any(isinstance(value, MUTABLE) for value in kept + helpers):
        raise SuspicionError(f"{function.__name__} may change what outlives the call")


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Return a code object and those nested in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def _check_instructions(code: types.CodeType, outer: tuple[str, ...], on_columns: bool) -> bool:
    """Whether the code changes a container; raises if it does anything that no column could notice."""
    previous, mutates = None, False
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name in STATEFUL or name == "STORE_DEREF" and instruction.argval in outer:
            raise SuspicionError(f"{code.co_name} has {name}")
        if on_columns and name == "PUSH_EXC_INFO":
            raise SuspicionError(f"{code.co_name} handles exceptions")
        if on_columns and name == "IS_OP" and not (previous.opname == "LOAD_CONST" and previous.argval is None):
            raise SuspicionError(f"{code.co_name} tests for identity")
        mutates |= name in ("STORE_SUBSCR", "DELETE_SUBSCR") or (
            name in ("LOAD_METHOD", "LOAD_ATTR") and instruction.argval in MUTATORS
        )
        previous = instruction
    return mutates


def globals_of(code: types.CodeType, function: Callable) -> dict[str, Any]:
    """Return the global and builtin objects that a code object names."""
    names = {name for name in code.co_names if name in function.__globals__}
    found = {name: function.__globals__[name] for name in names}
    builtins = function.__globals__.get("__builtins__", {})
    builtins = builtins if isinstance(builtins, dict) else vars(builtins)
    return found | {name: builtins[name] for name in set(code.co_names) - names if name in builtins}


def _attributes(code: types.CodeType, provider: Any) -> list:
    """Return what the names in the code mean as attributes of the provider, in any of its classes."""
    if provider is None:
        return []
    found = []
    for name in code.co_names:
        if name == "generator":
            continue
        if name in vars(provider) and not isinstance(vars(provider)[name], types.MethodType):
            found.append(vars(provider)[name])
        found += [vars(kind)[name] for kind in type(provider).__mro__[:-1] if name in vars(kind)]
    return found


def _check_reference(value: Any, provider: Any, on_columns: bool, seen: _Seen) -> None:
    if isinstance(value, functools.partial):
        for part in (value.func, *value.args, *value.keywords.values()):
            _check_reference(part, provider, on_columns, seen)
        return
    value = _unwrapped(value, provider)
    if is_stdlib_random(value) or isinstance(value, (*PLAIN, *MUTABLE)):
        return
    if isinstance(value, types.FunctionType):
        if not is_left_alone(value):
            _inspect(value, provider, on_columns, seen)
    elif not _is_pure_by_name(value):
        raise SuspicionError(f"refers to {type(value).__name__} {getattr(value, '__name__', '')!r}")


def _unwrapped(value: Any, provider: Any) -> Any:
    """Return the function behind a method, property or cache."""
    if isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    if isinstance(value, property):
        return value.fget
    if isinstance(value, types.MethodType) and value.__self__ is provider:
        return value.__func__
    return value.__wrapped__ if isinstance(value, functools._lru_cache_wrapper) else value


def _is_pure_by_name(value: Any) -> bool:
    if isinstance(value, types.ModuleType):
        return value.__name__.partition(".")[0] in PURE_MODULES or value.__name__.startswith("faker.utils")
    if isinstance(value, type):
        return value.__module__ in PURE_MODULES or value.__module__.startswith(FAKER) or issubclass(value, Exception)
    if isinstance(value, types.BuiltinFunctionType):
        return value.__module__ in PURE_MODULES and value.__name__ not in IMPURE_BUILTINS
    known = type(value).__module__ in PURE_MODULES or type(value).__module__.startswith(FAKER)
    return known and not hasattr(type(value), "__next__") and not hasattr(value, "generator")


def is_left_alone(function: Callable) -> bool:
    """Whether a function is of the standard library, or of Faker's base, and need not be looked into."""
    return function.__module__.partition(".")[0] in PURE_MODULES or function.__module__ in LEFT_ALONE


def is_stdlib_random(value: Any) -> bool:
    """Whether a value is the `random` module or one of its functions."""
    return value is random or getattr(value, "__self__", None) is random._inst


def state_is_plain(provider: Any) -> bool:
    """Whether an instance holds nothing but constants: no generator of its own, no iterator, no open file."""
    return all(
        name == "generator" or isinstance(value, types.MethodType) and value.__self__ is provider or is_plain(value)
        for name, value in vars(provider).items()
    )


def is_plain(value: Any) -> bool:
    """Tell whether a value is a constant, all the way down."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_plain, value))
    return isinstance(value, PLAIN) or _is_pure_by_name(value)
