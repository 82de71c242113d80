"""Forces of muscle groups."""

from __future__ import annotations

from collections.abc import Sequence

from kneeload.subject.person import Subject
from kneeload.validation.bench import Bench, activity_of, peak, run, within
from kneeload.validation.predictors.registry import predictor

GROUPS = {"quadriceps": ("recfem", "vasint", "vaslat", "vasmed"), "gastrocnemius": ("gasmed", "gaslat"),
          "hamstrings": ("bflh", "bfsh", "semimem", "semiten")}


@predictor
def muscle_group_peak_n(bench: Bench, subject: Subject, *, group: str, activity: str, window: Sequence[float]) -> float:
    """Largest summed tendon force of a muscle group in a window (% of stance), N."""
    result = run(bench, subject, activity_of(activity, subject))
    names = result.loads.muscle_names
    columns = [i for i, name in enumerate(names) if name.removesuffix("_r") in GROUPS[group]]
    if len(columns) != len(GROUPS[group]):
        raise KeyError(f"muscles of the {group} are missing among {names}")
    return peak(result.loads.muscle_force[:, columns].sum(axis=1), within(result, window, of="stance"))
