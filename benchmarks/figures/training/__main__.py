"""python -m sow.benchmarks.figures.training STAGE [--folder build/figures] (see the package)."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

PICTURES = 60_000


def stages(folder: Path) -> dict[str, tuple[Path, Callable[[], None]]]:
    """Return each stage with the file or folder that exists when it is finished."""
    from sow.benchmarks.figures.training import data, latents, pack, text, unet, vae

    return {
        "pictures": (folder / "pictures.npy", lambda: data.render(folder, PICTURES)),
        "vae": (folder / "vae", lambda: vae.train_vae(folder)),
        "tokenizer": (folder / "tokenizer", lambda: text.make_tokenizer(folder)),
        "latents": (folder / "latents.npy", lambda: latents.encode(folder)),
        "unet": (folder / "unet", lambda: unet.train_unet(folder)),
        "pack": (folder / "bundle", lambda: pack.pack(folder)),
    }


def main() -> None:
    """Run one stage, or all that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", help="pictures, vae, tokenizer, latents, unet, pack, or all")
    parser.add_argument("--folder", type=Path, default=Path("build/figures"))
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    known = stages(options.folder)
    wanted = list(known) if options.stage == "all" else [options.stage]
    for stage in wanted:
        if stage not in known:
            parser.error(f"unknown stage {stage!r}; choose from {', '.join(known)}")
        result, work = known[stage]
        if result.exists():
            print(f"{stage}: {result} is there already")
        else:
            print(f"{stage}:", flush=True)
            work()


if __name__ == "__main__":
    main()
