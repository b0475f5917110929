"""Pipeline calls: threads, exceptions, cancelling, diffusers' callbacks, compiling."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from diffusers import EDMEulerScheduler, FlowMatchEulerDiscreteScheduler, StableDiffusionPipeline
from diffusers.callbacks import MultiPipelineCallbacks, SDCFGCutoffCallback
from helpers import OFF, ON, QUICK, job, latents, noise_picture, plan, seeded
from PIL import Image

import sow
from sow.benchmarks.checkpoints import TINY, random_pipeline
from sow.errors import ModelError, UsageError
from sow.pictures.condition import Condition
from sow.pipeline.calls import Progress
from sow.pipeline.compiling import compile_blocks
from sow.pipeline.prefix_cache import PrefixCache
from sow.settings.settings import Settings


@pytest.mark.parametrize("shared", ["the pipeline", "the UNet"])
def test_calls_in_threads_equal_sequential_calls(tiny, shared):
    """With and without modulation, at the same time."""
    pipes = [tiny, tiny if shared == "the pipeline" else sow.SowPipeline.from_pipe(tiny)]
    pipes[1].set_progress_bar_config(disable=True)
    settings = [ON, OFF, ON.changed(gate="ramp", tau=0.12), ON.changed(alpha_minus=0)]
    before = dict(tiny.unet.attn_processors)
    expected = [latents(tiny, **job(s, seed=n)) for n, s in enumerate(settings)]
    made: dict[int, torch.Tensor] = {}
    start = threading.Barrier(len(settings))

    def work(number: int) -> None:
        start.wait()
        made[number] = latents(pipes[number % 2], **job(settings[number], seed=number))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(settings))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, picture in enumerate(expected):
        assert torch.equal(made[number], picture), number
    assert dict(tiny.unet.attn_processors) == before


def test_a_call_that_raises_leaves_the_pipe_unchanged(tiny):
    expected = latents(tiny, **job())
    before = dict(tiny.unet.attn_processors)
    for at in (2, 8, 10, 15):  # in the inversion, in both cycles, in the finish

        def fail(pipe, call, time, tensors, at=at):
            if call == at:
                raise RuntimeError("stop")
            return {}

        with pytest.raises(RuntimeError, match="stop"):
            tiny(**job(), callback_on_step_end=fail)
        assert dict(tiny.unet.attn_processors) == before
        assert torch.equal(latents(tiny, **job()), expected)


def test_a_call_inside_a_call_is_refused(tiny):
    expected = latents(tiny, **job())
    with pytest.raises(UsageError, match="inside another"):
        tiny(**job(), callback_on_step_end=lambda pipe, *_: pipe(**job()))
    assert torch.equal(latents(tiny, **job()), expected)


def test_from_pipe_in_both_directions(tiny):
    plain = StableDiffusionPipeline.from_pipe(tiny)
    again = sow.SowPipeline.from_pipe(plain)
    again.set_progress_bar_config(disable=True)
    assert again.unet is tiny.unet
    assert torch.equal(latents(again, **job()), latents(tiny, **job()))


@pytest.mark.parametrize(("at", "cycles"), [(2, 0), (7, 0), (8, 1), (9, 1), (10, 2), (11, 2)])
def test_a_cancelled_run_returns_only_finished_cycles(tiny, at, cycles):
    """Its pictures are the latest predictions of clean latents, not noise."""
    whole = tiny(**job(QUICK), return_cycles=True, output_type="pt")

    def cancel(pipe, call, time, tensors):
        pipe._interrupt = call == at
        return {}

    cut = tiny(**job(QUICK), return_cycles=True, output_type="pt", callback_on_step_end=cancel)
    assert len(cut.cycles[0]) == cycles
    for shown, expected in zip(cut.cycles[0], whole.cycles[0], strict=False):
        assert torch.equal(shown, expected)
    if at in (8, 10):  # cancelled right after a cycle
        assert torch.equal(cut.images[0], cut.cycles[0][-1])


def test_diffusers_cutoff_callback_turns_guidance_off(tiny):
    """From its step on, the UNet has one sample per picture, and the prompt's output is used."""
    samples: list[int] = []
    hook = tiny.unet.register_forward_pre_hook(lambda _, args: samples.append(len(args[0])))
    settings = QUICK.changed(outside="none")
    out = latents(
        tiny, **job(settings),
        callback_on_step_end=MultiPipelineCallbacks(
            [SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=10)]
        ),
    )  # fmt: skip
    hook.remove()
    assert samples == [1] * 7 + [2] * 4 + [1] * 5
    assert (tiny.num_timesteps, tiny.guidance_scale) == (16, 0.0)

    def unguided(pipe, call, time, tensors):
        embeds = tensors["prompt_embeds"]
        assert embeds.shape[0] == 2
        return {"prompt_embeds": embeds[1:].repeat(2, 1, 1)} if call == 10 else {}

    same = latents(tiny, **job(settings), callback_on_step_end=unguided,
                   callback_on_step_end_tensor_inputs=["prompt_embeds"])  # fmt: skip
    assert torch.allclose(out, same, atol=1e-4)  # u + g (p - u) is p where both are the prompt
    assert (tiny.num_timesteps, tiny.guidance_scale) == (16, 7.5)


