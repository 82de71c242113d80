"""Many knees: the same bits for any number of workers and any chunk, in order, lazily, and one failure stops nothing."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kneeload import Activity, AnatomySource, Case, CaseFigures, Subject, interventions, simulate, simulate_many
from kneeload.errors import InputError
from kneeload.population.batch import AHEAD
from kneeload.population.chunks import LONGEST, chunks, knee_of
from kneeload.population.workers import THREADS, WorkerLost


def light(count: int) -> list[Case]:
    """Cases of the load level, with every third changed by an intervention."""
    found = []
    for i in range(count):
        case = Case(contact=None, subject=Subject(body_mass_kg=60.0 + i, mpta_deg=85.0 + (i // 3) % 4), activity=Activity(name=("walking", "stair_ascent")[i % 2]))
        found.append(interventions.weight_loss(case, mass_kg=5.0) if i % 3 == 2 else case)
    return found


def failing() -> Case:
    return Case(contact=None, anatomy=AnatomySource(name="meshes", folder=Path("no_such_folder")))


class Deadly(Case):
    """A case that ends the process in which it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (9,)


@pytest.fixture(scope="module")
def alone() -> list[CaseFigures]:
    return list(simulate_many(light(14)))


@pytest.mark.parametrize(("workers", "size"), [(1, 5), (2, 1), (3, 4)])
def test_figures_are_the_same_bits_for_any_workers_and_chunks(alone: list[CaseFigures], workers: int, size: int) -> None:
    found = list(simulate_many(iter(light(14)), workers=workers, cases_per_chunk=size))
    assert [item.index for item in found] == list(range(14))
    assert found == alone  # compares every number with ==


def test_cases_before_a_case_do_not_touch_it(alone: list[CaseFigures]) -> None:
    backwards = list(simulate_many(light(14)[::-1], workers=2))[::-1]
    assert [replace(item, index=i) for i, item in enumerate(backwards)] == alone


def test_figures_are_the_numbers_of_the_summary() -> None:
    alone, summary = list(simulate_many(light(3), workers=0)), simulate(light(3)[2]).summary()
    assert alone[2].loads == summary["loads"] and alone[2].interventions == ("weight_loss",) and alone[2].error is None
    assert alone[2].change["medial"]["peak_force_pct"] == summary["change"]["medial"]["peak_force_pct"]
    assert alone[2].change["medial"]["peak_pressure_pct"] is None  # nan there: no contact, no pressure
    row = alone[2].numbers()
    assert row["loads.medial.peak_force_n"] == summary["loads"]["medial"]["peak_force_n"] and row["change.lateral.daily_dose_pct"] is None
    assert alone[2].contact is None and not any(key.startswith(("contact", "bone", "agreement")) for key in row)
    assert len(pickle.dumps(alone[2])) < 4000


WHOLE = """
import pickle, sys
from kneeload import Case, Subject, simulate_many
if __name__ == "__main__":
    people = [Subject(body_mass_kg=mass, mpta_deg=mpta) for mass, mpta in ((70.0, 87.0), (85.0, 87.0), (70.0, 85.5))]
    cases = [Case(subject=person, day_activities=("walking",)) for person in people]
    found = list(simulate_many(cases, workers=int(sys.argv[1]), cases_per_chunk=1))
    sys.stdout.buffer.write(pickle.dumps(found))
"""


def whole(workers: int, threads: int) -> list[CaseFigures]:
    """Three cases with contact, in a fresh process that starts with so many threads of BLAS."""
    environment = {**os.environ, **dict.fromkeys(THREADS, str(threads)), "KNEELOAD_NO_CACHE": "1"}
    return pickle.loads(subprocess.run([sys.executable, "-c", WHOLE, str(workers)], env=environment, capture_output=True, check=True).stdout)


@pytest.fixture(scope="module")
def one() -> list[CaseFigures]:
    return whole(workers=1, threads=1)


def test_with_contact_two_processes_give_the_bits_of_one_down_to_the_lesion(one: list[CaseFigures]) -> None:
    assert one == whole(workers=2, threads=2)  # workers have one thread each, whatever the process that starts them has
    for item in one:
        assert item.error is None and item.contact["medial"]["peak_pressure_mpa"] > 1.0
        region = item.lesion["regions"]["tibia_central_medial"]
        assert 0.0 < region["risk_24mo_low"] < region["risk_24mo"] < region["risk_24mo_high"] < 1.0
        assert item.bone["regions"]["tibia_central_medial"]["daily_dose_mpa_s"] > 0.0 and item.pain["walking"]["low"] > 0.0
    assert len(pickle.dumps(one[0])) < 16_000


def test_threads_of_the_process_that_starts_a_batch_change_no_bit(one: list[CaseFigures]) -> None:
    assert one == whole(workers=1, threads=2)


