"""The published configurations of Stable Diffusion, bundled for checkpoints in a single file.

A single file holds tensors only. diffusers would ask the hub for the rest, for Stable Diffusion 2.x
in a repository that no longer exists.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from sow.checkpoints.fingerprint import fingerprint
from sow.errors import OutputError
from sow.utils.files import cache_folder, read_json_object, write_text

PredictionType = Literal["epsilon", "v_prediction"]
BUNDLED_CONFIGS = Path(__file__).parents[1] / "bundled" / "stable-diffusion"
PUBLISHED: dict[str, tuple[str, PredictionType]] = {
    "sd1": ("sd1", "epsilon"),
    "sd1-v": ("sd1", "v_prediction"),
    "sd2-base": ("sd2", "epsilon"),
    "sd2-v": ("sd2", "v_prediction"),
    "sdxl": ("sdxl", "epsilon"),
}
"""The bundled configurations: the family of models, and what the UNet predicts.

Stability AI published 2.0 and 2.1 twice: -base predicts epsilon at 512 px, the other v at 768 px.
"""
MAX_REMEMBERED = 1000


def published_folder(name: str) -> Path:
    """Return the folder of a bundled configuration; its tokenizer is made by `load_tokenizers`."""
    return BUNDLED_CONFIGS / name


def published_name(base: str, prediction: str) -> str | None:
    """Return the bundled configuration of a family and a prediction type, or None."""
    known = [name for name, value in PUBLISHED.items() if value == (base, prediction)]
    return known[0] if known else None


def load_tokenizers(name: str) -> dict[str, Any]:
    """Return CLIP's tokenizers as a bundled configuration uses them, by their components.

    That of OpenCLIP pads with `!`: 2.x's only one, and SDXL's second.
    """
    from transformers import CLIPTokenizer

    openai, openclip = "<|endoftext|>", "!"
    pads = {
        "sd1": {"tokenizer": openai},
        "sd2": {"tokenizer": openclip},
        "sdxl": {"tokenizer": openai, "tokenizer_2": openclip},
    }[PUBLISHED[name][0]]
    return {
        part: CLIPTokenizer.from_pretrained(
            BUNDLED_CONFIGS / "tokenizer", model_max_length=77, pad_token=pad
        )
        for part, pad in pads.items()
    }


def remembered_prediction(file: Path) -> PredictionType | None:
    """Return what a probing step has found out about a file before, or None."""
    known = read_json_object(_memory())
    if not known:  # spares hashing the file
        return None
    value = known.get(fingerprint(file))
    return value if value in ("epsilon", "v_prediction") else None


def remember_prediction(file: Path, prediction: PredictionType) -> None:
    """Keep what a file predicts; if that fails, it is probed again next time."""
    known = {**read_json_object(_memory()), fingerprint(file): prediction}
    with suppress(OSError, OutputError):
        _memory().parent.mkdir(parents=True, exist_ok=True)
        latest = dict(list(known.items())[-MAX_REMEMBERED:])
        write_text(json.dumps(latest), _memory(), force=True)


def _memory() -> Path:
    return cache_folder() / "predictions.json"
