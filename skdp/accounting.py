"""What a step may claim: privacy guarantees, stated exactly."""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal


@dataclass(frozen=True)
class PrivacyGuarantee:
    """What differential privacy a step gives each record, every time it releases a table.

    Parameters
    ----------
    epsilon : Fraction, or infinity
        Privacy loss ε of a whole record, exact: the sum over `columns`. It compares with floats.
    delta : Fraction, default=0
        The probability that ε is exceeded.
    relation : str, default="replace one record"
        Which tables are neighbours.
    columns : tuple of str, default=()
        The columns that are protected; nothing is said about others.
    scope : {"local", "central", "metric"}, default="local"
        Local: each record is protected from whoever sees its noised values. Central: from whoever sees the released
        statistics. Metric: small changes of a value are protected by the ε that was asked for, and a whole record only
        by the larger `epsilon` stated here (Chatzikokolakis et al., *Broadening the scope of differential privacy using
        metrics*, PETS 2013).
    reasons : tuple of str, default=()
        Why `epsilon` is infinite; empty where it is finite.
    conditions : tuple of str, default=()
        What the figure takes for granted.
    noise_multipliers : tuple of float, default=()
        Of Gaussian noise: the standard deviation over the sensitivity, rounded down, one entry for each time that a
        record is noised (one a column). They let `skdp.accounting.compose` find a tighter ε; without them `epsilon` and
        `delta` add up.

    Examples
    --------
    >>> guarantee = PrivacyGuarantee(Fraction(1, 2) + Fraction(1), columns=("Age", "Income"))
    >>> print(guarantee)
    ε = 1.5 for each record, local (replace one record); columns: Age, Income
    >>> guarantee.epsilon < 2, guarantee.is_finite
    (True, True)
    >>> print(PrivacyGuarantee(math.inf, reasons=("the noise is seeded",)))
    ε = ∞, local (replace one record): the noise is seeded
    """

    epsilon: Fraction | float
    delta: Fraction = Fraction(0)
    relation: str = "replace one record"
    columns: tuple[str, ...] = ()
    scope: Literal["local", "central", "metric"] = "local"
    reasons: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    noise_multipliers: tuple[float, ...] = ()

    def __post_init__(self):
        if math.isnan(self.epsilon) or self.epsilon < 0:
            raise ValueError(f"A guarantee's ε must be 0 or more. Got {self.epsilon!r} instead.")
        if self.is_finite == bool(self.reasons):
            raise ValueError("A guarantee has reasons where its ε is infinite, and only there.")

    @property
    def is_finite(self) -> bool:
        """Whether there is any guarantee at all."""
        return self.epsilon != math.inf

    @property
    def epsilon_float(self) -> float:
        """ε as a float, never less than the exact figure."""
        return rounded_up(self.epsilon)

    def __str__(self) -> str:
        figure = f"ε = {self.epsilon_float:.6g} for each record" if self.is_finite else "ε = ∞"
        delta = f", δ = {float(self.delta):.3g}" if self.delta else ""
        reasons = ": " + "; ".join(self.reasons) if self.reasons else ""
        columns = f"; columns: {', '.join(map(str, self.columns))}" if self.columns else ""
        conditions = "".join(f"\n- {condition}" for condition in self.conditions)
        return f"{figure}{delta}, {self.scope} ({self.relation}){reasons}{columns}{conditions}"


def rounded_up(number: Fraction | float) -> float:
    """Return the least float that is not below a number.

    Examples
    --------
    >>> rounded_up(Fraction(1, 3)) >= Fraction(1, 3), rounded_up(Fraction(10) ** 400)
    (True, inf)
    """
    try:
        nearest = float(number)
    except OverflowError:
        return math.inf
    return nearest if nearest >= number else math.nextafter(nearest, math.inf)
