"""What a data safety report counts: plain figures of a table and its release, with no cell of either."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdp import _frames, _inspection, metrics
from skdp._report_columns import HAPPENED, REAL, Step
from skdp._report_tables import Tables
from skdp.guarantees import privacy_guarantee
from skdp.noise import _ALL_ALIKE, _RANGE_IS_OF_THE_DATA

THRESHOLD = 0.2  # risk above which records are counted: a class of fewer than five
RANGE_NOT_TOLD = (
    "The ε of a whole record comes from the range of the values in the original, and is not told here: take it as "
    "infinite."
)
MOST_IN_RULES = 12
FEW_CLASSES = 20  # different integers up to which a target is one of classes
MOST_CLASSES = 50
OF_THEIR_OWN = 0.1  # different values to a record, beyond which categories seem to go together with anything


def count(tables: Tables, pipeline: Any, scenarios: Mapping[str, float]) -> dict:
    """Return all figures, as dicts and lists of plain values."""
    became = tables.happened
    columns = _columns(tables, became, tables.steps)
    copies = [name for name in tables.copies if tables.names.copies[name] in tables.released.columns]
    hidden = {"hiding": tables.hiding, "missing": tables.missing()} if tables.hiding else {}
    return {
        "records": {
            "in": len(tables.original),
            "out": len(tables.released),
            "left_out": len(tables.original) - len(tables.released),
            "not_matched": tables.compared.not_matched,
            "all_quasi_identifiers_missing": _suppressed(tables),
        },
        "columns": columns,
        "anonymity": {
            "quasi_identifiers": tables.quasi_identifiers,
            "not_released": tables.missing(),
            **({"copies": copies} if copies else {}),
            **({"not_told": hidden | {"alone_at_least": _alone(tables)}} if hidden else {}),
            "sensitive": tables.sensitive,
            "before": _anonymity(tables.original, tables),
            "after": _if_told(_anonymity(tables.released, tables), tables),
            "if_more_is_known": _if_more_is_known(tables, columns["suspicious"]),
        },
        "risks": _risks(tables, scenarios),
        "privacy": _privacy(pipeline, tables.steps),
        "utility": _utility(tables, became),
    }


def without_original(figures: dict) -> dict:
    """Return the figures without all that was counted in the original table."""
    public = {name: dict(part) for name, part in figures.items()}
    for name in ("in", "left_out", "not_matched"):
        del public["records"][name]
    hidden = ("distinct_before", "missing_before")
    public["columns"]["each"] = [
        {name: value for name, value in one.items() if name not in hidden} for one in figures["columns"]["each"]
    ]
    del public["anonymity"]["before"]
    public["risks"]["scenarios"] = [
        {name: value for name, value in one.items() if name != "before"} for one in figures["risks"]["scenarios"]
    ]
    public["risks"]["before"] = None
    public["privacy"] = _without_ranges(figures["privacy"]) | {
        "steps": [
            one | {"guarantee": one["guarantee"] and _without_ranges(one["guarantee"])}
            for one in figures["privacy"]["steps"]
        ]
    }
    public["utility"] = {"cells_missing": figures["utility"]["cells_missing"]}
    return public


def _without_ranges(guarantee: dict) -> dict:
    """Return a guarantee without the ε that noise without bounds has over the range of the values of the original."""
    if _RANGE_IS_OF_THE_DATA not in guarantee.get("conditions", ()):
        return guarantee
    kept = [
        one if one.endswith("over the range of the bounds") else one.rpartition(", a whole record")[0] or one
        for one in guarantee["conditions"]
    ]
    reasons = [one for one in guarantee["reasons"] if _ALL_ALIKE not in one]  # which tells of the values, too
    hidden = {} if reasons else {"not_told": RANGE_NOT_TOLD}
    return guarantee | {"epsilon": None, "reasons": reasons, "conditions": kept} | hidden


# Columns


def _columns(tables: Tables, became: dict, steps: list[Step]) -> dict:
    by = {what: [name for name, found in became.items() if found == what] for what in HAPPENED}
    return {
        "in": len(tables.original.columns),
        "out": len(tables.released.columns),
        "by": {what: names for what, names in by.items() if names},
        **({"under_other_names": tables.names.pairs()} if tables.names.pairs() else {}),
        "suspicious": _suspicious(tables, became),
        "each": [_one_column(tables, name, what, steps) for name, what in became.items()],
    }


def _one_column(tables: Tables, name: str, what: str, steps: list[Step]) -> dict:
    told = {
        "name": name,
        "happened": what,
        "steps": [" > ".join(one.path) for one in steps if str(name) in one.columns],
    }
    roles = (("quasi-identifier", [*tables.quasi_identifiers, *tables.copies]), ("sensitive", tables.sensitive))
    told["role"] = next((role for role, names in roles if name in names), "")
    for when, frame in (("before", tables.original), ("after", tables.released)):
        column = _inspection.described(frame, name) if name in frame.columns else None
        told[f"distinct_{when}"] = column and column.distinct
        told[f"missing_{when}"] = column and column.missing
    return told


def _suspicious(tables: Tables, became: dict) -> dict:
    """Return the columns that look as if they told who somebody is, or help to find out."""
    real = [name for name, what in became.items() if what in REAL]
    roles = {*tables.quasi_identifiers, *tables.sensitive, *tables.copies}
    suggested = _suggested(tables, real)
    quasi = [*suggested[_inspection.BY_NAME], *suggested[_inspection.BY_VALUES]]
    other = [name for name, what in became.items() if what in ("changed", "added")]
    likely = _suggested(tables, other)
    drawn = tables.fictitious()
    amounts = [name for name in likely[_inspection.AMOUNTS] if became[name] == "added" and str(name) not in drawn]
    ranges = [name for name, what in became.items() if what == "generalised"]
    coarser = _suggested(tables, ranges)
    return {
        "identifiers": suggested[_inspection.IDENTIFIERS],
        "pseudonyms": likely[_inspection.IDENTIFIERS],
        "quasi_identifiers": [name for name in real if name in quasi and name not in roles],
        "generalised": [name for name in coarser[_inspection.BY_NAME] if name not in roles],
        "exact_amounts": [name for name in [*suggested[_inspection.AMOUNTS], *amounts] if name not in roles],
    }


def _suggested(tables: Tables, names: list) -> dict[str, list]:
    """Return which of the released columns look as if others could know them, by what they look like."""
    found = _inspection.suggestions([_inspection.described(tables.released, name) for name in names])
    own = {str(name): name for name in names}
    return {what: [own[name] for name in alike] for what, alike in found.items()}


# How well records hide


def _suppressed(tables: Tables) -> int:
    known = tables.known(tables.released)
    if not known:
        return 0
    return int(np.all([_frames.missing(tables.released, name) for name in known], axis=0).sum())


def class_sizes(frame: Any, known: list) -> np.ndarray:
    """Return the sizes of the equivalence classes; one of all records where nothing is known."""
    return metrics.equivalence_classes(frame, known).sizes if known else np.array([len(frame)])


def _anonymity(frame: Any, tables: Tables) -> dict:
    known = tables.known(frame)
    sizes = class_sizes(frame, known)
    return {
        "k": int(sizes.min()),
        "classes": len(sizes),
        "median_class": float(np.median(sizes)),
        "alone": int((sizes == 1).sum()),
        "share_alone": float((sizes == 1).sum() / sizes.sum()),
        "share_above_threshold": float(sizes[1 / sizes > THRESHOLD].sum() / sizes.sum()),
        "sensitive": {name: _diversity(frame, known, name) for name in tables.sensitive if name in frame.columns},
    }


def _alone(tables: Tables) -> int:
    """Return how many released records stand alone in the quasi-identifiers that were found; the others add to them."""
    return int((class_sizes(tables.released, tables.known(tables.released)) == 1).sum())


def _if_told(figures: dict, tables: Tables) -> dict:
    """Return the release's figures, those left out that a hidden quasi-identifier might make worse."""
    if not tables.hiding:
        return figures
    worst = figures["k"] == 1
    sensitive = {name: {"l": 1 if one["l"] == 1 else None, "t": None} for name, one in figures["sensitive"].items()}
    return dict.fromkeys(figures) | {"k": 1 if worst else None, "sensitive": sensitive}


