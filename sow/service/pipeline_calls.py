"""Calls of the pipeline: batches, the recipes of their pictures, and retries with other seeds."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

from sow.diffusion.prompts import branch_prompts, branches_for, outside_of
from sow.pictures.recipe import EmbeddingRecord, LoraRecord, Recipe, versions
from sow.service.batching import BatchLimit, run_in_batches
from sow.service.methods import SOW, Method, MethodOutput, Sow
from sow.service.results import GenerationSpec, Picture
from sow.settings.settings import SHARED, Settings
from sow.utils.limits import MAX_SEED

if TYPE_CHECKING:
    from sow.models.find import Model
    from sow.pipeline.calls import ForwardCounter, Progress
    from sow.pipeline.pipeline import SowPipeline
    from sow.pipeline.prefix_cache import PrefixCache
    from sow.service.lazy_model import Report


def make_pictures(
    pipe: SowPipeline,
    model: Model,
    spec: GenerationSpec,
    seeds: Sequence[int],
    cycles_of: Collection[int],
    explain: bool,
    report: Report,
    prefix_cache: PrefixCache | None = None,
    on_progress: Callable[[Progress], object] | None = None,
) -> Iterator[Picture]:
    """Yield one picture per seed, computing as many per call as memory allows.

    Args:
        cycles_of: indices of the seeds whose cycles are returned too.
        explain: add a sheet of what the words and the condition did to every picture.
        prefix_cache: what seeds share. A reproduced picture only uses it if the original did.
        on_progress: called after every UNet call and every cycle of each call.

    Raises:
        DeviceError: if not even one picture fits into memory.
    """
    from sow.models.memory import max_batch_size

    whole_batch = spec.batch_size > 0 and not spec.begun_alone
    cache = None if whole_batch else prefix_cache
    calls = _PipelineCalls(pipe, model, spec, explain, cache, on_progress)
    branches, canvas = branches_for(spec.plan, spec.settings), spec.plan.canvas
    if spec.batch_size:  # a reproduced picture needs a batch of the original size
        if max_batch_size(pipe, canvas, branches, spec.batch_size) == spec.batch_size:
            places = [spec.place] if cycles_of else []
            yield calls.call([seeds[0]] * spec.batch_size, places, only=spec.place)[0]
            return
        report(
            "note", f"made alone instead of in a batch of {spec.batch_size}: expect small changes"
        )
    limit = BatchLimit(max_batch_size(pipe, canvas, branches, len(seeds)))

    def call(batch: Sequence[tuple[int, int]]) -> list[Picture]:
        places = [place for place, (index, _) in enumerate(batch) if index in cycles_of]
        return calls.call([seed for _, seed in batch], places)

    yield from run_in_batches(list(enumerate(seeds)), limit, call, pipe.device)


@dataclass(frozen=True)
class EngineTask:
    """A picture to make.

    Attributes:
        shares_prefix: the spec has other pictures too, whose first steps are the same.
        text_tokens: the number of tokens of each of its texts, if known.
    """

    spec: GenerationSpec
    seed: int
    shares_prefix: bool = False
    text_tokens: tuple[int, ...] = ()

    @property
    def batch_key(self) -> tuple[object, ...]:
        """What the tasks of one call have in common: canvas, LoRAs, texts, settings, guidance.

        Next to tasks that are guided for longer or by more prompts, a picture would cost more UNet
        samples than it needs; next to longer prompts it would be rounded differently.
        """
        settings = self.spec.settings
        shared = (getattr(settings, name) for name in Settings.names(SHARED))
        outside = outside_of(self.spec.plan, settings)
        guidance = (settings.guided_until, settings.first_guided_until, outside)
        return (
            self.spec.plan.canvas, self.spec.adapters.key, self.text_tokens, self.shares_prefix,
            *guidance, *shared,
        )  # fmt: skip


def text_tokens_of(pipe: SowPipeline, spec: GenerationSpec) -> tuple[int, ...]:
    """Return the number of tokens of each text that guides a spec's pictures."""
    from sow.backbones.prompt_tokens import tokenize_prompt
    from sow.pipeline.adapters import with_adapters

    texts, syntax = branch_prompts(spec.plan, spec.settings), spec.settings.prompt_syntax
    with with_adapters(pipe, replace(spec.adapters, loras=())):
        return tuple(tokenize_prompt(pipe, text, syntax).num_tokens for text in texts)


