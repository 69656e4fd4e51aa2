"""Which row became which, and what happened to each column, between an original table and its release."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.compose import ColumnTransformer
from sklearn.utils.validation import check_is_fitted

from skdp import _frames
from skdp.anonymity import KAnonymizer
from skdp.base import PrivacyTransformer
from skdp.binning import IntervalBinner, QuantileBinner
from skdp.cleaning import PIICleaner
from skdp.imputation import DistributionImputer
from skdp.pipeline import TrainOnKept
from skdp.synthesis import FakerSynthesizer

HAPPENED = {
    "left out": "Left out: not in the release",
    "fictitious": "Replaced by fictitious values",
    "noised": "Noised: each cell is drawn at random around, or away from, the real one",
    "generalised": "Generalised: ranges, sets or averages stand for the real values",
    "imputed": "Imputed: gaps are filled, the other cells are real",
    "masked": "Masked: some cells are left empty, the others are real",
    "changed": "Changed in another way, or in more than one",
    "rearranged": "The same values in another order: real",
    "untouched": "Untouched: every cell that is released is real",
    "renamed": "Untouched, under another name: every cell that is released is real",
    "added": "Added: not in the original",
}
REAL = ("untouched", "renamed", "rearranged", "masked", "imputed")
CANNOT_MATCH = "which released record was which original one cannot be told: give 'keep' as fit_release returns it"
OTHER_ORDER = "the rows of the two tables are not in the same order"
_STRONGEST = ("fictitious", "noised", "generalised", "imputed")


@dataclass(frozen=True)
class Step:
    """A fitted step, and the columns that it says it changes.

    Parameters
    ----------
    path : tuple of str
        Its name, behind those of the pipelines around it.
    step : estimator
        The step itself.
    happened : str or None
        What it does to `columns`, one of `HAPPENED`; None where it does not say.
    columns : tuple of str
        Their names.
    """

    path: tuple
    step: Any
    happened: str | None
    columns: tuple


@dataclass(frozen=True)
class Comparison:
    """What an original table and its release, and the steps between them, show.

    Parameters
    ----------
    rows : ndarray of int of shape (n_released,) or None
        The position in the original of each released row; None where that cannot be told.
    not_matched : str or None
        Why it cannot be told; None where it can.
    happened : dict of str to str
        By column, those of the original first, what became of it: a key of `HAPPENED`.
    """

    rows: np.ndarray | None
    not_matched: str | None
    happened: dict


def compared(original: Any, released: Any, keep: np.ndarray | None, steps: list[Step]) -> Comparison:
    """Return which released row was which original one, and what became of each column.

    Where the tables show that nothing happened to a column, that is believed rather than the steps. Only where they
    show that something did, but not what, are the steps asked. Rows are not matched against what columns show that
    were left as they were.
    """
    rows = matched_rows(original, released, keep)
    drawn = {name for one in steps if one.happened in ("noised", "fictitious") for name in one.columns}
    by_row, by_values, order = {}, {}, _Order()
    for name in [name for name in original.columns if name in released.columns]:
        before, after = _alike(original, released, name)
        if before is None:
            ranges = _frames.kind(original, name) in ("number", "date")
            by_row[name] = by_values[name] = "generalised" if ranges else "changed"
            continue
        before = before if rows is None else before[rows]
        by_values[name] = "untouched" if _all_real(before, after) else "changed"
        if rows is not None:
            by_row[name] = _by_row(before, after)
            if str(name) not in drawn:  # what is drawn at random may agree in its counts by chance
                order.look_at(name, before, by_row[name])
    why = CANNOT_MATCH if rows is None else None
    if order.is_another(lambda name: _alike(original, released, name), rows):
        rows, why = None, OTHER_ORDER
    seen = by_values if rows is None else by_row
    return Comparison(rows, why, _happened(original, released, rows is not None, seen, steps))


def _happened(original: Any, released: Any, is_matched: bool, seen: dict, steps: list[Step]) -> dict[str, str]:
    said = {name: one.happened for kind in reversed(_STRONGEST) for one in steps if one.happened == kind
            for name in one.columns}  # fmt: skip
    found = {}
    for name in original.columns:
        if name not in released.columns:
            found[name] = "left out"
            continue
        what = "generalised" if seen[name] == "changed" and _is_sets(original, released, name) else seen[name]
        by_lot = said.get(str(name)) == "noised" and not (is_matched and _frames.kind(original, name) == "number")
        # a coin may leave every answer as it is; where rows cannot be matched, counts may agree by chance
        trusted = what in ("untouched", "rearranged") and not by_lot
        found[name] = what if trusted or str(name) not in said else said[str(name)]
    return found | {name: "added" for name in released.columns if name not in original.columns}


def matched_rows(original: Any, released: Any, keep: Any) -> np.ndarray | None:
    """Return the position in the original of each released row; None where that cannot be told.

    A release that has lost rows and been numbered afresh, as one read from a file is, cannot be matched.
    """
    if keep is not None:
        return np.flatnonzero(keep)
    if original.implementation.is_pandas() and released.implementation.is_pandas():
        old, new = original.to_native().index, released.to_native().index
        fresh = new.equals(pd.RangeIndex(len(new))) and len(new) < len(old)
        if old.is_unique and new.is_unique and not fresh:
            places = old.get_indexer(new)
            if (places >= 0).all():
                return places
    return np.arange(len(original)) if len(original) == len(released) else None


def fitted_steps(estimator: Any, path: tuple = ()) -> Iterator[Step]:
    """Yield the steps of a fitted estimator in their order, those of pipelines inside it included.

    Raises
    ------
    NotFittedError
        If a step of skdp, or what holds such steps, is not fitted; steps of others may have nothing to fit.
    """
    if estimator is None or isinstance(estimator, str):
        return
    if isinstance(estimator, ColumnTransformer | TrainOnKept | PrivacyTransformer):
        check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    if hasattr(estimator, "steps"):
        inside = estimator.steps
    elif isinstance(estimator, ColumnTransformer):
        inside = [(name, one) for name, one, _ in estimator.transformers_]
    elif isinstance(estimator, TrainOnKept):
        inside = [("dropper", estimator.dropper_), ("estimator", estimator.estimator_)]
    else:
        what, columns = _said(estimator)
        yield Step(path or (type(estimator).__name__.lower(),), estimator, what, tuple(map(str, columns)))
        return
    for name, one in inside:
        yield from fitted_steps(one, (*path, name))


def _said(step: Any) -> tuple[str | None, Any]:
    if isinstance(step, FakerSynthesizer):
        return "fictitious", step.schema_
    if isinstance(step, DistributionImputer):
        return "imputed", step.columns_
    if isinstance(step, IntervalBinner | QuantileBinner):
        return "generalised", step.edges_
    if isinstance(step, KAnonymizer):
        return "generalised", step.quasi_identifiers_
    if isinstance(step, PIICleaner):
        return "left out", step.identifiers_
    guarantee = getattr(step, "privacy_guarantee_", None)
    if guarantee is not None and guarantee.scope in ("local", "metric"):
        return "noised", guarantee.columns
    return None, ()


class _Order:
    """Whether rows that were taken to match are in another order, as columns show that were left as they were.

    These have the same values, equally often. Where rows are in their places, so are such values; where rows were
    moved, values have moved together. A column that was rearranged by itself has parted from those that stay.
    """

    def __init__(self):
        self.moved: list = []
        self.key: np.ndarray | None = None  # of the values that stay, in all columns where these differ

    def look_at(self, name: Any, values: np.ndarray, what: str) -> None:
        """Take note of a column, by its codes in the original."""
        if what == "rearranged":
            self.moved.append(name)
        elif what == "untouched" and values.min() < values.max():
            self.key = values if self.key is None else pd.factorize(_joined(self.key, values, values.max()))[0]

    def is_another(self, codes: Callable, rows: np.ndarray | None) -> bool:
        """Whether rows were moved; `codes` returns a column in both tables."""
        if self.key is None:
            return bool(self.moved)
        for name in self.moved:
            before, after = codes(name)
            pairs = [np.sort(_joined(self.key, one, before.max())) for one in (before[rows], after)]
            if np.array_equal(*pairs):
                return True
        return False


def _joined(key: np.ndarray, codes: np.ndarray, highest: int) -> np.ndarray:
    """Return a number for each pair of values; the second are codes from -1."""
    return key.astype(np.int64) * (highest + 2) + codes + 1


def _alike(original: Any, released: Any, name: str) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Return a column of both tables as codes that are equal for equal cells, -1 for missing; None if kinds differ."""
    kinds = {_frames.kind(original, name), _frames.kind(released, name)}
    if "number" in kinds:
        columns = [as_parsed(frame, name) for frame in (original, released)]
        if any(column is None for column in columns):
            return None, None
    else:
        columns = [pd.Series(spelled(frame, name).to_pylist(), dtype=object) for frame in (original, released)]
    codes, _ = pd.factorize(pd.concat(columns, ignore_index=True))
    return codes[: len(original)], codes[len(original) :]


