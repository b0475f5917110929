"""Hostile scene graphs: files of strangers, triples and sentences of all kinds."""

from __future__ import annotations

import json
from random import Random

from fuzzing import COUNT, Case, check, randomness
from mangling import deep, mangled_bytes, mangled_json
from PIL import Image

from sow.plan.box import Box
from sow.planners.base import PlanRequest
from sow.planners.graph.planner import add_graph, text_only_plan
from sow.planners.graph.predicates import predicate_phrases
from sow.planners.graph.sentence_parser import parse_sentence
from sow.planners.graph_spec import MAX_OBJECTS

PICTURE = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
CANVAS = (128, 128)
GOOD = {
    "objects": [
        {"id": "b", "label": "balloon", "attributes": ["red"], "box": [0, 0, 40, 50]},
        {"label": "her", "condition": True},
        {"label": "dog"},
    ],
    "relations": [["her", "holding", "b"], ["dog", "left of", "her"], ["dog", "near", "b"]],
}
WORDS = (
    "a the her two red dog ball person man woman box on in with and , . of left right the to is it "
    "holding snow wearing coat hat beside under 7 § 猫 İ ſ'’- juggling photo him behind"
)


def legal(request: PlanRequest, subject: str = "") -> None:
    """The plan of a graph is legal and printable, and all boxes are on the canvas."""
    plan = text_only_plan(request)
    if subject:
        box = Box(x=32, y=16, width=56, height=56)
        plan = plan.changed(subject=subject, box=box, canvas=CANVAS)
    made = add_graph(plan, request)
    assert len(made.objects) <= MAX_OBJECTS
    boxes = [thing.box for thing in made.objects if thing.box is not None]
    assert made.text_only or len(boxes) == len(made.objects)  # what is held in a bare one has none
    assert all(box.is_inside(CANVAS) for box in boxes)
    assert all(c.isprintable() or c == "\n" for c in made.to_json())
    assert made.prompt.startswith(request.prompt.strip()[:1])


def files(dice: Random, folder) -> list[Case]:
    path, cases = folder / "scene.json", []
    for number in range(COUNT):
        good = json.dumps(GOOD).encode()
        data = json.dumps(mangled_json(dice, GOOD)).encode()
        if number % 4 == 0:
            data = mangled_bytes(dice, good)
        if number % 50 == 3:
            data = deep(dice)

        def run(data=data, number=number) -> None:
            path.write_bytes(data)
            request = PlanRequest(PICTURE, "a person", CANVAS, graph=path)
            legal(request, ("face", "cat", "red car")[number % 3])

        cases.append(Case(f"graph {number}", run))
    return cases


def test_graphs_of_strangers(tmp_path):
    ends = check(files(randomness("graphs"), tmp_path))
    assert ends["worked"] >= COUNT // 20
    assert ends["PlanError"] >= COUNT // 4


def triples(dice: Random) -> list[Case]:
    cases = []
    names = ["dog", "cat", "red ball", "ball", "person", "man", "x" * 80, "condition", "猫", "a",
             "the the", "'", "prompt", "of of", "ſ", "é-"]  # fmt: skip
    relations = [*predicate_phrases(), "loves", "§", "of", "left of of"]
    for number in range(COUNT):
        rows = [(dice.choice(names), dice.choice(relations), dice.choice(names))
                for _ in range(dice.randrange(1, 5))]  # fmt: skip
        if dice.random() < 0.3:
            text = ",".join(rows[0])
            rows[0] = mangled_bytes(dice, text.encode()).decode("utf-8", "replace")  # type: ignore[call-overload]

        def run(rows=rows, subject=("", "face", "cat")[number % 3]) -> None:
            image = PICTURE if subject else None
            legal(PlanRequest(image, "a person", CANVAS, triples=rows), subject)

        cases.append(Case(f"triples {number}: {rows}", run))
    return cases


def test_triples_of_all_kinds():
    ends = check(triples(randomness("triples")))
    assert ends["worked"] >= COUNT // 3
    assert ends["PlanError"] >= COUNT // 20


def sentences(dice: Random) -> list[Case]:
    cases = []
    for number in range(COUNT):
        text = " ".join(dice.choice(WORDS.split()) for _ in range(dice.randrange(1, 24)))

        def run(text=text, subject=("", "face", "cat")[number % 3]) -> None:
            said = parse_sentence(text)
            names = {name for one, _, other in said.triples for name in (one, other)}
            assert names <= {*said.names, "condition"}
            image = PICTURE if subject else None
            legal(PlanRequest(image, text, CANVAS, graph="prompt"), subject)

        cases.append(Case(f"sentence {number}: {text}", run))
    return cases


def test_sentences_of_all_kinds():
    ends = check(sentences(randomness("sentences")))
    assert ends["worked"] >= COUNT // 2
    assert set(ends) <= {"worked", "PlanError"}
    long = "a dog left of " * 280 + "a cat"
    assert len(parse_sentence(long).triples) <= 280
