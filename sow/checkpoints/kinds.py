"""Recognise what a `.safetensors` file holds by the names and shapes of its tensors.

Only the header is read. People bring every kind of file that Stable Diffusion's programs exchange:
what SOW cannot use as a checkpoint is named, with what to do instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sow.checkpoints.families import BASES, USE_FAMILY
from sow.checkpoints.files import is_regular_file
from sow.checkpoints.weights import Header

Role = Literal["checkpoint", "lora", "embedding", "other"]
TITLES = {
    "sd1": "Stable Diffusion 1.x", "sd2": "Stable Diffusion 2.x", "sdxl": "SDXL",
    "refiner": "the SDXL refiner", "sd3": "Stable Diffusion 3", "flux": "FLUX",
}  # fmt: skip
"""The families of models, as people call them."""
CONTEXT_WIDTHS = {768: "sd1", 1024: "sd2", 2048: "sdxl", 1280: "refiner"}
"""The width of the text embeddings that a UNet attends to, which tells the families apart."""
TRANSFORMER_WIDTHS = {1536: "sd3", 2432: "sd3", 3072: "flux"}
"""The width of a transformer's tokens, which tells families with the same names apart."""
USE_CHECKPOINT = USE_FAMILY.replace("use", "give")

UNET, CONV_IN = "model.diffusion_model.", "model.diffusion_model.input_blocks.0.0.weight"
VAE, TEXT_ENCODER = "first_stage_model.", "cond_stage_model."
FIRST_ENCODER, SECOND_ENCODER = "conditioner.embedders.0.", "conditioner.embedders.1."
LORA = re.compile(r"[._]lora[._]?(down|up|A|B)\b|lora_linear_layer")
LYCORIS = {"hada_": "LoHa", "lokr_": "LoKr", "oft_": "OFT", "dora_scale": "DoRA", "glora": "GLoRA"}
OTHER_LORAS = re.compile(
    r"double_blocks|single_(transformer_)?blocks|joint_blocks|^transformer\.transformer_blocks"
)
INPUT_CHANNELS = {
    5: "a depth-to-image checkpoint", 7: "an upscaler", 8: "an InstructPix2Pix checkpoint",
    9: "an inpainting checkpoint",
}  # fmt: skip
"""What a UNet is that takes more than the four channels of a latent."""
MARKS = (
    (("lora_controlnet", "control_model.", "controlnet_", "input_hint_block."), "a ControlNet"),
    (("ip_adapter.", "image_proj."), "an IP-Adapter"),
    (("motion_modules.",), "an AnimateDiff motion module"),
    (("adapter.body.", "body.0.block1", "body.0.resnets"), "a T2I-Adapter"),
    (("vision_model.",), "a CLIP image encoder"),
)
"""Parts of tensors' names that only one kind of file has."""
MAX_EMBEDDING_TENSORS, MAX_VECTORS = 4, 76
"""The tensors of an embedding, and the vectors in one: no more fit into a prompt."""
EMBEDDING_NAMES = re.compile(r"emb_params|clip_[lg]|<.+>")


@dataclass(frozen=True)
class FileKind:
    """What a file is.

    Attributes:
        role: what it can be used as.
        base: the family of models it belongs to, a key of `TITLES`; empty if unknown.
        what: its name, as in "NAME is …".
        hint: what to do with it where a checkpoint is needed; empty for one that can run.
    """

    role: Role
    base: str
    what: str
    hint: str = ""


def recognise(header: Header) -> FileKind:
    """Return what the file with these tensors is."""
    for known in (_adapter, _marked, _checkpoint, _part, _embedding):
        kind = known(header)
        if kind is not None:
            return kind
    return _other_model(header)


