"""Fonts, paragraphs, tables and curves of the PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from reportlab.lib import colors
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Paragraph, Table, TableStyle

from kneeload.views.curves import KneeCurves
from kneeload.views.layout import SIZE, maps_box

INK, SOFT, LINE, PALE = colors.HexColor("#20252b"), colors.HexColor("#55606b"), colors.HexColor("#d5dbe1"), colors.HexColor("#f4f6f8")
WARN, LESS, MORE = colors.HexColor("#8f1d2c"), colors.HexColor("#0b5f46"), colors.HexColor("#9a3b00")
REGULAR, BOLD = "KneeSans", "KneeSans-Bold"
_LONGEST_WORDS = 420  # characters of one free text (a name of a file, a note); the report in HTML has it whole
_CURVES = (("tibiofemoral_n", "both sides", "#20252b"), ("medial_n", "medial (inner)", "#d55e00"), ("lateral_n", "lateral (outer)", "#0072b2"),
           ("patellofemoral_n", "behind the kneecap", "#009e73"))  # colours of Okabe and Ito (2008)


@lru_cache(maxsize=1)
def register_fonts() -> None:
    """Make DejaVu Sans, which comes with matplotlib, known under the names REGULAR and BOLD; only the letters used are put into a file."""
    import matplotlib
    from reportlab import rl_config

    rl_config.useA85 = 0  # bytes as they are: a quarter smaller, and no half second of Python for the picture
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pdfmetrics.registerFont(TTFont(REGULAR, str(folder / "DejaVuSans.ttf")))
    pdfmetrics.registerFont(TTFont(BOLD, str(folder / "DejaVuSans-Bold.ttf")))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)


def safe(words: object, most: int = _LONGEST_WORDS) -> str:
    """Words as text of a paragraph: markup has no effect, letters that cannot be printed are left out, more than `most` are cut."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(words))
    return escape(text if len(text) <= most else text[:most - 1] + "…").replace(" %", "\N{NO-BREAK SPACE}%")


def paragraph(words: str, size: float, *, bold: bool = False, colour: colors.Color = INK, bullet: bool = False, after: float = 0.25, right: bool = False) -> Paragraph:
    """A paragraph of escaped words in points."""
    style = ParagraphStyle("words", fontName=BOLD if bold else REGULAR, fontSize=size, leading=1.27 * size, textColor=colour, spaceAfter=after * size, alignment=2 if right else 0,
                           leftIndent=1.1 * size if bullet else 0.0, bulletIndent=0.1 * size, bulletFontName=REGULAR, bulletFontSize=size, splitLongWords=1)
    return Paragraph(words, style, bulletText="•" if bullet else None)


def table(rows: Sequence[Sequence[str]], widths: Sequence[float], size: float, *, head: bool = True, colours: dict[tuple[int, int], colors.Color] | None = None) -> Table:
    """A table of escaped words; the first column is words, the others stand on the right; (column, row) may have a colour."""
    kinds = colours or {}
    cells = [[paragraph(words, size, bold=(head and j == 0) or i == 0, right=i > 0, after=0.0, colour=kinds.get((i, j), INK)) for i, words in enumerate(row)] for j, row in enumerate(rows)]
    style = [("LINEBELOW", (0, 0), (-1, -1), 0.4, LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 2.5), ("RIGHTPADDING", (0, 0), (-1, -1), 2.5),
             ("TOPPADDING", (0, 0), (-1, -1), 0.16 * size), ("BOTTOMPADDING", (0, 0), (-1, -1), 0.28 * size)]
    if head:
        style.append(("BACKGROUND", (0, 0), (-1, 0), PALE))
    return Table(cells, colWidths=list(widths), style=TableStyle(style), spaceAfter=0.5 * size, hAlign="LEFT")


class Picture(Flowable):
    """A picture of the run as wide as it may be, put into the file as JPEG."""

    def __init__(self, file: Path, width: float, most: float) -> None:
        super().__init__()
        self._data, ratio = _jpeg(file)
        self.width = min(width, most * ratio)
        self.height, self._shift = self.width / ratio, 0.5 * (width - self.width)

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        """Size in points."""
        return self.width, self.height + 3.0

    def draw(self) -> None:
        """Draw it at the middle of the line."""
        self.canv.drawImage(ImageReader(io.BytesIO(self._data)), self._shift, 3.0, self.width, self.height)


@lru_cache(maxsize=4)
def _jpeg(file: Path) -> tuple[bytes, float]:
    """Bytes of a picture, and its width over its height; of stress.png only the maps, without the whole knee and the headline."""
    from PIL import Image

    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    if picture.size == SIZE:
        picture = picture.crop(maps_box())
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90, subsampling=0)
    return buffer.getvalue(), picture.size[0] / picture.size[1]


