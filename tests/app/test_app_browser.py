"""The page in a real browser: open, change, read, play, save, open what was saved; two tabs; nothing leaves the machine."""

from __future__ import annotations

import asyncio
import io
import json
import os
import shutil
import statistics
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from kneeload.consultation import KneeEngine
from kneeload.views.app.page import Page
from kneeload.views.app.serving import Serving

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright (PyPI) is not installed")
CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium)")
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-extensions"]
SIZES = [(1280, 800), (1024, 768)]
PATIENCE_MS = 60_000
READING: dict[str, list[float]] = {"shown": [], "drawn": []}


def slack() -> float:
    """Other work on the machine takes its share: limits grow with the load per core."""
    return max(1.0, 1.5 * os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A page that is served from a thread of this process, warm."""
    engine = KneeEngine()
    engine.warm()
    made, loop, ready = Serving(engine, grace_s=1.0), asyncio.new_event_loop(), threading.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(made.start())
        loop.call_later(1.0, ready.set)
        loop.run_forever()

    patched = pytest.MonkeyPatch()
    for name, kind in (("_show", "shown"), ("drawn", "drawn")):
        patched.setattr(Page, name, _timed(getattr(Page, name), READING[kind]))
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(30.0)
    yield made
    asyncio.run_coroutine_threadsafe(made.stop(), loop).result(20.0)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10.0)
    patched.undo()


def _timed(call: Any, kept: list[float]) -> Any:
    def timed(*args: Any, **words: Any) -> Any:
        result = call(*args, **words)
        kept.append(time.perf_counter())
        return result

    return timed


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots are kept: KNEELOAD_SCREENSHOTS, else below pytest's folder."""
    folder = Path(os.environ["KNEELOAD_SCREENSHOTS"]) if os.environ.get("KNEELOAD_SCREENSHOTS") else tmp_path_factory.mktemp("screens")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Visit:
    """A tab with what it asked for and what went wrong in it."""

    def __init__(self, browser: Any, size: tuple[int, int]) -> None:
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, accept_downloads=True)
        self.page, self.asked, self.wrong = self.context.new_page(), [], []
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.page.on("websocket", lambda socket: self.asked.append(socket.url))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda message: self.wrong.append(message.text) if message.type == "error" else None)

    def open(self, address: str) -> float:
        """Open the page and return the seconds until the first picture is seen."""
        began = time.perf_counter()
        self.page.goto(address)
        self.page.wait_for_selector("#story p", state="attached", timeout=PATIENCE_MS)
        while self.coloured() < 0.02:
            assert time.perf_counter() - began < PATIENCE_MS / 1000.0, "no picture"
            self.page.wait_for_timeout(50)
        return time.perf_counter() - began

    def coloured(self) -> float:
        """Share of the 3D view that is not white."""
        return float((self.picture().min(axis=2) < 235).mean())

    def picture(self) -> np.ndarray[Any, Any]:
        """What the 3D view shows."""
        return np.asarray(Image.open(io.BytesIO(self.page.locator(".kl-view").screenshot())).convert("RGB"))

    def story(self) -> str:
        """The plain words."""
        return str(self.page.inner_text("#story"))

    def until_story(self, *words: str) -> str:
        """Wait until the plain words hold all of some."""
        self.page.wait_for_function("words => words.every((w) => document.querySelector('#story').innerText.includes(w))", arg=list(words), timeout=PATIENCE_MS)
        return self.story()

    def open_panel(self, title: str) -> None:
        """Open a group of inputs."""
        self.page.get_by_role("button", name=title).click()
        self.page.wait_for_timeout(400)

    def choose(self, field: str, words: str) -> None:
        """Choose from a list."""
        self.page.locator(f"#in_{field}").click(force=True)
        self.page.get_by_role("option", name=words).click()

    def save(self, kind: str) -> tuple[str, bytes]:
        """Save a file through the page."""
        self.page.click("#save")
        with self.page.expect_download(timeout=3 * PATIENCE_MS) as found:
            self.page.click(f"#save_{kind}")
        return found.value.suggested_filename, Path(found.value.path()).read_bytes()


