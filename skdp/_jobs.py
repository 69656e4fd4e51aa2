"""The jobs of ``skdp synthesize``, ``release`` and ``report``: what is written is written whole, or part by part."""

import argparse
import os
import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from skdp import _charges, _chunkwise, _files, _frames, recipes
from skdp._chunks import CsvChunks, ParquetChunks, table_chunks
from skdp._folders import PartFolder, digest, is_folder, making
from skdp._recipe_files import Recipe, naming
from skdp._released import Account, account
from skdp._report_files import check_place, is_one_of, of_files, of_release, report_kind
from skdp._streaming import CHUNK_ROWS, Records, cut, default_jobs, progress, synthesized, write_parts
from skdp._terminal import notes_in_lines, say, stop_if_interrupted
from skdp.ledger import PrivacyLedger, set_ledger
from skdp.pipeline import Pipeline
from skdp.synthesis import FakerSynthesizer

_AGAIN = "a run with --resume begins again"


def synthesize(options: argparse.Namespace) -> int:
    """Make a table of fictitious people from a request."""
    start = time.perf_counter()
    _check_output(options, options.request)
    pipeline = _synthesis(options.recipe, options.seed)
    request = _files.read_table(options.request)
    run = _synthesize_folder if options.to_folder else _synthesize_file
    with notes_in_lines(), naming(pipeline):
        records = run(options, pipeline, request)
    if records is not None:
        print(f"{records:,} records in {time.perf_counter() - start:.1f} s: {options.output}")
    return 0


def _synthesize_file(options: argparse.Namespace, pipeline: Any, request: pd.DataFrame) -> int:
    """Make, clean and write the table piece by piece, all three at once. Return its length."""
    with _written(options) as writer:
        _seed(pipeline, secrets.randbits(128) if options.seed is None else options.seed, options.seed is not None)
        made = _made_in_chunks(options, pipeline, request, None)
        if made is None:
            return writer.write(pipeline.fit_transform(request))
        written = 0
        with progress(made.total) as update:
            for piece, size, _ in synthesized(made, _behind(pipeline), options.chunk_rows):
                written += writer.write(piece)
                update(size)
                stop_if_interrupted()
    return written


def _synthesize_folder(options: argparse.Namespace, pipeline: Any, request: pd.DataFrame) -> int | None:
    """Make the table as a folder, or what is missing of it. Return its length, None if nothing was missing."""
    named = options.recipe.lower().endswith(".toml")
    made_with = {
        "recipe": digest(options.recipe) if named else options.recipe,
        "--chunk-rows": options.chunk_rows,
    }
    with _folder(options, "synthesize", made_with, {"request": digest(options.request)}) as folder:
        if folder.complete:
            say(f"{options.output} is complete already: {folder.rows:,} records")
            return None
        _keep_seed(options, folder, pipeline)
        _synthesize_parts(options, folder, pipeline, request)
        return folder.rows


def _synthesize_parts(options: argparse.Namespace, folder: PartFolder, pipeline: Any, request: pd.DataFrame) -> None:
    """Make the parts that are missing, and finish the folder."""
    before = folder.learned()
    made = _made_in_chunks(options, pipeline, request, before)
    if made is None:
        _enter_at_once(options, folder)
        table = _arrow(pipeline.fit_transform(request))
        _write_folder(folder, cut(table, options.chunk_rows), len(table))
    else:
        rest = _behind(pipeline)
        done = min(len(folder.parts) * options.chunk_rows, made.total)
        with _telling_what_is_kept(folder):
            if before is None:
                _keep_learned(options, folder, rest, made.columns)
            _write_folder(folder, synthesized(made, rest, options.chunk_rows, done), made.total, done)
    folder.finish()


def _keep_seed(options: argparse.Namespace, folder: PartFolder, pipeline: Any) -> None:
    """Seed the steps as the folder was begun, a new one as the options say, or with a random number.

    No privacy rests on this seed: it is of fictitious records, and the rest of the table is found by it.
    """
    kept = folder.manifest.get("seed")
    if kept is None:
        kept = secrets.randbits(128) if options.seed is None else options.seed
        folder.keep("seeded", options.seed is not None)
        folder.keep("seed", kept)  # last: with it, both are there
    elif options.seed not in (None, kept):
        raise ValueError(f"{options.output!r} was begun with another --seed; give the same to go on, or none.")
    _seed(pipeline, kept, bool(folder.manifest.get("seeded")))


