"""What a checkpoint's configuration says about it: canvas, token limit, vocabulary, presets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sow.checkpoints.families import DENOISERS
from sow.checkpoints.files import read_config
from sow.checkpoints.flow_states import at_equal_noise
from sow.errors import ModelError, PlanError, UsageError
from sow.plan.plan import Plan, check_canvas
from sow.settings.presets import CHECKPOINT_PRESETS, PRESET_CHANGES, PUBLISHED
from sow.settings.settings import SEC_V, Settings

CLIP_TOKENS = 77
EQUAL_NOISE = "equal noise"
"""The source of a state that is as noisy as the published one is on Stable Diffusion's schedule."""
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
        flow_shift: of a rectified flow's noise; None for other models.
        max_side: the largest width or height of a canvas in pixels, if there is one.
    """

    canvas: tuple[int, int] = (512, 512)
    canvas_known: bool = False
    vae_scale_factor: int = 8
    canvas_multiple: int = 64
    token_limit: int = CLIP_TOKENS
    words: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    flow_shift: float | None = None
    max_side: int | None = None

    @classmethod
    def from_configs(
        cls,
        denoiser: Mapping[str, Any],
        vae: Mapping[str, Any],
        text_encoder: Mapping[str, Any],
        tokenizer: Mapping[str, Any],
        scheduler: Mapping[str, Any],
        index: Mapping[str, Any],
    ) -> CheckpointSpec:
        """Create it from the configurations of the components and `model_index.json`."""
        scale = 2 ** (len(vae.get("block_out_channels") or [0] * 4) - 1)
        patch = denoiser.get("patch_size")
        is_flow = "shift" in scheduler and "beta_start" not in scheduler
        patches = denoiser.get("pos_embed_max_size") or 96
        halvings = len(denoiser.get("block_out_channels") or [0] * 4) - 1
        side = denoiser.get("sample_size") or (128 if patch else 64)
        height, width = (side, side) if isinstance(side, int) else side
        limits = (tokenizer.get("model_max_length"), text_encoder.get("max_position_embeddings"))
        known = [limit for limit in limits if isinstance(limit, int) and 2 < limit <= CLIP_TOKENS]
        return cls(
            canvas=(width * scale, height * scale),
            canvas_known=True,
            vae_scale_factor=scale,
            canvas_multiple=scale * (patch or 2**halvings),
            token_limit=min(known, default=CLIP_TOKENS),
            words=frozenset(str(index.get("sow_words") or "").split()),
            settings=index.get("sow_settings") or {},
            presets=index.get("sow_presets") or {},
            flow_shift=float(scheduler["shift"]) if is_flow else None,
            max_side=patches * patch * scale if patch else None,
        )

    @classmethod
    def from_folder(cls, folder: Path) -> CheckpointSpec:
        """Read it from a folder in diffusers' layout, without loading the model."""
        denoiser = next((name for name in DENOISERS if (folder / name).is_dir()), "unet")
        return cls.from_configs(
            denoiser=read_config(folder / denoiser),
            vae=read_config(folder / "vae"),
            text_encoder=read_config(folder / "text_encoder"),
            tokenizer=read_config(folder / "tokenizer", "tokenizer_config.json"),
            scheduler=read_config(folder / "scheduler", "scheduler_config.json"),
            index=read_config(folder, "model_index.json"),
        )

    def preset(self, name: str) -> Settings:
        """Return a preset with the checkpoint's changes.

        `normal`, `attribute` and `style` are the checkpoint's own, or the published method if it
        has none; `settings` change every preset.

        Raises:
            ModelError: if the settings or presets of the checkpoint are invalid.
        """
        settings = self._at_its_noise(Settings.preset(name))
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

        It is the paper, COW, this project, the preset, the checkpoint, or that the state is as
        noisy as the published one.

        Raises:
            ModelError: if the settings or presets of the checkpoint are invalid.
        """
        published = Settings.preset(name)
        moved = self._at_its_noise(published)
        return {
            field: "checkpoint"
            if field in self.settings or field in self._own(name)
            else EQUAL_NOISE
            if getattr(moved, field) != getattr(published, field)
            else _source(name, field)
            for field in self.preset(name).model_dump()
        }

    def _at_its_noise(self, settings: Settings) -> Settings:
        return settings if self.flow_shift is None else at_equal_noise(settings, self.flow_shift)

    def _own(self, name: str) -> Mapping[str, Any]:
        return self.presets.get(name, {}) if name in CHECKPOINT_PRESETS else {}

    def fit_plan(self, plan: Plan) -> Plan:
        """Return the plan scaled so that the shorter side of its canvas is that of `canvas`."""
        scale, grid = min(self.canvas) / min(plan.canvas), self.canvas_multiple
        if scale == 1:
            return plan.scaled(plan.canvas)
        width, height = (max(1, round(side * scale / grid)) * grid for side in plan.canvas)
        return plan.scaled((width, height))

    def check_canvas(self, canvas: tuple[int, int]) -> None:
        """Check that the model can draw pictures of this size.

        Raises:
            PlanError: if not.
        """
        check_canvas(canvas, self.canvas_multiple)
        if self.max_side is not None and max(canvas) > self.max_side:
            raise PlanError(
                f"a canvas of {canvas[0]}x{canvas[1]} is too large for this model",
                f"width and height may have up to {self.max_side} px",
            )

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
