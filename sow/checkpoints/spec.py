"""What a checkpoint is, read from its configuration: the one truth about it, loaded or not."""

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
FAR = 1.5
"""How many times the side that a checkpoint was trained on is worth a remark, either way.

Less than that was seen to do no harm: `figures` keeps faces at 192 px as it does at 128.
"""


@dataclass(frozen=True)
class CheckpointSpec:
    """The defaults are those of Stable Diffusion 2.1-base.

    Attributes:
        canvas: `(width, height)` in pixels of the pictures it was trained on.
        sure: whether it says so itself; a single file does not.
        stride: pixels of one latent, in width and height.
        canvas_stride: width and height of a canvas must be multiples of this many pixels.
        token_limit: how many tokens its text encoder reads, the first and the last included.
        words: all words it knows, if it lists them; else empty.
        settings: what it needs set otherwise than the presets have it, whichever is chosen.
        presets: its own numbers for `normal`, `attribute` and `style`, where somebody measured
            better ones on it than the published; what each sets otherwise.
    """

    canvas: tuple[int, int] = (512, 512)
    sure: bool = False
    stride: int = 8
    canvas_stride: int = 64
    token_limit: int = CLIP_TOKENS
    words: frozenset[str] = frozenset()
    settings: Mapping[str, Any] = field(default_factory=dict)
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        unet: Mapping[str, Any],
        vae: Mapping[str, Any],
        text_encoder: Mapping[str, Any],
        tokenizer: Mapping[str, Any],
        index: Mapping[str, Any],
    ) -> CheckpointSpec:
        """Out of the configurations of its parts and `model_index.json`."""
        stride = 2 ** (len(vae.get("block_out_channels") or [0] * 4) - 1)
        side = unet.get("sample_size") or 64
        height, width = (side, side) if isinstance(side, int) else side
        limits = (tokenizer.get("model_max_length"), text_encoder.get("max_position_embeddings"))
        known = [limit for limit in limits if isinstance(limit, int) and 2 < limit <= CLIP_TOKENS]
        return cls(
            canvas=(width * stride, height * stride),
            sure=True,
            stride=stride,
            canvas_stride=stride * 2 ** (len(unet.get("block_out_channels") or [0] * 4) - 1),
            token_limit=min(known, default=CLIP_TOKENS),
            words=frozenset(str(index.get("sow_words") or "").split()),
            settings=index.get("sow_settings") or {},
            presets=index.get("sow_presets") or {},
        )

    @classmethod
    def of_folder(cls, folder: Path) -> CheckpointSpec:
        """Out of a checkpoint on disk in diffusers' layout, before anything is loaded."""
        return cls.of(
            unet=read_config(folder / "unet"),
            vae=read_config(folder / "vae"),
            text_encoder=read_config(folder / "text_encoder"),
            tokenizer=read_config(folder / "tokenizer", "tokenizer_config.json"),
            index=read_config(folder, "model_index.json"),
        )

    def preset(self, name: str) -> Settings:
        """The preset of this name as the checkpoint runs it.

        `normal`, `attribute` and `style` are the published method, or its own numbers if it has
        any; every preset with what the checkpoint needs set otherwise.

        Raises:
            ModelError: if what it says of itself are no settings.
        """
        chosen = Settings.preset(name)
        try:
            chosen = chosen.changed(**self.settings)
        except (UsageError, TypeError) as error:
            raise ModelError(
                f"the sow_settings in the checkpoint's model_index.json are none: {error}"
            ) from None
        try:
            return chosen.changed(**self._own(name))
        except (UsageError, TypeError) as error:
            raise ModelError(
                f"the sow_presets in the checkpoint's model_index.json are none: {error}"
            ) from None

    def sources(self, name: str) -> dict[str, str]:
        """Where each number of a preset comes from, by the names of the settings: the paper, COW,
        this project, the preset, or the checkpoint.

        Raises:
            ModelError: as `preset`.
        """
        return {
            field: "checkpoint"
            if field in self.settings or field in self._own(name)
            else _source(name, field)
            for field in self.preset(name).model_dump()
        }

    def _own(self, name: str) -> Mapping[str, Any]:
        return self.presets.get(name, {}) if name in CHECKPOINT_PRESETS else {}

    def fitted(self, plan: Plan) -> Plan:
        """The same composition where the shorter side of the canvas is the checkpoint's own."""
        scale, grid = min(self.canvas) / min(plan.canvas), self.canvas_stride
        if scale == 1:
            return plan.scaled(plan.canvas)
        width, height = (max(1, round(side * scale / grid)) * grid for side in plan.canvas)
        return plan.scaled((width, height))

    def canvas_notes(self, canvas: tuple[int, int]) -> Iterator[str]:
        """What to expect of a canvas far from the size it was trained on."""
        sides = [here / there for here, there in zip(canvas, self.canvas, strict=True)]
        if not self.sure or 1 / FAR <= min(sides) <= max(sides) <= FAR:
            return
        trained = "the model was trained on {}x{}: ".format(*self.canvas)
        here, more = f"{canvas[0]}x{canvas[1]}", sides[0] * sides[1]
        if max(sides) <= FAR:
            yield f"{trained}{here} is too small for what it draws"
            return
        cost = f"computes {more:.3g} times the pixels and " if more > 1 else ""
        yield f"{trained}at {here} it {cost}tends to draw what it knows more than once"

    def unknown_words(self, prompt: str) -> list[str]:
        """The words of a prompt that say nothing to the checkpoint, in their order."""
        if not self.words:
            return []
        said = dict.fromkeys(re.findall(r"[^\W_]+", prompt.lower()))
        return [word for word in said if word not in self.words]


def _source(preset: str, field: str) -> str:
    """Where a number of a preset comes from that no checkpoint has changed."""
    published = preset.removeprefix("published-") in PUBLISHED
    if field in PRESET_CHANGES.get(preset, {}):
        return SEC_V if published else f"preset {preset}"
    return Settings.source(field)
