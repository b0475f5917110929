"""`sow doctor`: check this machine and say what to do next."""

from __future__ import annotations

import os
from typing import Any

from sow.cli.options import Json
from sow.cli.output import print_json


def doctor(json: Json = False) -> None:
    """Check this machine: device, memory, weights, keys and versions, and what to do next."""
    report = inspect_machine()
    if json:
        print_json(report)
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    for name, value in report.items():
        if name != "next":
            shown = (
                value if isinstance(value, str) else ", ".join(f"{k} {v}" for k, v in value.items())
            )
            console.print(f"{name:9} {shown}")
    for line in report["next"]:
        console.print(f"next      {line}")


def inspect_machine() -> dict[str, Any]:
    """Return the report as data; of API keys, only whether they are set."""
    import platform

    import torch

    from sow.checkpoints.hub_cache import cached_snapshot
    from sow.checkpoints.trust import folder_problem
    from sow.models import choose_device
    from sow.models.hub import SD21
    from sow.pictures.recipe import versions
    from sow.planners.mllm.vendors.registry import VENDORS, available_vendor

    device = choose_device()
    keys = [*(key for vendor in VENDORS.values() for key in vendor.keys), "HF_TOKEN"]
    folders = {name: cached_snapshot(name) for name in SD21}
    cached = {name: f is not None and folder_problem(f) is None for name, f in folders.items()}
    return {
        "device": device if device != "cuda" else f"cuda ({torch.cuda.get_device_name()})",
        "memory": {name: f"{size:.1f} GB" for name, size in _memory(device).items()},
        "weights": {
            "figures": "bundled",
            **{name: "cached" if is_cached else "not here" for name, is_cached in cached.items()},
        },
        "planner": available_vendor() or "rules",
        "keys": {name: "set" if os.environ.get(name) else "not set" for name in keys},
        "versions": {"python": platform.python_version(), **versions()},
        "next": _next_steps(device, any(cached.values())),
    }


def _memory(device: str) -> dict[str, float]:
    import torch

    sizes = {}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        sizes["machine"] = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        sizes |= {"gpu free": free / 1e9, "gpu": total / 1e9}
    return sizes


def _next_steps(device: str, has_weights: bool) -> list[str]:
    lines = []
    if not has_weights:
        lines.append(
            "run `sow download` to get Stable Diffusion 2.1; until then the bundled `figures` runs"
        )
    if device == "cpu":
        lines.append("no GPU: Stable Diffusion takes minutes per picture, `figures` a second")
    if not lines:
        lines.append('ready: sow generate --face img.png --prompt "an old person"')
    return lines
