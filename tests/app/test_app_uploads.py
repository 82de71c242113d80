"""Uploads: taken by content, refused with a reason, never unpacked outside their folder."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import pytest

import kneeload.consultation.uploading as uploading
from kneeload.errors import InputError
from kneeload.views.app.contract import Uploads

PACKAGED = Path(__file__).parents[2] / "meshes"


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def knee() -> dict[str, bytes]:
    return {f"knee/{path.name}": path.read_bytes() for path in PACKAGED.iterdir() if path.suffix in (".stl", ".ply", ".obj", ".yaml")}


def send(tmp_path: Path, kind: str, name: str, content: object) -> Uploads:
    uploads = Uploads(tmp_path)
    uploading.take(kind, [{"name": name, "content": content}], uploads)
    return uploads


def refused(tmp_path: Path, kind: str, name: str, content: object) -> str:
    with pytest.raises(InputError) as problem:
        send(tmp_path, kind, name, content)
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in str(problem.value)
    return str(problem.value)




@pytest.mark.parametrize(("name", "content"), [
    ("gait.exe", b"1,2"), ("gait.csv", b""), ("gait.csv", b"\0\1\2"), ("gait.csv", b"a,b\n1,2\n"), ("gait.csv", pickle.dumps({"a": 1})), ("gait.sto", b"hello"), ("gait.csv", "text instead of bytes"),
    ("gait.csv", b"x" * (uploading.MOST_RECORDING + 1)),
])
def test_what_is_no_recording_is_refused_with_a_reason(tmp_path: Path, name: str, content: object) -> None:
    words = refused(tmp_path, "recording", name, content)
    assert "must be" in words


def test_a_packaged_knee_is_taken(tmp_path: Path) -> None:
    uploads = send(tmp_path, "meshes", "my knee.zip", zipped(knee()))
    assert uploads.meshes is not None and (uploads.meshes / "manifest.yaml").is_file()
    uploading.take("meshes", [], uploads)
    assert uploads.meshes is None and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.stl", "/etc/evil.stl", "knee/../../evil.stl", "knee\\..\\evil.stl", "C:evil.stl", "other/evil.stl", "knee/run.py", "knee/data.pkl", "knee/a.vtk"])
def test_paths_out_of_the_zip_and_other_files_are_refused(tmp_path: Path, name: str) -> None:
    refused(tmp_path, "meshes", "knee.zip", zipped({**knee(), name: b"solid"}))
    assert not list(tmp_path.parent.glob("evil*"))


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO(zipped(knee()))
    with zipfile.ZipFile(stream, "a") as archive:
        link = zipfile.ZipInfo("knee/link.stl")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    assert "link" in refused(tmp_path, "meshes", "knee.zip", stream.getvalue())


def test_a_zip_that_grows_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({"knee/manifest.yaml": b"side: right", "knee/a.stl": b"\0" * 3_000_000})
    monkeypatch.setattr(uploading, "MOST_UNPACKED", 1_000_000)
    assert "1,000,000" in refused(tmp_path, "meshes", "knee.zip", bomb)


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped({"knee/manifest.yaml": b"side: right", "knee/a.stl": b"\0" * 3_000_000})
    monkeypatch.setattr(uploading, "MOST_UNPACKED", 1_000_000)
    monkeypatch.setattr(zipfile.ZipInfo, "file_size", property(lambda self: 10, lambda self, value: None), raising=False)
    refused(tmp_path, "meshes", "knee.zip", bomb)


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    assert "40" in refused(tmp_path, "meshes", "knee.zip", zipped({f"knee/{number}.stl": b"" for number in range(100)}))


def test_aliases_in_a_manifest_are_refused(tmp_path: Path) -> None:
    files = knee()
    words = refused(tmp_path, "meshes", "knee.zip", zipped({**files, "knee/manifest.yaml": files["knee/manifest.yaml"] + b"\nmore: &a [x, x]\nmost: [*a, *a]\n"}))
    assert "aliases" in words


@pytest.mark.parametrize("manifest", [b"!!python/object/apply:os.system ['touch evil']", b"side: right\n" * 5000, b"\xff\xfe"])
def test_a_manifest_cannot_run_or_grow(tmp_path: Path, manifest: bytes) -> None:
    refused(tmp_path, "meshes", "knee.zip", zipped({**knee(), "knee/manifest.yaml": manifest}))


@pytest.mark.parametrize(("name", "content"), [("knee.zip", b"PK\3\4 broken"), ("knee.tar", b"x"), ("knee.zip", b"")])
def test_what_is_no_zip_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    refused(tmp_path, "meshes", name, content)


def test_names_are_said_back_plain_and_short(tmp_path: Path) -> None:
    words = refused(tmp_path, "recording", "a/b\\..\\<img src=x onerror=1>\n" + "x" * 300 + ".csv", b"")
    assert "\n" not in words and len(words) < 400


def test_a_refused_file_leaves_the_one_that_was_there(tmp_path: Path) -> None:
    uploads = send(tmp_path, "meshes", "knee.zip", zipped(knee()))
    before = uploads.meshes
    with pytest.raises(InputError):
        uploading.take("meshes", [{"name": "knee.zip", "content": b"junk"}], uploads)
    assert uploads.meshes == before and before is not None and before.is_dir()


def test_unknown_kinds_and_several_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        uploading.take("anything", [], Uploads(tmp_path))
    with pytest.raises(InputError):
        uploading.take("recording", [{"name": "a.csv", "content": b"1"}] * 2, Uploads(tmp_path))
