"""The judge: what it says of drawings whose truth is known, and the statistics of a study."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from sow.benchmarks.figures.judge import accuracy
from sow.benchmarks.figures.judge.anatomy import DetectedThing, find_heads, find_things
from sow.benchmarks.figures.judge.classes import FACE, PARTS, SHADES
from sow.benchmarks.figures.judge.data import looks_of, truth_maps
from sow.benchmarks.figures.judge.judge import SAME_PERSON, WEIGHTS, Judge, distance
from sow.benchmarks.figures.judge.relations import answers, between_things
from sow.benchmarks.figures.world.captions import Caption
from sow.benchmarks.figures.world.drawing import TESTING, identity_of, make, portrait
from sow.plan.box import Box, gap

FIRST = TESTING + 9_500_000


@pytest.fixture(scope="module")
def drawings():
    return [make(FIRST + n) for n in range(120)]


@pytest.fixture(scope="module")
def judge():
    return Judge.load()


@pytest.fixture(scope="module")
def verdicts(judge, drawings):
    return judge.look([drawing.image for drawing in drawings])


def test_the_judge_is_small():
    assert WEIGHTS.stat().st_size <= 5e6


def test_it_reads_what_was_drawn(verdicts, drawings):
    pixels = [
        (truth_maps(d)[0] == v.classes).mean() for d, v in zip(drawings, verdicts, strict=True)
    ]
    assert np.mean(pixels) > 0.96
    scenes = [
        v.picture_labels["scene"] == d.spec.scene for d, v in zip(drawings, verdicts, strict=True)
    ]
    assert np.mean(scenes) > 0.95
    people = [
        v.persons == (d.spec.person is not None) for d, v in zip(drawings, verdicts, strict=True)
    ]
    assert np.mean(people) > 0.97


def test_what_captions_say_of_drawings_is_seen_in_them(verdicts, drawings):
    right: dict[str, list[bool]] = {}
    for drawing, verdict in zip(drawings, verdicts, strict=True):
        for name, value in answers(verdict, drawing.caption.mentions).items():
            right.setdefault(name, []).append(value)
    rates = {name: float(np.mean(values)) for name, values in right.items()}
    for name in ("scene", "clothing_colour", "hair_colour", "thing", "thing_colour"):
        assert rates[name] > 0.9, rates
    assert rates["relation"] > 0.85, rates


def test_what_is_not_so_is_not_seen(verdicts, drawings):
    """Every drawing held to the caption of another: far fewer things are right."""
    wrong: list[bool] = []
    for n, verdict in enumerate(verdicts):
        caption: Caption = drawings[(n + 7) % len(drawings)].caption
        told = {
            k: v for k, v in caption.mentions.items() if k in ("scene", "thing", "clothing_colour")
        }
        wrong += answers(verdict, told).values()
    assert np.mean(wrong) < 0.35


def test_whole_people_are_whole_and_broken_ones_truncated(judge):
    lines = {line.what: line.value for line in accuracy_lines(judge)}
    for value in lines.values():
        assert float(value.split(" %")[0]) > 85, lines


def accuracy_lines(judge):
    before, accuracy.IDENTITIES = accuracy.IDENTITIES, 40
    try:
        return accuracy.read_truncation(judge)
    finally:
        accuracy.IDENTITIES = before


def test_the_same_person_is_nearer_than_strangers(judge):
    sides = [
        judge.embed(
            [portrait(identity_of(TESTING + 7_500_000 + n), 50 * turn + n).image for n in range(40)]
        )
        for turn in (1, 2)
    ]
    pairs = [(a, b) for a, b in zip(*sides, strict=True) if a is not None and b is not None]
    assert len(pairs) >= 38
    same = np.array([distance(a, b) for a, b in pairs])
    other = np.array([distance(pairs[n][0], pairs[n - 1][1]) for n in range(len(pairs))])
    assert (same < SAME_PERSON).mean() > 0.9
    assert (other >= SAME_PERSON).mean() > 0.9
    assert np.allclose([np.linalg.norm(a) for a, _ in pairs], 1, atol=1e-5)


def test_the_head_where_one_was_planted_comes_first(judge):
    """Two heads: whichever is asked for is the one that is read."""
    left = portrait(identity_of(1), 3, width=40)
    right = portrait(identity_of(2), 4, width=40)
    page = np.full((128, 128, 3), 220, np.uint8)
    boxes = []
    for drawing, x in ((left, 4), (right, 68)):
        head = drawing.head
        assert head is not None
        crop = drawing.image.crop(head.corners).resize((52, 60))
        page[20:80, x : x + 52] = np.asarray(crop)
        boxes.append(Box(x=x, y=20, width=52, height=60))
    image = Image.fromarray(page)
    verdicts = judge.look([image, image], planted=boxes)
    assert verdicts[0].heads[0].box.centre[0] < 64 < verdicts[1].heads[0].box.centre[0]
    assert verdicts[0].persons == 2
    assert verdicts[0].truncated


def test_a_larger_picture_is_read_like_a_small_one(judge, drawings):
    drawing = drawings[0]
    large = drawing.image.resize((512, 512), Image.Resampling.BICUBIC)
    one, other = judge.look([drawing.image, large])
    assert (one.classes == other.classes).mean() > 0.97
    assert one.picture_labels["scene"] == other.picture_labels["scene"]


def canvas(**parts: tuple[int, int, int, int]) -> np.ndarray:
    """Class numbers with rectangles (left, top, right, bottom) of parts."""
    classes = np.zeros((128, 128), np.uint8)
    for name, (left, top, right, bottom) in parts.items():
        classes[top:bottom, left:right] = PARTS.index(name)
    return classes


def test_a_face_and_its_hair_are_one_head_and_crumbs_are_none():
    classes = canvas(hair=(38, 10, 82, 22), face=(40, 22, 80, 60), neck=(52, 60, 68, 66))
    classes[100:104, 100:104] = FACE
    (head,) = find_heads(classes)
    assert head.box.corners == (38, 10, 82, 60)
    assert find_heads(canvas(body=(0, 60, 128, 128))) == ()


def test_things_have_a_kind_a_colour_and_a_box():
    classes = canvas(ball=(10, 10, 30, 30), car=(60, 90, 100, 110))
    shades = np.full((128, 128), SHADES.index("red"), np.uint8)
    shades[80:] = SHADES.index("blue")
    found = {
        thing.kind: (thing.colour, thing.box.corners) for thing in find_things(classes, shades)
    }
    assert found == {"ball": ("red", (10, 10, 30, 30)), "car": ("blue", (60, 90, 100, 110))}


def test_relations_between_things():
    def seen(x: int, y: int) -> DetectedThing:
        return DetectedThing(
            "ball", "red", Box(x=x, y=y, width=20, height=20), np.zeros((1, 1), bool)
        )

    left, right, low = seen(10, 50), seen(80, 52), seen(12, 90)
    assert between_things("left of", left, right)
    assert not between_things("right of", left, right)
    assert between_things("above", left, low)
    assert between_things("below", low, left)
    assert not between_things("near", left, right)
    assert between_things("on", seen(12, 70), low)
    assert gap(left.box, right.box) == 50


def test_the_truth_of_a_drawing_as_the_judge_learns_it():
    drawing = make(FIRST + 500, relation="left of", scene="snow", style="none")
    classes, colours = truth_maps(drawing)
    thing = drawing.spec.things[0]
    where = classes == PARTS.index(thing.kind)
    assert where.sum() == drawing.mask(6).sum() > 0
    assert set(colours[where]) == {SHADES.index(thing.colour)}
    assert looks_of(drawing)[0] == 4  # snow


def test_notes_by_eye_become_a_table(tmp_path):
    path = tmp_path / "notes.json"
    path.write_text(json.dumps({"of": {"heads": 10}, "wrong": {"heads": [3]}}))
    assert accuracy.by_eye(path)[-1].startswith("| heads | 90.0 %")
