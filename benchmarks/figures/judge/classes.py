"""What the judge can tell apart, in the order of its networks' outputs."""

from __future__ import annotations

from sow.benchmarks.figures.world.people import AGES, CLOTHES, EXPRESSIONS, HAIR_STYLES, HAIRS
from sow.benchmarks.figures.world.scenes import SCENES, STYLES
from sow.benchmarks.figures.world.things import COLOURS, KINDS

BACKGROUND, HAIR, FACE, NECK, BODY, HAND = range(6)
PARTS = ("background", "hair", "face", "neck", "body", "hand", *KINDS)
"""What a pixel can show: the kinds of objects come after the parts of people."""
FIRST_KIND = 6

SHADES = (*COLOURS, "blonde")
"""Names of colours, of clothes, of hair and of objects."""
NO_COLOUR = 255
"""For pixels whose colour has no name in this world: skin, scenery, sketches."""

PICTURE = {"scene": SCENES, "style": STYLES, "clothing": CLOTHES}
"""What is read from a whole picture."""

HEAD = {
    "expression": EXPRESSIONS,
    "age": AGES,
    "glasses": ("no", "yes"),
    "beard": ("no", "yes"),
    "gender": ("man", "woman"),
    "hair_style": HAIR_STYLES,
    "hair_colour": tuple(HAIRS),
}
"""What is read from a head."""

UNKNOWN = -1
"""For what a picture does not show: the clothing of a picture without people, say."""
