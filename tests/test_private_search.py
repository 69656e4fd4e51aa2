"""A private search: its number of trials, what it claims, and that the claim holds for the winner."""

import atexit
import math
import pickle
import re
import tempfile
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import StandardScaler

from skdp import (
    BudgetExceededError,
    GaussianNoise,
    LaplaceNoise,
    OutlierDropper,
    PrivacyGuarantee,
    PrivacyLedger,
    QuantileBinner,
    _ledger_file,
    make_pipeline,
    privacy_guarantee,
)
from skdp._checks import ParameterError
from skdp.mechanisms import bernoulli, secure_source
from skdp.metrics import k_anonymity
from skdp.model_selection import ReleaseScorer
from skdp.private_search import (
    PrivateSearchCV,
    _stopping_probability,
    best_of_random_number,
    mean_number_of_trials,
    random_number_of_trials,
)

SHAPES = [Fraction(0), Fraction(1, 2), Fraction(1)]


def probabilities(stop, shape, most):
    """Return the probability of each number of trials from 1, by the paper's definition of D(η, γ)."""
    shape = float(shape)
    weights = [(1 - stop) ** k * math.prod((i + shape) / (i + 1) for i in range(1, k)) for k in range(1, most)]
    return np.array(weights) / (math.log(1 / stop) if shape == 0 else (stop**-shape - 1) / shape)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_number_of_trials_has_the_distribution_of_the_paper(shape):
    """10,000 draws; false alarms below 1e-6. The geometric part alone, for other shapes than 1, is caught."""
    stop, size = Fraction(1, 4), 10_000
    expected = probabilities(0.25, shape, 200)
    assert expected.sum() == pytest.approx(1)
    source = secure_source()
    draws = [random_number_of_trials(stop, shape, source) for _ in range(size)]
    assert fits(draws, expected) > 1e-6
    if shape != 1:
        geometric = [random_number_of_trials(stop, Fraction(1), source) for _ in range(size)]
        assert fits(geometric, expected) < 1e-6


def fits(draws, expected):
    """Return the p-value of the draws; those above 11 are counted together."""
    top = 12
    found = np.bincount(np.minimum(draws, top), minlength=top + 1)[1:]
    wanted = np.append(expected[: top - 1], 1 - expected[: top - 1].sum()) * len(draws)
    return stats.chisquare(found, wanted).pvalue


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mean", [2, 10, 100])
def test_the_mean_number_of_trials_is_as_asked_for(shape, mean):
    stop = _stopping_probability(mean, shape)
    assert mean_number_of_trials(float(stop), float(shape)) == pytest.approx(mean, rel=1e-3)
    if mean < 100:
        weights = probabilities(float(stop), shape, 3000)
        assert weights @ np.arange(1, 3000) == pytest.approx(mean, rel=1e-2)


def generating(share, stop, shape):
    """Return the probability that all of K trials have outcomes of this share."""
    shape = float(shape)
    if shape == 0:
        return np.log1p(-(1 - stop) * share) / math.log(stop)
    return ((1 - (1 - stop) * share) ** -shape - 1) / (stop**-shape - 1)


def winners(outcomes, stop, shape):
    """Return the exact distribution of the best of K draws from a distribution over outcomes, worst first."""
    return np.diff(generating(np.append(0, np.cumsum(outcomes)), stop, shape))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_winner_is_as_private_as_claimed_enumerated_exactly(shape):
    """500 pairs of trials whose outcomes' probabilities differ by up to e^ε, the extreme ones among them."""
    rng, epsilon, worst, worst_of_ten = np.random.default_rng(0), 0.5, 0.0, 0.0
    for _ in range(500):
        low = rng.dirichlet(np.full(4, 0.5)) + 1e-6
        low, up = low / low.sum(), rng.permutation([True, False, rng.random() < 0.5, rng.random() < 0.5])
        scale = np.where(up, math.exp(epsilon / 2), math.exp(-epsilon / 2))
        high = low * scale / (low * scale).sum()
        loss = np.abs(np.log(high / low)).max()
        for stop in (0.5, 0.05, 0.001):
            ratio = np.log(winners(high, stop, shape) / winners(low, stop, shape))
            worst = max(worst, np.abs(ratio).max() / loss)
        fixed = np.log(np.diff(np.append(0, np.cumsum(high)) ** 10) / np.diff(np.append(0, np.cumsum(low)) ** 10))
        worst_of_ten = max(worst_of_ten, np.abs(fixed).max() / loss)
    assert 1 < worst <= 2 + shape + 1e-9
    assert worst_of_ten > 4  # ten trials, always: the claim would not hold


