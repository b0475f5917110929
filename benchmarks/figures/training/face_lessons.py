"""Training data of the detector of drawn faces: pictures and the faces in them.

People of all sizes, cut off, turned a little, several at once, with and without a body; drawings
without anybody, people without heads, and photographs, in none of which there is a drawn face.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from random import Random

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from sow.benchmarks.figures.world import layout
from sow.benchmarks.figures.world.drawing import JUDGING, draw
from sow.benchmarks.figures.world.paper import FACE, HAIR
from sow.benchmarks.figures.world.people import Person
from sow.planners.offline.drawn_faces import SIDE

SEEDS = JUDGING + 2_000_000
FINE = 256
"""Width of the drawings that pictures are cut out of."""
PHOTOGRAPHS = (
    "brick", "camera", "cell", "coins", "grass", "gravel", "hubble_deep_field", "ihc",
    "moon", "motorcycle_left", "page", "retina", "text", "clock_motion",
)  # fmt: skip
"""scikit-image's, but for those that are kept back: astronaut, chelsea, coffee and rocket."""
Pixels = NDArray[np.uint8]
Face = NDArray[np.floating]
"""Centre, width and height."""


@dataclass
class Sheets:
    """The drawings and photographs that training pictures are cut from.

    pictures: uint8 (N, 256, 256, 3); heads: bool (N, 128, 128); faces: float (N, 4), centre,
    width and height in pixels of 256, 0 where nobody is. things: float (N, 3), the first thing's
    centre and size likewise. photographs: of any size.
    """

    pictures: Pixels
    heads: NDArray[np.bool_]
    faces: Face
    things: Face
    photographs: list[Pixels]


def face_of(person: Person) -> tuple[float, float, float, float]:
    """Return centre, width and height of a face from forehead to chin, in pixels of 128."""
    (half, tall), pose = person.radius, person.pose
    return pose.x, pose.y + 0.14 * tall, 1.92 * half, 1.71 * tall


Row = tuple[Pixels, NDArray[np.bool_], tuple[float, ...], tuple[float, ...]]


def _sheet(number: int) -> Row:
    random = Random(SEEDS + number)
    spec = layout.sample(random)
    image, parts = draw(spec, random, size=FINE)
    face = face_of(spec.person) if spec.person is not None else (0.0, 0.0, 0.0, 0.0)
    thing = next(((t.x, t.y, t.size) for t in spec.things), (0.0, 0.0, 0.0))
    return np.asarray(image), np.isin(parts, (FACE, HAIR)), face, thing


def make_sheets(count: int) -> Sheets:
    """Draw them; the same count gives the same sheets."""
    with Pool() as pool:
        rows = list(
            tqdm(pool.imap(_sheet, range(count), 50), total=count, desc="drawings", disable=None)
        )
    pictures, heads, faces, things = (np.stack([row[k] for row in rows]) for k in range(4))
    scale = FINE / 128
    return Sheets(
        pictures,
        heads,
        (faces * scale).astype(np.float32),
        (things * scale).astype(np.float32),
        photographs(),
    )


def photographs() -> list[Pixels]:
    """Return the photographs without people."""
    from skimage import data

    folder = Path(data.__file__).parent
    found = [path for path in sorted(folder.iterdir()) if path.stem in PHOTOGRAPHS]
    return [np.asarray(Image.open(path).convert("RGB")) for path in found]


def lesson(sheets: Sheets, random: np.random.Generator) -> tuple[Pixels, Face]:
    """Return a picture of 128 x 128 and the faces in it, (K, 4)."""
    kind = random.random()
    if kind < 0.12:
        picture, faces = _photograph(sheets, random), np.empty((0, 4), np.float32)
    elif kind < 0.3:
        picture, faces = _collage(sheets, random)
    else:
        picture, faces = _seen(sheets, random)
    return _coloured(picture, random), faces


