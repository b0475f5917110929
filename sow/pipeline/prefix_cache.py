"""Cache the prefix of a run, its first UNet calls, which all seeds of a plan share.

Each picture's prefix is computed alone, so the pixels do not depend on whether it was cached.
Computed in a batch, it would differ by rounding.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch

from sow.attention.chain import build_chain
from sow.attention.control import RunContext
from sow.attention.trace import Trace
from sow.backbones.registry import backbone_of
from sow.diffusion.jobs import BatchTensors, Job
from sow.diffusion.prefix import PrefixState, shared_calls
from sow.diffusion.sampler import Sampler, StepEnd

MAX_PREFIXES = 16
"""Cached prefixes; at 512 x 512, each takes 1 to 2 MB."""


class PrefixCache:
    """An LRU cache of the prefixes of one pipeline."""

    def __init__(self, max_size: int = MAX_PREFIXES) -> None:
        self.max_size = max_size
        self._entries: OrderedDict[Hashable, PrefixState] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(
        self, pipe: Any, sampler: Sampler, on_progress: Callable[[int], Any] = lambda calls: None
    ) -> PrefixState | None:
        """Return the prefix of a batch, each picture's computed alone; None if there is none.

        Args:
            pipe: the pipeline of the sampler.
            sampler: its jobs make the batch.
            on_progress: called with numbers of UNet calls that were made or saved; they add up to
                those that the prefix replaces.
        """
        calls = shared_calls([job.settings for job in sampler.jobs])
        has_other_controls = not all(isinstance(control, Trace) for control in pipe.controls)
        if not calls or has_other_controls:
            return None
        keys = [(*pipeline_key(pipe), *job_key(job)) for job in sampler.jobs]
        found: dict[Hashable, PrefixState] = {}
        left = calls

        def step_end(_: StepEnd) -> None:
            nonlocal left
            if left:  # the prefixes of other pictures do not count
                left -= 1
                on_progress(1)

        for key, job in zip(keys, sampler.jobs, strict=True):
            if key not in found:
                cached = self._entries.get(key)
                found[key] = cached or compute_prefix(pipe, job, sampler.grid, step_end)
        self._store(found)
        on_progress(left)
        return PrefixState.stacked([found[key] for key in keys])

    def _store(self, found: dict[Hashable, PrefixState]) -> None:
        for key, prefix in found.items():
            self._entries[key] = prefix
            self._entries.move_to_end(key)
        while len(self._entries) > self.max_size:
            self._entries.popitem(last=False)


def compute_prefix(
    pipe: Any, job: Job, grid: int, step_end: Callable[[StepEnd], None] = lambda step: None
) -> PrefixState:
    """Compute the prefix of one picture alone; its generator is not used."""
    backbone = backbone_of(pipe)
    jobs = [replace(job, generator=torch.Generator())]
    tensors = BatchTensors.of(jobs, backbone.vae_scale_factor, backbone.device)
    chain = build_chain(RunContext.of(jobs, tensors.condition_mask, backbone))
    return Sampler(backbone, jobs, tensors, grid, chain).run_prefix(step_end)


def job_key(job: Job) -> Sequence[Hashable]:
    """Return everything of a job that its prefix depends on."""
    condition = job.condition
    pixels = hashlib.sha256()
    for part in (condition.picture, condition.mask):
        pixels.update(f"{part.mode}{part.size}".encode() + part.tobytes())
    return pixels.digest(), job.plan.to_json(), job.settings.model_dump_json()


def pipeline_key(pipe: Any) -> Sequence[Hashable]:
    """Return everything of a pipeline that prefixes depend on: weights, schedule, device.

    LoRAs of requests are known by their hashes. With an embedding no two keys are equal: each call
    has a table of its own. Nor with a LoRA that diffusers loaded: its scale may change without
    changing any weight.
    """
    parts = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    if any(getattr(part, "peft_config", None) for part in parts):
        return (object(),)
    weights = hash(tuple(weight for part in parts for weight in _weights(part)))
    scheduler = f"{type(pipe.scheduler).__name__}{sorted(map(str, pipe.scheduler.config.items()))}"
    device, threads = str(pipe._execution_device), torch.get_num_threads()
    return weights, pipe.adapters.key, scheduler, device, threads


def _weights(part: torch.nn.Module) -> Iterator[tuple[int, int, torch.dtype]]:
    """Yield identity, in-place version and dtype of each parameter."""
    for weight in part.parameters():
        yield id(weight), 0 if weight.is_inference() else weight._version, weight.dtype
