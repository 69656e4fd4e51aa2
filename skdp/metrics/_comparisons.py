"""What someone who knows a person's value makes of released cells: ranges it may lie in, sets it may belong to.

The labels are those of KAnonymizer, QuantileBinner and IntervalBinner. Only the distinct ones are read.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skdp import _frames, _levels
from skdp._generalisation import ordered_values
from skdp.metrics._labels import EndReader, SetReader, coded, is_ordered


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
    kind = _frames.kind(released, column)
    if kind == _frames.kind(people, column) == "number":
        theirs = _frames.numbers(released, column)
        return RangeColumn(theirs, theirs, np.isnan(theirs), _frames.numbers(people, column))
    if kind in ("text", "category"):
        codes, labels = coded(released, column)
        if is_ordered(people, column):
            ends, or_missing = EndReader(people, column).ends(labels)
            if not np.isnan(ends).all():
                low, high = np.vstack([ends, [np.nan, np.nan]]).T
                own = ordered_values(people, column, _frames.category_order(people, column))
                return RangeColumn(low[codes], high[codes], np.append(or_missing, True)[codes], own)
        elif any(label.startswith("{") for label in labels):
            return _sets(SetReader(people, column), codes, labels)
    codes, among = _levels.levels(released, column)
    own = _levels.locate(people, column, among)
    return CodeColumn(codes, np.where((own < 0) & ~_frames.missing(people, column), -2, own))


def _sets(people: SetReader, codes: np.ndarray, labels: list[str]) -> SetColumn:
    holds = np.zeros((len(people.position) + 1, len(labels) + 1), dtype=bool)
    holds[-1, -1] = True
    is_only = holds.copy()
    for number, label in enumerate(labels):
        holds[people.known_members(label), number] = True
        if label in people.position:
            is_only[people.position[label], number] = True
    return SetColumn(codes, people.codes, holds, is_only)
