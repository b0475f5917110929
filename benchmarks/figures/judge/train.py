"""Train the judge on the renderer's truth.

    python -m sow.benchmarks.figures.judge.train --folder build/judge --vae build/figures/vae-scaled

A third of the pictures pass through the model's own autoencoder first, and on some another head
is pasted, so that what a diffusion model gets wrong is no news to the judge.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from sow.benchmarks.figures.judge.classes import (
    HAND,
    NECK,
    NO_COLOUR,
    PARTS,
    PICTURE,
    UNKNOWN,
)
from sow.benchmarks.figures.judge.data import Lessons, load_lessons
from sow.benchmarks.figures.judge.judge import cut_head
from sow.benchmarks.figures.judge.networks import HeadNet, PictureNet
from sow.benchmarks.figures.training.groupnorm import use_fast_groupnorm
from sow.benchmarks.figures.training.loop import Trainer, TrainingConfig
from sow.benchmarks.figures.training.vae import as_tensor

LESSONS = 18_000
PICTURE_TRAINING = TrainingConfig(steps=800, learning_rate=2e-3, hold=0.4, ema=0.99, seed=3)
HEAD_TRAINING = TrainingConfig(steps=450, learning_rate=2e-3, hold=0.4, ema=0.99, seed=4)
PICTURE_BATCH, HEAD_BATCH = 32, 64
TEMPERATURE = 0.1
Random = np.random.Generator


@torch.no_grad()
def through_vae(lessons: Lessons, vae: AutoencoderKL) -> None:
    """Replace every third picture by its autoencoder reconstruction."""
    vae = vae.eval().to(memory_format=torch.channels_last)
    numbers = np.arange(0, len(lessons.pictures), 3)
    for batch in tqdm(
        np.array_split(numbers, len(numbers) // 32), desc="autoencoder", disable=None
    ):
        x = as_tensor(lessons.pictures[batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = vae.decode(vae.encode(x).latent_dist.mean).sample.float()
        lessons.pictures[batch] = as_pictures(made)


def as_pictures(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """Convert float (B, 3, H, W) in [-1, 1] to uint8 (B, H, W, 3)."""
    scaled: NDArray[np.uint8] = (
        ((tensor.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    )
    return scaled


def blemished(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return pictures with noise and changed brightness and contrast."""
    strength = 0.06 * torch.rand((len(x), 1, 1, 1), generator=generator)
    contrast = 1 + 0.2 * (torch.rand((len(x), 1, 1, 1), generator=generator) - 0.5)
    light = 0.12 * (torch.rand((len(x), 1, 1, 1), generator=generator) - 0.5)
    noise = torch.randn(x.shape, generator=generator)
    changed = (x * contrast + light + noise * strength).clamp(-1, 1)
    return changed.contiguous(memory_format=torch.channels_last)


def paste_head(
    picture: NDArray[np.uint8],
    classes: NDArray[np.uint8],
    colours: NDArray[np.uint8],
    lessons: Lessons,
    random: Random,
) -> None:
    """Paste another person's head somewhere into the picture and its labels."""
    while True:
        other = int(random.integers(len(lessons.pictures)))
        left, top, right, bottom = lessons.heads[other]
        if right > left:
            break
    height, width = bottom - top, right - left
    x, y = random.integers(0, 128 - width + 1), random.integers(0, 128 - height + 1)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    inside = rows**2 + columns**2 < 1 if random.random() < 0.5 else np.ones((height, width), bool)
    target = np.s_[y : y + height, x : x + width]
    source = np.s_[top:bottom, left:right]
    picture[target][inside] = lessons.pictures[other][source][inside]
    classes[target][inside] = lessons.classes[other][source][inside]
    colours[target][inside] = lessons.colours[other][source][inside]


