"""Contact stress where the answer is known: closed forms of the elastic foundation, as data (case -> predicted, exact).

A plate of foundation springs lies under a smooth punch y = x^2 / 2 Rx + z^2 / 2 Rz, which quadratic splines meet exactly, so what
differs from the closed form is the triangulation of the plate alone. With the layer modulus K, the thickness h and the depth d
(Bei and Fregly 2004, PMC1680082; Zevenbergen 2018, doi 10.1371/journal.pone.0205842, for layers in series):

    k = 1 / sum(h_i / K_i)                                           stiffness, MPa/mm
    flat punch on area A:     F = A p,  p = k d  or  -k h ln(1 - d/h)
    paraboloid, linear:       F = pi sqrt(Rx Rz) k d^2,  area = 2 pi sqrt(Rx Rz) d,  peak = k d
    paraboloid, nonlinear:    F = 2 pi sqrt(Rx Rz) k h ((h - d) ln(1 - d/h) + d),  peak = -k h ln(1 - d/h)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from kneeload.contact.stress import ContactResult, contact_stress
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial, TriangleMesh

TOLERANCE = 5e-3
"""Largest relative error allowed at `DENSITY` (no unit)."""
DENSITY = 4.0
"""Triangles per mm2 of the plate at which the cases are compared."""
LEAST_ORDER = 1.5
"""Smallest fitted order at which the error may fall with the width of the triangles."""
QUANTITIES: Mapping[str, str] = {"force": "N", "area": "mm2", "peak": "MPa"}
_NODE_MM = 1.5
_SOFT = LayerMaterial(youngs_modulus_mpa=5.0, poisson_ratio=0.4)
_STIFF = LayerMaterial(youngs_modulus_mpa=11.0, poisson_ratio=0.3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedForm:
    """A punch on a plate of springs.

    Attributes:
        name: of the case.
        law: linear or nonlinear.
        depth_mm: by which the punch is pressed in, mm.
        radius_x_mm: of the punch, mm; infinity for a flat one.
        radius_z_mm: the same across.
        layer_mm: thickness of the layer of the plate, mm.
        punch_layer_mm: thickness of the layer on the punch, mm; 0 for a rigid punch.
        half_mm: half the width of the plate, mm.
    """

    name: str
    law: str
    depth_mm: float
    radius_x_mm: float
    radius_z_mm: float
    layer_mm: float = 2.5
    punch_layer_mm: float = 0.0
    half_mm: float = 10.0

    @property
    def flat(self) -> bool:
        """Whether the punch is a plane."""
        return not np.isfinite(self.radius_x_mm)

    def exact(self) -> dict[str, float]:
        """Return force N, area mm2 and peak MPa of the closed form."""
        total = self.layer_mm + self.punch_layer_mm
        k = 1.0 / (self.layer_mm / _SOFT.confined_modulus_mpa + self.punch_layer_mm / _STIFF.confined_modulus_mpa)
        d, log = self.depth_mm, float(np.log1p(-self.depth_mm / total))
        peak = k * d if self.law == "linear" else -k * total * log
        if self.flat:
            area = (2.0 * self.half_mm) ** 2
            return {"force": area * peak, "area": area, "peak": peak}
        radius = float(np.sqrt(self.radius_x_mm * self.radius_z_mm))
        force = np.pi * radius * k * d * d if self.law == "linear" else 2.0 * np.pi * radius * k * total * ((total - d) * log + d)
        return {"force": float(force), "area": 2.0 * np.pi * radius * d, "peak": peak}

    def stress(self, density: float = DENSITY, *, depth_mm: float | None = None, stretch: float = 1.0, depth: str = "target_normal") -> ContactResult:
        """Return what `contact_stress` finds with a plate of `density` triangles per mm2, `stretch` times as wide."""
        half = self.half_mm if self.flat else self.half_mm * stretch
        plate = _plate(half, max(2, round(2.0 * half * float(np.sqrt(density / 2.0)))), self.layer_mm)
        pose = np.eye(4)
        pose[1, 3] = self.depth_mm if depth_mm is None else depth_mm
        return contact_stress(plate, _punch(self.radius_x_mm, self.radius_z_mm, self.punch_layer_mm, self.half_mm), pose, law=self.law, depth=depth,
                              target_material=_STIFF if self.punch_layer_mm > 0.0 else None)

    def predicted(self, density: float = DENSITY) -> dict[str, float]:
        """Return force N, area mm2 and peak MPa as `contact_stress` finds them."""
        return _numbers(self.stress(density))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedFormRow:
    """One number against its closed form.

    Attributes:
        case: name of the case.
        quantity: force, area, peak, or one of the checks "order of ..." and "energy".
        unit: of both numbers; empty for a pure number.
        predicted: by `contact_stress`.
        exact: by the closed form.
        tolerance: largest relative error allowed.
    """

    case: str
    quantity: str
    unit: str
    predicted: float
    exact: float
    tolerance: float = TOLERANCE

    @property
    def error(self) -> float:
        """Relative error, no unit."""
        return self.predicted / self.exact - 1.0

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance (False for nan)."""
        return abs(self.error) <= self.tolerance