def test_diffusers_attributes_exist_before_any_call():
    pipe = random_pipeline(TINY)
    assert (pipe.num_timesteps, pipe.guidance_scale, pipe.interrupt) == (0, 0.0, False)


def test_inverted_alone_the_callback_sees_latents_and_mask_of_one_size(tiny):
    shapes = []

    def observe(pipe, call, time, tensors):
        x, mask = tensors["latents"], tensors["condition_mask"]
        shapes.append((x.shape[0], *x.shape[2:]) == (mask.shape[0], *mask.shape[2:]))
        return {}

    tiny(**job(QUICK.changed(inversion="alone"), box=(16, 8, 24, 40)), callback_on_step_end=observe,
         callback_on_step_end_tensor_inputs=["latents", "condition_mask"])  # fmt: skip
    assert shapes == [True] * (5 + 7 + 4 + 5)


def test_an_unused_canvas_is_not_inverted(tiny):
    for changes, calls in (
        ({"inversion": "alone", "seed_canvas": "none"}, 7 + 5 + 4 + 5),
        ({"seed_canvas": "none"}, 7 + 5 + 4 + 5),
        ({"inversion": "alone"}, 5 + 7 + 4 + 5),
        ({}, 7 + 4 + 5),
    ):
        forwards: list[int] = []
        hook = tiny.unet.register_forward_pre_hook(lambda *_, calls=forwards: calls.append(1))
        latents(tiny, **job(QUICK.changed(**changes)))
        hook.remove()
        assert len(forwards) == tiny.num_timesteps == calls, changes


def test_a_mask_with_a_condition_is_refused(tiny):
    condition = Condition.prepare(noise_picture(1), plan())
    with pytest.raises(UsageError, match="which has its own"):
        tiny(image=condition, plan=plan(), mask=Image.new("L", (48, 40)), settings=QUICK)


def test_a_transparent_mask_is_read_by_its_alpha(tiny):
    """As on the command line: opaque pixels are the condition, whatever their colour."""
    left = Image.new("L", (48, 40))
    left.paste(255, (0, 0, 24, 40))
    black = Image.merge("RGBA", [Image.new("L", (48, 40))] * 3 + [left])
    made = [latents(tiny, **{**job(QUICK), "mask": mask}) for mask in (left, black)]
    assert torch.equal(*made)


@contextmanager
def scheduler(pipe, other):
    before, pipe.scheduler = pipe.scheduler, other
    try:
        yield
    finally:
        pipe.scheduler = before


@pytest.mark.parametrize("kind", [FlowMatchEulerDiscreteScheduler, EDMEulerScheduler])
def test_unsupported_schedulers_are_refused(tiny, kind):
    error = f"{kind.__name__} has no alphas_cumprod"
    with scheduler(tiny, kind()), pytest.raises(ModelError, match=error):
        tiny(**job(QUICK))


