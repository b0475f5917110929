"""From a manifest to the ledger: every line is checked, and nothing runs while one is wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.manifest_check import Admitted, Checking, Source
from sow.batch.ledger.stores import Store
from sow.errors import OutputError, UsageError

OURS = ("metadata.jsonl", "index.html")
"""What is written beside the pictures."""


class BadManifest(UsageError):
    """A manifest with lines that are wrong.

    Attributes:
        problems: the first of them, with their lines.
        wrong: how many there are.
    """

    def __init__(self, name: str, found: Admitted) -> None:
        self.problems, self.wrong = found.problems, found.wrong
        line, problem = found.problems[0]
        of = "1 line is" if found.wrong == 1 else f"{found.wrong} lines are"
        super().__init__(
            f"{of} wrong in {name}: line {line}: {problem}",
            "mend them, or leave them out with skip_bad=True",
        )


def admit(
    ledger: Ledger,
    source: Source,
    options: Mapping[str, Any],
    *,
    skip_bad: bool = False,
    force: bool = False,
    tick: Callable[[int], object] = lambda lines: None,
) -> Admitted:
    """Takes a manifest in: new jobs wait, changed ones wait again, finished ones stay finished.

    Memory does not grow with the number of lines.

    Args:
        options: what holds for all jobs and changes their pictures, such as the model.
        skip_bad: lines that are wrong are left out instead.
        force: other options than before make all jobs new, and files that are in the way are
            replaced.
        tick: is told how many lines were read.

    Raises:
        BadManifest: if lines are wrong; nothing is changed then.
        OutputError: if a file is in the way, or the folder was made with other options.
    """
    said = json.dumps(options, sort_keys=True)
    before = ledger.get("options")
    anew = before is not None and before != said
    if anew and not force and ledger.ask("SELECT 1 FROM pictures LIMIT 1"):
        raise OutputError(
            f"the pictures in {ledger.store.said!r} were made with "
            f"{_difference(before or '', options)}",
            "give another out=, or force=True to make all of them again",
        )
    if before is None:
        clear_the_way(ledger.store, ledger.store.said, force)
    found = Admitted(lines=sum(ledger.counts().values()))
    known = before == said and source.fingerprint is not None
    if not known or ledger.get("manifest") != source.fingerprint:
        with Checking(ledger, source, anew, force) as checking:
            found = checking.all(tick)
            if found.wrong and not skip_bad:
                raise BadManifest(source.name, found)
            if not found.lines:
                raise UsageError(f"there are no jobs in {source.name}", "one line for each")
            whole = "" if found.wrong else source.fingerprint or ""
            checking.take_in({"options": said, "manifest": whole})
    ledger.options = said
    ledger.retire()
    return found


def clear_the_way(store: Store, said: str, force: bool) -> None:
    """Looks whether the list or the page of somebody else are there; with force they go aside.

    Raises:
        OutputError: if they are.
    """
    for name in OURS:
        if store.is_there(name):
            if not force or store.is_folder(name):
                raise OutputError(
                    f"{name} is in {said!r} already, and is not of a batch",
                    "give another out=, or force=True to have it moved aside",
                )
            store.set_aside(name)


def recover(ledger: Ledger) -> int:
    """Lets jobs wait again whose pictures are gone from the folder; says how many are gone.

    Jobs that somebody is at work on are left alone.
    """
    files = (file for (file,) in ledger.stream("SELECT file FROM pictures"))
    gone = [(file,) for file in ledger.store.gone(files)]
    if not gone:
        return 0
    free = "(SELECT id FROM jobs WHERE state <> 'running')"
    with ledger.writing() as database:
        database.executemany(
            "UPDATE jobs SET state = 'waiting' WHERE state = 'done' "
            "AND id = (SELECT job FROM pictures WHERE file = ?)", gone,
        )  # fmt: skip
        return database.executemany(
            f"DELETE FROM pictures WHERE file = ? AND job IN {free}", gone
        ).rowcount


def _difference(before: str, options: Mapping[str, Any]) -> str:
    """What was said otherwise, of the first thing that was."""
    old = json.loads(before)
    for name in sorted({*old, *options}):
        if old.get(name) != options.get(name):
            return f"{name}={old.get(name)}"
    return "other options"


def digest_of(*parts: str) -> str:
    """A hash of several texts."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
