"""SDXL as a backbone: two text encoders, and a UNet that is told the size of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sow.backbones.base import TextEmbeddings
from sow.backbones.prompt_tokens import PromptTokens
from sow.backbones.stable_diffusion import StableDiffusion


class StableDiffusionXL(StableDiffusion):
    """A `sow.backbones.base.Backbone` for SDXL (Podell et al. 2023), without its refiner."""

    def __init__(self, pipe: Any) -> None:
        super().__init__(pipe)
        self._time_ids: dict[tuple[int, int], Tensor] = {}

    def _encode(self, chunks: Sequence[PromptTokens]) -> dict[str, Tensor]:
        """Return the last hidden layer but one of both encoders, side by side, and the second's
        `text_embeds`, which describe the chunk as a whole.

        A text without words is zeros if the checkpoint was trained so (its
        `force_zeros_for_empty_prompt`); diffusers does this where no negative prompt is given.
        """
        pipe = self.pipe
        ids = self._ids(chunks, pipe.tokenizer_2)
        first = pipe.text_encoder(self._ids(chunks, pipe.tokenizer), output_hidden_states=True)
        second = pipe.text_encoder_2(ids, output_hidden_states=True)
        embeds = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], -1)
        # transformers takes the largest id for the end, which an embedding's tokens exceed.
        end = (ids == pipe.tokenizer_2.eos_token_id).int().argmax(1)
        at_end = second.last_hidden_state[torch.arange(len(ids), device=self.device), end]
        pooled = pipe.text_encoder_2.text_projection(at_end)
        encoded = {"prompt_embeds": embeds, "text_embeds": pooled}
        if pipe.config.force_zeros_for_empty_prompt:
            is_empty = torch.tensor([chunk.is_empty for chunk in chunks], device=self.device)
            for part in encoded.values():
                part[is_empty] = 0
        return {name: part.to(pipe.text_encoder_2.dtype) for name, part in encoded.items()}

    def _added_conditions(self, samples: Tensor, texts: TextEmbeddings) -> dict[str, Tensor]:
        """Return the texts as a whole, and sizes: the picture's, no crop, and the picture's."""
        height, width = (side * self.vae_scale_factor for side in samples.shape[-2:])
        if (height, width) not in self._time_ids:  # once: it is copied to the device
            sizes = [height, width, 0, 0, height, width]
            self._time_ids[height, width] = torch.tensor(sizes, device=self.device).to(samples)
        return {
            "text_embeds": texts.added_cond_kwargs["text_embeds"].flatten(0, 1),
            "time_ids": self._time_ids[height, width].expand(len(samples), -1),
        }

    def _vae(self) -> Any:
        """Return the autoencoder; its numbers can be too large for half precision.

        It is then left in full precision, as converting it takes longer than using it.
        """
        vae = self.pipe.vae
        if vae.dtype == torch.float16 and vae.config.force_upcast:
            vae.to(torch.float32)
        return vae
