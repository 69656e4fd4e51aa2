"""What a private release is still good for: ``python -m benchmarks.private_models``.

A classifier is trained on what is released of three quarters of a table, and scored on the raw rows of the last
quarter, which nobody released: its AUC, mean and standard deviation over random splits, for ε from 0.1 to 10. The
tables are a customer survey (who defaults on a loan) and Adult (who earns more than 50,000 dollars). ε is that of a
whole record, the target with it, save where another is stated:

- raw: trained on the raw columns;
- joint answer: a few columns, made coarse by public rules, and the target are one answer of many, which goes through
  RandomizedResponse with the whole of ε. The more of ε there is, the finer the rules. Columns and rules follow what
  lenders and census takers ask first; who looked at the table to choose them would have to pay for that, too. The
  trainer weighs each answer by its unbiased share, which is post-processing;
- joint answer, target public: the same without the target, which goes out as it is, and is not protected;
- PrivateSearchCV: which columns, how coarse, and how much to regularise is searched for in private, each column with a
  randomized answer of its own. The target is public here, too, and the steps in front of the winner's predictor are
  fed the raw rows to be scored;
- every column, honest: LaplaceNoise over public bounds and RandomizedResponse over public categories on every column
  and the target, with ε split evenly: this is what the next line costs where it keeps its word;
- every column, naive: what is often done. Each column and the target get noise for the whole of ε, over bounds and
  categories that are read off the table. The ε that it claims is not what a record has: with public bounds that would
  be the number of columns times as much, and as they are not public it is infinite.
"""

import argparse
import itertools
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.synthesis import verdict
from skdp import IntervalBinner, LaplaceNoise, RandomizedResponse, make_pipeline
from skdp.datasets import make_customer_survey
from skdp.private_search import PrivateSearchCV

EPSILONS = [0.1, 0.3, 1, 3, 10]
DATA = Path(__file__).parents[2] / "shared" / "data"
DEGREES = ["Bachelors", "Masters", "Prof-school", "Doctorate"]
UNFINISHED = ["Preschool", "1st-4th", "5th-6th", "7th-8th", "9th", "10th", "11th", "12th"]
OFFICES = ["Exec-managerial", "Prof-specialty"]


@dataclass(frozen=True)
class Task:
    """A table, its target of 0 and 1, and what is public about it."""

    name: str
    table: pd.DataFrame
    target: pd.Series
    bounds: dict
    categories: dict
    coarse: Callable[[pd.DataFrame], pd.DataFrame]
    finer: list  # which coarse columns, from little ε to much


def survey_task() -> Task:
    """Return the survey: the shared file where there is one, else one of the same form."""
    path = DATA / "customer_survey.csv"
    table = pd.read_csv(path) if path.exists() else make_customer_survey(random_state=0)
    name = f"survey ({'shared file' if path.exists() else 'made by skdp'})"
    target = table.pop("LoanDefault")
    table = table.select_dtypes("number").drop(columns="Telecommute")
    return Task(name, table, target, _round_bounds(table), {}, _coarse_survey, [
        ["young"], ["young", "settled"], ["age", "settled", "indebted"], ["age", "employment", "debt"],
    ])  # fmt: skip


def _round_bounds(table) -> dict:
    """Return round bounds in the place of those that a publisher knows: 0 or -1, and 1, 2 or 5 times a power of ten."""
    rounds = np.outer(10 ** np.arange(8), [1, 2, 5]).ravel()
    highest = rounds[np.searchsorted(rounds, table.max())]
    return {
        column: (-1 if table[column].min() < 0 else 0, int(high)) for column, high in zip(table, highest, strict=True)
    }


def _coarse_survey(table) -> pd.DataFrame:
    ratio, years = table["DebtToIncomeRatio"], table["EmploymentLength"]
    bins = IntervalBinner({"Age": [25, 35, 50], "EmploymentLength": [2, 6, 12], "DebtToIncomeRatio": [5, 10, 15]})
    fine = bins.fit_transform(table[["Age", "EmploymentLength", "DebtToIncomeRatio"]]).astype(str)
    coarse = {
        "young": np.where(table["Age"] < 35, "under 35", "35 or over"),
        "settled": np.where(years < 5, "under 5 years", "5 years or over"),
        "indebted": np.where(ratio < 10, "under 10 %", "10 % or over"),
    }
    return fine.set_axis(["age", "employment", "debt"], axis=1).assign(**coarse)


def adult_task(rows: int = 30_162) -> Task:
    """Return Adult: the shared file where there is one, else a made table of the same columns."""
    path = DATA / "adult" / "adult.csv"
    table = pd.read_csv(path, sep=";") if path.exists() else _made_adult(rows)
    name = f"Adult ({'shared file' if path.exists() else 'made up: not the census'})"
    target = (table.pop("salary-class") == ">50K").astype(int)
    categories = {column: sorted(table[column].unique()) for column in table if column != "age"}  # the census's codes
    return Task(name, table, target, {"age": (15, 95)}, categories, _coarse_adult, [
        ["married"], ["married", "degree"], ["married", "schooling", "prime"],
        ["married", "schooling", "age", "office"],
    ])  # fmt: skip


