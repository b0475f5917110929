"""Pack all parts as one checkpoint in half precision, in the layout of Stable Diffusion."""

from __future__ import annotations

from pathlib import Path

from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel

from sow.benchmarks.figures.training.pack import write_bundle
from sow.benchmarks.figures.training.text import load_tokenizer
from sow.benchmarks.world.training.denoiser import SCHEDULE


def pipeline(
    folder: Path, unet: UNet2DConditionModel, text_encoder: CLIPTextModel
) -> StableDiffusionPipeline:
    """Return diffusers' pipeline with these models and a folder's autoencoder and words."""
    return StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(folder / "vae-scaled"),
        text_encoder=text_encoder,
        tokenizer=load_tokenizer(folder),
        unet=unet,
        scheduler=DDIMScheduler(**SCHEDULE),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def pack(folder: Path) -> None:
    """Write `bundle/`.

    It needs no settings of its own: the words of the published negative prompt were learnt.
    """
    unet = UNet2DConditionModel.from_pretrained(folder / "unet")
    text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
    write_bundle(pipeline(folder, unet, text_encoder), folder, {})
