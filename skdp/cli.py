"""The command line: ``skdp synthesize``, ``release``, ``report``, ``inspect`` and ``ledger``."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from skdp._jobs import release, report, synthesize
from skdp._start import UNCHANGED
from skdp._terminal import open_closed_streams, say, silence, stopped_by_signals

TABLES = ".csv, .csv.gz, .parquet or a folder of Parquet files"

SYNTHESIZE_EXAMPLE = """\
example:
  skdp synthesize examples/bulk_request.csv --output people.parquet --seed 1
  skdp synthesize examples/bulk_request.csv --recipe examples/recipes/travellers.toml --output people.csv
  skdp synthesize examples/bulk_request.csv --output people/ --resume

The request is a CSV or Parquet table, or a folder of Parquet files. For the recipe travel it has the columns Country,
Year and Records; each of its rows becomes that many fictitious travellers; years from 1583 to 9998. A recipe ending in
.toml is a file, whose first step is a FakerSynthesizer. Records are made, released by the steps behind it and written
in chunks. For each step that learns from the table they are made once more. A recipe for which that cannot be has all
of them in memory, and says so. The output is written whole or not at all.

An output whose name has no ending, or ends in a slash, is a folder of Parquet files, each of --chunk-rows records that
were made, less those that a step dropped, with a manifest of their checksums. A run that is interrupted keeps the files
that are whole in a hidden folder beside it, and --resume goes on from there: the table is the one that an uninterrupted
run makes."""

RELEASE_EXAMPLE = """\
example:
  skdp release survey.csv --recipe examples/recipes/customer_survey.toml --output masked.csv
  skdp release survey/ --recipe examples/recipes/customer_survey.toml --output masked/

The steps of the recipe are fitted to the table, and the table as they release it is written: whole or not at all. In
a CSV file only an empty cell is missing, and a column holds numbers if all its other cells are plainly written
numbers; codes such as 004 stay text. What was done is printed, with what each step promises. Noise that is seeded
(--seed) can be taken off by whoever knows the seed: it has no guarantee, and is for tests.

The table may be a folder of Parquet files, as skdp, Dask and Spark write them: all of the same columns and types, in
the order of the numbers in their names. What is masked does not depend on how many files there are.

A table of more than --chunk-rows records is read, released and written chunk by chunk, so that it need not fit into
memory: once for each step that learns from it, and once more for what is written. A recipe for which that cannot be
has all of the table in memory, and says so. A CSV file is gone through once more, for the kinds of its columns. An
output whose name has no ending, or ends in a slash, is a folder of Parquet files, a chunk each, with which --resume
goes on after an interruption: what is written is not noised again. A --report is for those who may see the original;
with --public all that was counted in it is left out, but which columns were changed. A --ledger is charged before
any noise is drawn, once for the table. One that is not there is made, without a cap, which is said; skdp.PrivacyLedger
makes one with a cap."""

REPORT_EXAMPLE = """\
example:
  skdp report survey.csv masked.csv --quasi-identifiers Region,Gender,Age --sensitive LoanDefault --output report.html

The report compares the two tables: what was done to which column, who could still be singled out, what the release is
still good for. It is one page that needs nothing else, or figures for programs (.json). What it says of differential
privacy comes from the steps, which files do not hold: skdp release --report has them. The report is for those who may
see the original; with --public all that was counted in it is left out, but which columns were changed. Pages need
pip install "skdp[report]"."""

INSPECT_EXAMPLE = """\
example:
  skdp inspect survey.csv --quasi-identifiers Region,Gender,Age --sensitive LoanDefault

Without --quasi-identifiers those that suggest themselves by name or values are taken. A suggestion is a first look:
what others may know about people is for you to say. No cell of the table is printed."""


LEDGER_EXAMPLE = """\
example:
  skdp ledger budget.db

