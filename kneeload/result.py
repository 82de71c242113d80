"""What a simulation returns, and the numbers that other programs read from it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.bone.dose import BoneLoad
from kneeload.bone.tensor import HalfSpaceSolid
from kneeload.case import Case
from kneeload.contact.cycle import COMPARTMENTS, ContactCycle
from kneeload.contact.cycle import STATUS as CONTACT_STATUS
from kneeload.errors import ConvergenceError
from kneeload.forces.loads import JointLoads
from kneeload.lesion.measured import MeasuredLesions
from kneeload.lesion.risk import LesionRisk, PainIndex
from kneeload.lesion.zones import ZoneMap
from kneeload.motion.motion import Motion
from kneeload.subject.anatomy import MOAKS_REGIONS, KneeAnatomy
from kneeload.units import DEG, NMM_PER_NM

Array = NDArray[np.float64]
UNLOADED_N = 20.0  # quadriceps force below which the patella counts as unloaded (the load that the residual of such a frame is measured by)
NO_CONTACT = 3  # code in kneeload.contact.cycle.STATUS
RESIDUAL_LIMIT = 1e-3  # unbalanced share of the applied load that is still called equilibrium
COMPARTMENT_OF_REGION = {
    region: "patellofemoral" if region.startswith("patella") or "trochlea" in region else region.rsplit("_", 1)[1]
    for region in MOAKS_REGIONS if region != "tibia_subspinous"
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActivityResult:
    """Motion, forces and contact of one activity (contact None at the load level)."""

    motion: Motion
    loads: JointLoads
    contact: ContactCycle | None

    def force(self, compartment: str) -> Array:
        """Force over the cycle, (101,) N: "medial", "lateral", "tibiofemoral" (their sum) or "patellofemoral".

        With contact it is the contact's own equilibrium, at the load level the frontal-plane balance and the extensor mechanism.
        """
        if compartment == "tibiofemoral":
            return self.force("medial") + self.force("lateral")
        if self.contact is not None:
            return getattr(self.contact, compartment).force
        return getattr(self.loads, f"{compartment}_force")


def check_equilibrium(result: ActivityResult) -> ActivityResult:
    """Return the result if every frame is in equilibrium, else raise ConvergenceError naming activity, joint and frames.

    A patella that nothing pulls may hang in its bands without touching the femur: that is an equilibrium without contact.
    """
    if result.contact is not None:
        hanging = (result.contact.status[:, 1] == NO_CONTACT) & (result.loads.quadriceps_force < UNLOADED_N)
        for column, joint in enumerate(("tibiofemoral", "patellofemoral")):
            failed = (result.contact.status[:, column] != 0) & ~(hanging if column == 1 else False)
            bad = np.flatnonzero(failed | ~(result.contact.residual[:, column] <= RESIDUAL_LIMIT))
            if bad.size:
                reason = CONTACT_STATUS[int(result.contact.status[bad[0], column])]
                raise ConvergenceError(f"The {joint} contact of {result.motion.activity} has no equilibrium in {bad.size} of {len(result.contact.status)} frames "
                                       f"(first at {bad[0]} % of the cycle: {reason}); the load or the geometry is outside what the joint can carry")
    return result


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KneeResult:
    """The answer for one case. Arrays are for a right knee in its own frames; a left knee is the mirror image (z reversed).

    Attributes:
        case: what was asked.
        anatomy: the surfaces that were used.
        day: result per activity of the day; the case's own activity is the first.
        bone, lesion, pain: None at the load level.
        measured: lesions read from images of this knee (`Case.findings`), None where there are none.
        before: result of the case without its interventions, None for an untouched case.
        timing: compile_s and solve_ms.
        find_zones: what `zones` asks, None at the load level.
        find_spread: what `spread` asks, None for an untouched case.
    """

    case: Case
    anatomy: KneeAnatomy
    day: Mapping[str, ActivityResult]
    bone: BoneLoad | None
    lesion: LesionRisk | None
    pain: Mapping[str, PainIndex] | None
    measured: MeasuredLesions | None
    before: KneeResult | None
    timing: Mapping[str, float]
    find_zones: Callable[[], ZoneMap] | None
    find_spread: Callable[[KneeResult], dict[str, Any]] | None = None

    @property
    def main(self) -> ActivityResult:
        """The case's own activity."""
        return self.day[self.case.activity.name]

    @property
    def change(self) -> dict[str, dict[str, float]] | None:
        """Percent changes against `before` per compartment, for this person alone; None for an untouched case."""
        return None if self.before is None else compare(self.before, self)

    def peak_frame(self, compartment: str) -> int:
        """Frame at which the force of a compartment is largest."""
        return int(np.argmax(self.main.force(compartment)))

    def zones(self) -> ZoneMap | None:
        """Bone that carries more than goes with twice the risk; None at the load level. Takes about a third of a second when it is first asked for."""
        return _zones(self)

    def spread(self) -> dict[str, Any] | None:
        """What `change` means for other people: intervals, risk, pain and evidence (`kneeload.spread`), None for an untouched case.

        Takes one to three seconds when it is first asked for.
        """
        return _spread(self)

    def summary(self) -> dict[str, Any]:
        """The numbers of summary.json (plain Python types, units in the names)."""
        found = self.numbers()
        agreement = found.pop("agreement")
        if (spread := self.spread()) is not None:
            found["change"] = {name: {**spread[name], **(found["change"] or {})[name]} if name in (found["change"] or {}) else spread[name] for name in spread}
        if found["lesion"] is not None:
            found["lesion"] = {"regions": _with_zones(found["lesion"]["regions"], self.zones())}
        return {
            "version": version_of_kneeload(), "status": "ok", "error": None,
            "subject": {**asdict(self.case.subject), "bmi": self.case.subject.bmi, "hka_deg": self.case.subject.hka_deg},
            "activity": self.case.activity.name, "interventions": list(self.case.interventions), "notes": list(self.case.notes),
            **found, "timing": dict(self.timing), "agreement": agreement, "provenance": provenance(self.case, self.main.motion, self.anatomy.name),
        }

    def numbers(self) -> dict[str, dict[str, Any] | None]:
        """The parts of `summary()` that are answers and need no volume of bone: nothing about the case, the time or the machine."""
        return {"loads": _loads(self), "contact": _contact(self), "bone": _bone(self), "lesion": _lesion(self),
                "pain": None if self.pain is None else {name: asdict(index) for name, index in self.pain.items()}, "change": None if self.before is None else changes(self.before, self), "agreement": _agreement(self)}

    def waveforms(self) -> dict[str, Array]:
        """Columns of waveforms.csv, (101,) each, units in the names."""
        motion, loads, contact = self.main.motion, self.main.loads, self.main.contact
        columns = {
            "cycle_percent": np.linspace(0.0, 100.0, len(motion.time)), "time_s": motion.time,
            "knee_flexion_deg": motion.knee_flexion / DEG, "knee_extension_moment_nm": motion.knee_extension_moment / NMM_PER_NM,
            "knee_adduction_moment_external_nm": loads.knee_adduction_moment / NMM_PER_NM,
            **{f"{name}_force_n": self.main.force(name) for name in ("tibiofemoral", "medial", "lateral", "patellofemoral")},
            "quadriceps_force_n": loads.quadriceps_force,
            "patellar_tendon_force_n": loads.patellar_tendon_force if contact is None else contact.patellar_tendon_force,
            **{f"{name}_force_n": loads.muscle_force[:, i] for i, name in enumerate(loads.muscle_names)},
        }
        names, forces = (loads.ligament_names, loads.ligament_force) if contact is None else (contact.ligament_names, contact.ligament_force)
        columns |= {f"{name}_force_n": forces[:, i] for i, name in enumerate(names)}
        if contact is not None:
            columns |= {f"{name}_{quantity}": getattr(getattr(contact, name), field) for name in COMPARTMENTS
                        for quantity, field in (("peak_pressure_mpa", "peak_pressure"), ("mean_pressure_mpa", "mean_pressure"), ("contact_area_mm2", "contact_area"))}
            columns["equilibrium_residual"] = contact.residual.max(axis=1)
        return columns | dict(motion.measured or {})

    def contact_places(self) -> dict[str, list[str] | Array]:
        """Columns of contact.csv, one row per frame and compartment or MOAKS region; empty at the load level."""
        from kneeload.contact.region_contact import contact_columns  # only here: summary() does not need it

        return {} if self.main.contact is None else contact_columns(self.anatomy, self.main.contact)

    def regions(self) -> dict[str, list[Any]]:
        """Columns of regions.csv, one row per MOAKS region; empty at the load level."""
        if self.bone is None or self.lesion is None:
            return {}
        bone, lesion, zones = self.bone, self.lesion, self.zones()
        assert zones is not None
        whole = np.where(bone.daily_dose > 0.0, bone.daily_dose, 1.0)
        return {
            "region": list(MOAKS_REGIONS), "peak_stress_mpa": bone.peak_stress.tolist(), "peak_contact_pressure_mpa": bone.peak_contact_pressure.tolist(),
            "daily_dose_mpa_s": bone.daily_dose.tolist(),
            **{f"daily_dose_{name}_mpa_s": bone.dose_by_activity[:, i].tolist() for i, name in enumerate(bone.activities)},
            "risk_24mo": lesion.risk_24mo.tolist(), "risk_24mo_low": lesion.risk_24mo_low.tolist(), "risk_24mo_high": lesion.risk_24mo_high.tolist(),
            "relative_risk": lesion.relative_risk.tolist(), **_zone_columns(zones), "region_volume_mm3": zones.region_volume_mm3.tolist(),
            **{f"dose_share_{name}": (bone.dose_by_activity[:, i] / whole).tolist() for i, name in enumerate(bone.activities)},
            **{f"zone_share_{name}": zones.activity_share[:, i].tolist() for i, name in enumerate(zones.activities)},
            "peak_energy_density_kpa": _peak_energy(zones),
            "stimulus_mpa": [] if bone.stimulus is None else bone.stimulus.tolist(),
        }


