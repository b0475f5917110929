"""How often the judge is right on drawings that it has never seen.

python -m sow.benchmarks.world.judge.accuracy --judge build/world/judge/judge.safetensors
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from sow.benchmarks.statistics import rate
from sow.benchmarks.world.judge.classes import BODY, FACE, HEAD, PICTURE, UNKNOWN
from sow.benchmarks.world.judge.data import lesson, lesson_scene
from sow.benchmarks.world.judge.following import followed
from sow.benchmarks.world.judge.judge import Judge

HELD_OUT = 50_000_000
"""The first seed of the scenes for this table; nothing learns from them."""


def accuracy(judge: Judge, count: int) -> dict[str, list[bool]]:
    """Return for each question which answers are right, on `count` drawings."""
    right: dict[str, list[bool]] = defaultdict(list)
    for number in tqdm(range(count), desc="pictures", disable=None):
        one, (scene, _) = lesson(number, HELD_OUT), lesson_scene(number, HELD_OUT)
        (verdict,) = judge.look([Image.fromarray(one.pixels)])
        truths = [(PICTURE, one.answers, verdict.answers)]
        if one.people and verdict.heads and len(verdict.heads) == len(one.people) == 1:
            truths.append((HEAD, one.people[0].looks, verdict.looks))
            truths.append((BODY, one.people[0].wears, verdict.wears))
        for questions, truth, answers in truths:
            for (name, choices), wanted in zip(questions.items(), truth, strict=True):
                if wanted != UNKNOWN:
                    right[name].append(answers[name] == choices[wanted])
        right["number of heads"].append(len(verdict.heads) == len(one.people))
        right["pixels of faces"].append(_overlap(verdict.parts == FACE, one.parts == FACE))
        for name, shown in followed(verdict, scene).items():
            right[f"said: {name}"].append(shown)
    return dict(sorted(right.items()))


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two masks overlap by more than 0.7 of their union."""
    union = (one | other).sum()
    return bool(union == 0 or (one & other).sum() / union > 0.7)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--judge", type=Path, required=True)
    parser.add_argument("--count", type=int, default=600)
    options = parser.parse_args()
    print("| question | right | n |\n|---|---|---|")
    for name, answers in accuracy(Judge.load(options.judge), options.count).items():
        share = rate(answers)
        print(
            f"| {name} | {share.value:.1%} | {share.low:.1%} to {share.high:.1%} | {len(answers)} |"
        )


if __name__ == "__main__":
    main()
