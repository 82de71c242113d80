"""The second compiler compiles exactly what the simulation needs, and `kneeload warmup` what every command needs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kneeload import warmup
from kneeload.commands import warmup as command
from kneeload.kernels import cache

COUNTED = """
import sys
from numba.core import event
compiled = []
class Listener(event.Listener):
    def on_start(self, found): compiled.append(found.data["dispatcher"].py_func)
    def on_end(self, found): pass
event.register("numba:compile", Listener())
"""
SHOWN = "\nprint([f.__qualname__ for f in compiled if f.__module__.startswith('kneeload')])\n"


def kneeload(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kneeload.cli", *words], capture_output=True, text=True, env={**os.environ, **environment}, timeout=500)


def python(code: str, folder: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def warm() -> subprocess.CompletedProcess[str]:
    """`kneeload warmup` in the cache that all tests share: a minute in the first run of the tests, no time in later ones."""
    return kneeload("warmup")


@pytest.fixture()
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder without anything in it."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    cache.forget_folders()
    monkeypatch.setattr(warmup, "_helper", [])
    yield tmp_path  # type: ignore[misc]
    monkeypatch.undo()
    cache.forget_folders()


def test_a_second_call_finds_everything_at_once(warm: subprocess.CompletedProcess[str]) -> None:
    assert warm.returncode == 0, warm.stderr
    began = time.perf_counter()
    again = kneeload("warmup")
    assert again.returncode == 0 and again.stdout.startswith("All ") and "are there, in " in again.stdout and again.stderr == ""
    assert time.perf_counter() - began < 10.0  # below 1 s on a machine that does nothing else


@pytest.mark.parametrize("words", [("activity=stair_descent", "contact.law=nonlinear"), ("intervention=[unloader_brace]", "subject.side=left")])
def test_a_whole_case_compiles_nothing_after_it(warm: subprocess.CompletedProcess[str], tmp_path: Path, words: tuple[str, ...]) -> None:
    code = f"{COUNTED}sys.argv[1:] = {[*words, 'view=none', 'runtime.quiet=true']}\nfrom kneeload.cli import main\nmain(){SHOWN}"
    assert python(code, tmp_path) == "[]"


def test_meshes_stress_and_fields_compile_nothing_after_it(warm: subprocess.CompletedProcess[str], tmp_path: Path) -> None:
    code = ("import os, numpy as np\nimport kneeload.meshes\nfrom pathlib import Path\nfrom kneeload.case import AnatomySource, Case\n"
            "from kneeload.simulate import anatomy_of\nfrom kneeload.contact.stress import contact_stress\n"
            "knee = anatomy_of(Case(anatomy=AnatomySource(folder=Path(kneeload.meshes.__file__).parent)))\n"
            "contact_stress(knee.tibia_medial, knee.femur, np.eye(4), law='nonlinear', depth='casting_normal')\n")
    assert python(COUNTED + code + SHOWN, tmp_path) == "[]"


@pytest.mark.parametrize(("words", "said"), [(("subject.body_mass_kg=80",), "subject.body_mass_kg=80"), (("--quick",), "--quick"), (("now",), "now")])
def test_other_words_are_refused_in_one_sentence(words: tuple[str, ...], said: str) -> None:
    done = kneeload("warmup", *words)
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1 and done.stdout == ""


def test_help_says_what_it_does_and_where() -> None:
    done = kneeload("warmup", "--help")
    assert done.returncode == 0 and "NUMBA_CACHE_DIR" in done.stdout and "Compiles every kernel" in done.stdout


def test_no_lasting_folder_is_one_sentence(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    environment |= {"HOME": "/proc", "XDG_CACHE_HOME": "/proc", "TMPDIR": str(tmp_path)}
    (tmp_path / f"kneeload-{os.getuid()}").touch()  # a file where the folder should be
    done = subprocess.run([sys.executable, "-m", "kneeload.cli", "warmup"], capture_output=True, text=True, env=environment)
    assert done.returncode == 1 and "NUMBA_CACHE_DIR" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_compiler_that_fails_is_one_sentence(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup, "CHAINS", (("no such task",), ("neither this",)))
    with pytest.raises(command.WarmupError, match="KeyError"):
        command.run([], lambda words: None)  # type: ignore[arg-type,return-value]
    assert not list(empty.rglob("complete.json"))


def test_a_missing_entry_is_noticed(empty: Path) -> None:
    folder = cache.cache_folder()
    assert folder is not None
    for name in ("a.kernel", "b.kernel"):
        (folder / name).touch()
    (folder / "complete.json").write_text('{"kernels": ["a.kernel", "b.kernel"]}')
    assert warmup.complete() == folder
    (folder / "b.kernel").unlink()
    assert warmup.complete() is None
    (folder / "complete.json").write_text('{"kernels"')
    assert warmup.complete() is None


def test_the_simulation_adds_no_variant_of_the_contact_chain(tmp_path: Path) -> None:
    code = (
        "from kneeload import Case, simulate, warmup\n"
        "from kneeload.kernels import equilibrium, fields, springs\n"
        "warmup.compile_placing(); warmup.compile_contact(); simulate(Case())\n"
        "print([len(kernel.signatures) for kernel in (equilibrium.solve_frames, fields.area_percentile, springs.place, fields.report)])"
    )
    assert python(code, tmp_path) == "[1, 1, 1, 1]"


SAME_TYPES = """
from numba import typeof
from kneeload import warmup
from kneeload.kernels import equilibrium
asked = {}
for name in ("place", "report"):
    setattr(equilibrium, name, lambda *values, name=name: asked.setdefault(name, [str(typeof(value)) for value in values]))
warmup.compile_placing()
print(asked["place"][7], asked["report"][5], asked["report"][9])
"""


def test_what_is_taken_off_the_second_compiler_is_the_linear_law_in_single_precision(warm: subprocess.CompletedProcess[str]) -> None:
    done = subprocess.run([sys.executable, "-c", SAME_TYPES], capture_output=True, text=True, check=True)
    kinds = done.stdout.splitlines()[-1]
    assert "none" in kinds and kinds.count("array(float32, 1d, C)") == 2 and "float64, 1d" not in kinds.split("none")[1]
    names = {path.name.split("-")[0] for folder in cache.folders() for path in folder.glob("*.kernel")}
    assert {"springs.place", "fields.report", "equilibrium.solve_frames"} <= names


def test_a_compiled_version_starts_no_second_compiler(empty: Path) -> None:
    folder = cache.cache_folder()
    assert folder is not None
    (folder / warmup._marker("contact")).touch()
    assert warmup.start() is False
    warmup.wait()  # nothing to wait for


def test_waiting_ends_when_the_second_compiler_does(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warmup.sys, "executable", "true")  # a compiler that does nothing and succeeds
    monkeypatch.setattr(warmup, "compile_bone", lambda: time.sleep(0.1))
    assert warmup.start() is True
    warmup.wait()
    assert warmup._helper == []
