"""The sub-commands beside the Hydra application: `kneeload NAME ...`. Add one by naming its module in COMMANDS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from kneeload.case import Case
    from kneeload.population.design import Design, Run
    from kneeload.population.uncertainty import Uncertainty


class CaseOf(Protocol):
    """Composes the configuration with `key=value` words, as in a run."""

    def __call__(self, overrides: Sequence[str], /) -> Case:
        """The case that the words describe."""

    def population(self, overrides: Sequence[str], /) -> tuple[Design, Run, dict[str, Any]]:
        """The study that the words describe, with keys of `population`, how to run it, and its settings as plain types."""

    def uncertainty(self, overrides: Sequence[str], /) -> tuple[Case, Uncertainty, dict[str, Any]]:
        """The case that the words describe, with keys of `uncertainty`, and the settings of that group, also as plain types."""


SubCommand = Callable[[Sequence[str], CaseOf], int]  # from the words after the name to the exit code

COMMANDS: dict[str, str] = {  # name -> module with `run(arguments, case_of) -> exit code`; imported when it is asked for
    "app": "kneeload.commands.app",
    "calibrate": "kneeload.commands.calibrate",
    "collect": "kneeload.commands.collect",
    "compare": "kneeload.commands.compare",
    "population": "kneeload.commands.population",
    "questions": "kneeload.commands.questions",
    "sensitivity": "kneeload.commands.sensitivity",
    "validate": "kneeload.commands.validate",
    "warmup": "kneeload.commands.warmup",
}


def run(name: str, arguments: Sequence[str], case_of: CaseOf) -> int:
    """Run a sub-command.

    Args:
        name: one of COMMANDS.
        arguments: the words after the name.
        case_of: composes the configuration with `key=value` words and returns the case (only the command line knows Hydra).

    Returns:
        Exit code: 0 done, 1 failed.

    Raises:
        KneeloadError: bad input (InputError) or a failed computation; the command line prints it.
    """
    sub_command: SubCommand = import_module(COMMANDS[name]).run
    return sub_command(arguments, case_of)
