"""How strongly two columns go together, from codes and contingency tables; and rules among many."""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skdp import _frames, _levels
from skdp.metrics._labels import coded


class Coded(NamedTuple):
    """A column of categories as codes from 0, all in use; a missing value has one of its own."""

    codes: np.ndarray
    counts: np.ndarray
    cells: np.ndarray | None = None
    cell_sizes: np.ndarray | None = None


class Measured(NamedTuple):
    """A column of numbers about their mean, in a unit in which no square overflows or vanishes.

    Attributes
    ----------
    values : ndarray of float of shape (n_rows,)
        Missing ones are 0.
    present : ndarray of bool of shape (n_rows,) or None
        Which are not missing; None where all are there.
    square : float
        The sum of their squares; 0 where they do not vary.
    """

    values: np.ndarray
    present: np.ndarray | None
    square: float
    cell_sums: np.ndarray | None = None


def read_column(frame: Any, column: str) -> Coded | Measured:
    """Return a column of categories as codes, one of numbers or dates (by the day) as numbers."""
    codes = _object_text_codes(frame, column)
    kind = "text" if codes is not None else _frames.kind(frame, column)
    if kind == "number":
        values = _frames.numbers(frame, column)
        return _measured(values, np.isfinite(values))
    if kind == "date":
        days = _frames.dates(frame, column)
        return _measured(days.astype(np.int64).astype(np.float64), ~np.isnat(days))
    bound = 0
    if codes is None:
        codes, bound = _levels.combine(frame, [column])
    codes = codes.astype(np.intp, copy=False)  # what `bincount` would make of them, once for each other column
    counts = np.bincount(codes, minlength=bound if len(frame) else 0)
    if counts.all():
        return Coded(codes, counts)
    return Coded((np.cumsum(counts > 0) - 1).take(codes), counts[counts > 0])


def is_measured(frame: Any, column: str) -> bool:
    """Whether a column counts as numbers, of which two have a signed association; else it counts as categories."""
    return _frames.kind(frame, column) in ("number", "date")


def _object_text_codes(frame: Any, column: str) -> np.ndarray | None:
    """Return what `_levels.factorise` does, in half of the time, for objects that are all text; None for others."""
    series = frame.get_column(column)
    if not len(frame) or not series.implementation.is_pandas() or series.to_native().dtype != object:
        return None
    with _levels.single_values(column):
        codes, distinct = pd.factorize(series.to_native().to_numpy())
    return np.where(codes < 0, len(distinct), codes) if pd.api.types.infer_dtype(distinct) == "string" else None


def collapse(columns: list) -> list:
    """Return columns with counts and sums by combination of categories, of as many columns as have few of these.

    What two such columns have in common is then found from the combinations, not from the rows.
    """
    places = _few_combinations(columns)
    if len(places) < 2:
        return columns
    categories = [columns[place] for place in places]
    shape = tuple(len(column.counts) for column in categories)
    bound = int(np.prod(shape))
    rows = categories[0].codes
    for column in categories[1:]:  # in less time than `numpy.ravel_multi_index`
        rows = rows * len(column.counts) + column.codes
    sizes = np.bincount(rows, minlength=bound)
    cells = dict(zip(places, np.unravel_index(np.arange(bound), shape), strict=True))
    collapsed = list(columns)
    for place, column in enumerate(columns):
        if place in cells:
            collapsed[place] = column._replace(cells=cells[place], cell_sizes=sizes)
        elif isinstance(column, Measured):
            collapsed[place] = column._replace(cell_sums=np.bincount(rows, column.values, minlength=bound))
    return collapsed


def _few_combinations(columns: list) -> list[int]:
    """Return where the categories with fewest values are, as many as combine to a quarter of the rows at most."""
    places = [place for place, column in enumerate(columns) if isinstance(column, Coded)]
    places.sort(key=lambda place: len(columns[place].counts))
    combined = np.cumprod([float(len(columns[place].counts)) for place in places])
    return [place for place, bound in zip(places, combined, strict=True) if bound <= len(columns[place].codes) / 4]


def _measured(values: np.ndarray, present: np.ndarray) -> Measured:
    if present.all():
        centred = _centred(values)
        return Measured(centred, None, _dot(centred, centred))
    centred = np.zeros(len(values))
    centred[present] = _centred(values[present])
    return Measured(centred, present, _dot(centred, centred))


def _centred(values: np.ndarray) -> np.ndarray:
    """Return numbers about their mean, the furthest 1 from it; zeros where they do not vary."""
    low, high = (values.min(), values.max()) if len(values) else (0.0, 0.0)
    if low == high:
        return np.zeros(len(values))
    scaled = values / max(-low, high)
    scaled -= scaled.mean()
    scaled /= max(-scaled.min(), scaled.max())
    return scaled


def _dot(first: np.ndarray, second: np.ndarray) -> float:
    return float((first * second).sum())  # summed in pairs, so more exact than BLAS, and on one thread


def varies(column: Coded | Measured) -> bool:
    """Whether a column has two values or more."""
    return len(column.counts) > 1 if isinstance(column, Coded) else column.square > 0


def associated(
    first: Coded | Measured, second: Coded | Measured, categorical: str, bias_correction: bool, yates: bool
) -> tuple[float, float]:
    """Return how strongly two columns that vary go together, seen from the first and from the second."""
    if isinstance(first, Coded) and isinstance(second, Coded):
        if categorical == "theils_u":
            return theils_u(first, second)
        both = cramers_v(first, second, bias_correction, yates)
    elif isinstance(first, Coded):
        both = correlation_ratio(first, second)
    else:
        both = correlation_ratio(second, first) if isinstance(second, Coded) else pearson(first, second)
    return both, both