def train_picture_net(
    lessons: Lessons, folder: Path, config: TrainingConfig = PICTURE_TRAINING
) -> PictureNet:
    """Train the network for parts, colours, scene, style and clothing."""
    torch.manual_seed(config.seed)
    net = ready_to_train(PictureNet())
    weights = torch.ones(len(PARTS))
    weights[[NECK, HAND]] = 3.0

    def loss(
        step: int, generator: torch.Generator, random: Random
    ) -> tuple[torch.Tensor, dict[str, float]]:
        chosen = random.integers(len(lessons.pictures), size=PICTURE_BATCH)
        pictures, classes = lessons.pictures[chosen], lessons.classes[chosen]
        colours, looks = lessons.colours[chosen], lessons.looks[chosen].astype(np.int64)
        for n in np.flatnonzero(random.random(PICTURE_BATCH) < 0.35):
            paste_head(pictures[n], classes[n], colours[n], lessons, random)
            looks[n, list(PICTURE).index("clothing")] = UNKNOWN
        x = blemished(as_tensor(pictures), generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            reading = net(x)
        parts = functional.cross_entropy(
            reading.parts, torch.from_numpy(classes).long(), weight=weights
        )
        colour = functional.cross_entropy(
            reading.colours, torch.from_numpy(colours).long(), ignore_index=NO_COLOUR
        )
        label_loss = _label_loss(reading.labels, torch.from_numpy(looks))
        right = (reading.parts.argmax(1).numpy() == classes).mean()
        numbers = {"parts": parts.item(), "colour": colour.item(), "whole": label_loss.item()}
        return parts + 0.5 * colour + 0.3 * label_loss, {**numbers, "pixels_right": float(right)}

    trained = Trainer({"net": net}, config, folder / "picture-training").run(loss)["net"]
    assert isinstance(trained, PictureNet)
    return trained


def ready_to_train(net: nn.Module) -> nn.Module:
    """Return a network as it is trained fastest on a CPU."""
    net = net.to(memory_format=torch.channels_last)
    use_fast_groupnorm(net)
    return net.train()


def _label_loss(logits: dict[str, torch.Tensor], truth: torch.Tensor) -> torch.Tensor:
    """Return the mean cross entropy over all labels that are known."""
    losses = []
    for column, answers in enumerate(logits.values()):
        known = truth[:, column] != UNKNOWN
        if known.any():
            losses.append(functional.cross_entropy(answers[known], truth[known, column]))
    return torch.stack(losses).mean()


def contrast(embedding: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Return a loss that is small if two of a kind are near and all others far, and how often the
    nearest is the other of the two.

    embedding: (2 N, width), unit vectors; rows n and N + n are of one kind.
    """
    alike = embedding @ embedding.T / TEMPERATURE
    alike.fill_diagonal_(-1e9)
    partner = torch.arange(len(embedding)).roll(len(embedding) // 2)
    found = (alike.argmax(1) == partner).float().mean().item()
    return functional.cross_entropy(alike, partner), found


def jittered(corners: Sequence[int], random: Random) -> tuple[float, float, float, float]:
    """Return a square about a head, slightly displaced, since heads are not found exactly."""
    left, top, right, bottom = (float(c) for c in corners)
    side = max(right - left, bottom - top) * random.uniform(1.02, 1.3)
    x = (left + right) / 2 + random.uniform(-0.06, 0.06) * side
    y = (top + bottom) / 2 + random.uniform(-0.06, 0.06) * side
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def train_head_net(
    lessons: Lessons, folder: Path, config: TrainingConfig = HEAD_TRAINING
) -> HeadNet:
    """Train the network for identity, by contrast: two pictures of one person are near, all others
    far."""
    torch.manual_seed(config.seed)
    net = ready_to_train(HeadNet())
    seen = (lessons.who >= 0) & (lessons.heads[:, 2] > lessons.heads[:, 0])
    twins: dict[int, list[int]] = {}
    for number in np.flatnonzero(seen):
        twins.setdefault(int(lessons.who[number]), []).append(int(number))
    pairs = [numbers for numbers in twins.values() if len(numbers) > 1]

    def loss(
        step: int, generator: torch.Generator, random: Random
    ) -> tuple[torch.Tensor, dict[str, float]]:
        chosen = random.choice(len(pairs), HEAD_BATCH, replace=False)
        two = np.array([random.choice(pairs[n], 2, replace=False) for n in chosen])
        numbers = two.T.reshape(-1)
        crops = [
            cut_head(lessons.pictures[n], jittered(lessons.heads[n].tolist(), random))
            for n in numbers
        ]
        x = blemished(as_tensor(np.stack(crops)), generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embedding, looks = net(x)
        apart, found = contrast(embedding)
        truth = torch.from_numpy(lessons.looks[numbers, len(PICTURE) :].astype(np.int64))
        label_loss = _label_loss(looks, truth)
        return apart + label_loss, {
            "contrast": apart.item(),
            "looks": label_loss.item(),
            "partner_found": found,
        }

    trained = Trainer({"net": net}, config, folder / "head-training").run(loss)["net"]
    assert isinstance(trained, HeadNet)
    return trained


def main() -> None:
    """Train both networks and write them, in half precision, to `judge.safetensors`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/judge"))
    parser.add_argument("--vae", type=Path, default=Path("build/figures/vae-scaled"))
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    lessons = load_lessons(options.folder, LESSONS)
    through_vae(lessons, AutoencoderKL.from_pretrained(options.vae))
    nets = {
        "picture": train_picture_net(lessons, options.folder),
        "head": train_head_net(lessons, options.folder),
    }
    tensors = {
        f"{name}.{key}": value.half().contiguous()
        for name, net in nets.items()
        for key, value in net.state_dict().items()
    }
    save_file(tensors, options.folder / "judge.safetensors")
    size = (options.folder / "judge.safetensors").stat().st_size
    print(f"{size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
