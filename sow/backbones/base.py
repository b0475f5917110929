"""What the engine asks of a diffusion model. Everything that is one model's own stands behind it.

Latents are `[B, c, h, w]` in float32 on the model's device, pixels `[B, 3, H, W]` in [-1, 1];
B are pictures, K the branches of guidance. One latent is `vae_scale_factor` pixels wide and high.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

Texts = Sequence[Sequence[str]]
"""K branches of B prompts each."""


@dataclass(frozen=True)
class TextEmbeddings:
    """Texts as a model is given them.

    Attributes:
        tokens: `[K, B, tokens, width]`.
        more: whatever else it wants with them, `[K, B, ...]` each.
    """

    tokens: Tensor
    more: Mapping[str, Tensor]

    @property
    def branches(self) -> int:
        """K."""
        return len(self.tokens)

    def first(self, branches: int) -> TextEmbeddings:
        """Only the first so many branches: 1 is the prompt without guidance."""
        more = {name: part[:branches] for name, part in self.more.items()}
        return TextEmbeddings(self.tokens[:branches], more)


@dataclass(frozen=True)
class AttentionLayer:
    """One place where the model attends.

    Attributes:
        name: as `attn_processors` calls it.
        kind: self-attention among the picture's tokens, or cross-attention to the prompt's.
        factor: how much coarser its tokens are than the latents, in width and height: 1, 2, 4 …
    """

    name: str
    kind: Literal["self", "cross"]
    factor: int


class Schedule(Protocol):
    """Noise levels of the states x_0 (clean) to x_S (noise), and the steps between them."""

    @property
    def timesteps(self) -> Sequence[int]:
        """When the model is asked, state by state; the first is never used."""

    def denoise(
        self,
        latents: Tensor,
        output: Tensor,
        state: int,
        eta: Tensor | float = 0.0,
        noise: Tensor | None = None,
        step_skip: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """x_s -> x_{s - step_skip} by the model's output, and the clean latents it points to."""

    def invert(self, latents: Tensor, output: Tensor, state: int, step_skip: int = 1) -> Tensor:
        """x_s -> x_{s + step_skip}: the same step read backwards."""

    def renoise(
        self,
        latents: Tensor,
        noise: Tensor,
        start: int,
        end: int,
        noise_level: Tensor | float = 1.0,
    ) -> Tensor:
        """x_start -> x_end in one jump of the forward process."""


class Backbone(Protocol):
    """A frozen text-to-image diffusion model."""

    vae_scale_factor: int
    channels: int
    text_tokens: int
    device: torch.device

    def schedule(self, steps: int) -> Schedule:
        """The states of a trajectory of so many steps."""

    def encode(self, pixels: Tensor) -> Tensor:
        """Pixels to latents, without chance."""

    def decode(self, latents: Tensor) -> Tensor:
        """Latents to pixels."""

    def embed(self, groups: Sequence[Texts]) -> list[TextEmbeddings]:
        """Several groups of texts; a text that occurs twice is encoded once."""

    def predict(self, latents: Tensor, time: Tensor, texts: TextEmbeddings) -> Tensor:
        """The model's output for all branches of guidance in one call: `[K, B, c, h, w]`."""

    def words(self, prompt: str) -> list[tuple[str, list[int]]]:
        """The words of a prompt that are read, and the places of their tokens."""

    def attention_layers(self) -> list[AttentionLayer]:
        """Where it attends."""

    def processors(self) -> dict[str, Any]:
        """What does the attending now, by the names of the layers."""

    def set_processors(self, processors: Mapping[str, Any]) -> None:
        """Lets others do it."""
