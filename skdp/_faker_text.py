"""Columns of strings: a row of pieces, and a piece is a dictionary of strings with one integer code for each row.

Joining columns lines up their pieces, changing case changes the dictionaries, and rows of different formats are merged
by merging dictionaries, slot by slot. No string is built before the very end, where Arrow joins the pieces.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skdp._faker_columns import (
    BUILDERS,
    LARGEST_PRODUCT,
    MERGERS,
    ROWS_PER_PART,
    Column,
    NotOnColumns,
    compacted,
    encoded,
    from_values,
    is_column,
    refuse_many,
    rowwise,
    settled,
    spend,
)


class Dictionary:
    """An immutable list of strings, with what was once computed from it."""

    __slots__ = ("_values", "_arrow", "_memo", "of_rows")

    def __init__(self, values: list[str] | None = None, *, arrow: pa.Array | None = None, of_rows: bool = False):
        self._values = values
        self._arrow = arrow
        self._memo: dict = {}
        self.of_rows = of_rows  # about one entry for each row: worth neither caching nor multiplying

    def __len__(self) -> int:
        return len(self._arrow if self._values is None else self._values)

    @property
    def values(self) -> list[str]:
        """The entries as a list."""
        if self._values is None:
            self._values = self._arrow.to_pylist()
        return self._values

    @property
    def arrow(self) -> pa.Array:
        """The entries as an Arrow array."""
        if self._arrow is None:
            self._arrow = pa.array(self._values, pa.large_string())
        return self._arrow

    def remember(self, key, compute: Callable):
        """Return what `compute(self)` returned the first time for this key."""
        if key not in self._memo:
            self._memo[key] = compute(self)
        return self._memo[key]

    def mapped(self, function: Callable[[str], str], key=None) -> Dictionary:
        """Return the dictionary of the function's results."""
        if key is None or self.of_rows:
            return Dictionary([function(value) for value in self.values], of_rows=self.of_rows)
        return self.remember(key, lambda self: Dictionary([function(value) for value in self.values]))

    def width(self) -> int | None:
        """Return the number of characters of every entry; None if they differ."""

        def compute(self):
            lengths = set(map(len, self.values))
            return lengths.pop() if len(lengths) == 1 else None

        return self.remember("width", compute)

    def distinct(self) -> tuple[Dictionary, np.ndarray | None]:
        """Return the dictionary without repeated entries, and each old entry's new code (None: unchanged)."""

        def compute(self):
            first, codes = encoded(self.values)
            return (self, None) if len(first) == len(codes) else (Dictionary(first), codes)

        return self.remember("distinct", compute)


Piece = tuple[Dictionary, np.ndarray | None]  # codes None: the only entry, in every row


