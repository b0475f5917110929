"""Draw plans and scene graphs over pictures, and arrange pictures, for people to look at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sow.pictures.condition import Condition
from sow.pictures.loading import GREY
from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.plan.scene_graph import CONDITION, Relation, SceneObject

INK, PAPER = (20, 20, 20), (255, 255, 255)
BOX_COLOUR, OUTLINE_COLOUR, REGION_COLOUR = (220, 60, 40), (250, 180, 40), (40, 110, 220)
OBJECT_COLOUR, RELATION_COLOUR = (20, 140, 70), (110, 40, 130)
FONT_SIZE = 18
"""Pixels."""


def draw_plan(plan: Plan, condition: Condition, min_side: int = 512) -> Image.Image:
    """Draw the seed canvas with the plan's box (red), the condition's outline (yellow) and related
    regions (blue); inside the box, what is not the condition is faint. With a graph, also its
    objects (green) and relations (purple).

    Small canvases are enlarged until their shorter side has `min_side` pixels.
    """
    canvas = Image.new("RGB", plan.canvas, GREY)
    faint = condition.mask.point(lambda level: 70 + level * 185 // 255)
    canvas.paste(condition.picture, (plan.box.x, plan.box.y), faint)
    scale = max(1, -(-min_side // min(plan.canvas)))
    canvas = canvas.resize((canvas.width * scale, canvas.height * scale), Image.Resampling.NEAREST)
    overlay = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(overlay)
    line = max(2, min(canvas.size) // 200)
    for region in plan.related:
        corners = [v * scale for v in region.box.corners]
        at = (corners[0] + 6, corners[1] + 4)
        draw.rectangle(
            corners, fill=(*REGION_COLOUR, 60), outline=(*REGION_COLOUR, 255), width=line
        )
        draw.text(at, region.label, fill=(*REGION_COLOUR, 255), font_size=FONT_SIZE)
    if not plan.text_only:
        corners = [v * scale for v in plan.box.corners]
        at = (corners[0] + 6, corners[1] + 4)
        draw.rectangle(corners, outline=(*BOX_COLOUR, 255), width=line)
        draw.text(at, plan.subject, fill=(*BOX_COLOUR, 255), font_size=FONT_SIZE)
        outline = _outline(condition.mask, scale, line)
        overlay.paste((*OUTLINE_COLOUR, 255), (plan.box.x * scale, plan.box.y * scale), outline)
    condition_box = None if plan.text_only else plan.box
    _draw_graph(draw, plan.objects, plan.relations, condition_box, scale, line)
    return Image.alpha_composite(canvas.convert("RGBA"), overlay).convert("RGB")


def draw_graph_over(
    picture: Image.Image,
    objects: Sequence[SceneObject],
    relations: Sequence[Relation],
    min_side: int = 512,
) -> Image.Image:
    """Draw a scene graph over a picture: objects (green), relations (purple).

    Small pictures are enlarged until their shorter side has `min_side` pixels.
    """
    scale = max(1, -(-min_side // min(picture.size)))
    size = (picture.width * scale, picture.height * scale)
    overlay = Image.new("RGBA", size, (0, 0, 0, 0))
    line = max(2, min(size) // 200)
    _draw_graph(ImageDraw.Draw(overlay), objects, relations, None, scale, line)
    enlarged = picture.convert("RGBA").resize(size, Image.Resampling.NEAREST)
    return Image.alpha_composite(enlarged, overlay).convert("RGB")


def _draw_graph(
    draw: ImageDraw.ImageDraw,
    objects: Sequence[SceneObject],
    relations: Sequence[Relation],
    condition_box: Box | None,
    scale: int,
    line: int,
) -> None:
    """Draw every object that has a box, and an arrow from subject to object for each relation.

    Args:
        draw: of an image `scale` times as large as the plan's canvas.
        objects: those without a box are not drawn.
        relations: those of objects without a box are not drawn.
        condition_box: where the condition is planted, if it is.
        scale: image pixels per canvas pixel.
        line: width of lines, in image pixels.
    """
    boxes = {item.id: item.box for item in objects if item.box is not None}
    for item in objects:
        if item.box is not None:
            left, top, right, bottom = (v * scale for v in item.box.corners)
            corners = (left, top, right, bottom)
            draw.rectangle(
                corners, fill=(*OBJECT_COLOUR, 50), outline=(*OBJECT_COLOUR, 255), width=line
            )
            at = (left + 6, bottom - FONT_SIZE - 8)
            draw.text(at, item.label, fill=(*OBJECT_COLOUR, 255), font_size=FONT_SIZE)
    if condition_box is not None:
        boxes[CONDITION] = condition_box
    for (subject, target), predicates in _predicates_by_pair(relations).items():
        if subject in boxes and target in boxes:
            label = ", ".join(predicates)
            _draw_arrow(draw, boxes[subject], boxes[target], label, scale, line)


def _predicates_by_pair(relations: Iterable[Relation]) -> dict[tuple[str, str], list[str]]:
    """Return the predicates of each pair, which share one arrow."""
    found: dict[tuple[str, str], list[str]] = {}
    for relation in relations:
        found.setdefault((relation.subject, relation.object), []).append(relation.predicate)
    return found


def _draw_arrow(
    draw: ImageDraw.ImageDraw, start_box: Box, end_box: Box, label: str, scale: int, line: int
) -> None:
    """Draw an arrow from centre to centre, a little short of both, with its label at the middle."""
    (x, y), (u, v) = ((a * scale, b * scale) for a, b in (start_box.centre, end_box.centre))
    length = math.hypot(u - x, v - y)
    if not length:
        return
    direction = ((u - x) / length, (v - y) / length)
    margin = min(0.1 * length, 8.0 * line)
    start = (x + direction[0] * margin, y + direction[1] * margin)
    end = (u - direction[0] * margin, v - direction[1] * margin)
    draw.line([start, end], fill=(*RELATION_COLOUR, 255), width=line)
    draw.polygon([end, *_barbs(end, direction, 4.0 * line)], fill=(*RELATION_COLOUR, 255))
    middle = ((x + u) / 2, (y + v) / 2)
    width = draw.textlength(label, font_size=FONT_SIZE)
    corner = (middle[0] - width / 2, middle[1] - FONT_SIZE / 2)
    paper = (corner[0] - 3, corner[1] - 1, corner[0] + width + 3, corner[1] + FONT_SIZE + 5)
    draw.rectangle(paper, fill=(*PAPER, 200))
    draw.text(corner, label, fill=(*RELATION_COLOUR, 255), font_size=FONT_SIZE)


def _barbs(
    tip: tuple[float, float], direction: tuple[float, float], size: float
) -> Iterator[tuple[float, float]]:
    """Yield the two other corners of an arrow's head."""
    for side in (0.5, -0.5):
        back = (tip[0] - size * direction[0], tip[1] - size * direction[1])
        yield back[0] - side * size * direction[1], back[1] + side * size * direction[0]


