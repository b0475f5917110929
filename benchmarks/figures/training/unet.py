"""Train the denoiser and the text encoder together on latents and captions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from sow.benchmarks.checkpoints import SD_SCHEDULE
from sow.benchmarks.figures.training.data import HELD_BACK
from sow.benchmarks.figures.training.groupnorm import use_fast_groupnorm
from sow.benchmarks.figures.training.loop import Trainer, TrainingConfig
from sow.benchmarks.figures.training.text import WIDTH, load_tokenizer, new_text_encoder, tokenize

TRAINING_CONFIG = TrainingConfig(steps=5600, learning_rate=1.5e-3, hold=0.5, ema=0.998, seed=2)
BATCH = 40
DROPPED = 0.1
"""The share of captions that are left empty, so that guidance has something to lead away from."""
SNR_CAP = 5.0


def new_unet() -> UNet2DConditionModel:
    """Return a smaller version of SD's UNet: three resolutions, attention at 16 x 16 and 8 x 8."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(64, 128, 160),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=(2, 4, 5),
        norm_num_groups=16,
        use_linear_projection=True,
    )


def times(count: int, generator: torch.Generator) -> torch.Tensor:
    """Return training times in [0, 1000), stratified to reduce the noise of the loss."""
    parts = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    return (parts * 1000).long().clamp(max=999)


def train_unet(folder: Path, config: TrainingConfig = TRAINING_CONFIG) -> None:
    """Train both and save them to `unet/` and `text_encoder/`."""
    latents = torch.from_numpy(np.load(folder / "latents.npy"))
    tokens = torch.from_numpy(np.load(folder / "tokens.npy"))
    tokenizer = load_tokenizer(folder)
    nothing = torch.tensor(tokenize(tokenizer, [""])[0])
    torch.manual_seed(config.seed)
    unet = new_unet().to(memory_format=torch.channels_last)
    text = new_text_encoder(tokenizer)
    use_fast_groupnorm(unet)
    unet.train()
    text.train()
    kept = DDIMScheduler(**SD_SCHEDULE).alphas_cumprod
    ratio = kept / (1 - kept)
    weights = ratio.clamp(max=SNR_CAP) / ratio  # min-SNR weighting of the noise's error

    def loss(
        step: int, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        chosen = torch.from_numpy(random.integers(len(latents) - HELD_BACK, size=BATCH))
        clean = latents[chosen].float().contiguous(memory_format=torch.channels_last)
        words = tokens[chosen].long()
        words[torch.rand(BATCH, generator=generator) < DROPPED] = nothing
        t = times(BATCH, generator)
        noise = torch.randn(clean.shape, generator=generator)
        alpha = kept[t][:, None, None, None]
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        with torch.autocast("cpu", dtype=torch.bfloat16):
            context = text(words).last_hidden_state
            guess = unet(noisy, t, encoder_hidden_states=context).sample
        error = (guess.float() - noise).square().mean((1, 2, 3))
        value = (error * weights[t]).mean() / weights.mean()
        quarters = error.detach().view(4, -1).mean(1).tolist()
        return value, {f"mse_{n}": quarter for n, quarter in enumerate(quarters)}

    trainer = Trainer({"unet": unet, "text_encoder": text}, config, folder / "unet-training")
    trained = trainer.run(loss)
    for name, model in trained.items():
        model.save_pretrained(folder / name)
