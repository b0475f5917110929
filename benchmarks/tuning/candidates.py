"""The candidates of `sow tune`: the published method and changes of it, each with its reason.

The published method stands first: all others are tested against it. What was found good on the
drawn world is a candidate like any other: it is untested on other weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sow.checkpoints.spec import CheckpointSpec
from sow.settings.presets import SWIFT
from sow.settings.settings import Settings

PUBLISHED, OWN = "published", "the checkpoint's own"


@dataclass(frozen=True)
class Candidate:
    """Settings to try.

    Attributes:
        name: in tables.
        why: what speaks for it, in a line.
        changes: what it sets otherwise than `published-…`, by the names of settings.
    """

    name: str
    why: str
    changes: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """The name of the folder of its pictures."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    def settings(self, checkpoint: CheckpointSpec, setting: str) -> Settings:
        """Return the candidate's settings for a checkpoint.

        Args:
            checkpoint: of the model.
            setting: normal, attribute or style.

        Raises:
            SowError: if they are none.
        """
        return checkpoint.preset(f"published-{setting}").changed(**self.changes)


AS_INVERTED: dict[str, Any] = {"condition_guidance_scale": 1.0}
KEPT: dict[str, Any] = {**AS_INVERTED, "preserve": [4, 3, 2, 1], "rim": [0.02, 0.02]}
AGAIN: dict[str, Any] = {**KEPT, "replant": 1}
INTERVAL: dict[str, Any] = {"guided_until": 3, "first_guided_until": 3}
LISTED: tuple[Candidate, ...] = (
    Candidate(PUBLISHED, "the paper's numbers, which the others are tested against", {}),
    Candidate("guidance 1 inside", "the condition is walked back as it was inverted", AS_INVERTED),
    Candidate("guidance 3 inside", "between guidance 1 and the published 7.5",
              {"condition_guidance_scale": 3.0}),
    Candidate("kept to the end", "guidance 1 inside, every state puts it back, its rim too", KEPT),
    Candidate("interval of guidance", "guidance near the clean picture costs, and colours skin",
              INTERVAL),
    Candidate("without modulation", "as the first COW has it: attention is left alone",
              {"alpha_minus": 0.0, "alpha_plus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0,
               "gate": "none"}),
    *(
        Candidate(f"planted again, {n} cycle{'s' if n > 1 else ''}",
                  "kept to the end, and planted again in the first picture",
                  {**AGAIN, "cycles": n})
        for n in (1, 3, 5, 10)
    ),
)  # fmt: skip
"""Those of every setting and checkpoint, by the reasons of docs/how-it-works.md."""


def candidates(setting: str, checkpoint: CheckpointSpec) -> tuple[Candidate, ...]:
    """Return all candidates for a setting and a checkpoint; the published method first.

    Args:
        setting: normal, attribute or style.
        checkpoint: of the model; its own preset is tried too, if it has one.
    """
    swift = Candidate(
        "swift", "the fewest UNet samples, as chosen on the drawn world", _plain(SWIFT[setting])
    )
    preset = checkpoint.presets.get(setting)
    checkpoint_preset = (
        [Candidate(OWN, "the preset that comes with the checkpoint", _plain(preset))]
        if preset
        else []
    )
    return (*LISTED, swift, *checkpoint_preset)


def _plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as JSON has them, so that they survive writing and reading."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()
    }
