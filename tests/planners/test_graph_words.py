"""What is read of scene graphs in words: relations, names, sentences."""

from __future__ import annotations

import pytest

from sow.planners.graph.nouns import kind_of
from sow.planners.graph.predicates import parse_predicate, predicate_phrases, predicates
from sow.planners.graph.proportions import proportions_of, worn_on
from sow.planners.graph.sentence_parser import parse_sentence
from sow.prompts import load_toml

CLASSES = {
    "above", "near", "behind", "below", "carrying", "drinking", "eating", "hanging from",
    "holding", "in", "in front of", "left of", "looking at", "on", "playing with", "pulling",
    "pushing", "riding", "right of", "sitting on", "standing on", "touching", "using", "wearing",
}  # fmt: skip


def test_there_are_24_relations_and_six_of_them_say_only_where():
    assert set(predicates()) == CLASSES
    directional = {name for name, predicate in predicates().items() if predicate.directional}
    assert directional == {"left of", "right of", "above", "below", "in front of", "behind"}


def test_no_words_say_two_relations():
    table = load_toml("predicates")
    said = [
        " ".join(words.split())
        for name in predicates()
        for words in [
            name,
            *table[name].get("words", "").split(","),
            *table[name].get("turned", "").split(","),
        ]
        if words.strip()
    ]
    assert len(said) == len(set(said)) == len(predicate_phrases())


@pytest.mark.parametrize(
    ("text", "name", "swapped"),
    [
        ("left_of", "left of", False),
        ("is to the left of", "left of", False),
        ("Left-Of", "left of", False),
        ("standing behind", "behind", False),
        ("was standing on", "standing on", False),
        ("held by", "holding", True),
        ("beneath", "below", False),
        ("next to", "near", False),
    ],
)
def test_relations_are_known_however_they_are_said(text, name, swapped):
    match = parse_predicate(text)
    assert match is not None
    assert (match.predicate.name, match.reversed) == (name, swapped)


@pytest.mark.parametrize("text", ["", "loves", "left of of", "§", "is"])
def test_what_is_no_relation_is_none(text):
    assert parse_predicate(text) is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [("old king", "person"), ("white cat", "animal"), ("velvet gown", "clothes"),
     ("park", "place"), ("snow", "place"), ("brown hair", "looks"), ("photo", "style"),
     ("red balloon", "thing"), ("glass of water", "thing")],
)  # fmt: skip
def test_names_are_of_a_kind(name, kind):
    assert kind_of(name) == kind


def test_a_house_is_larger_than_a_cup_and_a_hat_is_worn_on_the_head():
    assert proportions_of("old house").height > proportions_of("dogs").height
    assert proportions_of("dog").height > proportions_of("cup of tea").height
    assert proportions_of("a king").height == 1
    assert proportions_of("gizmo") == proportions_of("another gizmo")
    assert [worn_on(name) for name in ("red hat", "glasses", "coat")] == ["head", "face", "body"]


SENTENCES = {
    "a person holding a red balloon, with a dog on the left":
        ["person holding red balloon", "dog left of person"],
    "a red ball on a blue box in the snow": ["red ball on blue box"],
    "the person holds a red balloon, the dog is left of her":
        ["person holds red balloon", "dog left of person"],
    "a man wearing a red coat and holding a blue umbrella left of a tree in the city":
        ["man wearing red coat", "man holding blue umbrella", "man left of tree"],
    "an oil painting of a woman in a blue dress with a cat on her right":
        ["woman wearing blue dress", "cat right of woman"],
    "a red balloon held by a girl": ["red balloon held by girl"],
    "a person with a red ball on the right and a blue box on the left":
        ["red ball right of person", "blue box left of person"],
    "in the snow, with a dog on the left": ["dog left of condition"],
    "left of a cat on the left": ["condition left of cat"],
    "a person standing left of a dog": ["person left of dog"],
    "a person holding a balloon and a box": ["person holding balloon", "person holding box"],
    "a woman folding a paper crane": ["woman folding paper crane"],
    "an old man with brown hair and glasses": [],
    "a photo of a person in front of a wall at night": [],
    "a king on the left": [],
    "a red ball and a blue box": [],
    "": [],
}  # fmt: skip


@pytest.mark.parametrize("text", SENTENCES)
def test_relations_are_read_out_of_sentences(text):
    assert [" ".join(triple) for triple in parse_sentence(text).triples] == SENTENCES[text]


def test_things_without_a_relation_are_named_and_places_are_not():
    said = parse_sentence("a red ball and a blue box in the snow")
    assert said.names == ["red ball", "blue box"]
