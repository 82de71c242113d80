"""The folder of a sweep: sweep.json names every job and its folder; a job that is done leaves hydra/finished.json in its folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from kneeload.errors import InputError
from kneeload.result import version_of_kneeload

RECORD, FINISHED, RUNNING = "sweep.json", Path("hydra") / "finished.json", "running.lock"
WHERE = "hydra.sweep.dir"


class Failure(NamedTuple):
    """What a failed job returns: a sentence, and whether its input was bad. (Errors themselves do not always reach another process.)"""

    sentence: str
    bad_input: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job of a sweep.

    Attributes:
        number: place in the sweep, from 0.
        folder: name of its folder in the folder of the sweep.
        overrides: `key=value` words of the job, without those about Hydra.
    """

    number: int
    folder: str
    overrides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What sweep.json holds.

    Attributes:
        jobs: all jobs, in order.
        words: the words of the command line that began it.
        cwd: the folder that it was begun in, which relative paths refer to.
        settings: hash of the settings that are not swept.
        version: of kneeload.
    """

    jobs: tuple[Job, ...]
    words: tuple[str, ...]
    cwd: str
    settings: str
    version: str


def new_sweep(jobs: Sequence[Job], words: Sequence[str], settings: str) -> Sweep:
    """A sweep begun here and now.

    Raises:
        InputError: two jobs would share a folder.
    """
    seen: dict[str, Job] = {}
    for job in jobs:
        place = os.path.normpath(job.folder)
        if place in seen:
            raise InputError("folders of jobs", where="hydra.sweep.subdir", got=f"{job.folder!r} for jobs {seen[place].number} and {job.number}",
                             allowed="a folder for each job, as with the default ${hydra.job.num}", why="no two jobs share a folder")
        seen[place] = job
    return Sweep(jobs=tuple(jobs), words=tuple(words), cwd=str(Path.cwd()), settings=settings, version=version_of_kneeload())


def read_sweep(folder: Path) -> Sweep | None:
    """What sweep.json of a folder holds, None where there is no such file.

    Raises:
        InputError: it is there and cannot be read.
    """
    path = folder / RECORD
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        jobs = tuple(Job(number=job["number"], folder=job["folder"], overrides=tuple(job["overrides"])) for job in found.pop("jobs"))
        return Sweep(**{**found, "words": tuple(found["words"])}, jobs=jobs)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise InputError("record of a sweep", where=WHERE, got=str(path), allowed="a file that kneeload wrote", why=f"this one cannot be used: {problem}") from None


def begin(folder: Path, sweep: Sweep) -> None:
    """Make the folder of a new sweep, with sweep.json in it.

    Raises:
        InputError: the folder exists or cannot be made.
    """
    part = folder.with_name(f".{folder.name}.{os.getpid()}-{threading.get_native_id()}.part")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(folder):
            raise FileExistsError
        part.mkdir()
        with (part / RECORD).open("x", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(sweep), indent=1, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        (part / RUNNING).touch()
        part.rename(folder)
    except OSError as problem:
        shutil.rmtree(part, ignore_errors=True)
        _refuse(folder, problem)


def _refuse(folder: Path, problem: OSError) -> NoReturn:
    if os.path.lexists(folder):
        hint = f"`kneeload --multirun --resume {folder}` goes on with the sweep in it" if (folder / RECORD).is_file() else "a run never writes over another"
        raise InputError("run folder", where=WHERE, got=str(folder), allowed="a folder that does not exist yet", why=hint) from None
    why = "not a directory" if isinstance(problem, FileExistsError) else problem.strerror or str(problem)  # something above it is a file
    raise InputError("run folder", where=WHERE, got=str(folder), allowed="a folder that can be made", why=why.lower()) from None


def go_on(folder: Path, sweep: Sweep) -> list[Job]:
    """Return the jobs of a sweep that are still to be done, after what they left half-written was moved aside.

    Raises:
        InputError: the folder holds no sweep or another one, or jobs of it are running.
    """
    before = read_sweep(folder)
    if before is None:
        raise InputError("sweep to go on with", where="--resume", got=str(folder), allowed=f"the folder of a sweep, with its {RECORD}", why="without it nothing says which jobs there are")
    _same(folder, before, sweep)
    with locked(folder / RUNNING, alone=True, patience_s=1.0):  # workers of a driver that was killed end within a second
        rest = [job for job in sweep.jobs if not is_done(folder / job.folder)]
        for job in rest:
            move_aside(folder / job.folder)
    return rest


def _same(folder: Path, before: Sweep, now: Sweep) -> None:
    why = ""
    for old, new in zip(before.jobs, now.jobs):
        if old != new and not why:
            why = f"there, job {old.number} is {' '.join(old.overrides) or 'without words'}, here {' '.join(new.overrides) or 'without words'}"
    if len(before.jobs) != len(now.jobs):
        why = why or f"there are {len(before.jobs)} jobs, here {len(now.jobs)}"
    if before.version != now.version:
        why = why or f"it was begun with kneeload {before.version}, and this is {now.version}"
    elif before.settings != now.settings:
        why = why or "settings that are not swept have changed since it was begun"
    if why:
        raise InputError("sweep", where=WHERE, got=str(folder), allowed="a new folder, or the same sweep as before", why=f"this folder holds another sweep: {why}")


def move_aside(folder: Path) -> Path | None:
    """Rename a folder to the first free `<name>.stopped-<number>` beside it; None where there is none."""
    if not folder.exists():
        return None
    number = 1
    while (aside := folder.with_name(f"{folder.name}.stopped-{number}")).exists():
        number += 1
    folder.rename(aside)
    return aside


def outcome(folder: Path) -> Failure | str | None:
    """How a job ended: "ok" or its Failure; None if it has not ended."""
    mark, summary = read_json(folder / FINISHED), read_json(folder / "summary.json")
    if is_done(folder):
        return "ok"
    if mark is None or summary is None or summary.get("status") != "failed":
        return None
    return Failure(str(summary.get("error")), bool(mark.get("bad_input")))


def give_up(folder: Path, sentence: str) -> Failure:
    """Write that a job failed which could not say so itself, in place of what it left; returns that."""
    from kneeload.run_folder import write_failure

    move_aside(folder)
    folder.mkdir(parents=True)
    write_failure(folder, sentence)
    mark_finished(folder, "failed")
    return Failure(sentence, False)


def mark_finished(folder: Path, status: str, *, bad_input: bool = False) -> None:
    """Say in the folder of a job that it has written everything: status "ok" or "failed"."""
    path = folder / FINISHED
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps({"status": status} | ({"bad_input": True} if bad_input else {})) + "\n", encoding="utf-8")
    os.replace(part, path)


def is_done(folder: Path) -> bool:
    """Whether the folder of a job holds a whole result with status "ok"."""
    mark, summary = read_json(folder / FINISHED), read_json(folder / "summary.json")
    return mark is not None and mark.get("status") == "ok" and summary is not None and summary.get("status") == "ok"


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file, None where there is none or it is cut off."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, Mapping):
            return dict(found)
    return None


@contextlib.contextmanager
def locked(path: Path, *, alone: bool, patience_s: float = 0.0) -> Iterator[None]:
    """Hold a lock on a file: `alone` to change the sweep, or together with others, as each job does while it runs.

    A file system without locks is used without them.

    Raises:
        InputError: `alone`, and somebody else still holds it after `patience_s`.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        latest = time.monotonic() + patience_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
            except OSError as problem:
                if problem.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    break  # no locks here
                if time.monotonic() < latest:
                    time.sleep(0.05)
                    continue
                raise InputError("sweep", where=WHERE, got=str(path.parent), allowed="a sweep that nothing works on", why="jobs of it are still running") from None
            break
        yield
    finally:
        os.close(handle)
