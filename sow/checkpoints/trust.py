"""May a checkpoint on disk be trusted and run, and which of its files are loaded."""

from __future__ import annotations

import re
from pathlib import Path

from sow.checkpoints.facts import read_config
from sow.errors import ModelError

PARTS = ("unet", "vae", "text_encoder")
LIBRARIES = (None, "diffusers", "transformers", "stable_diffusion")
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def check_folder(folder: Path) -> None:
    """Whether a folder is a checkpoint this engine can run.

    Raises:
        ModelError: if it is none, is one of another kind, or has its weights only as pickles.
    """
    problem = folder_problem(folder)
    if problem:
        raise problem


def folder_problem(folder: Path) -> ModelError | None:
    """What is wrong with a folder as a checkpoint, or None."""
    index = read_config(folder, "model_index.json")
    if not index:
        return ModelError(
            f"{folder.name!r} has no readable model_index.json",
            "give a Stable Diffusion checkpoint in diffusers layout",
        )
    strange = [
        name
        for name, value in index.items()
        if isinstance(value, list) and not (len(value) == 2 and value[0] in LIBRARIES)
    ]
    if strange or any(folder.glob("*/*.py")):
        return ModelError(
            f"{folder.name!r} wants to run code of its own ({', '.join(strange) or 'a .py file'})",
            "only plain Stable Diffusion checkpoints are loaded",
        )
    missing = [part for part in PARTS if not index.get(part)]
    if missing or index.get("text_encoder_2") or index.get("text_encoder_3"):
        return ModelError(
            f"{folder.name!r} is a {index.get('_class_name', 'model of another kind')}",
            "only Stable Diffusion 1.x and 2.x can be run",
        )
    channels = read_config(folder / "unet").get("in_channels", 4)
    if channels != read_config(folder / "vae").get("latent_channels", 4):
        return ModelError(
            f"the UNet of {folder.name!r} has {channels} input channels (an inpainting model?)",
            "give a text-to-image checkpoint",
        )
    for part in PARTS:
        files = [file.name for file in (folder / part).glob("*") if file.exists()]
        if not any(file.endswith(".safetensors") for file in files):
            if any(file.endswith(PICKLES) for file in files):
                return ModelError(
                    f"{folder.name!r} has its {part} only as a pickle, which can run code",
                    "give a checkpoint with .safetensors files",
                )
            return ModelError(f"{folder.name!r} has no weights for its {part}", "get it again")
    for file in ("scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json"):
        if not (folder / file).is_file():
            return ModelError(f"{folder.name!r} has no {file}", "get it again")
    return None


def variant_of(folder: Path, half: bool) -> str | None:
    """Which files to load: `fp16`, or None for the plain ones; `half` prefers fp16."""

    def complete(wanted: bool) -> bool:
        return all(
            any(
                bool(re.search(r"\.fp16[.-]", file.name)) == wanted
                for file in (folder / part).glob("*.safetensors")
            )
            for part in PARTS
        )

    if complete(True) and (half or not complete(False)):
        return "fp16"
    return None
