"""Recipe files: TOML becomes a pipeline, in which nothing but the steps listed here can be named."""

import inspect
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sklearn.preprocessing
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer

from skdp import _frames
from skdp._checks import ParameterError, check_columns, check_integer, nearest, without_cells
from skdp._recipe_values import Place, check_keys, distributions, hierarchies, learned_bounds, plain, schema
from skdp.anonymity import KAnonymizer
from skdp.binning import IntervalBinner, QuantileBinner
from skdp.cleaning import PIICleaner
from skdp.gaussian import GaussianNoise
from skdp.imputation import DistributionImputer
from skdp.noise import LaplaceNoise, RandomizedResponse
from skdp.outliers import OutlierDropper
from skdp.pipeline import Pipeline
from skdp.synthesis import FakerSynthesizer

MAX_BYTES = 1_000_000
MAX_STEPS = 100
MAX_DOTS = 500  # in a line; the time that tomllib takes for a dotted key grows with the square of its parts
KEYS = ("title", "quasi_identifiers", "sensitive", "steps")
STEPS = {
    step.__name__: step
    for step in (
        FakerSynthesizer, PIICleaner, DistributionImputer, OutlierDropper, IntervalBinner, QuantileBinner,
        GaussianNoise, LaplaceNoise, RandomizedResponse, KAnonymizer,
    )
}  # fmt: skip
"""The steps of skdp that a recipe may use."""

SCIKIT_LEARN = {
    "SimpleImputer": (SimpleImputer, {}),
    "StandardScaler": (sklearn.preprocessing.StandardScaler, {}),
    "MinMaxScaler": (sklearn.preprocessing.MinMaxScaler, {}),
    "MaxAbsScaler": (sklearn.preprocessing.MaxAbsScaler, {}),
    "RobustScaler": (sklearn.preprocessing.RobustScaler, {}),
    "PowerTransformer": (sklearn.preprocessing.PowerTransformer, {}),
    "QuantileTransformer": (sklearn.preprocessing.QuantileTransformer, {}),
    "Binarizer": (sklearn.preprocessing.Binarizer, {}),
    "KBinsDiscretizer": (
        sklearn.preprocessing.KBinsDiscretizer,
        {"encode": "onehot-dense", "quantile_method": "averaged_inverted_cdf"},  # the default from scikit-learn 1.9 on
    ),
    "OrdinalEncoder": (sklearn.preprocessing.OrdinalEncoder, {}),
    "OneHotEncoder": (sklearn.preprocessing.OneHotEncoder, {"sparse_output": False}),
}
"""The transformers of scikit-learn that a recipe may use, and how they are set up for tables."""

_NOT_IN_A_RECIPE = {"random_state", "n_jobs", "ledger", "copy", "dtype", "sparse_output", "feature_name_combiner"}
_VALUES = {
    (FakerSynthesizer, "schema"): schema,
    (DistributionImputer, "distributions"): distributions,
    (KAnonymizer, "hierarchies"): hierarchies,
    **{(step, "bounds"): learned_bounds for step in (DistributionImputer, OutlierDropper, QuantileBinner)},
}


@dataclass(frozen=True)
class Recipe:
    """What a recipe file says.

    Attributes
    ----------
    pipeline : skdp.Pipeline
        Its steps, not fitted.
    quasi_identifiers, sensitive : tuple of str
        The columns that others may know, and those that nobody should learn; empty where the file names none.
    title : str or None
        What the file calls itself.
    file : str
        Its path, as given.
    """

    pipeline: Pipeline
    quasi_identifiers: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    title: str | None = None
    file: str = ""


