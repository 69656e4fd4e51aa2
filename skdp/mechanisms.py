r"""Exact samplers and secure randomness: the one choke point through which all noise of skdp flows.

Noise made of floating-point numbers gives its input away (Mironov, *On significance of the least significant bits for
differential privacy*, CCS 2012; Haney et al., *Precision-based attacks and interval refining*, 2022). Everything here
is decided in whole numbers: probabilities are irrational, so random bits are compared with rational enclosures of them,
as many bits as it takes.

**Claim.** `laplace` and `laplace_integers` release each value with pure ε-local differential privacy: for any two
values x, x′ and any released y, P(y | x) ≤ e^ε P(y | x′). **Proof.**

1. *Grid.* All of this is public: bounds L < U, ε, the step g (a power of two; 1 for integers), D = ⌊U/g⌋ − ⌊L/g⌋ ≥ 1
   and s = ε/D, kept as a fraction. A value becomes n = ⌊x/g⌋, clamped to ⌊L/g⌋ … ⌊U/g⌋, so |n − n′| ≤ D for any two.
   For integers n is clamped to ⌈L⌉ … ⌊U⌋, the integers between the bounds, and D = ⌊U⌋ − ⌈L⌉.
   In binary64 the division by a power of two is exact, and so are ``floor`` and the clamp; where it overflows or
   underflows, n is the bound or off by one step, and still within the clamp.
2. *Geometric variate.* With a = e^(−s), P(G ≥ m) = a^m. In base B = 2^10, G = V₀ + V₁B + … + T B^k, and
   P(V₀ = v₀, …, T = t) = (1 − a) a^(v₀ + v₁B + … + tB^k) is a product: the digits are independent. Vⱼ is a geometric
   variate of ratio a^(B^j) cut off at B, and T one that is not cut off. T has no memory: where it reaches 128 (with
   probability e^(−128 s B^k), at most e^(−32)), a fresh T is added to it.
3. *Sign.* Floats: a fair bit makes Z = G + 1 or −G, so P(Z = z) = (1 − a)/2 · a^(|z − ½| − ½), symmetric about ½, which
   cancels the floor's bias. Integers: Z = G with probability 1/(1 + a), else −1 − G, so
   P(Z = z) = (1 − a)/(1 + a) · a^|z|: the two-sided geometric distribution, as of the difference of two G (Ghosh,
   Roughgarden and Sundararajan, *Universally utility-maximizing privacy mechanisms*, STOC 2009).
4. *Ratio.* Either way P(Z = z) / P(Z = z′) ≤ e^(s |z − z′|), and every integer has a positive probability. Hence
   P(n + Z = m) / P(n′ + Z = m) ≤ e^(s |n − n′|) ≤ e^(s D) = e^ε for every integer m.
5. *Post-processing.* n + Z is clamped to a public window that contains all n, then multiplied by g: exact in binary64,
   since |n + Z| ≤ 2^52. With ``clip`` the window is the grid points between L and U. It need not contain all n (⌊L/g⌋
   may lie below L), but a clamp to a public window is post-processing all the same. A G beyond the width of the wider
   window leads to an edge of either whatever n is, so it is not drawn further.
6. *Exact draws.* An outcome is the number of cumulative probabilities c₁ ≤ c₂ ≤ … that are at most U = 0.b₁b₂b₃…, where
   the bits are fair and independent. 16 bits decide nearly always; else 48 more, then as many again without limit, and
   no outcome is returned before integers l, h with l/2^p ≤ c ≤ h/2^p prove it. Such integers come from the Taylor
   series of e^y with every rounding outwards (`skdp._inversion`). The extra privacy loss is 0.
7. *Fresh bits.* Every cell takes bits of its own. They are the AES-256-CTR keystream of a key that the operating system
   gives anew for every call, so what is proved holds against whoever cannot tell AES-256 from fair bits.

`randomized_response` and `bernoulli` are draws of step 6. With `sensitivity`, D is ⌈sensitivity/g⌉ + 1 (for integers,
the sensitivity) and step 1 holds for values at most that far apart: metric privacy; values d further apart lose at most
ε d / sensitivity. On integers a sensitivity below 1 hides no change: two that differ are at least 1 apart, and lose at
least ε / sensitivity > ε. Seeded keys (`seeded_source`) repeat, for tests; they void the guarantee.
"""

