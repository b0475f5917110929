"""Fewer UNet samples: strides, omitted branches, prefixes that the seeds of a plan share."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDIMScheduler
from helpers import QUICK, noise_picture, plan, seeded

from sow.backbones.schedule import DiffusionSchedule
from sow.diffusion.algorithm import CANVAS, Denoise, Invert
from sow.diffusion.prompts import outside_of
from sow.diffusion.recording import num_conditions, unet_calls_of
from sow.pipeline.calls import count_forwards
from sow.pipeline.prefix_cache import PrefixCache
from sow.service.budget import count_unet_samples
from sow.settings.settings import Settings

REPLANT = QUICK.changed(replant=1, cycles=1, planted="condition", preserve=(1,))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_strides_arrive_where_single_steps_do_for_an_exact_model(prediction, stride):
    """In both directions: the mix of a picture and noise is right at every level."""
    made = DiffusionSchedule.from_scheduler(DDIMScheduler(prediction_type=prediction), 10)
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))

    def at(state: int) -> torch.Tensor:
        level = made.alphas_cumprod[state]
        return math.sqrt(level) * clean + math.sqrt(1 - level) * noise

    def answer(state: int) -> torch.Tensor:
        level = made.alphas_cumprod[state]
        v = math.sqrt(level) * noise - math.sqrt(1 - level) * clean
        return noise if prediction == "epsilon" else v

    start, end = 2, 2 + stride
    torch.testing.assert_close(made.invert(at(start), answer(end), start, stride), at(end))
    back, pointed = made.denoise(at(end), answer(end), end, step_skip=stride)
    torch.testing.assert_close(back, at(start))
    torch.testing.assert_close(pointed, clean, atol=1e-4, rtol=1e-4)


def test_an_inversion_by_strides_has_all_states(tiny):
    def inverted(until: int, stride: int) -> list[tuple[int, int]]:
        states = {"t1": until, "t2": until + 1, "preserve": (1,)}
        settings = QUICK.changed(cycles=0, inversion_stride=stride, **states)
        calls = unet_calls_of(settings)
        return [(call.state, call.step_skip) for call in calls if isinstance(call, Invert)]

    assert inverted(5, 1) == [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]
    assert inverted(5, 2) == [(0, 1), (1, 2), (3, 2)]
    assert inverted(4, 2) == [(0, 2), (2, 2)]
    assert inverted(2, 9) == [(0, 2)]
    # Every state can be preserved, with any stride.
    settings = QUICK.changed(inversion_stride=3, preserve=(5, 4, 3, 2, 1))
    result = tiny(image=noise_picture(1), plan=plan(), settings=settings, output_type="latent",
                  generator=seeded(0)).images  # fmt: skip
    assert torch.isfinite(result).all()


def test_number_of_conditions_per_step():
    settings = REPLANT.changed(outside="pair", outside_until=4, guided_until=3,
                                 first_guided_until=5)  # fmt: skip
    asked = [num_conditions(c, settings) for c in unet_calls_of(settings) if isinstance(c, Denoise)]
    first, cycle, last = asked[:5], asked[5:7], asked[7:]
    assert (first, cycle, last) == ([4, 1, 1, 1, 1], [4, 4], [4, 4, 2, 1, 1])
    joined = [
        num_conditions(Denoise(state), settings.changed(outside="joined")) for state in (5, 3)
    ]
    assert joined == [3, 2]
    assert num_conditions(Denoise(5), settings.changed(outside="none")) == 2
    assert num_conditions(Denoise(1, from_noise=True), settings) == 4
    assert num_conditions(Denoise(1, cycle=0), settings) == 4
    assert num_conditions(Invert(CANVAS, 0), settings) == 1
    assert num_conditions(Invert(CANVAS, 0), settings.changed(inversion_guidance_scale=2)) == 2


def test_an_unguided_state_only_uses_the_prompt(tiny):
    """As with a guidance scale of 1, without the other branches; the first state is guided."""
    job = {"image": noise_picture(1), "plan": plan(suppress="a cat"), "output_type": "latent"}
    alone = QUICK.changed(outside="pair", guided_until=9, cycles=0)
    seen: list[tuple[int, torch.Tensor]] = []

    def observe(pipe, call, time, tensors):
        seen.append((call, tensors["latents"]))
        return {}

    with count_forwards(tiny.unet) as counter:
        last = tiny(**job, settings=alone, callback_on_step_end=observe).images
    assert counter.samples == counter.calls + 3
    begun = dict(seen)[5]  # after five inversions and the guided state
    assert not torch.equal(begun, last)

    def from_there(pipe, call, time, tensors):
        return {"latents": begun} if call == 5 else {}

    same = alone.changed(outside="none", guidance_scale=1, condition_guidance_scale=1)
    again = tiny(**job, settings=same.changed(guided_until=1), callback_on_step_end=from_there)
    assert torch.allclose(last, again.images, atol=1e-4)


@pytest.mark.parametrize("field", ["guided_until", "first_guided_until"])
def test_jobs_of_one_call_may_have_different_guidance_intervals(tiny, field):
    """Each picture is the same as alone; the call has the conditions of the longest interval."""
    settings = [REPLANT.changed(outside="pair", **{field: until}) for until in (1, 3, 5)]
    job = {"image": noise_picture(1), "plan": plan(suppress="a cat"), "output_type": "latent"}
    generators = [seeded(0) for _ in settings]
    with count_forwards(tiny.unet) as counter:
        made = tiny(**job, settings=settings, generator=generators).images
    assert counter.samples == 3 * count_unet_samples(settings[0], 1000)
    for together, own in zip(made, settings, strict=True):
        alone = tiny(**job, settings=own, generator=seeded(0)).images[0]
        assert torch.allclose(together, alone, atol=1e-4)
    assert not torch.allclose(made[0], made[1], atol=1e-2)


@pytest.mark.parametrize(
    ("preset", "calls", "pair", "none"),
    [("swift-normal", 19, 41, 27), ("swift-attribute", 19, 43, 29), ("swift-style", 19, 49, 31),
     ("thorough-normal", 24, 60, 36), ("thorough-style", 24, 60, 36),
     ("paper-normal", 32, 107, 57), ("normal", 32, 107, 57)],
)  # fmt: skip
def test_unet_samples_per_preset(preset, calls, pair, none):
    settings = Settings.preset(preset)
    assert len(unet_calls_of(settings)) == calls
    assert count_unet_samples(settings, 1000) == pair
    assert count_unet_samples(settings.changed(outside="none"), 1000) == none


@pytest.mark.parametrize("outside", ["pair", "joined"])
def test_branches_that_cancel_out_are_omitted(tiny, outside):
    """Without a noun to suppress: half of the pair's samples, and the same picture."""
    settings = QUICK.changed(outside=outside)
    job = {"image": noise_picture(1), "output_type": "latent", "settings": settings}
    with count_forwards(tiny.unet) as counter:
        without_pair = tiny(**job, plan=plan(suppress=""), generator=seeded(0)).images
    assert counter.samples == count_unet_samples(settings.changed(outside="none"), 1000)
    # In a batch with a noun both jobs have all branches; they cancel out in the mix.
    both = [plan(suppress=""), plan(suppress="a cat")]
    with count_forwards(tiny.unet) as counter:
        beside = tiny(**job, plan=both, generator=[seeded(0), seeded(0)]).images
    assert counter.samples == 2 * count_unet_samples(settings, 1000)
    assert torch.allclose(without_pair[0], beside[0], atol=1e-4)
    assert not torch.allclose(beside[0], beside[1], atol=1e-2)


