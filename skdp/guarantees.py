"""What a whole fitted estimator may claim: its steps are walked, and their guarantees composed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sklearn.pipeline
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from skdp._flows import Account, Column, label, mixed, pass_step
from skdp._rationals import rational
from skdp.accounting import PrivacyGuarantee
from skdp.base import PrivacyTransformer
from skdp.pipeline import TrainOnKept

_COMPOSITIONS = (sklearn.pipeline.Pipeline, ColumnTransformer, FeatureUnion, TrainOnKept)
_SAME_COLUMNS = "every fit of the search noised the same columns as the last one"
_ASK_A_LEDGER = "give its steps a ledger before it is fitted"


def privacy_guarantee(estimator, *, delta=None, method="rdp") -> PrivacyGuarantee:
    """Return the differential privacy that a fitted estimator gives each record, or why it gives none.

    Parameters
    ----------
    estimator : fitted estimator
        A step, or a Pipeline, ColumnTransformer, FeatureUnion, `skdp.TrainOnKept` or search (one with ``cv_results_``)
        of steps, nested in any way.
    delta : float or Fraction, default=None
        None sums up the ε and the δ of the steps. A number above 0 and below 1 asks for the ε at this δ, which is
        tighter where several columns or steps have Gaussian noise; see `skdp.accounting.compose`.
    method : {"rdp", "pld"}, default="rdp"
        How Gaussian noise is composed where `delta` is given.

    Returns
    -------
    guarantee : PrivacyGuarantee
        Its `columns` are those of the estimator's input that are protected. It is about one release: the output of one
        `fit_transform` or `transform`, or the model of one `fit`, and of a search all of its fits. Where ε is infinite,
        `reasons` names each step, and its parameter, that makes it so.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ParameterError
        If `delta` or `method` is none of the above.
    ImportError
        If `delta` is given, Gaussian noise was drawn, and ``dp-accounting`` is not there.

    See Also
    --------
    PrivacyLedger : Counts what was really released, every `transform` of it.

    Notes
    -----
    ε is finite only where that can be shown. Each column is followed from step to step:

    - noise covers it, for the sum of ε over all steps with noise, on whatever branch of the estimator;
    - what is learned or computed from covered columns alone is post-processing, and free (Dwork and Roth, *The
      Algorithmic Foundations of Differential Privacy* (2014), proposition 2.1);
    - a step that learns from a column which noise does not cover makes ε infinite, be it a scaler in front of the noise
      or a predictor behind it; so does one of skdp that learns without ε, and outlier removal in any place;
    - a column that is noised, and also released without noise by another branch, makes it infinite, too;
    - steps that treat each row by itself cost nothing. `sklearn.preprocessing.FunctionTransformer` is not known to;
    - a meta-estimator that is not named above is not looked into.

    The target y is never noised: what is fitted to it says so under `conditions`.

    A search counts, for each candidate and each split of its cross-validation, how often a record may be noised: once
    by the fit or the score, for a split that parts the rows with one scorer; then once more by the refit. What splits
    the rows must be scikit-learn's, or a list of splits, none of which may take a row more than once. Of a search's
    parameters only `epsilon` of `LaplaceNoise` and `RandomizedResponse` may be searched among those of the steps of
    skdp. A ledger counts a search exactly.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdp import LaplaceNoise, make_pipeline, privacy_guarantee
    >>> people = pd.DataFrame({"Age": [24, 35, 71], "Income": [21.5, 33.0, 80.0]})
    >>> noise = LaplaceNoise(bounds={"Age": (0, 120), "Income": (0, 200)})
    >>> print(privacy_guarantee(make_pipeline(noise, StandardScaler()).fit(people)))
    ε = 2 for each record, local (replace one record); columns: Age, Income
    - whether a cell is missing is public
    - whether a column holds integers is public
    >>> before = make_pipeline(StandardScaler().set_output(transform="pandas"), noise)
    >>> print(privacy_guarantee(before.fit(people)).reasons[0])
    columns 'Age', 'Income' reach standardscaler (StandardScaler) without noise
    """
    names, released, account = _walked(estimator)
    return account.guarantee(names, released, delta=delta, method=method)


def releases(estimator) -> list[PrivacyGuarantee]:
    """Return the guarantees of the steps of a fitted estimator one by one, as `privacy_guarantee` composes them.

    Parameters
    ----------
    estimator : fitted estimator
        As for `privacy_guarantee`.

    Returns
    -------
    guarantees : list of PrivacyGuarantee
        One for each release. They alone do not tell whether all is covered: `privacy_guarantee` does.
    """
    return _walked(estimator)[2].parts


def bare_columns(estimator) -> list[str]:
    """Return the columns that show without noise in what a fitted estimator releases, finite though its ε may be.

    Parameters
    ----------
    estimator : fitted estimator
        As for `privacy_guarantee`.

    Returns
    -------
    columns : list of str
        Those of the estimator's input that show in cells, or in which rows are kept. `privacy_guarantee` names them
        under `conditions`.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> import pandas as pd
    >>> from skdp import LaplaceNoise
    >>> people = pd.DataFrame({"Age": [24, 35, 71], "Income": [21.5, 33.0, 80.0]})
    >>> bare_columns(LaplaceNoise(bounds={"Age": (0, 120)}).fit(people))
    ['Income']
    """
    names, released, account = _walked(estimator)
    bare = account.bare(released)
    return [name for name in names if name in bare]


def _walked(estimator: Any) -> tuple[Sequence[str], list[Column], Account]:
    """Return an estimator's columns, what becomes of them, and the account of its steps."""
    check_is_fitted(estimator)
    names = _names_in(estimator)
    account = Account()
    columns = [Column(name, frozenset([name])) for name in names]
    return names, _walk(estimator, (), columns, account), account


