"""The release of COW: each of its differences from the preset `cow`."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import noise_picture, plan, seeded
from PIL import Image

from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.tv2i.methods.cow_release import (
    RELEASED,
    CowRelease,
    ReleasedSampler,
    greyed,
    nearest_inside,
)
from sow.diffusion.algorithm import Denoise, Invert, Renoise
from sow.diffusion.jobs import Job
from sow.pictures.condition import Condition
from sow.service.request import Request
from sow.service.service import Service
from sow.settings.settings import Settings

PLAN = plan(suppress="cat").aligned(8)


def job_of(seed: int = 5) -> Job:
    condition = greyed(Condition.prepare(noise_picture(1), PLAN))
    return Job(condition, PLAN.changed(suppress="human face"), RELEASED, seeded(seed))


@pytest.fixture
def sampler(tiny):
    with torch.no_grad():
        yield ReleasedSampler(StableDiffusion(tiny), [job_of()])


def test_it_has_its_own_words_and_resizes_bicubically(tiny_folder):
    service = Service(str(tiny_folder), device="cpu")
    source = noise_picture(3, (64, 64))
    asked = Request(source, "a person", plan=PLAN)
    spec = CowRelease().resolve(service, replace(asked, likeness=0.2))
    assert spec.plan.suppress == "human face"
    settings = spec.settings
    assert settings.negative_prompt.startswith("a bad quality and low resolution image,extra")
    assert (settings.outside, settings.inversion, settings.preserve) == ("pair", "alone", (4,))
    assert (settings.cycle_eta, settings.eta) == (1.0, 0.1)
    assert (settings.inversion_prompt, settings.inversion_guidance_scale) == ("plan", 7.5)
    ours = service.resolve(asked)
    bicubic = source.resize((32, 32), Image.Resampling.BICUBIC)
    assert spec.condition.picture.tobytes() == bicubic.tobytes()
    assert spec.condition.picture.tobytes() != ours.condition.picture.tobytes()


def test_settings_of_a_job_or_a_checkpoint_do_not_count(figures):
    """`figures` goes without the pair and the negative prompt; the release knows nothing of it."""
    service = Service("figures", device="cpu")
    asked = Request(noise_picture(3, (64, 64)), "a person", plan=PLAN)
    spec = CowRelease().resolve(service, replace(asked, preset="style", settings={"cycles": 1}))
    assert spec.settings == RELEASED
    assert CowRelease(cycle_eta=0.0).resolve(service, asked).settings.cycle_eta == 0
    preset, ours = Settings.preset("cow"), RELEASED.model_dump()
    differing = {name for name, value in preset.model_dump().items() if value != ours[name]}
    assert differing == {"inversion", "negative_prompt", "prompt_syntax", "layout_steps"}


def test_the_mask_is_black_and_white_and_what_it_leaves_out_is_grey():
    levels = np.zeros((8, 8), np.uint8)
    levels[:, 4:] = 255
    picture = noise_picture(1, (8, 8))
    made = greyed(Condition(picture, Image.fromarray(levels)))
    assert made.mask.tobytes() == levels.tobytes()
    pixels = np.asarray(made.picture)
    assert (pixels[:, :4] == 128).all()
    assert (pixels[:, 4:] == np.asarray(picture)[:, 4:]).all()
    soft = greyed(Condition(picture, Image.new("L", (8, 8), 100)))
    assert set(soft.mask.getdata()) == {0, 255}


def test_the_first_pixel_of_a_latent_decides_whether_it_is_condition():
    mask = np.zeros((32, 32), np.uint8)
    mask[0, 0] = 255  # one pixel of 64, but the first
    mask[8:16, 9:16] = 255  # nearly all of it, but the first
    condition = Condition(noise_picture(1, (32, 32)), Image.fromarray(mask))
    inside = nearest_inside(Job(condition, PLAN, RELEASED, None), 8)
    assert inside.shape == (1, 8, 8)
    assert inside.nonzero().tolist() == [[0, 1, 2]]  # the box starts at row 1, column 2


def test_the_face_is_inverted_alone_at_its_own_size_and_the_canvas_besides(tiny, sampler):
    shapes = []
    hook = tiny.unet.register_forward_pre_hook(lambda _, args: shapes.append(tuple(args[0].shape)))
    sampler.run()
    hook.remove()
    assert shapes[:7] == [(2, 4, 4, 4)] * 7
    assert shapes[7:12] == [(2, 4, 8, 8)] * 5
    assert shapes[12:32] == [(4, 4, 8, 8)] * 20
    assert shapes[32:] == [(2, 4, 8, 8)] * 5


def test_a_face_of_a_box_that_no_unet_halves_is_not_padded(tiny):
    odd = plan((16, 8, 40, 24)).aligned(8)
    job = Job(Condition.prepare(noise_picture(1), odd), odd, RELEASED, seeded(0))
    with torch.no_grad():
        sampler = ReleasedSampler(StableDiffusion(tiny), [job])
        sampler.encode(1)
        sampler.invert(Invert(1, 0))
    assert sampler.states[1][1].shape == (1, 4, 3, 5)


def test_pictures_are_encoded_to_a_sample_of_their_own_seed(tiny, sampler):
    pixels = sampler.pixels[1]
    sampler.encode(1)
    state = seeded(5)  # drawn from before: the noise of the disturbances, the cycles, the finish
    torch.randn(len(sampler.noise._tape), 4, 8, 8, generator=state)
    latents = tiny.vae.encode(pixels).latent_dist
    assert not torch.allclose(sampler.states[1][0], latents.mode() * tiny.vae.config.scaling_factor)
    by_hand = latents.mean + latents.std * torch.randn(1, 4, 4, 4, generator=state)
    assert torch.allclose(sampler.states[1][0], by_hand * tiny.vae.config.scaling_factor, atol=1e-6)


def test_a_disturbance_takes_the_levels_one_state_up(tiny, sampler):
    """From times 501 to 701, though x_5 was left at 401."""
    alphas = tiny.scheduler.alphas_cumprod.double()
    ratio = (alphas[701] / alphas[501]).item()
    assert sampler.schedule.timesteps[5] == 401
    before = torch.randn(1, 4, 8, 8, generator=seeded(1))
    renoised = sampler.renoise(before, Renoise(0))
    noise = sampler.noise[Renoise(0)]
    by_hand = math.sqrt(ratio) * before + math.sqrt(1 - ratio) * noise
    assert torch.allclose(renoised, by_hand, atol=1e-6)


def test_the_finish_is_guided_plainly_against_an_empty_text(tiny, sampler):
    before = torch.randn(1, 4, 8, 8, generator=seeded(1))
    step = Denoise(3)
    denoised = sampler.denoise(before, step)
    backbone = StableDiffusion(tiny)
    (texts,) = backbone.embed([[["a person"], [""]]])
    prompt, empty = backbone.predict(before, sampler.timesteps[3], texts)
    by_hand, _ = sampler.schedule.denoise(
        before, empty + 7.5 * (prompt - empty), 3, 0.1, sampler.noise[step]
    )
    assert torch.allclose(denoised, by_hand, atol=1e-5)


def test_in_the_cycles_the_pair_and_the_negative_prompt_are_asked(tiny, sampler):
    backbone = StableDiffusion(tiny)
    words = ("a person", RELEASED.negative_prompt, "human face",
             "a high quality and colorful image")  # fmt: skip
    (texts,) = backbone.embed([[[word] for word in words]])
    assert torch.equal(sampler.texts.prompt_embeds, texts.prompt_embeds)