def _outline(mask: Image.Image, scale: int, line: int) -> Image.Image:
    """Return the rim of an enlarged mask, without the rim where the mask ends with its box."""
    size = (mask.width * scale, mask.height * scale)
    kept = mask.resize(size, Image.Resampling.BICUBIC).point(lambda v: 255 * (v >= 128))
    inner = kept.filter(ImageFilter.MinFilter(2 * (line // 2) + 1))
    rim = ImageChops.subtract(kept, inner)
    interior = Image.new("L", size)
    interior.paste(255, (line, line, size[0] - line, size[1] - line))
    return ImageChops.multiply(rim, interior)


def draw_condition(plan: Plan, condition: Condition) -> Image.Image:
    """Draw the condition alone at its place on a grey canvas."""
    canvas = Image.new("RGB", plan.canvas, GREY)
    canvas.paste(condition.picture, (plan.box.x, plan.box.y), condition.mask)
    return canvas


class ContactSheet:
    """Many pictures on one page; only thumbnails are kept in memory."""

    def __init__(self, title: str, tile: int, columns: int = 8) -> None:
        """Start an empty page with thumbnails `tile` pixels wide."""
        self._title, self._tile, self._columns = title, tile, columns
        self._tiles: list[tuple[str, Image.Image]] = []

    def add(self, label: str, picture: Image.Image) -> None:
        """Add a picture with a label below it."""
        height = max(1, self._tile * picture.height // picture.width)
        thumbnail = picture.resize((self._tile, height), Image.Resampling.LANCZOS)
        self._tiles.append((label, thumbnail))

    def to_image(self) -> Image.Image:
        """Return the page."""
        return labelled_grid(self._title, self._tiles, self._columns, self._tile)


def contact_sheet(title: str, plan: Plan, condition: Condition) -> ContactSheet:
    """Return a contact sheet for the pictures of one plan; the condition is its first tile."""
    sheet = ContactSheet(title, tile=min(256, plan.canvas[0]))
    sheet.add("planted", draw_condition(plan, condition))
    return sheet


def side_by_side(pictures: Sequence[Image.Image], gap: int = 4) -> Image.Image:
    """Return pictures of one size in a row."""
    width, height = pictures[0].size
    row = Image.new("RGB", (len(pictures) * (width + gap) - gap, height), (255, 255, 255))
    for number, picture in enumerate(pictures):
        row.paste(picture, (number * (width + gap), 0))
    return row


def labelled_grid(
    title: str, tiles: Sequence[tuple[str, Image.Image]], columns: int = 10, tile: int = 160
) -> Image.Image:
    """Return pictures of one shape in a grid, `tile` pixels wide, each with a label below it."""
    gap, header, footer = 6, 24, 16
    heights = [tile * picture.height // picture.width for _, picture in tiles]
    row_height = max(heights, default=0) + footer + gap
    width = max(min(columns, len(tiles)) * (tile + gap), 640)
    grid = Image.new("RGB", (width, header + -(-len(tiles) // columns) * row_height), "white")
    draw = ImageDraw.Draw(grid)
    draw.text((2, 4), title, fill=INK, font_size=14)
    for number, ((label, picture), height) in enumerate(zip(tiles, heights, strict=True)):
        x, y = number % columns * (tile + gap), header + number // columns * row_height
        grid.paste(picture.resize((tile, height), Image.Resampling.LANCZOS), (x, y))
        draw.text((x + 1, y + height + 1), label, fill=INK, font_size=11)
    return grid


def stacked(parts: Sequence[Image.Image], gap: int = 0) -> Image.Image:
    """Return pictures one above the other, on white."""
    width = max(part.width for part in parts)
    height = sum(part.height + gap for part in parts) - gap
    page = Image.new("RGB", (width, height), "white")
    top = 0
    for part in parts:
        page.paste(part, (0, top))
        top += part.height + gap
    return page
