"""forces.png: the right curves, in the right units, readable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kneeload.contact.cycle import ContactCycle
from kneeload.forces.loads import JointLoads
from kneeload.motion.motion import Motion
from kneeload.views import curves as module
from kneeload.views.curves import KneeCurves, draw_curves, knee_curves
from kneeload.views.scene import Scene

T = 11


def _motion(measured: dict[str, np.ndarray] | None = None) -> Motion:
    line = np.zeros(T)
    return Motion(activity="walking", time=np.linspace(0.0, 1.1, T), stance=np.arange(T) < 7, knee_flexion=line, hip_flexion=line, ankle_dorsiflexion=line,
                  knee_extension_moment=np.linspace(-20e3, 40e3, T), knee_adduction_moment=np.linspace(0.0, 30e3, T), hip_extension_moment=None,
                  ankle_plantarflexion_moment=None, net_axial_force=line, cycles_per_second=0.9, source="made up", measured=measured)


def _loads() -> JointLoads:
    line, none = np.zeros(T), np.zeros((T, 0))
    return JointLoads(muscle_names=(), muscle_force=none, activation=none, quadriceps_force=line, patellar_tendon_force=line, quadriceps_pull=np.zeros((T, 3)),
                      tibiofemoral_force=np.full(T, 1500.0), medial_force=np.full(T, 1000.0), lateral_force=np.full(T, 500.0),
                      patellofemoral_force=np.linspace(0.0, 700.0, T), knee_adduction_moment=np.linspace(0.0, 25e3, T), wrench_force=np.zeros((T, 3)),
                      wrench_moment=np.zeros((T, 3)), ligament_names=(), ligament_force=none, status=np.zeros(T, np.int8), reserve=np.zeros((T, 3)))


def _figure(monkeypatch: pytest.MonkeyPatch, path: Path, *arguments: object, **keywords: object):
    """The figure that draw_curves saved."""
    from matplotlib.figure import Figure

    made = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (made.append(self), save(self, *a, **k)))
    draw_curves(path, *arguments, **keywords)  # type: ignore[arg-type]
    return made[0]


def test_curves_come_from_the_contact_where_there_is_one_and_moments_are_in_newton_metres(scene: Scene) -> None:
    contact: ContactCycle = scene.contact
    level, solved = knee_curves(_motion(), _loads()), knee_curves(_motion(), _loads(), contact)
    assert level.medial_n[0] == 1000.0 and level.tibiofemoral_n[0] == 1500.0 and level.patellofemoral_n[-1] == 700.0
    assert (solved.medial_n == contact.medial.force).all() and (solved.tibiofemoral_n == contact.medial.force + contact.lateral.force).all()
    assert level.adduction_moment_nm[-1] == pytest.approx(25.0) and level.extension_moment_nm[0] == pytest.approx(-20.0)  # after a brace; internal
    assert level.cycle_percent[[0, -1]].tolist() == [0.0, 100.0] and level.swing.sum() == 4


def test_measured_sides_give_a_measured_total() -> None:
    measured = {"measured_medial_force_n": np.full(T, 900.0), "measured_lateral_force_n": np.full(T, 450.0), "measured_something_else": np.zeros(T)}
    found = knee_curves(_motion(measured), _loads()).measured
    assert set(found) == {"medial_n", "lateral_n", "tibiofemoral_n"} and found["tibiofemoral_n"][0] == 1350.0
    assert knee_curves(_motion({"measured_medial_force_n": np.ones(T)}), _loads()).measured.keys() == {"medial_n"}


def test_the_figure_holds_these_curves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    measured = {"measured_medial_force_n": np.full(T, 900.0)}
    after = knee_curves(_motion(measured), _loads())
    before = replace(after, medial_n=after.medial_n * 1.2, measured={})
    figure = _figure(monkeypatch, tmp_path / "forces.png", after, title="Right knee", body_weight_n=750.0, before=before)
    upper, lower = figure.axes[:2]
    drawn = {(line.get_color(), line.get_linestyle(), line.get_marker()): line.get_ydata() for line in upper.lines}
    medial = module.FORCES["medial_n"][1]
    assert drawn[(medial, "-", "None")] == pytest.approx(1000.0)
    assert drawn[(medial, "--", "None")] == pytest.approx(1200.0)
    assert drawn[(medial, "None", "o")] == pytest.approx(900.0)
    assert len(upper.lines) == 9 and len(lower.lines) == 5  # 4 curves, 4 before, 1 measured; 2 + 2 and the zero line
    assert upper.get_ylabel() == "Contact force (N)" and lower.get_ylabel() == "Knee moment (N m)" and lower.get_xlabel() == "Cycle (%)"
    right = upper.child_axes[0]
    assert right.get_ylabel() == "Contact force (body weights)"
    assert right.get_ylim()[1] == pytest.approx(upper.get_ylim()[1] / 750.0)
    assert [text.get_text() for text in upper.get_legend().get_texts()] == ["tibiofemoral, total", "medial", "lateral", "patellofemoral"]
    words = " ".join(text.get_text() for text in figure.texts)
    assert "dashed: without" in words and "dots: measured" in words and "Information only, not a diagnosis." in words


def test_no_words_leave_the_picture(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    after = knee_curves(_motion({"measured_medial_force_n": np.ones(T)}), _loads())
    figure = _figure(monkeypatch, tmp_path / "forces.png", after, title="Right knee  ·  woman, 62 kg, 1.70 m  ·  " + "a long name " * 20, body_weight_n=750.0, before=after)
    width, height = figure.canvas.get_width_height()
    boxes = [text.get_window_extent() for text in figure.texts] + [axes.get_tightbbox() for axes in figure.axes]
    for box in boxes:
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_colours_can_be_told_apart_without_colour() -> None:
    from matplotlib.colors import to_rgb

    from kneeload.views.palette import lightness

    light = np.sort(lightness(np.array([to_rgb(colour) for _, colour, _ in module.FORCES.values()])))
    assert (np.diff(light) > 3.0).all()


def test_a_picture_without_swing_weight_or_intervention(tmp_path: Path) -> None:
    from PIL import Image

    after: KneeCurves = replace(knee_curves(_motion(), _loads()), swing=np.zeros(T, bool))
    image = np.asarray(Image.open(draw_curves(tmp_path / "forces.png", after, title="Left knee")).convert("L"))
    assert image.shape == (1000, 1500) and 0.005 < (image < 200).mean() < 0.5
