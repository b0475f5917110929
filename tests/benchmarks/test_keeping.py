"""What the judge says became of a planted head, and the numbers that studies print of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sow.benchmarks.figures.judge.accuracy_keeping import cases, read_keeping, walled, with_neck
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.judge.planted_head import (
    Planted,
    halo_share,
    is_sticker,
    kept_parts,
    moved,
)
from sow.benchmarks.figures.studies.common import brief, outcome, rows_of
from sow.benchmarks.figures.studies.trials import MEASURES, looked, service, trials
from sow.benchmarks.figures.world.tv2i import TUNED_ON, fresh, more_tuning, pairs
from sow.benchmarks.statistics import sign_test
from sow.benchmarks.tv2i.metrics.base import Missing, Score
from sow.benchmarks.tv2i.metrics.judge_base import Verdicts
from sow.benchmarks.tv2i.metrics.judge_metrics import HairKept


@pytest.fixture(scope="module")
def judge():
    return Judge.load()


def test_the_judge_is_right_about_heads_on_drawings(judge):
    """Measured on 300: see judge/results/judge.md."""
    for name, _, count in (rows := read_keeping(judge, 40)):
        assert count > 0, name
    right = {name: float(value.split(" ")[0]) for name, value, _ in rows}
    assert min(right.values()) >= 80, right


def test_a_halo_is_more_of_the_ring_than_the_scene_has_anyway(judge):
    pairs_ = [(case, image) for case in cases(12) if (image := walled(case)) is not None]
    boxes = [case.planted.box for case, _ in pairs_]
    clean = judge.look([case.drawing.image for case, _ in pairs_], boxes)
    left = judge.look([image for _, image in pairs_], boxes)
    shares = [[halo_share(v, c.planted) or 0.0 for v, (c, _) in zip(side, pairs_, strict=True)]
              for side in (clean, left)]  # fmt: skip
    assert np.mean(shares[1]) > np.mean(shares[0]) + 0.4


def test_a_sticker_is_unchanged_and_does_not_fit(judge):
    """The same pixels on a neck of other skin are one; changed pixels are none."""
    case = next(c for c in cases(20) if c.planted.who.skin == 0)
    wrong = with_neck(case, 4)
    (verdict,) = judge.look([wrong], [case.planted.box])
    assert moved(verdict, case.planted) == 0
    assert is_sticker(verdict, case.planted)
    other = Planted(255 - case.planted.pixels, case.planted.mask, case.planted.box,
                    case.planted.who)  # fmt: skip
    assert not is_sticker(verdict, other)


def test_fresh_people_and_sentences_are_nobody_elses():
    known = {p.prompt for p in pairs()} | {p.prompt for p in more_tuning(TUNED_ON)}
    people = {p.identity_seed for p in pairs()} | {p.identity_seed for p in more_tuning(TUNED_ON)}
    for setting in ("normal", "attribute", "style"):
        some = fresh(60, setting)
        assert len({p.prompt for p in some}) == len({p.identity_seed for p in some}) == 60
        assert not known & {p.prompt for p in some}
        assert not people & {p.identity_seed for p in some}
        assert {p.setting for p in some} == {setting}


def test_the_head_is_looked_for_where_sow_planted_it(judge):
    """The true outline, carried through picture, crop and box, lies on what was cut out."""
    work = trials(service(), more_tuning(4), 0)
    for trial, judged in zip(work, looked(judge, work, [t.canvas for t in work]), strict=True):
        true, cut = judged.planted.mask, np.zeros((128, 128), bool)
        box, condition = trial.work.plan.box, trial.work.condition
        cut[box.y : box.bottom, box.x : box.right] = np.asarray(condition.mask) > 127
        assert (true & cut).sum() / (true | cut).sum() > 0.75


@pytest.mark.parametrize(
    ("better", "worse", "p"), [(0, 0, 1.0), (5, 5, 1.0), (10, 0, 2 / 1024), (9, 1, 22 / 1024)]
)
def test_the_sign_test_is_the_binomials(better, worse, p):
    assert sign_test(better, worse) == pytest.approx(p)
    assert sign_test(worse, better) == pytest.approx(p)


def test_rows_are_compared_pair_by_pair():
    """The same outcomes as a bench's, so its table: differences, tests, what is missing."""

    def row(name: str, same: list[float], away: list[float | None]):
        return [
            outcome(name, f"pair-{seed}", "normal", "a person", 1, seed,
                    {"same_person": Score(yes), "id_distance": Score(far, "" if far else "lost")})
            for seed, (yes, far) in enumerate(zip(same, away, strict=True))
        ]  # fmt: skip

    measures = [one for one in MEASURES if one.name in ("same_person", "id_distance")]
    outcomes = [*row("before", [0, 1, 1], [1, 2, None]), *row("now", [1, 1, 0], [2, 4, 5])]
    made = rows_of("A title", outcomes, measures, "now")
    before, now = made.rows
    assert now[0].lines == ("reference",)
    assert before[1].main == "1.500"
    assert before[1].lines[0].endswith("n = 2, 1 missing")
    assert before[1].lines[1].startswith("Δ −1.500")
    assert before[2].main == "66.7 %"
    assert before[2].lines[1].startswith("Δ +0.0 points")
    assert brief(outcomes[:3], measures) == "before: ID-Distance 1.500, Same person 66.7 %"


def test_a_picture_of_a_user_shows_the_same_head_as_the_small_drawing():
    pair = more_tuning(1)[0]
    small = np.asarray(pair.picture.resize((128, 128), Image.Resampling.BOX), float)
    assert pair.picture.size == (256, 256)
    assert np.abs(small - np.asarray(pair.face, float)).mean() < 15


def test_what_the_sentence_wants_otherwise_is_not_to_be_kept():
    """Whoever is bald because the sentence says so has not lost their hair."""
    who = replace(more_tuning(1)[0].identity, hair_style="long", glasses=True, beard=False)
    bald = {"hair_style": "bald", "glasses": "yes"}
    assert kept_parts(bald, who) == {"hair style": False, "glasses": True}
    assert kept_parts(bald, who, {"hair_style": "bald"}) == {"glasses": True}
    same = {"hair_style": "long", "glasses": "yes", "scene": "city"}
    assert kept_parts(bald, who, same) == {"hair style": False, "glasses": True}
    assert kept_parts(bald, who, {"glasses": "no"}) == {"hair style": False}


def test_hair_that_a_sentence_changes_has_no_score(judge):
    """Of such pairs the metric says why; of others what it said before."""
    pair = next(p for p in fresh(200, "attribute")
                if p.mentions.get("hair_style", "") not in ("", p.identity.hair_style))  # fmt: skip
    work = trials(service(), [pair], 0)
    (judged,) = looked(judge, work, [work[0].canvas])
    metric = HairKept(Verdicts(judge))
    with pytest.raises(Missing, match="the sentence asks for another"):
        metric.read(judged)
    assert metric.read(replace(judged, pair=replace(pair, mentions={}))) == 1
