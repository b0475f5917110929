"""Devices and precisions by name."""

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
"""Accepted names of precisions, and torch's name of each."""


def check_device_names(device: str, dtype: str) -> None:
    """Check that names of a device and a precision are possible, without importing torch.

    Raises:
        DeviceError: if a name is unknown.
        UsageError: if it is not a string.
    """
    check_type("device", device, (str,), "a name, such as device=auto")
    check_type("dtype", dtype, (str,), "a name, such as dtype=auto")
    if device != "auto" and device.partition(":")[0] not in DEVICES:
        raise _no_device(device)
    if dtype != "auto" and dtype not in DTYPES:
        raise DeviceError(f"no dtype {dtype!r}", "use auto, float32, float16 or bfloat16")


def _no_device(device: str) -> DeviceError:
    return DeviceError(f"no device {device!r} on this machine", "use device=auto or cpu")


def choose_device(device: str = "auto") -> str:
    """Return the device to run on; `auto` is cuda, else mps, else cpu.

    Raises:
        DeviceError: if this machine does not have it.
    """
    check_device_names(device, "auto")
    import torch

    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if device == "auto":
        return "cuda" if cuda else "mps" if mps else "cpu"
    type_, _, index = device.partition(":")
    available = {"cpu": True, "mps": mps, "cuda": cuda}.get(type_, False)
    if available and device != type_:  # only cuda devices have an index
        available = type_ == "cuda" and index.isdecimal() and int(index) < torch.cuda.device_count()
    if not available:
        raise _no_device(device)
    return device


def choose_dtype(dtype: str, device: str) -> torch.dtype:
    """Return the precision; `auto` is float16 on CUDA and float32 elsewhere."""
    check_device_names(device, dtype)
    import torch

    if dtype == "auto":
        return torch.float16 if device.startswith("cuda") else torch.float32
    precision: torch.dtype = getattr(torch, DTYPES[dtype])
    return precision


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that a device's memory is full; devices word it differently."""
    text = str(error).lower()
    full = "out of memory" in text or "can't allocate" in text or "not enough memory" in text
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and full)
