"""What a frozen diffusion model knows of a finished picture: where things are, and whether at all.

Where the words of a sentence look while the picture is inverted under it says where the things are:
SPADE reads its prior of places out of DDIM inversions. Whether a thing is there says how much
better the model tells the picture from noise, in that place, with the sentence than without.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sow.attention.control import Chain, RunContext
from sow.attention.heat import InversionHeat
from sow.attention.layout import tokens_of
from sow.attention.regions import share_of
from sow.backbones.stable_diffusion import StableDiffusion
from sow.diffusion.algorithm import CANVAS, Invert
from sow.diffusion.jobs import Job
from sow.pictures.condition import Condition
from sow.pipeline.calls import unet_lock
from sow.plan.box import Box
from sow.plan.plan import NOTHING, Plan
from sow.settings.settings import Settings

if TYPE_CHECKING:
    from sow.pipeline.pipeline import SowPipeline

STATES = 0.6
"""How far a picture is inverted, as a share of the way to noise; beyond it little can be seen."""

NOISY, DRAWS = (0.2, 0.3, 0.4, 0.5, 0.6), 2
"""At which noise a picture is told from it, as shares of the way there, and how often at each."""
AT_ONCE = 4
"""Sentences in a batch: no more than the branches of guidance of one picture."""


@torch.no_grad()
def phrase_heat(
    pipe: SowPipeline, image: Image.Image, sentences: Sequence[tuple[str, Sequence[str]]]
) -> list[list[Tensor]]:
    """Where each phrase of each sentence is looked for in a picture.

    The picture is inverted under each sentence alone (DDIM, no guidance), several in a batch.

    Args:
        pipe: whose UNet is asked, once for each of the first `STATES` of its steps.
        image: RGB, of a size that is a canvas of the model's.
        sentences: each with the phrases in question, in the words that stand in it.

    Returns:
        For each sentence the maps `[h, w]` of its phrases, 0 to 1, at the size of the latents;
        nothing but 0 for a phrase that is not in it.
    """
    return [
        row
        for start in range(0, len(sentences), AT_ONCE)
        for row in _heat(pipe, image, sentences[start : start + AT_ONCE])
    ]


def _heat(
    pipe: SowPipeline, image: Image.Image, sentences: Sequence[tuple[str, Sequence[str]]]
) -> list[list[Tensor]]:
    """The same of few sentences, in one batch."""
    settings = pipe.preset("text")
    jobs = [_job(sentence, image.size, settings) for sentence, _ in sentences]
    with unet_lock(pipe.unet), pipe.offload_after_use():
        backbone = StableDiffusion(pipe)
        latents = _encoded(backbone, image).repeat(len(jobs), 1, 1, 1)
        nowhere = torch.zeros_like(latents[:, :1], dtype=torch.bool)
        context, looking = RunContext.of(jobs, nowhere, backbone), InversionHeat()
        chain = Chain([looking], context)
        schedule = backbone.schedule(settings.steps)
        timesteps = torch.tensor(schedule.timesteps, device=backbone.device)
        (texts,) = backbone.embed([[[sentence for sentence, _ in sentences]]])
        states = range(max(1, round(STATES * settings.steps)))
        with chain.installed(), pipe.progress_bar(total=len(states)) as bar:
            for state in states:
                chain.before_call(Invert(CANVAS, state))
                output = backbone.predict(latents, timesteps[state + 1], texts)[0]
                latents = schedule.invert(latents, output, state)
                bar.update()
        return [
            [_of(looking.maps[number], phrase, backbone.words(sentence)) for phrase in phrases]
            for number, (sentence, phrases) in enumerate(sentences)
        ]


@torch.no_grad()
def presence_scores(
    pipe: SowPipeline, image: Image.Image, asked: Sequence[tuple[str, Box]], seed: int = 0
) -> list[float]:
    """How much a sentence helps to tell a picture from noise, in a box: below 0 it misleads.

    A diffusion classifier (Li et al., "Your Diffusion Model is Secretly a Zero-Shot Classifier",
    2023) of one place: the logarithm of the mean squared error of the clean latents without any
    words, over that with the sentence, both in the box.

    Args:
        pipe: whose UNet is asked, `DRAWS` times for each of the `NOISY` states.
        image: RGB, of a size that is a canvas of the model's.
        asked: sentences, and the box of a thing that they name.
        seed: of the noise, the same for all of them.
    """
    plain, *_ = _errors(pipe, image, [""], seed)
    sentences = list(dict.fromkeys(sentence for sentence, _ in asked))
    told = {
        sentence: error
        for start in range(0, len(sentences), AT_ONCE)
        for some in [sentences[start : start + AT_ONCE]]
        for sentence, error in zip(some, _errors(pipe, image, some, seed), strict=True)
    }
    found = []
    for sentence, box in asked:
        inside = share_of([box], image.size, (plain.shape[0], plain.shape[1])).reshape(plain.shape)
        found.append(float(((plain * inside).sum() / (told[sentence] * inside).sum()).log()))
    return found


def _errors(pipe: SowPipeline, image: Image.Image, sentences: Sequence[str], seed: int) -> Tensor:
    """How far the clean latents are from what is told of them, `[sentences, h, w]` on the CPU."""
    settings = pipe.preset("text")
    generator = torch.Generator().manual_seed(seed)
    with unet_lock(pipe.unet), pipe.offload_after_use():
        backbone = StableDiffusion(pipe)
        clean = _encoded(backbone, image)
        schedule = backbone.schedule(settings.steps)
        timesteps = torch.tensor(schedule.timesteps, device=backbone.device)
        (texts,) = backbone.embed([[sentences]])
        error = torch.zeros(len(sentences), *clean.shape[2:], device=backbone.device)
        states = [max(1, round(share * settings.steps)) for share in NOISY] * DRAWS
        with pipe.progress_bar(total=len(states)) as bar:
            for state in states:
                noise = torch.randn(clean.shape, generator=generator).to(backbone.device)
                noisy = schedule.renoise(clean, noise, 0, state).repeat(len(sentences), 1, 1, 1)
                output = backbone.predict(noisy, timesteps[state], texts)[0]
                _, back = schedule.denoise(noisy, output, state)
                error += (back - clean).square().mean(1)
                bar.update()
    return error.cpu()


def _encoded(backbone: StableDiffusion, image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    return backbone.encode(pixels)


def _job(sentence: str, canvas: tuple[int, int], settings: Settings) -> Job:
    whole = {"canvas": canvas, "prompt": sentence, "box": [0, 0, *canvas]}
    plan = Plan.parse({**whole, "subject": NOTHING, "suppress": ""})
    return Job(Condition.empty(canvas), plan, settings, None)


def _of(maps: Tensor, phrase: str, words: Sequence[tuple[str, Sequence[int]]]) -> Tensor:
    places = tokens_of(phrase, words)
    return maps[places].mean(0) if places else torch.zeros_like(maps[0])
