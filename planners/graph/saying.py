"""What a graph says and a prompt does not, added to the prompt: ", holding a red balloon"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sow.planners.graph.graph import Edge, SceneGraph
from sow.planners.graph.kinds import words_of
from sow.planners.graph.predicates import sayings
from sow.scene import CONDITION

CONTRARY = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above",
    "in front of": "behind", "behind": "in front of", "near": "near",
}  # fmt: skip
"""What the object is of the subject."""


def with_words(prompt: str, graph: SceneGraph, somebody: str) -> str:
    """A prompt that names all things of a graph and says all of its relations.

    The user's words come first and stay as they are. somebody: what the condition is called.
    """
    text = prompt.strip().rstrip(" ,.;")
    for edge in graph.edges:
        if not _said(edge, graph, text):
            text = f"{text}, {_clause(edge, graph, somebody, text)}"
    for thing in graph.objects:
        if not _mentions(text, thing.label):
            text = f"{text}, {_named(thing.label, text)}"
    return text if text != prompt.strip().rstrip(" ,.;") else prompt


def _mentions(text: str, phrase: str) -> bool:
    """Whether these words stand in a text, one after the other."""
    return f" {_plain(phrase)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def _said(edge: Edge, graph: SceneGraph, text: str) -> bool:
    """Whether a text has both things, and words for what is between them."""
    ends = [graph.labels[end] for end in (edge.subject, edge.object) if end != CONDITION]
    return all(_mentions(text, end) for end in ends) and any(
        _mentions(text, words) for words in _ways(edge.name)
    )


def _ways(name: str) -> Iterator[str]:
    """All that says a relation, of its object too: who is left of a dog has a dog on the right."""
    alike = {name, CONTRARY.get(name, name)}
    for words, saying in sayings().items():
        if saying.predicate.name in alike and words not in ("left", "right", "before"):
            yield words
    if "left of" in alike:
        yield from ("on the left", "on the right", "to the left", "to the right")


def _clause(edge: Edge, graph: SceneGraph, somebody: str, text: str) -> str:
    """A relation in words that may follow a comma."""
    subject, thing = (graph.labels[end] for end in (edge.subject, edge.object))
    if CONDITION not in (edge.subject, edge.object):
        return f"{_named(subject, text)} {edge.name} {_named(thing, text)}"
    other = thing if edge.subject == CONDITION else subject
    contrary = CONTRARY.get(edge.name)
    if edge.name in ("left of", "right of"):
        side = contrary if edge.subject == CONDITION else edge.name
        return f"with {_named(other, text)} on the {str(side).split()[0]}"
    if edge.subject == CONDITION:
        return f"{edge.name} {_named(other, text)}"
    if contrary:
        return f"{contrary} {_named(other, text)}"
    return f"{_named(other, text)} {edge.name} the {somebody}"


def _named(label: str, text: str) -> str:
    """A thing with its article; one that was spoken of before is known."""
    if _mentions(text, label):
        return f"the {label}"
    last = words_of(label)[-1] if words_of(label) else label
    if last.endswith("s") and not last.endswith("ss"):
        return label
    return f"an {label}" if label[0] in "aeiou" else f"a {label}"
