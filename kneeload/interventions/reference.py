"""What people try that has no mechanical path here: shown with its evidence, not simulated."""

from __future__ import annotations

from dataclasses import dataclass

from kneeload.errors import InputError
from kneeload.lesion.modifiers import EVIDENCE, Evidence

NOT_SIMULATED_KINDS = ("drug",)  # of `EVIDENCE`: the others are biomarkers, or have a row of their own among the interventions
NOT_SIMULATED_NAMES = ("core_decompression",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRow:
    """One treatment that is only shown.

    Attributes:
        name: key.
        kind: drug or procedure.
        finding: what studies found of lesions, in a word ("transient", "null", "mixed", "uncontrolled").
        sentence: the evidence, for a report.
        source: doi or PMC number.
        simulated: always False.
    """

    name: str
    kind: str
    finding: str
    sentence: str
    source: str
    simulated: bool = False


def reference_rows() -> tuple[ReferenceRow, ...]:
    """Return the treatments without a mechanical path, each with its evidence and marked as not simulated."""
    return tuple(ReferenceRow(name=row.name, kind=row.kind, finding=row.finding, sentence=row.sentence, source=row.source) for row in EVIDENCE if _is_reference(row))


def refuse_reference(name: str) -> None:
    """Raise InputError with the evidence if `name` is a treatment that is only shown; else do nothing.

    Raises:
        InputError: the treatment has no mechanical path.
    """
    for row in reference_rows():
        if row.name == name:
            raise InputError("intervention", where="intervention", got=name, allowed="one that changes load or bone: it has no mechanical path and is not simulated",
                             why=f"{row.sentence.rstrip('.')} ({row.source})")


def _is_reference(row: Evidence) -> bool:
    return row.kind in NOT_SIMULATED_KINDS or row.name in NOT_SIMULATED_NAMES
