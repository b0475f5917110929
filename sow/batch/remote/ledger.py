"""The ledger of results in object storage: local during a run, beside the results afterwards."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sow.batch.ledger.ledger import ClaimedJob, Ledger
from sow.batch.ledger.schema import unusable_folder
from sow.batch.remote.lease import Lease
from sow.batch.remote.restoring import restore, snapshot_token
from sow.batch.remote.snapshots import (
    SnapshotUploader,
    download_snapshot,
    known_tokens,
    sync_ledger,
)
from sow.batch.remote.store import RemoteStore
from sow.errors import OutputError
from sow.storage.storage import Storage
from sow.utils.files import cache_folder, make_folder


class RemoteLedger(Ledger):
    """A ledger in a working folder, on the one machine that works on the results."""

    def __init__(self, address: str, folder: Path | None = None, checked: bool = False) -> None:
        """Open the ledger, resuming from the snapshot beside the results.

        Args:
            address: the address of the results.
            folder: the working folder; the same for all processes of this machine.
            checked: another process of this user has checked the ledger.

        Raises:
            OutputError: if another machine works there, or the storage cannot be used.
            UsageError: if the scheme is unknown or its package is not installed.
        """
        storage, folder = Storage(address), folder or working_folder(address)
        make_folder(folder, "set SOW_CACHE", mode=0o700)
        try:
            self._lease = Lease(storage, folder, lambda: sync_ledger(storage, folder))
        except OSError as error:
            raise unusable_folder(error, folder, "set SOW_CACHE") from None
        try:
            self._snapshots = SnapshotUploader(storage, folder, self._lease.check)
            store = RemoteStore(storage, folder, self._lease.check)
            super().__init__(folder, store, checked)
        except BaseException:
            self._lease.close()
            raise
        self._started = False

    def claim(self, limit: int) -> list[ClaimedJob]:
        """Claim jobs; upload a snapshot before the first, so that later files are known as ours."""
        self._lease.check()
        if not self._started:
            self._started = True
            self._snapshots.start()
        return super().claim(limit)

    def close(self) -> None:
        """Release unfinished jobs and the lease, after a last snapshot."""
        try:
            self._snapshots.stop()
            super().close()
            if self._started:
                self._snapshots.upload()
        finally:
            self._lease.close()

    def abandon(self) -> None:
        """Close as a dead runner would, keeping the lease for other processes of this machine."""
        self._snapshots.stop()
        super().abandon()
        self._lease.close()


def working_folder(address: str) -> Path:
    """Return where this machine keeps the ledger while it works on these results."""
    name = hashlib.sha256(address.encode()).hexdigest()[:32]
    return cache_folder() / "batches" / name


@contextmanager
def open_remote_ledger(address: str) -> Iterator[Ledger]:
    """Open a ledger for reading: this machine's own if it is newer than the snapshot.

    Raises:
        OutputError: if no batch has run there, or the ledger cannot be read.
    """
    storage, folder = Storage(address), working_folder(address)
    with tempfile.TemporaryDirectory(prefix="sow-") as name:
        file = download_snapshot(storage, Path(name))
        if file is None:
            raise OutputError(f"no batch has run in {address!r}", "give the out= folder of a batch")
        if snapshot_token(file, address) not in known_tokens(folder):
            folder = Path(name) / "out"
            folder.mkdir()
            restore(file, folder, address)
        with closing(Ledger(folder)) as ledger:
            yield ledger
