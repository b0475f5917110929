"""Helpers of a pipeline call: the UNet's lock, counting, callbacks, checks."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import NoneType
from typing import Any
from weakref import WeakKeyDictionary

import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from PIL import Image
from torch import Tensor

from sow.backbones.base import TextEmbeddings
from sow.diffusion.sampler import StepEnd
from sow.errors import ModelError, UsageError
from sow.utils.type_checks import INTEGERS, check_type

CALLBACK_TENSORS = ("latents", "condition_mask", "prompt_embeds")
"""The tensors that a callback may request."""

# By UNet: pipelines made by `from_pipe` share theirs, and its attention processors are replaced.
_LOCKS: WeakKeyDictionary[torch.nn.Module, threading.RLock] = WeakKeyDictionary()
_BUSY: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()
_LOCKS_LOCK = threading.Lock()


def lock_of(unet: torch.nn.Module) -> threading.RLock:
    """Return the lock that calls of a UNet hold, and changes of its weights."""
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(unet, threading.RLock())


@contextmanager
def unet_lock(unet: torch.nn.Module) -> Iterator[None]:
    """Make calls that share a UNet wait for one another.

    Raises:
        UsageError: if a call is made inside another one, from its callback.
    """
    with lock_of(unet):
        if _BUSY.get(unet):
            raise UsageError(
                "a call inside another call of the same model", "wait until it returns"
            )
        _BUSY[unet] = True
        try:
            yield
        finally:
            _BUSY[unet] = False


@dataclass
class ForwardCounter:
    """The calls of a denoiser, by the shape of their input."""

    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """The number of calls."""
        return sum(self.shapes.values())

    @property
    def samples(self) -> int:
        """The number of samples, over all calls."""
        return sum(shape[0] * calls for shape, calls in self.shapes.items())


@contextmanager
def count_forwards(denoiser: torch.nn.Module) -> Iterator[ForwardCounter]:
    """Count this thread's calls of a UNet, with a forward hook, so that no call is missed."""
    counter, thread = ForwardCounter(), threading.get_ident()

    def count(_: Any, args: Any, kwargs: Any) -> None:
        if threading.get_ident() != thread:
            return
        sample = args[0] if args else kwargs.get("sample", kwargs.get("hidden_states"))
        counter.shapes.update([tuple(sample.shape)])

    hook = denoiser.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield counter
    finally:
        hook.remove()


def check_tensor_inputs(callback: Any, tensor_inputs: Sequence[str]) -> tuple[str, ...]:
    """Return the tensors that a callback requests; diffusers' own callbacks list theirs.

    Raises:
        UsageError: if the callback is not callable, or a tensor is unknown.
    """
    if not callable(callback):
        check_type("callback_on_step_end", callback, (NoneType,), "a function")
    if isinstance(callback, (PipelineCallback, MultiPipelineCallbacks)):
        tensor_inputs = callback.tensor_inputs
    hint = f"a list of {CALLBACK_TENSORS}"
    check_type("callback_on_step_end_tensor_inputs", tensor_inputs, (list, tuple), hint)
    for name in tensor_inputs:
        if name not in CALLBACK_TENSORS:
            raise UsageError(f"unknown callback tensor {name!r}", f"choose from {CALLBACK_TENSORS}")
    return tuple(tensor_inputs)


def job_indices(return_cycles: Any, count: int) -> list[int]:
    """Return the indices of the jobs whose cycles are requested: True, False, or a list.

    Raises:
        UsageError: if an index is out of range.
    """
    if isinstance(return_cycles, bool):
        return list(range(count)) if return_cycles else []
    check_type("return_cycles", return_cycles, (Collection,), "True, or a list of job indices")
    for index in return_cycles:
        check_type("return_cycles", index, INTEGERS, "a list of job indices")
        if not 0 <= index < count:
            raise UsageError(
                f"return_cycles= has job index {index}", f"give indices from 0 to {count - 1}"
            )
    return list(return_cycles)


