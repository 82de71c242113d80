"""Sweeps by Hydra's own sweeper, with a record of the jobs: they can be gone on with, and no two share a folder."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from omegaconf import OmegaConf, open_dict, read_write

from kneeload import warmup
from kneeload.errors import InputError
from kneeload.sweep_folder import RECORD, WHERE, Failure, Job, begin, go_on, locked, new_sweep, read_sweep

if TYPE_CHECKING:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

RESUME = "--resume"
_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
_NUMBER = "${hydra.job.num}"
resumed: list[Path] = []  # the folder of a sweep that this process goes on with
begun: list[Path] = []  # the folder of the sweep that this process works on
failures: list[Failure] = []  # of its jobs, in order
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def resumed_words(arguments: Sequence[str]) -> list[str]:
    """Return the words of a command line with `--resume DIR` replaced by the words that the sweep in DIR was begun with.

    Words given beside it take the place of those with the same key. Relative paths refer to the folder that the sweep was begun in.

    Raises:
        InputError: no DIR, or no sweep in it.
    """
    place = next((index for index, word in enumerate(arguments) if word == RESUME or word.startswith(f"{RESUME}=")), None)
    if place is None:
        return list(arguments)
    given = arguments[place].partition("=")[2] or (arguments[place + 1] if place + 1 < len(arguments) and "=" not in arguments[place] else "")
    rest = [*arguments[:place], *arguments[place + (1 if "=" in arguments[place] else 2):]]
    if not given or given.startswith("-"):
        raise InputError("folder", where=RESUME, got="nothing", allowed="the folder of a sweep", why="it is what the sweep is gone on with in")
    folder = Path(os.path.abspath(Path(given).expanduser()))
    before = read_sweep(folder)
    if before is None:
        raise InputError("sweep to go on with", where=RESUME, got=str(folder), allowed=f"the folder of a sweep, with its {RECORD}", why="without it nothing says which jobs there are")
    try:
        os.chdir(before.cwd)
    except OSError:
        raise InputError("sweep to go on with", where=RESUME, got=str(folder), allowed=f"a sweep whose starting folder is there, {before.cwd}", why="relative paths refer to it") from None
    resumed.append(folder)
    keys = {word.partition("=")[0] for word in rest} | {WHERE}
    words = [*(word for word in before.words if word.partition("=")[0] not in keys), *rest]
    flags = [word for word in words if not _is_override(word)]  # before the others, as Hydra reads them
    multirun = [] if {"--multirun", "-m"} & set(flags) else ["--multirun"]
    return [*multirun, *flags, *(word for word in words if _is_override(word)), f"{WHERE}={_quoted(folder)}"]


def _is_override(word: str) -> bool:
    return not word.startswith("-") and ("=" in word or word.startswith("~"))


def install() -> None:
    """Put `sweep` into Hydra's sweeper, which takes no plugin from outside the package `hydra_plugins`."""
    Plugins.instance().class_name_to_class[_SWEEPER].sweep = sweep  # type: ignore[attr-defined]  # Hydra loads the module anew: an imported class is not the one in use


def sweep(self: BasicSweeper, arguments: list[str]) -> Any:
    """Run the jobs of a sweep, or those that are left of it; a job that fails does not stop the others.

    Raises:
        HydraException, InputError: words that make no configuration, a folder that holds something else; nothing is run then.
        Exception: what the first job with an error of the program raised, after all jobs.
    """
    assert self.config is not None and self.launcher is not None and self.hydra_context is not None
    words = [f"{key}={value}" for key, value in self.params.items()]
    parser = OverridesParser.create(config_loader=self.hydra_context.config_loader)
    everything = [list(job) for batch in self.split_arguments(parser.parse_overrides([*words, *arguments]), None) for job in batch]
    _check(self, everything)
    folder = Path(os.path.abspath(str(self.config.hydra.sweep.dir)))
    with read_write(self.config), open_dict(self.config):
        self.config.hydra.sweep.dir = str(folder)
    whole = new_sweep(_jobs(self, everything), sys.argv[1:], hashlib.sha256(_plain(self).encode()).hexdigest())
    rest: Sequence[Job] = whole.jobs
    if folder in resumed:
        rest = go_on(folder, whole)
    else:
        begin(folder, whole)
        OmegaConf.save(self.config, folder / "multirun.yaml")
    begun.append(folder)
    with locked(folder / RECORD, alone=True):
        return _launch(self, rest, folder)


