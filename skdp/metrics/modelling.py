"""What models make of a masked table: whether they can tell it from its original, and what they learn from it."""

from typing import Any, NamedTuple

from skdp import _frames
from skdp._checks import check_columns, check_integer, invalid
from skdp.metrics import _models
from skdp.metrics._tables import Names, check_aligned, check_filled, read_pair


class PropensityError(NamedTuple):
    """How well a classifier tells a release from its original.

    Attributes
    ----------
    pmse : float
        The propensity mean squared error; lower is better. 0: nothing tells them apart. c (1 - c), with c the share of
        released rows, which is 0.25 for tables of one size: each row is told for certain.
    expected : float
        The same where rows are called released by lot: what a second sample of the same population would get.
    ratio : float
        ``pmse / expected``, of at least 0; lower is better, and about 1 is what a second sample would get. NaN where
        both are 0, infinite where `expected` alone is.
    """

    pmse: float
    expected: float
    ratio: float


class TrainedOnRelease(NamedTuple):
    """How a model does on real rows, trained on a release and trained on the original.

    Attributes
    ----------
    released : float
        The score of the model trained on the release; by default from 0 to 1 (accuracy) or up to 1 (R²), higher is
        better.
    original : float
        The score on the same rows of the model trained on the original.
    n_tested : int
        How many real rows were tested.
    """

    released: float
    original: float
    n_tested: int


def propensity_mse(
    original: Any,
    released: Any,
    columns: Names = None,
    *,
    estimator: Any = None,
    cv: int = 5,
    n_permutations: int = 5,
    random_state: Any = None,
) -> PropensityError:
    """Return how well a classifier tells the release from the original: the propensity mean squared error (pMSE).

    Parameters
    ----------
    original, released : dataframe or array-like of shape (n_rows, n_columns)
        The table before and after, of at least `cv` rows each; the numbers of rows may differ.
    columns : str or iterable of str, default=None
        The columns to look at. By default all of `original`, which `released` must have, too.
    estimator : classifier with ``predict_proba``, default=None
        Tells released rows (1) from original ones (0). By default a classification tree whose
        leaves hold at least 20 rows.
    cv : int, default=5
        How many folds, of at least 2: each row's propensity is predicted by a classifier that has not seen it. Where
        the tables have equally many rows, a released row is in the fold of the original row at its place.
    n_permutations : int, default=5
        How often rows are called released by lot to find the expected value, of at least 1.
    random_state : int, RandomState or None, default=None
        For folds, lots and the default estimator.

    Returns
    -------
    error : PropensityError
        ``pmse``, ``expected`` and ``ratio``; of at least 0, lower is better.

    Notes
    -----
    Columns of numbers or dates in both tables are numbers, beside a flag for missing ones; others are codes of the
    texts of both tables together, a missing one having its own. Where a column goes beyond float32, which is what
    trees take, its numbers are their ranks in both tables together. Labels that one table alone has tell it at once:
    pMSE is then near its maximum, which is true, and says little. It says how alike two tables are, never how private
    one is.

    References
    ----------
    M. Woo, J. Reiter, A. Oganian, A. Karr, "Global measures of data utility for microdata masked for disclosure
    limitation", 2009. J. Snoke, G. Raab, B. Nowok, C. Dibben, A. Slavkovic, "General and specific utility measures for
    synthetic data", 2018, for the ratio to its expected value.

    Examples
    --------
    >>> import numpy as np
    >>> from skdp.metrics import propensity_mse
    >>> people = np.random.default_rng(0).normal(size=(200, 2))
    >>> error = propensity_mse(people, people + [[0, 9]], n_permutations=1, random_state=0)
    >>> round(error.pmse, 2)
    0.25
    """
    owner = "propensity_mse"
    for name, value, low in (("cv", cv, 2), ("n_permutations", n_permutations, 1)):
        check_integer(owner, name, value, low=low)
    if estimator is not None and not hasattr(estimator, "predict_proba"):
        raise invalid(owner, "estimator", type(estimator).__name__, "a classifier with predict_proba")
    before, after, names = read_pair(owner, original, released, columns)
    if min(len(before), len(after)) < cv:
        raise invalid(owner, "cv", cv, f"at most the rows of the smaller table ({min(len(before), len(after))})")
    return PropensityError(*_models.propensity(before, after, names, estimator, int(cv), n_permutations, random_state))


