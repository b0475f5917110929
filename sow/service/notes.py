"""What a person should know about a model and a plan before they wonder at the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sow.models.find import Model
from sow.pictures.formats import photographed
from sow.pictures.loading import over_grey

if TYPE_CHECKING:
    from PIL import Image

    from sow.pipeline.pipeline import SowPipeline
    from sow.plan.box import Box
    from sow.plan.plan import Plan
    from sow.service.request import ResolvedRequest

MIN_FACE_LATENTS = 6
"""Latents a side under which few faces survive, as was measured on `figures`.

Of three drawn faces with six seeds each, none was the same person to the judge when it was planted
2 to 5 latents wide (16 to 40 px), on canvases of 128 and of 192 px; 6 latents wide all were, on
both. Of fifty others planted 5 wide, nine were (benchmarks/figures/studies/results/finding.md).
"""


def model_notes(model: Model, image: Image.Image) -> Iterator[str]:
    """Of a model and what is planted in it."""
    if model.name == "figures" and photographed(over_grey(image)):
        yield (
            "`figures` is a small drawn world: a photograph planted in it looks odd; "
            "for photographs take Stable Diffusion 2.1"
        )


def box_notes(asked: ResolvedRequest, plan: Plan, stride: int) -> Iterator[str]:
    """Of the place of what is planted: where it really is, and whether it survives there.

    stride: the pixels of one latent, on whose grid the plan is.
    """
    given, box = asked.box, plan.box
    if given is None and asked.plan is not None and asked.plan.canvas == plan.canvas:
        given = asked.plan.box
    if given not in (None, box):
        yield (
            f"the box {_numbers(given)} is taken as {_numbers(box)}: the grid of the model is "
            f"{stride} px"
        )
    least = MIN_FACE_LATENTS * stride
    if plan.subject == "face" and min(box.width, box.height) < least:
        yield (
            f"a box of {box.width}x{box.height} is small: faces planted in less than "
            f"{least}x{least} px mostly become somebody else, or vanish"
        )


def _numbers(box: Box | None) -> str:
    return ",".join(map(str, box.model_dump())) if box else ""


def prompt_notes(pipe: SowPipeline, prompt: str) -> Iterator[str]:
    """What of a prompt says nothing to a model."""
    lost = pipe.tokens_lost(prompt)
    if lost:
        yield f"the model does not read the last {lost} tokens of the prompt: shorten it"
    unknown = pipe.unknown_words(prompt)
    if unknown:
        yield f"the model does not know: {', '.join(unknown)}"
