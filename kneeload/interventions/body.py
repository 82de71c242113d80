"""Changes of the body."""

from __future__ import annotations

from dataclasses import replace

from kneeload.case import Case
from kneeload.errors import check_range
from kneeload.interventions.registry import Intervention, check_free


def weight_loss(case: Case, *, mass_kg: float = 10.0) -> Case:
    """Return the case with a lighter person who walks at the same speed.

    Mass acts through body weight and the segment masses, so net loads fall in proportion; people in trials walked faster
    afterwards (Henriksen 2013, doi 10.1016/j.joca.2013.10.003), which is not assumed here.

    Args:
        case: the case to change.
        mass_kg: mass lost, kg, 0 to 60 % of the body mass.

    Raises:
        InputError: a loss that leaves no viable body mass.
    """
    check_free(case, "weight_loss")
    body = case.subject.body_mass_kg
    check_range("weight loss", mass_kg, 0.0, 0.6 * body, "kg", where="intervention.weight_loss.mass_kg",
                why=f"the person weighs {body:g} kg and losing more than 60 % of it is not survived")
    return case.changed("weight_loss", subject=replace(case.subject, body_mass_kg=body - mass_kg))


INTERVENTIONS: tuple[Intervention, ...] = (
    Intervention(name="weight_loss", kind="body", apply=weight_loss, amount="mass_kg", unit="kg", usual=10.0, least=0.0, most=15.0, acts_on="body mass",
                 source="Messier 2005, doi 10.1002/art.21139",
                 lesion_evidence="Two trials of weight loss found no effect on lesions (Gudbergsen 2013; IDEA, PMC9178604); the interval of the change contains none."),
)
