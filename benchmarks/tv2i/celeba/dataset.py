"""CelebA-TV2I: its list and its prompts over a user's copy of CelebAMask-HQ.

The visual condition is the face alone (`FACE`), without hair, ears and what is worn on them: the
paper plants faces (Sec. V-A), COW's release takes a picture and a mask of what of it is meant, and
the prompts of attribute editing ask for other hair, hats and earrings, which a planted head
would forbid. Glasses lie within the face and belong to it. `HEAD` is there for those who plant
heads with their hair, as `sow generate` does with a picture that has no mask; say so in a report.

The job is given the portrait as it lies in the folder and the mask as a file: what is outside the
mask is cut away by the planner's crop and greyed by the engine, so that nothing of the portrait's
own background or hair is planted.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from PIL import Image

from sow.benchmarks.tv2i.celeba.choosing import Chosen
from sow.benchmarks.tv2i.celeba.folder import CelebA
from sow.benchmarks.tv2i.pairs import (
    SETTINGS,
    Pair,
    PairList,
    Setting,
    check_split,
    limited,
    put,
)
from sow.errors import PictureError, UsageError

LIST, PROMPTS = Path(__file__).parent / "pairs.csv", Path(__file__).parent / "prompts.toml"
FACE = (
    "skin", "l_brow", "r_brow", "l_eye", "r_eye", "eye_g", "nose", "mouth", "u_lip", "l_lip",
)  # fmt: skip
HEAD = (*FACE, "l_ear", "r_ear", "ear_r", "hair", "hat")
NAMES = {FACE: "face", HEAD: "head"}
SMALLEST = 0.02
"""Of a portrait: a mask of less than this share is taken for a slip, not for a face."""


@cache
def chosen() -> tuple[Chosen, ...]:
    """Return the built-in list, in its order."""
    with LIST.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return tuple(
            Chosen(row["id"], row["split"], int(row["picture"]), int(row["seed"])) for row in rows
        )


@cache
def prompts() -> dict[Setting, tuple[str, ...]]:
    """Return the built-in prompts by setting."""
    table = tomllib.loads(PROMPTS.read_text(encoding="utf-8"))
    return {setting: tuple(table[setting]) for setting in SETTINGS}


def celeba_pairs(
    root: Path | str,
    work: Path,
    split: str = "all",
    limit: int | None = None,
    parts: Sequence[str] = FACE,
    force: bool = False,
) -> PairList:
    """Return the pairs of a split in the order of the list, with their masks written below `work`.

    A portrait whose masks are damaged or show no face is left out with its pair, and noted.

    Args:
        root: the folder of CelebAMask-HQ.
        work: a folder of one's own, such as that of the results: masks go into `work/masks`.
        split: `val`, `test` or `all`.
        limit: at most so many, as many of every setting.
        parts: what of a portrait is the condition: `FACE` or `HEAD`.
        force: other files by the names of the masks are written over.

    Raises:
        UsageError: if the folder is none or lacks what these pairs need, in one line.
        OutputError: if another file is in the way, or a mask cannot be written.
    """
    check_split(split)
    folder = CelebA.open(root)
    chosen_lines = [one for one in chosen() if split in ("all", one.split)]
    pairs = limited([_pair(one, folder, work, parts) for one in chosen_lines], limit)
    folder.check([int(pair.person) for pair in pairs])
    return _with_masks(pairs, folder, work, parts, force)


def _pair(one: Chosen, folder: CelebA, work: Path, parts: Sequence[str]) -> Pair:
    setting, number, _ = one.id.split("-")
    known = next(name for name in SETTINGS if name == setting)
    kind = NAMES.get(tuple(parts), "parts")
    return Pair(
        id=one.id,
        setting=known,
        prompt=prompts()[known][int(number)],
        image=folder.image(one.picture).absolute(),
        mask=(work / "masks" / f"{one.picture:05d}-{kind}.png").absolute(),
        person=one.picture,
        seed=one.seed,
        given={"subject": "face"},
    )


def _with_masks(
    pairs: Sequence[Pair], folder: CelebA, work: Path, parts: Sequence[str], force: bool
) -> PairList:
    """Write the masks again, since the folder may have been repaired.

    Raises:
        UsageError: if no pair is left.
        OutputError: if another file is in the way, or a mask cannot be written.
    """
    kept, wrong = [], []
    for pair in pairs:
        assert pair.mask is not None
        try:
            mask = _face(folder, int(pair.person), parts)
        except PictureError as error:
            wrong.append(f"{pair.person} ({error.what})")
            continue
        put(mask, pair.mask, work, force)
        kept.append(pair)
    problem = f"{len(wrong)} of {len(pairs)} portraits have no usable mask, the first "
    if not kept:
        raise UsageError(problem + wrong[0], "unpack the whole CelebAMask-HQ.zip again")
    return PairList(tuple(kept), (f"left out: {problem}{wrong[0]}",) if wrong else ())


def _face(folder: CelebA, number: int, parts: Sequence[str]) -> Image.Image:
    mask = folder.mask(number, parts)
    share = 0.0 if mask is None else mask.histogram()[255] / (mask.width * mask.height)
    if mask is None or share < SMALLEST:
        raise PictureError(f"its parts cover {share:.1%} of it")
    return mask
