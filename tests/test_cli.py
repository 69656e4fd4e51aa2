"""The command line: one line and status 0 when it worked, one line and status 2 when the user can mend it."""

import fcntl
import gzip
import os
import pty
import resource
import select
import shlex
import signal
import stat
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pandas as pd
import pytest

from skdp import _start
from skdp._files import read_table
from skdp._terminal import stopped_by_signals
from skdp.cli import main
from skdp.datasets import make_customer_survey
from skdp.metrics import attacker_risks, equivalence_classes, k_anonymity, l_diversity, t_closeness
from skdp.recipes import load, travel

REQUEST = "Country,Year,Records\nRUSSIA,2016,4\nMEXICO,2020,7\n"
ROOT = Path(__file__).parent.parent
SAME_PACKAGE = os.environ | {"PYTHONPATH": str(ROOT)}  # for a script, which does not look where it is started


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "request.csv").write_text(REQUEST)
    return tmp_path


def run(folder, *arguments, request="request.csv", output="people.csv"):
    return main(["synthesize", str(folder / request), "--output", str(folder / output), *arguments])


def fails(capsys, folder, *arguments, **files):
    """Run, expect status 2 and one line of message, no output file and no temporary one; return the line."""
    before = sorted(folder.iterdir())
    assert run(folder, *arguments, **files) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("skdp: ")
    assert captured.err.count("\n") == 1
    assert sorted(folder.iterdir()) == before
    return captured.err


@pytest.mark.parametrize("output", ["people.csv", "people.csv.gz", "people.parquet"])
def test_every_ending(folder, capsys, output):
    assert run(folder, "--seed", "1", output=output) == 0
    line = capsys.readouterr().out
    assert line.startswith("11 records in ")
    assert line.rstrip().endswith(output)
    path = folder / output
    table = pd.read_parquet(path) if output.endswith("parquet") else pd.read_csv(path, dtype={"destination_zip": str})
    assert table.shape == (11, 22)
    assert table["destination_zip"].str.len().eq(5).all()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in folder.iterdir() if one.name.endswith(".part")] == []


def test_the_table_is_that_of_the_recipe_in_python(folder):
    run(folder, "--seed", "5", output="people.parquet")
    written = pd.read_parquet(folder / "people.parquet")
    made = travel(random_state=5).fit_transform(pd.read_csv(folder / "request.csv"))
    for column in made:
        assert [str(value)[:10] for value in written[column]] == [str(value)[:10] for value in made[column]]


@pytest.mark.parametrize("output", ["people.csv", "people.csv.gz", "people.parquet"])
def test_the_same_seed_writes_the_same_bytes(folder, output):
    run(folder, "--seed", "5", output=output)
    first = (folder / output).read_bytes()
    run(folder, "--seed", "5", output=output)
    assert (folder / output).read_bytes() == first
    run(folder, "--seed", "6", output=output)
    assert (folder / output).read_bytes() != first


def test_dates_are_dates_for_whoever_reads_them(folder):
    run(folder, output="people.parquet")
    run(folder, output="people.csv")
    for column in ("departure_date", "arrival_date", "date_of_birth"):
        assert pd.read_parquet(folder / "people.parquet")[column].dtype.kind == "M"
        assert pd.read_csv(folder / "people.csv")[column].str.fullmatch(r"\d{4}-\d\d-\d\d").all()


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + REQUEST.encode(),
        REQUEST.replace(",", ";").encode(),
        REQUEST.replace(",", "\t").encode(),
        REQUEST.replace("\n", "\r\n").encode(),
        REQUEST.replace("RUSSIA", "CÔTE D'IVOIRE").encode("latin-1"),
        ("\n" + REQUEST).encode(),
        REQUEST.replace("RUSSIA", '"KOREA, SOUTH"').encode(),
        b'"Country","Year","Records"\n"RUSSIA","2016","4"\n"MEXICO",2020,7\n',
        REQUEST.replace("\n", "\r").encode(),
        b"sep=;\n" + REQUEST.replace(",", ";").encode(),
        REQUEST.replace("Country,Year", "Country, Year").encode(),
    ],
    ids=[
        "BOM", "semicolons", "tabs", "CR LF", "Latin-1", "blank first line", "quoted", "all quoted", "CR",
        "Excel's first line", "blanks",
    ],
)  # fmt: skip
def test_lenient_reading(folder, data):
    (folder / "request.csv").write_bytes(data)
    assert run(folder) == 0
    assert len(pd.read_csv(folder / "people.csv")) == 11


