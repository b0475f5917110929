"""A lease on a folder of results in object storage: one machine at a time works on it.

The lease is a small object beside the results that names its owner and when it was last renewed.
All runners of one machine share it, through their working folder: each renews it, and the last one
to finish removes it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from sow.batch.ledger.registry import DEAD_AFTER, HEARTBEAT_INTERVAL
from sow.batch.ledger.schema import LOCK_TIMEOUT, OWN_FOLDER
from sow.errors import OutputError, SowError
from sow.storage.storage import Storage
from sow.utils.files import read_json_object, write_text

LEASE_FILE = f"{OWN_FOLDER}/owner.json"
MAX_BYTES = 10_000
"""The largest lease that is read."""
MAX_TIME = 1e12
"""Seconds; no clock is that far ahead, and JSON has numbers that no float can hold."""
SETTLE = 1.0
"""Seconds between writing the lease and checking that no other machine wrote it as well."""


class Lease:
    """This machine's lease on a folder, renewed until `close`."""

    def __init__(self, storage: Storage, folder: Path, prepare: Callable[[], object]) -> None:
        """Acquire the lease.

        Args:
            folder: this machine's working folder, whose runners share the lease.
            prepare: called first if no other process of this machine works on that folder.

        Raises:
            OutputError: if another machine holds the lease.
        """
        self._storage, self._own = storage, folder / OWN_FOLDER
        self._own.mkdir(parents=True, exist_ok=True)
        self._host = socket.gethostname()
        name = f"at-work-{os.getpid()}-{secrets.token_hex(4)}.lock"
        self._process_lock = FileLock(self._own / name, thread_local=False)
        self._lost_to: str | None = None
        self._stopped = threading.Event()
        with self._exclusive():
            self._token = self._read_token()
            others_active = self._has_other_processes()
            self._acquire()
            if not others_active:
                self._prepare_folder(prepare)
            self._process_lock.acquire(timeout=0)
        self._thread = threading.Thread(target=self._renew_periodically, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Check that the lease is still held; called before every write.

        Raises:
            OutputError: if another machine has taken it, or the storage cannot be asked.
        """
        # The one clock can be set back, the other may stand still while this machine sleeps.
        since = max(abs(time.time() - self._renewed), time.monotonic() - self._renewed_monotonic)
        if self._lost_to is None and since > DEAD_AFTER / 2:
            self._renew()  # this machine was asleep or offline: another may have it
        if self._lost_to is not None:
            raise OutputError(
                f"{self._storage.address!r} was taken over by {self._lost_to} while this machine "
                "did not respond",
                "run the same command again when that machine has finished",
            )

    def close(self) -> None:
        """Release the lease, unless other processes of this machine still use it.

        Raises:
            OutputError: if the storage cannot be reached; the lease then expires.
        """
        self._stopped.set()
        self._thread.join()
        with self._exclusive():
            self._process_lock.release()
            Path(self._process_lock.lock_file).unlink(missing_ok=True)
            if self._lost_to is None and not self._has_other_processes():
                owner = self._read_owner()
                if owner is not None and owner.get("token") == self._token:
                    self._storage.remove(LEASE_FILE)

    def _prepare_folder(self, prepare: Callable[[], object]) -> None:
        try:
            prepare()
        except BaseException:
            with suppress(SowError):
                self._storage.remove(LEASE_FILE)
            raise

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        """Keep other processes of this machine from acquiring or releasing meanwhile."""
        try:
            with FileLock(self._own / "lease.lock", timeout=LOCK_TIMEOUT):
                yield
        except Timeout:
            raise OutputError(
                f"another runner is starting or stopping at {self._storage.address!r}", "try again"
            ) from None

    def _read_token(self) -> str:
        """Return the token of the working folder, which only its own runners know."""
        file = self._own / "token"
        with suppress(FileNotFoundError):
            return file.read_text(encoding="ascii")
        file.write_text(secrets.token_hex(16), encoding="ascii")
        return file.read_text(encoding="ascii")

    def _has_other_processes(self) -> bool:
        """Return whether other processes of this machine are working; remove locks of dead ones."""
        in_use = False
        for path in self._own.glob("at-work-*.lock"):
            if path == Path(self._process_lock.lock_file):
                continue
            lock = FileLock(path)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                in_use = True
                continue
            lock.release()
            path.unlink(missing_ok=True)
        return in_use

    def _acquire(self) -> None:
        owner = self._read_owner()
        if owner is not None and owner.get("token") == self._token:
            self._write_owner()
            return
        self._check_available(owner)
        self._write_owner()
        time.sleep(SETTLE)
        self._check_available(self._read_owner())

    def _check_available(self, owner: dict[str, object] | None) -> None:
        if owner is None or owner.get("token") == self._token:
            return
        silence = time.time() - _time_of(owner)
        if silence > DEAD_AFTER:
            return
        in_use = f"{self._storage.address!r} is in use by {_host_of(owner)}"
        if silence >= -DEAD_AFTER:
            raise OutputError(
                f"{in_use}, last seen {max(0, silence):.0f} seconds ago",
                f"wait for it or stop it; it counts as dead when unseen for {DEAD_AFTER:.0f} s",
            )
        # By its own clock it would never count as dead.
        if self._seconds_unchanged(owner) <= DEAD_AFTER:
            raise OutputError(
                f"{in_use}, whose clock is ahead of this one's",
                "set the clocks; if that machine is dead, run the same command again in "
                f"{DEAD_AFTER:.0f} s",
            )

    def _seconds_unchanged(self, owner: dict[str, object]) -> float:
        """Return for how long this machine has seen a lease unchanged, by its own clock."""
        note, now = self._own / "seen-owner.json", time.time()
        content = hashlib.sha256(json.dumps(owner, sort_keys=True).encode()).hexdigest()
        seen = read_json_object(note)
        since = seen.get("since")
        if seen.get("owner") != content or not isinstance(since, float) or now < since:
            write_text(json.dumps({"owner": content, "since": now}), note, force=True)
            return 0.0
        return now - since

    def _renew_periodically(self) -> None:
        while self._lost_to is None and not self._stopped.wait(HEARTBEAT_INTERVAL):
            with suppress(SowError):  # retried; `check` raises if it fails for too long
                self._renew()

    def _renew(self) -> None:
        owner = self._read_owner()
        if owner is not None and owner.get("token") != self._token:
            self._lost_to = _host_of(owner)
            return
        self._write_owner()

    def _read_owner(self) -> dict[str, object] | None:
        """Return the content of the lease; None if there is none, or it is malformed."""
        content = self._storage.read(LEASE_FILE, MAX_BYTES)
        with suppress(ValueError, RecursionError):
            owner = json.loads(content or b"null")
            return owner if isinstance(owner, dict) else None
        return None

    def _write_owner(self) -> None:
        content = {"host": self._host, "token": self._token, "time": round(time.time(), 3)}
        self._storage.put(LEASE_FILE, json.dumps(content).encode())
        self._renewed, self._renewed_monotonic = time.time(), time.monotonic()


def _time_of(owner: dict[str, object]) -> float:
    """Return when a lease was renewed, by its owner's clock; long ago if it is no number."""
    renewed = owner.get("time")
    if not isinstance(renewed, (int, float)) or renewed != renewed:  # NaN
        return -math.inf
    return float(max(-MAX_TIME, min(renewed, MAX_TIME)))


def _host_of(owner: dict[str, object]) -> str:
    return repr(str(owner.get("host"))[:100])
