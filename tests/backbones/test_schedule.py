"""The schedule's noise levels, denoising steps, inversion and renoising."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDIMScheduler
from helpers import seeded

from sow.backbones.schedule import DiffusionSchedule
from sow.benchmarks.checkpoints import SD_SCHEDULE as SD
from sow.errors import ModelError, UsageError


def schedule(steps: int = 10, **config) -> DiffusionSchedule:
    return DiffusionSchedule.from_scheduler(DDIMScheduler(**{**SD, **config}), steps)


def test_states_are_those_of_diffusers_ddim():
    """Timesteps and levels are those of diffusers' DDIMScheduler."""
    for steps in (10, 20, 50):
        library = DDIMScheduler(**SD)
        library.set_timesteps(steps)
        ours = schedule(steps)
        assert list(ours.timesteps[:0:-1]) == library.timesteps.tolist()
        levels = [library.alphas_cumprod[t].item() for t in library.timesteps]
        assert ours.alphas_cumprod[:0:-1] == pytest.approx(levels, rel=1e-6)
        assert ours.alphas_cumprod[0] == pytest.approx(library.final_alpha_cumprod.item(), rel=1e-6)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_a_step_equals_diffusers_step(prediction_type, eta):
    """The DDIM step agrees with DDIMScheduler's."""
    library = DDIMScheduler(**SD, prediction_type=prediction_type)
    library.set_timesteps(10)
    ours = schedule(prediction_type=prediction_type)
    x, output, noise = (torch.randn(2, 4, 8, 8, generator=seeded(n)) for n in range(3))
    for state in range(10, 0, -1):
        theirs = library.step(output, ours.timesteps[state], x, eta=eta, variance_noise=noise)
        mine, clean = ours.denoise(x, output, state, eta, noise)
        torch.testing.assert_close(mine, theirs.prev_sample, atol=2e-5, rtol=2e-5)
        torch.testing.assert_close(clean, theirs.pred_original_sample, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_denoising_undoes_inversion(prediction_type):
    """For a model whose output only depends on the timestep."""
    ours = schedule(prediction_type=prediction_type)
    outputs = [torch.randn(1, 4, 8, 8, generator=seeded(n)) for n in range(11)]
    start = torch.randn(1, 4, 8, 8, generator=seeded(99))
    x = start
    for state in range(10):
        x = ours.invert(x, outputs[state + 1], state)
    assert (x - start).abs().max() > 0.5  # it went somewhere
    for state in range(10, 0, -1):
        x, _ = ours.denoise(x, outputs[state], state)
    assert (x - start).abs().max() < 1e-5


def test_renoising_has_the_mean_and_variance_of_its_formula():
    ours = schedule()
    a5, a7 = ours.alphas_cumprod[5], ours.alphas_cumprod[7]
    x = torch.full((1, 1, 1000, 1000), 2.0)
    for level in (1.0, 0.5, 0.0):
        noise = torch.randn(x.shape, generator=seeded(1))
        y = ours.renoise(x, noise, 5, 7, level)
        assert y.mean().item() == pytest.approx(2 * math.sqrt(a7 / a5), abs=4e-3)
        assert y.var().item() == pytest.approx(level**2 * (1 - a7 / a5), abs=4e-3)


def test_renoising_keeps_the_noise_level_of_a_state():
    """x_5 of level a_5 becomes x_7 of level a_7: variance 1 stays variance 1."""
    ours = schedule()
    clean, e1, e2 = (torch.randn(1, 1, 700, 700, generator=seeded(n)) for n in range(3))
    a5 = ours.alphas_cumprod[5]
    x5 = math.sqrt(a5) * clean + math.sqrt(1 - a5) * e1
    x7 = ours.renoise(x5, e2, 5, 7)
    covariance = (x7 * clean).mean().item()
    assert covariance == pytest.approx(math.sqrt(ours.alphas_cumprod[7]), abs=5e-3)
    assert x7.var().item() == pytest.approx(1.0, abs=5e-3)


def test_denoising_inversion_and_renoising_agree_at_every_state():
    """Clean latents plus true noise stay on the same trajectory with every kind of step."""
    ours = schedule()
    clean, noise = (torch.randn(1, 4, 8, 8, generator=seeded(n)).double() for n in (3, 4))

    def at(state):
        return (
            math.sqrt(ours.alphas_cumprod[state]) * clean
            + math.sqrt(1 - ours.alphas_cumprod[state]) * noise
        )

    for state in range(10):
        torch.testing.assert_close(ours.invert(at(state), noise, state), at(state + 1))
        torch.testing.assert_close(ours.denoise(at(state + 1), noise, state + 1)[0], at(state))
        # A jump adds the variance that separates the two levels.
        signal = ours.renoise(at(state), torch.zeros_like(clean), state, state + 1)
        ratio = ours.alphas_cumprod[state + 1] / ours.alphas_cumprod[state]
        torch.testing.assert_close(signal, math.sqrt(ratio) * at(state))


def test_eta_per_sample():
    ours = schedule()
    x, output, noise = (torch.randn(3, 4, 8, 8, generator=seeded(n)) for n in range(3))
    eta = torch.tensor([0.0, 0.1, 1.0]).view(3, 1, 1, 1)
    together, _ = ours.denoise(x, output, 4, eta, noise)
    for row in range(3):
        one = slice(row, row + 1)
        alone, _ = ours.denoise(x[one], output[one], 4, float(eta[row]), noise[one])
        torch.testing.assert_close(together[one], alone)
    plain, _ = ours.denoise(x[:1], output[:1], 4)
    torch.testing.assert_close(together[:1], plain)


def test_unsupported_models_and_steps_are_refused():
    with pytest.raises(ModelError, match="sample"):
        schedule(prediction_type="sample")
    with pytest.raises(UsageError, match="2000"):
        schedule(steps=2000)
