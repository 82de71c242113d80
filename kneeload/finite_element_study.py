"""The bones of a result by finite elements: what a cyst, a lesion, lost plate or a fill does to the stress around it.

`simulate` answers with the half-space; this is asked of its result, since it takes seconds (extra kneeload[fem]).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kneeload.errors import InputError
from kneeload.result import KneeResult

if TYPE_CHECKING:
    from kneeload.bone.comparison import BoneComparison


@lru_cache(maxsize=2)
def finite_element_study(result: KneeResult) -> Mapping[str, BoneComparison]:
    """Return the chosen bones in the case's own activity (`Case.finite_elements`), empty when none are asked for; kept for the last two results.

    Raises:
        InputError: a result of the load level, no load on the bone, an inclusion that is not within it, scikit-fem or pyamg missing.
    """
    settings, cycle = result.case.finite_elements, result.main.contact
    if settings is None:
        return MappingProxyType({})
    if cycle is None:
        raise InputError("contact", where="contact", got="none", allowed="a result with contact", why="contact is the load of the bone")
    from kneeload.bone.comparison import compared_bones  # only here: most runs do not need it

    return MappingProxyType(compared_bones(result.anatomy, cycle, settings))


def finite_element_columns(result: KneeResult) -> dict[str, list[Any]]:
    """Return the columns of finite_elements.csv, one row per MOAKS region of the chosen bones; empty when none are asked for."""
    from kneeload.bone.comparison import comparison_columns

    return comparison_columns(finite_element_study(result))
