"""Masks and the parts of a picture: from pixel classes to heads, bodies and objects.

Neighbours of a pixel are above, below, left and right; outside the picture there is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sow.benchmarks.figures.judge.classes import (
    BODY,
    FACE,
    FIRST_KIND,
    HAIR,
    HAND,
    NECK,
    PARTS,
    SHADES,
)
from sow.benchmarks.figures.world.drawing import box_of
from sow.benchmarks.figures.world.people import SKINS
from sow.plan.box import Box, iou

Classes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SMALLEST_FACE = 90
"""Pixels; a face of 18 by 18 has some 250."""
SMALLEST_THING = 60
NECK_SHADE = 0.86
"""A neck is this much darker than its face (as the renderer draws it)."""
SKIN_TOLERANCE = {"none": 40.0, "oil": 40.0, "watercolor": 60.0, "sketch": 1e9}
"""How far, in RGB, a face's pixel may be from the skin that its neck leads to expect. Watercolours
are mixed with white and sketches have no skin colour at all."""
SKIN_SHARE = 0.15
OTHER_SKIN = 70.0
"""Skins that a person calls different are farther apart than this, in RGB."""


@dataclass(frozen=True)
class Head:
    """A head: its box with hair, in pixels, and where its face is, (128, 128)."""

    box: Box
    face: Mask


@dataclass(frozen=True)
class DetectedThing:
    """An object that the judge finds."""

    kind: str
    colour: str
    box: Box
    mask: Mask


def pieces(mask: Mask) -> list[Mask]:
    """Return the connected pieces of a mask, the largest first."""
    labels = labelled(mask)
    found = [labels == n for n in range(1, labels.max(initial=0) + 1)]
    return sorted(found, key=lambda piece: -int(piece.sum()))


def find_heads(classes: Classes, near: Box | None = None) -> tuple[Head, ...]:
    """Return the heads: every face that is large enough, with the hair that touches it.

    near: the head that overlaps this box most comes first, and heads that only touch it stay
    behind; without it, the largest.
    """
    faces = [face for face in pieces(classes == FACE) if face.sum() >= SMALLEST_FACE]
    hair = classes == HAIR
    heads = []
    for face in faces:
        seen = box_of(face)
        assert seen is not None
        around = np.zeros_like(face)
        wide = seen.width // 3 + 2
        rows = slice(max(0, seen.y - seen.height), seen.bottom + seen.height // 4)
        around[rows, max(0, seen.x - wide) : seen.right + wide] = True
        box = box_of(face | (hair & around & _touching(hair, face)))
        assert box is not None
        heads.append(Head(box, face))
    if near is not None:
        heads.sort(key=lambda head: -iou(head.box.corners, near.corners))
    return tuple(heads)


def _touching(mask: Mask, seed: Mask) -> Mask:
    """Return the pieces of a mask that touch the seed."""
    labels = labelled(mask | seed)
    return np.isin(labels, np.unique(labels[seed]))


def find_things(classes: Classes, shades: NDArray[np.uint8]) -> tuple[DetectedThing, ...]:
    """Return the objects: pieces of one kind, near ones joined, with their commonest colour."""
    found = []
    for kind in range(FIRST_KIND, len(PARTS)):
        mask = classes == kind
        if mask.sum() < SMALLEST_THING:
            continue
        joined = labelled(grown(mask, 2))
        for n in np.unique(joined[mask]):
            piece = mask & (joined == n)
            box = box_of(piece)
            if box is None or piece.sum() < SMALLEST_THING:
                continue
            colour = SHADES[int(np.bincount(shades[piece]).argmax())]
            found.append(DetectedThing(PARTS[kind], colour, box, piece))
    return tuple(sorted(found, key=lambda thing: -int(thing.mask.sum())))


def is_truncated(pixels: NDArray[np.uint8], classes: Classes, head: Head, tolerance: float) -> bool:
    """Return whether a head has no neck, a neck of another skin, or no body.

    tolerance: how far, in RGB, skins may be apart; see SKIN_TOLERANCE. A head that the lower
    border of the picture cuts off cannot tell and is not truncated.
    """
    face = box_of(head.face)
    assert face is not None
    if face.bottom >= 124:
        return False
    neck = neck_below(classes, face)
    if neck is None or not joined_to_body(classes, head, face):
        return True
    return skin_shared(pixels, head, neck, tolerance) < SKIN_SHARE


def neck_below(classes: Classes, face: Box) -> Mask | None:
    """Return the neck's pixels below a face; None if there are too few."""
    zone = np.zeros(classes.shape, bool)
    top, bottom = face.y + round(face.height * 0.7), face.bottom + round(face.height * 0.4) + 2
    zone[top:bottom, face.x : face.right] = True
    neck = (classes == NECK) & zone
    return neck if neck.sum() >= 0.008 * face.width * face.height + 4 else None


