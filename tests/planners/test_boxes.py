"""What the numbers of a box mean, and when nobody can know."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sow.planners.mllm.answers import BoxAnswer, Position
from sow.planners.mllm.asker import BadAnswer
from sow.planners.mllm.boxes import Hints, habit_of, read_position, read_regions

CANVAS, SIZES = (512, 512), (180, 256)


def place(numbers, order="list", hints=Hints(), canvas=CANVAS, sizes=SIZES):
    box = Position.model_validate({"box": list(numbers)}).box.model_copy(update={"order": order})
    read, reading = read_position(box, canvas, sizes, hints)
    return tuple(round(n) for n in read.numbers), str(reading)


@pytest.mark.parametrize(
    ("numbers", "pixels", "words"),
    [
        ((60, 40, 220, 220), (60, 40, 220, 220), "pixels"),
        ((400, 40, 200, 200), None, ""),  # beyond the edge, or thousandths that are too small
        ((330, 40, 220, 220), (330, 40, 220, 220), "pixels"),  # a little beyond the edge
        ((100, 100, 300, 300), (100, 100, 300, 300), "pixels"),  # too large, and nothing else
        ((5, 5, 9, 9), (5, 5, 9, 9), "pixels"),  # too small, and nothing else
        ((50, 50, 430, 430), None, ""),  # in the picture, but only as thousandths as asked for
        ((117, 78, 430, 430), (60, 40, 220, 220), "thousandths of the picture"),
        ((500, 78, 430, 430), (256, 40, 220, 220), "thousandths of the picture"),
        ((300, 300, 600, 650), (154, 154, 307, 333), "thousandths of the picture"),
        ((0.1, 0.2, 0.4, 0.4), (51, 102, 205, 205), "fractions of the picture"),
        ((0, 0, 1, 1), (0, 0, 512, 512), "fractions of the picture"),
        ((10, 8, 43, 43), None, ""),  # percent as asked for, or few pixels
        ((2000, 40, 220, 220), None, ""),  # nowhere
        ((60, 40, 0, 220), None, ""),
        ((-1e308, 40, 1e308, 1e308), None, ""),
    ],
)
def test_named_numbers(numbers, pixels, words):
    if pixels is None:
        with pytest.raises(BadAnswer, match=r"in pixels of the 512x512 picture"):
            place(numbers, "named")
    else:
        assert place(numbers, "named") == (pixels, words)


@pytest.mark.parametrize(
    ("numbers", "order", "hints", "pixels"),
    [
        ((60, 40, 220, 220), "list", Hints(), None),  # a size, or a corner
        ((300, 300, 200, 200), "list", Hints(), (300, 300, 200, 200)),  # no corner: it comes first
        ((330, 330, 512, 512), "list", Hints(), (330, 330, 182, 182)),  # x and y are the same
        ((250, 300, 450, 510), "list", Hints(), None),
        ((250, 300, 450, 510), "list", Hints("xyxy"), (250, 300, 200, 210)),
        ((250, 300, 450, 510), "yxyx", Hints(), (300, 250, 210, 200)),
        ((600, 500, 980, 900), "yxyx", Hints(), (256, 307, 205, 195)),
        ((0.3, 0.2, 0.75, 0.6), "list", Hints("yxyx"), (102, 154, 205, 230)),
    ],
)
def test_listed_numbers(numbers, order, hints, pixels):
    if pixels is None:
        with pytest.raises(BadAnswer, match="`box` may mean"):
            place(numbers, order, hints)
    else:
        assert place(numbers, order, hints)[0] == pixels


def test_on_a_canvas_of_about_a_thousand_pixels_it_does_not_matter():
    """What is asked for is taken: the two differ by less than anybody sees."""
    box = (300, 100, 420, 420)
    assert place(box, "named", canvas=(1024, 1024), sizes=(360, 512))[1] == "pixels"


def regions(*boxes, hints=Hints(), canvas=CANVAS):
    answers = [BoxAnswer.model_validate(box) for box in boxes]
    read, reading = read_regions(answers, canvas, hints)
    return [tuple(round(n) for n in box.numbers) for box in read], str(reading)


def test_regions_of_one_answer_are_read_alike():
    body = {"x": 60, "y": 500, "width": 600, "height": 500}
    arm = {"x": 100, "y": 100, "width": 100, "height": 200}
    assert regions(body, arm) == (
        [(31, 256, 307, 256), (51, 51, 51, 102)], "thousandths of the picture"
    )  # fmt: skip
    assert regions(arm) == ([(100, 100, 100, 200)], "pixels")
    low = {"x": 30, "y": 300, "width": 300, "height": 260}
    assert regions(low, hints=Hints(scale="pixels"))[1] == "pixels"  # a little below the edge
    assert regions({**low, "height": 2000})[1] == "pixels"  # cut; it can be nothing else
    assert regions() == ([], "pixels")
    for unlike in ((arm, "thousandths"), (body, "pixels")):
        with pytest.raises(BadAnswer, match="`regions` may mean pixels or thousandths"):
            regions(unlike[0], hints=Hints(scale=unlike[1]))


def test_listed_regions():
    assert regions([30, 260, 300, 252]) == (
        [(30, 260, 300, 252)],
        "[x, y, width, height] in pixels",
    )
    with pytest.raises(BadAnswer, match="may mean"):
        regions([30, 260, 330, 512])
    read, words = regions([30, 260, 330, 512], hints=Hints(order="xyxy"))
    assert (read, words) == ([(30, 260, 300, 252)], "[xmin, ymin, xmax, ymax] in pixels")
    assert regions([[30, 260], [330, 512]])[0] == [(30, 260, 300, 252)]


def test_families_of_models_have_habits():
    assert habit_of("gemini", "flash") == "yxyx"
    assert habit_of("openai", "Qwen3-VL:8b") == "xyxy"
    assert habit_of("openai", "llava") is None


ANYTHING = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-2000, 2000), st.floats(0, 1)
)


@given(st.lists(st.lists(ANYTHING, min_size=4, max_size=4), min_size=1, max_size=3))
def test_any_numbers_are_a_box_or_refused(boxes):
    for order in ("named", "list"):
        answers = [BoxAnswer.model_validate(box).model_copy(update={"order": order})
                   for box in boxes]  # fmt: skip
        for hints in (Hints(), Hints("yxyx", "thousandths")):
            with suppress(BadAnswer):
                (box, _) = read_position(answers[0], CANVAS, SIZES, hints)
                assert box.order == "named"
            with suppress(BadAnswer):
                assert len(read_regions(answers, CANVAS, hints)[0]) == len(boxes)
