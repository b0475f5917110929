"""Layout into pixels: every phrase is drawn in its box, without gradients and without training.

While a picture's composition forms, its first few steps, cross-attention to a phrase is forbidden
outside the phrase's box and drawn to it inside, and in self-attention the tokens of one box keep
to themselves: they listen to each other more and to those of other boxes less. What begins the
text, scene and style stay free, and so does the background.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from sow.attention.control import AttentionControl, RunContext
from sow.attention.edits import LogitEdit
from sow.attention.regions import coarser, share_of
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise, UNetCall
from sow.diffusion.jobs import Job
from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.settings.settings import Settings

Words = Sequence[tuple[str, Sequence[int]]]
"""A prompt's words with the places of their tokens."""


def lays_out(jobs: Sequence[Job]) -> bool:
    """Whether any job has phrases with boxes, and steps in which they count."""
    return any(job.settings.layout_steps and phrases_of(job.plan) for job in jobs)


@dataclass(frozen=True)
class Phrase:
    """Words of the prompt and where they go."""

    text: str
    box: Box


def phrases_of(plan: Plan) -> list[Phrase]:
    """The objects of a plan that have a box, the smallest first: they lie before the larger."""
    placed = [Phrase(thing.label, thing.box) for thing in plan.objects if thing.box is not None]
    return sorted(placed, key=lambda phrase: phrase.box.width * phrase.box.height)


class Layout(AttentionControl):
    """Keeps phrases to their boxes in the first steps of a picture."""

    def begin(self, context: RunContext) -> None:
        """Works out boxes and tokens of all pictures, on the CPU, at every resolution."""
        self._context, self._active = context, False
        self._edits: dict[tuple[str, int], list[LogitEdit]] = {}
        self._phrases = [
            phrases_of(job.plan) if job.settings.layout_steps else [] for job in context.jobs
        ]
        self._tokens = _tokens(context, self._phrases)
        self._lay(self._phrases)

    def _lay(self, phrases: Sequence[Sequence[Phrase]]) -> None:
        """Keeps the phrases of all pictures to these boxes."""
        context, mask = self._context, self._context.condition_mask.cpu()
        for factor in sorted({layer.factor for layer in context.layers}):
            grid = coarser(context.size, factor)
            taken = adaptive_avg_pool2d(mask.float(), grid).flatten(1) >= 0.5
            places = _places(context.jobs, phrases, grid, taken)
            self._edits["cross", factor] = _crossing(context, places, self._tokens, taken)
            self._edits["self", factor] = _among(context, places, taken)

    def before_call(self, step: UNetCall) -> None:
        """Only the steps in which a composition forms are guided."""
        self._active = isinstance(step, Denoise) and forms(step, self._context.jobs[0].settings)

    def edits(self, layer: AttentionLayer) -> Sequence[LogitEdit]:
        """Of both kinds of attention, everywhere."""
        return self._edits[layer.kind, layer.factor] if self._active else ()


def forms(step: Denoise, settings: Settings) -> bool:
    """Whether the composition of a picture still forms in this step.

    That is in its first steps, from noise or from the seed canvas, and in every cycle; where
    cycles come first, the finish only draws out what they composed.
    """
    if not settings.layout_steps:
        return False
    if step.cycle is not None:
        return True
    if (settings.first_cycles if step.left else settings.cycles) and not step.from_noise:
        return False
    start = settings.steps if settings.seed_canvas == "none" else settings.t1
    return start - step.state < settings.layout_steps


def tokens_of(phrase: str, words: Words) -> list[int]:
    """The places of a phrase's tokens: wherever its words follow each other, else of its noun."""
    wanted = _plain(phrase)
    said = [(part, places) for word, places in words for part in _plain(word)]
    length = len(wanted)
    whole = {
        n
        for start in range(len(said) - length + 1)
        if length and [part for part, _ in said[start : start + length]] == wanted
        for n in range(start, start + length)
    }
    noun = {n for n, (part, _) in enumerate(said) if part in wanted[-1:]}
    return sorted({place for n in whole or noun for place in said[n][1]})


def _plain(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def _tokens(context: RunContext, phrases: Sequence[Sequence[Phrase]]) -> Tensor:
    """Which tokens of its prompt are those of a picture's phrases, `[phrases, B, M]`."""
    most = max(map(len, phrases))
    found = torch.zeros(most, len(phrases), context.backbone.text_tokens, dtype=torch.bool)
    for picture, (job, own) in enumerate(zip(context.jobs, phrases, strict=True)):
        words = context.backbone.words(job.plan.prompt) if own else []
        for number, phrase in enumerate(own):
            found[number, picture, tokens_of(phrase.text, words)] = True
    return found


def _places(
    jobs: Sequence[Job],
    phrases: Sequence[Sequence[Phrase]],
    grid: tuple[int, int],
    taken: Tensor,
) -> Tensor:
    """Whose cells they are, `[phrases + 1, B, N]`: the phrases', then the condition's with its R.

    Nobody shares a cell: what is smaller comes first.
    """
    most = max(map(len, phrases))
    places = torch.zeros(most + 1, *taken.shape, dtype=torch.bool)
    for picture, (job, own) in enumerate(zip(jobs, phrases, strict=True)):
        free = ~taken[picture]
        for number, phrase in enumerate(own):
            places[number, picture] = covered([phrase.box], job.plan.canvas, grid) & free
            free &= ~places[number, picture]
        if own and not job.plan.text_only:
            boxes = [region.box for region in job.plan.related]
            related = covered(boxes, job.plan.canvas, grid) if boxes else torch.zeros_like(free)
            places[most, picture] = (related & free) | taken[picture]
    return places


def covered(boxes: Sequence[Box], canvas: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """The cells that boxes cover by half, or else the one that they cover most; boolean `[N]`."""
    share = share_of(boxes, canvas, grid)
    half = share >= 0.5
    return half if half.any() else share >= share.max() - 1e-6


def _crossing(
    context: RunContext, places: Tensor, tokens: Tensor, taken: Tensor
) -> list[LogitEdit]:
    """A phrase's tokens are drawn to in its box, and forbidden everywhere else but in C."""
    device, edits = context.condition_mask.device, []
    pull = torch.tensor([[job.settings.layout_pull] for job in context.jobs])
    for place, words in zip(places, tokens, strict=False):
        said = words.any(1, keepdim=True)
        inside, outside, keys = place & said, ~place & ~taken & said, words.to(device)
        edits.append(LogitEdit("raise", inside, keys, (pull * inside).to(device)))
        edits.append(LogitEdit("forbid", outside, keys, None))
    return edits


def _among(context: RunContext, places: Tensor, taken: Tensor) -> list[LogitEdit]:
    """Of two boxes, each listens more to itself and less to the other; C to whom it likes."""
    device, branches, edits = context.condition_mask.device, context.jobs[0].settings.branches, []
    pull = torch.tensor([[job.settings.layout_pull] for job in context.jobs])
    if not pull.any():
        return []
    everyone = places.any(0)
    for place in places:
        inside = place & ~taken
        strength = (pull * inside).to(device)
        own, others = place.to(device), (everyone & ~place).to(device)
        edits.append(LogitEdit("raise", inside, own, strength, branches))
        edits.append(LogitEdit("lower", inside, others, strength, branches))
    return edits