Prints what was released, when and at which ε, and what is spent and left. The file is not changed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, 2 for what the user can mend, 130 when interrupted.

    It is 141 where what it says is not read to its end, as in ``skdp ledger FILE | head -1``: the status of a program
    that the signal SIGPIPE ends. What it wrote to files is whole then, too.

    Parameters
    ----------
    arguments : sequence of str, default=None
        The words of the command line; by default those that Python was started with.
    """
    open_closed_streams()
    try:
        try:
            return _run(_parser().parse_args(arguments))
        finally:
            sys.stdout.flush()  # here, where it can be told that this fails
    except BrokenPipeError:
        silence()
        return 141
    except OSError as error:
        silence()
        return _failed(_line(error), 2)


def _run(options: argparse.Namespace) -> int:
    try:
        with stopped_by_signals():
            return options.run(options)
    except KeyboardInterrupt as stop:
        exec("")  # an interruption that came up through an exec() makes Python end by SIGINT; another exec() forgets it
        return _failed("; ".join(["interrupted", *(_notes(stop) or [UNCHANGED])]), 130)
    except (ValueError, TypeError, OSError, MemoryError, NotImplementedError, ImportError) as error:
        if isinstance(error, BrokenPipeError) and error.filename is None:
            raise  # no output file, but who listens to what is said
        return _failed("; ".join([_line(error), *_notes(error)]), 2)


def inspect(options: argparse.Namespace) -> int:
    """Print what a table tells about people."""
    from skdp import _files
    from skdp._inspection import inspection

    table = _files.read_table(options.table, decimals=True)
    say(*inspection(table, options.quasi_identifiers, options.sensitive or ()))
    return 0


def ledger(options: argparse.Namespace) -> int:
    """Print the entries of a privacy ledger."""
    from skdp.ledger import print_ledger

    print_ledger(options.file)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="skdp", description="Tables of personal data, made safe to share.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('skdp')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = _command(
        commands, "synthesize", synthesize, "make a table of fictitious people from a request", SYNTHESIZE_EXAMPLE
    )
    command.add_argument("request", metavar="REQUEST", help=f"table of what to make: {TABLES}")
    command.add_argument(
        "--recipe", default="travel", metavar="NAME", help="travel (the default) or a file ending in .toml"
    )
    _add_output(command)
    command = _command(commands, "release", release, "mask a table as a recipe says", RELEASE_EXAMPLE)
    command.add_argument("table", metavar="TABLE", help=f"table to mask: {TABLES}")
    command.add_argument("--recipe", required=True, metavar="FILE", help="TOML file of the steps")
    command.add_argument("--report", metavar="FILE", help="data safety report to write, too: .html or .json")
    _add_public(command)
    command.add_argument(
        "--ledger", metavar="FILE", help="privacy ledger to charge before any noise is drawn; made if new"
    )
    _add_output(command)
    command = _command(commands, "report", report, "say how safe and how useful a release is", REPORT_EXAMPLE)
    command.add_argument("original", metavar="ORIGINAL", help=f"table before: {TABLES}")
    command.add_argument("released", metavar="RELEASED", help="table as released")
    command.add_argument(
        "--quasi-identifiers", type=_names, required=True, metavar="A,B,C", help="columns that others may know"
    )
    command.add_argument("--sensitive", type=_names, metavar="S,T", help="columns that nobody should learn")
    command.add_argument("--target", metavar="T", help="column that a model is to predict")
    command.add_argument("--title", default="Data safety report", metavar="TEXT", help="what the report is called")
    _add_public(command)
    command.add_argument("--output", required=True, metavar="FILE", help="file to write: .html or .json")
    command = _command(commands, "inspect", inspect, "print what a table tells about people", INSPECT_EXAMPLE)
    command.add_argument("table", metavar="TABLE", help=f"table to look at: {TABLES}")
    command.add_argument("--quasi-identifiers", type=_names, metavar="A,B,C", help="columns that others may know")
    command.add_argument("--sensitive", type=_names, metavar="S,T", help="columns that nobody should learn")
    command = _command(commands, "ledger", ledger, "print a privacy ledger", LEDGER_EXAMPLE)
    command.add_argument("file", metavar="FILE", help="the ledger's file")
    return parser


def _command(commands, name: str, run, what: str, epilog: str) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _add_public(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--public", action="store_true",
        help="leave out of the report all that was counted in the original, but which columns were changed",
    )  # fmt: skip


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--output", required=True, metavar="FILE",
        help="file to write: .csv, .csv.gz or .parquet; a name without an ending, or ending in /, is a Parquet folder",
    )  # fmt: skip
    command.add_argument("--resume", action="store_true", help="go on with the folder that an interrupted run left")
    command.add_argument("--chunk-rows", type=_count, metavar="N", help="records of a part at most (default 262144)")
    command.add_argument("--jobs", type=_count, metavar="N", help="threads that work (default: a core each, at most 4)")
    command.add_argument("--seed", type=_seed, metavar="N", help="make the same table again for the same number")
    command.add_argument("--raw-cells", action="store_true", help="leave CSV cells that look like formulas as they are")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the words of a command in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


def _names(text: str) -> list[str]:
    """Return column names between commas; quotes hold a name that has one."""
    import csv

    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or not all(names) or len(set(names)) < len(names):
        raise argparse.ArgumentTypeError("must be column names between commas, each once")
    return names


def _line(error: BaseException) -> str:
    """Return an error's message in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "not enough memory; take fewer records at a time"
    return " ".join(str(error).split()) or type(error).__name__


def _notes(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def _failed(message: str, status: int) -> int:
    print(f"skdp: {message}", file=sys.stderr)
    return status
