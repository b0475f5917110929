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


def test_a_face_that_is_there_is_seen(spec):
    face_check = FaceCheck(spec)
    assert face_check.face is not None
    assert not face_check.is_lost(picture_of(spec, planted(spec)))


def test_a_face_that_is_not_there_is_missed(spec):
    face_check, box = FaceCheck(spec), spec.plan.box
    empty = Image.new("RGB", spec.plan.canvas, (90, 160, 110))
    elsewhere = planted(spec, at=(0, 128 - box.height))
    for image in (empty, elsewhere, planted(spec, at=(box.x + 16, box.y + 16), side=20)):
        gone = picture_of(spec, image)
        assert face_check.is_lost(gone)
        assert "another seed=" in replace(gone, face_lost=True).notes[0]
    assert picture_of(spec, empty).notes == ()


def test_things_and_what_was_blackened_are_not_looked_at(service, spec):
    black = Image.new("RGB", spec.plan.canvas)
    assert not FaceCheck(spec).is_lost(replace(picture_of(spec, black), flagged=True))
    thing = service.resolve(Request("examples/drawn-curls.png", "a ball", subject="ball"))
    assert FaceCheck(thing).face is None
    assert not FaceCheck(thing).is_lost(picture_of(thing, black))


def test_a_photographs_face_is_looked_for_by_the_other_detector(service, astronaut):
    spec = service.resolve(Request(astronaut, "a woman in the forest", canvas=256))
    face_check = FaceCheck(spec)
    assert face_check.face is not None
    assert not face_check.is_missing_from(planted(spec))
    assert face_check.is_missing_from(Image.new("RGB", spec.plan.canvas, (90, 160, 110)))


def test_near_and_alike_is_the_same_place():
    face = Box(x=40, y=30, width=40, height=40)
    assert is_same_face(face, Box(x=50, y=20, width=44, height=36))
    assert not is_same_face(face, Box(x=70, y=30, width=40, height=40))
    assert not is_same_face(face, Box(x=50, y=40, width=20, height=20))
    assert not is_same_face(face, Box(x=0, y=0, width=120, height=120))
