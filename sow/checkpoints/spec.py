"""What a checkpoint's configuration says about it: canvas, token limit, vocabulary, presets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sow.checkpoints.files import read_config
from sow.errors import ModelError, UsageError
from sow.plan.plan import Plan
from sow.settings.presets import CHECKPOINT_PRESETS, PRESET_CHANGES, PUBLISHED
from sow.settings.settings import SEC_V, Settings

CLIP_TOKENS = 77
MAX_CANVAS_RATIO = 1.5
"""A canvas whose sides are further than this factor from those of training gets a note.

Less was seen to do no harm: `figures` keeps faces at 192 px as it does at 128.
"""


@dataclass(frozen=True)
class CheckpointSpec:
    """What the engine needs to know about a checkpoint; the defaults are SD 2.1-base's.

    Attributes:
        canvas: `(width, height)` in pixels of the pictures it was trained on.
        canvas_known: whether its configuration has that size; a single file has none.
        vae_scale_factor: pixels per latent, in width and height.
        canvas_multiple: width and height of a canvas must be multiples of this many pixels.
        token_limit: how many tokens its text encoder reads, the first and the last included.
        words: its vocabulary, if it has a list of it; else empty.
        settings: changes that it needs to every preset.
        presets: its own changes to `normal`, `attribute` and `style`, where better numbers than
            the published ones were measured on it.
    """

    canvas: tuple[int, int] = (512, 512)
    canvas_known: bool = False
    vae_scale_factor: int = 8
    canvas_multiple: int = 64
    token_limit: int = CLIP_TOKENS
    words: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_configs(
        cls,
        unet: Mapping[str, Any],
        vae: Mapping[str, Any],
        text_encoder: Mapping[str, Any],
        tokenizer: Mapping[str, Any],
        index: Mapping[str, Any],
    ) -> CheckpointSpec:
        """Create it from the configurations of the components and `model_index.json`."""
        scale = 2 ** (len(vae.get("block_out_channels") or [0] * 4) - 1)
        side = unet.get("sample_size") or 64
        height, width = (side, side) if isinstance(side, int) else side
        limits = (tokenizer.get("model_max_length"), text_encoder.get("max_position_embeddings"))
        known = [limit for limit in limits if isinstance(limit, int) and 2 < limit <= CLIP_TOKENS]
        return cls(
            canvas=(width * scale, height * scale),
            canvas_known=True,
            vae_scale_factor=scale,
            canvas_multiple=scale * 2 ** (len(unet.get("block_out_channels") or [0] * 4) - 1),
            token_limit=min(known, default=CLIP_TOKENS),
            words=frozenset(str(index.get("sow_words") or "").split()),
            settings=index.get("sow_settings") or {},
            presets=index.get("sow_presets") or {},
        )

    @classmethod
    def from_folder(cls, folder: Path) -> CheckpointSpec:
        """Read it from a folder in diffusers' layout, without loading the model."""
        return cls.from_configs(
            unet=read_config(folder / "unet"),
            vae=read_config(folder / "vae"),
            text_encoder=read_config(folder / "text_encoder"),
            tokenizer=read_config(folder / "tokenizer", "tokenizer_config.json"),
            index=read_config(folder, "model_index.json"),
        )

    def preset(self, name: str) -> Settings:
        """Return a preset with the checkpoint's changes.

        `normal`, `attribute` and `style` are the checkpoint's own, or the published method if it
        has none; `settings` change every preset.

        Raises:
            ModelError: if the settings or presets of the checkpoint are invalid.
        """
        settings = Settings.preset(name)
        try:
            settings = settings.changed(**self.settings)
        except (UsageError, TypeError) as error:
            raise ModelError(
                f"the sow_settings in the checkpoint's model_index.json are invalid: {error}"
            ) from None
        try:
            return settings.changed(**self._own(name))
        except (UsageError, TypeError) as error:
            raise ModelError(
                f"the sow_presets in the checkpoint's model_index.json are invalid: {error}"
            ) from None

    def sources(self, name: str) -> dict[str, str]:
        """Return the source of each setting of a preset.

        It is the paper, COW, this project, the preset or the checkpoint.

        Raises:
            ModelError: if the settings or presets of the checkpoint are invalid.
        """
        return {
            field: "checkpoint"
            if field in self.settings or field in self._own(name)
            else _source(name, field)
            for field in self.preset(name).model_dump()
        }

    def _own(self, name: str) -> Mapping[str, Any]:
        return self.presets.get(name, {}) if name in CHECKPOINT_PRESETS else {}

    def fit_plan(self, plan: Plan) -> Plan:
        """Return the plan scaled so that the shorter side of its canvas is that of `canvas`."""
        scale, grid = min(self.canvas) / min(plan.canvas), self.canvas_multiple
        if scale == 1:
            return plan.scaled(plan.canvas)
        width, height = (max(1, round(side * scale / grid)) * grid for side in plan.canvas)
        return plan.scaled((width, height))

    def canvas_notes(self, canvas: tuple[int, int]) -> Iterator[str]:
        """Yield what to expect of a canvas far from the size of training."""
        ratios = [side / trained for side, trained in zip(canvas, self.canvas, strict=True)]
        is_near = 1 / MAX_CANVAS_RATIO <= min(ratios) <= max(ratios) <= MAX_CANVAS_RATIO
        if is_near or not self.canvas_known:
            return
        trained = "the model was trained on {}x{}: ".format(*self.canvas)
        size, area = f"{canvas[0]}x{canvas[1]}", ratios[0] * ratios[1]
        if max(ratios) <= MAX_CANVAS_RATIO:
            yield f"{trained}{size} is too small for what it draws"
            return
        cost = f"computes {area:.3g} times the pixels and " if area > 1 else ""
        yield f"{trained}at {size} it {cost}tends to repeat objects"

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the words of a prompt that are not in the checkpoint's vocabulary, in order."""
        if not self.words:
            return []
        return [word for word in dict.fromkeys(words_of(prompt)) if word not in self.words]


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without signs."""
    return re.findall(r"[^\W_]+", text.lower())


def _source(preset: str, field: str) -> str:
    """Return the source of a setting of a preset that the checkpoint does not change."""
    published = preset.removeprefix("published-") in PUBLISHED
    if field in PRESET_CHANGES.get(preset, {}):
        return SEC_V if published else f"preset {preset}"
    return Settings.source(field)
