"""The folder of CelebAMask-HQ: read by the names of its files, with checks for missing ones.

`CelebA-HQ-img/{i}.jpg` are 30,000 portraits of 1024 px; `CelebAMask-HQ-mask-anno/{i // 2000}/
{i:05d}_{part}.png` their parts, 512 px, white on black, one file each: a part without a file is not
to be seen. Tools that merge them number the parts each in its own way; names are the same in all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops

from sow.errors import PictureError, UsageError
from sow.pictures.loading import load_mask
from sow.utils.files import read_regular
from sow.utils.type_checks import as_path

IMAGES = "CelebA-HQ-img"
ANNOTATIONS = ("CelebAMask-HQ-mask-anno", "CelebAMaskHQ-mask-anno")
"""Both spellings are about."""
MAPPING, ATTRIBUTES = "CelebA-HQ-to-CelebA-mapping.txt", "CelebAMask-HQ-attribute-anno.txt"
A_FOLDER = 2000
"""Pictures whose parts are in one folder."""
PARTS = (
    "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear", "mouth",
    "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth",
)  # fmt: skip
"""`eye_g` are glasses, `ear_r` an earring, `neck_l` a necklace; the rest says what it is."""
LONGEST = 64 * 2**20
"""Bytes of a list."""
GET_IT = "unpack CelebAMask-HQ.zip (github.com/switchablenorms/CelebAMask-HQ) and give its folder"


@dataclass(frozen=True)
class CelebA:
    """The folder of CelebAMask-HQ.

    Attributes:
        root: what holds the images and the annotations.
        annotations: the folder of the parts.
    """

    root: Path
    annotations: Path

    @classmethod
    def open(cls, root: Path | str) -> CelebA:
        """Return the folder after checking it.

        Raises:
            UsageError: if it, the images or the annotations are not there.
        """
        root = as_path("root", root)
        if not root.is_dir():
            raise UsageError(f"no folder {str(root)!r}", GET_IT)
        if not (root / IMAGES).is_dir():
            inner = next(
                (
                    f
                    for f in ("CelebAMask-HQ", IMAGES)
                    if root.name != f and (root / f / IMAGES).is_dir()
                ),
                None,
            )
            hint = f"give {str(root / inner)!r}" if inner else GET_IT
            raise UsageError(f"{str(root)!r} has no folder {IMAGES}", hint)
        found = [root / name for name in ANNOTATIONS if (root / name).is_dir()]
        if not found:
            raise UsageError(
                f"{str(root)!r} has no folder {ANNOTATIONS[0]}",
                "the masks are a folder of their own in the same archive: unpack it whole",
            )
        return cls(root, found[0])

    def image(self, number: int) -> Path:
        """Return the file of a portrait; it may be missing."""
        return self.root / IMAGES / f"{number}.jpg"

    def part(self, number: int, part: str) -> Path:
        """Return the file of a part; it may be missing.

        Raises:
            ValueError: if there is no part of this name.
        """
        if part not in PARTS:
            raise ValueError(f"{part!r} is none of {', '.join(PARTS)}")
        return self.annotations / str(number // A_FOLDER) / f"{number:05d}_{part}.png"

    def mask(self, number: int, parts: Iterable[str]) -> Image.Image | None:
        """Return the union of parts as an 8-bit grey mask of 512 px, white; None if empty.

        Raises:
            PictureError: if a file of them is damaged or not of the size of the others.
        """
        mask: Image.Image | None = None
        for file in (self.part(number, part) for part in parts):
            if not file.is_file():
                continue
            seen = load_mask(file).point(lambda level: 255 * (level >= 128))
            if mask is not None and seen.size != mask.size:
                raise PictureError(
                    f"{file.name} is {seen.width}x{seen.height}, other parts of the picture "
                    f"{mask.width}x{mask.height}",
                    "unpack CelebAMask-HQ again",
                )
            mask = seen if mask is None else ImageChops.lighter(mask, seen)
        return mask if mask is not None and mask.getbbox() else None

    def check(self, numbers: Sequence[int]) -> None:
        """Check that the portraits exist, each with at least one part.

        Raises:
            UsageError: in one line, which names the first that is missing and how many are.
        """
        skins = [self.part(number, "skin") for number in numbers]
        for what, files, there in (
            ("portraits", [self.image(number) for number in numbers], lambda n: False),
            ("portraits' masks", skins, self.has_parts),
        ):
            missing = [
                file
                for number, file in zip(numbers, files, strict=True)
                if not (file.is_file() or there(number))
            ]
            if missing:
                raise self._partial(what, missing, len(files))

    def has_parts(self, number: int) -> bool:
        """Return whether a portrait has a file for any part."""
        return any(self.part(number, part).is_file() for part in PARTS)

    def _partial(self, what: str, missing: Sequence[Path], of: int) -> UsageError:
        first = missing[0].relative_to(self.root).as_posix()
        known = missing[0].parent.is_dir()
        why = "" if known else f"; there is no folder {Path(first).parent.as_posix()}"
        return UsageError(
            f"{len(missing)} of {of} {what} are missing in {str(self.root)!r}, the first "
            f"{first}{why}",
            "unpack the whole CelebAMask-HQ.zip again",
        )

    def originals(self) -> dict[int, str]:
        """Return the CelebA file that each portrait was made from; empty without the list.

        Raises:
            UsageError: if the list is there and no such list.
        """
        return {
            int(row[0]): row[2]
            for row in _rows(self.root / MAPPING, 1)
            if _fits(self.root / MAPPING, len(row) == 3 and row[0].isdecimal())
        }

    def same_people(self, identities: Path) -> list[tuple[Path, Path]]:
        """Return two portraits of each person who has several, for the ceiling of ID-Distance.

        Args:
            identities: CelebA's `identity_CelebA.txt`, a file and the number of a person a line,
                which CelebAMask-HQ does not come with.

        Raises:
            UsageError: if it, or the mapping of CelebAMask-HQ, is not there or no such list.
        """
        people: dict[str, list[int]] = {}
        known = {row[0]: row[1] for row in _rows(identities, 0) if _fits(identities, len(row) == 2)}
        originals = self.originals()
        if not known or not originals:
            lacking = MAPPING if known else identities.name
            raise UsageError(f"no {lacking}", "it says which portraits show one person")
        for number, original in sorted(originals.items()):
            if original in known and self.image(number).is_file():
                people.setdefault(known[original], []).append(number)
        some = (numbers[:2] for numbers in people.values() if len(numbers) > 1)
        return [(self.image(one), self.image(other)) for one, other in some]

    def attributes(self) -> dict[int, frozenset[str]]:
        """Return CelebA's attributes of portraits, such as `Eyeglasses`; empty without the list.

        Raises:
            UsageError: if the list is there and no such list.
        """
        file = self.root / ATTRIBUTES
        rows = _rows(file, 1)
        names = next(rows, [])
        found = {}
        for name, *marks in rows:
            stem = name.partition(".")[0]
            good = stem.isdecimal() and len(marks) == len(names) and {*marks} <= {"1", "-1"}
            _fits(file, good)
            labelled = zip(names, marks, strict=True)
            found[int(stem)] = frozenset(name for name, mark in labelled if mark == "1")
        return found


def _rows(file: Path, skipped: int) -> Iterator[list[str]]:
    """Yield the words of the lines of a list after the first ones; nothing without the list."""
    if not file.is_file():
        return
    try:
        text = read_regular(file, LONGEST).decode()
    except (OSError, ValueError) as error:
        raise UsageError(f"{file.name} cannot be read ({error})", "get it again") from None
    yield from (line.split() for line in text.splitlines()[skipped:] if line.strip())


def _fits(file: Path, good: bool) -> bool:
    if not good:
        raise UsageError(f"{file.name} does not have the format of CelebAMask-HQ", "get it again")
    return True
