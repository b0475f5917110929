"""A name, a hub id, a folder or a file -> loaded weights. Safetensors only, no remote code."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.checkpoint import (
    PICKLES,
    check_folder,
    fingerprint,
    folder_problem,
    read_config,
    variant_of,
)
from sow.errors import DeviceError, ModelError, UsageError
from sow.hub import SD21, cached_snapshot, download_snapshot, hub_problem
from sow.quiet import quiet
from sow.settings import Settings

if TYPE_CHECKING:
    import torch

    from sow.pipeline import SowPipeline

BUNDLED = {"figures": Path(__file__).parent / "bundled" / "figures"}


@dataclass(frozen=True)
class Model:
    """Where the weights are and what they are called.

    Attributes:
        name: what a recipe records: a bundled name, a hub id, or the last part of a path.
        source: the folder or file.
        revision: the hub's commit, or a fingerprint of the files.
        kind: `bundled`, `hub`, `folder` or `file`.
        notes: lines for the user.
    """

    name: str
    source: Path
    revision: str
    kind: str
    notes: tuple[str, ...] = ()

    @property
    def native_canvas(self) -> tuple[int, int] | None:
        """`(width, height)` the UNet was trained on, read from its configuration alone."""
        if self.kind == "file":
            return None
        unet, vae = (read_config(self.source / part) for part in ("unet", "vae"))
        side = unet.get("sample_size") or 64
        height, width = (side, side) if isinstance(side, int) else side
        factor = 2 ** (len(vae.get("block_out_channels", [0] * 4)) - 1)
        return width * factor, height * factor

    @property
    def canvas_stride(self) -> int | None:
        """Width and height of a canvas must be multiples of this many pixels."""
        if self.kind == "file":
            return None
        blocks = [
            len(read_config(self.source / part).get("block_out_channels", [0] * 4))
            for part in ("unet", "vae")
        ]
        return int(2 ** sum(blocks)) // 4

    @property
    def words(self) -> frozenset[str]:
        """All words it knows, if it lists them; else empty."""
        index = {} if self.kind == "file" else read_config(self.source, "model_index.json")
        return frozenset(str(index.get("sow_words") or "").split())

    @property
    def token_limit(self) -> int:
        """How many tokens its text encoder reads, the first and the last included."""
        if self.kind == "file":
            return 77
        limit = read_config(self.source / "tokenizer", "tokenizer_config.json")
        value = limit.get("model_max_length", 77)
        return value if isinstance(value, int) and 2 < value <= 77 else 77

    def preset(self, name: str) -> Settings:
        """As `SowPipeline.preset`, before anything is loaded."""
        index = {} if self.kind == "file" else read_config(self.source, "model_index.json")
        try:
            return Settings.preset(name).changed(**(index.get("sow_settings") or {}))
        except (UsageError, TypeError) as error:
            raise ModelError(
                f"the sow_settings in {self.name}'s model_index.json are no settings: {error}"
            ) from None


def find_model(
    name: str = "auto",
    *,
    revision: str | None = None,
    half: bool = False,
    download: bool = True,
) -> Model:
    """Where a model is, downloading it if need be and allowed.

    Args:
        name: `auto` (SD2.1-base, else the bundled `figures`), `sd2.1`, a bundled name, a folder,
            a `.safetensors` file or a hub id.
        revision: a branch, tag or commit on the hub.
        half: prefer files in half precision.
        download: False never asks the network.

    Raises:
        ModelError: if it cannot be found or may not be trusted.
    """
    if name in BUNDLED:
        return Model(name, BUNDLED[name], fingerprint(BUNDLED[name]), "bundled")
    if name in ("auto", "sd2.1"):
        return _stable_diffusion(name, revision, half, download)
    path = Path(name)
    with contextlib.suppress(RuntimeError):  # "~nobody"
        path = path.expanduser()
    if path.suffix in PICKLES:
        raise ModelError(
            f"{path.name!r} is a pickle, which can run code when it is loaded",
            "give the .safetensors file",
        )
    file, directory = _there(path)
    if file:
        if path.suffix != ".safetensors":
            raise ModelError(f"{path.name!r} is no model", "give a folder or a .safetensors file")
        return Model(path.name, path, fingerprint(path), "file")
    if directory:
        check_folder(path)
        return Model(path.resolve().name, path, fingerprint(path), "folder")
    if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not name.startswith("."):
        return _from_hub(name, revision, half, download)
    raise ModelError(
        f"no model {name!r}",
        f"give auto, sd2.1, {', '.join(BUNDLED)}, a folder, a .safetensors file or a hub id",
    )


def _there(path: Path) -> tuple[bool, bool]:
    """Whether a path is a file, and whether a folder; no for what cannot even be looked at."""
    try:
        return path.is_file(), path.is_dir()
    except OSError:
        return False, False


def fetch_model(name: str, *, revision: str | None = None, half: bool = False) -> Model:
    """Brings a model of the hub into the cache, or completes and renews what is there.

    Raises:
        ModelError: if it cannot be had, or `name` is not on the hub.
    """
    names = SD21 if name in ("auto", "sd2.1") else (name,)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", names[0]):
        raise ModelError(f"{name!r} is not on the hub", "give sd2.1 or a hub id: owner/name")
    problem: object = hub_problem()
    for repository in names if problem is None else ():
        try:
            folder = download_snapshot(repository, revision, half)
            check_folder(folder)
            return Model(repository, folder, folder.name, "hub")
        except ModelError as error:
            problem = error.what
    raise ModelError(f"the hub cannot give {name} ({problem})", "try again with a network")


def _stable_diffusion(name: str, revision: str | None, half: bool, download: bool) -> Model:
    for repository in SD21:
        folder = cached_snapshot(repository, revision)
        if folder is not None and not folder_problem(folder):
            return Model(repository, folder, folder.name, "hub")
    problem = hub_problem() if download else "it was not asked"
    if problem is None:
        for repository in SD21:
            try:
                return _from_hub(repository, revision, half, download)
            except ModelError as error:
                problem = str(error)
    if name == "sd2.1":
        raise ModelError(
            f"Stable Diffusion 2.1 is not on this machine and the hub cannot give it ({problem})",
            "run `sow download` where there is a network, or point HF_HOME to a folder that has it",
        )
    figures = BUNDLED["figures"]
    notes = (
        f"Stable Diffusion 2.1 is not here and the hub cannot give it ({problem}): the bundled "
        "`figures` runs instead, a small drawn world.",
        "To get Stable Diffusion 2.1: run `sow download` where there is a network, "
        "or point HF_HOME to a folder that has it.",
    )
    return Model("figures", figures, fingerprint(figures), "bundled", notes)


def _from_hub(repository: str, revision: str | None, half: bool, download: bool) -> Model:
    folder = cached_snapshot(repository, revision)
    if folder is None or folder_problem(folder):
        if not download:
            raise ModelError(f"{repository} is not in the cache", "run `sow download`")
        problem = hub_problem()
        if problem:
            raise ModelError(
                f"{repository} is not on this machine and the hub cannot give it ({problem})",
                "check the name, or give a folder",
            )
        folder = download_snapshot(repository, revision, half)
    check_folder(folder)
    return Model(repository, folder, folder.name, "hub")


def choose_device(device: str = "auto") -> str:
    """The device to run on: `auto` takes cuda, else mps, else cpu.

    Raises:
        DeviceError: if the device asked for is not there.
    """
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    known = {"cpu": True, "mps": mps, "cuda": cuda}
    kind, _, number = device.partition(":")
    there = known.get(kind, False)
    if there and kind == "cuda" and number:
        there = number.isdigit() and int(number) < torch.cuda.device_count()
    if not there:
        raise DeviceError(f"there is no device {device!r} here", "take --device auto or cpu")
    return device


def choose_dtype(dtype: str, device: str) -> torch.dtype:
    """The precision: `auto` is float16 on CUDA and float32 elsewhere."""
    import torch

    known = {
        "float32": torch.float32,
        "fp32": torch.float32,
        "float16": torch.float16,
        "fp16": torch.float16,
        "bfloat16": torch.bfloat16,
        "bf16": torch.bfloat16,
    }
    if dtype == "auto":
        return torch.float16 if device.startswith("cuda") else torch.float32
    if dtype not in known:
        raise DeviceError(f"no dtype {dtype!r}", "take auto, float32, float16 or bfloat16")
    return known[dtype]


def load_pipeline(
    model: str | Model = "auto",
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    config: str | None = None,
) -> SowPipeline:
    """A model by name, loaded and on its device.

    Args:
        model: as for `find_model`, or what it returned.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        revision: a branch, tag or commit on the hub.
        config: for a single file, a folder or hub id with the configuration of its parts;
            without it diffusers recognises the kind of checkpoint and asks the hub.

    Raises:
        ModelError: if the weights cannot be found, trusted or read.
        DeviceError: if the device is missing or too small.
    """
    import torch

    from sow.pipeline import SowPipeline

    device = choose_device(device)
    precision = choose_dtype(dtype, device)
    half = precision != torch.float32
    if isinstance(model, str):
        model = find_model(model, revision=revision, half=half)
    options: dict[str, Any] = {"torch_dtype": precision}
    with _one_line_errors(model.name), quiet():
        if model.kind == "file":
            pipe: SowPipeline = SowPipeline.from_single_file(
                str(model.source), config=config, **options
            )
        else:
            pipe = SowPipeline.from_pretrained(
                model.source,
                variant=variant_of(model.source, half),
                use_safetensors=True,
                local_files_only=True,
                **options,
            )
        pipe.set_progress_bar_config(disable=None)  # quiet when not a terminal
        pipe.unet.to(memory_format=torch.channels_last)
        pipe.vae.to(memory_format=torch.channels_last)
        pipe.to(device)
    return pipe


@contextlib.contextmanager
def _one_line_errors(name: str) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, MemoryError,
            SafetensorError) as error:  # fmt: skip
        if out_of_memory(error):
            raise DeviceError(
                f"{name} does not fit into the device's memory", "try --dtype float16"
            ) from None
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{name} cannot be loaded: {text[:300]}", "get the checkpoint again"
        ) from None


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory is full; every device says it otherwise."""
    text = str(error).lower()
    full = "out of memory" in text or "can't allocate" in text or "not enough memory" in text
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and full)
