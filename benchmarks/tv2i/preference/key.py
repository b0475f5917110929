"""The key of a survey: which method made which picture. It stays with the asker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, Field, model_validator

from sow.benchmarks.tv2i.outcomes import STRICT, Name, Setting, Words, as_json, read_record
from sow.errors import UsageError
from sow.utils.files import write_text
from sow.utils.validation import check_version

VERSION = 1
MOST_BYTES = 256 * 2**20
Kind = Literal["best", "pair", "outline"]
Criterion = Literal["fidelity", "consistency", "outline"]
Token = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Of a survey, a rater or a picture: sixteen hexadecimal digits that mean nothing."""
QuestionId = Annotated[str, Field(pattern=r"^q[0-9]{1,6}$")]


def kinds_of(names: Sequence[str]) -> list[Kind]:
    """Return kinds of questions by name.

    Raises:
        UsageError: if there is no such kind, or none at all.
    """
    known: tuple[Kind, ...] = get_args(Kind)
    found = [kind for name in names for kind in known if kind == name]
    if len(found) < len(names) or not found:
        raise UsageError(
            f"unknown kind of questions: {', '.join(names)}",
            f"choose from {', '.join(known)}",
        )
    return found


class Question(BaseModel):
    """A question of a survey.

    Attributes:
        kind: best (one of several), pair (one of two), outline (yes or no of one).
        criterion: fidelity (without the inputs), consistency (with them), or outline.
        pair, seed, setting: of all its pictures.
        methods: which made which picture.
    """

    model_config = STRICT

    kind: Kind
    criterion: Criterion
    pair: Name
    seed: int = Field(ge=0, lt=2**64)
    setting: Setting
    methods: dict[Token, Name] = Field(min_length=1, max_length=20)


class Key(BaseModel):
    """Everything that a survey page does not reveal.

    Attributes:
        survey: which page it belongs to.
        benchmark: of the results that the pictures are of.
        methods: their names and what they are called, in their order; the first is ours.
        questions: by the ids that the page knows.
        left_out: groups that could not be asked about, since a picture was not made.
    """

    model_config = STRICT

    kind: Literal["sow-preference-key"] = "sow-preference-key"
    version: int = VERSION
    survey: Token
    benchmark: Name
    methods: dict[Name, Words] = Field(min_length=1)
    questions: dict[QuestionId, Question]
    left_out: int = Field(default=0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        check_version("key", value, VERSION)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Key:
        for name, question in self.questions.items():
            if unknown := set(question.methods.values()) - set(self.methods):
                raise ValueError(f"questions.{name}: there is no method {min(unknown)!r}")
        return self


def write_key(key: Key, path: Path, *, force: bool = False) -> None:
    """Write a key.

    Raises:
        OutputError: if the file exists and `force` is not set, or cannot be written.
    """
    write_text(as_json(key) + "\n", path, force=force)


def read_key(path: Path) -> Key:
    """Read the key of a survey page.

    Raises:
        UsageError: if the file is none.
    """
    return read_record(
        Key, path, "is not the key of a survey", "give the key of its page", MOST_BYTES
    )
