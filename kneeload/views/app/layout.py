"""Where things stand on the page: inputs at the left, the knee in the middle, words and numbers beside or below it."""

from __future__ import annotations

from typing import Any, Protocol

from trame_server import Server

from kneeload.views.app import painting
from kneeload.views.app.contract import Engine, Field, Switch
from kneeload.views.app.knee_view import LOOKS, PIECES, KneeView
from kneeload.views.scene import NOT_A_DIAGNOSIS

FRAME_HIGH = 78  # pixels of the bars above and below
STYLE = """
html { overflow: hidden !important; }
.kl-page { display: grid; height: calc(100vh - 78px); grid-template-columns: 318px minmax(0, 1fr) 372px; grid-template-rows: minmax(0, 1fr); }
.kl-in { overflow-y: auto; border-right: 1px solid #dde1e5; padding: 6px 10px 12px; background: #fafbfc; }
.kl-see { display: flex; flex-direction: column; min-width: 0; min-height: 0; }
.kl-view { position: relative; flex: 1 1 auto; min-height: 120px; }
.kl-out { display: flex; flex-direction: column; min-height: 0; border-left: 1px solid #dde1e5; }
.kl-text { overflow-y: auto; padding: 6px 12px 10px; flex: 1 1 auto; min-height: 0; }
.kl-bar { display: flex; align-items: center; gap: 6px; padding: 8px 8px 3px; flex-wrap: wrap; }
.kl-title { position: absolute; top: 4px; font-size: 13px; font-weight: 600; color: #20252b; text-align: center; pointer-events: none; }
.kl-foot { font-size: 12.5px; font-weight: 600; padding: 0 12px; }
.kl-row { display: grid; grid-template-columns: minmax(0, 1fr) 112px; align-items: center; column-gap: 6px; margin-top: 6px; }
.kl-row label { font-size: 13.5px; line-height: 1.2; }
.kl-hint { font-size: 12px; color: #5b6570; line-height: 1.3; }
.kl-wrong { color: #b00020; font-size: 12.5px; line-height: 1.3; margin: 2px 0 4px; }
.kl-select { border: 1px solid #9aa3ab; border-radius: 4px; padding: 4px; background: #fff; appearance: auto; width: 112px; }
.kl-scale { height: 12px; border: 1px solid #9aa3ab; }
.kl-table { border-collapse: collapse; width: 100%; font-size: 12.5px; }
.kl-table th, .kl-table td { padding: 3px 5px; border-bottom: 1px solid #e4e7ea; text-align: right; vertical-align: top; }
.kl-table th:first-child, .kl-table td:first-child { text-align: left; }
.kl-story p { margin: 0 0 8px; font-size: 14px; line-height: 1.42; }
.kl-chart { position: relative; } .kl-now { position: absolute; top: 17%; bottom: 14%; border-left: 2px solid #20252b; pointer-events: none; }
.v-expansion-panel-text__wrapper { padding: 2px 8px 10px !important; }
.v-expansion-panel-title { min-height: 38px !important; padding: 4px 8px !important; font-weight: 600; }
@media (max-width: 1199px) {
 .kl-page { grid-template-columns: 292px minmax(0, 1fr); grid-template-rows: minmax(0, 66fr) minmax(0, 34fr); }
 .kl-chart { max-width: 340px; } .kl-in { grid-row: 1 / 3; } .kl-out { border-left: 0; border-top: 1px solid #dde1e5; }
}
"""
TABS = (("words", "In words"), ("curves", "Force"), ("places", "Sides"), ("regions", "Regions"))
_FILES = (("html", "Report (web page)"), ("pdf", "Report (PDF)"), ("png", "Picture (PNG)"), ("maps", "Flat maps (PNG)"), ("animation", "Animation of the cycle (GIF)"), ("csv", "Tables (CSV)"), ("json", "Numbers (JSON)"), ("vtk", "3D series for ParaView (VTK)"))
_KINDS = {"device": "Devices", "body": "Body", "habit": "Habits", "gait": "Way of walking", "strength": "Strength", "bone": "Surgery"}


class Actions(Protocol):
    """What buttons of the page do."""

    def step(self) -> None:
        """Play or stop."""

    def drawn(self, *_: Any) -> None:
        """The browser has drawn the last picture."""

    def use_preset(self, name: str) -> None:
        """Fill the form with a person."""

    async def export(self, kind: str) -> dict[str, Any] | None:
        """Make a file."""


