"""Colour and variety: by hand, on drawings, and through `sow bench --seeds 2`."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_bench import typed

from sow.benchmarks.colours import hues, is_grey, mean_saturation, total_variation
from sow.benchmarks.figures.judge.clothes import clothes_of
from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.studies.colour_ladder import RUNGS, ladder
from sow.benchmarks.figures.studies.trials import Trial, judged, service, trials
from sow.benchmarks.figures.world import tv2i as world
from sow.benchmarks.figures.world.drawing import TESTING, TUNING, UNSEEN, identity_of, make
from sow.benchmarks.figures.world.things import COLOURS
from sow.benchmarks.statistics import mean_ratio
from sow.benchmarks.tv2i.methods.text import without_condition
from sow.benchmarks.tv2i.metrics.base import Case, Missing
from sow.benchmarks.tv2i.metrics.colour import (
    Grey,
    JudgedGrey,
    JudgedSaturation,
    Saturation,
    clothes_by,
    hue_distance,
    outside_of,
)
from sow.benchmarks.tv2i.metrics.judge_base import Verdicts
from sow.benchmarks.tv2i.metrics.variety import (
    FeatureVariety,
    PixelVariety,
    groups,
    relative,
    relative_mean,
)
from sow.benchmarks.tv2i.pairs import Pair
from sow.benchmarks.tv2i.report.comparison_table import table
from sow.benchmarks.tv2i.runs import Measure, read_results
from sow.models import find_model
from sow.pictures.condition import Condition
from sow.plan.plan import Plan

SIDE = 64
BOX = {"x": 8, "y": 16, "width": 24, "height": 16}


def case(picture: Image.Image, pair: str = "p", seed: int = 1, kept: int = 255) -> Case:
    """A picture in which a box of 24 x 16 was planted; the left half of it is the condition."""
    mask = Image.new("L", (24, 16))
    mask.paste(kept, (0, 0, 12, 16))
    plan = Plan.parse({"canvas": (SIDE, SIDE), "prompt": "a person", "subject": "face", "box": BOX})
    asked = Pair(pair, "normal", "a person", Path("a.png"), None, 1, seed)
    return Case(asked, picture, Condition(Image.new("RGB", (24, 16)), mask), plan)


def plain(*colour: int) -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE), colour)


def with_inside(picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """The same with other pixels where the condition is, and nowhere else."""
    changed = picture.copy()
    changed.paste(colour, (8, 16, 20, 32))
    return changed


# Pixels.


def test_saturation_and_hue_are_those_of_hsv():
    pixels = np.array([[255, 0, 0], [128, 128, 128], [0, 0, 0], [100, 100, 50]], np.uint8)
    assert mean_saturation(pixels) == pytest.approx((1 + 0 + 0 + 0.5) / 4)
    found = hues(pixels)
    assert found[0] == pytest.approx(1 / 4)  # red
    assert found[2] == pytest.approx(50 / 255 / 4)  # yellow, 60 degrees
    assert found.sum() == pytest.approx(found[0] + found[2])
    for place, colour in enumerate(((255, 0, 0), (0, 255, 0), (0, 0, 255))):
        assert int(hues(np.array([colour], np.uint8)).argmax()) == 4 * place


def test_hues_are_as_far_apart_as_they_share_nothing():
    red, blue = (hues(np.array([c], np.uint8)) for c in ((200, 0, 0), (0, 0, 50)))
    assert total_variation(red, 3 * red) == 0
    assert total_variation(red, blue) == 1
    assert total_variation(red, (red / red.sum() + blue / blue.sum()) / 2) == pytest.approx(0.5)
    assert math.isnan(total_variation(red, 0 * red))


@pytest.mark.parametrize("name", COLOURS)
def test_of_the_worlds_colours_only_gray_is_grey(name):
    assert is_grey(np.array([COLOURS[name]] * 9, np.uint8)) == (name == "gray")


# Variety by hand.


def test_pictures_that_are_the_same_have_no_variety_and_one_alone_has_none_to_tell():
    same = [case(plain(9, 80, 200), seed=n) for n in range(3)]
    assert PixelVariety()(same).value == 0
    assert "--seeds 2" in PixelVariety()(same[:1]).missing
    lost = Case(same[0].pair, None, same[0].condition, same[0].plan, "out of memory")
    assert PixelVariety()([same[0], lost]).missing == "fewer than two pictures were made"


def test_variety_is_the_rms_of_what_is_outside_the_condition():
    one, two, three = plain(10, 10, 10), plain(20, 10, 10), plain(10, 10, 40)
    cases = [case(one), case(two, seed=2), case(three, seed=3)]
    by_hand = [math.sqrt(100 / 3), math.sqrt(900 / 3), math.sqrt((100 + 900) / 3)]
    assert PixelVariety()(cases).value == pytest.approx(sum(by_hand) / 3)
    # What is planted may differ as it likes; a pixel beside it may not.
    assert outside_of(cases[0]).sum() == SIDE * SIDE - 12 * 16
    inside = case(with_inside(one, (255, 0, 255)), seed=2)
    assert PixelVariety()([cases[0], inside]).value == 0
    everywhere = [case(one, kept=0), case(with_inside(one, (255, 0, 255)), kept=0)]
    assert PixelVariety()(everywhere).value > 0


def test_relative_to_itself_is_one():
    values = [3.0, 5.0, None, 8.0]
    assert relative(values, values) == [1, 1, None, 1]
    assert relative([1.0, 2.0], [0.0, 4.0]) == [None, 0.5]
    own = relative_mean(values, values)
    assert (own.value, own.low, own.high, own.count) == (1, 1, 1, 3)
    half = relative_mean([1.0, 4.0], [4.0, 6.0])
    assert half.value == pytest.approx(0.5)  # the ratio of means, not the mean of ratios
    assert half.low <= half.value <= half.high
    assert mean_ratio([], []).count == 0
    assert math.isnan(mean_ratio([1.0], [0.0]).value)


def test_groups_are_by_pair():
    cases = [case(plain(0, 0, 0), name, seed) for seed in (1, 2) for name in "ab"]
    assert [[(c.pair.id, c.pair.seed) for c in some] for some in groups(cases)] == [
        [("a", 1), ("a", 2)], [("b", 1), ("b", 2)]
    ]  # fmt: skip


def test_photographs_are_read_outside_the_condition():
    grey = case(with_inside(plain(120, 120, 124), (255, 0, 0)))
    assert Grey()(grey).value == 1
    assert Saturation()(grey).value == pytest.approx(4 / 124)
    red = case(with_inside(plain(200, 0, 0), (120, 120, 120)))
    assert (Grey()(red).value, Saturation()(red).value) == (0, 1)
    assert hue_distance([red], [red]) == 0
    assert hue_distance([red], [case(plain(0, 0, 90))]) == 1
    with pytest.raises(Missing, match="no colour"):
        hue_distance([red], [case(plain(90, 90, 90))])


# The drawn world.


@pytest.fixture(scope="module")
def judge():
    return Judge.load()


@pytest.fixture(scope="module")
def work():
    """A pair whose sentence leaves the clothes open, and one whose sentence names a colour."""
    (free,) = world.open_pairs(1, tuning=True)
    named = replace(free, id="named", mentions={**free.mentions, "clothing_colour": "red"})
    return trials(service(), [free, named], 5)


def worn(colour: str) -> Image.Image:
    number = TESTING + 17_000_000
    return make(number, identity=identity_of(number), things=(), style="none", clothing="coat",
                clothing_colour=colour, width=44).image  # fmt: skip


def test_a_drawn_gray_coat_is_grey_and_a_red_one_is_not(judge, work):
    free: Trial = work[0]
    verdicts = Verdicts(judge, {one.pair.id: one.pair for one in work})
    gray, red = free.case(worn("gray")), free.case(worn("red"))
    assert JudgedGrey(verdicts)(gray).value == 1
    assert JudgedGrey(verdicts)(red).value == 0
    assert JudgedSaturation(verdicts)(gray).value < 0.15
    assert JudgedSaturation(verdicts)(red).value > 0.6
    counted = clothes_by(verdicts)
    blue = free.case(worn("blue"))
    assert hue_distance([red], [red], counted) == 0
    assert hue_distance([red], [blue], counted) > 0.7


def test_clothes_that_the_sentence_names_are_not_read(judge, work):
    named: Trial = work[1]
    verdicts = Verdicts(judge, {one.pair.id: one.pair for one in work})
    told = JudgedGrey(verdicts)(named.case(worn("gray")))
    assert told.missing == "the sentence names the clothes' colour"
    nobody = JudgedSaturation(verdicts)(work[0].case(Image.new("RGB", (128, 128), "#88bbee")))
    assert "too few clothes" in nobody.missing
    sketched = replace(work[0], pair=replace(work[0].pair, id="s", mentions={"style": "sketch"}))
    drawn = Verdicts(judge, {"s": sketched.pair})
    assert "sketch" in JudgedGrey(drawn)(sketched.case(worn("gray"))).missing
    rows = judged("row", judge, work, [worn("red")] * 2)
    assert [row.scores["grey"] for row in rows] == [0, None]


def test_of_two_people_only_the_first_ones_clothes_are_read(judge):
    number = TESTING + 17_000_100
    left = make(number, identity=identity_of(number), things=(), style="none", scene="plain",
                clothing="coat", clothing_colour="red", width=37)  # fmt: skip
    assert left.head is not None
    shift = 32 - left.head.x - left.head.width // 2
    page = np.roll(np.asarray(left.image), shift, 1)
    page = np.concatenate([page[:, :64], page[:, 63::-1]], 1)
    verdict = judge.look([Image.fromarray(page)])[0]
    if verdict.persons == 2:
        columns = np.flatnonzero(clothes_of(verdict).any(0))
        first_is_left = verdict.heads[0].box.centre[0] < 64
        assert (columns.max() < 70) if first_is_left else (columns.min() > 58)


def test_the_judge_sees_more_variety_where_more_differs(judge):
    kind, pixels = FeatureVariety(judge), PixelVariety()
    some = [ladder(TESTING + 17_500_000 + n) for n in range(6)]
    means = [np.mean([kind(one.cases(rung)).value for one in some]) for rung in range(len(RUNGS))]
    assert means[0] == 0
    assert list(means) == sorted(means)
    assert means[-1] > 5
    rungs = [np.mean([pixels(one.cases(rung)).value for one in some]) for rung in range(2)]
    assert rungs[0] == 0 < rungs[1]


def test_the_judge_leaves_the_condition_out(judge):
    one = ladder(TESTING + 17_600_000)
    head, pixels = np.asarray(one.head) > 127, np.asarray(one.pictures[0]).copy()
    first, second = one.cases(0)
    pixels[head] = (255, 0, 255)
    changed = replace(second, result=Image.fromarray(pixels))
    assert FeatureVariety(judge)([first, changed]).value == 0
    pixels[~head & (np.arange(128) < 20)] = (255, 0, 255)
    changed = replace(second, result=Image.fromarray(pixels))
    assert FeatureVariety(judge)([first, changed]).value > 1


def test_sentences_that_leave_clothes_open_have_people_of_their_own():
    tuning, fresh = (world.open_pairs(200, tuning=x) for x in (True, False))
    assert world.open_pairs(7, tuning=True) == tuning[:7]
    assert (tuning[3].id, fresh[199].id) == ("open-tuning-003", "open-fresh-199")
    people = [one.identity_seed for one in (*tuning, *fresh)]
    assert len(set(people)) == 400
    used = {one.identity_seed for one in (*world.pairs(), *world.listed())} | set(world.unseen())
    for setting in world.SETTINGS:
        used |= {one.identity_seed for one in world.fresh(world.REPORTED_ON, setting)}
        used |= {one.identity_seed for one in world.more_tuning(world.TUNED_ON, setting)}
    assert not used & set(people)
    assert all(TUNING + 50_000 <= one.identity_seed < TUNING + 51_000 for one in tuning)
    assert all(UNSEEN + 50_000 <= one.identity_seed < UNSEEN + 51_000 for one in fresh)
    words = find_model("figures").checkpoint_spec.words
    for one in (*tuning, *fresh):
        assert set(one.prompt.split()) <= set(words), one.prompt
        assert one.mentions
        assert "clothing_colour" not in one.mentions
        assert not set(one.prompt.split()) & set(COLOURS)
        assert ("woman" in one.prompt.split()) <= one.identity.woman
        assert ("man" in one.prompt.split()) <= (not one.identity.woman)
        assert one.setting == "normal"


# Reports of several seeds.


def test_a_pair_with_several_seeds_counts_once():
    from test_report_tables import outcome

    face, score = Measure(name="face", better="higher", rate=True), Measure(name="id")
    found = [outcome(m, n, scores={"face": f, "id": f + n}, missing={}, seed=seed)
             for m, said in (("a", (1.0, 1.0)), ("b", (0.0, 1.0))) for n in range(4)
             for seed, f in enumerate(said)]  # fmt: skip
    made = table(found, ["a", "b"], [face, score])
    ours, theirs = (row.cells for row in made.rows)
    assert made.rows[1].made == 8
    assert ours[0].estimate.count == theirs[0].estimate.count == 4
    assert (ours[0].estimate.value, theirs[0].estimate.value) == (1, 0.5)
    assert theirs[1].against.difference.count == 4
    assert theirs[1].against.difference.value == pytest.approx(-0.5)
    assert theirs[1].against.p == pytest.approx(2 / 2**4)
    assert ours[0].estimate.low < 1  # Wilson's, of four pairs that are yes or no


def test_the_text_alone_has_the_plan_of_the_others():
    plan = Plan.parse({"canvas": (SIDE, SIDE), "prompt": "a person", "subject": "face", "box": BOX,
                       "suppress": "human face"})  # fmt: skip
    alone = without_condition(plan)
    assert alone.text_only
    assert (alone.prompt, alone.canvas, alone.preset) == (plan.prompt, plan.canvas, "text")


@pytest.mark.timeout(900)
def test_several_seeds_through_the_command_line(tmp_path):
    """Two pairs whose sentences leave the clothes open, two seeds, SOW and the model alone."""
    asked = ("figures-tv2i", "--split", "open", "--tables", "methods")
    out = tmp_path / "out"
    code, said = typed(*asked, "--limit", 2, "--methods", "sow,text", "--seeds", 2, "--out", out)
    assert code == 0, said
    assert "2 pairs, 2 seeds each" in said
    results = read_results(out)
    one = tmp_path / "one"
    code, said = typed(*asked, "--limit", 1, "--methods", "text", "--out", one)
    assert code == 0, said
    single = read_results(one)
    code, said = typed("celeba-tv2i", "--root", tmp_path, "--split", "open", "--out", tmp_path)
    assert (code, "unknown split 'open'" in said) == (2, True)
    assert len(results.outcomes) == 8
    assert len({one.file for one in results.outcomes}) == 8
    keys = [one.key for one in results.outcomes]
    assert keys[:4] == keys[4:]
    assert len(set(keys)) == 4
    for one in results.outcomes:
        assert one.error is None
        assert one.scores["variety_pixels"] > 0
        assert one.scores["variety_features"] > 0
        assert one.scores["grey"] in (0, 1)
    alike = {(one.method, one.pair, one.scores["variety_pixels"]) for one in results.outcomes}
    assert len(alike) == 4  # of a pair, not of a picture
    found = {(one.method, one.measure): one for one in results.run.beside}
    assert set(found) == {("sow", "variety_pixels"), ("sow", "variety_features"),
                          ("sow", "hue_distance"), ("text", "hue_distance")}  # fmt: skip
    ours, own = ({p: v for m, p, v in alike if m == name} for name in ("sow", "text"))
    ratio = sum(ours.values()) / sum(own.values())
    assert found["sow", "variety_pixels"].value == pytest.approx(ratio)
    assert found["sow", "variety_pixels"].count == 2
    words = (tmp_path / "out" / "report.md").read_text()
    for part in ("Beside the model's own pictures", "Grey clothes", "Variety in pixels, relative",
                 "a pair's scores are averaged first"):  # fmt: skip
        assert part in words, part
    assert all("--seeds 2" in one.missing["variety_pixels"] for one in single.outcomes)
