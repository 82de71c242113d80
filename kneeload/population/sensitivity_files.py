"""A study of uncertainty as files: sensitivity.csv, intervals.csv, convergence.csv, samples.csv and sensitivity.json, or screening.csv, beside its runs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kneeload.errors import InputError
from kneeload.population.priors import Prior
from kneeload.population.sensitivity import Output, Sensitivity
from kneeload.population.study_folder import StudyError, write_whole
from kneeload.population.uncertainty import ENDS, record_of
from kneeload.result import version_of_kneeload

_SUFFIXES = {"_mpa_s": "MPa s", "_mm2": "mm2", "_mpa": "MPa", "_nm": "N m", "_ns": "N s", "_bw": "body weights", "_pct": "%", "_deg": "degrees", "_mm": "mm", "_kg": "kg", "_n": "N",
             "_24mo": "probability", "_24mo_low": "probability", "_24mo_high": "probability"}
_PRIOR = ("parameter", "parameter_unit", "parameter_low", "parameter_high", "output_at_low", "output_at_high")
_DESIGNS = {"sobol": "Saltelli 2010 (doi 10.1016/j.cpc.2009.09.018), scrambled Sobol sequence, no second order, by SALib", "morris": "Morris 1991 (doi 10.2307/1269043), by SALib"}


def unit_of(name: str) -> str:
    """Unit that the name of an output ends with, "" for none."""
    return next((unit for suffix, unit in _SUFFIXES.items() if name.endswith(suffix)), "")


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A table as CSV; numbers with nine digits, nothing for nan and None."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return stream.getvalue().encode()


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Path:
    """Write a table into a new file; numbers with nine digits, nothing for nan and None.

    Raises:
        InputError: the file is there, the disk is full or the folder cannot be written.
    """
    try:
        with path.open("xb") as stream:
            stream.write(table(header, rows))
    except OSError as problem:
        raise InputError("output file", where="--output", got=str(path), allowed="a file that can be written", why=f"{problem.strerror}") from None
    return path


def write_once(path: Path, content: Callable[[], bytes]) -> None:
    """Write a file as a whole, unless it is there: then it has been written as a whole before.

    Raises:
        StudyError: the disk is full or the folder cannot be written.
    """
    if path.exists():
        return
    try:
        write_whole(path, content())
    except OSError as problem:
        raise StudyError(f"{path} cannot be written ({problem.strerror}); the runs are kept, and the same command goes on from there.") from None


def write_sensitivity(study: Sensitivity, folder: Path, *, words: Sequence[str] = ()) -> None:
    """Write the tables of a study and sensitivity.json into a folder; what is there is left as it is.

    Args:
        study: what was found.
        folder: for the files, made if it is not there.
        words: command line of the study, kept in sensitivity.json.

    Raises:
        InputError: the folder cannot be made.
        StudyError: the disk is full or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise InputError("output folder", where="--output", got=str(folder), allowed="a folder that can be written", why=f"{problem.strerror}") from None
    for name, content in (_sobol_tables if study.draws.method == "sobol" else _morris_tables)(study).items():
        write_once(folder / name, lambda content=content: table(*content))  # type: ignore[misc]
    write_once(folder / "samples.csv", lambda: table(("run", *(prior.name for prior in study.priors), *study.draws.outputs),
                                                     ((number, *inside, *outside) for number, (inside, outside) in enumerate(zip(study.draws.values.tolist(), study.found.tolist())))))
    write_once(folder / "sensitivity.json", lambda: (json.dumps(_record(study, words), indent=2, ensure_ascii=False) + "\n").encode())


def _sobol_tables(study: Sensitivity) -> dict[str, tuple[Sequence[str], Iterable[Sequence[Any]]]]:
    return {
        "sensitivity.csv": (("output", "unit", *_PRIOR, "first_order", "first_order_half_width_95", "total", "total_half_width_95"),
                            ((*row, last.first[place], last.first_half[place], last.total[place], last.total_half[place])
                             for output in study.outputs for last in output.indices[-1:] for place, row in enumerate(_rows(study, output)))),
        "intervals.csv": (("output", "unit", "nominal", "low_2_5", "median", "high_97_5", "low_standard_error", "high_standard_error", "draws"),
                          ((item.name, unit_of(item.name), item.nominal, item.low, item.median, item.high, item.low_error, item.high_error, item.draws) for item in study.intervals)),
        "convergence.csv": (("output", "parameter", "blocks", "first_order", "first_order_half_width_95", "total", "total_half_width_95"),
                            ((output.name, prior.name, found.blocks, found.first[place], found.first_half[place], found.total[place], found.total_half[place])
                             for output in study.outputs for found in output.indices for place, prior in enumerate(study.priors))),
    }


def _morris_tables(study: Sensitivity) -> dict[str, tuple[Sequence[str], Iterable[Sequence[Any]]]]:
    return {"screening.csv": (("output", "unit", *_PRIOR, "mean_effect", "mean_size_of_effect", "mean_size_half_width_95", "sd_of_effect"),
                              ((*row, found.mu[place], found.mu_star[place], found.mu_star_half[place], found.sigma[place])
                               for output in study.outputs for found in [output.effects] if found is not None for place, row in enumerate(_rows(study, output))))}


def _rows(study: Sensitivity, output: Output) -> Iterable[tuple[Any, ...]]:
    for place, prior in enumerate(study.priors):
        yield (output.name, unit_of(output.name), prior.name, prior.unit, *prior.value(np.array(ENDS)).tolist(), *output.swings[place])


def _record(study: Sensitivity, words: Sequence[str]) -> dict[str, Any]:
    draws = study.draws
    return {
        "kneeload": version_of_kneeload(), "words": list(words), "method": draws.method, "samples": draws.samples, "blocks_kept": study.kept, "runs": len(draws.values), "seed": draws.seed,
        "failures": dict(study.failures), "design": _DESIGNS[draws.method], "day_activities": list(draws.case.day_activities),
        "priors": [{"name": item.name, **record_of(item)} for item in study.priors], "outputs": {output.name: _told(study.priors, output) for output in study.outputs},
        "note": "Information for research and teaching; not a diagnosis.",
    }


def _told(priors: Sequence[Prior], output: Output) -> dict[str, Any]:
    found: dict[str, Any] = {"unit": unit_of(output.name), "nominal": output.nominal}
    if output.interval is not None:
        found |= {"low": output.interval.low, "median": output.interval.median, "high": output.interval.high}
    if output.indices:
        found |= {"first_order": _by_name(priors, output.indices[-1].first), "total": _by_name(priors, output.indices[-1].total)}
    if output.effects is not None:
        found |= {"mean_size_of_effect": _by_name(priors, output.effects.mu_star), "sd_of_effect": _by_name(priors, output.effects.sigma)}
    return found


def _by_name(priors: Sequence[Prior], values: Any) -> dict[str, float | None]:
    return {prior.name: None if math.isnan(value) else float(value) for prior, value in zip(priors, values)}


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.9g}"
    return "" if value is None else value
