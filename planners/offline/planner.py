"""The planner that needs no key and no network: a face detector and a few rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sow.box import LARGEST, SMALLEST, Box, check_inside
from sow.errors import PictureError
from sow.pictures.reading import fit_mask
from sow.plan import Plan, Region
from sow.planners.base import PlanRequest
from sow.planners.offline.faces import find_faces
from sow.planners.offline.wording import is_animal, read_setting, share_of_canvas, side_of_subject

if TYPE_CHECKING:
    from PIL import Image

# MTCNN's box goes from the forehead to the chin and from cheek to cheek. What is planted shows
# the hair and a rim of background; the condition is the head, an ellipse larger than the box.
CROP_MARGIN = 1.5
ELLIPSE_WIDTH, ELLIPSE_HEIGHT, ELLIPSE_RISE = 1.3, 1.4, 0.06


@dataclass(frozen=True)
class _Found:
    """What is planted: a part of the picture, perhaps an ellipse in it, and what to say of it."""

    crop: Box
    ellipse: Box | None
    notes: tuple[str, ...]


class OfflinePlanner:
    """Finds the face (or takes the whole picture), places it by composition, reads the setting."""

    def plan(self, request: PlanRequest) -> Plan:
        """A legal plan.

        Raises:
            PictureError: if there is no face with the number asked for.
            PlanError: if the user's box or regions are not legal.
        """
        subject = (request.subject or "face").strip().lower()
        found = self._find(request, subject)
        if request.box is not None:
            check_inside("box", request.box, request.canvas)
        box = request.box or place(request, found.crop, subject)
        related = request.related
        if related is None:
            related = related_regions(box, request.canvas, subject)
        plan = Plan.parse(
            {
                "canvas": request.canvas,
                "prompt": request.prompt.strip(),
                "box": box,
                "related": related,
                "setting": request.setting or read_setting(request.prompt),
                "subject": subject,
                "suppress": "human face" if subject == "face" else subject,
                "crop": found.crop,
                "ellipse": found.ellipse and found.ellipse.carried(found.crop, box),
                "planner": "offline",
                "notes": found.notes,
            }
        )
        return plan.aligned(request.stride)

    def _find(self, request: PlanRequest, subject: str) -> _Found:
        whole = Box(x=0, y=0, width=request.image.width, height=request.image.height)
        if request.mask is not None or request.image.mode == "RGBA":
            return _Found(_kept(request.image, request.mask), None, ())
        if subject != "face":
            return _Found(whole, None, ())
        faces = find_faces(request.image)
        if request.face_index is not None and request.face_index >= len(faces):
            raise PictureError(
                f"there is no face number {request.face_index}",
                f"{len(faces)} were found, counted from 0, the largest first",
            )
        if not faces:
            return _Found(whole, None, ("no face was found: the whole picture is the condition",))
        notes: tuple[str, ...] = ()
        if len(faces) > 1 and request.face_index is None:
            notes = (f"{len(faces)} faces were found: the largest is taken",)
        face = faces[request.face_index or 0]
        crop = _around_face(face, request.image.size)
        return _Found(crop, _head(face, crop), notes)


def _kept(image: Image.Image, mask: Image.Image | None) -> Box:
    """The smallest box around what a mask, or else the picture's transparency, keeps."""
    kept = image.getchannel("A") if mask is None else fit_mask(mask, image.size)
    corners = kept.point(lambda value: 255 * (value >= 128)).getbbox()
    if corners is None:
        raise PictureError(
            "the mask keeps nothing of the picture", "white or opaque is what is kept"
        )
    left, top, right, bottom = corners
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _around_face(face: Box, picture: tuple[int, int]) -> Box:
    """A square around the head, cut where the picture ends."""
    x, y = face.centre
    side = CROP_MARGIN * max(face.width, face.height)
    wanted = Box.around(x, y - 0.06 * side, side, side)
    left, top = max(wanted.x, 0), max(wanted.y, 0)
    right, bottom = min(wanted.right, picture[0]), min(wanted.bottom, picture[1])
    if right - left < 8 or bottom - top < 8:
        raise PictureError("the face lies outside the picture", "give a picture that shows it")
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _head(face: Box, crop: Box) -> Box:
    x, y = face.centre
    y -= ELLIPSE_RISE * face.height
    wanted = Box.around(x, y, face.width * ELLIPSE_WIDTH, face.height * ELLIPSE_HEIGHT)
    left, top = max(wanted.x, crop.x), max(wanted.y, crop.y)
    return Box(
        x=left,
        y=top,
        width=max(1, min(wanted.right, crop.right) - left),
        height=max(1, min(wanted.bottom, crop.bottom) - top),
    )


def place(request: PlanRequest, crop: Box, subject: str) -> Box:
    """The box of the condition: its size by the paper's range, its place by composition.

    A face sits in the upper third with room for the body below; it moves aside when the prompt
    puts something beside it. Anything else is centred, a little below the middle.
    """
    width, height = request.canvas
    shorter = min(width, height)
    share = min(max(share_of_canvas(request.prompt), SMALLEST), LARGEST)
    scale = share * shorter / max(crop.width, crop.height)
    w, h = crop.width * scale, crop.height * scale
    side = side_of_subject(request.prompt, subject)
    x = width * {"left": 0.36, "right": 0.64, None: 0.5}[side]
    y = height / 3 if _has_body(subject) else height * 0.55
    box = Box.around(x, max(y, height * 0.06 + h / 2), w, h).aligned(request.stride, request.canvas)
    return _legal_size(box, request)


def _legal_size(box: Box, request: PlanRequest) -> Box:
    """Rounding to the grid must not leave the paper's range, where the grid has a size in it."""
    shorter, stride = min(request.canvas), request.stride
    least = -int(-SMALLEST * shorter // stride) * stride
    most = int(LARGEST * shorter // stride) * stride
    if most < stride:
        return box
    width, height = min(box.width, most), min(box.height, most)
    if max(width, height) < least <= most:
        width, height = (least, height) if width >= height else (width, least)
    return Box(x=box.x, y=box.y, width=width, height=height).aligned(stride, request.canvas)


def related_regions(box: Box, canvas: tuple[int, int], subject: str) -> tuple[Region, ...]:
    """The body below a head, down to the edge; around anything else, its surroundings."""
    width, height = canvas
    x, y = box.centre
    if _has_body(subject):
        if box.bottom >= height:
            return ()
        left = max(0, round(x - 1.1 * box.width))
        right = min(width, round(x + 1.1 * box.width))
        body = Box(x=left, y=box.bottom, width=right - left, height=height - box.bottom)
        return (Region(label="body", box=body),)
    around = Box.around(x, y, 1.8 * box.width, 1.8 * box.height)
    return (Region(label=f"the rest of the {subject}", box=around.clamped(canvas)),)


def _has_body(subject: str) -> bool:
    return subject == "face" or is_animal(subject)