class TextColumn(Column):
    """Strings: for each row the joined entries of one or more dictionaries."""

    __class__ = property(lambda self: str)  # for isinstance in provider code
    __hash__ = Column.__hash__

    def __init__(self, pieces: list[Piece], size: int, numbers: Column | None = None):
        self.pieces = pieces
        self.size = size
        self._numbers = numbers  # which these strings write, as often they are filled with zeros next

    def take(self, rows: np.ndarray) -> TextColumn:
        pieces = [(words, None if codes is None else codes[rows]) for words, codes in self.pieces]
        return TextColumn(pieces, len(rows), None if self._numbers is None else self._numbers.take(rows))

    def single(self) -> tuple[Dictionary, np.ndarray]:
        """Return the same strings as one dictionary and codes."""
        pieces = multiplied(self.pieces, min(LARGEST_PRODUCT, self.size))
        if len(pieces) == 1:
            words, codes = pieces[0]
            return words, np.zeros(self.size, np.int32) if codes is None else codes
        return Dictionary(arrow=self.joined(), of_rows=True), np.arange(self.size, dtype=np.int32)

    def joined(self) -> pa.Array:
        """One Arrow string for each row."""
        strings = []
        for words, codes in self.pieces:
            if codes is None:
                strings.append(pa.scalar(words.values[0], pa.large_string()))
            else:
                strings.append(words.arrow.take(pa.array(codes)))
        return pc.binary_join_element_wise(*strings, pa.scalar("", pa.large_string()))

    def used(self) -> tuple[list[str], np.ndarray]:
        """Return the entries that occur and the code of each row."""
        words, codes = self.single()
        if words.of_rows and len(words) == self.size:
            return words.values, codes
        codes, present = compacted(codes, len(words))
        values = words.values
        return (values if present is None else [values[code] for code in present]), codes

    def factorise(self) -> tuple[np.ndarray, list]:
        words, codes = self.single()
        if words.of_rows:
            array = words.arrow.take(pa.array(codes)).dictionary_encode()
            refuse_many(len(array.dictionary), self.size)
            return array.indices.to_numpy(zero_copy_only=False), array.dictionary.to_pylist()
        words, recoded = words.distinct()
        codes, present = compacted(codes if recoded is None else recoded[codes], len(words))
        return codes, words.values if present is None else [words.values[code] for code in present]

    def to_list(self) -> list[str]:
        values, codes = self.used()
        return [values[code] for code in codes.tolist()]

    def mapped(self, function: Callable) -> Any:
        values, codes = self.used()
        return settled(from_values([function(value) for value in values], codes))

    def is_narrow(self) -> bool:
        return len(self.pieces) == 1 and not self.pieces[0][0].of_rows

    def by_character(self, function: Callable[[str], str], key=None) -> TextColumn:
        """Return a function that maps each character on its own, applied to the dictionaries."""
        spend()
        return TextColumn([(words.mapped(function, key), codes) for words, codes in self.pieces], self.size)

    def upper(self) -> TextColumn:
        return self.by_character(str.upper, "upper")

    def lower(self) -> TextColumn:
        # the lower case of a Greek sigma depends on its neighbours
        if len(self.pieces) > 1 and any(words.remember("sigma", _has_sigma) for words, _ in self.pieces):
            return self.mapped(str.lower)
        return self.by_character(str.lower, "lower")

    def replace(self, old, new, count=-1):
        if type(old) is str and type(new) is str and len(old) == 1 and count == -1:
            return self.by_character(lambda value: value.replace(old, new), ("replace", old, new))
        return rowwise(str.replace, self, old, new, count)

    def translate(self, table) -> TextColumn:
        return self.by_character(lambda value: value.translate(table))

    def zfill(self, width):
        if self._numbers is None or type(width) is not int:
            return rowwise(str.zfill, self, width)
        return self._numbers.filled(width)

    def __getattr__(self, name: str) -> Callable:
        if name.startswith("__"):
            raise AttributeError(name)
        return functools.partial(rowwise, getattr(str, name), self)

    def _widths(self) -> list[int] | None:
        widths = [words.width() for words, _ in self.pieces]
        return None if None in widths else widths

    def __len__(self) -> int:
        widths = self._widths()
        return sum(widths) if widths is not None else operator.index(self.mapped(len))

    def __iter__(self) -> Iterator:
        even = self._even()
        return iter([even[position] for position in range(len(even))])

    def _even(self) -> TextColumn:
        """Return the column with pieces of one width; rows that differ in length must be split."""
        if self._widths() is not None:
            return self
        values, codes = self.used()
        if len(values) <= ROWS_PER_PART:
            self.concrete()
        operator.index(self.mapped(len))
        return TextColumn([(Dictionary(values, of_rows=len(values) > LARGEST_PRODUCT), codes)], self.size)

    def __getitem__(self, key):
        widths = self._widths() if type(key) is int else None
        return rowwise(operator.getitem, self, key) if widths is None else self._character(key, widths)

    def _character(self, position: int, widths: list[int]) -> TextColumn:
        if position < 0:
            position += sum(widths)
        ends = list(itertools.accumulate(widths))
        piece = next((piece for piece, end in enumerate(ends) if 0 <= position < end), None)
        if piece is None:
            raise IndexError("string index out of range")
        words, codes = self.pieces[piece]
        position -= ends[piece] - widths[piece]
        if not words.of_rows:
            return TextColumn([(words.mapped(operator.itemgetter(position), ("at", position)), codes)], self.size)
        array = pc.utf8_slice_codeunits(words.arrow, position, position + 1).dictionary_encode()
        indices = array.indices.to_numpy(zero_copy_only=False)
        return TextColumn([(Dictionary(array.dictionary.to_pylist()), indices[codes])], self.size)

    def __bool__(self) -> bool:
        return bool(self.mapped(bool))

    def __contains__(self, item) -> bool:
        return bool(rowwise(operator.contains, self, item))

    def __add__(self, other):
        return concatenated([self, other], self.size) if is_text(other) else NotImplemented

    def __radd__(self, other):
        return concatenated([other, self], self.size) if is_text(other) else NotImplemented

    def __mul__(self, count):
        return rowwise(operator.mul, self, count)

    def __mod__(self, other):
        return self.concrete() % other


def _has_sigma(words: Dictionary) -> bool:
    return any("Σ" in value for value in words.values)