def test_a_noun_that_is_also_encouraged_cancels_out():
    settings = Settings(encourage_prompt="a cat")
    assert outside_of(plan(suppress="a cat"), settings) == "none"
    assert outside_of(plan(suppress="a dog"), settings) == "pair"
    assert outside_of(plan(suppress="a dog"), settings.changed(outside="joined")) == "joined"


JOB = {"image": noise_picture(1), "plan": plan(suppress="a cat"), "output_type": "latent"}


def test_further_seeds_reuse_the_prefix_bit_for_bit(tiny):
    prefix_cache, settings = PrefixCache(), REPLANT.changed(outside="pair")
    for seed in (1, 2):
        with count_forwards(tiny.unet) as counter:
            made = tiny(**JOB, settings=settings, generator=seeded(seed), prefix_cache=prefix_cache)
        plain = tiny(**JOB, settings=settings, generator=seeded(seed))
        assert torch.equal(made.images, plain.images)
        # 5 inversions, 5 of 4 branches and 7 more inversions are shared by the seeds.
        assert counter.samples == (60 if seed == 1 else 28)
    assert len(prefix_cache) == 1


def test_seeds_of_one_call_share_the_prefix(tiny):
    settings, count = REPLANT.changed(outside="pair"), 3
    generators = [seeded(n) for n in range(count)]
    with count_forwards(tiny.unet) as counter:
        made = tiny(**{**JOB, "plan": [JOB["plan"]] * count}, settings=settings,
                    generator=generators, prefix_cache=PrefixCache()).images  # fmt: skip
    assert counter.samples == 32 + count * 28
    for seed in range(count):
        alone = tiny(**JOB, settings=settings, generator=seeded(seed)).images[0]
        assert torch.allclose(made[seed], alone, atol=1e-3)


