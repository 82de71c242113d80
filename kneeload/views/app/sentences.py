"""Plain sentences of the page, each from numbers: where most load goes, on which half of the kneecap, what the day and the months bring."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.views import outlook_wording, wording
from kneeload.views.app.contract import Answer
from kneeload.views.scene import Scene, peak_frame
from kneeload.views.shading import triangle_areas

_WHEN = {"walking": "In walking", "stair_ascent": "Going up stairs", "stair_descent": "Going down stairs", "chair_rise": "Rising from a chair", "squat": "In a squat",
         "standing": "In standing", "single_leg_standing": "Standing on one leg", "recorded": "In the recorded gait"}
_GOES = {"medial": "on the inner side of the joint between thigh and shin", "lateral": "on the outer side of the joint between thigh and shin", "patellofemoral": "behind the kneecap"}
_EVEN = 0.08  # a share of the kneecap's load nearer to one half than this is called even
_PATELLA = (MOAKS_REGIONS.index("patella_medial"), MOAKS_REGIONS.index("patella_lateral"))


def story(answer: Answer) -> list[str]:
    """Return the sentences for the person, most important first."""
    said = [_most_load(answer), *wording.in_short(answer.summary)]
    if answer.whole_day:
        said += [*answer.sentences, *outlook_wording.zone_sentences(answer.summary)[:2], *outlook_wording.new_lesion_sentences(answer.summary)]
    return [sentence for sentence in said if sentence]


def _most_load(answer: Answer) -> str:
    """'Going down stairs most load goes behind the kneecap, on its outer half (62 %).'"""
    contact = answer.scene.contact
    peaks = {name: float(np.nanmax(getattr(contact, name).force)) for name in _GOES}
    first, second = sorted(peaks, key=lambda name: -peaks[name])[:2]
    start = _WHEN.get(str(answer.summary.get("activity")), "In this activity")
    words = f"{start} the highest force is {_GOES[first]}: {wording.number(peaks[first])} N"
    if peaks[second] > 0.0:
        words += f", {wording.number(peaks[first] / peaks[second], 1)} times that {_GOES[second]}"
    return f"{words}{_half(answer.scene) if first == 'patellofemoral' else ''}."


def _half(scene: Scene) -> str:
    share = lateral_share(scene)
    if share is None:
        return ""
    if abs(share - 0.5) < _EVEN:
        return ", evenly on its inner and outer half"
    return f", most of it on its {'outer' if share > 0.5 else 'inner'} half ({wording.percent(max(share, 1.0 - share))})"


def lateral_share(scene: Scene) -> float | None:
    """Share of the kneecap's contact force that lies on its outer half at the moment of its highest force; None without contact."""
    surface = scene.anatomy.patella
    for field in scene.contact.fields:
        if field.name == "patella":
            force: NDArray[np.float64] = np.nan_to_num(field.pressure[peak_frame(scene, "patellofemoral")].astype(np.float64)) * triangle_areas(surface.mesh)
            inner, outer = (float(force[surface.region == region].sum()) for region in _PATELLA)
            return outer / (inner + outer) if inner + outer > 0.0 else None
    return None


def compartment_table(answer: Answer) -> list[dict[str, Any]]:
    """Rows of the table per compartment, with the change of the peak force where there is one."""
    changes = {row["key"]: row["cells"] for row in wording.change_rows(answer.summary)}
    return [{**row, "change": changes[row["key"]][0][1] if row["key"] in changes else ""} for row in wording.compartment_rows(answer.summary)]


def region_table(answer: Answer) -> list[dict[str, Any]]:
    """Rows of the table per region: stress, dose, plausibility with its interval."""
    keys = ("name", "stress", "dose", "risk", "interval", "relative")
    return [{key: row[key] for key in keys} for row in wording.region_rows(answer.summary)]


def pain_table(answer: Answer) -> list[tuple[str, str, str]]:
    """Rows about pain: activity, relative index, interval."""
    return wording.pain_rows(answer.summary)
