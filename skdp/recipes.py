"""Pipelines for whole jobs: read from a TOML file by `load`, and ready-made ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline

from skdp._checks import nearest
from skdp._recipe_files import Recipe, RecipePipeline, read
from skdp.binning import IntervalBinner
from skdp.cleaning import PIICleaner, is_undeliverable
from skdp.specifications import Choice, Copy, Dates, Derived, Fake, Integers
from skdp.synthesis import FakerSynthesizer

__all__ = ["AGE_SHARES", "RECIPES", "SEASONS", "Recipe", "load", "read", "recipe", "travel", "years_before"]

AGE_SHARES = {(0, 9): 25, (10, 19): 23, (20, 39): 35, (40, 59): 13, (60, 70): 4}
"""Ages of arriving refugees in percent, both ends of each range included, as published by the U.S. Department of
Homeland Security."""

SEASONS = (("Winter", 101), ("Spring", 321), ("Summer", 621), ("Autumn", 923), ("Winter", 1221))
"""Seasons and the month and day, as one number, on which each begins."""


def travel(random_state=None, *, n_jobs=None) -> Pipeline:
    """Return a pipeline that makes a table of fictitious travellers from a request.

    The request has the columns ``Country``, ``Year`` and ``Records``; each of its rows becomes exactly as many records
    as it asks for. Names and origins are Mexican, destinations in the United States. Addresses that `PIICleaner` would
    drop (post-office boxes, military) are never made, titles are cleaned off the names, the gender is guessed from the
    first name, and the date of birth agrees with the age on the day of arrival.

    Parameters
    ----------
    random_state : int, Generator, RandomState or None, default=None
        An integer makes the pipeline repeat the same table.
    n_jobs : int, default=None
        How many threads make records at once; -1 is all cores. The table is the same.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Its `fit_transform` takes the request and returns a table of 22 columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp.recipes import travel
    >>> request = pd.DataFrame({"Country": ["RUSSIA", "MEXICO"], "Year": [2016, 2020], "Records": [2, 3]})
    >>> people = travel(random_state=0).fit_transform(request)
    >>> people.shape
    (5, 22)
    >>> people["place_of_birth"].tolist()
    ['RUSSIA', 'RUSSIA', 'MEXICO', 'MEXICO', 'MEXICO']
    """
    schema = {
        "person_name": Fake("name", locale="es_MX"),
        "origin_id": Integers(10**9, 10**10 - 1),
        "departure_date": Dates(year="Year"),
        "origin": Fake("address", locale="es_MX", reject=is_undeliverable),
        "destination_id": Integers(10**9, 10**10 - 1),
        "arrival_date": Derived(_arrival),
        "destination": Fake("address", locale="en_US", reject=is_undeliverable),
        "trip_length": Integers(10, 50),
        "date_of_birth": Dates(_earliest_birth, _latest_birth),
        "age_at_arrival": Choice(*_ages(AGE_SHARES)),
        "departure_year": Copy("Year"),
        "place_of_birth": Copy("Country"),
        "gender": Choice([None]),
        "Season": Derived(_season),
        "AgeBin": Copy("age_at_arrival"),
        "TripLengthBin": Copy("trip_length"),
    }
    ages, lengths = [10, 20, 30, 40, 50, 60], [20, 30, 40]
    labels = {
        "AgeBin": ["0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60+"],
        "TripLengthBin": ["10-19", "20-29", "30-39", "40-50"],
    }
    return Pipeline([
        ("synthesize", FakerSynthesizer(schema, count="Records", random_state=random_state, n_jobs=n_jobs)),
        ("clean", PIICleaner(
            names="person_name", gender_from="person_name", unknown_gender="unknown",
            addresses=["origin", "destination"], drop=(),
        )),
        ("bin", IntervalBinner({"AgeBin": ages, "TripLengthBin": lengths}, closed="left", labels=labels)),
    ])  # fmt: skip


RECIPES: dict[str, Callable[..., Pipeline]] = {"travel": travel}


def load(path: str | Path, random_state: int | None = None) -> RecipePipeline:
    """Return the pipeline that a recipe file describes.

    A recipe is a TOML file: an ordered list of steps, and the roles of columns. It names steps of skdp, and of
    scikit-learn's transformers these (`StandardScaler`, `MinMaxScaler`,
    `MaxAbsScaler`, `RobustScaler`, `PowerTransformer`, `QuantileTransformer`, `Binarizer`, `KBinsDiscretizer`,
    `OrdinalEncoder`, `OneHotEncoder`, `SimpleImputer`). Nothing else can be named, so that a recipe from a stranger
    runs no code of theirs.

    Parameters
    ----------
    path : str or Path
        A TOML file of at most 1 MB.
    random_state : int, default=None
        Given to each step that draws at random; of at least 0. Noise that is seeded has no guarantee.

    Returns
    -------
    pipeline : skdp.Pipeline
        The steps, not fitted. Errors of its steps name the file and the step.

    Raises
    ------
    ParameterError
        If the file is no recipe: the message names the file, the line or the key, and the nearest valid name.
    OSError
        If it cannot be read.

    See Also
    --------
    read : The same, with the roles of columns.

    Notes
    -----
    The keys of a file:

    - ``title``, a text;
    - ``quasi_identifiers`` and ``sensitive``, arrays of column names: what `KAnonymizer` and the figures of
      ``skdp release`` take, unless the step has its own;
    - ``[[steps]]``, a table for each step, in order: ``use``, the name of its class, and its parameters, arrays for
      tuples and tables for dicts by column. ``{ none = true }`` stands for None. Steps of scikit-learn take
      ``columns`` as well; the columns that they do not name stand behind those that they make.

    Some parameters have a form of their own:

    - ``schema`` of `FakerSynthesizer`, a table for each column with one of the keys ``fake`` (and ``locale``, a text
      or ``{ from_column = "Country" }``, ``unique``, ``arguments``, ``reject = "undeliverable"``), ``integers = [low,
      high]``, ``choice = [...]`` (and ``weights``), ``dates = { start = ..., end = ... }`` or ``{ year = ... }``, and
      ``copy = "column"``;
    - ``distributions`` of `DistributionImputer`, ``"observed"`` or for each column such a word, weights of texts
      ``{ male = 49, female = 51 }``, weights of values and ranges ``[{ range = [0, 9], weight = 25 }, { value = 10,
      weight = 3 }]``, or such for each group: ``{ groups = [{ group = "MEXICO", weights = ... }], otherwise = ... }``;
    - ``bounds`` of `DistributionImputer`, `OutlierDropper` and `QuantileBinner`, ``[lowest, highest]``, or
      ``{ epsilon = 0.2 }`` (and ``low``, ``failure``) for `skdp.DPBounds`, which learns them, or such for each column;
    - ``hierarchies`` of `KAnonymizer`, for each column a table from each value to the array of nodes above it, the
      root last, or the name of a CSV file in ARX's form, in the folder of the recipe or below it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from skdp.recipes import load
    >>> path = Path(tempfile.mkdtemp()) / "ages.toml"
    >>> _ = path.write_text('''
    ... [[steps]]
    ... use = "PIICleaner"
    ... identifiers = ["Name"]
    ...
    ... [[steps]]
    ... use = "IntervalBinner"
    ... edges = { Age = [24, 64] }
    ... ''')
    >>> load(path).fit_transform(pd.DataFrame({"Name": ["Ana", "Eva"], "Age": [34, 71]}))["Age"].tolist()
    ['24 - 64', '64 and Over']
    """
    return read(path, random_state).pipeline


def recipe(name: str) -> Callable[..., Pipeline]:
    """Return the recipe of that name.

    Parameters
    ----------
    name : str
        One of the keys of `RECIPES`.

    Returns
    -------
    recipe : callable
        Takes `random_state` and `n_jobs`, and returns a pipeline.

    Raises
    ------
    ValueError
        If there is none; the nearest is named.
    """
    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name!r}{nearest(name, RECIPES)}")
    return RECIPES[name]


def _ages(shares: dict[tuple[int, int], float]) -> tuple[list[int], list[float]]:
    """Return each age and its weight, the share of a range spread evenly over its ages."""
    weights = {age: share / (high - low + 1) for (low, high), share in shares.items() for age in range(low, high + 1)}
    return list(weights), list(weights.values())


def _days(people, column: str) -> np.ndarray:
    return people[column].to_numpy().astype("datetime64[D]")


def _arrival(people) -> np.ndarray:
    return _days(people, "departure_date") + people["trip_length"].to_numpy()


def _latest_birth(people) -> np.ndarray:
    return years_before(_days(people, "arrival_date"), people["age_at_arrival"].to_numpy())


def _earliest_birth(people) -> np.ndarray:
    return years_before(_days(people, "arrival_date"), people["age_at_arrival"].to_numpy() + 1) + 1


def years_before(days: np.ndarray, years: np.ndarray) -> np.ndarray:
    """Return the same day of the month so many years earlier; 29 February becomes the 28th where there is none.

    Parameters
    ----------
    days : ndarray of datetime64[D] of shape (n_days,)
        The days.
    years : ndarray of int of shape (n_days,)
        How many years earlier.

    Returns
    -------
    earlier : ndarray of datetime64[D] of shape (n_days,)
        The days so many years before.

    Examples
    --------
    >>> years_before(np.array(["2020-02-29", "2020-03-01"], "datetime64[D]"), np.array([1, 4]))
    array(['2019-02-28', '2016-03-01'], dtype='datetime64[D]')
    """
    months = _as_unit(days, "M")
    earlier = months - 12 * years
    start, following = _as_unit(earlier, "D"), _as_unit(earlier + 1, "D")
    return start + np.minimum(days - _as_unit(months, "D"), following - start - 1)


def _as_unit(dates: np.ndarray, unit: str) -> np.ndarray:
    """Return dates in another unit, each distinct one converted once: NumPy's calendar takes 20 ns a date."""
    if not len(dates):
        return dates.astype(f"datetime64[{unit}]")
    first = dates.min()
    calendar = np.arange(first, dates.max() + 1).astype(f"datetime64[{unit}]")
    return calendar[(dates - first).astype(np.int64)]


def _season(people) -> np.ndarray:
    days = _days(people, "arrival_date")
    months = _as_unit(days, "M")
    day_of_month = (days - _as_unit(months, "D")).astype(np.int64) + 1
    names, starts = zip(*SEASONS, strict=True)
    month = months.astype(np.int64) % 12 + 1
    return np.array(names, dtype=object)[np.searchsorted(starts, month * 100 + day_of_month, side="right") - 1]
