"""Ways to change a checkpoint on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessor


def say(file: Path, **changes: object) -> None:
    """Changes a configuration; None stays None."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def weights(folder: Path, part: str) -> Path:
    return next((folder / part).glob("*.safetensors"))


def change(folder: Path, part: str, how) -> None:
    """Changes the tensors of a part."""
    tensors = load_file(weights(folder, part))
    how(tensors)
    save_file(tensors, weights(folder, part), metadata={"format": "pt"})


def sharded(folder: Path, part: str) -> Path:
    """Puts the weights of a part into two files; the index."""
    whole = weights(folder, part)
    tensors, stem = load_file(whole), whole.name.removesuffix(".safetensors")
    names = sorted(tensors)
    shards = {f"{stem}-0000{n}-of-00002.safetensors": names[n - 1 :: 2] for n in (1, 2)}
    for file, some in shards.items():
        save_file({n: tensors[n] for n in some}, folder / part / file, metadata={"format": "pt"})
    index = folder / part / f"{stem}.safetensors.index.json"
    weight_map = {name: file for file, some in shards.items() for name in some}
    index.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": weight_map}))
    whole.unlink()
    return index


def with_safety_checker(folder: Path) -> None:
    """Gives a checkpoint a small one, of pictures of 32 px."""
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
             "num_attention_heads": 2, "projection_dim": 8}  # fmt: skip
    vision = {**small, "image_size": 32, "patch_size": 16}
    config = CLIPConfig(vision_config=vision, text_config=small, projection_dim=8)
    StableDiffusionSafetyChecker(config).save_pretrained(folder / "safety_checker")
    looks = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    looks.save_pretrained(folder / "feature_extractor")
    say(folder / "model_index.json", requires_safety_checker=True,
        safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"],
        feature_extractor=["transformers", "CLIPImageProcessor"])  # fmt: skip


class Evil:
    """Leaves a mark where it was unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)
