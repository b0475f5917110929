"""Put LoRAs and embeddings into a pipeline for a while, and take them out again.

A LoRA is added to the weights: W + weight * scale * up @ down, summed in float32. The UNet then
costs what it costs without one. The weights are set aside meanwhile and put back as they were:
nothing has to be subtracted, and not a bit differs afterwards. An embedding is a few more rows of
the text encoder's table of tokens; table and tokenizer are exchanged for larger ones.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sow.checkpoints.adapters import Adapters, Embedding, Lora, check_tokens
from sow.errors import ModelError
from sow.pipeline.calls import lock_of

if TYPE_CHECKING:
    from sow.pipeline.pipeline import SowPipeline


@contextmanager
def with_adapters(pipe: SowPipeline, adapters: Adapters) -> Iterator[None]:
    """Give a pipeline these LoRAs and embeddings inside the block; other threads wait.

    Raises:
        ModelError: if one does not fit the model.
    """
    with lock_of(pipe.denoiser), ExitStack() as stack:
        if adapters:
            before, pipe.adapters = pipe.adapters, adapters
            stack.callback(setattr, pipe, "adapters", before)
            stack.enter_context(_with_embeddings(pipe, adapters.embeddings))
            stack.enter_context(_with_loras(pipe, adapters.loras))
        yield


@contextmanager
def _with_loras(pipe: SowPipeline, loras: tuple[Lora, ...]) -> Iterator[None]:
    layers = _layers_of(pipe) if loras else {}
    originals: dict[str, Tensor] = {}
    try:
        # One layer after another: together, the changes would take as much memory as the model.
        for name in dict.fromkeys(name for lora in loras for name in lora.layers.down):
            merged = _merged(name, loras, layers)
            if merged is not None:
                originals[name] = layers[name].weight.data
                layers[name].weight.data = merged
        yield
    finally:
        for name, weight in originals.items():
            layers[name].weight.data = weight


def _layers_of(pipe: SowPipeline) -> dict[str, Any]:
    """Return the layers that a LoRA can change, by the names in `Layers`."""
    return {
        f"{part}/{name.removeprefix('text_model.').replace('.', '_')}": module
        for part in ("unet", "transformer", "text_encoder", "text_encoder_2")
        if pipe.components.get(part) is not None
        for name, module in getattr(pipe, part).named_modules()
        if isinstance(module, (nn.Linear, nn.Conv2d))
    }


def _merged(name: str, loras: tuple[Lora, ...], layers: dict[str, Any]) -> Tensor | None:
    """Return a layer's weight with what LoRAs add to it; None if that is nothing.

    Raises:
        ModelError: if one does not fit the layer.
    """
    changes = [_change(lora, name, layers) for lora in loras if name in lora.layers.down]
    added = [change for change in changes if change is not None]
    if not added:
        return None
    weight: Tensor = layers[name].weight.data
    return (weight.float() + functools.reduce(torch.add, added)).to(weight.dtype)


def _change(lora: Lora, name: str, layers: dict[str, Any]) -> Tensor | None:
    """Return what a LoRA adds to a layer's weight; None if its own weight is 0.

    Raises:
        ModelError: if the model does not have the layer, or one of another shape.
    """
    shown = name.replace("/", ".")[:200]
    if name not in layers:
        raise ModelError(
            f"{lora.name!r} changes a layer that the model does not have: {shown}",
            "give a LoRA for the model",
        )
    weight: Tensor = layers[name].weight
    up, down = (part[name].to(weight.device).float() for part in (lora.layers.up, lora.layers.down))
    inputs = weight[:1].numel()
    fits = up.shape[0] == weight.shape[0] and up[:1].numel() == len(down) and up.ndim >= 2
    if not fits or down[:1].numel() != inputs:
        raise ModelError(
            f"{lora.name!r} is for a model of another size: {shown} has the shape "
            f"{tuple(weight.shape)}, and {tuple(up.shape)} by {tuple(down.shape)} does not fit it",
            "give a LoRA for the model",
        )
    if lora.weight == 0:
        return None
    product = up.flatten(1) @ down.flatten(1)
    return product.reshape(weight.shape) * (lora.weight * lora.layers.scale.get(name, 1.0))


@contextmanager
def _with_embeddings(pipe: SowPipeline, embeddings: tuple[Embedding, ...]) -> Iterator[None]:
    if not embeddings:
        yield
        return
    vectors = [_vectors_for(pipe, embedding) for embedding in embeddings]
    check_tokens(embeddings, pipe.tokenizer.get_vocab())
    tokens = [_added_token(token) for one in embeddings for token in one.tokens]
    with ExitStack() as stack:
        for suffix, of_encoder in zip(("", "_2"), zip(*vectors, strict=True), strict=False):
            stack.enter_context(_with_tokens(pipe, suffix, tokens, torch.cat(of_encoder)))
        yield


def _vectors_for(pipe: SowPipeline, embedding: Embedding) -> list[Tensor]:
    """Return the vectors of an embedding for each of a pipeline's text encoders.

    Raises:
        ModelError: if it has none for one of them, or of another width.
    """
    if pipe.components.get("transformer") is not None:
        raise ModelError("embeddings do not work with Stable Diffusion 3", "leave them out")
    encoders = [
        encoder
        for name in ("text_encoder", "text_encoder_2")
        if (encoder := pipe.components.get(name)) is not None
    ]
    vectors = [v for v in (embedding.vectors, embedding.second) if v is not None]
    if len(vectors) != len(encoders):
        raise ModelError(
            f"{embedding.name!r} has vectors for {len(vectors)} of the {len(encoders)} text "
            "encoders",
            "give an embedding for the model",
        )
    for part, encoder in zip(vectors, encoders, strict=True):
        width = encoder.get_input_embeddings().embedding_dim
        if part.shape[1] != width:
            raise ModelError(
                f"{embedding.name!r} has vectors of {part.shape[1]} numbers, and the model reads "
                f"{width}",
                "give an embedding for the model",
            )
    return vectors


@contextmanager
def _with_tokens(
    pipe: SowPipeline, suffix: str, tokens: list[Any], vectors: Tensor
) -> Iterator[None]:
    """Exchange one tokenizer and its encoder's table of tokens for larger ones.

    suffix: of the components' names. vectors: of the added tokens, `[n, width]`.
    """
    encoder, tokenizer = getattr(pipe, f"text_encoder{suffix}"), getattr(pipe, f"tokenizer{suffix}")
    table = encoder.get_input_embeddings()
    larger = copy.deepcopy(tokenizer)
    larger.add_tokens(tokens)
    rows = vectors.to(table.weight)
    first = larger.convert_tokens_to_ids(str(tokens[0]))
    weights = table.weight.detach()[:first]  # beyond it, no token uses them
    unused = weights.new_zeros(first - len(weights), weights.shape[1])
    # torch has no types for `from_pretrained`.
    extended: nn.Embedding = nn.Embedding.from_pretrained(  # type: ignore[no-untyped-call]
        torch.cat([weights, unused, rows])
    )
    try:
        setattr(pipe, f"tokenizer{suffix}", larger)
        encoder.set_input_embeddings(extended)
        yield
    finally:
        setattr(pipe, f"tokenizer{suffix}", tokenizer)
        encoder.set_input_embeddings(table)


def _added_token(token: str) -> Any:
    """Return a token that is found in any case, and not inside of other words."""
    from tokenizers import AddedToken

    is_word = token[0].isalnum() and token[-1].isalnum()
    return AddedToken(token, single_word=is_word, normalized=True)
