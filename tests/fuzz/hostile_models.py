"""Ways to spoil a checkpoint. Each changes a folder, says how, and whether it may still be taken.

The folders are made of hard links: a file is taken away before another is written in its place.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import load_file, save_file

CONFIGS = (
    "model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json",
    "tokenizer/tokenizer_config.json", "scheduler/scheduler_config.json",
)  # fmt: skip
NEEDED = (*CONFIGS, "tokenizer/tokenizer.json")
PARTS = ("unet", "vae", "text_encoder")
MARK = "SOW_FUZZ_MARK"
"""Where code that runs would leave a trace: the name of a variable with a path in it."""


@dataclass(frozen=True)
class Spoilt:
    """What was done, and whether nobody may take the checkpoint any more."""

    how: str
    refused: bool = False


def replace(file: Path, data: str | bytes) -> None:
    """Another file in the place of one that others may be linked to."""
    file.unlink(missing_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 17, 10**9, 2**70, -(2**70), 0.5, -0.1, 1e-300, 1e308, math.nan,
    math.inf, -math.inf, "", "x", "\x1b[31m\n\0", "é" * 3000, "../../etc/passwd", "1", [], {}, [[]],
    [1] * 1000, [1, 2], ["diffusers", "X"], [None, None], [None], {"a": {"b": []}}, nested(300),
    {"num_hidden_layers": 10**9}, ["os", "system"],
)  # fmt: skip
CODE: dict[str, Any] = {
    "auto_map": {"AutoModel": "evil.Model"},
    "quantization_config": {"quant_method": "gptq", "bits": 4},
    "custom_pipelines": {"x": "y"},
    "transformers_weights": "other.safetensors",
    "configuration_files": ["../config.4.0.0.json"],
    "fast_tokenizer_files": ["../tokenizer.4.0.0.json"],
    "attn_implementation": "a/kernel",
    "_attn_implementation": "a/kernel",
    "gguf_file": "/etc/passwd",
}


def field(dice: Random, folder: Path) -> Spoilt:
    """Something strange as one or two entries of a configuration."""
    name = dice.choice(CONFIGS)
    config = json.loads((folder / name).read_text())
    done = []
    for _ in range(dice.choice((1, 1, 2))):
        key = dice.choice([*config, "".join(dice.choices("ab_\x00é", k=5))])
        config[key] = dice.choice(STRANGE)
        done.append(f"{key}={str(config[key])[:30]!r}")
    replace(folder / name, json.dumps(config))
    return Spoilt(f"{name}: {', '.join(done)}")


def less(dice: Random, folder: Path) -> Spoilt:
    """A configuration that says less."""
    name = dice.choice(CONFIGS)
    config = json.loads((folder / name).read_text())
    for key in dice.sample(list(config), min(len(config), dice.randint(1, 4))):
        del config[key]
    replace(folder / name, json.dumps(config))
    return Spoilt(f"{name}: {len(config)} entries left")


def code(dice: Random, folder: Path) -> Spoilt:
    """A configuration that wants code run, or other files read, on top or deeper down."""
    name, key = dice.choice(CONFIGS), dice.choice(list(CODE))
    config = json.loads((folder / name).read_text())
    entry = {key: CODE[key]}
    replace(folder / name, json.dumps(config | dice.choice((entry, {"inner": [entry]}))))
    return Spoilt(f"{name}: {key}", refused=True)


def own_class(dice: Random, folder: Path) -> Spoilt:
    """Code of the checkpoint's own, under the names by which libraries look for it."""
    index = json.loads((folder / "model_index.json").read_text())
    part = dice.choice(("_class_name", *PARTS, "scheduler", "tokenizer", "safety_checker"))
    module = dice.choice(("diffusers", "evil", "transformers"))
    index[part] = [module, dice.choice(("Evil", "AutoModel", "DiffusionPipeline", "", 7, None))]
    place = folder / part if (folder / part).is_dir() else folder
    replace(place / f"{module}.py", f"import os; os.mkdir(os.environ[{MARK!r}])\nclass Evil: pass")
    replace(folder / "model_index.json", json.dumps(index))
    return Spoilt(f"{part} is {index[part]}", refused=True)


