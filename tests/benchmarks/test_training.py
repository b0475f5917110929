"""Training the drawn world's model: every stage, small, and what it must not change."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from torch import nn

from sow.benchmarks.figures.training import data, latents, pack, text, unet, vae
from sow.benchmarks.figures.training.groupnorm import FastGroupNorm, use_fast_groupnorm
from sow.benchmarks.figures.training.loop import Trainer, TrainingConfig
from sow.benchmarks.figures.training.text import merges_for


def test_the_fast_group_norm_is_group_norm():
    torch.manual_seed(0)
    plain = nn.GroupNorm(4, 24)
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    model = nn.Sequential(nn.GroupNorm(4, 24))
    model.load_state_dict({f"0.{key}": value for key, value in plain.state_dict().items()})
    use_fast_groupnorm(model)
    assert isinstance(model[0], FastGroupNorm)
    x = torch.randn(3, 24, 10, 6) * 2 + 1
    upstream = torch.randn(3, 24, 10, 6)
    results = []
    for layer in (plain, model):
        own = x.clone().requires_grad_()
        made = layer(own)
        made.backward(upstream)
        norm = layer if layer is plain else model[0]
        results.append((made.detach(), own.grad, norm.weight.grad, norm.bias.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, atol=2e-4, rtol=1e-4)


def learner(folder, steps: int) -> Trainer:
    """A small convolutional network that learns to blur."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.SiLU(), nn.Conv2d(16, 16, 3), nn.SiLU())
    net.append(nn.Conv2d(16, 3, 1))
    net = net.to(memory_format=torch.channels_last)
    config = TrainingConfig(
        steps=steps, learning_rate=3e-3, warmup=2, seed=1, log_every=5, save_every=6
    )
    return Trainer({"net": net}, config, folder)


def blur_loss(trainer: Trainer):
    net = trainer.models["net"]

    def loss(step, generator, random):
        x = torch.rand((4, 3, 12, 12), generator=generator)
        wanted = nn.functional.avg_pool2d(x, 3, stride=1)
        value = (net(x) - wanted).square().mean()
        return value, {"plain": value.item()}

    return loss


def test_a_resumed_run_ends_where_an_unbroken_one_ends(tmp_path):
    unbroken = learner(tmp_path / "unbroken", 12)
    whole = unbroken.run(blur_loss(unbroken))["net"]

    stopped = learner(tmp_path / "stopped", 12)
    loss = blur_loss(stopped)

    def interrupted(step, generator, random):
        if step == 9:
            raise KeyboardInterrupt
        return loss(step, generator, random)

    with pytest.raises(KeyboardInterrupt):
        stopped.run(interrupted)
    resumed = learner(tmp_path / "stopped", 12)
    assert resumed.step == 6
    again = resumed.run(blur_loss(resumed))["net"]
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_training_lowers_the_loss(tmp_path):
    trainer = learner(tmp_path, 150)
    loss = blur_loss(trainer)
    first = loss(0, torch.Generator().manual_seed(0), None)[0].item()
    trainer.run(loss)
    assert loss(0, torch.Generator().manual_seed(0), None)[0].item() < 0.3 * first
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 30


def test_every_word_becomes_one_token():
    words = ["red", "read", "dread", "a", "balloon", "balloons"]
    pieces = {word: [*word[:-1], word[-1] + "</w>"] for word in words}
    for one, other in merges_for(words):
        for word, parts in pieces.items():
            joined: list[str] = []
            for part in parts:
                if joined and (joined[-1], part) == (one, other):
                    joined[-1] += part
                else:
                    joined.append(part)
            pieces[word] = joined
    assert all(parts == [word + "</w>"] for word, parts in pieces.items())


def test_folding_the_scale_in_keeps_pictures_and_sets_the_latents_spread():
    torch.manual_seed(1)
    model = vae.new_vae().eval()
    x = torch.rand(4, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        before = model.encode(x).latent_dist
        picture = model.decode(before.mean).sample
        mean, deviation = before.mean.mean((0, 2, 3)), before.mean.std((0, 2, 3))
        latents.fold_scale(model, mean, deviation)
        after = model.encode(x).latent_dist
        scaled = after.mean * model.config.scaling_factor
        torch.testing.assert_close(model.decode(after.mean).sample, picture, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(scaled.mean((0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.std((0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0)
    ratio = after.logvar - before.logvar
    expected = -2 * torch.log(deviation * model.config.scaling_factor)
    torch.testing.assert_close(ratio.mean((0, 2, 3)), expected, atol=1e-3, rtol=1e-3)


def test_all_stages_make_a_checkpoint_that_draws(tmp_path, monkeypatch):
    """Two steps of each: the pictures are noise, the files are what users load."""
    import sow

    monkeypatch.setattr(text, "RARE", 1)
    monkeypatch.setattr(data, "HELD_BACK", 20)
    monkeypatch.setattr(vae, "HELD_BACK", 20)
    monkeypatch.setattr(unet, "HELD_BACK", 20)
    short = {"steps": 2, "save_every": 2, "log_every": 2}
    data.render(tmp_path, data.CHUNK)
    vae.train_vae(tmp_path, dataclasses.replace(vae.TRAINING_CONFIG, **short))
    text.make_tokenizer(tmp_path)
    latents.encode(tmp_path)
    unet.train_unet(tmp_path, dataclasses.replace(unet.TRAINING_CONFIG, **short))
    pack.pack(tmp_path)
    spread = np.load(tmp_path / "latents.npy").astype(np.float32)
    assert abs(spread.std() - 1) < 0.05
    weights = sum(f.stat().st_size for f in (tmp_path / "bundle").rglob("*.safetensors"))
    assert weights < 20e6
    pipe = sow.load_pipeline(str(tmp_path / "bundle"), device="cpu", dtype="float32")
    assert isinstance(pipe.vae, AutoencoderKL)
    captions = data.load_captions(tmp_path)
    assert pipe.unknown_words(captions[0]) == []
    assert pipe.unknown_words("a red Wizard, on the beach") == ["wizard"]
    from sow.benchmarks.figures.studies.tasks import generate_from_text

    images = generate_from_text(pipe, captions[:2], steps=2)
    assert [image.size for image in images] == [(128, 128)] * 2
