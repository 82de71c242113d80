"""`kneeload population`: draw people, run them, write a table."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError, key_of
from kneeload.errors import KneeloadError, did_you_mean
from kneeload.output_folder import new_folder

if TYPE_CHECKING:
    from kneeload.population.design import Design, Run
    from kneeload.population.run import EngineOf, Progress, Study

_TAKEN = ("population", "subject", "anatomy", "muscles", "contact", "bone", "lesion")
_KEPT = ("subject.side", "subject.contact_spacing_mm")  # of the person: all else is drawn
_FREE = ("population.output", "population.engine", "population.workers", "population.address")  # of which no number depends
_ABOUT = """Draws people from a joint distribution, runs their activities and interventions down to the risk, and writes Parquet files
and a manifest into population.output. A study that was stopped goes on when the same command, or population.output alone, is
given again. `key=value` words: population.*, subject.side, anatomy.*, muscles.*, contact.*, bone.*, lesion.*; see docs/population.md."""


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Compute a study, or go on with one; 0 = every person has a row."""
    from kneeload.population.study_folder import words_of

    parser = Parser("population", _ABOUT)
    parser.add_argument("--cfg", action="store_true", help="print the settings of the study and stop")
    parser.add_argument("--quiet", action="store_true", help="print nothing but errors")
    values, words = parser.with_overrides(arguments)
    for word in words:
        _check(word)
    design, how, settings = case_of.population(words)
    if how.output is not None and all(key_of(word) in _FREE for word in words):
        before = words_of(how.output)
        if before:
            words = [*before, *words]
            design, how, settings = case_of.population(words)
    if values.cfg:
        import yaml

        print(yaml.safe_dump({"population": settings}, sort_keys=False, width=140, default_flow_style=None), end="")
        return 0
    study = _compute(design, how, tuple(word for word in words if key_of(word) not in _FREE), quiet=values.quiet)
    if not values.quiet:
        try:
            _say(study)
            if sys.stdout is not None:
                sys.stdout.flush()
        except BrokenPipeError:  # nobody reads (`| head`): what follows goes nowhere, and the study is whole
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _check(word: str) -> None:
    key = key_of(word)
    head = key.partition(".")[0]
    if head == "subject" and key not in _KEPT:
        raise UsageError(f"'{word}' has no meaning for kneeload population, which draws people: see population.distribution.{key.partition('.')[2]} in `kneeload population --cfg`"
                         f"{did_you_mean(key, _KEPT)}.")
    if head not in _TAKEN:
        other = {"activity": ", whose activities are population.activities", "intervention": ", whose interventions are population.interventions"}.get(head, "")
        raise UsageError(f"'{word}' has no meaning for kneeload population{other or ', which takes keys of ' + ', '.join(_TAKEN)}{did_you_mean(head, _TAKEN)}.")
    if key.startswith("population.distribution") and word.replace(" ", "").endswith("={}"):
        raise UsageError(f"'{word}' would change nothing: {key}=null leaves out all of it, and {key}.<name>=... changes a part.")


def _compute(design: Design, how: Run, words: tuple[str, ...], *, quiet: bool) -> Study:
    from kneeload.population.run import run_population

    folder = how.output or new_folder("population")
    shown = not quiet and sys.stderr is not None and sys.stderr.isatty()
    try:
        return run_population(design, folder, engine=_engine(how), words=words, progress=_progress if shown else None)
    except KeyboardInterrupt:
        raise KneeloadError(f"The study in {folder} was stopped; `kneeload population population.output={folder}` goes on with it") from None
    finally:
        if shown:
            _show("")


def _engine(how: Run) -> EngineOf:
    from kneeload.population.run import local_engine, ray_engine

    return ray_engine(how.workers, how.address) if how.engine == "ray" else local_engine(how.workers)


def _progress(now: Progress) -> None:
    rate = f", {now.per_second:.1f} per second" if now.per_second else ""
    left = "" if now.left_s is None else f", {_time(now.left_s)} left"
    failed = f", {now.failed} rows failed" if now.failed else ""
    _show(f"{now.done:,}/{now.size:,} people{rate}{left}{failed}")


def _show(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal was closed: the study goes on without it
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def _time(seconds: float) -> str:
    if seconds < 90.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 5400.0 else f"{seconds / 3600.0:.1f} h"


def _say(study: Study) -> None:
    rate = f", {study.computed / study.seconds:.1f} people per second" if study.computed and study.seconds else ""
    before = study.people - study.computed
    print(f"{study.people:,} people, {study.rows:,} rows in {study.folder}")
    print(f"  {study.failed:,} rows failed (column error says why), {study.resampled:,} impossible people were drawn again")
    print(f"  computed now: {study.computed:,} in {_time(study.seconds)}{rate}" + (f"; {before:,} were there" if before else ""))
