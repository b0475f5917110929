"""The words of a scene graph in a prompt: add what is missing, find what stands there."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from sow.plan.prompt_syntax import plain_text
from sow.plan.scene_graph import CONDITION, article
from sow.planners.graph.nouns import ARTICLES, kind_of, words_of
from sow.planners.graph.scene_graph import Edge, SceneGraph

CONVERSE = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above",
    "in front of": "behind", "behind": "in front of", "near": "near",
}  # fmt: skip
"""The relation that holds with subject and object swapped."""
WORD = r"(?!(?:in|on|at|with|and|holding|wearing|left|right|above|below|near|the|to|of)\b)\w+"
WORN = rf"(?:\s+(?:in|wearing)\s+an?(?:\s+{WORD}){{1,3}}"
WORN += rf"|\s+with(?:\s+{WORD}){{0,3}}\s+(?:hair|glasses|beard|moustache))"
"""What may follow a person and belongs to them: "in a red coat", "with long black hair"."""


def add_graph_to_prompt(
    prompt: str, graph: SceneGraph, in_prompt: Collection[Edge], condition_name: str
) -> str:
    """Return a prompt that names all objects of a graph and states all of its relations.

    The user's words come first and stay as they are, except that an "and" between two objects is
    replaced by their relation: models often draw only one object of "a ball and a box".

    Args:
        prompt: the user's prompt.
        graph: the graph.
        in_prompt: the relations that the prompt states already.
        condition_name: what the prompt calls the condition.
    """
    text, labels = prompt.strip(), {**graph.labels, CONDITION: condition_name}
    for edge in graph.edges:
        if not {edge, converse(edge)} & {*in_prompt}:
            text = _replace_and(edge, labels, text) or _append(text, _clause(edge, labels, text))
    for obj in graph.objects:
        if not _mentions(text, obj.label):
            text = _append(text, _with_article(obj.label, text))
    return text


def converse(edge: Edge) -> Edge | None:
    """Return the same relation from the object's side, or None if there is no word for it."""
    name = CONVERSE.get(edge.name)
    return Edge(edge.object, name, edge.subject) if name else None


def phrase_of(label: str, prompt: str, other_labels: Collection[str]) -> str:
    """Return an object's words in a prompt; those of a person include what they wear.

    Args:
        label: the label of the object.
        prompt: the prompt.
        other_labels: labels of other objects; clothes among them are left out.
    """
    if kind_of(label) != "person":
        return label
    found = re.search(rf"\b{re.escape(label)}((?:{WORN})+)", plain_text(prompt), re.IGNORECASE)
    if found is None or any(other in found[1].lower() for other in other_labels):
        return label
    return found[0]


def _append(text: str, clause: str) -> str:
    return f"{text.rstrip(' ,.;')}, {clause}"


def _replace_and(edge: Edge, labels: Mapping[str, str], text: str) -> str | None:
    """Return the text with a relation in place of the "and" between its ends, or None."""
    articles = "|".join(sorted(ARTICLES))
    for way in filter(None, (edge, converse(edge))):
        first, second = (r"\s+".join(map(re.escape, labels[end].split()))
                         for end in (way.subject, way.object))  # fmt: skip
        joint = rf"(\b{first}\s+)and(\s+(?:(?:{articles})\s+)?{second}\b)"
        new, count = re.subn(joint, rf"\g<1>{way.name}\g<2>", text, count=1, flags=re.IGNORECASE)
        if count:
            return new
    return None


def _mentions(text: str, phrase: str) -> bool:
    """Return whether the words of a phrase stand in a text, one after the other."""
    return f" {_plain(phrase)} " in f" {_plain(text)} "


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", plain_text(text).lower()))


def _clause(edge: Edge, labels: Mapping[str, str], text: str) -> str:
    """Return a relation in words that may follow a comma."""
    name, swapped = edge.name, CONVERSE.get(edge.name)
    subject, obj = (_with_article(labels[end], text) for end in (edge.subject, edge.object))
    if name in ("left of", "right of") and CONDITION in (edge.subject, edge.object):
        other, side = (obj, swapped) if edge.subject == CONDITION else (subject, name)
        return f"with {other} on the {str(side).split()[0]}"
    if edge.subject == CONDITION:
        return f"{name} {obj}"
    if edge.object == CONDITION and swapped:
        return f"{swapped} {subject}"
    if edge.object == CONDITION:
        return f"{subject} {name} the {labels[CONDITION]}"
    return f"{subject} {name} {obj}"


def _with_article(label: str, text: str) -> str:
    """Return a label with its article: "the" if the text mentions it already, none for plurals."""
    if _mentions(text, label):
        return f"the {label}"
    last = words_of(label)[-1] if words_of(label) else label
    if last.endswith("s") and not last.endswith("ss"):
        return label
    return article(label)
