"""How a picture was made, kept inside its PNG, so that it can be made again.

The text chunk `sow` holds the recipe as JSON: plan, settings, seed, model, versions. The private
chunk `soWc` holds the condition's own pixels (with its mask as alpha), because without them
nothing can be repeated. Neither holds a key, a path or a time.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

from PIL import Image, PngImagePlugin
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sow.condition import Condition
from sow.errors import OutputError, PictureError
from sow.plan import Plan, first_problem
from sow.settings import Settings

TEXT_KEY, CONDITION_CHUNK = "sow", b"soWc"
MAX_CONDITION = 16 * 2**20
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)
RECORDED = ("sow", "torch", "diffusers", "transformers")


class Recipe(BaseModel):
    """Everything but the weights that decides a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    plan: Plan
    settings: Settings
    seed: int = Field(ge=0, lt=2**63)
    model: str = Field(max_length=300, description="bundled name, hub id, or the last of a path")
    revision: str = Field(max_length=100)
    device: str = Field(max_length=40)
    dtype: str = Field(max_length=40)
    picture_sha256: str = Field(max_length=64, description="of the pixels the user gave")
    versions: dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=40)]] = (
        Field(max_length=20)
    )


def versions() -> dict[str, str]:
    """The versions that can change a picture."""
    found = {}
    for name in RECORDED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def pixels_sha256(image: Image.Image) -> str:
    """The hash of a picture's pixels, size and mode."""
    return hashlib.sha256(f"{image.mode}{image.size}".encode() + image.tobytes()).hexdigest()


def save_png(
    image: Image.Image, path: Path, recipe: Recipe, condition: Condition, *, force: bool = False
) -> None:
    """Writes a picture with its recipe inside; the same picture and recipe, the same bytes.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    info = PngImagePlugin.PngInfo()
    info.add_text(TEXT_KEY, recipe.model_dump_json())
    info.add(CONDITION_CHUNK, condition.to_png())
    write_png(image, path, force=force, info=info)


def check_free(path: Path, force: bool = False) -> None:
    """Whether a result may be written there; asked before the work starts.

    Raises:
        OutputError: if the file exists (without `force`) or its folder does not.
    """
    try:
        folder, taken, parent = path.is_dir(), path.exists(), path.parent.is_dir()
    except OSError as error:  # a name too long, a folder that may not be looked into
        raise OutputError(
            f"{str(path)[:80]!r} cannot be written ({error.strerror})", "choose another --out"
        ) from None
    if folder:
        raise OutputError(f"{str(path)!r} is a folder", "give the name of a file")
    if taken and not force:
        raise OutputError(f"{str(path)!r} exists", "choose another name, or --force")
    if not parent:
        raise OutputError(f"there is no folder {str(path.parent)!r}", "create it first")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"the folder {str(path.parent)!r} may not be written to", "use --out")


def write_png(
    image: Image.Image,
    path: Path,
    *,
    force: bool = False,
    info: PngImagePlugin.PngInfo | None = None,
) -> None:
    """Writes a PNG under a temporary name and moves it into place, so it is whole or not there.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    _publish(lambda temporary: image.save(temporary, "PNG", pnginfo=info), path, force)


def write_text(text: str, path: Path, *, force: bool = False) -> None:
    """Writes a text file as `write_png` writes a picture."""
    _publish(lambda temporary: temporary.write_text(text, encoding="utf-8"), path, force)


def _publish(write: Callable[[Path], object], path: Path, force: bool) -> None:
    check_free(path, force)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        write(temporary)
        if force:
            temporary.replace(path)
        else:
            _move_to_free(temporary, path)
    except FileExistsError:
        raise OutputError(f"{str(path)!r} exists", "choose another name, or --force") from None
    except OSError as error:
        raise OutputError(
            f"{str(path)!r} cannot be written ({error.strerror or error})", "check --out"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def _move_to_free(temporary: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary)  # unlike a move, this fails if the file has appeared
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        temporary.replace(path)


def read_recipe(path: Path) -> tuple[Recipe, Condition]:
    """The recipe and the condition inside a picture that `sow generate` wrote.

    Raises:
        PictureError: if it is no such picture, or was damaged or tampered with.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=("PNG",)) as opened:
                assert isinstance(opened, PngImagePlugin.PngImageFile)
                opened.load()
                text = opened.text.get(TEXT_KEY)
                private = opened.private_chunks
        chunks = [chunk[1] for chunk in private if chunk[0] == CONDITION_CHUNK]
    except FileNotFoundError:
        raise PictureError(f"no picture at {str(path)!r}", "check the path") from None
    except (OSError, ValueError, SyntaxError, *BOMBS):
        raise PictureError(
            f"{path.name!r} is not a readable PNG", "recipes are in the PNGs of `sow generate`"
        ) from None
    if text is None or not chunks:
        raise PictureError(
            f"{path.name!r} has no recipe", "only pictures written by `sow generate` have one"
        )
    if len(chunks[0]) > MAX_CONDITION:
        raise PictureError(f"the condition in {path.name!r} is too large to be real")
    try:
        recipe = Recipe.model_validate_json(text)
        box = recipe.plan.box
        condition = Condition.from_png(chunks[0], (box.width, box.height))
    except ValidationError as error:
        raise PictureError(
            f"the recipe in {path.name!r} is damaged: {first_problem(error)}"
        ) from None
    except PictureError as error:
        raise PictureError(f"the recipe in {path.name!r} is damaged: {error.what}") from None
    except (OSError, ValueError, SyntaxError, *BOMBS):
        raise PictureError(f"the condition in {path.name!r} is damaged") from None
    return recipe, condition
