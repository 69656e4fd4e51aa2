"""Tables to draw from: weighted values or ranges, by groups of rows, and the one search that draws them."""

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from skdp import _frames, _levels
from skdp._streams import RowDraws


@dataclass(frozen=True, repr=False)
class Groups:
    """The groups of rows that have the same values in some columns; a missing value is a value."""

    columns: tuple = ()
    levels: tuple = ()
    pairs: tuple = ()

    @classmethod
    def learn(cls, frame, columns: list) -> "Groups":
        """Give each group a number, column by column: each pair of group so far and next value is one."""
        levels, pairs, codes = [], [], np.zeros(len(frame), dtype=np.int64)
        for column in columns:
            own, values = _levels.levels(frame, column)
            kept, codes = np.unique(_paired(codes, own, len(values)), return_inverse=True)
            levels.append(values)
            pairs.append(kept)
        return cls(tuple(columns), tuple(levels), tuple(pairs))

    def __len__(self) -> int:
        return len(self.pairs[-1]) if self.pairs else 0

    def locate(self, frame) -> np.ndarray:
        """Return the group of each row, -1 where there is none like it."""
        codes = np.full(len(frame), 0 if self.columns else -1, dtype=np.int64)
        for column, values, kept in zip(self.columns, self.levels, self.pairs, strict=True):
            own = _levels.locate(frame, column, values)
            unseen = (codes < 0) | ((own < 0) & ~_frames.missing(frame, column))
            pairs = _paired(codes, own, len(values))
            codes = np.minimum(np.searchsorted(kept, pairs), len(kept) - 1)
            codes[unseen | (kept[codes] != pairs)] = -1
        return codes


def _paired(codes: np.ndarray, own: np.ndarray, size: int) -> np.ndarray:
    """Return one number for each pair of codes; `own`, below `size`, may be -1."""
    return codes * (size + 1) + own + 1


@dataclass(frozen=True, repr=False)
class Sampler:
    """A table of what to draw, and the groups of rows that it tells apart."""

    groups: Groups
    table: Any

    def draw(self, groups: np.ndarray, draws: RowDraws) -> Any:
        return self.table.draw(groups, draws)


@dataclass(frozen=True, repr=False)
class Frozen:
    """A frozen distribution of ``scipy.stats``."""

    distribution: Any
    kind: str = "number"

    def draw(self, groups: np.ndarray, draws: RowDraws) -> np.ndarray:
        return draws.draw(lambda rng, size: np.asarray(self.distribution.rvs(size=size, random_state=rng)))


@dataclass(frozen=True, repr=False)
class Values:
    """Entries that are values; their kind is "observed" where they are a column's own."""

    values: Any
    kind: str = "observed"

    def __len__(self) -> int:
        return len(self.values)

    def at(self, positions: np.ndarray, draws: RowDraws) -> Any:
        return self.values.take(positions)


@dataclass(frozen=True, repr=False)
class Ranges:
    """Entries that are ranges of numbers: whole ones hold both ends, others are half-open."""

    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray
    kind: str = "number"

    def __len__(self) -> int:
        return len(self.low)

    @classmethod
    def between(cls, entries: list) -> "Ranges":
        ends = [entry if isinstance(entry, tuple) else (entry, entry) for entry in entries]
        whole = np.array([all(isinstance(end, numbers.Integral) for end in pair) for pair in ends])
        low, high = np.array(ends, dtype=np.int64 if whole.all() else np.float64).T
        return cls(low, high, whole)

    def at(self, positions: np.ndarray, draws: RowDraws) -> np.ndarray:
        low, high = self.low[positions], self.high[positions]
        if self.whole.all():  # differences of 2^63 and more are right as unsigned integers
            return low + draws.up_to((high - low).view(np.uint64), "within").view(np.int64)
        whole = self.whole[positions]
        offset = draws.uniform("within") * (high - low + whole)
        return low + np.where(whole, np.floor(offset), offset)


@dataclass(frozen=True, repr=False)
class Histogram:
    """Weighted entries, those of each group side by side, those of the marginal distribution last."""

    entries: Any
    positions: np.ndarray  # in `entries`
    cumulative: np.ndarray  # weights, over all groups
    starts: np.ndarray  # of the groups, in `positions`
    stops: np.ndarray

    @property
    def kind(self) -> str:
        return self.entries.kind

    @classmethod
    def weigh(cls, entries: Any, positions: np.ndarray, weights: list) -> "Histogram":
        """Lay the weights of the groups, the marginal one last, end to end."""
        stops = np.cumsum([len(one) for one in weights])
        return cls(entries, positions, np.cumsum(np.concatenate(weights)), np.r_[0, stops[:-1]], stops)

    @classmethod
    def count(
        cls, own: np.ndarray, entries: Values, groups: np.ndarray, n_groups: int, times: np.ndarray | None = None
    ) -> "Histogram":
        """Count the values `own` of the rows in each of the groups and in all; a group without any gets the latter.

        `times` says how often each row counts; None for once.
        """
        known, size = own >= 0, len(entries.values)
        weights = None if times is None else times[known]
        pairs, counts = own[:0], own[:0]
        if n_groups:
            pairs, places = np.unique(groups[known] * size + own[known], return_inverse=True)
            counts = np.bincount(places, weights=weights)
        marginal = np.bincount(own[known], weights=weights, minlength=size)
        stops = np.r_[np.searchsorted(pairs // size, np.arange(n_groups), side="right"), len(pairs) + size]
        starts = np.r_[0, stops[:-1]]
        empty = starts == stops
        starts[empty], stops[empty] = starts[-1], stops[-1]
        cumulative = np.cumsum(np.r_[counts, marginal].astype(np.float64))
        return cls(entries, np.r_[pairs % size, np.arange(size)], cumulative, starts, stops)

    def draw(self, groups: np.ndarray, draws: RowDraws) -> Any:
        """Draw a value for each row of the given groups; -1 is the marginal distribution."""
        return self.entries.at(self.positions[self._chosen(groups, draws.uniform("entry"))], draws)

    def _chosen(self, groups: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Invert the cumulative weights, each row within those of its group."""
        group = groups if len(self.starts) > 1 else -1
        first, last = self.starts[group], self.stops[group] - 1
        below = np.r_[0.0, self.cumulative]
        target = below[first] + uniform * (below[last + 1] - below[first])
        # rounding may carry a target up to the first weight of the next group
        return np.clip(np.searchsorted(self.cumulative, target, side="right"), first, last)
