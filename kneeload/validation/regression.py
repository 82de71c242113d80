"""Logistic regression with outcomes between 0 and 1, for many sets of outcomes at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
_NO_ANSWER = "the regression has no answer: its causes separate the outcomes or depend on each other"


def log_odds_slopes(causes: Array, outcomes: Array, *, steps: int = 60) -> Array:
    """Return (S, k) log odds ratios per unit of each cause, by maximum likelihood with an intercept (Newton's method).

    Outcomes may be expected shares instead of zeros and ones: the likelihood equations are the same, and the answer is what the regression of
    very many drawn outcomes tends to (Papke and Wooldridge 1996, J Appl Econometrics 11:619).

    Args:
        causes: (n, k) no unit.
        outcomes: (n, S) 0 to 1; one set a column.

    Raises:
        ValueError: no estimate, since the causes separate the outcomes or depend on each other.
    """
    design = np.column_stack([np.ones(causes.shape[0]), (causes - causes.mean(axis=0))])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise ValueError(_NO_ANSWER)
    products = design[:, :, None] * design[:, None, :]  # (n, k + 1, k + 1)
    mean = np.clip(outcomes.mean(axis=0), 1e-9, 1.0 - 1e-9)
    slope = np.zeros((outcomes.shape[1], design.shape[1]))
    slope[:, 0] = np.log(mean / (1.0 - mean))
    for _ in range(steps):
        fitted = 1.0 / (1.0 + np.exp(-np.clip(design @ slope.T, -500.0, 500.0)))
        curvature = np.einsum("ns,nij->sij", fitted * (1.0 - fitted), products, optimize=True)
        try:
            change = np.linalg.solve(curvature, ((outcomes - fitted).T @ design)[..., None])[..., 0]
        except np.linalg.LinAlgError:
            break
        slope += change
        if np.abs(change).max() < 1e-9:
            return slope[:, 1:]
    raise ValueError(_NO_ANSWER)


def standardised(values: Array) -> Array:
    """Return values less their mean, over their standard deviation, no unit."""
    result: Array = (values - values.mean()) / values.std()
    return result
