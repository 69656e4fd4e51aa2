"""Fictitious example tables, made by skdp itself."""

import string

import numpy as np
import pandas as pd
from scipy.special import betaincinv, gammaincinv, ndtr, ndtri

from skdp._checks import check_integer
from skdp.specifications import Choice, Derived, Fake, Integers
from skdp.synthesis import FakerSynthesizer

NULL = "#NULL!"  # what SPSS exports for a missing value
OUTLYING_DEBT = 109.25
LARGEST_DEBT = 68  # of all other records

_LATENT = 2**32
_COLUMNS = """
CustomerID Region TownSize Gender Age EducationYears JobCategory UnionMember EmploymentLength Retired HouseholdIncome
DebtToIncomeRatio CreditDebt OtherDebt LoanDefault MaritalStatus HouseholdSize NumberPets NumberCats NumberDogs
NumberBirds HomeOwner CarsOwned CarOwnership CarBrand CarValue CommuteTime Telecommute PoliticalPartyMem Votes
CreditCard CardTenure CardItemsMonthly CardSpendMonthly ActiveLifestyle PhoneCoTenure VoiceLastMonth VoiceOverTenure
EquipmentRental EquipmentLastMonth EquipmentOverTenure CallingCard WirelessData DataLastMonth DataOverTenure Multiline
VM Pager Internet CallerID CallWait CallForward ThreeWayCalling EBilling TVWatchingHours OwnsPC OwnsMobileDevice
OwnsGameSystem OwnsFax NewsSubscriber
""".split()


def make_customer_survey(n_rows=5000, *, random_state=None):
    """Return a fictitious customer survey of a telephone company, with the flaws that real tables have.

    Parameters
    ----------
    n_rows : int, default=5000
        How many customers, at least 1.
    random_state : int, Generator, RandomState or None, default=None
        An integer makes the same table each time.

    Returns
    -------
    survey : pandas.DataFrame of shape (n_rows, 60)
        One customer a row, dtypes as `pandas.read_csv` would find them: 46 columns of int64, 11 of float64, 3 of text.

    Raises
    ------
    ParameterError
        If `n_rows` is no integer of at least 1.

    Notes
    -----
    No record is copied, and no joint distribution: each column comes from a formula of a few round parameters, such
    that its range and shares are those of a survey of this kind. Income, debts and the car's value are in thousands,
    bills in units, lengths of time in years (`PhoneCoTenure`: months).

    Its flaws are those that a first look at a survey finds:

    - `TownSize` is text, since one cell is ``#NULL!``; so is `VoiceOverTenure`, with three, those of the customers
      whose `PhoneCoTenure` is 0;
    - `Telecommute` is missing throughout;
    - the household of the largest income has a `CreditDebt` of 109.25, all others less than 68;
    - `CarValue`, `CarOwnership` and `CarBrand` are -1 where there is no car.

    Examples
    --------
    >>> from skdp.datasets import make_customer_survey
    >>> survey = make_customer_survey(random_state=0)
    >>> survey.shape, survey["CreditDebt"].nlargest(2).round().tolist()[0]
    ((5000, 60), 109.0)
    """
    check_integer("make_customer_survey", "n_rows", n_rows, low=1)
    request = pd.DataFrame({"customers": [n_rows]})
    step = FakerSynthesizer(_schema(), count="customers", random_state=random_state)
    return step.fit_transform(request)[_COLUMNS]


def _schema() -> dict:
    """Return how each column is made; those that begin with ``_`` are left out of the survey."""
    return _identity() | _household() | _work_and_money() | _cars() | _telephone() | _habits()