def test_other_request_files(folder):
    with gzip.open(folder / "request.csv.gz", "wt") as file:
        file.write(REQUEST)
    pd.read_csv(folder / "request.csv").to_parquet(folder / "request.parquet")
    for request in ("request.csv.gz", "request.parquet"):
        assert run(folder, request=request) == 0


def test_latin_1_names_survive(folder):
    (folder / "request.csv").write_bytes(REQUEST.replace("RUSSIA", "PERÚ").encode("latin-1"))
    run(folder)
    assert "PERÚ" in set(pd.read_csv(folder / "people.csv")["place_of_birth"])


def test_namibia_s_code_is_not_a_missing_value(folder):
    (folder / "request.csv").write_text(REQUEST.replace("RUSSIA", "NA"))
    run(folder)
    assert "NA" in set(pd.read_csv(folder / "people.csv", keep_default_na=False)["place_of_birth"])


def test_an_empty_request_makes_an_empty_table(folder, capsys):
    (folder / "request.csv").write_text("Country,Year,Records\n")
    for output in ("people.csv", "people.parquet"):
        assert run(folder, output=output) == 0
        assert capsys.readouterr().out.startswith("0 records in ")
    assert pd.read_csv(folder / "people.csv").shape == (0, 22)
    assert pd.read_parquet(folder / "people.parquet").shape == (0, 22)


def test_a_row_of_zero_records_is_no_error(folder):
    (folder / "request.csv").write_text(REQUEST + "CHINA,2018,0\n")
    assert run(folder) == 0
    assert len(pd.read_csv(folder / "people.csv")) == 11


def test_cells_that_look_like_formulas_are_defused_unless_raw(folder):
    (folder / "request.csv").write_text(
        "Country,Year,Records\n=cmd(),2016,1\n@x,2016,1\n+x,2016,1\n-x,2016,1\nok,2016,1\n"
    )
    run(folder)
    assert pd.read_csv(folder / "people.csv")["place_of_birth"].tolist() == ["'=cmd()", "'@x", "'+x", "'-x", "ok"]
    run(folder, "--raw-cells")
    assert pd.read_csv(folder / "people.csv")["place_of_birth"].tolist() == ["=cmd()", "@x", "+x", "-x", "ok"]


@pytest.mark.parametrize(
    ("request_text", "message"),
    [
        ("Country,Year\nA,2016\n", "'Records'"),
        ("Country,Records\nA,1\n", "'Year'"),
        ("Year,Records\n2016,1\n", "'Country'"),
        ("Contry,Year,Records\nA,2016,1\n", "did you mean 'Contry'"),
        ("Country,Year,Records,Records\nA,2016,1,1\n", "'Records' more than once"),
        ("Country,Year,Records\nA,2016,-1\n", "below 0"),
        ("Country,Year,Records\nA,2016,1.5\n", "fractional"),
        ("Country,Year,Records\nA,2016,\n", "missing"),
        ("Country,Year,Records\nA,2016,lots\n", "not a number"),
        ("Country,Year,Records\nA,2016,99999999999999999999\n", "above"),
        ("Country,Year,Records\nA,20166,1\n", "'Year' must hold a year"),
        ("Country,Year,Records\nA,,1\n", "'Year' must hold a year"),
        ("Country,Year,Records\nA,x,1\n", "'Year' must hold a year"),
        ("", "empty"),
        ("Country,Year,Records\nA,2016,1,9\n", "more fields than the first"),
        ("Country,Year,Records\n" + "A,2016,1\n" * 70_000 + "B,99999,1\n", "first in row 70001"),
    ],
)
def test_bad_requests(folder, capsys, request_text, message):
    (folder / "request.csv").write_text(request_text)
    line = fails(capsys, folder)
    assert message in line
    assert "lots" not in line and "20166" not in line


def test_bad_files_and_names(folder, capsys):
    assert "No such file" in fails(capsys, folder, request="nowhere.csv")
    assert "did you mean 'travel'" in fails(capsys, folder, "--recipe", "travle")
    assert "must end in .csv, .csv.gz or .parquet" in fails(capsys, folder, output="people.xlsx")
    assert "does not exist" in fails(capsys, folder, output="nowhere/people.csv")
    (folder / "folder.csv").mkdir()
    assert "is a folder" in fails(capsys, folder, output="folder.csv")
    for name in ("broken.parquet", "broken.csv.gz"):
        (folder / name).write_text("neither")
        assert f"{name}' is broken or no" in fails(capsys, folder, request=name)
    (folder / "cut.csv.gz").write_bytes(gzip.compress(REQUEST.encode())[:-9])
    assert "is broken" in fails(capsys, folder, request="cut.csv.gz")


