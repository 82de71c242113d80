"""Reading .osim: joints, offsets, functions, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.motion.opensim_model import read_model
from kneeload.motion.skeleton import pose_of

BODY = "<Body name='{0}'><mass>2</mass><mass_center>0 -0.1 0</mass_center><inertia>0.01 0.002 0.01 0 0 0</inertia></Body>"
OFFSET = "<PhysicalOffsetFrame name='{0}'><socket_parent>/bodyset/{1}</socket_parent><translation>{2}</translation><orientation>{3}</orientation></PhysicalOffsetFrame>"
LINEAR = "<LinearFunction><coefficients>{0} 0</coefficients></LinearFunction>"
ZERO = "<Constant><value>0</value></Constant>"


def axis(name: str, direction: str, coordinate: str = "", function: str = ZERO) -> str:
    return f"<TransformAxis name='{name}'><coordinates>{coordinate}</coordinates><axis>{direction}</axis>{function}</TransformAxis>"


def model(folder: Path, knee: str, bodies: str = BODY.format("femur_r") + BODY.format("tibia_r")) -> Path:
    free = axis("rotation1", "0 0 1") + axis("rotation2", "1 0 0") + axis("rotation3", "0 1 0") + axis("translation1", "1 0 0", "tx", LINEAR.format(1)) + axis(
        "translation2", "0 1 0") + axis("translation3", "0 0 1")
    text = f"""<?xml version="1.0"?><OpenSimDocument Version="40000"><Model name="small"><publications>A & B</publications>
    <BodySet><objects>{bodies}</objects></BodySet><JointSet><objects>
    {knee}
    <CustomJoint name="root"><socket_parent_frame>/ground</socket_parent_frame><socket_child_frame>/bodyset/femur_r</socket_child_frame>
    <coordinates><Coordinate name="tx"><default_value>0.5</default_value></Coordinate></coordinates><SpatialTransform>{free}</SpatialTransform></CustomJoint>
    </objects></JointSet></Model></OpenSimDocument>"""
    path = folder / "small.osim"
    path.write_text(text, encoding="utf-8")
    return path


def knee_joint(function: str = LINEAR.format(-1), shift: str = ZERO) -> str:
    return ("<CustomJoint name='knee_r'><socket_parent_frame>femur_off</socket_parent_frame><socket_child_frame>tibia_off</socket_child_frame>"
            "<coordinates><Coordinate name='knee_angle_r'><default_value>0</default_value></Coordinate></coordinates><frames>"
            + OFFSET.format("femur_off", "femur_r", "0 -0.4 0", "0 0 0") + OFFSET.format("tibia_off", "tibia_r", "0.01 0 0", "0 0.1 0") + "</frames><SpatialTransform>"
            + axis("rotation1", "0 0 2", "knee_angle_r", function) + axis("rotation2", "1 0 0") + axis("rotation3", "0 1 0") + axis("translation1", "1 0 0", "knee_angle_r", shift)
            + axis("translation2", "0 1 0") + axis("translation3", "0 0 1") + "</SpatialTransform></CustomJoint>")


def test_offsets_rotation_and_defaults(tmp_path: Path) -> None:
    """Joints come in any order, a bare ampersand is read, an unknown coordinate takes its default."""
    skeleton = read_model(model(tmp_path, knee_joint()))
    pose = pose_of(skeleton, {"knee_angle_r": np.array([0.0, np.pi / 2])}, ("tibia_r",))
    np.testing.assert_allclose(pose.centre["knee_r"], [[500.0, -400.0, 0.0]] * 2, atol=1e-9)
    # the joint sits 10 mm ahead of the tibia's origin and is turned by 0.1 rad about y
    turn = np.array([[np.cos(0.1), 0.0, np.sin(0.1)], [0.0, 1.0, 0.0], [-np.sin(0.1), 0.0, np.cos(0.1)]])
    np.testing.assert_allclose(pose.body["tibia_r"].rotation[0], turn.T, atol=1e-12)
    bent = np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) @ turn.T
    np.testing.assert_allclose(pose.body["tibia_r"].rotation[1], bent, atol=1e-12)
    np.testing.assert_allclose(pose.body["tibia_r"].origin[1], [500.0, -400.0, 0.0] - bent @ [10.0, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(pose.axes["knee_r"][0, 0], [0.0, 0.0, 1.0])
    assert skeleton.bodies["tibia_r"].inertia_kg_mm2[1, 1] == 2000.0
    assert skeleton.sliding == {"tx"}


@pytest.mark.parametrize(("function", "value"), [
    ("<SimmSpline><x>0 1 2 3</x><y>0 0.001 0.004 0.009</y></SimmSpline>", 2.25),  # a parabola is a cubic spline
    ("<PiecewiseLinearFunction><x>0 1 2</x><y>0 0.001 0.004</y></PiecewiseLinearFunction>", 2.5),
    ("<MultiplierFunction><function><PolynomialFunction><coefficients>0.001 0 0</coefficients></PolynomialFunction></function><scale>2</scale></MultiplierFunction>", 4.5),
])
def test_functions_of_a_coordinate(tmp_path: Path, function: str, value: float) -> None:
    skeleton = read_model(model(tmp_path, knee_joint(shift=function)))
    pose = pose_of(skeleton, {"knee_angle_r": np.array([1.5])}, ("tibia_r",))
    assert pose.centre["knee_r"][0, 0] - 500.0 == pytest.approx(value)


def test_a_pin_joint(tmp_path: Path) -> None:
    pin = ("<PinJoint name='knee_r'><socket_parent_frame>/bodyset/femur_r</socket_parent_frame><socket_child_frame>/bodyset/tibia_r</socket_child_frame>"
           "<coordinates><Coordinate name='k'><default_value>0</default_value></Coordinate></coordinates></PinJoint>")
    pose = pose_of(read_model(model(tmp_path, pin)), {"k": np.array([np.pi / 2])}, ("tibia_r",))
    np.testing.assert_allclose(pose.body["tibia_r"].rotation[0] @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(("change", "sentence"), [
    (lambda text: text.replace("CustomJoint name='knee_r'", "ScrewJoint name='knee_r'").replace("</CustomJoint>", "</ScrewJoint>", 1), "ScrewJoint"),
    (lambda text: text.replace("<LinearFunction><coefficients>-1 0</coefficients></LinearFunction>", "<Sine/>"), "Sine"),
    (lambda text: text.replace("<mass>2</mass>", "<mass>heavy</mass>", 1), "heavy"),
    (lambda text: text.replace("JointSet", "Joints"), "JointSet"),
    (lambda text: text.replace("/ground", "/bodyset/nowhere"), "no joint ties"),
    (lambda text: text[:200], "XML"),
    (lambda text: "<!DOCTYPE x [<!ENTITY a 'b'>]>" + text, "entity"),
])
def test_models_that_cannot_be_read(tmp_path: Path, change: object, sentence: str) -> None:
    path = model(tmp_path, knee_joint())
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    with pytest.raises(InputError, match=sentence) as caught:
        read_model(path)
    assert "\n" not in str(caught.value)


def test_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"activity\.model_file"):
        read_model(tmp_path / "absent.osim")
