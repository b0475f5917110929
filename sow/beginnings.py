"""Beginnings of pictures that further seeds of a plan go on from: the same pixels for less.

Exact: a beginning is worked out by itself, a picture to a call, whoever goes on from it. It differs
by rounding alone from one that was worked out in a batch.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import torch

from sow.attention.chain import chain_of
from sow.attention.control import Scene
from sow.attention.trace import Trace
from sow.backbones.stable_diffusion import StableDiffusion
from sow.diffusion.beginning import Begun, shared_moves
from sow.diffusion.jobs import Job, PerJob
from sow.diffusion.sampler import Sampler

MOST = 16
"""Beginnings that are kept: those of 512 x 512 take some 0.7 MB each."""


class Beginnings:
    """Those of the latest pictures, for as long as it lives; one for a pipeline."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: OrderedDict[Hashable, Begun] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def begin(
        self, pipe: Any, sampler: Sampler, tick: Callable[[int], Any] = lambda calls: None
    ) -> None:
        """Brings a batch to where chance begins, each of its pictures by itself.

        pipe: whose UNet the sampler asks. tick: is told how many UNet calls of the batch are over.
        """
        moves = shared_moves(sampler.moves, [job.settings for job in sampler.jobs])
        only_looked_at = all(isinstance(control, Trace) for control in pipe.controls)
        if not (moves and only_looked_at):
            return
        keys = [(moves, *key_of(pipe), *content_of(job)) for job in sampler.jobs]
        found: dict[Hashable, Begun] = {}
        for key, job in zip(keys, sampler.jobs, strict=True):
            if key not in found:
                found[key] = self._kept.get(key) or begun(pipe, job, sampler.grid, moves)
        self._keep(found)
        before = sampler.unet_calls
        sampler.go_on(Begun.stacked([found[key] for key in keys]))
        tick(before - sampler.unet_calls)

    def _keep(self, found: dict[Hashable, Begun]) -> None:
        for key, each in found.items():
            self._kept[key] = each
            self._kept.move_to_end(key)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)


def begun(pipe: Any, job: Job, grid: int, moves: int) -> Begun:
    """The first moves of a picture, alone in its batch; they leave nothing to its generator."""
    backbone = StableDiffusion(pipe)
    jobs = [replace(job, generator=torch.Generator())]
    own = PerJob.of(jobs, backbone.stride, backbone.device)
    chain = chain_of(Scene.of(jobs, own.condition_mask, backbone), (), None)
    sampler = Sampler(backbone, jobs, own, grid, chain)
    with chain.installed() if chain else nullcontext():
        return sampler.begin(moves)


def content_of(job: Job) -> Sequence[Hashable]:
    """All of a job that decides how it begins."""
    condition = job.condition
    pixels = hashlib.sha256()
    for part in (condition.picture, condition.mask):
        pixels.update(f"{part.mode}{part.size}".encode() + part.tobytes())
    return pixels.digest(), job.plan.to_json(), job.settings.model_dump_json()


def key_of(pipe: Any) -> Sequence[Hashable]:
    """What a pipeline is now: other weights, another schedule or device are another one.

    Adapters may be weighed anew without a change of any weight, so with some no two are the same.
    """
    if getattr(pipe.unet, "peft_config", None) or getattr(pipe.text_encoder, "peft_config", None):
        return (object(),)
    parts = (pipe.unet, pipe.vae, pipe.text_encoder)
    weights = hash(tuple(weight for part in parts for weight in _weights(part)))
    scheduler = f"{type(pipe.scheduler).__name__}{sorted(map(str, pipe.scheduler.config.items()))}"
    return weights, scheduler, str(pipe._execution_device), torch.get_num_threads()


def _weights(part: torch.nn.Module) -> Iterator[tuple[int, int, torch.dtype]]:
    """Which tensors they are, and how often each was changed in its place."""
    for weight in part.parameters():
        yield id(weight), 0 if weight.is_inference() else weight._version, weight.dtype
