"""What a picture costs: UNet calls and samples per preset, and what is spent beside the UNet.

    python -m sow.benchmarks.speed.cost [--model figures|sd21-random] [--bare-calls 1000]

Calls and samples are counted at the UNet while a picture is made. The run is timed against the time
it spends in the UNet, and against nothing but the same calls on the same shapes afterwards.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from PIL import Image

from sow.benchmarks.checkpoints import SD21_BASE, random_pipeline
from sow.box import Box
from sow.calls import Spent, counted
from sow.models import load_pipeline
from sow.pipeline import SowPipeline
from sow.plan import Plan
from sow.settings import PRESETS, Settings


def job(pipe: SowPipeline) -> tuple[Image.Image, Plan]:
    """A condition of 7/16 of the canvas; what it shows does not matter for the cost."""
    width, height = pipe.canvas
    side = width * 7 // 16 // 8 * 8
    box = Box(x=(width - side) // 2 // 8 * 8, y=height // 16 // 8 * 8, width=side, height=side)
    face = Image.effect_noise((side, side), 60).convert("RGB")
    prompt = "a person in a red coat in the forest"
    return face, Plan(canvas=pipe.canvas, prompt=prompt, box=box)


def run(pipe: SowPipeline, settings: Settings) -> None:
    """One picture."""
    face, plan = job(pipe)
    pipe(image=face, plan=plan, settings=settings, generator=torch.Generator().manual_seed(0))


@dataclass
class Counted(Spent):
    """One run as the UNet saw it."""

    whole_s: float = 0.0
    unet_s: float = 0.0


def count(pipe: SowPipeline, settings: Settings) -> Counted:
    """Makes one picture and notes every UNet call: its shape and its seconds."""
    unet_s = entered = 0.0

    def enter(*_: Any) -> None:
        nonlocal entered
        _settle()
        entered = time.perf_counter()

    def leave(*_: Any) -> None:
        nonlocal unet_s
        _settle()
        unet_s += time.perf_counter() - entered

    with counted(pipe.unet) as spent:
        hooks = [
            pipe.unet.register_forward_pre_hook(enter),
            pipe.unet.register_forward_hook(leave),
        ]
        started = time.perf_counter()
        run(pipe, settings)
        _settle()
        whole_s = time.perf_counter() - started
        for hook in hooks:
            hook.remove()
    return Counted(spent.shapes, whole_s, unet_s)


@torch.no_grad()
def bare(pipe: SowPipeline, shapes: Counter[tuple[int, ...]], at_most: int) -> float:
    """Seconds for the same UNet calls and nothing else.

    Of each shape at most `at_most` calls are made; their mean stands for the rest.
    """
    width = pipe.unet.config.cross_attention_dim
    like = {"device": pipe.device, "dtype": pipe.unet.dtype}
    total = 0.0
    for shape, calls in shapes.items():
        latents = torch.randn(shape, **like)
        tokens = torch.randn(shape[0], pipe.tokenizer.model_max_length, width, **like)
        when = torch.tensor(501, device=pipe.device)
        made = min(calls, at_most)
        _settle()
        started = time.perf_counter()
        for _ in range(made):
            pipe.unet(latents, when, encoder_hidden_states=tokens, return_dict=False)
        _settle()
        total += (time.perf_counter() - started) * calls / made
    return total


@torch.no_grad()
def vae(pipe: SowPipeline) -> float:
    """Seconds for encoding and decoding one picture."""
    width, height = pipe.canvas
    pixels = torch.zeros(1, 3, height, width, device=pipe.device, dtype=pipe.vae.dtype)
    started = time.perf_counter()
    pipe.vae.decode(pipe.vae.encode(pixels).latent_dist.mode())
    _settle()
    return time.perf_counter() - started


def _settle() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Prints the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="figures")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--bare-calls", type=int, default=1000)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    dtype: Any = getattr(torch, options.dtype)
    if options.model == "sd21-random":
        pipe = random_pipeline(SD21_BASE).to(options.device, dtype)
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
    else:
        pipe = load_pipeline(options.model, device=options.device, dtype=options.dtype)
    pipe.set_progress_bar_config(disable=True)

    print(f"model {options.model}, {options.dtype}, {options.device}, canvas {pipe.canvas}\n")
    variants = dict(PRESETS)
    variants["normal, outside=joined"] = PRESETS["normal"].changed(outside="joined")
    variants["normal, outside=none"] = PRESETS["normal"].changed(outside="none")
    variants["normal, inversion=alone"] = PRESETS["normal"].changed(inversion="alone")
    if pipe.preset("normal") != PRESETS["normal"]:
        variants["normal, as this checkpoint wants it"] = pipe.preset("normal")
    if options.model != "sd21-random":  # there one picture takes minutes; counts are the same
        print("| preset | UNet calls | UNet samples |\n|---|---|---|")
        for name, settings in variants.items():
            made = count(pipe, settings)
            print(f"| {name} | {made.calls} | {made.samples} |", flush=True)
        print()

    normal = PRESETS["normal"]
    timed = []
    for _ in range(options.repeats):
        made = count(pipe, normal)
        alone = bare(pipe, made.shapes, options.bare_calls)
        timed.append((made.whole_s, made.unet_s, alone, vae(pipe)))
    whole_s, unet_s, alone_s, vae_s = (median(column) for column in zip(*timed, strict=True))
    print(f"medians of {options.repeats}, preset normal, one picture, seconds:\n")
    print("| whole run | UNet in it | the same calls alone | VAE in and out | run / UNet in it "
          "| run / calls alone |\n|---|---|---|---|---|---|")  # fmt: skip
    print(
        f"| {whole_s:.3f} | {unet_s:.3f} | {alone_s:.3f} | {vae_s:.3f} "
        f"| {whole_s / unet_s:.3f} | {whole_s / alone_s:.3f} |"
    )


if __name__ == "__main__":
    main()