def test_audit_of_the_loop_and_its_number_of_trials():
    """Randomized response of ε = 1 as the trial; 20,000 searches on either neighbour, false alarms below 2e-6.

    With always ten trials in place of a random number, the same test says no.
    """
    size, epsilon, source = 20_000, 1.0, secure_source()
    kept = 1 / (1 + math.exp(-epsilon))

    def worst(search, share):
        high = bernoulli(size * 40, Fraction(share).limit_denominator(10**6), source=source)
        draws = iter(np.tile(high, 20).tolist())
        return sum(not search(lambda: (next(draws),))[0] for _ in range(size))

    def random_search(trial):
        return best_of_random_number(trial, 10, Fraction(1), source)

    def fixed_search(trial):
        return max(trial() for _ in range(10))

    assert certain_loss(worst(random_search, 1 - kept), worst(random_search, kept), size) <= 3 * epsilon
    assert certain_loss(worst(fixed_search, 1 - kept), worst(fixed_search, kept), size) > 3 * epsilon


def certain_loss(first, second, size):
    """Return the least privacy loss that these counts leave possible, wrong with a probability of at most 2e-6."""
    low = stats.beta.ppf(1e-6, first, size - first + 1)
    high = stats.beta.ppf(1 - 1e-6, second + 1, size - second)
    return math.log(low / high)


# The search


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.integers(18, 90, 400), "debt": rng.gamma(2, 20, 400)})
    return table, (table["age"] + rng.normal(0, 10, 400) > 50).to_numpy()


def model(**options):
    noise = LaplaceNoise(1, bounds={"age": (18, 90), "debt": (0, 200)}, **options)
    return make_pipeline(noise, StandardScaler(), LogisticRegression())


CANDIDATES = {"laplacenoise__epsilon": [0.5, 1, 2], "logisticregression__C": [0.1, 1]}
CANDIDATES_INSIDE = {f"pipeline__{name}": values for name, values in CANDIDATES.items()}


def test_the_winner_comes_with_the_guarantee_of_the_whole_search(people):
    search = PrivateSearchCV(model(), CANDIDATES, epsilon=8).fit(*people)
    assert search.privacy_guarantee_.epsilon == 8
    assert search.best_params_["laplacenoise__epsilon"] in (0.5, 1, 2)
    assert 0 <= search.best_score_ <= 1
    assert len(search.predict(people[0])) == 400
    assert list(search.classes_) == [False, True]


def test_nothing_of_other_trials_and_not_their_number_is_kept(people):
    search = PrivateSearchCV(model(), CANDIDATES, epsilon=8).fit(*people)
    kept = {name for name in vars(search) if name.endswith("_")}
    of_the_columns = {"n_features_in_", "feature_names_in_"}
    assert kept == {"best_estimator_", "best_params_", "best_score_", "privacy_guarantee_"} | of_the_columns


def test_the_ledger_is_charged_once_and_the_steps_ledgers_are_left_alone(people):
    ledger, of_step = PrivacyLedger(epsilon=20), PrivacyLedger()
    search = PrivateSearchCV(model(ledger=of_step), CANDIDATES, epsilon=8, ledger=ledger).fit(*people)
    assert ledger.entries()["epsilon"].tolist() == [8.0]
    assert of_step.spent == 0
    search.predict(people[0])
    assert ledger.spent == 8 + 2 * search.best_params_["laplacenoise__epsilon"]


def test_a_ledger_with_too_little_left_forbids_the_search_before_any_trial(people, monkeypatch):
    monkeypatch.setattr(PrivateSearchCV, "_trial", None)
    with pytest.raises(BudgetExceededError, match="PrivateSearchCV asks for ε = 8"):
        PrivateSearchCV(model(), CANDIDATES, epsilon=8, ledger=PrivacyLedger(epsilon=4)).fit(*people)


def test_a_candidate_that_spends_more_than_a_trial_may_is_refused(people):
    with pytest.raises(ValueError, match=r"would cost ε = \d: raise 'epsilon' \(now 1\)"):
        PrivateSearchCV(model(), CANDIDATES, epsilon=1).fit(*people)


