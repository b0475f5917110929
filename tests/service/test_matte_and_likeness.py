"""What of the picture is taken, and how much of it stays, asked for at the service."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import EXAMPLES
from PIL import Image

import sow
from sow.benchmarks.figures.judge.judge import Judge, distance
from sow.errors import PictureError, PlanError, UsageError
from sow.pictures.drawing import draw_plan
from sow.service.request import Request
from sow.service.service import Service

FACE = EXAMPLES / "drawn-beard.png"
PHOTO = EXAMPLES / "astronaut.jpg"
PROMPT = "a person in a red coat in the forest"


@pytest.fixture(scope="module")
def service():
    return Service("figures", device="cpu", planner=sow.PlannerChoice("offline"))


def work_of(service, image=PHOTO, **more):
    return service.resolve(Request(image=image, prompt=PROMPT, **more))


def kept(spec) -> float:
    """The share of its box that the condition is."""
    return float(np.asarray(spec.condition.mask, float).mean() / 255)


def test_a_matte_is_less_than_an_ellipse_and_an_ellipse_than_a_box(service):
    auto, ellipse, box, whole = (
        work_of(service, matte=matte) for matte in ("auto", "ellipse", "box", "none")
    )
    assert auto.plan.matte is not None
    assert ellipse.plan.matte is box.plan.matte is whole.plan.matte is None
    assert 0.3 < kept(auto) < 0.75
    assert (ellipse.plan.ellipse is not None, box.plan.ellipse) == (True, None)
    assert kept(box) == kept(whole) == 1
    assert whole.plan.crop.model_dump() == [0, 0, 512, 512]
    assert work_of(service).plan == auto.plan


def test_the_drawn_plan_shows_what_was_cut_out(service):
    """A yellow outline round the head, inside the red box; beside it the picture is faint."""
    spec = work_of(service)
    drawn = np.asarray(draw_plan(spec.plan, spec.condition), int)
    yellow = (np.abs(drawn - (250, 180, 40)).max(-1) < 40).sum()
    assert yellow > 300
    x, y, width, _ = (4 * v for v in spec.plan.box.model_dump())
    corner = drawn[y + 12 : y + 24, x + width - 24 : x + width - 12].reshape(-1, 3)
    assert np.abs(corner.mean(0) - 128).max() < 60


def test_a_given_plan_keeps_its_matte_unless_told_otherwise(service):
    plan = work_of(service).plan
    assert work_of(service, plan=plan).plan.matte == plan.matte
    assert work_of(service, plan=plan, matte="ellipse").plan.matte is None
    assert work_of(service, plan=plan, matte="box").plan.ellipse is None
    with pytest.raises(PlanError, match="crop"):
        work_of(service, image=FACE, plan=plan)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"matte": "scissors"}, "unknown matte 'scissors'"),
        ({"matte": "auto", "mask": Image.new("L", (512, 512), 255)}, "already cuts"),
        ({"matte": "none", "plan": {"canvas": [128, 128], "prompt": "x", "box": [0, 0, 64, 64]}},
         "making a plan"),
        ({"matte": 3}, "is an int"),
    ],
)  # fmt: skip
def test_mattes_that_make_no_sense_get_one_line(service, more, says):
    with pytest.raises(UsageError, match=says):
        work_of(service, **more)


def test_rembg_is_asked_for_by_name_where_it_is_missing(service, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rembg", None)
    with pytest.raises(PictureError, match=r"sow\[rembg\]"):
        work_of(service, matte="rembg")


def test_likeness_is_said_beside_or_among_the_settings(service):
    request = Request(image=FACE, prompt=PROMPT)
    plain = service.resolve(replace(request, likeness=0.5))
    assert plain.settings == service.resolve(replace(request, settings={"likeness": 0.5})).settings
    assert plain.settings == service.resolve(replace(request, settings=["likeness=0.5"])).settings
    assert plain.settings.preserve == (4, 3)
    whole = service.resolve(replace(request, settings=sow.Settings(), likeness=0))
    assert whole.settings == sow.Settings().changed(likeness=0)
    with pytest.raises(UsageError, match="0 to 1"):
        service.resolve(replace(request, likeness=2))


def test_more_likeness_keeps_more_of_the_person(service):
    """The planted head, by the judge's eyes; and by the paper's preset it is further away."""
    judge, request = Judge.load(), Request(image=FACE, prompt=PROMPT)
    face = Image.open(FACE).convert("RGB").resize((64, 64))
    ground = Image.new("RGB", (128, 128), (150, 190, 160))
    ground.paste(face, (32, 20))
    (planted,) = judge.embed([ground])

    def away(**more) -> float:
        result = service.generate(replace(request, **more), seed=5, num=4)
        seen = judge.look(result.images, [result.plan.box] * 4)
        return float(np.mean([distance(v.embedding, planted) for v in seen if v.heads]))

    free, as_planted, paper = away(likeness=0), away(likeness=1), away(preset="paper-normal")
    assert as_planted < free - 0.1
    assert as_planted < paper - 0.1
