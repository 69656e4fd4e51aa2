import math
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, RepeatedKFold, ShuffleSplit, check_cv
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import FunctionTransformer, Normalizer, OneHotEncoder, StandardScaler

import skdp
from skdp import (
    Choice,
    Copy,
    Derived,
    DistributionImputer,
    FakerSynthesizer,
    Integers,
    IntervalBinner,
    KAnonymizer,
    LaplaceNoise,
    OutlierDropper,
    PIICleaner,
    PrivacyGuarantee,
    PrivacyLedger,
    QuantileBinner,
    RandomizedResponse,
    TrainOnKept,
    make_pipeline,
    privacy_guarantee,
    set_ledger,
)
from skdp.base import PrivacyTransformer
from skdp.guarantees import bare_columns
from skdp.private_search import PrivateSearchCV
from skdp.recipes import travel


def people(rows=60):
    rng = np.random.default_rng(0)
    return pd.DataFrame({
        "Age": rng.uniform(0, 100, rows),
        "Debt": rng.uniform(0, 100, rows),
        "Region": rng.choice(["north", "south"], rows),
    })  # fmt: skip


def numbers(rows=60):
    return people(rows)[["Age", "Debt"]]


Y = np.arange(60) % 2


def noise(epsilon=1, **parameters):
    return LaplaceNoise(epsilon, **({"bounds": (0, 100)} | parameters))


def answers(epsilon=Fraction(1, 2), column="Region"):
    return RandomizedResponse(epsilon, categories={column: ["north", "south"]})


def fitted(*steps, table=None, y=Y):
    pipeline = make_pipeline(*steps).set_output(transform="pandas")
    return pipeline.fit(people() if table is None else table, y)


def guarantee(*steps, **options):
    return privacy_guarantee(fitted(*steps, **options))


def only_reason(found):
    assert found.epsilon == math.inf
    assert len(found.reasons) == 1, found.reasons
    return found.reasons[0]


# Each row of the design's table "What each step may claim"


def test_noise_with_bounds_is_epsilon_per_cell_summed_over_columns():
    found = guarantee(noise({"Age": Fraction(1, 3), "Debt": Fraction(2, 3)}))
    assert (found.epsilon, found.delta, found.columns) == (1, 0, ("Age", "Debt"))
    assert (found.scope, found.relation, found.reasons) == ("local", "replace one record", ())


@pytest.mark.filterwarnings("ignore:LaplaceNoise gives metric")
def test_noise_with_a_small_sensitivity_is_metric_by_the_record_s_epsilon():
    found = guarantee(noise(sensitivity=10), answers())
    assert (found.epsilon, found.scope) == (2 * 10 + Fraction(1, 2), "metric")


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (
            QuantileBinner({"Age": 3}),
            "quantilebinner (QuantileBinner, parameter 'n_bins'): edges and means of bins are learned from the table",
        ),
        (
            DistributionImputer({"Age": "observed"}),
            "distributionimputer (DistributionImputer, parameter 'distributions'): values and how often they occur are "
            "learned from the table, without noise; set 'epsilon' and 'bounds'",
        ),
        (DistributionImputer(), "values and how often they occur are learned from the table, without noise"),
    ],
)
def test_what_is_learned_from_the_data_without_epsilon_is_infinite_even_before_noise(step, reason):
    found = guarantee(step, RandomizedResponse(1, categories={"Region": ["north", "south"]}))
    assert reason in only_reason(found)


def test_what_is_learned_with_epsilon_counts_once_and_covers_no_cell():
    class NoisyBinner(PrivacyTransformer):
        def __init__(self, epsilon=1):
            self.epsilon = epsilon

        def _fit(self, frame):
            self.privacy_guarantee_ = PrivacyGuarantee(Fraction(self.epsilon), columns=("Age",), scope="central")

    found = guarantee(NoisyBinner(2), answers())
    assert (found.epsilon, found.scope) == (Fraction(5, 2), "central")
    assert found.columns == ("Age", "Region")
    assert "only what was learned is covered of column 'Age', not the cells" in found.conditions
    assert "nothing is said about column 'Debt', released without noise" in found.conditions
    assert guarantee(NoisyBinner(2), noise({"Age": 1})).epsilon == 3
    assert guarantee(noise({"Age": 1}), NoisyBinner(2)).epsilon == 1  # it learns from what is noised already
    assert guarantee(NoisyBinner(), LogisticRegression(), table=numbers()).epsilon == math.inf


