"""Ranked values, against sorting."""

from __future__ import annotations

import numpy as np
import pytest

from kneeload.kernels.ranks import pick_ranks


@pytest.mark.parametrize("size", [1, 2, 50, 2001])
def test_ranked_values_are_those_of_sorted_columns(size: int) -> None:
    rng = np.random.default_rng(size)
    values = np.column_stack([rng.random(size), np.exp(5.0 * rng.standard_normal(size)), np.full(size, 0.3), np.zeros(size), rng.integers(0, 4, size) * 1.0,
                              np.where(rng.random(size) < 0.1, 1e6, 1.0 + 1e-12 * rng.random(size))])
    ranks = np.array(sorted({0, size // 40, size // 2, size - 1}))[::-1].copy()
    out = np.full((ranks.size, values.shape[1]), np.nan)
    pick_ranks(values, ranks, out)
    assert np.array_equal(out, np.sort(values, axis=0)[ranks])
