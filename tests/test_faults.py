"""Killed processes, full disks, vanished folders, broken files, two runs at once: nothing half done is left to be read.

Each time the output is absent, as it was, or complete; temporary files are for the owner alone; what is read is
untouched; the exit status is not 0 and the message is one line.
"""

import hashlib
import json
import os
import random
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skdp import PrivacyLedger, _ledger_file
from skdp._files import TableWriter, replacing
from skdp._folders import MANIFEST
from skdp.cli import main
from skdp.report import DataSafetyReport

RECIPE = """
[[steps]]
use = "IntervalBinner"
edges = { Age = [30, 60] }

[[steps]]
use = "LaplaceNoise"
epsilon = 0.5
bounds = { Debt = [0, 9], Income = [0, 99] }
"""
LEARNING = """
[[steps]]
use = "OutlierDropper"
columns = ["Debt"]

[[steps]]
use = "QuantileBinner"
columns = ["Age"]
epsilon = 0.5
bounds = { Age = [0, 90] }
"""
MADE = """
[[steps]]
use = "FakerSynthesizer"
count = "Records"
[steps.schema]
Age = { integers = [0, 90] }
Name = { fake = "name" }
Debt = { choice = [1, 2, 3, 4, 5, 1000], weights = [20, 20, 20, 20, 20, 1] }
"""
COMMANDS = ["synthesize", "release"]
REPORTING = ["report", "release --report"]  # of the second, the report is the output, and the table lies beside it
READING = ["inspect", "ledger"]
OUTPUTS = ["out", "out.csv", "out.parquet"]
FILES = [*OUTPUTS[1:], "out.csv.gz"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "request.csv").write_text("Country,Year,Records\nRUSSIA,2016,1200\nMEXICO,2020,800\n")
    (tmp_path / "mask.toml").write_text(RECIPE)
    write_people(tmp_path, 2000)
    return tmp_path


@pytest.fixture
def reported(folder):
    """Return a folder in which there is a release to report on, too, and a ledger."""
    (folder / "told.toml").write_text('quasi_identifiers = ["Age"]\nsensitive = ["Debt"]\n' + RECIPE)
    pd.read_parquet(folder / "people.parquet").round(0).to_parquet(folder / "masked.parquet")
    PrivacyLedger(folder / "spent.db", epsilon=9)
    _ledger_file._OPEN.close()  # one file, not three
    return folder


def write_people(folder, rows):
    rng = np.random.default_rng(0)
    pd.DataFrame({
        "Age": rng.integers(0, 90, rows), "Debt": rng.normal(4, 1, rows), "Income": rng.lognormal(3, 1, rows),
    }).to_parquet(folder / "people.parquet")  # fmt: skip


def words(folder, command, output=None, *more):
    people, ending = str(folder / "people.parquet"), [str(folder / output), *map(str, more)] if output else []
    if command == "report":
        known = ["--quasi-identifiers", "Age", "--sensitive", "Debt"]
        return ["report", people, str(folder / "masked.parquet"), *known, "--output", *ending]
    if command == "release --report":
        table = str(folder / "table.csv")
        return ["release", people, "--recipe", str(folder / "told.toml"), "--output", table, "--report", *ending]
    if command in READING:
        return [command, people if command == "inspect" else str(folder / "spent.db")]
    source = "request.csv" if command == "synthesize" else "people.parquet"
    made = [] if not (folder / "made.toml").exists() else ["--recipe", str(folder / "made.toml")]
    recipe = made if command == "synthesize" else ["--recipe", str(folder / "mask.toml")]
    return [command, str(folder / source), *recipe, "--output", *ending]


