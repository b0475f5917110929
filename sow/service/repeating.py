"""Making a picture again from its recipe: by which model, and what may come out otherwise."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress

from sow.errors import ModelError
from sow.models.find import BUNDLED, Model, find_model
from sow.models.hub import SD21
from sow.recipe import OLD_HASH, Recipe, versions


def model_named_by(recipe: Recipe) -> tuple[str, str | None]:
    """The model that a recipe names, if `auto` can mean it, and its commit if that is here.

    No commit of a recipe is ever asked of the hub: it would be asked with the user's name and key,
    and what it holds is whatever somebody managed to put there. Where it is not here, what `auto`
    takes is run and `differences` says so; whoever trusts the commit gives model= and revision=.

    Raises:
        ModelError: if it is another one.
    """
    if recipe.model not in (*BUNDLED, *SD21):
        raise ModelError(
            f"the recipe's model {recipe.model!r} is not loaded (only the models that `auto` can "
            "mean are taken from a recipe)",
            "give its model=",
        )
    if recipe.model in SD21 and re.fullmatch(r"[0-9a-f]{40}", recipe.revision):
        with suppress(ModelError):
            find_model(recipe.model, revision=recipe.revision, download=False)
            return recipe.model, recipe.revision
    return recipe.model, None


def differences(recipe: Recipe, model: Model, device: str) -> Iterator[str]:
    """What may keep the picture from being the same again."""
    if recipe.revision.endswith(OLD_HASH) and not model.commit:
        yield "an earlier SOW made the recipe: whether the model is the same cannot be told"
    elif model.revision != recipe.revision.removesuffix(OLD_HASH).strip():
        yield f"the model differs from the recipe's ({recipe.revision}): expect changes"
    if device.split(":")[0] != recipe.device:
        yield f"the recipe was made on {recipe.device}: expect small changes"
    elif recipe.device == "cpu" and threads_of(recipe, device) == 0:
        told = f"made with {recipe.threads} threads, more than are here"
        before = "made by an earlier SOW, which did not tell its threads"
        yield f"the recipe was {told if recipe.threads else before}: expect small changes"
    here = versions()
    changed = [f"{name} {number}" for name, number in recipe.versions.items()
               if here.get(name) != number]  # fmt: skip
    if changed:
        yield f"the recipe was made with {', '.join(changed)}: expect small changes"


def threads_of(recipe: Recipe, device: str) -> int:
    """With how many threads of the processor the picture is the same again; 0 where it cannot be.

    A stranger's picture does not start more threads than this machine has use for.
    """
    import torch

    most = max(os.cpu_count() or 1, torch.get_num_threads())
    return recipe.threads if device == "cpu" and recipe.threads <= most else 0