def compare(before: KneeResult, after: KneeResult) -> dict[str, dict[str, float]]:
    """Percent change per compartment from one result to another (negative = falls): "peak_force_pct", "impulse_pct" and so on, see `amounts`."""
    return {name: row for name, row in changes(before, after).items() if name in COMPARTMENTS}


def changes(before: KneeResult, after: KneeResult) -> dict[str, dict[str, float]]:
    """Percent change of all `amounts`, those of the adduction moment under "kam"; nan where an amount is nan."""
    first, second = amounts(before), amounts(after)
    return {part: {f"{name}_pct": _percent(value, second[part][name]) for name, value in row.items()} for part, row in first.items()}


def amounts(result: KneeResult) -> dict[str, dict[str, float]]:
    """What `changes` compares, per compartment and, under "kam", of the external adduction moment.

    Per compartment: peak_force N, impulse N s and peak_pressure MPa (largest over the cycle) of the case's activity, peak_bone_stress and stimulus MPa (largest of
    its regions), daily_dose MPa s per day (sum of its regions). Results of the load level have no pressure, stress and dose: those are nan, as are the two peaks of
    the moment (N mm) where there is no stance.
    """
    main, contact = result.main, result.main.contact
    stress, stimulus = ((None, None) if result.bone is None else (result.bone.peak_stress, result.bone.stimulus))
    rows = [_largest(stress), compartment_dose(result), _largest(stimulus)]
    out = {name: {
        "peak_force": float(main.force(name).max()), "impulse": float(np.trapezoid(main.force(name), main.motion.time)),
        "peak_pressure": float("nan") if contact is None else float(getattr(contact, name).peak_pressure.max()),
        **{key: row[name] for key, row in zip(("peak_bone_stress", "daily_dose", "stimulus"), rows)}} for name in COMPARTMENTS}
    return out | {"kam": _adduction_moment(result)}


