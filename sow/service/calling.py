"""Calls of the pipeline, and the pictures with their recipes that come out of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from sow.errors import DeviceError
from sow.models.devices import out_of_memory
from sow.recipe import Recipe, versions
from sow.service.results import Picture, Work

if TYPE_CHECKING:
    from sow.models.find import Model
    from sow.pipeline import SowPipeline


def make(
    pipe: SowPipeline,
    model: Model,
    work: Work,
    seeds: Sequence[int],
    cycles_of: Collection[int],
    explain: bool,
    report: Callable[[str, str], None],
) -> Iterator[Picture]:
    """One picture per seed, as many in one call as memory allows.

    cycles_of: the numbers of those whose cycles are wanted too. explain: sheets for all of them.

    Raises:
        DeviceError: if not even one fits.
    """
    from sow.models.memory import pictures_at_once

    one = _Calls(pipe, model, work, explain)
    branches, canvas = work.settings.branches, work.plan.canvas
    if work.batch_size:  # a picture is repeated as it was made, in a batch of the same size
        room = pictures_at_once(pipe, canvas, branches, work.batch_size)
        if room == work.batch_size:
            wanted = [work.place] if cycles_of else []
            yield one.call([seeds[0]] * work.batch_size, wanted, only=work.place)[0]
            return
        report("note", f"made alone, not as one of {work.batch_size}: expect small changes")
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


class _Calls:
    """Calls of one pipeline for one work."""

    def __init__(self, pipe: SowPipeline, model: Model, work: Work, explain: bool) -> None:
        self.pipe, self.model, self.work, self.explain = pipe, model, work, explain

    def call(
        self, seeds: Sequence[int], cycles_of: Sequence[int], only: int | None = None
    ) -> list[Picture]:
        """The pictures of one call, or only one; with the cycles of those at these places."""
        import torch

        from sow.attention.explain import explain as sheet_of
        from sow.pipeline import trace

        pipe, work = self.pipe, self.work
        started = time.monotonic()
        with trace(pipe) if self.explain else nullcontext() as seen, _threads(work) as threads:
            out = pipe(
                image=[work.condition] * len(seeds),
                plan=work.plan,
                settings=work.settings,
                generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
                return_cycles=cycles_of,
            )
        seconds = (time.monotonic() - started) / len(seeds)
        cycles = dict(zip(cycles_of, out.cycles or (), strict=False))
        flagged = out.nsfw_content_detected or [False] * len(seeds)
        return [
            Picture(
                image=image,
                recipe=self._recipe(seed, len(seeds), place, threads),
                condition=work.condition,
                cycles=tuple(cycles.get(place, ())),
                explained=sheet_of(seen, image, work.plan, work.condition, place) if seen else None,
                flagged=flagged[place],
                seconds=seconds,
            )
            for place, (seed, image) in enumerate(zip(seeds, out.images, strict=True))
            if only is None or place == only
        ]

    def _recipe(self, seed: int, batch_size: int, place: int, threads: int) -> Recipe:
        return Recipe(
            plan=self.work.plan,
            settings=self.work.settings,
            seed=seed,
            model=self.model.name.encode(errors="replace").decode(),  # a folder's may be no text
            revision=self.model.revision,
            device=self.pipe.device.type,
            dtype=str(self.pipe.unet.dtype).removeprefix("torch."),
            picture_sha256=self.work.picture_sha256,
            versions=versions(),
            batch_size=batch_size,
            place=place,
            threads=threads if self.pipe.device.type == "cpu" else 0,
        )


@contextmanager
def _threads(work: Work) -> Iterator[int]:
    """Computes with as many threads as a repeated picture wants; says how many there are.

    Sums are cut into as many parts, which rounds them otherwise. The number belongs to the whole
    process: what others compute at the same time shares it.
    """
    import torch

    before = torch.get_num_threads()
    if work.threads in (0, before):
        yield before
        return
    torch.set_num_threads(work.threads)
    try:
        yield work.threads
    finally:
        torch.set_num_threads(before)
