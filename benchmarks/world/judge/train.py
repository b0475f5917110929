"""Train the judge on the renderer's truth.

    python -m sow.benchmarks.world.judge.train --folder build/world/judge --vae build/world/vae

With an autoencoder, a third of the pictures pass through it first, so that what it loses is no news
to the judge.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from sow.benchmarks.figures.training.groupnorm import use_fast_groupnorm
from sow.benchmarks.figures.training.loop import Trainer, TrainingConfig
from sow.benchmarks.figures.training.vae import as_tensor
from sow.benchmarks.world.judge.classes import (
    BODY,
    FACE,
    GLASSES,
    HEAD,
    KINDS,
    NECK,
    PARTS,
    UNKNOWN,
)
from sow.benchmarks.world.judge.data import Lessons, draw_lessons, load_lessons
from sow.benchmarks.world.judge.networks import CROP, CropNet, PictureNet, body_net, head_net

LESSONS = 15_000
PICTURE_TRAINING = TrainingConfig(steps=2500, learning_rate=2e-3, hold=0.4, ema=0.99, seed=3)
HEAD_TRAINING = TrainingConfig(steps=1500, learning_rate=2e-3, hold=0.4, ema=0.99, seed=4)
BODY_TRAINING = TrainingConfig(steps=800, learning_rate=2e-3, hold=0.4, ema=0.99, seed=5)
PICTURE_BATCH, CROP_BATCH = 12, 48
TEMPERATURE = 0.1
Random = np.random.Generator
Crop = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels; it may leave the picture."""


