"""Contact stress against closed forms of the elastic foundation, symmetry, mirror and energy."""

from __future__ import annotations

import dataclasses
from functools import lru_cache

import numpy as np
import pytest
from plates import SOFT, paraboloid, plate, raised

from kneeload.contact import contact_stress, prepare_contact
from kneeload.contact.closed_forms import CASES, LEAST_ORDER, QUANTITIES, ClosedFormRow, closed_form_rows, convergence_order, energy_row
from kneeload.errors import InputError
from kneeload.subject.distance import evaluate
from kneeload.subject.surface import ArticularSurface, TriangleMesh

ROUND = [case for case in CASES if not case.flat]
LAYER = 2.5
_rows = lru_cache(closed_form_rows)


@pytest.mark.parametrize(("case", "quantity"), [(case.name, quantity) for case in CASES for quantity in QUANTITIES])
def test_force_area_and_peak_at_four_triangles_per_mm2(case, quantity):
    (row,) = [row for row in _rows() if (row.case, row.quantity) == (case, quantity)]
    assert row.passed, f"{row.predicted} against {row.exact} {row.unit}"


def test_the_closed_forms_are_those_of_the_evidence():
    """Figures worked out apart: K = 5 * 0.6 / (1.4 * 0.2) = 10.714 MPa, k = K / 2.5 = 4.2857 MPa/mm, R = 60 mm."""
    exact = {case.name: case.exact() for case in CASES}
    sphere = exact["sphere on a Winkler bed"]
    assert (sphere["force"], sphere["area"], sphere["peak"]) == pytest.approx((np.pi * 60.0 * 4.285714 * 0.16, np.pi * 2.0 * 60.0 * 0.4, 1.7142857), rel=1e-6)
    assert exact["elliptic paraboloid"]["area"] == pytest.approx(2.0 * np.pi * np.sqrt(2700.0) * 0.4)
    k2 = 11.0 * 0.7 / (1.3 * 0.4)
    assert exact["flat punch, two layers in series"]["peak"] == pytest.approx(0.3 / (2.5 / 10.7142857 + 1.75 / k2), rel=1e-6)
    radius = np.linspace(0.0, np.sqrt(120.0), 20001)  # nonlinear sphere: the pressure integrated over the disc
    pressure = -4.2857142857 * 2.5 * np.log(1.0 - (1.0 - radius**2 / 120.0) / 2.5)
    assert exact["sphere, nonlinear law"]["force"] == pytest.approx(np.trapezoid(2.0 * np.pi * radius * pressure, radius), rel=1e-6)


@pytest.mark.parametrize("quantity", ["force", "area"])
@pytest.mark.parametrize("case", ROUND, ids=lambda case: case.name)
def test_order_of_convergence(case, quantity):
    assert convergence_order(case, quantity, (0.5, 1.0, 2.0, 4.0)) >= LEAST_ORDER


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_slope_of_the_energy_is_the_force(case):
    assert energy_row(case).passed


def test_the_energy_is_a_potential_in_every_direction():
    """Force and moment from a tilted ball on a plate against differences of the energy over three shifts and three turns.

    The energy is known to seven digits, so the steps are long and the differences of fourth order.
    """
    ball, base, pose = paraboloid(60.0, 35.0), plate(10.0, 28, LAYER), raised(0.5)
    pose[:3, :3] = _turn(0, 0.02) @ _turn(2, -0.03)

    def energy(step: np.ndarray) -> float:
        moved = pose @ _small(step)
        return contact_stress(base, ball, moved, law="nonlinear").energy

    found = contact_stress(base, ball, pose, law="nonlinear")
    for index, want in enumerate(np.concatenate([found.moment, found.force])):
        step = np.zeros(6)
        step[index] = 1e-2 if index > 2 else 1e-3
        slope = (8.0 * (energy(step) - energy(-step)) - energy(2.0 * step) + energy(-2.0 * step)) / (12.0 * step[index])
        assert -slope == pytest.approx(want, abs=3e-5 * np.linalg.norm(found.force) * (1.0 if index > 2 else 10.0))


def test_a_row_that_misses_does_not_pass():
    row = ClosedFormRow(case="x", quantity="force", unit="N", predicted=1.006, exact=1.0)
    assert not row.passed and not dataclasses.replace(row, predicted=float("nan")).passed


