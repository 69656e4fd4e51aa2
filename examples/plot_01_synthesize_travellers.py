"""
Fictitious travellers from a request
====================================

A request file says how many records are wanted by country and year. One pipeline makes that many fictitious people,
cleans their names and addresses, and bins their ages: nothing in the table belongs to anybody.
"""

from pathlib import Path

import pandas as pd

from skdp import Copy, Dates, Fake, FakerSynthesizer, FromColumn
from skdp.recipes import travel

folder = Path(__file__).parent if "__file__" in globals() else Path()
request = pd.read_csv(folder / "bulk_request.csv")
print(request)

# %%
# The ready-made recipe
# ---------------------
# `travel` is an ordinary scikit-learn Pipeline. Each row of the request becomes exactly as many records as it asks for.

pipeline = travel(random_state=0)
people = pipeline.fit_transform(request)
print(people.shape)
print(people.iloc[0])

# %%
# Ages follow the published shares, whatever the country: the table of one against the other shows no pattern.

print(pd.crosstab(people["place_of_birth"], people["AgeBin"], normalize="index").round(2))

# %%
# A schema of your own
# --------------------
# A column is what its specification says: a Faker method in any locale (here the locale of each record's own country),
# a date within the year that was asked for, a copy of a column of the request.

schema = {
    "name": Fake("name", locale=FromColumn("Country")),
    "phone": Fake("phone_number", locale=FromColumn("Country")),
    "arrival": Dates(year="Year"),
    "born_in": Copy("Country"),
}
step = FakerSynthesizer(schema, count="Records", random_state=0)
print(step.fit_transform(request).groupby("born_in").head(2))

# %%
# Fictitious values in the place of real ones
# -------------------------------------------
# Without `count`, each row stays one row: the columns of the schema are replaced, the others are kept.

real = pd.DataFrame({"name": ["Ada Lovelace", "Alan Turing"], "born": [1815, 1912]})
print(FakerSynthesizer({"name": "name"}, random_state=0).fit_transform(real))
