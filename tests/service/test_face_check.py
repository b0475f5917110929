"""Looking at what was made: is the planted face still there?"""

from __future__ import annotations

from dataclasses import replace

import pytest
from PIL import Image

from sow.pictures.recipe import Recipe
from sow.plan.box import Box
from sow.service.face_check import FaceCheck, is_same_face
from sow.service.request import Request
from sow.service.results import Picture
from sow.service.service import Service


@pytest.fixture(scope="module")
def service():
    return Service("figures")


def picture_of(spec, image: Image.Image) -> Picture:
    recipe = Recipe.model_construct(plan=spec.plan, settings=spec.settings, seed=7)
    return Picture(image=image, recipe=recipe, condition=spec.condition)


def planted(spec, ground=(90, 160, 110), at=None, side=None) -> Image.Image:
    """The condition pasted on a ground, elsewhere or in another size if wished."""
    box = spec.plan.box
    size = (side, side) if side else (box.width, box.height)
    image = Image.new("RGB", spec.plan.canvas, ground)
    x, y = at or (box.x, box.y)
    image.paste(spec.condition.picture.resize(size), (x, y), spec.condition.mask.resize(size))
    return image


@pytest.fixture(scope="module")
def spec(service):
    return service.resolve(Request("examples/drawn-curls.png", "a woman in the forest"))


def lost_in(face_check: FaceCheck, image: Image.Image) -> tuple[int, int]:
    """How many faces are planted, and how many of them are lost in an image."""
    findings = face_check.look(image)
    return findings.planted, findings.lost


def noted(spec, image: Image.Image) -> tuple[str, ...]:
    return replace(
        picture_of(spec, image), faces=FaceCheck(spec.condition, spec.plan).look(image)
    ).notes


def test_a_face_that_is_there_is_seen(spec):
    assert lost_in(FaceCheck(spec.condition, spec.plan), planted(spec)) == (1, 0)
    assert noted(spec, planted(spec)) == ()


def test_a_face_that_is_not_there_is_missed(spec):
    face_check, box = FaceCheck(spec.condition, spec.plan), spec.plan.box
    empty = Image.new("RGB", spec.plan.canvas, (90, 160, 110))
    elsewhere = planted(spec, at=(0, 128 - box.height))
    for image in (empty, elsewhere, planted(spec, at=(box.x + 16, box.y + 16), side=20)):
        assert lost_in(face_check, image) == (1, 1)
        (note,) = noted(spec, image)
        assert "the planted face was not found in the picture of seed 7" in note
        assert "another seed=" in note


def test_things_are_not_looked_at(service, spec):
    thing = service.resolve(Request("examples/drawn-curls.png", "a ball", subject="ball"))
    assert FaceCheck(thing.condition, thing.plan).look(Image.new("RGB", spec.plan.canvas)) is None
    blackened = replace(picture_of(spec, planted(spec)), flagged=True)
    assert ["blackened" in note for note in blackened.notes] == [True]


def test_a_persons_face_is_looked_at_whatever_the_subject_is_called(service):
    request = Request("examples/drawn-curls.png", "a woman", subject="woman", matte="none")
    spec = service.resolve(request)
    assert lost_in(FaceCheck(spec.condition, spec.plan), planted(spec)) == (1, 0)
    assert lost_in(FaceCheck(spec.condition, spec.plan), Image.new("RGB", spec.plan.canvas)) == (
        1,
        1,
    )


def test_a_photographs_face_is_looked_for_by_the_other_detector(service, astronaut):
    for canvas in (128, 256):
        spec = service.resolve(Request(astronaut, "a woman in the forest", canvas=canvas))
        face_check, whole = FaceCheck(spec.condition, spec.plan), planted(spec)
        assert lost_in(face_check, whole) == (1, 0)
        face = face_check.faces[0].box
        destroyed = whole.copy()
        blurred = whole.crop(face.corners).resize((4, 4)).resize((face.width, face.height))
        destroyed.paste(blurred, face.corners)
        assert lost_in(face_check, destroyed) == (1, 1)


def test_each_of_two_faces_is_looked_for(service):
    request = Request(
        "examples/drawn-two.png", "two people", mask="examples/drawn-two-heads.png", canvas=256
    )
    spec = service.resolve(request)
    face_check, whole = FaceCheck(spec.condition, spec.plan), planted(spec)
    assert lost_in(face_check, whole) == (2, 0)
    gone = whole.copy()
    gone.paste((90, 160, 110), face_check.faces[0].box.corners)
    assert "1 of the 2 planted faces was not found" in noted(spec, gone)[0]
    both = Image.new("RGB", spec.plan.canvas, (90, 160, 110))
    assert "the 2 planted faces were not found" in noted(spec, both)[0]


def test_a_small_face_on_a_tall_canvas_is_looked_at_closely(service):
    request = Request(
        "examples/drawn-curls.png", "a woman", canvas=(256, 768), box=(96, 96, 48, 48)
    )
    spec = service.resolve(request)
    face_check = FaceCheck(spec.condition, spec.plan)
    assert lost_in(face_check, planted(spec)) == (1, 0)
    assert lost_in(face_check, Image.new("RGB", spec.plan.canvas, (90, 160, 110))) == (1, 1)


def test_where_no_face_is_recognised_it_is_said_that_nobody_looked(service):
    request = Request("examples/drawn-car-part.png", "a person", subject="face", matte="none")
    spec = service.resolve(request)
    assert FaceCheck(spec.condition, spec.plan).faces == ()
    (note,) = noted(spec, planted(spec))
    assert note.startswith("the planted face was not checked in the picture of seed 7")


def test_near_and_alike_is_the_same_place():
    face = Box(x=40, y=30, width=40, height=40)
    assert is_same_face(face, Box(x=50, y=22, width=44, height=36))
    assert not is_same_face(face, Box(x=70, y=30, width=40, height=40))
    assert not is_same_face(face, Box(x=50, y=40, width=20, height=20))
    assert not is_same_face(face, Box(x=0, y=0, width=120, height=120))
