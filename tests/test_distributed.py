"""Dask: the same steps over partitions, on worker processes that may die."""

import os
import pickle
import signal
import threading
import time
import warnings
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("dask.dataframe", reason="Dask is not installed (skdp[dask])")
pytest.importorskip("distributed", reason="Dask's scheduler is not installed (skdp[dask])")

import dask
import dask.dataframe as dd
from distributed import Client, LocalCluster
from sklearn.base import clone

from skdp import (
    Choice,
    Copy,
    DistributionImputer,
    Fake,
    FakerSynthesizer,
    GaussianNoise,
    Integers,
    IntervalBinner,
    KAnonymizer,
    LaplaceNoise,
    OutlierDropper,
    PIICleaner,
    PrivacyLedger,
    QuantileBinner,
    RandomizedResponse,
    make_pipeline,
    metrics,
    recipes,
)
from skdp._checks import ParameterError
from skdp._dask_tables import CodedPieces
from skdp.distributed import PartitionError, class_counts, fit, k_anonymity, l_diversity, release, synthesize, transform
from skdp.ledger import BudgetExceededError
from skdp.synthesis import BLOCK_ROWS

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # of Dask's own sockets


@pytest.fixture(scope="module")
def client():
    settings = {
        "distributed.admin.log-length": 10_000,
        "distributed.scheduler.allowed-failures": 20,
        # 15 s after a worker died, a LocalCluster looks whether it is back, and gives its place up for ever where it is
        # not: so also where it was killed again a moment ago
        "distributed.deploy.lost-worker-timeout": "1 hour",
    }
    with dask.config.set(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=None
        )
        with Client(cluster) as client:
            yield client
        with suppress(TimeoutError):  # a machine with much else to do; the processes go with this one
            cluster.close(timeout=60)


@pytest.fixture
def synchronous():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def people():
    rng = np.random.default_rng(0)
    size = 4000
    return pd.DataFrame({
        "Age": rng.integers(18, 90, size),
        "Income": rng.lognormal(3, 1, size).round(2),
        "Town": rng.choice(["Lima", "Oslo", "Bonn", "Rome"], size),
    })  # fmt: skip


REQUEST = pd.DataFrame({"Country": ["RUSSIA", "MEXICO", "CHINA"], "Year": [2016, 2020, 2018], "Records": [50, 7, 60]})
NOISE = {"bounds": {"Age": (0, 120), "Income": (0, 500)}}


# Synthesis


def tickets(random_state=None):
    """A recipe that is made fast, to have many blocks of records."""
    schema = {"id": Integers(1, 10**9), "born_in": Copy("Country"), "class": Choice(["first", "second"])}
    return make_pipeline(
        FakerSynthesizer(schema, count="Records", random_state=random_state), IntervalBinner({"id": [10**6, 10**8]})
    )


MANY = REQUEST.assign(Records=[70_000, 40_001, 60_000])  # three blocks


@pytest.fixture(scope="module")
def booked():
    return tickets(random_state=5).fit_transform(MANY)


@pytest.mark.parametrize("npartitions", [1, 2, 3])
def test_the_same_seed_gives_the_table_of_memory_whatever_the_partitions(client, booked, npartitions):
    made = synthesize(MANY, recipe=tickets, npartitions=npartitions, seed=5)
    assert made.npartitions == npartitions
    pd.testing.assert_frame_equal(made.compute(), booked)


def test_travellers_are_those_of_memory(client):
    made = synthesize(REQUEST, recipe="travel", npartitions=2, seed=5)
    pd.testing.assert_frame_equal(made.compute(), recipes.travel(random_state=5).fit_transform(REQUEST))


def test_more_partitions_than_blocks_cut_the_blocks(synchronous):
    request = REQUEST.assign(Records=[5, 0, 3])
    made = synthesize(request, npartitions=12, seed=5)
    assert made.npartitions == 12  # four of them empty
    pd.testing.assert_frame_equal(made.compute(), recipes.travel(random_state=5).fit_transform(request))


def test_without_a_seed_tables_differ_but_each_stays_the_same(synchronous):
    request = REQUEST.assign(Records=[50, 0, 30])
    one, other = synthesize(request), synthesize(request)
    first = one.compute()
    pd.testing.assert_frame_equal(first, one.compute())
    assert (first["person_name"].to_numpy() != other.compute()["person_name"].to_numpy()).mean() > 0.9


def test_no_two_partitions_share_draws(synchronous):
    """Names are drawn from millions: rows alike by their place are out of the question beyond a few."""

    def recipe(random_state):
        return FakerSynthesizer({"name": Fake("name", locale="es_MX")}, count="Records", random_state=random_state)

    made = synthesize(pd.DataFrame({"Records": [4 * BLOCK_ROWS]}), recipe=recipe, npartitions=4, seed=1)
    first, second = (part[:2000].to_numpy() for part in dask.compute(*made["name"].to_delayed()[:2]))
    assert (first == second).mean() < 0.01


def test_a_recipe_file_is_read_and_its_steps_behind_are_run(synchronous, tmp_path):
    path = tmp_path / "people.toml"
    path.write_text(
        '[[steps]]\nuse = "FakerSynthesizer"\ncount = "Records"\nschema = { age = { integers = [18, 90] } }\n'
        '[[steps]]\nuse = "IntervalBinner"\nedges = { age = [40, 60] }\n'
    )
    request = pd.DataFrame({"Records": [40, 60]})
    made = synthesize(request, recipe=path, npartitions=3, seed=2)
    pd.testing.assert_frame_equal(made.compute(), recipes.load(path, random_state=2).fit_transform(request))


