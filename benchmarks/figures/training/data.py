"""The training pictures and captions."""

from __future__ import annotations

import json
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sow.benchmarks.figures.world.drawing import TRAINING, make
from sow.benchmarks.figures.world.paper import SIZE

CHUNK = 200
HELD_BACK = 256
"""The last pictures of the set are for measuring, not for training."""


def _drawing_chunk(first: int) -> tuple[int, NDArray[np.uint8], list[str]]:
    """Return the pictures and captions of one chunk of seeds."""
    drawings = [make(TRAINING + seed) for seed in range(first, first + CHUNK)]
    pictures = np.stack([np.asarray(drawing.image) for drawing in drawings])
    return first, pictures, [drawing.caption.text for drawing in drawings]


def render(folder: Path, pictures: int) -> None:
    """Write `pictures.npy`, uint8 (pictures, 128, 128, 3), and `captions.json`.

    pictures: how many, a multiple of 200. The same number gives the same files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shape = (pictures, SIZE, SIZE, 3)
    unfinished = folder / "pictures.part.npy"
    store = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
    captions = [""] * pictures
    with Pool() as pool, tqdm(total=pictures, desc="pictures", disable=None) as bar:
        for first, drawn, texts in pool.imap_unordered(_drawing_chunk, range(0, pictures, CHUNK)):
            store[first : first + CHUNK] = drawn
            captions[first : first + CHUNK] = texts
            bar.update(CHUNK)
    store.flush()
    (folder / "captions.json").write_text(json.dumps(captions), encoding="utf-8")
    unfinished.rename(folder / "pictures.npy")


def load_pictures(folder: Path) -> NDArray[np.uint8]:
    """Return the pictures, memory-mapped."""
    store: NDArray[np.uint8] = np.load(folder / "pictures.npy", mmap_mode="r")
    return store


def load_captions(folder: Path) -> list[str]:
    """Return the captions, in the order of the pictures."""
    captions: list[str] = json.loads((folder / "captions.json").read_text(encoding="utf-8"))
    return captions
