"""The folder of a population: its manifest, a journal of finished shards, and the shards. Whatever ends a study, what the journal names is whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kneeload.population.design import Design, sources_of
from kneeload.population.rows import Layout
from kneeload.population.study_folder import StudyFolder, write_whole
from kneeload.population.tables import counts_in, people_of

JOURNAL = "shards.jsonl"


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


class Folder(StudyFolder):
    """The folder of one population."""

    journal = JOURNAL

    def __init__(self, path: Path, design: Design, layout: Layout, words: tuple[str, ...] = ()) -> None:
        super().__init__(path, design.record(), words)
        self._design, self._layout = design, layout
        self.counts = dict.fromkeys(("shards", "people", "rows", "failed", "resampled"), 0)

    def done(self, also: Callable[[Done], bool] = lambda _: True) -> set[int]:
        """Return the numbers of the shards that are whole, for which `also` holds, and count them; the others will be made again."""
        seen = set[int]()
        for item in reversed(self._lines()):
            if item.shard not in seen and self._whole(item) and also(item):
                seen.add(item.shard)
                self._count(item)
        return seen

    def keep(self, shard: int, data: bytes, *, rows: int, failed: int, resampled: int, fields_sha256: str | None = None) -> None:
        """Write a shard, then its line in the journal, each so that a crash leaves the whole or nothing.

        Raises:
            StudyError: the disk is full or the folder cannot be written any more.
        """
        first, count = people_of(self._design, shard)
        done = Done(shard=shard, file=shard_name(shard), first=first, people=count, rows=rows, failed=failed, resampled=resampled, size=len(data),
                    sha256=hashlib.sha256(data).hexdigest(), fields_sha256=fields_sha256)
        with self.writing():
            write_whole(self.path / done.file, data)
            self._append(asdict(done))
        self._count(done)

    def _record(self, status: str) -> dict[str, Any]:
        import numba
        import numpy
        import pyarrow
        import scipy

        return {
            "status": status, "people": self._design.size, "shards": self._design.shards, "shards_done": self.counts["shards"],
            "people_done": self.counts["people"], "rows": self.counts["rows"], "failed_rows": self.counts["failed"], "resampled": self.counts["resampled"],
            "words": list(self._words), "design": self._design_record, "sources": sources_of(self._design.distribution),
            "seeds": {"design": self._design.seed, "person": "column seed: 64 bits of numpy.random.SeedSequence(seed, spawn_key=(person,))"},
            "files": {"name": shard_name(0).replace("00000", "<number>"), "first_person": "number x shard_size", "journal": JOURNAL},
            "columns": dict(self._layout.columns), "fields": [{"activity": activity, "surface": surface, "triangles": dict(sizes)} for (activity, surface), sizes in self._layout.fields.items()],
            "models": repr(self._design.base), "machine": f"{platform.system()} {platform.machine()}",
            "versions": {"python": platform.python_version(), "numpy": numpy.__version__, "scipy": scipy.__version__, "numba": numba.__version__, "pyarrow": pyarrow.__version__},
            "note": "Synthetic people. Information for research and teaching; not a diagnosis.",
        }

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