def test_stated_genders_are_read_by_the_whole_table(synchronous):
    """H and M of one language are told apart by which letters turn up anywhere, be it in another partition."""
    table = pd.DataFrame({"gender": ["M"] * 10 + ["H"] * 10})
    cleaner = PIICleaner(gender="gender")
    released = release(cleaner, dd.from_pandas(table, npartitions=2))
    pd.testing.assert_frame_equal(released.compute(), PIICleaner(gender="gender").fit_transform(table))
    assert cleaner.m_is_female_


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"npartitions": 0}, "'npartitions' parameter of synthesize must be an integer of at least 1"),
        ({"seed": -1}, "'seed' parameter of synthesize must be an integer of at least 0"),
        ({"recipe": "travels"}, "no recipe 'travels'; did you mean 'travel'"),
        ({"recipe": 5}, "'recipe' parameter of synthesize must be a name"),
        ({"recipe": lambda random_state: IntervalBinner({"Year": [2017]})}, "must begin with a FakerSynthesizer"),
    ],
)
def test_bad_parameters_of_synthesize_say_what_is_wrong(changed, message):
    with pytest.raises(ValueError, match=message):
        synthesize(REQUEST, **changed)


def test_unique_columns_are_refused():
    def recipe(random_state):
        return FakerSynthesizer({"code": Fake("bothify", unique=True)}, count="Records", random_state=random_state)

    with pytest.raises(ValueError, match="columns of unique values"):
        synthesize(REQUEST, recipe=recipe)


# Noise


def test_no_two_partitions_share_noise(client):
    """1000 equal values in each of 4 partitions, wide noise: alike by chance in far less than 1 % of rows."""
    alike = pd.DataFrame({"Age": np.full(4000, 50.0), "Income": np.full(4000, 50.0)})
    for seed in (None, 3):
        noise = LaplaceNoise(bounds=(0, 1e6), random_state=seed)
        with_noise = release(noise, dd.from_pandas(alike, npartitions=4))
        parts = [part.to_numpy() for part in dask.compute(*with_noise.to_delayed())]
        if seed is not None:
            parts = np.array_split(np.concatenate(parts), 4)  # one block: a stream of its own
        columns = [column for part in parts for column in part.T]
        for i, one in enumerate(columns):
            assert all((one == other).mean() < 0.01 for other in columns[:i])


def test_sharing_of_noise_would_be_noticed(synchronous, monkeypatch):
    """The planted bug: every piece of work gets the same number."""
    monkeypatch.setattr("skdp._partitions.Secret.number", lambda self, *name: 7)
    alike = pd.DataFrame({"Age": np.full(2000, 50.0)})
    released = release(LaplaceNoise(bounds=(0, 1e6)), dd.from_pandas(alike, npartitions=2))
    first, second = (part.to_numpy() for part in dask.compute(*released.to_delayed()))
    assert (first == second).all()


def test_a_released_table_stays_the_same_however_often_it_is_computed(client, people):
    steps = make_pipeline(
        LaplaceNoise(columns=["Age"], bounds=(0, 120)),
        GaussianNoise(columns=["Income"], bounds=(0, 500)),
        RandomizedResponse(1, categories={"Town": ["Lima", "Oslo", "Bonn", "Rome"]}),
    )
    released = release(steps, dd.from_pandas(people, npartitions=3))
    first = released.compute()
    pd.testing.assert_frame_equal(first, released.compute())
    for column in people:
        assert (first[column].to_numpy() != people[column].to_numpy()).mean() > 0.2


def test_a_second_release_has_other_noise(synchronous, people):
    table = dd.from_pandas(people[["Income"]], npartitions=2)
    noise = LaplaceNoise(bounds=(0, 500))
    one, other = release(noise, table).compute(), release(noise, table).compute()
    served = transform(noise, table).compute()
    assert (one["Income"] != other["Income"]).mean() > 0.99
    assert (one["Income"] != served["Income"]).mean() > 0.99


def test_noise_is_fresh_where_a_partition_computes_to_other_values(synchronous):
    """Else two computations would differ by nothing but the change of the values."""
    value = [50.0]
    table = dd.from_map(lambda _: pd.DataFrame({"Age": np.full(1000, value[0])}), [0])
    released = release(LaplaceNoise(bounds=(0, 1e6)), table)
    first = released.compute()
    value[0] = 51.0
    steps = (released.compute() - first)["Age"]
    assert steps.nunique() > 900


def test_noise_of_partitions_has_the_distribution_of_the_step(synchronous):
    """20,000 cells: the mean absolute noise is within 5 % of its scale, missed by chance less than once in 1e9."""
    table = dd.from_pandas(pd.DataFrame({"Age": np.full(20_000, 60.0)}), npartitions=8)
    released = release(LaplaceNoise(bounds=(0, 120)), table).compute()
    assert abs((released["Age"] - 60).abs().mean() / 120 - 1) < 0.05


def test_the_secret_is_not_shown():
    from skdp._partitions import Chain, Secret

    assert repr(Secret()) == "<secret>"
    assert "secret" not in repr(Chain((), Secret())).replace("<secret>", "")
    assert Secret().number("a") != Secret().number("a")


def seeded_steps():
    return make_pipeline(
        OutlierDropper(columns="Income"),
        LaplaceNoise(columns="Age", bounds=(0, 120), random_state=3),
        DistributionImputer({"Town": "observed"}, random_state=3),
        FakerSynthesizer({"Name": Choice(["Ana", "Eva", "Lea"])}, random_state=4),
    )


