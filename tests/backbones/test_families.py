"""What holds for every family of models; the library's own pipelines are the oracle."""

from __future__ import annotations

import json

import pytest
import torch
from diffusers import (
    DiffusionPipeline,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
)
from family_fixtures import sd3, sd3_folder, without_t5, xl, xl_folder  # noqa: F401
from helpers import latents, noise_picture, plan, seeded
from PIL import Image

from sow.backbones.registry import backbone_of
from sow.plan.plan import NOTHING
from sow.settings.settings import Settings

TEXT = Settings.preset("text").changed(steps=8, t1=4, t2=6)
PROMPT = "a man in a red coat"
LIBRARY = {
    "tiny": StableDiffusionPipeline,
    "xl": StableDiffusionXLPipeline,
    "sd3": StableDiffusion3Pipeline,
    "without_t5": StableDiffusion3Pipeline,
}
"""The library's pipeline of each fixture."""


@pytest.mark.parametrize("canvas", [(64, 64), (96, 64)])
@pytest.mark.parametrize("negative", ["a dark cat", ""])
@pytest.mark.parametrize("name", LIBRARY)
def test_with_nothing_planted_it_draws_what_the_library_draws(request, name, negative, canvas):
    """The same noise, prompt, steps and guidance; with and without a negative prompt."""
    pipe = request.getfixturevalue(name)
    settings = TEXT.changed(guidance_scale=4.0, negative_prompt=negative)
    empty = plan((0, 0, *canvas), canvas, PROMPT, subject=NOTHING, suppress="")
    seen = []

    def take(_, args, named):
        seen.append(args[0] if args else named["hidden_states"])

    hook = pipe.denoiser.register_forward_pre_hook(take, with_kwargs=True)
    ours = latents(pipe, image=None, plan=empty, settings=settings, generator=seeded(5))
    hook.remove()
    library = LIBRARY[name].from_pipe(pipe)
    library.set_progress_bar_config(disable=True)
    theirs = library(
        PROMPT,
        negative_prompt=negative or None,
        latents=seen[0][:1].clone(),
        width=canvas[0],
        height=canvas[1],
        num_inference_steps=8,
        guidance_scale=4.0,
        output_type="latent",
    ).images
    assert (ours - theirs).abs().max() < 1e-4
    other = settings.changed(negative_prompt="a tie")
    changed = latents(pipe, image=None, plan=empty, settings=other, generator=seeded(5))
    assert (ours - changed).abs().max() > 1e-3


@pytest.mark.parametrize(("name", "until"), [("tiny", 100), ("xl", 100), ("sd3", 60)])
def test_inverting_and_denoising_returns_the_start(request, name, until):
    backbone = backbone_of(request.getfixturevalue(name))
    schedule = backbone.schedule(200)
    times = torch.tensor(schedule.timesteps)
    clean = torch.randn(1, backbone.channels, 8, 8, generator=seeded(1))
    with torch.no_grad():
        (texts,) = backbone.embed([[["a cat"]]])
        x = clean
        for state in range(until):
            x = schedule.invert(x, backbone.predict(x, times[state + 1], texts)[0], state)
        assert (x - clean).abs().max() > 0.5
        for state in range(until, 0, -1):
            x, _ = schedule.denoise(x, backbone.predict(x, times[state], texts)[0], state)
    assert (x - clean).abs().max() < 0.05


@pytest.mark.parametrize("name", ["tiny", "xl", "sd3"])
def test_the_library_finds_its_own_class_for_what_is_saved(request, name):
    made = DiffusionPipeline.from_pretrained(request.getfixturevalue(f"{name}_folder"))
    assert type(made) is LIBRARY[name]


@pytest.mark.parametrize("name", ["xl", "sd3"])
def test_generate_batch_and_recipe(request, run_sow, name, tmp_path):
    folder = request.getfixturevalue(f"{name}_folder")
    noise_picture(1, (64, 64)).save(tmp_path / "face.png")
    told = ("--model", folder, "--planner", "offline", "--set", "cycles=1")
    made = run_sow(
        "generate", "--image", "face.png", "--subject", "cat", "--prompt", "a cat in the snow",
        "--seed", 1, "--out", "a.png", *told,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    again = run_sow("generate", "--recipe", "a.png", "--model", folder, "--out", "b.png")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    job = {"id": "j", "image": "face.png", "subject": "cat", "prompt": "a cat", "seed": 2}
    (tmp_path / "jobs.jsonl").write_text(json.dumps(job) + "\n")
    batch = run_sow("batch", "jobs.jsonl", "--out", "results", *told)
    assert batch.returncode == 0, batch.stderr
    assert Image.open(tmp_path / "results/j.png").size == (64, 64)
    shown = run_sow("settings", "--model", folder)
    assert shown.returncode == 0, shown.stderr
    assert ("equal noise" in shown.stdout) == (name == "sd3")