@pytest.fixture
def visit(browser: Any) -> Iterator[Any]:
    made: list[Visit] = []

    def new(size: tuple[int, int] = SIZES[0]) -> Visit:
        made.append(Visit(browser, size))
        return made[-1]

    yield new
    for item in made:
        item.context.close()
        assert item.wrong == []
        assert {urlsplit(url).hostname for url in item.asked if urlsplit(url).scheme in ("http", "https", "ws", "wss")} <= {"127.0.0.1"}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_the_page_opens_soon_and_fits(visit: Any, serving: Serving, screens: Path, size: tuple[int, int], record_testsuite_property: Any) -> None:
    tab = visit(size)
    seconds = tab.open(serving.address)
    record_testsuite_property(f"first_picture_s_{size[0]}", seconds)
    tab.until_story("new bone marrow lesion")
    tab.page.screenshot(path=screens / f"open_{size[0]}.png")
    assert seconds < 2.0 * 5.0 * slack()  # the goal is 5 s (4.4 to 5.0 on an idle machine); twice that leaves room for slow hours of a shared one
    tab.open_panel("Person")
    tab.open_panel("What would help?")
    tab.page.locator("#use_unloader_brace").check()
    tab.until_story("With an unloader brace")
    tab.page.wait_for_timeout(1500)
    tab.page.screenshot(path=screens / f"brace_{size[0]}.png")
    assert tab.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth && document.documentElement.scrollHeight <= window.innerHeight")
    boxes = [tab.page.locator(name).bounding_box() for name in (".kl-in", ".kl-view", ".kl-out", "#disclaimer", "header")]
    for k, a in enumerate(boxes):
        assert a["width"] > 0 and a["height"] > 20 and a["x"] >= 0 and a["x"] + a["width"] <= size[0] + 1 and a["y"] + a["height"] <= size[1] + 1
        for b in boxes[k + 1:]:
            assert a["x"] + a["width"] <= b["x"] + 1 or b["x"] + b["width"] <= a["x"] + 1 or a["y"] + a["height"] <= b["y"] + 1 or b["y"] + b["height"] <= a["y"] + 1
    assert "not a diagnosis" in tab.page.inner_text("#disclaimer")
    assert tab.page.evaluate("[...document.querySelectorAll('.kl-in, .kl-see, .kl-text')].every((e) => e.scrollWidth <= e.clientWidth)")


def test_change_read_play_and_save(visit: Any, serving: Serving, screens: Path) -> None:
    tab = visit()
    tab.open(serving.address)
    before = tab.until_story("2,003 N")
    tab.page.locator("#in_body_mass_kg").fill("100")
    tab.page.wait_for_function("old => document.querySelector('#story').innerText !== old", arg=before, timeout=PATIENCE_MS)
    assert "2,003 N" not in tab.story()
    tab.open_panel("Person")
    tab.open_panel("What would help?")
    tab.page.locator("#use_unloader_brace").check()
    tab.until_story("With an unloader brace the peak force falls", "on the medial (inner) side")
    assert [tab.page.locator(".kl-title").nth(k).inner_text() for k in range(3)] == ["Before", "After", "Difference"]
    tab.until_story("the range of most people")
    still = tab.picture()
    tab.page.click("#play")
    tab.page.wait_for_timeout(2500)
    tab.page.click("#play")
    tab.page.wait_for_timeout(1000)
    assert (np.abs(tab.picture().astype(int) - still).max(axis=2) > 40).mean() > 0.005
    name, report = tab.save("html")
    assert name == "kneeload_report.html"
    path = screens / name
    path.write_bytes(report)
    saved = visit()
    saved.page.goto(path.as_uri())
    assert "unloader brace" in saved.page.inner_text("body").lower() and "not a diagnosis" in saved.page.inner_text("body").lower()
    saved.page.screenshot(path=screens / "saved_report.png")
    name, tables = tab.save("csv")
    assert "waveforms.csv" in zipfile.ZipFile(io.BytesIO(tables)).namelist()
    name, numbers = tab.save("json")
    assert json.loads(numbers)["subject"]["body_mass_kg"] == 100.0


def test_an_impossible_number_is_refused_at_its_field_and_the_page_lives_on(visit: Any, serving: Serving, screens: Path) -> None:
    tab = visit()
    tab.open(serving.address)
    tab.page.locator("#in_body_mass_kg").fill("1000")
    tab.page.wait_for_selector("#wrong_body_mass_kg")
    words = tab.page.inner_text("#wrong_body_mass_kg")
    assert "body mass (subject.body_mass_kg) is 1000.0, but must be a number from 20 to 300 kg" in words
    tab.page.screenshot(path=screens / "refused.png")
    tab.page.locator("#in_body_mass_kg").fill("60")
    tab.page.wait_for_selector("#wrong_body_mass_kg", state="detached")
    tab.page.wait_for_function("!document.querySelector('#story').innerText.includes('2,003 N')", timeout=PATIENCE_MS)


