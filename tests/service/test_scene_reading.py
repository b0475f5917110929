"""Reading graphs from pictures, and looking whether a plan's relations hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from sow.attention.heat import InversionHeat
from sow.benchmarks.figures.world.drawing import TUNING, identity_of, make, portrait
from sow.errors import UsageError
from sow.pipeline.grounding import denoising_errors, phrase_heat
from sow.plan.plan import Plan
from sow.planners.base import PlanRequest
from sow.planners.graph.planner import GraphPlanner
from sow.service.face_check import FaceCheck, FaceFindings
from sow.service.known_words import in_known_words
from sow.service.pipeline_calls import retry_faulty
from sow.service.presence import MEASURED, measured_presence, score_presence
from sow.service.request import Request
from sow.service.scene_reading import canvas_for, parse_labels
from sow.service.service import Service
from sow.service.verification import bare_label, check_relations
from sow.utils.limits import MAX_SEED

CONTRARY = {"left of": "right of", "right of": "left of"}


@pytest.fixture(scope="module")
def service():
    return Service("figures")


def drawings(count: int):
    """Drawn people with something beside them, and what it is."""
    seed = TUNING + 9_000_000
    while count:
        seed += 1
        drawing = make(seed)
        spec = drawing.spec
        if spec.person and spec.relation in CONTRARY and spec.style == "none":
            count -= 1
            yield drawing, spec.things[0].kind, spec.relation


@pytest.fixture(scope="module")
def drawn():
    return list(drawings(5))


def test_a_graph_is_read_from_drawings(service, drawn):
    """Their truth is known. Three of four at least: it is a small model."""
    right, inside = 0, 0
    for drawing, kind, relation in drawn[:4]:
        seen = service.graph(drawing.image, ["person", kind])
        boxes = {thing.label: thing.box for thing in seen.graph.objects}
        right += ("person", CONTRARY[relation], kind) in seen.graph.relations
        x, y = boxes.get("person", drawing.head).centre
        left, top, far, bottom = drawing.head.corners
        inside += "person" in boxes and left < x < far and top < y < bottom
    assert right >= 3
    assert inside >= 3


def test_relations_of_drawings_hold_and_their_contraries_do_not(service, drawn):
    presence, held = measured_presence(service.model.revision), []
    for drawing, kind, relation in drawn[:3]:
        plan = _plan(f"a {kind}", (kind, relation, "person"))
        (true,) = plan.relations
        contrary = true.model_copy(update={"predicate": CONTRARY[relation]})
        both = plan.changed(relations=[true, contrary])
        checks = check_relations(service.pipe, both, drawing.image, presence)
        assert [check.said for check in checks] == [
            f"{kind} {said} person" for said in (relation, CONTRARY[relation])
        ]
        held.append(checks[0].holds)
        assert checks[0].holds is not False
        assert checks[1].holds is not True
    assert held.count(True) >= 2


def test_what_is_absent_is_said_to_be_absent_and_gets_no_box(service):
    """Somebody alone: an elbow is not a dog, and nobody is on an empty beach."""
    alone = portrait(identity_of(TUNING + 9_200_000), TUNING + 9_200_000, scene="city").image
    seen = service.graph(alone, "person,dog")
    assert [thing.label for thing in seen.graph.objects] == ["person"]
    assert seen.absent == ("dog",)
    assert seen.notes == ("no dog was found: it is left out",)
    seeds = (make(seed) for seed in range(TUNING + 9_200_000, TUNING + 9_300_000))
    empty = next(one for one in seeds if one.spec.person is None and not one.spec.things)
    assert service.graph(empty.image, "person").absent == ("person",)


def test_nothing_is_said_where_nothing_was_measured(service, drawn):
    image = drawn[0][0].image
    (check,) = check_relations(
        service.pipe, _plan("a dog", ("dog", "left of", "person")), image, presence={}
    )
    assert (check.holds, "was not measured" in check.reason) == (None, True)
    tall = service.graph(image.resize((128, 200)), "person")
    assert tall.unjudged == ("person",)
    assert tall.notes == ("whether there is a person cannot be judged: its box is a guess",)


def _plan(prompt: str, *triples: tuple[str, str, str]) -> Plan:
    return GraphPlanner().plan(PlanRequest(None, prompt, canvas=(128, 128), triples=triples))


@pytest.mark.parametrize(
    ("triple", "reason"),
    [
        (("horse", "left of", "person"), "the model does not know horse"),
        (("person", "riding", "box"), "the model does not know riding"),
        (("puppy", "left of", "person"), "the model does not know puppy"),
        (("person", "sitting on", "box"), "boxes do not show 'sitting on'"),
        (("dog", "in front of", "person"), "boxes do not show 'in front of'"),
    ],
)
def test_what_was_dropped_or_replaced_or_is_not_in_boxes_cannot_be_judged(
    service, drawn, triple, reason
):
    known = service.model.checkpoint_spec.words
    plan = in_known_words(_plan("somebody", triple), "figures", known)
    presence = measured_presence(service.model.revision)
    (check,) = check_relations(service.pipe, plan, drawn[0][0].image, presence)
    assert (check.said, check.holds, check.reason) == (" ".join(triple), None, reason)


def test_boxes_refute_that_something_is_near_and_do_not_prove_it(service, drawn):
    image, kind, _ = drawn[0][0].image, *drawn[0][1:]
    presence = measured_presence(service.model.revision)
    (check,) = check_relations(service.pipe, _plan("x", (kind, "near", "person")), image, presence)
    assert check.holds is not True
    assert check.reason


def test_of_a_lost_face_nothing_is_said(service, drawn):
    request = Request("examples/drawn-curls.png", "a woman", triples=["dog,left of,woman"])
    plan, presence = service.plan(request).plan, measured_presence(service.model.revision)
    (check,) = check_relations(service.pipe, plan, drawn[0][0].image, presence, face_lost=True)
    assert (check.holds, check.reason) == (None, "the planted face was not found")


def test_the_thresholds_are_those_of_the_study_and_the_bundled_model(service):
    presence = MEASURED[service.model.revision]
    rows = [
        [cell.strip() for cell in line.split("|")]
        for line in Path("benchmarks/figures/studies/results/absent.md").read_text().splitlines()
    ]
    table = {row[1]: (row[7], row[2]) for row in rows if len(row) > 8 and row[1] in presence}
    assert table == {
        kind: (f"{one.absent:.3f}", f"{one.present:.3f}".replace("inf", "never"))
        for kind, one in presence.items()
    }


def test_what_is_missing_is_less_present_than_what_is_there(service, drawn):
    image, kind, _ = drawn[0][0].image, *drawn[0][1:]
    other = next(name for name in ("car", "tree", "umbrella") if name != kind)
    scores = score_presence(service.pipe, image, [kind, other], ["dog"])
    assert scores[kind].score > scores[other].score
    one, same = (denoising_errors(service.pipe, image, ["a dog"])["a dog"] for _ in range(2))
    assert one.equal(same)  # the same noise


def test_heat_is_a_share_of_attention(service, drawn):
    image = drawn[0][0].image
    ((heat, nothing),) = phrase_heat(service.pipe, image, [("a person", ["person", "dog"])])
    assert heat.shape == (16, 16)
    assert 0 <= heat.min() < heat.max() <= 1
    assert nothing.max() == 0  # "dog" is not in the sentence


def test_too_coarse_layers_are_not_looked_at():
    looking = InversionHeat()
    scene = SimpleNamespace(size=(16, 16))
    looking.begin(scene)
    looking._active = True
    seen = [looking.observes(SimpleNamespace(kind="cross", factor=factor)) for factor in (1, 2, 4)]
    assert seen == [True, True, False]
    assert not looking.observes(SimpleNamespace(kind="self", factor=1))
    looking.end()
    assert looking.maps.equal(torch.zeros(0))


def test_people_who_could_be_taken_for_each_other_are_not_judged(service, drawn):
    triples = [("man", "left of", "woman")]
    plan = GraphPlanner().plan(PlanRequest(None, "a man left of a woman", canvas=(128, 128),
                                           triples=triples))  # fmt: skip
    image, presence = drawn[0][0].image, measured_presence(service.model.revision)
    (check,) = check_relations(service.pipe, plan, image, presence)
    assert (check.holds, check.reason) == (None, "there is more than one person")
    nothing = plan.changed(relations=[])
    assert check_relations(service.pipe, nothing, image, presence) == ()


@pytest.mark.parametrize("labels", ["", "a,,b", "dog,Dog", ",".join("abcdefghi"), ["\x1b"]])
def test_labels_that_are_none(labels):
    with pytest.raises(UsageError):
        parse_labels(labels)
    assert parse_labels(" red  ball , dog") == ("red ball", "dog")


def test_a_condition_has_to_be_a_label(service):
    with pytest.raises(UsageError, match="is not one of the labels"):
        service.graph(Image.new("RGB", (64, 64)), "dog", condition="cat")


@pytest.mark.parametrize("size", [(640, 480), (3000, 100), (90, 4000), (128, 128)])
def test_a_canvas_for_a_picture(service, size):
    checkpoint = service.model.checkpoint_spec
    width, height = canvas_for(size, checkpoint)
    assert width % checkpoint.canvas_multiple == height % checkpoint.canvas_multiple == 0
    assert (width >= height) == (size[0] >= size[1])
    assert 0.7 < width * height / 128**2 < 1.4


def test_clothes_are_not_what_somebody_is_looked_for_by():
    assert bare_label("man in a red coat") == "man"
    assert bare_label("red balloon") == "red balloon"


def test_the_best_of_several_seeds_is_kept():
    faults = {1: 0, 2: 3, 3: 1, 4: 2, 5: 0, 6: 0, 7: 0}
    asked = []

    def make(seeds, places):
        asked.append(list(seeds))
        assert len(places) == len(seeds)
        return (SimpleNamespace(seed=seed, faults=faults[seed]) for seed in seeds)

    def kept(retries):
        asked.clear()
        return [picture.seed for picture in retry_faulty(make, [1, 2, 3], retries)]

    assert kept(0) == [1, 2, 3]
    assert asked == [[1, 2, 3]]
    assert kept(1) == [1, 4, 5]
    assert asked == [[1, 2, 3], [4, 5]]
    assert kept(9) == [1, 6, 5]  # no more than needed
    assert asked == [[1, 2, 3], [4, 5], [6]]


def test_other_seeds_are_tried_for_as_long_as_there_are_any():
    """The largest is the last; what was made is not lost for it."""
    faults = {MAX_SEED - 1: 3, MAX_SEED: 2}

    def make(seeds, places):
        return (SimpleNamespace(seed=seed, faults=faults[seed]) for seed in seeds)

    for first in faults:
        assert [one.seed for one in retry_faulty(make, [first], 5)] == [MAX_SEED]


def test_what_is_made_again_knows_its_place():
    def make(seeds, places):
        told.append((list(seeds), list(places)))
        return (SimpleNamespace(seed=seed, faults=seed == 2) for seed in seeds)

    told = []
    assert [one.seed for one in retry_faulty(make, [1, 2], 1)] == [1, 3]
    assert told == [([1, 2], [0, 1]), ([3], [1])]


def test_cycles_are_those_of_the_place_whatever_the_seed(service, monkeypatch):
    """The second picture is made again, alone, and its cycles are wanted."""
    findings = iter([FaceFindings(1), FaceFindings(1, lost=1), FaceFindings(1)])
    monkeypatch.setattr(FaceCheck, "look", lambda check, image: next(findings))
    spec = service.resolve(Request("examples/drawn-curls.png", "a woman", settings={"cycles": 1}))
    first, second = service.make(spec, [1, 2], cycles_of=[1], retries=1)
    assert (first.recipe.seed, len(first.cycles)) == (1, 0)
    assert (second.recipe.seed, bool(second.cycles)) == (3, True)


def test_pictures_say_what_does_not_hold(service):
    request = Request(None, "a ball left of a box", triples=["ball,left of,box"])
    made = service.generate(request, seed=1, verify=True)
    (check,) = made.pictures[0].checks
    assert check.said == "ball left of box"
    bad = replace(made.pictures[0], checks=(replace(check, holds=False, reason="no box"),))
    assert bad.faults == 1
    assert "'ball left of box' cannot be seen (no box) in the picture of seed 1" in bad.notes[0]
    unsure = replace(made.pictures[0], checks=(replace(check, holds=None),))
    assert (unsure.faults, unsure.notes) == (0, ())


def test_retries_are_bounded(service):
    for retries in (-1, 101, "2"):
        with pytest.raises(UsageError):
            service.generate(Request(None, "x", triples=["ball,near,box"]), retries=retries)


def test_plans_of_others_are_looked_at_too(service, drawn):
    """Relations in any words, and things without boxes."""
    objects = [{"id": "a", "label": "tree"}, {"id": "b", "label": "ball"}]
    plan = Plan.parse({
        "canvas": [128, 128], "prompt": "x", "box": [32, 0, 64, 64], "objects": objects,
        "relations": [
            {"subject": "a", "predicate": "glaring at", "object": "condition"},
            {"subject": "b", "predicate": "to the left of", "object": "a"},
        ],
    })  # fmt: skip
    presence = measured_presence(service.model.revision)
    told = check_relations(service.pipe, plan, drawn[0][0].image, presence)
    assert told[0].holds is None
    assert told[1].said == "ball to the left of tree"
