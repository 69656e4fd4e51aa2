"""Searching privacy parameters: scores of releases, the best that is safe enough, and what the search costs."""

import pickle
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline as sklearn_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skdp import (
    BudgetExceededError,
    KAnonymizer,
    LaplaceNoise,
    OutlierDropper,
    PIICleaner,
    PrivacyLedger,
    QuantileBinner,
    TrainOnKept,
    make_pipeline,
)
from skdp._checks import ParameterError
from skdp.metrics import granularity, k_anonymity, l_diversity, uniqueness
from skdp.model_selection import PrivateSearchCV, ReleaseScorer, best_utility, epsilon_spent, search_cost


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "Age": rng.integers(18, 90, 300),
        "Region": rng.choice(["north", "south"], 300),
        "Debt": rng.gamma(2, 10, 300),
    })  # fmt: skip
    return table, (table["Debt"] + rng.normal(0, 5, 300) > 20).to_numpy()


def model(ledger=None):
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["Age", "Region"]), remainder=StandardScaler()
    )
    noise = LaplaceNoise(bounds={"Debt": (0, 100)}, ledger=ledger)
    return make_pipeline(QuantileBinner(columns=["Age"]), noise, encode, LogisticRegression())


PARAMETERS = {"laplacenoise__epsilon": [0.1, 1, 5], "quantilebinner__n_bins": [3, 10]}
SCORING = {"auc": "roc_auc", "k": ReleaseScorer(k_anonymity, columns=["Age", "Region"]), "epsilon": epsilon_spent}


# The whole search


def test_a_search_sees_utility_risk_and_budget_together(people):
    """The example of the issue that asked for it, worker processes included."""
    ledger = PrivacyLedger(epsilon=500)
    refit = best_utility("auc", at_least={"k": 5}, at_most={"epsilon": 1})
    search = GridSearchCV(
        model(ledger), PARAMETERS, scoring=SCORING, refit=refit, return_train_score=True, n_jobs=2, cv=3
    ).fit(*people)
    assert search.best_params_["laplacenoise__epsilon"] in (0.1, 1)
    assert min(search.cv_results_[f"split{fold}_train_k"][search.best_index_] for fold in range(3)) >= 5
    # per fold: the fit, its two folds served, and the two tables released again for k; and the fit at the end
    folds = 3 * 5 * 2 * (0.1 + 1 + 5)
    assert ledger.spent == pytest.approx(folds + search.best_params_["laplacenoise__epsilon"])
    assert len(ledger.entries()) == 3 * 5 * 6 + 1
    assert ledger.remaining == pytest.approx(500 - ledger.spent)


def test_a_cap_met_in_the_search_fails_the_fits_behind_it_and_releases_nothing_more(people):
    ledger = PrivacyLedger(epsilon=3)
    search = GridSearchCV(model(ledger), {"laplacenoise__epsilon": [1]}, cv=5, refit=False)
    with pytest.warns(FitFailedWarning, match="BudgetExceededError"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "(?s).*non-finite", UserWarning)
        warnings.filterwarnings("ignore", "(?s).*Scoring failed", UserWarning)
        search.fit(*people)
    assert ledger.spent == 3
    with pytest.raises(BudgetExceededError):
        clone(search).set_params(error_score="raise").fit(*people)


# ReleaseScorer


def test_the_table_scored_is_the_one_released_not_the_one_served():
    table = pd.DataFrame({"age": [20, 21, 22, 23, 24, 25, 26, 90]})
    pipeline = make_pipeline(OutlierDropper(method="iqr", factor=3), KAnonymizer(3), DummyClassifier())
    pipeline.fit(table, [0, 1] * 4)
    assert ReleaseScorer(len)(pipeline, table) == 7
    assert ReleaseScorer(len)(pipeline, table, np.array([0, 1] * 4)) == 7
    assert len(pipeline[:-1].transform(table)) == 8
    assert ReleaseScorer(k_anonymity, columns="age")(pipeline, table) >= 3


def test_the_estimator_that_is_scored_stays_as_it_is(people):
    fitted = model().fit(*people)
    before = pickle.dumps(fitted)
    SCORING["k"](fitted, people[0].iloc[:50])
    assert pickle.dumps(fitted) == before


