"""Files from a browser: taken by their content, never by the name they came with, and never run.

A recording is text that is read as numbers; a knee is a zip of mesh files and one manifest. Sizes are checked before anything is unpacked.
"""

from __future__ import annotations

import io
import secrets
import shutil
import stat
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from kneeload.errors import InputError
from kneeload.motion.activities import motion_for
from kneeload.motion.activity import Activity
from kneeload.subject.mesh_manifest import MANIFEST_NAME, read_manifest
from kneeload.subject.person import Subject
from kneeload.views.app.contract import Uploads

MOST_RECORDING, MOST_ZIP, MOST_UNPACKED, MOST_FILES = 5_000_000, 20_000_000, 120_000_000, 40  # bytes, and a count
MOST_MANIFEST = 20_000  # bytes
RECORDINGS, MESHES = (".csv", ".mot", ".sto"), (".stl", ".ply", ".obj")


def take(kind: str, files: Sequence[Mapping[str, Any]], uploads: Uploads) -> None:
    """Check a file and keep it in the folder of the tab; without a file, forget the one that is there.

    Args:
        kind: "recording" or "meshes".
        files: as the browser sends them: name and content (bytes), one file.
        uploads: where it is kept.

    Raises:
        InputError: with the reason why the file is not taken; what was there before stays.
    """
    takers: dict[str, Callable[[str, bytes, Path], Path]] = {"recording": _recording, "meshes": _meshes}
    if kind not in takers:
        raise InputError("upload", where="files", got=kind[:40], allowed="recording or meshes", why="the page takes no other")
    if not files:
        _forget(kind, uploads)
        return
    name, content = _plain_name(files[0].get("name")), files[0].get("content")
    if len(files) != 1 or not isinstance(content, (bytes, bytearray, memoryview)):
        raise InputError("upload", where=name, got=f"{len(files)} files", allowed="one file", why="one knee is looked at")
    path = takers[kind](name, bytes(content), uploads.folder / f"{kind}_{secrets.token_hex(6)}")
    _forget(kind, uploads)
    setattr(uploads, kind, path)
    uploads.words[kind] = name


def _forget(kind: str, uploads: Uploads) -> None:
    old = getattr(uploads, kind)
    setattr(uploads, kind, None)
    uploads.words.pop(kind, None)
    if old is not None:
        shutil.rmtree(old.parent if old.is_file() else old, ignore_errors=True)


def _plain_name(name: object) -> str:
    """The last part of a file name, for words only: printable, short."""
    last = str(name or "file").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter if letter.isprintable() else "?" for letter in last)[:60] or "file"


def _ending(name: str, allowed: tuple[str, ...], why: str) -> str:
    ending = PurePosixPath(name).suffix.lower()
    if ending not in allowed:
        raise InputError("file", where=name, got=ending or "no ending", allowed="one of " + ", ".join(allowed), why=why)
    return ending


def _recording(name: str, content: bytes, folder: Path) -> Path:
    ending = _ending(name, RECORDINGS, "these are the recordings that are read")
    if not 0 < len(content) <= MOST_RECORDING:
        raise InputError("size of the recording", where=name, got=f"{len(content):,} bytes", allowed=f"1 to {MOST_RECORDING:,} bytes", why="a recorded stride is far smaller")
    if b"\0" in content:
        raise InputError("recording", where=name, got="a binary file", allowed="text with one row per moment", why="numbers are read from its columns")
    folder.mkdir(mode=0o700)
    path = folder / f"recording{ending}"
    path.write_bytes(content)
    try:
        motion_for(Activity(name="recorded", file=str(path)), Subject())
    except InputError as problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(problem.what, where=name, got=problem.got, allowed=problem.allowed, why=problem.why.replace(str(folder), "")) from None
    except Exception as problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError("recording", where=name, got=type(problem).__name__, allowed="a table of numbers", why="the file is damaged or is something else") from None
    return path


