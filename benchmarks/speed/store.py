"""Keep measurements as they are made, so that the next run resumes with what is missing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sow.benchmarks.speed.report import DECISIVE, Report, targets_in
from sow.benchmarks.speed.tables import Section
from sow.errors import OutputError
from sow.utils.files import check_output_path, read_regular

RESTART_HINT = "give another out=, or force=True to start over"


class ReportStore:
    """A report in a folder that grows section by section.

    Attributes:
        report: what is kept so far; without facts before `begin`, unless an earlier run left some.
    """

    def __init__(self, folder: Path, order: Sequence[str], force: bool = False) -> None:
        """Read what an earlier run left there.

        folder: it exists. order: of the sections. force: what is there counts for nothing.

        Raises:
            OutputError: if an existing file is not a report, or none can be written.
        """
        self._folder, self._order = folder, order
        self.report = Report({}, [])
        text, data = targets_in(folder)
        there = os.path.lexists(data) and not force
        for target in (text, data):
            check_output_path(target, force or there)
        if there:
            self.report = read_report(data)
        self._mine = force or there

    def begin(self, facts: Mapping[str, Any]) -> None:
        """Begin a report, or resume one with the same facts.

        Raises:
            OutputError: if what is there was measured under other conditions; says what differs.
        """
        before = self.report.facts
        differing = [name for name in DECISIVE if before.get(name) != facts[name]] if before else []
        if differing:
            differences = "; ".join(
                f"{name} {before.get(name, 'unknown')} there, {facts[name]} here"
                for name in differing
            )
            data = targets_in(self._folder)[1]
            raise OutputError(
                f"{str(data)!r} was measured under other conditions: {differences}", RESTART_HINT
            )
        dates = dict.fromkeys([*str(before.get("date", facts["date"])).split(", "), facts["date"]])
        self.report = replace(self.report, facts={**facts, "date": ", ".join(dates)})
        if self.report.sections:  # a run that was killed may have left the page behind the data
            self.report.write(self._folder, force=True)

    def before(self, name: str) -> Section | None:
        """Return what is known of a section, or None."""
        return self.report.section(name)

    def keep(self, section: Section) -> None:
        """Add or replace a section and write the report.

        Raises:
            OutputError: if it cannot be written.
        """
        others = [each for each in self.report.sections if each.name != section.name]
        place = {name: number for number, name in enumerate(self._order)}
        sections = sorted([*others, section], key=lambda each: place.get(each.name, len(place)))
        self.report = replace(self.report, sections=sections)
        self.report.write(self._folder, self._mine)
        self._mine = True

    def summary(self) -> str:
        """Return what is saved, and where."""
        names = [s.name if s.complete else f"a part of {s.name}" for s in self.report.sections]
        if not names:
            return "nothing is saved yet"
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        return f"{listed} saved in {self._folder}: run the same command to resume"


def read_report(path: Path) -> Report:
    """Read a report.

    Raises:
        OutputError: if it is none, or cannot be read.
    """
    try:
        return Report.from_data(json.loads(read_regular(path)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise OutputError(
            f"{str(path)!r} is not a report of `sow bench speed`", RESTART_HINT
        ) from None
