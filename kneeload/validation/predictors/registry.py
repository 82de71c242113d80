"""Predictors by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TypeVar

from kneeload.errors import InputError
from kneeload.validation.bench import Bench
from kneeload.validation.measurement import Measurement

F = TypeVar("F", bound=Callable[..., float])
PREDICTORS: dict[str, Callable[..., float]] = {}  # each takes (bench, subject, **parameters) and returns one number in the row's unit


def predictor(function: F) -> F:
    """Register a predictor under its own name."""
    PREDICTORS[function.__name__] = function
    return function


def predict(row: Measurement, bench: Bench) -> float:
    """Return the number that the engine predicts for a row, in the row's unit.

    Raises:
        Skipped: something that the row needs was not given.
        NotSimulated: the engine does not know the activity or intervention.
        InputError: the row names an unknown predictor or parameter.
    """
    where = f"measurement {row.id}"
    if row.predictor not in PREDICTORS:
        raise InputError("predictor", where=where, got=row.predictor, allowed="one of " + ", ".join(sorted(PREDICTORS)),
                         why="kneeload has no other")
    function = PREDICTORS[row.predictor]
    subject = bench.case.subject if row.person is None else row.person
    try:
        inspect.signature(function).bind(bench, subject, **row.parameters)
    except TypeError as problem:
        raise InputError("parameters", where=where, got=dict(row.parameters), allowed=f"those of '{row.predictor}'",
                         why=str(problem)) from None
    return float(function(bench, subject, **row.parameters))
