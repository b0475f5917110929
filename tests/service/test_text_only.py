"""Pictures of a sentence alone, laid out by what it says of who is where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sow.benchmarks.figures.judge.judge import Judge
from sow.benchmarks.figures.judge.relations import holds
from sow.errors import UsageError
from sow.service.request import Request
from sow.service.service import Service

PROMPT = "a red ball left of a blue box in the snow"
TRIPLES = [("red ball", "left of", "blue box")]


@pytest.fixture(scope="module")
def service():
    return Service("figures")


@pytest.fixture(scope="module")
def made(service):
    return service.generate(Request(None, PROMPT, triples=TRIPLES), seed=1, num=3)


def test_things_are_where_the_graph_says(made):
    """Two of three at least: it is a small model."""
    assert made.plan.text_only
    assert made.plan.prompt == PROMPT  # the sentence says it already
    assert {thing.label for thing in made.plan.objects} == {"red ball", "blue box"}
    said = {"relation": "left of", "thing": "ball", "other_thing": "box"}
    assert sum(holds(verdict, said) for verdict in Judge.load().look(made.images)) >= 2


def test_its_recipe_makes_it_again(made, service, tmp_path):
    path = made.pictures[0].save(tmp_path / "bare.png")
    again, spec, seed = Service.of_recipe(path)
    assert spec.plan == made.plan
    (picture,) = again.make(spec, [seed])
    assert picture.image.tobytes() == made.image.tobytes()


def test_a_planted_face_stands_beside_what_the_graph_puts_there(service):
    request = Request(
        "examples/drawn-curls.png", "a woman in a red coat in the forest",
        triples=[("person", "holding", "red balloon")],
    )  # fmt: skip
    made = service.generate(request, seed=1)
    assert made.plan.prompt.endswith("holding a red balloon")
    verdict = Judge.load().look(made.images, [made.plan.box])[0]
    assert holds(verdict, {"relation": "holding", "thing": "balloon"})
    assert not made.pictures[0].face_lost


def test_without_a_picture_and_a_graph_there_is_nothing_to_do(service):
    with pytest.raises(UsageError, match="no picture"):
        service.generate(Request(None, PROMPT))


@pytest.mark.parametrize("how", [{"likeness": 0.9}, {"settings": {"preserve": (4, 3)}}])
def test_where_nothing_is_planted_nothing_is_preserved(service, how):
    """However much of it is to stay: the settings say nothing there."""
    request = Request(None, PROMPT, triples=TRIPLES)
    (kept,) = service.generate(replace(request, **how), seed=1).pictures
    assert kept.recipe.settings.preserve
    without = {**how.get("settings", {}), "preserve": ()}
    changed = replace(request, **{**how, "settings": without})
    (plain,) = service.generate(changed, seed=1).pictures
    assert kept.image.tobytes() == plain.image.tobytes()
