"""Layout to image: keeps every phrase in its box, without gradients or training.

While a picture's composition forms, in its first few steps, cross-attention to a phrase is
forbidden outside the phrase's box and raised inside it. In self-attention, the tokens of one box
attend more to each other and less to those of other boxes. The start token, the words for scene
and style, and the background are not constrained.
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
from sow.attention.regions import box_coverage, downsampled_size
from sow.backbones.base import AttentionLayer
from sow.diffusion.algorithm import Denoise, UNetCall
from sow.diffusion.jobs import Job
from sow.plan.box import Box
from sow.plan.plan import Plan
from sow.settings.settings import Settings

Words = Sequence[tuple[str, Sequence[int]]]
"""A prompt's words with the indices of their tokens."""


def uses_layout(jobs: Sequence[Job]) -> bool:
    """Return whether any job has phrases with boxes, and steps that use them."""
    return any(job.settings.layout_steps and phrases_of(job.plan) for job in jobs)


@dataclass(frozen=True)
class Phrase:
    """Words of the prompt, and their box."""

    text: str
    box: Box


def phrases_of(plan: Plan) -> list[Phrase]:
    """Return a plan's objects with a box, the smallest first: they are in front of larger ones."""
    placed = [Phrase(item.label, item.box) for item in plan.objects if item.box is not None]
    return sorted(placed, key=lambda phrase: phrase.box.width * phrase.box.height)


class Layout(AttentionControl):
    """Keeps phrases to their boxes in the first steps of a picture."""

    def begin(self, context: RunContext) -> None:
        """Compute the boxes and tokens of all pictures at every resolution, on the CPU."""
        self._context, self._active = context, False
        self._edits: dict[tuple[str, int], list[LogitEdit]] = {}
        self._phrases = [
            phrases_of(job.plan) if job.settings.layout_steps else [] for job in context.jobs
        ]
        self._tokens = _phrase_tokens(context, self._phrases)
        self._build_edits(self._phrases)

    def _build_edits(self, phrases: Sequence[Sequence[Phrase]]) -> None:
        """Compute the edits that keep the phrases of all pictures in their boxes."""
        context, mask = self._context, self._context.condition_mask.cpu()
        for factor in sorted({layer.factor for layer in context.layers}):
            grid = downsampled_size(context.size, factor)
            condition = adaptive_avg_pool2d(mask.float(), grid).flatten(1) >= 0.5
            cells = _assign_cells(context.jobs, phrases, grid, condition)
            self._edits["cross", factor] = _cross_edits(context, cells, self._tokens, condition)
            self._edits["self", factor] = _self_edits(context, cells, condition)

    def before_call(self, step: UNetCall) -> None:
        """Activate the edits in the steps in which the composition forms."""
        settings = self._context.jobs[0].settings
        self._active = isinstance(step, Denoise) and is_layout_step(step, settings)

    def edits(self, layer: AttentionLayer) -> Sequence[LogitEdit]:
        """Return the edits of self- or cross-attention, at every resolution."""
        return self._edits[layer.kind, layer.factor] if self._active else ()


def is_layout_step(step: Denoise, settings: Settings) -> bool:
    """Return whether the composition of a picture still forms in this step.

    It forms in the first steps, from noise or from the seed canvas, and in every cycle. After
    cycles, the finish only refines what they composed.
    """
    if not settings.layout_steps:
        return False
    if step.cycle is not None:
        return True
    if (settings.first_cycles if step.left else settings.cycles) and not step.from_noise:
        return False
    start = settings.steps if settings.seed_canvas == "none" else settings.t1
    return start - step.state < settings.layout_steps


def find_tokens(phrase: str, words: Words) -> list[int]:
    """Return the indices of a phrase's tokens: all its occurrences, or else those of its noun.

    The noun is its last word.
    """
    phrase_words = _normalized_words(phrase)
    prompt_words = [(part, indices) for word, indices in words for part in _normalized_words(word)]
    length = len(phrase_words)
    whole = {
        n
        for start in range(len(prompt_words) - length + 1)
        if length and [part for part, _ in prompt_words[start : start + length]] == phrase_words
        for n in range(start, start + length)
    }
    noun = {n for n, (part, _) in enumerate(prompt_words) if part in phrase_words[-1:]}
    return sorted({index for n in whole or noun for index in prompt_words[n][1]})