def _adduction_moment(result: KneeResult) -> dict[str, float]:
    """Largest external adduction moment, largest in the first and in the second half of stance (nan without stance), N mm, and impulse of its positive part, N mm s."""
    moment, motion = result.main.loads.knee_adduction_moment, result.main.motion
    stance = np.flatnonzero(motion.stance)
    halves = np.array_split(moment[stance], 2) if 2 <= stance.size < moment.size else [np.array([np.nan])] * 2
    return {"peak": float(moment.max()), "first_peak": float(halves[0].max()), "second_peak": float(halves[1].max()),
            "impulse": float(np.trapezoid(np.maximum(moment, 0.0), motion.time))}


def _largest(values: Array | None) -> dict[str, float]:
    """Largest of the regions (15,) of each compartment, nan where there are none."""
    if values is None:
        return dict.fromkeys(COMPARTMENTS, float("nan"))
    return {name: max(float(value) for region, value in zip(MOAKS_REGIONS, values) if COMPARTMENT_OF_REGION.get(region) == name) for name in COMPARTMENTS}


def compartment_dose(result: KneeResult) -> dict[str, float]:
    """Daily dose summed over the regions of each compartment, MPa s per day (nan at the load level)."""
    if result.bone is None:
        return dict.fromkeys(COMPARTMENTS, float("nan"))
    return {name: float(sum(dose for region, dose in zip(MOAKS_REGIONS, result.bone.daily_dose) if COMPARTMENT_OF_REGION.get(region) == name)) for name in COMPARTMENTS}