@pytest.mark.parametrize("step", [noise(random_state=0), answers().set_params(random_state=0)])
def test_seeded_noise_is_infinite(step):
    name = type(step).__name__
    assert only_reason(guarantee(step)).startswith(
        f"{name.lower()} ({name}, parameter 'random_state'): the noise is seeded"
    )


def test_noise_on_categories_is_an_error_that_names_the_other_mechanism():
    with pytest.raises(ValueError, match="RandomizedResponse"):
        guarantee(noise(columns="Region"))


def test_noise_that_finds_no_column_is_infinite():
    assert "parameter 'columns'): no column is noised" in only_reason(guarantee(noise(), table=people()[["Region"]]))


@pytest.mark.parametrize("action", ["drop", "mask", "clip"])
@pytest.mark.parametrize("first", [True, False])
def test_outlier_removal_is_infinite_even_if_noise_follows(action, first):
    steps = [OutlierDropper(action=action), noise()]
    found = guarantee(*(steps if first else steps[::-1]))
    expected = (
        "outlierdropper (OutlierDropper, parameter 'method'): outliers are told by fences learned from the data (even "
        "if noise follows); set method='quantile', 'epsilon' and 'bounds'"
    )
    assert only_reason(found) == expected


def masked(columns="Age"):
    return OutlierDropper("quantile", columns=columns, action="mask", epsilon=1, bounds=(0, 100))


GAPS = "which cells of column 'Age' are missing depends on what was in them before, and is not hidden"


def test_noise_does_not_hide_which_outliers_were_masked():
    found = guarantee(masked(), noise({"Age": 1}))
    assert only_reason(found) == f"laplacenoise (LaplaceNoise): {GAPS}"
    assert GAPS in only_reason(guarantee(masked(), ColumnTransformer([("n", noise(), ["Age"])])))
    observed = DistributionImputer(distributions={"Age": "observed"}, epsilon=1, bounds={"Age": (0, 100)})
    assert GAPS in only_reason(guarantee(masked(), observed))


def test_noise_on_masked_outliers_that_something_stands_for_is_finite():
    assert guarantee(masked(), noise({"Age": 1}, missing="impute")).epsilon == 2
    drawn = DistributionImputer(distributions={"Age": {30: 1}})
    assert guarantee(masked(), drawn, noise({"Age": 1})).epsilon == 2
    assert guarantee(masked("Debt"), noise({"Age": 1})).epsilon == 2
    assert guarantee(noise({"Age": 1}), masked()).epsilon == 1, "what is masked was noised"
    clipped = masked().set_params(action="clip")
    assert guarantee(clipped, noise({"Age": 1})).epsilon == 2


def test_a_gender_that_cannot_be_read_is_missing_for_what_it_was():
    table = people().assign(Name=["Ana Sol", "Qx Sol"] * 30)
    guessed = PIICleaner(names="Name", gender_from="Name", gender="Sex")
    response = RandomizedResponse(1, categories={"Sex": ["male", "female"]}, other="female")
    found = guarantee(guessed, response, table=table)
    assert any("cells of column 'Sex' are missing depends" in reason for reason in found.reasons)
    told = guarantee(guessed.set_params(unknown_gender="none"), response, table=table)
    assert not any("missing" in reason for reason in told.reasons)


def shows_in_many_cells(found):
    told = "one record may show in many cells of column 'Age' by what was done before"
    return any(reason.endswith(told) for reason in found.reasons)


