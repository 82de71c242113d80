"""Fit hip, ankle and fore-aft force of walking: `python -m kneeload.motion.fit_hip_ankle SUPPLEMENT.xls` (needs the package xlrd).

The supplement of Schwartz 2008 gives means of five speed groups at every second percent of the cycle. Each curve becomes a cubic spline of
22 coefficients; speeds are published per group without dimension. Writes `hip_ankle_coefficients.json` and prints the errors.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.fit_waveforms import fit
from kneeload.motion.hip_ankle import COEFFICIENTS_FILE, WALKING_CURVES
from kneeload.motion.waveforms import spline_basis

SOURCE = ("Schwartz, Rozumalski, Trost 2008, J Biomech 41:1639-1650, doi 10.1016/j.jbiomech.2008.03.015, supplement: "
          "83 healthy children and adolescents, five walking speeds")
GROUPS = ("Very Slow", "Slow", "Free", "Fast", "Very Fast")
COUNT, SAMPLES = 22, 51


def _curves(book: Any, sheet: str) -> dict[str, NDArray[np.float64]]:
    """Mean curves of one sheet: label -> (groups, SAMPLES), units of the sheet. A label that occurs twice keeps its first block."""
    rows: dict[str, list[list[float]]] = {}
    table = book.sheet_by_name(sheet)
    for number in range(2, table.nrows):
        cells = table.row_values(number)
        if cells[0] and isinstance(cells[2], float):
            rows.setdefault(cells[0], []).append([float(cells[3 + 3 * group]) for group in range(len(GROUPS))])
    return {label: np.array(values)[:SAMPLES].T for label, values in rows.items()}


def _group_means(book: Any, parameter: str) -> list[float]:
    """Published mean of one parameter in each group (units of the sheet)."""
    table = book.sheet_by_name("ANOVA")
    first = next(number for number in range(table.nrows) if table.row_values(number)[0] == parameter)
    return [round(float(table.row_values(first + group)[3]), 4) for group in range(len(GROUPS))]


def published(book: Any) -> dict[str, NDArray[np.float64]]:
    """The curves under our names, (groups, SAMPLES); thigh inclination = hip flexion less pelvic tilt, in the room."""
    angles, moments, forces = (_curves(book, sheet) for sheet in ("Joint Rotations", "Joint Moments", "Ground Reaction Forces"))
    return {
        "thigh_inclination_deg": angles["Hip Flex/Extension"] - angles["Pelvic Ant/Posterior Tilt"],
        "ankle_dorsiflexion_deg": angles["Ankle Dorsi/Plantarflexion"],
        "hip_extension_moment_nm_kg": moments["Hip Ext/Flexion"],
        "ankle_plantarflexion_moment_nm_kg": moments["Ankle Dorsi/Plantarflexion"],
        "fore_aft_force_bw": forces["Anterior/Posterior"],
    }


def main(path: str) -> None:
    """Fit the supplement at `path` and write the coefficients beside this file."""
    import xlrd

    book = xlrd.open_workbook(path)
    curves, speeds, cadences = published(book), _group_means(book, "Dimensionless Speed"), _group_means(book, "Dimensionless Cadence")
    basis = spline_basis(COUNT, 1.0, SAMPLES)
    exponent, constant = np.polyfit(np.log(speeds), np.log(cadences), 1)
    fitted: dict[str, list[list[float]]] = {}
    for name in WALKING_CURVES:
        digits = 3 if name.endswith("_deg") else 5
        rows = [np.round(fit(values, np.ones(SAMPLES), basis), digits) for values in curves[name]]
        error = np.sqrt(np.mean((np.array(rows) @ basis.T - curves[name]) ** 2, axis=1))
        print(f"{name:36s} RMS error per group", np.round(error, 4))
        fitted[name] = [row.tolist() for row in rows]
    head = {"source": SOURCE, "count": COUNT, "dimensionless_speed": speeds,
            "cadence_law": {"factor": round(float(np.exp(constant)), 4), "exponent": round(float(exponent), 4)}}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for name, table in fitted.items():
        lines.append(f" {json.dumps(name)}: [\n  " + ",\n  ".join(json.dumps(row) for row in table) + "\n ]")
    COEFFICIENTS_FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m kneeload.motion.fit_hip_ankle SUPPLEMENT.xls")
    main(sys.argv[1])
