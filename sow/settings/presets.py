"""The presets: what each sets otherwise than `Settings()`, which is the published method.

`normal`, `attribute` and `style` are a checkpoint's own: the published method, unless its
`model_index.json` has measured numbers (`sow.checkpoints.spec`). `published-…` and `swift-…` are
the same numbers on every checkpoint.
"""

from __future__ import annotations

from typing import Any

from sow.errors import UsageError

CHECKPOINT_PRESETS = ("normal", "attribute", "style")
"""What a checkpoint may have its own numbers for; the setting of a plan is one of these names."""

# The paper's three tasks (Sec. V): how noisy the finish is, which states preserve the condition.
PUBLISHED: dict[str, dict[str, Any]] = {
    "normal": {},
    "attribute": {"preserve": (4,), "eta": 0.1},
    "style": {"preserve": (4,), "eta": 1.0},
}
# For the fewest UNet samples: planted again, one cycle. Chosen on the drawn world by likeness,
# prompt and heads alone; little colour and variety is left.
FAST: dict[str, Any] = {
    "cycles": 1, "condition_guidance_scale": 1.0, "preserve": (4, 3, 2, 1), "rim": (0.02, 0.02),
    "replant": 1, "inversion_stride": 2, "outside_until": 4, "guided_until": 3,
    "first_guided_until": 3, "alpha_minus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
}  # fmt: skip
FAST_EDITABLE: dict[str, Any] = {
    **FAST, "condition_guidance_scale": 3.029, "preserve": (4, 3), "guided_until": 1,
}  # fmt: skip
"""As likeness 0.45 is: the sentence may change what is planted."""
SWIFT: dict[str, dict[str, Any]] = {
    "normal": FAST,
    "attribute": {**FAST_EDITABLE, "eta": 0.1},
    # Where every step has fresh noise, a first picture that is not guided to its end grows more
    # heads.
    "style": {**FAST_EDITABLE, "eta": 1.0, "first_guided_until": 1},
}
PRESET_CHANGES: dict[str, dict[str, Any]] = {
    **PUBLISHED,
    **{f"published-{name}": changes for name, changes in PUBLISHED.items()},
    **{f"swift-{name}": changes for name, changes in SWIFT.items()},
    # COW's first release: noise in the cycles, inversion with guidance, no modulation. What else
    # that release does otherwise, and what comes of it, is the benchmark's method `cow-release`.
    "cow": {
        "planted": "box", "preserve": (4,), "eta": 0.1, "cycle_eta": 1.0,
        "inversion_prompt": "plan", "inversion_guidance_scale": 7.5, "alpha_minus": 0.0,
        "alpha_plus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
    },
    # Nothing is planted: the sentence alone, from noise.
    "text": {
        "seed_canvas": "none", "inversion": "alone", "cycles": 0, "preserve": (),
        "alpha_minus": 0.0, "alpha_plus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
    },
}  # fmt: skip

# Names of before, with their meaning of before: recipes, plans and manifests may have them.
NO_SKIPPING: dict[str, Any] = {
    "inversion_stride": 1, "outside_until": 1, "guided_until": 1, "first_guided_until": 1,
}  # fmt: skip
"""Every state and every branch of guidance asked."""
OLD_PAPER: dict[str, Any] = {
    "planted": "box", "alpha_minus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
}  # fmt: skip
"""What was called the paper's: the whole square planted, and of the modulation only one half."""
RENAMED_PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"thorough-{name}": (f"swift-{name}", {**SWIFT[name], **NO_SKIPPING}) for name in SWIFT},
    **{
        f"paper-{name}": (f"published-{name}", {**PUBLISHED[name], **OLD_PAPER})
        for name in PUBLISHED
    },
}
"""What they are called now, and what they change; the new name's pictures are not the same."""

# Guidance inside the condition falls with it, and from these on one more state of the finish puts
# the condition back, the first near its start, the last near the clean picture.
PRESERVE_THRESHOLDS = (0.05, 0.35, 0.6, 0.85)


def likeness_settings(likeness: float, guidance_scale: float, t1: int) -> dict[str, Any]:
    """What a likeness stands for: `condition_guidance_scale`, `preserve` and `guided_until`.

    Where all states put the condition back, guidance near the clean picture has nothing to change
    in it; where fewer do, it is what brings the prompt into it.

    Raises:
        UsageError: if it is not a number from 0 to 1.
    """
    try:
        value = float(likeness)
    except (TypeError, ValueError, OverflowError):
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"bad setting: likeness is {likeness!r}", "give a number from 0 to 1")
    parts = len(PRESERVE_THRESHOLDS) + 1
    states = [max(1, round(t1 * (parts - n) / parts)) for n in range(1, parts)]
    return {
        "condition_guidance_scale": round(max(1.0, guidance_scale) ** (1 - value), 3),
        "preserve": tuple(dict.fromkeys(
            state for state, start in zip(states, PRESERVE_THRESHOLDS, strict=True) if value >= start
        )),
        "guided_until": t1 // 2 + 1 if value >= PRESERVE_THRESHOLDS[-1] else 1,
    }  # fmt: skip
