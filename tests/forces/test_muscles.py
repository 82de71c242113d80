"""Muscle geometry, strength and settings."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.forces.fit_muscle_geometry import main
from kneeload.forces.muscle_geometry import (
    ACHILLES,
    ANKLE_MUSCLES,
    HIP_MUSCLES,
    KNEE_MUSCLES,
    QUADRICEPS,
    TABLE,
    muscle_geometry,
)
from kneeload.forces.muscles import MuscleModel, active_force_factor, capacity, effort_weights, strength_scale
from kneeload.subject.person import Subject

ALL = KNEE_MUSCLES + HIP_MUSCLES + ANKLE_MUSCLES


def angles(*degrees):
    return [np.radians(np.atleast_1d(np.asarray(d, dtype=float))) for d in degrees]


def test_forty_muscles_and_every_moment_arm_fitted_below_a_millimetre():
    with TABLE.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["muscle"] for row in rows} == set(ALL) and len(ALL) == 40
    arms = [float(row["rms_error"]) for row in rows if row["quantity"].endswith("arm_mm")]
    assert len(arms) >= 49 and max(arms) < 1.0


def test_fit_reproduces_the_table_and_the_tabulated_arms(shared_data, tmp_path):
    target = tmp_path / "table.csv"
    assert main([str(shared_data / "muscle_geometry"), str(target)]) == 0
    with target.open(newline="") as new, TABLE.open(newline="") as old:
        for fresh, kept in zip(csv.reader(new), csv.reader(old), strict=True):
            assert fresh[:3] == kept[:3]
            if fresh[3] != "rms_error":
                np.testing.assert_allclose([float(c) for c in fresh[5:]], [float(c) for c in kept[5:]], rtol=1e-4, atol=1e-4)
    assert main([]) == 2


def test_knee_arm_agrees_with_the_change_of_length():
    """A moment arm is minus the derivative of muscle length by the angle (virtual work), so the two fits check each other.

    Left out: the gastrocnemius, whose tabulated length (it wraps on the shank) misses its tabulated arm by 6 mm RMS in the source.
    """
    flexion = np.radians(np.linspace(5.0, 115.0, 111))
    zero, step = np.zeros_like(flexion), 1e-4
    longer, shorter = (muscle_geometry(KNEE_MUSCLES, flexion + s, zero, zero).length for s in (step, -step))
    arm = (longer - shorter) / (2.0 * step)  # a muscle that extends is stretched by flexion
    error = arm - muscle_geometry(KNEE_MUSCLES, flexion, zero, zero).knee_extension_arm
    others = [i for i, name in enumerate(KNEE_MUSCLES) if not name.startswith("gas")]
    assert np.sqrt((error[:, others] ** 2).mean(axis=0)).max() < 0.6  # mm; each fit errs by less than 0.5


def test_signs_of_arms_and_lines():
    g = muscle_geometry(ALL, *angles(20, 10, 0))
    column = {name: i for i, name in enumerate(ALL)}
    assert all(g.knee_extension_arm[0, column[name]] > 30.0 for name in QUADRICEPS)
    assert all(g.knee_extension_arm[0, column[name]] < -10.0 for name in ("bflh", "semimem", "gasmed", "sart"))
    assert g.hip_flexion_arm[0, column["psoas"]] > 0.0 > g.hip_flexion_arm[0, column["glmax2"]]
    assert g.ankle_dorsiflexion_arm[0, column["tibant"]] > 0.0 > g.ankle_dorsiflexion_arm[0, column["soleus"]]
    assert g.moment[0, column["bflh"], 0] < 0.0 < g.moment[0, column["semimem"], 0]  # a lateral muscle turns the tibia into valgus
    norm = np.linalg.norm(g.force[0, [column["bflh"], column["gasmed"]]], axis=1)
    np.testing.assert_allclose(norm, 1.0, atol=0.01)


def test_achilles_arm_is_the_mean_of_living_loaded_tendons():
    g = muscle_geometry(ACHILLES, *angles(0, 0, -10))
    assert -g.ankle_dorsiflexion_arm.mean() == pytest.approx(np.mean([40.0, 64.0, 53.0, 38.1, 56.0, 57.0, 53.0]), abs=0.1)  # mm, Manal 2013


def test_angles_outside_the_table_are_held():
    inside, outside = (muscle_geometry(ALL, *angles(k, h, a)) for k, h, a in ((120, 90, 30), (150, 110, 45)))
    np.testing.assert_allclose(inside.knee_extension_arm, outside.knee_extension_arm, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(inside.ankle_dorsiflexion_arm, outside.ankle_dorsiflexion_arm, rtol=1e-12, atol=1e-12)


def test_strength_falls_off_the_optimal_length_and_grows_with_mass():
    g = muscle_geometry(KNEE_MUSCLES, *angles([0, 60, 120], [0, 0, 0], [0, 0, 0]))
    factor = active_force_factor(g)
    assert (factor > 0.0).all() and (factor <= 1.0).all()
    vastus = factor[:, KNEE_MUSCLES.index("vaslat")]
    assert vastus[1] > vastus[0] and vastus[1] > vastus[2]
    light, heavy = Subject(body_mass_kg=60.0), Subject(body_mass_kg=120.0)
    np.testing.assert_allclose(capacity(g, heavy, MuscleModel()), 2.0 * capacity(g, light, MuscleModel()))
    assert strength_scale(Subject(body_mass_kg=75.0)) == 1.0
    weights = effort_weights(g, MuscleModel())
    assert weights.mean() == pytest.approx(1.0) and weights[KNEE_MUSCLES.index("vaslat")] > weights[KNEE_MUSCLES.index("grac")]


@pytest.mark.parametrize(("field", "value"), [("effort", "fatigue"), ("least_activation", -0.1), ("least_activation", float("nan")), ("steadiness", 9.0),
                                              ("strength_scale", 0.0), ("co_contraction", 1), ("moment_variation", "much")])
def test_bad_settings_say_what_and_where(field, value):
    with pytest.raises(InputError, match=f"muscles.{field}"):
        MuscleModel(**{field: value})
