r"""Exact discrete Gaussian noise on a public grid, for whole arrays.

**Claim.** `release` releases each value with (ε, δ)-local differential privacy: for any two values x, x′ and any set
E, P(y ∈ E | x) ≤ e^ε P(y ∈ E | x′) + δ. It is also D²/2σ²-concentrated (zCDP), since Z of step 2 is the discrete
Gaussian of Canonne, Kamath and Steinke, *The discrete Gaussian for differential privacy* (NeurIPS 2020). **Proof.**

1. *Grid.* All of this is public: bounds L < U, ε, δ, the step g (a power of two; 1 for integers), σ, and D = r(U/g) -
   r(L/g) ≥ 1, where r rounds to the nearest integer, halves to even. A value becomes n = r(x/g), clamped to r(L/g) …
   r(U/g), so |n - n′| ≤ D for any two. Integers: r rounds down, n is clamped to ⌈L⌉ … ⌊U⌋, and D = ⌊U⌋ - ⌈L⌉. In
   binary64 the division by a power of two is exact, and so are ``rint``, ``floor`` and the clamp; where it overflows or
   underflows, n is a bound or 0, as it should be, or off by one step and still within the clamp.
2. *Noise.* Z has P(Z = z) proportional to w(|z|) = e^(-z²/2σ²) on all integers, and σ is such that for n, n′ at most D
   apart (ε, δ) is proven (`skdp._gaussian_scale`).
3. *Post-processing.* n + Z is clamped to a public window within ±2^53, then multiplied by g: exact in binary64.
4. *Magnitude.* Let B = 2^b be the width of a block, at most σ/64 (or 1). M = HB + V is proposed with P(H = h)
   proportional to w(hB) and V uniform on 0 … B - 1, and accepted with probability e^(-γ) = w(M) / w(HB), that is
   γ = V (2HB + V) / 2σ². So P(M = m) is proportional to w(m). A fair sign follows; minus nought is refused, so that 0
   is not drawn twice. What is refused is drawn afresh: how often depends on the noise alone, never on the values.
5. *Blocks.* H is an outcome of an `Inversion`, drawn exactly (step 6 of the proof in `skdp.mechanisms`). The last
   outcome, t, stands for all H ≥ t, from 12 σ on. There w((t + j)B) is proportional to e^(-2tjr) e^(-j²r) with
   r = B²/2σ²: j is geometric, accepted with probability e^(-j²r), both by coins of step 7.
6. *Acceptance.* With U = 0.u₁u₂u₃… uniform, M is accepted if U ≥ 1 - e^(-γ). The first 32 bits give
   k/2^32 ≤ U < (k + 1)/2^32.
   (a) γ ≥ 1 - e^(-γ), so k ≥ 2^32 γ accepts. It is compared with a float that is at least 2^32 γ: the sum 2HB + V
   (exact below 2^53), two products and the factor are each rounded by at most 2^-53 of themselves, which the factor,
   2^32 (1 + 2^-50) / 2σ², outweighs.
   (b) Where γ ≤ 1/4, 1 - e^(-γ) = γ (1 - γ/2 (1 - γ/3 (…))) is taken to ten terms: those left out amount to less than
   γ^11/11! < 2^-47; each of the ten steps adds less than 2^-51 and divides what there was by four or more; and γ is
   known to 2^-49 of itself. All of it is less than 2^-40: who keeps that distance is decided. Only +, -, × and ÷ are
   used, which IEEE 754 rounds correctly; no library function is trusted.
   (c) All others, about one in 2^32 draws, go on with fresh bits of 1 - U, as coins of step 7.
7. *Coins.* An event of probability e^(-x), x a fraction, is that a uniform number is below e^(-x): decided by rational
   enclosures of e^(-x) to as many bits as it takes, without limit (`skdp._inversion`). The extra privacy loss is 0.
8. *Fresh bits.* As in step 7 of the proof in `skdp.mechanisms`, whose `secure_source` gives them.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import numpy as np

from skdp._gaussian_scale import smallest_sigma
from skdp._inversion import Enclosure, Inversion, Source, exponential, floor_log2
from skdp._rationals import positive, rational
from skdp.mechanisms import secure_source

_CHUNK = 1 << 14  # values at a time: what they need stays in the processor's cache
_LEAST_EPSILON = Fraction(1, 2**20)
_LEAST_DELTA = Fraction(1, 2**256)
_UNIT = 2.0**-32
_MARGIN = 2.0**-40


def release(
    values: np.ndarray, grid: "GaussianGrid", *, clip: bool = False, source: Source | None = None
) -> np.ndarray:
    """Release numbers with discrete Gaussian noise, on a grid that depends on public parameters only.

    Parameters
    ----------
    values : ndarray of float64 of shape (n_values,)
        NaN stays NaN on a grid of floats, and is refused on one of integers; ±inf is clamped.
    grid : GaussianGrid
        Made by `gaussian_grid`.
    clip : bool, default=False
        Clip what is released to the grid points between the bounds.
    source : Source, default=None
        Random bits; by default `skdp.mechanisms.secure_source`.

    Returns
    -------
    released : ndarray of float64, or int64 on a grid of integers, of shape (n_values,)
        Multiples of ``grid.step``.

    Raises
    ------
    ValueError
        If a value is missing on a grid of integers.

    Examples
    --------
    >>> import numpy as np
    >>> grid = gaussian_grid(1, 1e-6, 0, 120)
    >>> released = release(np.array([31.0, 47.5, np.nan]), grid)
    >>> np.isnan(released).tolist(), (released[:2] % grid.step).tolist()
    ([False, False, True], [0.0, 0.0])
    """
    noise, source = discrete_gaussian(grid.sigma), source or secure_source()
    window = grid.window(clip)
    released = np.empty(len(values), dtype=np.int64 if grid.integral else np.float64)
    for start in range(0, len(values), _CHUNK):
        steps = grid.index(values[start : start + _CHUNK])
        if grid.integral and np.isnan(steps).any():
            raise ValueError("Integers must not be missing.")
        steps += noise.draw(len(steps), source)
        np.clip(steps, *window, out=steps)
        steps *= grid.step
        released[start : start + _CHUNK] = steps
    return released


# The grid: public parameters only


@dataclass(frozen=True)
class GaussianGrid:
    """The public grid on which values are noised; see steps 1 to 3 of the proof.

    Parameters
    ----------
    exponent : int
        The grid has the step 2^exponent.
    sigma : Fraction
        The parameter σ of the noise, in steps.
    low, high : int
        The bounds, in steps.
    inner : tuple of int
        The first and the last grid point between the bounds, in steps.
    integral : bool
        Whether values and noise are integers.
    """

    exponent: int
    sigma: Fraction
    low: int
    high: int
    inner: tuple[int, int]
    integral: bool

    @property
    def step(self) -> float:
        """The distance between two grid points, in units of the values."""
        return math.ldexp(1.0, self.exponent)

    @property
    def scale(self) -> float:
        """The parameter σ of the noise, in units of the values."""
        return float(self.sigma) * self.step

    @property
    def noise_multiplier(self) -> Fraction:
        """σ over the largest difference of two values: zCDP has ρ = 1 / (2 multiplier²)."""
        return self.sigma / (self.high - self.low)

    def window(self, clip: bool = False) -> tuple[int, int]:
        """Return the first and the last point that can be released, in steps; raise where there is none to clip to."""
        if clip and self.inner[0] > self.inner[1]:
            raise ValueError("No grid point lies between the bounds to clip to; widen the bounds, or do not clip.")
        if clip:
            return self.inner
        reach = math.ceil(40 * self.sigma)  # noise goes beyond with a probability of about e^-800
        return self.low - reach, self.high + reach

    def index(self, values: np.ndarray) -> np.ndarray:
        """Return the grid point nearest to each value (integers: at or below it), in steps, clamped to the bounds."""
        with np.errstate(over="ignore", under="ignore"):
            steps = np.multiply(values, math.ldexp(1.0, -self.exponent), dtype=np.float64)
        (np.floor if self.integral else np.rint)(steps, out=steps)
        return np.clip(steps, self.low, self.high, out=steps)


@lru_cache(maxsize=1024, typed=True)
def gaussian_grid(epsilon: Any, delta: Any, lower: Any, upper: Any, *, integral: bool = False) -> GaussianGrid:
    """Return the grid for (ε, δ) and bounds, with the least noise that is proven to suffice.

    Parameters
    ----------
    epsilon : int, float, Fraction or Decimal
        Privacy loss for each value, taken exactly; at least 2^-20.
    delta : int, float, Fraction or Decimal
        From 2^-256 to less than 1, taken exactly.
    lower, upper : int, float, Fraction or Decimal
        Public bounds, to which values are clamped.
    integral : bool, default=False
        Whether values and noise are integers.

    Raises
    ------
    ValueError
        If ε or δ is out of range, if no two points lie between the bounds, or if grid points or noise would be too
        many steps away.

    Examples
    --------
    >>> grid = gaussian_grid(1, 1e-6, 0, 120)
    >>> round(grid.scale), grid.step
    (507, 0.000244140625)
    """
    loss, failure = positive(epsilon), positive(delta)
    bounds = rational(lower), rational(upper)
    if None in bounds or not bounds[0] < bounds[1]:
        raise ValueError("Gaussian noise needs bounds, lower < upper.")
    if loss < _LEAST_EPSILON:
        raise ValueError("ε below 2^-20 (about 0.000001) leaves nothing of the values but noise; raise it.")
    if not _LEAST_DELTA <= failure < 1:
        raise ValueError("δ must be at least 2^-256 (about 1e-77) and less than 1.")
    exponent = 0 if integral else _exponent(loss, failure, bounds[1] - bounds[0])
    if not -1022 <= exponent <= 970:
        raise ValueError("Bounds are too close together or too far apart for floats; rescale the values.")
    step = Fraction(2) ** exponent
    inner = math.ceil(bounds[0] / step), math.floor(bounds[1] / step)
    low, high = inner if integral else (round(bounds[0] / step), round(bounds[1] / step))
    if low >= high:
        raise ValueError("Integers need at least two integers between their bounds.")
    if max(abs(low), abs(high)) >= 2**51:
        raise ValueError("Bounds exceed 2^51 grid steps: bring ε nearer to 1, or the bounds nearer to 0.")
    return GaussianGrid(exponent, smallest_sigma(loss, failure, high - low), low, high, inner, integral)


def _exponent(loss: Fraction, failure: Fraction, span: Fraction) -> int:
    """Return the power of two of a step of at most a millionth of σ, and a 256th of the bounds' distance."""
    multiplier = smallest_sigma(loss, failure, 2**20) / 2**20
    return min(floor_log2(span * multiplier) - 20, floor_log2(span) - 8)


