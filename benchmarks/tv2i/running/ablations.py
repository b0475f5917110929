"""The paper's ablations as variants of SOW: Tables II (modules), III (attention), A-IV (cycles).

They change the published presets, which have every part of the paper's modulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sow.benchmarks.tv2i.pairs import Pair
from sow.benchmarks.tv2i.running.bench import Entrant
from sow.benchmarks.tv2i.runs import Ablation, Variant
from sow.service.methods import SOW

Worded = Callable[[Pair], str]
"""The sentence of a pair with what its condition shows said behind it."""

OFF: dict[str, Any] = {"alpha_minus": 0.0, "alpha_plus": 0.0}
WHOLE = "SOW by the paper"
"""The published preset, which stands in every table."""
USUAL = (10, 7, 5)
"""The cycles of the paper's presets, and the states between which they go: 700 to 500."""
CYCLES = (USUAL, (10, 9, 7), (10, 8, 4), (10, 5, 3), (5, 7, 5), (20, 7, 5))
STEPS = (
    "AP, adaptive position: a planner says where, here by rules; without it chance does. DAM: "
    "dynamic attention modulation."
)
NO_WORDS = (
    "Prompt intensification, the last step of the paper's Table II, needs a language model; plans "
    "are made by rules here, which leave the prompt as it is."
)
DRAWN_WORDS = (
    "PI, prompt intensification: no language model was asked. What it would say of the planted "
    "head (hair, glasses, beard, age, unless the sentence changes them) is what the head was drawn "
    "by, as a model says it that sees perfectly."
)


@dataclass(frozen=True)
class Variants:
    """The variants of an ablation, and its table."""

    entrants: tuple[Entrant, ...]
    table: Ablation


def modules(canvas: int, worded: Worded | None) -> Variants:
    """Return Table II: adaptive position, attention modulation and prompt intensification,
    added one by one; the last only if `worded` is given."""
    rows = [
        (variant("without modules", OFF, anywhere_on=canvas), ("✗", "✗", "✗")),
        (variant("+ AP", OFF), ("✓", "✗", "✗")),
        (variant(WHOLE, {}), ("✓", "✓", "✗")),
    ]
    if worded is None:
        return _table(
            "the main modules",
            [(one, marks[:2]) for one, marks in rows],
            ("AP", "DAM"),
            "II",
            (STEPS, NO_WORDS),
        )
    rows.append((variant("+ PI", {}, worded=worded), ("✓", "✓", "✓")))
    return _table("the main modules", rows, ("AP", "DAM", "PI"), "II", (STEPS, DRAWN_WORDS))


def attention() -> Variants:
    """Return Table III: each part of the modulation left out."""
    left_out: dict[str, dict[str, Any]] = {
        "without suppressing": {"alpha_minus": 0.0},
        "without enhancing": {"alpha_plus": 0.0},
        "without temporal decay": {"lambda_c": 0.0},
        "without spatial decay": {"lambda_d": 0.0},
        "without the indicator": {"gate": "none"},
        WHOLE: {},
    }
    rows = [(variant(name, change), ()) for name, change in left_out.items()]
    return _table("dynamic attention modulation", rows, (), "III")


def cycles() -> Variants:
    """Return Table A-IV: numbers of cycles and the states between which they run."""
    rows = []
    for number, t2, t1 in CYCLES:
        name = f"{number} cycles, {t2}00 to {t1}00"
        # What is put back in the finish has to lie below the cycles.
        preserve = {"preserve": [state for state in (4, 3) if state <= t1]} if t1 < 4 else {}
        how = {"cycles": number, "t1": t1, "t2": t2, **preserve}
        usual = (number, t2, t1) == USUAL  # the same pictures as in the other tables
        one = variant(WHOLE, {}) if usual else variant(name, how)
        rows.append((one, (str(number), f"{t2}00 to {t1}00")))
    return _table("cycles, and between which states", rows, ("cycles", "times"), "A-IV")


def variant(
    name: str,
    changes: Mapping[str, Any],
    *,
    anywhere_on: int | None = None,
    worded: Worded | None = None,
) -> Entrant:
    """Return SOW with the published preset of a pair's setting and these changes."""
    given = (("preset", "published-{setting}"),)
    return Entrant(name, SOW, given, tuple(changes.items()), anywhere_on, worded)


def _table(
    title: str,
    rows: Sequence[tuple[Entrant, tuple[str, ...]]],
    marks: tuple[str, ...],
    paper: Any,
    notes: tuple[str, ...] = (),
) -> Variants:
    shown = tuple(Variant(method=entrant.name, marks=marks) for entrant, marks in rows)
    table = Ablation(
        title=f"Ablation: {title}",
        rows=shown,
        reference=WHOLE,
        marks=marks,
        paper=(paper,),
        notes=notes,
    )
    return Variants(tuple(one for one, _ in rows), table)
