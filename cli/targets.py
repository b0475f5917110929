"""Where results go, and whether they may: asked before any work."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sow.errors import OutputError, UsageError
from sow.files import check_free

if TYPE_CHECKING:
    from sow.service.results import Work


def early_target(out: str | None, cycles_out: Path | None, force: bool, num: int) -> Path | None:
    """Where the pictures go, as far as it can be said, and refused, before any work."""
    target = None if out is None else Path(out)
    if out is not None and target is not None and target.suffix.lower() != ".png":
        if out.endswith(("/", os.sep)):
            try:
                target.mkdir(exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"the folder {out!r} cannot be made ({error.strerror})", "choose another out="
                ) from None
        if not target.is_dir():
            raise UsageError(
                f"{out!r} is no .png file and no folder", "recipes are kept in PNGs; end it in /"
            )
    elif target is not None and num == 1:
        check_free(target, force)
    if cycles_out is not None:
        if target is not None and target.absolute() == cycles_out.absolute():
            raise UsageError("--out and --save-cycles name the same file", "choose two names")
        check_free(cycles_out, force)
    return target


def targets_of(work: Work, seeds: Sequence[int], out: Path | None, force: bool) -> list[Path]:
    """Where each picture goes."""
    from sow.service.results import numbered

    if out is None or out.suffix.lower() != ".png":
        words = "-".join(re.findall(r"[a-z0-9]+", work.plan.prompt.lower()))[:48].strip("-")
        name = f"{work.name[:60]}-{words or 'sow'}"
        targets = [(out or Path()) / f"{name}-{seed}.png" for seed in seeds]
    else:
        targets = numbered(out, len(seeds))
    for target in targets:
        check_free(target, force)
    return targets


def sheets_of(targets: list[Path], taken: list[Path | None], force: bool) -> list[Path]:
    """Where the sheets of --explain go.

    `taken` are other files that the command reads or writes.
    """
    sheets = [target.with_suffix(".explain.png") for target in targets]
    for sheet in sheets:
        if any(other is not None and other.resolve() == sheet.resolve() for other in taken):
            raise UsageError(f"--explain would write onto {str(sheet)!r}", "choose another out=")
        check_free(sheet, force)
    return sheets