def train_on_release_test_on_real(
    original: Any,
    released: Any,
    target: str,
    *,
    test: Any = None,
    estimator: Any = None,
    scoring: Any = None,
    cv: int = 5,
    random_state: Any = None,
) -> TrainedOnRelease:
    """Return how well a model trained on the release does on real rows, beside the same trained on the original.

    Parameters
    ----------
    original, released : dataframe or array-like of shape (n_rows, n_columns)
        The table before and after, with the columns of `original` in any order.
    target : str
        The column to predict: numbers and dates by regression, all else by classification.
    test : dataframe or array-like of shape (n_test, n_columns), default=None
        Real rows that neither `original` nor the release has seen: the honest way. By default, the rows of `original`
        are tested in `cv` folds, and models are trained on the rows of either table outside the fold, which takes
        tables of equally many rows, row by row. No model has then seen a tested row, but the step that made the release
        has: its labels were learned with them.
    estimator : estimator, default=None
        By default gradient boosting: `sklearn.ensemble.HistGradientBoostingClassifier` or its regressor.
    scoring : str or callable, default=None
        A name that `sklearn.metrics.get_scorer` knows, or a scorer. By default the estimator's own score: accuracy or
        R².
    cv : int, default=5
        How many folds, of at least 2; not looked at where `test` is given.
    random_state : int, RandomState or None, default=None
        For folds and the default estimator.

    Returns
    -------
    scores : TrainedOnRelease
        ``released`` and ``original``, in the scale of `scoring`, means over folds; and ``n_tested``.

    Raises
    ------
    ValueError
        If the numbers of rows differ and no `test` is given, or the target has one value only or none.

    Notes
    -----
    Columns that are numbers or dates in `original` are numbers beside a flag for missing ones; ranges of them, as
    KAnonymizer and the binners spell them, stand at their midpoints. Ordered categories are ranks, and ranges of them
    likewise. Other categories have a column for each of up to 100 values, the most frequent of the original, and one
    for the rest; a set of them has an equal share of 1 in each of its members' columns. Labels that cannot be read,
    nodes of a hierarchy among them, count as missing. Codes of a target's classes are those of their texts in order. A
    missing class is a class of its own; rows whose number to predict is missing are left out. A set or range as a
    released class is a class of its own, which no real row has.

    References
    ----------
    C. Esteban, S. Hyland, G. Rätsch, "Real-valued (medical) time series generation with recurrent conditional GANs",
    2017, for training on synthetic and testing on real rows.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skdp.binning import QuantileBinner
    >>> from skdp.metrics import train_on_release_test_on_real
    >>> ages = np.random.default_rng(0).integers(18, 80, 400)
    >>> people = pd.DataFrame({"Age": ages, "Retired": np.where(ages > 65, "yes", "no")})
    >>> released = QuantileBinner(5, columns="Age").fit_transform(people)
    >>> tree = DecisionTreeClassifier(max_depth=3)
    >>> scores = train_on_release_test_on_real(people, released, "Retired", estimator=tree, random_state=0)
    >>> scores.original > scores.released > 0.8
    True
    """
    owner = "train_on_release_test_on_real"
    if not isinstance(target, str):
        raise invalid(owner, "target", target, "a column name")
    check_integer(owner, "cv", cv, low=2)
    before, after, names = read_pair(owner, original, released, None)
    check_columns(owner, "target", target, names)
    if len(names) < 2:
        raise invalid(owner, "original", f"{len(names)} column", "a table of the target and at least one more column")
    real = None
    if test is None:
        check_aligned(owner, before, after, "; give real rows as 'test' instead")
        if len(before) < cv:
            raise invalid(owner, "cv", cv, f"at most the number of rows ({len(before)})")
    else:
        real = _frames.read(test)
        check_columns(owner, "test", names, real.columns)
        check_filled(owner, real, "test")
    scores = _models.trained_scores(before, after, real, target, names, estimator, scoring, int(cv), random_state)
    return TrainedOnRelease(*scores)
