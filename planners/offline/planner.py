"""Plan by rules and a face detector, without a key and without a network."""

from __future__ import annotations

from sow.plan.box import (
    MAX_CONDITION_SHARE,
    MIN_CONDITION_SHARE,
    MIN_FACE_LATENTS,
    Box,
    check_inside,
)
from sow.plan.plan import Plan, Region
from sow.planners.base import PlanRequest
from sow.planners.offline.cropping import FACE, THING, crop_condition
from sow.planners.offline.prompt_rules import (
    is_animal,
    read_setting,
    share_of_canvas,
    side_of_subject,
)
from sow.utils.type_checks import check_type

SUPPRESS = {FACE: "human face", THING: ""}
"""What must not appear a second time, in words; "thing" is too vague to suppress."""


class OfflinePlanner:
    """Finds the condition, places it by composition, and reads the setting in the prompt."""

    def plan(self, request: PlanRequest) -> Plan:
        """Return a legal plan.

        Raises:
            PictureError: if there is no face with the requested number.
            PlanError: if the user's box or regions are not legal.
        """
        check_type("request", request, (PlanRequest,), "a sow.PlanRequest")
        found = crop_condition(request)
        subject = found.subject
        if request.box is not None:
            check_inside("box", request.box, request.size)
        # A cut-out object is complete: unlike a head it has no body below it.
        complete = subject != FACE and found.matte is not None
        box = request.box or place(request, found.crop, THING if complete else subject)
        related = request.related
        if related is None:
            around = surroundings if complete else related_regions
            related = around(box, request.size, subject)
        plan = Plan.parse(
            {
                **({"canvas": request.canvas} if request.canvas else {}),
                "prompt": request.prompt.strip(),
                "box": box,
                "related": related,
                "setting": request.setting or read_setting(request.prompt),
                "subject": subject,
                "suppress": SUPPRESS.get(subject, subject),
                "turn": found.turn,
                "crop": found.crop,
                "ellipse": found.ellipse and found.ellipse.mapped(found.crop, box),
                "matte": found.matte,
                "planner": "offline",
                "notes": found.notes,
            }
        )
        return plan.aligned(request.vae_scale_factor)


def place(request: PlanRequest, crop: Box, subject: str) -> Box:
    """Return the box of the condition, with a size in the paper's range.

    A face is in the upper third, with room for the body below; it moves to a side if the prompt
    puts something beside it. Anything else is centred, a little below the middle.
    """
    width, height = request.size
    shorter = min(width, height)
    largest = MAX_CONDITION_SHARE
    share = min(max(share_of_canvas(request.prompt), MIN_CONDITION_SHARE), largest)
    if subject == FACE:  # on a narrow canvas
        share = min(max(share, MIN_FACE_LATENTS * request.vae_scale_factor / shorter), largest)
    scale = share * shorter / max(crop.width, crop.height)
    w, h = crop.width * scale, crop.height * scale
    side = side_of_subject(request.prompt, subject)
    x = width * {"left": 0.36, "right": 0.64, None: 0.5}[side]
    y = height / 3 if _has_body(subject) else height * 0.55
    box = Box.around(x, max(y, height * 0.06 + h / 2), w, h).aligned(
        request.vae_scale_factor, request.size
    )
    return _legal_size(box, request)


def _legal_size(box: Box, request: PlanRequest) -> Box:
    """Return a box whose size is in the paper's range after alignment, if the grid has such one."""
    shorter, grid = min(request.size), request.vae_scale_factor
    least = -int(-MIN_CONDITION_SHARE * shorter // grid) * grid
    most = int(MAX_CONDITION_SHARE * shorter // grid) * grid
    if most < grid:
        return box
    width, height = min(box.width, most), min(box.height, most)
    if max(width, height) < least <= most:
        width, height = (least, height) if width >= height else (width, least)
    return Box(x=box.x, y=box.y, width=width, height=height).aligned(grid, request.size)


def related_regions(box: Box, canvas: tuple[int, int], subject: str) -> tuple[Region, ...]:
    """Return the body below a head, down to the lower edge, or else the surroundings."""
    width, height = canvas
    x, _ = box.centre
    if _has_body(subject):
        if box.bottom >= height:
            return ()
        left = max(0, round(x - 1.1 * box.width))
        right = min(width, round(x + 1.1 * box.width))
        body = Box(x=left, y=box.bottom, width=right - left, height=height - box.bottom)
        return (Region(label="body", box=body),)
    return surroundings(box, canvas, subject)


def surroundings(box: Box, canvas: tuple[int, int], subject: str) -> tuple[Region, ...]:
    """Return the region around an object, where the rest of it may appear."""
    around = Box.around(*box.centre, 1.8 * box.width, 1.8 * box.height)
    return (Region(label=f"the rest of the {subject}", box=around.clamped(canvas)),)


def _has_body(subject: str) -> bool:
    return subject == "face" or is_animal(subject)
