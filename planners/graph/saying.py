"""What a graph says and a prompt does not, added to the prompt: ", holding a red balloon"."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from sow.planners.graph.graph import Edge, SceneGraph
from sow.planners.graph.kinds import SILENT, words_of
from sow.scene import CONDITION, article

CONTRARY = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above",
    "in front of": "behind", "behind": "in front of", "near": "near",
}  # fmt: skip
"""What the object is of the subject."""


def with_words(prompt: str, graph: SceneGraph, spoken: Collection[Edge], called: str) -> str:
    """A prompt that names all things of a graph and says all of its relations.

    The user's words come first and stay as they are, but for an "and" between two things that a
    relation stands for: a model that reads "a ball and a box" often draws one of them.

    Args:
        prompt: the user's.
        graph: what it is to say.
        spoken: the relations that it says already.
        called: what the prompt calls the condition.
    """
    text, labels = prompt.strip(), {**graph.labels, CONDITION: called}
    for edge in graph.edges:
        if not {edge, turned(edge)} & {*spoken}:
            text = _joined(edge, labels, text) or _added(text, _clause(edge, labels, text))
    for thing in graph.objects:
        if not _mentions(text, thing.label):
            text = _added(text, _named(thing.label, text))
    return text


def turned(edge: Edge) -> Edge | None:
    """The same said of its object, where there is a word for it."""
    contrary = CONTRARY.get(edge.name)
    return Edge(edge.object, contrary, edge.subject) if contrary else None


def _added(text: str, clause: str) -> str:
    return f"{text.rstrip(' ,.;')}, {clause}"


def _joined(edge: Edge, labels: Mapping[str, str], text: str) -> str | None:
    """The text with a relation in place of the "and" between its two things, if there is one."""
    articles = "|".join(sorted(SILENT))
    for way in filter(None, (edge, turned(edge))):
        first, second = (r"\s+".join(map(re.escape, labels[end].split()))
                         for end in (way.subject, way.object))  # fmt: skip
        joint = rf"(\b{first}\s+)and(\s+(?:(?:{articles})\s+)?{second}\b)"
        said, count = re.subn(joint, rf"\g<1>{way.name}\g<2>", text, count=1, flags=re.IGNORECASE)
        if count:
            return said
    return None


def _mentions(text: str, phrase: str) -> bool:
    """Whether these words stand in a text, one after the other."""
    return f" {_plain(phrase)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def _clause(edge: Edge, labels: Mapping[str, str], text: str) -> str:
    """A relation in words that may follow a comma."""
    name, contrary = edge.name, CONTRARY.get(edge.name)
    subject, thing = (_named(labels[end], text) for end in (edge.subject, edge.object))
    if name in ("left of", "right of") and CONDITION in (edge.subject, edge.object):
        other, side = (thing, contrary) if edge.subject == CONDITION else (subject, name)
        return f"with {other} on the {str(side).split()[0]}"
    if edge.subject == CONDITION:
        return f"{name} {thing}"
    if edge.object == CONDITION and contrary:
        return f"{contrary} {subject}"
    if edge.object == CONDITION:
        return f"{subject} {name} the {labels[CONDITION]}"
    return f"{subject} {name} {thing}"


def _named(label: str, text: str) -> str:
    """A thing with its article; one that was spoken of before is known."""
    if _mentions(text, label):
        return f"the {label}"
    last = words_of(label)[-1] if words_of(label) else label
    if last.endswith("s") and not last.endswith("ss"):
        return label
    return article(label)