def test_encoders_and_predictors_behind_are_no_part_of_the_release(people):
    fitted = model().fit(*people)
    released = ReleaseScorer(lambda table: list(table.columns) == ["Age", "Region", "Debt"])
    assert released(fitted, people[0]) == 1


def test_a_step_may_be_named_and_what_lies_behind_it_costs_nothing(people):
    ledger = PrivacyLedger()
    fitted = model(ledger).fit(*people)
    spent = ledger.spent
    ReleaseScorer(k_anonymity, columns=["Age", "Region"], step="quantilebinner")(fitted, people[0])
    assert ledger.spent == spent
    SCORING["k"](fitted, people[0])
    assert ledger.spent == spent + 1


def test_options_go_to_the_metric(people):
    scorer = ReleaseScorer(l_diversity, columns=["Age"], sensitive="Region", step="quantilebinner")
    assert scorer(model().fit(*people), people[0]) == 2


def test_a_metric_that_compares_is_given_the_rows_at_hand_too(people):
    binner = QuantileBinner(n_bins=3, columns="Age").fit(people[0])
    scored = ReleaseScorer(granularity, columns=["Age"])(binner, people[0])
    assert scored == granularity(people[0], binner.transform(people[0]), ["Age"]) < 1


def test_a_metric_that_returns_no_number_is_named(people):
    binner = QuantileBinner(n_bins=3, columns="Age").fit(people[0])
    with pytest.raises(ParameterError, match="'metric' parameter .* not Uniqueness. Got 'uniqueness'"):
        ReleaseScorer(uniqueness, columns=["Age"])(binner, people[0])


def test_steps_by_themselves_and_estimators_trained_on_the_kept_are_scored(people):
    ages = people[0][["Age"]]
    assert ReleaseScorer(k_anonymity, columns="Age")(KAnonymizer(7).fit(ages), ages) >= 7
    kept = TrainOnKept(OutlierDropper("quantile", factor=0.1, columns="Debt"), DummyClassifier())
    for estimator in (kept, sklearn_pipeline(QuantileBinner(3, columns="Age"), kept)):
        assert ReleaseScorer(len)(estimator.fit(*people), *people) < 300


def test_scorers_and_choosers_are_picklable():
    scorer, refit = pickle.loads(pickle.dumps((SCORING["k"], best_utility("auc", at_least={"k": 5}))))
    assert scorer.columns == ["Age", "Region"]
    assert refit({"params": [{}], "mean_test_auc": [0.5], "split0_train_k": [7]}) == 0


def test_scorers_and_choosers_are_shown_as_they_are_written():
    assert repr(SCORING["k"]) == "ReleaseScorer(k_anonymity, columns=['Age', 'Region'])"
    assert repr(ReleaseScorer(l_diversity, step="binner", sensitive="Debt")) == (
        "ReleaseScorer(l_diversity, step='binner', sensitive='Debt')"
    )
    assert repr(best_utility("auc", at_least={"k": 5})) == "best_utility('auc', at_least={'k': 5})"


def test_what_cannot_be_scored_is_named(people):
    fitted = model().fit(*people)
    with pytest.raises(ValueError, match="'Regoin' .* did you mean 'Region'"):
        ReleaseScorer(k_anonymity, columns=["Regoin"])(fitted, people[0])
    with pytest.raises(ValueError, match="'quantilebiner' .* did you mean 'quantilebinner'"):
        ReleaseScorer(k_anonymity, columns=["Age"], step="quantilebiner")(fitted, people[0])
    with pytest.raises(ValueError, match="no step of skdp"):
        ReleaseScorer(len)(sklearn_pipeline(StandardScaler(), DummyClassifier()), people[0])
    with pytest.raises(ValueError, match="must be None, and DummyClassifier a transformer or a pipeline"):
        ReleaseScorer(len)(DummyClassifier(), people[0])


