"""Output paths: chosen, and checked before any work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sow.errors import OutputError, UsageError
from sow.utils.files import check_output_path, make_folder, remove_stale, unused_path

if TYPE_CHECKING:
    from sow.service.results import GenerationSpec


def resolve_out(out: str | None, cycles_out: Path | None, force: bool, num: int) -> Path | None:
    """Check `--out` and `--save-cycles` before any work; return `--out` as a path.

    Raises:
        UsageError: if `out` is neither a .png file nor a folder.
        OutputError: if a file exists, without `force`, or a folder cannot be created.
    """
    target = None if out is None else Path(out)
    if out is not None and target is not None and target.suffix.lower() != ".png":
        if out.endswith(("/", os.sep)):
            try:
                target.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(
                    f"the folder {out!r} cannot be created ({error.strerror})",
                    "choose another name",
                ) from None
        if not target.is_dir():
            raise UsageError(
                f"{out!r} is neither a .png file nor a folder", "end the name in .png, or in /"
            )
    elif target is not None and num == 1:
        check_output_path(target, force)
    if cycles_out is not None:
        check_output_path(cycles_out, force)
    if target is not None:
        remove_stale(target if target.is_dir() else target.parent)
    return target


def known_paths(target: Path | None, num: int) -> list[Path]:
    """Return the paths of the pictures whose names are known before any work."""
    from sow.service.results import numbered_paths

    return numbered_paths(target, num) if target is not None and not target.is_dir() else []


def picture_paths(
    spec: GenerationSpec, seeds: Sequence[int], out: Path | None, force: bool
) -> list[Path]:
    """Return the path of each picture; check that it can be written."""
    from sow.service.names import default_name
    from sow.service.results import numbered_paths

    if out is None or out.suffix.lower() != ".png":
        targets = [(out or Path()) / default_name(spec, seed) for seed in seeds]
    else:
        targets = numbered_paths(out, len(seeds))
    for target in targets:
        check_output_path(target, force)
    return targets


def path_of_seed(path: Path, out: Path | None, planned_seed: int, seed: int) -> Path:
    """Return the path of a picture whose seed was replaced by a retry.

    A default name contains the seed, so it changes. The new name was not among those checked
    before, so it never replaces a file, even with `--force`.
    """
    if seed == planned_seed or (out is not None and out.suffix.lower() == ".png"):
        return path
    stem = path.stem.removesuffix(str(planned_seed)) + str(seed)
    return unused_path(path.with_stem(stem), force=False)


def contact_sheet_path(targets: list[Path], out: Path | None, force: bool) -> Path:
    """Return the path of the sheet of several pictures, beside the first of them."""
    first = targets[0] if out is None or out.suffix.lower() != ".png" else out
    return unused_path(first.with_name(f"{first.stem}-sheet.png"), force)


def explanation_paths(targets: list[Path], force: bool) -> list[Path]:
    """Return the paths of the sheets of `--explain`; check that they can be written."""
    sheets = [target.with_suffix(".explain.png") for target in targets]
    for sheet in sheets:
        check_output_path(sheet, force)
    return sheets


def explanation_path(path: Path, planned: Path, sheet: Path) -> Path:
    """Return the path of a picture's sheet: `sheet`, or another if the picture was renamed.

    planned: the path that the picture was to have.
    """
    return sheet if path == planned else unused_path(path.with_suffix(".explain.png"), False)


def check_no_overwrite(inputs: Sequence[Path | None], outputs: Sequence[Path | None]) -> None:
    """Check that no output would replace an input or another output.

    Files are compared, not names: different paths and links may lead to one file.

    Raises:
        UsageError: if one would.
    """
    written: dict[tuple[int, int] | Path, Path] = {}
    read = {_identity(file): file for path in inputs if path is not None for file in _files(path)}
    for path in outputs:
        if path is None:
            continue
        identity = _identity(path)
        if identity in read:
            raise UsageError(
                f"{str(path)!r} would replace the input {str(read[identity])!r}",
                "choose another name",
            )
        if identity in written:
            raise UsageError(f"{str(path)!r} would be written twice", "choose two names")
        written[identity] = path


def _files(path: Path) -> list[Path]:
    """Return the files of an input: all that are in a folder, or the file itself."""
    try:
        return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    except OSError:
        return [path]


def _identity(path: Path) -> tuple[int, int] | Path:
    """Return what identifies a file: its device and inode, or its resolved path if it is new."""
    try:
        status = path.stat()
    except OSError:
        return path.parent.resolve() / path.name
    return status.st_dev, status.st_ino


def make_out_folder(folder: Path) -> Path:
    """Create the output folder if it does not exist, and return it.

    Raises:
        OutputError: if it cannot be created.
    """
    make_folder(folder, "give another out=")
    return folder
