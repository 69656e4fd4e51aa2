"""
Tune privacy
============

How much noise, and how many ranges? The two are searched for like any other hyperparameter, with utility, risk and
budget side by side. The search itself reads the table again and again: what that costs is predicted, counted, and then
avoided in two ways.
"""

# %%
# A table, a purpose, two dials
# -----------------------------
# Who gets the table wants to find, in it, customers under 45 with a car worth more than 25,000. Age becomes ranges
# (how many?), and household income gets noise (how much?). The noise charges a ledger.

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdp import LaplaceNoise, PrivacyLedger, QuantileBinner, RandomizedResponse, privacy_guarantee, set_ledger
from skdp.datasets import make_customer_survey
from skdp.metrics import k_anonymity
from skdp.model_selection import PrivateSearchCV, ReleaseScorer, best_utility, epsilon_spent, search_cost
from skdp.plots import PrivacyUtilityDisplay

survey = make_customer_survey(random_state=0)
X = survey[["Age", "Region", "HouseholdIncome"]].astype({"Region": str})
y = ((survey["Age"] < 45) & (survey["CarValue"] > 25)).astype(int)
X, X_new, y, y_new = train_test_split(X, y, test_size=0.25, stratify=y, random_state=0)


def encode():
    """Return what makes numbers of the three columns."""
    return make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["Age", "Region"]), (StandardScaler(), ["HouseholdIncome"])
    )


ledger = PrivacyLedger()
model = make_pipeline(
    QuantileBinner(columns="Age"),
    LaplaceNoise(bounds={"HouseholdIncome": (0, 300)}, ledger=ledger),
    encode(),
    LogisticRegression(),
)

# %%
# The search
# ----------
# Three scores for each candidate: how well the model finds those customers, the smallest crowd of customers alike in
# age and region (k), and the ε of one release. k is that of the table that `fit_transform` releases, counted on the
# train folds: on a test fold, which is smaller, it means nothing. Ages are binned in front of the noise, so k is
# counted there, and no noise has to be drawn for it.

search = GridSearchCV(
    model,
    {"laplacenoise__epsilon": [0.5, 2, 5, 10, 30], "quantilebinner__n_bins": [2, 5, 10, 30]},
    scoring={
        "auc": "roc_auc",
        "k": ReleaseScorer(k_anonymity, columns=["Age", "Region"], step="quantilebinner"),
        "epsilon": epsilon_spent,
    },
    refit=best_utility("auc", at_least={"k": 30}, at_most={"epsilon": 10}),
    return_train_score=True,
    cv=3,
    n_jobs=2,
)

# %%
# What will it cost? `search_cost` rehearses each candidate once, on a ledger that is thrown away.

expected = search_cost(search, X, y)
print(expected)

# %%
# And what did it cost? Every fit of every candidate is in the ledger, those of worker processes included: each fold of
# each candidate noises the rows it is fitted to, and those it is scored on.

search.fit(X, y)
print(f"spent: {ledger.spent:.6g}; chosen: {search.best_params_}")
print(ledger.entries().groupby(["estimator", "rows"])["epsilon"].agg(["size", "sum"]))

# %%
# The frontier
# ------------
# Each point is a candidate. Those on the line cannot be bettered in both respects; the star is the one that was chosen,
# the most useful of those within the limits.

display = PrivacyUtilityDisplay.from_search(search, "auc").plot()

# %%
# The other dial: each stack of points is a number of ranges, with less noise the higher. More ranges leave smaller
# crowds, and help most where there is much noise. The star is not at the top, as the limit is on ε, too.

display = PrivacyUtilityDisplay.from_search(search, "auc", "k").plot()

# %%
# When nothing is safe enough
# ---------------------------
# Then there is no winner. The search says so, and names the nearest candidate; it never takes a limit for a wish.

strict = best_utility("auc", at_least={"k": 250}, at_most={"epsilon": 1})
try:
    strict(search.cv_results_)
