"""Several controls together, in any order, for self- and cross-attention."""

from __future__ import annotations

import itertools

import pytest
import torch
from helpers import OFF, ON, job, latents

import sow
from sow.attention.control import AttentionControl
from sow.attention.edits import LogitEdit
from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.checkpoints import SD21_BASE, TINY, random_pipeline


class Layout(AttentionControl):
    """Forbids the first word in the right half, and lowers self-attention between the halves."""

    def begin(self, context):
        self.size, self.pictures = context.size, len(context.jobs)
        self.tokens = torch.arange(context.text_tokens) % 32  # of each copy of the prompt
        self.known = {}

    def edits(self, layer):
        if layer.name not in self.known:
            height, width = (-(-side // layer.factor) for side in self.size)
            right = (torch.arange(height * width) % width >= width / 2).expand(self.pictures, -1)
            if layer.kind == "cross":
                first = (self.tokens == 1).expand(self.pictures, -1)
                edit = LogitEdit("forbid", right, first, None)
            else:
                edit = LogitEdit("lower", right, ~right, 0.5 * right)
            self.known[layer.name] = [edit]
        return self.known[layer.name]


class Observer(AttentionControl):
    """Records the right half's attention to the first word."""

    def __init__(self):
        self.on_first, self.layers, self.ended = [], set(), 0

    def begin(self, context):
        self.size = context.size

    def observes(self, layer):
        return True

    def observe(self, layer, probe):
        self.layers.add(layer.name)
        if layer.kind == "cross" and layer.factor == 1:
            one_hot = torch.zeros_like(probe.key)
            one_hot[:, :, 1] = 1
            width = self.size[1]
            grid = probe.attend(one_hot)[..., 0].unflatten(2, (-1, width))
            self.on_first.append(float(grid[..., width // 2 :].max()))

    def end(self):
        self.ended += 1


def draw(pipe, *controls, settings=ON):
    pipe.controls[:] = controls
    try:
        return latents(pipe, **job(settings))
    finally:
        pipe.controls.clear()


def test_the_order_of_controls_does_not_matter(tiny):
    """Modulation by the settings, a layout, a trace and an observer, in all orders."""
    made, alone = [], draw(tiny, Layout())
    for order in itertools.permutations((Layout(), sow.Trace(), Observer())):
        made.append(draw(tiny, *order))
        observer = next(control for control in order if isinstance(control, Observer))
        assert max(observer.on_first) == 0  # the layout's edits are included
        assert observer.ended == len(made)
        assert observer.layers == set(tiny.unet.attn_processors)
    for one in made:
        assert torch.allclose(one, alone, atol=1e-5)


def test_every_control_takes_effect(tiny):
    """Both together differ from each alone, and from neither."""
    plain, layout = draw(tiny, settings=OFF), draw(tiny, Layout(), settings=OFF)
    modulated, both = draw(tiny), draw(tiny, Layout())
    for one, other in itertools.combinations((plain, layout, modulated, both), 2):
        assert (one - other).abs().max() > 1e-4
    observer = Observer()
    assert torch.equal(draw(tiny, observer, settings=OFF), plain)
    assert max(observer.on_first) > 0


def test_a_control_that_raises_is_ended_and_the_processors_restored(tiny):
    class Failing(Observer):
        def observe(self, layer, probe):
            raise RuntimeError("no")

    before, failing = dict(tiny.unet.attn_processors), Failing()
    with pytest.raises(RuntimeError, match="no"):
        draw(tiny, failing)
    assert failing.ended == 1
    assert dict(tiny.unet.attn_processors) == before


def test_only_begun_controls_are_ended(tiny):
    class Bad(AttentionControl):
        def begin(self, context):
            raise ValueError("not me")

    before, after = Observer(), sow.Trace()
    with pytest.raises(ValueError, match="not me"):
        draw(tiny, before, Bad(), after)
    assert before.ended == 1


def test_conditions_inverted_alone_are_not_controlled(tiny):
    """Their latents have other sizes than the ones controls know."""
    settings = OFF.changed(inversion="alone")
    plain = draw(tiny, settings=settings)
    assert (draw(tiny, Layout(), settings=settings) - plain).abs().max() > 1e-4


@pytest.mark.parametrize("architecture", [TINY, SD21_BASE], ids=["tiny", "SD2.1"])
def test_layers_have_the_resolution_of_the_unets_blocks(architecture, tiny):
    """By name, from the UNet's blocks: the number of tokens that the UNet passes through."""
    if architecture is TINY:
        pipe = tiny
    else:  # the real names and resolutions, a sixteenth of the width
        slim = {**architecture["unet"], "block_out_channels": (32, 32, 64, 64),
                "attention_head_dim": 8, "cross_attention_dim": 32}  # fmt: skip
        pipe = random_pipeline({**TINY, "unet": slim})
    tokens: dict[str, int] = {}
    hooks = [
        module.register_forward_pre_hook(
            lambda _, args, name=name: tokens.__setitem__(f"{name}.processor", args[0].shape[1])
        )
        for name, module in pipe.unet.named_modules()
        if name.endswith((".attn1", ".attn2"))
    ]
    height, width = 24, 40  # latents
    with torch.no_grad():
        pipe.unet(torch.zeros(1, 4, height, width), torch.tensor(1),
                  encoder_hidden_states=torch.zeros(1, 32, 32))  # fmt: skip
    for hook in hooks:
        hook.remove()
    layers = StableDiffusion(pipe).attention_layers()
    assert {layer.name for layer in layers} == set(tokens)
    for layer in layers:
        assert tokens[layer.name] == (height // layer.factor) * (width // layer.factor)
        assert (layer.kind == "self") == ("attn1" in layer.name)
