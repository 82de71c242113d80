"""The sub-commands beside the Hydra application: `kneeload NAME ...`. Add one by naming its module in COMMANDS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kneeload.case import Case

CaseOf = Callable[[Sequence[str]], "Case"]  # from `key=value` words, as in a run, to the case that they describe
SubCommand = Callable[[Sequence[str], CaseOf], int]  # from the words after the name to the exit code

COMMANDS: dict[str, str] = {  # name -> module with `run(arguments, case_of) -> exit code`; imported when it is asked for
    "calibrate": "kneeload.commands.calibrate",
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
