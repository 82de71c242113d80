"""report.html: whole, safe, reachable by everyone."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kneeload.views.report import write_report

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
VOID = {"meta", "img", "br", "link", "input"}


class _Page(HTMLParser):
    """Tags with their attributes, the plain text, and whether every tag was closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words, self.open = "", []  # type: ignore[var-annotated]
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words += data + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, Path]:
    for name in ("stress", "forces"):
        (tmp_path / f"{name}.png").write_bytes(PNG)
    return {name: tmp_path / f"{name}.png" for name in ("stress", "forces")}


def _page(path: Path) -> tuple[str, _Page]:
    text = path.read_text(encoding="utf-8")
    page = _Page(text)
    assert page.open == []
    return text, page


def test_the_page_needs_nothing_from_outside(summary: dict[str, Any], pictures: dict[str, Path], tmp_path: Path) -> None:
    text, page = _page(write_report(tmp_path / "report.html", summary, **pictures))
    assert not page.all("script") and not page.all("link") and not page.all("iframe") and "@import" not in text and "url(" not in text
    assert not re.search(r"""(?:src|href|action)\s*=\s*["'](?!data:)""", text)
    images = page.all("img")
    assert len(images) == 2 and all(base64.b64decode(str(image["src"]).partition(",")[2]) == PNG for image in images)


def test_input_is_escaped(summary: dict[str, Any], tmp_path: Path) -> None:
    attack = '<script>alert("x")</script><img src=x onerror=alert(1)>'
    summary["subject"]["note"] = attack
    summary["activity"] = attack
    summary["interventions"] = [attack]
    summary["provenance"] = {"motion_source": attack, "sources": [attack], "files": {attack: attack}}
    summary["bone"]["regions"][attack] = {"peak_stress_mpa": 1.0, "daily_dose_mpa_s": 1e9}
    text, page = _page(write_report(tmp_path / "report.html", summary, notes=[attack]))
    assert not page.all("script") and not page.all("img") and "<script" not in text and "&lt;script&gt;" in text
    assert page.words.count("alert(") >= 10


def test_it_says_what_a_person_needs_to_know(summary: dict[str, Any], pictures: dict[str, Path], tmp_path: Path) -> None:
    _, page = _page(write_report(tmp_path / "report.html", summary, **pictures, notes=["Flat maps."]))
    words = " ".join(page.words.split())
    assert words.count("Information only, not a diagnosis.") == 2 and words.index("Information only") < 250
    for part in ("man, 80 kg, 1.72 m, right knee, walking, with an unloader brace and toe-in gait", "1,421", "1.81", "45 %", "▼ falls 9.1 %", "▲ rises 12.3 %",
                 "Tibia, subspinous", "0.4–3.1 %", "Flat maps.", "doi 10.1016/j.joca.2011.05.004", "What this model cannot tell", "Body mass", "80 kg", "root tear"):
        assert part in words, part


def test_it_can_be_read_with_a_screen_reader_on_a_phone_and_on_paper(summary: dict[str, Any], pictures: dict[str, Path], tmp_path: Path) -> None:
    text, page = _page(write_report(tmp_path / "report.html", summary, **pictures))
    assert page.all("html")[0]["lang"] == "en" and "width=device-width" in str(page.all("meta")) and "size: A4" in text
    assert all(len(str(image["alt"])) > 40 for image in page.all("img"))
    assert all(head.get("scope") in ("col", "row") for head in page.all("th"))
    assert len(page.all("h1")) == 1
    names = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    for _, attrs in page.tags:
        for key in ("aria-labelledby", "aria-describedby"):
            assert attrs.get(key) is None or attrs[key] in names, attrs
    assert all(table.get("aria-labelledby") for table in page.all("table"))
    rows = re.findall(r"<tr.*?</tr>", text, flags=re.S)
    regions = [row for row in rows if "Tibia," in row]
    assert len(regions) == 7 and {len(re.findall(r"<t[hd]", row)) for row in regions} == {7}


def test_parts_that_were_not_computed_are_left_out(summary: dict[str, Any], tmp_path: Path) -> None:
    summary.update({"contact": None, "bone": None, "lesion": None, "pain": None, "change": None, "interventions": [], "provenance": {}})
    _, page = _page(write_report(tmp_path / "report.html", summary))
    assert not any(word in page.words for word in ("Peak pressure", "Region", "Load-related pain", "What changes", "Pictures", "None", "nan"))
    assert "1,421" in page.words


