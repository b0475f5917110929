"""What is in the way is moved aside, under a name that is free: nothing is lost."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path

from sow.batch.ledger.schema import OWN_FOLDER

REPLACED = f"{OWN_FOLDER}/replaced"


def set_aside(folder: Path, file: str) -> None:
    """Moves a file of a folder of results to the replaced ones, if it is there.

    Raises:
        OSError: if it cannot be moved.
    """
    aside, path = folder / REPLACED, folder / file
    aside.mkdir(exist_ok=True)
    names = (f"{path.stem}{f'-{n}' if n else ''}{path.suffix}" for n in count())
    with suppress(FileNotFoundError):
        path.replace(aside / next(name for name in names if not os.path.lexists(aside / name)))
