"""One instrumented knee: fitted to three strides, tested on the fourth, which has no part in the fit or in the choice of its parameters."""

from __future__ import annotations

import pytest

from kneeload.calibration.calibrate import calibrate
from kneeload.calibration.fitting import knee_model, stride_of
from kneeload.forces.muscles import MuscleModel
from kneeload.motion.recorded import read_recorded
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy

SUBJECT = Subject(body_mass_kg=65.0, height_m=1.66, contact_spacing_mm=42.5)


@pytest.fixture(scope="module")
def strides(shared_data):
    names = [f"jw_walking_{k}.csv" for k in (1, 2, 3, 4)]
    return [stride_of(read_recorded(shared_data / "instrumented_knee_jw" / name, SUBJECT), name) for name in names]


def test_stride_four_is_met_by_a_fit_to_the_others(strides):
    knee = knee_model(reference_anatomy(SUBJECT), SUBJECT, MuscleModel())
    done = calibrate(knee, strides[:3], strides[3:], stages=("joint", "habits", "sharing", "timing"), starts=1)
    errors = {(row.stride, row.model): row for row in done.errors}
    tested, generic = errors["jw_walking_4.csv", "calibrated"], errors["jw_walking_4.csv", "generic"]
    assert tested.use == "tested" and tested.reserve_frames == 0
    assert tested.medial_rms_n <= 75.0 and tested.lateral_rms_n <= 100.0
    assert tested.medial_rms_n < 0.8 * generic.medial_rms_n and tested.lateral_rms_n < 0.8 * generic.lateral_rms_n
    assert done.fit.effective < 25.0  # well below what six curves of about twelve independent samples can tell
    for parameter, value in zip(done.fit.parameters, done.fit.values):
        assert parameter.low <= value <= parameter.high
