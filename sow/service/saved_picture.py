"""Reproducing or varying a saved picture from the recipe inside it.

A recipe may come from anybody, so it chooses neither what is downloaded or read nor how much is
spent; see `allowed_model` and `sow.service.budget.UNTRUSTED_BUDGET`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sow.checkpoints.adapters import (
    Adapters,
    Embedding,
    Lora,
    read_adapters,
    read_embedding,
    read_lora,
)
from sow.errors import ModelError, PictureError, UsageError
from sow.models.find import BUNDLED, Model, find_model
from sow.models.hub import SD21
from sow.pictures.recipe import OLD_HASH, AdapterRecord, Recipe, read_saved, versions
from sow.service.budget import UNTRUSTED_BUDGET, Agree
from sow.service.face_check import FaceCheck
from sow.service.fitting import resolve_settings
from sow.service.known_words import in_known_words, with_negative
from sow.service.results import GenerationSpec, Picture
from sow.service.wording_notes import wording_notes
from sow.settings.inputs import as_embeddings, as_loras
from sow.utils.type_checks import as_path

if TYPE_CHECKING:
    from PIL import Image

    from sow.pictures.condition import Condition


Files = str | Path | Sequence[str | Path] | None
Found = TypeVar("Found", Lora, Embedding)


@dataclass(frozen=True)
class SavedPicture:
    """The contents of a picture that `sow generate` wrote.

    Attributes:
        image: the picture.
        condition: the planted pixels.
        name: the file's, without its ending.
        folder: where the file is, beside which LoRAs and embeddings are looked for.
    """

    image: Image.Image
    recipe: Recipe
    condition: Condition
    name: str
    folder: Path = Path()

    @classmethod
    def read(cls, path: str | Path, agree: Agree) -> SavedPicture:
        """Read a picture whose recipe stays within the budget of untrusted input.

        agree: asked about a recipe that costs more.

        Raises:
            PictureError: if it has no recipe, or was made by another method than SOW.
            UsageError: if it costs more and the user does not agree.
        """
        saved = cls.read_any(as_path("path", path))
        saved.check(agree)
        return saved

    @classmethod
    def read_any(cls, path: Path) -> SavedPicture:
        """Read a picture to look at it; before its recipe is carried out, `check` it.

        Raises:
            PictureError: if it has no recipe.
        """
        return cls(*read_saved(path), path.stem, path.parent)

    @classmethod
    def from_bytes(cls, data: bytes, name: str, agree: Agree) -> SavedPicture:
        """Read what is in such a file; otherwise as `read`."""
        saved = cls(*read_saved(data, repr(name[-80:])), name)
        saved.check(agree)
        return saved

    def look_at(self) -> Picture:
        """Return the picture, and whether its planted faces are in it."""
        faces = FaceCheck(self.condition, self.recipe.plan).look(self.image)
        return Picture(self.image, self.recipe, self.condition, faces=faces)

    def check(self, agree: Agree) -> None:
        """Check that the recipe was made by SOW, and stays within the untrusted budget.

        Raises:
            PictureError, UsageError: as `read`.
        """
        recipe = self.recipe
        if recipe.method:
            raise PictureError(
                f"{self.name!r} was made by the comparison method {recipe.method}, not by SOW",
                "run its benchmark to make it again; `sow show` prints its recipe",
            )
        UNTRUSTED_BUDGET.check(recipe.plan, recipe.settings, recipe.batch_size, agree)

    def find_adapters(self, lora: Files = None, embedding: Files = None) -> Adapters:
        """Return the recipe's LoRAs and embeddings, found by name and hash.

        Those that are given are taken first, whatever their names; then files of the recorded
        names beside the picture and in the current folder. A file is only taken if its hash is the
        recorded one.

        Raises:
            UsageError: for a weight; the recipe has it.
            ModelError: if one is not found, or one was given that the recipe does not have.
        """
        files = as_loras(lora)
        if any(weight is not None for _, weight in files):
            raise UsageError(
                "the recipe has the weights of its LoRAs", "give lora=file without a weight"
            )
        given = read_adapters(files, as_embeddings(embedding))
        loras = [
            replace(found, weight=record.weight)
            for record in self.recipe.loras
            for found in [self._find(record, given.loras, read_lora)]
        ]
        embeddings = [
            replace(found, token=record.token)
            for record in self.recipe.embeddings
            for found in [self._find(record, given.embeddings, read_embedding)]
        ]
        known = {record.sha256 for record in (*self.recipe.loras, *self.recipe.embeddings)}
        both: tuple[Lora | Embedding, ...] = (*given.loras, *given.embeddings)
        for one in both:
            if one.sha256 not in known:
                raise ModelError(
                    f"{one.name!r} is none of the files that the recipe of {self.name!r} names",
                    "give those; `sow show` lists them",
                )
        return Adapters(tuple(loras), tuple(embeddings))

    def replace_adapters(self, lora: Files, embedding: Files) -> Adapters:
        """Return given LoRAs and embeddings; for what is not given, the recipe's.

        Raises:
            ModelError: if one cannot be used, or is not found.
        """
        given = read_adapters(as_loras(lora), as_embeddings(embedding))
        recipe = self.recipe.model_copy(
            update=({"loras": ()} if lora is not None else {})
            | ({"embeddings": ()} if embedding is not None else {})
        )
        kept = replace(self, recipe=recipe).find_adapters()
        return Adapters(given.loras or kept.loras, given.embeddings or kept.embeddings)

    def _find(
        self, record: AdapterRecord, given: Sequence[Found], read: Callable[[Path], Found]
    ) -> Found:
        """Return the file of a record; raise ModelError if it is not found."""
        for one in given:
            if one.sha256 == record.sha256:
                return one
        has_drive = Path(record.name).name != record.name  # it would be looked into, on Windows
        for folder in () if has_drive else (self.folder, Path()):
            with suppress(ModelError):
                found = read(folder / record.name)
                if found.sha256 == record.sha256:
                    return found
        flag = "lora" if read is read_lora else "embedding"
        raise ModelError(
            f"the recipe needs {record.name!r} (sha256 {record.sha256[:12]}…), which is neither "
            "beside the picture nor in the current folder",
            f"give it with {flag}=",
        )

    def service_options(self, model: str, revision: str | None, dtype: str) -> dict[str, Any]:
        """Return the model and precision of a `Service`: those given, or else the recipe's.

        Raises:
            UsageError: for a revision without a model.
            ModelError: if the recipe's model may not be taken from it.
        """
        if model == "auto":
            if revision is not None:
                raise UsageError(
                    "revision= requires model=", "leave out revision=, or give model= too"
                )
            model, revision = allowed_model(self.recipe)
        dtype = self.recipe.dtype if dtype == "auto" else dtype
        return {"model": model, "revision": revision, "dtype": dtype}

    def spec_to_reproduce(self, model: Model, device: str) -> GenerationSpec:
        """Return the spec of the same picture, with notes on what may make it differ."""
        recipe = self.recipe
        spec = self._spec(f"{self.name}-again", find_differences(recipe, model, device))
        return replace(
            spec,
            batch_size=recipe.batch_size,
            place=recipe.place,
            begun_alone=recipe.begun_alone,
            threads=reproducible_threads(recipe, device),
        )

    def spec_to_vary(
        self,
        model: Model,
        prompt: str | None,
        negative: str | None,
        preset: str | None,
        changes: Any,
        likeness: float | None,
    ) -> GenerationSpec:
        """Return the spec of pictures with the same composition.

        Raises:
            SowError: for an invalid setting.
        """
        base = self.recipe.settings if preset is None else model.checkpoint_spec.preset(preset)
        spec = self._spec(f"{self.name}-like", find_model_differences(self.recipe, model))
        plan = spec.plan
        if prompt is not None:
            prompted = plan.changed(prompt=prompt, notes=())
            plan = in_known_words(prompted, model.name, model.checkpoint_spec.words)
        if negative is not None:
            plan = with_negative(plan, negative, model)
        wording: list[str] = []
        if prompt is not None or negative is not None:
            words, absent = model.checkpoint_spec.words, negative or plan.negative
            wording = list(wording_notes(prompt or plan.prompt, absent, plan, words))
        canvas_notes = model.checkpoint_spec.canvas_notes(plan.canvas)
        notes = (*spec.notes, *plan.notes, *wording, *canvas_notes)
        settings = resolve_settings(base, changes, likeness)
        return replace(spec, plan=plan, settings=settings, user_prompt=prompt or "", notes=notes)

    def _spec(self, name: str, notes: Iterator[str]) -> GenerationSpec:
        recipe = self.recipe
        return GenerationSpec(
            self.condition,
            recipe.plan,
            recipe.settings,
            name,
            recipe.picture_sha256,
            notes=tuple(notes),
        )


def allowed_model(recipe: Recipe) -> tuple[str, str | None]:
    """Return the model that a recipe names, if `auto` can mean it, and its commit if in the cache.

    A recipe's commit is never requested from the hub: that would use the user's name and token, and
    anybody may have put that commit there. If it is not in the cache, the commit that `auto` takes
    is used, and `find_differences` says so; users who trust the commit give model= and revision=.

    Raises:
        ModelError: if it is another model.
    """
    if recipe.model not in (*BUNDLED, *SD21):
        raise ModelError(
            f"the recipe's model {recipe.model!r} is not loaded: only models that `auto` can mean "
            "are taken from a recipe",
            "to use it, give model=",
        )
    if recipe.model in SD21 and re.fullmatch(r"[0-9a-f]{40}", recipe.revision):
        with suppress(ModelError):
            find_model(recipe.model, revision=recipe.revision, download=False)
            return recipe.model, recipe.revision
    return recipe.model, None


def find_differences(recipe: Recipe, model: Model, device: str) -> Iterator[str]:
    """Yield notes on what may keep the picture from being reproduced exactly."""
    yield from find_model_differences(recipe, model)
    if device.split(":")[0] != recipe.device:
        yield f"the recipe was made on {recipe.device}: expect small changes"
    elif recipe.device == "cpu" and reproducible_threads(recipe, device) == 0:
        how = (
            f"with {recipe.threads} threads, more than this machine has"
            if recipe.threads
            else "by an earlier version of SOW that did not record the number of threads"
        )
        yield f"the recipe was made {how}: expect small changes"
    here = versions()
    changed = [
        f"{name} {version}"
        for name, version in recipe.versions.items()
        if here.get(name) != version
    ]
    if changed:
        yield f"the recipe was made with {', '.join(changed)}: expect small changes"


def find_model_differences(recipe: Recipe, model: Model) -> Iterator[str]:
    """Yield a note if the model is, or may be, another one than the recipe's."""
    if recipe.revision.endswith(OLD_HASH) and not model.commit:
        yield (
            "the recipe was made by an earlier version of SOW: whether the model is the same "
            "cannot be checked"
        )
    elif model.revision != recipe.revision.removesuffix(OLD_HASH).strip():
        yield f"the model differs from the recipe's ({recipe.revision}): expect changes"


def reproducible_threads(recipe: Recipe, device: str) -> int:
    """Return the number of CPU threads that reproduces the picture, or 0 if there is none.

    A recipe, which may come from anybody, does not start more threads than this machine has cores.
    """
    import torch

    limit = max(os.cpu_count() or 1, torch.get_num_threads())
    return recipe.threads if device == "cpu" and recipe.threads <= limit else 0
