"""The pipeline on random weights in the real layout: jobs, batches, canvases, callbacks."""

from __future__ import annotations

import math

import pytest
import torch
from helpers import QUICK, latents, noise_picture, plan, seeded
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode

import sow
from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.checkpoints import TINY, random_pipeline
from sow.errors import PictureError, PlanError, UsageError
from sow.plan.box import Box
from sow.settings.settings import PRESETS, Settings


@pytest.mark.parametrize("shared", [{}, {"inversion": "alone"}, {"seed_canvas": "none"},
                                    {"seed_canvas": "noise", "outside": "joined"}])  # fmt: skip
def test_a_batch_of_different_jobs_equals_single_runs(tiny, shared):
    """Other pictures, boxes, outlines, prompts, presets and seeds; every neighbour invisible."""
    jobs = [
        (noise_picture(1), plan((16, 8, 32, 32), prompt="a person"), PRESETS["normal"]),
        (noise_picture(2), plan((8, 24, 24, 40), prompt="a red coat", suppress="cat"),
         PRESETS["attribute"]),
        (noise_picture(3), plan((0, 0, 24, 40), prompt="snow", ellipse=[0, 0, 24, 40]),
         PRESETS["style"].changed(cycle_eta=0.5, guidance_scale=3.0, noise_level=0.5)),
    ]  # fmt: skip
    settings = [how.changed(cycles=2, **shared) for _, _, how in jobs]
    together = latents(
        tiny,
        image=[image for image, _, _ in jobs],
        plan=[p for _, p, _ in jobs],
        settings=settings,
        generator=[seeded(n) for n in range(3)],
    )
    for n, (image, p, _) in enumerate(jobs):
        alone = latents(tiny, image=image, plan=p, settings=settings[n], generator=seeded(n))
        assert (together[n] - alone[0]).abs().max() < 1e-4
    assert (together[0] - together[1]).abs().max() > 0.1


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tiny):
    def make(seed):
        job = {"image": noise_picture(1), "plan": plan(), "settings": QUICK}
        return tiny(**job, generator=seeded(seed)).images[0].tobytes()

    assert make(1) == make(1)
    assert make(1) != make(2)


@pytest.mark.parametrize("canvas", [(64, 64), (96, 128), (128, 96)])
def test_canvases(tiny, canvas):
    image = tiny(image=noise_picture(1), plan=plan(canvas=canvas), settings=QUICK).images[0]
    assert image.size == canvas


def test_a_canvas_off_the_grid_is_refused(tiny):
    with pytest.raises(PlanError, match="multiples of 16"):
        tiny(image=noise_picture(1), plan=plan(canvas=(72, 64)), settings=QUICK)


def test_a_model_that_predicts_v_and_means_the_same_draws_the_same():
    """v is the same answer, turned: a UNet whose noise is said as v leads to equal pictures.

    The inversion is answered so that it makes the same step, which noise and v take differently.
    """
    epsilon, v = (random_pipeline(TINY, prediction_type=kind)
                  for kind in ("epsilon", "v_prediction"))  # fmt: skip
    schedule = StableDiffusion(epsilon).schedule(10)

    def as_v(_, args, kwargs, output):
        x, eps = args[0], output[0]
        state = schedule.timesteps.index(int(args[1]))
        here = schedule.alphas_cumprod[state]
        if len(kwargs["encoder_hidden_states"]) == 1:  # the inversion: x is one state nearer
            start = schedule.alphas_cumprod[state - 1]
            there = schedule.invert(x, eps, state - 1)
            cos = math.sqrt(start * here) + math.sqrt((1 - start) * (1 - here))
            sin = math.sqrt(start * (1 - here)) - math.sqrt((1 - start) * here)
            return ((cos * there - x) / sin,)
        clean = (x - math.sqrt(1 - here) * eps) / math.sqrt(here)
        return (math.sqrt(here) * eps - math.sqrt(1 - here) * clean,)

    v.unet.register_forward_hook(as_v, with_kwargs=True)
    made = []
    for pipe in (epsilon, v):
        pipe.set_progress_bar_config(disable=True)
        job = {"image": noise_picture(1), "plan": plan(), "settings": QUICK.changed(eta=0.5)}
        made.append(latents(pipe, **job, generator=seeded(0)))
    assert (made[0] - made[1]).abs().max() < 1e-3 * made[0].abs().max()


