"""What the values of a recipe stand for: plain values, schemas, distributions, bounds. Nothing here runs code."""

import datetime
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from skdp._addresses import is_undeliverable
from skdp._checks import ParameterError, nearest
from skdp.bounds import DPBounds
from skdp.imputation import Conditional
from skdp.specifications import Choice, Copy, Dates, Fake, FromColumn, Integers, Specification

MAX_DEPTH = 12
MAX_MESSAGE = 500  # characters; a parameter may be a list of thousands of values
MAX_PIECES = 1_000  # words, sentences, rows, … of one record: a block of 65,536 records has to fit into memory
MAX_CHARACTERS = 10_000
PIECES = {
    "count", "deep", "depth", "digits", "indent", "left_digits", "levels", "nb", "nb_elements", "nb_sentences",
    "nb_texts", "nb_words", "num_rows", "right_digits",
}  # fmt: skip
CHARACTERS = {"length", "max_chars", "max_nb_chars", "min_chars"}
BYTES = ("binary", "image", "tar", "zip")
REJECTIONS = {"undeliverable": is_undeliverable}
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")


@dataclass(frozen=True)
class Place:
    """Where in a recipe something is written: the file, and the key within it.

    Examples
    --------
    >>> Place("mask.toml").at("steps").at(2).at("epsilon").error("must be a number.").args[0]
    'mask.toml, steps[2].epsilon: must be a number.'
    """

    file: str
    key: str = ""

    def at(self, key: str | int) -> "Place":
        """Return the place of a key in a table, or of an entry in an array, counted from 1."""
        if isinstance(key, int):
            return Place(self.file, f"{self.key}[{key}]")
        spelled = key if _BARE_KEY.fullmatch(key) else _short(json.dumps(key, ensure_ascii=False), 60)
        return Place(self.file, f"{self.key}.{spelled}" if self.key else spelled)

    def error(self, problem: str) -> ParameterError:
        """Return the error for what is written here."""
        where = f"{self.file}, {self.key}" if self.key else self.file
        return ParameterError(f"{where}: {_short(' '.join(problem.split()), MAX_MESSAGE)}")


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def check_keys(table: Any, known: Iterable[str], place: Place) -> None:
    """Raise unless `table` is a table of known keys; the nearest is named."""
    if not isinstance(table, Mapping):
        raise place.error(f"must be a table of keys and values, not {_kind(table)}.")
    known = list(known)
    for key in table:
        if key not in known:
            raise place.at(key).error(f"there is no such key here{nearest(key, known)} Known: {', '.join(known)}.")


def _kind(value: Any) -> str:
    kinds = {str: "a text", bool: "a boolean", int: "a number", float: "a number", list: "an array", dict: "a table"}
    return kinds.get(type(value), "a date or time")


