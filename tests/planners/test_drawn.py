"""The detector of drawn faces, on people it was not trained on."""

from __future__ import annotations

import pytest
from PIL import Image
from skimage import data

from sow.benchmarks.figures.training.face_lessons import PHOTOGRAPHS, face_of
from sow.benchmarks.figures.world.drawing import TESTING, head_crop, make
from sow.plan.box import Box, iou
from sow.planners.offline.drawn_faces import find_drawn_faces

SEEDS = range(TESTING + 7_000_000, TESTING + 7_000_060)


def share(one: Box, other: tuple[float, float, float, float]) -> float:
    x, y, width, height = other
    return iou(one.corners, (x - width / 2, y - height / 2, x + width / 2, y + height / 2))


def test_drawn_people_are_found_where_they_are_and_nobody_else_is():
    found = missed = invented = 0
    for seed in SEEDS:
        drawing = make(seed)
        boxes = find_drawn_faces(drawing.image)
        true = [] if drawing.spec.person is None else [face_of(drawing.spec.person)]
        hits = [box for box in boxes if any(share(box, face) > 0.5 for face in true)]
        found, missed = found + len(hits), missed + len(true) - len(hits)
        invented += len(boxes) - len(hits)
    assert found > 35
    assert missed + invented <= 1


@pytest.mark.parametrize("size", [48, 128, 500])
def test_heads_that_fill_a_picture_are_found_at_any_size(size):
    seeds = [seed for seed in SEEDS if make(seed).spec.person is not None][:20]
    crops = [head_crop(make(seed)).resize((size, size)) for seed in seeds]
    assert sum(len(find_drawn_faces(crop)) == 1 for crop in crops) >= 19


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "astronaut"])
def test_photographs_hold_no_drawn_faces(name):
    """None of these four was seen in training."""
    assert name not in PHOTOGRAPHS
    picture = Image.fromarray(getattr(data, name)()).convert("RGB")
    assert find_drawn_faces(picture) == []


def test_faces_come_the_largest_first_in_the_pictures_own_pixels():
    one, other = (make(seed, scene="plain", things=()).image for seed in SEEDS[:2])
    page = Image.new("RGB", (900, 600), (200, 210, 220))
    page.paste(one.resize((320, 320)), (0, 250))
    page.paste(other.resize((560, 560)), (330, 20))
    large, small = find_drawn_faces(page)
    assert large.is_inside(page.size)
    assert large.x > 330
    assert small.right < 320
    assert large.width > 1.3 * small.width
