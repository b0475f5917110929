"""The results of a run: tables, contact sheet, plot and proposal, and saving the proposal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from sow.benchmarks.tuning.measures import likeness_of
from sow.benchmarks.tuning.pictures import COLUMNS, NO_PLOT, can_plot, plot, sheet
from sow.benchmarks.tuning.plan import FRONT, HALVES, PROPOSAL, REPORT, SHEET, Half, TuningPlan
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
from sow.benchmarks.tv2i.report.columns import grids, tests_note
from sow.benchmarks.tv2i.report.comparison_table import Table
from sow.benchmarks.tv2i.report.grid import Grid, GridCell, difference, number, p_value, span
from sow.benchmarks.tv2i.report.markdown import grid_parts, plain
from sow.errors import UsageError
from sow.models.find import Model
from sow.models.tuned import TunedPreset, save_tuned
from sow.utils.files import write_atomically, write_text
from sow.utils.output_folder import OutputFolder

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
class RunReport:
    """The results of a run.

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


def write_report(tuning: Tuning, found: Measured) -> RunReport:
    """Write the report, the sheet, the front and the proposal into the run's folder.

    Raises:
        OutputError: if one of them cannot be written.
    """
    plan, out = tuning.plan, tuning.out
    proposal = propose(found.choosing, found.reporting)
    drawn = sheet(plan, found.outcomes, out)
    write_atomically(partial(_as_webp, drawn), out / SHEET, True)
    picture = plot(found.reporting, f"{plan.model}, {plan.setting}: the half that reports")
    files = [out / REPORT, out / SHEET]
    if picture is not None:
        write_atomically(partial(_written, picture), out / FRONT, True)
        files.append(out / FRONT)
    else:
        with OutputFolder(out) as folder:
            folder.remove(FRONT)
    notes = () if can_plot() else (NO_PLOT,)
    write_text(_report(tuning, found, proposal, picture is not None), out / REPORT, force=True)
    data = _data(plan, found, proposal)
    write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", out / PROPOSAL, force=True)
    return RunReport(proposal, _text(plan, found, proposal), data, (*files, out / PROPOSAL), notes)


