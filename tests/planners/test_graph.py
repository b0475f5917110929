"""Scene graphs: who is who, what contradicts what, what of a stranger's file is taken."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from PIL import Image

from sow.errors import PlanError, SowError
from sow.plan.scene_graph import CONDITION
from sow.planners.base import PlanRequest
from sow.planners.graph.build import BuiltGraph, build_graph
from sow.planners.graph.planner import text_only_plan
from sow.planners.graph_spec import as_graph, as_triples

PICTURE = Image.linear_gradient("L").resize((64, 64)).convert("RGB")


def read(*triples: str, prompt: str = "a picture", subject: str = "", graph=None) -> BuiltGraph:
    """The graph around a face, or `subject`; nothing is planted where that is empty."""
    image = PICTURE if subject else None
    request = PlanRequest(image, prompt, triples=triples, graph=graph)
    plan = text_only_plan(request)
    if subject:
        plan = plan.changed(subject=subject, box=[16, 16, 180, 180])
    return build_graph(request, plan)


def quotes(made: BuiltGraph) -> set[str]:
    return {made.graph.quote(edge).strip("'") for edge in made.graph.edges}


@pytest.mark.parametrize(
    "triples",
    [
        ("a,left of,b", "b,left of,a"),
        ("a,left of,b", "a,right of,b"),
        ("a,left of,b", "b,to the left of,c", "c,left of,a"),
        ("a,above,b", "b,on,a"),
        ("a,in front of,b", "b,in front of,c", "a,behind,c"),
        ("a,in,b", "b,inside,a"),
    ],
)
def test_contradictions_are_named(triples):
    with pytest.raises(PlanError, match="contradict each other") as raised:
        read(*triples)
    names = raised.value.what
    assert all(triple[0] in names for triple in triples)
    assert raised.value.exit_code == 4


def test_what_could_be_true_is_no_contradiction():
    made = read("a,left of,b", "a,above,b", "b,in front of,a", "a,holding,b", "b,holding,a")
    assert len(made.graph.edges) == 5
    with pytest.raises(PlanError, match="itself"):
        read("red ball,near,ball")


def test_an_unknown_relation_is_near_with_a_note():
    made = read("robot,defenestrating,cup")
    assert quotes(made) == {"robot near cup"}
    assert "'defenestrating'" in made.notes[0]
    many = read(*(f"robot,zap{n},cup {n}" for n in range(14)))
    assert len(many.notes) == 6
    assert "9 more" in many.notes[-1]


def test_passive_relations_are_turned():
    assert quotes(read("balloon,held by,robot")) == {"robot holding balloon"}


@pytest.mark.parametrize(
    ("subject", "prompt", "name"),
    [
        ("face", "a man in the snow", "person"),
        ("face", "a man in the snow", "old man"),
        ("face", "a man in the snow", "the face"),
        ("face", "a king in the snow", "king"),
        ("cat", "a cat in the snow", "cat"),
        ("cat", "a cat in the snow", "white cat"),
        ("red car", "a red car", "car"),
        ("face", "x", "condition"),
    ],
)
def test_the_condition_goes_by_many_names(subject, prompt, name):
    (edge,) = read(f"{name},left of,blue box", prompt=prompt, subject=subject).graph.edges
    assert (edge.subject, edge.object) == (CONDITION, "blue-box")


def test_two_people_are_one_condition_and_somebody_else():
    for triples in (("man,left of,woman",), ("man,left of,woman", "woman,holding,cup")):
        for order in permutations(triples):
            graph = read(*order, prompt="a woman and a man", subject="face").graph
            assert [thing.label for thing in graph.objects if thing.id != "cup"] == ["man"]
    graph = read("person,left of,woman", prompt="a woman", subject="face").graph
    assert [thing.label for thing in graph.objects] == ["woman"]
    prompt = "a man holding a ball"
    graph = read("person,left of,dog", prompt=prompt, subject="face", graph="prompt").graph
    assert sorted(thing.label for thing in graph.objects) == ["ball", "dog"]


def test_short_names_mean_what_is_there():
    graph = read("red balloon,left of,dog", "cat,near,balloon").graph
    assert [thing.label for thing in graph.objects] == ["cat", "dog", "red balloon"]
    graph = read("red balloon,left of,blue balloon", "cat,near,balloon").graph
    assert len(graph.objects) == 4  # which of the two cannot be told


def test_any_order_is_the_same_graph():
    triples = ("red ball,left of,box", "box,on,table", "ball,near,cup", "dog,zapping,table")
    graphs = [read(*order).graph for order in permutations(triples)]
    assert all(graph == graphs[0] for graph in graphs)


def test_networkx_has_it_all():
    graph = read("person,holding,red balloon", "dog,left of,person", subject="face").graph
    assert set(graph.nx.nodes) == {CONDITION, "red-balloon", "dog"}
    assert graph.nx.nodes["red-balloon"]["label"] == "red balloon"
    assert graph.nx.has_edge(CONDITION, "red-balloon", key="holding")
    assert CONDITION not in read("a,on,b").graph.nx


GRAPH = {
    "objects": [
        {"id": "balloon", "label": "balloon", "attributes": ["red"], "box": [0, 0, 40, 50]},
        {"label": "her", "condition": True},
        {"id": "b2", "label": "box"},
    ],
    "relations": [["her", "holding", "balloon"],
                  {"subject": "box", "predicate": "left of", "object": "condition"}],
}  # fmt: skip


def test_a_file_says_things_and_relations(tmp_path):
    path = tmp_path / "scene.json"
    path.write_text(json.dumps(GRAPH))
    for given in (path, str(path), GRAPH, as_graph(GRAPH)):
        made = read(graph=given, subject="face")
        assert quotes(made) == {"condition holding red balloon", "box left of condition"}
        assert [thing.id for thing in made.graph.objects] == ["b2", "balloon"]
        assert made.graph.objects[1].box.corners == (0, 0, 40, 50)
    more = read("dog,near,red balloon", graph=path, subject="face")
    assert "dog near red balloon" in quotes(more)
    assert len(more.graph.objects) == 3


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("nowhere.json", "cannot read the graph"),
        ({"objects": [{"label": "x"}] * 17}, "objects"),
        ({"relations": [["a", "on"]]}, "relations"),
        ({"relations": [["a", "on", "b", "c"]]}, "relations"),
        ({"relations": [["a", "on", ""]]}, "empty"),
        ({"nodes": []}, "nodes"),
        ({"objects": [{"label": "a", "box": [0, 0, 0, 1]}]}, "box"),
        ({"objects": [{"label": "a", "condition": True}, {"label": "b", "condition": True}]},
         "mark one"),
        ({"objects": [{"label": "a", "attributes": ["x" * 80] * 2}]}, "longer than"),
        ({"objects": [{"label": "a"}, {"label": "a"}]}, "give each an id"),
        ({"version": 2}, "version"),
        (7, "give a file"),
        ([], "give a file"),
    ],
)  # fmt: skip
def test_what_is_no_graph_is_refused_in_one_line(given, says):
    with pytest.raises(SowError, match=says) as raised:
        read(graph=given, subject="face")
    assert raised.value.exit_code in (2, 4)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[" * 10**5, b'{"relations": 1e999}', b"null"])
def test_a_file_that_is_no_json_is_refused(tmp_path, data):
    path = tmp_path / "scene.json"
    path.write_bytes(data)
    with pytest.raises(PlanError):
        as_graph(path)
    path.write_bytes(b" " * 2**21)
    with pytest.raises(PlanError, match="larger"):
        as_graph(path)


def test_triples_are_texts_or_rows():
    assert as_triples("a dog, left of ,b") == (("a dog", "left of", "b"),)
    assert as_triples([("a", "on", "b"), "c,in,d"]) == (("a", "on", "b"), ("c", "in", "d"))
    for bad in ("a,b", "a,,b", ["a,on,b"] * 49, [1], [("a", "on")], ["\x1b,on,b"]):
        with pytest.raises(PlanError, match="not a triple"):
            as_triples(bad)


def test_too_many_things_are_refused():
    with pytest.raises(PlanError, match="17 objects"):
        read(*(f"thing {n},near,cup" for n in range(16)))
