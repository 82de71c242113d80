"""Strength and coordination after training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kneeload.errors import InputError
from kneeload.forces.training import Training

NAMES = ("vasmed", "recfem", "glmed1", "tfl", "bflh", "soleus", "gasmed")


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_stronger_muscle_is_cheaper_per_newton_only_by_its_volume(gain: float, size: float) -> None:
    training = Training(quadriceps=gain, size_share=size)
    cost = training.effort_factor(NAMES) / training.capacity_factor(NAMES) ** 2  # of a given force, over what it was
    volume = 1.0 + size * gain
    np.testing.assert_allclose(cost, [1.0 / volume, 1.0 / volume, 1.0, 1.0, 1.0, 1.0, 1.0])


def test_each_group_has_its_muscles():
    np.testing.assert_allclose(Training(quadriceps=0.2, hip=0.1, hamstrings=0.3).capacity_factor(NAMES), [1.2, 1.2, 1.1, 1.1, 1.3, 1.0, 1.0])


def test_strength_is_capacity_and_hardly_load(knee, walking):
    """Published: no mean change of contact force by exercise (0.09, -0.05 to 0.22 SD)."""
    plain, strong = walking[1], knee.loads(walking[0], training=Training(quadriceps=0.2, hip=0.2))
    heads = [plain.muscle_names.index(name) for name in ("vasint", "vaslat", "vasmed")]
    assert strong.activation[:, heads].max() == pytest.approx(plain.activation[:, heads].max() / 1.2, rel=0.03)
    for side in ("medial_force", "tibiofemoral_force", "patellofemoral_force"):
        assert getattr(strong, side).max() == pytest.approx(getattr(plain, side).max(), rel=0.01)
    drive = knee.loads(walking[0], training=Training(quadriceps=0.2, hip=0.2, size_share=0.0))
    np.testing.assert_allclose(drive.muscle_force, plain.muscle_force, atol=2.0)  # drive alone: the same forces at less activation


def test_less_gastrocnemius_is_a_bound_in_every_frame_and_lowers_the_late_peak(knee, walking):
    motion, plain = walking
    less = knee.loads(motion, training=Training(gastrocnemius_less=0.25))
    calf = [plain.muscle_names.index(name) for name in ("gasmed", "gaslat")]
    assert (less.muscle_force[:, calf] <= 0.75 * plain.muscle_force[:, calf] + 1e-6).all()
    late = slice(40, 62)
    assert 0.76 < less.tibiofemoral_force[late].max() / plain.tibiofemoral_force[late].max() < 0.995  # -12 (SD 12) %, Uhlrich 2022
    assert less.status.max() == 0
    np.testing.assert_array_equal(knee.loads(motion, training=Training()).muscle_force, plain.muscle_force)


def test_it_is_not_done_on_stairs_and_varies_between_people(knee):
    motion = knee.motion("stair_ascent")
    np.testing.assert_array_equal(knee.loads(motion, training=Training(gastrocnemius_less=0.5)).muscle_force, knee.loads(motion).muscle_force)
    assert Training(gastrocnemius_less=0.25, response_z=1.0).less_gastrocnemius("walking") == pytest.approx(0.40)  # Uhlrich 2022: 25 (SD 15) %
    assert Training(gastrocnemius_less=0.25, response_z=-5.0).less_gastrocnemius("walking") == 0.0


@pytest.mark.parametrize("settings", [{"quadriceps": 2.0}, {"size_share": -0.1}, {"gastrocnemius_less": 1.5}, {"response_z": 9.0}])
def test_bad_settings(settings):
    with pytest.raises(InputError, match="training"):
        Training(**settings)
