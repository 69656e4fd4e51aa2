"""What happened to each column between an original table and its release: by comparing them, and by what steps say."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.compose import ColumnTransformer

from skdp import _frames
from skdp.anonymity import KAnonymizer
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
    "added": "Added: not in the original",
}
REAL = ("untouched", "rearranged", "masked", "imputed")
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


def happened(original: Any, released: Any, rows: np.ndarray | None, steps: list[Step]) -> dict[str, str]:
    """Return by column, those of the original first, what became of it: a key of `HAPPENED`.

    Where the tables show that nothing happened, that is believed rather than the steps. Only where they show that
    something did, but not what, are the steps asked.
    """
    said = {name: one.happened for kind in reversed(_STRONGEST) for one in steps if one.happened == kind
            for name in one.columns}  # fmt: skip
    found = {}
    for name in original.columns:
        if name not in released.columns:
            found[name] = "left out"
            continue
        seen = _compared(original, released, name, rows)
        by_lot = said.get(str(name)) == "noised" and (rows is None or _frames.kind(original, name) != "number")
        # a coin may leave every answer as it is; where rows cannot be matched, counts may agree by chance
        trusted = seen in ("untouched", "rearranged") and not by_lot
        found[name] = seen if trusted or str(name) not in said else said[str(name)]
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
    """Yield the steps of a fitted estimator in their order, those of pipelines inside it included."""
    if estimator is None or isinstance(estimator, str):
        return
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


def _compared(original: Any, released: Any, name: str, rows: np.ndarray | None) -> str:
    """Return what the cells alone show."""
    before, after = _alike(original, released, name)
    if before is None:
        return "generalised" if _frames.kind(original, name) in ("number", "date") else "changed"
    if rows is not None:
        seen = _by_row(before[rows], after)
        if seen == "changed" and _all_real(before[rows], after):
            seen = "rearranged"
        if seen != "changed":
            return seen
    elif _all_real(before, after):
        return "untouched"
    return "generalised" if _is_sets(original, released, name) else "changed"


def _alike(original: Any, released: Any, name: str) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Return a column of both tables as codes that are equal for equal cells, -1 for missing; None if kinds differ."""
    kinds = {_frames.kind(original, name), _frames.kind(released, name)}
    if "number" in kinds:
        columns = [_as_numbers(frame, name) for frame in (original, released)]
        if any(column is None for column in columns):
            return None, None
    else:
        columns = [pd.Series(_spelled(frame, name).to_pylist(), dtype=object) for frame in (original, released)]
    codes, _ = pd.factorize(pd.concat(columns, ignore_index=True))
    return codes[: len(original)], codes[len(original) :]


def _as_numbers(frame: Any, name: str) -> pd.Series | None:
    """Return a column as numbers, which text may spell; None where it holds something else."""
    if frame.schema[name].is_integer():
        return pd.Series(frame.get_column(name).to_list(), dtype="Int64")  # exact, as floats would not be
    texts = pd.Series(_spelled(frame, name).to_pylist(), dtype=object)
    if _frames.kind(frame, name) == "number":
        return pd.Series(_frames.numbers(frame, name)).convert_dtypes()
    parsed = pd.to_numeric(texts, errors="coerce")
    return None if (parsed.isna() & texts.notna()).any() else parsed.convert_dtypes()


def _spelled(frame: Any, name: str) -> pa.Array:
    if _frames.kind(frame, name) == "date":
        days = _frames.dates(frame, name)
        return pa.array(np.where(np.isnat(days), None, days.astype(str).astype(object)), pa.large_string())
    if _frames.kind(frame, name) == "boolean":  # which dtypes spell in two ways
        return _frames.arrow_column(frame, name).cast(pa.large_string())
    # what TableWriter puts before cells that a spreadsheet would run is taken off again
    return pc.replace_substring_regex(_frames.texts(frame, name), r"^'([=+\-@\t\r])", r"\1")


def _by_row(before: np.ndarray, after: np.ndarray) -> str:
    other = before != after
    if not other.any():
        return "untouched"
    if (before[other] == -1).all():
        return "imputed"
    if (after[other] == -1).all():
        return "masked"
    there = (before >= 0) & (after >= 0)
    pairs = pd.DataFrame({"before": before[there], "after": after[there]}).drop_duplicates()
    one_each = not pairs["before"].duplicated().any()
    return "generalised" if one_each and pairs["after"].nunique() < len(pairs) else "changed"


def _all_real(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether every released cell, counted as often as it comes, is one of the original's."""
    size = max(before.max(initial=-1), after.max(initial=-1)) + 2
    old, new = np.bincount(before + 1, minlength=size), np.bincount(after + 1, minlength=size)
    return bool((new <= old).all())


def _is_sets(original: Any, released: Any, name: str) -> bool:
    """Whether the release has sets in braces where the original has none."""
    counts = [pc.sum(pc.match_substring_regex(_spelled(frame, name), r"^\{.*\}$")).as_py() or 0
              for frame in (original, released)]  # fmt: skip
    return counts[1] > 0 == counts[0]
