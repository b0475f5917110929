"""All sections of `sow bench speed`: which there are, running them, and writing them down."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from sow.benchmarks.speed.attention import attention
from sow.benchmarks.speed.batches import batches
from sow.benchmarks.speed.compiling import compiling
from sow.benchmarks.speed.cost import calls, wall
from sow.benchmarks.speed.hardware import hardware
from sow.benchmarks.speed.memory import memory
from sow.benchmarks.speed.scaling import scaling
from sow.benchmarks.speed.startup import start
from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Section
from sow.errors import UsageError
from sow.files import check_free, write_text
from sow.recipe import versions

SECTIONS: Mapping[str, Callable[[Subject, int], Section]] = {
    "calls": calls,
    "wall": wall,
    "attention": attention,
    "batches": batches,
    "scaling": scaling,
    "memory": memory,
    "hardware": hardware,
    "start": start,
    "compile": compiling,
}
"""In the order in which they are printed; each is given the subject and the number of repeats."""
STEM = "speed"


def sections_of(names: str | None, on_gpu: bool, compiled: bool = False) -> list[str]:
    """The sections of a list with commas; without one all, but on a CPU none that compiles.

    Raises:
        UsageError: for a section that there is not.
    """
    if names is None:
        return [name for name in SECTIONS if name != "compile" or on_gpu or compiled]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in SECTIONS:
            raise UsageError(f"no section {name!r}", f"choose of {', '.join(SECTIONS)}")
    return [name for name in SECTIONS if name in wanted]


@dataclass(frozen=True)
class Report:
    """What was measured, and where.

    Attributes:
        facts: of the machine, the model and the versions.
        sections: in their order.
    """

    facts: Mapping[str, Any]
    sections: Sequence[Section]

    def markdown(self) -> str:
        """The whole of it."""
        told = [f"- {name}: {value}" for name, value in self.facts.items()]
        parts = [section.markdown() for section in self.sections]
        return "\n".join(["# Speed", "", *told, "", *parts])

    def data(self) -> dict[str, Any]:
        """For programs."""
        return {**self.facts, "sections": [section.data() for section in self.sections]}

    def write(self, folder: Path, force: bool = False) -> tuple[Path, Path]:
        """`speed.md` and `speed.json` in a folder that exists.

        Raises:
            OutputError: if one of them exists and `force` is not set, or cannot be written.
        """
        text, data = targets_in(folder)
        write_text(self.markdown(), text, force=force)
        write_text(json.dumps(self.data(), indent=2, ensure_ascii=False) + "\n", data, force=force)
        return text, data


def targets_in(folder: Path) -> tuple[Path, Path]:
    """The files of a report."""
    return folder / f"{STEM}.md", folder / f"{STEM}.json"


def check_targets(folder: Path, force: bool) -> None:
    """Whether a report can be written there, before anything is measured.

    Raises:
        OutputError: if not.
    """
    for target in targets_in(folder):
        check_free(target, force)


def measured(
    subject: Subject, names: Sequence[str], repeats: int, told: Callable[[str], None]
) -> Iterator[Section]:
    """The sections, one by one as they are done; told: is given the name of each before it."""
    for name in names:
        told(name)
        yield SECTIONS[name](subject, repeats)


def facts_of(subject: Subject, repeats: int) -> dict[str, Any]:
    """What has to stand above the numbers."""
    device = subject.device
    on_gpu = device.type == "cuda"
    of = (
        "seconds on the clock" if device.type != "cpu" else "CPU seconds, which others hardly touch"
    )
    return {
        "measured": subject.said,
        "device": torch.cuda.get_device_name(device) if on_gpu else processor(),
        "threads": torch.get_num_threads(),
        "repeats": repeats,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "seconds": f"medians on the clock; ratios are medians of rounds in turns, of {of}",
        "load of the machine": f"{os.getloadavg()[1]:.1f}" if hasattr(os, "getloadavg") else "—",
    }


def processor() -> str:
    """The CPU's name, and how many cores there are."""
    name = platform.processor() or platform.machine()
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        lines = [line for line in listed.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{name}, {os.cpu_count()} cores"
