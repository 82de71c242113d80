"""Equilibrium of whole knees: residual, balance, menisci, swing, hard loads, symmetry of the result with itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from kneeload.contact import ContactModel, solve_cycle
from kneeload.contact.cycle import ContactCycle
from kneeload.contact.cycle_solver import _guide, _tendon_wrench
from kneeload.contact.prepared import prepare
from kneeload.contact.solver import coordinates, poses
from kneeload.errors import InputError
from kneeload.forces.extensor import extensor_mechanism
from kneeload.forces.joint import joint_loads
from kneeload.forces.loads import JointLoads
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.person import Subject
from kneeload.subject.reference import reference_anatomy


def loads_of(flexion: np.ndarray, force: np.ndarray, moment: np.ndarray | None = None, quadriceps: np.ndarray | float = 0.0) -> JointLoads:
    """Loads over T frames: wrench on the tibia and a quadriceps pull along its usual direction."""
    frames = len(flexion)
    zero, vector = np.zeros(frames), np.zeros((frames, 3))
    pull = np.broadcast_to(np.asarray(quadriceps, float), frames)
    direction = extensor_mechanism(flexion, 1.72, 1.0).head_direction.mean(axis=1)
    return JointLoads(
        muscle_names=(), muscle_force=np.zeros((frames, 0)), activation=np.zeros((frames, 0)), quadriceps_force=pull, patellar_tendon_force=0.8 * pull,
        quadriceps_pull=pull[:, None] * direction, tibiofemoral_force=zero, medial_force=zero, lateral_force=zero, patellofemoral_force=zero,
        knee_adduction_moment=zero, wrench_force=np.array(force, float), wrench_moment=vector if moment is None else np.array(moment, float),
        ligament_names=(), ligament_force=np.zeros((frames, 0)), status=np.zeros(frames, np.int8), reserve=vector)


def _cycle(frames: int = 25) -> tuple[np.ndarray, JointLoads]:
    phase = np.linspace(0.0, 2.0 * np.pi, frames)
    flexion = np.deg2rad(8.0 + 50.0 * np.sin(phase / 2) ** 4)
    axial = 150.0 + 1900.0 * np.sin(phase) ** 2
    force = np.column_stack([0.06 * axial, axial, -0.03 * axial])
    moment = np.column_stack([12.0 * axial, 1500.0 * np.sin(phase), np.zeros(frames)])
    return flexion, loads_of(flexion, force, moment, 30.0 + 900.0 * np.sin(phase) ** 2)


def _check(cycle: ContactCycle) -> None:
    assert cycle.residual.max() < 1e-3
    assert set(np.unique(cycle.status)) == {0}
    assert cycle.medial.force + cycle.lateral.force == pytest.approx(cycle.axial_load, abs=1e-3 * cycle.axial_load.max())
    for part in (cycle.medial, cycle.lateral, cycle.patellofemoral):
        assert np.all(part.contact_area >= 0.0) and np.all(part.peak_pressure >= part.mean_pressure * 0.99)
        assert np.array_equal(np.isnan(part.centre_of_pressure[:, 0]), part.contact_area == 0.0)


@pytest.fixture(scope="module")
def walked(reference_knee: KneeAnatomy) -> ContactCycle:
    return solve_cycle(reference_knee, *_cycle())


def test_every_frame_of_the_reference_knee_balances(walked):
    _check(walked)
    assert walked.residual.max() <= 1e-5
    assert 1.0 < walked.medial.peak_pressure.max() < 12.0
    assert 1.0 < walked.patellofemoral.peak_pressure.max() < 12.0


def test_fields_add_up_to_the_compartments(walked, reference_knee):
    areas = {"tibia_medial": reference_knee.tibia_medial.areas, "medial_meniscus": reference_knee.medial_meniscus.surface.areas}
    normal = sum((field.pressure * areas[field.name]).sum(axis=1) for field in walked.fields if field.name in areas)
    assert normal == pytest.approx(walked.medial.mean_pressure * walked.medial.contact_area, rel=1e-5)
    for field in walked.fields:
        assert np.all((field.femur_triangle >= 0) == (field.pressure > 0))
        assert field.femur_triangle.max() < len(reference_knee.femur.mesh.triangles)


def test_the_patella_is_in_balance_with_its_tendon_and_muscle(walked):
    loads = _cycle()[1]
    strong = loads.quadriceps_force > 400.0
    size = walked.patellofemoral.force[strong]
    sides = loads.quadriceps_force[strong], walked.patellar_tendon_force[strong]
    assert np.all(size < sides[0] + sides[1]) and np.all(size > np.abs(sides[0] - sides[1]))
    assert np.all((walked.patellar_tendon_force[strong] / loads.quadriceps_force[strong] > 0.5)
                  & (walked.patellar_tendon_force[strong] / loads.quadriceps_force[strong] < 1.3))


def test_the_answer_does_not_depend_on_the_frames_before(walked, reference_knee):
    flexion, loads = _cycle()
    for frame in (6, 18):
        alone = solve_cycle(reference_knee, flexion[frame:frame + 1], _frames(loads, slice(frame, frame + 1)))
        assert alone.medial.force[0] == pytest.approx(walked.medial.force[frame], rel=1e-4)
        # two micrometres: sliding is the softest direction, and a pose may rest on the expansions of either search
        assert alone.femur_from_tibia[0] == pytest.approx(walked.femur_from_tibia[frame], abs=2e-3)


def _frames(loads: JointLoads, keep: slice) -> JointLoads:
    arrays = {f.name: getattr(loads, f.name)[keep] for f in dataclasses.fields(loads) if isinstance(getattr(loads, f.name), np.ndarray)}
    return dataclasses.replace(loads, **arrays)


@pytest.mark.parametrize("law", ["linear", "nonlinear"])
def test_hard_loads_converge(reference_knee, law):
    flexion = np.deg2rad(np.array([0.0, 20.0, 45.0, 70.0, 95.0, 60.0, 30.0, 5.0]))
    axial = np.array([4500.0, 3000.0, 20.0, 900.0, 4000.0, 2500.0, 1200.0, 600.0])
    moment = np.zeros((8, 3))
    moment[:, 0] = [0.0, 60e3, 0.0, -15e3, 30e3, -40e3, 30e3, -15e3]
    cycle = solve_cycle(reference_knee, flexion, loads_of(flexion, np.column_stack([0 * axial, axial, 0 * axial]), moment, 20.0 + 0.8 * axial),
                        ContactModel(law=law))
    assert cycle.residual.max() < 1e-3
    assert set(np.unique(cycle.status)) == {0}
    assert cycle.lateral.force[1] == pytest.approx(0.0, abs=250.0)  # 60 N m of varus lift the lateral side off, or nearly


def test_varus_moment_moves_load_to_the_medial_side(reference_knee):
    flexion = np.full(5, 0.2)
    force, moment = np.tile([0.0, 1200.0, 0.0], (5, 1)), np.zeros((5, 3))
    moment[:, 0] = np.linspace(-15e3, 15e3, 5)
    cycle = solve_cycle(reference_knee, flexion, loads_of(flexion, force, moment, 200.0))
    assert np.all(np.diff(cycle.medial.force) > 0) and np.all(np.diff(cycle.lateral.force) < 0)


def test_the_tendon_pulls_as_the_loads_say_and_follows_the_tuberosity(reference_knee):
    knee = prepare(reference_knee, ContactModel())
    flexion = np.deg2rad([10.0, 50.0])
    loads = loads_of(flexion, np.zeros((2, 3)), quadriceps=2500.0)
    tendon, turn = _tendon_wrench(knee, flexion, loads)
    guide = _guide(knee, flexion, np.zeros((2, 2)), tendon)

    def on_tibia(row, bend, q):  # force and moment about the origin of a line of constant tension, in the tibia frame of the bend
        pose = poses(q[None])[0]
        arm = pose[:3, :3] @ row[8:11]
        line = row[5:8] - arm - pose[:3, 3]
        force = row[4] * line / np.linalg.norm(line)
        back = poses(np.array([[-bend, 0.0, 0.0, 0.0, 0.0, 0.0]]))[0, :3, :3].T
        return back @ force, back @ np.cross(arm, force)

    for k, bend in enumerate(flexion):
        usual = np.concatenate([[-bend], knee.tibia_reference[1:6]])
        force, moment = on_tibia(guide[k], bend, usual)
        assert force == pytest.approx(tendon[k], abs=1e-6)
        assert moment[1] == pytest.approx(turn[k, 1], rel=0.02)  # the reference pose is adducted by less than a degree
        forward = usual + np.concatenate([np.zeros(3), 3.0 * np.array([np.cos(bend), -np.sin(bend), 0.0])])
        pulled, turned = on_tibia(guide[k], bend, forward)
        stiffness = guide[k, 4] / float(knee.patella_lines.slack[knee.on_tibia].mean())
        assert pulled[0] - force[0] == pytest.approx(-3.0 * stiffness, rel=0.1)
        assert turned[1] - moment[1] == pytest.approx(-3.0 * stiffness * guide[k, 10], rel=0.35)  # outwards: the tuberosity is lateral of the origin
        inward = usual + np.array([0.0, 0.0, 0.1, 0.0, 0.0, 0.0])
        assert on_tibia(guide[k], bend, inward)[0][2] - force[2] == pytest.approx(0.1 * stiffness * guide[k, 8], rel=0.1)  # it went medially


def test_a_heavy_person_with_steep_plateaus_climbs_stairs():
    person = Subject(sex="female", height_m=1.69, body_mass_kg=32.5 * 1.69**2, medial_slope_deg=9.0, lateral_slope_deg=7.0)
    anatomy = reference_anatomy(person)
    motion = motion_for(Activity(name="stair_ascent"), person)
    loads = joint_loads(motion, person, centres_flexion=anatomy.contact_centres_flexion, centres_mm=anatomy.contact_centres_mm, source_scale=anatomy.source_scale)
    cycle = solve_cycle(anatomy, motion.knee_flexion, loads)
    _check(cycle)
    turn = np.array([coordinates(pose)[2] for pose in cycle.femur_from_tibia])
    assert np.abs(np.rad2deg(turn)).max() < 15.0  # without the link between shift and turn of the tuberosity it jumped to 23 degrees


def test_menisci_widen_the_contact_and_their_loss_raises_the_peak(reference_knee):
    still = np.zeros(1)
    load = loads_of(still, np.array([[0.0, 1000.0, 0.0]]))
    whole = solve_cycle(reference_knee, still, load)
    bare = solve_cycle(dataclasses.replace(reference_knee, medial_meniscus=None, lateral_meniscus=None), still, load)
    torn = dataclasses.replace(reference_knee, medial_meniscus=dataclasses.replace(reference_knee.medial_meniscus, hoop_fraction=0.0))
    root = solve_cycle(torn, still, load)
    area = [c.medial.contact_area[0] + c.lateral.contact_area[0] for c in (whole, bare)]
    assert area[0] > 1.25 * area[1]
    assert bare.lateral.peak_pressure[0] > 1.1 * whole.lateral.peak_pressure[0]
    assert bare.medial.meniscus_share[0] == 0.0 and whole.medial.meniscus_share[0] > 0.25
    assert root.meniscus_expansion[0, 0] > 2.0 * whole.meniscus_expansion[0, 0]
    assert root.medial.meniscus_share[0] < 0.7 * whole.medial.meniscus_share[0]
    for cycle in (whole, bare, root):
        _check(cycle)


def test_weak_restraints_carry_little(reference_knee, walked):
    flexion, loads = _cycle()
    firm = solve_cycle(reference_knee, flexion, loads, ContactModel(capsule_stiffness_n_mm=2.0))
    assert np.abs(firm.medial.force - walked.medial.force).max() < 0.03 * walked.medial.force.max()


def test_slack_lengths_give_the_reference_strains(reference_knee):
    knee = prepare(reference_knee, ContactModel())
    pose = poses(knee.tibia_reference[None])[0]
    length = np.linalg.norm(knee.tibia_lines.point @ pose[:3, :3].T + pose[:3, 3] - knee.tibia_anchor, axis=1)
    from kneeload.forces.ligaments import tibiofemoral_ligaments
    assert length / knee.tibia_lines.slack - 1.0 == pytest.approx(tibiofemoral_ligaments(reference_knee.source_scale).reference_strain, abs=1e-9)
    assert prepare(reference_knee, ContactModel()) is knee


def test_coordinates_and_poses_are_inverse():
    q = np.random.default_rng(0).uniform(-1.0, 1.0, (20, 6))
    assert np.array([coordinates(p) for p in poses(q)]) == pytest.approx(q)
    flexed = poses(np.array([[-0.5, 0, 0, 0, 0, 0]]))[0]
    assert (flexed[:3, :3] @ [0, -1, 0])[0] < 0  # the shaft of a flexed tibia points backwards


def test_bad_frames_are_refused(reference_knee):
    flexion, loads = _cycle(5)
    with pytest.raises(InputError, match="knee flexion"):
        solve_cycle(reference_knee, flexion[:4], loads)
    with pytest.raises(InputError, match="knee flexion"):
        solve_cycle(reference_knee, np.full(5, np.nan), loads)
    with pytest.raises(InputError, match="joint loads"):
        solve_cycle(reference_knee, flexion, dataclasses.replace(loads, wrench_force=np.full((5, 3), np.inf)))
