"""May a checkpoint on disk be trusted and run, and which of its files are loaded."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from sow.checkpoints.configs import config_problem
from sow.checkpoints.files import is_plain, read_config, stays_inside
from sow.errors import ModelError
from sow.utils.files import MAX_TEXT_BYTES

PARTS = ("unet", "vae", "text_encoder")
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
READ_WHOLE = (".json", ".txt", ".model", ".jinja")
NONE = (None, None)
CLASSES = {
    "unet": r"diffusers\.UNet2DConditionModel",
    "vae": r"diffusers\.AutoencoderKL",
    "text_encoder": r"transformers\.CLIPTextModel",
    "tokenizer": r"transformers\.CLIPTokenizer(Fast)?",
    "scheduler": r"diffusers\.\w+Scheduler",
    "feature_extractor": r"transformers\.CLIP(ImageProcessor(Fast|Pil)?|FeatureExtractor)",
    "safety_checker": r"stable_diffusion\.StableDiffusionSafetyChecker",
    "image_encoder": r"transformers\.CLIPVisionModelWithProjection",
}
"""What the parts of a Stable Diffusion are; other classes read other files, or run other code."""
MODELS = (*PARTS, "safety_checker", "image_encoder")
NEEDED = (
    ("model_index.json",),
    ("scheduler/scheduler_config.json",),
    ("tokenizer/tokenizer_config.json",),
    ("tokenizer/tokenizer.json", "tokenizer/vocab.json"),
    ("tokenizer/tokenizer.json", "tokenizer/merges.txt"),
    *((f"{part}/config.json",) for part in PARTS),
)
"""One of each has to be there: what the libraries would make up without a word."""


def folder_problem(folder: Path) -> ModelError | None:
    """What is wrong with a folder as a checkpoint, or None."""
    try:
        check_folder(folder)
    except ModelError as error:
        return error
    return None


def check_folder(folder: Path, given: Collection[str] = ()) -> None:
    """Whether a folder is a checkpoint this engine can run.

    given: parts that are not loaded from it, and need not be there.

    Raises:
        ModelError: if it is none, is one of another kind, or has its weights only as pickles.
    """
    for part in check_configuration(folder, given):
        if part in MODELS and not any((folder / part).glob("*.safetensors")):
            raise ModelError(f"{folder.name!r} has no weights for its {part}", "get it again")


def check_configuration(folder: Path, given: Collection[str] = ()) -> list[str]:
    """Whether what a folder says of a checkpoint can be believed; the parts that are loaded of it.

    The weights may be elsewhere: a single file can be loaded by the configuration of a folder.

    Raises:
        ModelError: if it is none of Stable Diffusion's, or wants to run or to read what it may not.
    """
    parts = check_layout(folder, given)
    channels = read_config(folder / "unet").get("in_channels", 4)
    if channels != read_config(folder / "vae").get("latent_channels", 4):
        raise ModelError(
            f"the UNet of {folder.name!r} has {channels} input channels (an inpainting model?)",
            "give a text-to-image checkpoint",
        )
    return parts


def check_layout(folder: Path, given: Collection[str] = ()) -> list[str]:
    """The same, whatever its UNet is given besides latents: inpainting models are Stable Diffusion.

    Raises:
        ModelError: as `check_configuration`.
    """
    index = read_config(folder, "model_index.json")
    if not index:
        raise ModelError(
            f"{folder.name!r} has no readable model_index.json",
            "give a Stable Diffusion checkpoint in diffusers layout",
        )
    _check_kind(folder, index)
    parts = [part for part in parts_of(index) if part not in given]
    _check_files(folder, [folder / part for part in parts])
    for names in NEEDED:
        needed = names[0].partition("/")[0] not in given
        if needed and not any((folder / name).is_file() for name in names):
            raise ModelError(f"{folder.name!r} has no {' or '.join(names)}", "get it again")
    return parts


def parts_of(index: Mapping[str, Any]) -> list[str]:
    """The folders that a checkpoint speaks of."""
    return [n for n in CLASSES if isinstance(index.get(n), list) and tuple(index[n]) != NONE]


def _check_kind(folder: Path, index: Mapping[str, Any]) -> None:
    missing = [part for part in PARTS if not index.get(part)]
    if missing or index.get("text_encoder_2") or index.get("text_encoder_3"):
        raise ModelError(
            f"{folder.name!r} is a {str(index.get('_class_name', 'model of another kind'))[:80]}",
            "only Stable Diffusion 1.x and 2.x can be run",
        )
    strange = [name for name, value in index.items() if not _is_known(name, value)]
    code = sorted(file.name for name in CLASSES for file in (folder / name).glob("*.py"))
    if strange or code:
        raise ModelError(
            f"{folder.name!r} has parts that are not Stable Diffusion's, or code of its own "
            f"({', '.join([*strange, *code])[:200]})",
            "only plain Stable Diffusion checkpoints are loaded",
        )


def _is_known(name: str, value: Any) -> bool:
    """Whether an entry of `model_index.json` is what Stable Diffusion has there."""
    if value is None or (isinstance(value, list) and tuple(value) == NONE):
        return name not in PARTS
    if name in CLASSES:
        named = ".".join(map(str, value)) if isinstance(value, list) else ""
        return bool(re.fullmatch(CLASSES[name], named))
    return not isinstance(value, list)


def _check_files(folder: Path, parts: list[Path]) -> None:
    """Raises unless every file that a library may open is a plain one of the checkpoint's own."""
    for file in _files(folder, parts):
        name = file.relative_to(folder).as_posix()
        if not is_plain(file):
            raise ModelError(f"{name!r} of {folder.name!r} is no readable file", "get it again")
        if not stays_inside(file, folder):
            raise ModelError(
                f"{name!r} of {folder.name!r} is a link to a place outside of it",
                "put the file itself there",
            )
        if file.suffix in READ_WHOLE and file.stat().st_size > MAX_TEXT_BYTES:
            raise ModelError(
                f"{name!r} of {folder.name!r} is not readable: it is larger than "
                f"{MAX_TEXT_BYTES >> 20} MB",
                "get it again",
            )
        if file.name == "adapter_config.json":
            raise ModelError(f"{name!r} of {folder.name!r} names other weights", "take it away")
        if "config" in file.name or ".index" in file.name or file.parent == folder:
            _check_config(file, folder, name)


