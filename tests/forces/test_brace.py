"""The off-loader brace."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.forces.brace import Brace
from kneeload.subject.person import Subject


def test_moment_is_measured_size_linear_in_angle_and_acts_on_a_loaded_straight_leg():
    flexion, load = np.radians([0.0, 0.0, 60.0, 0.0, 100.0]), np.array([800.0, 200.0, 800.0, -40.0, 800.0])
    moment = Brace(valgus_deg=4.0).moment(flexion, load, 800.0)
    assert moment[0] == pytest.approx((16 * 0.053 * 83.0 + 11 * 7.1) / 27 * 1000.0, rel=0.01)  # Schmalz 2010 and Pollo 2002
    assert moment[1] == pytest.approx(0.5 * moment[0]) and moment[2] == pytest.approx(0.5 * moment[0])
    assert moment[3] == 0.0 and moment[4] == 0.0
    np.testing.assert_allclose(Brace(valgus_deg=8.0).moment(flexion, load, 800.0), 2.0 * moment)


def test_walking_with_a_brace(knee, walking):
    """Brandon 2019: peak medial -0.1 to -0.3 BW, lateral +0.03 to +0.2 BW; Pollo 2002: adduction moment -13 %, 114 N, at 4 degrees."""
    bare = walking[1]
    weight = Subject().body_weight_n
    braced = knee.walk(brace=Brace(valgus_deg=4.0))[1]
    relief = bare.medial_force.max() - braced.medial_force.max()
    assert 0.1 < relief / weight < 0.3 and relief == pytest.approx(114.0, abs=40.0)
    assert 0.03 < (braced.lateral_force.max() - bare.lateral_force.max()) / weight < 0.2
    change = braced.knee_adduction_moment.max() / bare.knee_adduction_moment.max() - 1.0
    assert -0.18 < change < -0.08
    stronger = knee.walk(brace=Brace(valgus_deg=8.0))[1]
    assert -0.16 < stronger.medial_force.max() / bare.medial_force.max() - 1.0 < -0.06
    assert braced.wrench_moment[:, 0].max() < bare.wrench_moment[:, 0].max()
    np.testing.assert_array_equal(knee.walk(brace=Brace(valgus_deg=0.0))[1].medial_force, bare.medial_force)


@pytest.mark.parametrize("settings", [{"valgus_deg": -13.0}, {"valgus_deg": 30.0}, {"hours_per_day": 25.0}, {"valgus_deg": "4"}])
def test_bad_settings(settings):
    with pytest.raises(InputError, match="unloader_brace"):
        Brace(**settings)
