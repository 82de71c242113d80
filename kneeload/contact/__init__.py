"""WHERE IT LANDS: contact of articular surfaces, equilibrium of the knee, stress. Names are loaded when first used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_NAMES = {
    "ContactModel": "model", "contact_stress": "stress", "solve_cycle": "cycle_solver",
    "ContactPair": "pair", "ContactResult": "pair", "ContactSeries": "pair", "prepare_contact": "pair",
    "ContactCycle": "cycle", "CompartmentContact": "cycle", "SurfaceField": "cycle",
}
__all__ = ["CompartmentContact", "ContactCycle", "ContactModel", "ContactPair", "ContactResult", "ContactSeries", "SurfaceField", "contact_stress", "prepare_contact",
           "solve_cycle"]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