def _if_more_is_known(tables: Tables, suspicious: dict) -> dict | None:
    """Return how well released records hide from who knows the columns, too, that look as if people could know them."""
    more = [*suspicious["quasi_identifiers"], *suspicious["generalised"]]
    if not more:
        return None
    sizes = class_sizes(tables.released, [*tables.known(tables.released), *more])
    if tables.hiding and sizes.min() > 1:
        return None
    return {"columns": more, "k": int(sizes.min()), "alone": int((sizes == 1).sum())}


def _diversity(frame: Any, known: list, name: str) -> dict:
    if not known:
        return {"l": _inspection.described(frame, name).distinct, "t": 0.0}
    return {
        "l": int(metrics.l_diversity(frame, known, [name])),
        "t": float(metrics.t_closeness(frame, known, [name])),
    }


def _risks(tables: Tables, scenarios: Mapping[str, float]) -> dict:
    found = {}
    for when, frame in (("before", tables.original), ("after", tables.released)):
        sizes = class_sizes(frame, tables.known(frame))
        found[when] = {"highest": float(1 / sizes.min()), "mean": float(len(sizes) / sizes.sum())}
    if tables.hiding:
        found["after"] = {"highest": 1.0 if found["after"]["highest"] == 1 else None, "mean": None}
    return {
        "scenarios": [
            {"name": str(name), "probability": float(chance)}
            | {
                when: {
                    measure: None if risk is None else metrics.scenario_risks(risk, {name: chance})[name]
                    for measure, risk in one.items()
                }
                for when, one in found.items()
            }
            for name, chance in scenarios.items()
        ],
        **found,
        "threshold": THRESHOLD,
    }


