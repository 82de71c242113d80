"""kneeload: where load lands in a knee, and what would move it."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kneeload import contact, interventions, population, validation
    from kneeload.case import AnatomySource, Case
    from kneeload.lesion.findings import Findings
    from kneeload.motion.activity import Activity
    from kneeload.outlook import Outlook, outlook
    from kneeload.plan import PlanResult, PlanSettings, plan_interventions
    from kneeload.population import CaseFigures, simulate_many
    from kneeload.result import KneeResult, compare
    from kneeload.simulate import simulate
    from kneeload.subject.person import Subject
    from kneeload.subject.surface import ArticularSurface

_HOME = {
    "Activity": "kneeload.motion.activity", "AnatomySource": "kneeload.case", "ArticularSurface": "kneeload.subject.surface", "Case": "kneeload.case",
    "CaseFigures": "kneeload.population", "Findings": "kneeload.lesion.findings", "KneeResult": "kneeload.result", "Outlook": "kneeload.outlook",
    "PlanResult": "kneeload.plan", "PlanSettings": "kneeload.plan", "plan_interventions": "kneeload.plan", "Subject": "kneeload.subject.person", "compare": "kneeload.result",
    "outlook": "kneeload.outlook", "simulate": "kneeload.simulate", "simulate_many": "kneeload.population",
}
_ROOMS = ("contact", "interventions", "population", "validation")

__all__ = ["Activity", "AnatomySource", "ArticularSurface", "Case", "CaseFigures", "Findings", "KneeResult", "Outlook", "PlanResult", "PlanSettings", "Subject", "compare", "contact", "interventions",
           "outlook", "plan_interventions", "population", "simulate", "simulate_many", "validation"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import kneeload` costs nothing."""
    if name in _HOME:
        module = import_module(_HOME[name])
        value = getattr(module, name)
        globals()[name] = value
        return value
    if name in _ROOMS:
        return import_module(f"kneeload.{name}")
    raise AttributeError(f"module 'kneeload' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps `kneeload.simulate` and `kneeload.outlook` functions, also after an import loaded the modules of those names."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, getattr(value, name) if name in ("simulate", "outlook") and isinstance(value, ModuleType) else value)


sys.modules[__name__].__class__ = _Package
