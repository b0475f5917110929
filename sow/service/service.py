"""`Service`: find the model, plan, run, and hand over pictures with their recipes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from sow.kinds import as_path
from sow.models.devices import check_names, choose_device, choose_dtype
from sow.models.find import Model, find_model
from sow.pictures.condition import Condition
from sow.recipe import pixels_sha256, read_recipe
from sow.service.arguments import check_request, check_seeds, check_service, counted_up
from sow.service.asking import Planned, PlannerChoice, ask_for_plan, would_be_sent
from sow.service.budget import OWN, STRANGERS, Agree, nobody_agrees
from sow.service.calling import make
from sow.service.fitting import chosen, given_plan, plan_request
from sow.service.looking import Looker
from sow.service.remarks import remarks_on, unread_of
from sow.service.repeating import differences, model_named_by, threads_of
from sow.service.request import Asked, Request
from sow.service.results import Picture, Result, Work
from sow.settings import Settings

if TYPE_CHECKING:
    from sow.pipeline import SowPipeline

Report = Callable[[str, str], None]
"""Takes what a person should be told: of what kind (`note`, `model`, `planner`), and the line."""


class Service:
    """Pictures on request, by one model on one device; may be shared by threads.

    The model is found when it is first asked for, and loaded when the first picture is made.

    Args:
        model: as for `sow.models.find_model`.
        revision: a branch, tag or commit on the hub.
        config: for a single `.safetensors` file, a folder or hub id with its configuration.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        planner: who makes plans.
        report: is told what a person should know, as it happens.
        download: False never asks the network for the model.
        agree: asked before anything that costs far more than usual; see `sow.service.budget`.

    Raises:
        DeviceError: for a device or a precision that nobody has.
    """

    def __init__(
        self,
        model: str | Path = "auto",
        *,
        revision: str | None = None,
        config: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        planner: PlannerChoice | None = None,
        report: Report = lambda kind, line: None,
        download: bool = True,
        agree: Agree = nobody_agrees,
    ) -> None:
        check_service(model, device, dtype, planner)
        check_names(device, dtype)
        self._model_name, self._revision, self._config = str(model), revision, config
        self._device, self._dtype = device, dtype
        self._planner = planner or PlannerChoice()
        self._report, self._download, self._agree = report, download, agree
        self._finding = RLock()
        self._model: Model | None = None
        self._pipe: SowPipeline | None = None

    @property
    def model(self) -> Model:
        """Where the weights are.

        Raises:
            ModelError: if they cannot be found or may not be trusted.
        """
        with self._finding:
            if self._model is None:
                self._model = find_model(self._model_name, revision=self._revision,
                                         half=self._in_half, download=self._download)  # fmt: skip
                for note in self._model.notes:
                    self._report("note", note)
            return self._model

    def _in_half(self) -> bool:
        return choose_dtype(self._dtype, choose_device(self._device)).itemsize == 2

    @property
    def pipe(self) -> SowPipeline:
        """The model, loaded and on its device.

        Raises:
            ModelError, DeviceError: if it cannot be.
        """
        from sow.models.load import load_pipeline

        with self._finding:
            if self._pipe is None:
                model = self.model
                self._pipe = load_pipeline(
                    model, device=self._device, dtype=self._dtype, config=self._config
                )
                self._report("model", f"{model.name} ({model.revision}) on {self._pipe.device}")
            return self._pipe

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
        settings: Mapping[str, Any] | Collection[str] | Settings | None = None,
        likeness: float | None = None,
    ) -> Work:
        """What a request leads to, decided to the last.

        Args:
            request: what is wanted.
            preset: None takes that of the plan's setting.
            settings: changes of it, as names and values or as texts (`cycles=5`); or all settings.
            likeness: how much of the condition stays, 0 to 1; None leaves it to the preset.

        Raises:
            SowError: with one line that says what is wrong with the request.
        """
        asked = self._read(request)
        if asked.canvas is not None:
            OWN.check_canvas(asked.canvas, self._agree)
        # What is no setting is refused before any download.
        chosen(Settings.preset(preset or "normal"), settings, likeness)
        planned = self._planned(asked)
        plan, model = planned.plan, self.model
        decided = chosen(model.facts.preset(preset or plan.setting), settings, likeness)
        OWN.check(plan, decided, 1, self._agree)
        notes = [*plan.notes, *remarks_on(model, asked.image)]
        for note in notes:
            self._report("note", note)
        return Work(
            condition=Condition.prepare(asked.image, plan, asked.mask),
            plan=plan,
            settings=decided,
            name=asked.name,
            words=asked.prompt,
            picture_sha256=pixels_sha256(asked.image),
            notes=(*model.notes, *planned.notes, *notes),
            cache=planned.cache,
        )

    @classmethod
    def of_recipe(
        cls,
        path: str | Path,
        *,
        model: str = "auto",
        revision: str | None = None,
        dtype: str = "auto",
        **options: Any,
    ) -> tuple[Service, Work, int]:
        """The service that makes a picture again, the work that its recipe describes, its seed.

        A stranger's picture does not choose what is downloaded or read: only what `auto` can mean
        is taken from a recipe.

        Args:
            path: a PNG written by this project.
            model: `auto` takes the recipe's, if it may.
            revision: of another model.
            dtype: `auto` takes the recipe's.
            options: others of `Service`.

        Raises:
            PictureError: if there is no recipe in it.
            UsageError: if it asks for more than a stranger may, and nobody agrees.
            ModelError: if its model is not to be had, or may not be taken from a recipe.
        """
        path = as_path("path", path)
        recipe, condition = read_recipe(path)
        agree = options.get("agree", nobody_agrees)
        STRANGERS.check(recipe.plan, recipe.settings, recipe.batch_size, agree)
        if model == "auto":
            model, revision = model_named_by(recipe)
        service = cls(model, revision=revision,
                      dtype=recipe.dtype if dtype == "auto" else dtype, **options)  # fmt: skip
        device = choose_device(service._device)
        notes = tuple(differences(recipe, service.model, device))
        for note in notes:
            service._report("note", note)
        return (
            service,
            Work(
                condition=condition,
                plan=recipe.plan,
                settings=recipe.settings,
                name=f"{path.stem}-again",
                picture_sha256=recipe.picture_sha256,
                batch_size=recipe.batch_size,
                place=recipe.place,
                threads=threads_of(recipe, device),
                notes=(*service.model.notes, *notes),
            ),
            recipe.seed,
        )

    def make(
        self,
        work: Work,
        seeds: Sequence[int],
        *,
        cycles_of: Iterable[int] = (),
        explain: bool = False,
    ) -> Iterator[Picture]:
        """Makes one picture per seed; those of one call come together.

        Args:
            work: what is to be made.
            seeds: of the pictures.
            cycles_of: the numbers of those, from 0, whose cycles are wanted too.
            explain: also a sheet of what their words and the condition did.

        Raises:
            DeviceError: if not even one picture fits into the device's memory.
        """
        OWN.check(work.plan, work.settings, len(seeds) * max(1, work.batch_size), self._agree)
        check_seeds(seeds)
        made = make(self.pipe, self.model, work, seeds, set(cycles_of), explain, self._report)
        looker = Looker(work)
        yield from (replace(picture, gone=looker.gone(picture)) for picture in made)

    def unread(self, work: Work) -> list[str]:
        """What of the prompt says nothing to the model, as notes."""
        notes = list(unread_of(self.pipe, work.plan.prompt))
        for note in notes:
            self._report("note", note)
        return notes

    def generate(
        self,
        request: Request,
        *,
        seed: int | None = None,
        num: int = 1,
        preset: str | None = None,
        settings: Mapping[str, Any] | Settings | None = None,
        likeness: float | None = None,
        cycles: bool = False,
        explain: bool = False,
    ) -> Result:
        """The pictures of a request, their seeds counting up from `seed`.

        Raises:
            SowError: with one line that says what is wrong with the request.
        """
        seeds, which = counted_up(seed, num), range(num if cycles else 0)
        work = self.work(request, preset=preset, settings=settings, likeness=likeness)
        notes = (*work.notes, *self.unread(work))
        made = tuple(self.make(work, seeds, cycles_of=which, explain=explain))
        remarks = tuple(remark for picture in made for remark in picture.remarks)
        for remark in remarks:
            self._report("note", remark)
        return Result(made, work.plan, (*notes, *remarks))

    def _read(self, request: Request) -> Asked:
        check_request(request)
        request.check()
        self._planner.check()
        return request.read()

    def _planned(self, asked: Asked) -> Planned:
        facts, notes = self.model.facts, [*asked.notes]
        if asked.plan is not None:
            planned = Planned(given_plan(asked.plan, asked, facts, notes.append))
        else:
            planned = ask_for_plan(plan_request(asked, facts), self._planner, self.model)
        for note in notes:
            self._report("note", note)
        if planned.origin:
            self._report("planner", planned.origin)
            notes.append(f"planner: {planned.origin}")
        plan = planned.plan.aligned(facts.stride)
        return Planned(plan, planned.cache, planned.origin, tuple(notes))
