"""Errors of one person's strides: calibrated beside the generic prediction and plain static optimisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kneeload.calibration.fitting import Fit, KneeModel, Stride
from kneeload.forces.agreement import compare_with_measured

MODELS = ("plain static optimisation", "generic", "calibrated")


@dataclass(frozen=True, slots=True, kw_only=True)
class StrideError:
    """Agreement of one model with one stride.

    Attributes:
        stride: name.
        use: "fitted", "tested", or "left out" of a fit to the other fitted strides.
        model: one of `MODELS`. Only "calibrated" has seen measured forces of this person.
        medial_rms_n, lateral_rms_n, total_rms_n: root-mean-square errors, N.
        medial_r2, lateral_r2, total_r2: coefficients of determination, no unit.
        reserve_frames: how many frames needed a moment that no muscle could supply.
    """

    stride: str
    use: str
    model: str
    medial_rms_n: float
    medial_r2: float
    lateral_rms_n: float
    lateral_r2: float
    total_rms_n: float
    total_r2: float
    reserve_frames: int


def compare(knee: KneeModel, answer: Fit, fitted: Sequence[Stride], tested: Sequence[Stride], *, use: str = "tested") -> tuple[StrideError, ...]:
    """Return the errors of every stride under every model, fitted strides first; `use` names the second kind."""
    constants = answer.constants()
    plain = replace(knee, muscles=replace(knee.muscles, effort="activation", co_contraction=False))
    rows = []
    for kind, strides in (("fitted", fitted), (use, tested)):
        for stride in strides:
            for model, loads in zip(MODELS, (plain.loads(stride.motion), knee.loads(stride.motion), knee.loads(stride.motion, constants))):
                rows.append(StrideError(stride=stride.name, use=kind, model=model, reserve_frames=int((loads.status != 0).sum()),
                                        **compare_with_measured(loads, stride.motion)))
    return tuple(rows)
