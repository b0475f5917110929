"""The autoencoder: 128 x 128 x 3 to 16 x 16 x 4 and back."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray

from sow.benchmarks.figures.training.data import HELD_BACK, load_pictures
from sow.benchmarks.figures.training.groupnorm import use_fast_groupnorm
from sow.benchmarks.figures.training.loop import Trainer, TrainingConfig
from sow.benchmarks.figures.world.paper import SIZE

TRAINING_CONFIG = TrainingConfig(
    steps=8000, learning_rate=2e-3, warmup=50, hold=0.4, ema=0.995, seed=1
)
WHOLE_FROM = 0.75
"""The share of the steps that sees 64-pixel crops; then come whole pictures."""
KL_WEIGHT = 1e-4


def new_vae() -> AutoencoderKL:
    """Return a smaller version of SD's autoencoder: f = 8, 4 channels, no attention in the
    middle."""
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=(32, 64, 96, 96),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=16,
        sample_size=SIZE,
        mid_block_add_attention=False,
    )


def as_tensor(pictures: NDArray[np.uint8]) -> torch.Tensor:
    """Convert uint8 (batch, height, width, 3) to float (batch, 3, height, width) in [-1, 1]."""
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return tensor.contiguous(memory_format=torch.channels_last)


def crops(
    pictures: NDArray[np.uint8], random: np.random.Generator, count: int, side: int
) -> torch.Tensor:
    """Return random squares of random pictures, (count, 3, side, side) in [-1, 1]."""
    chosen = random.integers(len(pictures) - HELD_BACK, size=count)
    corners = random.integers(SIZE - side + 1, size=(count, 2))
    cut = [
        pictures[n, y : y + side, x : x + side] for n, (y, x) in zip(chosen, corners, strict=True)
    ]
    return as_tensor(np.stack(cut))


def edges(pictures: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """Return the error of the differences of neighbouring pixels, which keeps lines sharp."""
    across = (torch.diff(made, dim=3) - torch.diff(pictures, dim=3)).abs().mean()
    down = (torch.diff(made, dim=2) - torch.diff(pictures, dim=2)).abs().mean()
    return across + down


def train_vae(folder: Path, config: TrainingConfig = TRAINING_CONFIG) -> None:
    """Train the autoencoder and save it to `vae/` (diffusers layout, not yet scaled)."""
    pictures = load_pictures(folder)
    torch.manual_seed(config.seed)
    vae = new_vae().to(memory_format=torch.channels_last)
    vae.train()
    use_fast_groupnorm(vae)

    def loss(
        step: int, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        done = step / config.steps
        x = crops(pictures, random, *((4, SIZE) if done >= WHOLE_FROM else (16, 64)))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = vae.encode(x).latent_dist
            mean, log_variance = found.mean.float(), found.logvar.float().clamp(-30, 20)
            noise = torch.randn(mean.shape, generator=generator)
            made = vae.decode(mean + torch.exp(0.5 * log_variance) * noise).sample
        made = made.float()
        absolute, square = (made - x).abs().mean(), (made - x).square().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        # Squared error first, so that colours settle; sharpness later.
        value = absolute + (2 - 1.5 * done) * square + 0.5 * edges(x, made) + KL_WEIGHT * kl
        psnr = 10 * math.log10(4 / square.item())
        return value, {"l1": absolute.item(), "psnr": psnr, "kl": kl.item()}

    trained = Trainer({"vae": vae}, config, folder / "vae-training").run(loss)["vae"]
    trained.save_pretrained(folder / "vae")
    print(f"held-out pictures: {measure(trained, pictures[-HELD_BACK:]):.2f} dB", flush=True)


@torch.no_grad()
def measure(vae: AutoencoderKL, pictures: NDArray[np.uint8]) -> float:
    """Return the mean PSNR in dB of pictures through the autoencoder (uint8 NHWC in)."""
    values = []
    for start in range(0, len(pictures), 16):
        x = as_tensor(np.array(pictures[start : start + 16]))
        made = vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)
        error = ((made - x) / 2).square().mean((1, 2, 3))
        values += (-10 * torch.log10(error)).tolist()
    return float(np.mean(values))
