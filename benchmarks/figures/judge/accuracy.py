"""How reliable the judge is.

    sow bench study judge

On drawings that it never learnt from: their truth is known. On generated pictures: draws a sheet
of 100 with the verdicts; what a person found wrong on it stands in `judge-by-eye.json`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sow.benchmarks.figures.judge.classes import FIRST_KIND, HEAD, PARTS, PICTURE
from sow.benchmarks.figures.judge.data import looks_of, truth_maps
from sow.benchmarks.figures.judge.judge import SAME_PERSON, Judge, Verdict
from sow.benchmarks.figures.judge.relations import holds
from sow.benchmarks.figures.world.drawing import TESTING, TUNING, Drawing, identity_of, make
from sow.benchmarks.figures.world.layout import PERSON_RELATIONS, THING_RELATIONS
from sow.benchmarks.figures.world.paper import FACE, HAIR, NECK
from sow.benchmarks.figures.world.people import SKINS
from sow.benchmarks.figures.world.scenes import STYLES
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.statistics import mean, rate
from sow.plan.box import iou

PICTURES = 1200
FIRST = TESTING + 8_000_000
IDENTITIES = 300


@dataclass(frozen=True)
class Line:
    """A line of the table: what was measured, and how good it is."""

    what: str
    value: str
    count: int

    def row(self) -> str:
        """Return the line as Markdown."""
        return f"| {self.what} | {self.value} | {self.count} |"


def read_parts(drawings: list[Drawing], verdicts: list[Verdict]) -> list[Line]:
    """Return the share of correct pixels, and the intersection over union of each part."""
    both, either = np.zeros(len(PARTS)), np.zeros(len(PARTS))
    right = []
    for drawing, verdict in zip(drawings, verdicts, strict=True):
        truth, _ = truth_maps(drawing)
        right.append(float((truth == verdict.classes).mean()))
        for part in range(len(PARTS)):
            a, b = truth == part, verdict.classes == part
            both[part] += (a & b).sum()
            either[part] += (a | b).sum()
    shares = both / np.maximum(either, 1)
    lines = [Line("pixels right", f"{np.mean(right):.1%}".replace("%", " %"), len(right))]
    for name, share in zip(PARTS[:FIRST_KIND], shares, strict=False):
        lines.append(Line(f"{name}, intersection over union", f"{share:.3f}", len(right)))
    objects = shares[FIRST_KIND:].mean()
    return [*lines, Line("objects, mean intersection over union", f"{objects:.3f}", len(right))]


def read_looks(drawings: list[Drawing], verdicts: list[Verdict]) -> list[Line]:
    """Return the accuracy of scene, style, clothes, hair, head features and number of people."""
    right: dict[str, list[bool]] = defaultdict(list)
    names = [*verdicts[0].picture_labels, *next(v.looks for v in verdicts if v.looks)]
    choices = {**PICTURE, **HEAD}
    for drawing, verdict in zip(drawings, verdicts, strict=True):
        seen = {**verdict.picture_labels, **verdict.looks}
        for name, answer in zip(names, looks_of(drawing), strict=True):
            if answer >= 0:
                right[name].append(seen.get(name) == choices[name][answer])
        person = drawing.spec.person
        right["number of people"].append(verdict.persons == (person is not None))
        if person is not None and drawing.spec.style != "sketch":
            right["clothing colour"].append(verdict.clothing_colour == person.clothing_colour)
            if person.identity.hair_style != "bald":
                right["hair colour"].append(verdict.hair_colour == person.identity.hair)
    return [Line(name, rate(found).percent(), len(found)) for name, found in right.items()]


def read_things(drawings: list[Drawing], verdicts: list[Verdict]) -> list[Line]:
    """Return how many objects are found (right kind, boxes that overlap by half), how many found
    objects exist, and how many have the right colour."""
    found, coloured, true = [], [], []
    for drawing, verdict in zip(drawings, verdicts, strict=True):
        boxes = [drawing.box(6 + n) for n in range(len(drawing.spec.things))]
        truth = [(t, b) for t, b in zip(drawing.spec.things, boxes, strict=True) if b is not None]
        for thing, box in truth:
            same = [
                seen
                for seen in verdict.things
                if seen.kind == thing.kind and iou(seen.box.corners, box.corners) >= 0.5
            ]
            found.append(bool(same))
            if same and drawing.spec.style != "sketch":
                coloured.append(same[0].colour == thing.colour)
        for seen in verdict.things:
            true.append(
                any(
                    t.kind == seen.kind and iou(seen.box.corners, b.corners) >= 0.5
                    for t, b in truth
                )
            )
    return [
        Line("objects found", rate(found).percent(), len(found)),
        Line("found objects that are there", rate(true).percent(), len(true)),
        Line("object colour", rate(coloured).percent(), len(coloured)),
    ]


def read_relations(drawings: list[Drawing], verdicts: list[Verdict]) -> list[Line]:
    """Return how often true relations are seen, and how often false ones."""
    seen: dict[str, list[bool]] = defaultdict(list)
    wrong: list[bool] = []
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    for drawing, verdict in zip(drawings, verdicts, strict=True):
        spec = drawing.spec
        if spec.relation is None:
            continue
        claims = {"thing": spec.things[0].kind, "relation": spec.relation}
        if len(spec.things) > 1:
            claims["other_thing"] = spec.things[1].kind
        seen[spec.relation].append(holds(verdict, claims))
        if spec.relation in opposite:
            wrong.append(holds(verdict, {**claims, "relation": opposite[spec.relation]}))
        elif spec.person is not None and spec.relation == "near":
            wrong.append(holds(verdict, {**claims, "relation": "holding"}))
    order = dict.fromkeys((*PERSON_RELATIONS, *THING_RELATIONS))
    lines = [Line(f'"{name}" seen', rate(seen[name]).percent(), len(seen[name])) for name in order]
    return [*lines, Line("the opposite seen instead", rate(wrong).percent(), len(wrong))]


def broken(drawing: Drawing, other: Drawing, how: str) -> Image.Image:
    """Return a drawing whose head no longer has its body.

    how: "floating" puts the head alone into another picture, "no neck" paints the neck over
    with what is beside it, "other skin" gives the neck a skin far from the face's.
    """
    pixels = np.asarray(drawing.image).copy()
    if how == "floating":
        ground = np.asarray(other.image).copy()
        head = drawing.mask(FACE, HAIR)
        ground[head] = pixels[head]
        return Image.fromarray(ground)
    neck = drawing.mask(NECK)
    if how == "no neck":
        rows = np.flatnonzero(neck.any(1))
        wall = pixels[int(rows[0]), 0 if neck[:, :64].sum() < neck[:, 64:].sum() else 127]
        pixels[neck] = wall
        return Image.fromarray(pixels)
    assert drawing.spec.person is not None
    skin = drawing.spec.person.identity.skin
    colour = np.array(SKINS[(skin + 3) % 6], float) * 0.86
    pixels[neck] = colour.astype(np.uint8)
    return Image.fromarray(pixels)


def read_truncation(judge: Judge, style: str = "none") -> list[Line]:
    """Return how often intact people are called intact, and broken ones truncated."""
    intact: list[Image.Image] = []
    pictures: dict[str, list[Image.Image]] = defaultdict(list)
    number = FIRST + 1_000_000
    while len(intact) < IDENTITIES:
        drawing = make(number, identity=identity_of(number + 300_000), things=(), style=style)
        ground = make(number + 500_000)
        number += 1
        if drawing.mask(NECK).sum() < 30 or ground.spec.person is not None:
            continue
        intact.append(drawing.image)
        for how in ("floating", "no neck", *["other skin"] * (style == "none")):
            pictures[how].append(broken(drawing, ground, how))
    kind = "" if style == "none" else f" ({style})"
    calls = [not verdict.truncated for verdict in judge.look(intact)]
    lines = [Line(f"whole people called whole{kind}", rate(calls).percent(), len(calls))]
    for how, images in pictures.items():
        calls = [verdict.truncated for verdict in judge.look(images)]
        lines.append(Line(f"{how}: called truncated{kind}", rate(calls).percent(), len(calls)))
    return lines


def distances(judge: Judge, first: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the distances of two pictures each of IDENTITIES people: within one person, and
    between different people.

    One of the two is before a plain wall, as conditions are, the other anywhere.
    """
    people = [identity_of(first + n) for n in range(IDENTITIES)]
    plain = [
        make(first + 300_000 + n, identity=who, things=(), style="none", scene="plain").image
        for n, who in enumerate(people)
    ]
    free = [
        make(first + 400_000 + n, identity=who, style="none").image for n, who in enumerate(people)
    ]
    found = zip(judge.embed(plain), judge.embed(free), strict=True)
    both = [(a, b) for a, b in found if a is not None and b is not None]
    one, two = np.stack([a for a, _ in both]), np.stack([b for _, b in both])
    table = np.linalg.norm(one[:, None] - two[None], axis=-1)
    return np.diag(table), table[~np.eye(len(both), dtype=bool)]


