"""Drawings with their truth, as training data for the judge."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sow.benchmarks.figures.judge.classes import (
    FIRST_KIND,
    HEAD,
    NO_COLOUR,
    PICTURE,
    SHADES,
    UNKNOWN,
)
from sow.benchmarks.figures.world.drawing import JUDGING, Drawing, identity_of, make
from sow.benchmarks.figures.world.paper import BODY, FACE, HAIR, OTHER_THING, THING
from sow.benchmarks.figures.world.things import KINDS

CHUNK = 120
TWINS = 3
"""How many pictures there are of each identity."""


@dataclass
class Lessons:
    """Pictures with their labels.

    pictures: uint8 (N, 128, 128, 3); classes, colours: uint8 (N, 128, 128), numbers of PARTS and
    SHADES; looks: int8 (N, 10), answers to PICTURE and HEAD in their order, -1 where there is
    none; heads: int16 (N, 4), left, top, right, bottom, all 0 without a head; who: int32 (N,).
    """

    pictures: NDArray[np.uint8]
    classes: NDArray[np.uint8]
    colours: NDArray[np.uint8]
    looks: NDArray[np.int8]
    heads: NDArray[np.int16]
    who: NDArray[np.int32]


def truth_maps(drawing: Drawing) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the class and the colour of every pixel, (128, 128) each."""
    spec = drawing.spec
    classes = drawing.parts.copy()
    colours = np.full_like(classes, NO_COLOUR)
    for part, thing in zip((THING, OTHER_THING), spec.things, strict=False):
        where = drawing.mask(part)
        classes[where] = FIRST_KIND + KINDS.index(thing.kind)
        colours[where] = SHADES.index(thing.colour)
    if spec.person is not None:
        colours[drawing.mask(HAIR)] = SHADES.index(spec.person.identity.hair)
        colours[drawing.mask(BODY)] = SHADES.index(spec.person.clothing_colour)
    if spec.style == "sketch":
        colours[:] = NO_COLOUR
    return classes, colours


def looks_of(drawing: Drawing) -> list[int]:
    """Return the answers to PICTURE and HEAD, in their order."""
    spec, person = drawing.spec, drawing.spec.person
    answers: dict[str, str] = {"scene": spec.scene, "style": spec.style}
    if person is not None:
        identity = person.identity
        answers |= {
            "clothing": person.clothing,
            "expression": person.pose.expression,
            "age": identity.age,
            "glasses": "yes" if identity.glasses else "no",
            "beard": "yes" if identity.beard else "no",
            "gender": "woman" if identity.woman else "man",
            "hair_style": identity.hair_style,
        }
        if spec.style != "sketch" and identity.hair_style != "bald":
            answers["hair_colour"] = identity.hair
    return [
        choices.index(answers[name]) if name in answers else UNKNOWN
        for name, choices in {**PICTURE, **HEAD}.items()
    ]


def lesson(number: int, start: int = JUDGING) -> tuple[Drawing, int]:
    """Return the drawing of a number and its person: a third are random, the rest in triples."""
    if number % CHUNK < CHUNK // 3:
        return make(start + number), -1 - number
    who = number // TWINS
    return make(start + number, identity=identity_of(start + 5_000_000 + who)), who


def _lesson_chunk(first: int) -> tuple[int, list[tuple[object, ...]]]:
    rows: list[tuple[object, ...]] = []
    for number in range(first, first + CHUNK):
        drawing, who = lesson(number)
        head = drawing.box(FACE, HAIR)
        corners = head.corners if head is not None and drawing.mask(FACE).any() else (0, 0, 0, 0)
        rows.append(
            (np.asarray(drawing.image), *truth_maps(drawing), looks_of(drawing), corners, who)
        )
    return first, rows


def make_lessons(count: int) -> Lessons:
    """Draw the lessons, `count` a multiple of 120; the same count gives the same lessons."""
    lessons = Lessons(
        np.empty((count, 128, 128, 3), np.uint8),
        np.empty((count, 128, 128), np.uint8),
        np.empty((count, 128, 128), np.uint8),
        np.empty((count, len(PICTURE) + len(HEAD)), np.int8),
        np.empty((count, 4), np.int16),
        np.empty(count, np.int32),
    )
    stores = list(vars(lessons).values())
    with Pool() as pool, tqdm(total=count, desc="lessons", disable=None) as bar:
        for first, rows in pool.imap_unordered(_lesson_chunk, range(0, count, CHUNK)):
            for offset, row in enumerate(rows):
                for store, value in zip(stores, row, strict=True):
                    store[first + offset] = value
            bar.update(CHUNK)
    return lessons


def load_lessons(folder: Path, count: int) -> Lessons:
    """Return the lessons: drawn the first time, then read from `lessons.npz`."""
    path = folder / "lessons.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **vars(make_lessons(count)))
    with np.load(path, allow_pickle=False) as file:
        return Lessons(**{key: file[key] for key in file.files})
