"""Traces: word maps, flow maps and indicators."""

from __future__ import annotations

import pytest
import torch
from helpers import OFF, ON, job, latents, noise_picture, seeded
from helpers import with_body as plan

import sow
from sow.backbones.stable_diffusion import StableDiffusion
from sow.settings.settings import Settings


def test_a_trace_changes_nothing_and_is_removed(tiny):
    before = dict(tiny.unet.attn_processors)
    untraced = latents(tiny, **job())
    with sow.trace(tiny) as t:
        traced = latents(tiny, **job())
    assert torch.allclose(traced, untraced, atol=1e-5)
    assert dict(tiny.unet.attn_processors) == before
    assert tiny.controls == []
    flow = t.flow.clone()
    latents(tiny, **job(seed=9))
    assert torch.equal(t.flow, flow)


def test_word_maps(tiny):
    with sow.trace(tiny) as t:
        latents(tiny, **job(prompt="a person in a red coat"))
    words = t.words()
    assert [word for word, _ in words] == ["a", "person", "in", "a", "red", "coat"]
    for _, heat in words:
        assert heat.shape == (8, 8)
        assert ((heat >= 0) & (heat <= 1)).all()
    # All tokens, special ones included, sum to 1 at every location.
    assert torch.allclose(t._heat.sum(1), torch.ones(1, 8, 8), atol=1e-4)


def test_flow_maps_are_the_share_on_the_condition(tiny):
    """1 everywhere if C is the whole canvas; empty without cycles."""
    whole = {**job(OFF), "plan": plan((0, 0, 64, 64), related=None)}
    with sow.trace(tiny) as t:
        latents(tiny, **whole)
    assert t.flow.shape == (2, 1, 8, 8)
    assert torch.allclose(t.flow, torch.ones(2, 1, 8, 8), atol=1e-4)
    with sow.trace(tiny) as t:
        latents(tiny, **job(OFF.changed(cycles=0)))
    assert t.flow.shape == (0, 1, 8, 8)


def test_flow_maps_show_the_modulation(tiny):
    """Suppression raises C's attention to itself, enhancement R's attention to C."""

    def flow(settings: Settings) -> torch.Tensor:
        with sow.trace(tiny) as t:
            latents(tiny, **job(settings))
        return t.flow[0, 0]

    off = flow(OFF)
    suppressed = flow(OFF.changed(alpha_minus=1.0))
    enhanced = flow(OFF.changed(alpha_plus=1.0))
    inside, body = (slice(1, 5), slice(2, 6)), (slice(6, 8), slice(2, 6))
    assert suppressed[inside].mean() > off[inside].mean() + 1e-3
    assert enhanced[body].mean() > off[body].mean() + 1e-3


def test_jobs_of_a_batch(tiny):
    plans = [plan(prompt="a person"), plan((0, 0, 24, 40), (24, 0, 40, 64), prompt="snow")]
    with sow.trace(tiny) as t:
        latents(tiny, image=noise_picture(1), plan=plans, settings=ON,
                generator=[seeded(0), seeded(1)])  # fmt: skip
    assert t.indicators.shape == (2, 2)
    assert [[w for w, _ in t.words(n)] for n in range(2)] == [["a", "person"], ["snow"]]
    with sow.trace(tiny) as alone:
        latents(tiny, image=noise_picture(1), plan=plans[1], settings=ON, generator=seeded(1))
    assert torch.allclose(t.flow[:, 1], alone.flow[:, 0], atol=1e-4)
    assert torch.allclose(t.indicators[:, 1], alone.indicators[:, 0], atol=1e-4)


def test_words_of_several_tokens_and_truncated_prompts(tiny):
    words = StableDiffusion(tiny).words("a zebra in a coat")
    assert [word for word, _ in words] == ["a", "zebra", "in", "a", "coat"]
    assert len(words[1][1]) > 1
    places = [p for _, where in StableDiffusion(tiny).words("a red coat " * 40) for p in where]
    assert max(places) < tiny.tokenizer.model_max_length - 1


def test_a_cancelled_batch_has_fewer_cycles(tiny):
    def stop(pipe, number, *_):
        pipe._interrupt = number == 9  # seven calls of the inversion, two of the first cycle
        return {}

    two = {"image": noise_picture(1), "plan": [plan(), plan()], "settings": ON.changed(cycles=4)}
    with sow.trace(tiny) as t:
        latents(tiny, **two, callback_on_step_end=stop)
    assert t.flow.shape == (2, 2, 8, 8)
    assert len(t.indicators) == 2
    with sow.trace(tiny) as empty:
        pass
    assert empty.words() == []


@pytest.mark.parametrize("outside", ["none", "joined", "pair"])
def test_only_the_prompts_branch_is_traced(tiny, outside):
    """With any number of guidance branches, and other texts in the inversion."""
    with sow.trace(tiny) as t:
        latents(tiny, **job(ON.changed(outside=outside, inversion_guidance_scale=2.0)))
    assert t.flow.shape == (2, 1, 8, 8)
    assert t._heat.shape[0] == 1