import hashlib
import os
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from skdp._inversion import TOP, WIDTH, Inversion, Source, coin, low_digit, response, sign_of, top_digit
from skdp._laplace_grid import LEAST_RATE, LaplaceGrid, laplace_grid
from skdp._rationals import positive, rational

__all__ = [
    "Geometric", "KeyStream", "LaplaceGrid", "bernoulli", "laplace", "laplace_grid", "laplace_integers", "positive",
    "randomized_response", "rational", "secure_source", "seeded_source", "two_sided_geometric",
]  # fmt: skip

_CHUNK = 1 << 14  # values at a time: what they need stays in the processor's cache


def laplace(
    values: np.ndarray,
    epsilon: Any,
    lower: Any = None,
    upper: Any = None,
    *,
    sensitivity: Any = None,
    clip: bool = False,
    source: Source | None = None,
) -> np.ndarray:
    """Release numbers with Laplace noise, on a grid that depends on public parameters only.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_values,)
        NaN stays NaN; ±inf is clamped where there are bounds.
    epsilon : int, float, Fraction or Decimal
        Privacy loss for each value, taken exactly; at least 2^-20.
    lower, upper : int, float, Fraction or Decimal, default=None
        Public bounds, to which values are clamped.
    sensitivity : int, float, Fraction or Decimal, default=upper - lower
        The change of a value that ε is to hide.
    clip : bool, default=False
        Clip what is released to the grid points between the bounds.
    source : Source, default=None
        Random bits; by default `secure_source`.

    Returns
    -------
    released : ndarray of float64 of shape (n_values,)
        Multiples of ``laplace_grid(...).step``. The noise has the scale (upper - lower) / epsilon.

    Raises
    ------
    ValueError
        If no grid serves the parameters, or, without bounds, if a value is too large for the grid.

    Examples
    --------
    >>> import numpy as np
    >>> released = laplace(np.array([31.0, 47.5, np.nan]), epsilon=1, lower=0, upper=120)
    >>> np.isnan(released).tolist()
    [False, False, True]
    >>> step = laplace_grid(1, 0, 120).step
    >>> (released[:2] % step).tolist()
    [0.0, 0.0]
    """
    grid = laplace_grid(epsilon, lower, upper, sensitivity=sensitivity)
    geometric, source = _geometric(grid.rate), source or secure_source()
    window, step = grid.window(clip), grid.step
    released = np.empty(len(values))
    for start in range(0, len(values), _CHUNK):
        chunk = released[start : start + _CHUNK]
        grid.index(values[start : start + _CHUNK], out=chunk)
        chunk += _fair_two_sided(geometric.draw(len(chunk), grid.width, source), source)
        np.clip(chunk, *window, out=chunk)
        chunk *= step
    return released


def laplace_integers(
    values: np.ndarray,
    epsilon: Any,
    lower: Any = None,
    upper: Any = None,
    *,
    sensitivity: Any = None,
    clip: bool = False,
    source: Source | None = None,
) -> np.ndarray:
    """Release integers with two-sided geometric noise, the Laplace distribution's integer form.

    Parameters
    ----------
    values : ndarray of shape (n_values,)
        Integers below 2^52 in magnitude, of any integer or float dtype; none is missing.
    epsilon : float, Fraction or Decimal
        As for `laplace`.
    lower, upper : float, Fraction or Decimal, default=None
        As for `laplace`.
    sensitivity : float, Fraction or Decimal, default=None
        As for `laplace`.
    clip : bool, default=False
        As for `laplace`.
    source : Source, default=None
        Random bits; by default `secure_source`.

    Returns
    -------
    released : ndarray of int64 of shape (n_values,)
        The noise has mean 0 and the scale (upper - lower) / epsilon.

    Examples
    --------
    >>> import numpy as np
    >>> laplace_integers(np.array([3, 4, 5]), epsilon=1, lower=0, upper=9).dtype
    dtype('int64')
    """
    grid = laplace_grid(epsilon, lower, upper, sensitivity=sensitivity, integral=True)
    geometric, sign, source = _geometric(grid.rate), sign_of(grid.rate), source or secure_source()
    window = grid.window(clip)
    released = np.empty(len(values), dtype=np.int64)
    for start in range(0, len(values), _CHUNK):
        steps = grid.index(values[start : start + _CHUNK])
        if np.isnan(steps).any():
            raise ValueError("Integers must not be missing.")
        chunk = released[start : start + _CHUNK]
        chunk[:] = steps
        chunk += _two_sided(geometric.draw(len(chunk), grid.width, source), sign, source)
        np.clip(chunk, *window, out=chunk)
    return released