def joined_to_body(classes: Classes, head: Head, face: Box) -> bool:
    """Return whether a face is connected to enough of a body through a neck."""
    person = np.isin(classes, (NECK, BODY, HAND)) | head.face
    # Outlines between face, neck and collar may be read as anything.
    near = grown(person, 2)
    reached = _touching(near, head.face) & (classes == BODY)
    reached[: face.bottom - face.height // 4] = False
    columns = slice(max(0, face.x - face.width // 2), face.right + face.width // 2)
    below = reached[:, columns].sum()
    room = (128 - face.bottom) * face.width * 2
    return bool(below >= 0.25 * min(room, face.width * face.height))


def skin_shared(pixels: NDArray[np.uint8], head: Head, neck: Mask, tolerance: float) -> float:
    """Return the share of a face that has the skin colour its neck leads to expect.

    A neck's colour, lightened as much as necks are darkened, is its face's skin. Eyes, beards
    and glasses are not: a share is asked for, not an average.
    """
    expected = np.median(pixels[neck], axis=0) / NECK_SHADE
    away = np.linalg.norm(pixels[head.face] - expected, axis=1)
    return float((away <= tolerance).mean())


def neck_of_other_skin(pixels: NDArray[np.uint8], classes: Classes, head: Head) -> bool:
    """Return whether hardly any of the neck has what a person would call the face's skin.

    The face's skin is its commonest shade above the mouth, where no beard is; of the neck a share
    is asked for, because outlines, collars and beards are smeared into it. False without a neck.
    """
    face = box_of(head.face)
    assert face is not None
    neck = neck_below(classes, face)
    if neck is None:
        return False
    upper = head.face.copy()
    upper[face.y + round(0.6 * face.height) :] = False
    colours = pixels[upper].astype(float)
    away = np.linalg.norm(colours[:, None] - np.array(SKINS, float), axis=-1)
    shades, near = away.argmin(1), away.min(1) < 60  # eyes and glasses are no skin
    if near.sum() < 10:
        return False
    common = np.bincount(shades[near]).argmax()
    skin = np.median(colours[near & (shades == common)], axis=0)
    below = pixels[neck].astype(float)
    lit, shaded = (np.linalg.norm(skin * shade - below, axis=-1) for shade in (1.0, NECK_SHADE))
    return bool((np.minimum(lit, shaded) <= OTHER_SKIN).mean() < SKIN_SHARE)


CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


def labelled(mask: Mask) -> NDArray[np.int32]:
    """Return the number of the connected piece of each pixel, from 1 in reading order; 0: none."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    return labels.astype(np.int32)


def grown(mask: Mask, pixels: int) -> Mask:
    """Return a mask extended by `pixels` steps."""
    return cv2.dilate(mask.astype(np.uint8), CROSS, iterations=pixels) > 0


def shrunk(mask: Mask, pixels: int) -> Mask:
    """Return a mask reduced by `pixels` steps."""
    return ~grown(np.pad(~mask, pixels, constant_values=True), pixels)[
        pixels:-pixels, pixels:-pixels
    ]
