"""Latents on disk: one growing file per shape, readable while it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CAPTIONS = 4
"""Captions per scene, of more and less detail."""


@dataclass(frozen=True)
class Encoded:
    """Scenes of one shape, encoded.

    latents: float16 (n, channels, height, width), scaled to a variance of one. tokens: int16
    (n, CAPTIONS, length). seeds: int64 (n,), of the scenes.
    """

    latents: NDArray[np.float16]
    tokens: NDArray[np.int16]
    seeds: NDArray[np.int64]

    @property
    def shape(self) -> str:
        """The name of the latents' shape, width x height, such as `32x32`."""
        height, width = self.latents.shape[2:]
        return f"{width}x{height}"


class Store:
    """The encoded scenes of a folder.

    Three files per shape, and `progress.json`, which says how many rows of them are whole. It is
    written last, so that an interrupted run goes on, and training can begin on what is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scenes = 0
        self.rows: dict[str, int] = {}
        self.sizes: dict[str, list[list[int]]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read how much there is now."""
        progress = self.folder / "progress.json"
        if progress.exists():
            about = json.loads(progress.read_text(encoding="utf-8"))
            self.scenes, self.rows, self.sizes = about["scenes"], about["rows"], about["sizes"]

    def _files(self, shape: str) -> list[Path]:
        return [self.folder / f"{shape}.{kind}" for kind in ("latents", "tokens", "seeds")]

    def append(self, scenes: int, encoded: list[Encoded]) -> None:
        """Add a chunk: so many scenes, by shape."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for chunk in encoded:
            shape = chunk.shape
            arrays: list[NDArray[Any]] = [chunk.latents, chunk.tokens, chunk.seeds]
            there = self.rows.get(shape, 0)
            for path, array in zip(self._files(shape), arrays, strict=True):
                with path.open("r+b" if path.exists() else "wb") as file:
                    file.truncate(there * array[0].nbytes)  # drop what a broken run left
                    file.seek(0, 2)
                    file.write(np.ascontiguousarray(array).tobytes())
            self.rows[shape] = there + len(chunk.latents)
            self.sizes[shape] = [list(array.shape[1:]) for array in arrays]
        self.scenes += scenes
        unfinished = self.folder / "progress.part.json"
        about = {"scenes": self.scenes, "rows": self.rows, "sizes": self.sizes}
        unfinished.write_text(json.dumps(about), encoding="utf-8")
        unfinished.replace(self.folder / "progress.json")

    def read(self, shape: str) -> Encoded:
        """Return everything of a shape, memory-mapped."""
        rows, files = self.rows[shape], self._files(shape)
        latents, tokens, seeds = ((rows, *size) for size in self.sizes[shape])
        return Encoded(
            np.memmap(files[0], np.float16, "r", shape=latents),
            np.memmap(files[1], np.int16, "r", shape=tokens),
            np.memmap(files[2], np.int64, "r", shape=seeds),
        )
