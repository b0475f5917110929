"""The sizes of pictures that models can make, for what people ask for."""

from __future__ import annotations

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sow.errors import UsageError
from sow.plan.canvas import MAX_RATIO, CanvasShape, nearest_size
from sow.settings.inputs import as_canvas

SD, FIGURES = ((512, 512), 64), ((128, 128), 32)


@pytest.mark.parametrize(
    ("shape", "own", "size"),
    [
        ("9:16", SD, (384, 704)),
        ("16:9", SD, (704, 384)),
        ("1:1", SD, (512, 512)),
        ("3:2", SD, (576, 384)),
        ("9 : 16", FIGURES, (96, 160)),
        ("2:1", FIGURES, (192, 96)),
    ],
)
def test_a_shape_is_a_size_of_about_the_models_own_area(shape, own, size):
    found = as_canvas(shape)
    assert isinstance(found, CanvasShape)
    assert found.size(*own) == size


@given(st.integers(1, 400), st.integers(1, 400))
def test_every_shape_is_near_what_was_asked_for(across, down):
    if max(across, down) > MAX_RATIO * min(across, down):
        with pytest.raises(UsageError, match="too narrow"):
            as_canvas(f"{across}:{down}")
        return
    width, height = as_canvas(f"{across}:{down}").size(*SD)
    assert width % 64 == height % 64 == 0
    assert abs(log(width / height * down / across)) < 0.2
    assert abs(log(width * height / 512**2)) < 0.5


def test_a_size_is_rounded_to_what_the_model_can_make():
    assert nearest_size((720, 1280), 64) == (704, 1280)
    assert nearest_size((512, 512), 64) == (512, 512)
    assert nearest_size((8, 100), 64) == (64, 128)


@pytest.mark.parametrize(
    "text", ["9:", ":16", "9:16:9", "0:1", "a:b", "-1:2", "1.5:1", "9:99999999"]
)
def test_what_is_no_shape_is_refused_in_a_line(text):
    with pytest.raises(UsageError, match="is not a canvas"):
        as_canvas(text)
