"""Checkpoints of random weights in the real layout, for tests and for measuring speed.

Random weights draw nothing, but they load, save, move and cost what trained ones do.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from sow.models import BUNDLED
from sow.pipeline.pipeline import SowPipeline

TINY: dict[str, dict[str, Any]] = {
    "unet": {
        "sample_size": 8,
        "block_out_channels": (16, 32),
        "layers_per_block": 1,
        "cross_attention_dim": 32,
        "attention_head_dim": 2,
        "norm_num_groups": 4,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    },
    "vae": {"block_out_channels": (8, 8, 16, 16), "layers_per_block": 1, "norm_num_groups": 4},
    "text": {
        "vocab_size": 508,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 32,
    },
}
# The noise schedule of every Stable Diffusion 1.x and 2.x.
SD_SCHEDULE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
# The architecture of stable-diffusion-2-1-base.
SD21_BASE: dict[str, dict[str, Any]] = {
    "unet": {
        "sample_size": 64,
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
    },
    "vae": {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
    "text": {
        "vocab_size": 49408,
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 23,
        "num_attention_heads": 16,
        "max_position_embeddings": 77,
        "hidden_act": "gelu",
    },
}


def random_pipeline(
    architecture: dict[str, dict[str, Any]], seed: int = 0, **scheduler: Any
) -> SowPipeline:
    """Return a pipeline of this architecture with random weights.

    The tokenizer is that of `figures`. `scheduler` changes the noise schedule's configuration,
    for example `prediction_type="v_prediction"`.
    """
    torch.manual_seed(seed)
    blocks = len(architecture["vae"]["block_out_channels"])
    tokenizer = CLIPTokenizer.from_pretrained(
        BUNDLED["figures"] / "tokenizer",
        model_max_length=architecture["text"]["max_position_embeddings"],
    )
    return SowPipeline(
        unet=UNet2DConditionModel(**architecture["unet"]).eval(),
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * blocks,
            up_block_types=("UpDecoderBlock2D",) * blocks,
            latent_channels=4,
            sample_size=architecture["unet"]["sample_size"] * 8,
            **architecture["vae"],
        ).eval(),
        text_encoder=CLIPTextModel(
            CLIPTextConfig(
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                **architecture["text"],
            )
        ).eval(),
        tokenizer=tokenizer,
        scheduler=DDIMScheduler(**{**SD_SCHEDULE, **scheduler}),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
