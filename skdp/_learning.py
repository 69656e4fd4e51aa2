"""What the steps share that learn from data at a price: ε and bounds by column, noise, and the guarantee they make."""

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from skdp._checks import check_columns, check_integer, invalid
from skdp._noisy_counts import Noise, noise_from
from skdp._noisy_quantiles import NoisyQuantiles, noisy_quantiles
from skdp._rationals import rational
from skdp.accounting import PrivacyGuarantee
from skdp.bounds import DPBounds
from skdp.mechanisms import seeded_source

SEEDED = "the noise is seeded: whoever knows random_state can take it off"
CONDITIONS = (
    "covers what fit learned, not the rows that transform puts out",
    "the number of rows is public",
    "which columns hold numbers is public",
)
_LEAST_EPSILON = Fraction(1, 2**20)


def named_columns(owner: Any, frame: Any, names: Iterable[str]) -> list:
    """Return the columns that dicts of parameters name, each once, in the order of the table; none without dicts."""
    named: set = set()
    for name in names:
        if isinstance(getattr(owner, name), Mapping):
            named.update(check_columns(owner, name, getattr(owner, name), frame.columns))
    return [column for column in frame.columns if column in named]


def check_price(owner: Any) -> None:
    """Raise where bounds are given without ε, or the seed is none."""
    if owner.epsilon is None and owner.bounds is not None:
        raise invalid(owner, "bounds", owner.bounds, "None where 'epsilon' is None: only noisy counts need bounds")
    if owner.random_state is not None:
        check_integer(owner, "random_state", owner.random_state, low=0)


def epsilon_of(owner: Any, column: object) -> Fraction:
    """Return the ε that a column is learned with, checked."""
    given = owner.epsilon.get(column) if isinstance(owner.epsilon, Mapping) else owner.epsilon
    exact = rational(given)
    if exact is None or exact < _LEAST_EPSILON:
        of_column = f", for column {column!r}" if isinstance(owner.epsilon, Mapping) else ""
        raise invalid(owner, "epsilon", given, f"a number of at least 2^-20{of_column}, or None for no noise at all")
    return exact


def bounds_of(owner: Any, column: object) -> tuple[float, float] | DPBounds:
    """Return a column's public bounds as floats, or how to learn them, checked."""
    given = owner.bounds.get(column) if isinstance(owner.bounds, Mapping) else owner.bounds
    if isinstance(given, DPBounds):
        return given
    pair = tuple(map(rational, given)) if isinstance(given, Iterable) and not isinstance(given, str | Mapping) else ()
    if len(pair) == 2 and None not in pair and max(map(abs, pair)) < 2**1023:
        lower, upper = map(float, pair)
        if upper - lower > 2.0**-900:
            return lower, upper
    requirement = "a pair of numbers, lower < upper, known without looking at the data, or DPBounds where none are"
    raise invalid(owner, "bounds", given, f"{requirement} (column {column!r})")


def public_bounds(owner: Any, column: object) -> tuple[float, float] | None:
    """Return a column's public bounds, or None where they have to be learned; checked."""
    bounds = bounds_of(owner, column)
    return None if isinstance(bounds, DPBounds) else bounds


def price_of(owner: Any, columns: Iterable) -> dict[Any, Fraction]:
    """Return what learning each column costs: its ε, and that of its bounds where these are learned, too."""
    learned = {column: bounds_of(owner, column) for column in columns}
    return {
        column: epsilon_of(owner, column) + (rational(own.epsilon) if isinstance(own, DPBounds) else 0)
        for column, own in learned.items()
    }


def noise_of(owner: Any, column: object) -> Noise:
    """Return the noise of one column in one call: a secure source of its own, or a seeded one."""
    seeded = owner.random_state is not None
    return noise_from(seeded_source(owner.random_state, type(owner).__name__, str(column)) if seeded else None)


def learned_quantiles(
    owner: Any, column: object, values: np.ndarray, shares: np.ndarray, times: np.ndarray | None = None
) -> NoisyQuantiles:
    """Return noisy quantiles of a column, over its public bounds or over noisy ones; `times` is of public bounds."""
    bounds, noise = bounds_of(owner, column), noise_of(owner, column)
    if isinstance(bounds, DPBounds):
        bounds = found_bounds(bounds, column, values, noise)
    return noisy_quantiles(values, shares, epsilon_of(owner, column), *bounds, noise=noise, times=times)


def found_bounds(bounds: DPBounds, column: object, values: np.ndarray, noise: Noise) -> tuple[float, float]:
    """Return the noisy bounds of a column; raise in its name where there are none."""
    try:
        return bounds.find(values, noise)
    except ValueError as error:
        raise ValueError(f"Column {column!r}: {error}") from None


def learning_guarantee(
    owner: Any, prices: Mapping[Any, Fraction], conditions: tuple[str, ...] = CONDITIONS
) -> PrivacyGuarantee:
    """Return what a record has that took part in what was learned of these columns."""
    seeded = owner.random_state is not None
    return PrivacyGuarantee(
        math.inf if seeded else sum(prices.values(), Fraction(0)),
        columns=tuple(prices),
        scope="central",
        reasons=(SEEDED,) * seeded,
        conditions=conditions if prices else (),
    )
