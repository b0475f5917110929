"""Plans drawn over the canvas, and pictures side by side, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from sow.pictures.condition import Condition
from sow.pictures.loading import GREY
from sow.pictures.scenes import draw_scene
from sow.plan.plan import Plan
from sow.plan.scene_graph import Relation, SceneObject

INK = (20, 20, 20)
CONDITION, OUTLINE, RELATED = (220, 60, 40), (250, 180, 40), (40, 110, 220)


def draw_plan(plan: Plan, condition: Condition, at_least: int = 512) -> Image.Image:
    """The seed canvas with the plan's box (red), the condition's outline (yellow) and related
    regions (blue); of the box, what is not the condition is faint. With a graph, its objects
    (green) and relations (purple).

    Small canvases are enlarged until their shorter side has `at_least` pixels.
    """
    canvas = Image.new("RGB", plan.canvas, GREY)
    faint = condition.mask.point(lambda level: 70 + level * 185 // 255)
    canvas.paste(condition.picture, (plan.box.x, plan.box.y), faint)
    scale = max(1, -(-at_least // min(plan.canvas)))
    canvas = canvas.resize((canvas.width * scale, canvas.height * scale), Image.Resampling.NEAREST)
    shade = Image.new("RGBA", canvas.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(shade)
    line = max(2, min(canvas.size) // 200)
    for region in plan.related:
        corners = [v * scale for v in region.box.corners]
        pen.rectangle(corners, fill=(*RELATED, 60), outline=(*RELATED, 255), width=line)
        pen.text((corners[0] + 6, corners[1] + 4), region.label, fill=(*RELATED, 255), font_size=18)
    if not plan.text_only:
        corners = [v * scale for v in plan.box.corners]
        at = (corners[0] + 6, corners[1] + 4)
        pen.rectangle(corners, outline=(*CONDITION, 255), width=line)
        pen.text(at, plan.subject, fill=(*CONDITION, 255), font_size=18)
        outline = _outline(condition.mask, scale, line)
        shade.paste((*OUTLINE, 255), (plan.box.x * scale, plan.box.y * scale), outline)
    condition_box = None if plan.text_only else plan.box
    draw_scene(pen, plan.objects, plan.relations, condition_box, scale, line)
    return Image.alpha_composite(canvas.convert("RGBA"), shade).convert("RGB")


def draw_graph_over(
    picture: Image.Image, objects: Sequence[SceneObject], relations: Sequence[Relation],
    at_least: int = 512,
) -> Image.Image:  # fmt: skip
    """A scene graph over a picture: objects (green), relations (purple).

    Small pictures are enlarged until their shorter side has `at_least` pixels.
    """
    scale = max(1, -(-at_least // min(picture.size)))
    size = (picture.width * scale, picture.height * scale)
    shade = Image.new("RGBA", size, (0, 0, 0, 0))
    line = max(2, min(size) // 200)
    draw_scene(ImageDraw.Draw(shade), objects, relations, None, scale, line)
    large = picture.convert("RGBA").resize(size, Image.Resampling.NEAREST)
    return Image.alpha_composite(large, shade).convert("RGB")


def planted(plan: Plan, condition: Condition) -> Image.Image:
    """Only what is planted, where it is planted, on grey."""
    canvas = Image.new("RGB", plan.canvas, GREY)
    canvas.paste(condition.picture, (plan.box.x, plan.box.y), condition.mask)
    return canvas


def contact_sheet(title: str, plan: Plan, condition: Condition) -> ContactSheet:
    """The sheet of several pictures of one plan, what was planted first."""
    sheet = ContactSheet(title, tile=min(256, plan.canvas[0]))
    sheet.add("planted", planted(plan, condition))
    return sheet


class ContactSheet:
    """Many pictures on a page: small copies are kept of them, not all of them at once."""

    def __init__(self, title: str, tile: int, columns: int = 8) -> None:
        self._title, self._tile, self._columns = title, tile, columns
        self._tiles: list[tuple[str, Image.Image]] = []

    def add(self, label: str, picture: Image.Image) -> None:
        """The next picture, with what is written below it."""
        height = max(1, self._tile * picture.height // picture.width)
        small = picture.resize((self._tile, height), Image.Resampling.LANCZOS)
        self._tiles.append((label, small))

    def drawn(self) -> Image.Image:
        """The page."""
        return labelled_grid(self._title, self._tiles, self._columns, self._tile)


def _outline(mask: Image.Image, scale: int, line: int) -> Image.Image:
    """The rim of a mask at a larger size; nothing where the mask ends with its box."""
    size = (mask.width * scale, mask.height * scale)
    kept = mask.resize(size, Image.Resampling.BICUBIC).point(lambda v: 255 * (v >= 128))
    inner = kept.filter(ImageFilter.MinFilter(2 * (line // 2) + 1))
    rim = ImageChops.subtract(kept, inner)
    within = Image.new("L", size)
    within.paste(255, (line, line, size[0] - line, size[1] - line))
    return ImageChops.multiply(rim, within)


def side_by_side(pictures: Sequence[Image.Image], gap: int = 4) -> Image.Image:
    """Pictures of one size in a row."""
    width, height = pictures[0].size
    row = Image.new("RGB", (len(pictures) * (width + gap) - gap, height), (255, 255, 255))
    for number, picture in enumerate(pictures):
        row.paste(picture, (number * (width + gap), 0))
    return row


def labelled_grid(
    title: str, tiles: Sequence[tuple[str, Image.Image]], columns: int = 10, tile: int = 160
) -> Image.Image:
    """Pictures of one shape, `tile` wide, each with a label below; after `columns` a new line."""
    gap, above, below = 6, 24, 16
    heights = [tile * picture.height // picture.width for _, picture in tiles]
    line = max(heights, default=0) + below + gap
    width = max(min(columns, len(tiles)) * (tile + gap), 640)
    row = Image.new("RGB", (width, above + -(-len(tiles) // columns) * line), "white")
    pen = ImageDraw.Draw(row)
    pen.text((2, 4), title, fill=INK, font_size=14)
    for number, ((label, picture), height) in enumerate(zip(tiles, heights, strict=True)):
        x, y = number % columns * (tile + gap), above + number // columns * line
        row.paste(picture.resize((tile, height), Image.Resampling.LANCZOS), (x, y))
        pen.text((x + 1, y + height + 1), label, fill=INK, font_size=11)
    return row


def stacked(parts: Sequence[Image.Image], gap: int = 0) -> Image.Image:
    """Pictures one above the other, on white."""
    width = max(part.width for part in parts)
    height = sum(part.height + gap for part in parts) - gap
    page = Image.new("RGB", (width, height), "white")
    top = 0
    for part in parts:
        page.paste(part, (0, top))
        top += part.height + gap
    return page
