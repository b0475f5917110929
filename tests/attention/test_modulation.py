"""Modulation and the indicator in the pipeline."""

from __future__ import annotations

import pytest
import torch
from dense import dense_attention
from helpers import OFF, ON, job, latents, noise_picture, seeded
from helpers import with_body as plan
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._python_dispatch import TorchDispatchMode

import sow
import sow.attention.chain
from sow.attention.control import RunContext
from sow.attention.edits import LogitEdit
from sow.attention.indicator import layer_indicator
from sow.attention.modulation import Modulation, compute_gate
from sow.attention.regions import regions_of
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise
from sow.diffusion.jobs import make_jobs
from sow.errors import UsageError
from sow.plan.plan import Plan
from sow.settings.settings import Settings

LAYER = AttentionLayer("down_blocks.0.attn1", "self", 1)


def modulation(settings: Settings, *plans: Plan) -> Modulation:
    jobs = make_jobs(noise_picture(1), list(plans), settings, None, None, 8)
    masks = torch.zeros(len(plans), 1, 8, 8, dtype=torch.bool)
    for mask, p in zip(masks, plans, strict=True):
        mask[0, p.box.y // 8 : p.box.bottom // 8, p.box.x // 8 : p.box.right // 8] = True
    made = Modulation()
    made.begin(RunContext(jobs, masks, None, [LAYER]))
    return made


@pytest.mark.parametrize("alpha_minus", [0.5, 0.0])
@pytest.mark.parametrize("branches", ["all", "prompt"])
@pytest.mark.parametrize("canvas", [(64, 64), (96, 64)])
def test_the_pipeline_equals_dense_attention(tiny, alpha_minus, branches, canvas, monkeypatch):
    settings = ON.changed(modulated_branches=branches, outside="joined", alpha_minus=alpha_minus)
    fast = latents(tiny, **job(settings, canvas=canvas))

    made = []

    def dense(query, key, value, edits):
        made.append(len(query))
        samples = edits.samples
        every = torch.ones(samples, query.shape[2], dtype=torch.bool)
        back = edits.order.argsort(1)

        def of(strengths):  # back in the original order of the queries
            rest = torch.zeros(*strengths.shape[:2], query.shape[2] - strengths.shape[2])
            return torch.cat([strengths, rest], 2).gather(2, back.expand(len(strengths), -1, -1))

        each = [
            LogitEdit(kind, every, keys.bool(), strength)
            for kind, strengths, sets in (("raise", edits.raised, edits.raised_keys),
                                          ("lower", edits.lowered, edits.lowered_keys))
            for strength, keys in zip(of(strengths), sets, strict=True)
        ]  # fmt: skip
        out = dense_attention(query[:samples], key[:samples], value[:samples], each).float()
        rest = scaled_dot_product_attention(query[samples:], key[samples:], value[samples:])
        return torch.cat([out, rest])

    monkeypatch.setattr(sow.attention.chain, "edited_attention", dense)
    assert (latents(tiny, **job(settings, canvas=canvas)) - fast).abs().max() < 1e-4
    assert made


@pytest.mark.parametrize("branches", ["all", "prompt"])
def test_a_picture_does_not_depend_on_its_batch(tiny, branches):
    """Bit for bit, in batches of the same size: beside itself, and beside a larger region."""
    few, many = plan(related=(8, 40, 24, 8)), plan(related=(0, 40, 64, 24))

    def beside(other: Plan) -> torch.Tensor:
        return latents(
            tiny, image=noise_picture(1), plan=[few, other],
            settings=ON.changed(modulated_branches=branches), generator=[seeded(0), seeded(1)],
        )[0]  # fmt: skip

    assert torch.equal(beside(many), beside(few))


def test_each_strength_changes_the_picture(tiny):
    off = latents(tiny, **job(OFF))
    assert torch.equal(latents(tiny, **job(OFF.changed(lambda_c=3, lambda_d=3, tau=0.5))), off)
    for change in ({"alpha_minus": 0.5}, {"alpha_plus": 0.5}):
        assert (latents(tiny, **job(OFF.changed(**change))) - off).abs().max() > 1e-4
    without_r = latents(tiny, **job(OFF.changed(alpha_plus=0.5), related=None))
    assert (without_r - latents(tiny, **job(OFF, related=None))).abs().max() < 1e-4


def test_jobs_of_a_batch_are_modulated_independently(tiny):
    """Strong, off, and with other regions; each gated by its own indicator."""
    settings = [ON.changed(gate="ramp", tau=0.12), OFF.changed(gate="ramp"),
                ON.changed(alpha_plus=0.2, gate="ramp", tau=0.4)]  # fmt: skip
    plans = [plan(), plan(), plan((0, 0, 24, 40), (24, 0, 40, 64))]
    together = latents(
        tiny, image=noise_picture(1), plan=plans, settings=settings,
        generator=[seeded(n) for n in range(3)],
    )  # fmt: skip
    for n in range(3):
        alone = latents(
            tiny, image=noise_picture(1), plan=plans[n], settings=settings[n], generator=seeded(n)
        )
        assert (together[n] - alone[0]).abs().max() < 1e-4


def test_the_processors_are_restored_after_an_error(tiny):
    before = dict(tiny.unet.attn_processors)
    expected = latents(tiny, **job())

    def fail(pipe, call, *_):
        if call == 8:  # in the middle of the first cycle
            changed = [p for p in pipe.unet.attn_processors.values() if p not in before.values()]
            raise RuntimeError(f"stop at {len(changed)}")
        return {}

    with pytest.raises(RuntimeError, match=f"stop at {len(before)}"):
        tiny(**job(), callback_on_step_end=fail)
    assert dict(tiny.unet.attn_processors) == before
    with sow.trace(tiny), pytest.raises(RuntimeError, match=f"stop at {len(before)}"):
        tiny(**job(), callback_on_step_end=fail)
    assert dict(tiny.unet.attn_processors) == before
    assert tiny.controls == []
    assert torch.equal(latents(tiny, **job()), expected)


def test_other_attention_processors(tiny):
    """Sliced attention takes fewer arguments than the default one."""
    expected = latents(tiny, **job())
    before = dict(tiny.unet.attn_processors)
    tiny.enable_attention_slicing(1)
    try:
        with sow.trace(tiny) as t:
            assert torch.allclose(latents(tiny, **job()), expected, atol=1e-4)
        assert t.flow.shape[0] == 2
    finally:
        tiny.unet.set_attn_processor(before)


def test_under_autocast(tiny):
    """Autocast only changes the precision; modulation is still applied."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made, off = (latents(tiny, **job(s)) for s in (ON.changed(gate="ramp", tau=0.12), OFF))
    full = latents(tiny, **job(ON.changed(gate="ramp", tau=0.12)))
    assert torch.corrcoef(torch.stack([made.flatten(), full.flatten()]))[0, 1] > 0.99
    assert (made - off).abs().max() > 1e-3


class DeviceReads(TorchDispatchMode):
    """Counts operations that synchronise the device with the host."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        packet, kwargs = function._overloadpacket, kwargs or {}
        self.count += packet in (
            torch.ops.aten._local_scalar_dense, torch.ops.aten.nonzero,
            torch.ops.aten.masked_select,
        )  # fmt: skip
        self.count += packet is torch.ops.aten._to_copy and kwargs.get("device") is not None
        if packet is torch.ops.aten.index:
            self.count += any(i is not None and i.dtype == torch.bool for i in args[1])
        return function(*args, **kwargs)


def test_the_gate_never_waits_for_the_device(tiny):
    def reads(cycles: int) -> int:
        with DeviceReads() as counted:
            latents(tiny, **job(ON.changed(cycles=cycles, gate="ramp")))
        return counted.count

    assert reads(1) == reads(4)


def test_edits_decay_with_the_cycles_and_the_distance():
    settings = ON.changed(lambda_c=0.5, lambda_d=2, cycles=3)
    one = modulation(settings, plan())
    strengths = []
    for cycle in range(3):
        one.before_call(Denoise(7, cycle))
        enhanced, suppressed = one.edits(LAYER)
        assert (enhanced.kind, suppressed.kind) == ("raise", "lower")
        strengths.append((enhanced.strength[0], suppressed.strength[0]))
    one.before_call(Denoise(5))
    assert not one.edits(LAYER)
    regions = regions_of(torch.zeros(1, 1, 8, 8, dtype=torch.bool), [plan()], 1)
    first, last = strengths[0], strengths[2]
    expected = 0.7 * torch.exp(-2 * regions.distance[0]) * regions.related[0]
    assert torch.allclose(first[0], expected, atol=1e-6)
    assert torch.allclose(last[0], first[0] * torch.exp(torch.tensor(-1.0)), atol=1e-6)
    assert torch.allclose(last[1], first[1] * torch.exp(torch.tensor(-1.0)), atol=1e-6)
    assert set(first[1].unique().tolist()) == {0.5, 0.0}


def test_the_weights_of_regions_scale_the_enhancement(tiny):
    """Weights of 1 change nothing, bit for bit; a smaller weight only affects its region."""
    expected = latents(tiny, **job())
    halves = [{"label": name, "box": [left, 40, 24, 24]} for name, left in (("a", 8), ("b", 32))]
    whole = plan().changed(related=[{**half, "weight": 1.0} for half in halves])
    assert torch.equal(latents(tiny, **{**job(), "plan": whole}), expected)
    less = plan().changed(related=[{**halves[0], "weight": 0.25}, halves[1]])
    assert (latents(tiny, **{**job(), "plan": less}) - expected).abs().max() > 1e-4
    strengths = []
    for one in (whole, less):
        control = modulation(ON, one)
        control.before_call(Denoise(7, 0))
        strengths.append(control.edits(LAYER)[0].strength.view(8, 8))
    assert torch.equal(strengths[1][:, 1:4], 0.25 * strengths[0][:, 1:4])
    assert torch.equal(strengths[1][:, 4:], strengths[0][:, 4:])
    assert strengths[0][5:, 1:7].all()


def example_regions():
    """Return the regions of one picture, at the resolution of the latents."""
    p = plan()
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., 1:5, 2:6] = True
    return regions_of(mask, [p], 1)


