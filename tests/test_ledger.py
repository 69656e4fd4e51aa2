import contextlib
import copy
import math
import multiprocessing
import os
import pickle
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion
from sklearn.utils.estimator_checks import parametrize_with_checks

import skdp
from skdp import (
    BudgetExceededError,
    FakerSynthesizer,
    LaplaceNoise,
    LedgerError,
    OutlierDropper,
    PrivacyGuarantee,
    PrivacyLedger,
    RandomizedResponse,
    TrainOnKept,
    make_pipeline,
    set_ledger,
)
from skdp._checks import ParameterError
from skdp.accounting import compose
from skdp.cli import main
from skdp.specifications import Copy

# what Python says of os.fork in a process with threads, from 3.12 on; here forks are the point
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

TENTH = PrivacyGuarantee(Fraction(1, 10), columns=("Age",))


def ages():
    return pd.DataFrame({"Age": [24, 35, 71, 44]})


def noise(ledger, **parameters):
    return LaplaceNoise(**({"epsilon": 1, "bounds": (0, 100)} | parameters), ledger=ledger)


def charge(ledger, times=1, guarantee=TENTH):
    for _ in range(times):
        ledger.charge(guarantee, estimator="LaplaceNoise", rows=4, purpose="transform")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "budget.sqlite")


@pytest.fixture
def nothing_drawn(monkeypatch):
    """Fail where any noise is drawn."""

    def draw(*_, **__):
        raise AssertionError("noise was drawn")

    for source in ("secure_source", "seeded_source"):
        monkeypatch.setattr(f"skdp._calibration.{source}", draw)
    for mechanism in ("laplace", "laplace_integers", "randomized_response"):
        monkeypatch.setattr(f"skdp.noise.{mechanism}", draw)


# What is charged


def test_each_release_is_an_entry_with_all_that_the_issue_asks_for(path):
    ledger = PrivacyLedger(path)
    before = pd.Timestamp.now("UTC")
    noise(ledger).fit_transform(ages())
    RandomizedResponse(0.5, categories={"City": ["Oslo", "Lima"]}, ledger=ledger).fit_transform(
        pd.DataFrame({"City": ["Oslo", "Lima", "Lima"]})
    )
    entries = ledger.entries()
    assert entries.drop(columns="time").to_dict("records") == [
        {"estimator": "LaplaceNoise", "columns": "Age", "epsilon": 1.0, "delta": 0.0, "rows": 4,
         "purpose": "transform", "scope": "local", "reasons": ""},
        {"estimator": "RandomizedResponse", "columns": "City", "epsilon": 0.5, "delta": 0.0, "rows": 3,
         "purpose": "transform", "scope": "local", "reasons": ""},
    ]  # fmt: skip
    assert entries["time"].between(before, pd.Timestamp.now("UTC")).all()


def test_one_charge_covers_all_columns_of_a_call():
    ledger = PrivacyLedger()
    noise(ledger).fit_transform(ages().assign(Income=1.5))
    assert ledger.spent == 2
    assert ledger.entries()["columns"].tolist() == ["Age, Income"]


def test_fitting_draws_nothing_and_costs_nothing_and_so_does_a_table_without_rows():
    ledger = PrivacyLedger()
    noise(ledger).fit(ages()).transform(ages()[:0])
    assert len(ledger.entries()) == 0


def test_each_transform_is_charged_again():
    ledger = PrivacyLedger()
    step = noise(ledger).fit(ages())
    for _ in range(3):
        step.transform(ages())
    assert ledger.spent == 3


def test_metric_noise_is_charged_by_the_epsilon_of_a_whole_record():
    ledger = PrivacyLedger()
    with pytest.warns(UserWarning, match="metric"):
        noise(ledger, sensitivity=10).fit_transform(ages())
    assert ledger.spent == 10
    assert ledger.entries()["scope"].tolist() == ["metric"]


