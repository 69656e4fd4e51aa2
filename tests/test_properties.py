"""Laws that every step keeps on any table, and commands that end in one line whatever they are given.

`tests.soak` runs the same functions for as long as one likes, with other tables and cases each time.
"""

import contextlib
import datetime
import functools
import io
import pickle
import random
import re
import signal
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import values
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from sklearn.base import clone
from test_common import ESTIMATORS, draws, has_lambda

from skdp import (
    DistributionImputer,
    IntervalBinner,
    KAnonymizer,
    OutlierDropper,
    PIICleaner,
    QuantileBinner,
    RandomizedResponse,
)
from skdp.cli import main
from skdp.recipes import load

QUICK = settings(
    derandomize=True, max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
REFUSALS = (ValueError, TypeError, NotImplementedError)  # what the command line says in one line

# Tables of the columns that the steps of test_common know

MISSING = st.none()
COLUMNS = {
    "age": MISSING | st.integers(0, 120),
    "income": MISSING | st.floats(-1e6, 1e6) | st.sampled_from([0.0, -0.0, 30.0, 1e-300, 1e6]),
    "visits": st.integers(0, 4),
    "city": MISSING
    | st.sampled_from(["Oslo", "Lima", "", "Dr. Ana Ruiz", "PO Box 7"])
    | st.text("aβ字 .,'-", max_size=6),
    "group": MISSING | st.sampled_from("abc"),
    "member": st.booleans(),
    "joined": MISSING | st.dates(datetime.date(1700, 1, 1), datetime.date(2200, 1, 1)),
}
POLARS = dict(
    zip(COLUMNS, [pl.Int64, pl.Float64, pl.Int64, pl.String, pl.Categorical, pl.Boolean, pl.Date], strict=True)
)


@st.composite
def tables(draw, max_rows=25):
    """Draw a table as a dict of lists."""
    size = draw(st.integers(1, max_rows))
    return {name: draw(st.lists(cells, min_size=size, max_size=size)) for name, cells in COLUMNS.items()}


def in_pandas(columns):
    table = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})
    kinds = {"age": "float64", "income": "float64", "visits": "int64", "city": "str", "group": "category"}
    return table.assign(joined=pd.to_datetime(table["joined"]).astype("datetime64[s]")).astype(
        kinds | {"member": "bool"}
    )


def in_polars(columns):
    return pl.DataFrame(columns, schema_overrides=POLARS)


ORDERS = st.integers(0, 2**32)  # no st.randoms, of which each law draws otherwise: then so are the tables that follow


