"""Data safety reports from the shell: of a release that is being made, or of two files."""

import os
from pathlib import Path
from typing import Any

from skdp import _files
from skdp._recipe_files import Recipe
from skdp._released import quasi_identifiers
from skdp.report import DataSafetyReport

ENDINGS = (".html", ".json")


def check_place(path: str, *others: str) -> None:
    """Raise where no report can be written to `path`, or it is one of the `others`.

    Raises
    ------
    ValueError
        If it ends otherwise than a report, or is another file of the command.
    OSError
        If there is no folder to write it in.
    """
    report_kind(path)
    folder = Path(path).parent
    if not folder.is_dir():
        raise OSError(f"The folder {str(folder)!r} of the report does not exist; make it first.")
    if Path(path).is_dir():
        raise OSError(f"The report {path!r} is a folder; name a file in it.")
    if is_one_of(path, *others):
        raise ValueError(f"The report {path!r} is another file of this command, too; name one of its own.")


def is_one_of(path: str, *others: str) -> bool:
    """Whether a path leads to where one of the others does, by whatever name, be anything there or not."""
    there = [other for other in others if os.path.exists(path) and os.path.exists(other)]
    return os.path.realpath(path) in map(os.path.realpath, others) or any(os.path.samefile(path, one) for one in there)


def report_kind(path: str) -> str:
    """Return "html" or "json", as the path ends."""
    kind = Path(path).suffix.lower()
    if kind not in ENDINGS:
        raise ValueError(f"The report {path!r} must end in .html or .json.")
    return kind.removeprefix(".")


def of_release(recipe: Recipe, table: Any, released: Any, keep: Any, kind: str, *, public: bool = False) -> bytes:
    """Return the report of what a recipe, whose pipeline is fitted, made of a table; `public` as `to_bytes` has it.

    Raises
    ------
    ValueError
        If neither the recipe nor its steps name quasi-identifiers.
    """
    known = quasi_identifiers(recipe)
    if not known:
        raise ValueError(f"{recipe.file} names no quasi_identifiers, which a report is about; add them to the file.")
    told = DataSafetyReport(
        table,
        released,
        pipeline=recipe.pipeline,
        quasi_identifiers=known,
        sensitive=list(recipe.sensitive) or None,
        keep=keep,
        title=recipe.title or "Data safety report",
    )
    return told.to_bytes(kind, public=public)


def of_files(original: str, released: str, **options: Any) -> DataSafetyReport:
    """Return the report of two tables in files."""
    return DataSafetyReport(*(_files.read_table(path, decimals=True) for path in (original, released)), **options)