def test_sums_are_exact():
    ledger = PrivacyLedger(epsilon=1, delta=Fraction(1, 3))
    charge(ledger, 10)
    assert (ledger.spent, ledger.remaining) == (1, 0)
    for third in (Fraction(1, 7), Fraction(4, 21)):
        charge(ledger, guarantee=PrivacyGuarantee(Fraction(0), delta=third))
    assert Fraction(ledger.spent_delta) >= Fraction(1, 3) > Fraction(math.nextafter(ledger.spent_delta, 0))


def test_what_is_spent_is_never_understated_and_what_is_left_never_overstated():
    ledger = PrivacyLedger(epsilon=1)
    charge(ledger, guarantee=PrivacyGuarantee(Fraction(1, 3)))
    assert Fraction(ledger.spent) >= Fraction(1, 3)
    assert Fraction(ledger.remaining) <= Fraction(2, 3)


def test_figures_too_long_to_write_in_decimals_are_kept_exactly():
    ledger = PrivacyLedger()
    long = Fraction(3**10_000 + 1, 2**16_000)
    charge(ledger, 2, PrivacyGuarantee(long))
    charge(ledger, guarantee=PrivacyGuarantee(Fraction(1, 3**10_000)))
    assert ledger.spent == pytest.approx(float(2 * long))


def test_what_is_composed_is_the_sum_of_the_entries():
    ledger = PrivacyLedger()
    noise(ledger).fit_transform(ages())
    charge(ledger, 3)
    composed = ledger.composed()
    assert composed == PrivacyGuarantee(Fraction(13, 10), columns=("Age",))
    assert ledger.composed(1e-6) == composed  # without Gaussian noise there is nothing to gain


def test_gaussian_noise_composes_more_tightly_at_a_delta():
    pytest.importorskip("dp_accounting")
    ledger = PrivacyLedger()
    parts = [PrivacyGuarantee(Fraction(1), Fraction(1, 10**7), columns=("Age",), noise_multipliers=(5.0, 6.0))] * 9
    for part in parts:
        charge(ledger, guarantee=part)
    charge(ledger)
    for method in ("rdp", "pld"):
        composed = ledger.composed(1e-6, method=method)
        assert composed == compose([*parts, TENTH], delta=1e-6, method=method)
        assert composed.epsilon < ledger.spent
        assert composed.delta == Fraction(1e-6)


def test_infinite_charges_compose_to_infinity_with_their_reasons():
    ledger = PrivacyLedger()
    noise(ledger, random_state=0).fit_transform(ages())
    assert "seeded" in ledger.composed().reasons[0]


@parametrize_with_checks(
    [LaplaceNoise(bounds=(-10, 10), ledger=PrivacyLedger())],
    expected_failed_checks=lambda estimator: dict.fromkeys(
        ["check_methods_sample_order_invariance", "check_methods_subset_invariance"], "noise differs from call to call"
    ),
    xfail_strict=True,
)
def test_scikit_learn_s_checks_hold_with_a_ledger(estimator, check):
    check(estimator)


# The cap


@pytest.mark.usefixtures("nothing_drawn")
@pytest.mark.parametrize("step", [LaplaceNoise(2, bounds=(0, 100)), RandomizedResponse(2, categories=["a", "b"])])
def test_at_the_cap_nothing_is_drawn_and_nothing_charged(step, path):
    ledger = PrivacyLedger(path, epsilon=Fraction(3, 2))
    column = [1.0, 2.0] if isinstance(step, LaplaceNoise) else ["a", "b"]
    step.set_params(ledger=ledger)
    with pytest.raises(BudgetExceededError) as raised:
        step.fit_transform(pd.DataFrame({"x": column}))
    assert str(raised.value) == (
        f"{type(step).__name__} asks for ε = 2, of which 1.5 of the cap 1.5 is left. Nothing was drawn, charged or "
        f"released; the ledger is {ledger.path!r}."
    )
    assert ledger.spent == len(ledger.entries()) == 0


@pytest.mark.usefixtures("nothing_drawn")
def test_seeded_noise_is_infinite_which_no_cap_allows():
    step = noise(PrivacyLedger(epsilon=1000), random_state=0)
    with pytest.raises(BudgetExceededError, match="LaplaceNoise asks for ε = ∞, which no cap allows: the noise is see"):
        step.fit_transform(ages())


