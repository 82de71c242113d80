"""What a population study is: how many people, drawn how, and what each of them does. Everything that its numbers depend on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kneeload import interventions
from kneeload.bone.day import DAY_ACTIVITIES
from kneeload.case import Case
from kneeload.errors import InputError, check_choice, did_you_mean
from kneeload.kernels.cache import source_hash
from kneeload.population.distribution import SOURCES, Distribution
from kneeload.remembered import sources_hash
from kneeload.result import version_of_kneeload

ENGINES: tuple[str, ...] = ("local", "ray")
SAMPLERS: tuple[str, ...] = ("sobol", "latin_hypercube")
MOST_PEOPLE = {"sobol": 2**30, "latin_hypercube": 1_000_000}
NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is done to a person: interventions in order, none for the person as they are.

    Attributes:
        name: in the table.
        steps: (name, parameters with units in their names) of each intervention.
    """

    name: str
    steps: tuple[tuple[str, Mapping[str, Any]], ...] = ()

    def apply(self, case: Case) -> Case:
        """The case after the interventions.

        Raises:
            InputError: an intervention refuses this case.
        """
        for name, parameters in self.steps:
            case = interventions.apply(case, name, dict(parameters))
        return case


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A study whose table is the same whoever computes it, in whatever order.

    Attributes:
        base: models, side of the body and all that is not drawn.
        size: people.
        seed: of everything that is drawn.
        sampler: "sobol" (person k is the same for any size) or "latin_hypercube" (the size is part of the design).
        shard_size: people per file.
        activities: of the day; the first is the one that is reported in detail.
        scenarios: each person goes through all of them.
        fields: whether peak pressures per triangle are kept.
        distribution: who is drawn.
    """

    base: Case = field(default_factory=Case)
    size: int = 1000
    seed: int = 1
    sampler: str = "sobol"
    shard_size: int = 100
    activities: tuple[str, ...] = ("walking",)
    scenarios: tuple[Scenario, ...] = (Scenario(name=NONE),)
    fields: bool = False
    distribution: Distribution = field(default_factory=Distribution)

    def __post_init__(self) -> None:
        check_choice("sampler", self.sampler, SAMPLERS, where="population.sampler", why="these cover a distribution evenly")
        for name, most in (("size", MOST_PEOPLE[self.sampler]), ("seed", 2**63 - 1), ("shard_size", 100_000)):
            value, least = getattr(self, name), int(name != "seed")
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise InputError(name.replace("_", " "), where=f"population.{name}", got=value, allowed=f"a whole number from {least} to {most}", why=f"it is needed to draw people by {self.sampler}")
        names = list(map(str, self.activities))
        if not set(names) <= set(DAY_ACTIVITIES) or not names or len(set(names)) < len(names):
            near = "".join(did_you_mean(name, DAY_ACTIVITIES) for name in names)
            raise InputError("activities", where="population.activities", got=list(self.activities), allowed=f"one or more of {', '.join(DAY_ACTIVITIES)}, each once{near}",
                             why="dose and risk are told for these")
        names = [item.name for item in self.scenarios]
        if not names or len(set(names)) < len(names):
            raise InputError("interventions", where="population.interventions", got=names, allowed="one or more, each once", why="each is a row of every person")
        if not isinstance(self.fields, bool) or (self.fields and self.base.contact is None):
            raise InputError("fields", where="population.fields", got=self.fields, allowed="true or false, and false with contact=none", why="fields are contact pressures")

    @property
    def shards(self) -> int:
        """Number of files."""
        return math.ceil(self.size / self.shard_size)

    def record(self) -> dict[str, Any]:
        """What the table depends on, in plain types, for the manifest: two studies with the same record have the same table."""
        models = hashlib.sha256(repr(self.base).encode()).hexdigest()[:16]
        return {"size": self.size, "seed": self.seed, "sampler": self.sampler, "shard_size": self.shard_size, "activities": list(self.activities),
                "interventions": [{"name": item.name, "steps": [[name, dict(parameters)] for name, parameters in item.steps]} for item in self.scenarios],
                "fields": self.fields, "distribution": _plain(self.distribution), "models": models, "kneeload": version_of_kneeload(),
                "kernels": source_hash(), "sources": sources_hash()[:16]}


def sources_of(distribution: Distribution) -> dict[str, str]:
    """Source of every number of a distribution that is the default's, "given" for the others."""
    mine, usual = _plain(distribution), _plain(Distribution())
    pairs = mine.pop("correlations"), usual.pop("correlations")
    return {name: SOURCES.get(name, "assumption") if values.get(name) == value else "given"
            for own, values in ((mine, usual), pairs) for name, value in own.items()}


def scenario_of(given: object, where: str) -> Scenario:
    """Return a scenario from what the configuration gives: a name, name -> parameters, or a list of these for several at once.

    Raises:
        InputError: something else, or an intervention that does not exist.
    """
    steps: list[tuple[str, Mapping[str, Any]]] = []
    for item in given if isinstance(given, list | tuple) else [given]:
        if isinstance(item, str):
            steps += [] if item == NONE else [(item, {})]
        elif isinstance(item, Mapping) and all(isinstance(value, Mapping) or value is None for value in item.values()):
            steps += [(str(name), dict(value or {})) for name, value in item.items()]
        else:
            raise InputError("intervention", where=where, got=item, allowed="a name, or a name with its parameters: {unloader_brace: {valgus_deg: 6}}", why="it is made for every person")
    scenario = Scenario(name="+".join(map(_named, steps)) or NONE, steps=tuple(steps))
    scenario.apply(Case(contact=None))  # refuses unknown names and parameters now, and not in every row
    return scenario


def _named(step: tuple[str, Mapping[str, Any]]) -> str:
    name, parameters = step
    return name + (f"({','.join(f'{key}={value}' for key, value in parameters.items())})" if parameters else "")


def _plain(distribution: Distribution) -> dict[str, Any]:
    values = asdict(distribution)
    return {**values, "correlations": dict(sorted(values["correlations"].items()))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How and where a design is computed: nothing of this changes a number.

    Attributes:
        output: folder of the study, None = a new one below runs/.
        engine: "local" or "ray".
        workers: processes; None = one per core.
        address: of the Ray cluster, "auto" or host:port.
    """

    output: Path | None = None
    engine: str = "local"
    workers: int | None = None
    address: str = "auto"

    def __post_init__(self) -> None:
        check_choice("engine", self.engine, ENGINES, where="population.engine", why="these share out the work")
        if self.workers is not None and (isinstance(self.workers, bool) or not isinstance(self.workers, int) or not 1 <= self.workers <= 1024):
            raise InputError("workers", where="population.workers", got=self.workers, allowed="a whole number from 1 to 1024", why="each is a process")
        host, _, port = str(self.address).rpartition(":")
        if self.address != "auto" and not (host and "/" not in host and port.isdigit() and 0 < int(port) < 65536):
            raise InputError("address", where="population.address", got=self.address, allowed="auto or host:port", why="the driver joins a Ray cluster there, from a machine that is part of it")
