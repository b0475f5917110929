"""Schemas of the answers of a multimodal model. Answers are untrusted data."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

MAX_TEXT_LENGTH = 120
"""The limit of a description or name in characters; longer ones are cut."""


def _plain(text: str) -> str:
    """Return one printable line: answers end up in prompts, files and terminals."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:MAX_TEXT_LENGTH].strip()


Text = Annotated[str, AfterValidator(_plain)]


class Answer(BaseModel):
    """The base class of answers: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BoxAnswer(Answer):
    """A box in canvas pixels, not yet clamped."""

    x: FiniteFloat
    y: FiniteFloat
    width: FiniteFloat
    height: FiniteFloat


class Recognition(Answer):
    """Stage 1 (Sec. IV-A): what the condition shows."""

    subject: Text = Field(description="one or two words for what the picture shows: face, cat, car")
    features: list[Text] = Field(
        description="what must stay recognisable, a few words each, the most telling first"
    )
    setting: Literal["normal", "attribute", "style"] = Field(
        description="attribute: the text changes something about the subject itself; "
        "style: it asks for another manner of depiction; normal: anything else"
    )


class Position(Answer):
    """Stage 2: where the condition stands on the canvas."""

    box: BoxAnswer


class RegionAnswer(Answer):
    """A region of the picture that belongs to the condition."""

    label: Text = Field(description="what is there: body, tail, hood of the car")
    box: BoxAnswer


class RelationAnswer(Answer):
    """A relation of a scene graph: man, holding, umbrella."""

    subject: Text
    relation: Text
    object: Text


class Refinement(Answer):
    """Stage 3: the regions that interact with the condition, and relations."""

    regions: list[RegionAnswer]
    relations: list[RelationAnswer]


class Everything(Answer):
    """The answers of all three stages in a single call."""

    recognition: Recognition
    position: Position
    refinement: Refinement


AnswerType = TypeVar("AnswerType", bound=Answer)
