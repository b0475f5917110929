"""Scene graphs as users give them: a file, a mapping, triples. They may come from strangers.

What is here is only read and bounded; what it means is worked out by `sow.planners.graph`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from sow.box import Box
from sow.errors import PlanError
from sow.files import read_regular
from sow.kinds import PATH, check_kind
from sow.records import first_problem

Source = Literal["prompt", "planner"]
SOURCES: tuple[Source, ...] = get_args(Source)
"""Words that stand where a file could: who is to be asked for the graph."""
Triple = tuple[str, str, str]
MOST_OBJECTS, MOST_TRIPLES = 16, 48
"""Of a graph: more things than that are no picture any more, and every pair is looked at."""
LONGEST_FILE = 2**20
"""Bytes: several times what the largest graph takes."""
LONGEST_PHRASE = 150
HELP = 'write {"relations": [["person", "holding", "red balloon"]]}, or see docs/graphs.md'


def _plain(text: str) -> str:
    """Names and relations end up in prompts, files and terminals."""
    line = " ".join(text.split())
    if not line or not line.isprintable():
        raise ValueError("it is empty or not valid text")
    return line


Name = Annotated[str, Field(max_length=80), AfterValidator(_plain)]


class GivenObject(BaseModel):
    """A thing in a graph, or with `condition` what is planted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Name
    attributes: tuple[Name, ...] = Field(default=(), max_length=6)
    id: Name | None = None
    box: Box | None = None
    condition: bool = False

    @model_validator(mode="after")
    def _short(self) -> GivenObject:
        if len(self.phrase) > LONGEST_PHRASE:
            raise ValueError(f"it is longer than {LONGEST_PHRASE} characters")
        return self

    @property
    def phrase(self) -> str:
        """As a sentence has it: red balloon."""
        return " ".join([*self.attributes, self.label])

    @property
    def name(self) -> str:
        """What relations call it: its id, if it has one."""
        return self.id or self.phrase


class GivenGraph(BaseModel):
    """Things and what is between them, by ids or names; a name alone is a thing too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    objects: tuple[GivenObject, ...] = Field(default=(), max_length=MOST_OBJECTS)
    relations: tuple[tuple[Name, Name, Name], ...] = Field(default=(), max_length=MOST_TRIPLES)

    @model_validator(mode="after")
    def _one_condition(self) -> GivenGraph:
        if sum(thing.condition for thing in self.objects) > 1:
            raise ValueError("two objects are marked as the condition; mark one")
        return self

    @property
    def condition(self) -> GivenObject | None:
        """The object that is planted, if it is told of."""
        return next((thing for thing in self.objects if thing.condition), None)

    @property
    def boxes(self) -> list[Box]:
        """Those that are given, in canvas pixels."""
        return [thing.box for thing in self.objects if thing.box is not None]


GraphLike = GivenGraph | str | os.PathLike[str] | Mapping[str, Any]


def as_graph(value: Any) -> GivenGraph | Source:
    """A graph from one, its JSON file, what is in it, or a word for where it is to come from.

    Raises:
        PlanError: if it cannot be read, or is no legal graph.
        UsageError: if it is nothing of this.
    """
    kind = f"a file, its contents, or one of {', '.join(SOURCES)}"
    check_kind("graph", value, (*PATH, Mapping, GivenGraph), kind)
    if isinstance(value, GivenGraph):
        return value
    for source in SOURCES:
        if value == source:
            return source
    data = value if isinstance(value, Mapping) else _read(Path(value))
    try:
        return GivenGraph.model_validate(_with_rows(data))
    except ValidationError as error:
        raise PlanError(f"not a legal scene graph: {first_problem(error)}", HELP) from None


def _read(path: Path) -> Any:
    try:
        return json.loads(read_regular(path, LONGEST_FILE).decode("utf-8"))
    except OSError as error:
        why = error.strerror or "it cannot be read"
    except UnicodeDecodeError:
        why = "it is not UTF-8 text"
    except (ValueError, RecursionError):
        why = "it is not valid JSON, or too large"
    words = " or ".join(SOURCES)
    raise PlanError(f"cannot read the graph {str(path)!r}: {why}", f"give a JSON file, or {words}")


def _with_rows(data: Any) -> Any:
    """Relations as rows of three; a plan has them as objects, and so may a file."""
    given = data.get("relations") if isinstance(data, Mapping) else None
    if not isinstance(given, (list, tuple)):
        return data
    names = ("subject", "predicate", "object")
    rows = [
        [edge.get(name) for name in names]
        if isinstance(edge, Mapping) and set(edge) == set(names)
        else edge
        for edge in given[: MOST_TRIPLES + 1]
    ]
    return {**data, "relations": rows}


def as_triples(value: Any) -> tuple[Triple, ...]:
    """Triples from texts such as "person,holding,red balloon", or from rows of three names.

    Raises:
        PlanError: if one is no triple, or there are too many.
        UsageError: if it is nothing of this.
    """
    check_kind("triples", value, (Sequence,), "texts such as person,holding,red balloon")
    rows = [value] if isinstance(value, str) else list(value)
    parts = [row.split(",") if isinstance(row, str) else row for row in rows[: MOST_TRIPLES + 1]]
    try:
        return GivenGraph.model_validate({"relations": parts}).relations
    except ValidationError as error:
        raise PlanError(
            f"not a triple: {first_problem(error)}",
            'write triples="person,holding,red balloon": subject, relation, object',
        ) from None
