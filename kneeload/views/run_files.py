"""What the files of a run hold, in words."""

from __future__ import annotations

from collections.abc import Sequence

_HOLD = {
    "summary.json": "all numbers of this report", "waveforms.csv": "moments, muscle, ligament and joint forces over the cycle",
    "regions.csv": "stress, dose, risk and zones of the 15 regions", "contact.csv": "forces, pressures and areas of each moment and region",
    "course.csv": "volumes of lesions over the weeks", "plan.csv": "all plans that were simulated", "ranking.csv": "each intervention alone",
    "finite_elements.csv": "stress of the bone by finite elements, with and without what was put into it", "finite_elements": "the same in space, one .vtu file per bone (ParaView)",
    "knee.vtm": "the knee with its pressures (ParaView)", "knee.pvd": "the knee at each moment of the cycle (ParaView)", "zones.vtm": "bone that carries too much (ParaView)",
    "stress.png": "map of the contact pressures", "forces.png": "forces over the cycle", "zones.png": "bone that carries too much", "course.png": "volume of lesions over the weeks",
    "plan.png": "plans and single interventions", "comparison.csv": "this run beside others",
}
_PARTS = {"knee", "knee_series", "zones", "hydra"}  # folders that belong to a file of the list


def file_rows(names: Sequence[str]) -> list[tuple[str, str]]:
    """Name and content of each file that a reader may want: the known ones in the order of the table, then the others by name."""
    given = [name for name in names if name not in _PARTS and not name.startswith((".", "report."))]
    return [(name, _HOLD.get(name, "")) for name in [*(name for name in _HOLD if name in given), *sorted(name for name in given if name not in _HOLD)]]
