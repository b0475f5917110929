"""Notes on what a prompt says in a way that the model does not read as it is meant."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from sow.plan.prompt_syntax import MAX_WEIGHT, TAG, parse_prompt, plain_text
from sow.planners.negation import Negation, find_negations

if TYPE_CHECKING:
    from sow.plan.plan import Plan

MAX_QUOTED = 4
OTHER_SYNTAX = re.compile(
    r"\[[^\[\]]*:[^\[\]]*:?\s*\d*\.?\d+\s*\]"  # [from:to:0.5], [to:0.5]
    r"|\[[^\[\]]*\|[^\[\]]*\]"  # [a|b]
    r"|\{[^{}]*\}"  # {a|b}, {word}
    r"|(?:[^\W\d_]{2,}|\))\+\++(?!\S)"  # word++
    r"|\)\d*\.\d+"  # (word)1.3
    r"|\bAND\b"
)
"""What other tools read in prompts: prompt editing, alternatives, other weights, compositions."""


def wording_notes(prompt: str, negative: str, plan: Plan, known: Collection[str]) -> Iterator[str]:
    """Yield notes on a prompt and a negative prompt.

    Args:
        prompt, negative: as the user wrote them.
        plan: the plan that was made of them.
        known: the only words that the model knows, if it lists them.
    """
    yield from _negation_notes(prompt, negative, plan)
    both = f"{prompt}\n{negative}"
    if tags := re.findall(TAG, both):
        yield f"{_quoted(tags)} in a prompt loads nothing: give the file with lora="
    if others := [match[0] for match in OTHER_SYNTAX.finditer(both)]:
        yield (
            f"{_quoted(others)}: read as words; of other tools' signs, only weights such as "
            "(red coat:1.3) and BREAK mean something here"
        )
    fragments = [fragment for part in parse_prompt(both) for fragment in part]
    if re.search(r":\s*-\s*[\d.]+\s*\)", both) or any(f.weight == MAX_WEIGHT for f in fragments):
        yield f"weights are kept between 0 and {MAX_WEIGHT:g}"
    if known:
        return  # each unknown word has its own note
    if foreign := [word for word in re.findall(r"[^\W\d_]+", both) if not _is_latin(word)]:
        yield (
            "Stable Diffusion was trained with English captions: it may not understand "
            f"{_quoted(foreign)}"
        )
    if not any(c.isalnum() for c in prompt):
        yield "the prompt has no words"


def _negation_notes(prompt: str, negative: str, plan: Plan) -> Iterator[str]:
    """Yield how to say what is absent, if the prompt says it in words."""
    if wrong := find_negations(negative):
        yield (
            f"{_quoted([n.said for n in wrong])} says it twice: name the things alone, "
            f'negative="{_absent(wrong)}"'
        )
    negations = find_negations(prompt)
    excluded = plain_text(negative).lower()
    advice = f'give negative="{_absent(negations)}"'
    if all(name in excluded for negation in negations for name in negation.absent):
        advice = ""
    said = _quoted([negation.said for negation in negations])
    if any(negation.said in plain_text(plan.prompt) for negation in negations):
        leave_out = f"leave out {said}, and {advice}" if advice else f"leave out {said}"
        yield (
            f'Stable Diffusion draws what a prompt names, also after "without" or "no": {leave_out}'
        )
    elif negations and advice:
        yield f"{said} is not said to the model, which knows no such words: {advice}"


def _absent(negations: list[Negation]) -> str:
    """Return what is absent as a negative prompt."""
    return ", ".join(dict.fromkeys(name for negation in negations for name in negation.absent))


def _quoted(words: list[str]) -> str:
    """Return words in quotation marks, as a list in one line."""
    unique = [word if len(word) <= 40 else f"{word[:40]}…" for word in dict.fromkeys(words)]
    shown = ", ".join(f'"{word}"' for word in unique[:MAX_QUOTED])
    return shown + (f" and {len(unique) - MAX_QUOTED} more" if len(unique) > MAX_QUOTED else "")


def _is_latin(word: str) -> bool:
    """Return whether all letters of a word are Latin, with or without marks."""
    return all("LATIN" in unicodedata.name(c, "") for c in word if c.isalpha())
