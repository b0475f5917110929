"""Read scene graphs from files, mappings and triples, which may be hostile.

This module checks their form and size; `sow.planners.graph` works out what they mean.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, ValidationError, model_validator

from sow.errors import PlanError
from sow.plan.box import Box
from sow.planners.relation_phrases import split_at_relation
from sow.utils.files import read_regular
from sow.utils.type_checks import PATH, check_type
from sow.utils.validation import StrictModel, first_problem

GraphSource = Literal["prompt", "planner"]
GRAPH_SOURCES: tuple[GraphSource, ...] = get_args(GraphSource)
"""Words instead of a file: where the graph is read from."""
Triple = tuple[str, str, str]
MAX_OBJECTS, MAX_TRIPLES = 16, 48
"""The limits of a graph: more does not fit into a picture, and the layout checks every pair."""
MAX_GRAPH_BYTES = 2**20
"""The limit of a graph file, several times what the largest graph takes."""
MAX_PHRASE_LENGTH = 150
MAX_TRIPLE_LENGTH = 500
WRITE_A_TRIPLE = 'write triples="person,holding,red balloon": subject, relation, object'
HELP = 'write {"relations": [["person", "holding", "red balloon"]]}, or see docs/graphs.md'


def _one_line(text: str) -> str:
    """Return a name on one line: it ends up in prompts, files and terminals."""
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise ValueError("it is empty or not valid text")
    return line


Name = Annotated[str, Field(max_length=80), AfterValidator(_one_line)]


class ObjectSpec(StrictModel):
    """An object of a scene graph.

    Attributes:
        label: what it is.
        attributes: adjectives.
        id: the name that relations use; by default the phrase.
        box: its box in canvas pixels.
        condition: whether it is the visual condition.
    """

    label: Name
    attributes: tuple[Name, ...] = Field(default=(), max_length=6)
    id: Name | None = None
    box: Box | None = None
    condition: bool = False

    @model_validator(mode="after")
    def _short(self) -> ObjectSpec:
        if len(self.phrase) > MAX_PHRASE_LENGTH:
            raise ValueError(f"it is longer than {MAX_PHRASE_LENGTH} characters")
        return self

    @property
    def phrase(self) -> str:
        """Attributes and label: red balloon."""
        return " ".join([*self.attributes, self.label])

    @property
    def name(self) -> str:
        """The name that relations use: the id, or the phrase."""
        return self.id or self.phrase


class GraphSpec(StrictModel):
    """Objects, and relations between their ids or names.

    A name that stands in relations only is an object too.
    """

    version: Literal[1] = 1
    objects: tuple[ObjectSpec, ...] = Field(default=(), max_length=MAX_OBJECTS)
    relations: tuple[tuple[Name, Name, Name], ...] = Field(default=(), max_length=MAX_TRIPLES)

    @model_validator(mode="after")
    def _one_condition(self) -> GraphSpec:
        if sum(obj.condition for obj in self.objects) > 1:
            raise ValueError("two objects are marked as the condition; mark one")
        return self

    @property
    def condition(self) -> ObjectSpec | None:
        """The object that is the visual condition, or None."""
        return next((obj for obj in self.objects if obj.condition), None)

    @property
    def boxes(self) -> list[Box]:
        """The boxes of all objects that have one, in canvas pixels."""
        return [obj.box for obj in self.objects if obj.box is not None]


GraphLike = GraphSpec | str | os.PathLike[str] | Mapping[str, Any]


def as_graph(value: Any) -> GraphSpec | GraphSource:
    """Return a graph from a `GraphSpec`, a JSON file or its contents, or a word of `GRAPH_SOURCES`.

    Raises:
        PlanError: if it cannot be read, or is not a legal graph.
        UsageError: if it is of another type.
    """
    kind = f"a file, its contents, or one of {', '.join(GRAPH_SOURCES)}"
    check_type("graph", value, (*PATH, Mapping, GraphSpec), kind)
    if isinstance(value, GraphSpec):
        return value
    for source in GRAPH_SOURCES:
        if value == source:
            return source
    data = value if isinstance(value, Mapping) else _read(Path(value))
    try:
        return GraphSpec.model_validate(_relations_as_rows(data))
    except ValidationError as error:
        raise PlanError(f"not a legal scene graph: {first_problem(error)}", HELP) from None


def _read(path: Path) -> Any:
    try:
        return json.loads(read_regular(path, MAX_GRAPH_BYTES).decode("utf-8"))
    except OSError as error:
        why = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    except (ValueError, RecursionError):
        why = "it is not valid JSON, or too large"
    words = " or ".join(GRAPH_SOURCES)
    raise PlanError(f"cannot read the graph {str(path)!r}: {why}", f"give a JSON file, or {words}")


def _relations_as_rows(data: Any) -> Any:
    """Return a graph with relations as rows of three; files may have objects, as plans do."""
    relations = data.get("relations") if isinstance(data, Mapping) else None
    if not isinstance(relations, (list, tuple)):
        return data
    names = ("subject", "predicate", "object")
    rows = [
        [edge.get(name) for name in names]
        if isinstance(edge, Mapping) and set(edge) == set(names)
        else edge
        for edge in relations[: MAX_TRIPLES + 1]
    ]
    return {**data, "relations": rows}


def as_triples(value: Any) -> tuple[Triple, ...]:
    """Return triples from texts such as "person,holding,red balloon", or from rows of three names.

    Commas may be left out around a relation whose words are known: "person holding red balloon".

    Raises:
        PlanError: if one is not a triple, or there are too many.
        UsageError: if they are of another type.
    """
    check_type("triples", value, (Sequence,), "texts such as person,holding,red balloon")
    rows = [value] if isinstance(value, str) else list(value)
    parts = [_split(row) if isinstance(row, str) else row for row in rows[: MAX_TRIPLES + 1]]
    try:
        return GraphSpec.model_validate({"relations": parts}).relations
    except ValidationError as error:
        raise PlanError(
            f"not a triple: {first_problem(error)}",
            WRITE_A_TRIPLE,
        ) from None


def _split(text: str) -> Sequence[str]:
    """Return the names and the relation of a text, in which commas may be left out.

    Raises:
        PlanError: if it has no commas and no known relation.
    """
    if "," in text:
        return text.split(",")
    triple = split_at_relation(text[:MAX_TRIPLE_LENGTH])
    if triple is None:
        raise PlanError(f"the triple {text!r} names no known relation", WRITE_A_TRIPLE)
    return triple
