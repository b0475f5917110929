"""Answer files: strangers' data, checked against the key before anything is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, model_validator

from sow.benchmarks.tv2i.outcomes import STRICT, read_record
from sow.benchmarks.tv2i.preference.key import Key, Question, QuestionId, Token
from sow.errors import UsageError
from sow.utils.validation import check_version

VERSION = 1
Verdict = Literal["chosen", "bad", "yes", "no", "unsure"]
Tokens = Annotated[tuple[Token, ...], Field(strict=False, max_length=20)]


class Answer(BaseModel):
    """A person's answer to one question.

    Attributes:
        verdict: chosen (one picture, or several that are equally good) or bad (all of them);
            yes, no or unsure where an outline is marked.
        chosen: pictures.
        shown: all pictures of the question, as they stood from left to right.
        order: which question it was for this person, from 0.
        seconds: until it was answered.
        changed: how often the answer was changed.
    """

    model_config = STRICT

    question: QuestionId
    verdict: Verdict
    chosen: Tokens = ()
    shown: Tokens
    order: int = Field(ge=0, lt=10**6)
    seconds: float = Field(ge=0, le=10**7, allow_inf_nan=False)
    changed: int = Field(default=0, ge=0, lt=10**6)


class Answers(BaseModel):
    """The answers of one person.

    Attributes:
        survey: the page that asked.
        rater: who answered, a number that means nothing.
    """

    model_config = STRICT

    kind: Literal["sow-preference-answers"] = "sow-preference-answers"
    version: int = VERSION
    survey: Token
    rater: Token
    answers: Annotated[tuple[Answer, ...], Field(strict=False, max_length=200_000)]

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        check_version("file of answers", value, VERSION)
        return value


class Vote(NamedTuple):
    """An answer together with its question.

    Attributes:
        chosen: methods; none where all are bad, or where an outline is marked.
    """

    rater: str
    question: Question
    verdict: Verdict
    chosen: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def group(self) -> tuple[str, int]:
        """The group of pictures: pair and seed."""
        return (self.question.pair, self.question.seed)


def read_votes(files: Iterable[Path], key: Key) -> tuple[list[Vote], tuple[str, ...]]:
    """Return the votes of all files, and notes on them.

    Of two files of one person the longer counts: pages are saved more than once.

    Raises:
        UsageError: if a file is none of answers, of another page, or says what cannot be.
    """
    by_rater: dict[str, Answers] = {}
    notes = []
    for path in files:
        answers = read_answers(path, key)
        earlier = by_rater.get(answers.rater)
        if earlier is not None:
            notes.append(f"{path.name}: its rater has another file too; the longer one counts.")
        if earlier is None or len(answers.answers) > len(earlier.answers):
            by_rater[answers.rater] = answers
    votes = [
        _vote(answers.rater, answer, key.questions[answer.question])
        for answers in by_rater.values()
        for answer in answers.answers
    ]
    return votes, tuple(notes)


def _vote(rater: str, answer: Answer, question: Question) -> Vote:
    chosen = tuple(question.methods[token] for token in answer.chosen)
    shown = tuple(question.methods[token] for token in answer.shown)
    return Vote(rater, question, answer.verdict, chosen, shown)


def read_answers(path: Path, key: Key) -> Answers:
    """Return the answers of a file after checking each of them.

    Raises:
        UsageError: as `read_votes`.
    """
    answers = read_record(Answers, path, "is not a file of answers", "save it from the page again")
    if answers.survey != key.survey:
        raise UsageError(
            f"{path.name!r} belongs to another page than this key", "give the key of that page"
        )
    wrong = _impossible(answers.answers, key)
    if wrong:
        raise UsageError(f"{path.name!r}: {wrong}", "save it from the page again")
    return answers


def _impossible(answers: Sequence[Answer], key: Key) -> str:
    """Return what is impossible about the answers; empty if nothing is."""
    seen = set()
    for answer in answers:
        question = key.questions.get(answer.question)
        if question is None:
            return f"there is no question {answer.question}"
        if answer.question in seen:
            return f"{answer.question} is answered twice"
        seen.add(answer.question)
        if len(answer.shown) != len(question.methods) or set(answer.shown) != set(question.methods):
            return f"{answer.question} did not show these pictures"
        if len(set(answer.chosen)) < len(answer.chosen) or set(answer.chosen) - set(answer.shown):
            return f"{answer.question} chose what it did not show"
        marked = answer.verdict in ("yes", "no", "unsure")
        if marked != (question.kind == "outline") or bool(answer.chosen) != (
            answer.verdict == "chosen"
        ):
            return f"{answer.question} has an answer that it does not offer"
    return ""
