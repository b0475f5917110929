"""What the figures model can do, by numbers.

    python -m sow.benchmarks.figures.studies.evaluate

Plain text-to-image from 500 held-out captions, the autoencoder, inversion and back, and Cyclic
One-Way Diffusion with 0, 1, 5 and 10 cycles. Writes `model.md` and the sheets.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from PIL import Image

from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.judge.relations import answers
from sow.benchmarks.figures.studies.study import (
    COW,
    Cell,
    grow,
    imagine,
    judge_cell,
    planted_canvas,
    sheet,
    tasks,
)
from sow.benchmarks.figures.training.vae import as_tensor, measure
from sow.benchmarks.figures.world.drawing import TESTING, make
from sow.benchmarks.statistics import mean, rate
from sow.models import load_pipeline
from sow.pipeline import SowPipeline

CAPTIONS = 500
CYCLES = (0, 1, 5, 10)
HERE = Path(__file__).parent
HELD_OUT = HERE / "results" / "held_out.json"
TARGETS = {
    "scene": 95, "clothing_colour": 90, "hair_colour": 90, "thing": 85, "holding": 85,
    "above": 85, "below": 85, "one person": 95,
}  # fmt: skip


def write_held_out(training_captions: Path) -> None:
    """Chooses captions that no training picture has and writes them to `results/held_out.json`."""
    trained = set(json.loads(training_captions.read_text(encoding="utf-8")))
    kept: list[dict[str, object]] = []
    seed = TESTING + 5_000_000
    while len(kept) < CAPTIONS:
        drawing = make(seed)
        caption, seed = drawing.caption, seed + 1
        if caption.text not in trained:
            trained.add(caption.text)
            person = drawing.spec.person is not None
            kept.append({"text": caption.text, "said": caption.said, "person": person})
    HELD_OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(line) for line in kept)
    HELD_OUT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def text_to_image(pipe: SowPipeline, judge: Judge) -> tuple[list[str], list[Image.Image]]:
    """A table of what was said and is so, and the pictures."""
    captions = json.loads(HELD_OUT.read_text(encoding="utf-8"))
    images = imagine(pipe, [caption["text"] for caption in captions])
    right: dict[str, list[bool]] = defaultdict(list)
    for caption, verdict in zip(captions, judge.look(images), strict=True):
        for name, value in answers(verdict, caption["said"]).items():
            right[caption["said"]["relation"] if name == "relation" else name].append(value)
        if caption["person"]:
            right["one person"].append(verdict.persons == 1)
        else:
            right["no person"].append(verdict.persons == 0)
    lines = ["| said | so in the picture | of | target |", "|---|---|---|---|"]
    for name in sorted(right, key=lambda name: (name not in TARGETS, name)):
        target = f"{TARGETS[name]} %" if name in TARGETS else ""
        lines.append(f"| {name} | {rate(right[name]).percent()} | {len(right[name])} | {target} |")
    return lines, images


@torch.no_grad()
def there_and_back(pipe: SowPipeline, pictures: np.ndarray, steps: int) -> list[float]:
    """PSNR in dB of pictures inverted to noise and sampled again, guidance 1, empty prompt.

    Against what the autoencoder alone makes of them; diffusers' own DDIM schedulers.
    """
    inverse = DDIMInverseScheduler.from_config(pipe.scheduler.config)
    forward = DDIMScheduler.from_config(pipe.scheduler.config)
    inverse.set_timesteps(steps)
    forward.set_timesteps(steps)
    values = []
    for start in range(0, len(pictures), 16):
        x = as_tensor(np.array(pictures[start : start + 16]))
        factor = pipe.vae.config.scaling_factor
        clean = pipe.vae.encode(x).latent_dist.mean * factor
        ids = pipe.tokenizer([""] * len(x), padding="max_length", return_tensors="pt").input_ids
        words = pipe.text_encoder(ids)[0]
        latents = clean
        for scheduler in (inverse, forward):
            for t in scheduler.timesteps:
                output = pipe.unet(latents, t, encoder_hidden_states=words).sample
                latents = scheduler.step(output, t, latents).prev_sample
        back, best = (pipe.vae.decode(z / factor).sample.clamp(-1, 1) for z in (latents, clean))
        values += (-10 * torch.log10(((back - best) / 2).square().mean((1, 2, 3)))).tolist()
    return values


def cycles_table(pipe: SowPipeline, judge: Judge, count: int, out: Path) -> list[str]:
    """COW with 0, 1, 5 and 10 cycles, a random start, and plain text-to-image beside it."""
    work = tasks(count)
    preset = pipe.preset("paper-normal").changed(**COW)
    cells = {f"{n} cycles": preset.changed(cycles=n) for n in CYCLES}
    cells["10 cycles, random start"] = preset.changed(seed_canvas="none")
    lines, shown = [Cell.HEADER], [[planted_canvas(task) for task in work[:12]]]
    for name, settings in cells.items():
        images = grow(pipe, work, settings)
        lines.append(judge_cell(name, judge, work, images).row())
        print(lines[-1], flush=True)
        shown.append(images[:12])
    images = imagine(pipe, [task.pair.prompt for task in work])
    lines.append(judge_cell("text-to-image", judge, work, images, planted=False).row())
    shown.append(images[:12])
    sheet(shown).save(out / "cycles.png", optimize=True)
    return lines


def settings_table(pipe: SowPipeline, judge: Judge, count: int, out: Path) -> list[str]:
    """The three settings with their presets."""
    lines, shown = [Cell.HEADER], []
    for setting in ("normal", "attribute", "style"):
        work = tasks(count, setting)
        images = grow(pipe, work, pipe.preset(f"paper-{setting}").changed(**COW))
        lines.append(judge_cell(setting, judge, work, images).row())
        shown += [[planted_canvas(task) for task in work[:12]], images[:12]]
    sheet(shown).save(out / "settings.png", optimize=True)
    return lines


def one_picture(pipe: SowPipeline) -> float:
    """Median seconds for one picture, once loaded."""
    seconds = []
    for task in tasks(6):
        started = time.perf_counter()
        grow(pipe, [task], pipe.preset("paper-normal").changed(**COW))
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))


def main() -> None:
    """Writes the tables and the sheets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    parser.add_argument("--model", default="figures")
    parser.add_argument("--judge", type=Path)
    parser.add_argument("--count", type=int, default=200, help="pictures per cell")
    parser.add_argument(
        "--choose-captions", type=Path, metavar="CAPTIONS.JSON",
        help="only choose held-out captions: those that are not in this file of the training's",
    )  # fmt: skip
    options = parser.parse_args()
    if options.choose_captions:
        write_held_out(options.choose_captions)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    pipe = load_pipeline(options.model, device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    judge = Judge.load(options.judge) if options.judge else Judge.load()
    said, images = text_to_image(pipe, judge)
    sheet([images[n : n + 12] for n in range(0, min(60, len(images)), 12)]).save(
        options.out / "text-to-image.png", optimize=True
    )
    print("\n".join(said), flush=True)
    held_out = np.stack([np.asarray(make(TESTING + 6_000_000 + n).image) for n in range(64)])
    vae = measure(pipe.vae, held_out)
    back = {steps: mean(there_and_back(pipe, held_out, steps)) for steps in (10, 50)}
    lines = [
        "# What the figures model can do", "",
        "`python -m sow.benchmarks.figures.studies.evaluate`; intervals are 95 %.", "",
        f"## Plain text-to-image, {CAPTIONS} held-out captions, 10 DDIM steps, guidance 7.5", "",
        *said, "",
        "## Autoencoder and inversion, 64 held-out pictures", "",
        f"- autoencoder: {vae:.2f} dB",
        *(f"- inverted to noise and back, {n} steps, guidance 1, against the autoencoder: "
          f"{value.value:.2f} dB [{value.low:.2f}, {value.high:.2f}]" for n, value in back.items()),
        f"- one picture of the normal preset: {one_picture(pipe):.2f} s", "",
    ]  # fmt: skip
    print("\n".join(lines[-5:]), flush=True)
    lines += [f"## Cyclic One-Way Diffusion, {options.count} pictures per row", ""]
    lines += cycles_table(pipe, judge, options.count, options.out)
    lines += ["", "## The three settings with their presets", ""]
    lines += settings_table(pipe, judge, options.count, options.out)
    (options.out / "model.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines), flush=True)


if __name__ == "__main__":
    main()
