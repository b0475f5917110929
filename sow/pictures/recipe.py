"""Recipes: everything that is needed to make a picture again, stored inside its PNG.

The text chunk `sow` holds the recipe as JSON: plan, settings, seed, model, versions. The private
chunk `soWc` holds the condition's pixels (with its mask as alpha), without which the picture
cannot be made again. Neither holds a key, a path or a time.
"""

from __future__ import annotations

import hashlib
import io
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any, Literal

from PIL import Image, PngImagePlugin
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from sow.errors import PictureError
from sow.pictures.condition import Condition
from sow.pictures.loading import decode, display_name, open_image
from sow.plan.plan import MAX_PLAN_BYTES, Plan
from sow.settings.inputs import MAX_ADAPTERS, MAX_LORA_WEIGHT
from sow.settings.presets import FAST, NO_SKIPPING
from sow.settings.settings import Settings
from sow.utils.files import png_bytes, write_png
from sow.utils.limits import MAX_BATCH_SIZE
from sow.utils.representation import represent
from sow.utils.validation import UPDATE, check_version, first_problem, newer_version

TEXT_KEY, CONDITION_CHUNK = "sow", b"soWc"
# Whatever `save_png` writes can be read: room for the largest canvas, 8192 pixels a side, and a
# condition that fills it, both of noise.
MAX_BYTES = 512 * 2**20
RECIPE_VERSION: Literal[6] = 6
OLD_HASH = "(hashed as version 1 did)"
RECORDED_PACKAGES = ("sow", "torch", "diffusers", "transformers")


class NoRecipe(PictureError):
    """A picture that has no recipe."""


class AdapterRecord(BaseModel):
    """A file that was added to the model: its name, without folders, and its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # A recipe may come from anybody: a folder or a server before the name would be looked into.
    name: str = Field(max_length=255, pattern=r"^[^/\\]+\.safetensors$")
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class LoraRecord(AdapterRecord):
    """A LoRA, and how much of it was added."""

    weight: float = Field(ge=-MAX_LORA_WEIGHT, le=MAX_LORA_WEIGHT)


class EmbeddingRecord(AdapterRecord):
    """An embedding, and the word that stands for it."""

    token: str = Field(pattern=r"^[^\s,]{2,80}$")


class Recipe(BaseModel):
    """Everything that determines a picture except the weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[6] = RECIPE_VERSION
    plan: Plan
    settings: Settings
    seed: int = Field(ge=0, lt=2**63)
    model: str = Field(
        max_length=300, description="bundled name, hub id, or the last part of a path"
    )
    revision: str = Field(max_length=100)
    device: str = Field(max_length=40)
    dtype: str = Field(max_length=40)
    picture_sha256: str = Field(max_length=64, description="of the input picture's pixels")
    versions: dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=40)]] = (
        Field(max_length=20)
    )
    batch_size: int = Field(
        1, ge=1, le=MAX_BATCH_SIZE, description="pictures in the batch: it affects rounding"
    )
    place: int = Field(0, ge=0, description="index of this picture in the batch, from 0")
    begun_alone: bool = Field(
        False, description="whether its first steps ran alone, not in the batch"
    )
    threads: int = Field(
        0, ge=0, le=2**16, description="CPU threads: they affect rounding; 0: not recorded"
    )
    loras: tuple[LoraRecord, ...] = Field((), max_length=MAX_ADAPTERS)
    embeddings: tuple[EmbeddingRecord, ...] = Field((), max_length=MAX_ADAPTERS)
    method: str = Field(
        "",
        max_length=300,
        description="the method that made it, if not SOW; then it cannot be made again",
    )

    def __repr__(self) -> str:
        """Return what identifies the picture."""
        return represent(
            self, model=self.model, revision=self.revision[:12], seed=self.seed,
            prompt=self.plan.prompt, settings=self.settings, method=self.method or None,
        )  # fmt: skip

    @model_serializer(mode="wrap")
    def _without_empty(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what a plain picture does not have, as recipes did before there was any."""
        data: dict[str, Any] = dump(self)
        return {k: v for k, v in data.items() if v or k not in ("loras", "embeddings", "method")}

    @model_validator(mode="before")
    @classmethod
    def _from_older(cls, value: Any) -> Any:
        """Fill in the fields that older versions did not have.

        Version 1 had no batches, and its first pictures were not modulated; up to version 2 the
        whole box was planted, and once; up to version 3 threads were not recorded; up to version 4
        the UNet was called at every state, for all branches of guidance; up to version 5 brackets
        in prompts had no meaning, and long prompts were cut off.
        """
        check_version("recipe", value, RECIPE_VERSION)
        if not isinstance(value, dict) or value.get("version") not in (1, 2, 3, 4, 5):
            return value
        version, value = value["version"], {**value, "version": RECIPE_VERSION}
        settings, is_first = value.get("settings"), version == 1
        if isinstance(settings, dict):
            # The defaults before those of the published method.
            missing: dict[str, Any] = {"prompt_syntax": "plain"}
            if version < 5:
                missing |= {**FAST, **NO_SKIPPING}
            if is_first:
                missing["alpha_plus"] = 0.0
            if version < 3:
                missing |= {"condition_guidance_scale": settings.get("guidance_scale", 7.5),
                            "planted": "box", "rim": (0.5, 0.5), "replant": 0}  # fmt: skip
            value["settings"] = missing | settings
        if is_first:  # files were hashed in another way
            value["revision"] = f"{value.get('revision')} {OLD_HASH}"
        return value

    @model_validator(mode="after")
    def _complete(self) -> Recipe:
        if not self.plan.has_canvas:
            raise ValueError("its plan has no canvas")
        if self.place >= self.batch_size:
            raise ValueError(f"place {self.place} is outside a batch of {self.batch_size}")
        return self


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change a picture."""
    found = {}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def pixels_sha256(image: Image.Image) -> str:
    """Return the hash of a picture's pixels, size and mode."""
    return hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).hexdigest()


