"""Encode every picture to latents, scaled to fit SD's scaling factor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from tqdm import tqdm

from sow.benchmarks.figures.training.data import load_captions, load_pictures
from sow.benchmarks.figures.training.text import load_tokenizer, tokenize
from sow.benchmarks.figures.training.vae import as_tensor

SCALING = 0.18215
"""Stable Diffusion's: latents times this have a variance of one."""
BATCH = 100


@torch.no_grad()
def encode(folder: Path) -> None:
    """Write `latents.npy`, float16 (pictures, 4, 16, 16), `tokens.npy` and `vae-scaled/`."""
    vae = AutoencoderKL.from_pretrained(folder / "vae").eval().to(memory_format=torch.channels_last)
    pictures = load_pictures(folder)
    latents = np.empty((len(pictures), 4, 16, 16), np.float32)
    for start in tqdm(range(0, len(pictures), BATCH), desc="latents", disable=None):
        x = as_tensor(np.array(pictures[start : start + BATCH]))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = vae.encode(x).latent_dist.mean
        latents[start : start + BATCH] = found.float().numpy()
    mean = torch.from_numpy(latents.mean((0, 2, 3), dtype=np.float64)).float()
    deviation = torch.from_numpy(latents.std((0, 2, 3), dtype=np.float64)).float()
    fold_scale(vae, mean, deviation)
    vae.save_pretrained(folder / "vae-scaled")
    tokens = tokenize(load_tokenizer(folder), load_captions(folder))
    np.save(folder / "tokens.npy", np.array(tokens, np.int16))
    shape = (1, 4, 1, 1)
    latents = (latents - mean.numpy().reshape(shape)) / deviation.numpy().reshape(shape)
    np.save(folder / "latents.npy", latents.astype(np.float16))
    print(f"latents before scaling: mean {mean.tolist()}, deviation {deviation.tolist()}")


@torch.no_grad()
def fold_scale(vae: AutoencoderKL, mean: torch.Tensor, deviation: torch.Tensor) -> None:
    """Fold a shift and a scale per channel into the layers next to the latents.

    mean, deviation: of the latents as they come out now, (channels,). Afterwards SCALING times the
    latents have mean 0 and deviation 1, and decoding undoes it: the picture stays the same.
    """
    scale, channels = 1 / (deviation * SCALING), len(mean)
    into, out = vae.quant_conv, vae.post_quant_conv
    into.weight[:channels] *= scale[:, None, None, None]
    into.bias[:channels] = (into.bias[:channels] - mean) * scale
    into.bias[channels:] += 2 * torch.log(scale)  # the log variances
    out.bias += out.weight[:, :, 0, 0] @ mean
    out.weight /= scale[None, :, None, None]
    vae.register_to_config(scaling_factor=SCALING)