def _seed(pipeline: Any, seed: int, everywhere: bool) -> None:
    """Seed the synthesizer, which makes its records again each time they are gone through; or all steps that draw."""
    for _, step in pipeline.steps if everywhere else pipeline.steps[:1]:
        if "random_state" in step.get_params(deep=False):
            step.set_params(random_state=seed)


def _behind(pipeline: Any) -> Pipeline:
    """Return the steps behind the synthesizer."""
    return Pipeline(pipeline.steps[1:])


def _made_in_chunks(
    options: argparse.Namespace, pipeline: Any, request: pd.DataFrame, before: bytes | None
) -> Records | None:
    """Fit the steps to the records in chunks, and return these; None where they have to be seen at once.

    That is said where there are more than a chunk of them.
    """
    made, rest = Records(pipeline[0], request, options.jobs), _behind(pipeline)
    passes = _chunkwise.count_passes(rest, made.columns)
    if options.recipe.lower().endswith(".toml"):  # what the steps of the others learn holds of any records
        reason = _chunkwise.obstacle(rest, made.none, placed=True)
        if made.total <= options.chunk_rows and (passes or reason):
            return None
        if reason:
            return _at_once(options, reason)
    draws = any(isinstance(step, _chunkwise.DRAWING) for _, step in rest.steps)  # which no step does of no rows
    chunks = made if passes or draws else [made.none]
    return made if _learned(options, rest, chunks, made.total * passes, before) == len(rest.steps) else None


def _learned(options: argparse.Namespace, pipeline: Pipeline, chunks: Any, total: int, before: bytes | None) -> int:
    """Fit the steps to a table in chunks, `total` records in all passes; return how many, and say if one cannot be."""

    def told(rows: int) -> None:
        update(rows)
        stop_if_interrupted()

    try:
        with progress(total if before is None else 0) as update:
            _chunkwise.learn(pipeline, chunks, options.jobs, told, before)
    except _chunkwise.NotInChunks as error:
        _at_once(options, str(error))
        return error.learned
    return len(pipeline.steps)


def _keep_learned(options: argparse.Namespace, folder: PartFolder, pipeline: Pipeline, columns: Iterable) -> None:
    """Keep what steps have learned, if any has, or else enter all parts into the manifest together."""
    if not _chunkwise.count_passes(pipeline, columns):
        return
    learned = _chunkwise.dumped(pipeline)
    folder.at_once = learned is None
    folder.keep_learned(learned)
    if folder.at_once and options.resume:
        _note(f"what was learned cannot be kept, so {_AGAIN}")


def _enter_at_once(options: argparse.Namespace, folder: PartFolder) -> None:
    """Have all parts entered into the manifest together; none is there yet."""
    if folder.parts:
        raise ValueError(f"{options.output!r} was begun in chunks, which cannot be gone on with here; start anew.")
    folder.at_once = True


def _write_folder(folder: PartFolder, pieces: Iterator[tuple[pa.Table, int, bool]], total: int, done: int = 0) -> None:
    """Write the pieces that are missing as parts."""

    def told(rows: int) -> None:
        update(rows)
        stop_if_interrupted()

    with progress(total, done) as update:
        if not folder.parts or done < total:
            write_parts(folder, pieces, told)
        stop_if_interrupted()


@contextmanager
def _telling_what_is_kept(folder: PartFolder) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        if folder.outlasts(error):
            kept = f"{folder.rows:,} records are" if folder.parts else "what was learned is"
            error.add_note(f"{kept} kept; go on with --resume")
        raise


