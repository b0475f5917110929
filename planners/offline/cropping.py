"""Find the condition in the user's picture: a head, the object in the middle, or all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sow.errors import PictureError
from sow.pictures.formats import is_photograph
from sow.pictures.loading import (
    TRANSPARENCY,
    check_not_blank,
    empty_mask_error,
    fit_mask,
    turned,
)
from sow.plan.box import Box
from sow.plan.plan import Matte
from sow.planners.offline.faces import find_faces, has_turned_face, likely_face, turn_to_face
from sow.planners.offline.neighbours import own_part, side_of_face
from sow.planners.offline.prompt_rules import named_animal, names_person

if TYPE_CHECKING:
    from PIL import Image

    from sow.planners.base import PlanRequest

# A face's box goes from the forehead to the chin and from cheek to cheek. The head, with its hair,
# is an ellipse larger than the box.
CROP_MARGIN = 1.5
ELLIPSE_WIDTH, ELLIPSE_HEIGHT, ELLIPSE_RISE = 1.3, 1.4, 0.06
FACE, THING = "face", "thing"
MARGIN = 0.08
"""The margin around a cut-out object on every side, as a share of its longer side."""


@dataclass(frozen=True)
class ConditionCrop:
    """The condition and how it is cut out, in pixels of the picture.

    Attributes:
        crop: the part of the picture that goes into the plan's box.
        subject: `face`, an animal, `thing`, or the request's subject.
        ellipse: the head approximately; only if a face was found.
        matte: how the outline is found; None if it is not.
        notes: what the user should know.
        turn: by how many degrees the picture is turned clockwise; all boxes are in pixels of the
            turned picture.
    """

    crop: Box
    subject: str
    ellipse: Box | None = None
    matte: Matte | None = None
    notes: tuple[str, ...] = ()
    turn: int = 0


def crop_condition(request: PlanRequest) -> ConditionCrop:
    """Return the condition of a request.

    Unless the request names a subject, a face is searched for, also on its side or upside down;
    without one the subject is the animal in the prompt, or a thing.

    Raises:
        PictureError: if there is no face with the requested number, a mask keeps nothing, or the
            picture is blank.
    """
    image = request.picture
    subject = (request.subject or "").strip().lower()
    if request.mask is not None or image.mode == "RGBA":
        return ConditionCrop(_kept(image, request.mask), _subject_without_search(request, subject))
    if request.matte == "none":
        return ConditionCrop(_whole(image), _subject_without_search(request, subject))
    check_not_blank(image)
    if subject not in ("", FACE):
        return _crop_thing(request, subject)
    faces = find_faces(image)
    turn = 0 if faces else turn_to_face(image)
    if turn and (faces := find_faces(turned(image, turn))):
        request = replace(request, image=turned(image, turn))
    if request.face_index is not None or faces:
        return _crop_face(request, faces, turn)
    if not subject and (has_turned_face(image) or not may_be_face(request)):
        return _crop_without_face(request)
    likely = likely_face(image)
    if likely is not None:
        note = (
            "no face was found with certainty: using the most likely one; if it is not a face, "
            "set subject="
        )
        # Without an ellipse a multimodal model may say that it is not a face.
        return replace(_crop_head(request, likely, (note,)), ellipse=None)
    return _crop_close_up(request) if subject else _crop_without_face(request)


def may_be_face(request: PlanRequest) -> bool:
    """Return whether an uncertain face is plausible: a person in the prompt, or a drawing."""
    about = request.prompt
    return names_person(about) or not (named_animal(about) or is_photograph(request.picture))


def _subject_without_search(request: PlanRequest, subject: str) -> str:
    """Return the subject if a mask selects the condition, or all of the picture is planted."""
    animal = named_animal(request.prompt)
    if subject or animal:
        return subject or animal or THING
    return FACE if names_person(request.prompt) or find_faces(request.picture) else THING


def _crop_face(request: PlanRequest, faces: Sequence[Box], turn: int) -> ConditionCrop:
    """Return the head of the requested face, or of the largest, and nobody else's.

    Raises:
        PictureError: if there is no face with the requested number.
    """
    wanted, notes = request.face_index, []
    if wanted is not None and wanted >= len(faces):
        raise PictureError(
            f"no face number {wanted}",
            f"faces found: {len(faces)}; count from 0, largest first",
        )
    if turn:
        notes.append(
            f"the picture was turned clockwise by {turn} degrees, which makes a face upright; "
            "matte=none leaves it as it is"
        )
    chosen = faces[wanted or 0]
    if len(faces) > 1 and wanted is None:
        where = side_of_face(chosen, faces)
        notes.append(
            f"{len(faces)} faces were found: using the largest, {where}; choose another with "
            "face_index="
        )
    found = _crop_head(request, chosen, tuple(notes))
    part = own_part(chosen, [face for face in faces if face is not chosen], request.picture.size)
    if not found.crop.is_inside_box(part):
        found = _crop_head(request, chosen, tuple(notes), part)
    return replace(found, turn=turn)


def _crop_head(
    request: PlanRequest, face: Box, notes: tuple[str, ...], part: Box | None = None
) -> ConditionCrop:
    """Return the head of a face, with its hair, cut out as the request asks.

    part: the part of the picture to stay in, if somebody else is near.
    """
    from sow.pictures.matte import has_background  # imports numpy

    image = request.picture
    around = _around_face(face, part or _whole(image))
    if request.matte == "box":
        return ConditionCrop(around, FACE, notes=notes)
    head = _head(face)
    inside = _cut(head, around)
    if request.matte == "ellipse":
        return ConditionCrop(around, FACE, inside, notes=notes)
    matte = Matte(head=head, by=_method(request), within=part)
    fills = matte.by == "grabcut" and not has_background(image.size, head, part)
    found = None if fills else _outlined(image, matte)
    if found is None:
        why = "the head fills the picture" if fills else "the outline of the head was not found"
        note = f"{why}: using an ellipse"
        return ConditionCrop(around, FACE, inside, notes=(*notes, note))
    crop = _crop(found) if part is None else _cut(_crop(found), part)
    return ConditionCrop(crop, FACE, _cut(head, crop), matte, notes)


def _crop_close_up(request: PlanRequest) -> ConditionCrop:
    """Return the condition if the subject is a face but none is found: it may fill the picture."""
    from sow.pictures.matte import has_clear_outline

    image = request.picture
    if request.matte in ("auto", "rembg"):
        width, height = image.size
        head = Box(x=round(0.08 * width), y=round(0.03 * height),
                   width=round(0.84 * width), height=round(0.97 * height))  # fmt: skip
        matte = Matte(head=head, by=_method(request))
        found = _outlined(image, matte)
        if found is not None and has_clear_outline(image, found):
            note = (
                "no face was found: treating the picture as a close-up of a head; "
                "if it is not, set subject="
            )
            return ConditionCrop(_crop(found), FACE, matte=matte, notes=(note,))
    note = "no face was found: planting the whole picture; to plant a part of it, give mask="
    return ConditionCrop(_whole(image), FACE, notes=(note,))


def _crop_without_face(request: PlanRequest) -> ConditionCrop:
    """Return the condition if no face is found and the request does not ask for one."""
    animal = named_animal(request.prompt)
    found = _crop_thing(request, animal or THING)
    note = f"no face was found: treating the picture as the {animal} of the prompt"
    if animal is None:
        note = (
            "no face was found: planting the picture as a thing; name it with subject= "
            f"(`{FACE}` if it is a face), or mark the part to plant with mask="
        )
    if has_turned_face(request.picture):
        note = (
            "a face lies on its side or upside down: planting it as a thing; to plant the face, "
            "rotate the picture"
        )
    return replace(found, notes=(note, *found.notes))


def _crop_thing(request: PlanRequest, subject: str) -> ConditionCrop:
    image = request.picture
    if request.matte not in ("auto", "rembg"):
        return ConditionCrop(_whole(image), subject)
    matte = Matte(by=_method(request))
    found = _outlined(image, matte)
    if found is not None:
        return ConditionCrop(_crop(found), subject, matte=matte)
    note = f"the outline of the {subject} was not found: planting the whole picture"
    return ConditionCrop(_whole(image), subject, notes=(note,))


def _outlined(image: Image.Image, matte: Matte) -> Image.Image | None:
    """Return what a matte keeps of a picture, or None; imports numpy only when needed."""
    from sow.pictures.matte import extract_matte

    return extract_matte(image, matte.head, matte.by, matte.within)


def _method(request: PlanRequest) -> str:
    return "rembg" if request.matte == "rembg" else "grabcut"


def _whole(image: Image.Image) -> Box:
    return Box(x=0, y=0, width=image.width, height=image.height)


def _kept(image: Image.Image, mask: Image.Image | None) -> Box:
    """Return the smallest box around what a mask, or the picture's transparency, keeps."""
    if mask is None:
        return _extent(image.getchannel("A"), TRANSPARENCY)
    return _extent(fit_mask(mask, image.size))


