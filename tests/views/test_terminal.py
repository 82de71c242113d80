"""The terminal table: complete and within 80 columns."""

from __future__ import annotations

import io
from typing import Any

from kneeload.views.terminal import print_summary


def _printed(summary: dict[str, Any], width: int = 80, **keywords: Any) -> str:
    from rich.console import Console

    stream = io.StringIO()
    print_summary(summary, Console(file=stream, width=width), **keywords)
    return stream.getvalue()


def test_everything_fits_into_80_columns_uncut(summary: dict[str, Any]) -> None:
    for name in ("risk_24mo", "risk_24mo_low", "risk_24mo_high"):  # the widest that can come
        for region in summary["lesion"]["regions"].values():
            region[name] = 0.999
    for region in summary["bone"]["regions"].values():
        region["daily_dose_mpa_s"] = 123456.0
    text = _printed(summary)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    for part in ("Medial (inner)", "1,421", "1.81", "45 %", "Medial + lateral", "▼ falls 9.1 %", "▲ rises 12.3 %", "no change", "123,456", "99.9–99.9 %", "Information only, not a diagnosis."):
        assert part in text, part
    assert sum(line.startswith(" 9") or "99.9 %" in line for line in text.splitlines()) == 5


def test_the_regions_with_the_highest_dose_come_first(summary: dict[str, Any]) -> None:
    lines = _printed(summary).splitlines()
    doses = [line for line in lines if line.strip().startswith(("Tibia,", "Femur,", "Kneecap,"))]
    assert [line.split("  ")[0].strip() for line in doses] == [
        "Tibia, subspinous", "Tibia, posterior lateral", "Tibia, posterior medial", "Tibia, central lateral", "Tibia, central medial"]


def test_a_path_is_never_broken_and_notes_are_printed_as_they_are(summary: dict[str, Any]) -> None:
    folder = "/a/rather/long/folder" * 6 + "/runs/2026-01-01_00-00-00.000000"
    text = _printed(summary, folder=folder, notes=["[bold]3D[/bold] is off"])
    assert f"Files: {folder}\n" in text and "Note: [bold]3D[/bold] is off" in text


def test_what_may_follow_takes_at_most_four_lines(measured_summary: dict[str, Any]) -> None:
    lines = _printed(measured_summary, folder="/run").splitlines()
    assert lines[-5:] == ["Any new lesion within 24 months: about 24 % (12 to 36 %)", "A specialist should look: lesion with attrition and cyst",
                          "Please note: radiograph misses lesions", "Files: /run", "Information only, not a diagnosis."]
    assert max(len(line) for line in lines) <= 80


def test_a_recording_with_measured_forces_is_compared(summary: dict[str, Any]) -> None:
    assert "Against the measured" not in _printed(summary)
    summary["agreement"] = {"medial_rms_n": 141.6, "medial_r2": 0.81}
    assert "142" in _printed(summary).partition("Against the measured forces")[2]


def test_the_load_level_and_a_failed_run(summary: dict[str, Any]) -> None:
    summary.update({"contact": None, "bone": None, "lesion": None, "change": None})
    assert "MPa" not in _printed(summary) and "1,421" in _printed(summary)
    failed = _printed({**dict.fromkeys(summary), "status": "failed", "error": "Something [is] wrong."})
    assert "Something [is] wrong." in failed and "Load by compartment" not in failed and "not a diagnosis" in failed
