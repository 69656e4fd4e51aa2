"""What someone who knows a person's value makes of released cells: ranges it may lie in, sets it may belong to.

The labels are those of KAnonymizer, QuantileBinner and IntervalBinner. Only the distinct ones are read.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skdp import _frames, _levels

OR_MISSING = " or missing"


@dataclass(frozen=True)
class RangeColumn:
    """Numbers, or values with an order, and the ranges released of them.

    Parameters
    ----------
    low, high : ndarray of float64 of shape (n_released,)
        The ends of each released range, both included; NaN where there is none.
    or_missing : ndarray of bool of shape (n_released,)
        Where a missing value may stand behind it.
    own : ndarray of float64 of shape (n_people,)
        What is known of people; NaN is missing.
    """

    low: np.ndarray
    high: np.ndarray
    or_missing: np.ndarray
    own: np.ndarray

    def distances(self, rows: slice) -> np.ndarray:
        """Return how far, from 0 to 1, some people are from each released row: by the width of all ranges."""
        ends = np.concatenate([self.low, self.high])
        ends = ends[np.isfinite(ends)]
        span = np.ptp(ends) if len(ends) else 0.0
        own = self.own[rows, None]
        with np.errstate(invalid="ignore"):
            apart = np.maximum(self.low - own, own - self.high)
            apart = np.clip(apart / (span or 1.0), 0.0, 1.0)
        inside = (self.low <= own) & (own <= self.high)  # also where both are infinite
        apart = np.where(np.isnan(apart), 1.0, np.where(inside, 0.0, apart))
        return np.where(np.isnan(own), ~self.or_missing, apart)

    def right(self, released: np.ndarray, tolerance: float) -> np.ndarray:
        """Return whether the middle of one released range a person is what is known, or almost."""
        guesses = self.low[released] / 2 + self.high[released] / 2  # halves, lest the sum overflows
        with np.errstate(invalid="ignore"):
            close = np.abs(guesses - self.own) <= tolerance * np.abs(self.own)
        return close | np.isnan(guesses) & self.or_missing[released] & np.isnan(self.own)


@dataclass(frozen=True)
class CodeColumn:
    """Values without an order, as codes that are the same for the same value; a missing value is one of them.

    Parameters
    ----------
    theirs : ndarray of int64 of shape (n_released,)
        The released values.
    own : ndarray of int64 of shape (n_people,)
        What is known of people.
    """

    theirs: np.ndarray
    own: np.ndarray

    def distances(self, rows: slice) -> np.ndarray:
        """Return 0 where the values are the same, 1 otherwise."""
        return (self.theirs != self.own[rows, None]).astype(np.float64)

    def right(self, released: np.ndarray, tolerance: float) -> np.ndarray:
        """Return whether one released value a person is what is known."""
        return self.theirs[released] == self.own


@dataclass(frozen=True)
class SetColumn:
    """Values without an order, and the sets released of them.

    Parameters
    ----------
    theirs : ndarray of int64 of shape (n_released,)
        The released labels; the last code is missing.
    own : ndarray of int64 of shape (n_people,)
        What is known of people; the last code is missing.
    holds, is_only : ndarray of bool of shape (n_values, n_labels)
        Whether a label holds a value; whether it is the one value that it holds.
    """

    theirs: np.ndarray
    own: np.ndarray
    holds: np.ndarray
    is_only: np.ndarray

    def distances(self, rows: slice) -> np.ndarray:
        """Return 0 where the set holds the value, 1 otherwise."""
        return (~self.holds)[self.own[rows]][:, self.theirs].astype(np.float64)

    def right(self, released: np.ndarray, tolerance: float) -> np.ndarray:
        """Return whether one released label a person names what is known alone."""
        return self.is_only[self.own, self.theirs[released]]


def compared(released: Any, people: Any, column: str) -> RangeColumn | CodeColumn | SetColumn:
    """Return a column of both tables as they can be compared.

    Raises
    ------
    ValueError
        If one holds numbers or dates and the other text that is no range of such.
    """
    kind, own_kind = _frames.kind(released, column), _frames.kind(people, column)
    if kind == own_kind == "number":
        theirs = _frames.numbers(released, column)
        return RangeColumn(theirs, theirs, np.isnan(theirs), _frames.numbers(people, column))
    if kind in ("text", "category"):
        codes, labels = _levels.levels(released, column)
        codes, labels = np.where(codes < 0, len(labels), codes), labels.to_pylist()
        order = _frames.category_order(people, column)
        if own_kind in ("number", "date") or order is not None:
            read = _reader(own_kind, order)
            ends = [read(label.removesuffix(OR_MISSING)) for label in labels]
            if any(low == low for low, _ in ends):
                low, high = np.array([*ends, (np.nan, np.nan)]).T
                either = np.array([*(label.endswith(OR_MISSING) for label in labels), True])
                return RangeColumn(low[codes], high[codes], either[codes], _places(people, column, order))
        elif any(label.startswith("{") for label in labels):
            return _sets(people, column, codes, labels)
    codes, among = _levels.levels(released, column)
    own = _levels.locate(people, column, among)
    return CodeColumn(codes, np.where((own < 0) & ~_frames.missing(people, column), -2, own))


def _places(people: Any, column: str, order: Iterable[str] | None) -> np.ndarray:
    """Return where each person's value stands; missing is NaN."""
    if order is not None:
        found = pc.index_in(_frames.texts(people, column), pa.array(list(order), pa.large_string()))
        return found.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    if _frames.kind(people, column) == "date":
        days = _frames.dates(people, column)
        return np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(np.float64))
    return _frames.numbers(people, column)