def as_parsed(frame: Any, name: str) -> pd.Series | None:
    """Return a column as numbers, which text may spell; None where it holds something else."""
    if frame.schema[name].is_integer():
        return pd.Series(frame.get_column(name).to_list(), dtype="Int64")  # exact, as floats would not be
    texts = pd.Series(spelled(frame, name).to_pylist(), dtype=object)
    if _frames.kind(frame, name) == "number":
        return _nullable(pd.Series(_frames.numbers(frame, name)))
    parsed = pd.to_numeric(texts, errors="coerce")
    return None if (parsed.isna() & texts.notna()).any() else _nullable(parsed)


def _nullable(numbers: pd.Series) -> pd.Series:
    with np.errstate(invalid="ignore"):  # pandas before 3 casts floats to integers to see whether they are some
        return numbers.convert_dtypes()


def spelled(frame: Any, name: str) -> pa.Array:
    if _frames.kind(frame, name) == "date":
        days = _frames.dates(frame, name)
        return pa.array(np.where(np.isnat(days), None, days.astype(str).astype(object)), pa.large_string())
    if _frames.kind(frame, name) == "boolean":  # which dtypes spell in two ways
        return _frames.arrow_column(frame, name).cast(pa.large_string())
    # what TableWriter puts before cells that a spreadsheet would run is taken off again
    return pc.replace_substring_regex(_frames.texts(frame, name), r"^'([=+\-@\t\r])", r"\1")


def _by_row(before: np.ndarray, after: np.ndarray) -> str:
    """Return what the cells alone show where rows are matched."""
    other = before != after
    if not other.any():
        return "untouched"
    if (before[other] == -1).all():
        return "imputed"
    if (after[other] == -1).all():
        return "masked"
    there = (before >= 0) & (after >= 0)
    pairs = pd.DataFrame({"before": before[there], "after": after[there]}).drop_duplicates()
    if not pairs["before"].duplicated().any() and pairs["after"].nunique() < len(pairs):
        return "generalised"
    return "rearranged" if _all_real(before, after) else "changed"


def _all_real(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether every released cell, counted as often as it comes, is one of the original's."""
    size = max(before.max(initial=-1), after.max(initial=-1)) + 2
    old, new = np.bincount(before + 1, minlength=size), np.bincount(after + 1, minlength=size)
    return bool((new <= old).all())


def _is_sets(original: Any, released: Any, name: str) -> bool:
    """Whether the release has sets in braces where the original has none."""
    counts = [pc.sum(pc.match_substring_regex(spelled(frame, name), r"^\{.*\}$")).as_py() or 0
              for frame in (original, released)]  # fmt: skip
    return counts[1] > 0 == counts[0]