@contextmanager
def _folder(options: argparse.Namespace, command: str, made_with: dict, made_of: dict) -> Iterator[PartFolder]:
    """Open the output as a folder to write, or to go on with."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("skdp", "faker", "numpy", "pandas", "pyarrow"))
    made_with = {"command": command, "version": versions, **made_with}
    with making(options.output, made_with, made_of, resume=options.resume) as folder:
        yield folder


def _arrow(table: Any) -> pa.Table:
    """Return a frame as an Arrow table."""
    return pa.table(_frames.arrow_table(table))


def release(options: argparse.Namespace) -> int:
    """Mask a table as a recipe says."""
    start = time.perf_counter()
    _check_output(options, options.table)
    _check_report_of_release(options)
    _check_ledger(options)
    recipe = recipes.read(options.recipe, options.seed)
    if options.ledger:
        set_ledger(recipe.pipeline, None)  # raises where no step would ever charge it: then none is made
        options.ledger = _ledger(options.ledger)
        set_ledger(recipe.pipeline, options.ledger)
    run = _release_folder if options.to_folder else _release_file
    with notes_in_lines(), naming(recipe.pipeline):
        lines = run(options, recipe)
    if lines:
        title = [recipe.title] if recipe.title else []
        say(*title, *lines, f"written in {time.perf_counter() - start:.1f} s: {options.output}")
    return 0


def _ledger(path: str) -> PrivacyLedger:
    """Return the ledger of a file; say so where that is new, since it may be a name that was mistyped."""
    is_new = not os.path.lexists(path)
    ledger = PrivacyLedger(path)
    if is_new:
        cap = "no cap" if ledger.epsilon is None else f"the cap {float(ledger.epsilon):g}"
        _note(f"the ledger {path!r} is new: it has {cap} and counts nothing that was released before")
    return ledger


def _release_file(options: argparse.Namespace, recipe: Recipe) -> list[str]:
    """Release a table as a file; return the lines that say what was done."""
    with _written(options) as writer:
        run = secrets.token_hex(16)
        _charges.charge_by_run(recipe.pipeline, options.ledger, run)
        chunks, learned = (None, 0) if options.report else _learned_from(options, recipe, None)
        if chunks is None:
            released, lines, text = _released_at_once(options, recipe, learned, run)
            writer.write(released)
            if text is not None:
                _write_report(options.report, text)
            return lines
        _charges.charge_once(recipe.pipeline, options.ledger, chunks.total, run)
        told = Account(recipe)
        with progress(chunks.total) as update:
            for table, look in _chunkwise.released(told, chunks, options.jobs):
                told.add(look)
                writer.write(table)
                update(look.rows[0])
                stop_if_interrupted()
    return list(told.lines())


def _release_folder(options: argparse.Namespace, recipe: Recipe) -> list[str] | None:
    """Release a table as a folder, or what is missing of it; return the lines that say what was done."""
    made_with = {
        "recipe": digest(options.recipe),
        "--chunk-rows": options.chunk_rows,
        "--seed": "given" if options.seed is not None else "none",  # whoever knows it can take the noise off
    }
    with _folder(options, "release", made_with, {"table": digest(options.table)}) as folder:
        if folder.complete:
            say(f"{options.output} is complete already: {folder.rows:,} records")
            return None
        return _release_into(folder, options, recipe)


def _release_into(folder: PartFolder, options: argparse.Namespace, recipe: Recipe) -> list[str]:
    """Release what is missing, and finish the folder; return the lines that say what was done."""
    before, run = folder.learned(), folder.manifest["run"]
    _charges.charge_by_run(recipe.pipeline, options.ledger, run)
    chunks, learned = _learned_from(options, recipe, before)
    if chunks is None:
        _enter_at_once(options, folder)
        released, lines, _ = _released_at_once(options, recipe, learned, run)
        _write_folder(folder, cut(_arrow(released), options.chunk_rows), len(released))
    else:
        told = Account(recipe)
        with _telling_what_is_kept(folder):
            if before is None:
                _keep_learned(options, folder, recipe.pipeline, chunks.columns)
            _charges.charge_once(recipe.pipeline, options.ledger, chunks.total, run)
            _release_parts(options, folder, told, chunks)
        lines = list(told.lines())
    folder.finish()
    return lines


def _release_parts(
    options: argparse.Namespace, folder: PartFolder, told: Account, chunks: CsvChunks | ParquetChunks
) -> None:
    """Release each chunk that is no part yet."""
    done = [(folder.folder / part["file"], part["changed"]) for part in folder.parts]
    with progress(chunks.total) as update:
        for table, look in _chunkwise.released(told, chunks, options.jobs, done):
            told.add(look)
            if table is not None:
                with folder.write() as part:
                    part.facts = {"changed": sorted(look.changed)}
                    part.write(table)
            update(look.rows[0])
            stop_if_interrupted()


def _learned_from(
    options: argparse.Namespace, recipe: Recipe, before: bytes | None
) -> tuple[CsvChunks | ParquetChunks | None, int]:
    """Fit the steps to the table in chunks; return these, None where all have to be seen at once, and how many did."""
    chunks = _chunks_to_release(options, recipe)
    if chunks is None:
        return None, 0
    total = chunks.total * _chunkwise.count_passes(recipe.pipeline, chunks.columns)
    learned = _learned(options, recipe.pipeline, chunks, total, before)
    return chunks if learned == len(recipe.pipeline.steps) else None, learned


def _note(text: str) -> None:
    print(f"skdp: note: {text}", file=sys.stderr)


def _at_once(options: argparse.Namespace, reason: str) -> None:
    again = f", and {_AGAIN}" if options.resume else ""
    _note(f"{reason}, so all of it is in memory at once{again}")


def _chunks_to_release(options: argparse.Namespace, recipe: Recipe) -> CsvChunks | ParquetChunks | None:
    """Return the table in chunks, None where it is one chunk or has to be seen at once."""
    chunks = table_chunks(options.table, options.chunk_rows)
    if chunks.total <= options.chunk_rows:
        return None
    reason = _chunkwise.obstacle(recipe.pipeline, next(iter(chunks)), placed=True)
    return chunks if reason is None else _at_once(options, reason)


def _released_at_once(
    options: argparse.Namespace, recipe: Recipe, learned: int, run: str
) -> tuple[Any, list[str], bytes | None]:
    """Return the released table, the lines that say what was done, and the report if one is wanted."""
    table = _files.read_table(options.table, decimals=True)
    _charges.charge_at_once(recipe.pipeline, options.ledger, run, learned)
    released, keep = _chunkwise.release_at_once(recipe.pipeline, table, learned)
    lines = list(account(recipe, table, released, keep))
    if not options.report:
        return released, lines, None
    told = of_release(recipe, table, released, keep, report_kind(options.report), public=options.public)
    return released, lines, told


def _check_report_of_release(options: argparse.Namespace) -> None:
    if not options.report:
        if options.public:
            raise ValueError("--public goes with --report: it says what the report leaves out.")
        return
    if options.to_folder:
        raise ValueError("--report goes with a release that is a file; name one as --output, or use skdp report later.")
    check_place(options.report, options.output, options.table, options.recipe)


def _check_ledger(options: argparse.Namespace) -> None:
    """Raise where the ledger is another file of the command: what is written there would do away with all charges."""
    others = [options.output, options.report, options.table, options.recipe]
    if options.ledger and is_one_of(options.ledger, *filter(None, others)):
        raise ValueError(f"The ledger {options.ledger!r} is another file of this command, too; name one of its own.")
    if options.ledger and Path(options.output).resolve() in Path(options.ledger).resolve().parents:
        raise ValueError(f"The ledger {options.ledger!r} is in the folder that is written; keep it in another place.")


def _write_report(path: str, text: bytes) -> None:
    with _files.replacing(path) as file:
        file.write(text)
        stop_if_interrupted()


def report(options: argparse.Namespace) -> int:
    """Say what a release did to a table, and who could still be singled out."""
    start = time.perf_counter()
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
    say(told.verdict, f"written in {time.perf_counter() - start:.1f} s: {options.output}")
    return 0


def _synthesis(name: str, seed: int | None) -> Any:
    """Return the pipeline of a recipe that makes records."""
    if not name.lower().endswith(".toml"):
        return recipes.recipe(name)(random_state=seed)
    pipeline = recipes.load(name, seed)
    if not isinstance(pipeline[0], FakerSynthesizer):
        raise ValueError(f"{name}, steps[1] must use FakerSynthesizer to make records; to mask a table: skdp release.")
    return pipeline


@contextmanager
def _written(options: argparse.Namespace) -> Iterator[_files.TableWriter]:
    """Open the output as a table to write, which replaces the old file when the block ends well."""
    with _files.replacing(options.output) as file:
        with _files.TableWriter(file, _files.ending(options.output), raw_cells=options.raw_cells) as writer:
            yield writer
            stop_if_interrupted()


def _check_output(options: argparse.Namespace, table: str) -> None:
    """Raise where no table can be written to the output, or it is the one to read. Settle what the output is."""
    output = options.output
    options.to_folder = is_folder(output)
    options.jobs = options.jobs or default_jobs()
    options.chunk_rows = options.chunk_rows or CHUNK_ROWS
    if options.resume and not options.to_folder:
        raise ValueError(f"--resume goes on with a folder; {output!r} is a file, which is written whole or not at all.")
    if not options.to_folder:
        _files.ending(output)
    folder = Path(output).parent
    if folder.is_file():
        raise OSError(f"{str(folder)!r} is a file, not a folder to write {output!r} in.")
    if not folder.is_dir():
        raise OSError(f"The folder {str(folder)!r} of the output does not exist; make it first.")
    if os.path.exists(output) and os.path.exists(table) and os.path.samefile(output, table):
        raise ValueError(f"The output {output!r} is the table that is read; write to another file.")
    if Path(table).is_dir() and Path(table).resolve() in Path(output).resolve().parents:
        raise ValueError(f"The output {output!r} is in the folder that is read; write to another place.")
    if Path(output).is_dir() and not options.to_folder:
        raise OSError(f"The output {output!r} is a folder; name a file in it, or end the name with a slash.")