def _reader(kind: str, order: Iterable[str] | None) -> Callable[[str], tuple[float, float]]:
    """Return what reads the two ends of a range; NaN where a label is none."""
    if order is not None:
        ranks = {name: float(rank) for rank, name in enumerate(order)}
        return lambda label: _ends(label, ranks.get)
    return lambda label: _ends(label, _day if kind == "date" else _number)


def _ends(label: str, place: Callable[[str], float | None]) -> tuple[float, float]:
    """Return the ends of a range as written by the steps, the binners' open ones included.

    Examples
    --------
    >>> [_ends(label, _number) for label in ("21 - 24", "24", "-5 - -1", "24 and Under", "Lima")]
    [(21.0, 24.0), (24.0, 24.0), (-5.0, -1.0), (-inf, 24.0), (nan, nan)]
    """
    alone = place(label)
    if alone is not None:
        return alone, alone
    for found in re.finditer(" - ", label):
        low, high = place(label[: found.start()]), place(label[found.end() :])
        if low is not None and high is not None:
            return low, high
    above, below = (
        place(label.removesuffix(" and Over")),
        place(label.removesuffix(" and Under").removeprefix("Under ")),
    )
    if above is not None:
        return above, np.inf
    return (-np.inf, below) if below is not None else (np.nan, np.nan)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _day(text: str) -> float | None:
    try:
        return float(np.datetime64(text, "D").astype(np.int64)) if text[:1].isdigit() else None
    except ValueError:
        return None


def _sets(people: Any, column: str, codes: np.ndarray, labels: list[str]) -> SetColumn:
    texts = _frames.texts(people, column)
    if _frames.kind(people, column) == "boolean":
        texts = pc.utf8_capitalize(texts)  # as steps spell them
    coded = texts.dictionary_encode()
    values = coded.dictionary.to_pylist()
    place = {"missing": len(values), **{value: position for position, value in enumerate(values)}}
    holds = np.zeros((len(values) + 1, len(labels) + 1), dtype=bool)
    holds[-1, -1] = True
    is_only = holds.copy()
    with_commas = [value for value in values if ", " in value]
    for position, label in enumerate(labels):
        if label in place:
            holds[place[label], position] = is_only[place[label], position] = True
        if label.startswith("{"):
            inside = label[1:-1]
            held = [*inside.split(", "), *(value for value in with_commas if f", {value}, " in f", {inside}, ")]
            holds[[place[value] for value in held if value in place], position] = True
    own = coded.indices.fill_null(len(values)).to_numpy()
    return SetColumn(codes, own, holds, is_only)
