"""The 3D view of the page: one knee, or before, after and their difference side by side under one camera. Drawn by vtk.js in the browser.

The tibia stands still and the other bones move. Nothing is rendered here, so no graphics library is needed on this machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import vtkmodules.vtkRenderingFreeType
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers actors and mappers)
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkRenderingCore import vtkActor, vtkCamera, vtkPolyDataMapper, vtkRenderer
from vtkmodules.vtkRenderingOpenGL2 import vtkGenericOpenGLRenderWindow

from kneeload.views.app.labels import letters
from kneeload.views.app.painting import Part, Quantity, difference_painted, moved_points, painted, parts_of, values
from kneeload.views.scene import Scene, body_pose, inverse_pose

Matrix = NDArray[np.float64]
BACKGROUND = (1.0, 1.0, 1.0)
_MOST_LABELS, _LETTER = 3, {True: 0.021, False: 0.019}  # height of a letter over that of the view: one picture, several


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A way to look at the knee: where from, how far the bones are moved apart, which parts are seen.

    Attributes:
        words: for the choice on the page.
        toward, up: no unit, tibia frame of a right knee; direction from the knee to the viewer, and what points up.
        femur, patella: mm, tibia frame; how far these are moved.
        hidden: names of parts that are not shown.
        height: mm; what fits into the view from top to bottom.
        centre: mm, tibia frame; what is looked at.
        labels: words and their places, mm, tibia frame.
        turned: whether the kneecap shows its back.
        width: mm; what fits into each picture from left to right.
    """

    words: str
    toward: tuple[float, float, float]
    up: tuple[float, float, float]
    femur: tuple[float, float, float] = (0.0, 0.0, 0.0)
    patella: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hidden: tuple[str, ...] = ()
    height: float = 150.0
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    labels: tuple[tuple[str, tuple[float, float, float]], ...] = ()
    turned: bool = False
    width: float = 96.0


_SIDES = (("MEDIAL", (46.0, -98.0, -26.0)), ("LATERAL", (46.0, -98.0, 26.0)))
_AROUND = (("MEDIAL", (-32.0, -20.0, -22.0)), ("LATERAL", (-32.0, -20.0, 22.0)), ("FRONT", (40.0, -20.0, 0.0)))
_KNEECAP = ("patella", "patella_cartilage")
_SHIN = ("tibia", "tibia_medial", "tibia_lateral", "medial_meniscus", "lateral_meniscus")
LOOKS: dict[str, Look] = {
    "parted": Look(words="Bones parted", toward=(0.80, 0.60, 0.0), up=(0.0, 1.0, 0.0), femur=(0.0, 98.0, 0.0), patella=(-28.0, 42.0, 0.0), height=244.0, centre=(0.0, 47.0, 0.0),
                   labels=(("MEDIAL", (46.0, -76.0, -26.0)), ("LATERAL", (46.0, -76.0, 26.0)), ("BACK OF KNEECAP", (20.0, 19.5, 4.0))), turned=True),
    "whole": Look(words="Whole knee", toward=(1.0, 0.12, 0.0), up=(0.0, 1.0, 0.0), height=180.0, centre=(0.0, -14.0, 0.0), labels=_SIDES),
    "plateau": Look(words="Shin bone from above", toward=(0.06, 1.0, 0.0), up=(-1.0, 0.0, 0.0), hidden=("femur", *_KNEECAP), height=94.0, centre=(2.0, -20.0, 0.0), labels=_AROUND),
    "condyles": Look(words="Thigh bone from below", toward=(0.0, -1.0, 0.0), up=(1.0, 0.0, 0.0), hidden=(*_SHIN, *_KNEECAP), height=112.0, centre=(6.0, -10.0, 0.0),
                     labels=(("MEDIAL", (-44.0, -10.0, -26.0)), ("LATERAL", (-44.0, -10.0, 26.0)))),
    "kneecap": Look(words="Kneecap from behind", toward=(-1.0, 0.0, 0.0), up=(0.0, 1.0, 0.0), hidden=("femur", *_SHIN), height=72.0, width=64.0, centre=(45.0, 16.0, 5.0),
                    labels=(("MEDIAL", (45.0, -10.0, -14.0)), ("LATERAL", (45.0, -10.0, 22.0)))),
}
PIECES: dict[str, tuple[str, ...]] = {"thigh": ("femur",), "shin": ("tibia", "tibia_medial", "tibia_lateral"), "cap": _KNEECAP, "menisci": ("medial_meniscus", "lateral_meniscus")}


