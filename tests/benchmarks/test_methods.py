"""Methods that SOW is compared with: their mathematics, what they spend, and how they are told."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import noise_picture, plan, seeded

from sow.backbones.stable_diffusion import StableDiffusion
from sow.benchmarks.speed.cost import count
from sow.benchmarks.tv2i.methods import FROZEN, METHODS, method
from sow.benchmarks.tv2i.methods.blended import Blended
from sow.benchmarks.tv2i.methods.cow import Cow
from sow.benchmarks.tv2i.methods.cow_release import RELEASED, CowRelease
from sow.benchmarks.tv2i.methods.frozen_model import Stage
from sow.benchmarks.tv2i.methods.langevin import Langevin, oscillation
from sow.benchmarks.tv2i.methods.sdedit import SDEdit
from sow.errors import UsageError
from sow.pictures.condition import Condition
from sow.pipeline.calls import count_forwards
from sow.service.methods import SOW, Sow
from sow.service.pipeline_calls import EngineTask, make_batch
from sow.service.request import Request
from sow.service.results import GenerationSpec
from sow.service.service import Service
from sow.settings.settings import Settings


def work_of(box=(16, 8, 32, 32), seed: int = 1, prompt: str = "a person") -> GenerationSpec:
    the_plan = plan(box, prompt=prompt).aligned(8)
    condition = Condition.prepare(noise_picture(seed), the_plan)
    return GenerationSpec(condition, the_plan, Settings.preset("normal"), "a", "0" * 64)


@pytest.fixture(scope="module")
def service(tiny_folder):
    made = Service(str(tiny_folder), device="cpu", dtype="float32")
    made.pipe.set_progress_bar_config(disable=True)
    return made


def clean_of(how, pipe, specs, seeds) -> tuple[torch.Tensor, Stage]:
    """The latents that a method on the frozen model leads to, and its stage."""
    with torch.no_grad():
        stage = Stage.of(pipe, specs, seeds, how.states)
        return how.sample(stage), stage


# What all of them have in common.


def test_methods_are_found_by_name_and_say_their_parameters():
    assert method("sow") == SOW
    assert isinstance(method("cow"), Cow)
    assert method("sdedit", strength=0.5).label == "sdedit(strength=0.5, calls=30, eta=0)"
    assert method("cow-release").label == "cow-release(cycle_eta=1)"
    assert method("cow").label == "cow"
    assert {name for name in FROZEN if method(name).name == name} == set(FROZEN) < set(METHODS)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        ("sowing", {}, "choose one of sow, cow"),
        ("instantid", {}, "pickle"),
        ("sdedit", {"strenght": 1}, "strenght"),
        ("sdedit", {"strength": 1.5}, "above 0, at most 1"),
        ("cow-release", {"cycle_eta": 0.5}, "the release has 1, or 0"),
        ("sdedit", {"eta": 2.0}, "from 0 to 1"),
        ("blended", {"calls": 0}, "from 1 to 1000"),
        ("langevin", {"iterations": -1}, "from 0 to 1000"),
        ("langevin", {"step_size": 0.0}, "above 0"),
        ("sd2-inpainting", {}, "give weights="),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(name, given, says):
    with pytest.raises(UsageError, match=says):
        method(name, **given)


@pytest.mark.parametrize(
    ("how", "calls", "samples"),
    [
        (SDEdit(calls=7, strength=0.5), 7, 14),
        (Blended(calls=5), 5, 10),
        (Langevin(steps=3, iterations=2), 9, 18),
        (Langevin(steps=3, iterations=0), 3, 6),
        (CowRelease(), 37, 114),
    ],
    ids=lambda value: getattr(value, "label", None),
)
def test_what_a_picture_costs_is_counted_at_the_unet(service, how, calls, samples):
    spec = work_of()
    if isinstance(how, CowRelease):
        spec = replace(spec, settings=RELEASED)
    (picture,) = make_batch(service.pipe, service.model, [EngineTask(spec, 3)], 1, how)
    assert (picture.calls, picture.samples) == (calls, samples)
    assert picture.image.size == (64, 64)
    assert picture.recipe.method == how.label


def test_the_defaults_spend_what_sow_spends_with_the_guidance_of_stable_diffusion(service):
    """30 calls of two samples, against 24 calls of SOW, of which 14 are of one and 10 of more.

    That is when it asks at every state; the presets ask for less.
    """
    spent = count(service.pipe, Settings.preset("thorough-normal"))
    assert spent.samples == 60
    assert SDEdit().calls == Blended().calls == 30
    assert Langevin().steps * (Langevin().iterations + 1) == 30


def test_counting_lets_go_and_sees_keywords():
    unet = torch.nn.Identity()
    with count_forwards(unet) as spent:
        unet(torch.zeros(3, 4, 2, 2))
    unet(torch.zeros(1, 4, 2, 2))
    assert (spent.calls, spent.samples) == (1, 3)


@pytest.mark.parametrize("how", [SDEdit(calls=3), Blended(calls=3), Langevin(steps=2),
                                 CowRelease()], ids=lambda how: how.name)  # fmt: skip
def test_a_picture_does_not_depend_on_its_neighbours(service, how):
    """Nor on boxes of other sizes beside it, nor on how many are made together."""
    specs = [work_of(), work_of((8, 0, 40, 48), 2, "a dog")]
    if isinstance(how, CowRelease):
        specs = [replace(spec, settings=RELEASED) for spec in specs]
    both = how.draw(service.pipe, specs, [5, 6]).images
    alone = [how.draw(service.pipe, [w], [s]).images[0] for w, s in zip(specs, (5, 6), strict=True)]
    for one, other in zip(both, alone, strict=True):
        away = np.abs(np.asarray(one, int) - np.asarray(other, int))
        assert away.max() <= 1
    assert np.asarray(both[0]).std() > 0


def test_the_release_of_cow_calls_once_per_size_of_box(service):
    """In company faces of another size are inverted besides; the samples of each are the same."""
    specs = [replace(work_of(box), settings=RELEASED) for box in ((16, 8, 32, 32), (8, 0, 40, 48))]
    made = make_batch(
        service.pipe, service.model, [EngineTask(w, 1) for w in specs], 2, CowRelease()
    )
    assert [(p.calls, p.samples) for p in made] == [(44, 114), (44, 114)]


# The frozen model: SDEdit, blended, Langevin.


@pytest.mark.parametrize(
    "how", [Blended(calls=4), Langevin(steps=2, iterations=2)], ids=lambda how: how.name
)
def test_inpainting_ends_with_what_was_planted_inside_the_condition(service, how):
    specs = [work_of(), work_of((8, 0, 40, 48), 2)]
    latents, stage = clean_of(how, service.pipe, specs, [1, 2])
    inside = stage.region_mask.bool().expand_as(latents)
    assert torch.equal(latents[inside], stage.planted[inside])
    assert not torch.isclose(latents[~inside], stage.planted[~inside]).any()
    assert stage.region_mask[0].sum() == 16  # 32 x 32 pixels
    assert stage.region_mask[1].sum() == 30


def test_sdedit_starts_from_the_planted_canvas_noised_as_far(service):
    """With little noise the canvas comes back; noised by hand, it is what the first call sees."""
    how, seen = SDEdit(strength=0.4, calls=4, eta=0.0), []

    class Watched(Stage):
        def output(self, latents, state):
            seen.append((latents, state))
            return super().output(latents, state)

    with torch.no_grad():
        stage = Watched.of(service.pipe, [work_of()], [7], how.states)
        how.sample(stage)
    assert (how.states, [state for _, state in seen]) == (10, [4, 3, 2, 1])
    levels = stage.schedule.alphas_cumprod
    ratio = levels[4] / levels[0]
    noise = torch.randn(stage.planted.shape, generator=seeded(7))
    by_hand = math.sqrt(ratio) * stage.planted + math.sqrt(1 - ratio) * noise
    assert torch.allclose(seen[0][0], by_hand, atol=1e-6)


def test_guidance_is_the_prompt_against_the_negative_prompt(service):
    with torch.no_grad():
        stage = Stage.of(service.pipe, [work_of()], [7], 10)
        latents = stage.noise()
        backbone = StableDiffusion(service.pipe)
        texts = [("a person",), (Settings.preset("normal").negative_prompt,)]
        (embedded,) = backbone.embed([texts])
        prompt, negative = backbone.predict(latents, stage.timesteps[6], embedded)
        by_hand = negative + 7.5 * (prompt - negative)
        assert torch.allclose(stage.output(latents, 6), by_hand, atol=1e-5)


def test_the_oscillation_keeps_its_distribution_at_rest():
    """z of variance 1/a and v of variance 1, whatever friction and length of time."""
    stiffness = torch.tensor([1.0, 9.0], dtype=torch.float64)
    for friction, length in ((0.5, 0.3), (40.0, 0.2), (1125.0, 0.2)):
        turn, gained = oscillation(stiffness, friction, length)
        rest = torch.diag_embed(torch.stack([1 / stiffness, torch.ones(2)], -1).double())
        assert torch.allclose(turn @ rest @ turn.mT + gained @ gained.mT, rest, atol=1e-12)


def test_the_oscillation_is_the_one_of_its_equations():
    """Against many small steps of dz = sqrt(g) v dt, dv = (-sqrt(g) a z - g v) dt, for the mean."""
    a, friction, length, steps = 3.0, 5.0, 0.4, 20_000
    turn, _ = oscillation(torch.tensor([a], dtype=torch.float64), friction, length)
    z, v, root, dt = 1.0, -0.5, math.sqrt(friction), length / steps
    for _ in range(steps):
        z, v = z + root * v * dt, v + (-root * a * z - friction * v) * dt
    there = turn[0] @ torch.tensor([1.0, -0.5], dtype=torch.float64)
    assert torch.allclose(there, torch.tensor([z, v], dtype=torch.float64), atol=1e-3)


def test_with_much_friction_the_oscillation_is_plain_langevin():
    """dz = -a z dt + sqrt(2) dW: z falls by exp(-a t) and gains (1 - exp(-2 a t)) / a."""
    turn, gained = oscillation(torch.tensor([2.0], dtype=torch.float64), 1e6, 0.3)
    assert turn[0, 0, 0].item() == pytest.approx(math.exp(-0.6), rel=1e-4)
    assert gained[0, 0, 0].item() ** 2 == pytest.approx((1 - math.exp(-1.2)) / 2, rel=1e-3)


class Gaussian(Stage):
    """A model that knows the answer: clean latents are normal, neighbours are correlated.

    Latents of a canvas of 1 x 2: x outside C, y inside it, with this correlation.
    """

    rho = 0.8

    def output(self, latents, state):
        level = self.schedule.alphas_cumprod[state]
        prior = torch.tensor([[1.0, self.rho], [self.rho, 1.0]])
        noisy = level * prior + (1 - level) * torch.eye(2)
        mean = math.sqrt(level) * prior @ torch.linalg.inv(noisy)
        clean = torch.einsum("ij,bchj->bchi", mean, latents)
        return (latents - math.sqrt(level) * clean) / math.sqrt(1 - level)


@pytest.fixture(scope="module")
def known(service):
    """4000 pictures of two latents, of which the right one is planted: 1."""
    count = 4000
    with torch.no_grad():
        stage = Stage.of(service.pipe, [work_of()], [0], 30)
    planted = torch.tensor([0.0, 1.0]).expand(count, 1, 1, 2)
    inside = torch.tensor([0.0, 1.0]).expand(count, 1, 1, 2)
    fields = {**vars(stage), "planted": planted, "region_mask": inside}

    class Fast(Gaussian):
        def noise(self):
            return torch.randn(planted.shape, generator=self.generators[0])

    return Fast(**fields)


def test_langevin_samples_what_is_likely_beside_what_is_planted(known):
    """Exactly, x given y = 1 has the mean rho and the variance 1 - rho². Blended comes less far."""
    how = Langevin(steps=30, iterations=10)
    blended = Blended(calls=30).sample(known)[..., 0]
    x = how.sample(known)[..., 0]
    assert x.mean().item() == pytest.approx(0.8, abs=0.06)
    assert x.std().item() == pytest.approx(0.6, abs=0.08)
    assert abs(blended.mean().item() - 0.8) > abs(x.mean().item() - 0.8) + 0.1


def test_cow_is_the_engine_by_its_preset_and_can_be_made_again(service):
    asked = Request(noise_picture(3), "a person", plan=plan())
    spec = Cow().resolve(service, replace(asked, preset="style", settings={"cycles": 3}))
    assert spec.settings == service.pipe.preset("cow")
    assert isinstance(Cow(), Sow)
    (picture,) = make_batch(service.pipe, service.model, [EngineTask(spec, 3)], 1, Cow())
    assert picture.recipe.method == ""
    (again,) = service.make(spec, [3])
    assert np.array_equal(np.asarray(picture.image), np.asarray(again.image))
