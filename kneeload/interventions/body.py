"""Changes of the body."""

from __future__ import annotations

from dataclasses import replace

from kneeload.case import Case
from kneeload.errors import check_range


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
    body = case.subject.body_mass_kg
    check_range("weight loss", mass_kg, 0.0, 0.6 * body, "kg", where="intervention.weight_loss.mass_kg",
                why=f"the person weighs {body:g} kg and losing more than 60 % of it is not survived")
    return case.changed("weight_loss", subject=replace(case.subject, body_mass_kg=body - mass_kg))
