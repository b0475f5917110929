"""The names of a UNet's layers in Stable Diffusion's original release, and in diffusers.

LoRAs of kohya's scripts name SDXL's layers as the original release does, with `_` for `.`.
"""

from __future__ import annotations

import re

LAYERS = 2
"""Layers per block in every published Stable Diffusion, on the way down; one more on the way up."""
INSIDE_RESNET = {
    "in_layers_0": "norm1", "in_layers_2": "conv1", "emb_layers_1": "time_emb_proj",
    "out_layers_0": "norm2", "out_layers_3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
OUTSIDE = {
    "time_embed_0": "time_embedding_linear_1", "time_embed_2": "time_embedding_linear_2",
    "label_emb_0_0": "add_embedding_linear_1", "label_emb_0_2": "add_embedding_linear_2",
    "input_blocks_0_0": "conv_in", "out_0": "conv_norm_out", "out_2": "conv_out",
}  # fmt: skip
PLACE = re.compile(r"(input|output)_blocks_(\d+)_(\d)_(.+)|middle_block_(\d)_(.+)")


def diffusers_name(name: str) -> str:
    """Return diffusers' name of a layer, with `_` for `.`; any other name is returned as it is."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    found = PLACE.fullmatch(name)
    if found is None:
        return name
    if found[5]:
        number, inside = int(found[5]), found[6]
        if number == 1:
            return f"mid_block_attentions_0_{inside}"
        return f"mid_block_resnets_{number // 2}_{INSIDE_RESNET.get(inside, inside)}"
    way, number, part, inside = found[1], int(found[2]), int(found[3]), found[4]
    is_down = way == "input"
    size = LAYERS + 1
    block, layer = divmod(number - 1 if is_down else number, size)
    start = f"{'down' if is_down else 'up'}_blocks_{block}"
    if inside in ("op", "conv"):  # between two blocks
        return f"{start}_{'downsamplers' if is_down else 'upsamplers'}_0_conv"
    if part == 0:
        return f"{start}_resnets_{layer}_{INSIDE_RESNET.get(inside, inside)}"
    return f"{start}_attentions_{layer}_{inside}"
