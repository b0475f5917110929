"""A sheet that explains a picture: heat maps of its words, and the attention to its condition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageOps
from torch import Tensor

from sow.attention.trace import Trace
from sow.pictures.condition import Condition
from sow.pictures.drawing import INK, draw_plan, labelled_grid, stacked
from sow.plan.plan import Plan

PALE, RED = (150, 150, 150), (200, 60, 40)


def explain(
    trace: Trace, image: Image.Image, plan: Plan, condition: Condition, job: int = 0
) -> Image.Image:
    """Return a sheet of the picture, its plan, word maps, flow maps and the indicator's curve."""
    words = [(word, heat, float(heat.max())) for word, heat in trace.words(job)]
    flow = [maps[job] for maps in trace.flow]
    parts = [
        labelled_grid(
            "the picture, and its plan: condition (red), related regions (blue)",
            [("", image), ("", draw_plan(plan, condition))],
        ),
        labelled_grid(
            "attention to each word (cross-attention; bright: the word's maximum)",
            [
                (f"{word}, max {peak:.0%}", _overlay(image, heat / max(peak, 1e-9)))
                for word, heat, peak in words
            ],
        ),
        labelled_grid(
            "attention to the condition (self-attention; dark: 0 %, bright: 100 %)",
            [
                (f"cycle {n}, mean {float(maps.mean()):.0%}", _overlay(image, maps))
                for n, maps in enumerate(flow, 1)
            ],
        ),
    ]
    if len(trace.indicators):
        parts.append(_curve(trace.indicators[:, job].tolist()))
    return stacked(parts)


def word_maps(trace: Trace, job: int = 0) -> tuple[tuple[str, Image.Image], ...]:
    """Return each word's heat map, 8-bit grey, of the latents' size; white: its maximum."""
    return tuple(
        (word, Image.fromarray(_levels(heat / max(float(heat.max()), 1e-9))))
        for word, heat in trace.words(job)
    )


def _levels(heat: Tensor) -> Any:
    """Return a map in [0, 1] as 8-bit grey levels."""
    return (heat.clamp(0, 1) * 255).byte().numpy()


def _overlay(image: Image.Image, heat: Tensor) -> Image.Image:
    """Return a map in [0, 1], dark blue to yellow, over the picture in grey."""
    warm = ImageOps.colorize(
        Image.fromarray(_levels(heat)), black=(20, 12, 70), mid=(205, 60, 90), white=(255, 240, 130)
    )
    warm = warm.resize(image.size, Image.Resampling.BICUBIC)
    return Image.blend(ImageOps.grayscale(image).convert("RGB"), warm, 0.65)


def _curve(values: Sequence[float]) -> Image.Image:
    """Plot the indicator over the cycles; 0.2 is a flow that has spread evenly."""
    width, height, left, above = 640, 150, 40, 24
    highest = max(0.4, *values)
    plot = Image.new("RGB", (width, above + height + 16), "white")
    pen = ImageDraw.Draw(plot)
    pen.text(
        (2, 4), "indicator: share of the nearest fifth of R (0.2: the flow has spread evenly)",
        fill=INK, font_size=14,
    )  # fmt: skip

    def at(cycle: int, value: float) -> tuple[float, float]:
        step = (width - left - 20) / max(1, len(values) - 1)
        return left + cycle * step, above + height * (1 - value / highest)

    for level in (0.0, 0.2, 0.4):
        y = at(0, level)[1]
        pen.line([(left, y), (width - 20, y)], fill=PALE)
        pen.text((8, y - 7), f"{level:.1f}", fill=INK, font_size=11)
    points = [at(cycle, value) for cycle, value in enumerate(values)]
    if len(points) > 1:
        pen.line(points, fill=RED, width=2)
    for cycle, (x, y) in enumerate(points):
        pen.ellipse([x - 2, y - 2, x + 2, y + 2], fill=RED)
        pen.text((x - 3, above + height + 1), str(cycle + 1), fill=INK, font_size=11)
    return plot
