"""What pictures a person asks for beyond those of every run: stills for print, flat maps, vector curves, an animation."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec

from kneeload.errors import InputError, check_choice, check_range

PARTS = ("tibia", "femur", "patella", "knee")
CAMERAS = ("superior", "inferior", "anterior", "posterior", "medial", "lateral", "oblique")
FORMATS = ("gif", "mp4")
MOST_PIXELS = 36_000_000  # 6000 x 6000: 300 mm at 500 dots per inch; larger pictures take gigabytes while they are drawn
_FRAMES = "peak, cycle or a number from 0 to 100 % of the cycle"


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSettings:
    """Settings of the pictures, checked; keys of the group `view`.

    Attributes:
        flat: draw maps.png, plateau and kneecap unrolled (drawn without being asked where OpenGL is missing).
        stills: what is shown and from where, such as "tibia_superior": one of PARTS and one of CAMERAS.
        frame: "peak" for the highest force of the joint, "cycle" for the highest pressure of each place over the cycle, or percent of the cycle, 0 to 100.
        pressure_max_mpa: upper end of the colour scale of all pictures of contact pressure, 0.5 to 100 MPa; None takes the smallest of a few fixed steps.
        parted_mm: how far femur and kneecap are lifted off the plateau in stills of the whole knee and in the animation, 0 to 80 mm.
        width_mm, height_mm: size of a still and, for the width, of the vector curves, 60 to 400 mm and 45 to 400 mm.
        dpi: dots per inch of a still, 72 to 1200.
        vector: write the curves as forces.svg and forces.pdf, too.
        animation: draw knee.gif or knee.mp4 over the cycle.
        animation_frames: number of frames of the cycle in it, evenly spread, 2 to 101.
        animation_format: "gif", or "mp4" with the package imageio-ffmpeg (kneeload[video]).
    """

    flat: bool = False
    stills: tuple[str, ...] = field(default=())
    frame: str | float = "peak"
    pressure_max_mpa: float | None = None
    parted_mm: float = 0.0
    width_mm: float = 85.0
    height_mm: float = 75.0
    dpi: int = 300
    vector: bool = False
    animation: bool = False
    animation_frames: int = 34
    animation_format: str = "gif"

    def __post_init__(self) -> None:
        for name in ("flat", "vector", "animation"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(name, where=f"view.{name}", got=getattr(self, name), allowed="true or false", why="a picture is drawn or not")
        object.__setattr__(self, "stills", self._checked_stills())
        object.__setattr__(self, "frame", self._checked_frame())
        if self.pressure_max_mpa is not None:
            check_range("end of the colour scale", self.pressure_max_mpa, 0.5, 100.0, "MPa (or null for automatic)", where="view.pressure_max_mpa", why="contact pressures in knees lie below")
        check_range("gap between femur and tibia", self.parted_mm, 0.0, 80.0, "mm", where="view.parted_mm", why="the parts of the knee must stay in one picture")
        check_range("width of a picture", self.width_mm, 60.0, 400.0, "mm", where="view.width_mm", why="it must hold its words, and fit on paper")
        check_range("height of a picture", self.height_mm, 45.0, 400.0, "mm", where="view.height_mm", why="it must hold its words, and fit on paper")
        check_range("resolution", self.dpi, 72, 1200, "dots per inch", where="view.dpi", why="print needs 300 to 600")
        if self.pixels[0] * self.pixels[1] > MOST_PIXELS:
            raise InputError("size of a picture", where="view.width_mm, view.height_mm, view.dpi", got=f"{self.pixels[0]} x {self.pixels[1]} pixels",
                             allowed=f"at most {MOST_PIXELS // 1_000_000} million pixels", why="a larger one does not fit into the memory of many machines")
        whole = isinstance(self.animation_frames, int) and not isinstance(self.animation_frames, bool)
        if not whole or not 2 <= self.animation_frames <= 101:
            raise InputError("frames of the animation", where="view.animation_frames", got=self.animation_frames, allowed="a whole number from 2 to 101", why="the cycle has 101 frames")
        check_choice("format of the animation", self.animation_format, FORMATS, where="view.animation_format", why="kneeload writes no other")
        if self.animation and self.animation_format == "mp4" and find_spec("imageio_ffmpeg") is None:
            raise InputError("format of the animation", where="view.animation_format", got="mp4", allowed="gif, or mp4 after `pip install kneeload[video]`",
                             why="the encoder comes with the package imageio-ffmpeg, which is not installed")

    def _checked_stills(self) -> tuple[str, ...]:
        given = (self.stills,) if isinstance(self.stills, str) else self.stills
        if not isinstance(given, list | tuple):
            raise InputError("stills", where="view.stills", got=self.stills, allowed="a list such as [tibia_superior, patella_posterior]", why="each still gets a name")
        for name in given:
            part, _, camera = str(name).partition("_")
            if part not in PARTS or camera not in CAMERAS:
                raise InputError("still", where="view.stills", got=name, allowed=f"one of {', '.join(PARTS)}, an underscore, and one of {', '.join(CAMERAS)}",
                                 why="it names what is shown and where the camera stands")
        return tuple(dict.fromkeys(given))

    def _checked_frame(self) -> str | float:
        if isinstance(self.frame, str):
            return check_choice("frame", self.frame, ("peak", "cycle"), where="view.frame", why=f"it is {_FRAMES}")
        return check_range("frame", self.frame, 0.0, 100.0, "% of the cycle, peak or cycle", where="view.frame", why="a cycle goes from 0 to 100 %")

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height of a still, pixels."""
        return round(self.width_mm / 25.4 * self.dpi), round(self.height_mm / 25.4 * self.dpi)

    def frame_of(self, frames: int) -> int | str:
        """The frame of a cycle of so many frames, or "peak" or "cycle"."""
        return self.frame if isinstance(self.frame, str) else round(self.frame / 100.0 * (frames - 1))
