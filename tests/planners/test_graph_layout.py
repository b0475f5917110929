"""Layouts: every relation that can hold does in the boxes, whatever else is said."""

from __future__ import annotations

from itertools import combinations, pairwise
from random import Random

import pytest

from sow.errors import PlanError
from sow.plan.box import MAX_CONDITION_SHARE, MIN_CONDITION_SHARE, Box
from sow.plan.scene_graph import CONDITION, SceneObject, unused_id
from sow.planners.graph.flow import around, between, distant
from sow.planners.graph.layout import Layout, lay_out
from sow.planners.graph.nouns import kind_of
from sow.planners.graph.predicates import predicates
from sow.planners.graph.scene_graph import Edge, SceneGraph
from sow.planners.graph.search import LayoutInput

NAMES = (
    "red ball", "blue box", "dog", "cat", "tree", "house", "umbrella", "car", "cup", "horse",
    "woman", "table", "lamp", "book", "balloon", "hat",
)  # fmt: skip
PLACES = ("left of", "right of", "above", "below", "in front of", "behind")
APART = {"left of", "right of", "above", "below", "near", "looking at", "pulling", "touching"}
"""Relations of things that do not lie over each other."""


def graph_of(
    *triples: tuple[str, str, str], alone: tuple[str, ...] = (), text_only=False
) -> SceneGraph:
    """A graph of names; `me` is the condition."""
    names = dict.fromkeys([*(n for s, _, o in triples for n in (s, o)), *alone])
    ids = {name: CONDITION if name == "me" else unused_id(name, ()) for name in names}
    objects = tuple(SceneObject(id=i, label=n) for n, i in ids.items() if i != CONDITION)
    edges = tuple(Edge(ids[s], p, ids[o]) for s, p, o in triples)
    return SceneGraph(objects, edges, text_only)