def test_it_shows_what_may_follow(measured_summary: dict[str, Any], tmp_path: Path) -> None:
    files = {}
    for name in ("stress", "forces", "zones", "course"):
        files[name] = tmp_path / f"{name}.png"
        files[name].write_bytes(PNG)
    text, page = _page(write_report(tmp_path / "report.html", measured_summary, **files))
    words = " ".join(page.words.split())
    for heading in ("The full picture", "Where bone carries too much", "How lesions may go on", "The measured lesions", "New lesions", "Load-related pain",
                    "What is known about drugs, markers and procedures", "How it was computed"):
        assert heading in words, heading
    for said in ("A specialist should look A lesion with attrition and a cyst", "Please note The grade alone misses them.", "2: mild signs", "1 region of 15, 2.0 cm³ together",
                 "Tibia, central medial the middle of the inner side of the shin bone 40 % 2.0 0.0 to 2.4 2 2 walking 70 %, standing 25 %",
                 "6 months 10 % 35 % 35 % 20 % 1.5 0.1 to 4.2", "24 months 24 % 12 to 36 % 24 % (12 to 36 %)", "Zoledronate drug transient", "hazard ratio 4.2",
                 "1.4 to 5.7 %", "Pain at rest is not driven by load", "odds of pain with a lesion and attrition were 2.22 times", "no advice on treatment", "doi 10/x"):
        assert said in words, said
    assert len(page.all("img")) == 4 and words.index("A specialist should look") < words.index("Please note") < words.index("Where bone carries too much")
    assert words.count("Information only, not a diagnosis.") == 2
    assert not page.all("script") and not re.search(r"""(?:src|href|action)\s*=\s*["'](?!data:)""", text) and "http" not in text


def test_without_measured_lesions_only_new_ones_are_told(unmeasured_summary: dict[str, Any], tmp_path: Path) -> None:
    _, page = _page(write_report(tmp_path / "report.html", unmeasured_summary))
    words = " ".join(page.words.split())
    assert "No lesion was measured in this knee, so only new ones are followed." in words and "The measured lesions" not in words and "A specialist should look" not in words
    assert "not measured" in words and "odds of pain" not in words and "None" not in words and "nan" not in words.replace("nance", "")


def test_what_may_follow_is_escaped(measured_summary: dict[str, Any], tmp_path: Path) -> None:
    attack = '<script>alert("x")</script>'
    regions = measured_summary["lesion"]["regions"]
    regions[attack] = {**regions["tibia_central_medial"], "zone_share": 0.9, "zone_activities": {attack: 1.0}}
    measured_summary["panel"]["flags"][0].update({"sentence": attack, "source": attack, "code": attack})
    measured_summary["panel"].update({"overloaded": {attack: 0.9}, "disclaimer": attack})
    measured_summary["course"]["with_interventions"]["milestones"][0]["lesions"][attack] = regions[attack] | {"volume_mm3": 1.0}
    measured_summary["course"].update({"measured_regions": [attack], "modifiers": [attack]})
    text, page = _page(write_report(tmp_path / "report.html", measured_summary))
    assert not page.all("script") and "<script" not in text and page.words.count("alert(") >= 10


def test_a_recording_with_measured_forces_is_compared(summary: dict[str, Any], tmp_path: Path) -> None:
    assert "Against the measured" not in write_report(tmp_path / "without.html", summary).read_text(encoding="utf-8")
    summary["agreement"] = {"medial_rms_n": 141.6, "medial_r2": 0.81, "lateral_rms_n": 130.0, "lateral_r2": -0.2, "total_rms_n": 155.0, "total_r2": 0.9}
    _, page = _page(write_report(tmp_path / "report.html", summary))
    words = " ".join(page.words.split())
    assert "Medial 142 0.81 Lateral 130 -0.20 Total 155 0.90" in words


def test_a_failed_run_says_why(tmp_path: Path) -> None:
    failed = {"version": "0.1.0", "status": "failed", "error": "body mass (subject.body_mass_kg) is -3.", "subject": None, "activity": None, "interventions": None,
              "loads": None, "contact": None, "bone": None, "lesion": None, "pain": None, "change": None, "timing": None, "provenance": None}
    _, page = _page(write_report(tmp_path / "report.html", failed))
    assert "This run failed" in page.words and "body mass (subject.body_mass_kg) is -3." in page.words and "None" not in page.words