@pytest.mark.parametrize("npartitions", [1, 3, 7])
def test_seeded_draws_are_those_of_memory(synchronous, npartitions):
    rng = np.random.default_rng(0)
    size = 2 * BLOCK_ROWS + 100
    towns = np.where(rng.random(size) < 0.2, None, "Oslo")
    table = pd.DataFrame({"Age": np.arange(size) % 90, "Income": rng.lognormal(0, 1, size), "Name": "x", "Town": towns})
    released = release(seeded_steps(), parts_of(*_split(table, npartitions))).compute()
    pd.testing.assert_frame_equal(released, seeded_steps().fit_transform(table))
    assert len(released) < size


def test_workers_draw_what_memory_draws(client, people):
    people["Name"] = "x"
    people.loc[::3, "Town"] = None
    released = release(seeded_steps(), parts_of(*_split(people, 5))).compute()
    pd.testing.assert_frame_equal(released, seeded_steps().fit_transform(people))


def test_records_are_made_and_noised_as_in_memory(synchronous):
    """A seed of the recipe is one of all its steps."""

    def recipe(random_state):
        schema = {"age": Integers(18, 90), "pay": Integers(1, 1000)}
        return make_pipeline(
            FakerSynthesizer(schema, count="Records", random_state=random_state),
            OutlierDropper(columns="pay", factor=0.2),
            LaplaceNoise(columns="age", bounds=(0, 120), random_state=random_state),
        )

    request = pd.DataFrame({"Records": [700, 800]})
    made = synthesize(request, recipe=recipe, npartitions=3, seed=5).compute()
    whole = recipe(5).fit_transform(request)
    assert made["age"].tolist() == whole["age"].tolist()
    assert len(whole) < 1500


def test_seeded_rows_that_are_served_are_those_of_memory(synchronous, people):
    """Where a step drops rows at any time, these do not count."""
    people["Home"] = np.where(people["Age"] % 5, "1 Main St, Springfield, IL 62701", "PO Box 7, Springfield, IL 62701")
    steps = make_pipeline(
        PIICleaner(addresses="Home", drop_at="always"), LaplaceNoise(columns="Income", bounds=(0, 500), random_state=3)
    ).fit(people)
    served = transform(steps, parts_of(*_split(people, 3))).compute()
    pd.testing.assert_frame_equal(served, steps.transform(people))
    assert len(served) < len(people)


def test_a_generator_gives_what_is_learned_from_and_what_is_released_alike(synchronous, people):
    """Bins of the values that come out are filled alike; of other draws, each would be off by 27 or so."""
    imputer = DistributionImputer({"Pay": {(0.0, 1.0): 1}}, random_state=np.random.default_rng(0))
    steps = make_pipeline(imputer, QuantileBinner(4, columns="Pay", round_edges=False))
    released = release(steps, parts_of(*_split(people, 4))).compute()
    assert released["Pay"].value_counts().tolist() == [1000] * 4


def test_seeded_records_of_a_request_in_partitions_are_refused(synchronous):
    """Their number, and so their draws, would depend on the requests before."""
    synthesizer = FakerSynthesizer({"id": Integers(1, 9)}, count="Records", random_state=1).fit(REQUEST)
    with pytest.raises(ValueError, match="Step 'fakersynthesizer' .* skdp.distributed.synthesize"):
        transform(synthesizer, dd.from_pandas(REQUEST, npartitions=2))


# The ledger


def test_a_release_is_charged_once_for_all_partitions(client, people, tmp_path):
    ledger = PrivacyLedger(tmp_path / "ledger.sqlite", epsilon=5)
    noise = LaplaceNoise(0.5, ledger=ledger, **NOISE)
    released = release(noise, dd.from_pandas(people, npartitions=4))
    assert ledger.entries()[["epsilon", "rows"]].to_numpy().tolist() == [[1.0, 4000]]  # before anything is computed
    released.compute(), released.compute()
    assert ledger.spent == 1
    transform(noise, dd.from_pandas(people, npartitions=4)).compute()
    assert ledger.spent == 2
    assert noise.ledger is ledger
    assert noise.privacy_guarantee_.epsilon == 1


def test_a_cap_is_met_before_any_noise_is_drawn(synchronous, people):
    ledger = PrivacyLedger(epsilon=1.5)
    table = dd.from_pandas(people, npartitions=4)
    release(LaplaceNoise(0.5, ledger=ledger, **NOISE), table)
    with pytest.raises(BudgetExceededError):
        release(LaplaceNoise(0.5, ledger=ledger, **NOISE), table)
    assert ledger.spent == 1


def test_only_rows_that_reach_the_noise_are_charged(synchronous):
    table = pd.DataFrame({"home": ["PO Box 7, Springfield, IL 62701"] * 3 + ["1 Main St, Springfield, IL 62701"] * 7,
                          "Age": range(10)})  # fmt: skip
    ledger = PrivacyLedger()
    steps = make_pipeline(PIICleaner(addresses="home"), LaplaceNoise(bounds={"Age": (0, 120)}, ledger=ledger))
    released = release(steps, dd.from_pandas(table, npartitions=3)).compute()
    assert len(released) == 7
    assert ledger.entries()["rows"].tolist() == [7]


def test_fit_alone_of_noise_charges_nothing(synchronous, people):
    ledger = PrivacyLedger()
    fit(LaplaceNoise(ledger=ledger, **NOISE), dd.from_pandas(people, npartitions=2))
    assert not len(ledger.entries())


# Faults


class Slow:
    """Slows partitions down, so that there is time to kill; a plain function for the workers."""

    def __call__(self, part):
        time.sleep(0.3)
        return part