def build(server: Server, engine: Engine, view: KneeView, actions: Actions) -> Any:
    """Put the page on a trame server and return the 3D widget."""
    from trame.ui.vuetify3 import VAppLayout
    from trame.widgets import client, html, vtk
    from trame.widgets import vuetify3 as v3

    with VAppLayout(server, full_height=True) as layout:
        client.Style(STYLE)
        client.ClientTriggers(mounted="page_wide = window.innerWidth; page_high = window.innerHeight; trigger('opened')", ref="window")
        with v3.VAppBar(height=52, elevation=1):
            html.H1("kneeload", style="font-size:18px;font-weight:700;margin:0 14px 0 14px")
            v3.VSelect(v_model=("preset", ""), items=("presets", [{"title": "Choose a person ...", "value": ""}] + [{"title": words, "value": key} for key, words, _ in engine.presets]), aria_label="Example person",
                       density="compact", hide_details=True, variant="outlined", style="max-width:300px", update_modelValue=(actions.use_preset, "[$event]"))
            _select("activity", "Look at", next(item for item in engine.fields if item.key == "activity"), style="max-width:210px;margin-left:8px")
            v3.VSpacer()
            v3.VProgressCircular(v_show=("busy", False), indeterminate=True, size=20, width=3, aria_label="computing")
            html.Span("{{ status }}", style="font-size:12.5px;margin:0 8px;max-width:200px", id="status", role="status", aria_live="polite")
            with v3.VMenu():
                with v3.Template(v_slot_activator="{ props }"):
                    v3.VBtn("Save", v_bind="props", variant="tonal", size="small", id="save", disabled=("!ready",), classes="mr-3")
                with v3.VList(density="compact"):
                    for kind, words in _FILES:
                        v3.VListItem(title=words, id=f"save_{kind}", click=f"trigger('export', ['{kind}']).then((f) => f && utils.download(f.name, f.content, f.type))")
        with v3.VMain(style="height:100%"), html.Div(classes="kl-page"):
            with html.Section(classes="kl-in", aria_label="Inputs"):
                _inputs(engine)
            with html.Section(classes="kl-see", aria_label="Knee in 3D"):
                _toolbar()
                html.Div("{{ failure }}", v_if=("failure", ""), classes="kl-wrong px-3", role="alert", id="failure")
                with html.Div(classes="kl-view"):
                    widget = vtk.VtkLocalView(view.window, ref="knee", view_state_change=actions.drawn)
                    html.Div("{{ item.words }}", v_for="item in titles", key="item.left", classes="kl-title", style=("{left: item.left + '%', width: item.width + '%'}",))
                _scales()
                _player(actions)
            with html.Section(classes="kl-out", aria_label="Results"):
                _results()
        with v3.VFooter(app=True, height=26, color="#fff4d6", classes="kl-foot", id="disclaimer"):
            html.Span(f"{NOT_A_DIAGNOSIS} A model of a usual knee: plausibility, not measurement. It does not replace an examination.")
    del layout
    return widget


def _inputs(engine: Engine) -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    html.Div("{{ errors.general }}", v_if="errors.general", classes="kl-wrong", role="alert")
    with v3.VExpansionPanels(v_model=("opened", [0]), multiple=True, variant="accordion", elevation=0):
        with _panel("Person"):
            for item in engine.fields:
                if item.group == "person":
                    guard = {"mpta_deg": "alignment != 'hka'", "hka_deg": "alignment == 'hka'"}.get(item.key)
                    _input(item, guard)
            html.Div(v_html=("leg", ""), style="max-width:230px;margin:4px auto")
        with _panel("Day"):
            for item in engine.fields:
                if item.group == "day" and item.key != "activity":
                    _input(item, "activity == 'walking'" if item.key == "speed_m_s" else None)
        with _panel("What would help?"):
            kind = ""
            for switch in sorted(engine.switches, key=lambda item: list(_KINDS).index(item.kind)):
                if switch.kind != kind:
                    kind = switch.kind
                    html.Div(_KINDS[kind], classes="kl-hint", style="font-weight:600;margin-top:8px")
                _switch(switch)
        with _panel("Lesions on MRI and X-ray"):
            html.Div("Size grade of bone marrow lesions by region (MOAKS). They count in the report.", classes="kl-hint")
            for item in engine.fields:
                if item.group == "lesions":
                    _input(item)
        with _panel("Slopes, cartilage"):
            for item in engine.fields:
                if item.group in ("advanced", "cartilage"):
                    _input(item)
        with _panel("Files"):
            for key, label, accept, words in (("recording_file", "Recorded gait", ".csv,.mot,.sto", "One stride: CSV, MOT or STO, up to 5 MB. Then look at 'Recorded gait'."),
                                              ("meshes_file", "Own knee", ".zip", "Zip with STL, PLY or OBJ and a manifest.yaml, up to 20 MB.")):
                v3.VFileInput(v_model=(key, None), label=label, accept=accept, density="compact", variant="outlined", hide_details=True, prepend_icon="", classes="mt-2", id=key)
                html.Div(words, classes="kl-hint")
                html.Div(f"{{{{ errors.{key} }}}}", v_if=f"errors.{key}", classes="kl-wrong", role="alert")
            html.Div("Files stay on the machine that serves this page and are deleted when the tab is closed.", classes="kl-hint mt-2")


