"""The paper's ablations as variants of SOW: Tables II (modules), III (attention), IV (cycles).

They change the paper's own presets, with every part of its modulation: what SOW does by itself
plants once more, in one cycle, and has most of these parts switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sow.benchmarks.tv2i.report.grid import Group
from sow.benchmarks.tv2i.report.report import Ablation
from sow.benchmarks.tv2i.running.bench import Entrant
from sow.errors import UsageError
from sow.service.methods import SOW

PAPER: dict[str, Any] = {
    "alpha_minus": 0.3, "alpha_plus": 0.85, "lambda_c": 0.1, "lambda_d": 0.5, "gate": "above",
    "tau": 0.2,
}  # fmt: skip
"""Every part of the paper's modulation (Eq. 6 to 8), as strong as `figures` bore best when it was
tuned; how strong the paper has them is not in its text."""
OFF: dict[str, Any] = {"alpha_minus": 0.0, "alpha_plus": 0.0}
WHOLE = "SOW"
USUAL = (10, 7, 5)
"""The cycles of the paper's presets, and the states between which they go: 700 to 500."""
CYCLES = (USUAL, (10, 9, 7), (10, 8, 4), (10, 5, 3), (5, 7, 5), (20, 7, 5))
NO_WORDS = (
    "Prompt intensification, the last step of the paper's Table II, needs a language model; plans "
    "are made by rules here, which leave the prompt as it is."
)


@dataclass(frozen=True)
class Variants:
    """What is compared, and the table of it.

    Attributes:
        notes: what the table cannot show.
    """

    entrants: tuple[Entrant, ...]
    table: Ablation
    notes: tuple[str, ...] = ()


def variants(name: str, canvas: int) -> Variants:
    """Those of an ablation: modules, attention or cycles.

    canvas: the model's side in pixels.

    Raises:
        UsageError: for another name.
    """
    made = {"modules": lambda: modules(canvas), "attention": attention, "cycles": cycles}
    if name not in made:
        raise UsageError(f"no ablation {name!r}", f"choose one of {', '.join(made)}")
    return made[name]()


def modules(canvas: int) -> Variants:
    """Table II: adaptive position and dynamic attention modulation, one after the other."""
    rows = (
        (variant("without modules", OFF, anywhere_on=canvas), ("✗", "✗")),
        (variant("+ AP", OFF), ("✓", "✗")),
        (variant(WHOLE, {}), ("✓", "✓")),
    )
    table = Ablation("Ablation of the main modules", _groups(rows), WHOLE, ("AP", "DAM"), ("II",))
    return Variants(tuple(one for one, _ in rows), table, (NO_WORDS,))


def attention() -> Variants:
    """Table III: each part of the modulation left out."""
    left_out: dict[str, dict[str, Any]] = {
        "without suppressing": {"alpha_minus": 0.0},
        "without enhancing": {"alpha_plus": 0.0},
        "without temporal decay": {"lambda_c": 0.0},
        "without spatial decay": {"lambda_d": 0.0},
        "without the indicator": {"gate": "none"},
        WHOLE: {},
    }
    rows = tuple((variant(name, change), ()) for name, change in left_out.items())
    table = Ablation("Ablation of dynamic attention modulation", _groups(rows), WHOLE, (), ("III",))
    return Variants(tuple(one for one, _ in rows), table)


def cycles() -> Variants:
    """Table IV: how many cycles, and between which states; 700 to 500 are the states 7 to 5."""
    rows = []
    for number, t2, t1 in CYCLES:
        # What is put back in the finish has to lie below the cycles.
        preserve = {"preserve": [state for state in (4, 3) if state <= t1]} if t1 < 4 else {}
        name = f"{number} cycles, {t2}00 to {t1}00"
        how = {"cycles": number, "t1": t1, "t2": t2, **preserve}
        rows.append((variant(name, how), (str(number), f"{t2}00 to {t1}00")))
    table = Ablation("Cycles, and between which states", _groups(rows), "10 cycles, 700 to 500",
                     ("cycles", "times"), ("A-IV",))  # fmt: skip
    return Variants(tuple(one for one, _ in rows), table)


def variant(name: str, changes: Mapping[str, Any], anywhere_on: int | None = None) -> Entrant:
    """SOW by the paper's preset of a pair's setting, with these changes."""
    settings = tuple({**PAPER, **changes}.items())
    return Entrant(name, SOW, (("preset", "paper-{setting}"),), settings, anywhere_on)


def _groups(rows: Any) -> tuple[Group, ...]:
    return tuple(Group(entrant.name, marks) for entrant, marks in rows)
