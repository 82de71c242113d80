"""The settings of the bone model."""

from __future__ import annotations

from dataclasses import dataclass

from kneeload.errors import InputError, check_range

_DEPTH = "the model describes the bone from below the subchondral plate to the end of the epiphysis"


@dataclass(frozen=True, slots=True, kw_only=True)
class BoneModel:
    """A homogeneous elastic half-space under each articular surface; its vertical stress needs no elastic constant.

    Depths count from the bone surface: an elastic foundation hands the pressure on the cartilage straight to the bone below it.

    Attributes:
        depths_mm: where stress is reported, mm, increasing, 0.8 to 40.
        stimulus_depth_mm: depth of the daily stimulus, mm: the first trabecular layer under the plate. Assumption, range 1 to 10.
        stimulus_exponent: weight of stress size against time in the daily stimulus, no unit. Whalen, Carter and Steele
            1988 (J Biomech 21:825) conclude that size counts more than number; 4 is the usual value, range 3 to 8.
        patch_mm: side of the patches that casting triangles are gathered into, mm.
        points_per_region: at most so many surface points stand for a region.
    """

    depths_mm: tuple[float, ...] = (1.0, 3.0, 5.0, 10.0, 15.0)
    stimulus_depth_mm: float = 3.0
    stimulus_exponent: float = 4.0
    patch_mm: float = 1.5
    points_per_region: int = 100

    def __post_init__(self) -> None:
        object.__setattr__(self, "depths_mm", tuple(self.depths_mm))
        if not self.depths_mm or any(b <= a for a, b in zip(self.depths_mm, self.depths_mm[1:])):
            raise InputError("depths", where="bone.depths_mm", got=self.depths_mm, allowed="increasing numbers of mm", why=_DEPTH)
        for depth in (*self.depths_mm, self.stimulus_depth_mm):
            check_range("depth", depth, 0.8, 40.0, "mm", where="bone.depths_mm", why=_DEPTH)
        check_range("stimulus exponent", self.stimulus_exponent, 1.0, 10.0, "", where="bone.stimulus_exponent",
                    why="1 counts load times time only, and beyond 10 only the largest stress would count")
        check_range("patch size", self.patch_mm, 0.3, min(self.depths_mm[0], self.stimulus_depth_mm) * 2.0, "mm", where="bone.patch_mm",
                    why="larger patches would be seen one by one at the shallowest depth")
        check_range("points per region", self.points_per_region, 4, 2000, "", where="bone.points_per_region",
                    why="fewer miss the peak and more only take time")
