"""A finished picture brings back what it was made of: controls, place, and its very pixels."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import draw_quickly
from PIL import Image

import sow
from sow.errors import PictureError, SowError, UsageError
from sow.pictures.condition import Condition
from sow.pictures.recipe import recipe_png_bytes
from sow.plan.box import Box
from sow.service.service import Service
from sow.studio.asking import plan_for_me
from sow.studio.form import wish_of
from sow.studio.placing import Placing
from sow.studio.restoring import AS_MADE, form_of, recipe_in
from sow.studio.studio import Studio, Wish

FACE = Path(__file__).parents[2] / "examples" / "drawn-beard.png"
WISH = Wish(
    prompt="a man in a red coat", negative="glasses", setting="normal", likeness=0.6,
    preset="swift-normal", canvas="2:3", seed=11,
)  # fmt: skip


@pytest.fixture(scope="module")
def service():
    with pytest.MonkeyPatch.context() as changes:
        draw_quickly(changes.setattr)
        yield Service("figures", device="cpu", planner=sow.PlannerChoice("offline"))


@pytest.fixture(scope="module")
def studio(service, tmp_path_factory):
    return Studio(service, tmp_path_factory.mktemp("out"), shared=True)


@pytest.fixture
def session(studio, request):
    key = request.node.name
    yield studio.sessions.get(key)
    studio.sessions.end(key)


@pytest.fixture(scope="module")
def made(studio):
    """A picture whose piece and region were moved, and whose outline was painted."""
    session = studio.sessions.get("made")
    studio.bring(session, FACE.read_bytes(), "face.png")
    studio.plan(session, WISH)
    mask = Image.new("L", (40, 40), 0)
    mask.paste(255, (4, 4, 36, 30))
    studio.paint(session, mask)
    label = session.plan.related[0].label
    box, region = Box(x=16, y=24, width=48, height=48), Box(x=8, y=80, width=64, height=60)
    [*_, last] = studio.make(session, replace(WISH, placing=Placing(box, {label: region})))
    assert last.message == ""
    return last.pictures[0]


def as_png(picture, **changes):
    recipe = picture.recipe.model_copy(update=changes)
    return recipe_png_bytes(picture.image, recipe, picture.condition)


def difference(one, other):
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


def made_again(studio, session, form, **changes):
    [*_, last] = studio.make(session, replace(wish_of({}, form), **changes))
    assert last.message == ""
    return last.pictures[0]


def test_every_control_comes_back_and_the_picture_too(studio, session, made):
    saved = recipe_in(as_png(made), "a.png")
    form = studio.restore(session, saved)
    assert wish_of({}, form) == WISH
    plan = studio.placed_plan(session)
    assert (plan.box, plan.canvas) == (made.recipe.plan.box, made.recipe.plan.canvas)
    assert plan.related == made.recipe.plan.related
    again = made_again(studio, session, form)
    assert again.image.tobytes() == made.image.tobytes()
    assert again.condition.to_png() == made.condition.to_png()
    assert again.recipe.settings == made.recipe.settings
    assert again.recipe.picture_sha256 == made.recipe.picture_sha256


def test_what_is_changed_then_changes_and_the_rest_stays(studio, session, made):
    form = studio.restore(session, recipe_in(as_png(made), "a.png"))
    other = made_again(studio, session, {**form, "prompt": "a man in a blue coat", "negative": ""})
    assert other.recipe.plan.prompt == "a man in a blue coat"
    assert other.recipe.plan.negative == ""
    assert other.recipe.plan.box == made.recipe.plan.box
    assert other.recipe.plan.related == made.recipe.plan.related
    assert other.condition.to_png() == made.condition.to_png()
    larger = Placing(Box(x=8, y=8, width=64, height=64))
    moved = made_again(studio, session, form, placing=larger)
    assert moved.recipe.plan.box == larger.box
    assert moved.condition.picture.size == (64, 64)
    square = made_again(studio, session, {**form, "canvas": ""})
    assert square.recipe.plan.canvas == studio.service.model.checkpoint_spec.canvas
    ratio = square.recipe.plan.box.width / square.recipe.plan.box.height
    assert ratio == pytest.approx(made.recipe.plan.box.width / made.recipe.plan.box.height, 0.2)


def test_the_users_picture_stays_if_it_is_the_same(studio, session, made):
    studio.bring(session, FACE.read_bytes(), "face.png")
    own, faces = session.picture, session.faces
    form = studio.restore(session, recipe_in(as_png(made), "a.png"))
    assert session.picture is own
    assert session.faces == faces != ()
    assert made_again(studio, session, form).image.tobytes() == made.image.tobytes()
    studio.choose(session, 0)  # from the beginning
    studio.plan(session, wish_of({}, form))
    assert studio.condition(session).to_png() != made.condition.to_png()


def test_a_new_plan_leaves_the_finished_picture_only_when_it_is_made(
    studio, session, made, monkeypatch
):
    studio.restore(session, recipe_in(as_png(made), "a.png"))

    def refused(*_):
        raise UsageError("no plan")

    with monkeypatch.context() as changes:
        changes.setattr(Service, "plan", refused)
        with pytest.raises(UsageError, match="no plan"):
            plan_for_me(studio, session, WISH)
    assert studio.condition(session).to_png() == made.condition.to_png()
    assert plan_for_me(studio, session, WISH)["by"] == "rules"
    assert studio.condition(session).to_png() != made.condition.to_png()


def test_the_finished_picture_can_be_planted_instead(studio, session, made):
    studio.restore(session, recipe_in(as_png(made), "a.png"))
    studio.plant_finished(session)
    assert session.picture.tobytes() == made.image.tobytes()
    assert (session.kept, session.plan) == (None, None)


@pytest.mark.parametrize("likeness", [None, 0.0, 0.35, 0.5, 1.0])
@pytest.mark.parametrize("preset", [None, "style", "published-attribute", "cow", "swift-style"])
def test_preset_and_likeness_are_found_again(service, made, preset, likeness):
    model, plan = service.model, made.recipe.plan
    settings = model.checkpoint_spec.preset(preset or plan.preset)
    if likeness is not None:
        settings = settings.changed(likeness=likeness)
    form = form_of(made.recipe.model_copy(update={"settings": settings}), model)
    found = model.checkpoint_spec.preset(form["preset"] or plan.preset)
    if form["likeness"] is not None:
        found = found.changed(likeness=form["likeness"])
    assert found == settings
    if likeness is None:
        assert (form["preset"], form["likeness"]) == (preset or "", None)


def test_settings_without_a_name_are_kept(studio, session, made):
    odd = made.recipe.settings.changed(cycles=2, eta=0.37)
    form = studio.restore(session, recipe_in(as_png(made, settings=odd), "a.png"))
    assert form["preset"] == AS_MADE
    assert made_again(studio, session, form).recipe.settings == odd
    studio.bring(session, FACE.read_bytes(), "face.png")  # then there is nothing to keep
    usual = made_again(studio, session, {**form, "preset": AS_MADE}).recipe.settings
    assert usual == studio.service.model.checkpoint_spec.preset("normal")


def test_what_the_form_cannot_hold_is_left_out(service, made):
    long = made.recipe.model_copy(update={"seed": 2**60})
    assert form_of(long, service.model)["seed"] is None
    wide = made.recipe.model_copy(update={"plan": made.recipe.plan.scaled((96, 256))})
    assert form_of(wide, service.model)["canvas"] == ""


@pytest.mark.parametrize("data", [b"", b"\x89PNG", FACE.read_bytes(), b"GIF89a", b"{}"])
def test_other_files_are_pictures_to_plant_or_none(data):
    with suppress(PictureError):
        assert recipe_in(data, "a.png") is None


def test_hostile_recipes_are_refused_in_one_line(made):
    dear = made.recipe.settings.changed(
        steps=1000, t1=500, t2=900, cycles=1000, preserve=(), inversion_stride=1
    )
    huge = made.recipe.plan.scaled((4096, 4096))
    small = Condition(Image.new("RGB", (8, 8)), Image.new("L", (8, 8), 255))
    for data, why in (
        (as_png(made, settings=dear), "UNet samples"),
        (as_png(made, method="copy"), "comparison method"),
        (recipe_png_bytes(made.image, made.recipe, small), "does not fit its box"),
        (recipe_png_bytes(made.image, made.recipe.model_copy(update={"plan": huge}),
                          Condition.empty((huge.box.width, huge.box.height))), "4096x4096 has"),
        (as_png(made).replace(b'"seed":11', b'"seed":-1'), "is not a picture"),
    ):  # fmt: skip
        with pytest.raises(SowError, match=why) as caught:
            recipe_in(data, "a.png")
        assert "\n" not in str(caught.value)


def test_nothing_planted_brings_nothing_back(studio, session, service):
    words = service.resolve(sow.Request(plan=sow.Plan.parse(
        {"prompt": "a tree", "canvas": [128, 128], "box": [0, 0, 128, 128], "subject": "nothing",
         "suppress": ""}
    )))  # fmt: skip
    picture = next(iter(service.make(words, [1])))
    assert recipe_in(as_png(picture), "a.png") is None
    studio.folder_of(session).add(picture, words, "a")
    [entry, *_] = studio.pictures(session)
    with pytest.raises(UsageError, match="nothing is planted"):
        studio.restore(session, studio.saved(session, entry))


def test_a_recipe_of_an_older_version_is_taken(studio, session):
    [old, *_] = sorted((Path(__file__).parents[1] / "data" / "v1").glob("*.png"))
    form = studio.restore(session, recipe_in(old.read_bytes(), old.name))
    assert form["prompt"]
    assert Image.open(io.BytesIO(old.read_bytes())).size == session.plan.canvas