def test_pressure_is_symmetric_about_the_middle():
    found = contact_stress(plate(10.0, 28, LAYER), paraboloid(60.0, 60.0), raised(0.4))
    assert np.abs(found.moment).max() < 1e-3 * abs(found.force[1])
    assert found.status == 0
    assert found.mean == pytest.approx(0.5 * 1.7142857, rel=5e-3)  # p_max / 2
    assert found.peak_percentile == pytest.approx(0.99 * 1.7142857, rel=1e-2)  # 1 % of the area lies above 99 % of the peak
    patch = 1.0 - 2.0**2 / (2.0 * 2.0 * 60.0 * 0.4)  # mean of 1 - r^2 / a^2 over a disc of 2 mm
    assert found.peak_patch == pytest.approx(patch * 1.7142857, rel=1e-2)


@pytest.mark.parametrize("law", ["linear", "nonlinear"])
def test_depths_differ_by_the_angle_between_the_normals(law):
    """A plane tilted by 20 degrees over a plate: the ray is longer by 1 / cos, its force stands on the plate."""
    angle = np.deg2rad(20.0)
    flat = _slope(angle)
    shortest, along = (contact_stress(plate(5.0, 10, 4.0), flat, raised(2.0), law=law, depth=depth) for depth in ("target_normal", "casting_normal"))
    assert np.allclose(along.depth * np.cos(angle), shortest.depth, rtol=0.0, atol=3e-6)
    assert along.area == pytest.approx(shortest.area)
    assert np.allclose(along.force[[0, 2]], 0.0, atol=1e-7 * np.linalg.norm(along.force))
    assert shortest.force[0] / shortest.force[1] == pytest.approx(-np.tan(angle))
    if law == "linear":
        assert along.force[1] == pytest.approx(shortest.force[1] / np.cos(angle) ** 2)


@pytest.mark.parametrize("depth", ["target_normal", "casting_normal"])
def test_swapped_ball_and_socket_give_the_same_force(depth):
    ball = _cap(30.0, 0.35)
    cup_up = _cap(38.0, 0.35).transformed(np.diag([1.0, -1.0, -1.0]), np.zeros(3))  # a cap that faces +y, apex at the origin
    first = contact_stress(cup_up, ball, raised(0.6), depth=depth)
    second = contact_stress(ball, cup_up, np.linalg.inv(raised(0.6)), depth=depth)
    assert np.linalg.norm(first.force + second.force) < 0.03 * np.linalg.norm(first.force)
    assert first.area == pytest.approx(second.area, rel=0.03) and first.peak_patch == pytest.approx(second.peak_patch, rel=0.03)
    assert first.status == second.status == 0


@pytest.mark.parametrize("flexion_deg", [0.0, 20.0])
@pytest.mark.parametrize("side", ["medial", "lateral"])
def test_swapped_condyle_and_plateau_give_the_same_force(reference_knee, side, flexion_deg):
    """0.6 mm deep (200 to 360 N): the reference condyle on its plateau and the plateau on the condyle."""
    plateau = getattr(reference_knee, f"tibia_{side}")
    condyle = _cartilage_of(reference_knee)
    pose = np.eye(4)
    pose[:3, :3] = _turn(2, -np.deg2rad(flexion_deg))
    low, high = -20.0, 30.0
    while high - low > 1e-6:
        pose[1, 3] = 0.5 * (low + high)
        apart = evaluate(reference_knee.femur_level_set, plateau.centroids @ pose[:3, :3].T + pose[:3, 3])[0].min() > 0.0
        low, high = (pose[1, 3], high) if apart else (low, pose[1, 3])
    pose[1, 3] = high + 0.6
    first, second = contact_stress(plateau, reference_knee.femur, pose), contact_stress(condyle, plateau, np.linalg.inv(pose))
    assert 150.0 < np.linalg.norm(first.force) < 500.0
    assert np.linalg.norm(pose[:3, :3] @ first.force + second.force) < 0.03 * np.linalg.norm(first.force)
    assert first.area == pytest.approx(second.area, rel=0.03)


def test_a_mirrored_pair_gives_mirrored_results():
    ball, base = _cap(30.0, 0.35), plate(9.0, 20, LAYER)
    pose = raised(0.5)
    pose[[0, 2], 3] = 1.3, -2.1
    pose[:3, :3] = _turn(0, 0.05)
    flip = np.diag([1.0, 1.0, -1.0, 1.0])
    right = contact_stress(base, ball, pose)
    left = contact_stress(base.mirrored(), ball.mirrored(), flip @ pose @ flip)
    assert np.allclose(left.force, right.force * [1, 1, -1], rtol=1e-6, atol=1e-6 * np.linalg.norm(right.force))
    assert np.allclose(left.moment, right.moment * [-1, -1, 1], rtol=1e-5, atol=1e-5 * np.linalg.norm(right.moment))