def two_sided_geometric(size: int, rate: Fraction, *, source: Source | None = None) -> np.ndarray:
    """Draw integers Z with P(Z = z) proportional to ``e^(-rate |z|)``.

    Parameters
    ----------
    size : int
        How many.
    rate : Fraction
        Privacy loss for each unit: ε / sensitivity; at least 2^-42.
    source : Source, default=None
        Random bits; by default `secure_source`.

    Returns
    -------
    noise : ndarray of int64 of shape (size,)
        Clamped to ±2^52.

    Raises
    ------
    ValueError
        If the rate is less than 2^-42.

    Examples
    --------
    >>> two_sided_geometric(3, Fraction(1, 10)).shape
    (3,)
    """
    if rate < LEAST_RATE:
        raise ValueError(f"The rate must be at least 2^-42. Got {rate!r} instead.")
    limit, source = 2**52, source or secure_source()
    noise = _two_sided(_geometric(Fraction(rate)).draw(size, limit, source), sign_of(Fraction(rate)), source)
    return np.clip(noise, -limit, limit)


def randomized_response(
    codes: np.ndarray, epsilon: Any, n_categories: int, *, source: Source | None = None
) -> np.ndarray:
    """Keep each category with probability e^ε / (e^ε + k - 1), else put one of the k - 1 others in its place.

    Warner, *Randomized response* (JASA 1965); for k categories Kairouz, Oh and Viswanath, *Extremal mechanisms for
    local differential privacy* (NIPS 2014), section 3.

    Parameters
    ----------
    codes : ndarray of int of shape (n_values,)
        Categories, 0 … n_categories - 1.
    epsilon : int, float, Fraction or Decimal
        Privacy loss for each value, taken exactly.
    n_categories : int
        Their number k, at least 2.
    source : Source, default=None
        Random bits; by default `secure_source`.

    Returns
    -------
    released : ndarray of int64 of shape (n_values,)
        Categories.

    Examples
    --------
    >>> import numpy as np
    >>> bool(randomized_response(np.array([0, 1, 2]), epsilon=1, n_categories=3).max() <= 2)
    True
    """
    shift = response(positive(epsilon), int(n_categories)).draw(len(codes), source or secure_source())
    released = codes + shift.astype(np.int64)
    released[released >= n_categories] -= n_categories
    return released


def bernoulli(size: int, probability: Any, *, source: Source | None = None) -> np.ndarray:
    """Draw booleans that are True with exactly the given rational probability.

    Parameters
    ----------
    size : int
        How many.
    probability : int, float, Fraction or Decimal
        From 0 to 1, taken exactly.
    source : Source, default=None
        Random bits; by default `secure_source`.

    Returns
    -------
    draws : ndarray of bool of shape (size,)
        Independent of each other.

    Examples
    --------
    >>> bernoulli(3, Fraction(1, 1)).tolist()
    [True, True, True]
    """
    exact = rational(probability)
    if exact is None or not 0 <= exact <= 1:
        raise ValueError(f"A probability must lie between 0 and 1. Got {probability!r} instead.")
    if exact in (0, 1):
        return np.full(size, exact == 1)
    return coin(1 - exact).draw(size, source or secure_source()) > 0


# Geometric variates, digit by digit


