"""Make the pictures of studies, each only once.

A picture is found again by all that it depends on: what is planted, its plan, settings and seed,
the size of its batch, the model's weights, the versions, and the code of the engine itself. So a
study that was interrupted goes on, rows that agree share their pictures, and one that was made by
other code is never taken for this one's.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from weakref import WeakKeyDictionary

import diffusers
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import sow
from sow.benchmarks.output import bar
from sow.pictures.condition import Condition
from sow.pipeline.pipeline import SowPipeline
from sow.plan.plan import Plan
from sow.service.results import GenerationSpec
from sow.settings.settings import Settings
from sow.utils.files import make_folder, write_png

BATCH = 10
ENGINE = (
    "attention", "backbones", "diffusion", "pictures", "pipeline", "plan", "settings", "utils",
)  # fmt: skip
"""The folders in `sow/` that, with the files beside them, decide the pixels of a given plan."""
SECONDS = "seconds"
"""What is cached in a picture's file: the processor's time that it took."""


@dataclass(frozen=True)
class PictureSpec:
    """A picture to make.

    condition: what is planted, or the picture that it is cut from; None where nothing is.
    """

    condition: Condition | Image.Image | None
    plan: Plan
    settings: Settings
    seed: int

    @classmethod
    def of(cls, spec: GenerationSpec, seed: int) -> PictureSpec:
        """Return the picture that `sow generate` would make."""
        return cls(spec.condition, spec.plan, spec.settings, seed)

    @property
    def key(self) -> str:
        """A hash of everything in the specification."""
        texts = [self.plan.model_dump_json(), self.settings.model_dump_json(), str(self.seed)]
        parts = [part.encode() for part in texts]
        if isinstance(self.condition, Condition):
            parts += [self.condition.picture.tobytes(), self.condition.mask.tobytes()]
        elif self.condition is not None:
            parts += [str(self.condition.size).encode(), self.condition.tobytes()]
        return digest(*parts)


@dataclass(frozen=True)
class Generated:
    """Pictures, and the CPU seconds that all of them took when made."""

    images: list[Image.Image]
    seconds: float


def generate(
    pipe: SowPipeline,
    wanted: Sequence[PictureSpec],
    pictures: Path | None = None,
    batch: int = BATCH,
) -> Generated:
    """Make one picture per specification; the same always gives the same.

    pictures: the folder where they are cached; without one nothing is cached. batch: how many are
    made at a time.
    """

    def make(part: slice) -> list[Image.Image]:
        chosen = wanted[part]
        images: list[Image.Image] = pipe(
            image=[one.condition for one in chosen],
            plan=[one.plan for one in chosen],
            settings=[one.settings for one in chosen],
            generator=[torch.Generator().manual_seed(one.seed) for one in chosen],
        ).images
        return images

    return cached(pipe, [one.key for one in wanted], make, pictures, batch)


def cached(
    pipe: SowPipeline,
    keys: Sequence[str],
    make: Callable[[slice], Sequence[Image.Image]],
    pictures: Path | None,
    batch: int,
) -> Generated:
    """Return a picture per key, from the folder if the whole batch is there, else newly made.

    make: is given the places of a batch.
    """
    found: list[tuple[Image.Image, float]] = []
    for start in bar(range(0, len(keys), batch), "pictures"):
        part = slice(start, start + batch)
        # In a batch of another size sums are rounded otherwise.
        marks = [digest(key.encode(), str(len(keys[part])).encode()) for key in keys[part]]
        files = [pictures / _origin(pipe) / f"{mark}.png" for mark in marks] if pictures else []
        there = [_read(file) for file in files]
        if files and all(one is not None for one in there):
            found += [one for one in there if one is not None]
            continue
        started = time.process_time()
        images = make(part)
        each = (time.process_time() - started) / len(images)
        found += [(image, each) for image in images]
        for file, image in zip(files, images, strict=bool(files)):
            _write(image, each, file)
    return Generated([image for image, _ in found], sum(seconds for _, seconds in found))


def digest(*parts: bytes) -> str:
    """Return a short hash of several parts."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(len(part).to_bytes(8, "big") + part)
    return hasher.hexdigest()[:32]


def _read(file: Path) -> tuple[Image.Image, float] | None:
    """Return a cached picture and its seconds; None if missing or damaged."""
    try:
        with Image.open(file) as picture:
            image = picture.convert("RGB")
            return image, float(picture.info[SECONDS])
    except (OSError, KeyError, ValueError, SyntaxError):
        return None


def _write(image: Image.Image, seconds: float, file: Path) -> None:
    below = file.parents[2]  # the folder of the study, which contains that of its pictures
    make_folder(file.parent, "give another out=", below=below)
    info = PngInfo()
    info.add_text(SECONDS, repr(seconds))
    write_png(image, file, force=True, info=info, below=below)


_models: WeakKeyDictionary[SowPipeline, str] = WeakKeyDictionary()


def _origin(pipe: SowPipeline) -> str:
    """Return the folder name for these weights, versions and this code."""
    if pipe not in _models:
        _models[pipe] = digest(*_weights(pipe))
    versions = f"{torch.__version__} {diffusers.__version__} {pipe.unet.dtype} {pipe.device}"
    return digest(_models[pipe].encode(), versions.encode(), _code().encode())[:16]


def _weights(pipe: SowPipeline) -> Iterator[bytes]:
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        for name, weights in part.state_dict().items():
            yield name.encode()
            yield weights.detach().cpu().float().contiguous().numpy().tobytes()


@cache
def _code() -> str:
    """Return a hash of the engine's code: pictures of other code are not reused."""
    assert sow.__file__ is not None
    home = Path(sow.__file__).parent
    files = [file for name in ENGINE for file in sorted((home / name).rglob("*.py"))]
    files += sorted(home.glob("*.py"))
    return digest(*(file.read_bytes() for file in files))
