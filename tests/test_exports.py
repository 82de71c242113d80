"""Every kind of export, alone and in one archive; and the picture settings of the command line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kneeload import Case, KneeResult, simulate
from kneeload.errors import InputError
from kneeload.exports import KINDS, export, export_zip
from kneeload.run_folder import write_run
from kneeload.views.picture_settings import PictureSettings

SMALL = PictureSettings(width_mm=60.0, height_mm=50.0, dpi=72, stills=("tibia_superior",), animation_frames=2)


@pytest.fixture(scope="module")
def result() -> KneeResult:
    return simulate(Case(day_activities=("walking",)))


@pytest.fixture(scope="module")
def level() -> KneeResult:
    return simulate(Case(contact=None))


@pytest.fixture(autouse=True)
def flat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNEELOAD_NO_GL", "1")  # quick, and the same everywhere


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("vtk_series", "png")])
def test_each_kind_writes_its_files_and_never_over_others(result: KneeResult, kind: str, tmp_path: Path) -> None:
    files = export(result, kind, tmp_path / "out", SMALL)
    first = {"json": "summary.json", "csv": "waveforms.csv", "vector": "forces.svg", "maps": "maps.png", "stills": "still_tibia_superior.png", "animation": "knee.gif",
             "vtk": "knee.vtm", "zip": "kneeload.zip"}
    assert files[0].name == first[kind] and all(file.is_file() for file in files)
    assert {path for path in (tmp_path / "out").rglob("*") if path.is_file()} == set(files)  # nothing else is left behind
    before = {file: file.read_bytes() for file in files}
    with pytest.raises(InputError, match="never writes over"):
        export(result, kind, tmp_path / "out", SMALL)
    assert {file: file.read_bytes() for file in files} == before


def test_exported_numbers_are_those_of_the_result(result: KneeResult, tmp_path: Path) -> None:
    (summary,) = export(result, "json", tmp_path)
    assert json.loads(summary.read_text(encoding="utf-8"))["loads"]["medial"]["peak_force_n"] == pytest.approx(result.main.force("medial").max())
    waveforms = export(result, "csv", tmp_path / "tables")[0]
    table = np.genfromtxt(waveforms, delimiter=",", names=True)
    assert table["medial_force_n"] == pytest.approx(result.main.force("medial"), rel=1e-5)


def test_an_archive_of_chosen_kinds(result: KneeResult, tmp_path: Path) -> None:
    with zipfile.ZipFile(export_zip(result, tmp_path / "some.zip", ("json", "vector"), SMALL)) as archive:
        assert set(archive.namelist()) == {"summary.json", "forces.svg", "forces.pdf"} and archive.testzip() is None


def test_a_result_without_contact_exports_what_it_has(level: KneeResult, tmp_path: Path) -> None:
    assert [file.name for file in export(level, "csv", tmp_path / "csv")] == ["waveforms.csv"]
    with pytest.raises(InputError, match="contact"):
        export(level, "maps", tmp_path / "maps")
    with zipfile.ZipFile(export(level, "zip", tmp_path / "zip")[0]) as archive:
        assert {"summary.json", "waveforms.csv", "forces.png", "forces.pdf"} <= set(archive.namelist())
    with pytest.raises(InputError, match="one of json, csv"):
        export(level, "docx", tmp_path)


def test_a_run_draws_what_is_asked_for(result: KneeResult, tmp_path: Path) -> None:
    asked = PictureSettings(width_mm=60.0, height_mm=50.0, dpi=72, stills=("patella_posterior",), flat=True, vector=True)
    write_run(result, tmp_path / "run", pictures=False, vtk=False, report=False, report_3d=False, pdf=False, asked=asked)
    assert {"maps.png", "still_patella_posterior.png", "forces.svg", "forces.pdf", "summary.json"} <= {path.name for path in (tmp_path / "run").iterdir()}
