"""Who works on a folder of results that is elsewhere: one machine at a time.

A small object beside the results says who, and when it was last heard of. It belongs to the
working folder of a machine, and so to all runners there: each of them renews it, and the last one
to leave removes it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sow.batch.ledger.registry import BEAT, SILENT
from sow.batch.ledger.schema import OWN_FOLDER, PATIENCE
from sow.errors import OutputError, SowError
from sow.storage.storage import Storage

OWNER = f"{OWN_FOLDER}/owner.json"
LONGEST = 10_000
"""Bytes of it."""
SETTLE = 1.0
"""Seconds after which is looked whether another machine has taken the folder at the same time."""


class Lease:
    """The right to work on a folder, for this machine; kept up until `close`."""

    def __init__(self, storage: Storage, folder: Path, prepare: Callable[[], object]) -> None:
        """Takes it.

        Args:
            folder: this machine's working folder, whose runners share the right.
            prepare: is called if nobody else is at work on that folder, and before anybody is.

        Raises:
            OutputError: if another machine has it.
        """
        self._storage, self._own = storage, folder / OWN_FOLDER
        self._own.mkdir(parents=True, exist_ok=True)
        self._host = socket.gethostname()
        name = f"at-work-{os.getpid()}-{secrets.token_hex(4)}.lock"
        self._at_work = FileLock(self._own / name, thread_local=False)
        self._lost: str | None = None
        self._ended = threading.Event()
        with self._alone():
            self._token = self._folders_token()
            others = self._others()
            self._take()
            if not others:
                self._prepared(prepare)
            self._at_work.acquire(timeout=0)
        self._thread = threading.Thread(target=self._keep_up, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Whether the right still holds; asked before anything is written.

        Raises:
            OutputError: if another machine has taken it, or that cannot be found out.
        """
        if self._lost is None and time.time() - self._renewed > SILENT / 2:
            self._renew()  # asleep, or without a network: who has it by now?
        if self._lost is not None:
            raise OutputError(
                f"{self._storage.address!r} was taken over by {self._lost} while this machine "
                "was not heard of",
                "the same command goes on when that one has ended",
            )

    def close(self) -> None:
        """Gives it back, if nobody else on this machine is at work.

        Raises:
            OutputError: if the storage cannot be reached; it then runs out by itself.
        """
        self._ended.set()
        self._thread.join()
        with self._alone():
            self._at_work.release()
            Path(self._at_work.lock_file).unlink(missing_ok=True)
            if self._lost is None and not self._others():
                owner = self._owner()
                if owner is not None and owner.get("token") == self._token:
                    self._storage.remove(OWNER)

    def _prepared(self, prepare: Callable[[], object]) -> None:
        try:
            prepare()
        except BaseException:
            with suppress(SowError):
                self._storage.remove(OWNER)
            raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """So that nobody here comes while another one comes or leaves."""
        try:
            with FileLock(self._own / "lease.lock", timeout=PATIENCE):
                yield
        except Timeout:
            raise OutputError(
                f"another runner is beginning or ending at {self._storage.address!r}", "try again"
            ) from None

    def _folders_token(self) -> str:
        """What the working folder is known by, to all of its runners and no other machine."""
        file = self._own / "token"
        with suppress(FileNotFoundError):
            return file.read_text(encoding="ascii")
        file.write_text(secrets.token_hex(16), encoding="ascii")
        return file.read_text(encoding="ascii")

    def _others(self) -> bool:
        """Whether others on this machine are at work; what the dead have left is removed."""
        found = False
        for path in self._own.glob("at-work-*.lock"):
            if path == Path(self._at_work.lock_file):
                continue
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                found = True
                continue
            lock.release()
            path.unlink(missing_ok=True)
        return found

    def _take(self) -> None:
        owner = self._owner()
        if owner is not None and owner.get("token") == self._token:
            self._write()
            return
        self._refuse_if_alive(owner)
        self._write()
        time.sleep(SETTLE)
        self._refuse_if_alive(self._owner())

    def _refuse_if_alive(self, owner: dict[str, object] | None) -> None:
        if owner is None or owner.get("token") == self._token:
            return
        when = owner.get("time")
        silent = time.time() - when if isinstance(when, (int, float)) else SILENT + 1
        if silent <= SILENT:
            raise OutputError(
                f"{self._storage.address!r} is being worked on by {_named(owner)}, last heard of "
                f"{max(0, silent):.0f} seconds ago",
                f"wait for it or stop it; it counts as dead after {SILENT:.0f} seconds of silence",
            )

    def _keep_up(self) -> None:
        while self._lost is None and not self._ended.wait(BEAT):
            with suppress(SowError):  # tried again; `check` says so if it takes too long
                self._renew()

    def _renew(self) -> None:
        owner = self._owner()
        if owner is not None and owner.get("token") != self._token:
            self._lost = _named(owner)
            return
        self._write()

    def _owner(self) -> dict[str, object] | None:
        """What the object says; None if there is none, or it says nothing."""
        said = self._storage.read(OWNER, LONGEST)
        with suppress(ValueError, RecursionError):
            owner = json.loads(said or b"null")
            return owner if isinstance(owner, dict) else None
        return None

    def _write(self) -> None:
        said = {"host": self._host, "token": self._token, "time": round(time.time(), 3)}
        self._storage.put(OWNER, json.dumps(said).encode())
        self._renewed = time.time()


def _named(owner: dict[str, object]) -> str:
    return repr(str(owner.get("host"))[:100])
