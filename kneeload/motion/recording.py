"""What a recording is: its files, the leg, the stride and the filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kneeload.errors import InputError, check_choice, check_range

SIDES = ("right", "left")
MOMENT_SOURCES = ("auto", "file", "ground_reaction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Files of one trial and what to read from them. `Activity` has the same fields for `recorded`.

    Attributes:
        file: path of the angles, or of everything (.csv, .tsv, .txt, .mot or .sto).
        columns: our column name -> the file's; a leading "-" turns the sign. OpenSim's usual names need none.
        leg: right, left, or None = the person's side.
        moments_file: path of net moments (OpenSim inverse dynamics, .sto), or None.
        forces_file: path of force plates (OpenSim .mot/.sto, or .c3d with the extra of that name), or None.
        external_loads_file: OpenSim's .xml that says which plate belongs to which foot, or None.
        model_file: .osim whose joints and masses serve for net moments from ground reaction; None = segments from height and mass.
        moments: auto (the file's where it has them), file, or ground_reaction (computed, even where the file has them).
        start_s, end_s: time in the file where the stride begins and ends, s; None = found from the ground reaction, or the whole file.
        stride: which stride of several, 1 = first, or "mean" of all; None = the first.
        angle_cutoff_hz: low-pass of angles and pelvis, Hz; None = as recorded.
        force_cutoff_hz: low-pass of forces and of moments from a file, Hz; None = as recorded.
    """

    file: str
    columns: Mapping[str, str] | None = None
    leg: str | None = None
    moments_file: str | None = None
    forces_file: str | None = None
    external_loads_file: str | None = None
    model_file: str | None = None
    moments: str = "auto"
    start_s: float | None = None
    end_s: float | None = None
    stride: int | str | None = None
    angle_cutoff_hz: float | None = None
    force_cutoff_hz: float | None = None

    def __post_init__(self) -> None:
        if not self.file:
            raise InputError("recorded motion", where="activity.file", got=self.file, allowed="the path of a .csv, .mot or .sto file",
                             why="a recorded activity is read from a file")
        if self.leg is not None:
            check_choice("leg", self.leg, SIDES, where="activity.leg", why="a recording has a right and a left leg")
        check_choice("net moments", self.moments, MOMENT_SOURCES, where="activity.moments", why="they come from a file or from the ground reaction")
        for name, cutoff in (("angle_cutoff_hz", self.angle_cutoff_hz), ("force_cutoff_hz", self.force_cutoff_hz)):
            if cutoff is not None:
                check_range("cut-off of the low-pass filter", cutoff, 1.0, 200.0, "Hz", where=f"activity.{name}", why="below it the movement itself is lost")
        for name, time in (("start_s", self.start_s), ("end_s", self.end_s)):
            if time is not None:
                check_range("time of the stride", time, -1e6, 1e6, "s", where=f"activity.{name}", why="it is a time in the file")
        if self.start_s is not None and self.end_s is not None and self.end_s - self.start_s < 0.2:
            raise InputError("end of the stride", where="activity.end_s", got=self.end_s, allowed=f"at least 0.2 s after {self.start_s:g} s", why="a stride takes time")
        if self.stride is not None and self.stride != "mean" and (isinstance(self.stride, (bool, str)) or self.stride < 1):
            raise InputError("stride", where="activity.stride", got=self.stride, allowed="1, 2, 3 ... or mean", why="strides are counted from 1")
        if self.stride is not None and (self.start_s is not None or self.end_s is not None):
            raise InputError("stride", where="activity.stride", got=self.stride, allowed="left out when start_s or end_s is given", why="those times already choose the stride")

    @property
    def name(self) -> str:
        """File name, for messages and sources."""
        return Path(self.file).name
