"""Making a picture again from its recipe: by which model, and what may come out otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sow.errors import ModelError
from sow.models.find import BUNDLED, Model
from sow.models.hub import SD21
from sow.recipe import Recipe, versions

Find = Callable[[str, str | None, bool], Model]
"""Finds a model by name, revision and whether files in half precision are preferred."""


def half(recipe: Recipe) -> bool:
    """Whether it was made in half precision."""
    return recipe.dtype in ("float16", "bfloat16")


def model_of(recipe: Recipe, find: Find) -> Model:
    """The model that the recipe names, if it is one that `auto` can mean.

    Raises:
        ModelError: if it is not, or cannot be found.
    """
    try:
        if recipe.model not in (*BUNDLED, *SD21):
            raise ModelError("only the models that `auto` can mean are taken from a recipe")
        commit = re.fullmatch(r"[0-9a-f]{40}", recipe.revision)
        return find(recipe.model, recipe.revision if commit else None, half(recipe))
    except ModelError as error:
        raise ModelError(
            f"the recipe's model {recipe.model!r} is not loaded ({error.what})", "give its model="
        ) from None


def differences(recipe: Recipe, model: Model, device: str) -> Iterator[str]:
    """What may keep the picture from being the same again."""
    if model.revision != recipe.revision:
        yield f"the model differs from the recipe's ({recipe.revision}): expect changes"
    if device.split(":")[0] != recipe.device:
        yield f"the recipe was made on {recipe.device}: expect small changes"
    here = versions()
    changed = [f"{name} {number}" for name, number in recipe.versions.items()
               if here.get(name) != number]  # fmt: skip
    if changed:
        yield f"the recipe was made with {', '.join(changed)}: expect small changes"
