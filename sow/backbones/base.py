"""The interface between the engine and a diffusion model; hides everything model-specific.

Latents are `[B, c, h, w]` in float32 on the model's device, pixels `[B, 3, H, W]` in [-1, 1];
B is the number of pictures, K that of guidance branches. One latent is `vae_scale_factor` pixels
wide and high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from sow.settings.settings import PromptSyntax

Texts = Sequence[Sequence[str]]
"""K branches of B prompts each."""


@dataclass(frozen=True)
class TextEmbeddings:
    """Encoded prompts, as the model takes them.

    Attributes:
        prompt_embeds: `[K, B, tokens, width]`.
        added_cond_kwargs: further conditions of the model, `[K, B, ...]` each.
    """

    prompt_embeds: Tensor
    added_cond_kwargs: Mapping[str, Tensor]

    @property
    def branches(self) -> int:
        """K."""
        return len(self.prompt_embeds)

    def first_branches(self, branches: int) -> TextEmbeddings:
        """Return the embeddings of the first branches; 1 is the prompt without guidance."""
        added = {name: part[:branches] for name, part in self.added_cond_kwargs.items()}
        return TextEmbeddings(self.prompt_embeds[:branches], added)


@dataclass(frozen=True)
class AttentionLayer:
    """An attention layer of the model.

    A joint layer, in which the tokens of the picture and of the prompt attend to both, is two of
    these with the same name: the attention of the picture's tokens to one another, and to the
    prompt's.

    Attributes:
        name: its key in `attn_processors`.
        kind: self-attention among the picture's tokens, or cross-attention to the prompt's.
        factor: its downsampling of the latents, in width and height: 1, 2, 4 …
        is_joint: whether it is half of a joint layer.
    """

    name: str
    kind: Literal["self", "cross"]
    factor: int
    is_joint: bool = False


class Schedule(Protocol):
    """The noise levels of the states x_0 (clean) to x_S (noise), and the steps between them."""

    @property
    def timesteps(self) -> Sequence[float]:
        """The model's timestep of every state; that of x_0 is never used."""

    def denoise(
        self,
        latents: Tensor,
        output: Tensor,
        state: int,
        eta: Tensor | float = 0.0,
        noise: Tensor | None = None,
        step_skip: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """Return x_{s - step_skip} and the predicted clean latents, from x_s and the output."""

    def invert(self, latents: Tensor, output: Tensor, state: int, step_skip: int = 1) -> Tensor:
        """Return x_{s + step_skip} from x_s: the denoising step inverted."""

    def renoise(
        self,
        latents: Tensor,
        noise: Tensor,
        start: int,
        end: int,
        noise_level: Tensor | float = 1.0,
    ) -> Tensor:
        """Return x_end from x_start, in one jump of the forward process."""


class Backbone(Protocol):
    """A frozen text-to-image diffusion model."""

    vae_scale_factor: int
    channels: int
    device: torch.device

    def schedule(self, steps: int) -> Schedule:
        """Return the schedule of a trajectory with this many steps."""

    def encode(self, pixels: Tensor) -> Tensor:
        """Encode pixels to latents, deterministically."""

    def decode(self, latents: Tensor) -> Tensor:
        """Decode latents to pixels."""

    def text_tokens(self, texts: Texts, syntax: PromptSyntax = "plain") -> int:
        """Return the number of tokens of the embeddings of these texts."""

    def embed(
        self, groups: Sequence[Texts], syntax: PromptSyntax = "plain"
    ) -> list[TextEmbeddings]:
        """Encode several groups of texts, each distinct text once.

        All get the `text_tokens` of all these texts: shorter ones are repeated.
        """

    def predict(self, latents: Tensor, time: Tensor, texts: TextEmbeddings) -> Tensor:
        """Return the model's output for all guidance branches, in one call: `[K, B, c, h, w]`."""

    def lost_tokens(self, prompt: str, syntax: PromptSyntax = "plain") -> int:
        """Return the number of tokens of a prompt that are not read."""

    def words(self, prompt: str, syntax: PromptSyntax = "plain") -> list[tuple[str, list[int]]]:
        """Return the words of a prompt, without truncated ones, and their tokens' indices.

        The indices are those in the prompt's own embeddings, before it is repeated.
        """

    def attention_layers(self) -> list[AttentionLayer]:
        """Return all attention layers."""

    def processors(self) -> dict[str, Any]:
        """Return the current attention processors, by the names of the layers."""

    def set_processors(self, processors: Mapping[str, Any]) -> None:
        """Replace the attention processors."""
