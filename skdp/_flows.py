"""What is left of a table's columns, and what was spent on them, on their way through the steps of an estimator."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags

from skdp._calibration import GAPS_ARE_PUBLIC
from skdp._partial import PartialFitMixin
from skdp.accounting import PrivacyGuarantee, compose
from skdp.anonymity import KAnonymizer
from skdp.base import PrivacyTransformer, RowDropperMixin
from skdp.binning import IntervalBinner, QuantileBinner
from skdp.cleaning import PIICleaner
from skdp.imputation import DistributionImputer
from skdp.noise import LaplaceNoise, RandomizedResponse
from skdp.outliers import OutlierDropper
from skdp.specifications import Copy
from skdp.synthesis import FakerSynthesizer

FICTITIOUS = "no real value is used for fictitious ones: ε = 0 only if the counts of records and the schema are public"
_LEARNING_PARAMETER = {
    OutlierDropper: "method",
    QuantileBinner: "n_bins",
    DistributionImputer: "distributions",
    KAnonymizer: "k",
}


@dataclass(frozen=True)
class Column:
    """A column on its way.

    Parameters
    ----------
    name : str
        What the step in front of it calls it.
    raw : frozenset of str
        The columns of the table that it shows without noise; empty where noise, or fiction, covers it.
    crossed : bool, default=False
        Whether one record may show in many cells: others were made with its raw values, too, or it was copied.
    gaps : frozenset of str
        The columns of the table whose raw values it depends on which of its cells are missing.
    """

    name: str
    raw: frozenset
    crossed: bool = False
    gaps: frozenset = frozenset()


class Account:
    """What the steps passed so far spend, and why nothing can be claimed where that is so."""

    def __init__(self, scales: Mapping[tuple, Fraction] | None = None):
        self.scales = scales or {}  # by which factor a step's ε differs from the fitted step's
        self.parts: list[PrivacyGuarantee] = []
        self.reasons: list[str] = []
        self.conditions: list[str] = []
        self.protected: set = set()
        self.learned: set = set()  # columns of which only what was learned is covered
        self.shown: set = set()  # columns that show in something else than cells

    def absorb(self, other: "Account", times: int = 1):
        """Add what another account spent, so many times."""
        self.parts += other.parts * times
        for name in ("reasons", "conditions"):
            setattr(self, name, [*getattr(self, name), *getattr(other, name)])
        for name in ("protected", "learned", "shown"):
            setattr(self, name, getattr(self, name) | getattr(other, name))

    def bare(self, released: list[Column]) -> set:
        """Return the columns of the table that show without noise, where these columns are released in the end."""
        return self.shown.union(*(column.raw for column in released))

    def guarantee(self, columns: list[str], released: list[Column], **options: Any) -> PrivacyGuarantee:
        """Return what the table's `columns` have, where these columns are released in the end."""
        bare = self.bare(released)
        reasons = list(self.reasons)
        if self.protected & bare:
            reasons.append(f"{_named(self.protected & bare)} covered on one branch but not on another")
        if not self.parts and not reasons:
            reasons.append("no step adds noise")
        covered = [column for column in columns if column in self.protected | self.learned]
        spent = [replace(part, columns=()) for part in self.parts]
        if reasons:
            spent.append(PrivacyGuarantee(math.inf, reasons=tuple(reasons)))
        conditions = [*self.conditions]
        if bare & self.learned:
            conditions.append(f"only what was learned is covered of {_listed(bare & self.learned)}, not the cells")
        if bare - self.learned:
            conditions.append(f"nothing is said about {_listed(bare - self.learned)}, released without noise")
        total = compose([*spent, PrivacyGuarantee(Fraction(0), conditions=tuple(conditions))], **options)
        return replace(total, columns=tuple(covered))


def mixed(columns: Iterable[Column], name: str, *, crossed: bool = False) -> Column:
    """Return a column that may show whatever these columns show."""
    columns = list(columns)
    raw = frozenset().union(*(column.raw for column in columns))
    gaps = frozenset().union(*(column.gaps for column in columns))
    return Column(name, raw, bool(raw) and (crossed or any(column.crossed for column in columns)), gaps)