@dataclass(frozen=True)
class Progress:
    """How far a call is.

    Attributes:
        calls: the UNet calls that were made or saved.
        total: those of the whole call.
        cycles: the cycles that have ended.
        preview: returns what the pictures look like at the end of the latest cycle, decoded at half
            the resolution or less; None if no cycle has ended since the last report.
        pictures: how many the call makes.
    """

    calls: int
    total: int
    cycles: int = 0
    preview: Callable[[], list[Image.Image]] | None = None
    pictures: int = 1


class ProgressReports:
    """Counts the UNet calls and cycles of a call, for its progress bar and for the caller."""

    def __init__(
        self,
        total: int,
        bar: Any,
        report: Callable[[Progress], object] | None,
        decode: Callable[[Tensor], list[Image.Image]],
        pictures: int,
    ) -> None:
        self._total, self._bar, self._report, self._decode = total, bar, report, decode
        self._pictures = pictures
        self._calls = self._cycles = 0

    def count(self, calls: int = 1) -> None:
        """Count UNet calls."""
        self._bar.update(calls)
        self._calls += calls
        self._tell()

    def cycle_end(self, clean: Tensor) -> None:
        """Count a cycle, which predicts the clean latents `[B, c, h, w]`."""
        self._cycles += 1
        self._tell(lambda: self._decode(reduced(clean)))

    def _tell(self, preview: Callable[[], list[Image.Image]] | None = None) -> None:
        if self._report:
            self._report(Progress(self._calls, self._total, self._cycles, preview, self._pictures))


PREVIEW_LATENTS = 32
"""The longer side of the latents that a preview is decoded from."""


def reduced(latents: Tensor) -> Tensor:
    """Return latents of at most `PREVIEW_LATENTS` on the longer side, means of their neighbours.

    They are at most half as many: decoding all of a small model's takes as long as a UNet call.
    """
    factor = max(2, -(-max(latents.shape[-2:]) // PREVIEW_LATENTS))
    return torch.nn.functional.avg_pool2d(latents, factor, ceil_mode=True)


def make_step_end(
    pipe: Any, callback: Any, tensor_inputs: Sequence[str], reports: ProgressReports
) -> Callable[[StepEnd], None]:
    """Return the function to run after every UNet call: progress and the user's callback."""

    def step_end(step: StepEnd) -> None:
        reports.count()
        if callback is None or pipe._interrupt:
            return
        tensors = {
            "latents": step.latents,
            "condition_mask": step.condition_mask,
            "prompt_embeds": flatten_embeds(step.texts),
        }
        inputs = {name: tensors[name] for name in tensor_inputs}
        output = callback(pipe, step.call, step.time, dict(inputs)) or {}
        step.latents = output.get("latents", step.latents).to(step.latents.dtype)
        embeds = output.get("prompt_embeds")
        if embeds is not None and embeds is not inputs.get("prompt_embeds"):
            step.texts = unflatten_embeds(embeds, step.texts)

    return step_end


def check_finite(result: Tensor) -> None:
    """Check that a result has no nan and no infinity, which would become black pixels.

    Raises:
        ModelError: if it has: the weights are damaged, or the precision is too low for them.
    """
    if not torch.isfinite(result).all():
        raise ModelError(
            "the model's output is not finite (nan or infinity)",
            "download the checkpoint again, or try dtype=float32",
        )


def flatten_embeds(texts: TextEmbeddings) -> Tensor:
    """Return embeddings in diffusers' order, negative first: `[K * B, tokens, width]`."""
    return texts.prompt_embeds.flip(0).flatten(0, 1)


def unflatten_embeds(embeds: Tensor, texts: TextEmbeddings) -> TextEmbeddings:
    """Replace the embeddings in `texts` by those in diffusers' order.

    Fewer than K * B rows turn guidance off, as in diffusers: B rows replace the prompts', and with
    any other number the prompts' are kept.
    """
    branches, pictures, *rest = texts.prompt_embeds.shape
    if len(embeds) == branches * pictures:
        return replace(texts, prompt_embeds=embeds.view(branches, pictures, *rest).flip(0))
    prompts = texts.first_branches(1)
    if len(embeds) == pictures:
        return replace(prompts, prompt_embeds=embeds.view(1, pictures, *rest))
    return prompts
