"""Figures-TV2I: the same kind of pairs over the bundled drawn world, which needs no download.

People and sentences are `world.tv2i.bench`'s: 90 prompts of every setting on people that nothing
was trained or tuned on (the identities UNSEEN + 40,000 + 1,000 x setting and the 179 after it), and
10 on people for tuning (TUNING + 40,000 + 1,000 x setting and the 19 after it), each with two
people: 540 pairs for `test` and 60 for `val`, as CelebA-TV2I has them. No study has those for
`test`, but for 400 of the pairs, on which the presets of today are compared with those before
(`sow bench study fewer fresh`). All these sentences name the colour of the clothes; those of the
split `open` do not. They are of other fresh people (`world.tv2i.open_pairs`), no part of the 600.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from PIL import Image

from sow.benchmarks.figures.world import tv2i as world
from sow.benchmarks.figures.world.drawing import square_around
from sow.benchmarks.figures.world.paper import FACE, HAIR
from sow.benchmarks.figures.world.people import features_of
from sow.benchmarks.tv2i.pairs import (
    OPEN,
    SETTINGS,
    SPLITS,
    Pair,
    PairList,
    check_split,
    limited,
    put,
)
from sow.models import BUNDLED, find_model
from sow.planners.mllm.fusion import fuse, token_counter
from sow.utils.files import make_folder, write_png

PROMPTS = {"val": 10, "test": 90}
TUNED = (
    "Tuning is unequal: SOW's presets were chosen on this drawn world, SDEdit's strength on 30 of "
    "its people for tuning; the others have the numbers of their authors, or none to choose."
)
"""What has to be known of those compared."""
OPEN_PAIRS = 200
FIRST_SEED = {"val": 21_000, "test": 22_000, OPEN: 24_000}


@cache
def drawn(split: str) -> tuple[world.Pair, ...]:
    """Return the world's pairs of `val`, `test` or `open`: every setting's prompts with one
    person first, then with the other."""
    if split == OPEN:
        return tuple(world.open_pairs(OPEN_PAIRS, tuning=False))
    found: list[world.Pair] = []
    for setting in SETTINGS:
        some = world.bench(PROMPTS[split], setting, tuning=split == "val")
        found += [*some[0 :: world.FACES], *some[1 :: world.FACES]]
    return tuple(found)


@cache
def known() -> dict[str, world.Pair]:
    """Return the world's pairs of both splits by id, for the judge."""
    return {pair.id: pair for split in PROMPTS for pair in drawn(split)}


@cache
def all_pairs() -> dict[str, world.Pair]:
    """Return the world's pairs by id, those of `open` included."""
    return {**known(), **{pair.id: pair for pair in drawn(OPEN)}}


def figures_pairs(
    work: Path, split: str = "all", limit: int | None = None, force: bool = False
) -> PairList:
    """Return the pairs of a split, with their pictures drawn into `work/faces`, 256 x 256.

    force: other files by their names are written over.

    They have no mask, as what a user gives has none: the planner cuts the head out, as
    `sow generate` does by itself. `with_masks` gives them the true ones.

    Raises:
        UsageError: for an unknown split or a limit below 1.
        OutputError: if another file is in the way, or a picture cannot be written.
    """
    check_split(split, (*SPLITS, OPEN))
    folder = (work / "faces").absolute()
    splits = PROMPTS if split == "all" else (split,)
    pairs = limited(
        [
            Pair(
                pair.id,
                next(name for name in SETTINGS if name == pair.setting),
                pair.prompt,
                folder / f"{pair.identity_seed}.png",
                None,
                pair.identity_seed,
                FIRST_SEED[name] + number,
            )
            for name in splits
            for number, pair in enumerate(drawn(name))
        ],
        limit,
    )
    for pair in pairs:
        put(all_pairs()[pair.id].picture, pair.image, work, force)
    return PairList(tuple(pairs))


def with_masks(pairs: Sequence[Pair], work: Path) -> list[Pair]:
    """Return the pairs with the true masks of their heads and hair, drawn into `work/masks`.

    Raises:
        OutputError: if one cannot be written.
    """
    folder = (work / "masks").absolute()
    make_folder(folder, below=work.absolute())
    made = []
    for pair in pairs:
        file = folder / f"{pair.person}.png"
        mask = true_mask(all_pairs()[pair.id])
        write_png(mask, file, force=True, below=work.absolute())
        made.append(replace(pair, mask=file, given={**pair.given, "subject": "face"}))
    return made


FEATURE_OF = {"hair_colour": "hair", "hair_style": "hair", "glasses": "glasses", "beard": "beard"}
"""Which features a sentence is about that says such a thing."""


def intensified(pair: Pair) -> str:
    """Return the sentence with the visible features of the planted head behind it, as a perfect
    model would say them (Sec. IV-A, prompt intensification), within the model's token limit.

    What the sentence says itself is left to it: a person with gray hair is not said to be blonde.
    """
    drawn, model = all_pairs()[pair.id], find_model("figures")
    mentioned = {FEATURE_OF.get(name, name) for name in drawn.mentions}
    seen = [one for one in features_of(drawn.identity) if _part(one) not in mentioned]
    checkpoint = model.checkpoint_spec
    return fuse(
        pair.prompt,
        seen,
        token_counter(BUNDLED["figures"]),
        checkpoint.token_limit,
        checkpoint.words,
    )


def _part(feature: str) -> str:
    """Return the part of a head that a feature is about."""
    last = "hair" if feature == "bald" else feature.split()[-1]
    return last if last in FEATURE_OF.values() else "age"


def true_mask(pair: world.Pair) -> Image.Image:
    """Return the mask of face and hair in the user's picture, 8-bit grey."""
    head = pair.drawing.head
    assert head is not None
    mask = Image.fromarray(pair.drawing.mask(FACE, HAIR)).convert("L")
    square = square_around(head, world.MARGIN)
    return mask.resize(pair.picture.size, Image.Resampling.BILINEAR, box=square.corners)
