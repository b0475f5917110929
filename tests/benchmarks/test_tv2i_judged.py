"""The metrics of the drawn world, by which its studies read their pictures too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from sow.benchmarks.figures.judge.judge import SAME_PERSON, Judge
from sow.benchmarks.figures.studies.trials import READ, judged, service, trials
from sow.benchmarks.tv2i.figures import figures_pairs, known
from sow.benchmarks.tv2i.metrics.base import Case, measure
from sow.benchmarks.tv2i.metrics.judge_base import drawn_ceiling
from sow.benchmarks.tv2i.metrics.suites import figures_metrics
from sow.benchmarks.tv2i.pairs import Pair

COUNT = 9
NAMED = ("saturation", "grey")
"""All of these sentences name the colour of the clothes; see test_colour_and_variety.py."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Work for some pairs, and pictures: pasted on, nobody's, and somebody else's."""
    pairs = figures_pairs(tmp_path_factory.mktemp("work"), "val", COUNT).pairs
    work = trials(service(), [known()[pair.id] for pair in pairs], 0)
    images = []
    for n, (pair, trial) in enumerate(zip(pairs, work, strict=True)):
        if n % 3 == 0:
            images.append(trial.canvas)
        elif n % 3 == 1:
            images.append(Image.new("RGB", (128, 128), (120, 170, 200)))
        else:
            images.append(known()[pair.id].drawing.image)
    cases = [Case(pair, image, trial.work.condition, trial.work.plan)
             for pair, image, trial in zip(pairs, images, work, strict=True)]  # fmt: skip
    return cases, work, images


def test_studies_read_the_same_of_pairs_of_their_own(made):
    """The studies' rows are the bench's metrics, of trials whose pairs are in no benchmark."""
    cases, work, images = made
    found = measure(figures_metrics(), cases)
    strangers = [replace(one, pair=replace(one.pair, id=f"x{n}")) for n, one in enumerate(work)]
    rows = judged("row", Judge.load(), strangers, images)
    for name in READ:
        ours = [one[name].value for one in found]
        assert [row.scores[name] for row in rows] == pytest.approx(ours, abs=1e-5), name
        if name not in NAMED:
            assert any(value is not None for value in ours), name
    assert {one["face_found"].value for one in found} == {0.0, 1.0}
    assert [row.missing.get("id_distance", "") for row in rows[:2]] == [
        "", "no head where it was planted"
    ]  # fmt: skip


def test_what_has_no_answer_says_why(made):
    cases, _, _ = made
    (one,) = measure(figures_metrics(), [cases[1]])
    assert one["id_distance"].missing == "no head where it was planted"
    assert (one["same_person"].value, one["truncated"].value, one["face_found"].value) == (0, 1, 0)


def test_a_stranger_among_the_cases_does_not_spoil_the_others(made):
    (first, *_), _, _ = made
    other = Pair("nobody", "normal", "a person", first.pair.image, None, 1, 1)
    stranger = Case(other, first.picture, first.condition, first.plan)
    lost = Case(first.pair, None, first.condition, first.plan)
    found = measure(figures_metrics(), [first, stranger, lost])
    assert found[0]["id_distance"].value is not None
    assert found[1]["id_distance"].missing == "nobody is not a pair of Figures-TV2I"
    assert found[1]["psnr"].value is not None
    assert found[2]["followed"].missing == "no picture"


def test_a_picture_pasted_on_grey_is_a_copy(made):
    (first, *_), _, _ = made
    (one,) = measure(figures_metrics(), [first])
    assert (one["copy_paste"].value, one["copied"].value) == (1, 1)
    assert one["apart"].value == 1


def test_two_drawings_of_one_person_are_near_and_not_the_same(made):
    """The judge's threshold lies between them and other people (`judge.md`)."""
    cases, _, _ = made
    values = [score.value for score in drawn_ceiling(Judge.load(), [case.pair for case in cases])]
    assert min(values) > 0
    assert np.mean(values) < SAME_PERSON
