"""Force plates of a C3D file that ezc3d wrote, and the sentence about what markers cannot give."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.motion.c3d_file import read_c3d_plates
from kneeload.motion.recorded import read_recorded
from kneeload.motion.recording import Recording
from kneeload.subject.person import Subject


def write(path: Path, *, up: str = "z", tilt: float = 0.0) -> Path:
    """A plate of 500 x 400 mm, 700 N at 20 mm and 30 mm from its centre, 50 N along x, and a free moment; 1000 samples per second."""
    ezc3d = pytest.importorskip("ezc3d", reason="the extra c3d is not installed")
    content = ezc3d.c3d()
    samples = 500
    channels = np.array([50.0, 0.0, -700.0, -700.0 * 20.0, 700.0 * 30.0, 500.0])
    corners = np.array([[600.0, 600.0, 100.0, 100.0], [400.0, 0.0, 0.0, 400.0], [tilt, 0.0, 0.0, tilt]])
    if up == "y":
        corners = np.array([corners[0], corners[2], -corners[1]])
    content["header"]["points"]["frame_rate"] = 100.0
    content["parameters"]["POINT"]["RATE"]["value"] = [100.0]
    content["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    content["parameters"]["POINT"]["LABELS"]["value"] = ["heel"]
    content["data"]["points"] = np.zeros((4, 1, samples // 10))
    content["parameters"]["ANALOG"]["RATE"]["value"] = [1000.0]
    content["parameters"]["ANALOG"]["LABELS"]["value"] = ["Fx", "Fy", "Fz", "Mx", "My", "Mz"]
    content["parameters"]["ANALOG"]["UNITS"]["value"] = ["N"] * 3 + ["Nmm"] * 3
    content["data"]["analogs"] = np.repeat(channels[None, :, None], samples, axis=2)
    plate = content["parameters"]["FORCE_PLATFORM"]
    for key, value in {"USED": np.array([1]), "TYPE": np.array([2]), "CORNERS": corners.reshape(3, 4, 1), "ORIGIN": np.zeros((3, 1)), "CHANNEL": np.arange(1, 7).reshape(6, 1)}.items():
        plate[key]["value"] = value
    content.write(str(path))
    return path


@pytest.mark.parametrize("up", ["z", "y"])
def test_a_plate_comes_back_with_y_up(tmp_path: Path, up: str) -> None:
    (plate,) = read_c3d_plates(write(tmp_path / "trial.c3d", up=up))
    # centre of the plate (350, 200) in the laboratory; x stays, z up becomes y up, y becomes -z
    np.testing.assert_allclose(plate.centre[7], [370.0, 0.0, -230.0], atol=1e-3)
    np.testing.assert_allclose(plate.force[7], [0.0, 700.0, -50.0], atol=1e-3)
    # free moment about the vertical at the centre of pressure: -500 - 20 x 50 N mm
    np.testing.assert_allclose(plate.moment[7] - np.cross(plate.centre[7], plate.force[7]), [0.0, -1500.0, 0.0], atol=0.1)
    assert plate.time[-1] == pytest.approx(0.499) and plate.side is None


def test_a_plate_that_is_not_level(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="level plate"):
        read_c3d_plates(write(tmp_path / "trial.c3d", tilt=300.0))


def test_no_c3d_at_all(tmp_path: Path) -> None:
    pytest.importorskip("ezc3d", reason="the extra c3d is not installed")
    (tmp_path / "no.c3d").write_bytes(b"nothing")
    for name, sentence in (("no.c3d", "a C3D file"), ("absent.c3d", "no such file")):
        with pytest.raises(InputError, match=sentence):
            read_c3d_plates(tmp_path / name)


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(InputError, match=r"kneeload\[c3d\]"):
        read_c3d_plates(tmp_path / "trial.c3d")


def test_markers_are_not_angles(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="need a model of the person's bones"):
        read_recorded(Recording(file=str(tmp_path / "trial.c3d")), Subject())
