"""Made-up recordings: one walking leg with everything that a laboratory writes, at any rate and for any number of strides."""

from __future__ import annotations

from pathlib import Path

import numpy as np

STRIDE_S, CONTACT = 1.1, 0.62
FIRST_STRIKE_S = 0.33
DETECTED_S = np.arcsin(20.0 / 700.0) * CONTACT * STRIDE_S / np.pi  # the force reaches 20 N that much later


def loads(time: np.ndarray) -> dict[str, np.ndarray]:
    """Periodic curves in our names and units; heel strike at `FIRST_STRIKE_S` and every `STRIDE_S` after."""
    phase = np.mod((time - FIRST_STRIKE_S) / STRIDE_S, 1.0)
    push = np.where(phase < CONTACT, np.sin(np.pi * phase / CONTACT), 0.0)
    turn = 2.0 * np.pi * phase
    return {
        "knee_flexion_deg": 28.0 - 22.0 * np.cos(turn + 0.6) - 10.0 * np.cos(2.0 * turn), "hip_flexion_deg": 10.0 + 20.0 * np.cos(turn),
        "ankle_dorsiflexion_deg": 10.0 * np.sin(turn), "knee_extension_moment_nm": 30.0 * np.sin(2.0 * turn), "knee_adduction_moment_external_nm": 25.0 * push**2,
        "hip_flexion_moment_nm": -40.0 * np.cos(turn), "ankle_dorsiflexion_moment_nm": -80.0 * push**2, "vertical_ground_reaction_n": 700.0 * push,
    }


def angles_file(path: Path, *, side: str = "r", rate: float = 100.0, end_s: float = 4.5, noise_deg: float = 0.0) -> Path:
    """OpenSim inverse kinematics without a pelvis."""
    time = np.arange(0.0, end_s, 1.0 / rate)
    curves = loads(time)
    shake = noise_deg * np.sin(2.0 * np.pi * 30.0 * time)
    return storage(path, {"time": time, f"hip_flexion_{side}": curves["hip_flexion_deg"], f"knee_angle_{side}": curves["knee_flexion_deg"] + shake,
                          f"ankle_angle_{side}": curves["ankle_dorsiflexion_deg"]}, "yes")


def moments_file(path: Path, *, side: str = "r", rate: float = 200.0, start_s: float = 0.05, end_s: float = 4.4) -> Path:
    """OpenSim inverse dynamics: internal moments along the coordinates."""
    time = np.arange(start_s, end_s, 1.0 / rate)
    curves = loads(time)
    return storage(path, {"time": time, f"hip_flexion_{side}_moment": curves["hip_flexion_moment_nm"], f"knee_angle_{side}_moment": -curves["knee_extension_moment_nm"],
                          f"knee_adduction_{side}_moment": -curves["knee_adduction_moment_external_nm"],
                          f"ankle_angle_{side}_moment": curves["ankle_dorsiflexion_moment_nm"]}, "no")


def forces_file(path: Path, *, side: str = "r", rate: float = 1000.0, end_s: float = 4.6) -> Path:
    """A treadmill belt for one foot."""
    time = np.arange(0.0, end_s, 1.0 / rate)
    name = {"r": "right", "l": "left"}[side]
    zero = np.zeros_like(time)
    columns = {"time": time} | {f"{name}_force_v{axis}": zero for axis in "xyz"} | {f"{name}_force_p{axis}": zero for axis in "xyz"}
    columns |= {f"{name}_torque_{axis}": zero for axis in "xyz"}
    columns[f"{name}_force_vy"] = loads(time)["vertical_ground_reaction_n"]
    return storage(path, columns, "no")


def storage(path: Path, columns: dict[str, np.ndarray], in_degrees: str) -> Path:
    """Write an OpenSim storage file."""
    rows = np.stack(list(columns.values()), axis=1)
    head = [path.stem, "version=1", f"nRows={len(rows)}", f"nColumns={len(columns)}", f"inDegrees={in_degrees}", "", "endheader", "\t".join(columns)]
    path.write_text("\n".join([*head, *("\t".join(repr(float(value)) for value in row) for row in rows)]) + "\n", encoding="utf-8")
    return path
