"""What a person should know about a model before they wonder at its pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sow.models.find import Model
from sow.pictures.kinds import photographed
from sow.pictures.reading import over_grey

if TYPE_CHECKING:
    from PIL import Image

    from sow.pipeline import SowPipeline


def remarks_on(model: Model, image: Image.Image) -> Iterator[str]:
    """Of a model and what is planted in it."""
    if model.name == "figures" and photographed(over_grey(image)):
        yield (
            "`figures` is a small drawn world: a photograph planted in it looks odd; "
            "for photographs take Stable Diffusion 2.1"
        )


def unread_of(pipe: SowPipeline, prompt: str) -> Iterator[str]:
    """What of a prompt says nothing to a model."""
    lost = pipe.tokens_lost(prompt)
    if lost:
        yield f"the model does not read the last {lost} tokens of the prompt: shorten it"
    unknown = pipe.unknown_words(prompt)
    if unknown:
        yield f"the model does not know: {', '.join(unknown)}"
