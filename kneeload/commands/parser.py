"""How sub-commands read their words: argparse, with one sentence for a word that it does not know."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from kneeload.errors import KneeloadError


class UsageError(KneeloadError, ValueError):
    """The words after a sub-command are not usable (exit code 2)."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError instead of printing its usage, and takes no abbreviated flags."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(prog=f"kneeload {name}", description=description, allow_abbrev=False,
                         formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise UsageError(f"{message[:1].upper() + message[1:]}: `{self.prog} --help` lists what it takes.")

    def with_overrides(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """Return the parsed flags and the `key=value` words among `arguments`; any other unknown word is an error."""
        values, rest = self.parse_known_args(list(arguments))
        for word in rest:
            if word.startswith("-") or "=" not in word:
                self.error(f"unknown word {word!r}")
        return values, rest


def key_of(word: str) -> str:
    """The key of a `key=value` word, without the signs that Hydra takes before it."""
    return word.lstrip("+~").partition("=")[0]
