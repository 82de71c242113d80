"""From configuration to a case: the only place, besides the command line, that knows OmegaConf."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from kneeload import interventions
from kneeload.bone.finite_element_settings import FiniteElements, inclusion_of
from kneeload.bone.hexahedra import require_packages
from kneeload.bone.material import BoneSolid
from kneeload.bone.model import BoneModel
from kneeload.calibration.file import read_calibration
from kneeload.case import AnatomySource, Case
from kneeload.contact.model import ContactModel
from kneeload.errors import InputError, did_you_mean
from kneeload.forces.muscles import MuscleModel
from kneeload.lesion.course_model import CourseModel
from kneeload.lesion.course_plan import CoursePlan
from kneeload.lesion.findings import Findings
from kneeload.lesion.model import LesionModel
from kneeload.motion.activity import Activity
from kneeload.subject.materials import Materials
from kneeload.subject.person import CartilageThicknessScale, Subject
from kneeload.subject.surface import LayerMaterial

if TYPE_CHECKING:
    from kneeload.plan.limits import PlanSettings
    from kneeload.population.design import Design, Run
    from kneeload.population.uncertainty import Uncertainty
    from kneeload.views.picture_settings import PictureSettings

T = TypeVar("T")
_SWITCHES = ("pictures", "vtk", "vtk_series", "report", "report_3d", "pdf")  # of the group `view`, for files of every run
PLAN = "plan"  # among the interventions of a configuration: a search over the others, and none itself


def case_from_config(cfg: DictConfig) -> Case:
    """Return the frozen case that a composed configuration describes, interventions applied in the order given.

    Raises:
        InputError: a key that is unknown or a value that is missing or out of range.
    """
    tree = _plain(cfg)
    contact = dict(tree["contact"])
    with_contact = contact.pop("name", "elastic_foundation") != "none"
    materials = _materials(contact)
    muscles = dict(tree["muscles"])
    calibration = muscles.pop("calibration_file", None)
    case = Case(
        subject=_subject(dict(tree["subject"])),
        activity=_activity(dict(tree["activity"])),
        anatomy=_anatomy(dict(tree["anatomy"])),
        materials=materials,
        muscles=_make(MuscleModel, muscles, "muscles"),
        calibration=None if calibration is None else read_calibration(str(calibration)),
        contact=_make(ContactModel, contact, "contact") if with_contact else None,
        bone=_make(BoneModel, tree["bone"], "bone"),
        lesion=_make(LesionModel, tree["lesion"], "lesion"),
        finite_elements=_finite_elements(dict(tree["finite_elements"]), with_contact),
        findings=_findings(dict(tree["findings"])),
        course=_course(dict(tree["course"])),
    )
    for name, parameters in (tree.get("intervention") or {}).items():
        if name == PLAN:
            continue
        case = interventions.apply(case, name, dict(parameters or {}))
    return case


def plan_from_config(cfg: DictConfig) -> PlanSettings | None:
    """Return the limits of the plan that a composed configuration asks for, None where it asks for none.

    Raises:
        InputError: a key that is unknown or a value that is missing or out of range, or a plan without contact.
    """
    tree = _plain(cfg)
    values = (tree.get("intervention") or {}).get(PLAN)
    if values is None:
        return None
    from kneeload.plan.limits import PlanSettings  # only here: most runs plan nothing

    if tree["contact"].get("name") == "none":
        raise InputError("contact", where="contact", got="none", allowed="elastic_foundation with a plan", why="a plan lowers the daily dose of the bone")
    return _make(PlanSettings, values, f"intervention.{PLAN}")


def pictures_from_config(cfg: DictConfig) -> PictureSettings:
    """Return the stills, maps, curves and animation that a composed configuration asks for.

    Raises:
        InputError: a key that is unknown or a value that is out of range, or a switch that is neither true nor false.
    """
    from kneeload.views.picture_settings import PictureSettings

    values = dict(_plain(cfg)["view"])
    for switch in _SWITCHES:
        if not isinstance(values.pop(switch, False), bool):
            raise InputError(switch, where=f"view.{switch}", got=cfg.view[switch], allowed="true or false", why="a file is written or not")
    return _make(PictureSettings, values, "view")


def population_from_config(cfg: DictConfig) -> tuple[Design, Run, dict[str, Any]]:
    """Return the study that a composed configuration with the group `population` describes, how to run it, and the settings of that group.

    Raises:
        InputError: a key that is unknown or a value that is missing or out of range.
    """
    from kneeload.population.design import Design, Run, scenario_of  # only here: other commands draw nobody
    from kneeload.population.distribution import Distribution, Marginal, MeniscusShares

    values = dict(_plain(cfg)["population"])
    settings, where, usual = dict(values), "population.distribution", Distribution()
    given = dict(_mapping(values.pop("distribution"), where, "the numbers that describe people"))
    correlations = _mapping(given.pop("correlations", None) or {}, f"{where}.correlations", "names, each with the names it is correlated with")
    pairs = {f"{a}:{b}": value for a, others in correlations.items() for b, value in _mapping(others or {}, f"{where}.correlations.{a}", "names and correlations").items()}
    parts: dict[str, Any] = {"correlations": pairs}
    for name, value in given.items():
        kind = type(getattr(usual, name, None))
        if kind in (Marginal, MeniscusShares) and not isinstance(value, dict):
            raise InputError(name, where=f"{where}.{name}", got=value, allowed="a mapping of " + ", ".join(item.name for item in fields(kind)), why="these describe it")
        parts[name] = _make(kind, value, f"{where}.{name}") if isinstance(value, dict) and kind in (Marginal, MeniscusShares) else value
    distribution = _make(Distribution, parts, where)
    output = values.pop("output", None)
    if isinstance(output, bool | dict | list) or output == "":
        raise InputError("output folder", where="population.output", got=output, allowed="a folder, or null for a new one below runs/", why="the table is written there")
    how = Run(output=None if output is None else Path(str(output)).expanduser(), engine=values.pop("engine"), workers=values.pop("workers", None), address=values.pop("address", "auto"))
    asked = values.pop("interventions")
    scenarios = tuple(scenario_of(item, f"population.interventions[{place}]") for place, item in enumerate(asked if isinstance(asked, list) else [asked]))
    activities = values.pop("activities")
    design = {**values, "activities": activities if isinstance(activities, list) else [activities], "scenarios": scenarios, "distribution": distribution, "base": case_from_config(cfg)}
    return _make(Design, design, "population"), how, settings


def uncertainty_from_config(cfg: DictConfig) -> tuple[Case, Uncertainty, dict[str, Any]]:
    """Return the case that a composed configuration with the group `uncertainty` describes, the study of it, and the settings of that group.

    Raises:
        InputError: a key that is unknown or a value that is missing or out of range.
    """
    from kneeload.population.uncertainty import Uncertainty  # only here: other commands draw no parameters

    values = dict(_plain(cfg)["uncertainty"])
    settings, output = dict(values), values.pop("output", None)
    how = {**values, "priors": values.get("priors") or {}, "output": None if output is None else Path(str(output)).expanduser()}
    return case_from_config(cfg), _make(Uncertainty, how, "uncertainty"), settings


def _mapping(given: Any, where: str, what: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InputError(where.rpartition(".")[2], where=where, got=given, allowed=f"a mapping of {what}", why="`kneeload population --cfg` shows it as it is by default")
    return given


def _plain(cfg: DictConfig) -> dict[str, Any]:
    try:
        return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None) or "configuration"
        raise InputError(f"{key}", where=str(key), got="nothing", allowed="a value", why="this choice cannot run without it") from error


def _make(cls: type[T], values: dict[str, Any], where: str) -> T:
    known = {item.name for item in fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise InputError(f"key '{key}'", where=f"{where}.{key}", got=values[key], allowed="one of " + ", ".join(sorted(known)) + did_you_mean(key, known), why=f"{where} has no such setting")
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})


def _subject(values: dict[str, Any]) -> Subject:
    scale = values.pop("cartilage_thickness_scale", None) or {}
    if not isinstance(scale, dict):
        scale = dict.fromkeys(("femur", "tibia_medial", "tibia_lateral", "patella"), scale)
    return _make(Subject, {**values, "cartilage_thickness_scale": _make(CartilageThicknessScale, scale, "subject.cartilage_thickness_scale")}, "subject")


def _activity(values: dict[str, Any]) -> Activity:
    return _make(Activity, values, "activity")


def _anatomy(values: dict[str, Any]) -> AnatomySource:
    folder = values.pop("folder", None)
    return _make(AnatomySource, {**values, "folder": None if folder is None else Path(str(folder)).expanduser()}, "anatomy")


def _finite_elements(values: dict[str, Any], with_contact: bool) -> FiniteElements | None:
    if values.pop("name", None) == "none":
        return None
    if not with_contact:
        raise InputError("contact", where="contact", got="none", allowed="elastic_foundation with finite_elements", why="contact is the load of the bone")
    require_packages()
    solid, items, where = values.pop("solid", None) or {}, values.pop("inclusions", None) or [], "finite_elements"
    if not isinstance(solid, dict) or "element_mm" in solid:
        raise InputError("material", where=f"{where}.solid", got="element_mm" if isinstance(solid, dict) else solid, allowed="keys with values, without element_mm", why=f"the edge of the cubes is {where}.spacing_mm")
    if not isinstance(items, list):
        raise InputError("inclusions", where=f"{where}.inclusions", got=items, allowed="a list of inclusions", why="their order counts")
    if "spacing_mm" in values:
        solid = {**solid, "element_mm": values.pop("spacing_mm")}
    return _make(FiniteElements, {**values, "solid": _make(BoneSolid, solid, f"{where}.solid"),
                                  "inclusions": [inclusion_of(item, f"{where}.inclusions[{number}]") for number, item in enumerate(items)]}, where)


def _findings(values: dict[str, Any]) -> Findings:
    files = {key: None if values.get(key) is None else Path(str(values[key])).expanduser() for key in ("file", "registration_file")}
    return _make(Findings, {**values, **files}, "findings")


def _course(values: dict[str, Any]) -> CoursePlan:
    own: dict[str, Any] = {key: values.pop(key) for key in ("weeks", "periods", "every_weeks", "modifiers") if key in values}
    return _make(CoursePlan, {**own, "model": _make(CourseModel, values, "course")}, "course")


def _materials(contact: dict[str, Any]) -> Materials:
    """Take the materials out of the contact section (where a user looks for them) and build them."""
    values: dict[str, Any] = {}
    for layer in ("cartilage", "meniscus"):
        if layer in contact:
            values[layer] = _make(LayerMaterial, contact.pop(layer), f"contact.{layer}")
    return Materials(**values)
