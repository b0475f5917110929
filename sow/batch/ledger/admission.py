"""Admit a manifest to the ledger: all lines are checked before any job runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sow.batch.ledger.input_guard import RESERVED_NAMES
from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.manifest_check import AdmissionReport, JobSource, ManifestCheck
from sow.batch.ledger.private_paths import public_options, read_options
from sow.batch.ledger.stores import Store
from sow.errors import OutputError, UsageError


class BadManifest(UsageError):
    """A manifest with invalid lines.

    Attributes:
        problems: the first of them: line numbers and messages.
        num_problems: how many there are in all.
    """

    def __init__(self, name: str, found: AdmissionReport) -> None:
        self.problems, self.num_problems = found.problems, found.num_problems
        line, problem = found.problems[0]
        lines = "1 line" if found.num_problems == 1 else f"{found.num_problems} lines"
        super().__init__(
            f"{lines} invalid in {name}: line {line}: {problem}",
            "fix them, or skip them with skip_bad=True",
        )


def admit(
    ledger: Ledger,
    source: JobSource,
    options: Mapping[str, Any],
    *,
    skip_bad: bool = False,
    force: bool = False,
    on_progress: Callable[[int], object] = lambda lines: None,
) -> AdmissionReport:
    """Check the jobs of a source and queue the new and changed ones; the others stay done.

    Memory does not grow with the number of lines.

    Args:
        options: what all jobs share and what changes their pictures, such as the model.
        skip_bad: skip invalid lines instead of raising BadManifest.
        force: if the options differ from those of the folder, redo all jobs; set aside files that
            are in the way.
        on_progress: called with the number of lines read so far.

    Raises:
        BadManifest: if lines are invalid; nothing is changed then.
        OutputError: if a file is in the way, or the folder was made with other options.
        UsageError: if there are no jobs, or a result would replace an input.
    """
    options = public_options(dict(options))
    current, stored = json.dumps(options, sort_keys=True), ledger.get_meta("options")
    before = None if stored is None else json.dumps(read_options(stored), sort_keys=True)
    redo_all = before is not None and before != current
    if redo_all and not force and ledger.fetch_all("SELECT 1 FROM pictures LIMIT 1"):
        raise OutputError(
            f"the pictures in {ledger.store.label!r} were made with "
            f"{_first_difference(before or '', options)}",
            "give another out=, or force=True to redo all of them",
        )
    foreign = find_foreign_files(ledger.store, force) if before is None else []
    found = AdmissionReport(lines=sum(ledger.counts().values()))
    known = before == current and source.fingerprint is not None
    if not known or ledger.get_meta("manifest") != source.fingerprint:
        with ManifestCheck(ledger, source, redo_all, force) as check:
            found = check.check_all(on_progress)
            if found.num_problems and not skip_bad:
                raise BadManifest(source.name, found)
            if not found.lines:
                raise UsageError(f"there are no jobs in {source.name}", "give at least one job")
            fingerprint = "" if found.num_problems else source.fingerprint or ""
            for name in foreign:
                ledger.store.archive(name)
            check.commit({"options": current, "manifest": fingerprint})
    elif stored != current:  # of an older version
        ledger.set_meta("options", current)
    ledger.update_folder(source.folder)
    ledger.options = current
    ledger.archive_retired()
    return found


def find_foreign_files(store: Store, force: bool) -> list[str]:
    """Return which of `RESERVED_NAMES` are in a new results folder: they have to be archived.

    Raises:
        OutputError: if there is one, and it may not be archived.
    """
    found = [name for name in RESERVED_NAMES if store.exists(name)]
    for name in found:
        if not force or store.is_folder(name):
            raise OutputError(
                f"{store.label!r} has a file {name} that is not from a batch",
                "give another out=, or force=True to archive it",
            )
    return found


def requeue_missing(ledger: Ledger) -> int:
    """Requeue finished jobs whose pictures are missing; return how many pictures are.

    Running jobs are left alone.
    """
    files = (file for (file,) in ledger.stream("SELECT file FROM pictures"))
    missing = [(file,) for file in ledger.store.missing(files)]
    if not missing:
        return 0
    free = "(SELECT id FROM jobs WHERE state <> 'running')"
    with ledger.transaction() as database:
        database.executemany(
            "UPDATE jobs SET state = 'waiting' WHERE state = 'done' "
            "AND id = (SELECT job FROM pictures WHERE file = ?)", missing,
        )  # fmt: skip
        return database.executemany(
            f"DELETE FROM pictures WHERE file = ? AND job IN {free}", missing
        ).rowcount


def _first_difference(before: str, options: Mapping[str, Any]) -> str:
    """Return the earlier value of the first option that differs."""
    old = read_options(before) or {}
    for name in sorted({*old, *options} if old else ()):
        if old.get(name) != options.get(name):
            return f"{name}={old.get(name)}"
    return "other options"


def digest_of(*parts: str) -> str:
    """Return the SHA-256 of several strings."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