@pytest.mark.parametrize("step", ["bins", "fences", "histogram", "noise"])
@pytest.mark.parametrize("before", ["function", "derived", "copied"])
def test_what_reaches_many_cells_is_neither_learned_from_nor_noised_at_the_price_of_one(before, step):
    after = {
        "bins": QuantileBinner(2, columns="Age", epsilon=1, bounds=(0, 100)),
        "fences": masked().set_params(action="clip"),
        "histogram": DistributionImputer({"Age": "observed"}, epsilon=1, bounds={"Age": (0, 100)}),
        "noise": noise({"Age": 1}),
    }[step]
    table = people()[["Age"]]
    first = {
        "function": FunctionTransformer(lambda X: X / X.max()),
        "derived": FakerSynthesizer({"Age": Derived(lambda X: X["Own"] / X["Own"].max())}),
        "copied": FakerSynthesizer({"Age": Copy("Own")}, count="Times"),
    }[before]
    if before != "function":
        table = table.rename(columns={"Age": "Own"}).assign(Times=2)
    pipeline = skdp.pipeline.Pipeline([("first", first), ("after", after)]).set_output(transform="pandas")
    pipeline.fit(table)
    assert shows_in_many_cells(privacy_guarantee(pipeline))


@pytest.mark.parametrize(
    "step",
    [
        QuantileBinner(2, columns="Age", epsilon=1, bounds=(0, 100), encode="ordinal"),
        OutlierDropper("quantile", columns="Age", action="clip", epsilon=1, bounds=(0, 100)),
        DistributionImputer({"Age": "observed"}, epsilon=1, bounds={"Age": (0, 100)}),
    ],
)
def test_a_search_over_the_price_of_learning_is_not_counted_at_the_winner_s(step):
    """One fit of a candidate may cost more than all that the winner tells of."""
    searched = make_pipeline(step, LogisticRegression())
    name = type(step).__name__.lower()
    search = GridSearchCV(searched, {f"{name}__epsilon": [1, 500]}, cv=2, refit=lambda results: 0)
    found = privacy_guarantee(search.fit(numbers(), Y))
    assert any("parameter 'epsilon'): what other ε of the search gave" in reason for reason in found.reasons)


@pytest.mark.parametrize("step", [KAnonymizer(3, quasi_identifiers="Age")])
def test_k_anonymity_is_reported_as_not_differential_privacy(step):
    found = guarantee(step, answers())
    assert "kanonymizer (KAnonymizer, parameter 'k'): k-anonymity, l-diversity and t-closeness" in only_reason(found)


def test_fictitious_records_are_never_called_private_but_cost_nothing_if_their_request_is_public():
    request = pd.DataFrame({"Country": ["MEXICO"], "Records": [3]})
    schema = {"id": Integers(0, 9), "from": Copy("Country"), "Country": Copy("from")}
    found = privacy_guarantee(FakerSynthesizer(schema, count="Records").fit(request))
    assert (found.epsilon, found.columns) == (0, ())
    assert found.conditions == (
        "no real value is used for fictitious ones: ε = 0 only if the counts of records and the schema are public",
        "nothing is said about columns 'Country', 'Records', released without noise",
    )


def test_the_travel_recipe():
    request = pd.DataFrame({"Country": ["MEXICO"], "Year": [2020], "Records": [3]})
    found = privacy_guarantee(travel(random_state=0).fit(request))
    assert found.epsilon == 0
    assert found.conditions[1] == ("nothing is said about columns 'Country', 'Records', 'Year', released without noise")


def test_values_replaced_by_fictitious_ones_are_covered_and_the_others_are_not():
    found = guarantee(FakerSynthesizer({"Region": Choice(["x"]), "Age": Copy("Debt")}))
    assert (found.epsilon, found.columns) == (0, ("Age", "Region"))
    assert "nothing is said about column 'Debt', released without noise" in found.conditions


# Composition


def test_steps_in_sequence_add_up_exactly():
    found = guarantee(noise(Fraction(1, 3)), noise({"Age": Fraction(1, 3)}), answers(Fraction(1, 7)))
    assert found.epsilon == Fraction(1, 3) * 3 + Fraction(1, 7)
    assert found.columns == ("Age", "Debt", "Region")
    assert found.conditions == ("whether a cell is missing is public", "whether a column holds integers is public")


def branches(**options):
    parts = [("numbers", noise(), ["Age", "Debt"]), ("answers", answers(), ["Region"])]
    return ColumnTransformer(parts, **options)


@pytest.mark.parametrize("prefixed", [True, False])
def test_branches_of_a_column_transformer_add_up(prefixed):
    found = guarantee(branches(verbose_feature_names_out=prefixed))
    assert (found.epsilon, found.columns) == (Fraction(5, 2), ("Age", "Debt", "Region"))


