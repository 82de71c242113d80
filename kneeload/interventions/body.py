"""Changes of the body."""

from __future__ import annotations

from dataclasses import replace

from kneeload.case import Case
from kneeload.errors import check_range
from kneeload.interventions.registry import Intervention, check_free

MOST_LOSS = 0.6  # of body mass


def weight_loss(case: Case, *, mass_kg: float = 10.0, mass_pct: float | None = None) -> Case:
    """Return the case with a lighter person who walks at the same speed.

    Mass acts through body weight and the segment masses: net loads and muscle strength fall in proportion, so a peak of p body weights falls by
    9.81 p newtons per kilogram (Messier 2005, doi 10.1002/art.21139: 40.6 N/kg over 142 people, whose gait changed as well).

    Args:
        case: the case to change.
        mass_kg: mass lost, kg, 0 to 60 % of the body mass.
        mass_pct: mass lost, % of the body mass; in place of mass_kg where it is given.

    Raises:
        InputError: a loss that leaves no viable body mass, or a second one.
    """
    check_free(case, "weight_loss")
    body = case.subject.body_mass_kg
    if mass_pct is None:
        check_range("weight loss", mass_kg, 0.0, MOST_LOSS * body, "kg", where="intervention.weight_loss.mass_kg",
                    why=f"the person weighs {body:g} kg and losing more than 60 % of it is not survived")
    else:
        mass_kg = 0.01 * body * check_range("weight loss", mass_pct, 0.0, 100.0 * MOST_LOSS, "% of body mass", where="intervention.weight_loss.mass_pct",
                                            why="losing more than 60 % of it is not survived")
    return case.changed("weight_loss", subject=replace(case.subject, body_mass_kg=body - mass_kg))


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="weight_loss", kind="body", apply=weight_loss, amount="mass_kg", unit="kg", usual=10.0, least=0.0, most=15.0, acts_on="body mass",
                 source="Messier 2005, doi 10.1002/art.21139",
                 lesion_evidence="Two trials of weight loss found no effect on lesions (Gudbergsen 2013; IDEA, PMC9178604); the interval of the change contains none."),
)