def _adapter(header: Header) -> FileKind | None:
    """Return the kind of a LoRA, or of what is trained and used like one."""
    if any("lora_controlnet" in name for name in header):
        return None
    method = next((label for mark, label in LYCORIS.items() if _mentions(header, [mark])), "")
    if not method and not any(LORA.search(name) for name in header):
        return None
    base = _adapter_base(header)
    of = f" for {TITLES[base]}" if base else ""
    if method:
        return FileKind("other", base, f"a LyCORIS file ({method}){of}", "use a plain LoRA")
    usable = base in ("", *BASES)
    hint = f"give it as lora=, and as model= a checkpoint{of}" if usable else USE_CHECKPOINT
    return FileKind("lora", base, f"a LoRA{of}", hint)


def _adapter_base(header: Header) -> str:
    """Return the family of a LoRA, by the inputs of its layers."""
    if _mentions(header, ["lora_te2_", "text_encoder_2."]):
        return "sdxl"
    inputs = {
        name: shape[1]
        for name, (_, shape) in header.items()
        if len(shape) >= 2 and re.search(r"lora[._]?(down|A)\b", name)
    }
    if any(OTHER_LORAS.search(name) for name in header):
        if _mentions(header, ["joint_blocks"]):
            return "sd3"
        if _mentions(header, ["double_blocks", "single_"]):
            return "flux"
        widths = [n for name, n in inputs.items() if re.search(r"attn[._]to_[qkv][._]", name)]
        return next((TRANSFORMER_WIDTHS[n] for n in widths if n in TRANSFORMER_WIDTHS), "")
    context = [
        n for name, n in inputs.items() if re.search(r"attn2[._](processor\.)?to_[kv]", name)
    ]
    text = [n for name, n in inputs.items() if re.search(r"self_attn[._][qkv]_proj", name)]
    return next((CONTEXT_WIDTHS[n] for n in [*context, *text] if n in CONTEXT_WIDTHS), "")


def _marked(header: Header) -> FileKind | None:
    if _mentions(header, ["vision_model."]) and _mentions(header, ["text_model."]):
        return FileKind("other", "", "a CLIP model", USE_CHECKPOINT)
    for marks, what in MARKS:
        if _mentions(header, marks) and not (CONV_IN in header and "vision_model." in marks):
            return FileKind("other", "", what, USE_CHECKPOINT)
    return None


def _checkpoint(header: Header) -> FileKind | None:
    """Return the kind of a checkpoint of Stable Diffusion in the original layout, or of a UNet."""
    if CONV_IN not in header:
        return None
    channels, base = _channels(header[CONV_IN][1]), _context_base(header)
    if _mentions(header, ["label_emb."]) and base == "sd2":
        return FileKind("other", base, "a Stable unCLIP checkpoint", USE_CHECKPOINT)
    of = f" of {TITLES[base]}" if base else ""
    if channels != 4:
        kind = INPUT_CHANNELS.get(channels, f"a checkpoint with {channels} input channels")
        return FileKind("other", base, f"{kind}{of}", USE_CHECKPOINT)
    if base == "refiner":
        return FileKind("other", base, f"a checkpoint of {TITLES[base]}", USE_CHECKPOINT)
    parts = {"autoencoder (VAE)": VAE}
    if base == "sdxl":
        parts |= {"text encoder": FIRST_ENCODER, "second text encoder": SECOND_ENCODER}
    else:
        parts |= {"text encoder": TEXT_ENCODER}
    missing = [part for part, start in parts.items() if not _begins(header, start)]
    if missing:
        return FileKind(
            "other", base, f"a UNet{of} without its {' and its '.join(missing)}",
            "use the full checkpoint",
        )  # fmt: skip
    return FileKind("checkpoint", base, f"a checkpoint{of}")


def _context_base(header: Header) -> str:
    """Return the family of a UNet by the width of its cross-attention; empty if unknown."""
    for name, (_, shape) in header.items():
        if name.endswith("attn2.to_k.weight") and len(shape) == 2:
            return CONTEXT_WIDTHS.get(shape[1], "")
    return ""


def family_of(context_width: object) -> str:
    """Return the family of a UNet by the width of the text embeddings it reads, or nothing."""
    return CONTEXT_WIDTHS.get(context_width, "") if isinstance(context_width, int) else ""


