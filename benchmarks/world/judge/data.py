"""Drawings with their truth, as training data for the judge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from sow.benchmarks.world.hats import COLOURED
from sow.benchmarks.world.judge.classes import (
    BODY,
    HEAD,
    KINDS,
    NONE,
    OTHER,
    PART_OF,
    PICTURE,
    SHADES,
    UNKNOWN,
)
from sow.benchmarks.world.judge.networks import CELL
from sow.benchmarks.world.people import Person, make_identity
from sow.benchmarks.world.processes import shared_by_cores
from sow.benchmarks.world.quality import FLAWS
from sow.benchmarks.world.scenes import SHAPES, Drawing, Scene, draw, make_scene

JUDGING = 40_000_000
"""The first seed of the scenes that the judge learns from."""
TWINS = 3
"""How many pictures there are of each identity."""
CHUNK = 30
LEAST_OF_CELL = 0.2
"""The share of a cell's pixels that something must cover to be named there."""
Corners = tuple[int, int, int, int]


@dataclass(frozen=True)
class Somebody:
    """A person of a picture.

    who: a number of the identity. head, body: left, top, right, bottom in pixels. looks, wears:
    answers to HEAD and BODY, in their order, UNKNOWN where there is none.
    """

    who: int
    head: Corners
    body: Corners
    looks: tuple[int, ...]
    wears: tuple[int, ...]


@dataclass
class Lesson:
    """A picture with its truth.

    pixels: uint8 (H, W, 3); parts: uint8 (H, W), numbers of PARTS; kinds, colours: (H / 8, W / 8),
    numbers of KINDS, and of SHADES or UNKNOWN; answers: to PICTURE, in their order.
    """

    pixels: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    kinds: NDArray[np.int16]
    colours: NDArray[np.int16]
    answers: tuple[int, ...]
    people: tuple[Somebody, ...]


@dataclass
class Lessons:
    """All pictures of one shape; arrays as in `Lesson`, with a first axis of N.

    people: which picture, and who, in the order of the pictures.
    """

    pixels: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    kinds: NDArray[np.int16]
    colours: NDArray[np.int16]
    answers: NDArray[np.int16]
    people: list[tuple[int, Somebody]] = field(default_factory=list)


def lesson_scene(number: int, start: int = JUDGING) -> tuple[Scene, int]:
    """Return the scene of a number, and the identity of its first person: people come in triples.

    Twins look alike in nothing but what stays: hats, clothes, places and expressions differ.
    """
    scene, who = make_scene(start + number), number // TWINS
    if not scene.people:
        return scene, -1
    identity = make_identity(Random(f"judged {start} {who}"))
    first = scene.people[0]
    person = replace(first.person, identity=identity)
    return replace(scene, people=(replace(first, person=person), *scene.people[1:])), who


def lesson(number: int, start: int = JUDGING) -> Lesson:
    """Return the lesson of a number."""
    scene, who = lesson_scene(number, start)
    drawing = draw(scene)
    kinds, colours = cell_maps(drawing)
    people = [
        somebody(drawing, subject.person, who if n == 0 else -1)
        for n, subject in enumerate(scene.people)
    ]
    return Lesson(
        drawing.pixels,
        part_classes(drawing),
        kinds,
        colours,
        _numbers(PICTURE, picture_answers(scene)),
        tuple(one for one in people if one is not None),
    )


def part_classes(drawing: Drawing) -> NDArray[np.uint8]:
    """Return the class of every pixel, (H, W)."""
    table = np.full(len(drawing.parts), OTHER, np.uint8)
    for number, name in enumerate(drawing.parts):
        owner, _, part = name.partition(":")
        if owner.startswith("person"):
            table[number] = PART_OF.get(part, OTHER)
        elif part in ("face", "body"):
            table[number] = PART_OF["body"]
    return table[drawing.part_map]


def cell_maps(drawing: Drawing) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return what is in each cell of 8 pixels, and its colour: (H / 8, W / 8) each."""
    scene = drawing.scene
    kind_of, colour_of = named_parts(scene)
    rows, columns = drawing.part_map.shape[0] // CELL, drawing.part_map.shape[1] // CELL
    kinds = np.zeros((rows, columns), np.int16)
    colours = np.full((rows, columns), UNKNOWN, np.int16)
    most = np.full((rows, columns), LEAST_OF_CELL)
    for number, name in enumerate(drawing.parts):
        kind = kind_of.get(name)
        if kind is None:
            continue
        here = drawing.part_map == number
        share = here.reshape(rows, CELL, columns, CELL).mean((1, 3))
        won = share > most
        kinds[won], most[won] = KINDS.index(kind), share[won]
        colour = colour_of.get(name)
        colours[won] = UNKNOWN if colour is None else SHADES.index(colour)
    return kinds, colours


def named_parts(scene: Scene) -> tuple[dict[str, str], dict[str, str]]:
    """Return the kinds, and the colours where they are known, of the renderer's parts."""
    kinds: dict[str, str] = {}
    colours: dict[str, str] = {}
    for beast in scene.animals:
        kinds |= {f"{beast.name}:{part}": beast.species for part in ("face", "body")}
    for thing in scene.things:
        kinds[f"thing:{thing.thing}"] = thing.thing
        colours[f"thing:{thing.thing}"] = thing.colour
    for subject in scene.people:
        person = subject.person
        if person.seat:
            kinds[f"thing:{person.seat}"] = person.seat
            kinds |= {f"{person.seat}:{part}": person.seat for part in ("face", "body")}
        if person.hat:
            kinds[f"{person.name}:hat"] = person.hat
            if person.hat in COLOURED:
                colours[f"{person.name}:hat"] = person.hat_colour
        for hand in (person.left, person.right):
            if hand is not None and hand.thing:
                kinds[f"thing:{hand.thing}"] = hand.thing
                colours[f"thing:{hand.thing}"] = hand.colour
    if scene.style in ("pencil sketch", "black and white", "pop art", "neon"):
        colours = {}  # these styles have colours of their own
    return {name: kind for name, kind in kinds.items() if kind in KINDS}, colours


