"""The studies of relations: their captions, their tables, and boxes that follow what forms."""

from __future__ import annotations

import pytest
import torch

from sow.benchmarks.figures.studies import relations
from sow.benchmarks.figures.studies.common import joined
from sow.benchmarks.figures.studies.refining import toward
from sow.benchmarks.figures.studies.relation_cases import CLASSES, OF_THINGS, PEOPLE, case_of
from sow.benchmarks.figures.studies.relations import Cell, Outcome, report, sided
from sow.plan.box import Box

NUMBERS = range(8)


@pytest.mark.parametrize(("name", "people"), CLASSES)
def test_captions_say_their_relations_in_words_the_model_knows(figures, name, people):
    for number in NUMBERS:
        case = case_of(name, number, people, relations.FRESH)
        assert figures.unknown_words(case.prompt) == []
        edges = {(edge.predicate, edge.subject, edge.object) for edge in case.plan.relations}
        assert len(edges) == len(case.triples) == len(case.claims)
        for subject, predicate, thing in case.triples:
            assert {subject.split()[-1], thing.split()[-1]} <= set(case.prompt.split())
            assert predicate in {edge[0] for edge in edges}


@pytest.mark.parametrize(("name", "people"), CLASSES)
def test_a_negative_has_the_same_seed_and_says_something_else(name, people):
    for number in NUMBERS:
        case, other = (
            case_of(name, number, people, relations.FRESH, negative=no) for no in (False, True)
        )
        assert case.seed == other.seed
        assert case.claims != other.claims
        # The same things are in both, so that only the relation makes the difference.
        assert {
            word for claim in case.claims for key, word in claim.items() if key != "relation"
        } == {word for claim in other.claims for key, word in claim.items() if key != "relation"}


def test_nothing_reported_was_tuned_on():
    for name, people in CLASSES:
        keys = [
            {case_of(name, n, people, kind).key for n in range(200)}
            for kind in (relations.TUNING, relations.FRESH)
        ]
        assert not keys[0] & keys[1]
        assert len(keys[1]) == 200


def cell(*passed: bool, seconds: float = 1.0) -> Cell:
    return Cell(passed, (True,) * len(passed), passed, (False,) * len(passed),
                (False,) * len(passed), seconds)  # fmt: skip


def test_records_are_joined_in_order():
    both = joined([cell(True, False, seconds=2.0), cell(False, seconds=3.0)])
    assert both.passed == (True, False, False)
    assert both.seconds == 5


def test_the_report_counts_what_layout_mends_and_spoils():
    plain, boxes, layout = cell(True, False, False), cell(True, True, False), cell(True, True, True)
    methods = dict(zip(relations.METHODS, (plain, boxes, layout), strict=True))
    found = [Outcome(f"{name}, a person", methods, []) for name in ("left of", "holding")]
    text = "\n".join(report(found, "sow bench study relations --count 3"))
    assert "4 better, 0 worse" in text
    assert "`sow bench study relations --count 3`" in text
    assert sided(found, "layout").passed == (True, True, True)  # holding is no side


@pytest.mark.parametrize("spot", [(2, 60), (60, 2), (62, 62)])
def test_a_box_that_follows_its_heat_moves_towards_it_and_never_across(spot):
    heat = torch.zeros(64, 64)
    heat[spot[1], spot[0]] = 1
    box, other = Box(x=20, y=50, width=30, height=30), Box(x=60, y=40, width=40, height=60)
    moved = toward(box, heat, [other], (128, 128))
    assert moved.right <= other.x  # it was left of it
    assert (moved.width, moved.height) == (box.width, box.height)
    assert (moved.y > box.y) == (spot[1] > 32)
    assert moved.x < box.x or spot[0] > 20


def test_without_heat_a_box_stays():
    box = Box(x=20, y=50, width=30, height=30)
    assert toward(box, torch.zeros(8, 8), [], (128, 128)) == box


def test_the_classes_are_those_of_people_and_of_things():
    assert {name for name, people in CLASSES if not people} == set(OF_THINGS)
    assert all(people in ((), PEOPLE) for _, people in CLASSES)