def _panel(title: str) -> Any:
    from trame.widgets import vuetify3 as v3

    with v3.VExpansionPanel():
        v3.VExpansionPanelTitle(title)
        return v3.VExpansionPanelText()


def _input(item: Field, guard: str | None = None) -> None:
    """A number with its slider, or a choice; the engine's sentence below when it is refused."""
    from trame.widgets import html

    with html.Div(**({} if guard is None else {"v_if": guard})):
        if item.kind == "number":
            _number(item)
        elif item.kind == "choice" and item.group == "lesions":
            _grade(item)
        elif item.kind == "choice":
            _select(item.key, item.label, item)
        else:
            _text(item)
        if item.hint:
            html.Div(item.hint, classes="kl-hint")
        html.Div(f"{{{{ errors.{item.key} }}}}", v_if=f"errors.{item.key}", classes="kl-wrong", role="alert", id=f"wrong_{item.key}")


def _number(item: Field) -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    with html.Div(classes="kl-row"):
        html.Label(item.label, html_for=f"in_{item.key}")
        v3.VTextField(v_model=(item.key, item.start), id=f"in_{item.key}", type="number", step=item.step, suffix=item.unit, density="compact", variant="outlined", hide_details=True,
                      error=(f"!!errors.{item.key}",), aria_label=f"{item.label}, {item.unit}", single_line=True)
    v3.VSlider(model_value=(f"Number({item.key}) || 0",), update_modelValue=f"{item.key} = $event", min=item.least, max=item.most, step=item.step, density="compact", hide_details=True,
               thumb_size=15, track_size=3, color="primary", id=f"slide_{item.key}", aria_label=item.label)


def _select(key: str, label: str, item: Field, **style: Any) -> None:
    from trame.widgets import vuetify3 as v3

    v3.VSelect(v_model=(key, item.start), label=label, items=(f"choices_{key}", [{"title": words, "value": value} for value, words in item.choices]), density="compact", variant="outlined",
               hide_details=True, classes="mt-2" if not style else "", id=f"in_{key}", error=(f"!!errors.{key}",), **style)


def _grade(item: Field) -> None:
    """A choice as the browser has it: there are many of these."""
    from trame.widgets import html

    with html.Div(classes="kl-row"):
        html.Label(item.label, html_for=f"in_{item.key}")
        with html.Select(v_model=(item.key, item.start), id=f"in_{item.key}", classes="kl-select"):
            for value, words in item.choices:
                html.Option(words, value=value)


def _text(item: Field) -> None:
    from trame.widgets import vuetify3 as v3

    v3.VTextField(v_model=(item.key, item.start), label=item.label, id=f"in_{item.key}", density="compact", variant="outlined", hide_details=True, maxlength=60, classes="mt-2")


def _switch(switch: Switch) -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    v3.VSwitch(v_model=(switch.key, False), label=switch.label, density="compact", hide_details=True, color="primary", id=switch.key)
    html.Div(f"{{{{ errors.{switch.key} }}}}", v_if=f"errors.{switch.key}", classes="kl-wrong", role="alert")
    with html.Div(v_if=switch.key, style="margin-left:10px"):
        for item in switch.fields:
            _input(item)
        with html.Details(classes="kl-hint"):
            html.Summary("What is known")
            for words in switch.about:
                html.Div(words)


