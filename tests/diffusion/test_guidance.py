"""Region-mixed guidance, compared with its formula."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from helpers import seeded

from sow.diffusion.algorithm import Denoise
from sow.diffusion.guidance import Guidance, regional_guidance
from sow.diffusion.prompts import branch_prompts, outside_of
from sow.plan.plan import Plan
from sow.settings.settings import Settings

PLAN = Plan.parse({"canvas": [64, 64], "prompt": "a king", "box": [0, 0, 32, 32]})

NAMED = PLAN.changed(negative="glasses, hat")


def test_regional_guidance_equals_its_formula():
    outputs = torch.randn(4, 2, 4, 6, 5, generator=seeded(0)).double()
    inside = torch.rand(2, 1, 6, 5, generator=seeded(1)).double()
    inside[:, :, :2], inside[:, :, 4:] = 0, 1
    scale = torch.tensor([7.5, 2.0]).double().view(2, 1, 1, 1)
    within = torch.tensor([1.0, 3.0]).double().view(2, 1, 1, 1)
    result = {k: regional_guidance(outputs[:k], inside, scale, within) for k in (2, 3, 4)}
    for job in range(2):
        for channel in range(4):
            for row in range(6):
                for column in range(5):
                    prompt, negative, third, fourth = outputs[:, job, channel, row, column]
                    share = float(inside[job, 0, row, column])
                    g = share * float(within[job]) + (1 - share) * float(scale[job])
                    expected = {
                        2: negative,
                        3: share * negative + (1 - share) * third,
                        4: negative + (1 - share) * (third - fourth),
                    }
                    for k, u in expected.items():
                        value = u + g * (prompt - u)
                        assert result[k][job, channel, row, column] == pytest.approx(value.item())


def test_scale_one_everywhere_is_the_prompt_alone():
    outputs = torch.randn(4, 1, 4, 4, 4, generator=seeded(2))
    inside = torch.rand(1, 1, 4, 4, generator=seeded(3))
    torch.testing.assert_close(regional_guidance(outputs, inside, 1.0, 1.0), outputs[0])


def test_scale_one_inside_is_the_prompt_alone_there():
    outputs = torch.randn(4, 1, 4, 4, 4, generator=seeded(2))
    inside = torch.zeros(1, 1, 4, 4)
    inside[..., :2] = 1
    mixed = regional_guidance(outputs, inside, 7.5, 1.0)
    torch.testing.assert_close(mixed[..., :2], outputs[0][..., :2])
    assert (mixed[..., 2:] - outputs[0][..., 2:]).abs().min() > 1e-4


def test_prompts_of_branches():
    pair = branch_prompts(PLAN, Settings())
    assert len(pair) == 4
    assert pair[0] == "a king"
    assert pair[2] == "human face"
    joined = branch_prompts(PLAN, Settings(outside="joined"))
    assert len(joined) == 3
    assert joined[2].startswith("human face, a bad quality")
    assert len(branch_prompts(PLAN, Settings(outside="none"))) == 2


@pytest.mark.parametrize("outside", ["none", "joined", "pair"])
def test_what_must_not_be_seen_is_pushed_away_in_the_whole_picture(outside):
    """It precedes the method's own negative text, in its branch; no branch is added."""
    settings = Settings(outside=outside)
    plain, named = branch_prompts(PLAN, settings), branch_prompts(NAMED, settings)
    assert len(named) == len(plain)
    assert named[1] == f"glasses, hat, {plain[1]}"
    if outside == "joined":
        assert named[2] == f"human face, glasses, hat, {plain[1]}"
    else:
        assert named[2:] == plain[2:]
    assert branch_prompts(NAMED, Settings(negative_prompt=""))[1] == "glasses, hat"
    assert outside_of(NAMED.changed(suppress=""), settings) == "none"


def test_a_bracket_left_open_ends_with_its_text():
    open_ = PLAN.changed(negative="(glasses, [a hat")
    words = Settings(negative_prompt="blurry").negative_prompt
    assert branch_prompts(open_, Settings(negative_prompt=words))[1] == (
        "(glasses, [a hat)], blurry"
    )
    plain = Settings(negative_prompt=words, prompt_syntax="plain")
    assert branch_prompts(open_, plain)[1] == "(glasses, [a hat, blurry"


def test_a_plan_without_negative_words_is_written_as_before():
    assert "negative" not in PLAN.to_json()
    assert Plan.parse(NAMED.to_json()) == NAMED


def test_nothing_to_suppress_cancels_out():
    prompts = branch_prompts(PLAN.changed(suppress=""), Settings())
    assert prompts[2] == prompts[3]


def guided(step: Denoise, *kinds: tuple[str, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """The guided output of a batch, and the outputs; `kinds`: outside, guided_until of each."""
    jobs = [
        SimpleNamespace(outside=outside, settings=Settings(outside="pair", guided_until=until))
        for outside, until in kinds
    ]
    scale = torch.full((len(jobs), 1, 1, 1), 7.5)
    guidance = Guidance(jobs, SimpleNamespace(guidance_scale=scale, condition_guidance_scale=scale))
    count = guidance.num_conditions(step)
    outputs = torch.randn(count, len(jobs), 4, 6, 5, generator=seeded(4))
    return guidance(outputs, step, torch.zeros(len(jobs), 1, 6, 5)), outputs


def test_a_job_whose_interval_has_ended_is_unguided_beside_one_that_is_guided():
    result, outputs = guided(Denoise(3), ("pair", 5), ("pair", 1))
    assert torch.equal(result[0], outputs[0, 0])
    assert not torch.equal(result[1], outputs[0, 1])


def test_the_interval_is_the_finishs_alone_whatever_the_other_job_asks_for():
    """A job without a pair needs fewer conditions; in a cycle it is guided all the same."""
    result, outputs = guided(Denoise(3, cycle=0), ("none", 5), ("pair", 1))
    assert len(outputs) == 4
    assert not torch.equal(result[0], outputs[0, 0])
