"""What of a prompt is drawn where: a thing's words as they stand there, and whether they count."""

from __future__ import annotations

import re
from collections.abc import Collection

from sow.planners.graph.graph import SceneGraph
from sow.planners.graph.kinds import kind_of
from sow.scene import CONDITION

WORD = r"(?!(?:in|on|at|with|and|holding|wearing|left|right|above|below|near|the|to|of)\b)\w+"
WORN = rf"(?:\s+(?:in|wearing)\s+an?(?:\s+{WORD}){{1,3}}"
WORN += rf"|\s+with(?:\s+{WORD}){{0,3}}\s+(?:hair|glasses|beard|moustache))"
"""What may follow a person and is part of them: "in a red coat", "with long black hair"."""


def phrase_of(label: str, prompt: str, others: Collection[str]) -> str:
    """A thing's words as a prompt says them: of a person, with what they wear.

    others: labels of other things, which are nobody's clothes.
    """
    if kind_of(label) != "person":
        return label
    found = re.search(rf"\b{re.escape(label)}((?:{WORN})+)", prompt, re.IGNORECASE)
    if found is None or any(other in found[1].lower() for other in others):
        return label
    return found[0]


def steers(graph: SceneGraph, name: str) -> bool:
    """Whether a thing is to be drawn in its box.

    Where nothing is planted, what is held or worn, and what is near somebody, finds its place by
    what is said of it: in boxes fewer of these relations hold.
    """
    labels = graph.labels
    if not graph.bare:
        return True

    def loose(subject: str, thing: str) -> bool:
        other = thing if subject == name else subject
        return other == CONDITION or "person" in (kind_of(labels[other]), kind_of(labels[name]))

    own = [edge for edge in graph.edges if name in (edge.subject, edge.object)]
    return not own or any(
        not edge.predicate.acts
        and (edge.predicate.directional or not loose(edge.subject, edge.object))
        for edge in own
    )
