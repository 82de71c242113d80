"""stress.png: what it shows, in pixels and in numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload.views.layout import SIZE, Placement, place
from kneeload.views.palette import pressure_rgb
from kneeload.views.panels import Panel, build_panels, view_pressures
from kneeload.views.scene import Scene
from kneeload.views.stress import draw_stress, lettering

MAPS = ("femur", "tibia", "trochlea", "patella")


def _pixels(path: Path) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"))


def _panels(scene: Scene, limit: float = 10.0) -> dict[str, tuple[Panel, Placement]]:
    panels = build_panels(scene, view_pressures(scene), limit)
    return {panel.key: (panel, placement) for panel, placement in zip(panels, place(panels))}


def _pixel_of(point: np.ndarray, placement: Placement) -> tuple[int, int]:
    """Row and column in the picture of a point of a view."""
    left, bottom, width, height = placement.box
    x = left + 0.5 * width + (point[0] - placement.centre_mm[0]) * placement.pixels_per_mm
    y = bottom + 0.5 * height + (point[1] - placement.centre_mm[1]) * placement.pixels_per_mm
    return SIZE[1] - 1 - int(y), int(x)


@pytest.fixture(params=["vtk", "matplotlib"])
def renderer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "vtk":
        request.getfixturevalue("with_gl")
    else:
        monkeypatch.setenv("KNEELOAD_NO_GL", "1")
    return request.param


def test_the_picture_has_the_colour_of_the_scale_at_the_peaks(renderer: str, scene: Scene, tmp_path: Path) -> None:
    made = draw_stress(tmp_path / "stress.png", scene)
    image = _pixels(made.path)
    assert made.renderer == renderer and image.shape == (SIZE[1], SIZE[0], 3)
    assert made.limits_mpa == (0.0, 10.0)  # the smallest step that holds 5.9 MPa
    for key, peak, where in (("tibia", 6.0, (0.0, 22.0)), ("patella", 4.2, (0.0, 0.0))):
        panel, placement = _panels(scene)[key]
        assert panel.highest_mpa == pytest.approx(peak, rel=0.03)
        x = -where[1] if key == "tibia" else where[0]  # a right knee from above, front edge below: lateral is on the left
        point = np.array([-x, 0.0])
        row, column = _pixel_of(point, placement)
        seen = image[row - 2:row + 3, column - 2:column + 3].reshape(-1, 3).mean(axis=0) / 255.0
        assert seen == pytest.approx(pressure_rgb(np.array([panel.highest_mpa]), 10.0)[0], abs=0.03)


def test_every_panel_is_drawn_and_says_what_it_shows(renderer: str, scene: Scene, tmp_path: Path) -> None:
    made = draw_stress(tmp_path / "stress.png", scene)
    image = _pixels(made.path)
    for key, (_, placement) in _panels(scene).items():
        left, bottom, width, height = (int(value) for value in placement.box)
        window = image[SIZE[1] - bottom - height:SIZE[1] - bottom, left:left + width]
        assert (image[:8] == 255).all() and (image[:, -4:] == 255).all()  # white paper around the panels
        assert 0.05 < (window.min(axis=2) < 245).mean() < 0.9, key  # neither blank nor full
    frames = {record.key: record.frame for record in made.panels}
    assert frames == {"knee": 3, "femur": 3, "tibia": 3, "trochlea": 7, "patella": 7}
    for record in made.panels:
        assert 0.95 * record.highest_triangle_mpa < record.highest_mpa <= 1.0001 * record.highest_triangle_mpa, record.key


def test_without_opengl_the_note_says_so(no_gl: None, scene: Scene, tmp_path: Path) -> None:
    made = draw_stress(tmp_path / "stress.png", scene)
    assert made.renderer == "matplotlib" and made.note is not None and "flat maps" in made.note


def test_with_opengl_there_is_no_note_and_nothing_on_stderr(with_gl: None, scene: Scene, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert draw_stress(tmp_path / "stress.png", scene).note is None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("key", ["knee", *MAPS])
def test_words_at_the_edges_name_the_side_that_is_drawn_there(make_scene: Callable[..., Scene], key: str) -> None:
    for side in ("right", "left"):
        panel, _ = _panels(make_scene(side=side))[key]
        bigger = max(panel.patches, key=lambda patch: len(patch.points)) if key in ("femur", "trochlea", "knee") else panel.patches[0]
        assert {panel.edges["left"], panel.edges["right"]} == {"Medial", "Lateral"}
        if key != "patella":  # the medial ball and its plateau are the first half of each surface: they must lie on the side that says Medial
            medial_x = bigger.points[: len(bigger.points) // 4, 0].mean()
            assert panel.edges["right" if medial_x > 0.0 else "left"] == "Medial", (side, key)


def test_a_left_knee_is_the_mirror_image_with_mirrored_words(make_scene: Callable[..., Scene]) -> None:
    right, left = _panels(make_scene(side="right", flexion=0.5)), _panels(make_scene(side="left", flexion=0.5))
    for key, (panel, placement) in right.items():
        other, other_placement = left[key]
        for patch, mirrored in zip(panel.patches, other.patches):
            assert mirrored.points == pytest.approx(patch.points * np.array([-1.0, 1.0, 1.0]), abs=1e-9)
        assert (other.edges["left"], other.edges["right"]) == (panel.edges["right"], panel.edges["left"])
        assert (other.edges["top"], other.edges["bottom"]) == (panel.edges["top"], panel.edges["bottom"])
        assert other_placement.pixels_per_mm == pytest.approx(placement.pixels_per_mm) and other.peaks == panel.peaks


def test_closed_surfaces_still_face_outwards_in_a_left_knee(make_scene: Callable[..., Scene]) -> None:
    panel, _ = _panels(make_scene(side="left"))["knee"]
    bone = panel.patches[-1]  # a closed ball
    a, b, c = (bone.points[bone.triangles[:, corner]] for corner in range(3))
    assert np.einsum("ij,ij->", a, np.cross(b, c)) / 6.0 > 0.0  # positive volume


def test_the_words_of_directions_follow_the_anatomy(scene: Scene) -> None:
    panels = _panels(scene)
    assert {key: (panel.edges["top"], panel.edges["right"]) for key, (panel, _) in panels.items()} == {
        "knee": ("Proximal", "Medial"), "femur": ("Anterior", "Medial"), "tibia": ("Posterior", "Medial"), "trochlea": ("Proximal", "Medial"),
        "patella": ("Proximal", "Lateral")}


def test_the_four_maps_share_one_scale(make_scene: Callable[..., Scene]) -> None:
    placements = {key: placement for key, (_, placement) in _panels(make_scene(flexion=1.2)).items()}
    assert len({placements[key].pixels_per_mm for key in MAPS}) == 1
    for key, (panel, placement) in _panels(make_scene(flexion=1.2)).items():
        left, bottom, width, height = placement.box
        for patch in panel.patches:
            for point in patch.points[patch.focus]:
                row, column = _pixel_of(point, placement)
                assert left <= column <= left + width and bottom <= SIZE[1] - 1 - row <= bottom + height, key


def test_the_scale_can_be_fixed_and_one_wild_triangle_does_not_set_it(no_gl: None, scene: Scene, tmp_path: Path) -> None:
    assert draw_stress(tmp_path / "fixed.png", scene, limit_mpa=25.0).limits_mpa == (0.0, 25.0)
    wild = []
    for field in scene.contact.fields:
        pressure = field.pressure.copy()
        pressure[:, 0] = 400.0
        wild.append(replace(field, pressure=pressure))
    spiked = replace(scene, contact=replace(scene.contact, fields=tuple(wild)))
    made = draw_stress(tmp_path / "wild.png", spiked)
    assert made.limits_mpa == (0.0, 10.0)
    assert max(record.highest_triangle_mpa for record in made.panels) == 400.0  # and the numbers do not hide it


def test_a_knee_without_contact_menisci_or_numbers_is_still_drawn(no_gl: None, make_scene: Callable[..., Scene], tmp_path: Path) -> None:
    bare = make_scene(daily_dose=None, risk_24mo=None, body_weight_n=None)
    contact = bare.contact
    nothing = replace(contact, fields=(), medial=replace(contact.medial, force=np.full(11, np.nan), peak_pressure=np.zeros(11)))
    made = draw_stress(tmp_path / "stress.png", replace(bare, contact=nothing, anatomy=replace(bare.anatomy, medial_meniscus=None)))
    assert [record.highest_mpa for record in made.panels] == [0.0] * 5


@pytest.mark.parametrize("words", ["man, 80 kg", "a person with a very long description " * 6])
def test_no_words_leave_the_picture_or_lie_on_each_other(make_scene: Callable[..., Scene], words: str) -> None:
    scene = make_scene(subject=words, interventions=("unloader_brace", "weight_loss", "toe_in"))
    panels = build_panels(scene, view_pressures(scene), 10.0)
    figure = lettering(scene, panels, place(panels), 10.0)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.texts]
    for text, box in zip(figure.texts, boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= SIZE[0] and box.y1 <= SIZE[1], text.get_text()
    bar = figure.axes[0].get_tightbbox()
    for i, box in enumerate(boxes):
        assert not box.overlaps(bar), figure.texts[i].get_text()
        for j in range(i):
            assert not box.overlaps(boxes[j]), (figure.texts[i].get_text(), figure.texts[j].get_text())


def test_the_picture_names_scale_side_person_and_that_it_is_no_diagnosis(scene: Scene) -> None:
    panels = build_panels(scene, view_pressures(scene), 10.0)
    figure = lettering(scene, panels, place(panels), 10.0)
    words = " | ".join(text.get_text() for text in figure.texts)
    for part in ("Right knee", "woman, 62 kg", "stair descent", "Information only, not a diagnosis.", "MEDIAL", "LATERAL", "peak 5.9 MPa", "peak 4.1 MPa",
                 "30 % of the cycle", "70 % of the cycle", "1800 N (2.96 x body weight)"):
        assert part in words, part
    assert figure.axes[0].get_title() == "Contact pressure (MPa)" and figure.axes[0].get_xlim() == (0.0, 10.0)
