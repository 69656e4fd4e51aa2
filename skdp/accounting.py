"""What steps may claim, alone and together: privacy guarantees, stated and composed exactly."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from skdp._checks import check_option, invalid

_WEAKEST_FIRST = ("metric", "central", "local")
_ALLOWANCE = 1e-9  # relative, for the floating-point arithmetic of dp-accounting
_CONTINUOUS = "the tighter ε takes Gaussian noise for the continuous one"


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
        record is noised (one a column). They let `compose` find a tighter ε; without them `epsilon` and
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
        """The ε as a float, never less than the exact figure."""
        return rounded_up(self.epsilon)

    def __str__(self) -> str:
        figure = f"ε = {self.epsilon_float:.6g} for each record" if self.is_finite else "ε = ∞"
        delta = f", δ = {float(self.delta):.3g}" if self.delta else ""
        reasons = ": " + "; ".join(self.reasons) if self.reasons else ""
        columns = f"; columns: {', '.join(map(str, self.columns))}" if self.columns else ""
        conditions = "".join(f"\n- {condition}" for condition in self.conditions)
        return f"{figure}{delta}, {self.scope} ({self.relation}){reasons}{columns}{conditions}"


def compose(guarantees: Iterable[PrivacyGuarantee], *, delta: Any = None, method: str = "rdp") -> PrivacyGuarantee:
    """Return what several releases of the same records give together.

    Parameters
    ----------
    guarantees : iterable of PrivacyGuarantee
        Those of the releases, each as often as it was released. Pass the parts, not sums of parts: a sum does not know
        its noise multipliers any more.
    delta : float or Fraction, default=None
        None sums up ε and δ, exactly. A number above 0 and below 1 asks for the ε at this δ, which is smaller where
        Gaussian noise adds up; this needs the package ``dp-accounting``.
    method : {"rdp", "pld"}, default="rdp"
        How Gaussian noise is composed where `delta` is given: by Rényi differential privacy, which holds for continuous
        and discrete Gaussian noise alike; or by privacy loss distributions, which is tighter and takes the noise for
        the continuous Gaussian.

    Returns
    -------
    guarantee : PrivacyGuarantee
        Over the columns of all. Its scope is the weakest: metric, then central, then local. ε is infinite where that
        of any is, with the reasons of all. It is never larger than the sum, where the sum of δ is at most `delta`.

    Raises
    ------
    ParameterError
        If `delta` is not between 0 and 1, or is no more than what releases that are not Gaussian use up of it.
    ValueError
        If the guarantees are about different neighbouring tables.
    ImportError
        If ``dp-accounting`` is needed and not there.

    Notes
    -----
    Sums: Dwork, Kenthapadi, McSherry, Mironov and Naor, *Our data, ourselves* (EUROCRYPT 2006). Rényi: Mironov, *Rényi
    differential privacy* (CSF 2017); pure ε counts by what it implies, ε²/2-zero-concentrated privacy (Bun and
    Steinke, *Concentrated differential privacy* (TCC 2016)), or is added, whichever is less.

    Examples
    --------
    >>> third = PrivacyGuarantee(Fraction(1, 3), columns=("Age",))
    >>> print(compose([third, third, third, PrivacyGuarantee(Fraction(1), columns=("Income",))]))
    ε = 2 for each record, local (replace one record); columns: Age, Income
    """
    parts = list(guarantees)
    check_option("compose", "method", method, ("rdp", "pld"))
    total = _summed(parts)
    if delta is None or not total.is_finite:
        return total
    if isinstance(delta, bool) or not 0 < delta < 1:
        raise invalid("compose", "delta", delta, "a number above 0 and below 1")
    if not total.delta:
        return total
    delta = Fraction(delta)
    pure, gaussian, left = _split(parts, delta)
    tight = _tight_epsilon(method, pure, gaussian, left)
    if total.delta <= delta and total.epsilon <= tight:
        return total
    conditions = total.conditions + (_CONTINUOUS,) * (method == "pld" and bool(gaussian))
    return replace(total, epsilon=tight, delta=delta, conditions=conditions, noise_multipliers=())


def select_best(
    guarantees: Iterable[PrivacyGuarantee], *, shape: Fraction, mean: float, delta: Fraction = Fraction(0)
) -> PrivacyGuarantee:
    """Return what the best of a random number of trials gives, each of which makes these releases.

    Parameters
    ----------
    guarantees : iterable of PrivacyGuarantee
        Those of the releases of one trial.
    shape : Fraction
        The η, from 0 to 1, of the truncated negative binomial distribution that the number of trials has.
    mean : float
        Its mean. It matters to Gaussian noise only.
    delta : Fraction, default=0
        The δ of the whole, above 0 where there is Gaussian noise.

    Returns
    -------
    guarantee : PrivacyGuarantee
        Its ε is 2 + η times that of a trial; with Gaussian noise what ``dp-accounting`` says by Rényi privacy.

    Raises
    ------
    ParameterError
        If `delta` is no more than what releases that are not Gaussian use up of it.
    ImportError
        If ``dp-accounting`` is needed and not there.

    Notes
    -----
    Papernot and Steinke, *Hyperparameter tuning with Rényi differential privacy* (ICLR 2022).

    Examples
    --------
    >>> print(select_best([PrivacyGuarantee(Fraction(1, 2))], shape=Fraction(0), mean=10))
    ε = 1 for each record, local (replace one record)
    """
    parts = list(guarantees)
    total = _summed(parts)
    if not total.is_finite or not total.delta:
        return replace(total, epsilon=total.epsilon * (2 + shape))
    pure, gaussian, left = _split(parts, delta)
    accounting = _dp_accounting()
    from dp_accounting import dp_event, rdp

    trial = dp_event.ComposedDpEvent([
        *[dp_event.SelfComposedDpEvent(accounting.GaussianDpEvent(one), times) for one, times in gaussian.items()],
        *[
            dp_event.SelfComposedDpEvent(accounting.ZCDpEvent(rho=rounded_up(one**2 / 2)), times)
            for one, times in pure.items()
        ],
    ])  # fmt: skip
    accountant = rdp.RdpAccountant().compose(dp_event.RepeatAndSelectDpEvent(trial, mean, float(shape)))
    at = float(left) if Fraction(float(left)) <= left else math.nextafter(float(left), 0)
    return replace(total, epsilon=_generous(accountant.get_epsilon(at)), delta=delta, noise_multipliers=())


def rounded_up(number: Fraction | float) -> float:
    """Return the least float that is not below a number.

    Parameters
    ----------
    number : Fraction or float
        Any number.

    Returns
    -------
    rounded : float
        The number itself where it is a float; infinite beyond the largest.

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


