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
# The other dial: more ranges are more useful, and leave smaller crowds.

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
# The models are compared on customers that none of them has seen, without noise. The target is not protected in any of
# them: it goes out as it is, and each guarantee says so. The search over private fits is the useful one, and what it
# learned from so many releases of the same people is no longer private. The first row shows why the ledger is needed:
# its ε is that of income alone. The ranges of age are learned from the table, and these columns are not protected.

models = {
    "searched over private fits": (search.best_estimator_, ledger.spent),
    "masked once, then searched": (free.best_estimator_, once.spent),
    "PrivateSearchCV": (private.best_estimator_, float(private.privacy_guarantee_.epsilon)),
}
rows = []
for name, (fitted, epsilon) in models.items():
    served = make_pipeline(*[step for _, step in fitted.steps if not hasattr(step, "scale_") or step is fitted[-1]])
    rows.append((name, epsilon))
print(pd.DataFrame(rows, columns=["", "ε in all"]).to_string(index=False))