def test_without_a_cap_infinite_is_recorded_with_its_reason():
    ledger = PrivacyLedger()
    noise(ledger, random_state=0).fit_transform(ages())
    charge(ledger)
    assert ledger.spent == ledger.remaining == math.inf
    assert "seeded" in ledger.entries()["reasons"][0]


def test_without_delta_a_cap_is_one_of_pure_differential_privacy():
    ledger = PrivacyLedger(epsilon=1)
    with pytest.raises(BudgetExceededError, match="asks for δ = 1e-09, and the ledger allows none"):
        charge(ledger, guarantee=PrivacyGuarantee(Fraction(1, 10), delta=Fraction(1, 10**9)))


def test_a_float_s_hair_is_named():
    ledger = PrivacyLedger(epsilon=1)
    with pytest.raises(BudgetExceededError, match=r"rounding of a float; Fraction and Decimal are exact"):
        charge(ledger, 10, PrivacyGuarantee(Fraction(0.1)))
    assert len(ledger.entries()) == 9


@pytest.mark.parametrize(
    ("caps", "match"),
    [
        ({"epsilon": 0}, "'epsilon' parameter of PrivacyLedger must be a positive number or None. Got 0"),
        ({"epsilon": math.inf}, "epsilon"),
        ({"epsilon": "1"}, "epsilon"),
        ({"epsilon": True}, "epsilon"),
        ({"delta": 1}, "'delta' parameter .* at least 0 and below 1"),
        ({"delta": -0.1}, "delta"),
    ],
)
def test_caps_are_checked(caps, match):
    with pytest.raises(ParameterError, match=match):
        PrivacyLedger(**caps)


def test_a_file_keeps_the_cap_it_was_made_with(path):
    PrivacyLedger(path, epsilon=Decimal("1.5"))
    assert PrivacyLedger(path).epsilon == Fraction(3, 2)
    assert PrivacyLedger(path, epsilon=1.5) == PrivacyLedger(path)
    with pytest.raises(ParameterError, match=r"None or the cap that .* was made with \(1.5\)\. Got 2.0 instead"):
        PrivacyLedger(path, epsilon=2)


def test_a_cap_cannot_be_put_on_a_file_made_without(path):
    PrivacyLedger(path)
    with pytest.raises(ParameterError, match="no cap"):
        PrivacyLedger(path, epsilon=2)


# One file behind every handle


def copies(ledger):
    step = noise(ledger)
    return [
        ledger,
        copy.copy(ledger),
        copy.deepcopy(ledger),
        pickle.loads(pickle.dumps(ledger)),
        PrivacyLedger(ledger.path),
        clone(step).ledger,
        clone(clone(step)).get_params()["ledger"],
        pickle.loads(pickle.dumps(step)).ledger,
    ]


@pytest.mark.parametrize("in_memory", [True, False])
def test_copies_clones_and_pickles_share_one_balance(path, in_memory):
    ledger = PrivacyLedger(None if in_memory else path, epsilon=1)
    for number, handle in enumerate(copies(ledger), start=1):
        charge(handle)
        assert handle == ledger
        assert hash(handle) == hash(ledger)
        assert ledger.spent == pytest.approx(number / 10)
    with pytest.raises(BudgetExceededError):
        charge(pickle.loads(pickle.dumps(ledger)), 3)


def test_the_path_is_absolute_so_that_workers_find_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = PrivacyLedger("budget.sqlite")
    monkeypatch.chdir("/")
    charge(ledger)
    assert Path(ledger.path) == tmp_path.resolve() / "budget.sqlite"
    (tmp_path / "link").symlink_to(ledger.path)
    assert PrivacyLedger(tmp_path / "link") == ledger


def test_ledgers_without_a_file_are_apart():
    first, second = PrivacyLedger(), PrivacyLedger()
    charge(first)
    assert second.spent == 0
    assert first != second


def test_repr_shows_the_caps_and_the_file_only_where_it_was_named(path):
    assert repr(PrivacyLedger(epsilon=2, delta=1e-6)) == "PrivacyLedger(epsilon=2, delta=1e-06)"
    assert repr(PrivacyLedger(path)) == f"PrivacyLedger({path!r})"


