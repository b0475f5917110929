"""Devices and precisions by name, and how much memory they have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sow.errors import DeviceError

if TYPE_CHECKING:
    import torch


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
    if there and device != kind:  # there is one cpu and one mps, without a number
        there = kind == "cuda" and number.isdecimal() and int(number) < torch.cuda.device_count()
    if not there:
        raise DeviceError(f"there is no device {device!r} here", "take device=auto or cpu")
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


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory is full; every device says it otherwise."""
    text = str(error).lower()
    full = "out of memory" in text or "can't allocate" in text or "not enough memory" in text
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and full)