def _coarse_adult(table) -> pd.DataFrame:
    education = table["education"]
    married = table["marital-status"].isin(["Married-civ-spouse", "Married-AF-spouse"])
    coarse = {
        "married": np.where(married, "married", "not married"),
        "degree": np.where(education.isin(DEGREES), "degree", "none"),
        "schooling": np.select([education.isin(DEGREES), education.isin(UNFINISHED)], ["degree", "none"], "school"),
        "prime": np.where(table["age"] < 32, "under 32", "32 or over"),
        "office": np.where(table["occupation"].isin(OFFICES), "office", "other"),
    }
    return IntervalBinner({"age": [25, 32, 40]}).fit_transform(table[["age"]]).astype(str).assign(**coarse)


def _made_adult(rows: int) -> pd.DataFrame:
    """Return a table of Adult's columns, by a few round shares."""
    rng = np.random.default_rng(0)
    shares = {
        "sex": {"Male": 0.68, "Female": 0.32},
        "race": {"White": 0.86, "Black": 0.09, "Other": 0.05},
        "marital-status": {"Married-civ-spouse": 0.47, "Never-married": 0.32, "Divorced": 0.21},
        "education": {"HS-grad": 0.33, "Some-college": 0.29, "11th": 0.13, "Bachelors": 0.17, "Masters": 0.08},
        "native-country": {"United-States": 0.91, "Mexico": 0.09},
        "workclass": {"Private": 0.74, "Self-emp-not-inc": 0.12, "Local-gov": 0.14},
        "occupation": {"Prof-specialty": 0.13, "Exec-managerial": 0.13, "Craft-repair": 0.24, "Other-service": 0.5},
    }
    table = pd.DataFrame({name: rng.choice([*one], rows, p=[*one.values()]) for name, one in shares.items()})
    table["age"] = np.clip(rng.gamma(6, 6.5, rows), 17, 90).astype(int)
    score = 2 * (table["marital-status"] == "Married-civ-spouse") + 1.5 * table["education"].isin(DEGREES)
    score += 0.8 * table["occupation"].isin(OFFICES) + 0.03 * (table["age"] - 40) - 3.2
    return table.assign(**{"salary-class": np.where(score + rng.logistic(size=rows) > 0, ">50K", "<=50K")})


def encoder():
    """Return what makes numbers of a table of any columns."""
    texts = OneHotEncoder(handle_unknown="ignore")
    numbers = make_column_selector(dtype_include="number")
    return make_column_transformer((StandardScaler(), numbers), (texts, make_column_selector(dtype_exclude="number")))


def classifier():
    return make_pipeline(encoder(), LogisticRegression(max_iter=300))


def raw(task, train, target, test, epsilon) -> np.ndarray:
    """Return the scores of the test rows by a model of raw rows."""
    return classifier().fit(train, target).predict_proba(test)[:, 1]


def joint(task, train, target, test, epsilon, *, target_is_public=False) -> np.ndarray:
    """Return the scores of the test rows by a model of joint answers."""
    columns = task.finer[int(np.searchsorted([0.2, 1.5, 5], epsilon, side="right"))]
    rows, served = task.coarse(train)[columns], task.coarse(test)[columns]
    values = [sorted({*rows[column], *served[column]}) for column in columns]  # all are labels of public rules
    asked = rows if target_is_public else rows.assign(target=target.astype(str))
    cells = pd.DataFrame(itertools.product(*values, *[["0", "1"]] * (not target_is_public)), columns=asked.columns)
    spelled = ["|".join(cell) for cell in cells.itertuples(index=False)]
    answers = pd.DataFrame({"answer": asked.agg("|".join, axis=1)})
    response = RandomizedResponse(Fraction(str(epsilon)), categories={"answer": spelled})
    released = pd.Categorical(response.fit_transform(answers)["answer"], spelled).codes
    keep = response.keep_probability_["answer"]
    if target_is_public:
        weights = [_unbiased(released[target == label], len(spelled), keep) for label in (0, 1)]
        cells = pd.concat([cells.assign(target=str(label)) for label in (0, 1)])
    else:
        weights = [_unbiased(released, len(spelled), keep)]
    model = make_pipeline(encoder(), LogisticRegression(max_iter=300))
    model.fit(cells[columns], cells["target"].astype(int), logisticregression__sample_weight=np.concatenate(weights))
    return model.predict_proba(served)[:, 1]


def _unbiased(released, size: int, keep: float) -> np.ndarray:
    """Return the estimated number of true answers of each kind; negative ones are 0."""
    other = (1 - keep) / (size - 1)
    return np.maximum((np.bincount(released, minlength=size) - len(released) * other) / (keep - other), 1e-9)


