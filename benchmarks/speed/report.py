"""What `sow bench speed` found, and where: a page and data, which can be read again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from sow.benchmarks.speed.subject import Subject
from sow.benchmarks.speed.tables import Section
from sow.files import write_text
from sow.recipe import versions
from sow.settings import PRESETS

STEM = "speed"
DECISIVE = ("measured", "device", "threads", "repeats", "bare calls", "batches", "settings",
            "versions")  # fmt: skip
"""The facts in which two runs have to agree, so that their numbers can stand side by side."""


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

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> Report:
        """The reverse.

        Raises:
            KeyError, TypeError: if it is none.
        """
        facts = {name: value for name, value in data.items() if name != "sections"}
        return cls(facts, [Section.of_data(section) for section in data["sections"]])

    def section(self, name: str) -> Section | None:
        """One of its sections, if it has it."""
        return next((section for section in self.sections if section.name == name), None)

    def write(self, folder: Path, force: bool = False) -> tuple[Path, Path]:
        """`speed.md` and `speed.json` in a folder that exists.

        Raises:
            OutputError: if one of them exists and `force` is not set, or cannot be written.
        """
        text, data = targets_in(folder)
        write_text(json.dumps(self.data(), indent=2, ensure_ascii=False) + "\n", data, force=force)
        write_text(self.markdown(), text, force=force)
        return text, data


def targets_in(folder: Path) -> tuple[Path, Path]:
    """The files of a report, the page first."""
    return folder / f"{STEM}.md", folder / f"{STEM}.json"


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
        "bare calls": f"at most {subject.bare_calls} of each shape",
        "batches": ", ".join(map(str, subject.sizes)),
        "date": datetime.now(UTC).date().isoformat(),
        "versions": ", ".join(f"{name} {number}" for name, number in versions().items()),
        "settings": f"those with the hash {settings_hash(subject)}",
        "seconds": f"medians on the clock; ratios are medians of rounds in turns, of {of}",
        "load of the machine": f"{os.getloadavg()[1]:.1f}" if hasattr(os, "getloadavg") else "—",
    }


def settings_hash(subject: Subject) -> str:
    """Of all presets by name as this model has them, and of the settings that are timed."""
    several = {name: subject.pipe.preset(name) for name in PRESETS} | {"": subject.settings}
    text = json.dumps({name: each.model_dump(mode="json") for name, each in several.items()})
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def processor() -> str:
    """The CPU's name, and how many cores there are."""
    name = platform.processor() or platform.machine()
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        lines = [line for line in listed.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{name}, {os.cpu_count()} cores"
