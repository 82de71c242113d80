"""Fit `muscle_geometry.csv` to tabulated muscle geometry: python -m kneeload.forces.fit_muscle_geometry FOLDER [TARGET].

FOLDER holds knee.csv and hip_ankle.csv, sampled with OpenSim 4.6 from the full-body model of Rajagopal 2016
(doi 10.1109/TBME.2016.2586891) as modified by Lai 2017 (doi 10.1007/s10439-017-1852-7) and Uhlrich 2022
(doi 10.1038/s41598-022-13386-9), and constants.csv. The fit is linear least squares in the bases of `muscle_geometry.design`.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from kneeload.forces.muscle_geometry import DEGREES, SIZES, TABLE, design

KNEE_COLUMNS = {
    "knee_extension_arm_mm": "knee_extension_moment_arm_mm", "length_mm": "muscle_tendon_length_mm",
    "fx": "fx", "fy": "fy", "fz": "fz", "mx_mm": "mx_mm", "my_mm": "my_mm", "mz_mm": "mz_mm",
}
FORCE_SCALARS = ("max_isometric_force_n", "optimal_fiber_length_mm", "tendon_slack_length_mm", "pennation_deg")
MAX_COEFFICIENTS = max(SIZES.values())


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _fit(rows: list[dict[str, str]], column: str, basis: str) -> tuple[np.ndarray, float, float]:
    angles = [np.array([float(row[name]) for row in rows]) for name in DEGREES]
    matrix = design(basis, *angles)
    values = np.array([float(row[column]) for row in rows])
    coefficients = np.linalg.lstsq(matrix, values, rcond=None)[0]
    error = matrix @ coefficients - values
    return coefficients, float(np.sqrt(np.mean(error**2))), float(np.abs(error).max())


def _jobs(folder: Path) -> list[tuple[str, str, str, list[dict[str, str]], str]]:
    """Return muscle, quantity, basis, rows and column of every fit."""
    jobs = []
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _read(folder / "knee.csv"):
        groups[row["muscle"]].append(row)
    for muscle, rows in sorted(groups.items()):
        hip, ankle = (len({row[name] for row in rows}) > 1 for name in ("hip_flexion_deg", "ankle_dorsiflexion_deg"))
        basis = "knee_hip" if hip else "knee_ankle" if ankle else "knee"
        jobs += [(muscle, name, basis, rows, column) for name, column in KNEE_COLUMNS.items() if rows[0][column]]
    crosses_knee = set(groups)
    arms: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in _read(folder / "hip_ankle.csv"):
        arms[row["muscle"], row["coordinate"].split("_")[0]].append(row)
    for (muscle, joint), rows in sorted(arms.items()):
        name = "hip_flexion_arm_mm" if joint == "hip" else "ankle_dorsiflexion_arm_mm"
        basis = f"{joint}_knee" if muscle in crosses_knee else joint
        jobs.append((muscle, name, basis, rows, "moment_arm_mm"))
        if joint == "hip":
            jobs.append((muscle, "hip_adduction_arm_mm", basis, rows, "hip_adduction_moment_arm_mm"))
    return jobs


def write_table(folder: Path, target: Path) -> float:
    """Fit all muscles, write the table and return the largest RMS error of a moment arm, mm."""
    worst = 0.0
    with target.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["muscle", "quantity", "basis", "rms_error", "max_error"] + [f"c{i}" for i in range(MAX_COEFFICIENTS)])
        for row in _read(folder / "constants.csv"):
            for name in FORCE_SCALARS:
                writer.writerow([row["muscle"], name, "constant", 0, 0, f"{float(row[name]):g}"])
        for muscle, name, basis, rows, column in _jobs(folder):
            coefficients, rms, largest = _fit(rows, column, basis)
            worst = max(worst, rms if name.endswith("arm_mm") else 0.0)
            writer.writerow([muscle, name, basis, f"{rms:.3g}", f"{largest:.3g}"] + [f"{c:.6g}" for c in coefficients])
    return worst


def main(arguments: list[str]) -> int:
    """Write the table of the package (or TARGET) from FOLDER; return the exit code."""
    if len(arguments) not in (1, 2):
        sys.stderr.write("usage: python -m kneeload.forces.fit_muscle_geometry FOLDER [TARGET]\n")
        return 2
    worst = write_table(Path(arguments[0]), Path(arguments[1]) if len(arguments) == 2 else TABLE)
    sys.stdout.write(f"largest RMS error of a moment arm: {worst:.3f} mm\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