def test_a_failing_solve_is_told_and_the_page_lives_on(visit: Any, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    from kneeload.errors import ConvergenceError

    tab = visit()
    tab.open(serving.address)
    with monkeypatch.context() as broken:
        broken.setattr(KneeEngine, "quick", lambda *_: (_ for _ in ()).throw(ConvergenceError("The tibiofemoral contact has no equilibrium in 3 frames.")))
        tab.page.locator("#in_body_mass_kg").fill("77")
        tab.page.wait_for_selector("#failure")
        assert "no equilibrium in 3 frames" in tab.page.inner_text("#failure")
    tab.page.locator("#in_body_mass_kg").fill("78")
    tab.page.wait_for_selector("#failure", state="detached", timeout=PATIENCE_MS)


def test_two_tabs_do_not_disturb_each_other(visit: Any, serving: Serving) -> None:
    one, two = visit(), visit()
    one.open(serving.address)
    two.open(serving.address)
    old = two.until_story("2,003 N")
    one.page.locator("#in_body_mass_kg").fill("120")
    one.page.wait_for_function("!document.querySelector('#story').innerText.includes('2,003 N')", timeout=PATIENCE_MS)
    assert "2,003 N" in two.story() and old.splitlines()[0] == two.story().splitlines()[0]
    assert two.page.locator("#in_body_mass_kg").input_value() == "80"


def test_a_reload_keeps_the_inputs(visit: Any, serving: Serving) -> None:
    tab = visit()
    tab.open(serving.address)
    tab.page.locator("#in_body_mass_kg").fill("93")
    tab.page.wait_for_function("!document.querySelector('#story').innerText.includes('2,003 N')", timeout=PATIENCE_MS)
    assert tab.open(tab.page.url) > 0.0
    assert tab.page.locator("#in_body_mass_kg").input_value() == "93"


def test_the_keyboard_reaches_every_input(visit: Any, serving: Serving) -> None:
    tab = visit()
    tab.open(serving.address)
    seen = set()
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        seen.add(tab.page.evaluate("(() => { const e = document.activeElement; return e.id || e.closest('[id]')?.id || ''; })()"))
    assert {"in_sex", "in_body_mass_kg", "in_height_m", "in_activity", "in_quantity", "in_look", "see_thigh", "play", "save", "tab_words"} <= seen
    tab.page.locator("#in_body_mass_kg").focus()
    tab.page.keyboard.press("ArrowUp")
    tab.page.wait_for_function("document.querySelector('#in_body_mass_kg').value === '81'")


def test_a_slider_gives_a_picture_soon(visit: Any, serving: Serving, record_testsuite_property: Any) -> None:
    tab = visit()
    tab.open(serving.address)
    tab.until_story("Ten kilograms less")
    thumb, times = tab.page.locator("#slide_body_mass_kg").locator("xpath=ancestor-or-self::*[contains(@class,'v-slider')][1]").get_by_role("slider"), []
    for _ in range(9):
        thumb.focus()
        began = time.perf_counter()
        tab.page.keyboard.press("ArrowRight")
        times.append(_until_drawn(tab, began) - began)
        tab.page.wait_for_timeout(250)
    triangles = next(iter(serving.doors.tabs.values()))[-1].page.view.triangles()
    record_testsuite_property("slider_to_picture_s", times)
    assert 30_000 <= triangles <= 50_000
    assert statistics.median(times) < 0.7 * slack()


def _until_drawn(tab: Visit, began: float) -> float:
    while True:
        shown = next((moment for moment in READING["shown"] if moment > began), None)
        drawn = None if shown is None else next((moment for moment in READING["drawn"] if moment > shown), None)
        if drawn is not None:
            return drawn
        assert time.perf_counter() - began < 30.0, "the picture did not follow"
        tab.page.wait_for_timeout(10)


def test_uploads_are_refused_with_a_reason(visit: Any, serving: Serving) -> None:
    tab = visit()
    tab.open(serving.address)
    tab.open_panel("Files")
    tab.page.locator("#recording_file").set_input_files({"name": "<b>gait</b>.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"})
    tab.page.wait_for_function("[...document.querySelectorAll('.kl-wrong')].some((e) => e.innerText.includes('must be'))", timeout=PATIENCE_MS)
    assert tab.page.evaluate("document.querySelectorAll('.kl-wrong b').length") == 0