def read_identity(judge: Judge) -> list[Line]:
    """Return the accuracy of identities. The threshold of equal error rates is measured on one set
    of people, its errors on another."""
    same, different = distances(judge, TUNING + 5_000_000)
    steps = np.linspace(0, 2, 401)
    missed = np.array([(same >= t).mean() for t in steps])
    fooled = np.array([(different < t).mean() for t in steps])
    at = float(steps[int(np.abs(missed - fooled).argmin())])
    same, different = distances(judge, TESTING + 7_000_000)
    area = float((same[:, None] < different[None]).mean())
    wrong = float((different < SAME_PERSON).mean())
    return [
        Line("threshold at equal errors, people for tuning", f"{at:.3f}", len(same)),
        Line("threshold in use", f"{SAME_PERSON:.3f}", len(same)),
        Line("distance, same person", mean(list(same)).number(), len(same)),
        Line("distance, different people", f"{different.mean():.3f}", len(different)),
        Line("area under the curve", f"{area:.4f}", len(different)),
        Line(
            "same person passes", rate([bool(d < SAME_PERSON) for d in same]).percent(), len(same)
        ),
        Line("different people pass", f"{100 * wrong:.2f} %", len(different)),
    ]


def table(judge: Judge, count: int = PICTURES) -> list[Line]:
    """Return all lines of the table."""
    numbers = bar(range(FIRST, FIRST + count), "drawings")
    drawings = [make(number) for number in numbers]
    verdicts = judge.look([drawing.image for drawing in drawings])
    return [
        *read_parts(drawings, verdicts),
        *read_looks(drawings, verdicts),
        *read_things(drawings, verdicts),
        *read_relations(drawings, verdicts),
        *(line for style in STYLES for line in read_truncation(judge, style)),
        *read_identity(judge),
    ]