def read(path: str | Path, random_state: int | None = None) -> Recipe:
    """Return a recipe as its file writes it: the pipeline, and the roles of columns.

    Parameters
    ----------
    path : str or Path
        A TOML file of at most 1 MB, in the form that `skdp.recipes.load` describes.
    random_state : int, default=None
        Given to each step that draws at random; of at least 0.

    Returns
    -------
    recipe : Recipe
        Not fitted.

    Raises
    ------
    ParameterError
        If the file is no recipe; the message names the file, the line or the key, and the nearest valid name.
    OSError
        If it cannot be read.
    """
    if random_state is not None:
        check_integer("load", "random_state", random_state, low=0)
    place = Place(str(path))
    text = _text(path, place)
    document = _parsed(text, place)
    check_keys(document, KEYS, place)
    title = document.get("title")
    if title is not None and not isinstance(title, str):
        raise place.at("title").error("must be a text.")
    roles = {role: _names(document, role, place) for role in ("quasi_identifiers", "sensitive")}
    tables = document.get("steps")
    if not isinstance(tables, list) or not tables:
        raise place.error("has no steps; write each as a [[steps]] table with a key 'use'.")
    if len(tables) > MAX_STEPS:
        raise place.at("steps").error(f"are {len(tables)}; a recipe has at most {MAX_STEPS}.")
    places = _step_places(text, len(tables), place)
    steps = [_step(table, own, roles, random_state) for table, own in zip(tables, places, strict=True)]
    pipeline = RecipePipeline(_named(steps, [table["use"] for table in tables]))
    pipeline._places = [
        Place(own.file, f"{own.key} ({table['use']})") for own, table in zip(places, tables, strict=True)
    ]
    return Recipe(pipeline, roles["quasi_identifiers"], roles["sensitive"], title, place.file)


class RecipePipeline(Pipeline):
    """A pipeline from a recipe file: its errors name the file and the step."""

    _places: list[Place] = []

    def transform(self, X, **params):
        """Return the table with all steps done to it; every row is kept.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table.
        **params : dict of str to object
            Metadata for the steps, as for `fit`.

        Returns
        -------
        X_out : table of shape (n_rows, n_columns_out)
            The transformed table.
        """
        with naming(self):
            return super().transform(X, **params)

    def release(self, X):
        """Return the table as it may be released by what the steps have learned, with which rows of it that holds.

        Parameters
        ----------
        X : dataframe or array-like of shape (n_rows, n_columns)
            The table, or a part of it, with the columns seen by `fit`.

        Returns
        -------
        X_out : table of shape (n_rows_kept, n_columns_out)
            The released rows.
        keep : ndarray of bool of shape (n_rows,)
            Which rows of `X` they are.
        """
        with naming(self):
            return super().release(X)

    def _run(self, method, X, y, params):
        with naming(self):
            return super()._run(method, X, y, params)

    def __sklearn_clone__(self):
        twin = super().__sklearn_clone__()
        twin._places = self._places
        return twin


@contextmanager
def naming(pipeline: Pipeline) -> Iterator[None]:
    """Put the file and the step of a recipe in front of the errors that its steps raise."""
    try:
        yield
    except (OSError, MemoryError, NotFittedError):
        raise
    except Exception as error:
        step = _step_at_fault(error, pipeline)
        own_kind = type(error).__module__.startswith("skdp.") and not isinstance(error, ParameterError)
        if step is None or own_kind:  # a kind of error that callers tell apart stays what it is
            raise
        raise pipeline._places[step].error(without_cells(error, "table")) from error


def _step_at_fault(error: BaseException, pipeline: Pipeline) -> int | None:
    """Return the position of the step whose method the error came out of."""
    positions = {id(step): position for position, (_, step) in enumerate(pipeline.steps[: len(_places(pipeline))])}
    trace = error.__traceback__
    while trace is not None:
        owner = id(trace.tb_frame.f_locals.get("self"))
        if owner in positions:
            return positions[owner]
        trace = trace.tb_next
    return None


def _places(pipeline: Pipeline) -> list[Place]:
    return getattr(pipeline, "_places", [])


def _text(path: str | Path, place: Place) -> str:
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise place.error(f"is larger than {MAX_BYTES // 1_000_000} MB; a recipe is a short text.")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise place.error(f"line {line} is no UTF-8 text.") from None


def _parsed(text: str, place: Place) -> dict:
    for number, line in enumerate(text.splitlines(), 1):
        if line.count(".") > MAX_DOTS:
            raise place.error(f"line {number} has more than {MAX_DOTS:,} dots; break it up.")
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise place.error(f"is no valid TOML: {error}.") from None
    except (RecursionError, ValueError):
        raise place.error("is nested too deeply, or holds a number of too many digits.") from None
    return plain(document, place)


