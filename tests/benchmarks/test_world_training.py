"""Training the model of the drawn world at 256 px: every stage, small."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from diffusers import UNet2DConditionModel
from PIL import Image

from sow.benchmarks.figures.training import text
from sow.benchmarks.figures.training.loop import TrainingConfig, load_averages
from sow.benchmarks.figures.training.text import load_tokenizer
from sow.benchmarks.world import textures
from sow.benchmarks.world.quality import ENCOURAGED, NEGATIVE
from sow.benchmarks.world.training import __main__ as command
from sow.benchmarks.world.training import crops, denoiser, latents, pack, sheet, vae, words
from sow.benchmarks.world.training.store import Encoded, Store
from sow.errors import UsageError

SHORT = {"steps": 2, "save_every": 2, "log_every": 2}


def chunk(count: int, first: int, width: int = 4) -> Encoded:
    """Return numbered rows."""
    numbers = np.arange(first, first + count)
    rows = np.broadcast_to(numbers[:, None, None, None], (count, 3, 5, width))
    tokens = np.broadcast_to(numbers[:, None, None], (count, 4, 7))
    return Encoded(rows.astype(np.float16), tokens.astype(np.int16), numbers)


def test_a_store_grows_and_drops_what_a_broken_run_left(tmp_path):
    store = Store(tmp_path)
    store.append(5, [chunk(3, 0), chunk(2, 3, width=6)])
    reading = Store(tmp_path)
    assert reading.rows == {"4x5": 3, "6x5": 2}
    with (tmp_path / "4x5.latents").open("ab") as file:
        file.write(b"half a chunk")
    again = Store(tmp_path)
    assert again.scenes == 5
    again.append(4, [chunk(4, 5)])
    assert reading.rows["4x5"] == 3
    reading.refresh()
    rows = reading.read("4x5")
    assert rows.seeds.tolist() == [0, 1, 2, 5, 6, 7, 8]
    assert rows.latents[:, 0, 0, 0].tolist() == [0, 1, 2, 5, 6, 7, 8]
    assert rows.tokens[-1, 3, 6] == 8
    assert reading.read("6x5").latents.shape == (2, 3, 5, 6)


def test_a_budget_of_hours_ends_a_run_and_bends_its_schedule():
    config = TrainingConfig(steps=10**6, learning_rate=1.0, warmup=1, hold=0.5, hours=2)
    assert config.rate(10, 3600) == 1.0
    assert config.rate(10, 1.5 * 3600) == pytest.approx(0.5)
    assert config.done(10, 2 * 3600) == 1
    assert config.done(10**6, 0) == 1


def test_predicting_the_right_v_costs_nothing_and_noisy_times_keep_their_weight():
    objective = denoiser.Objective()
    assert objective.weights[999] == pytest.approx(objective.weights.max().item())
    assert objective.weights[0] < 0.02 * objective.weights[999]
    clean = torch.randn(8, 4, 6, 6)

    class Text(torch.nn.Module):
        def forward(self, tokens):
            return argparse.Namespace(last_hidden_state=tokens)

    class Knowing(torch.nn.Module):
        def forward(self, noisy, t, encoder_hidden_states):
            alpha = objective.kept[t][:, None, None, None]
            noise = (noisy - alpha.sqrt() * clean) / (1 - alpha).sqrt()
            v = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
            return argparse.Namespace(sample=v)

    models = {"text_encoder": Text(), "unet": Knowing()}
    errors = objective(models, clean, torch.zeros(8, 3), torch.Generator().manual_seed(1))
    assert errors.max() < 1e-6


def test_batches_leave_out_what_is_held_back_and_do_not_follow_the_order_of_the_rows(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(denoiser, "HELD_BACK", 10)
    store = Store(tmp_path)
    with pytest.raises(UsageError, match="too few latents"):
        denoiser.Lessons(store, denoiser.BATCH)
    store.append(100, [chunk(60, 0), chunk(40, 60, width=6)])
    lessons = denoiser.Lessons(store, denoiser.BATCH)
    random = np.random.default_rng(0)
    shapes, places, early = set(), [], []
    for _ in range(60):
        latents, tokens = lessons.batch(random)
        numbers = latents[:, 0, 0, 0].numpy()
        assert (tokens[:, 0].numpy() == numbers).all()
        shapes.add(latents.shape[-1])
        seen = numbers if latents.shape[-1] == 4 else numbers - 60
        places.append(seen.min())
        early.append(seen[: denoiser.BATCH // 2].mean() - seen[denoiser.BATCH // 2 :].mean())
    assert shapes == {4, 6}
    assert min(places) == 10
    assert abs(np.mean(early)) < 3
    assert [len(latents) for latents, _ in lessons.held_back()] == [10, 10]
    store.append(20, [chunk(20, 100)])
    lessons.refresh()
    assert len(lessons.shapes["4x5"].latents) == 80


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which every stage has run for a moment, and what the command printed last."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "RARE", 1)
        patch.setattr(vae, "HELD_BACK", 10)
        patch.setattr(denoiser, "HELD_BACK", 2)
        patch.setattr(denoiser, "BATCH", 4)
        patch.setattr(latents, "CHUNK", 20)
        for module, name, count in (
            (crops, "render_crops", 50),
            (textures, "render_textures", 20),
            (words, "make_words", 300),
        ):
            work = getattr(module, name)
            patch.setattr(module, name, lambda folder, _, work=work, n=count: work(folder, n))
        for module in (vae, denoiser):
            config = dataclasses.replace(module.TRAINING_CONFIG, **SHORT)
            patch.setattr(module, "TRAINING_CONFIG", config)

        # It lasts as long as the thread; hypothesis draws no floats without subnormal ones.
        patch.setattr(torch, "set_flush_denormal", lambda _: True)

        def run(stage: str, *more: str) -> None:
            options = ["--folder", str(folder), "--workers", "0", *more]
            patch.setattr("sys.argv", ["training", stage, *options])
            command.main()

        for stage in ("crops", "textures", "vae", "tokenizer"):
            run(stage)
        # As if interrupted: latents of some scenes, then of more.
        run("latents", "--scenes", "20")
        run("latents", "--scenes", "40")
        run("denoiser", "--steps", "2")
        run("pack")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            run("all", "--scenes", "40")
    return folder, printed.getvalue()


def test_stages_that_are_finished_are_skipped(trained):
    assert trained[1].count("it is there already") == 7


def test_latents_of_all_shapes_have_a_variance_of_one(trained):
    store = Store(latents.latents_folder(trained[0]))
    assert store.scenes == sum(store.rows.values()) == 40
    assert set(store.rows) == {"32x32", "24x40", "40x24"}
    square = store.read("32x32")
    assert abs(square.latents.astype(np.float32).std() - 1) < 0.15
    assert len(set(square.seeds.tolist())) == len(square.seeds)
    # The captions of a scene differ.
    assert (square.tokens[:, 0] != square.tokens[:, 1]).any()
    assert square.tokens.shape[2] == words.LENGTH


def test_the_packed_checkpoint_knows_the_published_words_and_draws(trained):
    import sow

    bundle = trained[0] / "bundle"
    assert sum(f.stat().st_size for f in bundle.rglob("*.safetensors")) < 60e6
    assert "sow_settings" not in json.loads((bundle / "model_index.json").read_text())
    pipe = sow.load_pipeline(str(bundle), device="cpu", dtype="float32")
    assert pipe.scheduler.config.prediction_type == "v_prediction"
    for prompt in (NEGATIVE, ENCOURAGED, "human face"):
        assert pipe.unknown_words(prompt) == []
        assert len(load_tokenizer(trained[0])(prompt).input_ids) < words.LENGTH
    condition = trained[0] / "condition.png"
    Image.fromarray(np.load(trained[0] / "crops.npy")[0]).save(condition)
    assert pipe.canvas == (256, 256)
    result = sow.generate(
        condition, "a woman", model=str(bundle), canvas="2:3", matte="none", settings={"cycles": 1}
    )
    # One of the shapes that it is trained on.
    assert result.images[0].size == (192, 320)


def test_a_sheet_shows_the_averaged_weights_of_a_checkpoint(trained, monkeypatch):
    folder = trained[0]
    models = denoiser.new_models(folder)
    assert load_averages(models, folder / "denoiser-training") == 2
    saved = UNet2DConditionModel.from_pretrained(folder / "unet")
    for one, other in zip(models["unet"].parameters(), saved.parameters(), strict=True):
        assert torch.equal(one, other)
    monkeypatch.setattr(sheet, "PROMPTS", sheet.PROMPTS[-2:])
    pipe = pack.pipeline(folder, models["unet"].eval(), models["text_encoder"].eval())
    drawn = np.asarray(sheet.draw_sheet(pipe, steps=2, guidance=2.0))
    assert drawn[:190, :190].std() > 10
    assert drawn[:190, 330:600].std() > 10
