"""Whether a folder is one that a benchmark may go on in: asked before anything is drawn."""

from __future__ import annotations

import os
from pathlib import Path

from sow.benchmarks.tv2i.outcomes import OUTCOMES
from sow.benchmarks.tv2i.pairs import OPEN, SPLITS, check_split
from sow.benchmarks.tv2i.report.markdown import SHEETS
from sow.benchmarks.tv2i.report.writing import REPORT
from sow.benchmarks.tv2i.runs import RUN, read_run
from sow.errors import OutputError, UsageError

WRITTEN = (OUTCOMES, f"{REPORT}.md", f"{REPORT}.html", SHEETS)
MEND = "give another out=, or force=True"


def may_overwrite(out: Path, benchmark: str, split: str, force: bool = False) -> bool:
    """Whether what is in a folder may be written over: what this benchmark wrote there, or all.

    False where there is nothing of the kind yet: what appears until then is not written over.

    Args:
        split: of its pairs; the results of another are other results.
        force: whatever is there may be.

    Raises:
        UsageError: if there is no such split.
        OutputError: if a result would be written over that is not of this benchmark and split.
    """
    check_split(split, (*SPLITS, OPEN))
    if force:
        return True
    if not os.path.lexists(out / RUN):
        for name in filter(lambda name: _is_there(out / name), WRITTEN):
            raise OutputError(f"{name} is in {str(out)!r} already, and is of no benchmark", MEND)
        return False
    try:
        before = read_run(out / RUN)
    except UsageError as error:
        raise OutputError(error.what, MEND) from None
    if (before.benchmark, before.split) != (benchmark, split):
        said = f"{before.benchmark} ({before.split})" if before.split else before.benchmark
        raise OutputError(f"{str(out)!r} has the results of {said}", MEND)
    return True


def _is_there(path: Path) -> bool:
    """A file, or a folder that has something in it."""
    return any(path.iterdir()) if path.is_dir() else os.path.lexists(path)
