"""Stable Diffusion 3 and 3.5 as a backbone: a transformer that predicts a rectified flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from sow.backbones.base import AttentionLayer, TextEmbeddings, Texts
from sow.backbones.schedule import DiffusionSchedule
from sow.backbones.stable_diffusion import StableDiffusion, weighted
from sow.backbones.t5_tokens import LENGTH, T5Tokens, tokenize_t5
from sow.settings.settings import PromptSyntax


class StableDiffusion3(StableDiffusion):
    """A `sow.backbones.base.Backbone` for Stable Diffusion 3 and 3.5 (Esser et al. 2024).

    Every text has as many tokens: those of one chunk of CLIP's, then T5's. A longer one cannot be
    repeated as in cross-attention, where only the shares among the prompt's tokens count.
    """

    max_chunks = 1

    @property
    def _denoiser(self) -> Any:
        return self.pipe.transformer

    def schedule(self, steps: int) -> DiffusionSchedule:
        """Return a schedule with the noise levels of the pipeline's scheduler."""
        config = self.pipe.transformer.config
        tokens = (config.sample_size // config.patch_size) ** 2
        return DiffusionSchedule.from_flow_scheduler(self.pipe.scheduler, steps, tokens)

    def text_tokens(self, texts: Texts, syntax: PromptSyntax = "plain") -> int:
        """Return the number of tokens of every text."""
        limit: int = self.pipe.tokenizer.model_max_length
        return limit + LENGTH

    def _embed_texts(self, texts: Sequence[str], syntax: PromptSyntax) -> dict[str, Tensor]:
        """Return what both CLIP encoders and T5 make of each text.

        CLIP's are side by side and padded to T5's width; without a T5, its part is zeros.
        """
        pipe, tokens = self.pipe, [self._tokens(text, syntax) for text in texts]
        encoded = [
            encoder(self._ids(tokens, tokenizer), output_hidden_states=True)
            for encoder, tokenizer in (
                (pipe.text_encoder, pipe.tokenizer),
                (pipe.text_encoder_2, pipe.tokenizer_2),
            )
        ]
        clip = torch.cat([each.hidden_states[-2] for each in encoded], -1)
        weights = [each.weights()[0] for each in tokens]
        clip = torch.stack([weighted(*each) for each in zip(clip, weights, strict=True)])
        t5 = self._embed_t5(texts, syntax)
        embeds = torch.cat([pad(clip, (0, t5.shape[2] - clip.shape[2])), t5], 1)
        pooled = torch.cat([each.text_embeds for each in encoded], -1)
        parts = {"prompt_embeds": embeds, "pooled_projections": pooled}
        return {name: part.to(self._dtype) for name, part in parts.items()}

    def _embed_t5(self, texts: Sequence[str], syntax: PromptSyntax) -> Tensor:
        """Return T5's embeddings, `[texts, LENGTH, width]`."""
        encoder = self.pipe.text_encoder_3
        if encoder is None:
            width: int = self.pipe.transformer.config.joint_attention_dim
            return torch.zeros(len(texts), LENGTH, width, device=self.device)
        tokens = [self._t5_tokens(text, syntax) for text in texts]
        ids = torch.tensor([each.ids for each in tokens], device=self.device)
        embeddings: Tensor = encoder(ids)[0]
        return torch.stack(
            [weighted(e, each.weights) for e, each in zip(embeddings, tokens, strict=True)]
        )

    def _t5_tokens(self, text: str, syntax: PromptSyntax) -> T5Tokens:
        return tokenize_t5(self.pipe.tokenizer_3, text, syntax)

    def predict(self, latents: Tensor, time: Tensor, texts: TextEmbeddings) -> Tensor:
        """Compute in the precision of the transformer; return float32."""
        samples = latents.repeat(texts.branches, 1, 1, 1).to(self._dtype)
        output: Tensor = self.pipe.transformer(
            hidden_states=samples,
            timestep=time.expand(len(samples)),
            encoder_hidden_states=texts.prompt_embeds.flatten(0, 1),
            pooled_projections=texts.added_cond_kwargs["pooled_projections"].flatten(0, 1),
            return_dict=False,
        )[0]
        return output.float().view(texts.branches, *latents.shape)

    def lost_tokens(self, prompt: str, syntax: PromptSyntax = "plain") -> int:
        """Return the number of tokens that no text encoder reads."""
        lost = super().lost_tokens(prompt, syntax)
        if self.pipe.text_encoder_3 is None:
            return lost
        return min(lost, self._t5_tokens(prompt, syntax).lost)

    def words(self, prompt: str, syntax: PromptSyntax = "plain") -> list[tuple[str, list[int]]]:
        """Return the words with the indices of their tokens, CLIP's and T5's.

        T5's words that CLIP's tokenizer splits otherwise come after the others.
        """
        words = [(text, list(indices)) for text, indices in super().words(prompt, syntax)]
        if self.pipe.text_encoder_3 is None:
            return words
        start: int = self.pipe.tokenizer.model_max_length
        others, place = [], 0
        for text, indices in self._t5_tokens(prompt, syntax).words(self.pipe.tokenizer_3):
            shifted = [start + index for index in indices]
            same = [n for n in range(place, len(words)) if words[n][0].lower() == text.lower()]
            if same:
                place = same[0] + 1
                words[same[0]][1].extend(shifted)
            else:
                others.append((text, shifted))
        return [*words, *others]

    def attention_layers(self) -> list[AttentionLayer]:
        """Return the layers in the transformer's order: joint ones, and those of the picture."""
        factor: int = self.pipe.transformer.config.patch_size
        layers = []
        for name in self.pipe.transformer.attn_processors:
            is_joint = ".attn." in name
            layers.append(AttentionLayer(name, "self", factor, is_joint))
            if is_joint:
                layers.append(AttentionLayer(name, "cross", factor, is_joint))
        return layers
