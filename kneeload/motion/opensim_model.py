"""Read bodies and joints of an OpenSim model (.osim, format of OpenSim 4) with the standard library."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError
from kneeload.motion.skeleton import Body, Frame, Joint, MovingAxis, Skeleton, fixed, turned
from kneeload.units import MM_PER_M

Array = NDArray[np.float64]

_LARGEST_FILE_BYTES = 100_000_000
_X, _Y, _Z = np.eye(3)
_NO_AXES: tuple[Array, ...] = ()
# Joints of OpenSim with fixed axes: their rotations and translations in the order of their coordinates (OpenSim 4 API documentation).
_SIMPLE: dict[str, tuple[tuple[Array, ...], tuple[Array, ...]]] = {
    "WeldJoint": (_NO_AXES, _NO_AXES), "PinJoint": ((_Z,), _NO_AXES), "SliderJoint": (_NO_AXES, (_X,)), "UniversalJoint": ((_X, _Y), _NO_AXES),
    "BallJoint": ((_X, _Y, _Z), _NO_AXES), "GimbalJoint": ((_X, _Y, _Z), _NO_AXES), "PlanarJoint": ((_Z,), (_X, _Y)),
    "FreeJoint": ((_X, _Y, _Z), (_X, _Y, _Z)),
}


def read_model(path: str | Path) -> Skeleton:
    """Bodies, joints and default coordinates of an .osim file; muscles, ligaments and contact are not read.

    A `SimmSpline` is taken as a cubic spline with the not-a-knot condition.

    Raises:
        InputError: the file is not an OpenSim 4 model, or a joint moves in a way that is not read.
    """
    path = Path(path)
    root = read_xml(path, "OpenSim model", "activity.model_file")
    model = root if root.tag == "Model" else root.find("Model")
    if model is None or model.find("BodySet") is None or model.find("JointSet") is None:
        raise _bad("OpenSim model", path, f"<{root.tag}> without BodySet and JointSet", "an .osim model of OpenSim 4", "bodies and joints are read from them")
    bodies = {name: _body(path, element, name) for element in model.findall("BodySet/objects/Body") if (name := element.get("name", ""))}
    joints = [_joint(path, element) for element in model.findall("JointSet/objects/*")]
    sliding = {axis.coordinate for joint in joints for axis in joint.translations if axis.coordinate}
    sliding -= {axis.coordinate for joint in joints for axis in joint.rotations if axis.coordinate}
    defaults = {item.get("name", ""): float(item.findtext("default_value", "0")) for item in model.iter("Coordinate")}
    return Skeleton(source=path.name, bodies=bodies, joints=_in_order(path, joints), sliding=frozenset(sliding),
                    defaults={name: value * (MM_PER_M if name in sliding else 1.0) for name, value in defaults.items()})


def read_xml(path: Path, what: str, where: str) -> ET.Element:
    """Root of an OpenSim XML file; a bare ampersand, which OpenSim accepts, is accepted here too.

    Raises:
        InputError: no such file, too large, not XML, or with entity definitions.
    """
    if not path.is_file() or path.stat().st_size > _LARGEST_FILE_BYTES:
        raise InputError(what, where=where, got=str(path), allowed="an existing XML file below 100 MB", why="nothing can be read from it")
    text = path.read_bytes().decode("utf-8", errors="replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise InputError(what, where=where, got=f"{path.name} with entity definitions", allowed="plain XML", why="OpenSim writes none")
    try:
        return ET.fromstring(re.sub(r"&(?!#?\w+;)", "&amp;", text))
    except ET.ParseError as error:
        raise InputError(what, where=where, got=f"{path.name}: {error}", allowed="an XML file of OpenSim", why="nothing can be read from it") from error


def _body(path: Path, element: ET.Element, name: str) -> Body:
    inertia = _numbers(path, element, "inertia", 6)
    xx, yy, zz, xy, xz, yz = inertia * MM_PER_M**2
    return Body(name=name, mass_kg=float(_numbers(path, element, "mass", 1)[0]), mass_centre_mm=_numbers(path, element, "mass_center", 3) * MM_PER_M,
                inertia_kg_mm2=np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))


def _joint(path: Path, element: ET.Element) -> Joint:
    name = element.get("name", "")
    offsets = {frame.get("name", ""): frame for frame in element.findall("frames/PhysicalOffsetFrame")}
    parent, parent_offset = _side(path, element.findtext("socket_parent_frame", ""), offsets)
    child, child_offset = _side(path, element.findtext("socket_child_frame", ""), offsets)
    if element.tag == "CustomJoint":
        rotations = tuple(_axis(path, name, element, f"rotation{number}", 1.0) for number in (1, 2, 3))
        translations = tuple(_axis(path, name, element, f"translation{number}", MM_PER_M) for number in (1, 2, 3))
    elif element.tag in _SIMPLE:
        names = [item.get("name", "") for item in element.findall("coordinates/Coordinate")]
        turning, sliding = _SIMPLE[element.tag]
        rotations = tuple(MovingAxis(axis=axis, coordinate=names[number], function=_same) for number, axis in enumerate(turning))
        translations = tuple(MovingAxis(axis=axis, coordinate=names[len(turning) + number], function=_same) for number, axis in enumerate(sliding))
    else:
        raise _bad(f"joint {name}", path, element.tag, "CustomJoint, " + ", ".join(_SIMPLE), "other joints are not read")
    return Joint(name=name, parent=parent, child=child, parent_offset=parent_offset, child_offset=child_offset, rotations=rotations, translations=translations)


def _side(path: Path, socket: str, offsets: dict[str, ET.Element]) -> tuple[str, Frame]:
    """Body name and offset frame that one socket of a joint names."""
    key = socket.strip().rsplit("/", 1)[-1]
    if key not in offsets:
        return key, fixed(np.zeros(3))
    frame = offsets[key]
    x, y, z = _numbers(path, frame, "orientation", 3)
    rotation = (turned(_X, np.array([x])) @ turned(_Y, np.array([y])) @ turned(_Z, np.array([z])))[0]
    return frame.findtext("socket_parent", "").strip().rsplit("/", 1)[-1], fixed(_numbers(path, frame, "translation", 3) * MM_PER_M, rotation)


def _axis(path: Path, joint: str, element: ET.Element, name: str, unit: float) -> MovingAxis:
    """One TransformAxis; `unit` turns its values into rad or mm. A linear translation takes mm to mm."""
    axis = element.find(f"SpatialTransform/TransformAxis[@name='{name}']")
    if axis is None:
        raise _bad(f"joint {joint}", path, "no " + name, "a CustomJoint with six axes", "its motion is not complete")
    names = (axis.findtext("coordinates") or "").split()
    direction = _numbers(path, axis, "axis", 3)
    kinds = [item for item in axis if item.tag not in ("coordinates", "axis")]
    if len(names) > 1 or len(kinds) != 1:
        raise _bad(f"joint {joint}, {name}", path, f"{len(names)} coordinates", "one coordinate and one function", "other transforms are not read")
    function = _function(path, joint, kinds[0])
    slides = unit != 1.0 and bool(names) and kinds[0].tag == "LinearFunction"
    return MovingAxis(axis=direction / np.linalg.norm(direction), coordinate=names[0] if names else None,
                      function=(lambda value: function(value / unit) * unit) if slides else (lambda value: function(value) * unit))


def _function(path: Path, joint: str, element: ET.Element) -> Callable[[Array], Array]:
    if element.tag == "Constant":
        constant = float(element.findtext("value", "0"))
        return lambda value: np.full_like(value, constant)
    if element.tag in ("LinearFunction", "PolynomialFunction"):
        coefficients = np.array((element.findtext("coefficients") or "").split(), dtype=np.float64)
        return lambda value: np.asarray(np.polyval(coefficients, value), dtype=np.float64)
    if element.tag == "MultiplierFunction":
        inner, scale = element.find("function/*"), float(element.findtext("scale", "1"))
        if inner is not None:
            function = _function(path, joint, inner)
            return lambda value: scale * function(value)
    if element.tag in ("SimmSpline", "NaturalCubicSpline", "PiecewiseLinearFunction"):
        x, y = (np.array((element.findtext(key) or "").split(), dtype=np.float64) for key in ("x", "y"))
        if x.size == y.size and x.size >= 2 and np.all(np.diff(x) > 0.0):
            return _spline(element.tag, x, y)
    raise _bad(f"joint {joint}", path, element.tag, "Constant, LinearFunction, PolynomialFunction, MultiplierFunction, SimmSpline or PiecewiseLinearFunction",
               "other functions are not read")


def _spline(kind: str, x: Array, y: Array) -> Callable[[Array], Array]:
    from scipy.interpolate import CubicSpline  # here: its import takes longer than a whole motion

    if kind == "PiecewiseLinearFunction" or x.size < 3:
        return lambda value: np.interp(value, x, y)
    return CubicSpline(x, y, bc_type="natural" if kind == "NaturalCubicSpline" else "not-a-knot")


def _same(value: Array) -> Array:
    return value


def _in_order(path: Path, joints: list[Joint]) -> tuple[Joint, ...]:
    """Parents before children."""
    ordered: list[Joint] = []
    known = {"ground"}
    while len(ordered) < len(joints):
        ready = [joint for joint in joints if joint.parent in known and joint.child not in known]
        if not ready:
            raise _bad("joints", path, "a body that no joint ties to the ground", "a tree of joints", "the pose of every body follows from its parent")
        ordered += ready
        known |= {joint.child for joint in ready}
    return tuple(ordered)


def _numbers(path: Path, element: ET.Element, key: str, count: int) -> Array:
    text = element.findtext(key) or ""
    try:
        values = np.array(text.split(), dtype=np.float64)
    except ValueError:
        values = np.empty(0)
    if values.size != count or not np.all(np.isfinite(values)):
        raise _bad(f"{key} of {element.get('name', element.tag)}", path, text.strip() or "nothing", f"{count} finite numbers", "the model is not complete")
    return values


def _bad(what: str, path: Path, got: object, allowed: str, why: str) -> InputError:
    return InputError(what, where=str(path), got=got, allowed=allowed, why=why)