def test_a_worker_killed_in_mid_job_costs_neither_rows_nor_budget(client, people):
    ledger = PrivacyLedger()
    slow = dd.from_pandas(people, npartitions=8).map_partitions(Slow(), meta=people.iloc[:0])
    noise = LaplaceNoise(ledger=ledger, **NOISE)
    before = release(noise, slow)
    pids = list(client.run(os.getpid).values())
    killer = threading.Timer(0.8, os.kill, (pids[0], signal.SIGKILL))
    killer.start()
    first = before.compute()
    killer.join()
    assert pids[0] not in client.run(os.getpid).values()  # it did die, and another took its place
    assert len(first) == len(people)
    assert (first["Town"].to_numpy() == people["Town"].to_numpy()).all()
    assert ledger.entries()["rows"].tolist() == [4000]
    pd.testing.assert_frame_equal(first, before.compute())  # what died was done again to the same noise


def test_a_worker_killed_while_the_table_lies_in_its_memory(client, people):
    released = release(LaplaceNoise(**NOISE), dd.from_pandas(people, npartitions=6))
    held = released.persist()
    first = held.compute()
    for pid in client.run(os.getpid).values():
        os.kill(pid, signal.SIGKILL)
    pd.testing.assert_frame_equal(held.compute(), first)


def test_a_worker_killed_while_records_are_made(client, booked):
    made = synthesize(MANY, recipe=tickets, npartitions=12, seed=5)
    pids = list(client.run(os.getpid).values())
    killer = threading.Timer(0.2, os.kill, (pids[-1], signal.SIGKILL))
    killer.start()
    table = made.map_partitions(Slow(), meta=made._meta).compute()
    killer.join()
    assert pids[-1] not in client.run(os.getpid).values()
    pd.testing.assert_frame_equal(table, booked)


def test_a_step_that_fails_names_partition_and_step_and_no_cell(client, people):
    spoilt = people.astype({"Age": object})
    spoilt.loc[2500, "Age"] = "SECRETCELL"
    steps = make_pipeline(IntervalBinner({"Income": [20, 50]}), LaplaceNoise(bounds={"Age": (0, 120)}))
    with dask.config.set({"dataframe.convert-string": False}):
        released = release(steps, dd.from_pandas(spoilt, npartitions=4))
    named = r"Partition 2, step 'laplacenoise' \(LaplaceNoise\): Column 'Age'"
    with pytest.raises(PartitionError, match=named) as error:
        released.compute()
    assert error.value.__cause__ is None
    logs = " ".join(line for lines in client.get_worker_logs().values() for _, line in lines)
    assert "PartitionError" in logs
    for text in (str(error.value), logs):
        assert "SECRETCELL" not in text
        assert "Lima" not in text


def failing(part):
    if part["Age"].iloc[0] == 99:
        raise KeyError("SECRETCELL")
    return part


def test_a_partition_that_cannot_be_computed_is_named(synchronous):
    ages = dd.from_pandas(pd.DataFrame({"Age": [1, 2, 99, 98]}), npartitions=2)
    broken = ages.map_partitions(failing, meta=ages._meta)
    for use in (lambda: release(LaplaceNoise(bounds=(0, 120)), broken), lambda: class_counts(broken)):
        with pytest.raises(PartitionError, match=r"Partition 1 cannot be computed \(KeyError\)") as error:
            use()
        assert "SECRETCELL" not in str(error.value)
        assert error.value.__cause__ is None and error.value.__context__ is None


@pytest.mark.parametrize(
    "step",
    [
        OutlierDropper(columns="Incom"),
        QuantileBinner(columns=["Age", "Incom"]),
        IntervalBinner({"Incom": [20]}),
        LaplaceNoise(bounds={"Incom": (0, 9)}),
        RandomizedResponse(1, columns="Twon", categories={"Twon": ["Lima", "Oslo"]}),
        DistributionImputer({"Incom": "observed"}),
        KAnonymizer(quasi_identifiers=["Age", "Incom"]),
        PIICleaner(names="Twon"),
    ],
    ids=lambda step: type(step).__name__,
)
@pytest.mark.parametrize("dropping", [False, True])
def test_a_column_that_is_not_there_is_told_as_in_memory(synchronous, people, step, dropping):
    """All partitions lack it: none is to blame, and the nearest name is told."""
    steps = make_pipeline(OutlierDropper(columns="Age"), clone(step)) if dropping else clone(step)
    with pytest.raises(ParameterError, match="which is not in the table; did you mean '") as in_memory:
        clone(step).fit(people)
    with pytest.raises(ParameterError) as error:
        release(steps, dd.from_pandas(people, npartitions=3))
    assert str(error.value) == str(in_memory.value)
    assert type(error.value) is type(in_memory.value) and error.value.__cause__ is None


def test_a_column_that_is_not_there_is_told_by_workers_as_in_memory(client, people):
    with pytest.raises(ParameterError, match=r"^OutlierDropper needs the column 'Incom'"):
        release(OutlierDropper(columns="Incom"), dd.from_pandas(people, npartitions=2))


def parts_of(*tables, meta=None):
    meta = tables[0].iloc[:0] if meta is None else meta
    with dask.config.set({"dataframe.convert-string": False}):
        return dd.from_map(lambda number: tables[number], range(len(tables)), meta=meta)


def test_an_empty_partition_is_no_error(client, people):
    table = parts_of(people[:0], people[:1000], people[:0], people[1000:], people[:0])
    steps = make_pipeline(IntervalBinner({"Income": [20, 50]}), LaplaceNoise(bounds={"Age": (0, 120)}))
    released = release(steps, table)
    done = released.compute()
    assert done["Income"].tolist() == IntervalBinner({"Income": [20, 50]}).fit_transform(people)["Income"].tolist()
    assert [len(part) for part in dask.compute(*released.to_delayed())] == [0, 1000, 0, 3000, 0]
    assert k_anonymity(table, "Town") == metrics.k_anonymity(people, "Town")


