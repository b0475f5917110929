"""The autoencoder of the drawn world: drawings and, as well as it can, photographs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch.nn import functional

from sow.benchmarks.figures.training.groupnorm import use_fast_groupnorm
from sow.benchmarks.figures.training.loop import Trainer, TrainingConfig
from sow.benchmarks.figures.training.vae import as_tensor, edges, measure

HELD_BACK = 256
"""The last crops of each kind are for measuring, not for training."""
KL_WEIGHT = 1e-4
CHANNELS = 16
TRAINING_CONFIG = TrainingConfig(
    steps=8000, learning_rate=2e-3, warmup=50, hold=0.4, ema=0.995, seed=1, save_minutes=10
)
TEXTURES = 0.65
"""The share of crops that are procedural textures."""
HALVED, HALVED_UNTIL = 0.25, 0.6
"""The share of steps that decode halved latents and compare with the halved picture, and until
which share of the run.

Latents that scale as pictures do are easier to denoise (EQ-VAE, Kouzelis et al. 2025), but of a
photographed head of 96 pixels 1 to 2 dB are lost: the end of the run wins them back.
"""


def new_vae() -> AutoencoderKL:
    """Return a smaller version of SD's autoencoder without attention: f = 8, 16 channels.

    Pilots of as many steps with f = 16 and 32 channels kept 4 dB less of drawings, and 5 dB less of
    a photographed head of 96 pixels, in which no face was found.
    """
    widths = (32, 64, 96, 128)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * len(widths),
        up_block_types=["UpDecoderBlock2D"] * len(widths),
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=16,
        sample_size=256,
        mid_block_add_attention=False,
    )


class Crops:
    """Random squares of drawings (`crops.npy`) and of textures (`textures.npy`) in a folder."""

    def __init__(self, folder: Path) -> None:
        self.drawings: NDArray[np.uint8] = np.load(folder / "crops.npy", mmap_mode="r")
        self.textures: NDArray[np.uint8] = np.load(folder / "textures.npy", mmap_mode="r")

    def batch(self, random: np.random.Generator, count: int, side: int) -> torch.Tensor:
        """Return squares, half of them mirrored, (count, 3, side, side) in [-1, 1]."""
        cut = []
        for n in range(count):
            source = self.textures if n < round(TEXTURES * count) else self.drawings
            whole = source[random.integers(len(source) - HELD_BACK)]
            y, x = random.integers(whole.shape[0] - side + 1, size=2)
            piece = whole[y : y + side, x : x + side]
            cut.append(piece[:, ::-1] if random.random() < 0.5 else piece)
        return as_tensor(np.stack(cut))

    def held_back(self) -> dict[str, NDArray[np.uint8]]:
        """Return the crops that are never trained on, by kind."""
        return {
            "drawings": self.drawings[-HELD_BACK:],
            "textures": self.textures[-HELD_BACK:],
        }


def train_vae(data: Path, folder: Path, config: TrainingConfig = TRAINING_CONFIG) -> None:
    """Train on the crops in `data` and save `vae/` (diffusers layout, not yet scaled)."""
    crops = Crops(data)
    torch.manual_seed(config.seed)
    vae = new_vae().to(memory_format=torch.channels_last)
    vae.train()
    use_fast_groupnorm(vae)

    def loss(
        step: int, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        done = step / config.steps
        x = crops.batch(random, 16, 64) if done < 0.85 else crops.batch(random, 4, 128)
        halved = done < HALVED_UNTIL and random.random() < HALVED
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = vae.encode(x).latent_dist
            mean, log_variance = found.mean.float(), found.logvar.float().clamp(-30, 20)
            noise = torch.randn(mean.shape, generator=generator)
            latents = mean + torch.exp(0.5 * log_variance) * noise
            if halved:
                latents = functional.avg_pool2d(latents, 2)
            made = vae.decode(latents).sample.float()
        wanted = functional.avg_pool2d(x, 2) if halved else x
        absolute, square = (made - wanted).abs().mean(), (made - wanted).square().mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        # Squared error first, so that colours settle; sharpness later.
        value = absolute + (2 - 1.5 * done) * square + 0.5 * edges(wanted, made) + KL_WEIGHT * kl
        psnr = 10 * math.log10(4 / square.item())
        kept = {"psnr": psnr} if not halved else {"psnr": math.nan}
        return value, {"l1": absolute.item(), "kl": kl.item(), **kept}

    trained = Trainer({"vae": vae}, config, folder / "vae-training").run(loss)["vae"]
    trained.save_pretrained(folder / "vae")
    for kind, pictures in crops.held_back().items():
        print(f"held-out {kind}: {measure(trained, pictures):.2f} dB", flush=True)
