"""The command line: a Hydra application, and the sub-commands beside it. One bad value ends it with exit code 2 and one sentence."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from kneeload import commands, sweep_folder, warmup
from kneeload.errors import InputError, KneeloadError, did_you_mean

if TYPE_CHECKING:
    from kneeload.case import Case
    from kneeload.plan import PlanResult, PlanSettings
    from kneeload.population.design import Design, Run
    from kneeload.population.uncertainty import Uncertainty
    from kneeload.result import KneeResult

BAD_INPUT, FAILED, STOPPED = 2, 1, 130
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)  # errors of a disk that takes nothing more, no sentence either
_held = contextlib.ExitStack()  # the lock of the running job of a sweep
_problems: list[KneeloadError] = []  # of the jobs of this process; raising them inside a job would make Hydra print its own words


class ClaimRunFolder(Callback):
    """Creates the run folder before Hydra writes into it, and stops if it is there already: nothing is written over."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Claim the folder of a single run."""
        _claim(Path(config.hydra.run.dir), "hydra.run.dir")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Leave the folder of a sweep to `sweeper`, where Hydra's own sweeper is used; claim it for any other."""
        try:
            from kneeload import sweeper

            sweeper.install()
        except Exception as problem:  # Hydra would go on without, and write over what is there
            raise SystemExit(_complain(f"Sweeps do not work with this version of Hydra: {problem}")) from problem
        if not str(config.hydra.sweeper._target_).endswith(".BasicSweeper"):
            _claim(Path(config.hydra.sweep.dir), "hydra.sweep.dir")

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to a process that runs jobs of a sweep, and prepare it on arrival."""
        from kneeload import sweeper

        return _arrived, tuple(sweeper.drivers[:1])

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Say that a job of a sweep runs, for those who would go on with it."""
        if (sweep := _sweep_of(config)) is not None:
            _held.enter_context(sweep_folder.locked(sweep / sweep_folder.RUNNING, alone=False))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Say in the folder of a job of a sweep that it is whole."""
        problem = job_return._return_value
        if _sweep_of(config) is not None and not (isinstance(problem, OSError) and problem.errno in _FULL):
            failure = problem if isinstance(problem, sweep_folder.Failure) else None
            fine = job_return.status is JobStatus.COMPLETED and failure is None
            sweep_folder.mark_finished(Path(config.hydra.runtime.output_dir), "ok" if fine else "failed", bad_input=failure is not None and failure.bad_input)
        _held.close()


def _arrived(driver: int | None = None) -> ClaimRunFolder:
    from kneeload import sweeper

    sweeper.work_for(driver)
    return ClaimRunFolder()


def _sweep_of(config: DictConfig) -> Path | None:
    """The folder of the sweep that a job belongs to, None for a single run."""
    folder = Path(config.hydra.sweep.dir)
    return folder if (folder / sweep_folder.RUNNING).exists() else None


def _claim(folder: Path, where: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=False)
    except FileExistsError:
        error = InputError("run folder", where=where, got=str(folder), allowed="a folder that does not exist yet", why="a run never writes over another")
        raise SystemExit(_complain(error)) from None  # Hydra turns any other exception of a callback into a warning
    except OSError as problem:
        raise SystemExit(_complain(f"The run folder {folder} ({where}) cannot be made: {problem.strerror}.")) from None


def _complain(problem: object) -> int:
    print(f"kneeload: {problem}", file=sys.stderr)
    return BAD_INPUT


def _job(cfg: DictConfig) -> sweep_folder.Failure | None:
    folder = Path(HydraConfig.get().runtime.output_dir)
    if cfg.contact.name != "none":
        warmup.start()
    from kneeload.run_folder import write_failure, write_run
    from kneeload.settings import case_from_config, pictures_from_config, plan_from_config
    from kneeload.simulate import simulate

    if cfg.view.pictures:  # imported beside the simulation, whose kernels let go of Python's lock
        threading.Thread(target=import_module, args=("kneeload.views.preload",), daemon=True).start()

    try:
        warmup.share()
        _check_interventions(HydraConfig.get().overrides.task)
        limits, asked = plan_from_config(cfg), pictures_from_config(cfg)
        result = simulate(case_from_config(cfg))
        plan = None if limits is None else _plan(result, limits, quiet=cfg.runtime.quiet)
        notes = write_run(result, folder, pictures=cfg.view.pictures, vtk=cfg.view.vtk, vtk_series=cfg.view.vtk_series, report=cfg.view.report,
                          report_3d=cfg.view.report_3d, pdf=cfg.view.pdf, plan=plan, asked=asked)
    except KneeloadError as error:
        write_failure(folder, str(error))
        return _failed(error)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise
        write_failure(folder, f"The program broke off: {type(error).__name__}: {' '.join(str(error).split())}")
        if _sweep_of(HydraConfig.instance().cfg) is None:  # type: ignore[arg-type]
            raise
        traceback.print_exc()
        return sweep_folder.Failure(f"The program broke off in {folder}: {type(error).__name__}: {' '.join(str(error).split())}", False)
    if not cfg.runtime.quiet:
        from kneeload.outlook import outlook_summary
        from kneeload.views.terminal import print_summary

        print_summary(result.summary() | outlook_summary(result, () if plan is None else plan.effects) | {"plan": None if plan is None else plan.summary()},
                      folder=folder, notes=notes)
    gc.enable()
    return None


def _failed(error: KneeloadError) -> sweep_folder.Failure:
    if _sweep_of(HydraConfig.instance().cfg) is None:  # type: ignore[arg-type]
        _problems.append(error)
    return sweep_folder.Failure(str(error), isinstance(error, InputError))


_application = hydra.main(version_base="1.3", config_path="pkg://kneeload.conf", config_name="config")(_job)


def _plan(result: KneeResult, limits: PlanSettings, *, quiet: bool) -> PlanResult:
    from kneeload.plan import plan_interventions

    if quiet or not sys.stderr.isatty():
        return plan_interventions(result.case, limits, result=result)
    from kneeload.views.plan_terminal import plan_progress

    with plan_progress() as progress:
        return plan_interventions(result.case, limits, result=result, progress=progress)


def _warn_of_shadowed_files(arguments: list[str]) -> None:
    """Warn when a person's own config folder hides a packaged file of the same name (Hydra 1.3 is silent about it)."""
    for flag, value in zip(arguments, [*arguments[1:], ""]):
        folder = flag.partition("=")[2] if flag.startswith(("--config-dir=", "-cd=")) else value if flag in ("--config-dir", "-cd") else ""
        if not folder or not Path(folder).is_dir():
            continue
        packaged = Path(__file__).resolve().parent / "conf"
        if not packaged.is_dir():  # editable install: conf/ stands beside the package
            packaged = Path(__file__).resolve().parent.parent / "conf"
        hidden = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*.yaml") if (packaged / path.relative_to(folder)).is_file())
        if hidden:
            print(f"kneeload: warning: {folder} hides these files of kneeload: {', '.join(hidden)}", file=sys.stderr)


