"""The command line: ``skdp synthesize``, ``release``, ``report``, ``inspect`` and ``ledger``."""

import argparse
import os
import secrets
import signal
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

SYNTHESIZE_EXAMPLE = """\
example:
  skdp synthesize examples/bulk_request.csv --output people.parquet --seed 1
  skdp synthesize examples/bulk_request.csv --recipe examples/recipes/travellers.toml --output people.csv

The request is a CSV or Parquet table. For the recipe travel it has the columns Country, Year and Records; each of its
rows becomes that many fictitious travellers; years from 1583 to 9998. A recipe ending in .toml is a file, whose first
step is a FakerSynthesizer. Records are made and written in chunks where the steps behind it learn nothing from the
table (ranges; cleaning that drops no row), else all at once. The output file is written whole or not at all."""

RELEASE_EXAMPLE = """\
example:
  skdp release survey.csv --recipe examples/recipes/customer_survey.toml --output masked.csv

The steps of the recipe are fitted to the table, and the table as they release it is written: whole or not at all. In
a CSV file only an empty cell is missing, and a column holds numbers if all its other cells are plainly written
numbers; codes such as 004 stay text. What was done is printed, with what each step promises. Noise that is seeded
(--seed) can be taken off by whoever knows the seed: it has no guarantee, and is for tests."""

