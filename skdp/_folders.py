"""A table as a folder of Parquet files, which an interrupted run goes on with.

A folder is made beside its name, under a hidden one, and renamed when it is complete: so a folder of that name is whole
or not there. Each part is written under a temporary name, brought to the disk, renamed, and only then entered into the
manifest. What is in the manifest is kept, whatever happens; what is not is swept by the run that goes on.
"""

import base64
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from skdp._files import ENDINGS, TableWriter, check_can_lock, locked, naming, open_named
from skdp._parts import FORMAT, MANIFEST, digest, read_manifest

LEARNED = "_learned"


def is_folder(path: str | Path) -> bool:
    """Whether an output of that name is a folder of Parquet files: it ends in a slash, or its name has no ending.

    Examples
    --------
    >>> is_folder("people/"), is_folder("people"), is_folder("people.parquet"), is_folder("people.parquet/")
    (True, True, False, True)
    """
    name = str(path)
    return name.endswith(("/", os.sep)) or not name.lower().endswith(ENDINGS) and not Path(name).suffix


class PartFolder:
    """A folder in the making; `making` opens it.

    Attributes
    ----------
    manifest : dict
        What is kept of the run: ``format``, ``run`` (its name), ``made_with``, ``parts``, ``complete``, and until then
        ``made_of``, its ``place``, the digest of what was ``learned``, and what `keep` was given. No value of the
        table, no seed of noise over data of people, and once it is complete nothing that was found by looking at the
        source.
    parts : list of dict
        The parts that are written, in order: ``file``, ``rows``, ``bytes``, ``sha256``, and the facts that a `Part` was
        given, until the folder is complete.
    schema : pyarrow.Schema or None
        The columns and their types, once a part is written.
    complete : bool
        Whether the folder was complete before this run.
    at_once : bool
        Whether all parts are entered into the manifest together, by `finish`: for a table that cannot be gone on with.
    """

    def __init__(self, path: str | Path, folder: Path, manifest: dict):
        self.path = path
        self.folder = folder
        self.manifest = manifest
        self.complete = manifest["complete"]
        self.at_once = False

    @property
    def parts(self) -> list[dict]:
        """The parts that are written."""
        return self.manifest["parts"]

    @cached_property
    def schema(self) -> pa.Schema | None:
        """The columns and their types, as they were handed to the writer: readers take large texts for others."""
        if not self.parts:
            return None
        from pyarrow import parquet

        written = parquet.read_metadata(self.folder / self.parts[0]["file"]).metadata[b"ARROW:schema"]
        return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(written)))

    @property
    def rows(self) -> int:
        """How many rows are written."""
        return sum(part["rows"] for part in self.parts)

    def keep(self, name: str, value: Any) -> None:
        """Keep a value in the manifest from now on; None takes it out."""
        if self.manifest.get(name) != value:
            self.manifest[name] = value
            self.save()

    @contextmanager
    def write(self) -> Iterator["Part"]:
        """Open the next part; it is committed when the block ends well, and leaves no trace when it does not."""
        name = f"part-{len(self.parts):05d}.parquet"
        temporary = self.folder / f".{name}.part"
        with naming(self.path):
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with open_named(handle, self.path) as file:
                with TableWriter(file, ".parquet", schema=self.schema) as writer:
                    part = Part(writer)
                    yield part
                file.flush()
                with naming(self.path):
                    os.fsync(handle)
            with naming(self.path):
                os.rename(temporary, self.folder / name)
                _sync(self.folder)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self.schema = self.schema or part.writer.schema
        entry = {"file": name, "rows": part.rows, **digest(self.folder / name), **part.facts}
        self.manifest["parts"] = [*self.parts, entry]
        if not self.at_once:
            self.save()

    def save(self) -> None:
        """Put the manifest in the place of the one before."""
        kept = {name: value for name, value in self.manifest.items() if value is not None}
        self._replace(MANIFEST, json.dumps(kept, indent=1, ensure_ascii=False).encode())

    def _replace(self, name: str, data: bytes) -> None:
        temporary = self.folder / f".{name}.part"
        with naming(self.path):
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(handle)
            os.replace(temporary, self.folder / name)
            _sync(self.folder)

    def keep_learned(self, data: bytes | None) -> None:
        """Keep what steps have learned until the folder is complete; None is nothing to keep."""
        if data is None:
            return
        self._replace(LEARNED, data)
        self.keep("learned", {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})

    def learned(self) -> bytes | None:
        """Return what steps have learned, None if nothing is kept."""
        if "learned" not in self.manifest:
            return None
        data = (self.folder / LEARNED).read_bytes() if (self.folder / LEARNED).is_file() else b""
        if hashlib.sha256(data).hexdigest() != self.manifest["learned"].get("sha256"):
            raise self._changed(LEARNED)
        return data

    def outlasts(self, error: BaseException) -> bool:
        """Whether there is something to go on with after an error; what was learned only if the recipe may be right.

        A folder that has vanished holds nothing to go on with.
        """
        learned = "learned" in self.manifest and isinstance(error, KeyboardInterrupt | OSError | MemoryError)
        return not self.at_once and (bool(self.parts) or learned) and (self.folder / MANIFEST).is_file()

    def finish(self) -> None:
        """Enter that the folder is complete, forget what only a run needs that goes on, and give the folder its name.

        The digest of a source tells whoever knows all its records but one which that one is; which columns of a chunk
        the noise left as they were tells what they were.
        """
        parts = [{name: part[name] for name in ("file", "rows", "bytes", "sha256")} for part in self.parts]
        self.manifest |= {"complete": True, "rows": self.rows, "parts": parts}
        self.manifest |= dict.fromkeys(("made_of", "place", "seed", "seeded", "learned"))
        self.save()
        (self.folder / LEARNED).unlink(missing_ok=True)
        target = _target(self.path)
        with naming(self.path):
            os.rename(self.folder, target)
        _sync(target.parent)

    def _sweep(self) -> None:
        """Delete what is not in the manifest."""
        known = {MANIFEST, *(part["file"] for part in self.parts)} | (
            {LEARNED} & {f"_{name}" for name in self.manifest}
        )
        for path in self.folder.iterdir():
            if path.name not in known:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def _check_parts(self) -> None:
        for part in self.parts:
            path = self.folder / part["file"]
            if not path.is_file() or digest(path) != {name: part[name] for name in ("bytes", "sha256")}:
                raise self._changed(part["file"])

    def _changed(self, name: str) -> ValueError:
        return ValueError(
            f"The file {name!r} of {str(self.path)!r} is not what was written; delete the folder {str(self.folder)!r} "
            "and start anew."
        )


