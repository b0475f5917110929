"""Check that a checkpoint has exactly the tensors that its configuration describes.

The libraries silently initialise missing tensors at random and skip unknown ones: the pictures
would then not be the checkpoint's. Only the headers of the files are read here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.checkpoints.families import WITH_WEIGHTS, component_names
from sow.checkpoints.files import read_config, read_safetensors_header
from sow.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]
Header = Mapping[str, tuple[str, tuple[int, ...]]]
FILE_STEMS = {
    "unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model",
    "text_encoder_2": "model",
    "text_encoder_3": "model",
    "transformer": "diffusion_pytorch_model",
    "safety_checker": "model", "image_encoder": "model",
}  # fmt: skip
LEGACY_NAMES = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}
"""Names in the attention of older autoencoders, and today's; diffusers renames them as well."""
NOT_NEEDED = ("embeddings.position_ids", "encoder.embed_tokens.weight")
"""Tensors that saved text encoders may have and do not need: indices, and T5's words once more."""
PROJECTION = "text_projection.weight"
"""CLIP's last layer, which is not needed where the class does not have it."""
FLOAT_DTYPES = {"F16", "BF16", "F32", "F64"}
COUNTERS = ("position_ids", "num_updates", "global_step")
"""Integers that are not weights: training left them in the file."""


def check_weights(folder: Path, variant: str | None, passed: Collection[str] = ()) -> None:
    """Check that a trusted checkpoint has the weights that its configuration describes.

    Args:
        folder: in diffusers' layout.
        variant: of the files, such as `fp16`.
        passed: components that the caller passes, which are not loaded from the folder.

    Raises:
        ModelError: if a tensor is missing, unknown or of another shape or dtype, or a file is
            damaged.
    """
    for part in component_names(read_config(folder, "model_index.json")):
        if part in passed or part not in WITH_WEIGHTS:
            continue
        what = f"the {part} of {folder.name!r}"
        wrong = _first_difference(
            _stored_shapes(folder / part, variant, what), _expected_shapes(folder / part, what)
        )
        if wrong:
            raise ModelError(
                f"the weights of {what} do not match its config.json: {wrong}",
                "download the checkpoint again",
            )


def _first_difference(stored: Shapes, expected: Shapes) -> str:
    missing = sorted(expected.keys() - stored.keys())
    unknown = sorted(stored.keys() - expected.keys())
    both = sorted(expected.keys() & stored.keys())
    shapes = [name for name in both if expected[name] != stored[name]]
    for names, problem in ((missing, "missing"), (unknown, "unknown"), (shapes, "of other shapes")):
        if names:
            return f"{len(names)} tensors are {problem}, the first {names[0][:200]}"
    return ""


def _stored_shapes(folder: Path, variant: str | None, what: str) -> Shapes:
    """Return the shapes of the tensors in the files that are loaded, by their current names."""
    from safetensors import SafetensorError

    shapes: dict[str, tuple[int, ...]] = {}
    for file in _files(folder, variant, what):
        try:
            header = read_safetensors_header(file)
        except (OSError, ValueError, SafetensorError) as error:
            raise ModelError(
                f"{what} cannot be loaded: {file.name} is damaged ({error})"[:400],
                "download the checkpoint again",
            ) from None
        check_dtypes(header, what)
        for name, (_, shape) in header.items():
            current = _current_name(name)
            if current in shapes:  # the libraries could load either
                raise ModelError(f"{what} has {current[:200]!r} twice", "download it again")
            if not _is_ignored(name, folder):
                shapes[current] = shape
    return shapes


def check_dtypes(header: Header, what: str) -> None:
    """Check that all weights of a file are floats of 16 to 64 bits.

    Raises:
        ModelError: if not; the libraries would round or misread them.
    """
    for name, (dtype, _) in header.items():
        if dtype not in FLOAT_DTYPES and not name.endswith(COUNTERS):
            raise ModelError(
                f"{what} has a tensor of the unsupported dtype {dtype}: {name[:200]}",
                "download it again",
            )


def _files(folder: Path, variant: str | None, what: str) -> list[Path]:
    """Return the files that the libraries load: of the variant, or the others if there are none."""
    stem = FILE_STEMS[folder.name]
    for mark in (f".{variant}", "") if variant else ("",):
        single, index = f"{stem}{mark}.safetensors", f"{stem}.safetensors.index{mark}.json"
        present = [name for name in (single, index) if (folder / name).is_file()]
        if len(present) == 2:
            raise ModelError(f"{what} is there twice, as one file and in shards", "delete one")
        if present == [index]:
            shards = read_config(folder, index).get("weight_map", {})
            return [folder / name for name in sorted(set(shards.values()))]
        if present:
            return [folder / single]
    raise ModelError(
        f"{what} has no weights in {stem}.safetensors", "set variant= to the one that it has"
    )


def _expected_shapes(folder: Path, what: str) -> Shapes:
    """Return the shapes that the configuration describes; builds the model on the meta device."""
    import torch

    try:
        with torch.device("meta"):
            module = _build_module(folder)
    except Exception as error:  # the libraries raise anything on an invalid configuration
        raise ModelError(
            f"{what} cannot be built: {str(error).strip()[:300] or type(error).__name__}",
            "download the checkpoint again",
        ) from None
    tensors = module.state_dict()
    return {
        _current_name(name): tuple(tensor.shape)
        for name, tensor in tensors.items()
        if not _is_ignored(name, folder)
    }


def _is_ignored(name: str, folder: Path) -> bool:
    """Return whether a tensor of a component is not needed."""
    is_last = name.endswith(PROJECTION) and _class_of(folder)[1] == "CLIPTextModel"
    return is_last or name.endswith(NOT_NEEDED)


def _class_of(folder: Path) -> tuple[str, str]:
    """Return library and class of a component, from the trusted `model_index.json`."""
    library, name = read_config(folder.parent, "model_index.json")[folder.name]
    return library, name


def _build_module(folder: Path) -> nn.Module:
    import diffusers
    import transformers
    from diffusers.pipelines.stable_diffusion import safety_checker

    libraries: dict[str, Any] = {
        "diffusers": diffusers, "transformers": transformers, "stable_diffusion": safety_checker
    }  # fmt: skip
    library, name = _class_of(folder)
    model = getattr(libraries[library], name)
    if library == "diffusers":
        module: nn.Module = model.from_config(model.load_config(folder))
    else:
        module = model(model.config_class.from_pretrained(folder))
    return module


def _current_name(name: str) -> str:
    """Return a tensor's current name: transformers dropped prefixes, diffusers renamed layers."""
    name = name.removeprefix("text_model.").replace("vision_model.vision_model.", "vision_model.")
    if ".attentions." in name:
        for old, new in LEGACY_NAMES.items():
            name = name.replace(old, new)
    return name
