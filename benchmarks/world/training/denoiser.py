"""Train the denoiser and the text encoder together on latents and captions.

The model predicts v (Salimans & Ho 2022), not the noise. A picture is drawn in ten steps from pure
noise, where almost no signal is left: there, the picture that follows from predicted noise is its
error divided by the small share of signal, while that from v is its error times a number below
one. The same keeps the inversion of a picture well conditioned.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from numpy.typing import NDArray
from torch import nn
from transformers import CLIPTextModel

from sow.benchmarks.checkpoints import SD_SCHEDULE
from sow.benchmarks.figures.training.groupnorm import use_fast_groupnorm
from sow.benchmarks.figures.training.loop import Trainer, TrainingConfig
from sow.benchmarks.figures.training.text import load_tokenizer, new_text_encoder, tokenize
from sow.benchmarks.figures.training.unet import times
from sow.benchmarks.world.training.latents import latents_folder
from sow.benchmarks.world.training.store import Encoded, Store
from sow.errors import UsageError

BATCH = 40
"""What two cores do best with; a GPU wants 256."""
DROPPED = 0.1
"""The share of captions that are left empty, so that guidance has something to lead away from."""
HELD_BACK = 86
"""The first rows of every shape are for measuring, not for training: 258 of three shapes."""
SNR_CAP = 5.0
WIDTH, LAYERS = 192, 3
"""Of the text encoder."""
MEASURE_EVERY = 500
REFRESH = 200
"""Steps after which the latents that were written meanwhile join."""
SCHEDULE = {**SD_SCHEDULE, "prediction_type": "v_prediction"}
TRAINING_CONFIG = TrainingConfig(
    steps=60_000,
    learning_rate=1.2e-3,
    warmup=200,
    hold=0.55,
    ema=0.999,
    seed=4,
    save_every=1_000_000,
    save_minutes=10,
)


def new_denoiser(channels: int) -> UNet2DConditionModel:
    """Return a smaller version of SD's UNet: four resolutions, attention in the middle two.

    channels: of the latents. As in SD, the lowest resolution attends only at its turning point.
    """
    return UNet2DConditionModel(
        sample_size=32,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 2, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 2, "UpBlock2D"),
        block_out_channels=(64, 128, 192, 256),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=(2, 4, 6, 8),
        norm_num_groups=16,
        use_linear_projection=True,
    )


def new_models(folder: Path) -> dict[str, nn.Module]:
    """Return the untrained denoiser and text encoder for a folder's latents and words."""
    store = Store(latents_folder(folder))
    channels = next(iter(store.sizes.values()))[0][0]
    unet = new_denoiser(channels).to(memory_format=torch.channels_last)
    return {
        "unet": unet,
        "text_encoder": new_text_encoder(load_tokenizer(folder), WIDTH, LAYERS),
    }


def use_fast_layers(unet: UNet2DConditionModel) -> None:
    """Use the layers that train fastest on a CPU; their results are the same to rounding."""
    use_fast_groupnorm(unet)
    # Attention as plain products is a fifth faster than the library's kernel.
    unet.set_attn_processor(AttnProcessor())