def _channels(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) == 4 else 0


def _part(header: Header) -> FileKind | None:
    """Return the kind of a file that is one component of a checkpoint."""
    whole = "give the folder or the file of the whole checkpoint"
    if "conv_in.weight" in header and _begins(header, "down_blocks.0.") and not _begins(
        header, "encoder."
    ):  # fmt: skip
        base = _context_base(header)
        of = f" of {TITLES[base]}" if base else ""
        return FileKind("other", base, f"a UNet{of} alone, in diffusers' layout", whole)
    starts = ("", VAE)
    if any(f"{start}encoder.conv_in.weight" in header for start in starts) or any(
        f"{start}decoder.conv_in.weight" in header for start in starts
    ):
        return FileKind("other", "", "an autoencoder (VAE) alone", whole)
    if _mentions(header, ["encoder.layers.0.self_attn.", "transformer.resblocks.0."]):
        return FileKind("other", "", "a text encoder alone", whole)
    return None


def _embedding(header: Header) -> FileKind | None:
    """Return the kind of a textual inversion: a few vectors as wide as a text embedding."""
    shapes = [shape for _, shape in header.values()]
    is_small = 0 < len(shapes) <= MAX_EMBEDDING_TENSORS and all(len(s) in (1, 2) for s in shapes)
    if not is_small or any(shape[0] > MAX_VECTORS for shape in shapes if len(shape) == 2):
        return None
    base = "sdxl" if "clip_g" in header else CONTEXT_WIDTHS.get(shapes[0][-1], "")
    if not base and not any(EMBEDDING_NAMES.fullmatch(name) for name in header):
        return None
    of = f" for {TITLES[base]}" if base else ""
    hint = "give it as embedding=" if base in ("sd1", "sd2", "sdxl", "") else USE_CHECKPOINT
    return FileKind("embedding", base, f"an embedding (textual inversion){of}", hint)


def _other_model(header: Header) -> FileKind:
    """Return the kind of a model that diffusers knows, or of a file that nobody knows."""
    if _mentions(header, ["joint_blocks."]):
        hint = "give a folder in diffusers' layout: one file of it is not read yet"
        return FileKind("other", "sd3", f"a model of {TITLES['sd3']}", hint)
    if _mentions(header, ["double_blocks."]):
        return FileKind("other", "flux", f"a model of {TITLES['flux']} or its kind", USE_CHECKPOINT)
    import torch
    from diffusers.loaders.single_file_utils import infer_diffusers_model_type

    known = "v1"  # what it answers for anything unknown
    with suppress(KeyError, IndexError):  # for a file with only some of the names
        known = infer_diffusers_model_type(
            {name: torch.empty(shape, device="meta") for name, (_, shape) in header.items()}
        )
    if known == "v1":
        return FileKind("other", "", "not a checkpoint of any known model", USE_CHECKPOINT)
    return FileKind("other", "", f"a model of another kind ({known})", USE_CHECKPOINT)


def _mentions(header: Iterable[str], marks: Iterable[str]) -> bool:
    return any(mark in name for name in header for mark in marks)


def _begins(header: Iterable[str], start: str) -> bool:
    return any(name.startswith(start) for name in header)


def foreign_format(file: Path) -> tuple[str, str] | None:
    """Return what a file is that is not safetensors, and what to do; None if it may be safetensors.

    By its first bytes, whatever its name.
    """
    if not is_regular_file(file):
        return None
    with file.open("rb") as stream:
        start = stream.read(200)
    if start[8:9] == b"{":  # after the length of its header, which may look like anything
        return None
    if start.startswith(b"GGUF"):
        return "a GGUF file, whose weights are quantised", "use the .safetensors checkpoint"
    if start.startswith((b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04")):
        return (
            "a pickle, which can run code when it is loaded", "use a .safetensors file"
        )  # fmt: skip
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the file itself", "run `git lfs pull`, or download it"
    if start.lstrip()[:1] == b"<":
        return "a web page, not the file itself", "download it again"
    return None
