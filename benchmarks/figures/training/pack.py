"""Pack all parts as one checkpoint in half precision, in the layout of Stable Diffusion."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextModel

from sow.benchmarks.checkpoints import SD_SCHEDULE
from sow.benchmarks.figures.training.text import load_tokenizer

SOW_SETTINGS = {"negative_prompt": "", "encourage_prompt": "", "outside": "none"}
"""The captions know no bad pictures, so the words of the paper's negative prompt say nothing."""


def pack(folder: Path) -> None:
    """Write `bundle/`: what `sow` ships as `figures`.

    As diffusers' own pipeline, so that diffusers alone can load it too.
    """
    pipe = StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(folder / "vae-scaled"),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder"),
        tokenizer=load_tokenizer(folder),
        unet=UNet2DConditionModel.from_pretrained(folder / "unet"),
        scheduler=DDIMScheduler(**SD_SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    write_bundle(pipe, folder, SOW_SETTINGS)


def write_bundle(pipe: StableDiffusionPipeline, folder: Path, settings: dict[str, str]) -> None:
    """Write `bundle/` in half precision, with settings for `sow` and the words that it knows."""
    bundle = folder / "bundle"
    pipe.to(dtype=torch.float16).save_pretrained(bundle, safe_serialization=True)
    index = bundle / "model_index.json"
    about = json.loads(index.read_text(encoding="utf-8"))
    if settings:
        about["sow_settings"] = settings
    words = json.loads((folder / "words.json").read_text(encoding="utf-8"))
    about["sow_words"] = " ".join(words)
    index.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    size = sum(file.stat().st_size for file in bundle.rglob("*.safetensors"))
    print(f"{size / 1e6:.2f} MB of weights in {bundle}")
