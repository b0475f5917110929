"""Hash the pixels of forty pictures: does a change of the code change a picture?

    python -m sow.benchmarks.same_pictures --write hashes.json     # before
    python -m sow.benchmarks.same_pictures --compare hashes.json   # after

Four presets times ten ways to use the engine, on `figures`. Hashes of floating-point work hold for
one machine, one number of threads and one version of torch; the file names what they were made
with, and a comparison under others says so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image

import sow
from sow import Plan, SowPipeline

PRESETS = ("published-normal", "swift-normal", "swift-style", "cow")
BODY = {"label": "body", "box": [8, 72, 104, 56]}
PLANS: dict[str, dict[str, Any]] = {
    "square": {"box": [36, 16, 56, 56]},
    "outline": {"box": [40, 16, 48, 48], "ellipse": [43, 18, 42, 44], "related": [BODY]},
    "body": {"box": [32, 8, 64, 64], "related": [BODY]},
}
# A name, a plan, what is set, and whether the picture is masked or transparent.
WAYS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("as it is", "body", {}, ""),
    ("outline", "outline", {}, ""),
    ("guidance pair", "outline", {"outside": "pair"}, ""),
    ("guidance joined", "square", {"outside": "joined", "cycles": 3}, ""),
    ("inverted alone", "body", {"inversion": "alone", "cycles": 3}, ""),
    ("random start", "body", {"seed_canvas": "none", "cycles": 3}, ""),
    ("on noise, eta in the cycles", "body",
     {"seed_canvas": "noise", "cycle_eta": 1.0, "cycles": 3}, ""),
    ("suppressed, fading, gated", "body",
     {"alpha_plus": 0.7, "alpha_minus": 0.6, "lambda_c": 0.2, "lambda_d": 0.5, "gate": "ramp",
      "tau": 0.12, "cycles": 4}, ""),
    ("masked, prompt's branch", "body",
     {"alpha_plus": 1.0, "modulated_branches": "prompt", "modulated_factors": (1, 2),
      "cycles": 3}, "mask"),
    ("transparent, other states", "square",
     {"steps": 12, "t1": 4, "t2": 8, "preserve": (4, 2), "cycles": 2}, "alpha"),
)  # fmt: skip


def pictures(pipe: SowPipeline, face: Image.Image) -> dict[str, Image.Image]:
    """Return the forty pictures by name; the n-th has seed n."""
    left = Image.new("L", face.size)
    left.paste(255, (face.width // 8, 0, face.width * 7 // 8, face.height * 7 // 8))
    transparent = face.copy()
    transparent.putalpha(left)
    made: dict[str, Image.Image] = {}
    for preset in PRESETS:
        for name, plan, changes, kept in WAYS:
            seed = len(made)
            made[f"{preset}: {name}"] = pipe(
                image=transparent if kept == "alpha" else face,
                mask=left if kept == "mask" else None,
                plan=Plan.parse(
                    {
                        "canvas": [128, 128],
                        "prompt": "a person in a red coat in the forest",
                        **PLANS[plan],
                    }
                ),
                settings=pipe.preset(preset).changed(**changes),
                generator=torch.Generator().manual_seed(seed),
            ).images[0]
    return made


def environment() -> dict[str, Any]:
    """Return what hashes of floating-point results depend on."""
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }


def hashes(made: dict[str, Image.Image]) -> dict[str, str]:
    """Return SHA-256 of each picture's pixels, shortened."""
    return {name: hashlib.sha256(i.tobytes()).hexdigest()[:20] for name, i in made.items()}


def main() -> None:
    """Write the hashes, or report which differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--face", type=Path, default=Path("examples/drawn-beard.png"))
    parser.add_argument("--keep", type=Path, help="a folder for the pictures themselves")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--write", type=Path)
    which.add_argument("--compare", type=Path)
    options = parser.parse_args()
    pipe = sow.load_pipeline("figures", device="cpu", dtype="float32")
    pipe.set_progress_bar_config(disable=True)
    made = pictures(pipe, sow.load_image(options.face))
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
        for name, image in made.items():
            image.save(options.keep / f"{name.replace(':', '').replace(' ', '-')}.png")
    here = {"environment": environment(), "pictures": hashes(made)}
    if options.write:
        options.write.write_text(json.dumps(here, indent=1) + "\n", encoding="utf-8")
        return
    before = json.loads(options.compare.read_text(encoding="utf-8"))
    if before["environment"] != here["environment"]:
        print(f"made with {before['environment']}, compared with {here['environment']}")
    changed = [n for n, hash_ in here["pictures"].items() if before["pictures"].get(n) != hash_]
    print(f"{len(made) - len(changed)} of {len(made)} pictures are the same")
    for name in changed:
        print(f"changed: {name}")
    sys.exit(bool(changed))


if __name__ == "__main__":
    main()