def outcome(work):
    """Return what comes out of `work` as plain values, or that it was refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        try:
            return values(work())
        except REFUSALS:
            return "refused"


def served(step, table, rows=None):
    return outcome(lambda: clone(step).fit(table).transform(table if rows is None else rows))


def whole(step, columns):
    """Return what a step makes of a table, found once: all laws are shown the same tables."""
    return _whole(step, pickle.dumps(columns))


@functools.lru_cache(1000)
def _whole(step, columns):
    return served(step, in_pandas(pickle.loads(columns)))


def close(first, second):
    """Whether two outcomes are the same but for the last bits of sums in another order."""
    if "refused" in (first, second) or first.keys() != second.keys():
        return first == second
    return all(a == b or _near(a, b) for name in first for a, b in zip(first[name], second[name], strict=True))


def _near(first, second):
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (first, second))
    return numbers and np.isclose(first, second, rtol=1e-9, atol=0)


STEPS = [*ESTIMATORS, PIICleaner(names="city", action="mask")]  # one whose columns stay as they are

# The laws: each raises where a step breaks it on a table


def check_the_order_of_rows_teaches_nothing(step, columns, order):
    table = in_pandas(columns)
    places = order.sample(range(len(table)), len(table))
    assert close(served(step, table.iloc[places].reset_index(drop=True), table), whole(step, columns))


def check_the_order_of_columns_does_not_matter(step, columns, order):
    names = order.sample(list(columns), len(columns))
    assert close(served(step, in_pandas({name: columns[name] for name in names})), whole(step, columns))


def check_chunks_teach_what_the_whole_does(step, columns, order):
    table = in_pandas(columns)
    ends = sorted(order.choices(range(len(table) + 1), k=2))
    parts = [table[: ends[0]], table[ends[0] : ends[1]], table[ends[1] :]]

    def fed():
        steps = [clone(step).partial_fit(part) for part in parts]
        return steps[2].merge(steps[0]).merge(steps[1]).transform(table)

    assert close(outcome(fed), whole(step, columns))


def check_rows_are_served_alike_in_chunks_and_in_any_order(step, columns, order):
    table, expected = in_pandas(columns), whole(step, columns)
    places = order.sample(range(len(table)), len(table))
    end = order.randrange(len(table) + 1)
    parts = [served(step, table, table.iloc[some].reset_index(drop=True)) for some in (places[:end], places[end:])]
    if expected == "refused":
        assert parts == ["refused"] * 2
        return
    assert "refused" not in parts
    for name, cells in expected.items():
        assert len(cells) == len(table)
        assert parts[0][name] + parts[1][name] == [cells[place] for place in places]


def check_libraries_agree(step, columns, order):
    assert close(served(step, in_polars(columns)), whole(step, columns))


def check_masking_twice_is_masking_once(step, columns, order):
    table = in_pandas(columns)

    def masked_twice():
        fitted = clone(step).fit(table)
        return fitted.transform(fitted.transform(table))

    assert outcome(masked_twice) == whole(step, columns)


def check_clones_and_pickles_do_the_same(step, columns, order):
    table = in_pandas(columns)
    again = outcome(lambda: pickle.loads(pickle.dumps(clone(clone(step)).fit(table))).transform(table))
    assert again == whole(step, columns)


def check_k_holds_for_what_is_released(step, columns, order):
    fitted = clone(step)
    released = outcome(lambda: fitted.fit_transform(in_pandas(columns)))
    if released != "refused":
        sizes = pd.DataFrame(released).astype(object).groupby(fitted.quasi_identifiers_, dropna=False).size()
        assert sizes.min() >= step.k


LAWS = [law for name, law in list(globals().items()) if name.startswith("check_")]

# The steps that a law is not about, and why; each breaks it


def learns_nothing(step):
    return not hasattr(step, "partial_fit")


def draws_for_a_row_by_its_place(step):
    return draws(step) or isinstance(step, DistributionImputer)


def draws_anew_for_what_it_is_given(step):
    return draws(step) and not isinstance(step, DistributionImputer)


def puts_out_other_columns_or_kinds_of_values_than_it_reads(step):
    if isinstance(step, DistributionImputer):
        return isinstance(step.distributions, dict)
    if isinstance(step, PIICleaner):
        return any([step.gender_from, step.addresses, step.identifiers])
    return isinstance(step, IntervalBinner | QuantileBinner | KAnonymizer)


def has_a_lambda_of_the_tests_and_so_no_pickle(step):
    return has_lambda(step)


def promises_no_k(step):
    return not isinstance(step, KAnonymizer)


EXCLUDED = {
    check_the_order_of_rows_teaches_nothing: [],
    check_the_order_of_columns_does_not_matter: [],
    check_chunks_teach_what_the_whole_does: [learns_nothing],
    check_rows_are_served_alike_in_chunks_and_in_any_order: [draws_for_a_row_by_its_place],
    check_libraries_agree: [],
    check_masking_twice_is_masking_once: [
        draws_anew_for_what_it_is_given, puts_out_other_columns_or_kinds_of_values_than_it_reads,
    ],
    check_clones_and_pickles_do_the_same: [has_a_lambda_of_the_tests_and_so_no_pickle],
    check_k_holds_for_what_is_released: [promises_no_k],
}  # fmt: skip


def is_about(law, step):
    return not any(reason(step) for reason in EXCLUDED[law])


def pairs(wanted):
    """Return laws with steps that they are about, or those that they are not."""
    named = [(f"{type(step).__name__}{number}", step) for number, step in enumerate(STEPS)]
    return [
        pytest.param(law, step, id=f"{law.__name__.removeprefix('check_')}-{name}")
        for law in LAWS
        for name, step in named
        if is_about(law, step) == wanted
    ]


PAIRS = pairs(True)


def obeys(law, step, shown=None):
    """Return the test of a law for a step: tables and orders are drawn, and the tables shown are listed."""

    def run(columns, order):
        if shown is not None:
            shown.append(columns)
        law(step, columns, random.Random(order))

    return given(tables(), ORDERS)(run)


def check_that_work_was_done(step, shown):
    """Raise unless the step worked on most of the tables, and changed one."""
    done = [columns for columns in shown if whole(step, columns) != "refused"]
    assert len(done) > len(shown) / 2
    assert any(whole(step, columns) != values(in_pandas(columns)) for columns in done)


@pytest.mark.parametrize(("law", "step"), PAIRS)
def test_law(law, step):
    shown = []
    QUICK(obeys(law, step, shown))()
    check_that_work_was_done(step, shown)


@pytest.mark.long
@pytest.mark.parametrize(("law", "step"), PAIRS)
def test_law_on_many_tables(law, step):
    settings(QUICK, max_examples=40)(seed(20261122)(obeys(law, step)))()


def breaks(law, step):
    unshrunk = settings(QUICK, max_examples=100, phases=[Phase.generate])  # fewer: it ends at the first that fails
    with pytest.raises((AssertionError, AttributeError, pickle.PicklingError)):
        unshrunk(obeys(law, step))()


@pytest.mark.parametrize(("law", "step"), pairs(False))
def test_only_steps_that_break_a_law_are_excluded(law, step):
    breaks(law, step)


# A planted bug for each law, in a step that it was shown


class LearnsFromTheFirstRows(OutlierDropper):
    def _fit(self, frame):
        super()._fit(frame[:3])


class DrawsByThePlaceOfTheColumn(RandomizedResponse):
    def _released(self, frame, column):
        self.random_state = frame.columns.index(column)
        return super()._released(frame, column)


class MergesNothing(DistributionImputer):
    def merge(self, other):
        return self


class LearnsFromWhatItServes(QuantileBinner):
    def _transform(self, frame):
        self._fit(frame)
        return super()._transform(frame)


class WorksInPandasAlone(IntervalBinner):
    def _transform(self, frame):
        return super()._transform(frame) if frame.implementation.is_pandas() else frame


class CutsDeeperEachTime(OutlierDropper):
    def _transform(self, frame):
        self.fences_ = {column: (low, high - (high - low) / 4) for column, (low, high) in self.fences_.items()}
        return super()._transform(frame)


class LosesItsSeed(DistributionImputer):
    def __getstate__(self):
        return super().__getstate__() | {"random_state": 4}


class AnonymizesByOneLess(KAnonymizer):
    def _classified(self, frame, times=None):
        self.k -= 1
        return super()._classified(frame, times)


PLANTED = [
    (check_the_order_of_rows_teaches_nothing, LearnsFromTheFirstRows, 15),
    (check_the_order_of_columns_does_not_matter, DrawsByThePlaceOfTheColumn, 22),
    (check_chunks_teach_what_the_whole_does, MergesNothing, 6),
    (check_rows_are_served_alike_in_chunks_and_in_any_order, LearnsFromWhatItServes, 13),
    (check_libraries_agree, WorksInPandasAlone, 10),
    (check_masking_twice_is_masking_once, CutsDeeperEachTime, 15),
    (check_clones_and_pickles_do_the_same, LosesItsSeed, 6),
    (check_k_holds_for_what_is_released, AnonymizesByOneLess, 17),
]


@pytest.mark.parametrize(("law", "bug", "number"), PLANTED)
def test_a_step_that_breaks_a_law_is_caught(law, bug, number):
    step = STEPS[number]
    assert issubclass(bug, type(step)) and is_about(law, step)
    breaks(law, bug(**step.get_params(deep=False)))


def test_a_step_that_does_no_work_obeys_no_law():
    shown = []
    idle = IntervalBinner({"age": [30]}, columns=["nope"])
    QUICK(obeys(check_libraries_agree, idle, shown))()
    for step in (idle, OutlierDropper(columns=["visits"], action="mask", factor=1000)):
        with pytest.raises(AssertionError):
            check_that_work_was_done(step, shown)


# The fuzz: recipes, requests and hierarchies

RECIPES = Path(__file__).parent.parent / "examples" / "recipes"
SECONDS = 20  # that a case may take
RECIPE = """\
title = "fuzz"
quasi_identifiers = ["Age", "Town"]
sensitive = ["Debt"]
[[steps]]
use = "PIICleaner"
identifiers = ["Name"]
[[steps]]
use = "OutlierDropper"
method = "iqr"
factor = { Debt = 3.0 }
[[steps]]
use = "DistributionImputer"
distributions = { Debt = [{ range = [0, 9], weight = 25 }, { value = 10, weight = 3 }] }
by = "Town"
[[steps]]
use = "QuantileBinner"
n_bins = 2
columns = ["Debt"]
encode = "ordinal"
[[steps]]
use = "LaplaceNoise"
epsilon = 1.5
bounds = { Age = [0, 120] }
[[steps]]
use = "KAnonymizer"
k = 2
quasi_identifiers = ["Age", "Town"]
hierarchies = { Town = { Lima = ["Peru", "any"], Oslo = ["Norway", "any"] } }
[[steps]]
use = "StandardScaler"
columns = ["Debt"]
"""
SCHEMA = """\
[[steps]]
use = "FakerSynthesizer"
count = "Records"
[steps.schema.number]
integers = [0, 9]
[steps.schema.day]
dates = { year = "Year" }
[steps.schema.land]
copy = "Country"
[[steps]]
use = "IntervalBinner"
edges = { number = [3, 6] }
"""
REQUEST = 'Country,Year,Records\nMEXICO,2016,3\nINDIA,2020,2\n"CÔTE D\'IVOIRE",1999,0\n'
HIERARCHY = "Lima,Peru,any\nOslo,Norway,any\nBergen,Norway,any\n"
PEOPLE = pd.DataFrame({
    "Name": ["Ana", "Eva", "Ida", "Uma"], "Age": [34, 71, 20, 50], "Town": ["Lima", "Oslo", "Oslo", "Lima"],
    "Debt": [1.5, 2.5, None, 0.5],
})  # fmt: skip
PIECES = [
    "", " ", "\n", "\r", "\t", ",", ";", '"', "'", "''", '"""', "[", "]", "[[", "]]", "{", "}", "=", ".", "#",
    "\\", "\0", "\ufeff", "\u202e", "é", "字", "nan", "inf", "-inf", "-1", "0", "1e999", "1e-400",
    "9223372036854775808", "true", "none", "{ none = true }", "2020-12-31", "1979-05-27T07:32:00Z", "[]", "{}",
    "use", "steps", "columns", "Age", "Debt", "Town", "observed", "any", "=1+1", "\x1b[2J", "../../etc/passwd",
    "0x10", "007", "1_000", "1.5", "MEXICO", "None", "a" * 300,
]  # fmt: skip


