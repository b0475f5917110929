"""Open the ledger of a results folder, local or remote."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.schema import ledger_path
from sow.errors import OutputError
from sow.storage.addresses import check_folder_address, is_address
from sow.utils.files import make_folder


def open_ledger(out: Path | str) -> Ledger:
    """Open the ledger of a results folder; create both if they do not exist.

    Raises:
        OutputError: if it cannot be created or used.
        UsageError: if the address is invalid.
    """
    if is_address(out):
        from sow.batch.remote.ledger import RemoteLedger

        return RemoteLedger(check_folder_address(str(out)))
    make_folder(Path(out), "give another out=")
    return Ledger(Path(out))


def reopen_ledger(out: Path | str, folder: Path) -> Ledger:
    """Open a ledger that another process of this machine has open.

    Args:
        out: the results folder or its address.
        folder: the ledger's folder in that process, whose environment may differ from this one's.

    Raises:
        OutputError: if it cannot be used.
    """
    if is_address(out):
        from sow.batch.remote.ledger import RemoteLedger

        return RemoteLedger(check_folder_address(str(out)), folder, checked=True)
    return Ledger(folder, checked=True)


@contextmanager
def read_ledger(folder: Path | str) -> Iterator[Ledger]:
    """Open the ledger of a batch that has run, for reading.

    Raises:
        OutputError: if no batch has run there, or it cannot be read.
    """
    if is_address(folder):
        from sow.batch.remote.ledger import open_remote_ledger

        with open_remote_ledger(check_folder_address(str(folder))) as ledger:
            yield ledger
        return
    if not ledger_path(Path(folder)).is_file():
        raise OutputError(f"no batch has run in {str(folder)!r}", "give the out= folder of a batch")
    with closing(Ledger(Path(folder))) as ledger:
        yield ledger
