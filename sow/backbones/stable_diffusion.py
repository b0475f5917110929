"""Stable Diffusion 1.x and 2.x as a backbone: a view of a diffusers pipeline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from sow.backbones.base import AttentionLayer, TextEmbeddings, Texts
from sow.backbones.prompt_tokens import MAX_CHUNKS, PromptTokens, tokenize_prompt
from sow.backbones.schedule import DiffusionSchedule
from sow.settings.settings import PromptSyntax


class StableDiffusion:
    """A `sow.backbones.base.Backbone`; `pipe` may be offloaded or have adapters such as LoRA.

    Create one for each call of the pipeline: dtype, device and scaling factor are read only once.
    """

    max_chunks = MAX_CHUNKS

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self.vae_scale_factor: int = pipe.vae_scale_factor
        self.channels: int = self._denoiser.config.in_channels
        self.device: torch.device = pipe._execution_device
        self._dtype: torch.dtype = self._denoiser.dtype  # slow to read: diffusers searches all
        self._tokenized: dict[tuple[str, PromptSyntax], PromptTokens] = {}
        self._factor: float = pipe.vae.config.scaling_factor
        self._shift: float = pipe.vae.config.get("shift_factor") or 0.0

    @property
    def _denoiser(self) -> Any:
        return self.pipe.unet

    def schedule(self, steps: int) -> DiffusionSchedule:
        """Return a schedule with the noise levels of the pipeline's scheduler."""
        return DiffusionSchedule.from_scheduler(self.pipe.scheduler, steps)

    def encode(self, pixels: Tensor) -> Tensor:
        """Return the mode of the autoencoder's distribution; one picture at a time, as `decode`."""
        vae = self._vae()
        encoded = torch.cat(
            [
                vae.encode(picture.to(self.device, vae.dtype)).latent_dist.mode()
                for picture in pixels.chunk(len(pixels))
            ]
        )
        return (encoded.float() - self._shift) * self._factor

    def _vae(self) -> Any:
        return self.pipe.vae

    def decode(self, latents: Tensor) -> Tensor:
        """Decode in the precision of the autoencoder, one picture at a time.

        The autoencoder's feature maps at full size are the largest of a run: a whole batch would
        need more memory than the UNet, and is not faster.
        """
        vae = self._vae()
        scaled = (latents / self._factor + self._shift).to(vae.dtype)
        return torch.cat(
            [vae.decode(one, return_dict=False)[0] for one in scaled.chunk(len(scaled))]
        )

    def text_tokens(self, texts: Texts, syntax: PromptSyntax = "plain") -> int:
        """Return the number of tokens that texts of these lengths have in common."""
        return math.lcm(*(self._tokens(text, syntax).num_tokens for row in texts for text in row))

    def embed(
        self, groups: Sequence[Texts], syntax: PromptSyntax = "plain"
    ) -> list[TextEmbeddings]:
        """Encode the chunks of all texts in one call of the text encoder.

        A text that is shorter than others is repeated. Cross-attention is the same for one copy
        and for several: each key has its share of the attention.
        """
        unique = list(dict.fromkeys(text for group in groups for row in group for text in row))
        parts = self._embed_texts(unique, syntax)

        def of(group: Texts) -> TextEmbeddings:
            index = torch.tensor([[unique.index(text) for text in row] for row in group])
            index = index.to(self.device)
            added = {name: part[index] for name, part in parts.items() if name != "prompt_embeds"}
            return TextEmbeddings(parts["prompt_embeds"][index], added)

        return [of(group) for group in groups]

    def _embed_texts(self, texts: Sequence[str], syntax: PromptSyntax) -> dict[str, Tensor]:
        """Return what the model is conditioned on for each text, `[texts, ...]`."""
        tokens = [self._tokens(text, syntax) for text in texts]
        encoded = self._encode([chunk for each in tokens for chunk in each.split()])
        weights = [row for each in tokens for row in each.weights()]
        chunks = iter(map(weighted, encoded.pop("prompt_embeds"), weights))
        length = self.text_tokens([texts], syntax)
        embeddings = [torch.cat([next(chunks) for _ in each.chunks]) for each in tokens]
        stacked = torch.stack([e.repeat(length // len(e), 1) for e in embeddings])
        # What describes a text as a whole is that of its first chunk.
        firsts = [0, *accumulate(len(each.chunks) for each in tokens)][:-1]
        return {"prompt_embeds": stacked, **{n: part[firsts] for n, part in encoded.items()}}

    def _tokens(self, text: str, syntax: PromptSyntax) -> PromptTokens:
        key = (text, syntax)
        if key not in self._tokenized:
            self._tokenized[key] = tokenize_prompt(self.pipe, text, syntax, self.max_chunks)
        return self._tokenized[key]

    def _encode(self, chunks: Sequence[PromptTokens]) -> dict[str, Tensor]:
        """Return what the model is conditioned on for each chunk.

        As diffusers' `encode_prompt` does, which takes text. `prompt_embeds` are `[chunks, limit,
        width]`; the others, which a model may have besides, `[chunks, ...]`.
        """
        encoder, ids = self.pipe.text_encoder, self._ids(chunks, self.pipe.tokenizer)
        mask = None
        if getattr(encoder.config, "use_attention_mask", False):
            end = (ids == self.pipe.tokenizer.eos_token_id).int().argmax(1, keepdim=True)
            mask = (torch.arange(ids.shape[1], device=self.device) <= end).long()
        output: Tensor = encoder(ids, attention_mask=mask)[0]
        return {"prompt_embeds": output.to(encoder.dtype)}

    def _ids(self, chunks: Sequence[PromptTokens], tokenizer: Any) -> Tensor:
        """Return the tokens of chunks, `[chunks, limit]`."""
        rows = [ids for chunk in chunks for ids in chunk.ids(tokenizer)]
        return torch.tensor(rows, device=self.device)

    def predict(self, latents: Tensor, time: Tensor, texts: TextEmbeddings) -> Tensor:
        """Compute in the precision of the UNet; return float32."""
        samples = latents.repeat(texts.branches, 1, 1, 1).to(self._dtype)
        output: Tensor = self.pipe.unet(
            samples,
            time,
            encoder_hidden_states=texts.prompt_embeds.flatten(0, 1),
            added_cond_kwargs=self._added_conditions(samples, texts),
            return_dict=False,
        )[0]
        return output.float().view(texts.branches, *latents.shape)

    def _added_conditions(self, samples: Tensor, texts: TextEmbeddings) -> dict[str, Tensor] | None:
        """Return what conditions the UNet besides time and text, for each of the samples."""
        return None

    def lost_tokens(self, prompt: str, syntax: PromptSyntax = "plain") -> int:
        """Return the number of tokens of a prompt that are not read."""
        return self._tokens(prompt, syntax).lost

    def words(self, prompt: str, syntax: PromptSyntax = "plain") -> list[tuple[str, list[int]]]:
        """Split a prompt as CLIP's tokenizer does; a textual inversion token is a word."""
        return self._tokens(prompt, syntax).words(self.pipe.tokenizer)

    def attention_layers(self) -> list[AttentionLayer]:
        """Return the layers in the UNet's order; attn1 is self-attention, attn2 cross-attention."""
        factors = self._factors()
        return [
            AttentionLayer(
                name=name,
                kind="self" if ".attn1." in name else "cross",
                factor=next(f for block, f in factors.items() if name.startswith(f"{block}.")),
            )
            for name in self.pipe.unet.attn_processors
            if ".attn1." in name or ".attn2." in name
        ]

    def _factors(self) -> dict[str, int]:
        """Return each UNet block's downsampling of the latents."""
        unet, factor, factors = self.pipe.unet, 1, {}
        for number, block in enumerate(unet.down_blocks):
            factors[f"down_blocks.{number}"] = factor
            factor *= 2 if block.downsamplers else 1
        factors["mid_block"] = factor
        for number, block in enumerate(unet.up_blocks):
            factors[f"up_blocks.{number}"] = factor
            factor //= 2 if block.upsamplers else 1
        return factors

    def processors(self) -> dict[str, Any]:
        """Return diffusers' attention processors."""
        return dict(self._denoiser.attn_processors)

    def set_processors(self, processors: Mapping[str, Any]) -> None:
        """Replace diffusers' attention processors."""
        self._denoiser.set_attn_processor(dict(processors))


def weighted(embeddings: Tensor, weights: Sequence[float]) -> Tensor:
    """Return a chunk's embeddings times their weights, with the mean of before.

    As in AUTOMATIC1111's UI: without the mean the whole prompt would weigh more. Where the tokens
    have no common sign the mean says little, so it changes by no more than the weights themselves.

    Args:
        embeddings: `[tokens, width]`.
        weights: one for each token, 0 or more; 1 for those that are no words.
    """
    if all(weight == 1 for weight in weights):
        return embeddings
    factors = torch.tensor(weights, device=embeddings.device)
    result = embeddings.float() * factors[:, None]
    restored = (embeddings.float().mean() / result.mean()).nan_to_num(1.0)
    return (result * restored.clamp(1 / max(weights), 1 / max(min(weights), 0.1))).to(
        embeddings.dtype
    )
