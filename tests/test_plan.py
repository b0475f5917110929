"""Boxes, plans and settings: what is legal, and what happens to what is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sow.box import Box
from sow.errors import PlanError, UsageError
from sow.plan import Plan
from sow.settings import PRESETS, Settings

GOOD = {"canvas": [512, 512], "prompt": "a king", "box": [100, 40, 216, 216]}
sides = st.integers(8, 2048)
numbers = st.integers(-4000, 4000)
boxes = st.builds(
    Box, x=numbers, y=numbers, width=st.integers(1, 4000), height=st.integers(1, 4000)
)


@given(boxes, sides, sides)
def test_a_clamped_box_is_inside(box, width, height):
    clamped = box.clamped((width, height))
    assert clamped.inside((width, height))
    if box.inside((width, height)):
        assert clamped == box


@given(boxes, st.integers(1, 100), st.integers(1, 100))
def test_an_aligned_box_is_inside_and_on_the_grid(box, columns, rows):
    canvas = (columns * 8, rows * 8)
    aligned = box.aligned(8, canvas)
    assert aligned.inside(canvas)
    assert all(value % 8 == 0 for value in aligned.corners)
    assert aligned.width >= 8
    assert aligned.height >= 8


@given(sides, sides, st.data())
def test_a_scaled_plan_is_legal(width, height, data):
    w, h = data.draw(st.integers(1, 512)), data.draw(st.integers(1, 512))
    box = [data.draw(st.integers(0, 512 - w)), data.draw(st.integers(0, 512 - h)), w, h]
    plan = Plan.parse({**GOOD, "box": box, "ellipse": box, "related": []})
    scaled = plan.scaled((width, height))
    assert scaled.canvas == (width, height)
    assert scaled.box.inside(scaled.canvas)


def test_a_box_is_four_numbers_in_json():
    plan = Plan.parse(GOOD)
    assert json.loads(plan.to_json())["box"] == [100, 40, 216, 216]
    assert Plan.parse(plan.to_json()) == plan


def test_a_moved_box_takes_its_ellipse_along():
    plan = Plan.parse({**GOOD, "ellipse": [130, 60, 100, 180]})
    moved = plan.with_box(Box(x=0, y=280, width=108, height=216))
    assert moved.ellipse == Box(x=15, y=300, width=50, height=180)


def test_the_ellipse_moves_with_the_box():
    plan = Plan.parse({**GOOD, "box": [101, 43, 211, 219], "ellipse": [120, 60, 100, 180]})
    aligned = plan.aligned(8)
    assert aligned.box == Box(x=104, y=40, width=208, height=216)
    assert aligned.ellipse is not None
    assert abs(aligned.ellipse.x - aligned.box.x - 19) <= 1
    assert abs(aligned.ellipse.width - 100) <= 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"box": [400, 40, 216, 216]}, "leaves the canvas 512x512"),
        ({"box": [-1, 0, 8, 8]}, "leaves the canvas"),
        ({"box": [0, 0, 0, 8]}, "box.width"),
        ({"box": [0, 0, 8]}, "four numbers"),
        ({"box": [0, 0, float("nan"), 8]}, "box.width"),
        ({"box": "here"}, "box"),
        ({"box": [0.5, 0, 8, 8]}, "box.x"),
        ({"prompt": "   "}, "prompt is empty"),
        ({"prompt": "a" * 5000}, "prompt"),
        ({"canvas": [512, 10**9]}, "canvas"),
        ({"setting": "wild"}, "setting"),
        ({"related": [{"label": "body", "box": [0, 500, 512, 100]}]}, "'body'"),
        ({"crop": [-5, 0, 8, 8]}, "outside the picture"),
        ({"colour": "red"}, "colour"),
        ({"ellipse": [90, 40, 216, 216]}, "leaves the box"),
        ({"ellipse": [100, 40, 10**9, 10**9]}, "leaves the box"),
    ],
)
def test_illegal_plans_get_one_line(change, says):
    with pytest.raises(PlanError) as caught:
        Plan.parse({**GOOD, **change})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"canvas": 5}', b"\xff\xfe"])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(PlanError):
        Plan.parse(text)


def test_presets_are_the_papers():
    """Sec. V, Implementation Details."""
    normal = PRESETS["normal"]
    assert (normal.steps, normal.t1, normal.t2, normal.cycles) == (10, 5, 7, 10)
    assert (normal.guidance_scale, normal.noise_level) == (7.5, 1.0)
    assert (normal.preserve, normal.eta) == ((4, 3), 0.0)
    assert (PRESETS["attribute"].preserve, PRESETS["attribute"].eta) == ((4,), 0.1)
    assert (PRESETS["style"].preserve, PRESETS["style"].eta) == ((4,), 1.0)
    assert PRESETS["cow"].cycle_eta == 1.0
    assert PRESETS["cow"].inversion_guidance_scale == 7.5


def test_only_the_first_release_of_cow_runs_without_modulation():
    for name, preset in PRESETS.items():
        assert bool(preset.alpha_plus) == (name != "cow")
    assert Settings() == PRESETS["normal"]


def test_settings_from_assignments():
    changed = Settings().with_assignments(["cycles=5", "preserve=4", "eta=0.5", "outside=joined"])
    assert (changed.cycles, changed.preserve, changed.eta, changed.branches) == (5, (4,), 0.5, 3)
    assert Settings().with_assignments(["preserve="]).preserve == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cycels=5", "did you mean 'cycles'?"),
        ("cycles", "name=value"),
        ("cycles=many", "cycles"),
        ("cycles=-1", "cycles"),
        ("t1=8", "t1 < t2 <= steps"),
        ("eta=2", "eta"),
        ("eta=nan", "eta"),
        ("preserve=9", "preserve holds states from 1 to t1=5"),
        ("preserve=a", "preserve"),
    ],
)
def test_bad_settings_get_one_line(text, says):
    with pytest.raises(UsageError) as caught:
        Settings().with_assignments([text])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
