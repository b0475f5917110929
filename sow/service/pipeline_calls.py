"""Calls of the pipeline, and the pictures with their recipes that come out of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sow.diffusion.prompts import branches_for, outside_of
from sow.errors import DeviceError
from sow.models.devices import out_of_memory
from sow.pictures.recipe import Recipe, versions
from sow.service.methods import SOW, MethodOutput, Method, Sow
from sow.service.results import GenerationSpec, Picture
from sow.settings.settings import SHARED, Settings

if TYPE_CHECKING:
    from sow.models.find import Model
    from sow.pipeline.calls import ForwardCounter
    from sow.pipeline.pipeline import SowPipeline
    from sow.pipeline.prefix_cache import PrefixCache


def make(
    pipe: SowPipeline,
    model: Model,
    spec: GenerationSpec,
    seeds: Sequence[int],
    cycles_of: Collection[int],
    explain: bool,
    report: Callable[[str, str], None],
    prefix_cache: PrefixCache | None = None,
) -> Iterator[Picture]:
    """One picture per seed, as many in one call as memory allows.

    cycles_of: the numbers of those whose cycles are wanted too. explain: sheets for all of them.
    prefix_cache: what seeds share; a picture that is repeated is begun as it was then.

    Raises:
        DeviceError: if not even one fits.
    """
    from sow.models.memory import pictures_at_once

    whole = spec.batch_size > 0 and not spec.begun_alone
    one = _Calls(pipe, model, spec, explain, None if whole else prefix_cache)
    branches, canvas = branches_for(spec.plan, spec.settings), spec.plan.canvas
    if spec.batch_size:  # a picture is repeated as it was made, in a batch of the same size
        room = pictures_at_once(pipe, canvas, branches, spec.batch_size)
        if room == spec.batch_size:
            wanted = [spec.place] if cycles_of else []
            yield one.call([seeds[0]] * spec.batch_size, wanted, only=spec.place)[0]
            return
        report("note", f"made alone, not as one of {spec.batch_size}: expect small changes")
    left = list(enumerate(seeds))
    most = pictures_at_once(pipe, canvas, branches, len(left))
    while left:
        some = left[:most]
        try:
            wanted = [place for place, (number, _) in enumerate(some) if number in cycles_of]
            made = one.call([seed for _, seed in some], wanted)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(some) == 1:
                raise DeviceError(
                    f"{pipe.device} has too little memory for this picture",
                    "try dtype=float16, a smaller canvas= or device=cpu",
                ) from None
            most = len(some) // 2
            continue
        left = left[len(some) :]
        yield from made


@dataclass(frozen=True)
class EngineTask:
    """A picture to make; `several` if its work has others too, which begin alike."""

    spec: GenerationSpec
    seed: int
    several: bool = False

    @property
    def kind(self) -> tuple[object, ...]:
        """What tasks of one call have in common: their canvas, and the settings they share.

        With others that are guided for longer, or by more texts, a picture would be asked for more
        than it needs.
        """
        settings = self.spec.settings
        shared = (getattr(settings, name) for name in Settings.names(SHARED))
        outside = outside_of(self.spec.plan, settings)
        guided = (settings.guided_until, settings.first_guided_until, outside)
        return (self.spec.plan.canvas, self.several, *guided, *shared)


def make_batch(
    pipe: SowPipeline,
    model: Model,
    tasks: Sequence[EngineTask],
    size: int,
    method: Method = SOW,
    prefix_cache: PrefixCache | None = None,
) -> list[Picture]:
    """The pictures of one call, of works that may share one: see `SowPipeline.__call__`.

    size: of the batch; a smaller one is filled up with the last task, so that a picture does not
    depend on who else was there, since sums are rounded otherwise in batches of other sizes.
    method: who draws them. prefix_cache: for works with several pictures, if SOW itself draws.
    """
    from sow.pipeline.calls import count_forwards

    filled = [*tasks, *[tasks[-1]] * (size - len(tasks))]
    specs, seeds = [task.spec for task in filled], [task.seed for task in filled]
    alone = tasks[0].several and prefix_cache is not None and method.engine and not pipe.controls
    started = time.monotonic()
    with _threads(0) as threads, count_forwards(method.denoiser(pipe)) as spent:
        if alone and isinstance(method, Sow):
            drawn = method.draw(pipe, specs, seeds, prefix_cache=prefix_cache)
        else:
            drawn = method.draw(pipe, specs, seeds)
    seconds = (time.monotonic() - started) / len(tasks)
    pictures = _pictures(pipe, model, filled, drawn, threads, seconds, spent, alone, method)
    return list(pictures)[: len(tasks)]


class _Calls:
    """Calls of one pipeline for one work."""

    def __init__(
        self,
        pipe: SowPipeline,
        model: Model,
        spec: GenerationSpec,
        explain: bool,
        prefix_cache: PrefixCache | None,
    ) -> None:
        from sow.diffusion.prefix import without_chance

        self.pipe, self.model, self.spec, self.explain = pipe, model, spec, explain
        # Beginnings are not looked into: where they are all there is, a sheet would be empty.
        unseen = explain and without_chance(spec.settings)
        self.prefix_cache = None if pipe.controls or unseen else prefix_cache

    def call(
        self, seeds: Sequence[int], cycles_of: Sequence[int], only: int | None = None
    ) -> list[Picture]:
        """The pictures of one call, or only one; with the cycles of those at these places."""
        from sow.attention.explain import explain as sheet_of
        from sow.attention.trace import Trace
        from sow.pipeline.calls import count_forwards

        pipe, spec = self.pipe, self.spec
        tasks = [EngineTask(spec, seed) for seed in seeds]
        traces = [Trace()] if self.explain else []
        started = time.monotonic()
        with _threads(spec.threads) as threads, count_forwards(pipe.unet) as spent:
            drawn = SOW.draw(
                pipe, [spec] * len(seeds), seeds, cycles_of, self.prefix_cache, traces=traces
            )
        seconds = (time.monotonic() - started) / len(seeds)
        cycles = dict(zip(cycles_of, drawn.cycles or (), strict=False))
        alone = self.prefix_cache is not None
        pictures = _pictures(pipe, self.model, tasks, drawn, threads, seconds, spent, alone)
        return [
            replace(
                picture,
                cycles=tuple(cycles.get(place, ())),
                explained=sheet_of(traces[0], picture.image, spec.plan, spec.condition, place)
                if traces
                else None,
            )
            for place, picture in enumerate(pictures)
            if only is None or place == only
        ]


def _pictures(
    pipe: SowPipeline,
    model: Model,
    tasks: Sequence[EngineTask],
    drawn: MethodOutput,
    threads: int,
    seconds: float,
    spent: ForwardCounter,
    begun_alone: bool,
    method: Method = SOW,
) -> Iterator[Picture]:
    """Those of one call, in their order, each with its recipe."""
    flagged = drawn.flagged or [False] * len(tasks)
    for place, (task, image) in enumerate(zip(tasks, drawn.images, strict=True)):
        spec = task.spec
        recipe = Recipe(
            plan=spec.plan,
            settings=spec.settings,
            seed=task.seed,
            model=model.name.encode(errors="replace").decode(),  # a folder's may be no text
            revision=model.revision,
            device=pipe.device.type,
            dtype=str(pipe.unet.dtype).removeprefix("torch."),
            picture_sha256=spec.picture_sha256,
            versions=versions(),
            batch_size=len(tasks),
            place=place,
            begun_alone=begun_alone and len(tasks) > 1,
            threads=threads if pipe.device.type == "cpu" else 0,
            method="" if method.engine else method.label,
        )
        yield Picture(
            image, recipe, spec.condition, flagged=flagged[place], seconds=seconds,
            calls=spent.calls, samples=round(spent.samples / len(tasks)),
        )  # fmt: skip


@contextmanager
def _threads(wanted: int) -> Iterator[int]:
    """Computes with as many threads as a repeated picture wants; says how many there are.

    Sums are cut into as many parts, which rounds them otherwise. The number belongs to the whole
    process: what others compute at the same time shares it.
    """
    import torch

    before = torch.get_num_threads()
    if wanted in (0, before):
        yield before
        return
    torch.set_num_threads(wanted)
    try:
        yield wanted
    finally:
        torch.set_num_threads(before)
