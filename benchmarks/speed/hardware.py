"""How well the UNet uses its device: precision, layout, attention backend, graphs, FLOP/s."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Cell, Section, Table
from sow.benchmarks.speed.timing import Operation, alternated, timed
from sow.utils.libraries import quiet_libraries

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION, "efficient": SDPBackend.EFFICIENT_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION, "math": SDPBackend.MATH,
}  # fmt: skip
PICTURES = {"cpu": (1,), "cuda": (1, 8)}
"""How many pictures' samples are in a call: few leave a GPU idle."""


def hardware(subject: Subject, repeats: int) -> Section:
    """Measure one UNet call on this device."""
    plain = variant(subject, subject.dtype, torch.channels_last)  # a copy is not compiled
    tables = [precisions(subject, repeats), backends(plain, repeats)]
    if subject.device.type == "cuda":
        tables.append(graphs(plain, repeats))
    return Section("hardware", "The device", tables)


def precisions(subject: Subject, repeats: int) -> Table:
    """Measure precisions and layouts: time of a call, and FLOP/s relative to a large matrix
    product.

    The matrices' own pace is measured here too: what data sheets promise is seldom reached.
    """
    rows: list[list[Cell]] = []
    for dtype in dtypes_of(subject.device):
        peak = matrix_pace(dtype, subject.device, repeats)
        variants = {name: variant(subject, dtype, layout) for name, layout in LAYOUTS.items()}
        for count in PICTURES.get(subject.device.type, (1,)):
            shape = shape_of(subject, count)
            forms = {name: each.unet(shape) for name, each in variants.items()}
            # Counted once: whatever the precision and the layout, the work is the same.
            operations = flops(forms["contiguous"])
            times = alternated(forms, repeats, subject.device)
            for name in forms:
                pace = operations / times.spent(name)
                rows.append(
                    [
                        str(dtype).removeprefix("torch."),
                        name,
                        count,
                        shape[0],
                        times.seconds(name) * 1000,
                        operations / 1e9,
                        pace / 1e12,
                        peak / 1e12,
                        pace / peak,
                    ]
                )
    columns = (
        "precision",
        "layout",
        "pictures",
        "samples",
        "a call, ms",
        "GFLOP",
        "TFLOP/s",
        "TFLOP/s of a matrix product",
        "share of it",
    )
    caption = (
        "One call of the bare UNet, not compiled. Operations are counted by torch, and set against "
        "a product of two large square matrices of the same precision, measured at the same time; "
        "on a CPU both are of CPU seconds, which are those of one core."
    )
    return Table(columns, rows, caption)


def dtypes_of(device: torch.device) -> list[torch.dtype]:
    """Return the precisions to compare."""
    half = [] if device.type == "cpu" else [torch.float16]
    return [torch.float32, torch.bfloat16, *half]


def backends(subject: Subject, repeats: int) -> Table:
    """Measure which of torch's attention backends is fastest in the UNet."""
    shape = shape_of(subject, 1)
    call = subject.unet(shape)
    forms: dict[str, Operation] = {"torch's own choice": call}
    lacking = []
    for name, backend in BACKENDS.items():
        work = with_backend(call, backend)
        try:
            work()
        except RuntimeError:  # not on this device, or not in this precision
            lacking.append(name)
        else:
            forms[name] = work
    times = alternated(forms, repeats, subject.device)
    first = next(iter(forms))
    rows: list[list[Cell]] = [
        [name, times.seconds(name) * 1000, times.ratio(name, first)] for name in forms
    ]
    rows += [[name, None, None] for name in lacking]
    columns = ("attention", "a call, ms", f"over {first}")
    return Table(columns, rows, "Kinds of fused attention; a dash: not for this device.")


def graphs(subject: Subject, repeats: int) -> Table:
    """Measure a call replayed as a CUDA graph: the gain left where the host is too slow."""
    rows: list[list[Cell]] = []
    for count in PICTURES["cuda"]:
        call = subject.unet(shape_of(subject, count))
        side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # as torch asks for it: warm on a stream of its own
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            call()
        times = alternated({"eager": call, "graph": graph.replay}, repeats, subject.device)
        rows.append(
            [
                count,
                times.seconds("eager") * 1000,
                times.seconds("graph") * 1000,
                times.ratio("graph", "eager"),
            ]
        )
    return Table(("pictures", "a call, ms", "replayed, ms", "replayed / called"), rows)


def shape_of(subject: Subject, pictures: int) -> tuple[int, int, int, int]:
    """Return the input shape of a guided call for `pictures` pictures."""
    width, height = subject.pipe.canvas
    scale = subject.pipe.vae_scale_factor
    channels = int(subject.pipe.denoiser.config.in_channels)
    samples = pictures * subject.settings.branches
    return samples, channels, height // scale, width // scale


def variant(subject: Subject, dtype: torch.dtype, layout: torch.memory_format) -> Subject:
    """Return the subject with another copy of the UNet."""
    pipe = copy.copy(subject.pipe)
    with quiet_libraries():  # diffusers warns about every change of precision
        own = copy.deepcopy(subject.pipe.denoiser).to(dtype=dtype, memory_format=layout)
        name = "unet" if pipe.components.get("transformer") is None else "transformer"
        setattr(pipe, name, own)
    return replace(subject, pipe=pipe)


def with_backend(work: Operation, backend: SDPBackend) -> Operation:
    """Return the work with one attention backend."""

    def run() -> Any:
        with sdpa_kernel(backend):
            return work()

    return run


def flops(work: Operation) -> int:
    """Return the floating-point operations of some work; a multiply-add counts two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def matrix_pace(dtype: torch.dtype, device: torch.device, repeats: int) -> float:
    """Return the FLOP/s of a large matrix product, the best of several."""
    side = 8192 if device.type == "cuda" else 1024
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    left @ right
    goes = 20 if device.type == "cuda" else 3

    def several() -> None:
        for _ in range(goes):
            left @ right

    runs = (timed(several, device) for _ in range(repeats))
    best = min(elapsed.cpu if device.type == "cpu" else elapsed.wall for elapsed in runs)
    return 2.0 * side**3 * goes / best