class Part:
    """A part that is being written.

    Attributes
    ----------
    writer : TableWriter
        Where its rows go.
    rows : int
        How many it has so far.
    facts : dict
        What else is to be kept of it in the manifest.
    """

    def __init__(self, writer: TableWriter):
        self.writer = writer
        self.rows = 0
        self.facts: dict[str, Any] = {}

    def write(self, table: Any) -> int:
        """Append rows; return how many."""
        rows = self.writer.write(table)
        self.rows += rows
        return rows


@contextmanager
def making(
    path: str | Path, made_with: Mapping[str, Any], made_of: Mapping[str, Any], *, resume: bool = False
) -> Iterator[PartFolder]:
    """Open a folder of Parquet files to write, which no other run writes at the same time.

    Parameters
    ----------
    path : str or Path
        Its name. There is nothing of that name yet, or an empty folder, or with `resume` the complete one.
    made_with : mapping
        What the table depends on, by the words that the user knows it by, as JSON holds it.
    made_of : mapping
        The sources that it depends on, told by their digests: kept until the folder is complete.
    resume : bool, default=False
        Whether to go on with what an interrupted run left.

    Raises
    ------
    OSError
        If something is in the way, another run is writing the folder, or it cannot be written.
    ValueError
        If there is an unfinished folder and no `resume`; or it was made with something else, which is named.
    NotImplementedError
        On a system without POSIX locks.
    """
    check_can_lock()
    target = _target(path)
    folder = target.parent / f".{target.name}.unfinished"
    if resume and (target / MANIFEST).is_file():
        done = PartFolder(path, target, read_manifest(target / MANIFEST, path))
        _check_made_alike(path, done.manifest["made_with"], made_with)
        done._check_parts()
        yield done
        return
    _check_free(target, path, resume)
    handle = _folder_lock(folder, path)
    try:
        _check_free(target, path, resume)  # again: a run may have ended just now
        one = _opened(path, folder, {"made_with": dict(made_with), "made_of": dict(made_of)}, resume)
        if one.complete:  # killed before it could give the folder its name
            one.finish()
        try:
            yield one
        except BaseException as error:
            if not one.outlasts(error):
                (folder / MANIFEST).unlink(missing_ok=True)
            raise
    finally:
        if _is_there(handle, folder) and not (folder / MANIFEST).exists():
            shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _opened(path: str | Path, folder: Path, made: dict[str, dict], resume: bool) -> PartFolder:
    """Return the folder that is locked, new or as the run before left it."""
    if not (folder / MANIFEST).is_file():
        manifest = {"format": FORMAT, **_named(folder), **made, "parts": [], "complete": False}
        one = PartFolder(path, folder, manifest)
        one._sweep()
        one.save()
        return one
    if not resume:
        raise ValueError(
            f"An interrupted run left {str(path)!r} unfinished; go on with --resume, or delete {str(folder)!r}."
        )
    one = PartFolder(path, folder, read_manifest(folder / MANIFEST, path))
    for name, before in made.items():
        if not one.complete or name in one.manifest:
            _check_made_alike(path, one.manifest.get(name, {}), before)
    one._check_parts()
    one._sweep()
    if not one.complete and one.manifest.get("place") != str(folder):  # a copy: both would go on, and one would pay
        one.manifest |= _named(folder)
        one.save()
    return one


def _named(folder: Path) -> dict[str, str]:
    """Return a new name for a run, which a ledger knows it by, and the place that it is the name for."""
    return {"run": uuid.uuid4().hex, "place": str(folder)}


def _target(path: str | Path) -> Path:
    return Path(os.path.realpath(str(path).rstrip("/" + os.sep) or "/"))


def _folder_lock(folder: Path, path: str | Path) -> int:
    while True:
        try:
            os.mkdir(folder, 0o700)
        except FileExistsError:
            pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error
        try:
            return locked(folder, os.O_RDONLY | os.O_DIRECTORY, path)
        except FileNotFoundError:
            continue  # it got its name just now


def _is_there(handle: int, folder: Path) -> bool:
    """Whether a folder that is open still has its name."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(folder, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _check_free(target: Path, path: str | Path, resume: bool) -> None:
    if target.exists() and not target.is_dir():
        raise OSError(f"The output {str(path)!r} is a file, not a folder.")
    if target.is_dir() and any(target.iterdir()):
        cure = "it is no table of this command" if resume else "take another name, or delete it"
        raise OSError(f"The folder {str(path)!r} is not empty; {cure}.")


def _check_made_alike(path: str | Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name in [*now, *before]:
        if before.get(name) != now.get(name):
            raise ValueError(
                f"{str(path)!r} was begun with another {name}; give the same to go on, or take another output."
            )


def _sync(folder: Path) -> None:
    """Bring a folder's names to the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
