"""Measured lesions made by hand."""

from __future__ import annotations

import numpy as np

from kneeload.lesion.measured import MeasuredLesions, measured_lesions

WHOLE = np.full(15, 4000.0)  # mm3, region volumes


def of_volume(volume_mm3: np.ndarray | float) -> MeasuredLesions:
    """Lesions of these volumes in the 15 regions; grade 1 wherever there is one."""
    volume = np.broadcast_to(np.asarray(volume_mm3, float), (15,)).copy()
    return MeasuredLesions(grade=(volume > 0).astype(np.int8), volume_mm3=volume, attrition=np.zeros(15, np.int8), cyst=np.zeros(15, np.int8))


def of_grade(**grades: int) -> MeasuredLesions:
    return measured_lesions([{"region": region, "grade": grade} for region, grade in grades.items()])
