"""
Who can be singled out
======================

A masked table holds no names, and ranges in the place of ages. Who knows a neighbour's gender, age and job may still
find the one record that fits. This example counts such records, makes every record alike to at least four others, and
shows what that costs and what it does not protect from.
"""

# %%
# A masked survey
# ---------------
# The survey is masked as in the example on masking a customer table. Region and job category are codes, not
# quantities: as text they become sets, not ranges.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import make_pipeline

from skdp import IntervalBinner, KAnonymizer, LaplaceNoise, OutlierDropper, PIICleaner
from skdp.datasets import make_customer_survey
from skdp.metrics import (
    association_matrices,
    attacker_risks,
    equivalence_classes,
    granularity,
    k_anonymity,
    scenario_risks,
    uniqueness,
)

survey = make_customer_survey(random_state=0).astype({"Region": str, "JobCategory": str})
masked = make_pipeline(
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
).fit_transform(survey)

# %%
# Quasi-identifiers are what a neighbour, a colleague or a public register knows. Naming them is a judgement, and the
# most important one: everything below holds for an attacker who knows these six, and no more.

known = ["Region", "TownSize", "Gender", "Age", "EducationYears", "JobCategory"]
released = KAnonymizer(k=5, quasi_identifiers=known).fit_transform(masked)
tables = {"survey": survey, "masked": masked, "masked, k = 5": released}
colours = {"survey": "#777777", "masked": "#D55E00", "masked, k = 5": "#0072B2"}
for name, table in tables.items():
    sizes = equivalence_classes(table, known).sizes
    print(
        f"{name:14} {(sizes == 1).sum():5,} of {len(table):,} records are alone; the smallest class has {sizes.min()}"
    )
print(released[known].head(3).to_string())

# %%
# How much must one know?
# -----------------------
# The more an attacker knows, the more records are like no other. Masking slows this down; k-anonymity stops it, for
# the quasi-identifiers that it was told about.

unique = {name: uniqueness(table, known) for name, table in tables.items()}
alone = {name: one.highest[-1] for name, one in unique.items()}
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
for name, one in unique.items():
    number = np.arange(1, len(known) + 1)
    axes.plot(number, 100 * one.mean, marker="o", color=colours[name])
    axes.fill_between(number, 100 * one.lowest, 100 * one.highest, color=colours[name], alpha=0.2, linewidth=0)
    axes.annotate(f"{name}: {alone[name]:.0%}", (number[-1] + 0.1, 100 * alone[name]), va="center", color=colours[name])
axes.set(xlabel="quasi-identifiers known", ylabel="records alone in their class, %", xlim=(0.8, 7.4), ylim=(-4, 104))
axes.set_xticks(number)
title = (
    f"Six facts single out {alone['masked']:.0%} of the masked records, and {alone['masked, k = 5']:.0%} after k = 5"
)
axes.set_title(title, loc="left")
axes.text(1, 92, "line: mean over all choices of facts\nband: from the least to the most telling choice")
axes.spines[["top", "right"]].set_visible(False)

# %%
# How large are the crowds?
# -------------------------
# Each record hides in its equivalence class: those with the same quasi-identifiers.

edges = [1, 2, 3, 5, 10, 20, len(survey) + 1]
names = ["1", "2", "3 - 4", "5 - 9", "10 - 19", "20 and more"]
figure, axes = plt.subplots(figsize=(8, 3.5), layout="constrained")
for offset, name in ((-0.2, "masked"), (0.2, "masked, k = 5")):
    sizes = equivalence_classes(tables[name], known).sizes
    records = np.histogram(sizes, edges, weights=sizes)[0]
    bars = axes.bar(np.arange(len(names)) + offset, records, 0.4, color=colours[name], label=name)
    axes.bar_label(bars, fmt="{:,.0f}", fontsize=8)
axes.set_xticks(range(len(names)), names)
axes.set(xlabel="records in the class", ylabel="records in classes of this size")
axes.yaxis.set_major_formatter("{x:,.0f}")
codes, sizes = equivalence_classes(masked, known)
axes.set_title(f"Masking alone leaves {(sizes[codes] < 5).mean():.0%} in a crowd of fewer than five", loc="left")
axes.legend(frameon=False)
axes.spines[["top", "right"]].set_visible(False)

# %%
# What would an attacker get?
# ---------------------------
# A prosecutor knows that somebody is in the table, and finds the record with probability 1 / class size. A journalist
# does not know who took part, so that all of the population may be meant: here, one customer in a hundred was asked.
#
# How likely an attack is at all depends on who holds the table. The probabilities below are assumptions: replace them.

fraction = 0.01
scenarios = {
    "demonstrated in public": 1.0,
    "somebody recognises an acquaintance": 1 - (1 - fraction) ** 150,  # that one of 150 acquaintances took part
    "the file is stolen": 0.3,
    "a recipient breaks the contract": 0.05,
}
risks = {name: attacker_risks(table, known, sampling_fraction=fraction) for name, table in tables.items()}
attackers = {
    "prosecutor, record most at risk": lambda risk: risk.prosecutor.highest,
    "prosecutor, mean": lambda risk: risk.prosecutor.mean,
    "journalist, record most at risk": lambda risk: risk.journalist.highest,
    "journalist, mean (marketer)": lambda risk: risk.journalist.mean,
}
by_attacker = {name: [read(risk) for read in attackers.values()] for name, risk in risks.items()}
by_scenario = {name: list(scenario_risks(risk.prosecutor.mean, scenarios).values()) for name, risk in risks.items()}


