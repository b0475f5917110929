"""Modulation in the whole pipeline: what it changes, when, for whom; the indicator; the trace."""

from __future__ import annotations

import pytest
import torch
from conftest import seeded
from dense import dense_attention
from test_pipeline import latents, noise_picture
from torch.utils._python_dispatch import TorchDispatchMode

import sow
import sow.processors
from sow.batch import make_jobs
from sow.errors import UsageError
from sow.modulation import Modulation, gate_of, near_share
from sow.plan import Plan
from sow.regions import tokens_of
from sow.settings import Settings

OFF = Settings(cycles=2, alpha_minus=0, alpha_plus=0, gate="none")
ON = OFF.changed(alpha_minus=0.5, alpha_plus=0.7, lambda_c=0.1, lambda_d=0.5)


def plan(box=(16, 8, 32, 32), related=(8, 40, 48, 24), canvas=(64, 64), **more) -> Plan:
    regions = [{"label": "body", "box": related}] if related else []
    return Plan.parse(
        {"canvas": canvas, "prompt": "a person", "box": box, "related": regions, **more}
    )


def job(settings: Settings = ON, seed: int = 0, **more) -> dict:
    return {
        "image": noise_picture(1), "plan": plan(**more), "settings": settings,
        "generator": seeded(seed),
    }  # fmt: skip


def modulation(settings: Settings, *plans: Plan, measure: bool = False) -> Modulation:
    jobs = make_jobs(noise_picture(1), list(plans), settings, None, None, 8)
    masks = torch.zeros(len(plans), 1, 8, 8, dtype=torch.bool)
    for mask, p in zip(masks, plans, strict=True):
        mask[0, p.box.y // 8 : p.box.bottom // 8, p.box.x // 8 : p.box.right // 8] = True
    return Modulation(jobs, masks, measure)


@pytest.mark.parametrize("alpha_minus", [0.5, 0.0])
@pytest.mark.parametrize("branches", ["all", "prompt"])
@pytest.mark.parametrize("canvas", [(64, 64), (96, 64)])
def test_the_pipeline_equals_one_with_the_dense_form(
    tiny, alpha_minus, branches, canvas, monkeypatch
):
    settings = ON.changed(modulated_branches=branches, outside="joined", alpha_minus=alpha_minus)
    fast = latents(tiny, **job(settings, canvas=canvas))

    def dense(query, key, value, tokens, pull):
        out = dense_attention(query, key, value, tokens.condition, pull.inside, pull.outside)
        return out.to(query.dtype)

    monkeypatch.setattr(sow.processors, "pulled_attention", dense)
    assert (latents(tiny, **job(settings, canvas=canvas)) - fast).abs().max() < 1e-4


def test_each_part_changes_the_picture_and_none_leaves_it(tiny):
    off = latents(tiny, **job(OFF))
    assert torch.equal(latents(tiny, **job(OFF.changed(lambda_c=3, lambda_d=3, tau=0.5))), off)
    for change in ({"alpha_minus": 0.5}, {"alpha_plus": 0.5}):
        assert (latents(tiny, **job(OFF.changed(**change))) - off).abs().max() > 1e-4
    without_r = latents(tiny, **job(OFF.changed(alpha_plus=0.5), related=None))
    assert (without_r - latents(tiny, **job(OFF, related=None))).abs().max() < 1e-4


def test_jobs_of_a_batch_are_modulated_each_for_itself(tiny):
    """One strongly, one not at all, one with other regions, gated by their own indicators."""
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


def test_the_processors_are_given_back_whatever_happens(tiny):
    before = dict(tiny.unet.attn_processors)
    latents(tiny, **job())

    def fail(pipe, *_):
        changed = [p for p in pipe.unet.attn_processors.values() if p not in before.values()]
        if changed:  # in the cycles, not yet in the inversion
            raise RuntimeError(f"stop at {len(changed)}")
        return {}

    with pytest.raises(RuntimeError, match=f"stop at {len(before) // 2}"):
        tiny(**job(), callback_on_step_end=fail)
    assert dict(tiny.unet.attn_processors) == before
    with sow.trace(tiny), pytest.raises(RuntimeError, match=f"stop at {len(before)}"):
        tiny(**job(), callback_on_step_end=fail)
    assert dict(tiny.unet.attn_processors) == before
    assert tiny.observer is None


def test_other_processors_do_the_rest_of_the_work(tiny):
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
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = latents(tiny, **job(ON.changed(gate="ramp")))
    assert made.isfinite().all()


class Reads(TorchDispatchMode):
    """Counts what would make a GPU wait for the host."""

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
        with Reads() as counted:
            latents(tiny, **job(ON.changed(cycles=cycles, gate="ramp")))
        return counted.count

    assert reads(1) == reads(4)


def test_pulls_fade_with_the_cycles_and_the_distance():
    settings = ON.changed(lambda_c=0.5, lambda_d=2, cycles=3)
    one = modulation(settings, plan())
    strengths = []
    for _ in one.during(3):
        tokens, pull = one.steering(64, 64)
        strengths.append((pull.inside[0], pull.outside[0]))
        assert one.listens(64)
    assert one.steering(64, 64) is None
    tokens = tokens_of(torch.zeros(1, 1, 8, 8, dtype=torch.bool), [plan()], 1)
    first, last = strengths[0], strengths[2]
    related = tokens.related[0]
    expected = 0.7 * torch.exp(-2 * tokens.distance[0]) * related
    assert torch.allclose(first[0], expected, atol=1e-6)
    assert torch.allclose(last[0], first[0] * torch.exp(torch.tensor(-1.0)), atol=1e-6)
    assert torch.allclose(last[1], first[1] * torch.exp(torch.tensor(-1.0)), atol=1e-6)
    assert set(first[1].unique().tolist()) == {-0.5, 0.0}


def scores_tokens():
    """One picture, and keys that make query i's mean logit over C equal to its first entry."""
    p = plan()
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., 1:5, 2:6] = True
    return tokens_of(mask, [p], 1)


