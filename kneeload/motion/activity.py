"""What a person does: the name of an activity and the few numbers that describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kneeload.errors import InputError, check_choice, check_range
from kneeload.motion.recording import Recording

ACTIVITY_NAMES: tuple[str, ...] = (
    "walking", "standing", "single_leg_standing", "stair_ascent", "stair_descent", "chair_rise", "squat", "recorded", "compression",
)
_STEPPING = ("walking", "stair_ascent", "stair_descent")
_OF_A_RECORDING = ("file", "leg", "moments_file", "forces_file", "external_loads_file", "model_file", "moments", "start_s", "end_s", "stride",
                   "angle_cutoff_hz", "force_cutoff_hz")
WITHOUT_SPREAD = ("recorded", "compression")  # one knee's own load: no scores of a person apply


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """One activity and its settings.

    Attributes:
        name: one of `ACTIVITY_NAMES`.
        speed_m_s: walking speed, m/s; None = the natural speed of the source (71.4 % of its adults' height per second). Walking
            only.
        step_width_m: distance of the feet across the direction of walking, m; None = the source's. Walking and stairs only.
        extension_moment_z, adduction_moment_z, flexion_z: how far this person's knee extension moment, knee adduction moment and
            knee flexion lie above the mean curve, in between-person standard deviations of the curve (no unit; drawn from N(0, 1)
            they make a population). Not for a recording or a test rig.
        file: path of the recording (CSV, .mot or .sto), `recorded` only.
        columns: for `recorded`, our column name -> the file's column name; a leading "-" turns the sign
            (`{"knee_flexion_deg": "-knee_angle_r"}`). None = the file uses our names.
        leg, moments_file, forces_file, external_loads_file, model_file, moments, start_s, end_s, stride, angle_cutoff_hz, force_cutoff_hz:
            for `recorded`, see `kneeload.motion.recording.Recording`; s and Hz.
        force_n: axial load of the test rig, N, `compression` only.
        flexion_deg: knee flexion in the test rig, degrees, `compression` only.
    """

    name: str = "walking"
    speed_m_s: float | None = None
    file: str | None = None
    columns: Mapping[str, str] | None = None
    force_n: float = 1000.0
    flexion_deg: float = 0.0
    step_width_m: float | None = None
    extension_moment_z: float = 0.0
    adduction_moment_z: float = 0.0
    flexion_z: float = 0.0
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
        check_choice("activity", self.name, ACTIVITY_NAMES, where="activity.name", why="these have published curves, statics or a file behind them")
        if self.speed_m_s is not None:
            check_range("walking speed", self.speed_m_s, 0.4, 2.2, "m/s", where="activity.speed_m_s", why="beyond it people stand or run")
            self._only_for("walking", "walking speed", "speed_m_s", self.speed_m_s)
        self._check_person()
        if self.name == "recorded":
            self.recording()
        for field in _OF_A_RECORDING:
            if getattr(self, field) not in (None, "auto"):
                self._only_for("recorded", "recorded motion", field, getattr(self, field))
        check_range("axial load of the test rig", self.force_n, 1.0, 20000.0, "N", where="activity.force_n",
                    why="a knee in a test rig is pressed, and cartilage does not bear more")
        check_range("knee flexion in the test rig", self.flexion_deg, -5.0, 120.0, "degrees", where="activity.flexion_deg",
                    why="the surfaces of the knee are described in this range")

    def _check_person(self) -> None:
        """Step width and the three scores of the person within the activity."""
        if self.step_width_m is not None:
            check_range("step width", self.step_width_m, 0.0, 0.5, "m", where="activity.step_width_m", why="nobody walks with wider steps")
            if self.name not in _STEPPING:
                raise InputError("step width", where="activity.step_width_m", got=self.step_width_m, allowed=f"left out for {self.name}",
                                 why="only walking and stairs have steps")
        for name in ("extension_moment_z", "adduction_moment_z", "flexion_z"):
            score = check_range(name.replace("_", " "), getattr(self, name), -4.0, 4.0, "standard deviations", where=f"activity.{name}",
                                why="nobody lies further from the mean of healthy adults")
            if score != 0.0 and self.name in WITHOUT_SPREAD:
                raise InputError(name.replace("_", " "), where=f"activity.{name}", got=score, allowed=f"0 for {self.name}",
                                 why="it already is one knee's own load")

    def recording(self) -> Recording:
        """The files and settings of a recorded activity.

        Raises:
            InputError: one of them is out of range.
        """
        return Recording(file=self.file or "", columns=self.columns, **{field: getattr(self, field) for field in _OF_A_RECORDING if field != "file"})

    def _only_for(self, name: str, what: str, field: str, got: object) -> None:
        if self.name != name:
            raise InputError(what, where=f"activity.{field}", got=got, allowed=f"left out for {self.name}", why=f"only {name} uses it")
