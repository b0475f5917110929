"""From graphs to plans: places, words, weights; with a model's relations; in known words."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations

import pytest
from mllm_server import GOOD, good
from planner_helpers import planner_of

import sow
from sow.checkpoints.spec import CheckpointSpec
from sow.errors import PlanError, UsageError
from sow.models.find import find_model
from sow.pictures.condition import Condition
from sow.pictures.drawing import draw_plan
from sow.plan.box import Box
from sow.plan.plan import NOTHING, Plan
from sow.planners.base import PlanRequest
from sow.planners.graph.build import build_graph
from sow.planners.graph.planner import GraphPlanner, add_graph
from sow.planners.offline.planner import OfflinePlanner
from sow.service.fitting import plan_request
from sow.service.known_words import in_known_words
from sow.service.planning import PlannerChoice, ask_for_plan
from sow.service.request import Request
from sow.service.resolved import read_request

FIGURES = find_model("figures")
CANVAS = (128, 128)
BALL_AND_BOX = "a red ball and a blue box in the snow"


@pytest.fixture(scope="module")
def face(faces):
    return faces["drawn-beard"]


def plan_of(image, prompt, *triples, **more) -> Plan:
    return GraphPlanner().plan(PlanRequest(image, prompt, CANVAS, triples=triples, **more))


def named(plan: Plan) -> dict[str, Box]:
    return {thing.label: thing.box for thing in plan.objects if thing.box is not None}


def test_objects_get_boxes_and_relations_their_classes(face):
    plan = plan_of(face, "a person in the snow", "person,carries,red balloon", "dog,left,person")
    boxes = named(plan)
    assert set(boxes) == {"red balloon", "dog"}
    assert boxes["dog"].right <= plan.box.x
    said = [(e.subject, e.predicate, e.object) for e in plan.relations]
    assert said == [("condition", "carrying", "red-balloon"), ("dog", "left of", "condition")]
    assert plan.relations[1].distant  # from their body's middle, as far as the dog is
    assert plan.planner == "offline, graph"
    assert Plan.parse(plan.to_json()) == plan
    assert plan.matte == OfflinePlanner().plan(PlanRequest(face, "a person", CANVAS)).matte


def test_any_order_of_triples_is_the_same_plan(face):
    triples = ("person,holding,ball", "dog,left of,person", "cat,near,dog")
    plans = [plan_of(face, "a person", *order) for order in permutations(triples)]
    assert all(plan == plans[0] for plan in plans)


def test_without_a_graph_the_plan_is_the_inner_ones(face):
    request = PlanRequest(face, "a person with a dog on the left", CANVAS)
    assert GraphPlanner().plan(request) == OfflinePlanner().plan(request)


def test_who_lays_nothing_out_says_so(face):
    for more in ({"triples": "a,on,b"}, {"graph": "prompt"}):
        with pytest.raises(UsageError, match="GraphPlanner"):
            OfflinePlanner().plan(PlanRequest(face, "a person", CANVAS, **more))


def test_the_flow_goes_outwards_and_falls(face):
    plan = plan_of(
        face, "a person", "person,holding,cage", "cage,touching,bird", "dog,left of,person"
    )
    weights = [(region.label, region.weight) for region in plan.related]
    assert weights == [("body", 1), ("holding", 0.5), ("cage", 0.25), ("touching", 0.125),
                       ("bird", 0.0625)]  # fmt: skip
    boxes = named(plan)
    holding = plan.related[1].box
    assert holding.x < boxes["cage"].right
    assert boxes["cage"].x < holding.right
    body = plan.related[0].box
    assert not (body.x < boxes["dog"].right and boxes["dog"].x < body.right)


def test_what_the_user_decides_stays(face):
    plan = plan_of(face, "a person", "dog,left of,person", box=[64, 8, 48, 48],
                   related={"coat": [64, 56, 48, 40]})  # fmt: skip
    assert plan.box.corners == (64, 8, 112, 56)
    assert [region.label for region in plan.related] == ["coat"]
    graph = {"objects": [{"label": "her", "condition": True, "box": [56, 16, 48, 48]}]}
    assert plan_of(face, "x", "dog,left of,her", graph=graph).box.corners == (56, 16, 104, 64)
    outside = {"objects": [{"label": "dog", "box": [100, 0, 40, 40]}]}
    with pytest.raises(PlanError, match="is not inside the canvas"):
        plan_of(face, "x", graph=outside)


def test_a_second_person_may_appear(face):
    assert plan_of(face, "a person", "dog,near,person").suppress == "human face"
    assert plan_of(face, "a person", "woman,left of,person").suppress == ""


@pytest.mark.parametrize(
    ("prompt", "triples", "taken"),
    [
        ("a person in the snow", ["person,holding,red ball"],
         "a person in the snow, holding a red ball"),
        ("a person in the snow.", ["orange cat,left of,person"],
         "a person in the snow, with an orange cat on the left"),
        ("a person", ["person,left of,dog"], "a person, with a dog on the right"),
        ("a person", ["ball,above,person"], "a person, below a ball"),
        ("a king", ["cat,looking at,king"], "a king, a cat looking at the king"),
        ("a person with a dog on the left", ["dog,left of,person"],
         "a person with a dog on the left"),
        ("a person right of a dog", ["dog,left of,person"], "a person right of a dog"),
        ("an old man and a brown dog", ["brown dog,left of,man"],
         "an old man right of a brown dog"),
        ("a person near a dog", ["dog,left of,cat"], "a person near a dog, the dog left of a cat"),
    ],
)  # fmt: skip
def test_what_the_prompt_does_not_say_is_added(face, prompt, triples, taken):
    plan = plan_of(face, prompt, *triples)
    assert plan.prompt == taken
    assert any(taken in note for note in plan.notes) == (prompt != taken)
    assert all(label in plan.prompt for label in named(plan))


def test_and_gives_way_to_the_relation():
    assert plan_of(None, BALL_AND_BOX, "red ball,left of,blue box").prompt == (
        "a red ball left of a blue box in the snow"
    )
    assert plan_of(None, BALL_AND_BOX, "blue box,above,red ball").prompt == (
        "a red ball below a blue box in the snow"
    )


def test_nothing_is_planted_without_a_picture():
    plan = plan_of(None, BALL_AND_BOX, "red ball,left of,blue box")
    assert (plan.subject, plan.text_only, plan.suppress) == (NOTHING, True, "")
    assert plan.box.corners == (0, 0, *CANVAS)
    assert not any((plan.related, plan.crop, plan.matte, plan.ellipse))
    boxes = named(plan)
    assert boxes["red ball"].right <= boxes["blue box"].x
    assert Plan.parse(plan.to_json()) == plan
    larger = plan.scaled((512, 512))
    assert larger.box.corners == (0, 0, 512, 512)
    unsized = GraphPlanner().plan(PlanRequest(None, BALL_AND_BOX, triples="ball,left of,box"))
    assert not unsized.has_canvas
    for change in ({"box": [8, 8, 64, 64]}, {"suppress": "ball"}, {"crop": [0, 0, 9, 9]}):
        with pytest.raises(PlanError, match="a plan that plants nothing"):
            plan.changed(**change)


@pytest.mark.parametrize("said", [{"subject": "cat"}, {"box": [0, 0, 64, 64]}, {"face_index": 0}])
def test_what_is_said_of_a_picture_needs_one(said):
    with pytest.raises(UsageError, match="needs a picture"):
        PlanRequest(None, "x", triples="a,on,b", **said)
    with pytest.raises(UsageError, match="needs a picture"):
        Request(prompt="x", triples="a,on,b", **said).check()
    with pytest.raises(UsageError):
        PlanRequest(None, "x")
    with pytest.raises(UsageError, match="no picture"):
        Request(prompt="x").check()
    with pytest.raises(UsageError, match="making a plan"):
        Request("x.png", plan="p.json", triples="a,on,b").check()


def test_a_plan_that_plants_nothing_needs_no_picture(tmp_path, face):
    plan = plan_of(None, BALL_AND_BOX, "red ball,left of,blue box")
    (tmp_path / "plan.json").write_text(plan.to_json())
    asked = read_request(Request(plan=tmp_path / "plan.json"))
    assert asked.image is None
    with pytest.raises(UsageError, match="no picture"):
        read_request(Request(plan=plan_of(face, "a person", "dog,near,person")))


def asked_for(request: Request, choice=PlannerChoice("offline")) -> Plan:
    return ask_for_plan(
        plan_request(read_request(request), FIGURES.checkpoint_spec), choice, FIGURES
    ).plan


def test_things_are_called_as_the_reworded_prompt_calls_them(face):
    plan = asked_for(Request(face, "a king", triples=["king,carrying,a crimson balloon",
                                                      "terrier,left of,king"]))  # fmt: skip
    assert plan.prompt == "a man, holding a red balloon, with a dog on the left"
    assert set(named(plan)) == {"red balloon", "dog"}
    lost = asked_for(Request(face, "a person", triples=["violin,left of,person"]))
    assert named(lost) == {}
    assert [thing.label for thing in lost.objects] == ["violin"]
    assert any("violin (left out)" in note for note in lost.notes)


def test_words_change_nothing_for_a_model_that_knows_all(face):
    plan = plan_of(face, "a king", "king,carrying,crimson balloon")
    assert in_known_words(plan, "x", CheckpointSpec().words) == plan


def test_contradictions_are_refused_before_a_face_is_looked_for(face, monkeypatch):
    monkeypatch.setattr(OfflinePlanner, "plan", None)
    for triples in (["cat,left of,dog", "dog,left of,cat"], ["person,on,cat", "person,below,cat"]):
        with pytest.raises(PlanError, match="contradict"):
            asked_for(Request(face, "a person", triples=triples))
        with pytest.raises(PlanError, match="contradict"):
            plan_of(face, "a person", *triples)


def test_a_models_relations_are_laid_out_where_it_is_asked_for_them(server, face):
    relations = [("man", "holding", "umbrella"), ("dog", "left of", "man"),
                 ("man", "left of", "dog"), ("cat", "admiring", "dog")]  # fmt: skip
    rows = [dict(zip(("subject", "relation", "object"), row, strict=True)) for row in relations]
    answer = json.dumps({**GOOD["Refinement"], "relations": rows})
    server.reply = lambda asked: answer if asked.stage == "Refinement" else good(asked)
    inner = planner_of("openai", server)
    request = PlanRequest(face, "an old man", (512, 512), subject="face", graph="planner")
    plan = GraphPlanner(inner).plan(request)
    said = [(e.subject, e.predicate, e.object) for e in plan.relations]
    assert said == [("cat", "looking at", "dog"), ("condition", "holding", "umbrella"),
                    ("condition", "left of", "dog")]  # fmt: skip
    boxes = named(plan)
    assert plan.box.right <= boxes["dog"].x
    plain = inner.plan(PlanRequest(face, "an old man", (512, 512), subject="face"))
    assert all(thing.box is None for thing in plain.objects)
    assert plan.prompt.startswith(plain.prompt)


def test_of_a_models_relations_those_that_fit_are_taken(server, face):
    """Beside the user's, of which none is left out, and whatever comes later of things known."""
    things = [f"thing{letter}" for letter in "abcdefghijklmnopq"]
    rows = [{"subject": "man", "relation": "near", "object": thing} for thing in things]
    rows.append({"subject": "thinga", "relation": "near", "object": "thingb"})
    answer = json.dumps({**GOOD["Refinement"], "relations": rows})
    server.reply = lambda asked: answer if asked.stage == "Refinement" else good(asked)
    own = [("man", "left of", "robot")]
    request = PlanRequest(face, "an old man", (512, 512), subject="face", graph="planner",
                          triples=own)  # fmt: skip
    plan = planner_of("openai", server).plan(PlanRequest(face, "x", (512, 512), subject="face"))
    assert len(plan.objects) == 17
    read = build_graph(request, plan)
    labels = {thing.label for thing in read.graph.objects}
    assert labels == {"robot", *things[:15]}
    assert ("thinga", "thingb") in {(edge.subject, edge.object) for edge in read.graph.edges}
    assert read.notes == ["a graph has at most 16 objects: 2 relations were left out"]
    assert len(add_graph(plan, request).objects) == 16
    many = [("robot", "near", thing) for thing in things[:16]]
    with pytest.raises(PlanError, match="17 objects"):
        build_graph(replace(request, triples=many), plan)


