"""Fixtures of the contact room."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def reference_knee():
    from kneeload.subject.person import Subject
    from kneeload.subject.reference import reference_anatomy

    return reference_anatomy(Subject())
