"""`import kneeload` is light, and the public names are there."""

from __future__ import annotations

import subprocess
import sys

import pytest

import kneeload


def _modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(' '.join(sorted(sys.modules)))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_import_pulls_in_neither_hydra_nor_pyvista() -> None:
    modules = _modules_after("import kneeload")
    assert not modules & {"hydra", "omegaconf", "pyvista", "vtk", "vtkmodules", "matplotlib", "numba"}


def test_simulating_pulls_in_neither_hydra_nor_pyvista() -> None:
    modules = _modules_after("from kneeload import simulate, Case, Subject")
    assert not modules & {"hydra", "omegaconf", "pyvista", "vtk", "matplotlib"}


@pytest.mark.parametrize("name", kneeload.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(kneeload, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        kneeload.no_such_name  # noqa: B018


def test_simulate_stays_the_function_when_its_module_is_loaded_first() -> None:
    code = "from kneeload.simulate import anatomy_of; import kneeload; from kneeload import simulate; assert kneeload.simulate is simulate and callable(simulate)"
    subprocess.run([sys.executable, "-c", code], check=True)
