"""Sweeps by Hydra's own sweeper, with a record of the jobs: they can be gone on with, and no two share a folder."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl, get_overrides_dirname
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from kneeload import warmup
from kneeload.errors import InputError
from kneeload.sweep_folder import RECORD, WHERE, Failure, Job, begin, give_up, go_on, locked, move_aside, new_sweep, outcome, read_sweep

if TYPE_CHECKING:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

RESUME = "--resume"
_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"
_NUMBER = "${hydra.job.num}"
_KILLED = ("TerminatedWorkerError", "BrokenProcessPool")  # of loky, which joblib brings with it
resumed: list[Path] = []  # the folder of a sweep that this process goes on with
begun: list[Path] = []  # the folder of the sweep that this process works on
failures: list[Failure] = []  # of its jobs, in order
drivers: list[int] = []  # process that started this one as a worker on the same machine, or is about to start such workers
_composed: dict[tuple[str, ...], DictConfig] = {}  # configurations of this sweep by their choices of groups
_compose = ConfigLoaderImpl.load_sweep_config
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
    of_launcher = "hydra.launcher." if "hydra/launcher" in keys else None  # settings of one launcher mean nothing to another
    kept = [word for word in before.words if word.partition("=")[0] not in keys and not (of_launcher and word.lstrip("+~").startswith(of_launcher))]
    words = [*kept, *rest]
    flags = [word for word in words if not _is_override(word)]  # before the others, as Hydra reads them
    multirun = [] if {"--multirun", "-m"} & set(flags) else ["--multirun"]
    return [*multirun, *flags, *(word for word in words if _is_override(word)), f"{WHERE}={_quoted(folder)}"]


def _is_override(word: str) -> bool:
    return not word.startswith("-") and ("=" in word or word.startswith("~"))


def install() -> None:
    """Put `sweep` into Hydra's sweeper, which takes no plugin from outside the package `hydra_plugins`."""
    Plugins.instance().class_name_to_class[_SWEEPER].sweep = sweep  # type: ignore[attr-defined]  # Hydra loads the module anew: an imported class is not the one in use
    ConfigLoaderImpl.load_sweep_config = compose_job  # type: ignore[method-assign]


def work_for(driver: int | None) -> None:
    """Prepare a process that runs jobs; one that `driver` started on the same machine ends when its driver does.

    Otherwise it would do jobs that it was handed before, beside the process that goes on with the sweep.
    """
    ConfigLoaderImpl.load_sweep_config = compose_job  # type: ignore[method-assign]
    if driver is None or driver in (os.getpid(), *drivers):
        return
    drivers.append(driver)
    if os.getppid() != driver:
        os._exit(1)
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()


def _end_with(driver: int) -> None:
    while os.getppid() == driver:
        time.sleep(0.1)
    os._exit(1)


