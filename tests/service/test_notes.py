"""What is odd about a box or a canvas is said before any work."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

import sow
from sow.service.request import Request
from sow.service.service import Service

NOTHING_LEFT = "nothing of negative= is left: `sow words` lists what the model knows"
SHADED = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
CUP = {"image": SHADED, "prompt": "a cup", "subject": "cup", "matte": "none"}


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def service(told):
    return Service(
        "figures",
        device="cpu",
        planner=sow.PlannerChoice("offline"),
        report=lambda *line: told.append(line),
    )


def notes_of(service, told, **fields):
    """The notes on a place, without a word on the rest."""
    told.clear()
    planned = service.plan(Request(**CUP, **fields))
    assert [line for _, line in told] == list(planned.notes)
    return [line for _, line in told]


def test_a_box_that_was_given_is_not_moved_or_lost_without_a_word(service, told):
    assert notes_of(service, told, box=[40, 16, 48, 56]) == []
    assert notes_of(service, told, box=[37, 14, 50, 55]) == [
        "the box 37,14,50,55 was moved to 40,16,48,56: the model's grid is 8 px"
    ]
    small = (
        "a box of 40x64 is small: faces below 48x48 px mostly become another person or disappear"
    )
    notes = notes_of(service, told, box=[40, 16, 40, 64])
    assert small not in notes  # it is a cup
    assert notes == ["a box of 40x64 stretches what is planted, which is 64x64 pixels of the "
                     "picture: give a box of its shape"]  # fmt: skip
    plan = sow.Plan.parse({"canvas": [128, 128], "prompt": "a cup", "box": [38, 16, 40, 64]})
    snapped = "the box 38,16,40,64 was moved to 40,16,40,64: the model's grid is 8 px"
    told.clear()
    assert service.plan(Request(image=CUP["image"], plan=plan)).notes == (snapped, small)


@pytest.mark.parametrize(
    ("canvas", "says"),
    [
        (128, None),
        ((128, 192), None),
        (256, "the model was trained on 128x128: at 256x256 it computes 4 times the pixels and "
         "tends to repeat objects"),
        ((64, 256), "the model was trained on 128x128: at 64x256 it tends to "
         "repeat objects"),
        (64, "the model was trained on 128x128: 64x64 is too small for what it draws"),
    ],
)  # fmt: skip
def test_a_canvas_that_does_not_suit_the_model_is_said(service, told, canvas, says):
    box = [8, 8, 48, 48]
    assert notes_of(service, told, canvas=canvas, box=box) == ([says] if says else [])


@pytest.mark.parametrize(
    ("canvas", "size", "says"),
    [
        ("9:16", (96, 160), ["a canvas of 9:16 is 96x160 on this model"]),
        ("1:1", (128, 128), ["a canvas of 1:1 is 128x128 on this model"]),
        ("100x180", (96, 192), ["the canvas 100x180 was changed to 96x192: this model needs "
                                "multiples of 32 px"]),
        ((16, 128), (32, 128), ["the canvas 16x128 was changed to 32x128: this model needs "
                                "multiples of 32 px",
                                "the model was trained on 128x128: 32x128 is too small for what "
                                "it draws"]),
    ],
)  # fmt: skip
def test_a_canvas_becomes_the_nearest_that_the_model_can_make(service, told, canvas, size, says):
    assert notes_of(service, told, canvas=canvas) == says
    assert service.plan(Request(**CUP, canvas=canvas)).plan.canvas == size


@pytest.mark.parametrize(
    ("box", "used"),
    [
        ([0, 0, 400, 400], [0, 0, 128, 128]),
        ([0, 0, 400, 200], [0, 0, 128, 64]),  # its own shape, not the canvas's
        ([100, 100, 64, 64], [64, 64, 64, 64]),  # its own size
        ([-8, 8, 64, 64], [0, 8, 64, 64]),
    ],
)
def test_a_box_that_does_not_fit_is_as_large_as_fits(service, told, box, used):
    rest = {"rest": [64, 96, 200, 200]}
    plan = service.plan(Request(**CUP, box=box, related=rest))
    assert plan.plan.box.model_dump() == used
    first, second, *_ = plan.notes
    text = ",".join(map(str, used))
    assert first == (
        "the related region 'rest' 64,96,200,200 does not fit into the canvas 128x128: using "
        "64,96,64,32"
    )
    assert second.endswith(f"does not fit into the canvas 128x128: using {text}")


def test_a_box_of_another_shape_than_what_is_planted_is_said(service, told):
    notes = notes_of(service, told, box=[8, 8, 104, 32])
    assert any("stretches what is planted" in note for note in notes)


def test_a_plan_on_a_canvas_of_another_shape_does_not_stretch_what_it_plants(service):
    made = {
        "canvas": [128, 128],
        "prompt": "a cup",
        "box": [40, 16, 48, 48],
        "subject": "cup",
        "ellipse": [44, 16, 40, 48],
        "related": [{"label": "rest", "box": [20, 64, 88, 64]}],
    }
    found = service.plan(Request(image=CUP["image"], plan=made, canvas="9:16")).plan
    assert found.canvas == (96, 160)
    assert found.box.width == found.box.height == 32  # 48 * 96 / 128, on the grid
    assert found.related[0].box.bottom == 160
    assert abs(found.related[0].box.y - found.box.bottom) <= 8
    tall = service.plan(Request(image=CUP["image"], plan=made, canvas=(128, 200)))
    assert tall.plan.canvas == (128, 192)
    assert "was changed to 128x192" in tall.notes[0]


def test_a_note_on_the_canvas_is_said_once(service, caplog):
    """Not by the pipeline's logging too: the service prints nothing."""
    request = Request(**CUP, canvas=64, box=[8, 8, 48, 48])
    service.generate(replace(request, settings={"cycles": 0, "replant": 0}), seed=1)
    assert caplog.records == []


def test_a_negative_prompt_is_the_plans_own_unless_the_request_says_another(service, told):
    plan = service.plan(Request(**CUP, negative=" hat, a red box ")).plan
    assert plan.negative == "hat, a red box"
    again = Request(image=CUP["image"], plan=plan)
    assert service.plan(again).plan.negative == plan.negative
    assert service.plan(replace(again, negative="")).plan.negative == ""
    told.clear()
    off = service.resolve(Request(**CUP, negative="zorblax", settings=["guidance_scale=1"]))
    assert off.plan.negative == ""
    assert NOTHING_LEFT in off.plan.notes
    named = Request(**CUP, negative="hat", settings=["guidance_scale=1"])
    assert "negative= has no effect: guidance is off (guidance_scale=1)" in (
        service.resolve(named).notes
    )


@pytest.mark.parametrize("negative", [5, "x" * 5000, "\ud800"])
def test_a_negative_prompt_that_is_no_text_is_refused(service, negative):
    with pytest.raises(sow.SowError, match="negative"):
        service.plan(Request(**CUP, negative=negative))