def test_prefixes_are_cached_by_everything_they_depend_on(tiny):
    prefix_cache = PrefixCache(max_size=3)
    settings = REPLANT.changed(cycles=1)
    changes = [
        {}, {"image": noise_picture(2)}, {"plan": plan(prompt="a cat")},
        {"settings": settings.changed(guidance_scale=3)}, {},
    ]  # fmt: skip
    asked = []
    for change in changes:
        with count_forwards(tiny.unet) as counter:
            tiny(**{**JOB, "settings": settings, **change}, prefix_cache=prefix_cache)
        asked.append(counter.calls)
    assert asked == [24] * 5  # only three are kept, so the first is evicted
    with count_forwards(tiny.unet) as counter:
        tiny(**JOB, settings=settings, prefix_cache=prefix_cache)
    assert counter.calls == 7
    weight = next(tiny.unet.parameters())
    with torch.no_grad():
        weight.add_(0)  # a change in place, as when weights are loaded
    with count_forwards(tiny.unet) as counter:
        tiny(**JOB, settings=settings, prefix_cache=prefix_cache)
    assert counter.calls == 24


@pytest.mark.parametrize(
    ("changes", "shared"),
    [({"seed_canvas": "noise"}, 0), ({"seed_canvas": "none", "cycles": 0}, 7),
     ({"inversion": "alone"}, 0), ({"eta": 1.0}, 5), ({}, 17), ({"replant": 0}, 7)],
)  # fmt: skip
def test_a_prefix_ends_before_the_first_random_step(tiny, changes, shared):
    """Each seed has the same picture as without the cache."""
    settings, prefix_cache = REPLANT.changed(**changes), PrefixCache()
    calls = []
    for seed in (1, 2):
        with count_forwards(tiny.unet) as counter:
            made = tiny(**JOB, settings=settings, generator=seeded(seed), prefix_cache=prefix_cache)
        calls.append(counter.calls)
        plain = tiny(**JOB, settings=settings, generator=seeded(seed))
        assert torch.equal(made.images, plain.images)
    assert calls[0] - calls[1] == shared


def test_a_callback_disables_the_prefix_cache(tiny):
    seen, prefix_cache = [], PrefixCache()

    def observe(pipe, call, time, tensors):
        seen.append(call)
        return {}

    for _ in range(2):
        tiny(**JOB, settings=REPLANT, prefix_cache=prefix_cache, callback_on_step_end=observe)
    assert seen == [*range(24)] * 2
    assert len(prefix_cache) == 0
