"""`Service`: from requests to pictures with their recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sow.checkpoints.adapters import NO_ADAPTERS, Adapters, check_family
from sow.errors import UsageError
from sow.models.find import Model
from sow.models.tuned import default_preset
from sow.pictures.inputs import as_picture_with_notes
from sow.pictures.recipe import pixels_sha256
from sow.plan.plan import Plan
from sow.service.arguments import (
    check_flag,
    check_request,
    check_retries,
    check_seeds,
    check_service,
    consecutive_seeds,
)
from sow.service.budget import USER_BUDGET, Agree, never_agree
from sow.service.face_check import FaceCheck
from sow.service.fitting import (
    SettingsChanges,
    adapt_plan,
    condition_of,
    fit_request,
    plan_request,
    resolve_settings,
)
from sow.service.known_words import with_negative
from sow.service.lazy_model import LazyModel, Report, report_notes
from sow.service.notes import adapter_notes, box_notes, guidance_notes, model_notes, prompt_notes
from sow.service.pipeline_calls import make_pictures, retry_faulty
from sow.service.planning import PlannerChoice, PlanningResult, ask_for_plan, preview_request
from sow.service.presence import measured_presence
from sow.service.request import Request
from sow.service.resolved import ResolvedRequest, read_request
from sow.service.results import GenerationSpec, Picture, Result
from sow.service.saved_picture import Files, SavedPicture
from sow.service.scene_reading import DetectedGraph, parse_labels, read_graph
from sow.service.verification import check_relations
from sow.service.wording_notes import wording_notes
from sow.settings.inputs import check_negative, check_prompt
from sow.settings.settings import Settings
from sow.utils.type_checks import check_type

if TYPE_CHECKING:
    from sow.pictures.inputs import PictureLike
    from sow.pipeline.calls import Progress
    from sow.pipeline.pipeline import SowPipeline
    from sow.pipeline.prefix_cache import PrefixCache


class Service:
    """Makes pictures with one model on one device; threads may share it.

    The model is found when it is first needed, and loaded for the first picture.

    Args:
        model: see `sow.models.find.find_model`.
        revision: a branch, tag or commit on the hub.
        config: for a single `.safetensors` file, a bundled configuration (`sd1`, `sd1-v`,
            `sd2-base`, `sd2-v`), a folder or a hub id; by default it is recognised.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        dtype: `auto`, `float32`, `float16` or `bfloat16`.
        planner: what makes plans.
        report: called with messages for the user as they arise.
        download: with False, the model is never downloaded.
        agree: asked before anything that costs far more than usual; see `sow.service.budget`.

    Raises:
        UsageError: for an argument of another type.
        DeviceError: for an unknown device or precision.
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
        self._lazy_model = LazyModel(str(model), revision, config, device, dtype, report, download)
        self._planner, self._report, self._agree = planner or PlannerChoice(), report, agree

    @property
    def model(self) -> Model:
        """The model's name, files and specification.

        Raises:
            ModelError: if it cannot be found or may not be trusted.
        """
        return self._lazy_model.model

    @property
    def pipe(self) -> SowPipeline:
        """The pipeline, on its device.

        Raises:
            ModelError, DeviceError: if it cannot be loaded.
        """
        return self._lazy_model.pipe

    def start_loading(self) -> None:
        """Load the model in the background, so that the first picture does not wait for it.

        What is wrong with it is said where it is needed.
        """
        self._lazy_model.start_loading()

    def with_planner(self, planner: PlannerChoice, report: Report | None = None) -> Service:
        """Return a service with the same model, which is loaded once, and another planner.

        report: what it calls with messages for the user, instead of this one's.
        """
        check_type("planner", planner, (PlannerChoice,), "a sow.PlannerChoice")
        other = copy(self)
        other._planner, other._report = planner, report or self._report
        return other

    @property
    def prefix_cache(self) -> PrefixCache:
        """What further seeds of the latest pictures share with them."""
        return self._lazy_model.prefix_cache

    def plan(self, request: Request) -> PlanningResult:
        """Return the plan of a request, read or made, on the model's grid.

        Raises:
            SowError: if there is none.
        """
        return self._make_plan(self._read(request))

    def preview_request(self, request: Request) -> dict[str, Any]:
        """Return exactly what a vendor would be sent, as JSON data; nothing is sent.

        Raises:
            UsageError: if no vendor would be asked.
        """
        resolved = self._read(request)
        model = self._model_of(resolved)
        checkpoint = model.checkpoint_spec
        resolved = fit_request(resolved, checkpoint, lambda note: None)
        return preview_request(plan_request(resolved, checkpoint), self._planner, model)

    def resolve(self, request: Request) -> GenerationSpec:
        """Plan a request, and decide everything that its pictures depend on but their seeds.

        Raises:
            SowError: with one line that says what is wrong with the request.
        """
        resolved = self._read(request)
        if isinstance(resolved.canvas, tuple):
            USER_BUDGET.check_canvas(resolved.canvas, self._agree)
        # Settings that do not exist are refused before any download.
        preset = Settings.preset(resolved.preset or "normal")
        resolve_settings(preset, resolved.settings, resolved.likeness)
        self._lazy_model.start_reading()
        self._model_of(resolved)
        planned = self._make_plan(resolved, before_vendor_call=self._lazy_model.start_loading)
        plan, model = planned.plan, self.model
        base, tuning_notes = self._find_preset(resolved.preset, plan)
        final_settings = resolve_settings(base, resolved.settings, resolved.likeness)
        USER_BUDGET.check(plan, final_settings, 1, self._agree)
        condition = condition_of(resolved, plan)
        picture = resolved.image or condition.picture
        notes = self._report_notes([
            *plan.notes,
            *tuning_notes,
            *model_notes(model, picture),
            *guidance_notes(resolved, plan, final_settings),
            *adapter_notes(resolved.adapters, plan, final_settings),
        ])  # fmt: skip
        return GenerationSpec(
            condition=condition,
            plan=plan,
            settings=final_settings,
            name=resolved.name,
            user_prompt=resolved.prompt,
            picture_sha256=pixels_sha256(picture),
            notes=(*model.notes, *planned.notes, *notes),
            cache=planned.cache,
            adapters=resolved.adapters,
            inputs=request.input_paths,
        )

    @classmethod
    def of_recipe(
        cls,
        path: str | Path,
        *,
        model: str = "auto",
        revision: str | None = None,
        dtype: str = "auto",
        lora: Files = None,
        embedding: Files = None,
        **options: Any,
    ) -> tuple[Service, GenerationSpec, int]:
        """Return what reproduces a picture from its recipe: a service, a spec and the seed.

        The picture may come from anybody, so it does not choose what is downloaded or read: only
        models that `auto` can mean are taken from a recipe.

        Args:
            path: a PNG written by this project.
            model: `auto` takes the recipe's, if allowed.
            revision: of `model`, if that is given.
            dtype: `auto` takes the recipe's.
            lora, embedding: where the recipe's files are now; those beside the picture or in the
                current folder are found by name and hash.
            options: other arguments of `Service`.

        Raises:
            PictureError: if it has no recipe.
            UsageError: if it exceeds the budget of untrusted input, and the user does not agree.
            ModelError: if its model, LoRAs or embeddings are not available, or its model may not
                be taken from a recipe.
        """
        saved = SavedPicture.read(path, options.get("agree", never_agree))
        adapters = saved.find_adapters(lora, embedding)
        service = cls(**saved.service_options(model, revision, dtype), **options)
        spec = service.reproduce(saved, adapters)
        return service, replace(spec, inputs=(Path(path).absolute(),)), saved.recipe.seed

    @classmethod
    def like(
        cls,
        path: str | Path,
        *,
        prompt: str | None = None,
        negative: str | None = None,
        preset: str | None = None,
        settings: SettingsChanges = None,
        likeness: float | None = None,
        model: str = "auto",
        revision: str | None = None,
        dtype: str = "auto",
        lora: Files = None,
        embedding: Files = None,
        **options: Any,
    ) -> tuple[Service, GenerationSpec]:
        """Return a service and a spec for more pictures with a recipe's composition.

        Plan, planted pixels and settings are the recipe's. Pass other seeds to `make`.

        Args:
            path: a PNG written by this project.
            prompt, negative: replace the recipe's.
            preset, settings, likeness: as for `Request`; settings are changes to the recipe's.
            model, revision, dtype, options: as for `of_recipe`.
            lora, embedding: replace the recipe's.

        Raises:
            SowError: as for `of_recipe`, and for invalid changes.
        """
        if prompt is not None:
            check_prompt(prompt)
        check_negative(negative)
        saved = SavedPicture.read(path, options.get("agree", never_agree))
        # Settings that do not exist are refused before any download.
        base = saved.recipe.settings if preset is None else Settings.preset(preset)
        resolve_settings(base, settings, likeness)
        adapters = saved.replace_adapters(lora, embedding)
        service = cls(**saved.service_options(model, revision, dtype), **options)
        spec = service.vary(
            saved, adapters, prompt=prompt, negative=negative, preset=preset, settings=settings,
            likeness=likeness,
        )  # fmt: skip
        return service, replace(spec, inputs=(Path(path).absolute(),))

    def reproduce(self, saved: SavedPicture, adapters: Adapters = NO_ADAPTERS) -> GenerationSpec:
        """Return the spec that reproduces a picture with its own seed, if the model is the same.

        Raises:
            ModelError: if the adapters are for another family of models.
        """
        check_family(adapters, self.model.base, self.model.name)
        spec = saved.spec_to_reproduce(self.model, self._lazy_model.device)
        return self._report_spec(replace(spec, adapters=adapters))

    def vary(
        self,
        saved: SavedPicture,
        adapters: Adapters = NO_ADAPTERS,
        *,
        prompt: str | None = None,
        negative: str | None = None,
        preset: str | None = None,
        settings: SettingsChanges = None,
        likeness: float | None = None,
    ) -> GenerationSpec:
        """Return a spec for more pictures with a picture's composition, as `like` does.

        Raises:
            SowError: for invalid changes.
        """
        check_family(adapters, self.model.base, self.model.name)
        known = self.model.with_words(adapters.words)
        spec = saved.spec_to_vary(known, prompt, negative, preset, settings, likeness)
        unused = adapter_notes(adapters, spec.plan, spec.settings)
        USER_BUDGET.check(spec.plan, spec.settings, 1, self._agree)
        return self._report_spec(replace(spec, adapters=adapters, notes=(*spec.notes, *unused)))

    def make(
        self,
        spec: GenerationSpec,
        seeds: Sequence[int],
        *,
        cycles_of: Iterable[int] = (),
        explain: bool = False,
        verify: bool = False,
        retries: int = 0,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> Iterator[Picture]:
        """Make one picture per seed; those of one UNet call are yielded together.

        Args:
            spec: what to make.
            seeds: one per picture.
            cycles_of: indices of the pictures, from 0, whose cycles are returned too.
            explain: add a sheet of what the words and the condition did to every picture.
            verify: check whether the relations of the plan hold: `Picture.checks`.
            retries: verify, and try up to this many other seeds for a picture in which a relation
                does not hold or the face is lost; the best picture is kept.
            on_progress: called after every UNet call and every cycle of each call of the pipeline;
                an exception that it raises ends the work.

        Raises:
            DeviceError: if not even one picture fits into the device's memory.
        """
        check_type("spec", spec, (GenerationSpec,), "what `resolve` or `like` returned")
        check_type("seeds", seeds, (Sequence,), "a list of whole numbers")
        check_retries(retries)
        count = len(seeds) * max(1, spec.batch_size) * (1 + retries)
        USER_BUDGET.check(spec.plan, spec.settings, count, self._agree)
        check_seeds(seeds)
        from sow.pipeline.adapters import with_adapters

        face_check, with_cycles = FaceCheck(spec.condition, spec.plan), set(cycles_of)

        def make_checked(seeds: Sequence[int], places: Sequence[int]) -> Iterator[Picture]:
            shown = [index for index, place in enumerate(places) if place in with_cycles]
            pictures = make_pictures(
                self.pipe, self.model, spec, seeds, shown, explain, self._report,
                self.prefix_cache, on_progress,
            )  # fmt: skip
            for picture in pictures:
                if picture.flagged:
                    yield picture
                    continue
                looked_at = replace(picture, faces=face_check.look(picture.image))
                if verify or retries:
                    with with_adapters(self.pipe, spec.adapters):
                        looked_at = self._verified(looked_at, spec)
                yield looked_at

        yield from retry_faulty(make_checked, seeds, retries)

    def _verified(self, picture: Picture, spec: GenerationSpec) -> Picture:
        """Return a picture with the checks of its plan's relations."""
        # With adapters it is another model, on which nothing was measured.
        presence = {} if spec.adapters else measured_presence(self.model.revision)
        checks = check_relations(
            self.pipe, spec.plan, picture.image, presence, face_lost=picture.face_lost
        )
        return replace(picture, checks=checks)

    def prompt_notes(self, spec: GenerationSpec) -> list[str]:
        """Report and return notes on parts of the prompt that the model does not understand."""
        from sow.pipeline.adapters import with_adapters

        plan, syntax = spec.plan, spec.settings.prompt_syntax
        with with_adapters(self.pipe, replace(spec.adapters, loras=())):  # they change no token
            return self._report_notes(
                [
                    *prompt_notes(self.pipe, plan.prompt, syntax),
                    *prompt_notes(self.pipe, plan.negative, syntax, "negative prompt"),
                ]
            )

    def graph(
        self, image: PictureLike, labels: str | Sequence[str], condition: str | None = None
    ) -> DetectedGraph:
        """Read a scene graph from a picture: where things are, and on which side of each other.

        The picture is inverted under "[subject] is near [object]", and read from where its words
        are looked for (SPADE's prior, without its training).

        Args:
            image: a file, a PIL picture or an array.
            labels: what to find, up to 8 labels: `person,dog`. What is not there is left out;
                notes name it, and what cannot be judged.
            condition: the label of what is planted when the graph is laid out again.

        Raises:
            SowError: with one line that says what is wrong.
        """
        names, (picture, notes) = parse_labels(labels), as_picture_with_notes(image)
        if condition is not None and condition not in names:
            raise UsageError(
                f"condition={condition} is not one of the labels", f"choose {', '.join(names)}"
            )
        self._report_notes([*notes, *prompt_notes(self.pipe, ", ".join(names))])
        presence = measured_presence(self.model.revision)
        graph = read_graph(self.pipe, picture, names, presence, condition)
        self._report_notes(graph.notes)
        return graph

    def generate(
        self,
        request: Request,
        *,
        seed: int | None = None,
        num: int = 1,
        cycles: bool = False,
        explain: bool = False,
        verify: bool = False,
        retries: int = 0,
    ) -> Result:
        """Resolve a request and make `num` pictures, with seeds counting up from `seed`.

        For the other arguments see `make`. With seed=None, the first seed is random.

        Raises:
            SowError: with one line that says what is wrong with the request.
        """
        check_flag("cycles", cycles, 'for the cycles themselves, settings={"cycles": 5}')
        seeds, cycles_of = consecutive_seeds(seed, num), range(num if cycles else 0)
        spec = self.resolve(request)
        notes = (*spec.notes, *self.prompt_notes(spec))
        pictures = tuple(
            self.make(
                spec, seeds, cycles_of=cycles_of, explain=explain, verify=verify, retries=retries
            )
        )
        picture_notes = self._report_notes(note for picture in pictures for note in picture.notes)
        return Result(pictures, spec.plan, (*notes, *picture_notes))

    def _read(self, request: Request) -> ResolvedRequest:
        check_request(request)
        request.check()
        self._planner.check()
        return read_request(request)

    def _model_of(self, resolved: ResolvedRequest) -> Model:
        """Return the model with what a request's embeddings add to its vocabulary.

        Raises:
            ModelError: if a LoRA or an embedding is for another family of models.
        """
        check_family(resolved.adapters, self.model.base, self.model.name)
        return self.model.with_words(resolved.adapters.words)

    def _make_plan(
        self, resolved: ResolvedRequest, before_vendor_call: Callable[[], None] = lambda: None
    ) -> PlanningResult:
        model, notes = self._model_of(resolved), [*resolved.notes]
        checkpoint = model.checkpoint_spec
        resolved = fit_request(resolved, checkpoint, notes.append)
        if resolved.plan is not None:
            planned = PlanningResult(adapt_plan(resolved.plan, resolved, checkpoint, notes.append))
        else:
            request = plan_request(resolved, checkpoint)
            planned = ask_for_plan(request, self._planner, model, before_vendor_call)
        plan = planned.plan.aligned(checkpoint.vae_scale_factor)
        if resolved.suppress is not None:
            plan = plan.changed(suppress=resolved.suppress)
        if resolved.negative is not None:
            plan = with_negative(plan, resolved.negative, model)
        notes += [
            *box_notes(resolved, plan, checkpoint.vae_scale_factor),
            *checkpoint.canvas_notes(plan.canvas),
            *wording_notes(
                resolved.prompt or plan.prompt,
                plan.negative if resolved.negative is None else resolved.negative,
                plan,
                checkpoint.words,
            ),
        ]
        self._report_notes(notes)
        if planned.origin:
            self._report("planner", planned.origin)
            notes.append(f"planner: {planned.origin}")
        return PlanningResult(plan, planned.cache, planned.origin, tuple(notes))

    def _find_preset(self, name: str | None, plan: Plan) -> tuple[Settings, list[str]]:
        """Return the named preset or the default settings, and a note if `sow tune` chose them."""
        if name is not None:
            return self.model.checkpoint_spec.preset(name), []
        settings, tuned = default_preset(self.model, plan.preset)
        if tuned is None:
            return settings, []
        return settings, [
            f"using what `sow tune` chose for this checkpoint: {tuned.candidate} "
            f"({tuned.pairs} pairs, {tuned.date}); --preset {plan.preset} uses the preset itself"
        ]

    def _report_spec(self, spec: GenerationSpec) -> GenerationSpec:
        """Report the notes of a spec, and return it with the model's notes too."""
        return replace(spec, notes=(*self.model.notes, *self._report_notes(spec.notes)))

    def _report_notes(self, notes: Iterable[str]) -> list[str]:
        return report_notes(self._report, notes)