@pytest.mark.parametrize("seed", ["-1", "x", "1.5"])
def test_a_bad_seed_is_a_usage_error(folder, capsys, seed):
    with pytest.raises(SystemExit) as error:
        run(folder, "--seed", seed)
    assert error.value.code == 2
    assert "whole number" in capsys.readouterr().err


def test_a_full_device(folder, capsys):
    (folder / "people.csv").symlink_to("/dev/full")
    assert fails(capsys, folder) == f"skdp: No space left on device: {folder / 'people.csv'}\n"


def test_a_disk_that_fills_up_leaves_the_old_file_whole(folder):
    (folder / "people.csv").write_text("old")
    (folder / "request.csv").write_text("Country,Year,Records\nMEXICO,2020,5000\n")
    limit = lambda: (  # noqa: E731
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    )  # fmt: skip
    done = subprocess.run(_command(folder), preexec_fn=limit, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"skdp: File too large: {folder / 'people.csv'}\n")
    assert (folder / "people.csv").read_text() == "old"
    assert len(list(folder.iterdir())) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder(folder, capsys):
    locked = folder / "locked"
    locked.mkdir(mode=0o500)
    assert "Permission denied" in fails(capsys, folder, output="locked/people.csv")


@pytest.fixture(params=["python -m skdp", "skdp"])
def started(request, tmp_path):
    """Return the words that start the command, which tells on standard error what it imports."""
    python = [sys.executable, "-X", "importtime"]
    if request.param != "skdp":
        return [*python, "-m", "skdp"]
    script = tmp_path / "skdp"
    script.write_text("import sys\nfrom skdp.cli import main\nsys.exit(main())\n")
    return [*python, str(script)]


@pytest.mark.parametrize("module", ["numpy", "pandas", "skdp.accounting", "sklearn.base"])
def test_an_interruption_while_modules_are_imported_ends_in_one_line(folder, started, module):
    (folder / "request.csv").write_text("Country,Year,Records\nMEXICO,2020,5000000\n")  # it does not end first
    words = [*started, "synthesize", str(folder / "request.csv"), "--output", str(folder / "people.csv")]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=SAME_PACKAGE)
    while line := process.stderr.readline():
        if line.rpartition("|")[2].strip() == module:
            process.send_signal(signal.SIGINT)
            break
    said, errors = process.communicate(timeout=60)
    errors = [line for line in errors.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, said, errors) == (130, "", ["skdp: interrupted; the output is as it was"])
    assert not list(folder.glob(".*")) and not (folder / "people.csv").exists()


@pytest.mark.parametrize("words", [["-c", "import skdp; CODE"], ["skdp.py"], ["-c", "import skdp; CODE", "skdp"]])
def test_who_imports_skdp_keeps_interruptions_as_they_are(tmp_path, words):
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "skdp.py").write_text(f"import sys; del sys.path[0]; import skdp.cli; {code}")
    words = [word.replace("CODE", code) for word in words]
    words = [str(tmp_path / "other" / word) if word.endswith(".py") else word for word in words]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, env=SAME_PACKAGE)
    assert done.stdout == "True\n", done.stderr


def test_a_command_that_ends_is_not_interrupted_as_if_it_had_just_started():
    before = signal.signal(signal.SIGINT, _start.interrupted)
    try:
        with stopped_by_signals():
            assert signal.getsignal(signal.SIGINT) is not _start.interrupted
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_interruption_half_way_leaves_the_old_file_whole(folder, number, status):
    (folder / "people.csv").write_text("old")
    (folder / "request.csv").write_text("Country,Year,Records\nMEXICO,2020,5000000\n")
    process = subprocess.Popen(_command(folder), stderr=subprocess.PIPE, text=True)
    part = folder / ".people.csv.skdp.part"
    while not (part.exists() and part.stat().st_size):
        time.sleep(0.05)
        assert process.poll() is None
    assert stat.S_IMODE(part.stat().st_mode) == 0o600
    process.send_signal(number)
    errors = process.communicate(timeout=60)[1]
    assert (process.returncode, errors) == (status, "skdp: interrupted; the output is as it was\n")
    assert (folder / "people.csv").read_text() == "old"
    assert len(list(folder.iterdir())) == 2


