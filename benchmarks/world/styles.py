"""Styles: what a finished sheet is turned into. All take and return uint8 (height, width, 3)."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
Numbers = NDArray[np.float32]
Style = Callable[[Picture, np.random.Generator], Picture]


def _picture(values: object) -> Picture:
    """Return values of 0 to 255 as a picture."""
    return np.asarray(np.clip(np.asarray(values), 0, 255), np.uint8)


def _blurred(values: Numbers, sigma: float) -> Numbers:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)


def _gray(picture: Picture) -> Numbers:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32) / np.float32(255)


def _paper(shape: tuple[int, ...], random: np.random.Generator, grain: float) -> Numbers:
    """Return the brightness of rough paper, around 1, (height, width)."""
    fine = random.normal(0, 1, shape[:2]).astype(np.float32)
    rough = 1 + grain * (
        0.6 * cv2.GaussianBlur(fine, (0, 0), 0.8) * 2
        + 0.4 * cv2.GaussianBlur(fine, (0, 0), 2.5) * 5
    )
    return np.asarray(rough, np.float32)


def _lines(gray: Numbers, sigma: float, gain: float) -> Numbers:
    """Return how strong a dark line is, 0 to 1: the difference of two blurs."""
    narrow, wide = (
        cv2.GaussianBlur(gray, (0, 0), sigma),
        cv2.GaussianBlur(gray, (0, 0), sigma * 2.2),
    )
    return np.asarray(np.clip((wide - narrow) * gain, 0, 1), np.float32)


def pencil(picture: Picture, random: np.random.Generator) -> Picture:
    """A pencil sketch: lines and hatching on paper, without colour."""
    gray = _gray(picture)
    height, width = gray.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    jitter = cv2.GaussianBlur(random.normal(0, 1, gray.shape).astype(np.float32), (0, 0), 6) * 9
    shade = cv2.GaussianBlur(gray, (0, 0), 1.2)
    ink = np.zeros_like(gray)
    for limit, angle, pitch in ((0.72, 0.8, 4.2), (0.48, 0.8, 3.1), (0.28, -0.75, 3.4)):
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle) + jitter) * 2 * np.pi / pitch)
        ink += np.clip((limit - shade) * 2.6, 0, 0.55) * np.clip(wave * 0.9 + 0.35, 0, 1)
    ink = np.clip(ink * 0.85 + _lines(gray, 0.9, 9.0), 0, 0.92)
    page = np.clip(0.965 * _paper(gray.shape, random, 0.012), 0, 1) * (
        1 - ink * (1 + 0.12 * random.normal(0, 1, gray.shape).astype(np.float32))
    )
    tint = np.array([1.0, 0.992, 0.97], np.float32)
    return _picture(np.clip(page, 0, 1)[..., None] * tint * 255)


def watercolour(picture: Picture, random: np.random.Generator) -> Picture:
    """A watercolour: washes that run, dark rims, white paper at the edges."""
    height, width = picture.shape[:2]
    flat = _picture(cv2.pyrMeanShiftFiltering(picture, 7, 26))
    flow = [
        cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 3) * 14
        for _ in range(2)
    ]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    flat = _picture(
        cv2.remap(flat, x + flow[0], y + flow[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    )
    colour = flat.astype(np.float32) / 255
    pigment = 1 - colour
    cloud = cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 9)
    cloud = 1 + 0.24 * cloud / (cloud.std() + 1e-6)
    rims = cv2.GaussianBlur(np.abs(cv2.Laplacian(_gray(flat), cv2.CV_32F, ksize=3)), (0, 0), 0.9)
    pigment = pigment * 0.8 * cloud[..., None] * (1 + np.clip(rims * 1.3, 0, 0.7)[..., None])
    inset = np.minimum(np.minimum(x, width - 1 - x), np.minimum(y, height - 1 - y))
    ragged = (
        inset
        + 5
        * cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), 4)
        * 4
    )
    pigment *= np.clip((ragged - 4) / 7, 0, 1)[..., None]
    page = (
        np.array([0.99, 0.985, 0.965], np.float32) * _paper(picture.shape, random, 0.022)[..., None]
    )
    return _picture((page - pigment) * 255)


def oil(picture: Picture, random: np.random.Generator) -> Picture:
    """An oil painting: short strokes along the edges, thick paint that catches the light."""
    height, width = picture.shape[:2]
    gray = cv2.GaussianBlur(_gray(picture), (0, 0), 2.0)
    dx, dy = cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)
    smooth = [cv2.GaussianBlur(part, (0, 0), 4) for part in (dx, dy)]
    canvas = _picture(cv2.GaussianBlur(picture, (0, 0), 3))
    relief = np.zeros((height, width), np.float32)
    boost = np.clip((picture.astype(np.float32) - 128) * 1.12 + 132, 0, 255)
    for size, step in ((9, 7), (5, 4), (2.6, 3)):
        soft = cv2.GaussianBlur(boost, (0, 0), size / 3)
        detail = np.abs(_gray(canvas) - _gray(soft.astype(np.uint8)))
        spots = [(a, b) for b in range(0, height, step) for a in range(0, width, step)]
        random.shuffle(spots)
        for a, b in spots:
            a = int(np.clip(a + random.integers(-step, step + 1), 0, width - 1))
            b = int(np.clip(b + random.integers(-step, step + 1), 0, height - 1))
            if size < 6 and detail[b, a] < 0.045:
                continue
            angle = (
                np.arctan2(smooth[1][b, a], smooth[0][b, a]) + np.pi / 2 + random.normal(0, 0.25)
            )
            tone = soft[b, a] + random.normal(0, 7)
            reach = size * random.uniform(0.8, 1.5)
            ends = [
                (int(a + way * reach * np.cos(angle)), int(b + way * reach * np.sin(angle)))
                for way in (-1, 1)
            ]
            cv2.line(
                canvas,
                ends[0],
                ends[1],
                tuple(float(c) for c in np.clip(tone, 0, 255)),
                max(1, int(size * 0.62)),
                cv2.LINE_AA,
            )
            cv2.line(
                relief,
                ends[0],
                ends[1],
                float(random.uniform(0, 1)),
                max(1, int(size * 0.62)),
                cv2.LINE_AA,
            )
    bump = cv2.GaussianBlur(relief, (0, 0), 0.7)
    light = np.roll(bump, 1, 0) - bump + np.roll(bump, 1, 1) - bump
    return _picture(canvas.astype(np.float32) + 26 * light[..., None])


def pop_art(picture: Picture, random: np.random.Generator) -> Picture:
    """Pop art: few loud colours, thick black lines, a screen of dots."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.float32)
    hsv[..., 1] = np.clip(
        np.where(hsv[..., 1] > 34, hsv[..., 1] * 1.8 + 40, hsv[..., 1] * 0.4), 0, 255
    )
    hsv[..., 2] = np.clip(hsv[..., 2] * 1.1 + 14, 0, 255)
    hsv[..., 0] = np.round(hsv[..., 0] / 15) * 15 % 180
    loud = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB)
    loud = (np.round(cv2.pyrMeanShiftFiltering(loud, 5, 28).astype(np.float32) / 64) * 64).clip(
        0, 255
    )
    gray = cv2.GaussianBlur(_gray(picture), (0, 0), 1.0)
    height, width = gray.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pitch = 5.2
    u, v = (x + y) / pitch, (x - y) / pitch
    dots = (np.cos(np.pi * u) * np.cos(np.pi * v)) ** 2
    screen = dots > np.clip(gray * 1.5 - 0.25, 0, 1)
    out = np.where((screen & (gray < 0.72))[..., None], loud * 0.62, loud)
    ink = _lines(_gray(picture), 1.4, 9.0)
    out *= 1 - np.clip(ink * 1.5, 0, 1)[..., None]
    return _picture(out)


