"""Draws of whole columns: what `self.generator.random` and Faker's placeholders give to provider code.

Every draw of a method is kept on a *tape*. When the method's code needs a concrete value and the rows disagree on it,
they are split by that value and the method runs again for each part, with its earlier draws replayed from the tape, cut
to the rows of the part. So a branch is taken by those rows only whose own draw asks for it.
"""

from __future__ import annotations

import functools
import operator
import re
import string
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from skdp._faker_columns import (
    LARGEST_PRODUCT,
    ROWS_PER_PART,
    Column,
    NotOnColumns,
    Split,
    allow,
    combined,
    from_values,
    holds_columns,
    is_column,
    parts_of,
    rows_of,
    settled,
    spend,
    taken,
)
from skdp._faker_numbers import NumberColumn, text_of
from skdp._faker_text import Dictionary, Piece, TextColumn, concatenated, dictionary, strings_over

_thread = threading.local()


def current() -> Run:
    """Return the run that is under way in this thread."""
    return _thread.run


class Run:
    """One call of `ColumnFaker.column`: its randomness and the methods that are under way.

    Parameters
    ----------
    rng : numpy.random.Generator
    sample : bool
        Whether a method that falls back to rows need only draw a few.
    """

    def __init__(self, rng: np.random.Generator, sample: bool = False):
        self.rng = rng
        self.sample = sample
        self.frames: list[Frame] = []
        self.fallbacks: set[int] = set()  # the depths at which a method fell back to rows

    def __enter__(self) -> Run:
        self._outer = getattr(_thread, "run", None)
        _thread.run = self
        return self

    def __exit__(self, *unused) -> None:
        _thread.run = self._outer

    @property
    def size(self) -> int:
        """The number of rows under way."""
        return self.frames[-1].size

    def draw(self, make: Callable[[int], Any]) -> Any:
        """Return what `make` draws for the rows under way, or drew for them before they were split."""
        frame = self.frames[-1]
        if frame.position == len(frame.tape):
            frame.tape.append(make(frame.size))
        value = frame.tape[frame.position]
        frame.position += 1
        return list(value) if type(value) is list else settled(value)  # provider code may change its list

    def undone(self, function: Callable, *args) -> Any:
        """Return the function's value; if it fails, the draws that it made are taken back."""
        state, depth = self.rng.bit_generator.state, len(self.frames)
        try:
            return function(*args)
        except (NotOnColumns, Split, Exception):
            self.rng.bit_generator.state = state
            del self.frames[depth:]
            raise

    def partitioned(self, function: Callable, args: tuple, kwargs: dict, size: int) -> Any:
        """Return the function's values for so many rows; rows that it treats differently are run apart."""
        before = allow(256 + size // (8 * ROWS_PER_PART))
        try:
            return self.apart(function, args, kwargs, size, size // ROWS_PER_PART)
        finally:
            allow(before)

    def apart(self, function: Callable, args: tuple, kwargs: dict, size: int, parts: int) -> Any:
        """Do as `partitioned`, in so many parts and with the operations that the method under way has left."""
        return combined(list(self._parts(function, args, kwargs, size, parts)), size)

    def _parts(self, function: Callable, args: tuple, kwargs: dict, size: int, parts_left: int):
        waiting = [(None, size, [], args, kwargs)]
        while waiting:
            rows, count, tape, args, kwargs = waiting.pop()
            frame = Frame(count, tape)
            self.frames.append(frame)
            try:
                value = function(*args, **kwargs)
            except Split as split:
                parts_left -= split.count
                if parts_left < 0 or len(split.codes) != count:
                    raise NotOnColumns from None
                for part in parts_of(split.codes, split.count):
                    own = part if rows is None else rows[part]
                    waiting.append((own, len(part), taken(frame.tape, part), taken(args, part), taken(kwargs, part)))
            else:
                yield rows, returned(value, count)
            finally:
                self.frames.pop()


class Frame:
    """One run of a method for a number of rows, and its draws so far."""

    __slots__ = ("size", "tape", "position")

    def __init__(self, size: int, tape: list):
        self.size = size
        self.tape = tape
        self.position = 0


def returned(value: Any, size: int) -> Any:
    """Return the value of a method, checked to be one for each row or the same for all."""
    if type(value) in (tuple, list) and holds_columns(value):
        value = rows_of(value)
    if is_column(value) and value.size != size or not is_column(value) and not is_constant(value):
        raise NotOnColumns
    return value


def is_constant(value: Any) -> bool:
    """Whether rows may share a value: no column hides in it, and it cannot hand out different things."""
    if isinstance(value, dict):
        return all(map(is_constant, value.keys())) and all(map(is_constant, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_constant, value))
    return not is_column(value) and not hasattr(type(value), "__next__")


class ColumnRandom:
    """`random.Random` for provider code: each draw gives one value for each row."""

    def __getattr__(self, name: str):
        raise AttributeError(name) if name.startswith("_") else NotOnColumns

    def random(self) -> NumberColumn:
        """Floats in [0, 1)."""
        return current().draw(lambda size: NumberColumn(current().rng.random(size)))

    def uniform(self, a, b) -> NumberColumn:
        """Floats between two bounds."""
        return a + (b - a) * self.random()

    def randint(self, a, b) -> NumberColumn:
        """Integers between two bounds, both included."""
        return self.randrange(a, b + 1)

    def randrange(self, start, stop=None, step=1) -> NumberColumn:
        """Integers from a range."""
        if stop is None:
            start, stop = 0, start
        if is_column(step) or step != 1:
            return start + step * self.randrange(len(range(*map(operator.index, (start, stop, step)))))
        start, stop = _bound(start), _bound(stop)
        if np.any(np.asarray(start) >= np.asarray(stop)):
            raise ValueError("empty range")
        return current().draw(lambda size: NumberColumn(current().rng.integers(start, stop, size)))

    def getrandbits(self, k: int) -> NumberColumn:
        """Integers of so many random bits."""
        return self.randrange(2 ** operator.index(k))

    def choice(self, seq) -> Any:
        """Elements, each equally likely."""
        elements = tuple(seq)
        return current().draw(lambda size: chosen(elements, None, size))

    def choices(self, population, weights=None, *, cum_weights=None, k=1) -> list:
        """Return a list of `k` draws with replacement."""
        if cum_weights is not None:
            raise NotOnColumns
        elements, weights, k = tuple(population), None if weights is None else tuple(weights), operator.index(k)
        return current().draw(lambda size: [chosen(elements, weights, size) for _ in range(k)])

    def sample(self, population, k: int) -> list:
        """Return a list of `k` draws without replacement."""
        elements, k = tuple(population), operator.index(k)
        if not 0 <= k <= len(elements):
            raise ValueError("sample larger than population")
        return current().draw(lambda size: _sampled(elements, k, size))


RANDOM = ColumnRandom()


def _bound(value: Any) -> Any:
    if type(value) is NumberColumn and value.numbers.dtype.kind == "i" and value.size == current().size:
        return value.numbers
    return operator.index(value)


def chosen(elements: tuple, weights: tuple | None, size: int) -> Any:
    """Return a column of elements, which may be columns themselves."""
    if not elements:
        raise IndexError("nothing to choose from")
    rng = current().rng
    if weights is None:
        return _selected(elements, rng.integers(0, len(elements), size, dtype=np.int32))
    threshold, alias = _alias_table(weights)
    scaled = rng.random(size) * len(weights)
    codes = scaled.astype(np.int32)
    return _selected(elements, np.where(scaled < threshold[codes], codes, alias[codes]))


@functools.lru_cache(maxsize=256)
def _alias_table(weights: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Vose's alias table: where in its cell each code ends, and the code that has the rest of the cell."""
    heights = np.asarray(weights, float)
    if not 0 < heights.sum() < np.inf or heights.min() < 0:
        raise ValueError("weights must be finite, not negative and not all zero")
    heights = (heights / heights.sum() * len(heights)).tolist()
    threshold, alias = np.arange(1.0, len(heights) + 1), np.arange(len(heights), dtype=np.int32)
    low = [code for code, height in enumerate(heights) if height < 1]
    high = [code for code, height in enumerate(heights) if height >= 1]
    while low and high:
        code, donor = low.pop(), high[-1]
        threshold[code], alias[code] = code + heights[code], donor
        heights[donor] -= 1 - heights[code]
        if heights[donor] < 1:
            low.append(high.pop())
    return threshold, alias


def _selected(elements: tuple, codes: np.ndarray) -> Any:
    kinds = set(map(type, elements))
    if kinds == {str}:
        return TextColumn([(dictionary(elements), codes)], len(codes))
    if any(issubclass(kind, Column) for kind in kinds):
        parts = enumerate(parts_of(codes, len(elements)))
        return combined([(rows, taken(elements[code], rows)) for code, rows in parts], len(codes))
    return from_values(list(elements), codes)


def _sampled(elements: tuple, k: int, size: int) -> list:
    """Return a list of `k` columns that hold different elements in each row."""
    if len(elements) > 64:
        raise NotOnColumns
    order = np.tile(np.arange(len(elements), dtype=np.int32), (size, 1))
    current().rng.permuted(order, axis=1, out=order)
    return [_selected(elements, order[:, position].copy()) for position in range(k)]


Grammar = Callable[[str, tuple], tuple[list[str], tuple]]  # a text's literals and the tokens between them


def expanded(text: Any, grammar: Grammar, symbols: tuple, fill: Callable) -> Any:
    """Return the text with each token of a grammar exchanged for what is drawn for it.

    Parameters
    ----------
    text : str or TextColumn
    grammar : callable
        Takes a string and the symbols; returns its literals and the tokens between them.
    symbols : tuple
        What the grammar depends on.
    fill : callable
        Takes a token and returns its value for the rows under way.

    Returns
    -------
    TextColumn
    """

    def make(size: int) -> TextColumn:
        pieces = [(dictionary((text,)), None)] if type(text) is str else text.pieces
        return concatenated([_expanded(piece, grammar, symbols, fill, size) for piece in pieces], size)

    if type(text) not in (str, TextColumn):
        raise NotOnColumns
    return current().draw(make)


def _expanded(piece: Piece, grammar: Grammar, symbols: tuple, fill: Callable, size: int) -> TextColumn:
    words, codes = piece
    skeletons = words.remember((grammar, symbols), lambda words: Skeletons(words, grammar, symbols))
    if not any(skeletons.tokens):
        return TextColumn([piece], size)
    codes = np.zeros(size, np.int32) if codes is None else codes
    group_of = skeletons.group_of[codes]
    parts = [(group, rows) for group, rows in enumerate(parts_of(group_of, len(skeletons.tokens))) if len(rows)]
    if len(parts) > max(256, size // ROWS_PER_PART):
        raise NotOnColumns
    done = []
    for group, rows in parts:
        arguments = (skeletons.literals_of(group, codes[rows]), skeletons.tokens[group], fill)
        done.append((rows, current().partitioned(_filled, arguments, {}, len(rows))))
    return combined(done, size)


class Skeletons:
    """The entries of a dictionary, grouped by their tokens."""

    def __init__(self, words: Dictionary, grammar: Grammar, symbols: tuple):
        self.group_of, self.place = np.empty(len(words), np.int32), np.empty(len(words), np.int32)
        members: dict[tuple, tuple[int, list]] = {}
        for code, value in enumerate(words.values):
            literals, tokens = grammar(value, symbols)
            self.group_of[code], own = members.setdefault(tokens, (len(members), []))
            self.place[code] = len(own)
            own.append(literals)
        self.tokens = list(members)
        self.literals = [list(map(_constant_or_dictionary, zip(*own, strict=True))) for _, own in members.values()]

    def literals_of(self, group: int, codes: np.ndarray) -> list[str | TextColumn]:
        """Return the literals of some rows of a group."""
        place = self.place[codes]
        return [part if type(part) is str else TextColumn([(part, place)], len(place)) for part in self.literals[group]]


def _constant_or_dictionary(values: tuple[str, ...]) -> str | Dictionary:
    return values[0] if len(set(values)) == 1 else Dictionary(list(values))


def _filled(literals: list, tokens: tuple, fill: Callable) -> TextColumn:
    parts = [literals[0]]
    for token, literal in zip(tokens, literals[1:], strict=True):
        parts += [text_of(fill(token)), literal]
    return concatenated(parts, current().size)


def placeholders(text: str, symbols: tuple) -> tuple[list[str], tuple]:
    """Return the literals of a format of `numerify` or `lexify`, and the alphabet and length of each run between."""
    alphabets, pattern = _runs(symbols)
    split = pattern.split(text)
    return split[::2], tuple([(alphabets[run[0]], len(run)) for run in split[1::2]])


@functools.lru_cache(maxsize=256)
def _runs(symbols: tuple) -> tuple[dict, re.Pattern]:
    """Return the alphabet of each symbol, and a pattern for runs of one symbol."""
    return dict(symbols), re.compile("(" + "|".join(re.escape(symbol) + "+" for symbol, _ in symbols) + ")")


def random_symbols(token: tuple[tuple[str, ...], int]) -> TextColumn:
    """Random strings over an alphabet, all of one length in symbols."""
    alphabet, length = token
    longest = max(1, int(np.log(LARGEST_PRODUCT) / np.log(len(alphabet)))) if len(alphabet) > 1 else length
    run, pieces = current(), []
    spend()
    for start in range(0, length, longest):
        words = strings_over(alphabet, min(longest, length - start))
        pieces.append((words, run.rng.integers(0, len(words), run.size, dtype=np.int32)))
    return TextColumn(pieces, run.size)


def matches(text: str, symbols: tuple) -> tuple[list[str], tuple]:
    """Return what `re.sub` finds: the literals and the matches between them."""
    found = tuple(re.finditer(symbols[0], text))
    ends = [0, *(match.end() for match in found)]
    starts = [*(match.start() for match in found), len(text)]
    return [text[end:start] for end, start in zip(ends, starts, strict=True)], found


DIGITS = tuple(string.digits)
NUMERALS = (
    ("#", DIGITS),
    ("%", DIGITS[1:]),
    ("$", DIGITS[2:]),
    ("!", DIGITS + ("",) * 10),
    ("@", DIGITS[1:] + ("",) * 9),
)
_ON_ITS_OWN = object()


def either(condition, yes: Callable, no: Callable) -> Any:
    """`yes() if condition else no()`, with both drawn where the condition differs from row to row."""
    if type(condition) is not NumberColumn:
        return yes() if condition else no()
    drawn = current().draw(lambda size: _both(condition.numbers != 0, yes, no, size))
    if drawn is _ON_ITS_OWN:
        return yes() if condition else no()
    return drawn


def _both(condition: np.ndarray, yes: Callable, no: Callable, size: int) -> Any:
    """Return the value of each branch in its rows, unless these must be split to compute it."""

    def make() -> Any:
        branches = [(np.flatnonzero(condition), yes), (np.flatnonzero(~condition), no)]
        parts = [(rows, returned(branch(), size)) for rows, branch in branches if len(rows)]
        return combined([(rows, taken(value, rows)) for rows, value in parts], size)

    run = current()
    run.frames.append(Frame(size, []))  # its draws stay off the tape, which holds the outcome alone
    try:
        return run.undone(make)
    except (NotOnColumns, Split, Exception):
        return _ON_ITS_OWN
    finally:
        run.frames.pop()