class Curves(Flowable):
    """Forces of the compartments over the cycle, as lines and words that can be selected."""

    def __init__(self, curves: KneeCurves, before: KneeCurves | None, body_weight_n: float | None, width: float, height: float, size: float) -> None:
        super().__init__()
        self.width, self.height = width, height
        self._curves, self._before, self._weight, self._size = curves, before, body_weight_n, size

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        """Size in points."""
        return self.width, self.height

    def draw(self) -> None:
        """Draw axes, curves and the key."""
        size = self._size
        highest = max(float(np.nanmax(getattr(item, name), initial=1.0)) for item in (self._curves, self._before) if item is not None for name, _, _ in _CURVES)
        step = _step(highest)
        top = step * np.ceil(highest / step)
        x0, y0, wide, tall = 3.6 * size, 2.6 * size, self.width - 7.4 * size, self.height - 5.2 * size
        self._swing(x0, y0, wide, tall)
        self._axes(x0, y0, wide, tall, step, float(top))
        for item, dashed in ((self._before, True), (self._curves, False)):
            if item is None:
                continue
            for name, _, colour in _CURVES:
                self._line(x0 + wide * item.cycle_percent / 100.0, y0 + tall * getattr(item, name) / top, colour, dashed)
        self._key(x0, y0 + tall + 0.8 * size)

    def _swing(self, x0: float, y0: float, wide: float, tall: float) -> None:
        percent, swing = self._curves.cycle_percent, self._curves.swing
        if swing.any() and not swing.all():
            self.canv.setFillColor(PALE)
            self.canv.rect(x0 + wide * float(percent[swing][0]) / 100.0, y0, wide * float(percent[swing][-1] - percent[swing][0]) / 100.0, tall, stroke=0, fill=1)

    def _axes(self, x0: float, y0: float, wide: float, tall: float, step: float, top: float) -> None:
        canvas, size = self.canv, self._size
        canvas.setFont(REGULAR, 0.9 * size)
        canvas.setLineWidth(0.4)
        for number in range(round(top / step) + 1):
            y = y0 + tall * number * step / top
            canvas.setStrokeColor(LINE)
            canvas.line(x0, y, x0 + wide, y)
            canvas.setFillColor(SOFT)
            canvas.drawRightString(x0 - 0.4 * size, y - 0.3 * size, f"{number * step:,.0f}")
            if self._weight:
                canvas.drawString(x0 + wide + 0.4 * size, y - 0.3 * size, f"{number * step / self._weight:.1f}")
        for percent in range(0, 101, 20):
            canvas.drawCentredString(x0 + wide * percent / 100.0, y0 - 1.2 * size, f"{percent}")
        canvas.drawCentredString(x0 + 0.5 * wide, y0 - 2.4 * size, "per cent of the cycle" + (" (grey: the foot is off the ground)" if self._curves.swing.any() else ""))
        canvas.drawString(x0 - 3.2 * size, y0 + tall + 0.8 * size, "N")
        if self._weight:
            canvas.drawRightString(x0 + wide + 3.6 * size, y0 + tall + 0.8 * size, "body weights")

    def _line(self, x: NDArray[np.float64], y: NDArray[np.float64], colour: str, dashed: bool) -> None:
        canvas = self.canv
        canvas.setStrokeColor(colors.HexColor(colour))
        canvas.setLineWidth(0.9 if dashed else 1.5)
        canvas.setDash([2.5, 2.0] if dashed else [])
        path, drawing = canvas.beginPath(), False
        for across, up in zip(x.tolist(), y.tolist()):
            if not np.isfinite(up):
                drawing = False
                continue
            (path.lineTo if drawing else path.moveTo)(across, up)
            drawing = True
        canvas.drawPath(path)
        canvas.setDash([])

    def _key(self, x: float, y: float) -> None:
        canvas, size = self.canv, self._size
        for _, words, colour in _CURVES:
            canvas.setFillColor(colors.HexColor(colour))
            canvas.rect(x, y + 0.15 * size, 1.2 * size, 0.28 * size, stroke=0, fill=1)
            canvas.setFillColor(INK)
            canvas.drawString(x + 1.6 * size, y, words)
            x += 3.0 * size + pdfmetrics.stringWidth(words, REGULAR, 0.9 * size)
        if self._before is not None:
            canvas.drawString(x, y, "dashed: before")


def _step(highest: float) -> float:
    """Distance of the lines of the axis, N: 1, 2 or 5 times a power of ten, five at most."""
    rough = highest / 5.0
    power = 10.0 ** np.floor(np.log10(rough))
    return float(next((step for step in (1.0, 2.0, 5.0) if step * power >= rough), 10.0) * power)


def row_of(flowables: Sequence[Any], widths: Sequence[float]) -> Table:
    """Parts side by side."""
    return Table([list(flowables)], colWidths=list(widths), style=TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 0),
                                                                             ("TOPPADDING", (0, 0), (-1, -1), 0), ("BOTTOMPADDING", (0, 0), (-1, -1), 0)]))
