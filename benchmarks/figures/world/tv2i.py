"""Figures-TV2I: 600 pairs of a drawn face and a sentence, built as CelebA-TV2I is (Sec. V-A).

    python -m sow.benchmarks.figures.world.tv2i --out build/figures-tv2i

writes the faces and `pairs.jsonl`, as `sow bench figures-tv2i` has them (`bench`). Three settings x
100 prompts x 2 faces; a tenth of the prompts is for tuning. The studies' pairs (`pairs` and on) are
others of the same kind. No face is drawn twice, and none is in the training of model or judge.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Set
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

from PIL import Image
from tqdm import tqdm

from sow.benchmarks.figures.world.drawing import (
    TESTING,
    TUNING,
    UNSEEN,
    Drawing,
    draw,
    head_crop,
    identity_of,
    portrait,
    square_around,
)
from sow.benchmarks.figures.world.layout import sample
from sow.benchmarks.figures.world.people import Identity
from sow.benchmarks.figures.world.sentences import MAKERS, open_sentence
from sow.plan.box import Box

SETTINGS = ("normal", "attribute", "style")
PROMPTS = 100
FACES = 2
UNSEEN_IDENTITIES = 400
TUNED_ON = 200
"""How many of `more_tuning` settings may have been chosen by."""
REPORTED_ON = 200
"""How many of `fresh` studies have reported on, at most."""
SEED = 20_26
MARGIN = 0.08
"""How much is shown round a head, on every side, as a share of its size."""


@dataclass(frozen=True)
class Pair:
    """A face and a sentence.

    said: what the sentence says, in the world's names, for the judge. tuning: whether settings
    may be chosen by it; if not, it is for reporting only.
    """

    id: str
    setting: str
    prompt: str
    mentions: dict[str, str]
    identity_seed: int
    tuning: bool

    @property
    def identity(self) -> Identity:
        """Who the face is."""
        return identity_of(self.identity_seed)

    @property
    def drawing(self) -> Drawing:
        """The picture that the face is cut from: in colour, before a plain wall."""
        return face_drawing(self.identity_seed)

    @property
    def face(self) -> Image.Image:
        """The condition, 128 x 128: a head and a little of what is round it."""
        return head_crop(self.drawing, MARGIN)

    @property
    def picture(self) -> Image.Image:
        """The same as a user would have it: drawn four times as large, 256 x 256."""
        return face_picture(self.identity_seed)

    def ellipse(self, box: Box) -> Box:
        """Return where the head is in the face, carried to the box where it is planted."""
        head = self.drawing.head
        assert head is not None
        square = square_around(head, MARGIN)
        return head.mapped(square, box)


WALL = {"things": (), "style": "none", "scene": "plain"}


@cache
def face_drawing(seed: int) -> Drawing:
    """Return a person's portrait before a plain wall."""
    return portrait(identity_of(seed), seed + 3_000_000, scene="plain")


@cache
def face_picture(seed: int) -> Image.Image:
    """Return the head, drawn larger than the model sees it."""
    random = Random(seed + 3_000_000)
    spec = sample(random, **{"identity": identity_of(seed), **WALL})
    image, _ = draw(spec, random, size=512)
    head = face_drawing(seed).head
    assert head is not None
    square = square_around(head, MARGIN).scaled(4, 4)
    return image.crop(square.corners).resize((256, 256), Image.Resampling.LANCZOS)


def pairs() -> list[Pair]:
    """Return the studies' 600 pairs, always the same: prompt by prompt, setting by setting."""
    made = []
    for setting in SETTINGS:
        random = Random(f"{SEED} {setting}")
        prompts: dict[str, dict[str, str]] = {}
        while len(prompts) < PROMPTS:
            prompt, mentions = MAKERS[setting](random)
            prompts.setdefault(prompt, mentions)
        for number, (prompt, mentions) in enumerate(prompts.items()):
            tuning = number % 10 == 0
            for face in range(FACES):
                nth = FACES * (PROMPTS * SETTINGS.index(setting) + number) + face
                seed = (TUNING if tuning else TESTING) + nth
                name = f"{setting}-{number:03d}-{'ab'[face]}"
                made.append(Pair(name, setting, prompt, mentions, seed, tuning))
    return made


def more_tuning(count: int, setting: str = "normal") -> list[Pair]:
    """Return pairs for choosing settings, besides the 600: no face or prompt repeats.

    More of them begin with the fewer.
    """
    seed = TUNING + 10_000 + 1_000 * SETTINGS.index(setting)
    random = Random(f"{SEED} more tuning" + (f" {setting}" if setting != "normal" else ""))
    return _others(count, setting, random, f"more-{setting}", seed, tuning=True)


def fresh(count: int, setting: str = "normal") -> list[Pair]:
    """Return pairs for reporting once: people and sentences never used for tuning or testing."""
    seed = UNSEEN + 20_000 + 1_000 * SETTINGS.index(setting)
    known = {pair.prompt for pair in more_tuning(TUNED_ON, setting)}
    random = Random(f"{SEED} fresh {setting}")
    return _others(count, setting, random, f"fresh-{setting}", seed, tuning=False, known=known)


