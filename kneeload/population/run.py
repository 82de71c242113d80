"""Computes a study: hands pieces to an engine, puts their figures together into shards, and writes these. It holds a few pieces at a time."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from kneeload.errors import KneeloadError
from kneeload.population.design import Design
from kneeload.population.draw import check_people
from kneeload.population.engine import Engine, LocalEngine
from kneeload.population.fields import FieldStore
from kneeload.population.folder import Folder
from kneeload.population.rows import FAILED, Layout, Piece, PieceFigures, layout_of
from kneeload.population.tables import parquet, people_of, require_packages

PIECE = 8  # people that a worker gets at once: about a second of work, so that the last pieces of a study keep nobody waiting for long
AHEAD = 3  # pieces per slot that are handed over before their results are asked for
MANIFEST_EVERY_S = 30.0  # seconds between updates of the counts in the manifest
EngineOf = Callable[[Design, Layout], Engine]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a study stands.

    Attributes:
        done, size: people.
        failed: rows with status failed.
        per_second: people per second of late, without what was there before and without the start of the workers; 0 while that is not known yet.
        left_s: seconds that are left at this rate, None while it is not known.
    """

    done: int
    size: int
    failed: int
    per_second: float
    left_s: float | None


class _Pace:
    """People per second over the last pieces. The first ones tell nothing: workers start, and then all finish at about the same time."""

    def __init__(self, slots: int) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=16 * slots)
        self._few = 2 * slots

    def per_second(self, now: float, done: int) -> float:
        """Take note that so many people are done at a time, s, and return the rate; 0 if it is not known yet."""
        self._seen.append((now, done))
        begin, before = self._seen[0]
        return (done - before) / max(now - begin, 1e-9) if len(self._seen) > self._few else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What came of a study.

    Attributes:
        folder: where it is.
        people, rows: in the table.
        failed: rows with status failed.
        resampled: impossible people who were drawn again.
        computed: people of this process; the others were there before.
        seconds: s; from the first piece to the last.
    """

    folder: Path
    people: int
    rows: int
    failed: int
    resampled: int
    computed: int
    seconds: float


@dataclass(slots=True)
class _Open:
    """A shard whose pieces are coming in."""

    left: int
    pieces: dict[int, PieceFigures] = field(default_factory=dict)


def local_engine(workers: int | None = None) -> EngineOf:
    """Worker processes on this machine, one per core by default."""
    count = workers or len(os.sched_getaffinity(0))
    return lambda design, layout: LocalEngine(design, layout, count)


def ray_engine(workers: int | None = None, address: str = "auto") -> EngineOf:
    """Workers of an existing Ray cluster, as many as it has cores by default; "auto" or host:port.

    Raises:
        InputError: Ray is not installed.
    """
    from kneeload.population.ray_engine import RayEngine, require_ray

    require_ray()
    return lambda design, layout: RayEngine(design, layout, workers, address)


def run_population(design: Design, folder: Path, *, engine: EngineOf | None = None, words: tuple[str, ...] = (), progress: Callable[[Progress], object] | None = None,
                   piece: int = PIECE) -> Study:
    """Compute a study into a folder, or go on with it where it was; a whole one is left as it is.

    Args:
        design: what is computed.
        folder: a new folder, an empty one, or that of the same study.
        engine: from design and layout to what computes; worker processes of this machine by default.
        words: command line of the study, kept in the manifest.
        progress: called after every piece.
        piece: people that a worker gets at once.

    Raises:
        InputError: a design that draws impossible people or has models that do not fit, or a folder that cannot be used.
        StudyError: the disk is full.
        WorkerLost: workers are killed again and again.
    """
    require_packages(design)
    check_people(design)
    layout = layout_of(design)
    with Folder(folder, design, layout, words) as kept:
        store = _store(design, layout, kept)
        whole = kept.done() if store is None else kept.done(lambda item: store.whole(item.first, item.people, item.fields_sha256))
        before = kept.counts["people"]
        begin = time.monotonic()
        if len(whole) < design.shards:
            kept.write_manifest("unfinished")
            with ExitStack() as stack:
                machine = stack.enter_context((engine or local_engine())(design, layout))
                _compute(design, layout, machine, kept, store, _pieces(design, whole, piece), progress)
        if kept.counts["shards"] != design.shards or kept.counts["people"] != design.size:
            raise KneeloadError(f"The study in {folder} has {kept.counts['people']} of {design.size} people, which must not be: please report it.")
        kept.write_manifest("complete")
        counts = kept.counts
    return Study(folder=folder, people=counts["people"], rows=counts["rows"], failed=counts["failed"], resampled=counts["resampled"], computed=counts["people"] - before,
                 seconds=time.monotonic() - begin)


def _store(design: Design, layout: Layout, kept: Folder) -> FieldStore | None:
    if not design.fields:
        return None
    with kept.writing():
        return FieldStore(kept.path, design, layout)


def _pieces(design: Design, whole: set[int], size: int) -> Iterator[Piece]:
    for shard in range(design.shards):
        if shard not in whole:
            first, count = people_of(design, shard)
            for start in range(first, first + count, size):
                yield Piece(shard=shard, first=start, count=min(size, first + count - start))


def _compute(design: Design, layout: Layout, engine: Engine, kept: Folder, store: FieldStore | None, pieces: Iterator[Piece], progress: Callable[[Progress], object] | None) -> None:
    opened: dict[int, _Open] = {}
    under_way, done, failed = 0, 0, 0
    noted, before, pace = time.monotonic(), kept.counts["people"], _Pace(engine.slots)
    while True:
        for piece in pieces:
            opened.setdefault(piece.shard, _Open(left=people_of(design, piece.shard)[1]))
            engine.submit(piece)
            under_way += 1
            if under_way >= AHEAD * engine.slots:
                break
        if not under_way:
            return
        found = engine.finished()
        under_way -= 1
        shard = opened[found.piece.shard]
        shard.pieces[found.piece.first] = found
        shard.left -= found.piece.count
        done += found.piece.count
        failed += sum(row[_place(layout)] == FAILED for row in found.rows)
        if shard.left == 0:
            _keep(design, layout, kept, store, found.piece.shard, opened.pop(found.piece.shard))
        now = time.monotonic()
        if progress is not None:
            rate, left = pace.per_second(now, done), design.size - before - done
            progress(Progress(done=before + done, size=design.size, failed=failed, per_second=rate, left_s=left / rate if rate else None if left else 0.0))
        if now - noted > MANIFEST_EVERY_S:
            kept.write_manifest("unfinished")
            noted = now


def _place(layout: Layout) -> int:
    return list(layout.columns).index("status")


def _keep(design: Design, layout: Layout, kept: Folder, store: FieldStore | None, shard: int, found: _Open) -> None:
    pieces = [found.pieces[first] for first in sorted(found.pieces)]
    rows: list[tuple[Any, ...]] = [row for item in pieces for row in item.rows]
    first, count = people_of(design, shard)
    places = {name: place for place, name in enumerate(layout.columns)}
    if [row[places["person"]] for row in rows] != [person for person in range(first, first + count) for _ in design.scenarios]:
        raise KneeloadError(f"The rows of shard {shard} are not those of its people, which must not be: please report it.")
    fields = None
    if store is not None:
        with kept.writing():
            fields = store.write(first, {key: np.concatenate([item.fields[key] for item in pieces]) for key in layout.fields})
    kept.keep(shard, parquet(design, layout, shard, rows), rows=len(rows), failed=sum(row[places["status"]] == FAILED for row in rows),
              resampled=sum(row[places["resampled"]] for row in rows) // len(design.scenarios), fields_sha256=fields)