@pytest.mark.parametrize("inversion", ["canvas", "alone"])
def test_reinjection_puts_the_inverted_latents_into_C_exactly(tiny, inversion):
    """At every state of the cycles and at the preserve steps, what enters the UNet in C is v_s."""
    settings = QUICK.changed(inversion=inversion, cycle_eta=1.0, eta=1.0, preserve=(4, 2))
    entering: list[torch.Tensor] = []
    hook = tiny.unet.register_forward_pre_hook(
        lambda _, args, kwargs: entering.append((args[1].item(), args[0].clone())),
        with_kwargs=True,
    )
    mask: list[torch.Tensor] = []
    inverted: dict[int, torch.Tensor] = {}
    times = [0, *range(1, 1000, 100)]

    def observe(_, call, time, tensors):
        mask.append(tensors["condition_mask"])
        if call < 7:  # alone, the condition's own picture is inverted before the canvas
            inverted[times.index(int(time))] = tensors["latents"].clone()
        return {}

    box = Box(x=16, y=8, width=32, height=32)
    tiny(image=noise_picture(5), plan=plan(box.model_dump()), settings=settings,
         generator=seeded(3), callback_on_step_end=observe,
         callback_on_step_end_tensor_inputs=["latents", "condition_mask"])  # fmt: skip
    hook.remove()
    condition = mask[-1].expand(1, 4, 8, 8)
    assert condition.sum() == 4 * 16  # 32x32 pixels are 4x4 latents
    steps = [(times.index(int(t)), x[:1]) for t, x in entering if x.shape[0] == 4]
    assert [s for s, _ in steps] == [7, 6, 7, 6, 5, 4, 3, 2, 1]
    for number, (state, x) in enumerate(steps):
        v = inverted[state]
        if inversion == "alone":
            v = torch.nn.functional.pad(v, (2, 2, 1, 3))[:, :, :8, :8]
        in_condition = torch.equal(x[condition], v[condition])
        # Re-injected in both cycles, at t1 after them, and at the preserve steps 4 and 2.
        assert in_condition == (number < 5 or state in (4, 2)), (number, state)
        if number < 5:
            assert (x[~condition] - v[~condition]).abs().max() > 1e-3


def test_nothing_in_the_loop_waits_for_the_host(tiny):
    """Reading a value off the device (`.item()`, `nonzero`) must not grow with the cycles."""

    class Waits(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
            if any(
                name in str(function)
                for name in ("_local_scalar_dense", "nonzero", "is_nonzero", "aten.equal")
            ):
                self.count += 1
            return function(*arguments, **(keywords or {}))

    counts = []
    for cycles in (1, 6):
        with Waits() as waits:
            latents(tiny, image=noise_picture(1), plan=plan(),
                    settings=Settings(cycles=cycles, eta=0.5, cycle_eta=0.5))  # fmt: skip
        counts.append(waits.count)
    assert counts[0] == counts[1]


def test_every_prompt_is_encoded_once(tiny):
    seen: list[int] = []
    hook = tiny.text_encoder.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(len(args[0])), with_kwargs=True
    )
    plain = QUICK.changed(prompt_syntax="plain")  # here, the negative prompt has two chunks
    latents(tiny, image=noise_picture(1), plan=[plan()] * 3, settings=plain,
            generator=[seeded(n) for n in range(3)])  # fmt: skip
    hook.remove()
    assert seen == [5]  # prompt, negative, suppress, encourage and the inversion's empty prompt


def test_the_callback_sees_every_call_and_can_change_latents(tiny):
    calls: list[int] = []

    def halve_at_the_end(pipe, call, time, tensors):
        calls.append(call)
        return {"latents": tensors["latents"] * 0} if call == 15 else {}

    job = {"image": noise_picture(1), "plan": plan(), "settings": QUICK, "generator": seeded(0)}
    out = latents(tiny, **job, callback_on_step_end=halve_at_the_end)
    assert calls == list(range(7 + 2 * 2 + 5))
    assert (out == 0).all()