def make_batch(
    pipe: SowPipeline,
    model: Model,
    tasks: Sequence[EngineTask],
    size: int,
    method: Method = SOW,
    prefix_cache: PrefixCache | None = None,
) -> list[Picture]:
    """Make the pictures of tasks with the same `batch_key` in one call.

    Args:
        size: the batch size. A smaller batch is padded with its last task: sums round differently
            in batches of other sizes, and a picture must not depend on its neighbours.
        method: what draws them.
        prefix_cache: for tasks with `shares_prefix`, if SOW itself draws.
    """
    from sow.pipeline.adapters import with_adapters
    from sow.pipeline.calls import count_forwards

    padded = [*tasks, *[tasks[-1]] * (size - len(tasks))]
    specs, seeds = [task.spec for task in padded], [task.seed for task in padded]
    begun_alone = (
        tasks[0].shares_prefix and prefix_cache is not None and method.engine and not pipe.controls
    )
    started = time.monotonic()
    with (
        with_adapters(pipe, tasks[0].spec.adapters),
        _num_threads(0) as threads,
        count_forwards(method.denoiser(pipe)) as forwards,
    ):
        if begun_alone and isinstance(method, Sow):
            output = method.draw(pipe, specs, seeds, prefix_cache=prefix_cache)
        else:
            output = method.draw(pipe, specs, seeds)
    seconds = (time.monotonic() - started) / len(tasks)
    pictures = _with_recipes(
        pipe, model, padded, output, threads, seconds, forwards, begun_alone, method
    )
    return list(pictures)[: len(tasks)]


class _PipelineCalls:
    """Calls of a pipeline for one spec."""

    def __init__(
        self,
        pipe: SowPipeline,
        model: Model,
        spec: GenerationSpec,
        explain: bool,
        prefix_cache: PrefixCache | None,
        on_progress: Callable[[Progress], object] | None,
    ) -> None:
        from sow.diffusion.prefix import is_deterministic

        self.pipe, self.model, self.spec, self.explain = pipe, model, spec, explain
        self.on_progress = on_progress
        # Cached steps are not traced: if they are all there is, the sheet would be empty.
        untraced = explain and is_deterministic(spec.settings)
        self.prefix_cache = None if pipe.controls or untraced else prefix_cache

    def call(
        self, seeds: Sequence[int], cycles_of: Sequence[int], only: int | None = None
    ) -> list[Picture]:
        """Return the pictures of one call, or the one at index `only`.

        cycles_of: indices of the pictures whose cycles are returned too.
        """
        from sow.attention.explain import explain as explain_sheet
        from sow.attention.explain import word_maps
        from sow.attention.trace import Trace
        from sow.pipeline.adapters import with_adapters
        from sow.pipeline.calls import count_forwards

        pipe, spec = self.pipe, self.spec
        tasks = [EngineTask(spec, seed) for seed in seeds]
        traces = [Trace()] if self.explain else []
        started = time.monotonic()
        with (
            with_adapters(pipe, spec.adapters),
            _num_threads(spec.threads) as threads,
            count_forwards(pipe.denoiser) as forwards,
        ):
            output = SOW.draw(
                pipe, [spec] * len(seeds), seeds, cycles_of, self.prefix_cache, traces,
                self.on_progress,
            )  # fmt: skip
        seconds = (time.monotonic() - started) / len(seeds)
        cycles = dict(zip(cycles_of, output.cycles or (), strict=False))
        begun_alone = self.prefix_cache is not None
        pictures = _with_recipes(
            pipe, self.model, tasks, output, threads, seconds, forwards, begun_alone
        )
        return [
            replace(
                picture,
                cycles=tuple(cycles.get(place, ())),
                explained=explain_sheet(traces[0], picture.image, spec.plan, spec.condition, place)
                if traces
                else None,
                word_maps=word_maps(traces[0], place) if traces else (),
            )
            for place, picture in enumerate(pictures)
            if only is None or place == only
        ]


