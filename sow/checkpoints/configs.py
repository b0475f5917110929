"""Schemas for the configurations of a checkpoint: values that are safe and that can be built.

The libraries accept whatever is written there: they build a billion layers, or draw with a noise
schedule that is not one. Values that are merely odd are left to them, and to the tensors, whose
shapes must match.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sow.utils.validation import first_problem

Count = Annotated[int, Field(strict=True, ge=1, le=128)]
Layers = Annotated[int, Field(strict=True, ge=1, le=16)]
"""Layers per block, and transformer layers in each: Stable Diffusion has 2 and 1, SDXL 2 and 10."""
Width = Annotated[int, Field(strict=True, ge=1, le=2**16)]
Timesteps = Annotated[int, Field(strict=True, ge=2, le=100_000)]
Beta = Annotated[float, Field(strict=True, gt=0, lt=1)]
Widths = Annotated[list[Width], Field(min_length=1, max_length=8)]
ShortList = Annotated[list[Any], Field(max_length=8)]
Side = Annotated[int, Field(strict=True, ge=1, le=1024)]
Sides = Side | dict[str, Side | None] | Annotated[list[Side], Field(max_length=2)]
Tokens = Annotated[list[Any] | dict[str, Any], Field(max_length=1000)]
AttentionKernel = Literal["eager", "sdpa"]


class Config(BaseModel):
    """The limits that hold for every configuration; missing fields have the libraries' defaults."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    auto_map: None = Field(None, description="classes from the checkpoint's own files")
    custom_pipelines: None = None
    quantization_config: None = Field(None, description="needs other packages and kernels")
    compression_config: None = None
    fusion_config: None = Field(None, description="changes to the libraries' own classes")
    transformers_weights: None = Field(None, description="weights under other file names")
    configuration_files: None = Field(None, description="this configuration in another file")
    fast_tokenizer_files: None = Field(None, description="vocabularies under other file names")
    gguf_file: None = None
    tokenizer_file: None = None
    vocab_file: None = None
    merges_file: None = None
    attn_implementation: AttentionKernel | None = Field(
        None, description="any other is code from the hub"
    )
    own_attn_implementation: AttentionKernel | None = Field(None, alias="_attn_implementation")
    kept_attn_implementation: AttentionKernel | None = Field(
        None, alias="_attn_implementation_internal"
    )
    experts_implementation: None = None
    own_experts_implementation: None = Field(None, alias="_experts_implementation")
    num_hidden_layers: Count = 12
    size: Sides | None = Field(None, description="input size of the safety checker")
    crop_size: Sides | None = None
    pad_size: Sides | None = None


class Index(Config):
    """`model_index.json`."""

    class_name: str = Field("", alias="_class_name")  # a list names a file of code
    sow_settings: dict[str, Any] | None = None
    sow_presets: dict[Literal["normal", "attribute", "style"], dict[str, Any]] | None = None
    sow_words: str | None = None
    force_zeros_for_empty_prompt: bool = True


class UNet(Config):
    """`unet/config.json`."""

    sample_size: Side | tuple[Side, Side] | None = None
    in_channels: Width = 4
    block_out_channels: Widths | None = None
    down_block_types: ShortList | None = None
    up_block_types: ShortList | None = None
    layers_per_block: Layers | Annotated[list[Layers], Field(max_length=8)] = 2
    transformer_layers_per_block: Layers | Annotated[list[Layers], Field(max_length=8)] = 1
    reverse_transformer_layers_per_block: None = None


class Transformer(Config):
    """`transformer/config.json` of Stable Diffusion 3."""

    sample_size: Side = 128
    patch_size: Annotated[int, Field(strict=True, ge=1, le=8)] = 2
    in_channels: Width = 16
    out_channels: Width | None = 16
    num_layers: Count = 18
    attention_head_dim: Width = 64
    num_attention_heads: Count = 18
    joint_attention_dim: Width = 4096
    caption_projection_dim: Width = 1152
    pooled_projection_dim: Width = 2048
    pos_embed_max_size: Annotated[int, Field(strict=True, ge=1, le=512)] = 96
    dual_attention_layers: Annotated[list[int], Field(max_length=128)] = []
    qk_norm: Literal["rms_norm", "layer_norm"] | None = None