def test_an_interruption_in_code_that_was_made_as_text_ends_with_the_status_of_others(tmp_path):
    """Dataclasses, for one, are made by exec(); Python ends by SIGINT where an interruption came up through it."""
    lines = [
        "import sys",
        "from skdp import cli",
        "def stop(options): exec('raise KeyboardInterrupt')",
        "cli.inspect = stop",
        "sys.exit(cli.main(['inspect', 'people.csv']))",
    ]
    (tmp_path / "stopped.py").write_text("\n".join(lines))
    line = [sys.executable, "-m", "stopped"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=HERE)
    assert (done.returncode, done.stderr) == (130, "skdp: interrupted; the output is as it was\n")


def _command(folder):
    words = ["synthesize", str(folder / "request.csv"), "--output", str(folder / "people.csv"), "--raw-cells"]
    return [sys.executable, "-m", "skdp", *words]


def test_the_example_request_and_module_entry(folder):
    words = [sys.executable, "-m", "skdp", "synthesize", str(ROOT / "examples" / "bulk_request.csv")]
    done = subprocess.run([*words, "--output", str(folder / "p.parquet")], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("2,191 records in ")
    assert done.stderr == ""


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as done:
        main(["synthesize", "--help"])
    assert done.value.code == 0
    assert "skdp synthesize examples/bulk_request.csv --output people.parquet" in capsys.readouterr().out


def test_a_progress_bar_on_a_terminal(folder):
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    done = subprocess.run(_command(folder), stderr=follower, stdout=subprocess.PIPE, text=True)
    shown = os.read(leader, 65_536).decode() if select.select([leader], [], [], 5)[0] else ""
    os.close(follower)
    os.close(leader)
    assert done.returncode == 0
    assert "records" in shown and "%" in shown


def test_codes_stay_as_they_are_written(folder):
    (folder / "request.csv").write_text("Country,Year,Records\n004,2016,1\nTrue,2016,2\n")
    run(folder)
    assert pd.read_csv(folder / "people.csv", dtype=str)["place_of_birth"].tolist() == ["004", "True", "True"]


def test_nested_parquet_columns_are_refused(folder, capsys):
    pd.DataFrame({"Country": [["A"]], "Year": [2016], "Records": [1]}).to_parquet(folder / "nested.parquet")
    assert "Column 'Country' holds lists" in fails(capsys, folder, request="nested.parquet")


def test_usage_errors_take_one_line_too(folder, capsys):
    with pytest.raises(SystemExit) as error:
        main(["synthesize", "request.csv"])
    assert error.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


RECIPES = ROOT / "examples" / "recipes"
MASK = """
quasi_identifiers = ["Age", "Town"]

[[steps]]
use = "PIICleaner"
identifiers = ["Name"]

[[steps]]
use = "LaplaceNoise"
bounds = { Debt = [0, 9] }

[[steps]]
use = "KAnonymizer"
k = 2
"""
PEOPLE = """Name,Age,Town,Debt,Code,Visits
Ana,34,Lima,1.5,004,1
Eva,71,Oslo,2.25,017,
Ida,20,Oslo,,101,3
Uma,50,Lima,-0.5,100,4
"""


@pytest.fixture
def masking(tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "mask.toml").write_text(MASK)
    return tmp_path


def release(folder, *arguments, table="people.csv", recipe="mask.toml", output="masked.csv"):
    words = ["release", str(folder / table), "--recipe", str(folder / recipe), "--output", str(folder / output)]
    return main([*words, *arguments])


def release_fails(capsys, folder, *arguments, **files):
    """Release, expect status 2 and one line of message, no output file and no temporary one; return the line."""
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert release(folder, *arguments, **files) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("skdp: ")
    assert captured.err.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    return captured.err


@pytest.mark.parametrize("output", ["masked.csv", "masked.csv.gz", "masked.parquet"])
def test_release_writes_what_the_recipe_makes(masking, output):
    assert release(masking, "--seed", "3", output=output) == 0
    path = masking / output
    made = load(masking / "mask.toml", random_state=3).fit_transform(pd.read_csv(masking / "people.csv"))
    written = pd.read_parquet(path) if output.endswith("parquet") else pd.read_csv(path, dtype={"Code": str})
    assert list(written) == list(made) == ["Age", "Town", "Debt", "Code", "Visits"]
    assert written["Age"].astype(str).tolist() == made["Age"].astype(str).tolist()
    assert written["Debt"].tolist() == pytest.approx(made["Debt"].tolist(), nan_ok=True)
    assert written["Code"].tolist() == ["004", "017", "101", "100"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_release_says_what_was_done(masking, capsys):
    release(masking)
    out = capsys.readouterr().out
    assert "records: 4 in, 4 out\n" in out
    assert "left out (1): Name\n" in out
    assert "changed (2): Age, Debt\n" in out
    assert "untouched (3): Town, Code, Visits\n" in out
    assert "k: 1 in 4 classes before, 2 in 2 classes after\n" in out
    assert "laplacenoise: ε = 1 for each record, local (replace one record); columns: Debt\n" in out
    assert "kanonymizer: ε = ∞, central (replace one record): k-anonymity" in out
    release(masking, "--seed", "1")
    assert "laplacenoise: ε = ∞, local (replace one record): the noise is seeded" in capsys.readouterr().out


def test_release_draws_other_noise_each_time(masking):
    release(masking)
    first = pd.read_csv(masking / "masked.csv")["Debt"]
    release(masking)
    assert (pd.read_csv(masking / "masked.csv")["Debt"] != first).all()


def test_release_leaves_out_what_stands_out(masking, capsys):
    (masking / "mask.toml").write_text('[[steps]]\nuse = "OutlierDropper"\n')
    (masking / "people.csv").write_text("Debt\n" + "".join(f"{n}.5\n" for n in [*range(50), 1000]))
    assert release(masking) == 0
    assert "records: 51 in, 50 out" in capsys.readouterr().out
    assert pd.read_csv(masking / "masked.csv")["Debt"].max() == 49.5


def test_warnings_of_steps_are_notes_in_one_line(masking, capsys):
    (masking / "mask.toml").write_text('[[steps]]\nuse = "LaplaceNoise"\nsensitivity = { Debt = 1 }\n')
    assert release(masking) == 0
    errors = capsys.readouterr().err
    assert errors.startswith("skdp: note: ")
    assert errors.count("\n") == 1


def test_release_errors(masking, capsys):
    assert "is the table that is read" in release_fails(capsys, masking, output="people.csv")
    os.link(masking / "people.csv", masking / "twin.csv")
    assert "is the table that is read" in release_fails(capsys, masking, output="twin.csv")
    assert "No such file" in release_fails(capsys, masking, recipe="nowhere.toml")
    assert "No such file" in release_fails(capsys, masking, table="nowhere.csv")
    assert "must end in" in release_fails(capsys, masking, output="masked.xlsx")
    (masking / "mask.toml").write_text('sensitive = ["Visit"]' + MASK + "sensitive = []\n")
    line = release_fails(capsys, masking)
    assert "mask.toml, sensitive: there is no column 'Visit' in the table; did you mean 'Visits'" in line
    (masking / "mask.toml").write_text(MASK.replace("bounds", "bownds"))
    line = release_fails(capsys, masking)
    assert "mask.toml, line 8, steps[2].bownds: there is no such key here; did you mean 'bounds'" in line
    (masking / "mask.toml").write_text(MASK.replace("k = 2", "k = 9"))
    assert "line 12, steps[3] (KAnonymizer): The 'k' parameter of KAnonymizer" in release_fails(capsys, masking)


def test_an_error_of_release_shows_no_cell(masking, capsys):
    (masking / "mask.toml").write_text('[[steps]]\nuse = "StandardScaler"\ncolumns = ["Town"]\n')
    line = release_fails(capsys, masking)
    assert "Lima" not in line and "Oslo" not in line


def test_a_release_that_is_interrupted_leaves_the_old_file_whole(masking, capsys, monkeypatch):
    from skdp import _files

    def interrupted(writer, table):
        writer.file.write(b"half of a table")
        raise KeyboardInterrupt

    (masking / "masked.csv").write_text("old")
    before = sorted(masking.iterdir())
    monkeypatch.setattr(_files.TableWriter, "write", interrupted)
    assert release(masking) == 130
    assert capsys.readouterr().err == "skdp: interrupted; the output is as it was\n"
    assert (masking / "masked.csv").read_text() == "old"
    assert sorted(masking.iterdir()) == before


def test_an_interruption_that_a_library_swallows_counts_all_the_same(masking, capsys, monkeypatch):
    from skdp import _files

    def swallowed(writer, table):
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException:
            return

    monkeypatch.setattr(_files.TableWriter, "write", swallowed)
    before = sorted(masking.iterdir())
    assert release(masking) == 130
    assert capsys.readouterr().err == "skdp: interrupted; the output is as it was\n"
    assert sorted(masking.iterdir()) == before


def test_the_survey_job(tmp_path, capsys):
    make_customer_survey(random_state=0).to_csv(tmp_path / "survey.csv", index=False)
    words = ["release", str(tmp_path / "survey.csv"), "--recipe", str(RECIPES / "customer_survey.toml")]
    assert main([*words, "--output", str(tmp_path / "masked.csv")]) == 0
    out = capsys.readouterr().out
    assert "records: 5,000 in, 4,999 out" in out
    assert pd.read_csv(tmp_path / "masked.csv").shape == (4999, 55)
    known = ["Region", "TownSize", "Gender", "EducationYears", "JobCategory"]
    assert k_anonymity(pd.read_csv(tmp_path / "masked.csv", keep_default_na=False), known) >= 5
    assert "laplacenoise: ε = 1 for each record" in out


@pytest.mark.parametrize("rest", ["", '\n[[steps]]\nuse = "DistributionImputer"\nreplace = "all"\n'])
def test_synthesize_by_a_recipe_file_makes_the_table_of_python(folder, rest):
    """In three chunks where the steps learn nothing, else all at once: 140,000 records."""
    (folder / "request.csv").write_text("Country,Year,Records\nRUSSIA,2016,70000\nMEXICO,2020,70000\n")
    schema = 'count = "Records"\n[steps.schema]\nage = { integers = [0, 90] }\nkind = { choice = ["a", "b"] }\n'
    binned = '[[steps]]\nuse = "IntervalBinner"\nedges = { age = [18, 65] }\n'
    (folder / "recipe.toml").write_text('[[steps]]\nuse = "FakerSynthesizer"\n' + schema + binned + rest)
    assert run(folder, "--recipe", str(folder / "recipe.toml"), "--seed", "4", output="people.parquet") == 0
    made = load(folder / "recipe.toml", random_state=4).fit_transform(pd.read_csv(folder / "request.csv"))
    written = pd.read_parquet(folder / "people.parquet")
    for column in made:
        assert written[column].astype(str).tolist() == made[column].astype(str).tolist()


def test_synthesize_by_the_example_recipe(folder):
    words = ["--recipe", str(RECIPES / "travellers.toml"), "--seed", "1"]
    assert run(folder, *words) == 0
    assert pd.read_csv(folder / "people.csv").shape == (11, 11)


def test_errors_of_a_recipe_file_in_synthesize(folder, capsys):
    recipe = folder / "recipe.toml"
    recipe.write_text('[[steps]]\nuse = "QuantileBinner"\n')
    assert "steps[1] must use FakerSynthesizer" in fails(capsys, folder, "--recipe", str(recipe))
    recipe.write_text('[[steps]]\nuse = "FakerSynthesizer"\ncount = "Recrods"\nschema.name = { fake = "name" }\n')
    line = fails(capsys, folder, "--recipe", str(recipe))
    assert "recipe.toml, line 1, steps[1] (FakerSynthesizer): " in line
    assert "did you mean 'Records'" in line
    assert "No such file" in fails(capsys, folder, "--recipe", str(folder / "nowhere.toml"))


def test_synthesize_does_not_overwrite_its_request(folder, capsys):
    assert "is the table that is read" in fails(capsys, folder, output="request.csv")


def inspected(capsys, path, *arguments):
    assert main(["inspect", str(path), *arguments]) == 0
    return capsys.readouterr().out


def test_inspect_prints_the_figures_of_the_metrics(tmp_path, capsys):
    survey = make_customer_survey(500, random_state=0)
    survey.to_csv(tmp_path / "survey.csv", index=False)
    known = ["Region", "Gender", "JobCategory"]
    words = ["--quasi-identifiers", ",".join(known), "--sensitive", "LoanDefault"]
    out = inspected(capsys, tmp_path / "survey.csv", *words)
    sizes = equivalence_classes(survey, known).sizes
    assert out.startswith("500 records, 60 columns\n")
    assert "If others know Region, Gender, JobCategory (given):" in out
    assert f"equivalence classes: {len(sizes)}; k = {sizes.min()};" in out
    risks = attacker_risks(survey, known)
    assert f"records alone: {risks.sample_uniques} (" in out
    assert f"highest {risks.prosecutor.highest:.3g}, mean {risks.prosecutor.mean:.3g}" in out
    l, t = (one(survey, known, "LoanDefault") for one in (l_diversity, t_closeness))  # noqa: E741
    assert f"LoanDefault: l = {l}, t = {t:.3g}" in out
    assert "likely identifiers: CustomerID\n" in out


def test_inspect_shows_no_cell(masking, capsys):
    out = inspected(capsys, masking / "people.csv")
    assert not any(cell in out for cell in ("Ana", "Lima", "004", "2.25"))


def test_inspect_errors(masking, capsys):
    for words, message in [
        (["--quasi-identifiers", "Towm"], "did you mean 'Town'"),
        (["--quasi-identifiers", "Town", "--sensitive", "Town"], "cannot be both"),
    ]:
        assert main(["inspect", str(masking / "people.csv"), *words]) == 2
        errors = capsys.readouterr().err
        assert message in errors and errors.count("\n") == 1
    (masking / "people.csv").write_text("Name,Age\n")
    assert main(["inspect", str(masking / "people.csv")]) == 2
    assert "has no rows" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["inspect", str(masking / "people.csv"), "--quasi-identifiers", "Age,,Town"])


@pytest.mark.parametrize("command", ["release", "inspect"])
def test_each_command_has_an_example(capsys, command):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert done.value.code == 0
    assert f"skdp {command} survey.csv" in capsys.readouterr().out


def test_names_of_columns_are_shown_as_the_terminal_can(tmp_path):
    (tmp_path / "people.csv").write_text("Städte\x1b[31m,Alter\nBonn,3\nBonn,4\n")
    words = [sys.executable, "-m", "skdp", "inspect", str(tmp_path / "people.csv")]
    done = subprocess.run(words, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}, check=True)
    assert b"St?dte?[31m" in done.stdout
    assert done.stderr == b""