@pytest.mark.parametrize(("listening", "low", "high"), [("even", 0.15, 0.25), ("near", 0.6, 1.0),
                                                        ("far", 0.0, 0.1)])  # fmt: skip
def test_the_indicator_is_the_share_of_the_nearest_fifth(listening, low, high):
    tokens = scores_tokens()
    count = tokens.count
    rank = tokens.distance
    wave = {"even": torch.arange(count)[None] % 2.0, "near": torch.exp(-30 * (rank - 0.4)),
            "far": rank}[listening]  # fmt: skip
    query = torch.zeros(1, 2, count, 4)
    query[..., 0] = wave
    key = torch.ones(1, 2, count, 4)
    share = near_share(query, key, tokens)
    assert low <= float(share) <= high
    # Neither a constant nor a scale of the logits matters: they are normalised over R.
    key[..., 1], query[..., 1] = 1, 7
    assert torch.allclose(near_share(3 * query, key, tokens), share, atol=1e-5)


def test_the_indicator_equals_the_one_from_all_logits():
    tokens = scores_tokens()
    query, key = (torch.randn(1, 3, 64, 8, generator=seeded(n)) for n in (1, 2))
    logits = query @ key.transpose(2, 3)
    condition, related = tokens.condition[0], tokens.related[0]
    scores = logits[0][:, related][:, :, condition].mean((0, 2))
    normal = (scores - scores.min()) / (scores.max() - scores.min())
    expected = normal[tokens.nearest[0][related]].sum() / normal.sum()
    assert float(near_share(query, key, tokens)) == pytest.approx(float(expected), abs=1e-5)


def test_regions_too_small_for_a_fifth_do_not_count(tiny):
    query = torch.randn(1, 1, 64, 4, generator=seeded(1))
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    assert near_share(query, query, tokens_of(mask, [plan()], 1)).isnan().all()  # no C
    mask[..., 1:5, 2:6] = True
    for related, told in ((None, False), ((0, 0, 16, 8), False), ((0, 0, 64, 8), True)):
        share = near_share(query, query, tokens_of(mask, [plan(related=related)], 1))
        assert bool(share.isfinite()) == told
    # With nothing to go by, modulation is not held back.
    output = tiny(**job(ON, related=None), return_indicators=True)
    assert (output.indicators == 1).all()


def test_where_all_is_alike_the_nearest_fifth_has_a_fifth():
    tokens = scores_tokens()
    alike = torch.ones(1, 2, 64, 4)
    fifth = tokens.nearest.sum() / tokens.related.sum()
    assert float(near_share(alike, alike, tokens)) == pytest.approx(float(fifth), abs=1e-6)


def test_gates():
    indicator, tau = torch.tensor([[0.1], [0.2], [0.3], [0.5]]), torch.full((4, 1), 0.2)
    assert gate_of("none", indicator, tau).flatten().tolist() == [1, 1, 1, 1]
    assert gate_of("above", indicator, tau).flatten().tolist() == [0, 0, 1, 1]
    assert gate_of("below", indicator, tau).flatten().tolist() == [1, 0, 0, 0]
    assert gate_of("ramp", indicator, tau).flatten().tolist() == pytest.approx([0, 0, 0.5, 1])


def test_a_gate_that_nothing_passes_leaves_the_picture_alone(tiny):
    off = latents(tiny, **job(OFF))
    closed = latents(tiny, **job(ON.changed(gate="above", tau=1.0)))
    assert (closed - off).abs().max() < 1e-4
    opened = latents(tiny, **job(ON.changed(gate="below", tau=1.0)))
    assert (opened - off).abs().max() > 1e-3


def test_indicators_on_request(tiny):
    output = tiny(**job(ON.changed(cycles=3)), return_indicators=True)
    assert output.indicators.shape == (1, 3)
    assert ((output.indicators > 0) & (output.indicators <= 1)).all()
    assert tiny(**job(ON)).indicators is None
    # Measuring changes nothing.
    plain = latents(tiny, **job(OFF))
    measured = latents(tiny, **job(OFF), return_indicators=True)
    assert torch.allclose(plain, measured, atol=1e-5)


def test_bad_settings_are_refused():
    for bad in ({"gate": "sometimes"}, {"alpha_plus": 1.5}, {"modulated_factors": (3,)},
                {"modulated_factors": ()}):  # fmt: skip
        with pytest.raises(UsageError):
            ON.changed(**bad)
    assert ON.with_assignments(["modulated_factors=1,2"]).modulated_factors == (1, 2)


def test_layers_and_branches_are_chosen(tiny):
    everywhere = latents(tiny, **job(ON))
    prompt = latents(tiny, **job(ON.changed(modulated_branches="prompt")))
    assert (everywhere - prompt).abs().max() > 1e-3
    nowhere = latents(tiny, **job(ON.changed(modulated_factors=(8,))))
    assert (nowhere - latents(tiny, **job(OFF))).abs().max() < 1e-4