@pytest.mark.parametrize("selection", [["Age"], "Age", [0], slice(0, 1), slice("Age", "Age"), [True, False, False]])
def test_columns_are_selected_in_every_way(selection):
    step = Normalizer() if selection == "Age" else noise()  # a single name gives a series, which our steps refuse
    selection = ["Age"] if selection == "Age" else selection
    found = privacy_guarantee(ColumnTransformer([("a", step, selection)]).set_output(transform="pandas").fit(people()))
    assert (found.epsilon, found.columns) == ((1, ("Age",)) if step.__class__ is LaplaceNoise else (math.inf, ()))


def test_what_a_column_transformer_passes_through_is_named():
    found = guarantee(ColumnTransformer([("a", noise(), ["Age"])], remainder="passthrough"))
    assert (found.epsilon, found.columns) == (1, ("Age",))
    assert "nothing is said about columns 'Debt', 'Region', released without noise" in found.conditions
    assert not any(
        "nothing is said" in one for one in guarantee(ColumnTransformer([("a", noise(), ["Age"])])).conditions
    )


def test_branches_of_a_feature_union_add_up():
    union = FeatureUnion([("once", noise()), ("twice", noise(2))])
    assert guarantee(union, table=numbers()).epsilon == 6


def test_a_column_noised_in_one_branch_and_raw_in_another_is_not_protected():
    union = FeatureUnion([("noised", noise()), ("raw", "passthrough")])
    found = guarantee(union, table=numbers())
    assert only_reason(found) == "columns 'Age', 'Debt' are covered on one branch but not on another"


def test_nesting_adds_up_and_reasons_name_the_way():
    inner = make_pipeline(noise(), QuantileBinner({"Debt": 2}))
    both = ColumnTransformer([("in", inner, ["Debt"]), ("out", make_pipeline(OutlierDropper(action="mask")), ["Age"])])
    found = guarantee(both)
    assert only_reason(found).startswith("columntransformer > out > outlierdropper (OutlierDropper, parameter 'method'")
    assert guarantee(ColumnTransformer([("in", inner, ["Debt"])])).epsilon == 1


def test_numpy_and_polars():
    table = numbers()
    for given in (table.to_numpy(), pl.DataFrame(dict(table))):
        found = privacy_guarantee(make_pipeline(noise(), StandardScaler(), LogisticRegression()).fit(given, Y))
        assert found.epsilon == 2
    assert privacy_guarantee(noise().fit(table.to_numpy())).columns == ("x0", "x1")


def test_single_steps():
    assert privacy_guarantee(noise().fit(numbers())) == noise().fit(numbers()).privacy_guarantee_
    seeded = privacy_guarantee(noise(random_state=1).fit(numbers()))
    assert only_reason(seeded).startswith("LaplaceNoise (parameter 'random_state'): ")
    assert only_reason(privacy_guarantee(LogisticRegression().fit(numbers(), Y))) == (
        "columns 'Age', 'Debt' reach LogisticRegression without noise"
    )


def test_unfitted_is_an_error():
    with pytest.raises(NotFittedError):
        privacy_guarantee(make_pipeline(noise()))


# What others' steps see


def test_a_predictor_behind_noise_on_all_columns_is_post_processing():
    found = guarantee(noise(), StandardScaler(), PCA(1), LogisticRegression(), table=numbers())
    assert (found.epsilon, found.columns) == (2, ("Age", "Debt"))
    assert found.conditions[-1] == (
        "nothing is said about the target y, if any, that logisticregression (LogisticRegression) is fitted to"
    )


def test_a_predictor_that_sees_one_column_without_noise_has_no_guarantee():
    encode = ColumnTransformer([("hot", OneHotEncoder(sparse_output=False), ["Region"])], remainder="passthrough")
    pipeline = make_pipeline(noise({"Age": 1}), LogisticRegression()).fit(numbers(), Y)
    assert only_reason(privacy_guarantee(pipeline)) == (
        "column 'Debt' reaches logisticregression (LogisticRegression) without noise"
    )
    found = guarantee(noise(), encode, LogisticRegression())
    assert found.reasons[0] == "column 'Region' reaches columntransformer > hot (OneHotEncoder) without noise"
    assert guarantee(noise(), answers(), encode, LogisticRegression()).epsilon == Fraction(5, 2)