def _identity() -> dict:
    capitals = string.ascii_uppercase
    return {
        "_account": Fake("bothify", text="####-??????", letters=capitals, unique=True),
        "_suffix": Fake("lexify", text="???", letters=capitals + string.digits),
        "CustomerID": Derived(lambda t: t["_account"] + "-" + t["_suffix"]),
        "Region": Integers(1, 5),
        "_town": Choice(["1", "2", "3", "4", "5"], [29, 21, 18, 17, 15]),
        "_null": _latent(),
        "TownSize": Derived(lambda t: t["_town"].mask(t["_null"].rank() == 1, NULL)),
        "Gender": Integers(0, 1),
        "Age": Integers(18, 79),
    }


def _household() -> dict:
    return {
        "MaritalStatus": Integers(0, 1),
        "_size": Choice([2, 3, 4, 5, 6, 7, 8], [50, 18, 17, 10, 4, 0.8, 0.2]),
        "_alone": Choice([1, 2, 3, 4], [80, 12, 6, 2]),
        "HouseholdSize": Derived(lambda t: t["_size"].where(t["MaritalStatus"] == 1, t["_alone"])),
        "NumberCats": Choice(range(7), [68, 18, 10, 3, 0.7, 0.2, 0.1]),
        "NumberDogs": Choice(range(7), [75, 15, 7, 2, 0.7, 0.2, 0.1]),
        "NumberBirds": Choice(range(6), [94, 3, 2, 0.6, 0.3, 0.1]),
        "_fish": Choice([*range(15)], [66, 0.5, 2, 4, 5, 6, 5, 4, 3, 2, 1, 0.6, 0.4, 0.3, 0.2]),
        "NumberPets": Derived(lambda t: t[["NumberCats", "NumberDogs", "NumberBirds", "_fish"]].sum(axis=1)),
        "HomeOwner": _yes(0.63),
    }


def _work_and_money() -> dict:
    return {
        "_education": _latent(),
        "EducationYears": Derived(lambda t: _whole(14.5 + 3.3 * _normal(t, "_education"), 6, 23)),
        "JobCategory": Choice(range(1, 7), [28, 33, 12, 4, 9, 14]),
        "UnionMember": _yes(0.15),
        "_employment": _latent(),
        "EmploymentLength": Derived(lambda t: _whole((t["Age"] - 16) * t["_employment"].div(_LATENT).pow(2.2), 0, 55)),
        "_retired": _latent(),
        "Retired": Derived(lambda t: ((t["Age"] > 55) & (t["_retired"] / _LATENT < (t["Age"] - 50) / 45)).astype(int)),
        "_income": _latent(),
        "HouseholdIncome": Derived(_income),
        "_ratio": _latent(),
        "_share": _latent(),
        "CreditDebt": Derived(_credit_debt),
        "OtherDebt": Derived(lambda t: (t["HouseholdIncome"] * _ratio(t) * (1 - _share(t))).round(6)),
        "DebtToIncomeRatio": Derived(
            lambda t: (100 * (t["CreditDebt"] + t["OtherDebt"]) / t["HouseholdIncome"]).round(1)
        ),
        "_default": _latent(),
        "LoanDefault": Derived(lambda t: _likely(t, "_default", 0.23, 0.5 * (48 - t["Age"]) / 18)),
    }


def _cars() -> dict:
    return {
        "CarsOwned": Choice(range(9), [10, 22, 32, 22, 9.5, 3, 1, 0.4, 0.1]),
        "_owned": _yes(0.82),
        "_domestic": _yes(0.49),
        "_car": _latent(),
        "CarOwnership": Derived(lambda t: t["_owned"].where(t["CarsOwned"] > 0, -1)),
        "CarBrand": Derived(lambda t: t["_domestic"].where(t["CarsOwned"] > 0, -1)),
        "CarValue": Derived(_car_value),
        "_commute": _latent(),
        "CommuteTime": Derived(lambda t: _whole(25 + 6 * _normal(t, "_commute"), 1, 48)),
        "Telecommute": Derived(lambda t: np.full(len(t), np.nan)),
    }