def _meshes(name: str, content: bytes, folder: Path) -> Path:
    _ending(name, (".zip",), "a folder of meshes is sent as one zip")
    if not 0 < len(content) <= MOST_ZIP:
        raise InputError("size of the zip", where=name, got=f"{len(content):,} bytes", allowed=f"1 to {MOST_ZIP:,} bytes", why="the surfaces of a knee are smaller")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive, name)
            folder.mkdir(mode=0o700)
            left = MOST_UNPACKED
            for member, target in members:
                left -= _unpack(archive, member, folder / target, left, name)
        _check_manifest((folder / MANIFEST_NAME).read_bytes(), name)
        read_manifest(folder)
    except InputError as problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(problem.what, where=name, got=_without(problem.got, folder), allowed=problem.allowed, why=_without(problem.why, folder)) from None
    except Exception as problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError("zip", where=name, got=type(problem).__name__, allowed="a zip that can be unpacked", why="the file is damaged or is something else") from None
    return folder


def _check_manifest(content: bytes, name: str) -> None:
    """A manifest is short and refers to nothing: YAML aliases can grow without end when they are written out."""
    aliases = any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content.decode("utf-8"))) if len(content) <= MOST_MANIFEST else True
    if aliases:
        raise InputError("manifest", where=name, got=f"{len(content):,} bytes", allowed=f"at most {MOST_MANIFEST:,} bytes without YAML aliases", why="it names a few files")


def _without(words: Any, folder: Path) -> Any:
    return words.replace(str(folder), "").replace(folder.name, "") if isinstance(words, str) else words


def _members(archive: zipfile.ZipFile, name: str) -> list[tuple[zipfile.ZipInfo, str]]:
    """Files of a zip with the plain names that they are unpacked to: surfaces and the manifest, all in one folder; anything else is refused."""
    found: dict[str, zipfile.ZipInfo] = {}
    folders = set()
    items = [item for item in archive.infolist() if not item.is_dir()]
    if len(items) > MOST_FILES:
        raise InputError("number of files", where=name, got=len(items), allowed=f"at most {MOST_FILES}", why="a knee has fewer surfaces")
    if sum(item.file_size for item in items) > MOST_UNPACKED:
        raise InputError("size when unpacked", where=name, got=f"{sum(item.file_size for item in items):,} bytes", allowed=f"at most {MOST_UNPACKED:,} bytes",
                         why="the surfaces of a knee are smaller")
    for item in items:
        path = PurePosixPath(item.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in item.filename or ":" in item.filename or stat.S_ISLNK(item.external_attr >> 16) or item.flag_bits & 1:
            raise InputError("file in the zip", where=name, got=_plain_name(item.filename), allowed="plain files in one folder", why="paths out of it, links and locked files are not unpacked")
        if path.name != MANIFEST_NAME and path.suffix.lower() not in MESHES:
            raise InputError("file in the zip", where=name, got=_plain_name(item.filename), allowed=f"{MANIFEST_NAME} and {', '.join(MESHES)}", why="a knee is made of these")
        folders.add(path.parent)
        found[path.name] = item
    if MANIFEST_NAME not in found or len(folders) != 1 or len(found) != len(items):
        raise InputError("zip", where=name, got=f"{len(items)} files in {len(folders)} folders", allowed=f"one folder with {MANIFEST_NAME} and the surfaces that it names",
                         why="the manifest says which file is which surface")
    return [(item, target) for target, item in found.items()]


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int, name: str) -> int:
    """Write one file, counting what really comes out: a zip may lie about it."""
    written = 0
    with archive.open(member) as source, target.open("xb") as sink:
        while piece := source.read(1 << 16):
            written += len(piece)
            if written > left:
                raise InputError("size when unpacked", where=name, got="more than it says", allowed=f"at most {MOST_UNPACKED:,} bytes", why="the surfaces of a knee are smaller")
            sink.write(piece)
    return written
