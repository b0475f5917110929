"""What becomes of a picture that somebody brings, and of where they put it; without a browser."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from brought import as_bytes, from_url, heads, shapes, side_by_side
from PIL import Image, ImageDraw

import sow
from sow.errors import SowError
from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.studio.job import Job
from sow.studio.placing import Placing, placed, read_placing, usual_sizes, with_own_labels
from sow.studio.session import Session
from sow.studio.studio import Studio, Wish
from sow.studio.views import from_data_url, placing_view, stage_view
from sow.studio.wording import error_text, for_page


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    return Studio(sow.Service("figures", device="cpu"), tmp_path_factory.mktemp("out"))


def brought(studio, image, wish=Wish(), **how):
    session = Session("a page")
    studio.bring(session, as_bytes(image, **how), "somebody.png")
    studio.plan(session, wish)
    return session


def numbers(box):
    return [box.x, box.y, box.width, box.height]


def test_five_faces_are_outlined_and_another_can_be_planted(studio):
    session = brought(studio, side_by_side(5))
    view = stage_view(studio, session)
    assert len(view["picture"]["faces"]) == 5
    assert view["picture"]["chosen"] == 0
    assert view["notes"] == ["5 faces were found; click the one to plant."]
    crops = {session.plan.crop.corners}
    for index in (2, 4):
        studio.choose(session, index)
        studio.plan(session, Wish())
        crop, face = session.plan.crop, session.faces[index]
        assert abs(crop.centre[0] - face.centre[0]) < 40
        assert abs(crop.centre[1] - face.centre[1]) < 40
        assert stage_view(studio, session)["picture"]["chosen"] == index
        crops.add(crop.corners)
    assert len(crops) == 3
    with pytest.raises(SowError, match="there is no face 5; click one of the outlines"):
        studio.choose(session, 5)


def test_a_photograph_on_figures_is_warned_of_before_a_picture_is_made(studio):
    said = "Figures knows only a small drawn world: a photograph planted in it looks odd; "
    with Image.open(Path(__file__).parents[2] / "examples" / "astronaut.jpg") as photograph:
        session = brought(studio, photograph)
    notes = stage_view(studio, session)["notes"]
    assert notes == [said + "use Stable Diffusion 2.1 for photographs."]
    assert stage_view(studio, brought(studio, heads()[0]))["notes"] == []


def test_all_of_it_is_planted(studio):
    image = side_by_side(2)
    session = brought(studio, image)
    studio.choose(session, None)
    studio.plan(session, Wish())
    view = stage_view(studio, session)
    assert view["picture"]["whole"]
    assert view["picture"]["chosen"] is None
    assert view["piece"]["ratio"] == 2
    assert studio.condition(session).mask.getextrema() == (255, 255)


@pytest.mark.parametrize(
    ("image", "how", "notes"),
    [
        (shapes(), {}, ["No face was found: planting the picture as a thing."]),
        (
            heads()[1].rotate(90), {},
            ["The picture was turned clockwise by 90 degrees, which makes a face upright."],
        ),
        (
            heads()[0].crop((60, 70, 200, 200)), {},
            ["The head fills the picture: using an ellipse."],
        ),
        (
            heads()[0], {"format": "GIF", "save_all": True, "append_images": heads()[1:]},
            ["The picture holds several pictures: only the first is used."],
        ),
    ],
    ids=["no face", "turned", "tight", "animation"],
)  # fmt: skip
def test_what_is_odd_is_said_in_one_sentence_and_planted(studio, image, how, notes):
    session = brought(studio, image, **how)
    view = stage_view(studio, session)
    assert view["mode"] == "place"
    assert view["problem"] == ""
    assert view["notes"][: len(notes)] == notes


def test_a_turned_picture_is_shown_as_it_is_planted(studio):
    session = brought(studio, heads()[1].rotate(90))
    upright = brought(studio, heads()[1])
    assert len(session.faces) == 1
    assert session.plan.turn == 0
    assert session.plan.crop == upright.plan.crop


def test_of_two_faces_in_a_turned_picture_one_is_chosen(studio):
    session = brought(studio, side_by_side(2).rotate(90, expand=True))
    assert len(session.faces) == 2
    assert stage_view(studio, session)["picture"]["chosen"] == 0
    studio.plan(session, Wish(prompt="a man"))
    crop, face = session.plan.crop, session.faces[0]
    assert abs(crop.centre[0] - face.centre[0]) < 40


def test_a_picture_is_turned_by_hand(studio):
    session = brought(studio, shapes())
    studio.turn(session)
    assert session.picture.size == (160, 200)
    session = brought(studio, heads()[0].rotate(180))  # a drawn one looks upright to a detector
    studio.turn(session)
    studio.plan(session, Wish())
    assert session.picture.tobytes() == heads()[0].tobytes()
    studio.choose(session, None)
    studio.turn(session)
    studio.plan(session, Wish())
    assert session.whole
    assert session.picture.tobytes() == heads()[0].rotate(-90).tobytes()


def test_a_blank_picture_has_a_choice(studio):
    session = Session("a page")
    studio.bring(session, as_bytes(Image.new("RGB", (90, 60), (90, 20, 20))))
    with pytest.raises(SowError) as raised:
        studio.plan(session, Wish())
    assert error_text(raised.value) == (
        "The picture is blank: all of it has one colour; give one that shows something."
    )
    assert stage_view(studio, session)["mode"] == "plant"
    studio.choose(session, None)
    studio.plan(session, Wish())
    assert stage_view(studio, session)["piece"]["ratio"] == 1.5


@pytest.mark.parametrize(
    "data",
    [
        b"", b"hello", as_bytes(heads()[0])[:2000], b"GIF89a" + bytes(20),
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>",
        as_bytes(Image.new("RGB", (4, 4000))),
    ],
    ids=["empty", "text", "truncated", "broken GIF", "SVG", "thin"],
)  # fmt: skip
def test_a_broken_upload_is_one_sentence_and_leaves_what_was_there(studio, data):
    session = brought(studio, heads()[0])
    before = stage_view(studio, session)
    with pytest.raises(SowError) as raised:
        studio.bring(session, data, "../<img src=x onerror=1>.png")
    assert "\n" not in error_text(raised.value)
    assert stage_view(studio, session) == before


@pytest.mark.parametrize("url", [None, 7, "", "http://x/y.png", "data:image/png;base64,***"])
def test_what_is_no_data_url_is_refused(url):
    with pytest.raises(SowError, match="this is not a picture"):
        from_data_url(url)


def test_painting_changes_what_is_planted_and_where_nothing(studio):
    session = brought(studio, heads()[0])
    view, before = stage_view(studio, session), studio.condition(session)
    mask = from_url(view["piece"]["mask"]).getchannel("A")
    ImageDraw.Draw(mask).rectangle([0, 0, mask.width // 2, mask.height], fill=0)
    studio.paint(session, mask)
    after = studio.condition(session)
    left, right = (0, 0, 25, 56), (31, 0, 56, 56)
    assert before.mask.crop(left).getextrema()[1] == 255
    assert after.mask.crop(left).getextrema()[1] == 0
    kept = [abs(a - b) for a, b in zip(after.mask.crop(right).tobytes(),
                                       before.mask.crop(right).tobytes(), strict=True)]  # fmt: skip
    assert sum(kept) / len(kept) < 8
    painted = stage_view(studio, session)["piece"]
    assert painted["painted"]
    assert painted["src"] == view["piece"]["src"]  # what was removed can be added again
    assert stage_view(studio, session)["box"] == view["box"]
    studio.plan(session, Wish(prompt="a woman on a beach"))  # other words keep what was painted
    assert studio.condition(session).mask.crop(left).getextrema()[1] == 0
    studio.paint(session, None)
    assert studio.condition(session).mask.tobytes() == before.mask.tobytes()


def test_a_mask_that_keeps_nothing_is_refused(studio):
    session = brought(studio, heads()[0])
    before = studio.condition(session).mask.tobytes()
    with pytest.raises(SowError, match="the mask keeps nothing of the picture"):
        studio.paint(session, Image.new("L", (200, 200), 0))
    assert studio.condition(session).mask.tobytes() == before


def test_regions_follow_until_they_are_touched(studio):
    session = brought(studio, heads()[0])
    box, (body,) = session.plan.box, session.plan.related
    moved = Box(x=box.x - 24, y=box.y + 16, width=box.width, height=box.height)
    studio.place(session, Placing(moved))
    (followed,) = studio.placed_plan(session).related
    assert followed.box.y == body.box.y + 16
    assert followed.box.bottom == 128  # what lay on the canvas's edge stays there
    studio.place(session, Placing(moved, {"body": Box(x=3, y=60, width=50, height=40)}))
    further = moved.model_copy(update={"x": 64})
    studio.place(session, Placing(further, {"body": Box(x=3, y=60, width=50, height=40)}))
    plan = studio.placed_plan(session)
    assert numbers(plan.related[0].box) == [3, 60, 50, 40]
    assert numbers(plan.box) == numbers(further)
    view = placing_view(studio, session, edit=3)
    assert view["edit"] == 3
    assert view["regions"] == [{"label": "body", "box": [3, 60, 50, 40], "moved": True}]
    assert "moved along" not in str(plan.notes)


def test_the_same_place_is_the_same_plan_however_it_got_there(studio):
    session = brought(studio, heads()[0])
    before = studio.placed_plan(session)
    for x in (0, 8, 72, 16):
        studio.place(session, Placing(before.box.model_copy(update={"x": x})))
    studio.place(session, Placing(before.box))
    assert studio.placed_plan(session) == before


def test_a_region_that_was_pushed_out_comes_back(studio):
    session = brought(studio, heads()[0])
    box = session.plan.box
    down = box.model_copy(update={"y": 128 - box.height})
    studio.place(session, Placing(down))
    assert studio.placed_plan(session).related == ()
    studio.place(session, Placing(box))
    assert [r.label for r in studio.placed_plan(session).related] == ["body"]


def test_a_box_is_put_on_the_grid_and_has_to_be_on_the_canvas(studio):
    session = brought(studio, heads()[0])
    studio.place(session, Placing(Box(x=13, y=3, width=50, height=53)))
    assert numbers(studio.placed_plan(session).box) == [16, 0, 48, 56]
    with pytest.raises(SowError, match=r"the piece .* is not inside the canvas 128x128"):
        studio.place(session, Placing(Box(x=100, y=0, width=56, height=56)))
    with pytest.raises(SowError, match=r"the region 'body' .* is not inside the canvas"):
        studio.place(session, Placing(regions={"body": Box(x=-1, y=0, width=56, height=56)}))
    assert numbers(studio.placed_plan(session).box) == [16, 0, 48, 56]


def test_a_small_face_is_warned_of(studio):
    session = brought(studio, heads()[0])
    studio.place(session, Placing(Box(x=0, y=0, width=16, height=16)))
    notes = placing_view(studio, session)["notes"]
    assert any(note.startswith("A box of 16x16 is small") for note in notes)


def test_other_words_keep_what_was_placed_and_another_format_does_not(studio):
    session = brought(studio, heads()[0], Wish(prompt="a man in a forest"))
    put = Placing(Box(x=8, y=56, width=40, height=40))
    studio.plan(session, Wish(prompt="a man on the right of a tree", placing=put))
    assert numbers(studio.placed_plan(session).box) == [8, 56, 40, 40]
    studio.plan(session, Wish(prompt="a man", canvas="2:3", placing=put))
    assert session.placing == Placing()
    assert studio.placed_plan(session).canvas == (96, 160)


def test_what_was_moved_on_an_earlier_piece_or_canvas_is_not_meant(studio):
    session = brought(studio, side_by_side(2), Wish(prompt="a man"))
    for act, wish in (
        (lambda: studio.choose(session, 1), Wish(prompt="a man")),
        (lambda: None, Wish(prompt="a man", canvas="2:3")),
    ):
        put = Placing(Box(x=8, y=56, width=40, height=40), version=session.version)
        studio.place(session, put)
        assert placing_view(studio, session)["box"] == [8, 56, 40, 40]
        act()
        studio.plan(session, wish)
        planned = studio.placed_plan(session)
        studio.place(session, put)
        studio.plan(session, replace(wish, prompt="a man in a forest", placing=put))
        assert studio.placed_plan(session).box == planned.box
    studio.place(session, replace(put, version=session.version))
    assert numbers(studio.placed_plan(session).box) == [8, 56, 40, 40]


def test_a_box_that_is_not_on_the_canvas_is_refused_and_the_plan_stays(studio):
    session = brought(studio, heads()[0])
    outside = Placing(Box(x=8, y=8, width=4000, height=4000))
    with pytest.raises(SowError, match="the piece"):
        studio.plan(session, Wish(prompt="a man", placing=outside))
    assert stage_view(studio, session)["mode"] == "place"


def test_a_plan_that_took_its_time_is_not_that_of_another_picture(studio, monkeypatch):
    session = brought(studio, heads()[0])
    plan = sow.Service.plan

    def slowly(service, request):
        planned = plan(service, request)
        studio.bring(session, as_bytes(heads()[1]), "another.png")
        return planned

    monkeypatch.setattr(sow.Service, "plan", slowly)
    with pytest.raises(SowError, match="something else was chosen meanwhile; plan again"):
        studio.plan(session, Wish())
    assert session.plan is None


def test_pictures_are_named_after_what_was_planted_when_they_were_asked_for(studio, quick_pictures):
    session = brought(studio, heads()[0])
    before = studio.line.join("somebody")
    moments = studio.make(session, Wish(prompt="a man", seed=3))
    assert next(moments).stage == "waiting"
    studio.bring(session, as_bytes(heads()[1]), "another.png")
    studio.line.leave(before)
    assert [*moments][-1].stage == "done"
    assert session.made == {"somebody-a-man-3.png"}


def test_progress_is_that_of_all_pictures_however_many_fit_into_memory(
    studio, quick_pictures, monkeypatch
):
    monkeypatch.setattr("sow.models.memory.MAX_BATCH_SIZE", 1)
    done, tell = [], Job._tell

    def noted(job, moment):  # who looks may miss some
        done.append(moment.done)
        tell(job, moment)

    monkeypatch.setattr(Job, "_tell", noted)
    session = brought(studio, heads()[0])
    assert [*studio.make(session, Wish(prompt="a man", seed=3, num=3))][-1].stage == "done"
    assert done == sorted(done)
    assert any(0 < share < 1 / 3 for share in done)
    assert len(session.made) == 3


def test_what_is_placed_is_what_a_request_says(studio):
    wish = Wish(prompt="a man", canvas="9:16", placing=Placing(Box(x=8, y=56, width=40, height=40)))
    session = brought(studio, heads()[0], Wish(prompt="a man", canvas="9:16"))
    studio.place(session, wish.placing)
    spec = studio.service.resolve(studio._make_request(session, wish))
    assert spec.plan.canvas == session.plan.canvas
    assert numbers(spec.plan.box) == [8, 56, 40, 40]
    assert spec.plan.related == studio.placed_plan(session).related
    assert spec.condition.mask.tobytes() == studio.condition(session).mask.tobytes()


@pytest.mark.parametrize(
    "value",
    [
        {"box": [1, 2, 3]}, {"box": "x"}, {"box": [0, 0, -5, 5]}, {"box": [0.5, 0, 8, 8]},
        {"box": [0, 0, 10**12, 8]}, {"regions": [1]}, {"regions": {"body": [1]}},
        {"regions": {str(n): [0, 0, 8, 8] for n in range(300)}}, {"box": {"x": 1}},
    ],
)  # fmt: skip
def test_what_is_no_box_is_refused(value):
    with pytest.raises(SowError, match="place it again"):
        read_placing(value)


@pytest.mark.parametrize("value", [None, "x", 3, [], {}, {"page": 3, "box": None, "other": 1}])
def test_a_value_without_boxes_moves_nothing(value):
    assert read_placing(value) == Placing()


def test_regions_get_labels_of_their_own():
    region = {"label": "tree", "box": [0, 0, 8, 8]}
    plan = Plan.parse({"prompt": "x", "box": [0, 0, 64, 64], "related": [region] * 3})
    assert [r.label for r in with_own_labels(plan).related] == ["tree", "tree 2", "tree 3"]
    assert placed(plan, Placing(), 8) is plan


def test_usual_sizes_are_the_papers():
    assert usual_sizes((512, 512)) == (180, 256)
    assert usual_sizes((128, 192)) == (45, 64)


def test_notes_are_said_without_names_of_arguments():
    assert for_page("2 faces: using the largest; choose another with face_index=") == (
        "2 faces: using the largest."
    )
    assert for_page("a box of 16x16 is small: it disappears") == (
        "A box of 16x16 is small: it disappears."
    )
