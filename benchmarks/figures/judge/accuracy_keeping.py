"""How reliable the judge is about what became of a head, on drawings it never saw.

sow bench study judge-keeping
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from sow.benchmarks.figures.judge.accuracy import checked
from sow.benchmarks.figures.judge.anatomy import grown
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.judge.planted_head import Planted, has_halo, is_sticker, kept_parts
from sow.benchmarks.figures.world.drawing import (
    TESTING,
    Drawing,
    identity_of,
    make,
    square_around,
)
from sow.benchmarks.figures.world.paper import BACKGROUND, FACE, HAIR, NECK
from sow.benchmarks.figures.world.people import SKINS, Identity
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.statistics import rate

FIRST = TESTING + 12_000_000
PEOPLE = 300
APART = 60
"""A wall this far from the scene behind a head, in some channel, is seen by everybody."""

Row = tuple[str, str, int]


@dataclass(frozen=True)
class Case:
    """A drawing of a person with a fully visible neck."""

    number: int
    drawing: Drawing

    @property
    def planted(self) -> Planted:
        """The head, as if it had been planted where it is."""
        drawing = self.drawing
        assert drawing.head is not None
        assert drawing.spec.person is not None
        box = square_around(drawing.head, 0.08)
        mask = drawing.mask(FACE, HAIR)
        return Planted(np.asarray(drawing.image), mask, box, drawing.spec.person.identity)


def cases(count: int) -> Iterator[Case]:
    """Yield unseen people, in colour."""
    number = FIRST
    while count:
        drawing = make(number, identity=identity_of(number + 300_000), things=(), style="none")
        if drawing.mask(NECK).sum() >= 30:
            count -= 1
            yield Case(number, drawing)
        number += 1


def walled(case: Case) -> Image.Image | None:
    """Return the drawing with a pale wall round its head; None if the scene resembles a wall."""
    pixels, planted = np.asarray(case.drawing.image).copy(), case.planted
    wall = np.array([(233, 226, 240), (226, 236, 226), (240, 232, 222)][case.number % 3])
    around = grown(planted.mask, 11)
    around &= case.drawing.mask(BACKGROUND)
    around[planted.box.y + round(0.8 * planted.box.height) :] = False
    if np.abs(pixels[around].astype(int) - wall).max(-1).mean() < APART:
        return None
    soft = cv2.GaussianBlur(around.astype(float), (9, 9), 1.0)[..., None] * around[..., None]
    return Image.fromarray((pixels * (1 - soft) + wall * soft).astype(np.uint8))


def with_neck(case: Case, skin: int) -> Image.Image:
    """Return the drawing with a neck of another skin colour."""
    pixels = np.asarray(case.drawing.image).copy()
    pixels[case.drawing.mask(NECK)] = (np.array(SKINS[skin]) * 0.86).astype(np.uint8)
    return Image.fromarray(pixels)


def read_keeping(judge: Judge, count: int = PEOPLE) -> list[Row]:
    """Return rows of question, share of right answers and count."""
    people = list(cases(count))
    return [*_halo(judge, people), *_necks(judge, people), *_parts(judge, people)]


def _halo(judge: Judge, people: list[Case]) -> list[Row]:
    clean = judge.look([case.drawing.image for case in people], [c.planted.box for c in people])
    pairs = [(case, image) for case in people if (image := walled(case)) is not None]
    stuck = judge.look([image for _, image in pairs], [case.planted.box for case, _ in pairs])
    return [
        _row(
            "no halo: none called",
            [not has_halo(v, c.planted) for v, c in zip(clean, people, strict=True)],
        ),
        _row(
            "a wall left round the head: called halo",
            [has_halo(v, c.planted) for v, (c, _) in zip(stuck, pairs, strict=True)],
        ),
    ]


def _necks(judge: Judge, people: list[Case]) -> list[Row]:
    """Return rows for heads on their own neck, on one a shade off, and on one of another skin."""
    rows = []
    for name, step, wanted in (
        ("head on its own neck: not called unjoined or sticker", 0, False),
        ("neck a shade off: not called", 1, False),
        ("neck three shades off: called", 3, True),
    ):
        images, chosen = [], []
        for case in people:
            skin = case.planted.who.skin
            other = skin + step if skin + step < len(SKINS) else skin - step
            if other < 0:
                continue
            images.append(with_neck(case, other) if step else case.drawing.image)
            chosen.append(case)
        verdicts = judge.look(images, [case.planted.box for case in chosen])
        rows.append(_row(f"{name}, neck", [v.unjoined == wanted for v in verdicts]))
        calls = [is_sticker(v, c.planted) == wanted for v, c in zip(verdicts, chosen, strict=True)]
        rows.append(_row(f"{name}, sticker", calls))
    return rows


def _parts(judge: Judge, people: list[Case]) -> list[Row]:
    """Return rows for glasses and beards that are still there or were removed."""
    rows = []
    for part in ("glasses", "beard"):
        having = [case for case in people if getattr(case.planted.who, part)]
        without = [
            make(c.number, identity=_without(c.planted.who, part), things=(), style="none").image
            for c in having
        ]
        for name, images, wanted in (
            (f"{part} there: called kept", [case.drawing.image for case in having], True),
            (f"{part} taken off: called lost", without, False),
        ):
            verdicts = judge.look(images, [case.planted.box for case in having])
            calls = [
                kept_parts(v.looks, c.planted.who).get(part) == wanted
                for v, c in zip(verdicts, having, strict=True)
            ]
            rows.append(_row(name, calls))
    return rows


def _without(who: Identity, part: str) -> Identity:
    return replace(who, glasses=False) if part == "glasses" else replace(who, beard=False)


def _row(name: str, right: list[bool]) -> Row:
    return name, rate(right).percent(), len(right)


def study(output: StudyOutput, *, count: int) -> None:
    """Write `keeping.md`."""
    output.check_output_path("keeping.md")
    rows = read_keeping(Judge.load(), count)
    lines = [
        "# What became of a planted head: how far the judge can be trusted",
        "",
        f"`{output.command}`; {count} people nobody has seen, 95 % intervals.",
        "",
        "| | right | of |",
        "|---|---|---|",
        *(f"| {' | '.join(map(str, row))} |" for row in rows),
    ]
    output.write_page("keeping.md", [*lines, *checked("keeping-by-eye")])
