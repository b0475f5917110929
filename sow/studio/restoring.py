"""A finished picture's recipe as what the page works on: its controls, and exactly its piece."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from sow.models.tuned import default_preset
from sow.pictures.condition import Condition
from sow.pictures.recipe import NoRecipe, peek_recipe
from sow.plan.canvas import CanvasShape
from sow.service.budget import never_agree
from sow.service.saved_picture import SavedPicture
from sow.settings.settings import PRESETS, Settings

if TYPE_CHECKING:
    from sow.checkpoints.adapters import Adapters
    from sow.models.find import Model
    from sow.pictures.recipe import Recipe
    from sow.plan.plan import Plan

AS_MADE = "as in the picture"
"""What the form says instead of a preset whose settings nobody has named."""
SHAPES = ("", "2:3", "3:2", "9:16")
"""The formats of the form."""
MAX_FORM_SEED = 2**32 - 1
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Kept:
    """What a session keeps of a finished picture, so that the same is planted again.

    Attributes:
        saved: the picture.
        adapters: its LoRAs and embeddings.
    """

    saved: SavedPicture
    adapters: Adapters

    def condition(self, plan: Plan, larger: int = 1) -> Condition:
        """Return what is planted, at the size of a plan's box, or this many times as large."""
        condition = self.saved.condition
        size = (plan.box.width * larger, plan.box.height * larger)
        if size == condition.picture.size:
            return condition
        lanczos = Image.Resampling.LANCZOS
        return Condition(
            condition.picture.resize(size, lanczos), condition.mask.resize(size, lanczos)
        )


def recipe_in(data: bytes, name: str) -> SavedPicture | None:
    """Return the picture that SOW made, if these bytes are one in which something is planted.

    Raises:
        SowError: if its recipe is damaged, costs too much, or is of another method than SOW.
    """
    if not data.startswith(PNG):
        return None
    try:
        recipe = peek_recipe(data, repr(name[-80:]))
    except NoRecipe:
        return None
    return None if recipe.plan.text_only else SavedPicture.from_bytes(data, name, never_agree)


def form_of(recipe: Recipe, model: Model) -> dict[str, Any]:
    """Return the value of the form, `sow.studio.form.FormValue`, that a recipe came of."""
    plan = recipe.plan
    preset, likeness = _dials(recipe.settings, plan.preset, model)
    return {
        "prompt": plan.prompt,
        "negative": plan.negative,
        "setting": plan.setting,
        "preset": preset,
        "canvas": _shape(plan.canvas, model),
        "num": 1,
        "seed": recipe.seed if recipe.seed <= MAX_FORM_SEED else None,
        "likeness": likeness,
        "explain": False,
    }


def _shape(canvas: tuple[int, int], model: Model) -> str:
    """Return the format of a canvas; the plan keeps one that the form does not have."""
    spec = model.checkpoint_spec
    for shape in SHAPES[1:]:
        across, down = map(int, shape.split(":"))
        if CanvasShape(across, down).size(spec.canvas, spec.canvas_multiple) == canvas:
            return shape
    return ""


def _dials(settings: Settings, usual: str, model: Model) -> tuple[str, float | None]:
    """Return the preset and the likeness that make these settings, if there are such."""
    names = [usual, *(name for name in PRESETS if name not in (usual, "text"))]
    presets = {"": default_preset(model, usual)[0]}
    presets |= {name: model.checkpoint_spec.preset(name) for name in names}
    for name, preset in presets.items():
        if preset == settings:
            return name, None
    for name, preset in presets.items():
        likeness = _likeness(settings, preset)
        if likeness is not None:
            return name, likeness
    return AS_MADE, None


def _likeness(settings: Settings, preset: Settings) -> float | None:
    """Return the likeness with which a preset becomes these settings, or None."""
    whole, inside = max(1.0, preset.guidance_scale), settings.condition_guidance_scale
    if whole == 1 or not 1 <= inside <= whole:
        return None
    likeness = 1 - math.log(inside) / math.log(whole)
    for digits in (1, 2, 3, 4):
        rounded = round(likeness, digits)
        if preset.changed(likeness=rounded) == settings:
            return rounded
    return None