def test_decimals_are_numbers_in_release_and_inspect_only_where_plainly_written(tmp_path):
    cells = {
        "whole": ["1", "-20"], "gap": ["3", ""], "decimal": ["0.5", "-12.50"], "tiny": ["1.5e-07", "0"],
        "code": ["004", "0.5"], "comma": ["1,5", "2"], "word": ["NA", "0.5"], "empty": ["", ""], "plus": ["+1", "2"],
        "long": ["1" * 30, "2.5"],
    }  # fmt: skip
    pd.DataFrame(cells).to_csv(tmp_path / "cells.csv", index=False)
    kinds = read_table(tmp_path / "cells.csv", decimals=True).dtypes.astype(str).to_dict()
    assert kinds == {
        "whole": "int64", "gap": "Int64", "decimal": "float64", "tiny": "float64", "code": "str", "comma": "str",
        "word": "str", "empty": "Int64", "plus": "str", "long": "str",
    }  # fmt: skip
    assert read_table(tmp_path / "cells.csv")["decimal"].tolist() == ["0.5", "-12.50"]


@pytest.fixture
def budget(masking):
    from skdp import PrivacyLedger
    from skdp.accounting import PrivacyGuarantee

    ledger = PrivacyLedger(masking / "budget.db")
    for _ in range(2000):  # more than a pipe's buffer holds
        ledger.charge(PrivacyGuarantee(1), estimator="LaplaceNoise", rows=1, purpose="transform")
    return masking