def pixel_art(picture: Picture, random: np.random.Generator) -> Picture:
    """Pixel art: squares of four pixels in a small palette."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (width // 4, height // 4), interpolation=cv2.INTER_AREA)
    few = Image.fromarray(_picture(small)).quantize(18).convert("RGB")
    flat = _picture((np.asarray(few, np.float32) - 128) * 1.15 + 128)
    return _picture(cv2.resize(flat, (width, height), interpolation=cv2.INTER_NEAREST))


def neon(picture: Picture, random: np.random.Generator) -> Picture:
    """Neon at night: glowing lines on the dark."""
    gray = _gray(picture)
    lines = np.clip(
        _lines(gray, 1.0, 10.0)
        + 0.5
        * np.clip(np.abs(cv2.Laplacian(cv2.GaussianBlur(gray, (0, 0), 1.2), cv2.CV_32F)) * 5, 0, 1),
        0,
        1,
    )
    hsv = cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 3), cv2.COLOR_RGB2HSV).astype(np.float32)
    base = float(random.uniform(0, 180))
    hue = np.where(hsv[..., 1] > 50, hsv[..., 0], base + 40 * gray) % 180
    colour = (
        cv2.cvtColor(
            np.stack([hue, np.full_like(hue, 225), np.full_like(hue, 255)], -1).astype(np.uint8),
            cv2.COLOR_HSV2RGB,
        ).astype(np.float32)
        / 255
    )
    glow = cv2.GaussianBlur(lines, (0, 0), 5) * 1.5 + cv2.GaussianBlur(lines, (0, 0), 2) * 0.9
    night = np.array([0.045, 0.03, 0.11], np.float32) + 0.16 * (
        picture.astype(np.float32) / 255
    ) * np.array([0.6, 0.5, 1.0], np.float32)
    out = night + glow[..., None] * colour * 0.75 + lines[..., None] * (0.45 * colour + 0.55)
    return _picture(out * 255)


def black_and_white(picture: Picture, random: np.random.Generator) -> Picture:
    """A black and white picture with a little grain."""
    gray = np.clip((_gray(picture) - 0.5) * 1.15 + 0.5, 0, 1) + 0.02 * random.normal(
        0, 1, picture.shape[:2]
    )
    return np.repeat((np.clip(gray, 0, 1) * 255).astype(np.uint8)[..., None], 3, 2)


STYLES: dict[str, Style] = {
    "pencil sketch": pencil,
    "watercolour": watercolour,
    "oil painting": oil,
    "pop art": pop_art,
    "pixel art": pixel_art,
    "neon": neon,
    "black and white": black_and_white,
}
