"""A pipeline as one file with the original release's names, to have something to load."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
FIXED = {
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet_name(name: str, layers: int, attentive: set[int]) -> str:
    for ours, theirs in FIXED.items():
        name = name.replace(f"{ours}.", f"{theirs}.", 1) if name.startswith(f"{ours}.") else name
    found = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.", name)
    if found:
        way, block, kind, number = found[1], int(found[2]), found[3], int(found[4])
        rest = name[found.end() :]
        if way == "down":
            place = (layers + 1) * block + (layers if kind == "downsamplers" else number) + 1
            slot = {"resnets": "0", "attentions": "1", "downsamplers": "0.op"}[kind]
            start = f"input_blocks.{place}.{slot}."
        else:
            place = (layers + 1) * block + (layers if kind == "upsamplers" else number)
            up = "2.conv" if block in attentive else "1.conv"
            slot = {"resnets": "0", "attentions": "1", "upsamplers": up}[kind]
            start = f"output_blocks.{place}.{slot}."
        name = start + (rest.removeprefix("conv.") if "samplers" in kind else rest)
    for ours, theirs in RESNET.items():
        name = re.sub(
            rf"^(\w+put_blocks\.\d+\.0|middle_block\.\d)\.{ours}\.", rf"\1.{theirs}.", name
        )
    return f"model.diffusion_model.{name}"


def vae_name(name: str, blocks: int) -> str:
    def turned(found: re.Match[str]) -> str:
        return f"decoder.up.{blocks - 1 - int(found[1])}."

    name = re.sub(r"decoder\.up_blocks\.(\d+)\.", turned, name)
    name = re.sub(r"encoder\.down_blocks\.(\d+)\.", r"encoder.down.\1.", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    if "mid_block.attentions.0." in name:
        start, _, part = name.partition("mid_block.attentions.0.")
        for ours, theirs in ATTENTION.items():
            part = part.replace(f"{ours}.", f"{theirs}.", 1) if part.startswith(ours) else part
        name = f"{start}mid.attn_1.{part}"
    name = name.replace(".resnets.", ".block.").replace("conv_norm_out", "norm_out")
    name = name.replace("downsamplers.0.", "downsample.").replace("upsamplers.0.", "upsample.")
    return "first_stage_model." + name.replace("conv_shortcut", "nin_shortcut")


OPENCLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "text_projection.weight": "text_projection",
}
IN_LAYER = {
    "self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
}  # fmt: skip


def openclip_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """SDXL's second text encoder under OpenCLIP's names; q, k and v are one tensor there."""
    made: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Tensor]] = {}
    for full, value in state.items():
        name = full.removeprefix("text_model.")
        if name in OPENCLIP:
            turned = value.T if name.startswith("text_projection") else value
            made[OPENCLIP[name]] = turned
        elif name.startswith("final_layer_norm."):
            made[name.replace("final_layer_norm", "ln_final")] = value
        elif found := re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", name):
            start = f"transformer.resblocks.{found[1]}"
            if part := re.fullmatch(r"self_attn\.([qkv])_proj", found[2]):
                key = f"{start}.attn.in_proj_{found[3]}"
                parts.setdefault(key, {})[part[1]] = value
            else:
                made[f"{start}.{IN_LAYER[found[2]]}.{found[3]}"] = value
    made |= {key: torch.cat([part[letter] for letter in "qkv"]) for key, part in parts.items()}
    return {f"conditioner.embedders.1.model.{name}": value for name, value in made.items()}


def save_single_file(pipe, path: Path) -> None:
    """Writes the UNet, VAE and text encoder of a pipeline under their original names."""
    layers = pipe.unet.config.layers_per_block
    attentive = {
        n for n, kind in enumerate(pipe.unet.config.up_block_types) if kind.startswith("Cross")
    }
    tensors: dict[str, Tensor] = {}
    for name, value in pipe.unet.state_dict().items():
        tensors[unet_name(name, layers, attentive)] = value
    for name, value in pipe.vae.state_dict().items():
        original = vae_name(name, len(pipe.vae.config.block_out_channels))
        if "mid.attn_1" in original and original.endswith("weight") and ".norm." not in original:
            value = value[..., None, None]  # a 1x1 convolution then
        tensors[original] = value
    is_xl = "text_encoder_2" in pipe.components
    home = "conditioner.embedders.0" if is_xl else "cond_stage_model"
    for name, value in pipe.text_encoder.state_dict().items():
        start = "" if name.startswith("text_model.") else "text_model."
        tensors[f"{home}.transformer.{start}{name}"] = value
    if is_xl:
        tensors |= openclip_tensors(pipe.text_encoder_2.state_dict())
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)
