"""A guess of what a combination does, through what was simulated: it proposes, and no number of it is ever shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from kneeload.contact.cycle import COMPARTMENTS
from kneeload.plan.choices import Choice, Levels
from kneeload.plan.rows import PlanRow

Array = NDArray[np.float64]
STEEP = 10.0  # penalty of a broken limit, change of the logarithm of dose for each part of it: more than any intervention gives back


class Surrogate:
    """Radial basis functions through the logarithms of the doses over those without a plan: effects of different interventions multiply, so they add up here.

    Cubic with a linear tail (`scipy.interpolate.RBFInterpolator`), constant where the points do not yet span every direction.
    """

    def __init__(self, choices: Sequence[Choice], seen: dict[Levels, PlanRow]) -> None:
        self._shares = [np.array([choice.share(level) for level in range(len(choice.amounts))]) for choice in choices]
        points = self.shares(np.array(list(seen)))
        values = np.array([[row.target_dose_pct, *(row.dose_pct[name] for name in COMPARTMENTS)] for row in seen.values()])
        spans = np.linalg.matrix_rank(points - points[0]) == points.shape[1] and len(points) > points.shape[1]
        self._guess = RBFInterpolator(points, np.log(np.maximum(1.0 + values / 100.0, 1e-3)), kernel="cubic" if spans else "linear", degree=1 if spans else 0)

    def shares(self, levels: NDArray[np.int64]) -> Array:
        """Return (n, choices) no unit: the part of what the person can do, of levels (n, choices)."""
        return np.stack([table[levels[:, i]] for i, table in enumerate(self._shares)], axis=1)

    def guess(self, levels: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return (n,) change of the target's dose and (n, 3) those of the compartments, both as logarithms, no unit, of levels (n, choices)."""
        found = self._guess(self.shares(levels))
        return found[:, 0], found[:, 1:]
