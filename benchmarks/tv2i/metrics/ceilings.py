"""The ceiling of ID-Distance: the distance between two real pictures of one person.

A result as near to what was planted as that is as good as it can be without copying; one that is
much nearer has kept pixels, not a person: in the paper's Table I inpainting has 0.408.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.tv2i.celeba.folder import CelebA
from sow.benchmarks.tv2i.metrics.base import Metric, Score
from sow.benchmarks.tv2i.metrics.identity import IdDistance
from sow.benchmarks.tv2i.metrics.judge_base import drawn_ceiling
from sow.benchmarks.tv2i.pairs import Pair
from sow.benchmarks.tv2i.runs import Ceiling

MOST = 300
"""People of whom two photographs are compared: enough for an interval of a hundredth or two."""
NO_IDENTITIES = (
    "no ceiling of ID-Distance: CelebAMask-HQ does not say which portraits show one person; give "
    "--identities identity_CelebA.txt, which comes with CelebA"
)


def of_drawings(pairs: Sequence[Pair]) -> Ceiling:
    """Measure the ceiling for the people of these pairs, on two drawings each."""
    people = {pair.person: pair for pair in pairs}
    return _ceiling(
        "Between two drawings of one person",
        drawn_ceiling(Judge.load(), list(people.values())),
        "neither went through the model's autoencoder, as every result has: what that costs comes "
        "on top",
    )


def portraits(root: Path, identities: Path) -> list[tuple[Path, Path]]:
    """Return two portraits from CelebAMask-HQ of each person with several.

    Args:
        identities: CelebA's `identity_CelebA.txt`.

    Raises:
        UsageError: if it, or the mapping of CelebAMask-HQ, is not there or no such list.
    """
    return CelebA.open(root).same_people(identities)[:MOST]


def of_photographs(
    metrics: Sequence[Metric], portrait_pairs: Sequence[tuple[Path, Path]]
) -> Ceiling | None:
    """Measure the ceiling on pairs of portraits; None without pairs or ID-Distance."""
    metric = next((one for one in metrics if isinstance(one, IdDistance)), None)
    if metric is None or not portrait_pairs:
        return None
    return _ceiling("Between two portraits of one person", metric.ceiling(portrait_pairs), "")


def _ceiling(of: str, scores: Sequence[Score], note: str) -> Ceiling:
    known = tuple(one.value for one in scores if one.value is not None)
    return Ceiling(of=of, scores=known, missing=len(scores) - len(known), note=note)
