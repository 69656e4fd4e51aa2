"""How wide discrete Gaussian noise must be for (ε, δ): bounds that are proven for the discrete distribution.

**Claim.** Where Z has P(Z = z) proportional to e^(-z²/2σ²) on the integers, and n, n′ are integers at most D apart,
P(n + Z ∈ E) ≤ e^ε P(n′ + Z ∈ E) + `delta_at_most` (ε, σ, D) for every set E. **Proof.**

1. The difference of the two sides is largest for E = {m : P(n + Z = m) > e^ε P(n′ + Z = m)}. The logarithm of the ratio
   is linear in m, so E is a half-line, and by symmetry the difference is T(m) - e^ε T(m + d) with T(m) = P(Z ≥ m),
   d = |n - n′|. T falls, so this is at most T(m) - e^ε T(m + D), which is largest at the first integer m beyond
   a = εσ²/D - D/2 (Canonne, Kamath and Steinke, *The discrete Gaussian for differential privacy*, NeurIPS 2020).
2. Up to σ = 2^12 both T are summed.
3. Beyond, let f(x) = e^(-x²/2σ²) and g(x) = f(x) - e^ε f(x + D) = f(x) (1 - e^(-(x - a) D/σ²)). For x > a it is
   log-concave, so it rises and then falls, and its sum over the integers beyond a is at most its integral plus its
   maximum. Σ f(z) over all integers is at least √(2π) σ, by Poisson's summation formula. Hence δ is at most that of the
   continuous Gaussian (Balle and Wang, *Improving the Gaussian mechanism for differential privacy*, ICML 2018) plus
   max g / (√(2π) σ). For x ≥ a ≥ 0, f(x) ≤ f(a) e^(-a (x - a)/σ²) and 1 - e^(-u) ≤ min(1, u), so that
   max g ≤ f(a) min(1, D / (e a)); for a < 0, max g ≤ 1.
4. *Rounding.* The thresholds a and m are exact. What follows is done in binary64, where each exponential, complementary
   error function and sum has a relative error below 2^-38 for arguments of this size (up to some 700, relative to which
   they are rounded to 2^-53). Each of the two tails is moved outwards by 2^-36 of itself, and the result up by 2^-900,
   which is more than all that underflows or lies beyond 40 σ.
"""

import math
from bisect import bisect_left
from fractions import Fraction
from functools import lru_cache

import numpy as np

_MARGIN = 2.0**-36
_SUMMED = 2**12  # σ up to which tails are summed
_PLACES = 14  # σ has so many binary places after its first
_LEAST, _MOST = -4, 46  # σ from 2^-4 to 2^46


@lru_cache(maxsize=1024)
def smallest_sigma(epsilon: Fraction, delta: Fraction, distance: int) -> Fraction:
    """Return the least σ, to 15 binary digits, whose proven δ for integers `distance` apart is at most `delta`.

    Raises
    ------
    ValueError
        If it would be 2^46 or more.

    Examples
    --------
    >>> round(float(smallest_sigma(Fraction(1), Fraction(1, 10**6), 2**20)) / 2**20, 3)
    4.225
    """
    candidates = range(_LEAST << _PLACES, _MOST << _PLACES)
    first = bisect_left(candidates, True, key=lambda number: delta_at_most(epsilon, _sigma(number), distance) <= delta)
    if first == len(candidates):
        raise ValueError("The noise would exceed 2^46 grid steps: raise ε or δ, or bring the bounds nearer together.")
    return _sigma(candidates[first])


def _sigma(number: int) -> Fraction:
    """Return the numbers of 15 binary digits in order, as floats are laid out."""
    exponent, digits = divmod(number, 1 << _PLACES)
    return (Fraction(digits, 1 << _PLACES) + 1) * Fraction(2) ** exponent


def delta_at_most(epsilon: Fraction, sigma: Fraction, distance: int) -> float:
    """Return an upper bound on δ for discrete Gaussian noise on integers `distance` apart; see the proof above.

    Parameters
    ----------
    epsilon : Fraction
        Privacy loss ε.
    sigma : Fraction
        The parameter σ of the noise.
    distance : int
        D, at least 1.

    Examples
    --------
    >>> delta_at_most(Fraction(1), Fraction(5), 1) < 1e-6 < delta_at_most(Fraction(1), Fraction(4), 1)
    True
    """
    beyond = epsilon * sigma**2 / distance - Fraction(distance, 2)
    if sigma <= _SUMMED:
        start = math.floor(beyond) + 1
        near, far, surplus = _tail(start, float(sigma)), _tail(start + distance, float(sigma)), 0.0
    else:
        near, far = _normal_tail(beyond / sigma), _normal_tail((beyond + distance) / sigma)
        surplus = _greatest_gap(beyond, sigma, distance) / (math.sqrt(2 * math.pi) * float(sigma))
    # without its second term, the bound holds all the same; far tails are subnormal floats, which are not exact enough
    growth = math.exp(float(epsilon)) if epsilon < 700 and far > 2.0**-900 else 0.0
    return near * (1 + _MARGIN) - growth * far * (1 - _MARGIN) + surplus * (1 + _MARGIN) + 2.0**-900


def _tail(start: int, sigma: float) -> float:
    """Return P(Z >= start) for discrete Gaussian Z."""
    if start <= 0:
        return 1 - _tail(1 - start, sigma)
    reach = math.ceil(40 * sigma)
    if start > reach:
        return 0.0  # e^-800, with which step 4 of the proof reckons
    weights = np.exp(-((np.arange(start, start + reach) / sigma) ** 2) / 2)
    return float(weights.sum()) / _total(sigma)


@lru_cache(maxsize=128)
def _total(sigma: float) -> float:
    return 1 + 2 * float(np.exp(-((np.arange(1, math.ceil(40 * sigma) + 1) / sigma) ** 2) / 2).sum())


def _normal_tail(deviations: Fraction) -> float:
    return math.erfc(float(deviations) / math.sqrt(2)) / 2


def _greatest_gap(beyond: Fraction, sigma: Fraction, distance: int) -> float:
    """Return an upper bound on max g, of step 3 of the proof."""
    if beyond <= 0:
        return 1.0
    return math.exp(-(float(beyond / sigma) ** 2) / 2) * min(1.0, float(distance / (math.e * float(beyond))))