def start(folder, command, output=None, *more, **options):
    line = [sys.executable, "-m", "skdp", *words(folder, command, output, *more)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def digests(folder):
    names = ("request.csv", "people.parquet", "mask.toml", "told.toml", "masked.parquet", "spent.db")
    there = [folder / name for name in names if (folder / name).exists()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in there}


def check_private(folder):
    """Raise unless whatever a command wrote is for its owner alone."""
    patterns = ("**/part-*", "**/*.part", f"**/{MANIFEST}", "out.*", "table.*")
    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        try:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
        except FileNotFoundError:
            continue  # renamed just now
    for path in [*folder.glob("out"), *folder.glob(".out.unfinished")]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def check_whole(path, rows):
    """Raise unless an output is absent or complete."""
    if not path.exists():
        return False
    if path.suffix == ".json":
        assert json.loads(path.read_text())["verdict"]
        return True
    if path.suffix == ".html":
        assert path.read_text().rstrip().endswith("</html>")
        return True
    if path.is_dir():
        manifest = json.loads((path / MANIFEST).read_text())
        assert manifest["complete"] and manifest["rows"] == rows
        assert "seed" not in manifest
        assert sorted(one.name for one in path.iterdir()) == sorted([MANIFEST, *(p["file"] for p in manifest["parts"])])
    table = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    assert len(table) == rows
    return True


def fails(capsys, folder, command, output=None, *more):
    """Run in this process; expect status 2 and one line, and the sources as they were; return the line."""
    before = digests(folder)
    assert main(words(folder, command, output, *more)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    check_one_line(captured.err)
    assert digests(folder) == before
    return captured.err


def check_one_line(errors):
    assert errors.startswith("skdp: ") and errors.count("\n") == 1, errors


# Killed


def kill_often(folder, command, output, rows, kills, seed, in_work=0):
    """Kill a command so often, and so often in mid-work, at random moments, and go on with it each time.

    The moments are spread over the time that it works for here and now, so a faster machine kills no later in the work.
    """
    rng, before = random.Random(seed), digests(folder)
    ledger = folder / "budget.db"
    more = ["--chunk-rows", 65_536, *(["--seed", 7] if command == "synthesize" else [])]
    longest = _seconds_of_work(folder, command, output, *more)
    more += ["--ledger", ledger] if command == "release" else []
    resume = [] if "." in output else ["--resume"]
    committed: dict[str, bytes] = {}
    number = killed_in_work = 0
    while number < kills or killed_in_work < in_work:
        assert number < 5 * kills, f"only {killed_in_work} of {number} kills were in mid-work"
        began = time.time()
        process = start(folder, command, output, *more, *resume)
        if waited := number % 4:  # the others may be killed before they have begun
            _wait_for_work(folder, process, began)
        time.sleep(rng.uniform(0, longest))
        process.kill()
        process.communicate()
        assert digests(folder) == before
        check_private(folder)
        parts = {path.name: path.read_bytes() for path in folder.glob(".out.unfinished/part-*")}
        entered = _entered(folder / ".out.unfinished")
        if check_whole(folder / output, rows):
            parts, entered = {path.name: path.read_bytes() for path in folder.glob("out/part-*")}, set()
        killed_in_work += process.returncode == -signal.SIGKILL and waited > 0 and not (folder / output).exists()
        number += 1
        assert all(parts[name] == data for name, data in committed.items()), "what is committed stays"
        committed = {name: parts[name] for name in entered}
        if parts and command == "release":
            assert PrivacyLedger(ledger).spent >= 1, "what is released is charged"
        if (folder / output).exists():
            shutil.rmtree(folder / output) if (folder / output).is_dir() else (folder / output).unlink()
            committed = {}
    process = start(folder, command, output, *more, *resume)
    said, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert check_whole(folder / output, rows)
    assert not list(folder.rglob("*.part")) and not (folder / ".out.unfinished").exists()


def kill_reports(folder, command, output, kills, seed, in_work=0):
    """Kill a command that reports so often, and so often in mid-work, at random moments of the time that it takes."""
    rng, before = random.Random(seed), digests(folder)
    more = ["--ledger", folder / "budget.db"] if command != "report" else []
    outputs = [folder / output] if command == "report" else [folder / output, folder / "table.csv"]
    began = time.monotonic()
    assert start(folder, command, output).communicate(timeout=120)[1] == ""
    longest = time.monotonic() - began
    for path in outputs:
        path.unlink()
    number = killed = killed_in_work = 0
    while number < kills or killed < kills // 4 or killed_in_work < in_work:
        assert number < 5 * kills, f"of {number} kills {killed} came before the end, {killed_in_work} in mid-work"
        began = time.time()
        process = start(folder, command, output, *more)
        if number % 2:
            time.sleep(rng.uniform(0, longest))
        else:  # what is written is written in milliseconds
            _wait_for_work(folder, process, began, pause=0.0005)
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        killed_in_work += any(path.stat().st_mtime >= began for path in folder.glob(".*.part"))
        number += 1
        assert digests(folder) == before
        check_private(folder)
        there = [path for path in outputs if check_whole(path, 2000)]
        if there and more:
            assert PrivacyLedger(folder / "budget.db").spent >= 1, "what is released is charged"
        for path in there:
            path.unlink()
    process = start(folder, command, output, *more)
    errors = process.communicate(timeout=120)[1]
    assert (process.returncode, errors) in [(0, ""), (0, NEW_LEDGER.format(folder / "budget.db"))]
    assert all(check_whole(path, 2000) for path in outputs)
    assert not list(folder.rglob("*.part")) and digests(folder) == before


NEW_LEDGER = "skdp: note: the ledger '{}' is new: it has no cap and counts nothing that was released before\n"
KILLED = """
import os, signal, sys
from skdp.cli import main

name, number, calls = sys.argv[1], int(sys.argv[2]), []
real = getattr(os, name)

def last(*arguments):
    calls.append(name)
    if len(calls) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*arguments)

setattr(os, name, last)
main(sys.argv[3:])
"""
# The calls that a run may be killed in front of, with what of the report and the table is there by then
MOMENTS = {
    "report": [("ftruncate", 1, [False]), ("fsync", 1, [False]), ("replace", 1, [False])],
    "release --report": [
        ("ftruncate", 1, [False, False]), ("ftruncate", 2, [False, False]), ("fsync", 1, [False, False]),
        ("replace", 1, [False, False]), ("fsync", 2, [True, False]), ("replace", 2, [True, False]),
    ],
}  # fmt: skip


def kill_at(folder, command, moments):
    """Kill a command that reports at each of the moments; check what it leaves, and that the next run clears that."""
    before = digests(folder)
    outputs = [folder / "out.json"] if command == "report" else [folder / "out.json", folder / "table.csv"]
    for name, number, there in moments:
        line = [sys.executable, "-c", KILLED, name, str(number), *words(folder, command, "out.json")]
        assert subprocess.run(line, capture_output=True, timeout=60).returncode == -signal.SIGKILL, (name, number)
        assert [check_whole(path, 2000) for path in outputs] == there, (name, number)
        assert list(folder.glob(".*.skdp.part")), "killed in mid-work"
        check_private(folder)
        (folder / "out.json").unlink(missing_ok=True)
    assert main(words(folder, command, "out.json")) == 0
    assert all(check_whole(path, 2000) for path in outputs)
    assert not list(folder.rglob("*.part")) and digests(folder) == before
    check_private(folder)


def _wait_for_work(folder, process, began, pause=0.01):
    """Return when the process has begun to write, or has ended."""
    while process.poll() is None:
        for path in [*folder.glob(".*.part"), *folder.glob(".*.unfinished/*")]:
            try:
                if path.stat().st_mtime >= began:
                    return
            except FileNotFoundError:
                continue
        time.sleep(pause)


def _seconds_of_work(folder, command, output, *more):
    """Return how long a run that nobody kills takes from the first that it writes to its end."""
    output = output.replace("out", "timed")
    began = time.time()
    process = start(folder, command, output, *more)
    _wait_for_work(folder, process, began)
    working = time.monotonic()
    said, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    seconds = time.monotonic() - working
    shutil.rmtree(folder / output) if (folder / output).is_dir() else (folder / output).unlink()
    return seconds


def _entered(unfinished):
    if not (unfinished / MANIFEST).exists():
        return set()
    return {part["file"] for part in json.loads((unfinished / MANIFEST).read_text())["parts"]}


def _larger(folder, command, share=1):
    rows = 400_000 // share
    (folder / "request.csv").write_text(f"Country,Year,Records\nRUSSIA,2016,{rows // 2}\nMEXICO,2020,{rows // 2}\n")
    if command == "release":
        rows = 4_000_000 // share
        write_people(folder, rows)
    return rows


def test_a_kill_of_a_folder(folder):
    rows = _larger(folder, "release", share=4)
    kill_often(folder, "release", "out", rows, 2, seed=1, in_work=1)


@pytest.mark.parametrize("command", REPORTING)
def test_a_kill_of_a_report(reported, command):
    kill_at(reported, command, MOMENTS[command][-2:-1])
    kill_reports(reported, command, "out.json", 1, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("command", REPORTING)
def test_a_kill_of_a_report_at_every_moment(reported, command):
    kill_at(reported, command, MOMENTS[command])


@pytest.mark.long
@pytest.mark.parametrize(("output", "kills"), [("out.json", 32), ("out.html", 8)])
@pytest.mark.parametrize("command", REPORTING)
def test_forty_kills_of_each_command_that_reports(reported, command, output, kills):
    kill_reports(reported, command, output, kills, seed=2, in_work=1)


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize("kills", [1, pytest.param(12, marks=pytest.mark.long)])
def test_a_kill_of_a_command_that_only_reads_leaves_nothing(reported, command, kills):
    rng, before = random.Random(3), (sorted(reported.iterdir()), digests(reported))
    for _ in range(kills):
        process = start(reported, command)
        time.sleep(rng.uniform(0, 1))
        process.kill()
        process.communicate()
        assert (sorted(reported.iterdir()), digests(reported)) == before


@pytest.mark.long
@pytest.mark.parametrize(("output", "kills"), [("out", 25), ("out.parquet", 10), ("out.csv", 5)])
@pytest.mark.parametrize("command", COMMANDS)
def test_forty_kills_of_each_command(folder, command, output, kills):
    rows = _larger(folder, command)
    kill_often(folder, command, output, rows, kills, seed=2, in_work=kills // 3)


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_kills_of_each_command_with_steps_that_learn(folder, command):
    """What each run has learned is learned once, and with what is released paid for; the table is whole after all."""
    _larger(folder, command, share=4 if command == "release" else 1)  # so many are learned from exactly
    (folder / "mask.toml").write_text(LEARNING + RECIPE[RECIPE.index("[[steps]]", 9) :])
    (folder / "made.toml").write_text(MADE + LEARNING)
    assert main(words(folder, command, "whole", "--chunk-rows", 65_536, "--seed", 7)) == 0
    rows = json.loads((folder / "whole" / MANIFEST).read_text())["rows"]
    kill_often(folder, command, "out", rows, 20, seed=3, in_work=6)
    if command == "synthesize":
        pd.testing.assert_frame_equal(pd.read_parquet(folder / "out"), pd.read_parquet(folder / "whole"))
    else:
        entries = PrivacyLedger(folder / "budget.db").entries()
        noised = entries[entries["purpose"].str.startswith("release")]
        assert noised["purpose"].is_unique
        runs = noised["purpose"].str.split(r"[ ,]").str[1]
        learned = entries["purpose"].str.split(r"[ ,]").str[1][entries["estimator"] == "QuantileBinner"]
        assert set(runs) <= set(learned)


@pytest.mark.long
def test_a_table_after_ten_kills_is_that_of_an_uninterrupted_run(folder):
    rows = _larger(folder, "synthesize")
    longest = _seconds_of_work(folder, "synthesize", "out", "--chunk-rows", 50_000)
    seed = None
    while seed is None:  # the seed that the table is found by is drawn by the first run
        shutil.rmtree(folder / "out", ignore_errors=True)
        seed = _killed(folder, longest / 4)
    for number in range(9):
        _killed(folder, random.Random(number).uniform(0, longest / 8))
    assert main(words(folder, "synthesize", "out", "--chunk-rows", 50_000, "--resume")) == 0
    assert main(words(folder, "synthesize", "whole.parquet", "--seed", seed)) == 0
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "out"), pd.read_parquet(folder / "whole.parquet"))
    assert len(pd.read_parquet(folder / "out", columns=["gender"])) == rows


def _killed(folder, seconds):
    """Kill a run so long after it has begun to write; return the seed that is kept for the next."""
    began = time.time()
    process = start(folder, "synthesize", "out", "--chunk-rows", 50_000, "--resume")
    _wait_for_work(folder, process, began)
    time.sleep(seconds)
    process.kill()
    process.communicate()
    manifest = folder / ".out.unfinished" / MANIFEST
    return json.loads(manifest.read_text()).get("seed") if manifest.exists() else None


# Full


def _at_most(size):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize(
    ("command", "output"),
    [("synthesize", "out"), ("release", "out"), ("release", "out.parquet"), ("release", "out.csv.gz")],
)
def test_a_disk_that_is_full_from_the_first_part(folder, command, output):
    before = sorted(folder.iterdir()), digests(folder)
    process = start(folder, command, output, "--chunk-rows", 500, preexec_fn=_at_most(2_000))
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert (said, errors) == ("", f"skdp: File too large: {folder / output}\n")
    assert (sorted(folder.iterdir()), digests(folder)) == before


def test_a_disk_that_is_full_from_the_manifest_on(folder):
    process = start(folder, "release", "out", "--chunk-rows", 500, preexec_fn=_at_most(150))
    assert process.communicate(timeout=60) == ("", f"skdp: File too large: {folder / 'out'}\n")


def test_a_disk_that_is_full_when_all_is_brought_to_it(folder, capsys, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    for output in OUTPUTS:
        line = fails(capsys, folder, "synthesize", output)
        assert line == f"skdp: No space left on device: {folder / output}\n"
        assert not list(folder.rglob("*.part"))


@pytest.mark.parametrize(("command", "rows", "size"), [("report", 2000, 2_000), ("release --report", 40, 4_000)])
def test_a_disk_without_room_for_a_report(reported, command, rows, size):
    """There is room for the table of forty rows: it is not released without its report."""
    write_people(reported, rows)
    before = sorted(reported.iterdir()), digests(reported)
    process = start(reported, command, "out.json", preexec_fn=_at_most(size))
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said == "" and "File too large" in errors
    check_one_line(errors)
    assert (sorted(reported.iterdir()), digests(reported)) == before
    if command != "report":
        assert main(words(reported, command, "out.json")) == 0
        assert (reported / "table.csv").stat().st_size < size < (reported / "out.json").stat().st_size


@pytest.mark.parametrize("command", READING)
def test_a_full_device_that_is_printed_to(reported, command):
    before = sorted(reported.iterdir()), digests(reported)
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "skdp", *words(reported, command)]
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, "skdp: No space left on device\n")
    assert (sorted(reported.iterdir()), digests(reported)) == before


@pytest.mark.parametrize(
    ("command", "output"), [("report", "out.json"), ("report", "out.html"), ("release --report", "out.json")]
)
def test_a_device_that_is_full_of_reports(reported, capsys, command, output):
    (reported / output).symlink_to("/dev/full")
    before = sorted(reported.iterdir())
    assert "No space left" in fails(capsys, reported, command, output)
    assert sorted(reported.iterdir()) == before, "no table without its report"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_disk_that_fills_up_keeps_the_parts_that_are_whole(folder, capsys, monkeypatch, command):
    _fails_at(monkeypatch, 3, OSError(28, "No space left on device"))
    line = fails(capsys, folder, command, "out", "--chunk-rows", 500)
    assert "No space left on device; " in line and "records are kept; go on with --resume" in line
    assert not list(folder.rglob("*.part"))
    monkeypatch.undo()
    assert main(words(folder, command, "out", "--chunk-rows", 500, "--resume")) == 0
    assert check_whole(folder / "out", 2000)


@pytest.mark.parametrize("output", FILES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_is_full(folder, capsys, command, output):
    (folder / output).symlink_to("/dev/full")
    assert fails(capsys, folder, command, output) == f"skdp: No space left on device: {folder / output}\n"


def _fails_at(monkeypatch, number, error):
    """Have the writing of a piece fail by an error, or by what a function does."""
    real, calls = TableWriter.write, []

    def write(writer, table):
        calls.append(1)
        if len(calls) == number:
            if not callable(error):
                raise error
            error()
        return real(writer, table)

    monkeypatch.setattr(TableWriter, "write", write)


# Vanished


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("number", [1, 3])
def test_an_output_folder_that_vanishes(folder, capsys, monkeypatch, command, output, number):
    (folder / "there").mkdir()
    _fails_at(monkeypatch, number, lambda: shutil.rmtree(folder / "there"))
    line = fails(capsys, folder, command, f"there/{output}", "--chunk-rows", 500)
    assert "No such file or directory" in line
    assert "kept" not in line, "there is nothing to go on with"
    assert not (folder / "there").exists()


@pytest.mark.parametrize("where", ["skdp.report.DataSafetyReport.to_bytes", "os.fsync"])
@pytest.mark.parametrize("command", REPORTING)
def test_a_folder_of_a_report_that_vanishes(reported, capsys, monkeypatch, command, where):
    """Before the report is opened, or before it is renamed."""
    (reported / "there").mkdir()
    before = sorted(reported.iterdir())
    real = os.fsync if where == "os.fsync" else DataSafetyReport.to_bytes

    def vanished(*arguments, **options):
        shutil.rmtree(reported / "there")
        return real(*arguments, **options)

    monkeypatch.setattr(where, vanished)
    line = fails(capsys, reported, command, "there/out.json")
    assert line == f"skdp: No such file or directory: {reported / 'there' / 'out.json'}\n"
    assert sorted(reported.iterdir()) == [path for path in before if path.name != "there"], (
        "no table without its report"
    )


@pytest.mark.parametrize("command", REPORTING)
def test_an_old_report_and_table_stay_where_a_run_fails(reported, capsys, monkeypatch, command):
    for name in ("out.json", "table.csv"):
        (reported / name).write_text("as it was")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert "No space left on device" in fails(capsys, reported, command, "out.json")
    assert {(reported / name).read_text() for name in ("out.json", "table.csv")} == {"as it was"}
    assert not list(reported.rglob("*.part"))


# Broken


@pytest.mark.parametrize(("command", "name"), [("report", "people"), ("report", "masked"), ("inspect", "people")])
def test_a_parquet_file_to_report_on_that_is_cut_short(reported, capsys, command, name):
    path = reported / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:5000])
    before = sorted(reported.iterdir())
    output = "out.json" if command == "report" else None
    assert f"{name}.parquet' is broken or no parquet file" in fails(capsys, reported, command, output)
    assert sorted(reported.iterdir()) == before


