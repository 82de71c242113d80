"""From strides to a calibration, its file, and the results made with it, which always say that they are calibrated."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import yaml

from kneeload.calibration.calibrate import calibrate
from kneeload.calibration.comparison import MODELS
from kneeload.calibration.file import read_calibration, write_calibration
from kneeload.case import Case
from kneeload.errors import InputError
from kneeload.forces.muscles import MuscleModel
from kneeload.simulate import simulate
from kneeload.subject.person import Subject

TRUTH = {"adduction_offset_mm": 4.0, "tissue_scale": 1.5}
SUBJECT = Subject(body_mass_kg=70.0, height_m=1.70, contact_spacing_mm=42.0)


@pytest.fixture(scope="module")
def done(person):
    strides = person.strides(TRUTH, noise_n=20.0, count=4)
    return calibrate(person.knee, strides[:2], strides[3:], stages=("joint",), leave_one_out=True, starts=1)


@pytest.fixture
def path(done, tmp_path):
    write_calibration(tmp_path / "calibration.yaml", done.calibration, done.fit, done.errors)
    return tmp_path / "calibration.yaml"


def test_every_stride_stands_under_every_model_with_its_use(done):
    assert [(row.stride, row.use, row.model) for row in done.errors] == [
        *((stride, use, model) for stride, use in (("stride_1.csv", "fitted"), ("stride_2.csv", "fitted"), ("stride_4.csv", "tested")) for model in MODELS),
        ("stride_1.csv", "left out", "calibrated"), ("stride_2.csv", "left out", "calibrated")]
    errors = {(row.stride, row.use, row.model): row for row in done.errors}
    assert errors["stride_4.csv", "tested", "calibrated"].medial_rms_n < 0.5 * errors["stride_4.csv", "tested", "generic"].medial_rms_n
    assert errors["stride_1.csv", "left out", "calibrated"].medial_rms_n != errors["stride_1.csv", "fitted", "calibrated"].medial_rms_n


def test_the_test_has_no_part_in_the_fit(person, done):
    strides = person.strides(TRUTH, noise_n=20.0, count=2)
    nonsense = replace(person.stride(3, TRUTH), medial=np.full(101, 9e3), lateral=np.zeros(101))
    assert calibrate(person.knee, strides, [nonsense], stages=("joint",), starts=1).fit.values == done.fit.values


def test_a_stride_is_fitted_or_tested_and_counts_once(person):
    first, second = person.strides(TRUTH, count=2)
    for test in (first, replace(first, name="copy_of_the_same.csv")):
        with pytest.raises(InputError, match=r"stride \(--test\) .*a stride that was fitted is no test"):
            calibrate(person.knee, [first, second], [test], stages=())
    with pytest.raises(InputError, match=r"stride \(--strides\) .*counts once"):
        calibrate(person.knee, [first, second, first], stages=())
    with pytest.raises(InputError, match=r"strides .*at least one"):
        calibrate(person.knee, [])


def test_the_file_gives_the_same_calibration_back(done, path):
    again = read_calibration(path)
    assert again == replace(done.calibration, name="calibration.yaml")
    tree = yaml.safe_load(path.read_text())
    assert tree["fitted_to"] == ["stride_1.csv", "stride_2.csv"] and tree["tested_on"] == ["stride_4.csv"]
    assert {row["name"]: row["fitted"] for row in tree["parameters"]}["tissue_scale"] == again.geometry.tissue_scale
    assert all(row["low"] <= row["fitted"] <= row["high"] for row in tree["parameters"])


@pytest.mark.parametrize(("change", "words"), [
    ({"format": 2}, "format 2.*format 1"),
    ({"constants": {"tissue_scale": 99.0}}, "tissue scale"),
    ({"constants": [1]}, "a mapping in constants"),
    ({"constants": None}, "a mapping in constants"),
    ({"fitted_to": []}, "fitted_to"),
    ({"person": {"weight": 3}}, "keys of person"),
    ({"muscles": {"least_activation": 0.1}}, "keys of muscles"),
])
def test_a_file_that_cannot_be_used_is_one_sentence(path, change, words):
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(InputError, match=words) as caught:
        read_calibration(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "a: [", "just words", "format: 1"])
def test_another_file_is_one_sentence(tmp_path, text):
    (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(InputError, match=r"calibration .*other.yaml"):
        read_calibration(tmp_path / "other.yaml")
    with pytest.raises(InputError, match=r"a readable YAML file"):
        read_calibration(tmp_path / "absent.yaml")


def test_a_result_made_with_it_says_so(done, path):
    calibration = read_calibration(path)
    generic, own = (simulate(Case(subject=SUBJECT, contact=None, calibration=c)) for c in (None, calibration))
    assert generic.summary()["provenance"]["calibrated"] is None
    flag = own.summary()["provenance"]["calibrated"]
    assert flag["file"] == "calibration.yaml" and flag["strides"] == ["stride_1.csv", "stride_2.csv"] and flag["fitted_to_this_motion"] is False
    assert not np.array_equal(own.main.loads.medial_force, generic.main.loads.medial_force)
    assert "not a plain prediction" in calibration.sentence() and "stride_2.csv" in calibration.sentence()


def test_the_reference_person_stays_generic(done):
    from kneeload.simulate import reference_case

    case = Case(subject=SUBJECT, calibration=done.calibration)
    assert reference_case(case) == reference_case(Case(subject=SUBJECT))


@pytest.mark.parametrize(("subject", "words"), [
    (replace(SUBJECT, sex="female"), "sex .*'female'.*'male'"), (replace(SUBJECT, height_m=1.80), r"subject.height_m\) is 1.8.*1.7"),
    (replace(SUBJECT, contact_spacing_mm=None), "contact_spacing_mm"),
])
def test_another_person_is_refused(done, subject, words):
    with pytest.raises(InputError, match=words):
        Case(subject=subject, calibration=done.calibration)


def test_the_same_person_may_lose_weight_but_not_change_the_muscle_settings(done):
    Case(subject=replace(SUBJECT, body_mass_kg=62.0, mpta_deg=89.0), calibration=done.calibration)
    with pytest.raises(InputError, match=r"muscles.stability\) is 0.5"):
        Case(subject=SUBJECT, muscles=MuscleModel(stability=0.5), calibration=done.calibration)
    assert asdict(done.calibration.generic) == asdict(MuscleModel())
