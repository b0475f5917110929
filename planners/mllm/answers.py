"""Schemas of the answers of a multimodal model. Answers are untrusted data.

Models are asked for exactly these schemas, and read leniently: unknown fields are ignored, and
boxes and lists may be written in other common ways (`answer_forms`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    PrivateAttr,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from sow.planners.mllm.answer_forms import (
    Order,
    box_fields,
    find_box,
    triple_fields,
    without_null,
    word,
    words,
)

MAX_TEXT_LENGTH = 120
"""The limit of a description or name in characters; longer ones are cut."""


def _plain(text: str) -> str:
    """Return one printable line: answers end up in prompts, files and terminals."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line[:MAX_TEXT_LENGTH].strip()


Text = Annotated[str, AfterValidator(_plain)]


class Answer(BaseModel):
    """The base class of answers."""

    # Vendors that enforce a schema insist on being told that no other field is allowed.
    model_config = ConfigDict(
        extra="ignore", frozen=True, json_schema_extra={"additionalProperties": False}
    )
    _remarks: tuple[str, ...] = PrivateAttr(())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user should know of how the answer was read; not part of the answer."""
        return self._remarks

    def remark(self, *lines: str) -> None:
        """Add remarks."""
        self._remarks += lines


class BoxAnswer(Answer):
    """A box in canvas pixels, not yet clamped."""

    # Vendors are sent the docstring, as the schema's description. Although pixels are asked for,
    # other scales are answered: `boxes.py` finds out what was meant.

    x: FiniteFloat
    y: FiniteFloat
    width: FiniteFloat
    height: FiniteFloat
    # How four numbers were listed: then the fields are those numbers in that order, whatever they
    # are called.
    order: SkipJsonSchema[Order] = "named"

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return box_fields(value)

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """The four numbers as they were answered."""
        return self.x, self.y, self.width, self.height


class Recognition(Answer):
    """Stage 1 (Sec. IV-A): what the condition shows."""

    subject: Text = Field(description="one or two words for what the picture shows: face, cat, car")
    features: Annotated[list[Text], BeforeValidator(words)] = Field(
        description="what must stay recognisable, a few words each, the most telling first"
    )
    setting: Annotated[Literal["normal", "attribute", "style"], BeforeValidator(word)] = Field(
        description="attribute: the text changes something about the subject itself; "
        "style: it asks for another manner of depiction; normal: anything else"
    )


class _WithBox(Answer):
    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return find_box(value)


class Position(_WithBox):
    """Stage 2: where the condition stands on the canvas."""

    box: BoxAnswer


class RegionAnswer(_WithBox):
    """A region of the picture that belongs to the condition."""

    label: Text = Field(description="what is there: body, tail, hood of the car")
    box: BoxAnswer


class RelationAnswer(Answer):
    """A relation of a scene graph: man, holding, umbrella."""

    subject: Text
    relation: Text
    object: Text

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return triple_fields(value)


class Refinement(Answer):
    """Stage 3: the regions that interact with the condition, and relations."""

    regions: list[RegionAnswer]
    relations: list[RelationAnswer]

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return without_null(value, "regions", "relations")


class Everything(Answer):
    """The answers of all three stages in a single call."""

    recognition: Recognition
    position: Position
    refinement: Refinement


AnswerType = TypeVar("AnswerType", bound=Answer)


def form_of(schema: type[Answer]) -> str:
    """Return a schema in the form of its JSON, for prompts: `{"box": {"x": number, …}}`."""
    full = schema.model_json_schema()

    def form(node: dict[str, Any]) -> str:
        if "$ref" in node:
            return form(full["$defs"][node["$ref"].rpartition("/")[2]])
        if "enum" in node:
            return " or ".join(f'"{value}"' for value in node["enum"])
        if node["type"] == "object":
            inner = (f'"{name}": {form(value)}' for name, value in node["properties"].items())
            return "{" + ", ".join(inner) + "}"
        if node["type"] == "array":
            return f"[{form(node['items'])}, …]"
        return "number" if node["type"] in ("number", "integer") else "text"

    return form(full)
