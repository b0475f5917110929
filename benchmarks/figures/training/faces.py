"""Train the detector of drawn faces on the renderer's truth.

    python -m sow.benchmarks.figures.training.faces --folder build/faces

A third of the drawings went through the model's autoencoder, because results are looked at too.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch.nn import functional
from tqdm import tqdm

from sow.benchmarks.figures.training.face_lessons import FINE, Face, Sheets, lesson, make_sheets
from sow.benchmarks.figures.training.groupnorm import use_fast_groupnorm
from sow.benchmarks.figures.training.loop import Trainer, TrainingConfig
from sow.benchmarks.figures.training.vae import as_tensor
from sow.models.find import find_model
from sow.planners.offline.drawn_faces import SIDE, STRIDE, DrawnFaces

DRAWINGS = 5000
TRAINING_CONFIG = TrainingConfig(steps=1800, learning_rate=2e-3, hold=0.4, ema=0.995, seed=6)
BATCH = 32


@torch.no_grad()
def through_vae(sheets: Sheets, vae: AutoencoderKL) -> None:
    """Replace every third picture by its autoencoder reconstruction at 128 pixels."""
    vae = vae.eval().to(memory_format=torch.channels_last)
    numbers = np.arange(0, len(sheets.pictures), 3)
    for batch in tqdm(
        np.array_split(numbers, len(numbers) // 32), desc="autoencoder", disable=None
    ):
        small = functional.interpolate(as_tensor(sheets.pictures[batch]), size=SIDE, mode="area")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            made = vae.decode(vae.encode(small).latent_dist.mean).sample.float()
        larger = functional.interpolate(made.clamp(-1, 1), size=FINE, mode="bicubic")
        pixels = ((larger.clamp(-1, 1) + 1) * 127.5).round().byte()
        sheets.pictures[batch] = pixels.permute(0, 2, 3, 1).numpy()


def targets(faces: list[Face]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the network's targets: heat (B, 32, 32) and boxes (B, 4, 32, 32)."""
    side = SIDE // STRIDE
    rows, columns = np.mgrid[:side, :side] + 0.5
    heat = np.zeros((len(faces), side, side), np.float32)
    boxes = np.zeros((len(faces), 4, side, side), np.float32)
    for n, found in enumerate(faces):
        for x, y, width, height in found / STRIDE:
            spread = 0.11 * math.sqrt(width * height)
            near = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
            near[min(int(y), side - 1), min(int(x), side - 1)] = 1
            closer = near > heat[n]
            heat[n][closer] = near[closer]
            box = (
                x - columns,
                y - rows,
                np.full_like(rows, math.log(width)),
                np.full_like(rows, math.log(height)),
            )
            boxes[n][:, closer] = np.stack(box)[:, closer]
    return torch.from_numpy(heat), torch.from_numpy(boxes)


def loss_of(answer: torch.Tensor, faces: list[Face]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the focal loss of centres (CornerNet's, lenient to neighbours) and the loss of
    boxes."""
    heat, boxes = targets(faces)
    logit, centre = answer[:, 0], heat == 1
    chance = logit.sigmoid()
    found = functional.softplus(-logit) * (1 - chance) ** 2
    empty = functional.softplus(logit) * chance**2 * (1 - heat) ** 4
    count = centre.sum().clamp_min(1)
    centres = torch.where(centre, found, empty).sum() / count
    weight = torch.where(heat > 0.3, heat, torch.zeros_like(heat))[:, None]
    apart = functional.smooth_l1_loss(answer[:, 1:], boxes, reduction="none", beta=0.1)
    scale = torch.tensor([0.5, 0.5, 4.0, 4.0])[:, None, None]
    return centres, (apart * weight * scale).sum() / weight.sum().clamp_min(1)


def train(sheets: Sheets, folder: Path, config: TrainingConfig = TRAINING_CONFIG) -> DrawnFaces:
    """Train the detector."""
    torch.manual_seed(config.seed)
    network = DrawnFaces().to(memory_format=torch.channels_last)
    assert network.head.bias is not None
    torch.nn.init.constant_(network.head.bias[0], -4.0)  # faces are rare: begin with none
    use_fast_groupnorm(network)

    def loss(
        step: int, generator: torch.Generator, random: np.random.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        lessons = [lesson(sheets, random) for _ in range(BATCH)]
        x = as_tensor(np.stack([picture for picture, _ in lessons]))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            answer = network(x)
        centres, boxes = loss_of(answer.float(), [faces for _, faces in lessons])
        return centres + boxes, {"centres": centres.item(), "boxes": boxes.item()}

    trained = Trainer({"net": network.train()}, config, folder / "training").run(loss)["net"]
    assert isinstance(trained, DrawnFaces)
    return trained


def main() -> None:
    """Train the detector and write it, in half precision, to `drawn.safetensors`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/faces"))
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    cv2.setNumThreads(0)
    sheets = make_sheets(DRAWINGS)
    through_vae(sheets, AutoencoderKL.from_pretrained(Path(find_model("figures").source) / "vae"))
    network = train(sheets, options.folder)
    halves = {name: value.half().contiguous() for name, value in network.state_dict().items()}
    save_file(halves, options.folder / "drawn.safetensors")
    print(f"{(options.folder / 'drawn.safetensors').stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    main()
