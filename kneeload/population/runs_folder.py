"""The folder of a study of uncertainty: manifest.json and a journal of finished runs. Whatever ends a study, what the journal holds is whole."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kneeload.population.drawn_runs import RunNumbers
from kneeload.population.study_folder import StudyError, StudyFolder
from kneeload.population.uncertainty import Draws

RUNS = "runs.jsonl"


class RunsFolder(StudyFolder):
    """Keeps runs in a folder, held by one process. Used inside `with`."""

    where, journal = "--output", RUNS

    def __init__(self, path: Path, draws: Draws, words: tuple[str, ...] = ()) -> None:
        super().__init__(path, draws.record(), words)
        self._draws, self._found = draws, dict[int, bool]()  # run -> whether it failed

    def runs(self) -> list[RunNumbers]:
        """The runs whose lines are whole, each once."""
        found = dict[int, RunNumbers]()
        with self.writing(), (self.path / RUNS).open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                item = self._read(line)
                if item is not None:
                    found[item.run] = item
        self._found = {run: item.error is not None for run, item in found.items()}
        return [found[run] for run in sorted(found)]

    def keep(self, runs: Sequence[RunNumbers]) -> None:
        """Write runs so that a crash leaves the whole line of a run or nothing that counts.

        Raises:
            StudyError: the disk is full or the folder cannot be written any more.
        """
        with self.writing():
            self._append(*({"run": item.run, "error": item.error, "values": item.values, "crc32": _check(item.run, item.error, item.values)} for item in runs))
        self._found |= {item.run: item.error is not None for item in runs}

    def __exit__(self, *_: object) -> None:
        if self._journal is not None:
            with contextlib.suppress(StudyError):  # the journal counts, and not the numbers in the manifest
                self.write_manifest("complete" if len(self._found) == len(self._draws.values) else "unfinished")
        super().__exit__()

    def _record(self, status: str) -> dict[str, Any]:
        import numpy
        import scipy

        draws = self._draws
        return {"status": status, "runs": len(draws.values), "runs_done": len(self._found), "failed_runs": sum(self._found.values()), "words": list(self._words),
                "design": self._design_record, "files": {"journal": RUNS},
                "versions": {"numpy": numpy.__version__, "scipy": scipy.__version__, "SALib": version("SALib")}, "note": "Information for research and teaching; not a diagnosis."}

    def _read(self, line: str) -> RunNumbers | None:
        try:
            item = json.loads(line)
            run, error, values = item["run"], item["error"], item["values"]
            whole = 0 <= run < len(self._draws.values) and len(values) == (len(self._draws.names) if error is None else 0) and item["crc32"] == _check(run, error, values)
        except (ValueError, TypeError, KeyError):  # cut off by a crash
            return None
        return RunNumbers(run=run, error=error, values=tuple(values)) if whole else None


def _check(run: int, error: str | None, values: Sequence[float | None]) -> int:
    return zlib.crc32(json.dumps([run, error, list(values)]).encode())