# The noise


@lru_cache(maxsize=128)
def discrete_gaussian(sigma: Fraction) -> "DiscreteGaussian":
    """Return the sampler for a parameter σ, with its tables kept."""
    return DiscreteGaussian(sigma)


class DiscreteGaussian:
    """Integers Z with P(Z = z) proportional to e^(-z²/2σ²), drawn exactly; see steps 4 to 7 of the proof.

    Parameters
    ----------
    sigma : Fraction
        From 2^-4 to 2^46.
    """

    def __init__(self, sigma: Fraction):
        if not Fraction(1, 16) <= sigma <= 2**46:
            raise ValueError(f"σ must lie between 2^-4 and 2^46. Got {sigma!r} instead.")
        self.precision = 1 / (2 * sigma**2)  # w(z) = e^(-precision z²)
        self.places = max(floor_log2(sigma) - 6, 0)  # b of step 4
        self.rate = self.precision * 4**self.places  # r of step 5
        self.last = math.ceil(12 * sigma / 2**self.places)  # t of step 5
        self.blocks = Inversion(self._enclose)

    def draw(self, size: int, source: Source) -> np.ndarray:
        """Return `size` integers as int64, each from bits of its own."""
        noise, refused = self._propose(size, source)
        while refused.size:
            noise[refused], again = self._propose(refused.size, source)
            refused = refused[again]
        return noise

    def _propose(self, size: int, source: Source) -> tuple[np.ndarray, np.ndarray]:
        """Return integers, and the positions of those that are refused."""
        first = self._draw_blocks(size, source)
        first <<= self.places
        words = source.words(size, np.uint16 if self.places < 16 else np.uint64)
        offset = (words & words.dtype.type(2**self.places - 1)).astype(np.int64)
        negative = -(words >> words.dtype.type(8 * words.itemsize - 1)).astype(np.int64)
        accepted = self._accept(first, offset, source) if self.places else None
        first += offset
        first ^= negative
        refused = first == -1  # minus nought
        first -= negative
        if accepted is not None:
            refused |= ~accepted
        return first, np.flatnonzero(refused)

    def _draw_blocks(self, size: int, source: Source) -> np.ndarray:
        """Return H."""
        blocks = self.blocks.draw(size, source)
        beyond = np.flatnonzero(blocks == self.last)
        blocks = blocks.astype(np.int64)
        for position in beyond:
            blocks[position] += self._excess(source)
        return blocks

    def _excess(self, source: Source) -> int:
        """Return j of step 5."""
        while True:
            excess = 0
            while _coin(2 * self.last * self.rate, source):
                excess += 1
            if _coin(excess**2 * self.rate, source):
                return excess

    def _accept(self, first: np.ndarray, offset: np.ndarray, source: Source) -> np.ndarray:
        """Return which of the proposals M = first + offset are accepted: (a) of step 6, then (b) and (c)."""
        coins = source.words(len(first), np.uint32)
        ceiling = (2 * first + offset).astype(np.float64)
        ceiling *= offset
        ceiling *= self._factor
        accepted = coins >= ceiling
        doubtful = np.flatnonzero(~accepted)
        accepted[doubtful] = self._decide(first[doubtful], offset[doubtful], coins[doubtful], source)
        return accepted

    @cached_property
    def _factor(self) -> float:
        return float(2**32 * self.precision * (1 + Fraction(1, 2**50)))

    def _decide(self, first: np.ndarray, offset: np.ndarray, coins: np.ndarray, source: Source) -> np.ndarray:
        """Return which proposals are accepted: (b) and (c) of step 6."""
        gamma = (2 * first + offset) * offset.astype(np.float64) * (self._factor * _UNIT)
        refusal = np.zeros_like(gamma)
        for term in range(10, 0, -1):
            refusal = gamma / term * (1 - refusal)
        least = coins * _UNIT
        small = gamma <= 0.25
        accepted = small & (least >= refusal + _MARGIN)
        refused = small & (least + _UNIT <= refusal - _MARGIN)
        for position in np.flatnonzero(~(accepted | refused)):
            head, tail = int(first[position]), int(offset[position])
            exponent = self.precision * (2 * head + tail) * tail
            further = int(source.words(1, np.uint32)[0])
            accepted[position] = _coin(exponent, source, (2**32 - 1 - int(coins[position])) << 32 | further)
        return accepted

    def _enclose(self, precision: int) -> Enclosure:
        """Return enclosures of P(H < v) for v = 1 … t."""
        working = precision + 64
        lows, highs = self._weights(working)
        totals_low, totals_high = list(accumulate(lows)), list(accumulate(highs))
        # of the weights not listed, each is at most e^(-x) of the one before it, and e^(-x) / (1 - e^(-x)) <= 1/x
        ratio = (2 * len(lows) - 1) * self.rate
        all_low, all_high = totals_low[-1], totals_high[-1] + math.ceil(highs[-1] / ratio)
        return (
            [(low << precision) // all_high for low in totals_low[: self.last]],
            [-((-high << precision) // all_low) for high in totals_high[: self.last]],
        )

    def _weights(self, precision: int) -> Enclosure:
        """Return enclosures of w(hB) for h = 0, 1, … up to the last block and until they vanish."""
        step_low, step_high = exponential(self.rate, precision)  # from one weight to the next: e^(-(2h + 1) r)
        square_low, square_high = exponential(2 * self.rate, precision)
        lows, highs = [1 << precision], [1 << precision]
        while len(lows) <= self.last or highs[-1] > 1:
            lows.append(lows[-1] * step_low >> precision)
            highs.append(-(-highs[-1] * step_high >> precision))
            step_low, step_high = step_low * square_low >> precision, -(-step_high * square_high >> precision)
        return lows, highs


def _coin(exponent: Fraction, source: Source, prefix: int | None = None) -> bool:
    """Return True with probability e^-exponent, for a uniform number that begins with the 64 bits of `prefix`."""
    if not exponent:
        return True
    if prefix is None:
        prefix = int(source.words(1, np.uint64)[0])

    def enclose(precision: int) -> Enclosure:
        low, high = exponential(exponent, precision)
        return [low], [high]

    return Inversion(enclose).resolve(prefix, source) == 0
