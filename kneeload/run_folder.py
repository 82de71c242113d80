"""The run folder: summary.json, waveforms.csv, regions.csv, pictures, VTK files and the report."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kneeload.errors import InputError
from kneeload.result import KneeResult, _version

SUMMARY_KEYS = ("version", "status", "error", "subject", "activity", "interventions", "loads", "contact", "bone", "lesion", "pain", "change", "timing", "provenance")


def write_run(result: KneeResult, folder: Path, *, pictures: bool = True, vtk: bool = True, report: bool = True) -> list[str]:
    """Write a result into `folder` (made if needed) and return notes for the reader, such as what could not be drawn.

    Raises:
        InputError: the folder already holds a run.
    """
    from kneeload.views import run_views

    folder.mkdir(parents=True, exist_ok=True)
    summary = result.summary()
    _write_json(folder / "summary.json", summary)
    _write_table(folder / "waveforms.csv", result.waveforms())
    if result.regions():
        _write_table(folder / "regions.csv", result.regions())
    return run_views.write_views(result_views(result, summary), folder, pictures=pictures, vtk=vtk, report=report)


def write_failure(folder: Path, sentence: str) -> None:
    """Write a summary.json with status "failed" and the sentence, unless the folder holds a summary already."""
    path = folder / "summary.json"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write_json(path, {**dict.fromkeys(SUMMARY_KEYS), "version": _version(), "status": "failed", "error": sentence})


def result_views(result: KneeResult, summary: dict[str, Any]) -> Any:
    """Placeholder for the views' input; filled when the views room is joined."""
    raise NotImplementedError


def _write_json(path: Path, data: Mapping[str, Any]) -> None:
    text = json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False)
    _create(path).write_text(text + "\n", encoding="utf-8")


def _finite(value: Any) -> Any:
    """Return `value` with every number that JSON cannot hold (nan, infinite) as null."""
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_table(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    with _create(path).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([_cell(item) for item in row] for row in zip(*columns.values()))


def _cell(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _create(path: Path) -> Path:
    if path.exists():
        raise InputError("run folder", where=str(path.parent), got=path.name, allowed="a folder without results", why="a run never writes over another")
    return path
