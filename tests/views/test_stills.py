"""Stills, vector curves and the animation: sizes, scales, numbers, with and without OpenGL; and bad settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload.errors import InputError
from kneeload.views.animation import SIZE, draw_animation
from kneeload.views.asked import NEEDS_CONTACT, draw_asked
from kneeload.views.curves import FORCES, KneeCurves
from kneeload.views.palette import pressure_rgb
from kneeload.views.panels import view_axes
from kneeload.views.picture_settings import CAMERAS, PARTS, PictureSettings
from kneeload.views.scene import Scene
from kneeload.views.stills import draw_still, draw_stills, still_view
from kneeload.views.vector_curves import draw_vector_curves, vector_figure

SMALL = PictureSettings(width_mm=70.0, height_mm=60.0, dpi=100)


@pytest.fixture(params=["vtk", "matplotlib"])
def renderer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "vtk":
        request.getfixturevalue("with_gl")
    else:
        monkeypatch.setenv("KNEELOAD_NO_GL", "1")
    return request.param


def _curves() -> KneeCurves:
    t = np.linspace(0.0, 100.0, 11)
    return KneeCurves(cycle_percent=t, tibiofemoral_n=10.0 * t, medial_n=6.0 * t, lateral_n=4.0 * t, patellofemoral_n=3.0 * t, adduction_moment_nm=t, extension_moment_nm=-t,
                      swing=t > 60.0)


def test_a_still_has_its_size_on_paper_its_scale_and_the_colour_of_the_peak(renderer: str, scene: Scene, tmp_path: Path) -> None:
    from PIL import Image

    made = draw_still(tmp_path / "still.png", scene, "tibia_superior", SMALL)
    assert made.renderer == renderer and (made.note is None) == (renderer == "vtk") and made.limits_mpa == (0.0, 10.0) and made.frame == 3
    with Image.open(made.path) as picture:
        assert picture.size == made.pixels == SMALL.pixels == (276, 236) and picture.info["dpi"] == pytest.approx((100, 100), rel=0.01)
        image = np.asarray(picture.convert("RGB")).astype(float) / 255.0
    assert made.highest_mpa == pytest.approx(6.0, rel=0.03)
    near = np.abs(image - pressure_rgb(np.array([made.highest_mpa]), 10.0)[0]).sum(axis=2) < 0.12
    assert near.any() and (image[:2] == 1.0).all() and 0.1 < (image.min(axis=2) < 0.97).mean() < 0.9
    columns = np.nonzero(near[:, :200])[1]
    assert columns.mean() > 100  # a right knee from above, front edge below: medial, with the higher pressure, is on the right


@pytest.mark.parametrize("name", [f"{part}_{camera}" for part in PARTS for camera in CAMERAS])
def test_cameras_stand_where_their_names_say(name: str) -> None:
    part, _, camera = name.partition("_")
    view = still_view(name, 20.0)
    direction = view_axes(view.toward, view.up, "right")[2]
    towards = {"superior": (1, 1), "inferior": (1, -1), "anterior": (0, 1), "posterior": (0, -1), "lateral": (2, 1), "medial": (2, -1)}
    if camera in towards:
        axis, sign = towards[camera]
        assert direction[axis] == pytest.approx(sign)
    assert view.lift_mm == (20.0 if part == "knee" else 0.0) and view.key == name


def test_a_left_still_is_the_mirror_image(no_gl: None, make_scene: Callable[..., Scene], tmp_path: Path) -> None:
    right, left = (draw_still(tmp_path / f"{side}.png", make_scene(side=side), "knee_anterior", SMALL) for side in ("right", "left"))
    assert right.edges["left"] == left.edges["right"] == "Lateral" and right.pixels_per_mm == pytest.approx(left.pixels_per_mm)


def test_frame_percent_peak_or_highest_over_the_cycle(no_gl: None, scene: Scene, tmp_path: Path) -> None:
    def still(**changes: object):
        return draw_still(tmp_path / "still.png", scene, "femur_inferior", replace(SMALL, **changes))  # type: ignore[arg-type]

    assert [still(frame=percent).frame for percent in (0.0, 72.0, 100.0)] == [0, 7, 10]
    peak, cycle = still(), still(frame="cycle")
    assert cycle.over_cycle and not peak.over_cycle and cycle.frame == peak.frame == 3
    assert cycle.highest_triangle_mpa == pytest.approx(6.0, rel=0.03) and cycle.highest_mpa >= peak.highest_mpa
    assert still(pressure_max_mpa=7.5).limits_mpa == (0.0, 7.5)
    patella = draw_still(tmp_path / "patella.png", scene, "patella_posterior", replace(SMALL, frame="cycle"))
    assert patella.frame == 7 and patella.limits_mpa == (0.0, 5.0)


def test_stills_of_one_run_share_their_scale_and_are_named_by_what_they_show(no_gl: None, scene: Scene, tmp_path: Path) -> None:
    made = draw_stills(tmp_path, scene, replace(SMALL, stills=("patella_posterior", "tibia_superior")))
    assert [still.path.name for still in made] == ["still_patella_posterior.png", "still_tibia_superior.png"] and {still.limits_mpa for still in made} == {(0.0, 10.0)}


def test_a_parted_knee_is_lifted_along_the_tibia(no_gl: None, make_scene: Callable[..., Scene]) -> None:
    from kneeload.views.panels import build_panel, view_pressure

    for flexion in (0.0, 0.9):
        scene = make_scene(flexion=flexion)
        closed, parted = (build_panel(scene, view, view_pressure(scene, view, 3), 10.0) for view in (still_view("knee_medial"), still_view("knee_medial", 30.0)))
        shift = [other.points - one.points for one, other in zip(closed.patches, parted.patches)]
        assert shift[0] == pytest.approx(np.tile([0.0, 30.0, 0.0], (len(shift[0]), 1)), abs=1e-9)  # the femur comes first
        assert sum(bool(np.abs(item).max() < 1e-9) for item in shift) == 5  # two plateaus, meniscus, its rim, tibia


def test_vector_curves_hold_the_numbers_and_carry_their_fonts(tmp_path: Path) -> None:
    after = _curves()
    svg, pdf = draw_vector_curves((tmp_path / "forces.svg", tmp_path / "forces.pdf"), after, before=replace(after, medial_n=2.0 * after.medial_n))
    assert b"/FontFile2" in pdf.read_bytes() and b"CIDFontType2" in pdf.read_bytes()
    words = svg.read_text(encoding="utf-8")
    assert 'width="510.2' in words and "<text" not in words and "http-equiv" not in words  # 180 mm in points; letters are outlines
    again = draw_vector_curves((tmp_path / "again.svg",), after, before=replace(after, medial_n=2.0 * after.medial_n))[0]
    assert again.read_text(encoding="utf-8") == words  # no date, no chance
    upper = vector_figure(after, width_mm=180.0).axes[0]
    drawn = {line.get_color(): line.get_ydata() for line in upper.lines}
    for name, (_, colour, _) in FORCES.items():
        assert np.array_equal(drawn[colour], getattr(after, name))


@pytest.mark.parametrize("width", [85.0, 120.0, 141.0, 180.0])
def test_no_words_of_the_vector_curves_leave_the_paper(width: float) -> None:
    figure = vector_figure(_curves(), width_mm=width, before=_curves())
    figure.canvas.draw()
    for item in [*figure.texts, *[axes.get_legend() for axes in figure.axes], *[axes.yaxis.label for axes in figure.axes]]:
        box = item.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, item


def test_the_animation_plays_the_cycle_with_one_scale(renderer: str, scene: Scene, tmp_path: Path) -> None:
    from PIL import Image

    made = draw_animation(tmp_path / "knee.gif", scene, PictureSettings(animation=True, animation_frames=4))
    assert made.renderer == renderer and made.frames == (0, 3, 7, 10) and made.limits_mpa == (0.0, 10.0) and made.highest_mpa == pytest.approx(5.9)
    with Image.open(made.path) as played:
        assert played.size == SIZE and played.n_frames == 4 and played.info["loop"] == 0
        pictures = []
        for frame in range(4):
            played.seek(frame)
            pictures.append(np.asarray(played.convert("RGB")).astype(int))
    bar = [picture[512:550, 320:570] for picture in pictures]
    assert all(np.abs(item - bar[0]).max() <= 2 for item in bar)  # the same scale in each
    assert all((np.abs(a - b).sum(axis=2) > 30).mean() > 0.002 for a, b in zip(pictures, pictures[1:]))  # and something moves
    assert made.path.stat().st_size < 1_000_000


def test_a_video_is_written_where_the_encoder_is_there(no_gl: None, scene: Scene, tmp_path: Path) -> None:
    pytest.importorskip("imageio_ffmpeg")
    made = draw_animation(tmp_path / "knee.mp4", scene, PictureSettings(animation=True, animation_frames=3, animation_format="mp4"))
    assert made.path.read_bytes()[4:8] == b"ftyp"


def test_without_contact_only_curves_are_drawn_and_a_note_says_so(tmp_path: Path) -> None:
    files, notes = draw_asked(tmp_path, PictureSettings(flat=True, vector=True, stills=("tibia_superior",)), _curves())
    assert [file.name for file in files] == ["forces.svg", "forces.pdf"] and notes == [NEEDS_CONTACT]
    assert draw_asked(tmp_path, PictureSettings(), _curves()) == ([], [])


def test_flat_maps_go_with_the_usual_pictures_where_opengl_is_missing(no_gl: None, scene: Scene, tmp_path: Path) -> None:
    assert [file.name for file in draw_asked(tmp_path, PictureSettings(), _curves(), scene=scene)[0]] == ["maps.png"]
    assert draw_asked(tmp_path, PictureSettings(), _curves(), scene=scene, usual=False)[0] == []


@pytest.mark.parametrize(("key", "value", "words"), [
    ("stills", ["tibia_above"], "tibia_above"), ("stills", 3, "a list such as"), ("frame", "highest", "peak, cycle"), ("frame", 101.0, "from 0 to 100"),
    ("frame", float("nan"), "from 0 to 100"), ("pressure_max_mpa", 0.0, "MPa"), ("pressure_max_mpa", "high", "MPa"), ("parted_mm", -1.0, "mm"), ("width_mm", 10.0, "from 60 to 400 mm"),
    ("height_mm", 1e4, "from 45 to 400 mm"), ("dpi", 10, "dots per inch"), ("flat", "yes", "true or false"), ("vector", 1, "true or false"), ("animation_frames", 1, "2 to 101"),
    ("animation_frames", 2.5, "whole number"), ("animation_format", "avi", "gif, mp4"),
])
def test_bad_settings_are_refused_with_a_sentence(key: str, value: object, words: str) -> None:
    with pytest.raises(InputError, match=f"view\\.{key}") as caught:
        PictureSettings(**{key: value})  # type: ignore[arg-type]
    assert words in str(caught.value) and str(caught.value).endswith(".")


def test_a_picture_that_no_memory_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="million pixels"):
        PictureSettings(width_mm=400.0, height_mm=400.0, dpi=1200)
    monkeypatch.setattr("kneeload.views.picture_settings.find_spec", lambda name: None)
    with pytest.raises(InputError, match="imageio-ffmpeg"):
        PictureSettings(animation=True, animation_format="mp4")
