"""Random people through five activities: does every frame find its equilibrium, and is what the solver says about it true?

    python benchmarks/robustness.py --people 60 --seed 1

Each person has a number; the seed and that number give the person again (`person(seed, number, wide)`). For every frame the forces are evaluated
once more at the pose that came back, by `Balance`: springs, bands and loads are put together here, with numpy and the level set's own
evaluation, and not by the kernels of the solver. A frame *lies* when it says that it converged and that second residual is above `LIE`.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats
from scipy.spatial.transform import Rotation

from kneeload.case import Case
from kneeload.contact.cycle import STATUS, ContactCycle
from kneeload.contact.cycle_solver import solve_cycle
from kneeload.contact.model import ContactModel
from kneeload.contact.prepared import PreparedKnee, patella_track, prepare
from kneeload.contact.solver import Lines, coordinates
from kneeload.contact.springs import SpringSet
from kneeload.errors import InputError
from kneeload.forces.extensor import extensor_mechanism
from kneeload.forces.joint import joint_loads
from kneeload.forces.ligaments import ligament_force
from kneeload.forces.loads import JointLoads
from kneeload.kernels.springs import BLOCK
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.result import NO_CONTACT, RESIDUAL_LIMIT, UNLOADED_N
from kneeload.simulate import anatomy_of
from kneeload.subject.anatomy import KneeAnatomy
from kneeload.subject.distance import evaluate
from kneeload.subject.level_set import LevelSet
from kneeload.subject.person import MENISCUS_STATES, CartilageThicknessScale, Subject

Array = NDArray[np.float64]
ACTIVITIES = ("walking", "standing", "stair_ascent", "stair_descent", "chair_rise", "squat")
LIE = 5e-3  # unbalanced share of the load in the second evaluation that a frame called converged may have: five times the solver's promise
LENGTH_MM = 20.0  # turns a moment into a force, as the solver's residual does
LOAD_FLOOR_N = 20.0  # an unloaded frame is measured by this load, as in the solver
FACING = (-0.1, -0.3)  # normal times gradient of the level set at which a triangle begins to count, and counts in full, docs/contact.md


def person(seed: int, number: int, wide: bool = False) -> Subject:
    """One random person.

    Height: normal about 1.75 m (men) or 1.62 m (women), SD 0.07. BMI log-normal about 27 kg/m2, SD 18 % (adults of the age of
    osteoarthritis; assumption). MPTA and LDFA normal about 87 and 87.5, SD 2.3 and 2.0 degrees, joint-line convergence about 0.5, SD 1.2 (the
    leg axis then varies by 3.3 degrees: 2.3 in healthy adults, Bellemans 2012, more in osteoarthritis; assumption). Slopes about 5.9 and
    4.4, SD 3 degrees. Each plate of cartilage normal about its reference, SD 20 %, between 0.3 and 1.6. Menisci: each state as often,
    extruded ones by 0 to 6 mm. `wide`: BMI even from 18 to 42, SD of the angles 3, 3 and 1.5 degrees, cartilage even from 0.25 to 1.5,
    extrusion to 8 mm, so that rare knees come often.
    """
    draw = np.random.default_rng([seed, number])
    sex = str(draw.choice(("male", "female")))
    height = float(np.clip(draw.normal(1.75 if sex == "male" else 1.62, 0.07), 1.40, 2.05))
    bmi = float(draw.uniform(18.0, 42.0) if wide else np.clip(27.0 * np.exp(draw.normal(0.0, 0.18)), 16.5, 48.0))
    spread = (3.0, 3.0, 1.5) if wide else (2.3, 2.0, 1.2)
    mpta, ldfa, converging = (float(np.clip(draw.normal(mean, sd), mean - 9.0, mean + 9.0)) for mean, sd in zip((87.0, 87.5, 0.5), spread))
    slopes = [float(np.clip(draw.normal(mean, 3.0), -6.0, 18.0)) for mean in (5.9, 4.4)]
    scale = {plate.name: float(draw.uniform(0.25, 1.5) if wide else np.clip(draw.normal(1.0, 0.2), 0.3, 1.6)) for plate in fields(CartilageThicknessScale)}
    states = [str(draw.choice(MENISCUS_STATES)) for _ in range(2)]
    extrusion = [float(draw.uniform(0.0, 8.0 if wide else 6.0)) if state == "extruded" else None for state in states]
    return Subject(
        sex=sex, height_m=height, body_mass_kg=bmi * height**2, mpta_deg=mpta, ldfa_deg=ldfa, joint_line_convergence_deg=converging,  # type: ignore[arg-type]
        medial_slope_deg=slopes[0], lateral_slope_deg=slopes[1], cartilage_thickness_scale=CartilageThicknessScale(**scale),
        medial_meniscus=states[0], lateral_meniscus=states[1], medial_extrusion_mm=extrusion[0], lateral_extrusion_mm=extrusion[1])  # type: ignore[arg-type]


def has_damaged_meniscus(subject: Subject) -> bool:
    """Whether one of the menisci is not intact."""
    return (subject.medial_meniscus, subject.lateral_meniscus) != ("intact", "intact")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Balance:
    """A second look at the equilibrium of a knee, without the solver's kernels.

    Attributes:
        anatomy: the knee; its femur gives depth, direction and thickness.
        knee: springs, bands and weak springs as the solver was given them.
        model: law and stiffness.
    """

    anatomy: KneeAnatomy
    knee: PreparedKnee
    model: ContactModel

    def residual(self, cycle: ContactCycle, loads: JointLoads, flexion: Array, every: int = 1) -> Array:
        """Unbalanced generalised force over the load, (T, 2): tibia and patella; with `every` only in each so-manieth frame, 0 in the others."""
        unbalanced = np.zeros((len(flexion), 2))
        tracks = patella_track(self.knee, flexion)
        for k in range(0, len(flexion), every):
            unbalanced[k] = self._tibia(cycle, loads, flexion, k), self._patella(cycle, loads, tracks[k], k)
        return unbalanced

    def _tibia(self, cycle: ContactCycle, loads: JointLoads, flexion: Array, k: int) -> float:
        knee, pose = self.knee, cycle.femur_from_tibia[k]
        q = coordinates(pose)
        c, s = np.cos(flexion[k]), np.sin(flexion[k])
        bend = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
        pull = bend @ loads.wrench_force[k]
        expansion = {name: cycle.meniscus_expansion[k, 0 if "medial" in name else 1] for name in knee.menisci}
        force, moment = self._sums(knee.tibia, expansion, knee.tibia_lines, knee.tibia_anchor, pose)
        side, turn = self._lines_of_action(loads, k)
        tendon, tendon_turn, usual, usual_turn = self._tendon(loads, k, flexion[k], pose)
        moved = q[3:6] - knee.tibia_reference[3:6]
        along = np.array([s, c, 0.0])
        force = force + pull - usual + tendon - knee.tibia_weak[3:6] * moved - side * (moved - along * (along @ moved))
        turned = [(moment + tendon_turn) @ axis for axis in _axes(pose, q)[1:]]
        shift = knee.tilt_shift_mm * (loads.wrench_force[k] - bend.T @ usual)[1]  # loads are about the knee centre
        turned[0] += loads.wrench_moment[k, 0] - usual_turn[0] + shift - knee.tibia_weak[1] * (q[1] - knee.tibia_reference[1])
        turned[1] += loads.wrench_moment[k, 1] - usual_turn[1] - (knee.tibia_weak[2] + turn) * (q[2] - knee.tibia_reference[2])
        load = np.hypot(np.linalg.norm(loads.wrench_force[k]), np.linalg.norm(loads.wrench_moment[k, :2]) / LENGTH_MM)
        return float(np.linalg.norm([*force, *(np.array(turned) / LENGTH_MM)]) / max(load, LOAD_FLOOR_N))

    def _patella(self, cycle: ContactCycle, loads: JointLoads, rest: Array, k: int) -> float:
        knee, pose = self.knee, cycle.femur_from_patella[k]
        q, tibia = coordinates(pose), cycle.femur_from_tibia[k]
        anchor = np.where(knee.on_tibia[:, None], knee.patella_anchor @ tibia[:3, :3].T + tibia[:3, 3], knee.patella_anchor)
        force, moment = self._sums(knee.patella, {}, knee.patella_lines, anchor, pose)
        pull, arm = loads.quadriceps_pull[k], pose[:3, :3] @ self._quadriceps_point(loads, k)
        force = force + pull - knee.patella_weak[3:6] * (q[3:6] - rest[3:6])
        moment = moment + np.cross(arm, pull)
        turned = np.array([moment @ axis for axis in _axes(pose, q)]) - knee.patella_weak[:3] * (q[:3] - rest[:3])
        return float(np.linalg.norm([*force, *(turned / LENGTH_MM)]) / max(float(np.linalg.norm(pull)), LOAD_FLOOR_N))

    def _sums(self, springs: SpringSet, expansion: dict[str, float], lines: Lines, anchor: Array, pose: Array) -> tuple[Array, Array]:
        """Force (3,) N and moment (3,) N mm about the body's origin, femur frame, of contact and bands on the body."""
        rows, first = springs.rows(), springs.arrays[1]
        point, normal, (area, compliance, thickness), outward, (soft, growth) = rows[:, :3], rows[:, 3:6], rows[:, 6:9].T, rows[:, 9:12], rows[:, 12:].T
        shift = np.zeros(len(rows))
        for g, name in enumerate(springs.names):
            shift[first[g] * BLOCK: first[g + 1] * BLOCK] = expansion.get(name, 0.0)
        turn, origin = pose[:3, :3], pose[:3, 3]
        arm = (point + shift[:, None] * outward) @ turn.T
        value, gradient = evaluate(self.anatomy.femur_level_set, arm + origin)
        normal = normal @ turn.T
        part = np.clip((FACING[0] - (normal * gradient).sum(axis=1)) / (FACING[0] - FACING[1]), 0.0, 1.0)
        facing = part**2 * (3.0 - 2.0 * part)
        touching = (value < 0.0) & (facing > 0.0)
        layer = _thickness(self.anatomy.femur_level_set, arm[touching] + origin)
        stiffness, whole = facing[touching] / (compliance[touching] + layer * self.knee.femoral_compliance), thickness[touching] + layer
        pressure = _pressure(-value[touching], stiffness, whole, self.model.law == "nonlinear")
        wedge = np.flatnonzero(touching)[soft[touching] > 0.0]
        give = facing[wedge] / stiffness[soft[touching] > 0.0]
        pressure[soft[touching] > 0.0] = facing[wedge] * _through_wedge(-value[wedge], give, soft[wedge], growth[wedge])
        push = (pressure * area[touching])[:, None] * gradient[touching]
        point = lines.point @ turn.T
        along = anchor - point - origin
        length = np.linalg.norm(along, axis=1)
        tension = ligament_force(length, lines.slack, lines.stiffness, lines.toe)[0]
        draw = (tension / length)[:, None] * along
        return push.sum(axis=0) + draw.sum(axis=0), np.cross(arm[touching], push).sum(axis=0) + np.cross(point, draw).sum(axis=0)

    def _lines_of_action(self, loads: JointLoads, k: int) -> tuple[float, float]:
        """Stiffness of the tibia sideways, N/mm, and about its long axis, N mm/rad: F / L and F r^2 / L of the muscles but the quadriceps."""
        own = np.array([not name.startswith(self.knee.quadriceps_names) for name in loads.muscle_names], dtype=bool)
        muscles = float(np.maximum(loads.muscle_force[k, own], 0.0).sum())
        return muscles / self.model.muscle_length_mm, muscles * self.model.muscle_lever_mm**2 / self.model.muscle_length_mm

    def _tendon(self, loads: JointLoads, k: int, flexion: float, pose: Array) -> tuple[Array, Array, Array, Array]:
        """Patellar tendon on the tibia: force N and moment N mm (about the tibia origin) at this pose, femur frame; force (femur frame) and moment (tibia
        frame) that the wrench of the loads has for it in the usual pose."""
        knee, tension = self.knee, max(float(loads.patellar_tendon_force[k]), 0.0)
        tuberosity = knee.patella_anchor[knee.on_tibia].mean(axis=0)
        direction = extensor_mechanism(np.array([flexion]), 1.0, knee.source_scale).tendon_direction[0]
        bend = Rotation.from_euler("z", -flexion).as_matrix()
        rest = bend @ Rotation.from_euler("x", knee.tibia_reference[1]).as_matrix() @ Rotation.from_euler("y", knee.tibia_reference[2]).as_matrix()
        patella = rest @ tuberosity + knee.tibia_reference[3:6] + knee.patella_lines.slack[knee.on_tibia].mean() * bend @ direction
        arm = pose[:3, :3] @ tuberosity
        line = patella - arm - pose[:3, 3]
        force = tension * line / np.linalg.norm(line)
        return force, np.cross(arm, force), tension * bend @ direction, tension * np.cross(tuberosity, direction)

    def _quadriceps_point(self, loads: JointLoads, k: int) -> Array:
        weight = np.full(len(self.knee.quadriceps_names), 1e-6)
        for column, name in enumerate(loads.muscle_names):
            for head, known in enumerate(self.knee.quadriceps_names):
                if name.startswith(known):
                    weight[head] += max(loads.muscle_force[k, column], 0.0)
        return np.asarray(weight @ self.knee.quadriceps_point / weight.sum())


