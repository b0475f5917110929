"""The report of `sow bench speed`: a page, and data that can be read again."""

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
from sow.pictures.recipe import versions
from sow.settings.settings import PRESETS
from sow.utils.files import write_text

STEM = "speed"
DECISIVE = ("measured", "device", "threads", "repeats", "bare calls", "batches", "settings",
            "versions")  # fmt: skip
"""The facts in which two runs have to agree, so that their numbers can stand side by side."""


@dataclass(frozen=True)
class Report:
    """Measurements and their conditions.

    Attributes:
        facts: of the machine, the model and the versions.
        sections: in their order.
    """

    facts: Mapping[str, Any]
    sections: Sequence[Section]

    def markdown(self) -> str:
        """Return the page."""
        facts = [f"- {name}: {value}" for name, value in self.facts.items()]
        parts = [section.markdown() for section in self.sections]
        return "\n".join(["# Speed", "", *facts, "", *parts])

    def data(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return {**self.facts, "sections": [section.data() for section in self.sections]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Report:
        """Return the report of JSON data.

        Raises:
            KeyError, TypeError: if it is none.
        """
        facts = {name: value for name, value in data.items() if name != "sections"}
        return cls(facts, [Section.from_data(section) for section in data["sections"]])

    def section(self, name: str) -> Section | None:
        """Return a section by name, or None."""
        return next((section for section in self.sections if section.name == name), None)

    def write(self, folder: Path, force: bool = False) -> tuple[Path, Path]:
        """Write `speed.md` and `speed.json` into an existing folder.

        Raises:
            OutputError: if one of them exists and `force` is not set, or cannot be written.
        """
        text, data = targets_in(folder)
        write_text(json.dumps(self.data(), indent=2, ensure_ascii=False) + "\n", data, force=force)
        write_text(self.markdown(), text, force=force)
        return text, data


def targets_in(folder: Path) -> tuple[Path, Path]:
    """Return the files of a report, the page first."""
    return folder / f"{STEM}.md", folder / f"{STEM}.json"


def facts_of(subject: Subject, repeats: int) -> dict[str, Any]:
    """Return the conditions that stand above the numbers."""
    device = subject.device
    on_gpu = device.type == "cuda"
    of = (
        "seconds on the clock" if device.type != "cpu" else "CPU seconds, which others hardly touch"
    )
    return {
        "measured": subject.description,
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
    """Return a hash of all presets of this model and of the timed settings."""
    several = {name: subject.pipe.preset(name) for name in PRESETS} | {"": subject.settings}
    text = json.dumps({name: each.model_dump(mode="json") for name, each in several.items()})
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def processor() -> str:
    """Return the CPU's name and number of cores."""
    name = platform.processor() or platform.machine()
    listed = Path("/proc/cpuinfo")
    if listed.exists():
        lines = [line for line in listed.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].partition(":")[2].strip() if lines else name
    return f"{name}, {os.cpu_count()} cores"
