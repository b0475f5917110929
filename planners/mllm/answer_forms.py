"""Other ways in which models write what they were asked for, turned into the asked one.

Only what is said is used here: the names of keys. What four numbers mean is found out in `boxes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

Order = Literal["named", "list", "xywh", "xyxy", "yxyx"]
"""How a box's numbers are told apart: by `named` fields; or listed, in an order that is known by
the name of the list, or not (`list`)."""
ORDERS: tuple[str, ...] = get_args(Order)
BOX_KEYS: Mapping[str, Order] = {
    "box": "list",
    "bbox": "list",
    "boundingbox": "list",
    "box2d": "yxyx",  # Gemini's detections: [ymin, xmin, ymax, xmax]
    "bbox2d": "xyxy",  # Qwen's: [x1, y1, x2, y2]
}
SIZES = (
    ("x", "y", "width", "height"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
    ("xmin", "ymin", "width", "height"),
)
CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("minx", "miny", "maxx", "maxy"),
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
)
CENTRES = (("cx", "cy", "w", "h"), ("cx", "cy", "width", "height"),
           ("centerx", "centery", "width", "height"))  # fmt: skip
FIELDS = SIZES[0]
MAX_NUMBER_LENGTH = 40
"""The limit of a number in characters."""


def box_fields(value: Any) -> Any:
    """Return a box as `x`, `y`, `width`, `height` and `order`; anything else as it is."""
    if isinstance(value, str):
        value = _listed(value)
    if isinstance(value, list):
        return _list_fields(value)
    if not isinstance(value, dict):
        return value
    order = value.get("order")
    if order in ORDERS and set(FIELDS) <= set(value):  # read before, and stored
        return value
    found = {_plain(key): number for key, number in value.items() if isinstance(key, str)}
    for keys in SIZES:
        if set(keys) <= set(found):
            return dict(zip(FIELDS, (_number(found[key]) for key in keys), strict=True))
    for kinds, convert in ((CORNERS, _from_corners), (CENTRES, _from_centre)):
        for keys in kinds:
            if set(keys) <= set(found):
                four = [_number(found[key]) for key in keys]
                return convert(*four) if all(isinstance(n, float) for n in four) else value
    return {key: number for key, number in value.items() if key != "order"}


def find_box(value: Any) -> Any:
    """Return fields with a `box`, where it has another name, or is not wrapped in a field."""
    if not isinstance(value, dict) or "box" in value:
        return value
    for key, box in value.items():
        order = BOX_KEYS.get(_plain(key)) if isinstance(key, str) else None
        if order is None:
            continue
        fields = box_fields(box)
        if isinstance(fields, dict) and fields.get("order") == "list":
            fields = {**fields, "order": order}
        return {**value, "box": fields}
    fields = box_fields(value)
    whole = isinstance(fields, dict) and set(FIELDS) <= set(fields)
    return {**value, "box": fields} if whole else value


def triple_fields(value: Any) -> Any:
    """Return a relation as `subject`, `relation`, `object`, where it is a list or has a synonym."""
    if isinstance(value, list) and len(value) == 3:
        return dict(zip(("subject", "relation", "object"), value, strict=True))
    if isinstance(value, dict) and "relation" not in value and "predicate" in value:
        return {**value, "relation": value["predicate"]}
    return value


def without_null(value: Any, *lists: str) -> Any:
    """Return fields with empty lists for null; a list that is left out stays left out."""
    if not isinstance(value, dict):
        return value
    return {name: [] if name in lists and v is None else v for name, v in value.items()}


def words(value: Any) -> Any:
    """Return a list of words, where they are one text with commas."""
    return [part for part in re.split(r"[,;\n]", value) if part.strip()] if _text(value) else value


def word(value: Any) -> Any:
    """Return a word in lower case, without what stands around it."""
    return value.strip(" .\"'\n").lower() if _text(value) else value


def _text(value: Any) -> bool:
    return isinstance(value, str) and len(value) < 2000


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key[:40].lower())


def _listed(text: str) -> Any:
    """Return the numbers of a text such as `[60, 40, 220, 220]`, or the text."""
    parts = re.split(r"[,\s]+", text.strip(" []()\n")) if len(text) <= 4 * MAX_NUMBER_LENGTH else []
    return parts if len(parts) == 4 else text


def _list_fields(value: list[Any]) -> Any:
    if len(value) == 2 and all(isinstance(point, list) and len(point) == 2 for point in value):
        return {**_fields([*value[0], *value[1]]), "order": "xyxy"}
    return {**_fields(value), "order": "list"} if len(value) == 4 else value


def _fields(numbers: list[Any]) -> dict[str, Any]:
    return dict(zip(FIELDS, map(_number, numbers), strict=True))


def _number(value: Any) -> Any:
    """Return a number as a float, also one with a unit: `60px`, `12%`; anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return float(value) if abs(value) < 1e300 else value
    if not isinstance(value, str) or len(value) > MAX_NUMBER_LENGTH:
        return value
    text = value.strip().lower()
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
        return float(text.removesuffix("px"))
    except ValueError:
        return value


def _from_corners(left: float, top: float, right: float, bottom: float) -> dict[str, float]:
    return dict(zip(FIELDS, (left, top, right - left, bottom - top), strict=True))


def _from_centre(x: float, y: float, width: float, height: float) -> dict[str, float]:
    return dict(zip(FIELDS, (x - width / 2, y - height / 2, width, height), strict=True))
