"""
Say how safe a release is
=========================

Who signs off a release does not read Python. They get a report: the verdict in plain words, who could still be singled
out, what was done to which column, what is promised, and what the table is still good for.
"""

# %%
# The release
# -----------
# A customer survey is masked: without who the customers are, with ranges in the place of exact ages and incomes, with
# noise on the debts, and so that nobody is alone in what others may know.

import tempfile
from pathlib import Path

from skdp import IntervalBinner, KAnonymizer, LaplaceNoise, PIICleaner, make_pipeline
from skdp.datasets import make_customer_survey

survey = make_customer_survey(random_state=0)
known = ["Region", "TownSize", "Gender", "EducationYears", "JobCategory"]
release = make_pipeline(
    PIICleaner(identifiers=["CustomerID", "UnionMember", "Retired", "PoliticalPartyMem", "DebtToIncomeRatio"]),
    IntervalBinner({"Age": [24, 34, 44, 54, 64], "HouseholdIncome": [10, 40, 80, 120, 160, 200, 250, 300]}),
    LaplaceNoise(epsilon={"CreditDebt": 0.5, "OtherDebt": 0.5}, bounds={"CreditDebt": (0, 70), "OtherDebt": (0, 120)}),
    KAnonymizer(5, quasi_identifiers=known, sensitive="LoanDefault", l_diversity=2),
)
masked = release.fit_transform(survey)

# %%
# The verdict
# -----------
# It holds for someone who knows the quasi-identifiers and nothing else; that there is no more to know is for you to
# say. Columns that were left as they are, and look as if they helped to find somebody, are named.

from skdp.report import DataSafetyReport

report = DataSafetyReport(
    survey,
    masked,
    pipeline=release,
    quasi_identifiers=known,
    sensitive="LoanDefault",
    target="HouseholdIncome",
    title="Customer survey",
)
for sentence in report.verdict.split(". "):
    print(sentence.rstrip(".") + ".")

# %%
# The figures
# -----------
# All that is counted is in `figures`, as plain values.

for when in ("before", "after"):
    found = report.figures["anonymity"][when]
    print(f"{when:7} k = {found['k']}, {found['alone']:,} records alone in their class")
for one in report.figures["risks"]["scenarios"]:
    print(f"{one['name']:20} highest risk {one['before']['highest']:.3f} before, {one['after']['highest']:.3f} after")
for what, names in report.figures["columns"]["by"].items():
    print(f"{what:12} {len(names):3} columns, such as {names[0]}")

# %%
# The page
# --------
# One file that needs nothing else. It is for those who may see the original, and says so; with ``public=True`` all that
# was counted in the original is left out. From the shell: ``skdp release … --report report.html``.

folder = Path(tempfile.mkdtemp())
report.to_html(folder / "report.html")
report.to_html(folder / "public.html", public=True)
report.to_json(folder / "report.json")
for path in sorted(folder.iterdir()):
    print(f"{path.name:12} {path.stat().st_size / 2**10:6,.0f} kB")