@pytest.mark.parametrize("size", [0, 50, 3000, 8000, 9000, 12_000])
def test_a_ledger_that_is_cut_short(reported, capsys, size):
    path = reported / "spent.db"
    path.write_bytes(path.read_bytes()[:size])
    before = sorted(reported.iterdir())
    assert "spent.db' " in fails(capsys, reported, "ledger")
    _ledger_file._OPEN.close()
    assert sorted(reported.iterdir()) == before


@pytest.mark.parametrize("share", [0, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_parquet_file_that_is_cut_short(folder, capsys, output, share):
    data = (folder / "people.parquet").read_bytes()
    (folder / "people.parquet").write_bytes(data[: int(share * len(data))])
    assert "people.parquet' is broken or no parquet file" in fails(capsys, folder, "release", output)
    assert sorted(path.name for path in folder.iterdir()) == ["mask.toml", "people.parquet", "request.csv"]


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_parquet_file_with_a_hole(folder, capsys, output):
    """Its footer is whole: the fault is met by whoever reads the pages."""
    data = bytearray((folder / "people.parquet").read_bytes())
    data[100:8000] = bytes(7900)
    (folder / "people.parquet").write_bytes(data)
    assert "people.parquet' is broken" in fails(capsys, folder, "release", output, "--chunk-rows", 500)
    assert not list(folder.glob("*out*"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_part_that_is_cut_short_is_not_gone_on_with(folder, capsys, monkeypatch, command):
    _fails_at(monkeypatch, 3, OSError(28, "No space left on device"))
    fails(capsys, folder, command, "out", "--chunk-rows", 500)
    monkeypatch.undo()
    path = folder / ".out.unfinished" / "part-00000.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    line = fails(capsys, folder, command, "out", "--chunk-rows", 500, "--resume")
    assert "is not what was written" in line
    assert not (folder / "out").exists()


# Two at once


@pytest.mark.parametrize(("command", "output"), [("synthesize", "out"), ("release", "out"), ("release", "out.csv")])
def test_the_second_of_two_runs_is_turned_away(folder, capsys, monkeypatch, command, output):
    seen = []

    def second():
        seen.append(start(folder, command, output, "--resume" if output == "out" else "--raw-cells"))
        said, errors = seen[0].communicate(timeout=60)
        assert said == "" and errors.startswith("skdp: Another run is writing the output") and errors.count("\n") == 1

    _fails_at(monkeypatch, 2, second)
    assert main(words(folder, command, output, "--chunk-rows", 500)) == 0
    assert seen[0].returncode == 2
    assert check_whole(folder / output, 2000)
    assert not list(folder.rglob("*.part"))


def test_what_a_killed_run_left_is_written_over_by_the_next(folder):
    left = folder / ".out.csv.skdp.part"
    left.write_text("half of a table " * 100_000)
    left.chmod(0o644)
    assert main(words(folder, "synthesize", "out.csv")) == 0
    assert check_whole(folder / "out.csv", 2000)
    assert stat.S_IMODE((folder / "out.csv").stat().st_mode) == 0o600
    assert not left.exists()


@pytest.mark.parametrize("command", REPORTING)
def test_the_second_of_two_runs_that_report_is_turned_away(reported, capsys, command):
    with replacing(reported / "out.json") as file:
        file.write(b"{}")
        assert "Another run is writing the output" in fails(capsys, reported, command, "out.json")
    assert (reported / "out.json").read_text() == "{}"
    assert not (reported / "table.csv").exists() and not list(reported.rglob("*.part"))


@pytest.mark.parametrize("command", REPORTING)
def test_what_a_killed_run_left_is_written_over_by_the_next_report(reported, command):
    for left in (reported / ".out.json.skdp.part", reported / ".table.csv.skdp.part"):
        if command != "report" or "json" in left.name:
            left.write_text("half of a report " * 1000)
            left.chmod(0o644)
    assert main(words(reported, command, "out.json")) == 0
    assert check_whole(reported / "out.json", 2000)
    check_private(reported)
    assert not list(reported.rglob("*.part"))


def test_a_link_in_the_place_of_a_temporary_file_is_not_followed(folder, capsys):
    (folder / "precious").write_text("precious")
    (folder / ".out.csv.skdp.part").symlink_to(folder / "precious")
    fails(capsys, folder, "synthesize", "out.csv")
    assert (folder / "precious").read_text() == "precious"
    (folder / ".out.unfinished").symlink_to(folder)
    fails(capsys, folder, "synthesize", "out")
    assert Path(folder / "people.parquet").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(folder, capsys):
    (folder / "locked").mkdir(mode=0o500)
    for output in OUTPUTS:
        assert "Permission denied" in fails(capsys, folder, "synthesize", f"locked/{output}")


# No locks


@pytest.mark.parametrize("command", REPORTING)
def test_no_report_is_written_on_a_system_without_locks_as_on_linux(reported, capsys, monkeypatch, command):
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    assert "skdp: Files are written only where they can be locked" in fails(capsys, reported, command, "out.json")
    assert not list(reported.glob("*out*")) and not list(reported.glob("*table*"))


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_system_without_locks_as_on_linux_is_told_of_in_one_line(folder, capsys, monkeypatch, command, output):
    monkeypatch.setitem(sys.modules, "fcntl", None)  # as on Windows
    assert "skdp: Files are written only where they can be locked" in fails(capsys, folder, command, output)
    assert not list(folder.glob("*out*"))
