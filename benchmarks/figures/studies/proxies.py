"""Measure how well automatic metrics agree with the truth, on drawn people.

    sow bench study proxies

Copies: of each result is known how it was made. Outlines: the judge of the drawn world says which
heads stand on no body. Thresholds were chosen on people for tuning (`--tuning`), and what is
written down is of others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies.trials import (
    Trial,
    generate,
    judged,
    pasted,
    service,
    trials,
)
from sow.benchmarks.figures.world.drawing import TUNING, make
from sow.benchmarks.figures.world.tv2i import fresh, more_tuning
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.statistics import mean, rate
from sow.benchmarks.tv2i.metrics.base import Case, Metric, Score
from sow.benchmarks.tv2i.metrics.copying import HALF, Copied
from sow.benchmarks.tv2i.metrics.outline import CLOSED, OutlineClosed
from sow.service.service import Service

SEED = 31_000_000


def results(
    made: Service, work: Sequence[Trial], old: Sequence[Trial], pictures: Path
) -> dict[str, list[Case]]:
    """Return results for which it is known whether the condition was copied."""
    ours, before = (generate(made, selected, None, pictures).images for selected in (work, old))
    others = [work[n - 1] for n in range(len(work))]
    return {
        "as `sow generate` does": _cases(work, ours),
        "the paper's preset": _cases(old, before),
        "pasted, through the autoencoder": _cases(work, pasted(made, work, ours)),
        "pasted as it is": _cases(work, [_stuck(t, i, t) for t, i in zip(work, ours, strict=True)]),
        "somebody else pasted": _cases(
            work, [_stuck(t, i, o) for t, i, o in zip(work, ours, others, strict=True)]
        ),
        "pasted on a scene without people": _cases(work, pasted(made, work, scenes(len(work)))),
    }


def scenes(count: int) -> list[Image.Image]:
    """Return drawings without people."""
    drawings = (make(number) for number in itertools.count(TUNING + 60_000))
    return list(itertools.islice((one.image for one in drawings if one.head is None), count))


def _cases(work: Sequence[Trial], images: Sequence[Image.Image]) -> list[Case]:
    return [trial.case(image) for trial, image in zip(work, images, strict=True)]


def _stuck(trial: Trial, image: Image.Image, who: Trial) -> Image.Image:
    """Paste a person's head where the trial's head was planted."""
    box, condition, made = trial.work.plan.box, who.work.condition, image.copy()
    size = (box.width, box.height)
    made.paste(condition.picture.resize(size), (box.x, box.y), condition.mask.resize(size))
    return made


def values(metric: Metric, cases: Sequence[Case]) -> list[float]:
    """Return the known values of a metric."""
    scores: list[Score] = [metric(case) for case in bar(cases, metric.name)]
    return [score.value for score in scores if score.value is not None]


def copies(found: dict[str, list[Case]]) -> Iterator[str]:
    """Yield the table of how much is called copied, by how the result was made."""
    yield "| | share copied | called copy-paste |"
    yield "|---|---|---|"
    for name, cases in found.items():
        shares = values(Copied(), cases)
        called = rate([share >= HALF for share in shares])
        yield f"| {name} ({len(shares)}) | {mean(shares).number()} | {called.percent()} |"


def outlines(
    judge: Judge, groups: Mapping[str, tuple[Sequence[Trial], Sequence[Case]]]
) -> Iterator[str]:
    """Yield the table of the stand-in for truncation against the judge."""
    closed: dict[str, list[tuple[bool, float]]] = {"apart": [], "unjoined": [], "truncated": []}
    for work, cases in groups.values():
        images = [case.picture for case in cases]
        truth = judged("all", judge, work, images)
        for known, case in zip(truth, cases, strict=True):
            share = OutlineClosed()(case).value
            if share is not None:
                for name, pairs in closed.items():
                    pairs.append((known.score(name) > 0.5, share))
    yield "| the judge's | called, of those | called, of the others | area under the curve |"
    yield "|---|---|---|---|"
    for name, pairs in closed.items():
        yes, no = ([share for is_so, share in pairs if is_so is wanted] for wanted in (True, False))
        cells = [rate([share >= CLOSED for share in selected]) for selected in (yes, no)]
        shown = " | ".join(f"{cell.percent()} of {cell.count}" for cell in cells)
        yield f"| {name} | {shown} | {area(yes, no):.3f} |"


def area(yes: Sequence[float], no: Sequence[float]) -> float:
    """Return the area under the ROC curve: how often a first value exceeds a second."""
    if not yes or not no:
        return float("nan")
    one, other = np.asarray(yes)[:, None], np.asarray(no)[None]
    return float((one > other).mean() + 0.5 * (one == other).mean())


def lines(count: int, tuning: bool, output: StudyOutput) -> Iterator[str]:
    """Yield the lines of the report."""
    made, judge = service(), Judge.load()
    drawn = (more_tuning if tuning else fresh)(count)
    work = trials(made, drawn, SEED)
    old = trials(made, drawn, SEED, "ellipse", "paper-normal")
    found = results(made, work, old, output.pictures)
    who = "people for tuning" if tuning else "people that no threshold was chosen by"
    yield "# What is measured without eyes"
    yield ""
    yield f"`{output.command}`; {count} {who}, 95 % intervals."
    yield ""
    yield from copies(found)
    yield ""
    kinds = ("as `sow generate` does", "the paper's preset", "pasted on a scene without people")
    groups = {name: (old if "preset" in name else work, found[name]) for name in kinds}
    yield from outlines(judge, groups)


def study(output: StudyOutput, *, count: int, tuning: bool) -> None:
    """Write `proxies.md`."""
    output.check_output_path("proxies.md")
    output.write_page("proxies.md", lines(count, tuning, output))