@pytest.mark.parametrize(("attention", "low", "high"), [("even", 0.15, 0.25), ("near", 0.6, 1.0),
                                                        ("far", 0.0, 0.1)])  # fmt: skip
def test_the_indicator_is_the_share_of_the_nearest_fifth(attention, low, high):
    regions = example_regions()
    count = regions.num_tokens
    rank = regions.distance
    wave = {"even": torch.arange(count)[None] % 2.0, "near": torch.exp(-30 * (rank - 0.4)),
            "far": rank}[attention]  # fmt: skip
    query = torch.zeros(1, 2, count, 4)
    query[..., 0] = wave
    key = torch.ones(1, 2, count, 4)
    share = layer_indicator(query, key, regions)
    assert low <= float(share) <= high
    # Offset and scale of the logits do not matter: they are normalised over R.
    key[..., 1], query[..., 1] = 1, 7
    assert torch.allclose(layer_indicator(3 * query, key, regions), share, atol=1e-5)


def test_the_indicator_equals_the_one_from_all_logits():
    regions = example_regions()
    query, key = (torch.randn(1, 3, 64, 8, generator=seeded(n)) for n in (1, 2))
    logits = query @ key.transpose(2, 3)
    condition, related = regions.condition[0], regions.related[0]
    scores = logits[0][:, related][:, :, condition].mean((0, 2))
    normal = (scores - scores.min()) / (scores.max() - scores.min())
    expected = normal[regions.nearest_fifth[0][related]].sum() / normal.sum()
    assert float(layer_indicator(query, key, regions)) == pytest.approx(float(expected), abs=1e-5)


