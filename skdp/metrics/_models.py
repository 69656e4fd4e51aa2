"""Tables as matrices that any estimator takes, and models trained on one table and tried on another."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from skdp import _frames
from skdp._generalisation import ordered_values
from skdp.metrics._labels import RangeReader, SetReader, coded, is_ordered

COLUMNS = 100  # the most that one column of categories becomes, besides those for rare and for missing values


def as_numbers(frame: Any, column: str) -> np.ndarray | None:
    """Return a column of numbers, or of dates as days, as floats, and missing ones as NaN; None for other columns."""
    if _frames.missing(frame, column).all() or _frames.kind(frame, column) in ("number", "date"):
        return ordered_values(frame, column)
    return None


def joint_codes(first: Any, second: Any, column: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Return codes of a column of two tables, in the order of their text, the last a missing one; and how many."""
    (one, labels), (other, more) = coded(first, column), coded(second, column)
    both = sorted({*labels, *more})
    place = {label: code for code, label in enumerate(both)}
    spots = (np.array([*(place[label] for label in own), len(both)]) for own in (labels, more))
    return next(spots)[one], next(spots)[other], len(both) + 1


def read_alike(original: Any, released: Any, column: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a column of both tables as numbers, ranges that numbers became by their midpoints; None for categories."""
    ours = as_numbers(original, column)
    theirs = as_numbers(released, column)
    if ours is None or theirs is None and np.isnan(ours).all():  # a column of gaps is of the other's kind
        return None
    return ours, _midpoints(RangeReader(original, column), released, column) if theirs is None else theirs


def _midpoints(reader: RangeReader, released: Any, column: str) -> np.ndarray:
    codes, labels = coded(released, column)
    return np.append(reader.midpoints(labels), np.nan)[codes]


def propensity(
    original: Any, released: Any, columns: list, estimator: Any, cv: int, n_permutations: int, random_state: Any
) -> tuple[float, float, float]:
    """Return the propensity mean squared error, its mean where rows are called released by lot, and their ratio."""
    rng = check_random_state(random_state)
    if estimator is None:
        from sklearn.tree import DecisionTreeClassifier

        estimator = DecisionTreeClassifier(min_samples_leaf=20, random_state=rng.randint(2**31 - 1))
    sizes = len(original), len(released)
    features = _told_apart_features(original, released, columns)
    is_released = np.repeat([0, 1], sizes)
    tests = [np.concatenate(pair) for pair in _folds(sizes, cv, rng)]
    error = _squared_error(estimator, features, is_released, tests)
    by_lot = [_squared_error(estimator, features, rng.permutation(is_released), tests) for _ in range(n_permutations)]
    expected = float(np.mean(by_lot))
    if expected > 0:
        return error, expected, error / expected
    return error, expected, np.inf if error > 0 else np.nan


def _squared_error(estimator: Any, features: np.ndarray, is_released: np.ndarray, tests: list[np.ndarray]) -> float:
    """Return the mean squared distance of out-of-fold propensities from the share of released rows."""
    guessed = np.empty(len(features))
    for test in tests:
        labels = is_released[~test]
        if labels.min() == labels.max():  # only among very few rows
            guessed[test] = labels[0]
        else:
            guessed[test] = clone(estimator).fit(features[~test], labels).predict_proba(features[test])[:, 1]
    return float(((guessed - is_released.mean()) ** 2).mean())


def _folds(sizes: tuple[int, int], n_folds: int, rng: np.random.RandomState) -> Iterator[tuple]:
    """Yield, fold by fold, which rows of two tables are tested; tables of one size are cut at the same rows.

    A released row and the original that it was made from are then never on different sides.
    """
    first = rng.permutation(sizes[0]) % n_folds
    second = first if sizes[0] == sizes[1] else rng.permutation(sizes[1]) % n_folds
    return ((first == number, second == number) for number in range(n_folds))


def trained_scores(
    original: Any,
    released: Any,
    test: Any,
    target: str,
    columns: list,
    estimator: Any,
    scoring: Any,
    cv: int,
    random_state: Any,
) -> tuple[float, float, int]:
    """Return the scores on real rows of the model trained on the release and on the original, and how many rows."""
    from sklearn.metrics import get_scorer

    rng = check_random_state(random_state)
    tables = [original, released] + [test] * (test is not None)
    features = _trained_features(tables, [column for column in columns if column != target])
    targets, is_number = _targets(tables, target)
    model = _default_estimator(is_number, rng) if estimator is None else estimator
    score = scoring if callable(scoring) else _own_score if scoring is None else get_scorer(scoring)
    usable = [~np.isnan(values) for values in targets]
    parts = [usable]
    if test is None:
        cuts = _folds((len(original), len(original)), cv, rng)
        parts = [[usable[0] & ~out, usable[1] & ~out, usable[0] & out] for out, _ in cuts]
    real, truth = features[-1 if test is not None else 0], targets[-1 if test is not None else 0]
    scores = []
    for *trained, tested in parts:
        if tested.any():
            fitted = [
                _fitted(model, features[number][rows], targets[number][rows], target, is_number)
                for number, rows in enumerate(trained)
            ]
            scores.append([score(one, real[tested], truth[tested]) for one in fitted])
    if not scores:
        raise ValueError(f"The target {target!r} is missing in all rows to test.")
    on_original, on_released = np.mean(scores, axis=0).tolist()
    return on_released, on_original, sum(int(tested.sum()) for *_, tested in parts)


def _own_score(model: Any, features: np.ndarray, target: np.ndarray) -> float:
    return model.score(features, target)


def _default_estimator(is_number: bool, rng: np.random.RandomState) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if is_number else HistGradientBoostingClassifier
    return kind(random_state=rng.randint(2**31 - 1))


def _fitted(model: Any, features: np.ndarray, target: np.ndarray, name: str, is_number: bool) -> Any:
    found = len(np.unique(target))
    if found < (1 if is_number else 2):
        raise ValueError(f"The target {name!r} holds {found} values in the rows to train on; a model needs more.")
    return clone(model).fit(features, target)


def _targets(tables: list, column: str) -> tuple[list[np.ndarray], bool]:
    """Return the target of each table as numbers, missing ones NaN, or as codes of classes; and whether as numbers."""
    original = tables[0]
    if as_numbers(original, column) is not None and not _frames.missing(original, column).all():
        numbers = [read_alike(original, table, column)[1] for table in tables]
        return [np.where(np.isfinite(values), values, np.nan) for values in numbers], True
    read = [coded(table, column) for table in tables]
    labels = sorted(set().union(*(own for _, own in read)))
    place = {label: code for code, label in enumerate(labels)}
    spots = [np.array([*(place[label] for label in own), len(labels)], dtype=np.float64) for _, own in read]
    return [spot[codes] for spot, (codes, _) in zip(spots, read, strict=True)], False


def _told_apart_features(original: Any, released: Any, columns: list) -> np.ndarray:
    """Return the rows of the original and then those of the release, each column as numbers or as joint codes.

    Trees of scikit-learn take float32: numbers beyond that are their ranks, by which a tree can part them just as well.
    """
    features = []
    for column in columns:
        ours, theirs = as_numbers(original, column), as_numbers(released, column)
        if ours is None or theirs is None:
            ours, theirs, _ = joint_codes(original, released, column)
            features.append(np.concatenate([ours, theirs])[:, None].astype(np.float64))
        else:
            block = np.concatenate(_numeric_blocks(ours, theirs))
            if np.abs(block).max() > np.finfo(np.float32).max:
                block[:, 0] = np.unique(block[:, 0], return_inverse=True)[1]
            features.append(block)
    return np.hstack(features)


def _numeric_blocks(first: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return numbers, gaps filled by the first's median, beside a flag for the gaps; infinite ones as outermost."""
    finite = first[np.isfinite(first)]
    low, middle, high = (finite.min(), np.median(finite), finite.max()) if len(finite) else (0.0, 0.0, 0.0)
    blocks = []
    for values in (first, *others):
        bounded = np.where(np.isinf(values), np.where(values > 0, high, low), values)
        blocks.append(np.column_stack([np.where(np.isnan(values), middle, bounded), np.isnan(values)]))
    return blocks


def _trained_features(tables: list, columns: list) -> list[np.ndarray]:
    """Return the tables (the original first) as matrices of one meaning, to train on one and test on another.

    Numbers are themselves, ranges of them their midpoints. A set of categories is a share for each member, 1 for a
    category alone. Labels that cannot be read count as missing.
    """
    blocks = [_blocks(tables, column) for column in columns]
    return [np.hstack(own) for own in zip(*blocks, strict=True)]


def _blocks(tables: list, column: str) -> list[np.ndarray]:
    original = tables[0]
    ours = as_numbers(original, column)
    if ours is not None:
        pairs = [read_alike(original, table, column) or (ours, np.full(len(table), np.nan)) for table in tables[1:]]
        return _numeric_blocks(ours, *(theirs for _, theirs in pairs))
    if is_ordered(original, column):
        reader = RangeReader(original, column)
        return _numeric_blocks(*(_midpoints(reader, table, column) for table in tables))
    reader = SetReader(original, column)
    return [_shares(reader, table, column) for table in tables]


def _shares(reader: SetReader, table: Any, column: str) -> np.ndarray:
    """Return a column for each value of the original, one for all that are rare, and one for missing and unknown."""
    codes, labels = coded(table, column)
    counts = np.bincount(reader.codes, minlength=len(reader.position))[: len(reader.position)]
    places = np.arange(len(counts))
    if len(counts) > COLUMNS:
        places[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(len(counts)), COLUMNS)
    width = min(len(counts), COLUMNS + 1) + 1
    places = np.append(places, width - 1)
    shares = np.zeros((len(labels) + 1, width))
    for row, label in enumerate(labels):
        members = places[reader.members(label) or [-1]]
        shares[row] = np.bincount(members, minlength=width) / len(members)
    shares[-1, -1] = 1.0
    return shares[codes]