def _toolbar() -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    common = {"density": "compact", "variant": "outlined", "hide_details": True}
    with html.Div(classes="kl-bar"):
        v3.VSelect(v_model=("quantity", "pressure"), label="Colour", items=("quantities", [{"title": words, "value": key} for key, words in painting.QUANTITIES.items()]), id="in_quantity",
                   style="max-width:235px", **common)
        v3.VSelect(v_model=("look", "parted"), label="View", items=("looks", [{"title": item.words, "value": key} for key, item in LOOKS.items()]), id="in_look", style="max-width:200px", **common)
        with html.Div(style="display:flex;flex-wrap:wrap;column-gap:8px"):
            for piece, words in zip(PIECES, ("thigh bone", "shin bone", "kneecap", "menisci")):
                with html.Label(style="font-size:12.5px;white-space:nowrap"):
                    html.Input(type="checkbox", v_model=(f"see_{piece}", True), id=f"see_{piece}")
                    html.Span(f" {words}")


def _scales() -> None:
    from trame.widgets import html

    with html.Div(classes="kl-bar", style="gap:18px"), html.Div(v_for="item in scales", key="item.title", style="flex:1 1 140px;max-width:420px;font-size:12px"):
        html.Div("{{ item.title }}")
        html.Div(classes="kl-scale", style=("{background: 'linear-gradient(to right, ' + item.colours + ')'}",))
        with html.Div(style="display:flex;justify-content:space-between"):
            html.Span("{{ tick }}", v_for="tick in item.ticks", key="tick")


def _player(actions: Actions) -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    with html.Div(classes="kl-bar", style="flex-wrap:nowrap;border-top:1px solid #eceff1"):
        v3.VBtn("{{ playing ? 'Stop' : 'Play' }}", click=actions.step, size="small", variant="tonal", id="play", disabled=("!ready",))
        v3.VSlider(v_model=("frame", 0), min=0, max=100, step=1, density="compact", hide_details=True, thumb_size=15, track_size=3, aria_label="Percent of the cycle", id="frame", disabled=("!ready",))
        html.Span("{{ frame }} % of the cycle", style="font-size:12.5px;white-space:nowrap;min-width:118px;text-align:right")


def _results() -> None:
    from trame.widgets import html
    from trame.widgets import vuetify3 as v3

    with v3.VTabs(v_model=("tab", "words"), density="compact", grow=True, style="flex:0 0 auto"):
        for key, words in TABS:
            v3.VTab(words, value=key, id=f"tab_{key}", style="min-width:60px;text-transform:none")
    with html.Div(classes="kl-text"):
        with html.Div(v_show="tab == 'words'", classes="kl-story", id="story"):
            html.P("{{ line }}", v_for="line in story", key="line")
            html.P("{{ ['The day, the plausibility of lesions and intervals follow in a moment ...', 'Intervals follow in a moment ...', ''][stage] }}", v_show="ready && stage < 2", classes="kl-hint", id="follows")
            html.P("{{ line }}", v_for="line in notes", key="line", classes="kl-hint")
        with html.Div(v_show="tab == 'curves'"):
            with html.Div(classes="kl-chart"):
                html.Div(v_html=("chart", ""))
                html.Div(classes="kl-now", style=("{left: chart_left + '%'}",))
            html.Div("Contact force of each side over one cycle, in newtons.", classes="kl-hint")
        with html.Div(v_show="tab == 'places'", id="places"):
            _table(("Side", "Peak force N", "× body weight", "Peak pressure MPa", "Area mm²", "Change of peak"), ("name", "force", "weights", "peak", "area", "change"), "compartments",
                   {"change": "compared"})
            html.Div("Pressure and area at the moment of the highest force of that side.", classes="kl-hint")
            html.Div("Load-related pain, relative to a reference person (interval)", v_if="pains.length", classes="kl-hint mt-3", style="font-weight:600")
            html.Div("{{ item[0] }}: {{ item[1] }} ({{ item[2] }})", v_for="item in pains", key="item[0]", style="font-size:12.5px")
        with html.Div(v_show="tab == 'regions'"):
            _table(("Region", "Stress MPa", "Dose MPa s a day", "New lesion in 24 months", "95 % interval"), ("name", "stress", "dose", "risk", "interval"), "regions")


def _table(titles: tuple[str, ...], keys: tuple[str, ...], rows: str, only_if: dict[str, str] | None = None) -> None:
    from trame.widgets import html

    guards = {key: {"v_if": guard} for key, guard in (only_if or {}).items()}
    with html.Table(classes="kl-table"):
        with html.Thead(), html.Tr():
            for title, key in zip(titles, keys, strict=True):
                html.Th(title, scope="col", **guards.get(key, {}))
        with html.Tbody(), html.Tr(v_for=f"row in {rows}", key="row.name"):
            for key in keys:
                html.Td(f"{{{{ row.{key} }}}}", **guards.get(key, {}))
