"""The folder of a study: manifest.json, a journal of finished shards, and the shards. Whatever ends a study, what the journal names is whole."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from kneeload.errors import InputError, KneeloadError
from kneeload.population.design import Design, sources_of
from kneeload.population.rows import Layout
from kneeload.population.tables import counts_in, people_of

MANIFEST, JOURNAL, LOCK = "manifest.json", "shards.jsonl", "lock"
_AGAIN = "what is written is kept, and the same command goes on with it"


class StudyError(KneeloadError, RuntimeError):
    """A study could not go on (exit code 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One finished shard, a line of the journal.

    Attributes:
        shard: number.
        file: its name.
        first, people: who is in it.
        rows, failed: rows, and those of them with status failed.
        resampled: impossible people who were drawn again.
        size: bytes.
        sha256: of the file.
        fields_sha256: of its fields, None if there are none.
    """

    shard: int
    file: str
    first: int
    people: int
    rows: int
    failed: int
    resampled: int
    size: int
    sha256: str
    fields_sha256: str | None = None


def shard_name(shard: int) -> str:
    """Name of a shard's file."""
    return f"shard-{shard:05d}.parquet"


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


class Folder:
    """The folder of one study, held by one process. Used inside `with`.

    Attributes:
        where: key or flag that names the folder, for errors.
        journal: name of the journal.
    """

    where, journal = "population.output", JOURNAL

    def __init__(self, path: Path, design: Design, layout: Layout, words: tuple[str, ...] = ()) -> None:
        self.path, self._design, self._layout, self._words = path, design, layout, words
        self._lock: int | None = None
        self._journal: int | None = None
        self.counts = dict.fromkeys(("shards", "people", "rows", "failed", "resampled"), 0)

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

    def done(self, also: Callable[[Done], bool] = lambda _: True) -> set[int]:
        """Return the numbers of the shards that are whole, for which `also` holds, and count them; the others will be made again."""
        seen = set[int]()
        for item in reversed(self._lines()):
            if item.shard not in seen and self._whole(item) and also(item):
                seen.add(item.shard)
                self._count(item)
        return seen

    def writing(self) -> contextlib.AbstractContextManager[None]:
        """Inside it a full disk or a lost folder is a StudyError."""
        return _full_disk(self.path)

    def keep(self, shard: int, data: bytes, *, rows: int, failed: int, resampled: int, fields_sha256: str | None = None) -> None:
        """Write a shard, then its line in the journal, each so that a crash leaves the whole or nothing.

        Raises:
            StudyError: the disk is full or the folder cannot be written any more.
        """
        first, count = people_of(self._design, shard)
        done = Done(shard=shard, file=shard_name(shard), first=first, people=count, rows=rows, failed=failed, resampled=resampled, size=len(data),
                    sha256=hashlib.sha256(data).hexdigest(), fields_sha256=fields_sha256)
        with _full_disk(self.path):
            write_whole(self.path / done.file, data)
            self._append(asdict(done))
        self._count(done)

    def write_manifest(self, status: str) -> None:
        """Write the manifest: "unfinished" or "complete".

        Raises:
            StudyError: the disk is full or the folder cannot be written any more.
        """
        with _full_disk(self.path):
            write_whole(self.path / MANIFEST, (json.dumps(self._record(status), indent=2, ensure_ascii=False) + "\n").encode())

    def _record(self, status: str) -> dict[str, Any]:
        import numba
        import numpy
        import pyarrow
        import scipy

        return {
            "status": status, "people": self._design.size, "shards": self._design.shards, "shards_done": self.counts["shards"],
            "people_done": self.counts["people"], "rows": self.counts["rows"], "failed_rows": self.counts["failed"], "resampled": self.counts["resampled"],
            "words": list(self._words), "design": self._design.record(), "sources": sources_of(self._design.distribution),
            "seeds": {"design": self._design.seed, "person": "column seed: 64 bits of numpy.random.SeedSequence(seed, spawn_key=(person,))"},
            "files": {"name": shard_name(0).replace("00000", "<number>"), "first_person": "number x shard_size", "journal": JOURNAL},
            "columns": dict(self._layout.columns), "fields": [{"activity": activity, "surface": surface, "triangles": dict(sizes)} for (activity, surface), sizes in self._layout.fields.items()],
            "models": repr(self._design.base), "machine": f"{platform.system()} {platform.machine()}",
            "versions": {"python": platform.python_version(), "numpy": numpy.__version__, "scipy": scipy.__version__, "numba": numba.__version__, "pyarrow": pyarrow.__version__},
            "note": "Synthetic people. Information for research and teaching; not a diagnosis.",
        }

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
        now = json.loads(json.dumps(self._design.record()))
        for key in dict.fromkeys((*now, *before)):
            if now.get(key) != before.get(key):
                what = _differing(before.get(key), now.get(key), key)
                raise InputError("study", where=self.where, got=str(self.path), allowed=f"a new folder, the same settings as before, or {self.where} alone", why=f"this folder was begun with another design: {what}")

    def _lines(self) -> list[Done]:
        found = []
        for line in (self.path / self.journal).read_text(encoding="utf-8", errors="replace").splitlines():
            with contextlib.suppress(ValueError, TypeError):  # cut off by a crash
                item = Done(**json.loads(line))
                if 0 <= item.shard < self._design.shards and item.file == shard_name(item.shard):
                    found.append(item)
        return found

    def _whole(self, item: Done) -> bool:
        """Whether the file of a shard is there, as it was written, with the people and rows that it must have."""
        first, count = people_of(self._design, item.shard)
        rows = count * len(self._design.scenarios)
        if (item.first, item.people, item.rows) != (first, count, rows):
            return False
        try:
            data = (self.path / item.file).read_bytes()
        except OSError:
            return False
        counts = (rows, item.failed, item.resampled * len(self._design.scenarios))
        return len(data) == item.size and hashlib.sha256(data).hexdigest() == item.sha256 and counts_in(data) == counts

    def _count(self, item: Done) -> None:
        for name, value in (("shards", 1), ("people", item.people), ("rows", item.rows), ("failed", item.failed), ("resampled", item.resampled)):
            self.counts[name] += value

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