def layout_input(canvas=(128, 128), subject="face", text_only=False) -> LayoutInput:
    side = min(canvas)
    head = round(216 / 512 * side / 8) * 8
    box = Box(x=(canvas[0] - head) // 16 * 8, y=side // 64 * 8, width=head, height=head)
    whole = Box(x=0, y=0, width=canvas[0], height=canvas[1])
    return LayoutInput(canvas, 8, subject, whole if text_only else box)


def laid(*triples: tuple[str, str, str], **more) -> dict[str, Box]:
    graph = graph_of(*triples, **more)
    return dict(lay_out(graph, layout_input(text_only=graph.text_only)).boxes)


def holds(edge: Edge, made: Layout, bodied: bool) -> bool:
    """Whether a directional relation does; of somebody planted, left and right of their body."""
    one, other = (made.boxes[end] for end in (edge.subject, edge.object))
    wide, wide_other = (made.full_boxes[end] for end in (edge.subject, edge.object))
    if edge.name in ("in front of", "behind"):
        if bodied and CONDITION in (edge.subject, edge.object):
            return True  # their body goes down to the edge: see the tests below
        near, far = (one, other) if edge.name == "in front of" else (other, one)
        return near.bottom > far.bottom
    return {
        "left of": wide.right <= wide_other.x,
        "right of": wide_other.right <= wide.x,
        "above": one.bottom <= other.y,
        "below": other.bottom <= one.y,
    }[edge.name]


def random_graph(dice: Random) -> SceneGraph:
    """Up to eight nodes and ten relations that do not contradict each other, many of places."""
    text_only = dice.random() < 0.4
    names = dice.sample(NAMES, dice.randint(1, 8 if text_only else 7))
    graph = graph_of(alone=tuple(names), text_only=text_only)
    ids = [thing.id for thing in graph.objects] + [CONDITION] * (not text_only)
    for _ in range(dice.randint(0, 10) if len(ids) > 1 else 0):
        one, other = dice.sample(ids, 2)
        name = dice.choice(PLACES if dice.random() < 0.6 else tuple(predicates()))
        try:
            graph = SceneGraph(graph.objects, (*graph.edges, Edge(one, name, other)), text_only)
        except PlanError:
            continue
    return graph


def unrelated_over_each_other(graph: SceneGraph, made: Layout) -> list[tuple[str, str]]:
    """Pairs of things of which nothing is said that lie over each other all the same."""
    worn = {edge.object for edge in graph.edges if edge.name == "wearing"}
    free = [thing.id for thing in graph.objects if thing.id not in worn]
    return [
        (one, other) for one, other in combinations(free, 2)
        if all(edge.name in APART for edge in graph.between(one, other))
        and over(made.boxes[one], made.boxes[other])
    ]  # fmt: skip


def over(one: Box, other: Box) -> bool:
    return (
        one.x < other.right and other.x < one.right
        and one.y < other.bottom and other.y < one.bottom
    )  # fmt: skip


def test_a_thousand_random_graphs():
    """Every directional relation holds that the notes do not tell of; nothing leaves the canvas,
    nothing lies over what it has nothing to do with, and what is planted can be planted there."""
    dice = Random("layouts")
    for number in range(1000):
        graph = random_graph(dice)
        canvas = dice.choice([(128, 128), (512, 512), (192, 128)])
        subject = dice.choice(["face", "cat", "car"])
        made = lay_out(graph, layout_input(canvas, subject, graph.text_only))
        assert set(made.boxes) == set(graph.labels) - ({CONDITION} if graph.text_only else set())
        assert all(box.is_inside(canvas) for box in made.boxes.values()), number
        bodied = kind_of(subject) in ("person", "animal") or subject == "face"
        lost = [edge for edge in graph.edges
                if edge.predicate.directional and not holds(edge, made, bodied)]  # fmt: skip
        told = [note for note in made.notes if "no effect on the layout" in note]
        assert len(lost) <= len(told), number
        assert all(edge.name in ("in front of", "behind") for edge in lost), (number, lost)
        assert unrelated_over_each_other(graph, made) == [], number
        if not graph.text_only:
            box = made.boxes[CONDITION]
            assert all(value % 8 == 0 for value in box.model_dump())
            assert MIN_CONDITION_SHARE <= box.width / min(canvas) <= MAX_CONDITION_SHARE


@pytest.mark.parametrize("seed", range(20))
def test_the_order_in_which_things_are_said_does_not_matter(seed):
    dice = Random(f"orders {seed}")
    graph = random_graph(dice)
    made = lay_out(graph, layout_input(text_only=graph.text_only))
    for _ in range(3):
        objects, edges = list(graph.objects), list(graph.edges)
        dice.shuffle(objects)
        dice.shuffle(edges)
        again = lay_out(
            SceneGraph(tuple(objects), tuple(edges), graph.text_only),
            layout_input(text_only=graph.text_only),
        )
        assert again == made


def test_somebody_stands_aside_for_what_is_beside_them():
    for name, sign in (("left of", 1), ("right of", -1)):
        boxes = laid(("dog", name, "me"))
        assert sign * (boxes[CONDITION].centre[0] - 64) >= 16
    both = laid(("dog", "left of", "me"), ("cat", "right of", "me"))
    assert abs(both[CONDITION].centre[0] - 64) <= 8
    assert min(both["dog"].width, both["cat"].width) >= 20


def test_things_find_more_room_where_nobody_is_planted():
    boxes = laid(("red ball", "left of", "blue box"), text_only=True)
    beside = laid(("red ball", "left of", "me"))
    assert boxes["red-ball"].width > beside["red-ball"].width
    assert boxes["red-ball"].width + boxes["blue-box"].width > 0.8 * 128


def test_what_is_held_is_at_the_hand_and_not_over_the_face():
    boxes = laid(("me", "holding", "balloon"))
    head, balloon = boxes[CONDITION], boxes["balloon"]
    assert not over(head, balloon)
    assert abs(balloon.centre[1] - 0.68 * 128) < 12
    assert balloon.x - head.right < 16
    two = laid(("me", "holding", "balloon"), ("me", "holding", "book"))
    assert (two["balloon"].x > two[CONDITION].x) != (two["book"].x > two[CONDITION].x)


def test_a_hat_is_on_the_head_and_a_coat_below_it():
    boxes = laid(("me", "wearing", "hat"), ("me", "wearing", "coat"))
    head, hat, coat = boxes[CONDITION], boxes["hat"], boxes["coat"]
    assert hat.y < head.y < hat.bottom < head.centre[1]
    assert abs(hat.centre[0] - head.centre[0]) <= 2
    assert coat.y == head.bottom
    assert coat.bottom == 128


def test_what_is_on_something_touches_it_and_what_is_in_something_is_inside():
    boxes = laid(("cat", "on", "table"), ("lamp", "hanging from", "tree"), text_only=True)
    assert abs(boxes["cat"].bottom - boxes["table"].y) <= 1
    assert abs(boxes["tree"].bottom - boxes["lamp"].y) <= 1
    boxes = laid(("cup", "in", "blue box"), text_only=True)
    assert boxes["cup"].is_inside_box(boxes["blue-box"], slack=1)
    boxes = laid(("woman", "riding", "horse"), text_only=True)
    assert 0 < boxes["woman"].bottom - boxes["horse"].y < boxes["horse"].height


def test_what_is_behind_somebody_is_seen_beside_them_and_higher_up():
    boxes = laid(("tree", "behind", "me"))
    assert not over(boxes["tree"], boxes[CONDITION])
    assert boxes["tree"].bottom < 0.8 * 128
    boxes = laid(("dog", "in front of", "me"))
    assert boxes["dog"].y >= boxes[CONDITION].bottom


def test_what_cannot_be_shown_is_left_to_the_words():
    graph = graph_of(("dog", "in front of", "car"), ("dog", "above", "car"), text_only=True)
    made = lay_out(graph, layout_input(text_only=True))
    assert made.boxes["dog"].bottom <= made.boxes["car"].y
    assert "'dog in front of car'" in made.notes[0]


def test_given_boxes_stay_where_they_are():
    dog, box = Box(x=3, y=60, width=31, height=40), Box(x=48, y=8, width=56, height=56)
    graph = graph_of(("dog", "left of", "me"), ("cat", "left of", "dog"))
    objects = tuple(
        o.model_copy(update={"box": dog}) if o.id == "dog" else o for o in graph.objects
    )
    fixed = LayoutInput((128, 128), 8, "face", box, fixed=True)
    with pytest.raises(PlanError, match=r"not enough room for 'cat left of dog'.*given boxes"):
        lay_out(SceneGraph(objects, graph.edges), fixed)
    kept = SceneGraph(objects, (Edge("cat", "right of", "dog"), Edge("dog", "left of", CONDITION)))
    made = lay_out(kept, fixed)
    assert (made.boxes["dog"], made.boxes[CONDITION]) == (dog, box)
    with pytest.raises(PlanError, match="'dog right of condition'"):
        lay_out(SceneGraph(objects, (Edge("dog", "right of", CONDITION),)), fixed)
    corner = LayoutInput((128, 128), 8, "face", Box(x=0, y=72, width=56, height=56), fixed=True)
    assert lay_out(graph_of(("cat", "right of", "me")), corner).boxes["cat"].x >= 56


def chain(name: str, *things: str) -> list[tuple[str, str, str]]:
    return [(one, name, other) for one, other in pairwise(things)]


def test_many_things_shrink_and_are_told_of():
    row = lay_out(graph_of(*chain("left of", *NAMES[:7], "me")), layout_input())
    assert "the picture is full" in row.notes[0]
    assert row.boxes[CONDITION].width == 48
    stack = lay_out(graph_of(*chain("above", *NAMES[:7], "me")), layout_input())
    assert stack.boxes[CONDITION].bottom < 128
    with pytest.raises(PlanError, match=r"not enough room for '.* left of .*'; remove some"):
        lay_out(graph_of(*chain("left of", *NAMES, "me")), layout_input())


def test_the_box_of_what_happens_lies_between_and_reaches_into_both():
    one, other = Box(x=0, y=40, width=40, height=40), Box(x=80, y=50, width=40, height=40)
    box = between(one, other, (128, 128))
    assert box.corners == (28, 45, 92, 85)
    assert over(box, one)
    assert over(box, other)
    assert around(one, box, other).corners == (0, 40, 120, 90)
    touching = between(one, Box(x=40, y=40, width=8, height=40), (128, 128))
    assert touching.width == 10
    assert between(one, one, (40, 80)).is_inside((40, 80))


def test_distant_is_over_a_third_of_the_width():
    one = Box(x=0, y=0, width=10, height=10)
    assert not distant(one, Box(x=42, y=0, width=10, height=10), (128, 256))
    assert distant(one, Box(x=43, y=0, width=10, height=10), (128, 256))
    assert distant(one, Box(x=0, y=43, width=10, height=10), (128, 256))
