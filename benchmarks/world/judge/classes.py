"""What the judge can read: the vocabulary of its answers."""

from __future__ import annotations

from sow.benchmarks.world.animals import SPECIES
from sow.benchmarks.world.bodies import GARMENTS, PATTERNS
from sow.benchmarks.world.hats import HATS
from sow.benchmarks.world.mounts import SEATS
from sow.benchmarks.world.people import AGES, BEARDS, COLOURS, EXPRESSIONS, HAIR_STYLES, HAIRS
from sow.benchmarks.world.places import PLACES, SEASONS, TIMES, WEATHERS
from sow.benchmarks.world.quality import FLAWS
from sow.benchmarks.world.styles import STYLES
from sow.benchmarks.world.things import HELD, STANDING

UNKNOWN = -1
"""The answer where there is none."""
NONE = "none"

PARTS = ("other", "face", "hair", "beard", "neck", "glasses", "hat", "clothes", "skin", "animal")
"""Part of each pixel; `skin` is arms and hands."""
OTHER, FACE, HAIR, BEARD, NECK, GLASSES, HAT, CLOTHES, SKIN, ANIMAL = range(len(PARTS))
PART_OF = {
    "face": FACE, "hair": HAIR, "beard": BEARD, "neck": NECK, "glasses": GLASSES, "hat": HAT,
    "clothes": CLOTHES, "arm": SKIN, "hand": SKIN, "body": ANIMAL,
}  # fmt: skip
"""The class of what the renderer calls `person:face`, `person:arm` …"""

KINDS = (NONE, *sorted({*HELD, *STANDING, *SEATS, *SPECIES, *HATS}))
"""Things, animals, seats and hats: what may be in a cell of 8 pixels."""
SHADES = tuple(COLOURS)
"""Names of the colours of cloth, things and hats."""

PICTURE: dict[str, tuple[str, ...]] = {
    "place": tuple(PLACES),
    "time": TIMES,
    "season": SEASONS,
    "weather": WEATHERS,
    "style": (NONE, *STYLES),
    "flaw": (NONE, *FLAWS),
}
"""Answers about a whole picture."""
HEAD: dict[str, tuple[str, ...]] = {
    "expression": EXPRESSIONS,
    "age": AGES,
    "gender": ("man", "woman"),
    "glasses": (NONE, "glasses", "sunglasses"),
    "beard": BEARDS,
    "hair_style": HAIR_STYLES,
    "hair_colour": tuple(HAIRS),
    "hat": (NONE, *HATS),
}
"""Answers about a head."""
BODY: dict[str, tuple[str, ...]] = {
    "garment": GARMENTS,
    "pattern": PATTERNS,
    "colour": SHADES,
}
"""Answers about what somebody wears."""
