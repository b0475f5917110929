"""What programs give for a plan, its settings, a box: read, or refused in one line.

Every door of the library takes the same things: the name of a file where a plan is meant, four
numbers for a box. What is neither is a slip, and the line says what to give. Pictures have a
door of their own, `sow.pictures.inputs`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sow.errors import PlanError, UsageError
from sow.plan.box import Box, parse_box
from sow.plan.plan import Plan, Region
from sow.settings.settings import Settings
from sow.utils.type_checks import PATH, check_type
from sow.utils.validation import first_problem

PlanLike = Plan | str | os.PathLike[str] | Mapping[str, Any]
SettingsLike = Mapping[str, Any] | Settings | None
"""What a preset is to be changed in; all settings replace it."""
LONGEST_PROMPT = 4000


def as_plan(value: Any) -> Plan:
    """A plan, from one, the name of its file, or a mapping like its JSON.

    Raises:
        PlanError: if it is not a legal plan.
        UsageError: if it is nothing of this.
    """
    if isinstance(value, PATH):
        return Plan.read(Path(value))
    check_type("plan", value, (Plan, Mapping), "a sow.Plan, a file of one, or what is in it")
    return value if isinstance(value, Plan) else Plan.parse(value)


def as_settings(value: Any, preset: Settings) -> Settings:
    """All settings; a mapping changes a preset, and None leaves it as it is.

    Raises:
        UsageError: if there is no such setting, or it cannot have that value.
    """
    kinds = (Settings, Mapping, type(None))
    check_type("settings", value, kinds, 'changes such as {"cycles": 5}, or a sow.Settings')
    if isinstance(value, Settings):
        return value
    return preset.changed(**{str(name): given for name, given in (value or {}).items()})


def check_prompt(prompt: object) -> None:
    """Refuses what says nothing, and what cannot be said.

    Raises:
        UsageError: if it is that.
    """
    check_type("prompt", prompt, (str,), "words")
    assert isinstance(prompt, str)
    if not prompt.strip():
        raise UsageError("no prompt", 'give prompt="an old person"')
    if len(prompt) > LONGEST_PROMPT or any("\ud800" <= c <= "\udfff" for c in prompt):
        raise UsageError(
            "the prompt is too long or not valid text", f"{LONGEST_PROMPT} letters at most"
        )


def as_box(value: Any, name: str = "box") -> Box:
    """A box from a `Box`, four whole numbers, or the same as text: `8,16,56,56`.

    Raises:
        PlanError: if it is neither.
    """
    if isinstance(value, str):
        return parse_box(value, name)
    try:
        return Box.model_validate(value)
    except ValidationError as error:
        raise PlanError(
            f"{name} {value!r} is no box: {first_problem(error)}",
            "give x, y, width, height in canvas pixels",
        ) from None


def as_regions(value: Any) -> tuple[Region, ...]:
    """Return regions from a mapping of names to boxes, or a list of `Region` or text.

    Text is `label=x,y,width,height`; without a label it is "related".

    Raises:
        PlanError: if one of them is not a region.
    """
    check_type("related", value, (Mapping, Sequence), "names and boxes, or Regions")
    if isinstance(value, Mapping):
        return tuple(_region(label, box) for label, box in value.items())
    listed = [value] if isinstance(value, str) else value
    return tuple(_region_from(item) for item in listed)


def _region_from(item: object) -> Region:
    if isinstance(item, Region):
        return item
    if not isinstance(item, str):
        raise PlanError(
            "related= holds something else",
            'give names and boxes, such as {"body": [8, 72, 112, 56]}, or Regions',
        )
    label, equals, numbers = item.rpartition("=")
    if equals and not label.strip():
        raise PlanError(f"the region {item!r} has no name", "write label=x,y,width,height")
    return _region(label.strip() or "related", numbers)


def _region(label: object, box: object) -> Region:
    if not isinstance(label, str) or not label.strip():
        raise PlanError("a related region has no name", "give related= as name and box")
    if len(label) > 200 or not label.isprintable():
        raise PlanError(
            "the name of a related region is too long or not valid text",
            "use at most 200 characters",
        )
    return Region(label=label.strip(), box=as_box(box, "related region"))


def as_canvas(value: Any) -> tuple[int, int]:
    """Return `(width, height)` in pixels from a side, a pair, or text: `512`, `640x448`.

    Raises:
        UsageError: if it is none of these, or out of range.
    """
    pair: tuple[Any, ...]
    if isinstance(value, str):
        width, by, height = value.lower().partition("x")
        sides = (width, height if by else width)
        pair = tuple(int(side) if side.strip().isdecimal() else None for side in sides)
        hint = "write 512 or 640x448, in pixels"
    else:
        pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
        hint = "give a side or (width, height), in pixels"
    if len(pair) != 2 or not all(isinstance(side, int) and 8 <= side <= 8192 for side in pair):
        raise UsageError(f"{value!r} is not a canvas", hint)
    return pair
