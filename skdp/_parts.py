"""The files of a table that is a folder of Parquet files, as skdp, Dask and Spark write them."""

import errno
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa

MANIFEST = "_manifest.json"  # readers of Parquet folders pass over names with an underscore
FORMAT = 1
AT_WORK = "_temporary"  # where Spark keeps what a run has not committed


def is_parts(path: str | Path) -> bool:
    """Whether a table that is to be read is a folder.

    Raises
    ------
    OSError
        If there is nothing of that name, which is that of a folder.
    ValueError
        If there is none yet, but what an interrupted run left of it.
    """
    folder = Path(path)
    if not folder.exists() and (folder.parent / f".{folder.name}.unfinished").is_dir():
        raise _unfinished(path)
    if not folder.exists() and not folder.suffix:  # nothing that could be a file with the wrong ending
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    return folder.is_dir()


def parts_of(path: str | Path) -> list[Path]:
    """Return the files of a folder in the order of the table.

    Those of a folder with a manifest are the ones that it names, and are checked against it. In another folder, numbers
    in the names count as numbers: ``part.2.parquet`` comes before ``part.10.parquet``. Names that begin with an
    underscore or a dot are no parts.

    Raises
    ------
    OSError
        If the folder cannot be read.
    ValueError
        If it is unfinished, changed, or holds anything but parts.
    """
    folder = Path(path)
    names = {name for name in os.listdir(folder) if not name.startswith(("_", "."))}
    if (folder / MANIFEST).is_file():
        return _stated(folder, names, path)
    if (folder / AT_WORK).exists():
        raise _unfinished(path)
    for name in sorted(names):
        if (folder / name).is_dir():  # of a partitioned table, the name would be a value
            raise ValueError(f"The folder {str(path)!r} has folders in it; write its table without partitions first.")
        if not name.lower().endswith(".parquet"):
            raise _strange(name, path)
    if not names:
        raise ValueError(f"The folder {str(path)!r} holds no files that end in .parquet.")
    return [folder / name for name in sorted(names, key=_in_natural_order)]


def _stated(folder: Path, names: set[str], path: str | Path) -> list[Path]:
    """Return the files that a manifest names; raise unless these are what is there, and as they were written."""
    manifest = read_manifest(folder / MANIFEST, path)
    if not manifest["complete"] or not manifest["parts"]:
        raise _unfinished(path)
    for part in manifest["parts"]:
        file = folder / part["file"]
        if not file.is_file() or digest(file) != {name: part[name] for name in ("bytes", "sha256")}:
            raise ValueError(f"The file {part['file']!r} of {str(path)!r} is not what was written; make it anew.")
        names.discard(part["file"])
    if names:
        raise _strange(min(names), path)
    return [folder / part["file"] for part in manifest["parts"]]


def _unfinished(path: str | Path) -> ValueError:
    return ValueError(f"The folder {str(path)!r} is unfinished: a run that writes it was interrupted, or goes on.")


def _strange(name: str, path: str | Path) -> ValueError:
    return ValueError(f"The file {name!r} in the folder {str(path)!r} is no part of its table; move it elsewhere.")


def _in_natural_order(name: str) -> tuple:
    pieces = re.split(r"([0-9]+)", name)
    return [int(piece) if number % 2 else piece for number, piece in enumerate(pieces)], name


def read_manifest(manifest: Path, path: str | Path) -> dict:
    """Return a manifest, checked as far as it is used; `path` is what the user calls the folder.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
        usable = found["format"] == FORMAT and isinstance(found["complete"], bool)
        usable = usable and isinstance(found["run"], str) and isinstance(found["made_with"], dict)
        usable = usable and isinstance(found.get("made_of", {}), dict)
        names = [part["file"] for part in found["parts"]]
        usable = usable and names == [f"part-{number:05d}.parquet" for number in range(len(names))]
        usable = usable and all(isinstance(part[name], int) for part in found["parts"] for name in ("rows", "bytes"))
        usable = usable and all(isinstance(part["sha256"], str) for part in found["parts"])
    except (ValueError, TypeError, KeyError, UnicodeDecodeError):
        usable = False
    if not usable:
        raise ValueError(f"The file {MANIFEST!r} of {str(path)!r} is no manifest of this version; start anew.")
    return found


def digest(path: str | Path) -> dict[str, Any]:
    """Return the size in bytes and the SHA-256 of a file; of a folder, of its parts in their order."""
    if is_parts(path):
        parts = [(part.name, digest(part)) for part in parts_of(path)]
        lines = "".join(f"{own['sha256']} {name}\n" for name, own in parts)
        size = sum(own["bytes"] for _, own in parts)
        return {"parts": len(parts), "bytes": size, "sha256": hashlib.sha256(lines.encode()).hexdigest()}
    with open(path, "rb") as file:
        return {"bytes": os.fstat(file.fileno()).st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def check_alike(schema: pa.Schema, part: Path, first: pa.Schema, first_part: Path) -> None:
    """Raise unless a part has the columns and types of the first.

    Raises
    ------
    ValueError
        If it has others; its values are not shown.
    """
    if schema.names != first.names:
        raise ValueError(f"The file {str(part)!r} has other columns than {first_part.name!r}; write the folder anew.")
    for own, other in zip(schema, first, strict=True):
        if own.type != other.type:
            raise ValueError(
                f"Column {own.name!r} holds {own.type} values in the file {str(part)!r} and {other.type} values in "
                f"{first_part.name!r}; write the folder anew with one type."
            )