def _normalized_words(text: str) -> list[str]:
    """Return the words in lower case, without punctuation."""
    return re.findall(r"[^\W_]+", text.lower())


def _phrase_tokens(context: RunContext, phrases: Sequence[Sequence[Phrase]]) -> Tensor:
    """Return which tokens of a picture's prompt belong to each phrase, boolean `[phrases, B, M]`.

    The first dimension is the largest number of phrases of a picture.
    """
    max_phrases = max(map(len, phrases))
    found = torch.zeros(max_phrases, len(phrases), context.text_tokens, dtype=torch.bool)
    for picture, (job, own) in enumerate(zip(context.jobs, phrases, strict=True)):
        prompt, syntax = job.plan.prompt, job.settings.prompt_syntax
        words = context.backbone.words(prompt, syntax) if own else []
        length = context.backbone.text_tokens([[prompt]], syntax)
        for number, phrase in enumerate(own):
            # The prompt may be repeated, to be as long as the other texts.
            copies = found[number, picture].view(-1, length)
            copies[:, find_tokens(phrase.text, words)] = True
    return found


def _assign_cells(
    jobs: Sequence[Job],
    phrases: Sequence[Sequence[Phrase]],
    grid: tuple[int, int],
    condition: Tensor,
) -> Tensor:
    """Return the cells of each phrase, then of C with R, boolean `[phrases + 1, B, N]`.

    No cell is shared: smaller boxes take precedence.

    grid: number of rows and columns. condition: C, boolean `[B, N]`.
    """
    max_phrases = max(map(len, phrases))
    cells = torch.zeros(max_phrases + 1, *condition.shape, dtype=torch.bool)
    for picture, (job, own) in enumerate(zip(jobs, phrases, strict=True)):
        free = ~condition[picture]
        for number, phrase in enumerate(own):
            cells[number, picture] = covered_cells([phrase.box], job.plan.canvas, grid) & free
            free &= ~cells[number, picture]
        if own and not job.plan.text_only:
            boxes = [region.box for region in job.plan.related]
            cells[max_phrases, picture] = condition[picture]
            if boxes:
                related = covered_cells(boxes, job.plan.canvas, grid)
                cells[max_phrases, picture] |= related & free
    return cells


def covered_cells(boxes: Sequence[Box], canvas: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Return the cells that boxes cover at least by half, or else the most covered one; `[N]`."""
    share = box_coverage(boxes, canvas, grid)
    half = share >= 0.5
    return half if half.any() else share >= share.max() - 1e-6


def _cross_edits(
    context: RunContext, cells: Tensor, tokens: Tensor, condition: Tensor
) -> list[LogitEdit]:
    """Raise attention to a phrase's tokens in its box; forbid it elsewhere, except in C."""
    device, edits = context.condition_mask.device, []
    pull = torch.tensor([[job.settings.layout_pull] for job in context.jobs])
    for box_cells, phrase in zip(cells, tokens, strict=False):
        in_prompt = phrase.any(1, keepdim=True)
        inside = box_cells & in_prompt
        outside = ~box_cells & ~condition & in_prompt
        keys = phrase.to(device)
        edits.append(LogitEdit("raise", inside, keys, (pull * inside).to(device)))
        edits.append(LogitEdit("forbid", outside, keys, None))
    return edits


def _self_edits(context: RunContext, cells: Tensor, condition: Tensor) -> list[LogitEdit]:
    """Raise attention within each box, lower it to other boxes; do not edit the queries of C."""
    device, branches, edits = context.condition_mask.device, context.jobs[0].settings.branches, []
    pull = torch.tensor([[job.settings.layout_pull] for job in context.jobs])
    if not pull.any():
        return []
    in_any_box = cells.any(0)
    for box_cells in cells:
        inside = box_cells & ~condition
        strength = (pull * inside).to(device)
        own, others = box_cells.to(device), (in_any_box & ~box_cells).to(device)
        edits.append(LogitEdit("raise", inside, own, strength, branches))
        edits.append(LogitEdit("lower", inside, others, strength, branches))
    return edits
