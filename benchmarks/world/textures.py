"""Procedural textures: the statistics of natural pictures without a photograph.

An autoencoder that sees only drawings cannot hold a photographed face. These crops have what
drawings lack: overlapping shaded shapes of all sizes (dead leaves), 1/f noise, soft rims, blur.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sow.benchmarks.world.processes import shared_by_cores

SIDE = 128
CHUNK = 50
Numbers = NDArray[np.float32]


def _blurred(picture: Numbers, sigma: float) -> Numbers:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)


def _palette(random: np.random.Generator) -> Numbers:
    colours = random.uniform(0, 1, (int(random.integers(3, 12)), 3))
    if random.random() < 0.5:  # skin and earth, of any brightness
        warm = np.array([0.75, 0.55, 0.45]) * random.uniform(0.3, 1.3)
        colours = np.clip(colours * 0.45 + warm * 0.55, 0, 1)
    return colours.astype(np.float32)


def _leaf(random: np.random.Generator, side: int) -> Numbers:
    """Return the coverage of a random ellipse, polygon or stroke, 0 to 1."""
    radius = min(side * 0.6, side * 0.015 * (random.pareto(1.3) + 1))
    centre = random.uniform(0, side, 2)
    mask = np.zeros((side, side), np.uint8)
    shape = random.integers(3)
    if shape == 0:
        axes = (int(radius) + 1, int(radius * random.uniform(0.3, 1)) + 1)
        where = (int(centre[0]), int(centre[1]))
        cv2.ellipse(mask, where, axes, float(random.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)
    elif shape == 1:
        angles = np.sort(random.uniform(0, 2 * np.pi, int(random.integers(3, 8))))
        around = np.stack([np.cos(angles), np.sin(angles)], 1) * radius + centre
        cv2.fillPoly(mask, [around.astype(np.int32)], 255, cv2.LINE_AA)
    else:
        steps = random.normal(0, radius * 0.4 + 1, (int(random.integers(3, 9)), 2))
        line = (centre + np.cumsum(steps, 0)).astype(np.int32)
        width = int(random.integers(1, max(2, int(radius * 0.2) + 2)))
        cv2.polylines(mask, [line], False, 255, width, cv2.LINE_AA)
    cover: Numbers = mask.astype(np.float32) / np.float32(255)
    if random.random() < 0.4:
        cover = _blurred(cover, random.uniform(0.5, 5))
    return cover[..., None]


def texture(random: np.random.Generator, side: int = SIDE) -> NDArray[np.uint8]:
    """Return a crop, uint8 (side, side, 3)."""
    size = side * 3 // 2
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    colours = _palette(random)
    picture = np.ones((size, size, 3), np.float32) * random.uniform(0, 1, 3).astype(np.float32)
    for _ in range(int(random.integers(8, 160))):
        cover = _leaf(random, size)
        colour = colours[random.integers(len(colours))] + random.normal(0, 0.06, 3)
        slope = random.normal(0, 0.35, 2)
        shading = (x * slope[0] + y * slope[1])[..., None]
        picture = picture * (1 - cover) + cover * (colour + shading).astype(np.float32)
    if random.random() < 0.7:
        picture += _pink_noise(random, size)
    if random.random() < 0.5:
        picture *= (1 + random.normal(0, 0.25) * x + random.normal(0, 0.25) * y)[..., None]
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    picture = np.asarray(small, np.float32)
    if random.random() < 0.3:
        picture = _blurred(picture, random.uniform(0.3, 1.5))
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def _pink_noise(random: np.random.Generator, size: int) -> Numbers:
    frequency = np.fft.fftfreq(size)
    radius = np.sqrt(frequency[:, None] ** 2 + frequency[None] ** 2) + 1 / size
    spectrum = np.fft.fft2(random.normal(size=(size, size))) / radius ** random.uniform(0.6, 1.4)
    noise = np.real(np.fft.ifft2(spectrum))
    noise /= noise.std() + 1e-6
    tint = 1 if random.random() < 0.6 else random.uniform(0.5, 1.5, 3)
    return (noise[..., None] * random.uniform(0.01, 0.12) * tint).astype(np.float32)


def _chunk(seeds: range) -> NDArray[np.uint8]:
    return np.stack([texture(np.random.default_rng(seed)) for seed in seeds])


def render_textures(folder: Path, count: int) -> None:
    """Write `textures.npy`, uint8 (count, 128, 128, 3)."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "textures.part.npy"
    shape = (count, SIDE, SIDE, 3)
    store = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
    chunks = [range(n, min(n + CHUNK, count)) for n in range(0, count, CHUNK)]
    with tqdm(total=count, desc="textures", disable=None) as bar:
        for seeds, crops in zip(chunks, shared_by_cores(_chunk, chunks), strict=True):
            store[seeds.start : seeds.stop] = crops
            bar.update(len(seeds))
    store.flush()
    unfinished.rename(folder / "textures.npy")
