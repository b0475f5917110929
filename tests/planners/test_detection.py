"""From maps to boxes, and from boxes to relations."""

from __future__ import annotations

import numpy as np
import pytest

from sow.plan.box import Box
from sow.planners.graph.detection import (
    HEAD,
    DetectedObject,
    box_from_heat,
    consistent_boxes,
    detect_objects,
    find_duplicates,
    phrase_queries,
    relation_holds,
)
from sow.planners.graph.predicates import predicates

CANVAS = (128, 96)


def sight(x: int, y: int, width: int, height: int, body: Box | None = None) -> DetectedObject:
    return DetectedObject("it", Box(x=x, y=y, width=width, height=height), body)


def bump(across: float, down: float, wide: float = 1.5, high: float = 1.0) -> np.ndarray:
    """A map of 12 x 16 cells with a hill at a place, in cells."""
    ys, xs = np.mgrid[:12, :16] + 0.5
    return high * np.exp(-((xs - across) ** 2 + (ys - down) ** 2) / (2 * wide**2))


SOMEBODY = sight(48, 16, 32, 32, Box(x=40, y=48, width=48, height=48))


def test_a_box_is_round_the_highest_hill_and_not_round_a_lower_one():
    heat = bump(4, 4) + bump(13, 9, high=0.6)
    box = box_from_heat(heat, CANVAS)
    assert box.centre == pytest.approx((32, 32), abs=4)
    assert 20 <= box.width <= 48
    assert box.right < 80


def test_of_a_flat_map_there_is_a_box_too():
    assert box_from_heat(np.zeros((12, 16)), CANVAS).is_inside(CANVAS)


def test_somebody_is_found_by_head_and_body_and_things_beside_others():
    labels, pairs = ("woman", "dog", "tree"), [frozenset(("woman", "dog"))]
    asked = phrase_queries(labels, pairs)
    assert [phrases for _, phrases in asked] == [(*HEAD, "coat"), ("woman", "dog"), ("tree",)]
    assert asked[1][0] == "woman is near dog"
    maps = [[bump(8, 3), bump(8, 4), bump(8, 9)], [bump(1, 1), bump(3, 9)], [bump(14, 6)]]
    seen = detect_objects(labels, asked, maps, CANVAS)
    assert seen["woman"].box.centre == pytest.approx((64, 28), abs=5)  # not where "woman" is hot
    assert seen["woman"].body.centre[1] > 60
    assert seen["dog"].box.centre == pytest.approx((24, 72), abs=5)
    assert seen["tree"].body is None


@pytest.mark.parametrize(
    ("name", "one", "other", "expected"),
    [
        ("left of", sight(0, 40, 20, 20), sight(60, 30, 20, 20), True),
        ("right of", sight(0, 40, 20, 20), sight(60, 30, 20, 20), False),
        ("left of", sight(40, 0, 20, 20), sight(50, 60, 20, 20), False),  # rather above it
        ("above", sight(40, 0, 20, 20), sight(50, 60, 20, 20), True),
        ("below", sight(40, 0, 20, 20), sight(50, 60, 20, 20), False),
        ("left of", sight(4, 70, 24, 24), SOMEBODY, True),
        ("left of", sight(50, 70, 24, 24), SOMEBODY, False),  # in front of their body
        ("right of", SOMEBODY, sight(4, 70, 24, 24), True),
        ("near", sight(0, 0, 20, 20), sight(26, 0, 20, 20), True),
        ("near", sight(0, 0, 20, 20), sight(90, 70, 20, 20), False),
        ("holding", SOMEBODY, sight(22, 60, 18, 18), True),
        ("holding", SOMEBODY, sight(0, 0, 18, 18), False),
        ("wearing", SOMEBODY, sight(46, 2, 36, 20), True),
        ("wearing", SOMEBODY, sight(22, 60, 18, 18), False),
        ("on", sight(40, 20, 20, 20), sight(30, 42, 40, 30), True),
        ("on", sight(30, 42, 40, 30), sight(40, 20, 20, 20), False),
        ("in", sight(40, 50, 10, 10), sight(30, 42, 40, 30), True),
        ("behind", sight(40, 50, 10, 10), sight(30, 42, 40, 30), None),
    ],
)
def test_what_can_be_seen_of_a_relation(name, one, other, expected):
    assert relation_holds(predicates()[name], one, other, CANVAS) is expected


def test_boxes_and_sides_agree_and_little_is_cut():
    seen = {"dog": sight(0, 60, 44, 30), "woman": SOMEBODY, "sun": sight(90, 0, 20, 20)}
    boxes, sides = consistent_boxes(seen)
    assert ("dog", "left of", "woman") in sides
    assert boxes["dog"].right <= SOMEBODY.full_box.x  # a few pixels were cut
    assert boxes["dog"].width >= 44 * 2 / 3
    assert boxes["woman"] == SOMEBODY.box
    for one, side, other in sides:
        first, second = (one, other) if side in ("left of", "above") else (other, one)
        ends = ("right", "x") if side in ("left of", "right of") else ("bottom", "y")
        assert getattr(boxes[first], ends[0]) <= getattr(boxes[second], ends[1])


def test_of_two_that_lie_over_each_other_nothing_is_said():
    boxes, sides = consistent_boxes({"ball": sight(10, 10, 30, 30), "box": sight(20, 12, 30, 30)})
    assert sides == []
    assert boxes["ball"].width == 30


def test_two_names_in_one_place_are_one_thing():
    seen = {"ball": sight(10, 10, 30, 30), "egg": sight(12, 12, 30, 30), "box": sight(80, 0, 9, 9)}
    assert find_duplicates(seen, {"ball": 0.4, "egg": 0.1, "box": -0.5}) == {"egg"}