def joint_with_public_target(task, train, target, test, epsilon) -> np.ndarray:
    """Return the same where the target is public."""
    return joint(task, train, target, test, epsilon, target_is_public=True)


def searched(task, train, target, test, epsilon) -> np.ndarray:
    """Return the scores of the test rows by the winner of a private search."""
    rows, served = task.coarse(train), task.coarse(test)
    categories = {column: sorted({*rows[column], *served[column]}) for column in rows}
    trial = Fraction(str(epsilon)) / 2
    candidates = [
        {
            "chosen__transformers": [[("kept", "passthrough", columns)]],
            "noise": [RandomizedResponse(trial / len(columns), categories={one: categories[one] for one in columns})],
            "logisticregression__C": [0.01, 1],
        }
        for columns in task.finer
    ]
    chosen = ColumnTransformer([("kept", "passthrough", [])], verbose_feature_names_out=False)
    model = make_pipeline(chosen.set_output(transform="pandas"), "passthrough", encoder(), LogisticRegression())
    model.steps = [("chosen", model.steps[0][1]), ("noise", model.steps[1][1]), *model.steps[2:]]
    search = PrivateSearchCV(model, candidates, epsilon=2 * trial, scoring="roc_auc", n_trials=8)
    best = search.fit(rows, target).best_estimator_
    return best[2:].predict_proba(best[0].transform(served))[:, 1]


def every_column_honest(task, train, target, test, epsilon) -> np.ndarray:
    """Return the scores of the test rows by a model of every column, ε split among them and the target."""
    each = Fraction(str(epsilon)) / (train.shape[1] + 1)
    return _every_column(train, target, test, each, task.bounds, task.categories)


def every_column_naive(task, train, target, test, epsilon) -> np.ndarray:
    """Return the scores of the test rows by a model of every column, each with the whole of ε and its own bounds."""
    bounds = {column: (train[column].min(), train[column].max()) for column in task.bounds}
    bounds = {column: (low, high) for column, (low, high) in bounds.items() if low < high}
    categories = {column: sorted(train[column].unique()) for column in task.categories}
    return _every_column(train, target, test, Fraction(str(epsilon)), bounds, categories)


def _every_column(train, target, test, each, bounds, categories) -> np.ndarray:
    steps = [LaplaceNoise(each, bounds=bounds)]
    steps += [RandomizedResponse(each, categories=categories)] if categories else []
    response = RandomizedResponse(each, categories={"target": [0, 1]})
    labels = response.fit_transform(pd.DataFrame({"target": target}))["target"]
    return raw(None, make_pipeline(*steps).fit_transform(train), labels, test, each)


ARMS = {
    "joint answer": joint,
    "joint answer, target public": joint_with_public_target,
    "PrivateSearchCV, target public": searched,
    "every column, honest": every_column_honest,
    "every column, naive": every_column_naive,
}


def curve(task: Task, repeats: int, epsilons: list[float]) -> dict[str, np.ndarray]:
    """Return by arm the AUC of shape (n_repeats, n_epsilons)."""
    found = {name: np.zeros((repeats, len(epsilons))) for name in ["raw", *ARMS]}
    for repeat in range(repeats):
        parts = train_test_split(task.table, task.target, random_state=repeat, stratify=task.target)
        train, test, target, truth = parts
        found["raw"][repeat] = roc_auc_score(truth, raw(task, train, target, test, None))
        for name, arm in ARMS.items():
            for place, epsilon in enumerate(epsilons):
                found[name][repeat, place] = roc_auc_score(truth, arm(task, train, target, test, epsilon))
    return found


def report(repeats: int, epsilons: list[float] = EPSILONS) -> list[bool]:
    """Print the curves of both tables, and whether they show what they should."""
    passed = []
    for task in (survey_task(), adult_task()):
        found, columns = curve(task, repeats, epsilons), task.table.shape[1]
        print(f"AUC on raw rows, {task.name}: {len(task.table):,} rows × {columns} columns, {repeats} splits")
        print(f"  {'ε of a record':31}" + "".join(f"{epsilon:>15g}" for epsilon in epsilons))
        for name, scores in found.items():
            cells = zip(scores.mean(axis=0), scores.std(axis=0), strict=True)
            print(f"  {name:31}" + "".join(f"  {mean:.3f} ± {spread:.3f}" for mean, spread in cells))
        print(f"  the naive one has ε = ∞; {columns + 1} times what it claims if its bounds were public")
        means = {name: scores.mean(axis=0) for name, scores in found.items()}
        gain = (means["joint answer"] - means["every column, honest"])[epsilons.index(1)]
        passed.append(verdict(f"at ε = 1 a joint answer has {gain:+.3f} AUC on every column, honest", gain > 0))
    return passed


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10, help="random splits (default 10)")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore", UserWarning)
    return int(not all(report(options.repeats)))


if __name__ == "__main__":
    sys.exit(main())
