"""The ledger of a folder of results, wherever that is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sow.batch.ledger.ledger import Ledger
from sow.batch.ledger.schema import ledger_path
from sow.errors import OutputError
from sow.storage.addresses import checked_folder, is_address
from sow.utils.files import make_folder


def ledger_in(out: Path | str) -> Ledger:
    """The ledger of a folder of results, wherever that is.

    Raises:
        OutputError: if it cannot be made, or used.
        UsageError: for an address that is none.
    """
    if is_address(out):
        from sow.batch.remote.ledger import RemoteLedger

        return RemoteLedger(checked_folder(str(out)))
    make_folder(Path(out), "give another out=")
    return Ledger(Path(out))


def ledger_again(out: Path | str, folder: Path) -> Ledger:
    """The ledger that another process of this machine has open.

    Args:
        out: where the results are.
        folder: where that process has the ledger; its surroundings may not be this one's.

    Raises:
        OutputError: if it cannot be used.
    """
    if is_address(out):
        from sow.batch.remote.ledger import RemoteLedger

        return RemoteLedger(checked_folder(str(out)), folder)
    return Ledger(folder)


@contextmanager
def opened(folder: Path | str) -> Iterator[Ledger]:
    """The ledger of a batch that has run.

    Raises:
        OutputError: if none has, or it cannot be read.
    """
    if is_address(folder):
        from sow.batch.remote.ledger import looked_into

        with looked_into(checked_folder(str(folder))) as ledger:
            yield ledger
        return
    if not ledger_path(Path(folder)).is_file():
        raise OutputError(f"no batch has run in {str(folder)!r}", "sow batch jobs.jsonl --out")
    with closing(Ledger(Path(folder))) as ledger:
        yield ledger
