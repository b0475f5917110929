"""Methods on the drawn world, judged: a table of those that need nothing but its model.

    python -m sow.benchmarks.tv2i.methods.trial [sow cow ...] [--count 60] [--matte box] [--tuning]

All rows have the same people, sentences, seeds, plans and mattes; pictures are made one at a time.
By default the people are `fresh`, on whom nothing is tuned; `--tuning` takes those of
`more_tuning`, where parameters are chosen. A method's parameters follow it: `sdedit:strength=0.6`.
Seconds are the processor's own, whoever else is at work on it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from sow.benchmarks.figures.judge.reading import Judge
from sow.benchmarks.figures.studies.trials import Outcome, Trial, judged, service
from sow.benchmarks.figures.world.tv2i import Pair, fresh, more_tuning
from sow.benchmarks.tv2i.methods import FROZEN, method
from sow.service.calling import Task, together
from sow.service.methods import Method
from sow.service.request import Request
from sow.service.results import Picture
from sow.service.service import Service

FRESH_SEED, TUNING_SEED = 9_100_000, 7_700_000
"""Of the first picture; those of the others count up."""
HEADER = (
    "| | ID-Distance | same person | truncated or lost | without neck of its skin, or body | "
    "sticker | prompt followed | UNet samples | calls | CPU seconds |\n" + "|---" * 10 + "|"
)


@dataclass(frozen=True)
class Row:
    """What a method made of some pairs, and what the judge says of it."""

    outcome: Outcome
    trials: tuple[Trial, ...]
    pictures: tuple[Picture, ...]
    seconds: float

    def line(self) -> str:
        """Of a table in Markdown."""
        cells = [self.outcome.name, self.outcome.estimate("identity").number()]
        for column in ("same", "truncated", "unjoined", "sticker", "followed"):
            cells.append(self.outcome.estimate(column).percent())
        for name in ("samples", "calls"):
            cells.append("/".join(map(str, sorted({getattr(p, name) for p in self.pictures}))))
        return f"| {' | '.join([*cells, f'{self.seconds:.2f}'])} |"


def row(
    made: Service, judge: Judge, how: Method, pairs: Sequence[Pair], first_seed: int, matte: str
) -> Row:
    """The pictures of a method, one for each pair, and the judge's verdicts."""
    work, pictures, seconds = [], [], 0.0
    for number, pair in enumerate(tqdm(pairs, desc=how.name, disable=None)):
        request = Request(pair.picture, pair.prompt, matte=matte)
        trial = Trial(pair, first_seed + number, how.work(made, request))
        started = time.process_time()
        pictures += together(made.pipe, made.model, [Task(trial.work, trial.seed)], 1, how)
        seconds += time.process_time() - started
        work.append(trial)
    outcome = judged(how.said, judge, work, [picture.image for picture in pictures])
    return Row(outcome, tuple(work), tuple(pictures), seconds / len(work))


def named(text: str) -> Method:
    """A method from `name` or `name:parameter=number,…`."""
    name, _, told = text.partition(":")
    given: dict[str, Any] = {}
    for part in filter(None, told.split(",")):
        key, _, value = part.partition("=")
        given[key] = float(value) if "." in value else int(value)
    return method(name, **given)


def main() -> None:
    """Prints the table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", default=FROZEN)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--matte", default="auto")
    parser.add_argument("--tuning", action="store_true")
    options = parser.parse_args()
    pairs = (more_tuning if options.tuning else fresh)(options.count)
    seed = TUNING_SEED if options.tuning else FRESH_SEED
    made, judge = service(), Judge.load()
    print(HEADER)
    for text in options.methods:
        print(row(made, judge, named(text), pairs, seed, options.matte).line(), flush=True)


if __name__ == "__main__":
    main()