except ValueError as error:
    print(error)

# %%
# Mask once, then search
# ----------------------
# All of that was one release after another of the same people. It is cheaper to release once, and to search on what was
# released: whatever is computed from it is post-processing, and free. All columns must have noise for that, or those
# that have none are no secret.

regions = ["1", "2", "3", "4", "5"]
once = PrivacyLedger()
mask = make_pipeline(
    LaplaceNoise({"Age": 4, "HouseholdIncome": 5}, bounds={"Age": (18, 80), "HouseholdIncome": (0, 300)}),
    RandomizedResponse(1, categories={"Region": regions}),
)
released = set_ledger(mask, once).fit_transform(X)
print(privacy_guarantee(mask))

behind = make_pipeline(QuantileBinner(columns="Age"), encode(), LogisticRegression())
grid = {"quantilebinner__n_bins": [2, 5, 10, 30], "logisticregression__C": [0.01, 0.1, 1]}
free = GridSearchCV(behind, grid, scoring="roc_auc", cv=3).fit(released, y)
print(f"\n{len(free.cv_results_['params'])} candidates searched; the ledger still reads {once.spent:g}")

# %%
# The same candidates with the mask inside the search are fitted to fresh noise each time, and charged for it.

inside = make_pipeline(mask, behind)
grid_inside = {f"pipeline-2__{name}": values for name, values in grid.items()}
charged = search_cost(GridSearchCV(inside, grid_inside, scoring="roc_auc", cv=3), X, y)
print(charged)

# %%
# A choice that is private, too
# -----------------------------
# Sometimes the noise itself has to be tuned: how should ε be shared among the columns? `PrivateSearchCV` draws a random
# number of trials, keeps the best, and tells nothing of the others. The choice and the model together cost twice a
# trial, however many candidates there are: with ε = 20 in all, each trial may spend 10, as much as the mask above.

shares = {
    "laplacenoise__epsilon": [
        {"Age": 8, "HouseholdIncome": 1},
        {"Age": 4, "HouseholdIncome": 5},
        {"Age": 1, "HouseholdIncome": 8},
    ],
    "logisticregression__C": [0.01, 1],
}
bounds = {"Age": (18, 80), "HouseholdIncome": (0, 300)}
private_model = make_pipeline(
    LaplaceNoise(bounds=bounds),
    RandomizedResponse(1, categories={"Region": regions}),
    make_column_transformer((OneHotEncoder(), ["Region"]), (StandardScaler(), ["Age", "HouseholdIncome"])),
    LogisticRegression(),
)
private = PrivateSearchCV(private_model, shares, epsilon=20, scoring="roc_auc").fit(X, y)
print(private.best_params_)
print(private.privacy_guarantee_)

# %%
# What it comes to
# ----------------
# The three winners serve customers that none of them has seen, without noise on these.


def auc(fitted):
    """Return how well a pipeline finds the customers, its noise left out."""
    steps = [step for _, step in fitted.steps if not isinstance(step, LaplaceNoise | RandomizedResponse)]
    return roc_auc_score(y_new, make_pipeline(*steps).predict_proba(X_new)[:, 1])


rows = [
    ("searched over private fits", ledger.spent, auc(search.best_estimator_)),
    ("masked once, then searched", once.spent, auc(free.best_estimator_)),
    ("PrivateSearchCV", float(private.privacy_guarantee_.epsilon), auc(private.best_estimator_)),
]
print(pd.DataFrame(rows, columns=["", "ε charged", "AUC"]).round(3).to_string(index=False))

# %%
# The first row protects less than its ε says: it is that of income alone, as age and region went out without noise.
# `privacy_guarantee` of that search is infinite, and names these columns. In none of the three is the target protected:
# it is taken as it is. Where it must be, it needs noise as well, before it reaches any of them.

print(*[reason for reason in privacy_guarantee(search).reasons if "without noise" in reason], sep="\n")