def test_a_table_of_empty_partitions_says_so(synchronous, people):
    with pytest.raises(ValueError, match="there are no rows to fit it to"):
        release(LaplaceNoise(**NOISE), parts_of(people[:0], people[:0]))


def test_partitions_of_unequal_dtypes_are_taken_as_the_whole_table_would_be(client, people):
    """An integer column with a gap in one partition is one of floats, as in memory."""
    second = people[2000:].reset_index(drop=True).astype({"Age": float, "Town": "category"})
    second.loc[5, "Age"] = np.nan
    table = parts_of(people[:2000].astype({"Age": "int32"}), second)
    noise = LaplaceNoise(bounds={"Age": (0, 120)})
    released = release(noise, table)
    assert released.dtypes["Age"] == "float64"
    parts = dask.compute(*released.to_delayed())
    assert [str(part["Age"].dtype) for part in parts] == ["float64", "float64"]
    assert (parts[0]["Age"] % 1 != 0).any()  # noise of floats in both
    assert parts[1]["Age"].isna().sum() == 1


def test_other_columns_in_one_partition_are_named(synchronous, people):
    with pytest.raises(PartitionError, match="Partition 1 has other columns"):
        release(LaplaceNoise(**NOISE), parts_of(people, people.rename(columns={"Town": "City"})))


# Steps that cannot be run over partitions


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (LaplaceNoise(sensitivity=5, columns="Age"), "learns from the whole table"),
    ],
)
def test_steps_that_need_the_whole_table_say_so(synchronous, people, step, message):
    with pytest.raises(ValueError, match=message):
        release(step, dd.from_pandas(people, npartitions=2))


@pytest.mark.parametrize("function", [fit, transform, release])
def test_a_table_in_memory_is_told_from_a_dask_dataframe(people, function):
    step = IntervalBinner({"Age": [30, 60]}).fit(people)
    with pytest.raises(ParameterError, match="must be a Dask DataFrame. Got a pandas DataFrame instead; dask"):
        function(step, people)


def test_classes_of_a_table_in_memory_are_not_counted_here(people):
    with pytest.raises(ParameterError, match="'ddf' parameter of class_counts must be a Dask DataFrame"):
        class_counts(people, ["Age"])


@pytest.mark.filterwarnings("ignore:LaplaceNoise gives metric privacy", "ignore:.*whole record")
def test_noise_without_bounds_does_not_serve_partitions_either(synchronous, people):
    """Else the range of a partition would raise the figure of a copy, and nobody would be charged for it."""
    noise = LaplaceNoise(sensitivity=5, columns="Age").fit(people)
    with pytest.raises(ValueError, match="Step 'laplacenoise' .* without 'bounds'"):
        transform(noise, dd.from_pandas(people, npartitions=2))


def test_a_refused_price_leaves_nothing_of_the_table(synchronous, people):
    ledger = PrivacyLedger(epsilon=0.5)
    binner = QuantileBinner(4, columns=["Income"], epsilon=1, bounds={"Income": (0, 500)}, ledger=ledger)
    with pytest.raises(BudgetExceededError):
        release(binner, dd.from_pandas(people, npartitions=2))
    assert "_collected" not in vars(binner)
    assert ledger.spent == 0


def test_steps_hidden_in_other_estimators_are_refused(synchronous, people):
    from sklearn.compose import ColumnTransformer

    parts = ColumnTransformer([("noise", LaplaceNoise(bounds=(0, 120)), ["Age"])])
    with pytest.raises(ValueError, match="ColumnTransformer holds steps that draw or learn"):
        release(parts, dd.from_pandas(people, npartitions=2))


# Metrics


@pytest.mark.parametrize("npartitions", [1, 3])
def test_class_counts_are_those_of_memory(synchronous, people, npartitions):
    people.loc[::7, "Town"] = None
    people["Age"] = people["Age"] // 10 * 10.0
    people.loc[::11, "Age"] = np.nan
    table = dd.from_pandas(people, npartitions=npartitions)
    counts = class_counts(table, ["Age", "Town"])
    _, sizes = metrics.equivalence_classes(people, ["Age", "Town"])
    assert sorted(counts.sizes) == sorted(sizes)
    assert counts.classes.shape == (len(sizes), 2)
    assert k_anonymity(table, ["Age", "Town"]) == metrics.k_anonymity(people, ["Age", "Town"])
    assert l_diversity(table, "Town", "Age") == metrics.l_diversity(people, "Town", "Age")


def test_metrics_of_an_empty_table_and_of_wrong_columns(synchronous, people):
    table = dd.from_pandas(people, npartitions=2)
    with pytest.raises(ValueError, match="no rows"):
        k_anonymity(parts_of(people[:0]))
    with pytest.raises(ValueError, match="did you mean 'Town'"):
        k_anonymity(table, "town")
    with pytest.raises(ValueError, match="columns that are not among the sensitive ones"):
        l_diversity(table, ["Town"], "Town")


# Steps that learn


@pytest.mark.parametrize("npartitions", [1, 5])
@pytest.mark.parametrize(
    "step",
    [
        QuantileBinner(4, columns=["Income"]),
        OutlierDropper(columns=["Income"], factor=1.5),
        make_pipeline(
            OutlierDropper(columns=["Income"]),
            QuantileBinner(4, columns=["Income"]),
            KAnonymizer(5, quasi_identifiers=["Town", "Income"]),
        ),
    ],
    ids=["binner", "dropper", "pipeline"],
)
def test_steps_that_learn_release_the_table_of_memory(client, people, step, npartitions):
    people.loc[::10, "Town"] = None
    released = release(clone(step), parts_of(*_split(people, npartitions))).compute()
    pd.testing.assert_frame_equal(released, clone(step).fit_transform(people))


