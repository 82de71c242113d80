"""Changes of the body."""

from __future__ import annotations

from dataclasses import replace

from kneeload.case import Case
from kneeload.errors import check_choice, check_range
from kneeload.interventions.registry import Intervention, check_free
from kneeload.motion.gait import GaitChange

# Speed 18 months after a diet with 9.8 kg lost (mean of the two diet arms of IDEA: 1.31 and 1.35 m/s, 8.9 and 10.6 kg) over that after exercise with
# 1.8 kg lost (1.29 m/s), per kilogram, % (doi 10.1016/j.jbiomech.2019.109477). Range by arm 0.22 to 0.53.
FASTER_PCT_PER_KG = 100.0 * (1.33 / 1.29 - 1.0) / (9.75 - 1.8)
MOST_LOSS = 0.6  # of body mass


def weight_loss(case: Case, *, mass_kg: float = 10.0, mass_pct: float | None = None, speed: str = "kept") -> Case:
    """Return the case with a lighter person.

    Mass acts through body weight and the segment masses: net loads and muscle strength fall in proportion, so a peak of p body weights falls by
    9.81 p newtons per kilogram (Messier 2005, doi 10.1002/art.21139: 40.6 N/kg over 142 people, whose gait changed as well).
    With `speed="as_in_trials"` the person walks faster by 0.39 % per kilogram lost, as people did in IDEA: 57 of 157 people of another trial carried more load
    after their diet than before, for they walked faster (Henriksen 2013, doi 10.1016/j.joca.2013.10.003).

    Args:
        case: the case to change.
        mass_kg: mass lost, kg, 0 to 60 % of the body mass.
        mass_pct: mass lost, % of the body mass; in place of mass_kg where it is given.
        speed: "kept" (the speed before) or "as_in_trials".

    Raises:
        InputError: a loss that leaves no viable body mass, or a second one.
    """
    check_free(case, "weight_loss")
    check_choice("speed after weight loss", speed, ("kept", "as_in_trials"), where="intervention.weight_loss.speed", why="these are the two that were seen")
    body = case.subject.body_mass_kg
    if mass_pct is None:
        check_range("weight loss", mass_kg, 0.0, MOST_LOSS * body, "kg", where="intervention.weight_loss.mass_kg",
                    why=f"the person weighs {body:g} kg and losing more than 60 % of it is not survived")
    else:
        mass_kg = 0.01 * body * check_range("weight loss", mass_pct, 0.0, 100.0 * MOST_LOSS, "% of body mass", where="intervention.weight_loss.mass_pct",
                                            why="losing more than 60 % of it is not survived")
    faster = () if speed == "kept" else (GaitChange(name="faster_after_weight_loss", speed_change_pct=FASTER_PCT_PER_KG * mass_kg),)
    return case.changed("weight_loss", subject=replace(case.subject, body_mass_kg=body - mass_kg), gait_changes=(*case.gait_changes, *faster))


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="weight_loss", kind="body", apply=weight_loss, amount="mass_kg", unit="kg", usual=10.0, least=0.0, most=15.0, acts_on="body mass",
                 source="Messier 2005, doi 10.1002/art.21139",
                 lesion_evidence="Two trials of weight loss found no effect on lesions (Gudbergsen 2013; IDEA, PMC9178604); the interval of the change contains none."),
)
