"""Deep features kept from one state to the next: where they are right, and where they are used."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import QUICK, job, latents

from sow.benchmarks.checkpoints import SD21_BASE
from sow.benchmarks.figures.studies.caching import Caching, Features, Keeping, caching, share
from sow.benchmarks.figures.studies.fewer_table import ROWS, lines, whole_samples
from sow.pipeline.calls import count_forwards

RESULTS = Path(__file__).parents[2] / "benchmarks/figures/studies/results"
SETTINGS = QUICK.changed(replant=1, first_cycles=0, cycles=1, planted="condition", preserve=(4, 3))


@pytest.fixture(params=["figures", "tiny"])
def pipe(request):
    """The bundled model, and Stable Diffusion's layout with random weights."""
    return request.getfixturevalue(request.param)


def asked(pipe, samples: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a UNet is given."""
    unet, generator = pipe.unet.config, torch.Generator().manual_seed(0)
    size, width = unet.sample_size, unet.cross_attention_dim
    sample = torch.randn(samples, unet.in_channels, size, size, generator=generator)
    return sample, torch.tensor(300), torch.randn(samples, 20, width, generator=generator)


@torch.no_grad()
@pytest.mark.parametrize("levels", [0, 1, 2])
def test_with_its_own_features_the_upper_part_answers_as_the_whole_does(pipe, levels):
    sample, time, texts = asked(pipe)
    features = Features(pipe.unet, levels)
    with features.keeping():
        whole = pipe.unet(sample, time, texts).sample
    torch.testing.assert_close(features.shallow(sample, time, texts), whole, atol=1e-6, rtol=0)
    first = features.shallow(sample[:1], time, texts[:1])  # branches are left out at the end
    torch.testing.assert_close(first, whole[:1], atol=1e-5, rtol=0)
    # What it is given now goes in, whatever is kept.
    assert not torch.allclose(features.shallow(sample + 1, time, texts), whole, atol=1e-3)


def test_where_every_call_is_a_whole_one_nothing_changes(pipe):
    arguments = job(SETTINGS.changed(alpha_plus=0.7))
    plain = latents(pipe, **arguments)
    forward = pipe.unet.forward
    with caching(pipe, Keeping(1, ("inversion", "cycle", "finish"), every=1)) as cache:
        same = latents(pipe, **job(SETTINGS.changed(alpha_plus=0.7)))
    assert torch.equal(same, plain)
    assert cache.reused == 0
    assert pipe.unet.forward == forward
    assert not pipe.controls


def test_nothing_is_kept_where_nothing_is_asked_for(tiny):
    with caching(tiny, None) as cache:
        assert cache is None
        assert not tiny.controls


@pytest.mark.parametrize(
    ("keeping", "reused"),
    [
        (Keeping(1, ("finish",)), 2 * (4 + 1)),  # states 4 and 2 of 5, of two finishes
        (Keeping(1, ("finish",), every=5), (4 + 4 + 1 + 1) + (4 + 2 + 1 + 1)),
        (Keeping(1, ("inversion",)), 2 + 3),  # of 5 and of 7 states
        (Keeping(1, ("cycle",)), 4),
        (Keeping(1, ("inversion", "cycle", "finish")), 10 + 5 + 4),
    ],
)
def test_neighbours_of_one_phase_share_features(tiny, keeping, reused):
    """Fewer branches than were kept are answered, and the samples at the door are the same."""
    settings = SETTINGS.changed(outside="pair", outside_until=4, guided_until=3, inversion_stride=1,
                                first_guided_until=3)  # fmt: skip
    with count_forwards(tiny.unet) as before:
        plain = latents(tiny, **job(settings))
    with count_forwards(tiny.unet) as after, caching(tiny, keeping) as cache:
        other = latents(tiny, **job(settings))
    assert cache.reused == reused
    assert after.shapes == before.shapes
    assert not torch.equal(other, plain)


def test_a_call_that_no_move_announced_is_a_whole_one(tiny):
    sample, time, texts = asked(tiny)
    cache = Caching(tiny.unet, Keeping(1))
    with torch.no_grad():
        cache.forward(sample, time, texts)
        cache.forward(sample, time, texts)
    assert cache.reused == 0


def test_what_is_left_of_the_work(tiny):
    shares = [share(tiny.unet.config, levels) for levels in (0, 1, 2)]
    assert 0 < shares[0] < shares[1] < shares[2] <= 1
    assert share(SD21_BASE["unet"], 1) == pytest.approx(0.38, abs=0.005)


def test_the_page_is_that_of_the_rows_that_were_made():
    page = (RESULTS / "fewer.md").read_text(encoding="utf-8").rstrip("\n").splitlines()
    command = page[2].partition(". ")[0].strip("`")
    assert lines(RESULTS / ROWS, command) == page
    assert any("both together" in line for line in page)


def test_what_kept_features_are_as_much_work_as():
    record = {"samples": 36.0, "shallow": 8.0, "share": 0.25}
    assert whole_samples(record) == 30
    assert whole_samples({"samples": 36.0}) == 36