def _extent(mask: Image.Image, by: str = "the mask") -> Box:
    corners = mask.point(lambda value: 255 * (value >= 128)).getbbox()
    if corners is None:
        raise empty_mask_error(by)
    left, top, right, bottom = corners
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _crop(found: Image.Image) -> Box:
    """Return a square around what a matte keeps, moved into the picture."""
    box = _extent(found)
    side = (1 + 2 * MARGIN) * max(box.width, box.height)
    return Box.around(*box.centre, side, side).clamped(found.size)


def _around_face(face: Box, picture: Box) -> Box:
    """Return a square around the head of a face, cut at the border of the picture or its part."""
    x, y = face.centre
    side = CROP_MARGIN * max(face.width, face.height)
    wanted = Box.around(x, y - 0.06 * side, side, side)
    square = wanted.intersection(picture)
    if square is None or square.width < 8 or square.height < 8:
        raise PictureError("the face lies outside the picture", "give a picture that shows it")
    return square


def _head(face: Box) -> Box:
    """Return the ellipse of the head of a face, which may leave the picture."""
    x, y = face.centre
    y -= ELLIPSE_RISE * face.height
    return Box.around(x, y, face.width * ELLIPSE_WIDTH, face.height * ELLIPSE_HEIGHT)


def _cut(head: Box, crop: Box) -> Box:
    left, top = max(head.x, crop.x), max(head.y, crop.y)
    return Box(
        x=left,
        y=top,
        width=max(1, min(head.right, crop.right) - left),
        height=max(1, min(head.bottom, crop.bottom) - top),
    )
