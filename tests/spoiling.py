"""Ways to change a checkpoint on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors.torch import load_file, save_file


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


class Evil:
    """Leaves a mark where it was unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)
