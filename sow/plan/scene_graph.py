"""The scene graph of a plan: the other objects of the picture, and their relations."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from sow.plan.box import Box
from sow.utils.validation import StrictModel, without_default

CONDITION = "condition"
"""The id of the visual condition in relations; no object may have it."""


class SceneObject(StrictModel):
    """An object of the prompt, and its box if it has one."""

    id: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="the name that relations use: small letters, digits, `-` and `_`",
    )
    label: str = Field(min_length=1, max_length=200, description="its words in the prompt")
    box: Box | None = Field(
        default=None, description="where it is; without it, its place is left open"
    )
    replaced: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="the user's words for it, if the model does not know them",
    )

    @model_serializer(mode="wrap")
    def _omit_default_replaced(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `replaced` if there is none: older plans do not have it."""
        return without_default(self, handler(self), "replaced")

    @field_validator("id")
    @classmethod
    def _not_reserved(cls, value: str) -> str:
        if value == CONDITION:
            raise ValueError(f"the id {CONDITION!r} is reserved for the visual condition")
        return value


class Relation(StrictModel):
    """A relation between two objects, or between an object and the condition, by their ids."""

    subject: str = Field(
        max_length=64, description="the `id` of an object, or `condition` for what is planted"
    )
    predicate: str = Field(
        min_length=1, max_length=200, description="the relation in words, such as `holding`"
    )
    object: str = Field(max_length=64, description="the `id` of the other object, or `condition`")
    distant: bool = Field(
        default=False,
        description="whether their centres are more than a third of the canvas width apart",
    )

    @model_serializer(mode="wrap")
    def _omit_default_distant(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `distant` if it is false: older plans do not have it."""
        return without_default(self, handler(self), "distant")


def article(words: str) -> str:
    """Return the words with "a" or "an" before them."""
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def unused_id(name: str, used: Collection[str]) -> str:
    """Return an id for a name that is not in `used`, with a number appended if necessary."""
    word = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:48].strip("-") or "object"
    free, number = word if word != CONDITION else "object", 2
    while free in used:
        free, number = f"{word}-{number}", number + 1
    return free


def scene_from_triples(
    triples: Iterable[tuple[str, str, str]], condition: Collection[str] = ()
) -> tuple[tuple[SceneObject, ...], tuple[Relation, ...]]:
    """Return objects and relations for triples of names: man, holding, red umbrella.

    Equal names are one object. The names in `condition`, in upper or lower case, mean the visual
    condition.
    """
    ids: dict[str, str] = {name.lower(): CONDITION for name in condition}
    objects: dict[str, SceneObject] = {}

    def id_of(name: str) -> str:
        key = name.strip().lower()
        if key not in ids:
            free = ids[key] = unused_id(key, objects)
            objects[free] = SceneObject(id=free, label=name.strip() or "object")
        return ids[key]

    relations = tuple(
        Relation(subject=id_of(subject), predicate=predicate.strip(), object=id_of(thing))
        for subject, predicate, thing in triples
        if predicate.strip()
    )
    return tuple(objects.values()), relations
