"""report.html in a real browser, from disk: no request to anybody, a knee that is drawn, buttons that work."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kneeload.views.report import write_report
from kneeload.views.scene import Scene
from kneeload.views.solid import build_solid

OPTIONS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run", "--disable-background-networking",
           "--disable-component-update", "--disable-sync"]
MOST_BYTES = 6_000_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=OPTIONS)
        yield opened
        opened.close()


@pytest.fixture
def report(make_scene: Callable[..., Scene], summary: dict[str, Any], tmp_path: Path) -> Path:
    return _report(make_scene(), summary, tmp_path)


def _report(scene: Scene, summary: dict[str, Any], folder: Path, **words: Any) -> Path:
    less = replace(scene, contact=replace(scene.contact, fields=tuple(replace(field, pressure=0.7 * field.pressure) for field in scene.contact.fields)))
    return write_report(folder / "report.html", summary, solid=build_solid(less, before=scene, **words))


def _open(browser: Any, path: Path, width: int = 1280, height: int = 800) -> tuple[Any, list[str], list[str]]:
    page, asked, problems = browser.new_page(viewport={"width": width, "height": height}), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    page.wait_for_selector("html[data-solid=ready]", timeout=60_000)
    return page, asked, problems


def _picture(page: Any) -> np.ndarray:
    page.wait_for_timeout(400)
    return np.asarray(Image.open(io.BytesIO(page.locator(".solid-frame").screenshot())).convert("RGB")).astype(int)


def test_it_opens_from_disk_without_asking_anybody(browser: Any, report: Path) -> None:
    page, asked, problems = _open(browser, report)
    picture = _picture(page)
    page.close()
    assert asked == [report.as_uri()] and problems == []
    drawn = (np.abs(picture - 255).max(axis=2) > 12).mean()
    assert drawn > 0.05 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 500


def test_colours_views_and_bones_can_be_chosen(browser: Any, report: Path) -> None:
    page, _, problems = _open(browser, report)
    first = _picture(page)
    page.click("[data-preset=above]")
    above = _picture(page)
    assert not page.is_checked("[data-group=femur]") and page.is_checked("[data-group=tibia]")
    page.select_option("#solid-map", "change")
    changed = _picture(page)
    title, ticks = page.inner_text("#solid-title"), page.inner_text("#solid-ticks").split()
    page.uncheck("[data-group=tibia]")
    page.uncheck("[data-group=menisci]")
    empty = _picture(page)
    page.check("[data-group=tibia]")
    page.focus("#solid-stage")
    still = _picture(page)
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    turned = _picture(page)
    page.close()
    assert problems == [] and "(MPa)" in title and ticks[0].startswith("\N{MINUS SIGN}") and ticks[2] == "0"
    for one, other in ((first, above), (above, changed), (changed, empty), (still, turned)):
        assert (np.abs(one - other).max(axis=2) > 25).mean() > 0.002


@pytest.mark.parametrize("side", ["right", "left"])
def test_medial_stands_on_the_side_of_the_medial_plateau(browser: Any, side: str, make_scene: Callable[..., Scene], summary: dict[str, Any], tmp_path: Path) -> None:
    page, _, _ = _open(browser, _report(make_scene(side=side), summary, tmp_path))
    page.click("[data-preset=above]")
    page.wait_for_timeout(400)
    places = {word: page.locator("#solid-words span", has_text=word).bounding_box() for word in ("Medial", "Lateral", "Front", "Back")}
    page.close()
    medial, lateral = places["Medial"]["x"], places["Lateral"]["x"]
    assert (medial > lateral) == (side == "right")  # from above with the back at the top, a right knee has its inner side on the right
    assert places["Back"]["y"] < places["Front"]["y"]


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768), (390, 844)])
def test_nothing_is_wider_than_the_page(browser: Any, report: Path, size: tuple[int, int]) -> None:
    page, _, _ = _open(browser, report, *size)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.close()
    assert wide <= 0


def test_hostile_words_are_words(browser: Any, make_scene: Callable[..., Scene], summary: dict[str, Any], tmp_path: Path) -> None:
    attack = '</script><script>document.title="taken"</script><img src=x onerror="document.title=1">'
    summary["activity"] = summary["subject"]["note"] = attack
    summary["interventions"] = [attack]
    path = _report(make_scene(subject=attack), summary, tmp_path, after_words=attack)
    page, asked, problems = _open(browser, path)
    page.select_option("#solid-map", "change")
    title, shown = page.title(), page.inner_text("#solid-title")
    page.close()
    assert "taken" not in title.split("report")[0] and attack in shown and asked == [path.as_uri()] and problems == []


class _Links(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.programs = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href", "action", "data", "poster", "srcset", "background")]
        self.programs += tag == "script"


def test_it_has_no_link_and_is_small(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    page = _Links(text)
    assert all(link.startswith("data:") for link in page.links) and page.programs == 4
    assert "@import" not in text and not re.search(r"url\((?!data:)", text) and not re.search(r"https?://", text)
    assert "default-src 'none'" in text and report.stat().st_size < MOST_BYTES