def test_gaussian_candidates_are_counted_by_renyi_privacy(people):
    pytest.importorskip("dp_accounting")
    noise = GaussianNoise(0.5, 1e-8, bounds={"age": (18, 90), "debt": (0, 200)})
    pipeline = make_pipeline(noise, StandardScaler(), LogisticRegression())
    candidates = {"gaussiannoise__epsilon": [0.25, 0.5]}
    search = PrivateSearchCV(pipeline, candidates, epsilon=2, delta=1e-6).fit(*people)
    assert (search.privacy_guarantee_.epsilon, float(search.privacy_guarantee_.delta)) == (2, 1e-6)
    with pytest.raises(ValueError, match="would cost"):
        PrivateSearchCV(pipeline, candidates, epsilon=0.5, delta=1e-6).fit(*people)
    with pytest.raises(ValueError, match="'delta' parameter .* must be positive"):
        PrivateSearchCV(pipeline, candidates, epsilon=2).fit(*people)


@pytest.mark.parametrize(("total", "each"), [(0.1, 0.025), (Fraction(1, 10), Fraction(1, 40)), (0.3, 0.075)])
def test_a_trial_may_spend_its_share_to_the_last_bit(people, total, each):
    search = PrivateSearchCV(model(), {"laplacenoise__epsilon": [each]}, epsilon=total).fit(*people)
    assert search.privacy_guarantee_.epsilon == Fraction(total)


def predicts_twice(estimator, X, y):
    return float((estimator.predict(X) == y).mean() + (estimator.predict(X) == y).mean())


def test_a_scorer_that_noises_the_rows_twice_costs_twice(people):
    with pytest.raises(ValueError, match="spends ε = 4 in a trial, the search would cost ε = 8"):
        PrivateSearchCV(model(), {"laplacenoise__epsilon": [1]}, epsilon=4, scoring=predicts_twice).fit(*people)
    PrivateSearchCV(model(), {"laplacenoise__epsilon": [1]}, epsilon=8, scoring=predicts_twice).fit(*people)


def test_a_scorer_that_noises_the_rows_twice_is_refused_with_gaussian_noise(people):
    pytest.importorskip("dp_accounting")
    noise = GaussianNoise(0.25, 1e-8, bounds={"age": (18, 90), "debt": (0, 200)})
    pipeline = make_pipeline(noise, StandardScaler(), LogisticRegression())
    with pytest.raises(ValueError, match="noises the rows more than once"):
        PrivateSearchCV(pipeline, {}, epsilon=4, delta=1e-6, scoring=predicts_twice).fit(*people)


def test_a_scorer_of_ones_own_is_a_condition_of_the_guarantee(people):
    own = PrivateSearchCV(model(), CANDIDATES, epsilon=8, scoring=lambda estimator, X, y: 0.5).fit(*people)
    assert "'scoring' sees the rows through the estimator alone" in own.privacy_guarantee_.conditions
    known = PrivateSearchCV(model(), CANDIDATES, epsilon=8, scoring="roc_auc").fit(*people)
    assert known.privacy_guarantee_.conditions == (
        "the target is public",
        "how long the search took, and what its steps printed, stays unknown",
        "what any candidate takes for granted holds",
        "whether a cell is missing is public",
        "whether a column holds integers is public",
    )


def test_the_walk_over_estimators_knows_the_search(people):
    search = PrivateSearchCV(model(), CANDIDATES, epsilon=8).fit(*people)
    assert privacy_guarantee(search).epsilon == 8


def test_a_candidate_without_a_guarantee_is_refused_with_the_reason(people):
    leaky = make_pipeline(OutlierDropper(columns="age"), *model().named_steps.values())
    with pytest.raises(ValueError, match="cannot vouch for the candidate .*fences learned from the data"):
        PrivateSearchCV(leaky, CANDIDATES, epsilon=8).fit(*people)


def test_a_seeded_search_claims_nothing(people):
    search = PrivateSearchCV(model(), CANDIDATES, epsilon=8, random_state=0).fit(*people)
    assert not search.privacy_guarantee_.is_finite


def test_rows_are_trained_or_scored_on_never_both(people, monkeypatch):
    seen = []
    fit, score = LogisticRegression.fit, LogisticRegression.score
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, X, y: seen.append(len(X)) or fit(self, X, y))
    monkeypatch.setattr(LogisticRegression, "score", lambda self, X, y: seen.append(len(X)) or score(self, X, y))
    PrivateSearchCV(model(), CANDIDATES, epsilon=8, test_size=0.2).fit(*people)
    assert set(seen) == {320, 80}