def _names(document: Mapping, role: str, place: Place) -> tuple[str, ...]:
    """Return the columns of a role."""
    given = document.get(role, [])
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise place.at(role).error("must be an array of column names without repeats.")
    return tuple(names)


def _step_places(text: str, count: int, place: Place) -> list[Place]:
    """Return where the steps are written, with the lines of their headers where these can be told."""
    headers = [match.start() for match in re.finditer(r"^[ \t]*\[\[[ \t]*steps[ \t]*\]\]", text, re.MULTILINE)]
    steps = [place.at("steps").at(number) for number in range(1, count + 1)]
    if len(headers) != count:
        return steps
    lines = [text.count("\n", 0, start) + 1 for start in headers]
    return [Place(place.file, f"line {line}, {step.key}") for line, step in zip(lines, steps, strict=True)]


def _step(table: Any, place: Place, roles: Mapping, random_state: int | None) -> BaseEstimator:
    """Return the step that a table of a recipe describes."""
    if not isinstance(table, Mapping):
        raise place.error("must be a table with a key 'use'.")
    name = table.get("use")
    known = [*STEPS, *SCIKIT_LEARN]
    if "use" not in table:
        raise place.error(f"must have a key 'use', the name of a step: {', '.join(known)}.")
    if not isinstance(name, str) or name not in known:
        raise place.at("use").error(f"there is no step {name!r}{nearest(name, known)} Known: {', '.join(known)}.")
    options = {key: value for key, value in table.items() if key != "use"}
    if name in SCIKIT_LEARN:
        return _scikit_learn_step(name, options, place, random_state)
    kind = STEPS[name]
    _check_options(kind, options, (), place)
    if kind is KAnonymizer:
        options = {**{role: list(names) for role, names in roles.items() if names}, **options}
    values = {
        key: _VALUES[kind, key](value, place.at(key)) if (kind, key) in _VALUES else value
        for key, value in options.items()
    }
    return _built(kind, values, place, random_state)


def _scikit_learn_step(name: str, options: dict, place: Place, random_state: int | None) -> BaseEstimator:
    """Return a transformer of scikit-learn, on the columns it names; the others pass by and stand behind them."""
    kind, settings = SCIKIT_LEARN[name]
    _check_options(kind, options, ("columns",), place)
    columns = _names(options, "columns", place)
    rest = {key: value for key, value in options.items() if key != "columns"}
    step = _built(kind, {**settings, **rest}, place, random_state)
    if "columns" in options:
        parts = [(name.lower(), step, _Columns(name, columns))]
        step = ColumnTransformer(parts, remainder="passthrough", verbose_feature_names_out=False)
    return step.set_output(transform="pandas")


@dataclass(frozen=True)
class _Columns:
    """Chooses columns by name, and names the nearest for one that is not there."""

    owner: str
    names: tuple[str, ...]

    def __call__(self, X: Any) -> list[str]:
        return check_columns(self.owner, "columns", self.names, _frames.read(X).columns)


def _parameters(kind: type) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(kind).parameters)


def _check_options(kind: type, options: Mapping, more: tuple[str, ...], place: Place) -> None:
    for key in options:
        if key in _NOT_IN_A_RECIPE:
            cure = "; give it to skdp.recipes.load, or as --seed" if key == "random_state" else ""
            raise place.at(key).error(f"cannot be set in a recipe{cure}.")
    known = [name for name in _parameters(kind) if name not in _NOT_IN_A_RECIPE]
    check_keys(options, [*known, *more], place)


def _built(kind: type, values: dict, place: Place, random_state: int | None) -> BaseEstimator:
    parameters = _parameters(kind)
    if "random_state" in parameters:
        values = {**values, "random_state": random_state}
    for name, parameter in parameters.items():
        if parameter.default is inspect.Parameter.empty and name not in values:
            raise place.error(f"{kind.__name__} needs the key {name!r}.")
    return kind(**values)


def _named(steps: list, kinds: list[str]) -> list[tuple[str, BaseEstimator]]:
    """Return the steps with names, as `make_pipeline` gives them."""
    names = [kind.lower() for kind in kinds]
    return [
        (f"{name}-{names[:position].count(name) + 1}" if names.count(name) > 1 else name, step)
        for position, (name, step) in enumerate(zip(names, steps, strict=True))
    ]
