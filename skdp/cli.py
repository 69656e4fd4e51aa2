"""The command line: ``skdp synthesize``, ``skdp ledger``."""

import argparse
import signal
import sys
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

WORKERS = 2  # threads that clean, and chunks in the works; Arrow's kernels run side by side

SYNTHESIZE_EXAMPLE = """\
example:
  skdp synthesize examples/bulk_request.csv --output people.parquet --seed 1

The request is a CSV or Parquet table with the columns Country, Year and Records; each of its rows becomes that many
fictitious travellers; years from 1583 to 9998. The output file is written whole or not at all."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0, 2 for what the user can mend, 130 when interrupted.

    Parameters
    ----------
    arguments : sequence of str, default=None
        The words of the command line; by default those that Python was started with.
    """
    options = _parser().parse_args(arguments)
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _interrupted)
    try:
        return options.run(options)
    except KeyboardInterrupt:
        return _failed("interrupted; the output file is as it was", 130)
    except (ValueError, TypeError, OSError, MemoryError, NotImplementedError) as error:
        return _failed(_line(error), 2)


def synthesize(options: argparse.Namespace) -> int:
    """Make a table of fictitious people from a request."""
    start = time.perf_counter()
    from skdp import _files
    from skdp.recipes import recipe

    kind = _files.ending(options.output)
    _check_folder(options.output)
    pipeline = recipe(options.recipe)(random_state=options.seed)
    request = _files.read_table(options.request)
    with _files.replacing(options.output) as file:
        writer = _files.TableWriter(file, kind, raw_cells=options.raw_cells)
        records = _stream(pipeline, request, writer)
        writer.close()
    print(f"{records:,} records in {time.perf_counter() - start:.1f} s: {options.output}")
    return 0


def ledger(options: argparse.Namespace) -> int:
    """Print the entries of a privacy ledger."""
    from skdp.ledger import print_ledger

    print_ledger(options.file)
    return 0


def _stream(pipeline, request, writer) -> int:
    """Make, clean and write the table chunk by chunk, all three at once. Return its length."""
    from tqdm import tqdm

    from skdp.synthesis import BLOCK_ROWS

    pipeline.fit(request.iloc[:0])
    synthesizer, rest = pipeline[0], pipeline[1:]
    synthesizer.fit(request)
    total, done, waiting = synthesizer.count_records(request), 0, deque()
    bar = tqdm(total=total, unit=" records", unit_scale=True, disable=not sys.stderr.isatty(), leave=False)
    with bar, ThreadPoolExecutor(WORKERS) as cleaning, ThreadPoolExecutor(1) as writing:
        for chunk in synthesizer.iter_chunks(request, BLOCK_ROWS):
            cleaned = cleaning.submit(rest.transform, chunk)
            waiting.append(writing.submit(lambda part: writer.write(part.result()), cleaned))
            done += len(chunk)
            while len(waiting) > WORKERS:
                bar.update(waiting.popleft().result())
        while waiting:
            bar.update(waiting.popleft().result())
    return done


def _check_folder(output: str) -> None:
    folder = Path(output).parent
    if folder.is_file():
        raise OSError(f"{str(folder)!r} is a file, not a folder to write {output!r} in.")
    if not folder.is_dir():
        raise OSError(f"The folder {str(folder)!r} of the output file does not exist; make it first.")
    if Path(output).is_dir():
        raise OSError(f"The output {output!r} is a folder; name a file in it.")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="skdp", description="Tables of personal data, made safe to share.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('skdp')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    command = commands.add_parser(
        "synthesize",
        help="make a table of fictitious people from a request",
        description="Make a table of fictitious people from a request.",
        epilog=SYNTHESIZE_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "request", metavar="REQUEST", help="CSV (.csv, .csv.gz) or Parquet with Country, Year, Records"
    )
    command.add_argument("--output", required=True, metavar="FILE", help="file to write: .csv, .csv.gz or .parquet")
    command.add_argument("--recipe", default="travel", metavar="NAME", help="what to make (default: travel)")
    command.add_argument("--seed", type=_seed, metavar="N", help="make the same table again for the same number")
    command.add_argument("--raw-cells", action="store_true", help="leave CSV cells that look like formulas as they are")
    command.set_defaults(run=synthesize)
    command = commands.add_parser("ledger", help="print a privacy ledger", description="Print a privacy ledger.")
    command.add_argument("file", metavar="FILE", help="the ledger's file")
    command.set_defaults(run=ledger)
    return parser


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the words of a command in one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be a whole number, 0 or more")
    return int(text)


def _interrupted(number, frame):
    raise KeyboardInterrupt


def _line(error: BaseException) -> str:
    """Return an error's message in one line."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "not enough memory; ask for fewer records at a time"
    return " ".join(str(error).split()) or type(error).__name__


def _failed(message: str, status: int) -> int:
    print(f"skdp: {message}", file=sys.stderr)
    return status