@dataclass(slots=True, eq=False)
class _Shown:
    """An actor of one part in one of the pictures, and the geometry it has now."""

    actor: vtkActor
    data: vtkPolyData
    part: Part | None = None
    key: Any = None


@dataclass(slots=True, eq=False)
class _Picture:
    renderer: vtkRenderer
    labels: list[tuple[vtkActor, vtkPolyDataMapper]]
    shown: dict[str, _Shown] = field(default_factory=dict)


class KneeView:
    """Up to three pictures of a knee in one render window: they share a camera, so turning one turns all."""

    def __init__(self) -> None:
        self.window = vtkGenericOpenGLRenderWindow()
        self.camera = vtkCamera()
        self.camera.SetViewAngle(24.0)
        self._pictures = [_Picture(renderer=self._renderer(), labels=[_label() for _ in range(_MOST_LABELS)]) for _ in range(3)]
        for picture in self._pictures:
            for actor, _ in picture.labels:
                picture.renderer.AddActor(actor)
        self.arrange(1)

    def _renderer(self) -> vtkRenderer:
        renderer = vtkRenderer()
        renderer.SetBackground(*BACKGROUND)
        renderer.SetActiveCamera(self.camera)
        self.window.AddRenderer(renderer)
        return renderer

    def arrange(self, count: int) -> None:
        """Give the first `count` pictures the same width each."""
        for number, picture in enumerate(self._pictures):
            picture.renderer.SetViewport(number / count, 0.0, (number + 1) / count, 1.0) if number < count else picture.renderer.SetViewport(0.0, 0.0, 0.0, 0.0)
            picture.renderer.SetDraw(number < count)
        self.count = count

    def show(self, scenes: list[Scene], quantity: Quantity, frame: int, look: Look, *, limit: float, change_limit: float, hidden: tuple[str, ...] = ()) -> None:
        """Bring the pictures up to date: one scene alone, or before and after with their difference."""
        gone = {*look.hidden, *hidden}
        found: list[dict[str, NDArray[np.float64] | None]] = []
        for number, scene in enumerate(scenes):
            parts = parts_of(scene.anatomy)
            found.append({part.name: None if part.name in gone else values(scene, part, quantity, frame) for part in parts})
            self._paint(number, scene, frame, look, gone, {part.name: painted(part, found[number][part.name], limit) for part in parts if part.name not in gone})
        if self.count == 3 and len(scenes) == 2:
            colours = {part.name: difference_painted(part, _change(found[0].get(part.name), found[1][part.name]), change_limit)
                       for part in parts_of(scenes[1].anatomy) if part.name not in gone}
            self._paint(2, scenes[1], frame, look, gone, colours)
        elif self.count == 1:
            for picture in self._pictures[1:]:
                self._empty(picture)

    def _empty(self, picture: _Picture) -> None:
        for item in picture.shown.values():
            item.actor.SetVisibility(False)

    def _paint(self, number: int, scene: Scene, frame: int, look: Look, gone: set[str], colours: dict[str, NDArray[np.uint8]]) -> None:
        picture, parts = self._pictures[number], {part.name: part for part in parts_of(scene.anatomy)}
        for name, item in picture.shown.items():
            item.actor.SetVisibility(name in colours and name not in gone)
        for name, rgb in colours.items():
            item = picture.shown.get(name) or self._new(picture, name)
            self._geometry(item, scene, parts[name], frame)
            if item.key != (key := rgb.tobytes()):
                item.key = key
                scalars = numpy_to_vtk(rgb, deep=True)
                scalars.SetName("colour")
                item.data.GetPointData().SetScalars(scalars)
            item.actor.SetUserMatrix(_matrix(_placed(scene, parts[name], frame, look)))

    def _new(self, picture: _Picture, name: str) -> _Shown:
        data, mapper, actor = vtkPolyData(), vtkPolyDataMapper(), vtkActor()
        mapper.SetInputData(data)
        mapper.SetScalarModeToUsePointData()
        mapper.SetColorModeToDirectScalars()
        actor.SetMapper(mapper)
        actor.GetProperty().SetLighting(False)
        picture.renderer.AddActor(actor)
        picture.shown[name] = _Shown(actor=actor, data=data)
        return picture.shown[name]

    def _geometry(self, item: _Shown, scene: Scene, part: Part, frame: int) -> None:
        """Set triangles when the knee is another one, and points when they move."""
        gives_way = part.field is not None and "meniscus" in part.field
        if item.part is not part:
            item.data.SetPolys(_cells(part.mesh.triangles))
        if item.part is not part or gives_way:
            points = vtkPoints()
            points.SetData(numpy_to_vtk(moved_points(scene, part, frame).astype(np.float32), deep=True))
            item.data.SetPoints(points)
        item.part = part

    def look(self, look: Look, side: str, aspect: float = 1.0) -> None:
        """Set the camera and the labels.

        Args:
            look: from where.
            side: "right" or "left" knee.
            aspect: width over height of all pictures together, no unit.
        """
        mirror = np.array([1.0, 1.0, 1.0 if side == "right" else -1.0])
        toward, up, centre = (np.asarray(item) * mirror for item in (look.toward, look.up, look.centre))
        toward = toward / np.linalg.norm(toward)
        height = max(look.height * (1.0 if self.count == 1 else 1.10), look.width * self.count / max(aspect, 0.1))
        self.camera.SetFocalPoint(*centre)
        self.camera.SetPosition(*(centre + 0.5 * height / np.tan(np.radians(0.5 * self.camera.GetViewAngle())) * toward))
        self.camera.SetViewUp(*up)
        upright = up - toward * (up @ toward)
        upright = upright / np.linalg.norm(upright)
        axes = np.stack([np.cross(upright, toward), upright, toward])
        for picture in self._pictures:
            picture.renderer.ResetCameraClippingRange()
            for number, (actor, mapper) in enumerate(picture.labels):
                actor.SetVisibility(number < len(look.labels))
                if number < len(look.labels):
                    words, place = look.labels[number]
                    mapper.SetInputData(letters(words, np.asarray(place) * mirror, axes, _LETTER[self.count == 1] * height))

    def triangles(self) -> int:
        """Number of triangles of the first picture."""
        return sum(item.data.GetNumberOfPolys() for item in self._pictures[0].shown.values() if item.actor.GetVisibility())

    def close(self) -> None:
        """Let go of the pictures."""
        for picture in self._pictures:
            picture.renderer.RemoveAllViewProps()
            self.window.RemoveRenderer(picture.renderer)
        self._pictures = []