def _one_sentence(error: BaseException) -> str:
    """Return what a Hydra or OmegaConf error says in one line."""
    root: BaseException = error
    while root.__cause__ is not None and isinstance(root.__cause__, OmegaConfBaseException | HydraException):
        root = root.__cause__
    lines = [line.strip() for line in str(root).splitlines() if line.strip() and not line.strip().startswith(("reference_type", "object_type", "full_key", "Set the environment"))]
    text = " ".join(lines)
    if "Could not find '" in text:
        choice = text.split("Could not find '")[1].split("'")[0]
        group, _, option = choice.rpartition("/")
        if group == "intervention":
            from kneeload.interventions.reference import refuse_reference

            try:
                refuse_reference(option)
            except InputError as known_to_medicine:
                return str(known_to_medicine)
        known = text.partition("Available options in")[2].partition(":")[2].partition("Config search path")[0].split()
        return str(InputError(group or "configuration", where=group or "command line", got=option, allowed="one of " + ", ".join(known), why="kneeload has no other"))
    key = getattr(root, "full_key", None)
    if key and "is not in struct" in text:
        beside = getattr(root, "parent_node", None)
        near = did_you_mean(key.rpartition(".")[2], list(beside) if isinstance(beside, DictConfig) else [])
        return str(InputError("key", where="command line", got=key, allowed=f"one of the keys in `kneeload --help`{near}", why="kneeload has no such setting"))
    return f"The command line is not usable{f' at {key}' if key else ''}: {text}"


def _check_interventions(overrides: Sequence[str]) -> None:
    """Refuse an intervention that is named twice: Hydra would read its file twice and keep one.

    Raises:
        InputError: names it.
    """
    for item in OverridesParser.create().parse_overrides(list(overrides)):
        if item.key_or_group == "intervention" and isinstance(names := item.value(), list):
            for name in names:
                if name != "none" and names.count(name) > 1:
                    braces = name == "unloader_brace"
                    raise InputError("unloader brace" if braces else str(name).replace("_", " "), where="intervention", got=f"{names.count(name)} times {name}",
                                     allowed="one brace on one knee" if braces else "once, with the whole amount",
                                     why="two orthoses cannot be strapped to the same leg" if braces else "its effect would be counted twice")