def _photograph(sheets: Sheets, random: np.random.Generator) -> Pixels:
    photograph = sheets.photographs[random.integers(len(sheets.photographs))]
    side = round(min(photograph.shape[:2]) * random.uniform(0.2, 1))
    y, x = (random.integers(length - side + 1) for length in photograph.shape[:2])
    cut = photograph[y : y + side, x : x + side]
    return np.asarray(cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _seen(sheets: Sheets, random: np.random.Generator) -> tuple[Pixels, Face]:
    """Return a drawing from near or far, slightly rotated."""
    number = int(random.integers(len(sheets.pictures)))
    picture, face = sheets.pictures[number], sheets.faces[number]
    somebody = bool(face[2] > 0)
    if somebody and random.random() < 0.15:
        picture, somebody = _headless(sheets, number, random), False
    thing = sheets.things[number]
    if face[2] > 0 and random.random() < 0.75:
        scale = math.exp(random.uniform(math.log(14), math.log(105))) / face[2]
        centre, reach = face[:2], max(0.0, SIDE / 2 - 0.3 * scale * face[2])
    elif face[2] == 0 and thing[2] > 0 and random.random() < 0.8:
        # Cats and dogs have eyes and cars have lamps: from near, they fill the picture too.
        scale = math.exp(random.uniform(math.log(30), math.log(160))) / thing[2]
        centre, reach = thing[:2], SIDE * 0.15
    else:
        scale = math.exp(random.uniform(math.log(0.4), math.log(1.0)))
        centre, reach = np.array([FINE / 2, FINE / 2]), SIDE * 0.1
    return _turned(picture, face if somebody else None, (scale, centre, reach), random)


def _turned(
    picture: Pixels,
    face: Face | None,
    seen: tuple[float, Face, float],
    random: np.random.Generator,
) -> tuple[Pixels, Face]:
    scale, (x, y), reach = seen
    angle, flip = random.normal(0, 5), -1 if random.random() < 0.5 else 1
    turn = cv2.getRotationMatrix2D((0, 0), angle, scale) @ np.diag([flip, 1, 1])
    to = SIDE / 2 + random.uniform(-reach, reach, 2)
    turn[:, 2] = to - turn[:, :2] @ (x, y)
    border = (cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE)[int(random.random() < 0.4)]
    fill = (128, 128, 128) if random.random() < 0.6 else random.integers(0, 256, 3).tolist()
    # What is shrunk by warping alone has jagged edges.
    smooth = cv2.GaussianBlur(picture, (0, 0), 0.4 / scale) if scale < 0.6 else picture
    warped = cv2.warpAffine(smooth, turn, (SIDE, SIDE), borderMode=border, borderValue=fill)
    made = np.asarray(warped, np.uint8)
    if face is None:
        return made, np.empty((0, 4), np.float32)
    centre = turn @ np.array([face[0], face[1], 1])
    inside = bool((centre > 0).all() and (centre < SIDE).all())
    moved = np.array([[*centre, scale * face[2], scale * face[3]]], np.float32)
    return made, moved if inside else moved[:0]


def _headless(sheets: Sheets, number: int, random: np.random.Generator) -> Pixels:
    """Return a person whose head is hidden by a piece of another drawing, or of their own."""
    picture: Pixels = sheets.pictures[number].copy()
    head = cv2.resize(sheets.heads[number].astype(np.uint8), (FINE, FINE))
    hidden = np.asarray(cv2.dilate(head, np.ones((9, 9), np.uint8)), bool)
    nobody = np.flatnonzero(sheets.faces[:, 2] == 0)
    other = sheets.pictures[random.choice(nobody)]
    if random.random() < 0.4:
        other = np.broadcast_to(random.integers(0, 256, 3).astype(np.uint8), picture.shape)
    elif random.random() < 0.3:
        other = np.asarray(cv2.GaussianBlur(picture, (0, 0), 24), np.uint8)
    picture[hidden] = other[hidden]
    return picture


def _collage(sheets: Sheets, random: np.random.Generator) -> tuple[Pixels, Face]:
    """Return two to four drawings in one picture."""
    down, across = ((1, 2), (2, 1), (2, 2))[random.integers(3)]
    made, found = np.empty((SIDE, SIDE, 3), np.uint8), []
    height, width = SIDE // down, SIDE // across
    for row in range(down):
        for column in range(across):
            number = int(random.integers(len(sheets.pictures)))
            scale = height / FINE
            small = cv2.resize(
                sheets.pictures[number], (height, height), interpolation=cv2.INTER_AREA
            )
            left = int(random.integers(height - width + 1)) if height > width else 0
            piece = cv2.resize(small[:, left : left + width], (width, height))
            made[row * height : (row + 1) * height, column * width : (column + 1) * width] = piece
            x, y, w, h = sheets.faces[number] * scale
            wide = width / min(width, height)
            x, w = (x - left) * wide, w * wide
            if w > 0 and 0 < x < width:
                found.append([x + column * width, y + row * height, w, h])
    return made, np.array(found, np.float32).reshape(-1, 4)


def _coloured(picture: Pixels, random: np.random.Generator) -> Pixels:
    """Return a picture with other light and colours, noise and JPEG artefacts."""
    x: Face = picture.astype(np.float32)
    if random.random() < 0.08:
        x = np.repeat(x.mean(-1, keepdims=True), 3, -1)
    gain, light = random.uniform(0.8, 1.2, 3) ** (random.random() < 0.5), random.uniform(-24, 24)
    x = (x - 128) * random.uniform(0.75, 1.2) + 128 + light
    x = x * gain + random.normal(0, random.uniform(0, 8), x.shape)
    made = np.clip(x, 0, 255).astype(np.uint8)
    if random.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 90))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", made, quality)[1], cv2.IMREAD_COLOR)
        made = np.asarray(decoded, np.uint8)
    return made