def _axes(pose: Array, q: Array) -> tuple[Array, Array, Array]:
    """Axes of the three angles in the femur frame: z of the femur, the floating axis, y of the body."""
    return np.array([0.0, 0.0, 1.0]), np.array([np.cos(q[0]), np.sin(q[0]), 0.0]), pose[:3, 1]


def _thickness(level_set: LevelSet, points: Array) -> Array:
    """Thickness (n,) mm of the femoral layer at points (n, 3) mm: B-splines with the values at the nodes as coefficients."""
    at = ((points - level_set.origin_mm) / level_set.spacing_mm).T
    return np.asarray(ndimage.map_coordinates(level_set.thickness_mm, at, output=np.float64, order=2, mode="nearest", prefilter=False))


def _pressure(depth: Array, stiffness: Array, thickness: Array, nonlinear: bool) -> Array:
    """Layer law of docs/contact.md, MPa: linear, or logarithmic with its tangent beyond 0.9 of the thickness."""
    if not nonlinear:
        return stiffness * depth
    held = np.minimum(depth, 0.9 * thickness)
    share = 1.0 - held / thickness
    return stiffness * (-thickness * np.log(share) + (depth - held) / share)


def _through_wedge(depth: Array, give: Array, soft: Array, growth: Array) -> Array:
    """Pressure, MPa, of linear layers of compliance `give` and a wedge with tangent modulus E0 + E1 strain; soft = height / E0, growth = E1 / E0^2.

    With s the tangent modulus over E0 the pressure is (s^2 - 1) / (2 growth) and the wedge gives way by soft (s - 1) / growth.
    """
    s = (np.sqrt(soft**2 + give * (2.0 * soft + give + 2.0 * growth * depth)) - soft) / give
    return np.asarray((s**2 - 1.0) / (2.0 * growth))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A frame that is not in order: who, what, when, and what the solver said."""

    number: int
    activity: str
    frame: int
    joint: str
    kind: str
    status: str
    residual: float
    second_residual: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One activity of one person.

    Attributes:
        number, activity: who and what.
        frames: number of frames.
        failures: frames that did not converge ("no equilibrium"), hold a number that is none ("nan"), or lie ("lie").
        worst: largest second residual among the frames called converged, no unit.
    """

    number: int
    activity: str
    frames: int
    failures: tuple[Failure, ...]
    worst: float


