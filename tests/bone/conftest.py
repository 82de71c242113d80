"""Fixtures of the bone room."""

from __future__ import annotations

import pytest
from synthetic_knee import Synthetic, make_synthetic


@pytest.fixture(scope="session")
def synthetic() -> Synthetic:
    """A synthetic knee with contact over a day."""
    return make_synthetic()