def test_the_indicator_is_nan_for_small_regions(tiny):
    query = torch.randn(1, 1, 64, 4, generator=seeded(1))
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    assert layer_indicator(query, query, regions_of(mask, [plan()], 1)).isnan().all()  # no C
    mask[..., 1:5, 2:6] = True
    for related, measurable in ((None, False), ((0, 0, 16, 8), False), ((0, 0, 64, 8), True)):
        share = layer_indicator(query, query, regions_of(mask, [plan(related=related)], 1))
        assert bool(share.isfinite()) == measurable
    output = tiny(**job(ON, related=None), return_indicators=True)
    assert output.indicators.shape == (1, 2)
    assert output.indicators.isnan().all()  # not measured, so no number


@pytest.mark.parametrize("gate", ["above", "ramp", "below"])
def test_gates_are_open_where_the_indicator_is_not_measurable(tiny, gate):
    """R has four tokens, too few for a fifth: it is modulated as without a gate."""
    small = {"related": (16, 40, 32, 8)}  # one row of four latents
    free = latents(tiny, **job(ON, **small))
    assert (free - latents(tiny, **job(OFF, **small))).abs().max() > 1e-4
    assert torch.equal(latents(tiny, **job(ON.changed(gate=gate), **small)), free)


def test_the_indicator_of_equal_scores_is_a_fifth():
    regions = example_regions()
    constant = torch.ones(1, 2, 64, 4)
    fifth = regions.nearest_fifth.sum() / regions.related.sum()
    share = layer_indicator(constant, constant, regions)
    assert float(share) == pytest.approx(float(fifth), abs=1e-6)


