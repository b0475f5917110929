"""The presets, as changes of `Settings()`, which is the published method.

`normal`, `attribute` and `style` may differ by checkpoint: the published method, unless its
`model_index.json` has its own numbers (`sow.checkpoints.spec`). `published-…` and `swift-…` are
the same numbers on every checkpoint.
"""

from __future__ import annotations

from typing import Any

from sow.errors import UsageError

CHECKPOINT_PRESETS = ("normal", "attribute", "style")
"""The presets for which a checkpoint may have its own numbers; `Plan.setting` is one of these."""

# The paper's three tasks (Sec. V): noise in the finish, states that preserve the condition.
PUBLISHED: dict[str, dict[str, Any]] = {
    "normal": {},
    "attribute": {"preserve": (4,), "eta": 0.1},
    "style": {"preserve": (4,), "eta": 1.0},
}
# For the fewest UNet samples: one cycle, the condition planted twice. Chosen on the drawn world by
# likeness, prompt and heads alone; colours and variety suffer.
FAST: dict[str, Any] = {
    "cycles": 1, "condition_guidance_scale": 1.0, "preserve": (4, 3, 2, 1), "rim": (0.02, 0.02),
    "replant": 1, "inversion_stride": 2, "outside_until": 4, "guided_until": 3,
    "first_guided_until": 3, "alpha_minus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
}  # fmt: skip
FAST_EDITABLE: dict[str, Any] = {
    **FAST, "condition_guidance_scale": 3.029, "preserve": (4, 3), "guided_until": 1,
}  # fmt: skip
"""FAST at likeness 0.45, so that the prompt may change the condition."""
SWIFT: dict[str, dict[str, Any]] = {
    "normal": FAST,
    "attribute": {**FAST_EDITABLE, "eta": 0.1},
    # With fresh noise at every step, a first picture that is not guided to its end gets more heads.
    "style": {**FAST_EDITABLE, "eta": 1.0, "first_guided_until": 1},
}
PRESET_CHANGES: dict[str, dict[str, Any]] = {
    **PUBLISHED,
    **{f"published-{name}": changes for name, changes in PUBLISHED.items()},
    **{f"swift-{name}": changes for name, changes in SWIFT.items()},
    # COW's first release: noise in the cycles, inversion with guidance, no modulation. The other
    # differences of that release are in the benchmark's method `cow-release`.
    "cow": {
        "planted": "box", "preserve": (4,), "eta": 0.1, "cycle_eta": 1.0,
        "inversion_prompt": "plan", "inversion_guidance_scale": 7.5, "alpha_minus": 0.0,
        "alpha_plus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
    },
    # Nothing is planted: from noise, by the prompt alone.
    "text": {
        "seed_canvas": "none", "inversion": "alone", "cycles": 0, "preserve": (),
        "alpha_minus": 0.0, "alpha_plus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
    },
}  # fmt: skip

# Old names and their old meaning: recipes, plans and manifests may have them.
NO_SKIPPING: dict[str, Any] = {
    "inversion_stride": 1, "outside_until": 1, "guided_until": 1, "first_guided_until": 1,
}  # fmt: skip
"""The UNet is called at every state and for every branch of guidance."""
OLD_PAPER: dict[str, Any] = {
    "planted": "box", "alpha_minus": 0.0, "lambda_c": 0.0, "lambda_d": 0.0, "gate": "none",
}  # fmt: skip
"""The old `paper-` presets: the whole box planted, and only half of the modulation."""
RENAMED_PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    **{f"thorough-{name}": (f"swift-{name}", {**SWIFT[name], **NO_SKIPPING}) for name in SWIFT},
    **{
        f"paper-{name}": (f"published-{name}", {**PUBLISHED[name], **OLD_PAPER})
        for name in PUBLISHED
    },
}
"""Old name: (new name, changes). Pictures by the new name are not the same."""

# At each of these likenesses one more state of the finish preserves the condition, the first
# near its start, the last near the clean picture.
PRESERVE_THRESHOLDS = (0.05, 0.35, 0.6, 0.85)


def likeness_settings(likeness: float, guidance_scale: float, t1: int) -> dict[str, Any]:
    """Return the settings for a likeness: `condition_guidance_scale`, `preserve`, `guided_until`.

    If all states preserve the condition, guidance near the clean picture cannot change it; if fewer
    do, this guidance is what applies the prompt to the condition.

    Raises:
        UsageError: if the likeness is not a number from 0 to 1.
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
            state
            for state, threshold in zip(states, PRESERVE_THRESHOLDS, strict=True)
            if value >= threshold
        )),
        "guided_until": t1 // 2 + 1 if value >= PRESERVE_THRESHOLDS[-1] else 1,
    }  # fmt: skip


STATES = ("t1", "t2", "outside_until", "guided_until", "first_guided_until")
"""Settings that are states, besides `preserve`; 1 is every state, however many there are."""


def steps_settings(number: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings with another number of steps, and every state where its noise was.

    With twice the steps, states 5 and 7 are 10 and 14: the cycles keep their levels of noise and
    take twice as many steps.

    Raises:
        UsageError: if it is not a whole number from 2 to 1000.
    """
    text = str(number).removesuffix(".0")
    if not (text.isdecimal() and 2 <= int(text[:9]) <= 1000):
        raise UsageError(f"num_inference_steps={number!r}", "give a whole number from 2 to 1000")
    steps = int(text)
    ratio = steps / settings["steps"]
    moved = {name: settings[name] for name in STATES}
    moved |= {name: max(1, round(state * ratio)) for name, state in moved.items() if state > 1}
    moved["t2"] = min(steps, max(moved["t2"], moved["t1"] + 1))
    moved["t1"] = min(moved["t1"], moved["t2"] - 1)
    preserve = [min(moved["t1"], max(1, round(state * ratio))) for state in settings["preserve"]]
    return {
        "steps": steps,
        **moved,
        "preserve": tuple(dict.fromkeys(preserve)),
        "layout_steps": round(settings["layout_steps"] * ratio),
    }
