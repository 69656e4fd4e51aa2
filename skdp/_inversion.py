r"""Exact draws: random bits compared with enclosures of irrational probabilities, as many bits as it takes.

An outcome is the number of cumulative probabilities c₁ ≤ c₂ ≤ … that are at most U = 0.b₁b₂b₃…, the bits fair and
independent. 16 bits decide nearly always; else 48 more, then as many again without limit, and no outcome is returned
before integers l, h with l/2^p ≤ c ≤ h/2^p prove it. Steps 2, 3 and 6 of the proof in `skdp.mechanisms` rest on this.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Protocol

import numpy as np

WIDTH = 10  # bits of a geometric variate that are drawn at once
TOP = 128  # outcomes of the highest digit before a fresh one is added
TABLE_FROM = 1 << 11  # fewer draws than this do not repay a lookup table
Enclosure = tuple[list[int], list[int]]


class Source(Protocol):
    """Where random bits come from."""

    def words(self, count: int, dtype: type) -> np.ndarray:
        """Return `count` fresh, uniform words of an unsigned integer `dtype`."""


class Inversion:
    """Outcomes 0, 1, 2, … drawn with exact probabilities, by inverting their cumulative distribution function.

    Parameters
    ----------
    enclose : callable of int to (list of int, list of int)
        For a precision p, integers l and h with l / 2^p <= c <= h / 2^p for each cumulative probability c of
        0 < c₁ < c₂ < … < 1, P(outcome < v) = c_v. With growing p, h - l may grow, but (h - l) / 2^p goes to 0.
    """

    def __init__(self, enclose: Callable[[int], Enclosure]):
        self.enclose = enclose

    @cached_property
    def thresholds(self) -> np.ndarray:
        """The first 64 binary places of each cumulative probability, as uint64."""
        precision = 192
        while True:
            lows, highs = self.enclose(precision)
            surplus = precision - 64
            # c < 1, though an enclosure may touch 1
            first = [low >> surplus for low in lows]
            last = [min(high >> surplus, 2**64 - 1) for high in highs]
            if first == last:
                return np.array(first, dtype=np.uint64)
            precision *= 2

    def draw(self, size: int, source: Source) -> np.ndarray:
        """Return `size` outcomes, each from bits of its own."""
        if size < TABLE_FROM:
            return self._decide(source.words(size, np.uint64), source)
        words = source.words(size, np.uint16)
        outcomes = table(self).take(words, mode="clip")
        tied = np.flatnonzero(outcomes < 0)
        if tied.size:
            further = source.words(tied.size, np.uint64) >> np.uint64(16)
            outcomes[tied] = self._decide(words[tied].astype(np.uint64) << np.uint64(48) | further, source)
        return outcomes

    def _decide(self, words: np.ndarray, source: Source) -> np.ndarray:
        """Return the outcomes for 64 bits each, with more bits where these do not decide."""
        outcomes = np.searchsorted(self.thresholds, words, side="right")
        for position in np.flatnonzero(self.thresholds[outcomes - 1] == words):
            outcomes[position] = self.resolve(int(words[position]), source)
        return outcomes

    def resolve(self, prefix: int, source: Source) -> int:
        """Return the outcome for a uniform number that begins with the 64 bits of `prefix`, however long it takes."""
        bits = 64
        while True:
            prefix = prefix << bits | int.from_bytes(source.words(bits // 8, np.uint8).tobytes())
            bits *= 2
            lows, highs = self.enclose(bits + 64)
            passed = bisect_right(highs, prefix << 64)
            touched = bisect_left(lows, (prefix + 1) << 64)
            if passed == touched:
                return passed


@lru_cache(maxsize=128)
def table(inversion: Inversion) -> np.ndarray:
    """Return the outcome for each 16 bits; -1 where a cumulative probability begins with them: they do not decide."""
    cells = (inversion.thresholds >> np.uint64(48)).astype(np.int64)
    kind = np.int16 if len(cells) < 2**15 else np.int32
    outcomes = np.searchsorted(cells, np.arange(2**16)).astype(kind)
    outcomes[cells] = -1
    return outcomes


def low_digit(rate: Fraction) -> Inversion:
    """Return a digit of a geometric variate: c_v = (1 - a^v) / (1 - a^n), a = e^-rate, v < n = 2^10."""

    def enclose(precision: int) -> Enclosure:
        working = precision + 64
        lows, highs = complements(powers(rate, 2**WIDTH, working), working)
        all_low, all_high = lows.pop(), highs.pop()
        return (
            [(low << precision) // all_high for low in lows],
            [-((-high << precision) // all_low) for high in highs],
        )

    return Inversion(enclose)


def top_digit(rate: Fraction) -> Inversion:
    """Return the highest digit of a geometric variate, 128 standing for any greater: c_v = 1 - a^v, v <= 128."""
    return Inversion(lambda precision: complements(powers(rate, TOP, precision), precision))


@lru_cache(maxsize=1024)
def sign_of(rate: Fraction) -> Inversion:
    """Return 0 with probability 1 / (1 + a), a = e^-rate, else 1."""

    def enclose(precision: int) -> Enclosure:
        one = 1 << precision
        low, high = exponential(rate, precision)
        return [one * one // (one + high)], [-(-one * one // (one + low))]

    return Inversion(enclose)


@lru_cache(maxsize=128)
def response(epsilon: Fraction, n_categories: int) -> Inversion:
    """Return 0 with probability 1 / (1 + (k - 1) a), else 1 … k - 1 alike: c_v = (1 + (v - 1) a) / (1 + (k - 1) a)."""

    def enclose(precision: int) -> Enclosure:
        one = 1 << precision
        low, high = exponential(epsilon, precision)
        # (1 + j a) / (1 + k a) with j < k falls as a grows
        return (
            [((one + v * high) << precision) // (one + (n_categories - 1) * high) for v in range(n_categories - 1)],
            [-((-(one + v * low) << precision) // (one + (n_categories - 1) * low)) for v in range(n_categories - 1)],
        )

    return Inversion(enclose)


@lru_cache(maxsize=128)
def coin(threshold: Fraction) -> Inversion:
    """Return 0 with a rational probability, else 1."""

    def enclose(precision: int) -> Enclosure:
        scaled = threshold * 2**precision
        return [math.floor(scaled)], [math.ceil(scaled)]

    return Inversion(enclose)


def complements(powers: Enclosure, precision: int) -> Enclosure:
    one = 1 << precision
    return [one - high for high in powers[1]], [one - low for low in powers[0]]


def powers(rate: Fraction, count: int, precision: int) -> Enclosure:
    """Return enclosures of e^(-rate v) for v = 1 … count."""
    low, high = exponential(rate, precision)
    lows, highs = [low], [high]
    for _ in range(count - 1):
        lows.append(lows[-1] * low >> precision)
        highs.append(-(-highs[-1] * high >> precision))
    return lows, highs


def exponential(exponent: Fraction, precision: int) -> tuple[int, int]:
    """Return integers l and h with l / 2^precision <= e^-exponent <= h / 2^precision; `exponent` is positive.

    For y = exponent / 2^halvings < ½, the reciprocal of e^y is squared `halvings` times.
    """
    if exponent >= precision:
        return 0, 1
    halvings = max(floor_log2(exponent) + 2, 0)
    working = precision + halvings + 16
    low_series, high_series = taylor(exponent / 2**halvings, working)
    one = 1 << 2 * working
    low, high = one // high_series, -(-one // low_series)
    for _ in range(halvings):
        low, high = low * low >> working, -(-high * high >> working)
    surplus = working - precision
    return low >> surplus, -(-high >> surplus)


def taylor(y: Fraction, precision: int) -> tuple[int, int]:
    """Return integers l and h with l / 2^precision <= e^y <= h / 2^precision, for 0 < y < ½."""
    low = high = low_sum = high_sum = 1 << precision
    terms = 0
    while high > 1:
        terms += 1
        low = low * y.numerator // (y.denominator * terms)
        high = -(-high * y.numerator // (y.denominator * terms))
        low_sum += low
        high_sum += high
    return low_sum, high_sum + 1  # all terms to come: each is less than half of the one before it, which is at most 1


def floor_log2(number: Fraction) -> int:
    guess = number.numerator.bit_length() - number.denominator.bit_length()
    return guess if Fraction(2) ** guess <= number else guess - 1