class _Composer:
    """From `key=value` words to what they describe (for sub-commands, which take the same words as a run)."""

    def __call__(self, overrides: Sequence[str]) -> Case:
        """Return a case."""
        from kneeload.settings import case_from_config

        return case_from_config(self._compose(overrides))

    def population(self, overrides: Sequence[str]) -> tuple[Design, Run, dict[str, Any]]:
        """Return a population study, how to run it, and its settings; the group `population` is not part of other configurations."""
        from kneeload.settings import population_from_config

        return population_from_config(self._compose(_with_group("population", overrides)))

    def uncertainty(self, overrides: Sequence[str]) -> tuple[Case, Uncertainty, dict[str, Any]]:
        """Return a case, the study of its uncertainty, and its settings; the group `uncertainty` is not part of other configurations."""
        from kneeload.settings import uncertainty_from_config

        return uncertainty_from_config(self._compose(_with_group("uncertainty", overrides)))

    @staticmethod
    def _compose(words: Sequence[str]) -> DictConfig:
        _check_interventions(words)
        with hydra.initialize_config_module("kneeload.conf", version_base="1.3"):
            return hydra.compose("config", overrides=list(words))


def _with_group(group: str, overrides: Sequence[str]) -> list[str]:
    """The words with the group that other configurations do not have, its file `default` unless they name one."""
    chosen = [word.partition("=")[2] for word in overrides if word.startswith(f"{group}=")]
    return [f"+{group}={(chosen or ['default'])[-1]}", *(word for word in overrides if not word.startswith(f"{group}="))]


case_of = _Composer()


def _sub_command(name: str, arguments: list[str]) -> int:
    """Return the exit code of a sub-command; what it raises on purpose becomes one sentence."""
    try:
        return commands.run(name, arguments, case_of)
    except (HydraException, OmegaConfBaseException) as error:
        return _complain(_one_sentence(error))
    except KneeloadError as error:
        _complain(error)
        return BAD_INPUT if isinstance(error, ValueError) else FAILED


def _shorten_hydra(arguments: Sequence[str]) -> None:
    """Leave out two things that Hydra does and that nothing here needs: 0.4 s of `--help`, 0.2 s of a run.

    For `--help` it copies all of its sources once per group of choices, to add search paths that come from overrides, which it does not
    pass there. For a run it composes the configuration twice, first to read `hydra.mode`; only words about Hydra itself, a flag or an
    experiment can set that.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.hydra import Hydra
    from hydra.core.object_type import ObjectType

    def group_options(loader: ConfigLoaderImpl, group_name: str, results_filter: ObjectType | None = ObjectType.CONFIG, *_: object, **__: object) -> list[str]:
        return loader.repository.get_group_options(group_name, results_filter)

    if {"--help", "-h"} & set(arguments):
        ConfigLoaderImpl.get_group_options = group_options  # type: ignore[method-assign,assignment]
    if not any(word.lstrip("+~").startswith(("hydra", "experiment", "-")) for word in arguments):
        Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]


def _stopped() -> int:
    for folder in getattr(sys.modules.get("kneeload.sweeper"), "begun", []):
        _complain(f"The sweep was stopped; `kneeload --multirun --resume {folder}` goes on with it.")
        return STOPPED
    raise KeyboardInterrupt


def _end_of_sweep() -> None:
    """Print what failed in a sweep; the exit code is the highest of its jobs."""
    sweep = sys.modules.get("kneeload.sweeper")
    failures: list[sweep_folder.Failure] = getattr(sweep, "failures", [])
    for folder in getattr(sweep, "begun", []):
        print(f"{folder}: `kneeload collect` makes one table of its jobs")
    for item in failures:
        _complain(item.sentence)
    if failures:
        raise SystemExit(max(BAD_INPUT if item.bad_input else FAILED for item in failures))


def main() -> None:
    """Run the console command; exit code 0 = done, 2 = bad input (one sentence on stderr), 1 = the simulation failed."""
    if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
        try:
            code = _sub_command(sys.argv[1], sys.argv[2:])
        except KeyboardInterrupt:
            _complain("Stopped.")
            code = STOPPED
        raise SystemExit(code)
    if any(word.partition("=")[0] == "--resume" for word in sys.argv[1:]):
        from kneeload import sweeper

        try:
            sys.argv[1:] = sweeper.resumed_words(sys.argv[1:])
        except InputError as error:
            raise SystemExit(_complain(error)) from None
    gc.disable()  # a fifth of a single run went into collections during imports; on again after the first job
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors reach us instead of Hydra's own printing
    _warn_of_shadowed_files(sys.argv[1:])
    _shorten_hydra(sys.argv[1:])
    try:
        _application()
    except (HydraException, OmegaConfBaseException) as error:
        raise SystemExit(_complain(_one_sentence(error))) from None
    except InputError as error:
        raise SystemExit(_complain(error)) from None
    except OSError as full:
        if full.errno not in _FULL:
            raise
        raise SystemExit(_complain(f"The run folder cannot be written: {(full.strerror or str(full)).lower()}.")) from None
    except KeyboardInterrupt:
        raise SystemExit(_stopped()) from None
    _end_of_sweep()
    for problem in _problems:
        _complain(problem)
    if _problems:
        raise SystemExit(max(BAD_INPUT if isinstance(problem, InputError) else FAILED for problem in _problems))


if __name__ == "__main__":
    main()
