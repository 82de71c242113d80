"""IS IT TRUE: published measurements against predictions. Names are loaded when first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kneeload.validation.measurement import Measurement, read_measurements
    from kneeload.validation.run import validate
    from kneeload.validation.table import ValidationRow, ValidationTable

_NAMES = {"Measurement": "measurement", "read_measurements": "measurement", "validate": "run", "ValidationRow": "table",
          "ValidationTable": "table"}
__all__ = ["Measurement", "ValidationRow", "ValidationTable", "read_measurements", "validate"]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_NAMES[name]}"), name)
