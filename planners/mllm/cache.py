"""A cache of model answers, so that no question is paid for twice.

An entry is a JSON file with one answer, named after a hash of its question. It is read like an
answer that just arrived: validated, clamped and fused by today's rules. So an entry that somebody
changed can do no more than a hostile model, and an entry that is not a legal answer is ignored.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sow.errors import OutputError
from sow.planners.mllm.answers import Answer, AnswerType
from sow.planners.mllm.asker import Asker, BadAnswer
from sow.utils.files import cache_folder, read_json_object, remove_stale, write_text

VERSION = 1
"""The version of the format of entries."""


def answers_folder() -> Path:
    """Return the folder of cached answers to planning questions."""
    return cache_folder() / "answers"


def question_key(asker: Asker, images: Sequence[bytes], prompt: str, schema: type[Answer]) -> str:
    """Return a hash of everything an answer depends on; the API key is not part of it."""
    question = {
        "version": VERSION, "vendor": asker.vendor, "model": asker.model, "host": asker.host,
        "prompt": prompt, "schema": schema.model_json_schema(),
    }  # fmt: skip
    digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode())
    for image in images:
        digest.update(hashlib.sha256(image).digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class AnswerCache:
    """Answers in a folder.

    Attributes:
        folder: the folder; it is made when the first answer is stored.
        warn: called with one line for every entry that is ignored.
    """

    folder: Path
    warn: Callable[[str], None] = lambda line: None

    def load(self, asker: Asker, key: str, schema: type[AnswerType]) -> AnswerType | None:
        """Return the answer to a question; None if there is no entry, or no legal one."""
        path = self._path(key)
        entry = read_json_object(path)
        if entry.get("version") == VERSION:
            with suppress(BadAnswer, RecursionError):
                return asker.parse(json.dumps(entry.get("answer")), schema)
        if os.path.lexists(path):
            self.warn(f"a damaged entry of the answer cache was ignored: {path.name}")
        return None

    def store(self, key: str, answer: Answer) -> None:
        """Store an answer; if that fails (a full disk) it will be asked for again."""
        path = self._path(key)
        with suppress(OSError, OutputError):
            path.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(path.parent)
            entry = {"version": VERSION, "answer": answer.model_dump(mode="json")}
            write_text(json.dumps(entry), path, force=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"
