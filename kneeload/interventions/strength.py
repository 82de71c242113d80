"""Training of muscles: strength, and another share of the work between muscles."""

from __future__ import annotations

from dataclasses import replace

from kneeload.case import Case
from kneeload.errors import check_range
from kneeload.forces.training import Training
from kneeload.interventions.registry import Intervention, check_free


def strengthening(case: Case, *, quadriceps_pct: float = 20.0, hip_pct: float = 20.0, hamstrings_pct: float = 0.0) -> Case:
    """Return the case with stronger muscles.

    It acts on capacity and recruitment only: each group can pull harder, and a newton costs it as much as its tissue does
    (`kneeload.forces.training.Training`). How people move stays as it was. Exercise changed neither the adduction moment (standardised difference 0.11,
    -0.03 to 0.24) nor the contact force of the knee (0.09, -0.05 to 0.22) in 1,100 people (medRxiv 2022.05.14.22275072), so no change of load is built in.
    Muscles of the trunk are not in the model: core training cannot be set.

    Args:
        case: the case to change.
        quadriceps_pct: gain of the largest force of the four heads, %, 0 to 60.
        hip_pct: the same of gluteus maximus, medius and minimus and the tensor fasciae latae, %.
        hamstrings_pct: the same of the hamstrings, %.

    Raises:
        InputError: a gain out of range, or strengthening a second time.
    """
    check_free(case, "strengthening")
    gains = {"quadriceps": quadriceps_pct, "hip": hip_pct, "hamstrings": hamstrings_pct}
    for name, gain in gains.items():
        check_range(f"gain of strength of the {name}", gain, 0.0, 60.0, "%", where=f"intervention.strengthening.{name}_pct",
                    why="months of training give 20 to 40 %")
    return case.changed("strengthening", training=replace(case.training or Training(), **{name: gain / 100.0 for name, gain in gains.items()}))


def coordination_retraining(case: Case, *, gastrocnemius_less_pct: float = 25.0) -> Case:
    """Return the case with a calf that pushes off with less gastrocnemius and more soleus while walking.

    In each frame the gastrocnemius pulls with at most the remaining part of what it pulled before; the soleus and the other plantarflexors take over. With
    feedback healthy people lowered the ratio of gastrocnemius to soleus activity by 25 (SD 15) % and with it the late peak of the knee force by 12 (SD 12) %
    (Uhlrich 2022, doi 10.1038/s41598-022-13386-9). It acts in walking and in recordings (taken to be of walking), where it was trained, not on
    stairs.

    Args:
        case: the case to change.
        gastrocnemius_less_pct: part of its usual force that the gastrocnemius gives up, %, 0 to 80.

    Raises:
        InputError: a share out of range, or the retraining a second time.
    """
    check_free(case, "coordination_retraining")
    check_range("less gastrocnemius", gastrocnemius_less_pct, 0.0, 80.0, "%", where="intervention.coordination_retraining.gastrocnemius_less_pct",
                why="nobody walks with a silent gastrocnemius")
    return case.changed("coordination_retraining", training=replace(case.training or Training(), gastrocnemius_less=gastrocnemius_less_pct / 100.0))


def _vary_retraining(case: Case, z: float) -> Case:
    return case if case.training is None else replace(case, training=replace(case.training, response_z=z))


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="strengthening", kind="strength", apply=strengthening, amount="quadriceps_pct", unit="%", usual=20.0, least=0.0, most=40.0,
                 acts_on="largest force and cost of muscles", source="medRxiv 2022.05.14.22275072",
                 lesion_evidence="Exercise does not lower the load of the knee on average, and no trial has shown an effect of strengthening on lesions."),
    Intervention(name="coordination_retraining", kind="gait", apply=coordination_retraining, amount="gastrocnemius_less_pct", unit="%", usual=25.0, least=0.0, most=40.0,
                 acts_on="share of the gastrocnemius in the push-off of walking", source="Uhlrich 2022, doi 10.1038/s41598-022-13386-9",
                 lesion_evidence="No trial of muscle coordination has reported lesions: an extrapolation from load.", vary=_vary_retraining),
)
