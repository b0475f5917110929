"""The frozen model's own pictures of the sentence, with nothing planted: the baseline of variety.

Variety and hue of the other methods are reported relative to it. It has the same plans and
conditions, so that the same pixels are left out of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sow.pipeline.pipeline import SowPipeline
from sow.plan.plan import NOTHING, Plan
from sow.service.methods import Method, MethodOutput, Resolver
from sow.service.request import Request
from sow.service.results import GenerationSpec


@dataclass(frozen=True)
class Text(Method):
    """The preset `text`, whatever preset or settings a job names, by a plan without a picture."""

    name = "text"

    def resolve(self, service: Resolver, request: Request) -> GenerationSpec:
        """Return the spec with the model's preset `text`; plan and condition are those of the
        others."""
        return service.resolve(request.with_preset("text"))

    def draw(
        self, pipe: SowPipeline, specs: Sequence[GenerationSpec], seeds: Sequence[int]
    ) -> MethodOutput:
        """Return a picture per sentence."""
        out = pipe(
            image=[None] * len(specs),
            plan=[without_condition(spec.plan) for spec in specs],
            settings=[spec.settings for spec in specs],
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        )
        return MethodOutput(out.images, out.nsfw_content_detected)


def without_condition(plan: Plan) -> Plan:
    """Return a plan for the same sentence and canvas that plants nothing (`Plan.text_only`)."""
    width, height = plan.canvas
    return Plan.parse(
        {
            "canvas": plan.canvas,
            "prompt": plan.prompt,
            "negative": plan.negative,
            "setting": plan.setting,
            "box": {"x": 0, "y": 0, "width": width, "height": height},
            "subject": NOTHING,
            "suppress": "",
            "planner": plan.planner,
        }
    )