def records(seed: int, numbers: Iterable[int], law: str = "linear", every: int = 1, wide: bool = False) -> Iterator[Record]:
    """Run people of a seed through the five activities; the second look at `every` so-manieth frame."""
    model = ContactModel(law=law)  # type: ignore[arg-type]
    for number in numbers:
        case = Case(subject=person(seed, number, wide), contact=model)
        anatomy = anatomy_of(case)
        balance = Balance(anatomy=anatomy, knee=prepare(anatomy, model), model=model)
        for name in ACTIVITIES:
            yield _record(case, anatomy, balance, number, name, every)


def _record(case: Case, anatomy: KneeAnatomy, balance: Balance, number: int, name: str, every: int) -> Record:
    motion = motion_for(Activity(name=name), case.subject, case.gait_changes)
    loads = joint_loads(motion, case.subject, centres_flexion=anatomy.contact_centres_flexion, centres_mm=anatomy.contact_centres_mm,
                        muscles=case.muscles, source_scale=anatomy.source_scale)
    cycle = solve_cycle(anatomy, motion.knee_flexion, loads, balance.model)
    second = balance.residual(cycle, loads, motion.knee_flexion, every)
    status, residual = cycle.status, cycle.residual
    hanging = np.column_stack([np.zeros(len(status), bool), (status[:, 1] == NO_CONTACT) & (loads.quadriceps_force < UNLOADED_N)])
    good = ((status == 0) | hanging) & (residual <= RESIDUAL_LIMIT)
    broken = np.isnan(second) | np.isnan(residual) | ~_finite(cycle)[:, None]
    failures = []
    for kind, where in (("nan", broken), ("no equilibrium", ~good), ("lie", good & (second > LIE))):
        failures += [Failure(number=number, activity=name, frame=int(k), joint=("tibiofemoral", "patellofemoral")[j], kind=kind, status=STATUS[int(status[k, j])],
                             residual=float(residual[k, j]), second_residual=float(second[k, j])) for k, j in np.argwhere(where)]
    return Record(number=number, activity=name, frames=len(status), failures=tuple(failures), worst=float(np.where(good, second, 0.0).max()))


