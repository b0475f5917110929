"""From a manifest to the ledger: every line is checked, and nothing runs while one is wrong."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sow.errors import OutputError, SowError, UsageError
from sow.jobs.job import TV2IJob
from sow.jobs.ledger import Ledger
from sow.jobs.schema import OWN_FOLDER

SHOWN = 50
"""Problems that are told one by one; of more only their number."""
REPLACED = "replaced"
"""Where pictures of jobs that have changed are put aside."""


@dataclass(frozen=True)
class Source:
    """Where jobs come from.

    Attributes:
        jobs: each with the number of its line, or what is wrong with that line.
        folder: where their files are found from.
        name: in errors, such as the manifest's file.
        fingerprint: changes when any line does; None if that cannot be told.
    """

    jobs: Callable[[], Iterable[tuple[int, TV2IJob | SowError]]]
    folder: Path
    name: str
    fingerprint: str | None = None


@dataclass
class Admitted:
    """What a manifest came to.

    Attributes:
        lines, new, changed: how many jobs there are, and how many of them are not as before.
        problems: lines that were left out, with what is wrong with them.
    """

    lines: int = 0
    new: int = 0
    changed: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    wrong: int = 0

    def add(self, line: int, problem: str) -> None:
        """One more line that is wrong."""
        self.wrong += 1
        if len(self.problems) < SHOWN:
            self.problems.append((line, problem))


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
    same = before == said
    if before is not None and not same and not force:
        raise OutputError(
            f"the pictures in {str(ledger.folder)!r} were made with {_difference(before, options)}",
            "give another out=, or force=True to make all of them again",
        )
    if same and source.fingerprint and ledger.get("manifest") == source.fingerprint:
        return Admitted(lines=sum(ledger.counts().values()))
    with ledger.writing() as database:
        found = _Taking(database, ledger, source, anew=before is not None and not same,
                        force=force).all(tick)  # fmt: skip
        if found.wrong and not skip_bad:
            raise BadManifest(source.name, found)
        if not found.lines:
            raise UsageError(f"there are no jobs in {source.name}", "one line for each")
        noted = {"options": said, "manifest": "" if found.wrong else source.fingerprint or ""}
        database.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(noted.items()))
    retire(ledger)
    return found


class _Taking:
    """One manifest on its way into the ledger, inside a transaction."""

    def __init__(
        self, database: sqlite3.Connection, ledger: Ledger, source: Source, anew: bool, force: bool
    ) -> None:
        self.database, self.ledger, self.source = database, ledger, source
        self.anew, self.force, self.found = anew, force, Admitted()
        self.number = ledger.current + 1
        # What is in an empty folder cannot be in the way: then nothing has to be looked for.
        with os.scandir(ledger.folder) as entries:
            self.empty = all(entry.name == OWN_FOLDER for entry in entries)

    def all(self, tick: Callable[[int], object]) -> Admitted:
        database = self.database
        database.execute("INSERT OR REPLACE INTO meta VALUES ('pass', ?)", (str(self.number),))
        for line, job in self.source.jobs():
            if isinstance(job, SowError):
                self.found.add(line, str(job))
            else:
                self._one(line, job)
            if (self.found.lines + self.found.wrong) % 1000 == 0:
                tick(self.found.lines + self.found.wrong)
        return self.found

    def _one(self, line: int, job: TV2IJob) -> None:
        known = self.database.execute(
            "SELECT pass, digest, line, id FROM jobs WHERE id = ?", (job.id,)
        ).fetchone()
        if known is not None and known[0] == self.number:
            same = "" if known[3] == job.id else f" ({known[3]!r}, and files differ in more)"
            self.found.add(line, f"its id {job.id!r} is that of line {known[2]}{same}")
            return
        new, changed = known is None, known is not None and (known[1] != job.digest or self.anew)
        problem = self._missing(job) if new or changed else None
        if new and problem is None:
            problem = self._in_the_way(job)
        if problem is not None:
            self.found.add(line, problem)
            return
        self.found.new += new
        self.found.changed += changed
        if changed:
            self._forget(job.id)
        self.found.lines += 1
        self.database.execute(
            "INSERT INTO jobs (id, line, folder, job, digest, pictures, pass, state) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting') ON CONFLICT (id) DO UPDATE SET "
            "line = excluded.line, folder = excluded.folder, pass = excluded.pass",
            (job.id, line, str(self.source.folder), job.as_json(), job.digest, job.count,
             self.number),
        )  # fmt: skip

    def _missing(self, job: TV2IJob) -> str | None:
        """What of the files of a job is not there."""
        for name in job.paths:
            if not (self.source.folder / getattr(job, name)).exists():
                return f"there is no {name} {getattr(job, name)!r}"
        return None

    def _in_the_way(self, job: TV2IJob) -> str | None:
        """What of a job that was never here is there already: it is somebody else's."""
        if self.empty or self.force:
            return None
        there = (name for name in job.files if os.path.lexists(self.ledger.folder / name))
        name = next(there, None)
        return None if name is None else f"{name} is there already, and is not of this batch"

    def _forget(self, name: str) -> None:
        """A job that has changed begins anew; its pictures are put aside."""
        self.database.execute(
            "INSERT OR IGNORE INTO retired SELECT file FROM pictures WHERE job = ?", (name,)
        )
        self.database.execute("DELETE FROM pictures WHERE job = ?", (name,))
        self.database.execute("DELETE FROM jobs WHERE id = ?", (name,))


def retire(ledger: Ledger) -> None:
    """Moves pictures of jobs that have changed out of the way of new ones: nothing is lost."""
    aside = ledger.folder / OWN_FOLDER / REPLACED
    for (file,) in list(ledger.read("SELECT file FROM retired")):
        with suppress(FileNotFoundError):
            aside.mkdir(exist_ok=True)
            (ledger.folder / file).replace(aside / file)
    with ledger.writing() as database:
        database.execute("DELETE FROM retired")


def recover(ledger: Ledger) -> int:
    """Lets jobs wait again whose pictures are gone from the folder; says how many are gone."""
    files = (file for (file,) in ledger.read("SELECT file FROM pictures"))
    gone = [(file,) for file in files if not os.path.lexists(ledger.folder / file)]
    if not gone:
        return 0
    with ledger.writing() as database:
        database.executemany(
            "UPDATE jobs SET state = 'waiting' WHERE state = 'done' "
            "AND id = (SELECT job FROM pictures WHERE file = ?)", gone,
        )  # fmt: skip
        database.executemany("DELETE FROM pictures WHERE file = ?", gone)
    return len(gone)


def _difference(before: str, options: Mapping[str, Any]) -> str:
    """What was said otherwise, of the first thing that was."""
    old = json.loads(before)
    for name in sorted({*old, *options}):
        if old.get(name) != options.get(name):
            return f"{name}={old.get(name)}"
    return "other options"


def listed(jobs: Iterable[TV2IJob | Mapping[str, Any]]) -> Iterator[tuple[int, TV2IJob | SowError]]:
    """Jobs of a program, numbered from 1."""
    for number, job in enumerate(jobs, 1):
        if isinstance(job, TV2IJob):
            yield number, job
        elif isinstance(job, Mapping):
            try:
                yield number, TV2IJob.parse(job)
            except SowError as error:
                yield number, error
        else:
            kind = type(job).__name__
            yield number, UsageError(f"a {kind} is no job", "give TV2IJob(...) or its fields")


def digest_of(*parts: str) -> str:
    """A hash of several texts."""
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