@pytest.mark.parametrize("depth", ["target_normal", "casting_normal"])
@pytest.mark.parametrize("law", ["linear", "nonlinear"])
def test_one_pose_many_poses_and_the_prepared_pair_agree_to_the_last_bit(law, depth):
    ball, base = paraboloid(60.0, 35.0), plate(10.0, 28, LAYER)
    poses = [raised(height) for height in (0.5, -1.0, 0.2, 3.0)]
    pair = prepare_contact(base, ball, law=law, depth=depth)
    series = pair.at_poses(poses, fields=True)
    assert series.status.tolist() == [0, 1, 0, 2]
    assert pair.at_poses(poses).pressure is None and pair.at_poses(np.zeros((0, 4, 4))).force.shape == (0, 3)
    for k, pose in enumerate(poses):
        for found in (pair.at(pose), contact_stress(base, ball, pose, law=law, depth=depth)):
            for name in ("force", "moment", "area", "peak", "peak_percentile", "mean", "energy", "status", "pressure", "depth"):
                assert np.array_equal(getattr(found, name), getattr(series, name)[k]), name
            assert not found.pressure.flags.writeable and not series.pressure.flags.writeable


@pytest.mark.parametrize("poses", [np.eye(4), np.zeros((2, 3, 3)), np.array([np.eye(4), np.full((4, 4), np.nan)]), np.array([np.eye(4), 2.0 * np.eye(4)])])
def test_many_poses_must_be_rigid_motions(poses):
    with pytest.raises(InputError, match="pose"):
        prepare_contact(plate(5.0, 4, 2.0), paraboloid(50.0, 50.0)).at_poses(poses)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 29])
def test_the_force_does_not_depend_on_how_springs_are_blocked(count):
    """Plates of 2 to 1,682 triangles: every triangle counts once, whatever blocks and clusters it falls into."""
    base, ball, pose = plate(3.0, count, LAYER), paraboloid(60.0, 60.0), raised(0.5)
    found = contact_stress(base, ball, pose)
    centre = base.centroids + pose[:3, 3]
    depth = np.maximum(-evaluate(ball, centre)[0], 0.0)
    assert np.allclose(found.depth, depth, rtol=0.0, atol=3e-6)
    pressure = depth * base.material.confined_modulus_mpa / LAYER
    assert np.allclose(found.pressure, pressure, rtol=0.0, atol=2e-5)
    assert found.force[1] == pytest.approx((pressure * base.areas * evaluate(ball, centre)[1][:, 1]).sum(), rel=1e-6)


@lru_cache
def _cartilage_of(knee) -> ArticularSurface:
    return knee.femur.selected(knee.femur.thickness_mm > 0.3)  # bare bone is no layer


@lru_cache
def _cap(radius: float, angle: float) -> ArticularSurface:
    """A spherical cap whose apex is the origin and that faces -y (the ball lies above)."""
    base = plate(1.0, 40, 1.5)
    flat = base.mesh.points[:, [0, 2]] * radius * angle
    height = radius - np.sqrt(radius**2 - (flat**2).sum(axis=1))
    mesh = TriangleMesh(points=np.column_stack([flat[:, 0], height, flat[:, 1]]), triangles=base.mesh.triangles[:, ::-1])
    return ArticularSurface(name="cap", body="femur", mesh=mesh, thickness_mm=base.thickness_mm, material=SOFT, region=base.region)


def _slope(angle: float):
    """The solid above a plane that rises along x, its distance exact."""
    from plates import level_set

    return level_set(lambda x, y, z: np.sin(angle) * x - np.cos(angle) * y, (-20.0, -20.0, -20.0), (28, 28, 28), 1.5)


def _turn(axis: int, angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    turned, i, j = np.eye(3), (axis + 1) % 3, (axis + 2) % 3
    turned[i, i], turned[i, j], turned[j, i], turned[j, j] = c, -s, s, c
    return turned


def _small(step: np.ndarray) -> np.ndarray:
    """A small motion in the frame of the body: turns (rad) about x, y, z, then shifts (mm)."""
    moved = np.eye(4)
    moved[:3, :3] = _turn(0, step[0]) @ _turn(1, step[1]) @ _turn(2, step[2])
    moved[:3, 3] = step[3:]
    return moved
