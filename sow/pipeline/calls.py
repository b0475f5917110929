"""One call of the pipeline among others: one at a time, and with the user's callback."""

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
from torch import Tensor

from sow.backbones.base import Embedded
from sow.diffusion.sampler import StepEnd
from sow.errors import ModelError, UsageError
from sow.utils.type_checks import INTEGERS, check_type

CALLBACK_TENSORS = ("latents", "condition_mask", "prompt_embeds")
"""What a callback may ask for."""

# By UNet, because pipelines made by `from_pipe` share theirs, and attention is changed in it.
_LOCKS: WeakKeyDictionary[torch.nn.Module, threading.RLock] = WeakKeyDictionary()
_BUSY: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()
_MAKING = threading.Lock()


@contextmanager
def unet_lock(unet: torch.nn.Module) -> Iterator[None]:
    """Calls that share a UNet wait for one another.

    Raises:
        UsageError: if a call is made from inside another one, in its callback.
    """
    with _MAKING:
        lock = _LOCKS.setdefault(unet, threading.RLock())
    with lock:
        if _BUSY.get(unet):
            raise UsageError("a call inside another on the same model", "wait until it is over")
        _BUSY[unet] = True
        try:
            yield
        finally:
            _BUSY[unet] = False


@dataclass
class ForwardCounter:
    """What went through a denoiser: the shapes of its input, and how often each came."""

    shapes: Counter[tuple[int, ...]] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """Calls."""
        return sum(self.shapes.values())

    @property
    def samples(self) -> int:
        """Pictures that went through it, all calls together."""
        return sum(shape[0] * calls for shape, calls in self.shapes.items())


@contextmanager
def count_forwards(denoiser: torch.nn.Module) -> Iterator[ForwardCounter]:
    """Counts this thread's calls of a UNet at its door, so that nobody can forget to."""
    spent, thread = ForwardCounter(), threading.get_ident()

    def enter(_: Any, args: Any, kwargs: Any) -> None:
        if threading.get_ident() != thread:
            return
        sample = args[0] if args else kwargs["sample"]
        spent.shapes.update([tuple(sample.shape)])

    hook = denoiser.register_forward_pre_hook(enter, with_kwargs=True)
    try:
        yield spent
    finally:
        hook.remove()


def check_tensor_inputs(callback: Any, asked: Sequence[str]) -> tuple[str, ...]:
    """The tensors a callback wants; diffusers' own callbacks say it themselves.

    Raises:
        UsageError: if the callback is none, or there is no such tensor.
    """
    if not callable(callback):
        check_type("callback_on_step_end", callback, (NoneType,), "a function")
    if isinstance(callback, (PipelineCallback, MultiPipelineCallbacks)):
        asked = callback.tensor_inputs
    check_type("callback_on_step_end_tensor_inputs", asked, (list, tuple), f"a list of {CALLBACK_TENSORS}")
    for name in asked:
        if name not in CALLBACK_TENSORS:
            raise UsageError(f"no tensor {name!r} for the callback", f"choose of {CALLBACK_TENSORS}")
    return tuple(asked)


def job_indices(return_cycles: Any, count: int) -> list[int]:
    """The jobs whose cycles are wanted: all, none, or those with these numbers.

    Raises:
        UsageError: if there is no job with such a number.
    """
    if isinstance(return_cycles, bool):
        return list(range(count)) if return_cycles else []
    check_type("return_cycles", return_cycles, (Collection,), "True, or the numbers of jobs")
    for number in return_cycles:
        check_type("return_cycles", number, INTEGERS, "the numbers of jobs in a list")
        if not 0 <= number < count:
            raise UsageError(
                f"return_cycles= names a job {number}", f"there are {count}, counted from 0"
            )
    return list(return_cycles)


def make_step_end(
    pipe: Any, callback: Any, wanted: Sequence[str], bar: Any
) -> Callable[[StepEnd], None]:
    """What happens after every UNet call: the progress bar, and the user's callback."""

    def step_end(step: StepEnd) -> None:
        bar.update()
        if callback is None or pipe._interrupt:
            return
        tensors = {
            "latents": step.latents,
            "condition_mask": step.condition_mask,
            "prompt_embeds": flat(step.texts),
        }
        given = {name: tensors[name] for name in wanted}
        output = callback(pipe, step.call, step.time, dict(given)) or {}
        step.latents = output.get("latents", step.latents).to(step.latents.dtype)
        changed = output.get("prompt_embeds")
        if changed is not None and changed is not given.get("prompt_embeds"):
            step.texts = unflat(changed, step.texts)

    return step_end


def check_finite(result: Tensor) -> None:
    """Whether what came out is numbers; libraries draw black where it is not.

    Raises:
        ModelError: if it is not: the weights are spoilt, or the precision is too low for them.
    """
    if not torch.isfinite(result).all():
        raise ModelError(
            "the model answers with what is no number (nan or infinity), so there is no picture",
            "get the checkpoint again, or try dtype=float32",
        )


def flat(texts: Embedded) -> Tensor:
    """As diffusers stacks them: `[K * B, tokens, width]`, what is guided away from first."""
    return texts.tokens.flip(0).flatten(0, 1)


def unflat(changed: Tensor, texts: Embedded) -> Embedded:
    """The reverse. Fewer rows than there were switch guidance off, as in diffusers.

    One row per picture is then their prompts'; fewer than that cannot be, and theirs are kept.
    """
    branches, pictures, *rest = texts.tokens.shape
    if len(changed) == branches * pictures:
        return replace(texts, tokens=changed.view(branches, pictures, *rest).flip(0))
    prompts = texts.first(1)
    if len(changed) == pictures:
        return replace(prompts, tokens=changed.view(1, pictures, *rest))
    return prompts
