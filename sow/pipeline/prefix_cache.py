"""Prefixes of runs that further seeds of a plan begin with: the same pixels for less.

Exact: a prefix is worked out for one picture at a time, whoever uses it. It differs by rounding
alone from one that was worked out in a batch.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from sow.attention.chain import chain_of
from sow.attention.control import RunContext
from sow.attention.trace import Trace
from sow.backbones.stable_diffusion import StableDiffusion
from sow.diffusion.jobs import BatchTensors, Job
from sow.diffusion.prefix import PrefixState, shared_calls
from sow.diffusion.sampler import Sampler

MOST = 16
"""Prefixes that are kept: those of 512 x 512 take 1 to 2 MB each."""


class PrefixCache:
    """The prefixes of the latest pictures of one pipeline."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: OrderedDict[Hashable, PrefixState] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def prefix_of(
        self, pipe: Any, sampler: Sampler, tick: Callable[[int], Any] = lambda calls: None
    ) -> PrefixState | None:
        """Return the prefix of a batch, each picture's worked out by itself; None without any.

        pipe: the pipeline of the sampler. tick: is told how many UNet calls that saves the run.
        """
        calls = shared_calls([job.settings for job in sampler.jobs])
        observed = not all(isinstance(control, Trace) for control in pipe.controls)
        if not calls or observed:
            return None
        keys = [(*key_of(pipe), *content_of(job)) for job in sampler.jobs]
        found: dict[Hashable, PrefixState] = {}
        for key, job in zip(keys, sampler.jobs, strict=True):
            if key not in found:
                found[key] = self._kept.get(key) or prefix_of(pipe, job, sampler.grid)
        self._keep(found)
        tick(calls)
        return PrefixState.stacked([found[key] for key in keys])

    def _keep(self, found: dict[Hashable, PrefixState]) -> None:
        for key, prefix in found.items():
            self._kept[key] = prefix
            self._kept.move_to_end(key)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)


def prefix_of(pipe: Any, job: Job, grid: int) -> PrefixState:
    """Work out the prefix of one picture, alone in its batch; its generator stays untouched."""
    backbone = StableDiffusion(pipe)
    jobs = [replace(job, generator=torch.Generator())]
    tensors = BatchTensors.of(jobs, backbone.vae_scale_factor, backbone.device)
    chain = chain_of(RunContext.of(jobs, tensors.condition_mask, backbone))
    return Sampler(backbone, jobs, tensors, grid, chain).run_prefix()


def content_of(job: Job) -> Sequence[Hashable]:
    """Return everything of a job that its prefix depends on."""
    condition = job.condition
    pixels = hashlib.sha256()
    for part in (condition.picture, condition.mask):
        pixels.update(f"{part.mode}{part.size}".encode() + part.tobytes())
    return pixels.digest(), job.plan.to_json(), job.settings.model_dump_json()


def key_of(pipe: Any) -> Sequence[Hashable]:
    """Return everything of a pipeline that prefixes depend on: weights, schedule, device.

    An adapter's scale may change without a change of any weight, so with adapters no two keys are
    equal.
    """
    if getattr(pipe.unet, "peft_config", None) or getattr(pipe.text_encoder, "peft_config", None):
        return (object(),)
    parts = (pipe.unet, pipe.vae, pipe.text_encoder)
    weights = hash(tuple(weight for part in parts for weight in _weights(part)))
    scheduler = f"{type(pipe.scheduler).__name__}{sorted(map(str, pipe.scheduler.config.items()))}"
    return weights, scheduler, str(pipe._execution_device), torch.get_num_threads()


def _weights(part: torch.nn.Module) -> Iterator[tuple[int, int, torch.dtype]]:
    """Yield the identity of each tensor, and how often it was changed in place."""
    for weight in part.parameters():
        yield id(weight), 0 if weight.is_inference() else weight._version, weight.dtype
