"""Draw a sheet of pictures with a denoiser that may still be in training.

    python -m sow.benchmarks.world.training.sheet --folder build/world

Plain text to image with the averaged weights of the last checkpoint, one seed for all, nothing
picked.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image, ImageDraw

from sow.benchmarks.figures.training.loop import load_averages
from sow.benchmarks.world.quality import ENCOURAGED, NEGATIVE
from sow.benchmarks.world.training.denoiser import new_models
from sow.benchmarks.world.training.pack import pipeline

SQUARE, PORTRAIT, LANDSCAPE = (256, 256), (192, 320), (320, 192)
PROMPTS: tuple[tuple[str, tuple[int, int]], ...] = (
    ("a smiling young woman with long red hair wearing a green sweater in a park", SQUARE),
    ("an old man with a white beard and glasses reading a book in a library", SQUARE),
    ("a king with a golden crown on a throne in a castle", SQUARE),
    ("a pirate with a sword at sea", SQUARE),
    ("an astronaut on the moon", SQUARE),
    ("a woman with an umbrella in the rain at night", SQUARE),
    ("a boy riding a horse in a field", SQUARE),
    ("a crying girl with brown pigtails in a red dress in the snow", SQUARE),
    ("a chef holding a pizza in the kitchen", SQUARE),
    ("a man and a woman on the beach at sunset", SQUARE),
    ("a black cat in the living room", SQUARE),
    ("a red dragon in front of a castle at night", SQUARE),
    ("a pencil sketch of an old woman with a hat", SQUARE),
    ("a watercolor painting of a fox in the forest in autumn", SQUARE),
    ("an oil painting of a wizard with a magic wand", SQUARE),
    ("pop art of a man with sunglasses", SQUARE),
    ("a close-up of a laughing man with curly black hair", SQUARE),
    ("human face", SQUARE),
    ("a house by a lake in the morning", SQUARE),
    (ENCOURAGED, SQUARE),
    (NEGATIVE, SQUARE),
    ("a blurry picture of a man with a guitar in the city", SQUARE),
    ("a queen in a blue gown holding a red rose in a garden", PORTRAIT),
    ("two people in a boat on a lake", LANDSCAPE),
)


def draw_sheet(
    pipe: StableDiffusionPipeline, steps: int, guidance: float, negative: str = "", seed: int = 0
) -> Image.Image:
    """Return the sheet. steps: of DDIM. guidance: of classifier-free guidance."""
    columns, cell, text = 6, 320, 44
    rows = -(-len(PROMPTS) // columns)
    sheet = Image.new("RGB", (columns * cell, rows * (cell + text)), "white")
    pen = ImageDraw.Draw(sheet)
    pipe.set_progress_bar_config(disable=True)
    for n, (prompt, (width, height)) in enumerate(PROMPTS):
        x, y = n % columns * cell, n // columns * (cell + text)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            picture = pipe(
                prompt,
                negative_prompt=negative,
                width=width,
                height=height,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=torch.Generator().manual_seed(seed),
            ).images[0]
        sheet.paste(picture, (x, y))
        pen.text((x, y + height + 2), "\n".join(textwrap.wrap(prompt, 48)), fill="black")
    return sheet


def main() -> None:
    """Draw a sheet and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("build/world"))
    parser.add_argument("--output", type=Path, help="by default sheet-STEP.png in the folder")
    parser.add_argument("--steps", type=int, default=15, help="DDIM steps")
    parser.add_argument("--guidance", type=float, default=5.0)
    parser.add_argument("--negative", default="", help="a negative prompt")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    models = new_models(options.folder)
    step = load_averages(models, options.folder / "denoiser-training")
    for model in models.values():
        model.eval()
    pipe = pipeline(options.folder, models["unet"], models["text_encoder"])
    sheet = draw_sheet(pipe, options.steps, options.guidance, options.negative, options.seed)
    output = options.output or options.folder / f"sheet-{step}.png"
    sheet.save(output)
    print(f"step {step}: {output}")


if __name__ == "__main__":
    main()