def _files(folder: Path, parts: list[Path]) -> Iterator[Path]:
    yield folder / "model_index.json"
    for part in parts:
        if not part.is_dir():
            raise ModelError(f"{folder.name!r} has no {part.name}", "get it again")
        files = sorted(file for file in part.glob("*") if not file.is_dir())
        inner = [place.name for place in part.glob("[!.]*") if place.is_dir()]
        if inner:  # what is in it would be read unseen, if a library were led there
            raise ModelError(
                f"the {part.name} of {folder.name!r} has a folder inside ({inner[0][:80]!r})",
                "take it away",
            )
        stored = [f for f in files if f.suffix == ".safetensors"]
        if not stored and any(file.suffix in PICKLES for file in files):
            raise ModelError(
                f"{folder.name!r} has its {part.name} only as a pickle, which can run code",
                "give a checkpoint with .safetensors files",
            )
        yield from files


def _check_config(file: Path, folder: Path, name: str) -> None:
    config = read_config(file.parent, file.name)
    if not config:
        raise ModelError(f"{name!r} of {folder.name!r} is not readable", "get it again")
    problem = config_problem(name, config)
    if problem:
        raise ModelError(f"{name!r} of {folder.name!r} cannot be: {problem}", "get it again")
    if ".index" in file.name:
        _check_shards(file, folder, config)


def _check_shards(file: Path, folder: Path, index: Mapping[str, Any]) -> None:
    """Raises where an index of weights in several files leads to anything but its neighbours."""
    shards = index.get("weight_map")
    names = set(map(str, shards.values())) if isinstance(shards, dict) else {""}
    wrong = [n for n in names if not re.fullmatch(r"[\w.-]+\.safetensors", n)]
    if wrong or not all(is_plain(file.parent / name) for name in names):
        raise ModelError(
            f"the index {file.name!r} of {folder.name!r} leads to weights that are no "
            f"{file.parent.name}/*.safetensors",
            "give a checkpoint with .safetensors files",
        )


def variant_of(folder: Path, half: bool) -> str | None:
    """Which files to load: `fp16`, or None for the plain ones; `half` prefers fp16."""

    def complete(wanted: bool) -> bool:
        return all(
            any(
                bool(re.search(r"\.fp16[.-]", file.name)) == wanted
                for file in (folder / part).glob("*.safetensors")
            )
            for part in PARTS
        )

    if complete(True) and (half or not complete(False)):
        return "fp16"
    return None