def _launch(self: BasicSweeper, jobs: Sequence[Job], folder: Path) -> list[Sequence[JobReturn]]:
    assert self.launcher is not None
    found: list[Sequence[JobReturn]] = []
    broken: list[Exception] = []
    local = type(self.launcher).__name__ == "JoblibLauncher"
    if local:  # read by loky when it starts a process
        os.environ.update({name: "1" for name in _ONE_THREAD if name not in os.environ})
    for batch in _batches(jobs, self.max_batch_size, numbered=_numbered(self, jobs), first_alone=local and warmup.complete() is None):
        words = [[*job.overrides, f"{WHERE}={_quoted(folder)}", f"hydra.sweep.subdir={_quoted(job.folder)}"] for job in batch]
        found.append(self.launcher.launch(words, initial_job_idx=batch[0].number))
        for item in found[-1]:
            try:
                value = item.return_value
            except Exception as error:  # one that a job could not turn into a sentence
                broken.append(error)
                continue
            if isinstance(value, Failure):
                failures.append(value)
    if broken:
        raise broken[0]
    return found


def _batches(jobs: Sequence[Job], largest: int | None, *, numbered: bool, first_alone: bool) -> list[list[Job]]:
    """Cut jobs for the launcher, which counts on from the number of the first: where numbers are used, only neighbours go together.

    With `first_alone` the first job compiles the kernels, which the others then read from the disk.
    """
    batches: list[list[Job]] = []
    for job in jobs:
        fits = bool(batches) and (largest is None or len(batches[-1]) < largest) and (not numbered or job.number == batches[-1][-1].number + 1)
        if fits and not (first_alone and len(batches) == 1):
            batches[-1].append(job)
        else:
            batches.append([job])
    return batches


def _numbered(self: BasicSweeper, jobs: Sequence[Job]) -> bool:
    texts = [_plain(self), *(word for job in jobs for word in job.overrides)]
    return any(name in text for text in texts for name in ("job.num", "job.id"))


def _quoted(text: object) -> str:
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def _check(self: BasicSweeper, jobs: Sequence[Sequence[str]]) -> None:
    """Compose what is new in a job, so that an unusable word stops the sweep before its first job.

    A word that was composed once beside the same choices of groups is not composed again.
    """
    seen = set[tuple[tuple[str, ...], str]]()
    trial: list[Sequence[str]] = []
    for words in jobs:
        groups = tuple(word for word in words if "." not in word.partition("=")[0])
        new = {(groups, word) for word in words} - seen
        if new:
            seen |= new
            trial.append(words)
    self.validate_batch_is_legal(trial)


def _jobs(self: BasicSweeper, everything: Sequence[Sequence[str]]) -> list[Job]:
    assert self.config is not None and self.hydra_context is not None
    pattern = OmegaConf.to_container(self.config.hydra.sweep, resolve=False)["subdir"]  # type: ignore[call-overload,index]
    jobs = []
    for number, words in enumerate(everything):
        name = str(number)
        if pattern != _NUMBER:
            config = self.hydra_context.config_loader.load_sweep_config(self.config, list(words))
            with read_write(config), open_dict(config):
                config.hydra.job.num = config.hydra.job.id = number
            name = str(config.hydra.sweep.subdir)
        jobs.append(Job(number=number, folder=name, overrides=tuple(words)))
    return jobs


def _plain(self: BasicSweeper) -> str:
    assert self.config is not None
    return OmegaConf.to_yaml(OmegaConf.masked_copy(self.config, [str(key) for key in self.config if key != "hydra"]))
