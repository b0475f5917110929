"""The ledger of results that are elsewhere: at work it lies here, between runs with the results."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sow.batch.ledger.ledger import Claimed, Ledger
from sow.batch.remote.lease import Lease
from sow.batch.remote.restoring import restore, token_of
from sow.batch.remote.snapshots import Snapshots, bring, fetched, tokens
from sow.batch.remote.store import RemoteStore
from sow.errors import OutputError
from sow.storage.storage import Storage
from sow.utils.files import cache_folder, make_folder


class RemoteLedger(Ledger):
    """A ledger in a working folder of this machine, which alone works on the results."""

    def __init__(self, address: str, folder: Path | None = None) -> None:
        """Goes on from what is there.

        Args:
            address: of the results.
            folder: where to work; the same for all who work on one address on this machine.

        Raises:
            OutputError: if another machine is at work, or the place cannot be used.
            UsageError: if there is no such storage, or its package is not installed.
        """
        storage, folder = Storage(address), folder or working_folder(address)
        make_folder(folder, "set SOW_CACHE", mode=0o700)
        self._lease = Lease(storage, folder, lambda: bring(storage, folder))
        try:
            self._snapshots = Snapshots(storage, folder, self._lease.check)
            super().__init__(folder, RemoteStore(storage, folder, self._lease.check))
        except BaseException:
            self._lease.close()
            raise
        self._begun = False

    def claim(self, most: int) -> list[Claimed]:
        """As `Ledger`; before the first there is a snapshot, so that whatever is put there after
        it can be told from what is somebody else's."""
        self._lease.check()
        if not self._begun:
            self._begun = True
            self._snapshots.begin()
        return super().claim(most)

    def close(self) -> None:
        """Gives back what was taken and not done, and the right to work there."""
        try:
            self._snapshots.end()
            super().close()
            if self._begun:
                self._snapshots.put()
        finally:
            self._lease.close()

    def abandon(self) -> None:
        """As `Ledger`; others on this machine keep the right to work there."""
        self._snapshots.end()
        super().abandon()
        self._lease.close()


def working_folder(address: str) -> Path:
    """Where the ledger lies while this machine works on results that are elsewhere."""
    name = hashlib.sha256(address.encode()).hexdigest()[:32]
    return cache_folder() / "batches" / name


@contextmanager
def looked_into(address: str) -> Iterator[Ledger]:
    """The ledger of results that are elsewhere, to be read: this machine's if that is newer.

    Raises:
        OutputError: if no batch has run there, or it cannot be read.
    """
    storage, folder = Storage(address), working_folder(address)
    with tempfile.TemporaryDirectory(prefix="sow-") as name:
        file = fetched(storage, Path(name))
        if file is None:
            raise OutputError(f"no batch has run in {address!r}", "sow batch jobs.jsonl --out")
        if token_of(file, address) not in tokens(folder):
            folder = Path(name) / "out"
            folder.mkdir()
            restore(file, folder, address)
        with closing(Ledger(folder)) as ledger:
            yield ledger
