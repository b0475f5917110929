"""What the numbers of a box mean: pixels were asked for, but models have habits of their own.

Some answer in thousandths of the picture, in fractions or in percent; some list two corners, x or y
first. What was meant is decided by evidence only: the names of fields, numbers that lie outside the
picture or are all below one, and the size that was asked for. If that leaves two different boxes,
nobody knows, and the model is asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from sow.planners.mllm.answer_forms import Order
from sow.planners.mllm.answers import BoxAnswer
from sow.planners.mllm.asker import BadAnswer

Scale = Literal["pixels", "thousandths", "percent", "fractions"]
PARTS: dict[Scale, float] = {"thousandths": 1000, "percent": 100, "fractions": 1}
"""How many parts the width and the height have in each scale but pixels."""
WORDS = {
    "pixels": "pixels", "thousandths": "thousandths of the picture",
    "percent": "percent of the picture", "fractions": "fractions of the picture",
}  # fmt: skip
LISTS: dict[str, str] = {
    "xywh": "[x, y, width, height]", "xyxy": "[xmin, ymin, xmax, ymax]",
    "yxyx": "[ymin, xmin, ymax, xmax]",
}  # fmt: skip
HABITS: tuple[tuple[str, Order], ...] = (("gemini", "yxyx"), ("qwen", "xyxy"))
"""The order in which families of models were taught to list boxes."""
OVER = 0.02
"""How far a box may lie outside the picture, in shares of its side, to count as inside."""
OVER_REGION = 0.05
"""The same for regions, which often end a little below the picture."""
OVER_ASKED = 0.15
"""The same for boxes that are in pixels by other evidence."""
SIZE_SLACK = 0.02
"""How far a size may miss the asked one to count as asked for."""
NEAR = 1.6
"""The factor by which a size may miss the asked one where only one reading is possible."""
SAME = 0.02
"""Boxes that differ by less than this share of the picture are the same one."""
LEAST = 0.02
"""The longer side of the smallest box in another scale than pixels, in shares of the picture."""
Canvas = tuple[int, int]


@dataclass(frozen=True)
class Reading:
    """One way to read the numbers of boxes."""

    order: Order
    scale: Scale

    def __str__(self) -> str:
        form = f"{LISTS[self.order]} in " if self.order in LISTS else ""
        return f"{form}{WORDS[self.scale]}"


ASKED = Reading("named", "pixels")


@dataclass(frozen=True)
class Hints:
    """What is known of the model's habits.

    Attributes:
        order: how its family lists boxes.
        scale: the scale of its other boxes in this dialogue.
    """

    order: Order | None = None
    scale: Scale | None = None


def habit_of(vendor: str, model: str) -> Order | None:
    """Return the order in which a family of models lists boxes, if it is known."""
    name = f"{vendor} {model}".lower()
    return next((order for family, order in HABITS if family in name), None)


def read_position(
    box: BoxAnswer, canvas: Canvas, sizes: tuple[float, float], hints: Hints = Hints()
) -> tuple[BoxAnswer, Reading]:
    """Return a box in pixels, and how it was read.

    Args:
        box: the model's box.
        canvas: width and height in pixels.
        sizes: the least and the largest longer side that was asked for, in pixels.
        hints: the model's habits.

    Raises:
        BadAnswer: if it can be read in several ways, or in none.
    """
    readings = _possible([box], canvas, OVER)
    fit = {r: b for r, (b,) in readings.items() if _misses(b, sizes) <= 1 + SIZE_SLACK}
    asked = _in_pixels(box, ASKED, canvas) if box.order == "named" else None
    if asked is not None and not _touches(asked, canvas):
        asked = None
    sized = asked is not None and _misses(asked, sizes) <= 1 + SIZE_SLACK
    if asked is not None and (
        (sized and _inside(asked, canvas, OVER_ASKED)) or (ASKED in readings and not fit)
    ):
        return asked, ASKED
    if asked is not None and (ASKED in readings or sized):
        # As asked in its place but not in its size, or the other way about.
        fit = {ASKED: asked, **(fit or {r: b for r, (b,) in readings.items()})}
    elif not fit:
        fit = {r: b for r, (b,) in readings.items()
               if r.scale == "fractions" or _misses(b, sizes) <= NEAR}  # fmt: skip
    if not fit:
        if asked is not None:
            return asked, ASKED
        raise BadAnswer(_shown([box]), f"`box` is no box in the picture: {_wanted(canvas, sizes)}")
    found = _one({r: [b] for r, b in fit.items()}, canvas, hints)
    if found is None:
        raise BadAnswer(_shown([box]), _ambiguous("box", [box], fit, canvas, sizes))
    return fit[found], found


def read_regions(
    boxes: Sequence[BoxAnswer], canvas: Canvas, hints: Hints = Hints()
) -> tuple[list[BoxAnswer], Reading]:
    """Return the boxes of one answer in pixels, all read in the same way, and how.

    Raises:
        BadAnswer: if they can be read in several ways, or lists in none.
    """
    if not boxes:
        return [], ASKED
    readings = _possible(boxes, canvas, OVER_ASKED if hints.scale == "pixels" else OVER_REGION)
    if all(box.order == "named" for box in boxes):
        habit = Reading("named", hints.scale or "pixels")
        if habit in readings and (habit == ASKED or ASKED not in readings):
            return readings[habit], habit
        if not readings or (ASKED in readings and habit not in readings):
            return [_in_pixels(box, ASKED, canvas) for box in boxes], ASKED
        if hints.scale is not None:  # unlike the model's other box
            as_asked = [_in_pixels(box, ASKED, canvas) for box in boxes]
            raise BadAnswer(
                _shown(boxes),
                _ambiguous("regions", boxes, {ASKED: as_asked, **readings}, canvas),
            )
    else:
        scale = hints.scale or "pixels"
        readings = {r: b for r, b in readings.items() if r.scale == scale} or readings
    if not readings:
        raise BadAnswer(_shown(boxes), f"the boxes are not in the picture: {_wanted(canvas)}")
    found = _one(readings, canvas, hints)
    if found is None:
        raise BadAnswer(_shown(boxes), _ambiguous("regions", boxes, readings, canvas))
    return readings[found], found


def _possible(
    boxes: Sequence[BoxAnswer], canvas: Canvas, over: float
) -> dict[Reading, list[BoxAnswer]]:
    """Return the readings by which all boxes lie in the picture, with the boxes in pixels."""
    orders: Sequence[Order] = sorted({box.order for box in boxes if box.order != "named"})
    if "list" in orders:
        orders = ("xywh", "xyxy", "yxyx")
    scales: tuple[Scale, ...] = ("pixels", *PARTS)
    found: dict[Reading, list[BoxAnswer]] = {}
    for reading in (Reading(order, scale) for scale in scales for order in orders or ("named",)):
        pixels = [_in_pixels(box, reading, canvas) for box in boxes]
        if all(_inside(box, canvas, over) for box in pixels):
            found[reading] = pixels
    return {reading: boxes for reading, boxes in found.items() if _large(boxes, reading, canvas)}


def _in_pixels(box: BoxAnswer, reading: Reading, canvas: Canvas) -> BoxAnswer:
    """Return a box in pixels as `reading` has it; fields that were named keep their names."""
    a, b, c, d = box.numbers
    order = reading.order if box.order == "list" else box.order
    if order == "yxyx":
        a, b, c, d = b, a, d, c
    if order in ("xyxy", "yxyx"):
        c, d = c - a, d - b
    parts = PARTS.get(reading.scale)
    across, down = (canvas[0] / parts, canvas[1] / parts) if parts else (1, 1)
    # Not validated: overflows to infinity are no box, which is found later.
    return BoxAnswer.model_construct(
        x=a * across, y=b * down, width=c * across, height=d * down, order="named"
    )


def _inside(box: BoxAnswer, canvas: Canvas, over: float) -> bool:
    wide, high = over * canvas[0], over * canvas[1]
    return (
        box.width > 0
        and box.height > 0
        and box.x >= -wide
        and box.y >= -high
        and box.x + box.width <= canvas[0] + wide
        and box.y + box.height <= canvas[1] + high
    )


def _large(boxes: Sequence[BoxAnswer], reading: Reading, canvas: Canvas) -> bool:
    """Return whether boxes are large enough to be meant: one of a pixel is rather a fraction."""
    if reading.scale == "pixels":
        return any(_longer(box) > 1 for box in boxes)
    return all(_longer(box) >= LEAST * min(canvas) for box in boxes)


def _touches(box: BoxAnswer, canvas: Canvas) -> bool:
    """Return whether a box in pixels lies in the picture with some part, and is not absurd."""
    return (
        1 < _longer(box) <= 4 * max(canvas)
        and min(box.width, box.height) > 0
        and -box.width < box.x < canvas[0]
        and -box.height < box.y < canvas[1]
    )


def _longer(box: BoxAnswer) -> float:
    return max(box.width, box.height)


def _misses(box: BoxAnswer, sizes: tuple[float, float]) -> float:
    """Return the factor by which a box is too small or too large; 1 if it is neither."""
    longer = _longer(box)
    return max(1.0, sizes[0] / longer, longer / sizes[1]) if longer > 0 else float("inf")


def _one(readings: dict[Reading, list[BoxAnswer]], canvas: Canvas, hints: Hints) -> Reading | None:
    """Return the reading that all others agree with, or that hints prefer; None if none is."""
    for preferred in (
        readings,
        {r: b for r, b in readings.items() if r.order == hints.order},
        {r: b for r, b in readings.items() if r.scale == hints.scale},
        {r: b for r, b in readings.items() if (r.order, r.scale) == (hints.order, hints.scale)},
    ):
        if preferred:
            first = next(iter(preferred))
            if all(_same(preferred[first], boxes, canvas) for boxes in preferred.values()):
                return first
    return None


def _same(first: Sequence[BoxAnswer], other: Sequence[BoxAnswer], canvas: Canvas) -> bool:
    most = SAME * min(canvas)
    return all(
        abs(one - two) <= most
        for a, b in zip(first, other, strict=True)
        for one, two in zip(a.numbers, b.numbers, strict=True)
    )


def _wanted(canvas: Canvas, sizes: tuple[float, float] | None = None) -> str:
    form = '{"x": …, "y": …, "width": …, "height": …}'
    size = f", its longer side {sizes[0]:.0f} to {sizes[1]:.0f}" if sizes else ""
    return f"write {form} in pixels of the {canvas[0]}x{canvas[1]} picture{size}"


def _shown(boxes: Sequence[BoxAnswer]) -> str:
    return "; ".join(_numbers(box) for box in boxes[:4])


def _numbers(box: BoxAnswer) -> str:
    return "[" + ", ".join(f"{number:g}" for number in box.numbers) + "]"


def _ambiguous(
    name: str,
    boxes: Sequence[BoxAnswer],
    readings: Iterable[Reading],
    canvas: Canvas,
    sizes: tuple[float, float] | None = None,
) -> str:
    ways = " or ".join(str(reading) for reading in list(readings)[:3])
    return f"`{name}` may mean {ways}: {_numbers(boxes[0])}; {_wanted(canvas, sizes)}"
