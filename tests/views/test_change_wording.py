"""Changes with the range of most people, in words."""

from __future__ import annotations

import io
from typing import Any

import pytest

from kneeload.views import wording
from kneeload.views.report import write_report
from kneeload.views.terminal import print_summary


@pytest.fixture
def ranged(summary: dict[str, Any]) -> dict[str, Any]:
    def row(value: float, low: float, high: float) -> dict[str, float]:
        return {f"{name}_pct{end}": item for name in ("peak_force", "impulse", "peak_pressure", "peak_bone_stress", "daily_dose", "risk")
                for end, item in (("", value), ("_low", low), ("_high", high))}

    summary["change"] = {
        "medial": row(-11.2, -16.1, -6.4), "lateral": row(12.3, 3.0, 123.4), "patellofemoral": row(-0.3, -9.2, 9.3),
        "kam": {f"{name}_pct{end}": value for name in ("peak", "first_peak", "second_peak", "impulse") for end, value in (("", -8.6), ("_low", -49.6), ("_high", 18.4))},
        "knee": {"risk_pct": -12.0, "risk_pct_low": -41.0, "risk_pct_high": 0.0}, "pain": {"walking": {"relative": 0.99, "low": 0.95, "high": 1.0}},
        "evidence": [{"name": "unloader_brace", "sentence": "What is said about lesions is an extrapolation from load."}], "spread": {"sources": ["gait"], "missing": []},
    }
    return summary


@pytest.mark.parametrize(("value", "low", "high", "words"), [
    (-11.2, -16.1, -6.4, "-11 % (-16 to -6)"), (5.5, 2.25, 7.75, "+5.5 % (+2.2 to +7.8)"), (-0.3, -9.2, 9.3, "-0.3 % (-9.2 to +9.3)"), (-12.0, -41.0, 0.0, "-12 % (-41 to 0)"),
    (-0.04, -0.03, 0.02, "0.0 % (0.0 to 0.0)"), (-3.0, None, None, "-3.0 %"),
])
def test_a_change_and_its_range(value: float, low: float | None, high: float | None, words: str) -> None:
    assert wording.change_text(value, low, high) == words


def test_a_range_over_both_signs_neither_falls_nor_rises(ranged: dict[str, Any]) -> None:
    kinds = {row["key"]: {kind for kind, _ in row["cells"]} for row in wording.change_rows(ranged)}
    assert kinds == {"medial": {"falls"}, "lateral": {"rises"}, "patellofemoral": {"open"}}
    assert wording.change_summary_rows(ranged)[2].startswith("Patellofemoral (kneecap): falls in some people and rises in others: peak force, impulse")
    assert "falls by 11 % (-16 to -6) on the medial (inner) side" in " ".join(wording.in_short(ranged))


def test_the_terminal_keeps_each_change_on_one_line_of_80_columns(ranged: dict[str, Any]) -> None:
    from rich.console import Console

    stream = io.StringIO()
    print_summary(ranged, Console(file=stream, width=80))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    (force,) = [line for line in lines if line.strip().startswith("Peak force, %")]
    assert all(part in force for part in ("-11 (-16 to -6)", "+12 (+3 to +123)", "-0.3 (-9.2 to +9.3)"))
    assert "Knee adduction moment, first peak: -9 % (-50 to +18)" in lines


def test_the_report_tells_ranges_and_marks_what_is_extrapolated(ranged: dict[str, Any], tmp_path: Any) -> None:
    page = write_report(tmp_path / "report.html", ranged).read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    for words in ("▼ -11 % (-16 to -6)", "◆ -0.3 % (-9.2 to +9.3)", "In the knee as a whole", "Any new lesion within 24 months", "-12 % (-41 to 0)", "Load-related pain, walking",
                  "-1.0 % (-5.0 to 0.0)"):
        assert words in page, words
    assert page.count("an extrapolation from load") == 1
