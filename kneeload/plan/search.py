"""The search: simulate a spread of combinations, guess between them, simulate what the guess calls best, and again.

The trade between dose and burden is cut by the epsilon-constraint method: least dose under a ceiling of burden, for ceilings from nothing to everything
(Haimes 1971). Each cut is a small integer problem for differential evolution (Storn and Price 1997, doi 10.1023/A:1008202821328, as in scipy) on the
guess; steps from the combinations found so far join its answers. What promises most below the front is simulated next, and the search ends
when nothing promises anything, or at the allowed number.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import differential_evolution
from scipy.stats import qmc

from kneeload.contact.cycle import COMPARTMENTS
from kneeload.interventions import INTERVENTIONS
from kneeload.plan.choices import Amounts, Choice, Levels
from kneeload.plan.limits import PlanSettings
from kneeload.plan.rows import PlanRow, front_of
from kneeload.plan.surrogate import STEEP, Surrogate

Array = NDArray[np.float64]
SPREAD_PER_CHOICE = 4  # combinations of the first spread, beside the single interventions
BATCH = 12  # combinations simulated between two guesses, whatever the number of workers
CEILINGS = 8  # cuts of a batch
GENERATIONS, POPULATION = 40, 10  # of differential evolution on the guess, members per choice
GAIN = 0.01  # smallest promised fall of the dose, part of it, that is worth a simulation: far less than what the model can tell for one person


class Search:
    """Finds the combinations with the least dose for each burden. One seed gives one answer.

    Args:
        choices: what there is to combine.
        settings: limits, seed, number of evaluations.
        simulate: from combinations to the rows of those that have an answer.
    """

    def __init__(self, choices: Sequence[Choice], settings: PlanSettings, simulate: Callable[[Sequence[Amounts]], dict[Amounts, PlanRow]]) -> None:
        self._choices, self._settings, self._simulate = tuple(choices), settings, simulate
        self._most = len(choices) if settings.most_interventions is None else min(settings.most_interventions, len(choices))
        self._clashes = [(i, j) for i in range(len(choices)) for j in range(i) if _clash(choices[i].name, choices[j].name)]
        self._tried: set[Levels] = set()
        self.rows: dict[Levels, PlanRow] = {}

    def run(self) -> dict[Levels, PlanRow]:
        """Return every combination that was simulated and has an answer."""
        now = (0,) * len(self._choices)
        self._add([now])
        if not self._choices or self._most == 0:
            return self.rows
        self._add(self._first_spread())
        step = 0
        while len(self._tried) < self._settings.evaluations and len(self.rows) > 1:
            wanted = self._proposals(step)
            if not wanted:
                break
            self._add(wanted)
            step += 1
        return self.rows

    def amounts(self, levels: Levels) -> Amounts:
        """Return what a combination is made of."""
        return tuple((choice.name, choice.amounts[level]) for choice, level in zip(self._choices, levels) if level)

    def burden(self, levels: Levels) -> float:
        """Return the sum of the parts of what the person can do, no unit."""
        return float(sum(choice.share(level) for choice, level in zip(self._choices, levels)))

    def _add(self, wanted: Sequence[Levels]) -> None:
        new = [levels for levels in dict.fromkeys(wanted) if levels not in self._tried][: max(self._settings.evaluations - len(self._tried), 0)]
        self._tried.update(new)
        found = self._simulate([self.amounts(levels) for levels in new])
        self.rows.update({levels: found[self.amounts(levels)] for levels in new if self.amounts(levels) in found})

    def _allowed(self, levels: Levels) -> bool:
        return sum(level > 0 for level in levels) <= self._most and not any(levels[i] and levels[j] for i, j in self._clashes)

    def _first_spread(self) -> list[Levels]:
        """Return each intervention alone, in full and as usual, all in full where allowed, and a spread (Sobol) in which each is left out half of the time."""
        count = len(self._choices)
        full = [len(choice.amounts) - 1 for choice in self._choices]
        alone = [_only(count, i, level) for i, choice in enumerate(self._choices) for level in (full[i], choice.nearest(INTERVENTIONS[choice.name].usual))]
        spread = qmc.Sobol(2 * count, seed=self._settings.seed).random_base2(7)[: SPREAD_PER_CHOICE * count + 2]
        return [level for level in [*alone, tuple(full), *(self._repaired(point, full) for point in spread)] if self._allowed(level)]

    def _repaired(self, point: Array, full: Sequence[int]) -> Levels:
        """Return the combination of a point of the unit cube; of what excludes each other the first stays, and not more than allowed."""
        count = len(full)
        levels = [1 + min(int(point[i] * full[i]), full[i] - 1) if point[count + i] >= 0.5 else 0 for i in range(count)]
        for i, j in self._clashes:
            if levels[i] and levels[j]:
                levels[i if point[i] < point[j] else j] = 0
        kept = sorted((i for i in range(count) if levels[i]), key=lambda i: point[count + i], reverse=True)[: self._most]
        return tuple(level if i in kept else 0 for i, level in enumerate(levels))

    def _proposals(self, step: int) -> list[Levels]:
        """Return the combinations that promise to fall most below the front, one after the other as if each promise were kept; none when nothing does."""
        guess = Surrogate(self._choices, self.rows)
        pool = [levels for levels in dict.fromkeys([*self._cuts(guess, step), *self._neighbours()]) if levels not in self._tried and self._allowed(levels)]
        if not pool:
            return []
        table = np.array(pool)
        target, compartments = guess.guess(table)
        kept = self._excess(compartments) <= 0.0
        burden = guess.shares(table).sum(axis=1)
        front = [(row.burden, float(np.log1p(row.target_dose_pct / 100.0))) for row in front_of(list(self.rows.values()))]
        chosen: list[Levels] = []
        while len(chosen) < BATCH:
            gain = np.where(kept, [min((dose for other, dose in front if other <= own + 1e-12), default=0.0) for own in burden] - target, -np.inf)
            best = int(np.argmax(gain))
            if gain[best] < GAIN:
                break
            chosen.append(pool[best])
            front.append((float(burden[best]), float(target[best])))
        return chosen

    def _excess(self, compartments: Array) -> Array:
        """Return (n,) no unit: by how much the logarithm of the worst compartment's dose is above its limit, of logarithms (n, 3)."""
        limits = np.log1p(np.array([self._settings.limit(name) for name in COMPARTMENTS]) / 100.0)
        excess: Array = (compartments - limits).max(axis=1)
        return excess

    def _cuts(self, guess: Surrogate, step: int) -> Iterator[Levels]:
        """Yield the combination that the guess calls best under each ceiling of burden; ceilings move from step to step."""
        highest = float(min(self._most, len(self._choices)))
        for k in range(CEILINGS):
            ceiling = highest * (k + 1.0 - (0.618034 * step) % 1.0) / CEILINGS if step else highest * (k + 1.0) / CEILINGS
            yield self._least(guess, ceiling, seed=[self._settings.seed, step, k])

    def _least(self, guess: Surrogate, ceiling: float, *, seed: list[int]) -> Levels:
        bounds = [(0, len(choice.amounts) - 1) for choice in self._choices]

        def cost(x: Array) -> Array:
            levels = np.rint(np.atleast_2d(x.T)).astype(np.int64)
            target, compartments = guess.guess(levels)
            used = levels > 0
            broken = np.maximum(guess.shares(levels).sum(axis=1) - ceiling, 0.0) + np.maximum(self._excess(compartments), 0.0) + np.maximum(used.sum(axis=1) - self._most, 0)
            for i, j in self._clashes:
                broken = broken + (used[:, i] & used[:, j])
            return target + STEEP * broken

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # scipy's word about vectorised evaluation
            found = differential_evolution(cost, bounds, integrality=[True] * len(bounds), vectorized=True, updating="deferred", polish=False, maxiter=GENERATIONS,
                                           popsize=POPULATION, tol=0.0, seed=np.random.default_rng(seed), init="latinhypercube")
        return tuple(round(value) for value in found.x.tolist())

    def _neighbours(self) -> Iterator[Levels]:
        """Yield the combinations one step away from those of the front: one intervention more or less, or one more for another less."""
        front = {id(row) for row in front_of(list(self.rows.values()))}
        top = [len(choice.amounts) - 1 for choice in self._choices]
        for levels in [levels for levels, row in self.rows.items() if id(row) in front]:
            for i in range(len(levels)):
                for change in ({i: 1}, {i: -1}):
                    yield from _moved(levels, change, top)
            for i, j in permutations(range(len(levels)), 2):
                yield from _moved(levels, {i: 1, j: -1}, top)


def _clash(one: str, other: str) -> bool:
    return other in INTERVENTIONS[one].excludes or one in INTERVENTIONS[other].excludes


def _only(count: int, index: int, level: int) -> Levels:
    return tuple(level if i == index else 0 for i in range(count))


def _moved(levels: Levels, change: dict[int, int], top: Sequence[int]) -> Iterator[Levels]:
    moved = tuple(level + change.get(i, 0) for i, level in enumerate(levels))
    if all(0 <= level <= most for level, most in zip(moved, top)):
        yield moved