def test_gates():
    indicator, tau = torch.tensor([[0.1], [0.2], [0.3], [0.5]]), torch.full((4, 1), 0.2)
    assert compute_gate("none", indicator, tau).flatten().tolist() == [1, 1, 1, 1]
    assert compute_gate("above", indicator, tau).flatten().tolist() == [0, 0, 1, 1]
    assert compute_gate("below", indicator, tau).flatten().tolist() == [1, 0, 0, 0]
    assert compute_gate("ramp", indicator, tau).flatten().tolist() == pytest.approx([0, 0, 0.5, 1])
    for kind in ("above", "below", "ramp"):
        unknown, not_yet = torch.tensor([[torch.nan], [-torch.inf]])
        assert compute_gate(kind, unknown[None], tau[:1]) == 1
        assert compute_gate(kind, not_yet[None], tau[:1]) == 0


def test_a_closed_gate_changes_nothing(tiny):
    off = latents(tiny, **job(OFF))
    closed = latents(tiny, **job(ON.changed(gate="above", tau=1.0)))
    assert (closed - off).abs().max() < 1e-4
    opened = latents(tiny, **job(ON.changed(gate="below", tau=1.0)))
    assert (opened - off).abs().max() > 1e-3


def test_indicators_are_returned_on_request(tiny):
    output = tiny(**job(ON.changed(cycles=3)), return_indicators=True)
    assert output.indicators.shape == (1, 3)
    assert ((output.indicators > 0) & (output.indicators <= 1)).all()
    assert tiny(**job(ON)).indicators is None
    # Measuring changes nothing.
    plain = latents(tiny, **job(OFF))
    measured = latents(tiny, **job(OFF), return_indicators=True)
    assert torch.allclose(plain, measured, atol=1e-5)


def test_invalid_settings_are_refused():
    for bad in ({"gate": "sometimes"}, {"alpha_plus": 1.5}, {"modulated_factors": (3,)},
                {"modulated_factors": ()}):  # fmt: skip
        with pytest.raises(UsageError):
            ON.changed(**bad)
    assert ON.with_assignments(["modulated_factors=1,2"]).modulated_factors == (1, 2)


def test_modulated_layers_and_branches(tiny):
    everywhere = latents(tiny, **job(ON))
    prompt = latents(tiny, **job(ON.changed(modulated_branches="prompt")))
    assert (everywhere - prompt).abs().max() > 1e-3
    nowhere = latents(tiny, **job(ON.changed(modulated_factors=(8,))))
    assert (nowhere - latents(tiny, **job(OFF))).abs().max() < 1e-4
