"""The contact sheet of a run, with a row per candidate, and the plot of its front."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from sow.benchmarks.tuning.plan import TuningPlan
from sow.benchmarks.tuning.proposing import axes_of, front
from sow.benchmarks.tv2i.outcomes import Outcome
from sow.benchmarks.tv2i.report.comparison_table import Table, by_method
from sow.benchmarks.tv2i.report.grid import ARROWS
from sow.benchmarks.tv2i.report.pictures import read
from sow.benchmarks.tv2i.runs import Measure
from sow.errors import PictureError

COLUMNS, TILE, LEFT, GAP = 8, 144, 170, 6
"""Pairs that are shown, and pixels: of a picture's side, of what stands before a row, between."""
INK, QUIET = (24, 24, 22), (110, 108, 102)
NO_PLOT = "the front is not drawn: pip install 'sow[benchmarks]' has what draws it"


def sheet(plan: TuningPlan, outcomes: Sequence[Outcome], out: Path) -> Image.Image:
    """Draw the first pairs with their first seeds: what was planted, then a row per candidate. RGB.

    Args:
        plan: the run.
        outcomes: of all of its pictures.
        out: its folder.
    """
    found = by_method(outcomes)
    pairs = plan.pairs[:COLUMNS]
    rows = [tried.name for tried in plan.candidates]
    above = TILE + 48
    page = Image.new(
        "RGB", (LEFT + len(pairs) * (TILE + GAP), above + len(rows) * (TILE + GAP)), "white"
    )
    pen = ImageDraw.Draw(page)
    _named(pen, "planted", 0)
    for column, pair in enumerate(pairs):
        left = LEFT + column * (TILE + GAP)
        keyed = [found.get(name, {}).get((pair.id, pair.seed)) for name in rows]
        planted = next((one.condition for one in keyed if one and one.condition), None)
        _pasted(page, out, planted, left, 0)
        for line, words in enumerate(_wrapped(pen, pair.prompt, 3)):
            pen.text((left, TILE + 2 + 14 * line), words, fill=QUIET, font_size=11)
        for row, one in enumerate(keyed):
            _pasted(page, out, one.file if one else None, left, above + row * (TILE + GAP))
    for row, name in enumerate(rows):
        _named(pen, name, above + row * (TILE + GAP))
    return page


def _named(pen: ImageDraw.ImageDraw, name: str, top: int) -> None:
    for line, words in enumerate(_wrapped(pen, name, 6, LEFT - 12, 13)):
        pen.text((4, top + 4 + 17 * line), words, fill=INK, font_size=13)


def _wrapped(
    pen: ImageDraw.ImageDraw, text: str, most: int, width: int = TILE, size: int = 11
) -> list[str]:
    """Wrap a text into at most `most` lines."""
    lines = [""]
    for word in "".join(c if c.isprintable() else " " for c in text[:300]).split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and pen.textlength(longer, font_size=size) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines[:most]


def _pasted(page: Image.Image, out: Path, name: str | None, left: int, top: int) -> None:
    try:
        picture = read(out, name) if name else None
    except PictureError:
        picture = None
    if picture is None:
        edge = (left, top, left + TILE - 1, top + TILE - 1)
        ImageDraw.Draw(page).rectangle(edge, outline=(215, 213, 207))
        return
    scale = TILE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    page.paste(picture.resize(size, Image.Resampling.LANCZOS), (left, top))


def plot(made: Table, title: str) -> bytes | None:
    """Return the front as a PNG: likeness upwards against prompt or copies, with 95 % intervals;
    None without matplotlib or data.

    Args:
        made: candidates by measures.
        title: what they are of.
    """
    axes = axes_of(made.measures)
    if axes is None or not can_plot():
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained")
    place, best = figure.subplots(), set(front(made))
    shown = 0
    for row in made.rows:
        across, up = (row.cells[made.measures.index(one)].estimate for one in axes)
        if math.isnan(across.value) or math.isnan(up.value):
            continue
        shown += 1
        colour = "#c0392b" if row.method in best else "#2c5aa0"
        place.errorbar(
            [across.value],
            [up.value],
            xerr=[[across.value - across.low], [across.high - across.value]],
            yerr=[[up.value - up.low], [up.high - up.value]],
            fmt="s" if row.method == made.reference else "o",
            color=colour,
            ecolor="#bbbbbb",
        )
        place.annotate(
            row.method,
            (across.value, up.value),
            textcoords="offset points",
            xytext=(5, 4),
            fontsize=8,
        )
    if not shown:
        return None
    place.set(title=title, xlabel=_axis(axes[0]), ylabel=_axis(axes[1]))
    file = io.BytesIO()
    figure.savefig(file, dpi=100, format="png", metadata={"Software": None})
    return file.getvalue()


def _axis(measure: Measure) -> str:
    return f"{measure.display_name}{ARROWS[measure.better]}"


def can_plot() -> bool:
    """Return whether matplotlib is installed (the extra `benchmarks`)."""
    try:
        import matplotlib
    except ImportError:
        return False
    return bool(matplotlib.__version__)