def plain(value: Any, place: Place, depth: int = 0) -> Any:
    """Return a value of TOML as Python's, ``{ none = true }`` as None; raise for one that no parameter could take."""
    if depth > MAX_DEPTH:
        raise place.error(f"is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, float) and not math.isfinite(value):
        raise place.error("must be a finite number; leave the key out instead.")
    if isinstance(value, int) and abs(value) >= 2**63:
        raise place.error("must be a number of at most 64 bits.")
    if isinstance(value, datetime.datetime | datetime.time):
        raise place.error("must be a date without a time, such as 2020-12-31.")
    if isinstance(value, Mapping):
        if value == {"none": True}:
            return None
        return {key: plain(one, place.at(key), depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one, place.at(number), depth + 1) for number, one in enumerate(value, 1)]
    return value


def schema(given: Any, place: Place) -> dict[str, Specification]:
    """Return the schema of a FakerSynthesizer: one table for each column, with one of the keys of `_COLUMN_KINDS`."""
    if not isinstance(given, Mapping) or not given:
        raise place.error('must have a table for each column, such as [steps.schema.person] with fake = "name".')
    return {column: _specification(table, place.at(column)) for column, table in given.items()}


def _specification(table: Any, place: Place) -> Specification:
    if not isinstance(table, Mapping):
        raise place.error(f'must be a table such as {{ fake = "name" }}, not {_kind(table)}.')
    kinds = [kind for kind in _COLUMN_KINDS if kind in table]
    if len(kinds) != 1:
        strange = [key for key in table if key not in _ALL_COLUMN_KEYS]
        hint = nearest(strange[0], _COLUMN_KINDS) if strange and not kinds else "."
        raise place.error(f"must have exactly one of the keys {', '.join(_COLUMN_KINDS)}{hint}")
    make, keys = _COLUMN_KINDS[kinds[0]]
    check_keys(table, keys, place)
    return make(table, place)


def _fake(table: Mapping, place: Place) -> Fake:
    method, arguments = table["fake"], table.get("arguments", {})
    if not isinstance(method, str) or not re.fullmatch(r"[a-z][a-z0-9_]*", method):
        raise place.at("fake").error('must be the name of a Faker method, such as "name".')
    if method in BYTES:
        raise place.at("fake").error(f"{method!r} makes bytes, which no table in a file holds.")
    if not isinstance(arguments, Mapping) or {"self", "method", "locale", "providers", "unique", "reject"} & set(
        arguments
    ):
        raise place.at("arguments").error("must be a table of arguments of the Faker method.")
    _check_sizes(arguments, place.at("arguments"))
    options: dict[str, Any] = {"locale": _locale(table.get("locale", "en_US"), place.at("locale"))}
    if "reject" in table:
        options["reject"] = _one_of(REJECTIONS, table["reject"], place.at("reject"))
    if not isinstance(table.get("unique", False), bool):
        raise place.at("unique").error("must be true or false.")
    return Fake(method, **options, unique=table.get("unique", False), **arguments)


def _check_sizes(arguments: Mapping, place: Place) -> None:
    """Raise where arguments of a Faker method ask for more in one record than memory holds of all."""
    for name, value in arguments.items():
        if isinstance(value, str) and len(value) > MAX_CHARACTERS:
            raise place.at(name).error(f"must have at most {MAX_CHARACTERS:,} characters. It has {len(value):,}.")
    sizes = {name: max(value, 1) for name, value in arguments.items() if isinstance(value, int | float)}
    pieces = math.prod(size for name, size in sizes.items() if name in PIECES)
    characters = pieces * max([size for name, size in sizes.items() if name in CHARACTERS], default=1)
    if pieces > MAX_PIECES or characters > MAX_CHARACTERS:
        most = f"{MAX_PIECES:,} pieces, such as words, or {MAX_CHARACTERS:,} characters are the most"
        raise place.error(f"ask for {max(pieces, characters):,} in each record; {most}.")


def _locale(given: Any, place: Place) -> str | FromColumn:
    if isinstance(given, str):
        return given
    check_keys(given, ("from_column", "default"), place)
    column, default = given.get("from_column"), given.get("default", "en_US")
    if not isinstance(column, str) or not isinstance(default, str):
        raise place.error('must be a text such as "es_MX", or { from_column = "Country", default = "en_US" }.')
    return FromColumn(column, default)


def _one_of(allowed: Mapping, name: Any, place: Place) -> Any:
    if not isinstance(name, str) or name not in allowed:
        raise place.error(f"there is no {name!r}{nearest(name, allowed)} Known: {', '.join(allowed)}.")
    return allowed[name]


def _integers(table: Mapping, place: Place) -> Integers:
    bounds = table["integers"]
    if not isinstance(bounds, list) or len(bounds) != 2:
        raise place.at("integers").error("must be an array of two integers, [lowest, highest].")
    return Integers(*bounds)


def _dates(table: Mapping, place: Place) -> Dates:
    check_keys(table["dates"], ("start", "end", "year"), place.at("dates"))
    for key, bound in table["dates"].items():
        if isinstance(bound, bool) or not isinstance(bound, str | (int if key == "year" else datetime.date)):
            wanted = "a year" if key == "year" else "a date"
            raise place.at("dates").at(key).error(f"must be {wanted}, or the name of a column.")
    return Dates(**table["dates"])


def _copy(table: Mapping, place: Place) -> Copy:
    if not isinstance(table["copy"], str):
        raise place.at("copy").error("must be the name of a column.")
    return Copy(table["copy"])


def _choice(table: Mapping, place: Place) -> Choice:
    if not isinstance(table["choice"], list):
        raise place.at("choice").error("must be an array of values.")
    return Choice(table["choice"], table.get("weights"))


_COLUMN_KINDS = {
    "fake": (_fake, ("fake", "locale", "unique", "reject", "arguments")),
    "integers": (_integers, ("integers",)),
    "choice": (_choice, ("choice", "weights")),
    "dates": (_dates, ("dates",)),
    "copy": (_copy, ("copy",)),
}
_ALL_COLUMN_KEYS = {key for _, keys in _COLUMN_KINDS.values() for key in keys}


def distributions(given: Any, place: Place) -> Any:
    """Return the distributions of a DistributionImputer: ``"observed"``, or one for each column."""
    if not isinstance(given, Mapping):
        return given
    return {column: _distribution(one, place.at(column)) for column, one in given.items()}


def _distribution(given: Any, place: Place) -> Any:
    """Return weights by value or range; or such for each group, where there are `groups` and `otherwise`."""
    if not (isinstance(given, Mapping) and set(given) == {"groups", "otherwise"}):
        return given if isinstance(given, str) else _weights(given, place)
    groups, inside = given["groups"], place.at("groups")
    if not isinstance(groups, list) or not groups:
        raise inside.error("must be an array of tables { group = …, weights = … }.")
    members = {}
    for number, one in enumerate(groups, 1):
        check_keys(one, ("group", "weights"), inside.at(number))
        if set(one) != {"group", "weights"}:
            raise inside.at(number).error("must have both keys, group and weights.")
        group = tuple(one["group"]) if isinstance(one["group"], list) else one["group"]
        if _hashable(group, inside.at(number).at("group")) in members:
            raise inside.at(number).at("group").error("comes twice.")
        members[group] = _weights(one["weights"], inside.at(number).at("weights"))
    return Conditional(members, _weights(given["otherwise"], place.at("otherwise")))


def _weights(given: Any, place: Place) -> dict:
    """Return the weights of texts (a table), or of values of any kind and ranges (an array of tables)."""
    if isinstance(given, Mapping) and given:
        return dict(given)
    if not isinstance(given, list) or not given:
        example = "{ female = 51, male = 49 }, or [{ range = [0, 9], weight = 25 }, { value = 10, weight = 3 }]"
        raise place.error(f"must be weights, such as {example}.")
    weights = {}
    for number, one in enumerate(given, 1):
        here = place.at(number)
        check_keys(one, ("value", "range", "weight"), here)
        if "weight" not in one or ("value" in one) == ("range" in one):
            raise here.error("must have a weight, and either a value or a range.")
        entry = one.get("value")
        if "range" in one:
            if not isinstance(one["range"], list) or len(one["range"]) != 2:
                raise here.at("range").error("must be an array of two numbers, [lowest, highest].")
            entry = tuple(one["range"])
        if _hashable(entry, here) in weights:
            raise here.error("names a value or a range that came before.")
        weights[entry] = one["weight"]
    return weights


def _hashable(value: Any, place: Place) -> Any:
    parts: Collection = value if isinstance(value, tuple) else (value,)
    if any(isinstance(part, list | dict) for part in parts):
        raise place.error("must be a single value, not an array or a table.")
    return value


def learned_bounds(given: Any, place: Place) -> Any:
    """Return the bounds of a step that may learn them: a pair or ``{ epsilon = … }``, or such for each column."""
    if not isinstance(given, Mapping):
        return given
    if isinstance(given.get("epsilon"), int | float):  # no column's: those have pairs and tables
        return _dp_bounds(given, place)
    return {
        column: _dp_bounds(one, place.at(column)) if isinstance(one, Mapping) else one for column, one in given.items()
    }


def _dp_bounds(given: Mapping, place: Place) -> DPBounds:
    check_keys(given, ("epsilon", "low", "failure"), place)
    if "epsilon" not in given:
        raise place.error("needs the key 'epsilon', what learning the bounds may cost, such as { epsilon = 0.2 }.")
    try:
        return DPBounds(**given)
    except ParameterError as error:
        raise place.error(str(error)) from None


def hierarchies(given: Any, place: Place) -> Any:
    """Return the hierarchies of a KAnonymizer: a table from each value to the nodes above it, or a file's frame."""
    if not isinstance(given, Mapping):
        raise place.error("must be a table with a hierarchy for each column.")
    return {
        column: _hierarchy_file(one, place.at(column)) if isinstance(one, str) else _hierarchy(one, place.at(column))
        for column, one in given.items()
    }


def _hierarchy(given: Any, place: Place) -> dict:
    if not isinstance(given, Mapping) or not given:
        raise place.error("must be a table from each value to the nodes above it, or the name of a CSV file.")
    for value, above in given.items():
        nodes = [above] if isinstance(above, str) else above
        if not isinstance(nodes, list) or not nodes or not all(isinstance(node, str) for node in nodes):
            raise place.at(value).error("must be a text or an array of texts, the root last.")
    return dict(given)


def _hierarchy_file(name: str, place: Place) -> pd.DataFrame:
    """Return a hierarchy in ARX's CSV form from a file in the folder of the recipe, or in one below it."""
    folder = Path(place.file).resolve().parent
    try:
        path = (folder / name).resolve()
        within, there = path.is_relative_to(folder), path.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, a loop of links, a NUL
        within = there = False
    if not within:
        raise place.error("must be a file in the folder of the recipe, or in one below it.")
    if not there:
        raise place.error(f"there is no file {name!r} beside the recipe.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        delimiter = ";" if ";" in text.partition("\n")[0] else ","
        rows = pd.read_csv(path, sep=delimiter, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (ValueError, OSError) as error:
        raise place.error(f"the file {name!r} is no CSV file of one row a value, in UTF-8.") from error
    short = int((rows.iloc[:, -1] == "").sum())  # pandas fills up what a short row lacks
    if 0 < short < len(rows):
        lacking = f"{short} row{'s' * (short > 1)} with too few nodes, or with an empty last one"
        raise place.error(f"the file {name!r} must have rows of one length each (it is ragged). Got {lacking}.")
    return rows