class AutoEncoder(Config):
    """`vae/config.json`."""

    block_out_channels: Widths | None = None
    down_block_types: ShortList | None = None
    up_block_types: ShortList | None = None
    layers_per_block: Layers = 1
    latent_channels: Width = 4
    scaling_factor: Annotated[float, Field(strict=True, gt=1e-6, lt=1e6)] = 0.18215
    shift_factor: Annotated[float, Field(strict=True, gt=-1e3, lt=1e3)] | None = None


class TextEncoder(Config):
    """`text_encoder/config.json`."""

    max_position_embeddings: Annotated[int, Field(strict=True, ge=3, le=2**16)] = 77


class T5(Config):
    """`text_encoder_3/config.json`."""

    d_model: Width = 512
    d_kv: Width = 64
    d_ff: Annotated[int, Field(strict=True, ge=1, le=2**18)] = 2048
    num_layers: Count = 6
    num_heads: Width = 8
    vocab_size: Annotated[int, Field(strict=True, ge=2, le=2**20)] = 32128


class Tokenizer(Config):
    """`tokenizer/tokenizer_config.json`; older libraries wrote "no limit" as a 31-digit number."""

    model_max_length: Annotated[int, Field(strict=True, ge=3)] | None = None
    init_inputs: tuple[()] = Field((), description="words, or the path of a file with words")
    vocab: dict[str, int] | list[Any] | None = None
    merges: list[Any] | None = None
    extra_ids: Annotated[int, Field(strict=True, ge=0, le=1000)] | None = None
    added_tokens_decoder: Annotated[dict[str, Any], Field(max_length=10_000)] | None = None
    additional_special_tokens: Tokens | None = None
    extra_special_tokens: Tokens | None = None


class Scheduler(Config):
    """`scheduler/scheduler_config.json`."""

    num_train_timesteps: Timesteps = 1000
    beta_start: Beta = 0.00085
    beta_end: Beta = 0.012
    trained_betas: Annotated[list[Beta], Field(min_length=2, max_length=100_000)] | None = None
    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"
    shift: Annotated[float, Field(strict=True, gt=1e-3, lt=1e3)] = 1.0
    use_dynamic_shifting: bool = False
    invert_sigmas: Literal[False] = False
    stochastic_sampling: Literal[False] = False
    use_karras_sigmas: bool | None = None


CONFIG_SCHEMAS: Mapping[str, type[Config]] = {
    "model_index.json": Index,
    "unet/config.json": UNet,
    "transformer/config.json": Transformer,
    "vae/config.json": AutoEncoder,
    "text_encoder/config.json": TextEncoder,
    "text_encoder_2/config.json": TextEncoder,
    "text_encoder_3/config.json": T5,
    "tokenizer/tokenizer_config.json": Tokenizer,
    "tokenizer_2/tokenizer_config.json": Tokenizer,
    "tokenizer_3/tokenizer_config.json": Tokenizer,
    "scheduler/scheduler_config.json": Scheduler,
}


def config_problem(file: str, config: Mapping[str, Any]) -> str | None:
    """Return what is invalid in a configuration, or None; `file` is its path in the checkpoint."""
    try:
        CONFIG_SCHEMAS.get(file, Config).model_validate(config)
        for inner in _nested_objects(config):  # CLIP's contains its text encoder's
            Config.model_validate(inner)
    except ValidationError as error:
        return first_problem(error)[:300]
    return None


def _nested_objects(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all objects nested in a configuration, at any depth."""
    waiting: list[Any] = [*config.values()]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