def _finite(cycle: ContactCycle) -> NDArray[np.bool_]:
    """Frames (T,) in which every number is one (a centre of pressure without contact has none, and says so)."""
    whole = np.isfinite(cycle.femur_from_tibia).all(axis=(1, 2)) & np.isfinite(cycle.femur_from_patella).all(axis=(1, 2)) & np.isfinite(cycle.ligament_force).all(axis=1)
    for name in ("medial", "lateral", "patellofemoral"):
        part = getattr(cycle, name)
        whole &= np.isfinite(np.column_stack([part.force, part.peak_pressure, part.mean_pressure, part.contact_area, part.meniscus_share])).all(axis=1)
        whole &= np.isfinite(part.centre_of_pressure).all(axis=1) | (part.contact_area == 0.0)
    for field in cycle.fields:
        whole &= np.isfinite(field.pressure).all(axis=1)
    return whole


def interval(bad: int, total: int) -> tuple[float, float]:
    """Exact 95 % confidence interval of a rate (Clopper and Pearson 1934), no unit."""
    low = 0.0 if bad == 0 else float(stats.beta.ppf(0.025, bad, total - bad + 1))
    return low, 1.0 if bad == total else float(stats.beta.ppf(0.975, bad + 1, total - bad))


def _print_rates(title: str, seen: list[Record]) -> None:
    frames = sum(record.frames for record in seen)
    print(title)
    for kind in ("no equilibrium", "nan", "lie"):
        bad = len({(f.number, f.activity, f.frame) for record in seen for f in record.failures if f.kind == kind})
        runs = sum(any(f.kind == kind for f in record.failures) for record in seen)
        for what, count, total in (("frames", bad, frames), ("person-activities", runs, len(seen))):
            low, high = interval(count, max(total, 1))
            print(f"  {kind:15s} {count:6d} of {total:7d} {what:18s} = {100.0 * count / max(total, 1):.3f} % (95 % interval {100.0 * low:.3f} to {100.0 * high:.3f} %)")


