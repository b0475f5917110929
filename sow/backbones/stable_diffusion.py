"""Stable Diffusion 1.x and 2.x as a backbone: a view of a diffusers pipeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sow.backbones.base import AttentionLayer, TextEmbeddings, Texts
from sow.backbones.schedule import DiffusionSchedule
from sow.utils.libraries import quiet_libraries


class StableDiffusion:
    """A `sow.backbones.base.Backbone`; `pipe` may be offloaded or have adapters such as LoRA.

    Create one for each call of the pipeline: dtype, device and scaling factor are read only once.
    """

    def __init__(self, pipe: Any) -> None:
        self.pipe = pipe
        self.vae_scale_factor: int = pipe.vae_scale_factor
        self.channels: int = pipe.unet.config.in_channels
        self.max_text_tokens: int = pipe.tokenizer.model_max_length
        self.device: torch.device = pipe._execution_device
        self._dtype: torch.dtype = pipe.unet.dtype  # slow to read: diffusers searches all modules
        self._factor: float = pipe.vae.config.scaling_factor

    def schedule(self, steps: int) -> DiffusionSchedule:
        """Return a schedule with the noise levels of the pipeline's scheduler."""
        return DiffusionSchedule.from_scheduler(self.pipe.scheduler, steps)

    def encode(self, pixels: Tensor) -> Tensor:
        """Return the mode of the autoencoder's distribution; one picture at a time, as `decode`."""
        vae = self.pipe.vae
        encoded = torch.cat(
            [
                vae.encode(picture.to(self.device, vae.dtype)).latent_dist.mode()
                for picture in pixels.chunk(len(pixels))
            ]
        )
        return encoded.float() * self._factor

    def decode(self, latents: Tensor) -> Tensor:
        """Decode in the precision of the autoencoder, one picture at a time.

        The autoencoder's feature maps at full size are the largest of a run: a whole batch would
        need more memory than the UNet, and is not faster.
        """
        vae = self.pipe.vae
        scaled = (latents / self._factor).to(vae.dtype)
        return torch.cat(
            [vae.decode(one, return_dict=False)[0] for one in scaled.chunk(len(scaled))]
        )

    def embed(self, groups: Sequence[Texts]) -> list[TextEmbeddings]:
        """Encode all texts in one call of the text encoder."""
        unique = list(dict.fromkeys(text for group in groups for row in group for text in row))
        with quiet_libraries():  # diffusers warns about every text that is too long
            embeddings: Tensor = self.pipe.encode_prompt(unique, self.device, 1, False)[0]

        def stack(group: Texts) -> Tensor:
            index = torch.tensor([[unique.index(text) for text in row] for row in group])
            return embeddings[index.to(embeddings.device)]

        return [TextEmbeddings(stack(group), {}) for group in groups]

    def predict(self, latents: Tensor, time: Tensor, texts: TextEmbeddings) -> Tensor:
        """Compute in the precision of the UNet; return float32."""
        samples = latents.repeat(texts.branches, 1, 1, 1)
        output: Tensor = self.pipe.unet(
            samples.to(self._dtype),
            time,
            encoder_hidden_states=texts.prompt_embeds.flatten(0, 1),
            return_dict=False,
        )[0]
        return output.float().view(texts.branches, *latents.shape)

    def words(self, prompt: str) -> list[tuple[str, list[int]]]:
        """Split a prompt as CLIP's tokenizer does; a textual inversion token is a word."""
        tokenizer = self.pipe.tokenizer
        text = self.pipe.maybe_convert_prompt(prompt, tokenizer)  # as `encode_prompt` does
        ids = tokenizer(text, truncation=True, max_length=tokenizer.model_max_length).input_ids
        added = {*map(str, tokenizer.added_tokens_encoder)}
        added |= {token.lower() for token in added}  # as they are found, if they are normalised
        groups: list[list[int]] = []
        open_word = False
        names = tokenizer.convert_ids_to_tokens(ids)
        for index, token in enumerate(names):
            if token in tokenizer.all_special_tokens:
                continue
            if (open_word and token not in added) or (
                token in added and groups and _continues(names[groups[-1][0]], token)
            ):
                groups[-1].append(index)
            else:
                groups.append([index])
            # An added token is a whole word; the last token of any other word ends with a mark.
            open_word = token not in added and not token.endswith("</w>")

        def text_of(group: list[int]) -> str:
            if names[group[0]] in added:
                return str(names[group[0]])
            text = str(tokenizer.decode([ids[index] for index in group]))
            return text.replace("</w>", " ").strip()  # a copied tokenizer leaves the mark

        return [(text_of(group), group) for group in groups]

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
        return dict(self.pipe.unet.attn_processors)

    def set_processors(self, processors: Mapping[str, Any]) -> None:
        """Replace diffusers' attention processors."""
        self.pipe.unet.set_attn_processor(dict(processors))


def _continues(word: str, token: str) -> bool:
    """Return whether a token is another vector of an embedding: `cat_1` of `cat`."""
    start, _, number = token.rpartition("_")
    return start == word and number.isdigit()
