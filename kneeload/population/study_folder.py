"""A folder that one process works on and that outlives any end: a lock, manifest.json with the design, and a journal of what is finished."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from kneeload.errors import InputError, KneeloadError

MANIFEST, LOCK = "manifest.json", "lock"
_AGAIN = "what is written is kept, and the same command goes on with it"


class StudyError(KneeloadError, RuntimeError):
    """A study could not go on (exit code 1)."""


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder, None where there is none.

    Raises:
        InputError: it is there and cannot be read.
    """
    path = folder / MANIFEST
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not isinstance(found.get("design"), dict):
            raise ValueError("it has no design")
        if not isinstance(found.get("words", []), list):
            raise ValueError("its words are no list")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise InputError("manifest", where="population.output", got=str(path), allowed="a manifest that kneeload wrote", why=f"this one cannot be used: {problem}") from None
    return found


def words_of(folder: Path) -> list[str]:
    """The words that a study in a folder was begun with; none where there is no study.

    Raises:
        InputError: its manifest cannot be read.
    """
    found = read_manifest(folder)
    return [] if found is None else [str(word) for word in found.get("words", ())]


class StudyFolder(ABC):
    """The folder of one study, held by one process. Used inside `with`.

    Attributes:
        path: the folder.
        where: key or flag that names the folder, for errors.
        journal: name of the journal.
    """

    where, journal = "population.output", "journal.jsonl"

    def __init__(self, path: Path, design: Mapping[str, Any], words: tuple[str, ...] = ()) -> None:
        """Take the folder of a study whose numbers depend on `design`, in plain types; words: those that began it."""
        self.path, self._design_record, self._words = path, design, words
        self._lock: int | None = None
        self._journal: int | None = None

    def __enter__(self) -> Self:
        try:
            self._open()
        except KneeloadError:
            self._close()
            raise
        except OSError as problem:
            self._close()
            raise InputError("output folder", where=self.where, got=str(self.path), allowed="a folder that can be written", why=_reason(problem)) from None
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Inside it a full disk or a lost folder is a StudyError."""
        return _full_disk(self.path)

    def write_manifest(self, status: str) -> None:
        """Write the manifest: "unfinished" or "complete".

        Raises:
            StudyError: the disk is full or the folder cannot be written any more.
        """
        with _full_disk(self.path):
            write_whole(self.path / MANIFEST, (json.dumps(self._record(status), indent=2, ensure_ascii=False) + "\n").encode())

    @abstractmethod
    def _record(self, status: str) -> dict[str, Any]:
        """What the manifest holds; its key "design" is what this class was given."""

    def _open(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            if problem.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise InputError("output folder", where=self.where, got=str(self.path), allowed="a folder that no other run is writing to", why="another process works on this study") from None
        before = read_manifest(self.path)
        if before is None:
            self._new()
        else:
            self._same(before["design"])
            self._words = self._words or tuple(before.get("words", ()))
        for left in self.path.glob("*.part"):
            left.unlink()
        self._journal = os.open(self.path / self.journal, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        size = os.fstat(self._journal).st_size
        if size and os.pread(self._journal, 1, size - 1) != b"\n":
            os.write(self._journal, b"\n")  # the line before was cut off by a crash: it stays unreadable, and its shard is made again

    def _new(self) -> None:
        strange = sorted(path.name for path in self.path.iterdir() if path.name not in (LOCK,) and path.suffix != ".part")
        if strange:
            raise InputError("output folder", where=self.where, got=str(self.path), allowed="a new or empty folder, or that of an unfinished study",
                             why=f"it holds {strange[0]} and no manifest")
        self.write_manifest("unfinished")

    def _same(self, before: Mapping[str, Any]) -> None:
        now = json.loads(json.dumps(self._design_record))
        for key in dict.fromkeys((*now, *before)):
            if now.get(key) != before.get(key):
                what = _differing(before.get(key), now.get(key), key)
                raise InputError("study", where=self.where, got=str(self.path), allowed=f"a new folder, the same settings as before, or {self.where} alone", why=f"this folder was begun with another design: {what}")

    def _append(self, *items: Mapping[str, Any]) -> None:
        """Write lines to the journal and wait until the disk has them."""
        assert self._journal is not None
        lines = "".join(json.dumps(item) + "\n" for item in items).encode()
        if os.write(self._journal, lines) < len(lines):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._journal)

    def _close(self) -> None:
        for handle in (self._journal, self._lock):
            if handle is not None:
                os.close(handle)
        self._journal = self._lock = None


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that after a crash at any moment it is there as a whole or not at all."""
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(part, 0o644)
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise StudyError(f"The study in {folder} cannot be written on: {_reason(problem)}; {_AGAIN}.") from None


def _reason(problem: OSError) -> str:
    if problem.errno in (errno.EEXIST, errno.ENOTDIR):
        return "a file, or a link to nowhere, is in its place"
    return "the disk is full" if problem.errno in (errno.ENOSPC, errno.EDQUOT) else (problem.strerror or str(problem)).lower()


def _differing(before: Any, now: Any, path: str) -> str:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        key = next(key for key in (*now, *before) if now.get(key) != before.get(key))
        return _differing(before.get(key), now.get(key), f"{path}.{key}")
    return f"{path} was {before!r} and is now {now!r}"