# What is promised


def _privacy(pipeline: Any, steps: list[Step]) -> dict:
    told = [_step(one) for one in steps]
    if pipeline is None:
        return {"stated": False, "steps": told}
    return {"stated": True, **_guarantee(privacy_guarantee(pipeline)), "steps": told}


def _guarantee(guarantee: Any) -> dict:
    return {
        "epsilon": guarantee.epsilon_float if guarantee.is_finite else None,
        "delta": float(guarantee.delta),
        "scope": guarantee.scope,
        "relation": guarantee.relation,
        "columns": list(guarantee.columns),
        "reasons": list(guarantee.reasons),
        "conditions": list(guarantee.conditions),
    }


def _step(one: Step) -> dict:
    guarantee = getattr(one.step, "privacy_guarantee_", None)
    return {
        "name": " > ".join(one.path),
        "class": type(one.step).__name__,
        "happened": one.happened,
        "columns": list(one.columns),
        "guarantee": _guarantee(guarantee) if guarantee is not None else None,
    }


# What the release is still good for


def _utility(tables: Tables, became: dict) -> dict:
    common = tables.common
    alike = [name for name in common if _holds_alike(tables, name)]
    return {
        "cells_missing": {when: _share_missing(frame, tables.known(frame)) for when, frame in
                          (("before", tables.original), ("after", tables.released))}["after"],
        "cells_suppressed": _cells_suppressed(tables),
        "granularity": _granularity(tables),
        "marginals": _marginals(tables),
        "associations": _associations(tables),
        "rules": _rules(tables, became, alike),
        "propensity": _propensity(tables, alike),
        "model": _model(tables),
    }  # fmt: skip


def _not_told(why: str) -> dict:
    return {"not_told": why}


def _share_missing(frame: Any, names: list) -> float:
    return float(np.mean([_frames.missing(frame, name).mean() for name in names])) if names else 0.0


def _cells_suppressed(tables: Tables) -> dict:
    known = [name for name in tables.known(tables.released) if name in tables.original.columns]
    kept = tables.kept()
    if kept is None:
        return _not_told(tables.compared.not_matched)
    gone = [(_frames.missing(tables.released, name) & ~_frames.missing(kept, name)).mean() for name in known]
    return {"share": float(np.mean(gone)) if known else 0.0}


def _granularity(tables: Tables) -> dict:
    known = [name for name in tables.known(tables.released) if name in tables.original.columns]
    kept = tables.kept()
    if not known:
        return _not_told("no quasi-identifier is in both tables")
    if kept is None:
        return _not_told(tables.compared.not_matched)
    return {"value": metrics.granularity(kept, tables.released, known), "columns": known}


def _marginals(tables: Tables) -> list:
    if not tables.common:
        return []
    table = metrics.marginal_distances(tables.original, tables.released, tables.common)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [{"name": name, **one} for name, one in zip(tables.common, rows, strict=True)]


def associated_columns(tables: Tables) -> list:
    """Return the columns of both tables but those of so many categories that anything seems to go together with them.

    By chance alone, the correlation ratio of g categories in n rows is about the root of (g - 1) / (n - 1).
    """
    frames = tables.original, tables.released
    return [name for name in tables.common if not any(_has_values_of_its_own(frame, name) for frame in frames)]


def _has_values_of_its_own(frame: Any, name: str) -> bool:
    if _frames.kind(frame, name) in ("number", "date"):
        return False
    return _inspection.described(frame, name).distinct > max(_inspection.FEW, OF_THEIR_OWN * len(frame))