@pytest.mark.parametrize(
    ("name", "value"),
    [("epsilon", 0), ("epsilon", "1"), ("delta", 1), ("delta", -0.1), ("shape", -1), ("shape", 2), ("n_trials", 1),
     ("test_size", 0), ("test_size", 1), ("random_state", -1), ("ledger", "x"), ("scoring", ["accuracy", "roc_auc"]),
     ("scoring", {"a": "accuracy"}), ("scoring", "accurate")],
)  # fmt: skip
def test_a_bad_parameter_is_named_with_its_value(people, name, value):
    search = clone(PrivateSearchCV(model(), CANDIDATES, epsilon=8)).set_params(**{name: value})
    wording = f"The '{name}' parameter of PrivateSearchCV must be .* Got {re.escape(repr(value))} instead"
    with pytest.raises(ParameterError, match=wording):
        search.fit(*people)


def test_a_scorer_that_returns_several_scores_is_refused(people):
    search = PrivateSearchCV(model(), {}, epsilon=4, scoring=lambda estimator, X, y: {"a": 0.5, "b": 1})
    with pytest.raises(ValueError, match="must return one number. Got dict instead"):
        search.fit(*people)
    as_numpy_says = PrivateSearchCV(model(), {}, epsilon=4, scoring=lambda estimator, X, y: np.float32(0.5))
    assert as_numpy_says.fit(*people).best_score_ == 0.5


# What a candidate shows without noise


@pytest.fixture
def customers():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"age": rng.integers(18, 90, 400), "income": rng.gamma(2, 20, 400)})
    return table, (table["income"] > 30).to_numpy()


def dropper(**options):
    return OutlierDropper("quantile", epsilon=0.5, columns="age", tail="right", bounds={"age": (0, 120)}, **options)


def income_alone():
    noise = LaplaceNoise(1, bounds={"income": (0, 200)})
    return ColumnTransformer([("income", noise, ["income"])]).set_output(transform="pandas")


def test_a_candidate_whose_rows_tell_of_a_column_is_refused(customers):
    """How many rows the model was trained on would tell of an age that stands out, which no noise covers."""
    rows = make_pipeline(dropper(), income_alone(), GaussianNB())
    with pytest.raises(ValueError, match=r"cannot vouch for the candidate \{\}: the columns \['age'\] show without"):
        PrivateSearchCV(rows, {}, epsilon=4).fit(*customers)


def test_a_candidate_that_puts_out_a_column_without_noise_is_refused(customers):
    """The best score would be k of the very rows."""
    table = customers[0].assign(region=np.arange(400) % 7)
    binner = make_pipeline(QuantileBinner({"age": 4}, epsilon=0.5, bounds={"age": (0, 120)}))
    score = ReleaseScorer(k_anonymity, columns=["region"])
    with pytest.raises(ValueError, match=r"the columns \['age', 'income', 'region'\] show without noise"):
        PrivateSearchCV(binner, {}, epsilon=2, scoring=score).fit(table)


def test_only_one_of_several_candidates_need_show_a_column_to_end_the_search(customers):
    model = make_pipeline(dropper(), income_alone(), GaussianNB())
    search = PrivateSearchCV(model, {"outlierdropper__action": ["drop"]}, epsilon=4)
    with pytest.raises(ValueError, match="the candidate {'outlierdropper__action': 'drop'}: the columns"):
        search.fit(*customers)


@pytest.mark.filterwarnings("ignore:QuantileBinner made fewer bins than asked for")  # as noise does now and then
@pytest.mark.parametrize(
    "steps",
    [
        [income_alone()],
        [dropper(action="mask"), income_alone()],
        [QuantileBinner({"age": 4}, epsilon=0.5, bounds={"age": (0, 120)}), income_alone()],
        [LaplaceNoise(1, bounds={"age": (0, 120), "income": (0, 200)}), dropper()],
    ],
    ids=["dropped unseen", "fences learned at a price", "bins learned at a price", "rows dropped behind the noise"],
)
def test_columns_that_are_left_out_or_noised_first_need_nothing_more(customers, steps):
    search = PrivateSearchCV(make_pipeline(*steps, GaussianNB()), {}, epsilon=6).fit(*customers)
    assert search.privacy_guarantee_.epsilon == 6


def test_a_table_of_noised_columns_alone_may_be_searched(customers):
    noise = make_pipeline(LaplaceNoise(1, bounds={"age": (0, 120), "income": (0, 200)}))
    score = ReleaseScorer(k_anonymity, columns=["age"])
    assert PrivateSearchCV(noise, {}, epsilon=4, scoring=score).fit(customers[0]).best_score_ >= 1


# What is told of the columns


