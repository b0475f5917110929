"""Does it help to see where objects form, and to change the layout accordingly?

    sow bench study refining

Semantic Derivative Flow's feedback, as a control in place of `Layout`: after the first two steps
from noise, or after the first picture where the condition is planted again, the heat of each phrase
says where it forms. `follow` moves its box half the way there, at most 16 pixels and never across
another's; `more` draws twice as much to what forms less than 0.8 times as warm as half of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from unittest.mock import patch

import torch
from torch import Tensor

from sow.attention.control import AttentionProbe, RunContext
from sow.attention.edits import LogitEdit
from sow.attention.heat import RunningMean, cross_attention_maps
from sow.attention.layout import Layout, Phrase
from sow.backbones.base import AttentionLayer
from sow.benchmarks.figures.studies import relations, relations_planted
from sow.benchmarks.figures.studies.relation_cases import PEOPLE, case_of
from sow.benchmarks.output import StudyOutput, bar
from sow.benchmarks.statistics import mean, rate
from sow.diffusion.algorithm import Denoise, UNetCall
from sow.plan.box import Box

AFTER, FARTHEST, COLD, MORE = 2, 16, 0.8, 2.0
ARMS = {"layout": (False, False), "more": (False, True), "follow": (True, False),
        "follow and more": (True, True)}  # fmt: skip
ALONE: list[tuple[str, Sequence[str]]] = [
    *((name, PEOPLE) for name in ("left of", "right of", "above", "below")),
    *((name, ()) for name in ("left of", "below", "near", "on")),
]
PLANTED = ("left of", "right of", "below", "near", "holding")


@dataclass
class Refined(Layout):
    """A layout that is changed once, by where phrases form."""

    follow: bool
    more: bool

    def begin(self, context: RunContext) -> None:
        """Start with the given layout."""
        super().begin(context)
        self._steps, self._done, self._looks = 0, False, False
        self._heat, self._peaks = RunningMean(), list[float]()

    def before_call(self, step: UNetCall) -> None:
        """Count the steps, and refine the layout when it is due."""
        text_only = self._context.jobs[0].plan.text_only
        if isinstance(step, Denoise):
            due = self._steps == AFTER if text_only else step.cycle is not None
            if due and not self._done and self._heat.count:
                self._refine(self._heat.mean())
                self._done = True
            self._steps += 1
        super().before_call(step)
        self._looks = isinstance(step, Denoise) and not self._done and (text_only or step.left > 0)

    def observes(self, layer: AttentionLayer) -> bool:
        """Return whether a layer is cross-attention of sufficient resolution."""
        return self._looks and layer.kind == "cross" and layer.factor <= 2

    def observe(self, layer: AttentionLayer, probe: AttentionProbe) -> None:
        """Add a layer's maps."""
        self._heat.add(cross_attention_maps(probe, self._context.size, layer.factor))

    def _refine(self, heat: Tensor) -> None:
        maps = [
            [heat[n, self._tokens[k, n]].mean(0) for k in range(len(phrases))]
            for n, phrases in enumerate(self._phrases)
        ]
        peaks = [[float(one.max()) for one in row] for row in maps]
        self._peaks += [peak for row in peaks for peak in row]
        cold = COLD * median(self._peaks)
        factors = [[MORE if self.more and peak < cold else 1.0 for peak in row] for row in peaks]
        if self.follow:
            self._build_edits([self._moved(n, row) for n, row in enumerate(maps)])
        for (kind, factor), edits in self._edits.items():
            if kind == "cross":  # two for each phrase
                self._edits[kind, factor] = [
                    _stronger(edit, [row[k // 2] if k // 2 < len(row) else 1.0 for row in factors])
                    for k, edit in enumerate(edits)
                ]

    def _moved(self, number: int, maps: Sequence[Tensor]) -> list[Phrase]:
        phrases, plan = self._phrases[number], self._context.jobs[number].plan
        moved = []
        for k, phrase in enumerate(phrases):
            others = [other.box for other in phrases[:k] + phrases[k + 1 :]]
            others += [] if plan.text_only else [plan.box]
            moved.append(Phrase(phrase.text, toward(phrase.box, maps[k], others, plan.canvas)))
        return moved


def _stronger(edit: LogitEdit, factors: Sequence[float]) -> LogitEdit:
    if edit.strength is None:
        return edit
    strength = edit.strength * torch.tensor(factors, device=edit.strength.device)[:, None]
    return LogitEdit(edit.kind, edit.queries, edit.keys, strength.clamp(max=1), edit.branches)


def toward(box: Box, heat: Tensor, others: Sequence[Box], canvas: tuple[int, int]) -> Box:
    """Move a box half way to where its phrase is hot, staying on the same side of all others."""
    hot = (heat - heat.mean()).clamp_min(0) ** 2
    if not hot.sum():
        return box
    ends = []
    for axis, (start, size, centre) in enumerate(
        ((box.x, box.width, box.centre[0]), (box.y, box.height, box.centre[1]))
    ):
        along = hot.sum(axis)
        cells = (torch.arange(len(along)) + 0.5) * canvas[axis] / len(along)
        way = 0.5 * (float((along * cells).sum() / along.sum()) - centre)
        low, high = 0.0, float(canvas[axis] - size)
        for other in others:
            begin, end = other.corners[axis], other.corners[axis + 2]
            high = min(high, begin - size) if start + size <= begin else high
            low = max(low, end) if start >= end else low
        ends.append(round(min(high, max(low, start + max(-FARTHEST, min(FARTHEST, way))))))
    return box.model_copy(update={"x": ends[0], "y": ends[1]})


def study(output: StudyOutput, *, count: int) -> None:
    """Write `refining.md`; its pictures are not cached, since their code is only in this file."""
    output.check_output_path("refining.md")
    pipe, judge = relations.tools()
    lines = [
        "| | nothing planted: pass | a face planted: pass | ID-Distance |",
        "|---|---|---|---|",
    ]
    for name, (follow, more) in bar(ARMS.items(), "arms", len(ARMS)):
        with patch("sow.attention.chain.Layout", lambda f=follow, m=more: Refined(f, m)):
            alone, planted, away = list[bool](), list[bool](), list[float]()
            for relation, people in ALONE:
                cases = [case_of(relation, n, people, relations.TUNING) for n in range(count)]
                seen = judge.look(relations.generate(pipe, cases, {}).images)
                alone += [case.holds(verdict) for case, verdict in zip(cases, seen, strict=True)]
            for relation in PLANTED:
                half_count = max(1, count // 2)
                cells, _ = relations_planted.outcome(relation, half_count, True, ("layout",))
                planted += cells["layout"].passed
                away += [value for value in cells["layout"].identity if value == value]
        rates = f"{rate(alone).percent()} | {rate(planted).percent()} | {mean(away).number()}"
        lines.append(f"| {name} | {rates} |")
        output.log(lines[-1])
    output.write_page(
        "refining.md",
        [
            "# Refining the layout by what forms",
            "",
            f"`{output.command}`, on tuning captions "
            f"and people, {len(ALONE)} classes of {count} and {len(PLANTED)} of "
            f"{max(1, count // 2)}; paired seeds, 95 % intervals.",
            "",
            *lines,
        ],
    )