def bytes_of(dice: Random, folder: Path) -> Spoilt:
    """A needed file whose bytes are others."""
    name = dice.choice(NEEDED)
    data = bytearray((folder / name).read_bytes())
    how = dice.choice(("empty", "cut", "noise", "deep", "flipped", "number", "long number"))
    if how == "flipped":
        for _ in range(dice.randint(1, 20)):
            data[dice.randrange(len(data))] = dice.randrange(256)
    else:
        others = {
            "empty": b"", "cut": data[: dice.randrange(len(data) // 2)], "number": b"7",
            "noise": dice.randbytes(99), "deep": b'{"a":' * 50_000,
            "long number": b"[" + b"9" * 10_000 + b"]",
        }  # fmt: skip
        data = bytearray(others[how])
    replace(folder / name, bytes(data))
    return Spoilt(f"{name}: {how}", refused=how != "flipped" and name in CONFIGS)


def gone(dice: Random, folder: Path) -> Spoilt:
    """A needed file that is missing, or is no file."""
    weights = dice.choice(list(folder.glob("*/*.safetensors"))).relative_to(folder).as_posix()
    name = dice.choice((*NEEDED, weights))
    (folder / name).unlink()
    how = dice.choice(("missing", "pipe", "folder", "nothing", "itself", "/etc", "/dev"))
    match how:
        case "pipe":
            os.mkfifo(folder / name)
        case "folder":
            (folder / name).mkdir()
        case "nothing":
            (folder / name).symlink_to("nowhere")
        case "itself":
            (folder / name).symlink_to((folder / name).name)
        case "/etc":
            (folder / name).symlink_to("/etc/passwd")
        case "/dev":
            (folder / name).symlink_to("/dev/zero")
    return Spoilt(f"{name}: {how}", refused=name != weights or how not in ("missing", "folder"))


def exchanged(dice: Random, folder: Path) -> Spoilt:
    """Two files in each other's place."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    one, other = dice.sample(files, 2)
    first, second = one.read_bytes(), other.read_bytes()
    replace(one, second)
    replace(other, first)
    return Spoilt(f"{one.parent.name}/{one.name} and {other.parent.name}/{other.name} exchanged")


class Evil:
    """Leaves a trace where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (os.environ[MARK],)


def elsewhere(dice: Random, folder: Path) -> Spoilt:
    """An index of weights that leads to a pickle, out of the folder, or nowhere."""
    part = dice.choice(PARTS)
    whole = next((folder / part).glob("*.safetensors"))
    names = [
        "evil.bin",
        "../evil.bin",
        "/etc/passwd",
        "../vae/config.json",
        "sub/x.safetensors",
        "missing.safetensors",
        "",
        7,
        None,
        {},
        "..",
        "x.safetensors\n",
        "\0.safetensors",
    ]
    weight_map: Any = {name: dice.choice(names) for name in load_file(whole)}
    weight_map = dice.choice([weight_map] * 8 + [[], None, "evil.bin", {}])
    torch.save(Evil(), folder / part / "evil.bin")
    torch.save(Evil(), folder / "evil.bin")
    if dice.random() < 0.5:
        whole.rename(whole.with_name("other.safetensors"))
    index = f"{whole.stem}.safetensors.index.json"
    replace(folder / part / index, json.dumps({"metadata": {}, "weight_map": weight_map}))
    return Spoilt(f"{part}: an index to {str(weight_map)[:60]}", refused=True)


def pickled(dice: Random, folder: Path) -> Spoilt:
    """A part that is there only as a pickle."""
    part = dice.choice(PARTS)
    whole = next((folder / part).glob("*.safetensors"))
    whole.unlink()
    name = dice.choice(("pytorch_model.bin", "diffusion_pytorch_model.bin", "x.ckpt", "x.pt"))
    torch.save(Evil(), folder / part / name)
    return Spoilt(f"{part}: {name}", refused=True)


def tensors(dice: Random, folder: Path) -> Spoilt:
    """Weights that are not those of the configuration."""
    part = dice.choice(PARTS)
    file = next((folder / part).glob("*.safetensors"))
    stored = load_file(file)
    how = dice.choice(("drop", "rename", "reshape", "add", "whole numbers", "another's"))
    for name in dice.sample(sorted(stored), dice.randint(1, 4)):
        match how:
            case "drop":
                del stored[name]
            case "rename":
                stored[name + dice.choice(("x", ".weight", "2"))] = stored.pop(name)
            case "reshape":
                stored[name] = torch.zeros(*stored[name].shape, 2)
            case "add":
                stored[f"{name}.more"] = torch.zeros(2)
            case "whole numbers":
                stored[name] = stored[name].to(torch.int8)
    if how == "another's":
        other = dice.choice([p for p in PARTS if p != part])
        stored = load_file(next((folder / other).glob("*.safetensors")))
    file.unlink()
    save_file(stored, file, metadata={"format": "pt"})
    return Spoilt(f"{part}: {how}", refused=True)


def header(dice: Random, folder: Path) -> Spoilt:
    """A file of weights whose head lies, or that ends too early."""
    part = dice.choice(PARTS)
    file = next((folder / part).glob("*.safetensors"))
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    how = dice.choice(("longer", "shorter", "cut", "offsets", "noise", "empty"))
    data = {
        "longer": (length + dice.randint(1, 2**40)).to_bytes(8, "little") + data[8:],
        "shorter": (length // 2).to_bytes(8, "little") + data[8:],
        "cut": data[: dice.randrange(len(data) - 1)],
        "offsets": data.replace(b'"data_offsets":[0,', b'"data_offsets":[9,', 1),
        "noise": dice.randbytes(500),
        "empty": b"",
    }[how]
    replace(file, data)
    return Spoilt(f"{part}: head {how}", refused=True)


def no_numbers(dice: Random, folder: Path) -> Spoilt:
    """Weights that are nan or infinite in a place that every picture passes."""
    part, name = dice.choice((
        ("unet", "conv_out.weight"), ("unet", "time_embedding.linear_1.weight"),
        ("vae", "decoder.conv_out.bias"), ("vae", "encoder.conv_in.weight"),
        ("text_encoder", "final_layer_norm.weight"),
    ))  # fmt: skip
    file = next((folder / part).glob("*.safetensors"))
    stored = load_file(file)
    name = next(known for known in stored if known.endswith(name))
    stored[name].fill_(dice.choice((math.nan, math.inf, -math.inf)))
    file.unlink()
    save_file(stored, file, metadata={"format": "pt"})
    return Spoilt(f"{part}: {name} is no number", refused=True)


Spoil = Callable[[Random, Path], Spoilt]
SAID: tuple[Spoil, ...] = (field, field, field, less, code, own_class)
FILES: tuple[Spoil, ...] = (bytes_of, gone, exchanged, elsewhere, pickled)
WEIGHTS: tuple[Spoil, ...] = (tensors, tensors, header)
