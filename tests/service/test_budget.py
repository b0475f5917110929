"""What something costs is counted before it is spent."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sow
from sow.errors import DeviceError, UsageError
from sow.models.memory import device_memory, max_batch_size
from sow.pictures.recipe import read_recipe, save_png
from sow.plan.plan import Plan
from sow.service.budget import UNTRUSTED_BUDGET, USER_BUDGET, Budget, count_unet_samples
from sow.settings.settings import PRESETS, Settings


def plan_of(width: int, height: int) -> Plan:
    return Plan(canvas=(width, height), prompt="a man", box=[8, 8, 48, 48])


@pytest.mark.parametrize("preset", PRESETS)
def test_samples_are_counted_as_the_unet_is_asked(tiny, faces, preset):
    """Against the rows that really reach the UNet."""
    chosen = Settings.preset(preset).changed(steps=6, t1=2, t2=4, cycles=2, preserve=[1])
    rows: list[int] = []
    hook = tiny.unet.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    try:
        tiny(image=faces["drawn-beard"], plan=plan_of(64, 64), settings=chosen)
    finally:
        hook.remove()
    assert count_unet_samples(chosen, 10**6) == sum(rows)


def test_the_presets_and_what_docs_speak_of_are_within_both_budgets():
    for settings_ in PRESETS.values():
        for budget in (USER_BUDGET, UNTRUSTED_BUDGET):
            assert budget.find_excess(plan_of(512, 512), settings_, 8) is None
    assert USER_BUDGET.find_excess(plan_of(512, 512), Settings(), 1000) is None
    assert count_unet_samples(Settings(), 1000) == 107
    assert count_unet_samples(PRESETS["swift-normal"], 1000) == 41


def test_a_plan_without_a_noun_is_counted_without_the_pair():
    tight = Budget(canvas_pixels=512 * 512, samples=60, total_samples=60)
    assert tight.find_excess(plan_of(512, 512).changed(suppress=""), Settings(), 1) is None
    assert tight.find_excess(plan_of(512, 512), Settings(), 1) is not None


HUGE = Settings(steps=1000, t1=400, t2=999, cycles=1000, replant=4, first_cycles=1000, preserve=())


@pytest.mark.parametrize(
    ("plan", "settings_", "pictures"),
    [(plan_of(8192, 8192), Settings(), 1), (plan_of(512, 512), HUGE, 1),
     (plan_of(512, 512), Settings(), 10_000), (plan_of(2048, 2048), Settings(), 200)],
)  # fmt: skip
def test_what_costs_too_much_is_asked_about(plan, settings_, pictures):
    asked: list[str] = []
    started = time.process_time()
    with pytest.raises(UsageError, match="agree="):
        USER_BUDGET.check(plan, settings_, pictures, lambda line: bool(asked.append(line)))
    assert len(asked) == 1
    USER_BUDGET.check(plan, settings_, pictures, lambda line: True)
    assert time.process_time() - started < 5  # it is counted no further than it has to be


@settings(max_examples=200, deadline=None)
@given(st.integers(64, 8192), st.integers(64, 8192), st.integers(1, 10**6))
def test_a_stranger_may_never_ask_for_more_than_the_user(width, height, pictures):
    plan = plan_of(width, height)
    if USER_BUDGET.find_excess(plan, Settings(), pictures):
        assert UNTRUSTED_BUDGET.find_excess(plan, Settings(), pictures)


def test_a_strangers_recipe_does_not_cost_a_fortune(faces, tmp_path):
    made = sow.generate(faces["drawn-beard"], "a man", model="figures", seed=1,
                        settings={"replant": 0, "cycles": 0})  # fmt: skip
    made.save(tmp_path / "a.png")
    recipe, condition = read_recipe(tmp_path / "a.png")
    dear = recipe.settings.changed(steps=1000, t1=500, t2=900, cycles=1000, preserve=())
    for name, changes in {"steps": {"settings": dear}, "batch": {"batch_size": 64}}.items():
        asked = recipe.model_copy(update=changes)
        save_png(made.image, tmp_path / f"{name}.png", asked, condition)
    with pytest.raises(UsageError, match="UNet samples"):
        sow.Service.of_recipe(tmp_path / "steps.png")
    sow.Service.of_recipe(tmp_path / "batch.png")  # 64 small pictures are not much
    sow.Service.of_recipe(tmp_path / "steps.png", agree=lambda line: True)


def test_a_picture_that_cannot_fit_is_refused_before_it_is_begun(tiny):
    memory = device_memory(tiny.device)
    assert max_batch_size(tiny, (64, 64), 4, 3) == 3
    with pytest.raises(DeviceError, match="needs about"):
        max_batch_size(tiny, (memory, 64), 4, 1)
