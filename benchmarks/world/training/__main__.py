"""python -m sow.benchmarks.world.training STAGE [--folder build/world] (see the package)."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch


@dataclass(frozen=True)
class Stage:
    """A stage: whether it is finished, and what it does."""

    finished: Callable[[], bool]
    work: Callable[[], None]


def stages(options: argparse.Namespace) -> dict[str, Stage]:
    """Return the stages in their order."""
    from sow.benchmarks.world import textures
    from sow.benchmarks.world.training import crops, denoiser, latents, pack, store, vae, words

    folder: Path = options.folder
    config = denoiser.TRAINING_CONFIG
    if options.steps or options.hours < math.inf:
        # Given only hours, they alone are the budget.
        config = replace(config, steps=options.steps or 100_000_000, hours=options.hours)

    def train() -> None:
        denoiser.train_denoiser(folder, config, options.device, options.batch)

    def stage(result: str, work: Callable[[], None]) -> Stage:
        """Return a stage that ends with this file or folder."""
        return Stage((folder / result).exists, work)

    return {
        "crops": stage("crops.npy", lambda: crops.render_crops(folder, 16_000)),
        "textures": stage("textures.npy", lambda: textures.render_textures(folder, 6000)),
        "vae": stage("vae", lambda: vae.train_vae(folder, folder, vae.TRAINING_CONFIG)),
        "tokenizer": stage("tokenizer", lambda: words.make_words(folder, 20_000)),
        "latents": Stage(
            lambda: store.Store(latents.latents_folder(folder)).scenes >= options.scenes,
            lambda: latents.encode(folder, options.scenes, options.workers),
        ),
        "denoiser": stage("text_encoder", train),
        "pack": stage("bundle", lambda: pack.pack(folder)),
    }


def main() -> None:
    """Run one stage, or all that are not finished."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "stage", help="crops, textures, vae, tokenizer, latents, denoiser, pack, or all"
    )
    parser.add_argument("--folder", type=Path, default=Path("build/world"))
    parser.add_argument("--scenes", type=int, default=80_000, help="scenes to encode")
    parser.add_argument(
        "--workers", type=int, default=2, help="processes that draw and encode scenes"
    )
    parser.add_argument("--threads", type=int, help="CPU threads for training")
    parser.add_argument("--device", default="cpu", help="trains the denoiser; such as cuda")
    parser.add_argument("--batch", type=int, help="pictures of a step of the denoiser's training")
    parser.add_argument("--steps", type=int, help="steps of the denoiser's training")
    parser.add_argument(
        "--hours",
        type=float,
        default=math.inf,
        help="end the denoiser's training after so many hours",
    )
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    if options.threads:
        torch.set_num_threads(options.threads)
    known = stages(options)
    for name in list(known) if options.stage == "all" else [options.stage]:
        if name not in known:
            parser.error(f"unknown stage {name!r}; choose from {', '.join(known)}")
        if known[name].finished():
            print(f"{name}: it is there already")
        else:
            print(f"{name}:", flush=True)
            known[name].work()


if __name__ == "__main__":
    main()