def association_matrices(tables: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the associations in both tables, of the columns in which they can be told."""
    return metrics.association_matrices(tables.original, tables.released, associated_columns(tables))


def _associations(tables: Tables) -> dict:
    names = associated_columns(tables)
    left_out = [name for name in tables.common if name not in names]
    if len(names) < 2:
        return _not_told("the tables have fewer than two columns in common that can be compared") | {
            "left_out": left_out
        }
    before, after = (one.to_numpy() for one in association_matrices(tables))
    drift = np.abs(after - before)[np.triu_indices(len(before), 1)]
    found = {"mean_drift": float(np.nanmean(drift)), "highest_drift": float(np.nanmax(drift))}
    return {"columns": len(names), **found, "left_out": left_out}


def _holds_alike(tables: Tables, name: str) -> bool:
    """Whether a column holds the same kind of values in both tables, and mostly values that the original has."""
    kinds = [_frames.kind(frame, name) for frame in (tables.original, tables.released)]
    if kinds[0] in ("number", "date") or kinds[1] in ("number", "date"):
        return kinds[0] == kinds[1]
    texts = [_frames.texts(frame, name).drop_null() for frame in (tables.original, tables.released)]
    return set(texts[1].unique().to_pylist()) <= set(texts[0].unique().to_pylist())


def _rules(tables: Tables, became: dict, alike: list) -> dict:
    """Return how many rules are kept, among the columns of few values that both tables spell alike."""
    each = [(name, _inspection.described(tables.original, name).distinct) for name in alike]
    few = [name for name, distinct in each if 1 < distinct <= FEW_CLASSES]
    touched = [name for name in few if became[name] not in REAL]
    chosen = [name for name in few if name in [*touched, *few][:MOST_IN_RULES]]
    if len(chosen) < 2:
        return _not_told(f"fewer than two columns of at most {FEW_CLASSES} values are spelled alike in both tables")
    kept = metrics.association_rules_kept(tables.original, tables.released, columns=chosen)
    return {name: None if value != value else value for name, value in kept._asdict().items()} | {"columns": chosen}


def _propensity(tables: Tables, alike: list) -> dict:
    if not alike:
        return _not_told("no column is spelled alike in both tables")
    if min(len(tables.original), len(tables.released)) < 20:
        return _not_told("the tables have fewer than 20 records")
    found = metrics.propensity_mse(tables.original, tables.released, alike, cv=3, n_permutations=1, random_state=0)
    ratio = found.ratio if np.isfinite(found.ratio) else None
    return {"pmse": found.pmse, "expected": found.expected, "ratio": ratio, "columns": len(alike)}


def _model(tables: Tables) -> dict:
    """Return how a decision tree does on real rows, trained on the release and on the original."""
    target = tables.target
    if target is None:
        return _not_told("no target was named")
    others = [name for name in tables.common if name != target]
    kept = tables.kept()
    if target not in tables.common or not others:
        return _not_told("the target, or all other columns, are not in both tables")
    if kept is None:
        return _not_told(tables.compared.not_matched)
    kind, classes = _frames.kind(kept, target), _inspection.described(kept, target).distinct
    held, target = [_with_text_names(frame, [*others, target]) for frame in (kept, tables.released)], str(target)
    in_classes = kind not in ("number", "date") or kind == "number" and classes <= FEW_CLASSES
    if in_classes and classes > MOST_CLASSES:
        return _not_told(f"the target has more than {MOST_CLASSES} classes")
    if in_classes and kind == "number":
        held = [_frames.assign(frame, {target: _frames.texts(frame, target)}) for frame in held]
    held = _within_trees(held, [name for name in held[0].columns if name != target])
    tree = (DecisionTreeClassifier if in_classes else DecisionTreeRegressor)(min_samples_leaf=20, random_state=0)
    try:
        scores = metrics.train_on_release_test_on_real(*held, target, estimator=tree, cv=3, random_state=0)
    except ValueError as error:
        return _not_told(str(error))
    return {
        "target": tables.target,
        "measure": "accuracy" if in_classes else "R²",
        "released": scores.released,
        "original": scores.original,
        "guessing": _most_frequent(kept, tables.target) if in_classes else 0.0,
        "tested": scores.n_tested,
    }


def _with_text_names(frame: Any, names: list) -> Any:
    """Return columns as a table named by texts: the last column by its own, all others by place where one has none."""
    if all(isinstance(name, str) for name in names):
        return frame.select(names)
    texts = [*(f"{names[-1]}_{place}" for place in range(len(names) - 1)), str(names[-1])]
    return _frames.build({text: frame.get_column(name) for text, name in zip(texts, names, strict=True)}, frame)


def _within_trees(frames: list, names: list) -> list:
    """Return tables with numbers beyond float32, which is what trees take, scaled down by a power of two."""
    for name in names:
        if any(_frames.kind(frame, name) != "number" for frame in frames):
            continue
        columns = [_frames.numbers(frame, name) for frame in frames]
        largest = max(np.abs(one[np.isfinite(one)]).max(initial=0.0) for one in columns)
        if largest > np.finfo(np.float32).max:
            power = -int(np.frexp(largest)[1])
            scaled = [{name: np.ldexp(one, power)} for one in columns]
            frames = [_frames.assign(frame, one) for frame, one in zip(frames, scaled, strict=True)]
    return frames


def _most_frequent(frame: Any, target: str) -> float:
    """Return the accuracy of always naming the most frequent class."""
    sizes = metrics.equivalence_classes(frame, [target]).sizes
    return float(sizes.max() / sizes.sum())
