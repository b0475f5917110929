"""Checkpoints of random weights in the real layout, for tests and for measuring speed.

Random weights draw nothing, but they load, save, move and cost what trained ones do.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

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


TINY_XL: dict[str, dict[str, Any]] = {
    "unet": {
        **TINY["unet"],
        "layers_per_block": 2,
        "cross_attention_dim": 80,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 6 * 8 + 40,
    },
    "vae": {**TINY["vae"], "scaling_factor": 0.13025, "force_upcast": True},
    "text": TINY["text"],
    "text_2": {**TINY["text"], "hidden_size": 48, "projection_dim": 40, "hidden_act": "gelu"},
}
# The architecture of stable-diffusion-xl-base-1.0.
SDXL_BASE: dict[str, dict[str, Any]] = {
    "unet": {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "vae": {**SD21_BASE["vae"], "scaling_factor": 0.13025, "force_upcast": True},
    "text": {
        **SD21_BASE["text"],
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "hidden_act": "quick_gelu",
    },
    "text_2": {
        **SD21_BASE["text"],
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "projection_dim": 1280,
    },
}


TINY_SD3: dict[str, dict[str, Any]] = {
    "transformer": {
        "sample_size": 8,
        "patch_size": 2,
        "in_channels": 16,
        "num_layers": 3,
        "attention_head_dim": 8,
        "num_attention_heads": 4,
        "joint_attention_dim": 96,
        "caption_projection_dim": 32,
        "pooled_projection_dim": 24 + 40,
        "out_channels": 16,
        "pos_embed_max_size": 16,
        "dual_attention_layers": (0,),
        "qk_norm": "rms_norm",
    },
    "vae": {
        **TINY["vae"],
        "scaling_factor": 1.5305,
        "shift_factor": 0.0609,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
    },
    "text": {**TINY["text"], "projection_dim": 24},
    "text_2": TINY_XL["text_2"],
}
"""With the extras of 3.5-medium: normalised queries and keys, and a second attention layer."""


def random_pipeline(
    architecture: dict[str, dict[str, Any]],
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    **scheduler: Any,
) -> SowPipeline:
    """Return a pipeline of this architecture with random weights.

    The tokenizer is that of `figures`; there is no T5. `scheduler` changes the noise schedule's
    configuration, for example `prediction_type="v_prediction"`.
    """
    with default_dtype(dtype):  # not converted afterwards: both would not fit into memory
        return _random_pipeline(architecture, seed, scheduler)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """Create tensors of this dtype inside the block."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _random_pipeline(
    architecture: dict[str, dict[str, Any]], seed: int, scheduler: dict[str, Any]
) -> SowPipeline:
    torch.manual_seed(seed)
    blocks = len(architecture["vae"]["block_out_channels"])
    tokenizer = CLIPTokenizer.from_pretrained(
        BUNDLED["figures"] / "tokenizer",
        model_max_length=architecture["text"]["max_position_embeddings"],
    )
    is_flow = "transformer" in architecture
    side = architecture["transformer" if is_flow else "unet"]["sample_size"]
    components: dict[str, Any] = {
        "vae": AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * blocks,
            up_block_types=("UpDecoderBlock2D",) * blocks,
            latent_channels=16 if is_flow else 4,
            sample_size=side * 8,
            **architecture["vae"],
        ).eval(),
        "tokenizer": tokenizer,
        "feature_extractor": None,
    }
    text = _text_config(tokenizer, architecture["text"])
    if not is_flow:
        components |= {
            "unet": UNet2DConditionModel(**architecture["unet"]).eval(),
            "text_encoder": CLIPTextModel(text).eval(),
            "scheduler": DDIMScheduler(**{**SD_SCHEDULE, **scheduler}),
        }
    if "text_2" not in architecture:
        return SowPipeline(**components, safety_checker=None, requires_safety_checker=False)
    second = _text_config(tokenizer, architecture["text_2"])
    components["text_encoder_2"] = CLIPTextModelWithProjection(second).eval()
    components["tokenizer_2"] = copy.deepcopy(tokenizer)
    if is_flow:
        components |= {
            "transformer": SD3Transformer2DModel(**architecture["transformer"]).eval(),
            "text_encoder": CLIPTextModelWithProjection(text).eval(),
            "scheduler": FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **scheduler}),
            "text_encoder_3": None,
            "tokenizer_3": None,
        }
    return SowPipeline(**components)


def _text_config(tokenizer: CLIPTokenizer, architecture: dict[str, Any]) -> CLIPTextConfig:
    tokens = ("bos_token_id", "eos_token_id", "pad_token_id")
    return CLIPTextConfig(**{name: getattr(tokenizer, name) for name in tokens}, **architecture)