@torch.no_grad()
def through_vae(lessons: Lessons, vae: AutoencoderKL) -> None:
    """Replace every third picture by its autoencoder reconstruction."""
    vae = vae.eval().to(memory_format=torch.channels_last)
    numbers = np.arange(0, len(lessons.pixels), 3)
    for batch in tqdm(np.array_split(numbers, max(1, len(numbers) // 8)), disable=None):
        x = as_tensor(lessons.pixels[batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = vae.decode(vae.encode(x).latent_dist.mean).sample.float()
        levels = ((made.clamp(-1, 1) + 1) * 127.5).round().byte()
        lessons.pixels[batch] = levels.permute(0, 2, 3, 1).numpy()


def blemished(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return pictures with noise and changed brightness and contrast."""
    shape = (len(x), 1, 1, 1)
    strength = 0.06 * torch.rand(shape, generator=generator)
    contrast = 1 + 0.2 * (torch.rand(shape, generator=generator) - 0.5)
    light = 0.12 * (torch.rand(shape, generator=generator) - 0.5)
    noise = torch.randn(x.shape, generator=generator)
    changed = (x * contrast + light + noise * strength).clamp(-1, 1)
    return changed.contiguous(memory_format=torch.channels_last)


def train_picture_net(
    all_lessons: list[Lessons], folder: Path, config: TrainingConfig = PICTURE_TRAINING
) -> PictureNet:
    """Train the network for parts, things, colours and labels; each batch is of one shape."""
    torch.manual_seed(config.seed)
    net = _ready(PictureNet())
    weights = torch.ones(len(PARTS))
    weights[[NECK, GLASSES, FACE]] = 3.0
    kind_weights = torch.full((len(KINDS),), 3.0)
    kind_weights[0] = 1.0
    sizes = np.array([len(lessons.pixels) for lessons in all_lessons], float)

    def loss(
        step: int, generator: torch.Generator, random: Random
    ) -> tuple[torch.Tensor, dict[str, float]]:
        lessons = all_lessons[random.choice(len(all_lessons), p=sizes / sizes.sum())]
        chosen = random.integers(len(lessons.pixels), size=PICTURE_BATCH)
        way = -1 if random.random() < 0.5 else 1  # mirrored or not
        parts, kinds, colours = (
            np.ascontiguousarray(array[chosen][:, :, ::way])
            for array in (lessons.parts, lessons.kinds, lessons.colours)
        )
        pixels = np.ascontiguousarray(lessons.pixels[chosen][:, :, ::way])
        x = blemished(as_tensor(pixels), generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            reading = net(x)
        part_loss = functional.cross_entropy(
            reading.parts, torch.from_numpy(parts).long(), weight=weights
        )
        kind_loss = functional.cross_entropy(
            reading.kinds, torch.from_numpy(kinds).long(), weight=kind_weights
        )
        known = torch.from_numpy(colours).long()
        colour_loss = (
            functional.cross_entropy(reading.colours, known, ignore_index=UNKNOWN)
            if (known != UNKNOWN).any()
            else reading.colours.sum() * 0
        )
        answers = torch.from_numpy(lessons.answers[chosen].astype(np.int64))
        label_loss, right = label_losses(reading.labels, answers)
        value = part_loss + kind_loss + 0.3 * colour_loss + 0.5 * label_loss
        return value, {
            "parts": part_loss.item(),
            "kinds": kind_loss.item(),
            "colours": colour_loss.item(),
            "labels": label_loss.item(),
            **right,
        }

    trained = Trainer({"net": net}, config, folder / "picture-training").run(loss)["net"]
    assert isinstance(trained, PictureNet)
    return trained


def label_losses(
    logits: dict[str, torch.Tensor], truth: torch.Tensor
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the mean cross entropy over the labels that are known, and each one's accuracy."""
    losses, right = [], {}
    for column, (name, answers) in enumerate(logits.items()):
        known = truth[:, column] != UNKNOWN
        right[name] = float("nan")
        if known.any():
            losses.append(functional.cross_entropy(answers[known], truth[known, column]))
            found = answers[known].argmax(1) == truth[known, column]
            right[name] = found.float().mean().item()
    return torch.stack(losses).mean(), right


def jittered(box: tuple[int, ...], random: Random) -> Crop:
    """Return a square about a box, slightly displaced, since heads are not found exactly."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top) * random.uniform(1.02, 1.3)
    x = (left + right) / 2 + random.uniform(-0.06, 0.06) * side
    y = (top + bottom) / 2 + random.uniform(-0.06, 0.06) * side
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def cut(picture: NDArray[np.uint8], corners: Crop) -> NDArray[np.uint8]:
    """Cut a square out of a picture (grey outside it), resized to CROP."""
    left, top, right, _ = (round(c) for c in corners)
    side = max(1, right - left)
    ground = Image.new("RGB", (side, side), (128, 128, 128))
    ground.paste(Image.fromarray(picture), (-left, -top))
    return np.asarray(ground.resize((CROP, CROP), Image.Resampling.BILINEAR))


def train_head_net(
    all_lessons: list[Lessons], folder: Path, config: TrainingConfig = HEAD_TRAINING
) -> CropNet:
    """Train the network for heads. Identity by contrast: two pictures of one person are near, all
    others far."""
    torch.manual_seed(config.seed)
    net = _ready(head_net())
    twins: dict[int, list[tuple[int, int]]] = {}
    for shape, lessons in enumerate(all_lessons):
        for number, (_, person) in enumerate(lessons.people):
            if person.who >= 0:
                twins.setdefault(person.who, []).append((shape, number))
    pairs = [found for found in twins.values() if len(found) > 1]

    def loss(
        step: int, generator: torch.Generator, random: Random
    ) -> tuple[torch.Tensor, dict[str, float]]:
        count = min(CROP_BATCH, len(pairs))
        drawn = [pairs[n] for n in random.choice(len(pairs), count, replace=False)]
        two = [[found[k] for k in random.choice(len(found), 2, replace=False)] for found in drawn]
        crops, truth = [], []
        for shape, number in [pair[0] for pair in two] + [pair[1] for pair in two]:
            where, person = all_lessons[shape].people[number]
            crops.append(cut(all_lessons[shape].pixels[where], jittered(person.head, random)))
            truth.append(person.looks)
        x = blemished(as_tensor(np.stack(crops)), generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embedding, looks = net(x)
        alike = embedding @ embedding.T / TEMPERATURE
        alike.fill_diagonal_(-1e9)
        partner = torch.arange(2 * count).roll(count)
        contrast = functional.cross_entropy(alike, partner)
        label_loss, right = label_losses(looks, torch.tensor(truth))
        found = (alike.argmax(1) == partner).float().mean().item()
        return contrast + label_loss, {"contrast": contrast.item(), "partner_found": found, **right}

    trained = Trainer({"net": net}, config, folder / "head-training").run(loss)["net"]
    assert isinstance(trained, CropNet)
    return trained


def train_body_net(
    all_lessons: list[Lessons], folder: Path, config: TrainingConfig = BODY_TRAINING
) -> CropNet:
    """Train the network for what somebody wears."""
    torch.manual_seed(config.seed)
    net = _ready(body_net())
    dressed = [
        (shape, number)
        for shape, lessons in enumerate(all_lessons)
        for number, (_, person) in enumerate(lessons.people)
        if person.wears[0] != UNKNOWN
    ]

    def loss(
        step: int, generator: torch.Generator, random: Random
    ) -> tuple[torch.Tensor, dict[str, float]]:
        crops, truth = [], []
        for n in random.integers(len(dressed), size=2 * CROP_BATCH):
            shape, number = dressed[n]
            where, person = all_lessons[shape].people[number]
            crops.append(cut(all_lessons[shape].pixels[where], jittered(person.body, random)))
            truth.append(person.wears)
        x = blemished(as_tensor(np.stack(crops)), generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            _, wears = net(x)
        label_loss, right = label_losses(wears, torch.tensor(truth))
        return label_loss, right

    trained = Trainer({"net": net}, config, folder / "body-training").run(loss)["net"]
    assert isinstance(trained, CropNet)
    return trained


def _ready(net: nn.Module) -> nn.Module:
    net = net.to(memory_format=torch.channels_last)
    use_fast_groupnorm(net)
    return net.train()


def main() -> None:
    """Train the networks and write them, in half precision, to `judge.safetensors`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/world/judge"))
    parser.add_argument("--vae", type=Path, help="folder of the autoencoder")
    parser.add_argument("--lessons", type=int, default=LESSONS)
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    if not any(options.folder.glob("lessons-*.npz")):
        draw_lessons(options.lessons, options.folder)
    lessons = list(load_lessons(options.folder))
    if options.vae:
        vae = AutoencoderKL.from_pretrained(options.vae)
        for one in lessons:
            through_vae(one, vae)
    nets = {
        "picture": train_picture_net(lessons, options.folder),
        "head": train_head_net(lessons, options.folder),
        "body": train_body_net(lessons, options.folder),
    }
    tensors = {
        f"{name}.{key}": value.half().contiguous()
        for name, net in nets.items()
        for key, value in net.state_dict().items()
    }
    save_file(tensors, options.folder / "judge.safetensors")
    size = (options.folder / "judge.safetensors").stat().st_size
    print(f"{size / 1e6:.2f} MB, answers: {len(HEAD) + len(BODY)}", flush=True)


if __name__ == "__main__":
    main()