def bench(count: int, setting: str, *, tuning: bool) -> list[Pair]:
    """Return the pairs of the bench Figures-TV2I: prompts with two people each.

    Their people are from TUNING or UNSEEN + 40,000 on, 1,000 for every setting, where no study
    and no test has any; their prompts are none of the studies'. More of them begin with the fewer.
    """
    kind = "tuning" if tuning else "fresh"
    seed = (TUNING if tuning else UNSEEN) + 40_000 + 1_000 * SETTINGS.index(setting)
    known = {pair.prompt for pair in more_tuning(TUNED_ON, setting)}
    known |= {pair.prompt for pair in fresh(REPORTED_ON, setting)}
    if not tuning:
        known |= {pair.prompt for pair in bench(PROMPTS // 10, setting, tuning=True)}
    random = Random(f"{SEED} bench {kind} {setting}")
    some = _others(count, setting, random, f"{setting}-{kind}", seed, tuning=tuning, known=known)
    return [
        replace(pair, id=f"{pair.id}-{'ab'[face]}", identity_seed=seed + FACES * number + face)
        for number, pair in enumerate(some)
        for face in range(FACES)
    ]


def _others(
    count: int,
    setting: str,
    random: Random,
    name: str,
    seed: int,
    *,
    tuning: bool,
    known: Set[str] = frozenset(),
) -> list[Pair]:
    """Return pairs with prompts that are not among the 600 and not in `known`."""
    taken = {pair.prompt for pair in pairs()} | known
    made: list[Pair] = []
    while len(made) < count:
        prompt, mentions = MAKERS[setting](random)
        if prompt not in taken:
            taken.add(prompt)
            number = len(made)
            made.append(
                Pair(f"{name}-{number:03d}", setting, prompt, mentions, seed + number, tuning)
            )
    return made


def open_pairs(count: int, *, tuning: bool) -> list[Pair]:
    """Return pairs whose sentences do not name the colour of the clothes.

    Their people are from TUNING or UNSEEN + 50,000 on, where no study and no test has any. There
    are few such sentences: they come again, people do not. More of them begin with the fewer.
    """
    kind, first = ("tuning", TUNING) if tuning else ("fresh", UNSEEN)
    random = Random(f"{SEED} open {kind}")
    made = []
    for number in range(count):
        seed = first + 50_000 + number
        prompt, mentions = open_sentence(random, woman=identity_of(seed).woman)
        made.append(Pair(f"open-{kind}-{number:03d}", "normal", prompt, mentions, seed, tuning))
    return made


def unseen() -> list[int]:
    """Return the seeds of 400 identities never used for training, tuning or testing."""
    return [UNSEEN + 10_000 + n for n in range(UNSEEN_IDENTITIES)]


def place(random: Random, canvas: int = 128) -> Box:
    """Return a box as planners choose them: 192 to 256 of 512 wide (the sizes from 180 on that
    the grid of the latents has), with room for a body below."""
    side = random.choice((48, 56, 64))
    x = 8 * random.randint(0, (canvas - side) // 8)
    y = 8 * random.randint(0, 3)
    return Box(x=x, y=y, width=side, height=side)


def anywhere(random: Random, canvas: int = 128) -> Box:
    """Return a box of the same sizes anywhere on the canvas: the paper's random position."""
    side = random.choice((48, 56, 64))
    x, y = (8 * random.randint(0, (canvas - side) // 8) for _ in range(2))
    return Box(x=x, y=y, width=side, height=side)


def listed() -> list[Pair]:
    """Return all 600 pairs of Figures-TV2I: setting by setting, those for tuning first."""
    few = PROMPTS // 10
    parts = ((few, True), (PROMPTS - few, False))
    return [p for name in SETTINGS for n, tuning in parts for p in bench(n, name, tuning=tuning)]


def main() -> None:
    """Write the faces and the list of pairs of Figures-TV2I."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/figures-tv2i"))
    options = parser.parse_args()
    (options.out / "faces").mkdir(parents=True, exist_ok=True)
    lines = []
    for pair in tqdm(listed(), desc="pairs", disable=None):
        pair.picture.save(options.out / "faces" / f"{pair.id}.png")
        # "said" is the file's name for what the prompt mentions.
        fields = {"said" if key == "mentions" else key: v for key, v in asdict(pair).items()}
        lines.append(json.dumps({**fields, "face": f"faces/{pair.id}.png"}))
    (options.out / "pairs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for seed in tqdm(unseen(), desc="unseen", disable=None):
        head_crop(face_drawing(seed), MARGIN).save(options.out / "faces" / f"unseen-{seed}.png")
    print(f"{len(lines)} pairs and {UNSEEN_IDENTITIES} unseen faces in {options.out}")


if __name__ == "__main__":
    main()