def _percent(before: float, after: float) -> float:
    return 0.0 if before == after else (100.0 * (after - before) / abs(before) if before else float("inf"))


def _loads(result: KneeResult) -> dict[str, Any]:
    main, weight = result.main, result.case.subject.body_weight_n
    forces = {name: main.force(name) for name in ("tibiofemoral", "medial", "lateral", "patellofemoral")}
    total, medial = forces["tibiofemoral"], forces["medial"]
    peak, impulse = int(np.argmax(total)), float(np.trapezoid(total, main.motion.time))
    return {
        "body_weight_n": weight,
        "peak_kam_nm": float(main.loads.knee_adduction_moment.max()) / NMM_PER_NM,
        "peak_kfm_nm": float(main.motion.knee_extension_moment.max()) / NMM_PER_NM,
        **{name: {"peak_force_n": float(force.max()), "peak_force_bw": float(force.max()) / weight, "impulse_ns": float(np.trapezoid(force, main.motion.time))}
           for name, force in forces.items()},
        "medial_share_at_peak": float(medial[peak] / total[peak]) if total[peak] > 0 else None,
        "medial_share_of_impulse": float(np.trapezoid(medial, main.motion.time)) / impulse if impulse > 0 else None,
    }


def _contact(result: KneeResult) -> dict[str, Any] | None:
    contact = result.main.contact
    if contact is None:
        return None
    summary = {}
    for name in COMPARTMENTS:
        part, frame = getattr(contact, name), result.peak_frame(name)
        summary[name] = {"peak_pressure_mpa": float(part.peak_pressure[frame]), "mean_pressure_mpa": float(part.mean_pressure[frame]),
                         "contact_area_mm2": float(part.contact_area[frame]), "meniscus_load_share": float(part.meniscus_share[frame])}
    return summary


def _bone(result: KneeResult) -> dict[str, Any] | None:
    if result.bone is None:
        return None
    return {"regions": {region: {"peak_stress_mpa": float(result.bone.peak_stress[i]), "daily_dose_mpa_s": float(result.bone.daily_dose[i])} for i, region in enumerate(MOAKS_REGIONS)}}


