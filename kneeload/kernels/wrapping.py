"""Pull of muscle heads on the patella in the sagittal plane, straight or over the front of a cylinder, in all frames in one call."""

from __future__ import annotations

import numpy as np

from kneeload.kernels.options import kernel


@kernel
def wrapped_directions(origin, flexion, near, far, cylinder):
    """Directions of k heads at the patella and above the femur.

    A head runs from a point of the patella to a point of the femur. Where the straight line would cut the cylinder (axis parallel to z),
    it follows the cylinder's front (x forward) instead: it leaves both points along tangents. The slope towards z is that of the
    straight line.

    Args:
        origin: (T, 3) mm, femur frame; patella origin.
        flexion: (T,) rad; flexion of the patella.
        near: (k, 3) mm, patella frame.
        far: (k, 3) mm, femur frame.
        cylinder: (3,) mm; x and y of the axis, radius.

    Returns:
        at_patella: (T, k, 3) no unit, femur frame; unit vectors of the pull on the patella.
        above: (T, k, 3) no unit, femur frame; unit vectors towards `far` after the cylinder; equal to `at_patella` where it is not touched.
    """
    frames = flexion.shape[0]
    heads = near.shape[0]
    at_patella = np.empty((frames, heads, 3))
    above = np.empty((frames, heads, 3))
    radius = cylinder[2]
    for t in range(frames):
        c = np.cos(flexion[t])
        s = np.sin(flexion[t])
        for k in range(heads):
            x = origin[t, 0] + c * near[k, 0] + s * near[k, 1]
            y = origin[t, 1] - s * near[k, 0] + c * near[k, 1]
            run_x = far[k, 0] - x
            run_y = far[k, 1] - y
            rise = far[k, 2] - origin[t, 2] - near[k, 2]
            run = np.sqrt(run_x * run_x + run_y * run_y)
            axis_x = cylinder[0] - x
            axis_y = cylinder[1] - y
            distance = np.sqrt(axis_x * axis_x + axis_y * axis_y)
            aside = (run_x * axis_y - run_y * axis_x) / run  # distance of the axis from the straight line, > 0 behind it on the way up
            away = run_x * axis_x + run_y * axis_y < 0.0
            length = np.sqrt(run * run + rise * rise)
            at_patella[t, k, 0] = above[t, k, 0] = run_x / length
            at_patella[t, k, 1] = above[t, k, 1] = run_y / length
            at_patella[t, k, 2] = above[t, k, 2] = rise / length
            if aside < radius and not (away and aside > 0.0) and run * run > distance * distance - radius * radius:
                heading = np.arctan2(axis_y, axis_x) - np.arcsin(min(radius / max(distance, 1e-9), 1.0))
                far_x = far[k, 0] - cylinder[0]
                far_y = far[k, 1] - cylinder[1]
                far_distance = max(np.sqrt(far_x * far_x + far_y * far_y), 1e-9)
                leaving = np.arctan2(far_y, far_x) + np.arcsin(min(radius / far_distance, 1.0))
                at_patella[t, k, 0] = run * np.cos(heading) / length
                at_patella[t, k, 1] = run * np.sin(heading) / length
                above[t, k, 0] = run * np.cos(leaving) / length
                above[t, k, 1] = run * np.sin(leaving) / length
    return at_patella, above
