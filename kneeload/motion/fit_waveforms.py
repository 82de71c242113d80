"""Fit the compact coefficients of the normative curves: `python -m kneeload.motion.fit_waveforms bovi2011_adult_waveforms.csv`.

Reads the published table (mean and SD per percent of cycle), fits each curve by a cubic spline of 20 coefficients with weights from
the published SD, writes `coefficients.json` next to this file and prints the error of each fit. The spline is not periodic: the
published stair cycles do not end where they begin.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.motion.waveforms import COEFFICIENTS_FILE, spline_basis

SOURCE = ("Bovi, Rabuffetti, Mazzoleni, Ferrarin 2011, Gait Posture 33:6-13, doi 10.1016/j.gaitpost.2010.08.009, supplement: "
          "20 healthy adults, 43.1 (SD 15.4) years, 68.5 kg, 1.71 m")
# our name, the table's name, floor of the SD in the weights (same unit)
CURVES = (
    ("knee_flexion_deg", "knee_flex_deg", 0.5),
    ("knee_extension_moment_nm_kg", "knee_ext_moment_Nm_kg", 0.01),
    ("knee_adduction_moment_nm_kg", "knee_abd_moment_Nm_kg", 0.01),
    ("vertical_force_bw", "vGRF_BW", 0.03),
)
WALKING = {"very_slow": "VerySlow", "slow": "Slow", "natural": "Free", "medium": "Medium", "fast": "Fast"}
STAIRS = {"stair_ascent": "Ascending", "stair_descent": "Descending"}
NATURAL_SPEED = 0.714  # body heights per second, measured (Bovi 2011: 71.4, SD 10.2 % of height per second)
KNOT_POWER, COUNT, SAMPLES = 1.2, 20, 101


def class_speeds(table: NDArray[np.void]) -> dict[str, float]:
    """Mean speed of each walking class, body heights per second.

    Only the natural class has a published mean; the others were sorted by speed (below 0.6; 0.6-0.8; 0.8-1.0; above 1.0 heights per
    second). On a stiff leg the body moves on an arc, so the mid-stance dip of the vertical force below body weight grows with the
    square of the speed; the natural class gives the factor, and every class then falls inside its published limits. In Schwartz 2008 (doi
    10.1016/j.jbiomech.2008.03.015), where the speeds are published, the dip over the squared speed varies by 4 % from slow to fast, but is
    18 % smaller at very fast walking and 20 % larger at very slow: so these speeds are good to about 10 %.
    """
    dip = {name: 1.0 - float(table[f"{column}_vGRF_BW_mean"][20:41].min()) for name, column in WALKING.items()}
    return {name: round(NATURAL_SPEED * float(np.sqrt(value / dip["natural"])), 3) for name, value in dip.items()}


def fit(values: NDArray[np.float64], weight: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted least squares: (SAMPLES,) values and weights (no unit) on (SAMPLES, COUNT) basis -> (COUNT,) coefficients."""
    return np.asarray(np.linalg.lstsq(basis * weight[:, None], values * weight, rcond=None)[0], dtype=np.float64)


def fit_class(table: NDArray[np.void], column: str, basis: NDArray[np.float64]) -> tuple[dict[str, list[float]], list[str]]:
    """Coefficients of mean and SD of the four curves of one class, and one line of errors per curve."""
    coefficients: dict[str, list[float]] = {}
    lines = []
    for name, published, floor in CURVES:
        mean, sd = table[f"{column}_{published}_mean"], table[f"{column}_{published}_sd"]
        digits = 3 if name.endswith("_deg") else 5
        coefficients[name] = np.round(fit(mean, 1.0 / (sd + floor), basis), digits).tolist()
        coefficients[name + "_sd"] = np.round(fit(sd, np.ones(SAMPLES), basis), digits).tolist()
        error = basis @ np.array(coefficients[name]) - mean
        lines.append(f"{column:12s} {name:30s} RMS error {np.sqrt(np.mean(error**2)):.4f}  largest {np.abs(error).max():.4f}")
    return coefficients, lines


def main(path: str) -> None:
    """Fit the table of curves at `path` and write the coefficients beside this file."""
    table = np.genfromtxt(path, delimiter=",", names=True)
    basis = spline_basis(COUNT, KNOT_POWER, SAMPLES)
    speeds = class_speeds(table)
    classes: dict[str, dict[str, object]] = {}
    for name, column in {**WALKING, **STAIRS}.items():
        coefficients, lines = fit_class(table, column, basis)
        classes[name] = {**({"speed_height_per_s": speeds[name]} if name in speeds else {}), **coefficients}
        print(*lines, sep="\n")
    head: dict[str, object] = {"source": SOURCE, "basis": {"degree": 3, "count": COUNT, "knot_power": KNOT_POWER}, "walking_classes": list(WALKING)}
    Path(COEFFICIENTS_FILE).write_text(_compact(head, classes), encoding="utf-8")
    print("speeds of the classes, heights per second:", speeds)


def _compact(head: dict[str, object], classes: dict[str, dict[str, object]]) -> str:
    """JSON with one curve per line."""
    blocks = []
    for name, curves in classes.items():
        rows = ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in curves.items())
        blocks.append(f"  {json.dumps(name)}: {{\n{rows}\n  }}")
    start = ",\n".join(f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items())
    return "{\n" + start + ',\n "classes": {\n' + ",\n".join(blocks) + "\n }\n}\n"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m kneeload.motion.fit_waveforms TABLE.csv")
    main(sys.argv[1])
