"""The schedule's noise levels, denoising steps, inversion and renoising."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler
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


FLOWS = {
    "even": ({}, None),
    "shifted as SD 3": ({"shift": 3.0}, None),
    "by the canvas, as FLUX": ({"use_dynamic_shifting": True, "shift": 3.0}, 1024),
}


@pytest.fixture(params=FLOWS)
def flow(request):
    config, tokens = FLOWS[request.param]
    return DiffusionSchedule.from_flow_scheduler(
        FlowMatchEulerDiscreteScheduler(**config), 10, tokens
    )


def on_path(schedule, state, clean, noise):
    return schedule.alphas[state] * clean + schedule.sigmas[state] * noise


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_takes_the_steps_of_diffusers_pipelines(name):
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift

    config, tokens = FLOWS[name]
    library = FlowMatchEulerDiscreteScheduler(**config)
    ours = DiffusionSchedule.from_flow_scheduler(library, 10, tokens)
    if tokens:
        spaced = torch.linspace(1.0, 0.1, 10).tolist()
        library.set_timesteps(sigmas=spaced, mu=calculate_shift(tokens))
    else:
        library.set_timesteps(10)
    assert ours.sigmas[:0:-1] == pytest.approx(library.sigmas[:-1].tolist())
    x, outputs = torch.randn(1, 16, 8, 8), torch.randn(10, 1, 16, 8, 8)
    theirs = x
    for state, time, output in zip(range(10, 0, -1), library.timesteps, outputs, strict=True):
        assert ours.timesteps[state] == pytest.approx(time.item())
        theirs = library.step(output, time, theirs).prev_sample
        x, _ = ours.denoise(x, output, state)
        torch.testing.assert_close(x, theirs, atol=1e-5, rtol=1e-5)


def test_a_shift_that_depends_on_the_canvas_needs_it():
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    with pytest.raises(ValueError, match="image_tokens"):
        DiffusionSchedule.from_flow_scheduler(scheduler, 10)


@pytest.mark.parametrize("step_skip", [1, 2, 3])
def test_all_steps_of_a_flow_agree_at_every_state(flow, step_skip):
    """For a model that knows the answer: epsilon - x_0."""
    clean, noise = (torch.randn(1, 4, 8, 8, generator=seeded(n)).double() for n in (3, 4))
    output = noise - clean
    for state in range(10 - step_skip):
        here, there = (on_path(flow, s, clean, noise) for s in (state, state + step_skip))
        torch.testing.assert_close(flow.invert(here, output, state, step_skip), there)
        back, x0 = flow.denoise(there, output, state + step_skip, step_skip=step_skip)
        torch.testing.assert_close(back, here)
        torch.testing.assert_close(x0, clean)


def test_denoising_undoes_inversion_on_a_flow(flow):
    outputs = [torch.randn(1, 4, 8, 8, generator=seeded(n)).double() for n in range(11)]
    start = x = torch.randn(1, 4, 8, 8, generator=seeded(99)).double()
    for state in range(10):
        x = flow.invert(x, outputs[state + 1], state)
    assert (x - start).abs().max() > 0.5
    for state in range(10, 0, -1):
        x, _ = flow.denoise(x, outputs[state], state)
    torch.testing.assert_close(x, start)


def test_renoising_a_flow_keeps_the_noise_level_of_a_state(flow):
    clean, e1, e2 = (torch.randn(1, 1, 700, 700, generator=seeded(n)) for n in range(3))
    x7 = flow.renoise(on_path(flow, 5, clean, e1), e2, 5, 7)
    assert (x7 * clean).mean().item() == pytest.approx(flow.alphas[7], abs=5e-3)
    assert (x7 - flow.alphas[7] * clean).std().item() == pytest.approx(flow.sigmas[7], abs=5e-3)
    assert flow.renoise(clean, e2, 5, 7, 0.0)[0, 0, 0, 0] == pytest.approx(
        flow.alphas[7] / flow.alphas[5] * clean[0, 0, 0, 0].item()
    )


@pytest.mark.parametrize("eta", [0.3, 1.0])
@pytest.mark.parametrize("path", ["variance kept", "straight"])
def test_any_eta_keeps_the_noise_level_of_a_state(path, eta):
    """The states of a stochastic step have the signal and the noise of their place."""
    straight = path == "straight"
    made = (
        DiffusionSchedule.from_flow_scheduler(FlowMatchEulerDiscreteScheduler(shift=2.0), 10)
        if straight
        else schedule()
    )
    clean, noise, fresh = (torch.randn(1, 1, 700, 700, generator=seeded(n)) for n in range(3))
    for state in (10, 6, 2):
        output = noise - clean if straight else noise
        x, _ = made.denoise(on_path(made, state, clean, noise), output, state, eta, fresh)
        rest = x - made.alphas[state - 1] * clean
        assert rest.std().item() == pytest.approx(made.sigmas[state - 1], abs=5e-3)
        assert (rest * clean).mean().item() == pytest.approx(0, abs=5e-3)
        # With eta 1 as much of it is new as the forward step's posterior says.
        kept, before = made.alphas[state] / made.alphas[state - 1], made.sigmas[state - 1]
        added = math.sqrt(made.sigmas[state] ** 2 - (kept * before) ** 2)
        new = eta * before / made.sigmas[state] * added
        assert (rest * fresh).mean().item() == pytest.approx(new, abs=5e-3)


def test_paths_compare_by_their_signal_to_noise_ratio():
    """The paper's states 5 and 7 of ten are at 0.54 and 0.70 on an even flow."""
    ours = schedule()
    for state, time in ((5, 0.54), (7, 0.70)):
        assert ours.log_snr(state) == pytest.approx(2 * math.log((1 - time) / time), abs=0.05)
    even = DiffusionSchedule.from_flow_scheduler(FlowMatchEulerDiscreteScheduler(), 10)
    assert even.log_snr(0) == math.inf
    assert even.log_snr(10) == -math.inf
    assert all(even.log_snr(s) > even.log_snr(s + 1) for s in range(10))
