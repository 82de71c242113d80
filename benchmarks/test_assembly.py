"""What the compiler made of the spring loops: whole vectors, no gathers, no call per spring. Noise cannot hide a loop that fell back to scalars."""

from __future__ import annotations

import platform
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
import pytest
from placed import Placed, placed

from kneeload.kernels import springs as kernels

LEAST = {"add_forces": 20, "add_springs": 40, "add_meniscus": 60}  # fused multiply-adds on vectors in the loop of the linear law (27, 48 and 83 were found)



@dataclass(frozen=True, slots=True)
class Loop:
    """One innermost loop: its vector fused multiply-adds, those on single numbers, gathers and calls."""

    vector: int
    scalar: int
    gathers: int
    calls: int


def compiled(knee: Placed, name: str) -> str:
    """Return the assembly of a kernel, compiled once more (numba does not show what came from its cache)."""
    source = getattr(kernels, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh: Callable = numba.njit(**source.targetoptions)(source.py_func)  # type: ignore[type-arg]
    first, last = (knee.plain_chunks, int(knee.near[3][-1])) if name == "add_meniscus" else (0, knee.plain_chunks)
    middle = (knee.outward,) if name == "add_meniscus" else ()
    end = (np.zeros(kernels.WEDGE),) if name == "add_meniscus" else ()
    fresh(knee.near[0], knee.near[2], first, last, knee.turn, knee.shift, *middle, None, np.zeros(kernels.SUMS), *end)
    (text,) = fresh.inspect_asm().values()  # type: ignore[attr-defined]
    return str(text)


def innermost_loops(text: str) -> list[Loop]:
    """Return the innermost loops of an assembly listing: the lines between a label and a jump back to it that hold no other such pair."""
    lines = text.splitlines()
    label = {line.split(":")[0].strip(): i for i, line in enumerate(lines) if re.match(r"^\.?L\w+:", line)}
    spans = []
    for i, line in enumerate(lines):
        jump = re.match(r"^\s+j\w+\s+(\.?L\w+)", line)
        if jump and label.get(jump[1], i) < i:
            spans.append((label[jump[1]], i))
    inner = [(a, b) for a, b in spans if not any((c, d) != (a, b) and a <= c and d <= b for c, d in spans)]
    return [Loop(vector=_count(r"vfn?m(add|sub)\d+ps.*%[yz]mm", lines[a:b]), scalar=_count(r"vfn?m(add|sub)\d+s[sd]", lines[a:b]),
                 gathers=_count(r"\bvp?gather", lines[a:b]), calls=_count(r"\bcallq?\b", lines[a:b])) for a, b in inner]


def _count(pattern: str, lines: list[str]) -> int:
    return sum(re.search(pattern, line) is not None for line in lines)


@pytest.mark.parametrize("name", list(LEAST))
def test_loop_of_the_linear_law_is_vectorised(name: str) -> None:
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("reads x86-64 assembly")
    text = compiled(placed(), name)
    if "ymm" not in text and "zmm" not in text:
        pytest.skip("this processor has no AVX")
    loops = innermost_loops(text)
    clean = [loop for loop in loops if loop.vector >= LEAST[name] and loop.scalar == loop.gathers == loop.calls == 0]
    assert clean, f"no loop without calls and gathers has {LEAST[name]} vector multiply-adds: {loops}"
    assert not any(loop.gathers for loop in loops)