def by_eye(path: Path) -> list[str]:
    """Return what a person found wrong among the verdicts on a sheet, as a table."""
    notes = json.loads(path.read_text(encoding="utf-8"))
    lines = ["| verdict | right by eye | of |", "|---|---|---|"]
    for verdict, wrong in notes["wrong"].items():
        count = notes["of"][verdict]
        right = [True] * (count - len(wrong)) + [False] * len(wrong)
        lines.append(f"| {verdict} | {rate(right).percent()} | {count} |")
    return lines


def checked(name: str) -> list[str]:
    """Return the table of a committed sheet; empty if it is missing, as in an installed package."""
    notes = Path(__file__).parent / "results" / f"{name}.json"
    if not notes.exists():
        return []
    return [
        "",
        "## On 100 generated pictures, checked by eye",
        "",
        *by_eye(notes),
        "",
        f"The sheet with the verdicts is `{name}.png`.",
    ]


def study(output: StudyOutput, *, judge: Path | None, count: int) -> None:
    """Write `judge.md`."""
    output.check_output_path("judge.md")
    eye = Judge.load(judge) if judge else Judge.load()
    lines = [
        "# How far the judge can be trusted",
        "",
        f"`{output.command}`; intervals are 95 %.",
        "",
        f"## On {count} drawings it never saw",
        "",
        "| | | of |",
        "|---|---|---|",
        *(line.row() for line in table(eye, count)),
    ]
    output.write_page("judge.md", [*lines, *checked("judge-by-eye")])
