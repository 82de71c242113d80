"""The errors that a person sees: one sentence with what, where, got, allowed and why."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class KneeloadError(Exception):
    """Base of every error that kneeload raises on purpose."""


class InputError(KneeloadError, ValueError):
    """A value from outside is not usable (the command line ends with exit code 2).

    Args:
        what: the thing that is wrong, by the name a user knows ("body mass").
        where: the config key, file or argument it came from ("subject.body_mass_kg").
        got: the value that was given.
        allowed: what would be accepted, with its unit ("20 to 300 kg").
        why: the reason in a few words ("people outside this range were never measured").
    """

    def __init__(self, what: str, *, where: str, got: object, allowed: str, why: str) -> None:
        self.what, self.where, self.got, self.allowed, self.why = what, where, got, allowed, why
        super().__init__(f"{what} ({where}) is {got!r}, but must be {allowed}: {why}.")

    def __reduce__(self) -> tuple[object, ...]:
        return _input_error, (self.what, self.where, self.got, self.allowed, self.why)


def _input_error(what: str, where: str, got: object, allowed: str, why: str) -> InputError:
    return InputError(what, where=where, got=got, allowed=allowed, why=why)


class ConvergenceError(KneeloadError, RuntimeError):
    """The mechanics found no equilibrium; the message names the activity and the frames."""


def did_you_mean(got: object, known: Iterable[object]) -> str:
    """Return " (did you mean 'x'?)" with the known name that is nearest to `got`; nothing if none is near, or if it is known."""
    names = [str(name) for name in known]
    near = [] if str(got) in names else get_close_matches(str(got), names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def check_range(what: str, value: float, low: float, high: float, unit: str, *, where: str, why: str) -> float:
    """Return `value` as a float if it is finite and in [low, high] (both in `unit`), else raise InputError."""
    allowed = f"a number from {low:g} to {high:g} {unit}".rstrip()
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InputError(what, where=where, got=value, allowed=allowed, why=why)
    return float(value)


def check_choice(what: str, value: str, choices: tuple[str, ...], *, where: str, why: str) -> str:
    """Return `value` if it is one of `choices`, else raise InputError."""
    if value not in choices:
        raise InputError(what, where=where, got=value, allowed="one of " + ", ".join(choices) + did_you_mean(value, choices), why=why)
    return value
