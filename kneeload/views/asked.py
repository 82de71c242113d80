"""The pictures that a person asks for beyond those of every run, all with one call."""

from __future__ import annotations

from pathlib import Path

from kneeload.views.curves import KneeCurves
from kneeload.views.gl import gl_problem
from kneeload.views.picture_settings import PictureSettings
from kneeload.views.scene import Scene, frame_count

NEEDS_CONTACT = "Stills, flat maps and the animation show contact pressure: without contact they are not drawn."


def draw_asked(folder: Path, settings: PictureSettings, curves: KneeCurves, *, before: KneeCurves | None = None, scene: Scene | None = None,
               usual: bool = True) -> tuple[list[Path], list[str]]:
    """Draw what the settings ask for into a folder; returns the files and notes for the reader.

    Args:
        folder: must exist.
        settings: what to draw.
        curves: of the run, for forces.svg and forces.pdf.
        before: curves of the case without its interventions.
        scene: the knee with its contact, None at the load level.
        usual: the usual pictures are drawn, too: where OpenGL is missing, maps.png then goes with them without being asked for.
    """
    files: list[Path] = []
    if settings.vector:
        from kneeload.views.vector_curves import draw_vector_curves

        files += draw_vector_curves((folder / "forces.svg", folder / "forces.pdf"), curves, width_mm=max(settings.width_mm, 85.0), before=before)
    if scene is None:
        return files, [NEEDS_CONTACT] if settings.flat or settings.stills or settings.animation else []
    notes: list[str | None] = []
    if settings.flat or (usual and gl_problem() is not None):
        from kneeload.views.maps_drawing import draw_maps

        files.append(draw_maps(folder / "maps.png", scene, frame=settings.frame_of(frame_count(scene)), limit_mpa=settings.pressure_max_mpa).path)
    if settings.stills:
        from kneeload.views.stills import draw_stills

        stills = draw_stills(folder, scene, settings)
        files += [still.path for still in stills]
        notes += [still.note for still in stills]
    if settings.animation:
        from kneeload.views.animation import draw_animation

        played = draw_animation(folder / f"knee.{settings.animation_format}", scene, settings)
        files.append(played.path)
        notes.append(played.note)
    return files, [note for note in dict.fromkeys(notes) if note]
