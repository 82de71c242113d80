"""A study of uncertainty as files: sensitivity.csv, intervals.csv, convergence.csv, samples.csv and sensitivity.json in a new folder."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from kneeload.errors import InputError
from kneeload.population.priors import Prior
from kneeload.population.sensitivity import ENDS, Output, Sensitivity
from kneeload.result import version_of_kneeload

_SUFFIXES = {"_mpa_s": "MPa s", "_mm2": "mm2", "_mpa": "MPa", "_nm": "N m", "_ns": "N s", "_bw": "body weights", "_pct": "%", "_deg": "degrees", "_mm": "mm", "_kg": "kg", "_n": "N",
             "_24mo": "probability", "_24mo_low": "probability", "_24mo_high": "probability"}


def unit_of(name: str) -> str:
    """Unit that the name of an output ends with, "" for none."""
    return next((unit for suffix, unit in _SUFFIXES.items() if name.endswith(suffix)), "")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a table; numbers with nine digits, nothing for nan and None.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(header)
            writer.writerows([_cell(value) for value in row] for row in rows)
    except OSError as problem:
        raise InputError("output file", where="--output", got=str(path), allowed="a file that can be written", why=f"{problem.strerror}") from None
    return path


def write_sensitivity(study: Sensitivity, folder: Path, *, words: Sequence[str] = ()) -> None:
    """Write the tables of a study and sensitivity.json into a folder that is there.

    Args:
        study: what was found.
        folder: for the files.
        words: command line that describes the case, kept in sensitivity.json.
    """
    write_csv(folder / "sensitivity.csv", ("output", "unit", "parameter", "parameter_unit", "first_order", "first_order_half_width_95", "total", "total_half_width_95",
                                           "parameter_low", "parameter_high", "output_at_low", "output_at_high"),
              (row for output in study.outputs for row in _rows(study, output)))
    write_csv(folder / "intervals.csv", ("output", "unit", "nominal", "low_2_5", "median", "high_97_5", "low_standard_error", "high_standard_error", "draws"),
              ((output.name, unit_of(output.name), output.nominal, output.low, output.median, output.high, output.low_error, output.high_error, 2 * study.kept) for output in study.outputs))
    write_csv(folder / "convergence.csv", ("output", "parameter", "blocks", "first_order", "first_order_half_width_95", "total", "total_half_width_95"),
              ((output.name, prior.name, found.blocks, found.first[place], found.first_half[place], found.total[place], found.total_half[place])
               for output in study.outputs for found in output.indices for place, prior in enumerate(study.priors)))
    write_csv(folder / "samples.csv", ("run", *(prior.name for prior in study.priors), *(output.name for output in study.outputs)),
              ((number, *inside, *outside) for number, (inside, outside) in enumerate(zip(study.values.tolist(), study.found.tolist()))))
    record = {
        "kneeload": version_of_kneeload(), "words": list(words), "samples": study.samples, "blocks_kept": study.kept, "runs": study.runs, "seed": study.seed, "seconds": round(study.seconds, 1),
        "failures": dict(study.failures), "design": "Saltelli 2010 (doi 10.1016/j.cpc.2009.09.018), scrambled Sobol sequence, no second order, by SALib",
        "priors": [{"name": item.name, "unit": item.unit, "shape": item.shape, "low": item.low, "high": item.high,
                    **({"mean": item.mean, "sd": item.sd} if item.shape in ("normal", "lognormal") else {}), "own": item.own, "source": item.source} for item in study.priors],
        "outputs": {output.name: {"unit": unit_of(output.name), "nominal": output.nominal, "low": output.low, "median": output.median, "high": output.high,
                                  "first_order": _by_name(study.priors, output.indices[-1].first), "total": _by_name(study.priors, output.indices[-1].total)} for output in study.outputs},
        "note": "Information for research and teaching; not a diagnosis.",
    }
    try:
        (folder / "sensitivity.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as problem:
        raise InputError("output file", where="--output", got=str(folder), allowed="a folder that can be written", why=f"{problem.strerror}") from None


def _rows(study: Sensitivity, output: Output) -> Iterable[tuple[Any, ...]]:
    import numpy as np

    last = output.indices[-1]
    for place, prior in enumerate(study.priors):
        low, high = prior.value(np.array(ENDS)).tolist()
        yield (output.name, unit_of(output.name), prior.name, prior.unit, last.first[place], last.first_half[place], last.total[place], last.total_half[place],
               low, high, *output.swings[place])


def _by_name(priors: Sequence[Prior], values: Any) -> dict[str, float | None]:
    return {prior.name: None if math.isnan(value) else float(value) for prior, value in zip(priors, values)}


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return "" if value is None else value