def test_rules_have_no_relations_and_read_the_prompt(face):
    plan = plan_of(face, "a person holding a ball", graph="planner")
    assert set(named(plan)) == {"ball"}
    assert any("reading the graph from the prompt" in note for note in plan.notes)


def test_the_drawing_shows_boxes_and_arrows(face):
    plan = plan_of(face, "a person", "person,holding,ball", "dog,left of,person")
    condition = Condition.prepare(face, plan)
    drawn, scale = draw_plan(plan, condition), 4
    without = draw_plan(plan.changed(objects=[], relations=[]), condition)
    for box in named(plan).values():
        corner = (box.x * scale, box.y * scale + 8)
        assert drawn.getpixel(corner) != without.getpixel(corner)
    dog, head = named(plan)["dog"].centre, plan.box.centre
    along = [(dog[0] + t * (head[0] - dog[0]), dog[1] + t * (head[1] - dog[1])) for t in (0.3, 0.7)]
    for x, y in along:
        spot = drawn.getpixel((round(x * scale), round(y * scale)))
        assert spot != without.getpixel((round(x * scale), round(y * scale)))
    bare = plan_of(None, BALL_AND_BOX, "red ball,left of,blue box")
    assert len(draw_plan(bare, Condition.empty(CANVAS)).getcolors(2**20)) > 10


def test_a_graph_on_the_command_line(tmp_path, monkeypatch):
    from sow.cli.plan import plan as command

    monkeypatch.chdir(tmp_path)
    command(prompt=BALL_AND_BOX, triples=["red ball,left of,blue box"], model="figures",
            out=tmp_path / "plan.json")  # fmt: skip
    made = Plan.read(tmp_path / "plan.json")
    assert made.text_only
    assert set(named(made)) == {"red ball", "blue box"}
    assert (tmp_path / "sow-plan.png").exists()


def test_public_names():
    assert sow.GraphPlanner is GraphPlanner
