"""What identifies a file, here or in object storage, whatever names lead to it.

A module of its own: batches without addresses must not load `sow.storage.storage`.
"""

from __future__ import annotations

from pathlib import Path

from sow.storage.addresses import is_address
from sow.utils.files import local_identity


def identity_of(file: Path | str) -> str | None:
    """Return what identifies a file or a folder; None if it is local and does not exist.

    Two names of one local file, such as links, give the same answer. In object storage addresses
    are compared, and no request is sent.

    Args:
        file: a path or an address.

    Raises:
        UsageError: if the scheme of an address is unknown or its package is not installed.
    """
    if is_address(file):
        from sow.storage.storage import Storage

        return Storage(file).identity()
    return local_identity(Path(file))