def test_reasons_name_the_table_s_columns_even_where_arrays_flow():
    parts = ColumnTransformer([("n", noise(), ["Age"])], remainder="passthrough")
    pipeline = make_pipeline(parts, LogisticRegression()).fit(numbers(), Y)
    assert only_reason(privacy_guarantee(pipeline)) == (
        "column 'Debt' reaches logisticregression (LogisticRegression) without noise"
    )


def test_a_scaler_that_learns_from_raw_columns_is_infinite_even_before_noise():
    found = guarantee(StandardScaler(), noise(bounds=(-3, 3)), table=numbers())
    assert only_reason(found) == "columns 'Age', 'Debt' reach standardscaler (StandardScaler) without noise"


def test_steps_that_learn_nothing_and_treat_each_row_by_itself_are_neutral():
    assert guarantee(Normalizer(), noise(bounds=(0, 1)), table=numbers()).epsilon == 2
    assert guarantee(FunctionTransformer(), noise(), table=numbers()).epsilon == 2
    assert guarantee(noise(), FunctionTransformer(np.log1p), table=numbers()).epsilon == 2


def test_a_row_wise_step_mixes_columns_which_noise_on_some_of_them_does_not_cover():
    found = guarantee(Normalizer(), noise({"Age": 1}), table=numbers())
    assert "'Age', 'Debt' are covered on one branch but not on another" in only_reason(found)


def test_a_function_may_mix_rows_so_noise_behind_it_is_for_nothing():
    found = guarantee(FunctionTransformer(lambda X: X - X.mean()), noise(), table=numbers())
    assert "one record may show in many cells of columns 'Age', 'Debt'" in only_reason(found)
    beside = ColumnTransformer([("f", FunctionTransformer(np.log1p), ["Debt"]), ("n", noise(), ["Age"])])
    assert guarantee(beside).epsilon == 1


def test_a_seed_set_after_fit_is_noticed():
    pipeline = fitted(noise(), table=numbers()).set_params(laplacenoise__random_state=0)
    assert "parameter 'random_state'): the noise is seeded" in only_reason(privacy_guarantee(pipeline))


