"""The metrics of Figures-TV2I: a small class for each thing the judge reads in a picture.

Where the same is meant, names are those of the metrics of photographs.
"""

from __future__ import annotations

from sow.benchmarks.figures.judge.judge import SAME_PERSON
from sow.benchmarks.figures.judge.planted_head import halo_share, has_halo, is_sticker, kept_parts
from sow.benchmarks.figures.judge.relations import answers
from sow.benchmarks.tv2i.metrics.base import AROUND, HEAD, LIKENESS, SAID, Metric, Missing
from sow.benchmarks.tv2i.metrics.colour import JudgedGrey, JudgedSaturation
from sow.benchmarks.tv2i.metrics.judge_base import Judged, JudgedMetric, Verdicts


class JudgedIdDistance(JudgedMetric):
    """ID-Distance (Sec. V-A) by the judge's embedding: 0 is the same drawing, another person 1.4
    (`judge.md`)."""

    name, label, better = "id_distance", "ID-Distance", "lower"
    note = "Euclidean distance of the judge's embeddings (paper, Sec. V-A)"
    group, main = LIKENESS, True

    def read(self, judged: Judged) -> float:
        """Return the distance, 0 to 2."""
        return judged.distance


class SamePerson(JudgedMetric):
    """1 if the head passes for the planted person, else 0; also 0 for a lost head.

    It passes below the distance at which the judge errs equally often either way (`judge.md`).
    """

    name, label, better, unit, rate = "same_person", "Same person", "higher", "%", True
    note = f"ID-Distance below {SAME_PERSON}, the judge's threshold; a lost head does not pass"
    group, main = LIKENESS, True

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        return float(judged.here and judged.distance < SAME_PERSON)


class HeadFound(JudgedMetric):
    """Face Detection Rate (Sec. V-A): whether the judge sees a head at all, wherever it is."""

    name, label, better, unit, rate = "face_found", "Face Detection Rate", "higher", "%", True
    note = "the judge sees a head (paper, Sec. V-A)"
    group, main = HEAD, True

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        return float(bool(judged.verdict.heads))


class JudgedPersons(JudgedMetric):
    """How many heads there are."""

    name, label, better = "persons", "Heads", ""
    note = "heads that the judge sees; one was planted"
    group = AROUND

    def read(self, judged: Judged) -> float:
        """Return a count."""
        return float(judged.verdict.persons)


class OneHead(JudgedMetric):
    """1 if there is exactly one head, else 0."""

    name, label, better, unit, rate = "one_person", "Exactly one head", "higher", "%", True
    note = "the judge sees one head and no second"
    group = HEAD

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        return float(judged.verdict.persons == 1)


class Truncated(JudgedMetric):
    """Truncated outlines (Sec. V-B, the paper's failure rate) as the judge has them: no neck of the
    head's skin or no body below it, or no head where it was planted. A neck a shade off counts."""

    name, label, better, unit, rate = "truncated", "Truncated or lost", "lower", "%", True
    note = "no neck of its skin, no body, or no head where it was planted; a shade off counts"
    group, main = HEAD, True

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        return float(not judged.here or judged.verdict.truncated)


class Unjoined(JudgedMetric):
    """Like `Truncated`, but a neck a shade off is accepted, as a person would."""

    name, label, better, unit, rate = (
        "unjoined",
        "Without neck of its skin, or body",
        "lower",
        "%",
        True,
    )
    note = "as truncated, but a neck a shade off is the head's"
    group = HEAD

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        return float(not judged.here or judged.verdict.unjoined)


class Apart(JudgedMetric):
    """Like `Truncated`, whatever the neck's skin."""

    name, label, better, unit, rate = "apart", "Without neck or body", "lower", "%", True
    note = "as truncated, whatever the neck's skin"
    group = HEAD

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        return float(not judged.here or judged.verdict.apart)


class Halo(JudgedMetric):
    """1 if what surrounds the planted head is not the scene (`keeping.md`), else 0."""

    name, label, better, unit, rate = "halo", "Halo", "lower", "%", True
    note = "what surrounds the head is not the scene"
    group = AROUND

    def read(self, judged: Judged) -> float:
        """Return 1 or 0; 0 where there is too little scene to decide."""
        return float(has_halo(judged.verdict, judged.planted))


class HaloShare(JudgedMetric):
    """How much of what surrounds the planted head is not the scene (`keeping.md`)."""

    name, label, better, unit = "halo_share", "Share of a halo", "lower", "%"
    note = "how much of what surrounds the head is not the scene"
    group = AROUND

    def read(self, judged: Judged) -> float:
        """Return a share, 0 to 1."""
        share = halo_share(judged.verdict, judged.planted)
        if share is None:
            raise Missing("too little scene round the head to tell")
        return share


class Sticker(JudgedMetric):
    """1 if the planted pixels are unchanged but do not fit their surroundings, else 0.

    See `keeping.md`.
    """

    name, label, better, unit, rate = "sticker", "Sticker", "lower", "%", True
    note = "planted pixels unchanged, on no neck or another's, or with a halo"
    group = AROUND

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        return float(judged.here and is_sticker(judged.verdict, judged.planted))


class Followed(JudgedMetric):
    """How much of what the sentence says can be seen."""

    name, label, better, unit = "followed", "Prompt followed", "higher", "%"
    note = "share of what the sentence says that the judge sees"
    group, main = SAID, True

    def read(self, judged: Judged) -> float:
        """Return a share, 0 to 1."""
        seen = answers(judged.verdict, judged.pair.mentions).values()
        if not seen:
            raise Missing("the sentence says nothing that the judge reads")
        return sum(seen) / len(seen)


class _Kept(JudgedMetric):
    """1 if a feature of the planted head is kept, else 0; no score if the sentence changes it."""

    part: str
    group = SAID

    def read(self, judged: Judged) -> float:
        """Return 1 or 0."""
        looks, who = judged.verdict.looks if judged.here else {}, judged.pair.identity
        if self.part not in kept_parts(looks, who):
            raise Missing(f"the planted head has no {self.part}")
        kept = kept_parts(looks, who, judged.pair.mentions)
        if self.part not in kept:
            raise Missing("the sentence asks for another")
        return float(kept[self.part])


class GlassesKept(_Kept):
    """1 if glasses are kept, else 0, for heads with glasses."""

    name, label, better, unit, rate = "glasses", "Glasses kept", "higher", "%", True
    note, part = "of planted heads with glasses", "glasses"


class BeardKept(_Kept):
    """1 if a beard is kept, else 0, for heads with a beard."""

    name, label, better, unit, rate = "beard", "Beard kept", "higher", "%", True
    note, part = "of planted heads with a beard", "beard"


class HairKept(_Kept):
    """1 if the hair style is kept, else 0."""

    name, label, better, unit, rate = "hair_style", "Hair style kept", "higher", "%", True
    note, part = "the judge reads the same style; of sentences that ask for no other", "hair style"


JUDGED: tuple[type[JudgedMetric], ...] = (
    JudgedIdDistance, SamePerson, HeadFound, Truncated, Unjoined, Apart, Halo, HaloShare, Sticker,
    OneHead, JudgedPersons, Followed, GlassesKept, BeardKept, HairKept,
    JudgedSaturation, JudgedGrey,
)  # fmt: skip


def judged_metrics(verdicts: Verdicts | None = None) -> list[Metric]:
    """Return all metrics, with a shared judge."""
    shared = verdicts or Verdicts()
    return [kind(shared) for kind in JUDGED]
