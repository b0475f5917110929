"""The sheet that everything is drawn on: colours, and for every pixel the part drawn last."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypedDict, Unpack

import numpy as np
import skia
from numpy.typing import NDArray

Colour = tuple[int, int, int]
Point = tuple[float, float]

INK: Colour = (58, 42, 40)


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Return a colour between two: 0 is the first, 1 the second."""
    red, green, blue = (
        max(0, min(255, round(a + (b - a) * share))) for a, b in zip(colour, other, strict=True)
    )
    return red, green, blue


def darker(colour: Colour, share: float = 0.3) -> Colour:
    """Return a darker colour, a little towards blue, as shadows are."""
    return mix(colour, (24, 18, 44), share)


def lighter(colour: Colour, share: float = 0.3) -> Colour:
    """Return a lighter colour, a little towards yellow, as lights are."""
    return mix(colour, (255, 252, 238), share)


def ink_for(colour: Colour) -> Colour:
    """Return the colour of a shape's outline."""
    return mix(darker(colour, 0.45), INK, 0.45)


def _argb(colour: Colour, alpha: float = 1.0) -> int:
    return int(skia.Color(*colour, max(0, min(255, round(alpha * 255)))))


def smooth(points: Sequence[Point], closed: bool = True) -> skia.Path:
    """Return a smooth path through points (Catmull-Rom)."""
    path = skia.Path()
    count = len(points)
    path.moveTo(*points[0])
    for n in range(count if closed else count - 1):
        if closed:
            p0, p1, p2, p3 = (points[(n + k) % count] for k in (-1, 0, 1, 2))
        else:
            p0, p1 = points[max(n - 1, 0)], points[n]
            p2, p3 = points[n + 1], points[min(n + 2, count - 1)]
        first = (p1[0] + (p2[0] - p0[0]) / 6, p1[1] + (p2[1] - p0[1]) / 6)
        second = (p2[0] - (p3[0] - p1[0]) / 6, p2[1] - (p3[1] - p1[1]) / 6)
        path.cubicTo(*first, *second, *p2)
    if closed:
        path.close()
    return path


def polygon(points: Sequence[Point]) -> skia.Path:
    """Return a path with straight sides."""
    path = skia.Path()
    path.addPoly([skia.Point(*point) for point in points], True)
    return path


def ellipse(x: float, y: float, across: float, down: float | None = None) -> skia.Path:
    """Return an ellipse with the given centre and half axes."""
    down = across if down is None else down
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(x - across, y - down, x + across, y + down))
    return path


def rectangle(
    left: float, top: float, right: float, bottom: float, rounded: float = 0
) -> skia.Path:
    """Return a rectangle, its corners rounded by a radius."""
    path = skia.Path()
    path.addRoundRect(skia.Rect.MakeLTRB(left, top, right, bottom), rounded, rounded)
    return path


def line(points: Sequence[Point], width: float, smoothed: bool = True) -> skia.Path:
    """Return the outline of a stroke with round ends through points."""
    path = skia.Path()
    if smoothed and len(points) > 2:
        path = smooth(points, closed=False)
    else:
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
    paint = skia.Paint(
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )
    outline = skia.Path()
    paint.getFillPath(path, outline)
    try:
        return skia.Simplify(outline)
    except RuntimeError:  # Skia gives up on some loops; the stroke is right without it too
        return outline