def picture_answers(scene: Scene) -> dict[str, str]:
    """Return the answers about a whole picture."""
    finish = scene.quality.finish
    return {
        "place": scene.where.place,
        "time": scene.where.time,
        "season": scene.where.season,
        "weather": scene.where.weather,
        "style": scene.style or NONE,
        "flaw": finish if finish in FLAWS else NONE,
    }


def somebody(drawing: Drawing, person: Person, who: int) -> Somebody | None:
    """Return what is true of a person, or None if too little of the face is seen."""
    named = {
        part: drawing.mask(f"{person.name}:{part}")
        for part in ("face", "hair", "beard", "glasses", "neck", "clothes", "hat")
    }
    if named["face"].sum() < 60:
        return None
    head = named["face"] | named["hair"] | named["beard"] | named["glasses"]
    body = head | named["neck"] | named["clothes"] | named["hat"]
    identity, style = person.identity, drawing.scene.style
    colours = style not in ("pencil sketch", "black and white", "pop art", "neon")
    looks = {
        "expression": person.expression,
        "age": identity.age,
        "gender": "woman" if identity.woman else "man",
        "glasses": identity.glasses,
        "beard": identity.beard,
        "hair_style": identity.hair_style,
        "hat": person.hat or NONE,
    }
    hair_seen = named["hair"].sum() > 0.05 * named["face"].sum()
    if colours and identity.hair_style != "bald" and hair_seen:
        looks["hair_colour"] = identity.hair
    wears = {"garment": person.garment.type, "pattern": person.garment.pattern}
    if colours:
        wears["colour"] = person.garment.colour
    if named["clothes"].sum() < named["face"].sum():
        wears = {}
    return Somebody(
        who, _corners(head), _corners(body), _numbers(HEAD, looks), _numbers(BODY, wears)
    )


def _corners(mask: NDArray[np.bool_]) -> Corners:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _numbers(questions: dict[str, tuple[str, ...]], answers: dict[str, str]) -> tuple[int, ...]:
    return tuple(
        choices.index(answers[name]) if answers.get(name) in choices else UNKNOWN
        for name, choices in questions.items()
    )


def _chunk(first: int) -> list[Lesson]:
    return [lesson(number) for number in range(first, first + CHUNK)]


def draw_lessons(count: int, folder: Path) -> None:
    """Draw the lessons and write them, one file for each shape: `lessons-256x256.npz` …

    count: a multiple of 30; the same count gives the same lessons.
    """
    found: dict[tuple[int, int], list[Lesson]] = {shape: [] for shape in sorted(set(SHAPES))}
    with tqdm(total=count, desc="lessons", disable=None) as bar:
        for lessons in shared_by_cores(_chunk, range(0, count, CHUNK)):
            for one in lessons:
                found[one.pixels.shape[1], one.pixels.shape[0]].append(one)
            bar.update(CHUNK)
    folder.mkdir(parents=True, exist_ok=True)
    for (width, height), lessons in found.items():
        people = [(n, p) for n, one in enumerate(lessons) for p in one.people]
        unfinished = folder / f"lessons-{width}x{height}.part.npz"
        np.savez(
            unfinished,
            pixels=np.array([one.pixels for one in lessons]),
            parts=np.array([one.parts for one in lessons]),
            kinds=np.array([one.kinds for one in lessons]),
            colours=np.array([one.colours for one in lessons]),
            answers=np.array([one.answers for one in lessons]),
            where=np.array([n for n, _ in people]),
            who=np.array([p.who for _, p in people]),
            boxes=np.array([(*p.head, *p.body) for _, p in people]),
            looks=np.array([p.looks for _, p in people]),
            wears=np.array([p.wears for _, p in people]),
        )
        unfinished.rename(folder / f"lessons-{width}x{height}.npz")


def load_lessons(folder: Path) -> Iterator[Lessons]:
    """Yield the lessons of each shape."""
    for path in sorted(folder.glob("lessons-*x*.npz")):
        if path.name.endswith(".part.npz"):
            continue
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        people = [
            (
                int(where),
                Somebody(int(who), tuple(box[:4]), tuple(box[4:]), tuple(looks), tuple(wears)),
            )
            for where, who, box, looks, wears in zip(
                *(arrays.pop(name) for name in ("where", "who")),
                arrays.pop("boxes").tolist(),
                arrays.pop("looks").tolist(),
                arrays.pop("wears").tolist(),
                strict=True,
            )
        ]
        yield Lessons(**arrays, people=people)


__all__ = [
    "JUDGING", "Lesson", "Lessons", "Somebody", "cell_maps", "draw_lessons", "lesson",
    "lesson_scene", "load_lessons", "part_classes", "picture_answers", "somebody",
]  # fmt: skip
