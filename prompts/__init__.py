"""Load the word lists of planners and the prompts for multimodal models."""

from __future__ import annotations

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
from sow.utils.files import read_regular

MAX_PROMPT_BYTES = 2**18
"""The limit of a user's prompt file."""
STAGES = ("recognition", "position", "refinement", "everything", "repair")


@cache
def load_toml(name: str) -> dict[str, Any]:
    """Return the table in `prompts/<name>.toml`."""
    return tomllib.loads(files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Prompts:
    """The prompts for a multimodal model, one Markdown file per stage.

    A file starts with its version between two lines of three dashes. `$names` in it are filled in.

    Attributes:
        folder: a folder of the user's files; files missing there are the built-in ones.
    """

    folder: Path | None = None

    def text(self, stage: str, **values: object) -> str:
        """Return the prompt of a stage with its `$names` filled in."""
        _, body = self._read(stage)
        return Template(body).safe_substitute({name: str(value) for name, value in values.items()})

    def version(self, stage: str) -> str:
        """Return the version of a stage's file."""
        return self._read(stage)[0]

    def signature(self, stages: Iterable[str]) -> str:
        """Return stages and versions for the record: "recognition 1, position 1"."""
        prefix = "own prompts: " if self.folder else ""
        return prefix + ", ".join(f"{stage} {self.version(stage)}" for stage in stages)

    def _read(self, stage: str) -> tuple[str, str]:
        user_file = self.folder / f"{stage}.md" if self.folder else None
        try:
            if user_file is not None and user_file.is_file():
                source = read_regular(user_file, MAX_PROMPT_BYTES).decode("utf-8")
            else:
                source = files(__name__).joinpath(f"{stage}.md").read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise PlannerError(
                f"cannot read the prompt {stage!r}: {error}", "check prompts="
            ) from None
        found = re.match(r"---\s*\nversion:\s*(\S+)\s*\n---\s*\n(.*)", source, re.DOTALL)
        if found is None:
            raise PlannerError(
                f"the prompt {str(user_file or stage)!r} has no version",
                "start it with the three lines ---, version: 1, ---",
            )
        return found[1], found[2].strip()
