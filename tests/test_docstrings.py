"""Every array says its shape and its unit; names in docstrings match the code."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import ModuleType

import pytest

import kneeload

UNITS = ("mm", "N", "MPa", "rad", "degree", " s", "kg", "no unit", "bool", "1/", "unit", "deg", "m,", "number", "names", "body weights")


def modules() -> Iterator[ModuleType]:
    for item in pkgutil.walk_packages(kneeload.__path__, "kneeload."):
        if not item.name.startswith(("kneeload.conf", "kneeload.meshes", "kneeload.views.preload")):
            yield importlib.import_module(item.name)


def public_dataclasses() -> list[type]:
    found = [item for module in modules() for name, item in vars(module).items()
             if inspect.isclass(item) and is_dataclass(item) and item.__module__ == module.__name__ and not name.startswith("_")]
    return sorted(found, key=lambda item: item.__qualname__)


def entry(docstring: str, name: str) -> str | None:
    """The lines of a docstring that explain a field: from its name to the next one."""
    match = re.search(rf"^ +(?:[\w, ]+, )?{name}(?:, [\w, ]+)?: (.*?)(?=^ {{8}}[\w, ]+: |^ {{4}}\S|\Z)", inspect.cleandoc("x\n" + docstring) + "\n", re.MULTILINE | re.DOTALL)
    match = match or re.search(rf"\b{name}\b[^:\n]*: (.*)", docstring)
    return match.group(1) if match else None


@pytest.mark.parametrize("cls", public_dataclasses(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_arrays_of_a_type_say_shape_and_unit(cls: type) -> None:
    arrays = [item.name for item in fields(cls) if "NDArray" in str(item.type) or str(item.type) == "Array"]
    docstring = cls.__doc__ or ""
    for name in arrays:
        text = entry(docstring, name)
        assert text is not None, f"{cls.__name__}.{name} is not explained"
        assert "(" in text, f"{cls.__name__}.{name} has no shape: {text}"
        assert any(unit in text for unit in UNITS), f"{cls.__name__}.{name} has no unit: {text}"


def test_public_functions_have_docstrings() -> None:
    bare = [f"{module.__name__}.{name}" for module in modules() for name, item in vars(module).items()
            if inspect.isfunction(item) and item.__module__ == module.__name__ and not name.startswith("_") and not item.__doc__]
    assert bare == []
