"""Contact stress against closed forms of the elastic foundation, at four triangles per mm2."""

from __future__ import annotations

import numpy as np
import pytest
from plates import SOFT, level_set, paraboloid, plate, raised

from kneeload.contact import contact_stress
from kneeload.subject.surface import LayerMaterial

K = SOFT.confined_modulus_mpa
DEPTH, RADIUS, LAYER = 0.4, 60.0, 2.5


def test_sphere_on_a_winkler_bed():
    found = contact_stress(plate(10.0, 28, LAYER), paraboloid(RADIUS, RADIUS), raised(DEPTH))
    assert -found.force[1] == pytest.approx(np.pi * K * RADIUS * DEPTH**2 / LAYER, rel=5e-3)
    assert found.area == pytest.approx(2 * np.pi * RADIUS * DEPTH, rel=5e-3)
    assert found.peak == pytest.approx(K * DEPTH / LAYER, rel=5e-3)
    assert found.mean == pytest.approx(0.5 * K * DEPTH / LAYER, rel=1e-2)
    assert np.abs(found.moment).max() < 1e-3 * abs(found.force[1])
    assert found.status == 0


def test_elliptic_paraboloid():
    found = contact_stress(plate(14.0, 40, LAYER), paraboloid(90.0, 30.0), raised(DEPTH))
    mean_radius = np.sqrt(90.0 * 30.0)
    assert -found.force[1] == pytest.approx(np.pi * K * mean_radius * DEPTH**2 / LAYER, rel=5e-3)
    assert found.area == pytest.approx(2 * np.pi * mean_radius * DEPTH, rel=5e-3)


def test_nonlinear_law_under_a_sphere():
    found = contact_stress(plate(10.0, 28, LAYER), paraboloid(RADIUS, RADIUS), raised(1.0), law="nonlinear")
    want = 2 * np.pi * RADIUS * K * ((LAYER - 1.0) * np.log(1 - 1.0 / LAYER) + 1.0)
    wide = contact_stress(plate(14.0, 40, LAYER), paraboloid(RADIUS, RADIUS), raised(1.0), law="nonlinear")
    assert -wide.force[1] == pytest.approx(want, rel=5e-3)
    assert found.peak == pytest.approx(-K * np.log(1 - 1.0 / LAYER), rel=5e-3)


@pytest.mark.parametrize("law", ["linear", "nonlinear"])
def test_flat_punch_and_layers_in_series_to_round_off(law):
    other = LayerMaterial(youngs_modulus_mpa=11.0, poisson_ratio=0.3)
    flat = level_set(lambda x, y, z: -y, (-20.0, -20.0, -20.0), (28, 28, 28), 1.5, thickness=1.75)
    found = contact_stress(plate(5.0, 6, LAYER), flat, raised(0.3), law=law, target_material=other)
    stiffness = 1.0 / (LAYER / K + 1.75 / other.confined_modulus_mpa)
    total = LAYER + 1.75
    want = stiffness * 0.3 if law == "linear" else -stiffness * total * np.log(1 - 0.3 / total)
    assert np.allclose(found.pressure, want, rtol=1e-6)
    assert -found.force[1] == pytest.approx(want * 100.0, rel=1e-9)
    assert found.area == pytest.approx(100.0)


def test_the_sphere_converges_with_the_mesh():
    want = np.pi * K * RADIUS * DEPTH**2 / LAYER
    counts = np.array([8, 11, 15, 21, 29, 40, 56])
    error = [np.mean([abs(-contact_stress(plate(half, n, LAYER), paraboloid(RADIUS, RADIUS), raised(DEPTH)).force[1] / want - 1)
                      for half in (9.0, 9.2, 9.4, 9.6, 9.8)]) for n in counts]
    assert -np.polyfit(np.log(counts), np.log(error), 1)[0] >= 1.5


def test_swapped_surfaces_give_the_same_force():
    ball = _cap(30.0, 0.35)
    cup = _cap(38.0, 0.35)
    cup_up = cup.transformed(np.diag([1.0, -1.0, -1.0]), np.zeros(3))  # a cap that faces +y, apex at the origin
    pose = np.eye(4)
    pose[1, 3] = 0.6
    first = contact_stress(cup_up, ball, pose)
    second = contact_stress(ball, cup_up, np.linalg.inv(pose))
    assert np.linalg.norm(first.force + second.force) < 0.03 * np.linalg.norm(first.force)
    assert first.status == second.status == 0


def test_a_mirrored_pair_gives_mirrored_results():
    ball, base = _cap(30.0, 0.35), plate(9.0, 20, LAYER)
    pose = np.eye(4)
    pose[:3, 3] = 1.3, 0.5, -2.1
    c, s = np.cos(0.05), np.sin(0.05)
    pose[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    flip = np.diag([1.0, 1.0, -1.0, 1.0])
    right = contact_stress(base, ball, pose)
    left = contact_stress(base.mirrored(), ball.mirrored(), flip @ pose @ flip)
    assert np.allclose(left.force, right.force * [1, 1, -1], rtol=1e-6, atol=1e-6 * np.linalg.norm(right.force))
    assert np.allclose(left.moment, right.moment * [-1, -1, 1], rtol=1e-5, atol=1e-5 * np.linalg.norm(right.moment))


def _cap(radius: float, angle: float):
    """A spherical cap whose apex is the origin and that faces -y (the ball lies above)."""
    base = plate(1.0, 40, 1.5)
    points = np.array(base.mesh.points)
    flat = points[:, [0, 2]] * radius * angle
    height = radius - np.sqrt(radius**2 - (flat**2).sum(axis=1))
    mesh = type(base.mesh)(points=np.column_stack([flat[:, 0], height, flat[:, 1]]), triangles=np.array(base.mesh.triangles)[:, ::-1])
    return type(base)(name="cap", body="femur", mesh=mesh, thickness_mm=base.thickness_mm, material=SOFT, region=base.region)
