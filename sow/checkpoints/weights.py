"""Do the tensors of a checkpoint fit what its configuration builds, all of them and no others?

The libraries initialise what is missing at random, and leave out what is too much, without a word:
pictures then come out that the checkpoint never drew. Only the heads of the files are read here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sow.checkpoints.files import read_config, read_head
from sow.checkpoints.trust import MODELS, parts_of
from sow.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

Shapes = Mapping[str, tuple[int, ...]]
Head = Mapping[str, tuple[str, tuple[int, ...]]]
STEMS = {
    "unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model",
    "safety_checker": "model", "image_encoder": "model",
}  # fmt: skip
OLD_NAMES = {
    ".query.": ".to_q.",
    ".key.": ".to_k.",
    ".value.": ".to_v.",
    ".proj_attn.": ".to_out.0.",
}
"""How older autoencoders call the parts of their attention; diffusers renames them as well."""
HARMLESS = ("embeddings.position_ids", "text_projection.weight")
"""What text encoders were saved with and do not need: a count from 0, and CLIP's last layer."""
FLOATS = {"F16", "BF16", "F32", "F64"}
COUNTS = ("position_ids", "num_updates", "global_step")
"""What counts, and is no weight: training left it in the file."""


def check_weights(folder: Path, variant: str | None, given: Collection[str] = ()) -> None:
    """Whether a checkpoint that is trusted has the weights its configuration speaks of.

    Args:
        folder: in diffusers' layout.
        variant: of the files, such as `fp16`.
        given: parts that are not loaded from it.

    Raises:
        ModelError: if a tensor is missing, unknown, of another shape or no number, or a file is
            damaged.
    """
    for part in parts_of(read_config(folder, "model_index.json")):
        if part in given or part not in MODELS:
            continue
        what = f"the {part} of {folder.name!r}"
        wrong = _first_difference(
            _stored(folder / part, variant, what), _built(folder / part, what)
        )
        if wrong:
            raise ModelError(f"{what} has not the weights of its config.json: {wrong}",
                             "get the checkpoint again")  # fmt: skip


def _first_difference(stored: Shapes, built: Shapes) -> str:
    lacking, unknown = sorted(built.keys() - stored.keys()), sorted(stored.keys() - built.keys())
    shapes = [name for name in sorted(built.keys() & stored.keys()) if built[name] != stored[name]]
    for names, problem in ((lacking, "missing"), (unknown, "unknown"), (shapes, "of other shapes")):
        if names:
            return f"{len(names)} tensors are {problem}, the first {names[0][:200]}"
    return ""


def _stored(folder: Path, variant: str | None, what: str) -> Shapes:
    """The tensors in the files that are loaded, by the names of today."""
    from safetensors import SafetensorError

    shapes: dict[str, tuple[int, ...]] = {}
    for file in _files(folder, variant, what):
        try:
            head = read_head(file)
        except (OSError, ValueError, SafetensorError) as error:
            raise ModelError(f"{what} cannot be loaded: {file.name} is damaged ({error})"[:400],
                             "get the checkpoint again") from None  # fmt: skip
        check_kinds(head, what)
        for name, (_, shape) in head.items():
            today = _today(name)
            if today in shapes:  # which of them is taken is a matter of chance
                raise ModelError(f"{what} has {today[:200]!r} twice", "get it again")
            if not name.endswith(HARMLESS):
                shapes[today] = shape
    return shapes


def check_kinds(head: Head, what: str) -> None:
    """Whether all numbers of a file of weights are of a kind that weights have.

    Raises:
        ModelError: if not; the libraries would round them, or read them as others.
    """
    for name, (kind, _) in head.items():
        if kind not in FLOATS and not name.endswith(COUNTS):
            raise ModelError(
                f"{what} has numbers of a kind that is not known: {kind} for {name[:200]}",
                "get it again",
            )


def _files(folder: Path, variant: str | None, what: str) -> list[Path]:
    """The files that the libraries choose: of the variant if there are any, else the plain ones."""
    stem = STEMS[folder.name]
    for mark in (f".{variant}", "") if variant else ("",):
        single, index = f"{stem}{mark}.safetensors", f"{stem}.safetensors.index{mark}.json"
        there = [name for name in (single, index) if (folder / name).is_file()]
        if len(there) == 2:
            raise ModelError(f"{what} is there twice, whole and in pieces", "take one away")
        if there == [index]:
            shards = read_config(folder, index).get("weight_map", {})
            return [folder / name for name in sorted(set(shards.values()))]
        if there:
            return [folder / single]
    raise ModelError(f"{what} has no weights in {stem}.safetensors", "name the variant= there is")


def _built(folder: Path, what: str) -> Shapes:
    """The tensors of what its configuration describes; no memory is taken for them."""
    import torch

    try:
        with torch.device("meta"):
            module = _empty(folder)
    except Exception as error:  # whatever a library makes of nonsense
        raise ModelError(
            f"{what} cannot be built: {str(error).strip()[:300] or type(error).__name__}",
            "get the checkpoint again",
        ) from None
    tensors = module.state_dict()
    return {
        _today(name): tuple(tensor.shape)
        for name, tensor in tensors.items()
        if not name.endswith(HARMLESS)
    }


def _empty(folder: Path) -> nn.Module:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPTextModel, CLIPVisionModelWithProjection

    others = {
        "text_encoder": CLIPTextModel, "safety_checker": StableDiffusionSafetyChecker,
        "image_encoder": CLIPVisionModelWithProjection,
    }  # fmt: skip
    if folder.name in others:
        model = others[folder.name]
        module: nn.Module = model(model.config_class.from_pretrained(folder))
        return module
    kind = UNet2DConditionModel if folder.name == "unet" else AutoencoderKL
    module = kind.from_config(kind.load_config(folder))
    return module


def _today(name: str) -> str:
    """What a tensor is called wherever it is: transformers dropped prefixes, diffusers renamed."""
    name = name.removeprefix("text_model.").replace("vision_model.vision_model.", "vision_model.")
    if ".attentions." in name:
        for old, new in OLD_NAMES.items():
            name = name.replace(old, new)
    return name
