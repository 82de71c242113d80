"""MOAKS subregions per triangle, for the reference knee and for MRI meshes alike.

MOAKS (Hunter 2011, doi 10.1016/j.joca.2011.05.004) names 15 subregions. Its published rules fix two borders: the femur is split into medial and
lateral at the lateral edge of the notch, the patella just lateral to its ridge. The others are chosen here:

- trochlea / central femur: the plane x = front edge of the notch (the trochlea is what lies in front of it);
- central / posterior femur: 60 % of the way from that plane to the back of each condyle, the border of the weight-bearing part in
  a usual choice in MRI work on femoral cartilage (Eckstein 2006, Osteoarthritis Cartilage 14:974; assumption, 50 to 75 %);
- tibia: thirds of the anteroposterior extent of each plateau (assumption; WORMS uses the horns of the menisci, which lie near the thirds);
- tibia_subspinous is bone between the plateaus without cartilage: no articular triangle has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kneeload.subject.anatomy import MOAKS_REGIONS
from kneeload.subject.surface import TriangleMesh

CENTRAL_FEMUR_SHARE = 0.6
RIDGE_MARGIN_MM = 1.0  # "just lateral to the ridge" (assumption: half a millimetre to two)
_INDEX = {name: np.int8(i) for i, name in enumerate(MOAKS_REGIONS)}


def tibia_regions(mesh: TriangleMesh, side: str) -> NDArray[np.int8]:
    """Labels (m,) of a plateau ("medial" or "lateral"): anterior, central, posterior third of its extent along x."""
    x = mesh.centroids[:, 0]
    low, high = mesh.points[mesh.triangles.ravel(), 0].min(), mesh.points[mesh.triangles.ravel(), 0].max()
    third = np.clip(((x - low) / (high - low) * 3.0).astype(np.int64), 0, 2)
    table = np.array([_INDEX[f"tibia_{part}_{side}"] for part in ("posterior", "central", "anterior")], dtype=np.int8)
    return _read_only(table[third])


def femur_regions(mesh: TriangleMesh, covered: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Labels (m,) of an outer femur; `covered` (m,) says where cartilage is, -1 elsewhere."""
    labels = np.full(len(mesh.triangles), -1, dtype=np.int8)
    centre = mesh.centroids
    x, z = centre[covered, 0], centre[covered, 2]
    medial_edge, lateral_edge = notch_edges(x, z)
    front = notch_front(x, z, 0.5 * (medial_edge + lateral_edge))
    found = np.full(len(x), -1, dtype=np.int8)
    for side, here in (("medial", z <= lateral_edge), ("lateral", z > lateral_edge)):
        back = x[here].min()
        border = front - CENTRAL_FEMUR_SHARE * (front - back)
        found[here & (x >= front)] = _INDEX[f"femur_trochlea_{side}"]
        found[here & (x < front) & (x >= border)] = _INDEX[f"femur_central_{side}"]
        found[here & (x < border)] = _INDEX[f"femur_posterior_{side}"]
    labels[covered] = found
    return _read_only(labels)


def notch_edges(x: NDArray[np.float64], z: NDArray[np.float64]) -> tuple[float, float]:
    """Medial and lateral edge of the notch, mm: the widest gap along z in the cartilage (centres x, z in mm) of the back half."""
    back = np.sort(z[x < x.min() + 0.35 * (x.max() - x.min())])
    middle = (back > np.quantile(back, 0.1)) & (back < np.quantile(back, 0.9))
    inner = back[middle]
    gap = int(np.argmax(np.diff(inner)))
    return float(inner[gap]), float(inner[gap + 1])


def notch_front(x: NDArray[np.float64], z: NDArray[np.float64], midline_mm: float, half_width_mm: float = 2.5) -> float:
    """Front edge of the notch, mm: the hindmost cartilage near its midline (centres x, z in mm)."""
    strip = np.abs(z - midline_mm) < half_width_mm
    return float(np.quantile(x[strip], 0.02))


def patella_regions(mesh: TriangleMesh) -> NDArray[np.int8]:
    """Labels (m,) of the patellar cartilage: lateral beyond its ridge (the line through the hindmost points), else medial."""
    centre = mesh.centroids
    slope, offset = patella_ridge(centre)
    lateral = centre[:, 2] > slope * centre[:, 1] + offset + RIDGE_MARGIN_MM
    return _read_only(np.where(lateral, _INDEX["patella_lateral"], _INDEX["patella_medial"]).astype(np.int8))


def patella_ridge(centre: NDArray[np.float64]) -> tuple[float, float]:
    """Ridge line z = slope y + offset (no unit, mm) through the hindmost point of each level of the middle 60 % of the height."""
    low, high = np.quantile(centre[:, 1], [0.2, 0.8])
    levels = np.linspace(low, high, 13)
    tip_y, tip_z = [], []
    for a, b in zip(levels[:-1], levels[1:]):
        row = centre[(centre[:, 1] >= a) & (centre[:, 1] < b)]
        inner = row[np.abs(row[:, 2] - np.median(row[:, 2])) < 0.3 * np.ptp(row[:, 2])]  # the turned-down rim is no ridge
        depth = inner[:, 0].min()
        weight = np.exp(-(inner[:, 0] - depth) / 0.3)
        tip_y.append(0.5 * (a + b))
        tip_z.append(float(np.average(inner[:, 2], weights=weight)))
    slope, offset = np.polyfit(tip_y, tip_z, 1)
    return float(slope), float(offset)


def _read_only(labels: NDArray[np.int8]) -> NDArray[np.int8]:
    labels.setflags(write=False)
    return labels
