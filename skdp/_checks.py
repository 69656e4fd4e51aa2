"""Parameter checks: one place, one wording.

Messages name the parameter, the class, what was expected, what was given and, where a name is unknown, the nearest
valid one. They show the value of a *parameter*, never a cell of the data.
"""

import difflib
import numbers
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np


class ParameterError(ValueError, TypeError):
    """A parameter that cannot be used: both a ``ValueError`` and a ``TypeError``, as in scikit-learn."""


class MissingColumnError(ParameterError):
    """A parameter that names a column which the table does not have: it is about all of the table, and no cell."""


def invalid(owner: object, name: str, value: Any, requirement: str) -> ParameterError:
    """Return the error for a bad parameter, in its one wording.

    Examples
    --------
    >>> raise invalid("LaplaceNoise", "epsilon", -1, "a positive number")
    Traceback (most recent call last):
        ...
    skdp._checks.ParameterError: The 'epsilon' parameter of LaplaceNoise must be a positive number. Got -1 instead.
    """
    who = owner if isinstance(owner, str) else type(owner).__name__
    return ParameterError(f"The {name!r} parameter of {who} must be {requirement}. Got {value!r} instead.")


def without_cells(error: Exception, table: str) -> str:
    """Return an error's message where it is one of ours, which hold no cell of the data, else what kind it is.

    Examples
    --------
    >>> without_cells(invalid("LaplaceNoise", "epsilon", -1, "a positive number"), "table").partition('. ')[2]
    'Got -1 instead.'
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    ours = trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith("skdp.")
    about_parameters = isinstance(error, ValueError) and isinstance(error, TypeError)
    if about_parameters or ours and isinstance(error, ValueError | TypeError | NotImplementedError | RuntimeError):
        return str(error)
    kind = type(error).__name__
    return f"cannot work with these parameters and this {table} ({kind}); check them and what the columns hold."


def nearest(name: object, candidates: Iterable[object]) -> str:
    """Return the end of a sentence: ``"; did you mean 'x'?"`` for the candidate most like `name`, ``"."`` for none."""
    spelled = {str(candidate).casefold(): str(candidate) for candidate in candidates}
    match = difflib.get_close_matches(str(name).casefold(), spelled, n=1, cutoff=0.5)
    return f"; did you mean {spelled[match[0]]!r}?" if match else "."


def check_option(owner: object, name: str, value: Any, options: Collection[Any]) -> None:
    """Raise unless `value` is one of `options`."""
    if isinstance(value, Collection) and not isinstance(value, str) or value not in options:
        raise invalid(owner, name, value, "one of " + ", ".join(map(repr, options)))


def check_integer(owner: object, name: str, value: Any, *, low: int | None = None, high: int | None = None) -> None:
    """Raise unless `value` is an integer (no bool) of at least `low` and at most `high`."""
    integral = isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
    if integral and (low is None or value >= low) and (high is None or value <= high):
        return
    limits = [f"of at least {low}"] * (low is not None) + [f"of at most {high}"] * (high is not None)
    raise invalid(owner, name, value, " ".join(["an integer", " and ".join(limits)]).strip())


def check_unique_names(names: Iterable[object]) -> None:
    """Raise where two columns share a name: no step could tell them apart."""
    seen: set[object] = set()
    doubled = [name for name in names if name in seen or seen.add(name)]
    if doubled:
        raise ValueError(f"Column names must be unique. Got {doubled[0]!r} more than once; rename one of them.")


def check_no_nul(names: Iterable[str]) -> None:
    """Raise where polars would panic, which no one catches: Arrow's interface takes names as C does, up to a NUL."""
    for name in names:
        if "\0" in name:
            raise ValueError(f"Column names of polars frames must not hold the character NUL. Got {name!r}; rename it.")


def not_single(column: object) -> ValueError:
    """Return the error for a column whose cells hold more than one value each."""
    return ValueError(
        f"Column {column!r} holds lists, structures or bytes where single values are needed; take them apart into "
        "columns or convert them to text first, or leave the column out."
    )


def check_columns(owner: object, name: str, wanted: Any, available: Collection[object]) -> list:
    """Return `wanted` (a name, or names in a list, tuple, index or mapping) as a list of columns that exist."""
    if isinstance(wanted, str):
        wanted = [wanted]
    if not isinstance(wanted, Iterable) or isinstance(wanted, bytes):
        raise invalid(owner, name, wanted, "a column name or a list of column names")
    wanted = list(wanted)
    for column in wanted:
        if column not in available:
            hint = nearest(column, available)
            who = owner if isinstance(owner, str) else type(owner).__name__
            raise MissingColumnError(
                f"{who} needs the column {column!r} (parameter {name!r}), which is not in the table{hint}"
            )
    if len(set(wanted)) < len(wanted):
        raise invalid(owner, name, wanted, "a list of column names without repeats")
    return wanted


def per_column(value: Any, columns: Iterable[object]) -> dict:
    """Spread a parameter over `columns`: a mapping is taken by name, a scalar holds for each.

    Examples
    --------
    >>> per_column(0.5, ["CreditDebt", "OtherDebt"])
    {'CreditDebt': 0.5, 'OtherDebt': 0.5}
    >>> per_column({"CreditDebt": 1.0, "OtherDebt": 2.0}, ["OtherDebt"])
    {'OtherDebt': 2.0}
    """
    return {column: value[column] if isinstance(value, Mapping) else value for column in columns}
