"""Crops of drawings for the autoencoder, half of them around a head."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sow.benchmarks.world.processes import shared_by_cores
from sow.benchmarks.world.scenes import Drawing, make

SIDE = 128
CHUNK = 50
TRAINING = 10_000_000
"""The first seed of the scenes for training; tests and tables use smaller ones."""


def _crop(drawing: Drawing, random: Random) -> NDArray[np.uint8]:
    """Return a square of a drawing, uint8 (128, 128, 3)."""
    height, width = drawing.pixels.shape[:2]
    x, y = random.randint(0, width - SIDE), random.randint(0, height - SIDE)
    if drawing.scene.people and random.random() < 0.5:
        person = random.choice(drawing.scene.people).person
        x = round(person.x + random.uniform(-0.5, 0.5) * person.size - SIDE / 2)
        y = round(person.y + random.uniform(-0.5, 0.5) * person.size - SIDE / 2)
        x, y = min(max(x, 0), width - SIDE), min(max(y, 0), height - SIDE)
    return drawing.pixels[y : y + SIDE, x : x + SIDE]


def _chunk(first: int) -> tuple[int, NDArray[np.uint8]]:
    crops = [_crop(make(TRAINING + n), Random(f"crop {n}")) for n in range(first, first + CHUNK)]
    return first, np.stack(crops)


def render_crops(folder: Path, count: int) -> None:
    """Write `crops.npy`, uint8 (count, 128, 128, 3); count: a multiple of 50."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / "crops.part.npy"
    shape = (count, SIDE, SIDE, 3)
    store = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
    with tqdm(total=count, desc="crops", disable=None) as bar:
        for first, crops in shared_by_cores(_chunk, range(0, count, CHUNK)):
            store[first : first + CHUNK] = crops
            bar.update(CHUNK)
    store.flush()
    unfinished.rename(folder / "crops.npy")
