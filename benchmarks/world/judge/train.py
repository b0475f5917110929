"""Train the judge on the renderer's truth.

    python -m sow.benchmarks.world.judge.train --folder build/world/judge --vae build/world/vae

With an autoencoder, a third of the pictures pass through it first, so that what it loses is no news
to the judge.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch.nn import functional
from tqdm import tqdm

from sow.benchmarks.figures.judge.judge import cut_head
from sow.benchmarks.figures.judge.train import (
    as_pictures,
    blemished,
    contrast,
    jittered,
    ready_to_train,
)
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
Random = np.random.Generator
Place = tuple[int, int]
"""A person: the index of the shape, and of the person in its lessons."""


@torch.no_grad()
def through_vae(lessons: Lessons, vae: AutoencoderKL) -> None:
    """Replace every third picture by its autoencoder reconstruction."""
    vae = vae.eval().to(memory_format=torch.channels_last)
    numbers = np.arange(0, len(lessons.pixels), 3)
    for batch in tqdm(np.array_split(numbers, max(1, len(numbers) // 8)), disable=None):
        x = as_tensor(lessons.pixels[batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = vae.decode(vae.encode(x).latent_dist.mean).sample.float()
        lessons.pixels[batch] = as_pictures(made)


def train_picture_net(
    all_lessons: list[Lessons], folder: Path, config: TrainingConfig = PICTURE_TRAINING
) -> PictureNet:
    """Train the network for parts, things, colours and labels; each batch is of one shape."""
    torch.manual_seed(config.seed)
    net = ready_to_train(PictureNet())
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


def _crops(
    all_lessons: list[Lessons], chosen: Sequence[Place], of: str, random: Random
) -> torch.Tensor:
    """Return squares about the heads or the bodies of people, (N, 3, 96, 96) in [-1, 1].

    of: `head` or `body`.
    """
    crops = []
    for shape, number in chosen:
        where, person = all_lessons[shape].people[number]
        box = jittered(getattr(person, of), random)
        crops.append(cut_head(all_lessons[shape].pixels[where], box, CROP))
    return as_tensor(np.stack(crops))


def train_head_net(
    all_lessons: list[Lessons], folder: Path, config: TrainingConfig = HEAD_TRAINING
) -> CropNet:
    """Train the network for heads. Identity by contrast: two pictures of one person are near, all
    others far."""
    torch.manual_seed(config.seed)
    net = ready_to_train(head_net())
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
        chosen = [pair[0] for pair in two] + [pair[1] for pair in two]
        x = blemished(_crops(all_lessons, chosen, "head", random), generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            embedding, looks = net(x)
        apart, found = contrast(embedding)
        truth = [all_lessons[shape].people[number][1].looks for shape, number in chosen]
        label_loss, right = label_losses(looks, torch.tensor(truth))
        return apart + label_loss, {"contrast": apart.item(), "partner_found": found, **right}

    trained = Trainer({"net": net}, config, folder / "head-training").run(loss)["net"]
    assert isinstance(trained, CropNet)
    return trained


def train_body_net(
    all_lessons: list[Lessons], folder: Path, config: TrainingConfig = BODY_TRAINING
) -> CropNet:
    """Train the network for what somebody wears."""
    torch.manual_seed(config.seed)
    net = ready_to_train(body_net())
    dressed = [
        (shape, number)
        for shape, lessons in enumerate(all_lessons)
        for number, (_, person) in enumerate(lessons.people)
        if person.wears[0] != UNKNOWN
    ]

    def loss(
        step: int, generator: torch.Generator, random: Random
    ) -> tuple[torch.Tensor, dict[str, float]]:
        chosen = [dressed[n] for n in random.integers(len(dressed), size=2 * CROP_BATCH)]
        x = blemished(_crops(all_lessons, chosen, "body", random), generator)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            _, wears = net(x)
        truth = [all_lessons[shape].people[number][1].wears for shape, number in chosen]
        return label_losses(wears, torch.tensor(truth))

    trained = Trainer({"net": net}, config, folder / "body-training").run(loss)["net"]
    assert isinstance(trained, CropNet)
    return trained


def main() -> None:
    """Train the networks and write them, in half precision, to `judge.safetensors`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/world/judge"))
    parser.add_argument(
        "--vae",
        type=Path,
        help="folder of the autoencoder that a third of the pictures pass through",
    )
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