def _split(table, n_parts):
    return [table.iloc[rows] for rows in np.array_split(np.arange(len(table)), n_parts)]


def test_what_was_learned_serves_rows_here_and_over_partitions(synchronous, people):
    binner = fit(QuantileBinner(4, columns=["Income"]), dd.from_pandas(people, npartitions=3))
    served = transform(binner, dd.from_pandas(people, npartitions=2)).compute()
    assert served["Income"].tolist() == binner.transform(people)["Income"].tolist()
    dropper = fit(OutlierDropper(columns=["Income"]), dd.from_pandas(people, npartitions=3))
    assert len(transform(dropper, dd.from_pandas(people, npartitions=2))) == len(people)


def test_a_step_learns_from_the_very_noise_that_is_released(synchronous, people):
    """Bins of the values that come out are filled alike; of other noise, each would be off by 27 or so."""
    binner = QuantileBinner(4, columns="Income", round_edges=False)
    steps = make_pipeline(LaplaceNoise(columns="Income", bounds=(0, 500)), binner)
    released = release(steps, dd.from_pandas(people, npartitions=4)).compute()
    assert released["Income"].value_counts().tolist() == [1000] * 4


def test_gaps_are_filled_from_the_whole_table_by_draws_of_each_block(synchronous, people):
    people.loc[:999, "Town"] = np.where(np.arange(1000) % 2, "Lima", None)
    imputer = DistributionImputer({"Town": "observed"}, random_state=1)
    released = release(imputer, parts_of(*_split(people, 4))).compute()
    assert set(released.loc[people["Town"].isna(), "Town"]) == {"Lima", "Oslo", "Bonn", "Rome"}
    known = people["Town"].notna()
    assert (released["Town"] == people["Town"])[known].all()
    again = release(clone(imputer), parts_of(*_split(people, 3))).compute()
    pd.testing.assert_frame_equal(released, again)
    other = release(DistributionImputer({"Town": "observed"}), parts_of(*_split(people, 4)))
    first = other.compute()
    pd.testing.assert_frame_equal(first, other.compute())
    assert (first["Town"] != released["Town"]).any()


def test_what_is_learned_at_a_price_is_charged_once(synchronous, people):
    ledger = PrivacyLedger()
    binner = QuantileBinner(4, columns=["Income"], epsilon=1, bounds={"Income": (0, 500)}, ledger=ledger)
    released = release(binner, dd.from_pandas(people, npartitions=4))
    released.compute(), released.compute()
    assert ledger.entries()[["epsilon", "rows", "purpose"]].to_numpy().tolist() == [[1.0, 4000, "fit"]]


@pytest.mark.parametrize("npartitions", [1, 4])
def test_k_holds_over_the_whole_table(client, people, npartitions):
    anonymizer = KAnonymizer(7, quasi_identifiers=["Age", "Town"])
    released = release(anonymizer, parts_of(*_split(people, npartitions)))
    collected = released.compute()
    assert metrics.k_anonymity(collected, ["Age", "Town"]) >= 7
    assert k_anonymity(released, ["Age", "Town"]) == metrics.k_anonymity(collected, ["Age", "Town"])
    in_memory = KAnonymizer(7, quasi_identifiers=["Age", "Town"]).fit_transform(people)
    assert collected["Age"].tolist() == in_memory["Age"].tolist()
    assert collected["Town"].tolist() == in_memory["Town"].tolist()


def test_k_within_each_partition_would_not_hold_for_the_whole(synchronous, people):
    """The planted bug: where partitions are anonymised apart, labels of one stand beside labels of another."""
    known = ["Age", "Town"]
    parts = [KAnonymizer(7, quasi_identifiers=known).fit_transform(part) for part in _split(people, 4)]
    whole = release(KAnonymizer(7, quasi_identifiers=known), parts_of(*_split(people, 4))).compute()
    assert pd.concat(parts)["Age"].tolist() != whole["Age"].tolist()


# Classes of a table whose records are never brought together

KNOWN = ["Age", "Town", "Born", "Sex"]
SEVERAL = [
    {"sensitive": "Illness", "l_diversity": 2, "max_suppression": 0.05},
    {"sensitive": ["Illness", "Pay"], "t_closeness": 0.3, "labels": "mean"},
    {"hierarchies": {"Town": {town: [town[0], "any"] for town in ("Lima", "Oslo", "Bonn", "Rome")}}},
]