def test_every_setting_is_shared_or_each_jobs_own(tiny):
    """Shared settings must agree in a batch; a job's own settings only change its picture."""
    others = {
        "steps": 12, "t1": 4, "t2": 8, "cycles": 3, "noise_level": 0.5, "guidance_scale": 3.0,
        "eta": 0.5, "cycle_eta": 0.5, "preserve": (2,), "negative_prompt": "snow",
        "encourage_prompt": "a forest", "outside": "joined", "inversion": "alone",
        "inversion_prompt": "plan", "inversion_guidance_scale": 2.0, "seed_canvas": "black",
        "alpha_minus": 0.9, "alpha_plus": 0.1, "lambda_c": 1.0, "lambda_d": 1.0, "gate": "ramp",
        "tau": 0.05, "modulated_factors": (1,), "modulated_branches": "prompt",
        "condition_guidance_scale": 1.0, "planted": "box", "rim": (0.02, 0.02), "replant": 2,
        "first_cycles": 1, "first_rim": (0.0, 1.0), "layout_steps": 1, "layout_pull": 0.5,
        "inversion_stride": 2, "outside_until": 3, "guided_until": 3, "first_guided_until": 2,
            "prompt_syntax": "plain",
    }  # fmt: skip
    shared, own = Settings.names("shared by a batch"), Settings.names("each job's own")
    assert set(others) == set(Settings.model_fields) == {*shared, *own}
    assert not set(shared) & set(own)
    base = ON.changed(gate="ramp", tau=0.12, replant=1, planted="condition")
    person = [{"id": "person", "label": "a person", "box": [0, 32, 64, 32]}]
    ragged = plan(ellipse=[19, 13, 27, 25], related=job()["plan"].related, objects=person)
    plain = None
    for name, value in others.items():
        start = base.changed(gate="none") if name == "gate" else base
        two = [start, start.changed(**{name: value})]
        both = {"image": noise_picture(1), "plan": [ragged] * 2, "settings": two,
                "generator": [seeded(1), seeded(1)]}  # fmt: skip
        if name in shared:
            with pytest.raises(UsageError, match=f"{name} differs"):
                tiny(**both)
            continue
        made = latents(tiny, **both)
        single = {**both, "plan": ragged, "generator": seeded(1)}
        if plain is None:  # the first job is the same every time
            plain = latents(tiny, **{**single, "settings": base})[0]
            single["generator"].manual_seed(1)
        changed = latents(tiny, **{**single, "settings": two[1]})[0]
        assert (made[0] - plain).abs().max() < 1e-4, name
        assert (made[1] - changed).abs().max() < 1e-4, name
        assert (made[0] - made[1]).abs().max() > 1e-5, name


@pytest.mark.parametrize("gate", ["none", "ramp"])
def test_compiled_blocks_stay_compiled(gate):
    """Later cycles, runs, plans and seeds do not compile them again.

    Modulated attention is in the graph; only an observing control (a gate) breaks the graph.
    """
    torch._dynamo.reset()
    counters = torch._dynamo.utils.counters
    pipe, plain = (random_pipeline(TINY) for _ in range(2))
    for each in (pipe, plain):
        each.set_progress_bar_config(disable=True)
    backend = "aot_eager" if gate == "none" else "eager"  # both have the same graphs
    compile_blocks(pipe, fullgraph=gate == "none", backend=backend)
    settings = ON.changed(gate=gate, tau=0.12, cycles=1)

    def compilations(**call) -> int:
        counters.clear()
        made = latents(pipe, **call)
        call["generator"].manual_seed(call["generator"].initial_seed())
        assert (made - latents(plain, **call)).abs().max() < 1e-3
        return counters["stats"]["unique_graphs"]

    first = compilations(**job(settings))
    assert first > 0
    assert compilations(**job(settings.changed(cycles=4))) == 0
    assert compilations(**job(settings, seed=3)) == 0
    again = compilations(**job(settings, box=(8, 8, 24, 24), related=(0, 32, 64, 32)))
    print("graphs:", first, again)
    assert again <= first  # other numbers of rows: at most once more
    assert compilations(**job(settings, box=(24, 0, 32, 40), related=(0, 40, 64, 24))) == 0
    torch._dynamo.reset()


def test_progress_counts_all_calls_and_shows_each_cycle_without_changing_the_picture(tiny):
    """With the inversion computed, and with it from the cache."""
    expected, cache = latents(tiny, **job(ON)), PrefixCache()
    alone = latents(tiny, **job(ON), prefix_cache=PrefixCache())
    for saved in (False, True):
        seen: list[Progress] = []
        shown: list[Image.Image] = []

        def watch(progress: Progress, seen=seen, shown=shown) -> None:
            seen.append(progress)
            if progress.preview:
                shown.extend(progress.preview())

        made = latents(tiny, **job(ON), prefix_cache=cache, on_progress=watch)
        assert torch.equal(made, alone)
        assert torch.allclose(made, expected, atol=1e-4)
        counts = [progress.calls for progress in seen]
        assert counts == sorted(counts)
        assert counts[-1] == seen[-1].total
        assert len(set(counts)) > (2 if saved else seen[-1].total - 2)
        assert seen[-1].cycles == len(shown) == ON.cycles > 0
        assert np.asarray(shown[0]).std() > 0


def test_an_exception_of_the_progress_ends_the_call_and_leaves_the_pipe_usable(tiny):
    expected = latents(tiny, **job())

    def stop(progress: Progress) -> None:
        if progress.calls == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tiny(**job(), on_progress=stop)
    assert torch.equal(latents(tiny, **job()), expected)