def pass_step(step: Any, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    """Return what a single step makes of the columns, charging it to the account."""
    if isinstance(step, PartialFitMixin) and step.is_collecting:
        raise NotFittedError(f"{label(step, path)} has collected chunks, and learned nothing yet; call its finish().")
    if isinstance(step, FakerSynthesizer):
        return _pass_synthesizer(step, columns, account)
    if isinstance(step, OutlierDropper | KAnonymizer) and not step.privacy_guarantee_.is_finite:
        account.parts.append(_labelled(step, path, step.privacy_guarantee_))
        return _renamed(step, columns, [column.name for column in columns])
    if isinstance(step, DistributionImputer):
        return _pass_imputer(step, path, columns, account)
    if isinstance(step, PIICleaner):
        return _pass_cleaner(step, columns, account)
    if isinstance(step, IntervalBinner):  # each cell by itself, by public edges
        return columns
    if isinstance(getattr(step, "privacy_guarantee_", None), PrivacyGuarantee):
        central = step.privacy_guarantee_.scope == "central"
        return (_pass_learner if central else _pass_noise)(step, path, columns, account)
    if isinstance(step, PrivacyTransformer):
        account.reasons.append(f"{label(step, path)}: it does not say what it learns from the data")
        return _renamed(step, columns, [column.name for column in columns])
    return _pass_foreign(step, path, columns, account)


def label(step: Any, path: tuple, parameter: str | None = None) -> str:
    """Return what a step is called in reasons."""
    kind = type(step).__name__ + (f", parameter {parameter!r}" if parameter else "")
    return f"{' > '.join(path)} ({kind})" if path else kind.replace(", ", " (", 1) + ")" * bool(parameter)


def _pass_noise(step: Any, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    guarantee, scale = step.privacy_guarantee_, account.scales.get(path, Fraction(1))
    if not isinstance(step, LaplaceNoise | RandomizedResponse) or guarantee.scope != "local":
        _check_one_price(step, path, account)
    elif guarantee.is_finite:
        guarantee = replace(guarantee, epsilon=guarantee.epsilon * scale)
    names = {str(column) for column in guarantee.columns}
    noised = [column for column in columns if column.name in names]
    if len(noised) < len(names):
        account.reasons.append(f"{label(step, path)}: its columns cannot be told from those of the steps before it")
    _check_apart(step, path, noised, account)
    _check_gaps_are_public(step, path, noised, account)
    account.parts.append(_labelled(step, path, guarantee))
    account.protected |= mixed(noised, "").raw
    return [Column(column.name, frozenset()) if column.name in names else column for column in columns]


def _check_apart(step: Any, path: tuple, seen: list[Column], account: Account):
    """Give a reason where a change of one record may be a change of many cells that a step sees."""
    crossed = [column.name for column in seen if column.crossed]
    if crossed:
        account.reasons.append(
            f"{label(step, path)}: one record may show in many cells of {_listed(crossed)} by what was done before"
        )


def _check_gaps_are_public(step: Any, path: tuple, seen: list[Column], account: Account):
    """Give a reason where a step leaves it to be seen which cells are missing, and that tells what was in them."""
    gaps = [column.name for column in seen if column.gaps]
    if gaps and GAPS_ARE_PUBLIC in step.privacy_guarantee_.conditions:
        account.reasons.append(
            f"{label(step, path)}: which cells of {_listed(gaps)} are missing depends on what was in them before, and "
            "is not hidden"
        )


def _check_one_price(step: Any, path: tuple, account: Account):
    """Give a reason where a search tried other ε for a step than the one that it has in the end."""
    if account.scales.get(path, Fraction(1)) != 1:
        account.reasons.append(f"{label(step, path, 'epsilon')}: what other ε of the search gave cannot be told")


def _pass_learner(step: Any, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    """Charge a step that learns from a table, unless noise covers what it learns from."""
    guarantee = step.privacy_guarantee_
    names = {str(column) for column in guarantee.columns} or {column.name for column in columns}
    seen = [column for column in columns if column.name in names]
    raw = mixed(seen, "").raw
    if raw:
        _check_apart(step, path, seen, account)
        _check_gaps_are_public(step, path, seen, account)
        _check_one_price(step, path, account)
        account.parts.append(_labelled(step, path, guarantee))
        account.learned |= raw if guarantee.is_finite else frozenset()
    if isinstance(step, RowDropperMixin) and step.action == "drop":
        account.shown |= raw  # by which rows are there
    out = _renamed(step, columns, [column.name for column in seen])
    masks = isinstance(step, RowDropperMixin) and step.action == "mask"
    return [_with_gaps(column) if masks and column.name in names else column for column in out]


def _with_gaps(column: Column) -> Column:
    """Return a column in which cells may be missing for what was in them."""
    return replace(column, gaps=column.gaps | column.raw)


def _pass_imputer(step: Any, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    """Charge what is learned of observed columns, and follow the groups into the values drawn by them."""
    observed = {str(column) for column in step.privacy_guarantee_.columns}
    by = [] if step.by is None else [step.by] if isinstance(step.by, str) else list(step.by)
    seen = [column for column in columns if observed and column.name in {*observed, *by}]
    raw = mixed(seen, "").raw
    if raw:
        _check_apart(step, path, seen, account)
        _check_one_price(step, path, account)
        _check_gaps_are_public(step, path, [column for column in seen if column.name in observed], account)
        account.parts.append(_labelled(step, path, step.privacy_guarantee_))
        account.learned |= raw if step.privacy_guarantee_.is_finite else frozenset()
    groups = [column for column in columns if column.name in by]
    known = {column.name: column for column in columns}
    out = []
    for name in _names_out(step, columns):
        own = [] if name not in known or name in step.columns_ and step.replace == "all" else [known[name]]
        if name in step.columns_:  # no cell is missing any more
            own = [replace(one, gaps=frozenset()) for one in [*own, *groups]]
        out.append(mixed(own, name))
    return out


def _pass_cleaner(step: Any, columns: list[Column], account: Account) -> list[Column]:
    """Follow a step that treats each row by itself; which rows it drops shows something of their addresses."""
    addresses = [column for column in columns if column.name in step.addresses_]
    if step.action == "drop" and step.drop:
        account.shown |= mixed(addresses, "").raw
    stated = step.gender_ in [column.name for column in columns]
    out = _renamed(step, columns, [*step.addresses_, *filter(None, [step.gender_from, step.gender_])], [step.gender_])
    # how letters of a stated gender are read is learned from the whole column
    out = [mixed([one], one.name, crossed=True) if stated and one.name == step.gender_ else one for one in out]
    emptied = {*step.addresses_, *step.names_, *[step.gender_] * (step.unknown_gender is None)}
    return [_with_gaps(one) if one.name in emptied else one for one in out]


def _pass_synthesizer(step: Any, columns: list[Column], account: Account) -> list[Column]:
    """Follow fictitious values, and the real ones that a schema copies or derives others from."""
    account.parts.append(PrivacyGuarantee(Fraction(0), conditions=(FICTITIOUS,)))
    replaced = [column for column in columns if step.count is None and column.name in step.schema_]
    account.protected |= mixed(replaced, "").raw
    account.shown |= mixed([column for column in columns if column.name == step.count], "").raw
    # with counts, a record of the table becomes many
    table = {
        column.name: mixed([column], column.name, crossed=step.count is not None)
        for column in columns
        if column not in replaced
    }
    made = {name: Column(name, frozenset()) for name in step.schema_}
    for _ in made:  # until all is told: columns are made from others in any order
        for name, one in step.schema_.items():
            needs = {*table, *made} if one.needs() is None else one.needs()
            read = [flows[need] for need in needs for flows in (table, made) if need in flows]
            whole = one.needs() is None  # a function has whole columns before it
            flow = mixed([made[name], *read], name, crossed=whole)
            made[name] = flow if isinstance(one, Copy) else _with_gaps(flow)
    return [made[name] if name in made else table[name] for name in _names_out(step, columns)]


def _pass_foreign(step: Any, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    """Follow a step of which nothing is known but whether it learns: whatever it makes shows what it was given."""
    tags = get_tags(step)
    if isinstance(step, FunctionTransformer) and step.func is None:
        return columns
    if hasattr(step, "transform") and not hasattr(step, "predict") and not tags.requires_fit:
        known = type(step).__module__.startswith("sklearn.") and not isinstance(step, FunctionTransformer)
        return [mixed(columns, "", crossed=not known)]
    bare = mixed(columns, "").raw
    if bare:
        reach = "reaches" if len(bare) == 1 else "reach"
        account.reasons.append(f"{_listed(bare)} {reach} {label(step, path)} without noise")
    if tags.target_tags.required or hasattr(step, "predict"):
        account.conditions.append(f"nothing is said about the target y, if any, that {label(step, path)} is fitted to")
    return [mixed(columns, "")]


def _labelled(step: Any, path: tuple, guarantee: PrivacyGuarantee) -> PrivacyGuarantee:
    """Return a step's guarantee with the step and the parameter at fault in its reasons."""
    if guarantee.is_finite:
        return guarantee
    parameters = step.get_params(deep=False) if hasattr(step, "get_params") else {}
    parameter = next((name for kind, name in _LEARNING_PARAMETER.items() if isinstance(step, kind)), None)
    if parameter is None and parameters.get("random_state") is not None:
        parameter = "random_state"
    elif parameter is None and guarantee.scope != "central" and "columns" in parameters:
        parameter = "columns"
    cure = ""
    if guarantee.scope == "central" and "epsilon" in parameters and parameters["epsilon"] is None:
        method = "method='quantile', " * isinstance(step, OutlierDropper)
        cure = f"; set {method}'epsilon'" + " and 'bounds'" * ("bounds" in parameters)
    followed = " (even if noise follows)" * isinstance(step, OutlierDropper)
    where = label(step, path, parameter)
    return replace(guarantee, reasons=tuple(f"{where}: {reason}{followed}{cure}" for reason in guarantee.reasons))


def _renamed(step: Any, columns: list[Column], sources: list, changed: list = ()) -> list[Column]:
    """Return the columns of a step's output: those it keeps as they were, `changed` and new ones from `sources`."""
    known = {column.name: column for column in columns}
    source = mixed([column for column in columns if column.name in map(str, sources)], "")
    return [
        known[name] if name in known and name not in changed else replace(source, name=name)
        for name in _names_out(step, columns)
    ]


def _names_out(step: Any, columns: list[Column]) -> list[str]:
    """Return the names of what a step of skdp puts out."""
    return [str(name) for name in step.get_feature_names_out([column.name for column in columns])]


def _listed(names: Iterable[str]) -> str:
    names = sorted(map(str, names))
    return f"column{'s' * (len(names) > 1)} {', '.join(map(repr, names))}"


def _named(names: Iterable[str]) -> str:
    return f"{_listed(names)} {'are' if len(set(names)) > 1 else 'is'}"
