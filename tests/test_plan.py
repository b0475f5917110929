"""Boxes, plans and settings: what is legal, and what happens to what is not."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sow.checkpoints.spec import CheckpointSpec
from sow.errors import PlanError, UsageError
from sow.pictures.recipe import Recipe
from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.settings.presets import likeness_settings
from sow.settings.settings import PRESETS, Settings

GOOD = {"canvas": [512, 512], "prompt": "a king", "box": [100, 40, 216, 216]}
sides = st.integers(8, 2048)
numbers = st.integers(-4000, 4000)
boxes = st.builds(
    Box, x=numbers, y=numbers, width=st.integers(1, 4000), height=st.integers(1, 4000)
)


@given(boxes, sides, sides)
def test_a_clamped_box_is_inside(box, width, height):
    clamped = box.clamped((width, height))
    assert clamped.is_inside((width, height))
    if box.is_inside((width, height)):
        assert clamped == box


@given(boxes, st.integers(1, 100), st.integers(1, 100))
def test_an_aligned_box_is_inside_and_on_the_grid(box, columns, rows):
    canvas = (columns * 8, rows * 8)
    aligned = box.aligned(8, canvas)
    assert aligned.is_inside(canvas)
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
    assert scaled.box.is_inside(scaled.canvas)


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
        ({"box": [400, 40, 216, 216]}, "is not inside the canvas 512x512"),
        ({"box": [-1, 0, 8, 8]}, "is not inside the canvas"),
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
        ({"crop": [-5, 0, 8, 8]}, "not inside the picture"),
        ({"colour": "red"}, "colour"),
        ({"ellipse": [90, 40, 216, 216]}, "is not inside the box"),
        ({"ellipse": [100, 40, 10**6, 10**6]}, "is not inside the box"),
    ],
)
def test_illegal_plans_get_one_line(change, says):
    with pytest.raises(PlanError) as caught:
        Plan.parse({**GOOD, **change})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"relatd": []}, "unknown field 'relatd', did you mean 'related'?"),
        ({"related": [{"label": "a", "boxx": [0, 0, 8, 8]}]}, "unknown field 'boxx', did you mean"),
        ({"matte": {"haed": None}}, "matte: unknown field 'haed', did you mean 'head'?"),
        ({"objects": [{"id": "a", "labl": "b"}]}, "did you mean 'label'?"),
        ({"relations": [{"subjct": "a"}]}, "did you mean 'subject'?"),
        ({"made_for": {"elipse": None}}, "did you mean 'ellipse'?"),
        ({"colour": "red"}, "choose one of version, canvas, prompt, box"),
    ],
)
def test_an_unknown_field_of_a_plan_or_a_part_of_it_gets_a_suggestion(change, says):
    with pytest.raises(PlanError) as caught:
        Plan.parse({**GOOD, **change})
    assert says in str(caught.value)


HANGING = {
    **GOOD,
    "ellipse": [130, 60, 100, 180],
    "related": [{"label": "body", "box": [50, 256, 300, 256]}],
}


def edited(**changes):
    """A plan read from a file in which somebody changed some fields."""
    return Plan.parse(json.dumps({**json.loads(Plan.parse(HANGING).to_json()), **changes}))


def test_what_hangs_on_a_box_moves_along_when_the_box_is_edited():
    assert edited() == Plan.parse(HANGING)
    moved = edited(box=[200, 80, 216, 216])
    assert moved.ellipse == Box(x=230, y=100, width=100, height=180)
    assert moved.related[0].box == Box(x=150, y=296, width=300, height=216)  # still to the ground
    assert "moved along" in moved.notes[-1]
    small = edited(box=[100, 40, 108, 108])
    assert small.ellipse == Box(x=115, y=50, width=50, height=90)
    assert small.related[0].box == Box(x=75, y=148, width=150, height=364)
    low = edited(box=[100, 296, 216, 216])
    assert low.related == ()  # there is no room below
    assert Plan.parse(moved.to_json()) == moved  # once is enough
    assert Plan.parse(HANGING).changed(box=[200, 80, 216, 216]) == moved


def test_what_was_edited_itself_stays_where_it_was_put():
    body = [{"label": "body", "box": [0, 300, 512, 212]}]
    both = edited(box=[200, 80, 216, 216], ellipse=[210, 90, 90, 90], related=body)
    assert both.ellipse == Box(x=210, y=90, width=90, height=90)
    assert both.related[0].box == Box(x=0, y=300, width=512, height=212)
    assert both.notes == ()
    aligned = Plan.parse({**HANGING, "box": [101, 43, 211, 219]}).aligned(8)
    assert aligned.related == Plan.parse(HANGING).related


def test_a_plan_of_before_means_what_it_says():
    """One without `made_for`: nothing in it moves."""
    plan = Plan.parse({**HANGING, "box": [90, 30, 216, 216]})
    assert plan.ellipse == Box(x=130, y=60, width=100, height=180)
    assert "made_for" not in plan.model_dump()
    assert {"turn", "made_for"}.isdisjoint(plan.model_dump())


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"canvas": 5}', b"\xff\xfe"])
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(PlanError):
        Plan.parse(text)


def test_the_presets_by_themselves_are_the_published_method_complete():
    """Sec. V, Implementation Details; Sec. IV-C with both modulations, both decays, the gate."""
    normal = Settings()
    assert PRESETS["normal"] == PRESETS["published-normal"] == normal
    assert (normal.steps, normal.t1, normal.t2, normal.cycles) == (10, 5, 7, 10)
    assert (normal.guidance_scale, normal.condition_guidance_scale) == (7.5, 7.5)
    assert (normal.noise_level, normal.preserve, normal.eta) == (1.0, (4, 3), 0.0)
    assert (normal.replant, normal.inversion_stride, normal.cycle_eta) == (0, 1, 0.0)
    assert (normal.outside, normal.outside_until, normal.guided_until) == ("pair", 1, 1)
    assert 0 not in (normal.alpha_minus, normal.alpha_plus, normal.lambda_c, normal.lambda_d)
    assert normal.gate != "none"
    for setting, eta in (("attribute", 0.1), ("style", 1.0)):
        assert PRESETS[setting] == normal.changed(preserve=(4,), eta=eta)
        assert PRESETS[f"published-{setting}"] == PRESETS[setting]
    assert PRESETS["cow"].cycle_eta == 1.0
    assert PRESETS["cow"].inversion_guidance_scale == 7.5


def test_every_number_says_where_it_comes_from():
    for name in Settings.model_fields:
        assert Settings.source(name).startswith(("paper", "COW", "ours")), name
    assert "lost" in Settings.source("alpha_minus")


def test_names_of_before_keep_their_meaning():
    """As hashes of pictures hold too: what was `normal` until then is `swift-normal`."""
    swift = Settings.preset("swift-normal")
    assert (swift.cycles, swift.replant, swift.inversion_stride, swift.rim) == (
        1,
        1,
        2,
        (0.02,) * 2,
    )
    thorough = Settings.preset("thorough-normal")
    asked = ("inversion_stride", "outside_until", "guided_until", "first_guided_until")
    assert [getattr(thorough, name) for name in asked] == [1, 1, 1, 1]
    assert thorough.changed(**{name: getattr(swift, name) for name in asked}) == swift
    for setting in ("normal", "attribute", "style"):
        paper, published = (Settings.preset(f"{name}-{setting}") for name in ("paper", "published"))
        differing = {n for n in Settings.model_fields if getattr(paper, n) != getattr(published, n)}
        assert differing == {"planted", "alpha_minus", "lambda_c", "lambda_d", "gate"}
        assert not {f"paper-{setting}", f"thorough-{setting}"} & set(PRESETS)


def test_only_cow_and_text_alone_run_without_modulation():
    for name, preset in PRESETS.items():
        assert bool(preset.alpha_plus) == (name not in ("cow", "text"))


def test_likeness_goes_from_free_to_change_to_as_planted():
    """Guidance inside falls from that outside to 1; more and more states put the condition back."""
    dial = [Settings.preset("swift-normal").changed(likeness=x / 20) for x in range(21)]
    inside = [each.condition_guidance_scale for each in dial]
    assert (inside[0], inside[-1]) == (7.5, 1.0)
    assert inside == sorted(inside, reverse=True)
    for less, more in pairwise(dial):
        assert set(less.preserve) <= set(more.preserve)
    assert (dial[0].preserve, dial[-1].preserve) == ((), (4, 3, 2, 1))
    for name, likeness in (("normal", 1), ("attribute", 0.45), ("style", 0.45)):
        for field, number in likeness_settings(likeness, 7.5, 5).items():
            assert getattr(PRESETS[f"swift-{name}"], field) == number


def test_where_the_condition_is_planted_once_likeness_leaves_every_state_guided():
    assert Settings().changed(likeness=1).guided_until == 1
    assert Settings().changed(likeness=1, replant=1).guided_until == 3
    kept = Settings().changed(likeness=1, guided_until=2)
    assert kept.guided_until == 2


def test_likeness_goes_by_the_other_settings_and_what_is_set_beside_it_holds():
    finer = Settings().with_assignments(["likeness=1", "steps=50", "t1=25", "t2=35"])
    assert finer.preserve == (20, 15, 10, 5)
    assert Settings().changed(likeness=0, guidance_scale=4).condition_guidance_scale == 4
    assert Settings().changed(likeness=0, guidance_scale=0.5).condition_guidance_scale == 1
    kept = Settings().with_assignments(["preserve=2", "likeness=0.5"])
    assert kept.preserve == (2,)
    assert kept.condition_guidance_scale == pytest.approx(7.5**0.5, abs=1e-3)
    for bad in (-0.1, 1.1, "much", None, float("nan")):
        with pytest.raises(UsageError, match="0 to 1"):
            Settings().changed(likeness=bad)
    with pytest.raises(UsageError, match="likeness"):
        Settings().changed(likenes=0.5)


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
        ("preserve=9", "preserve takes states from 1 to t1=5"),
        ("preserve=a", "preserve"),
    ],
)
def test_bad_settings_get_one_line(text, says):
    with pytest.raises(UsageError) as caught:
        Settings().with_assignments([text])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_guidance_of_the_papers_presets_is_one_number_and_of_the_others_two():
    paper = PRESETS["normal"].changed(guidance_scale=3)
    assert (paper.guidance_scale, paper.condition_guidance_scale) == (3, 3)
    apart = PRESETS["cow"].changed(guidance_scale=3, condition_guidance_scale=5)
    assert (apart.guidance_scale, apart.condition_guidance_scale) == (3, 5)
    assert PRESETS["swift-normal"].changed(guidance_scale=3).condition_guidance_scale == 1


def test_likeness_with_fewer_states_than_the_preset_puts_back():
    fewer = Settings().changed(likeness=1, t1=3)
    assert max(fewer.preserve) <= 3
    assert Settings(replant=2, first_cycles=3, cycles=4).total_cycles == 10


OPEN = {name: value for name, value in GOOD.items() if name != "canvas"}


def test_a_canvas_that_nobody_decided_stays_open_until_a_model_decides():
    """Through changes and files; then it is the model's, or the shorter side of it."""
    plan = Plan.parse(OPEN)
    assert not plan.has_canvas
    moved = plan.changed(prompt="x").with_box(Box(x=8, y=8, width=64, height=64))
    moved = Plan.parse(moved.to_json())
    assert not moved.has_canvas
    assert "canvas" not in moved.model_dump(mode="json")
    small = CheckpointSpec(canvas=(128, 128), canvas_multiple=32)
    assert small.fit_plan(moved).box.model_dump() == [2, 2, 16, 16]
    tall = CheckpointSpec(canvas=(128, 192), canvas_multiple=32)
    assert tall.fit_plan(moved).canvas == (128, 128)  # nothing is stretched
    for decided in (
        CheckpointSpec().fit_plan(plan),
        plan.scaled((512, 512)),
        plan.scaled((64, 64)),
    ):
        assert decided.has_canvas
        assert "canvas" in decided.model_dump(mode="json")
    assert Plan.parse(GOOD).has_canvas


def test_a_recipe_without_its_canvas_is_none():
    settings = {"seed": 5, "model": "figures", "revision": "0", "device": "cpu",
                "dtype": "float32", "picture_sha256": "", "versions": {}}  # fmt: skip
    Recipe(plan=Plan.parse(GOOD), settings=Settings(), **settings)
    with pytest.raises(ValidationError, match="no canvas"):
        Recipe(plan=Plan.parse(OPEN), settings=Settings(), **settings)