def taper(points: Sequence[Point], widths: Sequence[float]) -> skia.Path:
    """Return a stroke whose width changes along its points, as a brush draws it."""
    left, right = [], []
    for n, (x, y) in enumerate(points):
        before, after = points[max(n - 1, 0)], points[min(n + 1, len(points) - 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        nx, ny = -dy / length * widths[n] / 2, dx / length * widths[n] / 2
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return smooth([*left, *reversed(right)])


def _combined(path: skia.Path, other: skia.Path, way: skia.PathOp) -> skia.Path:
    """Combine two paths; magnified, because Skia's arithmetic is meant for pixels."""
    large, back = skia.Matrix.Scale(64, 64), skia.Matrix.Scale(1 / 64, 1 / 64)
    first, second = skia.Path(path), skia.Path(other)
    first.transform(large)
    second.transform(large)
    try:
        result = skia.Op(first, second, way)
    except RuntimeError:
        return path
    result.transform(back)
    return result


def joined(*paths: skia.Path) -> skia.Path:
    """Return the union of paths."""
    union = paths[0]
    for path in paths[1:]:
        union = _combined(union, path, skia.PathOp.kUnion_PathOp)
    return union


def without(path: skia.Path, *others: skia.Path) -> skia.Path:
    """Return a path less others."""
    for other in others:
        path = _combined(path, other, skia.PathOp.kDifference_PathOp)
    return path


@dataclass(frozen=True)
class Light:
    """Where light comes from and what colour it has.

    x, y: the direction towards the light, (-0.6, -0.8) is from the upper left. strength: 0 is flat,
    1 hard. colour, shadow: of what is lit and of what is not.
    """

    x: float = -0.55
    y: float = -0.8
    strength: float = 0.5
    colour: Colour = (255, 246, 226)
    shadow: Colour = (40, 34, 74)


class Sheet:
    """A sheet of paper and its map of parts.

    Everything is drawn twice: in colour, and as its part's number without smoothing. Coordinates
    are pixels unless `at` moves and scales them.
    """

    def __init__(self, width: int, height: int, light: Light | None = None) -> None:
        self.width, self.height = width, height
        self.light = light or Light()
        self.surface = skia.Surface(width, height)
        self.canvas = self.surface.getCanvas()
        self.canvas.clear(skia.ColorWHITE)
        self.label_surface = skia.Surface(width, height)
        self.labels = self.label_surface.getCanvas()
        self.labels.clear(skia.ColorBLACK)
        self.parts: list[str] = ["paper"]
        self.part = 0
        self.scale = 1.0

    # ------------------------------------------------------------------ where and what

    @contextmanager
    def named(self, part: str) -> Iterator[None]:
        """Give what is drawn meanwhile a part's name, such as `face` or `hat`."""
        before = self.part
        if part not in self.parts:
            self.parts.append(part)
        self.part = self.parts.index(part)
        yield
        self.part = before

    @contextmanager
    def at(
        self, x: float, y: float, scale: float = 1.0, turn: float = 0.0, mirrored: bool = False
    ) -> Iterator[None]:
        """Draw with another origin, scale and turn (degrees), or mirrored."""
        for canvas in (self.canvas, self.labels):
            canvas.save()
            canvas.translate(x, y)
            canvas.rotate(turn)
            canvas.scale(-scale if mirrored else scale, scale)
        before, self.scale = self.scale, self.scale * scale
        yield
        self.scale = before
        for canvas in (self.canvas, self.labels):
            canvas.restore()

    @contextmanager
    def clipped(self, path: skia.Path) -> Iterator[None]:
        """Draw only inside a path."""
        for canvas, smoothed in ((self.canvas, True), (self.labels, False)):
            canvas.save()
            canvas.clipPath(path, skia.ClipOp.kIntersect, smoothed)
        yield
        for canvas in (self.canvas, self.labels):
            canvas.restore()

    # ------------------------------------------------------------------ shapes

    def fill(
        self,
        path: skia.Path,
        colour: Colour,
        *,
        outline: Colour | bool | None = True,
        width: float = 1.1,
        volume: float = 0.5,
        alpha: float = 1.0,
        to: Colour | None = None,
    ) -> None:
        """Fill a path, shade it as something round, and draw its outline.

        outline: a colour, True for one that suits, None or False for none. width: of the outline,
        in pixels. volume: how round it looks, 0 is flat. to: the colour at its lower end, if that
        is another one.
        """
        bounds = path.getBounds()
        paint = skia.Paint(AntiAlias=True, Color=_argb(colour, alpha))
        if to is not None:
            ends = [
                skia.Point(bounds.left(), bounds.top()),
                skia.Point(bounds.left(), bounds.bottom()),
            ]
            colours = [_argb(colour, alpha), _argb(to, alpha)]
            paint.setShader(skia.GradientShader.MakeLinear(ends, colours))
        self.canvas.drawPath(path, paint)
        if volume and self.light.strength:
            self._shade(path, bounds, volume * self.light.strength * alpha)
        if outline is True:
            outline = ink_for(colour)
        if outline:
            self._stroke(path, outline, width, alpha)
        if alpha > 0.5:
            self._label(path)

    def _shade(self, path: skia.Path, bounds: skia.Rect, amount: float) -> None:
        """Lighten the side towards the light and darken the other."""
        middle, reach = skia.Point(bounds.centerX(), bounds.centerY()), 0.55
        dx, dy = self.light.x * bounds.width() * reach, self.light.y * bounds.height() * reach
        ends = [
            skia.Point(middle.x() + dx, middle.y() + dy),
            skia.Point(middle.x() - dx, middle.y() - dy),
        ]
        colours = [
            _argb(self.light.colour, 0.55 * amount),
            _argb(self.light.colour, 0.0),
            _argb(self.light.shadow, 0.0),
            _argb(self.light.shadow, 0.62 * amount),
        ]
        shader = skia.GradientShader.MakeLinear(ends, colours, [0.0, 0.42, 0.5, 1.0])
        self.canvas.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))

    def _stroke(self, path: skia.Path, colour: Colour, width: float, alpha: float = 1.0) -> None:
        paint = skia.Paint(
            AntiAlias=True,
            Color=_argb(colour, alpha),
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=width / self.scale,
            StrokeJoin=skia.Paint.kRound_Join,
        )
        self.canvas.drawPath(path, paint)

    def _label(self, path: skia.Path) -> None:
        # The number is the red and the green channel.
        colour = skia.Color(self.part % 256, self.part // 256, 0)
        self.labels.drawPath(path, skia.Paint(AntiAlias=False, Color=colour))

    def stroke(
        self,
        points: Sequence[Point],
        colour: Colour,
        width: float,
        *,
        alpha: float = 1.0,
        smoothed: bool = True,
        flat: bool = True,
    ) -> None:
        """Draw a line with round ends; `width` in the current units."""
        path = line(points, width, smoothed)
        if flat:
            self.fill(path, colour, outline=None, volume=0, alpha=alpha)
        else:
            self.fill(path, colour, alpha=alpha)

    def brush(
        self, points: Sequence[Point], widths: Sequence[float], colour: Colour, alpha: float = 1.0
    ) -> None:
        """Draw a line whose width changes."""
        self.fill(taper(points, widths), colour, outline=None, volume=0, alpha=alpha)

    def glow(self, x: float, y: float, radius: float, colour: Colour, alpha: float = 0.8) -> None:
        """Lay soft light, or soft colour, on what is there. Changes no part."""
        shader = skia.GradientShader.MakeRadial(
            skia.Point(x, y), radius, [_argb(colour, alpha), _argb(colour, 0.0)]
        )
        self.canvas.drawCircle(x, y, radius, skia.Paint(AntiAlias=True, Shader=shader))

    def shadow(self, path: skia.Path, alpha: float = 0.3, blur: float = 3.0) -> None:
        """Lay a soft shadow on what is there. `blur` in the current units. Changes no part."""
        paint = skia.Paint(
            AntiAlias=True,
            Color=_argb(self.light.shadow, alpha),
            MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur),
        )
        self.canvas.drawPath(path, paint)

    def sky(
        self, top: Colour, bottom: Colour, horizon: float, middle: Colour | None = None
    ) -> None:
        """Fill the sheet down to a height with colours that change from top to bottom."""
        colours = [top, *([middle] if middle else []), bottom]
        shader = skia.GradientShader.MakeLinear(
            [skia.Point(0, 0), skia.Point(0, horizon)], [_argb(colour) for colour in colours]
        )
        area = rectangle(0, 0, self.width, horizon)
        self.canvas.drawPath(area, skia.Paint(Shader=shader))
        self._label(area)

    def wash(self, colour: Colour, alpha: float, mode: skia.BlendMode | None = None) -> None:
        """Tint the whole sheet: multiply by default. Changes no part."""
        paint = skia.Paint(Color=_argb(colour, alpha), BlendMode=mode or skia.BlendMode.kMultiply)
        self.canvas.drawPaint(paint)

    # ------------------------------------------------------------------ results

    def pixels(self) -> NDArray[np.uint8]:
        """Return the colours, uint8 (height, width, 3)."""
        return np.ascontiguousarray(
            self.surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3]
        )

    def part_map(self) -> NDArray[np.uint16]:
        """Return the number of each pixel's part, an index into `parts`, (height, width)."""
        labels = self.label_surface.toarray(colorType=skia.kRGBA_8888_ColorType)
        low, high = labels[..., 0].astype(np.uint16), labels[..., 1].astype(np.uint16)
        return np.asarray(low + 256 * high, np.uint16)

    def mask(self, *parts: str) -> NDArray[np.bool_]:
        """Return where any of the parts is visible, bool (height, width)."""
        numbers = [self.parts.index(part) for part in parts if part in self.parts]
        return np.isin(self.part_map(), numbers)


class FillOptions(TypedDict, total=False):
    """The options of `Sheet.fill`, without the width of the outline."""

    outline: Colour | bool | None
    volume: float
    alpha: float
    to: Colour | None


class Figure:
    """Something on a sheet whose outlines have the width that suits its size."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.line = max(0.9, min(1.6, sheet.scale * 0.028))

    def fill(
        self,
        path: skia.Path,
        colour: Colour,
        *,
        width: float | None = None,
        **options: Unpack[FillOptions],
    ) -> None:
        """Fill a path, as `Sheet.fill`; width: of the outline in pixels, by default `line`."""
        self.sheet.fill(path, colour, width=self.line if width is None else width, **options)
