"""What planners read and ask: word lists and, with a language model, its prompts."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from sow.errors import PlannerError
from sow.files import read_regular

MAX_PROMPT_BYTES = 2**18
"""Bytes of a prompt of one's own."""
STAGES = ("recognition", "position", "refinement", "everything", "repair")


@cache
def load_toml(name: str) -> dict[str, Any]:
    """The table in `prompts/<name>.toml`."""
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Prompts:
    """The questions that a multimodal model is asked, one Markdown file per stage.

    A file begins with its version between two lines of three dashes; `$names` in it are filled
    in. folder: the user's own files; those that are missing there are the built-in ones.
    """

    folder: Path | None = None

    def text(self, stage: str, **values: object) -> str:
        """The question of a stage with its blanks filled in."""
        _, body = self._read(stage)
        return Template(body).safe_substitute({name: str(value) for name, value in values.items()})

    def version(self, stage: str) -> str:
        """The version that the stage's file declares."""
        return self._read(stage)[0]

    def signature(self, stages: Iterable[str]) -> str:
        """Names and versions, for the record: "recognition 1, position 1"."""
        own = "own prompts: " if self.folder else ""
        return own + ", ".join(f"{stage} {self.version(stage)}" for stage in stages)

    def digest(self) -> str:
        """A hash of all the texts: another text may lead to another plan."""
        texts = "\0".join("".join(self._read(stage)) for stage in STAGES)
        return hashlib.sha256(texts.encode()).hexdigest()

    def _read(self, stage: str) -> tuple[str, str]:
        own = self.folder / f"{stage}.md" if self.folder else None
        try:
            if own is not None and own.is_file():
                source = read_regular(own, MAX_PROMPT_BYTES).decode("utf-8")
            else:
                source = files(__name__).joinpath(f"{stage}.md").read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise PlannerError(
                f"cannot read the prompt {stage!r}: {error}", "check prompts="
            ) from None
        found = re.match(r"---\s*\nversion:\s*(\S+)\s*\n---\s*\n(.*)", source, re.DOTALL)
        if found is None:
            raise PlannerError(
                f"the prompt {str(own or stage)!r} has no version",
                "start it with the three lines ---, version: 1, ---",
            )
        return found[1], found[2].strip()
