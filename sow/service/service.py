"""`Service`: find the model, plan, run, and hand over pictures with their recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sow.models.devices import choose_device
from sow.models.tuned import default_preset
from sow.pictures.recipe import pixels_sha256
from sow.plan.plan import Plan
from sow.service.arguments import (
    check_request,
    check_retries,
    check_seeds,
    check_service,
    counted_up,
)
from sow.service.budget import USER_BUDGET, Agree, never_agree
from sow.service.face_check import FaceCheck
from sow.service.fitting import Given, chosen, condition_of, given_plan, plan_request
from sow.service.lazy_model import Report
from sow.service.notes import box_notes, model_notes, prompt_notes
from sow.service.pipeline_calls import make
from sow.service.planning import PlannerChoice, PlanningResult, ask_for_plan, preview_request
from sow.service.request import Request, ResolvedRequest
from sow.service.results import GenerationSpec, Picture, Result
from sow.service.retrying import retry_faulty
from sow.service.saved_picture import SavedPicture
from sow.service.scene_reading import Seer
from sow.service.verification import checks
from sow.settings.inputs import check_prompt
from sow.settings.settings import Settings
from sow.utils.type_checks import check_type


class Service(Seer):
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
        agree: Agree = never_agree,
    ) -> None:
        check_service(model, device, dtype, planner, report=report, agree=agree)
        super().__init__(model, revision, config, device, dtype, report, download)
        self._planner, self._agree = planner or PlannerChoice(), agree

    def plan(self, request: Request) -> PlanningResult:
        """The plan for a request: read, or made; on the model's grid.

        Raises:
            SowError: if there is none.
        """
        return self._planned(self._read(request))

    def preview_request(self, request: Request) -> dict[str, Any]:
        """What a vendor would be sent for this plan, as data; nothing is sent."""
        asked = self._read(request)
        return preview_request(
            plan_request(asked, self.model.checkpoint_spec), self._planner, self.model
        )

    def resolve(
        self,
        request: Request,
        *,
        preset: str | None = None,
        settings: Given = None,
        likeness: float | None = None,
    ) -> GenerationSpec:
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
            USER_BUDGET.check_canvas(asked.canvas, self._agree)
        # What is no setting is refused before any download.
        chosen(Settings.preset(preset or "normal"), settings, likeness)
        self._read_ahead()
        planned = self._planned(asked, meanwhile=self._load_ahead)
        plan, model = planned.plan, self.model
        base, tuned = self._preset(preset, plan)
        decided = chosen(base, settings, likeness)
        USER_BUDGET.check(plan, decided, 1, self._agree)
        condition = condition_of(asked, plan)
        notes = self._told(
            [*plan.notes, *tuned, *model_notes(model, asked.image or condition.picture)]
        )
        return GenerationSpec(
            condition=condition,
            plan=plan,
            settings=decided,
            name=asked.name,
            user_prompt=asked.prompt,
            picture_sha256=pixels_sha256(asked.image or condition.picture),
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
    ) -> tuple[Service, GenerationSpec, int]:
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
        kept = SavedPicture.read(path, options.get("agree", never_agree))
        service = cls(**kept.options(model, revision, dtype), **options)
        spec = kept.again(service.model, choose_device(service._device))
        return service, service._told_of(spec), kept.recipe.seed

    @classmethod
    def like(
        cls,
        path: str | Path,
        *,
        prompt: str | None = None,
        preset: str | None = None,
        settings: Given = None,
        likeness: float | None = None,
        model: str = "auto",
        revision: str | None = None,
        dtype: str = "auto",
        **options: Any,
    ) -> tuple[Service, GenerationSpec]:
        """The service and the work for more pictures of a recipe's composition.

        Plan, planted pixels and settings are the recipe's; other seeds are given to `make`.

        Args:
            path: a PNG written by this project.
            prompt: another one.
            preset, settings, likeness: as for `resolve`; settings are changes of the recipe's.
            model, revision, dtype, options: as for `of_recipe`.

        Raises:
            SowError: as for `of_recipe`, and for changes that make no sense.
        """
        if prompt is not None:
            check_prompt(prompt)
        kept = SavedPicture.read(path, options.get("agree", never_agree))
        # What is no setting is refused before any download.
        base = kept.recipe.settings if preset is None else Settings.preset(preset)
        chosen(base, settings, likeness)
        service = cls(**kept.options(model, revision, dtype), **options)
        spec = kept.like(service.model, prompt, preset, settings, likeness)
        USER_BUDGET.check(spec.plan, spec.settings, 1, service._agree)
        return service, service._told_of(spec)

    def make(
        self,
        spec: GenerationSpec,
        seeds: Sequence[int],
        *,
        cycles_of: Iterable[int] = (),
        explain: bool = False,
        verify: bool = False,
        retries: int = 0,
    ) -> Iterator[Picture]:
        """Makes one picture per seed; those of one call come together.

        Args:
            spec: what is to be made.
            seeds: of the pictures.
            cycles_of: the numbers of those, from 0, whose cycles are wanted too.
            explain: also a sheet of what their words and the condition did.
            verify: also look whether the relations of the plan hold: `Picture.checks`.
            retries: verify, and try so many other seeds, those that follow, for a picture in which
                they do not, or in which the face is lost; the best is kept.

        Raises:
            DeviceError: if not even one picture fits into the device's memory.
        """
        check_type("spec", spec, (GenerationSpec,), "what `resolve` or `like` returned")
        check_type("seeds", seeds, (Sequence,), "a list of whole numbers")
        check_retries(retries)
        count = len(seeds) * max(1, spec.batch_size) * (1 + retries)
        USER_BUDGET.check(spec.plan, spec.settings, count, self._agree)
        check_seeds(seeds)
        looker, wanted = FaceCheck(spec), set(cycles_of)

        def looked_at(seeds: Sequence[int], places: Sequence[int]) -> Iterator[Picture]:
            shown = [number for number, place in enumerate(places) if place in wanted]
            made = make(self.pipe, self.model, spec, seeds, shown, explain, self._report,
                        self.prefix_cache)  # fmt: skip
            for picture in made:
                seen = checks(self.pipe, spec.plan, picture.image) if verify or retries else ()
                yield replace(picture, gone=looker.gone(picture), checks=seen)

        yield from retry_faulty(looked_at, seeds, retries)

    def unread(self, spec: GenerationSpec) -> list[str]:
        """What of the prompt says nothing to the model, as notes."""
        return self._told(prompt_notes(self.pipe, spec.plan.prompt))

    def generate(
        self,
        request: Request,
        *,
        seed: int | None = None,
        num: int = 1,
        preset: str | None = None,
        settings: Given = None,
        likeness: float | None = None,
        cycles: bool = False,
        explain: bool = False,
        verify: bool = False,
        retries: int = 0,
    ) -> Result:
        """The pictures of a request, their seeds counting up from `seed`; see `resolve` and `make`.

        Raises:
            SowError: with one line that says what is wrong with the request.
        """
        seeds, which = counted_up(seed, num), range(num if cycles else 0)
        spec = self.resolve(request, preset=preset, settings=settings, likeness=likeness)
        notes = (*spec.notes, *self.unread(spec))
        pictures = self.make(
            spec, seeds, cycles_of=which, explain=explain, verify=verify, retries=retries
        )
        made = tuple(pictures)
        picture_notes = self._told(note for picture in made for note in picture.notes)
        return Result(made, spec.plan, (*notes, *picture_notes))

    def _read(self, request: Request) -> ResolvedRequest:
        check_request(request)
        request.check()
        self._planner.check()
        return request.read()

    def _planned(
        self, asked: ResolvedRequest, meanwhile: Callable[[], None] = lambda: None
    ) -> PlanningResult:
        checkpoint, notes = self.model.checkpoint_spec, [*asked.notes]
        if asked.plan is not None:
            planned = PlanningResult(given_plan(asked.plan, asked, checkpoint, notes.append))
        else:
            request = plan_request(asked, checkpoint)
            planned = ask_for_plan(request, self._planner, self.model, meanwhile)
        plan = planned.plan.aligned(checkpoint.stride)
        notes += [
            *box_notes(asked, plan, checkpoint.stride),
            *checkpoint.canvas_notes(plan.canvas),
        ]
        self._told(notes)
        if planned.origin:
            self._report("planner", planned.origin)
            notes.append(f"planner: {planned.origin}")
        return PlanningResult(plan, planned.cache, planned.origin, tuple(notes))

    def _preset(self, name: str | None, plan: Plan) -> tuple[Settings, list[str]]:
        """The preset named, or what runs by default, and a note if `sow tune` chose that."""
        if name is not None:
            return self.model.checkpoint_spec.preset(name), []
        settings, tuned = default_preset(self.model, plan.preset)
        if tuned is None:
            return settings, []
        return settings, [
            f"runs as `sow tune` chose for this checkpoint: {tuned.candidate} "
            f"({tuned.pairs} pairs, {tuned.date}); --preset {plan.preset} runs its own"
        ]

    def _told_of(self, spec: GenerationSpec) -> GenerationSpec:
        """Work with what its model has to say too, and all of it reported."""
        return replace(spec, notes=(*self.model.notes, *self._told(spec.notes)))