SAYING = [
    ["release", "--help"], ["inspect", "people.csv"], ["ledger", "budget.db"],
    ["release", "people.csv", "--recipe", "mask.toml", "--output", "masked.csv"],
]  # fmt: skip
HERE = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""}


def said_to(stdout, folder, words, env=HERE):
    line = [sys.executable, "-m", "skdp", *words]
    return subprocess.run(line, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=folder, env=env, timeout=60)


def into_a_broken_pipe(folder, words, env=HERE):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = said_to(writing, folder, words, env)
    finally:
        os.close(writing)
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", SAYING, ids=" ".join)
def test_a_pipe_that_nobody_reads_ends_a_command_quietly(budget, words):
    assert into_a_broken_pipe(budget, words) == (141, "")
    if words[0] == "release" and "--output" in words:
        assert len(pd.read_csv(budget / "masked.csv")) == 4
        assert not list(budget.glob(".*"))


def test_a_pipe_that_nobody_reads_is_met_at_the_first_line_where_nothing_is_buffered(budget):
    assert into_a_broken_pipe(budget, ["ledger", "budget.db"], HERE | {"PYTHONUNBUFFERED": "1"}) == (141, "")


def test_the_head_of_a_long_ledger_is_enough(budget):
    words = f"{sys.executable} -m skdp ledger budget.db | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True, cwd=budget, env=HERE)
    assert done.stdout.splitlines()[-1] == "141" and done.stderr == ""


