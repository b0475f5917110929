"""Stable Diffusion 1.x and 2.x as a backbone: a view of one of diffusers' pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sow.backbones.base import AttentionLayer, TextEmbeddings, Texts
from sow.backbones.schedule import DiffusionSchedule
from sow.utils.libraries import quiet_libraries


class StableDiffusion:
    """See :class:`sow.backbones.base.Backbone`. `pipe` may be offloaded, have LoRAs and the like.

    It lasts for one call of the pipeline: what a call does not change is looked up once.
    """

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self.vae_scale_factor: int = pipe.vae_scale_factor
        self.channels: int = pipe.unet.config.in_channels
        self.text_tokens: int = pipe.tokenizer.model_max_length
        self.device: torch.device = pipe._execution_device
        self._dtype: torch.dtype = pipe.unet.dtype  # asked once: it looks through all modules
        self._factor: float = pipe.vae.config.scaling_factor

    def schedule(self, steps: int) -> DiffusionSchedule:
        """The noise levels of the pipeline's scheduler; its own way of sampling is not used."""
        return DiffusionSchedule.from_scheduler(self.pipe.scheduler, steps)

    def encode(self, pixels: Tensor) -> Tensor:
        """The mode of the autoencoder's distribution; one picture at a time, see `decode`."""
        vae = self.pipe.vae
        encoded = torch.cat(
            [
                vae.encode(picture.to(self.device, vae.dtype)).latent_dist.mode()
                for picture in pixels.chunk(len(pixels))
            ]
        )
        return encoded.float() * self._factor

    def decode(self, latents: Tensor) -> Tensor:
        """In the precision of the autoencoder, one picture at a time.

        At full size its feature maps are the largest of a run: those of a whole batch would need
        more memory than the UNet does, and several at once are no faster.
        """
        vae = self.pipe.vae
        scaled = (latents / self._factor).to(vae.dtype)
        return torch.cat(
            [vae.decode(each, return_dict=False)[0] for each in scaled.chunk(len(scaled))]
        )

    def embed(self, groups: Sequence[Texts]) -> list[TextEmbeddings]:
        """All texts in one call of the text encoder."""
        unique = list(dict.fromkeys(text for group in groups for row in group for text in row))
        with quiet_libraries():  # the library remarks on every text that is too long, ours included
            embeddings: Tensor = self.pipe.encode_prompt(unique, self.device, 1, False)[0]

        def stacked(group: Texts) -> Tensor:
            index = torch.tensor([[unique.index(text) for text in row] for row in group])
            return embeddings[index.to(embeddings.device)]

        return [TextEmbeddings(stacked(group), {}) for group in groups]

    def predict(self, latents: Tensor, time: Tensor, texts: TextEmbeddings) -> Tensor:
        """Compute in the precision of the UNet; return float32."""
        samples = latents.repeat(texts.branches, 1, 1, 1)
        output: Tensor = self.pipe.unet(
            samples.to(self._dtype),
            time,
            encoder_hidden_states=texts.tokens.flatten(0, 1),
            return_dict=False,
        )[0]
        return output.float().view(texts.branches, *latents.shape)

    def words(self, prompt: str) -> list[tuple[str, list[int]]]:
        """As CLIP's tokenizer splits them; a token of textual inversion is a word."""
        tokenizer = self.pipe.tokenizer
        text = self.pipe.maybe_convert_prompt(prompt, tokenizer)  # as the text encoder is given it
        ids = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length).input_ids
        added = {str(token) for token in tokenizer.added_tokens_encoder}
        groups: list[list[int]] = []
        open_word = False
        for place, token in enumerate(tokenizer.convert_ids_to_tokens(ids)):
            if token in tokenizer.all_special_tokens:
                continue
            if open_word and token not in added:
                groups[-1].append(place)
            else:
                groups.append([place])
            # An added token is a word; others end with a mark when their word does.
            open_word = token not in added and not token.endswith("</w>")
        return [(tokenizer.decode([ids[p] for p in places]).strip(), places) for places in groups]

    def attention_layers(self) -> list[AttentionLayer]:
        """In the order of the UNet; attn1 is self-attention, attn2 cross-attention."""
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
        """How much coarser than the latents each block of the UNet works."""
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
        """diffusers' attention processors."""
        return dict(self.pipe.unet.attn_processors)

    def set_processors(self, processors: Mapping[str, Any]) -> None:
        """By diffusers' own door."""
        self.pipe.unet.set_attn_processor(dict(processors))
