"""Where results go, and whether they may: asked before any work."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from sow.errors import OutputError, UsageError
from sow.utils.files import check_output_path, make_folder, remove_stale

if TYPE_CHECKING:
    from sow.service.results import GenerationSpec


def resolve_out(out: str | None, cycles_out: Path | None, force: bool, num: int) -> Path | None:
    """Where the pictures go, as far as it can be said, and refused, before any work."""
    target = None if out is None else Path(out)
    if out is not None and target is not None and target.suffix.lower() != ".png":
        if out.endswith(("/", os.sep)):
            try:
                target.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"the folder {out!r} cannot be made ({error.strerror})", "choose another name"
                ) from None
        if not target.is_dir():
            raise UsageError(
                f"{out!r} is no .png file and no folder", "recipes are kept in PNGs; end it in /"
            )
    elif target is not None and num == 1:
        check_output_path(target, force)
    if cycles_out is not None:
        check_output_path(cycles_out, force)
    if target is not None:
        remove_stale(target if target.is_dir() else target.parent)
    return target


def known_paths(target: Path | None, num: int) -> list[Path]:
    """The pictures whose names are known before any work."""
    from sow.service.results import numbered_paths

    return numbered_paths(target, num) if target is not None and not target.is_dir() else []


def picture_paths(
    spec: GenerationSpec, seeds: Sequence[int], out: Path | None, force: bool
) -> list[Path]:
    """Where each picture goes."""
    from sow.service.results import numbered_paths

    if out is None or out.suffix.lower() != ".png":
        said = spec.user_prompt or spec.plan.prompt
        words = "-".join(re.findall(r"[a-z0-9]+", said.lower()))[:48].strip("-")
        name = f"{spec.name[:60]}-{words or 'sow'}"
        targets = [(out or Path()) / f"{name}-{seed}.png" for seed in seeds]
    else:
        targets = numbered_paths(out, len(seeds))
    for target in targets:
        check_output_path(target, force)
    return targets


def path_of_seed(path: Path, out: Path | None, asked: int, made: int) -> Path:
    """Where a picture goes that is of another seed than was asked for: names that nobody chose
    speak of its own. It was not known when inputs and results were held apart, so that it never
    replaces anything, --force or not."""
    if made == asked or (out is not None and out.suffix.lower() == ".png"):
        return path
    return unused_path(path.with_stem(path.stem.removesuffix(str(asked)) + str(made)), False)


def unused_path(path: Path, force: bool) -> Path:
    """A name that nobody chose: with a number where it is taken, so that it is in no one's way."""
    names = (path.with_stem(f"{path.stem}-{n}") for n in count(2))
    if force or not os.path.lexists(path):
        return path
    return next(name for name in names if not os.path.lexists(name))


def contact_sheet_path(targets: list[Path], out: Path | None, force: bool) -> Path:
    """Where the sheet of several pictures goes: beside them, by their common name."""
    first = targets[0] if out is None or out.suffix.lower() != ".png" else out
    return unused_path(first.with_name(f"{first.stem}-sheet.png"), force)


def explanation_paths(targets: list[Path], force: bool) -> list[Path]:
    """Where the sheets of --explain go."""
    sheets = [target.with_suffix(".explain.png") for target in targets]
    for sheet in sheets:
        check_output_path(sheet, force)
    return sheets


def explanation_path(path: Path, asked: Path, sheet: Path) -> Path:
    """Where the sheet of a picture goes that is perhaps not where it was `asked` for."""
    return sheet if path == asked else unused_path(path.with_suffix(".explain.png"), False)


def check_no_overwrite(inputs: Sequence[Path | None], outputs: Sequence[Path | None]) -> None:
    """Whether no result would replace what is read, or another result.

    Files are compared, not names: a link or a detour leads to the same file.

    Raises:
        UsageError: if one would.
    """
    written: dict[tuple[int, int] | Path, Path] = {}
    read = {_identity(file): file for path in inputs if path is not None for file in _files(path)}
    for path in outputs:
        if path is None:
            continue
        own = _identity(path)
        if own in read:
            raise UsageError(f"{str(path)!r} would replace {str(read[own])!r}, which is read",
                             "choose another name")  # fmt: skip
        if own in written:
            raise UsageError(f"{str(path)!r} would be written twice", "choose two names")
        written[own] = path


def _files(path: Path) -> list[Path]:
    """The files behind what is read: of a checkpoint's folder, all that are in it."""
    try:
        return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    except OSError:
        return [path]


def _identity(path: Path) -> tuple[int, int] | Path:
    """What makes two paths one file: its number on its disk, or its whole name while it is new."""
    try:
        seen = path.stat()
    except OSError:
        return path.parent.resolve() / path.name
    return seen.st_dev, seen.st_ino


def make_out_folder(folder: Path) -> Path:
    """A folder, made if it is not there.

    Raises:
        OutputError: if it cannot be made.
    """
    make_folder(folder, "give another out=")
    return folder