REPORT_EXAMPLE = """\
example:
  skdp report survey.csv masked.csv --quasi-identifiers Region,Gender,Age --sensitive LoanDefault --output report.html

The report compares the two tables: what was done to which column, who could still be singled out, what the release is
still good for. It is one page that needs nothing else, or figures for programs (.json). What it says of differential
privacy comes from the steps, which files do not hold: skdp release --report has them. The report is for those who may
see the original; with --public all that was counted in it is left out. Pages need pip install "skdp[report]"."""

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

    Parameters
    ----------
    arguments : sequence of str, default=None
        The words of the command line; by default those that Python was started with.
    """
    options = _parser().parse_args(arguments)
    _interruptions.clear()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupted)
    try:
        return options.run(options)
    except KeyboardInterrupt as stop:
        return _failed("; ".join(["interrupted", *(_notes(stop) or ["the output is as it was"])]), 130)
    except (ValueError, TypeError, OSError, MemoryError, NotImplementedError, ImportError) as error:
        return _failed("; ".join([_line(error), *_notes(error)]), 2)


def synthesize(options: argparse.Namespace) -> int:
    """Make a table of fictitious people from a request."""
    start = time.perf_counter()
    from skdp import _files
    from skdp._recipe_files import naming

    _check_output(options, options.request)
    pipeline, in_chunks = _synthesis(options.recipe, options.seed)
    request = _files.read_table(options.request)
    with naming(pipeline):
        if options.to_folder:
            records = _synthesize_folder(options, pipeline, request, in_chunks)
        else:
            records = _synthesize_file(options, pipeline, request, in_chunks)
    if records is not None:
        print(f"{records:,} records in {time.perf_counter() - start:.1f} s: {options.output}")
    return 0


def _synthesize_file(options: argparse.Namespace, pipeline, request, in_chunks: bool) -> int:
    """Make, clean and write the table piece by piece, all three at once. Return its length."""
    from skdp._streaming import cut, progress, synthesized

    with _written(options) as writer:
        if not in_chunks:
            return writer.write(pipeline.fit_transform(request))
        total, pieces = synthesized(pipeline, request, options.jobs)
        done = 0
        with progress(total) as update:
            for piece, _ in cut(pieces, options.chunk_rows):
                done += writer.write(piece)
                update(len(piece))
                _stop_if_interrupted()
    return done


def _synthesize_folder(options: argparse.Namespace, pipeline, request, in_chunks: bool) -> int | None:
    """Make the table as a folder, or what is missing of it. Return its length, None if nothing was missing."""
    from skdp._folders import digest
    from skdp._streaming import synthesized

    named = options.recipe.lower().endswith(".toml")
    made_with = {
        "recipe": digest(options.recipe) if named else options.recipe,
        "request": digest(options.request),
        "--chunk-rows": options.chunk_rows,
    }
    with _folder(options, "synthesize", made_with) as folder:
        if folder.complete:
            return _say(f"{options.output} is complete already: {folder.rows:,} records")
        folder.at_once = not in_chunks
        if in_chunks:
            # no privacy rests on this seed, and the rest of the table is found by it
            pipeline[0].set_params(random_state=_kept_seed(options, folder))
            total, pieces = synthesized(pipeline, request, options.jobs, folder.rows)
        else:
            table = _arrow(pipeline.fit_transform(request))
            total, pieces = len(table), iter([table])
        _write_folder(options, folder, pieces, total)
        folder.finish()
        return folder.rows


def _kept_seed(options: argparse.Namespace, folder) -> int:
    """Return the seed that the folder was begun with, or for a new one that of the options or a random one."""
    seed = folder.manifest.get("seed")
    if seed is None:
        seed = secrets.randbits(128) if options.seed is None else options.seed
        folder.keep("seed", seed)
    elif options.seed not in (None, seed):
        raise ValueError(f"{options.output!r} was begun with another --seed; give the same to go on, or none.")
    return seed


def _write_folder(options: argparse.Namespace, folder, pieces, total: int) -> None:
    """Write the pieces that are missing as parts; say, when that fails, what is kept."""
    from skdp._streaming import progress, write_parts

    def told(rows: int) -> None:
        update(rows)
        _stop_if_interrupted()

    with _telling_what_is_kept(folder), progress(total, folder.rows) as update:
        if not folder.parts or folder.rows < total:
            write_parts(folder, pieces, options.chunk_rows, told)
        _stop_if_interrupted()


@contextmanager
def _telling_what_is_kept(folder) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if folder.parts and not folder.at_once:
            error.add_note(f"{folder.rows:,} records are kept; go on with --resume")
        raise


@contextmanager
def _folder(options: argparse.Namespace, command: str, made_with: dict) -> Iterator:
    """Open the output as a folder to write, or to go on with."""
    from skdp._folders import making

    versions = ", ".join(f"{name} {version(name)}" for name in ("skdp", "faker", "numpy", "pandas", "pyarrow"))
    made_with = {"command": command, "version": versions, **made_with}
    with making(options.output, made_with, resume=options.resume) as folder:
        yield folder


def _arrow(table):
    """Return a frame as an Arrow table."""
    import pyarrow as pa

    from skdp import _frames

    return pa.table(_frames.arrow_table(table))


def release(options: argparse.Namespace) -> int:
    """Mask a table as a recipe says."""
    start = time.perf_counter()
    from skdp._recipe_files import naming
    from skdp.ledger import PrivacyLedger
    from skdp.recipes import read

    _check_output(options, options.table)
    if options.report:
        _check_report_of_release(options)
    recipe = read(options.recipe, options.seed)
    options.ledger = PrivacyLedger(options.ledger) if options.ledger else None
    run = _release_folder if options.to_folder else _release_file
    with _notes_in_lines(), naming(recipe.pipeline):
        lines = run(options, recipe)
    if lines:
        title = [recipe.title] if recipe.title else []
        _say(*title, *lines, f"written in {time.perf_counter() - start:.1f} s: {options.output}")
    return 0


def _release_file(options: argparse.Namespace, recipe) -> list[str]:
    """Release a table as a file; return the lines that say what was done."""
    from skdp import _chunkwise
    from skdp._released import Account
    from skdp._streaming import progress

    with _written(options) as writer:
        chunks = None if options.report else _chunks_to_release(options, recipe)
        if chunks is None:
            released, lines, text = _released_at_once(options, recipe)
            writer.write(released)
            if text is not None:
                _write_report(options.report, text)
            return lines
        _chunkwise.learn(recipe.pipeline, chunks, options.jobs, options.ledger, _stop_if_interrupted)
        _chunkwise.charge_once(recipe.pipeline, options.ledger, chunks.total, secrets.token_hex(16))
        account = Account(recipe)
        with progress(chunks.total) as update:
            for table, look in _chunkwise.released(account, chunks, options.jobs):
                account.add(look)
                writer.write(table)
                update(look.rows[0])
                _stop_if_interrupted()
    return list(account.lines())


def _release_folder(options: argparse.Namespace, recipe) -> list[str] | None:
    """Release a table as a folder, or what is missing of it; return the lines that say what was done."""
    from skdp import _chunkwise
    from skdp._folders import digest
    from skdp._released import Account

    made_with = {
        "recipe": digest(options.recipe),
        "table": digest(options.table),
        "--chunk-rows": options.chunk_rows,
        "--seed": "given" if options.seed is not None else "none",  # whoever knows it can take the noise off
    }
    with _folder(options, "release", made_with) as folder:
        if folder.complete:
            return _say(f"{options.output} is complete already: {folder.rows:,} records")
        chunks = _chunks_to_release(options, recipe)
        folder.at_once = chunks is None
        if chunks is None:
            released, lines, _ = _released_at_once(options, recipe)
            _write_folder(options, folder, iter([_arrow(released)]), len(released))
        else:
            before = folder.learned()
            _chunkwise.learn(recipe.pipeline, chunks, options.jobs, options.ledger, _stop_if_interrupted, before)
            if before is None:
                learned = _chunkwise.dumped(recipe.pipeline)
                folder.at_once = learned is None
                folder.keep_learned(learned or b"")
            _chunkwise.charge_once(recipe.pipeline, options.ledger, chunks.total, folder.manifest["run"])
            account = Account(recipe)
            _release_parts(options, folder, account, chunks)
            lines = list(account.lines())
        folder.finish()
    return lines


def _release_parts(options: argparse.Namespace, folder, account, chunks) -> None:
    """Release each chunk that is no part yet, and say, when that fails, what is kept."""
    from skdp._chunkwise import released
    from skdp._streaming import progress

    done = [(folder.folder / part["file"], part["changed"]) for part in folder.parts]
    with _telling_what_is_kept(folder), progress(chunks.total) as update:
        for table, look in released(account, chunks, options.jobs, done):
            account.add(look)
            if table is not None:
                with folder.write() as part:
                    part.facts = {"changed": sorted(look.changed)}
                    part.write(table)
            update(look.rows[0])
            _stop_if_interrupted()


def _chunks_to_release(options: argparse.Namespace, recipe):
    """Return the table in chunks, None where it is one chunk or has to be seen at once."""
    from skdp._chunks import table_chunks
    from skdp._chunkwise import obstacle

    chunks = table_chunks(options.table, options.chunk_rows)
    if chunks.total <= options.chunk_rows:
        return None
    reason = obstacle(recipe.pipeline, next(iter(chunks)), chunks.total)
    if reason is not None:
        print(f"skdp: note: {reason}, so all of it is in memory at once", file=sys.stderr)
        return None
    return chunks


def _released_at_once(options: argparse.Namespace, recipe) -> tuple:
    """Return the released table, the lines that say what was done, and the report if one is wanted."""
    from skdp import _files
    from skdp._released import account
    from skdp.ledger import set_ledger

    if options.ledger is not None:
        set_ledger(recipe.pipeline, options.ledger)
    table = _files.read_table(options.table, decimals=True)
    released, keep = recipe.pipeline.fit_release(table)
    lines = list(account(recipe, table, released, keep))
    if not options.report:
        return released, lines, None
    from skdp._report_files import of_release, report_kind

    return released, lines, of_release(recipe, table, released, keep, report_kind(options.report))


def _check_report_of_release(options: argparse.Namespace) -> None:
    from skdp._report_files import check_place

    if options.to_folder:
        raise ValueError("--report goes with a release that is a file; name one as --output, or use skdp report later.")
    check_place(options.report, options.output, options.table, options.recipe)


def _write_report(path: str, text: bytes) -> None:
    from skdp import _files

    with _files.replacing(path) as file:
        file.write(text)
        _stop_if_interrupted()


def report(options: argparse.Namespace) -> int:
    """Say what a release did to a table, and who could still be singled out."""
    start = time.perf_counter()
    from skdp._report_files import check_place, of_files, report_kind

    check_place(options.output, options.original, options.released)
    told = of_files(
        options.original,
        options.released,
        quasi_identifiers=options.quasi_identifiers,
        sensitive=options.sensitive,
        target=options.target,
        title=options.title,
    )
    _write_report(options.output, told.to_bytes(report_kind(options.output), public=options.public))
    _say(told.verdict, f"written in {time.perf_counter() - start:.1f} s: {options.output}")
    return 0


def inspect(options: argparse.Namespace) -> int:
    """Print what a table tells about people."""
    from skdp import _files
    from skdp._inspection import inspection

    table = _files.read_table(options.table, decimals=True)
    _say(*inspection(table, options.quasi_identifiers, options.sensitive or ()))
    return 0


def _synthesis(name: str, seed: int | None):
    """Return the pipeline of a recipe that makes records, and whether it may work chunk by chunk."""
    from skdp._recipe_files import works_in_chunks
    from skdp.recipes import load, recipe
    from skdp.synthesis import FakerSynthesizer

    if not name.lower().endswith(".toml"):
        return recipe(name)(random_state=seed), True
    pipeline = load(name, seed)
    if not isinstance(pipeline[0], FakerSynthesizer):
        raise ValueError(f"{name}, steps[1] must use FakerSynthesizer to make records; to mask a table: skdp release.")
    return pipeline, works_in_chunks(pipeline)


def ledger(options: argparse.Namespace) -> int:
    """Print the entries of a privacy ledger."""
    from skdp.ledger import print_ledger

    print_ledger(options.file)
    return 0


@contextmanager
def _written(options: argparse.Namespace) -> Iterator:
    """Open the output as a table to write, which replaces the old file when the block ends well."""
    from skdp import _files

    with _files.replacing(options.output) as file:
        with _files.TableWriter(file, _files.ending(options.output), raw_cells=options.raw_cells) as writer:
            yield writer
            _stop_if_interrupted()


@contextmanager
def _notes_in_lines() -> Iterator[None]:
    """Print warnings of the steps as lines of their own."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for message in dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)):
        print(f"skdp: note: {' '.join(message.split())}", file=sys.stderr)