def is_text(value) -> bool:
    """Whether a value is a string or a column of strings."""
    return type(value) in (str, TextColumn)


def concatenated(parts: Sequence[str | TextColumn], size: int) -> TextColumn:
    """Return the parts one after the other; strings join the dictionary beside them."""
    spend()
    pieces: list[Piece] = []
    for part in parts:
        if is_column(part) and part.size != size:
            raise NotOnColumns
        for piece in _pieces(part):
            fused = _fused(pieces[-1], piece) if pieces else None
            pieces[-1 if fused else len(pieces) :] = [fused or piece]
    return TextColumn(pieces, size)


def _pieces(part: str | TextColumn) -> list[Piece]:
    if type(part) is TextColumn:
        return part.pieces
    return [(dictionary((part,)), None)] if part else []


def _fused(left: Piece, right: Piece) -> Piece | None:
    """Two neighbouring pieces as one, if one of them is the same string in every row."""
    (words, codes), (more_words, more_codes) = left, right
    if more_codes is None and not words.of_rows:
        tail = more_words.values[0]
        return words.mapped(lambda value: value + tail, ("append", tail)), codes
    if codes is None and not more_words.of_rows:
        head = words.values[0]
        return more_words.mapped(lambda value: head + value, ("prepend", head)), more_codes
    return None


def multiplied(pieces: list[Piece], limit: int) -> list[Piece]:
    """Return the pieces, at least one, with neighbours multiplied into one dictionary while it stays below a limit."""
    done = [*pieces[:1]] or [NOTHING]
    for words, codes in pieces[1:]:
        last_words, last_codes = done[-1]
        if codes is None or last_codes is None:
            fused = _fused(done[-1], (words, codes))
        elif len(words) * len(last_words) > limit or words.of_rows or last_words.of_rows:
            fused = None
        else:
            fused = _product(last_words, words), last_codes * np.int32(len(words)) + codes
        done[-1 if fused else len(done) :] = [fused or (words, codes)]
    return done


@functools.lru_cache(maxsize=256)
def _product(left: Dictionary, right: Dictionary) -> Dictionary:
    return Dictionary([head + tail for head in left.values for tail in right.values])


@functools.lru_cache(maxsize=1024)
def dictionary(values: tuple[str, ...]) -> Dictionary:
    """Return the dictionary of these strings, the same one each time."""
    return Dictionary(list(values))


@functools.lru_cache(maxsize=1024)
def strings_over(alphabet: tuple[str, ...], length: int) -> Dictionary:
    """Every string of so many symbols, in order; each as likely as its symbols are."""
    return Dictionary(list(map("".join, itertools.product(alphabet, repeat=length))))


NOTHING: Piece = (dictionary(("",)), None)


def _merged(parts: list[tuple[np.ndarray, str | TextColumn]], size: int) -> TextColumn:
    """Return the rows of all parts: their first pieces in the first slot, and so on."""
    lists = [(rows, _pieces(value)) for rows, value in parts]
    slots: list[Piece] = []
    for slot in range(max(len(pieces) for _, pieces in lists)):
        chosen = [(rows, *(pieces[slot] if slot < len(pieces) else NOTHING)) for rows, pieces in lists]
        order = tuple(dict.fromkeys(words for _, words, _ in chosen))
        starts = dict(zip(order, itertools.accumulate(map(len, order), initial=0), strict=False))
        codes = np.empty(size, np.int32)
        for rows, words, own in chosen:
            codes[rows] = starts[words] if own is None else own + np.int32(starts[words])
        slots.append((_chained(order), codes))
    return TextColumn(slots, size)


def _chained(dictionaries: tuple[Dictionary, ...]) -> Dictionary:
    if any(words.of_rows for words in dictionaries):
        return Dictionary(arrow=pa.concat_arrays([words.arrow for words in dictionaries]), of_rows=True)
    return _chained_small(dictionaries)


@functools.lru_cache(maxsize=512)
def _chained_small(dictionaries: tuple[Dictionary, ...]) -> Dictionary:
    return Dictionary(list(itertools.chain.from_iterable(words.values for words in dictionaries)))


def _built(values: list[str], codes: np.ndarray, of_rows: bool) -> TextColumn:
    if of_rows and len(set(values[:512])) <= 32 < len(values):
        values, codes = encoded(values)
    return TextColumn([(Dictionary(values, of_rows=len(values) > LARGEST_PRODUCT or of_rows), codes)], len(codes))


BUILDERS[str] = _built
MERGERS[str] = _merged
