"""`kneeload validate` as a person runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kneeload import cli

FAST = "tendon_arm_0,within_sd_walking_extension,brace_duration"  # rows without forces


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")

    def call(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["kneeload", "validate", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return Done(int(ended.value.code or 0), captured.out, captured.err)

    return call


def test_the_installed_command_finds_it(tmp_path: Path):
    command = [sys.executable, "-c", "from kneeload.cli import main; main()", "validate", "--rows", FAST, "--quiet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=dict(os.environ))
    assert done.returncode == 0 and "3 rows" in done.stdout, done.stderr
    assert len(list(tmp_path.glob("runs/validate_*/validation.html"))) == 1


def test_it_prints_the_table_and_writes_a_new_folder_below_the_current_one(run: Run, tmp_path: Path):
    done = run("--rows", FAST)
    assert done.returncode == 0, done.stderr
    assert "Net moments" in done.stdout and "3 rows" in done.stdout and "1 not simulated" in done.stdout
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("validate_") and {path.name for path in folder.iterdir()} == {"validation.csv", "curves.csv",
                                                                                                "validation.html"}


def test_strict_fails_on_a_binding_row_that_is_outside_and_names_it(run: Run, own_rows: Path):
    arguments = ("--measurements", str(own_rows), "--quiet")
    done = run(*arguments, "--strict", "--output", "a")
    assert done.returncode == 0, done.stderr
    assert "1 binding row was skipped" in done.stderr and "recorded" in done.stderr
    own_rows.write_text(own_rows.read_text().replace("high: 20", "high: 0.1"))
    done = run(*arguments, "--strict", "--output", "b")
    assert done.returncode == 1 and "outside: wide" in done.stderr
    done = run(*arguments, "--output", "c")
    assert done.returncode == 0, done.stderr


def test_an_existing_folder_is_refused_and_left_alone(run: Run, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "validation.csv").write_text("precious")
    done = run("--rows", FAST, "--output", "mine")
    assert done.returncode == 2 and "mine" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "mine" / "validation.csv").read_text() == "precious" and len(list((tmp_path / "mine").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rows", "nothing_like_this"), ("nothing_like_this", "brace")),
        (("--data", "nowhere"), ("--data", "nowhere")),
        (("--measurements", "nowhere.yaml"), ("nowhere.yaml",)),
        (("--strictly",), ("--strictly", "kneeload validate --help")),
        (("activity=standing",), ("activity=standing", "muscles")),
        (("muscles.effort=laziness",), ("laziness",)),
        (("muscles.magic=1",), ("muscles.magic",)),
    ],
)
def test_bad_input_gets_exit_code_2_and_one_sentence_and_leaves_no_folder(run: Run, tmp_path: Path, arguments: tuple[str, ...],
                                                                          words: tuple[str, ...]):
    done = run(*arguments)
    assert done.returncode == 2, (done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("kneeload: ") and all(word in lines[0] for word in words), done.stderr
    assert not list(tmp_path.rglob("validate_*"))


def test_overrides_change_the_models(run: Run, tmp_path: Path):
    folder = tmp_path / "out"
    done = run("--rows", "tendon_arm_0", "subject.height_m=1.9", "--output", str(folder))
    assert done.returncode == 0, done.stderr
    assert "1.9 m" in (folder / "validation.html").read_text(encoding="utf-8")


def test_help_lists_the_flags(run: Run):
    done = run("--help")
    assert done.returncode == 0 and all(flag in done.stdout for flag in ("--strict", "--data", "--rows", "--contact", "--bone", "--lesion", "--calibration",
                                                                         "--output"))
