"""Recipe files: TOML becomes a pipeline of listed steps; whatever is wrong is said in one line, with its place."""

import datetime
import pickle
import random
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import skdp
from skdp import (
    Choice,
    Conditional,
    Copy,
    Dates,
    DistributionImputer,
    DPBounds,
    Fake,
    FakerSynthesizer,
    FromColumn,
    Integers,
    KAnonymizer,
    QuantileBinner,
)  # fmt: skip
from skdp._recipe_files import SCIKIT_LEARN, STEPS, read
from skdp.datasets import make_customer_survey
from skdp.metrics import k_anonymity, l_diversity
from skdp.recipes import load

RECIPES = Path(__file__).parent.parent / "examples" / "recipes"
REAL_SURVEY = Path(__file__).parent.parent.parent / "shared" / "data" / "customer_survey.csv"
NOISE = '[[steps]]\nuse = "LaplaceNoise"\n'
BINS = '[[steps]]\nuse = "QuantileBinner"\nepsilon = 1\n'


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a recipe and returns its path."""

    def write(text):
        path = tmp_path / "recipe.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture
def people():
    return pd.DataFrame({
        "Name": ["Ana", "Eva", "Ida", "Uma"], "Age": [34, 71, 20, 50], "Town": ["Lima", "Oslo", "Oslo", "Lima"],
        "Debt": [1.5, 2.5, None, 0.5],
    })  # fmt: skip


def problem(path, table=None):
    """Return the one line that is wrong with a recipe, without the folder."""
    with pytest.raises((ValueError, TypeError)) as error:
        pipeline = load(path)
        pipeline.fit_transform(table)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.replace(str(path), path.name)


def test_every_step_of_skdp_can_be_named():
    steps = {
        name for name, one in vars(skdp).items()
        if isinstance(one, type) and issubclass(one, skdp.base.PrivacyTransformer)
    }  # fmt: skip
    assert steps == set(STEPS)


def test_steps_roles_and_title(written, people):
    recipe = read(written(
        'title = "People"\nquasi_identifiers = ["Age", "Town"]\nsensitive = "Debt"\n'
        '[[steps]]\nuse = "PIICleaner"\nidentifiers = ["Name"]\n'
        '[[steps]]\nuse = "KAnonymizer"\nk = 2\n'
    ))  # fmt: skip
    assert (recipe.title, recipe.quasi_identifiers, recipe.sensitive) == ("People", ("Age", "Town"), ("Debt",))
    assert isinstance(recipe.pipeline, skdp.Pipeline)
    assert list(recipe.pipeline.named_steps) == ["piicleaner", "kanonymizer"]
    released = recipe.pipeline.fit_transform(people)
    assert list(released) == ["Age", "Town", "Debt"]
    assert k_anonymity(released, ["Age", "Town"]) == 2


def test_a_step_s_own_roles_come_before_those_of_the_recipe(written):
    path = written('quasi_identifiers = ["Age"]\n[[steps]]\nuse = "KAnonymizer"\nquasi_identifiers = ["Town"]\n')
    assert load(path)[-1].quasi_identifiers == ["Town"]


def test_steps_of_one_kind_are_numbered(written):
    path = written((NOISE + "columns = []\n") * 2)
    assert list(load(path).named_steps) == ["laplacenoise-1", "laplacenoise-2"]


def test_the_seed_goes_to_every_step_that_draws(written):
    path = written(NOISE + '[[steps]]\nuse = "DistributionImputer"\n[[steps]]\nuse = "QuantileBinner"\n')
    pipeline = load(path, random_state=7)
    assert [getattr(step, "random_state", None) for _, step in pipeline.steps] == [7, 7, 7]
    assert load(path)[0].random_state is None
    with pytest.raises(ValueError, match="random_state"):
        load(path, random_state=-1)


def test_rows_that_are_dropped_are_told(written):
    table = pd.DataFrame({"Debt": [*range(50), 1000]})
    released, keep = load(written('[[steps]]\nuse = "OutlierDropper"\n')).fit_release(table)
    assert keep.tolist() == [True] * 50 + [False]
    assert len(released) == 50


@pytest.mark.parametrize("step", ["QuantileBinner", "OutlierDropper", "DistributionImputer"])
def test_bounds_that_are_learned(written, step):
    def bounds(text):
        return load(written(f'[[steps]]\nuse = "{step}"\nepsilon = 1\nbounds = {text}\n'))[0].bounds

    assert bounds("[0, 90]") == [0, 90]
    assert bounds("{ Age = [0, 90] }") == {"Age": [0, 90]}
    assert bounds("{ epsilon = 0.2 }") == DPBounds(0.2)
    assert bounds("{ Age = [0, 90], Debt = { epsilon = 1, low = 0, failure = 1e-6 } }") == {
        "Age": [0, 90], "Debt": DPBounds(1, low=0, failure=1e-6),
    }  # fmt: skip
    assert bounds("{ epsilon = [0, 1] }") == {"epsilon": [0, 1]}  # a column of that name
    assert bounds("{ epsilon = { epsilon = 2 } }") == {"epsilon": DPBounds(2)}
    assert bounds("{ none = true }") is None


def test_bounds_that_a_recipe_learns_are_those_of_python(written):
    table = pd.DataFrame({"Age": np.arange(5000) % 60 + 20.0, "Debt": np.arange(5000) % 100 / 4})
    text = '[[steps]]\nuse = "QuantileBinner"\nn_bins = 4\nepsilon = 1\nbounds = '
    binner = load(written(text + "{ Age = [18, 80], Debt = { epsilon = 0.5 } }"), random_state=3)[0].fit(table)
    own = QuantileBinner(4, epsilon=1, bounds={"Age": (18, 80), "Debt": DPBounds(0.5)}, random_state=3).fit(table)
    pd.testing.assert_frame_equal(binner.transform(table), own.transform(table))
    assert load(written(text + "{ Debt = { epsilon = 0.5 } }"))[0].fit(table).privacy_guarantee_.epsilon == 1.5


def test_schemas(written):
    path = written("""
        [[steps]]
        use = "FakerSynthesizer"
        count = "Records"
        [steps.schema]
        person = { fake = "name", locale = { from_column = "Country", default = "de_DE" }, unique = true }
        home = { fake = "address", locale = "es_MX", reject = "undeliverable" }
        word = { fake = "bothify", arguments = { text = "??-##" } }
        points = { integers = [1, 6] }
        group = { choice = ["a", { none = true }], weights = [3, 1] }
        arrival = { dates = { year = "Year" } }
        leaving = { dates = { start = "arrival", end = 9998-12-31 } }
        country = { copy = "Country" }
    """)
    synthesizer = load(path, random_state=1)[0]
    expected = {
        "person": Fake("name", FromColumn("Country", "de_DE"), unique=True),
        "home": Fake("address", "es_MX", reject=skdp.is_undeliverable), "word": Fake("bothify", text="??-##"),
        "points": Integers(1, 6), "group": Choice(["a", None], [3, 1]), "arrival": Dates(year="Year"),
        "leaving": Dates("arrival", datetime.date(9998, 12, 31)), "country": Copy("Country"),
    }  # fmt: skip
    assert repr(synthesizer.schema) == repr(expected)
    request = pd.DataFrame({"Country": ["MEXICO", "CHINA"], "Year": [2020, 2018], "Records": [20, 30]})
    made = load(path, random_state=1).fit_transform(request)
    by_hand = FakerSynthesizer(expected, count="Records", random_state=1).fit_transform(request)
    pd.testing.assert_frame_equal(made, by_hand)


def test_distributions(written):
    path = written("""
        [[steps]]
        use = "DistributionImputer"
        by = ["Town"]
        [steps.distributions]
        Debt = "observed"
        Gender = { female = 51, male = 49 }
        Visits = [{ value = 1, weight = 0.8 }, { range = [2, 9], weight = 0.2 }]
        Height = [{ range = [1.5, 2.0], weight = 1 }]
        [steps.distributions.Age]
        groups = [{ group = "Lima", weights = [{ range = [20, 29], weight = 1 }] }]
        otherwise = [{ range = [60, 70], weight = 1 }]
    """)
    assert load(path)[0].distributions == {
        "Debt": "observed", "Gender": {"female": 51, "male": 49}, "Visits": {1: 0.8, (2, 9): 0.2},
        "Height": {(1.5, 2.0): 1}, "Age": Conditional({"Lima": {(20, 29): 1}}, {(60, 70): 1}),
    }  # fmt: skip
    towns = pd.DataFrame({"Town": ["Lima", "Oslo"] * 10, "Debt": [1.0, None] * 10})
    drawn = load(path, random_state=0).fit_transform(towns)
    expected = DistributionImputer(load(path)[0].distributions, by=["Town"], random_state=0).fit_transform(towns)
    pd.testing.assert_frame_equal(drawn, expected)
    assert ((drawn["Age"] < 30) == (drawn["Town"] == "Lima")).all()


def test_hierarchies_in_place_or_in_a_file_beside_the_recipe(written, people, tmp_path):
    places = {"Lima": ["America", "World"], "Oslo": ["Europe", "World"]}
    (tmp_path / "towns.csv").write_text("".join(f"{town};{';'.join(above)}\n" for town, above in places.items()))
    inline = 'hierarchies.Town = { Lima = ["America", "World"], Oslo = ["Europe", "World"] }\n'
    expected = KAnonymizer(4, quasi_identifiers=["Town"], hierarchies={"Town": places}).fit_transform(people)
    for text in (inline, 'hierarchies.Town = "towns.csv"\n'):
        path = written('quasi_identifiers = ["Town"]\n[[steps]]\nuse = "KAnonymizer"\nk = 4\n' + text)
        pd.testing.assert_frame_equal(load(path).fit_transform(people), expected)


@pytest.mark.parametrize("name", ["../towns.csv", "/etc/passwd", "nowhere.csv", "x\\u0000.csv", ".", "x" * 5000])
def test_a_hierarchy_is_read_from_no_other_folder(written, name):
    path = written(f'[[steps]]\nuse = "KAnonymizer"\nhierarchies.Town = "{name}"\n')
    assert "line 1, steps[1].hierarchies.Town: " in problem(path)


def test_scikit_learn_on_some_columns(written, people):
    path = written('[[steps]]\nuse = "StandardScaler"\ncolumns = ["Age"]\nwith_mean = false\n')
    scaled = load(path).fit_transform(people)
    assert sorted(scaled) == sorted(people)
    assert scaled["Age"].tolist() == pytest.approx((people["Age"] / people["Age"].std(ddof=0)).tolist())
    assert scaled["Town"].tolist() == people["Town"].tolist()


@pytest.mark.parametrize("name", SCIKIT_LEARN)
def test_each_transformer_of_scikit_learn_works_on_a_table(written, name):
    table = pd.DataFrame({"Age": np.arange(60.0), "Town": ["Lima", "Oslo"] * 30})
    pipeline = load(written(f'[[steps]]\nuse = "{name}"\ncolumns = ["Age"]\n'), random_state=0)
    with np.errstate(all="ignore"), pytest.warns() if name == "QuantileTransformer" else _nothing():
        out = pipeline.fit_transform(table)
    assert isinstance(out, pd.DataFrame)
    assert out["Town"].tolist() == table["Town"].tolist()


class _nothing:  # noqa: N801
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def test_estimators_of_scikit_learn_that_run_code_are_not_listed():
    assert "FunctionTransformer" not in SCIKIT_LEARN
    assert all(hasattr(sklearn.preprocessing, name) or name == "SimpleImputer" for name in SCIKIT_LEARN)


ERRORS = {
    "": "recipe.toml: has no steps",
    "steps = 1": "recipe.toml: has no steps",
    "steps = [1]": "steps[1]: must be a table",
    "stepz = []": "recipe.toml, stepz: there is no such key here; did you mean 'steps'",
    "[[steps]]\nk = 5": "line 1, steps[1]: must have a key 'use'",
    '\n\n[[steps]]\nuse = "LaplaseNoise"': "line 3, steps[1].use: there is no step 'LaplaseNoise'; did you mean 'Lapl",
    NOISE + "epsilom = 1": "steps[1].epsilom: there is no such key here; did you mean 'epsilon'",
    NOISE + "random_state = 1": "steps[1].random_state: cannot be set in a recipe; give it to skdp.recipes.load",
    BINS + "bounds = { epsilon = -1 }": "steps[1].bounds: The 'epsilon' parameter of DPBounds must be a number of at",
    BINS + "bounds = { Age = { epsilom = 1 } }": ".Age.epsilom: there is no such key here; did you mean 'epsilon'",
    BINS + "bounds = { Age = { low = 0 } }": "steps[1].bounds.Age: needs the key 'epsilon', what learning the",
    BINS + "bounds = { Age = { epsilon = [0, 1] } }": "steps[1].bounds.Age: The 'epsilon' parameter of DPBounds must",
    NOISE + "epsilon = nan": "steps[1].epsilon: must be a finite number",
    NOISE + "epsilon = 1\nepsilon = 2": "recipe.toml: is no valid TOML: Cannot overwrite a value (at",
    NOISE + "x = [": "recipe.toml: is no valid TOML: Invalid value (at",
    NOISE + "epsilon = 07:32:00": "must be a date without a time",
    NOISE + f"epsilon = {10**30}": "must be a number of at most 64 bits",
    NOISE + "epsilon = 1" + "0" * 5000: "too many digits",
    NOISE + "epsilon = " + "[" * 900 + "]" * 900: "is nested",
    NOISE + "epsilon = " + "[" * 50 + "]" * 50: "is nested more than 12 levels deep",
    b"\xff\xfe": "recipe.toml: line 1 is no UTF-8 text",
    b"#" * 1_000_001: "is larger than 1 MB",
    'title = 1\n[[steps]]\nuse = "QuantileBinner"': "title: must be a text",
    'quasi_identifiers = ["A", "A"]\n' + NOISE: "quasi_identifiers: must be an array of column names without repeats",
    '[[steps]]\nuse = "RandomizedResponse"': "steps[1]: RandomizedResponse needs the key 'epsilon'",
    '[[steps]]\nuse = "os.system"': "there is no step 'os.system'.",
    '[[steps]]\nuse = "__import__"': "there is no step '__import__'",
    '[[steps]]\nuse = "FunctionTransformer"\nfunc = "eval"': "there is no step 'FunctionTransformer'",
    NOISE + "__class__ = 1": "steps[1].__class__: there is no such key here",
    NOISE + "self = 1": "steps[1].self: there is no such key here",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema = "name"': "schema: must have a table for each column",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = "name"': 'schema.a: must be a table such as { fake = "name" }',
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = { faek = "name" }': "did you mean 'fake'",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = { fake = "name", copy = "b" }': "exactly one of the keys",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = { fake = "__init__" }': "must be the name of a Faker method",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = { fake = "name", arguments = { providers = "os" } }': "arguments",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = { fake = "name", arguments = { self = 1 } }': "arguments: must be",
    "\n" + "a." * 400_000 + "a = 1": "line 2 has more than 500 dots",
    NOISE * 101: "steps: are 101; a recipe has at most 100",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = { fake = "address", reject = "eval" }': "Known: undeliverable",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = { integers = 3 }': "schema.a.integers: must be an array of two",
    '[[steps]]\nuse = "FakerSynthesizer"\nschema.a = { derived = "os.getcwd" }': "exactly one of the keys",
    '[[steps]]\nuse = "DistributionImputer"\ndistributions.A = [{ range = [1], weight = 1 }]': "A[1].range: must be an",
    '[[steps]]\nuse = "DistributionImputer"\ndistributions.A = [{ value = [1], weight = 1 }]': "a single value",
}  # fmt: skip


FAKE = '[[steps]]\nuse = "FakerSynthesizer"\ncount = "Records"\n'


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        ('"sentence", arguments = { nb_words = 1_000_000_000 }', "arguments: ask for 1,000,000,000 in each record"),
        ('"text", arguments = { max_nb_chars = 1_000_000_000_000 }', "10,000 characters are the most"),
        ('"texts", arguments = { nb_texts = 900, max_nb_chars = 900 }', "ask for 810,000"),
        ('"random_number", arguments = { digits = 1e9 }', "ask for 1,000,000,000.0 in each record"),
        ('"password", arguments = { length = 10_001 }', "ask for 10,001"),
        (f'"numerify", arguments = {{ text = "{"#" * 10_001}" }}', "arguments.text: must have at most 10,000"),
        ('"binary"', "'binary' makes bytes"),
    ],
)
def test_a_faker_argument_that_would_eat_all_memory_is_refused(written, fake, message):
    assert message in problem(written(FAKE + f"schema.a = {{ fake = {fake} }}"))


@pytest.mark.parametrize(
    "fake",
    [
        '"sentence", arguments = { nb_words = 1000 }', '"pystr", arguments = { min_chars = 200, max_chars = 200 }',
        '"pyint", arguments = { min_value = 0, max_value = 1_000_000_000_000 }',
        '"pydecimal", arguments = { left_digits = 12, right_digits = 2 }',
    ],
)  # fmt: skip
def test_faker_arguments_of_a_usual_size_are_taken(written, fake):
    made = load(written(FAKE + f"schema.a = {{ fake = {fake} }}"))
    assert len(made.fit_transform(pd.DataFrame({"Records": [3]}))) == 3


@pytest.mark.parametrize(("text", "message"), ERRORS.items(), ids=range(len(ERRORS)))
def test_what_is_wrong_with_a_file_is_said_with_its_place(written, text, message):
    found = problem(written(text))
    assert found.startswith("recipe.toml")
    assert message in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (NOISE + "epsilon = -1\nbounds = [0, 1]", "The 'epsilon' parameter of LaplaceNoise must be a positive number"),
        (NOISE + 'bounds = { Debd = [0, 1] }', "'Debd' (parameter 'bounds'), which is not in the table; did you mean"),
        ('[[steps]]\nuse = "MinMaxScaler"\ncolumns = ["Agee"]', "did you mean 'Age'"),
        ('[[steps]]\nuse = "FakerSynthesizer"\nschema.Name = { fake = "nmae" }', "did you mean 'name'"),
    ],
)  # fmt: skip
def test_what_only_fit_can_find_names_file_line_and_step(written, people, text, message):
    path = written('[[steps]]\nuse = "OutlierDropper"\n\n' + text)
    found = problem(path, people)
    assert re.match(r"recipe\.toml, line 4, steps\[2\] \(\w+\): ", found)
    assert message in found
    with pytest.raises(ValueError, match=r"steps\[2\] \("):
        clone(load(path)).fit(people)


def test_transform_names_the_step_too(written, people):
    pipeline = load(written(NOISE + "bounds = { Debt = [0, 9] }")).fit(people)
    with pytest.raises(ValueError, match=r"line 1, steps\[1\] \(LaplaceNoise\): "):
        pipeline.transform(people.drop(columns="Debt"))


def test_no_cell_gets_into_a_message(written, people):
    found = problem(written('[[steps]]\nuse = "StandardScaler"\ncolumns = ["Town"]'), people)
    assert "steps[1] (StandardScaler): cannot work with these parameters and this table (ValueError)" in found
    assert "Lima" not in found


def test_long_values_are_cut_short(written, people):
    edges = list(range(5000, 0, -1))
    found = problem(written(f'[[steps]]\nuse = "IntervalBinner"\nedges.Age = {edges}'), people)
    assert len(found) < 700


def test_the_survey_job_on_a_fictitious_survey():
    survey = make_customer_survey(random_state=0)
    recipe = read(RECIPES / "customer_survey.toml")
    _check_survey(survey, recipe, recipe.pipeline.fit_transform(survey))


@pytest.mark.skipif(not REAL_SURVEY.exists(), reason="the survey is not beside the checkout")
def test_the_survey_job_on_the_survey():
    from skdp._files import read_table

    survey = read_table(REAL_SURVEY, decimals=True)
    recipe = read(RECIPES / "customer_survey.toml")
    _check_survey(survey, recipe, recipe.pipeline.fit_transform(survey))


def _check_survey(survey, recipe, released):
    known = list(recipe.quasi_identifiers)
    assert known == ["Region", "TownSize", "Gender", "EducationYears", "JobCategory"]
    assert len(released) == len(survey) - 1
    assert list(released) == [name for name in survey if name not in recipe.pipeline[0].identifiers]
    assert k_anonymity(survey, known) == 1
    assert k_anonymity(released, known) >= 5
    assert l_diversity(released, known, "LoanDefault") >= 2
    assert released["Age"].cat.ordered
    assert recipe.pipeline["laplacenoise"].privacy_guarantee_.epsilon == 1
    kept = survey.loc[released.index]
    assert (released["CreditDebt"] != kept["CreditDebt"]).mean() > 0.99


def test_the_travellers():
    request = pd.read_csv(RECIPES.parent / "bulk_request.csv")
    people = load(RECIPES / "travellers.toml", random_state=0).fit_transform(request)
    assert people.shape == (2191, 11)
    assert set(people["gender"]) == {"male", "female", "unknown"}


def _mutants(count, seed):
    """Yield recipes, each with one to three of its lines, words or values spoiled."""
    rng = random.Random(seed)
    texts = [path.read_text() for path in sorted(RECIPES.glob("*.toml"))]
    texts = ["\n".join(line for line in text.splitlines() if not line.startswith("#")) for text in texts]
    values = [
        "nan", "-inf", "-1", "0", "1e308", "9223372036854775807", "true", '""', '"__class__"', "[]", "[[]]", "{}",
        "{ none = true }", "1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", '"\\u0000"', '["a", 1]', "[nan, nan]",
        '"../../x"', "{ Age = 1 }", "{ Age = [] }", '"observed"', "0x" + "f" * 4000, "'''\n'''", "[0, [1, [2]]]",
    ]  # fmt: skip
    words = [
        "use",
        "steps",
        "KAnonymizer",
        "fake",
        "[[steps]]",
        "=",
        "Age",
        "[",
        '"',
        "QuantileBinner",
        "StandardScaler",
    ]
    for _ in range(count):
        text = rng.choice(texts)
        for _ in range(rng.randint(1, 3)):
            lines = text.splitlines()
            number = rng.randrange(len(lines))
            kind = rng.randrange(5)
            if kind == 0:
                lines.pop(number)
            elif kind == 1:
                lines.insert(number, rng.choice(lines))
            elif kind == 2:
                lines[number] = lines[number].partition("=")[0] + "= " + rng.choice(values)
            elif kind == 3:
                found = list(re.finditer(r"-?\d+\.?\d*|\"[^\"]*\"|\[[^\[\]]*\]|\w+", lines[number]))
                if found:
                    one = rng.choice(found)
                    new = rng.choice(values + words)
                    lines[number] = lines[number][: one.start()] + new + lines[number][one.end() :]
            else:
                lines[number] = lines[number].replace(rng.choice("abcdeilmnopstu"), rng.choice("xyz_\"'[ =\t"), 1)
            text = "\n".join(lines)
        yield text


def test_spoiled_recipes_are_refused_in_one_line_or_work(written):
    """300 mutants of the two examples: each loads and runs, or says what is wrong with which file."""
    survey, request = make_customer_survey(40, random_state=0), pd.read_csv(RECIPES.parent / "bulk_request.csv")
    request["Records"] = 5
    refused = 0
    for text in _mutants(300, seed=2):
        path = written(text)
        table = request if "FakerSynthesizer" in text else survey
        try:
            load(path, random_state=0).fit_transform(table)
        except (ValueError, TypeError) as error:
            assert str(error).startswith(str(path)), text
            assert "\n" not in str(error)
            refused += 1
    assert 100 < refused < 300


def test_errors_that_callers_tell_apart_stay_what_they_are(written, people):
    with pytest.raises(NotFittedError):
        load(written(NOISE + "bounds = { Debt = [0, 9] }")).transform(people)


def test_a_pipeline_from_a_recipe_can_be_pickled(written, people):
    pipeline = pickle.loads(pickle.dumps(load(written(NOISE + "epsilon = -1\nbounds = { Debt = [0, 9] }"))))
    with pytest.raises(ValueError, match=r"line 1, steps\[1\] \(LaplaceNoise\): "):
        pipeline.fit(people)


def test_the_recipe_in_the_readme(written):
    (text,) = re.findall(r"```toml\n(.*?)```", (RECIPES.parent.parent / "README.md").read_text(), re.DOTALL)
    survey = make_customer_survey(300, random_state=0)
    recipe = read(written(text))
    assert k_anonymity(recipe.pipeline.fit_transform(survey), recipe.quasi_identifiers) >= 5


def test_the_examples_are_plain_toml():
    for path in RECIPES.glob("*.toml"):
        assert tomllib.loads(path.read_text())["title"]


@pytest.mark.parametrize("text", ["4,low,*\n5,*\n6,high,*\n", "4;low;*\n5;*\n6;high;*\n", "4,low,*\n5,*,\n6,high,*\n"])
def test_a_row_of_a_hierarchy_file_that_is_too_short_is_called_ragged(written, tmp_path, text):
    """Filled up with an empty root, it was said to have a second root."""
    (tmp_path / "ages.csv").write_text(text)
    path = written('[[steps]]\nuse = "KAnonymizer"\nhierarchies.Age = "ages.csv"\n')
    found = problem(path)
    assert "steps[1].hierarchies.Age: the file 'ages.csv' must have rows of one length each (it is ragged)." in found
    assert found.endswith("Got 1 row with too few nodes, or with an empty last one.")


def test_a_hierarchy_file_may_end_each_row_with_its_delimiter(written, people, tmp_path):
    (tmp_path / "towns.csv").write_text("Lima;America;World;\nOslo;Europe;World;\n")
    path = written(
        'quasi_identifiers = ["Town"]\n[[steps]]\nuse = "KAnonymizer"\nk = 4\nhierarchies.Town = "towns.csv"\n'
    )
    assert len(load(path).fit_transform(people)) == len(people)