def _walk(estimator: Any, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    """Return what an estimator makes of the columns, charging its steps to the account."""
    if estimator is None or isinstance(estimator, str):
        return [] if estimator == "drop" else columns
    if isinstance(estimator, sklearn.pipeline.Pipeline):
        for name, step in estimator.steps:
            columns = _walk(step, (*path, name), columns, account)
        return columns
    columns = _as_seen(estimator, columns)
    if isinstance(estimator, ColumnTransformer):
        return _walk_columns(estimator, path, columns, account)
    if isinstance(estimator, FeatureUnion):
        parts = [_walk(part, (*path, name), columns, account) for name, part in estimator.transformer_list]
        return [column for part in parts for column in part]
    if isinstance(estimator, TrainOnKept):
        columns = _walk(estimator.dropper_, (*path, "dropper"), columns, account)
        return _walk(estimator.estimator_, (*path, "estimator"), columns, account)
    if hasattr(estimator, "best_estimator_") and hasattr(estimator, "privacy_guarantee_"):
        return _walk_private_search(estimator, path, columns, account)
    if hasattr(estimator, "cv_results_"):
        return _walk_search(estimator, path, columns, account)
    return pass_step(estimator, path, columns, account)


def _walk_columns(composite: ColumnTransformer, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    """Walk the branches of a ColumnTransformer side by side."""
    out = []
    for name, part, selection in composite.transformers_:
        chosen = _selected(columns, selection)
        if chosen:
            out += _walk(part, (*path, name), chosen, account)
    return out


def _selected(columns: list[Column], selection: Any) -> list[Column]:
    """Return the columns that a ColumnTransformer's selection names: by name, position, mask or slice."""
    names = [column.name for column in columns]
    if isinstance(selection, slice):
        ends = [names.index(end) if isinstance(end, str) else end for end in (selection.start, selection.stop)]
        if isinstance(selection.stop, str):
            ends[1] += 1  # as in pandas, the last one is in
        return columns[slice(*ends, selection.step)]
    if isinstance(selection, str | int | np.integer):
        selection = [selection]
    wanted = list(selection)
    if wanted and all(isinstance(one, bool | np.bool_) for one in wanted):
        return [column for column, is_wanted in zip(columns, wanted, strict=True) if is_wanted]
    return [columns[names.index(one) if isinstance(one, str) else one] for one in wanted]


def _walk_search(search: Any, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    """Charge every fit of a search: of each candidate on each split, and the refit."""
    if not hasattr(search, "best_estimator_"):
        where = label(search, path, "refit")
        account.reasons.append(f"{where}: without a refit its steps cannot be told; {_ASK_A_LEDGER}")
        return columns
    times = _draws_per_split(search)
    if times is None:
        where = label(search, path, "scoring")
        account.reasons.append(f"{where}: how often this scorer noises the data cannot be told; {_ASK_A_LEDGER}")
        times = 1
    inside, fitted = (*path, "estimator"), search.best_estimator_
    for number, candidate in enumerate(search.cv_results_["params"]):
        scales, unknown = _scales(fitted, candidate, inside)
        for parameter in unknown:
            where = label(search, path, parameter)
            account.reasons.append(f"{where}: what its other values gave cannot be told; {_ASK_A_LEDGER}")
        trial = Account(account.scales | scales)
        _walk(fitted, inside, columns, trial)
        account.absorb(trial, int(search.n_splits_) * times)
        if number == 0 and trial.parts:
            account.conditions.append(_SAME_COLUMNS)
            if not _takes_each_row_once(search.cv):
                where = label(search, path, "cv")
                account.reasons.append(f"{where}: how often a split takes one record cannot be told; {_ASK_A_LEDGER}")
    return _walk(fitted, inside, columns, account)


def _walk_private_search(search: Any, path: tuple, columns: list[Column], account: Account) -> list[Column]:
    """Charge a search by what holds for its winner as a whole, and follow the columns through the winner for free."""
    winner, given = Account(), mixed(columns, "")
    columns = _walk(search.best_estimator_, (*path, "estimator"), columns, winner)
    for part in winner.parts:
        account.reasons += part.reasons
        account.conditions += part.conditions
    if (given.crossed or given.gaps) and not winner.reasons:  # other candidates may see what the winner does not
        account.reasons.append(
            f"{label(search, path)}: one record may show in many cells given to it, or in which of them are missing, "
            "by what was done before; do that inside the search"
        )
    winner.parts = [search.privacy_guarantee_]
    winner.protected |= given.raw
    account.absorb(winner)
    return columns


def _draws_per_split(search: Any) -> int | None:
    """Return how often a record is noised, at most, for one candidate and one split; None where that is unknown."""
    scorer = search.scorer_
    scorers = list(scorer.values()) if isinstance(scorer, dict) else [scorer]
    if not all(type(one).__module__.startswith("sklearn.") for one in scorers):
        return None
    in_test = len(scorers)
    in_training = 1 + in_test * bool(search.return_train_score)
    return max(in_training, in_test) if _parts_the_rows(search.cv) else in_training + in_test


def _parts_the_rows(cv: Any) -> bool:
    """Whether a record is in one part of a split alone, and there once."""
    is_wrapped = isinstance(getattr(cv, "cv", None), list)  # scikit-learn's check_cv wraps the splits of others
    own = type(cv).__module__.startswith("sklearn.model_selection.") and not is_wrapped
    return cv is None or isinstance(cv, int) or own


def _takes_each_row_once(cv: Any) -> bool:
    """Whether a record is at most once in the rows to train on, and once in those to score on, of each split."""
    splits = getattr(cv, "cv", cv)
    if _parts_the_rows(cv) or not isinstance(splits, list | tuple):
        return _parts_the_rows(cv)
    return all(_differ(np.asarray(rows)) for split in splits for rows in split)


def _differ(rows: np.ndarray) -> bool:
    """Whether rows are taken at most once each, by a mask or by numbers; negative ones may be others' second names."""
    if rows.dtype == bool or not rows.size:
        return True
    return rows.dtype.kind in "iu" and rows.min() >= 0 and len(np.unique(rows)) == rows.size


def _scales(fitted: Any, candidate: dict, path: tuple) -> tuple[dict, list[str]]:
    """Return by which factors a candidate's ε differ from the fitted ones, and what parameters cannot be told."""
    known, scales, unknown = fitted.get_params(deep=True), {}, []
    for name, value in candidate.items():
        owner_name, _, parameter = name.rpartition("__")
        owner = known.get(owner_name) if owner_name else fitted
        if isinstance(owner, PrivacyTransformer) and parameter == "epsilon":
            asked, own = rational(value), rational(known[name])
            if asked and own:
                scales[(*path, *filter(None, owner_name.split("__")))] = asked / own
            elif value is not known[name] and value != known[name]:
                unknown.append(name)
        elif _changes_what_is_walked(owner, value):
            unknown.append(name)
    return scales, unknown


def _changes_what_is_walked(owner: Any, value: Any) -> bool:
    if not hasattr(owner, "get_params") or "estimator" in owner.get_params(deep=False) or hasattr(value, "fit"):
        return True
    return isinstance(owner, (*_COMPOSITIONS, PrivacyTransformer, FunctionTransformer))


def _as_seen(step: Any, columns: list[Column]) -> list[Column]:
    """Return the columns by the names that a step knows them by; of all kinds mixed where their number differs."""
    names = _names_in(step)
    if len(names) != len(columns):
        return [mixed(columns, name) for name in names]
    return [replace(column, name=name) for name, column in zip(names, columns, strict=True)]


def _names_in(estimator: Any) -> Sequence[str]:
    """Return the names of the columns that an estimator was fitted to; ``x0, x1, …`` where they had none."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is not None:
        return [str(name) for name in names]
    count = getattr(estimator, "n_features_in_", None)
    if count is not None:
        return [f"x{number}" for number in range(count)]
    if isinstance(estimator, sklearn.pipeline.Pipeline):
        inner = [step for _, step in estimator.steps if not isinstance(step, str) and step is not None]
        return _names_in(inner[0]) if inner else ["X"]
    return ["X"]