def patients(size=4000, seed=0):
    """Return a table of every kind of column, with gaps, of which hardly two rows are alike."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({
        "Age": rng.integers(18, 90, size).astype(float),
        "Town": rng.choice(["Lima", "Oslo", "Bonn", "Rome"], size),
        "Born": np.datetime64("1950-01-01") + rng.integers(0, 20_000, size),
        "Sex": pd.Categorical(rng.choice(["f", "m"], size)),
        "Illness": pd.Categorical(rng.choice(["flu", "cold", "gout"], size)),
        "Pay": rng.integers(0, 40, size),
    })  # fmt: skip
    for column in ("Age", "Town", "Born", "Sex", "Illness"):
        table.loc[rng.random(size) < 0.05, column] = None
    return table


@pytest.fixture
def few_together(monkeypatch):
    """Return the calls by which coarse classes are cut, as 4000 records would be brought together at once."""
    monkeypatch.setattr("skdp._coarse_classes.RECORDS_TOGETHER", 300)
    cuts, proposed = [], CodedPieces.summed
    monkeypatch.setattr(CodedPieces, "summed", lambda *arguments: cuts.append(1) or proposed(*arguments))
    return cuts


@pytest.mark.parametrize("npartitions", [1, 2, 5])
@pytest.mark.parametrize("more", SEVERAL, ids=str)
def test_coarse_classes_first_release_the_table_of_memory(synchronous, few_together, more, npartitions):
    table = patients()
    step = KAnonymizer(5, quasi_identifiers=KNOWN, **more)
    released = release(clone(step), parts_of(table[:0], *_split(table, npartitions))).compute()
    assert len(few_together) > 3
    pd.testing.assert_frame_equal(released, clone(step).fit_transform(table))


def test_coarse_classes_keep_their_promises_on_worker_processes(client, few_together, tmp_path):
    table = patients()
    step = KAnonymizer(5, quasi_identifiers=KNOWN, **SEVERAL[0])
    in_memory = clone(step).fit(table)
    released = release(step, parts_of(*_split(table, 4), table[:0]))
    assert len(few_together) > 3
    released.compute().to_csv(tmp_path / "released.csv", index=False)
    classes = pd.read_csv(tmp_path / "released.csv").groupby(KNOWN, dropna=False)
    assert classes.size().min() >= 5
    assert classes["Illness"].nunique(dropna=False).min() >= 2
    assert 0 < step.n_suppressed_ == in_memory.n_suppressed_ <= 200
    assert step.class_sizes_.tolist() == in_memory.class_sizes_.tolist()
    assert len(pickle.dumps(step)) == pytest.approx(len(pickle.dumps(in_memory)), rel=0.01)


def test_workers_killed_while_they_hold_the_records_cost_none(client, few_together, monkeypatch):
    gathered = CodedPieces.regrouped

    def killing(*arguments):
        for pid in client.run(os.getpid).values():
            os.kill(pid, signal.SIGKILL)
        return gathered(*arguments)

    monkeypatch.setattr(CodedPieces, "regrouped", killing)
    table = patients()
    step = KAnonymizer(5, quasi_identifiers=KNOWN)
    fit(step, parts_of(*_split(table, 4)))
    assert step.class_sizes_.tolist() == KAnonymizer(5, quasi_identifiers=KNOWN).fit(table).class_sizes_.tolist()


@pytest.mark.parametrize("most", [0.15, 0.3])
def test_classes_over_partitions_are_t_close(synchronous, few_together, most):
    table = patients()
    step = KAnonymizer(5, quasi_identifiers=KNOWN, sensitive="Pay", t_closeness=most)
    released = release(step, parts_of(*_split(table, 3))).compute()
    assert metrics.t_closeness(released, KNOWN, "Pay") <= most + 1e-9
    assert len(step.class_sizes_) > 4


def test_cuts_by_the_counts_of_one_partition_are_caught(synchronous, few_together, monkeypatch):
    """The planted bug: what the others hold is not added."""
    monkeypatch.setattr("skdp._dask_tables.added", lambda one, other: one)
    table = patients()
    step = KAnonymizer(5, quasi_identifiers=KNOWN)
    with pytest.raises((AssertionError, PartitionError)):
        released = release(clone(step), parts_of(*_split(table, 3))).compute()
        pd.testing.assert_frame_equal(released, clone(step).fit_transform(table))


def test_more_different_rows_than_can_be_counted_are_no_limit(synchronous, few_together, monkeypatch):
    monkeypatch.setattr("skdp._summaries.MOST_VALUES", 3700)
    table = patients()
    assert len(table.drop_duplicates(KNOWN)) > 3700
    step = KAnonymizer(5, quasi_identifiers=KNOWN)
    released = release(clone(step), parts_of(*_split(table, 3))).compute()
    pd.testing.assert_frame_equal(released, clone(step).fit_transform(table))


@pytest.mark.parametrize("n_parts", [1, 4])
def test_a_column_of_too_many_values_is_named_with_advice(synchronous, monkeypatch, n_parts):
    monkeypatch.setattr("skdp._summaries.MOST_VALUES", 3000)
    names = patients().assign(Name=[f"SECRET{number}" for number in range(4000)])
    with pytest.raises(PartitionError, match=r"tep 'kanonymizer'.*'Name'.*more than 3000.*bin numbers first") as error:
        release(KAnonymizer(5, quasi_identifiers=["Age", "Name"]), parts_of(*_split(names, n_parts)))
    assert "SECRET" not in str(error.value)
    assert error.value.__cause__ is None


def test_wrong_parameters_of_an_anonymizer_are_named_over_partitions(synchronous):
    table = parts_of(*_split(patients(), 2))
    for parameters, message in (
        ({"quasi_identifiers": ["Agee"]}, "did you mean 'Age'"),
        ({"k": 4001}, "at most the number of rows"),
        ({"sensitive": "Illness", "l_diversity": 9}, "at most 4, the values of 'Illness'"),
        (
            {"hierarchies": {"Town": {"Lima": ["any"]}}},
            r"hold every value of column 'Town'. It misses those of \d{4}",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            release(KAnonymizer(**{"k": 5, "quasi_identifiers": KNOWN, **parameters}), table)


def test_a_partition_of_which_no_row_comes_to_the_anonymizer_is_no_error(synchronous, few_together):
    table = patients()
    table["home"] = np.where(
        np.arange(4000) < 1000, "PO Box 7, Springfield, IL 62701", "1 Main St, Springfield, IL 62701"
    )
    for more in ({"quasi_identifiers": KNOWN}, {"quasi_identifiers": ["Age"], "sensitive": "Sex", "l_diversity": 2}):
        steps = make_pipeline(PIICleaner(addresses="home"), IntervalBinner({"Age": [30, 60]}), KAnonymizer(5, **more))
        released = release(clone(steps), parts_of(*_split(table, 4))).compute()
        assert len(released) == 3000
        pd.testing.assert_frame_equal(released, clone(steps).fit_transform(table))


def test_partitions_may_know_other_categories_and_dtypes(synchronous, few_together):
    table = patients()
    parts = _split(table, 4)
    parts[1] = parts[1].assign(Sex=parts[1]["Sex"].cat.set_categories(["m", "f", "x"]))
    parts[2] = parts[2].assign(Sex=None, Illness="flu", Pay=parts[2]["Pay"].astype("int16")).astype({"Age": "Float64"})
    step = KAnonymizer(5, quasi_identifiers=KNOWN, sensitive=["Illness", "Pay"], t_closeness=0.5)
    fit(step, parts_of(*parts))
    in_memory = clone(step).fit(pd.concat(parts, ignore_index=True))
    assert step.class_sizes_.tolist() == in_memory.class_sizes_.tolist()
    assert step.granularity_ == pytest.approx(in_memory.granularity_)


def test_an_anonymizer_over_no_rows_says_so(synchronous):
    with pytest.raises(ValueError, match="no rows to fit it to"):
        release(KAnonymizer(5, quasi_identifiers=KNOWN), parts_of(patients()[:0], patients()[:0]))


def test_relaxed_classes_that_rows_cannot_be_found_in_again_are_refused(synchronous, people):
    with pytest.raises(ValueError, match="'kanonymizer' .* over partitions"):
        release(KAnonymizer(7, quasi_identifiers=["Age"], relaxed=True), dd.from_pandas(people, npartitions=2))


def test_columns_of_one_name_are_refused_as_in_memory(synchronous, people):
    doubled = people.set_axis(["Age", "Age", "Town"], axis=1)
    for table in (dd.from_pandas(doubled, npartitions=2), parts_of(doubled[:2000], doubled[2000:])):
        with pytest.raises(ValueError, match="Column names must be unique. Got 'Age' more than once"):
            release(LaplaceNoise(bounds=(0, 100)), table)
        with pytest.raises(ValueError, match="Column names must be unique"):
            transform(IntervalBinner({"Age": [30]}), table)


def test_columns_in_another_order_in_one_partition_are_told_from_others(synchronous, people):
    turned = parts_of(people[:2000], people[2000:][["Income", "Age", "Town"]])
    with pytest.raises(PartitionError, match="Partition 1 has its columns in another order than those before it"):
        release(LaplaceNoise(**NOISE), turned)


def test_categories_that_are_not_public_are_in_no_partition(synchronous):
    jobs = pd.DataFrame({"Job": pd.Categorical(["a", "b"] * 50 + ["THE KING"])})
    imputer = DistributionImputer(epsilon=1, categories={"Job": ["a", "b"]}, replace="all")
    released = release(imputer, dd.from_pandas(jobs, npartitions=3))
    parts = [released._meta, *dask.compute(*released.to_delayed())]
    assert [part["Job"].cat.categories.tolist() for part in parts] == [["a", "b"]] * 4


def kings(**options):
    """A table of which only rows to drop are kings, and nobody is a public unicorn; the kings are in one partition."""
    jobs = pd.Categorical(["b", "a"] * 49 + ["THE KING", None], ["UNICORN", "b", "THE KING", "a"], **options)
    return pd.DataFrame({"Job": jobs, "Debt": [*np.arange(98.0), 1e6, 3.0], "Age": np.arange(100)})


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("more", [(), (LaplaceNoise(**NOISE),), (DistributionImputer(random_state=1),)])
def test_a_category_that_only_dropped_rows_had_is_in_no_partition(synchronous, tmp_path, ordered, more):
    more = [step.set_params(bounds={"Age": (0, 120)}) if isinstance(step, LaplaceNoise) else step for step in more]
    steps = make_pipeline(OutlierDropper(columns="Debt"), *more)
    released = release(steps, dd.from_pandas(kings(ordered=ordered), npartitions=3))
    parts = [released._meta, *dask.compute(*released.to_delayed())]
    assert [part["Job"].cat.categories.tolist() for part in parts] == [["UNICORN", "b", "a"]] * 4
    in_memory = clone(steps).fit_transform(kings(ordered=ordered))
    pd.testing.assert_series_equal(released["Job"].compute(), in_memory["Job"])
    for part in parts:
        part.to_parquet(tmp_path / "part.parquet")
        assert b"KING" not in (tmp_path / "part.parquet").read_bytes()


@pytest.mark.parametrize("drop_at", ["fit", "always"])
def test_served_partitions_name_the_categories_of_the_rows_that_are_left(synchronous, drop_at):
    step = OutlierDropper(columns="Debt", drop_at=drop_at).fit(kings())
    served = transform(step, dd.from_pandas(kings(), npartitions=3))
    in_memory = step.transform(kings())
    assert ("THE KING" in in_memory["Job"].cat.categories) == (drop_at == "fit")
    for part in [served._meta, *dask.compute(*served.to_delayed())]:
        assert part["Job"].dtype == in_memory["Job"].dtype


def test_a_name_that_was_cleaned_in_front_of_the_step_that_drops_it_is_in_no_partition(synchronous):
    names = ["Mr. Tom Lee", "Dra. Ana Ruiz"] * 50 + ["Sir Arthur King"]
    table = pd.DataFrame({"Name": pd.Categorical(names), "Debt": [3.0, 4.0] * 50 + [1e6]})
    steps = make_pipeline(PIICleaner(names="Name"), OutlierDropper(columns="Debt"))
    released = release(steps, dd.from_pandas(table, npartitions=3))
    for part in [released._meta, *dask.compute(*released.to_delayed())]:
        assert sorted(part["Name"].cat.categories) == ["Ana Ruiz", "Tom Lee"]
