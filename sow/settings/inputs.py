"""Convert arguments to plans, settings and boxes, with one-line errors.

All public functions accept the same shorthands, such as the name of a file for a plan or four
numbers for a box. For pictures, see `sow.pictures.inputs`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sow.errors import PlanError, UsageError
from sow.plan.box import Box, parse_box
from sow.plan.canvas import MAX_RATIO, MAX_SIDE, MIN_SIDE, CanvasShape
from sow.plan.plan import Plan, Region
from sow.settings.settings import Settings
from sow.utils.type_checks import PATH, check_type
from sow.utils.validation import first_problem

PlanLike = Plan | str | os.PathLike[str] | Mapping[str, Any]
SettingsLike = Mapping[str, Any] | Settings | None
"""Changes of a preset, or settings that replace it."""
MAX_PROMPT = 4000
SMALLEST_WRITTEN = 32
"""Pixels of the longer side of a canvas that is written as text: 9x16 is a shape that was meant."""
MAX_LORA_WEIGHT = 5.0
MAX_ADAPTERS = 10
"""LoRAs, and embeddings, of one picture."""


def as_plan(value: Any) -> Plan:
    """Return a plan, given as one, as the name of its file, or as a mapping like its JSON.

    Raises:
        PlanError: if the plan is invalid.
        UsageError: if it is of another type.
    """
    if isinstance(value, PATH):
        return Plan.read(Path(value))
    check_type(
        "plan", value, (Plan, Mapping), "a sow.Plan, the name of its file, or its JSON as a mapping"
    )
    return value if isinstance(value, Plan) else Plan.parse(value)


def as_settings(value: Any, preset: Settings) -> Settings:
    """Return settings, given as such or as changes of a preset; None is the preset itself.

    Raises:
        UsageError: if a setting is unknown or its value invalid.
    """
    types = (Settings, Mapping, type(None))
    check_type("settings", value, types, 'changes such as {"cycles": 5}, or a sow.Settings')
    if isinstance(value, Settings):
        return value
    return preset.changed(**{str(name): change for name, change in (value or {}).items()})


def check_prompt(prompt: object) -> None:
    """Check that a prompt is not empty, not too long, and valid Unicode.

    Raises:
        UsageError: if it is not.
    """
    check_type("prompt", prompt, (str,), "text")
    assert isinstance(prompt, str)
    if not prompt.strip():
        raise UsageError("no prompt", 'give prompt="an old person"')
    _check_text(prompt, "the prompt")


def check_negative(negative: object) -> None:
    """Check that a negative prompt is None, or not too long and valid Unicode.

    Raises:
        UsageError: if it is not.
    """
    check_type("negative", negative, (str, type(None)), "text")
    if isinstance(negative, str):
        _check_text(negative, "the negative prompt")


def _check_text(text: str, name: str) -> None:
    if len(text) > MAX_PROMPT or any("\ud800" <= c <= "\udfff" for c in text):
        raise UsageError(
            f"{name} is too long or not valid text", f"give at most {MAX_PROMPT} characters"
        )


def as_box(value: Any, name: str = "box") -> Box:
    """Return a box, given as `Box`, four whole numbers, or text: `8,16,56,56`.

    Raises:
        PlanError: if it is not a box.
    """
    if isinstance(value, str):
        return parse_box(value, name)
    try:
        return Box.model_validate(value)
    except ValidationError as error:
        raise PlanError(
            f"{name} {value!r} is not a box: {first_problem(error)}",
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
            "related= contains something else",
            'give names and boxes, such as {"body": [8, 72, 112, 56]}, or Regions',
        )
    label, equals, numbers = item.rpartition("=")
    if equals and not label.strip():
        raise PlanError(f"the region {item!r} has no name", "write label=x,y,width,height")
    return _region(label.strip() or "related", numbers)


def _region(label: object, box: object) -> Region:
    if not isinstance(label, str) or not label.strip():
        raise PlanError("a related region has no name", "give related= as names and boxes")
    if len(label) > 200 or not label.isprintable():
        raise PlanError(
            "the name of a related region is too long or not valid text",
            "use at most 200 characters",
        )
    return Region(label=label.strip(), box=as_box(box, "related region"))


def as_canvas(value: Any) -> tuple[int, int] | CanvasShape:
    """Return `(width, height)` in pixels from a side, a pair, or text: `512`, `640x448`.

    Of the text `9:16`, and of a `CanvasShape`, the shape is returned.

    Raises:
        UsageError: if it is none of these, or out of range.
    """
    if isinstance(value, CanvasShape):
        return value
    pair: tuple[Any, ...]
    if isinstance(value, str) and ":" in value:
        return _shape(value)
    if isinstance(value, str):
        width, by, height = value.lower().partition("x")
        sides = (width, height if by else width)
        pair = tuple(int(s) if s.strip().isdecimal() and len(s) < 10 else None for s in sides)
        hint = "write 512 or 640x448, in pixels, or a shape: 9:16"
    else:
        pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
        hint = "give a side or (width, height), in pixels, or a shape: '9:16'"
    legal = (isinstance(side, int) and MIN_SIDE <= side <= MAX_SIDE for side in pair)
    if len(pair) != 2 or not all(legal):
        raise UsageError(f"{value!r} is not a canvas", hint)
    if isinstance(value, str) and max(pair) < SMALLEST_WRITTEN:
        raise UsageError(f"a canvas of {value} px is too small", "write a shape as 9:16")
    return pair


def _shape(text: str) -> CanvasShape:
    parts = [part.strip() for part in text.split(":")]
    numbers = [int(part) for part in parts if part.isdecimal() and len(part) < 6]
    if len(parts) == len(numbers) == 2 and min(numbers) > 0:
        if max(numbers) <= MAX_RATIO * min(numbers):
            return CanvasShape(*numbers)
        raise UsageError(
            f"a canvas of {text} is too narrow", f"no side may be over {MAX_RATIO} times the other"
        )
    raise UsageError(f"{text!r} is not a canvas", "write a shape as 9:16, or a size as 640x448")


def as_loras(value: Any) -> list[tuple[Path, float | None]]:
    """Return LoRAs, given as `file` or `file:weight`, one or several; None is none.

    Returns:
        The files, each with its weight from -5 to 5, or None if there is none.

    Raises:
        UsageError: for a weight out of range, too many, or another type.
    """
    split = map(split_weight, _adapter_files("lora", value))
    return [(Path(file), weight) for file, weight in split]


def as_embeddings(value: Any) -> list[Path]:
    """Return the files of embeddings, given as one or several; None is none.

    Raises:
        UsageError: for too many, or another type.
    """
    return [Path(text) for text in _adapter_files("embedding", value)]


def _adapter_files(name: str, value: Any) -> list[str]:
    if value is None:
        return []
    check_type(name, value, (*PATH, Sequence), "a file or a list of files")
    files = [value] if isinstance(value, PATH) else list(value)
    for file in files:
        check_type(name, file, PATH, "a file or a list of files")
    if len(files) > MAX_ADAPTERS:
        raise UsageError(f"{len(files)} files for {name}=", f"give at most {MAX_ADAPTERS}")
    return [os.fspath(file) for file in files]


def split_weight(text: str) -> tuple[str, float | None]:
    """Split `file:weight`; the weight is None if there is none.

    Raises:
        UsageError: if it is out of range.
    """
    file, colon, number = text.rpartition(":")
    if not colon or not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", number):
        return text, None
    weight = float(number)
    if abs(weight) > MAX_LORA_WEIGHT:
        raise UsageError(
            f"the weight {number} of a LoRA is out of range",
            f"give lora=file:weight, from -{MAX_LORA_WEIGHT:g} to {MAX_LORA_WEIGHT:g}",
        )
    return file, weight