class Contingency(NamedTuple):
    """The pairs of values of two columns that occur: their places in either column, and how many rows have them."""

    rows: np.ndarray
    columns: np.ndarray
    counts: np.ndarray


def contingency(first: Coded, second: Coded) -> Contingency:
    """Return which pairs of values occur; the work grows with the rows, not with values × values."""
    width = len(second.counts)
    if first.cells is not None and second.cells is not None:
        counts = np.bincount(first.cells * width + second.cells, first.cell_sizes, minlength=len(first.counts) * width)
        used = np.flatnonzero(counts)
        return Contingency(*np.divmod(used, width), counts[used])
    if _levels.is_dense(first.codes, len(first.counts) * width):
        counts = np.bincount(first.codes * width + second.codes)
        used = np.flatnonzero(counts)
        return Contingency(*np.divmod(used, width), counts[used])
    pairs, _ = _levels.pair(first.codes, len(first.counts), second.codes, width)
    used, counts = np.unique(pairs, return_counts=True)
    return Contingency(*np.divmod(used.astype(np.int64), width), counts)


def cramers_v(first: Coded, second: Coded, bias_correction: bool, yates: bool) -> float:
    """Return Cramér's V, 0 where the correction leaves no room for any."""
    table, n = contingency(first, second), len(first.codes)
    rows, columns = len(first.counts), len(second.counts)
    expected = first.counts[table.rows] / n * second.counts[table.columns]
    off = np.abs(table.counts - expected)
    if yates and rows == columns == 2:  # all four are off by the same, pairs that do not occur too
        chi2 = max(off[0] - 0.5, 0.0) ** 2 * n * (1 / first.counts).sum() * (1 / second.counts).sum()
    else:
        absent = n - expected.sum() if len(expected) < rows * columns else 0.0
        chi2 = float((off**2 / expected).sum()) + max(absent, 0.0)
    phi2 = chi2 / n
    if not bias_correction:
        return min(float(np.sqrt(phi2 / (min(rows, columns) - 1))), 1.0)
    room = min(size - 1 - (size - 1) ** 2 / (n - 1) for size in (rows, columns))
    surplus = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    return min(float(np.sqrt(surplus / room)), 1.0) if room > 0 else 0.0


def theils_u(first: Coded, second: Coded) -> tuple[float, float]:
    """Return how much of the first column's entropy the second explains, and the other way round."""
    shared = _entropy(first.counts) + _entropy(second.counts) - _entropy(contingency(first, second).counts)
    first_share, second_share = (float(np.clip(shared / _entropy(one.counts), 0, 1)) for one in (first, second))
    return first_share, second_share


def _entropy(counts: np.ndarray) -> float:
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def correlation_ratio(categories: Coded, numbers: Measured) -> float:
    """Return eta: the root of the share of the numbers' variance that lies between the categories."""
    codes, values, counts = categories.codes, numbers.values, categories.counts
    if numbers.present is not None:
        codes, values = codes[numbers.present], values[numbers.present]
        counts = np.bincount(codes, minlength=len(counts))
    elif categories.cells is not None and numbers.cell_sums is not None:
        codes, values = categories.cells, numbers.cell_sums
    sums = np.bincount(codes, values, minlength=len(counts))
    between = (sums[counts > 0] ** 2 / counts[counts > 0]).sum()
    return min(float(np.sqrt(between / numbers.square)), 1.0)


def pearson(first: Measured, second: Measured) -> float:
    """Return Pearson's r over the rows that have both numbers; 0 where one of them does not vary there."""
    gaps = [one.present for one in (first, second) if one.present is not None]
    if gaps:
        both = np.logical_and.reduce(gaps)
        first, second = (_measured(one.values[both], np.ones(both.sum(), dtype=bool)) for one in (first, second))
        if not first.square or not second.square:
            return 0.0
    return float(np.clip(_dot(first.values, second.values) / np.sqrt(first.square * second.square), -1, 1))


# Rules


def mined_rules(
    frame: Any, columns: list, known: dict, min_support: float, min_confidence: float, max_len: int
) -> dict:
    """Return the lift of each association rule, by its antecedents and consequents.

    Items are numbered by column and text; `known` holds these numbers, and takes up new ones.
    """
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    items = _frequent_items(frame, columns, known, min_support)
    if len(items.columns) < 2:
        return {}
    with warnings.catch_warnings():  # of mlxtend about pandas, which users can do nothing about
        warnings.simplefilter("ignore")
        sets = fpgrowth(items, min_support=min_support, use_colnames=True, max_len=max_len)
        if not len(sets):
            return {}
        rules = association_rules(sets, metric="confidence", min_threshold=min_confidence, return_metrics=["lift"])
    keys = zip(rules["antecedents"], rules["consequents"], strict=True)
    return dict(zip(keys, rules["lift"].tolist(), strict=True))


def _frequent_items(frame: Any, columns: list, known: dict, min_support: float) -> pd.DataFrame:
    """Return a column of flags for each pair of column and value that is frequent enough."""
    flags = {}
    for column in columns:
        codes, labels = coded(frame, column)
        counts = np.bincount(codes, minlength=len(labels) + 1)
        for code in np.flatnonzero(counts >= max(min_support * len(frame), 1)):
            item = (column, labels[code] if code < len(labels) else None)
            flags[known.setdefault(item, len(known))] = codes == code
    return pd.DataFrame(flags)