VALUES = [
    "-1", "0", "1", "2", "1.5", "1e-300", "1e300", "9223372036854775807", "true", "false", '""', '"Age"', '"nope"',
    "[]", "[1]", '["Age"]', '["Age", "Debt"]', '["Age", "Age"]', "[[1, 2], [3]]", "[0, 120]", "[120, 0]", "{}",
    "{ Age = 1 }", "{ Debt = [0, 9] }", '{ Age = "x" }', "{ none = true }", "2020-12-31", "12:00:00",
    "{ Town = { Lima = [] } }", '{ Town = ["Lima", "Oslo"] }', "{ Town = { Lima = 1, Oslo = -1 } }", '"observed"',
    '"mean"', '"zscore"', '"always"',
]  # fmt: skip


def mutated(text, rng):
    """Return a text with a few values, lines or pieces of it cut, doubled, swapped or replaced, or a few bytes."""
    settings_of = list(re.finditer(r"(?<= = ).*$", text, re.MULTILINE))
    if settings_of and rng.random() < 0.6:
        place = rng.choice(settings_of)
        text = text[: place.start()] + rng.choice(VALUES) + text[place.end() :]
        if rng.random() < 0.7:
            return text.encode()
    for _ in range(rng.choice([1, 1, 2, 4])):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 1, 3, 10, 40]))
        kind = rng.randrange(5)
        if kind == 0:
            text = text[:start] + text[end:]
        elif kind == 1:
            text = text[:end] + text[start:]
        elif kind == 2:
            text = text[:start] + rng.choice(PIECES) + text[end:]
        elif kind == 3:
            words = text.split(" ")
            words[rng.randrange(len(words))] = rng.choice(PIECES)
            text = " ".join(words)
        else:
            lines = text.split("\n")
            rng.shuffle(lines) if rng.random() < 0.2 else lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
            text = "\n".join(lines)
    data = text.encode("utf-8", "surrogatepass")
    return bytes([rng.randrange(256)]) + data if rng.random() < 0.03 else data