def compare(axes, rows, values, title):
    """Draw a dot for each table in each row, joined by a line."""
    places = np.arange(len(rows))[::-1]
    axes.hlines(places, *(100 * np.array([*values.values()])[[-1, 0]]), color="#cccccc", zorder=1)
    for (name, risk), area in zip(values.items(), (130, 70, 70), strict=True):  # the first shows around the second
        axes.scatter(100 * np.array(risk), places, s=area, color=colours[name], label=name, zorder=2)
    axes.set_yticks(places, rows)
    axes.set(xscale="log", xlabel="risk of being re-identified, %", ylim=(-0.5, len(rows) - 0.5))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)


figure, axes = plt.subplots(2, 1, figsize=(8, 5), layout="constrained", sharex=True)
compare(axes[0], list(attackers), by_attacker, "by attacker, where an attack is made")
compare(axes[1], list(scenarios), by_scenario, "by scenario, with the probability that it happens, mean over records")
axes[0].set_xlabel("")
axes[0].legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1.1))
worst = risks["masked, k = 5"].prosecutor.highest
title = f"After k = 5 no record is at a risk above {worst:.0%} from those who know these six facts"
figure.suptitle(title, x=0.01, ha="left")

# %%
# What was paid
# -------------
# Granularity says how much of each column is left: 1 is untouched, 0 is nothing. It is measured against the masked
# table, whose ranges had cost something already. Associations are what a model would learn from: those with the other
# columns stay. Between quasi-identifiers the release shows some that are not there: how coarse a label is depends on
# the whole class, so that one label tells about the others.

kept = pd.Series({column: granularity(masked, released, [column]) for column in known})
looked_at = [*known, "EmploymentLength", "HouseholdIncome", "LoanDefault"]
matrices = association_matrices(masked, released, looked_at)

figure = plt.figure(figsize=(10, 6.6), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=[1, 2.2])
axes = above.subplots()
bars = axes.barh(kept.index[::-1], kept[::-1], color=colours["masked, k = 5"])
axes.bar_label(bars, fmt=" {:.2f}")
axes.set(xlim=(0, 1.1), xlabel="granularity kept (1: untouched)")
axes.set_title(f"{granularity(masked, released, known):.0%} of the detail is left", loc="left")
axes.spines[["top", "right"]].set_visible(False)
change = (matrices[1] - matrices[0]).loc[known].abs()
others, between = change.drop(columns=known).max(axis=None), change[known].max(axis=None)
for axes, matrix, name in zip(below.subplots(1, 2, sharey=True), matrices, ["masked", "masked, k = 5"], strict=True):
    image = axes.imshow(matrix.abs(), cmap="cividis", vmin=0, vmax=1)
    axes.set_xticks(range(len(looked_at)), looked_at, rotation=45, ha="right")
    axes.set_yticks(range(len(looked_at)), looked_at)
    axes.set_title(name, loc="left")
below.colorbar(image, ax=below.axes, label="association, 0 to 1")
title = (
    f"Associations with other columns move by {others:.2f} at most; between quasi-identifiers by up to {between:.2f}"
)
below.suptitle(title, x=0.01, ha="left")

# %%
# What k-anonymity does not promise
# ---------------------------------
# Three limits, each of them counted.
#
# **Who need not be found can still be found out.** Where all of a class share an answer, it is known for each of them.

sizes, answers = (released.groupby(known, observed=True)["LoanDefault"].transform(how) for how in ("size", "nunique"))
print(f"{(answers == 1).mean():.0%} of the records are in a class in which all have the same LoanDefault")
diverse = KAnonymizer(k=5, quasi_identifiers=known, sensitive="LoanDefault", l_diversity=2).fit_transform(masked)
answers = diverse.groupby(known, observed=True)["LoanDefault"].transform("nunique")
print(f"with l_diversity=2: {(answers == 1).mean():.0%}, and granularity {granularity(masked, diverse, known):.2f}")

# %%
# **More knowledge than was reckoned with brings people back.** The other columns are as they were.

for more in (["HouseholdSize"], ["HouseholdSize", "CarsOwned"], ["HouseholdSize", "CarsOwned", "CommuteTime"]):
    alone = (equivalence_classes(released, known + more).sizes == 1).sum()
    print(f"knowing {' and '.join(more)} too: {alone:,} of {len(released):,} records are alone")

# %%
# **k belongs to one table.** `transform` puts new rows into the learned classes, where a label may occur once only; and
# two releases of the same people can be laid side by side. None of this is differential privacy, and the step says so.

anonymizer = KAnonymizer(k=5, quasi_identifiers=known).fit(masked)
print("k of what fit_transform releases:", k_anonymity(released, known))
print(
    "k of what transform makes of 100 new rows:",
    k_anonymity(anonymizer.transform(masked.sample(100, random_state=0)), known),
)
print(anonymizer.privacy_guarantee_)