@pytest.mark.parametrize("words", SAYING[:2], ids=" ".join)
def test_standard_output_on_a_full_device_is_an_error_in_one_line(budget, words):
    with open("/dev/full", "w") as full:
        done = said_to(full, budget, words)
    assert (done.returncode, done.stderr) == (2, "skdp: No space left on device\n")


@pytest.mark.parametrize("words", SAYING[2:], ids=" ".join)
def test_closed_streams_are_no_error(budget, words):
    def status(*words):
        line = shlex.join([sys.executable, *words]) + " >&- 2>&-"
        return subprocess.run(["bash", "-c", line], cwd=budget, env=HERE).returncode

    if status("-c", "import sklearn"):
        pytest.skip("this version of scikit-learn cannot be imported without a standard output")
    assert status("-m", "skdp", *words) == 0


def test_an_output_that_is_a_pipe_without_a_reader_is_an_error(masking, capsys, monkeypatch):
    from skdp import _files

    os.mkfifo(masking / "masked.csv")
    reading = os.open(masking / "masked.csv", os.O_RDONLY | os.O_NONBLOCK)
    real = _files.TableWriter.write
    monkeypatch.setattr(_files.TableWriter, "write", lambda *given: (os.close(reading), real(*given))[1])
    assert release(masking) == 2
    assert capsys.readouterr().err == f"skdp: Broken pipe: {masking / 'masked.csv'}\n"


