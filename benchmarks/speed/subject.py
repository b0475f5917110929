"""The subject of measurements: a model, its pictures, and the same work for its UNet alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from torch.utils._pytree import tree_map

from sow.backbones.registry import backbone_of
from sow.benchmarks.checkpoints import SD21_BASE, SDXL_BASE, TINY, random_pipeline
from sow.benchmarks.speed.timing import Elapsed, Operation, timed
from sow.models import choose_device, choose_dtype, load_pipeline
from sow.pipeline.calls import count_forwards
from sow.pipeline.compiling import compile_blocks
from sow.pipeline.pipeline import SowPipeline
from sow.plan.box import Box
from sow.plan.plan import NOTHING, Plan, Region
from sow.service.fitting import resolve_settings
from sow.settings.settings import Settings
from sow.utils.libraries import quiet_libraries

RANDOM = {"sd21-random": SD21_BASE, "sdxl-random": SDXL_BASE}
"""Architectures of Stable Diffusion with random weights, which cost what trained ones do."""
SIZES = (1, 2, 4, 8, 16)
PROMPT = "a person in a red coat in the forest"
PLANTS_NOTHING = "text"
"""The preset of a sentence alone."""
Shapes = Counter[tuple[int, ...]]
"""Inputs of the UNet by their shapes, and how often each comes."""


@dataclass(frozen=True)
class Subject:
    """A model on its device, and how its pictures are made.

    Attributes:
        pipe: the model.
        name: the name it was loaded by.
        settings: of the pictures that are timed.
        changed: what of them differs from the model's preset `normal`, as it was said.
        compiled: whether its UNet's blocks are compiled.
        bare_calls: of every shape at most so many calls of the bare UNet are timed; their mean
            stands for the rest.
        sizes: of batches, the smallest first.
        only: names of the presets that the section presets draws; empty for all.
    """

    pipe: SowPipeline
    name: str
    settings: Settings
    changed: tuple[str, ...] = ()
    compiled: bool = False
    bare_calls: int = 1000
    sizes: tuple[int, ...] = SIZES
    only: tuple[str, ...] = ()

    @classmethod
    def load(
        cls,
        model: str,
        *,
        device: str = "auto",
        dtype: str = "auto",
        changed: Sequence[str] = (),
        compiled: bool = False,
        bare_calls: int = 1000,
        sizes: Sequence[int] = SIZES,
        only: Sequence[str] = (),
    ) -> Subject:
        """Load a model by name, or one of `RANDOM`.

        changed: of its preset `normal`, as texts: `cycles=1`.

        Raises:
            SowError: if there is no such model, device, setting or preset.
        """
        for name in only:
            Settings.preset(name)
        if model in RANDOM:
            device = choose_device(device)
            pipe = random_pipeline(RANDOM[model], dtype=choose_dtype(dtype, device))
            pipe.denoiser.to(memory_format=torch.channels_last)
            pipe.vae.to(memory_format=torch.channels_last)
            with quiet_libraries():  # diffusers warns about every change of precision
                pipe.to(device, choose_dtype(dtype, device))
        else:
            pipe = load_pipeline(model, device=device, dtype=dtype)
        pipe.set_progress_bar_config(disable=True)
        if compiled:
            compile_blocks(pipe, fullgraph=True)
        settings = resolve_settings(pipe.preset("normal"), tuple(changed), None)
        return cls(
            pipe,
            model,
            settings,
            tuple(changed),
            compiled,
            bare_calls,
            tuple(sorted(sizes)),
            tuple(only),
        )

    @property
    def device(self) -> torch.device:
        """The device of the model."""
        return torch.device(self.pipe.device)

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the UNet."""
        found: torch.dtype = self.pipe.denoiser.dtype
        return found

    @property
    def description(self) -> str:
        """Model, precision, device, canvas and changed settings, in one line."""
        width, height = self.pipe.canvas
        dtype = str(self.dtype).removeprefix("torch.")
        preset = " ".join(["preset normal", *self.changed])
        parts = [self.name, dtype, self.device.type, f"{width}x{height}", preset]
        return ", ".join([*parts, *(["blocks compiled"] if self.compiled else [])])

    def picture(
        self,
        settings: Settings | None = None,
        count: int = 1,
        canvas: tuple[int, int] | None = None,
        bare: bool = False,
        **more: Any,
    ) -> Operation:
        """Return the work of making `count` pictures in one call, with seeds from 0. bare:
        nothing is planted."""
        face, plan = (nothing if bare else job)(canvas or self.pipe.canvas)

        def work() -> Any:
            seeds = [torch.Generator().manual_seed(number) for number in range(count)]
            return self.pipe(
                image=[face] * count,
                plan=[plan] * count,
                generator=seeds,
                settings=settings or self.settings,
                **more,
            )

        return work

    def shapes(
        self,
        settings: Settings | None = None,
        count: int = 1,
        canvas: tuple[int, int] | None = None,
        bare: bool = False,
    ) -> Shapes:
        """Return the UNet calls of such a call, by input shape.

        Of random weights at full size a picture takes minutes on a CPU: there a small model is
        asked, which is called as often, and its shapes are made larger.
        """
        settings = settings or self.settings
        if self.name not in RANDOM:
            with count_forwards(self.pipe.denoiser) as spent:
                self.picture(settings, count, canvas, bare)()
            return spent.shapes
        small = random_pipeline(TINY)
        small.set_progress_bar_config(disable=True)
        width, height = canvas or self.pipe.canvas
        side = 64
        stand_in = replace(self, pipe=small, name="small")
        found = stand_in.shapes(settings, count, (side, side), bare)
        return Counter(
            {
                (samples, c, h * height // side, w * width // side): calls
                for (samples, c, h, w), calls in found.items()
            }
        )

    def unet(self, shape: Sequence[int]) -> Operation:
        """Return the work of one UNet call on noise of this shape."""
        denoiser, backbone = self.pipe.denoiser, backbone_of(self.pipe)
        calls: list[tuple[Any, Any]] = []

        def take(_: Any, args: Any, kwargs: Any) -> None:
            calls.append((args, kwargs))
            raise _Taken

        hook = denoiser.register_forward_pre_hook(take, prepend=True, with_kwargs=True)
        with torch.no_grad(), suppress(_Taken):
            (texts,) = backbone.embed([[[PROMPT] * shape[0]]])
            latents = torch.randn(*shape, device=self.device)
            backbone.predict(latents, torch.tensor(501, device=self.device), texts)
        hook.remove()
        args, kwargs = tree_map(self._in_precision, calls[0])

        def work() -> Any:
            with torch.no_grad():
                return denoiser(*args, **kwargs)

        return work

    def _in_precision(self, value: Any) -> Any:
        """Return a tensor in the precision of the UNet, unless it is of times."""
        if isinstance(value, torch.Tensor) and value.is_floating_point() and value.dim() > 1:
            return value.to(self.dtype)
        return value

    def bare(self, shapes: Shapes) -> Elapsed:
        """Time these UNet calls alone."""
        total = Elapsed(0.0, 0.0)
        for shape, calls in shapes.items():
            call, made = self.unet(shape), min(calls, self.bare_calls)
            elapsed = timed(repeated(call, made), self.device)
            total = total.plus(elapsed.times(calls / made))
        return total


class _Taken(Exception):
    """The arguments of a call are known; it need not be made."""


def repeated(work: Operation, times: int) -> Operation:
    """Return the work repeated `times` times."""
    return lambda: [work() for _ in range(times)]


def nothing(canvas: tuple[int, int]) -> tuple[None, Plan]:
    """Return a job with a prompt alone."""
    canvas_box = Box(x=0, y=0, width=canvas[0], height=canvas[1])
    return None, Plan(canvas=canvas, prompt=PROMPT, box=canvas_box, subject=NOTHING, suppress="")


def job(canvas: tuple[int, int]) -> tuple[Image.Image, Plan]:
    """Return a job with a condition of 7/16 of the canvas and a body below; its content costs
    nothing.

    There is a noun to suppress, so every branch of guidance has something to say.
    """
    width, height = canvas
    side = min(width, height) * 7 // 16 // 8 * 8
    box = Box(x=(width - side) // 2 // 8 * 8, y=height // 16 // 8 * 8, width=side, height=side)
    top = height * 9 // 16 // 8 * 8
    body = Region(label="body", box=Box(x=0, y=top, width=width, height=height - top))
    seeded = torch.Generator().manual_seed(0)
    noise = torch.randint(256, (side, side, 3), dtype=torch.uint8, generator=seeded)
    face = Image.fromarray(noise.numpy())
    return face, Plan(canvas=canvas, prompt=PROMPT, box=box, related=(body,), suppress="human face")
