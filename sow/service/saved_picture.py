"""Making a picture again from its recipe, or another like it: by which model, and what may differ.

A recipe may come from anybody. It chooses neither what is downloaded or read nor how much is spent;
see `model_named_by` and `sow.service.budget.UNTRUSTED_BUDGET`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.errors import ModelError, PictureError, UsageError
from sow.models.find import BUNDLED, Model, find_model
from sow.models.hub import SD21
from sow.pictures.recipe import OLD_HASH, Recipe, read_recipe, versions
from sow.service.budget import UNTRUSTED_BUDGET, Agree
from sow.service.fitting import chosen, in_known_words
from sow.service.results import GenerationSpec
from sow.utils.type_checks import as_path

if TYPE_CHECKING:
    from sow.pictures.condition import Condition


@dataclass(frozen=True)
class SavedPicture:
    """What is in a picture that `sow generate` wrote."""

    recipe: Recipe
    condition: Condition
    name: str

    @classmethod
    def read(cls, path: str | Path, agree: Agree) -> SavedPicture:
        """The recipe in a file, within what a stranger may ask for unless the user agrees to more.

        Raises:
            PictureError: if there is no recipe in it, or it was not SOW that drew it.
            UsageError: if it asks for more.
        """
        path = as_path("path", path)
        recipe, condition = read_recipe(path)
        if recipe.method:
            raise PictureError(
                f"{path.name} was drawn for comparison, by {recipe.method}, and not by SOW",
                "`sow show` says how; to make it again, run its benchmark",
            )
        UNTRUSTED_BUDGET.check(recipe.plan, recipe.settings, recipe.batch_size, agree)
        return cls(recipe, condition, path.stem)

    def options(self, model: str, revision: str | None, dtype: str) -> dict[str, Any]:
        """With which model and precision a service is to be made: those given, else the recipe's.

        Raises:
            UsageError: for a revision of no model.
            ModelError: if the recipe's model may not be taken from it.
        """
        if model == "auto":
            if revision is not None:  # it is the recipe that says which one
                raise UsageError("a revision, and the model is the recipe's own",
                                 "leave out revision=, or give its model= too")  # fmt: skip
            model, revision = model_named_by(self.recipe)
        dtype = self.recipe.dtype if dtype == "auto" else dtype
        return {"model": model, "revision": revision, "dtype": dtype}

    def again(self, model: Model, device: str) -> GenerationSpec:
        """The work that leads to the same picture."""
        recipe = self.recipe
        spec = self._work(f"{self.name}-again", differences(recipe, model, device))
        return replace(
            spec,
            batch_size=recipe.batch_size,
            place=recipe.place,
            begun_alone=recipe.begun_alone,
            threads=threads_of(recipe, device),
        )

    def like(
        self,
        model: Model,
        prompt: str | None,
        preset: str | None,
        changes: Any,
        likeness: float | None,
    ) -> GenerationSpec:
        """The work that leads to others of the same composition.

        Raises:
            SowError: for a setting that makes no sense.
        """
        base = self.recipe.settings if preset is None else model.checkpoint_spec.preset(preset)
        spec = self._work(f"{self.name}-like", other_model(self.recipe, model))
        plan = spec.plan
        if prompt is not None:
            said = plan.changed(prompt=prompt, notes=())
            plan = in_known_words(said, model.name, model.checkpoint_spec.words)
        notes = (*spec.notes, *plan.notes, *model.checkpoint_spec.canvas_notes(plan.canvas))
        settings = chosen(base, changes, likeness)
        return replace(spec, plan=plan, settings=settings, user_prompt=prompt or "", notes=notes)

    def _work(self, name: str, notes: Iterator[str]) -> GenerationSpec:
        recipe = self.recipe
        return GenerationSpec(self.condition, recipe.plan, recipe.settings, name, recipe.picture_sha256,
                    notes=tuple(notes))  # fmt: skip


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
    yield from other_model(recipe, model)
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


def other_model(recipe: Recipe, model: Model) -> Iterator[str]:
    """Whether it is made by another model than it was."""
    if recipe.revision.endswith(OLD_HASH) and not model.commit:
        yield "an earlier SOW made the recipe: whether the model is the same cannot be told"
    elif model.revision != recipe.revision.removesuffix(OLD_HASH).strip():
        yield f"the model differs from the recipe's ({recipe.revision}): expect changes"


def threads_of(recipe: Recipe, device: str) -> int:
    """With how many threads of the processor the picture is the same again; 0 where it cannot be.

    A stranger's picture does not start more threads than this machine has use for.
    """
    import torch

    most = max(os.cpu_count() or 1, torch.get_num_threads())
    return recipe.threads if device == "cpu" and recipe.threads <= most else 0
