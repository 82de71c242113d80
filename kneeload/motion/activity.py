"""What a person does: the name of an activity and the few numbers that describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kneeload.errors import InputError, check_choice, check_range

ACTIVITY_NAMES: tuple[str, ...] = (
    "walking", "standing", "single_leg_standing", "stair_ascent", "stair_descent", "recorded", "compression",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity and its settings.

    Attributes:
        name: one of `ACTIVITY_NAMES`.
        speed_m_s: walking speed, m/s; None = the natural speed of the source (71.4 % of body height per second). Walking only.
        file: path of the recording (CSV, .mot or .sto), `recorded` only.
        columns: for `recorded`, our column name -> the file's column name; a leading "-" turns the sign
            (`{"knee_flexion_deg": "-knee_angle_r"}`). None = the file uses our names.
        force_n: axial load of the test rig, N, `compression` only.
        flexion_deg: knee flexion in the test rig, degrees, `compression` only.
    """

    name: str = "walking"
    speed_m_s: float | None = None
    file: str | None = None
    columns: Mapping[str, str] | None = None
    force_n: float = 1000.0
    flexion_deg: float = 0.0

    def __post_init__(self) -> None:
        check_choice("activity", self.name, ACTIVITY_NAMES, where="activity.name", why="these have published curves, statics or a file behind them")
        if self.speed_m_s is not None:
            check_range("walking speed", self.speed_m_s, 0.4, 2.2, "m/s", where="activity.speed_m_s", why="beyond it people stand or run")
            self._only_for("walking", "walking speed", "speed_m_s", self.speed_m_s)
        if self.name == "recorded" and not self.file:
            raise InputError("recorded motion", where="activity.file", got=self.file, allowed="the path of a .csv, .mot or .sto file",
                             why="a recorded activity is read from a file")
        if self.file is not None:
            self._only_for("recorded", "recorded motion", "file", self.file)
        check_range("axial load of the test rig", self.force_n, 1.0, 20000.0, "N", where="activity.force_n",
                    why="a knee in a test rig is pressed, and cartilage does not bear more")
        check_range("knee flexion in the test rig", self.flexion_deg, -5.0, 120.0, "degrees", where="activity.flexion_deg",
                    why="the surfaces of the knee are described in this range")

    def _only_for(self, name: str, what: str, field: str, got: object) -> None:
        if self.name != name:
            raise InputError(what, where=f"activity.{field}", got=got, allowed=f"left out for {self.name}", why=f"only {name} uses it")