def _written(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _as_webp(picture: Image.Image, file: BinaryIO) -> None:
    picture.save(file, "WEBP", quality=82)


def _report(tuning: Tuning, found: Measured, proposal: Proposal, plotted: bool) -> str:
    plan = tuning.plan
    facts = {
        "Model": f"{plan.model}, {plan.revision}",
        "Setting": plan.setting,
        "Pairs": f"{len(plan.pairs)}, two seeds each, averaged first: half of them choose, the "
        "others report",
        "Pictures": f"{plan.pictures}, {plan.batch_size} in a call",
        "Date": plan.date,
    }
    parts = [
        f"# sow tune: {plain(plan.model)}, {plan.setting}",
        "\n".join(f"- **{name}**: {plain(value)}" for name, value in facts.items()),
        "## Proposal",
        plain(_sentence(proposal.line)),
    ]
    parts += [plain(_sentence(note)) for note in proposal.notes]
    if not proposal.meaningless and (names := front(found.reporting)):
        axes = axes_of(found.reporting.measures)
        assert axes is not None
        parts.append(
            plain(
                f"On the front of {axes[1].display_name} over {axes[0].display_name}, "
                "by the means of "
                f"the half that reports: {', '.join(names)}."
            )
        )
    if plotted:
        parts.append(f"![The front]({FRONT})")
    parts += grid_parts(_candidates(plan))
    for half, made in zip(HALVES, (found.choosing, found.reporting), strict=True):
        parts.append(f"## {TITLES[half]}")
        parts += [plain(line) for line in tests_note(made, {}, "this half")]
        for shown in grids(TITLES[half], made, {}):
            parts += grid_parts(shown, TITLES[half])
    parts += [
        "## Pictures",
        plain(
            f"The first {min(COLUMNS, len(plan.pairs))} pairs with their first seeds, "
            "nothing picked; a row a candidate."
        ),
        f"![A row of pictures a candidate]({SHEET})",
        "## How to read it",
        plain(RULE),
    ]
    parts += [plain(_sentence(line)) for line in (*plan.notes, *tuning.measuring.missing)]
    parts += [
        plain(f"{one.display_name}: {one.note}.") for one in found.choosing.measures if one.note
    ]
    return "\n\n".join(parts) + "\n"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _candidates(plan: TuningPlan) -> Grid:
    """Return the table of what each candidate sets, why, and its cost per picture."""
    rows = [
        (
            GridCell(one.name, (), "head"),
            GridCell(one.why),
            GridCell(", ".join(f"{name} {value}" for name, value in one.changes.items()) or "–"),
            GridCell(f"{one.samples}"),
            GridCell(f"{one.calls}"),
        )
        for one in plan.candidates
    ]
    head = (
        "",
        "Why",
        f"Sets otherwise than published-{plan.setting}",
        "UNet samples ↓",
        "UNet calls ↓",
    )
    return Grid("Candidates", head, tuple(rows))


def _text(plan: TuningPlan, found: Measured, proposal: Proposal) -> str:
    """Return a table of either half, and the proposal below."""
    parts = []
    for half, made in zip(HALVES, (found.choosing, found.reporting), strict=True):
        title = f"{TITLES[half]}: {len(plan.of(half))} pairs"
        parts.append(f"{title}\n{_aligned(_rows(plan, made))}")
    parts.append("\n".join((f"Proposed: {proposal.line}", *proposal.notes)))
    return "\n\n".join(parts)


def _rows(plan: TuningPlan, made: Table) -> list[tuple[str, ...]]:
    decides = made.measures[_place(made)]
    rows: list[tuple[str, ...]] = [
        ("", decides.display_name, "n", "against published", "p", "shown to be worse in", "samples")
    ]
    cost = {one.name: one.samples for one in plan.candidates}
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
    delta = difference(test.difference, made.measures[_place(made)])
    return (
        f"Δ {delta}",
        p_value(test.p).removeprefix("p ").removeprefix("= "),
        ", ".join((*one.worse, *lost)),
    )


def _place(made: Table) -> int:
    """Return the column of the metric of likeness that decides."""
    return made.measures.index(likeness_of(made.measures))


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _data(plan: TuningPlan, found: Measured, proposal: Proposal) -> dict[str, Any]:
    changes = {one.name: one.changes for one in plan.candidates}
    return {
        "model": plan.model,
        "revision": plan.revision,
        "setting": plan.setting,
        "pairs": len(plan.pairs),
        "pictures": plan.pictures,
        "proposal": {
            "candidate": None if proposal.meaningless else proposal.candidate,
            "settings": changes[proposal.candidate],
            "said": proposal.line,
            "notes": list(proposal.notes),
            "confirmed": proposal.confirmed,
            "contradicted": list(proposal.contradicted),
        },
        "choosing": _table(plan, found.choosing),
        "reporting": _table(plan, found.reporting),
    }


def _table(plan: TuningPlan, made: Table) -> list[dict[str, Any]]:
    """Return the candidates with all their numbers."""
    cost = {one.name: {"samples": one.samples, "calls": one.calls} for one in plan.candidates}
    worse = {one.name: list(one.worse) for one in standings(made)}
    rows = []
    for row in made.rows:
        cells: dict[str, Any] = {}
        for measure, cell in zip(made.measures, row.cells, strict=True):
            if not cell.estimate.count:
                continue
            one = cell.estimate
            cells[measure.name] = {
                "mean": one.value,
                "low": one.low,
                "high": one.high,
                "n": one.count,
            }
            if cell.against is not None:
                by = cell.against.difference
                cells[measure.name]["against_published"] = {
                    "difference": by.value,
                    "low": by.low,
                    "high": by.high,
                    "n": by.count,
                    "p": cell.against.p,
                    "p_holm": cell.against.corrected,
                }
        rows.append(
            {
                "candidate": row.method,
                "asked": row.requested,
                "made": row.made,
                **cost[row.method],
                "worse": worse.get(row.method, []),
                "measures": cells,
            }
        )
    return rows


def save_proposal(
    tuning: Tuning, proposal: Proposal, model: Model, force: bool = False
) -> Path | None:
    """Save the proposal to the user's configuration and return its file; None if nothing changes.

    Args:
        tuning: the run.
        proposal: what came of it.
        model: the checkpoint that it ran on.
        force: it is kept although the reporting half contradicts.

    Raises:
        UsageError: if the reporting half contradicts and `force` is not set.
        OutputError: if it cannot be written.
    """
    plan = tuning.plan
    if proposal.meaningless or not proposal.changes:
        return None
    if model.revision != plan.revision:
        raise UsageError("the checkpoint has changed since the run began", "run sow tune again")
    if proposal.contradicted and not force:
        raise UsageError(
            f"not saved: on the reporting half “{proposal.candidate}” is worse in "
            f"{', '.join(proposal.contradicted)}",
            "give more --minutes, or --force to save it",
        )
    (tried,) = (one for one in plan.candidates if one.name == proposal.candidate)
    found = TunedPreset(
        candidate=tried.name,
        settings=tried.changes,
        pairs=len(plan.of("reporting")),
        date=plan.date,
    )
    return save_tuned(model, plan.setting, found)
