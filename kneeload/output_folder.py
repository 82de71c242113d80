"""The new folder that a sub-command writes into: nothing is ever written over."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from kneeload.errors import InputError


def new_folder(kind: str) -> Path:
    """Name of a folder for something that starts now, runs/<kind>_<time> below the current folder."""
    return Path("runs") / f"{kind}_{datetime.now():%Y-%m-%d_%H-%M-%S-%f}"


def claim(folder: Path) -> Path:
    """Make a new folder and return it.

    Raises:
        InputError: it is there already, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=False)
    except FileExistsError:
        raise InputError("output folder", where="--output", got=str(folder), allowed="a folder that does not exist yet", why="nothing is written over") from None
    except OSError as problem:
        raise InputError("output folder", where="--output", got=str(folder), allowed="a place to write to", why=f"{problem.strerror}") from None
    return folder
