"""The page of one tab: takes what is typed, asks the engine beside the event loop, and shows what comes back. The newest input wins."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from trame_server import Server

from kneeload.errors import KneeloadError
from kneeload.views.app import layout, painting, sentences
from kneeload.views.app.charts import force_svg, marker_left
from kneeload.views.app.contract import GENERAL, Answer, Engine, Refused, Uploads
from kneeload.views.app.knee_view import LOOKS, PIECES, KneeView
from kneeload.views.app.leg import leg_svg
from kneeload.views.palette import difference_rgb, pressure_rgb
from kneeload.views.scene import Scene, peak_frame

QUIET_S, SURE_S = 0.7, 1.5  # s without a new input before the whole day is computed, and s more before its intervals
_PLAY_STEP, _PLAY_S, _DRAW_LIMIT_S, _CYCLE_S = 2, 0.05, 1.0, 5.0  # frames at first, shortest time of a picture, longest wait for the browser, s per cycle
_UPLOADS = {"recording_file": "recording", "meshes_file": "meshes"}
_FRAMES_BY_PEAK = {"stair_ascent": "patellofemoral", "stair_descent": "patellofemoral", "squat": "patellofemoral", "chair_rise": "patellofemoral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """Where the engine runs: quick answers, and whole days and files, each in threads of their own."""

    quick: Executor
    slow: Executor


class Page:
    """The page of a tab.

    Args:
        server: its trame server.
        engine: what answers.
        workers: threads of all tabs.
    """

    def __init__(self, server: Server, engine: Engine, workers: Workers) -> None:
        self.server, self.engine, self.workers, self.state = server, engine, workers, server.state
        self.uploads = Uploads(Path(tempfile.mkdtemp(prefix="kneeload_tab_")))
        self.view, self._answer, self._question = KneeView(), None, None  # type: KneeView, Answer | None, Any
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted: Any = None
        self._running = self._closed = self._camera_due = False
        self._drawn = asyncio.Event()
        self._looked: tuple[Any, ...] = ()
        self._keys = [item.key for item in engine.fields] + [item.key for switch in engine.switches for item in switch.fields] + [switch.key for switch in engine.switches]
        self._set_up()
        self.widget = layout.build(server, engine, self.view, self)
        self._listen()

    def _set_up(self) -> None:
        seen = [f"see_{piece}" for piece in PIECES]
        plain = ["quantity", "look", "frame", "tab", "opened", "preset", "page_wide", "page_high", *seen]
        self.server.context.writable = {**dict.fromkeys([*self._keys, *plain], "input"), **dict.fromkeys(_UPLOADS, "upload")}
        self.state.update({"errors": {}, "failure": "", "status": "", "busy": False, "ready": False, "stage": 0, "playing": False, "titles": [], "scales": [], "story": [], "notes": [],
                           "chart": "", "chart_left": 0.0, "compartments": [], "regions": [], "pains": [], "leg": "", "preset": "", "compared": False, "page_wide": 1280, "page_high": 800, "trame__title": "kneeload"})

    def _listen(self) -> None:
        self.state.change(*self._keys)(self._typed)
        self.state.change("quantity", "look", "page_wide", "page_high", *(f"see_{piece}" for piece in PIECES))(self._restyle)
        self.state.change("frame")(self._moved)
        self.state.change(*_UPLOADS)(self._uploaded)
        self.server.trigger("export")(self.export)
        self.server.trigger("opened")(self._opened)

    def _opened(self, *_: Any) -> None:
        """A page was opened, perhaps once more: it gets the whole picture."""
        self._looked = ()
        if self._answer is None:
            self._typed()
        else:
            self._draw(full=True)

    # what is typed -------------------------------------------------------------------------------------------------------------------------------

    def _typed(self, **_: Any) -> None:
        values = {key: self.state[key] for key in self._keys}
        self.state.leg = leg_svg(self.engine.hka_deg(values), "left" if values.get("side") == "left" else "right")
        try:
            self._question = self.engine.ask(values, self.uploads)
        except Refused as refused:
            self.state.errors = {GENERAL: "", **refused.errors}
            self.state.status = "Not computed: see the marked input."
            self._wanted = None
            return
        if self.state.errors:
            self.state.errors = {}
        self._wanted = self._question
        self.state.busy, self.state.status = True, "Computing ..."
        if not self._running:
            self._start(self._work())

    def use_preset(self, name: str) -> None:
        """Fill the form with a person; interventions stay as they are."""
        chosen = next((values for key, _, values in self.engine.presets if key == name), None)
        if chosen is not None:
            self.state.update({item.key: chosen.get(item.key, item.start) for item in self.engine.fields} | {"preset": name})

    def _uploaded(self, **_: Any) -> None:
        for key, kind in _UPLOADS.items():
            given = self.state[key]
            files = [given] if isinstance(given, dict) else given or []
            files = [item for item in files if isinstance(item, dict)]
            if not files and getattr(self.uploads, kind) is None:
                continue
            if files and self.uploads.words.get(f"{kind}_id") == str(id(given)):
                continue
            try:
                self.engine.upload(kind, files, self.uploads)
                self.state.errors = {name: words for name, words in self.state.errors.items() if name != key}
                if kind == "recording":
                    self.state.activity = "recorded" if files else "walking"
                self._typed()
            except KneeloadError as problem:
                self.state.errors = {**self.state.errors, key: str(problem)}
            self.uploads.words[f"{kind}_id"] = str(id(given))

    # the engine ----------------------------------------------------------------------------------------------------------------------------------

    def _start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        """Answer until nothing is asked any more: quickly at once, the whole day when the inputs rest."""
        self._running = True
        try:
            while self._wanted is not None and not self._closed:
                asked, self._wanted = self._wanted, None
                if await self._ask(self.workers.quick, self.engine.quick, asked):
                    self._start(self._later(asked))
        finally:
            self._running = False

    async def _later(self, asked: Any) -> None:
        """The whole day at once when the inputs rest, then the same with its intervals."""
        await asyncio.sleep(QUIET_S)

        def wanted() -> bool:
            return asked is self._question and not self._closed

        for sure in (False, True):
            if sure:
                await asyncio.sleep(SURE_S)
            if not wanted():
                return
            await self._ask(self.workers.slow, lambda item, sure=sure: self.engine.whole(item, sure=sure, wanted=wanted) if wanted() else None, asked)  # type: ignore[misc]

    async def _ask(self, where: Executor, call: Callable[[Any], Answer | None], asked: Any) -> bool:
        """Show the answer to a question unless a newer one was asked; a failure is told and changes nothing else."""
        try:
            answer = await asyncio.get_running_loop().run_in_executor(where, call, asked)
            failure = ""
        except KneeloadError as problem:
            answer, failure = None, str(problem)
        except Exception as problem:  # a page must outlive whatever the engine runs into
            answer, failure = None, f"The computation failed ({type(problem).__name__}). Change an input or reload the page."
        if asked is not self._question or self._closed:
            return False
        with self.state:
            self.state.failure = failure
            self.state.busy = bool(self._wanted)
            self.state.status = "Not computed." if failure else ""
            if answer is not None:
                self._show(answer)
        return answer is not None

    # what is shown -------------------------------------------------------------------------------------------------------------------------------

    def _show(self, answer: Answer) -> None:
        first = self._answer is None or self._answer.summary.get("activity") != answer.summary.get("activity")
        self._answer = answer
        state, summary = self.state, answer.summary
        state.ready, state.stage = True, answer.stage
        state.story, state.notes = sentences.story(answer), list(summary.get("notes") or [])
        state.chart = force_svg(answer.curves, answer.curves_before, answer.scene.body_weight_n)
        state.compared = answer.before is not None
        state.compartments = sentences.compartment_table(answer)
        if answer.whole_day:
            state.regions, state.pains = sentences.region_table(answer), sentences.pain_table(answer)
        if first and not state.playing:
            joint = _FRAMES_BY_PEAK.get(str(summary.get("activity")), "tibiofemoral")
            state.frame = round(100.0 * peak_frame(answer.scene, joint) / max(len(answer.scene.contact.femur_from_tibia) - 1, 1))  # type: ignore[arg-type]
        state.chart_left = marker_left(float(self._percent()))
        self._draw()

    def _percent(self) -> int:
        value = self.state.frame
        return int(min(max(value, 0), 100)) if isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value) else 0

    def _scenes(self) -> list[Scene]:
        assert self._answer is not None
        return [self._answer.scene] if self._answer.before is None else [self._answer.before, self._answer.scene]

    def _restyle(self, **_: Any) -> None:
        self._draw()

    def _moved(self, **_: Any) -> None:
        self.state.chart_left = marker_left(float(self._percent()))
        self._draw()

    def _draw(self, full: bool = False) -> None:
        """Bring the 3D picture up to date and send what changed."""
        if self._answer is None or self.server.protocol is None:
            return
        scenes = self._scenes()
        quantity: painting.Quantity = self.state.quantity if self.state.quantity in painting.QUANTITIES else "pressure"
        if quantity in ("dose", "risk") and not self._answer.whole_day:
            self.state.status = "The whole day follows ..."
        look = LOOKS.get(str(self.state.look), LOOKS["parted"])
        hidden = tuple(name for piece, names in PIECES.items() if self.state[f"see_{piece}"] is False for name in names)
        frame = round(self._percent() * (len(scenes[0].contact.femur_from_tibia) - 1) / 100)
        count = 3 if len(scenes) == 2 else 1
        if count != self.view.count:
            self.view.arrange(count)
            full = True
        limit = painting.scale_end(quantity, max(painting.highest(scene, quantity) for scene in scenes))
        self.view.show(scenes, quantity, frame, look, limit=limit, change_limit=limit / 4.0, hidden=hidden)
        looked = (self.state.look, scenes[0].side, count, self._aspect())
        moved = looked != self._looked
        if moved:
            self._looked = looked
            self.view.look(look, scenes[0].side, self._aspect())
            self._words(quantity, limit, count)
        elif self.state.scales and (self.state.scales[0]["end"], self.state.scales[0]["key"]) != (limit, quantity):
            self._words(quantity, limit, count)
        self._send(full or moved)

    def _aspect(self) -> float:
        """Width over height of the view, as the style sheet makes it of the window."""
        wide, high = (float(value) if isinstance(value, (int, float)) and 300 <= value <= 10000 else usual for value, usual in ((self.state.page_wide, 1280.0), (self.state.page_high, 800.0)))
        room = high - layout.FRAME_HIGH
        return max(wide - 690.0, 300.0) / max(room - 165.0, 150.0) if wide >= 1200.0 else max(wide - 292.0, 300.0) / max(0.66 * room - 150.0, 150.0)

    def _send(self, full: bool) -> None:
        self._drawn.clear()
        if full:
            self.widget.update()
            self._camera_due = True
            return
        scene = self.widget._helper.scene(self.view.window, new_state=False)
        self.server.protocol.publish("trame.vtk.delta", scene)

    def _words(self, quantity: painting.Quantity, limit: float, count: int) -> None:
        share = 100.0 / count
        self.state.titles = [{"words": words, "left": share * number, "width": share} for number, words in enumerate(("Before", "After", "Difference") if count == 3 else ())]
        unit, steps = painting.UNITS[quantity], np.linspace(0.0, 1.0, 9)
        scales = [{"key": quantity, "end": limit, "title": f"{painting.TITLES[quantity]}, {unit}", "colours": painting.gradient(pressure_rgb(limit * steps, limit)),
                   "ticks": [f"{limit * part:,.4g}" for part in (0.0, 0.25, 0.5, 0.75, 1.0)]}]
        if count == 3:
            end = limit / 4.0
            scales.append({"key": "change", "end": end, "title": f"Difference (after − before), {unit}", "colours": painting.gradient(difference_rgb(end * (2.0 * steps - 1.0), end)),
                           "ticks": [f"−{end:,.3g}", "0", f"+{end:,.3g}"]})
        self.state.scales = scales

    # playing -------------------------------------------------------------------------------------------------------------------------------------

    def drawn(self, *_: Any, **__: Any) -> None:
        """The browser has drawn the last picture; one that was new gets its camera now (earlier it would be lost)."""
        self._drawn.set()
        if self._camera_due:
            self._camera_due = False
            self.widget.push_camera()

    def step(self, *_: Any) -> None:
        """Play or stop."""
        self.state.playing = not self.state.playing and self._answer is not None
        if self.state.playing:
            self._start(self._play())

    async def _play(self) -> None:
        step = _PLAY_STEP
        while self.state.playing and not self._closed:
            began = time.monotonic()
            with self.state:
                self.state.frame = (self._percent() + step) % 101
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drawn.wait(), _DRAW_LIMIT_S)
            await asyncio.sleep(max(_PLAY_S - (time.monotonic() - began), 0.005))
            step = int(min(max(round(100.0 * (time.monotonic() - began) / _CYCLE_S), 1), 10))  # slow browsers skip frames, the cycle takes as long

    # files ---------------------------------------------------------------------------------------------------------------------------------------

    async def export(self, kind: Any = None) -> dict[str, Any] | None:
        """Make a file for the browser; a failure is told on the page."""
        if self._question is None or self._answer is None or self.state.errors:
            return None
        self._say(f"Making the file ({str(kind)[:5]}) ...", busy=True)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self.workers.slow, self.engine.export, self._question, str(kind)[:10])
        except Exception as problem:
            self._say("", busy=False, failure=str(problem) if isinstance(problem, KneeloadError) else f"The file could not be made ({type(problem).__name__}).")
            return None
        self._say("", busy=False)
        return {"name": found.name, "type": found.kind, "content": found.content}

    def _say(self, status: str, *, busy: bool, failure: str = "") -> None:
        with self.state:
            self.state.status, self.state.busy, self.state.failure = status, busy, failure

    def close(self) -> None:
        """End what runs and delete the files of the tab."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        self.view.close()
        self._answer = self._question = self._wanted = None
        shutil.rmtree(self.uploads.folder, ignore_errors=True)
