"""The stored meshes are the ones that the coefficients give."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.subject.bones import extracted_bone
from kneeload.subject.femur import extracted_femur
from kneeload.subject.stored_meshes import stored_mesh, stored_nearest


@pytest.mark.parametrize("name", ["tibia", "patella"])
def test_bones(name: str) -> None:
    fresh, stored = extracted_bone(name), stored_mesh(name)
    assert np.array_equal(fresh.triangles, stored.triangles)
    assert np.allclose(fresh.points, stored.points, rtol=0.0, atol=2e-5)  # single precision at 100 mm is 8e-6 mm


def test_femur_and_its_nearest_triangles() -> None:
    fresh, nearest = extracted_femur("female")
    stored = stored_mesh("femur_female")
    assert np.array_equal(fresh.triangles, stored.triangles)
    assert np.allclose(fresh.points, stored.points, rtol=0.0, atol=2e-5)
    assert np.mean(nearest != stored_nearest("femur_female")) < 1e-3  # a node between two triangles may fall either way
