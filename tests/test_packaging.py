"""Wheel and sdist carry the configuration, the meshes and the fitted coefficients."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "runs", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", "uv.lock")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source") / "kneeload", tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)], check=True, capture_output=True)
    return out


def test_every_data_file_is_in_wheel_and_sdist(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    inside = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        shipped = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    data = [path.relative_to(ROOT) for folder in ("conf", "meshes", "kneeload") for path in (ROOT / folder).rglob("*")
            if path.suffix in {".yaml", ".ply", ".npz", ".json", ".csv", ".jinja"} or path.name == "py.typed"]
    assert len(data) > 25
    for path in data:
        assert str(path) in shipped, path
        assert (str(path) if path.parts[0] == "kneeload" else f"kneeload/{path}") in inside, path