@contextlib.contextmanager
def within_time():
    """Raise where the work takes more than `SECONDS`."""

    def late(number, frame):
        raise AssertionError(f"took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def refused_in_one_line(work, *, prefix=""):
    """Do the work, and return the message it is refused with; anything but one plain line fails."""
    with within_time(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            work()
        except REFUSALS as error:
            message = str(error)
            assert message and message.startswith(prefix) and "\n" not in message
            assert len(message) < 2000
            return message
    return None


def command(*words):
    """Run a command; it must end with status 0, or 2 and one line."""
    said = io.StringIO()
    with within_time(), contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            status = main(words)
    lines = [line for line in said.getvalue().splitlines() if not line.startswith("skdp: note:")]
    assert status == 0 and not lines or status == 2 and len(lines) == 1 and lines[0].startswith("skdp: ")
    return status


def fuzz_recipe(rng, folder):
    """Load a broken recipe, and run it where it is one."""
    path = folder / "recipe.toml"
    path.write_bytes(mutated(RECIPE, rng))

    def work():
        load(path, 0).fit_transform(PEOPLE)

    refused_in_one_line(work, prefix=str(path))


def fuzz_released(rng, folder):
    """Release a broken table by a broken recipe."""
    recipe, table = folder / "recipe.toml", folder / "table.csv"
    recipe.write_bytes(mutated(RECIPE, rng) if rng.random() < 0.5 else RECIPE.encode())
    table.write_bytes(mutated(PEOPLE.to_csv(index=False), rng))
    out = folder / "out.csv"
    out.unlink(missing_ok=True)
    assert (command("release", str(table), "--recipe", str(recipe), "--output", str(out)) == 0) == out.exists()
    assert not list(folder.glob(".out.csv*"))


def fuzz_request(rng, folder):
    """Synthesise what a broken request asks for."""
    recipe, request, out = folder / "schema.toml", folder / "request.csv", folder / "out.csv"
    recipe.write_text(SCHEMA)
    request.write_bytes(mutated(REQUEST, rng))
    out.unlink(missing_ok=True)
    status = command("synthesize", str(request), "--recipe", str(recipe), "--output", str(out))
    assert (status == 0) == out.exists()
    assert not list(folder.glob(".out.csv*"))


def fuzz_hierarchy(rng, folder):
    """Anonymise by a broken hierarchy, from a file that a recipe names."""
    (folder / "towns.csv").write_bytes(mutated(HIERARCHY, rng))
    path = folder / "by_file.toml"
    path.write_text(
        '[[steps]]\nuse = "KAnonymizer"\nk = 2\nquasi_identifiers = ["Town"]\nhierarchies = { Town = "towns.csv" }'
    )

    def work():
        load(path).fit_transform(PEOPLE)

    refused_in_one_line(work, prefix=str(path))


FUZZES = {fuzz_recipe: 5500, fuzz_hierarchy: 2500, fuzz_released: 1000, fuzz_request: 1000}  # 10,000 cases


def fuzz(kind, numbers, folder):
    """Run cases by number; a failure names its case, which `fuzz(kind, [number], folder)` repeats."""
    for number in numbers:
        try:
            kind(random.Random(f"{kind.__name__} {number}"), folder)
        except Exception as error:
            where = "".join(traceback.format_exception(error)[-6:])
            raise AssertionError(f"{kind.__name__}, case {number}: {type(error).__name__}\n{where}") from error


@pytest.mark.parametrize("kind", FUZZES, ids=lambda kind: kind.__name__)
def test_broken_files_end_in_one_line(kind, tmp_path):
    fuzz(kind, range(60), tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kind", FUZZES, ids=lambda kind: kind.__name__)
def test_ten_thousand_broken_files_end_in_one_line(kind, tmp_path):
    fuzz(kind, range(FUZZES[kind]), tmp_path)


def test_a_fuzz_notices_a_traceback_and_a_hang(tmp_path, monkeypatch):
    monkeypatch.setattr("test_properties.SECONDS", 0.05)

    def crashes(rng, folder):
        refused_in_one_line(lambda: {}["a"])

    def hangs(rng, folder):
        refused_in_one_line(lambda: signal.pause())

    for kind in (crashes, hangs):
        with pytest.raises(AssertionError, match=f"{kind.__name__}, case 7"):
            fuzz(kind, [7], tmp_path)


def test_what_is_broken_was_whole_before(tmp_path, monkeypatch):
    monkeypatch.setattr("test_properties.mutated", lambda text, rng: text.encode())
    statuses = []
    monkeypatch.setattr(
        "test_properties.command", lambda *words, run=command: statuses.append(run(*words)) or statuses[-1]
    )
    monkeypatch.setattr("test_properties.refused_in_one_line", lambda work, *, prefix: work())
    for kind in FUZZES:
        fuzz(kind, [0], tmp_path)
    assert statuses == [0, 0]
