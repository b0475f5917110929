"""Pairs of a face and a sentence to tune on, in two halves: one chooses, the other reports.

With enough faces no person is in both halves, and in a folder's pairs no sentence is.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sow.batch.manifest.job import check_id
from sow.batch.manifest.manifest import IMAGE_SUFFIXES
from sow.batch.manifest.rows import json_rows
from sow.benchmarks.figures.world import tv2i as world
from sow.benchmarks.tv2i.pairs import Pair, Setting, put
from sow.errors import SowError, UsageError
from sow.settings.inputs import check_prompt
from sow.utils.type_checks import as_path
from sow.utils.validation import first_problem

SENTENCES = Path(__file__).with_name("sentences.toml")
SEEDS = 2
"""Pictures of a pair: two can be compared with each other."""
FIRST_SEED = 31_000
MOST = 200
"""Pairs of a run."""
FACES = "faces"
"""The folder of the drawn world's faces."""
MOST_LINES = 10_000
ONE_PERSON = (
    "all pairs have the same face: both halves have it, and other faces may come to other results"
)


@dataclass(frozen=True)
class Halves:
    """Pairs to tune on.

    Attributes:
        choosing: pairs that the proposal is chosen by.
        reporting: pairs that it is reported on.
        notes: remarks, one sentence each.
    """

    choosing: tuple[Pair, ...]
    reporting: tuple[Pair, ...]
    notes: tuple[str, ...] = ()

    def limited(self, most: int) -> Halves:
        """Return the first pairs of both halves, `most` in all, at least one of each."""
        half = max(1, min(len(self.choosing), len(self.reporting), most // 2))
        return replace(self, choosing=self.choosing[:half], reporting=self.reporting[:half])

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All of them, one of each half in turn, with their seeds."""
        both = zip(self.choosing, self.reporting, strict=True)
        return tuple(
            replace(pair, seed=FIRST_SEED + SEEDS * number, count=SEEDS)
            for number, pair in enumerate(pair for two in both for pair in two)
        )


@cache
def sentences(setting: str, drawn: bool) -> tuple[str, ...]:
    """Return the built-in sentences. drawn: in the words of the drawn world."""
    with SENTENCES.open("rb") as file:
        found: list[str] = tomllib.load(file)["drawn" if drawn else "photographs"][setting]
    return tuple(found)


def of_folder(folder: Path, setting: Setting, drawn: bool = False) -> Halves:
    """Return the pictures of a folder, sorted by name, with the built-in sentences.

    Args:
        folder: of pictures; other files are ignored.
        drawn: in the words of the drawn world.

    Raises:
        UsageError: if there are no pictures in it.
    """
    files, notes = _pictures(folder), list[str]()
    if len(files) == 1:
        files, notes = files * 2, [ONE_PERSON]
    words = sentences(setting, drawn)
    halves = [
        tuple(islice(_crossed(files[n::2], words[n::2], setting), MOST // 2)) for n in range(2)
    ]
    return Halves(halves[0], halves[1], tuple(notes))


def _pictures(folder: Path) -> list[Path]:
    try:
        found = sorted(
            path
            for path in folder.absolute().iterdir()
            if path.name.lower().endswith(IMAGE_SUFFIXES)
            and not path.name.startswith(".")
            and path.is_file()
        )
    except OSError as error:
        raise UsageError(
            f"the folder of faces {str(folder)!r} cannot be read ({error.strerror})",
            "give a folder of photographs, one person in each",
        ) from None
    if not found:
        suffixes = ", ".join(IMAGE_SUFFIXES)
        raise UsageError(
            f"no pictures in {str(folder)!r}", f"put files there that end in {suffixes}"
        )
    return found


def _crossed(files: Sequence[Path], words: Sequence[str], setting: Setting) -> Iterable[Pair]:
    """Yield every face with one sentence, then with the next; no pair repeats."""
    for turn in range(len(words)):
        for number, file in enumerate(files):
            yield _pair(file, words[(number + turn) % len(words)], setting)


def _pair(file: Path, prompt: str, setting: Setting, name: str = "") -> Pair:
    # Hash the name, not the path; file names may contain undecodable bytes.
    digest = hashlib.sha256(f"{file.name}\0{prompt}".encode(errors="surrogatepass")).hexdigest()[
        :12
    ]
    return Pair(name or f"pair-{digest}", setting, prompt, file, None, file.name, 0)


class _Line(BaseModel):
    """A line of a file of pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    image: Annotated[str, Field(min_length=1, max_length=1000)]
    prompt: str
    id: str = ""


def of_file(path: Path | str, setting: Setting, folder: Path | None = None) -> Halves:
    """Read pairs from a JSON Lines file with `image`, `prompt` and an optional `id`.

    folder: the base of relative image paths; by default the file's folder.

    Raises:
        UsageError: if the file cannot be read, a line is not a pair, or there are fewer than two.
    """
    path = as_path("pairs", path)
    home = (folder or path.parent).absolute()
    found: dict[str, Pair] = {}
    for row in json_rows(path):
        try:
            if row.problem:
                raise UsageError(row.problem)
            pair = _of_line(row.data or {}, home, setting)
        except SowError as error:
            raise UsageError(
                f"{path.name!r}, line {row.number}: {error.what}",
                error.hint or 'write {"image": …, "prompt": …}',
            ) from None
        if pair.id.lower() in found:
            raise UsageError(
                f"{path.name!r}, line {row.number}: {pair.id!r} appears twice",
                "give every pair an id of its own",
            )
        found[pair.id.lower()] = pair
        if len(found) > MOST_LINES:
            raise UsageError(f"{path.name!r} has more than {MOST_LINES:,} pairs", "give fewer")
    if len(found) < 2:
        raise UsageError(
            f"{path.name!r} has fewer than two pairs",
            "one half chooses, the other reports: give more",
        )
    return halved(list(found.values()))


def _of_line(data: Any, folder: Path, setting: Setting) -> Pair:
    try:
        line = _Line.model_validate(data)
        if line.id:
            check_id(line.id)
    except (ValidationError, ValueError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise UsageError(problem) from None
    check_prompt(line.prompt)
    file = folder / line.image
    try:
        there = file.is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        raise UsageError(f"no picture {line.image!r}", "check its name")
    pair = _pair(file, line.prompt, setting, line.id)
    return replace(pair, person=str(file)[-200:])


def halved(pairs: Sequence[Pair]) -> Halves:
    """Split pairs into two halves that share no person, each person going to the smaller half.

    Where all have the same face, every other pair reports.
    """
    people = list(dict.fromkeys(pair.person for pair in pairs))
    if len(people) == 1:
        return Halves(tuple(pairs[0::2]), tuple(pairs[1::2]), (ONE_PERSON,))
    counts = [0, 0]
    where: dict[str | int, int] = {}
    for person in people:
        where[person] = half = int(counts[1] < counts[0])
        counts[half] += sum(pair.person == person for pair in pairs)
    both = [tuple(pair for pair in pairs if where[pair.person] == half) for half in range(2)]
    return Halves(both[0], both[1])


@cache
def drawn(setting: str) -> tuple[world.Pair, ...]:
    """Return the drawn world's pairs for tuning; half of the normal ones leave the clothes open."""
    if setting != "normal":
        return tuple(world.more_tuning(MOST, setting))
    half = MOST // 2
    opened, named = world.open_pairs(half, tuning=True), world.more_tuning(half)
    made: list[world.Pair] = []
    for n in range(0, half, 2):  # two of each in turn: either half gets one
        made += [*opened[n : n + 2], *named[n : n + 2]]
    return tuple(made)


def of_world(setting: Setting, work: Path) -> Halves:
    """Return the drawn world's pairs; `draw_faces` puts their pictures into `work/faces`."""
    folder = (work / FACES).absolute()
    made = [
        Pair(
            pair.id,
            setting,
            pair.prompt,
            folder / f"{pair.identity_seed}.png",
            None,
            pair.identity_seed,
            0,
        )
        for pair in drawn(setting)
    ]
    return Halves(tuple(made[0::2]), tuple(made[1::2]))


def draw_faces(pairs: Iterable[Pair], setting: str, work: Path, force: bool = False) -> None:
    """Draw the faces of the drawn world's pairs that are missing.

    work: as in `of_world`.

    Raises:
        UsageError: if one of them is not a pair of the drawn world.
        OutputError: if another file is in the way and `force` is not set, or it cannot be written.
    """
    known = {pair.id: pair for pair in drawn(setting)}
    for pair in pairs:
        if pair.id not in known:
            raise UsageError(f"the drawn world has no pair {pair.id!r}", "give force=True")
        put(known[pair.id].picture, pair.image, work, force)
