"""Render scenes and encode them at once."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from tqdm import tqdm

from sow.benchmarks.figures.training.latents import SCALING, fold_scale
from sow.benchmarks.figures.training.text import load_tokenizer, tokenize
from sow.benchmarks.figures.training.vae import as_tensor
from sow.benchmarks.world.captions import caption
from sow.benchmarks.world.scenes import Drawing, make
from sow.benchmarks.world.training.crops import TRAINING
from sow.benchmarks.world.training.store import CAPTIONS, Encoded, Store

CHUNK = 60
"""Scenes that are encoded, and written, together."""
MEASURED = 3000
"""Scenes from which the mean and deviation of the latents are taken."""


class Encoder:
    """Renders scenes and encodes them.

    vae: the name of the autoencoder's folder, `vae` or `vae-scaled`; only latents of the latter are
    multiplied by SCALING.
    """

    def __init__(self, folder: Path, vae: str) -> None:
        model = AutoencoderKL.from_pretrained(folder / vae).eval()
        self.vae = model.to(memory_format=torch.channels_last)
        self.tokenizer = load_tokenizer(folder)
        self.factor = SCALING if vae == "vae-scaled" else 1.0

    def chunk(self, first: int) -> list[Encoded]:
        """Return the scenes of a chunk, by shape."""
        by_shape: dict[tuple[int, ...], list[Drawing]] = {}
        for seed in range(TRAINING + first, TRAINING + first + CHUNK):
            drawing = make(seed)
            by_shape.setdefault(drawing.pixels.shape, []).append(drawing)
        return [self._encoded(drawings) for drawings in by_shape.values()]

    def _encoded(self, drawings: list[Drawing]) -> Encoded:
        scenes = [drawing.scene for drawing in drawings]
        captions = [caption(scene, n) for scene in scenes for n in range(CAPTIONS)]
        tokens = np.array(tokenize(self.tokenizer, captions), np.int16)
        return Encoded(
            self._latents(np.stack([drawing.pixels for drawing in drawings])),
            tokens.reshape(len(scenes), CAPTIONS, -1),
            np.array([scene.seed for scene in scenes], np.int64),
        )

    @torch.no_grad()
    def _latents(self, pictures: NDArray[np.uint8]) -> NDArray[np.float16]:
        found = []
        for start in range(0, len(pictures), 8):
            x = as_tensor(pictures[start : start + 8])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                mean = self.vae.encode(x).latent_dist.mean
            found.append(mean.float() * self.factor)
        return np.asarray(torch.cat(found).numpy(), np.float16)


_process: dict[str, Encoder] = {}
"""The encoder of a process that encodes."""


def latents_folder(folder: Path) -> Path:
    """Return the folder of the encoded scenes."""
    return folder / "latents"


def encode(folder: Path, scenes: int, workers: int = 2) -> None:
    """Write `latents/` (see `Store`), and before it `vae-scaled/`.

    scenes: how many there shall be, those that are there included. workers: processes, each with
    one thread; 0 encodes in this one.
    """
    if not (folder / "vae-scaled").exists():
        _scale(folder, min(scenes, MEASURED), workers)
    store = Store(latents_folder(folder))
    firsts = range(store.scenes, scenes, CHUNK)
    bar = tqdm(total=scenes, initial=store.scenes, desc="latents", disable=None)
    for encoded in _chunks(folder, "vae-scaled", firsts, workers):
        store.append(CHUNK, encoded)
        bar.update(CHUNK)
    print(f"{store.scenes} scenes: {store.rows}", flush=True)


def _scale(folder: Path, scenes: int, workers: int) -> None:
    """Write `vae-scaled/`, whose latents times SCALING have mean 0 and deviation 1."""
    count, total, squares = 0, np.zeros(()), np.zeros(())
    bar = tqdm(total=scenes, desc="spread of the latents", disable=None)
    for encoded in _chunks(folder, "vae", range(0, scenes, CHUNK), workers):
        for part in encoded:
            values = part.latents.astype(np.float64)
            count += values[:, 0].size
            total = total + values.sum((0, 2, 3))
            squares = squares + np.square(values).sum((0, 2, 3))
        bar.update(CHUNK)
    mean = total / count
    deviation = np.sqrt(squares / count - mean**2)
    vae = AutoencoderKL.from_pretrained(folder / "vae")
    fold_scale(vae, torch.from_numpy(mean).float(), torch.from_numpy(deviation).float())
    unfinished = folder / "vae-scaled.part"
    vae.save_pretrained(unfinished)
    unfinished.rename(folder / "vae-scaled")
    print(f"latents before scaling: mean {mean.round(3)}, deviation {deviation.round(3)}")


def _chunks(folder: Path, vae: str, firsts: range, workers: int) -> Iterator[list[Encoded]]:
    """Yield the encoded chunks that begin at these numbers, in their order."""
    if workers == 0:
        yield from map(Encoder(folder, vae).chunk, firsts)
        return
    # Forked processes of a program that has used torch's threads may hang.
    with get_context("spawn").Pool(workers, _start, (folder, vae)) as pool:
        yield from pool.imap(_chunk, firsts)


def _start(folder: Path, vae: str) -> None:
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    _process["encoder"] = Encoder(folder, vae)


def _chunk(first: int) -> list[Encoded]:
    return _process["encoder"].chunk(first)