def compose_job(self: ConfigLoaderImpl, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
    """The configuration of a job as Hydra composes it, in a tenth of the time.

    Hydra reads and merges all files for each job. Only words that choose files need that: here it is done once for each such choice, and
    other words are applied to a copy, as Hydra does after merging.
    """
    words = OverridesParser.create().parse_overrides(list(sweep_overrides))
    groups = [word for word in words if not _is_value(word)]
    if any(word.is_delete() or isinstance(word.value(), dict) or word.key_or_group.startswith("hydra") for word in groups):
        return _compose(self, master_config, sweep_overrides)  # the order of the words may matter
    choices = tuple(str(word.input_line) for word in groups)
    key = (str(master_config.hydra.sweep.dir), *choices)
    if key not in _composed:
        _composed[key] = _compose(self, master_config, list(choices))
    config = copy.deepcopy(_composed[key])
    ConfigLoaderImpl._apply_overrides_to_config([word for word in words if _is_value(word)], config)
    about_hydra, task = ([str(word.input_line) for word in words if word.is_hydra_override() is given] for given in (True, False))
    names = config.hydra.job.config.override_dirname
    with read_write(config.hydra), open_dict(config.hydra):
        config.hydra.overrides.hydra = [*master_config.hydra.overrides.hydra, *about_hydra]
        config.hydra.overrides.task = task
        config.hydra.job.override_dirname = get_overrides_dirname([word for word in words if not word.is_hydra_override()], exclude_keys=names.exclude_keys,
                                                                  item_sep=names.item_sep, kv_sep=names.kv_sep)
    OmegaConf.copy_cache(from_config=master_config, to_config=config)
    return config


def _is_value(word: Override) -> bool:
    """Whether a word cannot choose a file: its key has a dot. (Of words about Hydra, only where jobs are written.)"""
    key = word.key_or_group
    return "." in key and "/" not in key and word.package is None and (not word.is_hydra_override() or key in (WHERE, "hydra.sweep.subdir"))


def sweep(self: BasicSweeper, arguments: list[str]) -> Any:
    """Run the jobs of a sweep, or those that are left of it; a job that fails does not stop the others.

    Raises:
        HydraException, InputError: words that make no configuration, a folder that holds something else (nothing is run then), a disk that is full.
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
    if folder not in resumed:
        begin(folder, whole)
    with locked(folder / RECORD, alone=True):
        rest: Sequence[Job] = go_on(folder, whole) if folder in resumed else whole.jobs
        begun.append(folder)
        try:
            with contextlib.suppress(FileExistsError), (folder / "multirun.yaml").open("x", encoding="utf-8") as stream:
                stream.write(OmegaConf.to_yaml(self.config))
            return _launch(self, rest, folder)
        except OSError as problem:  # the disk is full, or gone
            raise InputError("sweep", where=WHERE, got=str(folder), allowed=f"a place that jobs can be written to; `kneeload --multirun --resume {folder}` goes on then",
                             why=f"{problem.filename or 'a file'}: {(problem.strerror or str(problem)).lower()}") from problem


def _launch(self: BasicSweeper, jobs: Sequence[Job], folder: Path) -> list[Sequence[JobReturn]]:
    assert self.launcher is not None
    found: list[Sequence[JobReturn]] = []
    broken: list[Exception] = []
    local = type(self.launcher).__name__ == "JoblibLauncher"
    if local:  # read by loky when it starts a process
        os.environ.update({name: "1" for name in _ONE_THREAD if name not in os.environ})
        drivers[:] = [os.getpid()]
    numbered = _numbered(self, jobs)
    waiting = _batches(jobs, self.max_batch_size, numbered=numbered, first_alone=local and warmup.complete() is None)
    while waiting:
        batch = waiting.pop(0)
        words = [[*job.overrides, f"{WHERE}={_quoted(folder)}", f"hydra.sweep.subdir={_quoted(job.folder)}"] for job in batch]
        try:
            found.append(self.launcher.launch(words, initial_job_idx=batch[0].number))
        except Exception as error:
            if type(error).__name__ not in _KILLED:
                raise
            waiting[:0] = _again(batch, folder, self.max_batch_size, numbered=numbered)
            continue
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


def _again(batch: Sequence[Job], folder: Path, largest: int | None, *, numbered: bool) -> list[list[Job]]:
    """What is left of a batch after one of its processes was killed: first, each by itself, jobs that were under way, then the others.

    A job that was by itself when its process was killed is given up, with a sentence.
    """
    done = {job.number: outcome(folder / job.folder) for job in batch}
    failures.extend(what for what in done.values() if isinstance(what, Failure))
    left = [job for job in batch if done[job.number] is None]
    suspects = [job for job in left if (folder / job.folder).exists()]
    if len(batch) == 1 and suspects:
        failures.append(give_up(folder / batch[0].folder, "The process of this job was killed, by someone or for want of memory."))
        return []
    for job in suspects:
        move_aside(folder / job.folder)
    return [*([job] for job in suspects), *_batches([job for job in left if job not in suspects], largest, numbered=numbered, first_alone=False)]


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
