"""The names of files that a picture is written to if nobody gives one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sow.plan.prompt_syntax import plain_text
from sow.utils.files import is_device_name

if TYPE_CHECKING:
    from sow.pictures.recipe import Recipe
    from sow.service.results import GenerationSpec


def default_name(spec: GenerationSpec, seed: int) -> str:
    """Return the name of the picture of a seed: its source, words of the prompt, the seed."""
    name = f"{spec.name[:60]}-{_words(spec.user_prompt or spec.plan.prompt)}"
    return f"{'_' * is_device_name(name)}{name}-{seed}.png"


def source_of(stem: str, recipe: Recipe) -> str:
    """Return the source in a name that `default_name` made, or the whole name if it did not."""
    tail = f"-{_words(recipe.plan.prompt)}-{recipe.seed}"
    return re.sub(rf"{re.escape(tail)}(-\d+)?$", "", stem) or stem


def _words(prompt: str) -> str:
    words = "-".join(re.findall(r"[a-z0-9]+", plain_text(prompt).lower()))
    return words[:48].strip("-") or "sow"
