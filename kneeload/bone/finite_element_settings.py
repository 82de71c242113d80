"""Which bones of a case are computed by finite elements, with which inclusions, and how inclusions are read from plain values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from kneeload.bone.inclusions import Attrition, Cyst, Fill, Inclusion, Lesion
from kneeload.bone.material import BoneSolid
from kneeload.bone.volume import BONES, SUBSPINOUS
from kneeload.errors import InputError, check_range
from kneeload.subject.anatomy import MOAKS_REGIONS

KINDS: dict[str, type[Inclusion]] = {"cyst": Cyst, "lesion": Lesion, "attrition": Attrition, "fill": Fill}
_SEVERAL = {"semi_axes_mm": 3, "offset_mm": 2}  # keys that take so many numbers; all others take one


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteElements:
    """What is asked of the finite elements of the bone, for the case's own activity.

    Attributes:
        bones: some of "femur", "tibia", "patella".
        every_frames: every how many frames of the cycle is computed, no unit; 1 = all, and peaks are the largest of those computed.
        solid: material, mesh and solver.
        inclusions: places of another stiffness in these bones; where two meet, the later one counts.
    """

    bones: tuple[str, ...] = ("tibia",)
    every_frames: int = 1
    solid: BoneSolid = field(default_factory=BoneSolid)
    inclusions: tuple[Inclusion, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "inclusions", tuple(self.inclusions))
        known = not isinstance(self.bones, str) and all(bone in BONES for bone in self.bones)
        if not known or not self.bones or len(set(self.bones)) < len(self.bones):
            raise InputError("bones", where="finite_elements.bones", got=self.bones,
                             allowed=f"one or more of {', '.join(BONES)}, each once",
                             why="these carry the cartilage of the knee")
        check_range("frames", self.every_frames, 1, 100, "", where="finite_elements.every_frames", why="a cycle has 101 frames")
        if not isinstance(self.every_frames, int):
            raise InputError("frames", where="finite_elements.every_frames", got=self.every_frames, allowed="a whole number",
                             why="frames are counted")
        for number, item in enumerate(self.inclusions):
            where = f"finite_elements.inclusions[{number}].region"
            if item.bone not in self.bones:
                raise InputError("region of an inclusion", where=where, got=item.region,
                                 allowed=f"a region of the {' or '.join(self.bones)}",
                                 why="the other bones are not computed")
            if item.mask is None and item.region == MOAKS_REGIONS[SUBSPINOUS]:
                raise InputError("region of an inclusion", where=where, got=item.region, allowed="a region under cartilage",
                                 why="its depth counts from the articular surface")

    def of_bone(self, bone: str) -> tuple[Inclusion, ...]:
        """Return the inclusions of one bone, in their order."""
        return tuple(item for item in self.inclusions if item.bone == bone)


def inclusion_of(values: Any, where: str = "inclusion") -> Inclusion:
    """Return the inclusion that plain values describe: `kind`, `region`, and other keys of that kind with a number of mm or MPa each.

    A ball has `radius_mm`, an ellipsoid `semi_axes_mm` (three numbers, along x, y, z of the bone).

    Args:
        values: keys and values.
        where: what to call the inclusion in an error.

    Raises:
        InputError: an unknown kind, region or key, or a value that is missing or out of range.
    """
    if not isinstance(values, Mapping):
        raise InputError("inclusion", where=where, got=values,
                         allowed="keys with values, such as {kind: cyst, region: tibia_central_medial}", why="it says what lies where")
    given = dict(values)
    kind = given.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError("kind of an inclusion", where=f"{where}.kind", got=kind, allowed="one of " + ", ".join(KINDS),
                         why="it says how the bone is changed")
    known = _keys(kind)
    for key, value in given.items():
        if key not in known:
            raise InputError(f"key '{key}'", where=f"{where}.{key}", got=value, allowed="one of " + ", ".join(("kind", *known)),
                             why=f"an inclusion of the kind {kind} has no other")
        if key != "region":
            given[key] = _numbers(value, f"{where}.{key}", _SEVERAL.get(key, 1))
    for key in ("region", *(("modulus_ratio",) if kind == "lesion" else ())):
        if given.get(key) is None:
            raise InputError(f"{key.replace('_', ' ')} of the {kind}", where=f"{where}.{key}", got="nothing", allowed="a value",
                             why="it says below which surface it lies" if key == "region" else "softer and stiffer lesions are both found, so there is no default")
    if given["region"] not in MOAKS_REGIONS:
        raise InputError("region of an inclusion", where=f"{where}.region", got=given["region"],
                         allowed="one of " + ", ".join(MOAKS_REGIONS),
                         why="it says in which bone and below which surface the inclusion lies")
    if {"radius_mm", "semi_axes_mm"} <= set(given):
        raise InputError("size of an inclusion", where=f"{where}.semi_axes_mm", got="beside radius_mm", allowed="only one of them",
                         why="it is a ball or an ellipsoid")
    if "semi_axes_mm" in given:
        given["radius_mm"] = given.pop("semi_axes_mm")
    return KINDS[kind](**given)


def _keys(kind: str) -> tuple[str, ...]:
    own = [item.name for item in fields(KINDS[kind]) if item.name != "mask" and not (kind == "attrition" and item.name == "depth_mm")]
    own.insert(own.index("radius_mm") + 1, "semi_axes_mm")
    return tuple(own)


def _numbers(value: Any, where: str, count: int) -> Any:
    items = list(value) if isinstance(value, list | tuple) else [value]
    usable = all(isinstance(item, int | float) and not isinstance(item, bool) and math.isfinite(item) for item in items)
    if not usable or len(items) != count or isinstance(value, list | tuple) != (count > 1):
        raise InputError(where.rpartition(".")[2], where=where, got=value, allowed="a number" if count == 1 else f"{count} numbers",
                         why="it is a length or a stiffness")
    return float(items[0]) if count == 1 else tuple(float(item) for item in items)