@pytest.mark.parametrize("at", [2, 9])
def test_cancelling_stops_calling_the_unet(tiny, at):
    """In the inversion and in the cycles: no further UNet call, and still a picture."""
    count = []
    hook = tiny.unet.register_forward_pre_hook(lambda *_: count.append(1))

    def cancel(pipe, call, time, tensors):
        if call == at:
            pipe._interrupt = True
        return {}

    out = tiny(image=noise_picture(1), plan=plan(), settings=QUICK, callback_on_step_end=cancel)
    hook.remove()
    assert len(count) == at + 1
    assert out.images[0].size == (64, 64)


def test_pictures_per_cycle(tiny):
    out = tiny(image=noise_picture(1), plan=[plan()] * 2, settings=Settings(cycles=3),
               generator=[seeded(1), seeded(2)], return_cycles=True)  # fmt: skip
    assert [len(pictures) for pictures in out.cycles] == [3, 3]
    assert out.cycles[0][0].tobytes() != out.cycles[0][2].tobytes()


def test_no_cycles_is_a_plain_finish(tiny):
    calls = []
    hook = tiny.unet.register_forward_pre_hook(lambda *_: calls.append(1))
    tiny(image=noise_picture(1), plan=plan(), settings=QUICK.changed(cycles=0))
    hook.remove()
    assert len(calls) == 5 + 5  # no state above t1 is needed


@pytest.mark.parametrize("output_type", ["np", "pt"])
def test_output_types(tiny, output_type):
    images = tiny(
        image=noise_picture(1), plan=plan(), settings=QUICK, output_type=output_type
    ).images
    assert tuple(images.shape) == ((1, 64, 64, 3) if output_type == "np" else (1, 3, 64, 64))


def test_a_mask_replaces_the_outline(tiny):
    left = Image.new("L", (48, 40))
    left.paste(255, (0, 0, 24, 40))
    masks = []

    def observe(pipe, call, time, tensors):
        masks.append(tensors["condition_mask"])
        return {}

    tiny(image=noise_picture(1), plan=plan(), mask=left, settings=QUICK,
         callback_on_step_end=observe,
         callback_on_step_end_tensor_inputs=["condition_mask"])  # fmt: skip
    kept = masks[0][0, 0]
    assert kept[1:5, 2:4].all()
    assert kept.sum() == 8


def test_transparency_is_a_mask(tiny):
    image = noise_picture(1)
    image.putalpha(Image.new("L", image.size))
    with pytest.raises(PictureError, match="keeps nothing"):
        tiny(image=image, plan=plan(), settings=QUICK)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"image": [1, 2], "plan": [3]}, UsageError, "different lengths"),
        ({"settings": [QUICK, QUICK.changed(cycles=3)]}, UsageError, "cycles differs"),
        ({"plan": [plan(), plan(canvas=(96, 96))]}, UsageError, "in one batch"),
        ({"plan": plan(crop=[0, 0, 400, 400])}, PlanError, "is not inside the"),
        ({"plan": plan(ellipse=[17, 9, 2, 2])}, PlanError, "smaller than"),
        ({"callback_on_step_end_tensor_inputs": ["noise"]}, UsageError, "noise"),
    ],
)
def test_bad_calls_get_one_line(tiny, arguments, error, says):
    job = {"image": noise_picture(1), "plan": plan(), "settings": QUICK}
    with pytest.raises(error) as caught:
        tiny(**{**job, **arguments})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_public_names_are_there():
    for name in sow.__all__:
        assert getattr(sow, name) is not None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    pipe = random_pipeline(TINY).to(dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    out = latents(pipe, image=noise_picture(1), plan=plan(), settings=QUICK, generator=seeded(0))
    full = latents(random_pipeline(TINY), image=noise_picture(1), plan=plan(), settings=QUICK,
                   generator=seeded(0))  # fmt: skip
    assert torch.corrcoef(torch.stack([out.flatten(), full.flatten()]))[0, 1] > 0.98
