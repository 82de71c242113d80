"""The chain on real input: an MRI knee and recorded strides (skipped where the development data is absent)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kneeload import Activity, AnatomySource, Case, Subject, simulate
from kneeload.case import DAY_ACTIVITIES

MRI_PERSON = Subject(sex="female", body_mass_kg=62.2, height_m=1.70)


def test_the_mri_knee_runs_the_whole_day(shared_data: Path) -> None:
    result = simulate(Case(subject=MRI_PERSON, anatomy=AnatomySource(name="meshes", folder=shared_data / "knee_mri")))
    assert set(result.day) == set(DAY_ACTIVITIES)
    for name, activity in result.day.items():
        assert (activity.contact.status == 0).all() and activity.contact.residual.max() <= 1e-3, name
    assert 2.0 < result.main.force("tibiofemoral").max() / MRI_PERSON.body_weight_n < 3.3
    assert 2.0 < result.main.contact.medial.peak_pressure.max() < 12.0


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_a_recorded_stride_reports_its_agreement(shared_data: Path, stride: int) -> None:
    activity = Activity(name="recorded", file=str(shared_data / "instrumented_knee_jw" / f"jw_walking_{stride}.csv"))
    summary = simulate(Case(subject=Subject(body_mass_kg=65.0, height_m=1.66, contact_spacing_mm=42.5), activity=activity, contact=None)).summary()
    assert summary["contact"] is None and summary["lesion"] is None
    agreement = summary["agreement"]
    assert agreement["medial_rms_n"] < 229.0 and agreement["lateral_rms_n"] < 260.0  # 229: the best blind prediction, Kinney 2013 (PMC3597120)
    assert agreement["medial_r2"] > 0.5


def test_a_recorded_stride_runs_with_contact(shared_data: Path) -> None:
    activity = Activity(name="recorded", file=str(shared_data / "instrumented_knee_jw" / "jw_walking_1.csv"))
    result = simulate(Case(subject=Subject(body_mass_kg=65.0, height_m=1.66), activity=activity))
    assert (result.main.contact.status == 0).all() and np.isfinite(result.bone.peak_stress).all()
    assert {"measured_medial_force_n", "measured_lateral_force_n"} <= set(result.waveforms())
