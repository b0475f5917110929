"""The presets: what each sets otherwise than `normal`, which is `Settings()`."""

from __future__ import annotations

from typing import Any

LIKENESS = {"normal": 1.0, "attribute": 0.45, "style": 0.45}
"""The presets' own."""
ATTRIBUTE: dict[str, Any] = {"likeness": LIKENESS["attribute"], "eta": 0.1}
# Where every step has fresh noise, a first picture that is not guided to its end grows more heads.
STYLE: dict[str, Any] = {"likeness": LIKENESS["style"], "eta": 1.0, "first_guided_until": 1}
# Every state and every branch of guidance asked: as `normal` ran before it was made to ask less.
THOROUGH: dict[str, Any] = {
    "inversion_stride": 1, "outside_until": 1, "guided_until": 1, "first_guided_until": 1,
}  # fmt: skip
# As the paper has it: planted once, 7.5 of the prompt inside the condition too.
PAPER: dict[str, Any] = {
    **THOROUGH,
    "condition_guidance_scale": 7.5, "planted": "box", "rim": (0.5, 0.5), "replant": 0,
    "cycles": 10, "preserve": (4, 3),
}  # fmt: skip
CHANGES: dict[str, dict[str, Any]] = {
    "normal": {},
    "attribute": ATTRIBUTE,
    "style": STYLE,
    "thorough-normal": THOROUGH,
    "thorough-attribute": {**ATTRIBUTE, **THOROUGH},
    "thorough-style": {**STYLE, **THOROUGH},
    "paper-normal": PAPER,
    "paper-attribute": {**PAPER, "preserve": (4,), "eta": 0.1},
    "paper-style": {**PAPER, "preserve": (4,), "eta": 1.0},
    # Nothing is planted: the sentence alone, from noise.
    "text": {
        **THOROUGH,
        "seed_canvas": "none", "inversion": "alone", "replant": 0, "cycles": 0, "preserve": (),
        "alpha_plus": 0.0,
    },
    # With the numbers of COW's first release: noise in the cycles, inversion with guidance. What
    # that release does otherwise besides, and what comes of it, is a benchmark's: `cow-release`.
    "cow": {
        **PAPER,
        "preserve": (4,), "eta": 0.1, "cycle_eta": 1.0, "inversion_prompt": "plan",
        "inversion_guidance_scale": 7.5, "alpha_plus": 0.0,
    },
}  # fmt: skip