@pytest.mark.parametrize(
    ("output", "ledger", "more"),
    [
        ("out.csv", "out.csv", []),
        ("out.csv", "other/../out.csv", []),
        ("out.csv", "linked.csv", []),
        ("out.csv", "report.json", ["--report", "report.json"]),
        ("out.csv", "people.csv", []),
        ("out.csv", "mask.toml", []),
        ("out/", "out", []),
        ("out", "out/", []),
    ],
)
def test_a_ledger_that_is_another_file_of_a_release_is_refused_before_anything_is_made(
    masking, capsys, monkeypatch, output, ledger, more
):
    """It would be written over, and all its charges be gone."""
    monkeypatch.chdir(masking)
    (masking / "other").mkdir()
    (masking / "linked.csv").symlink_to("out.csv")
    before = {path: path.read_bytes() for path in masking.rglob("*") if path.is_file()}
    words = ["people.csv", "--recipe", "mask.toml", "--output", output, "--ledger", ledger, *more]
    assert main(["release", *words]) == 2
    assert capsys.readouterr() == (
        "", f"skdp: The ledger {ledger!r} is another file of this command, too; name one of its own.\n"
    )  # fmt: skip
    assert {path: path.read_bytes() for path in masking.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["out.csv", "report.json"])
def test_a_ledger_that_is_there_keeps_its_charges(masking, capsys, monkeypatch, name):
    from skdp import PrivacyLedger
    from skdp.accounting import PrivacyGuarantee

    monkeypatch.chdir(masking)
    PrivacyLedger("budget.db").charge(PrivacyGuarantee(1), estimator="LaplaceNoise", rows=1, purpose="transform")
    os.symlink("budget.db", name)
    words = ["--output", "out.csv", "--report", "report.json", "--ledger", "budget.db"]
    assert main(["release", "people.csv", "--recipe", "mask.toml", *words]) == 2
    assert "is another file of this command" in capsys.readouterr().err
    assert len(PrivacyLedger("budget.db").entries()) == 1


def test_a_ledger_in_the_folder_that_is_written_is_refused(masking, capsys, monkeypatch):
    monkeypatch.chdir(masking)
    (masking / "out").mkdir()
    words = ["people.csv", "--recipe", "mask.toml", "--output", "out/", "--ledger", "out/budget.db"]
    assert main(["release", *words]) == 2
    assert "is in the folder that is written" in capsys.readouterr().err
    assert not list((masking / "out").iterdir())
