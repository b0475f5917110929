"""Pairs of a picture and a sentence: the input of every method of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from sow.batch.manifest.job import TV2IJob
from sow.errors import UsageError
from sow.utils.files import make_folder, png_bytes, read_regular, write_png

Setting = Literal["normal", "attribute", "style"]
SETTINGS: tuple[Setting, ...] = ("normal", "attribute", "style")
SPLITS = ("val", "test", "all")
"""Settings may be chosen by `val`, a tenth of all (Sec. V-A); `test` is for reporting."""
OPEN = "open"
"""One more of the drawn world: sentences that leave the colour of the clothes open."""


@dataclass(frozen=True)
class Pair:
    """A visual and a text condition (Sec. V-A).

    Attributes:
        id: names its pictures; also the id of its job.
        setting: of the paper's three.
        prompt: what is asked.
        image: the file of the picture.
        mask: what of it is the condition, white, in the picture's shape; None leaves it to the
            planner.
        person: whose picture it is; two pairs may have the same.
        seed: of the first result; every method has the same.
        given: further fields of the `sow.TV2IJob`, such as `subject`.
        count: how many results there are; their seeds count up.
    """

    id: str
    setting: Setting
    prompt: str
    image: Path
    mask: Path | None
    person: str | int
    seed: int
    given: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1

    @property
    def seeds(self) -> range:
        """The seeds of its results."""
        return range(self.seed, self.seed + self.count)

    def job(self) -> TV2IJob:
        """Return the pair as a job of a batch.

        Raises:
            SowError: if `given` makes no sense.
        """
        fields: dict[str, Any] = {
            "id": self.id,
            "image": str(self.image),
            "prompt": self.prompt,
            "setting": self.setting,
            "seed": self.seed,
            "num": self.count,
            **self.given,
        }
        if self.mask is not None:
            fields["mask"] = str(self.mask)
        return TV2IJob.parse(fields)


@dataclass(frozen=True)
class PairList:
    """The pairs of a benchmark.

    Attributes:
        pairs: in their order.
        notes: remarks for readers of the results, such as pairs that were left out.
    """

    pairs: tuple[Pair, ...]
    notes: tuple[str, ...] = ()


def limited(pairs: Sequence[Pair], limit: int | None) -> list[Pair]:
    """Return the first `limit` pairs, balanced over the settings; all for None.

    Every setting keeps its order, so that a larger limit holds a smaller one.

    Raises:
        UsageError: if the limit is below 1.
    """
    if limit is None:
        return list(pairs)
    if limit < 1:
        raise UsageError(f"the limit must be at least 1, not {limit}", "give 1 or more")
    ranks: dict[str, int] = {}
    ranked = []
    for place, pair in enumerate(pairs):
        rank = ranks[pair.setting] = ranks.get(pair.setting, -1) + 1
        ranked.append((rank, SETTINGS.index(pair.setting), place))
    chosen = {place for _, _, place in sorted(ranked)[:limit]}
    return [pair for place, pair in enumerate(pairs) if place in chosen]


def check_split(split: str, there: Sequence[str] = SPLITS) -> None:
    """Check the name of a split.

    Raises:
        UsageError: if not.
    """
    if split not in there:
        raise UsageError(f"unknown split {split!r}", f"give one of {', '.join(there)}")


def put(picture: Image.Image, file: Path, work: Path, force: bool = False) -> None:
    """Write a pair's picture unless it is already there, as in a resumed run.

    work: the folder of results that contains it; no link below it is followed.

    Raises:
        OutputError: if another file is there and `force` is not set, or it cannot be written.
    """
    work = work.absolute()
    make_folder(file.parent, below=work)
    with suppress(OSError):
        if read_regular(file) == png_bytes(picture):
            return
    write_png(picture, file, force=force, below=work)
