"""Reword a plan for a model that knows a list of words, such as `figures`."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sow.plan.plan import Plan
from sow.plan.prompt_syntax import plain_text, with_weights_of
from sow.plan.scene_graph import SceneObject
from sow.settings.inputs import MAX_PROMPT

if TYPE_CHECKING:
    from sow.models.find import Model


@dataclass(frozen=True)
class Understood:
    """What a model that lists its words makes of a prompt.

    Attributes:
        unknown: where the words are that it does not know: `(start, end)` in the prompt.
        asked: what it is asked instead; empty if nothing of the prompt is left.
    """

    unknown: tuple[tuple[int, int], ...]
    asked: str


def understood(prompt: str, subject: str, known: Collection[str]) -> Understood:
    """Return what a model makes of a prompt, as `in_known_words` rewords a plan.

    Args:
        prompt: as the user writes it, with weights.
        subject: what is planted, such as `face`.
        known: the words that the model knows; empty if it does not list them.
    """
    from sow.planners.rewording import reword

    if not known:
        return Understood((), plain_text(prompt))
    reworded = reword(plain_text(prompt), known)
    places = [
        match.span()
        for words in reworded.unknown
        for match in re.finditer(rf"(?<!\w){_spaced(words)}(?!\w)", prompt, re.IGNORECASE)
    ]
    return Understood(tuple(sorted(places)), _text_for(subject, reworded.text, known))


def _spaced(words: str) -> str:
    """Return a pattern for words that any white space may separate."""
    return r"\s+".join(map(re.escape, words.split()))


def _text_for(subject: str, text: str, known: Collection[str]) -> str:
    """Return a reworded text that has a person for a face, and something if nothing is left."""
    from sow.planners.rewording import with_person

    if subject == "face":
        return with_person(text, known)
    if not text and set(subject.split()) <= set(known):
        return f"a {subject}"
    return text


def in_known_words(plan: Plan, name: str, known: Collection[str]) -> Plan:
    """Reword a plan's prompt for a model that lists the words it knows, and add notes.

    Planners read the user's own words, so the rest of the plan stays as it is. Without a known
    word the model would draw an empty street, so a face always gets a person to belong to.
    """
    from sow.planners.rewording import reword

    if not known:
        return plan
    said = plain_text(plan.prompt)
    reworded = reword(said, known)
    text = _text_for(plan.subject, reworded.text, known)
    if text == said.strip():
        return plan
    notes = []
    if reworded.summary():
        notes.append(f"{name} does not know {reworded.summary()}")
    if not reworded.text:
        notes.append(
            f"nothing of the prompt is left: `sow words` lists the English words of {name}"
        )
    if text != reworded.text:
        notes.append(f'{name} is asked for "{text}": the prompt names no person')
    text, lost = with_weights_of(plan.prompt, text, lambda words: _reworded(words, known))
    if lost and reworded.text:
        notes.append(f"the weight of {', '.join(lost)} is lost with these words")
    return plan.changed(
        prompt=(text or plan.prompt)[:MAX_PROMPT],
        objects=[_known(thing, known) for thing in plan.objects],
        notes=(*plan.notes, *(note[:500] for note in notes)),
    )


def with_negative(plan: Plan, negative: str, model: Model) -> Plan:
    """Return a plan with a negative prompt, in the words of the model if it lists them."""
    from sow.planners.rewording import reword

    text, known = negative.strip(), model.checkpoint_spec.words
    if not known or not text:
        return plan.changed(negative=text)
    reworded = reword(plain_text(text), known)
    notes = [f"{model.name} does not know {reworded.summary()}"] if reworded.summary() else []
    if not reworded.text:
        notes.append("nothing of negative= is left: `sow words` lists what the model knows")
    if reworded.text != plain_text(text):
        text, _ = with_weights_of(text, reworded.text, lambda words: _reworded(words, known))
    return plan.changed(
        negative=text[:MAX_PROMPT], notes=(*plan.notes, *(note[:500] for note in notes))
    )


def _known(thing: SceneObject, known: Collection[str]) -> SceneObject:
    """Return an object labelled in known words, as in the prompt; without any, without its box,
    since nothing could be drawn there."""
    from sow.planners.graph.nouns import words_of

    if thing.box is None:
        return thing
    words = _reworded(thing.label, known)
    if not words:
        return thing.model_copy(update={"box": None})
    if words == " ".join(words_of(thing.label)):
        return thing.model_copy(update={"label": words})
    return thing.model_copy(update={"label": words, "replaced": thing.replaced or thing.label})


def _reworded(name: str, known: Collection[str]) -> str:
    """Return a name in known words, without an article."""
    from sow.planners.graph.nouns import words_of
    from sow.planners.rewording import reword

    return " ".join(words_of(reword(name, known).text))