def _change(before: NDArray[np.float64] | None, after: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Difference at the points, None where the two knees have other points (a changed bone)."""
    return None if before is None or after is None or before.shape != after.shape else after - before


def _placed(scene: Scene, part: Part, frame: int, look: Look) -> Matrix:
    """(4, 4) no unit / mm; pose of a part in the tibia frame, moved apart, mirrored for a left knee."""
    pose = inverse_pose(body_pose(scene, "tibia", frame)) @ body_pose(scene, part.body, frame)
    if part.body != "tibia":
        pose = pose.copy()
        pose[:3, 3] += np.asarray(look.femur if part.body == "femur" else look.patella)
        if look.turned and part.body == "patella":
            pose[:3, :3] = np.diag([-1.0, 1.0, -1.0]) @ pose[:3, :3]
    return pose if scene.side == "right" else np.diag([1.0, 1.0, -1.0, 1.0]) @ pose


def _matrix(pose: Matrix) -> vtkMatrix4x4:
    matrix = vtkMatrix4x4()
    matrix.DeepCopy(pose.ravel().tolist())
    return matrix


def _cells(triangles: NDArray[np.integer]) -> vtkCellArray:
    cells, count = vtkCellArray(), len(triangles)
    cells.SetData(numpy_to_vtkIdTypeArray(np.arange(0, 3 * count + 1, 3, dtype=np.int64), deep=True), numpy_to_vtkIdTypeArray(triangles.astype(np.int64).ravel(), deep=True))
    return cells


def _label() -> tuple[vtkActor, vtkPolyDataMapper]:
    """Flat letters, set by `look`; an actor that stays, since vtk.js forgets one that is taken away from several pictures."""
    mapper, actor = vtkPolyDataMapper(), vtkActor()
    mapper.SetInputData(letters(".", np.zeros(3), np.eye(3), 1.0))
    actor.SetMapper(mapper)
    actor.GetProperty().SetLighting(False)
    actor.GetProperty().SetColor(0.22, 0.27, 0.32)
    return actor, mapper
