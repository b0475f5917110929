"""Keeps what was proposed as what runs by default on the very weights that it was measured on."""

from __future__ import annotations

from pathlib import Path

from sow.benchmarks.tuning.proposing import Proposal
from sow.benchmarks.tuning.running import Tuning
from sow.errors import UsageError
from sow.models.find import Model
from sow.models.tuned import TunedPreset, save_tuned


def save(tuning: Tuning, proposal: Proposal, model: Model, force: bool = False) -> Path | None:
    """Keeps it in the user's configuration; the file that it is in, or None if there is nothing to
    keep: the published method stays, or nothing could be measured.

    Args:
        tuning: the run.
        proposal: what came of it.
        model: the checkpoint that it ran on.
        force: it is kept although the reporting half contradicts.

    Raises:
        UsageError: if the reporting half contradicts and `force` is not set.
        OutputError: if it cannot be written.
    """
    course = tuning.course
    if proposal.meaningless or not proposal.changes:
        return None
    if model.revision != course.revision:
        raise UsageError("the checkpoint is another one than when the run began", "tune it anew")
    if proposal.contradicted and not force:
        raise UsageError(
            f"not saved: on the reporting half “{proposal.candidate}” is worse in "
            f"{', '.join(proposal.contradicted)}", "give more --minutes, or --force to save it",
        )  # fmt: skip
    (tried,) = (one for one in course.candidates if one.name == proposal.candidate)
    found = TunedPreset(candidate=tried.name, settings=tried.changes,
                        pairs=len(course.of("reporting")), date=course.date)  # fmt: skip
    return save_tuned(model, course.setting, found)
