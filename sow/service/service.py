"""`Service`: find the model, plan, run, and hand over pictures with their recipes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.errors import DeviceError
from sow.models.devices import choose_device, choose_dtype, out_of_memory
from sow.models.find import Model, find_model
from sow.recipe import pixels_sha256, read_recipe
from sow.service.asking import Planned, PlannerChoice, ask_for_plan, would_be_sent
from sow.service.calling import one_call
from sow.service.fitting import given_plan, plan_request
from sow.service.repeating import differences, half, model_of
from sow.service.request import Asked, Request
from sow.service.results import Picture, Result, Work
from sow.settings import Settings

if TYPE_CHECKING:
    from sow.pipeline import SowPipeline

Report = Callable[[str, str], None]
"""Takes what a person should be told: of what kind (`note`, `model`, `planner`), and the line."""

FIGURES_NOTE = (
    "`figures` is a small drawn world: a photograph planted in it looks odd; "
    "for photographs take model=sd2.1"
)


class Service:
    """Pictures on request, by one model on one device.

    The model is found when it is first asked for, and loaded when the first picture is made.

    Args:
        model: as for `sow.models.find_model`.
        revision: a branch, tag or commit on the hub.
        config: for a single `.safetensors` file, a folder or hub id with its configuration.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        planner: who makes plans.
        report: is told what a person should know.
        download: False never asks the network for the model.
    """

    def __init__(
        self,
        model: str = "auto",
        *,
        revision: str | None = None,
        config: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        planner: PlannerChoice | None = None,
        report: Report = lambda kind, line: None,
        download: bool = True,
    ) -> None:
        self._model_name, self._revision, self._config = model, revision, config
        self._device, self._dtype = device, dtype
        self._planner = planner or PlannerChoice()
        self._report, self._download = report, download

    @cached_property
    def model(self) -> Model:
        """Where the weights are.

        Raises:
            ModelError: if they cannot be found or may not be trusted.
        """
        in_half = choose_dtype(self._dtype, choose_device(self._device)).itemsize == 2
        return self._find(self._model_name, self._revision, in_half)

    @cached_property
    def pipe(self) -> SowPipeline:
        """The model, loaded and on its device.

        Raises:
            ModelError, DeviceError: if it cannot be.
        """
        from sow.models.load import load_pipeline

        pipe = load_pipeline(
            self.model, device=self._device, dtype=self._dtype, config=self._config
        )
        self._report("model", f"{self.model.name} ({self.model.revision}) on {pipe.device}")
        return pipe

    def plan(self, request: Request) -> Planned:
        """The plan for a request: read, or made; on the model's grid.

        Raises:
            SowError: if there is none.
        """
        return self._planned(self._read(request))

    def would_be_sent(self, request: Request) -> dict[str, Any]:
        """What a vendor would be sent for this plan, as data; nothing is sent."""
        asked = self._read(request)
        return would_be_sent(plan_request(asked, self.model.facts), self._planner, self.model)

    def work(
        self,
        request: Request,
        *,
        preset: str | None = None,
        settings: Mapping[str, Any] | Iterable[str] | Settings | None = None,
    ) -> Work:
        """What a request leads to, decided to the last.

        Args:
            request: what is wanted.
            preset: None takes that of the plan's setting.
            settings: changes of the preset, as names and values or as texts such as `cycles=5`;
                or all settings.

        Raises:
            SowError: with one line that says what is wrong with the request.
        """
        from sow.pictures.condition import Condition

        asked = self._read(request)
        if not isinstance(settings, Settings):  # a bad setting should not wait for a download
            _changed(Settings.preset(preset or "normal"), settings)
        planned = self._planned(asked)
        plan = planned.plan
        chosen = (
            settings
            if isinstance(settings, Settings)
            else _changed(self.model.facts.preset(preset or plan.setting), settings)
        )
        figures = (FIGURES_NOTE,) if self.model.name == "figures" else ()
        return Work(
            condition=Condition.prepare(asked.image, plan, asked.mask),
            plan=plan,
            settings=chosen,
            name=asked.name,
            picture_sha256=pixels_sha256(asked.image),
            notes=(*plan.notes, *figures),
            cache=planned.cache,
        )

    def repeat(self, path: Path) -> tuple[Work, int]:
        """The work that a picture's recipe describes, and its seed; the recipe names the model.

        A stranger's picture does not choose what is downloaded or read: only what `auto` can mean
        is taken from a recipe.

        Raises:
            PictureError: if there is no recipe in it.
            ModelError: if its model is not to be had, or may not be taken from a recipe.
        """
        recipe, condition = read_recipe(path)
        if self._model_name == "auto":
            found = model_of(recipe, self._find)
        else:
            found = self._find(self._model_name, self._revision, half(recipe))
        self.__dict__["model"] = found
        if self._dtype == "auto":
            self._dtype = recipe.dtype
        return Work(
            condition=condition,
            plan=recipe.plan,
            settings=recipe.settings,
            name=f"{path.stem}-again",
            picture_sha256=recipe.picture_sha256,
            batch_size=recipe.batch_size,
            place=recipe.place,
            notes=tuple(differences(recipe, found, choose_device(self._device))),
        ), recipe.seed

    def make(
        self, work: Work, seeds: Sequence[int], *, cycles: bool = False, explain: bool = False
    ) -> Iterator[Picture]:
        """Makes one picture per seed; those of one call come together.

        Args:
            work: what is to be made.
            seeds: of the pictures.
            cycles: also what they looked like after each cycle.
            explain: also a sheet of what their words and the condition did.

        Raises:
            DeviceError: if not even one picture fits into the device's memory.
        """
        from sow.models.memory import pictures_at_once

        if work.batch_size:  # a picture is repeated as it was made, in a batch of the same size
            repeated = [seeds[0]] * work.batch_size
            yield one_call(self.pipe, self.model, work, repeated, cycles, explain)[work.place]
            return
        left = list(seeds)
        most = pictures_at_once(self.pipe, work.plan.canvas, work.settings.branches, len(left))
        while left:
            some = left[:most]
            try:
                made = one_call(self.pipe, self.model, work, some, cycles, explain)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if len(some) == 1:
                    raise DeviceError(
                        f"{self.pipe.device} has too little memory for this picture",
                        "try dtype=float16, a smaller canvas= or device=cpu",
                    ) from None
                most = len(some) // 2
                continue
            left = left[len(some) :]
            yield from made

    def unread(self, work: Work) -> list[str]:
        """What of the prompt says nothing to the model, as notes."""
        prompt, notes = work.plan.prompt, []
        lost = self.pipe.tokens_lost(prompt)
        if lost:
            notes.append(
                f"the model does not read the last {lost} tokens of the prompt: shorten it"
            )
        unknown = self.pipe.unknown_words(prompt)
        if unknown:
            notes.append(f"the model does not know: {', '.join(unknown)}")
        return notes

    def generate(
        self,
        request: Request,
        *,
        seed: int | None = None,
        num: int = 1,
        preset: str | None = None,
        settings: Mapping[str, Any] | Settings | None = None,
        cycles: bool = False,
        explain: bool = False,
    ) -> Result:
        """The pictures of a request, their seeds counting up from `seed`."""
        work = self.work(request, preset=preset, settings=settings)
        first = secrets.randbelow(2**31) if seed is None else seed
        seeds = range(first, first + num)
        made = tuple(self.make(work, seeds, cycles=cycles, explain=explain))
        return Result(made, work.plan, (*work.notes, *self.unread(work)))

    def _read(self, request: Request) -> Asked:
        request.check()
        self._planner.check()
        return request.read()

    def _planned(self, asked: Asked) -> Planned:
        facts, note = self.model.facts, lambda line: self._report("note", line)
        if asked.plan is not None:
            planned = Planned(given_plan(asked.plan, asked, facts, note))
            plan_request(asked, facts)  # a canvas that was asked for must fit
        else:
            planned = ask_for_plan(plan_request(asked, facts), self._planner, self.model)
        if planned.origin:
            self._report("planner", planned.origin)
        plan = planned.plan.aligned(facts.stride)
        return Planned(plan, planned.cache, planned.origin)

    def _find(self, name: str, revision: str | None, in_half: bool) -> Model:
        model = find_model(name, revision=revision, half=in_half, download=self._download)
        for note in model.notes:
            self._report("note", note)
        return model


def _changed(preset: Settings, changes: Mapping[str, Any] | Iterable[str] | None) -> Settings:
    if changes is None or isinstance(changes, Mapping):
        return preset.changed(**(changes or {}))
    return preset.with_assignments(changes)
