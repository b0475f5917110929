"""Grounding with a frozen diffusion model: where objects are in a picture, and whether at all.

Where: the cross-attention of a sentence's words while the picture is inverted under the sentence
(SPADE derives its spatial prior from DDIM inversions). Whether: how much better the model denoises
the object's place with the sentence than with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sow.attention.chain import ControlChain
from sow.attention.control import RunContext
from sow.attention.heat import InversionHeat
from sow.attention.layout import find_tokens
from sow.backbones.base import Backbone
from sow.backbones.registry import backbone_of
from sow.diffusion.algorithm import CANVAS, Invert
from sow.diffusion.jobs import Job
from sow.pictures.condition import Condition
from sow.pipeline.calls import unet_lock
from sow.plan.plan import NOTHING, Plan
from sow.settings.settings import Settings

if TYPE_CHECKING:
    from sow.pipeline.pipeline import SowPipeline

INVERSION_SHARE = 0.6
"""How far a picture is inverted, as a share of the steps to noise; beyond it, maps show little."""

NOISE_SHARES, NOISE_DRAWS = (0.2, 0.3, 0.4, 0.5, 0.6), 2
"""States that are denoised, as shares of the steps to noise, and noise samples for each."""
MAX_SENTENCES = 4
"""Sentences per batch, as many as one picture has branches of guidance."""


@torch.no_grad()
def phrase_heat(
    pipe: SowPipeline, image: Image.Image, sentences: Sequence[tuple[str, Sequence[str]]]
) -> list[list[Tensor]]:
    """Return cross-attention maps of the phrases of each sentence over a picture.

    The picture is inverted under each sentence (DDIM, no guidance), several in a batch.

    Args:
        pipe: its UNet is called once for each of the first `INVERSION_SHARE` of its steps.
        image: RGB, of a size that is a valid canvas of the model.
        sentences: each with its phrases, worded as in the sentence.

    Returns:
        For each sentence the maps `[h, w]` of its phrases, 0 to 1, at the size of the latents;
        all 0 for a phrase that is not in it.
    """
    return [
        row
        for start in range(0, len(sentences), MAX_SENTENCES)
        for row in _batch_heat(pipe, image, sentences[start : start + MAX_SENTENCES])
    ]


def _batch_heat(
    pipe: SowPipeline, image: Image.Image, sentences: Sequence[tuple[str, Sequence[str]]]
) -> list[list[Tensor]]:
    """Return the maps of at most `MAX_SENTENCES` sentences, in one batch."""
    settings = pipe.preset("text")
    jobs = [_text_job(sentence, image.size, settings) for sentence, _ in sentences]
    with unet_lock(pipe.denoiser), pipe.offload_after_use():
        backbone = backbone_of(pipe)
        latents = _encode(backbone, image).repeat(len(jobs), 1, 1, 1)
        no_condition = torch.zeros_like(latents[:, :1], dtype=torch.bool)
        context, heat = RunContext.of(jobs, no_condition, backbone), InversionHeat()
        chain = ControlChain([heat], context)
        schedule = backbone.schedule(settings.steps)
        timesteps = torch.tensor(schedule.timesteps, device=backbone.device)
        (texts,) = backbone.embed([[[sentence for sentence, _ in sentences]]])
        states = range(max(1, round(INVERSION_SHARE * settings.steps)))
        with chain.installed(), pipe.progress_bar(total=len(states)) as bar:
            for state in states:
                chain.before_call(Invert(CANVAS, state))
                output = backbone.predict(latents, timesteps[state + 1], texts)[0]
                latents = schedule.invert(latents, output, state)
                bar.update()
        return [
            [_phrase_map(heat.maps[number], phrase, backbone.words(sentence)) for phrase in phrases]
            for number, (sentence, phrases) in enumerate(sentences)
        ]


@torch.no_grad()
def denoising_errors(
    pipe: SowPipeline, image: Image.Image, sentences: Sequence[str], seed: int = 0
) -> dict[str, Tensor]:
    """Return how badly a picture is denoised with each sentence, place by place.

    A diffusion classifier (Li et al., "Your Diffusion Model is Secretly a Zero-Shot Classifier",
    2023) that keeps the places: the sentence with the smallest error explains a place best.

    Args:
        pipe: its UNet is called `NOISE_DRAWS` times for each of the `NOISE_SHARES`.
        image: RGB, of a size that is a valid canvas of the model.
        sentences: the empty one may be among them.
        seed: of the noise, the same for all sentences.

    Returns:
        The squared error of the clean latents, `[h, w]`, for each sentence, on the CPU.
    """
    distinct = list(dict.fromkeys(sentences))
    return {
        sentence: error
        for start in range(0, len(distinct), MAX_SENTENCES)
        for batch in [distinct[start : start + MAX_SENTENCES]]
        for sentence, error in zip(batch, _errors(pipe, image, batch, seed), strict=True)
    }


def _errors(pipe: SowPipeline, image: Image.Image, sentences: Sequence[str], seed: int) -> Tensor:
    """Return the error of the predicted clean latents, `[sentences, h, w]`, on the CPU."""
    settings = pipe.preset("text")
    generator = torch.Generator().manual_seed(seed)
    with unet_lock(pipe.denoiser), pipe.offload_after_use():
        backbone = backbone_of(pipe)
        clean = _encode(backbone, image)
        schedule = backbone.schedule(settings.steps)
        timesteps = torch.tensor(schedule.timesteps, device=backbone.device)
        (texts,) = backbone.embed([[sentences]])
        error = torch.zeros(len(sentences), *clean.shape[2:], device=backbone.device)
        states = [max(1, round(share * settings.steps)) for share in NOISE_SHARES] * NOISE_DRAWS
        with pipe.progress_bar(total=len(states)) as bar:
            for state in states:
                noise = torch.randn(clean.shape, generator=generator).to(backbone.device)
                noisy = schedule.renoise(clean, noise, 0, state).repeat(len(sentences), 1, 1, 1)
                output = backbone.predict(noisy, timesteps[state], texts)[0]
                _, predicted = schedule.denoise(noisy, output, state)
                error += (predicted - clean).square().mean(1)
                bar.update()
    return error.cpu()


def _encode(backbone: Backbone, image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    return backbone.encode(pixels)


def _text_job(sentence: str, canvas: tuple[int, int], settings: Settings) -> Job:
    fields = {"canvas": canvas, "prompt": sentence, "box": [0, 0, *canvas]}
    plan = Plan.parse({**fields, "subject": NOTHING, "suppress": ""})
    return Job(Condition.empty(canvas), plan, settings, None)


def _phrase_map(maps: Tensor, phrase: str, words: Sequence[tuple[str, Sequence[int]]]) -> Tensor:
    tokens = find_tokens(phrase, words)
    return maps[tokens].mean(0) if tokens else torch.zeros_like(maps[0])
