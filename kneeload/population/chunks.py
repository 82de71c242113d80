"""Cases in small runs: what a worker process gets at once. Neighbours that share a knee stay together, so that its springs are built once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator

from kneeload.case import Case
from kneeload.subject.reference import shape_of

LONGEST = 4  # a run of cases with one knee may make a chunk this many times longer than asked


def chunks(cases: Iterable[Case], size: int) -> Iterator[tuple[int, list[Case]]]:
    """Yield (index of the first case, cases) in order, each chunk as soon as the case after it is known; no more is taken from `cases`.

    A chunk has `size` cases; it goes on while the next case has the knee of the last one, to at most LONGEST x `size`. When `cases` raises,
    what came before is yielded first.
    """
    first, run, last = 0, list[Case](), None
    try:
        for case in cases:
            knee = knee_of(case)
            if len(run) >= LONGEST * size or (len(run) >= size and knee != last):
                yield first, run
                first, run = first + len(run), []
            run.append(case)
            last = knee
    except Exception:
        if run:
            yield first, run
        raise
    if run:
        yield first, run


def knee_of(case: Case) -> Hashable:
    """Return what decides whether two cases share surfaces and springs."""
    return case.anatomy, shape_of(case.subject), case.materials, case.contact
