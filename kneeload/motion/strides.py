"""Strides in a recording: from the ground reaction, from where the foot is, or from given times; each resampled to 101 samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kneeload.errors import InputError

Array = NDArray[np.float64]

SAMPLES = 101
CONTACT_N = 20.0  # vertical force that counts as contact; usual between 10 and 50 N
# A contact that carries the body: assumptions, ranges 0.2 to 0.6 body weights, 0.1 to 0.3 s. Touches below 0.1 body weights and breaks below
# 0.05 s are noise.
_CARRIES_BW, _SHORTEST_CONTACT_S, _TOUCH_BW, _BREAK_S = 0.4, 0.15, 0.1, 0.05
_FEWEST_SAMPLES = 10
_SHORTEST_STRIDE_S, LONGEST_STRIDE_S = 0.4, 3.0  # from running to the slowest walk
_SAME_EVENT_S = 0.15  # the foot is furthest forward within this time of heel strike


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One recorded quantity.

    Attributes:
        time: (N,) s, increasing.
        values: (N,) unit of the quantity's name.
    """

    time: Array
    values: Array

    def at(self, time: Array) -> Array:
        """Values at other times, by a monotone cubic (Fritsch and Carlson 1980) or, when there are many samples, linearly."""
        inside = (self.time >= time[0] - 0.1) & (self.time <= time[-1] + 0.1)
        known, values = self.time[inside], self.values[inside]
        if known.size > 4 * time.size:
            return np.interp(time, known, values)
        from scipy.interpolate import PchipInterpolator  # here: its import takes longer than a whole motion

        return PchipInterpolator(known, values)(np.clip(time, known[0], known[-1]))


def strikes(vertical: Curve, body_weight_n: float) -> tuple[float, ...]:
    """Times of initial contact, s: where the vertical ground reaction (N) rises above 20 N and the foot then carries the body.

    A contact at the very beginning of the file has no strike.
    """
    time, force = vertical.time, vertical.values
    on = force > CONTACT_N
    starts, ends = np.flatnonzero(~on[:-1] & on[1:]) + 1, np.flatnonzero(on[:-1] & ~on[1:]) + 1
    found: list[tuple[float, int, int]] = []
    for start in starts:
        later = ends[ends > start]
        end = int(later[0]) if later.size else on.size
        if force[start:end].max() < _TOUCH_BW * body_weight_n:
            continue
        rise = force[start] - force[start - 1]
        if found and time[start] - time[found[-1][2] - 1] < _BREAK_S:
            found[-1] = (*found[-1][:2], end)
        else:
            found.append((float(time[start] - (time[start] - time[start - 1]) * (force[start] - CONTACT_N) / rise), int(start), end))
    return tuple(strike for strike, start, end in found
                 if force[start:end].max() > _CARRIES_BW * body_weight_n and time[end - 1] - strike > _SHORTEST_CONTACT_S)


def foremost(time: Array, foot: Array, pelvis: Array) -> Array:
    """Times at which the foot is furthest ahead of the pelvis, s: close to heel strike (Zeni 2008, doi 10.1016/j.gaitpost.2007.07.007).

    Args:
        time: (T,) s.
        foot, pelvis: (T, 3) mm in the ground frame (y up); the walking direction is that of the pelvis.

    Returns:
        (k,) s, empty when the pelvis stays where it is (treadmill, standing).
    """
    way = (pelvis[-1] - pelvis[0]) * (1.0, 0.0, 1.0)
    length = float(np.linalg.norm(way))
    if length < 500.0:
        return np.empty(0)
    from scipy.signal import find_peaks

    ahead = (foot - pelvis) @ (way / length)
    peaks, _ = find_peaks(ahead, height=0.0, distance=max(1, int(_SHORTEST_STRIDE_S * (time.size - 1) / (time[-1] - time[0]))))
    return time[peaks]


def stride_windows(struck: tuple[float, ...], reached: Array) -> tuple[tuple[float, float], ...]:
    """Start and end (s) of each stride.

    A stride goes from strike to strike of the same foot on a plate. Where the next strike is not on a plate, it is taken from the next time at
    which the foot is furthest forward, with the delay that this foot had at its measured strike.

    Args:
        struck: strikes on plates, s.
        reached: (k,) s, from `foremost`.
    """
    windows = []
    for index, start in enumerate(struck):
        candidates = [time for time in struck[index + 1:] if time - start >= _SHORTEST_STRIDE_S][:1]
        near = reached[np.abs(reached - start) < _SAME_EVENT_S]
        if near.size:
            delay = start - float(near[np.argmin(np.abs(near - start))])
            following = [float(time) + delay for time in reached if time + delay - start >= _SHORTEST_STRIDE_S]
            candidates += [time for time in following[:1] if not candidates or candidates[0] - time > _SAME_EVENT_S]
        if candidates and min(candidates) - start <= LONGEST_STRIDE_S:
            windows.append((start, min(candidates)))
    return tuple(windows)


def grid(window: tuple[float, float]) -> Array:
    """(101,) s, equal steps from start to end."""
    return np.linspace(window[0], window[1], SAMPLES)


def check_gap(curve: Curve, window: tuple[float, float], name: str, where: str) -> None:
    """Refuse a stride with a hole in it (a step of more than five usual steps) or with fewer than ten samples.

    Raises:
        InputError: names the column, the file and the time of the gap.
    """
    inside = int(((curve.time >= window[0]) & (curve.time <= window[1])).sum())
    if inside < _FEWEST_SAMPLES:
        raise InputError(f"samples of {name}", where=where, got=f"{inside} from {window[0]:.4g} to {window[1]:.4g} s", allowed=f"at least {_FEWEST_SAMPLES}",
                         why="fewer do not describe a stride")
    step = np.diff(curve.time)
    wide = (step > 5.0 * np.median(step)) & (curve.time[1:] > window[0]) & (curve.time[:-1] < window[1])
    if wide.any():
        first = int(np.argmax(wide))
        raise InputError(f"gap in {name}", where=where, got=f"{step[first]:.3g} s without a sample after {curve.time[first]:.4g} s",
                         allowed="at most five usual steps", why="a gap in the recording has to be filled before it is used")
