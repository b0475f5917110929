"""Devices and precisions by name, and how much memory they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sow.errors import DeviceError
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    import torch


DEVICES = ("cpu", "cuda", "mps")
DTYPES = {
    "float32": "float32", "fp32": "float32", "float16": "float16", "fp16": "float16",
    "bfloat16": "bfloat16", "bf16": "bfloat16",
}  # fmt: skip
"""Precisions by all their names, as torch calls them."""


def check_names(device: str, dtype: str) -> None:
    """Whether there can be such a device and precision at all: told without torch.

    Raises:
        DeviceError: if not.
        UsageError: if they are no names.
    """
    check_type("device", device, (str,), "a name, such as device=auto")
    check_type("dtype", dtype, (str,), "a name, such as dtype=auto")
    if device != "auto" and device.partition(":")[0] not in DEVICES:
        raise _no_device(device)
    if dtype != "auto" and dtype not in DTYPES:
        raise DeviceError(f"no dtype {dtype!r}", "take auto, float32, float16 or bfloat16")


def _no_device(device: str) -> DeviceError:
    return DeviceError(f"there is no device {device!r} here", "take device=auto or cpu")


def choose_device(device: str = "auto") -> str:
    """The device to run on: `auto` takes cuda, else mps, else cpu.

    Raises:
        DeviceError: if the device asked for is not there.
    """
    check_names(device, "auto")
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    known = {"cpu": True, "mps": mps, "cuda": cuda}
    kind, _, number = device.partition(":")
    there = known.get(kind, False)
    if there and device != kind:  # there is one cpu and one mps, without a number
        there = kind == "cuda" and number.isdecimal() and int(number) < torch.cuda.device_count()
    if not there:
        raise _no_device(device)
    return device


def choose_dtype(dtype: str, device: str) -> torch.dtype:
    """The precision: `auto` is float16 on CUDA and float32 elsewhere."""
    check_names(device, dtype)
    import torch

    if dtype == "auto":
        return torch.float16 if device.startswith("cuda") else torch.float32
    found: torch.dtype = getattr(torch, DTYPES[dtype])
    return found


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory is full; every device says it otherwise."""
    text = str(error).lower()
    full = "out of memory" in text or "can't allocate" in text or "not enough memory" in text
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and full)
