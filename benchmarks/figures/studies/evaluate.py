"""Measure what the figures model can do.

    sow bench study model

Plain text-to-image from 500 held-out captions, the autoencoder, inversion and back, and Cyclic
One-Way Diffusion with 0, 1, 5 and 10 cycles. Writes `model.md` and the sheets.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.judge.relations import answers
from sow.benchmarks.figures.studies.common import PAIRED, brief, rows_of
from sow.benchmarks.figures.studies.tasks import (
    COW,
    MEASURES,
    figures,
    generate,
    generate_from_text,
    judged,
    planted_canvas,
    tasks,
)
from sow.benchmarks.figures.training.vae import as_tensor, measure
from sow.benchmarks.figures.world.drawing import TESTING, make
from sow.benchmarks.output import StudyOutput
from sow.benchmarks.statistics import mean, rate
from sow.benchmarks.tv2i.report.markdown import grid_parts
from sow.pictures.drawing import side_by_side
from sow.pipeline.pipeline import SowPipeline

CAPTIONS = 500
CYCLES = (0, 1, 5, 10)
HELD_OUT = Path(__file__).parent / "results" / "held_out.json"
TARGETS = {
    "scene": 95, "clothing_colour": 90, "hair_colour": 90, "thing": 85, "holding": 85,
    "above": 85, "below": 85, "one person": 95,
}  # fmt: skip


def held_out(training_captions: Path) -> list[str]:
    """Return captions that no training picture has, as the lines of `results/held_out.json`."""
    trained = set(json.loads(training_captions.read_text(encoding="utf-8")))
    kept: list[dict[str, object]] = []
    seed = TESTING + 5_000_000
    while len(kept) < CAPTIONS:
        drawing = make(seed)
        caption, seed = drawing.caption, seed + 1
        if caption.text not in trained:
            trained.add(caption.text)
            person = drawing.spec.person is not None
            kept.append({"text": caption.text, "said": caption.mentions, "person": person})
    return ["[", ",\n".join(json.dumps(line) for line in kept), "]"]


def text_to_image(
    pipe: SowPipeline, judge: Judge, output: StudyOutput, count: int
) -> tuple[list[str], list[Image.Image]]:
    """Return the table of how many claims of captions are true in the pictures, and the
    pictures."""
    captions = json.loads(HELD_OUT.read_text(encoding="utf-8"))[:count]
    images = generate_from_text(pipe, [caption["text"] for caption in captions], output.pictures)
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
    """Return the PSNR in dB of pictures inverted and sampled again, guidance 1, empty prompt.

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


def cycles_table(pipe: SowPipeline, judge: Judge, count: int, output: StudyOutput) -> list[str]:
    """Return the table of COW with 0, 1, 5 and 10 cycles, a random start, and text-to-image."""
    work = tasks(count)
    preset = pipe.preset("paper-normal").changed(**COW)
    rows = {f"{n} cycles": preset.changed(cycles=n) for n in CYCLES}
    rows["10 cycles, random start"] = preset.changed(seed_canvas="none")
    outcomes, shown = [], [[planted_canvas(task) for task in work[:12]]]
    for name, settings in rows.items():
        images = generate(pipe, work, settings, output.pictures)
        found = judged(name, judge, work, images)
        output.log(brief(found, MEASURES))
        outcomes += found
        shown.append(images[:12])
    images = generate_from_text(pipe, [task.pair.prompt for task in work], output.pictures)
    outcomes += judged("text-to-image", judge, work, images, planted=False)
    shown.append(images[:12])
    output.write_sheet("cycles.png", [side_by_side(row) for row in shown])
    return grid_parts(rows_of("Cycles", outcomes, MEASURES, "10 cycles"), "Cycles")


def settings_table(pipe: SowPipeline, judge: Judge, count: int, output: StudyOutput) -> list[str]:
    """Return the tables of the three settings; their people and sentences differ."""
    parts, shown = [], []
    for setting in ("normal", "attribute", "style"):
        work = tasks(count, setting)
        how = pipe.preset(f"paper-{setting}").changed(**COW)
        images = generate(pipe, work, how, output.pictures)
        table = rows_of(setting, judged(setting, judge, work, images), MEASURES)
        parts += grid_parts(table, setting)
        shown += [[planted_canvas(task) for task in work[:12]], images[:12]]
    output.write_sheet("settings.png", [side_by_side(row) for row in shown])
    return parts


def one_picture(pipe: SowPipeline) -> float:
    """Return the median seconds of one picture, without loading."""
    seconds = []
    for task in tasks(6):
        started = time.perf_counter()
        generate(pipe, [task], pipe.preset("paper-normal").changed(**COW))
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))


def study(
    output: StudyOutput,
    *,
    count: int,
    captions: int,
    drawings: int,
    model: str,
    judge: Path | None,
    choose: Path | None,
) -> None:
    """Write `model.md` and the sheets.

    choose: only chooses captions, those that are not in this file of the training's.
    """
    if choose:
        output.check_output_path(HELD_OUT.name)
        output.write_page(HELD_OUT.name, held_out(choose))
        return
    output.check_output_path("model.md", "text-to-image.png", "cycles.png", "settings.png")
    pipe = figures(model)
    eye = Judge.load(judge) if judge else Judge.load()
    caption_table, images = text_to_image(pipe, eye, output, captions)
    shown = [images[n : n + 12] for n in range(0, min(60, len(images)), 12)]
    output.write_sheet("text-to-image.png", [side_by_side(row) for row in shown])
    pictures = np.stack([np.asarray(make(TESTING + 6_000_000 + n).image) for n in range(drawings)])
    vae = measure(pipe.vae, pictures)
    back = {steps: mean(there_and_back(pipe, pictures, steps)) for steps in (10, 50)}
    output.write_page(
        "model.md",
        [
            "# What the figures model can do",
            "",
            f"`{output.command}`. {PAIRED}",
            "",
            f"## Plain text-to-image, {len(images)} held-out captions, 10 DDIM steps, guidance 7.5",
            "",
            *caption_table,
            "",
            f"## Autoencoder and inversion, {drawings} held-out pictures",
            "",
            f"- autoencoder: {vae:.2f} dB",
            *(
                f"- inverted to noise and back, {n} steps, guidance 1, against the autoencoder: "
                f"{value.value:.2f} dB [{value.low:.2f}, {value.high:.2f}]"
                for n, value in back.items()
            ),
            f"- one picture of the normal preset: {one_picture(pipe):.2f} s",
            "",
            f"## Cyclic One-Way Diffusion, {count} pictures per row",
            "",
            "\n\n".join(cycles_table(pipe, eye, count, output)),
            "",
            "## The three settings with their presets",
            "",
            "\n\n".join(settings_table(pipe, eye, count, output)),
        ],
    )
