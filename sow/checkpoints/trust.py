"""Check that a checkpoint on disk is trusted and can be run, and choose the files to load."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from sow.checkpoints.configs import config_problem
from sow.checkpoints.families import (
    COMPONENTS,
    USE_FAMILY,
    WITH_WEIGHTS,
    Family,
    component_names,
    family_of_index,
    is_component,
)
from sow.checkpoints.files import is_inside, is_regular_file, read_config
from sow.errors import ModelError
from sow.utils.files import MAX_TEXT_BYTES

WEIGHTS = "*.safetensors"
PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
TEXT_SUFFIXES = (".json", ".txt", ".model", ".jinja")


def folder_problem(folder: Path) -> ModelError | None:
    """Return what is wrong with a folder as a checkpoint, or None."""
    try:
        check_folder(folder)
    except ModelError as error:
        return error
    return None


def check_folder(folder: Path, passed: Collection[str] = ()) -> None:
    """Check that a folder is a trusted checkpoint that this engine can run.

    passed: components that the caller passes, which the folder need not have.

    Raises:
        ModelError: if it is not a checkpoint of a known family, would run code or read files
            outside it, or has its weights only as pickles.
    """
    for name in check_configs(folder, passed):
        if name in WITH_WEIGHTS and not any((folder / name).glob("*.safetensors")):
            raise ModelError(f"{folder.name!r} has no weights for its {name}", "download it again")


def check_configs(folder: Path, passed: Collection[str] = ()) -> list[str]:
    """Check the configuration of a checkpoint; return the components that are loaded from it.

    The weights may be elsewhere: a single file can be loaded with the configuration of a folder.

    Raises:
        ModelError: if it is of no known family, or would run code or read files outside it.
    """
    names = check_layout(folder, passed)
    denoiser = family_of_index(read_config(folder, "model_index.json"), folder.name).denoiser
    channels = read_config(folder / denoiser).get("in_channels", 4)
    if channels != read_config(folder / "vae").get("latent_channels", 4):
        raise ModelError(
            f"the {denoiser} of {folder.name!r} has {channels} input channels (an inpainting "
            "model?)",
            "use a text-to-image checkpoint",
        )
    return names


def check_layout(folder: Path, passed: Collection[str] = ()) -> list[str]:
    """Check the configuration as `check_configs` does, but accept inpainting models as well.

    Raises:
        ModelError: if it is of no known family, or would run code or read files outside it.
    """
    index = read_config(folder, "model_index.json")
    if not index:
        raise ModelError(
            f"{folder.name!r} has no readable model_index.json",
            f"{USE_FAMILY} in diffusers' layout",
        )
    family = family_of_index(index, folder.name)
    _check_components(folder, index, family)
    names = [name for name in component_names(index) if name not in passed]
    _check_files(folder, [folder / name for name in names])
    for files in family.required_files(component_names(index)):
        is_required = files[0].partition("/")[0] not in passed
        if is_required and not any((folder / file).is_file() for file in files):
            raise ModelError(f"{folder.name!r} has no {' or '.join(files)}", "download it again")
    return names


def _check_components(folder: Path, index: Mapping[str, Any], family: Family) -> None:
    """Check that a checkpoint has no components but its family's, and no code."""
    unknown = [name for name, value in index.items() if not _is_known(name, value, family)]
    code = sorted(file.name for name in COMPONENTS for file in (folder / name).glob("*.py"))
    if unknown or code:
        raise ModelError(
            f"{folder.name!r} has components that are not those of {family.title}, or code of its "
            f"own ({', '.join([*unknown, *code])[:200]})",
            "use a checkpoint without them",
        )


def _is_known(name: str, value: Any, family: Family) -> bool:
    """Return whether an entry of `model_index.json` is one that the family has."""
    if value is None or (isinstance(value, list) and not is_component(value)):
        return name not in family.required
    if name in family.classes:
        class_name = ".".join(map(str, value)) if isinstance(value, list) else ""
        return bool(re.fullmatch(family.classes[name], class_name))
    return not isinstance(value, list)


def _check_files(folder: Path, components: list[Path]) -> None:
    """Check that every file a library may open is a regular file inside the checkpoint."""
    for file in _files(folder, components):
        name = file.relative_to(folder).as_posix()
        if not is_regular_file(file):
            raise ModelError(
                f"{name!r} of {folder.name!r} is not a readable file", "download it again"
            )
        if not is_inside(file, folder):
            raise ModelError(
                f"{name!r} of {folder.name!r} is a link to a file outside the checkpoint",
                "replace it with the file",
            )
        if file.suffix in TEXT_SUFFIXES and file.stat().st_size > MAX_TEXT_BYTES:
            raise ModelError(
                f"{name!r} of {folder.name!r} is not readable: it is larger than "
                f"{MAX_TEXT_BYTES >> 20} MB",
                "download it again",
            )
        if file.name == "adapter_config.json":
            raise ModelError(f"{name!r} of {folder.name!r} loads other weights", "delete it")
        if "config" in file.name or ".index" in file.name or file.parent == folder:
            _check_config(file, folder, name)


def _files(folder: Path, components: list[Path]) -> Iterator[Path]:
    yield folder / "model_index.json"
    for component in components:
        if not component.is_dir():
            raise ModelError(f"{folder.name!r} has no {component.name}", "download it again")
        files = sorted(file for file in component.glob("*") if not file.is_dir())
        inner = [path.name for path in component.glob("[!.]*") if path.is_dir()]
        if inner:  # its files are not checked, and a library might be led to them
            raise ModelError(
                f"the {component.name} of {folder.name!r} has a folder inside ({inner[0][:80]!r})",
                "delete it",
            )
        stored = [f for f in files if f.suffix == ".safetensors"]
        if not stored and any(file.suffix in PICKLES for file in files):
            raise ModelError(
                f"{folder.name!r} has its {component.name} only as a pickle, which can run code",
                "use a checkpoint with .safetensors files",
            )
        yield from files


def _check_config(file: Path, folder: Path, name: str) -> None:
    config = read_config(file.parent, file.name)
    if not config:
        raise ModelError(f"{name!r} of {folder.name!r} is not readable", "download it again")
    problem = config_problem(name, config)
    if problem:
        raise ModelError(f"{name!r} of {folder.name!r} is invalid: {problem}", "download it again")
    if ".index" in file.name:
        _check_shards(file, folder, config)


def _check_shards(file: Path, folder: Path, index: Mapping[str, Any]) -> None:
    """Check that an index of sharded weights leads only to files beside it."""
    shards = index.get("weight_map")
    names = set(map(str, shards.values())) if isinstance(shards, dict) else {""}
    wrong = [n for n in names if not re.fullmatch(r"[\w.-]+\.safetensors", n)]
    if wrong or not all(is_regular_file(file.parent / name) for name in names):
        raise ModelError(
            f"the index {file.name!r} of {folder.name!r} leads to weights that are not in "
            f"{file.parent.name}/*.safetensors",
            "use a checkpoint with .safetensors files",
        )


def choose_variant(folder: Path, half: bool) -> str | None:
    """Return the variant of the files to load, `fp16` or None; `half` prefers `fp16`.

    A component that has only other files is then loaded from these, as by diffusers.
    """
    components = component_names(read_config(folder, "model_index.json"))
    marks = [
        {".fp16." in file.name or ".fp16-" in file.name for file in (folder / name).glob(WEIGHTS)}
        for name in components
        if name in WITH_WEIGHTS
    ]
    has_half = any(True in each for each in marks)
    is_needed = any(each == {True} for each in marks)
    return "fp16" if has_half and (half or is_needed) else None
