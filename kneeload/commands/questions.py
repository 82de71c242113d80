"""`kneeload questions`: what a table of many knees says, one command for each question."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kneeload.commands import CaseOf
from kneeload.commands.parser import Parser, UsageError
from kneeload.output_folder import claim, new_folder

if TYPE_CHECKING:
    from kneeload.population.knee_table import KneeTable, Taken

_ABOUT = """Asks the table that `kneeload population` or `kneeload collect` made. Each answer is a table (answer.csv and the terminal) and a
picture (answer.png) in a new folder. See docs/uncertainty.md.

  kneeload questions quantiles DIR --of medial_daily_dose --by sex,bmi_class
  kneeload questions risk      DIR --of medial_risk --by mpta_deg,bmi
  kneeload questions benefit   DIR --scenario unloader_brace --by mpta_deg"""
QUESTIONS = ("quantiles", "risk", "benefit")


def run(arguments: Sequence[str], case_of: CaseOf) -> int:
    """Answer, print and write; 0 = done."""
    parser = Parser("questions", _ABOUT)
    parser.add_argument("question", choices=QUESTIONS, help="quantiles by group, a quantity over two others, or who benefits")
    parser.add_argument("table", metavar="DIR", type=Path, help="folder of a population, or a .parquet or .csv file")
    parser.add_argument("--of", metavar="A", default=None, help="what is asked: a column or its last part, medial_daily_dose, medial_peak_pressure, medial_risk ...")
    parser.add_argument("--by", metavar="A,B", default=None, help="groups (quantiles, benefit) or the two axes (risk): sex, bmi_class, mpta_deg ...")
    parser.add_argument("--scenario", metavar="NAME", default=None, help="rows of which intervention (default none, for benefit the only one there is)")
    parser.add_argument("--measure", default="daily_dose", help="benefit: daily_dose, peak_pressure or peak_force")
    parser.add_argument("--target", default="medial", help="benefit: the side that is to get less")
    parser.add_argument("--other", default="lateral", help="benefit: the side that must not get much more")
    parser.add_argument("--less", type=float, default=5.0, metavar="PCT", help="benefit: more than so many percent less on the target side")
    parser.add_argument("--more", type=float, default=5.0, metavar="PCT", help="benefit: no more than so many percent more on the other side")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="folder to make (default runs/questions_<time>/)")
    values = parser.parse_args(list(arguments))
    from kneeload.population.knee_table import KneeTable

    table = KneeTable(values.table)
    {"quantiles": _quantiles_answer, "risk": _risk, "benefit": _benefit}[values.question](table, values)
    return 0


def _quantiles_answer(table: KneeTable, values: Namespace) -> None:
    from kneeload.population.questions import PARTS, quantiles_by
    from kneeload.population.sensitivity_files import write_csv
    from kneeload.views.column_wording import column_words
    from kneeload.views.questions import draw_quantiles, print_answer

    of, by = table.column(values.of or "medial_daily_dose"), [table.column(name) for name in _list(values.by or "sex")]
    groups, rows = quantiles_by(table, of, by, scenario=_scenario(table, values.scenario))
    _somebody(bool(groups))
    folder = claim(values.output or new_folder("questions"))
    names, parts = [column.name for column in by], [f"{100 * part:g}" for part in PARTS]
    write_csv(folder / "answer.csv", (*names, "people", "mean", *(f"p{part}" for part in parts), "median_low_95", "median_high_95"),
              ((*item.group, item.people, item.mean, *item.quantiles, item.median_low, item.median_high) for item in groups))
    words, called = of.name + _unit(of.name), column_words(of.name)
    draw_quantiles(folder / "answer.png", [(", ".join(item.group), item.people, [called.factor * value for value in item.quantiles]) for item in groups],
                   title=f"{called.words} by {' and '.join(column_words(name).inside for name in names)}", axis=called.label, note=_left_out(rows), by=_by(names))
    print_answer((_last(names), "people", *(f"{part} %" for part in parts[::2]), "median, 95 %"),
                 [(", ".join(item.group), str(item.people), *map(_number, item.quantiles[::2]), "too few" if math.isnan(item.median_low) else f"{_number(item.median_low)} to {_number(item.median_high)}")
                  for item in groups], title=words, notes=_notes(table, rows), folder=folder)


def _risk(table: KneeTable, values: Namespace) -> None:
    from kneeload.population.questions import surface
    from kneeload.population.sensitivity_files import write_csv
    from kneeload.views.questions import print_answer
    from kneeload.views.response import draw_fields

    axes = _list(values.by or "mpta_deg,bmi")
    if len(axes) != 2:
        raise UsageError(f"kneeload questions risk takes two columns after --by, such as mpta_deg,bmi, and not {len(axes)}.")
    of, x, y = table.column(values.of or "medial_risk"), table.column(axes[0]), table.column(axes[1])
    cells, steps, rows = surface(table, of, x, y, scenario=_scenario(table, values.scenario))
    _somebody(bool(cells))
    folder = claim(values.output or new_folder("questions"))
    write_csv(folder / "answer.csv", (f"{x.name}_from", f"{x.name}_to", f"{y.name}_from", f"{y.name}_to", "people", "mean", "p10", "p90"),
              ((item.x, item.x + steps[0], item.y, item.y + steps[1], item.people, item.mean, item.low, item.high) for item in cells))
    percent = "risk" in of.name.rsplit(".", 1)[-1]
    told = f"{of.name}, mean{' (%)' if percent else _unit(of.name)}"
    draw_fields(folder / "answer.png", [(item.x, item.y, item.people, item.mean) for item in cells], steps, (x.name, y.name, of.name), note=_left_out(rows))
    factor = 100.0 if percent else 1.0
    print_answer((_last((x.name, y.name)), "people", "mean", "10 %", "90 %"),
                 [(f"{item.x:g} to {item.x + steps[0]:g}, {item.y:g} to {item.y + steps[1]:g}", str(item.people), *(_number(factor * value) for value in (item.mean, item.low, item.high)))
                  for item in cells], title=told, notes=_notes(table, rows), folder=folder)


def _benefit(table: KneeTable, values: Namespace) -> None:
    from kneeload.population.questions import who_benefits
    from kneeload.population.sensitivity_files import write_csv
    from kneeload.views.column_wording import column_words
    from kneeload.views.questions import draw_shares, print_answer
    from kneeload.views.wording import intervention_names

    by = [table.column(name) for name in _list(values.by or "")]
    scenario = values.scenario or _only_intervention(table)
    groups, rows = who_benefits(table, scenario, by, measure=values.measure, target=values.target, other=values.other, less_pct=values.less, more_pct=values.more)
    folder = claim(values.output or new_folder("questions"))
    names = [column.name for column in by] or ["group"]
    write_csv(folder / "answer.csv", (*names, "people", "helped", "share", "share_low_95", "share_high_95", f"{values.target}_median_change_pct", f"{values.other}_median_change_pct"),
              ((*item.group, item.people, item.helped, item.share, item.low, item.high, item.target_pct, item.other_pct) for item in groups))
    done = " and ".join(intervention_names({"interventions": scenario.split("+")}))
    asked = f"more than {values.less:g} % less {values.target} {values.measure.replace('_', ' ')}, no more than {values.more:g} % more {values.other}"
    draw_shares(folder / "answer.png", [(_group(item.group), item.people, item.share, item.low, item.high) for item in groups],
                title=f"Who benefits from {done}" + (f", by {' and '.join(column_words(column.name).inside for column in by)}" if by else ""),
                axis="Share of people (%)", note=f"Benefit: {asked}. {_left_out(rows)}", by=_by([column.name for column in by]))
    print_answer((_last(names), "people", "share %", "95 %", f"{values.target} change %", f"{values.other} change %"),
                 [(_group(item.group), str(item.people), f"{100 * item.share:.1f}", f"{100 * item.low:.1f} to {100 * item.high:.1f}", f"{item.target_pct:+.1f}", f"{item.other_pct:+.1f}")
                  for item in groups], title=f"{scenario}: {asked}", notes=_notes(table, rows), folder=folder)


def _by(names: Sequence[str]) -> str:
    from kneeload.views.column_wording import column_words

    return ", ".join(column_words(name).label for name in names)


def _last(names: Sequence[str]) -> str:
    return ", ".join(name.rpartition(".")[2] for name in names)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"


def _group(labels: Sequence[str]) -> str:
    return "all" if set(labels) == {"all"} else ", ".join(labels)


def _list(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


def _scenario(table: KneeTable, given: str | None) -> str | None:
    """The scenario that is asked: the given one, or people as they are where a population has several."""
    return given or ("none" if "scenario" in table.columns else None)


def _only_intervention(table: KneeTable) -> str:
    found: set[str] = set()
    if table.scenarios is not None:
        for part in table.parts([table.scenarios]):
            found |= {name for name in part[table.scenarios].tolist() if isinstance(name, str)}
    found.discard("none")
    if len(found) != 1:
        raise UsageError("Name the intervention that is asked about with --scenario" + (": " + ", ".join(sorted(found)) if found else "; this table has none") + ".")
    return found.pop()


def _somebody(there: bool) -> None:
    if not there:
        raise UsageError("Nobody in this table has all the numbers that the question needs.")


def _unit(name: str) -> str:
    from kneeload.population.sensitivity_files import unit_of

    unit = unit_of(name)
    return f" ({unit})" if unit else ""


def _left_out(rows: Taken) -> str:
    people = len(rows.values[0])
    said = [f"{count:,} {words}" for count, words in ((rows.failed, "failed"), (rows.missing, "without a number")) if count]
    return f"{people:,} people" + (f"; left out: {', '.join(said)}." if said else ".")


def _notes(table: KneeTable, rows: Taken) -> list[str]:
    unfinished = table.warning()
    return [_left_out(rows), *([unfinished] if unfinished else [])]