def main() -> None:
    """Run and print rates with their confidence intervals, and every failure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20, help="how many people (each does five activities)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first person")
    parser.add_argument("--law", choices=("linear", "nonlinear"), default="linear")
    parser.add_argument("--wide", action="store_true", help="draw rare knees often")
    parser.add_argument("--seconds", type=float, default=None, help="stop after this many seconds")
    arguments = parser.parse_args()
    started, seen, stopped = time.perf_counter(), [], []
    for number in range(arguments.first, arguments.first + arguments.people):
        try:
            seen += list(records(arguments.seed, [number], arguments.law, wide=arguments.wide))
        except InputError as error:
            stopped.append(f"person {number}: {error}")
        if arguments.seconds is not None and time.perf_counter() - started > arguments.seconds:
            break
    print(f"seed {arguments.seed}, {arguments.law} law{', wide' if arguments.wide else ''}: {len(seen)} person-activities, {time.perf_counter() - started:.0f} s")
    lost = {record.number for record in seen if has_damaged_meniscus(person(arguments.seed, record.number, arguments.wide))}
    groups = [[record for record in seen if (record.number in lost) == flag] for flag in (False, True)]
    for title, some in (("all", seen), ("both menisci intact", groups[0]), ("a meniscus extruded, torn at its root or removed", groups[1])):
        _print_rates(title, some)
    print(f"  largest second residual of a frame called converged: {max((record.worst for record in seen), default=0.0):.2e}")
    for reason, count in Counter((f.activity, f.joint, f.kind, f.status) for record in seen for f in record.failures).most_common():
        print("  ", count, *reason, sep="  ")
    for record in seen:
        for f in record.failures[:3]:
            print(f"   person {f.number} {f.activity} frame {f.frame} {f.joint}: {f.kind}, {f.status}, residual {f.residual:.2e}, second {f.second_residual:.2e}")
    print(*stopped, sep="\n")


if __name__ == "__main__":
    main()