def test_others_steps_without_a_fit_are_not_taken_to_treat_each_row_by_itself():
    class Centre(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return X - X.mean()

        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.requires_fit = False
            return tags

        def get_feature_names_out(self, input_features=None):
            return input_features

    found = guarantee(Centre(), noise(), table=numbers())
    assert "one record may show in many cells of columns 'Age', 'Debt'" in only_reason(found)


def test_our_own_steps_without_a_random_part_are_neutral():
    table = people().assign(Name="Dr. Ana Sol", Code=1)
    cleaner = PIICleaner(identifiers="Code", names="Name")
    binner = IntervalBinner({"Age": [30, 60]})
    found = guarantee(cleaner, binner, noise({"Debt": 1}), answers(), table=table)
    assert (found.epsilon, found.columns) == (Fraction(3, 2), ("Debt", "Region"))


def test_a_stated_gender_is_read_by_what_the_whole_column_holds():
    table = people().assign(Sex=["h", "m"] * 30, Name="Ana Sol")
    response = RandomizedResponse(1, categories={"Sex": ["male", "female"]}, other="female")
    found = guarantee(PIICleaner(gender="Sex", unknown_gender="none"), response, table=table)
    assert "one record may show in many cells of column 'Sex'" in only_reason(found)
    guessed = guarantee(PIICleaner(names="Name", gender_from="Name", gender="Guess"), answers(), table=table)
    assert guessed.epsilon == Fraction(1, 2)


def test_rows_dropped_by_their_address_show_the_address():
    table = people().assign(Home=["1 Elm St, Troy, NY 12345", "PO Box 5, Troy, NY 12345"] * 30)
    parts = ColumnTransformer([("n", noise(), ["Age"])])
    pipeline = skdp.Pipeline([("clean", PIICleaner(addresses="Home")), ("noise", parts)])
    found = privacy_guarantee(pipeline.set_output(transform="pandas").fit(table))
    assert (found.epsilon, found.columns) == (1, ("Age",))
    assert "nothing is said about column 'Home', released without noise" in found.conditions


def test_imputing_from_public_distributions_is_neutral_and_carries_its_groups():
    imputer = DistributionImputer({"Age": {(0, 9): 1}, "New": {1: 1}}, by="Region", replace="all")
    found = guarantee(imputer, noise({"Debt": 1}))
    assert (found.epsilon, found.columns) == (1, ("Debt",))


def test_binning_what_is_noised_already_is_post_processing():
    assert guarantee(noise(), QuantileBinner({"Age": 3})).epsilon == 2
    assert guarantee(noise(), DistributionImputer({"Age": "observed"})).epsilon == 2


def test_a_step_of_ours_that_does_not_say_is_infinite():
    class Silent(PrivacyTransformer):
        pass

    assert "silent (Silent): it does not say what it learns" in only_reason(guarantee(Silent(), noise()))


def test_meta_estimators_are_not_looked_into():
    voting = VotingClassifier([("a", make_pipeline(noise(), LogisticRegression()))])
    assert "reach votingclassifier (VotingClassifier) without noise" in only_reason(guarantee(voting, table=numbers()))


def test_a_step_that_only_renames_is_followed_by_position():
    class Renamer(TransformerMixin, BaseEstimator):
        def fit(self, X, y=None):
            self.n_features_in_ = X.shape[1]
            return self

        def transform(self, X):
            return X.set_axis(["a", "b"], axis=1)

        def get_feature_names_out(self, input_features=None):
            return np.array(["a", "b"], dtype=object)

    found = guarantee(noise(), Renamer(), noise(), table=numbers())
    assert (found.epsilon, found.columns) == (4, ("Age", "Debt"))


def test_train_on_kept_carries_the_reason_of_its_dropper():
    model = TrainOnKept(make_pipeline(noise(), OutlierDropper()), LogisticRegression()).fit(numbers(), Y)
    assert only_reason(privacy_guarantee(model)).startswith("dropper > outlierdropper (OutlierDropper, ")
    cleaned = TrainOnKept(PIICleaner(), LogisticRegression()).fit(numbers(), Y)
    assert "reach estimator (LogisticRegression)" in only_reason(privacy_guarantee(cleaned))


# Searches


def model(**parameters):
    return make_pipeline(noise(**parameters), LogisticRegression())


EPSILONS = {"laplacenoise__epsilon": [Fraction(1, 3), 1, 2]}


def test_a_search_counts_every_candidate_on_every_split_and_the_refit():
    search = GridSearchCV(model(), EPSILONS, cv=4).fit(numbers(), Y)
    found = privacy_guarantee(search)
    refit = 2 * Fraction(search.best_params_["laplacenoise__epsilon"])
    assert found.epsilon == 4 * 2 * (Fraction(1, 3) + 1 + 2) + refit
    assert found.columns == ("Age", "Debt")
    assert "every fit of the search noised the same columns as the last one" in found.conditions


def test_a_ledger_never_shows_less_than_a_record_spends_in_a_search():
    """It counts both the fit and the score of a split, of which a record is in one."""
    ledger = PrivacyLedger()
    search = GridSearchCV(set_ledger(model(), ledger), EPSILONS, cv=4).fit(numbers(), Y)
    assert Fraction(ledger.spent) >= privacy_guarantee(search).epsilon


def test_parameters_of_other_steps_may_be_searched():
    grid = {"logisticregression__C": [1, 2]}
    found = privacy_guarantee(RandomizedSearchCV(model(), grid, n_iter=2, cv=3).fit(numbers(), Y))
    assert found.epsilon == 2 * (2 * 3 + 1)


def test_scores_of_the_training_part_and_several_scorers_noise_again():
    for options, draws in [
        ({"return_train_score": True}, 2),
        ({"scoring": ["accuracy", "f1"], "refit": "f1"}, 2),
        ({"cv": [(np.arange(40), np.arange(20, 60))] * 3}, 2),
    ]:
        search = GridSearchCV(model(), {"logisticregression__C": [1]}, **{"cv": 3, **options}).fit(numbers(), Y)
        assert privacy_guarantee(search).epsilon == 2 * (3 * draws + 1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"param_grid": {"laplacenoise__bounds": [(0, 50), (0, 100)]}},
            "(GridSearchCV, parameter 'laplacenoise__bounds'",
        ),
        ({"param_grid": {"laplacenoise": [noise(), "passthrough"]}}, "parameter 'laplacenoise'"),
        ({"param_grid": {"logisticregression": [LogisticRegression()]}}, "parameter 'logisticregression'"),
        ({"scoring": lambda model, X, y: model.score(X, y)}, "parameter 'scoring'): how often"),
        ({"refit": False}, "parameter 'refit'): without a refit"),
    ],
)
def test_what_cannot_be_told_of_a_search_is_infinite_and_asks_for_a_ledger(options, reason):
    options = {"param_grid": {"logisticregression__C": [1]}, "cv": 2, **options}
    search = make_pipeline(GridSearchCV(model(), **options)).fit(numbers(), Y)
    found = privacy_guarantee(search)
    assert found.epsilon == math.inf
    assert any(reason in one and "give its steps a ledger before it is fitted" in one for one in found.reasons)