def _with_recipes(
    pipe: SowPipeline,
    model: Model,
    tasks: Sequence[EngineTask],
    output: MethodOutput,
    threads: int,
    seconds: float,
    forwards: ForwardCounter,
    begun_alone: bool,
    method: Method = SOW,
) -> Iterator[Picture]:
    """Yield the pictures of one call in order, each with its recipe."""
    flagged = output.flagged or [False] * len(tasks)
    for place, (task, image) in enumerate(zip(tasks, output.images, strict=True)):
        spec = task.spec
        recipe = Recipe(
            plan=spec.plan,
            settings=spec.settings,
            seed=task.seed,
            model=model.name.encode(errors="replace").decode(),  # may not be valid Unicode
            revision=model.revision,
            device=pipe.device.type,
            dtype=str(pipe.denoiser.dtype).removeprefix("torch."),
            picture_sha256=spec.picture_sha256,
            versions=versions(),
            batch_size=len(tasks),
            place=place,
            begun_alone=begun_alone and len(tasks) > 1,
            threads=threads if pipe.device.type == "cpu" else 0,
            loras=tuple(
                LoraRecord(name=lora.name, sha256=lora.sha256, weight=lora.weight)
                for lora in spec.adapters.loras
            ),
            embeddings=tuple(
                EmbeddingRecord(name=one.name, sha256=one.sha256, token=one.token)
                for one in spec.adapters.embeddings
            ),
            method="" if method.engine else method.label,
        )
        yield Picture(
            image,
            recipe,
            spec.condition,
            flagged=flagged[place],
            seconds=seconds,
            calls=forwards.calls,
            samples=round(forwards.samples / len(tasks)),
            inputs=spec.inputs,
        )


@contextmanager
def _num_threads(num: int) -> Iterator[int]:
    """Set torch's number of threads for a while, and yield it; 0 leaves it as it is.

    Sums are split into as many parts, which changes how they round. The number is the whole
    process's, so other threads that compute at the same time are affected too.
    """
    import torch

    before = torch.get_num_threads()
    if num in (0, before):
        yield before
        return
    torch.set_num_threads(num)
    try:
        yield num
    finally:
        torch.set_num_threads(before)


def retry_faulty(
    make: Callable[[Sequence[int], Sequence[int]], Iterator[Picture]],
    seeds: Sequence[int],
    retries: int,
) -> Iterator[Picture]:
    """Yield a picture for each seed, or a better one made with another seed.

    Pictures with faults are made again, together, with the seeds after the largest one, until
    there are none. Of each, the picture with the fewest faults is kept, the earliest if several.

    Args:
        make: makes pictures of seeds, for these indices into `seeds`.
        seeds: one for each picture that was asked for.
        retries: the maximum number of rounds; with 0, pictures are yielded as they are made.
    """
    places = range(len(seeds))
    if not (retries and seeds):
        yield from make(seeds, places)
        return
    best, fresh = list(make(seeds, places)), count(max(seeds) + 1)
    for _ in range(retries):
        faulty = [place for place in places if best[place].faults]
        new_seeds = [next(fresh) for _ in faulty]
        if not faulty or new_seeds[-1] > MAX_SEED:
            break
        for place, picture in zip(faulty, make(new_seeds, faulty), strict=True):
            best[place] = min(best[place], picture, key=lambda picture: picture.faults)
    yield from best
