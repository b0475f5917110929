"""Notes for the user on a model, a plan and a prompt that may give unexpected pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sow.diffusion.prompts import negative_prompt
from sow.models.find import Model
from sow.pictures.formats import is_photograph
from sow.pictures.loading import over_grey
from sow.plan.box import MIN_FACE_LATENTS
from sow.plan.prompt_syntax import plain_text, weighted_fragments

if TYPE_CHECKING:
    from PIL import Image

    from sow.checkpoints.adapters import Adapters
    from sow.pipeline.pipeline import SowPipeline
    from sow.plan.box import Box
    from sow.plan.plan import Plan
    from sow.service.resolved import ResolvedRequest
    from sow.settings.settings import PromptSyntax, Settings

MAX_STRETCH = 1.25
"""A condition whose shape is changed by more gets a note; the grid alone changes it by less."""


def model_notes(model: Model, image: Image.Image) -> Iterator[str]:
    """Yield notes on a model and the picture that is planted by it."""
    if model.name == "figures" and is_photograph(over_grey(image)):
        yield (
            "`figures` knows only a small drawn world: a photograph planted in it looks odd; "
            "use Stable Diffusion 2.1 for photographs"
        )


def box_notes(resolved: ResolvedRequest, plan: Plan, grid: int) -> Iterator[str]:
    """Yield notes on a box: whether it was moved to the grid, and is large enough for a face.

    grid: the pixels of one latent; the plan is on their grid.
    """
    requested, box = resolved.box, plan.box
    if requested is None and resolved.plan is not None and resolved.plan.canvas == plan.canvas:
        requested = resolved.plan.box
    if requested not in (None, box):
        yield (
            f"the box {box_text(requested)} was moved to {box_text(box)}: the model's grid is "
            f"{grid} px"
        )
    if plan.crop is not None:
        stretch = box.width * plan.crop.height / (box.height * plan.crop.width)
        if max(stretch, 1 / stretch) > MAX_STRETCH:
            yield (
                f"a box of {box.width}x{box.height} stretches what is planted, which is "
                f"{plan.crop.width}x{plan.crop.height} pixels of the picture: give a box of its "
                "shape"
            )
    min_size = MIN_FACE_LATENTS * grid
    if plan.subject == "face" and min(box.width, box.height) < min_size:
        yield (
            f"a box of {box.width}x{box.height} is small: faces below {min_size}x{min_size} px "
            "mostly become another person or disappear"
        )


def guidance_notes(resolved: ResolvedRequest, plan: Plan, settings: Settings) -> Iterator[str]:
    """Yield notes on what must not appear, where the settings do not use it."""
    if plan.negative and settings.guidance_scale == 1:
        yield "negative= has no effect: guidance is off (guidance_scale=1)"
    if resolved.suppress and settings.outside == "none":
        yield "suppress= has no effect: guidance outside the condition is off (outside=none)"


def adapter_notes(adapters: Adapters, plan: Plan, settings: Settings) -> Iterator[str]:
    """Yield notes on what was given for the model and changes nothing."""
    prompts = [plan.prompt, negative_prompt(plan, settings)]
    if settings.prompt_syntax == "weights":
        prompts = [plain_text(prompt) for prompt in prompts]
    for embedding in adapters.embeddings:
        if not any(map(embedding.pattern.search, prompts)):
            yield (
                f"the prompt does not name {embedding.token}, so the embedding {embedding.name!r} "
                "has no effect"
            )
    for lora in adapters.loras:
        if lora.weight == 0:
            yield f"the LoRA {lora.name!r} has no effect: its weight is 0"


def box_text(box: Box | None) -> str:
    """Return a box as one writes it on the command line."""
    return ",".join(map(str, box.model_dump())) if box else ""


def prompt_notes(
    pipe: SowPipeline, prompt: str, syntax: PromptSyntax = "plain", name: str = "prompt"
) -> Iterator[str]:
    """Yield notes on parts of a prompt that the model does not understand."""
    if syntax == "plain" and weighted_fragments(prompt):
        yield f"the brackets of the {name} are read as text: prompt_syntax=plain"
    lost = pipe.num_truncated_tokens(prompt, syntax)
    if lost:
        yield f"the last {lost} tokens of the {name} are cut off: shorten it"
    unknown = pipe.unknown_words(prompt if syntax == "plain" else plain_text(prompt))
    if unknown:
        yield f"the model does not know these words: {', '.join(unknown)}"