def test_the_search_knows_the_columns_it_was_fitted_to(people):
    table, y = people
    search = PrivateSearchCV(model(), {}, epsilon=4).fit(table, y)
    assert (search.n_features_in_, list(search.feature_names_in_)) == (2, ["age", "debt"])
    assert privacy_guarantee(search).columns == ("age", "debt")
    noise = make_pipeline(LaplaceNoise(bounds=(0, 200)), LogisticRegression())
    for array in (table.to_numpy(), table.to_numpy().tolist()):
        search = PrivateSearchCV(noise, {}, epsilon=4).fit(array, y)
        assert search.n_features_in_ == 2
        assert not hasattr(search, "feature_names_in_")
        assert privacy_guarantee(search).columns == ("x0", "x1")


def test_a_search_that_failed_is_not_fitted_and_claims_nothing(people):
    search = PrivateSearchCV(model(), CANDIDATES, epsilon=1)
    with pytest.raises(ValueError, match="would cost"):
        search.fit(*people)
    with pytest.raises(NotFittedError):
        privacy_guarantee(search)
    assert not hasattr(search, "privacy_guarantee_")


def test_the_guarantee_and_the_entry_in_the_ledger_name_the_columns(people):
    table, y = people
    ledger = PrivacyLedger()
    search = PrivateSearchCV(model(), {}, epsilon=4, ledger=ledger).fit(table, y)
    assert search.privacy_guarantee_.columns == ("age", "debt")
    assert ledger.entries()["columns"].tolist() == ["age, debt"]
    noise = make_pipeline(LaplaceNoise(bounds=(0, 200)), LogisticRegression())
    assert PrivateSearchCV(noise, {}, epsilon=4).fit(table.to_numpy(), y).privacy_guarantee_.columns == ("x0", "x1")


# How many trials there were


def in_folder(folder):
    return sorted(path.name for path in folder.rglob("*")), folder.stat().st_mtime_ns


def test_trials_leave_nothing_behind_that_could_be_counted(people, tmp_path, monkeypatch):
    """No file is made, whether it stays or goes: also when a folder last changed would tell of the last trial."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ledger = PrivacyLedger()
    ledger.charge(PrivacyGuarantee(1), estimator="before", rows=1, purpose="test")
    seen, open_files = in_folder(tmp_path), set(_ledger_file._OPEN._places)
    monkeypatch.setattr(atexit, "register", None)
    search = PrivateSearchCV(model(), CANDIDATES, epsilon=12, ledger=ledger, n_trials=20, shape=1).fit(*people)
    assert in_folder(tmp_path) == seen
    assert set(_ledger_file._OPEN._places) == open_files
    assert len(ledger.entries()) == 2
    assert {id(step.ledger) for step in search.best_estimator_[:1]} == {id(ledger)}


def test_a_trial_is_not_cached(people, tmp_path):
    cached = model().set_params(memory=str(tmp_path / "cache"))
    search = PrivateSearchCV(make_pipeline(cached), CANDIDATES_INSIDE, epsilon=8).fit(*people)
    assert not (tmp_path / "cache").exists()
    assert search.best_estimator_[0].memory is None


def test_only_the_winner_warns(people):
    class Told(UserWarning):
        pass

    class Talkative(LogisticRegression):
        def fit(self, X, y):
            warnings.warn(f"fitted with C={self.C}", Told, stacklevel=2)
            return super().fit(X, y)

    talkative = make_pipeline(*model()[:-1], Talkative())
    search = PrivateSearchCV(talkative, {"talkative__C": [0.1, 1, 10]}, epsilon=6, n_trials=20, shape=1)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        search.fit(*people)
    assert [str(one.message) for one in warned] == [f"fitted with C={search.best_params_['talkative__C']}"]


def test_workers_are_threads_so_that_one_process_counts_all_of_a_trial(people):
    noise = LaplaceNoise(1, bounds=(0, 200))
    parts = ColumnTransformer([("age", noise, ["age"]), ("debt", clone(noise), ["debt"])], n_jobs=2)
    pipeline = make_pipeline(parts, LogisticRegression())
    twice = PrivateSearchCV(pipeline, {}, epsilon=4, scoring=predicts_twice)
    with pytest.raises(ValueError, match="spends ε = 4 in a trial, the search would cost ε = 8"):
        twice.fit(*people)
    assert pickle.loads(pickle.dumps(PrivateSearchCV(pipeline, {}, epsilon=4).fit(*people))).best_params_ == {}


def test_a_step_that_goes_to_another_process_ends_the_search(people):
    def pickles(estimator, X, y):
        return len(pickle.dumps(estimator[0]))

    with pytest.raises(ValueError, match="was about to go to another. Set its 'n_jobs' to None"):
        PrivateSearchCV(model(), {}, epsilon=4, scoring=pickles).fit(*people)