class Lessons:
    """Batches of one shape each from a store that may still grow.

    count: how many pictures a batch has.
    """

    def __init__(self, store: Store, count: int) -> None:
        self.store, self.count = store, count
        self.refresh()

    def refresh(self) -> None:
        """Take in what was written meanwhile."""
        self.store.refresh()
        read = {shape: self.store.read(shape) for shape in sorted(self.store.rows)}
        self.shapes = {s: rows for s, rows in read.items() if len(rows.latents) > HELD_BACK}
        if not self.shapes:
            raise UsageError(
                f"{self.store.folder} has too few latents to train on",
                "run the stage latents, or wait until it has written more",
            )
        sizes = np.array([len(rows.latents) - HELD_BACK for rows in self.shapes.values()])
        self.shares = sizes / sizes.sum()

    def batch(self, random: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Return latents (count, channels, height, width) and one caption of each, as tokens."""
        rows = self.shapes[str(random.choice(list(self.shapes), p=self.shares))]
        # Not sorted: the n-th of a batch always gets about the same time.
        chosen = random.integers(HELD_BACK, len(rows.latents), size=self.count)
        return _taken(rows, chosen, random.integers(rows.tokens.shape[1], size=self.count))

    def held_back(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return the rows that are never trained on, in batches of one shape."""
        return [
            _taken(rows, np.arange(HELD_BACK), np.arange(HELD_BACK) % rows.tokens.shape[1])
            for rows in self.shapes.values()
        ]


def _taken(
    rows: Encoded, chosen: NDArray[np.integer], captions: NDArray[np.integer]
) -> tuple[torch.Tensor, torch.Tensor]:
    latents = torch.from_numpy(rows.latents[chosen].astype(np.float32))
    tokens = torch.from_numpy(rows.tokens[chosen, captions].astype(np.int64))
    return latents.contiguous(memory_format=torch.channels_last), tokens


class Objective:
    """The weighted error of v.

    Weights follow the signal-to-noise ratio as min-SNR does (Hang et al. 2023), but noisy times,
    where the layout is decided, keep the whole weight that the error of v gives them.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.kept = DDIMScheduler(**SCHEDULE).alphas_cumprod.to(device)
        ratio = self.kept / (1 - self.kept)
        weights = (ratio.clamp(max=SNR_CAP) + 1) / (ratio + 1)
        self.weights = weights / weights.mean()

    def __call__(
        self,
        models: Mapping[str, nn.Module],
        clean: torch.Tensor,
        tokens: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the error of each picture of a batch, the noisiest last, (batch,)."""
        clean = clean.to(self.device, memory_format=torch.channels_last)
        t, tokens = times(len(clean), generator).to(self.device), tokens.to(self.device)
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        alpha = self.kept[t][:, None, None, None]
        signal, dirt = alpha.sqrt(), (1 - alpha).sqrt()
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            context = models["text_encoder"](tokens).last_hidden_state
            guess = models["unet"](
                signal * clean + dirt * noise, t, encoder_hidden_states=context
            ).sample
        error = (guess.float() - (signal * noise - dirt * clean)).square().mean((1, 2, 3))
        weighted: torch.Tensor = error * self.weights[t]
        return weighted


def train_denoiser(
    folder: Path,
    config: TrainingConfig = TRAINING_CONFIG,
    device: torch.device | str = "cpu",
    batch: int | None = None,
) -> None:
    """Train both and save them to `unet/` and `text_encoder/`.

    batch: pictures of a step, BATCH by default.
    """
    lessons = Lessons(Store(latents_folder(folder)), batch or BATCH)
    objective = Objective(device)
    torch.manual_seed(config.seed)
    models = new_models(folder)
    if objective.device.type == "cpu":
        use_fast_layers(models["unet"])
    for model in models.values():
        model.to(device).train()
    nothing = torch.tensor(tokenize(load_tokenizer(folder), [""])[0])

    def loss(
        step: int, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        if step % REFRESH == 0:
            lessons.refresh()
        clean, tokens = lessons.batch(random)
        tokens[torch.from_numpy(random.random(len(tokens)) < DROPPED)] = nothing
        errors = objective(models, clean, tokens, generator)
        return errors.mean(), _quarters(errors)

    def measure(averages: Mapping[str, nn.Module]) -> dict[str, float]:
        # Always the same noise, and times from the first to the last for every shape.
        found = []
        for latents, tokens in lessons.held_back():
            generator = torch.Generator().manual_seed(0)
            order = torch.randperm(len(latents), generator=generator)
            found.append(objective(averages, latents[order], tokens[order], generator))
        value = float(torch.cat([errors.flatten() for errors in found]).mean())
        quarters = [_quarters(errors) for errors in found]
        means = {key: float(np.mean([q[key] for q in quarters])) for key in quarters[0]}
        return {"held_back": value, **{f"held_back_{key}": v for key, v in means.items()}}

    trainer = Trainer(models, config, folder / "denoiser-training")
    trained = trainer.run(loss, measure, MEASURE_EVERY)
    save(trained, folder)


def _quarters(errors: torch.Tensor) -> dict[str, float]:
    """Return the mean error of each quarter of the times, the clean one first."""
    parts = errors.detach().tensor_split(4)
    return {f"error_{n}": part.mean().item() for n, part in enumerate(parts)}


def save(models: Mapping[str, UNet2DConditionModel | CLIPTextModel], folder: Path) -> None:
    """Save the models below their names."""
    for name, model in models.items():
        unfinished = folder / f"{name}.part"
        model.save_pretrained(unfinished)
        shutil.rmtree(folder / name, ignore_errors=True)  # of a run that ended between the two
        unfinished.rename(folder / name)