@pytest.mark.parametrize("workers", [0, 2])
def test_cases_are_taken_as_they_are_needed(workers: int) -> None:
    taken = 0

    def endless() -> Iterator[Case]:
        nonlocal taken
        while True:
            taken += 1
            yield Case(contact=None, subject=Subject(mpta_deg=84.0 + taken % 7))

    found, size = simulate_many(endless(), workers=workers, cases_per_chunk=2), 2
    assert taken == 0
    for number in range(1, 31):
        assert next(found).index == number - 1
        window = 0 if workers == 0 else (AHEAD * workers + 1) * size + 1
        assert number <= taken <= number + window
    found.close()


@pytest.mark.parametrize("workers", [0, 2])
def test_a_failing_case_is_a_sentence_and_the_others_go_on(workers: int) -> None:
    cases = light(4)
    found = list(simulate_many([*cases[:2], failing(), *cases[2:]], workers=workers, cases_per_chunk=2))
    assert [item.error is None for item in found] == [True, True, False, True, True]
    with pytest.raises(InputError) as problem:
        simulate(failing())
    assert found[2].error == " ".join(str(problem.value).split()) and "no_such_folder" in found[2].error
    assert found[2].numbers() == {} and found[3].loads == next(simulate_many(cases[2:3], workers=workers)).loads


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_of_the_iterable_comes_after_the_results_before_it(workers: int) -> None:
    def broken() -> Iterator[Case]:
        yield from light(3)
        raise LookupError("no more people")

    found = simulate_many(broken(), workers=workers, cases_per_chunk=2)
    assert [next(found).index for _ in range(3)] == [0, 1, 2]
    with pytest.raises(LookupError, match="no more people"):
        next(found)


def test_a_killed_worker_is_a_clear_error() -> None:
    found = simulate_many([*light(2), Deadly(contact=None), *light(2)], workers=2, cases_per_chunk=1)
    with pytest.raises(WorkerLost, match=r"worker process .* killed .*fewer workers"):
        list(found)


def alive_in_group(group: int) -> list[str]:
    """Processes of a group that still run (none where there is no /proc to look at; dead ones that nobody buried do not count)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            about = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if about[0] != "Z" and int(about[2]) == group:
            found.append(str(path))
    return found


def test_ctrl_c_ends_the_batch_and_its_workers() -> None:
    code = """
import itertools
from kneeload import Case, Subject, simulate_many
if __name__ == "__main__":
    for item in simulate_many((Case(contact=None, subject=Subject(mpta_deg=80.0 + i % 10)) for i in itertools.count()), workers=2):
        if item.index in (0, 50): print(item.index, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True) as batch:
        try:
            assert batch.stdout is not None and [batch.stdout.readline() for _ in range(2)] == ["0\n", "50\n"]
            os.killpg(batch.pid, signal.SIGINT)  # as a terminal does it: to all processes
            _, errors = batch.communicate(timeout=60)
        finally:
            batch.kill()
    assert errors.count("Traceback") == 1 and errors.strip().endswith("KeyboardInterrupt")  # the workers say nothing
    latest = time.monotonic() + 20.0
    while left := alive_in_group(batch.pid):  # Python's resource tracker ends when it sees that the process is gone
        assert time.monotonic() < latest, left
        time.sleep(0.01)


def test_memory_does_not_grow_with_the_cases() -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in simulate_many((Case(contact=None, subject=Subject(body_mass_kg=50.0 + i)) for i in range(count)), workers=0):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(3)
    few, many = peak(30), peak(60)
    assert many < few + 20_000  # bytes; 30 results in memory would be 200 000


def test_progress_counts_the_results() -> None:
    seen: list[int] = []
    list(simulate_many(light(5), workers=0, progress=seen.append))
    assert seen == [1, 2, 3, 4, 5]


def test_threads_of_this_process_are_left_alone() -> None:
    before = {name: os.environ.get(name) for name in THREADS}
    next(simulate_many(light(1), workers=2))
    assert {name: os.environ.get(name) for name in THREADS} == before


@pytest.mark.parametrize("wrong", [{"workers": -1}, {"workers": 1.5}, {"workers": True}, {"cases_per_chunk": 0}])
def test_impossible_numbers_are_refused_at_once(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        simulate_many([], **wrong)


def test_no_cases_give_no_results() -> None:
    assert list(simulate_many([], workers=0)) == [] and list(simulate_many(iter(()), workers=2)) == []


def test_chunks_keep_neighbours_with_one_knee_together() -> None:
    tilt = [87.0] * 3 + [86.0] * 3 + [85.0] * 20 + [84.0, 83.0]
    cases = [Case(subject=Subject(mpta_deg=mpta, body_mass_kg=60.0 + i)) for i, mpta in enumerate(tilt)]
    found = list(chunks(iter(cases), 2))
    assert [first for first, _ in found] == [0, 3, 6, 14, 22, 26] and [case for _, run in found for case in run] == cases
    assert max(len(run) for _, run in found) == 2 * LONGEST
    assert knee_of(cases[0]) == knee_of(replace(cases[1], activity=Activity(name="standing"))) != knee_of(cases[3])
