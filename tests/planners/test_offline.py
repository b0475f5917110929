"""The offline planner: faces, places, words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from skimage import data

from sow.errors import PictureError
from sow.pictures.condition import Condition
from sow.pictures.loading import turned
from sow.plan.box import MAX_CONDITION_SHARE, MIN_CONDITION_SHARE, Box, iou
from sow.plan.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.offline import cropping
from sow.planners.offline.faces import find_faces, likely_face
from sow.planners.offline.neighbours import own_part
from sow.planners.offline.planner import OfflinePlanner, place, related_regions
from sow.planners.offline.prompt_rules import read_setting, side_of_subject


def make(image, prompt="a king", **more):
    return OfflinePlanner().plan(PlanRequest(image=image, prompt=prompt, **more))


@pytest.fixture(scope="module")
def couple(astronaut):
    """Two faces, the right one half as large."""
    page = Image.new("RGB", (900, 512), (90, 110, 130))
    page.paste(astronaut, (0, 0))
    page.paste(astronaut.resize((256, 256)), (600, 200))
    return page


def test_the_face_is_found_and_planted_legally(astronaut):
    plan = make(astronaut, "a person in the forest")
    x, y, w, h = plan.crop.model_dump()
    assert x < 224 < x + w  # her face is around (224, 117)
    assert y < 117 < y + h
    assert plan.box.is_inside((512, 512))
    assert 180 <= max(plan.box.width, plan.box.height) <= 256
    wide = make(astronaut, "a person, full body")
    assert 180 <= wide.box.width < plan.box.width
    assert plan.box.centre[1] < 256  # the upper part, with room for the body
    assert plan.ellipse is not None
    assert plan.related[0].label == "body"
    assert plan.related[0].box.bottom == 512
    assert plan.related[0].box.y == plan.box.bottom
    assert (plan.subject, plan.suppress) == ("face", "human face")


def test_a_tight_crop_is_padded_and_found(astronaut):
    face = find_faces(astronaut)[0]
    tight = astronaut.crop(face.corners)
    plan = make(tight)
    assert plan.notes == ("the head fills the picture: using an ellipse",)
    assert plan.ellipse is not None
    assert plan.matte is None
    assert plan.crop.is_inside(tight.size)


def test_without_a_face_a_note_says_what_is_taken_and_what_helps():
    flat = Image.new("RGB", (300, 200), (120, 90, 60))
    egg = Image.new("RGB", (200, 200), (90, 140, 200))
    ImageDraw.Draw(egg).ellipse((25, 12, 175, 185), fill=(230, 190, 150))
    ImageDraw.Draw(flat).line((0, 0, 300, 200), fill=(150, 110, 80), width=9)
    for image, guessed in ((flat, False), (egg, True)):
        plan = make(image, subject="face")
        assert plan.ellipse is None
        assert (plan.matte is not None) == guessed
        assert plan.notes[0].startswith("no face was found")
        assert ("set subject=" if guessed else "give mask=") in plan.notes[0]
        thing = make(image)
        assert (thing.subject, thing.suppress) == ("thing", "")
        assert "subject=" in thing.notes[0]
        assert thing.related[0].label == "the rest of the thing"
    for matte in ("ellipse", "box", "none"):
        plan = make(flat, matte=matte)
        assert plan.crop.model_dump() == [0, 0, 300, 200]
        assert plan.matte is None
        assert "no face was found" in " ".join(plan.notes) or matte == "none"


@pytest.mark.parametrize(
    ("name", "prompt", "subject"),
    [
        ("coffee", "a cup of coffee in the forest", "thing"),
        ("rocket", "a rocket in the desert", "thing"),
        ("chelsea", "a cat in the snow", "cat"),
        ("chelsea", "something in the snow", "thing"),
        ("camera", "a man in the forest", "face"),
    ],
)
def test_what_is_no_face_is_not_taken_for_one(name, prompt, subject):
    plan = make(Image.fromarray(getattr(data, name)()).convert("RGB"), prompt)
    assert plan.subject == subject
    assert any("no face" in note for note in plan.notes) == (subject != "face")
    assert any(region.label == "body" for region in plan.related) == (subject != "thing")


def test_what_is_cut_out_and_no_face_stands_on_the_ground():
    """A whole cat has no body below it; a picture that it fills may be of its head."""
    page = Image.new("RGB", (200, 200), (90, 140, 200))
    ImageDraw.Draw(page).ellipse((60, 50, 140, 150), fill=(220, 130, 60))
    whole = make(page, "a cat in the snow", subject="cat")
    assert whole.matte is not None
    assert whole.box.centre[1] > 256
    assert whole.related[0].label == "the rest of the cat"
    filled = make(page, "a cat in the snow", subject="cat", matte="none")
    assert filled.related[0].label == "body"


def test_a_prompt_about_an_animal_says_what_a_mask_keeps(astronaut):
    mask = Image.new("L", astronaut.size)
    mask.paste(255, (50, 300, 250, 500))
    assert make(astronaut, "a dog on the beach", mask=mask).subject == "dog"
    assert make(astronaut, "a man with a dog", mask=mask).subject == "face"


@pytest.mark.parametrize("side", [30, 60, 100])
def test_tiny_faces_are_found(astronaut, side):
    face = Box(x=135, y=40, width=180, height=180)
    plan = make(astronaut.crop(face.corners).resize((side, side)))
    assert (plan.subject, plan.notes) == ("face", ())


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_picture_on_its_side_is_turned_if_that_shows_a_face(astronaut, turn):
    upright, aside = astronaut.crop((100, 0, 400, 300)), None
    aside = turned(upright, 360 - turn)  # clockwise
    plan = make(aside)
    assert (plan.turn, plan.subject) == (turn, "face")
    assert plan.notes[0].startswith(f"the picture was turned clockwise by {turn} degrees")
    assert iou(plan.crop.corners, make(upright).crop.corners) > 0.95
    read = Plan.parse(plan.to_json())
    assert read == plan
    assert Condition.prepare(aside, read).picture == Condition.prepare(
        upright, plan.changed(turn=0)
    ).picture  # fmt: skip
    assert make(aside, "a rocket in the desert", subject="rocket").turn == 0
    assert make(aside, matte="none").turn == 0


def test_a_picture_is_not_turned_for_a_face_that_is_then_not_found(monkeypatch):
    """Its boxes would be in pixels of the turned picture, and the picture would not."""
    monkeypatch.setattr(cropping, "turn_to_face", lambda image: 90)
    picture = Image.linear_gradient("L").resize((96, 40)).convert("RGB")
    plan = make(picture, "a tower")
    assert (plan.turn, plan.crop.is_inside(picture.size)) == (0, True)


@pytest.mark.parametrize("turn", [90, 270])
def test_a_drawing_on_its_side_is_turned(faces, turn):
    for face in faces.values():
        assert make(turned(face, 360 - turn)).turn == turn


@pytest.mark.parametrize("share", [1.0, 0.8, 0.7])
def test_a_drawn_face_that_fills_its_picture_is_found(faces, share):
    for picture in faces.values():
        face = find_faces(picture)[0]
        tight = picture.crop(
            Box.around(*face.centre, face.width * share, face.height * share).corners
        )
        plan = make(tight, "somebody in the city")
        assert plan.subject == "face"
        assert not any("no face" in note for note in plan.notes)
        assert plan.crop.is_inside(tight.size)
        if share == 0.7:  # hair at the borders passed for the background, and was cut off
            assert plan.matte is None
            assert any("using an ellipse" in note for note in plan.notes)


@pytest.mark.parametrize(
    "picture",
    [
        Image.new("RGB", (300, 200), (120, 90, 60)),
        Image.linear_gradient("L").resize((64, 64)).point(lambda v: 120 + v // 40).convert("RGB"),
    ],
    ids=("one colour", "almost"),
)
def test_a_blank_picture_is_refused_unless_somebody_insists(picture):
    for more in ({}, {"subject": "face"}, {"subject": "wall"}, {"matte": "box"}):
        with pytest.raises(PictureError, match="the picture is blank"):
            make(picture, **more)
    assert make(picture, matte="none").crop.corners == (0, 0, *picture.size)
    assert make(picture, mask=Image.new("L", picture.size, 255)).subject == "face"
    clear = picture.copy()
    clear.putalpha(0)
    with pytest.raises(PictureError, match="keeps nothing"):
        make(clear)


def test_the_crop_takes_the_whole_head_with_its_hair(astronaut):
    """The outline of the hair in this photograph reaches from row 14 to the chin at row 175."""
    plan = make(astronaut)
    assert plan.matte is not None
    assert plan.crop.y <= 12
    assert plan.crop.bottom >= 175
    assert plan.crop.x <= 148
    assert plan.crop.right >= 308
    assert make(astronaut, matte="ellipse").matte is None
    assert make(astronaut, matte="box").ellipse is None
    assert make(astronaut, matte="none").crop.model_dump() == [0, 0, 512, 512]


def test_a_face_in_another_style_is_likely(faces):
    """What neither detector is certain of."""
    small = faces["drawn-beard"].resize((96, 96))
    assert likely_face(small) is not None
    assert likely_face(Image.effect_noise((300, 200), 40)) is None


@pytest.mark.parametrize("size", [(16, 16), (19, 400), (60, 4000), (16, 40000), (4000, 2900)])
def test_odd_shapes_are_looked_at_without_harm(size):
    assert make(Image.linear_gradient("L").resize(size).convert("RGB")).crop.is_inside(size)


def test_a_mask_or_transparency_says_what_is_planted(astronaut):
    """Also where it is not a face: the hands, the whole person."""
    mask = Image.new("L", astronaut.size)
    mask.paste(255, (50, 300, 250, 500))
    assert make(astronaut, mask=mask).crop == Box(x=50, y=300, width=200, height=200)
    cut = astronaut.copy()
    cut.putalpha(mask)
    assert make(cut).crop == Box(x=50, y=300, width=200, height=200)
    assert make(cut).ellipse is None


def test_of_several_faces_the_largest_with_a_note(couple):
    plan = make(couple)
    assert "2 faces" in plan.notes[0]
    assert "the largest, on the left" in plan.notes[0]
    assert plan.crop.x < 300
    second = make(couple, face_index=1)
    assert second.crop.x > 550
    assert second.notes == ()
    with pytest.raises(PictureError, match="no face number 5"):
        make(couple, face_index=5)


@pytest.mark.parametrize("drawn", [False, True], ids=("photographed", "drawn"))
@pytest.mark.parametrize("matte", ["auto", "ellipse", "box"])
def test_of_two_heads_that_touch_only_the_chosen_one_is_cut_out(astronaut, faces, drawn, matte):
    """The neighbour is not in the crop, whose pixels are all pasted into the seed canvas."""
    if drawn:
        left, right = (
            faces[name].crop((50, 0, 206, 256)) for name in ("drawn-curls", "drawn-beard")
        )
    else:
        left = astronaut.crop((170, 0, 278, 210))
        right = left.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    page = Image.new("RGB", (left.width + right.width + 80, 280), (150, 150, 160))
    page.paste(left, (40, 20))
    page.paste(right, (40 + left.width, 20))
    found = find_faces(page)
    assert len(found) == 2
    border = 40 + left.width
    for index, face in enumerate(found):
        plan = make(page, face_index=index, matte=matte)
        assert (plan.matte is not None) == (matte == "auto")
        if face.centre[0] < border:
            assert plan.crop.right <= border + 5
            assert plan.crop.right >= face.right
        else:
            assert plan.crop.x >= border - 5
            assert plan.crop.x <= face.x
        assert Condition.prepare(page, Plan.parse(plan.to_json())).mask.getbbox() is not None


def test_somebody_far_away_changes_nothing(astronaut):
    page = Image.new("RGB", (1024, 512), (90, 110, 130))
    page.paste(astronaut, (0, 0))
    alone = make(page)
    page.paste(astronaut.resize((256, 256)), (768, 256))
    assert make(page, face_index=0).crop == alone.crop
    assert make(page, face_index=0).matte == alone.matte


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ((160, 100, 40, 50), (0, 0, 150, 400)),  # two thirds of the gap are the larger one's
        ((0, 100, 40, 50), (43, 0, 457, 400)),
        ((60, 300, 40, 50), (0, 0, 500, 267)),  # below
        ((60, 110, 40, 40), (0, 0, 500, 400)),  # within: nothing parts them
    ],
)
def test_the_border_of_two_faces_is_nearer_to_the_smaller_one(other, part):
    face = Box(x=50, y=100, width=80, height=100)
    assert own_part(face, [Box.model_validate(other)], (500, 400)) == Box.model_validate(part)


def test_other_subjects():
    cat = make(Image.effect_noise((320, 200), 40), "a cat on a sofa", subject="Cat")
    assert cat.suppress == "cat"
    assert cat.box.width / cat.box.height == pytest.approx(1.6, rel=0.12)
    assert cat.related[0].label == "body"
    car = make(Image.effect_noise((320, 200), 40), "a car in the desert", subject="car")
    region = car.related[0].box
    assert region.x < car.box.x
    assert region.right > car.box.right


@pytest.mark.parametrize(
    ("prompt", "setting"),
    [
        ("a person in the forest", "normal"),
        ("an old person", "attribute"),
        ("an old castle behind a man", "normal"),
        ("a young woman with a red car", "attribute"),
        ("a very old and tired man", "attribute"),
        ("a man in an old city", "normal"),
        ("a woman wearing glasses", "attribute"),
        ("a boy with curly hair", "attribute"),
        ("an oil painting of an old man", "style"),
        ("a king, in the style of Van Gogh", "style"),
        ("A Pencil Sketch of a girl", "style"),
        ("a person painting a wall", "normal"),
        ("a man holding a comic book shop sign", "style"),
        ("", "normal"),
    ],
)
def test_the_setting_is_read_from_the_prompt(prompt, setting):
    assert read_setting(prompt) == setting


@pytest.mark.parametrize(
    ("prompt", "side"),
    [
        ("a person in the snow", None),
        ("a person with a dog on the left", "right"),
        ("a person with a red car on the right", "left"),
        ("a dog left of a woman", "right"),
        ("a woman to the left of a dog", "left"),
        ("a man to the right of a tree", "right"),
        ("a man next to a horse", "left"),
        ("a woman holding a balloon", "left"),
        ("a king on the left", "left"),
        ("a man on the left and a dog on the right", "left"),
        ("a dog on the left and a woman", "right"),
        ("a woman standing on the right", "right"),
    ],
)
def test_the_subject_makes_room(prompt, side):
    assert side_of_subject(prompt, "face") == side
    request = PlanRequest(Image.new("RGB", (64, 64)), prompt)
    x = place(request, Box(x=0, y=0, width=64, height=64), "face").centre[0]
    assert {"left": x < 240, "right": x > 272, None: 240 <= x <= 272}[side]


@pytest.mark.parametrize(("canvas", "side"), [((96, 160), 48), ((128, 128), 56), ((64, 64), 32)])
def test_a_face_on_a_narrow_canvas_is_large_enough_to_survive(canvas, side):
    """Six latents, unless that is more than half of the canvas."""
    request = PlanRequest(Image.new("RGB", (64, 64)), "a king", canvas)
    assert place(request, Box(x=0, y=0, width=64, height=64), "face").width == side


@settings(max_examples=300, deadline=None)
@given(
    st.integers(16, 3000),
    st.integers(16, 3000),
    st.integers(8, 128),
    st.integers(8, 128),
    st.sampled_from(["a king", "a portrait of a king", "a king, full body", "a king on the left"]),
    st.sampled_from(["face", "cat", "car"]),
)
def test_every_place_is_legal(width, height, columns, rows, prompt, subject):
    """Any crop on any canvas: inside, on the grid, not larger than the paper allows."""
    canvas = (columns * 8, rows * 8)
    request = PlanRequest(Image.new("RGB", (16, 16)), prompt, canvas)
    box = place(request, Box(x=0, y=0, width=width, height=height), subject)
    assert box.is_inside(canvas)
    assert all(value % 8 == 0 for value in box.corners)
    longest = max(box.width, box.height)
    assert longest <= max(8, MAX_CONDITION_SHARE * min(canvas))
    if min(canvas) >= 128:  # there the range has a multiple of 8 in it
        assert longest >= MIN_CONDITION_SHARE * min(canvas)
    for region in related_regions(box, canvas, subject):
        assert region.box.is_inside(canvas)
