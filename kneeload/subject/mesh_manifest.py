"""The `manifest.yaml` of a folder of knee meshes: which file is which surface, on which side, in which unit."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kneeload.errors import InputError, check_range
from kneeload.subject.person import Side
from kneeload.units import LENGTH_UNITS_MM

MANIFEST_NAME = "manifest.yaml"
REQUIRED: Mapping[str, str] = {
    "femur_cartilage": "femur", "femur_bone": "femur", "tibia_cartilage": "tibia", "tibia_bone": "tibia",
    "patella_cartilage": "patella", "patella_bone": "patella",
}
"""Surfaces that a folder must have, and the bone in whose frame each file is."""
OPTIONAL: Mapping[str, str] = {"medial_meniscus": "tibia", "lateral_meniscus": "tibia"}
"""Surfaces that may be missing: a meniscus that is not there was removed."""
_SURFACES = {**REQUIRED, **OPTIONAL}
_AXES = {"x": ("anterior",), "y": ("proximal",), "z": ("lateral", "medial", "right")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a mesh folder says about itself.

    Attributes:
        name: of the knee.
        side: right or left; z points to the right of the body, so the files of a left knee are mirrored (z -> -z) when read.
        length_unit: of all files: mm, cm or m.
        files: absolute path by surface name.
        thickness_mm: constant layer thickness by name of a cartilage, mm; where not given it is the distance to the bone.
    """

    name: str
    side: Side
    length_unit: str
    files: Mapping[str, Path]
    thickness_mm: Mapping[str, float]


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a folder.

    Required keys: side, length_unit, axes and surfaces (per surface: file and body). Optional: `name` (default the folder's name) and per
    cartilage a constant `thickness_mm`. Other keys (source, licence, notes) are left alone. A surface of another name is ignored with a warning, unless its name is nearly that of a
    known one: then it is an error.

    Raises:
        InputError: no folder, no manifest, not YAML, a key missing or wrong, a file that is missing or outside the folder.
    """
    if not folder.is_dir():
        raise InputError("mesh folder", where="anatomy.folder", got=str(folder), allowed="an existing folder", why="the surfaces are read from it")
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise InputError("manifest", where=str(path), got="no such file", allowed=f"a {MANIFEST_NAME} with side, length_unit, axes and surfaces",
                         why="mesh files say neither their unit nor their side")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise InputError("manifest", where=str(path), got=str(problem).splitlines()[0], allowed="a YAML file", why="it cannot be read") from problem
    if not isinstance(data, dict):
        raise InputError("manifest", where=str(path), got=type(data).__name__, allowed="keys with values", why="it names side, unit and surfaces")
    side = _choice(data, "side", ("right", "left"), path, "a knee is one of the two")
    unit = _choice(data, "length_unit", tuple(LENGTH_UNITS_MM), path, "mesh files do not say in which unit their points are")
    _check_axes(data, side, path)
    return Manifest(name=str(data.get("name") or folder.name), side="left" if side == "left" else "right", length_unit=unit,
                    files=_files(data.get("surfaces"), folder, path), thickness_mm=_thicknesses(data["surfaces"], path))


def _choice(data: Mapping[str, Any], key: str, allowed: tuple[str, ...], path: Path, why: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or value not in allowed:
        raise InputError(key, where=f"{path}: {key}", got=value, allowed="one of " + ", ".join(allowed), why=why)
    return value


def _check_axes(data: Mapping[str, Any], side: str, path: Path) -> None:
    axes = data.get("axes")
    for axis, allowed in _AXES.items():
        value = axes.get(axis) if isinstance(axes, dict) else None
        if axis == "z" and side == "right":
            allowed = ("lateral", "right")
        if value not in allowed:
            raise InputError("axes", where=f"{path}: axes.{axis}", got=value, allowed=" or ".join(allowed),
                             why="a right knee has x anterior, y proximal, z lateral, and a left knee is its mirror image")


def _files(surfaces: Any, folder: Path, path: Path) -> dict[str, Path]:
    if not isinstance(surfaces, dict):
        raise InputError("surfaces", where=f"{path}: surfaces", got=type(surfaces).__name__, allowed="names with file and body",
                         why="they say which file is which part of the knee")
    _check_names([str(name) for name in surfaces], path)
    missing = [name for name in REQUIRED if name not in surfaces]
    if missing:
        raise InputError("surfaces", where=f"{path}: surfaces", got="no " + ", ".join(missing), allowed="all of " + ", ".join(REQUIRED),
                         why="contact needs the cartilage and thickness and depth need the bone")
    return {name: _file(name, surfaces[name], folder, path) for name in _SURFACES if name in surfaces}


def _thicknesses(surfaces: Mapping[str, Any], path: Path) -> dict[str, float]:
    given = {name: entry["thickness_mm"] for name, entry in surfaces.items() if name in REQUIRED and "thickness_mm" in entry}
    for name, value in given.items():
        where = f"{path}: surfaces.{name}.thickness_mm"
        if not name.endswith("cartilage"):
            raise InputError("layer thickness", where=where, got=value, allowed="no such key on bone", why="only cartilage is a layer")
        check_range("layer thickness", value, 0.1, 30.0, "mm", where=where, why="pressure is modulus times depth over thickness, so a layer needs one")
    return {name: float(value) for name, value in given.items()}


def _check_names(names: list[str], path: Path) -> None:
    for name in names:
        if name in _SURFACES:
            continue
        near = difflib.get_close_matches(name.lower(), [known for known in _SURFACES if known not in names], n=1, cutoff=0.8)
        if near:
            raise InputError("surface name", where=f"{path}: surfaces.{name}", got=name, allowed="one of " + ", ".join(_SURFACES),
                             why=f"it is so near to {near[0]} that leaving it out would be a mistake")
        warnings.warn(f"{path}: the surface '{name}' is not used (known: {', '.join(_SURFACES)})", stacklevel=2)


def _file(name: str, entry: Any, folder: Path, path: Path) -> Path:
    where = f"{path}: surfaces.{name}"
    if not isinstance(entry, dict) or not isinstance(entry.get("file"), str) or not entry["file"]:
        raise InputError("surface", where=where, got=entry, allowed="{file: NAME, body: BONE}", why="the file is needed to read the surface")
    if entry.get("body") != _SURFACES[name]:
        raise InputError("body", where=f"{where}.body", got=entry.get("body"), allowed=_SURFACES[name], why="each file is in the frame of its bone")
    root, file = folder.resolve(), (folder / entry["file"]).resolve()
    if not file.is_relative_to(root):
        raise InputError("surface file", where=f"{where}.file", got=entry["file"], allowed="a path inside the folder",
                         why="a manifest may not reach files elsewhere")
    if not file.is_file():
        raise InputError("surface file", where=f"{where}.file", got=entry["file"], allowed="an existing file", why="the manifest names it")
    return file
