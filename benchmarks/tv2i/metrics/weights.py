"""Load the weights of metrics: safetensors given by the user; nothing is downloaded.

What the sources offer are pickles, which may run anything when they are opened, so no metric reads
them. `python -m sow.benchmarks.tv2i.metrics.convert` makes safetensors of them, once.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from sow.checkpoints.files import is_regular_file
from sow.errors import ModelError
from sow.utils.type_checks import as_path

CONVERT = "python -m sow.benchmarks.tv2i.metrics.convert"


def read_weights(path: Path | str, what: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a safetensors file, floats as float32.

    Raises:
        ModelError: if there is none, it is a pickle, or it is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = as_path(what, path)
    if not is_regular_file(path):
        raise ModelError(f"no weights of {what} at {str(path)!r}", f"see {CONVERT} -h")
    if path.suffix.lower() != ".safetensors":
        raise ModelError(
            f"{path.name!r} is not a safetensors file; other formats are not opened",
            f"convert it: {CONVERT} {what} {path.name} {what}.safetensors",
        )
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelError(f"{path.name!r} is damaged ({error})", "convert or get it again") from None
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}


def load_into(network: nn.Module, tensors: dict[str, torch.Tensor], what: str) -> None:
    """Load tensors into a network; they must match exactly.

    Counts of batches, which old checkpoints lack and no result depends on, may be missing.

    Raises:
        ModelError: if a tensor is missing, unknown or of another shape.
    """
    expected = network.state_dict()
    missing = [n for n in expected if n not in tensors and not n.endswith("num_batches_tracked")]
    unknown = [name for name in tensors if name not in expected]
    shapes = [n for n, t in tensors.items() if n in expected and expected[n].shape != t.shape]
    for names, problem in ((missing, "missing"), (unknown, "unknown"), (shapes, "of other shapes")):
        if names:
            raise ModelError(
                f"these are not weights of {what}: {len(names)} tensors are {problem}, the first "
                f"{sorted(names)[0]}",
                f"see {CONVERT} -h",
            )
    network.load_state_dict(tensors, strict=False)
    network.eval().requires_grad_(False)