def _telephone() -> dict:
    return {
        "_tenure": _latent(),
        "PhoneCoTenure": Derived(_phone_tenure),
        "_card": _latent(),
        "CardTenure": Derived(lambda t: _whole(t["PhoneCoTenure"] * 0.45 + 5 * _normal(t, "_card"), 0, 40)),
        "_voice": _latent(),
        "VoiceLastMonth": Derived(
            lambda t: np.exp(1.6 + t["PhoneCoTenure"] / 55 + 0.55 * _normal(t, "_voice")).clip(0.9, 180).round(2)
        ),
        "_bill": _latent(),
        "VoiceOverTenure": Derived(_voice_over_tenure),
        "_equipment": _latent(),
        "_rent": _latent(),
        "_data": _latent(),
        "_over": _latent(),
        "EquipmentRental": Derived(lambda t: _likely(t, "_equipment", 0.34, 0.6 * _normal(t, "_education"))),
        "EquipmentLastMonth": Derived(lambda t: _monthly(t, "EquipmentRental", "_rent", 36.5, 0.3)),
        "EquipmentOverTenure": Derived(lambda t: _over_tenure(t, "EquipmentLastMonth")),
        "CallingCard": _yes(0.72),
        "_wireless": _latent(),
        "WirelessData": Derived(lambda t: _likely(t, "_wireless", 0.27, 0.8 * (t["EquipmentRental"] - 0.34))),
        "DataLastMonth": Derived(lambda t: _monthly(t, "WirelessData", "_data", 36.5, 0.45)),
        "DataOverTenure": Derived(lambda t: _over_tenure(t, "DataLastMonth")),
        "Multiline": _yes(0.49),
        **_follows("VM", "WirelessData", 0.8, 0.12),
        **_follows("Pager", "WirelessData", 0.75, 0.06),
        "Internet": Choice(range(5), [50, 15, 11, 12, 12]),
        "CallerID": _yes(0.47),
        **_follows("CallWait", "CallerID", 0.8, 0.19),
        **_follows("CallForward", "CallerID", 0.8, 0.19),
        **_follows("ThreeWayCalling", "CallerID", 0.8, 0.19),
        **_follows("EBilling", "EquipmentRental", 0.7, 0.17),
    }


def _habits() -> dict:
    return {
        "PoliticalPartyMem": _yes(0.38),
        "Votes": _yes(0.52),
        "CreditCard": Choice(range(1, 6), [20, 25, 24, 27, 4]),
        "_items": _latent(),
        "_spend": _latent(),
        "CardItemsMonthly": Derived(lambda t: _whole(10.2 + 3.4 * _normal(t, "_items"), 0, 23)),
        "CardSpendMonthly": Derived(
            lambda t: (28 * t["CardItemsMonthly"] * np.exp(0.5 * _normal(t, "_spend"))).round(2)
        ),
        "ActiveLifestyle": _yes(0.47),
        "_television": _latent(),
        "TVWatchingHours": Derived(
            lambda t: _whole(20 + 5 * _normal(t, "_television"), 0, 36).where(t["_television"] > 0.02 * _LATENT, 0)
        ),
        **_follows("OwnsPC", "EBilling", 0.9, 0.48),
        **_follows("OwnsMobileDevice", "EquipmentRental", 0.8, 0.31),
        **_follows("OwnsGameSystem", "EquipmentRental", 0.78, 0.31),
        **_follows("OwnsFax", "WirelessData", 0.5, 0.06),
        "NewsSubscriber": _yes(0.47),
    }


def _latent() -> Integers:
    """Return the draw that a continuous value is made of."""
    return Integers(0, _LATENT - 1)


def _yes(share: float) -> Choice:
    return Choice([0, 1], [1 - share, share])


def _normal(table: pd.DataFrame, column: str) -> pd.Series:
    return pd.Series(ndtri((table[column].to_numpy() + 0.5) / _LATENT))


def _whole(values: pd.Series, low: int, high: int) -> pd.Series:
    return values.round().clip(low, high).astype(int)