def test_a_column_that_is_not_there_is_named_before_anything_is_fitted_or_charged(people):
    scorer, ledger = ReleaseScorer(k_anonymity, columns=["Age", "Regoin"]), PrivacyLedger()
    kept = TrainOnKept(make_pipeline(OutlierDropper(), "passthrough", model(ledger)[:2]), DummyClassifier())
    for unfitted in (model(ledger), sklearn_pipeline(OutlierDropper(action="mask"), kept)):
        fitted = clone(unfitted).fit(*people)
        spent = ledger.spent
        for estimator in (unfitted, fitted):
            with pytest.raises(ParameterError, match="'Regoin' .* did you mean 'Region'"):
                scorer(estimator, *people)
        assert ledger.spent == spent


def test_columns_that_steps_make_are_scored(people):
    table = people[0].assign(Home="1 High Street\nLeeds, LS1 1AA")
    scorer = ReleaseScorer(k_anonymity, columns=["Home_zip"])
    cleaner = PIICleaner(addresses="Home")
    for estimator in (cleaner, clone(cleaner).fit(table), make_pipeline(cleaner, QuantileBinner(columns="Age"))):
        assert scorer(estimator, table) == 300
    ages = people[0][["Age"]]
    names = list(QuantileBinner(2, encode="onehot").fit(ages).get_feature_names_out())
    other = QuantileBinner(2, encode="onehot").fit(ages + 100)
    assert ReleaseScorer(k_anonymity, columns=names)(other, ages) == 150
    scaled = sklearn_pipeline(FunctionTransformer(lambda X: X.add_suffix("s")), QuantileBinner(2))
    assert ReleaseScorer(k_anonymity, columns=["Ages"])(scaled, ages) > 100


def test_a_column_that_no_step_in_front_of_the_named_one_makes_is_named(people):
    cleaner = PIICleaner(addresses="Home").fit(people[0].assign(Home="1 High Street\nLeeds, LS1 1AA"))
    pipeline = sklearn_pipeline(QuantileBinner(columns="Age"), cleaner)
    with pytest.raises(ParameterError, match="'Home_zip'"):
        ReleaseScorer(k_anonymity, columns=["Home_zip"], step="quantilebinner")(pipeline, people[0])


# best_utility


RESULTS = {
    "params": [{"e": 1}, {"e": 2}, {"e": 3}],
    "mean_test_auc": [0.6, 0.7, 0.8],
    "mean_test_k": [1, 1, 1],
    "split0_test_k": [1, 1, 1],
    "split0_train_k": [9, 5, 4],
    "split1_train_k": [8, 5, 9],
    "split0_test_epsilon": [1.0, 2.0, 3.0],
}


def test_the_best_of_those_safe_enough_in_every_train_fold_is_chosen():
    assert best_utility("auc")(RESULTS) == 2
    assert best_utility("auc", at_least={"k": 5})(RESULTS) == 1
    assert best_utility("auc", at_least={"train_k": 5}, at_most={"epsilon": 1.5})(RESULTS) == 0
    assert best_utility("auc", at_least={"train_k": 5}, at_most={"epsilon": Fraction(3, 2)})(RESULTS) == 0


def test_test_folds_are_read_where_they_are_named():
    with pytest.raises(ValueError, match="No candidate reaches test_k >= 5"):
        best_utility("auc", at_least={"test_k": 5})(RESULTS)


def test_the_nearest_is_named_where_none_is_safe_enough():
    wanted = r"^No candidate reaches k >= 10 and epsilon <= 5. The nearest is {'e': 1}, with k = 8, epsilon = 1.$"
    with pytest.raises(ValueError, match=wanted):
        best_utility("auc", at_least={"k": 10}, at_most={"epsilon": 5})(RESULTS)


def test_failed_candidates_are_never_chosen():
    results = RESULTS | {"mean_test_auc": [0.6, 0.7, np.nan]}
    assert best_utility("auc")(results) == 1
    with pytest.raises(
        ValueError, match="reaches k >= 1: 'auc' is NaN for all, since their fits or scores failed; err"
    ):
        best_utility("auc", at_least={"k": 1})(RESULTS | {"mean_test_auc": [np.nan] * 3})
    with pytest.raises(ValueError, match="reaches epsilon <= 9: 'epsilon' is NaN for all, since their fits or scores"):
        best_utility("auc", at_most={"epsilon": 9})(RESULTS | {"split0_test_epsilon": [np.nan] * 3})
    results = RESULTS | {"split0_train_k": [np.nan, 5, 4]}
    assert best_utility("auc", at_least={"k": 5})(results) == 1


