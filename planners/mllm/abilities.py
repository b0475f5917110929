"""What a server can do: how strictly it can be told the form of an answer."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from sow.errors import OutputError
from sow.utils.files import cache_folder, read_json_object, remove_stale, write_text

Form = Literal["json_schema", "json_object", "plain"]
FORMS: tuple[Form, ...] = get_args(Form)
"""The ways to ask for JSON, the strictest first: by a schema, as any object, in words only."""
VERSION = 1
KEPT_SECONDS = 7 * 24 * 3600
"""How long an entry on disk is believed; servers are updated."""


def abilities_folder() -> Path:
    """Return the folder in which it is remembered what servers can do."""
    return cache_folder() / "servers"


@dataclass
class Abilities:
    """The strictest form that a model at an address takes.

    An entry on disk has the form and when it expires, under a hash of the address and the model.

    Attributes:
        address: the base URL.
        model: the model's name.
        form: the strictest form that it is not known to refuse.
        folder: where it is remembered; None forgets it with this object.
    """

    address: str
    model: str
    form: Form = FORMS[0]
    folder: Path | None = None
    _on_disk: Form | None = field(default=None, init=False, repr=False)

    def remember_in(self, folder: Path) -> None:
        """Remember what is found out in a folder, and read what is known there."""
        self.folder = folder
        entry = read_json_object(self._path(folder))
        until, form = entry.get("until"), entry.get("form")
        if (
            entry.get("version") == VERSION
            and isinstance(until, int | float)
            and time.time() < until <= time.time() + KEPT_SECONDS
            and form in FORMS
        ):
            self.lower(form)
            self._on_disk = form

    def lower(self, form: Form) -> None:
        """Ask in this form from now on, unless an even less strict one is needed."""
        self.form = max(self.form, form, key=FORMS.index)

    def store(self) -> None:
        """Store the form, which has just been answered; failing to is no error.

        An entry is not renewed: when it expires, the strictest form is tried again.
        """
        if self.folder is None or self.form in (FORMS[0], self._on_disk):
            return
        path, until = self._path(self.folder), time.time() + KEPT_SECONDS
        entry = {"version": VERSION, "form": self.form, "until": until}
        with suppress(OSError, OutputError):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(path.parent)
            write_text(json.dumps(entry), path, force=True)
            self._on_disk = self.form

    def _path(self, folder: Path) -> Path:
        name = hashlib.sha256(json.dumps([self.address, self.model]).encode()).hexdigest()
        return folder / f"{name}.json"