def _summed(parts: list[PrivacyGuarantee]) -> PrivacyGuarantee:
    """Return basic composition: the sums of ε and δ."""
    relations = list(dict.fromkeys(part.relation for part in parts)) or ["replace one record"]
    if len(relations) > 1:
        raise ValueError(f"Guarantees about different neighbouring tables cannot be added up: {', '.join(relations)}.")
    reasons = _distinct(reason for part in parts for reason in part.reasons)
    return PrivacyGuarantee(
        math.inf if reasons else sum((Fraction(part.epsilon) for part in parts), Fraction(0)),
        sum((Fraction(part.delta) for part in parts), Fraction(0)),
        relations[0],
        _distinct(column for part in parts for column in part.columns),
        min((part.scope for part in parts), key=_WEAKEST_FIRST.index, default="local"),
        reasons,
        _distinct(condition for part in parts for condition in part.conditions),
        parts[0].noise_multipliers if len(parts) == 1 else (),
    )


def _distinct(items: Iterable[str]) -> tuple:
    return tuple(dict.fromkeys(items))


def _split(parts: list[PrivacyGuarantee], delta: Fraction) -> tuple[Counter, Counter, Fraction]:
    """Return how often each pure ε and each noise multiplier occurs, and the δ that is left for the latter."""
    gaussian = Counter(multiplier for part in parts for multiplier in part.noise_multipliers)
    others = [part for part in parts if not part.noise_multipliers]
    left = delta - sum((Fraction(part.delta) for part in others), Fraction(0))
    if left <= 0:
        used = rounded_up(delta - left)
        raise invalid("compose", "delta", float(delta), f"above {used:g}, which releases without Gaussian noise use up")
    return Counter(Fraction(part.epsilon) for part in others), gaussian, left


def _tight_epsilon(method: str, pure: Counter, gaussian: Counter, delta: Fraction) -> Fraction:
    """Return an ε at `delta` of Gaussian noise of these multipliers together with pure ε, each so many times."""
    added = sum((epsilon * times for epsilon, times in pure.items()), Fraction(0))
    if not gaussian:
        return added
    # a float below δ asks for more ε than δ itself
    at = float(delta) if Fraction(float(delta)) <= delta else math.nextafter(float(delta), 0)
    together = (_by_renyi if method == "rdp" else _by_loss_distributions)(pure, gaussian, at)
    apart = _by_renyi(Counter(), gaussian, at)
    return min(_generous(together), _generous(apart) + added)


def _generous(epsilon: float) -> Fraction:
    return Fraction(epsilon) * Fraction(1 + _ALLOWANCE)


def _by_renyi(pure: Counter, gaussian: Counter, delta: float) -> float:
    accounting = _dp_accounting()
    from dp_accounting import rdp

    accountant = rdp.RdpAccountant()
    for multiplier, times in gaussian.items():
        accountant.compose(accounting.GaussianDpEvent(multiplier), times)
    for epsilon, times in pure.items():
        accountant.compose(accounting.ZCDpEvent(rho=rounded_up(epsilon**2 / 2)), times)
    return accountant.get_epsilon(delta)


def _by_loss_distributions(pure: Counter, gaussian: Counter, delta: float) -> float:
    _dp_accounting()
    from dp_accounting.pld import common, privacy_loss_distribution

    losses = [
        privacy_loss_distribution.from_gaussian_mechanism(multiplier).self_compose(times)
        for multiplier, times in gaussian.items()
    ] + [
        privacy_loss_distribution.from_privacy_parameters(
            common.DifferentialPrivacyParameters(rounded_up(epsilon), 0.0)
        ).self_compose(times)
        for epsilon, times in pure.items()
        if epsilon
    ]
    total = losses[0]
    for loss in losses[1:]:
        total = total.compose(loss)
    return total.get_epsilon_for_delta(delta)


def _dp_accounting() -> Any:
    try:
        import dp_accounting
    except ImportError:
        raise ImportError(
            "The ε of Gaussian noise at a given delta needs the package dp-accounting; install it with pip install "
            '"skdp[accounting]", or leave delta=None for the sum of ε and δ.'
        ) from None
    return dp_accounting
