"""
Mask a customer table
=====================

A customer survey is to be shared: without who the customers are, with ranges in the place of exact numbers, without
the one record that stands out, and with noise on the debts. That is four steps of an ordinary scikit-learn pipeline.
"""

# %%
# The survey
# ----------
# :func:`skdp.datasets.make_customer_survey` makes a fictitious one, with the flaws that real surveys have: one cell of
# ``TownSize`` is text, ``Telecommute`` is missing throughout, and one household has a debt like no other's.

import pandas as pd
from sklearn.pipeline import make_pipeline

from skdp import IntervalBinner, LaplaceNoise, OutlierDropper, PIICleaner, QuantileBinner
from skdp.datasets import make_customer_survey

survey = make_customer_survey(random_state=0)
shown = ["CustomerID", "Age", "HouseholdIncome", "CreditDebt", "OtherDebt"]
print(survey[shown].head())
print("\nlargest credit debts:", survey["CreditDebt"].nlargest(3).round(1).tolist())

# %%
# The release
# -----------
# The edges of the ranges and the bounds of the noise are chosen without looking at the table: what is chosen cannot
# tell anything about a customer.

release = make_pipeline(
    PIICleaner(identifiers=["CustomerID", "UnionMember", "Retired", "PoliticalPartyMem"]),
    IntervalBinner(
        {
            "Age": [24, 34, 44, 54, 64],
            "HouseholdIncome": [10, 40, 80, 120, 160, 200, 250, 300],
            "EducationYears": [6, 12, 16],
            "EmploymentLength": [5, 10, 15, 20, 25],
        }
    ),
    OutlierDropper(method="gap", factor=1.5, columns=["CreditDebt"]),
    LaplaceNoise(epsilon={"CreditDebt": 0.5, "OtherDebt": 0.5}, bounds={"CreditDebt": (0, 70), "OtherDebt": (0, 120)}),
)
masked = release.fit_transform(survey)
print(f"{len(survey):,} rows in, {len(masked):,} out; {survey.shape[1]} columns in, {masked.shape[1]} out\n")
print(masked[shown[1:]].head())

# %%
# What changed
# ------------
# Rows keep their index, so that a released cell can be compared with the one that it came from.

kept = survey.loc[masked.index]
for column in survey:
    if column not in masked:
        print(f"{column:20} left out")
    elif isinstance(masked[column].dtype, pd.CategoricalDtype):
        print(f"{column:20} {kept[column].nunique()} numbers became {masked[column].nunique()} ranges")
    elif not masked[column].equals(kept[column]):
        moved = (masked[column] - kept[column]).abs().median()
        print(f"{column:20} noise moved half of the cells by more than {moved:.0f}")
print("dropped              the record of index", *survey.index.difference(masked.index))

# %%
# What is promised
# ----------------
# Each step that learns from the table, or draws noise, states what it gives. The noise protects each cell of two
# columns; single cells say little at this ε, but their mean is still near the truth. The columns that no step touched
# are as real as before, and the record that was dropped by a rule learned from the table is no matter of differential
# privacy.

for name, step in release.steps:
    if hasattr(step, "privacy_guarantee_"):
        print(f"{name}: {step.privacy_guarantee_}\n")
for column, scale in release[-1].scale_.items():
    error = (2 / len(masked)) ** 0.5 * scale
    print(f"mean {column}: {kept[column].mean():.1f}, released {masked[column].mean():.1f} (noise: ± {error:.1f})")

# %%
# Ranges that hold equally many
# -----------------------------
# Where no ranges suggest themselves, :class:`skdp.QuantileBinner` learns them from the table, with round edges, and
# each with at least as many records as asked for.

spending = QuantileBinner(columns="CardSpendMonthly", min_bin_size=500)
print(spending.fit_transform(survey)["CardSpendMonthly"].value_counts(sort=False))

# %%
# One picture
# -----------

try:
    import matplotlib.pyplot as plt
except ImportError:
    print("matplotlib is not installed: no picture")
else:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    survey["HouseholdIncome"].plot.hist(bins=60, ax=axes[0], title="HouseholdIncome")
    masked["HouseholdIncome"].value_counts(sort=False).plot.barh(ax=axes[1], title="as released")
