"""A few rows of a person's own, and one validation of all packaged rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from kneeload.validation import ValidationTable, read_measurements, validate

OWN_ROWS = """
sources:
  nobody: "Nobody 2020, doi 10.0/none"
persons:
  small: {body_mass_kg: 50.0, height_m: 1.60}
rows:
- {id: wide, group: Mine, quantity: peak force, unit: BW, source: nobody, measured: 2.6, low: 0, high: 20, interval: tolerance, binding: true,
   predictor: peak_force_bw, with: {activity: walking}}
- {id: tight, group: Mine, quantity: "peak <b>force</b> & more", unit: BW, source: nobody, low: 0, high: 0.001, interval: goal, person: small,
   predictor: peak_force_bw, with: {activity: walking}}
- {id: recorded, group: Strides, quantity: RMS error, unit: N, source: nobody, high: 1, interval: goal, binding: true,
   predictor: stride_agreement, with: {files: [none_here.csv], quantity: medial_rms_n}}
- {id: dream, group: Strides, quantity: jumping, unit: N, source: nobody, measured: 5, note: the engine does not jump}
"""


@pytest.fixture
def own_rows(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(OWN_ROWS, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def whole() -> ValidationTable:
    """Every packaged row, without recorded data."""
    return validate(read_measurements())
