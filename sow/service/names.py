"""The names of files that a picture is written to if nobody gives one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sow.plan.prompt_syntax import plain_text
from sow.utils.files import is_device_name

if TYPE_CHECKING:
    from sow.service.results import GenerationSpec


def default_name(spec: GenerationSpec, seed: int) -> str:
    """Return the name of the picture of a seed: its source, words of the prompt, the seed."""
    prompt = plain_text(spec.user_prompt or spec.plan.prompt)
    words = "-".join(re.findall(r"[a-z0-9]+", prompt.lower()))[:48].strip("-")
    name = f"{spec.name[:60]}-{words or 'sow'}"
    return f"{'_' * is_device_name(name)}{name}-{seed}.png"