CASES: tuple[ClosedForm, ...] = (
    ClosedForm(name="sphere on a Winkler bed", law="linear", depth_mm=0.4, radius_x_mm=60.0, radius_z_mm=60.0),
    ClosedForm(name="elliptic paraboloid", law="linear", depth_mm=0.4, radius_x_mm=90.0, radius_z_mm=30.0),
    ClosedForm(name="sphere, nonlinear law", law="nonlinear", depth_mm=1.0, radius_x_mm=60.0, radius_z_mm=60.0, half_mm=13.0),
    ClosedForm(name="flat punch", law="linear", depth_mm=0.3, radius_x_mm=np.inf, radius_z_mm=np.inf, half_mm=5.0),
    ClosedForm(name="flat punch, nonlinear law", law="nonlinear", depth_mm=0.3, radius_x_mm=np.inf, radius_z_mm=np.inf, half_mm=5.0),
    ClosedForm(name="flat punch, two layers in series", law="linear", depth_mm=0.3, radius_x_mm=np.inf, radius_z_mm=np.inf, punch_layer_mm=1.75, half_mm=5.0),
    ClosedForm(name="sphere, two layers in series", law="linear", depth_mm=0.5, radius_x_mm=60.0, radius_z_mm=60.0, punch_layer_mm=1.75),
    ClosedForm(name="sphere, two layers, nonlinear law", law="nonlinear", depth_mm=1.0, radius_x_mm=60.0, radius_z_mm=60.0, punch_layer_mm=1.75, half_mm=13.0),
)


def closed_form_rows(density: float = DENSITY) -> tuple[ClosedFormRow, ...]:
    """Return force, area and peak of every case against the closed form, on plates of `density` triangles per mm2."""
    return tuple(ClosedFormRow(case=case.name, quantity=quantity, unit=unit, predicted=case.predicted(density)[quantity], exact=case.exact()[quantity])
                 for case in CASES for quantity, unit in QUANTITIES.items())


def convergence_order(case: ClosedForm, quantity: str, densities: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)) -> float:
    """Return the fitted power p of error ~ width^p; the error is the root mean square over plates that lie differently under the rim."""
    want, error = case.exact()[quantity], []
    for density in densities:
        misses = [_numbers(case.stress(density, stretch=stretch))[quantity] / want - 1.0 for stretch in np.linspace(0.9, 1.1, 9)]
        error.append(float(np.sqrt(np.mean(np.square(misses)))))
    width = 1.0 / np.sqrt(densities)
    return float(np.polyfit(np.log(width), np.log(error), 1)[0])


def energy_row(case: ClosedForm, intervals: int = 64) -> ClosedFormRow:
    """Return the energy gained from half the depth to the depth, over that way, against the mean force on it (Simpson's rule): dU/dd = F.

    Over a way and not at a point, since pressures are in single precision and the energy is known to seven digits.
    """
    way = 0.5 * case.depth_mm
    found = [case.stress(depth_mm=way * (1.0 + k / intervals)) for k in range(intervals + 1)]
    weights = [1.0 if k in (0, intervals) else 4.0 if k % 2 else 2.0 for k in range(intervals + 1)]
    mean = sum(weight * _numbers(one)["force"] for weight, one in zip(weights, found)) / (3.0 * intervals)
    return ClosedFormRow(case=case.name, quantity="energy", unit="N", predicted=(found[-1].energy - found[0].energy) / way, exact=mean, tolerance=5e-6)


def _numbers(found: ContactResult) -> dict[str, float]:
    return {"force": -float(found.force[1]), "area": found.area, "peak": found.peak}


@lru_cache(maxsize=8)
def _punch(radius_x: float, radius_z: float, layer: float, half: float) -> LevelSet:
    """Level set of a solid above y = x^2 / 2 Rx + z^2 / 2 Rz: the depth of a point of the plane y = d is d - x^2 / 2 Rx - z^2 / 2 Rz."""
    count = 2 * int(np.ceil(1.4 * half / _NODE_MM + 8.0)) + 1  # far enough out that the mirrored border of the spline is not felt
    low = np.array([-_NODE_MM * (count // 2), -12.0, -_NODE_MM * (count // 2)])
    shape = (count, 18, count)
    x, y, z = np.meshgrid(*(low[axis] + _NODE_MM * np.arange(shape[axis]) for axis in range(3)), indexing="ij")
    field = x**2 / (2.0 * radius_x) + z**2 / (2.0 * radius_z) - y
    for axis in range(3):
        field = ndimage.spline_filter1d(field, 2, axis=axis, mode="mirror")
    return LevelSet(coefficients=field, origin_mm=low, spacing_mm=_NODE_MM, thickness_mm=np.full(shape, layer, np.float32),
                    nearest_triangle=np.zeros(shape, np.int32), band_mm=6.0)


@lru_cache(maxsize=64)
def _plate(half: float, count: int, thickness: float) -> ArticularSurface:
    """A square plate in the plane y = 0 that faces +y, 2 count^2 triangles."""
    line = np.linspace(-half, half, count + 1)
    x, z = (grid.ravel() for grid in np.meshgrid(line, line, indexing="ij"))
    a = (np.arange(count)[:, None] * (count + 1) + np.arange(count)).ravel()
    triangles = np.concatenate([np.column_stack([a, a + 1, a + count + 2]), np.column_stack([a, a + count + 2, a + count + 1])])
    points: NDArray[np.float64] = np.column_stack([x, np.zeros(x.size), z])
    return ArticularSurface(name="plate", body="tibia", mesh=TriangleMesh(points=points, triangles=triangles.astype(np.int32)),
                            thickness_mm=np.full(len(triangles), thickness), material=_SOFT, region=np.full(len(triangles), -1, np.int8))