def _lesion(result: KneeResult) -> dict[str, Any] | None:
    risk = result.lesion
    if risk is None:
        return None
    return {"regions": {region: {"risk_24mo": float(risk.risk_24mo[i]), "risk_24mo_low": float(risk.risk_24mo_low[i]), "risk_24mo_high": float(risk.risk_24mo_high[i]),
                                 "relative_risk": float(risk.relative_risk[i]), "area_grade": int(risk.grade[i]),
                                 **({} if risk.horizon_years == 2.0 else {"horizon_years": risk.horizon_years, "risk": float(risk.risk[i]), "risk_low": float(risk.risk_low[i]),
                                                                          "risk_high": float(risk.risk_high[i])})} for i, region in enumerate(MOAKS_REGIONS)}}


@lru_cache(maxsize=8)
def _spread(result: KneeResult) -> dict[str, Any] | None:
    return None if result.find_spread is None else result.find_spread(result)


@lru_cache(maxsize=8)
def _zones(result: KneeResult) -> ZoneMap | None:
    return None if result.find_zones is None else result.find_zones()


def _with_zones(regions: Mapping[str, dict[str, Any]], zones: ZoneMap | None) -> dict[str, Any]:
    """Return the regions of a summary with the size of their zones and its grades."""
    if zones is None:
        return dict(regions)
    columns = _zone_columns(zones)
    return {region: {**row, **{name: column[i] for name, column in columns.items()}, "zone_activities": dict(zip(zones.activities, zones.activity_share[i].tolist()))}
            for i, (region, row) in enumerate(regions.items())}


def _peak_energy(zones: ZoneMap) -> list[float]:
    """Largest strain energy density in each region over the activities of the day, (15,) kPa: effective stress squared over twice the modulus."""
    solid, peak = HalfSpaceSolid(), np.zeros(len(MOAKS_REGIONS))
    for bone in zones.bones.values():
        own = bone.volume.region >= 0
        np.maximum.at(peak, bone.volume.region[own], bone.peak[own])
    return (1000.0 * peak**2 / (2.0 * solid.youngs_modulus_mpa)).tolist()


def _zone_columns(zones: ZoneMap) -> dict[str, list[Any]]:
    return {"grade": zones.moaks_grade.tolist(), "grade_worms": zones.worms_grade.tolist(), "zone_volume_mm3": zones.volume_mm3.tolist(),
            "zone_volume_low_mm3": zones.volume_low_mm3.tolist(), "zone_volume_high_mm3": zones.volume_high_mm3.tolist(), "zone_share": zones.share.tolist()}


def _agreement(result: KneeResult) -> dict[str, Any] | None:
    from kneeload.forces.agreement import COLUMNS, compare_with_measured

    measured = result.main.motion.measured or {}
    return compare_with_measured(result.main.loads, result.main.motion) if set(COLUMNS.values()) <= set(measured) else None


def version_of_kneeload() -> str:
    """Version of the installed package."""
    from importlib.metadata import version

    return version("kneeload")


def provenance(case: Case, motion: Motion, anatomy: str) -> dict[str, Any]:
    """What a reader needs to get the same numbers again (no paths, no host names)."""
    import numba
    import scipy

    from kneeload.kernels.cache import source_hash

    return {
        "kneeload": version_of_kneeload(), "python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__, "numba": numba.__version__,
        "kernels": source_hash(), "machine": platform.machine(), "anatomy": anatomy, "motion_source": motion.source,
        "calibrated": None if case.calibration is None else case.calibration.provenance(motion.source),
        "contact_law": None if case.contact is None else case.contact.law, "note": "Information for research and teaching; not a diagnosis.",
    }


class Stopwatch:
    """Wall time since construction, split into Numba compilation and the rest."""

    def __init__(self) -> None:
        from numba.core import event

        self._listener = event.TimingListener()
        self._event = event
        event.register("numba:compile", self._listener)
        self._start = time.perf_counter()

    def read(self) -> dict[str, float]:
        """Return {"compile_s", "solve_ms"} and stop listening."""
        elapsed = time.perf_counter() - self._start
        self._event.unregister("numba:compile", self._listener)
        compiled = self._listener.duration if self._listener.done else 0.0
        return {"compile_s": compiled, "solve_ms": 1000.0 * max(elapsed - compiled, 0.0)}