def _likely(table: pd.DataFrame, column: str, share: float, score: pd.Series) -> pd.Series:
    """Return 1 for about `share` of the rows, the more likely the higher the score (in standard deviations)."""
    return (_normal(table, column) + score > -ndtri(share) * np.hypot(1, score.std(ddof=0))).astype(int)


def _follows(column: str, leader: str, if_yes: float, if_no: float) -> dict:
    """Return the schema of a column of 0 and 1 that is 1 with one probability or the other."""
    latent = f"_{column}"

    def likely(table):
        return (table[latent] / _LATENT < np.where(table[leader] == 1, if_yes, if_no)).astype(int)

    return {latent: _latent(), column: Derived(likely)}


def _income(table: pd.DataFrame) -> pd.Series:
    income = 8 + np.exp(3.4 + 0.93 * (0.9 * _normal(table, "_income") + 0.43 * _normal(table, "_employment")))
    return _whole(income.mask(_is_largest(income), income.clip(950)), 9, 1100)


def _is_largest(values: pd.Series) -> pd.Series:
    return values.rank(ascending=False, method="first") == 1


def _ratio(table: pd.DataFrame) -> np.ndarray:
    """Return the ratio of debt to income: about 0.1, with a long right tail."""
    return 0.0355 * gammaincinv(2.8, (table["_ratio"].to_numpy() + 0.5) / _LATENT)


def _share(table: pd.DataFrame) -> np.ndarray:
    """Return the share of credit among debts: about a third."""
    return betaincinv(2, 4, (table["_share"].to_numpy() + 0.5) / _LATENT)


def _credit_debt(table: pd.DataFrame) -> pd.Series:
    debt = table["HouseholdIncome"] * _ratio(table) * _share(table)
    outlier = _is_largest(table["HouseholdIncome"])
    others = LARGEST_DEBT * -np.expm1(-debt.mask(outlier, 0) / LARGEST_DEBT)
    return _without_gaps(others).mask(outlier, OUTLYING_DEBT).round(6)


def _without_gaps(values: pd.Series) -> pd.Series:
    """Return values, the largest lowered so that none is 1.3 times as far from the median as the next."""
    order = np.argsort(values.to_numpy(), kind="stable")
    top = order[len(order) - min(len(order) // 20, 200) :]
    growth = 1.3 ** np.arange(len(top))
    middle, lowered = values.median(), values.to_numpy(copy=True)
    lowered[top] = middle + growth * np.minimum.accumulate((lowered[top] - middle) / growth)
    return pd.Series(lowered)


def _car_value(table: pd.DataFrame) -> pd.Series:
    value = (0.45 * table["HouseholdIncome"] * np.exp(0.3 * _normal(table, "_car"))).clip(2, 99.6).round(1)
    return value.where(table["CarsOwned"] > 0, -1.0)


def _phone_tenure(table: pd.DataFrame) -> pd.Series:
    share = ndtr(0.6 * (table["Age"] - 48.5) / 18 + 0.8 * _normal(table, "_tenure"))
    newest = table["_tenure"].rank(method="first") <= 3
    return (1 + np.floor(72 * share)).clip(1, 72).astype(int).mask(newest, 0)


def _voice_over_tenure(table: pd.DataFrame) -> pd.Series:
    paid = (table["VoiceLastMonth"] * table["PhoneCoTenure"] * np.exp(0.1 * _normal(table, "_bill"))).round(2)
    return paid.astype("str").str.removesuffix(".0").mask(table["PhoneCoTenure"] == 0, NULL)


def _monthly(table: pd.DataFrame, rented: str, latent: str, median: float, spread: float) -> pd.Series:
    """Return a month's bill: 0 where the service is not rented."""
    return (median * np.exp(spread * _normal(table, latent)) * table[rented]).clip(upper=190).round(2)


def _over_tenure(table: pd.DataFrame, monthly: str) -> pd.Series:
    return (table[monthly] * table["PhoneCoTenure"] * (0.85 + 0.25 * table["_over"] / _LATENT)).round(2)
