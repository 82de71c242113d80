"""Contact of two surfaces in a given pose: force, moment, pressure, area."""

from __future__ import annotations

from functools import lru_cache

from numpy.typing import ArrayLike

from kneeload.contact.pair import DEPTHS, PATCH_RADIUS_MM, STRESS_STATUS, ContactPair, ContactResult, ContactSeries, prepare_contact
from kneeload.subject.level_set import LevelSet
from kneeload.subject.surface import ArticularSurface, LayerMaterial

__all__ = ["DEPTHS", "PATCH_RADIUS_MM", "STRESS_STATUS", "ContactPair", "ContactResult", "ContactSeries", "contact_stress", "prepare_contact"]
_kept = lru_cache(maxsize=16)(prepare_contact)


def contact_stress(
    casting: ArticularSurface, target: ArticularSurface | LevelSet, pose: ArrayLike, *, law: str = "linear", depth: str = "target_normal",
    layer_factor: float = 1.0, target_material: LayerMaterial | None = None, level_set_spacing_mm: float = 1.0,
) -> ContactResult:
    """Return the contact of a casting surface with a target in a given pose (quasi-static, without friction).

    Each casting triangle is a spring at its centre: depth d below the target's surface, pressure p = k d (linear) or -k h ln(1 - d/h)
    (nonlinear), 1/k the sum of thickness over confined modulus of both layers and h the sum of the thicknesses. Source: two layers in
    series, Zevenbergen 2018 (doi 10.1371/journal.pone.0205842); laws, Bei and Fregly 2004 (PMC1680082). Triangles whose normal does not
    face the target are left out.

    Two conventions say what depth is. "target_normal": the shortest way out of the target; the force acts along the gradient of its level
    set and has a potential, so this is what the equilibrium uses. "casting_normal": the length of the ray from the centre of the casting
    triangle along its inward normal to the target's surface, and the force acts along that normal; this is how OpenSim-JAM casts
    its rays (Smith 2018, doi 10.1080/21681163.2016.1172346). They differ by the cosine of the angle between the two surfaces.

    Args:
        casting: the surface whose triangles become springs.
        target: the other surface; its level set is built once and kept.
        pose: (4, 4), mm; x_target = R x_casting + t.
        law: "linear" or "nonlinear".
        depth: "target_normal" or "casting_normal".
        layer_factor: factor on the confined moduli of both layers (1 = plain foundation; see `model.layer_factor_at`).
        target_material: layer of a target that is given as a level set; None = rigid. A surface brings its own.
        level_set_spacing_mm: node distance of the level set of a target that is given as a surface.

    Raises:
        InputError: unknown law or depth, bad pose, a casting layer without thickness, a target without triangles, a left surface on a right.
    """
    try:
        pair = _kept(casting, target, law=law, depth=depth, layer_factor=layer_factor, target_material=target_material, level_set_spacing_mm=level_set_spacing_mm)
    except TypeError:  # not hashable, so probably not allowed either
        pair = prepare_contact(casting, target, law=law, depth=depth, layer_factor=layer_factor, target_material=target_material, level_set_spacing_mm=level_set_spacing_mm)
    return pair.at(pose)
