"""Layout to image: phrases stay in their boxes in the layout steps, and only then."""

from __future__ import annotations

import pytest
import torch
from helpers import job, latents, noise_picture, plan, seeded, with_body

from sow.attention.control import AttentionControl
from sow.attention.layout import covered_cells, find_tokens, is_layout_step
from sow.diffusion.algorithm import Denoise
from sow.diffusion.recording import unet_calls_of
from sow.plan.box import Box
from sow.plan.plan import NOTHING, Plan
from sow.settings.settings import Settings

TEXT = Settings.preset("text")
PROMPT = "a red ball left of a blue box"
LEFT, RIGHT = [0, 16, 32, 32], [32, 16, 32, 32]
OBJECTS = [
    {"id": "ball", "label": "red ball", "box": LEFT},
    {"id": "box", "label": "blue box", "box": RIGHT},
]


def text_plan(objects=(), prompt=PROMPT, canvas=(64, 64)) -> Plan:
    return plan([0, 0, *canvas], canvas, prompt, subject=NOTHING, suppress="", objects=objects)


class Observer(AttentionControl):
    """Records the attention of each location to the tokens of a phrase, by state."""

    def __init__(self, phrase: str) -> None:
        self.phrase, self.seen = phrase, {}

    def begin(self, context):
        words = context.backbone.words(context.jobs[0].plan.prompt)
        self.places, self.size = find_tokens(self.phrase, words), context.size
        assert len(self.places) >= 2

    def before_call(self, step):
        self.state = getattr(step, "state", None)

    def observes(self, layer):
        return layer.kind == "cross" and layer.factor == 1

    def observe(self, layer, seen):
        value = torch.zeros_like(seen.key)
        value[:, :, self.places] = 1
        share = seen.attend(value)[0, :, :, 0].mean(0).unflatten(0, self.size)
        self.seen[self.state] = share


def observe_phrase(pipe, phrase, **arguments):
    observer = Observer(phrase)
    pipe.controls[:] = [observer]
    try:
        made = latents(pipe, **arguments)
    finally:
        pipe.controls.clear()
    return made, observer.seen


def test_a_phrase_is_only_attended_in_its_box_in_layout_steps(tiny):
    settings = TEXT.changed(layout_steps=3, layout_pull=1, steps=6, t1=2, t2=4)
    _, seen = observe_phrase(
        tiny, "red ball", image=None, plan=text_plan(OBJECTS), generator=seeded(0),
        settings=settings,
    )  # fmt: skip
    for state, share in seen.items():
        inside, outside = share[2:6, :4], share[:, 4:]
        if state > 3:  # the first three of six
            assert outside.max() == 0
            assert inside.min() > 0
        else:
            assert outside.max() > 0
    _, free = observe_phrase(
        tiny, "red ball", image=None, plan=text_plan(OBJECTS), generator=seeded(0),
        settings=settings.changed(layout_pull=0),
    )  # fmt: skip
    assert seen[6][2:6, :4].mean() > 1.2 * free[6][2:6, :4].mean()  # and is raised inside


def test_without_boxes_or_steps_nothing_changes(tiny):
    """Bit for bit; in a batch with a job that has boxes, nearly."""
    unplaced = [{**thing, "box": None} for thing in OBJECTS]
    plain = latents(tiny, image=None, plan=text_plan(), generator=seeded(1))
    for other, changes in ((unplaced, {}), (OBJECTS, {"layout_steps": 0})):
        other_plan = text_plan(other)
        made = latents(tiny, image=None, plan=other_plan, settings=changes, generator=seeded(1))
        assert torch.equal(made, plain)
    placed = latents(tiny, image=None, plan=text_plan(OBJECTS), generator=seeded(1))
    assert not torch.allclose(placed, plain, atol=1e-3)
    both = latents(
        tiny, image=[None, None], plan=[text_plan(OBJECTS), text_plan()],
        generator=[seeded(1), seeded(1)],
    )  # fmt: skip
    torch.testing.assert_close(both[0], placed[0], atol=2e-4, rtol=0)
    torch.testing.assert_close(both[1], plain[0], atol=2e-4, rtol=0)


def test_a_planted_condition_is_not_restricted(tiny):
    """The latents of C may attend to every phrase."""
    things = [{"id": "ball", "label": "red ball", "box": [0, 8, 16, 32]}]
    with_ball = with_body(prompt="a person left of a red ball", objects=things)
    made = [
        latents(tiny, **{**job(Settings()), "plan": each})
        for each in (with_ball, with_ball.changed(objects=()))
    ]
    assert not torch.equal(made[0], made[1])
    assert made[0].isfinite().all()
    _, seen = observe_phrase(tiny, "red ball", **{**job(Settings()), "plan": with_ball})
    inside = seen[7][1:5, 2:6]  # the condition's own latents
    assert inside.max() > 0
    assert seen[7][:, 6:].max() == 0


def test_a_text_only_plan_needs_no_inversion(tiny):
    """From noise, with as many UNet calls as steps."""
    made = tiny(image=None, plan=text_plan(), generator=seeded(2), return_cycles=True)
    assert made.images[0].size == (64, 64)
    calls = []
    tiny(
        image=noise_picture(1), plan=text_plan(), generator=seeded(2),
        callback_on_step_end=lambda pipe, number, time, seen: calls.append(number) or {},
    )  # fmt: skip
    assert len(calls) == TEXT.steps
    mixed = tiny(
        image=[None, noise_picture(1)], plan=[text_plan(), with_body()], settings=TEXT,
        generator=[seeded(2), seeded(3)],
    )  # fmt: skip
    assert len(mixed.images) == 2


@pytest.mark.parametrize(
    ("settings", "states"),
    [
        (TEXT, [10, 9, 8, 7, 6]),
        (TEXT.changed(layout_steps=7), [10, 9, 8, 7, 6, 5, 4]),
        (
            Settings.preset("swift-normal").changed(layout_steps=2),
            [5, 4, 7, 6],
        ),  # the first picture, then the cycle
        (Settings(cycles=2), [7, 6, 7, 6]),
        (Settings(layout_steps=0), []),
    ],
)
def test_layout_steps(settings, states):
    calls = [call for call in unet_calls_of(settings, 1) if isinstance(call, Denoise)]
    assert [call.state for call in calls if is_layout_step(call, settings)] == states


def test_tokens_of_phrases():
    words = [("a", [1]), ("red", [2]), ("ball", [3, 4]), ("and", [5]), ("a", [6]), ("ball", [7])]
    assert find_tokens("red ball", words) == [2, 3, 4]
    assert find_tokens("Red, ball!", words) == [2, 3, 4]
    assert find_tokens("green ball", words) == [3, 4, 7]  # only its noun
    assert find_tokens("cat", words) == []
    assert find_tokens("", words) == []


def test_a_small_box_gets_the_cell_it_covers_most():
    small = covered_cells([Box(x=20, y=4, width=8, height=6)], (64, 64), (4, 4))
    assert small.sum() == 1
    assert small[1]  # the second cell of the first row
    half = covered_cells([Box(x=0, y=0, width=40, height=64)], (64, 64), (4, 4))
    assert half.view(4, 4).any(0).tolist() == [True, True, True, False]