def test_a_candidate_without_a_guarantee_spoils_the_search():
    search = GridSearchCV(make_pipeline(OutlierDropper(), *model()), EPSILONS, cv=2).fit(numbers(), Y)
    assert "estimator > outlierdropper" in only_reason(privacy_guarantee(search))


def test_epsilon_in_a_branch_is_searched():
    parts = ColumnTransformer([("n", noise(1), ["Age", "Debt"])])
    search = GridSearchCV(make_pipeline(parts, LogisticRegression()), {"columntransformer__n__epsilon": [1, 3]}, cv=2)
    search.fit(people(), Y)
    refit = search.best_params_["columntransformer__n__epsilon"]
    assert privacy_guarantee(search).epsilon == 2 * (2 * (1 + 3) + refit)


def test_searches_in_searches_multiply():
    inner = GridSearchCV(model(), {"laplacenoise__epsilon": [1]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outer = GridSearchCV(inner, {"estimator__logisticregression__C": [1, 2]}, cv=3).fit(numbers(), Y)
    assert privacy_guarantee(outer).epsilon == 2 * (2 + 1) * (2 * 3 + 1)


def test_columns_that_show_without_noise_are_told_from_those_that_do_not():
    dropper = OutlierDropper("quantile", epsilon=100, columns="Age", bounds={"Age": (0, 100)})  # leaves some rows
    rows = make_pipeline(dropper, ColumnTransformer([("n", noise(), ["Debt"])]))
    assert bare_columns(rows.fit(people())) == ["Age"]  # by which rows are there
    assert bare_columns(noise({"Age": 1}).fit(people())) == ["Debt", "Region"]
    assert bare_columns(ColumnTransformer([("n", noise(), ["Age"])]).fit(people())) == []


def private_search(*steps):
    pipeline = make_pipeline(*steps, LogisticRegression())
    return PrivateSearchCV(pipeline, {}, epsilon=4, n_trials=2)


def test_a_private_search_gives_the_reasons_of_its_winner():
    share_of_the_largest = FunctionTransformer(lambda X: X / X.max())
    found = privacy_guarantee(make_pipeline(share_of_the_largest, private_search(noise())).fit(numbers(), Y))
    assert only_reason(found) == (
        "privatesearchcv > estimator > laplacenoise (LaplaceNoise): one record may show in many cells of columns "
        "'Age', 'Debt' by what was done before"
    )


@pytest.mark.parametrize(
    "before",
    [
        FunctionTransformer(lambda X: X - X.mean()),
        OutlierDropper("quantile", epsilon=1, bounds=(0, 100), action="mask"),
    ],
    ids=["many cells", "gaps"],
)
def test_a_private_search_among_cells_that_tell_of_others_has_no_guarantee_whatever_its_winner_sees(before):
    front = ColumnTransformer([("a", "passthrough", ["Age"]), ("d", before, ["Debt"])], verbose_feature_names_out=False)
    blind = ColumnTransformer([("n", noise(), ["Age"])])
    found = privacy_guarantee(
        make_pipeline(front.set_output(transform="pandas"), private_search(blind)).fit(numbers(), Y)
    )
    assert only_reason(found) == (
        "privatesearchcv (PrivateSearchCV): one record may show in many cells given to it, or in which of them are "
        "missing, by what was done before; do that inside the search"
    )


def test_a_private_search_gives_what_its_winner_takes_for_granted():
    found = privacy_guarantee(private_search(noise()).fit(numbers(), Y))
    assert (found.epsilon, found.reasons) == (4, ())
    for condition in (
        "the target is public",
        "whether a cell is missing is public",
        "whether a column holds integers is public",
        "nothing is said about the target y, if any, that estimator > logisticregression (LogisticRegression) is "
        "fitted to",
    ):
        assert condition in found.conditions


def test_columns_that_a_private_search_was_given_are_not_protected_if_they_are_released_beside_it():
    parts = ColumnTransformer([("n", noise(), ["Age"])])
    union = FeatureUnion([("search", PrivateSearchCV(parts, {}, epsilon=2, scoring=lambda *given: 0)), ("raw", None)])
    union.set_params(raw=ColumnTransformer([("raw", "passthrough", ["Debt"])]))
    found = privacy_guarantee(union.fit(numbers(), Y))
    assert only_reason(found) == "column 'Debt' is covered on one branch but not on another"


def test_fences_learned_without_epsilon_are_charged_by_their_columns():
    ledger = PrivacyLedger()
    dropper = OutlierDropper(columns="Debt", ledger=ledger).fit(people())
    assert ledger.entries()["columns"].tolist() == ["Debt"]
    assert dropper.privacy_guarantee_.columns == ("Debt",)
    found = guarantee(OutlierDropper(columns="Debt"), noise({"Age": 1}))
    assert (found.epsilon, found.columns) == (math.inf, ("Age",))


REASON_OF_CV = "parameter 'cv'): how often a split takes one record cannot be told"


@pytest.mark.parametrize(
    "split",
    [
        (np.r_[np.zeros(500, int), np.arange(40)], np.arange(40, 60)),
        (np.arange(40), np.r_[np.arange(40, 60), 59, 59]),
        (np.r_[-1, np.arange(60)], np.arange(20, 40)),
    ],
    ids=["in training", "in test", "by a negative number"],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_a_search_whose_splits_take_a_row_many_times_has_no_guarantee(split, wrapped):
    splits = [(np.arange(40), np.arange(40, 60)), split]
    cv = check_cv(splits) if wrapped else splits
    search = GridSearchCV(model(), {"logisticregression__C": [1]}, cv=cv).fit(numbers(), Y)
    assert REASON_OF_CV in only_reason(privacy_guarantee(search))


def test_a_search_whose_splits_are_not_known_any_more_has_no_guarantee():
    class Splitter:
        def split(self, X, y=None, groups=None):
            yield np.zeros(500, int) + np.arange(500) % 2, np.arange(20)

        def get_n_splits(self, X=None, y=None, groups=None):
            return 1

    for cv in (Splitter(), iter([(np.arange(40), np.arange(40, 60))])):
        search = GridSearchCV(model(), {"logisticregression__C": [1]}, cv=cv).fit(numbers(), Y)
        assert REASON_OF_CV in only_reason(privacy_guarantee(search))


def test_splits_are_nobody_s_business_where_the_noise_is_in_front_of_the_search():
    splits = [(np.arange(40), np.r_[np.arange(40, 60), 59, 59])] * 2
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=splits)
    assert guarantee(noise(), search, table=numbers()).epsilon == 2


def test_splits_that_take_each_row_once_are_counted_however_they_are_given():
    masks = [(np.arange(60) % 3 != part, np.arange(60) % 3 == part) for part in range(3)]
    lists = [tuple(np.flatnonzero(mask).tolist() for mask in split) for split in masks]
    for cv, draws in [(masks, 2), (tuple(lists), 2), (check_cv(lists), 2), (ShuffleSplit(3), 1), (RepeatedKFold(), 1)]:
        search = GridSearchCV(model(), {"logisticregression__C": [1]}, cv=cv).fit(numbers(), Y)
        assert privacy_guarantee(search).epsilon == 2 * (search.n_splits_ * draws + 1)


def test_a_step_that_has_only_collected_chunks_guarantees_nothing_yet():
    step = masked().partial_fit(people())
    with pytest.raises(NotFittedError, match=r"OutlierDropper has collected chunks.*call its finish\(\)"):
        privacy_guarantee(step)
    assert privacy_guarantee(step.finish()).epsilon == 1