def save_png(
    image: Image.Image, path: Path, recipe: Recipe, condition: Condition, *, force: bool = False
) -> None:
    """Write a picture with its recipe; the same picture and recipe give the same bytes.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    write_png(image, path, force=force, info=_info(recipe, condition))


def recipe_png_bytes(image: Image.Image, recipe: Recipe, condition: Condition) -> bytes:
    """Return a picture with its recipe as the bytes that `save_png` writes."""
    return png_bytes(image, _info(recipe, condition))


def _info(recipe: Recipe, condition: Condition) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text(TEXT_KEY, recipe.model_dump_json())
    info.add(CONDITION_CHUNK, condition.to_png())
    return info


def read_recipe(path: Path) -> tuple[Recipe, Condition]:
    """Read the recipe and the condition from a picture that `sow generate` wrote.

    Raises:
        PictureError: if the file has no recipe, or an invalid one.
    """
    return read_saved(path)[1:]


def read_saved(source: Path | bytes, name: str = "") -> tuple[Image.Image, Recipe, Condition]:
    """Read a picture that `sow generate` wrote, with its recipe and its condition.

    Args:
        source: a file, or what is in it.
        name: for messages; by default the file's.

    Raises:
        PictureError: if it has no recipe, or an invalid one.
    """
    name = name or (display_name(source) if isinstance(source, Path) else "the picture")
    opened = source if isinstance(source, Path) else io.BytesIO(source)
    with open_image(opened, name, ("PNG",), MAX_BYTES) as picture:
        assert isinstance(picture, PngImagePlugin.PngImageFile)
        decode(picture)
        text, private = picture.text.get(TEXT_KEY), picture.private_chunks
        image = picture.convert("RGB")
    chunks = [chunk[1] for chunk in private if chunk[0] == CONDITION_CHUNK]
    if text is None or not chunks:
        raise _no_recipe(name)
    recipe = _parsed(text, name)
    box = recipe.plan.box
    try:
        condition = Condition.from_png(chunks[0], (box.width, box.height))
    except PictureError as error:
        raise PictureError(f"the recipe in {name} is damaged: {error.what}") from None
    image.info = {}
    return image, recipe, condition


def peek_recipe(source: Path | bytes, name: str = "") -> Recipe:
    """Read only the recipe of a picture, as `read_saved`; no pixel is decoded.

    Raises:
        NoRecipe: if it is a picture without a recipe.
        PictureError: if it is none, or its recipe is invalid.
    """
    name = name or (display_name(source) if isinstance(source, Path) else "the picture")
    opened = source if isinstance(source, Path) else io.BytesIO(source)
    with open_image(opened, name, ("PNG",), MAX_BYTES) as picture:
        text = picture.info.get(TEXT_KEY)
    if not isinstance(text, str):
        raise _no_recipe(name)
    return _parsed(text, name)


def _no_recipe(name: str) -> NoRecipe:
    return NoRecipe(f"{name} has no recipe", "give a picture written by `sow generate`")


def _parsed(text: str, name: str) -> Recipe:
    if len(text) > MAX_PLAN_BYTES:
        raise PictureError(f"the recipe in {name} is too long")
    try:
        return Recipe.model_validate_json(text)
    except ValidationError as error:
        newer = newer_version(error)
        if newer:
            raise PictureError(f"{name} was made by a newer SOW: {newer}", UPDATE) from None
        raise PictureError(f"the recipe in {name} is damaged: {first_problem(error)}") from None