def charge_in_worker(ledger, times=1):
    charge(ledger, times)
    return os.getpid()


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib_s_workers_share_it(backend):
    ledger = PrivacyLedger()
    charge(ledger)  # a connection is open: it must not be carried over
    Parallel(2, backend=backend)(delayed(charge_in_worker)(ledger, 5) for _ in range(8))
    charge(ledger)
    assert len(ledger.entries()) == 42
    assert ledger.spent == pytest.approx(4.2)


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.long)])
def test_eight_processes_lose_nothing(method, path):
    ledger = PrivacyLedger(path, epsilon=160)
    charge(ledger, guarantee=PrivacyGuarantee(Fraction(0)))
    context = multiprocessing.get_context(method)
    processes = [context.Process(target=charge_in_worker, args=(ledger, 200)) for _ in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert len(ledger.entries()) == 1 + 1600
    assert ledger.remaining == 0


def test_the_cap_holds_whoever_comes_first():
    ledger = PrivacyLedger(epsilon=1)
    refused = []

    def spend():
        for _ in range(10):
            try:
                charge(ledger)
            except BudgetExceededError:
                refused.append(1)

    threads = [threading.Thread(target=spend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ledger.spent == 1
    assert (len(ledger.entries()), len(refused)) == (10, 30)


def test_a_fork_while_other_threads_charge_harms_nobody():
    ledger = PrivacyLedger()
    stop = threading.Event()

    def spend():
        while not stop.is_set():
            charge(ledger)

    thread = threading.Thread(target=spend)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if not child:
                charge(ledger, 5)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        stop.set()
        thread.join()
    entries = ledger.entries()
    assert len(entries) >= 50
    assert ledger.spent == pytest.approx(len(entries) / 10)


def run(code, *arguments, **options):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options)


def test_without_a_file_it_is_gone_with_the_process_that_made_it_and_no_other():
    process = run("""
        import os, pickle, sys
        from skdp import PrivacyLedger
        ledger = PrivacyLedger(epsilon=1)
        child = os.fork()
        if not child:
            sys.exit()  # with everything that Python does at exit
        os.waitpid(child, 0)
        assert os.path.exists(ledger.path)
        print(pickle.dumps(ledger).hex())
    """)
    ledger = pickle.loads(bytes.fromhex(process.communicate()[0]))
    assert process.returncode == 0
    assert not Path(ledger.path).parent.exists()
    with pytest.raises(LedgerError, match=r"not there \(any more\)"):
        charge(ledger)  # rather than a new ledger, of which nothing is spent
    assert not Path(ledger.path).exists()


SPENDER = """
    import os, sys
    from fractions import Fraction
    from skdp import PrivacyGuarantee, PrivacyLedger
    ledger, guarantee = PrivacyLedger(sys.argv[1]), PrivacyGuarantee(Fraction(1, 10))
    released = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    print("ready", flush=True)
    while True:
        ledger.charge(guarantee, estimator="x", rows=1, purpose="transform")
        os.write(released, b".")
        os.fsync(released)
"""


@pytest.mark.long
def test_killed_at_any_moment_it_never_reads_less_than_was_released(path, tmp_path):
    ledger, side = PrivacyLedger(path), tmp_path / "released"
    rng = np.random.default_rng(0)
    for kills in range(1, 41):
        process = run(SPENDER, path, side)
        assert process.stdout.readline() == "ready\n"
        wait_for_growth(side) if kills % 4 else None
        time.sleep(rng.uniform(0, 0.06))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        released, charged = side.stat().st_size, len(ledger.entries())
        assert released <= charged <= released + kills
        assert ledger.spent == pytest.approx(charged / 10)
    assert released >= 30


def test_killed_in_the_middle_it_never_reads_less_than_was_released(path, tmp_path):
    ledger, side = PrivacyLedger(path), tmp_path / "released"
    context = multiprocessing.get_context("fork")
    rng = np.random.default_rng(0)
    for kills in range(1, 41):
        process = context.Process(target=spend_and_tell, args=(ledger, side))
        process.start()
        wait_for_growth(side) if kills % 4 else None
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.join()
        released = side.stat().st_size if side.exists() else 0
        charged = len(ledger.entries())
        assert released <= charged <= released + kills
        assert ledger.spent == pytest.approx(charged / 10)
    assert released >= 30


def wait_for_growth(path):
    """Return when a file has grown, whatever the machine has to do besides."""
    before = path.stat().st_size if path.exists() else 0
    while not path.exists() or path.stat().st_size == before:
        time.sleep(0.001)


def spend_and_tell(ledger, side):
    with open(side, "ab", buffering=0) as file:
        while True:
            charge(ledger)
            file.write(b".")
            os.fsync(file.fileno())


def test_the_killing_would_show_a_ledger_that_commits_late(path, tmp_path):
    ledger, side = PrivacyLedger(path), tmp_path / "released"

    def spend_in_one_transaction():
        with skdp.ledger._ledger_file.transaction(path, None) as connection:
            skdp.ledger._ledger_file.transaction = lambda *_: contextlib.nullcontext(connection)  # the planted bug
            spend_and_tell(ledger, side)

    process = multiprocessing.get_context("fork").Process(target=spend_in_one_transaction)
    process.start()
    wait_for_growth(side)
    process.kill()
    process.join()
    assert side.stat().st_size > len(ledger.entries())


# It fails closed


def test_the_file_is_its_owner_s_alone(path):
    ledger = PrivacyLedger(path)
    charge(ledger)
    for name in Path(path).parent.iterdir():
        assert stat.S_IMODE(name.stat().st_mode) == 0o600, name
    assert stat.S_IMODE(Path(PrivacyLedger().path).parent.stat().st_mode) == 0o700


@pytest.mark.usefixtures("nothing_drawn")
@pytest.mark.parametrize("content", [b"", b"Age,Income\n24,21.5\n" * 100, "another database", "cut off"])
def test_a_file_that_is_no_ledger_is_refused_and_left_alone(path, content):
    if content == "another database":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE people (name TEXT)")
        connection.close()
    elif content == "cut off":
        charge(PrivacyLedger(path), 500)
        skdp.ledger._ledger_file._OPEN.close()
        Path(path).write_bytes(Path(path).read_bytes()[:5000])
    else:
        Path(path).write_bytes(content)
    before = Path(path).read_bytes()
    with pytest.raises(LedgerError, match="is not a privacy ledger"):
        PrivacyLedger(path).entries()
    assert Path(path).read_bytes() == before


LEFT = r"The ledger '.*' cannot be made beside '.*budget.sqlite-wal', the rest of a ledger whose own file was deleted"


def remove(path, endings=("", "-wal", "-shm")):
    for ending in endings:
        Path(path + ending).unlink(missing_ok=True)


def spend_and_be_killed(path):
    process = multiprocessing.get_context("fork").Process(target=kill_after_charges, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert os.path.exists(path + "-wal")


def kill_after_charges(path):
    charge(PrivacyLedger(path, epsilon=50), 5)
    os.kill(os.getpid(), signal.SIGKILL)


def test_no_ledger_is_made_beside_the_charges_of_one_that_was_deleted(path):
    spend_and_be_killed(path)
    os.unlink(path)
    left = {name: name.read_bytes() for name in Path(path).parent.iterdir()}
    for caps in ({"epsilon": 2}, {}):
        with pytest.raises(LedgerError, match=LEFT):
            PrivacyLedger(path, **caps)  # SQLite would put the old cap and the old charges into the new file
    assert {name: name.read_bytes() for name in Path(path).parent.iterdir()} == left
    remove(path)
    ledger = PrivacyLedger(path, epsilon=2)
    with pytest.raises(BudgetExceededError):
        charge(ledger, 21)
    assert (ledger.spent, ledger.remaining, len(ledger.entries())) == (2, 0, 20)


def test_the_charges_of_a_killed_process_count_while_its_file_is_there(path):
    spend_and_be_killed(path)
    assert len(PrivacyLedger(path, epsilon=50).entries()) == 5
    with pytest.raises(ParameterError, match=r"was made with \(50\)"):
        PrivacyLedger(path, epsilon=2)


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_each_file_that_sqlite_would_take_over_is_named_and_left_alone(path, ending):
    Path(path + ending).touch()
    with pytest.raises(LedgerError, match=rf"delete '.*budget.sqlite{ending}', too"):
        PrivacyLedger(path)
    assert [name.name for name in Path(path).parent.iterdir()] == ["budget.sqlite" + ending]


def test_a_ledger_deleted_while_it_is_open_is_neither_charged_nor_made_anew(path):
    ledger = PrivacyLedger(path, epsilon=50)
    charge(ledger, 3)
    os.unlink(path)
    with pytest.raises(LedgerError, match=r"not there \(any more\)"):
        charge(ledger)
    with pytest.raises(LedgerError, match=LEFT):
        PrivacyLedger(path, epsilon=2)
    assert in_child(lambda: PrivacyLedger(path, epsilon=2)).startswith("LedgerError: The ledger")


@pytest.mark.usefixtures("nothing_drawn")
@pytest.mark.parametrize("handle", [lambda one: one, lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_a_ledger_in_the_place_of_another_is_charged_by_its_own_handles_alone(path, handle):
    old = handle(PrivacyLedger(path, epsilon=50))
    charge(old, 3)
    remove(path)
    new = PrivacyLedger(path, epsilon=50)
    for use in (
        charge,
        PrivacyLedger.entries,
        PrivacyLedger.composed,
        lambda one: one.spent,
        lambda one: one.remaining,
    ):
        with pytest.raises(LedgerError, match="is not the one that this handle was made for"):
            use(old)
    with pytest.raises(LedgerError, match="Nothing was charged or released"):
        noise(old).fit_transform(ages())
    charge(new)
    assert len(new.entries()) == 1


def test_a_ledger_that_another_process_put_in_the_place_of_an_open_one_is_not_charged(path):
    ledger = PrivacyLedger(path, epsilon=50)
    charge(ledger, 3)
    remove(path)
    assert in_child(lambda: charge(PrivacyLedger(path, epsilon=50))) == "nothing raised"
    with pytest.raises(LedgerError, match="was replaced by another file while this process used it"):
        charge(ledger)
    assert len(PrivacyLedger(path).entries()) == 1


def test_a_worker_that_used_a_ledger_before_charges_the_one_that_took_its_place(path):
    """Those of joblib stay, and get a new handle with each task."""
    first = PrivacyLedger(path, epsilon=50)
    with multiprocessing.get_context("fork").Pool(1) as worker:
        worker.apply(charge, (first, 3))
        remove(path)
        second = PrivacyLedger(path, epsilon=50)
        for times in range(1, 4):
            charge(second)
            worker.apply(charge, (second, 2))
            assert len(second.entries()) == 3 * times
        with pytest.raises(LedgerError, match="was replaced"):
            worker.apply(charge, (first,))
        worker.apply(charge, (second,))
    assert second.spent == 1
    assert len(second.entries()) == 10


def test_an_older_state_of_a_ledger_is_not_charged_by_who_has_the_newer_one_open(path, tmp_path):
    ledger = PrivacyLedger(path, epsilon=1)
    skdp.ledger._ledger_file._OPEN.close()
    backup = tmp_path / "backup"
    backup.write_bytes(Path(path).read_bytes())
    charge(ledger, 10)
    remove(path, ("-wal", "-shm"))
    backup.rename(path)
    with pytest.raises(LedgerError, match="was replaced by another file"):
        charge(ledger)


def test_a_file_deleted_in_the_middle_of_a_charge_is_noticed(path, monkeypatch):
    ledger, spent = PrivacyLedger(path), PrivacyLedger._spent

    def spent_while_another_deletes(self, connection):
        os.unlink(path)
        return spent(self, connection)

    monkeypatch.setattr(PrivacyLedger, "_spent", spent_while_another_deletes)
    with pytest.raises(LedgerError, match="not there"):
        charge(ledger)


def test_of_eight_processes_that_make_one_ledger_none_is_refused(path):
    context = multiprocessing.get_context("fork")
    for number in range(5):
        own = f"{path}{number}"
        start = context.Barrier(8)
        processes = [context.Process(target=make_and_charge, args=(own, start)) for _ in range(8)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        assert len(PrivacyLedger(own, epsilon=2).entries()) == 16


def make_and_charge(path, start):
    start.wait()
    charge(PrivacyLedger(path, epsilon=2), 2)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LedgerError, match="cannot be made: No such file or directory"):
        PrivacyLedger(tmp_path / "none" / "budget.sqlite")


def in_child(function):
    """Return what a function of no arguments raises in a process of its own, as text."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            function()
            answer = "nothing raised"
        except BaseException as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(write, answer.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as file:
        return file.read()


@pytest.mark.usefixtures("nothing_drawn")
def test_a_read_only_file_can_be_read_but_nothing_is_drawn_or_charged():
    with tempfile.TemporaryDirectory() as folder:
        ledger = PrivacyLedger(Path(folder) / "budget.sqlite")
        charge(ledger)
        skdp.ledger._ledger_file._OPEN.close()
        os.chmod(ledger.path, 0o444)
        os.chmod(folder, 0o555)

        def release():
            if not os.getuid():
                os.setuid(65534)  # root may write everything
            assert len(PrivacyLedger(ledger.path).entries()) == 1
            noise(ledger).fit_transform(ages())

        raised = in_child(release)
        os.chmod(folder, 0o755)
        assert raised.startswith("LedgerError: The ledger")
        assert "Nothing was charged or released" in raised
        assert len(ledger.entries()) == 1


@pytest.mark.usefixtures("nothing_drawn")
def test_with_a_full_disk_nothing_is_drawn_or_charged(path):
    ledger = PrivacyLedger(path)

    def release():
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
        for _ in range(1000):
            charge(ledger)
        raise AssertionError("the disk was not full")

    raised = in_child(release)
    assert raised.startswith("LedgerError: The ledger"), raised
    charged = len(ledger.entries())
    assert 0 < charged < 1000
    assert ledger.spent == pytest.approx(charged / 10)

    def release_again():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        noise(ledger).fit_transform(ages())

    assert in_child(release_again).startswith("LedgerError: The ledger")
    assert len(ledger.entries()) == charged


def test_an_interrupted_charge_is_whole_or_absent(path, monkeypatch):
    ledger = PrivacyLedger(path)

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(skdp.ledger, "spelled", interrupted)
    with pytest.raises(KeyboardInterrupt):
        charge(ledger)
    monkeypatch.undo()
    charge(ledger)
    assert len(ledger.entries()) == 1


# In pipelines and searches


def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"Age": rng.uniform(0, 100, 60), "Income": rng.uniform(0, 100, 60)}), rng.integers(0, 2, 60)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_search_charges_every_fit_and_every_score(n_jobs):
    X, y = table()
    ledger = PrivacyLedger()
    pipeline = make_pipeline(noise(ledger), LogisticRegression())
    GridSearchCV(pipeline, {"laplacenoise__epsilon": [1, 2]}, cv=3, n_jobs=n_jobs).fit(X, y)
    entries = ledger.entries()
    # each of 2 × 3 fits noises the training part, and the test part to score it; then the refit of one of the two
    assert sorted(entries["rows"]) == [20] * 6 + [40] * 6 + [60]
    assert ledger.spent == 2 * 3 * 2 * (1 + 2) + entries["epsilon"][12]


def test_a_cap_met_by_a_search_stops_it_before_the_noise():
    X, y = table()
    ledger = PrivacyLedger(epsilon=5)
    pipeline = make_pipeline(noise(ledger), LogisticRegression())
    search = GridSearchCV(pipeline, {"laplacenoise__epsilon": [1, 2]}, cv=3, error_score="raise")
    with pytest.raises(BudgetExceededError):
        search.fit(X, y)
    assert ledger.spent == 4


def test_what_a_pipeline_keeps_in_memory_is_the_same_noise_and_charged_once(tmp_path):
    X, y = table()
    ledger = PrivacyLedger()
    pipeline = make_pipeline(noise(ledger), LinearRegression(), memory=str(tmp_path))
    assert pipeline.fit(X, y)[1].coef_.tolist() == pipeline.fit(X, y)[1].coef_.tolist()
    assert len(ledger.entries()) == 1


def test_set_ledger_reaches_every_nested_step():
    both = ColumnTransformer([("a", noise(None), ["Age"]), ("b", make_pipeline(noise(None), noise(None)), ["Income"])])
    union = FeatureUnion([("c", noise(None)), ("d", both)])
    model = TrainOnKept(make_pipeline(OutlierDropper(), union), GridSearchCV(make_pipeline(noise(None)), {}))
    ledger = PrivacyLedger()
    assert set_ledger(model, ledger) is model
    found = {name: value for name, value in model.get_params().items() if name.endswith("ledger")}
    assert len(found) == 6
    assert all(value is ledger for value in found.values())
    assert len(set_ledger(LaplaceNoise(), ledger).get_params()) == 8
    assert set_ledger(noise(ledger), None).ledger is None


def test_what_is_no_ledger_is_refused_by_fit():
    with pytest.raises(ParameterError, match="'ledger' parameter of LaplaceNoise must be a PrivacyLedger or None"):
        noise("budget.sqlite").fit(ages())


def test_set_ledger_reaches_the_fitted_copies_that_transform():
    X, y = table()
    parts = ColumnTransformer([("a", noise(None), ["Age"])])
    search = GridSearchCV(make_pipeline(parts, LogisticRegression()), {}, cv=2)
    model = TrainOnKept(make_pipeline(OutlierDropper(), noise(None)), LogisticRegression())
    for estimator in (parts, search, model):
        ledger = PrivacyLedger()
        set_ledger(estimator.fit(X, y), ledger)
        estimator.transform(X) if estimator is parts else estimator.predict(X)
        assert len(ledger.entries()) == 1


def test_set_ledger_refuses_what_would_charge_nothing():
    with pytest.raises(ValueError, match="No step of LogisticRegression has a 'ledger' parameter"):
        set_ledger(LogisticRegression(), PrivacyLedger())
    with pytest.raises(ParameterError, match="a PrivacyLedger or None"):
        set_ledger(noise(None), "budget.sqlite")


# Printed


def test_the_command_line_prints_a_ledger(path, capsys):
    ledger = PrivacyLedger(path, epsilon=1)
    charge(ledger, 2)
    assert main(["ledger", path]) == 0
    out = capsys.readouterr().out
    assert out.count("LaplaceNoise") == 2
    assert out.endswith("2 entries; ε = 0.2 spent of 1; 0.8 is left\n")


def test_the_command_line_makes_no_ledger(path, capsys):
    assert main(["ledger", path]) == 2
    assert capsys.readouterr().err == f"skdp: There is no ledger {path!r}.\n"
    assert not os.path.exists(path)


def test_an_empty_ledger_prints_its_cap(path, capsys):
    PrivacyLedger(path, epsilon=2)
    main(["ledger", path])
    assert capsys.readouterr().out == "0 entries; ε = 0 spent of 2; 2 is left\n"


@pytest.mark.parametrize("path", [5, True, 1.5, b"budget.db", [], "", "a\0b", "\ud800"])
def test_a_path_that_is_none_is_refused_as_other_parameters_are(path):
    with pytest.raises(ParameterError, match="The 'path' parameter of PrivacyLedger must be the name of a file"):
        PrivacyLedger(path)


def test_a_copy_of_a_record_counts_as_a_record_of_its_own():
    """What the Notes say: three rows are charged as three records, though there were two."""
    ledger = PrivacyLedger()
    request = pd.DataFrame({"Age": [30.0, 40.0], "Records": [2, 1]})
    copies = FakerSynthesizer({"Age": Copy("Age")}, count="Records", random_state=1)
    pipeline = make_pipeline(copies, LaplaceNoise(bounds={"Age": (0, 100)}, ledger=ledger)).fit(request)
    assert len(pipeline.transform(request)) == 3
    assert ledger.entries()[["epsilon", "rows"]].to_numpy().tolist() == [[1.0, 3]]