def _fair_two_sided(variate: np.ndarray, source: Source) -> np.ndarray:
    """Return G + 1 or -G by a fair bit: symmetric about ½."""
    fair = np.unpackbits(source.words(-(-len(variate) // 8), np.uint8), count=len(variate))
    variate ^= -fair.astype(np.int64)
    variate += 1
    return variate


def _two_sided(variate: np.ndarray, sign: Inversion, source: Source) -> np.ndarray:
    """Return G with probability 1 / (1 + a), else -1 - G: symmetric about 0."""
    variate ^= -sign.draw(len(variate), source).astype(np.int64)
    return variate


@dataclass(frozen=True)
class Geometric:
    """The digits of a geometric variate G; see step 2 of the proof.

    Parameters
    ----------
    top : Inversion
        The highest digit, which has no upper limit.
    digits : tuple of Inversion
        The others, highest first.
    """

    top: Inversion
    digits: tuple[Inversion, ...]

    def draw(self, size: int, limit: int, source: Source) -> np.ndarray:
        """Return independent variates.

        Parameters
        ----------
        size : int
            How many.
        limit : int
            A variate beyond it may be any number beyond it.
        source : Source
            Random bits.

        Returns
        -------
        variates : ndarray of int64 of shape (size,)
            The variates, of at least 0.
        """
        variate = self._draw_top(size, limit >> (WIDTH * len(self.digits)), source)
        for digit in self.digits:
            variate <<= WIDTH
            variate |= digit.draw(size, source)
        return variate

    def _draw_top(self, size: int, limit: int, source: Source) -> np.ndarray:
        top = self.top.draw(size, source).astype(np.int64)
        overflown = np.flatnonzero(top == TOP)
        while overflown.size:
            more = self.top.draw(overflown.size, source)
            top[overflown] += more
            overflown = overflown[(more == TOP) & (top[overflown] <= limit)]
        return top


@lru_cache(maxsize=1024)
def _geometric(rate: Fraction) -> Geometric:
    """Return the distribution P(G >= m) = e^(-rate m)."""
    places = 0
    while rate * 2 ** (WIDTH * places) < Fraction(1, 4):
        places += 1
    digits = tuple(low_digit(rate * 2 ** (WIDTH * place)) for place in reversed(range(places)))
    return Geometric(top_digit(rate * 2 ** (WIDTH * places)), digits)


# Randomness


def secure_source() -> "KeyStream":
    """Return random bits of a fresh key from the operating system; make one for every call, and never keep it.

    Returns
    -------
    source : KeyStream
        The bits.

    Raises
    ------
    OSError
        If the operating system gives no randomness. Nothing is released then.
    """
    key = os.urandom(32)
    if len(key) != 32:
        raise OSError("The operating system gave too few random bytes.")
    return KeyStream(key)


def seeded_source(seed: int, *name: str) -> "KeyStream":
    """Return bits that a seed and a name determine: the only noise in skdp that can repeat, and not private.

    Parameters
    ----------
    seed : int
        The seed.
    *name : str
        What the bits are for; another name gives others.

    Returns
    -------
    source : KeyStream
        The bits.
    """
    return KeyStream(hashlib.sha256(repr((int(seed), *map(str, name))).encode()).digest())


class KeyStream:
    """The AES-256-CTR keystream of a key (NIST SP 800-38A, section 6.5), as random words.

    Parameters
    ----------
    key : bytes of length 32
        Used for this one stream.
    """

    def __init__(self, key: bytes):
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        self._encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    def words(self, count: int, dtype: type) -> np.ndarray:
        """Return the next words.

        Parameters
        ----------
        count : int
            How many.
        dtype : type
            An unsigned integer type of NumPy.

        Returns
        -------
        words : ndarray of `dtype` of shape (count,)
            The words.

        Raises
        ------
        OSError
            If the cipher gives fewer.
        """
        size = count * np.dtype(dtype).itemsize
        buffer = np.empty(size + 15, dtype=np.uint8)  # the cipher asks for room for a block more, less a byte
        if self._encryptor.update_into(_zeros(size), buffer) != size:
            raise OSError("The cipher gave too few random bytes.")
        return buffer[:size].view(dtype)


@lru_cache(maxsize=1)
def _most_zeros() -> memoryview:
    return memoryview(bytes(8 * _CHUNK))


def _zeros(size: int) -> Any:
    zeros = _most_zeros()
    return zeros[:size] if size <= len(zeros) else bytes(size)
