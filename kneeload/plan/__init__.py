"""WHAT WOULD HELP: search of combinations of interventions within a person's limits, and single ones ranked per compartment. Every number was simulated."""

from kneeload.plan.limits import PlanSettings
from kneeload.plan.plan import PlanResult, plan_interventions

__all__ = ["PlanResult", "PlanSettings", "plan_interventions"]
