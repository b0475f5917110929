"""What a run came to, written into its folder: tables, sheet, plot, proposal; and as text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from sow.benchmarks.tuning.course import FRONT, HALVES, PROPOSAL, REPORT, SHEET, Course, Half
from sow.benchmarks.tuning.measures import likeness_of
from sow.benchmarks.tuning.pictures import COLUMNS, NO_PLOT, can_plot, plot, sheet
from sow.benchmarks.tuning.proposing import (
    LEAST,
    Proposal,
    Standing,
    axes_of,
    front,
    propose,
    standings,
)
from sow.benchmarks.tuning.running import Measured, Tuning
from sow.benchmarks.tv2i.report.cells import Table
from sow.benchmarks.tv2i.report.columns import grids, tests_said
from sow.benchmarks.tv2i.report.grid import Grid, Said, difference, number, p_value, span
from sow.benchmarks.tv2i.report.markdown import grid_parts, plain
from sow.files import publish, write_text

RULE = (
    "The rule: the most likeness among the candidates that are no worse in anything else measured, "
    "by paired 95 % intervals of the difference to the published method. “Worse” is who lies "
    "wholly on the bad side, “more likeness” who lies wholly on the good one. That nothing worse "
    f"was shown is not the same as equal; of fewer than {LEAST} pairs nothing is said. What a "
    "picture costs decides nothing. Variety and faces are among what must not get worse, copies of "
    "the planted pixels too where the sentence is to change them."
)
TITLES: dict[Half, str] = {
    "choosing": "The half that chooses",
    "reporting": "The half that reports",
}


@dataclass(frozen=True)
class Told:
    """What a run came to.

    Attributes:
        proposal: what is proposed.
        text: a table for the terminal, and the proposal.
        data: the same for programs.
        files: what was written, in the order of their use.
        notes: what has to be known besides, a line each.
    """

    proposal: Proposal
    text: str
    data: dict[str, Any]
    files: tuple[Path, ...]
    notes: tuple[str, ...]


def tell(tuning: Tuning, found: Measured) -> Told:
    """Writes the report, the sheet, the front and the proposal into the run's folder.

    Raises:
        OutputError: if one of them cannot be written.
    """
    course, out = tuning.course, tuning.out
    proposal = propose(found.choosing, found.reporting)
    drawn = sheet(course, found.outcomes, out)
    publish(partial(_as_webp, drawn), out / SHEET, True)
    picture = plot(found.reporting, f"{course.model}, {course.setting}: the half that reports")
    files = [out / REPORT, out / SHEET]
    if picture is not None:
        publish(partial(_written, picture), out / FRONT, True)
        files.append(out / FRONT)
    else:
        (out / FRONT).unlink(missing_ok=True)
    notes = () if can_plot() else (NO_PLOT,)
    write_text(_report(tuning, found, proposal, picture is not None), out / REPORT, force=True)
    data = _data(course, found, proposal)
    write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", out / PROPOSAL, force=True)
    return Told(proposal, _text(course, found, proposal), data, (*files, out / PROPOSAL), notes)


def _written(content: bytes, file: Path) -> None:
    file.write_bytes(content)


def _as_webp(picture: Image.Image, file: Path) -> None:
    picture.save(file, "WEBP", quality=82)


def _report(tuning: Tuning, found: Measured, proposal: Proposal, plotted: bool) -> str:
    course = tuning.course
    facts = {
        "Model": f"{course.model}, {course.revision}", "Setting": course.setting,
        "Pairs": f"{len(course.pairs)}, two seeds each, averaged first: half of them choose, the "
        "others report",
        "Pictures": f"{course.pictures}, {course.batch_size} in a call", "Date": course.date,
    }  # fmt: skip
    parts = [f"# sow tune: {plain(course.model)}, {course.setting}",
             "\n".join(f"- **{name}**: {plain(value)}" for name, value in facts.items()),
             "## Proposal", plain(_sentence(proposal.line))]  # fmt: skip
    parts += [plain(_sentence(note)) for note in proposal.notes]
    if not proposal.meaningless and (names := front(found.reporting)):
        axes = axes_of(found.reporting.measures)
        assert axes is not None
        parts.append(plain(f"On the front of {axes[1].said} over {axes[0].said}, by the means of "
                           f"the half that reports: {', '.join(names)}."))  # fmt: skip
    if plotted:
        parts.append(f"![The front]({FRONT})")
    parts += grid_parts(_candidates(course))
    for half, made in zip(HALVES, (found.choosing, found.reporting), strict=True):
        parts.append(f"## {TITLES[half]}")
        parts += [plain(line) for line in tests_said(made, {}, "this half")]
        for shown in grids(TITLES[half], made, {}):
            parts += grid_parts(shown, TITLES[half])
    parts += ["## Pictures",
              plain(f"The first {min(COLUMNS, len(course.pairs))} pairs with their first seeds, "
                    "nothing picked; a row a candidate."),
              f"![A row of pictures a candidate]({SHEET})",
              "## How to read it", plain(RULE)]  # fmt: skip
    parts += [plain(_sentence(line)) for line in (*course.notes, *tuning.measuring.lacking)]
    parts += [plain(f"{one.said}: {one.note}.") for one in found.choosing.measures if one.note]
    return "\n\n".join(parts) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _candidates(course: Course) -> Grid:
    """What each sets, why, and what a picture of a face costs."""
    rows = [
        (Said(one.name, (), "head"), Said(one.why),
         Said(", ".join(f"{name} {value}" for name, value in one.changes.items()) or "–"),
         Said(f"{one.samples}"), Said(f"{one.calls}"))
        for one in course.candidates
    ]  # fmt: skip
    head = ("", "Why", f"Sets otherwise than published-{course.setting}", "UNet samples ↓",
            "UNet calls ↓")  # fmt: skip
    return Grid("Candidates", head, tuple(rows))


def _text(course: Course, found: Measured, proposal: Proposal) -> str:
    """A table of either half, a row a candidate, and the proposal below."""
    parts = []
    for half, made in zip(HALVES, (found.choosing, found.reporting), strict=True):
        said = f"{TITLES[half]}: {len(course.of(half))} pairs"
        parts.append(f"{said}\n{_aligned(_rows(course, made))}")
    parts.append("\n".join((f"Proposed: {proposal.line}", *proposal.notes)))
    return "\n\n".join(parts)


def _rows(course: Course, made: Table) -> list[tuple[str, ...]]:
    decides = made.measures[_place(made)]
    rows: list[tuple[str, ...]] = [
        ("", decides.said, "n", "against published", "p", "shown to be worse in", "samples")
    ]
    cost = {one.name: one.samples for one in course.candidates}
    beside = {one.name: one for one in standings(made)}
    for row in made.rows:
        value = row.cells[_place(made)].estimate
        mean = f"{number(value.value, decides)} {span(value, decides)}".strip()
        more = _beside(beside.get(row.method), made)
        rows.append((row.method, mean, f"{value.count}", *more, f"{cost[row.method]}"))
    return rows


def _beside(one: Standing | None, made: Table) -> tuple[str, str, str]:
    if one is None:
        return ("", "", "")
    if one.likeness is None:
        return ("no pair has both", "", ", ".join(one.worse))
    test = one.likeness
    lost = (f"{one.lost} pictures not made",) if one.lost else ()
    said = difference(test.difference, made.measures[_place(made)])
    return (
        f"Δ {said}",
        p_value(test.p).removeprefix("p ").removeprefix("= "),
        ", ".join((*one.worse, *lost)),
    )


def _place(made: Table) -> int:
    """Where in the table what decides likeness stands."""
    return made.measures.index(likeness_of(made.measures))


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _data(course: Course, found: Measured, proposal: Proposal) -> dict[str, Any]:
    changes = {one.name: one.changes for one in course.candidates}
    return {
        "model": course.model, "revision": course.revision, "setting": course.setting,
        "pairs": len(course.pairs), "pictures": course.pictures,
        "proposal": {
            "candidate": None if proposal.meaningless else proposal.candidate,
            "settings": changes[proposal.candidate],
            "said": proposal.line, "notes": list(proposal.notes),
            "confirmed": proposal.confirmed, "contradicted": list(proposal.contradicted),
        },
        "choosing": _table(course, found.choosing), "reporting": _table(course, found.reporting),
    }  # fmt: skip


def _table(course: Course, made: Table) -> list[dict[str, Any]]:
    """Candidates with all of their numbers."""
    cost = {one.name: {"samples": one.samples, "calls": one.calls} for one in course.candidates}
    worse = {one.name: list(one.worse) for one in standings(made)}
    rows = []
    for row in made.rows:
        cells: dict[str, Any] = {}
        for measure, cell in zip(made.measures, row.cells, strict=True):
            if not cell.estimate.count:
                continue
            one = cell.estimate
            cells[measure.name] = {"mean": one.value, "low": one.low, "high": one.high,
                                   "n": one.count}  # fmt: skip
            if cell.against is not None:
                by = cell.against.difference
                cells[measure.name]["against_published"] = {
                    "difference": by.value, "low": by.low, "high": by.high, "n": by.count,
                    "p": cell.against.p, "p_holm": cell.against.corrected,
                }  # fmt: skip
        rows.append({"candidate": row.method, "asked": row.asked, "made": row.made,
                     **cost[row.method], "worse": worse.get(row.method, []),
                     "measures": cells})  # fmt: skip
    return rows