def _check_output(options: argparse.Namespace, table: str) -> None:
    """Raise where no table can be written to the output, or it is the one to read. Settle what the output is."""
    from skdp import _files, _folders, _streaming

    output = options.output
    options.to_folder = _folders.is_folder(output)
    options.jobs = options.jobs or _streaming.default_jobs()
    options.chunk_rows = options.chunk_rows or _streaming.CHUNK_ROWS
    if options.resume and not options.to_folder:
        raise ValueError(f"--resume goes on with a folder; {output!r} is a file, which is written whole or not at all.")
    if not options.to_folder:
        _files.ending(output)
    folder = Path(output).parent
    if folder.is_file():
        raise OSError(f"{str(folder)!r} is a file, not a folder to write {output!r} in.")
    if not folder.is_dir():
        raise OSError(f"The folder {str(folder)!r} of the output does not exist; make it first.")
    if Path(output).is_dir() and not options.to_folder:
        raise OSError(f"The output {output!r} is a folder; name a file in it, or end the name with a slash.")
    if os.path.exists(output) and os.path.exists(table) and os.path.samefile(output, table):
        raise ValueError(f"The output {output!r} is the table that is read; write to another file.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="skdp", description="Tables of personal data, made safe to share.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('skdp')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = _command(
        commands, "synthesize", synthesize, "make a table of fictitious people from a request", SYNTHESIZE_EXAMPLE
    )
    command.add_argument("request", metavar="REQUEST", help="table of what to make: .csv, .csv.gz or .parquet")
    command.add_argument(
        "--recipe", default="travel", metavar="NAME", help="travel (the default) or a file ending in .toml"
    )
    _add_output(command)
    command = _command(commands, "release", release, "mask a table as a recipe says", RELEASE_EXAMPLE)
    command.add_argument("table", metavar="TABLE", help="table to mask: .csv, .csv.gz or .parquet")
    command.add_argument("--recipe", required=True, metavar="FILE", help="TOML file of the steps")
    command.add_argument("--ledger", metavar="FILE", help="privacy ledger to charge before any noise is drawn")
    command.add_argument("--report", metavar="FILE", help="data safety report to write, too: .html or .json")
    _add_output(command)
    command = _command(commands, "report", report, "say how safe and how useful a release is", REPORT_EXAMPLE)
    command.add_argument("original", metavar="ORIGINAL", help="table before: .csv, .csv.gz or .parquet")
    command.add_argument("released", metavar="RELEASED", help="table as released")
    command.add_argument(
        "--quasi-identifiers", type=_names, required=True, metavar="A,B,C", help="columns that others may know"
    )
    command.add_argument("--sensitive", type=_names, metavar="S,T", help="columns that nobody should learn")
    command.add_argument("--target", metavar="T", help="column that a model is to predict")
    command.add_argument("--title", default="Data safety report", metavar="TEXT", help="what the report is called")
    command.add_argument("--public", action="store_true", help="leave out all that was counted in the original")
    command.add_argument("--output", required=True, metavar="FILE", help="file to write: .html or .json")
    command = _command(commands, "inspect", inspect, "print what a table tells about people", INSPECT_EXAMPLE)
    command.add_argument("table", metavar="TABLE", help="table to look at: .csv, .csv.gz or .parquet")
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


_interruptions: list[int] = []


def _interrupted(number, frame):
    _interruptions.append(number)
    raise KeyboardInterrupt


def _stop_if_interrupted() -> None:
    """Raise again what a library may have swallowed: a bare ``except``, or a finaliser, catches interruptions too."""
    if _interruptions:
        raise KeyboardInterrupt


def _say(*lines: str) -> None:
    """Print lines as the terminal can show them: names of columns may hold anything."""
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        shown = "".join(letter if letter.isprintable() else "?" for letter in line)
        print(shown.encode(encoding, "replace").decode(encoding))


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
