"""Convert the pickles that metrics' weights are published as to safetensors; run once, by hand.

    python -m sow.benchmarks.tv2i.metrics.convert facenet VGGFACE2.pt facenet.safetensors
    python -m sow.benchmarks.tv2i.metrics.convert lpips ALEXNET.pth ALEX.pth lpips.safetensors

The files, to be downloaded by yourself:
VGGFACE2: github.com/timesler/facenet-pytorch, release v2.2.9, 20180402-114759-vggface2.pt;
ALEXNET: download.pytorch.org/models/alexnet-owt-7be5be79.pth;
ALEX: lpips/weights/v0.1/alex.pth of github.com/richzhang/PerceptualSimilarity.

Only tensors are taken from them (`torch.load(weights_only=True)`), here and nowhere else: whatever
else a pickle would run is refused.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save

from sow.benchmarks.tv2i.metrics.lpips import CHANNELS
from sow.checkpoints.files import is_regular_file
from sow.errors import ModelError, SowError
from sow.utils.files import write_atomically

Tensors = dict[str, torch.Tensor]
FEATURES = {0: "stages.0.0", 3: "stages.1.1", 6: "stages.2.1", 8: "stages.3.0", 10: "stages.4.0"}
"""The convolutions of torchvision's AlexNet, and where LPIPS has them."""


def facenet(files: Sequence[Path]) -> Tensors:
    """Return InceptionResnetV1 without its classifier.

    Raises:
        ModelError: if it is another kind of file.
    """
    return {k: v for k, v in tensors(files[0]).items() if not k.startswith("logits.")}


def lpips(files: Sequence[Path]) -> Tensors:
    """Return AlexNet's features and LPIPS's channel weights together.

    Raises:
        ModelError: if they are other kinds of files.
    """
    alexnet, heads = tensors(files[0]), tensors(files[1])
    made = {}
    try:
        for number, name in FEATURES.items():
            for kind in ("weight", "bias"):
                made[f"{name}.{kind}"] = alexnet[f"features.{number}.{kind}"]
        for number, channels in enumerate(CHANNELS):
            made[f"weights.{number}"] = heads[f"lin{number}.model.1.weight"].reshape(channels)
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"this is not AlexNet and LPIPS's alex.pth ({error})") from None
    return made


KINDS: dict[str, tuple[int, Callable[[Sequence[Path]], Tensors]]] = {
    "facenet": (1, facenet),
    "lpips": (2, lpips),
}


def tensors(path: Path) -> Tensors:
    """Return the tensors of a PyTorch pickle, and nothing else of it.

    Raises:
        ModelError: if there is none, or there is anything else in it.
    """
    if not is_regular_file(path):
        raise ModelError(f"no file {str(path)!r}", "download it first: see -h")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, OSError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise ModelError(
            f"{path.name!r} does not contain weights ({reason})", "get it again"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(t, torch.Tensor) for t in found.values()):
        raise ModelError(f"{path.name!r} contains more than tensors", "get it again")
    return {str(name): tensor for name, tensor in found.items()}


def convert(kind: str, files: Sequence[Path], out: Path, *, force: bool = False) -> None:
    """Write the safetensors file.

    Raises:
        SowError: as `tensors`; and if `out` exists and `force` is not set.
    """
    made = {name: tensor.contiguous().clone() for name, tensor in KINDS[kind][1](files).items()}
    write_atomically(lambda file: file.write(save(made)), out, force)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("files", nargs="+", type=Path, help="what was downloaded")
    parser.add_argument("out", type=Path)
    parser.add_argument("--force", action="store_true", help="replace the file")
    given = parser.parse_args(arguments)
    count = KINDS[given.kind][0]
    if len(given.files) != count:
        parser.error(f"{given.kind} takes {count} files and the name of the new one")
    try:
        convert(given.kind, given.files, given.out, force=given.force)
    except SowError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(f"wrote {given.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
