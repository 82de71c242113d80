"""Contact of two meshes without a knee: a rigid ball on an elastic layer, against the closed form. `python examples/03_stress_of_two_surfaces.py`"""

from __future__ import annotations

import numpy as np

from kneeload import ArticularSurface, contact
from kneeload.subject.surface import LayerMaterial, TriangleMesh

LAYER = LayerMaterial(youngs_modulus_mpa=10.0, poisson_ratio=0.45)
RADIUS_MM, LAYER_MM, DEPTH_MM = 30.0, 3.0, 0.6


def sheet(height_mm, thickness_mm: float, *, upwards: bool, half_mm: float = 12.0, count: int = 60) -> ArticularSurface:
    """A square sheet y = height(x, z) of 2 count^2 triangles that faces +y or -y."""
    x, z = (axis.ravel() for axis in np.meshgrid(*[np.linspace(-half_mm, half_mm, count + 1)] * 2, indexing="ij"))
    a = (np.arange(count)[:, None] * (count + 1) + np.arange(count)).ravel()  # first corner of each square
    triangles = np.concatenate([np.column_stack([a, a + 1, a + count + 2]), np.column_stack([a, a + count + 2, a + count + 1])])
    mesh = TriangleMesh(points=np.column_stack([x, height_mm(x, z), z]), triangles=triangles if upwards else triangles[:, ::-1])
    return ArticularSurface(name="sheet", body="tibia", mesh=mesh, thickness_mm=np.full(len(triangles), thickness_mm), material=LAYER,
                            region=np.full(len(triangles), -1))


def main() -> dict[str, tuple[float, float]]:
    """Print computed and closed-form values and return them: force N, peak pressure MPa, area mm2."""
    flat = sheet(lambda x, z: 0.0 * x, LAYER_MM, upwards=True)
    ball = sheet(lambda x, z: RADIUS_MM - np.sqrt(RADIUS_MM**2 - x**2 - z**2), 0.0, upwards=False)  # no layer: rigid
    pose = np.array([[1.0, 0, 0, 0], [0, 1, 0, DEPTH_MM], [0, 0, 1, 0], [0, 0, 0, 1]])
    found = contact.contact_stress(flat, ball, pose)
    k = LAYER.confined_modulus_mpa / LAYER_MM  # MPa per mm of depth
    closed = np.pi * k * (RADIUS_MM - DEPTH_MM) * DEPTH_MM**2, k * DEPTH_MM, np.pi * (2.0 * RADIUS_MM * DEPTH_MM - DEPTH_MM**2)
    rows = dict(zip(("force_n", "peak_mpa", "area_mm2"), zip((-float(found.force[1]), found.peak, found.area), closed)))
    for name, (value, exact) in rows.items():
        print(f"{name:9} {value:9.3f}   closed form {exact:9.3f}   {100.0 * (value / exact - 1.0):+.2f} %")
    return rows


if __name__ == "__main__":
    main()