def test_an_unknown_score_is_named_beside_those_there_are():
    with pytest.raises(ValueError, match="the score 'acu', which is not among auc, k"):
        best_utility("acu")(RESULTS)
    with pytest.raises(ValueError, match="the score 'l', which is not among auc, k"):
        best_utility("auc", at_least={"l": 2})(RESULTS)


# epsilon_spent


def test_spent_is_the_sum_over_steps_that_draw_noise(people):
    assert epsilon_spent(model().set_params(laplacenoise__epsilon=0.5).fit(*people)) == 0.5
    twice = make_column_transformer(
        (LaplaceNoise(1, bounds=(0, 100)), ["Debt"]), (LaplaceNoise(2, bounds=(0, 100)), ["Age"])
    )
    assert epsilon_spent(twice.fit(people[0])) == 3
    search = GridSearchCV(model(), {"laplacenoise__epsilon": [2]}, cv=2).fit(*people)
    assert epsilon_spent(search) == 2


def test_a_private_search_has_spent_its_own_epsilon_and_not_that_of_its_winner_as_well(people):
    table, target = people
    noise = LaplaceNoise(1, bounds={"Age": (18, 90), "Debt": (0, 100)})
    search = PrivateSearchCV(make_pipeline(noise, LogisticRegression()), {}, epsilon=4)
    assert epsilon_spent(search.fit(table[["Age", "Debt"]], target)) == 4


def test_what_is_not_fitted_has_not_spent_nothing(people):
    with pytest.raises(NotFittedError):
        epsilon_spent(model())


def test_seeded_noise_spends_infinitely_much(people):
    assert epsilon_spent(model().set_params(laplacenoise__random_state=0).fit(*people)) == np.inf


# search_cost


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_train_score": True},
        {"scoring": "roc_auc", "refit": False},
        {"scoring": ["roc_auc", "accuracy"], "refit": False},
        {"scoring": SCORING, "refit": "auc", "return_train_score": True},
    ],
    ids=["plain", "train", "auc", "two", "release"],
)
def test_the_cost_is_predicted_to_the_last_release(people, options):
    ledger = PrivacyLedger()
    search = GridSearchCV(model(ledger), {"laplacenoise__epsilon": [0.5, 2]}, cv=2, **options)
    cost = search_cost(search, *people)
    assert ledger.spent == 0
    search.fit(*people)
    refit = search.best_params_["laplacenoise__epsilon"] if options.get("refit", True) else 0
    assert ledger.spent == pytest.approx(cost.fits + cost.scores + refit)
    assert cost.epsilon >= ledger.spent - 1e-9
    assert cost.n_fits == 4 + bool(options.get("refit", True))


def test_random_candidates_are_those_that_the_search_will_draw(people):
    ledger = PrivacyLedger()
    search = RandomizedSearchCV(model(ledger), PARAMETERS, n_iter=2, random_state=3, refit=False, cv=2)
    cost = search_cost(search, *people)
    search.fit(*people)
    assert ledger.spent == pytest.approx(cost.epsilon)
    with pytest.raises(ValueError, match="an int as 'random_state'"):
        search_cost(search.set_params(random_state=None), *people)


def test_a_column_that_is_not_there_is_named_with_the_cost_and_nothing_is_charged(people):
    ledger, scoring = PrivacyLedger(), {"auc": "roc_auc", "k": ReleaseScorer(k_anonymity, columns=["Regoin"])}
    search = GridSearchCV(model(ledger), PARAMETERS, scoring=scoring, refit="auc", cv=3)
    with pytest.raises(ParameterError, match="did you mean 'Region'"):
        search_cost(search, *people)
    assert ledger.spent == 0


def test_steps_without_a_ledger_are_counted_where_none_has_one(people):
    search = GridSearchCV(model(), {"laplacenoise__epsilon": [0.5]}, cv=3)
    assert search_cost(search, *people).fits == 1.5
