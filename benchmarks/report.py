"""Measure the chain on this machine and print a Markdown table: `python benchmarks/report.py [--repeats 7] [--no-cold] [--folder out] [--readme]`.

With a folder, the hot loop is measured too: `hot_loop.md` (table), `hot_loop.csv` (every point) and `hot_loop.png` (cost against springs, frames and
processes, with the fitted exponents) are written there. `--readme` also writes the short table between the two marks of README.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from bench_chain import Measured, cold_start, machine, measure, size_of, warm_chain
from hot_loop import kernel_times, write_hot_loop
from test_batch import new_knee, rates, same_knee

FEWEST_REPEATS = 5
README = Path(__file__).resolve().parents[1] / "README.md"
MARKS = ("<!-- speed: written by benchmarks/report.py --readme -->", "<!-- end of speed -->")


def table(rows: list[Measured], size: dict[str, float], about: dict[str, str], repeats: int, cold: dict[str, float] | None) -> str:
    """Return the report as Markdown."""
    lines = [
        f"{about['processor']}, {about['cores']} cores, Python {about['python']}, numba {about['numba']}, numpy {about['numpy']}; one thread in the kernels.",
        f"Median, fastest and slowest of {repeats} repeats after warm-up; compilation is not in them. Surfaces, bone maps and the reference person",
        "are remembered from the warm-up, as they are when a sweep changes loads only.", "",
        "| step | median ms | fastest to slowest ms |", "|---|---:|---:|",
        *(f"| {row.name} | {row.median_ms:.1f} | {row.range_ms[0]:.1f} to {row.range_ms[1]:.1f} |" for row in rows), "",
        f"Contact of walking: {size['springs']:.0f} springs ({size['casting_triangles']:.0f} casting triangles, those under a meniscus carry nothing themselves)",
        f"on a femur of {size['femoral_triangles']:.0f} triangles; Newton steps per frame {size['steps_tibia']:.1f} for the tibia and "
        f"{size['steps_patella']:.1f} for the patella,",
        f"at most {size['most_steps']:.0f}; largest unbalanced force over the load {size['largest_residual']:.1e}.",
    ]
    if cold is not None:
        lines += ["", "| from a fresh process, `simulate(Case())` | s |", "|---|---:|",
                  f"| first run, empty kernel cache | {cold['first_s']:.1f} |", f"| of it compilation (`timing.compile_s`) | {cold['compile_s']:.1f} |",
                  f"| of it the rest (`timing.solve_ms`) | {cold['solve_s']:.1f} |", f"| second run, kernels from the cache | {cold['second_s']:.1f} |"]
    return "\n".join(lines)


def short_table(rows: list[Measured], size: dict[str, float], about: dict[str, str]) -> str:
    """Measure kernels and batches, and return the README's table."""
    fastest = {row.name: row.range_ms[0] for row in rows}
    named = {"contact of a walking cycle": "contact of walking", "one case, walking alone": "walking alone", "one case, a day of five activities": "five activities"}
    lines = [f"| {what} | {min(value for name, value in fastest.items() if part in name and not name.startswith('bone')):.0f} ms |" for what, part in named.items()]
    for what, kind in (("cases per second, walking alone, the same knee", same_knee), ("cases per second, every case another knee", new_knee)):
        one, two = rates(kind)
        lines.append(f"| {what}: 1 process, 2 processes | {one:.0f}, {two:.0f} |")
    for name, (own, twin) in kernel_times().items():
        if twin == twin:
            lines.append(f"| `{name}`, per spring, and over its C++ twin | {own:.1f} ns, {own / twin:.2f} |")
    return "\n".join([f"{about['processor']}, {about['cores']} cores, Python {about['python']}, numba {about['numba']}; {size['springs']:.0f} springs, 101 frames; shortest of",
                      "several runs after warm-up, one thread per process. [How the hot loop works](docs/hot-loop.md).", "", "| | |", "|---|---:|", *lines])


def write_readme(text: str, file: Path = README) -> None:
    """Put the text between the marks of the file."""
    whole = file.read_text(encoding="utf-8")
    before, rest = whole.split(MARKS[0])
    _, after = rest.split(MARKS[1])
    file.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}", encoding="utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7, help=f"repeats of each step, at least {FEWEST_REPEATS}")
    parser.add_argument("--no-cold", action="store_true", help="leave out the run with an empty kernel cache")
    parser.add_argument("--folder", type=Path, help="measure the hot loop as well, and write its table and plot here")
    parser.add_argument("--readme", action="store_true", help="write the short table into README.md")
    chosen = parser.parse_args()
    if chosen.repeats < FEWEST_REPEATS:
        parser.error(f"--repeats is {chosen.repeats}, but must be at least {FEWEST_REPEATS}: a median of fewer says little")
    cold = None if chosen.no_cold else cold_start()
    chain, _ = warm_chain()
    rows = measure(chain, chosen.repeats)
    print(table(rows, size_of(chain), machine(), chosen.repeats, cold))
    if chosen.readme:
        write_readme(short_table(rows, size_of(chain), machine()))

    if chosen.folder is not None:
        print("\n" + write_hot_loop(chosen.folder, machine()))


if __name__ == "__main__":
    main()
