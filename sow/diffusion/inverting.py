"""A finished picture, inverted under sentences: where do their words look in it?

What a diffusion model knows of a picture it shows when it is led back to the noise that the picture
could have come from: SPADE reads its prior of where things are out of DDIM inversions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sow.attention.control import Chain, Scene
from sow.attention.heat import InversionHeat
from sow.attention.layout import tokens_of
from sow.backbones.stable_diffusion import StableDiffusion
from sow.calls import alone
from sow.diffusion.algorithm import CANVAS, Invert
from sow.diffusion.jobs import Job
from sow.pictures.condition import Condition
from sow.plan import NOTHING, Plan
from sow.settings import Settings

if TYPE_CHECKING:
    from sow.pipeline import SowPipeline

STATES = 0.6
"""How far a picture is inverted, as a share of the way to noise; beyond it little can be seen."""


@torch.no_grad()
def phrase_heat(
    pipe: SowPipeline, image: Image.Image, sentences: Sequence[tuple[str, Sequence[str]]]
) -> list[list[Tensor]]:
    """Where each phrase of each sentence is looked for in a picture.

    The picture is inverted under each sentence alone (DDIM, no guidance), all of them in one batch.

    Args:
        pipe: whose UNet is asked, once for each of the first `STATES` of its steps.
        image: RGB, of a size that is a canvas of the model's.
        sentences: each with the phrases in question, in the words that stand in it.

    Returns:
        For each sentence the maps `[h, w]` of its phrases, 0 to 1, at the size of the latents;
        nothing but 0 for a phrase that is not in it.
    """
    settings = pipe.preset("text")
    jobs = [_job(sentence, image.size, settings) for sentence, _ in sentences]
    with alone(pipe.unet), pipe.offloading():
        backbone = StableDiffusion(pipe)
        pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
        latents = backbone.encode(pixels).repeat(len(jobs), 1, 1, 1)
        nowhere = torch.zeros_like(latents[:, :1], dtype=torch.bool)
        scene, looking = Scene.of(jobs, nowhere, backbone), InversionHeat()
        chain = Chain([looking], scene)
        schedule = backbone.schedule(settings.steps)
        times = torch.tensor(schedule.times, device=backbone.device)
        (texts,) = backbone.embed([[[sentence for sentence, _ in sentences]]])
        states = range(max(1, round(STATES * settings.steps)))
        with chain.installed(), pipe.progress_bar(total=len(states)) as bar:
            for state in states:
                chain.before_call(Invert(CANVAS, state))
                answer = backbone.predict(latents, times[state + 1], texts)[0]
                latents = schedule.invert(latents, answer, state)
                bar.update()
        return [
            [_of(looking.maps[number], phrase, backbone.words(sentence)) for phrase in phrases]
            for number, (sentence, phrases) in enumerate(sentences)
        ]


def _job(sentence: str, canvas: tuple[int, int], settings: Settings) -> Job:
    whole = {"canvas": canvas, "prompt": sentence, "box": [0, 0, *canvas]}
    plan = Plan.parse({**whole, "subject": NOTHING, "suppress": ""})
    return Job(Condition.nothing(canvas), plan, settings, None)


def _of(maps: Tensor, phrase: str, words: Sequence[tuple[str, Sequence[int]]]) -> Tensor:
    places = tokens_of(phrase, words)
    return maps[places].mean(0) if places else torch.zeros_like(maps[0])
